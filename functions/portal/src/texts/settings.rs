//! Texts of a server's settings.

use super::Texts;
use std::fmt::Display;

// The first page.
texts! {
    settings_title(server) "Settings of {server}";
    settings_back() "Back to the settings";
    settings_as_now() "This page always shows what holds now.";
    settings_change() "What you can change";
    settings_tokens() "API tokens";
    settings_tokens_what() "By which your own programs ask Postledger about this server.";
    settings_postmark() "Postmark’s server token";
    settings_postmark_what() "By which Postledger asks Postmark about this server. You can replace it; nobody can see it.";
    settings_server() "The server at Postmark";
    settings_server_what() "What Postmark itself keeps for it: tracking, SMTP, old-style hooks. Some of it can be changed here.";
    settings_policy() "Soft bounces";
    settings_policy_what() "How many of them speak against an address, and for how long.";
    settings_smtp() "SMTP";
    settings_smtp_what() "How your own programs send mail on each stream, and with which keys.";
    settings_kept() "What is kept, and for how long";
    settings_what() "What";
    settings_how_long() "How long";
    settings_where() "Where it is set";
    settings_bulk() "Deliveries, opens and clicks";
    settings_days(days) "{days} days";
    settings_detail() "Where an open or click came from: IP, coordinates, city and postal code";
    settings_detail_kept() "as long as the open or click";
    settings_detail_dropped() "not kept";
    settings_state() "Bounces, complaints, changes of suppression lists, and decisions";
    settings_state_how() "without end: they say whether an address may be mailed";
    settings_bodies() "The body of an event, as Postmark sent it";
    settings_bodies_how() "as long as its event";
    settings_aside() "What was set aside because it was not understood";
    settings_aside_how() "a delivery, an open or a click as long as any other; what came with a revoked password some weeks; everything else without end. What is taken in again stays here, marked.";
    settings_counts() "Counts by hour";
    settings_for_good() "without end";
    settings_people() "Address, tag, subject and other words about a person";
    settings_people_how() "until the person is erased, or the event is no longer kept";
    settings_by_template(parameter) "by the operator: the parameter {parameter} of the stack’s template";
    settings_by_program() "it is built in; a stack on AWS can be given another value";
    settings_fixed() "it is always so";
    settings_erase() "an admin erases a person on the recipient’s page, by the command “postledger erase” or by the API";
    settings_masked() "Who sees whole addresses";
    settings_masked_what() "Whoever sees masked addresses sees “i***@customer.example”, and no subjects, diagnostic texts, links and notes. Whoever types an address sees it as they typed it.";
    settings_whom() "Who";
    settings_sees() "What they see";
    settings_users() "People who sign in here";
    settings_users_how() "masked addresses, unless they were given the right to whole ones";
    settings_bearers() "Programs with an API token";
    settings_bearers_how() "masked addresses, unless the token was made with the right to whole ones";
    settings_you() "You";
    settings_you_whole() "whole addresses";
    settings_you_masked() "masked addresses";
    settings_on_people() "on the page People, for each person and server";
    settings_on_tokens() "on the page API tokens, when a token is made";
}

// API tokens.
texts! {
    tokens_title(server) "API tokens of {server}";
    tokens_intro() "A token lets a program ask Postledger’s API about this server. Tokens that the agency has for several servers are not listed here.";
    tokens_none() "There is no token for this server alone.";
    tokens_name() "Name";
    tokens_name_hint() "Which program it is for, so that you know later what stops working without it.";
    tokens_name_wrong(most) "Give it a name of 1 to {most} characters.";
    tokens_may() "Role";
    tokens_made() "Made";
    tokens_used() "Last used";
    tokens_unused() "never";
    tokens_state() "Valid";
    tokens_ends() "until";
    tokens_endless() "until it is revoked";
    tokens_ended() "it ended";
    tokens_revoked() "it was revoked";
    tokens_revoke() "Revoke";
    tokens_revoke_one(name) "Revoke the token {name}";
    tokens_make_title() "Make a token";
    tokens_role_viewer() "viewer: reads everything about the mail of this server";
    tokens_role_admin() "admin: also bars and reactivates addresses, erases people, changes these settings";
    tokens_role_only_viewer() "It will be a viewer’s: it reads everything about the mail of this server, and changes nothing. Only the agency makes tokens of admins.";
    tokens_days() "Valid for";
    tokens_for_days(days) "{days} days";
    tokens_until_revoked() "until it is revoked";
    tokens_reveal() "It sees whole addresses";
    tokens_reveal_hint() "Without this it sees masked addresses.";
    tokens_content() "It sees the content of mails, and whole addresses with it";
    tokens_make_button() "Make it";
    tokens_made_title(name) "The token {name} is made";
    tokens_made_once() "Copy it now: it is shown this once, and nobody can find it out later.";
    tokens_secret() "Token";
    tokens_secret_hint() "Keep it as you keep a password. A program sends it in the header “Authorization: Bearer”.";
    tokens_copy() "Copy";
    tokens_copied() "Copied";
    tokens_back() "Back to the tokens";
    tokens_full() "There are as many valid tokens as a server may have. Revoke one that is no longer used.";
    tokens_revoke_question(name) "Revoke the token {name}?";
    tokens_revoke_what() "The program that uses it can ask nothing from now on.";
    tokens_revoke_children() "Tokens that were made with it are revoked too.";
    tokens_revoke_for_good() "This cannot be undone. You can make a new token at any time.";
    tokens_revoke_button() "Revoke it";
    tokens_done_revoked() "The token is revoked.";
    tokens_done_revoked_with(count) "The token is revoked, and with it {count} that were made with it.";
}

// Postmark's server token.
texts! {
    postmark_title(server) "Postmark’s token of {server}";
    postmark_intro() "Postledger asks Postmark with this token what it has missed, and tells it whom not to mail. Replace it when you make another one at Postmark. The token that is kept is never shown.";
    postmark_step_find(server) "At Postmark, open server {server}, and there “API Tokens”.";
    postmark_step_paste() "Copy the token, and paste it here.";
    postmark_step_old() "Delete the old token at Postmark only after that, and after your own programs have the new one.";
    postmark_checked() "Before it is kept, Postmark is asked whether it is this server’s.";
    postmark_confirm_first() "This needs a fresh code, and a token that is pasted before that is lost.";
    postmark_confirm_link() "Confirm first that it is you";
    postmark_label() "New token";
    postmark_button() "Check and keep it";
    postmark_done(server) "Postmark says that the token is server {server}’s. It is kept in place of the one before.";
    postmark_no_token() "This is not a token: paste the one word of letters, digits and hyphens that Postmark shows. The old token is still kept.";
    postmark_other_server() "This token is another server’s. The old token is still kept.";
    postmark_not_accepted() "Postmark does not accept this token: it may be cut off, or deleted already. The old token is still kept.";
    postmark_unavailable() "Postmark did not answer, so nobody knows whose token it is. The old token is still kept. Try again in some minutes.";
}

// Soft bounces.
texts! {
    policy_title(server) "Soft bounces at {server}";
    policy_intro() "A soft bounce is one for a reason that may pass, such as a full mailbox. One says little about an address; many do.";
    policy_result() "As long as too many of them count, an address must not be mailed on broadcast streams, and only with care on transactional ones. A delivery makes the earlier ones not count.";
    policy_stack(policy) "Without a policy of its own, a server has the stack’s, which the operator sets by the parameter SoftBouncePolicy: {policy}.";
    policy_transactional() "On transactional streams";
    policy_broadcast() "On broadcast streams";
    policy_words(count, messages, span, window, pause) "at least {count} soft bounces on {messages} messages, the first and the last at least {span} days apart, all within {window} days, count until {pause} days after the last";
    policy_now(policy) "Now: {policy}.";
    policy_history() "All policies of this server, past and future";
    policy_from() "From";
    policy_another() "Another policy";
    policy_count() "Soft bounces, at least";
    policy_messages() "On how many messages, at least";
    policy_span() "Days between the first and the last, at least";
    policy_window() "Within how many days";
    policy_pause() "For how many days after the last they count";
    policy_from_label() "From when it applies";
    policy_from_hint(zone) "In {zone}. Leave it empty for now. It never applies to the past.";
    policy_number(least, most) "Give a whole number from {least} to {most}.";
    policy_messages_wrong() "There cannot be more messages than bounces.";
    policy_span_wrong() "This cannot be longer than the days within which all of them are.";
    policy_pause_wrong(most) "With the days within which all of them are, this may be {most} at most.";
    policy_from_unread() "Give a day and a time, or leave it empty.";
    policy_from_past() "This has passed: give a later time, or leave it empty for now.";
    policy_plan_button() "Show what this would change";
    policy_plan_title(server) "Change soft bounces at {server}?";
    policy_plan_from(at) "From {at} on";
    policy_plan_now() "From now on";
    policy_plan_before(policy) "Before: {policy}.";
    policy_plan_after(policy) "Then: {policy}.";
    policy_plan_until(at) "At {at} another policy takes its place, which was set before.";
    policy_counted(count) "If it applied now: counted over all {count} recipients with soft bounces in the last 90 days.";
    policy_counted_since(count, since) "If it applied now: counted over the {count} recipients with soft bounces since {since}. Earlier ones are left out: there are too many events to read, or they are older than the index.";
    policy_uncounted() "How many recipients it would concern cannot be counted: this stack keeps no index of events by time.";
    policy_effect() "What it would change now";
    policy_stream() "Stream";
    policy_recipients() "Recipients with soft bounces";
    policy_stricter() "Of them, mailed less freely";
    policy_more_lenient() "Of them, mailed more freely";
    policy_never_backwards() "Answers about the past stay as they were.";
    policy_change_button() "Change it";
    policy_done() "The policy is set.";
    policy_too_many() "There are as many policies as a server may have, past ones included.";
}
