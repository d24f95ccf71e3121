//! Texts of statistics, and of rates wherever they stand.

use super::Texts;
use std::fmt::Display;

texts! {
    stats_title() "Statistics";
    stats_by() "By";
    stats_by_hour() "hour";
    stats_by_day() "day";
    stats_by_week() "week";
    stats_stream() "Stream";
    stats_from() "First day";
    stats_to() "Last day";
    stats_hint(zone) "Days of {zone}. Leave both empty for the latest time.";
    stats_button() "Show";
    stats_no_day() "This is not a day. Write it as 2026-11-21.";
    stats_backwards() "The last day lies before the first, or the first in the future.";
    stats_too_long(days) "At most {days} days can be shown like that. Choose fewer days, or longer steps.";
    stats_other_zone(zone, other) "Counts are kept by whole hours of UTC, and {zone} is not a whole number of hours away from it. So days here are those of {other}.";
    stats_whole_hours(at) "Counted until {at}: counts are kept by whole hours.";
    stats_known_hint() "Counts cannot be shown as they were known at another time: what came in later is counted here.";
    stats_span(from, to) "{from} to {to}";
    stats_now() "In this time";
    stats_before() "The same span before";
    stats_summary() "Totals";
    stats_bounced() "Bounced";
    stats_nothing() "nothing counted in this time";
    stats_volume() "Mail delivered and bounced";
    stats_volume_about(span, delivered, bounced) "{span}: {delivered} delivered, {bounced} bounced.";
    stats_bounce_rate() "Bounce rate";
    stats_complaint_rate() "Complaint rate";
    stats_open_rate() "Opened, by people and by programs";
    stats_rate_about(span, rate, low, high) "{span}: {rate} in all, from {low} to {high} in single steps.";
    stats_rate_none(span) "{span}: no rate, since nothing was delivered.";
    stats_bounce_note() "Hard, invalid, soft and block bounces, among these and deliveries.";
    stats_complaint_note() "Complaints among deliveries. Gmail and others count for themselves, and only mail to them, so this is no more than a hint at what they see.";
    stats_open_note() "First opens among deliveries. Mail filters and privacy proxies open mail on their own: such opens say nothing about people. Mail that was delivered earlier may be opened later, so a rate may be above 100%, and then has no interval.";
    stats_whiskers() "The whiskers show where the true rate lies, with a certainty of 95%: the less mail, the longer they are. Those that leave the chart are cut off.";
    stats_limits_unnamed(names) "Limits that are further up, or too close to others to be named in the chart: {names}.";
    stats_beyond() "An arrow at the upper edge stands for a rate beyond it, of so little mail that it says hardly anything.";
    stats_table(title) "{title} as a table";
    stats_table_cut(rows) "The last {rows} rows; the file has them all.";
    stats_step_from() "From";
    stats_so_far() "so far";
    stats_all() "Everything that was counted";
    stats_count() "Events";
    stats_of() "Of";
    stats_no_rate() "none";
    stats_rate() "Rate";
    stats_interval() "95% interval";
    stats_people() "People";
    stats_programs() "Programs";
    stats_people_rate() "People, rate";
    stats_programs_rate() "Programs, rate";
}

// Rates and limits.
texts! {
    rates_what() "What";
    rates_share() "Share";
    rates_share_before() "Share before";
    rates_limits() "Against the limits";
    rates_change() "Change";
    rates_interval(low, high) "({low} to {high})";
    rates_up() "↑ higher";
    rates_down() "↓ lower";
    rates_unclear() "no clear change";
    rates_events_of(what, count) "{what}: {count}, show them";
    rates_hint() "In parentheses: where the true share lies, with a certainty of 95%. An arrow stands only where the two intervals do not overlap; anything less may be chance.";
    limit_above(limit) "above {limit}";
    limit_perhaps(limit) "above {limit}, but with so little mail that this may be chance";
    limit_below() "below all limits";
    limit_bounce_warn() "Postmark’s warning level (2%)";
    limit_bounce_critical() "Postmark’s critical level (4%)";
    limit_bounce_account() "Postmark’s limit for accounts (10%)";
    limit_complaint_warn() "Postmark’s warning level (0.04%)";
    limit_complaint_critical() "Postmark’s critical level (0.08%)";
    limit_complaint_gmail() "the limit that Gmail advises (0.1%)";
    limit_complaint_gmail_never() "Gmail’s upper limit (0.3%)";
}
