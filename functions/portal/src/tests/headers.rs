//! What goes with every page: guards against what browsers would do else, no trace in caches, no weight.

use super::fixture::{Texts, brand, fill};
use super::walk::{Step, walk};
use crate::bench::{ADMIN, Bench, OPERATOR, OWN, Seen, VIEWER};
use crate::{CSP, statics};
use answers::Role;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;
use std::io::Write as _;

/// How heavy a page may be, with the style, packed.
const PAGE_BYTES_MAX: usize = 30 * 1024;

fn packed(bytes: &[u8]) -> usize {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap().len()
}

fn is_guarded(target: &str, seen: &Seen) {
    let expected = [
        ("content-security-policy", CSP),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-dns-prefetch-control", "off"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", "max-age=31536000"),
        ("cache-control", "no-store"),
        ("vary", "Accept-Encoding"),
    ];
    for (name, value) in expected {
        assert_eq!(seen.header(name), Some(value), "{target}: {name}");
        assert_eq!(seen.headers.get_all(name).iter().count(), 1, "{target}: {name}");
    }
    assert!(seen.header("permissions-policy").is_some_and(|all| all.contains("camera=()")), "{target}");
    assert!(seen.headers.contains_key("content-type"), "{target}");
}

/// Every page that anybody gets to see, refusals included.
async fn all_pages(bench: &Bench) -> Vec<Step> {
    let mut all = Vec::new();
    for address in [VIEWER, ADMIN, OPERATOR] {
        let mut browser = bench.signed_in(address).await;
        all.extend(walk(&mut browser, "/", 300).await);
        for target in ["/servers/1", "/nowhere", "/servers/%ff", "/confirm", "/people"] {
            all.push(Step::new(target, browser.get(target).await));
        }
    }
    let mut let_in = bench.let_in(Role::Viewer).await;
    all.extend(walk(&mut let_in, "/", 300).await);
    let mut nobody = bench.browser();
    for target in
        ["/", "/sign-in", "/sign-in/code", "/sign-in/x", "/link/x", "/servers/7", "/health", "/account"]
    {
        all.push(Step::new(target, nobody.get(target).await));
    }
    all
}

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    brand(&bench, Texts::Plain("acme")).await;
    bench
}

#[tokio::test]
async fn every_page_is_guarded_kept_by_no_cache_and_sets_no_cookie_on_reading() {
    let bench = bench().await;
    for step in all_pages(&bench).await {
        is_guarded(&step.target, &step.seen);
        assert!(step.seen.cookies().is_empty(), "{}", step.target);
        assert!(
            [200, 303, 400, 401, 404, 410].contains(&step.seen.status),
            "{}: {}",
            step.target,
            step.seen.status
        );
    }
}

#[tokio::test]
async fn without_tls_browsers_are_not_told_to_insist_on_it() {
    let bench = Bench::at("http://127.0.0.1:8631");
    let seen = bench.browser().get("/sign-in").await;
    assert_eq!(seen.header("strict-transport-security"), None);
    assert_eq!(seen.header("content-security-policy"), Some(CSP));
}

#[tokio::test]
async fn pages_are_packed_where_the_browser_takes_it() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let plain = browser.get("/").await;
    assert_eq!(plain.header("content-encoding"), None);
    for (takes, is_packed) in [
        ("gzip", true),
        ("deflate, gzip, br", true),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", true),
        ("br", false),
        ("identity", false),
        ("gzip;q=0", false),
        ("gzip; q=0.000, br", false),
        ("", false),
    ] {
        let seen = browser.send(Method::GET, "/", &[("accept-encoding", takes)], b"").await;
        assert_eq!(seen.header("content-encoding"), is_packed.then_some("gzip"), "{takes}");
        assert_eq!(seen.body, plain.body, "{takes}");
        assert!(!is_packed || seen.bytes * 2 < plain.bytes, "{takes}: {} of {}", seen.bytes, plain.bytes);
        is_guarded(takes, &seen);
    }
}

#[tokio::test]
async fn style_and_script_may_be_kept_for_ever_since_their_names_change_with_them() {
    let bench = Bench::default();
    let page = bench.browser().get("/sign-in").await;
    for (file, kind) in
        [(&statics::STYLE, "text/css; charset=utf-8"), (&statics::SCRIPT, "text/javascript; charset=utf-8")]
    {
        assert!(page.text().contains(&format!("\"{}\"", file.path())), "{}", file.path());
        let seen = bench.browser().get(file.path()).await;
        assert_eq!((seen.status, seen.header("content-type")), (200, Some(kind)));
        assert_eq!(seen.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(seen.header("x-content-type-options"), Some("nosniff"));
        assert!(seen.cookies().is_empty());
        let other = file.path().replace('-', "-x");
        assert_ne!(bench.browser().get(&other).await.status, 200, "{other}");
    }
    let icon = bench.browser().get("/favicon.ico").await;
    assert_eq!(icon.header("content-type"), Some("image/svg+xml"));
    assert!(!icon.header("cache-control").unwrap().contains("immutable"), "its name does not change with it");
}

#[tokio::test]
async fn no_page_is_heavier_than_30_kb_with_the_style() {
    let bench = bench().await;
    let style = packed(&bench.browser().get(statics::STYLE.path()).await.body);
    let mut browser = bench.signed_in(OPERATOR).await;
    let mut heavy = Vec::new();
    for step in walk(&mut browser, "/", 300).await.iter().filter(|step| step.html.is_some()) {
        let bytes = packed(&step.seen.body) + style;
        if bytes > PAGE_BYTES_MAX {
            heavy.push(format!("{}: {bytes}", step.target));
        }
    }
    assert!(heavy.is_empty(), "{heavy:#?}");
}

#[tokio::test]
async fn every_page_is_html_as_it_should_be() {
    let bench = bench().await;
    let mut wrong = Vec::new();
    for step in all_pages(&bench).await {
        let Some(html) = &step.html else { continue };
        let target = &step.target;
        wrong.extend(html.faults.iter().map(|fault| format!("{target}: {fault}")));
        assert!(step.seen.text().starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{target}");
        for name in ["h1", "title", "main"] {
            // A drawing has a title of its own.
            let found = html.all(name).filter(|one| !html.is_within(&one.within, "svg")).count();
            if found != 1 {
                wrong.push(format!("{target}: {found} <{name}>"));
            }
        }
        for element in &html.elements {
            let field = matches!(element.name.as_str(), "input" | "select" | "textarea");
            let hidden = matches!(element.get("type"), Some("hidden" | "submit"));
            let labelled = element.get("aria-label").is_some()
                || html.is_within(&element.within, "label")
                || element
                    .get("id")
                    .is_some_and(|id| html.all("label").any(|label| label.get("for") == Some(id)));
            if field && !hidden && !labelled {
                wrong.push(format!(
                    "{target}: <{} name={:?}> has no label",
                    element.name,
                    element.get("name")
                ));
            }
            if element.name == "th" && element.get("scope").is_none() {
                wrong.push(format!("{target}: <th> {:?} has no scope", element.text));
            }
        }
        let ids: Vec<&str> = html.elements.iter().filter_map(|element| element.get("id")).collect();
        let unlike: std::collections::BTreeSet<&&str> = ids.iter().collect();
        if ids.len() != unlike.len() {
            wrong.push(format!("{target}: an id is there twice"));
        }
        for element in &html.elements {
            let refers = ["aria-describedby", "aria-labelledby", "for"]
                .into_iter()
                .filter_map(|name| element.get(name));
            for id in refers.flat_map(str::split_whitespace) {
                if !unlike.contains(&id) {
                    wrong.push(format!("{target}: there is no #{id}"));
                }
            }
        }
        for link in html.all("a").filter_map(|link| link.get("href")?.strip_prefix('#')) {
            if !unlike.contains(&link) {
                wrong.push(format!("{target}: #{link} leads nowhere"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_link_leads_nowhere() {
    let bench = bench().await;
    for address in [VIEWER, ADMIN, OPERATOR] {
        let mut browser = bench.signed_in(address).await;
        let wrong: Vec<String> = walk(&mut browser, "/", 300)
            .await
            .iter()
            .filter(|step| step.seen.status != 200)
            .map(|step| format!("{}: {}", step.target, step.seen.status))
            .collect();
        assert!(wrong.is_empty(), "{address}: {wrong:#?}");
    }
}
