//! What came of the mail that was sent, for people and for machines.

use super::{Found, Link, findings};
use crate::show;
use answers::{Entry, Timestamp};
use serde::Serialize;

/// The mail that was sent.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    to: &'static str,
    message_id: String,
    /// What was told of it: record type, and when it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<(String, Timestamp)>,
}

impl Sent {
    /// With what was told of it.
    pub(super) fn new(to: &'static str, message_id: &str, told: Option<&Entry>) -> Sent {
        let told = told.map(|entry| (entry.kind.clone(), entry.received_at));
        Sent { to, message_id: message_id.to_owned(), told }
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    #[serde(flatten)]
    pub(super) link: Link,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<Sent>,
}

impl Outcome {
    /// A mail was sent.
    pub(super) fn of(link: Link, sent: Sent) -> Outcome {
        Outcome { link, sent: Some(sent) }
    }

    /// The chain does not hold.
    pub(super) fn not_sent(broken: &str) -> Outcome {
        Outcome { link: Link::behind("live", broken), sent: None }
    }

    /// Nothing was sent, and why.
    pub(super) fn problem(found: Found) -> Outcome {
        Outcome { link: Link::of("live", "nothing was sent", vec![found]), sent: None }
    }

    /// As people read it.
    pub(super) fn text(&self) -> String {
        let mut text = format!("\n{}  live: {}\n", self.link.state.mark(), self.link.words);
        text += &findings(self.link.findings.iter());
        if let Some(Sent { to, message_id, told }) = &self.sent {
            let told = match told {
                Some((kind, at)) => format!("{kind}, in at {}", show::time(at.0)),
                None => "nothing".to_owned(),
            };
            let row = [(*to).to_owned(), message_id.clone(), told];
            text += &show::table(["mail to", "message", "told"], [row]);
        }
        text
    }
}
