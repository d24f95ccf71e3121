//! Texts of what Postmark keeps for a server.

use super::Texts;
use std::fmt::Display;

// What it keeps, and the form.
texts! {
    keeps_title(server) "{server} at Postmark";
    keeps_intro() "What Postmark itself keeps for this server. You can change some of it here; everything else is changed in Postmark.";
    keeps_now_only() "This page always asks Postmark what holds now.";
    keeps_to_token() "Postmark’s server token";
    keeps_no_token() "Postmark cannot be asked, because no token of it is kept for this server. Store one first.";
    keeps_other_server() "The Postmark token that is kept for this server is another server’s. Replace it.";
    keeps_not_accepted() "Postmark does not accept the token that is kept for this server. Replace it.";
    keeps_unavailable() "Postmark did not answer, so nothing was changed. Try again in some minutes.";
    keeps_refused() "Postmark refuses this change, so nothing was changed. If it is about the name, another server may have it already.";
    keeps_confirm() "Switching SMTP takes a fresh code. Confirm that it is you, then plan it again.";
    keeps_warnings() "What works against Postledger";
    keeps_warns_legacy(name) "{name}: Postmark calls this old-style hook beside the webhooks. Where it leads to Postledger, each event comes in twice. It counts once, but empty the hook in Postmark.";
    keeps_warns_first_open() "Postmark tells the old-style hook of a recipient’s first open only, so later opens that would come in by it are missing. Switch that off in Postmark. Webhooks have a switch of their own.";
    keeps_warns_sandbox() "This is a sandbox server: no mail of it reaches anybody, and what is recorded is made up by Postmark. A server keeps its type for good.";
    keeps_warns_other(setting) "{setting}: this works against what is recorded.";
    keeps_all() "All settings";
    keeps_setting() "Setting";
    keeps_postmarks_name() "Postmark’s name";
    keeps_value() "Now";
    keeps_on() "on";
    keeps_off() "off";
    keeps_none() "not set";
    keeps_untold() "Postmark does not say";
    keeps_name() "Name";
    keeps_color() "Colour in Postmark’s own pages";
    keeps_delivery() "Delivery";
    keeps_live() "real";
    keeps_sandbox() "sandbox: no mail is really sent";
    keeps_link() "Postmark’s own pages about it";
    keeps_smtp() "Mail by SMTP";
    keeps_opens() "Tracking of opens";
    keeps_links() "Tracking of links";
    keeps_bounce_hook() "Old-style hook for bounces";
    keeps_open_hook() "Old-style hook for opens";
    keeps_delivery_hook() "Old-style hook for deliveries";
    keeps_click_hook() "Old-style hook for clicks";
    keeps_first_open() "Old-style hook told of first opens only";
    keeps_bounce_content() "Old-style hook told the bounced message";
    keeps_smtp_errors() "What SMTP refuses is reported as a bounce";
    keeps_inbound_hook() "Hook for mail that comes in";
    keeps_inbound_domain() "Own domain for mail that comes in";
    keeps_spam() "Spam score from which mail that comes in is blocked";
    keeps_raw() "Mail that comes in is posted with its source";
    keeps_unreadable() "set, but not a URL that can be read";
    keeps_hosts_only() "Of the addresses of hooks only the host is shown: they may hold passwords.";
    keeps_change() "Change settings";
    keeps_tracking_hint() "A message may say otherwise for itself.";
    keeps_links_none() "in no part of a mail";
    keeps_links_both() "in both parts of a mail";
    keeps_links_html() "in the HTML part only";
    keeps_links_text() "in the text part only";
    keeps_purple() "purple";
    keeps_blue() "blue";
    keeps_turquoise() "turquoise";
    keeps_green() "green";
    keeps_red() "red";
    keeps_yellow() "yellow";
    keeps_grey() "grey";
    keeps_orange() "orange";
    keeps_smtp_hint() "Switching it takes a fresh code.";
    keeps_name_wrong(most) "Give it a name of 1 to {most} characters.";
    keeps_choice_wrong() "Choose one of these.";
    keeps_same() "Nothing here differs from what Postmark keeps.";
    keeps_plan_button() "Show what this would change";
}

// The plan, and what became of it.
texts! {
    keeps_plan_title(server) "Change {server} at Postmark?";
    keeps_then() "Then";
    keeps_means() "What that means";
    keeps_means_name() "Postmark’s pages call the server so. What it is called here stays as it is.";
    keeps_means_color() "Postmark’s own pages show the server in this colour. Nothing else changes.";
    keeps_means_opens_on() "Postmark puts an invisible picture into HTML mail that is sent from now on. Opens are recorded, unless a message says otherwise.";
    keeps_means_opens_off() "No opens are recorded of mail that is sent from now on, unless a message asks for it.";
    keeps_means_links_none() "No clicks are recorded of mail that is sent from now on, unless a message asks for it.";
    keeps_means_links(parts) "Postmark replaces the links in mail that is sent from now on, {parts}, and clicks on them are recorded.";
    keeps_means_smtp_on() "Programs that have a token of the server can send by SMTP as well as by Postmark’s API.";
    keeps_means_smtp_off() "Programs that send by SMTP can send nothing from now on. Those that use Postmark’s API can.";
    keeps_do_button() "Change it at Postmark";
    keeps_done_title(server) "Changed: {server} at Postmark";
    keeps_not_done_title(server) "Not all is changed: {server} at Postmark";
    keeps_not_all() "Postmark does not say that all of it is so now. What is not marked as done is not, or nobody knows.";
    keeps_nothing_left() "All of this is so at Postmark already. Nothing was changed.";
    keeps_wanted() "Wanted";
    keeps_outcome() "Outcome";
    keeps_says_now() "Postmark says now";
    keeps_status_done() "Done";
    keeps_status_not_done() "NOT done";
    keeps_status_unknown() "Not known: Postmark did not say";
    keeps_back() "Back to what Postmark keeps";
}
