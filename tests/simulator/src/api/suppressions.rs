//! The Suppressions API: changes that take effect later, and a dump that is not paginated.

use super::send::bare;
use super::{ApiBody, Call, Refusal, Reply, field, text_of};
use crate::account::StreamKind;
use crate::json::Json;
use crate::suppress::{NO_AUTHORITY, Row};
use crate::time::Eastern;
use crate::{Simulator, Time};
use bytes::Bytes;
use http::Response;
use serde_json::Value;
use std::sync::Arc;

/// Addresses of a call.
const CHANGES_MAX: usize = 50;
/// Rows of a chunk of the dump.
const CHUNK_ROWS: usize = 500;

impl Simulator {
    pub(super) fn stream_named(&self, call: &Call, id: &str) -> Result<u16, Refusal> {
        self.stream_index(call.server, id)
            .ok_or_else(|| Refusal::business(1226, "The message stream for the provided 'ID' was not found."))
    }

    fn suppressing_stream(&self, call: &Call, id: &str) -> Result<u16, Refusal> {
        let stream = self.stream_named(call, id)?;
        if self.stream(stream).kind == StreamKind::Inbound {
            return Err(Refusal::business(1410, "Suppressions are not supported by inbound streams."));
        }
        Ok(stream)
    }

    pub(super) fn change_suppressions(&mut self, call: &Call, id: &str, suppress: bool) -> Reply {
        let stream = self.suppressing_stream(call, id)?;
        let body = call.object(1409)?;
        let Some(Value::Array(items)) = field(&body, "Suppressions") else {
            return Err(Refusal::business(1409, "The list 'Suppressions' is missing."));
        };
        if items.len() > CHANGES_MAX {
            return Err(Refusal::business(
                1410,
                format!("At most {CHANGES_MAX} suppressions are taken at once."),
            ));
        }
        let mut answers: Vec<(String, Option<&str>)> = Vec::new();
        for item in items {
            let address = item.as_object().map_or("", |item| text_of(item, "EmailAddress"));
            let refused = if bare(address) != Some(address.trim()) {
                Some("An invalid email address was provided.")
            } else {
                let address = self.texts.put(address.trim());
                let key = self.texts.put_key(address);
                let may = if suppress { self.may_suppress(stream, key) } else { self.may_lift(stream, key) };
                if may {
                    self.ask_change(stream, address, suppress);
                }
                (!may).then_some(NO_AUTHORITY)
            };
            answers.push((address.to_owned(), refused));
        }
        let mut json = Json::object();
        json.objects("Suppressions", answers.iter(), |json, (address, refused)| {
            json.text("EmailAddress", address);
            match refused {
                Some(why) => {
                    json.text("Status", "Failed");
                    json.text("Message", why);
                }
                None => {
                    json.text("Status", if suppress { "Suppressed" } else { "Deleted" });
                    json.raw("Message", b"null");
                }
            }
        });
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn dump_suppressions(&mut self, call: &Call, id: &str) -> Reply {
        let stream = self.suppressing_stream(call, id)?;
        let one_of = |name: &str, all: &[&str], code: u32| match call.parameter(name) {
            Some(text) if !all.iter().any(|one| one.eq_ignore_ascii_case(text)) => {
                Err(Refusal::business(code, format!("Parameter '{name}' is not one of {}.", all.join(", "))))
            }
            given => Ok(given.map(str::to_owned)),
        };
        let reason =
            one_of("suppressionreason", &["HardBounce", "SpamComplaint", "ManualSuppression"], 1404)?;
        let origin = one_of("origin", &["Recipient", "Customer", "Admin"], 1405)?;
        let day =
            |name: &str| match call.parameter(name) {
                None => Ok(None),
                Some(text) => self.eastern.filter(text).map(Some).ok_or_else(|| {
                    Refusal::business(1404, format!("Parameter '{name}' is not a valid date."))
                }),
            };
        let from = day("fromdate")?.map(|(from, _)| from);
        let after = day("todate")?.map(|(_, after)| after);
        let part = call.parameter("emailaddress").map(str::to_lowercase);
        let parts = self.config.quirks.dump_filter_finds_parts;
        let mut rows = self.dump_rows(stream);
        rows.retain(|(address, row)| {
            reason.as_ref().is_none_or(|reason| row.reason.name().eq_ignore_ascii_case(reason))
                && origin.as_ref().is_none_or(|origin| row.origin.name().eq_ignore_ascii_case(origin))
                && from.is_none_or(|from| row.since >= from)
                && after.is_none_or(|after| row.since < after)
                && part
                    .as_ref()
                    .is_none_or(|part| if parts { address.contains(part) } else { **address == **part })
        });
        Ok(dump(rows, self.eastern.clone()))
    }
}

fn dump(rows: Vec<(Arc<str>, Row)>, eastern: Eastern) -> Response<ApiBody> {
    let mut at = 0;
    let mut ended = false;
    let chunks = std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let mut out = if at == 0 { br#"{"Suppressions":["#.to_vec() } else { Vec::new() };
        for (address, row) in rows.iter().skip(at).take(CHUNK_ROWS) {
            if at > 0 {
                out.push(b',');
            }
            at += 1;
            let mut json = Json::within(out);
            json.text("EmailAddress", address);
            json.text("SuppressionReason", row.reason.name());
            json.text("Origin", row.origin.name());
            let since = Time::from_seconds(row.since.seconds());
            json.time("CreatedAt", since, 0, eastern.offset(since));
            out = json.end();
        }
        if at >= rows.len() {
            ended = true;
            out.extend_from_slice(b"]}");
        }
        Some(Bytes::from(out))
    });
    super::json_response(200, ApiBody::chunks(chunks))
}
