//! Who did what at a server.

use crate::call::{Answer, Call, rfc3339};
use crate::cursor;
use crate::problem::Problem;
use crate::scope::Admin;
use account::audit::{self, Who};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many steps a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 500];

/// Who did what, latest first.
///
/// # Errors
/// [`Problem::bad_request`] or the ledger's own.
pub(crate) async fn audit(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = query.limit(LIMITS[0], LIMITS[1])?;
    let before: Option<String> = cursor::read(query.text("cursor"))?.map(cursor::key).transpose()?;
    let found = admin.audited(before.as_deref(), limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|(name, _)| cursor::write(name));
    let mut known: BTreeMap<String, Who> = BTreeMap::new();
    let mut items = Vec::new();
    for entry in found.iter().filter_map(|(_, document)| audit::read(&document.text)) {
        // What was noted by an older release told more.
        let mut entry = entry.at(admin.server());
        entry.who = admin.gate().known_as(entry.who, &mut known).await?;
        if entry.who == Who::operator() {
            entry.leave_out("actor");
        }
        items.push(step(&entry));
    }
    Ok(Answer::json(&json!({ "items": items, "next": next })))
}

fn step(entry: &audit::Entry) -> Value {
    let mut told = serde_json::to_value(entry).unwrap_or_default();
    told["at"] = rfc3339(entry.at).into();
    told
}
