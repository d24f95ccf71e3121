//! Texts of a server's webhooks.

use super::Texts;
use std::fmt::Display;

// How they stand.
texts! {
    webhooks_title() "Webhooks";
    webhooks_fine() "The webhooks are as they should be.";
    webhooks_look() "Something about the webhooks needs a look.";
    webhooks_bad() "Something is wrong with the webhooks.";
    webhooks_unknown() "Nobody has looked at this server’s webhooks yet.";
    webhooks_unregistered() "This server is not registered, so its webhooks are not looked after.";
    webhooks_unregistered_todo(server) "On the ledger’s machine, register it by “postledger server add --server {server}”.";
    webhooks_intro() "A webhook is an address to which Postmark reports what happens to mail: deliveries, bounces, complaints, opens, clicks and changes of the suppression list. Nobody needs to sign in to Postmark to set them up.";
    webhooks_as_of() "As Postmark said";
    webhooks_as_of_hint() "The ledger looks every 15 minutes.";
    webhooks_findings() "What needs doing";
    webhooks_on_stream(stream) "Stream {stream}:";
    webhooks_todo() "What to do:";
    webhooks_retries(left) "In the last 24 hours an event came in with only {left} retries left. After the last one Postmark drops it.";
    webhooks_native() "Opens and clicks are left out, because the client’s own program tracks them. Counted here too, they would be counted twice.";
    webhooks_states() "What Postmark reports here";
    webhooks_none() "No webhook of this server leads here.";
    webhooks_event_type() "Event type";
    webhooks_stream() "Message stream";
    webhooks_state() "State";
    webhooks_what_todo() "What to do";
    webhooks_last() "Last event of the type";
    webhooks_requests() "Requests in 24 hours";
    webhooks_where() "Leads to";
    webhooks_on() "reports";
    webhooks_paused() "paused";
    webhooks_unsaid() "not known";
    webhooks_on_todo() "Nothing.";
    webhooks_paused_todo() "Set up the webhooks again below: Postmark then checks this one. If it stays paused, the ledger’s operator has to see why it does not answer.";
    webhooks_unsaid_todo() "Wait for an event. If none comes, set up the webhooks again below.";
    webhooks_never() "none yet";
    webhooks_counts(total, failed, retried) "{total}, {failed} failed, {retried} retries";
    webhooks_others() "Webhooks that are not ours";
    webhooks_others_intro() "They lead elsewhere, and are never changed.";
    webhooks_number() "Number at Postmark";
    webhooks_host() "Host";
    webhooks_host_unsaid() "an address that cannot be shown";
}

// Setting them up.
texts! {
    webhooks_set_up() "Set up the webhooks";
    webhooks_form() "How many webhooks";
    webhooks_form_per_type() "One for each event type";
    webhooks_form_one_url() "One for all event types";
    webhooks_form_hint() "A stream may have ten. Choose one for all if others need most of them.";
    webhooks_native_label() "The client’s own program tracks opens and clicks";
    webhooks_native_hint() "Then they are left out here, since they would be counted twice.";
    webhooks_plan_button() "Show what would be done";
    webhooks_by_command() "No part of this portal has the key that signs the webhooks’ password. The ledger’s operator sets up the webhooks by this command, which shows its plan and asks first:";
    webhooks_plan_title() "Set up these webhooks?";
    webhooks_plan_leads(url) "They will lead to {url}.";
    webhooks_plan_what() "What";
    webhooks_plan_why() "Why";
    webhooks_plan_warnings() "What to know before";
    webhooks_plan_nothing() "Nothing has to be done at Postmark.";
    webhooks_plan_do(steps) "Do it at Postmark ({steps} steps)";
    webhooks_plan_do_one() "Do it at Postmark (one step)";
    webhooks_plan_remember() "Keep it so";
    webhooks_cancel() "Cancel";
    webhooks_what_keep() "stays";
    webhooks_what_create() "is created";
    webhooks_what_change() "is changed";
    webhooks_what_verify() "is checked again";
    webhooks_what_remove() "is removed";
    webhooks_what_leave_alone() "is left alone";
}

// What became of it.
texts! {
    webhooks_job() "The last time they were set up here";
    webhooks_job_begun() "It has begun, and its end was not noted. Look at the state above, and set them up again if something is missing.";
    webhooks_job_handed() "It was asked for, and is being done. This mostly takes less than a minute.";
    webhooks_job_by_itself() "This page shows the result by itself.";
    webhooks_job_look() "Look again";
    webhooks_job_complete() "All is done. Read back from Postmark, everything is as it should be.";
    webhooks_job_incomplete() "Not everything is done. Set them up again: what is done is not done twice.";
    webhooks_job_failed(why) "It could not be done: {why}.";
    webhooks_job_verified(verified, all) "Event types that Postmark has verified: {verified} of {all}.";
    webhooks_job_refused(what) "Postmark does not report these here, so they are not asked for again: {what}.";
    webhooks_job_step() "Step";
    webhooks_job_result() "Result";
    webhooks_job_done() "done";
    webhooks_step_created() "created";
    webhooks_step_changed() "changed";
    webhooks_step_removed() "removed";
    webhooks_step_verified() "checked";
    webhooks_done_connected() "It was carried out. The result is below.";
    webhooks_done_handed() "It was asked for. The result will be below.";
    webhooks_done_incomplete() "Not everything could be carried out. What was done and what is missing is below.";
    webhooks_done_again() "You have confirmed that it is you. Nothing is shown or changed yet: send the form within five minutes.";
}

// By hand, and rotation.
texts! {
    webhooks_by_hand() "Set them up by hand";
    webhooks_by_hand_intro() "If you prefer to do it at Postmark yourself: create these webhooks there, each with the event types beside it, and with this user name and password under “Basic auth credentials”.";
    webhooks_by_hand_unknown() "The addresses are known after the webhooks were set up for the first time.";
    webhooks_user() "User name";
    webhooks_password() "Password";
    webhooks_password_button() "Show the password";
    webhooks_password_hint() "It needs a fresh code. That you were shown it stands in the list of changes.";
    webhooks_password_command() "No part of this portal has the key that makes it. The ledger’s operator prints it by this command:";
    webhooks_password_link() "Only people who sign in by a code are shown the password.";
    webhooks_password_title() "The password of the webhooks";
    webhooks_password_once() "It is shown this once. Whoever has it can report false events of this server, so keep it as you keep a password.";
    webhooks_back() "Back to the webhooks";
    webhooks_rotation() "Password and signing key";
    webhooks_generation() "Password in use";
    webhooks_generation_number(number) "number {number}";
    webhooks_key(id) "Key {id} last seen";
    webhooks_key_hour() "within an hour after";
    webhooks_key_none() "No password has been seen yet.";
    webhooks_rotation_intro() "Passwords are signed by one key for all servers. Moving to a new key takes several steps over at least 12 hours; the old key works until nobody uses it any more.";
    webhooks_rotation_under_way(old, new) "A move from key {old} to key {new} is under way.";
    webhooks_rotation_over(old) "The last move is over: key {old} is retired.";
    webhooks_rotation_began() "Begun";
    webhooks_rotation_moved() "These webhooks moved";
    webhooks_rotation_not_moved() "not yet";
    webhooks_rotation_command() "The ledger’s operator does it by this command:";
    webhooks_rotation_link() "Move these webhooks to a new key…";
    webhooks_rotation_question() "Move these webhooks to a new signing key?";
    webhooks_rotation_first() "If no move is under way, a second key is made for all servers, and from then on signs new passwords.";
    webhooks_rotation_then() "The webhooks of this server get a password of the new key. Those of other servers keep theirs until they are moved too.";
    webhooks_rotation_last() "The old key is retired once every server is moved and it was unused for 12 hours. Until then, do this again now and then.";
    webhooks_rotation_button() "Move them";
    webhooks_rotation_stage_doors() "The new key is made, and is not taken yet. Do this again.";
    webhooks_rotation_stage_moving() "These webhooks are moved as far as they can be. Others are still to be moved.";
    webhooks_rotation_stage_quiet() "All webhooks are moved. The old key is retired once it was unused for 12 hours.";
    webhooks_rotation_stage_retired() "The old key is retired.";
    webhooks_rotation_failed(why) "These webhooks could not be moved: {why}.";
    webhooks_until() "Until";
}
