//! Texts of the people of a server, and of everybody who may sign in.

use super::Texts;
use std::fmt::Display;

// Both lists, and the page of a person.
texts! {
    people_viewer() "viewer";
    people_admin() "admin";
    people_operator() "operator";
    people_agency() "the agency";
    people_pending() "pending";
    people_pending_long() "Invited, but has never signed in.";
    people_yourself() "This is you.";
    people_address() "Address";
    people_role() "Role";
    people_whole() "Sees whole addresses";
    people_content() "Sees the content of mails";
    people_whole_yes() "sees whole addresses";
    people_whole_and_content() "sees whole addresses and the content of mails";
    people_whole_no() "sees masked addresses";
    people_role_and(role, addresses) "{role}, {addresses}";
    people_invited() "Invited";
    people_by(by) "by {by}";
    people_joined() "First signed in";
    people_seen() "Last seen";
    people_never() "never";
    people_back() "Back to the list";
    people_page_of(from, to, total) "{from} to {to} of {total}";
    people_earlier() "Previous page";
    people_save() "Save";
    people_reveal_label() "May see whole addresses";
    people_reveal_hint() "Without this, addresses in lists are masked, such as i***@customer.example.";
    people_content_label() "May see the content of mails, and whole addresses with it";
    people_content_hint() "What was written in a mail, as far as Postmark still has it. Each look is listed under “Changes”.";
    people_role_label() "What they may do";
    people_role_viewer() "Viewer: sees the mail, and changes nothing";
    people_role_admin() "Admin: also lists and reactivates addresses, imports, erases, and invites viewers";
    people_sign_out_title() "Sign out everywhere";
    people_sign_out_what() "Ends all of their sessions now, in every browser and for every server that they see. They can sign in again with a new code.";
    people_sign_out_button() "Sign out everywhere";
    people_remove_title() "Remove";
    people_remove_link() "Remove…";
    people_remove_button() "Remove";
    people_cancel() "Cancel";
    people_again() "They can be invited again at any time.";
    people_history() "What they did stays in the list of changes, under an id instead of the address.";
    people_removes_you() "This is you: you lose access at once, and somebody else has to let you in again.";
}

// Inviting.
texts! {
    invite_title() "Invite people";
    invite_addresses() "Addresses";
    invite_addresses_hint() "One address a line, at most 100.";
    invite_button() "Invite";
    invite_none() "Type at least one address.";
    invite_too_many(count) "These are {count} addresses. Invite at most 100 at once.";
    invite_wrong(lines) "Nobody is invited yet. These are not addresses: {lines}.";
    invite_wrong_more(lines, more) "Nobody is invited yet. These are not addresses: {lines}, and {more} more.";
    invite_mails() "Whoever could not sign in before gets a mail that says where to. Whoever could is not told by mail.";
    invite_no_mail() "This portal sends no mail. Tell them yourself where it is.";
}

// What became of it.
texts! {
    people_done_invited_one() "One person is invited.";
    people_done_invited(count) "{count} people are invited.";
    people_done_unmailed(url) "They get no mail, because this portal has no mail server. Tell them to sign in at {url}.";
    people_done_changed() "What they may do and see is changed, from their next click on.";
    people_done_signed_out() "Their sessions are ended.";
    people_done_removed() "They are removed.";
    people_done_confirmed() "You have confirmed that it is you. If you came from another tab, go back to it and send the form again within five minutes.";
    people_done_again() "You have confirmed that it is you. Nothing is changed yet: send the form within five minutes.";
    people_confirm_first() "Nothing is changed yet: this needs a fresh code. What you typed is kept below. Confirm in a new tab that it is you, then come back and send the form again.";
    people_confirm_link() "Confirm that it is you (opens a new tab)";
    people_refused_role() "You may not do this: only the agency invites, changes and removes admins and operators.";
    people_refused_reveal() "You cannot let others see what you do not see yourself: whole addresses, or the content of mails.";
    people_refused_busy() "The ledger did not answer, or somebody else changed this at the same moment. Look at the list to see what was done, then try again.";
}

// The people of a server.
texts! {
    people_title(server) "People of {server}";
    people_intro() "Everybody who was given access to this server. Operators of the agency see every server, and are not listed here.";
    people_none() "Nobody has been given access to this server yet.";
    people_as_now() "This page always shows who has access now. Who had it at another time stands in the list of changes.";
    people_changes() "Changes at this server";
    people_only_agency() "Only the agency can change or remove an admin.";
    people_change_title() "Change";
    people_remove_question(who, server) "Remove {who} from {server}?";
    people_remove_what(server) "They no longer see {server}, from their next click on.";
    people_remove_last() "If it is the only server that they see, they can no longer sign in at all.";
    people_may_see_elsewhere() "If they see other servers too, they keep those.";
}

// Everybody.
texts! {
    everybody_title() "People";
    everybody_intro() "Everybody who may sign in, and what they may see.";
    everybody_find() "Find by address or server number";
    everybody_find_button() "Find";
    everybody_all() "Show all";
    everybody_none_found() "Nobody fits that.";
    everybody_show() "Show";
    everybody_show_all() "everybody";
    everybody_show_operators() "operators";
    everybody_show_pending() "pending invitations";
    everybody_access() "May see";
    everybody_every_server() "every server";
    everybody_no_server() "no server";
    everybody_at(server, role) "{server} ({role})";
    everybody_more(count) "and {count} more";
    everybody_as_operator() "Operators: may do everything, at every server";
    everybody_as_clients() "For chosen servers";
    everybody_kind() "What they are invited to";
    everybody_servers() "Servers";
    everybody_servers_hint() "Postmark’s server numbers, one a line. They are not needed for operators.";
    everybody_servers_needed() "Name at least one server, or choose operators.";
    everybody_servers_unneeded() "Operators see every server: leave the list of servers empty.";
    everybody_servers_wrong(what) "These are not numbers of servers: {what}.";
    everybody_servers_unknown(what) "These servers are not known here: {what}. A server becomes known by “postledger server add” or by its first event.";
    everybody_server() "Server";
    everybody_server_hint() "Postmark’s number of the server.";
    everybody_is_operator() "An operator of the agency: may do everything, at every server.";
    everybody_operator_title() "Operator";
    everybody_make_operator() "Make an operator";
    everybody_make_operator_what() "They may then do everything at every server, and invite and remove anybody, you too.";
    everybody_demote_title() "Let them see one server only";
    everybody_demote_what() "They are no longer an operator, from their next click on. You can add more servers afterwards.";
    everybody_demote_button() "Make them no operator";
    everybody_add_title() "Add a server";
    everybody_add_button() "Add";
    everybody_role_at(server) "Role at {server}";
    everybody_whole_at(server) "Sees whole addresses at {server}";
    everybody_content_at(server) "Sees the content of mails, and whole addresses, at {server}";
    everybody_save_at(server) "Save for {server}";
    everybody_remove_at(server) "Remove from {server}";
    everybody_remove_question(who) "Remove {who}?";
    everybody_remove_what() "They can no longer sign in, and their sessions end at once.";
    everybody_remove_last() "It is the only server that they see: they can no longer sign in at all.";
}
