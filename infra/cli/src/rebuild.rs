//! The command `rebuild`: compares what is stored with the fold of a server's events, shows every difference, and
//! mends the views if told to.

use crate::api::{Api, Request};
use crate::args::Rebuild;
use crate::progress::progress;
use crate::prompt::must_agree;
use crate::target::Context;
use crate::{Failure, say, show};
use http::Method;
use ledger::ServerId;
use operator::Repaired;
use store::rebuild::Report;

/// The command. Whether nothing differs, at the end.
///
/// # Errors
/// Where the ledger has no answer, or there is nobody to ask before a repair.
pub fn run(args: &Rebuild, context: &Context, json: bool) -> Result<bool, Failure> {
    let ledger = &Api::operated(&args.target, context)?;
    let server = args.server.id(context)?;
    let report = verify(ledger, server)?;
    if !args.repair {
        say(if json { serde_json::to_string_pretty(&report)? } else { show::rebuild(&report) });
        return Ok(report.differences.is_empty());
    }
    if !json {
        say(show::rebuild(&report));
    }
    let views = report.recipients().len();
    let question = format!("write {views} views and their rows as the events say?");
    must_agree(args.yes || views == 0, &question)?;
    let (repaired, after) = if views > 0 {
        let request = Request::operator(Method::POST, &["servers", &server.to_string(), "rebuild"]);
        let repaired = ledger.read::<Repaired>(&request.json(&report))?.repaired;
        (repaired, verify(ledger, server)?)
    } else {
        (0, report.clone())
    };
    if json {
        let done = serde_json::json!({ "before": report, "repaired": repaired, "after": after });
        say(serde_json::to_string_pretty(&done)?);
    } else if views > 0 {
        say(format!("\nwrote {repaired} views; compared again:\n\n{}", show::rebuild(&after)));
    }
    Ok(after.differences.is_empty())
}

fn verify(ledger: &Api, server: ServerId) -> Result<Report, Failure> {
    let bar = progress(None, "comparing: items read");
    let watched = bar.clone();
    ledger.watched(move |so_far| {
        watched.set_message(format!("comparing: {} events of server {server}, items read", so_far.of));
        watched.set_position(so_far.done);
    });
    let request = Request::operator(Method::GET, &["servers", &server.to_string(), "rebuild"]);
    let report = ledger.read(&request.once());
    bar.finish_and_clear();
    report
}
