//! Lists as people have them: with slips, in all the ways that services and spreadsheets write, imported and checked by
//! the commands. Whoever stands in a file is on the list afterwards, or the command said which line it could not use.

use crate::api_commands::{AT, settle};
use crate::commands::Running;
use postledger_tests::command::text;
use serde_json::{Value, json};
use std::process::Output;

/// Runs a command on a file whose text is given.
fn with_file(running: &Running, command: &[&str], file: impl AsRef<[u8]>, rest: &[&str]) -> Output {
    let path = running.home().join("list");
    std::fs::write(&path, file).unwrap();
    let stream = ["--stream", "outbound"];
    running.ask(&[command, &[path.to_str().unwrap()], &AT, &stream, rest].concat(), b"")
}

fn import(running: &Running, file: impl AsRef<[u8]>, rest: &[&str]) -> (Option<i32>, Value) {
    let done = with_file(running, &["suppressions", "import"], file, &[&["--json"], rest].concat());
    settle(running);
    let told = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", text(&done.stderr)));
    (done.status.code(), told)
}

/// The verdicts on addresses, in their order.
fn verdicts(running: &Running, addresses: &[&str]) -> Vec<String> {
    let checked = with_file(running, &["check"], addresses.join("\n"), &["--json"]);
    let lines = text(&checked.stdout);
    let verdict =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["verdict"].as_str().unwrap().to_owned();
    lines.lines().map(verdict).collect()
}

fn lines(of: &Value) -> Vec<u64> {
    of.as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap()).collect()
}

#[test]
fn whoever_stands_in_a_list_is_barred_or_told_of() {
    let running = Running::start("lists", &[]);
    let barred = |addresses: &[&str]| {
        assert_eq!(verdicts(&running, addresses), vec!["do_not_send"; addresses.len()], "{addresses:?}");
    };

    // The closing quote of the second reason is missing.
    let bounces = "status,reason,email,created\n\
        5.1.1,\"550 5.1.1 no such user\",a1@customer.example,1714557600\n\
        5.1.1,\"550 5.1.1 mailbox of,a2@customer.example,1714557600\n\
        5.1.1,\"550 5.1.1 no such user\",a3@customer.example,1714557600\n";
    let (status, told) = import(&running, bounces, &[]);
    assert_eq!(
        (status, lines(&told["invalid"]), &told["counts"]["new"]),
        (Some(1), vec![3], &json!(2)),
        "{told}"
    );
    barred(&["a1@customer.example", "a3@customer.example"]);

    // Characters that are not to be seen, before, within and behind.
    let invisible = "email,cause,date\n\u{200b}b1@customer.example,unsubscribe,2026-05-01\n\
        b2\u{200b}@customer.example,unsubscribe,2026-05-01\n\u{feff}b3@customer.example,unsubscribe,2026-05-01\n";
    let (status, told) = import(&running, invisible, &[]);
    assert_eq!(
        (status, lines(&told["warnings"]), &told["counts"]["new"]),
        (Some(0), vec![2, 3], &json!(3)),
        "{told}"
    );
    barred(&["b1@customer.example", "b2@customer.example", "b3@customer.example"]);

    // One list behind the other, each with its mark.
    let joined = "\u{feff}c1@customer.example\r\n\u{feff}c2@customer.example\r\nc3@customer.example\r\n";
    let (status, told) = import(&running, joined, &["--cause", "unsubscribe"]);
    assert_eq!((status, &told["counts"]["new"]), (Some(0), &json!(3)), "{told}");
    barred(&["c1@customer.example", "c2@customer.example", "c3@customer.example"]);

    let dates = "email,cause,date\nd1@customer.example,unsubscribe,25/04/2024\n\
        d2@customer.example,unsubscribe,2008-03-01\nd3@customer.example,unsubscribe,2024-04-25\n";
    let (status, told) = import(&running, dates, &[]);
    assert_eq!(
        (status, lines(&told["warnings"]), &told["counts"]["new"]),
        (Some(0), vec![2, 3], &json!(3)),
        "{told}"
    );
    barred(&["d1@customer.example", "d2@customer.example", "d3@customer.example"]);

    let (status, told) =
        import(&running, "email\n*@blocked.example\ne1@customer.example\n", &["--cause", "manual"]);
    assert_eq!(
        (status, lines(&told["invalid"]), &told["counts"]["new"]),
        (Some(1), vec![2], &json!(1)),
        "{told}"
    );
    barred(&["e1@customer.example"]);

    let (status, told) = import(&running, "sep=;\r\nemail;cause\r\nf1@customer.example;unsubscribe\r\n", &[]);
    assert_eq!(
        (status, &told["rows"], &told["by_cause"]),
        (Some(0), &json!(1), &json!({ "unsubscribe": 1 })),
        "{told}"
    );
    barred(&["f1@customer.example"]);

    let page = r#"{"SuppressedDestinationSummaries": [{"EmailAddress": "g1@customer.example", "Reason": "BOUNCE",
        "LastUpdateTime": "2026-10-01T10:00:00+00:00"}], "NextToken": "next"}"#;
    let (status, told) = import(&running, page, &[]);
    assert_eq!((status, &told["format"], &told["goes_on"]), (Some(1), &json!("ses"), &json!(true)), "{told}");
    barred(&["g1@customer.example"]);

    let (status, told) =
        import(&running, "First Name,Email\nHans,h1@customer.example\n", &["--cause", "manual"]);
    assert_eq!((status, &told["columns_not_read"]), (Some(0), &json!(["First Name"])), "{told}");
    barred(&["h1@customer.example"]);
}

#[test]
fn what_cannot_be_understood_is_never_taken_for_done() {
    let running = Running::start("no-lists", &[]);
    for (list, said) in [
        ("", "the file is empty"),
        ("email,cause\n", "there is no row in it"),
        ("email,cause\n,\nemail,cause\n", "there is no row in it"),
        ("name,phone\nIda,1\n", "no column with addresses was found"),
        ("{\"a\":1}", "is not a list"),
        ("[{\"email\":\"a@x.example\"", "is not JSON"),
        ("\"email\nida@x.example\n", "a quote in line 1"),
    ] {
        let done = with_file(&running, &["suppressions", "import"], list, &["--cause", "manual"]);
        assert_ne!(done.status.code(), Some(0), "{list}");
        assert!(text(&done.stderr).contains(said), "{list}: {}", text(&done.stderr));
    }
    for list in ["", "email,cause\n", "name,phone\nIda,1\n", "Customer,Agent\na@x.example,b@x.example\n"] {
        let done = with_file(&running, &["check"], list, &[]);
        assert_eq!(done.status.code(), Some(2), "{list}");
    }
}

#[test]
fn a_check_loses_no_row_of_a_list() {
    let running = Running::start("check-lists", &[]);
    let gone = "no.such.user@customer.example";
    let swallowing = format!("email,note\n\"new@customer.example,a\n{gone},\"b\"\nold@customer.example,c\n");
    let done = with_file(&running, &["check"], &swallowing, &[]);
    let rows = text(&done.stdout);
    assert_eq!(done.status.code(), Some(1));
    assert!(
        rows.lines().any(|row| row.contains("new@customer.example") && row.contains(",invalid,")),
        "{rows}"
    );
    assert!(
        rows.contains(&format!("{gone},do_not_send")) && rows.contains("old@customer.example,send"),
        "{rows}"
    );
    assert!(text(&done.stderr).contains("line 2:"), "{}", text(&done.stderr));
    for list in [
        format!("First Name,Email\nNo,{gone}\n"),
        format!("Kontakt\n{gone}\n"),
        format!("sep=;\r\nname;mail\r\nx;{gone}\r\n"),
        format!("{{\"Suppressions\":[{{\"EmailAddress\":\"{gone}\"}}]}}"),
        format!("\u{feff}old@customer.example\r\n\u{feff}{gone}\r\n"),
    ] {
        let done = with_file(&running, &["check"], &list, &[]);
        assert_eq!(done.status.code(), Some(1), "{list}");
        assert!(
            text(&done.stdout).contains(&format!("{gone},do_not_send")),
            "{list}: {}",
            text(&done.stdout)
        );
    }
    let utf16: Vec<u8> =
        format!("\u{feff}email\r\n{gone}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(text(&with_file(&running, &["check"], utf16, &[]).stdout).contains("do_not_send"));
}

#[test]
fn an_address_that_a_spreadsheet_would_run_comes_back_as_it_is() {
    let running = Running::start("guarded-lists", &[]);
    let dash = "-dash@customer.example";
    let (status, _) = import(&running, format!("email\n{dash}\n"), &["--cause", "hard_bounce"]);
    assert_eq!(status, Some(0));
    let export = [&["suppressions", "export"], &AT[..], &["--stream", "outbound"]].concat();
    let export = text(&running.ask(&export, b"").stdout);
    assert!(export.contains(&format!("'{dash},")), "{export}");
    let column: String = export.lines().map(|row| format!("{}\n", row.split(',').next().unwrap())).collect();
    let bare = column.split_once('\n').unwrap().1.to_owned();
    for list in [&export, &column, &bare] {
        let (status, told) = import(&running, list, &["--cause", "hard_bounce"]);
        assert_eq!((status, &told["counts"]["invalid"]), (Some(0), &json!(0)), "{list}: {told}");
        assert_eq!(told["rows"], export.lines().count() - 1, "{list}");
        let done = with_file(&running, &["check"], list, &["--json"]);
        let told = text(&done.stdout);
        let asked = |line: &str| serde_json::from_str::<Value>(line).unwrap()["address"] == dash;
        assert!(told.lines().any(asked) && !told.contains("\"send\""), "{told}");
    }
}
