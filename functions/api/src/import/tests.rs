//! Lists of other services, imported.

use super::*;
use crate::bench::{Answered, Bench, SERVER, now};
use crate::token::Role;
use account::audit;
use http::Method;
use ledger::Source;
use queue::{Queue as _, QueueName};
use serde_json::Value;
use std::collections::BTreeSet;
use store::Collection;
use store::prelude::*;

async fn import(bench: &Bench, query: &str, csv: &str) -> Answered {
    let kind = [(CONTENT_TYPE, "text/csv; charset=utf-8")];
    let target = format!("import?stream=outbound{query}");
    bench.call_with(Method::POST, &target, &kind, csv.as_bytes()).await
}

/// What an import tells when it went well.
async fn imported(bench: &Bench, query: &str, csv: &str) -> Value {
    let told = import(bench, query, csv).await;
    assert_eq!(told.status(), 200, "{}", told.text());
    told.json()
}

/// A server that the operator can see before anything is recorded of it.
async fn bench() -> Bench {
    known(Bench::default()).await
}

async fn known(bench: Bench) -> Bench {
    bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
    bench
}

async fn allow(bench: &Bench, id: &str, at: Time) {
    let (stream, address) = ("outbound", "ida@customer.example");
    let decision = Decision { id, stream, address, ruling: Ruling::Allow, reason: "r", actor: "a", at };
    bench.record(SERVER, decision.body(), Source::Operator).await;
}

async fn barred(bench: &Bench, stream: &str) -> bool {
    let asked = json!({ "stream": stream, "addresses": ["ida@customer.example"] });
    let told = bench.post("check", asked).await.json();
    told["results"][0]["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .any(|reason| reason["code"].as_str().unwrap().starts_with("barred_import_"))
}

async fn events(bench: &Bench, address: &str) -> usize {
    let server = ServerId::new(SERVER).unwrap();
    let recipient = ledger::LedgerKey::for_tests().recipient_id(server, &ledger::recipient_key(address));
    bench.store.state_events(server, recipient).await.unwrap().len()
}

async fn audited(bench: &Bench) -> Vec<audit::Entry> {
    let collection = Collection::Audit(ServerId::new(SERVER).unwrap());
    let found = bench.store.last_documents(&collection, None, 99).await.unwrap();
    found.iter().map(|(_, document)| audit::read(&document.text).unwrap()).collect()
}

async fn waiting(bench: &Bench) -> usize {
    bench.queue.depth(QueueName::Critical).await.unwrap().visible
}

const BOUNCES: &str = "status,reason,email,created\n\
    5.1.1,unknown user,ida@customer.example,2026-10-01T10:00:00Z\n\
    5.1.1,unknown user,bob@customer.example,2026-10-02T10:00:00Z\n\
    5.1.1,unknown user,IDA@customer.example,2026-10-03T10:00:00Z\n\
    4.2.2,mailbox full,eve@customer.example,2026-10-02T10:00:00Z\n\
    5.1.1,unknown user,no address,2026-10-02T10:00:00Z\n";

#[tokio::test]
async fn a_dry_run_tells_all_and_does_nothing() {
    let bench = bench().await;
    let told = imported(&bench, "&dry_run=true", BOUNCES).await;
    let ignored = json!({ "a soft bounce or a block is not a suppression": 1 });
    assert_eq!(
        told,
        json!({
            "format": "sendgrid-bounces",
            "dry_run": true,
            "rows": 5,
            "counts": { "new": 2, "already": 0, "duplicate": 1, "ignored": 1, "invalid": 1 },
            "by_cause": { "hard_bounce": 2 },
            "ignored_why": ignored,
            "invalid": [{ "line": 6, "problem": "the address has no @" }],
            "warnings": [],
            "address_column": "email",
            "columns_not_read": [],
            "goes_on": false,
            "queued": 0,
        })
    );
    assert_eq!((waiting(&bench).await, audited(&bench).await.len()), (0, 0));
}

#[tokio::test]
async fn an_import_bars_and_a_repeated_one_records_nothing_twice() {
    let bench = bench().await;
    let told = imported(&bench, "&dry_run=false", BOUNCES).await;
    assert_eq!((&told["queued"], &told["dry_run"]), (&json!(2), &json!(false)));
    // Sent again before anything of it is recorded, it is queued again and yet recorded once.
    bench.pass(60);
    assert_eq!(imported(&bench, "", BOUNCES).await["queued"], 2);
    assert_eq!(bench.settle().await.len(), 4);
    assert_eq!(events(&bench, "ida@customer.example").await, 1);
    assert!(barred(&bench, "outbound").await && !barred(&bench, "broadcast").await);
    let told = imported(&bench, "", BOUNCES).await;
    assert_eq!((&told["counts"]["new"], &told["counts"]["already"]), (&json!(0), &json!(2)));
    assert_eq!((told["queued"].clone(), bench.settle().await.len()), (json!(0), 0));
    let told = bench.get("streams/outbound/suppressions").await.json();
    let row = |item: &Value| (item["address"].clone(), item["since"].clone(), item["causes"].clone());
    let rows: Vec<_> = told["items"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(
        rows,
        [
            (
                json!("bob@customer.example"),
                json!("2026-10-02T10:00:00.000000Z"),
                json!(["hard_bounce", "import"])
            ),
            (
                json!("IDA@customer.example"),
                json!("2026-10-03T10:00:00.000000Z"),
                json!(["hard_bounce", "import"])
            ),
        ]
    );
}

#[tokio::test]
async fn a_decision_says_whence_it_comes_and_by_whom() {
    let bench = bench().await;
    let token = bench.token(Role::Admin, Some(&[SERVER]), true).await;
    imported(&bench, "", BOUNCES).await;
    bench.settle().await;
    let server = ServerId::new(SERVER).unwrap();
    let id = ledger::LedgerKey::for_tests().recipient_id(server, "bob@customer.example");
    let recorded = bench.store.state_events(server, id).await.unwrap().remove(0);
    let body: Value = serde_json::from_str(&recorded.body.unwrap()).unwrap();
    assert_eq!(
        (&body["Reason"], &body["Actor"], &body["Cause"]),
        (&json!("hard_bounce, from sendgrid-bounces"), &json!("test"), &json!("import_hard_bounce"))
    );
    let steps = audited(&bench).await;
    assert_eq!(steps.len(), 2);
    assert_eq!((&*steps[0].what, steps[0].target.as_deref()), ("import", Some("outbound")));
    assert_eq!(steps[1].after["counts"]["new"], 2);
    assert_eq!(steps[0].after, json!({ "queued": 2 }));
    let text = serde_json::to_string(&steps).unwrap();
    assert!(!text.contains("customer.example"), "{text}");
    // An admin of the server sees the note as well.
    let path = format!("/v1/servers/{SERVER}/audit");
    assert_eq!(bench.ask(&token, Method::GET, &path, &[]).await.status(), 200);
}

#[tokio::test]
async fn an_allowance_that_came_after_a_rows_date_keeps_winning() {
    let bench = bench().await;
    allow(&bench, "AAECAwQFBgcICQoLDA0ODw", "2026-10-05T10:00:00Z".parse().unwrap()).await;
    let before = "email,cause,date\nida@customer.example,hard_bounce,2026-10-04\n";
    assert_eq!(imported(&bench, "", before).await["queued"], 1);
    bench.settle().await;
    assert!(!barred(&bench, "outbound").await);
    assert_eq!(events(&bench, "ida@customer.example").await, 2, "it is on record all the same");
    let told = imported(&bench, "", before).await;
    assert_eq!((&told["counts"]["already"], &told["queued"]), (&json!(1), &json!(0)));
    let behind = "email,cause,date\nida@customer.example,hard_bounce,2026-10-06\n";
    assert_eq!(imported(&bench, "", behind).await["queued"], 1);
    bench.settle().await;
    assert!(barred(&bench, "outbound").await);
    let told = imported(&bench, "", before).await;
    assert_eq!(told["counts"]["already"], 1, "it is barred as of later already");
}

#[tokio::test]
async fn a_complaint_or_unsubscribe_that_no_list_had_told_bars_whoever_was_allowed_without_it() {
    for cause in ["complaint", "unsubscribe"] {
        let bench = bench().await;
        allow(&bench, "AAECAwQFBgcICQoLDA0ODw", "2026-10-05T10:00:00Z".parse().unwrap()).await;
        let list = format!("email,cause,date\nida@customer.example,{cause},2026-10-04\n");
        assert_eq!(imported(&bench, "", &list).await["counts"]["new"], 1, "{cause}");
        bench.settle().await;
        assert!(barred(&bench, "outbound").await, "{cause}");
        bench.pass(60);
        assert_eq!(imported(&bench, "", &list).await["counts"]["already"], 1, "{cause}");
        // Who allows it now knows, and is asked for consent.
        allow(&bench, "AQECAwQFBgcICQoLDA0ODw", now().plus_seconds(60)).await;
        assert!(!barred(&bench, "outbound").await, "{cause}");
        assert_eq!(imported(&bench, "", &list).await["queued"], 0, "{cause}: the list says nothing new");
    }
}

#[tokio::test]
async fn a_row_without_a_date_is_as_of_its_first_import() {
    let bench = bench().await;
    let list = "email\nida@customer.example\n";
    let import = async || imported(&bench, "&cause=unsubscribe", list).await["queued"].clone();
    allow(&bench, "AAECAwQFBgcICQoLDA0ODw", "2026-10-05T10:00:00Z".parse().unwrap()).await;
    assert_eq!(import().await, 1);
    bench.settle().await;
    assert!(barred(&bench, "outbound").await, "whoever imports it says so after what was allowed before");
    bench.pass(60);
    assert_eq!((import().await, bench.settle().await.len()), (json!(0), 0));
    allow(&bench, "AQECAwQFBgcICQoLDA0ODw", now().plus_seconds(60)).await;
    assert!(!barred(&bench, "outbound").await);
    bench.pass(60);
    assert_eq!((import().await, bench.settle().await.len()), (json!(0), 0));
    assert!(!barred(&bench, "outbound").await, "the same list says nothing new");
    assert_eq!(imported(&bench, "&cause=complaint", list).await["queued"], 1);
    bench.settle().await;
    assert!(barred(&bench, "outbound").await, "another cause does");
}

#[tokio::test]
async fn a_row_without_a_date_that_is_queued_twice_bars_as_of_the_first_time() {
    let bench = bench().await;
    let list = "email\nida@customer.example\n";
    imported(&bench, "&cause=manual", list).await;
    bench.pass(60);
    imported(&bench, "&cause=manual", list).await;
    allow(&bench, "AAECAwQFBgcICQoLDA0ODw", now().plus_seconds(30)).await;
    assert_eq!(bench.settle().await.len(), 2);
    assert_eq!(events(&bench, "ida@customer.example").await, 2, "the allowance and one import");
    assert!(!barred(&bench, "outbound").await);
}

#[tokio::test]
async fn of_several_rows_that_tell_one_cause_the_one_that_bars_longest_counts() {
    for (rows, at) in [
        (["complaint,2026-10-01", "complaint,2026-10-03"], "2026-10-03T00:00:00Z"),
        (["complaint,2026-10-03", "complaint,"], "2026-11-25T12:00:00Z"),
    ] {
        let told = async |rows: [&str; 2]| {
            let bench = bench().await;
            let csv = format!(
                "email,cause,date\nida@customer.example,{}\nIda@CUSTOMER.example,{}\n",
                rows[0], rows[1]
            );
            let told = imported(&bench, "", &csv).await;
            assert_eq!(told["by_cause"], json!({ "complaint": 1 }), "{rows:?}");
            assert_eq!(told["counts"]["duplicate"], 1);
            bench.settle().await;
            let listed = bench.get("streams/outbound/suppressions").await.json();
            listed["items"][0]["since"].as_str().unwrap().parse::<Time>().unwrap()
        };
        let at: Time = at.parse().unwrap();
        assert_eq!((told(rows).await, told([rows[1], rows[0]]).await), (at, at), "{rows:?}");
    }
}

#[tokio::test]
async fn each_cause_of_a_recipient_is_recorded_whatever_else_the_list_or_an_earlier_one_told() {
    let bench = bench().await;
    let csv = "email,cause,date\nida@customer.example,complaint,2026-10-01\n\
               ida@customer.example,hard_bounce,2026-10-03\n";
    let told = imported(&bench, "", csv).await;
    assert_eq!(
        (&told["by_cause"], &told["queued"]),
        (&json!({ "complaint": 1, "hard_bounce": 1 }), &json!(2))
    );
    assert_eq!(bench.settle().await.len(), 2);
    let listed =
        async || bench.get("streams/outbound/suppressions").await.json()["items"][0]["causes"].clone();
    assert_eq!(listed().await, json!(["hard_bounce", "complaint", "import"]));
    let graver = "email,cause\nida@customer.example,unsubscribe\n";
    assert_eq!(imported(&bench, "", graver).await["queued"], 1);
    bench.settle().await;
    assert_eq!(listed().await, json!(["hard_bounce", "complaint", "unsubscribe", "import"]));
    for again in [csv, graver] {
        assert_eq!(imported(&bench, "", again).await["queued"], 0);
    }
    let codes = async |stream: &str| {
        let asked = json!({ "stream": stream, "addresses": ["ida@customer.example"] });
        let told = bench.post("check", asked).await.json();
        let reasons = told["results"][0]["reasons"].as_array().unwrap().clone();
        reasons.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes("broadcast").await, ["complained", "hard_bounce"]);
    assert_eq!(
        codes("outbound").await[..3],
        ["barred_import_hard_bounce", "barred_import_complaint", "barred_import_unsubscribe"]
    );
}

#[tokio::test]
async fn an_imported_cause_outlives_its_person_and_a_rebuild() {
    let bench = bench().await;
    imported(&bench, "", "email,cause\nida@customer.example,complaint\n").await;
    bench.settle().await;
    let server = ServerId::new(SERVER).unwrap();
    let ida = ledger::LedgerKey::for_tests().recipient_id(server, "ida@customer.example");
    erasure::strip(&*bench.store, server, ida).await.unwrap();
    let report = store::rebuild::verify(&*bench.store, server, |_| {}).await.unwrap();
    assert_eq!((report.events, report.differences), (1, Vec::new()));
    let asked = json!({ "stream": "outbound", "addresses": ["ida@customer.example"] });
    let result = bench.post("check", asked).await.json()["results"][0].clone();
    assert_eq!(result["reasons"][0]["code"], "barred_import_complaint");
    assert_eq!(result["reasons"][1]["code"], "complained");
    let told = bench.get("streams/outbound/suppressions?cause=complaint").await.json();
    assert_eq!(told["items"][0]["causes"], json!(["complaint", "import"]));
}

#[tokio::test]
async fn an_import_of_an_early_release_keeps_its_meaning_until_the_list_is_sent_again() {
    let bench = bench().await;
    let row =
        ListRow { line: 1, address: "ida@customer.example".to_owned(), cause: Cause::Complaint, at: None };
    let server = ServerId::new(SERVER).unwrap();
    let ida = ledger::LedgerKey::for_tests().recipient_id(server, &row.address);
    let then = now().plus_days(-9);
    let made = Made::of(server, "outbound", ida, row, then);
    let (stream, address) = ("outbound", "ida@customer.example");
    let (ruling, reason, actor) = (Ruling::Suppress(Bar::Import(None)), "complaint, from csv", "a");
    let early = Decision { id: &made.id, stream, address, ruling, reason, actor, at: then };
    bench.record(SERVER, early.body(), Source::Operator).await;
    let verdict = async |stream: &str| {
        let asked = json!({ "stream": stream, "addresses": [address] });
        bench.post("check", asked).await.json()["results"][0].clone()
    };
    assert_eq!(verdict("outbound").await["reasons"][0]["code"], "barred_import");
    assert_eq!(verdict("broadcast").await["verdict"], "send");
    allow(&bench, "AAECAwQFBgcICQoLDA0ODw", now().plus_days(-5)).await;
    let list = "email\nida@customer.example\n";
    assert_eq!(imported(&bench, "&cause=complaint", list).await["queued"], 1);
    bench.settle().await;
    assert_eq!(events(&bench, address).await, 2, "one decision, told better, and the allowance");
    assert!(!barred(&bench, "outbound").await, "it is as of its first time, before the allowance");
    assert_eq!(verdict("outbound").await["reasons"][0]["code"], "complained");
    assert_eq!(verdict("outbound").await["verdict"], "risky");
    assert_eq!(imported(&bench, "&cause=complaint", list).await["queued"], 0);
}

#[tokio::test]
async fn nothing_bars_as_of_the_future() {
    let bench = bench().await;
    let csv = "email,cause,date\nida@customer.example,manual,2026-11-25T12:05:00Z\n";
    for expected in [1, 0] {
        assert_eq!(imported(&bench, "", csv).await["queued"], expected);
        bench.settle().await;
        bench.pass(1);
    }
    let listed = bench.get("streams/outbound/suppressions").await.json();
    assert_eq!(listed["items"][0]["since"], "2026-11-25T12:00:00.000000Z");
}

#[tokio::test]
async fn an_import_for_the_whole_server_is_one_of_its_own() {
    let bench = bench().await;
    let csv = "email,cause\nida@customer.example,manual\n";
    let whole = async || {
        let kind = [(CONTENT_TYPE, "text/plain")];
        bench.call_with(Method::POST, "import?stream=*", &kind, csv.as_bytes()).await.json()
    };
    assert_eq!(imported(&bench, "", csv).await["queued"], 1);
    bench.settle().await;
    assert_eq!(whole().await["queued"], 1);
    bench.settle().await;
    assert!(barred(&bench, "outbound").await && barred(&bench, "broadcast").await);
    let listed = bench.get("streams/*/suppressions").await.json();
    assert_eq!(listed["items"][0]["address"], "ida@customer.example");
    assert_eq!(whole().await["queued"], 0);
}

#[tokio::test]
async fn our_own_export_can_be_imported() {
    let bench = bench().await;
    imported(&bench, "&cause=manual", "email\n=1@customer.example\nida@customer.example\n").await;
    bench.settle().await;
    let export = bench.get("streams/outbound/suppressions?format=csv").await.text().to_owned();
    let kind = [(CONTENT_TYPE, "application/csv")];
    let told =
        bench.call_with(Method::POST, "import?stream=broadcast", &kind, export.as_bytes()).await.json();
    assert_eq!((&told["format"], &told["queued"]), (&json!("postledger"), &json!(2)));
    assert_eq!(imported(&bench, "", &export).await["counts"]["already"], 2);
}

#[tokio::test]
async fn a_request_that_is_none_is_refused_whole() {
    let bench = bench().await;
    let csv = b"email,cause\nida@customer.example,manual\n";
    let ask = async |target: &str, kind: &'static str, body: &[u8]| {
        let told = bench.call_with(Method::POST, target, &[(CONTENT_TYPE, kind)], body).await;
        (
            told.status(),
            told.json()["type"].as_str().unwrap_or_default().replace("urn:postledger:problem:", ""),
        )
    };
    for wrong in [
        "import",
        "import?stream=",
        "import?stream=**",
        "import?stream=a%23b",
        "import?stream=outbound&cause=HardBounce",
        "import?stream=outbound&dry_run=1",
        "import?stream=outbound&x=1",
    ] {
        assert_eq!(ask(wrong, "text/csv", csv).await, (400, "bad-request".to_owned()), "{wrong}");
    }
    for kind in ["application/xml", "", "text/csvx", "text"] {
        let told = ask("import?stream=outbound", kind, csv).await;
        assert_eq!(told, (415, "content-type".to_owned()), "{kind}");
    }
    assert_eq!(bench.call(Method::POST, "import?stream=outbound", csv).await.status(), 415);
    let large = vec![b'a'; suppression_lists::BYTES_MAX + 1];
    let many = format!("email,cause\n{}", "a@b.example,manual\n".repeat(suppression_lists::ROWS_MAX + 1));
    for body in [&*large, many.as_bytes()] {
        let told = ask("import?stream=outbound", "text/csv", body).await;
        assert_eq!(told, (413, "too-large".to_owned()));
    }
    for body in ["", "email\nida@customer.example\n", "name,phone\nIda,1\n", "\"a", "{\"a\":1}", "[{"] {
        let told = ask("import?stream=outbound", "text/csv", body.as_bytes()).await;
        assert_eq!(told, (400, "bad-request".to_owned()), "{body}");
    }
    assert_eq!((waiting(&bench).await, audited(&bench).await.len()), (0, 0));
}

#[tokio::test]
async fn only_so_many_rows_that_could_not_be_used_are_told_of() {
    let bench = bench().await;
    let csv = format!("email,cause\n{}", "nobody,manual\n".repeat(INVALID_TOLD_MAX + 7));
    let told = imported(&bench, "", &csv).await;
    assert_eq!(told["counts"]["invalid"], INVALID_TOLD_MAX + 7);
    assert_eq!(told["invalid"].as_array().unwrap().len(), INVALID_TOLD_MAX);
    assert_eq!(told["invalid_more"], 7);
    let told = imported(&bench, "", "email,cause\nnobody,manual\n").await;
    assert_eq!((told["rows"].clone(), told["invalid_more"].clone()), (json!(1), Value::Null));
}

#[tokio::test]
async fn whoever_is_on_a_list_is_barred_as_of_the_import_where_the_date_cannot_be_used() {
    let bench = bench().await;
    let csv = "email,cause,date\n\
        ida@customer.example,unsubscribe,25/04/2024\n\
        bob@customer.example,unsubscribe,2008-03-01\n\
        eve@customer.example,unsubscribe,2031-01-01\n\
        joe\u{200b}@customer.example,unsubscribe,2024-04-25\n";
    let told = imported(&bench, "", csv).await;
    let counts = json!({ "new": 4, "already": 0, "duplicate": 0, "ignored": 0, "invalid": 0 });
    assert_eq!((&told["rows"], &told["counts"], &told["queued"]), (&json!(4), &counts, &json!(4)));
    let lines: Vec<&Value> = told["warnings"].as_array().unwrap().iter().map(|one| &one["line"]).collect();
    assert_eq!(lines, [2, 3, 4, 5]);
    assert_eq!(told["warnings_more"], Value::Null);
    bench.settle().await;
    let listed = bench.get("streams/outbound/suppressions").await.json();
    let since: BTreeSet<(&str, &str)> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["address"].as_str().unwrap(), item["since"].as_str().unwrap()))
        .collect();
    let import = "2026-11-25T12:00:00.000000Z";
    let expected = [
        ("bob@customer.example", import),
        ("eve@customer.example", import),
        ("ida@customer.example", import),
        ("joe@customer.example", "2024-04-25T00:00:00.000000Z"),
    ];
    assert_eq!(since, expected.into());
}

#[tokio::test]
async fn what_is_not_read_of_a_list_is_named() {
    let bench = bench().await;
    let told = imported(&bench, "&cause=manual", "First Name,Email\nIda,ida@customer.example\n").await;
    assert_eq!(
        (&told["address_column"], &told["columns_not_read"]),
        (&json!("Email"), &json!(["First Name"]))
    );
    let page = r#"{"SuppressedDestinationSummaries":[{"EmailAddress":"ida@customer.example","Reason":"COMPLAINT",
        "LastUpdateTime":"2026-10-01T10:00:00+00:00"}],"NextToken":"next"}"#;
    let kind = [(CONTENT_TYPE, "application/json")];
    let told = bench.call_with(Method::POST, "import?stream=outbound", &kind, page.as_bytes()).await.json();
    assert_eq!(
        (&told["format"], &told["goes_on"], &told["queued"]),
        (&json!("ses"), &json!(true), &json!(1))
    );
    assert_eq!(told["by_cause"], json!({ "complaint": 1 }));
}

#[tokio::test]
async fn what_became_of_the_rows_adds_up_to_them_however_a_list_is_broken() {
    let bench = bench().await;
    imported(&bench, "", BOUNCES).await;
    bench.settle().await;
    // Each byte once taken out, and once a quote put in its place.
    for at in 0..BOUNCES.len() {
        for with in ["", "\"", "\n", ",", "\u{feff}"] {
            let broken = format!("{}{with}{}", &BOUNCES[..at], &BOUNCES[at + 1..]);
            let told = import(&bench, "&dry_run=true&cause=manual", &broken).await;
            if told.status() == 200 {
                let told = told.json();
                let counts = told["counts"].as_object().unwrap();
                let sum: u64 = counts.values().map(|count| count.as_u64().unwrap()).sum();
                assert_eq!(told["rows"], sum, "{broken}");
            } else {
                assert_eq!(told.status(), 400, "{broken}");
            }
        }
    }
}

#[tokio::test]
async fn where_the_queue_fails_midway_it_is_told_how_far_it_came() {
    let bench = known(Bench::with_sends(50)).await;
    let rows: String = (0..200).map(|n| format!("{n}@customer.example,manual,2026-10-01\n")).collect();
    let csv = format!("email,cause,date\n{rows}");
    let told = import(&bench, "", &csv).await;
    assert_eq!((told.status(), &told.json()["queued"]), (503, &json!(50)), "{}", told.text());
    assert!(told.json()["next"].as_str().unwrap().contains("again"));
    assert_eq!(audited(&bench).await[0].phase, audit::Phase::Failed);
    assert_eq!(bench.settle().await.len(), 50);
    let told = imported(&bench, "&dry_run=true", &csv).await;
    assert_eq!((&told["counts"]["new"], &told["counts"]["already"]), (&json!(150), &json!(50)));
}

#[tokio::test]
async fn only_an_admin_of_the_server_imports() {
    let bench = bench().await;
    let path = format!("/v1/servers/{SERVER}/import?stream=outbound");
    for (role, servers, status) in
        [(Role::Viewer, [SERVER], 403), (Role::Admin, [SERVER + 1], 404), (Role::Admin, [SERVER], 415)]
    {
        let token = bench.token(role, Some(&servers), true).await;
        assert_eq!(bench.ask(&token, Method::POST, &path, BOUNCES.as_bytes()).await.status(), status);
    }
}

#[tokio::test]
async fn ids_differ_in_all_that_makes_a_row_another() {
    let server = ServerId::new(SERVER).unwrap();
    let recipient = |address| ledger::LedgerKey::for_tests().recipient_id(server, address);
    let row = |cause, at| ListRow { line: 1, address: "ida@customer.example".to_owned(), cause, at };
    let ida = recipient("ida@customer.example");
    let id = |server: i64, scope, who, cause, at| {
        Made::of(ServerId::new(server).unwrap(), scope, who, row(cause, at), now()).id
    };
    let ids = [
        id(SERVER, "outbound", ida, Cause::Manual, None),
        id(SERVER + 1, "outbound", ida, Cause::Manual, None),
        id(SERVER, "*", ida, Cause::Manual, None),
        id(SERVER, "outbound", recipient("bob@customer.example"), Cause::Manual, None),
        id(SERVER, "outbound", ida, Cause::Complaint, None),
        id(SERVER, "outbound", ida, Cause::Manual, Some(now())),
        id(SERVER, "outbound", ida, Cause::Manual, Some(now().plus_seconds(-1))),
    ];
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    // Frozen: a later release must know what an earlier one has recorded.
    assert_eq!(ids[0], "IczcgviUo8GxMM7DQpBAhQ");
    assert_eq!(ids[5], "g7vSig73CRBA4QM76anIbQ");
}
