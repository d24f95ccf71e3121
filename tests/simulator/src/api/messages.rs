//! The Messages API: sent messages with their events, within retention.

use super::{ApiBody, Call, Refusal, Reply};
use crate::Simulator;
use crate::body::Door;
use crate::json::Json;
use crate::model::{Kind, Message, MessageId};
use serde_json::Value;

impl Simulator {
    pub(super) fn list_messages(&mut self, call: &Call) -> Reply {
        let (count, offset) = call.page(700)?;
        let stream = self.listed_stream(call, 700)?;
        let (from, after) = self.window(call, 700)?;
        let status = call.parameter("status").unwrap_or("sent").to_ascii_lowercase();
        if !matches!(status.as_str(), "queued" | "sent" | "processed") {
            return Err(Refusal::business(700, "Parameter 'status' is not one of queued, sent, processed."));
        }
        let recipient = call.parameter("recipient").map(str::to_lowercase);
        let sender = call.parameter("fromemail").map(str::to_lowercase);
        let (tag, subject) = (call.parameter("tag"), call.parameter("subject"));
        let metadata =
            call.query.iter().find_map(|(key, value)| Some((key.strip_prefix("metadata_")?, value)));
        let fits = |message: &Message| {
            let text = |text| self.texts.get(text);
            status != "queued"
                && tag.is_none_or(|tag| text(message.tag) == tag)
                && subject.is_none_or(|subject| text(message.subject).contains(subject))
                && sender.as_ref().is_none_or(|sender| text(message.from).to_lowercase().contains(sender))
                && recipient.as_ref().is_none_or(|wanted| {
                    self.recipients[message.recipients()]
                        .iter()
                        .any(|one| text(*one).to_lowercase() == *wanted)
                })
                && metadata.is_none_or(|(key, wanted)| {
                    let fields: Option<Value> = serde_json::from_str(text(message.metadata)).ok();
                    let fields = fields.as_ref().and_then(Value::as_object);
                    fields.and_then(|fields| super::field(fields, key)).and_then(Value::as_str)
                        == Some(wanted)
                })
        };
        let rows = &self.stream(stream).messages;
        let at = |message: &u32| self.messages[*message as usize].at;
        let rows = &rows[rows.partition_point(|row| at(row) < from)..];
        let rows = &rows[..rows.partition_point(|row| at(row) < after)];
        let found: Vec<u32> =
            rows.iter().rev().copied().filter(|message| fits(&self.messages[*message as usize])).collect();
        let mut json = Json::object();
        self.total(&mut json, found.len());
        json.objects("Messages", found.iter().skip(offset).take(count), |json, message| {
            self.message_row(json, *message);
        });
        Ok(ApiBody::json(json.end()))
    }

    /// `TotalCount`, a number or a string.
    pub(super) fn total(&self, json: &mut Json, count: usize) {
        if self.config.quirks.total_count_is_text {
            json.text("TotalCount", &count.to_string());
        } else {
            json.number("TotalCount", count as u64);
        }
    }

    fn message_row(&self, json: &mut Json, number: u32) {
        let message = &self.messages[number as usize];
        let recipients = &self.recipients[message.recipients()];
        let text = |text| self.texts.get(text);
        json.text("Tag", text(message.tag));
        json.text("MessageID", &MessageId::of(self.config.seed, number).to_string());
        let (to, rest) = recipients.split_at(usize::from(message.to));
        let (cc, bcc) = rest.split_at(usize::from(message.cc));
        for (key, list) in [("To", to), ("Cc", cc), ("Bcc", bcc)] {
            json.objects(key, list.iter(), |json, address| {
                json.text("Email", text(*address));
                json.raw("Name", b"null");
            });
        }
        json.texts("Recipients", recipients.iter().map(|address| text(*address)));
        self.api_time(json, "ReceivedAt", message.at);
        json.text("From", text(message.from));
        json.text("Subject", text(message.subject));
        json.raw("Attachments", b"[]");
        json.text("Status", "Sent");
        json.truth("TrackOpens", message.track_opens);
        json.text("TrackLinks", message.track_links.name());
        json.raw(
            "Metadata",
            if message.metadata.is_empty() { b"{}" } else { text(message.metadata).as_bytes() },
        );
        json.truth("Sandboxed", self.server_of(message.stream).sandbox);
        json.text("MessageStream", &self.stream(message.stream).id);
    }

    /// A message of the calling server by its id, within retention.
    pub(super) fn message_of(&self, call: &Call, id: &str) -> Result<u32, Refusal> {
        let number = MessageId::number(self.config.seed, id).filter(|number| {
            self.messages.get(*number as usize).is_some_and(|message| {
                usize::from(self.stream(message.stream).server) == call.server && message.at >= self.horizon()
            })
        });
        number.ok_or_else(|| Refusal::business(701, "This message was not found."))
    }

    pub(super) fn message_details(&mut self, call: &Call, id: &str) -> Reply {
        let number = self.message_of(call, id)?;
        let message = &self.messages[number as usize];
        let mut events: Vec<u32> = self.events_of(number).map(|(event, _)| event).collect();
        events.reverse();
        // Repeated opens are not stored; a change of the list that names no message is not the message's.
        events.retain(|event| {
            !matches!(
                self.events[*event as usize].kind,
                Kind::Open { first: false, .. } | Kind::Change { caused: false, .. }
            )
        });
        let mut json = Json::object();
        json.text("TextBody", self.texts.get(message.text));
        json.text("HtmlBody", self.texts.get(message.html));
        json.text("Body", &self.source(number));
        self.message_row(&mut json, number);
        json.objects("MessageEvents", events.iter(), |json, event| self.message_event(json, *event));
        Ok(ApiBody::json(json.end()))
    }

    fn message_event(&self, json: &mut Json, event: u32) {
        let of = &self.events[event as usize];
        json.text("Recipient", self.texts.get(of.recipient));
        json.text(
            "Type",
            match of.kind {
                Kind::Delivery => "Delivered",
                Kind::Delay => "Transient",
                Kind::Bounce { .. } | Kind::Complaint { .. } => "Bounced",
                Kind::Open { .. } => "Opened",
                Kind::Click { .. } => "LinkClicked",
                Kind::Change { .. } => "SubscriptionChanged",
            },
        );
        self.write_time(json, "ReceivedAt", event, of.at, Door::Api, true);
        json.nested("Details", |json| match of.kind {
            Kind::Delivery => {
                json.text("DeliveryMessage", &self.delivery_details(event));
                json.text("DestinationServer", "mx.receiver.example");
                json.text("DestinationIP", "203.0.113.25");
            }
            Kind::Delay => json.text("DeliveryMessage", "smtp;451 4.4.1 Connection timed out"),
            Kind::Bounce { .. } | Kind::Complaint { .. } => {
                let summary = match of.kind {
                    Kind::Bounce { kind, .. } => kind.description(),
                    _ => "The subscriber explicitly marked this message as spam.",
                };
                json.text("Summary", summary);
                let id = self.bounce_id(event);
                if self.config.quirks.bounce_id_is_text {
                    json.text("BounceID", &id.to_string());
                } else {
                    json.number("BounceID", id);
                }
            }
            Kind::Open { .. } => json.text("Summary", "Email opened"),
            Kind::Click { link, in_text } => {
                json.text("Summary", "Link clicked");
                json.text("Link", self.link(of.message, link));
                json.text("ClickLocation", if in_text { "Text" } else { "HTML" });
            }
            Kind::Change { suppress, origin, .. } => {
                json.text("Origin", origin.name());
                json.text("SuppressSending", if suppress { "True" } else { "False" });
            }
        });
    }

    fn source(&self, number: u32) -> String {
        let message = &self.messages[number as usize];
        let text = |text| self.texts.get(text);
        format!(
            "From: {}\r\nSubject: {}\r\nX-PM-Message-Id: {}\r\nMIME-Version: 1.0\r\n\r\n{}{}",
            text(message.from),
            text(message.subject),
            self.message_id(number),
            text(message.text),
            text(message.html)
        )
    }

    pub(super) fn message_dump(&mut self, call: &Call, id: &str) -> Reply {
        let number = self.message_of(call, id)?;
        let mut json = Json::object();
        json.text("Body", &self.source(number));
        Ok(ApiBody::json(json.end()))
    }
}
