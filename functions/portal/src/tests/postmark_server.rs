//! What an admin sees and changes of what Postmark keeps for a server.

use super::fixture::{Texts as Fixture, fill};
use super::html::Html;
use super::walk::Step;
use crate::bench::{ADMIN, Bench, Browser, OWN, Seen, at, server};
use crate::texts::Texts;
use account::Vault as _;
use answers::Role;
use api::postmark_kept::settings;
use http::Method;
use postmark_api::Token;
use serde_json::{Value, json};
use store::prelude::*;

const PAGE: &str = "/servers/8123456/settings/postmark-server";

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    bench.store.note_stream(server(OWN), "outbound").await.unwrap();
    bench.vault.put(server(OWN), &Token::new("own-s3cret").unwrap()).await.unwrap();
    bench
}

async fn audited(bench: &Bench) -> Vec<Value> {
    let (_, told) = bench.api(Method::GET, &format!("/v1/servers/{OWN}/audit?limit=500"), Value::Null).await;
    assert!(!told.to_string().contains("s3cret") && !told.to_string().contains("5ecret"), "{told}");
    told["items"].as_array().unwrap().clone()
}

/// The fields of a page's form that changes something, with some typed anew, by the button of an action.
fn filled(seen: &Seen, typed: &[(&str, &str)], action: &str) -> Vec<(String, String)> {
    let html = Html::read(seen.text());
    let page = Step::new(PAGE, Seen::clone(seen));
    let (place, _) = page.forms(true).into_iter().find(|(_, to)| to == PAGE).expect("there is a form");
    let mut fields = html.fields(place);
    for (name, value) in typed {
        let field = fields.iter_mut().find(|(known, _)| known == name).expect("there is such a field");
        field.1 = (*value).to_owned();
    }
    fields.push(("action".to_owned(), action.to_owned()));
    fields
}

async fn post(browser: &mut Browser<'_>, fields: &[(String, String)]) -> Seen {
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    browser.post(PAGE, &pairs).await
}

/// Plans what was typed.
async fn plan(browser: &mut Browser<'_>, typed: &[(&str, &str)]) -> Seen {
    let form = browser.get(PAGE).await;
    assert_eq!(form.status, 200, "{}", form.text());
    post(browser, &filled(&form, typed, "plan")).await
}

#[tokio::test]
async fn a_change_is_planned_with_what_it_means_then_made_and_told_as_postmark_says_it() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    bench.pass(301);
    let t = Texts::default();
    let planned = plan(&mut browser, &[("TrackOpens", "off"), ("Name", "Bo’s shop")]).await;
    assert_eq!(planned.status, 200, "{}", planned.text());
    for words in [t.keeps_means_opens_off(), t.keeps_means_name()] {
        assert!(planned.text().contains(&words), "{words}: {}", planned.text());
    }
    assert!(!planned.text().contains(&t.keeps_means_smtp_on()), "only what was changed is planned");
    assert_eq!((bench.postmark.kept.changes(), audited(&bench).await), (vec![], vec![]));
    let done = post(&mut browser, &filled(&planned, &[], "carry-out")).await;
    assert_eq!(done.status, 200, "it takes no fresh code: {}", done.text());
    assert!(done.text().contains("Changed: "), "{}", done.text());
    assert!(!done.text().contains(&t.keeps_status_not_done()), "{}", done.text());
    assert_eq!(bench.postmark.kept.changes(), [json!({ "Name": "Bo’s shop", "TrackOpens": false })]);
    let steps = audited(&bench).await;
    assert_eq!((&steps[0]["what"], &steps[0]["phase"]), (&json!("server.postmark_settings"), &json!("done")));
    let shown = browser.get(&format!("/servers/{OWN}/audit")).await;
    assert!(shown.text().contains("TrackOpens: on → off"), "{}", shown.text());
}

#[tokio::test]
async fn what_postmark_did_not_do_is_not_called_done() {
    let t = Texts::default();
    for (name, outcome) in [("ignored", t.keeps_status_not_done()), ("gone", t.keeps_status_unknown())] {
        let bench = bench().await;
        let mut browser = bench.signed_in(ADMIN).await;
        let planned = plan(&mut browser, &[("Name", name)]).await;
        let seen = post(&mut browser, &filled(&planned, &[], "carry-out")).await;
        assert!(
            seen.text().contains(&outcome) && seen.text().contains(&t.keeps_not_all()),
            "{}",
            seen.text()
        );
        assert!(!seen.text().contains("Changed: ") && !seen.text().contains(">Done<"), "{}", seen.text());
        assert_eq!(audited(&bench).await[0]["phase"], "failed");
    }
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let planned = plan(&mut browser, &[("Name", "taken")]).await;
    let seen = post(&mut browser, &filled(&planned, &[], "carry-out")).await;
    assert_eq!(seen.status, 409);
    assert!(
        seen.text().contains(&t.keeps_refused()) && seen.text().contains("value=\"taken\""),
        "{}",
        seen.text()
    );
}

#[tokio::test]
async fn switching_smtp_takes_a_fresh_code_here_and_at_the_api() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    bench.pass(301);
    let t = Texts::default();
    let planned = plan(&mut browser, &[("SmtpApiActivated", "off")]).await;
    assert!(planned.text().contains(&t.keeps_means_smtp_off()), "{}", planned.text());
    let stale = post(&mut browser, &filled(&planned, &[], "carry-out")).await;
    assert_eq!(stale.status, 403);
    assert!(stale.text().contains("/confirm?back="), "{}", stale.text());
    let session = format!("Session {} {OWN}", browser.cookie("pl").unwrap());
    let path = format!("/v1/servers/{OWN}/postmark-settings");
    let mut answers = Vec::new();
    for set in [json!({ "SmtpApiActivated": false }), json!({ "Color": "red", "SmtpApiActivated": false })] {
        answers.push(bench.by_header(&session, Method::PUT, &path, json!({ "set": set })).await);
    }
    assert!(answers.iter().all(|(status, _)| *status == 403), "{answers:?}");
    assert_eq!((bench.postmark.kept.changes(), audited(&bench).await), (vec![], vec![]));
    let other = json!({ "set": { "Color": "red" } });
    assert_eq!(bench.by_header(&session, Method::PUT, &path, other).await.0, 200, "nothing else does");
    let mut fresh = bench.signed_in(ADMIN).await;
    let done = post(&mut fresh, &filled(&stale, &[], "carry-out")).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(bench.postmark.kept.setting("own", "SmtpApiActivated"), json!(false));
}

#[tokio::test]
async fn without_a_token_of_postmarks_the_page_says_where_to_store_one_and_with_a_wrong_one_to_replace_it() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let t = Texts::default();
    for (token, status, words, to_token) in [
        ("", 200, t.keeps_no_token(), true),
        ("other-s3cret", 409, t.keeps_other_server(), true),
        ("unknown-s3cret", 409, t.keeps_not_accepted(), true),
        ("silent-s3cret", 409, t.keeps_unavailable(), false),
    ] {
        match Token::new(token) {
            Ok(token) => bench.vault.put(server(OWN), &token).await.unwrap(),
            Err(_) => bench.vault.remove(server(OWN)).await.unwrap(),
        }
        for sent in [None, Some("plan"), Some("carry-out")] {
            let seen = match sent {
                None => browser.get(PAGE).await,
                Some(action) => browser.post(PAGE, &[("TrackOpens", "off"), ("action", action)]).await,
            };
            assert_eq!(seen.status, status, "{token} {sent:?}");
            assert!(seen.text().contains(&words) && !seen.text().contains("s3cret"), "{}", seen.text());
            let link = "<a href=\"/servers/8123456/settings/postmark\">Postmark’s server token";
            assert_eq!(seen.text().contains(link), to_token, "{token} {sent:?}: {}", seen.text());
        }
    }
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_stays() {
    let bench = bench().await;
    let mut browser = bench.signed_in(ADMIN).await;
    let t = Texts::default();
    let long = "x".repeat(101);
    for (name, value, words) in [
        ("Name", "", t.keeps_name_wrong(100)),
        ("Name", &long, t.keeps_name_wrong(100)),
        ("Color", "pink", t.keeps_choice_wrong()),
        ("TrackLinks", "All", t.keeps_choice_wrong()),
        ("SmtpApiActivated", "maybe", t.keeps_choice_wrong()),
    ] {
        let seen = plan(&mut browser, &[(name, value), ("TrackOpens", "off")]).await;
        assert_eq!(seen.status, 400, "{name}={value}");
        let html = Html::read(seen.text());
        let problem = html.all("p").find(|p| p.get("id") == Some(&format!("{name}-problem"))).unwrap();
        assert_eq!(problem.text, words);
        let field = html.elements.iter().find(|field| field.get("id") == Some(name)).unwrap();
        assert_eq!(field.get("aria-invalid"), Some("true"), "{name}");
        let opens = filled(&seen, &[], "plan");
        assert!(opens.contains(&("TrackOpens".to_owned(), "off".to_owned())), "what else was typed stays");
    }
    let same = plan(&mut browser, &[]).await;
    assert!(same.status == 400 && same.text().contains(&t.keeps_same()), "{}", same.text());
    assert!(bench.postmark.kept.changes().is_empty());
}

#[tokio::test]
async fn what_somebody_else_changes_meanwhile_stays_and_a_masked_name_is_not_sent_back() {
    let bench = bench().await;
    bench.invite("masked@client.example", at(OWN, Role::Admin, false)).await;
    let mut kept = settings(OWN, "Mail of ida@acme.example");
    bench.postmark.kept.keep("own", kept.clone());
    let mut browser = bench.signed_in("masked@client.example").await;
    let form = browser.get(PAGE).await;
    assert!(form.text().contains("i***@acme.example") && !form.text().contains("ida@"), "{}", form.text());
    kept["TrackLinks"] = json!("HtmlOnly");
    bench.postmark.kept.keep("own", kept);
    let planned = post(&mut browser, &filled(&form, &[("TrackOpens", "off")], "plan")).await;
    post(&mut browser, &filled(&planned, &[], "carry-out")).await;
    assert_eq!(bench.postmark.kept.changes(), [json!({ "TrackOpens": false })]);
    assert_eq!(bench.postmark.kept.setting("own", "TrackLinks"), "HtmlOnly");
    // An address that is typed is masked where it is told, and is written as it was typed.
    let name = ("Name", "Post of bo@acme.example");
    let planned = plan(&mut browser, &[name]).await;
    post(&mut browser, &filled(&planned, &[], "carry-out")).await;
    assert_eq!(bench.postmark.kept.setting("own", "Name"), "Post of bo@acme.example");
}

#[tokio::test]
async fn what_works_against_the_ledger_is_warned_of_and_no_password_of_a_hook_is_shown() {
    let bench = bench().await;
    fill(&bench, OWN, Fixture::Plain("acme")).await;
    let mut kept = settings(OWN, "Shop");
    kept["BounceHookUrl"] = json!("https://user:p4ss@hooks.example.com/hook?p4ss");
    kept["PostFirstOpenOnly"] = json!(true);
    kept["DeliveryType"] = json!("Sandbox");
    bench.postmark.kept.keep("own", kept);
    let mut browser = bench.signed_in(ADMIN).await;
    let (t, seen) = (Texts::default(), browser.get(PAGE).await);
    for words in [t.keeps_warns_legacy("BounceHookUrl"), t.keeps_warns_first_open(), t.keeps_warns_sandbox()]
    {
        assert!(seen.text().contains(&words), "{words}: {}", seen.text());
    }
    assert!(seen.text().contains("https://hooks.example.com<"), "{}", seen.text());
    assert!(!["p4ss", "5ecret", "h4sh"].iter().any(|secret| seen.text().contains(secret)), "{}", seen.text());
}
