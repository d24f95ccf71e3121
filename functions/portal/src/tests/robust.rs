//! Whatever is asked, and whatever fails behind it, is answered by a page.

use super::fixture::{Texts, fill};
use super::html::Html;
use super::walk::{shape, walk};
use crate::Page;
use crate::bench::{Bench, OPERATOR, OWN, Setup, VIEWER};
use crate::texts;
use http::Method;
use platform::Clock;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Memory, by_time};

/// Values that nobody means.
const ODD: [&str; 16] = [
    "",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "NaN",
    "%00",
    "%ff",
    "%F0%9F%92%A9",
    "..",
    "a%2Fb",
    "9999-12-31T23:59",
    "-009999-01-01T00:00",
    "2026-13-24T25:61:00Z",
    "AAECAwQFBgcICQoLDA0ODw",
];

#[tokio::test]
async fn no_query_makes_a_page_fail() {
    let bench = Bench::default();
    bench.invite_all().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let mut names: BTreeSet<(String, String)> = BTreeSet::new();
    let mut alike = BTreeSet::new();
    for step in walk(&mut browser, "/", 400).await {
        let (path, query) = step.target.split_once('?').unwrap_or((&step.target, ""));
        let fields = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
        let usual = ["cursor", "from", "to", "at", "known_at", "stream"].map(str::to_owned);
        for name in fields.chain(usual) {
            if alike.insert((shape(path), name.clone())) {
                names.insert((path.to_owned(), name));
            }
        }
    }
    let mut wrong = Vec::new();
    for (path, name) in names {
        for value in ODD {
            let target = format!("{path}?{name}={value}");
            let seen = browser.get(&target).await;
            let is_page = !seen.is_html() || Html::read(seen.text()).faults.is_empty();
            if seen.status >= 500 || !is_page {
                wrong.push(format!("{target}: {}", seen.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_form_makes_a_page_fail() {
    let bench = Bench::default();
    bench.invite_all().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let targets =
        Page::ALL.map(|page| page.pattern().replace("{server}", &OWN.to_string()).replace("{id}", "x"));
    let long = format!("addresses={}", "a@b.example%0A".repeat(10_100));
    let (deep, many) = ("a=".repeat(50_000), "&".repeat(100_000));
    let json = "{\"addresses\":[]}".to_owned();
    for target in
        targets.iter().map(String::as_str).chain(["/sign-in", "/sign-in/code", "/confirm", "/confirm/code"])
    {
        for body in ["", "x", "=", "&&=&", "address=%ff%fe", "addresses=%00", &long, &deep, &many, &json] {
            let headers = [("sec-fetch-site", "same-origin")];
            let seen = browser.send(Method::POST, target, &headers, body.as_bytes()).await;
            assert!(seen.status < 500, "{target}: {} for {:?}", seen.status, &body[..body.len().min(40)]);
        }
    }
}

#[tokio::test]
async fn where_the_ledger_does_not_answer_a_page_says_so_and_no_detail() {
    let bench = Bench::default();
    bench.invite_all().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let t = texts::Texts::default();
    bench.refuse(true);
    for target in
        ["/", &format!("/servers/{OWN}"), &format!("/servers/{OWN}/activity"), "/account", "/link/x"]
    {
        let seen = browser.get(target).await;
        assert!([503, 410].contains(&seen.status), "{target}: {}", seen.status);
        if seen.status == 503 {
            assert!(
                seen.text().contains(&t.fault_title()) && seen.text().contains(&t.fault_next()),
                "{target}"
            );
        }
        for word in ["InternalServerError", "DynamoDB", "StoreError", "store", "sessions"] {
            assert!(!seen.text().contains(word), "{target}: {word}");
        }
    }
    let seen = browser.post("/sign-in", &[("address", VIEWER)]).await;
    assert_eq!((seen.status, seen.cookies().len(), bench.outbox.take().len()), (503, 0, 0));
    bench.refuse(false);
    assert!(browser.is_in().await, "nobody is signed out by a fault");
}

#[tokio::test]
async fn where_the_stack_keeps_no_index_by_time_every_page_is_there_all_the_same() {
    let bench = Bench::new(Setup { store: Memory::without_by_time(), ..Setup::default() });
    bench.invite_all().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let failed: Vec<String> = walk(&mut browser, "/", 400)
        .await
        .iter()
        .filter(|step| step.seen.status != 200)
        .map(|step| format!("{}: {}", step.target, step.seen.status))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn the_list_of_activity_says_from_when_it_is_whole_until_older_events_are_filled_in() {
    let bench = Bench::new(Setup { store: Memory::switched_by_time(), ..Setup::default() });
    bench.invite_all().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    let switched = bench.now().plus_days(-2);
    by_time::note_on(&*bench.store, switched, false).await.unwrap();
    let mut browser = bench.signed_in(VIEWER).await;
    let list = format!("/servers/{OWN}/activity");
    let seen = browser.get(&list).await;
    assert_eq!(seen.status, 200);
    assert!(seen.text().contains("This list is whole from "), "{}", seen.text());
    let now = bench.now();
    by_time::fill(&*bench.store, &(Arc::new(move || now) as Clock), 5_000, |_| ()).await.unwrap();
    assert!(!browser.get(&list).await.text().contains("This list is whole from"));
}

#[tokio::test]
async fn an_empty_server_has_every_page() {
    let bench = Bench::default();
    bench.invite_all().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let steps = walk(&mut browser, "/", 100).await;
    assert!(
        steps.iter().all(|step| step.seen.status == 200),
        "{:?}",
        steps.iter().map(|step| (&step.target, step.seen.status)).collect::<Vec<_>>()
    );
    for page in Page::ALL.into_iter().filter(|page| !page.pattern().contains("{id}")) {
        let target = page.pattern().replace("{server}", &OWN.to_string());
        let seen = browser.get(&target).await;
        assert!([200, 404].contains(&seen.status), "{target}: {}", seen.status);
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_answered_by_a_page() {
    let bench = Bench::default();
    bench.invite_all().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let long = format!("/{}", "a/".repeat(4_000));
    for target in [
        "/",
        "//",
        "/..",
        "/%2e%2e",
        "/servers//",
        "/static/",
        "/static/portal.css",
        "/servers/%00/x",
        "*",
        "",
        &long,
        "/%F0%9F%92%A9",
        "/%ff",
    ] {
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
            Method::PATCH,
        ] {
            let seen =
                browser.send(method.clone(), target, &[("sec-fetch-site", "same-origin")], b"a=b").await;
            assert!(
                seen.status < 500 && seen.header("content-security-policy").is_some(),
                "{method} {target}"
            );
        }
    }
}

#[tokio::test]
async fn health_is_told_to_anybody_and_is_all_that_is() {
    let bench = Bench::default();
    bench.calls();
    let seen = bench.browser().get("/health").await;
    assert_eq!((seen.status, seen.text()), (200, "{\"status\":\"ok\"}"));
    assert!(bench.calls().is_empty());
}
