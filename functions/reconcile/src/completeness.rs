//! Keeps what is known to be complete, as each look at a day finds it.

use crate::engagement::REPEATED;
use crate::progress::Tally;
use account::completeness::{Line, OfStream};
use ledger::{ServerId, Time};
use std::collections::BTreeMap;
use store::{Collection, Edit, Store, StoreError};

/// What a look found, after those before it.
fn after(before: Line, record_type: &str, tally: &Tally) -> Line {
    let recovered = before.recovered + tally.missing;
    // What an earlier look told of is recorded by now.
    let received = tally.recorded.saturating_sub(before.recovered);
    let unrecoverable = if record_type == REPEATED { tally.untold } else { 0 };
    let unexplained = tally.expected.saturating_sub(received + recovered + unrecoverable);
    Line { expected: tally.expected, received, recovered, unrecoverable, unexplained }
}

/// Keeps what a look at a stream's day found.
pub(crate) async fn keep(
    store: &dyn Store,
    server: ServerId,
    stream: &str,
    day: &str,
    found: &BTreeMap<String, Tally>,
    now: Time,
) -> Result<(), StoreError> {
    let collection = Collection::Completeness(server);
    let change = |kept: Option<&str>| {
        let mut streams: BTreeMap<String, OfStream> =
            kept.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let of_stream = streams.entry(stream.to_owned()).or_default();
        of_stream.as_of = now;
        for (record_type, tally) in found {
            let before = of_stream.lines.get(record_type).copied().unwrap_or_default();
            of_stream.lines.insert(record_type.clone(), after(before, record_type, tally));
        }
        let text = serde_json::to_string(&streams).unwrap_or_else(|_| unreachable!("it is plain JSON"));
        Ok(Edit::Write(text, ()))
    };
    store::edit(store, &collection, day, change).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_look_recovered_is_not_counted_as_received_by_the_next() {
        let look = |expected, recorded, missing| Tally { expected, recorded, missing, untold: 0 };
        let first = after(Line::default(), "Delivery", &look(10, 7, 3));
        assert_eq!((first.received, first.recovered, first.unexplained), (7, 3, 0));
        let second = after(first, "Delivery", &look(12, 11, 1));
        assert_eq!((second.received, second.recovered, second.unexplained), (8, 4, 0));
    }

    #[test]
    fn what_only_webhooks_tell_is_unrecoverable_and_what_nobody_accounts_for_is_unexplained() {
        let untold = Tally { expected: 10, recorded: 7, missing: 0, untold: 3 };
        let repeated = after(Line::default(), REPEATED, &untold);
        assert_eq!((repeated.unrecoverable, repeated.unexplained), (3, 0));
        let first = after(Line::default(), "Open", &untold);
        assert_eq!((first.unrecoverable, first.unexplained), (0, 3));
    }
}
