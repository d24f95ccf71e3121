//! When soft bounces speak against the recipients of a server: told, planned with what it would change, and changed from an
//! instant on, never backwards.

use crate::call::{Answer, Call, rfc3339};
use crate::problem::Problem;
use crate::scope::{Admin, Reader};
use answers::{
    NewPolicy, Policies, PoliciesOfKind, PolicyChanged, PolicyEffect, PolicyEffectOnStream, PolicyFrom,
    PolicyRequest,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledger::counters::Measure;
use ledger::event::WHOLE_SERVER;
use ledger::fold::View;
use ledger::policy::{PolicySchedule, SoftBouncePolicy, StreamKind};
use ledger::verdict::{Question, Verdict};
use ledger::{RecipientId, Time};
use serde_json::json;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use store::TimeRange;
use store::item::TIME_SLOTS;

/// How many policies of its own a server may have for one kind of stream, past ones among them.
const OWN_MAX: usize = 100;
/// How many days back recipients with soft bounces are looked for: as long as a policy can look at least.
const DAYS: i64 = 90;
/// How many reads of the index by time are made for a plan at most: the slots of some hundred hours.
const READS_MAX: usize = 1_600;
/// How many events of an hour and slot are read: an hour that has more is not counted.
const SLOT_EVENTS_MAX: usize = 1_000;
/// How many recipients are judged for a plan at most, but for those of the hour in which there are as many.
const RECIPIENTS_MAX: usize = 2_000;
/// How many recipients are judged at once.
const AT_ONCE: usize = 16;

/// What holds, and from when.
pub(crate) async fn policies(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let (settings, stack, now) = (admin.settings().await?, admin.policy(), admin.now());
    let of = |kind: StreamKind| {
        let schedule = settings.policies(kind);
        let own = schedule.entries().iter();
        let own = own.map(|(from, policy)| PolicyFrom { from: (*from).into(), policy: (*policy).into() });
        PoliciesOfKind { now: schedule.at(now, stack).into(), own: own.collect() }
    };
    Ok(Answer::json(&Policies {
        server: admin.server(),
        stack: stack.into(),
        transactional: of(StreamKind::Transactional),
        broadcast: of(StreamKind::Broadcast),
    }))
}

/// Changes what holds from an instant on, or says what that would change.
///
/// # Errors
/// [`Problem::bad_request`] for a policy that cannot be decided, or one from a past instant; a conflict where there are as many
/// as there may be.
pub(crate) async fn change(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let asked: PolicyRequest = call.json()?;
    let NewPolicy { count, messages, span_days, window_days, pause_days } = asked.policy;
    let policy = SoftBouncePolicy { count, messages, span_days, window_days, pause_days }.checked();
    let policy = policy.map_err(|error| Problem::bad_request(format!("policy: {error}")))?;
    let (kind, now) = (asked.kind, admin.now());
    let from = asked.from.as_deref().map_or(Ok(now), |text| begins(text, now))?;
    let settings = admin.settings().await?;
    let schedule = settings.policies(kind);
    let before = schedule.at(from, admin.policy());
    let until = schedule.entries().iter().map(|(at, _)| *at).find(|at| *at > from);
    let mut told = PolicyChanged {
        server: admin.server(),
        kind: kind.into(),
        from: from.into(),
        before: before.into(),
        after: policy.into(),
        until: until.map(Into::into),
        effect: None,
        dry_run: asked.dry_run,
    };
    let after = with(schedule, from, policy)?;
    if asked.dry_run {
        let judged =
            Judged { reader: admin, kind, now, policies: [schedule.at(now, admin.policy()), policy] };
        told.effect = judged.effect().await?;
        return Ok(Answer::json(&told));
    }
    let noted = |policy: SoftBouncePolicy| json!({ "policy": policy.to_string(), "from": rfc3339(from) });
    let change = async {
        let mut settings = settings.clone();
        *settings.policies_mut(kind) = after;
        let kept = admin.put_settings(settings).await.map_err(Problem::from);
        kept.map(|()| ((), json!(null))).map_err(|problem| {
            let code = json!({ "problem": problem.code() });
            (problem, code)
        })
    };
    let target = Some(told.kind.to_string());
    let was = json!({ "policy": before.to_string() });
    admin.change_of("server.policy", target, was, noted(policy), change).await?;
    Ok(Answer::json(&told))
}

fn begins(text: &str, now: Time) -> Result<Time, Problem> {
    let words =
        "from: expected now or a later instant, such as 2027-01-01T00:00:00Z: no policy applies backwards";
    text.parse().ok().filter(|at| *at >= now).ok_or_else(|| Problem::bad_request(words))
}

fn with(schedule: &PolicySchedule, from: Time, policy: SoftBouncePolicy) -> Result<PolicySchedule, Problem> {
    let after = schedule.with(from, policy).map_err(|error| Problem::bad_request(error.to_string()))?;
    if after.entries().len() > OWN_MAX {
        let words = format!(
            "a server may have at most {OWN_MAX} policies for one kind of stream, past ones included"
        );
        let problem = Problem::conflict("too-many-policies", "There are too many policies", words);
        return Err(problem.next("let the policies that are set apply"));
    }
    Ok(after)
}

/// Recipients with soft bounces, judged by the policy that holds and by a new one.
struct Judged<'a> {
    reader: &'a Reader<'a>,
    kind: StreamKind,
    now: Time,
    policies: [SoftBouncePolicy; 2],
}

impl Judged<'_> {
    /// What the new policy changes; nothing where the stack keeps no index by time.
    async fn effect(&self) -> Result<Option<PolicyEffect>, Problem> {
        let Some(found) = self.found().await? else { return Ok(None) };
        let all: BTreeSet<RecipientId> = found.recipients.iter().map(|(_, recipient)| *recipient).collect();
        let all: Vec<RecipientId> = all.into_iter().collect();
        let views = self.reader.views(&all).await?;
        let views: BTreeMap<RecipientId, View> =
            all.into_iter().zip(views).filter_map(|(recipient, view)| Some((recipient, view?))).collect();
        let judged = found.recipients.iter().filter_map(|(stream, recipient)| {
            let view = views.get(recipient)?;
            Some(async move {
                let [before, after] = self.policies.map(|policy| self.verdict(view, stream, policy));
                Ok::<_, Problem>((stream, after.await?.cmp(&before.await?)))
            })
        });
        let judged: Vec<(&String, Ordering)> =
            stream::iter(judged.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut streams: BTreeMap<String, PolicyEffectOnStream> = BTreeMap::new();
        for (stream, change) in judged {
            let here = streams.entry(stream.clone()).or_default();
            here.recipients += 1;
            here.stricter += usize::from(change == Ordering::Greater);
            here.more_lenient += usize::from(change == Ordering::Less);
        }
        let Found { since, complete, .. } = found;
        Ok(Some(PolicyEffect { since: since.into(), complete, recipients: views.len(), streams }))
    }

    async fn verdict(&self, view: &View, stream: &str, policy: SoftBouncePolicy) -> Result<Verdict, Problem> {
        let question = Question { view, stream, kind: self.kind, policy, at: self.now };
        let deliveries = self.reader.evidence(view.recipient, &question).await?;
        Ok(question.answer(&deliveries).verdict)
    }

    /// The hours in which streams of the kind have soft bounces, latest first, and how many.
    async fn hours(&self, from: Time) -> Result<Vec<(String, String, i64)>, Problem> {
        let (settings, streams) = (self.reader.settings().await?, self.reader.streams().await?);
        let mut hours = Vec::new();
        for name in streams.iter().filter(|name| *name != WHOLE_SERVER && settings.kind(name) == self.kind) {
            let before = self.now.plus_seconds(3_600).hour();
            for (hour, counts) in self.reader.counters(name, &from.hour(), &before).await? {
                let soft = counts.iter().filter(|(measure, _)| measure.name() == SOFT).map(|(_, n)| *n).sum();
                if soft > 0 {
                    hours.push((hour, name.clone(), soft));
                }
            }
        }
        hours.sort_unstable_by(|one, other| (Reverse(&one.0), &one.1).cmp(&(Reverse(&other.0), &other.1)));
        Ok(hours)
    }

    /// Who had soft bounces, on which stream, as far back as can be read.
    async fn found(&self) -> Result<Option<Found>, Problem> {
        let from = self.now.plus_days(-DAYS);
        let mut found = Found { since: from, complete: true, recipients: BTreeSet::new() };
        for (read, (hour, name, counted)) in self.hours(from).await?.into_iter().enumerate() {
            let begins: Time = format!("{hour}:00:00Z").parse().map_err(|_| Problem::unavailable())?;
            let ends = begins.plus_seconds(3_600);
            let within = TimeRange { from: begins, to: Time::from_micros(ends.micros() - 1) };
            let reads =
                (0..TIME_SLOTS).map(|slot| self.reader.happened(&name, slot, within, SLOT_EVENTS_MAX));
            let reads: Vec<_> = reads.collect();
            let slots: Vec<_> = stream::iter(reads).buffered(usize::from(TIME_SLOTS)).try_collect().await?;
            let Some(slots) = slots.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
            let is_cut = slots.iter().any(|slot| slot.len() >= SLOT_EVENTS_MAX);
            let events = slots.iter().flatten().map(|recorded| &recorded.event);
            let soft: Vec<RecipientId> = events
                .filter(|event| Measure::of(&event.what).name() == SOFT)
                .map(|event| event.recipient)
                .collect();
            // The index has not what is older than itself; nor, yet, what came in just now.
            let is_short = i64::try_from(soft.len()).is_ok_and(|soft| soft < counted) && ends <= self.now;
            let is_spent =
                (read + 1) * usize::from(TIME_SLOTS) > READS_MAX || found.recipients.len() >= RECIPIENTS_MAX;
            if is_cut || is_short || is_spent {
                return Ok(Some(Found { since: ends.min(self.now), complete: false, ..found }));
            }
            found.recipients.extend(soft.into_iter().map(|recipient| (name.clone(), recipient)));
        }
        Ok(Some(found))
    }
}

/// What soft bounces are counted as.
const SOFT: &str = "bounce_soft";

/// Who had soft bounces.
struct Found {
    since: Time,
    complete: bool,
    /// By stream.
    recipients: BTreeSet<(String, RecipientId)>,
}

#[cfg(test)]
mod tests {
    use crate::bench::{Answered, Bench, SERVER, nobody, now};
    use crate::token::Role;
    use http::Method;
    use ledger::{ServerId, Source};
    use serde_json::{Value, json};
    use store::Memory;
    use store::prelude::*;

    fn policy(count: u32) -> Value {
        json!({ "count": count, "messages": 1, "span_days": 0, "window_days": 30, "pause_days": 14 })
    }

    async fn put(bench: &Bench, body: Value) -> Answered {
        bench.call(Method::PUT, "policy", body.to_string().as_bytes()).await
    }

    /// So many soft bounces of an address on a stream, one a day, the last a day ago.
    async fn bounced(bench: &Bench, address: &str, stream: &str, count: i64) {
        for n in 1..=count {
            let body = json!({
                "RecordType": "Bounce", "MessageStream": stream, "ServerID": SERVER, "ID": 1_000 * i64::try_from(address.len()).unwrap() + n,
                "Type": "SoftBounce", "Inactive": false, "Email": address, "MessageID": format!("{address}-{n}"),
                "BouncedAt": now().plus_days(-n).to_string(),
            });
            bench.record(SERVER, body, Source::Webhook).await;
        }
    }

    #[tokio::test]
    async fn a_plan_counts_whose_verdict_would_be_another_in_each_direction_and_changes_nothing() {
        let bench = Bench::default();
        bounced(&bench, "a@x.example", "outbound", 2).await;
        bounced(&bench, "bb@x.example", "outbound", 4).await;
        bounced(&bench, "ccc@x.example", "broadcast", 4).await;
        let asked =
            |count: u32, kind: &str| json!({ "kind": kind, "policy": policy(count), "dry_run": true });
        let told = put(&bench, asked(3, "transactional")).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        let effect = &told.json()["effect"];
        let outbound = json!({ "recipients": 2, "stricter": 1, "more_lenient": 0 });
        assert_eq!((&effect["complete"], &effect["recipients"]), (&json!(true), &json!(2)));
        assert_eq!(effect["streams"], json!({ "outbound": outbound }), "of that kind of stream only");
        assert_eq!(bench.get("policy").await.json()["transactional"]["own"], json!([]));
        let audit = bench.get("audit").await.json();
        assert_eq!(audit["items"], json!([]), "a plan is no change");
        // What a strict policy holds, a lenient one lets go.
        let strict = json!({ "kind": "transactional", "policy": policy(1) });
        assert_eq!(put(&bench, strict).await.status(), 200);
        let effect = put(&bench, asked(3, "transactional")).await.json()["effect"].clone();
        let outbound = json!({ "recipients": 2, "stricter": 0, "more_lenient": 1 });
        assert_eq!(effect["streams"]["outbound"], outbound);
    }

    #[tokio::test]
    async fn a_delivery_that_clears_soft_bounces_counts_for_both_policies() {
        let bench = Bench::default();
        bounced(&bench, "bb@x.example", "outbound", 4).await;
        let body = json!({
            "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": SERVER, "MessageID": "later",
            "Recipient": "bb@x.example", "DeliveredAt": now().plus_seconds(-60).to_string(),
        });
        bench.record(SERVER, body, Source::Webhook).await;
        let asked = json!({ "kind": "transactional", "policy": policy(3), "dry_run": true });
        let effect = put(&bench, asked).await.json()["effect"].clone();
        assert_eq!(
            effect["streams"]["outbound"],
            json!({ "recipients": 1, "stricter": 0, "more_lenient": 0 })
        );
    }

    #[tokio::test]
    async fn where_there_is_no_index_by_time_nothing_is_counted() {
        let bench = Bench::beside(Memory::without_by_time(), nobody());
        bounced(&bench, "bb@x.example", "outbound", 4).await;
        let asked = json!({ "kind": "transactional", "policy": policy(3), "dry_run": true });
        let told = put(&bench, asked.clone()).await;
        assert_eq!((told.status(), told.json().get("effect")), (200, None), "{}", told.text());
    }

    #[tokio::test]
    async fn a_policy_applies_from_an_instant_on_and_never_backwards() {
        let bench = Bench::default();
        bounced(&bench, "bb@x.example", "outbound", 4).await;
        let verdict = async |at: &str| {
            let told = bench.get(&format!("recipients/bb@x.example?stream=outbound{at}")).await;
            told.json()["streams"]["outbound"]["verdict"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(verdict("").await, "send");
        let past = now().plus_seconds(-1).to_string();
        for (from, status) in [(past.as_str(), 400), ("yesterday", 400), ("", 400)] {
            let told =
                put(&bench, json!({ "kind": "transactional", "policy": policy(3), "from": from })).await;
            assert_eq!(told.status(), status, "{}", told.text());
        }
        let later = now().plus_days(2).to_string();
        let told = put(&bench, json!({ "kind": "transactional", "policy": policy(3), "from": later })).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        assert_eq!(verdict("").await, "send", "not yet");
        let until =
            put(&bench, json!({ "kind": "transactional", "policy": policy(9) })).await.json()["until"]
                .clone();
        assert_eq!(until, later, "what was set for later still comes");
        bench.pass(2 * 86_400);
        assert_eq!(verdict("").await, "risky");
        assert_eq!(
            verdict(&format!("&at={}", now())).await,
            "send",
            "what was answered then is answered still"
        );
        let kept = bench.get("policy").await.json();
        assert_eq!(kept["transactional"]["now"], policy(3));
        assert_eq!(kept["transactional"]["own"].as_array().unwrap().len(), 2);
        assert_eq!(kept["broadcast"]["now"], kept["stack"]);
        let audit = bench.get("audit").await.json();
        let steps: Vec<&Value> = audit["items"].as_array().unwrap().iter().collect();
        assert!(
            steps.iter().all(|step| step["what"] == "server.policy" && step["target"] == "transactional")
        );
        assert_eq!(steps.len(), 4);
    }

    #[tokio::test]
    async fn what_kept_evidence_cannot_decide_is_refused_and_a_viewer_neither_sees_nor_changes_policies() {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        let unsound =
            json!({ "count": 2, "messages": 3, "span_days": 0, "window_days": 30, "pause_days": 14 });
        assert_eq!(put(&bench, json!({ "kind": "broadcast", "policy": unsound })).await.status(), 400);
        let viewer = bench.token(Role::Viewer, Some(&[SERVER]), true).await;
        let path = format!("/v1/servers/{SERVER}/policy");
        let body = json!({ "kind": "broadcast", "policy": policy(3) }).to_string();
        for (method, body) in [(Method::GET, ""), (Method::PUT, body.as_str())] {
            assert_eq!(bench.ask(&viewer, method, &path, body.as_bytes()).await.status(), 403);
        }
    }
}
