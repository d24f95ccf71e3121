//! The command `rebuild`: compares what is stored with the fold of a server's events, shows every difference, and
//! mends the views if told to.

use crate::args::Rebuild;
use crate::desk::{RebuildQuery, Repair, Repaired};
use crate::target::Ledger;
use crate::{Failure, audited, post, say, show};
use ledger::ServerId;
use std::io::{IsTerminal, Write, stderr, stdin};
use store::rebuild::Report;

/// The command. Whether nothing differs, at the end.
///
/// # Errors
/// Where the ledger has no answer, or there is nobody to ask before a repair.
pub fn run(args: &Rebuild, ledger: &Ledger, json: bool) -> Result<bool, Failure> {
    let server = args.server.server;
    let report = verify(ledger, server)?;
    if !args.repair {
        say(if json { serde_json::to_string_pretty(&report)? } else { show::rebuild(&report) });
        return Ok(report.differences.is_empty());
    }
    if !json {
        say(show::rebuild(&report));
    }
    let views = report.recipients().len();
    if views > 0 && !args.yes && !agreed(views)? {
        return Err(Failure::new("nothing was written"));
    }
    let (repaired, after) = if views > 0 {
        let asked = serde_json::json!({ "views": views });
        let change = audited::Change { server, what: "rebuild.repair", target: None, asked };
        let repair = Repair { server, report: report.clone() };
        let told = |repaired: &Repaired| serde_json::json!({ "repaired": repaired.repaired });
        let repaired = audited::change(ledger, change, || ledger.repair(repair), told)?.repaired;
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

fn verify(ledger: &Ledger, server: ServerId) -> Result<Report, Failure> {
    let bar = post::progress(None, "comparing: items read");
    let report = ledger.verify(RebuildQuery { server }, |so_far| {
        bar.set_message(format!("comparing: {} events of server {server}, items read", so_far.found));
        bar.set_position(so_far.read);
    });
    bar.finish_and_clear();
    report
}

/// Asks on the terminal.
fn agreed(views: usize) -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::new("there is no terminal to ask on before views are written")
            .next("give --yes to write them without being asked"));
    }
    write!(stderr(), "write {views} views and their rows as the events say? [y/N] ")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(&*answer.trim().to_lowercase(), "y" | "yes"))
}
