//! What is written in a mail, on its page: for whom, and how a mail that attacks is shown.

use crate::CSP;
use crate::bench::{ADMIN, Bench, FOREIGN, OPERATOR, OWN, SENT, VIEWER, at, server};
use crate::pages::MAIL_CSP;
use crate::texts::Texts;
use account::Vault as _;
use answers::Role;
use http::Method;
use people::{Access, Standing, User};
use postmark_api::Token;
use serde_json::Value;
use store::Collection;
use store::prelude::*;

const READER: &str = "rita.reader@client.example";
const SHOW: [(&str, &str); 1] = [("action", "show")];
const HTML: [(&str, &str); 1] = [("action", "html")];

fn t() -> Texts {
    Texts::default()
}

fn page(id: i64, message: &str) -> String {
    format!("/servers/{id}/messages/{message}/content")
}

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    let reads = Standing { role: Role::Viewer, reveal_addresses: true, read_content: true };
    bench.invite(READER, Access::Servers([(server(OWN), reads)].into())).await;
    for (id, token) in [(OWN, "own-s3cret"), (FOREIGN, "other-s3cret")] {
        bench.store.note_stream(server(id), "outbound").await.unwrap();
        bench.vault.put(server(id), &Token::new(token).unwrap()).await.unwrap();
    }
    bench
}

/// The steps that are noted of looks.
async fn looks(bench: &Bench) -> Vec<Value> {
    let all = bench.store.documents(&Collection::Audit(server(OWN))).await.unwrap();
    let all = all.into_iter().map(|(_, document)| serde_json::from_str::<Value>(&document.text).unwrap());
    all.filter(|step| step["what"] == "message.content").collect()
}

#[tokio::test]
async fn a_mail_is_shown_when_somebody_who_may_see_it_asks_for_it_and_each_look_is_noted() {
    let bench = bench().await;
    let mut browser = bench.signed_in(READER).await;
    let link = format!("href=\"{}\"", page(OWN, SENT));
    let of_message = browser.get(&format!("/servers/{OWN}/sent?message={SENT}")).await;
    assert!(of_message.text().contains(&link), "{}", of_message.text());
    let before = browser.get(&page(OWN, SENT)).await;
    assert!(before.status == 200 && !before.text().contains("c0ntent"), "to open the page is no look");
    assert_eq!((looks(&bench).await.len(), before.header("content-security-policy")), (0, Some(CSP)));
    let seen = browser.post(&page(OWN, SENT), &SHOW).await;
    for shown in ["own c0ntent", "own subject", "own attachment", "&#60;script&#62;alert(1)"] {
        assert!(seen.text().contains(shown), "{shown}: {}", seen.text());
    }
    assert!(!seen.text().contains("<script>alert") && !seen.text().contains("tracker.example"));
    let steps = looks(&bench).await;
    assert_eq!(steps.len(), 2, "{steps:?}");
    let who = bench.id_of(READER);
    assert!(steps.iter().all(|step| step["target"] == SENT && step["who"]["name"] == who.as_str()));
    let noted = format!("{steps:?}");
    assert!(!["c0ntent", "subject", "@", "attachment"].iter().any(|text| noted.contains(text)), "{noted}");
    let audit = bench.signed_in(ADMIN).await.get(&format!("/servers/{OWN}/audit")).await;
    assert!(audit.text().contains(&t().audit_what_message_content()), "{}", audit.text());
}

#[tokio::test]
async fn html_of_a_mail_runs_nothing_loads_nothing_and_is_framed_by_its_page_alone() {
    let bench = bench().await;
    let mut browser = bench.signed_in(READER).await;
    let seen = browser.post(&page(OWN, SENT), &SHOW).await;
    assert_eq!(seen.header("content-security-policy"), Some(&*format!("{CSP}; frame-src 'self'")));
    assert!(!CSP.contains("frame-src"), "no other page has a frame");
    let frame = seen.text().split("<iframe").nth(1).unwrap().split('>').next().unwrap();
    assert!(
        frame.contains(" sandbox ") && !["srcdoc", "allow"].iter().any(|one| frame.contains(one)),
        "{frame}"
    );
    let mail = browser.post(&page(OWN, SENT), &HTML).await;
    for (name, value) in [
        ("content-security-policy", MAIL_CSP),
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        // A mail may ask for names to be looked up; against this it asks in vain.
        ("x-dns-prefetch-control", "off"),
    ] {
        assert_eq!(mail.header(name), Some(value), "{name}");
        assert_eq!(mail.headers.get_all(name).iter().count(), 1, "{name}");
    }
    for part in ["default-src 'none'", "frame-ancestors 'self'", "; sandbox"] {
        assert!(MAIL_CSP.contains(part), "{part}");
    }
    assert!(!["script-src", "allow-", "https:", "*"].iter().any(|part| MAIL_CSP.contains(part)));
    assert!(
        mail.text().contains("<p>¤own c0ntent¤</p>") && mail.text().contains("<x-link "),
        "{}",
        mail.text()
    );
    // By a link it cannot be had, so that no other page can put it anywhere.
    for query in ["?action=html", "?action=show"] {
        let seen = browser.get(&format!("{}{query}", page(OWN, SENT))).await;
        assert!(!seen.text().contains("c0ntent"), "{query}");
    }
    let headers = [("sec-fetch-site", "cross-site"), ("content-type", "application/x-www-form-urlencoded")];
    let other = browser.send(Method::POST, &page(OWN, SENT), &headers, b"action=html").await;
    assert!(other.status == 403 && !other.text().contains("c0ntent"));
}

#[tokio::test]
async fn whoever_was_not_given_the_right_sees_no_mail_whatever_their_role() {
    let bench = bench().await;
    bench.invite("blind@agency.example", Access::operator(true, false)).await;
    bench.invite("masked@client.example", at(OWN, Role::Admin, false)).await;
    for who in [VIEWER, ADMIN, "blind@agency.example", "masked@client.example"] {
        let mut browser = bench.signed_in(who).await;
        let of_message = browser.get(&format!("/servers/{OWN}/sent?message={SENT}")).await;
        assert!(!of_message.text().contains(&page(OWN, SENT)), "{who}");
        assert!(browser.get(&page(OWN, SENT)).await.text().contains(&t().content_not_yours()), "{who}");
        for form in [SHOW, HTML] {
            let seen = browser.post(&page(OWN, SENT), &form).await;
            assert_eq!(seen.status, 403, "{who}");
            assert!(seen.text().contains(&t().content_not_yours()), "{who}: {}", seen.text());
            assert!(!seen.text().contains("c0ntent"), "{who}");
        }
    }
    assert_eq!(looks(&bench).await.len(), 0);
}

#[tokio::test]
async fn a_mail_of_somebody_elses_server_is_answered_as_one_of_a_server_that_is_not_there() {
    let bench = bench().await;
    let mut browser = bench.signed_in(READER).await;
    for form in [SHOW, HTML] {
        let foreign = browser.post(&page(FOREIGN, SENT), &form).await;
        let nowhere = browser.post(&page(8_999_999, SENT), &form).await;
        assert_eq!((foreign.status, foreign.whole()), (404, nowhere.whole()));
    }
    for odd in ["ida%40x.example", "a%2Fb", "..", "a.b"] {
        assert_eq!(browser.get(&page(OWN, odd)).await.status, 404, "{odd}");
    }
}

#[tokio::test]
async fn why_there_is_nothing_to_see_is_said_on_the_page_and_in_the_frame() {
    for (token, message, status, words) in [
        ("own-s3cret", "7dc0521c-a785-4c7b-b689-000000000000", 200, t().sent_no_message()),
        ("refused-s3cret", SENT, 409, t().sent_token_not_accepted()),
        ("silent-s3cret", SENT, 409, t().sent_unavailable()),
    ] {
        let bench = bench().await;
        bench.vault.put(server(OWN), &Token::new(token).unwrap()).await.unwrap();
        let mut browser = bench.signed_in(READER).await;
        for (form, csp) in [(SHOW, CSP), (HTML, MAIL_CSP)] {
            let seen = browser.post(&page(OWN, message), &form).await;
            assert_eq!((seen.status, seen.header("content-security-policy")), (status, Some(csp)), "{token}");
            assert!(seen.text().contains(&words), "{token}: {}", seen.text());
        }
    }
}

#[tokio::test]
async fn the_right_to_content_is_given_with_a_fresh_code_by_whoever_has_it_and_by_nobody_else() {
    let bench = bench().await;
    let vera = bench.id_of(VIEWER);
    let people = format!("/servers/{OWN}/people");
    let change = [("action", "change"), ("user", vera.as_str()), ("role", "viewer"), ("content", "on")];
    let given = async || {
        let user = User::get(&*bench.store, &vera).await.unwrap().unwrap();
        user.access.at(server(OWN)).unwrap()
    };
    let mut admin = bench.signed_in(ADMIN).await;
    assert!(!admin.get(&format!("{people}?user={vera}")).await.text().contains("name=\"content\""));
    let refused = admin.post(&people, &change).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains(&t().people_refused_reveal()), "{}", refused.text());
    assert!(!given().await.read_content);
    let mut operator = bench.signed_in(OPERATOR).await;
    bench.pass(301);
    assert_eq!(operator.post(&people, &change).await.status, 303, "it takes a fresh code");
    assert!(!given().await.read_content);
    let mut operator = bench.signed_in(OPERATOR).await;
    assert!(operator.get(&format!("{people}?user={vera}")).await.text().contains("name=\"content\""));
    assert_eq!(operator.post(&people, &change).await.status, 303);
    // Whoever chooses the content chooses the addresses that are in it.
    assert_eq!(given().await, Standing { role: Role::Viewer, reveal_addresses: true, read_content: true });
    let mut viewer = bench.signed_in(VIEWER).await;
    assert!(viewer.post(&page(OWN, SENT), &SHOW).await.text().contains("own c0ntent"));
    // An admin who has it not may leave it to others, or take it away.
    let kept = admin.get(&format!("{people}?user={vera}")).await;
    assert!(kept.text().contains("name=\"content\""), "{}", kept.text());
    bench.pass(3_600);
    let mut admin = bench.signed_in(ADMIN).await;
    let less = [("action", "change"), ("user", vera.as_str()), ("role", "viewer"), ("reveal", "on")];
    assert_eq!(admin.post(&people, &less).await.status, 303);
    assert!(!given().await.read_content);
    assert_eq!(viewer.post(&page(OWN, SENT), &SHOW).await.status, 403, "at once");
}
