//! What Postmark says of mail that was sent. A mail of which no event has come in yet is in no ledger; Postmark is asked for it
//! when somebody looks.
//!
//! Invariants:
//! - Nothing of an answer is stored.
//! - No content of a mail is told here: that is for [`crate::content`].

use crate::call::{Answer, Call};
use crate::check::stream_named;
use crate::history::spellings;
use crate::mask::shown;
use crate::postmark_settings::not_accepted;
use crate::postmark_token::PATIENCE;
use crate::problem::Problem;
use crate::recipient::Named;
use crate::ruling::no_postmark_token;
use crate::scope::Reader;
use account::connect;
use answers::{PostmarkEvent, PostmarkMessage, SentMessage, SentMessages, UnknownStream};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use ledger::{Class, RecipientId, Time, recipient_key};
use postmark_api::{ApiError, MessageQuery, Page, ServerApi};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How many messages of a stream are told.
const MESSAGES: u32 = 50;
/// How many streams Postmark is asked about at once, and about how many messages the ledger is.
const AT_ONCE: [usize; 2] = [6, 16];
/// Postmark's code for a message that it does not have, or no longer.
const NO_SUCH_MESSAGE: i64 = 701;

/// What was sent to a recipient.
///
/// # Errors
/// A conflict where no token is kept, Postmark does not accept it, or the address is not known any more; or that Postmark does
/// not answer.
pub(crate) async fn to(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["stream"])?;
    let named = Named::of(reader, name).await?;
    let address = &address(reader, &named).await?;
    let api = &api(reader).await?;
    let only = query.text("stream");
    only.map(stream_named).transpose()?;
    // Both answers share one time: a caller behind a gateway does not wait for twice as long.
    let asked = async {
        // Those that Postmark has, and not those of which something is recorded: it is asked for what is not.
        let mut streams: BTreeSet<String> = connect::streams(api).await?.into_keys().collect();
        streams.retain(|stream| only.is_none_or(|only| stream == only));
        // Postmark lists what waits to be sent apart.
        let questions =
            streams.iter().flat_map(|stream| [None, Some("queued")].map(|status| (stream, status)));
        let asked = questions.map(|(stream, status)| async move {
            let recipient = Some(address.as_str());
            let query =
                MessageQuery { stream, count: MESSAGES, recipient, status, ..MessageQuery::default() };
            Ok::<_, ApiError>((stream.clone(), api.messages(&query).await?))
        });
        stream::iter(asked.collect::<Vec<_>>()).buffered(AT_ONCE[0]).try_collect().await
    };
    let pages: Vec<(String, Page<Value>)> = in_time(asked).await?;
    // Every stream that there is has its pages, be they empty.
    if let (Some(stream), true) = (only, pages.is_empty()) {
        reader.stream(stream, UnknownStream::Refuse).await?;
        return Err(not_at_postmark());
    }
    let truncated = pages.iter().any(|(_, page)| page.total > page.rows.len() as u64);
    let ids: BTreeSet<RecipientId> = named.ids.iter().copied().collect();
    let mut found = BTreeMap::new();
    for (stream, page) in pages {
        for row in page.rows.iter().filter(|row| is_to(row, address)) {
            let message = message(reader, row, &stream).ok_or_else(not_understood)?;
            found.insert(message.message_id.clone(), message);
        }
    }
    let found = found.into_values();
    let ids = &ids;
    let known = found.map(|message| async move {
        let recorded = recorded(reader, &message.message_id, Some(ids)).await?;
        Ok::<_, Problem>(SentMessage { recorded, ..message })
    });
    let mut items: Vec<SentMessage> =
        stream::iter(known.collect::<Vec<_>>()).buffered(AT_ONCE[1]).try_collect().await?;
    items.sort_by_key(|message| std::cmp::Reverse(message.sent_at));
    let (server, recipient_id, asked_at) = (reader.server(), named.id(), reader.now().into());
    Ok(Answer::json(&SentMessages { server, recipient_id, asked_at, items, truncated }))
}

/// One message.
///
/// # Errors
/// As [`to`]; a problem of its own where Postmark does not have it, or no longer.
pub(crate) async fn one(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let told = details(reader, name).await?;
    let message = message(reader, &told, "").ok_or_else(not_understood)?;
    let recorded = recorded(reader, &message.message_id, None).await?;
    let mut events: Vec<PostmarkEvent> =
        told["MessageEvents"].as_array().into_iter().flatten().filter_map(|row| event(reader, row)).collect();
    events.sort_by_key(|event| event.at);
    let message = SentMessage { recorded, ..message };
    Ok(Answer::json(&PostmarkMessage {
        server: reader.server(),
        asked_at: reader.now().into(),
        message,
        events,
    }))
}

/// All that Postmark tells of a message, by its id in any spelling; its content is part of it.
///
/// # Errors
/// As [`one`].
pub(crate) async fn details(reader: &Reader<'_>, name: &str) -> Result<Value, Problem> {
    // What is the path of something else at Postmark is no message.
    let spelled = spellings(name);
    if spelled.is_empty() || [".", "..", "opens", "clicks"].contains(&name) {
        return Err(no_message_id());
    }
    let api = &api(reader).await?;
    let asked = async {
        let mut told = Err(no_such_message());
        for spelled in spelled {
            match api.message_details(&spelled).await {
                Err(ApiError::Refused { code: NO_SUCH_MESSAGE, .. }) => {}
                found => {
                    told = Ok(found?);
                    break;
                }
            }
        }
        Ok::<_, ApiError>(told)
    };
    in_time(asked).await?
}

/// That what stands in the path in the place of a message is none.
pub(crate) fn no_message_id() -> Problem {
    Problem::bad_request("the message in the path: expected Postmark's MessageID")
}

/// The address that Postmark is asked for.
async fn address(reader: &Reader<'_>, named: &Named) -> Result<String, Problem> {
    if let Some(address) = named.recipient.address() {
        return Ok(address.text().to_owned());
    }
    for (id, class) in named.ids.iter().flat_map(|id| Class::ALL.map(|class| (*id, class))) {
        let first = reader.events(id, class, None, 1).await?.items.pop();
        if let Some(address) = first.and_then(|recorded| recorded.event.address) {
            return Ok(address);
        }
    }
    Err(Problem::no_address())
}

/// Whether a row is of a mail to an address, as far as it says.
fn is_to(row: &Value, address: &str) -> bool {
    let recipients = row["Recipients"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let keys: Vec<String> = recipients.map(recipient_key).collect();
    keys.is_empty() || keys.contains(&recipient_key(address))
}

/// That Postmark has no such stream, though something is recorded of it.
fn not_at_postmark() -> Problem {
    Problem::conflict(
        "unusable",
        "It cannot be done",
        "Postmark has no such stream at this server, or it is archived",
    )
    .next("leave `stream` out to ask about all that there are")
}

pub(crate) async fn api(reader: &Reader<'_>) -> Result<ServerApi, Problem> {
    let otherwise = "or look in Postmark's own pages";
    reader.postmark().await?.ok_or_else(|| no_postmark_token(reader, otherwise))
}

/// What Postmark says, if it says something in time.
pub(crate) async fn in_time<T>(asked: impl Future<Output = Result<T, ApiError>>) -> Result<T, Problem> {
    let told = tokio::time::timeout(PATIENCE, asked).await;
    told.map_err(|_| Problem::postmark_unavailable())?.map_err(|error| match error {
        ApiError::Refused { status: 401, .. } | ApiError::NotSent(_) => not_accepted(),
        other => {
            tracing::warn!(error = %other, "Postmark does not say what it sent");
            Problem::postmark_unavailable()
        }
    })
}

fn no_such_message() -> Problem {
    let detail = "Postmark does not have this message, or no longer";
    Problem::new(StatusCode::NOT_FOUND, "no-such-message", "Postmark does not have it", detail)
        .next("compare the id with the one that Postmark's API answered when the message was sent")
}

pub(crate) fn not_understood() -> Problem {
    tracing::warn!("Postmark tells of a message in a way that is not understood");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "postmark-unavailable",
        "Postmark does not answer",
        "its answer is not understood",
    )
    .next("look in Postmark's own pages")
}

/// A row of a list, which is of a stream, or a message's details; nothing where it is not understood.
fn message(reader: &Reader<'_>, row: &Value, of: &str) -> Option<SentMessage> {
    let text = |name: &str| row[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let sent_at: Time = row["ReceivedAt"].as_str()?.parse().ok()?;
    Some(SentMessage {
        message_id: text("MessageID")?,
        sent_at: sent_at.into(),
        stream: text("MessageStream").unwrap_or_else(|| of.to_owned()),
        status: text("Status").unwrap_or_default().to_lowercase(),
        tag: text("Tag"),
        subject: text("Subject").filter(|_| reader.caller().reveals()),
        recorded: false,
    })
}

fn event(reader: &Reader<'_>, row: &Value) -> Option<PostmarkEvent> {
    let at: Time = row["ReceivedAt"].as_str()?.parse().ok()?;
    let reveals = reader.caller().reveals();
    let said = ["DeliveryMessage", "Summary"].iter().find_map(|name| row["Details"][*name].as_str());
    Some(PostmarkEvent {
        at: at.into(),
        kind: row["Type"].as_str()?.to_owned(),
        address: shown(row["Recipient"].as_str(), reveals).unwrap_or_default(),
        said: said.filter(|said| reveals && !said.is_empty()).map(str::to_owned),
    })
}

/// Whether the ledger has an event of a message: of one of these recipients, where they are said.
async fn recorded(
    reader: &Reader<'_>,
    message_id: &str,
    of: Option<&BTreeSet<RecipientId>>,
) -> Result<bool, Problem> {
    for spelled in spellings(message_id) {
        let keys = reader.message(&spelled).await?;
        if keys.iter().any(|key| of.is_none_or(|of| of.contains(&key.recipient))) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
