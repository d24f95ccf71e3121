//! Who is erased, kept for as long as the rules tell of nobody new.

use crate::Erasures;
use ledger::{RecipientId, ServerId};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{RuleStore, Rules, StoreError};

/// Who is known to be erased, and as of which count in the rules.
#[derive(Debug, Default)]
pub struct Known(Mutex<AsOf>);

#[derive(Debug, Default)]
struct AsOf {
    erasures: u64,
    who: Arc<Erasures>,
}

impl Known {
    /// Who is erased, as of some rules. Read only where these count otherwise than when it was last read, and then
    /// only those who were erased since. Where this fails, nothing may be recorded.
    pub async fn as_of(&self, store: &dyn RuleStore, rules: &Rules) -> Result<Arc<Erasures>, StoreError> {
        let (count, mut who) = {
            let known = self.lock();
            (known.erasures, known.who.clone())
        };
        if count == rules.erasures {
            return Ok(who);
        }
        match since(store, count, rules).await? {
            Some(new) => Arc::make_mut(&mut who).extend(new),
            None => who = Arc::new(store.erased().await?.into_iter().collect()),
        }
        *self.lock() = AsOf { erasures: rules.erasures, who: who.clone() };
        Ok(who)
    }

    /// Who was erased when that was last read.
    pub fn last(&self) -> Arc<Erasures> {
        self.lock().who.clone()
    }

    fn lock(&self) -> MutexGuard<'_, AsOf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who was erased since a count. `None`: it is not known of each of them who that was, or nothing was read before.
async fn since(
    store: &dyn RuleStore,
    count: u64,
    rules: &Rules,
) -> Result<Option<Vec<(ServerId, RecipientId)>>, StoreError> {
    if count == 0 || count > rules.erasures {
        return Ok(None);
    }
    let new = store.erased_after(count).await?;
    let noted = new.iter().filter(|one| one.count <= rules.erasures).count() as u64;
    let whole = noted == rules.erasures - count;
    Ok(whole.then(|| new.into_iter().map(|one| (one.server, one.recipient)).collect()))
}
