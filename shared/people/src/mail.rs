//! What is to be mailed to people, and where it is put down: who asks for it does not wait until it is sent.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// A mail to somebody who uses the portal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mail {
    /// A code, and a link that does the same in the browser that asked.
    Code {
        /// To whom; to nobody where no user has the address: it is dropped where it would be sent.
        to: Option<String>,
        /// Eight digits.
        code: String,
        /// The link, where it is one to sign in by.
        link: Option<String>,
        /// What the portal is called, where the agency gave it a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        portal: Option<String>,
    },
    /// That somebody may sign in now.
    Invitation {
        /// To whom.
        to: String,
        /// The agency or client whose mail is to be seen, in words.
        of: String,
        /// Where the portal is.
        link: String,
        /// What the portal is called, where the agency gave it a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        portal: Option<String>,
    },
}

impl std::fmt::Debug for Mail {
    // Neither addresses nor codes are for logs.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Mail::Code { .. } => "Mail::Code",
            Mail::Invitation { .. } => "Mail::Invitation",
        })
    }
}

impl Mail {
    /// As it waits on a queue.
    pub fn encode(&self) -> String {
        crate::text(self)
    }

    /// From how it waited there; nothing where it is no mail that is known here.
    pub fn decode(text: &str) -> Option<Mail> {
        serde_json::from_str(text).ok()
    }
}

/// Why a mail could not be put down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxError(pub String);

/// Where nobody is mailed.
#[derive(Debug)]
pub struct NoMail;

#[async_trait]
impl Outbox for NoMail {
    fn sends(&self) -> bool {
        false
    }

    async fn put(&self, _: Mail) -> Result<(), OutboxError> {
        Ok(())
    }
}

/// Mail that is put down and stays there, for tests.
#[derive(Debug, Default)]
pub struct MemoryOutbox(Mutex<Vec<Mail>>);

impl MemoryOutbox {
    /// What was put down since the last time.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Outbox for MemoryOutbox {
    fn sends(&self) -> bool {
        true
    }

    async fn put(&self, mail: Mail) -> Result<(), OutboxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
        Ok(())
    }
}

/// Where mail is put down to be sent.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Whether what is put down is sent to anybody at all.
    fn sends(&self) -> bool;

    /// Puts a mail down.
    ///
    /// # Errors
    /// Why it is not.
    async fn put(&self, mail: Mail) -> Result<(), OutboxError>;
}
