//! The words by which lists say why an address is on them, or that it is not.

use ledger::event::Cause;

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Suppressed, for this.
    Suppressed(Cause),
    /// Not suppressed, because of this.
    Not(&'static str),
}

/// Why a row that says so is ignored.
pub(crate) const MAILABLE: &str = "the row says that the address may be mailed: an import lifts nothing";
/// Why a row that says so is ignored.
pub(crate) const SOFT: &str = "a soft bounce or a block is not a suppression";

/// Letters and digits in lower case: `HARD_BOUNCE`, `Hard bounce` and `HardBounce` are one word.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What a word says, if it is one of those that services use.
pub(crate) fn word(text: &str) -> Option<Word> {
    let cause = match plain(text).as_str() {
        // `BOUNCE` is Amazon's: its list takes permanent bounces only.
        "hardbounce" | "hardbounced" | "bounce" | "bounced" | "hard" | "permanent" | "invalid"
        | "invalidemail" | "bademailaddress" | "cleaned" => Cause::HardBounce,
        // The last two are Brevo's.
        "complaint"
        | "complained"
        | "spam"
        | "spamcomplaint"
        | "spamreport"
        | "abuse"
        | "contactflaggedasspam"
        | "flaggedasspam" => Cause::Complaint,
        // `unsub` is Mandrill's; the last three are Brevo's.
        "unsubscribe"
        | "unsubscribed"
        | "unsub"
        | "optout"
        | "optedout"
        | "unsubscribedviama"
        | "unsubscribedviaemail"
        | "unsubscribedviaapi" => Cause::Unsubscribe,
        // What barred it with us was an act of the customer. `custom` is Mandrill's, `adminBlocked` Brevo's.
        "manual" | "manualsuppression" | "suppressed" | "blocklisted" | "blacklisted" | "decision"
        | "import" | "custom" | "adminblocked" => Cause::Manual,
        "unknown" => Cause::Unknown,
        "softbounce" | "softbounced" | "soft" | "transient" | "temporary" | "deferred" | "block"
        | "blocked" => {
            return Some(Word::Not(SOFT));
        }
        "active" | "enabled" | "subscribed" | "resubscribed" | "subscribe" | "reactivated" | "delivered"
        | "delivery" | "confirmed" | "allowed" | "ok" => return Some(Word::Not(MAILABLE)),
        _ => return None,
    };
    Some(Word::Suppressed(cause))
}

/// How hard a cause is to lift; the gravest is 0.
pub const fn gravity(cause: Cause) -> u8 {
    match cause {
        Cause::Complaint => 0,
        Cause::Unsubscribe => 1,
        Cause::HardBounce => 2,
        Cause::Manual => 3,
        Cause::Unknown => 4,
    }
}

/// Of several causes of one address the one that is hardest to lift.
pub(crate) fn gravest(causes: impl IntoIterator<Item = Cause>) -> Option<Cause> {
    causes.into_iter().min_by_key(|cause| gravity(*cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_names_are_words() {
        for cause in Cause::ALL {
            assert_eq!(word(cause.name()), Some(Word::Suppressed(cause)));
        }
    }

    #[test]
    fn a_word_is_read_however_it_is_written_and_another_is_not_guessed() {
        assert_eq!(word("BOUNCE"), Some(Word::Suppressed(Cause::HardBounce)));
        assert_eq!(word("Spam-Complaint"), Some(Word::Suppressed(Cause::Complaint)));
        assert_eq!(word("re-subscribed"), Some(Word::Not(MAILABLE)));
        assert_eq!(word("soft_bounce"), Some(Word::Not(SOFT)));
        for other in ["", "policy", "bounce or so", "💥"] {
            assert_eq!(word(other), None, "{other}");
        }
    }

    #[test]
    fn the_gravest_of_several_causes_counts() {
        assert_eq!(gravest([Cause::Manual, Cause::Complaint, Cause::HardBounce]), Some(Cause::Complaint));
        assert_eq!(gravest([Cause::Unknown, Cause::HardBounce]), Some(Cause::HardBounce));
        assert_eq!(gravest([]), None);
    }
}
