//! The Message Streams API.

use super::{ApiBody, Call, Refusal, Reply, field, text_of};
use crate::Simulator;
use crate::account::{Handling, StreamKind};
use crate::json::Json;
use serde_json::{Map, Value};

/// Streams of a server, the default ones too.
const STREAMS_MAX: usize = 10;
/// Characters of a stream's id.
const ID_MAX: usize = 30;
/// Days until an archived stream is purged.
const PURGE_DAYS: i64 = 45;

impl Simulator {
    fn stream_fields(&self, json: &mut Json, index: u16) {
        let stream = self.stream(index);
        json.text("ID", &stream.id);
        json.number("ServerID", self.server_of(index).id);
        json.text("Name", &stream.name);
        json.text("Description", &stream.description);
        json.text("MessageStreamType", stream.kind.name());
        self.api_time(json, "CreatedAt", stream.created);
        match stream.updated {
            Some(at) => self.api_time(json, "UpdatedAt", at),
            None => json.raw("UpdatedAt", b"null"),
        }
        match stream.archived {
            Some(at) => {
                self.api_time(json, "ArchivedAt", at);
                self.api_time(json, "ExpectedPurgeDate", at.plus_seconds(PURGE_DAYS * 86_400));
            }
            None => {
                json.raw("ArchivedAt", b"null");
                json.raw("ExpectedPurgeDate", b"null");
            }
        }
        json.nested("SubscriptionManagementConfiguration", |json| {
            json.text("UnsubscribeHandlingType", stream.handling.name());
        });
    }

    fn stream_reply(&self, index: u16) -> Reply {
        let mut json = Json::object();
        self.stream_fields(&mut json, index);
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn list_streams(&mut self, call: &Call) -> Reply {
        let kind = match call.parameter("messagestreamtype") {
            None => None,
            Some(all) if all.eq_ignore_ascii_case("all") => None,
            Some(name) => Some(StreamKind::named(name).ok_or_else(|| {
                Refusal::business(
                    1221,
                    "Parameter 'MessageStreamType' is not one of All, Inbound, Transactional, Broadcasts.",
                )
            })?),
        };
        let archived = call.flag("includearchivedstreams").unwrap_or(false);
        let found: Vec<u16> = self.servers[call.server]
            .streams
            .iter()
            .copied()
            .filter(|index| {
                let stream = self.stream(*index);
                kind.is_none_or(|kind| stream.kind == kind) && (archived || stream.archived.is_none())
            })
            .collect();
        let mut json = Json::object();
        json.objects("MessageStreams", found.iter(), |json, index| self.stream_fields(json, *index));
        json.number("TotalCount", found.len() as u64);
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn get_stream(&mut self, call: &Call, id: &str) -> Reply {
        let index = self.stream_named(call, id)?;
        self.stream_reply(index)
    }

    pub(super) fn create_stream(&mut self, call: &Call) -> Reply {
        let body = call.object(1222)?;
        let id = text_of(&body, "ID");
        if id.is_empty() {
            return Err(Refusal::business(1224, "The stream's 'ID' is required."));
        }
        let good = id.chars().count() <= ID_MAX
            && id.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && id.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
            && !id.to_ascii_lowercase().starts_with("pm-")
            && id != "all";
        if !good {
            return Err(Refusal::business(1229, "The stream's 'ID' is not valid."));
        }
        if text_of(&body, "Name").is_empty() {
            return Err(Refusal::business(1223, "The stream's 'Name' is required."));
        }
        let kind = match StreamKind::named(text_of(&body, "MessageStreamType")) {
            Some(StreamKind::Inbound) => {
                return Err(Refusal::business(1228, "A server has one inbound stream only."));
            }
            Some(kind) => kind,
            None => return Err(Refusal::business(1221, "The stream's 'MessageStreamType' is not valid.")),
        };
        if self.stream_index(call.server, id).is_some() {
            return Err(Refusal::business(1225, "A stream with this 'ID' exists already."));
        }
        let there =
            self.servers[call.server].streams.iter().filter(|index| self.stream(**index).archived.is_none());
        if there.count() >= STREAMS_MAX {
            return Err(Refusal::business(1227, format!("A server has at most {STREAMS_MAX} streams.")));
        }
        let handling = handling_of(&body, kind)?;
        let index = self.push_stream(call.server, id, text_of(&body, "Name"), kind);
        let stream = self.stream_mut(index);
        text_of(&body, "Description").clone_into(&mut stream.description);
        if let Some(handling) = handling {
            stream.handling = handling;
        }
        self.stream_reply(index)
    }

    pub(super) fn edit_stream(&mut self, call: &Call, id: &str) -> Reply {
        let index = self.stream_named(call, id)?;
        let body = call.object(1222)?;
        let handling = handling_of(&body, self.stream(index).kind)?;
        let now = self.now;
        let stream = self.stream_mut(index);
        if let Some(name) = field(&body, "Name").and_then(Value::as_str) {
            name.clone_into(&mut stream.name);
        }
        if let Some(description) = field(&body, "Description").and_then(Value::as_str) {
            description.clone_into(&mut stream.description);
        }
        if let Some(handling) = handling {
            stream.handling = handling;
        }
        stream.updated = Some(now);
        self.stream_reply(index)
    }

    pub(super) fn archive_stream(&mut self, call: &Call, id: &str) -> Reply {
        let index = self.stream_named(call, id)?;
        if matches!(&*self.stream(index).id, "outbound" | "inbound") {
            return Err(Refusal::business(1230, "A default stream cannot be archived."));
        }
        let now = self.now;
        let at = *self.stream_mut(index).archived.get_or_insert(now);
        let mut json = Json::object();
        json.text("ID", &self.stream(index).id);
        json.number("ServerID", self.server_of(index).id);
        self.api_time(&mut json, "ExpectedPurgeDate", at.plus_seconds(PURGE_DAYS * 86_400));
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn unarchive_stream(&mut self, call: &Call, id: &str) -> Reply {
        let index = self.stream_named(call, id)?;
        if self.stream(index).archived.is_none() {
            return Err(Refusal::business(1231, "The stream is not archived."));
        }
        self.stream_mut(index).archived = None;
        self.stream_reply(index)
    }
}

/// Who takes unsubscribes, if the body says so.
fn handling_of(body: &Map<String, Value>, kind: StreamKind) -> Result<Option<Handling>, Refusal> {
    let Some(Value::Object(of)) = field(body, "SubscriptionManagementConfiguration") else { return Ok(None) };
    let name = text_of(of, "UnsubscribeHandlingType");
    let Some(handling) = Handling::named(name) else {
        return Err(Refusal::business(
            1237,
            "The 'UnsubscribeHandlingType' is not one of None, Postmark, Custom.",
        ));
    };
    match (kind, handling) {
        (StreamKind::Broadcasts, Handling::None) => {
            Err(Refusal::business(1239, "A broadcast stream needs an unsubscribe handling."))
        }
        (StreamKind::Broadcasts, Handling::Custom) => {
            Err(Refusal::business(1238, "Custom unsubscribe handling needs an approval."))
        }
        (StreamKind::Inbound, Handling::Postmark | Handling::Custom) => {
            Err(Refusal::business(1240, "An inbound stream has no unsubscribe handling."))
        }
        _ => Ok(Some(handling)),
    }
}
