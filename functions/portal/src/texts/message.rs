//! Texts of a message, and of what receiving servers say.

use super::Texts;
use std::fmt::Display;

texts! {
    message_title() "Message";
    message_id() "Message id";
    message_about(subject) "Message “{subject}”";
    message_delivered_all() "Delivered to everybody it went to.";
    message_delivered_some(delivered, all) "Delivered to {delivered} of {all} recipients that are known so far.";
    message_bounced_all() "Not delivered: it bounced.";
    message_bounced_some(bounced, all) "It bounced for {bounced} of {all} recipients.";
    message_complained() "Reported as spam.";
    message_waits() "No delivery has been reported yet.";
    message_waits_why() "Postmark has told of neither a delivery nor a final bounce. Either the message is still on its way, or no webhook for deliveries is set up, or the report has not come in. Completeness shows whether reports are missing.";
    message_to_completeness() "Look at completeness";
    message_recipients() "Recipients";
    message_recipients_hint() "Only recipients that something was reported about are listed: the ledger is not told whom a message went to.";
    message_state() "What became of it";
    message_when() "When";
    message_opened() "Opened by a person";
    message_clicked() "Clicks by people";
    message_state_delivered() "delivered";
    message_state_bounced() "bounced";
    message_state_back() "accepted first, then bounced";
    message_state_complained() "reported as spam";
    message_state_delayed() "delayed, no delivery reported yet";
    message_state_waits() "no delivery reported yet";
    message_events() "What happened, in order";
    message_later() "Later events";
    message_more() "This message has so many events that not all of them are counted in the table above.";
    message_find() "Find a message";
    message_find_label() "Message id";
    message_find_hint() "Postmark’s MessageID, as its API answered it when the message was sent: 36 letters, digits and hyphens.";
    message_find_button() "Find it";
    message_none_title() "Nothing is recorded of this message";
    message_none() "No report about it has come in at this server. Check the id and the server. If the message was sent a moment ago, reload the page in a minute.";
    message_no_id() "This is not a message id. An address is looked up elsewhere:";
}

// What receiving servers say.
texts! {
    smtp_code(words, code) "{words} ({code}).";
    smtp_for_now(words) "{words}, at least for now";
    smtp_accepted() "The receiving server took it";
    smtp_refused() "The receiving server refused it for good";
    smtp_refused_now() "The receiving server refused it for now";
    smtp_address() "The address is not right";
    smtp_no_mailbox() "There is no such mailbox";
    smtp_no_domain() "The domain does not exist or takes no mail";
    smtp_moved() "The mailbox has moved";
    smtp_null_mx() "The domain says that it takes no mail";
    smtp_mailbox() "Something is wrong with the mailbox";
    smtp_disabled() "The mailbox is switched off";
    smtp_full() "The mailbox is full";
    smtp_too_large() "The message is too large";
    smtp_system_full() "The receiving system is full";
    smtp_not_now() "The receiving system takes no mail";
    smtp_no_answer() "The receiving server does not answer";
    smtp_connection() "The connection broke off";
    smtp_no_route() "No way to the receiving server was found";
    smtp_loop() "The mail runs in a circle";
    smtp_expired() "It could not be delivered in time";
    smtp_policy() "The receiving server’s policy forbids it: often the content, or the sender’s reputation";
    smtp_authentication() "The receiving server could not make sure who sent it (SPF, DKIM or DMARC)";
    smtp_reverse() "The sending server’s name does not match its number";
}
