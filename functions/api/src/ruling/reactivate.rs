//! Takes a recipient off Postmark's list, and allows again what was barred here, as far as the rules let it.
//!
//! Each stream of the scope is reactivated whole or refused: by a complaint, which nobody takes back; by an unsubscribe
//! without consent, both whether Postmark or an import told of it; by two reactivations within ninety days. Postmark comes first and may refuse too. What is on its list
//! leaves the view when Postmark tells so, never before. An allowance is one decision for the whole scope, so it is
//! made only where nothing in the scope is refused by a rule and where nobody in it ever complained.
//!
//! Where one mailbox is spelled in several ways, what holds any of its spellings is seen to, each by its own call and its
//! own decision: a check asks for all of them.

use super::{AT_ONCE, PATIENCE, Said, decide, in_time, no_postmark_token, scope_named, spelled, worded};
use crate::call::{Answer, Call};
use crate::mask::shown;
use crate::problem::Problem;
use crate::recipient::Named;
use crate::scope::Admin;
use answers::{Decision, ReactivateRequest, Reactivated, ReactivatedStream};
use futures_util::stream::{self, StreamExt as _};
use ledger::authority::{self, Withheld};
use ledger::event::{Bar, Cause, Fact, Ruling, WHOLE_SERVER};
use ledger::fold::{StreamView, View};
use ledger::verdict::{Code, Question, Verdict};
use ledger::{Event, RecipientId, Time};
use postmark_api::ServerApi;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::Recorded;
use tokio::time::Instant;

/// How many reactivations a stream may have within [`OFTEN_DAYS`].
const OFTEN: usize = 2;
/// Within how many days they are counted.
const OFTEN_DAYS: i64 = 90;
/// What follows on a lift or allowance within so many seconds is the same reactivation: Postmark's half comes later.
const SAME_SECONDS: i64 = 3_600;
/// Why nothing of ours is allowed where Postmark is to be left alone.
const STILL_LISTED: &str = "it is on Postmark's own list, so it must not be mailed there, whatever is \
    allowed here: reactivate it at Postmark too, or leave it";
/// Our word for that Postmark has done it; Postmark's begins with a capital.
const DONE: &str = "deleted";

/// Why a stream is not reactivated.
#[derive(Clone, Debug)]
struct Refused {
    code: &'static str,
    words: String,
}

impl Refused {
    fn new(code: &'static str, words: &str) -> Refused {
        Refused { code, words: words.to_owned() }
    }
}

impl From<Withheld> for Refused {
    fn from(withheld: Withheld) -> Refused {
        Refused::new(withheld.name(), withheld.words())
    }
}

/// A spelling of the recipient's address under which something is recorded.
struct Spelling {
    view: View,
    /// As it is spelled to Postmark; `None` where an id was given and the person was erased.
    address: Option<String>,
    /// Whether it is told of: it is not the one that was given.
    other: bool,
}

/// What holds a recipient on a stream, and what became of that.
#[derive(Debug)]
struct Held {
    /// In which spelling, by its place among them.
    spelling: usize,
    stream: String,
    /// The causes on Postmark's list.
    listed: Vec<Cause>,
    /// What bars it here.
    bars: Vec<Bar>,
    /// What else speaks against mailing, and is ours to allow.
    risks: BTreeSet<Code>,
    /// Whether it asked by a bounce to be taken off the list, which a lift of whatever cause would end too.
    asked_off: bool,
    refused: Option<Refused>,
    postmark: Option<Said>,
}

impl Held {
    fn was(&self) -> Vec<&'static str> {
        let mut was: Vec<&'static str> = self.listed.iter().map(|cause| cause.name()).collect();
        let ours = self.bars.iter().flat_map(|bar| bar.causes());
        for name in ours.chain(self.risks.iter().filter_map(|risk| risk_named(*risk))) {
            if !was.contains(&name) {
                was.push(name);
            }
        }
        was
    }

    /// Whether anything of it is ours to allow.
    fn is_ours(&self) -> bool {
        !self.bars.is_empty() || !self.risks.is_empty()
    }

    /// The causes that would be undone.
    fn causes(&self) -> impl Iterator<Item = Cause> {
        let barred = self.bars.iter().filter_map(|bar| bar.cause());
        let asked = self.asked_off.then_some(Cause::Unsubscribe);
        self.listed.iter().copied().chain(barred).chain(asked)
    }

    /// Whether nothing of Postmark's stands in the way any more.
    fn clear(&self) -> bool {
        self.refused.is_none() && (self.listed.is_empty() || self.postmark == Some(Said::Done))
    }

    fn done(&self, decided: &Decided) -> bool {
        self.clear() && (!self.is_ours() || decided.contains_key(&self.spelling))
    }
}

/// # Errors
/// A conflict where all is refused, no Postmark token is kept or the address is not known.
pub(crate) async fn reactivate(admin: &Admin<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let named = Named::of(admin, name).await?;
    let asked: ReactivateRequest = call.json()?;
    scope_named(&asked.stream)?;
    worded("reason", &asked.reason)?;
    asked.consent.as_deref().map(|consent| worded("consent", consent)).transpose()?;
    admin.stream(&asked.stream, asked.unknown_stream).await?;

    let spellings = spellings(admin, &named).await?;
    let known = spellings.iter().find_map(|spelling| spelling.view.address.as_deref());
    // What the caller has typed is no secret to it.
    let told_address = named.given.clone().or_else(|| shown(known, admin.caller().reveals()));
    let answered = |results: Vec<ReactivatedStream>, decisions: Vec<Decision>| {
        let mut decisions = decisions.into_iter();
        Answer::json(&Reactivated {
            address: told_address,
            results,
            decision: decisions.next(),
            other_decisions: decisions.collect(),
            cleaned: named.cleaned(),
        })
    };
    let held = held(admin, &spellings, &asked).await?;
    if held.is_empty() {
        return Ok(answered(Vec::new(), Vec::new()));
    }
    let open = || held.iter().filter(|held| held.refused.is_none());
    if open().any(|held| spellings[held.spelling].address.is_none()) {
        let detail = "the person was erased, so the address is not known here any more";
        let problem = Problem::conflict("no-address", "The address is not known", detail);
        return Err(problem.next("name the recipient by its address, not by its id"));
    }
    let api = if open().any(|held| !held.listed.is_empty()) {
        let otherwise = "or take it off the list in Postmark's own pages";
        Some(admin.postmark().await?.ok_or_else(|| no_postmark_token(admin, otherwise))?)
    } else {
        None
    };
    let mut before: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for held in &held {
        before.entry(&held.stream).or_default().extend(held.was());
    }
    let before = json!(before);
    let noted = json!({
        "stream": asked.stream,
        "reason": asked.why,
        "consent": asked.consent.is_some(),
        "postmark": asked.postmark,
    });
    let change = done(admin, api.as_ref(), &asked, &spellings, held);
    let target = Some(named.id().to_string());
    let (held, decided) = admin.change_of("reactivate", target, before, noted, change).await?;
    let mut decisions = Vec::new();
    for event in decided.values() {
        decisions.push(Decision { event: event.identity, recorded: admin.recorded(event).await });
    }
    Ok(answered(results(&held, &spellings, &decided), decisions))
}

/// The spellings of a recipient's address under which something with state is recorded, its own first.
async fn spellings(admin: &Admin<'_>, named: &Named) -> Result<Vec<Spelling>, Problem> {
    let views = admin.views(&named.ids).await?;
    let address = |place: usize, view: &View| match named.recipient.address() {
        Some(given) if place == 0 => Some(view.address.clone().unwrap_or_else(|| given.text().to_owned())),
        Some(given) => Some(view.address.clone().unwrap_or_else(|| given.keys()[place].clone())),
        None => view.address.clone(),
    };
    let spelling = |(place, view): (usize, Option<View>)| {
        let view = view?;
        let address = address(place, &view).map(|address| spelled(&address));
        Some(Spelling { view, address, other: place > 0 })
    };
    Ok(views.into_iter().enumerate().filter_map(spelling).collect())
}

/// What holds the recipient on each stream of the scope, and whether a rule keeps it there.
async fn held(
    admin: &Admin<'_>,
    spellings: &[Spelling],
    asked: &ReactivateRequest,
) -> Result<Vec<Held>, Problem> {
    let (now, settings) = (admin.now(), admin.settings().await?);
    let whole = asked.stream == WHOLE_SERVER;
    let mut events: Vec<Recorded> = Vec::new();
    for spelling in spellings {
        events.extend(admin.state_events(spelling.view.recipient).await?);
    }
    let places = spellings.iter().enumerate().flat_map(|(place, Spelling { view, .. })| {
        let streams: Vec<&String> = if whole { view.streams.keys().collect() } else { vec![&asked.stream] };
        streams.into_iter().map(move |stream| (place, view, stream))
    });
    let (mut all, mut complained, mut asked_off) = (Vec::new(), false, false);
    for (spelling, view, stream) in places.collect::<Vec<_>>() {
        let here = view.streams.get(stream);
        let listed = here.into_iter().flat_map(StreamView::live_causes).map(|(cause, _)| cause).collect();
        let bars = view.bars(stream).filter(|(_, scope, _)| !whole || scope == stream);
        let bars = bars.map(|(bar, _, _)| bar).collect();
        let (risks, barred) = if stream == WHOLE_SERVER {
            (BTreeSet::new(), false)
        } else {
            let kind = settings.kind(stream);
            let policy = settings.policies(kind).at(now, admin.policy());
            risks(admin, view.recipient, &Question { view, stream, kind, policy, at: now }).await?
        };
        complained |= barred || view.complained_within(stream);
        asked_off |= view.removal(stream).is_some();
        let held = Held {
            spelling,
            stream: stream.clone(),
            listed,
            bars,
            risks: BTreeSet::new(),
            asked_off: view.removal(stream).is_some(),
            refused: None,
            postmark: None,
        };
        all.push((held, risks));
    }
    let listed = all.iter().any(|(held, _)| !held.listed.is_empty());
    let mut all: Vec<Held> = all
        .into_iter()
        .map(|(mut held, risks)| {
            // Where Postmark lists it, that is what is to be undone: the rest is seen to when it has left the list.
            if !listed {
                held.risks = risks;
            }
            held
        })
        .filter(|held| !held.was().is_empty())
        .collect();
    for held in &mut all {
        held.refused = refusal(held, [complained, asked_off], asked, &events, now);
    }
    // What Postmark lists stays barred there, and an allowance of ours would end what its list says of other streams.
    for held in all.iter_mut().filter(|held| !asked.postmark && !held.listed.is_empty()) {
        held.refused.get_or_insert_with(|| Refused::new("postmark", STILL_LISTED));
    }
    // An allowance would be one for the refused streams too.
    let elsewhere = all.iter().find_map(|held| held.refused.clone());
    for held in all.iter_mut().filter(|held| held.refused.is_none() && held.is_ours()) {
        held.refused = elsewhere.clone().map(|refused| Refused {
            words: format!("{} (another stream of the scope: name this one alone)", refused.words),
            ..refused
        });
    }
    Ok(all)
}

/// What a risk that is ours to allow is called.
const fn risk_named(code: Code) -> Option<&'static str> {
    match code {
        Code::HardBounce => Some("hard_bounce"),
        Code::InvalidAddress => Some("invalid_address"),
        Code::RemovalRequested => Some("removal_requested"),
        Code::SoftBounces | Code::EvidenceTruncated => Some("soft_bounces"),
        Code::Complained => Some("complained"),
        _ => None,
    }
}

/// What speaks against mailing on a stream though nothing bars it, and whether a complaint does.
async fn risks(
    admin: &Admin<'_>,
    recipient: RecipientId,
    question: &Question<'_>,
) -> Result<(BTreeSet<Code>, bool), Problem> {
    let evidence = admin.evidence(recipient, question).await?;
    let risks = question.answer(&evidence).reasons.into_iter().filter(|reason| match reason.code {
        // Risky it stays, whatever is allowed.
        Code::Complained => reason.verdict == Verdict::DoNotSend,
        code => risk_named(code).is_some(),
    });
    let risks: BTreeSet<Code> = risks.map(|reason| reason.code).collect();
    let complained = risks.contains(&Code::Complained);
    Ok((risks, complained))
}

/// The rule that keeps a stream as it is, if one does. `within`: whether it complained, and whether it asked by a bounce to
/// be taken off, somewhere in the scope: an allowance of ours is one for all of it.
fn refusal(
    held: &Held,
    within: [bool; 2],
    asked: &ReactivateRequest,
    events: &[Recorded],
    now: Time,
) -> Option<Refused> {
    let within = [Cause::Complaint, Cause::Unsubscribe].into_iter().zip(within);
    let within = within.filter_map(|(cause, is)| (is && held.is_ours()).then_some(cause));
    if let Err(withheld) = authority::undo(held.causes().chain(within), asked.consent.is_some()) {
        return Some(withheld.into());
    }
    if reactivations(events, &held.stream, now) >= OFTEN {
        let words = format!("it was reactivated {OFTEN} times within {OFTEN_DAYS} days already");
        return Some(Refused { code: "too_often", words });
    }
    None
}

/// How often a stream was reactivated lately: by Postmark's lifts and by allowances of ours.
fn reactivations(events: &[Recorded], stream: &str, now: Time) -> usize {
    let within = now.plus_days(-OFTEN_DAYS)..=now;
    let ended = |fact| match fact {
        Fact::Lifted { stream, at } | Fact::Allowed { stream, at } => Some((stream, at)),
        _ => None,
    };
    let ended = events.iter().flat_map(|recorded| recorded.event.facts()).filter_map(ended);
    let here = ended.filter(|(on, at)| (on == stream || on == WHOLE_SERVER) && within.contains(at));
    let mut times: Vec<Time> = here.map(|(_, at)| at).collect();
    times.sort_unstable();
    let (mut count, mut last) = (0, None);
    for at in times {
        if last.is_none_or(|last: Time| at > last.plus_seconds(SAME_SECONDS)) {
            (count, last) = (count + 1, Some(at));
        }
    }
    count
}

/// What was allowed, by the place of its spelling.
type Decided = BTreeMap<usize, Event>;
type Done = Result<((Vec<Held>, Decided), Value), (Problem, Value)>;

/// Does what no rule forbids: at Postmark, then by an allowance.
async fn done(
    admin: &Admin<'_>,
    api: Option<&ServerApi>,
    asked: &ReactivateRequest,
    spellings: &[Spelling],
    mut held: Vec<Held>,
) -> Done {
    if let Some(api) = api {
        lift(api, spellings, &mut held).await;
    }
    let mut decided = Decided::new();
    let allowable = held.iter().filter(|held| held.clear() && held.is_ours());
    for place in allowable.map(|held| held.spelling).collect::<BTreeSet<_>>() {
        let reason = match &asked.consent {
            Some(consent) => format!("{}; consent: {consent}", asked.reason),
            None => asked.reason.clone(),
        };
        let address = spellings[place].address.as_deref().unwrap_or_default();
        match decide(admin, &asked.stream, address, Ruling::Allow, &reason).await {
            Ok(event) => drop(decided.insert(place, event)),
            // What was done is told; where that is nothing, it failed whole.
            Err(problem)
                if !decided.is_empty() || held.iter().any(|held| held.postmark == Some(Said::Done)) =>
            {
                tracing::error!(code = problem.code(), "an allowance could not be sent");
            }
            Err(problem) => {
                let told = json!({ "problem": problem.code() });
                return Err((problem, told));
            }
        }
    }
    let identities = decided.values().map(|event| event.identity);
    let mut told = json!({
        "results": held.iter().map(|held| noted(held, &decided)).collect::<Vec<_>>(),
        "decision": identities.clone().next(),
    });
    if decided.len() > 1 {
        told["other_decisions"] = json!(identities.skip(1).collect::<Vec<_>>());
    }
    if held.iter().all(|held| held.refused.is_some()) {
        let detail = "every stream is refused; results says why";
        let problem = Problem::conflict("refused", "The recipient is not reactivated", detail);
        let problem = problem.next("do what results says, or leave the recipient as it is");
        return Err((problem.results(results(&held, spellings, &decided)), told));
    }
    Ok(((held, decided), told))
}

/// Asks Postmark to take the address off each list that no rule keeps it on.
async fn lift(api: &ServerApi, spellings: &[Spelling], held: &mut [Held]) {
    let until = Instant::now() + PATIENCE;
    let listed = held.iter_mut().filter(|held| held.refused.is_none() && !held.listed.is_empty());
    let calls = listed.map(|held| async move {
        let address = spellings[held.spelling].address.as_deref().unwrap_or_default();
        let addresses = [address];
        let answer = in_time(until, api.unsuppress(&held.stream, &addresses)).await;
        let said = Said::of(&answer, address, "Deleted");
        if matches!(said, Said::Failed(_)) {
            held.refused = Some(Refused::new("postmark", "Postmark refuses to take it off its list"));
        }
        held.postmark = Some(said);
    });
    stream::iter(calls.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<()>().await;
}

fn results(held: &[Held], spellings: &[Spelling], decided: &Decided) -> Vec<ReactivatedStream> {
    let refused =
        |refused: &Refused| answers::Refused { code: refused.code.to_owned(), words: refused.words.clone() };
    let told = |held: &Held| {
        let spelling = &spellings[held.spelling];
        ReactivatedStream {
            stream: held.stream.clone(),
            // The caller knows it: it is how the address that was given may be written too.
            spelling: spelling.address.clone().filter(|_| spelling.other),
            was: held.was().into_iter().map(str::to_owned).collect(),
            done: held.done(decided),
            refused: held.refused.as_ref().map(refused),
            postmark: held.postmark.as_ref().map(|said| said.told(DONE)),
            awaits: (held.postmark == Some(Said::Done)).then(|| "SubscriptionChange".to_owned()),
        }
    };
    held.iter().map(told).collect()
}

/// What the audit says of a stream: codes alone.
fn noted(held: &Held, decided: &Decided) -> Value {
    let mut noted = json!({ "stream": held.stream, "done": held.done(decided) });
    if let Some(refused) = &held.refused {
        noted["refused"] = refused.code.into();
    }
    if let Some(said) = &held.postmark {
        noted["postmark"] = said.code(DONE).into();
    }
    noted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Bench, SERVER, Told};
    use ledger::{LedgerKey, ServerId, Source};
    use store::Store as _;

    /// What Postmark tells of a list: an entry with a reason and its origin, or a leave.
    async fn change(bench: &Bench, who: &str, stream: &str, at: &str, reason: Option<(&str, &str)>) {
        let (cause, origin) = reason.map_or((None, "Customer"), |(cause, origin)| (Some(cause), origin));
        let body = json!({
            "RecordType": "SubscriptionChange", "MessageStream": stream, "ServerID": SERVER,
            "MessageID": null, "Recipient": who, "ChangedAt": at, "Origin": origin,
            "SuppressSending": cause.is_some(), "SuppressionReason": cause,
        });
        bench.record(SERVER, body, Source::Webhook).await;
    }

    const HARD: Option<(&str, &str)> = Some(("HardBounce", "Recipient"));
    const COMPLAINT: Option<(&str, &str)> = Some(("SpamComplaint", "Recipient"));
    const UNSUBSCRIBE: Option<(&str, &str)> = Some(("ManualSuppression", "Recipient"));
    const IDA: &str = "ida@customer.example";
    const DAY: &str = "2026-11-20T08:00:00Z";

    async fn bounce(bench: &Bench, bounce_type: &str, message: usize, at: &str) {
        let body = json!({
            "RecordType": "Bounce", "MessageStream": "broadcast", "ServerID": SERVER, "ID": message,
            "MessageID": format!("883953f4-6105-42a2-a16a-{message:012}"), "Email": IDA, "BouncedAt": at,
            "Type": bounce_type, "Inactive": false,
        });
        bench.record(SERVER, body, Source::Webhook).await;
    }

    async fn bar(bench: &Bench, stream: &str, at: &str) {
        bar_for(bench, stream, at, Bar::Decision).await;
    }

    async fn bar_for(bench: &Bench, stream: &str, at: &str, bar: Bar) {
        let decision = postmark::Decision {
            id: "AAECAwQFBgcICQoLDA0ODw",
            stream,
            address: IDA,
            ruling: Ruling::Suppress(bar),
            reason: "r",
            actor: "a",
            at: at.parse().unwrap(),
        };
        bench.record(SERVER, decision.body(), Source::Operator).await;
    }

    async fn ask(bench: &Bench, who: &str, stream: &str, consent: Option<&str>) -> Told {
        let mut body = json!({ "stream": stream, "reason": "called by ida@customer.example" });
        if let Some(consent) = consent {
            body["consent"] = consent.into();
        }
        bench.post(&format!("recipients/{who}/reactivate"), body).await
    }

    fn code(told: &Told) -> Value {
        told.json()["results"][0]["refused"]["code"].clone()
    }

    fn id() -> RecipientId {
        LedgerKey::for_tests().recipient_id(ServerId::new(SERVER).unwrap(), IDA)
    }

    #[tokio::test(start_paused = true)]
    async fn a_hard_bounce_is_taken_off_postmarks_list_and_the_view_waits_for_postmark() {
        let (bench, lists) = Bench::with_lists().await;
        change(&bench, "Ida@customer.example", "outbound", DAY, HARD).await;
        let told = ask(&bench, IDA, "outbound", None).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        assert_eq!(
            told.json(),
            json!({
                "address": IDA,
                "results": [{
                    "stream": "outbound", "was": ["hard_bounce"], "done": true,
                    "postmark": { "status": "deleted" }, "awaits": "SubscriptionChange",
                }],
                "decision": null,
            })
        );
        let asked = (
            "/message-streams/outbound/suppressions/delete".to_owned(),
            vec!["Ida@customer.example".to_owned()],
        );
        assert_eq!(lists.asked(), [asked], "as the view spells it");
        assert!(bench.decided().await.is_empty(), "nothing is written by us");
        let checked = json!({ "stream": "outbound", "addresses": [IDA] });
        assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "do_not_send");
    }

    #[tokio::test(start_paused = true)]
    async fn a_complaint_is_refused_before_anybody_is_asked() {
        let (bench, lists) = Bench::with_lists().await;
        change(&bench, IDA, "outbound", DAY, COMPLAINT).await;
        change(&bench, IDA, "outbound", DAY, HARD).await;
        bar(&bench, "outbound", DAY).await;
        let told = ask(&bench, IDA, "outbound", Some("by telephone")).await;
        assert_eq!((told.status(), code(&told)), (409, json!("complaint")));
        assert_eq!(told.json()["type"], "urn:postledger:problem:refused");
        assert_eq!(told.json()["results"][0]["was"], json!(["hard_bounce", "complaint", "decision"]));
        assert!(lists.asked().is_empty() && bench.decided().await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_unsubscribe_takes_consent_and_postmark_may_refuse_it_all_the_same() {
        let (bench, lists) = Bench::with_lists().await;
        change(&bench, IDA, "outbound", DAY, UNSUBSCRIBE).await;
        change(&bench, "kept@customer.example", "outbound", DAY, UNSUBSCRIBE).await;
        let told = ask(&bench, IDA, "outbound", None).await;
        assert_eq!((told.status(), code(&told), lists.asked().len()), (409, json!("consent"), 0));
        let told = ask(&bench, IDA, "outbound", Some("form of 20 November")).await;
        assert_eq!((told.status(), &told.json()["results"][0]["done"]), (200, &json!(true)));
        let told = ask(&bench, "kept@customer.example", "outbound", Some("form")).await;
        assert_eq!((told.status(), code(&told)), (409, json!("postmark")));
        let postmark = told.json()["results"][0]["postmark"].clone();
        assert_eq!(postmark["status"], "failed");
        assert!(postmark["message"].as_str().unwrap().contains("authority"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_third_reactivation_in_ninety_days_is_refused() {
        let (bench, _) = Bench::with_lists().await;
        let before = ["2026-07-01T08:00:00Z", "2026-10-01T08:00:00Z"];
        for at in before {
            change(&bench, IDA, "outbound", at, None).await;
        }
        change(&bench, IDA, "broadcast", "2026-11-02T08:00:00Z", None).await;
        change(&bench, IDA, "outbound", DAY, HARD).await;
        assert_eq!(
            ask(&bench, IDA, "outbound", None).await.status(),
            200,
            "one is old, one another stream's"
        );
        change(&bench, IDA, "outbound", "2026-10-01T08:59:00Z", None).await;
        assert_eq!(ask(&bench, IDA, "outbound", None).await.status(), 200, "told twice, it is one");
        change(&bench, IDA, "outbound", "2026-11-01T08:00:00Z", None).await;
        let told = ask(&bench, IDA, "outbound", None).await;
        assert_eq!((told.status(), code(&told)), (409, json!("too_often")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bar_of_ours_is_lifted_by_one_allowance_with_reason_and_consent() {
        let bench = Bench::default();
        for (stream, scope) in [("outbound", "outbound"), ("*", "outbound"), ("outbound", "*")] {
            let bench = Bench::default();
            bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
            bar(&bench, stream, DAY).await;
            let told = ask(&bench, IDA, scope, Some("form")).await;
            assert_eq!(told.status(), 200, "{}", told.text());
            let results = told.json()["results"].clone();
            assert_eq!(
                results,
                json!([{ "stream": "outbound", "was": ["decision"], "done": true }]),
                "{stream}, {scope}"
            );
            assert_eq!(told.json()["decision"]["recorded"], false, "nobody records here");
            let decided = bench.settle().await;
            assert_eq!((decided.len(), &decided[0]["Ruling"]), (1, &json!("allow")));
            assert_eq!(decided[0]["MessageStream"], scope);
            assert_eq!(decided[0]["Reason"], "called by ida@customer.example; consent: form");
            let checked = json!({ "stream": "outbound", "addresses": [IDA] });
            assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "send");
            let again = ask(&bench, IDA, scope, None).await.json();
            assert_eq!((&again["results"], &again["decision"]), (&json!([]), &Value::Null));
        }
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        let told = ask(&bench, IDA, "outbound", None).await;
        assert_eq!(told.json(), json!({ "address": IDA, "results": [], "decision": null }));
    }

    #[tokio::test(start_paused = true)]
    async fn soft_and_dead_marks_are_allowed_again_where_nothing_is_listed() {
        let bench = Bench::default();
        for (n, day) in ["01", "04", "08", "12", "16", "20"].into_iter().enumerate() {
            bounce(&bench, "SoftBounce", n + 1, &format!("2026-11-{day}T08:00:00Z")).await;
        }
        bounce(&bench, "HardBounce", 9, DAY).await;
        let told = ask(&bench, IDA, "broadcast", None).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        assert_eq!(told.json()["results"][0]["was"], json!(["hard_bounce", "soft_bounces"]));
        assert_eq!(bench.settle().await.len(), 1);
        let checked = json!({ "stream": "broadcast", "addresses": [IDA] });
        assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "send");

        let (bench, _) = Bench::with_lists().await;
        bounce(&bench, "HardBounce", 9, DAY).await;
        change(&bench, IDA, "broadcast", DAY, HARD).await;
        let told = ask(&bench, IDA, "broadcast", None).await.json();
        assert_eq!((&told["results"][0]["was"], &told["decision"]), (&json!(["hard_bounce"]), &Value::Null));
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_server_is_done_stream_by_stream_and_allowed_only_where_none_is_refused() {
        let (bench, lists) = Bench::with_lists().await;
        change(&bench, IDA, "outbound", DAY, HARD).await;
        change(&bench, IDA, "news", DAY, HARD).await;
        bar(&bench, "*", DAY).await;
        let told = ask(&bench, IDA, "*", None).await.json();
        let streams: Vec<_> = told["results"].as_array().unwrap().iter().map(|one| &one["stream"]).collect();
        assert_eq!(streams, ["*", "news", "outbound"]);
        assert!(told["results"].as_array().unwrap().iter().all(|one| one["done"] == true), "{told}");
        assert_eq!((lists.asked().len(), bench.decided().await.len()), (2, 1));

        change(&bench, IDA, "broadcast", DAY, UNSUBSCRIBE).await;
        let told = ask(&bench, IDA, "*", None).await;
        assert_eq!(told.status(), 200);
        let done: Vec<_> =
            told.json()["results"].as_array().unwrap().iter().map(|one| one["done"].clone()).collect();
        assert_eq!(done, [false, false, true, true], "the bar and the unsubscribe stay");
        assert_eq!(told.json()["results"][0]["refused"]["code"], "consent");
        assert!(bench.decided().await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn every_spelling_of_the_address_is_reactivated_or_none_is_said_to_be() {
        let (bench, lists) = Bench::with_lists().await;
        let quoted = "\"ida\"@customer.example";
        let verdict = async |bench: &Bench| {
            let told = bench.post("check", json!({ "stream": "outbound", "addresses": [IDA] })).await.json();
            told["results"][0]["verdict"].clone()
        };
        change(&bench, IDA, "outbound", DAY, HARD).await;
        change(&bench, quoted, "outbound", DAY, HARD).await;
        let told = ask(&bench, IDA, "outbound", None).await.json();
        let spelled = |told: &Value| {
            let results = told["results"].as_array().unwrap().iter();
            results.map(|one| one.get("spelling").cloned()).collect::<Vec<_>>()
        };
        assert_eq!(spelled(&told), [None, Some(json!(quoted))]);
        let asked: Vec<Vec<String>> = lists.asked().into_iter().map(|(_, addresses)| addresses).collect();
        assert_eq!(asked, [[quoted], [IDA]], "Postmark is asked about each");
        change(&bench, IDA, "outbound", "2026-11-21T08:00:00Z", None).await;
        assert_eq!(verdict(&bench).await, "do_not_send", "the other one is listed still");
        change(&bench, quoted, "outbound", "2026-11-21T08:00:00Z", None).await;
        assert_eq!(verdict(&bench).await, "send");

        let body = json!({
            "addresses": [IDA, quoted], "stream": "outbound", "reason": "r", "postmark": false,
        });
        assert_eq!(bench.post("suppressions", body).await.status(), 200);
        assert_eq!(bench.settle().await.len(), 2);
        bench.pass(60);
        let told = ask(&bench, quoted, "outbound", None).await.json();
        assert_eq!(spelled(&told), [None, Some(json!(IDA))]);
        assert!(told["results"].as_array().unwrap().iter().all(|one| one["done"] == true), "{told}");
        assert_eq!(told["other_decisions"].as_array().unwrap().len(), 1);
        assert_eq!(bench.settle().await.len(), 2);
        assert_eq!(verdict(&bench).await, "send");

        change(&bench, quoted, "outbound", "2026-11-22T08:00:00Z", COMPLAINT).await;
        bar(&bench, "outbound", "2026-11-25T12:01:00Z").await;
        let told = ask(&bench, IDA, "outbound", None).await;
        assert_eq!((told.status(), code(&told)), (409, json!("complaint")), "one person complained");
    }

    #[tokio::test(start_paused = true)]
    async fn a_complaint_that_is_lifted_still_forbids_an_allowance_but_no_lift() {
        let (bench, lists) = Bench::with_lists().await;
        change(&bench, IDA, "broadcast", "2026-11-01T08:00:00Z", COMPLAINT).await;
        change(&bench, IDA, "broadcast", "2026-11-02T08:00:00Z", None).await;
        let told = ask(&bench, IDA, "broadcast", None).await;
        assert_eq!((told.status(), code(&told)), (409, json!("complaint")));
        assert_eq!(told.json()["results"][0]["was"], json!(["complained"]));
        change(&bench, IDA, "broadcast", DAY, HARD).await;
        assert_eq!(ask(&bench, IDA, "broadcast", None).await.status(), 200);
        assert_eq!(lists.asked().len(), 1);
        bar(&bench, "broadcast", DAY).await;
        let told = ask(&bench, IDA, "broadcast", None).await;
        assert_eq!((told.status(), code(&told), lists.asked().len()), (409, json!("complaint"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_imported_complaint_is_refused_and_an_imported_unsubscribe_takes_consent() {
        for scope in ["outbound", "*"] {
            let bench = Bench::default();
            bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
            bar_for(&bench, scope, DAY, Bar::Import(Some(Cause::Complaint))).await;
            for asked in ["outbound", "*"] {
                let told = ask(&bench, IDA, asked, Some("by telephone")).await;
                assert_eq!((told.status(), code(&told)), (409, json!("complaint")), "{scope}, {asked}");
                let was = told.json()["results"][0]["was"].clone();
                assert_eq!(was, json!(["complaint", "import"]));
            }
            let bench = Bench::default();
            bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
            bar_for(&bench, scope, DAY, Bar::Import(Some(Cause::Unsubscribe))).await;
            let told = ask(&bench, IDA, "outbound", None).await;
            assert_eq!((told.status(), code(&told)), (409, json!("consent")), "{scope}");
            assert!(bench.decided().await.is_empty());
            let told = ask(&bench, IDA, "outbound", Some("form of 20 November")).await;
            assert_eq!((told.status(), &told.json()["results"][0]["done"]), (200, &json!(true)));
            assert_eq!(bench.settle().await.len(), 1);
            let checked = json!({ "stream": "outbound", "addresses": [IDA] });
            assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "send");
        }
        for cause in [None, Some(Cause::HardBounce), Some(Cause::Manual), Some(Cause::Unknown)] {
            let bench = Bench::default();
            bar_for(&bench, "outbound", DAY, Bar::Import(cause)).await;
            assert_eq!(ask(&bench, IDA, "outbound", None).await.status(), 200, "{cause:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asked_for_removal_by_a_bounce_is_mailed_again_by_consent_alone() {
        let bench = Bench::default();
        bounce(&bench, "Unsubscribe", 9, DAY).await;
        let checked = json!({ "stream": "broadcast", "addresses": [IDA] });
        let result = bench.post("check", checked.clone()).await.json()["results"][0].clone();
        assert_eq!(
            (&result["verdict"], &result["reasons"][0]["code"]),
            (&json!("risky"), &json!("removal_requested"))
        );
        let told = ask(&bench, IDA, "broadcast", None).await;
        assert_eq!((told.status(), code(&told)), (409, json!("consent")));
        assert_eq!(told.json()["results"][0]["was"], json!(["removal_requested"]));
        // A lift would end the request as well.
        change(&bench, IDA, "broadcast", DAY, HARD).await;
        let told = ask(&bench, IDA, "broadcast", None).await;
        assert_eq!((told.status(), code(&told)), (409, json!("consent")));
        change(&bench, IDA, "broadcast", "2026-11-21T08:00:00Z", None).await;
        assert_eq!(bench.post("check", checked.clone()).await.json()["results"][0]["verdict"], "send");
        bounce(&bench, "Unsubscribe", 10, "2026-11-22T08:00:00Z").await;
        assert_eq!(ask(&bench, IDA, "broadcast", Some("form")).await.status(), 200);
        bench.settle().await;
        assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "send");
    }

    #[tokio::test(start_paused = true)]
    async fn a_postmark_that_does_not_answer_is_told_and_nothing_is_allowed_then() {
        for who in ["slow@x.example", "down@x.example", "forgotten@x.example"] {
            let (bench, _) = Bench::with_lists().await;
            change(&bench, who, "outbound", DAY, HARD).await;
            let told = ask(&bench, who, "outbound", None).await;
            assert_eq!(told.status(), 200, "{}", told.text());
            let result = told.json()["results"][0].clone();
            assert_eq!(
                (&result["done"], &result["postmark"]["status"]),
                (&json!(false), &json!("unavailable"))
            );
            assert!(result.get("refused").is_none() && result.get("awaits").is_none());
            assert!(bench.decided().await.is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_token_what_is_listed_stays_and_what_is_refused_is_refused() {
        let bench = Bench::default();
        change(&bench, IDA, "outbound", DAY, HARD).await;
        let told = ask(&bench, IDA, "outbound", None).await;
        assert_eq!(
            (told.status(), &told.json()["type"]),
            (409, &json!("urn:postledger:problem:no-postmark-token"))
        );
        change(&bench, IDA, "outbound", DAY, COMPLAINT).await;
        assert_eq!(code(&ask(&bench, IDA, "outbound", None).await), "complaint");
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_erased_is_named_by_address() {
        let (bench, lists) = Bench::with_lists().await;
        change(&bench, IDA, "outbound", DAY, HARD).await;
        let server = ServerId::new(SERVER).unwrap();
        let by_id = format!("id:{}", id());
        let told = ask(&bench, &by_id, "outbound", None).await;
        assert_eq!((told.status(), &told.json()["address"]), (200, &json!(IDA)));
        store::erase::strip(&*bench.store, server, id()).await.unwrap();
        let told = ask(&bench, &by_id, "outbound", None).await;
        assert_eq!((told.status(), &told.json()["type"]), (409, &json!("urn:postledger:problem:no-address")));
        assert_eq!(ask(&bench, IDA, "outbound", None).await.status(), 200);
        assert_eq!(lists.asked().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn where_postmark_is_to_be_left_alone_what_is_ours_is_allowed_and_its_list_keeps_its_say() {
        let (bench, lists) = Bench::with_lists().await;
        let ours_alone = async |stream: &str| {
            let body = json!({ "stream": stream, "reason": "r", "postmark": false });
            bench.post(&format!("recipients/{IDA}/reactivate"), body).await.json()
        };
        bar(&bench, "outbound", DAY).await;
        let told = ours_alone("outbound").await;
        assert_eq!(
            (&told["results"][0]["done"], &told["results"][0]["was"][0]),
            (&json!(true), &json!("decision"))
        );
        assert!(told["decision"]["event"].is_string() && lists.asked().is_empty(), "Postmark is not asked");
        // Where Postmark lists it, an allowance would make nothing mailable there, and end what is said elsewhere.
        change(&bench, IDA, "broadcast", DAY, HARD).await;
        bar_for(&bench, "broadcast", DAY, Bar::Import(Some(Cause::HardBounce))).await;
        for scope in ["broadcast", "*"] {
            let told = ours_alone(scope).await;
            assert_eq!(told["results"][0]["refused"]["code"], "postmark", "{scope}: {told}");
        }
        assert!(lists.asked().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asked_by_a_bounce_to_be_taken_off_is_allowed_by_no_wider_scope_without_consent() {
        let (bench, lists) = Bench::with_lists().await;
        bounce(&bench, "Unsubscribe", 1, DAY).await;
        change(&bench, IDA, "outbound", DAY, HARD).await;
        bar(&bench, "*", DAY).await;
        let told = ask(&bench, IDA, "*", None).await;
        let results = told.json()["results"].clone();
        let ours = results.as_array().unwrap().iter().find(|one| one["stream"] == "*").unwrap().clone();
        assert_eq!(ours["refused"]["code"], "consent", "{results}");
        assert!(lists.asked().len() <= 1, "nothing of ours is decided");
        let told = ask(&bench, IDA, "*", Some("by telephone")).await;
        assert!(told.json()["decision"]["event"].is_string(), "{}", told.text());
    }

    #[tokio::test(start_paused = true)]
    async fn the_audit_has_causes_codes_and_choices_but_no_words_and_no_address() {
        let (bench, _) = Bench::with_lists().await;
        change(&bench, IDA, "outbound", DAY, UNSUBSCRIBE).await;
        ask(&bench, IDA, "outbound", None).await;
        ask(&bench, IDA, "outbound", Some("by telephone")).await;
        let audit = bench.get("audit").await;
        assert!(!audit.text().contains("customer.example"));
        let items = audit.json()["items"].clone();
        let of = |phase: &str| {
            let found = items.as_array().unwrap().iter().filter(|one| one["phase"] == phase);
            found.cloned().collect::<Vec<Value>>()
        };
        assert_eq!(of("begun").len(), 2);
        assert_eq!(of("begun")[0]["before"], json!({ "outbound": ["unsubscribe"] }));
        assert_eq!(of("begun")[0]["target"], id().to_string());
        let asked = json!({ "stream": "outbound", "reason": "other", "consent": true, "postmark": true });
        assert!(!audit.text().contains("called") && !audit.text().contains("telephone"));
        assert!(of("begun").iter().any(|one| one["after"] == asked), "{items}");
        let refused = json!([{ "stream": "outbound", "done": false, "refused": "consent" }]);
        assert_eq!(of("failed")[0]["after"], json!({ "results": refused, "decision": null }));
        let done = json!([{ "stream": "outbound", "done": true, "postmark": "deleted" }]);
        assert_eq!(of("done")[0]["after"], json!({ "results": done, "decision": null }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_none_is_refused() {
        let (bench, lists) = Bench::with_lists().await;
        change(&bench, IDA, "outbound", DAY, HARD).await;
        for wrong in [
            json!({ "stream": "outbound" }),
            json!({ "stream": "outbound", "reason": "" }),
            json!({ "stream": "*x", "reason": "r" }),
            json!({ "stream": "outbound", "reason": "r", "consent": " " }),
            json!({ "stream": "outbound", "reason": "r\u{1b}[31m" }),
            json!({ "stream": "outbound", "reason": "r", "x": 1 }),
        ] {
            let told = bench.post(&format!("recipients/{IDA}/reactivate"), wrong.clone()).await;
            assert_eq!(told.status(), 400, "{wrong}");
        }
        assert!(lists.asked().is_empty());
    }
}
