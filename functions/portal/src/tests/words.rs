//! Every text that is not data is from the catalogue: in the pseudo-language what is from there stands between marks, and what
//! stands outside of them has to be data.

use super::fixture::{Filled, Texts, brand, fill};
use super::html::Html;
use super::walk::{Step, send_all, walk};
use crate::bench::{ADMIN, Bench, OPERATOR, OWN, Setup, VIEWER};
use crate::moment::Zone;
use crate::texts::{Language, MARKS};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Attributes that are told to people.
const TOLD: [&str; 4] = ["aria-label", "title", "placeholder", "alt"];

/// The texts that may stand outside of marks: what the fixture has, and what the API answers.
struct Data(Vec<String>);

impl Data {
    async fn of(bench: &Bench, filled: &Filled) -> Data {
        let mut known: BTreeSet<String> = BTreeSet::new();
        let server = format!("/v1/servers/{OWN}");
        let mut asks = vec![
            "/v1/servers".to_owned(),
            format!("{server}/activity?limit=500"),
            format!("{server}/stats?by=day"),
            format!("{server}/quarantine"),
            format!("{server}/completeness"),
            format!("{server}/audit"),
            format!("{server}/inbound"),
            format!("{server}/webhooks"),
            "/v1/users".to_owned(),
            "/v1/tokens".to_owned(),
            format!("{server}/policy"),
            format!("{server}/smtp"),
            format!("{server}/postmark-settings"),
            "/v1/branding".to_owned(),
            "/v1/servers/0".to_owned(),
        ];
        for (_, id) in &filled.recipients {
            asks.push(format!("{server}/recipients/id:{id}"));
            asks.push(format!("{server}/recipients/id:{id}/timeline?limit=500"));
        }
        asks.extend(filled.messages.iter().map(|message| format!("{server}/messages/{message}")));
        asks.extend(
            filled.streams.iter().map(|stream| format!("{server}/streams/{stream}/suppressions?limit=500")),
        );
        for ask in asks {
            let (_, told) = bench.api(Method::GET, &ask, Value::Null).await;
            strings(&told, &mut known);
        }
        let plan = json!({ "dry_run": true });
        let (status, told) = bench.api(Method::POST, &format!("{server}/webhooks"), plan).await;
        assert_eq!(status, 200, "{told}");
        strings(&told, &mut known);
        for stream in &filled.streams {
            let addresses = filled.recipients.iter().map(|(address, _)| address.as_str());
            // What is none is told in the API's own words.
            let addresses: Vec<&str> = addresses.chain(["x", "x@", "@x", "x@x"]).collect();
            let body = json!({ "stream": stream, "addresses": addresses });
            let (status, told) = bench.api(Method::POST, &format!("{server}/check"), body).await;
            assert_eq!(status, 200, "{told}");
            strings(&told, &mut known);
        }
        known.extend(
            // What stands before the id of somebody who was erased meanwhile, so that no address is known.
            [VIEWER, ADMIN, OPERATOR, "Mail of Acme", "UTC", "somebody.new@client.example", "id:"]
                .map(str::to_owned),
        );
        known.extend(filled.streams.iter().cloned());
        known.extend(filled.recipients.iter().map(|(_, id)| format!("id:{id}")));
        // The longest first: one may be a part of another.
        let mut all: Vec<String> =
            known.into_iter().filter(|text| text.chars().any(char::is_alphabetic)).collect();
        all.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Data(all)
    }

    /// What of a text is neither from the catalogue nor data; nothing where all is.
    fn left_of(&self, text: &str) -> Option<String> {
        let mut rest = without_fixtures(&outside_of_marks(text));
        for known in &self.0 {
            if !rest.chars().any(char::is_alphabetic) {
                return None;
            }
            rest = without(&rest, known);
        }
        let words = rest.split_whitespace().filter(|word| !is_number_or_time(word));
        let left: Vec<&str> = words.filter(|word| word.chars().any(char::is_alphabetic)).collect();
        (!left.is_empty()).then(|| left.join(" "))
    }
}

/// A text without those that the fixture has between marks of its own.
fn without_fixtures(text: &str) -> String {
    text.split('¤').step_by(2).collect::<Vec<_>>().join(" ")
}

/// A text without another one, where that stands as whole words.
fn without(text: &str, known: &str) -> String {
    let mut rest = String::new();
    let mut left = text;
    while let Some(place) = left.find(known) {
        let (before, after) = (&left[..place], &left[place + known.len()..]);
        let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let inner = [known.chars().next(), known.chars().last()].map(touches);
        let outer = [before.chars().last().or(rest.chars().last()), after.chars().next()].map(touches);
        rest.push_str(before);
        rest.push_str(if inner[0] && outer[0] || inner[1] && outer[1] { known } else { " " });
        left = after;
    }
    rest + left
}

/// All texts of an answer.
fn strings(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            into.insert(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(members) => members.values().for_each(|member| strings(member, into)),
        _ => {}
    }
}

/// What stands outside of all marks; marks may be in marks.
fn outside_of_marks(text: &str) -> String {
    let (mut depth, mut rest) = (0_usize, String::new());
    for c in text.chars() {
        match c {
            c if c == MARKS[0] => depth += 1,
            c if c == MARKS[1] => depth = depth.saturating_sub(1),
            c if depth == 0 => rest.push(c),
            _ => {}
        }
        if depth > 0 && !rest.ends_with(' ') {
            rest.push(' ');
        }
    }
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number, a month's name, an instant, or an id.
fn is_number_or_time(word: &str) -> bool {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let is_id =
        bare.len() == 22 && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    MONTHS.contains(&bare) || is_id || (bare.ends_with('Z') && bare.parse::<ledger::Time>().is_ok())
}

/// Whether a text is a choice of a time zone, told by the name that it has everywhere.
fn is_zone(html: &Html, text: &str, within: &[usize]) -> bool {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let Some(option) = within.last().map(|place| &html.elements[*place]) else { return false };
    let value = option.get("value").unwrap_or_default();
    option.name == "option"
        && Zone::named(Some(value)).name() == value
        && plain(value).ends_with(&plain(text))
}

/// What a page tells people outside of the catalogue.
fn foreign_words(html: &Html, data: &Data) -> Vec<String> {
    let mut all = Vec::new();
    for (text, within) in &html.texts {
        let apart =
            ["script", "time", "textarea", "pre", "code"].iter().any(|name| html.is_within(within, name));
        if !apart
            && !is_zone(html, text, within)
            && let Some(left) = data.left_of(text)
        {
            all.push(format!("{left:?} in {:?}", text.trim().chars().take(120).collect::<String>()));
        }
    }
    for element in &html.elements {
        let button = element.name == "input" && matches!(element.get("type"), Some("submit" | "button"));
        let told = TOLD.into_iter().chain(button.then_some("value"));
        for (name, text) in told.filter_map(|name| Some((name, element.get(name)?))) {
            if element.name != "time"
                && let Some(left) = data.left_of(text)
            {
                all.push(format!("{left:?} in <{} {name}={text:?}>", element.name));
            }
        }
    }
    all
}

#[test]
fn a_word_that_is_from_nowhere_is_found() {
    let data = Data(vec!["ida@x.example".to_owned(), "outbound".to_owned()]);
    let html = |body: &str| foreign_words(&Html::read(&format!("<!DOCTYPE html><body>{body}</body>")), &data);
    for fine in [
        "<p>⟦Mail to ida@x.example on ⟦every stream⟧ stops⟧: outbound, 1,234 (12.5 %) · 7</p>",
        "<p title=\"⟦a⟧\"><time title=\"2026\">2 Jul 2026, 00:30</time></p><p>2 Jul 2026</p>",
        "<pre>any text</pre>",
    ] {
        assert_eq!(html(fine), Vec::<String>::new(), "{fine}");
    }
    for wrong in [
        "<p>Mail ⟦x⟧</p>",
        "<p>⟦x⟧ and outbound</p>",
        "<a title=\"more\">⟦x⟧</a>",
        "<p>outbounds</p>",
        "<option>all</option>",
    ] {
        assert_eq!(html(wrong).len(), 1, "{wrong}");
    }
}

#[tokio::test]
async fn every_text_of_every_page_is_from_the_catalogue_or_data() {
    let bench = Bench::new(Setup { language: Language::Pseudo, ..Setup::default() });
    bench.invite_all().await;
    let filled = fill(&bench, OWN, Texts::Plain("acme")).await;
    brand(&bench, Texts::Plain("acme")).await;
    let data = Data::of(&bench, &filled).await;
    let mut wrong = BTreeSet::new();
    let mut steps: Vec<Step> = Vec::new();
    for address in [VIEWER, ADMIN, OPERATOR] {
        let mut browser = bench.signed_in(address).await;
        let walked = walk(&mut browser, "/", 400).await;
        steps.extend(send_all(&mut browser, &walked, &["¤x¤".to_owned()]).await);
        for (_, id) in &filled.recipients {
            let target = format!("/servers/{OWN}/recipients/{id}");
            steps.push(Step::new(&target, browser.get(&target).await));
        }
        for id in &filled.messages {
            let target = format!("/servers/{OWN}/messages/{id}");
            steps.push(Step::new(&target, browser.get(&target).await));
        }
        steps.extend(walked);
        let target = format!("/servers/{OWN}?at=2026-11-24T08:00&known_at=2026-11-24T09:00");
        steps.push(Step::new(&target, browser.get(&target).await));
    }
    let mut nobody = bench.browser();
    for target in ["/sign-in", "/sign-in/code", "/sign-in/x", "/link/x", "/servers/7", "/nowhere"] {
        steps.push(Step::new(target, nobody.get(target).await));
        steps.push(Step::new(target, nobody.post(target, &[("address", "x"), ("code", "1")]).await));
    }
    for step in &steps {
        let Some(html) = &step.html else { continue };
        let path = step.target.split('?').next().unwrap_or_default();
        wrong.extend(foreign_words(html, &data).into_iter().map(|found| format!("{path}: {found}")));
        assert!(!html.texts.is_empty() && step.seen.text().contains(MARKS[0]), "{path}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_word_of_a_machine_is_told_to_people() {
    let bench = Bench::default();
    bench.invite_all().await;
    let filled = fill(&bench, OWN, Texts::Plain("acme")).await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let mut steps = walk(&mut browser, "/", 400).await;
    for (_, id) in &filled.recipients {
        let target = format!("/servers/{OWN}/recipients/{id}");
        steps.push(Step::new(&target, browser.get(&target).await));
    }
    let is_of_machine = |word: &&str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let parts = || bare.split(['_', '.']);
        parts().count() > 1
            && parts().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    let known: Vec<&str> = filled.streams.iter().map(String::as_str).collect();
    let mut wrong = BTreeSet::new();
    for step in &steps {
        let Some(html) = &step.html else { continue };
        let path = step.target.split('?').next().unwrap_or_default();
        for (text, within) in &html.texts {
            let apart = ["script", "textarea", "pre", "code", "option"]
                .iter()
                .any(|name| html.is_within(within, name));
            let text = without_fixtures(text);
            let words = text
                .split([' ', ',', ';', ':', '\n', '“', '”', '(', ')'])
                .filter(|word| !known.contains(word));
            let found = words.filter(|word| !apart && !word.contains('@') && is_of_machine(word));
            wrong.extend(found.map(|word| format!("{path}: {word}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
