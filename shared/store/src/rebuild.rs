//! Rebuilding: a server's whole ledger folded anew from its events, and compared with what is stored.
//!
//! The same bytes, or every difference. Views and rows can be repaired, since they are nothing but the fold of
//! the events; counters are only reported, since what counted an event that has expired is nowhere else.
//!
//! A ledger may be written to meanwhile. A view that seems to differ is therefore read again, events first
//! and then the view; and hours that were counted on while the events were read are left out, and named.

use crate::item::{self, Item, Key};
use crate::{Action, CommitError, RecipientItem, Recorded, Scan, StoreError};
use ledger::counters::{Counters, Counts, Hour};
use ledger::fold::{EventSet, View};
use ledger::{Class, RecipientId, ServerId, Time};
use platform::Backoff;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a view that seems to differ is read again before it is said to.
const REREADS_MAX: u32 = 6;
/// The longest pause before the first of these, doubled for each further one. Even the shortest that are drawn are
/// together longer than a transaction is ever half applied: 63 halves of it.
const PAUSE: Duration = Duration::from_millis(100);
/// How long events and view must stay as they are before they are repaired.
const STILL: Duration = Duration::from_millis(500);

/// Something that is not as the events say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// A recipient's view.
    View {
        /// The recipient.
        recipient: RecipientId,
        /// What is stored, as JSON; nothing if there is no view.
        stored: Option<String>,
        /// What its events fold to, as JSON; nothing if it has none with state.
        folded: Option<String>,
    },
    /// The row of a stream that a recipient is listed on or barred from.
    Row {
        /// The recipient.
        recipient: RecipientId,
        /// The row's sort key: the stream.
        stream: String,
        /// Whether there is one, and whether there should be.
        stored: bool,
        /// Whether there should be one.
        folded: bool,
    },
    /// An hour's counts.
    Counts {
        /// The stream.
        stream: String,
        /// The hour, UTC.
        hour: String,
        /// What is stored.
        stored: BTreeMap<String, i64>,
        /// What the recorded events count as.
        counted: BTreeMap<String, i64>,
    },
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many of the server's events were folded.
    pub events: u64,
    /// How many views were compared.
    pub views: u64,
    /// How many hours of counters were compared.
    pub hours: u64,
    /// Hours that were counted on meanwhile, as stream and hour: compared at another time.
    pub busy: BTreeSet<(String, String)>,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// How far a comparison is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// How many items have been read, of all servers.
    pub read: u64,
    /// How many of them are the server's.
    pub found: u64,
}

type Hours = BTreeMap<(String, String), Counts>;

/// Folds a server's events anew and compares.
pub async fn verify(
    store: &dyn Scan,
    server: ServerId,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Report, StoreError> {
    let mut streams = store.streams(server).await?;
    loop {
        match verify_on(store, server, &mut streams, &mut progress).await? {
            Some(report) => return Ok(report),
            // There are rulings on a stream that is not registered: its hours too are read before the events.
            None => continue,
        }
    }
}

/// Compares, where these are all streams that events are found on; else they are put there.
async fn verify_on(
    store: &dyn Scan,
    server: ServerId,
    streams: &mut BTreeSet<String>,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<Option<Report>, StoreError> {
    let mut seen = Progress::default();
    let before = stored_hours(store, server, streams).await?;
    let mut counted = Counters::default();
    let mut sets: BTreeMap<RecipientId, EventSet> = BTreeMap::new();
    let mut report = Report::default();
    let floors = store.rules().await?.floors;
    let mut after = None;
    loop {
        let page = store.scan_events(server, after).await?;
        for Recorded { event, .. } in page.items {
            report.events += 1;
            counted.add(&event, 1);
            if event.class() == Class::State {
                sets.entry(event.recipient).or_default().offer(event);
            }
        }
        (seen.read, seen.found) = (seen.read + page.read, report.events);
        progress(seen);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut more = false;
    for (hour, _) in counted.iter() {
        more |= streams.insert(hour.stream.clone());
    }
    if more {
        return Ok(None);
    }
    let mut views: BTreeMap<RecipientId, View> = BTreeMap::new();
    let mut rows: BTreeMap<Key, Item> = BTreeMap::new();
    loop {
        let page = store.scan_recipients(server, after).await?;
        for held in page.items {
            match held {
                RecipientItem::View(view) => drop(views.insert(view.recipient, *view)),
                RecipientItem::Row(key, item) => drop(rows.insert(key, item)),
            }
        }
        seen.read += page.read;
        progress(seen);
        after = page.next;
        if after.is_none() {
            break;
        }
    }

    let with_rows = rows.keys().filter_map(recipient_of);
    let recipients: BTreeSet<RecipientId> =
        sets.keys().chain(views.keys()).copied().chain(with_rows).collect();
    for recipient in recipients {
        let folded = sets.get(&recipient).and_then(EventSet::view);
        let mine = rows.range((item::recipient_pk(server, recipient), String::new())..);
        let mine = mine.take_while(|(key, _)| recipient_of(key) == Some(recipient));
        let mine = mine.map(|(key, item)| (key.1.clone(), item.clone())).collect();
        report.views += u64::from(folded.is_some());
        let mut stored = views.get(&recipient).cloned();
        let mut found = differences(server, recipient, stored.as_ref(), Some(&mine), folded.as_ref());
        let mut backoff = Backoff::new(PAUSE, PAUSE * (1 << REREADS_MAX));
        for _ in 0..REREADS_MAX {
            if found.is_empty() {
                break;
            }
            tokio::time::sleep(backoff.pause()).await;
            let (now, set) = read(store, server, recipient).await?;
            let anew = set.view();
            // Rows cannot be read by themselves; those of a view that has moved on have moved with it.
            let rows = (now == stored && anew == folded).then_some(&mine);
            found = differences(server, recipient, now.as_ref(), rows, anew.as_ref());
            stored = now;
        }
        report.differences.extend(found);
    }

    let after = stored_hours(store, server, streams).await?;
    let mut hours: BTreeSet<(String, String)> = before.keys().chain(after.keys()).cloned().collect();
    hours.extend(counted.iter().map(|(hour, _)| (hour.stream.clone(), hour.hour.clone())));
    for (stream, hour) in hours {
        let place = (stream, hour);
        let stored = after.get(&place).cloned().unwrap_or_default();
        if before.get(&place).cloned().unwrap_or_default() != stored {
            report.busy.insert(place);
            continue;
        }
        let (stream, hour) = place;
        let anew = counted.get(&Hour { server, stream: stream.clone(), hour: hour.clone() });
        // Below its floor a class may have expired.
        let kept = |counts: Counts| -> BTreeMap<String, i64> {
            let kept = counts.into_iter().filter(|(measure, n)| {
                let floor: Option<&Time> = floors.get(&measure.class());
                *n != 0 && floor.is_none_or(|floor| *hour > *floor.hour())
            });
            kept.map(|(measure, n)| (measure.name().to_owned(), n)).collect()
        };
        let (stored, counted) = (kept(stored), kept(anew));
        report.hours += 1;
        if stored != counted {
            report.differences.push(Difference::Counts { stream, hour, stored, counted });
        }
    }
    Ok(Some(report))
}

impl Report {
    /// Whose views or rows differ.
    pub fn recipients(&self) -> BTreeSet<RecipientId> {
        let whose = self.differences.iter().filter_map(|difference| match difference {
            Difference::View { recipient, .. } | Difference::Row { recipient, .. } => Some(*recipient),
            Difference::Counts { .. } => None,
        });
        whose.collect()
    }
}

/// A recipient's stored view and recorded events.
async fn read(
    store: &dyn Scan,
    server: ServerId,
    recipient: RecipientId,
) -> Result<(Option<View>, EventSet), StoreError> {
    let events = store.state_events(server, recipient).await?;
    let set = events.into_iter().map(|recorded| recorded.event).collect();
    Ok((store.views(server, &[recipient]).await?.pop().flatten(), set))
}

/// Writes the views and rows of recipients as their events say. How many were written; others were written by a
/// consumer meanwhile.
pub async fn repair(store: &dyn Scan, server: ServerId, report: &Report) -> Result<u64, StoreError> {
    let mut repaired = 0;
    for recipient in report.recipients() {
        let (stored, set) = read(store, server, recipient).await?;
        tokio::time::sleep(STILL).await;
        // A transaction may be half applied: what moves is left to whoever moves it.
        if read(store, server, recipient).await? != (stored.clone(), set.clone()) {
            continue;
        }
        // A view of nothing would be made by nobody: a view without events is reported, and left to a person.
        let Some(view) = set.view() else { continue };
        let rows = view.rows();
        let mut actions: Vec<Action> = Vec::new();
        for difference in &report.differences {
            if let Difference::Row { recipient: of, stream, .. } = difference
                && *of == recipient
                && !rows.contains_key(&**stream)
            {
                actions.push(Action::DeleteRow(server, recipient, stream.clone()));
            }
        }
        for (stream, row) in &rows {
            let address = view.address.clone();
            actions.push(Action::PutRow(server, recipient, (*stream).to_owned(), row.clone(), address));
        }
        actions.push(Action::PutView(view.clone(), stored.map(|stored| stored.folded)));
        match store.commit(&actions).await {
            Ok(()) => repaired += 1,
            Err(CommitError::Cancelled(_)) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
    }
    Ok(repaired)
}

/// What differs about a recipient; rows only where they are known.
fn differences(
    server: ServerId,
    recipient: RecipientId,
    stored: Option<&View>,
    rows: Option<&BTreeMap<String, Item>>,
    folded: Option<&View>,
) -> Vec<Difference> {
    let json = |view: &View| serde_json::to_string(view).unwrap_or_default();
    let (stored, text) = (stored.map(json), folded.map(json));
    let mut found = Vec::new();
    if stored != text {
        found.push(Difference::View { recipient, stored, folded: text });
    }
    let Some(rows) = rows else { return found };
    let expected: BTreeMap<String, Item> = folded
        .into_iter()
        .flat_map(|view| {
            let row = |(stream, row)| item::of_row(server, stream, &row, view.address.as_deref());
            let sk = |stream: &str| item::row_key(server, recipient, stream).1;
            view.rows().into_iter().map(move |(stream, one)| (sk(stream), row((stream, one))))
        })
        .collect();
    for sk in rows.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        if rows.get(sk) != expected.get(sk) {
            let (stored, folded) = (rows.contains_key(sk), expected.contains_key(sk));
            let stream = item::row_stream(sk).to_owned();
            found.push(Difference::Row { recipient, stream, stored, folded });
        }
    }
    found
}

fn recipient_of(key: &Key) -> Option<RecipientId> {
    key.0.split_once('#')?.1.parse().ok()
}

/// All counts of a server on these streams, by stream and hour.
async fn stored_hours(
    store: &dyn Scan,
    server: ServerId,
    streams: &BTreeSet<String>,
) -> Result<Hours, StoreError> {
    let mut hours = Hours::new();
    for stream in streams {
        for (hour, counts) in store.counters(server, stream, "0", ":").await? {
            hours.insert((stream.clone(), hour), counts.into_iter().filter(|(_, n)| *n != 0).collect());
        }
    }
    Ok(hours)
}
