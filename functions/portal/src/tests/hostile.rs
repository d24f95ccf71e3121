//! Whatever others may write into a ledger, or into an address bar, is shown as what it is, and runs nowhere.

use super::fixture::{Filled, RUNS, Texts, brand, fill};
use super::html::{Element, Html};
use super::walk::{Step, send_all, walk};
use crate::bench::{ADMIN, Bench, Browser, OPERATOR, OWN, VIEWER};
use crate::pages::MAIL_CSP;
use crate::statics;
use std::collections::BTreeSet;

/// The elements that pages are made of. What is not among them came from elsewhere.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "article",
    "aside",
    "b",
    "bdi",
    "body",
    "br",
    "button",
    "caption",
    "circle",
    "code",
    "col",
    "colgroup",
    "datalist",
    "dd",
    "defs",
    "del",
    "desc",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "ellipse",
    "em",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "line",
    "link",
    "main",
    "mark",
    "meta",
    "meter",
    "nav",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "path",
    "polygon",
    "polyline",
    "pre",
    "progress",
    "q",
    "rect",
    "s",
    "samp",
    "script",
    "search",
    "section",
    "select",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "svg",
    "table",
    "text",
    "time",
    "title",
    "u",
];
/// Those that tables and fields are made of besides.
const MORE_ELEMENTS: &[&str] = &["tbody", "td", "textarea", "tfoot", "th", "thead", "tr", "tspan", "ul"];

/// Fails where something stands in a page that would run, be loaded, or lead elsewhere.
pub(crate) fn has_no_attack(target: &str, html: &Html) {
    for element in &html.elements {
        let name = element.name.as_str();
        assert!(ELEMENTS.contains(&name) || MORE_ELEMENTS.contains(&name), "{target}: <{name}>");
        is_as_ours(target, element);
    }
    for (text, within) in &html.texts {
        assert!(!html.is_within(within, "script"), "{target}: a script that stands in a page: {text}");
    }
    for (name, attribute, url) in html.urls() {
        leads_to_us(target, name, attribute, url);
    }
}

fn is_as_ours(target: &str, element: &Element) {
    let Element { name, attributes, .. } = element;
    for (attribute, value) in attributes {
        assert!(!attribute.starts_with("on"), "{target}: <{name} {attribute}={value:?}>");
        let known = attribute
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b':');
        let drawn = ["viewBox", "preserveAspectRatio"].map(str::to_lowercase).contains(attribute);
        assert!(known || drawn, "{target}: <{name} {attribute:?}>");
        // The frame for a mail, and the form whose answer goes there.
        if attribute == "target" && name == "form" && value == "mail" {
            continue;
        }
        assert!(
            !["style", "srcdoc", "nonce", "http-equiv", "formaction", "target"].contains(&attribute.as_str()),
            "{target}: <{name} {attribute}>"
        );
        let told = [
            "value",
            "title",
            "aria-label",
            "content",
            "placeholder",
            "alt",
            "data-text",
            "href",
            "action",
            "datetime",
        ];
        assert!(
            told.contains(&attribute.as_str()) || !value.contains(RUNS),
            "{target}: <{name} {attribute}={value:?}>"
        );
    }
    match name.as_str() {
        "iframe" => {
            assert!(element.get("src").is_none() && element.get("sandbox") == Some(""), "{target}");
        }
        "script" => assert_eq!(element.get("src"), Some(statics::SCRIPT.path()), "{target}"),
        "link" => {
            assert!(["stylesheet", "icon"].contains(&element.get("rel").unwrap_or_default()), "{target}")
        }
        "meta" => assert!(element.get("charset").is_some() || element.get("name").is_some(), "{target}"),
        _ => {}
    }
}

fn leads_to_us(target: &str, name: &str, attribute: &str, url: &str) {
    // The agency's own address, and a picture that is looked at before it is kept: neither is anything but what it is.
    let writes = name == "a" && url.starts_with("mailto:") && url.ends_with("@agency.example");
    let drawn = name == "img" && url.starts_with("data:image/gif;base64,");
    let ours = writes
        || drawn
        || url.is_empty()
        || url.starts_with(['#', '?'])
        || (url.starts_with('/') && !url[1..].starts_with(['/', '\\']));
    assert!(ours, "{target}: <{name} {attribute}={url:?}> leads elsewhere");
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"`{}|\\^'".contains(&byte));
    assert!(plain, "{target}: <{name} {attribute}={url:?}> is no URL");
    let path = url.split(['?', '#']).next().unwrap_or_default().to_lowercase();
    let upwards = ["..", "%2e.", ".%2e", "%2e%2e"];
    assert!(!path.split('/').any(|segment| upwards.contains(&segment)), "{target}: {url:?} leads upwards");
}

async fn bench() -> (Bench, Filled) {
    let bench = Bench::default();
    bench.invite_all().await;
    let filled = fill(&bench, OWN, Texts::Hostile).await;
    brand(&bench, Texts::Hostile).await;
    (bench, filled)
}

/// The pages that are reached by links, and those of every recipient and message.
async fn all_pages(browser: &mut Browser<'_>, filled: &Filled) -> Vec<Step> {
    let mut steps = walk(browser, "/", 400).await;
    let encoded = |text: &str| crate::visit::segment(text);
    let recipients = filled.recipients.iter().map(|(_, id)| format!("recipients/{id}"));
    let messages = filled.messages.iter().map(|id| format!("messages/{}", encoded(id)));
    let lists = filled.streams.iter().map(|stream| format!("suppressions?stream={}", encoded(stream)));
    for tail in recipients.chain(messages).chain(lists) {
        let target = format!("/servers/{OWN}/{tail}");
        steps.push(Step::new(&target, browser.get(&target).await));
    }
    let addresses: Vec<&str> = filled.recipients.iter().map(|(address, _)| address.as_str()).collect();
    let target = format!("/servers/{OWN}/check");
    let seen = browser.post(&target, &[("stream", "outbound"), ("addresses", &addresses.join("\n"))]).await;
    steps.push(Step::new(&target, seen));
    steps
}

pub(super) fn check(step: &Step) {
    assert!(step.seen.status < 500, "{}: {}", step.target, step.seen.status);
    for (name, value) in &step.seen.headers {
        let value = value.to_str().unwrap_or_else(|_| panic!("{}: {name}", step.target));
        assert!(name == "location" || !value.contains(RUNS), "{}: {name}: {value}", step.target);
    }
    match &step.html {
        Some(html) => {
            assert!(html.faults.is_empty(), "{}: {:?}", step.target, html.faults);
            has_no_attack(&step.target, html);
        }
        // A mail may have anything in it; what guards it is tested with its page.
        None if step.seen.header("content-security-policy") == Some(MAIL_CSP) => {}
        // What is no page is a file to keep, and never looked at in place.
        None if step.seen.status == 200 => {
            let disposition = step.seen.header("content-disposition").unwrap_or_default();
            assert!(disposition.starts_with("attachment"), "{}: {:?}", step.target, step.seen.headers);
            has_no_formula(&step.target, step.seen.text());
        }
        None => {}
    }
}

/// Fails where a cell of a table would be taken for a formula by what opens it.
fn has_no_formula(target: &str, table: &str) {
    let (mut cell, mut quoted) = (String::new(), false);
    let mut all = Vec::new();
    for c in table.trim_start_matches('\u{feff}').chars() {
        match c {
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => all.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    all.push(cell);
    for cell in all {
        let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert!(!begins || cell.trim().parse::<f64>().is_ok() || cell == "\r", "{target}: {cell:?}");
    }
}

#[tokio::test]
async fn no_text_of_a_webhook_is_anything_but_a_text_on_any_page() {
    let (bench, filled) = bench().await;
    let mut shown = String::new();
    for address in [OPERATOR, ADMIN, VIEWER] {
        let mut browser = bench.signed_in(address).await;
        for step in all_pages(&mut browser, &filled).await {
            check(&step);
            if let Some(html) = &step.html {
                shown.extend(html.texts.iter().map(|(text, _)| format!("{text}\n")));
            }
        }
    }
    // That nothing ran means something only where all of it was there.
    let fields = [
        "label",
        "client",
        "subject",
        "description",
        "details",
        "tag",
        "link",
        "user_agent",
        "reason",
        "address",
        "stream",
        "user",
        "type",
        "token_name",
        "server_name",
        "inbound_domain",
        "color",
        "track_links",
        "delivery_type",
        "server_link",
        "brand",
        "support",
        "webhook_stream",
        "webhook_words",
        "webhook_next",
        "webhook_failed",
        "webhook_problem",
        "webhook_trigger",
    ];
    let missing: Vec<&str> =
        fields.into_iter().filter(|field| !shown.contains(&format!("{RUNS}_{field}("))).collect();
    assert!(missing.is_empty(), "no page shows {missing:?}");
    assert!(shown.contains("{{7*7}}"), "a template within a text is no template");
}

#[tokio::test]
async fn nothing_that_stands_in_an_address_bar_runs() {
    let (bench, _) = bench().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let steps = walk(&mut browser, "/", 400).await;
    let mut names: BTreeSet<(String, String)> = BTreeSet::new();
    for step in &steps {
        let (path, query) = step.target.split_once('?').unwrap_or((&step.target, ""));
        let fields = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
        names.extend(fields.map(|name| (path.to_owned(), name)));
        names.insert((path.to_owned(), "<b>".to_owned()));
    }
    assert!(names.iter().any(|(_, name)| name == "known_at"), "{names:?}");
    for (path, name) in names {
        for n in [0, 1, 2, 3, 5] {
            let attack = Texts::Hostile.of("query", n);
            let pair: String =
                form_urlencoded::Serializer::new(String::new()).append_pair(&name, &attack).finish();
            let target = format!("{path}?{pair}");
            let seen = browser.get(&target).await;
            check(&Step::new(&target, seen));
        }
    }
}

#[tokio::test]
async fn nothing_that_is_typed_into_a_form_runs_where_it_is_shown_again() {
    let bench = bench().await.0;
    let mut browser = bench.signed_in(OPERATOR).await;
    let pages = walk(&mut browser, "/", 400).await;
    let odd = [0, 1, 3, 5].map(|n| Texts::Hostile.of("form", n));
    let sent = send_all(&mut browser, &pages, &odd).await;
    assert!(sent.len() > 200, "{}", sent.len());
    sent.iter().for_each(check);
    for step in walk(&mut browser, "/", 400).await {
        check(&step);
    }
}

#[tokio::test]
async fn what_is_typed_to_sign_in_runs_nowhere() {
    let (bench, _) = bench().await;
    let mut browser = bench.browser();
    for n in 0..6 {
        let attack = Texts::Hostile.of("sign_in", n);
        for (target, field) in
            [("/sign-in", "address"), ("/sign-in/code", "code"), ("/account", "zone"), ("/nowhere", "x")]
        {
            let seen = browser.post(target, &[(field, &attack)]).await;
            check(&Step::new(target, seen));
        }
        let encoded: String = form_urlencoded::byte_serialize(attack.as_bytes()).collect();
        for target in [
            format!("/sign-in/{encoded}"),
            format!("/link/{encoded}"),
            format!("/{encoded}"),
            format!("/sign-in?address={encoded}"),
            format!("/confirm?back={encoded}"),
        ] {
            let seen = browser.get(&target).await;
            check(&Step::new(&target, seen));
        }
    }
}

#[tokio::test]
async fn no_url_of_a_page_has_an_address_in_it() {
    for texts in [Texts::Hostile, Texts::Plain("acme")] {
        let bench = Bench::default();
        bench.invite_all().await;
        let filled = fill(&bench, OWN, texts).await;
        brand(&bench, texts).await;
        for address in [OPERATOR, ADMIN, VIEWER] {
            let mut browser = bench.signed_in(address).await;
            let mut steps = walk(&mut browser, "/", 400).await;
            let find = format!("/servers/{OWN}/recipients");
            for (whom, _) in filled.recipients.iter().take(5) {
                let seen = browser.post(&find, &[("address", whom)]).await;
                assert!(!seen.location().unwrap_or_default().contains(['@', '%']), "{:?}", seen.location());
                steps.push(Step::new(&find, seen));
            }
            let unknown = browser.post(&find, &[("address", "unknown@elsewhere.example")]).await;
            assert_eq!(unknown.status, 200, "{}", unknown.text());
            for step in &steps {
                let Some(html) = &step.html else { continue };
                // Whom the agency names for all to see.
                let urls = html.urls().filter(|(_, _, url)| !url.starts_with("mailto:"));
                for (name, attribute, url) in urls {
                    let lower = url.to_lowercase();
                    let told =
                        lower.contains('@') || lower.contains("%40") || lower.contains("customer.example");
                    assert!(!told, "{}: <{name} {attribute}={url:?}>", step.target);
                }
                for form in html.all("form") {
                    let asks = form.get("method").is_none_or(|method| method != "post");
                    let place = html.elements.iter().position(|one| std::ptr::eq(one, form)).unwrap();
                    let named = html
                        .fields(place)
                        .iter()
                        .any(|(name, _)| ["address", "addresses", "email"].contains(&name.as_str()));
                    assert!(!(asks && named), "{}: an address would go into the URL", step.target);
                }
            }
        }
    }
}
