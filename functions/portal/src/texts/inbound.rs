//! Texts of what Postmark says came in.

use super::Texts;

texts! {
    inbound_title() "What Postmark says came in";
    inbound_intro() "Mail that came to this server’s inbound stream, and whether your program took it. Postmark is asked now, and nothing of its answer is stored here.";
    inbound_status() "Status at Postmark";
    inbound_any() "any status";
    inbound_button() "Show";
    inbound_nothing() "Postmark knows of no mail that came in with this status.";
    inbound_truncated() "Postmark has more than these: only the latest 50 are shown.";
    inbound_date() "Date that its sender wrote";
    inbound_no_date() "none";
    inbound_from() "From";
    inbound_to() "To";
    inbound_subject() "Subject";
    inbound_why() "Why not";
    inbound_processed() "taken by your program";
    inbound_blocked() "blocked by a rule";
    inbound_failed() "not taken at any try";
    inbound_scheduled() "not taken yet, tried again";
    inbound_queued() "waits, webhooks are paused";
    inbound_failed_hint() "Whatever was not taken can be tried again in Postmark’s own pages.";
    inbound_link() "What Postmark says came in";
}
