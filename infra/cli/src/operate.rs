//! The commands by which an operator changes a ledger at its desk: `decide`, `redrive`, `quarantine replay`,
//! `keys retire`. Each is noted before it begins and when it has ended.

use crate::args::{self, Target};
use crate::audited::{self, Change};
use crate::book::Remote;
use crate::client::Client;
use crate::desk::{Decide, Redrive, Replay};
use crate::embedded::Pass;
use crate::keys::KeyRing;
use crate::target::{Ledger, Whose};
use crate::{Failure, api, book, post, say, show, tell};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::ServerId;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The command `quarantine replay`.
///
/// # Errors
/// Where it is not done.
pub fn replay(
    ledger: &Ledger,
    key: &str,
    body: Option<PathBuf>,
    overridden: bool,
    json: bool,
) -> Result<(), Failure> {
    let read = |path: PathBuf| {
        std::fs::read(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    };
    let body_base64 = body.map(read).transpose()?.map(|body| STANDARD.encode(body));
    let server = ledger.set_aside(key)?.server;
    let asked = json!({ "another_body": body_base64.is_some(), "override": overridden });
    let change = Change { server, what: "quarantine.replay", target: Some(key.to_owned()), asked };
    let replayed = audited::change(
        ledger,
        change,
        || ledger.replay(key, Replay { overridden, body_base64 }),
        |replayed| json!({ "event": replayed.identity }),
    )?;
    let words = format!("event {} is on the {} queue", replayed.identity, replayed.queue);
    say(if json { serde_json::to_string_pretty(&replayed)? } else { words });
    Ok(())
}

/// The command `decide`.
///
/// # Errors
/// Where it is not done.
pub fn decide(ledger: &Ledger, args: args::Decide, json: bool) -> Result<(), Failure> {
    let suppress = args.ruling == args::Ruling::Suppress;
    // Reason and actor are in the timeline; here they could tell whom it is about.
    let asked = json!({ "ruling": if suppress { "suppress" } else { "allow" } });
    crate::ask::tell_cleaned(&args.address);
    let (server, target) = (args.server.server, Some(args.stream.clone()));
    let unknown_stream = args.unknown.allowed;
    let decided = audited::change(
        ledger,
        Change { server, what: "decide", target, asked },
        || {
            ledger.decide(Decide {
                server,
                stream: args.stream,
                address: args.address,
                suppress,
                reason: args.reason,
                consent: args.consent,
                actor: args.actor,
                unknown_stream,
            })
        },
        |decided| json!({ "event": decided.identity, "recipient_id": decided.recipient_id }),
    )?;
    let state = if decided.recorded { "is in the ledger" } else { "is on its queue" };
    let words = format!("decision {} {state}", decided.identity);
    say(if json { serde_json::to_string_pretty(&decided)? } else { words });
    Ok(())
}

/// The command `redrive`.
///
/// # Errors
/// Where it is not done, or not to its end.
pub fn redrive(ledger: &Ledger, args: &args::Redrive, json: bool) -> Result<(), Failure> {
    let bar = post::progress(None, "moving dead letters");
    let queue = args.queue.queue().name();
    let redrive = Redrive { queue: queue.to_owned(), dry_run: args.dry_run };
    let work = || ledger.redrive(redrive, |so_far| bar.set_position(so_far.moved as u64));
    let redriven = if args.dry_run {
        work()
    } else {
        let target = Some(queue.to_owned());
        let change = Change { server: ServerId::NONE, what: "redrive", target, asked: Value::Null };
        audited::change(ledger, change, work, |redriven| json!({ "moved": redriven.moved }))
    };
    bar.finish_and_clear();
    let redriven = redriven?;
    say(if json {
        serde_json::to_string_pretty(&redriven)?
    } else {
        show::redriven(&redriven, args.dry_run)
    });
    Ok(())
}

/// Forgets a key. That is noted in the ledger that is named; where none is, in the one that is usually at hand, if it is.
///
/// # Errors
/// Where there is no such key, or the ledger that is named gives no answer.
pub fn retire(ring: &mut KeyRing, key_id: &str, target: &Target, whose: &Whose) -> Result<(), Failure> {
    let change = Change {
        server: ServerId::NONE,
        what: "keys.retire",
        target: Some(key_id.to_owned()),
        asked: Value::Null,
    };
    let open = || {
        let ledger = Ledger::open(target, whose)?;
        let who = api::who(&ledger);
        let begun = book::on(&ledger, async |book| audited::begin(book, who, change).await)?;
        Ok::<_, Failure>((ledger, begun))
    };
    let noted = match open() {
        Ok(noted) => Some(noted),
        Err(failure) if target.is_given() => return Err(failure),
        Err(_) => {
            tell("no ledger answers: that the key is retired is noted nowhere");
            None
        }
    };
    let done = ring.retire(key_id);
    match noted {
        Some((ledger, begun)) => {
            book::on(&ledger, async |book| begun.end(book, done, |()| Value::Null).await)
        }
        None => done,
    }
}

/// Has each Postledger of a stack that this user runs take up the stack's keys, and says what became of it: a password
/// of a key that the doors do not know would be refused.
///
/// # Errors
/// Where one that runs does not take them up.
pub fn hand_out(ring: &KeyRing, whose: &Whose) -> Result<String, Failure> {
    let mut told = String::new();
    for (port, pass) in Pass::all(&whose.home()?).into_iter().filter(|(_, pass)| pass.stack == whose.stack) {
        let doors = format!("http://127.0.0.1:{port}");
        let client = Client::new(&doors, pass);
        if !client.is_up() {
            // It was killed, and its pass is left.
            continue;
        }
        Remote(client).adopt(ring.public().iter().map(ToString::to_string).collect()).map_err(|error| {
            Failure::new(format!("the Postledger at {doors} does not take up the keys: {error}"))
                .next("restart it: until then it refuses passwords of the new key")
        })?;
        told += &format!("the Postledger at {doors} has taken that up\n");
    }
    Ok(told + "a stack on AWS takes it up by `make deploy`: deploy before its URLs go to Postmark")
}
