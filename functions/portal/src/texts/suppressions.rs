//! Texts of the suppression lists.

use super::Texts;
use std::fmt::Display;

texts! {
    suppressions_title(stream) "Suppressions on {stream}";
    suppressions_title_whole() "Suppressions on the whole server";
    suppressions_title_none() "Suppressions";
    suppressions_intro() "A suppression list names the addresses that a stream must not mail: because mail to them bounced for good, because their owners reported spam or unsubscribed, or because somebody put them there. Each stream has a list of its own, so an address on this list may still be mailed on another stream.";
    suppressions_intro_whole() "These addresses must not be mailed on any stream of this server, by a decision or an import of yours. Postmark itself keeps a list for each stream, but none for a whole server.";
    suppressions_masked() "You may not see whole addresses, so only the first letter and the domain are shown, here and in the table that you download.";
    suppressions_as_of(at) "These are the addresses that are on the list today and were on it by {at}. Addresses that have left the list since then are missing here; the page of a recipient knows them.";
    suppressions_as_of_known() "Whether an entry had come in by that time is not known here; the page of a recipient knows it.";
    suppressions_no_stream() "No stream of this server is known yet. Streams become known with their first event, or when Postmark lists them.";
    suppressions_more_streams() "This server has more streams than can be listed. Type the name of one.";
    suppressions_none() "No address is on this list.";
    suppressions_none_fits() "No address on this list fits what you chose.";
    suppressions_none_yet() "None was found in this part of the list. Go on to the next page.";
    suppressions_order() "The longest suppressed first.";
    suppressions_whole() "the whole server";
    suppressions_filter() "Choose from this list";
    suppressions_stream() "Stream";
    suppressions_cause() "Why";
    suppressions_origin() "Put on the list by";
    suppressions_from() "Since this time, or later";
    suppressions_to() "Since this time, or earlier";
    suppressions_times(zone) "Times in {zone}.";
    suppressions_button() "Show";
    suppressions_any() "any";
    suppressions_address() "Address";
    suppressions_since() "Since";
    suppressions_no_address() "address not recorded";
    suppressions_csv(rows) "The table has all addresses that fit, up to {rows}.";
    suppressions_csv_more(rows) "NOT COMPLETE: there are more rows than these {rows}. Choose less, for example a shorter time, and download it in parts.";
    suppressions_problem_stream(stream) "This server has no stream called “{stream}”. Check its spelling.";
    suppressions_problem_near(names) "Did you mean {names}?";
    suppressions_problem_choice() "There is no such choice. Choose one from the list.";
    suppressions_problem_time() "This is not a date and time, such as 2026-11-21T08:00.";
    suppressions_problem_order() "This ends before it begins. Choose an earlier beginning or a later end.";
    suppressions_problem_cursor() "This page of the list can no longer be found. Start again from the first page.";
    cause_hard_bounce() "Mail to it bounced for good";
    cause_complaint() "Its owner reported spam";
    cause_unsubscribe() "Its owner unsubscribed";
    cause_manual() "Put on the list by hand";
    cause_unknown() "Postmark gave no reason";
    cause_decision() "Barred by a decision of yours";
    cause_import() "Barred by an imported list of yours";
    origin_recipient() "The recipient, or a bounce";
    origin_customer() "You, or a program of yours";
    origin_admin() "Postmark’s staff";
    origin_ours() "Only on your own list";
    origin_not_known() "Not known";
    origin_not_known_or_ours() "Not known, or only on your own list";
    or(most, last) "{most} or {last}";
    stream_kind_transactional(stream) "{stream} (transactional)";
    stream_kind_broadcast(stream) "{stream} (broadcast)";
}
