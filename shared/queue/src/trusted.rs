//! The senders that may send more than webhooks.
//!
//! Every door may send to the live queues, and a door that was taken over could send anything. For each message, SQS names
//! its sender as IAM knows it, and no sender can forge that. So any message that is not a webhook (an operator's decision or
//! replay, a finding of reconcile) is accepted only from the senders that are named here.

use std::collections::BTreeSet;

/// The senders that may send more than webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// Every sender: the queues are in this process, and only this process sends.
    All,
    /// Roles and users by the unique ids that IAM gives them: `AROA…`, `AIDA…`. Unlike names, ids are never given a
    /// second time.
    These(BTreeSet<String>),
}

impl Trusted {
    /// Reads a list, separated by commas.
    pub fn list(ids: &str) -> Trusted {
        let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
        Trusted::These(ids.map(str::to_owned).collect())
    }

    /// Whether a message's sender is among them: what SQS tells as `SenderId`, for a role with its session behind a
    /// colon. A message without one is nobody's.
    pub fn sent(&self, sender: Option<&str>) -> bool {
        match self {
            Trusted::All => true,
            Trusted::These(ids) => sender.is_some_and(|sender| {
                let id = sender.split_once(':').map_or(sender, |(id, _)| id);
                ids.contains(id)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_known_by_the_unique_id_of_its_role_or_user_whatever_its_session_is_called() {
        let trusted = Trusted::list("AROAAPI, AROARECONCILE,,AIDAIDA");
        for sender in ["AROAAPI:us-prod-api", "AROARECONCILE", "AIDAIDA", "AROAAPI:a:b"] {
            assert!(trusted.sent(Some(sender)), "{sender}");
        }
        for sender in ["AROADOOR:AROAAPI", "AROAAPIX:x", "AROA", "", ":AROAAPI", "aroaapi:x"] {
            assert!(!trusted.sent(Some(sender)), "{sender}");
        }
        assert!(!trusted.sent(None) && !Trusted::list("").sent(Some("")), "nobody is trusted by default");
        assert!(Trusted::All.sent(None));
    }
}
