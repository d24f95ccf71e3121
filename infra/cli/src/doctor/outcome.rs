//! What came of mail that was sent, for people and for machines.

use super::questions::{Answer, Observed, To};
use super::{Found, Link, findings};
use crate::show;
use ledger::Time;
use serde::Serialize;

/// A mail that was sent.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    to: &'static str,
    message_id: String,
    /// What was told of it: record type, and when it came in.
    told: Vec<(String, Time)>,
}

impl Sent {
    /// With what was told of it.
    pub(super) fn of(message_id: &str, to: To, observed: &Observed) -> Sent {
        let told = observed.events.iter().filter(|told| told.to == to);
        let told = told
            .map(|told| (told.body["RecordType"].as_str().unwrap_or_default().to_owned(), told.received_at));
        Sent { to: to.address(), message_id: message_id.to_owned(), told: told.collect() }
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    #[serde(flatten)]
    pub(super) link: Link,
    pub(super) sent: Vec<Sent>,
    pub(super) questions: Vec<Answer>,
}

impl Outcome {
    fn nothing(link: Link) -> Outcome {
        Outcome { link, sent: Vec::new(), questions: Vec::new() }
    }

    /// The chain does not hold.
    pub(super) fn not_sent(broken: &str) -> Outcome {
        Outcome::nothing(Link::behind("live", broken))
    }

    pub(super) fn problem(found: Found) -> Outcome {
        Outcome::nothing(Link::of("live", "nothing was sent", vec![found]))
    }

    /// As people read it.
    pub(super) fn text(&self) -> String {
        let mut text = format!("\n{}  live: {}\n", self.link.state.mark(), self.link.words);
        text += &findings(self.link.findings.iter());
        let rows = self.sent.iter().map(|sent| {
            let told = sent.told.iter().map(|(kind, at)| format!("{kind} in at {}", show::time(*at)));
            let told: Vec<String> = told.collect();
            let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
            [sent.to.to_owned(), sent.message_id.clone(), told]
        });
        if !self.sent.is_empty() {
            text += &show::table(["mail to", "message", "told"], rows);
        }
        for (head, answered) in [("answered", true), ("not answered", false)] {
            let rows = self.questions.iter().filter(|answer| answer.answered == answered).map(|answer| {
                let number = answer.number.map(|number| number.to_string()).unwrap_or_default();
                let evidence = answer.evidence.clone().unwrap_or_default();
                [number, answer.question.to_owned(), answer.words.clone(), evidence]
            });
            if !self.questions.is_empty() {
                let last = if answered { "seen by" } else { "" };
                text += "\n";
                text += &show::table(["", "open question", head, last], rows);
            }
        }
        text
    }
}
