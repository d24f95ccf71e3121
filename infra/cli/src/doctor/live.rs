//! Mail that is really sent, to addresses that Postmark itself answers for, and what is told of it.
//!
//! Invariants:
//! - It says what it will do before it does it, and refuses servers that mail people unless told otherwise.
//! - What its mails put on the suppression list is taken off again, whatever else fails on the way.
//! - No clocks are compared: what is new is what was not there before.

use super::outcome::{Outcome, Sent};
use super::questions::{Observed, To, Told, answers};
use super::{Found, Link, State};
use crate::api::{Api, Request};
use crate::args::Doctor;
use crate::operator::Recorded;
use crate::server::{agreed, endpoint, refused, token};
use crate::target::Whose;
use crate::{Failure, book, operate, post};
use account::doors::OUR_PROBE;
use account::{ServerEntry, webhooks};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use indicatif::ProgressBar;
use ledger::policy::StreamKind;
use ledger::{Identity, ServerId, Source};
use postmark::Refused;
use postmark_api::{ApiError, ServerApi, ServerInfo, SuppressionFilter};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use store::Shelf;
use store::heard::Heard;
use tokio::runtime::Runtime;

/// The links that must hold before mail is sent.
pub(super) const NEEDS: [&str; 5] = ["keys", "tables", "registry", "doors", "webhooks"];
/// Findings of webhooks that tell of what was, and keep nobody from sending.
const PAST: [&str; 5] = ["retries_low", "fewer_than_told", "silent", "webhook_failing", "unknown_message"];
/// Between two looks at the ledger.
const POLL: Duration = Duration::from_secs(1);
/// Mails of which it is not documented whether anything is told are waited for so much shorter.
const OPTIONAL_SHARE: u32 = 5;
/// The kind of server that mails nobody.
const SANDBOX: &str = "Sandbox";

/// Whether a link keeps from sending.
pub(super) fn keeps_from(link: &Link) -> bool {
    let past = |found: &Found| link.link == "webhooks" && PAST.contains(&found.code);
    link.state == State::NotLookedAt || !link.findings.iter().all(past)
}

/// Says what it will do, asks, and does it.
///
/// # Errors
/// Where this command itself cannot go on; what Postmark or the ledger refuses is in the outcome.
pub(super) fn run(
    args: &Doctor,
    whose: &Whose,
    ledger: &Api,
    entry: &ServerEntry,
    json: bool,
) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let api = endpoint(&args.postmark)?.server(token(entry.server, &args.target, whose)?);
    let info = match runtime.block_on(api.server()) {
        Ok(info) => info,
        Err(error) => return Ok(Outcome::problem(Found::failure(unanswered(&error), refused(error)))),
    };
    if !args.even_live && !info.delivery_type.eq_ignore_ascii_case(SANDBOX) {
        let words = format!("server {} ({}) is no sandbox: what it sends reaches people", info.id, info.name);
        let next = "name a sandbox server by --server, or say --even-live: the mails go to Postmark's own addresses only";
        return Ok(Outcome::problem(Found::new("live_server", words, next)));
    }
    let stream = match stream(args, entry) {
        Ok(stream) => stream,
        Err(found) => return Ok(Outcome::problem(found)),
    };
    let from = args.from.as_deref().unwrap_or_default();
    if !args.yes {
        let question = format!("{}\ngo on?", announced(&info, &stream, from));
        match agreed(&question) {
            Ok(true) => {}
            Ok(false) => {
                return Ok(Outcome::problem(Found::new(
                    "not_agreed",
                    "nobody agreed",
                    "say y, or give --yes",
                )));
            }
            Err(failure) => return Ok(Outcome::problem(Found::failure("not_agreed", failure))),
        }
    }
    let bar = if json { ProgressBar::hidden() } else { post::progress(None, "looking") };
    let wait = Duration::from_secs(args.wait);
    let mut live = Live {
        ledger,
        runtime,
        api,
        entry,
        stream,
        from,
        wait,
        bar,
        ids: BTreeMap::new(),
        findings: Vec::new(),
    };
    let observed = live.observe(&info);
    live.bar.finish_and_clear();
    let questions = answers(&observed);
    let sent: Vec<Sent> = live.ids.iter().map(|(id, to)| Sent::of(id, *to, &observed)).collect();
    let answered = questions.iter().filter(|answer| answer.answered).count();
    let words =
        format!("{} mails sent; {answered} of {} open questions answered", sent.len(), questions.len());
    Ok(Outcome { link: Link::of("live", words, live.findings), sent, questions })
}

/// The stream that is sent on.
fn stream(args: &Doctor, entry: &ServerEntry) -> Result<String, Found> {
    let streams = &entry.streams;
    let transactional = || {
        let all = streams.iter().filter(|(_, stream)| stream.kind == StreamKind::Transactional);
        let mut ids: Vec<&String> = all.map(|(id, _)| id).collect();
        ids.sort_by_key(|id| *id != "outbound");
        ids.first().map(|id| (*id).clone())
    };
    let chosen = match &args.stream {
        Some(stream) => Some(stream.clone()).filter(|stream| streams.contains_key(stream)),
        None => transactional(),
    };
    chosen.ok_or_else(|| {
        let known: Vec<&str> = streams.keys().map(String::as_str).collect();
        let next = format!("name one by --stream; the registry knows {}", known.join(", "));
        Found::new("no_stream", "there is no such stream to send on", next)
    })
}

/// What will be done.
fn announced(info: &ServerInfo, stream: &str, from: &str) -> String {
    let to: Vec<&str> = To::ALL.iter().map(|to| to.address()).collect();
    format!(
        "server {} ({}, {}), stream {stream}:\n- has our webhooks verified once more, to see Postmark's probes\n- sends \
         five mails from {from}, one each to {}, and one to the first and the last of these at once: Postmark answers for \
         all of them itself, and counts them in the server's volume\n- takes off the stream's suppression list what these \
         mails, or earlier ones, put there",
        info.id,
        info.name,
        info.delivery_type,
        to.join(", ")
    )
}

/// A run under way.
struct Live<'a> {
    ledger: &'a Api,
    runtime: Runtime,
    api: ServerApi,
    entry: &'a ServerEntry,
    stream: String,
    from: &'a str,
    wait: Duration,
    bar: ProgressBar,
    /// The mails of this run, by MessageID.
    ids: BTreeMap<String, To>,
    findings: Vec<Found>,
}

impl Live<'_> {
    fn server(&self) -> ServerId {
        self.entry.server
    }

    /// A call of Postmark's API; one that fails is a finding.
    fn call<T>(&mut self, call: impl AsyncFnOnce(&ServerApi) -> Result<T, ApiError>) -> Option<T> {
        let done = self.runtime.block_on(call(&self.api));
        let code = done.as_ref().err().map_or("", unanswered);
        self.noted(code, done.map_err(refused))
    }

    fn noted<T>(&mut self, code: &'static str, done: Result<T, Failure>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(failure) => {
                let found = Found::failure(code, failure).at(self.server());
                if !self.findings.contains(&found) {
                    self.findings.push(found);
                }
                None
            }
        }
    }

    /// Looks until there is something, or time is over.
    fn until<T>(
        &self,
        what: &str,
        wait: Duration,
        mut look: impl FnMut() -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        let end = Instant::now() + wait;
        loop {
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.bar.set_message(format!("waiting for {what}, at most {} s more", left.as_secs()));
            self.bar.tick();
            std::thread::sleep(POLL.min(left));
        }
    }

    fn observe(&mut self, info: &ServerInfo) -> Observed {
        let mut seen = Observed {
            streams: self.entry.streams.clone(),
            legacy_hooks: info.legacy_hooks.len(),
            retries_low: self.retries_low(),
            ..Observed::default()
        };
        self.probes(&mut seen);
        self.unsubscribes(&mut seen);
        self.clear();
        for to in To::ALL {
            self.send(to);
        }
        self.wait_for_events(&mut seen);
        let bounced = |told: &&Told| told.to == To::HardBounce && told.body["RecordType"] == "Bounce";
        let id = seen.events.iter().find(bounced).and_then(|told| told.body["ID"].as_i64());
        if seen.missing(To::HardBounce).is_empty() {
            seen.partial = self.send_partly();
            seen.before = id.and_then(|id| self.call(async |api| api.bounce(id).await));
        }
        self.lift(&mut seen);
        if seen.lifted.is_some() {
            seen.after = id.and_then(|id| self.call(async |api| api.bounce(id).await));
        }
        seen
    }

    fn retries_low(&mut self) -> Option<u32> {
        let name = self.server().to_string();
        let read = book::on(self.ledger, async |book| {
            let document = book.document(&Shelf::Watch, &name).await?;
            Ok::<_, Failure>(document.map(|document| Heard::read(&document)).transpose()?)
        });
        let heard = self.noted("ledger_unanswered", read).flatten().unwrap_or_default();
        heard.low.values().min().copied()
    }

    /// Has our webhooks of the stream verified, and takes the probes out of quarantine.
    fn probes(&mut self, seen: &mut Observed) {
        let Some(rows) = self.call(async |api| api.webhooks(None).await) else { return };
        let mut by_stream: BTreeMap<&str, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *by_stream.entry(&row.stream).or_default() += 1);
        seen.webhooks = by_stream.into_values().max().unwrap_or_default();
        let (server, base) = (self.server(), self.entry.doors.as_deref().unwrap_or_default());
        let ours =
            rows.iter().filter(|row| row.stream == self.stream && webhooks::ours(&row.url, base, server));
        let ours: Vec<i64> = ours.map(|row| row.id).collect();
        let Some(known) = self.probe_keys() else { return };
        let mut expected = 0;
        for id in ours {
            if let Some(told) = self.call(async |api| api.verify_webhook(id).await) {
                expected += told.results.len();
                if !told.success {
                    let words = format!("webhook {id} could not be verified: {told}");
                    let next = "see the doors' logs, then `postledger watch --repair`";
                    self.findings.push(Found::new("trigger_unverified", words, next).at(server));
                }
            }
        }
        let ledger = self.ledger;
        let found = self.until("probes", self.wait / OPTIONAL_SHARE, || {
            let mut bodies = Vec::new();
            for key in probe_keys(ledger, server)?.difference(&known) {
                let kept =
                    operate::set_aside(ledger, key)?.body_base64.and_then(|body| STANDARD.decode(body).ok());
                let body = kept.and_then(|body| serde_json::from_slice::<Value>(&body).ok());
                bodies.extend(body.filter(|body| body["Details"] != OUR_PROBE));
            }
            seen.probes = bodies;
            Ok((seen.probes.len() >= expected).then_some(()))
        });
        self.noted("ledger_unanswered", found);
    }

    fn probe_keys(&mut self) -> Option<BTreeSet<String>> {
        let keys = probe_keys(self.ledger, self.server());
        self.noted("ledger_unanswered", keys)
    }

    fn unsubscribes(&mut self, seen: &mut Observed) {
        let stream = self.stream.clone();
        let filter = SuppressionFilter {
            reason: Some("ManualSuppression"),
            origin: Some("Recipient"),
            ..SuppressionFilter::default()
        };
        let count = self.call(async |api| {
            let mut dump = api.suppressions(&stream, filter).await?;
            while dump.next().await?.is_some() {}
            Ok(usize::try_from(dump.rows()).unwrap_or(usize::MAX))
        });
        seen.unsubscribes = count.unwrap_or_default();
    }

    /// Takes off the list what an earlier run left there: it could not be sent to.
    fn clear(&mut self) {
        for to in To::ALL {
            let (stream, address) = (self.stream.clone(), to.address());
            let filter = SuppressionFilter { address: Some(address), ..SuppressionFilter::default() };
            let listed = self.call(async |api| {
                let mut dump = api.suppressions(&stream, filter).await?;
                while let Some(row) = dump.next().await? {
                    if row.address.eq_ignore_ascii_case(address) {
                        return Ok(true);
                    }
                }
                Ok(false)
            });
            if listed == Some(true) {
                self.take_off(to);
            }
        }
    }

    fn mail(&self, to: &str) -> Value {
        json!({
            "From": self.from,
            "To": to,
            "Subject": "Postledger looks whether its webhooks arrive",
            "TextBody": "Sent by `postledger doctor --live` to an address that Postmark answers for itself.",
            "MessageStream": self.stream,
            "TrackOpens": false,
            "TrackLinks": "None",
        })
    }

    fn send(&mut self, to: To) {
        let mut mail = self.mail(to.address());
        if to == To::HardBounce {
            mail["Tag"] = "postledger-doctor".into();
        }
        let Some(told) = self.call(async |api| api.send(&mail).await) else { return };
        match (told["ErrorCode"].as_i64().unwrap_or_default(), told["MessageID"].as_str()) {
            (0, Some(id)) => {
                self.ids.insert(id.to_owned(), to);
            }
            (code, _) => {
                let words = format!("Postmark did not take the mail to {}: code {code}", to.address());
                let found =
                    Found::new("not_sent", words, "see the server's activity at Postmark").at(self.server());
                self.findings.push(found);
            }
        }
    }

    fn send_partly(&mut self) -> Option<(u16, i64)> {
        let mail = self.mail(&format!("{}, {}", To::HardBounce.address(), To::BlackHole.address()));
        match self.runtime.block_on(self.api.send(&mail)) {
            Ok(told) => Some((200, told["ErrorCode"].as_i64().unwrap_or_default())),
            Err(ApiError::Refused { status, code, .. }) => Some((status, code)),
            Err(error) => self.noted(unanswered(&error), Err(refused(error))),
        }
    }

    /// What is told of this run's mails, until all that must be is, and for a while what may be.
    fn wait_for_events(&mut self, seen: &mut Observed) {
        let sent: BTreeSet<To> = self.ids.values().copied().collect();
        for (what, wait, optional) in
            [("webhooks", self.wait, false), ("further webhooks", self.wait / OPTIONAL_SHARE, true)]
        {
            let (ledger, server, ids) = (self.ledger, self.server(), &self.ids);
            let found = self.until(what, wait, || {
                let all = events(ledger, server)?.into_iter().map(|(told, _)| told);
                let ours = |told: &Told| {
                    told.body["MessageID"].as_str().and_then(|id| ids.get(id)) == Some(&told.to)
                };
                seen.events = all.filter(ours).collect();
                let told = |to: &To| match optional && to.expected().is_empty() {
                    true => seen.events.iter().any(|told| told.to == *to),
                    false => seen.missing(*to).is_empty(),
                };
                Ok(sent.iter().all(told).then_some(()))
            });
            if self.noted("ledger_unanswered", found).flatten().is_none() {
                break;
            }
        }
        for to in sent {
            let missing = seen.missing(to);
            if !missing.is_empty() {
                let words = format!(
                    "{} of the mail to {} did not come in within {} s",
                    missing.join(" and "),
                    to.address(),
                    self.wait.as_secs()
                );
                let next = "see the mail's events at Postmark: where it happened there, see `postledger watch` and the \
                            doors' logs; else wait longer by --wait";
                self.findings.push(Found::new("not_told", words, next).at(self.server()));
            }
        }
    }

    /// Takes off the list whatever this run's mails put there.
    fn lift(&mut self, seen: &mut Observed) {
        let listed = |told: &&Told| told.body["SuppressSending"] == true;
        let mut listed: BTreeSet<To> = seen.events.iter().filter(listed).map(|told| told.to).collect();
        listed.extend(self.ids.values().find(|to| **to == To::HardBounce));
        for to in listed {
            let lifted = self.take_off(to);
            if to == To::HardBounce {
                seen.lifted = lifted;
            }
        }
    }

    /// Takes an address off the list, and waits until that is told.
    fn take_off(&mut self, to: To) -> Option<Told> {
        let (ledger, server, stream) = (self.ledger, self.server(), self.stream.clone());
        let before = events(ledger, server).map(|all| all.into_iter().map(|(_, id)| id).collect());
        let before: BTreeSet<Identity> = self.noted("ledger_unanswered", before)?;
        let changed = self.call(async |api| api.unsuppress(&stream, &[to.address()]).await);
        if !changed.is_some_and(|rows| !rows.is_empty() && rows.iter().all(|row| !row.failed())) {
            let words = format!("{} could not be taken off the suppression list", to.address());
            let next = format!("take it off at Postmark: stream {stream}, Suppressions");
            self.findings.push(Found::new("left_on_the_list", words, next).at(server));
            return None;
        }
        let lifted = |told: &Told| told.to == to && told.body["SuppressSending"] == false;
        let found = self.until("the list", self.wait, || {
            let mut all = events(ledger, server)?.into_iter();
            Ok(all.find(|(told, id)| !before.contains(id) && lifted(told)).map(|(told, _)| told))
        });
        let told = self.noted("ledger_unanswered", found)?;
        if told.is_none() {
            let words = format!(
                "it was not told within {} s that {} is off the list",
                self.wait.as_secs(),
                to.address()
            );
            let next =
                format!("look at Postmark whether it still stands there: stream {stream}, Suppressions");
            self.findings.push(Found::new("not_told", words, next).at(server));
        }
        told
    }
}

/// What a call that failed is called.
const fn unanswered(error: &ApiError) -> &'static str {
    match error {
        ApiError::Refused { .. } => "postmark_refuses",
        _ => "postmark_unanswered",
    }
}

/// What webhooks told of the testing addresses, in the order in which it came in.
fn events(ledger: &Api, server: ServerId) -> Result<Vec<(Told, Identity)>, Failure> {
    let mut all = Vec::new();
    for to in To::ALL {
        let place = ["servers", &server.to_string(), "recipients", to.address(), "bodies"];
        let bodies: Vec<Recorded> = ledger.read(&Request::operator(Method::GET, &place))?;
        for bodied in bodies {
            if let (Source::Webhook, Some(body)) = (bodied.source, bodied.body) {
                all.push((Told { to, received_at: bodied.received_at.0, body }, bodied.identity));
            }
        }
    }
    all.sort_by_key(|(told, _)| told.received_at);
    Ok(all)
}

/// The keys of a server's probes in quarantine, of yesterday and today by the ledger's own clock.
fn probe_keys(ledger: &Api, server: ServerId) -> Result<BTreeSet<String>, Failure> {
    let listed = operate::quarantine(ledger, 2)?.into_iter();
    let probes = listed.filter(|one| one.server == server && one.reason == Refused::Probe.code());
    Ok(probes.map(|one| one.key).collect())
}
