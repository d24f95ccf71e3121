//! What an agency gives its portal to look like: how it is given, and where it shows.

use super::fixture::{GIF, HELP, Texts, brand};
use super::html::Html;
use super::walk::{Step, sendings};
use crate::bench::{ADMIN, Bench, Browser, OPERATOR, Seen, VIEWER};
use crate::{CSP, texts};
use http::Method;
use people::{Branding, Mail};
use serde_json::json;

/// Sends the form of the page, with a file.
async fn send(browser: &mut Browser<'_>, fields: &[(&str, &str)], file: &[u8]) -> Seen {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(head.as_bytes());
    }
    body.extend(b"--B\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"logo.bin\"\r\n\r\n");
    body.extend([file, b"\r\n--B--\r\n"].concat());
    let headers = [("sec-fetch-site", "same-origin"), ("content-type", "multipart/form-data; boundary=B")];
    browser.send(Method::POST, "/branding", &headers, &body).await
}

async fn kept(bench: &Bench) -> Branding {
    Branding::get(&*bench.store).await.unwrap()
}

/// The first attribute of an element of a page that begins so.
fn leads_to(seen: &Seen, name: &str, attribute: &str, begin: &str) -> Option<String> {
    let html = Html::read(seen.text());
    html.all(name).filter_map(|one| one.get(attribute)).find(|url| url.starts_with(begin)).map(str::to_owned)
}

#[tokio::test]
async fn an_operator_sees_first_what_it_would_be_and_it_is_kept_once_that_is_confirmed() {
    let bench = Bench::default();
    bench.invite_all().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let fields = [("name", "Agency Mail"), ("accent", "#FFCC00"), ("support", HELP), ("action", "preview")];
    let seen = send(&mut browser, &fields, GIF).await;
    let t = texts::Texts::default();
    assert_eq!((seen.status, kept(&bench).await), (200, Branding::default()), "{}", seen.text());
    for shown in ["Agency Mail", "#ffcc00", HELP, &t.branding_preview_intro()] {
        assert!(seen.text().contains(shown), "{shown}");
    }
    assert!(leads_to(&seen, "img", "src", "data:image/gif;base64,").is_some());
    let sent = sendings(&Step::new("/branding", seen));
    let (to, fields) =
        sent.iter().find(|(_, fields)| fields.iter().any(|(_, value)| value == "save")).unwrap();
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let saved = browser.post(to, &pairs).await;
    assert_eq!((saved.status, saved.location()), (303, Some("/branding?done=saved")));
    let branding = kept(&bench).await;
    assert_eq!(branding.logo.unwrap().bytes(), GIF);
    assert_eq!(branding.accent.unwrap().to_string(), "#ffcc00");
    // It is on the very next page, of whoever looks.
    let page = bench.browser().get("/sign-in").await;
    assert!(page.text().contains("Agency Mail") && page.text().contains(&format!("mailto:{HELP}")));

    // What is not touched stays; what is emptied is gone.
    let fields = [("name", ""), ("accent", "#ffcc00"), ("support", HELP), ("action", "save")];
    assert_eq!(send(&mut browser, &fields, b"").await.status, 303);
    let branding = kept(&bench).await;
    assert!(branding.name.is_none() && branding.logo.is_some() && branding.support.is_some());
    let fields = [("no-logo", "on"), ("accent", "#ffcc00"), ("support", HELP), ("action", "save")];
    assert_eq!(send(&mut browser, &fields, GIF).await.status, 303);
    assert_eq!(kept(&bench).await.logo, None);
    let again = send(&mut browser, &[("accent", "#ffcc00"), ("support", HELP)], b"").await;
    assert!(again.text().contains(&t.branding_nothing()), "{}", again.text());
}

#[tokio::test]
async fn what_is_wrong_is_told_beside_its_field_and_nothing_is_kept() {
    let bench = Bench::default();
    bench.invite_all().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let t = texts::Texts::default();
    let large = [GIF, &[0; 20 * 1024]].concat();
    for (field, value, file, words) in [
        ("name", "x".repeat(61), &b""[..], t.branding_problem_name()),
        ("accent", "red".to_owned(), b"", t.branding_problem_accent()),
        ("support", "nobody".to_owned(), b"", t.branding_problem_support()),
        ("logo", String::new(), b"<svg xmlns='x' onload='x()'/>", t.branding_problem_logo_svg()),
        ("logo", String::new(), b"MZ...", t.branding_problem_logo_kind()),
        ("logo", String::new(), &large, t.branding_problem_logo_size()),
    ] {
        for action in ["preview", "save"] {
            let seen = send(&mut browser, &[(field, &value), ("action", action)], file).await;
            assert_eq!(seen.status, 400, "{field}");
            let html = Html::read(seen.text());
            let told = html.elements.iter().find(|one| one.get("id") == Some(&*format!("{field}-problem")));
            assert_eq!(told.unwrap().text, words);
            let field = html.all("input").find(|one| one.get("id") == Some(field)).unwrap();
            assert_eq!(field.get("aria-invalid"), Some("true"));
        }
    }
    assert_eq!(kept(&bench).await, Branding::default());
}

#[tokio::test]
async fn its_files_are_named_by_what_they_hold_kept_for_ever_and_as_guarded_as_pages_are() {
    let bench = Bench::default();
    brand(&bench, Texts::Plain("agency")).await;
    let page = bench.browser().get("/sign-in").await;
    assert_eq!(page.header("content-security-policy"), Some(CSP));
    let style = leads_to(&page, "link", "href", "/static/brand-").unwrap();
    let logo = leads_to(&page, "img", "src", "/static/logo-").unwrap();
    for (path, kind) in [(&style, "text/css; charset=utf-8"), (&logo, "image/gif")] {
        let seen = bench.browser().get(path).await;
        assert_eq!((seen.status, seen.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(seen.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(seen.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(seen.header("content-security-policy"), Some(CSP));
        let other = path.replace('-', "-x");
        assert_ne!(bench.browser().get(&other).await.status, 200, "{other}");
    }
    let seen = bench.browser().get(&style).await;
    assert!(seen.text().contains("--button:#ffcc00;--on-button:#000000"), "{}", seen.text());
    assert_eq!(bench.browser().get(&logo).await.body, GIF);
}

#[tokio::test]
async fn it_is_on_every_page_signed_in_or_not_and_on_those_that_say_what_is_wrong() {
    let bench = Bench::default();
    bench.invite_all().await;
    brand(&bench, Texts::Plain("agency")).await;
    let mut shown = Vec::new();
    for address in [VIEWER, ADMIN, OPERATOR] {
        let mut browser = bench.signed_in(address).await;
        for target in ["/", "/account", "/nowhere", "/servers/1", "/confirm"] {
            shown.push((target, browser.get(target).await));
        }
    }
    let mut nobody = bench.browser();
    for target in ["/sign-in", "/sign-in/code", "/link/x", "/account", "/nowhere", "/%ff"] {
        shown.push((target, nobody.get(target).await));
    }
    bench.refuse(true);
    shown.push(("/sign-in", nobody.get("/account").await));
    for (target, seen) in shown {
        assert!(seen.text().contains("¤The agency¤</a>"), "{target}: {}", seen.status);
        assert!(leads_to(&seen, "img", "src", "/static/logo-").is_some(), "{target}");
        assert_eq!(leads_to(&seen, "a", "href", "mailto:"), Some(format!("mailto:{HELP}")), "{target}");
    }
}

#[tokio::test]
async fn without_one_a_page_is_as_it_was_set_up() {
    let bench = Bench::default();
    let seen = bench.browser().get("/sign-in").await;
    assert!(seen.text().contains(">Mail of Acme</a>"));
    for part in ["<img", "/static/brand-", "mailto:", "<footer"] {
        assert!(!seen.text().contains(part), "{part}");
    }
}

#[tokio::test]
async fn it_is_read_once_a_minute_however_many_pages_are_asked_for() {
    let bench = Bench::default();
    let mut browser = bench.browser();
    browser.get("/sign-in").await;
    bench.calls();
    for n in 0..20 {
        browser.get("/sign-in").await;
        browser.get(&format!("/static/logo-{n}.png")).await;
    }
    assert_eq!(bench.calls(), Vec::<&str>::new());
    bench.pass(61);
    for _ in 0..5 {
        browser.get("/sign-in").await;
    }
    assert_eq!(bench.calls(), ["document"]);
}

#[tokio::test]
async fn that_it_cannot_be_read_is_told_once_a_minute_and_pages_keep_the_last_one() {
    let bench = Bench::default();
    brand(&bench, Texts::Plain("agency")).await;
    bench.browser().get("/sign-in").await;
    bench.refuse(true);
    let (brand, store) = (&bench.portal.settings.known.brand, &*bench.portal.store);
    for _ in 0..2 {
        bench.pass(61);
        assert!(brand.now(store, bench.now()).await.is_err());
        assert!(brand.now(store, bench.now()).await.is_ok_and(|last| last.name.is_some()), "once a minute");
    }
    bench.pass(61);
    assert!(bench.browser().get("/sign-in").await.text().contains("¤The agency¤</a>"));
}

#[tokio::test]
async fn a_file_that_another_process_tells_of_is_found_before_the_minute_is_over() {
    let bench = Bench::default();
    bench.browser().get("/sign-in").await;
    let other = Bench::default();
    brand(&other, Texts::Plain("agency")).await;
    let logo = leads_to(&other.browser().get("/sign-in").await, "img", "src", "/static/logo-").unwrap();
    brand(&bench, Texts::Plain("agency")).await;
    bench.pass(10);
    assert_eq!(bench.browser().get(&logo).await.body, GIF);
}

#[tokio::test]
async fn what_the_api_changes_in_the_same_process_is_on_the_next_page_and_in_the_next_mail() {
    let bench = Bench::default();
    bench.invite_all().await;
    bench.browser().get("/sign-in").await;
    let (status, told) = bench.api(Method::PUT, "/v1/branding", json!({ "name": "Agency Mail" })).await;
    assert_eq!(status, 200, "{told}");
    let mut browser = bench.browser();
    assert!(browser.get("/sign-in").await.text().contains("Agency Mail"));
    browser.post("/sign-in", &[("address", VIEWER)]).await;
    let mails = bench.outbox.take();
    let [Mail::Code { portal, .. }] = &mails[..] else { panic!("one mail") };
    assert_eq!(portal.as_deref(), Some("Agency Mail"));
}
