//! The people of a server, and everybody who may sign in: listed, invited, changed, signed out, removed.
//!
//! Invariants:
//! - No address stands in a URL: people are named by their ids there, and looked for by POST.
//! - What somebody may do at one server is changed by asking as somebody at that server alone, so that what others change
//!   meanwhile elsewhere is not written over.
//! - Whatever gives a role, whole addresses or the content of mails, or takes anything away, takes a session that was confirmed just now.

mod anywhere;
mod at_server;
mod typed;
mod users;

pub(super) use typed::sees;
pub(super) use users::{Names, all, labels};

use crate::pages::shared;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::must_confirm;
use crate::visit::{AtServer, Failed, Frame, Visit, Why};
use ::people::User as Kept;
use answers::{Role, User, Word};
use askama::Template;
use http::StatusCode;

use crate::moment::Moment;

/// How many people a page has.
const A_PAGE: usize = 50;

/// The people of a server.
///
/// # Errors
/// The API's own.
pub(super) async fn of_server(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    if posts { at_server::posted(at).await } else { at_server::shown(at).await }
}

/// Everybody.
///
/// # Errors
/// The API's own.
pub(super) async fn everybody(visit: &Visit<'_>, posts: bool) -> Result<Answer, Failed> {
    if posts { anywhere::posted(visit).await } else { anywhere::shown(visit).await }
}

/// What is told of a person, wherever one is listed.
struct Person {
    id: String,
    address: String,
    is_self: bool,
    invited: Moment,
    by: String,
    joined: Option<Moment>,
    seen: Option<Moment>,
}

impl Person {
    fn of(visit: &Visit<'_>, user: &User, names: &Names) -> Person {
        Person {
            id: user.id.clone(),
            address: user.address.clone(),
            is_self: is_self(visit, &user.id),
            invited: visit.show(user.invited_at),
            by: names.by(visit.t(), &user.invited_by),
            joined: user.joined_at.map(|at| visit.show(at)),
            seen: user.last_seen_at.map(|at| visit.show(at)),
        }
    }
}

/// Why a form is shown again, with what was typed.
pub(super) struct Trouble {
    pub(super) words: String,
    /// Where to confirm in another tab, where that is what is missing.
    pub(super) confirm: Option<String>,
    pub(super) status: StatusCode,
}

impl Trouble {
    pub(super) fn typed(words: String) -> Trouble {
        Trouble { words, confirm: None, status: StatusCode::BAD_REQUEST }
    }

    /// A refusal of the API in words of the page's own. That Postmark is silent is no fault of the page's.
    pub(super) fn from_postmark(status: StatusCode, words: String) -> Trouble {
        let status = if status.is_server_error() { StatusCode::CONFLICT } else { status };
        Trouble { status, ..Trouble::typed(words) }
    }

    /// The status of a page that tells of it, or of none.
    pub(super) fn status_of(trouble: Option<&Trouble>) -> StatusCode {
        trouble.map_or(StatusCode::OK, |trouble| trouble.status)
    }

    /// That the session has to be confirmed, where a redirect would lose what was typed; `back` is told where the other
    /// tab goes.
    pub(super) fn unconfirmed(visit: &Visit<'_>, back: &str) -> Option<Trouble> {
        must_confirm(&visit.who, visit.now, back)?;
        let back = shared::link(back, &[("done", Some("confirmed".to_owned()))]);
        Some(Trouble {
            words: visit.t().people_confirm_first(),
            confirm: Some(shared::link("/confirm", &[("back", Some(back))])),
            status: StatusCode::FORBIDDEN,
        })
    }

    /// A refusal of the API, in words for whoever sits before a page.
    ///
    /// # Errors
    /// What no form can mend: that there is nothing of that name, above all.
    pub(super) fn of(t: Texts, failed: Failed) -> Result<Trouble, Failed> {
        let status = failed.status;
        let Why::Problem(problem) = &failed.why else { return Err(failed) };
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED) {
            return Err(failed);
        }
        let words = match problem.kind.strip_prefix(answers::URN).unwrap_or(&problem.kind) {
            "role" => t.people_refused_role(),
            "beyond-own" => t.people_refused_reveal(),
            _ if status.is_server_error() => t.people_refused_busy(),
            _ => problem.detail.clone(),
        };
        Ok(Trouble { words, confirm: None, status })
    }
}

/// The question whether to do what cannot be undone.
#[derive(Template)]
#[template(path = "question.html")]
pub(super) struct Question {
    pub(super) t: Texts,
    pub(super) frame: Frame,
    pub(super) title: String,
    pub(super) done: Option<String>,
    /// What is known of what it is about: what, and how it is.
    pub(super) facts: Vec<[String; 2]>,
    /// What would happen.
    pub(super) what: Vec<String>,
    pub(super) trouble: Option<Trouble>,
    pub(super) to: String,
    /// What is sent with the answer.
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) action: &'static str,
    pub(super) button: String,
    pub(super) back: String,
}

impl Question {
    /// The page that asks it.
    ///
    /// # Errors
    /// A fault of ours.
    pub(super) fn page(&self) -> Result<Answer, Failed> {
        respond::page(Trouble::status_of(self.trouble.as_ref()), self)
    }
}

fn is_self(visit: &Visit<'_>, id: &str) -> bool {
    visit.who.user.as_ref().is_some_and(|own: &Kept| own.id == id)
}

/// A role in words.
pub(super) fn role_words(t: Texts, role: &Word<Role>) -> String {
    match role {
        Word::Known(Role::Viewer) => t.people_viewer(),
        Word::Known(Role::Admin) => t.people_admin(),
        Word::Known(Role::Operator) => t.people_operator(),
        Word::Other(other) => other.clone(),
    }
}

/// Whether somebody sees whole addresses, and the content of mails, in words.
pub(super) fn sight_words(t: Texts, whole: bool, content: bool) -> String {
    match (whole, content) {
        (true, true) => t.people_whole_and_content(),
        (true, false) => t.people_whole_yes(),
        (false, _) => t.people_whole_no(),
    }
}

/// What became of a form, as the page that it leads to says it.
fn done(visit: &Visit<'_>) -> Option<String> {
    let (t, asked) = (visit.t(), visit.request.asked());
    let count: usize = asked.text("n").and_then(|n| n.parse().ok()).unwrap_or_default();
    let invited = || if count == 1 { t.people_done_invited_one() } else { t.people_done_invited(count) };
    match asked.text("done")? {
        "invited" => Some(invited()),
        "unmailed" => {
            let url = &visit.portal.settings.known.url;
            Some(format!("{} {}", invited(), t.people_done_unmailed(url)))
        }
        "changed" => Some(t.people_done_changed()),
        "signed-out" => Some(t.people_done_signed_out()),
        "removed" => Some(t.people_done_removed()),
        "confirmed" => Some(t.people_done_confirmed()),
        "again" => Some(t.people_done_again()),
        _ => None,
    }
}

/// The stretch of a list that a page shows: where it begins and ends, and how long the list is.
pub(super) struct Stretch {
    pub(super) from: usize,
    pub(super) to: usize,
    total: usize,
}

impl Stretch {
    pub(super) fn of(asked: Option<&str>, total: usize) -> Stretch {
        let from = asked.and_then(|from| from.parse().ok()).unwrap_or_default();
        // Whoever is asked for behind the end, as after somebody is removed, sees the last page.
        let from = if from >= total { total.saturating_sub(1) / A_PAGE * A_PAGE } else { from };
        Stretch { from, to: total.min(from + A_PAGE), total }
    }

    /// Where the page before it begins.
    pub(super) fn before(&self) -> Option<usize> {
        (self.from > 0).then(|| self.from.saturating_sub(A_PAGE))
    }

    /// Where the page after it begins.
    pub(super) fn after(&self) -> Option<usize> {
        (self.to < self.total).then_some(self.to)
    }

    /// Which part of the list it is, where it is not all of it.
    pub(super) fn words(&self, t: Texts) -> Option<String> {
        let shown = |n: usize| shared::number(n);
        let is_all = self.from == 0 && self.to == self.total;
        (!is_all).then(|| t.people_page_of(shown(self.from + 1), shown(self.to), shown(self.total)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_shown_in_stretches_and_never_behind_its_end() {
        let of = |asked, total| {
            let stretch = Stretch::of(asked, total);
            (stretch.from, stretch.to, stretch.before(), stretch.after())
        };
        assert_eq!(of(None, 0), (0, 0, None, None));
        assert_eq!(of(Some("x"), 50), (0, 50, None, None));
        assert_eq!(of(None, 51), (0, 50, None, Some(50)));
        assert_eq!(of(Some("50"), 51), (50, 51, Some(0), None));
        assert_eq!(of(Some("20"), 100), (20, 70, Some(0), Some(70)));
        assert_eq!(of(Some("100"), 100), (50, 100, Some(0), None));
        assert_eq!(of(Some("99999999999999999999"), 3), (0, 3, None, None));
        assert_eq!(Stretch::of(None, 50).words(Texts::default()), None);
        let words = Stretch::of(Some("1000"), 1_200).words(Texts::default());
        assert_eq!(words.as_deref(), Some("1,001 to 1,050 of 1,200"));
    }
}
