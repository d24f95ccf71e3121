//! Mails to the people of the portal, as they are written and sent: by the function that empties a queue of them, or in the
//! one process of a machine.

use crate::texts::Texts;
use people::Mail;
use postmark_api::{ApiError, ServerApi};
use serde_json::{Value, json};

/// A mail, written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// To whom.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// What its kind is called, as the mail's tag.
    pub tag: &'static str,
}

/// A mail as it is sent; nothing where it is to nobody.
pub fn written(t: Texts, mail: &Mail) -> Option<Written> {
    match mail {
        Mail::Code { to, code, link, portal } => {
            let code = spaced(code);
            let end = if link.is_some() { t.mail_code_end() } else { t.mail_confirm_end() };
            let mut parts = vec![t.mail_code_intro(), format!("    {code}")];
            if let Some(link) = link {
                parts.extend([t.mail_code_link(), format!("    {link}")]);
            }
            parts.push(end);
            parts.extend(portal.clone());
            Some(Written {
                to: to.clone()?,
                subject: t.mail_code_subject(&code),
                text: parts.join("\n\n") + "\n",
                tag: "sign-in",
            })
        }
        Mail::Invitation { to, of, link, portal } => {
            let intro = match of.is_empty() {
                true => t.mail_invitation_intro_all(),
                false => t.mail_invitation_intro(of),
            };
            let mut parts = vec![intro, t.mail_invitation_how(), format!("    {link}")];
            parts.extend(portal.clone());
            let subject = match portal {
                Some(portal) => t.mail_invitation_subject_of(portal),
                None => t.mail_invitation_subject(),
            };
            Some(Written { to: to.clone(), subject, text: parts.join("\n\n") + "\n", tag: "invitation" })
        }
    }
}

/// Where mails come from: an address, on a stream of the operator's own Postmark server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The address, with or without a name.
    pub from: String,
    /// The stream.
    pub stream: String,
}

/// Why a mail is not sent. None of it quotes the mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// Postmark sends nothing to this address, which bounced or complained. Trying again does not help.
    #[error("Postmark does not send to the address of this user (ErrorCode {0})")]
    Recipient(i64),
    /// Postmark takes no such mail: by what is set up here, or there.
    #[error("Postmark does not take the mail (ErrorCode {0})")]
    Refused(i64),
    /// Postmark refused the call, or did not answer.
    #[error(transparent)]
    Call(#[from] ApiError),
}

impl Unsent {
    /// By Postmark's code.
    fn of_code(code: i64) -> Unsent {
        // Inactive on the stream. What else Postmark has against a mail may be against all of them.
        if code == 406 { Unsent::Recipient(code) } else { Unsent::Refused(code) }
    }
}

impl Sender {
    /// Sends a mail by a server.
    ///
    /// # Errors
    /// See [`Unsent`]; it may have been sent all the same where Postmark did not answer.
    pub async fn send(&self, server: &ServerApi, mail: &Written) -> Result<(), Unsent> {
        match server.send(&self.message(mail)).await {
            Ok(answer) => match answer["ErrorCode"].as_i64() {
                Some(0) => Ok(()),
                code => Err(Unsent::of_code(code.unwrap_or(-1))),
            },
            Err(ApiError::Refused { status: 422, code, .. }) if code != 0 => Err(Unsent::of_code(code)),
            Err(error) => Err(error.into()),
        }
    }

    /// A mail as Postmark takes it. It is not tracked: a link would pass Postmark's redirector, and stand in its events.
    fn message(&self, mail: &Written) -> Value {
        json!({
            "From": self.from, "To": mail.to, "Subject": mail.subject, "TextBody": mail.text, "MessageStream": self.stream,
            "TrackOpens": false, "TrackLinks": "None", "Tag": format!("postledger-{}", mail.tag),
            "Metadata": { "postledger": mail.tag },
        })
    }
}

/// A code as people read it.
fn spaced(code: &str) -> String {
    match code.len() {
        8 => format!("{} {}", &code[..4], &code[4..]),
        _ => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_signed_by_the_name_that_the_portal_was_given() {
        let written_of = |portal: Option<&str>| {
            let portal = portal.map(str::to_owned);
            let code = Mail::Code {
                to: Some("ida@client.example".to_owned()),
                code: "12345678".to_owned(),
                link: None,
                portal: portal.clone(),
            };
            let (to, of, link) = ("ida@client.example", "Acme", "https://portal.example");
            let [to, of, link] = [to, of, link].map(str::to_owned);
            let invitation = Mail::Invitation { to, of, link, portal };
            [code, invitation].map(|mail| written(Texts::default(), &mail).unwrap())
        };
        for mail in written_of(Some("Agency Mail")) {
            assert!(mail.text.ends_with("\n\nAgency Mail\n"), "{}", mail.text);
        }
        let [code, invitation] = written_of(Some("Agency Mail"));
        assert_eq!(code.subject, "Your code: 1234 5678", "what is looked for in a list of mails");
        assert!(invitation.subject.starts_with("Agency Mail"), "{}", invitation.subject);
        for mail in written_of(None) {
            assert!(!mail.text.contains("Agency"), "{}", mail.text);
        }
    }
}
