//! The command `server policy`: when soft bounces count at a server, and what another policy would change.

use super::time;
use crate::api::{Api, Request};
use crate::args::beside::ServerPolicy;
use crate::prompt::must_agree;
use crate::target::Context;
use crate::terminal::visible;
use crate::{Failure, say, show};
use answers::{NewPolicy, Policies, PolicyChanged, PolicyRequest, SoftPolicy};
use ledger::policy::{SoftBouncePolicy, StreamKind};

/// Runs it.
///
/// # Errors
/// Where the API refuses, or nobody agrees.
pub(crate) fn run(args: &ServerPolicy, context: &Context, json: bool) -> Result<(), Failure> {
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    let path = ["servers", &server, "policy"];
    let (Some(policy), Some(kind)) = (args.set, args.kind) else {
        let told = api.ask(&Request::get(&path))?;
        say(if json { serde_json::to_string_pretty(&told.json()?)? } else { shown(&told.read()?) });
        return Ok(());
    };
    let SoftBouncePolicy { count, messages, span_days, window_days, pause_days } = policy;
    let policy = NewPolicy { count, messages, span_days, window_days, pause_days };
    let kind: StreamKind = kind.into();
    let from = args.from.map(|from| from.to_string());
    let request = PolicyRequest { kind, policy, from, dry_run: true };
    let plan = api.ask(&Request::put(&path).json(&request))?;
    if args.dry_run && json {
        say(serde_json::to_string_pretty(&plan.json()?)?);
        return Ok(());
    }
    if !json {
        say(planned(&plan.read()?));
    }
    if args.dry_run {
        return Ok(());
    }
    must_agree(args.yes, "change it?")?;
    let done = api.ask(&Request::put(&path).json(&PolicyRequest { dry_run: false, ..request }))?;
    say(if json { serde_json::to_string_pretty(&done.json()?)? } else { "the policy is set".to_owned() });
    Ok(())
}

/// A policy as it is given.
fn text(policy: SoftPolicy) -> String {
    let SoftPolicy { count, messages, span_days, window_days, pause_days } = policy;
    SoftBouncePolicy { count, messages, span_days, window_days, pause_days }.to_string()
}

fn shown(told: &Policies) -> String {
    let mut rows = vec![["without a policy of its own".to_owned(), String::new(), text(told.stack)]];
    for (kind, of) in [("transactional", &told.transactional), ("broadcast", &told.broadcast)] {
        rows.push([kind.to_owned(), "now".to_owned(), text(of.now)]);
        let own = of.own.iter();
        rows.extend(own.map(|one| [kind.to_owned(), format!("from {}", time(one.from)), text(one.policy)]));
    }
    show::table(["", "", ""], rows)
}

fn planned(plan: &PolicyChanged) -> String {
    let mut words = format!(
        "{} streams, from {} on\nbefore: {}\nthen:   {}\n",
        plan.kind,
        time(plan.from),
        text(plan.before),
        text(plan.after)
    );
    if let Some(until) = plan.until {
        words += &format!("at {} another policy takes its place, which was set before\n", time(until));
    }
    let Some(effect) = &plan.effect else {
        return words + "how many recipients it concerns cannot be counted: the stack keeps no index by time";
    };
    let since = match effect.complete {
        true => "in the last 90 days".to_owned(),
        false => format!("since {}; earlier ones cannot be read at once", time(effect.since)),
    };
    words += &format!("if it applied now, of {} recipients with soft bounces {since}:\n", effect.recipients);
    let rows = effect.streams.iter().map(|(stream, of)| {
        [
            visible(stream).to_string(),
            of.recipients.to_string(),
            of.stricter.to_string(),
            of.more_lenient.to_string(),
        ]
    });
    words + &show::table(["stream", "recipients", "stricter", "more lenient"], rows)
}
