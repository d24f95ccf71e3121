//! Who changed what, and when: one document for each step of a change, in a collection that only grows. A change is noted
//! before it begins and again when it is done or has failed, so that none goes unnoted, whatever is killed when.
//!
//! Invariants:
//! - No address, body, token or password is in an entry, and no words of people: what they say of a person stands in the
//!   decision, which erasure reaches, while an entry stays. A recipient is named by its id.
//! - An entry at a server tells of that server alone. A change that touches several has an entry at each of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::{ServerId, Time};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Collection, DocumentStore, StoreError};

/// What an entry about a token tells of it. Its id is the target.
const TOKEN_TOLD: [&str; 7] =
    ["role", "servers", "reveal_addresses", "read_content", "created_at", "expires_at", "problem"];

/// Who changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// How it is known who it is.
    pub kind: WhoKind,
    /// A token's id, a portal user's id, an AWS principal, or a user's name on this machine.
    pub name: String,
}

/// How it is known who changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhoKind {
    /// By a token of the read API.
    Token,
    /// As a user who is signed in to the portal.
    User,
    /// By credentials of AWS.
    Aws,
    /// As whoever uses the machine that the embedded mode runs on.
    Local,
    /// As somebody of the agency: all that clients are told. Never noted.
    Operator,
}

impl WhoKind {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            WhoKind::Token => "token",
            WhoKind::User => "user",
            WhoKind::Aws => "aws",
            WhoKind::Local => "local",
            WhoKind::Operator => "operator",
        }
    }
}

impl Who {
    /// Somebody of the agency, as clients are told.
    pub fn operator() -> Who {
        Who { kind: WhoKind::Operator, name: "operator".to_owned() }
    }

    /// Who has a name of which it is not known what it is: it may be a token's id.
    pub fn by_name(name: &str) -> Who {
        Who { kind: WhoKind::Token, name: name.to_owned() }
    }
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
    pub fn begun(who: Who, what: &str, at: Time) -> Result<Entry, StoreError> {
        let id: [u8; 12] =
            ring::rand::generate(&SystemRandom::new()).map_err(|_| StoreError::NoRandom)?.expose();
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

    /// The entry as it stands at a server, which tells of that server alone: of a token what it opens there, and
    /// nothing that people call it. Of an entry at the stack ([`ServerId::NONE`]) all is told.
    #[must_use]
    pub fn at(&self, server: ServerId) -> Entry {
        let mut entry = self.clone();
        if server == ServerId::NONE {
            return entry;
        }
        if entry.what.starts_with("user.") || entry.what.starts_with("portal.") {
            entry.of_people(server);
            return entry;
        }
        if !entry.what.starts_with("token.") {
            return entry;
        }
        for value in [&mut entry.before, &mut entry.after] {
            let Value::Object(members) = value else { continue };
            members.retain(|name, _| TOKEN_TOLD.contains(&name.as_str()));
            if let Some(servers) = members.get_mut("servers").and_then(Value::as_array_mut) {
                servers.retain(|one| one.as_i64() == Some(server.get()));
            }
        }
        entry
    }

    /// Leaves of what somebody may do what they may do at a server; that they were let in there, or out, is all that
    /// happened, whatever they may do elsewhere.
    fn of_people(&mut self, server: ServerId) {
        let mut there = [false; 2];
        for (value, is_there) in [&mut self.before, &mut self.after].into_iter().zip(&mut there) {
            let Value::Object(members) = value else { continue };
            members.retain(|name, _| ["standings", "problem"].contains(&name.as_str()));
            if let Some(standings) = members.get_mut("standings").and_then(Value::as_array_mut) {
                standings.retain(|one| one["server"].as_i64() == Some(server.get()));
                *is_there = !standings.is_empty();
            }
        }
        if self.phase == Phase::Begun && self.what.starts_with("user.") && there[0] != there[1] {
            self.what = if there[1] { "user.invite" } else { "user.remove" }.to_owned();
            if there[1] {
                self.before = Value::Null;
            } else {
                self.after = Value::Null;
            }
        }
    }

    /// Leaves something out of what was and what is.
    pub fn leave_out(&mut self, name: &str) {
        for value in [&mut self.before, &mut self.after] {
            if let Value::Object(members) = value {
                members.remove(name);
            }
        }
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
    pub async fn note(&self, store: &dyn DocumentStore, server: ServerId) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).unwrap_or_else(|_| unreachable!("an entry is plain JSON"));
        // That it is there already is this very step, told twice.
        store.put_document(&Collection::Audit(server), &self.name(), &text, None).await.map(drop)
    }
}

/// An entry from its document.
pub fn read(text: &str) -> Option<Entry> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Memory;

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
        let found = store.last_documents(&Collection::Audit(server), None, 9).await.unwrap();
        let found: Vec<Entry> = found.iter().filter_map(|(_, document)| read(&document.text)).collect();
        assert_eq!(found, [done, begun]);
    }

    #[test]
    fn of_a_token_an_entry_tells_only_what_it_opens_at_its_own_server() {
        let who = Who { kind: WhoKind::Local, name: "ida".to_owned() };
        // As an older release noted it.
        let token = serde_json::json!({
            "id": "mXw3kq0ZtT4b", "name": "Acme and Globex", "role": "viewer", "servers": [7, 8],
            "reveal_addresses": false, "created_at": "2026-11-21T08:00:00.000000Z",
            "created_by": "arn:aws:iam::123456789012:user/ida",
        });
        let begun = Entry::begun(who, "token.new", Time::EARLIEST).unwrap();
        let begun = Entry { before: token.clone(), after: token, ..begun };
        let own = serde_json::json!({
            "role": "viewer", "servers": [7], "reveal_addresses": false, "created_at": "2026-11-21T08:00:00.000000Z",
        });
        let here = begun.at(ServerId::new(7).unwrap());
        assert_eq!((&here.before, &here.after), (&own, &own));
        assert_eq!(here.at(ServerId::new(7).unwrap()), here);
        assert_eq!(begun.at(ServerId::NONE), begun);
    }
}
