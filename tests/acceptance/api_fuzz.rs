//! The read API, fuzzed by its own description: schemathesis sends what `openapi.json` allows and what it forbids, and
//! holds every answer against it. `make fuzz-api` sends more.

use crate::{api, fixtures};
use ::api::route::Route;
use ::api::token::Role;
use postledger_tests::SERVER;
use postledger_tests::emulator::root;
use postledger_tests::fuzz_api::Fuzz;
use std::process::Command;

/// How many examples of each operation are drawn, unless a variable says otherwise.
const EXAMPLES: u32 = 15;

#[test]
fn api_fuzz_every_answer_is_as_it_is_described_whatever_is_asked() {
    let examples = platform::env::parsed("POSTLEDGER_FUZZ_EXAMPLES", "a number", EXAMPLES).unwrap();
    let seed = platform::env::parsed("POSTLEDGER_FUZZ_SEED", "a number", 1_u32).unwrap();
    let world = api::world();
    for name in fixtures::names() {
        world.tell(SERVER, fixtures::read(&name));
    }
    world.drain();
    world.consume();
    let described = world.ask(None, "GET", "/v1/openapi.json", "");
    let token = world.token(Role::Operator, None, true);
    let (spare, _) = world.token_until(Role::Viewer, Some(&[SERVER]), false, None);
    let [goes, stays] =
        ["goes@client.example", "stays@client.example"].map(|address| world.user(address, SERVER));
    let aside = world.block(postledger_tests::bodies::set_aside(&*world.store, SERVER, 77));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("api-fuzz");
    let fuzz = Fuzz {
        base: world.base(),
        description: described.body(),
        token: &token,
        spare: &spare.id,
        users: [&goes, &stays],
        aside: &aside,
        examples,
        seed,
        phases: None,
        folder: &folder,
    };
    let fuzzed = fuzz.run();
    println!("{}, seed {seed}", fuzzed.table());
    assert!(fuzzed.passed, "{}", fuzzed.said);
    // Over the web nothing has the key that signs passwords, and no token is shown one.
    let never = [Route::ConnectWebhooks, Route::WebhookPassword, Route::RotateWebhooks];
    // A mail is sent only once a token is kept, and keys are tried only while some are, which is for chance to say.
    let perhaps = [Route::TestMail, Route::CheckSmtp, Route::TestSmtp];
    for route in Route::ALL.into_iter().filter(|route| !never.contains(route) && !perhaps.contains(route)) {
        let statuses = fuzzed.of(route);
        let well = |status: &u64| (200..300).contains(status);
        assert!(statuses.keys().any(well), "{route:?} never went well\n{}", fuzzed.table());
        let refused = statuses.keys().any(|status| !well(status));
        assert!(refused || route.role().is_none(), "{route:?} always did\n{}", fuzzed.table());
    }
}

#[test]
fn every_example_of_the_description_fits_its_schema() {
    let python = root().join(".tools/api/bin/python");
    assert!(python.exists(), "it is not installed: run `make api-tools`");
    let output = Command::new(python)
        .arg(root().join("tests/api/examples.py"))
        .arg(root().join("functions/api/openapi.json"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let examples: usize = said.trim().trim_end_matches(" examples").parse().unwrap();
    assert!(examples > 50, "{said}");
}
