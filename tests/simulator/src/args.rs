//! The arguments of the command.

use clap::Parser;
use postmark_simulator::Rules;
use std::path::PathBuf;

/// A Postmark with a virtual clock: its API on a port of this machine, its webhooks over real HTTP.
#[derive(Debug, Parser)]
#[command(name = "postmark-simulator", version, after_help = EXAMPLE)]
pub(crate) struct Args {
    /// Port of 127.0.0.1 to serve the API on; 0 for any that is free
    #[arg(long, default_value_t = 8025)]
    pub(crate) port: u16,
    /// Everything random, and the facts that Postmark leaves open, come from it
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How webhooks are delivered: old, feb2026, aug2026-6, aug2026-9
    #[arg(long, default_value = "aug2026-6")]
    pub(crate) rules: Rules,
    /// Virtual seconds in a second; 0 stops the clock, which then moves by POST /simulator/advance only
    #[arg(long, default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// Where the clock starts, RFC 3339
    #[arg(long)]
    pub(crate) start: Option<String>,
    /// JSON list of rules {match: {address, tag, stream, server}, weights: {outcome: weight}}
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// JSON object of the open facts, or of some of them and the rest is usual; without it the seed draws them
    #[arg(long, value_name = "FILE")]
    pub(crate) quirks: Option<PathBuf>,
    /// Servers that are there at the start
    #[arg(long, default_value_t = 1)]
    pub(crate) servers: usize,
    /// Where to write what really happened, JSON lines, at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// Print what is printed at the start as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLE: &str = "\
Example: a clock a thousand times as fast, and a mail that bounces hard

  postmark-simulator --servers 2 --speed 1000 &
  curl http://127.0.0.1:8025/email -H 'X-Postmark-Server-Token: TOKEN' \\
    -H 'Accept: application/json' -H 'Content-Type: application/json' \\
    -d '{\"From\": \"a@sender.example\", \"To\": \"ida+hard@x.example\", \"TextBody\": \"Hello\"}'
  curl http://127.0.0.1:8025/simulator/truth

An address says what becomes of its mail by its plus tag, words joined by dots: ida+delivered.open2.click1@x.example;
hard, soft, softdeactivates, transient, blocked, dns, badaddress, lost, complaint, unsubscribe, asyncbounce,
autoresponder, asksbymail, mopen1.

Control:
  GET  /simulator                                    clock, account token, servers and their tokens
  POST /simulator/advance?to=TIME (or ?by=SECONDS)   moves the clock, with all that happens and is delivered on the way
  GET  /simulator/truth                              what really happened, JSON lines
  GET  /simulator/suppressions                       the suppression lists as they really are, JSON lines
  GET  /simulator/quirks                             the open facts as drawn
  POST /simulator/pause?webhook=ID&trigger=Bounce    pauses a trigger; resume ends it
  PUT  /simulator/faults                             what the API does wrong: {\"internal_share\": 0.1}

Webhooks go to http:// URLs only.";
