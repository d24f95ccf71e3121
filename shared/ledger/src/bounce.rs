//! Postmark's bounce types and what each says about the recipient.
//!
//! The class decides what a bounce counts as and whether it speaks against the recipient. It is read from the
//! `Type` string, never from `TypeCode`: Postmark's own examples disagree about the codes.

use serde::{Deserialize, Serialize};

/// What a bounce type means for the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BounceClass {
    /// The mailbox does not exist.
    Hard,
    /// The address itself is not valid.
    Invalid,
    /// Refused for now: mailbox full, account disabled, quota. Counts towards the soft-bounce threshold.
    Soft,
    /// Delayed; a delivery may still follow. Never counts against the recipient.
    Delay,
    /// The receiving provider blocked the sender or its network. Says nothing about the recipient.
    Block,
    /// The content was refused or sorted out as spam or virus.
    Content,
    /// The sender's own domain policy (DMARC) had it refused.
    Policy,
    /// The recipient marked the message as spam.
    Complaint,
    /// The recipient asked to be taken off.
    Unsubscribe,
    /// Somebody at the customer deactivated the address.
    Manual,
    /// An automatic answer or notice; not a bounce of the address at all.
    Info,
    /// The sender's own fault: the SMTP API, a template, an inbound hook.
    Failure,
    /// A type that Postmark could not classify, or one that did not exist when this was written.
    Unknown,
}

impl BounceClass {
    /// The class of a `Type` string, or `None` where the type is not one of Postmark's 22.
    pub fn of(bounce_type: &str) -> Option<BounceClass> {
        Some(match bounce_type {
            "HardBounce" => BounceClass::Hard,
            "BadEmailAddress" => BounceClass::Invalid,
            "SoftBounce" => BounceClass::Soft,
            "Transient" | "DnsError" => BounceClass::Delay,
            "Blocked" => BounceClass::Block,
            "SpamNotification" | "VirusNotification" => BounceClass::Content,
            "DMARCPolicy" => BounceClass::Policy,
            "SpamComplaint" => BounceClass::Complaint,
            "Unsubscribe" => BounceClass::Unsubscribe,
            "ManuallyDeactivated" => BounceClass::Manual,
            "Subscribe"
            | "AutoResponder"
            | "AddressChange"
            | "OpenRelayTest"
            | "ChallengeVerification"
            | "Unconfirmed" => BounceClass::Info,
            "SMTPApiError" | "InboundError" | "TemplateRenderingFailed" => BounceClass::Failure,
            "Unknown" => BounceClass::Unknown,
            _ => return None,
        })
    }

    /// Whether a later bounce of this class takes back what a delivery of the same message had said.
    pub fn undoes_delivery(self) -> bool {
        matches!(self, BounceClass::Hard | BounceClass::Invalid | BounceClass::Soft | BounceClass::Block)
    }
}

/// All 22 types that Postmark documents.
pub const TYPES: [&str; 22] = [
    "HardBounce",
    "Transient",
    "Unsubscribe",
    "Subscribe",
    "AutoResponder",
    "AddressChange",
    "DnsError",
    "SpamNotification",
    "OpenRelayTest",
    "Unknown",
    "SoftBounce",
    "VirusNotification",
    "ChallengeVerification",
    "BadEmailAddress",
    "SpamComplaint",
    "ManuallyDeactivated",
    "Unconfirmed",
    "Blocked",
    "SMTPApiError",
    "InboundError",
    "DMARCPolicy",
    "TemplateRenderingFailed",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_22_types_has_a_class() {
        for bounce_type in TYPES {
            assert!(BounceClass::of(bounce_type).is_some(), "{bounce_type}");
        }
    }

    #[test]
    fn a_type_that_does_not_exist_yet_has_none() {
        for bounce_type in ["", "hardbounce", "HardBounce ", "Quarantined"] {
            assert_eq!(BounceClass::of(bounce_type), None, "{bounce_type}");
        }
    }

    #[test]
    fn what_is_not_the_recipients_doing_never_undoes_a_delivery() {
        for bounce_type in TYPES {
            let class = BounceClass::of(bounce_type).unwrap();
            let against = ["HardBounce", "BadEmailAddress", "SoftBounce", "Blocked"].contains(&bounce_type);
            assert_eq!(class.undoes_delivery(), against, "{bounce_type}");
        }
    }
}
