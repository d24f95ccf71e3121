//! The command `server`: which servers there are at Postmark, whose they are, and their tokens.

use crate::api::{Api, Request};
use crate::args::beside::{About, ServerAdd, ServerSet, Servers, YesNo};
use crate::endpoint::{endpoint, refused};
use crate::format::{self, Columns, Form, Format};
use crate::progress::busy;
use crate::prompt::{asked, must_agree, secret};
use crate::registry::{self, entry};
use crate::target::Context;
use crate::vault::vault;
use crate::{Failure, ask, rfc3339, say, show};
use account::adding::{self, AddError, Adding};
use account::audited::{self, Change};
use account::smtp::forget_pairs;
use account::{Registry, ServerEntry, connect};
use answers::Timestamp;
use http::Method;
use ledger::ServerId;
use ledger::policy::StreamKind;
use operator::Forgotten;
use postmark_api::{AccountServer, Token};
use serde::Serialize;
use serde_json::Value;
use std::io::{Write as _, stderr};
use store::{AccountStore, ServerSettings};

/// The instants in what the registry has of a server: when it was added, and from when policies hold.
const TIMES: &[&str] = &["added_at", "from"];

/// The command.
///
/// # Errors
/// Where the ledger or Postmark gives no answer, or there is no such server.
pub fn run(command: Servers, context: &Context, form: Form) -> Result<(), Failure> {
    match command {
        Servers::Add(args) => add(&args, context, form.json()?),
        Servers::List(target) => {
            let entries = registry::with(&target, context, async |store| Registry(store).list().await)?;
            if form.of_list() == Format::Json {
                say(rfc3339::pretty(&entries, TIMES)?);
                return Ok(());
            }
            let told: Vec<Listed> = entries.iter().map(Listed::of).collect();
            format::print(form, &told, LISTED, |_| match entries.is_empty() {
                true => "no server is registered: `postledger server add`".to_owned(),
                false => listed(&entries),
            })
        }
        Servers::Show { server, target } => {
            let (server, json) = (server.id(context)?, form.json()?);
            let shown = registry::with(&target, context, async |store| look(store, server).await)?;
            say(if json { rfc3339::pretty(&shown, TIMES)? } else { shown.text() });
            Ok(())
        }
        Servers::Set(args) => {
            let (server, json) = (args.server.id(context)?, form.json()?);
            let ledger = Api::operated(&args.target, context)?;
            let asked = serde_json::json!({
                "generation": args.generation, "policy": args.policy, "kind": args.policy.map(|_| format!("{:?}", args.kind)),
            });
            let change = Change { server, what: "server.set", target: None, asked };
            let shown =
                noted(&ledger, change, async |store| set(store, server, &args).await, |_| Value::Null)?;
            say(if json { rfc3339::pretty(&shown, TIMES)? } else { shown.text() });
            Ok(())
        }
        Servers::Policy(args) => ask::policy::run(&args, context, form.json()?),
        Servers::PostmarkSettings(args) => ask::postmark_settings::run(&args, context, form.json()?),
        Servers::ForgetStream { server, stream, target } => {
            let (server, json) = (server.id(context)?, form.json()?);
            let place = ["servers", &server.to_string(), "streams", &stream];
            let request = Request::operator(Method::DELETE, &place);
            let done: Forgotten = Api::operated(&target, context)?.read(&request)?;
            let words =
                if done.was { "the stream is not known any more" } else { "the stream was not known" };
            say(if json { serde_json::to_string_pretty(&done)? } else { words.to_owned() });
            Ok(())
        }
        Servers::Remove { server, yes, target } => {
            let (server, json) = (server.id(context)?, form.json()?);
            let question = format!(
                "take server {server} out of the registry and forget its token and its keys for SMTP?"
            );
            must_agree(yes, &question)?;
            let vault = vault(&target, context)?;
            let ledger = Api::operated(&target, context)?;
            let work = async |store: &dyn AccountStore| {
                forget_pairs(store, &*vault, server).await?;
                vault.remove(server).await?;
                Ok(Registry(store).remove(server).await?)
            };
            let change = Change { server, what: "server.remove", target: None, asked: Value::Null };
            let was = noted(&ledger, change, work, |was| serde_json::json!({ "was": was }))?;
            let words = if was { "is not registered any more" } else { "was not registered" };
            let told = serde_json::json!({ "server": server, "removed": was });
            say(if json { serde_json::to_string_pretty(&told)? } else { format!("server {server} {words}") });
            Ok(())
        }
    }
}

/// Does a change to the registry, noted before it begins and when it has ended.
fn noted<T>(
    ledger: &Api,
    change: Change,
    work: impl AsyncFnOnce(&dyn AccountStore) -> Result<T, Failure>,
    told: impl FnOnce(&T) -> Value,
) -> Result<T, Failure> {
    let (who, clock) = (ledger.who(), platform::clock());
    registry::on(ledger, async |store| audited::change(store, who, change, &clock, work(store), told).await)
}

fn listed(entries: &[ServerEntry]) -> String {
    let rows = entries.iter().map(|entry| {
        let streams: Vec<&str> = entry.streams.keys().map(String::as_str).collect();
        let doors = entry.doors.as_deref().unwrap_or("not connected");
        [
            entry.server.to_string(),
            entry.client.clone(),
            entry.label.clone(),
            streams.join(", "),
            doors.to_owned(),
        ]
    });
    show::fitting(["server", "client", "label", "streams", "webhooks lead to"], rows, &["client"])
}

/// What a CSV has of a server.
const LISTED: Columns = &["server", "client", "label", "streams", "doors", "added_at"];

/// A server, as a CSV has it.
#[derive(Serialize)]
struct Listed {
    server: ServerId,
    client: String,
    label: String,
    streams: Vec<String>,
    doors: Option<String>,
    added_at: Timestamp,
}

impl Listed {
    fn of(entry: &ServerEntry) -> Listed {
        Listed {
            server: entry.server,
            client: entry.client.clone(),
            label: entry.label.clone(),
            streams: entry.streams.keys().cloned().collect(),
            doors: entry.doors.clone(),
            added_at: entry.added_at.into(),
        }
    }
}

fn add(args: &ServerAdd, context: &Context, json: bool) -> Result<(), Failure> {
    let (vault, endpoint) = (vault(&args.target, context)?, endpoint(&args.postmark.base)?);
    let what = if args.account { "the account's token" } else { "the server's token" };
    let token = secret(what, "under API Tokens at Postmark")?;
    let ledger = Api::operated(&args.target, context)?;
    let who = ledger.who();
    let added = registry::on(&ledger, async |store| {
        let chosen = match args.server {
            Some(server) => vec![(server, token)],
            None => choose(args, &endpoint.account(token).servers().await.map_err(refused)?)?,
        };
        let mut added = Vec::new();
        let bar = busy("asking Postmark");
        for (server, token) in chosen {
            bar.set_message(format!("asking Postmark about server {server}"));
            let change = Change { server, what: "server.add", target: None, asked: Value::Null };
            let adding = Adding { store, vault: &*vault, postmark: &endpoint };
            let work = register(&adding, server, token, &args.about);
            let (who, clock) = (who.clone(), platform::clock());
            added.push(audited::change(store, who, change, &clock, work, |_| Value::Null).await?);
        }
        bar.finish_and_clear();
        Ok::<_, Failure>(added)
    })?;
    if json {
        say(rfc3339::pretty(&added, TIMES)?);
    } else {
        say(listed(&added));
        say("\nnext: `postledger connect --server ID`");
    }
    Ok(())
}

/// Servers of an account, each with a token of its own.
fn choose(args: &ServerAdd, servers: &[AccountServer]) -> Result<Vec<(ServerId, Token)>, Failure> {
    let id = |server: &AccountServer| server.id.to_string().parse::<ServerId>().ok();
    let wanted: Vec<&AccountServer> = if args.all {
        servers.iter().collect()
    } else if !args.only.is_empty() {
        let of = |wanted: &ServerId| {
            servers.iter().find(|server| id(server) == Some(*wanted)).ok_or_else(|| {
                Failure::new(format!("the account has no server {wanted}"))
                    .next("leave out --only to see those that it has")
            })
        };
        args.only.iter().map(of).collect::<Result<_, _>>()?
    } else {
        let rows = servers.iter().zip(1..).map(|(server, number)| {
            [number.to_string(), server.id.to_string(), server.name.clone(), server.delivery_type.clone()]
        });
        writeln!(stderr(), "{}", show::table(["", "server", "name", "kind"], rows))?;
        let answer = asked("which, by number (such as 1,3-5)? ", "--only ID,ID or --all")?;
        numbers(&answer, servers.len())?.into_iter().map(|number| &servers[number - 1]).collect()
    };
    wanted
        .into_iter()
        .map(|server| {
            let token = server.tokens.first().cloned();
            id(server).zip(token).ok_or_else(|| {
                Failure::new(format!("server {} has no token", server.id)).next("make one for it at Postmark")
            })
        })
        .collect()
}

/// Numbers of a list, such as `1,3-5`.
fn numbers(text: &str, most: usize) -> Result<Vec<usize>, Failure> {
    let wrong = || Failure::new(format!("expected numbers from 1 to {most}, such as 1,3-5"));
    let mut numbers = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
        let (from, to) = (number(from)?, number(to)?);
        if from < 1 || to > most || from > to {
            return Err(wrong());
        }
        numbers.extend(from..=to);
    }
    numbers.dedup();
    if numbers.is_empty() { Err(wrong()) } else { Ok(numbers) }
}

/// Asks Postmark whose a token is, keeps it and registers its server; one that was registered keeps what is not given.
async fn register(
    adding: &Adding<'_>,
    server: ServerId,
    token: Token,
    about: &About,
) -> Result<ServerEntry, Failure> {
    let info = connect::info(server, &adding.postmark.server(token.clone())).await?;
    Ok(adding.add((server, &info.name), &token, &about.into(), platform::now()).await?)
}

impl From<AddError> for Failure {
    fn from(error: AddError) -> Failure {
        match error {
            AddError::Api(error) => refused(error),
            AddError::Registry(error) => error.into(),
            AddError::Vault(error) => error.into(),
        }
    }
}

impl From<&About> for adding::About {
    fn from(about: &About) -> adding::About {
        adding::About {
            client: about.client.clone(),
            label: about.label.clone(),
            native_tracking: about.native_tracking.map(|native| native == YesNo::Yes),
            form: about.form.map(Into::into),
        }
    }
}

/// A server as it is shown.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    entry: ServerEntry,
    settings: ServerSettings,
}

async fn look(store: &dyn AccountStore, server: ServerId) -> Result<Shown, Failure> {
    Ok(Shown { entry: entry(store, server).await?, settings: store.settings(server).await? })
}

async fn set(store: &dyn AccountStore, server: ServerId, args: &ServerSet) -> Result<Shown, Failure> {
    entry(store, server).await?;
    let change = |entry: &mut ServerEntry| {
        adding::About::from(&args.about).say(entry);
        entry.generation = args.generation.unwrap_or(entry.generation);
    };
    Registry(store).update(server, change).await?;
    if let Some(policy) = args.policy {
        let mut settings = store.settings(server).await?;
        let schedule = settings.policies_mut(args.kind.into());
        let changed = schedule.with(args.from.unwrap_or_else(platform::now), policy);
        *schedule = changed.map_err(|error| Failure::new(error.to_string()))?;
        store.put_settings(server, settings).await?;
    }
    look(store, server).await
}

impl Shown {
    fn text(&self) -> String {
        let entry = &self.entry;
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let mut rows = vec![
            ["server".to_owned(), entry.server.to_string()],
            ["client".to_owned(), entry.client.clone()],
            ["label".to_owned(), entry.label.clone()],
            ["opens and clicks tracked elsewhere".to_owned(), yes(entry.native_tracking).to_owned()],
            ["webhooks".to_owned(), connect::form(entry.connect).to_owned()],
            [
                "webhooks lead to".to_owned(),
                entry.doors.clone().unwrap_or_else(|| "not connected".to_owned()),
            ],
            ["password".to_owned(), format!("generation {}", entry.generation)],
            ["added".to_owned(), show::time(entry.added_at)],
        ];
        for (id, stream) in &entry.streams {
            let kind = match stream.kind {
                StreamKind::Transactional => "transactional",
                StreamKind::Broadcast => "broadcast",
            };
            let refused: Vec<&str> = stream.refused.iter().map(String::as_str).collect();
            let refused = match refused.is_empty() {
                true => String::new(),
                false => format!("; Postmark does not tell {} on it", refused.join(", ")),
            };
            rows.push([format!("stream {id}"), format!("{kind}{refused}")]);
        }
        let schedules =
            [("transactional", &self.settings.transactional), ("broadcast", &self.settings.broadcast)];
        for (kind, schedule) in schedules {
            for (from, policy) in schedule.entries() {
                rows.push([format!("soft bounces, {kind}, from {}", show::time(*from)), policy.to_string()]);
            }
        }
        show::table(["", ""], rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_chosen_by_number_and_range() {
        assert_eq!(numbers("1, 3-5", 5).unwrap(), [1, 3, 4, 5]);
        for wrong in ["", "0", "6", "3-1", "x"] {
            assert!(numbers(wrong, 5).is_err(), "{wrong}");
        }
    }
}
