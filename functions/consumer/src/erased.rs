//! Who is erased. This is read again only when the rules say that somebody new was erased.

use crate::{Batch, Consumer};
use erasure::Erasures;
use ledger::{RecipientId, ServerId};
use std::sync::{Arc, MutexGuard, PoisonError};
use store::Rules;

/// Who is known to be erased, and as of which count in the rules.
#[derive(Default)]
pub(crate) struct Known {
    erasures: u64,
    who: Arc<Erasures>,
}

impl Consumer {
    /// Who is erased, as of some rules. It is read only if the count in the rules has changed since the last time, and
    /// then only for those who were erased since. `None` if it cannot be read: then nothing may be recorded.
    pub(crate) async fn erased(&self, rules: &Rules, batch: &Batch) -> Option<Arc<Erasures>> {
        let (count, mut who) = {
            let known = self.known();
            (known.erasures, known.who.clone())
        };
        if count == rules.erasures {
            return Some(who);
        }
        match self.since(count, rules, batch).await? {
            Some(new) => Arc::make_mut(&mut who).extend(new),
            None => who = Arc::new(self.retried(batch, || self.store.erased()).await?.into_iter().collect()),
        }
        *self.known() = Known { erasures: rules.erasures, who: who.clone() };
        Some(who)
    }

    /// Who was erased since a count. Inner `None`: it is not known of each of them who that was, or nothing was read
    /// before.
    async fn since(
        &self,
        count: u64,
        rules: &Rules,
        batch: &Batch,
    ) -> Option<Option<Vec<(ServerId, RecipientId)>>> {
        if count == 0 || count > rules.erasures {
            return Some(None);
        }
        let new = self.retried(batch, || self.store.erased_after(count)).await?;
        let noted = new.iter().filter(|one| one.count <= rules.erasures).count() as u64;
        let whole = noted == rules.erasures - count;
        Some(whole.then(|| new.into_iter().map(|one| (one.server, one.recipient)).collect()))
    }

    /// Who was erased when that was last read.
    pub(crate) fn erased_known(&self) -> Arc<Erasures> {
        self.known().who.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.erased.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
