//! The command `watch`: what is wrong with the webhooks of the servers, and what to do.

use crate::args::Watch as Args;
use crate::connect::{doors, findings};
use crate::endpoint::endpoint;
use crate::keys::KeyRing;
use crate::progress::busy;
use crate::registry::entry;
use crate::target::Context;
use crate::vault::vault;
use crate::{Failure, registry, say};
use account::connect::{Connect, Outcome};
use account::rotate::Keys as _;
use account::watch::{Report, Watch};
use account::{Doors, Registry, ServerEntry};
use credential::Verifier;
use postmark_api::ServerApi;
use serde::Serialize;
use store::AccountStore;

/// What is told of a server.
#[derive(Serialize)]
struct Watched {
    #[serde(flatten)]
    report: Report,
    repaired: Option<Outcome>,
}

/// The command. Whether nothing is wrong.
///
/// # Errors
/// Where the ledger gives no answer, or there is no such server; what Postmark does not answer is a finding.
pub fn run(args: &Args, context: &Context, json: bool) -> Result<bool, Failure> {
    let (vault, endpoint, doors) = (vault(&args.target, context)?, endpoint(&args.postmark.base)?, doors()?);
    let ring = KeyRing::open(&context.home()?, &context.stack)?;
    let verifier = Verifier::new(&context.stack, ring.public(), [])?;
    let told = registry::with(&args.target, context, async |store| {
        let entries = match args.server {
            Some(server) => vec![entry(store, server).await?],
            None => Registry(store).list().await?,
        };
        let watch =
            Watch { store, verifier: &verifier, base: None, repair: args.repair, now: platform::now() };
        let mut told = Vec::new();
        let bar = busy("asking Postmark");
        for entry in entries {
            bar.set_message(format!("asking Postmark about the webhooks of server {}", entry.server));
            let Some(token) = vault.token(entry.server).await? else {
                told.push(Watched { report: Watch::without_token(&entry), repaired: None });
                continue;
            };
            let api = endpoint.server(token);
            let mut report = watch.look(&entry, &api).await?;
            let mut repaired = None;
            if args.repair && report.drift > 0 && entry.doors.is_some() {
                repaired = Some(repair(store, &entry, &api, &doors, &ring).await?);
                report = watch.look(&entry, &api).await?;
            }
            told.push(Watched { report, repaired });
        }
        bar.finish_and_clear();
        Ok::<_, Failure>(told)
    })?;
    let good = told.iter().all(|told| told.report.findings.is_empty());
    if json {
        say(serde_json::to_string_pretty(&told)?);
    } else {
        told.iter().for_each(|told| say(text(told)));
        match (told.is_empty(), good) {
            (true, _) => say("no server is registered: `postledger server add`"),
            (false, true) => say("\nnothing is wrong"),
            (false, false) => {}
        }
    }
    Ok(good)
}

/// Sets right what `connect` would.
async fn repair(
    store: &dyn AccountStore,
    entry: &ServerEntry,
    api: &ServerApi,
    doors: &Doors,
    ring: &KeyRing,
) -> Result<Outcome, Failure> {
    let auth = ring.auth(entry.server, entry.generation).map_err(Failure::new)?;
    let connect = Connect { store, api, doors, auth: &auth };
    let mut entry = entry.clone();
    let base = entry.doors.clone().unwrap_or_default();
    let plan = connect.look(&mut entry, &base).await?;
    Ok(connect.carry_out(&entry, &base, plan).await?)
}

fn text(told: &Watched) -> String {
    let report = &told.report;
    let found = match report.findings.len() {
        1 => "1 finding".to_owned(),
        more => format!("{more} findings"),
    };
    let mut text = format!("server {}: {found}", report.server);
    if let Some(repaired) = &told.repaired {
        let failed = repaired.steps.iter().filter(|step| step.failed.is_some()).count();
        text += &format!(", {} webhooks set right, {failed} not", repaired.steps.len() - failed);
    }
    text + &findings(&report.findings)
}
