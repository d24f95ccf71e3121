//! A CloudFormation template of `infra`, as AWS's own tool reads it: short tags are long there (`{"Ref": …}`).

use crate::emulator::root;
use serde_json::Value;
use std::process::Command;

/// The template of a file in `infra`.
///
/// # Panics
/// Where it is none, or `make sam` has not been run.
pub fn template(file: &str) -> Value {
    const READ: &str = "import json, sys; from samcli.yamlhelper import yaml_parse; \
                        print(json.dumps(yaml_parse(open(sys.argv[1]).read())))";
    let python = root().join(".tools/sam/bin/python");
    assert!(python.exists(), "run `make sam`");
    let output = Command::new(python).args(["-c", READ]).arg(root().join("infra").join(file)).output();
    let output = output.expect("a process");
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
