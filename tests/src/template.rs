//! What AWS's own deployment tool makes of our files: a CloudFormation template as it reads it (short tags are long
//! there: `{"Ref": …}`), and documents against a JSON schema, by the validator that it brings.

use crate::command::{run, text};
use crate::emulator::root;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn python(program: &str, file: &Path, input: &[u8]) -> String {
    let python = root().join(".tools/sam/bin/python");
    assert!(python.exists(), "run `make sam`");
    let output = run(Command::new(python).args(["-c", program]).arg(file), input);
    assert!(output.status.success(), "{}: {}", file.display(), text(&output.stderr));
    text(&output.stdout)
}

/// The template of a file in `infra`.
///
/// # Panics
/// Where it is none, or `make sam` has not been run.
pub fn template(file: &str) -> Value {
    const READ: &str = "import json, sys; from samcli.yamlhelper import yaml_parse; \
                        print(json.dumps(yaml_parse(open(sys.argv[1]).read())))";
    serde_json::from_str(&python(READ, &root().join("infra").join(file), b"")).expect("JSON")
}

/// Each document's violations of the JSON schema in a file, in the documents' order.
///
/// # Panics
/// Where the schema is none, or `make sam` has not been run.
pub fn violations(schema: &Path, documents: &[Value]) -> Vec<Vec<String>> {
    const VALIDATE: &str = "import json, sys; from jsonschema.validators import validator_for\n\
                            schema = json.load(open(sys.argv[1])); kind = validator_for(schema)\n\
                            kind.check_schema(schema); validator = kind(schema)\n\
                            told = [[e.message for e in validator.iter_errors(d)] for d in json.load(sys.stdin)]\n\
                            print(json.dumps(told))";
    let documents = serde_json::to_vec(documents).expect("JSON");
    serde_json::from_str(&python(VALIDATE, schema, &documents)).expect("JSON")
}

/// For each line what a regular expression of CloudWatch Logs Insights finds in it, by the names of its groups; null where it
/// does not match.
///
/// # Panics
/// Where it is none, or `make sam` has not been run.
pub fn matched(pattern: &str, lines: &[&str]) -> Vec<Value> {
    const SEARCH: &str = "import json, re, sys; pattern, lines = json.load(sys.stdin)\n\
                          found = [re.search(pattern.replace('(?<', '(?P<'), line) for line in lines]\n\
                          print(json.dumps([one and one.groupdict() for one in found]))";
    let input = serde_json::json!([pattern, lines]).to_string();
    serde_json::from_str(&python(SEARCH, &root(), input.as_bytes())).expect("JSON")
}
