//! Which events are listed, and reading them from the API page by page.
//!
//! The API picks events of one kind; what is finer is picked here, out of larger pages of its own. So a place in the list
//! is a page of the API's and the last event of it that was shown: whatever is recorded meanwhile shifts nothing.

use crate::pages::happened::is_past;
use crate::pages::rates::Counts;
use crate::texts::Texts;
use crate::visit::{AtServer, Failed};
use answers::{Activity, EntryWithRecipient, Timestamp};
use ledger::{Kind, Time};
use std::collections::BTreeSet;

/// How many events a page of the API has at most.
const API_PAGE: usize = 500;

/// Events that are listed or left out together.
#[derive(Clone, Copy, Debug)]
pub(in crate::pages) struct Sort {
    /// Its name in a query.
    pub name: &'static str,
    /// What it is called.
    pub label: fn(Texts) -> String,
    kinds: &'static [Kind],
    measures: &'static [&'static str],
}

impl Sort {
    /// How many events of it there are.
    pub(in crate::pages) fn count(&self, counts: &Counts) -> i64 {
        let of = |measure: &&str| counts.get(*measure).copied().unwrap_or_default();
        self.measures.iter().fold(0, |sum: i64, measure| sum.saturating_add(of(measure)))
    }
}

/// All sorts. Each measure is of one.
pub(in crate::pages) const SORTS: [Sort; 13] = [
    Sort {
        name: "delivered",
        label: |t| t.sort_delivered(),
        kinds: &[Kind::Delivery],
        measures: &["delivered"],
    },
    Sort {
        name: "hard",
        label: |t| t.sort_hard(),
        kinds: &[Kind::Bounce],
        measures: &["bounce_hard", "bounce_invalid"],
    },
    Sort {
        name: "soft",
        label: |t| t.sort_soft(),
        kinds: &[Kind::Bounce],
        measures: &["bounce_soft", "bounce_block"],
    },
    Sort {
        name: "notices",
        label: |t| t.sort_notices(),
        kinds: &[Kind::Bounce],
        measures: &[
            "bounce_content",
            "bounce_delay",
            "bounce_failure",
            "bounce_info",
            "bounce_manual",
            "bounce_policy",
            "bounce_unknown",
            "bounce_unsubscribe",
        ],
    },
    Sort {
        name: "complaints",
        label: |t| t.sort_complaints(),
        // Postmark may tell of one as of a bounce.
        kinds: &[Kind::SpamComplaint, Kind::Bounce],
        measures: &["complaint"],
    },
    Sort { name: "opens", label: |t| t.sort_opens(), kinds: &[Kind::Open], measures: &["open_first"] },
    Sort {
        name: "opens-again",
        label: |t| t.sort_opens_again(),
        kinds: &[Kind::Open],
        measures: &["open_repeat"],
    },
    Sort {
        name: "opens-by-programs",
        label: |t| t.sort_machine_opens(),
        kinds: &[Kind::Open],
        measures: &["open_first_machine", "open_repeat_machine"],
    },
    Sort { name: "clicks", label: |t| t.sort_clicks(), kinds: &[Kind::Click], measures: &["click"] },
    Sort {
        name: "clicks-by-programs",
        label: |t| t.sort_machine_clicks(),
        kinds: &[Kind::Click],
        measures: &["click_machine"],
    },
    Sort {
        name: "list",
        label: |t| t.sort_list(),
        kinds: &[Kind::SubscriptionChange],
        measures: &[
            "reactivated",
            "suppressed_complaint",
            "suppressed_hard_bounce",
            "suppressed_manual",
            "suppressed_unknown",
            "suppressed_unsubscribe",
        ],
    },
    Sort {
        name: "seen",
        label: |t| t.sort_seen(),
        kinds: &[Kind::Observed],
        measures: &["observed_gone", "observed_present"],
    },
    Sort {
        name: "decisions",
        label: |t| t.sort_decisions(),
        kinds: &[Kind::Decision],
        measures: &["decision_allow", "decision_suppress"],
    },
];

/// Which events are listed.
#[derive(Clone, Debug)]
pub(in crate::pages) struct Filter {
    /// Those of one stream.
    pub stream: Option<String>,
    /// Those of these sorts; of all where there are none.
    pub sorts: Vec<Sort>,
    /// From when, included.
    pub from: Time,
    /// Until when, included.
    pub to: Time,
}

impl Filter {
    /// The kind that all of them are of, where it is one: the API picks by it.
    fn kind(&self) -> Option<Kind> {
        let kinds: BTreeSet<Kind> = self.sorts.iter().flat_map(|sort| sort.kinds).copied().collect();
        if kinds.len() == 1 { kinds.into_iter().next() } else { None }
    }

    /// Whether the API picks just those that are listed.
    fn is_exact(&self) -> bool {
        let chosen = |sort: &Sort| self.sorts.iter().any(|one| one.name == sort.name);
        let all_of = |kind: Kind| SORTS.iter().filter(|sort| sort.kinds.contains(&kind)).all(chosen);
        self.sorts.is_empty() || self.kind().is_some_and(all_of)
    }

    /// Whether it is listed by what it counts as.
    pub(in crate::pages) fn has(&self, measure: &str) -> bool {
        self.sorts.is_empty() || self.sorts.iter().any(|sort| sort.measures.contains(&measure))
    }
}

/// Where a list goes on: on a page of the API's, behind an event of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::pages) struct Place {
    /// The API's own.
    pub cursor: Option<String>,
    /// The last event that was shown of that page.
    pub after: Option<String>,
}

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::pages) struct Most {
    /// How many events are listed.
    pub rows: usize,
    /// How many pages of the API are read for them.
    pub pages: usize,
}

/// What was read.
#[derive(Debug, Default)]
pub(in crate::pages) struct Read {
    /// The events, latest first.
    pub items: Vec<EntryWithRecipient>,
    /// Where there may be more.
    pub next: Option<Place>,
    /// Whether the reading ended before there were as many as were wanted.
    pub is_cut: bool,
    /// Whether the API left events of an instant out.
    pub truncated: bool,
    /// From when on all events are listed, where older ones may be missing.
    pub whole_from: Option<Time>,
}

/// What an event is known by in a list: two recipients' events may bear one id.
pub(in crate::pages) fn name(item: &EntryWithRecipient) -> String {
    format!("{}.{}", item.entry.event, item.recipient.recipient_id)
}

/// Reads events from a place on.
///
/// # Errors
/// The API's own.
pub(in crate::pages) async fn read(
    at: &AtServer<'_>,
    filter: &Filter,
    place: Place,
    most: Most,
) -> Result<Read, Failed> {
    let is_exact = filter.is_exact() && at.as_of.known_at.is_none();
    let limit = if is_exact { most.rows.min(API_PAGE) } else { API_PAGE };
    let mut read = Read::default();
    let Place { mut cursor, mut after } = place;
    for _ in 0..most.pages {
        let ask = at.get("activity").with("limit", Some(limit)).with("stream", filter.stream.as_ref());
        let ask = ask.with("type", filter.kind().map(Kind::name)).with("from", Some(filter.from));
        let answer: Activity =
            at.ask(ask.with("to", Some(filter.to)).with("cursor", cursor.as_ref())).await?;
        read.truncated |= answer.truncated;
        // Of several answers the latest: the index may be filled meanwhile, and the first did not have all.
        read.whole_from = read.whole_from.max(answer.whole_from.map(|Timestamp(from)| from));
        let items = behind(answer.items, after.take().as_deref());
        let last = items.len();
        for (nth, item) in items.into_iter().enumerate() {
            if !(filter.has(&item.entry.measure) && is_past(at, &item)) {
                continue;
            }
            let here = name(&item);
            read.items.push(item);
            if read.items.len() >= most.rows {
                let is_last = nth + 1 == last;
                read.next = match (is_last, answer.next) {
                    (true, next) => next.map(|cursor| Place { cursor: Some(cursor), after: None }),
                    (false, _) => Some(Place { cursor, after: Some(here) }),
                };
                return Ok(read);
            }
        }
        match answer.next {
            None => return Ok(read),
            next => cursor = next,
        }
    }
    read.is_cut = true;
    read.next = Some(Place { cursor, after: None });
    Ok(read)
}

/// The events behind one; all of them where it is not there any more, since an event twice is better than one missing.
fn behind(mut items: Vec<EntryWithRecipient>, after: Option<&str>) -> Vec<EntryWithRecipient> {
    let shown = after.and_then(|after| items.iter().position(|item| name(item) == after));
    items.drain(..shown.map_or(0, |shown| shown + 1));
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::counters::Measure;

    fn filter(names: &[&str]) -> Filter {
        let sorts = SORTS.into_iter().filter(|sort| names.contains(&sort.name)).collect();
        Filter { stream: None, sorts, from: Time::default(), to: Time::default() }
    }

    #[test]
    fn each_measure_is_of_one_sort() {
        for measure in Measure::all() {
            let of: Vec<&str> = SORTS
                .iter()
                .filter(|sort| sort.measures.contains(&measure.name()))
                .map(|sort| sort.name)
                .collect();
            assert_eq!(of.len(), 1, "{}: {of:?}", measure.name());
        }
        let measures: usize = SORTS.iter().map(|sort| sort.measures.len()).sum();
        assert_eq!(measures, Measure::all().count());
    }

    #[test]
    fn the_api_picks_where_it_can() {
        for (names, kind, is_exact) in [
            (&[][..], None, true),
            (&["delivered"], Some(Kind::Delivery), true),
            (&["hard"], Some(Kind::Bounce), false),
            (&["hard", "soft", "notices"], Some(Kind::Bounce), false),
            (&["complaints"], None, false),
            (&["clicks", "clicks-by-programs"], Some(Kind::Click), true),
            (&["list"], Some(Kind::SubscriptionChange), true),
            (&["delivered", "clicks"], None, false),
        ] {
            let filter = filter(names);
            assert_eq!((filter.kind(), filter.is_exact()), (kind, is_exact), "{names:?}");
        }
        let counts = [("bounce_hard", 2), ("bounce_invalid", 3), ("delivered", 9)];
        let counts = counts.map(|(name, count)| (name.to_owned(), count)).into();
        assert_eq!(SORTS.map(|sort| sort.count(&counts))[..3], [9, 5, 0]);
        assert!(filter(&["hard"]).has("bounce_invalid") && !filter(&["hard"]).has("bounce_soft"));
        assert!(filter(&[]).has("a measure of a later release"));
    }
}
