//! What sending mail tells of itself. What is given up is counted by its queue of dead letters, and an alarm tells.

use crate::NoToken;
use portal::mail::Unsent;

/// Something that happened.
pub(crate) enum Happened<'a> {
    /// A mail was sent.
    Sent { kind: &'static str },
    /// A mail was not sent.
    Unsent { error: &'a Unsent, kind: &'static str },
    /// There is no token to send it by.
    NoToken { error: &'a NoToken },
    /// A code was over before it could be sent.
    Over,
    /// A message is no mail that this release knows.
    NotUnderstood,
    /// There was no answer before the function has to end.
    TooSlow,
}

impl Happened<'_> {
    pub(crate) fn emit(self) {
        match self {
            Happened::Sent { kind } => tracing::debug!(mail.kind = kind, "a mail was sent"),
            Happened::Unsent { error, kind } => match error {
                Unsent::Recipient(_) => {
                    tracing::warn!(mail.kind = kind, error = %error, "a mail was dropped");
                }
                Unsent::Refused(_) => {
                    tracing::error!(mail.kind = kind, error = %error, mail.next = REFUSED, "a mail could not be sent");
                }
                Unsent::Call(failed) => {
                    let next = failed.next();
                    tracing::error!(mail.kind = kind, error = %error, mail.next = next, "a mail could not be sent");
                }
            },
            Happened::NoToken { error } => {
                let call = platform::counted(&*error.0);
                tracing::error!(
                    call.kind = call.kind,
                    call.code = call.code,
                    call.action = call.action,
                    error = %error,
                    "a mail could not be sent"
                );
            }
            Happened::Over => tracing::warn!("a code was over before it could be sent, and was dropped"),
            Happened::NotUnderstood => {
                tracing::error!("a message on the queue of mails is not understood; it comes again");
            }
            Happened::TooSlow => tracing::warn!("a mail was not sent in time; it comes again"),
        }
    }
}

/// What to do where Postmark takes no mail.
const REFUSED: &str = "look the ErrorCode up in Postmark's documentation; MailFrom must be a sender that is confirmed there, and \
    MailStream a stream of that server";
