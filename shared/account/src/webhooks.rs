//! The webhooks that a server should have, beside those that it has: what to create, change and remove. Pure.
//!
//! Invariants:
//! - A row that is not ours is never changed or removed; ours lead to `/v1/{server}/` under our own base URL.
//! - No more than [`ROWS_MAX`] rows on a stream at any moment, and no trigger that was told is untold in between:
//!   rows are created first, then changed, then removed.
//! - A plan that was carried out plans nothing.

use crate::registry::{ConnectForm, ServerEntry};
use crate::watch::Finding;
use ledger::ServerId;
use postmark::RecordType;
use postmark_api::{Auth, ServerInfo, Trigger, Triggers, Webhook};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The most webhooks that Postmark lets a stream have (its code 1359).
pub const ROWS_MAX: usize = 10;
/// The last part of the URL that takes all event types.
pub const ALL_TYPES: &str = "events";

/// What a trigger tells, as Postmark's bodies name it.
pub const fn record_type(trigger: Trigger) -> RecordType {
    match trigger {
        Trigger::Delivery => RecordType::Delivery,
        Trigger::Bounce => RecordType::Bounce,
        Trigger::SpamComplaint => RecordType::SpamComplaint,
        Trigger::Open => RecordType::Open,
        Trigger::Click => RecordType::Click,
        Trigger::SubscriptionChange => RecordType::SubscriptionChange,
    }
}

/// A URL so that two which lead to the same place are equal: without scheme, user and standard port, the host in
/// small letters.
fn place(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let port = if scheme.eq_ignore_ascii_case("http") { ":80" } else { ":443" };
    format!("{}{}", host.strip_suffix(port).unwrap_or(&host), path.trim_end_matches('/'))
}

/// A URL without the user and password that it may bear.
pub fn without_credential(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[host..])
}

/// Where a server's webhooks lead at a base URL: `https://hooks.example.com/v1/8123456/`.
fn folder(base: &str, server: ServerId) -> String {
    format!("{}/v1/{server}/", base.trim_end_matches('/'))
}

/// Whether a webhook is ours: whether it leads to the server's part of our base URL.
pub fn ours(url: &str, base: &str, server: ServerId) -> bool {
    format!("{}/", place(url)).starts_with(&format!("{}/", place(&folder(base, server))))
}

/// Whether a URL leads to our doors at all.
fn reaches_us(url: &str, base: &str) -> bool {
    format!("{}/", place(url)).starts_with(&format!("{}/", place(base)))
}

/// A webhook as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Desired {
    /// The stream.
    pub stream: String,
    /// Where it leads.
    pub url: String,
    /// What it tells, by Postmark's names.
    #[serde(serialize_with = "names")]
    pub triggers: BTreeSet<Trigger>,
}

/// A webhook as it is, without its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Postmark's id of it.
    pub id: i64,
    /// The stream.
    pub stream: String,
    /// Where it leads; a credential in it is left out.
    pub url: String,
    /// What it tells, by Postmark's names.
    #[serde(serialize_with = "names")]
    pub triggers: BTreeSet<Trigger>,
    /// `verified`, or else it tells nothing; `None` where Postmark does not say.
    pub status: Option<String>,
}

fn names<S: serde::Serializer>(triggers: &BTreeSet<Trigger>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(triggers.iter().map(|trigger| trigger.name()))
}

impl From<&Webhook> for Row {
    fn from(webhook: &Webhook) -> Row {
        Row {
            id: webhook.id,
            stream: webhook.stream.clone(),
            url: without_credential(&webhook.url),
            triggers: enabled(&webhook.triggers),
            status: webhook.status.clone(),
        }
    }
}

impl Row {
    /// Whether Postmark says that it is not verified, or no longer.
    pub fn unverified(&self) -> bool {
        self.status.as_deref().is_some_and(|status| !status.eq_ignore_ascii_case("verified"))
    }
}

fn enabled(triggers: &Triggers) -> BTreeSet<Trigger> {
    triggers.enabled().collect()
}

/// What Postmark tells by trigger, whatever the case of its words.
pub fn by_trigger<T>(told: &BTreeMap<String, T>) -> BTreeMap<Trigger, &T> {
    told.iter().filter_map(|(name, value)| Some((Trigger::from_name(name)?, value))).collect()
}

/// What Postmark is to be told of the triggers of a row. Every open is asked for: only webhooks tell of repeated ones.
/// The whole message is never asked for: it may be larger than a request may be.
pub fn switches(triggers: &BTreeSet<Trigger>) -> Triggers {
    let mut switches = Triggers::default();
    for trigger in triggers {
        switches.set(*trigger, true);
    }
    switches
}

/// In what a row is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// It leads elsewhere, or bears a credential in its URL.
    Url,
    /// It tells other events.
    Triggers,
    /// It tells the first open only, or brings whole messages along.
    Options,
    /// Its user or password is another one, or there is none.
    Credential,
}

/// A row that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// As it is.
    pub from: Row,
    /// As it should be.
    pub to: Desired,
    /// In what they differ.
    pub differs: BTreeSet<Difference>,
}

/// What is to be done on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Rows of ours that are as they should be.
    pub keep: Vec<Row>,
    /// Rows among them that Postmark has not verified, or no longer: nothing is told by them.
    pub verify: Vec<Row>,
    /// Rows that are missing.
    pub create: Vec<Desired>,
    /// Rows of ours that are otherwise.
    pub change: Vec<Change>,
    /// Rows of ours that there should not be.
    pub remove: Vec<Row>,
    /// Rows that are not ours, and stay as they are.
    pub foreign: Vec<Row>,
    /// What a person should know or do.
    pub warnings: Vec<Finding>,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.create.is_empty() && self.change.is_empty() && self.remove.is_empty() && self.verify.is_empty()
    }
}

/// The triggers that a stream of a server should tell.
fn wanted(entry: &ServerEntry, stream: &str) -> BTreeSet<Trigger> {
    let refused = entry.streams.get(stream).map(|stream| &stream.refused);
    let tracked = |trigger: &Trigger| matches!(trigger, Trigger::Open | Trigger::Click);
    Trigger::ALL
        .into_iter()
        .filter(|trigger| !(entry.native_tracking && tracked(trigger)))
        .filter(|trigger| !refused.is_some_and(|refused| refused.contains(trigger.name())))
        .collect()
}

/// The webhooks that a stream of a server should have in a form.
pub fn desired(entry: &ServerEntry, base: &str, stream: &str, form: ConnectForm) -> Vec<Desired> {
    let triggers = wanted(entry, stream);
    let folder = folder(base, entry.server);
    let row = |segment: &str, triggers: BTreeSet<Trigger>| Desired {
        stream: stream.to_owned(),
        url: format!("{folder}{segment}"),
        triggers,
    };
    match form {
        _ if triggers.is_empty() => Vec::new(),
        ConnectForm::OneUrl => vec![row(ALL_TYPES, triggers)],
        ConnectForm::PerType => triggers
            .into_iter()
            .map(|trigger| row(record_type(trigger).segment(), BTreeSet::from([trigger])))
            .collect(),
    }
}

/// What is to be done so that a server's webhooks are as they should be. `valid` says whether a row's credential is.
pub fn plan(
    entry: &ServerEntry,
    base: &str,
    existing: &[Webhook],
    info: &ServerInfo,
    valid: &(dyn Fn(Option<&Auth>) -> bool + Sync),
) -> Plan {
    let mut plan = Plan { warnings: legacy(entry.server, base, info), ..Plan::default() };
    let mut streams: BTreeMap<&str, Vec<&Webhook>> =
        entry.streams.keys().map(|stream| (stream.as_str(), Vec::new())).collect();
    for webhook in existing {
        streams.entry(&webhook.stream).or_default().push(webhook);
    }
    for (stream, rows) in streams {
        let (mine, foreign): (Vec<&Webhook>, Vec<&Webhook>) =
            rows.into_iter().partition(|webhook| ours(&webhook.url, base, entry.server));
        for webhook in &foreign {
            plan.warnings.extend(doubling(entry.server, base, webhook));
        }
        let free = ROWS_MAX.saturating_sub(foreign.len());
        plan.foreign.extend(foreign.into_iter().map(Row::from));
        let known = entry.streams.contains_key(stream);
        let mut form = entry.connect;
        let mut desired = if known { desired(entry, base, stream, form) } else { Vec::new() };
        if desired.len() > free && form == ConnectForm::PerType {
            form = ConnectForm::OneUrl;
            desired = self::desired(entry, base, stream, form);
            if free > 0 {
                plan.warnings.push(crowded(entry.server, stream, free));
            }
        }
        if desired.len() > free {
            plan.warnings.push(full(entry.server, stream));
            desired.clear();
        }
        beside(&mut plan, desired, mine, valid);
    }
    plan
}

/// What is to be done so that a server has none of our webhooks.
pub fn removal(entry: &ServerEntry, base: &str, existing: &[Webhook]) -> Plan {
    let (mine, foreign): (Vec<&Webhook>, Vec<&Webhook>) =
        existing.iter().partition(|webhook| ours(&webhook.url, base, entry.server));
    let rows = |webhooks: Vec<&Webhook>| webhooks.into_iter().map(Row::from).collect();
    Plan { remove: rows(mine), foreign: rows(foreign), ..Plan::default() }
}

/// Puts the rows of a stream that should be beside those that are.
fn beside(
    plan: &mut Plan,
    desired: Vec<Desired>,
    mut mine: Vec<&Webhook>,
    valid: &(dyn Fn(Option<&Auth>) -> bool + Sync),
) {
    let mut missing = Vec::new();
    for to in desired {
        match mine.iter().position(|webhook| place(&webhook.url) == place(&to.url)) {
            Some(at) => compare(plan, mine.remove(at), to, valid),
            None => missing.push(to),
        }
    }
    // A row that would be removed becomes one that is missing: so a change of form needs no more rows than either.
    let reused = mine.len().min(missing.len());
    let created = missing.len() - reused;
    let to_change = missing.split_off(created);
    plan.create.extend(missing);
    for (webhook, to) in mine.drain(..reused).zip(to_change) {
        compare(plan, webhook, to, valid);
    }
    plan.remove.extend(mine.into_iter().map(Row::from));
}

fn compare(
    plan: &mut Plan,
    webhook: &Webhook,
    to: Desired,
    valid: &(dyn Fn(Option<&Auth>) -> bool + Sync),
) {
    let from = Row::from(webhook);
    let mut differs = BTreeSet::new();
    if webhook.url != to.url {
        differs.insert(Difference::Url);
    }
    if from.triggers != to.triggers {
        differs.insert(Difference::Triggers);
    }
    let triggers = &webhook.triggers;
    let first_only = triggers.open && triggers.open_first_only;
    if first_only || triggers.bounce_content || triggers.spam_complaint_content {
        differs.insert(Difference::Options);
    }
    if !valid(webhook.auth.as_ref()) {
        differs.insert(Difference::Credential);
    }
    if !differs.is_empty() {
        plan.change.push(Change { from, to, differs });
        return;
    }
    if from.unverified() {
        plan.verify.push(from.clone());
    }
    plan.keep.push(from);
}

/// Hooks of the server itself, from before there were webhooks by stream.
fn legacy(server: ServerId, base: &str, info: &ServerInfo) -> Vec<Finding> {
    let hooks = info.legacy_hooks.iter().filter(|(_, url)| reaches_us(url, base));
    hooks
        .map(|(name, _)| Finding {
            server,
            stream: None,
            code: "legacy_hook",
            words: format!("the server's own {name} leads to our doors too: its events come in twice"),
            next: format!("empty {name} in the server's settings at Postmark; what came in twice counts once"),
        })
        .collect()
}

/// Whether a row that is not ours brings our doors what our rows bring, or what another Postledger's do.
fn doubling(server: ServerId, base: &str, webhook: &Webhook) -> Option<Finding> {
    let path = place(&webhook.url);
    let other = format!("{path}/").contains(&format!("/v1/{server}/"));
    let (code, words, next) = if reaches_us(&webhook.url, base) {
        (
            "foreign_row_reaches_us",
            "leads to our doors, but not to this server's part of them",
            "remove it at Postmark, unless you know what it is for: its events come in twice, or in vain",
        )
    } else if other {
        (
            "other_postledger",
            "leads to a Postledger at another address",
            "if that is this stack's former address, remove it there by `postledger connect --remove --doors URL`",
        )
    } else {
        return None;
    };
    Some(Finding {
        server,
        stream: Some(webhook.stream.clone()),
        code,
        words: format!("webhook {} ({}) {words}", webhook.id, without_credential(&webhook.url)),
        next: next.to_owned(),
    })
}

fn crowded(server: ServerId, stream: &str, free: usize) -> Finding {
    Finding {
        server,
        stream: Some(stream.to_owned()),
        code: "stream_crowded",
        words: format!("others leave {free} of the stream's {ROWS_MAX} webhooks: ours is one for all event types"),
        next: "remove webhooks that nobody needs at Postmark, then connect again for one for each type".to_owned(),
    }
}

fn full(server: ServerId, stream: &str) -> Finding {
    Finding {
        server,
        stream: Some(stream.to_owned()),
        code: "stream_full",
        words: format!("others have all {ROWS_MAX} webhooks of the stream: there is no room for ours"),
        next: "remove one that nobody needs at Postmark, then connect again".to_owned(),
    }
}
