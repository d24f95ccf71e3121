//! The bodies of the two kinds of our own: what reconcile observed, and what was decided.

use ledger::Time;
use ledger::event::{Cause, Ruling};
use serde_json::{Value, json};

/// A decision about an address, on one stream or on the whole server.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// Its own random id: 128 bits in base64url.
    pub id: &'a str,
    /// The stream, or `*`.
    pub stream: &'a str,
    /// The address.
    pub address: &'a str,
    /// What is ruled.
    pub ruling: Ruling,
    /// Why, for whoever reads the timeline.
    pub reason: &'a str,
    /// Who ruled.
    pub actor: &'a str,
    /// When.
    pub at: Time,
}

impl Decision<'_> {
    /// The body that travels.
    pub fn body(&self) -> Value {
        let (ruling, cause) = match self.ruling {
            Ruling::Suppress(bar) => ("suppress", Some(bar.name())),
            Ruling::Allow => ("allow", None),
        };
        json!({
            "RecordType": "Decision",
            "ID": self.id,
            "MessageStream": self.stream,
            "Recipient": self.address,
            "Ruling": ruling,
            "Cause": cause,
            "Reason": self.reason,
            "Actor": self.actor,
            "DecidedAt": self.at.to_string(),
        })
    }
}

/// What a dump of Postmark's suppression list said about an address.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The stream.
    pub stream: &'a str,
    /// The address.
    pub address: &'a str,
    /// The cause it was listed for; `None` when it was gone.
    pub cause: Option<Cause>,
    /// When the dump was read.
    pub at: Time,
}

impl Observed<'_> {
    /// The body that travels.
    pub fn body(&self) -> Value {
        json!({
            "RecordType": "Observed",
            "MessageStream": self.stream,
            "Recipient": self.address,
            "Present": self.cause.is_some(),
            "Cause": self.cause.map(Cause::name),
            "ObservedAt": self.at.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, event};
    use ledger::event::{Bar, What};
    use ledger::{LedgerKey, ServerId, Source};

    fn at() -> Time {
        "2026-09-21T08:00:00Z".parse().unwrap()
    }

    fn examine(body: Value, source: Source) -> Result<What, &'static str> {
        let context = Context {
            server: ServerId::new(1).unwrap(),
            received_at: at(),
            source,
            keep_engagement_detail: false,
        };
        event(body.to_string().as_bytes(), &context, &LedgerKey::for_tests())
            .map(|(_, event)| event.what)
            .map_err(|refusal| refusal.refused.code())
    }

    fn decision(ruling: Ruling) -> Value {
        let id = "AAECAwQFBgcICQoLDA0ODw";
        Decision {
            id,
            stream: "*",
            address: "ida@customer.example",
            ruling,
            reason: "r",
            actor: "a",
            at: at(),
        }
        .body()
    }

    #[test]
    fn a_decision_survives_its_travel() {
        for ruling in Bar::ALL.map(Ruling::Suppress).into_iter().chain([Ruling::Allow]) {
            assert_eq!(examine(decision(ruling), Source::Operator), Ok(What::Decision { ruling }));
        }
    }

    #[test]
    fn an_observation_survives_its_travel() {
        let observed =
            |cause| Observed { stream: "outbound", address: "ida@customer.example", cause, at: at() }.body();
        for cause in Cause::ALL {
            assert_eq!(examine(observed(Some(cause)), Source::Reconcile), Ok(What::Present { cause }));
        }
        assert_eq!(examine(observed(None), Source::Reconcile), Ok(What::Gone));
    }

    #[test]
    fn a_webhook_cannot_bear_a_kind_of_our_own() {
        assert_eq!(examine(decision(Ruling::Allow), Source::Webhook), Err("unknown_record_type"));
    }
    #[test]
    fn a_ruling_that_nobody_knows_is_refused() {
        let unknown = |cause: &str| {
            let mut body = decision(Ruling::Suppress(Bar::Decision));
            body["Cause"] = cause.into();
            examine(body, Source::Operator)
        };
        for cause in ["import_", "import_spam", "complaint", "IMPORT_COMPLAINT", "decision_complaint"] {
            assert_eq!(unknown(cause), Err("bad_field"), "{cause}");
        }
    }
}
