//! What the commands print and where they take from what they are not told: forms, several servers at once, settings.

use crate::commands::Running;
use crate::fixtures;
use account::{Registry, ServerEntry};
use postledger_tests::command::{Folder, command, postledger, run, text};
use postledger_tests::{SERVER, World, now, server_id};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

/// A server that nothing was ever heard of.
const OTHER: i64 = 8_123_457;
/// Whom the fixture's hard bounce is about.
const BOUNCED: &str = "no.such.user@customer.example";

/// A ledger of two registered servers, one of which knows an address.
fn two_servers() -> World {
    let world = World::default();
    for (id, label) in [(SERVER, "Acme"), (OTHER, "Brightside")] {
        let entry = ServerEntry::new(server_id(id), label, label, now());
        world.block(Registry(&*world.store).put(&entry)).unwrap();
    }
    let mut bounce: Value = serde_json::from_slice(&fixtures::read("bounce-hard.json")).unwrap();
    bounce["Email"] = json!(BOUNCED);
    world.post("bounce", bounce.to_string());
    world.drain();
    world
}

fn ask(world: &World, words: &[&str]) -> Output {
    run(world.command().args(words), b"")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn an_address_is_looked_for_at_all_servers_where_none_is_named() {
    let world = two_servers();
    let found = ask(&world, &["recipient", BOUNCED]);
    let shown = text(&found.stdout);
    assert!(found.status.success(), "{}", text(&found.stderr));
    assert!(shown.contains("8123456 Acme") && shown.contains("do not send"), "{shown}");
    assert!(!shown.contains("Brightside"), "only those that know it are told of: {shown}");
    assert!(shown.contains(&format!("postledger recipient --server 8123456 {BOUNCED}")), "{shown}");
    let told = json_of(&ask(&world, &["recipient", BOUNCED, "--json"]));
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    assert_eq!((&told[0]["server"], &told[0]["verdict"]), (&json!(SERVER), &json!("do_not_send")));
    let csv = text(&ask(&world, &["recipient", BOUNCED, "--format", "csv"]).stdout);
    assert!(
        csv.starts_with("server,name,stream,verdict,reason,since\r\n8123456,Acme,outbound,do_not_send,"),
        "{csv}"
    );
    let nobody = ask(&world, &["recipient", "nobody@customer.example"]);
    assert!(nobody.status.success() && text(&nobody.stdout).contains("Nothing is recorded"));
    assert_eq!(json_of(&ask(&world, &["recipient", "nobody@customer.example", "--json"])), json!([]));
    // A stream that no server has is a slip, and no reason to believe that nothing is recorded.
    let slip = ask(&world, &["recipient", BOUNCED, "--stream", "outboud"]);
    assert!(!slip.status.success() && slip.stdout.is_empty(), "{}", text(&slip.stdout));
    assert!(text(&slip.stderr).contains("no stream of that name"), "{}", text(&slip.stderr));

    let none = World::default();
    let told = ask(&none, &["recipient", BOUNCED]);
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told.stderr).contains("no server is registered"), "{}", text(&told.stderr));
}

#[test]
fn several_servers_are_told_of_one_by_one_and_one_that_fails_stops_no_other() {
    let world = two_servers();
    let period = ["--from", "2026-09-01", "--to", "2026-10-01"];
    let all = ask(&world, &[&["stats", "--all"], &period[..]].concat());
    let shown = text(&all.stdout);
    assert!(all.status.success(), "{}", text(&all.stderr));
    assert!(
        shown.contains("server 8123456 (Acme)") && shown.contains("server 8123457 (Brightside)"),
        "{shown}"
    );
    let both = format!("{SERVER},{OTHER}");
    let told = json_of(&ask(&world, &[&["stats", "--server", &both, "--json"], &period[..]].concat()));
    assert_eq!((&told[0]["name"], &told[1]["name"]), (&json!("Acme"), &json!("Brightside")));
    assert_eq!(told[0]["answer"]["streams"]["outbound"]["total"]["counts"]["bounce_hard"], 1, "{told}");
    let csv = text(&ask(&world, &[&["stats", "--all", "--format", "csv"], &period[..]].concat()).stdout);
    assert!(csv.contains("server,stream,when,measure,count\r\n"), "{csv}");
    assert!(csv.contains("8123456,outbound,all of it,bounce_hard,1\r\n"), "{csv}");
    let alone = json_of(&ask(&world, &[&["stats", "--server", "8123456", "--json"], &period[..]].concat()));
    assert!(alone["streams"]["outbound"].is_object(), "one server is told of as ever: {alone}");

    // Neither has a token of Postmark's.
    for command in [&["reconcile"][..], &["backfill"], &["connect", "--yes"]] {
        let failed = ask(&world, &[command, &["--all"]].concat());
        let errors = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1), "{command:?}");
        assert!(errors.contains("of 2 servers 2 failed"), "{command:?}: {errors}");
        assert!(
            errors.contains("server 8123456 (Acme): ") && errors.contains("server 8123457 (Brightside): ")
        );
        assert!(
            errors.contains("postledger server add") || errors.contains("postledger keys new"),
            "{errors}"
        );
    }
    let both = ask(&world, &["stats", "--all", "--server", "1"]);
    assert_eq!(both.status.code(), Some(2), "all, or those that are named");
}

#[test]
fn a_list_is_a_table_json_or_csv_and_no_cell_of_a_csv_is_a_formula() {
    let world = two_servers();
    let mut bounce: Value = serde_json::from_slice(&fixtures::read("bounce-hard.json")).unwrap();
    bounce["Email"] = json!("=cmd@customer.example");
    bounce["ID"] = json!(4_242);
    world.post("bounce", bounce.to_string());
    world.drain();
    let at = ["--server", "8123456"];
    let of = |words: &[&str], form: &[&str]| ask(&world, &[words, &at[..], form].concat());
    let activity = ["activity", "--from", "2026-09-01", "--to", "2026-10-01"];
    let csv = text(&of(&activity, &["--format", "csv"]).stdout);
    assert!(csv.starts_with("time,stream,type,measure,recipient.address,"), "{csv}");
    assert!(csv.contains(",'=cmd@customer.example,") && csv.lines().count() == 3, "{csv}");
    assert_eq!(
        json_of(&of(&activity, &["--format", "json"])),
        json_of(&of(&activity, &["--json"])),
        "one is the short form of the other"
    );
    let wide = text(&of(&activity, &[]).stdout);
    assert!(wide.contains("7dc0521c-a785-4c7b-b689-49f56e1f5d22"), "{wide}");
    assert!(!wide.contains("left out here"), "what no terminal shows is whole: {wide}");
    assert!(!wide.contains('\u{1b}'), "and bears no colours");

    for (words, head) in [
        (&["queues"][..], "queue,waiting,in_flight,dead\r\n"),
        (&["server", "list"], "server,client,label,streams,doors,added_at\r\n"),
        (&["token", "list"], "id,name,role,servers,"),
        (&["quarantine", "list"], "key,received_at,server,"),
        (&["revoke", "--list"], "server,generation,from,next_generation\r\n"),
        (&["audit"], "at,who.kind,who.name,what,phase,"),
    ] {
        let csv = ask(&world, &[words, &["--format", "csv"]].concat());
        assert!(text(&csv.stdout).starts_with(head), "{words:?}: {}{}", text(&csv.stdout), text(&csv.stderr));
    }
    let no_list = ask(&world, &["doctor", "--format", "csv"]);
    assert_eq!(no_list.status.code(), Some(2));
    assert!(text(&no_list.stderr).contains("no list"), "{}", text(&no_list.stderr));

    let check = ["check", "--server", "8123456", "--stream", "outbound", "--address", BOUNCED];
    let shown = ask(&world, &[&check[..], &["--format", "table"]].concat());
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stdout).contains("┆ do not send ┆"), "{}", text(&shown.stdout));
    assert!(text(&shown.stderr).contains("1 do not send"), "{}", text(&shown.stderr));
}

/// A folder to run commands in, with settings in it.
fn settings(name: &str, text: &str) -> Folder {
    let folder = Folder::new(name);
    std::fs::write(folder.path().join("postledger.toml"), text).unwrap();
    folder
}

#[test]
fn an_option_counts_before_the_environment_and_that_before_the_file() {
    let world = two_servers();
    let here = settings("settings", &format!("server = {OTHER}\nurl = \"{}\"\n", world.base()));
    let stats = |words: &[&str], env: &[(&str, &str)]| {
        let mut command = world.command();
        command.env_remove("POSTLEDGER_URL").envs(env.iter().copied()).current_dir(here.path());
        json_of(&run(command.args(["stats", "--json"]).args(words), b""))["server"].clone()
    };
    assert_eq!(stats(&[], &[]), OTHER, "by the file, which says where the ledger is too");
    assert_eq!(stats(&[], &[("POSTLEDGER_SERVER", "8123456")]), SERVER);
    assert_eq!(stats(&["--server", "8123457"], &[("POSTLEDGER_SERVER", "8123456")]), OTHER);

    let of_user = Folder::new("settings-of-user");
    std::fs::create_dir_all(of_user.path().join("postledger")).unwrap();
    std::fs::write(of_user.path().join("postledger/config.toml"), "server = 8123456\n").unwrap();
    let mut command = world.command();
    command.env("XDG_CONFIG_HOME", of_user.path()).current_dir(of_user.path());
    assert_eq!(json_of(&run(command.args(["stats", "--json"]), b""))["server"], SERVER);

    let nowhere = run(world.command().args(["stats"]).current_dir(of_user.path()), b"");
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains("POSTLEDGER_SERVER"), "{}", text(&nowhere.stderr));

    let slip = settings("settings-slip", "servr = 7\n");
    let told = run(world.command().args(["stats"]).current_dir(slip.path()), b"");
    assert_eq!(told.status.code(), Some(2));
    assert!(text(&told.stderr).contains("servr"), "{}", text(&told.stderr));
}

#[test]
fn a_token_in_the_settings_is_used_or_refused_like_any_other_and_only_its_owner_may_read_it() {
    let running = Running::start("settings-token", &[]);
    let new = ["token", "new", "--name", "n", "--role", "viewer", "--servers", "8123456"];
    let token = text(&running.ask(&new, b"").stdout).trim().to_owned();
    let here = settings("settings-token-file", &format!("url = \"{}\"\ntoken = \"{token}\"\n", running.url));
    let file = here.path().join("postledger.toml");
    let ask = |words: &[&str]| {
        let mut command = command();
        command.env("POSTLEDGER_HOME", running.home()).current_dir(here.path()).args(words);
        run(&mut command, b"")
    };
    let stats = ["stats", "--server", "8123456", "--json"];
    let exposed = ask(&stats);
    assert_eq!(exposed.status.code(), Some(1));
    let told = text(&exposed.stderr);
    assert!(told.contains("chmod 600") && !told.contains(&token), "{told}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(ask(&stats).status.success(), "{}", text(&ask(&stats).stderr));
    let refused = ask(&["queues"]);
    assert_eq!(refused.status.code(), Some(1), "nobody acts as the operator by mistake");
    assert!(text(&refused.stderr).contains("given by postledger.toml"), "{}", text(&refused.stderr));
    let meant = ask(&["queues", "--config", "/dev/null", "--url", &running.url]);
    assert!(meant.status.success(), "{}", text(&meant.stderr));

    // A file that only lies there does not send somebody's token elsewhere.
    let trap = settings("settings-trap", "url = \"https://ledger.invalid\"\n");
    let stolen = |words: &[&str]| {
        let mut command = command();
        command.env("POSTLEDGER_TOKEN", &token).current_dir(trap.path()).args(words);
        text(&run(&mut command, b"").stderr)
    };
    assert!(stolen(&stats).contains("whoever wrote that file"), "{}", stolen(&stats));
    let named = [&stats[..], &["--config", "postledger.toml"]].concat();
    assert!(stolen(&named).contains("no Postledger answers at https://ledger.invalid"), "{}", stolen(&named));
}

#[test]
fn whoever_stops_what_keeps_nothing_is_told_that_it_is_gone() {
    let home = Folder::new("stopped");
    let mut command = Command::new(postledger());
    command.args(["run", "--port", "0", "--no-sample"]).env("POSTLEDGER_HOME", home.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    while !told.contains("Ctrl-C stops it") {
        assert!(std::io::BufRead::read_line(&mut out, &mut told).unwrap() > 0, "{told}");
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    std::io::Read::read_to_string(&mut out, &mut told).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(told.ends_with("It was kept in memory only, and is gone now.\n"), "{told}");
}
