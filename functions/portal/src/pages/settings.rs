//! Settings of a server, for its admins: who asks the API about it, by which token Postmark is asked, what Postmark keeps of
//! it, when soft bounces count, with which keys its programs send by SMTP, and what is kept and masked.
//!
//! Invariant: whatever is changed here takes a session that was confirmed just now, but for what Postmark keeps, of which SMTP
//! alone does. No token is shown but the one that was just made, once.

pub(super) mod policy;
pub(super) mod postmark;
pub(super) mod server;
pub(super) mod smtp;
pub(super) mod tokens;

use crate::pages::shared::link;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame, must_confirm};
use crate::{Kept, KeptBy};
use answers::Role;
use askama::Template;
use http::StatusCode;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    t: Texts,
    frame: Frame,
    title: String,
    kept: Vec<Fact>,
    masked: Vec<Fact>,
}

/// Something that holds here, and where that is set.
struct Fact {
    what: String,
    how: String,
    set: String,
}

/// What holds here, and the way to what can be changed.
///
/// # Errors
/// A fault of ours.
pub(super) fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let page = SettingsPage {
        t,
        frame: at.frame(),
        title: t.settings_title(at.label()),
        kept: kept(t, at.visit.portal.settings.kept),
        masked: masked(t, at),
    };
    respond::page(StatusCode::OK, &page)
}

fn kept(t: Texts, kept: Kept) -> Vec<Fact> {
    let by = |parameter: &str| match kept.by {
        KeptBy::Template => t.settings_by_template(parameter),
        KeptBy::Program => t.settings_by_program(),
    };
    let fact = |what, how, set| Fact { what, how, set };
    let detail = if kept.engagement_detail { t.settings_detail_kept() } else { t.settings_detail_dropped() };
    vec![
        fact(t.settings_bulk(), t.settings_days(kept.days), by("RetentionDays")),
        fact(t.settings_detail(), detail, by("EngagementDetail")),
        fact(t.settings_state(), t.settings_state_how(), t.settings_fixed()),
        fact(t.settings_bodies(), t.settings_bodies_how(), t.settings_fixed()),
        fact(t.settings_aside(), t.settings_aside_how(), t.settings_fixed()),
        fact(t.settings_counts(), t.settings_for_good(), t.settings_fixed()),
        fact(t.settings_people(), t.settings_people_how(), t.settings_erase()),
    ]
}

fn masked(t: Texts, at: &AtServer<'_>) -> Vec<Fact> {
    let own = if at.caller.reveals() { t.settings_you_whole() } else { t.settings_you_masked() };
    vec![
        Fact { what: t.settings_users(), how: t.settings_users_how(), set: t.settings_on_people() },
        Fact { what: t.settings_bearers(), how: t.settings_bearers_how(), set: t.settings_on_tokens() },
        Fact { what: t.settings_you(), how: own, set: t.settings_on_people() },
    ]
}

/// The way to confirm that it is oneself, where that has to be done before a form is sent.
fn confirm(at: &AtServer<'_>, tail: &str) -> Option<String> {
    confirm_for(at, &at.path(tail))
}

/// The same for a path with its query.
fn confirm_for(at: &AtServer<'_>, path: &str) -> Option<String> {
    let visit = at.visit;
    let back = link(path, &[("done", Some("again".to_owned()))]);
    must_confirm(&visit.who, visit.now, &back)?;
    Some(link("/confirm", &[("back", Some(back))]))
}

/// Whether whoever looks is an operator, who may make tokens of admins.
fn is_operator(at: &AtServer<'_>) -> bool {
    at.caller.role() == Role::Operator
}
