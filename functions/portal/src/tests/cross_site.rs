//! What another site sends changes nothing, whoever is signed in.

use super::fixture::{Texts, fill};
use super::walk::walk;
use crate::Page;
use crate::bench::{ADMIN, Bench, OPERATOR, OWN, Setup, VIEWER};
use crate::texts;
use answers::Role;
use http::Method;
use std::collections::BTreeSet;

/// How another site's request looks: what a browser tells of it.
const OTHERS: [&[(&str, &str)]; 9] = [
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "same-site"), ("origin", "https://other.portal.example")],
    &[("sec-fetch-site", "none")],
    &[("sec-fetch-site", "cross-site"), ("origin", "https://portal.example"), ("host", "portal.example")],
    &[("origin", "https://evil.example"), ("host", "portal.example")],
    &[("origin", "null"), ("host", "portal.example")],
    &[("origin", "http://portal.example"), ("host", "portal.example.evil.example")],
    &[("referer", "https://portal.example/"), ("host", "portal.example")],
    &[],
];

/// Every place that something is sent to: each page, what signs in and out, and each form that pages show.
async fn targets(bench: &Bench) -> BTreeSet<String> {
    let filled = fill(bench, OWN, Texts::Plain("acme")).await;
    let link = {
        let who = people::LinkFor::User { id: bench.id_of(OPERATOR) };
        people::Link::make(&*bench.store, who, bench.now()).await.unwrap().0
    };
    let mut all: BTreeSet<String> = Page::ALL
        .iter()
        .map(|page| {
            let id = &filled.recipients[0].1;
            page.pattern().replace("{server}", &OWN.to_string()).replace("{id}", id)
        })
        .collect();
    all.extend(
        [
            "/sign-in",
            "/sign-in/code",
            "/sign-out",
            "/confirm",
            "/confirm/code",
            "/sample/operator",
            "/nowhere",
        ]
        .map(str::to_owned),
    );
    all.extend([format!("/link/{}", link.text()), format!("/sign-in/{}", link.text())]);
    let mut operator = bench.signed_in(OPERATOR).await;
    for step in walk(&mut operator, "/", 300).await {
        all.extend(step.forms(true).into_iter().map(|(_, to)| to));
    }
    all
}

#[tokio::test]
async fn a_request_that_another_site_sends_is_refused_and_changes_nothing() {
    let bench = Bench::default();
    bench.invite_all().await;
    let targets = targets(&bench).await;
    assert!(targets.len() > Page::ALL.len() + 8, "{targets:?}");
    let mut browsers = vec![bench.browser(), bench.let_in(Role::Admin).await];
    for address in [VIEWER, ADMIN, OPERATOR] {
        bench.pass(3_600);
        browsers.push(bench.signed_in(address).await);
    }
    bench.outbox.take();
    let before = bench.store.all_rows();
    bench.calls();
    let title = texts::Texts::default().other_site_title();
    for browser in &mut browsers {
        for target in &targets {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                for headers in OTHERS {
                    let body = b"address=vera.viewer@client.example&code=12345678&role=admin&confirm=yes";
                    let seen = browser.send(method.clone(), target, headers, body).await;
                    assert_eq!(
                        (seen.status, seen.cookies().len()),
                        (403, 0),
                        "{method} {target} {headers:?}"
                    );
                    assert!(seen.text().contains(&title));
                }
            }
        }
    }
    assert!(bench.calls().is_empty(), "not even the session is looked up");
    assert!(bench.outbox.take().is_empty());
    assert_eq!(bench.store.all_rows(), before);
}

#[tokio::test]
async fn an_old_browser_that_tells_its_own_host_is_let_through() {
    let bench = Bench::default();
    bench.invite_all().await;
    let mut browser = bench.browser();
    let headers = [("origin", "https://portal.example"), ("host", "portal.example")];
    let seen =
        browser.send(Method::POST, "/sign-in", &headers, b"address=vera.viewer%40client.example").await;
    assert_eq!(seen.status, 303);
    assert!(bench.sent().unwrap().to.is_some());
}

#[tokio::test]
async fn what_another_site_sends_is_not_shown_and_what_an_old_browser_sends_runs_nowhere() {
    let bench = Bench::default();
    let body = b"note=%3Cscript%3Epwn()%3C%2Fscript%3E&%22%3E%3Cimg+src%3Dx+onerror%3Dpwn()%3E=x";
    for headers in OTHERS {
        let seen = bench.browser().send(Method::POST, "/sign-in", headers, body).await;
        let tells = headers.iter().any(|(name, _)| ["sec-fetch-site", "origin"].contains(name));
        assert_eq!(seen.text().contains("pwn()"), !tells, "{headers:?}");
        let html = super::html::Html::read(seen.text());
        assert!(html.faults.is_empty(), "{:?}", html.faults);
        super::hostile::has_no_attack("/sign-in", &html);
    }
}

/// A name of somebody else's that is made to lead to this machine: its page would be taken for one of ours.
#[tokio::test]
async fn on_this_machine_a_page_of_another_name_is_refused_though_it_says_that_it_is_our_own() {
    let bench = Bench::new(Setup { url: "http://127.0.0.1:8631", shows_sample: true, ..Setup::default() });
    for (host, status) in [
        ("127.0.0.1:8631", 200),
        ("localhost:8631", 200),
        ("[::1]:8631", 200),
        ("evil.example:8631", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
    ] {
        let mut browser = bench.browser();
        let own = [("sec-fetch-site", "same-origin"), ("host", host)];
        assert_eq!(browser.send(Method::GET, "/sign-in", &own, b"").await.status, status, "{host}");
    }
}
