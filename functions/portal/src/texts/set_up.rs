//! Texts of a server's set-up.

use super::Texts;
use std::fmt::Display;

// Adding a server.
texts! {
    servers_add() "Add a server";
    servers_set_up(label) "Set up {label}";
    new_server_title() "Add a server";
    new_server_intro() "Postledger needs the server’s token at Postmark. By it Postmark says which server it is.";
    new_server_step_find() "Sign in to Postmark, open the server, and there the tab API Tokens.";
    new_server_step_paste() "Copy the server token, and paste it here.";
    new_server_token() "Server token";
    new_server_token_hint() "It is kept for asking Postmark, and never shown again.";
    new_server_client() "Client";
    new_server_client_hint() "Whose mail it sends. Left empty, it is what the server is called at Postmark.";
    new_server_label() "What you call the server";
    new_server_label_hint() "Left empty, it is what the server is called at Postmark.";
    new_server_button() "Check the token and add the server";
    new_server_confirm_first() "This needs a fresh code, and a token that is pasted before that is lost.";
    new_server_confirm_link() "Get a fresh code first";
    new_server_no_token() "This is not a token: paste the one word of letters, digits and hyphens that Postmark shows.";
    new_server_no_name() "A name has 1 to 100 characters, all on one line.";
    new_server_not_accepted() "Postmark does not accept this token: it may be cut off, or deleted already. Nothing was added.";
    new_server_unavailable() "Postmark did not answer, so nobody knows whose token it is. Nothing was added. Try again in some minutes.";
    new_server_back() "Back to the servers";
}

// The steps.
texts! {
    set_up_name() "Set-up";
    set_up_title(server) "Set-up of {server}";
    set_up_intro() "Each step is proven by what the ledger has seen. You can leave this page and come back: it goes on where you were.";
    set_up_complete() "Everything is set up.";
    set_up_left(done, all) "{done} of {all} steps are done.";
    set_up_added() "The server is added. Postmark knows its token.";
    set_up_there() "The server was registered before. Nothing was changed, and its token is the one that was kept before.";
    set_up_there_token() "The server was registered before, but no token of it was kept. The one that you pasted is kept now; the names are as they were.";
    set_up_state_done() "Done";
    set_up_state_next() "Next";
    set_up_state_open() "Open";
    set_up_state_optional() "If needed";
    set_up_go_on() "Go on with the set-up of this server";
    set_up_server() "The server and its token";
    set_up_server_done() "The server is registered. Postmark said that the token which is kept is this server’s.";
    set_up_server_unregistered() "The server is not registered, so no token of it is kept. An operator adds it.";
    set_up_server_unseen() "The server is registered. Postmark has not said yet whose the token is that is kept; the ledger asks it every 15 minutes.";
    set_up_server_token() "The server is registered, but by the token that is kept Postmark cannot be asked:";
    set_up_server_link() "Replace the token";
    set_up_webhooks() "The webhooks";
    set_up_webhooks_done(count) "Postmark has probed each of our webhooks, and has verified all {count} event types.";
    set_up_webhooks_some(verified, all) "Postmark has verified {verified} of {all} event types.";
    set_up_webhooks_none() "No webhook reports to this ledger yet: Postmark has to know where to report what happens to mail.";
    set_up_webhooks_link() "Set up the webhooks";
    set_up_webhooks_look() "Look at the webhooks";
    set_up_as_of() "As of";
    set_up_smtp() "SMTP";
    set_up_smtp_none() "Only for programs that send by SMTP. No keys for it are stored.";
    set_up_smtp_done(streams) "The stored keys log in at Postmark: {streams}.";
    set_up_smtp_wrong(stream) "The stored keys of the stream {stream} do not log in at Postmark.";
    set_up_smtp_checked() "Last checked";
    set_up_smtp_link() "Store keys for SMTP";
    set_up_smtp_look() "Look at SMTP";
    set_up_people() "The client’s people";
    set_up_people_one() "One person of the client may sign in.";
    set_up_people_many(count) "{count} people of the client may sign in.";
    set_up_people_none() "Nobody of the client may sign in yet.";
    set_up_people_link() "Invite somebody";
    set_up_people_look() "Look at the people";
    set_up_mail() "A test mail";
    set_up_mail_open() "One mail shows that what Postmark reports comes in.";
    set_up_mail_waits() "A test mail was sent. Its report has not come in yet.";
    set_up_mail_done() "What Postmark reported of a test mail came in by webhook.";
    set_up_mail_heard() "What Postmark reports comes in by webhook.";
    set_up_heard() "The last webhook came in the hour from";
}

// The test mail.
texts! {
    test_mail_title() "The test mail";
    test_mail_waits() "Postmark has the mail. Its report has not come in yet.";
    test_mail_late() "Minutes have passed, and no report of the mail has come in.";
    test_mail_delivered() "The mail was delivered, and Postmark’s report of it came in by webhook.";
    test_mail_bounced() "The mail bounced. The report of that came in by webhook, so reports do come in; the mail itself was not delivered.";
    test_mail_by_hand() "A report of the mail is here, but it did not come by webhook: the ledger had to ask Postmark for it.";
    test_mail_hops() "What happened, one after the other";
    test_mail_hop_sent() "Postmark took the mail";
    test_mail_hop_delivered() "The receiving server took it, as Postmark reports";
    test_mail_hop_bounced() "It bounced, as Postmark reports";
    test_mail_hop_webhook() "The webhook with the report came in here";
    test_mail_hop_asked() "The ledger asked Postmark, and found the report";
    test_mail_hop_recorded() "The report is recorded:";
    test_mail_to_message() "Look at the message";
    test_mail_again() "Look again";
    test_mail_by_itself() "With scripts, this page looks again by itself every few seconds.";
    test_mail_look() "What to look at";
    test_mail_look_webhooks() "Webhooks: is each of them verified, and does one fail?";
    test_mail_look_aside() "What was set aside: did the report come in, and was it not understood?";
    test_mail_look_truth() "Completeness: has Postmark a report that is missing here?";
    test_mail_form() "Send a test mail";
    test_mail_form_again() "Send another test mail";
    test_mail_intro() "One plain mail is sent by Postmark. It counts in the server’s volume, and its recipient is recorded in the ledger like any other.";
    test_mail_from() "Sender";
    test_mail_from_hint() "An address that is confirmed at Postmark for this server: a sender signature, or of a verified domain.";
    test_mail_to() "Recipient";
    test_mail_to_hint() "One address, best of your own, whose mailbox is there.";
    test_mail_button() "Send it now";
    test_mail_no_address() "This is not one address.";
    test_mail_no_stream() "Choose a stream of this server.";
    test_mail_no_token() "No Postmark token is kept for this server. Replace its token first.";
    test_mail_uncertain() "Postmark gave no usable answer, so nobody knows whether the mail was sent. Look at the server’s activity at Postmark before you send another one.";
    test_mail_unavailable() "Postmark did not answer, and nothing was sent. Try again in some minutes.";
    test_mail_not_taken(why) "Nothing was sent. {why}.";
}
