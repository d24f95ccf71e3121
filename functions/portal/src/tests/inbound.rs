//! What Postmark says came in, on its page.

use crate::bench::{Bench, OWN, VIEWER, at, server};
use crate::texts::Texts;
use account::Vault as _;
use answers::Role;
use postmark_api::Token;
use store::prelude::*;

const PAGE: &str = "/servers/8123456/inbound";

fn t() -> Texts {
    Texts::default()
}

async fn bench(token: &str) -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    bench.store.note_stream(server(OWN), "outbound").await.unwrap();
    if !token.is_empty() {
        bench.vault.put(server(OWN), &Token::new(token).unwrap()).await.unwrap();
    }
    bench
}

#[tokio::test]
async fn mail_that_came_in_is_shown_with_what_became_of_it_and_why() {
    let bench = bench("own-s3cret").await;
    let mut browser = bench.signed_in(VIEWER).await;
    let sent = browser.get("/servers/8123456/sent").await;
    assert!(sent.text().contains(&format!("href=\"{PAGE}\"")), "{}", sent.text());
    let seen = browser.get(PAGE).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    for shown in [
        t().inbound_blocked(),
        t().inbound_processed(),
        "own inbound subject".to_owned(),
        "own rule".to_owned(),
    ] {
        assert!(seen.text().contains(&shown), "{shown}: {}", seen.text());
    }
    let blocked = browser.get(&format!("{PAGE}?status=blocked")).await;
    assert!(blocked.text().contains("value=\"blocked\" selected"), "{}", blocked.text());
    assert_eq!(
        browser.get(&format!("{PAGE}?status=%3Cscript%3E")).await.status,
        200,
        "what is no status is any"
    );
    bench.invite("masked@client.example", at(OWN, Role::Viewer, false)).await;
    let masked = bench.signed_in("masked@client.example").await.get(PAGE).await;
    assert!(masked.text().contains("i***@own-customer.example"), "{}", masked.text());
    assert!(
        !["subject¤", "rule¤", "ida@"].iter().any(|text| masked.text().contains(text)),
        "{}",
        masked.text()
    );
}

#[tokio::test]
async fn why_postmark_cannot_be_asked_what_came_in_stands_on_the_page() {
    for (token, words) in [
        ("", t().sent_no_token()),
        ("refused-s3cret", t().sent_token_not_accepted()),
        ("silent-s3cret", t().sent_unavailable()),
    ] {
        let bench = bench(token).await;
        let seen = bench.signed_in(VIEWER).await.get(PAGE).await;
        assert_eq!(seen.status, 200, "{token}");
        assert!(seen.text().contains(&words), "{}", seen.text());
    }
}
