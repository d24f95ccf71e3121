//! Every fact about Postmark that its sources leave open or contradict each other on, as a value.
//!
//! A run draws them from its seed and prints them; what holds for every draw holds whichever source is right.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// How fraction digits of seconds are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digits {
    /// Always as many, 0 to 7.
    Exactly(u8),
    /// At most as many, trailing zeros left off.
    Trimmed(u8),
    /// Another number from event to event; every telling of one event by the same door has the same.
    Varies,
}

/// What order a hard bounce's two events are sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TwoEvents {
    /// The bounce before the change of the list.
    BounceFirst,
    /// The change of the list before the bounce.
    ChangeFirst,
    /// Now so, now so.
    Either,
}

/// What the bodies of verification probes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeBody {
    /// As the UI's "send test": ID 42, `john@example.com`, the example metadata.
    UiTest,
    /// The same with the true server, stream and time.
    UiTestOfStream,
    /// An example of the documentation with a zero MessageID and an address at example.com, without example metadata.
    Documentation,
}

/// A blank: how "there is none" is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blank {
    /// The key is not there.
    Absent,
    /// `null`.
    Null,
    /// `""` or `{}`.
    Empty,
    /// Another one from event to event.
    Varies,
}

/// Which streams a legacy hook URL of the server speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegacyScope {
    /// The default transactional stream only.
    DefaultStream,
    /// Every stream that sends.
    EveryStream,
}

/// What MessageID a change of the list bears that no message caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoMessage {
    /// `null`.
    Null,
    /// The zero UUID.
    Zero,
    /// No such key.
    Absent,
    /// Another one from event to event.
    Varies,
}

/// What `X-PM-Retries-Remaining` says on the first attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetriesHeader {
    /// The number of retries: 6 or 9.
    Retries,
    /// One less.
    OneLess,
    /// No such header.
    Absent,
}

macro_rules! quirks {
    ($($(#[$doc:meta])+ $name:ident: $kind:ty = $usual:expr, |$rng:ident| $draw:expr;)+) => {
        /// The open facts, one value each. JSON of a part of them is taken; the rest is then usual.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Quirks {
            $($(#[$doc])+ pub $name: $kind,)+
        }

        impl Quirks {
            /// What most sources say, or what is least surprising.
            pub fn usual() -> Quirks {
                Quirks { $($name: $usual,)+ }
            }

            /// Every open fact drawn from a seed.
            pub fn draw(seed: u64) -> Quirks {
                let mut rng = Rng::with_seed(seed ^ 0x5157_1A2B_3C4D_5E6F);
                Quirks { $($name: { let $rng = &mut rng; $draw },)+ }
            }
        }
    };
}

fn one_of<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())].clone()
}

quirks! {
    // Times.
    /// Fraction digits of times in webhooks; 0 to 7 have been seen.
    webhook_digits: Digits = Digits::Exactly(7), |rng| one_of(rng, &[Digits::Exactly(7), Digits::Trimmed(7), Digits::Exactly(0), Digits::Exactly(3), Digits::Trimmed(6), Digits::Varies]);
    /// Webhooks round to the nearest digit; else they cut.
    webhook_rounds: bool = false, |rng| rng.u8(..4) == 0;
    /// Fraction digits of times in rows of the API.
    api_digits: Digits = Digits::Exactly(7), |rng| one_of(rng, &[Digits::Exactly(7), Digits::Trimmed(7), Digits::Exactly(0), Digits::Exactly(3)]);
    /// The API rounds to the nearest digit; else it cuts.
    api_rounds: bool = false, |rng| rng.u8(..4) == 0;
    /// `BouncedAt` of webhooks has the Eastern offset; else `Z`. Both have been seen.
    webhook_bounces_eastern: bool = false, |rng| rng.u8(..4) == 0;
    /// `BouncedAt` of the API has the Eastern offset; else `Z`. Both have been seen.
    api_bounces_eastern: bool = false, |rng| rng.bool();

    // What webhooks say.
    /// `Delivery` and `Bounce` write `ServerId`; else `ServerID`.
    server_id_in_camel_case: bool = false, |rng| rng.u8(..4) == 0;
    /// How a message without tag is told in webhooks.
    no_tag: Blank = Blank::Empty, |rng| one_of(rng, &[Blank::Absent, Blank::Null, Blank::Empty, Blank::Varies]);
    /// How a message without metadata is told in webhooks.
    no_metadata: Blank = Blank::Empty, |rng| one_of(rng, &[Blank::Absent, Blank::Empty, Blank::Empty, Blank::Varies]);
    /// Metadata that look like a number are printed as one: a marketing page shows it.
    metadata_numbers: bool = false, |rng| rng.u8(..8) == 0;
    /// Share of opens and clicks whose Geo, Client or OS is missing, each on its own.
    unknown_share: f64 = 0.1, |rng| one_of(rng, &[0.0, 0.1, 0.5]);
    /// How a missing Geo, Client or OS is told.
    unknown: Blank = Blank::Varies, |rng| one_of(rng, &[Blank::Absent, Blank::Null, Blank::Empty, Blank::Varies]);
    /// Opens tell `ReadSeconds`; many examples do not.
    read_seconds: bool = true, |rng| rng.bool();
    /// Bounce ids are above 2^53; the documentation shows both.
    large_bounce_ids: bool = true, |rng| rng.bool();
    /// `TypeCode` of complaints: 512 in older sources, 100001 in newer ones.
    complaint_type_code: u32 = 100_001, |rng| one_of(rng, &[512, 100_001]);
    /// Complaints have a `Description`; older ones have an empty one.
    complaint_description: bool = true, |rng| rng.bool();
    /// Share of bounces without `CanActivate`, as integrators report.
    no_can_activate_share: f64 = 0.0, |rng| one_of(rng, &[0.0, 0.0, 0.05]);
    /// Share of hard bounces that cannot be reactivated, reported once.
    stuck_hard_bounce_share: f64 = 0.0, |rng| one_of(rng, &[0.0, 0.0, 0.02]);
    /// Share of bounces of type Unsubscribe that lack address, time, `Inactive` and metadata, as one reporter saw.
    partial_unsubscribe_share: f64 = 0.5, |rng| one_of(rng, &[0.0, 0.5, 1.0]);
    /// MessageID of a change that no message caused: null in the documentation, zero in one consumer's code.
    no_message: NoMessage = NoMessage::Null, |rng| one_of(rng, &[NoMessage::Null, NoMessage::Zero, NoMessage::Absent, NoMessage::Varies]);
    /// A reactivation keeps MessageID, tag and metadata of the mail that caused the suppression.
    reactivation_keeps_message: bool = false, |rng| rng.u8(..4) == 0;
    /// A delayed mail is also told as a Bounce of type Transient; else only among the message's events.
    transient_is_a_bounce: bool = true, |rng| rng.bool();

    // What deactivates.
    /// A bounce of type Blocked deactivates the address.
    blocked_deactivates: bool = false, |rng| rng.u8(..4) == 0;
    /// A bounce of type BadEmailAddress deactivates the address.
    bad_address_deactivates: bool = true, |rng| rng.bool();
    /// A row of the list that becomes stricter is told as another entry.
    stricter_reason_is_told: bool = true, |rng| rng.bool();
    /// Unsubscribes may be lifted through the API: two sources differ.
    unsubscribes_deletable: bool = true, |rng| rng.bool();
    /// `Bounce` and `SpamComplaint` may be switched on for broadcast streams; an old article denies it (1353).
    broadcasts_tell_bounces: bool = true, |rng| rng.bool();

    // How webhooks are delivered.
    /// The order of the two events of a hard bounce.
    two_events: TwoEvents = TwoEvents::Either, |rng| one_of(rng, &[TwoEvents::BounceFirst, TwoEvents::ChangeFirst, TwoEvents::Either]);
    /// Credentials are sent only after a 401 with `WWW-Authenticate: Basic`, within the same attempt.
    basic_after_challenge: bool = false, |rng| rng.u8(..3) == 0;
    /// Of credentials in the URL and in `HttpAuth`, those of the URL are sent.
    url_credentials_win: bool = false, |rng| rng.bool();
    /// A custom header `User-Agent` replaces Postmark's own.
    user_agent_replaceable: bool = true, |rng| rng.bool();
    /// What `X-PM-Retries-Remaining` says first, under the rules of August.
    retries_header: RetriesHeader = RetriesHeader::Retries, |rng| one_of(rng, &[RetriesHeader::Retries, RetriesHeader::Retries, RetriesHeader::OneLess, RetriesHeader::Absent]);
    /// Share of events with an `X-PM-Webhook-Trace-Id`: "when available" on one page, each on another.
    trace_share: f64 = 1.0, |rng| one_of(rng, &[1.0, 1.0, 0.7, 0.0]);
    /// `X-PM-Webhook-Event-Id` is sent too: seen in one capture.
    event_id_header: bool = false, |rng| rng.u8(..4) == 0;
    /// The old rules take any 2xx; else 200 only.
    old_rules_take_any_2xx: bool = false, |rng| rng.bool();
    /// Complaints have the long ladder under the old rules, which do not name them.
    old_complaints_are_retried_as_bounces: bool = true, |rng| rng.bool();
    /// Seconds until an answer is waited for no longer; undocumented.
    timeout_seconds: u32 = 10, |rng| one_of(rng, &[5, 10, 30]);
    /// Milliseconds above which a request counts as slow.
    slow_millis: u32 = 2_000, |rng| one_of(rng, &[1_000, 2_000, 5_000]);
    /// Share of events that are delivered again although they were answered well.
    duplicate_share: f64 = 0.002, |rng| one_of(rng, &[0.0, 0.002, 0.02]);
    /// Share of events whose first attempt is hours late.
    late_share: f64 = 0.001, |rng| one_of(rng, &[0.0, 0.001, 0.01]);
    /// The most hours that such an attempt is late.
    late_hours: u32 = 12, |rng| rng.u32(2..=48);
    /// Events in a row, dropped after their last retry, after which a trigger is paused.
    pause_after: u32 = 10, |rng| one_of(rng, &[1, 3, 10, 50]);
    /// Pausing drops what still waits for a retry; else that goes on.
    pause_drops_waiting: bool = true, |rng| rng.bool();
    /// The row's `Status` is unverified as soon as one enabled trigger is; else only when all are.
    one_trigger_unverifies_row: bool = true, |rng| rng.bool();

    // Verification.
    /// The bodies of probes.
    probe_body: ProbeBody = ProbeBody::UiTest, |rng| one_of(rng, &[ProbeBody::UiTest, ProbeBody::UiTestOfStream, ProbeBody::Documentation]);
    /// Probes bear the stream's display name, as one integrator reports.
    probe_names_stream_by_label: bool = false, |rng| rng.u8(..4) == 0;
    /// An edit verifies every enabled trigger; else those newly enabled, or all when the URL changed.
    edit_verifies_all: bool = true, |rng| rng.bool();
    /// `Verify` is read from the query too (`?verify=false`), as an error text has it; else from the body only.
    verify_in_query: bool = true, |rng| rng.bool();
    /// Which streams the legacy hook URLs speak for.
    legacy_scope: LegacyScope = LegacyScope::DefaultStream, |rng| one_of(rng, &[LegacyScope::DefaultStream, LegacyScope::EveryStream]);

    // What the API says.
    /// `Inactive` of a row of /bounces is today's; else that of the day it bounced.
    api_inactive_is_todays: bool = true, |rng| rng.bool();
    /// `TotalCount` of messages, opens and clicks is a string, as one SDK types it.
    total_count_is_text: bool = false, |rng| rng.bool();
    /// `todate` with a time takes in the whole of that second; else its first instant only.
    todate_takes_whole_second: bool = true, |rng| rng.bool();
    /// `todate` without a time takes in that whole day; else its first instant only.
    todate_takes_whole_day: bool = true, |rng| rng.u8(..4) != 0;
    /// The dump's filter `EmailAddress` finds parts of an address; else the whole one.
    dump_filter_finds_parts: bool = false, |rng| rng.bool();
    /// The most seconds that the dump lags behind the list.
    dump_lag_seconds: u32 = 10, |rng| one_of(rng, &[0, 5, 10, 60]);
    /// The most seconds until a change through the API takes effect.
    change_delay_seconds: u32 = 10, |rng| one_of(rng, &[1, 5, 10, 60]);
    /// A send to some inactive recipients is answered 422, though it is taken; else 200.
    partial_send_is_422: bool = false, |rng| rng.bool();
    /// `BounceID` among a message's events is a string, as in the documentation; else a number.
    bounce_id_is_text: bool = true, |rng| rng.bool();
    /// Days of statistics are of fixed EST (UTC-5) all year; else of Eastern time. Sources say "EST".
    stats_in_fixed_est: bool = false, |rng| rng.u8(..8) == 0;
    /// A token of a test (`POSTMARK_API_TEST`) is refused by calls that do not send; else they answer empty lists.
    test_token_only_sends: bool = true, |rng| rng.bool();
}

impl Default for Quirks {
    fn default() -> Quirks {
        Quirks::usual()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_quirks_and_they_survive_json() {
        for seed in 0..50 {
            let drawn = Quirks::draw(seed);
            assert_eq!(drawn, Quirks::draw(seed));
            let json = serde_json::to_string(&drawn).unwrap();
            assert_eq!(serde_json::from_str::<Quirks>(&json).unwrap(), drawn);
        }
    }

    #[test]
    fn some_quirks_may_be_fixed_and_a_misspelt_one_is_refused() {
        let quirks: Quirks = serde_json::from_str(r#"{"pause_after": 3}"#).unwrap();
        assert_eq!(quirks, Quirks { pause_after: 3, ..Quirks::usual() });
        assert!(serde_json::from_str::<Quirks>(r#"{"pauseafter": 3}"#).is_err());
    }
}
