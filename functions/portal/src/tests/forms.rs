//! What forms do, and for whom they do nothing.

use super::fixture::{Texts, brand, fill};
use super::walk::{sendings, walk};
use crate::bench::{ADMIN, Bench, Browser, FOREIGN, OPERATOR, OWN, VIEWER, access, at, server};
use crate::{Page, Standing};
use answers::Role;
use people::User;
use std::collections::BTreeSet;
use store::Collection;

/// What the portal changes for people, but for who is signed in.
fn collections() -> Vec<Collection> {
    let servers = [OWN, FOREIGN].map(|id| Collection::Audit(server(id)));
    let of_people = [
        Collection::Tokens,
        Collection::Servers,
        Collection::Links,
        Collection::Branding,
        Collection::Connections,
        Collection::Watch,
        Collection::Rotation,
    ];
    servers.into_iter().chain(of_people).collect()
}

/// What everybody may do and see.
async fn rights(bench: &Bench) -> BTreeSet<String> {
    let all = User::all(&*bench.store).await.unwrap();
    all.iter().map(|user| format!("{} {:?}", user.address, user.access)).collect()
}

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    fill(&bench, FOREIGN, Texts::Plain("globex")).await;
    brand(&bench, Texts::Plain("agency")).await;
    bench
}

/// Everything that an operator's pages would send.
async fn of_an_operator(bench: &Bench) -> Vec<(String, Vec<(String, String)>)> {
    let mut browser = bench.signed_in(OPERATOR).await;
    let pages = walk(&mut browser, "/", 600).await;
    let all: BTreeSet<(String, Vec<(String, String)>)> = pages.iter().flat_map(sendings).collect();
    all.into_iter().filter(gives_or_takes).collect()
}

/// Whether a form is about what others may do. To sign oneself out, or choose a zone, is for everybody.
fn gives_or_takes((to, fields): &(String, Vec<(String, String)>)) -> bool {
    !to.starts_with("/account") && !fields.contains(&("action".to_owned(), "sign-out".to_owned()))
}

async fn send(browser: &mut Browser<'_>, to: &str, fields: &[(String, String)]) -> u16 {
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    browser.post(to, &pairs).await.status
}

#[tokio::test]
async fn reading_changes_nothing() {
    let bench = bench().await;
    for address in [VIEWER, ADMIN, OPERATOR] {
        let mut browser = bench.signed_in(address).await;
        // That somebody was here is noted, once an hour.
        for id in [OWN, FOREIGN] {
            browser.get(&format!("/servers/{id}")).await;
        }
        let before = bench.kept(&collections()).await;
        bench.calls();
        walk(&mut browser, "/", 600).await;
        assert_eq!(bench.writes(), Vec::<&str>::new(), "{address}");
        assert_eq!(bench.kept(&collections()).await, before);
        assert!(bench.outbox.take().is_empty());
    }
}

#[tokio::test]
async fn what_a_form_of_an_operator_does_it_does_for_nobody_below() {
    let bench = bench().await;
    let all = of_an_operator(&bench).await;
    assert!(all.len() > 15, "{all:#?}");
    let before = rights(&bench).await;
    let foreign = |rights: &BTreeSet<String>| -> Vec<String> {
        rights.iter().filter(|one| one.contains("globex") || one.contains("Operator")).cloned().collect()
    };
    for who in ["nobody", VIEWER, ADMIN, "let in"] {
        bench.pass(3_600);
        let mut browser = match who {
            "nobody" => bench.browser(),
            "let in" => bench.let_in(Role::Admin).await,
            address => bench.signed_in(address).await,
        };
        let events = bench
            .kept(&[Collection::Audit(server(FOREIGN)), Collection::Servers, Collection::Branding])
            .await;
        for (to, fields) in &all {
            let status = send(&mut browser, to, fields).await;
            let is_own = to.starts_with(&format!("/servers/{OWN}"));
            let expected: &[u16] = match (who, is_own) {
                ("nobody", _) => &[401],
                (_, false) => &[404],
                (_, true) => &[200, 303, 400, 403, 404, 409],
            };
            assert!(expected.contains(&status), "{who} {to} {fields:?}: {status}");
        }
        let now = rights(&bench).await;
        assert_eq!(foreign(&now), foreign(&before), "{who}");
        assert_eq!(
            bench
                .kept(&[Collection::Audit(server(FOREIGN)), Collection::Servers, Collection::Branding])
                .await,
            events,
            "{who}"
        );
        if who != ADMIN && who != "let in" {
            assert_eq!(now, before, "{who}");
        }
        // An admin makes no admins, and nobody an operator.
        let admins =
            |rights: &BTreeSet<String>| rights.iter().filter(|one| one.contains("role: Admin")).count();
        assert!(admins(&now) <= admins(&before), "{who}: {now:#?}");
    }
}

#[tokio::test]
async fn what_gives_or_takes_away_rights_takes_a_code_that_was_given_just_now() {
    let bench = bench().await;
    for address in [ADMIN, OPERATOR] {
        bench.pass(3_600);
        let mut browser = bench.signed_in(address).await;
        let pages = walk(&mut browser, "/", 600).await;
        let all: BTreeSet<(String, Vec<(String, String)>)> = pages.iter().flat_map(sendings).collect();
        let before = rights(&bench).await;
        bench.pass(301);
        for (to, fields) in all.iter().filter(|sent| gives_or_takes(sent)) {
            let status = send(&mut browser, to, fields).await;
            assert!(status < 500, "{address} {to} {fields:?}: {status}");
            assert_eq!(rights(&bench).await, before, "{address} {to} {fields:?}");
            assert!(browser.is_in().await, "{address} {to} {fields:?}");
        }
        assert!(bench.outbox.take().is_empty(), "nobody is invited");
    }
}

#[tokio::test]
async fn who_may_not_see_a_page_may_not_send_to_it_either() {
    let bench = bench().await;
    let bodies: [&[(&str, &str)]; 6] = [
        &[],
        &[
            ("action", "invite"),
            ("addresses", "evil@evil.example"),
            ("role", "admin"),
            ("reveal", "on"),
            ("as", "operator"),
        ],
        &[("action", "remove"), ("user", "USER")],
        &[("action", "sign-out"), ("user", "USER")],
        &[("action", "change"), ("user", "USER"), ("role", "viewer")],
        &[("action", "operator"), ("user", "SELF"), ("reveal", "on")],
    ];
    let before = rights(&bench).await;
    for (who, role) in [(VIEWER, Role::Viewer), (ADMIN, Role::Admin)] {
        let mut browser = bench.signed_in(who).await;
        for page in Page::ALL {
            for id in [OWN, FOREIGN] {
                let allowed = match page.standing() {
                    Standing::Anybody => true,
                    Standing::At(least) => id == OWN && role >= least,
                    Standing::Operator => false,
                };
                if allowed {
                    continue;
                }
                let target = page.pattern().replace("{server}", &id.to_string()).replace("{id}", "x");
                for body in bodies {
                    let user = bench.id_of("user0@acme-office.example");
                    let own = bench.id_of(who);
                    let named = |value: &str| value.replace("USER", &user).replace("SELF", &own);
                    let fields: Vec<(String, String)> =
                        body.iter().map(|(name, value)| ((*name).to_owned(), named(value))).collect();
                    let query: Vec<String> =
                        fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    for target in
                        [target.clone(), format!("{target}?{}", query.join("&").replace('@', "%40"))]
                    {
                        assert_eq!(
                            send(&mut browser, &target, &fields).await,
                            404,
                            "{who} {target} {fields:?}"
                        );
                    }
                }
            }
        }
    }
    assert_eq!(rights(&bench).await, before);
    assert!(bench.outbox.take().iter().all(|mail| matches!(mail, people::Mail::Code { .. })));
}

#[tokio::test]
async fn an_admin_invites_viewers_to_ones_own_server_and_no_further() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let target = format!("/servers/{OWN}/people");
    for (role, address) in [
        ("viewer", "one@client.example"),
        ("admin", "two@client.example"),
        ("operator", "three@client.example"),
    ] {
        let fields = [
            ("action", "invite"),
            ("addresses", address),
            ("role", role),
            ("servers", "8200001"),
            ("server", "8200001"),
        ];
        let seen = browser.post(&target, &fields).await;
        assert!(seen.status < 500, "{role}: {}", seen.status);
        let user = User::get(&*bench.store, &bench.id_of(address)).await.unwrap();
        match user {
            Some(user) => assert_eq!(user.access, at(OWN, Role::Viewer, false), "{role}"),
            None => assert_ne!(role, "viewer", "{}", seen.text()),
        }
    }
    assert_eq!(User::get(&*bench.store, &bench.id_of(ADMIN)).await.unwrap().unwrap().access, access(ADMIN));
}
