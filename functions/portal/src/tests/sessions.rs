//! Who is signed in, for how long, and what ends it: at the very next request.

use crate::bench::{ADMIN, Bench, FOREIGN, NOWHERE, OPERATOR, OWN, VIEWER, at};
use crate::texts::Texts;
use answers::Role;
use http::Method;
use people::{Access, User};
use serde_json::{Value, json};
use store::prelude::*;

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    bench.store.note_stream(crate::bench::server(OWN), "outbound").await.unwrap();
    bench.store.note_stream(crate::bench::server(FOREIGN), "outbound").await.unwrap();
    bench
}

fn of_own(tail: &str) -> String {
    format!("/servers/{OWN}{tail}")
}

#[tokio::test]
async fn a_removed_user_sees_nothing_from_the_next_request_on() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    assert_eq!(browser.get(&of_own("/recipients")).await.status, 200);
    let path = format!("/v1/users/{}", bench.id_of(VIEWER));
    assert_eq!(bench.api(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(browser.get(&of_own("/recipients")).await.status, 401);
    assert!(!browser.is_in().await);
    // Invited again, it is somebody who has to sign in.
    bench.invite(VIEWER, at(OWN, Role::Admin, true)).await;
    assert!(!browser.is_in().await);
    assert!(bench.signed_in(VIEWER).await.is_in().await);
}

#[tokio::test]
async fn another_role_holds_from_the_next_request_on() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let path = format!("/v1/users/{}", bench.id_of(VIEWER));
    let now_has = async |servers: Value| {
        let (status, told) = bench.api(Method::PUT, &path, json!({ "servers": servers })).await;
        assert_eq!(status, 200, "{told}");
    };
    let foreign = format!("/servers/{FOREIGN}/recipients");
    let link_to_people = format!("href=\"/servers/{OWN}/people\"");
    let seen = browser.get(&of_own("/recipients")).await;
    assert!(seen.status == 200 && !seen.text().contains(&link_to_people));
    assert_eq!(browser.get(&of_own("/people")).await.status, 404);
    now_has(json!([{ "server": OWN, "role": "admin" }])).await;
    assert!(browser.get(&of_own("/recipients")).await.text().contains(&link_to_people));
    now_has(json!([{ "server": OWN, "role": "viewer" }])).await;
    assert!(!browser.get(&of_own("/recipients")).await.text().contains(&link_to_people));
    now_has(json!([{ "server": FOREIGN, "role": "viewer" }])).await;
    assert_eq!(browser.get(&of_own("/recipients")).await.status, 404);
    assert_eq!(browser.get(&foreign).await.status, 200);
}

#[tokio::test]
async fn who_is_signed_out_everywhere_is_so_in_every_browser_at_once() {
    let bench = bench().await;
    let (mut one, mut other) = (bench.signed_in(VIEWER).await, bench.signed_in(VIEWER).await);
    let mut somebody_else = bench.signed_in(ADMIN).await;
    assert!(one.is_in().await && other.is_in().await);
    let path = format!("/v1/users/{}/sessions", bench.id_of(VIEWER));
    assert_eq!(bench.api(Method::DELETE, &path, Value::Null).await.0, 204);
    assert!(!one.is_in().await && !other.is_in().await);
    assert!(somebody_else.is_in().await);
    bench.pass(3_600);
    assert!(bench.signed_in(VIEWER).await.is_in().await);
}

#[tokio::test]
async fn who_signs_out_everywhere_by_themselves_is_out_in_every_browser() {
    let bench = bench().await;
    for address in [VIEWER, OPERATOR] {
        let (mut one, mut other) = (bench.signed_in(address).await, bench.signed_in(address).await);
        bench.pass(301);
        let seen = one.post("/account", &[("action", "sign-out")]).await;
        assert_eq!(seen.status, 303, "{address}: no code is asked for: {}", seen.text());
        assert!(!one.is_in().await && !other.is_in().await, "{address}");
    }
}

#[tokio::test]
async fn whom_a_client_signs_out_is_out_at_the_clients_server_and_nowhere_else() {
    let bench = bench().await;
    let standing = people::Standing { role: Role::Viewer, reveal_addresses: false, read_content: false };
    let both = Access::Servers([OWN, FOREIGN].map(|id| (crate::bench::server(id), standing)).into());
    let user = bench.invite("both@agency.example", both).await;
    let mut browser = bench.signed_in("both@agency.example").await;
    bench.pass(10);
    let mut admin = bench.signed_in(ADMIN).await;
    let sent = [("action", "sign-out"), ("user", user.id.as_str())];
    assert_eq!(admin.post(&of_own("/people"), &sent).await.status, 303);
    assert_eq!(browser.get(&of_own("/recipients")).await.status, 401);
    assert_eq!(browser.get(&format!("/servers/{FOREIGN}/recipients")).await.status, 200);
    assert_eq!(browser.get(&format!("/servers/{NOWHERE}/recipients")).await.status, 404);
    bench.pass(10);
    let mut again = bench.signed_in("both@agency.example").await;
    assert_eq!(again.get(&of_own("/recipients")).await.status, 200);
    assert_eq!(browser.get(&of_own("/recipients")).await.status, 401, "the older session stays out");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_not_only_the_cookie() {
    let bench = bench().await;
    let (mut one, mut other) = (bench.signed_in(VIEWER).await, bench.signed_in(VIEWER).await);
    let cookie = one.cookie("pl").unwrap();
    let seen = one.post("/sign-out", &[]).await;
    assert_eq!((seen.status, seen.location(), one.cookie("pl")), (303, Some("/sign-in"), None));
    one.set_cookie("pl", &cookie);
    assert!(!one.is_in().await);
    assert!(other.is_in().await, "the other browser is not signed out by that");
    assert_eq!(bench.browser().post("/sign-out", &[]).await.status, 303, "twice does no harm");
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_without_use() {
    let bench = bench().await;
    for (hours, lives) in [(11, true), (12, false), (13, false)] {
        let mut browser = bench.signed_in(VIEWER).await;
        bench.pass(hours * 3_600);
        assert_eq!(browser.is_in().await, lives, "{hours} h");
        bench.pass(3_600);
    }
}

#[tokio::test]
async fn a_session_that_is_used_ends_after_fourteen_days() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let cookie = browser.cookie("pl").unwrap();
    for _ in 0..14 * 24 / 6 - 1 {
        bench.pass(6 * 3_600);
        assert!(browser.is_in().await);
    }
    bench.pass(6 * 3_600 - 1);
    assert!(browser.is_in().await);
    bench.pass(1);
    assert_eq!(browser.cookie("pl"), Some(cookie.clone()), "the browser's clock may be late");
    browser.set_cookie("pl", &cookie);
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn a_link_of_an_agencys_system_ends_with_its_token_at_once() {
    let bench = bench().await;
    let (id, token) = bench.token(Role::Viewer, &[OWN]).await;
    let link = bench.portal_link(&token, OWN, Role::Viewer).await;
    let unused = bench.portal_link(&token, OWN, Role::Viewer).await;
    let mut browser = bench.browser();
    assert_eq!(browser.post(&link, &[]).await.status, 303);
    assert_eq!(bench.browser().post(&link, &[]).await.status, 410, "it opens one session");
    assert_eq!(browser.get(&of_own("/recipients")).await.status, 200);
    assert_eq!(bench.api(Method::DELETE, &format!("/v1/tokens/{id}"), Value::Null).await.0, 200);
    assert_eq!(browser.get(&of_own("/recipients")).await.status, 401);
    assert!(!browser.is_in().await);
    let mut late = bench.browser();
    late.post(&unused, &[]).await;
    assert!(!late.is_in().await, "nor does a link that was not used yet open anything");
}

#[tokio::test]
async fn a_session_of_a_link_lasts_eight_hours_and_sees_its_own_server_alone() {
    let bench = bench().await;
    let mut browser = bench.let_in(Role::Viewer).await;
    assert_eq!(browser.get(&of_own("/recipients")).await.status, 200);
    for (target, status) in [
        (format!("/servers/{FOREIGN}/recipients"), 404),
        (format!("/servers/{NOWHERE}/recipients"), 404),
        (of_own("/people"), 404),
        ("/people".to_owned(), 404),
    ] {
        assert_eq!(browser.get(&target).await.status, status, "{target}");
    }
    for hours in 1..8 {
        bench.pass(3_600);
        assert!(browser.is_in().await, "{hours} h");
    }
    let cookie = browser.cookie("pl").unwrap();
    bench.pass(3_600);
    browser.set_cookie("pl", &cookie);
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn only_a_session_of_ours_is_one() {
    let bench = bench().await;
    let mut browser = bench.browser();
    for planted in ["", "x", &"a".repeat(43), &"a".repeat(9_000), "../users", "__proto__"] {
        browser.set_cookie("pl", planted);
        assert!(!browser.is_in().await, "{planted}");
    }
    let signed_in = bench.signed_in(VIEWER).await;
    let cookie = signed_in.cookie("pl").unwrap();
    // What is kept of it opens nothing.
    let hash = people::Secret::read(&cookie).unwrap().hash();
    browser.set_cookie("pl", &hash);
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn what_was_typed_when_a_session_ended_is_shown_again_without_secrets() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    User::sign_out(&*bench.store, &bench.id_of(VIEWER)).await.unwrap();
    let typed = [("addresses", "a@b.example\nc@d.example <x>"), ("code", "12345678"), ("note", "")];
    let seen = browser.post(&of_own("/check"), &typed).await;
    assert_eq!(seen.status, 401);
    assert!(seen.text().contains("c@d.example &#60;x&#62;"), "{}", seen.text());
    assert!(!seen.text().contains("12345678") && seen.text().contains("href=\"/sign-in\""));
}

#[tokio::test]
async fn what_is_dangerous_takes_a_fresh_code_of_the_very_user() {
    let bench = bench().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    bench.pass(3_600);
    let session = async || {
        let (_, document) = bench.store.documents(&store::Collection::Sessions).await.unwrap().remove(0);
        serde_json::from_str::<Value>(&document.text).unwrap()["confirmed_at"].clone()
    };
    let before = session().await;
    let page = browser.get("/confirm?back=/people").await;
    assert_eq!(page.status, 200);
    bench.outbox.take();
    let asked = browser.post("/confirm", &[("back", "/people")]).await;
    assert_eq!((asked.status, asked.location()), (303, Some("/confirm?back=%2Fpeople")));
    let sent = bench.sent().unwrap();
    assert_eq!((sent.to.as_deref(), &sent.link), (Some(OPERATOR), &None), "a code alone: no link confirms");
    assert!(browser.get("/confirm?back=/people").await.text().contains("name=\"code\""));
    let wrong = browser.post("/confirm/code", &[("code", &sent.wrong()), ("back", "/people")]).await;
    assert_eq!((wrong.status, session().await), (403, before.clone()));
    let signs_in = browser.post("/sign-in/code", &[("code", &sent.code)]).await;
    assert_eq!(signs_in.status, 403, "it opens no session");
    let right = browser.post("/confirm/code", &[("code", &sent.code), ("back", "/people")]).await;
    assert_eq!((right.status, right.location()), (303, Some("/people")));
    assert_ne!(session().await, before);
    let again = browser.post("/confirm/code", &[("code", &sent.code)]).await;
    assert_eq!(again.status, 403);
    assert_eq!(bench.browser().post("/confirm", &[]).await.status, 401);
    assert_eq!(bench.let_in(Role::Viewer).await.post("/confirm", &[]).await.status, 404);
}

#[tokio::test]
async fn a_code_that_somebody_else_asked_for_confirms_nothing() {
    let bench = bench().await;
    let (mut one, mut other) = (bench.signed_in(OPERATOR).await, bench.signed_in(ADMIN).await);
    other.post("/confirm", &[]).await;
    let sent = bench.outbox.take().pop().unwrap();
    let people::Mail::Code { code, .. } = sent else { panic!("a code") };
    one.set_cookie("pl-asked", &other.cookie("pl-asked").unwrap());
    bench.pass(1);
    let before = bench.store.documents(&store::Collection::Sessions).await.unwrap();
    let seen = one.post("/confirm/code", &[("code", &code)]).await;
    assert_eq!(seen.status, 404);
    assert_eq!(bench.store.documents(&store::Collection::Sessions).await.unwrap(), before);
}

#[tokio::test]
async fn codes_to_confirm_are_few_and_whoever_asks_for_more_is_told_so() {
    let bench = bench().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    bench.pass(3_600);
    // Whoever only knows the address asks for codes to sign in, and takes none of these away.
    let mut stranger = bench.browser();
    for _ in 0..9 {
        stranger.post("/sign-in", &[("address", OPERATOR)]).await;
    }
    let mut codes = 0;
    loop {
        bench.outbox.take();
        let asked = browser.post("/confirm", &[]).await;
        let Some(sent) = bench.sent() else {
            assert_eq!(asked.status, 429, "it is not said that one was sent");
            assert!(asked.text().contains(&Texts::default().confirm_too_often()));
            break;
        };
        codes += 1;
        assert_eq!((asked.status, sent.to.as_deref()), (303, Some(OPERATOR)));
        assert!(codes <= 12, "every asking would be five more guesses");
        assert_eq!(browser.post("/confirm/code", &[("code", &sent.code)]).await.status, 303);
    }
    assert_eq!(codes, 12);
    bench.pass(3_600);
    assert_eq!(browser.post("/confirm", &[]).await.status, 303);
}

#[tokio::test]
async fn a_time_that_cannot_be_read_shows_nothing_rather_than_what_is_now() {
    let bench = bench().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    for name in ["at", "known_at"] {
        let seen = browser.get(&format!("/servers/{OWN}/suppressions?{name}=yesterday")).await;
        assert_eq!(seen.status, 400);
        let page = seen.text();
        assert!(page.contains(&Texts::default().no_time_title()), "{page}");
        assert!(page.contains("/sign-out"), "one goes on from there as whoever is signed in: {page}");
    }
}

#[tokio::test]
async fn another_time_keeps_what_was_chosen() {
    let bench = bench().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    let target = format!("/servers/{OWN}/activity?stream=outbound&at=2026-11-24T08:00");
    let seen = browser.get(&target).await;
    let page = seen.text();
    assert!(page.contains("href=\"?stream=outbound\""), "{page}");
    let form = page.split("class=\"as-of\"").nth(1).unwrap();
    assert!(form.contains("<input type=\"hidden\" name=\"stream\" value=\"outbound\">"), "{page}");
    assert!(!form.contains("type=\"hidden\" name=\"at\""), "{page}");
}

#[tokio::test]
async fn one_goes_back_to_a_page_of_ours_and_to_nobody_elses() {
    let bench = bench().await;
    let mut browser = bench.signed_in(OPERATOR).await;
    for (back, to) in [
        ("/people", "/people"),
        ("/servers/7/recipients?at=2026-11-21T08:00:00Z", "/servers/7/recipients?at=2026-11-21T08:00:00Z"),
        ("", "/"),
        ("people", "/"),
        ("//evil.example", "/"),
        (" //evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("/\r\nSet-Cookie: pl=x", "/"),
        ("\u{0}//evil.example", "/"),
        ("/\u{85}/evil.example", "/"),
        ("@evil.example", "/"),
    ] {
        bench.pass(3_600);
        bench.outbox.take();
        let asked = browser.post("/confirm", &[("back", back)]).await;
        let encoded: String = form_urlencoded::byte_serialize(to.as_bytes()).collect();
        assert_eq!(asked.location(), Some(format!("/confirm?back={encoded}").as_str()), "{back:?}");
        let sent = bench.sent().unwrap();
        let seen = browser.post("/confirm/code", &[("back", back), ("code", &sent.code)]).await;
        assert_eq!((seen.status, seen.location()), (303, Some(to)), "{back:?}");
        // In the query, percent-encoded.
        let query: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
        let page = browser.get(&format!("/confirm?back={query}")).await;
        assert!(!page.text().contains("evil.example"), "{back:?}");
    }
    let page = browser.get("/confirm?back=%2f%2fevil.example").await;
    assert!(!page.text().contains("evil.example"));
}

#[tokio::test]
async fn an_operator_who_sees_no_addresses_sees_none_in_the_portal_either() {
    let bench = Bench::default();
    bench.invite(OPERATOR, Access::operator(false, false)).await;
    let filled = super::fixture::fill(&bench, OWN, super::fixture::Texts::Plain("acme")).await;
    let mut browser = bench.signed_in(OPERATOR).await;
    for seen in super::walk::walk(&mut browser, "/", 400).await {
        for (address, _) in &filled.recipients {
            assert!(!seen.seen.text().contains(address.as_str()), "{}: {address}", seen.target);
        }
    }
}
