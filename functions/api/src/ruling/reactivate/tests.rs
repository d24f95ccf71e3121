//! Who may be reactivated, where, and what Postmark is asked for it.

use super::*;
use crate::bench::{Answered, Bench, SERVER};
use ledger::{LedgerKey, ServerId, Source};
use store::prelude::*;

/// What Postmark tells of a list: an entry with a reason and its origin, or a leave.
async fn change(bench: &Bench, who: &str, stream: &str, at: &str, reason: Option<(&str, &str)>) {
    let (cause, origin) = reason.map_or((None, "Customer"), |(cause, origin)| (Some(cause), origin));
    let body = json!({
        "RecordType": "SubscriptionChange", "MessageStream": stream, "ServerID": SERVER,
        "MessageID": null, "Recipient": who, "ChangedAt": at, "Origin": origin,
        "SuppressSending": cause.is_some(), "SuppressionReason": cause,
    });
    bench.record(SERVER, body, Source::Webhook).await;
}

const HARD: Option<(&str, &str)> = Some(("HardBounce", "Recipient"));
const COMPLAINT: Option<(&str, &str)> = Some(("SpamComplaint", "Recipient"));
const UNSUBSCRIBE: Option<(&str, &str)> = Some(("ManualSuppression", "Recipient"));
const IDA: &str = "ida@customer.example";
const DAY: &str = "2026-11-20T08:00:00Z";

async fn bounce(bench: &Bench, bounce_type: &str, message: usize, at: &str) {
    let body = json!({
        "RecordType": "Bounce", "MessageStream": "broadcast", "ServerID": SERVER, "ID": message,
        "MessageID": format!("883953f4-6105-42a2-a16a-{message:012}"), "Email": IDA, "BouncedAt": at,
        "Type": bounce_type, "Inactive": false,
    });
    bench.record(SERVER, body, Source::Webhook).await;
}

async fn bar(bench: &Bench, stream: &str, at: &str) {
    bar_for(bench, stream, at, Bar::Decision).await;
}

async fn bar_for(bench: &Bench, stream: &str, at: &str, bar: Bar) {
    let decision = postmark::Decision {
        id: "AAECAwQFBgcICQoLDA0ODw",
        stream,
        address: IDA,
        ruling: Ruling::Suppress(bar),
        reason: "r",
        actor: "a",
        at: at.parse().unwrap(),
    };
    bench.record(SERVER, decision.body(), Source::Operator).await;
}

async fn ask(bench: &Bench, who: &str, stream: &str, consent: Option<&str>) -> Answered {
    let mut body = json!({ "stream": stream, "reason": "called by ida@customer.example" });
    if let Some(consent) = consent {
        body["consent"] = consent.into();
    }
    bench.post(&format!("recipients/{who}/reactivate"), body).await
}

fn code(told: &Answered) -> Value {
    told.json()["results"][0]["refused"]["code"].clone()
}

fn id() -> RecipientId {
    LedgerKey::for_tests().recipient_id(ServerId::new(SERVER).unwrap(), IDA)
}

#[tokio::test(start_paused = true)]
async fn a_hard_bounce_is_taken_off_postmarks_list_and_the_view_waits_for_postmark() {
    let (bench, lists) = Bench::with_lists().await;
    change(&bench, "Ida@customer.example", "outbound", DAY, HARD).await;
    let told = ask(&bench, IDA, "outbound", None).await;
    assert_eq!(told.status(), 200, "{}", told.text());
    assert_eq!(
        told.json(),
        json!({
            "address": IDA,
            "results": [{
                "stream": "outbound", "was": ["hard_bounce"], "done": true,
                "postmark": { "status": "deleted" }, "awaits": "SubscriptionChange",
            }],
            "decision": null,
        })
    );
    let asked =
        ("/message-streams/outbound/suppressions/delete".to_owned(), vec!["Ida@customer.example".to_owned()]);
    assert_eq!(lists.asked(), [asked], "as the view spells it");
    assert!(bench.decided().await.is_empty(), "nothing is written by us");
    let checked = json!({ "stream": "outbound", "addresses": [IDA] });
    assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "do_not_send");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_the_rules_allow_and_changes_nothing() {
    let (bench, lists) = Bench::with_lists().await;
    change(&bench, IDA, "outbound", DAY, HARD).await;
    change(&bench, IDA, "broadcast", DAY, COMPLAINT).await;
    bar(&bench, "other", DAY).await;
    let body = json!({ "stream": "*", "reason": "r", "dry_run": true });
    let told = bench.post(&format!("recipients/{IDA}/reactivate"), body).await;
    assert_eq!(told.status(), 200, "{}", told.text());
    let told = told.json();
    assert_eq!((&told["dry_run"], &told["decision"]), (&json!(true), &Value::Null));
    let of = |stream: &str| {
        let results = told["results"].as_array().unwrap();
        results.iter().find(|one| one["stream"] == stream).unwrap().clone()
    };
    assert_eq!((&of("outbound")["done"], &of("outbound")["would"]), (&json!(false), &json!(["postmark"])));
    assert_eq!(of("broadcast")["refused"]["code"], "complaint");
    assert!(of("broadcast").get("would").is_none());
    assert!(of("other").get("refused").is_some(), "an allowance would be one for the refused stream too");
    assert!(lists.asked().is_empty() && bench.decided().await.is_empty());
    assert_eq!(bench.get("audit").await.json()["items"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_complaint_is_refused_before_anybody_is_asked() {
    let (bench, lists) = Bench::with_lists().await;
    change(&bench, IDA, "outbound", DAY, COMPLAINT).await;
    change(&bench, IDA, "outbound", DAY, HARD).await;
    bar(&bench, "outbound", DAY).await;
    let told = ask(&bench, IDA, "outbound", Some("by telephone")).await;
    assert_eq!((told.status(), code(&told)), (409, json!("complaint")));
    assert_eq!(told.json()["type"], "urn:postledger:problem:refused");
    assert_eq!(told.json()["results"][0]["was"], json!(["hard_bounce", "complaint", "decision"]));
    assert!(lists.asked().is_empty() && bench.decided().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unsubscribe_takes_consent_and_postmark_may_refuse_it_all_the_same() {
    let (bench, lists) = Bench::with_lists().await;
    change(&bench, IDA, "outbound", DAY, UNSUBSCRIBE).await;
    change(&bench, "kept@customer.example", "outbound", DAY, UNSUBSCRIBE).await;
    let told = ask(&bench, IDA, "outbound", None).await;
    assert_eq!((told.status(), code(&told), lists.asked().len()), (409, json!("consent"), 0));
    let told = ask(&bench, IDA, "outbound", Some("form of 20 November")).await;
    assert_eq!((told.status(), &told.json()["results"][0]["done"]), (200, &json!(true)));
    let told = ask(&bench, "kept@customer.example", "outbound", Some("form")).await;
    assert_eq!((told.status(), code(&told)), (409, json!("postmark")));
    let postmark = told.json()["results"][0]["postmark"].clone();
    assert_eq!(postmark["status"], "failed");
    assert!(postmark["message"].as_str().unwrap().contains("authority"));
}

#[tokio::test(start_paused = true)]
async fn the_third_reactivation_in_ninety_days_is_refused() {
    let (bench, _) = Bench::with_lists().await;
    let before = ["2026-07-01T08:00:00Z", "2026-10-01T08:00:00Z"];
    for at in before {
        change(&bench, IDA, "outbound", at, None).await;
    }
    change(&bench, IDA, "broadcast", "2026-11-02T08:00:00Z", None).await;
    change(&bench, IDA, "outbound", DAY, HARD).await;
    assert_eq!(ask(&bench, IDA, "outbound", None).await.status(), 200, "one is old, one another stream's");
    change(&bench, IDA, "outbound", "2026-10-01T08:59:00Z", None).await;
    assert_eq!(ask(&bench, IDA, "outbound", None).await.status(), 200, "told twice, it is one");
    change(&bench, IDA, "outbound", "2026-11-01T08:00:00Z", None).await;
    let told = ask(&bench, IDA, "outbound", None).await;
    assert_eq!((told.status(), code(&told)), (409, json!("too_often")));
}

#[tokio::test(start_paused = true)]
async fn a_bar_of_ours_is_lifted_by_one_allowance_with_reason_and_consent() {
    let bench = Bench::default();
    for (stream, scope) in [("outbound", "outbound"), ("*", "outbound"), ("outbound", "*")] {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        bar(&bench, stream, DAY).await;
        let told = ask(&bench, IDA, scope, Some("form")).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        let results = told.json()["results"].clone();
        assert_eq!(
            results,
            json!([{ "stream": "outbound", "was": ["decision"], "done": true }]),
            "{stream}, {scope}"
        );
        assert_eq!(told.json()["decision"]["recorded"], false, "nobody records here");
        let decided = bench.settle().await;
        assert_eq!((decided.len(), &decided[0]["Ruling"]), (1, &json!("allow")));
        assert_eq!(decided[0]["MessageStream"], scope);
        assert_eq!(decided[0]["Reason"], "called by ida@customer.example; consent: form");
        let checked = json!({ "stream": "outbound", "addresses": [IDA] });
        assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "send");
        let again = ask(&bench, IDA, scope, None).await.json();
        assert_eq!((&again["results"], &again["decision"]), (&json!([]), &Value::Null));
    }
    bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
    let told = ask(&bench, IDA, "outbound", None).await;
    assert_eq!(told.json(), json!({ "address": IDA, "results": [], "decision": null }));
}

#[tokio::test(start_paused = true)]
async fn soft_and_dead_marks_are_allowed_again_where_nothing_is_listed() {
    let bench = Bench::default();
    for (n, day) in ["01", "04", "08", "12", "16", "20"].into_iter().enumerate() {
        bounce(&bench, "SoftBounce", n + 1, &format!("2026-11-{day}T08:00:00Z")).await;
    }
    bounce(&bench, "HardBounce", 9, DAY).await;
    let told = ask(&bench, IDA, "broadcast", None).await;
    assert_eq!(told.status(), 200, "{}", told.text());
    assert_eq!(told.json()["results"][0]["was"], json!(["hard_bounce", "soft_bounces"]));
    assert_eq!(bench.settle().await.len(), 1);
    let checked = json!({ "stream": "broadcast", "addresses": [IDA] });
    assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "send");

    let (bench, _) = Bench::with_lists().await;
    bounce(&bench, "HardBounce", 9, DAY).await;
    change(&bench, IDA, "broadcast", DAY, HARD).await;
    let told = ask(&bench, IDA, "broadcast", None).await.json();
    assert_eq!((&told["results"][0]["was"], &told["decision"]), (&json!(["hard_bounce"]), &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn the_whole_server_is_done_stream_by_stream_and_allowed_only_where_none_is_refused() {
    let (bench, lists) = Bench::with_lists().await;
    change(&bench, IDA, "outbound", DAY, HARD).await;
    change(&bench, IDA, "news", DAY, HARD).await;
    bar(&bench, "*", DAY).await;
    let told = ask(&bench, IDA, "*", None).await.json();
    let streams: Vec<_> = told["results"].as_array().unwrap().iter().map(|one| &one["stream"]).collect();
    assert_eq!(streams, ["*", "news", "outbound"]);
    assert!(told["results"].as_array().unwrap().iter().all(|one| one["done"] == true), "{told}");
    assert_eq!((lists.asked().len(), bench.decided().await.len()), (2, 1));

    change(&bench, IDA, "broadcast", DAY, UNSUBSCRIBE).await;
    let told = ask(&bench, IDA, "*", None).await;
    assert_eq!(told.status(), 200);
    let done: Vec<_> =
        told.json()["results"].as_array().unwrap().iter().map(|one| one["done"].clone()).collect();
    assert_eq!(done, [false, false, true, true], "the bar and the unsubscribe stay");
    assert_eq!(told.json()["results"][0]["refused"]["code"], "consent");
    assert!(bench.decided().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_spelling_of_the_address_is_reactivated_or_none_is_said_to_be() {
    let (bench, lists) = Bench::with_lists().await;
    let quoted = "\"ida\"@customer.example";
    let verdict = async |bench: &Bench| {
        let told = bench.post("check", json!({ "stream": "outbound", "addresses": [IDA] })).await.json();
        told["results"][0]["verdict"].clone()
    };
    change(&bench, IDA, "outbound", DAY, HARD).await;
    change(&bench, quoted, "outbound", DAY, HARD).await;
    let told = ask(&bench, IDA, "outbound", None).await.json();
    let spelled = |told: &Value| {
        let results = told["results"].as_array().unwrap().iter();
        results.map(|one| one.get("spelling").cloned()).collect::<Vec<_>>()
    };
    assert_eq!(spelled(&told), [None, Some(json!(quoted))]);
    let asked: Vec<Vec<String>> = lists.asked().into_iter().map(|(_, addresses)| addresses).collect();
    assert_eq!(asked, [[quoted], [IDA]], "Postmark is asked about each");
    change(&bench, IDA, "outbound", "2026-11-21T08:00:00Z", None).await;
    assert_eq!(verdict(&bench).await, "do_not_send", "the other one is listed still");
    change(&bench, quoted, "outbound", "2026-11-21T08:00:00Z", None).await;
    assert_eq!(verdict(&bench).await, "send");

    let body = json!({
        "addresses": [IDA, quoted], "stream": "outbound", "reason": "r", "postmark": false,
    });
    assert_eq!(bench.post("suppressions", body).await.status(), 200);
    assert_eq!(bench.settle().await.len(), 2);
    bench.pass(60);
    let told = ask(&bench, quoted, "outbound", None).await.json();
    assert_eq!(spelled(&told), [None, Some(json!(IDA))]);
    assert!(told["results"].as_array().unwrap().iter().all(|one| one["done"] == true), "{told}");
    assert_eq!(told["other_decisions"].as_array().unwrap().len(), 1);
    assert_eq!(bench.settle().await.len(), 2);
    assert_eq!(verdict(&bench).await, "send");

    change(&bench, quoted, "outbound", "2026-11-22T08:00:00Z", COMPLAINT).await;
    bar(&bench, "outbound", "2026-11-25T12:01:00Z").await;
    let told = ask(&bench, IDA, "outbound", None).await;
    assert_eq!((told.status(), code(&told)), (409, json!("complaint")), "one person complained");
}

#[tokio::test(start_paused = true)]
async fn a_complaint_that_is_lifted_still_forbids_an_allowance_but_no_lift() {
    let (bench, lists) = Bench::with_lists().await;
    change(&bench, IDA, "broadcast", "2026-11-01T08:00:00Z", COMPLAINT).await;
    change(&bench, IDA, "broadcast", "2026-11-02T08:00:00Z", None).await;
    let told = ask(&bench, IDA, "broadcast", None).await;
    assert_eq!((told.status(), code(&told)), (409, json!("complaint")));
    assert_eq!(told.json()["results"][0]["was"], json!(["complained"]));
    change(&bench, IDA, "broadcast", DAY, HARD).await;
    assert_eq!(ask(&bench, IDA, "broadcast", None).await.status(), 200);
    assert_eq!(lists.asked().len(), 1);
    bar(&bench, "broadcast", DAY).await;
    let told = ask(&bench, IDA, "broadcast", None).await;
    assert_eq!((told.status(), code(&told), lists.asked().len()), (409, json!("complaint"), 1));
}

#[tokio::test(start_paused = true)]
async fn an_imported_complaint_is_refused_and_an_imported_unsubscribe_takes_consent() {
    for scope in ["outbound", "*"] {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        bar_for(&bench, scope, DAY, Bar::Import(Some(Cause::Complaint))).await;
        for asked in ["outbound", "*"] {
            let told = ask(&bench, IDA, asked, Some("by telephone")).await;
            assert_eq!((told.status(), code(&told)), (409, json!("complaint")), "{scope}, {asked}");
            let was = told.json()["results"][0]["was"].clone();
            assert_eq!(was, json!(["complaint", "import"]));
        }
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        bar_for(&bench, scope, DAY, Bar::Import(Some(Cause::Unsubscribe))).await;
        let told = ask(&bench, IDA, "outbound", None).await;
        assert_eq!((told.status(), code(&told)), (409, json!("consent")), "{scope}");
        assert!(bench.decided().await.is_empty());
        let told = ask(&bench, IDA, "outbound", Some("form of 20 November")).await;
        assert_eq!((told.status(), &told.json()["results"][0]["done"]), (200, &json!(true)));
        assert_eq!(bench.settle().await.len(), 1);
        let checked = json!({ "stream": "outbound", "addresses": [IDA] });
        assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "send");
    }
    for cause in [None, Some(Cause::HardBounce), Some(Cause::Manual), Some(Cause::Unknown)] {
        let bench = Bench::default();
        bar_for(&bench, "outbound", DAY, Bar::Import(cause)).await;
        assert_eq!(ask(&bench, IDA, "outbound", None).await.status(), 200, "{cause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asked_for_removal_by_a_bounce_is_mailed_again_by_consent_alone() {
    let bench = Bench::default();
    bounce(&bench, "Unsubscribe", 9, DAY).await;
    let checked = json!({ "stream": "broadcast", "addresses": [IDA] });
    let result = bench.post("check", checked.clone()).await.json()["results"][0].clone();
    assert_eq!(
        (&result["verdict"], &result["reasons"][0]["code"]),
        (&json!("risky"), &json!("removal_requested"))
    );
    let told = ask(&bench, IDA, "broadcast", None).await;
    assert_eq!((told.status(), code(&told)), (409, json!("consent")));
    assert_eq!(told.json()["results"][0]["was"], json!(["removal_requested"]));
    // A lift would end the request as well.
    change(&bench, IDA, "broadcast", DAY, HARD).await;
    let told = ask(&bench, IDA, "broadcast", None).await;
    assert_eq!((told.status(), code(&told)), (409, json!("consent")));
    change(&bench, IDA, "broadcast", "2026-11-21T08:00:00Z", None).await;
    assert_eq!(bench.post("check", checked.clone()).await.json()["results"][0]["verdict"], "send");
    bounce(&bench, "Unsubscribe", 10, "2026-11-22T08:00:00Z").await;
    assert_eq!(ask(&bench, IDA, "broadcast", Some("form")).await.status(), 200);
    bench.settle().await;
    assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "send");
}

#[tokio::test(start_paused = true)]
async fn a_postmark_that_does_not_answer_is_told_and_nothing_is_allowed_then() {
    for who in ["slow@x.example", "down@x.example", "forgotten@x.example"] {
        let (bench, _) = Bench::with_lists().await;
        change(&bench, who, "outbound", DAY, HARD).await;
        let told = ask(&bench, who, "outbound", None).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        let result = told.json()["results"][0].clone();
        assert_eq!((&result["done"], &result["postmark"]["status"]), (&json!(false), &json!("unavailable")));
        assert!(result.get("refused").is_none() && result.get("awaits").is_none());
        assert!(bench.decided().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_token_what_is_listed_stays_and_what_is_refused_is_refused() {
    let bench = Bench::default();
    change(&bench, IDA, "outbound", DAY, HARD).await;
    let told = ask(&bench, IDA, "outbound", None).await;
    assert_eq!(
        (told.status(), &told.json()["type"]),
        (409, &json!("urn:postledger:problem:no-postmark-token"))
    );
    change(&bench, IDA, "outbound", DAY, COMPLAINT).await;
    assert_eq!(code(&ask(&bench, IDA, "outbound", None).await), "complaint");
}

#[tokio::test(start_paused = true)]
async fn somebody_erased_is_named_by_address() {
    let (bench, lists) = Bench::with_lists().await;
    change(&bench, IDA, "outbound", DAY, HARD).await;
    let server = ServerId::new(SERVER).unwrap();
    let by_id = format!("id:{}", id());
    let told = ask(&bench, &by_id, "outbound", None).await;
    assert_eq!((told.status(), &told.json()["address"]), (200, &json!(IDA)));
    erasure::strip(&*bench.store, server, id()).await.unwrap();
    let told = ask(&bench, &by_id, "outbound", None).await;
    assert_eq!((told.status(), &told.json()["type"]), (409, &json!("urn:postledger:problem:no-address")));
    assert_eq!(ask(&bench, IDA, "outbound", None).await.status(), 200);
    assert_eq!(lists.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn where_postmark_is_to_be_left_alone_what_is_ours_is_allowed_and_its_list_keeps_its_say() {
    let (bench, lists) = Bench::with_lists().await;
    let ours_alone = async |stream: &str| {
        let body = json!({ "stream": stream, "reason": "r", "postmark": false });
        bench.post(&format!("recipients/{IDA}/reactivate"), body).await.json()
    };
    bar(&bench, "outbound", DAY).await;
    let told = ours_alone("outbound").await;
    assert_eq!(
        (&told["results"][0]["done"], &told["results"][0]["was"][0]),
        (&json!(true), &json!("decision"))
    );
    assert!(told["decision"]["event"].is_string() && lists.asked().is_empty(), "Postmark is not asked");
    // Where Postmark lists it, an allowance would make nothing mailable there, and end what is said elsewhere.
    change(&bench, IDA, "broadcast", DAY, HARD).await;
    bar_for(&bench, "broadcast", DAY, Bar::Import(Some(Cause::HardBounce))).await;
    for scope in ["broadcast", "*"] {
        let told = ours_alone(scope).await;
        assert_eq!(told["results"][0]["refused"]["code"], "postmark", "{scope}: {told}");
    }
    assert!(lists.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_asked_by_a_bounce_to_be_taken_off_is_allowed_by_no_wider_scope_without_consent() {
    let (bench, lists) = Bench::with_lists().await;
    bounce(&bench, "Unsubscribe", 1, DAY).await;
    change(&bench, IDA, "outbound", DAY, HARD).await;
    bar(&bench, "*", DAY).await;
    let told = ask(&bench, IDA, "*", None).await;
    let results = told.json()["results"].clone();
    let ours = results.as_array().unwrap().iter().find(|one| one["stream"] == "*").unwrap().clone();
    assert_eq!(ours["refused"]["code"], "consent", "{results}");
    assert!(lists.asked().len() <= 1, "nothing of ours is decided");
    let told = ask(&bench, IDA, "*", Some("by telephone")).await;
    assert!(told.json()["decision"]["event"].is_string(), "{}", told.text());
}

#[tokio::test(start_paused = true)]
async fn the_audit_has_causes_codes_and_choices_but_no_words_and_no_address() {
    let (bench, _) = Bench::with_lists().await;
    change(&bench, IDA, "outbound", DAY, UNSUBSCRIBE).await;
    ask(&bench, IDA, "outbound", None).await;
    ask(&bench, IDA, "outbound", Some("by telephone")).await;
    let audit = bench.get("audit").await;
    assert!(!audit.text().contains("customer.example"));
    let items = audit.json()["items"].clone();
    let of = |phase: &str| {
        let found = items.as_array().unwrap().iter().filter(|one| one["phase"] == phase);
        found.cloned().collect::<Vec<Value>>()
    };
    assert_eq!(of("begun").len(), 2);
    assert_eq!(of("begun")[0]["before"], json!({ "outbound": ["unsubscribe"] }));
    assert_eq!(of("begun")[0]["target"], id().to_string());
    let asked = json!({ "stream": "outbound", "reason": "other", "consent": true, "postmark": true });
    assert!(!audit.text().contains("called") && !audit.text().contains("telephone"));
    assert!(of("begun").iter().any(|one| one["after"] == asked), "{items}");
    let refused = json!([{ "stream": "outbound", "done": false, "refused": "consent" }]);
    assert_eq!(of("failed")[0]["after"], json!({ "results": refused, "decision": null }));
    let done = json!([{ "stream": "outbound", "done": true, "postmark": "deleted" }]);
    assert_eq!(of("done")[0]["after"], json!({ "results": done, "decision": null }));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_none_is_refused() {
    let (bench, lists) = Bench::with_lists().await;
    change(&bench, IDA, "outbound", DAY, HARD).await;
    for wrong in [
        json!({ "stream": "outbound" }),
        json!({ "stream": "outbound", "reason": "" }),
        json!({ "stream": "*x", "reason": "r" }),
        json!({ "stream": "outbound", "reason": "r", "consent": " " }),
        json!({ "stream": "outbound", "reason": "r\u{1b}[31m" }),
        json!({ "stream": "outbound", "reason": "r", "x": 1 }),
    ] {
        let told = bench.post(&format!("recipients/{IDA}/reactivate"), wrong.clone()).await;
        assert_eq!(told.status(), 400, "{wrong}");
    }
    assert!(lists.asked().is_empty());
}
