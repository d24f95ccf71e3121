//! Texts of lists of events.

use super::Texts;
use std::fmt::Display;

texts! {
    activity_title() "What happened";
    activity_intro() "Latest first. Addresses cannot be searched in parts: the ledger keeps them as keyed hashes. To see everything about one person, look up the whole address.";
    activity_find() "Look up an address";
    activity_stream() "Stream";
    activity_sorts() "Show only";
    activity_from() "From";
    activity_to() "Until";
    activity_times_hint(zone) "Times in {zone}. Leave both empty for the last 7 days.";
    activity_button() "Show";
    activity_presets() "Times";
    activity_today() "Today";
    activity_yesterday() "Yesterday";
    activity_days(days) "Last {days} days";
    activity_list() "Events";
    activity_none() "Nothing like that happened in this time.";
    activity_none_hint() "Choose another time, another stream, or fewer boxes.";
    activity_count(count) "{count} events match, counted by whole hours.";
    activity_too_many_rows(most) "That is more than the {most} rows a file can have. Choose a shorter time before you download.";
    activity_cut() "The search stopped here so that you would not wait longer. There may be more further back.";
    activity_go_on() "Search further back";
    activity_truncated() "So many events happened in one instant that some of them are left out.";
    activity_whole_from(from) "This list is whole from {from} on. Events that happened before may be missing here until whoever runs the ledger fills them in. All other pages show them.";
    activity_known_hint() "You are looking at what was known by another time: events that came in later are left out. A report that was replaced by a better one since then is shown as the better one.";
    activity_csv_hint(most) "The file has every event that matches, up to {most} rows, not just this page.";
    activity_file_cut(most) "More events match than this file holds (at most {most}): download the rest with an earlier end of time.";
    activity_off() "This ledger keeps no list of events by time, so there is nothing to show here.";
    activity_off_next() "You can still look up an address or a message. Whoever runs the ledger can switch the list on.";
    activity_too_many_streams() "This server has more streams than can be listed at once.";
    activity_too_many_streams_next() "Choose one stream.";
    activity_no_time() "This is not a time. Write it as 2026-11-21T08:00.";
    activity_backwards() "The end of the time lies before its beginning.";
    activity_too_long(days) "At most {days} days can be listed at once. Choose a shorter time.";
    event_recipient() "Recipient";
    event_by_reconcile(at) "No webhook told of this: it was found missing and fetched from Postmark’s API on {at}.";
    event_by_backfill(at) "From the history that Postmark kept: fetched on {at}.";
    event_late(at) "The report came in late, on {at}.";
}

// Sorts of events.
texts! {
    sort_delivered() "Delivered";
    sort_hard() "Bounced for good";
    sort_soft() "Bounced for now, or blocked";
    sort_notices() "Delays and other bounce notices";
    sort_complaints() "Reported as spam";
    sort_opens() "Opened by people";
    sort_opens_again() "Opened again by people";
    sort_machine_opens() "Opened by programs";
    sort_clicks() "Clicked by people";
    sort_machine_clicks() "Followed by programs";
    sort_list() "Put on or taken off Postmark’s list";
    sort_seen() "Seen on Postmark’s list";
    sort_decisions() "Decisions of yours";
}
