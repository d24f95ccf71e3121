//! What is written in a mail that was sent: Postmark is asked for it when somebody looks.
//!
//! Invariants:
//! - It is told to those alone who were given the right to it: see [`crate::token::Grant::reads_content`].
//! - Each look is noted in the audit before Postmark is asked: who, at which server, at which message. Nothing of the mail is.
//! - Nothing of it is stored or logged.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Reader;
use crate::sent::{details, no_message_id, not_understood};
use answers::MessageContent;
use serde_json::Value;

/// How many bytes of a body are told; Postmark keeps as many. Two of them fit into the answer of a function, escaped.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How many attachments are named; Postmark takes mails of 10 MB.
const ATTACHMENTS_MAX: usize = 100;
/// How many characters of a subject, or of an attachment's name, are told.
const LINE_CHARS_MAX: usize = 2_000;

/// The content of a message.
///
/// # Errors
/// [`Problem::no_content`], or as [`details`]; where the look cannot be noted, nobody is asked.
pub(crate) async fn content(reader: &Reader<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    if !reader.caller().reads_content() {
        return Err(Problem::no_content());
    }
    // It is noted as it stands: an address that somebody types in its place would stay there.
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(no_message_id());
    }
    let told = reader.looked("message.content", name, details(reader, name)).await?;
    let content = read(reader, &told).ok_or_else(not_understood)?;
    Ok(Answer::json(&content))
}

/// What Postmark tells of a message; nothing where it is not understood.
fn read(reader: &Reader<'_>, told: &Value) -> Option<MessageContent> {
    let text = |name: &str| told[name].as_str().filter(|text| !text.is_empty());
    let (body, html) = (text("TextBody").map(body), text("HtmlBody").map(body));
    let truncated = [&body, &html].into_iter().flatten().any(|(_, is_cut)| *is_cut);
    let named = |one: &Value| one.as_str().or_else(|| one["Name"].as_str()).map(line);
    let attachments = told["Attachments"].as_array().into_iter().flatten().filter_map(named);
    Some(MessageContent {
        server: reader.server(),
        message_id: text("MessageID")?.to_owned(),
        asked_at: reader.now().into(),
        subject: text("Subject").map(line),
        text: body.map(|(text, _)| text),
        html: html.map(|(text, _)| text),
        attachments: attachments.take(ATTACHMENTS_MAX).collect(),
        truncated,
    })
}

/// A body without characters that nobody sees and that would make the answer several times as long; and whether it is cut.
fn body(text: &str) -> (String, bool) {
    let mut kept: String =
        text.chars().filter(|c| !c.is_control() || ['\n', '\r', '\t'].contains(c)).collect();
    let is_cut = kept.len() > BODY_BYTES_MAX;
    kept.truncate(kept.floor_char_boundary(BODY_BYTES_MAX));
    (kept, is_cut)
}

fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LINE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
