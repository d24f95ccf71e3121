//! How far a long piece of work is, for whoever waits for it in the same process.

use std::sync::{Mutex, PoisonError};

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// How much is done: messages moved, items read, facts found.
    pub done: u64,
    /// Beside that: events of the server's found among the items, days of streams compared.
    pub of: u64,
}

type Watcher = Box<dyn Fn(Step) + Send>;

/// Whoever watches, if somebody does.
#[derive(Default)]
pub struct Watched(Mutex<Option<Watcher>>);

impl Watched {
    /// From now on this is told.
    pub fn by(&self, watcher: impl Fn(Step) + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(watcher));
    }

    /// Tells it.
    pub fn tell(&self, done: u64, of: u64) {
        if let Some(watcher) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            watcher(Step { done, of });
        }
    }
}
