//! What may be allowed again, and what that takes: one rule for Postmark's list and for imported causes.
//!
//! Nobody takes back a complaint. What the recipient asked for ends when the recipient says so. All else is the
//! sender's own to rule.

use crate::event::{Cause, WHOLE_SERVER};
use crate::fold::{StreamView, View};

/// Why something stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// The recipient complained of spam.
    Complaint,
    /// The recipient unsubscribed, and no consent is given.
    Consent,
}

impl Withheld {
    /// The name that formats use.
    pub const fn name(self) -> &'static str {
        match self {
            Withheld::Complaint => "complaint",
            Withheld::Consent => "consent",
        }
    }

    /// The reason in a person's words.
    pub const fn words(self) -> &'static str {
        match self {
            Withheld::Complaint => {
                "the recipient reported spam: Postmark never removes that from its list, and it cannot be \
                    overruled here"
            }
            Withheld::Consent => {
                "the recipient unsubscribed: say in consent how they asked to be mailed \
                again"
            }
        }
    }
}

/// Whether causes, on Postmark's list or on ours, may be undone.
///
/// # Errors
/// Why they may not.
pub fn undo(causes: impl IntoIterator<Item = Cause>, consent: bool) -> Result<(), Withheld> {
    let needs = |cause| match cause {
        Cause::Complaint => Some(Withheld::Complaint),
        Cause::Unsubscribe if !consent => Some(Withheld::Consent),
        Cause::Unsubscribe | Cause::HardBounce | Cause::Manual | Cause::Unknown => None,
    };
    causes.into_iter().filter_map(needs).min().map_or(Ok(()), Err)
}

impl View {
    /// Whether the recipient ever complained where a ruling for a scope holds, by Postmark's word or an import's.
    pub fn complained_within(&self, scope: &str) -> bool {
        self.within(scope).any(|(_, view)| view.complained.is_some())
    }

    /// Whether an allowance for a scope may be made.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_allow(&self, scope: &str, consent: bool) -> Result<(), Withheld> {
        let complained = self.complained_within(scope).then_some(Cause::Complaint);
        let of_stream = |(stream, view): (&'_ str, &'_ StreamView)| {
            let listed = view.live_causes().map(|(cause, _)| cause);
            let barred = self.bars(stream).filter_map(|(bar, _, _)| bar.cause());
            let removal = self.removal(stream).map(|_| Cause::Unsubscribe);
            listed.chain(barred).chain(removal).collect::<Vec<_>>()
        };
        undo(complained.into_iter().chain(self.within(scope).flat_map(of_stream)), consent)
    }

    /// What a ruling for a scope is about: the whole server's also speaks of every stream.
    fn within<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = (&'a str, &'a StreamView)> {
        let holds = move |stream: &str| scope == WHOLE_SERVER || stream == scope || stream == WHOLE_SERVER;
        self.streams.iter().map(|(stream, view)| (&**stream, view)).filter(move |(stream, _)| holds(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::digest;
    use crate::event::{Bar, Ruling, What};
    use crate::fold::fold;
    use crate::{Event, Identity, RecipientId, ServerId, Source, Time};

    fn view(events: &[(&str, i64, What)]) -> View {
        let event = |(stream, seconds, what): &(&str, i64, What)| Event {
            server: ServerId::new(1).unwrap(),
            stream: (*stream).to_owned(),
            recipient: RecipientId([0; 16]),
            address: None,
            identity: Identity(digest(format!("{stream} {seconds} {what:?}").as_bytes())),
            at: Time::EARLIEST.plus_seconds(*seconds),
            message_id: None,
            what: what.clone(),
            source: Source::Operator,
            received_at: Time::EARLIEST,
            body_hash: [0; 16],
        };
        fold(&events.iter().map(event).collect::<Vec<_>>()).unwrap()
    }

    fn import(cause: Cause) -> What {
        What::Decision { ruling: Ruling::Suppress(Bar::Import(Some(cause))) }
    }

    #[test]
    fn an_imported_cause_is_undone_by_the_same_rule_as_postmarks() {
        for cause in Cause::ALL {
            let expected = |consent: bool| match cause {
                Cause::Complaint => Err(Withheld::Complaint),
                Cause::Unsubscribe if !consent => Err(Withheld::Consent),
                _ => Ok(()),
            };
            for what in [What::Suppressed { cause }, import(cause)] {
                let view = view(&[("outbound", 10, what)]);
                for consent in [false, true] {
                    assert_eq!(view.may_allow("outbound", consent), expected(consent), "{cause:?}");
                    assert_eq!(view.may_allow(WHOLE_SERVER, consent), expected(consent), "{cause:?}");
                    assert_eq!(view.may_allow("news", consent), Ok(()), "{cause:?} is another stream's");
                }
            }
        }
    }

    #[test]
    fn what_is_imported_for_the_whole_server_holds_for_every_stream_of_it() {
        for (cause, withheld) in
            [(Cause::Complaint, Withheld::Complaint), (Cause::Unsubscribe, Withheld::Consent)]
        {
            let view = view(&[(WHOLE_SERVER, 10, import(cause)), ("outbound", 10, What::Reactivated)]);
            assert_eq!(view.may_allow("outbound", false), Err(withheld));
            assert_eq!(view.may_allow("never heard of", false), Err(withheld));
        }
    }

    #[test]
    fn a_complaint_is_never_over_and_an_unsubscribe_is_when_it_was_undone() {
        let allow = || ("outbound", 20, What::Decision { ruling: Ruling::Allow });
        let complained = view(&[("outbound", 10, import(Cause::Complaint)), allow()]);
        assert_eq!(complained.may_allow("outbound", true), Err(Withheld::Complaint));
        let unsubscribed = view(&[("outbound", 10, import(Cause::Unsubscribe)), allow()]);
        assert_eq!(unsubscribed.may_allow("outbound", false), Ok(()));
        let lifted = view(&[
            ("outbound", 10, What::Suppressed { cause: Cause::Unsubscribe }),
            ("outbound", 20, What::Reactivated),
        ]);
        assert_eq!(lifted.may_allow("outbound", false), Ok(()));
    }

    #[test]
    fn a_request_for_removal_takes_consent_too() {
        let asked = What::Bounce { bounce_type: "Unsubscribe".to_owned(), inactive: false };
        let view = view(&[("outbound", 10, asked)]);
        assert_eq!(view.may_allow("outbound", false), Err(Withheld::Consent));
        assert_eq!(view.may_allow("outbound", true), Ok(()));
    }
}
