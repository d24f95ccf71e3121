//! A Postmark with a virtual clock: one account, its servers and streams, as a sans-IO state machine.
//!
//! Invariant: it depends on nothing of Postledger, so that it cannot share the assumptions of what is proved against it;
//! and it is a function of its seed and of what it is told: same seed, same bytes.
//!
//! ```
//! use postmark_simulator::{Answer, Config, Handled, Record, Simulator};
//!
//! let mut simulator = Simulator::new(Config::new(7));
//! let server = simulator.add_server("Client");
//! simulator.add_webhook(server.id, "outbound", "https://receiver.example/hook", &Record::ALL);
//!
//! let request = http::Request::post("/email")
//!     .header("Content-Type", "application/json")
//!     .header("Accept", "application/json")
//!     .header("X-Postmark-Server-Token", &server.token)
//!     .body(br#"{"From":"a@sender.example","To":"ida+hard@x.example","TextBody":"Hello"}"#.to_vec())?;
//! let Handled::Answer(answer) = simulator.api(request) else { unreachable!("a send verifies nothing") };
//! assert_eq!(answer.status(), 200);
//!
//! let tomorrow = simulator.now().plus_seconds(86_400);
//! while let Some(due) = simulator.advance(tomorrow) {
//!     // Post `due.request`, then say what came back.
//!     simulator.answered(due.id, Answer::status(200));
//! }
//! let events: Vec<Record> = simulator.truth().events().map(|event| event.record).collect();
//! assert_eq!(events, [Record::Bounce, Record::SubscriptionChange]);
//! # Ok::<(), http::Error>(())
//! ```
//!
//! # The driver's part
//!
//! * [`Simulator::api`] answers a request to Postmark's API at the present instant. Creating, editing or verifying a
//!   webhook needs its endpoint: it returns a [`ProbeRound`]; the driver posts its probes and brings the answers to
//!   [`Simulator::probed`], which may ask for another round (a challenge, a redirect).
//! * [`Simulator::advance`] moves the clock up to an instant. It stops at each webhook request that is due, with the
//!   clock at its time; `None` says that the instant is reached. Any number may be outstanding before they are
//!   answered, in any order: that is concurrency.
//! * [`Simulator::answered`] says what came of a request. A redirect or a challenge is due at once in the same attempt.
//! * [`Simulator::truth`] tells what really happened, and [`Simulator::quirks`] what was drawn for the open facts.
//!
//! # What an address says
//!
//! The plus tag of its local part, words joined by dots: `ida+delivered.open2.click1@x.example`. The end: `delivered`,
//! `transient` (delayed, then delivered), `hard`, `soft`, `softdeactivates`, `blocked`, `dns`, `badaddress`, the name of
//! any other type of bounce, `transientonly`, `autoresponderonly`, `unsubscribeonly` (that bounce and nothing else),
//! `lost` (nothing is ever heard). After a delivery: `openN`, `mopenN` (a machine's), `clickN`, and one
//! of `complaint`, `unsubscribe` (where the stream manages that), `asyncbounce`, `autoresponder`, `asksbymail` (a bounce of
//! type Unsubscribe). An address that says nothing asks the chooser, then the scenario, and is delivered else.

mod account;
mod agenda;
mod api;
mod body;
mod config;
mod deliver;
mod happen;
mod hook;
mod json;
mod model;
mod outcome;
mod probe;
mod quirks;
mod request;
mod rules;
mod scenario;
mod simulator;
mod stats;
mod suppress;
mod texts;
mod time;
#[cfg(test)]
mod trial;
mod truth;

pub use account::{NewServer, StreamKind};
pub use api::{ApiBody, Handled};
pub use config::{Config, Faults};
pub use deliver::{Answer, DeliveryId, Due};
pub use model::{EventId, MessageId, Origin, Reason, Record};
pub use outcome::{After, BounceType, End, NoSuchOutcome, Outcome};
pub use probe::{Probe, ProbeRound};
pub use quirks::{Blank, Digits, LegacyScope, NoMessage, ProbeBody, Quirks, RetriesHeader, TwoEvents};
pub use rules::{Class, NoSuchRules, Rules};
pub use scenario::{Scenario, Sent};
pub use simulator::Simulator;
pub use stats::Counts;
pub use time::Time;
pub use truth::{DeliveryTruth, Details, Dropped, EventTruth, Fate, Suppressed, Truth};
