//! Texts of SMTP of a server's streams.

use super::Texts;
use std::fmt::Display;

// The streams.
texts! {
    keys_title(server) "SMTP of {server}";
    keys_intro() "A program that cannot use Postmark’s API can send mail by SMTP. For each stream, Postledger can store the pair of keys that your program uses, check that it works, and see where a test mail arrives.";
    keys_streams() "Streams";
    keys_stream() "Stream";
    keys_kept() "Stored keys";
    keys_last() "Last check";
    keys_none() "none";
    keys_since() "since";
    keys_no_streams() "No stream of this server is known yet: its first event makes one known.";
}

// A stream.
texts! {
    keys_of(stream) "SMTP of the stream {stream}";
    keys_program() "What your program needs";
    keys_host() "Host";
    keys_port() "Port";
    keys_port_with(port) "{port}, with STARTTLS";
    keys_user() "User name";
    keys_user_access() "the access key of the stream’s SMTP token";
    keys_user_token() "the server’s API token";
    keys_password() "Password";
    keys_password_secret() "the secret key that belongs to it; only Postmark shows it, and only once";
    keys_password_token() "the server’s API token again";
    keys_header() "Header of each mail";
    keys_header_why() "Needed with the server’s API token; with an SMTP token, Postmark knows the stream without it.";
    keys_pair() "The stored keys";
    keys_pair_none() "No keys are stored for this stream.";
    keys_pair_since() "Stored";
    keys_pair_checked() "Last check";
    keys_old() "Old keys";
    keys_old_works() "The old pair still works: revoke it at Postmark, then check again.";
    keys_old_fails_too() "The old pair fails too. That shows nothing until the new one logs in: then check again.";
    keys_old_unclear() "Nobody knows whether the old pair still works, because it could not be tried. Check again.";
    keys_old_unclear_why(why) "The last try: {why}.";
    keys_check_button() "Check now";
    keys_check_what() "This logs in and sends nothing.";
    keys_back() "Back to the streams";
}

// What came of a check.
texts! {
    keys_accepted() "the keys log in";
    keys_wrong_pair() "the keys are wrong, or were revoked at Postmark";
    keys_switched_off() "SMTP is switched off for this server at Postmark";
    keys_tls_refused() "no connection with a good TLS certificate came about, so no key was sent";
    keys_unreachable() "nothing answered; a firewall may block the port";
    keys_timed_out() "the answer took too long";
    keys_other() "Postmark gave another answer";
    keys_other_code(code) "Postmark gave another answer, with the code {code}";
    keys_problem(why) "This did not work: {why}. Nothing was changed.";
    keys_not_understood() "These are not keys: paste the two words of letters, digits and hyphens that Postmark shows. Nothing was changed.";
    keys_old_first() "Older keys are still stored, because nobody has seen them fail. Revoke them at Postmark, check, and then store the new ones. Nothing was changed.";
    keys_no_pair() "No keys are stored for this stream, so there is nothing to try.";
}

// New keys.
texts! {
    keys_put() "Store new keys";
    keys_step_make() "At Postmark, open the server, this stream, and there “SMTP”. Make an SMTP token.";
    keys_step_paste() "Paste its two keys here. They are stored only if they log in.";
    keys_step_program() "Give the keys to your program.";
    keys_step_old() "Revoke the old token at Postmark, and check here that it fails.";
    keys_access() "Access key";
    keys_secret() "Secret key";
    keys_either() "Without an SMTP token, paste the server’s API token into both fields.";
    keys_confirm_first() "This needs a fresh code, and keys that are pasted before that are lost.";
    keys_put_button() "Check and store";
    keys_done() "The keys log in, and are stored.";
    keys_done_checked() "The keys were checked.";
    keys_done_removed() "The keys are not stored any more. At Postmark they work until you revoke them there.";
}

// A test mail.
texts! {
    keys_test() "Send a test mail";
    keys_test_what() "Postmark takes every mail by SMTP and tells later what became of it. So watch for the event “Delivery” of the test mail.";
    keys_sender() "From";
    keys_sender_hint() "An address that Postmark knows as one of your senders.";
    keys_recipient() "To";
    keys_recipient_hint() "An address whose mail you can read.";
    keys_address_wrong() "Give one address here, without accents.";
    keys_test_button() "Send";
    keys_sent() "The last one was sent";
    keys_waiting() "No Delivery of it has come in. It may take a minute: open this page again. If none comes, look at Activity for a bounce, and at the webhooks.";
    keys_not_all() "No Delivery of it was found, but not all of them were looked at, because there are too many. Look for it at Activity.";
    keys_past() "That was hours ago, so its Delivery is not looked for here any more. Look for it at Activity, or send another one.";
    keys_delivered(stream) "Its Delivery came in, on the stream {stream}: all is well.";
    keys_elsewhere(stream) "Its Delivery came in, but on the stream {stream}: the keys belong to that stream. Store the keys of this one.";
    keys_unseen() "Whether it was delivered cannot be seen here: this stack keeps no index of events by time.";
}

// Removing.
texts! {
    keys_remove_link() "Remove the stored keys";
    keys_remove_question(stream) "Remove the keys of the stream {stream}?";
    keys_remove_what() "Postledger forgets them, the old pair too, and can check nothing on this stream any more.";
    keys_remove_program() "Your program keeps sending: the keys work until you revoke them at Postmark.";
    keys_remove_button() "Remove";
}
