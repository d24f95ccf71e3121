//! What is kept of a message and of an event, small enough for millions of them.

use crate::texts::Text;
use crate::{BounceType, Time};
use std::fmt;

/// The six types of outbound webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "Postmark's own names")]
pub enum Record {
    Delivery,
    Bounce,
    SpamComplaint,
    Open,
    Click,
    SubscriptionChange,
}

impl Record {
    /// All six.
    pub const ALL: [Record; 6] = [
        Record::Delivery,
        Record::Bounce,
        Record::SpamComplaint,
        Record::Open,
        Record::Click,
        Record::SubscriptionChange,
    ];

    /// As in `RecordType`, and as a trigger is called.
    pub fn name(self) -> &'static str {
        match self {
            Record::Delivery => "Delivery",
            Record::Bounce => "Bounce",
            Record::SpamComplaint => "SpamComplaint",
            Record::Open => "Open",
            Record::Click => "Click",
            Record::SubscriptionChange => "SubscriptionChange",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Record> {
        Record::ALL.into_iter().find(|record| record.name().eq_ignore_ascii_case(name))
    }
}

/// Why an address is on a stream's suppression list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "Postmark's own names")]
pub enum Reason {
    ManualSuppression,
    HardBounce,
    SpamComplaint,
}

impl Reason {
    /// As in `SuppressionReason`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::ManualSuppression => "ManualSuppression",
            Reason::HardBounce => "HardBounce",
            Reason::SpamComplaint => "SpamComplaint",
        }
    }
}

/// Who put an address on a suppression list, or took it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "Postmark's own names")]
pub enum Origin {
    Customer,
    Recipient,
    Admin,
}

impl Origin {
    /// As in `Origin`.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Customer => "Customer",
            Origin::Recipient => "Recipient",
            Origin::Admin => "Admin",
        }
    }
}

/// An event by its number in the order of happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub(crate) u32);

impl EventId {
    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// A message's id: a UUID, shared by all of its recipients.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(crate) u128);

impl fmt::Display for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&String::from_utf8_lossy(&uuid(self.0)))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A UUID in text.
pub(crate) fn uuid(bits: u128) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for nibble in 0..32 {
        if matches!(at, 8 | 13 | 18 | 23) {
            at += 1;
        }
        let digit = (bits >> (124 - 4 * nibble)) as usize & 15;
        text[at] = b"0123456789abcdef"[digit];
        at += 1;
    }
    text
}

/// Well mixed bits of a number, the same at every call.
pub(crate) fn mix(seed: u64, number: u64) -> u64 {
    let mut bits = seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Whether bits fall into a share.
pub(crate) fn falls(bits: u64, share: f64) -> bool {
    share > 0.0 && (bits >> 11) as f64 / (1_u64 << 53) as f64 <= share
}

impl MessageId {
    /// The id of a message by its number: the first 32 bits hold the number, scrambled, so that none is kept.
    pub(crate) fn of(seed: u64, number: u32) -> MessageId {
        let first = (number ^ seed as u32).wrapping_mul(0x9E37_79B1);
        let rest = u128::from(mix(seed, u64::from(number))) << 64 | u128::from(mix(!seed, u64::from(number)));
        let bits = u128::from(first) << 96 | (rest & ((1 << 96) - 1));
        // Version 4, variant 1.
        MessageId(bits & !(0xF << 76) & !(0x3 << 62) | 4 << 76 | 2 << 62)
    }

    /// The number of a message, if it has this id.
    pub(crate) fn number(seed: u64, text: &str) -> Option<u32> {
        let first = u32::from_str_radix(text.get(..8)?, 16).ok()?;
        // The inverse of the odd factor above, modulo 2^32.
        let number = first.wrapping_mul(INVERSE) ^ seed as u32;
        let known = uuid(MessageId::of(seed, number).0);
        known.eq_ignore_ascii_case(text.as_bytes()).then_some(number)
    }
}

const INVERSE: u32 = inverse(0x9E37_79B1);

const fn inverse(odd: u32) -> u32 {
    // Newton: every step doubles the number of right bits.
    let mut guess = odd;
    let mut step = 0;
    while step < 5 {
        guess = guess.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(guess)));
        step += 1;
    }
    guess
}

/// Which links are rewritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TrackLinks {
    #[default]
    None,
    HtmlAndText,
    HtmlOnly,
    TextOnly,
}

impl TrackLinks {
    pub(crate) fn name(self) -> &'static str {
        match self {
            TrackLinks::None => "None",
            TrackLinks::HtmlAndText => "HtmlAndText",
            TrackLinks::HtmlOnly => "HtmlOnly",
            TrackLinks::TextOnly => "TextOnly",
        }
    }

    pub(crate) fn named(name: &str) -> Option<TrackLinks> {
        [TrackLinks::None, TrackLinks::HtmlAndText, TrackLinks::HtmlOnly, TrackLinks::TextOnly]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// A message that was taken for sending.
pub(crate) struct Message {
    pub(crate) at: Time,
    pub(crate) from: Text,
    pub(crate) subject: Text,
    pub(crate) tag: Text,
    /// A JSON object, empty for none.
    pub(crate) metadata: Text,
    pub(crate) html: Text,
    pub(crate) text: Text,
    /// Links, one a line.
    pub(crate) links: Text,
    /// Its first recipient in the simulator's list of all.
    pub(crate) first: u32,
    pub(crate) to: u8,
    pub(crate) cc: u8,
    pub(crate) bcc: u8,
    pub(crate) track_opens: bool,
    pub(crate) track_links: TrackLinks,
    pub(crate) stream: u16,
    pub(crate) last_event: u32,
}

impl Message {
    pub(crate) fn recipients(&self) -> std::ops::Range<usize> {
        let first = self.first as usize;
        first..first + usize::from(self.to) + usize::from(self.cc) + usize::from(self.bcc)
    }
}

/// No message, no event.
pub(crate) const NONE: u32 = u32::MAX;

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Delivery,
    /// Told among the message's events only.
    Delay,
    Bounce {
        number: u32,
        kind: BounceType,
        inactive: bool,
        can_activate: bool,
    },
    Complaint {
        number: u32,
    },
    Open {
        first: bool,
        machine: bool,
    },
    Click {
        /// The line of the message's links.
        link: u16,
        in_text: bool,
    },
    Change {
        suppress: bool,
        /// Why, while it is suppressed; of a reactivation, why it was.
        reason: Reason,
        origin: Origin,
        /// A message caused it; else it names none.
        caused: bool,
    },
}

impl Kind {
    pub(crate) fn record(self) -> Option<Record> {
        Some(match self {
            Kind::Delivery => Record::Delivery,
            Kind::Delay => return None,
            Kind::Bounce { .. } => Record::Bounce,
            Kind::Complaint { .. } => Record::SpamComplaint,
            Kind::Open { .. } => Record::Open,
            Kind::Click { .. } => Record::Click,
            Kind::Change { .. } => Record::SubscriptionChange,
        })
    }
}

/// Something that happened.
pub(crate) struct Event {
    pub(crate) at: Time,
    pub(crate) message: u32,
    /// The message's event before this one.
    pub(crate) previous: u32,
    pub(crate) recipient: Text,
    pub(crate) stream: u16,
    pub(crate) kind: Kind,
    pub(crate) fate: crate::Fate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_a_uuid_that_tells_its_number() {
        for number in [0, 1, 77, 1_000_000, u32::MAX] {
            let text = MessageId::of(99, number).to_string();
            assert_eq!((&text[14..15], text.len()), ("4", 36));
            assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
            assert_eq!(MessageId::number(99, &text), Some(number));
            assert_eq!(MessageId::number(98, &text), None);
        }
        assert_eq!(MessageId::number(99, "20130503192659.13651@mg.example"), None);
    }
}
