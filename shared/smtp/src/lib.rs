//! Postmark by SMTP: logs in with a pair of keys without sending anything, and sends a test mail.
//!
//! Invariants:
//! - Nothing is said before TLS is there and its certificate is good but the greeting: no key goes over an open line.
//! - No key, address or answer of the other side is in a log line or an error: an outcome is a name or a code.
//!
//! It is a crate of its own, since only the read API's function and the command line speak SMTP.

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use jiff::fmt::rfc2822;
use ledger::Time;
use ledger::policy::StreamKind;
use lettre::address::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, client::Certificate};
use postmark_api::{
    Endpoint, POSTMARK, STREAM_HEADER, Smtp, SmtpMail, SmtpOutcome, SmtpPair, SmtpPlace, TAG_HEADER,
    Uncertain, smtp_place,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a log-in may take, with a mail or without: three of them fit into what a gateway waits for an answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// How much of it goes into reaching the host: a port that is blocked on the way answers nothing at all.
const REACH: Duration = Duration::from_secs(3);
/// How long a farewell may take, which changes nothing.
const FAREWELL: Duration = Duration::from_millis(500);
/// The answer to a wrong user name or password.
const WRONG: u16 = 535;

/// Speaks SMTP over the network.
#[derive(Clone)]
pub struct Client {
    /// Everything goes here, where it is not Postmark that is asked.
    instead: Option<SmtpPlace>,
    /// A certificate that is good beside those that all trust.
    trusted: Option<Certificate>,
    patience: Duration,
    reach: Duration,
}

impl Default for Client {
    fn default() -> Client {
        Client { instead: None, trusted: None, patience: PATIENCE, reach: REACH }
    }
}

impl Client {
    /// The same where everything goes to another host and port.
    #[must_use]
    pub fn at(self, place: SmtpPlace) -> Client {
        Client { instead: Some(place), ..self }
    }

    /// A connection that is logged in, or what came of the try.
    async fn logged_in(&self, kind: StreamKind, pair: &SmtpPair) -> Result<AsyncSmtpConnection, SmtpOutcome> {
        let SmtpPlace { host, port } = self.place(kind);
        let line = reached(self.reach, TcpStream::connect((&*host, port))).await?;
        let hello = ClientId::Domain("postledger.invalid".to_owned());
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(line), &hello).await;
        let mut connection = greeted.map_err(|error| match outcome(&error) {
            // It hung up, or does not speak SMTP.
            SmtpOutcome::Other(None) => SmtpOutcome::Unreachable,
            other => other,
        })?;
        let mut tls = TlsParameters::builder(host);
        if let Some(trusted) = &self.trusted {
            tls = tls.add_root_certificate(trusted.clone());
        }
        let tls = tls.build().map_err(|_| SmtpOutcome::TlsRefused)?;
        // Whatever goes wrong here, there is no TLS.
        connection.starttls(tls, &hello).await.map_err(|_| SmtpOutcome::TlsRefused)?;
        let keys = Credentials::new(pair.access.reveal().to_owned(), pair.secret.reveal().to_owned());
        // Who is not let in hangs up without a farewell: waiting for its answer could be what takes too long.
        let let_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &keys).await;
        let_in.map(|_| connection).map_err(|error| outcome(&error))
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, SmtpOutcome>> + Send,
    ) -> Result<T, SmtpOutcome> {
        timeout(self.patience, work).await.unwrap_or(Err(SmtpOutcome::TimedOut))
    }

    /// A connection that waits for the text of a mail, or what came of the try.
    async fn begun(
        &self,
        kind: StreamKind,
        pair: &SmtpPair,
        mail: &SmtpMail,
    ) -> Result<AsyncSmtpConnection, SmtpOutcome> {
        let address = |text: &str| text.parse::<Address>().map_err(|_| SmtpOutcome::Other(None));
        let (from, to) = (address(&mail.from)?, address(&mail.to)?);
        let mut connection = self.logged_in(kind, pair).await?;
        // Command by command: lettre's own way waits for a farewell before it says that a mail is refused.
        let asked = async {
            connection.command(Mail::new(Some(from), Vec::new())).await?;
            connection.command(Rcpt::new(to, Vec::new())).await?;
            connection.command(Data).await
        };
        asked.await.map_err(|error: Error| outcome(&error))?;
        Ok(connection)
    }
}

/// A line to the host, in time.
async fn reached<T>(
    within: Duration,
    connecting: impl Future<Output = std::io::Result<T>> + Send,
) -> Result<T, SmtpOutcome> {
    match timeout(within, connecting).await {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(_)) | Err(_) => Err(SmtpOutcome::Unreachable),
    }
}

/// Hangs up: whatever comes of it, what was asked for is done.
async fn farewell(mut connection: AsyncSmtpConnection) {
    let _ = timeout(FAREWELL, connection.quit()).await;
}

/// What an error is called, wherever it comes up.
fn outcome(error: &Error) -> SmtpOutcome {
    match error.status().map(u16::from) {
        Some(WRONG) => SmtpOutcome::WrongPair,
        Some(code) => SmtpOutcome::Other(Some(code)),
        None if error.is_timeout() => SmtpOutcome::TimedOut,
        None => SmtpOutcome::Other(None),
    }
}

#[async_trait]
impl Smtp for Client {
    fn place(&self, kind: StreamKind) -> SmtpPlace {
        self.instead.clone().unwrap_or_else(|| smtp_place(kind))
    }

    async fn log_in(&self, kind: StreamKind, pair: &SmtpPair) -> SmtpOutcome {
        match self.in_time(self.logged_in(kind, pair)).await {
            Ok(connection) => {
                farewell(connection).await;
                SmtpOutcome::Accepted
            }
            Err(outcome) => outcome,
        }
    }

    async fn send(
        &self,
        kind: StreamKind,
        pair: &SmtpPair,
        mail: &SmtpMail,
    ) -> Result<SmtpOutcome, Uncertain> {
        let mut connection = match self.in_time(self.begun(kind, pair, mail)).await {
            Ok(connection) => connection,
            Err(outcome) => return Ok(outcome),
        };
        // From here on, it may be taken though nobody says so.
        match timeout(self.patience, connection.message(text(mail).as_bytes())).await {
            Ok(Ok(_)) => {
                farewell(connection).await;
                Ok(SmtpOutcome::Accepted)
            }
            Ok(Err(error)) if error.status().is_some() => Ok(outcome(&error)),
            Ok(Err(_)) | Err(_) => Err(Uncertain),
        }
    }
}

/// A mail as it is sent. Without a break of line in what is filled in, no header comes in by it.
fn text(mail: &SmtpMail) -> String {
    let SmtpMail { from, to, stream, tag, at } = mail;
    let lines = [
        format!("From: {from}"),
        format!("To: {to}"),
        "Subject: Test of SMTP by Postledger".to_owned(),
        format!("Date: {}", date(*at)),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=us-ascii".to_owned(),
        format!("{STREAM_HEADER}: {stream}"),
        format!("{TAG_HEADER}: {tag}"),
    ];
    let head = lines.map(|line| line.replace(['\r', '\n'], " ") + "\r\n").concat();
    head + "\r\nSomebody who manages this mail asked Postledger to send this test, to see whether SMTP works.\r\n\
        There is nothing that you have to do.\r\n"
}

fn date(at: Time) -> String {
    let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or_default();
    rfc2822::DateTimePrinter::new().timestamp_to_string(&at).unwrap_or_default()
}

/// Postmark with SMTP beside its API, where it is Postmark itself: what stands in for it in tests takes no mail by SMTP, and
/// nobody else is to be sent keys by mistake.
#[must_use]
pub fn beside(endpoint: Endpoint) -> Endpoint {
    if endpoint.base() == POSTMARK { endpoint.with_smtp(Arc::new(Client::default())) } else { endpoint }
}
