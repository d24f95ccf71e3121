//! How webhooks stand and are set up, over the API: with something that sets them up, and without.

use crate::bench::{Answered, Bench, SERVER, now};
use crate::call::Call;
use crate::scope::Caller;
use crate::token::Role;
use account::audit::{self, Who, WhoKind};
use account::connect::{self, Outcome, Step};
use account::connecting::{Asked, Connecting, ConnectingError, HasKey, Job, Planned};
use account::rotate::{Progress, Rotation, Stage};
use account::watch::{Found, FoundFinding, FoundWebhook, TriggerState};
use account::webhooks::{Desired, Plan, WebhookRow};
use account::{ConnectForm, Registry, ServerEntry};
use async_trait::async_trait;
use http::{HeaderMap, Method};
use ledger::policy::StreamKind;
use ledger::{ServerId, Time};
use people::{Access, Standing};
use postmark_api::{Auth, Trigger};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use store::Collection;
use store::prelude::*;
use store::webhook_activity::WebhookActivity;

const PASSWORD: &str = "s3cret-password";

fn server() -> ServerId {
    ServerId::new(SERVER).unwrap()
}

/// Sets up webhooks without Postmark, and keeps what it was asked for.
#[derive(Default)]
struct Scripted {
    asked: Mutex<Vec<(ConnectForm, bool)>>,
    fails: Option<ConnectingError>,
    removes: AtomicBool,
    hands_over: bool,
}

#[async_trait]
impl Connecting for Scripted {
    async fn plan(&self, entry: &ServerEntry) -> Result<Planned, ConnectingError> {
        let url = format!("https://hooks.example.com/v1/{SERVER}/events");
        let foreign = WebhookRow {
            id: 2,
            stream: "outbound".to_owned(),
            url: "https://crm.example/T0/s3cret".to_owned(),
            triggers: [Trigger::Bounce].into(),
            status: None,
        };
        let create = Desired { stream: "outbound".to_owned(), url, triggers: [Trigger::Bounce].into() };
        let remove = vec![foreign.clone(); usize::from(self.removes.load(Ordering::Relaxed))];
        let plan = Plan { create: vec![create], foreign: vec![foreign], remove, ..Plan::default() };
        assert!(!entry.streams.is_empty());
        Ok(Planned { doors: "https://hooks.example.com".to_owned(), plan })
    }

    async fn connect(&self, asked: &Asked<'_>) -> Result<Option<Outcome>, ConnectingError> {
        let entry = asked.entry;
        self.asked.lock().unwrap().push((entry.connect, entry.native_tracking));
        if let Some(error) = &self.fails {
            return Err(error.clone());
        }
        if self.hands_over {
            assert_eq!((asked.who.kind, asked.job.is_empty()), (WhoKind::Local, false));
            return Ok(None);
        }
        let url = format!("https://hooks.example.com/v1/{SERVER}/events");
        let stream = "outbound".to_owned();
        let (trigger, status) = ("Bounce", "verified".to_owned());
        Ok(Some(Outcome {
            server: entry.server,
            steps: vec![Step {
                what: "created",
                stream: stream.clone(),
                url: url.clone(),
                failed: None,
                next: None,
            }],
            refused: vec![("news".to_owned(), "SpamComplaint")],
            standing: vec![connect::Standing { stream, trigger, url, status }],
            left: Plan::default(),
        }))
    }

    fn doors(&self, _: &ServerEntry) -> String {
        "https://hooks.example.com".to_owned()
    }

    fn key(&self) -> Option<&dyn HasKey> {
        (!self.hands_over).then_some(self as &dyn HasKey)
    }
}

#[async_trait]
impl HasKey for Scripted {
    async fn credential(&self, entry: &ServerEntry) -> Result<(Auth, String), ConnectingError> {
        let username = format!("{}.{}", entry.server, entry.generation);
        Ok((Auth { username, password: PASSWORD.to_owned() }, "https://hooks.example.com".to_owned()))
    }

    async fn rotate(&self, server: ServerId) -> Result<Progress, ConnectingError> {
        let other = ServerId::new(SERVER + 1).unwrap();
        let rotation = Rotation {
            old: "old".to_owned(),
            new: "new".to_owned(),
            began_at: now(),
            moved: [(server, now()), (other, now())].into(),
            retired_at: None,
        };
        Ok(Progress {
            stage: Stage::Quiet,
            rotation: Some(rotation),
            servers: Vec::new(),
            uses: Vec::new(),
            waits_for: Some("the old key".to_owned()),
            until: None,
        })
    }
}

async fn bench(connecting: Option<Arc<Scripted>>) -> Bench {
    let bench = Bench::connecting(connecting.map(|one| one as Arc<dyn Connecting>));
    let mut entry = ServerEntry::new(server(), "acme", "Acme", now());
    entry.streams.insert("outbound".to_owned(), StreamKind::Transactional.into());
    Registry(&*bench.store).put(&entry).await.unwrap();
    bench
}

/// Asks as an admin who is signed in to the portal.
async fn as_user(bench: &Bench, role: Role, path: &str) -> Answered {
    as_session(bench, role, path, &json!({}), None).await
}

/// The same, with a session that is confirmed until then.
async fn as_session(bench: &Bench, role: Role, path: &str, body: &Value, until: Option<Time>) -> Answered {
    let who = Who { kind: WhoKind::User, name: "u".repeat(22) };
    let access =
        Access::Servers([(server(), Standing { role, reveal_addresses: true, read_content: false })].into());
    let path = format!("/v1/servers/{SERVER}/{path}");
    let (method, headers) = (Method::POST, HeaderMap::new());
    let body = body.to_string();
    let call = Call { method: &method, path: &path, query: "", headers: &headers, body: body.as_bytes() };
    let caller = Caller::with(who, &access, server(), None).unwrap().confirmed_until(until);
    Answered(bench.api.answer_to(caller, &call).await)
}

async fn noted(bench: &Bench) -> Vec<audit::Entry> {
    let kept = bench.store.documents(&Collection::Audit(server())).await.unwrap();
    kept.iter().map(|(_, document)| audit::read(&document.text).unwrap()).collect()
}

#[tokio::test]
async fn how_webhooks_stand_is_told_as_it_was_last_found_and_no_secret_with_it() {
    let bench = bench(None).await;
    let nothing = bench.get("webhooks").await.json();
    assert_eq!((&nothing["registered"], &nothing["connect"]), (&json!(true), &json!("command")));
    assert!(nothing["looked_at"].is_null() && nothing["job"].is_null(), "{nothing}");
    assert_eq!(nothing["credential"]["user"], format!("{SERVER}.1"));
    assert_eq!(nothing["commands"]["connect"], format!("postledger connect --server {SERVER}"));
    let found = Found {
        at: now(),
        doors: Some("https://hooks.example.com".to_owned()),
        webhooks: vec![FoundWebhook {
            id: 1,
            stream: "outbound".to_owned(),
            url: format!("https://hooks.example.com/v1/{SERVER}/bounce"),
            ours: true,
            triggers: [("Bounce".to_owned(), TriggerState::Unverified)].into(),
            requests: None,
        }],
        plan: Vec::new(),
        findings: vec![FoundFinding {
            stream: None,
            code: "trigger_unverified".to_owned(),
            words: "Bounce paused".to_owned(),
            next: "see".to_owned(),
        }],
        heard: [("Bounce".to_owned(), now())].into(),
    };
    let text = serde_json::to_string(&found).unwrap();
    let name = format!("found#{SERVER}");
    assert!(bench.store.put_document(&Collection::Watch, &name, &text, None).await.unwrap());
    let low =
        |at: Time, left| WebhookActivity { low: [(at.hour(), left)].into(), ..WebhookActivity::default() };
    for new in [low(now(), 1), low(now().plus_days(-3), 0)] {
        WebhookActivity::note(&*bench.store, server(), &new).await.unwrap();
    }
    let told = bench.get("webhooks").await.json();
    assert_eq!(told["webhooks"][0]["triggers"]["Bounce"], "unverified");
    assert_eq!(told["findings"][0]["code"], "trigger_unverified");
    assert_eq!((&told["retries_left"], &told["doors"]), (&json!(1), &json!("https://hooks.example.com")));
    assert!(told["heard"]["Bounce"].is_string());
}

#[tokio::test]
async fn without_the_key_the_answer_is_the_command_with_all_that_was_asked_for() {
    let bench = bench(None).await;
    let next = |answer: &Answered| answer.json()["next"].as_str().unwrap().to_owned();
    let plain = bench.post("webhooks", json!({})).await;
    assert_eq!(
        (plain.status(), plain.json()["type"].as_str().unwrap()),
        (409, "urn:postledger:problem:connect-elsewhere")
    );
    assert!(next(&plain).ends_with(&format!("`postledger connect --server {SERVER}`")), "{}", next(&plain));
    let asked = json!({ "form": "one_url", "native_tracking": true, "dry_run": true });
    let chosen = next(&bench.post("webhooks", asked).await);
    let set = format!("postledger server set --server {SERVER} --webhooks one-url --native-tracking yes && ");
    assert!(chosen.contains(&set), "{chosen}");
    assert!(
        next(&as_user(&bench, Role::Admin, "webhooks/password").await).contains("postledger url --server")
    );
    let rotation = next(&bench.post("webhooks/rotation", Value::Null).await);
    assert!(rotation.contains("postledger keys rotate --server"), "{rotation}");
    assert!(noted(&bench).await.is_empty(), "nothing was begun");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_a_run_is_noted_remembered_and_told() {
    let scripted = Arc::new(Scripted::default());
    let bench = bench(Some(scripted.clone())).await;
    let asked = json!({ "form": "one_url", "native_tracking": true, "dry_run": true });
    let planned = bench.post("webhooks", asked.clone()).await;
    assert!(!planned.text().contains("s3cret"), "{}", planned.text());
    let planned = planned.json();
    assert_eq!((&planned["steps"], &planned["form"]), (&json!(1), &json!("one_url")));
    assert_eq!(
        (&planned["plan"][1]["what"], &planned["plan"][1]["url"]),
        (&json!("leave_alone"), &json!("crm.example"))
    );
    assert!(planned["job"].is_null() && scripted.asked.lock().unwrap().is_empty());
    assert!(noted(&bench).await.is_empty());
    let mut run = asked;
    run["dry_run"] = false.into();
    let done = bench.post("webhooks", run).await.json();
    assert_eq!(*scripted.asked.lock().unwrap(), [(ConnectForm::OneUrl, true)]);
    let job = &done["job"];
    assert_eq!(
        (&job["state"], &job["complete"], &job["verified"]),
        (&json!("done"), &json!(true), &json!(1))
    );
    assert_eq!(job["refused"], json!(["news: SpamComplaint"]));
    assert_eq!(bench.get("webhooks").await.json()["job"], *job);
    let noted = noted(&bench).await;
    assert_eq!(noted.len(), 2);
    assert_eq!(
        (noted[0].what.as_str(), &noted[0].before["form"], &noted[0].after["form"]),
        ("connect", &json!("per_type"), &json!("one_url"))
    );
    assert_eq!(noted[1].after, json!({ "done": 1, "failed": 0, "complete": true }));
}

#[tokio::test]
async fn a_run_that_fails_is_noted_and_remembered_as_failed() {
    let fails = Some(ConnectingError::NoToken(server()));
    let bench = bench(Some(Arc::new(Scripted { fails, ..Scripted::default() }))).await;
    let refused = bench.post("webhooks", json!({})).await;
    assert_eq!(
        (refused.status(), refused.json()["type"].as_str().unwrap()),
        (409, "urn:postledger:problem:no-postmark-token")
    );
    let job = &bench.get("webhooks").await.json()["job"];
    assert_eq!(job["state"], "failed");
    assert!(job["next"].as_str().unwrap().contains("postledger server add"), "{job}");
    assert_eq!(noted(&bench).await[1].after, json!({ "problem": "no-postmark-token" }));
}

#[tokio::test]
async fn the_password_is_for_people_who_are_signed_in_and_each_time_is_noted() {
    let bench = bench(Some(Arc::default())).await;
    let token = bench.token(Role::Admin, Some(&[SERVER]), true).await;
    let path = format!("/v1/servers/{SERVER}/webhooks/password");
    for refused in [
        bench.ask(&token, Method::POST, &path, b"").await,
        bench.post("webhooks/password", Value::Null).await,
    ] {
        assert_eq!(refused.status(), 403);
        assert!(!refused.text().contains(PASSWORD));
    }
    assert_eq!(as_user(&bench, Role::Viewer, "webhooks/password").await.status(), 403);
    assert!(noted(&bench).await.is_empty());
    let told = as_user(&bench, Role::Admin, "webhooks/password").await;
    assert_eq!((told.status(), told.json()["password"].as_str()), (200, Some(PASSWORD)));
    let noted = noted(&bench).await;
    assert_eq!(
        (noted.len(), noted[0].what.as_str(), noted[0].who.kind),
        (2, "webhooks.password", WhoKind::User)
    );
    assert!(!format!("{noted:?}").contains(PASSWORD));
    assert!(!bench.get("webhooks").await.text().contains(PASSWORD));
}

#[tokio::test]
async fn only_an_operator_rotates_and_is_told_of_this_server_alone() {
    let bench = bench(Some(Arc::default())).await;
    assert_eq!(as_user(&bench, Role::Admin, "webhooks/rotation").await.status(), 403);
    // Made by hand, if at all: they would not be moved, and are not said to be.
    assert_eq!(bench.post("webhooks/rotation", Value::Null).await.status(), 409);
    let leads = |entry: &mut ServerEntry| entry.doors = Some("https://hooks.example.com".to_owned());
    Registry(&*bench.store).update(server(), leads).await.unwrap();
    let told = bench.post("webhooks/rotation", Value::Null).await;
    assert_eq!((told.status(), &told.json()["stage"]), (200, &json!("quiet")));
    assert!(!told.text().contains(&(SERVER + 1).to_string()), "{}", told.text());
}

#[tokio::test]
async fn what_is_handed_over_is_a_job_that_has_begun_and_what_takes_the_key_is_a_command() {
    let bench = bench(Some(Arc::new(Scripted { hands_over: true, ..Scripted::default() }))).await;
    assert_eq!(bench.get("webhooks").await.json()["connect"], "job");
    let told = bench.post("webhooks", json!({})).await.json();
    assert_eq!((&told["job"]["state"], &told["job"]["complete"]), (&json!("begun"), &json!(false)));
    assert_eq!(noted(&bench).await.last().unwrap().after, json!({ "handed_over": true }));
    assert_eq!(bench.get("webhooks").await.json()["job"]["id"], told["job"]["id"]);
    let again = bench.post("webhooks", json!({})).await.json();
    assert_eq!(again["job"]["id"], told["job"]["id"], "whoever asks for the same waits for the first");
    let other = bench.post("webhooks", json!({ "form": "one_url" })).await.json();
    assert_ne!(other["job"]["id"], told["job"]["id"]);
    let refused = bench.post("webhooks/rotation", json!({})).await;
    assert_eq!(refused.json()["type"], "urn:postledger:problem:connect-elsewhere", "{}", refused.text());
    let fails = Some(ConnectingError::NotHandedOver);
    let bench = self::bench(Some(Arc::new(Scripted { fails, ..Scripted::default() }))).await;
    assert_eq!(bench.post("webhooks", json!({})).await.status(), 409);
    let told = bench.get("webhooks").await.json();
    assert_eq!((&told["job"]["state"], &told["job"]["next"]), (&json!("failed"), &json!("do this again")));
    let entry = Registry(&*bench.store).get(server()).await.unwrap().unwrap();
    Job::begun(&entry, now()).unwrap().keep(&*bench.store, server()).await.unwrap();
    assert_eq!(bench.post("webhooks", json!({})).await.status(), 409);
    let told = bench.get("webhooks").await.json();
    assert_eq!(told["job"]["state"], "begun", "the one that was handed over before stands");
}

#[tokio::test]
async fn a_server_that_is_not_registered_is_said_to_be_and_nothing_is_set_up() {
    let scripted = Arc::new(Scripted::default());
    let bench = bench(Some(scripted.clone())).await;
    Registry(&*bench.store).remove(server()).await.unwrap();
    bench.store.note_stream(server(), "outbound").await.unwrap();
    let told = bench.get("webhooks").await.json();
    assert_eq!((&told["registered"], &told["credential"]), (&json!(false), &Value::Null));
    let refused = bench.post("webhooks", json!({})).await;
    assert_eq!(
        (refused.status(), refused.json()["type"].as_str().unwrap()),
        (409, "urn:postledger:problem:not-registered")
    );
    assert!(scripted.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn before_anything_is_set_up_the_addresses_are_known_where_they_are_set_up_here() {
    let told = bench(Some(Arc::default())).await.get("webhooks").await.json();
    assert_eq!(told["doors"], "https://hooks.example.com");
    assert_eq!(told["wanted"][0]["stream"], "outbound", "{told}");
    assert!(bench(None).await.get("webhooks").await.json()["doors"].is_null());
}

#[tokio::test]
async fn a_session_that_is_not_confirmed_takes_nothing_away() {
    let scripted = Arc::new(Scripted::default());
    let bench = bench(Some(scripted.clone())).await;
    let old = Some(now().plus_seconds(-1));
    for (asked, status) in [
        (json!({ "native_tracking": true, "dry_run": true }), 200),
        (json!({ "native_tracking": true }), 403),
        (json!({ "form": "one_url" }), 403),
        (json!({}), 200),
    ] {
        let answer = as_session(&bench, Role::Admin, "webhooks", &asked, old).await;
        assert_eq!(answer.status(), status, "{asked}: {}", answer.text());
    }
    assert_eq!(*scripted.asked.lock().unwrap(), [(ConnectForm::PerType, false)]);
    scripted.removes.store(true, Ordering::Relaxed);
    assert_eq!(as_session(&bench, Role::Admin, "webhooks", &json!({}), old).await.status(), 403);
    let fresh = Some(now().plus_seconds(60));
    assert_eq!(as_session(&bench, Role::Admin, "webhooks", &json!({}), fresh).await.status(), 200);
}

#[tokio::test]
async fn a_run_that_another_one_keeps_out_leaves_what_is_remembered_of_that_one() {
    let fails = Some(ConnectingError::Busy(server()));
    let bench = bench(Some(Arc::new(Scripted { fails, ..Scripted::default() }))).await;
    let entry = Registry(&*bench.store).get(server()).await.unwrap().unwrap();
    let running = Job::begun(&entry, now()).unwrap();
    running.keep(&*bench.store, server()).await.unwrap();
    assert_eq!(bench.post("webhooks", json!({})).await.status(), 409);
    assert_eq!(Job::last(&*bench.store, server()).await.unwrap(), Some(running));
}
