//! What was set aside under a key, and how it is put back on its queue as it was received then: one rule for admins of its
//! server, and for operators with a mended body or against a rule that holds it back.

use crate::problem::Problem;
use http::StatusCode;
use ledger::{Identity, LedgerKey, ServerId, Time};
use postmark::Context;
use queue::{Envelope, Part, Queue, QueueName, REVOKED, SetAside};
use store::{Quarantined, Store};

/// How a body is replayed.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Records it although its credential was revoked, its sender may not tell it, or it is too old.
    pub overridden: bool,
    /// A completed or corrected body.
    pub body: Option<Vec<u8>>,
}

/// What was set aside under a key.
#[derive(Debug)]
pub struct Kept {
    /// As its first part is kept.
    pub listed: Quarantined,
    /// All of it.
    pub aside: SetAside,
}

/// That nothing of a key was set aside.
fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "missing", "It is not there", "nothing of that key is in quarantine")
        .next("`postledger quarantine list` shows the keys")
}

/// Whether what was set aside for a reason stays there for good, unless an operator overrules it.
pub fn is_held_back(reason: &str) -> bool {
    matches!(reason, "sender" | "too_old")
}

/// A part of the body is missing.
fn incomplete() -> Problem {
    let detail = "a part of this body is missing; its sender was told to come again";
    Problem::conflict("incomplete-body", "A part of the body is missing", detail)
        .next("nothing: the event comes in whole when its sender repeats it")
}

/// It would be set aside again.
fn not_understood(why: impl ToString) -> Problem {
    Problem::conflict("not-understood", "The body is not understood", why.to_string())
        .next("an operator gives a mended body by `postledger quarantine replay KEY --body FILE`")
}

impl Kept {
    /// What was set aside under a key, as lists show it: of one server, where one is named.
    ///
    /// # Errors
    /// Where nothing is there, a part of it is missing, or the store's own.
    pub async fn find(store: &dyn Store, of: Option<ServerId>, key: &str) -> Result<Kept, Problem> {
        let (received_at, id) = Part::read_key(key).ok_or_else(unknown)?;
        let mut kept = store.quarantined(received_at, id).await?;
        // First of all: whether a part of another server's is missing is none of its business.
        kept.retain(|kept| of.is_none_or(|of| kept.part.server == of));
        let listed = kept.first().ok_or_else(unknown)?.clone();
        let parts = kept.into_iter().map(|kept| kept.part).collect();
        Ok(Kept { listed, aside: SetAside::whole(parts).ok_or_else(incomplete)? })
    }

    /// Puts it back on its queue: which event it is, and which queue.
    ///
    /// # Errors
    /// Where it would be set aside again, where only an operator may have it recorded, or the ports' own.
    pub async fn replay(
        &self,
        (store, queue): (&dyn Store, &dyn Queue),
        key: &LedgerKey,
        how: &Replay,
        now: Time,
    ) -> Result<(Identity, QueueName), Problem> {
        let (identity, envelope) = self.again(key, how)?;
        if !how.overridden {
            self.may_be_replayed(store).await?;
        }
        let name = QueueName::of(envelope.record_type);
        queue.send(name, &envelope.encode()).await?;
        let part = &self.listed.part;
        store.mark_replayed(part.received_at, &part.id, now).await?;
        Ok((identity, name))
    }

    async fn may_be_replayed(&self, store: &dyn Store) -> Result<(), Problem> {
        let aside = &self.aside;
        if let Some(at) = self.listed.replayed_at {
            let detail = format!("it was replayed already, at {at}");
            return Err(Problem::conflict("already-replayed", "It was replayed already", detail)
                .next("an operator replays it once more by `postledger quarantine replay KEY --override`"));
        }
        let still = match &*aside.reason {
            // It may have been taken back since.
            REVOKED => {
                let rules = store.rules().await?;
                rules.revoked_at(aside.server, aside.generation).is_some_and(|from| aside.received_at > from)
            }
            reason => is_held_back(reason),
        };
        if still {
            let detail = format!("it was set aside as `{}`, and that still holds", aside.reason);
            return Err(Problem::conflict("held-back", "A rule holds it back", detail).next(
                "an operator who knows that it is genuine records it by `postledger quarantine replay KEY --override`",
            ));
        }
        Ok(())
    }

    /// It as its sender told it, and which event it is. Of somebody erased nothing but the event is left, unless a completed
    /// body is given.
    fn again(&self, key: &LedgerKey, how: &Replay) -> Result<(Identity, Envelope), Problem> {
        let aside = &self.aside;
        let SetAside { server, received_at, source, .. } = *aside;
        let (generation, key_id) = (aside.generation, aside.key_id.clone());
        let whose =
            |envelope: Envelope| Envelope { generation, key_id, overridden: how.overridden, ..envelope };
        let body = match (&how.body, &aside.erased) {
            (Some(body), _) => body,
            (None, Some(erased)) => {
                let dropped = aside.dropped.clone();
                let told =
                    Envelope::told(server, &erased.what, received_at, source, "{}".to_owned(), dropped);
                let left = told.map_err(not_understood)?.stripped(Some((**erased).clone()));
                return Ok((erased.identity, whose(left)));
            }
            (None, None) => &aside.body,
        };
        let context = Context { server, received_at, source, keep_engagement_detail: false };
        let (examined, event) = postmark::event(body, &context, key).map_err(not_understood)?;
        let dropped = [aside.dropped.clone(), examined.dropped].concat();
        let told = Envelope::told(server, &event.what, received_at, source, examined.canonical, dropped);
        Ok((event.identity, whose(told.map_err(not_understood)?)))
    }
}
