//! Walks through the portal as somebody who follows every link, and fills in every form.

use super::html::Html;
use crate::bench::{Browser, OWN_TEXT, Seen, access};
use crate::pages::MAIL_CSP;
use people::User;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many pages of one shape are looked at: with the same path but for ids, and the same names in the query.
const ALIKE_MAX: usize = 3;

/// A page that was looked at.
pub(crate) struct Step {
    pub(crate) target: String,
    pub(crate) seen: Seen,
    /// As a browser reads it, where it is HTML.
    pub(crate) html: Option<Html>,
}

impl Step {
    pub(crate) fn new(target: &str, seen: Seen) -> Step {
        // A mail that is shown in a frame is no page of ours.
        let is_mail = seen.header("content-security-policy") == Some(MAIL_CSP);
        let html = (seen.is_html() && !is_mail).then(|| Html::read(seen.text()));
        Step { target: target.to_owned(), seen, html }
    }

    /// What its links lead to, and its forms that ask.
    pub(crate) fn leads_to(&self) -> Vec<String> {
        let Some(html) = &self.html else { return Vec::new() };
        let links = html.all("a").filter_map(|link| self.resolved(link.get("href")?));
        let mut all: Vec<String> = links.collect();
        for (place, form) in self.forms(false).into_iter().filter(|(place, _)| html.is_filled_in(*place)) {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(html.fields(place));
            all.push(format!("{form}?{}", query.finish()));
        }
        all
    }

    /// Its forms that send (`sends`) or ask: their places and where they lead to.
    pub(crate) fn forms(&self, sends: bool) -> Vec<(usize, String)> {
        let Some(html) = &self.html else { return Vec::new() };
        let all = html.elements.iter().enumerate().filter(|(_, element)| {
            let posts = element.get("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
            element.name == "form" && posts == sends
        });
        let own = || self.target.split('?').next().unwrap_or_default().to_owned();
        all.map(|(place, form)| {
            let to = form.get("action").and_then(|action| self.resolved(action));
            let to = match sends {
                // A form without an action sends to the very address of its page.
                true => to.unwrap_or_else(|| self.target.clone()),
                false => to.map_or_else(own, |to| to.split('?').next().unwrap_or_default().to_owned()),
            };
            (place, to)
        })
        .collect()
    }

    /// A link as the browser resolves it; none where it stays on the page.
    fn resolved(&self, href: &str) -> Option<String> {
        let href = href.split('#').next().unwrap_or_default();
        let path = self.target.split('?').next().unwrap_or_default();
        match href {
            "" => None,
            // It opens a program for mail.
            mail if mail.starts_with("mailto:") => None,
            query if query.starts_with('?') => Some(format!("{path}{query}")),
            absolute => Some(absolute.to_owned()),
        }
    }
}

/// The shape of a target: what differs between pages of one kind is left out.
pub(super) fn shape(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let vary = |segment: &str| {
        let is_word = segment.len() < 16 && segment.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_word || segment.bytes().all(|byte| byte.is_ascii_digit()) {
            segment.to_owned()
        } else {
            "…".to_owned()
        }
    };
    let path: Vec<String> = path.split('/').map(vary).collect();
    let names: BTreeSet<String> =
        form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    format!("{}?{}", path.join("/"), names.into_iter().collect::<Vec<_>>().join("&"))
}

/// Follows every link from a page on, so many at most.
pub(crate) async fn walk(browser: &mut Browser<'_>, from: &str, most: usize) -> Vec<Step> {
    let mut left: VecDeque<String> = [from.to_owned()].into();
    let mut known: BTreeSet<String> = left.iter().cloned().collect();
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    let mut steps = Vec::new();
    while let Some(target) = left.pop_front() {
        let count = alike.entry(shape(&target)).or_default();
        *count += 1;
        if *count > ALIKE_MAX {
            continue;
        }
        let seen = browser.get(&target).await;
        let step = Step::new(&target, seen);
        for next in step.leads_to() {
            if known.insert(next.clone()) {
                left.push_back(next);
            }
        }
        steps.push(step);
        assert!(steps.len() < most, "there is no end of pages: {target}");
    }
    steps
}

/// What is typed where a form has nothing: something that fits.
fn usual(name: &str) -> &'static str {
    match name {
        "address" | "addresses" => "somebody.new@client.example",
        "stream" => "outbound",
        "server" | "servers" => OWN_TEXT,
        "role" => "viewer",
        "text" => "office",
        "reason" => "asked on the telephone",
        "list" => "email\nsomebody.new@client.example",
        "name" => "¤somebody’s program¤",
        "token" => "own-token",
        "access_key" | "secret_key" => "own-key",
        "sender" | "recipient" => "somebody@client.example",
        _ => "",
    }
}

/// What the forms of a page would send: where to, and which fields, by each of their buttons.
pub(crate) fn sendings(page: &Step) -> Vec<(String, Vec<(String, String)>)> {
    let Some(html) = &page.html else { return Vec::new() };
    let mut all = Vec::new();
    for (place, to) in page.forms(true).into_iter().filter(|(_, to)| to != "/sign-out") {
        for button in html.buttons(place) {
            let fields = html.fields(place).into_iter().map(|(name, holds)| {
                let holds = if holds.is_empty() { usual(&name).to_owned() } else { holds };
                (name, holds)
            });
            all.push((to.clone(), fields.chain(button).collect()));
        }
    }
    all
}

/// Sends every form of some pages, and of the pages that come of that: filled in as usual, and then with each of its fields
/// as each of some odd texts. What comes of it.
pub(crate) async fn send_all(browser: &mut Browser<'_>, pages: &[Step], odd: &[String]) -> Vec<Step> {
    let mut left: VecDeque<(String, Vec<(String, String)>)> = pages.iter().flat_map(sendings).collect();
    let mut known = BTreeSet::new();
    let mut steps = Vec::new();
    while let Some((to, fields)) = left.pop_front() {
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let button = fields.last().filter(|(name, _)| name == "action").map(|(_, value)| value.clone());
        if !known.insert(format!("{} {names:?} {button:?}", shape(&to))) {
            continue;
        }
        let step = sent(browser, &to, &fields).await;
        left.extend(sendings(&step));
        steps.push(step);
        for place in 0..fields.len() {
            for odd in odd {
                let mut fields = fields.clone();
                fields[place].1.clone_from(odd);
                steps.push(sent(browser, &to, &fields).await);
            }
        }
        assert!(steps.len() < 3_000, "there is no end of forms: {to}");
    }
    steps
}

/// Sends a form. Whoever takes away from themselves what they may do is given it back.
async fn sent(browser: &mut Browser<'_>, to: &str, fields: &[(String, String)]) -> Step {
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, typed)| (&**name, &**typed)).collect();
    let step = Step::new(to, browser.post(to, &pairs).await);
    let bench = browser.bench;
    let address = browser.whose.clone().expect("somebody is signed in");
    let user = User::get(&*bench.store, &bench.id_of(&address)).await.unwrap();
    if user.is_none_or(|user| user.access != access(&address)) || !browser.is_in().await {
        User::remove(&*bench.store, &bench.id_of(&address)).await.unwrap();
        bench.invite(&address, access(&address)).await;
        bench.pass(3_600);
        *browser = bench.signed_in(&address).await;
    }
    step
}
