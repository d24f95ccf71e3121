//! The webhooks that a server should have, beside those that it has: what to create, change and remove. Pure.
//!
//! Invariants:
//! - A row that is not ours is never changed or removed; ours lead to `/v1/{server}/` under our own base URL.
//! - No more than [`ROWS_MAX`] rows on a stream at any moment, and no trigger that was told is untold in between:
//!   rows are created first, then changed, then removed.
//! - A plan that was carried out plans nothing.

mod rows;
mod warnings;

pub use rows::{Fate, PlanRow};

use crate::finding::Finding;
use crate::registry::{ConnectForm, ServerEntry};
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

/// A URL as it may be shown: without user and password, and without a query, which may hold a secret of others.
pub fn without_credential(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let end = rest.find('/').unwrap_or(rest.len());
    // What is no port is a password, of which a slash cuts off the rest.
    let port = rest[..end].rsplit_once(':').map_or("", |(_, port)| port);
    let is_whole = rest[..end].contains('@') || port.bytes().all(|byte| byte.is_ascii_digit());
    let end = if is_whole { end } else { rest.len() };
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    match rest[host..].split_once('?') {
        Some((shown, _)) => format!("{scheme}://{shown}?..."),
        None => format!("{scheme}://{}", &rest[host..]),
    }
}

/// Of where a webhook of somebody else leads, what may be shown to whoever manages a server: its host alone. The rest of such
/// a URL may be all that keeps strangers out there.
pub fn host(url: &str) -> String {
    let url: Option<http::Uri> = url.parse().ok();
    url.as_ref().and_then(http::Uri::host).unwrap_or_default().to_owned()
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
pub fn reaches_us(url: &str, base: &str) -> bool {
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
pub struct WebhookRow {
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

impl From<&Webhook> for WebhookRow {
    fn from(webhook: &Webhook) -> WebhookRow {
        WebhookRow {
            id: webhook.id,
            stream: webhook.stream.clone(),
            url: without_credential(&webhook.url),
            triggers: enabled(&webhook.triggers),
            status: webhook.status.clone(),
        }
    }
}

impl WebhookRow {
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
    pub from: WebhookRow,
    /// As it should be.
    pub to: Desired,
    /// In what they differ.
    pub differs: BTreeSet<Difference>,
}

/// What is to be done on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Rows of ours that are as they should be.
    pub keep: Vec<WebhookRow>,
    /// Rows among them that Postmark has not verified, or no longer: nothing is told by them.
    pub verify: Vec<WebhookRow>,
    /// Rows that are missing.
    pub create: Vec<Desired>,
    /// Rows of ours that are otherwise.
    pub change: Vec<Change>,
    /// Rows of ours that there should not be.
    pub remove: Vec<WebhookRow>,
    /// Rows that are not ours, and stay as they are.
    pub foreign: Vec<WebhookRow>,
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
    let mut plan = Plan { warnings: warnings::legacy(entry.server, base, info), ..Plan::default() };
    let mut streams: BTreeMap<&str, Vec<&Webhook>> =
        entry.streams.keys().map(|stream| (stream.as_str(), Vec::new())).collect();
    for webhook in existing {
        streams.entry(&webhook.stream).or_default().push(webhook);
    }
    for (stream, rows) in streams {
        let (mine, foreign): (Vec<&Webhook>, Vec<&Webhook>) =
            rows.into_iter().partition(|webhook| ours(&webhook.url, base, entry.server));
        for webhook in &foreign {
            plan.warnings.extend(warnings::doubling(entry.server, base, webhook));
        }
        let free = ROWS_MAX.saturating_sub(foreign.len());
        plan.foreign.extend(foreign.into_iter().map(WebhookRow::from));
        let known = entry.streams.contains_key(stream);
        let mut form = entry.connect;
        let mut desired = if known { desired(entry, base, stream, form) } else { Vec::new() };
        if desired.len() > free && form == ConnectForm::PerType {
            form = ConnectForm::OneUrl;
            desired = self::desired(entry, base, stream, form);
            if free > 0 {
                plan.warnings.push(warnings::crowded(entry.server, stream, free));
            }
        }
        if desired.len() > free {
            plan.warnings.push(warnings::full(entry.server, stream));
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
    let rows = |webhooks: Vec<&Webhook>| webhooks.into_iter().map(WebhookRow::from).collect();
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
    plan.remove.extend(mine.into_iter().map(WebhookRow::from));
}

fn compare(plan: &mut Plan, webhook: &Webhook, to: Desired, valid: &(dyn Fn(Option<&Auth>) -> bool + Sync)) {
    let from = WebhookRow::from(webhook);
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

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Time;
    use ledger::policy::StreamKind;
    use proptest::prelude::*;

    const BASE: &str = "https://hooks.example.com";

    fn entry(connect: ConnectForm, native_tracking: bool) -> ServerEntry {
        let mut entry = ServerEntry::new(ServerId::new(7).unwrap(), "acme", "Acme", Time::from_micros(0));
        entry.streams.insert("outbound".to_owned(), StreamKind::Transactional.into());
        ServerEntry { connect, native_tracking, ..entry }
    }

    fn auth() -> Auth {
        Auth { username: "7.1".to_owned(), password: "right".to_owned() }
    }

    fn valid(auth: Option<&Auth>) -> bool {
        auth == Some(&self::auth())
    }

    fn info() -> ServerInfo {
        ServerInfo {
            id: 7,
            name: "acme".to_owned(),
            delivery_type: "Live".to_owned(),
            ..ServerInfo::default()
        }
    }

    fn webhook(id: i64, url: &str, triggers: &[Trigger]) -> Webhook {
        Webhook {
            id,
            url: url.to_owned(),
            stream: "outbound".to_owned(),
            status: Some("verified".to_owned()),
            auth: Some(auth()),
            headers: Vec::new(),
            triggers: switches(&triggers.iter().copied().collect()),
        }
    }

    fn planned(entry: &ServerEntry, rows: &[Webhook]) -> Plan {
        plan(entry, BASE, rows, &info(), &valid)
    }

    fn codes(plan: &Plan) -> Vec<&str> {
        plan.warnings.iter().map(|finding| finding.code).collect()
    }

    /// Carries a plan out in memory, as `connect` does; after each step `each` sees the rows.
    fn carried_out(plan: &Plan, mut rows: Vec<Webhook>, mut each: impl FnMut(&[Webhook])) -> Vec<Webhook> {
        let mut id = rows.iter().map(|row| row.id).max().unwrap_or_default();
        for to in &plan.create {
            id += 1;
            let triggers: Vec<Trigger> = to.triggers.iter().copied().collect();
            rows.push(Webhook { stream: to.stream.clone(), ..webhook(id, &to.url, &triggers) });
            each(&rows);
        }
        for change in &plan.change {
            let row = rows.iter_mut().find(|row| row.id == change.from.id).unwrap();
            row.url.clone_from(&change.to.url);
            (row.auth, row.status) = (Some(auth()), Some("verified".to_owned()));
            row.triggers = switches(&change.to.triggers);
            each(&rows);
        }
        for row in &plan.verify {
            rows.iter_mut().find(|other| other.id == row.id).unwrap().status = Some("verified".to_owned());
        }
        for row in &plan.remove {
            rows.retain(|other| other.id != row.id);
            each(&rows);
        }
        rows
    }

    #[test]
    fn a_new_server_gets_one_webhook_for_each_type_or_one_for_all() {
        let plan = planned(&entry(ConnectForm::PerType, false), &[]);
        let urls: Vec<&str> = plan.create.iter().map(|row| row.url.rsplit('/').next().unwrap()).collect();
        assert_eq!(urls, ["delivery", "bounce", "spam-complaint", "open", "click", "subscription-change"]);
        assert!(plan.create.iter().all(|row| row.triggers.len() == 1));
        let plan = planned(&entry(ConnectForm::OneUrl, false), &[]);
        assert_eq!(plan.create.len(), 1);
        assert_eq!(plan.create[0].url, "https://hooks.example.com/v1/7/events");
        assert_eq!(plan.create[0].triggers.len(), 6);
    }

    #[test]
    fn opens_and_clicks_that_a_client_tracks_itself_and_triggers_that_were_refused_are_not_asked_for() {
        let mut entry = entry(ConnectForm::PerType, true);
        let refused = Trigger::SpamComplaint.name().to_owned();
        entry.streams.get_mut("outbound").unwrap().refused.insert(refused);
        let plan = planned(&entry, &[]);
        let told: BTreeSet<Trigger> =
            plan.create.iter().flat_map(|row| row.triggers.iter().copied()).collect();
        assert_eq!(told, BTreeSet::from([Trigger::Delivery, Trigger::Bounce, Trigger::SubscriptionChange]));
    }

    #[test]
    fn whose_a_row_is_hangs_on_where_it_leads_and_not_on_how_that_is_written() {
        let server = ServerId::new(7).unwrap();
        for url in [
            "https://hooks.example.com/v1/7/bounce",
            "https://HOOKS.example.com:443/v1/7/events",
            "https://7.1:secret@hooks.example.com/v1/7/open",
        ] {
            assert!(ours(url, "https://hooks.example.com/", server), "{url}");
        }
        for url in [
            "https://hooks.example.com/v1/77/bounce",
            "https://hooks.example.com.evil.test/v1/7/bounce",
            "https://other.example.com/v1/7/bounce",
            "https://hooks.example.com/hook?next=/v1/7/",
            "https://hooks.example.com:8443/v1/7/bounce",
        ] {
            assert!(!ours(url, BASE, server), "{url}");
        }
        assert_eq!(without_credential("https://7.1:pw@h/v1"), "https://h/v1");
        assert_eq!(without_credential("https://h/a@b"), "https://h/a@b");
        assert_eq!(without_credential("https://h:8443/a@b"), "https://h:8443/a@b");
        assert_eq!(without_credential("https://7.1:pw@h/a@b"), "https://h/a@b");
        assert_eq!(without_credential("https://7.1:p/w@h/v1"), "https://h/v1");
        assert_eq!(without_credential("https://h/a?key=pw"), "https://h/a?...");
        for secret in [
            "https://u:s3cret@h.example/s3cret?s3cret#s3cret",
            "https://u:s3/cret@h.example/",
            "s3cret/s3cret",
        ] {
            assert!(!host(secret).contains("s3cret") && !host(secret).contains("cret"), "{secret}");
        }
        assert_eq!(host("https://u:pw@hooks.crm.example:8443/T0/B1"), "hooks.crm.example");
    }

    #[test]
    fn a_row_that_somebody_changed_is_set_right() {
        let bounce = "https://hooks.example.com/v1/7/bounce";
        let rows = |change: &dyn Fn(&mut Webhook)| {
            let mut row = webhook(1, bounce, &[Trigger::Bounce]);
            change(&mut row);
            planned(&entry(ConnectForm::PerType, false), &[row])
        };
        let differs = |plan: &Plan| plan.change[0].differs.iter().copied().collect::<Vec<_>>();
        assert_eq!(rows(&|_| {}).keep.len(), 1);
        assert_eq!(differs(&rows(&|row| row.auth = None)), [Difference::Credential]);
        assert_eq!(differs(&rows(&|row| row.triggers.open = true)), [Difference::Triggers]);
        assert_eq!(differs(&rows(&|row| row.triggers.bounce_content = true)), [Difference::Options]);
        let in_url = |row: &mut Webhook| row.url = bounce.replace("://", "://7.1:right@");
        assert_eq!(differs(&rows(&in_url)), [Difference::Url]);
        assert!(!serde_json::to_string(&rows(&in_url)).unwrap().contains("right"), "no password is shown");
        let paused = rows(&|row| row.status = Some("unverified".to_owned()));
        assert_eq!((paused.change.len(), paused.verify.len()), (0, 1));
    }

    #[test]
    fn what_would_double_events_is_warned_of_and_left_alone() {
        let mut info = info();
        info.legacy_hooks.insert("BounceHookUrl", "https://7.1:pw@hooks.example.com/v1/7/bounce".to_owned());
        info.legacy_hooks.insert("OpenHookUrl", "https://elsewhere.example.com/".to_owned());
        let rows = [
            webhook(1, "https://hooks.example.com/postmark", &[Trigger::Bounce]),
            webhook(2, "https://7.1:pw/pw@former.example.com/v1/7/bounce", &[Trigger::Bounce]),
            webhook(3, "https://crm.example.net/hook", &[Trigger::Bounce]),
        ];
        let plan = plan(&entry(ConnectForm::PerType, false), BASE, &rows, &info, &valid);
        assert_eq!(codes(&plan), ["legacy_hook", "foreign_row_reaches_us", "other_postledger"]);
        assert_eq!((plan.foreign.len(), plan.change.len(), plan.remove.len()), (3, 0, 0));
        assert!(!serde_json::to_string(&plan).unwrap().contains("pw"), "no password is shown");
    }

    #[test]
    fn where_others_leave_too_little_room_ours_is_one_for_all_or_it_says_what_to_free() {
        let others = |count: i64| -> Vec<Webhook> {
            let row = |id| webhook(id, "https://crm.example.net/hook", &[Trigger::Bounce]);
            (1..=count).map(row).collect()
        };
        let entry = entry(ConnectForm::PerType, false);
        assert_eq!(planned(&entry, &others(4)).create.len(), 6);
        let crowded = planned(&entry, &others(5));
        assert_eq!((crowded.create.len(), codes(&crowded)), (1, vec!["stream_crowded"]));
        let full = planned(&entry, &others(10));
        assert_eq!((full.create.len(), codes(&full)), (0, vec!["stream_full"]));
    }

    #[test]
    fn another_form_tells_every_trigger_at_every_moment() {
        for (from, to) in
            [(ConnectForm::PerType, ConnectForm::OneUrl), (ConnectForm::OneUrl, ConnectForm::PerType)]
        {
            for others in 0..=4 {
                let other = |id: i64| webhook(100 + id, "https://crm.example.net/", &[Trigger::Bounce]);
                let others: Vec<Webhook> = (0..others).map(other).collect();
                let rows = carried_out(&planned(&entry(from, false), &others), others, |_| {});
                let rows = carried_out(&planned(&entry(to, false), &rows), rows, |rows| {
                    assert!(rows.len() <= ROWS_MAX);
                    let mine = rows.iter().filter(|row| row.id < 100 || row.url.contains("/v1/7/"));
                    let told: BTreeSet<Trigger> = mine.flat_map(|row| row.triggers.enabled()).collect();
                    assert_eq!(told.len(), 6);
                });
                assert!(planned(&entry(to, false), &rows).is_empty());
            }
        }
    }

    fn any_row() -> impl Strategy<Value = Webhook> {
        let url = prop_oneof![
            Just("https://hooks.example.com/v1/7/bounce"),
            Just("https://hooks.example.com/v1/7/events"),
            Just("https://hooks.example.com/v1/7/open"),
            Just("https://hooks.example.com/v1/7/else"),
            Just("https://7.1:right@hooks.example.com/v1/7/click"),
            Just("https://hooks.example.com/v1/8/bounce"),
            Just("https://crm.example.net/hook"),
        ];
        let triggers = prop::collection::btree_set(prop::sample::select(Trigger::ALL.to_vec()), 0..6);
        (url, triggers, any::<[bool; 4]>(), prop_oneof![Just("outbound"), Just("other")]).prop_map(
            |(url, triggers, [signed, paused, content, told], stream)| Webhook {
                id: 0,
                url: url.to_owned(),
                stream: stream.to_owned(),
                status: told.then(|| if paused { "unverified" } else { "verified" }.to_owned()),
                auth: signed.then(auth),
                headers: Vec::new(),
                triggers: Triggers { bounce_content: content, ..switches(&triggers) },
            },
        )
    }

    proptest! {
        #[test]
        fn a_plan_that_was_carried_out_plans_nothing_and_touches_nothing_that_is_not_ours(
            mut rows in prop::collection::vec(any_row(), 0..=ROWS_MAX),
            one_url: bool,
            native: bool,
        ) {
            for (id, row) in (1..).zip(&mut rows) {
                row.id = id;
            }
            let form = if one_url { ConnectForm::OneUrl } else { ConnectForm::PerType };
            let entry = entry(form, native);
            let is_ours = |row: &&Webhook| ours(&row.url, BASE, entry.server);
            let foreign: Vec<Webhook> = rows.iter().filter(|row| !is_ours(row)).cloned().collect();
            let of_stream = |rows: &[Webhook]| rows.iter().filter(|row| row.stream == "outbound").count();
            let at_first = of_stream(&rows);
            let after = carried_out(&planned(&entry, &rows), rows, |rows| {
                assert!(of_stream(rows) <= ROWS_MAX.max(at_first));
            });
            let left: Vec<Webhook> = after.iter().filter(|row| !is_ours(row)).cloned().collect();
            prop_assert_eq!(left, foreign);
            prop_assert!(planned(&entry, &after).is_empty());
        }
    }
}
