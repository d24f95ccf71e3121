//! What admins change: planned first, done as it was confirmed, and told as it is.

use super::fixture::{Texts as Filling, fill, record};
use super::hostile::check;
use super::walk::Step;
use crate::bench::{ADMIN, Bench, OWN, VIEWER, at, server};
use crate::texts::Texts;
use answers::Role;
use api::call::Call;
use api::scope::SignedIn;
use ledger::Source;
use serde_json::json;
use store::Collection;
use store::prelude::*;

const DAY: &str = "2026-11-20T08:00:00Z";

fn of_own(tail: &str) -> String {
    format!("/servers/{OWN}/{tail}")
}

async fn bench() -> (Bench, std::sync::Arc<api::lists::Lists>) {
    let (bench, lists) = Bench::with_lists().await;
    bench.invite_all().await;
    for stream in ["outbound", "news"] {
        bench.store.note_stream(server(OWN), stream).await.unwrap();
    }
    (bench, lists)
}

/// What Postmark tells of its list, and the recipient's id.
async fn listed(bench: &Bench, address: &str, stream: &str, reason: &str, origin: &str) -> String {
    let body = json!({
        "RecordType": "SubscriptionChange", "MessageStream": stream, "ServerID": OWN,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Recipient": address, "ChangedAt": DAY,
        "Origin": origin, "SuppressSending": true, "SuppressionReason": reason,
    });
    record(bench, OWN, body, Source::Webhook).await;
    ledger::LedgerKey::for_tests().recipient_id(server(OWN), address).to_string()
}

/// What was noted of changes at a server.
async fn audited(bench: &Bench) -> usize {
    bench.store.documents(&Collection::Audit(server(OWN))).await.unwrap().len()
}

#[tokio::test]
async fn addresses_are_suppressed_after_their_plan_was_confirmed_and_not_before() {
    let (bench, lists) = bench().await;
    let (mut browser, t) = (bench.signed_in(ADMIN).await, Texts::default());
    let typed = [
        ("stream", "outbound"),
        ("addresses", "ida@customer.example\nno address"),
        ("reason", "she asked us by telephone"),
        ("why", "request"),
        ("postmark", "on"),
    ];
    let send = |action: &'static str| [&typed[..], &[("action", action)]].concat();
    let plan = browser.post(&of_own("suppress"), &send("plan")).await;
    assert_eq!(plan.status, 200, "{}", plan.text());
    assert!(plan.text().contains(&t.suppress_plan_title_one("outbound")), "{}", plan.text());
    assert!(plan.text().contains("no address"), "what is no address is told");
    assert!(lists.asked().is_empty() && bench.decided().await.is_empty());
    assert_eq!(audited(&bench).await, 0);
    let done = browser.post(&of_own("suppress"), &send("carry-out")).await;
    assert_eq!(done.status, 200);
    assert!(done.text().contains(&t.change_postmark_suppressed()), "{}", done.text());
    assert!(done.text().contains(&t.suppress_not_all()), "one entry was no address");
    assert_eq!(lists.asked()[0].1, ["ida@customer.example"]);
    let decided = bench.decided().await;
    assert_eq!(decided[0]["Actor"], bench.id_of(ADMIN), "who did it is noted by their id");
    assert_eq!(audited(&bench).await, 2);
    let edited = browser.post(&of_own("suppress"), &send("edit")).await;
    assert!(edited.text().contains("she asked us by telephone"), "what was typed is there still");
}

#[tokio::test]
async fn what_postmark_does_not_do_is_never_called_done() {
    let (bench, _) = bench().await;
    let (mut browser, t) = (bench.signed_in(ADMIN).await, Texts::default());
    for (address, words) in [
        ("bad@customer.example", t.change_postmark_failed()),
        ("forgotten@customer.example", t.change_postmark_unavailable()),
        ("down@customer.example", t.change_postmark_unavailable()),
    ] {
        let typed = [
            ("stream", "outbound"),
            ("addresses", address),
            ("reason", "r"),
            ("postmark", "on"),
            ("action", "carry-out"),
        ];
        let seen = browser.post(&of_own("suppress"), &typed).await;
        assert!(
            seen.text().contains(&t.change_not_done()) && seen.text().contains(&words),
            "{}",
            seen.text()
        );
        assert!(seen.text().contains(&t.suppress_not_all()));
    }
}

#[tokio::test]
async fn a_form_that_is_wrong_is_shown_again_with_what_is_wrong_beside_the_field() {
    let (bench, lists) = bench().await;
    let (mut browser, t) = (bench.signed_in(ADMIN).await, Texts::default());
    let id = listed(&bench, "ida@customer.example", "outbound", "HardBounce", "Recipient").await;
    let right =
        [("stream", "outbound"), ("addresses", "a@b.example"), ("reason", "r"), ("list", "a@b.example")];
    for (page, field, wrong, id_of_problem, words) in [
        ("suppress".to_owned(), "stream", "", "stream-problem", t.change_no_stream()),
        (
            "suppress".to_owned(),
            "stream",
            "outbuond",
            "stream-problem",
            t.suppressions_problem_near("outbound"),
        ),
        ("suppress".to_owned(), "addresses", " ", "addresses-problem", t.suppress_none()),
        ("suppress".to_owned(), "reason", "", "reason-problem", t.change_reason_wrong()),
        ("suppress".to_owned(), "reason", "\u{7}", "reason-problem", t.change_reason_wrong()),
        (format!("recipients/{id}/reactivate"), "reason", "", "reason-problem", t.change_reason_wrong()),
        (format!("recipients/{id}/reactivate"), "stream", "", "stream-problem", t.change_no_stream()),
        ("import".to_owned(), "list", "", "list-problem", t.import_none()),
        ("import".to_owned(), "stream", "", "stream-problem", t.change_no_stream()),
    ] {
        for action in ["plan", "carry-out"] {
            let mut typed: Vec<(&str, &str)> =
                right.iter().filter(|(name, _)| *name != field).copied().collect();
            typed.extend([(field, wrong), ("action", action)]);
            let seen = browser.post(&of_own(&page), &typed).await;
            assert_eq!(seen.status / 100, 4, "{page} {field}");
            assert!(
                seen.text().contains(&format!("id=\"{id_of_problem}\"")),
                "{page} {field}: {}",
                seen.text()
            );
            assert!(seen.text().contains(&words), "{page} {field}: {}", seen.text());
        }
    }
    // To find what is meant, Postmark is asked for its streams.
    assert!(
        lists.asked().iter().all(|(path, _)| path == "/message-streams") && bench.decided().await.is_empty()
    );
}

#[tokio::test]
async fn a_recipient_is_reactivated_where_the_rules_allow_it_and_told_why_not_elsewhere() {
    let (bench, lists) = bench().await;
    let (mut browser, t) = (bench.signed_in(ADMIN).await, Texts::default());
    let id = listed(&bench, "ida@customer.example", "outbound", "HardBounce", "Recipient").await;
    listed(&bench, "ida@customer.example", "news", "SpamComplaint", "Recipient").await;
    let recipient = browser.get(&of_own(&format!("recipients/{id}"))).await;
    assert!(recipient.text().contains(&t.reactivate_link()));
    let page = of_own(&format!("recipients/{id}/reactivate"));
    assert_eq!(browser.get(&page).await.status, 200);
    let typed = [("stream", "*"), ("reason", "the mailbox is there again"), ("postmark", "on")];
    let plan = browser.post(&page, &[&typed[..], &[("action", "plan")]].concat()).await;
    assert!(plan.text().contains(&t.reactivate_would_postmark()), "{}", plan.text());
    assert!(plan.text().contains(&t.reactivate_refused()));
    assert!(plan.text().contains(&t.reactivate_but_title()), "what it does not mend");
    assert!(lists.asked().is_empty());
    let done = browser.post(&page, &[&typed[..], &[("action", "carry-out")]].concat()).await;
    assert!(done.text().contains(&t.change_postmark_deleted()), "{}", done.text());
    assert!(done.text().contains(&t.reactivate_done_not_all()));
    assert_eq!(
        lists.asked(),
        [(
            "/message-streams/outbound/suppressions/delete".to_owned(),
            vec!["ida@customer.example".to_owned()],
        )]
    );
    let typed = [("stream", "news"), ("reason", "r"), ("postmark", "on")];
    let plan = browser.post(&page, &[&typed[..], &[("action", "plan")]].concat()).await;
    assert!(plan.text().contains(&t.reactivate_cannot()) && !plan.text().contains("value=\"carry-out\""));
    let refused = browser.post(&page, &[&typed[..], &[("action", "carry-out")]].concat()).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains(&t.reactivate_done_not_all()), "{}", refused.text());
    assert_eq!(lists.asked().len(), 1);
}

#[tokio::test]
async fn a_list_is_imported_after_its_rows_were_counted() {
    let (bench, _) = bench().await;
    let (mut browser, t) = (bench.signed_in(ADMIN).await, Texts::default());
    let list = "email\nida@customer.example\nno address\nida@customer.example\n";
    let typed = [("stream", "outbound"), ("cause", "hard_bounce"), ("list", list)];
    let send = |action: &'static str| [&typed[..], &[("action", action)]].concat();
    let without = [("stream", "outbound"), ("list", list), ("action", "plan")];
    let wrong = browser.post(&of_own("import"), &without).await;
    assert!(wrong.status == 400 && wrong.text().contains(&t.import_no_cause()), "{}", wrong.text());
    let plan = browser.post(&of_own("import"), &send("plan")).await;
    assert_eq!(plan.status, 200, "{}", plan.text());
    assert!(plan.text().contains(&t.import_plan_title_one("outbound")), "{}", plan.text());
    assert!(plan.text().contains(&t.import_invalid_title()));
    assert!(bench.decided().await.is_empty());
    let done = browser.post(&of_own("import"), &send("carry-out")).await;
    assert!(done.text().contains(&t.import_done_title_one("outbound")), "{}", done.text());
    assert_eq!(bench.decided().await.len(), 1);
}

#[tokio::test]
async fn what_is_recorded_of_a_person_is_exported_or_erased_after_a_fresh_code() {
    let (bench, _) = bench().await;
    let t = Texts::default();
    let id = listed(&bench, "ida@customer.example", "outbound", "HardBounce", "Recipient").await;
    let page = of_own(&format!("recipients/{id}/data"));
    let mut browser = bench.signed_in(ADMIN).await;
    bench.pass(301);
    for action in ["export", "erase"] {
        let seen = browser.post(&page, &[("action", action), ("sure", "on")]).await;
        assert_eq!(seen.status, 303);
        assert!(seen.location().unwrap().starts_with("/confirm"), "{action}");
    }
    assert_eq!(audited(&bench).await, 0);
    bench.pass(3_600);
    let mut browser = bench.signed_in(ADMIN).await;
    let file = browser.post(&page, &[("action", "export")]).await;
    assert!(file.text().contains("ida@customer.example"));
    assert!(file.header("content-disposition").unwrap().contains(&format!("export-{OWN}-{id}.json")));
    let unsure = browser.post(&page, &[("action", "erase")]).await;
    assert_eq!((unsure.status, unsure.text().contains(&t.data_not_sure())), (400, true));
    let erased = browser.post(&page, &[("action", "erase"), ("sure", "on")]).await;
    assert!(erased.text().contains(&t.data_erased_events(1)), "{}", erased.text());
    assert!(!erased.text().contains("ida@") && !format!("{:?}", *bench.store).contains("ida@"));
    bench.invite("masked@client.example", at(OWN, Role::Admin, false)).await;
    let mut masked = bench.signed_in("masked@client.example").await;
    assert!(masked.get(&page).await.text().contains(&t.data_export_not()));
    assert_eq!(masked.post(&page, &[("action", "export")]).await.status, 403);
}

#[tokio::test]
async fn whoever_sees_no_addresses_learns_none_by_changing_something() {
    let (bench, _) = bench().await;
    bench.invite("masked@client.example", at(OWN, Role::Admin, false)).await;
    let mut browser = bench.signed_in("masked@client.example").await;
    let id = listed(&bench, "stricter.ida@customer.example", "outbound", "HardBounce", "Recipient").await;
    let by_id = format!("id:{id}");
    for action in ["plan", "carry-out"] {
        let typed = [("stream", "outbound"), ("addresses", &by_id), ("reason", "r"), ("postmark", "on")];
        let seen = browser.post(&of_own("suppress"), &[&typed[..], &[("action", action)]].concat()).await;
        assert_eq!(seen.status, 200);
        assert!(!seen.text().contains("stricter.ida"), "{}", seen.text());
        let page = of_own(&format!("recipients/{id}/reactivate"));
        let typed = [("stream", "outbound"), ("reason", "r"), ("postmark", "on"), ("action", action)];
        let seen = browser.post(&page, &typed).await;
        assert!(!seen.text().contains("stricter.ida"), "{}", seen.text());
        assert!(
            !seen.text().contains("authority"),
            "Postmark's words may quote the address: {}",
            seen.text()
        );
    }
}

#[tokio::test]
async fn a_viewer_is_shown_no_way_to_change_anything() {
    let (bench, _) = bench().await;
    let id = listed(&bench, "ida@customer.example", "outbound", "HardBounce", "Recipient").await;
    let (mut browser, t) = (bench.signed_in(VIEWER).await, Texts::default());
    for tail in [format!("recipients/{id}"), "suppressions".to_owned()] {
        let seen = browser.get(&of_own(&tail)).await;
        assert_eq!(seen.status, 200);
        for link in [t.reactivate_link(), t.suppress_link(), t.import_link(), t.data_link()] {
            assert!(!seen.text().contains(&link), "{tail}: {link}");
        }
    }
}

#[tokio::test]
async fn no_text_of_others_runs_on_the_page_of_a_plan_or_of_what_became_of_it() {
    let (bench, _) = Bench::with_lists().await;
    bench.invite_all().await;
    let filled = fill(&bench, OWN, Filling::Hostile).await;
    let mut browser = bench.signed_in(ADMIN).await;
    let attack = Filling::Hostile.of("form", 0);
    let mut pages = 0;
    for (address, id) in filled.recipients.iter().take(6) {
        for action in ["plan", "carry-out", "edit"] {
            let typed = [
                ("stream", "*"),
                ("addresses", address.as_str()),
                ("list", address.as_str()),
                ("reason", attack.as_str()),
                ("consent", attack.as_str()),
                ("postmark", "on"),
                ("action", action),
            ];
            for tail in ["suppress".to_owned(), "import".to_owned(), format!("recipients/{id}/reactivate")] {
                let target = of_own(&tail);
                let seen = browser.post(&target, &typed).await;
                assert!(seen.status < 500, "{target}: {}", seen.text());
                check(&Step::new(&target, seen));
                pages += 1;
            }
        }
    }
    assert_eq!(pages, 54);
}

#[tokio::test]
async fn what_was_set_aside_is_taken_in_again_where_it_can_be_recorded_now() {
    let (bench, _) = bench().await;
    let t = Texts::default();
    let body = json!({
        "RecordType": "Bounce", "MessageStream": "outbound", "ID": 1, "Type": "HardBounce", "ServerID": OWN,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Email": "ida@customer.example", "BouncedAt": DAY,
        "Inactive": true,
    });
    let good = aside(&bench, OWN, "not_committable", &body.to_string()).await;
    let bad = aside(&bench, OWN, "not_json", "{").await;
    let foreign = aside(&bench, crate::bench::FOREIGN, "not_committable", &body.to_string()).await;
    let mut browser = bench.signed_in(ADMIN).await;
    assert!(browser.get(&of_own("truth")).await.text().contains(&t.replay_button()));
    let plan = browser.post(&of_own("truth"), &[("action", "replay"), ("key", &good)]).await;
    assert!(plan.text().contains(&t.replay_what()), "{}", plan.text());
    assert!(bench.decided().await.is_empty());
    let done = browser.post(&of_own("truth"), &[("action", "carry-out"), ("key", &good)]).await;
    assert!(done.text().contains(&t.replay_done()), "{}", done.text());
    assert_eq!(bench.decided().await[0]["Email"], "ida@customer.example");
    let held = aside(&bench, OWN, "sender", &format!("{body} ")).await;
    for (key, words) in
        [(&good, t.replay_already()), (&bad, t.replay_not_understood()), (&held, t.replay_held_back())]
    {
        let again = browser.post(&of_own("truth"), &[("action", "carry-out"), ("key", key)]).await;
        assert_eq!(again.status, 409);
        assert!(again.text().contains(&words), "{}", again.text());
        assert!(
            !again.text().contains(&t.change_do_button()),
            "what is refused is not offered: {}",
            again.text()
        );
    }
    for key in [foreign.as_str(), "", "x", "1.x", "99999999999999999999.x"] {
        for action in ["replay", "carry-out"] {
            let seen = browser.post(&of_own("truth"), &[("action", action), ("key", key)]).await;
            assert_eq!(seen.status, 404, "{key}");
        }
    }
    let mut viewer = bench.signed_in(VIEWER).await;
    let seen = viewer.post(&of_own("truth"), &[("action", "carry-out"), ("key", &bad)]).await;
    assert_eq!(seen.status, 404);
    assert!(bench.decided().await.is_empty());
}

#[tokio::test]
async fn the_api_itself_takes_a_fresh_code_where_it_stands_beside_the_portal_too() {
    let (bench, _) = bench().await;
    let admin = bench.signed_in(ADMIN).await;
    let secret = people::Secret::read(&admin.cookie("pl").unwrap()).unwrap();
    let path = format!("/v1/servers/{OWN}/recipients/ida@customer.example/erase");
    let erase = async || {
        let who = SignedIn::find(&*bench.store, &secret, bench.now()).await.unwrap().unwrap();
        let headers = http::HeaderMap::new();
        let call = Call { method: &http::Method::POST, path: &path, query: "", headers: &headers, body: b"" };
        bench.portal.api.answer_to(who.at(server(OWN)).unwrap(), &call).await.status()
    };
    assert_eq!(erase().await, 200);
    bench.pass(301);
    assert_eq!(erase().await, 403);
}

/// Sets a body aside for a reason; its key.
async fn aside(bench: &Bench, id: i64, reason: &str, body: &str) -> String {
    let at = bench.now().plus_seconds(-60);
    let part = queue::SetAside::example(server(id), at, reason, body).parts().remove(0);
    let key = part.key();
    bench.store.quarantine(part, None).await.unwrap();
    key
}
