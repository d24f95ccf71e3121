//! Whoever gives a token acts as its bearer, or not at all: every command there is.

use crate::commands::Running;
use clap::CommandFactory as _;
use postledger_tests::command::{command, run, text};
use std::collections::BTreeSet;

/// What a command does that is given a token which opens another server than it asks about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// It asks by the token, and is told what that may see.
    Used,
    /// It refuses, since it asks as the operator.
    Refused,
    /// It asks no ledger, so the token is nothing to it.
    Nothing,
}
use Given::{Nothing, Refused, Used};

const COMMANDS: [(&str, Given); 73] = [
    ("activity --server 8123456", Used),
    ("audit --server 8123456", Used),
    ("audit", Refused),
    ("backfill --server 8123456", Refused),
    ("branding --name n", Used),
    ("check --server 8123456 --stream outbound --address bob@customer.example", Used),
    ("completeness --server 8123456", Used),
    ("completions bash", Nothing),
    ("connect --server 8123456 --yes", Refused),
    ("doctor", Refused),
    ("erase --server 8123456 --yes bob@customer.example", Used),
    ("erase --sweep", Refused),
    ("event", Nothing),
    ("export --server 8123456 bob@customer.example", Used),
    ("fold", Nothing),
    ("inbound --server 8123456", Used),
    ("index fill --yes", Refused),
    ("index note", Refused),
    ("keys list", Refused),
    ("keys new", Refused),
    ("keys prepare --region eu-west-1", Refused),
    ("keys retire abc", Refused),
    ("man target/tmp/manual", Nothing),
    ("message --server 8123456 883953f4-6105-42a2-a16a-77a8eac79483", Used),
    ("post --server 8123456", Refused),
    ("quarantine list", Refused),
    ("quarantine replay abc", Refused),
    ("quarantine show abc", Refused),
    ("queues", Refused),
    ("reactivate --server 8123456 --stream outbound --reason r bob@customer.example", Used),
    ("rebuild --server 8123456", Refused),
    ("recipient --server 8123456 bob@customer.example", Used),
    ("reconcile --server 8123456", Refused),
    ("queues redrive --queue critical", Refused),
    ("revoke --server 8123456 --generation 1", Refused),
    ("keys rotate --yes", Refused),
    ("keys store --yes", Refused),
    ("run --once --port 0", Nothing),
    ("backup copy.db --data ledger", Nothing),
    ("restore copy.db --data ledger", Nothing),
    ("sample", Refused),
    ("server add --server 8123456", Refused),
    ("server forget-stream --server 8123456 --stream slip", Refused),
    ("server list", Refused),
    ("server policy --server 8123456", Used),
    ("server postmark-settings --server 8123456", Used),
    ("server remove --server 8123456 --yes", Refused),
    ("server set --server 8123456 --label x", Refused),
    ("server show --server 8123456", Refused),
    ("sent --server 8123456 bob@customer.example", Used),
    ("smtp check --server 8123456 --stream outbound", Used),
    ("smtp list --server 8123456", Used),
    ("smtp remove --server 8123456 --stream outbound --yes", Used),
    ("smtp set --server 8123456 --stream outbound", Used),
    ("smtp test --server 8123456 --stream outbound --from a@x.example --to b@x.example", Used),
    ("stats --server 8123456", Used),
    ("suppress --server 8123456 --stream outbound --reason r --no-postmark bob@customer.example", Used),
    ("suppressions export --server 8123456 --stream outbound", Used),
    ("suppressions import --server 8123456 --stream outbound --cause manual -", Used),
    ("suppressions list --server 8123456 --stream outbound", Used),
    ("tables create --endpoint http://127.0.0.1:9", Nothing),
    ("timeline --server 8123456 bob@customer.example", Used),
    ("token list", Used),
    ("token new --name n --role viewer --servers 8123456", Used),
    ("token revoke abc", Used),
    ("user invite --viewer-of 8123456 ida@client.example", Used),
    ("user link abc", Refused),
    ("user list", Used),
    ("user remove abc", Used),
    ("user set --viewer-of 8123456 abc", Used),
    ("user sign-out abc", Used),
    ("url --server 8123456", Refused),
    ("watch", Refused),
];

/// The commands that there are, each by its words.
fn all(of: &clap::Command, before: &str) -> BTreeSet<String> {
    let below: Vec<&clap::Command> = of.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
    // One that needs nothing behind it is a command of its own.
    let own = (!of.is_subcommand_required_set()).then(|| before.trim().to_owned());
    let below = below.into_iter().flat_map(|sub| all(sub, &format!("{before} {}", sub.get_name())));
    own.into_iter().chain(below).collect()
}

fn names(words: &str) -> String {
    let is_name = |word: &&str| !word.starts_with('-') && !word.contains('@') && *word != "abc";
    let subject = [
        "index",
        "keys",
        "quarantine",
        "queues",
        "server",
        "smtp",
        "suppressions",
        "tables",
        "token",
        "user",
    ];
    let count = if subject.iter().any(|one| words.starts_with(&format!("{one} "))) { 2 } else { 1 };
    words.split(' ').take(count).filter(is_name).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_command_uses_the_token_that_it_is_given_or_refuses_and_none_acts_as_the_operator() {
    let tried: BTreeSet<String> = COMMANDS.iter().map(|(words, _)| names(words)).collect();
    let there = all(&postledger::args::Cli::command(), "");
    assert_eq!(tried, there, "a command that is new here has to say what it does with a token");

    let running = Running::start("bearer", &[]);
    let new = ["token", "new", "--name", "n", "--role", "viewer", "--servers", "999"];
    let token = text(&running.ask(&new, b"").stdout).trim().to_owned();
    let file = running.home().join("token");
    platform::private::write(&file, token.as_bytes()).unwrap();
    let file = file.to_str().unwrap();
    for (words, given) in COMMANDS.iter().filter(|(_, given)| *given != Nothing) {
        let ask = |more: &[&str], token: Option<&str>| {
            let mut command = command();
            command.args(words.split(' ')).args(more);
            command.env("POSTLEDGER_HOME", running.home()).env("POSTLEDGER_URL", &running.url);
            command.envs(token.map(|token| ("POSTLEDGER_TOKEN", token)));
            run(&mut command, b"email,cause\nbob@x.example,manual\n")
        };
        let told = ask(&[], Some(&token));
        let errors = text(&told.stderr);
        assert!(!told.status.success() && told.stdout.is_empty(), "{words}: {errors}");
        assert!(errors.contains("next:"), "{words}: {errors}");
        let refuses = errors.contains("given by POSTLEDGER_TOKEN");
        assert_eq!(refuses, *given == Refused, "{words}: {errors}");
        // One that is empty, by a slip such as a file that is not there, is no leave to act as the operator.
        for wrong in ["", " ", "plt_abcdefghijkl_none"] {
            let told = ask(&[], Some(wrong));
            assert!(!told.status.success(), "{words} by {wrong:?}: {}", text(&told.stdout));
        }
        if *given == Used || matches!(*words, "audit" | "erase --sweep") {
            let told = ask(&["--token-file", file], None);
            assert!(!told.status.success() && told.stdout.is_empty(), "{words}: {}", text(&told.stderr));
        }
    }
    let audit = running.json(&["audit", "--server", "8123456", "--json"]);
    assert_eq!(audit["items"], serde_json::json!([]), "nobody has changed anything");
}
