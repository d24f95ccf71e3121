//! What was set aside, by its cause, with what can be done about it. Nothing of a body is shown: it may hold anything.

use super::super::shared::{link, number};
use crate::moment::Moment;
use crate::texts::Texts;
use crate::visit::{AtServer, Failed};
use answers::{Quarantine, SetAside, Word};
use api::kept::is_held_back;
use ledger::{Kind, Source, Time};

/// How many bodies a page has.
const A_PAGE: usize = 50;
/// How many days back they are listed: at first, and where somebody asks for more.
const DAYS: [i64; 2] = [30, 365];
/// How often is asked for a page: many days without anything make an empty one.
const ASKED_MAX: usize = 5;

/// What was set aside.
pub(super) struct Aside {
    /// How many days back it is listed, in words.
    pub days: String,
    /// By cause.
    pub causes: Vec<ByCause>,
    /// What is said where there is nothing.
    pub nothing: Option<String>,
    /// Where there is more.
    pub next: Option<String>,
    /// Where a longer time is listed.
    pub longer: Option<String>,
}

/// What was set aside for one cause.
pub(super) struct ByCause {
    /// The cause, as a code.
    pub code: String,
    /// The cause, in words.
    pub words: String,
    /// What to do about it.
    pub todo: String,
    /// The bodies.
    pub rows: Vec<Row>,
}

/// A body.
pub(super) struct Row {
    /// When it came in.
    pub received: Moment,
    /// What kind of event it is.
    pub kind: String,
    /// Who reported it.
    pub source: String,
    /// Why it was set aside, as exactly as that is known.
    pub detail: String,
    /// When it was replayed.
    pub replayed: Option<Moment>,
    /// Whether taking it in again may be of use.
    pub may_replay: bool,
    /// When it will be deleted.
    pub deleted: Option<Moment>,
    /// What commands know it by.
    pub key: String,
}

/// What was set aside by the time that is looked at.
///
/// # Errors
/// The API's own.
pub(super) async fn aside(at: &AtServer<'_>) -> Result<Aside, Failed> {
    let (t, asked) = (at.visit.t(), at.visit.request.asked());
    let is_longer = asked.text("aside") == Some("year");
    let days = DAYS[usize::from(is_longer)];
    let until = [at.as_of.at, at.as_of.known_at].into_iter().flatten().min().unwrap_or(at.visit.now);
    let found = found(at, until, days, asked.text("cursor")).await?;
    let page = |pairs: &[(&str, Option<String>)]| format!("{}#aside", link(&at.path("truth"), pairs));
    let year = || Some("year".to_owned());
    let nothing = found.items.is_empty().then(|| match found.next {
        Some(_) => t.aside_none_yet(),
        None => t.aside_none(number(days)),
    });
    let next =
        found.next.map(|next| page(&[("aside", year().filter(|_| is_longer)), ("cursor", Some(next))]));
    Ok(Aside {
        days: t.aside_days(number(days)),
        causes: by_cause(at, found.items),
        nothing,
        next,
        longer: (!is_longer).then(|| page(&[("aside", year())])),
    })
}

async fn found(
    at: &AtServer<'_>,
    until: Time,
    days: i64,
    cursor: Option<&str>,
) -> Result<Quarantine, Failed> {
    let mut cursor = cursor.map(str::to_owned);
    let mut found = Quarantine { items: Vec::new(), next: None };
    for _ in 0..ASKED_MAX {
        let ask = at.get("quarantine").with("from", Some(until.plus_days(-days))).with("to", Some(until));
        found = at.ask(ask.with("cursor", cursor).with("limit", Some(A_PAGE))).await?;
        if !found.items.is_empty() || found.next.is_none() {
            break;
        }
        cursor = found.next.clone();
    }
    Ok(found)
}

/// Each cause once, in the order of its latest body.
fn by_cause(at: &AtServer<'_>, items: Vec<SetAside>) -> Vec<ByCause> {
    let t = at.visit.t();
    let mut causes: Vec<ByCause> = Vec::new();
    for item in items {
        let code = item.reason.clone();
        let row = row(at, item);
        match causes.iter_mut().find(|cause| cause.code == code) {
            Some(cause) => cause.rows.push(row),
            None => {
                let [words, todo] = cause(t, &code);
                causes.push(ByCause { code, words, todo, rows: vec![row] });
            }
        }
    }
    causes
}

/// A body, as pages show it.
pub(super) fn row(at: &AtServer<'_>, item: SetAside) -> Row {
    let t = at.visit.t();
    Row {
        received: at.visit.show(item.received_at),
        kind: item.record_type.as_ref().map_or_else(|| t.aside_no_type(), |kind| kind_words(t, kind)),
        source: source_words(t, &item.source),
        detail: item.detail,
        may_replay: !is_held_back(&item.reason),
        replayed: item.replayed_at.map(|at_that| at.visit.show(at_that)),
        deleted: item.expires_at.map(|at_that| at.visit.show(at_that)),
        key: item.key,
    }
}

/// A cause in words, and what to do about it; one that a later release adds by its code.
pub(super) fn cause(t: Texts, code: &str) -> [String; 2] {
    match code {
        "too_large" => [t.aside_too_large(), t.aside_too_large_todo()],
        "not_json" | "not_an_object" => [t.aside_not_json(), t.aside_not_json_todo()],
        "probe" => [t.aside_probe(), t.aside_probe_todo()],
        "unknown_record_type" => [t.aside_unknown_type(), t.aside_unknown_type_todo()],
        "server_mismatch" => [t.aside_server_mismatch(), t.aside_server_mismatch_todo()],
        "missing_field" | "bad_field" => [t.aside_field(), t.aside_field_todo()],
        "time_out_of_range" => [t.aside_time(), t.aside_time_todo()],
        "too_old" => [t.aside_too_old(), t.aside_too_old_todo()],
        "revoked" => [t.aside_revoked(), t.aside_revoked_todo()],
        "sender" => [t.aside_sender(), t.aside_sender_todo()],
        "not_committable" => [t.aside_not_committable(), t.aside_not_committable_todo()],
        "too_many_streams" => [t.aside_too_many_streams(), t.aside_too_many_streams_todo()],
        code => [t.aside_other(code), t.aside_other_todo()],
    }
}

fn kind_words(t: Texts, kind: &Word<Kind>) -> String {
    match kind {
        Word::Known(Kind::Delivery) => t.aside_type_delivery(),
        Word::Known(Kind::Bounce) => t.aside_type_bounce(),
        Word::Known(Kind::SpamComplaint) => t.aside_type_complaint(),
        Word::Known(Kind::Open) => t.aside_type_open(),
        Word::Known(Kind::Click) => t.aside_type_click(),
        Word::Known(Kind::SubscriptionChange) => t.aside_type_change(),
        Word::Known(Kind::Observed) => t.aside_type_observed(),
        Word::Known(Kind::Decision) => t.aside_type_decision(),
        Word::Other(other) => other.clone(),
    }
}

fn source_words(t: Texts, source: &Word<Source>) -> String {
    match source {
        Word::Known(Source::Webhook) => t.aside_by_webhook(),
        Word::Known(Source::Reconcile) => t.aside_by_reconcile(),
        Word::Known(Source::Backfill) => t.aside_by_backfill(),
        Word::Known(Source::Operator) => t.aside_by_operator(),
        Word::Other(other) => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_words_and_something_to_do_and_a_later_one_its_code() {
        let t = Texts::default();
        // As the doors and the consumer set aside: their codes never change.
        for code in [
            "too_large",
            "not_json",
            "not_an_object",
            "probe",
            "unknown_record_type",
            "server_mismatch",
            "missing_field",
            "bad_field",
            "time_out_of_range",
            "too_old",
            "revoked",
            "sender",
            "not_committable",
            "too_many_streams",
        ] {
            let [words, todo] = cause(t, code);
            assert!(!words.contains(['“', '_']) && !todo.is_empty(), "{code}: {words}");
        }
        assert_eq!(cause(t, "eaten_by_a_dog")[0], t.aside_other("eaten_by_a_dog"));
    }

    #[test]
    fn a_word_of_a_later_release_stays_as_it_came() {
        let t = Texts::default();
        assert_eq!(kind_words(t, &Word::Other("Teleport".to_owned())), "Teleport");
        assert_eq!(source_words(t, &Word::Other("pigeon".to_owned())), "pigeon");
        for kind in Kind::ALL {
            assert!(!kind_words(t, &kind.into()).is_empty());
        }
    }
}
