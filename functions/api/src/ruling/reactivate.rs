//! Takes a recipient off Postmark's list, and allows again what was barred here, as far as the rules let it.
//!
//! Each stream of the scope is reactivated whole or refused: by a complaint, which nobody takes back; by an unsubscribe
//! without consent, both whether Postmark or an import told of it; by two reactivations within ninety days. Postmark comes first and may refuse too. What is on its list
//! leaves the view when Postmark tells so, never before. An allowance is one decision for the whole scope, so it is
//! made only where nothing in the scope is refused by a rule and where nobody in it ever complained.
//!
//! Where one mailbox is spelled in several ways, what holds any of its spellings is seen to, each by its own call and its
//! own decision: a check asks for all of them.

use super::{
    AT_ONCE, LEDGER, PATIENCE, POSTMARK, Said, decide, in_time, no_postmark_token, scope_named, spelled,
    worded,
};
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
struct Refusal {
    code: &'static str,
    words: String,
}

impl Refusal {
    fn new(code: &'static str, words: &str) -> Refusal {
        Refusal { code, words: words.to_owned() }
    }
}

impl From<Withheld> for Refusal {
    fn from(withheld: Withheld) -> Refusal {
        Refusal::new(withheld.name(), withheld.words())
    }
}

/// A spelling of the recipient's address under which something is recorded.
struct Spelling {
    view: View,
    /// As it is spelled to Postmark; `None` where an id was given and the person was erased.
    address: Option<String>,
    /// Whether it is told of: it is not the one that was given.
    other: bool,
    /// Whether Postmark's own words about it are told, which may quote it.
    quotes: bool,
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
    refused: Option<Refusal>,
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
            dry_run: asked.dry_run,
        })
    };
    let held = held(admin, &spellings, &asked).await?;
    if held.is_empty() {
        return Ok(answered(Vec::new(), Vec::new()));
    }
    let open = || held.iter().filter(|held| held.refused.is_none());
    if open().any(|held| spellings[held.spelling].address.is_none()) {
        return Err(Problem::no_address());
    }
    let api = if open().any(|held| !held.listed.is_empty()) {
        let otherwise = "or take it off the list in Postmark's own pages";
        Some(admin.postmark().await?.ok_or_else(|| no_postmark_token(admin, otherwise))?)
    } else {
        None
    };
    if asked.dry_run {
        return Ok(answered(planned(&held, &spellings), Vec::new()));
    }
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
    let quotes = named.given.is_some() || admin.caller().reveals();
    let spelling = |(place, view): (usize, Option<View>)| {
        let view = view?;
        let address = address(place, &view).map(|address| spelled(&address));
        Some(Spelling { view, address, other: place > 0, quotes })
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
        held.refused.get_or_insert_with(|| Refusal::new("postmark", STILL_LISTED));
    }
    // An allowance would be one for the refused streams too.
    let elsewhere = all.iter().find_map(|held| held.refused.clone());
    for held in all.iter_mut().filter(|held| held.refused.is_none() && held.is_ours()) {
        held.refused = elsewhere.clone().map(|refused| Refusal {
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
) -> Option<Refusal> {
    let within = [Cause::Complaint, Cause::Unsubscribe].into_iter().zip(within);
    let within = within.filter_map(|(cause, is)| (is && held.is_ours()).then_some(cause));
    if let Err(withheld) = authority::undo(held.causes().chain(within), asked.consent.is_some()) {
        return Some(withheld.into());
    }
    if reactivations(events, &held.stream, now) >= OFTEN {
        let words = format!("it was reactivated {OFTEN} times within {OFTEN_DAYS} days already");
        return Some(Refusal { code: "too_often", words });
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
            held.refused = Some(Refusal::new("postmark", "Postmark refuses to take it off its list"));
        }
        held.postmark = Some(said);
    });
    stream::iter(calls.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// What would become of each stream, by the rules alone: what Postmark will say nobody knows.
fn planned(held: &[Held], spellings: &[Spelling]) -> Vec<ReactivatedStream> {
    let mut planned = results(held, spellings, &Decided::new());
    for (told, held) in planned.iter_mut().zip(held) {
        let would = [(!held.listed.is_empty()).then_some(POSTMARK), held.is_ours().then_some(LEDGER)];
        told.done = false;
        told.would =
            would.into_iter().flatten().filter(|_| held.refused.is_none()).map(str::to_owned).collect();
    }
    planned
}

fn results(held: &[Held], spellings: &[Spelling], decided: &Decided) -> Vec<ReactivatedStream> {
    let refused =
        |refused: &Refusal| answers::Refused { code: refused.code.to_owned(), words: refused.words.clone() };
    let told = |held: &Held| {
        let spelling = &spellings[held.spelling];
        ReactivatedStream {
            stream: held.stream.clone(),
            // The caller knows it: it is how the address that was given may be written too.
            spelling: spelling.address.clone().filter(|_| spelling.other),
            was: held.was().into_iter().map(str::to_owned).collect(),
            done: held.done(decided),
            would: Vec::new(),
            refused: held.refused.as_ref().map(refused),
            postmark: held.postmark.as_ref().map(|said| said.told(DONE, spelling.quotes)),
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
mod tests;
