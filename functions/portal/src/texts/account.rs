//! Texts of one's own account.

use super::Texts;
use std::fmt::Display;

texts! {
    account_title() "Your account";
    account_address() "Your address";
    account_since() "This session began";
    account_until() "It ends at the latest";
    account_idle(hours) "It also ends after {hours} hours in which you open no page.";
    account_access() "What you may see";
    account_operator() "You are an operator: you may do everything, at every server.";
    account_operator_whole() "You see whole addresses.";
    account_operator_content() "You see the content of mails.";
    account_operator_masked() "Addresses in lists are masked for you.";
    account_no_servers() "You may see no server at the moment. Ask the person who invited you.";
    account_zone_title() "Time zone";
    account_zone() "Show times in";
    account_zone_button() "Save";
    account_zone_utc() "UTC";
    account_zone_done(zone) "Times are shown in {zone} now.";
    account_zone_wrong() "There is no such time zone. Choose one from the list.";
    account_sign_out_title() "Sign out everywhere";
    account_sign_out_what() "Ends all of your sessions at once, in this browser and in every other one. Do this if you lost a device, or if a code came that you did not ask for.";
    account_sign_out_button() "Sign out everywhere";
    account_link_title() "Signed in by a link";
    account_link_what() "Another system signed you in by a link, without an address and a code. You have no account here, so that no time zone can be kept for you.";
    account_link_until() "The link’s session ends";
    account_link_sooner() "It ends sooner if whoever runs that system takes its access back. To go on after that, open the portal from there again.";
}
