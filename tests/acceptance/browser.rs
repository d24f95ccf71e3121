//! The portal in a real browser: its pages as each role, and what people do there, over the real program. Each once;
//! `make browsers` goes through them under every setting.

use postledger_tests::command::postledger;
use postledger_tests::emulator::root;
use std::process::Command;

#[test]
fn browser_the_portal_holds_on_every_page_and_in_every_journey() {
    let python = root().join(".tools/browser/bin/python");
    assert!(python.exists(), "it is not installed: run `make browser-tools`");
    let output = Command::new(python)
        .arg(root().join("tests/browser/run.py"))
        .arg("--postledger")
        .arg(postledger())
        .args(["--tier", "quick"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // A run that looked at nothing is none.
    assert!(said.contains(" pages and "), "{said}");
}
