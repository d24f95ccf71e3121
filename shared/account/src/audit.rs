//! Who changed what, and when: one document for each step of a change, on a shelf that only grows. A change is noted
//! before it begins and again when it is done or has failed, so that none goes unnoted, whatever is killed when.
//!
//! Invariant: no address, body, token or password is in an entry. A recipient is named by its id.

use crate::book::{Book, BookError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::{ServerId, Time};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Shelf;

/// Who changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// How it is known who it is.
    pub kind: WhoKind,
    /// A token's id, an AWS principal, or a user's name on this machine.
    pub name: String,
}

/// How it is known who changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhoKind {
    /// By a token of the read API.
    Token,
    /// By credentials of AWS.
    Aws,
    /// As whoever uses the machine that the embedded mode runs on.
    Local,
}

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is about to begin.
    Begun,
    /// It is done.
    Done,
    /// It was not done, or not to its end.
    Failed,
}

/// One step of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The change; all its steps bear it.
    pub id: String,
    /// When.
    pub at: Time,
    /// Who.
    pub who: Who,
    /// What is changed, in a word.
    pub what: String,
    /// How far it is.
    pub phase: Phase,
    /// What it is done to: a recipient's id, a stream, a token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What was.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub before: Value,
    /// What is, or what was asked for while it has only begun.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub after: Value,
}

impl Entry {
    /// A change that is about to begin.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn begun(who: Who, what: &str, at: Time) -> Result<Entry, BookError> {
        let id: [u8; 12] = ring::rand::generate(&SystemRandom::new())
            .map_err(|_| BookError::Elsewhere("the system has no random numbers to give".to_owned()))?
            .expose();
        Ok(Entry {
            id: URL_SAFE_NO_PAD.encode(id),
            at,
            who,
            what: what.to_owned(),
            phase: Phase::Begun,
            target: None,
            before: Value::Null,
            after: Value::Null,
        })
    }

    /// The same change, further on.
    pub fn now(&self, phase: Phase, after: Value, at: Time) -> Entry {
        Entry { phase, after, at, before: Value::Null, ..self.clone() }
    }

    /// The name of its document: by time, and of one instant by change and phase.
    fn name(&self) -> String {
        let phase = match self.phase {
            Phase::Begun => 0,
            Phase::Done | Phase::Failed => 1,
        };
        format!("{}#{}#{phase}", self.at.key(), self.id)
    }

    /// Notes it, at a server or, with [`ServerId::NONE`], at the stack.
    ///
    /// # Errors
    /// The ledger's own; then it may be noted.
    pub async fn note<B: Book + ?Sized>(&self, book: &B, server: ServerId) -> Result<(), BookError> {
        let text = serde_json::to_string(self).unwrap_or_else(|_| unreachable!("an entry is plain JSON"));
        // That it is there already is this very step, told twice.
        book.put_document(&Shelf::Audit(server), &self.name(), &text, None).await.map(drop)
    }
}

/// An entry from its document.
pub fn read(text: &str) -> Option<Entry> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Memory, Store as _};

    #[tokio::test]
    async fn the_steps_of_a_change_stand_in_order_and_are_noted_once() {
        let (store, server) = (Memory::default(), ServerId::new(7).unwrap());
        let who = Who { kind: WhoKind::Local, name: "ida".to_owned() };
        let at = Time::EARLIEST;
        let begun = Entry::begun(who, "suppress", at).unwrap();
        let done = begun.now(Phase::Done, serde_json::json!({"done": 1}), at);
        for entry in [&done, &begun, &begun] {
            entry.note(&store, server).await.unwrap();
        }
        let found = store.last_documents(&Shelf::Audit(server), None, 9).await.unwrap();
        let found: Vec<Entry> = found.iter().filter_map(|(_, document)| read(&document.text)).collect();
        assert_eq!(found, [done, begun]);
    }
}
