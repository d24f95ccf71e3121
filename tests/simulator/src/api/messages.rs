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
                destination(json);
            }
            Kind::Delay => {
                json.text("DeliveryMessage", "smtp;451 4.4.1 Connection timed out");
                destination(json);
            }
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

/// The server that a mail was brought to, or was to be.
fn destination(json: &mut Json) {
    json.text("DestinationServer", "mx.receiver.example");
    json.text("DestinationIP", "203.0.113.25");
}

#[cfg(test)]
mod tests {
    use crate::Time;
    use crate::trial::{Trial, each};
    use serde_json::Value;

    #[test]
    fn messages_are_listed_newest_first_within_dates_of_eastern_time() {
        let mut trial = Trial::with(|config| config.start = Time::parse("2026-11-01T03:59:00Z").unwrap());
        trial.send("before@x.example");
        trial.days(0);
        trial.run(120, |_| crate::Answer::status(200));
        trial.send("on@x.example");
        trial.run(25 * 3600, |_| crate::Answer::status(200));
        trial.send("after@x.example");
        let mut found = |query: &str| {
            let body = trial.get(&format!("/messages/outbound?count=50&offset=0{query}"));
            let rows = body["Messages"].as_array().unwrap().clone();
            rows.iter().map(|row| row["Recipients"][0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found(""), ["after@x.example", "on@x.example", "before@x.example"]);
        assert_eq!(found("&fromdate=2026-11-01&todate=2026-11-01"), ["on@x.example"]);
        assert_eq!(found("&todate=2026-10-31"), ["before@x.example"]);
        assert_eq!(found("&fromdate=2026-11-02"), ["after@x.example"]);
        assert_eq!(found("&recipient=ON@x.example"), ["on@x.example"]);
        assert_eq!(found("&tag=none"), Vec::<String>::new());
        assert_eq!(found("&messagestream=broadcast"), Vec::<String>::new());
    }

    #[test]
    fn windows_and_pages_have_postmarks_limits() {
        let mut trial = Trial::quiet();
        for (path, code) in [
            ("/messages/outbound?count=501&offset=0", 700),
            ("/messages/outbound?count=500&offset=9501", 700),
            ("/messages/outbound?count=5", 700),
            ("/messages/outbound?count=5&offset=0&fromdate=yesterday", 700),
            ("/messages/outbound/opens?count=501&offset=0", 700),
            ("/bounces?count=0&offset=0", 1000),
            ("/bounces?count=1&offset=10000", 1000),
            ("/bounces?count=1&offset=0&type=Nothing", 1000),
            ("/bounces/1", 1001),
            ("/stats/outbound?fromdate=2024-01-01", 1500),
            ("/stats/outbound?messagestream=nothing", 1226),
        ] {
            let (status, body) = trial.call("GET", path, &Value::Null);
            assert_eq!((status, &body["ErrorCode"]), (422, &code.into()), "{path}");
        }
        assert_eq!(trial.call("GET", "/messages/outbound?count=500&offset=9500", &Value::Null).0, 200);
    }

    #[test]
    fn details_tell_the_events_but_no_repeated_open() {
        let mut trial = Trial::quiet();
        let id = trial.send("ida+transient.open3.click1.complaint@x.example");
        trial.days(20);
        let body = trial.get(&format!("/messages/outbound/{id}/details"));
        let mut types = each(body["MessageEvents"].as_array().unwrap(), "Type");
        types.sort_unstable();
        assert_eq!(
            types,
            ["Bounced", "Bounced", "Delivered", "LinkClicked", "Opened", "SubscriptionChanged", "Transient"]
        );
        let change = body["MessageEvents"]
            .as_array()
            .unwrap()
            .iter()
            .find(|event| event["Type"] == "SubscriptionChanged")
            .unwrap();
        assert_eq!(change["Details"]["SuppressSending"], "True");
        let opens = trial.get(&format!("/messages/outbound/opens/{id}?count=10&offset=0"));
        assert_eq!((&opens["TotalCount"], &opens["Opens"][0]["FirstOpen"]), (&1.into(), &true.into()));
        assert_eq!(trial.get("/messages/outbound/clicks?count=10&offset=0")["TotalCount"], 1);
    }

    #[test]
    fn what_is_older_than_45_days_is_gone_but_for_list_and_statistics() {
        let mut trial = Trial::quiet();
        let id = trial.send("ida+hard@x.example");
        trial.days(1);
        let bounces = trial.get("/bounces?count=1&offset=0");
        let bounce = bounces["Bounces"][0]["ID"].clone();
        assert_eq!(bounces["Bounces"][0]["DumpAvailable"], true);
        trial.days(40);
        assert_eq!(trial.get(&format!("/bounces/{bounce}"))["DumpAvailable"], false);
        assert_eq!(trial.get(&format!("/bounces/{bounce}/dump"))["Body"], "");
        trial.days(5);
        assert_eq!(
            trial.call("GET", &format!("/messages/outbound/{id}/details"), &Value::Null).1["ErrorCode"],
            701
        );
        assert_eq!(trial.call("GET", &format!("/bounces/{bounce}"), &Value::Null).1["ErrorCode"], 1001);
        assert_eq!(trial.get("/bounces?count=1&offset=0")["TotalCount"], 0);
        let stats = trial.get("/stats/outbound");
        assert_eq!((&stats["Sent"], &stats["Bounced"]), (&1.into(), &1.into()));
        let dump = trial.get("/message-streams/outbound/suppressions/dump");
        assert_eq!(dump["Suppressions"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn statistics_are_of_eastern_days_across_the_clock_change() {
        let mut trial = Trial::with(|config| config.start = Time::parse("2026-11-01T03:59:00Z").unwrap());
        trial.send("a@x.example");
        trial.run(120, |_| crate::Answer::status(200));
        trial.send("b@x.example");
        trial.run(24 * 3600 + 3480, |_| crate::Answer::status(200));
        trial.send("c@x.example");
        trial.run(120, |_| crate::Answer::status(200));
        trial.send("d@x.example");
        let days = trial.get("/stats/outbound/sends");
        let days: Vec<(&str, u64)> = days["Days"]
            .as_array()
            .unwrap()
            .iter()
            .map(|day| (day["Date"].as_str().unwrap(), day["Sent"].as_u64().unwrap()))
            .collect();
        assert_eq!(days, [("2026-10-31", 1), ("2026-11-01", 2), ("2026-11-02", 1)]);
        assert_eq!(trial.get("/stats/outbound?fromdate=2026-11-01&todate=2026-11-01")["Sent"], 2);
    }
}
