//! The portal of one machine: its pages on a listener of their own, and its mail, which is sent behind the back of whoever
//! asks for it.

use crate::listen::{self, Front};
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use ledger::Time;
use people::{Mail, Outbox, OutboxError};
use platform::Clock;
use portal::mail::{Sender, Written, written};
use portal::texts::Texts;
use portal::{FORM_BYTES_MAX, Portal};
use postmark_api::ServerApi;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// How many mails may wait.
const WAITING_MAX: usize = 1_000;
/// How long a form may take to come.
const FORM_TIME: Duration = Duration::from_secs(30);
/// How often what is over is taken away: sessions, codes, links.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Serves the pages until `stop` resolves.
pub async fn serve_portal(
    portal: Arc<Portal>,
    listener: TcpListener,
    front: Front,
    stop: impl Future<Output = ()> + Send,
) {
    let proxies = front.proxies.clone();
    listen::serve(
        listener,
        &front,
        move |peer| {
            let state = Here { portal: portal.clone(), proxies: proxies.clone(), peer: peer.ip() };
            Router::new().fallback(answer).with_state(state)
        },
        stop,
    )
    .await;
}

/// Where a request comes in.
#[derive(Clone)]
struct Here {
    portal: Arc<Portal>,
    proxies: Arc<[IpAddr]>,
    peer: IpAddr,
}

async fn answer(State(here): State<Here>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(FORM_TIME, to_bytes(body, FORM_BYTES_MAX)).await;
    let Ok(Ok(body)) = body else {
        let mut refused = Response::new(Body::from("the form is too large, or took too long"));
        *refused.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        return refused;
    };
    // A change that has begun comes to its end and is noted, whether its browser waits for that or not.
    let answered = tokio::spawn(async move {
        let asked = portal::Request {
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
            body: &body,
            source: Some(crate::server::client(&here.proxies, here.peer, &parts.headers)),
        };
        here.portal.answer(&asked).await.map(Body::from)
    });
    answered.await.unwrap_or_else(|_| {
        let mut failed = Response::new(Body::from("the page cannot be made"));
        *failed.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

/// Takes away what is over, now and then, for ever.
pub async fn sweep(store: Arc<dyn Store>, clock: Clock) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let now: Time = clock();
        if let Err(error) = people::sweep(&*store, now).await {
            let call = platform::counted(&error);
            tracing::warn!(call.kind = call.kind, error = %error, "sessions that are over could not be taken away");
        }
    }
}

/// Who brings mail to people.
pub enum Carrier {
    /// Postmark, by the operator's own server.
    Postmark {
        /// That server.
        server: ServerApi,
        /// Where it comes from.
        sender: Sender,
    },
    /// Nobody: each mail becomes a file of a folder.
    Folder(PathBuf),
}

/// Where mail is put down in this process.
pub struct Mailbox(mpsc::Sender<Mail>);

#[async_trait]
impl Outbox for Mailbox {
    fn sends(&self) -> bool {
        true
    }

    async fn put(&self, mail: Mail) -> Result<(), OutboxError> {
        self.0.try_send(mail).map_err(|_| OutboxError("too many mails wait to be sent".to_owned()))
    }
}

/// A mailbox, and what empties it: to be run as long as mail is to be sent.
pub fn mailbox(carrier: Carrier, texts: Texts) -> (Arc<Mailbox>, impl Future<Output = ()> + Send) {
    let (put, mut taken) = mpsc::channel(WAITING_MAX);
    let work = async move {
        let mut count = 0_u64;
        while let Some(mail) = taken.recv().await {
            // To nobody: somebody asked for an address that nobody has.
            let Some(mail) = written(texts, &mail) else { continue };
            count += 1;
            if let Err(error) = carry(&carrier, &mail, count).await {
                tracing::error!(error, kind = mail.tag, "a mail could not be sent");
            }
        }
    };
    (Arc::new(Mailbox(put)), work)
}

async fn carry(carrier: &Carrier, mail: &Written, count: u64) -> Result<(), String> {
    match carrier {
        Carrier::Postmark { server, sender } => {
            sender.send(server, mail).await.map_err(|error| error.to_string())
        }
        Carrier::Folder(folder) => {
            let name = format!("{}-{count:06}-{}.eml", platform::now().micros(), mail.tag);
            let path = folder.join(name);
            let text = eml(mail);
            let written =
                tokio::task::spawn_blocking(move || platform::private::write(&path, text.as_bytes()));
            written.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        }
    }
}

/// A mail as a file that mail programs open (RFC 5322).
fn eml(mail: &Written) -> String {
    let Written { to, subject, text, tag } = mail;
    let text = text.replace('\n', "\r\n");
    format!(
        "To: {to}\r\nSubject: {subject}\r\nX-Postledger: {tag}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mail_that_is_put_down_becomes_a_file_and_mail_to_nobody_becomes_none() {
        let folder = std::env::temp_dir().join(format!("postledger-mail-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (mailbox, work) = mailbox(Carrier::Folder(folder.clone()), Texts::default());
        let code = |to: Option<&str>| Mail::Code {
            to: to.map(str::to_owned),
            code: "12345678".to_owned(),
            link: Some("https://portal.example/sign-in/x".to_owned()),
            portal: None,
        };
        mailbox.put(code(None)).await.unwrap();
        mailbox.put(code(Some("ida@agency.example"))).await.unwrap();
        drop(mailbox);
        work.await;
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(files.len(), 1);
        let text = std::fs::read_to_string(files[0].path()).unwrap();
        assert!(text.starts_with("To: ida@agency.example\r\nSubject: Your code: 1234 5678\r\n"), "{text}");
        assert!(text.contains("https://portal.example/sign-in/x"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
