//! A server's pairs of keys for SMTP, for its admins.

use super::Admin;
use crate::problem::{self, Problem};
use account::smtp::{KeptPairs, change_pairs, kept_pairs};
use account::{SmtpPairs, VaultError};
use postmark_api::Smtp;
use store::StoreError;

impl<'a> Admin<'a> {
    /// Postmark by SMTP.
    pub(crate) fn smtp(&self) -> &'a dyn Smtp {
        self.gate.parts.postmark.smtp()
    }

    /// The pairs of a stream.
    pub(crate) async fn smtp_pairs(&self, stream: &str) -> Result<Option<SmtpPairs>, Problem> {
        let pairs = self.gate.parts.vault.smtp(self.server, stream).await;
        pairs.map_err(|error| problem::failed(&error, "the SMTP keys of a stream cannot be read"))
    }

    /// Keeps the pairs of a stream in place of those that were seen.
    ///
    /// # Errors
    /// Where somebody else changed them meanwhile, too: a secret key that is written over is lost.
    pub(crate) async fn replace_smtp_pairs(
        &self,
        stream: &str,
        seen: Option<&SmtpPairs>,
        pairs: &SmtpPairs,
    ) -> Result<(), Problem> {
        if self.smtp_pairs(stream).await?.as_ref() != seen {
            return Err(StoreError::contended().into());
        }
        self.gate.parts.vault.put_smtp(self.server, stream, pairs).await.map_err(|error| not_kept(&error))
    }

    /// Forgets the pairs of a stream.
    pub(crate) async fn forget_smtp_pairs(&self, stream: &str) -> Result<(), Problem> {
        self.gate.parts.vault.remove_smtp(self.server, stream).await.map_err(|error| not_kept(&error))
    }

    /// What is known of the server's pairs.
    pub(crate) async fn smtp_known(&self) -> Result<KeptPairs, StoreError> {
        kept_pairs(self.store(), self.server).await
    }

    /// Changes what is known of them.
    pub(crate) async fn note_smtp(
        &self,
        change: impl FnMut(&mut KeptPairs) + Send,
    ) -> Result<(), StoreError> {
        change_pairs(self.store(), self.server, change).await
    }
}

fn not_kept(error: &VaultError) -> Problem {
    problem::failed(error, "the SMTP keys of a stream cannot be kept")
}
