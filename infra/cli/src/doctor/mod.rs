//! The command `doctor`: the whole chain, from the keys to what is known to be complete, link by link; and, where it is
//! wished, a mail that is really sent.
//!
//! Invariants:
//! - It looks, and changes nothing but what each part says of itself. A look leaves a probe in quarantine for each base
//!   URL of the doors; `--live` says beforehand what it will do.
//! - What depends on something broken is reported as not looked at. It is never guessed.

mod live;
mod outcome;
mod schedules;
mod servers;
mod stack;

use crate::api::Api;
use crate::args::Doctor;
use crate::progress::busy;
use crate::target::{Context, Deployment};
use crate::{Failure, registry, say, show};
use account::Finding;
use ledger::ServerId;
use outcome::Outcome;
use serde::Serialize;
use servers::{Looked, Servers};

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Something is wrong.
    Problem,
    /// What it depends on is broken.
    NotLookedAt,
    /// There is no such thing in this kind of stack.
    NotThere,
}

impl State {
    const fn mark(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Problem => "PROBLEM",
            State::NotLookedAt => "not looked at",
            State::NotThere => "-",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The server, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerId>,
    /// The stream, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What it is, for machines; these do not change.
    pub code: &'static str,
    /// What it is, in a sentence.
    pub words: String,
    /// What to do.
    pub next: String,
}

impl Found {
    fn new(code: &'static str, words: impl Into<String>, next: impl Into<String>) -> Found {
        Found { server: None, stream: None, code, words: words.into(), next: next.into() }
    }

    /// Somebody gave no answer, in their own words.
    fn failure(code: &'static str, failure: Failure) -> Found {
        let next = failure.next.unwrap_or_else(|| "mend it, then do this again".to_owned());
        Found::new(code, failure.what, next)
    }

    fn at(self, server: ServerId) -> Found {
        Found { server: Some(server), ..self }
    }
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Found {
        let Finding { server, stream, code, words, next } = finding;
        Found { server: Some(server), stream, code, words, next }
    }
}

/// A link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Which one, for machines; these do not change.
    pub link: &'static str,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub words: String,
    /// What is wrong.
    pub findings: Vec<Found>,
}

impl Link {
    /// A link that was looked at.
    fn of(link: &'static str, words: impl Into<String>, findings: Vec<Found>) -> Link {
        let state = if findings.is_empty() { State::Ok } else { State::Problem };
        let mut words: String = words.into();
        // Where nothing was seen but what is wrong, that is it.
        if let Some(first) = findings.first().filter(|_| words.is_empty()) {
            words = first.words.clone();
        }
        Link { link, state, words, findings }
    }

    /// A link that depends on others which are broken.
    fn behind(link: &'static str, broken: &str) -> Link {
        let words = format!("it depends on {broken}");
        Link { link, state: State::NotLookedAt, words, findings: Vec::new() }
    }
}

/// What was found out.
#[derive(Debug, Serialize)]
struct Diagnosis {
    well: bool,
    links: Vec<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Outcome>,
}

/// The command. Whether all is well.
///
/// # Errors
/// Where `--live` is not agreed to, or not allowed; all else that is wrong is told as such.
pub fn run(args: &Doctor, context: &Context, json: bool) -> Result<bool, Failure> {
    let mut links = Vec::new();
    let (keys, ring) = stack::keys(context);
    links.push(keys);
    let bar = busy("looking at the tables");
    let (tables, ledger) = stack::tables(&args.target, context, args.server);
    links.push(tables);
    let looked = match &ledger {
        Some(ledger) => {
            let servers = Servers::new(args, context, ring.as_ref(), bar.clone())?;
            let looked = registry::on(ledger, async |store| Ok::<_, Failure>(servers.look(store).await))?;
            links.extend(looked.links.iter().cloned());
            bar.set_message("looking at queues, schedules and quarantine");
            links.push(stack::queues(ledger));
            let place = Deployment::of(args.target.url.as_deref(), &args.target.aws, context)?;
            links.push(schedules::link(&place, &context.stack, &looked));
            links.push(looked.completeness.clone());
            links.push(stack::quarantine(ledger, args.server));
            Some(looked)
        }
        None => {
            let names =
                ["registry", "doors", "webhooks", "queues", "schedules", "completeness", "quarantine"];
            links.extend(names.map(|name| Link::behind(name, "the tables")));
            None
        }
    };
    bar.finish_and_clear();
    if !json {
        say(text(&links));
    }
    let live = match args.live {
        true => Some(live(args, context, &links, ledger.as_ref(), looked.as_ref(), json)?),
        false => None,
    };
    let well = links.iter().all(|link| link.state != State::Problem && link.state != State::NotLookedAt)
        && live.as_ref().is_none_or(|live| live.link.state == State::Ok);
    if json {
        say(serde_json::to_string_pretty(&Diagnosis { well, links, live })?);
    } else {
        if let Some(live) = &live {
            say(live.text().trim_end());
        }
        say(if well { "\nall is well" } else { "\nnot all is well" });
    }
    Ok(well)
}

/// Sends a mail, where the chain holds.
fn live(
    args: &Doctor,
    context: &Context,
    links: &[Link],
    ledger: Option<&Api>,
    looked: Option<&Looked>,
    json: bool,
) -> Result<Outcome, Failure> {
    let broken: Vec<&str> = links
        .iter()
        .filter(|link| live::NEEDS.contains(&link.link) && live::keeps_from(link))
        .map(|link| link.link)
        .collect();
    let entry = looked.and_then(|looked| looked.answering.first());
    match (ledger, entry, broken.is_empty()) {
        (Some(ledger), Some(entry), true) => live::run(args, context, ledger, entry, json),
        _ => Ok(Outcome::not_sent(&broken.join(", "))),
    }
}

/// The chain, as people read it.
fn text(links: &[Link]) -> String {
    let rows =
        links.iter().map(|link| [link.state.mark().to_owned(), link.link.to_owned(), link.words.clone()]);
    show::table(["", "link", "what was seen"], rows) + &findings(links.iter().flat_map(|link| &link.findings))
}

/// What is wrong, each with its next step.
fn findings<'a>(all: impl Iterator<Item = &'a Found>) -> String {
    let told = all.map(|found| {
        let server = found.server.map(|server| format!(", server {server}")).unwrap_or_default();
        let stream = found.stream.as_ref().map(|stream| format!(", stream {stream}")).unwrap_or_default();
        format!("\n{}{server}{stream}: {}\n  next: {}\n", found.code, found.words, found.next)
    });
    told.collect()
}
