//! Jobs over a ledger in memory and a Postmark that keeps one server's webhooks.

use super::*;
use account::audit::{self, Who, WhoKind};
use account::{ConnectForm, MemoryVault, StreamEntry};
use http::Method;
use ledger::Time;
use ledger::policy::StreamKind;
use platform::logs::testing::Logged;
use postmark_api::{Bytes, Chunks, Retries, Token, Transport, TransportError};
use serde_json::Value;
use std::sync::Mutex;
use std::time::Duration;
use store::Collection;
use store::prelude::*;

const BASE: &str = "https://hooks.example.com";
const SERVER: i64 = 8_123_456;

fn server() -> ServerId {
    ServerId::new(SERVER).unwrap()
}

fn now() -> Time {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

/// Postmark, and the doors: the webhooks that were made, and by which URLs the doors were asked.
#[derive(Clone, Default)]
struct Outside(Arc<Mutex<(Vec<Value>, Vec<String>)>>);

impl Outside {
    fn webhooks(&self) -> Vec<Value> {
        self.0.lock().unwrap().0.clone()
    }

    fn answer(&self, request: &http::Request<Bytes>) -> Value {
        let mut kept = self.0.lock().unwrap();
        let sent: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        match (request.method(), request.uri().path()) {
            (_, "/server") => json!({ "ID": SERVER, "Name": "Shop" }),
            (_, "/message-streams") => {
                json!({ "MessageStreams": [{ "ID": "outbound", "MessageStreamType": "Transactional" }] })
            }
            (&Method::GET, "/webhooks") => json!({ "Webhooks": kept.0 }),
            (&Method::POST, "/webhooks") => {
                let mut webhook = sent;
                webhook["ID"] = json!(kept.0.len() + 1);
                webhook["Status"] = json!("verified");
                kept.0.push(webhook.clone());
                webhook
            }
            _ => {
                if request.uri().host() == Some("hooks.example.com") {
                    kept.1.push(request.uri().to_string());
                }
                json!({})
            }
        }
    }
}

#[async_trait]
impl Transport for Outside {
    async fn call(&self, request: http::Request<Bytes>) -> Result<http::Response<Chunks>, TransportError> {
        let body = self.answer(&request).to_string();
        let chunks: Chunks = Box::pin(futures_util::stream::iter([Ok(body.into())]));
        Ok(http::Response::builder().status(200).body(chunks).unwrap())
    }
}

/// A Postmark that does not answer.
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn call(&self, _: http::Request<Bytes>) -> Result<http::Response<Chunks>, TransportError> {
        std::future::pending().await
    }
}

/// A key as it may be there.
struct Keeper(Option<String>);

#[async_trait]
impl KeepsKey for Keeper {
    async fn key(&self) -> Result<Option<PrivateKey>, String> {
        Ok(self.0.as_deref().map(|text| PrivateKey::from_secret(text).unwrap()))
    }
}

struct Bench {
    worker: Worker,
    store: Arc<store::Memory>,
    outside: Outside,
    secret: String,
}

impl Bench {
    /// One server that is registered, with its token and the key.
    async fn new() -> Bench {
        let (store, outside, key) =
            (Arc::new(store::Memory::default()), Outside::default(), PrivateKey::generate().unwrap());
        let mut entry = ServerEntry::new(server(), "acme", "Acme", now());
        entry.streams.insert("outbound".to_owned(), StreamEntry::from(StreamKind::Transactional));
        Registry(&*store).put(&entry).await.unwrap();
        let vault = MemoryVault::default();
        vault.put(server(), &Token::new("a-token").unwrap()).await.unwrap();
        let once = Retries { attempts: 1, first_pause: Duration::ZERO, most_pause: Duration::ZERO };
        let worker = Worker {
            store: store.clone(),
            vault: Arc::new(vault),
            keeper: Box::new(Keeper(Some(key.secret()))),
            postmark: Endpoint::new(Arc::new(outside.clone())).with_retries(once),
            doors: Doors::new(Arc::new(outside.clone())),
            base: BASE.to_owned(),
            stack: "us-prod".to_owned(),
            verifier: Verifier::new("us-prod", [key.public()], []).unwrap(),
            clock: Arc::new(now),
        };
        Bench { worker, store, outside, secret: key.secret() }
    }

    /// A job as it was asked for at a time.
    async fn asked(&self, at: Time) -> Job {
        let entry = Registry(&*self.store).get(server()).await.unwrap().unwrap();
        let job = Job::begun(&ServerEntry { connect: ConnectForm::OneUrl, ..entry }, at).unwrap();
        job.keep(&*self.store, server()).await.unwrap();
        job
    }

    async fn handle(&self, messages: &[Incoming]) -> Vec<String> {
        self.worker.handle(messages, Instant::now() + Duration::from_secs(60)).await
    }

    /// Hands a job on; whether it comes again, and how it stands.
    async fn carry_out(&self, job: &Job) -> (bool, Job) {
        let again = self.handle(&[message(job)]).await;
        (!again.is_empty(), Job::last(&*self.store, server()).await.unwrap().unwrap())
    }

    async fn noted(&self) -> Vec<audit::Entry> {
        let kept = self.store.documents(&Collection::Audit(server())).await.unwrap();
        kept.iter().map(|(_, document)| audit::read(&document.text).unwrap()).collect()
    }
}

fn ida() -> Who {
    Who { kind: WhoKind::User, name: "ida".to_owned() }
}

fn message(job: &Job) -> Incoming {
    let body = JobMessage::new(server(), &job.id, &ida()).encode();
    Incoming { id: job.id.clone(), body, trusted: true }
}

#[tokio::test]
async fn a_job_makes_the_webhooks_that_a_server_should_have_and_is_noted_under_whoever_asked() {
    let bench = Bench::new().await;
    let job = bench.asked(now()).await;
    let logged = Logged::under("trace");
    let (again, ended) = bench.carry_out(&job).await;
    assert!(!again, "{ended:?}");
    assert_eq!((ended.state, ended.complete, &ended.problem), (JobState::Done, true, &None), "{ended:?}");
    let made = bench.outside.webhooks();
    assert_eq!(made.len(), 1, "in the form that was asked for: {made:?}");
    assert_eq!(made[0]["Url"], format!("{BASE}/v1/{SERVER}/events"));
    let (user, password) =
        (&made[0]["HttpAuth"]["Username"], made[0]["HttpAuth"]["Password"].as_str().unwrap());
    let signed = PrivateKey::from_secret(&bench.secret).unwrap();
    let of = User { server: server(), generation: 1 };
    assert_eq!(
        (user.as_str(), password),
        (Some(&*of.to_string()), &*signed.password("us-prod", of).unwrap())
    );
    let asked = bench.outside.0.lock().unwrap().1.clone();
    assert!(!asked.is_empty() && asked.iter().all(|url| url.starts_with(BASE)), "{asked:?}");
    let noted = bench.noted().await;
    let steps: Vec<_> = noted.iter().map(|entry| (entry.what.as_str(), entry.phase)).collect();
    assert_eq!(steps, [("connect.job", audit::Phase::Begun), ("connect.job", audit::Phase::Done)]);
    assert!(noted.iter().all(|entry| entry.who == ida()));
    let kept = format!("{noted:?}{ended:?}{}", logged.text());
    assert!(!kept.contains(password) && !kept.contains(&bench.secret) && !kept.contains("a-token"), "{kept}");
}

#[tokio::test]
async fn a_message_that_comes_twice_or_whose_job_was_replaced_changes_nothing() {
    let bench = Bench::new().await;
    let first = bench.asked(now()).await;
    let second = bench.asked(now()).await;
    let (again, last) = bench.carry_out(&first).await;
    assert!(!again && last == second && bench.outside.webhooks().is_empty());
    let (again, ended) = bench.carry_out(&second).await;
    assert!(!again && ended.state == JobState::Done);
    let (again, same) = bench.carry_out(&second).await;
    assert!(!again && same == ended && bench.outside.webhooks().len() == 1);
    assert_eq!(bench.noted().await.len(), 2);
}

#[tokio::test]
async fn without_the_newest_key_nothing_is_asked_of_postmark_and_the_operators_command_is_named() {
    for (secret, words) in [
        (None, "is not where jobs take it from"),
        (Some(PrivateKey::generate().unwrap().secret()), "is not the newest one"),
    ] {
        let mut bench = Bench::new().await;
        bench.worker.keeper = Box::new(Keeper(secret));
        let job = bench.asked(now()).await;
        let (again, ended) = bench.carry_out(&job).await;
        let (problem, next) = ended.problem.unwrap();
        assert!(!again && ended.state == JobState::Failed);
        assert!(problem.contains(words) && next.contains("postledger keys store"), "{problem} {next}");
        assert!(bench.outside.webhooks().is_empty());
        let noted: Vec<_> = bench.noted().await.iter().map(|entry| entry.phase).collect();
        assert_eq!(noted, [audit::Phase::Begun, audit::Phase::Failed]);
    }
}

#[tokio::test]
async fn whatever_the_registry_says_a_password_is_made_for_this_stack_and_not_in_advance() {
    for (change, words) in [
        (
            (|entry| entry.doors = Some("https://evil.example".to_owned())) as fn(&mut ServerEntry),
            "evil.example",
        ),
        (|entry| entry.generation = 3, "generation 3"),
    ] {
        let bench = Bench::new().await;
        Registry(&*bench.store).update(server(), change).await.unwrap();
        let job = bench.asked(now()).await;
        let (again, ended) = bench.carry_out(&job).await;
        let (problem, next) = ended.problem.unwrap();
        assert!(!again && problem.contains(words) && next.contains("postledger connect"), "{problem} {next}");
        assert!(bench.outside.webhooks().is_empty());
    }
    // One that takes a revoked one's place is made, before the doors are told and after it; the revoked one is not.
    for (generation, denied, state) in [
        (2, vec![], JobState::Done),
        (3, vec![1], JobState::Done),
        (2, vec![2], JobState::Failed),
        (4, vec![1], JobState::Failed),
    ] {
        let mut bench = Bench::new().await;
        let user = |generation| User { server: server(), generation };
        let key = PrivateKey::from_secret(&bench.secret).unwrap().public();
        bench.worker.verifier = Verifier::new("us-prod", [key], denied.into_iter().map(user)).unwrap();
        Registry(&*bench.store).update(server(), |entry| entry.generation = generation).await.unwrap();
        let job = bench.asked(now()).await;
        let (_, ended) = bench.carry_out(&job).await;
        assert_eq!(ended.state, state, "{generation}: {ended:?}");
    }
}

#[tokio::test]
async fn what_was_asked_for_long_ago_or_for_a_server_that_is_gone_is_not_done() {
    let bench = Bench::new().await;
    let job = bench.asked(now().plus_seconds(-JOB_MINUTES * 60)).await;
    let (again, ended) = bench.carry_out(&job).await;
    assert!(!again && ended.problem.unwrap().0.contains("within 15 minutes"));
    assert!(bench.outside.webhooks().is_empty());
    let bench = Bench::new().await;
    let job = bench.asked(now()).await;
    Registry(&*bench.store).remove(server()).await.unwrap();
    let (again, ended) = bench.carry_out(&job).await;
    assert!(!again && ended.state == JobState::Failed);
    assert!(bench.outside.webhooks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_while_another_one_is_under_way_and_for_some_seconds_after_it() {
    let bench = Bench::new().await;
    let job = bench.asked(now()).await;
    bench.carry_out(&job).await;
    let next = bench.asked(now()).await;
    let soon = Instant::now() + WAIT + Duration::from_secs(1);
    let again = bench.worker.handle(&[message(&next)], soon).await;
    let waits = Job::last(&*bench.store, server()).await.unwrap().unwrap();
    assert!(again == [next.id.clone()] && waits == next, "it comes again: {waits:?}");
    assert_eq!(bench.noted().await.len(), 2, "that it waits is no failure");
    let bench = Bench {
        worker: Worker { clock: Arc::new(|| now().plus_seconds(PAUSE_SECONDS + 1)), ..bench.worker },
        ..bench
    };
    let (again, ended) = bench.carry_out(&next).await;
    assert!(!again && ended.state == JobState::Done, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn where_postmark_takes_too_long_the_job_has_an_end_that_says_so() {
    let mut bench = Bench::new().await;
    bench.worker.postmark = Endpoint::new(Arc::new(Silent));
    let job = bench.asked(now()).await;
    let (again, ended) = bench.carry_out(&job).await;
    assert!(!again && ended.problem.unwrap().0.contains("took too long"));
    assert_eq!(bench.noted().await.last().unwrap().phase, audit::Phase::Failed);
}

#[tokio::test]
async fn a_message_of_nobody_who_may_send_one_is_not_taken() {
    let bench = Bench::new().await;
    let job = bench.asked(now()).await;
    let strange = Incoming { trusted: false, ..message(&job) };
    let poison = Incoming { id: "poison".to_owned(), body: "{".to_owned(), trusted: true };
    assert_eq!(bench.handle(&[strange, poison]).await, [job.id, "poison".to_owned()]);
    assert!(bench.outside.webhooks().is_empty() && bench.noted().await.is_empty());
}
