//! The commands `timeline`, `message`, `activity` and `audit`: what happened, and who did what.

use super::pages::{self, Part, Shown, whom};
use super::time;
use crate::api::{Api, Request};
use crate::args::api::{self as args, Activity, Message, Timeline};
use crate::format::{self, Columns, Form, Format};
use crate::target::Context;
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

/// What a CSV has of an event.
const EVENT: Columns =
    &["time", "stream", "type", "measure", "message_id", "source", "received_at", "event", "note"];
/// The same with whose it is.
const EVENT_OF: Columns = &[
    "time",
    "stream",
    "type",
    "measure",
    "recipient.address",
    "recipient.recipient_id",
    "message_id",
    "source",
    "received_at",
    "event",
    "note",
];
/// What a CSV has of a step of a change.
const STEP: Columns = &["at", "who.kind", "who.name", "what", "phase", "target", "id", "before", "after"];

/// The command `timeline`.
pub(super) fn timeline(args: &Timeline, context: &Context, form: Form) -> Result<(), Failure> {
    super::tell_cleaned(&args.address);
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    let request = Request::get(&["servers", &server, "recipients", &args.address, "timeline"]);
    let head = ["time", "stream", "event", "message", "told by"];
    let row = |entry: &Entry| {
        let message = entry.message_id.clone().unwrap_or_default();
        [time(entry.time), entry.stream.clone(), event(entry), message, entry.source.to_string()]
    };
    let shown = Shown { head, spare: &["message", "told by"], none: NOTHING, columns: EVENT };
    pages::print(&api, request, Part::of(&args.paging, PAGE), form, shown, row)
}

/// The command `message`.
///
/// # Errors
/// Where the API cannot be asked, or there is no such message.
pub(super) fn message(args: &Message, context: &Context, form: Form) -> Result<(), Failure> {
    let server = args.server.id(context)?;
    let api = Api::open(&args.access, context)?;
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
    of_server(&api, request, Part::of(&args.paging, PAGE), form)
}

/// The command `activity`.
///
/// # Errors
/// Where the API cannot be asked, or the stack has no index by time.
pub(super) fn activity(args: &Activity, context: &Context, form: Form) -> Result<(), Failure> {
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    let request = Request::get(&["servers", &server, "activity"])
        .with("stream", args.stream.as_ref())
        .unknown(args.unknown)
        .with("type", args.kind.as_ref())
        .with("class", args.class.as_ref())
        .with("from", args.from)
        .with("to", args.to);
    of_server(&api, request, Part::of(&args.paging, PAGE), form)
}

fn of_server(api: &Api, request: Request, part: Part, form: Form) -> Result<(), Failure> {
    let head = ["time", "stream", "event", "whom", "message"];
    let row = |EntryWithRecipient { entry, recipient }: &EntryWithRecipient| {
        let message = entry.message_id.clone().unwrap_or_default();
        let whom = whom(recipient.address.as_deref(), recipient.recipient_id);
        [time(entry.time), entry.stream.clone(), event(entry), whom, message]
    };
    pages::print(
        api,
        request,
        part,
        form,
        Shown { head, spare: &["message"], none: NOTHING, columns: EVENT_OF },
        row,
    )
}

/// What happened, in a word or two.
fn event(entry: &Entry) -> String {
    match &entry.note {
        Some(note) => format!("{} ({note})", entry.measure),
        None => entry.measure.clone(),
    }
}

/// The command `audit`.
pub(super) fn audit(args: &args::Audit, context: &Context, form: Form) -> Result<(), Failure> {
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
    let spare = ["more"];
    let Some(server) = args.server else {
        let items = of_stack(args, context)?;
        if form.of_list() == Format::Json {
            say(serde_json::to_string_pretty(&Audit { items, next: None })?);
            return Ok(());
        }
        return format::print(form, &items, STEP, |items| match items.is_empty() {
            true => UNCHANGED.to_owned(),
            false => show::fitting(head, items.iter().map(row), &spare),
        });
    };
    let api = Api::open(&args.access, context)?;
    let request = Request::get(&["servers", &server.to_string(), "audit"]);
    let shown = Shown { head, spare: &spare, none: UNCHANGED, columns: STEP };
    pages::print(&api, request, Part::of(&args.paging, PAGE), form, shown, row)
}

/// What was changed of the stack as a whole, the latest first: few things, and none of a server that a token is for.
fn of_stack(args: &args::Audit, context: &Context) -> Result<Vec<Step>, Failure> {
    let collection = Collection::Audit(ServerId::NONE);
    let documents =
        registry::with(&args.access.target, context, async |store| store.documents(&collection).await)?;
    let most =
        if args.paging.all { usize::MAX } else { usize::try_from(args.paging.limit).unwrap_or(usize::MAX) };
    let latest = documents.iter().rev().filter_map(|(_, document)| audit::read(&document.text));
    Ok(latest.map(::api::step).take(most).collect())
}
