//! The command `postledger`: reads its arguments, asks, prints, and says by its exit status how it went:
//! 0 done, 1 it could not be done, 2 wrong usage, or a body that would be set aside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use postledger::args::{self, Cli, Command};
use postledger::client::Client;
use postledger::embedded::admin::{
    CountsQuery, Decide, Decided, Listed, QuarantineQuery, RecipientQuery, Replay, Replayed, Revoke,
};
use postledger::fold::Fold;
use postledger::keys::{self, KeyRing, webhooks};
use postledger::{Failure, post, report, run, say, show};
use std::io::{Read, stdin};
use std::process::ExitCode;
use store::ask::{Counted, Told};

/// What a body that would be set aside exits with.
const SET_ASIDE: u8 = 2;

fn main() -> ExitCode {
    match command(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => {
            #[expect(clippy::print_stderr, reason = "this is where a failure is told")]
            {
                eprintln!("postledger: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}

fn command(cli: Cli) -> Result<ExitCode, Failure> {
    let json = cli.json;
    let ring = || KeyRing::open(&keys::home(cli.home.clone())?, &cli.stack);
    match cli.command {
        Command::Run(args) => {
            let ring = KeyRing::open_or_make(&keys::home(cli.home.clone())?, &cli.stack)?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run::run(&args, &ring, &cli.stack))?;
        }
        Command::Keys(command) => key_command(command, ring()?, &cli.stack, json)?,
        Command::Url(args) => url(&args, &ring()?, json)?,
        Command::Event(args) => return event(&args),
        Command::Fold(args) => fold(&args)?,
        Command::Recipient(args) => recipient(args, json)?,
        Command::Post(args) => {
            if !post::run(&args, &ring()?, json)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Counts(args) => counts(args, json)?,
        Command::Quarantine(command) => quarantine(command, json)?,
        Command::Decide(args) => decide(args, json)?,
        Command::Revoke(args) => revoke(&args, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn key_command(command: args::Keys, mut ring: KeyRing, stack: &str, json: bool) -> Result<(), Failure> {
    let tell = |done: String| {
        if !json {
            say(format!("{done}\na running Postledger takes it up at its next start\n"));
        }
    };
    match command {
        args::Keys::New => {
            let public = ring.add()?;
            tell(format!(
                "made key {} of stack {stack}; its private half is in {}",
                public.id(),
                ring.path().display()
            ));
        }
        args::Keys::Retire { key_id } => {
            ring.retire(&key_id)?;
            tell(format!("retired key {key_id} of stack {stack}"));
        }
        args::Keys::List => {}
    }
    let public = ring.public();
    if json {
        let keys: Vec<_> = public
            .iter()
            .map(|key| serde_json::json!({ "key_id": key.id(), "public_key": key.to_string() }))
            .collect();
        say(serde_json::to_string_pretty(&keys)?);
        return Ok(());
    }
    let rows = public.iter().map(|key| [key.id().to_owned(), key.to_string()]);
    say(show::table(["key", "public key"], rows));
    let keys: Vec<String> = public.iter().map(ToString::to_string).collect();
    say(format!("\nfor the functions: POSTLEDGER_PUBLIC_KEYS={}", keys.join(",")));
    Ok(())
}

fn url(args: &args::Url, ring: &KeyRing, json: bool) -> Result<(), Failure> {
    let (user, password) = ring.credential(args.server.server, args.generation)?;
    let webhooks = webhooks(&args.target.url, user, &password, &args.kind);
    if json {
        say(serde_json::to_string_pretty(&webhooks)?);
        return Ok(());
    }
    for webhook in webhooks {
        say(format!("{:<20} {}", webhook.kind, webhook.url_with_credential));
    }
    say(format!(
        "\nor apart, with the URLs less what stands before the @:\nuser      {user}\npassword  {password}"
    ));
    Ok(())
}

fn event(args: &args::Event) -> Result<ExitCode, Failure> {
    if args.schema {
        say(report::schema()?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut raw = Vec::new();
    stdin().lock().read_to_end(&mut raw)?;
    let received_at = args.circumstances.received_at.unwrap_or_else(platform::now);
    match report::report(&raw, args.circumstances.server, received_at) {
        Ok(report) => {
            say(serde_json::to_string_pretty(&report)?);
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            #[expect(clippy::print_stderr, reason = "the reason is told beside the output, which is empty")]
            {
                eprintln!("set aside: {refusal}");
            }
            Ok(ExitCode::from(SET_ASIDE))
        }
    }
}

fn fold(args: &args::Circumstances) -> Result<(), Failure> {
    let bar = post::progress(None, "folding");
    let received_at = args.received_at.unwrap_or_else(platform::now);
    let fold = Fold::read(stdin().lock(), args.server, received_at, |bodies| bar.set_position(bodies))?;
    bar.finish_and_clear();
    fold.lines().for_each(say);
    Ok(())
}

fn recipient(args: args::Recipient, json: bool) -> Result<(), Failure> {
    let query = RecipientQuery {
        server: args.server.server,
        address: args.address,
        stream: args.stream,
        at: args.at,
        known_at: args.known_at,
    };
    let told: Told = Client::new(&args.target.url).get("recipient", &query)?;
    say(if json { serde_json::to_string_pretty(&told)? } else { show::recipient(&told) });
    Ok(())
}

fn counts(args: args::Counts, json: bool) -> Result<(), Failure> {
    let by_day = args.by == args::By::Day;
    let query =
        CountsQuery { server: args.server.server, stream: args.stream, from: args.from, to: args.to, by_day };
    let counted: Counted = Client::new(&args.target.url).get("counts", &query)?;
    say(if json { serde_json::to_string_pretty(&counted)? } else { show::counts(&counted) });
    Ok(())
}

fn quarantine(command: args::Quarantine, json: bool) -> Result<(), Failure> {
    match command {
        args::Quarantine::List { days, target } => {
            let listed: Vec<Listed> =
                Client::new(&target.url).get("quarantine", &QuarantineQuery { days })?;
            say(if json { serde_json::to_string_pretty(&listed)? } else { show::quarantine(&listed) });
        }
        args::Quarantine::Show { key, target } => {
            let listed: Listed =
                Client::new(&target.url).get(&format!("quarantine/{key}"), &serde_json::Value::Null)?;
            if json {
                say(serde_json::to_string_pretty(&listed)?);
            } else {
                say(show::quarantine(std::slice::from_ref(&listed)));
                let body = STANDARD.decode(listed.body_base64.unwrap_or_default()).unwrap_or_default();
                say(format!("\n{}", String::from_utf8_lossy(&body)));
            }
        }
        args::Quarantine::Replay { key, body, overridden, target } => {
            let read = |path: std::path::PathBuf| {
                std::fs::read(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
            };
            let body = body.map(read).transpose()?;
            let replay = Replay { overridden, body_base64: body.map(|body| STANDARD.encode(body)) };
            let replayed: Replayed =
                Client::new(&target.url).post(&format!("quarantine/{key}/replay"), &replay)?;
            let words = format!("event {} is on the {} queue", replayed.identity, replayed.queue);
            say(if json { serde_json::to_string_pretty(&replayed)? } else { words });
        }
    }
    Ok(())
}

fn decide(args: args::Decide, json: bool) -> Result<(), Failure> {
    let decide = Decide {
        server: args.server.server,
        stream: args.stream,
        address: args.address,
        suppress: args.ruling == args::Ruling::Suppress,
        reason: args.reason,
        actor: args.actor,
    };
    let decided: Decided = Client::new(&args.target.url).post("decide", &decide)?;
    let state = if decided.recorded { "is in the ledger" } else { "is on its queue" };
    let words = format!("decision {} {state}", decided.identity);
    say(if json { serde_json::to_string_pretty(&decided)? } else { words });
    Ok(())
}

fn revoke(args: &args::Revoke, json: bool) -> Result<(), Failure> {
    let from = args.from.unwrap_or_else(platform::now);
    let revoke = Revoke { server: args.server.server, generation: args.generation, from };
    let revoked: Revoke = Client::new(&args.target.url).post("revoke", &revoke)?;
    let words = format!(
        "what comes in for {}.{} after {} is set aside; put `postledger url --server {} --generation {}` into Postmark",
        revoked.server,
        revoked.generation,
        show::time(revoked.from),
        revoked.server,
        revoked.generation + 1
    );
    say(if json { serde_json::to_string_pretty(&revoked)? } else { words });
    Ok(())
}
