//! Whom a stream must not mail, as pages of JSON or CSV.
//!
//! A page is read through an index, which follows the tables within about a second. A place in the list is an instant
//! and a recipient: a page behind it is right whether or not anybody stands there still.

use crate::call::{Answer, Call, Query, rfc3339};
use crate::check::stream_named;
use crate::cursor;
use crate::mask::shown;
use crate::problem::Problem;
use crate::scope::{Reader, unknown_stream};
use answers::{Suppression, Suppressions, UNKNOWN_STREAM};
use futures_util::stream::{self, StreamExt as _};
use http::HeaderMap;
use http::header::ACCEPT;
use ledger::event::{Bar, Cause, Fact, WHOLE_SERVER};
use ledger::{RecipientId, Time};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postmark::Body;
use std::io;
use store::{Listing, Recorded, StoreError, TimeRange};

/// How many rows a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 1_000];
/// How many rows are read at once where a filter passes over some, at least.
const ROWS_AT_ONCE: usize = 100;
/// How many rows are read for a page at most.
const ROWS_READ_MAX: usize = 5_000;
/// How many recipients' events are read at once.
const AT_ONCE: usize = 16;
/// Who put an address on Postmark's list, as Postmark says it.
const ORIGINS: [&str; 3] = [RECIPIENT, "Customer", "Admin"];
/// The recipient itself: by complaining or unsubscribing, or because mail to it bounced.
const RECIPIENT: &str = "Recipient";
/// What stands for itself in a path and in a query.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A place in the list: since when, and who.
type Place = (Time, RecipientId);

/// Which rows are asked for.
struct ListQuery<'a> {
    cause: Option<&'a str>,
    origin: Option<&'a str>,
    since: TimeRange,
    after: Option<Place>,
    limit: usize,
}

impl<'a> ListQuery<'a> {
    fn of(query: &'a Query) -> Result<ListQuery<'a>, Problem> {
        let ours = [Bar::Decision, Bar::Import(None)].map(Bar::name);
        let names: Vec<&str> = Cause::ALL.map(Cause::name).into_iter().chain(ours).collect();
        one_of(query, "cause", &names)?;
        one_of(query, "origin", &ORIGINS)?;
        let since = TimeRange {
            from: query.time("from")?.unwrap_or(TimeRange::ALL.from),
            to: query.time("to")?.unwrap_or(TimeRange::ALL.to),
        };
        if since.from > since.to {
            return Err(Problem::bad_request("from comes after to"));
        }
        let after: Option<Place> = cursor::read(query.text("cursor"))?;
        // DynamoDB does not go on behind a place that lies outside of what is asked.
        if after.is_some_and(|(at, _)| !(since.from..=since.to).contains(&at)) {
            return Err(Problem::bad_cursor());
        }
        Ok(ListQuery {
            cause: query.text("cause"),
            origin: query.text("origin"),
            since,
            after,
            limit: query.limit(LIMITS[0], LIMITS[1])?,
        })
    }
}

/// That a value, if it is given, is among those that there are.
fn one_of(query: &Query, name: &str, known: &[&str]) -> Result<(), Problem> {
    let what = format!("one of {}", known.join(", "));
    query.read(name, &what, |text| known.contains(&text).then_some(())).map(drop)
}

/// Lists, the longest suppressed first.
pub(crate) async fn suppressions(
    reader: &Reader<'_>,
    call: &Call<'_>,
    name: &str,
) -> Result<Answer, Problem> {
    let query =
        call.query(&[UNKNOWN_STREAM, "cause", "origin", "from", "to", "cursor", "limit", "format"])?;
    if name != WHOLE_SERVER {
        stream_named(name)?;
    }
    one_of(&query, "format", &["json", "csv"])?;
    let as_csv = query.text("format").map_or_else(|| asks_for_csv(call.headers), |format| format == "csv");
    let (asked, unknown) = (ListQuery::of(&query)?, unknown_stream(&query)?);
    // Where a page goes on, the list was found with its first one.
    if asked.after.is_none() {
        reader.stream(name, unknown).await?;
    }
    let (rows, next) = page(reader, name, &asked).await?;
    let next = next.map(|place| cursor::write(&place));
    let reveal = reader.caller().reveals();
    if as_csv {
        let body = csv(&rows, reveal).unwrap_or_else(|_| unreachable!("memory takes all that is written"));
        return Ok(Answer::csv(body, next.map(|next| link(reader, name, &query, &next))));
    }
    let items = rows.iter().map(|row| item(row, reveal)).collect();
    Ok(Answer::json(&Suppressions { items, next }))
}

/// Whether the first of our two forms that a client names is CSV.
fn asks_for_csv(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = kinds.flat_map(|kinds| kinds.split(',')).map(|kind| {
        let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind);
        kind.trim().to_ascii_lowercase()
    });
    kinds.find(|kind| kind == "text/csv" || kind == "application/json").is_some_and(|kind| kind == "text/csv")
}

/// A row with who put the address there.
type WithOrigin = (Listing, Option<&'static str>);

/// A page, and the place that it ends at, where there may be more.
async fn page(
    reader: &Reader<'_>,
    name: &str,
    asked: &ListQuery<'_>,
) -> Result<(Vec<WithOrigin>, Option<Place>), Problem> {
    let filtered = asked.cause.is_some() || asked.origin.is_some();
    let at_once = if filtered { asked.limit.max(ROWS_AT_ONCE) } else { asked.limit };
    let (mut rows, mut after, mut read) = (Vec::new(), asked.after, 0);
    loop {
        let page = reader.suppressed(name, asked.since, after, at_once).await?;
        let last = page.items.last().map(place);
        let more = page.next.is_some() && last.is_some();
        read += page.items.len();
        let fits = |row: &Listing| asked.cause.is_none_or(|cause| causes(row).contains(&cause));
        let found: Vec<_> =
            page.items.into_iter().filter(fits).map(|row| with_origin(reader, name, row)).collect();
        let mut found = stream::iter(found).buffered(AT_ONCE);
        while let Some(row) = found.next().await {
            let row = row?;
            if asked.origin.is_none_or(|origin| row.1 == Some(origin)) {
                let here = place(&row.0);
                rows.push(row);
                if rows.len() == asked.limit {
                    return Ok((rows, Some(here).filter(|_| more || last != Some(here))));
                }
            }
        }
        if !more {
            return Ok((rows, None));
        }
        after = last;
        if read >= ROWS_READ_MAX {
            return Ok((rows, after));
        }
    }
}

fn place(row: &Listing) -> Place {
    (row.since, row.recipient)
}

/// Why a row is there, each word once: an import's cause as Postmark's would be, and that it was imported.
fn causes(row: &Listing) -> Vec<&str> {
    let words = row.causes.iter().flat_map(|name| match Bar::named(name) {
        Some(bar) => bar.causes().collect(),
        None => vec![name.as_str()],
    });
    let mut all: Vec<&str> = Vec::new();
    for word in words {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    // Whose list it is stands behind why.
    all.sort_by_key(|word| Bar::named(word).is_some());
    all
}

/// A row with who put the address on Postmark's list, as far as that is told: nobody did where the rulings are ours.
async fn with_origin(reader: &Reader<'_>, stream: &str, row: Listing) -> Result<WithOrigin, StoreError> {
    let any =
        |causes: &[Cause]| causes.iter().any(|cause| row.causes.iter().any(|name| name == cause.name()));
    let origin = if any(&[Cause::HardBounce, Cause::Complaint, Cause::Unsubscribe]) {
        Some(RECIPIENT)
    } else if any(&[Cause::Manual, Cause::Unknown]) {
        origin(&reader.state_events(row.recipient).await?, stream)
    } else {
        None
    };
    Ok((row, origin))
}

/// Who put an address on a stream's list by hand: the cause does not tell whether the customer or Postmark's staff did,
/// the body of the telling does. Of those since the address last left the list, the latest that has an origin.
fn origin(events: &[Recorded], stream: &str) -> Option<&'static str> {
    let facts = || events.iter().flat_map(|one| one.event.facts().into_iter().map(move |fact| (one, fact)));
    let lifted = facts().filter_map(|(_, fact)| match fact {
        Fact::Lifted { stream: of, at } if of == stream => Some(at),
        _ => None,
    });
    let lifted = lifted.max();
    let told = facts().filter_map(|(one, fact)| match fact {
        Fact::Suppressed { stream: of, cause: Cause::Manual | Cause::Unknown, at }
            if of == stream && lifted.is_none_or(|lifted| at >= lifted) =>
        {
            let body = Body::parse(one.body.as_ref()?.as_bytes()).ok()?;
            let origin = body.text("Origin")?;
            Some((at, *ORIGINS.iter().find(|known| **known == origin)?))
        }
        _ => None,
    });
    told.max().map(|(_, origin)| origin)
}

fn item((row, origin): &WithOrigin, reveal: bool) -> Suppression {
    Suppression {
        address: shown(row.address.as_deref(), reveal),
        recipient_id: row.recipient,
        since: row.since.into(),
        causes: causes(row).into_iter().map(str::to_owned).collect(),
        origin: origin.map(str::to_owned),
    }
}

/// A page as a table: the header on each, so that each can be used alone.
fn csv(rows: &[WithOrigin], reveal: bool) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    suppression_lists::write_header(&mut out)?;
    for (row, origin) in rows {
        let address = shown(row.address.as_deref(), reveal).unwrap_or_default();
        let causes = causes(row).join(suppression_lists::CAUSES_JOINED_BY);
        let (recipient, since) = (row.recipient.to_string(), rfc3339(row.since));
        suppression_lists::write_row(
            &mut out,
            &[&address, &recipient, &since, &causes, origin.unwrap_or_default()],
        )?;
    }
    Ok(out)
}

/// The path and query of the next page. A path comes decoded, so it is put together anew.
fn link(reader: &Reader<'_>, stream: &str, query: &Query, next: &str) -> String {
    let encoded = |text| utf8_percent_encode(text, UNRESERVED);
    let mut link = format!(
        "/v1/servers/{}/streams/{}/suppressions?format=csv&cursor={}",
        reader.server(),
        encoded(stream),
        encoded(next)
    );
    for name in ["cause", "origin", "from", "to", "limit"] {
        if let Some(value) = query.text(name) {
            link.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    link
}

#[cfg(test)]
mod tests;
