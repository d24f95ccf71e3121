//! The recorded events of recipients who are to be swept. Servers take turns, one recipient each, so that none waits for
//! another. A document keeps how far each server is, so that the next run continues there.

use super::{Sweep, SweepError, Through, is_late};
use crate::Swept;
use crate::observe::Happened;
use ledger::{RecipientId, ServerId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use store::Erased;
use tokio::time::Instant;

/// The name of the document.
const NAME: &str = "recipients";
/// After how many recipients it is written down how far it is.
const KEPT_EVERY: usize = 64;

/// Whose turn it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Turns {
    /// The server whose turn was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<ServerId>,
    /// The recipient who was last, of each server that is not through.
    #[serde(default)]
    after: BTreeMap<ServerId, RecipientId>,
}

impl Turns {
    /// Who is to be swept, by server: each from where it was left, the server whose turn it is first.
    fn waiting(&self, due: &[Erased]) -> VecDeque<(ServerId, VecDeque<Erased>)> {
        let mut waiting: BTreeMap<ServerId, Vec<Erased>> = BTreeMap::new();
        for one in due {
            let queue = waiting.entry(one.server).or_default();
            if self.after.get(&one.server).is_none_or(|after| one.recipient > *after) {
                queue.push(*one);
            }
        }
        let mut waiting: VecDeque<_> = waiting
            .into_iter()
            .map(|(server, mut queue)| {
                queue.sort_unstable_by_key(|one| one.recipient);
                (server, VecDeque::from(queue))
            })
            .collect();
        let before = waiting.iter().filter(|(server, _)| Some(*server) <= self.last).count();
        waiting.rotate_left(before);
        waiting
    }
}

impl Sweep {
    /// Strips what is recorded of each, and remembers who need not be swept any more; whether there was time for all.
    pub(super) async fn recipients(
        &self,
        due: &[Erased],
        through: &Through,
        until: Option<Instant>,
        swept: &mut Swept,
    ) -> Result<bool, SweepError> {
        let mut turns = self.progress::<Turns>(NAME).await?;
        let mut waiting = turns.at.waiting(due);
        let mut since_kept = 0;
        while let Some((server, mut queue)) = waiting.pop_front() {
            let Some(one) = queue.pop_front() else {
                // It is finished: the next run begins it from the start.
                turns.at.after.remove(&server);
                continue;
            };
            if is_late(until) {
                self.keep(&mut turns).await?;
                return Ok(false);
            }
            match crate::strip(&*self.store, server, one.recipient).await {
                Ok(stripped) => {
                    swept.events += stripped.events;
                    if through.holds_all_of(&one) {
                        self.store.mark_swept(server, one.recipient, (self.clock)()).await?;
                        swept.done += 1;
                    }
                }
                Err(error) => {
                    swept.failed += 1;
                    Happened::Failed { error: &error }.emit();
                }
            }
            turns.at.last = Some(server);
            turns.at.after.insert(server, one.recipient);
            since_kept += 1;
            if since_kept == KEPT_EVERY {
                since_kept = 0;
                if !self.keep(&mut turns).await? {
                    return Ok(false);
                }
            }
            waiting.push_back((server, queue));
        }
        let last = turns.at.last;
        turns.at = Turns { last, ..Turns::default() };
        self.keep(&mut turns).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Time;

    #[test]
    fn servers_take_turns_from_where_each_was_left() {
        let server = |id| ServerId::new(id).unwrap();
        let recipient = |n: u8| format!("{}AAAAAAAAAAAAAAAAAAAAA", char::from(b'A' + n)).parse().unwrap();
        let one =
            |id, n| Erased { server: server(id), recipient: recipient(n), at: Time::EARLIEST, swept: None };
        let due: Vec<Erased> =
            [(1, 3), (1, 1), (1, 2), (2, 1), (3, 1), (3, 2)].map(|(id, n)| one(id, n)).into();
        let turns = Turns { last: Some(server(1)), after: BTreeMap::from([(server(1), recipient(1))]) };
        let waiting = turns.waiting(&due).into_iter().map(|(_, queue)| Vec::from(queue));
        let expected = [vec![one(2, 1)], vec![one(3, 1), one(3, 2)], vec![one(1, 2), one(1, 3)]];
        assert_eq!(waiting.collect::<Vec<_>>(), expected);
        let text = serde_json::to_string(&turns).unwrap();
        assert_eq!(serde_json::from_str::<Turns>(&text).unwrap(), turns);
    }
}
