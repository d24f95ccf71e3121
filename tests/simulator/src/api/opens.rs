//! Opens and clicks as the API lists them: first opens only, and first clicks of a link.

use super::{ApiBody, Call, Reply};
use crate::Simulator;
use crate::body::Door;
use crate::json::Json;
use crate::model::Kind;

impl Simulator {
    pub(super) fn list_engagement(&mut self, call: &Call, message: Option<&str>, opens: bool) -> Reply {
        let (count, offset) = call.page(700)?;
        let found: Vec<u32> = match message {
            Some(id) => {
                let message = self.message_of(call, id)?;
                let of = self.events_of(message).filter(|(_, event)| match event.kind {
                    Kind::Open { first, .. } => opens && first,
                    Kind::Click { .. } => !opens,
                    _ => false,
                });
                of.map(|(event, _)| event).collect()
            }
            None => {
                let stream = self.listed_stream(call, 700)?;
                let (from, after) = self.window(call, 700)?;
                let of = self.stream(stream);
                let rows = if opens { &of.opens } else { &of.clicks };
                let at = |event: &u32| self.events[*event as usize].at;
                let rows = &rows[rows.partition_point(|row| at(row) < from)..];
                let rows = &rows[..rows.partition_point(|row| at(row) < after)];
                rows.iter().rev().copied().filter(|event| self.engagement_fits(call, *event)).collect()
            }
        };
        let mut json = Json::object();
        self.total(&mut json, found.len());
        let rows = found.iter().skip(offset).take(count);
        json.objects(if opens { "Opens" } else { "Clicks" }, rows, |json, event| {
            self.engagement_row(json, *event)
        });
        Ok(ApiBody::json(json.end()))
    }

    fn engagement_fits(&self, call: &Call, event: u32) -> bool {
        let of = &self.events[event as usize];
        let (client, os, platform) = self.programs(event);
        let place = self.place(event);
        let same = |name: &str, value: &str| {
            call.parameter(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        same("recipient", self.texts.get(of.recipient))
            && same("tag", self.texts.get(self.labels(of).0))
            && same("platform", platform)
            && same("client_name", client.0)
            && same("client_company", client.1)
            && same("client_family", client.2)
            && same("os_name", os.0)
            && same("os_company", os.1)
            && same("os_family", os.2)
            && same("country", place[1])
            && same("region", place[3])
            && same("city", place[4])
    }

    fn engagement_row(&self, json: &mut Json, event: u32) {
        let of = &self.events[event as usize];
        json.text("RecordType", of.kind.record().map_or("", crate::Record::name));
        match of.kind {
            Kind::Open { first, .. } => {
                json.truth("FirstOpen", first);
                json.number("ReadSeconds", crate::body::read_seconds(self.config.seed, event));
            }
            Kind::Click { link, in_text } => {
                json.text("ClickLocation", if in_text { "Text" } else { "HTML" });
                json.text("OriginalLink", self.link(of.message, link));
            }
            _ => {}
        }
        self.reading(json, event, Door::Api);
        json.text("MessageID", &self.message_id(of.message));
        json.text("MessageStream", &self.stream(of.stream).id);
        self.write_time(json, "ReceivedAt", event, of.at, Door::Api, true);
        json.text("Tag", self.texts.get(self.labels(of).0));
        json.text("Recipient", self.texts.get(of.recipient));
    }
}
