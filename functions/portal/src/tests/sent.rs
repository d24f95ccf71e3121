//! What Postmark says it sent, on pages: of whom the ledger knows, of whom it does not, and of one message.

use super::fixture::{Texts as Fixture, fill};
use crate::bench::{ADMIN, Bench, OWN, SENT, VIEWER, at, server};
use crate::texts::Texts;
use account::Vault as _;
use answers::Role;
use postmark_api::Token;
use store::prelude::*;

const PAGE: &str = "/servers/8123456/sent";

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
async fn whether_postmark_sent_anything_is_seen_of_somebody_whom_the_ledger_does_not_know() {
    let bench = bench("own-s3cret").await;
    let mut browser = bench.signed_in(VIEWER).await;
    let unknown = browser.post("/servers/8123456/recipients", &[("address", "new@client.example")]).await;
    assert!(unknown.text().contains(&t().sent_button_unknown()), "{}", unknown.text());
    let seen = browser.post(PAGE, &[("address", "new@client.example")]).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    let message = format!("{PAGE}?message={SENT}");
    for shown in [t().sent_recorded_no(), "own subject".to_owned(), format!("href=\"{message}\"")] {
        assert!(seen.text().contains(&shown), "{shown}: {}", seen.text());
    }
    let seen = browser.get(&message).await;
    for shown in [t().sent_not_recorded(), t().sent_event_delivered(), "own said".to_owned(), SENT.to_owned()]
    {
        assert!(seen.text().contains(&shown), "{shown}: {}", seen.text());
    }
    assert!(!seen.text().contains("c0ntent"), "no content of a mail is shown");
    let wrong = browser.post(PAGE, &[("address", "new")]).await;
    assert!(wrong.status == 400 && wrong.text().contains("value=\"new\""), "{}", wrong.text());
    for odd in ["message=a@b.example", "message=a%2Fb"] {
        assert_eq!(browser.get(&format!("{PAGE}?{odd}")).await.status, 400, "{odd}");
    }
    assert_eq!(browser.get(&format!("{PAGE}?of=a@b.example")).await.status, 404);
    let gone = browser.get(&format!("{PAGE}?message=other")).await;
    assert!(gone.status == 200 && gone.text().contains(&t().sent_no_message()), "{}", gone.text());
}

#[tokio::test]
async fn somebody_whom_the_ledger_knows_is_asked_about_by_the_id_and_without_the_right_no_subject_is_shown() {
    let bench = bench("own-s3cret").await;
    let filled = fill(&bench, OWN, Fixture::Plain("acme")).await;
    bench.vault.put(server(OWN), &Token::new("own-s3cret").unwrap()).await.unwrap();
    let of = format!("{PAGE}?of={}", filled.recipients[0].1);
    let mut browser = bench.signed_in(ADMIN).await;
    let page = browser.get(&format!("/servers/{OWN}/recipients/{}", filled.recipients[0].1)).await;
    assert!(page.text().contains(&format!("href=\"{of}\"")), "{}", page.text());
    assert!(browser.get(&of).await.text().contains("own subject"));
    bench.invite("masked@client.example", at(OWN, Role::Viewer, false)).await;
    let mut masked = bench.signed_in("masked@client.example").await;
    for target in [of, format!("{PAGE}?message={SENT}")] {
        let seen = masked.get(&target).await;
        assert_eq!(seen.status, 200);
        assert!(
            !["own subject", "own said", "ida@"].iter().any(|text| seen.text().contains(text)),
            "{}",
            seen.text()
        );
    }
}

#[tokio::test]
async fn why_postmark_cannot_be_asked_stands_on_the_page_and_what_was_typed_stays() {
    for (token, words) in [
        ("", t().sent_no_token()),
        ("refused-s3cret", t().sent_token_not_accepted()),
        ("silent-s3cret", t().sent_unavailable()),
    ] {
        let bench = bench(token).await;
        let mut browser = bench.signed_in(VIEWER).await;
        let seen = browser.post(PAGE, &[("address", "new@client.example")]).await;
        assert_eq!(seen.status, 409, "{token}");
        assert!(
            seen.text().contains(&words) && seen.text().contains("new@client.example"),
            "{}",
            seen.text()
        );
    }
}
