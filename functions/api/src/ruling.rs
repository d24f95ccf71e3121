//! Suppress and reactivate: at Postmark first, then by decisions of ours.
//!
//! The words of reason and consent stand in the decision, which erasure reaches. The audit, which outlives an erasure, has
//! a choice in place of the reason ([`answers::Why`]), and whether consent was given.

mod reactivate;
mod suppress;

pub(crate) use reactivate::reactivate;
pub(crate) use suppress::suppress;

use crate::check::stream_named;
use crate::problem::Problem;
use crate::scope::{Admin, Reader};
use answers::AtPostmark;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::event::{Ruling, WHOLE_SERVER};
use ledger::{Event, recipient_key};
use postmark::Decision;
use postmark_api::{ApiError, Changed};
use ring::rand::SystemRandom;
use std::time::Duration;
use store::StoreError;
use tokio::time::Instant;

/// The longest reason, in characters; the longest consent likewise.
const WORDS_MAX: usize = 500;
/// How many calls of Postmark's, sends or looks run at once.
const AT_ONCE: usize = 8;
/// How long Postmark is waited for in all: a gateway gives up after 29 seconds, and decisions come after.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a dry run says would be changed: Postmark's list.
const POSTMARK: &str = "postmark";
/// What a dry run says would be changed: this ledger.
const LEDGER: &str = "ledger";

/// What Postmark says, or that it says nothing, about one address on one stream.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    /// It is done.
    Done,
    /// It refuses, in its own words, which may quote the address: they are for whoever asked alone.
    Failed(Option<String>),
    /// It cannot be asked, or does not answer so that it is understood; in words that quote nothing.
    Unavailable(String),
}

impl Said {
    /// What an answer says about an address; `status` is Postmark's word for that it is done.
    fn of(answer: &Result<Vec<Changed>, ApiError>, address: &str, status: &str) -> Said {
        let changed = match answer {
            Ok(changed) => changed,
            Err(error) => return Said::Unavailable(error.to_string()),
        };
        let address = address.to_lowercase();
        match changed.iter().find(|changed| changed.address.trim().to_lowercase() == address) {
            Some(changed) if changed.status.eq_ignore_ascii_case(status) => Said::Done,
            Some(changed) => Said::Failed(changed.message.clone()),
            None => Said::Unavailable("Postmark's answer leaves this address out".to_owned()),
        }
    }

    /// As it is told; `done` is our word for that it is done. `quotes`: whether whoever is told has the address, which
    /// Postmark's own words may quote.
    fn told(&self, done: &'static str, quotes: bool) -> AtPostmark {
        let message = match self {
            Said::Done => None,
            Said::Failed(message) => message.clone().filter(|_| quotes),
            Said::Unavailable(words) => Some(words.clone()),
        };
        AtPostmark { status: self.code(done).to_owned(), message }
    }

    /// Its code alone, for the audit.
    fn code(&self, done: &'static str) -> &'static str {
        match self {
            Said::Done => done,
            Said::Failed(_) => "failed",
            Said::Unavailable(_) => "unavailable",
        }
    }
}

/// Waits for Postmark, but not beyond an instant. What was cut off may have been done: it may be repeated.
async fn in_time<T>(until: Instant, call: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    let slow = ApiError::Unavailable(postmark_api::TransportError::TooSlow.into());
    tokio::time::timeout_at(until, call).await.unwrap_or(Err(slow))
}

/// That a text can be a scope: a stream's name or `*`.
fn scope_named(stream: &str) -> Result<(), Problem> {
    if stream == WHOLE_SERVER { Ok(()) } else { stream_named(stream) }
}

/// That a text is fit to be kept as a reason or consent.
fn worded(name: &str, text: &str) -> Result<(), Problem> {
    let fits = !text.trim().is_empty()
        && text.chars().count() <= WORDS_MAX
        && !text.chars().any(|c| c.is_control() && c != '\n');
    let words = || format!("{name}: expected 1 to {WORDS_MAX} characters that are not all blank");
    if fits { Ok(()) } else { Err(Problem::bad_request(words())) }
}

/// That no token is kept for a server of which Postmark is to be asked something.
pub(crate) fn no_postmark_token(reader: &Reader<'_>, otherwise: &str) -> Problem {
    let detail = "no Postmark token is kept for this server, so Postmark cannot be asked";
    let next = format!("`postledger server add --server {}` stores one; {otherwise}", reader.server());
    Problem::conflict("no-postmark-token", "There is no Postmark token", detail).next(next)
}

/// An address as Postmark takes it: without a name, brackets or Unicode in its domain, else as it is spelled.
fn spelled(address: &str) -> String {
    let (address, key) = (address.trim(), recipient_key(address));
    // What is no address at all has only its spelling.
    if key.starts_with('!') || address.to_lowercase() == key { address.to_owned() } else { key }
}

/// Puts a decision on its queue.
async fn decide(
    admin: &Admin<'_>,
    stream: &str,
    address: &str,
    ruling: Ruling,
    reason: &str,
) -> Result<Event, Problem> {
    let id: [u8; 16] = ring::rand::generate(&SystemRandom::new()).map_err(|_| StoreError::NoRandom)?.expose();
    let decision = Decision {
        id: &URL_SAFE_NO_PAD.encode(id),
        stream,
        address,
        ruling,
        reason,
        actor: &admin.caller().who().name,
        at: admin.now(),
    };
    admin.decide(&decision).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_goes_to_postmark_as_it_is_spelled_but_for_what_postmark_does_not_take() {
        for (address, expected) in [
            (" Ida@Customer.EXAMPLE ", "Ida@Customer.EXAMPLE"),
            ("Ida Moreau <Ida@customer.example>", "ida@customer.example"),
            ("Ida@b\u{fc}cher.example", "ida@xn--bcher-kva.example"),
            ("no address", "no address"),
        ] {
            assert_eq!(spelled(address), expected);
        }
    }

    #[test]
    fn what_an_answer_says_is_found_in_any_case_and_what_it_leaves_out_is_not_done() {
        let changed = |status: &str| {
            let message = Some("why".to_owned());
            Ok(vec![Changed { address: "IDA@x.example".to_owned(), status: status.to_owned(), message }])
        };
        let said = |status| Said::of(&changed(status), "ida@X.example", "Suppressed");
        assert_eq!(said("suppressed"), Said::Done);
        assert_eq!(said("Failed"), Said::Failed(Some("why".to_owned())));
        assert_eq!(said("Pending"), Said::Failed(Some("why".to_owned())), "a new word is no promise");
        let other = Said::of(&changed("Suppressed"), "bob@x.example", "Suppressed");
        assert_eq!(other.told("suppressed", true).status, "unavailable");
    }
}
