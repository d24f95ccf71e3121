//! Sending: checks, the list of inactive recipients, and the taking of a message.

use super::{ApiBody, Call, Refusal, Reply, error_json, field, flag_of, text_of};
use crate::Simulator;
use crate::account::StreamKind;
use crate::json::Json;
use crate::model::{Message, NONE, TrackLinks};
use crate::outcome::Outcome;
use crate::texts::Text;
use serde_json::{Map, Value};

/// Recipients of a message, over To, Cc and Bcc.
const RECIPIENTS_MAX: usize = 50;
/// Messages of a batch.
const BATCH_MAX: usize = 500;
/// Characters.
const SUBJECT_MAX: usize = 2_000;
const TAG_MAX: usize = 1_000;
/// Metadata: pairs, characters of a key, characters of a value.
const METADATA_MAX: (usize, usize, usize) = (10, 20, 80);

/// A message that passed the checks.
struct Checked<'a> {
    stream: u16,
    to: Vec<String>,
    cc: Vec<String>,
    bcc: Vec<String>,
    from: &'a str,
    subject: String,
    html: String,
    text: String,
    tag: &'a str,
    metadata: String,
    track_opens: bool,
    track_links: TrackLinks,
    forced: Option<Outcome>,
}

impl Simulator {
    pub(super) fn send_one(&mut self, call: &Call, template: bool) -> Reply {
        let message = call.object(402)?;
        let (status, code, body) = self.send(call.server, &message, template, false)?;
        if status == 200 {
            return Ok(ApiBody::json(body));
        }
        Ok(super::coded(status, code, body))
    }

    pub(super) fn send_batch(&mut self, call: &Call, template: bool) -> Reply {
        let batch = batch_of(call, template)?;
        let mut out = vec![b'['];
        for (at, message) in batch.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let sent = match message {
                Value::Object(message) => self.send(call.server, message, template, true),
                _ => Err(Refusal::business(402, "Received invalid JSON input.")),
            };
            match sent {
                Ok((_, _, body)) => out.extend_from_slice(&body),
                Err(refusal) => out.extend_from_slice(&error_json(refusal.code, &refusal.message)),
            }
        }
        out.push(b']');
        Ok(ApiBody::json(out))
    }

    /// With the test token all is checked, on the streams of any server, and nothing is sent.
    pub(super) fn test_send(&mut self, call: &Call) -> Reply {
        let batch = call.segments.get(1).is_some_and(|part| part.to_ascii_lowercase().starts_with("batch"));
        let template =
            call.segments.get(1).is_some_and(|part| part.to_ascii_lowercase().contains("template"));
        let messages = if batch { batch_of(call, template)? } else { vec![Value::Object(call.object(402)?)] };
        let mut answers = Vec::new();
        for message in &messages {
            let Value::Object(message) = message else {
                return Err(Refusal::business(402, "Received invalid JSON input."));
            };
            check_addresses(message)?;
            let mut json = Json::object();
            json.text("To", text_of(message, "To"));
            self.submitted(&mut json);
            json.text("MessageID", &self.draw_uuid());
            json.number("ErrorCode", 0);
            json.text("Message", "Test job accepted");
            answers.push(String::from_utf8_lossy(&json.end()).into_owned());
        }
        let joined = answers.join(",");
        Ok(ApiBody::json(if batch { format!("[{joined}]") } else { joined }.into_bytes()))
    }

    fn submitted(&self, json: &mut Json) {
        json.time("SubmittedAt", self.now, 7, self.eastern.offset(self.now));
    }

    /// Takes a message: status, error code and body of its answer.
    fn send(
        &mut self,
        server: usize,
        message: &Map<String, Value>,
        template: bool,
        batch: bool,
    ) -> Result<(u16, u32, Vec<u8>), Refusal> {
        let mut checked = self.check(server, message, template)?;
        let mut inactive: Vec<String> = Vec::new();
        for list in [&mut checked.to, &mut checked.cc, &mut checked.bcc] {
            list.retain(|address| {
                let text = self.texts.put(address);
                let key = self.texts.put_key(text);
                let suppressed = self.streams[usize::from(checked.stream)].list.get(key).is_some();
                if suppressed {
                    inactive.push(address.clone());
                }
                !suppressed
            });
        }
        let names = inactive.join(", ");
        if checked.to.len() + checked.cc.len() + checked.bcc.len() == 0 {
            return Err(Refusal::business(
                406,
                if batch {
                    format!(
                        "You tried to send to a recipient that has been marked as inactive. Found inactive addresses: {names}. Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression. "
                    )
                } else {
                    format!(
                        "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: {names}. Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression."
                    )
                },
            ));
        }
        let number = self.take(checked);
        let mut json = Json::object();
        for key in ["To", "Cc", "Bcc"] {
            let written = text_of(message, key);
            if key == "To" || !written.is_empty() {
                json.text(key, written);
            }
        }
        self.submitted(&mut json);
        json.text("MessageID", &self.message_id(number));
        let partly = !inactive.is_empty();
        let refused = partly && self.config.quirks.partial_send_is_422;
        let code = if refused { 406 } else { 0 };
        json.number("ErrorCode", u64::from(code));
        if partly {
            json.text(
                "Message",
                &format!("Message OK, but will not deliver to these inactive addresses: {names}."),
            );
        } else {
            json.text("Message", "OK");
        }
        Ok((if refused { 422 } else { 200 }, code, json.end()))
    }

    fn check<'a>(
        &self,
        server: usize,
        message: &'a Map<String, Value>,
        template: bool,
    ) -> Result<Checked<'a>, Refusal> {
        let invalid = |message: String| Refusal::business(300, message);
        let [to, cc, bcc] = check_addresses(message)?;
        let stream = match text_of(message, "MessageStream") {
            "" => "outbound",
            id => id,
        };
        let stream = self.stream_index(server, stream).ok_or_else(|| {
            Refusal::business(1235, "The 'MessageStream' provided does not exist on this server.")
        })?;
        let of = self.stream(stream);
        if of.kind == StreamKind::Inbound || of.archived.is_some() {
            let message = "The 'MessageStream' provided cannot be used for sending, because of its type or because it is archived.";
            return Err(Refusal::business(1236, message));
        }
        let (subject, html, text) = if template {
            self.template_texts(server, message)?
        } else {
            let own = |name| text_of(message, name).to_owned();
            (own("Subject"), own("HtmlBody"), own("TextBody"))
        };
        if html.is_empty() && text.is_empty() {
            return Err(invalid("Provide either email TextBody or HtmlBody or both.".to_owned()));
        }
        if subject.chars().count() > SUBJECT_MAX {
            return Err(invalid(format!("The subject is longer than {SUBJECT_MAX} characters.")));
        }
        let tag = text_of(message, "Tag");
        if tag.chars().count() > TAG_MAX {
            return Err(invalid(format!("The tag is longer than {TAG_MAX} characters.")));
        }
        let of = &self.servers[server];
        let track_links = match field(message, "TrackLinks") {
            None => of.track_links,
            Some(kind) => kind.as_str().and_then(TrackLinks::named).ok_or_else(|| {
                Refusal::business(
                    403,
                    "The value of 'TrackLinks' is not one of None, HtmlAndText, HtmlOnly, TextOnly.",
                )
            })?,
        };
        let track_opens = flag_of(message, "TrackOpens").unwrap_or(of.track_opens);
        Ok(Checked {
            stream,
            to,
            cc,
            bcc,
            from: text_of(message, "From"),
            subject,
            html,
            text,
            tag,
            metadata: metadata_of(message)?,
            track_opens,
            track_links,
            forced: forced_outcome(message),
        })
    }

    fn take(&mut self, checked: Checked<'_>) -> u32 {
        let number = u32::try_from(self.messages.len()).unwrap_or(NONE);
        let first = u32::try_from(self.recipients.len()).unwrap_or(NONE);
        for address in checked.to.iter().chain(&checked.cc).chain(&checked.bcc) {
            let address = self.texts.put(address);
            self.recipients.push(address);
        }
        let count = |list: &[String]| u8::try_from(list.len()).unwrap_or(u8::MAX);
        let html = self.texts.put(cut(&checked.html));
        let text = self.texts.put(cut(&checked.text));
        let links = self.links_of(html, text, checked.track_links);
        self.messages.push(Message {
            at: self.now,
            from: self.texts.put(checked.from),
            subject: self.texts.put(&checked.subject),
            tag: self.texts.put(checked.tag),
            metadata: self.texts.put(&checked.metadata),
            html,
            text,
            links,
            first,
            to: count(&checked.to),
            cc: count(&checked.cc),
            bcc: count(&checked.bcc),
            track_opens: checked.track_opens,
            track_links: checked.track_links,
            stream: checked.stream,
            last_event: NONE,
        });
        self.stream_mut(checked.stream).messages.push(number);
        self.plan(number, checked.forced);
        number
    }

    /// The links that are rewritten, one a line: where it stands (H, T or B for both), a blank, the link.
    fn links_of(&mut self, html: Text, text: Text, kind: TrackLinks) -> Text {
        if kind == TrackLinks::None {
            return Text::EMPTY;
        }
        if let Some(known) = self.links_known.get(&(html, text, kind as u8)) {
            return *known;
        }
        let in_html =
            if kind == TrackLinks::TextOnly { Vec::new() } else { html_links(self.texts.get(html)) };
        let in_text =
            if kind == TrackLinks::HtmlOnly { Vec::new() } else { text_links(self.texts.get(text)) };
        let mut lines: Vec<String> = Vec::new();
        for link in &in_html {
            lines.push(format!("{} {link}", if in_text.contains(link) { 'B' } else { 'H' }));
        }
        for link in in_text.iter().filter(|link| !in_html.contains(link)) {
            lines.push(format!("T {link}"));
        }
        let links = self.texts.put(&lines.join("\n"));
        self.links_known.insert((html, text, kind as u8), links);
        links
    }
}

/// The messages of a batch, at most 500.
fn batch_of(call: &Call, template: bool) -> Result<Vec<Value>, Refusal> {
    let invalid = || Refusal::business(402, "Received invalid JSON input.");
    let batch = match serde_json::from_slice(&call.body).map_err(|_| invalid())? {
        Value::Array(batch) if !template => batch,
        Value::Object(mut fields) if template => match fields.remove("Messages") {
            Some(Value::Array(batch)) => batch,
            _ => return Err(invalid()),
        },
        _ => return Err(invalid()),
    };
    if batch.len() > BATCH_MAX {
        let message = format!("A batch holds at most {BATCH_MAX} messages.");
        return Err(Refusal::business(410, message));
    }
    Ok(batch)
}

/// To, Cc and Bcc, once From and all of them are addresses.
fn check_addresses(message: &Map<String, Value>) -> Result<[Vec<String>; 3], Refusal> {
    let from = text_of(message, "From");
    if bare(from).is_none() {
        return Err(Refusal::business(300, format!("Invalid 'From' address: '{from}'.")));
    }
    let mut lists = [Vec::new(), Vec::new(), Vec::new()];
    for (list, name) in lists.iter_mut().zip(["To", "Cc", "Bcc"]) {
        for written in split_addresses(text_of(message, name)) {
            let address = bare(written).ok_or_else(|| {
                let message = format!("Error parsing '{name}': Illegal email address '{written}'. It must contain the '@' symbol.");
                Refusal::business(300, message)
            })?;
            list.push(address.to_owned());
        }
    }
    let count: usize = lists.iter().map(Vec::len).sum();
    if lists[0].is_empty() {
        return Err(Refusal::business(300, "Zero recipients specified"));
    }
    if count > RECIPIENTS_MAX {
        return Err(Refusal::business(
            300,
            format!("Too many recipients: at most {RECIPIENTS_MAX} over To, Cc and Bcc."),
        ));
    }
    Ok(lists)
}

/// Splits a header's list at its commas, but for those in quotes.
fn split_addresses(list: &str) -> Vec<&str> {
    let mut quoted = false;
    let parts = list.split(move |letter: char| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The address of `Name <address>`.
pub(super) fn bare(written: &str) -> Option<&str> {
    let written = written.trim();
    let address = match (written.rfind('<'), written.ends_with('>')) {
        (Some(open), true) => &written[open + 1..written.len() - 1],
        _ => written,
    };
    let (local, domain) = address.rsplit_once('@')?;
    let good = !local.is_empty() && !domain.is_empty() && !address.contains(char::is_whitespace);
    good.then_some(address)
}

fn metadata_of(message: &Map<String, Value>) -> Result<String, Refusal> {
    let Some(value) = field(message, "Metadata") else { return Ok(String::new()) };
    let Value::Object(given) = value else {
        return Err(Refusal::business(403, "The value of 'Metadata' is not an object."));
    };
    if given.is_empty() {
        return Ok(String::new());
    }
    let mut json = Json::object();
    for (key, value) in given {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let (pairs, key_max, value_max) = METADATA_MAX;
        if given.len() > pairs || key.chars().count() > key_max || text.chars().count() > value_max {
            let message = format!(
                "Metadata has at most {pairs} pairs, keys of {key_max} and values of {value_max} characters."
            );
            return Err(Refusal::business(300, message));
        }
        json.text(&key.replace(['"', '\\'], "_"), &text);
    }
    Ok(String::from_utf8_lossy(&json.end()).into_owned())
}

/// The header `X-PM-Bounce-Type` of a message to the bounce testing domain.
fn forced_outcome(message: &Map<String, Value>) -> Option<Outcome> {
    let headers = field(message, "Headers")?.as_array()?;
    let to = text_of(message, "To").trim_end_matches('>').to_ascii_lowercase();
    if !to.ends_with("@bounce-testing.postmarkapp.com") {
        return None;
    }
    let name = |header: &Value| header.get("Name").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let header = headers.iter().find(|header| name(header).as_deref() == Some("x-pm-bounce-type"))?;
    Some(Outcome::testing(header.get("Value")?.as_str()?))
}

/// What is stored of a body: at most 1 MB.
fn cut(body: &str) -> &str {
    let mut end = body.len().min(1 << 20);
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    &body[..end]
}

fn html_links(html: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for part in html.split("href=").skip(1) {
        let quote = part.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let link = quote.and_then(|quote| part[1..].split(quote).next()).unwrap_or("");
        if link.starts_with("http") && !links.contains(&link) {
            links.push(link);
        }
    }
    links
}

fn text_links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for word in text.split(|letter: char| letter.is_whitespace() || matches!(letter, '<' | '>' | '"')) {
        let link = word.trim_end_matches(['.', ',', ')', ';']);
        if (link.starts_with("http://") || link.starts_with("https://")) && !links.contains(&link) {
            links.push(link);
        }
    }
    links
}
