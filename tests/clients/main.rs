//! Clients of the read API that need Node, by `make clients`: the example for senders in JavaScript, and a client that is
//! generated for TypeScript from the API's description.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use postledger_tests::clients::{
    Example, bounced, of_example, of_example_in_python, printed,
    take_only_an_answer_to_their_question_for_a_leave_to_mail,
};
use postledger_tests::command::Folder;
use postledger_tests::emulator::root;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `make client-tools` installs to.
fn tools() -> PathBuf {
    let tools = root().canonicalize().unwrap().join(".tools");
    let ready = tools.join("clients/ready").exists() && tools.join("node/bin/node").exists();
    assert!(ready, "Node and the generator are not installed: run `make client-tools`");
    tools
}

fn in_javascript() -> Example {
    Example::new(tools().join("node/bin/node"), "check.mjs")
}

#[test]
fn the_example_for_senders_in_javascript_names_whom_not_to_mail_and_why() {
    in_javascript().names_whom_not_to_mail_and_why();
}

#[test]
fn what_is_no_answer_to_this_question_is_no_leave_to_mail_in_javascript() {
    let example = in_javascript();
    take_only_an_answer_to_their_question_for_a_leave_to_mail(&[&|base| example.ask(base)]);
}

/// Generates the types for TypeScript, and compiles the example as strictly as can be, in a folder.
fn compile(tools: &Path, folder: &Folder) {
    std::fs::create_dir_all(folder.path()).unwrap();
    let sources = root().join("tests/api/clients");
    for name in ["example.ts", "tsconfig.json", "package.json"] {
        std::fs::copy(sources.join(name), folder.path().join(name)).unwrap();
    }
    let modules = tools.join("clients/node_modules");
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules")).unwrap();
    let node = |script: &str| {
        let mut node = Command::new(tools.join("node/bin/node"));
        node.arg(modules.join(script)).current_dir(folder.path());
        node
    };
    let description = root().canonicalize().unwrap().join("functions/api/openapi.json");
    // What has a default may be left out of a request.
    let types = ["--default-non-nullable", "false", "-o", "postledger-client.d.ts"];
    printed(node("openapi-typescript/bin/cli.js").arg(description).args(types));
    printed(node("typescript/bin/tsc").args(["-p", "."]));
}

#[test]
fn a_client_generated_for_typescript_asks_the_api_and_understands_it_as_the_one_for_python_does() {
    let (world, address) = bounced();
    let (tools, folder) = (tools(), Folder::new("client-ts"));
    compile(&tools, &folder);
    let mut example = Command::new(tools.join("node/bin/node"));
    example.arg(folder.path().join("example.js"));
    let told = of_example(&mut example, &world, &address);
    assert_eq!(told, of_example_in_python(&world, &address));
}
