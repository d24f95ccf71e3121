//! `make local`: the same stack, to look at.

use postledger_tests::command::{Folder, command, postledger, run, text};
use postledger_tests::emulator::root;
use postledger_tests::lambda::packages;
use std::net::TcpListener;
use std::process::{Command, Output};

/// The script behind the targets, and the folder in which it says where the stack is.
struct Local(Folder);

impl Local {
    fn script(&self, arguments: &[&str]) -> Output {
        let mut script = Command::new("python3");
        script.arg(root().join("infra/local/stack.py")).args(arguments).env("POSTLEDGER_HOME", self.0.path());
        if arguments[0] == "up" {
            script.arg("--postledger").arg(postledger()).arg("--functions").arg(packages());
        }
        run(&mut script, b"")
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        run(command().env("POSTLEDGER_HOME", self.0.path()).args(arguments), b"")
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.script(&["down"]);
    }
}

#[test]
fn the_local_stack_comes_up_with_a_sample_answers_the_commands_and_goes_again() {
    let local = Local(Folder::new("local"));
    let ask = ["recipient", "--local", "--server", "8123456", "no.such.user@customer.example"];
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = local.script(&["up", "--port", &port]);
    let told = text(&refused.stderr);
    assert!(!refused.status.success() && told.contains(&port) && told.contains("make local PORT="), "{told}");
    let down = local.ask(&ask);
    assert!(!down.status.success() && text(&down.stderr).contains("make local"), "{}", text(&down.stderr));
    assert_eq!(text(&local.script(&["status"]).stdout), "down\n");

    let up = local.script(&["up", "--port", "0"]);
    let told = text(&up.stdout);
    assert!(up.status.success(), "{told}{}", text(&up.stderr));
    assert!(told.contains("17 events recorded, each once; 2 bodies set aside; 0 dead letters"), "{told}");
    assert!(text(&local.script(&["status"]).stdout).starts_with("up http://127.0.0.1:"));
    let answer = local.ask(&ask);
    assert!(text(&answer.stdout).contains("hard bounce"), "{}", text(&answer.stderr));
    let urls = text(&local.ask(&["url", "--local", "--server", "8123456"]).stdout);
    assert!(urls.contains("/v1/8123456/bounce"), "{urls}");

    for way in [
        &["user", "invite", "--local", "you@agency.example", "--operator"][..],
        &["user", "link", "--local", "you@agency.example"],
    ] {
        assert!(told.contains(&way.join(" ")), "{told}");
        let output = local.ask(way);
        assert!(output.status.success(), "{way:?}: {}", text(&output.stderr));
    }

    assert_eq!(text(&local.script(&["down"]).stdout), "stopped\n");
    assert_eq!(text(&local.script(&["status"]).stdout), "down\n");
    assert_eq!(text(&local.script(&["down"]).stdout), "down\n");
}
