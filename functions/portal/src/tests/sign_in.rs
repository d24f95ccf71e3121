//! Signing in: by a code and a link that are mailed, and what neither opens.

use crate::bench::{Bench, OPERATOR, OWN, Setup, UNKNOWN, VIEWER, at};
use crate::texts::{Language, Texts};
use answers::Role;
use http::Method;
use people::{Mail, User};
use std::collections::BTreeSet;

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    bench
}

#[tokio::test]
async fn the_code_that_was_mailed_signs_in_where_it_was_asked_for() {
    let bench = bench().await;
    let mut browser = bench.browser();
    assert!(!browser.is_in().await);
    let form = browser.get("/sign-in").await;
    assert!(form.status == 200 && form.text().contains("name=\"address\""));
    let sent = browser.ask_for_code(" Vera.VIEWER@client.example ").await.unwrap();
    assert_eq!(sent.to.as_deref(), Some(VIEWER), "mail goes to the address as it was invited");
    assert!(browser.get("/sign-in/code").await.text().contains("name=\"code\""));
    let spaced = format!("{} {}", &sent.code[..4], &sent.code[4..]);
    let seen = browser.post("/sign-in/code", &[("code", &spaced)]).await;
    assert_eq!((seen.status, seen.location()), (303, Some("/")));
    assert!(browser.is_in().await);
    assert!(browser.get("/").await.text().contains(VIEWER));
    assert!(!bench.browser().is_in().await, "another browser is not signed in by that");
}

#[tokio::test]
async fn after_five_wrong_codes_the_right_one_opens_nothing() {
    let bench = bench().await;
    let mut browser = bench.browser();
    let sent = browser.ask_for_code(VIEWER).await.unwrap();
    let t = Texts(Language::English);
    for n in 1..=5 {
        let seen = browser.post("/sign-in/code", &[("code", &sent.wrong())]).await;
        assert_eq!(seen.status, 403);
        let words = if n < 5 { t.code_wrong() } else { t.code_too_many() };
        assert!(seen.text().contains(&words), "{n}");
    }
    let seen = browser.post("/sign-in/code", &[("code", &sent.code)]).await;
    assert!(seen.status == 403 && seen.text().contains(&t.code_too_many()));
    assert_eq!(browser.post(sent.link.as_deref().unwrap(), &[]).await.status, 403, "nor does the link");
    assert!(!browser.is_in().await);
    // Who asks again has new tries.
    let sent = browser.ask_for_code(VIEWER).await.unwrap();
    assert_eq!(browser.post("/sign-in/code", &[("code", &sent.code)]).await.status, 303);
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn neither_code_nor_link_opens_anything_in_another_browser() {
    let bench = bench().await;
    let mut asked = bench.browser();
    let sent = asked.ask_for_code(VIEWER).await.unwrap();
    let link = sent.link.clone().unwrap();
    for other_asked in [false, true] {
        let mut other = bench.browser();
        if other_asked {
            other.ask_for_code(OPERATOR).await.unwrap();
        }
        assert_eq!(other.get(&link).await.status, 200);
        for (target, code) in [("/sign-in/code", sent.code.as_str()), (&link, "")] {
            let seen = other.post(target, &[("code", code)]).await;
            assert_eq!(seen.status, 403, "{target}");
            assert!(!seen.cookies().iter().any(|cookie| cookie.name == "__Host-pl"));
        }
        assert!(!other.is_in().await);
    }
    assert_eq!(asked.post(&link, &[]).await.status, 303, "it is still good where it was asked for");
    assert!(asked.is_in().await);
}

#[tokio::test]
async fn code_and_link_open_once_together() {
    let bench = bench().await;
    for (first, second) in [("code", "code"), ("code", "link"), ("link", "code"), ("link", "link")] {
        let mut browser = bench.browser();
        let sent = browser.ask_for_code(VIEWER).await.unwrap();
        let asked = browser.cookie("pl-asked").unwrap();
        for (by, status) in [(first, 303), (second, 403)] {
            browser.set_cookie("pl-asked", &asked);
            let seen = match by {
                "code" => browser.post("/sign-in/code", &[("code", &sent.code)]).await,
                _ => browser.post(sent.link.as_deref().unwrap(), &[]).await,
            };
            assert_eq!(seen.status, status, "{first}, then {second}");
        }
        bench.pass(3_600);
    }
}

#[tokio::test]
async fn after_ten_minutes_code_and_link_open_nothing() {
    let bench = bench().await;
    for (seconds, status) in [(599, 303), (600, 403), (601, 403)] {
        let mut browser = bench.browser();
        let sent = browser.ask_for_code(VIEWER).await.unwrap();
        let asked = browser.cookie("pl-asked").unwrap();
        bench.pass(seconds);
        // A browser forgets the cookie by then; somebody may have kept it.
        browser.set_cookie("pl-asked", &asked);
        let by_link = browser.post(sent.link.as_deref().unwrap(), &[]).await.status;
        assert_eq!(by_link, status, "after {seconds} s");
        browser.set_cookie("pl-asked", &asked);
        assert_eq!(browser.post("/sign-in/code", &[("code", &sent.code)]).await.status, 403);
        bench.pass(3_600);
    }
}

#[tokio::test]
async fn an_address_that_nobody_has_is_answered_as_any_other() {
    let bench = bench().await;
    let mut told = BTreeSet::new();
    for address in
        [VIEWER, UNKNOWN, OPERATOR, "x@y.example", VIEWER, UNKNOWN, VIEWER, UNKNOWN, VIEWER, UNKNOWN]
    {
        let mut browser = bench.browser();
        bench.calls();
        bench.outbox.take();
        let asked = browser.post("/sign-in", &[("address", address)]).await;
        let (writes, mails) = (bench.writes(), bench.outbox.take());
        let [Mail::Code { to, link: Some(_), .. }] = &mails[..] else { panic!("{}: one mail", mails.len()) };
        assert!(to.is_none() || to.as_deref() == Some(address), "to nobody else");
        let known = [VIEWER, OPERATOR].contains(&address);
        assert!(known || to.is_none(), "to nobody");
        // The fourth time within the hour there is no mail, and one count less to write: for anybody.
        let page = browser.get("/sign-in/code").await;
        let wrong = browser.post("/sign-in/code", &[("code", "12345678")]).await;
        told.insert((asked.whole(), page.whole(), wrong.whole(), writes.len()));
    }
    let pages: BTreeSet<_> = told.iter().map(|(asked, page, wrong, _)| (asked, page, wrong)).collect();
    assert_eq!(pages.len(), 1, "{pages:?}");
    let writes: Vec<usize> = told.iter().map(|(.., writes)| *writes).collect();
    assert_eq!(writes, [2, 3], "for who asks within limits, and who asks too often");
}

#[tokio::test]
async fn an_unknown_address_costs_the_same_calls_of_the_tables_as_a_known_one() {
    let bench = bench().await;
    let mut all = Vec::new();
    // What the portal looks like is read once a minute.
    bench.browser().get("/sign-in").await;
    for address in [VIEWER, UNKNOWN] {
        let mut browser = bench.browser();
        for _ in 0..5 {
            bench.calls();
            browser.post("/sign-in", &[("address", address)]).await;
            let asked = bench.calls();
            browser.post("/sign-in/code", &[("code", "00000000")]).await;
            all.push((address, asked, bench.calls()));
        }
    }
    for (one, other) in all[..5].iter().zip(&all[5..]) {
        assert_eq!((&one.1, &one.2), (&other.1, &other.2));
    }
}

#[tokio::test]
async fn an_address_gets_three_codes_an_hour_and_who_asks_more_often_is_told_the_same() {
    let bench = bench().await;
    let mut pages = BTreeSet::new();
    let mut mailed = Vec::new();
    for _ in 0..6 {
        let mut browser = bench.browser();
        let seen = browser.post("/sign-in", &[("address", VIEWER)]).await;
        pages.insert(seen.whole());
        mailed.push(bench.sent().unwrap().to.is_some());
    }
    assert_eq!(mailed, [true, true, true, false, false, false]);
    assert_eq!(pages.len(), 1);
    bench.pass(3_600);
    assert!(bench.browser().ask_for_code(VIEWER).await.is_some());
}

#[tokio::test]
async fn a_code_that_nobody_was_mailed_cannot_be_guessed() {
    let bench = bench().await;
    for address in [VIEWER, UNKNOWN] {
        for n in 0..6 {
            let mut browser = bench.browser();
            browser.post("/sign-in", &[("address", address)]).await;
            let sent = bench.sent().unwrap();
            let opens = browser.post("/sign-in/code", &[("code", &sent.code)]).await.status == 303;
            assert_eq!(opens, sent.to.is_some(), "{address}, {n}: else every asking were five more guesses");
            assert_eq!(opens, address == VIEWER && n < 3);
        }
    }
}

#[tokio::test]
async fn from_one_network_sixty_codes_an_hour_are_asked_for_and_then_it_is_said() {
    let bench = bench().await;
    let ask = async |from: &str, n: usize| {
        let mut browser = bench.browser();
        browser.from = from.parse().ok();
        let seen = browser.post("/sign-in", &[("address", &format!("a{n}@b.example"))]).await;
        assert_eq!(bench.outbox.take().len(), usize::from(seen.status == 303), "{from}");
        seen
    };
    let t = Texts(Language::English);
    // A household has a /64 of IPv6, and an address of IPv4 however it is written.
    for all in [
        ["198.51.100.7", "198.51.100.7", "::ffff:198.51.100.7"],
        ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2:0:1::"],
    ] {
        for n in 0..60 {
            assert_eq!(ask(all[n % 3], n).await.status, 303, "{n}");
        }
        for from in all {
            let seen = ask(from, 99).await;
            assert!(seen.status == 429 && seen.text().contains(&t.too_often_title()), "{from}");
        }
    }
    for other in ["198.51.100.8", "::ffff:198.51.100.9", "2001:db8:1:3::1"] {
        assert_eq!(ask(other, 99).await.status, 303, "{other} is another network");
    }
    bench.pass(3_600);
    assert_eq!(ask("198.51.100.7", 99).await.status, 303);
}

#[tokio::test]
async fn neither_a_networks_address_nor_somebodys_is_kept_where_it_is_counted() {
    let bench = bench().await;
    bench.browser().ask_for_code(VIEWER).await;
    use store::prelude::*;
    for collection in [store::Collection::Limits, store::Collection::SignIns] {
        for (name, document) in bench.store.documents(&collection).await.unwrap() {
            for secret in ["203.0.113.9", "vera", "client.example"] {
                assert!(!name.contains(secret) && !document.text.contains(secret), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_address_is_said_before_anything_is_counted() {
    let bench = bench().await;
    // What the portal looks like is read once a minute.
    bench.browser().get("/sign-in").await;
    bench.calls();
    for wrong in [
        "",
        " ",
        "vera",
        "vera@",
        "@client.example",
        "a@b.example, c@d.example",
        "<script>@x",
        "a@b\r\nBcc: c@d.example",
    ] {
        let seen = bench.browser().post("/sign-in", &[("address", wrong)]).await;
        assert_eq!(seen.status, 400, "{wrong}");
        assert!(
            seen.text().contains("role=\"alert\"") && seen.text().contains("aria-describedby=\"problem\"")
        );
    }
    assert!(bench.calls().is_empty() && bench.outbox.take().is_empty());
}

#[tokio::test]
async fn looking_at_a_link_spends_nothing_whatever_looks() {
    let bench = bench().await;
    let mut browser = bench.browser();
    let sent = browser.ask_for_code(VIEWER).await.unwrap();
    let user = bench.id_of(VIEWER);
    let who = people::LinkFor::User { id: user };
    let (secret, _) = people::Link::make(&*bench.store, who, bench.now()).await.unwrap();
    let links = [sent.link.unwrap(), format!("/link/{}", secret.text())];
    bench.calls();
    for link in &links {
        for method in [Method::GET, Method::HEAD] {
            for headers in [&[][..], &[("sec-fetch-site", "none")], &[("sec-fetch-site", "cross-site")]] {
                let seen = browser.send(method.clone(), link, headers, b"").await;
                assert_eq!((seen.status, seen.cookies().len()), (200, 0), "{method} {link}");
                bench.browser().send(method.clone(), link, headers, b"").await;
            }
        }
    }
    assert!(bench.writes().is_empty());
    for link in &links {
        assert_eq!(browser.post(link, &[]).await.status, 303, "{link}");
    }
    assert_eq!(bench.browser().post(&links[1], &[]).await.status, 410);
}

#[tokio::test]
async fn a_link_of_an_operator_opens_one_session_for_its_user_within_ten_minutes() {
    let bench = bench().await;
    let make = async || {
        let who = people::LinkFor::User { id: bench.id_of(VIEWER) };
        let (secret, _) = people::Link::make(&*bench.store, who, bench.now()).await.unwrap();
        format!("/link/{}", secret.text())
    };
    let link = make().await;
    let mut browser = bench.browser();
    let page = browser.get(&link).await;
    assert!(page.text().contains(&format!("method=\"post\" action=\"{link}\"")), "{}", page.text());
    assert_eq!(browser.post(&link, &[]).await.status, 303);
    assert!(browser.is_in().await && browser.get("/").await.text().contains(VIEWER));
    for seen in [bench.browser().get(&link).await, bench.browser().post(&link, &[]).await] {
        assert_eq!((seen.status, seen.cookies().len()), (410, 0));
    }
    let late = make().await;
    bench.pass(600);
    assert_eq!(bench.browser().post(&late, &[]).await.status, 410);
    let gone = make().await;
    User::remove(&*bench.store, &bench.id_of(VIEWER)).await.unwrap();
    assert_eq!(bench.browser().post(&gone, &[]).await.status, 410);
    for nonsense in ["/link/x", "/link/%ff", "/sign-in/x", &format!("/link/{}", "a".repeat(43))] {
        let seen = bench.browser().post(nonsense, &[]).await;
        assert!([403, 404, 410].contains(&seen.status), "{nonsense}: {}", seen.status);
    }
}

#[tokio::test]
async fn a_removed_users_code_opens_nothing() {
    let bench = bench().await;
    let mut browser = bench.browser();
    let sent = browser.ask_for_code(VIEWER).await.unwrap();
    User::remove(&*bench.store, &bench.id_of(VIEWER)).await.unwrap();
    let seen = browser.post("/sign-in/code", &[("code", &sent.code)]).await;
    assert_eq!((seen.status, browser.is_in().await), (403, false));
}

#[tokio::test]
async fn a_session_that_a_browser_brings_along_is_never_taken_over() {
    let bench = bench().await;
    let planted = people::Secret::make().unwrap();
    let mut other = bench.signed_in(OPERATOR).await;
    let others = other.cookie("pl").unwrap();
    for planted in [planted.text(), &others] {
        let mut browser = bench.browser();
        browser.set_cookie("pl", planted);
        let sent = browser.ask_for_code(VIEWER).await.unwrap();
        browser.post("/sign-in/code", &[("code", &sent.code)]).await;
        assert_ne!(browser.cookie("pl").as_deref(), Some(planted));
        assert!(browser.get("/").await.text().contains(VIEWER));
        let mut thief = bench.browser();
        thief.set_cookie("pl", planted);
        assert_eq!(thief.is_in().await, planted == others, "what was planted is nobody's new session");
        assert!(!thief.get("/").await.text().contains(VIEWER));
    }
    assert!(other.get("/").await.text().contains(OPERATOR));
}

#[tokio::test]
async fn cookies_are_kept_to_this_host_over_tls() {
    let bench = bench().await;
    let mut browser = bench.browser();
    browser.ask_for_code(VIEWER).await;
    let sent_again = browser.post("/sign-in", &[("address", VIEWER)]).await;
    let code = bench.sent().unwrap().code;
    let signed_in = browser.post("/sign-in/code", &[("code", &code)]).await;
    let signed_out = browser.post("/sign-out", &[]).await;
    let mut names = BTreeSet::new();
    for cookie in [sent_again, signed_in, signed_out].iter().flat_map(|seen| seen.cookies()) {
        names.insert(cookie.name.clone());
        let lasts = cookie.attributes.iter().find_map(|one| one.strip_prefix("Max-Age=")).unwrap();
        assert!(["600", "0", "1209600"].contains(&lasts), "{cookie:?}");
        let mut rest = cookie.attributes.clone();
        rest.retain(|one| !one.starts_with("Max-Age"));
        rest.sort();
        assert_eq!(rest, ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"], "{cookie:?}");
    }
    assert_eq!(names, ["__Host-pl".to_owned(), "__Host-pl-asked".to_owned()].into());
}

#[tokio::test]
async fn on_this_machine_one_signs_in_without_tls() {
    for url in ["http://127.0.0.1:8631", "http://localhost:8631", "http://[::1]:8631", "http://127.0.0.1"] {
        let bench = Bench::at(url);
        bench.invite_all().await;
        let mut browser = bench.signed_in(VIEWER).await;
        assert!(browser.is_in().await, "{url}");
        let signed_out = browser.post("/sign-out", &[]).await;
        let [cookie] = &signed_out.cookies()[..] else { panic!("one cookie") };
        assert_eq!(cookie.name, "pl");
        let mut attributes = cookie.attributes.clone();
        attributes.sort();
        assert_eq!(attributes, ["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Lax"]);
        assert!(!browser.is_in().await);
    }
}

#[tokio::test]
async fn on_plain_http_elsewhere_nobody_signs_in_and_the_next_step_is_said() {
    for url in [
        "http://portal.example",
        "http://10.0.0.7:8631",
        "http://127.0.0.1.evil.example",
        "http://localhost.example:80",
        "http://[::2]:80",
        "ftp://127.0.0.1x",
    ] {
        let bench = Bench::new(Setup { url, shows_sample: true, ..Setup::default() });
        let user = bench.invite("viewer@sample.example", at(OWN, Role::Viewer, true)).await;
        let who = people::LinkFor::User { id: user.id };
        let (secret, _) = people::Link::make(&*bench.store, who, bench.now()).await.unwrap();
        bench.calls();
        let mut browser = bench.browser();
        let t = Texts(Language::English);
        let link = format!("/link/{}", secret.text());
        for target in ["/sign-in", "/sign-in/code", "/sample/viewer", &link, "/sign-in/x", "/confirm"] {
            for seen in [
                browser.get(target).await,
                browser.post(target, &[("address", "viewer@sample.example"), ("code", "12345678")]).await,
            ] {
                assert_eq!((seen.status, seen.cookies().len()), (403, 0), "{url} {target}");
                assert!(seen.text().contains(&t.plain_http_next()), "{url} {target}");
            }
        }
        assert!(bench.writes().is_empty() && bench.outbox.take().is_empty());
    }
}

#[tokio::test]
async fn who_may_look_around_a_sample_may_nowhere_else() {
    for shows_sample in [true, false] {
        let bench = Bench::new(Setup { url: "http://127.0.0.1:8631", shows_sample, ..Setup::default() });
        for role in ["viewer", "admin", "operator"] {
            bench.invite(&format!("{role}@sample.example"), at(OWN, Role::Viewer, true)).await;
        }
        let page = bench.browser().get("/sign-in").await;
        assert_eq!(page.text().contains("/sample/viewer"), shows_sample);
        for (role, opens) in
            [("viewer", true), ("admin", true), ("operator", true), ("vera", false), ("..", false)]
        {
            let mut browser = bench.browser();
            let seen = browser.post(&format!("/sample/{role}"), &[]).await;
            assert_eq!(seen.status, if opens && shows_sample { 303 } else { 404 }, "{role}");
            assert_eq!(browser.is_in().await, opens && shows_sample, "{role}");
        }
    }
}

#[tokio::test]
async fn where_no_mail_is_sent_the_page_says_how_one_signs_in() {
    let bench = Bench::new(Setup { sends: false, ..Setup::default() });
    let page = bench.browser().get("/sign-in").await;
    assert!(page.status == 200 && page.text().contains("postledger user link"), "{}", page.text());
    assert!(!page.text().contains("name=\"address\""));
}
