//! Texts of what Postmark says it sent.

use super::Texts;

texts! {
    sent_title() "What Postmark says it sent";
    sent_intro() "Postmark is asked now, and nothing of its answer is stored here. It keeps what was sent for 45 days, mostly. A mail of which no event has come in yet is found here only.";
    sent_asked() "As Postmark said";
    sent_nothing() "Postmark knows of no mail to this address, on any stream that this server has there.";
    sent_at() "Sent";
    sent_stream() "Stream";
    sent_message() "Message";
    sent_status() "Status at Postmark";
    sent_recorded() "In the ledger";
    sent_recorded_yes() "yes";
    sent_recorded_no() "no event yet";
    sent_no_subject() "Look at the message";
    sent_truncated() "Postmark has more than these: only the latest 50 of each stream are shown.";
    sent_ask() "Ask about another address";
    sent_button() "Ask Postmark";
    sent_button_unknown() "Ask Postmark whether it sent anything";
    sent_link() "What Postmark says it sent";
    sent_of_message() "What Postmark says of this message";
    sent_of_message_link() "Ask Postmark about this message";
    sent_is_recorded() "The ledger has events of this message.";
    sent_to_recorded() "See what is recorded";
    sent_not_recorded() "Nothing of this message has come in by webhook. What is lost is fetched within some hours; the page Completeness tells.";
    sent_subject() "Subject";
    sent_tag() "Tag";
    sent_events() "What happened to it at Postmark";
    sent_no_events() "Postmark tells of nothing that happened to it yet.";
    sent_when() "When";
    sent_what() "What";
    sent_whom() "To";
    sent_said() "The receiving server said";
    sent_status_sent() "sent";
    sent_status_queued() "waiting to be sent";
    sent_event_delivered() "delivered";
    sent_event_bounced() "bounced";
    sent_event_transient() "delayed";
    sent_event_opened() "opened";
    sent_event_clicked() "clicked";
    sent_event_subscription() "the suppression list changed";
    sent_no_message() "Postmark does not have this message, or no longer.";
    sent_no_token() "No Postmark token is stored for this server, so Postmark cannot be asked. An admin of the server stores one on the page Settings.";
    sent_token_not_accepted() "Postmark does not accept the token that is stored for this server. An admin of the server replaces it on the page Settings.";
    sent_odd() "This address has a character by which Postmark cannot be asked here.";
    sent_erased() "This person was erased, so the address is not known here. Type it to ask Postmark.";
    sent_unavailable() "Postmark did not answer in time. Try again in some minutes.";
}
