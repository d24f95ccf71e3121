//! How far something is, kept in a document between runs.

use super::{Sweep, SweepError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Collection;

/// What is kept, and the version of its document.
pub(super) struct Progress<T> {
    name: &'static str,
    version: Option<u64>,
    /// How far it is.
    pub(super) at: T,
}

impl<T> Progress<T> {
    /// Whether nothing was ever kept.
    pub(super) fn is_new(&self) -> bool {
        self.version.is_none()
    }
}

impl Sweep {
    /// How far something is; where it begins, if nothing is kept.
    pub(super) async fn progress<T: Default + DeserializeOwned>(
        &self,
        name: &'static str,
    ) -> Result<Progress<T>, SweepError> {
        let Some(document) = self.store.document(&Collection::Sweep, name).await? else {
            return Ok(Progress { name, version: None, at: T::default() });
        };
        let at = serde_json::from_str(&document.text).map_err(|_| SweepError::Unreadable)?;
        Ok(Progress { name, version: Some(document.version), at })
    }

    /// Keeps how far it is; false where another run did, and is further on.
    pub(super) async fn keep<T: Serialize>(&self, progress: &mut Progress<T>) -> Result<bool, SweepError> {
        let text = serde_json::to_string(&progress.at).map_err(|_| SweepError::Unreadable)?;
        let written =
            self.store.put_document(&Collection::Sweep, progress.name, &text, progress.version).await?;
        progress.version = Some(progress.version.unwrap_or_default() + 1);
        Ok(written)
    }
}
