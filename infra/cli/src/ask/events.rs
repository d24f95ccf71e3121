//! The commands `timeline`, `message`, `activity` and `audit`: what happened, and who did what.

use super::output::Output;
use super::pages::{self, Part, whom};
use super::time;
use crate::api::{Api, Request};
use crate::args::api::{self as args, Activity, Message, Timeline};
use crate::target::Whose;
use crate::{Failure, registry, say, show};
use account::audit;
use answers::{Audit, Entry, EntryWithRecipient, Step};
use ledger::ServerId;
use serde_json::Value;
use store::Collection;

/// The most events in a page.
const PAGE: u64 = 500;
/// What is said where there is nothing.
const NOTHING: &str = "Nothing is recorded.";
/// What is said where nobody changed anything.
const UNCHANGED: &str = "Nothing was changed.";

/// The command `timeline`.
pub(super) fn timeline(args: &Timeline, whose: &Whose, json: bool) -> Result<(), Failure> {
    super::tell_cleaned(&args.address);
    let api = Api::open(&args.access, whose)?;
    let request =
        Request::get(&["servers", &args.server.server.to_string(), "recipients", &args.address, "timeline"]);
    let part = Part::of(&args.paging, PAGE);
    if json {
        return pages::json(&api, request, part, Output::stdout());
    }
    let head = ["time", "stream", "event", "message", "told by"];
    let row = |entry: &Entry| {
        let message = entry.message_id.clone().unwrap_or_default();
        [time(entry.time), entry.stream.clone(), event(entry), message, entry.source.to_string()]
    };
    pages::table(&api, request, part, head, row, NOTHING)
}

/// The command `message`.
///
/// # Errors
/// Where the API cannot be asked, or there is no such message.
pub(super) fn message(args: &Message, whose: &Whose, json: bool) -> Result<(), Failure> {
    let api = Api::open(&args.access, whose)?;
    let server = args.server.server;
    let request = Request::get(&["servers", &server.to_string(), "messages", &args.id]);
    // It is no list that may be empty: without an event there is no such message, or no such server.
    let first = api.answer(&request)?;
    if first.is_problem("not-found")
        && api.answer(&Request::get(&["servers", &server.to_string(), "stats"]))?.status.is_success()
    {
        return Err(Failure::new(format!("nothing is recorded of such a message at server {server}")).next(
            "give Postmark's MessageID, as `postledger timeline` and `postledger activity` show it; what expired is gone",
        ));
    }
    of_server(&api, request, Part::of(&args.paging, PAGE), json)
}

/// The command `activity`.
///
/// # Errors
/// Where the API cannot be asked, or the stack has no index by time.
pub(super) fn activity(args: &Activity, whose: &Whose, json: bool) -> Result<(), Failure> {
    let api = Api::open(&args.access, whose)?;
    let request = Request::get(&["servers", &args.server.server.to_string(), "activity"])
        .with("stream", args.stream.as_ref())
        .unknown(args.unknown)
        .with("type", args.kind.as_ref())
        .with("class", args.class.as_ref())
        .with("from", args.from)
        .with("to", args.to);
    of_server(&api, request, Part::of(&args.paging, PAGE), json)
}

fn of_server(api: &Api, request: Request, part: Part, json: bool) -> Result<(), Failure> {
    if json {
        return pages::json(api, request, part, Output::stdout());
    }
    let head = ["time", "stream", "event", "whom", "message"];
    let row = |EntryWithRecipient { entry, recipient }: &EntryWithRecipient| {
        let message = entry.message_id.clone().unwrap_or_default();
        let whom = whom(recipient.address.as_deref(), recipient.recipient_id);
        [time(entry.time), entry.stream.clone(), event(entry), whom, message]
    };
    pages::table(api, request, part, head, row, NOTHING)
}

/// What happened, in a word or two.
fn event(entry: &Entry) -> String {
    match &entry.note {
        Some(note) => format!("{} ({note})", entry.measure),
        None => entry.measure.clone(),
    }
}

/// The command `audit`.
pub(super) fn audit(args: &args::Audit, whose: &Whose, json: bool) -> Result<(), Failure> {
    let head = ["when", "who", "what", "how far", "to what", "more"];
    let row = |step: &Step| {
        let who = format!("{} {}", step.who.kind, step.who.name);
        let more = match &step.after {
            Value::Null => String::new(),
            Value::String(after) => after.clone(),
            after => after.to_string(),
        };
        let target = step.target.clone().unwrap_or_default();
        [time(step.at), who, step.what.clone(), step.phase.clone(), target, more]
    };
    let Some(server) = args.server else {
        let items = of_stack(args, whose)?;
        say(match (json, items.is_empty()) {
            (true, _) => serde_json::to_string_pretty(&Audit { items, next: None })?,
            (false, true) => UNCHANGED.to_owned(),
            (false, false) => show::table(head, items.iter().map(row)),
        });
        return Ok(());
    };
    let api = Api::open(&args.access, whose)?;
    let request = Request::get(&["servers", &server.to_string(), "audit"]);
    let part = Part::of(&args.paging, PAGE);
    if json {
        return pages::json(&api, request, part, Output::stdout());
    }
    pages::table(&api, request, part, head, row, UNCHANGED)
}

/// What was changed of the stack as a whole, the latest first: few things, and none of a server that a token is for.
fn of_stack(args: &args::Audit, whose: &Whose) -> Result<Vec<Step>, Failure> {
    let collection = Collection::Audit(ServerId::NONE);
    let documents =
        registry::with(&args.access.target, whose, async |store| store.documents(&collection).await)?;
    let most =
        if args.paging.all { usize::MAX } else { usize::try_from(args.paging.limit).unwrap_or(usize::MAX) };
    let latest = documents.iter().rev().filter_map(|(_, document)| audit::read(&document.text));
    Ok(latest.map(::api::step).take(most).collect())
}
