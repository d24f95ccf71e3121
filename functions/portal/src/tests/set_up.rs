//! A server's set-up: each step is told from what is recorded, and a test mail from what Postmark reported of it.

use super::fixture::record;
use crate::bench::{ADMIN, Bench, OPERATOR, OWN, SENT, VIEWER, access, server};
use crate::texts::Texts;
use account::{Registry, Vault as _};
use ledger::Source;
use postmark_api::Token;
use serde_json::json;
use store::Collection;
use store::prelude::*;

const FROM: &str = "shop@client.example";
const TO: &str = "ida@customer.example";

fn page() -> String {
    format!("/servers/{OWN}/set-up")
}

/// A ledger with an operator and nothing else.
async fn empty() -> Bench {
    let bench = Bench::default();
    bench.invite(OPERATOR, access(OPERATOR)).await;
    bench
}

/// The same with a server that was added.
async fn added() -> Bench {
    let bench = empty().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let fields = [("token", "own-s3cret"), ("client", "Acme"), ("label", "Acme shop")];
    let done = browser.post("/servers/new", &fields).await;
    assert_eq!(done.location(), Some(format!("{}?done=added", page()).as_str()), "{}", done.text());
    bench
}

/// What was noted of the server, as text.
async fn noted(bench: &Bench) -> String {
    let all = bench.store.documents(&Collection::Audit(server(OWN))).await.unwrap();
    all.into_iter().map(|(_, document)| document.text).collect()
}

/// How often each state of a step stands on a page.
fn states(page: &str) -> [usize; 3] {
    let t = Texts::default();
    let count = |state: String| page.matches(&format!(">{state}</span>")).count();
    [t.set_up_state_done(), t.set_up_state_next(), t.set_up_state_open()].map(count)
}

#[tokio::test]
async fn an_operator_adds_a_server_by_its_token_and_comes_to_its_set_up() {
    let bench = added().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let token = bench.vault.token(server(OWN)).await.unwrap().unwrap();
    assert_eq!(token.reveal(), "own-s3cret");
    let seen = browser.get(&page()).await;
    assert!(seen.text().contains("Set-up of Acme shop"), "{}", seen.text());
    assert_eq!(states(seen.text()), [1, 1, 2], "the server is there, the webhooks are next: {}", seen.text());
    let first = browser.get("/").await;
    assert!(first.text().contains(&format!("href=\"{}\"", page())), "{}", first.text());
    let overview = browser.get(&format!("/servers/{OWN}")).await;
    assert!(overview.text().contains(&Texts::default().set_up_go_on()), "{}", overview.text());
    assert!(!noted(&bench).await.contains("s3cret") && !seen.text().contains("s3cret"));
}

#[tokio::test]
async fn a_server_that_is_there_is_said_to_be_and_keeps_its_token_and_names() {
    let bench = added().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let again = browser.post("/servers/new", &[("token", "own-other"), ("label", "Other")]).await;
    assert_eq!(again.location(), Some(format!("{}?done=there", page()).as_str()));
    assert_eq!(bench.vault.token(server(OWN)).await.unwrap().unwrap().reveal(), "own-s3cret");
    let entry = Registry(&*bench.store).get(server(OWN)).await.unwrap().unwrap();
    assert_eq!((entry.client.as_str(), entry.label.as_str()), ("Acme", "Acme shop"));
}

#[tokio::test]
async fn what_is_no_token_adds_nothing_and_the_names_that_were_typed_are_kept() {
    let bench = empty().await;
    let t = Texts::default();
    let mut browser = bench.signed_in(OPERATOR).await;
    let long = "x".repeat(101);
    for (token, label, status, words) in [
        ("", "Acme", 400, t.new_server_no_token()),
        ("two s3cret", "Acme", 400, t.new_server_no_token()),
        ("refused-s3cret", "Acme", 409, t.new_server_not_accepted()),
        ("silent-s3cret", "Acme", 409, t.new_server_unavailable()),
        ("own-s3cret", &long, 400, t.new_server_no_name()),
    ] {
        let seen = browser.post("/servers/new", &[("token", token), ("label", label)]).await;
        assert_eq!(seen.status, status, "{token}");
        assert!(seen.text().contains(&words), "{token}: {}", seen.text());
        assert!(seen.text().contains(&format!("value=\"{label}\"")) && !seen.text().contains("s3cret"));
    }
    bench.pass(301);
    let stale = browser.post("/servers/new", &[("token", "own-s3cret")]).await;
    assert!(stale.location().unwrap().starts_with("/confirm?back="), "{:?}", stale.location());
    assert_eq!(Registry(&*bench.store).list().await.unwrap(), []);
}

#[tokio::test]
async fn a_test_mail_is_followed_from_postmark_to_the_ledger_and_a_closed_browser_goes_on() {
    let bench = added().await;
    let t = Texts::default();
    bench.invite(ADMIN, access(ADMIN)).await;
    let mut browser = bench.signed_in(ADMIN).await;
    let fields = [("action", "test-mail"), ("stream", "outbound"), ("from", FROM), ("to", TO)];
    let sent = browser.post(&page(), &fields).await;
    assert_eq!(sent.location(), Some(format!("{}?message={SENT}", page()).as_str()), "{}", sent.text());
    assert!(!noted(&bench).await.contains('@'), "{}", noted(&bench).await);
    let waits = browser.get(sent.location().unwrap()).await;
    for shown in [t.test_mail_waits(), t.test_mail_hop_sent(), t.test_mail_again()] {
        assert!(waits.text().contains(&shown), "{shown}: {}", waits.text());
    }
    assert!(waits.text().contains("data-watched") && !waits.text().contains("name=\"to\""));
    bench.pass(180);
    let late = browser.get(&page()).await;
    for shown in [t.test_mail_late(), t.test_mail_look_webhooks(), t.test_mail_look_aside()] {
        assert!(late.text().contains(&shown), "{shown}: {}", late.text());
    }
    bench.pass(15 * 60);
    let given_up = browser.get(&page()).await;
    assert!(!given_up.text().contains("data-watched") && given_up.text().contains("name=\"to\""));
    let body = json!({
        "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": OWN, "MessageID": SENT, "Recipient": TO,
        "DeliveredAt": "2026-11-25T12:00:01Z", "Details": "250 ok",
    });
    record(&bench, OWN, body, Source::Webhook).await;
    let proven = bench.signed_in(ADMIN).await.get(&page()).await;
    for shown in [t.test_mail_delivered(), t.test_mail_hop_delivered(), t.test_mail_hop_webhook()] {
        assert!(proven.text().contains(&shown), "{shown}: {}", proven.text());
    }
    assert!(proven.text().contains(&format!("/servers/{OWN}/messages/{SENT}")), "{}", proven.text());
    assert_eq!(states(proven.text()), [3, 1, 0], "the webhooks alone are open: {}", proven.text());
    assert!(!proven.text().contains(TO) && !proven.text().contains("data-watched"));
    assert!(!browser.get("/").await.text().contains(&page()), "its events come in");
}

#[tokio::test]
async fn a_bounce_is_told_as_one_and_what_the_ledger_had_to_ask_for_proves_nothing() {
    let t = Texts::default();
    for (source, words, done) in
        [(Source::Webhook, t.test_mail_bounced(), 2), (Source::Reconcile, t.test_mail_by_hand(), 1)]
    {
        let bench = added().await;
        let mut browser = bench.signed_in(OPERATOR).await;
        let fields = [("action", "test-mail"), ("stream", "outbound"), ("from", FROM), ("to", TO)];
        browser.post(&page(), &fields).await;
        let body = json!({
            "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": OWN, "MessageID": SENT, "Email": TO,
            "ID": 7, "Type": "SoftBounce", "Inactive": false, "BouncedAt": "2026-11-25T12:00:01Z",
        });
        record(&bench, OWN, body, source).await;
        let seen = browser.get(&page()).await;
        assert!(seen.text().contains(&words), "{}", seen.text());
        assert!(seen.text().contains(&t.test_mail_hop_bounced()), "{}", seen.text());
        assert_eq!(states(seen.text())[0], done, "{source:?}");
    }
}

#[tokio::test]
async fn what_keeps_a_test_mail_from_being_sent_stands_at_its_field_and_what_was_typed_is_kept() {
    let bench = added().await;
    let t = Texts::default();
    let mut browser = bench.signed_in(OPERATOR).await;
    for (stream, from, to, words) in [
        ("", FROM, TO, t.test_mail_no_stream()),
        ("nowhere", FROM, TO, t.test_mail_no_stream()),
        ("outbound", "nobody", TO, t.test_mail_no_address()),
        ("outbound", FROM, "a@x.example,b@x.example", t.test_mail_no_address()),
    ] {
        let fields = [("action", "test-mail"), ("stream", stream), ("from", from), ("to", to)];
        let seen = browser.post(&page(), &fields).await;
        assert_eq!(seen.status, 400, "{stream} {from} {to}");
        assert!(seen.text().contains(&words) && seen.text().contains("aria-invalid"), "{}", seen.text());
        assert!(seen.text().contains(&format!("value=\"{to}\"")), "{}", seen.text());
    }
    for (token, words) in [(None, t.test_mail_no_token()), (Some("silent-s3cret"), t.test_mail_unavailable())]
    {
        match token {
            None => bench.vault.remove(server(OWN)).await.unwrap(),
            Some(token) => bench.vault.put(server(OWN), &Token::new(token).unwrap()).await.unwrap(),
        }
        let fields = [("action", "test-mail"), ("stream", "outbound"), ("from", FROM), ("to", TO)];
        let seen = browser.post(&page(), &fields).await;
        assert_eq!(seen.status, 409, "{token:?}");
        assert!(seen.text().contains(&words), "{}", seen.text());
    }
}

#[tokio::test]
async fn only_operators_add_servers_and_only_admins_see_a_set_up() {
    let bench = added().await;
    bench.invite(VIEWER, access(VIEWER)).await;
    bench.invite(ADMIN, access(ADMIN)).await;
    for (address, see) in [(VIEWER, 404), (ADMIN, 200)] {
        let mut browser = bench.signed_in(address).await;
        assert_eq!(browser.get("/servers/new").await.status, 404, "{address}");
        assert_eq!(browser.post("/servers/new", &[("token", "other-s3cret")]).await.status, 404, "{address}");
        assert_eq!(browser.get(&page()).await.status, see, "{address}");
        assert_eq!(browser.get("/").await.text().contains(&page()), see == 200, "{address}");
    }
    assert_eq!(Registry(&*bench.store).list().await.unwrap().len(), 1);
}
