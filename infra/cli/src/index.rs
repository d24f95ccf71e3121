//! The command `index`: fills older events into the index by time, after saying what that costs.

use crate::api::{Api, Request};
use crate::args::index::{Fill, Index as Command, Note};
use crate::progress::progress;
use crate::prompt::must_agree;
use crate::target::Context;
use crate::{Failure, say, tell};
use http::Method;
use operator::{Index, IndexFill, IndexNote, IndexState};

/// What a million write units cost in USD, as docs/costs.md lists it, by region; of others the first one's is told.
pub const UNIT_PRICES: [(&str, f64); 2] = [("us-east-1", 0.625), ("eu-west-1", 0.705)];
/// How many write units it takes to fill an event of up to 1 KB in: one of the table, and one of the index.
const UNITS_OF_EVENT: f64 = 2.0;

/// The command.
///
/// # Errors
/// Where it is not done, or not to its end, or there is nobody to ask.
pub fn run(command: &Command, context: &Context, json: bool) -> Result<(), Failure> {
    let (index, words) = match command {
        Command::Fill(args) => fill(args, context)?,
        Command::Note(args) => {
            let index = note(args, context)?;
            (index, state(&index))
        }
    };
    say(if json { serde_json::to_string_pretty(&index)? } else { words });
    Ok(())
}

fn note(args: &Note, context: &Context) -> Result<Index, Failure> {
    let note = match (args.new, args.off) {
        (true, _) => IndexNote::New,
        (_, true) => IndexNote::Off,
        _ => IndexNote::On,
    };
    let request = Request::operator(Method::PUT, &["index"]).json(&note).again();
    Api::operated(&args.target, context)?.read(&request)
}

fn fill(args: &Fill, context: &Context) -> Result<(Index, String), Failure> {
    let ledger = &Api::operated(&args.target, context)?;
    let index: Index = ledger.read(&Request::operator(Method::GET, &["index"]))?;
    if index.state == IndexState::Whole {
        return Ok((index, state(&index)));
    }
    if index.state == IndexState::Partial {
        tell(cost(&index, ledger.aws().map(|aws| aws.region())));
        must_agree(args.yes, "fill them in?")?;
    }
    let bar = progress(index.events, "filling in: events read");
    let watched = bar.clone();
    ledger.watched(move |so_far| {
        watched.set_message(format!("filling in: {} events are in, read", so_far.of));
        // They were counted hours ago.
        watched.set_length(watched.length().unwrap_or_default().max(so_far.done));
        watched.set_position(so_far.done);
    });
    let request = Request::operator(Method::POST, &["index", "fill"]).json(&IndexFill { rate: args.rate });
    let filled: Index = ledger.read(&request.once())?;
    bar.finish_and_clear();
    let words = format!("read {} events and filled {} in; {}", filled.read, filled.filled, state(&filled));
    Ok((filled, words))
}

/// What it costs, before it begins.
fn cost(index: &Index, region: Option<&str>) -> String {
    let (place, price) =
        UNIT_PRICES.into_iter().find(|(place, _)| Some(*place) == region).unwrap_or(UNIT_PRICES[0]);
    let events = index.events.unwrap_or_default();
    let left = events.saturating_sub(index.read);
    let usd = left as f64 / 1e6 * UNITS_OF_EVENT * price;
    let mut told = format!(
        "about {events} events are recorded, as DynamoDB last counted them. Each that is not in the index yet takes two write \
         units, and is stored once more: about {} USD for a million events in {place} (docs/costs.md).",
        UNITS_OF_EVENT * price
    );
    if index.read > 0 {
        told += &format!(" {} of them were read before: it goes on from there.", index.read);
    }
    told + &format!(" So filling costs at most about {usd:.2} USD.")
}

/// What the index holds, in words.
fn state(index: &Index) -> String {
    match (index.state, index.whole_from) {
        (IndexState::Off, _) => "there is no index by time".to_owned(),
        (IndexState::Whole, _) => "the index by time is whole: it has all events".to_owned(),
        (IndexState::Partial, Some(from)) => format!(
            "the index by time has all events from {from} on; `postledger index fill` adds those of before"
        ),
        (IndexState::Partial, None) => {
            "it is not known what the index by time has; `postledger index note` is told when it is on"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(events: u64, read: u64) -> Index {
        Index { state: IndexState::Partial, whole_from: None, events: Some(events), read, filled: read }
    }

    #[test]
    fn what_filling_costs_is_two_write_units_for_each_event_that_was_not_read_yet() {
        let told = cost(&partial(2_000_000, 0), Some("us-east-1"));
        assert!(told.contains("1.25 USD for a million events in us-east-1"), "{told}");
        assert!(told.ends_with("at most about 2.50 USD.") && !told.contains("read before"), "{told}");
        let told = cost(&partial(2_000_000, 1_000_000), Some("eu-west-1"));
        assert!(told.contains("1.41 USD for a million events in eu-west-1"), "{told}");
        assert!(told.contains("1000000 of them were read before") && told.contains("1.41 USD."), "{told}");
        let told = cost(&partial(10, 20), Some("sa-east-1"));
        assert!(told.contains("in us-east-1") && told.ends_with("0.00 USD."), "{told}");
    }
}
