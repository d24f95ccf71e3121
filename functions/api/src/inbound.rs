//! What Postmark says of mail that came in, its failures above all: Postmark is asked when somebody looks, since no webhook
//! that the ledger takes in tells of it.
//!
//! Invariants:
//! - Nothing of an answer is stored.
//! - No content of a mail is told.

use crate::call::{Answer, Call};
use crate::mask::shown;
use crate::problem::Problem;
use crate::scope::Reader;
use crate::sent::{api, in_time, not_understood};
use answers::{InboundMessage, InboundMessages};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use postmark_api::{ApiError, InboundQuery, ServerApi};
use serde_json::Value;

/// How many messages are told.
const MESSAGES: u32 = 50;
/// About how many messages that were not taken Postmark is asked at once for the reason.
const AT_ONCE: usize = 8;
/// What becomes of a mail, as Postmark calls it.
const STATUSES: [&str; 5] = ["processed", "blocked", "queued", "failed", "scheduled"];
/// Those of which it has a reason.
const NOT_TAKEN: [&str; 2] = ["blocked", "failed"];
/// How many characters of a text are told.
const TEXT_CHARS_MAX: usize = 2_000;

/// What came in, of one status or of all.
///
/// # Errors
/// A conflict where no token is kept or Postmark does not accept it, or that Postmark does not answer.
pub(crate) async fn list(reader: &Reader<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    let query = call.query(&["status"])?;
    let known = |text: &str| STATUSES.into_iter().find(|status| *status == text);
    let status = query.read("status", "processed, blocked, queued, failed or scheduled", known)?;
    let api = &api(reader).await?;
    // One time for the list and the reasons: a caller behind a gateway does not wait for several.
    let asked = async {
        let query = InboundQuery { count: MESSAGES, offset: 0, status };
        let page = api.inbound(&query).await?;
        let rows: Vec<_> = page.rows.into_iter().map(|row| with_reason(reader, api, row)).collect();
        let rows: Vec<(Value, Option<String>)> = stream::iter(rows).buffered(AT_ONCE).try_collect().await?;
        Ok::<_, ApiError>((page.total, rows))
    };
    let (total, rows) = in_time(asked).await?;
    let truncated = total > rows.len() as u64;
    let items = rows.iter().map(|(row, reason)| message(reader, row, reason.as_deref()));
    let items: Vec<InboundMessage> = items.collect::<Option<_>>().ok_or_else(not_understood)?;
    let (server, asked_at) = (reader.server(), reader.now().into());
    Ok(Answer::json(&InboundMessages { server, asked_at, items, truncated }))
}

/// A row with the reason why it was not taken, which Postmark tells of each by itself; only whoever may see it makes it be asked.
async fn with_reason(
    reader: &Reader<'_>,
    api: &ServerApi,
    row: Value,
) -> Result<(Value, Option<String>), ApiError> {
    let id = row["MessageID"].as_str().filter(|_| NOT_TAKEN.contains(&status(&row).as_str()));
    let reason = match id.filter(|_| reader.caller().reveals()) {
        Some(id) => match api.inbound_details(id).await {
            Ok(told) => text(&told, "BlockedReason"),
            // It may have gone since.
            Err(ApiError::Refused { status: 422, .. }) => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    Ok((row, reason))
}

fn status(row: &Value) -> String {
    row["Status"].as_str().unwrap_or_default().to_lowercase()
}

fn text(row: &Value, name: &str) -> Option<String> {
    let text = row[name].as_str().filter(|text| !text.trim().is_empty())?;
    Some(text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect())
}

/// A row of the list; nothing where it is not understood.
fn message(reader: &Reader<'_>, row: &Value, reason: Option<&str>) -> Option<InboundMessage> {
    let reveals = reader.caller().reveals();
    // What stands in a header may be several addresses with names: that is no address to mask, so the address alone is told.
    let from = text(&row["FromFull"], "Email").or_else(|| text(row, "From"));
    let to = text(row, "OriginalRecipient").or_else(|| text(&row["ToFull"][0], "Email"));
    let address = |address: Option<String>| shown(address.as_deref(), reveals).unwrap_or_default();
    Some(InboundMessage {
        message_id: text(row, "MessageID")?,
        date: text(row, "Date"),
        from: address(from),
        to: address(to),
        subject: text(row, "Subject").filter(|_| reveals),
        status: status(row),
        reason: reason.filter(|_| reveals).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
