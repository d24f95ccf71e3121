//! The command `connect`: a server's webhooks at Postmark, planned, agreed to, made and read back.

use crate::api::Api;
use crate::args::Connect as Args;
use crate::endpoint::endpoint;
use crate::format::Format;
use crate::keys::KeyRing;
use crate::progress::busy;
use crate::prompt::must_agree;
use crate::registry::entry;
use crate::several::{self, Done};
use crate::target::{self, Context};
use crate::terminal::visible;
use crate::vault::{kept, vault};
use crate::{Failure, registry, say, show};
use account::Finding;
use account::audit::Who;
use account::audited::{self, Change};
use account::connect::{Connect, ConnectError, Outcome, form, look};
use account::connecting::{ConnectingError, alone};
use account::rotate::Keys as _;
use account::webhooks::{self, Plan};
use account::{ConnectForm, Doors, ServerEntry, Vault};
use ledger::ServerId;
use postmark_api::{Endpoint, Https, Timeouts};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;

/// The way to our doors.
///
/// # Errors
/// Where TLS cannot be set up.
pub fn doors() -> Result<Doors, Failure> {
    let https = Https::new(Timeouts::default()).map_err(|error| Failure::new(error.to_string()))?;
    Ok(Doors::new(Arc::new(https)))
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Failure {
        let failure = Failure::new(error.to_string());
        match error.next() {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

impl From<ConnectingError> for Failure {
    fn from(error: ConnectingError) -> Failure {
        Failure::new(error.to_string()).next(error.next())
    }
}

/// The command.
///
/// # Errors
/// Where a server is not registered, our doors are not ready, Postmark refuses, or there is nobody to ask.
pub fn run(args: &Args, context: &Context, json: bool) -> Result<ExitCode, Failure> {
    let ways = Ways {
        vault: vault(&args.target, context)?,
        endpoint: endpoint(&args.postmark.base)?,
        doors: doors()?,
        ring: KeyRing::open(&context.home()?, &context.stack)?,
        ledger: Api::operated(&args.target, context)?,
    };
    let chosen = several::chosen(&args.several, context, &ways.ledger)?;
    let format = if json { Format::Json } else { Format::Table };
    several::each(chosen, format, |server| connect(args, context, &ways, server, json))
}

/// What all servers are connected by.
struct Ways {
    vault: Box<dyn Vault>,
    endpoint: Endpoint,
    doors: Doors,
    ring: KeyRing,
    ledger: Api,
}

fn connect(
    args: &Args,
    context: &Context,
    ways: &Ways,
    server: ServerId,
    json: bool,
) -> Result<Done, Failure> {
    let Ways { vault, endpoint, doors, ring, ledger } = ways;
    let who = ledger.who();
    let known = registry::on(ledger, async |store| entry(store, server).await)?;
    let base = match args.doors.clone().or(known.doors) {
        Some(base) => base,
        // Asked before the registry is: on AWS it is a call of its own.
        None => target::doors(&args.target, context)?,
    };
    registry::on(ledger, async |store| {
        let mut entry = entry(store, server).await?;
        let postmark = endpoint.server(kept(&**vault, server).await?);
        if args.one_url {
            entry.connect = ConnectForm::OneUrl;
        }
        let auth = ring.auth(server, entry.generation).map_err(Failure::new)?;
        let connect = Connect { store, api: &postmark, doors, auth: &auth };
        let bar = busy("asking Postmark");
        let plan = if args.remove {
            look(server, &postmark).await.map(|seen| webhooks::removal(&entry, &base, &seen.webhooks))
        } else {
            connect.look(&mut entry, &base).await
        };
        bar.finish_and_clear();
        let plan = plan?;
        let done = carry_out(args, &connect, &entry, &base, &plan, who, json).await?;
        let good = done.as_ref().map_or(args.dry_run || plan.is_empty(), Outcome::complete);
        let mut told = Value::Null;
        if json {
            told = json!({ "doors": base, "form": entry.connect, "plan": plan, "done": done });
        } else if let Some(done) = &done {
            say(outcome(done));
        }
        Ok::<_, Failure>(Done { good, told })
    })
}

/// Shows the plan, asks, and does it. `None` where nothing was done.
async fn carry_out(
    args: &Args,
    connect: &Connect<'_>,
    entry: &ServerEntry,
    base: &str,
    plan: &Plan,
    who: Who,
    json: bool,
) -> Result<Option<Outcome>, Failure> {
    if !json {
        say(planned(entry, base, plan, args.remove));
    }
    if args.dry_run {
        return Ok(None);
    }
    let steps = plan.steps();
    must_agree(args.yes || steps == 0, &format!("do these {steps} steps at Postmark?"))?;
    let work = async {
        let bar = busy("asking Postmark to do it");
        let done = if args.remove {
            connect.remove(entry, base, plan).await
        } else {
            // Where nothing is to be done, too: where it leads, and its streams, are remembered.
            connect.carry_out(entry, base, plan.clone()).await
        };
        bar.finish_and_clear();
        Ok::<_, Failure>(done?)
    };
    if steps == 0 {
        return work.await.map(Some);
    }
    let what = if args.remove { "connect.remove" } else { "connect" };
    let change = Change { server: entry.server, what, target: None, asked: json!({ "steps": steps }) };
    let told = |done: &Outcome| {
        let failed = done.steps.iter().filter(|step| step.failed.is_some()).count();
        json!({ "done": done.steps.len() - failed, "failed": failed })
    };
    let clock = platform::clock();
    let noted = audited::change(connect.store, who, change, &clock, work, told);
    alone(connect.store, &clock, entry.server, 0, noted).await.map(Some)
}

/// A plan, as people read it before they agree.
pub fn planned(entry: &ServerEntry, base: &str, plan: &Plan, remove: bool) -> String {
    let rows = plan
        .rows()
        .into_iter()
        .map(|row| [row.what.words().to_owned(), row.stream, row.triggers.join(", "), row.url, row.why]);
    let rows: Vec<[String; 5]> = rows.collect();
    let form = if remove { "no webhook of ours" } else { form(entry.connect) };
    let mut text = format!("server {} ({}): {form}, at {base}\n", entry.server, visible(&entry.label));
    if rows.is_empty() {
        text += "\nthere is nothing";
    } else {
        text += &show::table(["", "stream", "tells", "to", ""], rows);
    }
    text += &findings(&plan.warnings);
    if plan.is_empty() {
        text += "\nnothing is to be done";
    }
    text
}

/// Findings, each with its next step.
pub fn findings(findings: &[Finding]) -> String {
    let told = findings.iter().map(|finding| {
        let stream =
            finding.stream.as_ref().map(|stream| format!(", stream {}", visible(stream))).unwrap_or_default();
        format!("\n{}{stream}: {}\n  next: {}\n", finding.code, finding.words, finding.next)
    });
    told.collect()
}

/// What was done, as people read it.
fn outcome(done: &Outcome) -> String {
    let mut text = String::new();
    for step in &done.steps {
        match &step.failed {
            None => text += &format!("{}  {}  {}\n", step.what, visible(&step.stream), visible(&step.url)),
            Some(words) => {
                text += &format!(
                    "not {}  {}  {}: {words}\n",
                    step.what,
                    visible(&step.stream),
                    visible(&step.url)
                );
                text += &step.next.map(|next| format!("  next: {next}\n")).unwrap_or_default();
            }
        }
    }
    for (stream, trigger) in &done.refused {
        text +=
            &format!("Postmark has no {trigger} on stream {}: it is not asked for again\n", visible(stream));
    }
    let rows = done.standing.iter().map(|standing| {
        [standing.stream.clone(), standing.trigger.to_owned(), standing.status.clone(), standing.url.clone()]
    });
    if !done.standing.is_empty() {
        text += &show::table(["stream", "tells", "status", "to"], rows);
    }
    text += match done.complete() {
        true => "\nall is as it should be",
        false => "\nit is not complete: do it again, which goes on where it ended",
    };
    text
}
