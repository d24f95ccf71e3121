//! The Bounce API: rows of 45 days in pages of 500, dumps of 30 days, and reactivation.

use super::{ApiBody, Call, Refusal, Reply};
use crate::body::Door;
use crate::json::Json;
use crate::model::Kind;
use crate::{BounceType, Origin, Record, Simulator};

const ID_UNKNOWN: &str = "The bounce was not found.";

impl Simulator {
    pub(super) fn list_bounces(&mut self, call: &Call) -> Reply {
        let (count, offset) = call.page(1000)?;
        let stream = self.listed_stream(call, 1000)?;
        let (from, after) = self.window(call, 1000)?;
        let kind = call.parameter("type").map(|name| {
            BounceType::named(name)
                .ok_or_else(|| Refusal::business(1000, "Parameter 'type' is not a type of bounces."))
        });
        let kind = kind.transpose()?;
        let inactive = call.flag("inactive");
        let part = call.parameter("emailfilter").map(str::to_lowercase);
        let (tag, message) = (call.parameter("tag"), call.parameter("messageid"));
        let todays = self.config.quirks.api_inactive_is_todays;
        let fits = |event: u32| {
            let of = &self.events[event as usize];
            kind.is_none_or(|kind| self.bounce_type(event) == kind)
                && inactive.is_none_or(|wanted| self.inactive(event, todays) == wanted)
                && part.as_ref().is_none_or(|part| self.texts.get(of.recipient).to_lowercase().contains(part))
                && tag.is_none_or(|tag| self.texts.get(self.labels(of).0) == tag)
                && message.is_none_or(|id| self.message_id(of.message).eq_ignore_ascii_case(id))
        };
        let rows = &self.stream(stream).bounces;
        let at = |event: &u32| self.events[*event as usize].at;
        let rows = &rows[rows.partition_point(|row| at(row) < from)..];
        let rows = &rows[..rows.partition_point(|row| at(row) < after)];
        let found: Vec<u32> = rows.iter().rev().copied().filter(|event| fits(*event)).collect();
        let mut json = Json::object();
        json.number("TotalCount", found.len() as u64);
        json.objects("Bounces", found.iter().skip(offset).take(count), |json, event| {
            json.text(
                "RecordType",
                self.events[*event as usize].kind.record().map_or("Bounce", Record::name),
            );
            self.bounce_fields(json, *event, Door::Api);
        });
        Ok(ApiBody::json(json.end()))
    }

    fn bounce_type(&self, event: u32) -> BounceType {
        match self.events[event as usize].kind {
            Kind::Bounce { kind, .. } => kind,
            _ => BounceType::SpamComplaint,
        }
    }

    /// A bounce of the calling server by its id, within retention.
    fn bounce_of(&self, call: &Call, id: &str) -> Result<u32, Refusal> {
        let id: u64 = id.parse().map_err(|_| Refusal::business(1000, "The bounce's id is not a number."))?;
        let event = self.bounce_by_id(id).filter(|event| {
            let of = &self.events[*event as usize];
            usize::from(self.stream(of.stream).server) == call.server && of.at >= self.horizon()
        });
        event.ok_or_else(|| Refusal::business(1001, ID_UNKNOWN))
    }

    pub(super) fn get_bounce(&mut self, call: &Call, id: &str) -> Reply {
        let event = self.bounce_of(call, id)?;
        let mut json = Json::object();
        self.bounce_fields(&mut json, event, Door::Api);
        if self.dump_available(event) {
            json.text("Content", &self.bounce_dump(event));
        }
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn get_bounce_dump(&mut self, call: &Call, id: &str) -> Reply {
        let event = self.bounce_of(call, id)?;
        let mut json = Json::object();
        json.text("Body", &if self.dump_available(event) { self.bounce_dump(event) } else { String::new() });
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn activate_bounce(&mut self, call: &Call, id: &str) -> Reply {
        let event = self.bounce_of(call, id)?;
        let of = &self.events[event as usize];
        let (stream, address) = (of.stream, of.recipient);
        let can = matches!(of.kind, Kind::Bounce { can_activate: true, .. });
        let key = self.texts.put_key(address);
        if !can || !self.may_lift(stream, key) {
            return Err(Refusal::business(1003, "You are not allowed to activate this bounce."));
        }
        self.lift(stream, address, Origin::Customer);
        let mut json = Json::object();
        json.text("Message", "OK");
        // Whatever the quirk: it was activated just now.
        json.nested("Bounce", |json| self.bounce_row(json, event, Door::Api, false));
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn delivery_stats(&mut self, call: &Call) -> Reply {
        let mut counts = [0_u64; 22];
        let mut inactive = 0;
        for stream in &self.servers[call.server].streams {
            let of = self.stream(*stream);
            inactive += of.list.len() as u64;
            for event in of.bounces.iter().filter(|event| self.events[**event as usize].at >= self.horizon())
            {
                counts[self.bounce_type(*event) as usize] += 1;
            }
        }
        let mut json = Json::object();
        json.number("InactiveMails", inactive);
        let all = std::iter::once(None).chain(BounceType::all().map(Some));
        let told = all.filter(|kind| kind.is_none_or(|kind| counts[kind as usize] > 0));
        json.objects("Bounces", told, |json, kind| match kind {
            None => {
                json.text("Name", "All");
                json.number("Count", counts.iter().sum());
            }
            Some(kind) => {
                json.text("Type", kind.name());
                json.text("Name", kind.label());
                json.number("Count", counts[kind as usize]);
            }
        });
        Ok(ApiBody::json(json.end()))
    }
}
