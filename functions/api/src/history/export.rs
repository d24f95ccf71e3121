//! A person's data: everything that is recorded of a recipient, for whoever has asked what that is.

use super::entry::{body, entry};
use super::limit;
use crate::call::{Answer, Call, rfc3339};
use crate::cursor;
use crate::problem::Problem;
use crate::recipient::Named;
use crate::scope::Admin;
use ledger::fold::View;
use ledger::{Class, Identity, RecipientId, Time};
use serde_json::{Value, json};
use store::ask;

/// How many bytes of items a page has, about: a gateway lets 6 MB through, and one body may have 252 KiB.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many events are held at once beside the page.
const READ_AT_ONCE: usize = 10;

/// How far a person's data is given out: up to an event of a class, in the order that they lie in.
type Place = (Class, Option<Identity>);

/// Everything that is recorded of a recipient, with the bodies.
///
/// # Errors
/// [`Problem::bad_request`], [`Problem::role`] or the ledger's own.
pub(crate) async fn export(admin: &Admin<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = limit(&query)?;
    let named = Named::of(admin.reader(), name)?;
    let place: Option<Place> = cursor::read(query.text("cursor"))?;
    // Without its addresses it would not be the person's data.
    if !admin.caller().reveals() {
        return Err(Problem::role("admin, and one that reveals addresses"));
    }
    let (id, mut address) = (named.id, named.address);
    let mut told = json!({ "recipient_id": id });
    let (items, next) = match place {
        Some(place) => page(admin, id, place, limit).await?,
        None => {
            let first = async {
                let view = admin.views(&[id]).await?.pop().flatten();
                let (items, next) = page(admin, id, (Class::State, None), limit).await?;
                let noted = json!({ "events": items.len(), "more": next.is_some() });
                Ok(((view, (items, next)), noted))
            };
            let (view, page) = admin.change("export", Some(id.to_string()), Value::Null, first).await?;
            told["view"] = view.as_ref().map(of_view).unwrap_or_default();
            address = address.or_else(|| view?.address);
            page
        }
    };
    if let Some(address) = address {
        told["address"] = address.into();
    }
    told["items"] = items.into();
    told["next"] = next.map(|place| cursor::write(&place)).into();
    Ok(Answer::json(&told))
}

/// A page of what is recorded behind a place, made of `limit` events at most.
async fn page(
    admin: &Admin<'_>,
    recipient: RecipientId,
    behind: Place,
    limit: usize,
) -> Result<(Vec<Value>, Option<Place>), Problem> {
    let (mut items, mut read, mut bytes) = (Vec::new(), 0, 0);
    for class in Class::ALL.into_iter().filter(|class| *class >= behind.0) {
        let mut after = behind.1.filter(|_| class == behind.0);
        loop {
            if read >= limit {
                return Ok((items, Some((class, after))));
            }
            let found = admin.events(recipient, class, after, READ_AT_ONCE.min(limit - read)).await?;
            for recorded in found.events {
                if bytes >= PAGE_BYTES_MAX {
                    return Ok((items, Some((class, after))));
                }
                read += 1;
                after = Some(recorded.event.identity);
                if ask::lives(&recorded, admin.now()) {
                    let mut item = entry(&recorded, true);
                    item["body"] = body(&recorded);
                    bytes += item.to_string().len();
                    items.push(item);
                }
            }
            if !found.truncated {
                break;
            }
        }
    }
    Ok((items, None))
}

/// A view as it is stored, but for its times.
fn of_view(view: &View) -> Value {
    let mut told = serde_json::to_value(view).unwrap_or_default();
    write_times(&mut told);
    told
}

/// Puts RFC 3339 in the place of microseconds: every `at` that is a number is a time.
fn write_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_i64().filter(|_| name == "at") {
                    Some(micros) => *member = rfc3339(Time::from_micros(micros)).into(),
                    None => write_times(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_times),
        _ => {}
    }
}
