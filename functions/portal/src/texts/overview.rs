//! Texts of the overview of a server.

use super::Texts;
use std::fmt::Display;

texts! {
    overview_title() "Overview";
    overview_fine() "Nothing is wrong.";
    overview_quiet() "Nothing was reported in the last 30 days.";
    overview_look() "Something needs a look.";
    overview_look_many(count) "{count} things need a look.";
    overview_bad() "Something is wrong.";
    overview_bad_many(count) "{count} things are wrong.";
    overview_todo() "What needs doing";
    overview_bounces(rate, limit) "{rate} of the mail bounced in the last 7 days, above {limit}. Look at which addresses bounce, and take them off your lists.";
    overview_bounces_link() "Show the bounces";
    overview_complaints(rate, limit) "{rate} of the mail was reported as spam in the last 7 days, above {limit}. Look at which mail it was and whether its recipients asked for it.";
    overview_complaints_link() "Show the complaints";
    overview_silent() "No mail was reported delivered or bounced yesterday and today, though there was some on each of the seven days before. Check whether mail is still sent, and whether Postmark’s webhooks are still on.";
    overview_silent_link() "Look at completeness";
    overview_missing_link() "See what is missing";
    overview_aside(count) "Reports that could not be recorded and were set aside in the last 30 days: {count}. Find the cause, and replay them.";
    overview_aside_link() "See what was set aside";
    overview_webhooks() "Something is wrong with the webhooks by which Postmark reports what happens.";
    overview_webhooks_link() "Look at the webhooks";
    overview_week() "The last 7 days";
    overview_week_before() "The 7 days before";
    overview_month() "The last 30 days";
    overview_month_about(delivered, bounced) "By day: {delivered} delivered and {bounced} bounced in all.";
    overview_more() "All statistics";
    overview_last_complaints() "The last complaints";
    overview_no_complaints() "Nobody reported mail as spam in the last 7 days.";
    overview_complaints_off() "Complaints cannot be listed here, since this ledger keeps no list of events by time.";
    overview_complaints_counted(count) "Complaints in the last 7 days: {count}.";
    overview_all_complaints() "All complaints of the last 7 days";
    overview_complete() "Completeness";
    overview_find() "Look up an address";
    overview_as_of() "What needs doing is told as of now for what was set aside; counts end with the whole hour before the time you are looking at.";
}
