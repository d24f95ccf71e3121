//! Who may tell more than webhooks do.
//!
//! Every door may send to the live queues, and a door that was taken over could send anything. SQS tells of each message
//! who sent it, as IAM knows them, and nobody can write that. So whatever is not a webhook's own telling (what an operator
//! decided or replays, what reconcile found) is believed of those alone who are named here.

use std::collections::BTreeSet;

/// Who may tell more than webhooks do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// Whoever sends: the queues are in this process, and only it does.
    All,
    /// Roles and users by their unique ids, as IAM makes them: `AROA…`, `AIDA…`. They are never given a second time, as
    /// names are.
    These(BTreeSet<String>),
}

impl Trusted {
    /// Those of a list with commas between.
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
