//! Who did what at a server: each change in one row, from its beginning to its end.

mod joined;
mod words;

use super::people::{Names, all};
use super::shared::{CSV, Choice, Table, link, number};
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame};
use answers::{Actor, Audit, Role};
use askama::Template;
use http::StatusCode;
use joined::{Change, Joined, State};
use ledger::Time;
use std::collections::{BTreeMap, BTreeSet};
use words::{Details, Target};

/// How many steps are asked for at once: a change has one or two.
const STEPS: usize = 100;
/// How many changes make a page full, where some are left out.
const FULL: usize = 50;
/// How often the API is asked for a page of which some are left out, and for a table.
const ASKED_MAX: [usize; 2] = [20, 200];
/// How many changes a page hands on to the next one, of which that has the beginning only.
const HANDED_ON_MAX: usize = 50;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    t: Texts,
    frame: Frame,
    title: String,
    as_of: Option<String>,
    /// The times that the page is looked at as of, as the form hands them on.
    hidden: Vec<(&'static str, String)>,
    kinds: Vec<Choice>,
    people: Vec<Choice>,
    is_filtered: bool,
    unfiltered: String,
    rows: Vec<Row>,
    none: String,
    next: Option<(String, String)>,
    newest: Option<String>,
    csv: String,
}

/// A change.
struct Row {
    at: Moment,
    who: String,
    what: String,
    target: Option<Target>,
    details: Details,
    state: &'static str,
    state_words: String,
    open: bool,
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
struct LookedFor {
    what: Option<String>,
    who: Option<String>,
    /// Nothing that was noted later.
    until: Option<Time>,
}

impl LookedFor {
    fn of(at: &AtServer<'_>) -> LookedFor {
        let asked = at.visit.request.asked();
        let text = |name| asked.text(name).map(str::to_owned);
        // Entries are made as things happen: what had happened by then was known by then.
        let until = [at.as_of.at, at.as_of.known_at].into_iter().flatten().min();
        LookedFor { what: text("what"), who: text("who"), until }
    }

    fn has(&self, change: &Change) -> bool {
        self.what.as_ref().is_none_or(|what| *what == change.what)
            && self.who.as_ref().is_none_or(|who| *who == change.who.name)
    }

    fn is_filter(&self) -> bool {
        self.what.is_some() || self.who.is_some()
    }
}

/// Changes, and where there are more.
struct Found {
    changes: Vec<Change>,
    next: Option<String>,
    /// Those that are told of here, and whose beginning stands behind that.
    open: Vec<String>,
    /// How many steps were looked through.
    steps: usize,
}

/// The page, or the table.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    if at.visit.request.asked().is_set("csv") {
        return table(at).await;
    }
    let (t, visit, asked) = (at.visit.t(), at.visit, at.visit.request.asked());
    let looked_for = LookedFor::of(at);
    let told = asked.text("told").map(joined::ids).unwrap_or_default();
    let found = found(at, &looked_for, told, [FULL, ASKED_MAX[0]]).await?;
    let names = names(at, &found.changes).await?;
    let of = |more: &[(&str, Option<String>)]| {
        let chosen = [("what", looked_for.what.clone()), ("who", looked_for.who.clone())];
        link(&link(&at.path("audit"), &chosen), more)
    };
    let next = found.next.clone().map(|next| {
        let told = Some(found.open.join(".")).filter(|told| !told.is_empty());
        let words = if found.changes.is_empty() { t.audit_further() } else { t.audit_older() };
        (of(&[("cursor", Some(next)), ("told", told)]), words)
    });
    let none = match looked_for.is_filter() || looked_for.until.is_some() || asked.text("cursor").is_some() {
        true => t.audit_none_found(number(found.steps)),
        false => t.audit_none(),
    };
    let page = AuditPage {
        t,
        frame: at.frame(),
        title: t.audit_title(at.label()),
        as_of: looked_for.until.map(|until| t.audit_as_of(visit.show(until).text())),
        hidden: [("at", at.as_of.at), ("known_at", at.as_of.known_at)]
            .into_iter()
            .filter_map(|(name, at)| Some((name, at?.to_string())))
            .collect(),
        kinds: kinds(t, &found.changes, looked_for.what.as_deref()),
        people: people(t, &found.changes, &names, looked_for.who.as_deref()),
        is_filtered: looked_for.is_filter(),
        unfiltered: at.path("audit"),
        rows: found.changes.iter().map(|change| row(at, change, &names)).collect(),
        none,
        next,
        newest: asked.text("cursor").map(|_| of(&[])),
        csv: of(&[("csv", Some("1".to_owned()))]),
    };
    respond::page(StatusCode::OK, &page)
}

/// The changes from a place in the list on: as many as fill a page, or as are found by asking so often.
async fn found(
    at: &AtServer<'_>,
    looked_for: &LookedFor,
    told: BTreeSet<String>,
    [full, asked_max]: [usize; 2],
) -> Result<Found, Failed> {
    let mut cursor = at.visit.request.asked().text("cursor").map(str::to_owned);
    let (mut joined, mut steps) = (Joined::without(told), 0);
    for _ in 0..asked_max {
        let audit = ask(at, cursor.take()).await?;
        steps += audit.items.len();
        joined.add(audit.items.into_iter().filter(|step| looked_for.until.is_none_or(|by| step.at.0 <= by)));
        cursor = audit.next;
        if cursor.is_none() || joined.changes().filter(|change| looked_for.has(change)).count() >= full {
            break;
        }
    }
    // What is told of here began before that: its beginning says what was asked for.
    if let (false, Some(next)) = (joined.open().is_empty(), &cursor) {
        joined.complete(ask(at, Some(next.clone())).await?.items);
    }
    let open = joined.open_then();
    let changes = joined.into_changes().into_iter().filter(|change| looked_for.has(change)).collect();
    Ok(Found { changes, next: cursor, open, steps })
}

async fn ask(at: &AtServer<'_>, cursor: Option<String>) -> Result<Audit, Failed> {
    at.ask(at.get("audit").with("limit", Some(STEPS)).with("cursor", cursor)).await
}

/// Those whom whoever looks manages, where a change is by or about somebody.
async fn names(at: &AtServer<'_>, changes: &[Change]) -> Result<Names, Failed> {
    if !changes.iter().any(|change| change.who.kind == "user" || change.what.starts_with("user.")) {
        return Ok(Names::default());
    }
    let caller = match at.caller.role() {
        Role::Operator => at.visit.who.everywhere(),
        _ => at.caller.clone(),
    };
    Ok(Names::of(&all(at.visit, caller).await?))
}

/// Who did something, in words.
fn who(t: Texts, who: &Actor, names: &Names) -> String {
    match who.kind.as_str() {
        "operator" => t.people_agency(),
        "token" => t.audit_token(&who.name),
        "user" => names.address(&who.name).map_or_else(|| t.audit_user_gone(&who.name), str::to_owned),
        "aws" => t.audit_aws(&who.name),
        "local" => t.audit_local(&who.name),
        _ => who.name.clone(),
    }
}

fn row(at: &AtServer<'_>, change: &Change, names: &Names) -> Row {
    let t = at.visit.t();
    let (state, state_words) = match change.state {
        State::Done => ("send", t.audit_done()),
        State::Failed => ("stop", t.audit_failed()),
        State::Begun => ("risky", t.audit_begun()),
    };
    Row {
        at: at.visit.show(change.at),
        who: who(t, &change.who, names),
        what: words::what(t, &change.what),
        target: words::target(at, change, names),
        details: words::details(at, change),
        state,
        state_words,
        open: change.state == State::Begun,
    }
}

/// The kinds of changes to choose from: those that there are, and what stands on this page.
fn kinds(t: Texts, changes: &[Change], chosen: Option<&str>) -> Vec<Choice> {
    let here = changes.iter().map(|change| change.what.as_str()).chain(chosen);
    let all: BTreeSet<&str> = here.chain(words::KINDS).collect();
    let mut all: Vec<Choice> =
        all.into_iter().map(|kind| Choice::new(kind, words::what(t, kind), chosen)).collect();
    all.sort_by_cached_key(|choice| choice.label.to_lowercase());
    all.insert(0, Choice::new("", t.audit_any_kind(), chosen));
    all
}

/// Who did what stands on this page, to choose from.
fn people(t: Texts, changes: &[Change], names: &Names, chosen: Option<&str>) -> Vec<Choice> {
    let here = changes.iter().map(|change| (change.who.name.clone(), who(t, &change.who, names)));
    let chosen_too = chosen.map(|name| {
        let label = names.address(name).unwrap_or(name);
        (name.to_owned(), label.to_owned())
    });
    // No address goes into a query, whoever is called by one.
    let all: BTreeMap<String, String> =
        chosen_too.into_iter().chain(here).filter(|(name, _)| !name.contains('@')).collect();
    let mut all: Vec<Choice> =
        all.into_iter().map(|(name, label)| Choice::new(name, label, chosen)).collect();
    all.sort_by_cached_key(|choice| choice.label.to_lowercase());
    all.insert(0, Choice::new("", t.audit_any_person(), chosen));
    all
}

/// All that is looked for, as a table to keep.
async fn table(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let (t, looked_for) = (at.visit.t(), LookedFor::of(at));
    let found = found(at, &looked_for, BTreeSet::new(), [usize::MAX, ASKED_MAX[1]]).await?;
    let names = names(at, &found.changes).await?;
    let columns = ["at", "id", "who_kind", "who", "who_words", "what", "target", "state", "details"];
    let mut table = Table::new(&columns);
    for change in &found.changes {
        let Row { who, details, .. } = row(at, change, &names);
        let [at, target] = [change.at.to_string(), change.target.clone().unwrap_or_default()];
        let Actor { kind, name } = &change.who;
        let state = change.state.name();
        table.row(&[&at, &change.id, kind, name, &who, &change.what, &target, state, &details.text()]);
    }
    if found.next.is_some() {
        table.row(&[&t.audit_csv_cut()]);
    }
    Ok(respond::file(CSV, &format!("changes-{}.csv", at.server), table.into_bytes()))
}
