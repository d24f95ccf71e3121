//! The first page of help: the commands by what they are for, each in a line.

use crate::args::Cli;
use clap::{Command, CommandFactory as _};
use std::fmt::Write as _;

/// What there is a command for, and the commands in the order in which a person meets them.
pub const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Ask the ledger",
        &[
            "recipient",
            "check",
            "timeline",
            "message",
            "sent",
            "inbound",
            "activity",
            "suppressions",
            "stats",
            "audit",
        ],
    ),
    ("Decide", &["suppress", "reactivate", "erase", "export", "token", "user", "branding"]),
    (
        "Connect Postmark",
        &["server", "connect", "url", "watch", "reconcile", "backfill", "completeness", "smtp"],
    ),
    (
        "Operate",
        &["run", "backup", "restore", "doctor", "queues", "quarantine", "rebuild", "index", "keys", "revoke"],
    ),
    ("Try and develop", &["sample", "event", "post", "fold", "tables", "completions", "man"]),
];

/// How wide a name is shown.
const NAME_WIDTH: usize = 13;

/// The program's arguments, with that page.
pub fn command() -> Command {
    let program = Cli::command();
    let groups = groups(&program);
    program.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n{groups}\n\nOptions:\n{{options}}{{after-help}}"
    ))
}

fn groups(program: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        let _ = write!(text, "\n{title}:\n");
        for name in names {
            let about = program.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {name:NAME_WIDTH$} {}", fitting(&about));
        }
    }
    text.trim_end().to_owned()
}

/// The first sentence: the rest is for the command's own help.
fn fitting(about: &str) -> &str {
    let line = about.lines().next().unwrap_or_default();
    line.trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_command_stands_in_one_group_and_each_line_fits_a_terminal() {
        let program = Cli::command();
        let there: BTreeSet<&str> = program.get_subcommands().map(Command::get_name).collect();
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert_eq!(grouped.len(), there.len());
        assert_eq!(grouped.into_iter().collect::<BTreeSet<_>>(), there);
        let help = command().render_help().to_string();
        for (title, names) in GROUPS {
            assert!(help.contains(title));
            for name in names {
                assert!(help.contains(&format!("\n  {name} ")), "{name}");
            }
        }
        for line in groups(&program).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
