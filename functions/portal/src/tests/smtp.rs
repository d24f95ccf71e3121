//! Keys for SMTP on pages: stored, checked, replaced and removed by an admin, and where a test mail arrived.

use super::fixture::record;
use super::html::Html;
use crate::bench::{ADMIN, Bench, OWN, VIEWER, server};
use crate::texts::Texts;
use account::Vault as _;
use http::Method;
use ledger::Source;
use postmark_api::{SmtpPair, Token};
use serde_json::{Value, json};
use store::Collection;
use store::prelude::*;

const SMTP: &str = "/servers/8123456/settings/smtp";
const OUTBOUND: &str = "/servers/8123456/settings/smtp?stream=outbound";

fn t() -> Texts {
    Texts::default()
}

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    for stream in ["outbound", "news"] {
        bench.store.note_stream(server(OWN), stream).await.unwrap();
    }
    bench
}

fn form<'a>(action: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("action", action), ("stream", "outbound")], more].concat()
}

fn keys<'a>(access: &'a str, secret: &'a str) -> Vec<(&'a str, &'a str)> {
    form("keep", &[("access_key", access), ("secret_key", secret)])
}

async fn kept(bench: &Bench) -> Option<(String, bool)> {
    let pairs = bench.vault.smtp(server(OWN), "outbound").await.unwrap()?;
    Some((pairs.now.secret.reveal().to_owned(), pairs.before.is_some()))
}

/// A delivery of a mail with a tag comes in.
async fn delivered(bench: &Bench, stream: &str, tag: &str) {
    let body = json!({
        "RecordType": "Delivery", "MessageStream": stream, "ServerID": OWN, "MessageID": format!("{stream}-{tag}"),
        "Tag": tag, "Recipient": "ida@client.example", "DeliveredAt": bench.now().to_string(),
    });
    record(bench, OWN, body, Source::Webhook).await;
}

#[tokio::test]
async fn keys_are_stored_if_they_log_in_and_no_page_has_the_secret() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    for (secret, words) in [
        ("wrong-s3cret", t().keys_problem(t().keys_wrong_pair())),
        ("tls-s3cret", t().keys_problem(t().keys_tls_refused())),
        ("blocked-s3cret", t().keys_problem(t().keys_unreachable())),
        ("slow-s3cret", t().keys_problem(t().keys_timed_out())),
    ] {
        let seen = browser.post(SMTP, &keys("key-s3cret", secret)).await;
        assert_eq!(seen.status, 409, "{secret}");
        assert!(seen.text().contains(&words) && !seen.text().contains("s3cret"), "{secret}: {}", seen.text());
    }
    let seen = browser.post(SMTP, &keys("key-s3cret", "two s3cret")).await;
    assert_eq!(seen.status, 400);
    assert!(seen.text().contains(&t().keys_not_understood()) && !seen.text().contains("s3cret"));
    assert_eq!(kept(&bench).await, None);
    let seen = browser.post(SMTP, &keys("key-1", "good-s3cret")).await;
    assert_eq!(seen.location(), Some(format!("{OUTBOUND}&done=kept").as_str()));
    assert_eq!(kept(&bench).await, Some(("good-s3cret".to_owned(), false)));
    let page = browser.get(OUTBOUND).await;
    for told in
        ["smtp.postmarkapp.com", "587", "key-1", "X-PM-Message-Stream: outbound", &t().keys_accepted()]
    {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    let list = browser.get(SMTP).await;
    assert!(list.text().contains(&t().keys_accepted()) && list.text().contains(&t().keys_none()));
    let noted = bench.kept(&[Collection::Audit(server(OWN)), Collection::Smtp]).await;
    for page in [page.whole(), list.whole(), format!("{noted:?}")] {
        assert!(!page.contains("s3cret"), "{page}");
    }
}

#[tokio::test]
async fn the_page_leads_from_new_keys_to_old_ones_that_are_revoked() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    browser.post(SMTP, &keys("key-1", "first")).await;
    browser.post(SMTP, &keys("key-2", "second")).await;
    assert!(browser.get(OUTBOUND).await.text().contains(&t().keys_old_works()));
    let seen = browser.post(SMTP, &keys("key-3", "third")).await;
    assert_eq!(seen.status, 409);
    assert!(seen.text().contains(&t().keys_old_first()));
    let [access, secret] = ["key-1", "first"].map(|key| Token::new(key).unwrap());
    bench.smtp.revoke(SmtpPair { access, secret });
    let seen = browser.post(SMTP, &form("check", &[])).await;
    assert_eq!(seen.location(), Some(format!("{OUTBOUND}&done=checked").as_str()));
    assert!(!browser.get(OUTBOUND).await.text().contains(&t().keys_old()));
    assert_eq!(kept(&bench).await, Some(("second".to_owned(), false)));
}

#[tokio::test]
async fn the_ledger_says_whether_a_test_mail_arrived_and_names_a_wrong_stream() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let mail = form("test", &[("sender", "shop@client.example"), ("recipient", "ida@client.example")]);
    browser.post(SMTP, &keys("key-1", "good")).await;
    for (stream, words) in
        [("news", t().keys_elsewhere("news")), ("outbound", t().keys_delivered("outbound"))]
    {
        let seen = browser.post(SMTP, &mail).await;
        assert_eq!(seen.location(), Some(format!("{OUTBOUND}&done=tested").as_str()));
        let page = browser.get(OUTBOUND).await;
        assert!(page.text().contains(&t().keys_waiting()), "an earlier one is another one");
        bench.pass(30);
        delivered(&bench, stream, &bench.smtp.sent().last().unwrap().tag).await;
        let page = browser.get(OUTBOUND).await;
        assert!(page.text().contains(&words), "{words}: {}", page.text());
        bench.pass(10);
    }
    bench.pass(7 * 3_600);
    let mut browser = bench.signed_in(ADMIN).await;
    assert!(browser.get(OUTBOUND).await.text().contains(&t().keys_past()));
}

#[tokio::test]
async fn a_test_mail_that_is_not_among_those_that_were_looked_at_may_be_among_the_others() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let mail = form("test", &[("sender", "shop@client.example"), ("recipient", "ida@client.example")]);
    browser.post(SMTP, &keys("key-1", "good")).await;
    browser.post(SMTP, &mail).await;
    for n in 0..101 {
        bench.store.note_stream(server(OWN), &format!("s{n}")).await.unwrap();
    }
    let page = browser.get(OUTBOUND).await;
    assert!(page.status == 200 && page.text().contains(&t().keys_not_all()), "{}", page.text());
}

#[tokio::test]
async fn a_test_mail_that_may_have_been_sent_is_not_called_unsent_and_is_looked_for() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let mail = form("test", &[("sender", "shop@client.example"), ("recipient", "ida@client.example")]);
    browser.post(SMTP, &keys("key-1", "lost-s3cret")).await;
    let seen = browser.post(SMTP, &mail).await;
    assert_eq!(seen.status, 409);
    for words in [t().test_mail_uncertain(), t().keys_waiting()] {
        assert!(seen.text().contains(&words), "{words}: {}", seen.text());
    }
    assert!(!seen.text().contains("Nothing was changed"));
}

#[tokio::test]
async fn what_is_wrong_with_a_test_mail_stands_beside_its_fields_and_what_was_typed_stays() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    browser.post(SMTP, &keys("key-1", "good")).await;
    let mail = form("test", &[("sender", "shop@client.example"), ("recipient", "nobody")]);
    let seen = browser.post(SMTP, &mail).await;
    assert_eq!(seen.status, 400);
    let html = Html::read(seen.text());
    let field = html.all("input").find(|input| input.get("id") == Some("recipient")).unwrap();
    assert_eq!((field.get("value"), field.get("aria-invalid")), (Some("nobody"), Some("true")));
    let sender = html.all("input").find(|input| input.get("id") == Some("sender")).unwrap();
    assert_eq!((sender.get("value"), sender.get("aria-invalid")), (Some("shop@client.example"), None));
    let problem = html.all("p").find(|p| p.get("id") == Some("problem")).unwrap();
    assert_eq!(problem.text.trim(), t().keys_address_wrong());
    assert!(bench.smtp.sent().is_empty());
}

#[tokio::test]
async fn keys_are_removed_after_a_question_and_not_by_reading_it() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let question = "/servers/8123456/settings/smtp?remove=outbound";
    assert_eq!(browser.get(question).await.status, 404, "there is nothing to remove");
    browser.post(SMTP, &keys("key-1", "good")).await;
    assert!(browser.get(question).await.text().contains(&t().keys_remove_what()));
    assert!(kept(&bench).await.is_some());
    let seen = browser.post(SMTP, &form("remove", &[])).await;
    assert_eq!(seen.location(), Some(format!("{OUTBOUND}&done=removed").as_str()));
    assert_eq!(kept(&bench).await, None);
}

#[tokio::test]
async fn storing_and_removing_take_a_fresh_code_and_keys_are_not_repeated_meanwhile() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    browser.post(SMTP, &keys("key-1", "good")).await;
    bench.pass(301);
    for fields in [keys("key-s3cret", "new-s3cret"), form("remove", &[])] {
        let seen = browser.post(SMTP, &fields).await;
        assert!(seen.location().is_some_and(|to| to.starts_with("/confirm?back=")), "{}", seen.status);
        assert!(!seen.whole().contains("s3cret"));
    }
    assert!(
        browser.get(OUTBOUND).await.text().contains("/confirm?back="),
        "it says so before keys are pasted"
    );
    assert_eq!(kept(&bench).await, Some(("good".to_owned(), false)));
    let mut nobody = bench.browser();
    let seen = nobody.post(SMTP, &keys("key-s3cret", "new-s3cret")).await;
    assert!(seen.status == 401 && !seen.text().contains("s3cret"), "{}", seen.text());
    let mut viewer = bench.signed_in(VIEWER).await;
    assert_eq!(viewer.post(SMTP, &keys("key-2", "other")).await.status, 404);
    assert_eq!(viewer.get(SMTP).await.status, 404);
    let (_, told) = bench.api(Method::GET, &format!("/v1/servers/{OWN}/smtp"), Value::Null).await;
    assert_eq!(told["streams"][1]["pair"]["user"], "key-1", "{told}");
}

#[tokio::test]
async fn the_set_up_says_whether_keys_log_in_and_misses_none_where_none_are_needed() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let page = format!("/servers/{OWN}/set-up");
    let seen = browser.get(&page).await;
    assert!(
        seen.text().contains(&t().set_up_smtp_none()) && seen.text().contains(&t().set_up_state_optional())
    );
    assert!(seen.text().contains(&t().set_up_left(1, 4)), "{}", seen.text());
    browser.post(SMTP, &keys("key-1", "good-s3cret")).await;
    let seen = browser.get(&page).await;
    assert!(seen.text().contains(&t().set_up_smtp_done("outbound")), "{}", seen.text());
    assert!(seen.text().contains(&t().set_up_left(2, 5)), "{}", seen.text());
    let [access, secret] = ["key-1", "good-s3cret"].map(|key| Token::new(key).unwrap());
    bench.smtp.revoke(SmtpPair { access, secret });
    browser.post(SMTP, &form("check", &[])).await;
    let seen = browser.get(&page).await;
    assert!(seen.text().contains(&t().set_up_smtp_wrong("outbound")), "{}", seen.text());
    assert!(seen.text().contains(&t().set_up_left(1, 5)), "{}", seen.text());
}
