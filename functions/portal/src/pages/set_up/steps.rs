//! The steps of a set-up, and what proves each.

use super::mail::Mail;
use crate::moment::Moment;
use crate::pages::people;
use crate::pages::shared::number;
use crate::texts::Texts;
use crate::visit::{AtServer, Failed};
use account::watch::code;
use answers::{SmtpResult, SmtpStreams, TriggerState, WebhookWanted, Webhooks, Word};

/// Whether a step is done, and what shows that.
#[derive(Default)]
pub(super) struct Proof {
    pub(super) title: String,
    pub(super) is_done: bool,
    /// Whether many do without it: then it keeps nothing open.
    pub(super) is_optional: bool,
    pub(super) words: String,
    /// What others say of it.
    pub(super) said: Option<String>,
    /// What an instant is of, and it.
    pub(super) at: Option<(String, Moment)>,
    /// Where to look, or to go on.
    pub(super) link: Option<[String; 2]>,
}

/// A step as it is shown.
pub(super) struct Step {
    pub(super) kind: &'static str,
    pub(super) state: String,
    pub(super) proof: Proof,
}

impl Step {
    /// The steps, of which the first that is open is next.
    pub(super) fn all(t: Texts, proofs: impl IntoIterator<Item = Proof>) -> Vec<Step> {
        let mut is_next = true;
        let step = |proof: Proof| {
            let (kind, state) = match (proof.is_done, is_next) {
                (true, _) => ("send", t.set_up_state_done()),
                (false, _) if proof.is_optional => ("", t.set_up_state_optional()),
                (false, true) => ("risky", t.set_up_state_next()),
                (false, false) => ("", t.set_up_state_open()),
            };
            is_next &= proof.is_done || proof.is_optional;
            Step { kind, state, proof }
        };
        proofs.into_iter().map(step).collect()
    }
}

/// All but the people: what is proven by what is told of the webhooks, and of the last test mail where it is looked for.
pub(super) fn of_webhooks(at: &AtServer<'_>, told: &Webhooks, last: Option<&Mail>) -> [Proof; 3] {
    [server(at, told), webhooks(at, told), mail(at, told, last)]
}

/// Whether it is registered, by a token that opens it.
fn server(at: &AtServer<'_>, told: &Webhooks) -> Proof {
    let t = at.visit.t();
    let title = t.set_up_server();
    if !told.registered {
        let link = at.visit.is_operator().then(|| ["/servers/new".to_owned(), t.servers_add()]);
        return Proof { title, words: t.set_up_server_unregistered(), link, ..Proof::default() };
    }
    let has = |code: &str| told.findings.iter().any(|finding| finding.code == code);
    // An answer of before is remembered with what it told.
    let is_answered = !has(code::POSTMARK_UNANSWERED) || !told.webhooks.is_empty() || !told.plan.is_empty();
    match told.findings.iter().find(|finding| code::OF_TOKENS.contains(&finding.code.as_str())) {
        Some(finding) => Proof {
            title,
            words: t.set_up_server_token(),
            said: Some(finding.words.clone()),
            link: Some([at.path("settings/postmark"), t.set_up_server_link()]),
            ..Proof::default()
        },
        None if told.looked_at.is_none() || !is_answered => {
            Proof { title, words: t.set_up_server_unseen(), ..Proof::default() }
        }
        None => Proof { title, is_done: true, words: t.set_up_server_done(), ..Proof::default() },
    }
}

/// Whether Postmark has verified every webhook that there should be.
fn webhooks(at: &AtServer<'_>, told: &Webhooks) -> Proof {
    let t = at.visit.t();
    let all: Vec<bool> = told.wanted.iter().flat_map(|wanted| verified(told, wanted)).collect();
    let good = all.iter().filter(|good| **good).count();
    let is_done = !all.is_empty() && good == all.len();
    let is_none = all.is_empty() || !told.webhooks.iter().any(|webhook| webhook.ours);
    let words = match (is_done, is_none) {
        (true, _) => t.set_up_webhooks_done(number(all.len())),
        (false, true) => t.set_up_webhooks_none(),
        (false, false) => t.set_up_webhooks_some(number(good), number(all.len())),
    };
    let link = if is_done { t.set_up_webhooks_look() } else { t.set_up_webhooks_link() };
    Proof {
        title: t.set_up_webhooks(),
        is_done,
        words,
        at: told.looked_at.map(|looked| (t.set_up_as_of(), at.visit.show(looked))),
        link: Some([at.path("webhooks"), link]),
        ..Proof::default()
    }
}

/// Of each event type of a webhook that there should be, whether Postmark has verified it.
fn verified<'t>(told: &'t Webhooks, wanted: &'t WebhookWanted) -> impl Iterator<Item = bool> + 't {
    wanted.triggers.iter().map(move |trigger| {
        told.webhooks.iter().any(|webhook| {
            webhook.ours
                && webhook.url == wanted.url
                && webhook.stream == wanted.stream
                && webhook.triggers.get(trigger) == Some(&Word::Known(TriggerState::Verified))
        })
    })
}

/// Whether the keys for SMTP that are stored logged in when they were last checked. Most programs need none.
///
/// # Errors
/// The API's own.
pub(super) async fn smtp(at: &AtServer<'_>) -> Result<Proof, Failed> {
    let t = at.visit.t();
    let told: SmtpStreams = at.ask(at.get("smtp")).await?;
    let kept: Vec<_> =
        told.streams.iter().filter_map(|one| Some((&one.stream, one.pair.as_ref()?))).collect();
    let wrong = kept.iter().find(|(_, pair)| pair.checked.result != SmtpResult::Accepted);
    let checked = kept.iter().map(|(_, pair)| pair.checked.at).min();
    let words = match (kept.len(), wrong) {
        (0, _) => t.set_up_smtp_none(),
        (_, Some((stream, _))) => t.set_up_smtp_wrong(stream),
        (_, None) => {
            t.set_up_smtp_done(kept.iter().map(|(stream, _)| stream.as_str()).collect::<Vec<_>>().join(", "))
        }
    };
    let link = if kept.is_empty() { t.set_up_smtp_link() } else { t.set_up_smtp_look() };
    Ok(Proof {
        title: t.set_up_smtp(),
        is_done: !kept.is_empty() && wrong.is_none(),
        is_optional: kept.is_empty(),
        words,
        at: checked.map(|checked| (t.set_up_smtp_checked(), at.visit.show(checked))),
        link: Some([at.path("settings/smtp"), link]),
        ..Proof::default()
    })
}

/// Whether somebody of the client may sign in.
///
/// # Errors
/// The API's own.
pub(super) async fn people(at: &AtServer<'_>) -> Result<Proof, Failed> {
    let t = at.visit.t();
    let users = people::all(at.visit, at.caller.clone()).await?;
    let is_of_client = |user: &&answers::User| {
        !user.operator && user.servers.iter().any(|standing| standing.server == at.server)
    };
    let count = users.iter().filter(is_of_client).count();
    let words = match count {
        0 => t.set_up_people_none(),
        1 => t.set_up_people_one(),
        _ => t.set_up_people_many(number(count)),
    };
    let link = if count == 0 { t.set_up_people_link() } else { t.set_up_people_look() };
    Ok(Proof {
        title: t.set_up_people(),
        is_done: count > 0,
        words,
        link: Some([at.path("people"), link]),
        ..Proof::default()
    })
}

/// Whether what Postmark reports comes in by webhook: of a test mail, or at all.
fn mail(at: &AtServer<'_>, told: &Webhooks, mail: Option<&Mail>) -> Proof {
    let t = at.visit.t();
    // Only what came by webhook shows a key: what the ledger had to ask for proves nothing.
    let heard = told.credential.iter().flat_map(|credential| credential.keys.values()).max();
    let is_proven = mail.is_some_and(|mail| mail.is_proven);
    let words = match (is_proven, heard, mail) {
        (true, _, _) => t.set_up_mail_done(),
        (false, Some(_), _) => t.set_up_mail_heard(),
        (false, None, Some(_)) => t.set_up_mail_waits(),
        (false, None, None) => t.set_up_mail_open(),
    };
    let at = heard.filter(|_| !is_proven).map(|heard| (t.set_up_heard(), at.visit.show(*heard)));
    Proof { title: t.set_up_mail(), is_done: is_proven || heard.is_some(), words, at, ..Proof::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_that_is_open_is_next() {
        let t = Texts::default();
        let proof = |is_done| Proof { is_done, ..Proof::default() };
        let steps = Step::all(t, [true, false, true, false].map(proof));
        let states: Vec<&str> = steps.iter().map(|step| step.state.as_str()).collect();
        assert_eq!(states, ["Done", "Next", "Done", "Open"]);
        let optional = Proof { is_optional: true, ..Proof::default() };
        let steps = Step::all(t, [proof(true), optional, proof(false)]);
        let states: Vec<&str> = steps.iter().map(|step| step.state.as_str()).collect();
        assert_eq!(states, ["Done", "If needed", "Next"]);
    }
}
