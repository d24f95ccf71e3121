//! Whether a recipient may be mailed: the answer in one sentence first, then why, with the receiving server's own words,
//! then what can be done and what that does not mend.

use super::happened::{SHORT, short};
use super::sent;
use super::shared::link;
use super::smtp;
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame, segment};
use answers::{Entry, FindingWithEvidence, Recipient, Timeline, Word};
use askama::Template;
use http::StatusCode;
use ledger::event::WHOLE_SERVER;
use ledger::given::Address;
use ledger::verdict::{Code, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// How many events of the timeline are shown.
const EVENTS: usize = 100;

#[derive(Template)]
#[template(path = "find.html")]
struct FindPage {
    t: Texts,
    frame: Frame,
    typed: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "recipient.html")]
struct RecipientPage {
    t: Texts,
    frame: Frame,
    who: String,
    id: String,
    kind: &'static str,
    sentence: String,
    spellings: Vec<String>,
    streams: Vec<StreamRow>,
    remedies: Vec<Remedy>,
    events: Vec<EventRow>,
    older: Option<String>,
    truncated: bool,
    actions: Option<Actions>,
    /// Where Postmark is asked what it sent, of somebody that is known; of somebody else by the address, which stands in no URL.
    sent: String,
    unknown: Option<String>,
}

/// Where an admin changes something about the recipient.
struct Actions {
    /// Where something speaks against mailing.
    reactivate: Option<String>,
    suppress: String,
    data: String,
}

impl Actions {
    fn of(at: &AtServer<'_>, found: &Recipient) -> Option<Actions> {
        let id = found.recipient_id.to_string();
        let path = |tail: &str| at.path(&format!("recipients/{id}/{tail}"));
        (at.is_admin() && found.known).then(|| Actions {
            reactivate: (strictest(found) != "send").then(|| path("reactivate")),
            suppress: link(&at.path("suppress"), &[("recipient", Some(id.clone()))]),
            data: path("data"),
        })
    }
}

/// What is known on one stream.
struct StreamRow {
    name: String,
    kind: &'static str,
    verdict: String,
    reasons: Vec<Reason>,
    soft: Option<String>,
}

/// Why not.
struct Reason {
    words: String,
    elsewhere: Option<String>,
    since: Moment,
    until: Option<Moment>,
    evidence: Vec<Evidence>,
}

/// An event that shows it.
struct Evidence {
    words: String,
    at: Moment,
    said: Option<String>,
    means: Option<String>,
    id: String,
}

/// What can be done about a reason, and what that does not mend.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Remedy {
    what: String,
    todo: String,
    pub(super) but: String,
}

/// An event of the timeline.
pub(super) struct EventRow {
    /// When.
    pub at: Moment,
    /// What, in words.
    pub words: String,
    /// On which stream.
    pub stream: String,
    /// Of which message.
    pub message: Option<String>,
    /// What else is known of it.
    pub more: Vec<String>,
    /// Its id, to be led to.
    pub id: String,
}

impl EventRow {
    /// The segment of the path to the message's page: a webhook may tell any text for its id.
    fn message_segment(&self) -> Option<String> {
        self.message.as_deref().filter(|id| !id.contains(super::happened::NO_ID)).map(segment)
    }
}

/// A form to find a recipient by its address, which goes into no URL.
///
/// # Errors
/// Where the page cannot be written.
pub(super) fn empty(at: &AtServer<'_>) -> Result<Answer, Failed> {
    find_page(at, String::new(), None)
}

fn find_page(at: &AtServer<'_>, typed: String, problem: Option<String>) -> Result<Answer, Failed> {
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    respond::page(status, &FindPage { t: at.visit.t(), frame: at.frame(), typed, problem })
}

/// Finds a recipient: where something is recorded of it, on the page that can be kept and shown to others.
///
/// # Errors
/// The API's own.
pub(super) async fn find(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let form = at.visit.request.form();
    let typed = form.text("address").unwrap_or_default().to_owned();
    let address: Address = match typed.parse() {
        Ok(address) => address,
        Err(refused) => {
            let refused: ledger::given::NotARecipient = refused;
            return find_page(at, typed, Some(at.visit.t().find_problem(refused.reason())));
        }
    };
    // By POST an address may have any character; in a path of the API it may not.
    let found = told(at, address.text()).await?;
    if found.known {
        return Ok(respond::see(&at.path(&format!("recipients/{}", found.recipient_id))));
    }
    shown(at, found, Some(typed)).await
}

/// The page of a recipient by its id.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>, id: &str) -> Result<Answer, Failed> {
    // What is no id is nothing that is here: an address in a URL would stand in logs.
    if id.parse::<ledger::RecipientId>().is_err() {
        return Err(Failed::not_found());
    }
    let found = told(at, &format!("id:{id}")).await?;
    shown(at, found, None).await
}

pub(super) async fn told(at: &AtServer<'_>, whom: &str) -> Result<Recipient, Failed> {
    let of = |cursor: Option<String>| {
        at.get(&format!("recipients/{whom}"))
            .with("at", at.as_of.at)
            .with("known_at", at.as_of.known_at)
            .with("cursor", cursor)
    };
    let mut all: Recipient = at.ask(of(None)).await?;
    while let Some(next) = all.next.take() {
        let more: Recipient = at.ask(of(Some(next))).await?;
        all.streams.extend(more.streams);
        all.next = more.next;
    }
    Ok(all)
}

async fn shown(at: &AtServer<'_>, found: Recipient, typed: Option<String>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let id = found.recipient_id.to_string();
    let cursor = visit.request.asked().text("cursor").map(str::to_owned);
    let timeline = match found.known {
        true => {
            let ask = at.get(&format!("recipients/id:{id}/timeline")).with("limit", Some(EVENTS));
            at.ask::<Timeline>(ask.with("cursor", cursor)).await?
        }
        false => Timeline { items: Vec::new(), next: None, truncated: false },
    };
    let events: BTreeMap<String, &Entry> =
        timeline.items.iter().map(|entry| (entry.event.to_string(), entry)).collect();
    let who = typed.clone().or_else(|| found.address.clone()).unwrap_or_else(|| t.recipient_unnamed());
    let streams: Vec<StreamRow> = found
        .streams
        .iter()
        .map(|(name, stream)| StreamRow {
            name: stream_name(t, name),
            kind: kind(&stream.verdict),
            verdict: verdict_words(t, &stream.verdict),
            reasons: stream.reasons.iter().map(|reason| why(at, name, reason, &events)).collect(),
            soft: stream.soft_evidence_incomplete.then(|| t.recipient_soft_incomplete()),
        })
        .collect();
    let older = timeline.next.map(|next| {
        let path = at.path(&format!("recipients/{id}"));
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{path}{sign}cursor={}", segment(&next))
    });
    let is_past = |entry: &&Entry| {
        at.as_of.at.is_none_or(|by| entry.time.0 <= by)
            && at.as_of.known_at.is_none_or(|by| entry.received_at.0 <= by)
    };
    let rows = timeline.items.iter().filter(is_past).map(|entry| event(at, entry));
    let page = RecipientPage {
        t,
        frame: at.frame(),
        kind: strictest(&found),
        sentence: sentence(t, &isolated(&who), &found),
        spellings: found.also_asked.clone(),
        streams,
        remedies: remedies(t, &found).collect(),
        actions: Actions::of(at, &found),
        events: rows.collect(),
        older,
        truncated: timeline.truncated,
        sent: link(&at.path(sent::TAIL), &[("of", Some(id.clone()))]),
        unknown: typed.filter(|_| !found.known),
        who,
        id,
    };
    respond::page(StatusCode::OK, &page)
}

/// The name of a verdict in the style.
pub(super) fn kind(verdict: &Word<Verdict>) -> &'static str {
    match verdict {
        Word::Known(Verdict::Send) => "send",
        Word::Known(Verdict::Risky) => "risky",
        // A word that a later release adds is no leave to mail.
        Word::Known(Verdict::DoNotSend) | Word::Other(_) => "stop",
    }
}

/// A verdict in words.
pub(super) fn verdict_words(t: Texts, verdict: &Word<Verdict>) -> String {
    match kind(verdict) {
        "send" => t.verdict_send(),
        "risky" => t.verdict_risky(),
        _ => t.verdict_stop(),
    }
}

fn strictest(found: &Recipient) -> &'static str {
    let kinds: Vec<&str> = found.streams.values().map(|stream| kind(&stream.verdict)).collect();
    ["stop", "risky"].into_iter().find(|kind| kinds.contains(kind)).unwrap_or("send")
}

fn stream_name(t: Texts, name: &str) -> String {
    if name == WHOLE_SERVER { t.every_stream() } else { name.to_owned() }
}

/// An address in a sentence. One that reads from right to left would turn the words around it.
fn isolated(who: &str) -> String {
    if who.is_ascii() { who.to_owned() } else { format!("\u{2068}{who}\u{2069}") }
}

/// The answer, in one sentence.
fn sentence(t: Texts, who: &str, found: &Recipient) -> String {
    let of = |wanted: &str| -> Vec<(&String, &answers::RecipientStream)> {
        let all = found.streams.iter().filter(|(name, _)| *name != WHOLE_SERVER);
        all.filter(|(_, stream)| kind(&stream.verdict) == wanted).collect()
    };
    let named = |streams: &[(&String, &answers::RecipientStream)]| {
        listed(t, &streams.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    };
    let because = |streams: &[(&String, &answers::RecipientStream)]| {
        let mut words = Vec::new();
        for (_, stream) in streams {
            if let Some(first) = stream.reasons.first() {
                let clause = because(t, &first.finding);
                if !words.contains(&clause) {
                    words.push(clause);
                }
            }
        }
        listed(t, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    if let Some(whole) = found.streams.get(WHOLE_SERVER).filter(|whole| kind(&whole.verdict) == "stop") {
        return t.recipient_no_stream(who, because(&[(&WHOLE_SERVER.to_owned(), whole)]));
    }
    let (send, risky, stop) = (of("send"), of("risky"), of("stop"));
    match (send.is_empty(), risky.is_empty(), stop.is_empty()) {
        (_, true, true) if !found.known => t.recipient_unknown(who),
        (_, true, true) => t.recipient_all(who),
        (true, true, false) => t.recipient_no_stream(who, because(&stop)),
        (true, false, true) => t.recipient_all_risky(who, because(&risky)),
        (false, false, true) => t.recipient_some_risky(who, named(&send), named(&risky), because(&risky)),
        (false, true, false) => t.recipient_some(who, named(&send), named(&stop), because(&stop)),
        (true, false, false) => t.recipient_risky_and_not(who, named(&risky), named(&stop), because(&stop)),
        (false, false, false) => {
            t.recipient_mixed(who, named(&send), named(&risky), named(&stop), because(&stop))
        }
    }
}

/// A reason, as it follows "because".
pub(super) fn because(t: Texts, finding: &answers::Finding) -> String {
    let Word::Known(code) = &finding.code else { return t.because_other(&finding.words) };
    match code {
        Code::ListedHardBounce => t.because_listed_hard(),
        Code::ListedComplaint => t.because_listed_complaint(),
        Code::ListedUnsubscribe => t.because_listed_unsubscribe(),
        Code::ListedManual => t.because_listed_manual(),
        Code::ListedUnknown => t.because_listed_unknown(),
        Code::BarredDecision => t.because_barred(),
        Code::BarredImport | Code::BarredImportUnknown => t.because_import(),
        Code::BarredImportHardBounce => t.because_import_hard(),
        Code::BarredImportComplaint => t.because_import_complaint(),
        Code::BarredImportUnsubscribe => t.because_import_unsubscribe(),
        Code::BarredImportManual => t.because_import_manual(),
        Code::Complained => t.because_complained(),
        Code::HardBounce => t.because_hard(),
        Code::InvalidAddress => t.because_invalid(),
        Code::RemovalRequested => t.because_removal(),
        Code::SoftBounces => t.because_soft(),
        Code::EvidenceTruncated => t.because_truncated(),
    }
}

/// The same, as it begins a sentence.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    // In the pseudo-language a mark stands before it.
    let first: String = letters.by_ref().take(1).flat_map(char::to_uppercase).collect();
    first + letters.as_str()
}

/// Names as a sentence lists them.
pub(super) fn listed(t: Texts, names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => t.and(all.join(", "), last),
    }
}

fn why(
    at: &AtServer<'_>,
    stream: &str,
    reason: &FindingWithEvidence,
    events: &BTreeMap<String, &Entry>,
) -> Reason {
    let (t, visit) = (at.visit.t(), at.visit);
    let finding = &reason.finding;
    let evidence = reason.evidence.iter().filter_map(|id| {
        let id = id.to_string();
        let entry = events.get(&id)?;
        Some(Evidence {
            words: what(t, entry),
            at: visit.show(entry.time),
            means: entry.details.diagnostic.as_deref().and_then(|said| smtp::words(t, said)),
            // All of it stands in the timeline, where this leads.
            said: entry
                .details
                .diagnostic
                .as_ref()
                .or(entry.details.description.as_ref())
                .map(|said| short(said, SHORT)),
            id,
        })
    });
    Reason {
        words: capital(&because(t, finding)),
        elsewhere: (finding.scope != stream).then(|| match finding.scope.as_str() {
            WHOLE_SERVER => t.reason_whole_server(),
            scope => t.reason_elsewhere(scope),
        }),
        since: visit.show(finding.since),
        until: finding.until.map(|until| visit.show(until)),
        evidence: evidence.collect(),
    }
}

/// What can be done about each reason, once.
pub(super) fn remedies(t: Texts, found: &Recipient) -> impl Iterator<Item = Remedy> {
    let reasons = found.streams.values().flat_map(|stream| &stream.reasons);
    let all: BTreeSet<Remedy> = reasons.filter_map(|reason| remedy(t, &reason.finding.code)).collect();
    all.into_iter()
}

fn remedy(t: Texts, code: &Word<Code>) -> Option<Remedy> {
    let Word::Known(code) = code else { return None };
    let (what, todo, but) = match code {
        Code::ListedHardBounce | Code::HardBounce | Code::BarredImportHardBounce => {
            (t.remedy_hard(), t.remedy_hard_todo(), t.remedy_hard_but())
        }
        Code::ListedComplaint | Code::Complained | Code::BarredImportComplaint => {
            (t.remedy_complaint(), t.remedy_complaint_todo(), t.remedy_complaint_but())
        }
        Code::ListedUnsubscribe | Code::BarredImportUnsubscribe => {
            (t.remedy_unsubscribe(), t.remedy_unsubscribe_todo(), t.remedy_unsubscribe_but())
        }
        Code::ListedManual | Code::ListedUnknown => {
            (t.remedy_manual(), t.remedy_manual_todo(), t.remedy_manual_but())
        }
        Code::BarredDecision | Code::BarredImport | Code::BarredImportManual | Code::BarredImportUnknown => {
            (t.remedy_barred(), t.remedy_barred_todo(), t.remedy_barred_but())
        }
        Code::InvalidAddress => (t.remedy_invalid(), t.remedy_invalid_todo(), t.remedy_invalid_but()),
        Code::RemovalRequested => (t.remedy_removal(), t.remedy_removal_todo(), t.remedy_removal_but()),
        Code::SoftBounces | Code::EvidenceTruncated => {
            (t.remedy_soft(), t.remedy_soft_todo(), t.remedy_soft_but())
        }
    };
    Some(Remedy { what, todo, but })
}

/// What an event is, in words.
pub(super) fn what(t: Texts, entry: &Entry) -> String {
    let kind = entry.kind.as_str();
    let measure = entry.measure.as_str();
    match kind {
        "Delivery" => t.event_delivery(),
        "Bounce" => t.event_bounce(entry.details.bounce_type.as_deref().unwrap_or(measure)),
        "SpamComplaint" => t.event_complaint(),
        "Open" if measure.contains("machine") => t.event_open_machine(),
        "Open" => t.event_open(),
        "Click" if measure.contains("machine") => t.event_click_machine(),
        "Click" => t.event_click(),
        "SubscriptionChange" if measure.starts_with("suppressed") => t.event_listed(),
        "SubscriptionChange" => t.event_lifted(),
        "Observed" => t.event_observed(),
        "Decision" => t.event_decision(),
        other => other.to_owned(),
    }
}

/// An event as pages list it.
pub(super) fn event(at: &AtServer<'_>, entry: &Entry) -> EventRow {
    let (t, details) = (at.visit.t(), &entry.details);
    let mut more = Vec::new();
    let mut add = |text: Option<String>| more.extend(text.filter(|text| !text.is_empty()));
    add(details.diagnostic.clone().or_else(|| details.description.clone()));
    add(details.subject.as_ref().map(|subject| t.event_subject(subject)));
    add(details.tag.as_ref().map(|tag| t.event_tag(tag)));
    add(details.link.as_ref().map(|link| t.event_link(link)));
    add(details.user_agent.clone());
    add(entry.note.clone());
    if !details.withheld.is_empty() {
        add(Some(t.event_withheld(details.withheld.join(", "))));
    }
    EventRow {
        at: at.visit.show(entry.time),
        words: what(t, entry),
        stream: stream_name(t, &entry.stream),
        message: entry.message_id.clone(),
        more,
        id: entry.event.to_string(),
    }
}
