//! What an admin changes of a server, and who does not.

use super::fixture::{Texts, fill};
use super::html::Html;
use crate::bench::{ADMIN, Bench, FOREIGN, OPERATOR, OWN, at, server};
use account::Vault as _;
use answers::Role;
use api::token::Token;
use http::Method;
use ledger::policy::SoftBouncePolicy;
use postmark_api::Token as PostmarkToken;
use serde_json::Value;
use store::Collection;
use store::prelude::*;

const TOKENS: &str = "/servers/8123456/settings/tokens";
const POSTMARK: &str = "/servers/8123456/settings/postmark";
const POLICY: &str = "/servers/8123456/settings/policy";

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    bench.store.note_stream(server(OWN), "outbound").await.unwrap();
    bench
}

/// The secret that a page shows.
fn secret(page: &str) -> Option<String> {
    let html = Html::read(page);
    let field = html.all("input").find(|input| input.get("id") == Some("secret"))?;
    assert!(field.get("readonly").is_some());
    field.get("value").map(str::to_owned)
}

async fn tokens(bench: &Bench) -> Vec<Token> {
    let all = bench.store.documents(&Collection::Tokens).await.unwrap();
    all.iter().map(|(_, document)| serde_json::from_str(&document.text).unwrap()).collect()
}

async fn audit(bench: &Bench) -> String {
    let (_, told) = bench.api(Method::GET, &format!("/v1/servers/{OWN}/audit?limit=500"), Value::Null).await;
    told.to_string()
}

#[tokio::test]
async fn a_token_is_shown_once_opens_this_server_alone_and_opens_nothing_once_it_is_revoked() {
    let bench = bench().await;
    bench.store.note_stream(server(FOREIGN), "outbound").await.unwrap();
    let mut browser = bench.signed_in(ADMIN).await;
    let fields = [("action", "make"), ("name", "shop"), ("days", "30"), ("servers", "8200001")];
    let above = browser.post(TOKENS, &[&fields[..], &[("role", "admin")]].concat()).await;
    assert_eq!((above.status, tokens(&bench).await.len()), (403, 0), "no more than an admin may give");
    let made = browser.post(TOKENS, &fields).await;
    assert_eq!((made.status, made.header("cache-control")), (200, Some("no-store")), "{}", made.text());
    let token = secret(made.text()).expect("it is shown");
    let kept = tokens(&bench).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].role, &kept[0].servers),
        (Role::Viewer, &Some([server(OWN)].into())),
        "this server alone, whatever is sent"
    );
    assert_eq!((kept[0].reveal_addresses, kept[0].expires_at), (false, Some(bench.now().plus_days(30))));
    let list = browser.get(TOKENS).await;
    assert!(list.text().contains("shop") && !list.text().contains(&token), "it is shown once");
    assert!(!audit(&bench).await.contains(&token));
    let opens = async |id: i64| {
        bench.by_token(&token, Method::GET, &format!("/v1/servers/{id}/stats"), Value::Null).await.0
    };
    assert_eq!((opens(OWN).await, opens(FOREIGN).await), (200, 404));
    let question = browser.get(&format!("{TOKENS}?revoke={}", kept[0].id)).await;
    assert_eq!(question.status, 200);
    let revoked = browser.post(TOKENS, &[("action", "revoke"), ("token", &kept[0].id)]).await;
    assert_eq!(revoked.location(), Some(format!("{TOKENS}?done=revoked&n=0").as_str()));
    assert_eq!(opens(OWN).await, 401);
    let again = browser.post(TOKENS, &[("action", "revoke"), ("token", &kept[0].id)]).await;
    assert_eq!(again.status, 404, "what is revoked is not revoked again");
}

#[tokio::test]
async fn an_admin_who_sees_masked_addresses_makes_no_token_that_sees_them_whole() {
    let bench = bench().await;
    bench.invite("masked@client.example", at(OWN, Role::Admin, false)).await;
    let mut browser = bench.signed_in("masked@client.example").await;
    assert!(!browser.get(TOKENS).await.text().contains("name=\"reveal\""));
    let made = browser.post(TOKENS, &[("action", "make"), ("name", "shop"), ("reveal", "on")]).await;
    assert_eq!((made.status, tokens(&bench).await.len()), (403, 0));
    assert!(made.text().contains("value=\"shop\""), "what was typed is kept");
}

#[tokio::test]
async fn an_admin_neither_revokes_nor_sees_the_tokens_of_another_server_or_of_the_agency() {
    let bench = bench().await;
    let (foreign, _) = bench.token(Role::Viewer, &[FOREIGN]).await;
    let (admins, _) = bench.token(Role::Admin, &[OWN]).await;
    let (both, _) = bench.token(Role::Viewer, &[OWN, FOREIGN]).await;
    let mut browser = bench.signed_in(ADMIN).await;
    let list = browser.get(TOKENS).await;
    assert!(!list.text().contains(&foreign) && !list.text().contains(&both));
    for id in [&foreign, &admins, &both, &"x/../y".to_owned()] {
        let seen = browser.post(TOKENS, &[("action", "revoke"), ("token", id)]).await;
        assert_eq!(seen.status, 404, "{id}");
    }
    assert!(tokens(&bench).await.iter().all(|token| token.revoked_at.is_none()));
    let mut operator = bench.signed_in(OPERATOR).await;
    let seen = operator.post(TOKENS, &[("action", "revoke"), ("token", &admins)]).await;
    assert_eq!(seen.status, 303, "an operator may");
}

#[tokio::test]
async fn whoever_was_let_in_for_some_hours_makes_tokens_that_end_with_their_session() {
    let bench = bench().await;
    let mut browser = bench.let_in(Role::Admin).await;
    let made = browser.post(TOKENS, &[("action", "make"), ("name", "shop"), ("days", "none")]).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let kept = tokens(&bench).await.into_iter().find(|token| token.name == "shop").unwrap();
    let most = bench.now().plus_seconds(8 * 3_600);
    assert!(kept.expires_at.is_some_and(|ends| ends <= most) && kept.parent.is_some(), "{kept:?}");
}

#[tokio::test]
async fn whatever_is_changed_takes_a_code_that_was_given_just_now_and_no_secret_is_repeated() {
    let bench = bench().await;
    let (id, _) = bench.token(Role::Viewer, &[OWN]).await;
    let before = bench.kept(&[Collection::Tokens, Collection::Audit(server(OWN))]).await;
    let mut browser = bench.signed_in(ADMIN).await;
    bench.pass(301);
    let policy = [("count", "3"), ("messages", "2"), ("span", "0"), ("window", "30"), ("pause", "14")];
    let change = [&[("action", "change"), ("kind", "broadcast")][..], &policy[..]].concat();
    for (target, fields) in [
        (TOKENS, &[("action", "make"), ("name", "shop")][..]),
        (TOKENS, &[("action", "revoke"), ("token", &id)][..]),
        (POSTMARK, &[("action", "replace"), ("token", "own-s3cret")][..]),
        (POLICY, &change[..]),
    ] {
        let seen = browser.post(target, fields).await;
        assert!([303, 403].contains(&seen.status), "{target}: {}", seen.status);
        assert!(!seen.whole().contains("s3cret"), "{}", seen.whole());
        if seen.status == 303 {
            assert!(seen.location().unwrap().starts_with("/confirm?back="), "{:?}", seen.location());
        }
    }
    assert_eq!(bench.kept(&[Collection::Tokens, Collection::Audit(server(OWN))]).await, before);
    assert!(bench.vault.token(server(OWN)).await.unwrap().is_none());
    assert!(
        browser.get(POSTMARK).await.text().contains("/confirm?back="),
        "it says so before a token is pasted"
    );
    let mut nobody = bench.browser();
    let seen = nobody.post(POSTMARK, &[("token", "own-s3cret")]).await;
    assert!(seen.status == 401 && !seen.text().contains("s3cret"), "{}", seen.text());
}

#[tokio::test]
async fn postmarks_token_is_replaced_where_it_is_this_servers_and_else_the_page_says_why_not() {
    let bench = bench().await;
    bench.vault.put(server(OWN), &PostmarkToken::new("own-before").unwrap()).await.unwrap();
    let mut browser = bench.signed_in(ADMIN).await;
    let t = crate::texts::Texts::default();
    for (token, words, status) in [
        ("other-s3cret", t.postmark_other_server(), 409),
        ("unknown-s3cret", t.postmark_not_accepted(), 409),
        ("silent-s3cret", t.postmark_unavailable(), 409),
        ("two s3cret", t.postmark_no_token(), 400),
        (" ", t.postmark_no_token(), 400),
    ] {
        let seen = browser.post(POSTMARK, &[("action", "replace"), ("token", token)]).await;
        assert_eq!(seen.status, status, "{token}");
        assert!(seen.text().contains(&words) && !seen.text().contains("s3cret"), "{token}: {}", seen.text());
    }
    let kept = async || bench.vault.token(server(OWN)).await.unwrap().unwrap().reveal().to_owned();
    assert_eq!(kept().await, "own-before");
    let seen = browser.post(POSTMARK, &[("action", "replace"), ("token", " own-s3cret\n")]).await;
    assert_eq!(seen.location(), Some(format!("{POSTMARK}?done=replaced").as_str()));
    assert_eq!(kept().await, "own-s3cret");
    let told = audit(&bench).await;
    assert!(told.contains("server.postmark_token") && !told.contains("s3cret"), "{told}");
}

#[tokio::test]
async fn a_policy_is_planned_with_whom_it_concerns_then_set_and_the_plan_sets_nothing() {
    let bench = bench().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    let mut browser = bench.signed_in(ADMIN).await;
    let strict = [
        ("kind", "transactional"),
        ("count", "1"),
        ("messages", "1"),
        ("span", "0"),
        ("window", "30"),
        ("pause", "14"),
    ];
    let with = |action: &'static str| [&[("action", action)][..], &strict[..]].concat();
    let plan = browser.post(POLICY, &with("plan")).await;
    assert_eq!(plan.status, 200, "{}", plan.text());
    let html = Html::read(plan.text());
    let row: Vec<&str> = html.all("td").map(|cell| cell.text.as_str()).collect();
    assert_eq!(row.len(), 3, "{row:?}");
    assert_ne!(row[0], "0");
    let settings = async || bench.store.settings(server(OWN)).await.unwrap();
    assert!(settings().await.transactional.entries().is_empty());
    let changed = browser.post(POLICY, &with("change")).await;
    assert_eq!(changed.location(), Some(format!("{POLICY}?done=changed").as_str()));
    let policy = SoftBouncePolicy { count: 1, messages: 1, span_days: 0, window_days: 30, pause_days: 14 };
    assert_eq!(settings().await.transactional.entries(), [(bench.now(), policy)]);
    assert!(settings().await.broadcast.entries().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_policy_stands_beside_its_field_and_what_was_typed_stays() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let t = crate::texts::Texts::default();
    let good =
        [("count", "3"), ("messages", "2"), ("span", "1"), ("window", "30"), ("pause", "14"), ("from", "")];
    for (name, value, words) in [
        ("count", "many", t.policy_number(1, 100)),
        ("count", "", t.policy_number(1, 100)),
        ("messages", "4", t.policy_messages_wrong()),
        ("span", "31", t.policy_span_wrong()),
        ("pause", "100", t.policy_pause_wrong(120)),
        ("from", "2026-11-25T11:59", t.policy_from_past()),
        ("from", "soon", t.policy_from_unread()),
    ] {
        let fields: Vec<(&str, &str)> = [("action", "change"), ("kind", "broadcast")]
            .into_iter()
            .chain(good.map(|(known, usual)| (known, if known == name { value } else { usual })))
            .collect();
        let seen = browser.post(POLICY, &fields).await;
        assert_eq!(seen.status, 400, "{name}={value}");
        let html = Html::read(seen.text());
        let id = format!("broadcast-{name}");
        let field = html.all("input").find(|input| input.get("id") == Some(&id)).unwrap();
        assert_eq!((field.get("value"), field.get("aria-invalid")), (Some(value), Some("true")), "{name}");
        let problem = html.all("p").find(|p| p.get("id") == Some(&format!("{id}-problem"))).unwrap();
        assert_eq!(problem.text, words);
    }
    assert_eq!(bench.store.settings(server(OWN)).await.unwrap(), store::ServerSettings::default());
}

#[tokio::test]
async fn a_plan_whose_instant_has_passed_comes_back_with_it_as_the_field_has_it() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let typed = crate::moment::Zone::default().field(bench.now().plus_seconds(60));
    let fields = [
        ("action", "plan"),
        ("kind", "broadcast"),
        ("count", "3"),
        ("messages", "2"),
        ("span", "1"),
        ("window", "30"),
        ("pause", "14"),
        ("from", &typed),
    ];
    let plan = browser.post(POLICY, &fields).await;
    assert_eq!(plan.status, 200, "{}", plan.text());
    let html = Html::read(plan.text());
    let sent = html.all("input").filter_map(|input| Some((input.get("name")?, input.get("value")?)));
    let sent: Vec<(&str, &str)> = sent.filter(|(name, _)| *name != "action").collect();
    bench.pass(120);
    let seen = browser.post(POLICY, &[&sent[..], &[("action", "change")]].concat()).await;
    assert_eq!(seen.status, 400, "{}", seen.text());
    let html = Html::read(seen.text());
    let field = html.all("input").find(|input| input.get("id") == Some("broadcast-from")).unwrap();
    assert_eq!((field.get("value"), field.get("aria-invalid")), (Some(&*typed), Some("true")));
}
