//! One command at several servers: one after the other, each with its own result, and none stopped by another's failure.

use crate::api::{Api, Request};
use crate::args::Several;
use crate::format::Format;
use crate::target::Context;
use crate::terminal::visible;
use crate::{Failure, say, tell};
use answers::Servers;
use ledger::ServerId;
use serde_json::{Value, json};
use std::process::ExitCode;

/// A server, and what people call it where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The server.
    pub server: ServerId,
    /// Its label.
    pub name: String,
}

impl Chosen {
    /// Number and name.
    fn words(&self) -> String {
        match &*self.name {
            "" => format!("server {}", self.server),
            name => format!("server {} ({})", self.server, visible(name)),
        }
    }
}

/// What was done at a server.
pub struct Done {
    /// Whether it is as it should be.
    pub good: bool,
    /// The answer as JSON, where that is asked for; else it was printed.
    pub told: Value,
}

/// The servers that are registered, as far as whoever asks may see them.
///
/// # Errors
/// Where they cannot be asked for, or there are none.
pub fn registered(ledger: &Api) -> Result<Vec<Chosen>, Failure> {
    let told: Servers = ledger.read(&Request::get(&["servers"]))?;
    let named = |server: answers::Server| Chosen {
        server: server.server,
        name: server.label.or(server.client).unwrap_or_default(),
    };
    let all: Vec<Chosen> = told.items.into_iter().map(named).collect();
    if all.is_empty() {
        return Err(Failure::new("no server is registered")
            .next("name one by --server ID, or add yours by `postledger server add`"));
    }
    Ok(all)
}

/// The servers that are meant, and whether they are told of one by one: false where one alone was named.
///
/// # Errors
/// Where none is named, or those that there are cannot be asked for.
pub fn chosen(several: &Several, context: &Context, ledger: &Api) -> Result<(Vec<Chosen>, bool), Failure> {
    if several.all {
        return Ok((registered(ledger)?, true));
    }
    let mut servers = several.server.clone();
    if servers.is_empty() {
        servers.push(context.server(None)?);
    }
    let mut seen = std::collections::BTreeSet::new();
    servers.retain(|server| seen.insert(*server));
    let many = servers.len() > 1;
    // Without their names they are servers too.
    let known = if many { registered(ledger).unwrap_or_default() } else { Vec::new() };
    let name = |server| {
        let known = known.iter().find(|known| known.server == server);
        Chosen { server, name: known.map(|known| known.name.clone()).unwrap_or_default() }
    };
    Ok((servers.into_iter().map(name).collect(), many))
}

/// Does something at each, tells what came of it, and exits with the worst.
///
/// # Errors
/// Where it is one server, as it failed there.
pub fn each(
    (chosen, many): (Vec<Chosen>, bool),
    format: Format,
    mut work: impl FnMut(ServerId) -> Result<Done, Failure>,
) -> Result<ExitCode, Failure> {
    let mut worst = 0;
    let (mut told, mut failed) = (Vec::new(), Vec::new());
    for one in &chosen {
        if many && format == Format::Table {
            say(format!("{}{}", if told.is_empty() && failed.is_empty() { "" } else { "\n" }, one.words()));
        }
        match work(one.server) {
            Ok(done) => {
                worst = worst.max(u8::from(!done.good));
                if many {
                    told.push(json!({ "server": one.server, "name": one.name, "good": done.good, "answer": done.told }));
                } else {
                    told.push(done.told);
                }
            }
            Err(failure) if !many => return Err(failure),
            Err(failure) => {
                worst = worst.max(failure.code());
                told.push(json!({ "server": one.server, "name": one.name, "good": false, "error": failure.to_string() }));
                failed.push(format!("{}: {failure}", one.words()));
            }
        }
    }
    if format == Format::Json {
        let told = if many { Value::Array(told) } else { told.pop().unwrap_or_default() };
        say(serde_json::to_string_pretty(&told)?);
    }
    if !failed.is_empty() {
        tell(format!("\nof {} servers {} failed:\n{}", chosen.len(), failed.len(), failed.join("\n")));
    }
    Ok(ExitCode::from(worst))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_that_fails_stops_no_other_and_the_worst_is_what_it_ends_with() {
        let of = |id| Chosen { server: ServerId::new(id).unwrap(), name: String::new() };
        let mut asked = Vec::new();
        let ended = each((vec![of(1), of(2), of(3)], true), Format::Json, |server| {
            asked.push(server.get());
            match server.get() {
                1 => Err(Failure::new("no").status(2)),
                2 => Ok(Done { good: false, told: Value::Null }),
                _ => Ok(Done { good: true, told: Value::Null }),
            }
        });
        assert_eq!((asked, ended), (vec![1, 2, 3], Ok(ExitCode::from(2))));
        let alone = each((vec![of(1)], false), Format::Json, |_| Err(Failure::new("no").status(2)));
        assert_eq!(alone, Err(Failure::new("no").status(2)));
    }
}
