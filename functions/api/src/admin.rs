//! What there is beside the mail: for admins what was set aside and why, for all what reconcile found.

use crate::call::{Answer, Call};
use crate::cursor;
use crate::problem::Problem;
use crate::scope::{Admin, Reader};
use account::completeness::{Line, OfStream};
use answers::{Completeness, CompletenessLine, CompletenessOfStream, Quarantine, SetAside};
use ledger::Time;
use std::collections::BTreeMap;
use store::Quarantined;

/// How many items a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 500];
/// How many days back what was set aside is listed, unless asked otherwise, and at most.
const QUARANTINE_DAYS: [i64; 2] = [30, 400];
/// How many parts are read at once.
const PARTS_AT_ONCE: usize = 100;
/// How many parts are read for a page at most: those of other servers stand among them.
const PARTS_READ_MAX: usize = 2_000;
/// How many days without anything are passed over for a page at most.
const DAYS_READ_MAX: usize = 100;
/// How many days completeness is told of, unless asked otherwise, and at most.
const COMPLETENESS_DAYS: [i64; 2] = [30, 100];

/// What was set aside, and why, latest first.
pub(crate) async fn quarantine(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    let query = call.query(&["from", "to", "cursor", "limit"])?;
    let limit = query.limit(LIMITS[0], LIMITS[1])?;
    let (from, to) = query.window(None, admin.now(), QUARANTINE_DAYS)?;
    let place: Option<(String, Option<String>)> = cursor::read(query.text("cursor"))?;
    let (mut day, mut after) = place.unwrap_or_else(|| (to.day(), None));
    after = after.map(cursor::key).transpose()?;
    begins(&day).ok_or_else(Problem::bad_cursor)?;
    let start = after.clone();
    let earliest = from.day();
    let within = |kept: &Quarantined| kept.part.part == 1 && (from..=to).contains(&kept.part.received_at);
    let (mut items, mut read, mut days) = (Vec::new(), 0, 0);
    let next = 'page: loop {
        if day < earliest || day > to.day() {
            break None;
        }
        if days >= DAYS_READ_MAX {
            break Some((day, after));
        }
        let found = admin.set_aside(&day, after, PARTS_AT_ONCE).await?;
        read += PARTS_AT_ONCE;
        for (place, kept) in found.own.iter().filter(|(_, kept)| within(kept)) {
            items.push(of_kept(kept));
            // Where a page ends is its own last item, whatever of other servers stands around it.
            if items.len() == limit {
                break 'page Some((day, Some(place.clone())));
            }
        }
        after = found.behind;
        if after.is_none() {
            days += 1;
            day = begins(&day).ok_or_else(Problem::bad_cursor)?.plus_days(-1).day();
        } else if read >= PARTS_READ_MAX {
            // Of one instant there may be more than are read for a page: then it is gone on within it.
            let further = |place: &String| start.as_ref().is_none_or(|start| place < start);
            break Some((day, found.instant.filter(further).or(after)));
        }
    };
    let next = next.map(|place| cursor::write(&place));
    Ok(Answer::json(&Quarantine { items, next }))
}

fn of_kept(kept: &Quarantined) -> SetAside {
    let part = &kept.part;
    SetAside {
        key: part.key(),
        received_at: part.received_at.into(),
        reason: part.reason.clone(),
        detail: part.detail.clone(),
        record_type: part.record_type.map(Into::into),
        source: part.source.into(),
        bytes: None,
        parts: part.parts,
        replayed_at: kept.replayed_at.map(Into::into),
        expires_at: kept.expires_at.map(Into::into),
    }
}

/// What reconcile found, by Eastern day and stream.
pub(crate) async fn completeness(reader: &Reader<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    let query = call.query(&["from", "to"])?;
    let day =
        |name| query.read(name, "a day such as 2026-11-21", |text| begins(text).map(|_| text.to_owned()));
    let to = day("to")?.unwrap_or_else(|| reader.now().day());
    let back = |days: i64| begins(&to).map_or_else(|| to.clone(), |to| to.plus_days(-days).day());
    let from = day("from")?.unwrap_or_else(|| back(COMPLETENESS_DAYS[0]));
    if from > to || from < back(COMPLETENESS_DAYS[1]) {
        let words = format!("from and to: expected at most {} days, in order", COMPLETENESS_DAYS[1]);
        return Err(Problem::bad_request(words));
    }
    let told = reader.completeness(&from, &to).await?;
    let of_day = |streams: BTreeMap<String, OfStream>| {
        streams.into_iter().map(|(stream, of)| (stream, of_stream(of))).collect()
    };
    let days = told.days.into_iter().map(|(day, streams)| (day, of_day(streams))).collect();
    Ok(Answer::json(&Completeness { server: told.server, from, to, days }))
}

fn of_stream(of: OfStream) -> CompletenessOfStream {
    let line = |Line { expected, received, recovered, unrecoverable, unexplained }| CompletenessLine {
        expected,
        received,
        recovered,
        unrecoverable,
        unexplained,
    };
    let lines = of.lines.into_iter().map(|(kind, of)| (kind, line(of)));
    CompletenessOfStream { as_of: of.as_of.into(), lines: lines.collect() }
}

/// When a day begins, in UTC; the day in its one spelling.
fn begins(day: &str) -> Option<Time> {
    let begins: Time = format!("{day}T00:00:00Z").parse().ok()?;
    (begins.day() == day).then_some(begins)
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER, now};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ledger::{ServerId, Time};
    use queue::SetAside;
    use store::prelude::*;

    async fn set_aside(bench: &Bench, server: i64, received_at: Time, body: String) -> String {
        let aside = SetAside::example(ServerId::new(server).unwrap(), received_at, "not_json", body);
        let part = aside.parts().remove(0);
        let id = part.id.clone();
        bench.store.quarantine(part, None).await.unwrap();
        id
    }

    #[tokio::test]
    async fn what_is_set_aside_is_told_once_and_no_page_ends_at_another_servers() {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        let mut own = Vec::new();
        for n in 0..2_300 {
            // Latest first; more of another server's than are read for a page, around some of our own.
            let at = now().plus_seconds(-n);
            set_aside(&bench, SERVER + 1, at, format!("other {n}")).await;
            if n % 460 == 0 {
                own.push(set_aside(&bench, SERVER, at, format!("own {n}")).await);
            }
        }
        own.push(set_aside(&bench, SERVER, now().plus_days(-3), "own".to_owned()).await);
        for limit in [1, 2, 100] {
            let (mut told, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let page = bench.get(&format!("quarantine?limit={limit}{cursor}")).await;
                assert_eq!(page.status(), 200, "{}", page.text());
                let page = page.json();
                let items = page["items"].as_array().unwrap().iter();
                told.extend(
                    items.map(|item| item["key"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned()),
                );
                pages += 1;
                let Some(next) = page["next"].as_str() else { break };
                let place = String::from_utf8(URL_SAFE_NO_PAD.decode(next).unwrap()).unwrap();
                assert!(!place.contains("#") || own.iter().any(|id| place.contains(id)), "{place}");
                cursor = format!("&cursor={next}");
            }
            assert_eq!(told, own, "{limit} a page, {pages} pages");
        }
    }

    #[tokio::test]
    async fn more_of_one_instant_than_are_read_for_a_page_are_gone_through() {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        let at = now().plus_seconds(-60);
        for n in 0..4_500 {
            set_aside(&bench, SERVER + 1, at, format!("other {n}")).await;
        }
        let own = set_aside(&bench, SERVER, now().plus_seconds(-61), "own".to_owned()).await;
        let (mut told, mut cursor) = (Vec::new(), String::new());
        for _ in 0..9 {
            let page = bench.get(&format!("quarantine?limit=5{cursor}")).await.json();
            told.extend(page["items"].as_array().unwrap().iter().map(|item| item["key"].to_string()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(&own));
    }
}
