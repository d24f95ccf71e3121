//! Clients that are generated from the API's description, each by a generator that people use, run their example.

use postledger_tests::command::{Folder, run, text};
use postledger_tests::emulator::root;
use postledger_tests::{SERVER, World};
use std::path::Path;
use std::process::Command;

const BOUNCE: &str = include_str!("../../shared/postmark/fixtures/bounce-hard.json");

/// What a program printed that had to end well.
fn printed(command: &mut Command) -> String {
    let output = run(command, b"");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}{err}");
    out
}

/// What an example prints about the address of a hard bounce, asking a world.
fn of_example(example: &mut Command, world: &World, address: &str) -> String {
    let token = world.token(api::token::Role::Admin, Some(&[SERVER]), true);
    example.args([SERVER.to_string().as_str(), "outbound", address]);
    printed(example.env("POSTLEDGER_URL", world.base()).env("POSTLEDGER_TOKEN", token))
}

fn tools() -> std::path::PathBuf {
    let tools = root().canonicalize().unwrap().join(".tools");
    assert!(
        tools.join("clients/ready").exists(),
        "the generators are not installed: run `make client-tools`"
    );
    tools
}

/// A client in Python: where its package lies.
fn python(tools: &Path, folder: &Folder) {
    printed(
        Command::new(tools.join("api/bin/openapi-python-client"))
            .arg("generate")
            .arg("--path")
            .arg(root().join("functions/api/openapi.json"))
            .arg("--output-path")
            .arg(folder.path().join("postledger_client"))
            .args(["--meta", "none"]),
    );
}

/// A client in TypeScript and its example, compiled as strictly as can be.
fn typescript(tools: &Path, folder: &Folder) {
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
fn clients_generated_for_python_and_typescript_ask_the_api_and_understand_it_alike() {
    let world = World::default();
    assert_eq!(world.post("bounce", BOUNCE).0, 200);
    world.drain();
    let bounce: serde_json::Value = serde_json::from_str(BOUNCE).unwrap();
    let address = bounce["Email"].as_str().unwrap();
    let (tools, in_python, in_typescript) = (tools(), Folder::new("client-py"), Folder::new("client-ts"));
    python(&tools, &in_python);
    let mut example = Command::new(tools.join("api/bin/python"));
    example.arg(root().join("tests/api/clients/example.py")).env("PYTHONPATH", in_python.path());
    let by_python = of_example(&mut example, &world, address);
    let expected = format!(
        "servers [{SERVER}] admin\n\
         check {address} do_not_send ['listed_hard_bounce', 'hard_bounce']\n\
         check bob@customer.example send []\n\
         check none the address has no @\n\
         recipient outbound do_not_send\n"
    );
    assert!(by_python.starts_with(&expected), "{by_python}");
    assert!(by_python.contains("\nimport 2 1 1\nproblem urn:postledger:problem:not-found\n"), "{by_python}");

    typescript(&tools, &in_typescript);
    let mut example = Command::new(tools.join("node/bin/node"));
    example.arg(in_typescript.path().join("example.js"));
    assert_eq!(of_example(&mut example, &world, address), by_python);
}
