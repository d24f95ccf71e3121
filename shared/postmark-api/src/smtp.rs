//! Postmark by SMTP, as a port: whether a pair of keys logs in, and a test mail. The crate `smtp` is what speaks it.

use crate::Token;
use async_trait::async_trait;
use ledger::Time;
use ledger::policy::StreamKind;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// The header by which a message says its stream.
pub const STREAM_HEADER: &str = "X-PM-Message-Stream";
/// The header by which a message says its tag.
pub const TAG_HEADER: &str = "X-PM-Tag";

/// What a program logs in with: an SMTP token of one stream, which is an access key and a secret key, or the server's API
/// token as both. As a [`Token`], it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpPair {
    /// The user name.
    pub access: Token,
    /// The password.
    pub secret: Token,
}

impl SmtpPair {
    /// The user name, where it opens nothing by itself: the server's API token does.
    pub fn user(&self) -> Option<&str> {
        (self.access != self.secret).then(|| self.access.reveal())
    }
}

/// What came of a log-in, or of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpOutcome {
    /// It was accepted.
    Accepted,
    /// The pair is wrong, or was revoked.
    WrongPair,
    /// SMTP is switched off for the server.
    SwitchedOff,
    /// TLS is not offered, or its certificate is not good.
    TlsRefused,
    /// Nothing answers there: often a port that is blocked on the way.
    Unreachable,
    /// It answered too late.
    TimedOut,
    /// Another answer: its code, if there was one.
    Other(Option<u16>),
}

/// The line was lost, or the time was up, after a mail was begun to be handed over: nobody knows whether it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncertain;

/// Where a program connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpPlace {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Where Postmark takes mail of a kind of stream.
pub fn smtp_place(kind: StreamKind) -> SmtpPlace {
    let host = match kind {
        StreamKind::Transactional => "smtp.postmarkapp.com",
        StreamKind::Broadcast => "smtp-broadcasts.postmarkapp.com",
    };
    SmtpPlace { host: host.to_owned(), port: 587 }
}

/// A mail in plain text. Its addresses are in ASCII and have been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpMail {
    /// A confirmed sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The stream.
    pub stream: String,
    /// The tag, by which its events are found.
    pub tag: String,
    /// When it is written.
    pub at: Time,
}

/// Speaks SMTP with Postmark.
#[async_trait]
pub trait Smtp: Send + Sync {
    /// Where mail of a kind of stream goes.
    fn place(&self, kind: StreamKind) -> SmtpPlace;

    /// Logs in, and sends nothing.
    async fn log_in(&self, kind: StreamKind, pair: &SmtpPair) -> SmtpOutcome;

    /// Sends a mail.
    ///
    /// # Errors
    /// Where it may have been sent, or not.
    async fn send(
        &self,
        kind: StreamKind,
        pair: &SmtpPair,
        mail: &SmtpMail,
    ) -> Result<SmtpOutcome, Uncertain>;
}

/// Where SMTP is not spoken from.
pub struct NoSmtp;

#[async_trait]
impl Smtp for NoSmtp {
    fn place(&self, kind: StreamKind) -> SmtpPlace {
        smtp_place(kind)
    }

    async fn log_in(&self, _: StreamKind, _: &SmtpPair) -> SmtpOutcome {
        SmtpOutcome::Unreachable
    }

    async fn send(&self, _: StreamKind, _: &SmtpPair, _: &SmtpMail) -> Result<SmtpOutcome, Uncertain> {
        Ok(SmtpOutcome::Unreachable)
    }
}

/// A Postmark in memory that says by a pair's secret key what comes of it: one that begins with
/// `wrong-` is a wrong pair, `tls-`, `blocked-`, `slow-` and `odd-` fail as they are called, and any other one logs in; with
/// `lost-`, it is not known whether a mail was taken. A pair that was revoked is wrong too, until it is restored. Others have
/// their turn meanwhile: many turns with `late-`.
#[derive(Default)]
pub struct MemorySmtp {
    revoked: Mutex<Vec<SmtpPair>>,
    sent: Mutex<Vec<SmtpMail>>,
}

impl MemorySmtp {
    /// From now on a pair is wrong.
    pub fn revoke(&self, pair: SmtpPair) {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).push(pair);
    }

    /// Nothing is wrong by having been revoked any more.
    pub fn restore(&self) {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What was sent.
    pub fn sent(&self) -> Vec<SmtpMail> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Smtp for MemorySmtp {
    fn place(&self, kind: StreamKind) -> SmtpPlace {
        smtp_place(kind)
    }

    async fn log_in(&self, _: StreamKind, pair: &SmtpPair) -> SmtpOutcome {
        for _ in 0..if pair.secret.reveal().starts_with("late-") { 100 } else { 1 } {
            tokio::task::yield_now().await;
        }
        if self.revoked.lock().unwrap_or_else(PoisonError::into_inner).contains(pair) {
            return SmtpOutcome::WrongPair;
        }
        match pair.secret.reveal().split('-').next() {
            Some("wrong") => SmtpOutcome::WrongPair,
            Some("tls") => SmtpOutcome::TlsRefused,
            Some("blocked") => SmtpOutcome::Unreachable,
            Some("slow") => SmtpOutcome::TimedOut,
            Some("odd") => SmtpOutcome::Other(Some(454)),
            _ => SmtpOutcome::Accepted,
        }
    }

    async fn send(
        &self,
        kind: StreamKind,
        pair: &SmtpPair,
        mail: &SmtpMail,
    ) -> Result<SmtpOutcome, Uncertain> {
        let outcome = self.log_in(kind, pair).await;
        if outcome == SmtpOutcome::Accepted {
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
            if pair.secret.reveal().starts_with("lost-") {
                return Err(Uncertain);
            }
        }
        Ok(outcome)
    }
}
