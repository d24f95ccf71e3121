//! What the page of webhooks does: nothing without its plan, nothing without the key, and a password to nobody who has not
//! just shown who they are.

use super::fixture::{Texts, fill};
use crate::bench::{ADMIN, Bench, OPERATOR, OWN, PASSWORD, Setup, now, server};
use account::ConnectForm;
use account::audit;
use account::connecting::{ConnectingError, JOB_MINUTES, Job};
use answers::Role;
use std::sync::atomic::Ordering;
use store::Collection;
use store::prelude::*;

fn page() -> String {
    format!("/servers/{OWN}/webhooks")
}

async fn bench(connects: bool) -> Bench {
    let bench = Bench::new(Setup { connects, ..Setup::default() });
    bench.invite_all().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    bench
}

/// What was noted of webhooks.
async fn noted(bench: &Bench) -> Vec<audit::Entry> {
    let kept = bench.store.documents(&Collection::Audit(server(OWN))).await.unwrap();
    let all = kept.iter().map(|(_, document)| audit::read(&document.text).unwrap());
    all.filter(|entry| ["connect", "webhooks.password", "rotate"].contains(&entry.what.as_str())).collect()
}

#[tokio::test]
async fn webhooks_are_planned_then_asked_for_then_set_up_and_what_became_of_it_is_told() {
    let bench = bench(true).await;
    let mut browser = bench.signed_in(ADMIN).await;
    let chosen = [("form", "one_url"), ("native", "on")];
    let plan = browser.post(&page(), &[&chosen[..], &[("action", "plan")]].concat()).await;
    assert_eq!(plan.status, 200);
    for shown in
        ["Set up these webhooks?", "(4 steps)", "is created", "is changed", "is removed", "is left alone"]
    {
        assert!(plan.text().contains(shown), "{shown}: {}", plan.text());
    }
    assert!(bench.connects.asked.lock().unwrap().is_empty() && noted(&bench).await.is_empty());
    let done = browser.post(&page(), &[&chosen[..], &[("action", "connect")]].concat()).await;
    assert_eq!(done.status, 303);
    assert_eq!(*bench.connects.asked.lock().unwrap(), [(ConnectForm::OneUrl, true)]);
    let told = browser.get(done.location().unwrap()).await;
    assert!(told.text().contains("Not everything could be carried out"), "{}", told.text());
    assert!(!told.text().contains("It was carried out") && told.text().contains("0 of 1"), "{}", told.text());
    let noted = noted(&bench).await;
    assert_eq!((noted.len(), noted[0].after["form"].as_str()), (2, Some("one_url")));
    bench.connects.goes_well.store(true, Ordering::Relaxed);
    let done = browser.post(&page(), &[&chosen[..], &[("action", "connect")]].concat()).await;
    let told = browser.get(done.location().unwrap()).await;
    assert!(told.text().contains("It was carried out"), "{}", told.text());
}

#[tokio::test]
async fn what_is_handed_over_is_said_to_be_under_way_until_its_end_is_noted_or_nobody_takes_it_up_any_more() {
    let bench = bench(true).await;
    bench.connects.hands_over.store(true, Ordering::Relaxed);
    let mut browser = bench.signed_in(ADMIN).await;
    let chosen = [("form", "one_url"), ("action", "plan")];
    assert!(browser.post(&page(), &chosen).await.text().contains("Set up these webhooks?"));
    let asked = browser.post(&page(), &[("form", "one_url"), ("action", "connect")]).await;
    assert!(asked.location().unwrap().ends_with("?done=asked"), "{:?}", asked.location());
    let seen = browser.get(asked.location().unwrap()).await;
    for shown in ["It was asked for. The result will be below.", "and is being done", "data-watched"] {
        assert!(seen.text().contains(shown), "{shown}: {}", seen.text());
    }
    // What takes the key at once is a command.
    let command = format!("<code>postledger url --server {OWN}</code>");
    assert!(seen.text().contains(&command) && !seen.text().contains("value=\"password\""));
    assert_eq!(browser.post(&page(), &[("action", "password")]).await.status, 409);
    let noted = noted(&bench).await;
    assert_eq!((noted.len(), &noted[1].after["handed_over"]), (2, &serde_json::json!(true)));
    let job = Job::last(&*bench.store, server(OWN)).await.unwrap().unwrap();
    bench.pass(JOB_MINUTES * 60);
    let mut browser = bench.signed_in(ADMIN).await;
    let seen = browser.get(&page()).await;
    assert!(seen.text().contains("its end was not noted") && !seen.text().contains("data-watched"));
    let fails = Err(ConnectingError::NoKey);
    job.ended(&fails, now()).keep_end(&*bench.store, server(OWN)).await.unwrap();
    let seen = browser.get(&page()).await;
    assert!(seen.text().contains("postledger keys store"), "{}", seen.text());
}

#[tokio::test]
async fn without_the_key_the_page_has_the_commands_and_no_button() {
    let bench = bench(false).await;
    for address in [ADMIN, OPERATOR] {
        let mut browser = bench.signed_in(address).await;
        let seen = browser.get(&page()).await;
        for command in ["connect", "url", "keys rotate"] {
            let command = format!("<code>postledger {command} --server {OWN}</code>");
            assert!(seen.text().contains(&command), "{address}: {command}");
        }
        assert!(!seen.text().contains("name=\"action\""), "{address}");
        let sent = browser.post(&page(), &[("action", "connect"), ("form", "per_type")]).await;
        assert_eq!(sent.status, 409);
        assert!(sent.text().contains(&format!("run `postledger connect --server {OWN}`")), "{}", sent.text());
        let sent = browser.post(&page(), &[("action", "password")]).await;
        assert_eq!(sent.status, 409);
    }
    assert!(noted(&bench).await.is_empty());
}

#[tokio::test]
async fn a_password_takes_a_fresh_code_stands_on_one_answer_and_is_noted() {
    let bench = bench(true).await;
    let mut browser = bench.signed_in(ADMIN).await;
    bench.pass(301);
    let stale = browser.post(&page(), &[("action", "password")]).await;
    assert_eq!(stale.status, 303);
    assert!(stale.location().unwrap().starts_with("/confirm?back="), "{:?}", stale.location());
    assert!(noted(&bench).await.is_empty());
    let mut browser = bench.signed_in(ADMIN).await;
    let shown = browser.post(&page(), &[("action", "password")]).await;
    assert_eq!((shown.status, shown.header("cache-control")), (200, Some("no-store")));
    assert!(shown.text().contains(PASSWORD));
    assert!(!browser.get(&page()).await.text().contains(PASSWORD));
    let noted = noted(&bench).await;
    assert_eq!(
        (noted.len(), noted[0].what.as_str(), &noted[0].who.name),
        (2, "webhooks.password", &bench.id_of(ADMIN))
    );
    assert!(!format!("{noted:?}").contains(PASSWORD));
    // Whom a client's own system let in has no code to enter.
    let mut let_in = bench.let_in(Role::Admin).await;
    assert!(!let_in.get(&page()).await.text().contains("value=\"password\""));
    let refused = let_in.post(&page(), &[("action", "password")]).await;
    assert_eq!(refused.status, 403);
    assert!(!refused.text().contains(PASSWORD));
}

#[tokio::test]
async fn only_operators_move_webhooks_to_another_key_and_after_a_fresh_code() {
    let bench = bench(true).await;
    let mut admin = bench.signed_in(ADMIN).await;
    for action in ["rotation", "rotate"] {
        assert_eq!(admin.post(&page(), &[("action", action)]).await.status, 404);
    }
    let mut operator = bench.signed_in(OPERATOR).await;
    assert_eq!(operator.post(&page(), &[("action", "rotation")]).await.status, 200);
    assert!(noted(&bench).await.is_empty(), "it was only asked");
    bench.pass(301);
    assert_eq!(operator.post(&page(), &[("action", "rotate")]).await.status, 303);
    assert!(noted(&bench).await.is_empty());
    let mut operator = bench.signed_in(OPERATOR).await;
    let moved = operator.post(&page(), &[("action", "rotate")]).await;
    assert_eq!(moved.status, 200);
    assert!(moved.text().contains("All webhooks are moved"), "{}", moved.text());
    assert_eq!(noted(&bench).await.len(), 2);
}

#[tokio::test]
async fn the_overview_leads_admins_to_webhooks_that_are_wrong() {
    let bench = bench(true).await;
    let link = format!("<a href=\"{}\">Look at the webhooks</a>", page());
    let mut admin = bench.signed_in(ADMIN).await;
    assert!(admin.get(&format!("/servers/{OWN}")).await.text().contains(&link));
    let mut viewer = bench.signed_in(crate::bench::VIEWER).await;
    assert!(!viewer.get(&format!("/servers/{OWN}")).await.text().contains("webhooks"));
}
