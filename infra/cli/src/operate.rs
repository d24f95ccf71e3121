//! What whoever operates a ledger looks at and changes: `queues`, `queues redrive`, `quarantine`, `keys retire`; and keys
//! that are handed out to those who run.

use crate::api::{Answer, Api, Request};
use crate::args::{self, Quarantine, Target};
use crate::format::{self, Columns, Form};
use crate::keys::KeyRing;
use crate::progress::progress;
use crate::target::Context;
use crate::{Failure, registry, say, show, tell};
use account::audited::{self, Change};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use embedded::admin::OTHER_STACK;
use embedded::socket;
use http::Method;
use ledger::ServerId;
use operator::{Listed, OnQueue, Redrive, Redriven, Replay, Replayed};
use serde_json::Value;
use std::path::PathBuf;

/// What a CSV has of a queue.
pub const ON_QUEUE: Columns = &["queue", "waiting", "in_flight", "dead"];
/// What a CSV has of a body that was set aside.
const SET_ASIDE: Columns = &[
    "key",
    "received_at",
    "server",
    "generation",
    "reason",
    "detail",
    "record_type",
    "parts",
    "replayed_at",
];

/// What is on the queues.
pub fn queues(ledger: &Api) -> Result<Vec<OnQueue>, Failure> {
    ledger.read(&Request::operator(Method::GET, &["queues"]))
}

/// What was set aside in the last days, the latest last.
pub fn quarantine(ledger: &Api, days: u32) -> Result<Vec<Listed>, Failure> {
    ledger.read(&Request::operator(Method::GET, &["quarantine"]).with("days", Some(days)))
}

/// One body in quarantine.
///
/// # Errors
/// Where nothing of that key is there, or the ledger gives no answer.
pub fn set_aside(ledger: &Api, key: &str) -> Result<Listed, Failure> {
    ledger.read(&Request::operator(Method::GET, &["quarantine", key]))
}

/// The command `quarantine`.
///
/// # Errors
/// Where it is not done.
pub fn of_quarantine(command: Quarantine, context: &Context, form: Form) -> Result<(), Failure> {
    match command {
        Quarantine::List { days, target } => {
            let listed = quarantine(&Api::operated(&target, context)?, days)?;
            format::print(form, &listed, SET_ASIDE, show::quarantine)?;
        }
        Quarantine::Show { key, target } => {
            let listed = set_aside(&Api::operated(&target, context)?, &key)?;
            if form.json()? {
                say(serde_json::to_string_pretty(&listed)?);
            } else {
                say(show::quarantine(std::slice::from_ref(&listed)));
                let body = STANDARD.decode(listed.body_base64.unwrap_or_default()).unwrap_or_default();
                say(format!("\n{}", String::from_utf8_lossy(&body)));
            }
        }
        Quarantine::Replay { key, body, overridden, target } => {
            let json = form.json()?;
            let replayed = replay(&Api::operated(&target, context)?, &key, body, overridden)?;
            let words = format!("event {} is on the {} queue", replayed.identity, replayed.queue);
            say(if json { serde_json::to_string_pretty(&replayed)? } else { words });
        }
    }
    Ok(())
}

fn replay(ledger: &Api, key: &str, body: Option<PathBuf>, overridden: bool) -> Result<Replayed, Failure> {
    let read = |path: PathBuf| {
        std::fs::read(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    };
    let body_base64 = body.map(read).transpose()?.map(|body| STANDARD.encode(body));
    let request = Request::operator(Method::POST, &["quarantine", key, "replay"]);
    ledger.read(&request.json(&Replay { overridden, body_base64 }))
}

/// The command `queues redrive`.
///
/// # Errors
/// Where it is not done, or not to its end.
pub fn redrive(args: &args::Redrive, context: &Context, json: bool) -> Result<(), Failure> {
    let ledger = Api::operated(&args.target, context)?;
    let bar = progress(None, "moving dead letters");
    let watched = bar.clone();
    ledger.watched(move |so_far| watched.set_position(so_far.done));
    let request = Request::operator(Method::POST, &["queues", args.queue.queue().name(), "redrive"]);
    let redriven = ledger.read::<Redriven>(&request.json(&Redrive { dry_run: args.dry_run }));
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
pub fn retire(ring: &mut KeyRing, key_id: &str, target: &Target, context: &Context) -> Result<(), Failure> {
    let change = Change {
        server: ServerId::NONE,
        what: "keys.retire",
        target: Some(key_id.to_owned()),
        asked: Value::Null,
    };
    let open = || {
        let ledger = Api::operated(target, context)?;
        let (who, now) = (ledger.who(), platform::now());
        let begun = registry::on(&ledger, async |store| audited::begin(store, who, change, now).await)?;
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
        Some((ledger, begun)) => registry::on(&ledger, async |store| {
            begun.end(store, done, |()| Value::Null, platform::now()).await
        }),
        None => done,
    }
}

/// Has each Postledger of a stack that this user runs take up the stack's keys, and says what became of it: a password
/// of a key that the doors do not know would be refused.
///
/// # Errors
/// Where one that runs does not take them up.
pub fn hand_out(ring: &KeyRing, context: &Context) -> Result<String, Failure> {
    let mut told = String::new();
    for (port, socket) in socket::all(&context.home()?) {
        let doors = format!("http://127.0.0.1:{port}");
        let ledger = Api::of_operator(&doors, &socket);
        let error = match offer(&ledger, ring) {
            Ok(answer) if answer.status.is_success() => {
                told += &format!("the Postledger at {doors} has taken that up\n");
                continue;
            }
            Ok(answer) if answer.is_problem(OTHER_STACK) => continue,
            Ok(answer) => ledger.refused(&answer),
            Err(error) => error,
        };
        return Err(Failure::new(format!("the Postledger at {doors} does not take up the keys: {error}"))
            .next("restart it: until then it refuses passwords of the new key"));
    }
    Ok(told + "a stack on AWS takes it up by `make deploy`: deploy before its URLs go to Postmark")
}

/// Has the doors of an embedded Postledger take the passwords of these keys from now on, and of no others.
///
/// # Errors
/// Where it gives no answer, or runs another stack.
pub fn adopt(ledger: &Api, ring: &KeyRing) -> Result<(), Failure> {
    let answer = offer(ledger, ring)?;
    if answer.status.is_success() { Ok(()) } else { Err(ledger.refused(&answer)) }
}

fn offer(ledger: &Api, ring: &KeyRing) -> Result<Answer, Failure> {
    let keys: Vec<String> = ring.public().iter().map(ToString::to_string).collect();
    ledger.answer(&Request::operator(Method::PUT, &["stacks", ring.stack(), "keys"]).json(&keys))
}
