//! Who is erased, kept for as long as the rules tell of nobody new.

use crate::{Batch, Consumer};
use erasure::Erasures;
use std::sync::{Arc, MutexGuard, PoisonError};
use store::Rules;

/// Who is known to be erased, and as of which count in the rules.
#[derive(Default)]
pub(crate) struct Known {
    erasures: u64,
    who: Arc<Erasures>,
}

impl Consumer {
    /// Who is erased, as of some rules. Read only where these count otherwise than when it was last read; `None`
    /// where it cannot be read: then nothing may be recorded.
    pub(crate) async fn erased(&self, rules: &Rules, batch: &Batch) -> Option<Arc<Erasures>> {
        let known = {
            let known = self.known();
            (known.erasures == rules.erasures).then(|| known.who.clone())
        };
        if known.is_some() {
            return known;
        }
        let who: Arc<Erasures> =
            Arc::new(self.retried(batch, || self.store.erased()).await?.into_iter().collect());
        *self.known() = Known { erasures: rules.erasures, who: who.clone() };
        Some(who)
    }

    /// Who was erased when that was last read.
    pub(crate) fn erased_known(&self) -> Arc<Erasures> {
        self.known().who.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.erased.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
