//! Lists of suppressed addresses from elsewhere, taken in as decisions.
//!
//! Invariants:
//! - An import only bars: nothing in it allows anybody, and a row bears its own date, so that an allowance of ours that
//!   came after it keeps winning.
//! - A row without a date is as of now: whoever imports it says so today, after all that was allowed before.
//! - A row's cause is a fact, which weighs as Postmark's own would. Each cause of a recipient is recorded, the gravest
//!   above all; one that an early release recorded without its cause is told again with it, as of the same time.
//! - The same row is the same decision, however often it is sent: it is recorded once. So a list may always be sent
//!   again, and a row without a date that is sent again does not bar once more whom we have allowed since its first
//!   time: it says nothing that was not known then.

use crate::call::{Answer, Call};
use crate::check::stream_named;
use crate::problem::Problem;
use crate::scope::{Admin, unknown_stream};
use answers::{Imported, ImportedCounts, ImportedLine, UNKNOWN_STREAM};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use ledger::canonical::{Canonical, digest};
use ledger::event::{Bar, Cause, Ruling, WHOLE_SERVER, What};
use ledger::fold::{Mark, View};
use ledger::identity::IdentityParts;
use ledger::{Class, Identity, RecipientId, ServerId, Time};
use postmark::Decision;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use suppression_lists::{About, Format, Hints, Invalid, ListRow, Sheet, SheetError, Warning};

/// How many recipients are asked about, or decisions sent, at once.
const AT_ONCE: usize = 16;
/// How many rows that could not be used are told of one by one, and of how many others something is told.
const INVALID_TOLD_MAX: usize = 100;
/// What a list's type may be called. How the list is written, its text tells.
const KINDS: [&str; 5] =
    ["text/csv", "application/csv", "text/plain", "application/octet-stream", "application/json"];
/// What opens the form that a decision's id is made of.
const DOMAIN: &str = "postledger/import/1";
/// What stands in that form where a row has no date.
const UNDATED: &str = "undated";

/// A list that was read, each cause of each address once.
struct List {
    format: Format,
    rows: usize,
    bars: BTreeMap<(RecipientId, Cause), ListRow>,
    duplicates: usize,
    ignored: BTreeMap<&'static str, usize>,
    invalid: Vec<Invalid>,
    warnings: Vec<Warning>,
    about: About,
}

impl List {
    fn of(admin: &Admin<'_>, sheet: Sheet) -> List {
        let Sheet { format, rows, ignored, invalid, warnings, about } = sheet;
        let mut list = List {
            format,
            rows: rows.len() + ignored.len() + invalid.len(),
            bars: BTreeMap::new(),
            duplicates: 0,
            ignored: BTreeMap::new(),
            invalid,
            warnings,
            about,
        };
        for row in ignored {
            *list.ignored.entry(row.why).or_default() += 1;
        }
        for row in rows {
            list.take(admin.recipient(&row.address), row);
        }
        list
    }

    /// Of several rows that tell the same cause of one recipient the one that bars longest: the latest, since only a
    /// later allowance ends it, and one without a date is as of now. Another cause is another fact.
    fn take(&mut self, recipient: RecipientId, row: ListRow) {
        let rank = |row: &ListRow| (row.at.is_none(), row.at);
        match self.bars.entry((recipient, row.cause)) {
            Entry::Vacant(place) => drop(place.insert(row)),
            Entry::Occupied(mut kept) => {
                self.duplicates += 1;
                if rank(&row) > rank(kept.get()) {
                    kept.insert(row);
                }
            }
        }
    }
}

/// A row as the decision that it is.
struct Made {
    recipient: RecipientId,
    row: ListRow,
    id: String,
    at: Time,
}

impl Made {
    fn of(server: ServerId, scope: &str, recipient: RecipientId, row: ListRow, now: Time) -> Made {
        let mut form = Canonical::default();
        form.string(DOMAIN).integer(server.get()).string(scope).string(&*recipient.to_string());
        form.string(row.cause.name());
        match row.at {
            Some(at) => form.integer(at.micros()),
            None => form.string(UNDATED),
        };
        // Clocks differ by minutes; a bar of the future would outlast an allowance of today.
        let at = row.at.map_or(now, |at| at.min(now));
        Made { recipient, row, id: URL_SAFE_NO_PAD.encode(digest(form.bytes())), at }
    }

    const fn bar(&self) -> Bar {
        Bar::Import(Some(self.row.cause))
    }

    /// Itself, unless recording it would change nothing: where an import for its cause bars the recipient there as of
    /// its date or later, or where this very decision was recorded.
    async fn unrecorded(
        self,
        admin: &Admin<'_>,
        scope: &str,
        view: Option<&View>,
    ) -> Result<Option<Made>, Problem> {
        let here = view.and_then(|view| Some((view, view.streams.get(scope)?)));
        // Whoever allowed the recipient did not know of a complaint or an unsubscribe that no list had told yet, and no rule
        // could ask for consent: it bars as of now.
        let told = here.is_some_and(|(_, here)| {
            let none = Bar::Import(None);
            here.barred.contains_key(&self.bar()) || here.barred.contains_key(&none)
        });
        let allowed = view.and_then(|view| view.allowed(scope)).map(|mark| mark.at);
        let takes_more = matches!(self.row.cause, Cause::Complaint | Cause::Unsubscribe);
        if takes_more && !told && allowed.is_some_and(|allowed| allowed >= self.at) {
            return Ok(Some(Made { at: admin.now(), ..self }));
        }
        // Whom no import ever barred there, none was recorded about.
        let ever = |bars: &BTreeMap<Bar, Mark>| bars.keys().any(|bar| matches!(bar, Bar::Import(_)));
        let Some((view, _)) = here.filter(|(_, here)| ever(&here.barred)) else { return Ok(Some(self)) };
        let since = self.row.at.map(|_| self.at);
        let holds = view.bars(scope).any(|(bar, of, mark)| {
            bar == self.bar() && of == scope && since.is_none_or(|since| mark.at >= since)
        });
        if holds {
            return Ok(None);
        }
        let told = IdentityParts::Decision { id: &self.id };
        let identity = Identity::of(admin.server(), self.recipient, self.at, &told);
        let recorded = admin.event(self.recipient, Class::State, identity).await?;
        Ok(match recorded.map(|recorded| recorded.event) {
            None => Some(self),
            Some(event) if event.what == (What::Decision { ruling: Ruling::Suppress(self.bar()) }) => None,
            // An early release did not keep for which cause: that is told now, as of then.
            Some(event) => Some(Made { at: event.at, ..self }),
        })
    }
}

/// What of a list could not be used is told of beside the rest.
pub(crate) async fn import(admin: &Admin<'_>, call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["stream", UNKNOWN_STREAM, "cause", "dry_run"])?;
    let scope = query.text("stream").ok_or_else(|| {
        Problem::bad_request("stream: expected the id of a message stream, or * for the whole server")
    })?;
    if scope != WHOLE_SERVER {
        stream_named(scope)?;
    }
    let cause =
        query.read("cause", &format!("one of {}", Cause::ALL.map(Cause::name).join(", ")), Cause::named)?;
    let dry_run = query.read("dry_run", "true or false", |text| text.parse().ok())?.unwrap_or(false);
    let unknown = unknown_stream(&query)?;
    is_a_list(call)?;
    admin.stream(scope, unknown).await?;
    let now = admin.now();
    let list = List::of(admin, suppression_lists::read(call.body, Hints { cause }, now).map_err(refused)?);
    let mut by_cause: BTreeMap<String, usize> = BTreeMap::new();
    for row in list.bars.values() {
        *by_cause.entry(row.cause.name().to_owned()).or_default() += 1;
    }
    let decisions = list.bars.len();
    let made = |((recipient, _), row)| Made::of(admin.server(), scope, recipient, row, now);
    let new = unrecorded(admin, scope, list.bars.into_iter().map(made).collect()).await?;
    let counts = ImportedCounts {
        new: new.len(),
        already: decisions - new.len(),
        duplicate: list.duplicates,
        ignored: list.ignored.values().sum(),
        invalid: list.invalid.len(),
    };
    let queued = if dry_run {
        0
    } else {
        let asked = json!({ "format": list.format.name(), "rows": list.rows, "counts": counts });
        let sent = async {
            let queued = send(admin, scope, list.format, &new).await?;
            Ok((queued, json!({ "queued": queued })))
        };
        admin.change("import", Some(scope.to_owned()), asked, sent).await?
    };
    let line = |line: u64, problem: &str| ImportedLine { line, problem: problem.to_owned() };
    let invalid = list.invalid.iter().take(INVALID_TOLD_MAX).map(|row| line(row.line, row.problem));
    let warnings = list.warnings.iter().take(INVALID_TOLD_MAX).map(|row| line(row.line, row.problem));
    let more = |all: usize| all.checked_sub(INVALID_TOLD_MAX).filter(|more| *more > 0);
    let About { address_column, columns_not_read, goes_on } = list.about;
    Ok(Answer::json(&Imported {
        format: list.format.name().to_owned(),
        dry_run,
        rows: list.rows,
        counts,
        by_cause,
        ignored_why: list.ignored.into_iter().map(|(why, rows)| (why.to_owned(), rows)).collect(),
        invalid: invalid.collect(),
        invalid_more: more(list.invalid.len()),
        warnings: warnings.collect(),
        warnings_more: more(list.warnings.len()),
        address_column,
        columns_not_read,
        goes_on,
        queued,
    }))
}

/// That a request says that its body is a list.
fn is_a_list(call: &Call<'_>) -> Result<(), Problem> {
    let kind = call.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind).trim();
    if KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content-type",
        "The body is of another type",
        format!("Content-Type: expected one of {}", KINDS.join(", ")),
    )
    .next("send the list as it is, with `Content-Type: text/csv`, or application/json for JSON"))
}

fn refused(error: SheetError) -> Problem {
    match error {
        SheetError::Bytes | SheetError::Rows => Problem::too_large(error.to_string()),
        _ => Problem::bad_request(error.to_string()),
    }
}

/// Those of the decisions that would change something.
async fn unrecorded(admin: &Admin<'_>, scope: &str, made: Vec<Made>) -> Result<Vec<Made>, Problem> {
    let recipients: Vec<RecipientId> = made.iter().map(|one| one.recipient).collect();
    let views = admin.views(&recipients).await?;
    let asked = made
        .into_iter()
        .zip(views)
        .map(|(one, view)| async move { one.unrecorded(admin, scope, view.as_ref()).await });
    let asked = stream::iter(asked.collect::<Vec<_>>()).buffered(AT_ONCE);
    asked.try_filter_map(async |one| Ok(one)).try_collect().await
}

/// Puts the decisions on their queue; how many there are.
///
/// # Errors
/// The first failure, with how many were queued all the same: at least, since an answer of the queue may be lost.
async fn send(admin: &Admin<'_>, scope: &str, format: Format, made: &[Made]) -> Result<usize, Problem> {
    let actor = &admin.caller().who().name;
    let failed = AtomicBool::new(false);
    let sent = made.iter().map(|one| async {
        let reason = format!("{}, from {}", one.row.cause.name(), format.name());
        let decision = Decision {
            id: &one.id,
            stream: scope,
            address: &one.row.address,
            ruling: Ruling::Suppress(one.bar()),
            reason: &reason,
            actor,
            at: one.at,
        };
        // Those that are on their way are waited for and counted, and no more set out.
        if failed.load(Ordering::Relaxed) {
            return Ok(0);
        }
        admin.decide(&decision).await.map(|_| 1).inspect_err(|_| failed.store(true, Ordering::Relaxed))
    });
    let sent: Vec<Result<usize, Problem>> =
        stream::iter(sent.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
    let queued = sent.iter().filter_map(|sent| sent.as_ref().ok()).sum();
    match sent.into_iter().find_map(Result::err) {
        None => Ok(queued),
        Some(problem) => Err(problem
            .queued(queued)
            .next("send the same list again: a row that is already on its way is still recorded only once")),
    }
}

#[cfg(test)]
mod tests;
