//! Sends what the portal has to say to people: codes and invitations, as they come off a queue.
//!
//! Invariants:
//! - Nothing that is logged here has an address, a code, a subject or a text in it.
//! - A mail is sent at least once. A code that comes twice does no harm: it works once.
//! - A code that is over is not sent any more.
//! - One mail that cannot be sent does not hold up the others.

#[cfg(feature = "lambda")]
mod lambda;
mod observe;

#[cfg(feature = "lambda")]
pub use lambda::run;

use async_trait::async_trait;
use futures_util::future::join_all;
use ledger::Time;
use observe::Happened;
use people::{CODE_LASTS, Mail};
use platform::Clock;
use portal::mail::{Sender, Unsent, written};
use portal::texts::Texts;
use postmark_api::{ApiError, Endpoint, ServerApi, Token};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// By what the queue knows it.
    pub id: String,
    /// Its text.
    pub body: String,
    /// When it was put on the queue, if that is known.
    pub sent_at: Option<Time>,
}

/// Why the token of the operator's server cannot be had. It never quotes the token.
#[derive(Debug, thiserror::Error)]
#[error("the token of the Postmark server that mails the people of the portal cannot be had: {0}")]
pub struct NoToken(pub Box<dyn std::error::Error + Send + Sync>);

/// Where the token of the operator's own Postmark server is kept.
#[async_trait]
pub trait KeepsToken: Send + Sync {
    /// The token.
    async fn token(&self) -> Result<Token, NoToken>;
}

/// What sends mail.
pub struct Post {
    keeper: Box<dyn KeepsToken>,
    postmark: Endpoint,
    sender: Sender,
    clock: Clock,
    /// The server, once its token is known.
    server: Mutex<Option<ServerApi>>,
}

impl Post {
    /// By the token that somebody keeps, from somewhere.
    pub fn new(keeper: Box<dyn KeepsToken>, postmark: Endpoint, sender: Sender, clock: Clock) -> Post {
        Post { keeper, postmark, sender, clock, server: Mutex::new(None) }
    }

    /// Sends a batch. The ids of the messages that are to come again.
    pub async fn handle(&self, messages: &[Incoming], until: Instant) -> Vec<String> {
        let each = messages.iter().map(|message| async move {
            let done = timeout_at(until, self.one(message)).await.unwrap_or_else(|_| {
                Happened::TooSlow.emit();
                Err(Again)
            });
            done.err().map(|Again| message.id.clone())
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    async fn one(&self, message: &Incoming) -> Result<(), Again> {
        let Some(mail) = Mail::decode(&message.body) else {
            Happened::NotUnderstood.emit();
            return Err(Again);
        };
        if matches!(mail, Mail::Code { .. }) && message.sent_at.is_some_and(|at| self.is_over(at)) {
            Happened::Over.emit();
            return Ok(());
        }
        // To nobody: somebody asked for an address that nobody has.
        let Some(written) = written(Texts::default(), &mail) else { return Ok(()) };
        let server = self.server().await.map_err(|error| {
            Happened::NoToken { error: &error }.emit();
            Again
        })?;
        match self.sender.send(&server, &written).await {
            Ok(()) => {
                Happened::Sent { kind: written.tag }.emit();
                Ok(())
            }
            Err(error) => {
                Happened::Unsent { error: &error, kind: written.tag }.emit();
                if matches!(error, Unsent::Call(ApiError::Refused { status: 401, .. })) {
                    // Whoever replaced the token need not wait until this process ends.
                    *self.server.lock().await = None;
                }
                if matches!(error, Unsent::Recipient(_)) { Ok(()) } else { Err(Again) }
            }
        }
    }

    fn is_over(&self, sent_at: Time) -> bool {
        (self.clock)() >= sent_at.plus_seconds(CODE_LASTS)
    }

    /// The operator's own server. Its token is read when it is first needed, and again after Postmark refused it.
    ///
    /// # Errors
    /// Where there is no token.
    pub async fn server(&self) -> Result<ServerApi, NoToken> {
        let mut server = self.server.lock().await;
        if let Some(server) = &*server {
            return Ok(server.clone());
        }
        let found = self.postmark.server(self.keeper.token().await?);
        *server = Some(found.clone());
        Ok(found)
    }
}

/// The message is to come again.
struct Again;

#[cfg(test)]
mod tests {
    use super::*;
    use platform::logs::testing::Logged;
    use postmark_api::{Bytes, Chunks, Retries, Transport, TransportError};
    use serde_json::{Value, json};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, PoisonError};
    use std::time::Duration;

    /// A Postmark that answers each mail by whom it is to, and remembers what it was sent.
    #[derive(Clone, Default)]
    struct Postmark(Arc<std::sync::Mutex<Vec<(String, Value)>>>);

    #[async_trait]
    impl Transport for Postmark {
        async fn call(
            &self,
            request: http::Request<Bytes>,
        ) -> Result<http::Response<Chunks>, TransportError> {
            let token = request.headers()["x-postmark-server-token"].to_str().unwrap().to_owned();
            let sent: Value = serde_json::from_slice(request.body()).unwrap();
            let to = sent["To"].as_str().unwrap().to_owned();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((token.clone(), sent));
            let (status, code) = match to.split('@').next().unwrap() {
                _ if token == "old" => (401, 10),
                "inactive" => (422, 406),
                "refused" => (422, 400),
                "broken" => return Err(TransportError::Broken("reset".to_owned())),
                "slow" => {
                    tokio::time::sleep(Duration::from_secs(3_600)).await;
                    return Err(TransportError::TooSlow);
                }
                _ => (200, 0),
            };
            let body =
                json!({ "ErrorCode": code, "Message": format!("about {to}"), "MessageID": "m1" }).to_string();
            let chunks: Chunks = Box::pin(futures_util::stream::iter([Ok(body.into())]));
            Ok(http::Response::builder().status(status).body(chunks).unwrap())
        }
    }

    /// Tokens one after another; the last one stays.
    struct Tokens(&'static [&'static str], AtomicUsize);

    #[async_trait]
    impl KeepsToken for Tokens {
        async fn token(&self) -> Result<Token, NoToken> {
            let place = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len().saturating_sub(1));
            let text = self.0.get(place).ok_or_else(|| NoToken("there is no parameter".into()))?;
            Ok(Token::new(text).unwrap())
        }
    }

    fn now() -> Time {
        "2026-11-25T12:00:00Z".parse().unwrap()
    }

    fn post(tokens: &'static [&'static str]) -> (Post, Postmark) {
        let postmark = Postmark::default();
        let once = Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
        let endpoint = Endpoint::new(Arc::new(postmark.clone())).with_retries(once);
        let sender =
            Sender { from: "Acme <portal@agency.example>".to_owned(), stream: "outbound".to_owned() };
        let keeper = Box::new(Tokens(tokens, AtomicUsize::new(0)));
        (Post::new(keeper, endpoint, sender, Arc::new(now)), postmark)
    }

    fn code(id: &str, to: Option<&str>, seconds_ago: i64) -> Incoming {
        let to = to.map(|name| format!("{name}@client.example"));
        let body = Mail::Code { to, code: "12345678".to_owned(), link: None, portal: None }.encode();
        Incoming { id: id.to_owned(), body, sent_at: Some(now().plus_seconds(-seconds_ago)) }
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_sent_comes_again_and_holds_up_nothing_else() {
        let (post, postmark) = post(&["new"]);
        let poison = Incoming { id: "poison".to_owned(), body: "{".to_owned(), sent_at: None };
        let batch = [
            code("sent", Some("ida"), 5),
            poison,
            code("nobody", None, 5),
            code("inactive", Some("inactive"), 5),
            code("refused", Some("refused"), 5),
            code("broken", Some("broken"), 5),
            code("slow", Some("slow"), 5),
            code("over", Some("bob"), CODE_LASTS),
        ];
        assert_eq!(post.handle(&batch, far()).await, ["poison", "refused", "broken", "slow"]);
        let sent = postmark.0.lock().unwrap().clone();
        let to: Vec<&str> =
            sent.iter().map(|(_, mail)| mail["To"].as_str().unwrap().split('@').next().unwrap()).collect();
        assert_eq!(to, ["ida", "inactive", "refused", "broken", "slow"], "nobody, and no code that is over");
        let (token, mail) = &sent[0];
        assert_eq!((token.as_str(), &mail["From"]), ("new", &json!("Acme <portal@agency.example>")));
        assert_eq!((&mail["TrackOpens"], &mail["TrackLinks"]), (&json!(false), &json!("None")));
        assert!(mail["TextBody"].as_str().unwrap().contains("1234 5678"));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_that_is_logged_has_an_address_a_code_or_a_text_in_it() {
        let (post, _) = post(&["new"]);
        let logged = Logged::under("trace");
        let batch = ["ida", "inactive", "refused", "broken", "slow"].map(|to| code(to, Some(to), 5));
        let poison = Incoming { body: batch[0].body.replace("code\":{", "kode\":{"), ..batch[0].clone() };
        let over = code("over", Some("bob"), CODE_LASTS);
        post.handle(&[&batch[..], &[poison, over]].concat(), far()).await;
        let printed = logged.text();
        for said in ["was sent", "was dropped", "could not be sent", "is not understood", "not sent in time"]
        {
            assert!(printed.contains(said), "{said}: {printed}");
        }
        for secret in ["client.example", "1234", "Your code", "Enter this", "agency.example", "\"new\""] {
            assert!(!printed.contains(secret), "{secret}: {printed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_invitation_has_no_end() {
        let (post, postmark) = post(&["new"]);
        let mail = Mail::Invitation {
            to: "ida@client.example".to_owned(),
            of: "Acme".to_owned(),
            link: "https://p".to_owned(),
            portal: None,
        };
        let late = Incoming {
            id: "late".to_owned(),
            body: mail.encode(),
            sent_at: Some(now().plus_seconds(-3_000)),
        };
        assert!(post.handle(&[late], far()).await.is_empty());
        assert_eq!(postmark.0.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_was_replaced_is_read_anew_after_postmark_refused_the_old_one() {
        let (post, postmark) = post(&["old", "new"]);
        assert_eq!(post.handle(&[code("one", Some("ida"), 5)], far()).await, ["one"]);
        assert!(post.handle(&[code("one", Some("ida"), 6)], far()).await.is_empty());
        let tokens: Vec<String> = postmark.0.lock().unwrap().iter().map(|(token, _)| token.clone()).collect();
        assert_eq!(tokens, ["old", "new"]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_token_nothing_is_sent_or_given_up() {
        let (post, postmark) = post(&[]);
        assert_eq!(post.handle(&[code("one", Some("ida"), 5)], far()).await, ["one"]);
        assert!(postmark.0.lock().unwrap().is_empty());
    }
}
