//! Who did what at a server.

use crate::call::{Answer, Call};
use crate::cursor;
use crate::problem::Problem;
use crate::scope::Admin;
use account::audit::{self, Phase, Who};
use answers::{Actor, Audit, Step};
use std::collections::BTreeMap;

/// How many steps a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 500];

/// Who did what, latest first.
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
        items.push(step(entry));
    }
    Ok(Answer::json(&Audit { items, next }))
}

/// An entry of the audit as it is told.
pub fn step(entry: audit::Entry) -> Step {
    let phase = match entry.phase {
        Phase::Begun => "begun",
        Phase::Done => "done",
        Phase::Failed => "failed",
    };
    Step {
        id: entry.id,
        at: entry.at.into(),
        who: Actor { kind: entry.who.kind.name().to_owned(), name: entry.who.name },
        what: entry.what,
        phase: phase.to_owned(),
        target: entry.target,
        before: entry.before,
        after: entry.after,
    }
}
