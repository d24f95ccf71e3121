//! The command `keys rotate`: moves all webhooks to a new key, as far as can be done now.

use crate::api::Api;
use crate::args::Rotate as Args;
use crate::connect::doors;
use crate::endpoint::endpoint;
use crate::keys::KeyRing;
use crate::operate::adopt;
use crate::progress::busy;
use crate::prompt::must_agree;
use crate::target::Context;
use crate::vault::vault;
use crate::{Failure, registry, rfc3339, say, show};
use account::Registry;
use account::audited::{self, Change};
use account::rotate::{Keys, Progress, Rotate, RotateError, Stage};
use ledger::{ServerId, Time};
use postmark_api::Auth;
use serde_json::json;
use std::collections::BTreeSet;

/// The instants in what is told of a rotation.
const TIMES: &[&str] = &["began_at", "moved", "retired_at", "moved_at", "keys", "until"];
/// What the command says of a rotation that has ended: its next run would begin another.
const BEGIN: &str = "make a second key and move all webhooks to it?";

impl Keys for KeyRing {
    fn ids(&self) -> Vec<String> {
        self.public().iter().map(|key| key.id().to_owned()).collect()
    }

    fn add(&mut self) -> Result<String, String> {
        KeyRing::add(self).map(|key| key.id().to_owned()).map_err(|failure| failure.to_string())
    }

    fn auth(&self, server: ServerId, generation: u32) -> Result<Auth, String> {
        let (user, password) = self.credential(server, generation).map_err(|failure| failure.to_string())?;
        Ok(Auth { username: user.to_string(), password })
    }

    fn retire(&mut self, key_id: &str) -> Result<(), String> {
        KeyRing::retire(self, key_id).map_err(|failure| failure.to_string())
    }
}

impl From<RotateError> for Failure {
    fn from(error: RotateError) -> Failure {
        let failure = Failure::new(error.to_string());
        match error {
            RotateError::OtherKeys(..) => {
                failure.next("go on with the keys that it was begun with: name their folder by --home")
            }
            RotateError::Doors(error) => failure.next(error.next()),
            _ => failure,
        }
    }
}

/// The command. Whether it is not waiting for something to be done by somebody.
///
/// # Errors
/// Where the ledger, the doors or the keys give no answer, or there is nobody to ask.
pub fn run(args: &Args, context: &Context, json: bool) -> Result<bool, Failure> {
    let (vault, endpoint, doors) = (vault(&args.target, context)?, endpoint(&args.postmark.base)?, doors()?);
    let mut ring = KeyRing::open(&context.home()?, &context.stack)?;
    let ledger = Api::operated(&args.target, context)?;
    let (who, embedded) = (ledger.who(), ledger.aws().is_none());
    let progress = registry::on(&ledger, async |store| {
        let mut servers = Vec::new();
        for entry in Registry(store).list().await? {
            let api = vault.token(entry.server).await?.map(|token| endpoint.server(token));
            servers.push((entry, api));
        }
        let now = platform::now();
        let stage = Rotate { store, keys: &mut ring, doors: &doors, now }.progress().await?.stage;
        must_agree(args.yes || !matches!(stage, Stage::Idle | Stage::Retired), BEGIN)?;
        let asked = json!({ "stage": stage, "server": args.server });
        let change = Change { server: ServerId::NONE, what: "rotate", target: None, asked };
        let bar = busy("moving webhooks");
        let work = async {
            let rotated =
                Rotate { store, keys: &mut ring, doors: &doors, now }.run(&servers, args.server).await;
            if !embedded {
                return Ok(rotated?);
            }
            // Whatever became of it: passwords are minted by the newest key that there is now.
            let adopted = adopt(&ledger, &ring);
            let mut progress = rotated?;
            adopted?;
            if progress.stage == Stage::DoorsToLearn {
                let mut rotate = Rotate { store, keys: &mut ring, doors: &doors, now };
                progress = rotate.run(&servers, args.server).await?;
            }
            Ok::<_, Failure>(progress)
        };
        let told = |progress: &Progress| json!({ "stage": progress.stage });
        let done = audited::change(store, who, change, &platform::clock(), work, told).await;
        bar.finish_and_clear();
        done
    })?;
    let deployed = !embedded;
    say(if json { rfc3339::pretty(&progress, TIMES)? } else { text(&progress, deployed, &context.stack) });
    let failed = progress.servers.iter().any(|server| server.failed.is_some());
    Ok(!failed && progress.stage != Stage::DoorsToLearn)
}

fn text(progress: &Progress, deployed: bool, stack: &str) -> String {
    let Some(rotation) = &progress.rotation else {
        return "no rotation is under way".to_owned();
    };
    let mut text = format!(
        "rotation of stack {stack}: from key {} to key {}, begun {}\n",
        rotation.old,
        rotation.new,
        show::time(rotation.began_at)
    );
    let since = |at: Option<&Time>| at.map_or_else(|| "never noted".to_owned(), |at| show::time(*at));
    let servers: BTreeSet<ServerId> = progress
        .servers
        .iter()
        .map(|server| server.server)
        .chain(progress.uses.iter().map(|of| of.server))
        .collect();
    let rows = servers.into_iter().map(|server| {
        let moved = progress.servers.iter().find(|moved| moved.server == server);
        let keys = progress.uses.iter().find(|of| of.server == server).map(|of| &of.keys);
        let used = |key: &str| since(keys.and_then(|keys| keys.get(key)));
        let state = match moved.map(|moved| (moved.moved_at, &moved.failed)) {
            Some((_, Some(failed))) => failed.clone(),
            Some((Some(at), None)) => format!("moved {}", show::time(at)),
            Some((None, None)) => "to be moved".to_owned(),
            None => "not connected by `postledger connect`".to_owned(),
        };
        [server.to_string(), state, used(&rotation.old), used(&rotation.new)]
    });
    text += &show::table(["server", "webhooks", "old key last used", "new key last used"], rows);
    let next = match (progress.stage, deployed) {
        (Stage::DoorsToLearn, true) => {
            "deploy (`make deploy`, which takes both keys along), then do this again"
        }
        (Stage::DoorsToLearn, false) => "restart it with these keys, then do this again",
        (Stage::Moving, _) => "see to what failed, then do this again",
        (Stage::Quiet, _) => "do this again then",
        (Stage::Retired, true) => "deploy (`make deploy`), so that the doors forget the old key",
        (Stage::Retired | Stage::Idle, _) => "nothing",
    };
    if let Some(waits_for) = &progress.waits_for {
        let until = progress.until.map(|until| format!(", until {}", show::time(until))).unwrap_or_default();
        text += &format!("\nwaits for {waits_for}{until}");
    }
    if progress.stage == Stage::Retired {
        text += "\nthe old key is retired: its private half is gone from this machine";
    }
    text += &format!("\nnext: {next}");
    if deployed && !matches!(progress.stage, Stage::Idle | Stage::DoorsToLearn) {
        text += "\n  where people set up webhooks in the portal (PortalConnects=true), store the new key for that, too, over the \
            old one: `postledger keys store`";
    }
    text
}
