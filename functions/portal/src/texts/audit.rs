//! Texts of the list of changes.

use super::Texts;
use std::fmt::Display;

// The page.
texts! {
    audit_title(server) "Changes at {server}";
    audit_intro() "Who changed what here, latest first. Nobody can change or remove an entry.";
    audit_kind() "Kind of change";
    audit_any_kind() "every kind";
    audit_person() "Done by";
    audit_any_person() "everybody";
    audit_person_hint() "You can choose from those who stand on this page.";
    audit_filter_button() "Filter";
    audit_unfilter() "Show all";
    audit_when() "When";
    audit_who() "Who";
    audit_what() "What";
    audit_whom() "To whom or what";
    audit_details() "Details";
    audit_state() "State";
    audit_done() "done";
    audit_failed() "failed";
    audit_begun() "begun";
    audit_begun_long() "It has not ended, or its end could not be noted.";
    audit_none() "Nothing has been changed here yet.";
    audit_none_found(steps) "Nothing that fits is among the {steps} steps that were looked through.";
    audit_further() "Look further back";
    audit_older() "Earlier changes";
    audit_newest() "Latest changes";
    audit_as_of(at) "Changes up to {at} are shown. A change that ended later is shown as begun. People are shown by their addresses of today.";
    audit_csv_cut() "The table ends here: there are more changes than fit into it.";
}

// Who and what.
texts! {
    audit_token(id) "API token {id}";
    audit_user_gone(id) "user {id}";
    audit_aws(name) "{name} (AWS)";
    audit_local(name) "{name} (on the ledger’s machine)";
    audit_stream(stream) "stream {stream}";
    audit_recipients_many(count) "Recipients: {count}";
}

// Kinds of changes.
texts! {
    audit_what_suppress() "Barred addresses";
    audit_what_reactivate() "Reactivated an address";
    audit_what_import() "Imported a list";
    audit_what_erase() "Erased a person’s data";
    audit_what_export() "Exported a person’s data";
    audit_what_message_content() "Looked at the content of a mail";
    audit_what_token_new() "Created an API token";
    audit_what_token_revoke() "Revoked an API token";
    audit_what_user_invite() "Invited somebody";
    audit_what_user_access() "Changed somebody’s access";
    audit_what_user_remove() "Removed somebody";
    audit_what_user_sign_out() "Signed somebody out everywhere";
    audit_what_portal_link() "Made a link to the portal";
    audit_what_server_add() "Registered the server";
    audit_what_server_set() "Changed the server’s settings";
    audit_what_server_remove() "Took the server out of the registry";
    audit_what_server_forget_stream() "Forgot a stream";
    audit_what_server_postmark_token() "Replaced Postmark’s server token";
    audit_what_server_postmark_settings() "Changed the server at Postmark";
    audit_postmark_now(name, value) "{name}: Postmark says now: {value}";
    audit_what_server_policy() "Changed when soft bounces count";
    audit_what_smtp_keep() "Stored keys for SMTP";
    audit_what_smtp_check() "Checked the keys for SMTP";
    audit_what_smtp_test() "Sent a test mail by SMTP";
    audit_what_smtp_remove() "Removed the keys for SMTP";
    audit_what_server_test_mail() "Sent a test mail";
    audit_what_quarantine_replay() "Replayed what was set aside";
    audit_what_connect() "Set up webhooks";
    audit_what_connect_job() "Carried out the set-up of webhooks";
    audit_what_connect_remove() "Removed webhooks";
    audit_what_webhooks_password() "Was shown the password of the webhooks";
    audit_what_rotate() "Moved webhooks to a new signing key";
    audit_what_revoke() "Revoked a webhook password";
    audit_what_revoke_undo() "Took back that a webhook password is revoked";
    audit_what_rebuild_repair() "Repaired what the ledger knows of recipients";
}

// What was and what is.
texts! {
    audit_no_access() "no access";
    audit_operator_access() "operator at every server";
    audit_was_is(before, after) "{before} → {after}";
    audit_was(before) "It was: {before}";
    audit_is(after) "Now: {after}";
    audit_message(id) "message {id}";
    audit_on(stream) "On {stream}";
    audit_reason(why) "Reason: {why}";
    audit_why_request() "the person asked for it";
    audit_why_complaint() "the person complained";
    audit_why_bounce() "mail bounces, or arrives again";
    audit_why_legal() "a law or a contract requires it";
    audit_why_mistake() "an earlier decision was a mistake";
    audit_consent() "With the person’s consent";
    audit_not_at_postmark() "Only here, not at Postmark";
    audit_done_of(done, all) "{done} of {all} done";
    audit_at_postmark(codes) "At Postmark: {codes}";
    audit_code_count(code, count) "{code} {count}";
    audit_held(stream, causes) "{stream} was barred: {causes}";
    audit_result(stream, result) "{stream}: {result}";
    audit_result_refused(code) "refused ({code})";
    audit_import_rows(rows, format) "Rows: {rows} ({format})";
    audit_import_counts(new, already, ignored, invalid) "{new} new, {already} already barred, {ignored} ignored, {invalid} not understood";
    audit_queued(count) "Decisions sent to the ledger: {count}";
    audit_events(count) "Events: {count}";
    audit_expires(at) "Expires {at}";
    audit_never_expires() "Does not expire";
    audit_problem(code) "Why it failed: {code}";
    audit_other(name, value) "{name}: {value}";
}
