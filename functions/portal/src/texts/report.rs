//! Texts of the report of a month.

use super::Texts;
use std::fmt::Display;

texts! {
    report_title() "Monthly report";
    report_title_of(server, month) "{server}: mail in {month}";
    report_link() "The report of a month, to print or send";
    report_month() "Month";
    report_month_hint(zone) "Such as 2026-10. Days are those of {zone}.";
    report_button() "Show";
    report_print() "To send it, print this page or save it as a PDF in your browser: what is only for the screen is left out.";
    report_no_month() "This is not a month. Write it as 2026-10.";
    report_not_begun() "This month has not begun.";
    report_months() "Other months";
    report_before(month) "← {month}";
    report_after(month) "{month} →";
    report_so_far(at) "The month is not over: this is what was counted until {at}.";
    report_nothing(month) "{month}: nothing was delivered, bounced or reported as spam.";
    report_part(count, rate) "{count} ({rate})";
    report_sum(month, delivered, bounced, complaints) "{month}: {delivered} delivered, {bounced} bounced, {complaints} reported as spam";
    report_both(sum, limit) "{sum}; bounces and complaints are {limit}.";
    report_each(sum, bounces, complaints) "{sum}; bounces are {bounces}, complaints are {complaints}.";
    report_numbers() "Numbers of the month, and of the one before";
    report_by_day() "Day by day";
    report_causes() "New on suppression lists";
    report_causes_intro() "How many addresses came on a list of those that are not mailed any more, and why. One address may be on several lists.";
    report_causes_none() "No address came on a suppression list in these two months.";
    report_column(month) "{month}";
    report_why() "Why";
    report_complete() "How complete this is";
    report_complete_hint() "What webhooks reported is compared with what Postmark counts, day by day in US Eastern time.";
    report_how() "How these numbers are made";
    report_how_counts(zone) "Each event counts once, in the hour in which it happened; days and months are those of {zone}.";
    report_how_bounces() "The bounce rate is the share of hard, invalid, soft and block bounces among these and deliveries. The complaint rate is the share of complaints among deliveries.";
    report_how_opens() "Opens are first opens. Those by programs, such as mail filters and privacy proxies, are counted apart.";
    report_made() "Made";
}
