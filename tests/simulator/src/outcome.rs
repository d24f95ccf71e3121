//! What becomes of a mail to one recipient, said in words: by the address, a scenario or code.

use std::fmt;
use std::str::FromStr;

/// Postmark's types of bounces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "Postmark's own names")]
pub enum BounceType {
    HardBounce,
    Transient,
    Unsubscribe,
    Subscribe,
    AutoResponder,
    AddressChange,
    DnsError,
    SpamNotification,
    OpenRelayTest,
    Unknown,
    SoftBounce,
    VirusNotification,
    ChallengeVerification,
    BadEmailAddress,
    SpamComplaint,
    ManuallyDeactivated,
    Unconfirmed,
    Blocked,
    SMTPApiError,
    InboundError,
    DMARCPolicy,
    TemplateRenderingFailed,
}

/// Type, `Type`, `TypeCode`, `Name`, `Description`, and what the receiving server said.
type Row = (BounceType, &'static str, u32, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const TYPES: [Row; 22] = [
    (BounceType::HardBounce, "HardBounce", 1, "Hard bounce", "The server was unable to deliver your message (ex: unknown user, mailbox not found).", "smtp;550 5.1.1 The email account that you tried to reach does not exist."),
    (BounceType::Transient, "Transient", 2, "Message delayed/Undeliverable", "The server could not temporarily deliver your message (ex: Message is delayed due to network troubles).", "smtp;451 4.4.1 Connection timed out"),
    (BounceType::Unsubscribe, "Unsubscribe", 16, "Unsubscribe request", "Unsubscribe or Remove request.", ""),
    (BounceType::Subscribe, "Subscribe", 32, "Subscribe request", "Subscribe request from someone wanting to get added to the mailing list.", ""),
    (BounceType::AutoResponder, "AutoResponder", 64, "Auto responder", "Automatic email responder (ex: \"Out of Office\" or \"On Vacation\").", "I am out of the office."),
    (BounceType::AddressChange, "AddressChange", 128, "Address change", "The recipient has requested an address change.", ""),
    (BounceType::DnsError, "DnsError", 256, "DNS error", "A temporary DNS error.", "smtp;450 4.1.2 Domain not found"),
    (BounceType::SpamNotification, "SpamNotification", 512, "Spam notification", "The message was delivered, but was either blocked by the user, or classified as spam, bulk mail, or had rejected content.", "smtp;554 5.7.1 Message rejected as spam"),
    (BounceType::OpenRelayTest, "OpenRelayTest", 1024, "Open relay test", "The NDR is actually a test email message to see if the mail server is an open relay.", ""),
    (BounceType::Unknown, "Unknown", 2048, "Unknown", "Unable to classify the NDR.", "smtp;500 5.0.0 Sorry"),
    (BounceType::SoftBounce, "SoftBounce", 4096, "Soft bounce", "Unable to temporarily deliver message (i.e. mailbox full, account disabled, exceeds quota, out of disk space).", "smtp;452 4.2.2 The email account that you tried to reach is over quota."),
    (BounceType::VirusNotification, "VirusNotification", 8192, "Virus notification", "The bounce is actually a virus notification warning about a virus/code infected message.", "smtp;554 5.7.1 Virus found"),
    (BounceType::ChallengeVerification, "ChallengeVerification", 16384, "Spam challenge verification", "The bounce is a challenge asking for verification you actually sent the email.", ""),
    (BounceType::BadEmailAddress, "BadEmailAddress", 100_000, "Invalid email address", "The address is not a valid email address.", "smtp;553 5.1.3 The recipient address is not a valid RFC-5321 address."),
    (BounceType::SpamComplaint, "SpamComplaint", 100_001, "Spam complaint", "The subscriber explicitly marked this message as spam.", ""),
    (BounceType::ManuallyDeactivated, "ManuallyDeactivated", 100_002, "Manually deactivated", "The email was manually deactivated.", ""),
    (BounceType::Unconfirmed, "Unconfirmed", 100_003, "Registration not confirmed", "The subscriber has not clicked on the confirmation link upon registration or import.", ""),
    (BounceType::Blocked, "Blocked", 100_006, "ISP block", "Blocked from this ISP due to content or blacklisting.", "smtp;550 5.7.1 Our system has detected that this message is likely unsolicited mail."),
    (BounceType::SMTPApiError, "SMTPApiError", 100_007, "SMTP API error", "An error occurred while accepting an email through the SMTP API.", ""),
    (BounceType::InboundError, "InboundError", 100_008, "Processing failed", "Unable to deliver inbound message to destination inbound hook.", ""),
    (BounceType::DMARCPolicy, "DMARCPolicy", 100_009, "DMARC Policy", "Email rejected due DMARC Policy.", "smtp;550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy."),
    (BounceType::TemplateRenderingFailed, "TemplateRenderingFailed", 100_010, "Template rendering failed", "An error occurred while attempting to render your template.", ""),
];

impl BounceType {
    fn row(self) -> &'static Row {
        &TYPES[self as usize]
    }

    /// As in `Type`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// As in `TypeCode`.
    pub fn code(self) -> u32 {
        self.row().2
    }

    /// As in `Name`.
    pub fn label(self) -> &'static str {
        self.row().3
    }

    pub(crate) fn description(self) -> &'static str {
        self.row().4
    }

    pub(crate) fn diagnostic(self) -> &'static str {
        self.row().5
    }

    /// Reads a type, whatever its case and with or without underscores.
    pub fn named(text: &str) -> Option<BounceType> {
        let letters = text.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
        let wanted: Vec<u8> = letters.collect();
        TYPES.iter().find(|row| row.1.as_bytes().eq_ignore_ascii_case(&wanted)).map(|row| row.0)
    }

    pub(crate) fn all() -> impl Iterator<Item = BounceType> {
        TYPES.iter().map(|row| row.0)
    }
}

/// After a type's name: this bounce and nothing else, where the bare name says something richer.
const ONLY: &str = "only";

fn word_of_its_own(kind: BounceType) -> bool {
    matches!(kind, BounceType::Transient | BounceType::AutoResponder | BounceType::Unsubscribe)
}

/// How the sending itself ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The receiving server takes it.
    Delivered,
    /// It is told as delayed first, then taken.
    Delayed,
    /// It bounces. A hard bounce deactivates; what else does is said by `Quirks` and by `deactivates`.
    Bounced {
        /// The type.
        kind: BounceType,
        /// The address is deactivated whatever the type.
        deactivates: bool,
    },
    /// Nothing is ever heard of it.
    Lost,
}

/// What the recipient does after a delivery, besides opening and clicking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// Marks it as spam.
    Complains,
    /// Unsubscribes, where the stream manages that; else nothing.
    Unsubscribes,
    /// The mailbox bounces it later, hard.
    BouncesLater,
    /// Answers by itself: a bounce of type AutoResponder.
    Replies,
    /// Asks by mail to be removed: a bounce of type Unsubscribe, which may be partial.
    AsksByMail,
}

/// What becomes of a mail to one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the sending ends.
    pub end: End,
    /// Opens by the person. None without tracking.
    pub opens: u8,
    /// Opens by a machine (Apple Mail Privacy Protection), soon after the delivery. None without tracking.
    pub machine_opens: u8,
    /// Links clicked. None without tracking; a link clicked again is not told again.
    pub clicks: u8,
    /// What else.
    pub after: After,
}

impl Outcome {
    /// Delivered, and nothing else.
    pub const DELIVERED: Outcome =
        Outcome { end: End::Delivered, opens: 0, machine_opens: 0, clicks: 0, after: After::Nothing };

    /// Bounces with a type.
    pub const fn bounced(kind: BounceType) -> Outcome {
        Outcome { end: End::Bounced { kind, deactivates: false }, ..Outcome::DELIVERED }
    }

    /// The outcome that an address asks for by its plus tag, or by one of Postmark's own testing domains.
    /// `None` when it says nothing.
    pub fn of_address(address: &str) -> Option<Outcome> {
        let (local, domain) = address.rsplit_once('@')?;
        if domain.eq_ignore_ascii_case("bounce-testing.postmarkapp.com") {
            return Some(Outcome::testing(local));
        }
        if domain.eq_ignore_ascii_case("blackhole.postmarkapp.com") {
            return Some(Outcome { end: End::Lost, ..Outcome::DELIVERED });
        }
        local.split_once('+')?.1.parse().ok()
    }

    /// A fake bounce: by a type's name; a complaint and what is no type bounce hard.
    pub(crate) fn testing(kind: &str) -> Outcome {
        match BounceType::named(kind) {
            Some(kind) if kind != BounceType::SpamComplaint => Outcome::bounced(kind),
            _ => Outcome::bounced(BounceType::HardBounce),
        }
    }
}

/// A word that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no outcome is called `{0}`")]
pub struct NoSuchOutcome(String);

impl FromStr for Outcome {
    type Err = NoSuchOutcome;

    /// Reads words joined by dots.
    fn from_str(text: &str) -> Result<Outcome, NoSuchOutcome> {
        let mut outcome = Outcome::DELIVERED;
        for word in text.split('.') {
            let word = word.to_ascii_lowercase();
            let name = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
            let times = match &word[name.len()..] {
                "" => 1,
                digits => digits.parse().map_err(|_| NoSuchOutcome(word.clone()))?,
            };
            let bounced = |kind| End::Bounced { kind, deactivates: false };
            match name {
                "delivered" => outcome.end = End::Delivered,
                "open" => outcome.opens = times,
                "mopen" => outcome.machine_opens = times,
                "click" => outcome.clicks = times,
                "hard" => outcome.end = bounced(BounceType::HardBounce),
                "soft" => outcome.end = bounced(BounceType::SoftBounce),
                "softdeactivates" => {
                    outcome.end = End::Bounced { kind: BounceType::SoftBounce, deactivates: true };
                }
                "transient" => outcome.end = End::Delayed,
                "blocked" => outcome.end = bounced(BounceType::Blocked),
                "dns" => outcome.end = bounced(BounceType::DnsError),
                "badaddress" => outcome.end = bounced(BounceType::BadEmailAddress),
                "lost" => outcome.end = End::Lost,
                "autoresponder" => outcome.after = After::Replies,
                "complaint" => outcome.after = After::Complains,
                "unsubscribe" => outcome.after = After::Unsubscribes,
                "asyncbounce" => outcome.after = After::BouncesLater,
                "asksbymail" => outcome.after = After::AsksByMail,
                name => match BounceType::named(name.strip_suffix(ONLY).unwrap_or(name)) {
                    Some(BounceType::SpamComplaint) => outcome.after = After::Complains,
                    Some(kind) => outcome.end = bounced(kind),
                    None => return Err(NoSuchOutcome(word.clone())),
                },
            }
        }
        Ok(outcome)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End::Delivered => out.write_str("delivered")?,
            End::Delayed => out.write_str("transient")?,
            End::Lost => out.write_str("lost")?,
            End::Bounced { kind: BounceType::SoftBounce, deactivates: true } => {
                out.write_str("softdeactivates")?;
            }
            End::Bounced { kind, .. } if word_of_its_own(kind) => {
                write!(out, "{}{ONLY}", kind.name().to_ascii_lowercase())?;
            }
            End::Bounced { kind, .. } => out.write_str(&kind.name().to_ascii_lowercase())?,
        }
        for (word, times) in [("mopen", self.machine_opens), ("open", self.opens), ("click", self.clicks)] {
            if times > 0 {
                write!(out, ".{word}{times}")?;
            }
        }
        out.write_str(match self.after {
            After::Nothing => "",
            After::Complains => ".complaint",
            After::Unsubscribes => ".unsubscribe",
            After::BouncesLater => ".asyncbounce",
            After::Replies => ".autoresponder",
            After::AsksByMail => ".asksbymail",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_becomes_of_its_mail() {
        let of = |address| Outcome::of_address(address).map(|outcome| outcome.to_string());
        assert_eq!(of("ida+delivered.open2.click1@x.example").as_deref(), Some("delivered.open2.click1"));
        assert_eq!(of("ida+hard@x.example").as_deref(), Some("hardbounce"));
        assert_eq!(of("ida+softdeactivates@x.example").as_deref(), Some("softdeactivates"));
        assert_eq!(of("ida+complaint@x.example").as_deref(), Some("delivered.complaint"));
        assert_eq!(of("ida+news@x.example"), None);
        assert_eq!(of("ida@x.example"), None);
        assert_eq!(of("Soft_Bounce@bounce-testing.postmarkapp.com").as_deref(), Some("softbounce"));
        assert_eq!(of("SpamComplaint@bounce-testing.postmarkapp.com").as_deref(), Some("hardbounce"));
        assert_eq!(of("whoever@Bounce-Testing.postmarkapp.com").as_deref(), Some("hardbounce"));
        assert_eq!(of("test@blackhole.postmarkapp.com").as_deref(), Some("lost"));
    }

    #[test]
    fn every_outcome_is_read_as_it_is_printed() {
        for kind in BounceType::all().filter(|kind| *kind != BounceType::SpamComplaint) {
            let outcome = Outcome::bounced(kind);
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
        for text in ["transient.mopen1.open3.click2.unsubscribe", "delivered.asyncbounce", "lost"] {
            assert_eq!(text.parse::<Outcome>().unwrap().to_string(), text);
        }
        assert!("delivered.opne1".parse::<Outcome>().is_err());
    }
}
