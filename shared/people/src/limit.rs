//! How often codes may be asked for: for an address, whether somebody has it or not, and from one place.

use crate::text;
use ledger::Time;
use serde::{Deserialize, Serialize};
use store::{Collection, DocumentStore, Edit, StoreError, edit};

/// How many codes an address is sent in an hour.
pub const ASKED_AN_HOUR: usize = 3;
/// How many codes are asked for in an hour from one place, a network that shares an address included.
pub const ASKED_OF_SOURCE_AN_HOUR: usize = 60;
/// The span that is counted over, in seconds.
pub(crate) const SPAN: i64 = 3_600;

/// When something was asked for, within the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) at: Vec<Time>,
}

/// Whether something may be asked for once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// It may, and is counted.
    No,
    /// It may not before this instant.
    Until(Time),
}

/// A day (UTC), and how many on that day.
pub type OnDay = (String, u32);

/// One more on the day of an instant; `None` where there were so many that day already.
pub fn one_more(before: Option<&OnDay>, most: u32, now: Time) -> Option<OnDay> {
    let today = now.day();
    let count = before.filter(|(day, _)| *day == today).map_or(0, |(_, count)| *count);
    (count < most).then(|| (today, count + 1))
}

/// Counts that somebody asks, unless they have asked so often within the hour. `whose` is a user's id, or a keyed hash of
/// where the request came from: no address stands in it.
///
/// # Errors
/// The ledger's own.
pub async fn asked(
    store: &dyn DocumentStore,
    whose: &str,
    most: usize,
    now: Time,
) -> Result<Limited, StoreError> {
    edit(store, &Collection::Limits, whose, |document| {
        let mut times: Times = document.map(crate::parsed).transpose()?.unwrap_or_default();
        times.at.retain(|at| now < at.plus_seconds(SPAN));
        if let Some(first) = times.at.first().filter(|_| times.at.len() >= most) {
            return Ok(Edit::Keep(Limited::Until(first.plus_seconds(SPAN))));
        }
        times.at.push(now);
        Ok::<_, StoreError>(Edit::Write(text(&times), Limited::No))
    })
    .await
}
