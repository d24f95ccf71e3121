//! Who sees what: every page for everybody at every kind of server, and that nobody learns anything of servers of others.

use super::fixture::{Filled, Texts, brand, fill, record};
use super::walk::{Step, walk};
use crate::bench::{ADMIN, Bench, Browser, FOREIGN, NOWHERE, OPERATOR, OWN, Seen, VIEWER, at, server};
use crate::{Page, Standing};
use answers::Role;
use http::Method;
use ledger::Source;
use people::Access;
use serde_json::json;
use std::collections::BTreeMap;
use store::prelude::*;

/// What is no server's number, or none of one.
const NONSENSE: [&str; 16] = [
    "0",
    "-1",
    "abc",
    "07",
    "+8123456",
    "08123456",
    "8123456.0",
    "8123456%20",
    "%208123456",
    "99999999999999999999",
    "9223372036854775807",
    "%00",
    "*",
    "8123456;8200001",
    "..%2F8200001",
    "８１２３４５６",
];

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Viewer,
    Admin,
    Operator,
    LetIn(Role),
}

const EVERYBODY: [Who; 6] =
    [Who::Nobody, Who::Viewer, Who::Admin, Who::Operator, Who::LetIn(Role::Viewer), Who::LetIn(Role::Admin)];

impl Who {
    async fn browser(self, bench: &Bench) -> Browser<'_> {
        bench.pass(3_600);
        // What the portal looks like is read once a minute, by whoever comes first.
        bench.browser().get("/sign-in").await;
        match self {
            Who::Nobody => bench.browser(),
            Who::Viewer => bench.signed_in(VIEWER).await,
            Who::Admin => bench.signed_in(ADMIN).await,
            Who::Operator => bench.signed_in(OPERATOR).await,
            Who::LetIn(role) => bench.let_in(role).await,
        }
    }

    /// What they may at [`OWN`].
    fn role(self) -> Option<Role> {
        match self {
            Who::Nobody => None,
            Who::Viewer => Some(Role::Viewer),
            Who::Admin => Some(Role::Admin),
            Who::Operator => Some(Role::Operator),
            Who::LetIn(role) => Some(role),
        }
    }

    /// What a page answers them, at a server that is theirs or (`own`: false) not.
    fn status(self, page: Page, own: bool, there: bool) -> u16 {
        let Some(role) = self.role() else {
            return if page == Page::Servers { 303 } else { 401 };
        };
        let allowed = match page.standing() {
            Standing::Anybody => true,
            Standing::Operator => role == Role::Operator,
            Standing::At(least) => there && role >= least && (own || role == Role::Operator),
        };
        if allowed { 200 } else { 404 }
    }
}

struct Ledgers {
    bench: Bench,
    own: Filled,
    foreign: Filled,
}

async fn ledgers() -> Ledgers {
    let bench = Bench::default();
    bench.invite_all().await;
    let own = fill(&bench, OWN, Texts::Plain("acme")).await;
    let foreign = fill(&bench, FOREIGN, Texts::Plain("globex")).await;
    brand(&bench, Texts::Plain("agency")).await;
    Ledgers { bench, own, foreign }
}

/// The path of a page at a server, with what is there of it.
fn path(page: Page, server: &str, filled: &Filled) -> String {
    let id = match page {
        Page::Message | Page::Content => filled.messages[0].as_str(),
        _ => filled.recipients[0].1.as_str(),
    };
    page.pattern().replace("{server}", server).replace("{id}", id)
}

fn is_of_server(page: Page) -> bool {
    page.pattern().contains("{server}")
}

#[tokio::test]
async fn every_page_is_seen_by_whom_it_is_for_and_by_nobody_else() {
    let Ledgers { bench, own, foreign } = ledgers().await;
    let mut wrong = Vec::new();
    for who in EVERYBODY {
        let mut browser = who.browser(&bench).await;
        for page in Page::ALL {
            let nowhere = NOWHERE.to_string();
            let mut all = vec![(path(page, &OWN.to_string(), &own), who.status(page, true, true))];
            if is_of_server(page) {
                all.push((path(page, &FOREIGN.to_string(), &foreign), who.status(page, false, true)));
                for none in NONSENSE.iter().copied().chain([nowhere.as_str()]) {
                    all.push((path(page, none, &own), who.status(page, false, false)));
                }
            }
            for (target, status) in all {
                for method in [Method::GET, Method::HEAD] {
                    let seen = browser.send(method.clone(), &target, &[], b"").await;
                    if seen.status != status {
                        wrong.push(format!("{who:?} {method} {target}: {} instead of {status}", seen.status));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_server_of_somebody_else_is_answered_byte_for_byte_as_one_that_is_not_there() {
    let Ledgers { bench, foreign, .. } = ledgers().await;
    for who in EVERYBODY.into_iter().filter(|who| *who != Who::Operator) {
        let mut browser = who.browser(&bench).await;
        for page in Page::ALL.into_iter().filter(|page| is_of_server(*page)) {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
                for query in ["", "?at=2026-11-24T08:00&cursor=x&stream=outbound", "?format=csv"] {
                    let mut answers: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
                    for none in [FOREIGN, NOWHERE, 7] {
                        let target = format!("{}{query}", path(page, &none.to_string(), &foreign));
                        bench.calls();
                        let headers = [("sec-fetch-site", "same-origin"), ("accept-encoding", "gzip")];
                        let body = b"address=person0.globex@globex-customer.example&addresses=x@y.example";
                        let seen = browser.send(method.clone(), &target, &headers, body).await;
                        let calls = bench.calls();
                        assert_eq!(
                            seen.status,
                            if who == Who::Nobody { 401 } else { 404 },
                            "{method} {target}"
                        );
                        answers.insert(seen.whole(), calls);
                    }
                    assert_eq!(answers.len(), 1, "{who:?} {method} {page:?}{query}: {answers:#?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_server_of_somebody_else_costs_as_much_as_one_that_is_not_there() {
    let Ledgers { bench, foreign, .. } = ledgers().await;
    let mut browser = Who::Admin.browser(&bench).await;
    browser.get("/").await;
    for page in Page::ALL.into_iter().filter(|page| is_of_server(*page)) {
        let mut calls = Vec::new();
        for none in [FOREIGN, NOWHERE] {
            bench.calls();
            browser.get(&path(page, &none.to_string(), &foreign)).await;
            calls.push(bench.calls());
        }
        assert_eq!(calls[0], calls[1], "{page:?}: how long an answer takes would tell");
    }
}

#[tokio::test]
async fn what_is_at_another_server_is_not_found_at_ones_own() {
    let Ledgers { bench, foreign, .. } = ledgers().await;
    for who in [Who::Viewer, Who::Admin, Who::LetIn(Role::Viewer)] {
        let mut browser = who.browser(&bench).await;
        let unknown = ("recipients/AAAAAAAAAAAAAAAAAAAAAA", "messages/00000000-1111-2222-3333-444444444444");
        for (there, nowhere) in [
            (format!("recipients/{}", foreign.recipients[0].1), unknown.0),
            (format!("messages/{}", foreign.messages[0]), unknown.1),
        ] {
            let at = |tail: &str| format!("/servers/{OWN}/{tail}");
            let (one, other) = (browser.get(&at(&there)).await, browser.get(&at(nowhere)).await);
            // What was asked for may be repeated.
            let whole = |seen: &Seen, tail: &str| seen.whole().replace(tail.split_once('/').unwrap().1, "ID");
            assert_eq!((one.status, whole(&one, &there)), (404, whole(&other, nowhere)), "{there}");
        }
        // By its address it is somebody of whom nothing is recorded.
        let find = format!("/servers/{OWN}/recipients");
        let one = browser.post(&find, &[("address", &foreign.recipients[0].0)]).await;
        let other = browser.post(&find, &[("address", "unknown@elsewhere.example")]).await;
        let (one, other) = (one.whole(), other.whole());
        let (one, other) =
            (one.replace(&foreign.recipients[0].0, "WHO"), other.replace("unknown@elsewhere.example", "WHO"));
        assert_eq!(without_ids(&one), without_ids(&other));
    }
}

/// A page without what is the id of somebody: 22 characters of base64url that stand alone.
fn without_ids(page: &str) -> String {
    let is_of_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut all = String::new();
    for piece in page.split_inclusive(|c: char| !is_of_id(c)) {
        let word = piece.trim_end_matches(|c: char| !is_of_id(c));
        if word.len() == 22 { all.push_str(&piece.replace(word, "ID")) } else { all.push_str(piece) }
    }
    all
}

/// All that somebody sees, by what they asked.
async fn all_of(browser: &mut Browser<'_>) -> BTreeMap<String, String> {
    let own = [
        "recipients",
        "activity",
        "suppressions",
        "check",
        "statistics",
        "truth",
        "people",
        "webhooks",
        "set-up",
        "audit",
        "settings",
        "settings/tokens",
        "settings/postmark",
        "settings/postmark-server",
        "settings/policy",
        "settings/smtp",
        "settings/smtp?stream=outbound",
        "settings/smtp?remove=outbound",
        "activity?at=2026-11-24T08:00",
        "suppressions?stream=outbound",
    ];
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for step in walk(browser, "/", 400).await {
        all.insert(step.target, step.seen.whole());
    }
    for tail in own {
        let target = format!("/servers/{OWN}/{tail}");
        let seen = browser.get(&target).await;
        all.insert(target, seen.whole());
    }
    for (tail, field) in [("recipients", "address"), ("check", "addresses")] {
        let target = format!("/servers/{OWN}/{tail}");
        for whom in ["person0.acme@acme-customer.example", "person0.globex@globex-customer.example"] {
            let seen = browser.post(&target, &[(field, whom), ("stream", "outbound")]).await;
            all.insert(format!("POST {target} {whom}"), seen.whole());
        }
    }
    all
}

#[tokio::test]
async fn what_a_client_sees_does_not_depend_on_what_another_one_has() {
    let bench = Bench::default();
    bench.invite_all().await;
    let own = fill(&bench, OWN, Texts::Plain("acme")).await;
    let whos = [Who::Viewer, Who::Admin, Who::LetIn(Role::Viewer), Who::LetIn(Role::Admin)];
    let mut browsers = Vec::new();
    for who in whos {
        browsers.push((who, who.browser(&bench).await));
    }
    // What is noted of somebody who is here is noted by then.
    for (_, browser) in &mut browsers {
        assert_eq!(browser.get(&format!("/servers/{OWN}")).await.status, 200);
    }
    let mut before = Vec::new();
    for (_, browser) in &mut browsers {
        before.push(all_of(browser).await);
    }
    assert!(before[1].len() > 15, "{:?}", before[1].keys());
    // Another client comes, with all that there is; with the very recipients of ours, and somebody who is at both.
    fill(&bench, FOREIGN, Texts::Plain("globex")).await;
    fill(&bench, FOREIGN + 1, Texts::Hostile).await;
    for n in 0..9 {
        let body = json!({
            "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": FOREIGN, "ID": 600 + n, "Type": "HardBounce",
            "MessageID": own.messages[n], "Inactive": true,
            "Email": format!("person{n}.acme@acme-customer.example"), "BouncedAt": bench.now().plus_seconds(-99).to_string(),
        });
        record(&bench, FOREIGN, body, Source::Webhook).await;
    }
    let (user, standing) = (
        bench.id_of("user1@acme-office.example"),
        people::Standing { role: Role::Admin, reveal_addresses: true, read_content: false },
    );
    people::User::change(&*bench.store, &user, |user| {
        if let Access::Servers(servers) = &mut user.access {
            servers.insert(server(FOREIGN), standing);
        }
    })
    .await
    .unwrap();
    bench.invite("new@globex-office.example", at(FOREIGN, Role::Admin, true)).await;
    bench.token(Role::Admin, &[FOREIGN]).await;
    for ((who, browser), before) in browsers.iter_mut().zip(before) {
        let after = all_of(browser).await;
        let differ: Vec<String> = before
            .iter()
            .filter(|(target, page)| after.get(*target) != Some(page))
            .map(|(target, page)| format!("{target}\n--- before\n{page}\n--- after\n{:?}", after.get(target)))
            .collect();
        assert!(differ.is_empty(), "{who:?}: {}", differ.join("\n\n"));
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{who:?}");
        for (target, page) in &after {
            assert!(!page.contains("globex") || target.contains("globex"), "{who:?} {target}");
        }
    }
}

#[tokio::test]
async fn who_is_at_several_servers_has_at_each_what_was_given_there() {
    let Ledgers { bench, own, foreign } = ledgers().await;
    let both = Access::Servers(
        [
            (
                server(OWN),
                people::Standing { role: Role::Admin, reveal_addresses: true, read_content: false },
            ),
            (
                server(FOREIGN),
                people::Standing { role: Role::Viewer, reveal_addresses: false, read_content: false },
            ),
        ]
        .into(),
    );
    bench.invite("both@agency.example", both).await;
    let mut browser = bench.signed_in("both@agency.example").await;
    let mut wrong = Vec::new();
    for page in Page::ALL.into_iter().filter(|page| is_of_server(*page)) {
        for (id, filled, who) in [(OWN, &own, Who::Admin), (FOREIGN, &foreign, Who::Viewer)] {
            let target = path(page, &id.to_string(), filled);
            let seen = browser.get(&target).await;
            if seen.status != who.status(page, true, true) {
                wrong.push(format!("{target}: {}", seen.status));
            }
            // Where addresses are not shown, none is, whatever is shown elsewhere.
            for (address, _) in foreign.recipients.iter().filter(|_| id == FOREIGN) {
                assert!(!seen.text().contains(address.as_str()), "{target}: {address}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn whoever_is_not_to_see_addresses_sees_none_on_any_page() {
    let bench = Bench::default();
    for (name, role) in [("viewer", Role::Viewer), ("admin", Role::Admin)] {
        bench.invite(&format!("{name}@masked.example"), at(OWN, role, false)).await;
    }
    let filled = fill(&bench, OWN, Texts::Plain("acme")).await;
    for name in ["viewer", "admin"] {
        let mut browser = bench.signed_in(&format!("{name}@masked.example")).await;
        for step in walk(&mut browser, "/", 400).await {
            let text = step.seen.text();
            assert!(
                !text.contains("@acme-customer.example") || text.contains("***@acme-customer.example"),
                "{}",
                step.target
            );
            for (address, _) in &filled.recipients {
                assert!(!text.contains(address.as_str()), "{name} {}: {address}", step.target);
            }
            for withheld in ["subject", "details", "link", "reason"] {
                assert!(!text.contains(&format!("¤acme {withheld} ")), "{name} {}: {withheld}", step.target);
            }
        }
    }
}

#[tokio::test]
async fn every_page_is_reached_by_links_from_the_first() {
    let Ledgers { bench, .. } = ledgers().await;
    let steps = walk(&mut Who::Operator.browser(&bench).await, "/", 600).await;
    let missing: Vec<Page> =
        Page::ALL.into_iter().filter(|page| !steps.iter().any(|step| is_at(*page, step))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn is_at(page: Page, step: &Step) -> bool {
    let path = step.target.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let pattern: Vec<&str> = page.pattern().split('/').filter(|segment| !segment.is_empty()).collect();
    let fits = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
    segments.len() == pattern.len() && pattern.iter().zip(&segments).all(fits)
}

#[tokio::test]
async fn an_operator_sees_a_server_that_is_there_and_none_that_is_a_slip() {
    let bench = Bench::default();
    bench.invite_all().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let target = format!("/servers/{NOWHERE}");
    let before: Seen = browser.get(&target).await;
    assert_eq!(before.status, 404);
    bench.store.note_stream(server(NOWHERE), "outbound").await.unwrap();
    assert_eq!(browser.get(&target).await.status, 200);
}
