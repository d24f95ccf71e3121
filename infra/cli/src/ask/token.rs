//! The commands `token new`, `list` and `revoke`.

use super::pages::{self, Part, Shown};
use super::time;
use crate::api::{Api, HEADER, Request};
use crate::args::api::{Access, Paging, TokenNew, Tokens};
use crate::format::{Columns, Form};
use crate::output::Output;
use crate::target::Context;
use crate::{Failure, say, show, tell};
use answers::{MadeToken, NewToken, RevokedToken, Token};
use serde_json::Value;
use std::path::Path;

/// The most tokens in a page.
const PAGE: u64 = 500;

/// What a CSV has of a token.
const TOKEN: Columns = &[
    "id",
    "name",
    "role",
    "servers",
    "reveal_addresses",
    "read_content",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_on",
];

/// Runs one of them.
pub(super) fn run(command: Tokens, context: &Context, form: Form) -> Result<(), Failure> {
    match command {
        Tokens::New(args) => new(&args, context, form.json()?),
        Tokens::List { paging, access } => list(&paging, &access, context, form),
        Tokens::Revoke { id, keep_children, access } => {
            revoke(&id, keep_children, &access, context, form.json()?)
        }
    }
}

fn revoke(
    id: &str,
    keep_children: bool,
    access: &Access,
    context: &Context,
    json: bool,
) -> Result<(), Failure> {
    let request = Request::delete(&["tokens", id]).with("children", keep_children.then_some("keep"));
    let api = Api::open(access, context)?;
    let told = api.answer(&request)?;
    if told.is_problem("not-found") {
        return Err(no_such(&api, id)?);
    }
    if !told.status.is_success() {
        return Err(api.refused(&told));
    }
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    let RevokedToken { children, .. } = told.read()?;
    say(format!("token {id} is revoked"));
    if !children.is_empty() {
        say(match keep_children {
            true => "those that were made with it go on:",
            false => "and with it those that were made with it:",
        });
        say(show::table(["id", "name"], children.into_iter().map(|child| [child.id, child.name])));
    }
    Ok(())
}

/// Why there is no token of an id; of a token's name, which its id is.
fn no_such(api: &Api, id: &str) -> Result<Failure, Failure> {
    let told: answers::Tokens = api.ask(&Request::get(&["tokens"]).with("limit", Some(PAGE)))?.read()?;
    let ids: Vec<String> =
        told.items.into_iter().filter(|item| item.name == id).map(|item| item.id).collect();
    let failure = Failure::new("no token has this id");
    Ok(match &*ids {
        [] => failure.next("`postledger token list` shows the tokens, each with its id"),
        [one] => failure.next(format!("it is a token's name; its id is {one}")),
        more => failure.next(format!("{} tokens have this name, of the ids {}", more.len(), more.join(", "))),
    })
}

fn new(args: &TokenNew, context: &Context, json: bool) -> Result<(), Failure> {
    let body = NewToken {
        name: args.name.clone(),
        role: args.role.into(),
        servers: (!args.all_servers).then(|| args.servers.iter().map(|server| server.get()).collect()),
        // Left out, it is as the role has it.
        reveal_addresses: args.reveal.then_some(true),
        read_content: args.content.then_some(true),
        expires_at: args.expires.map(|expires| expires.to_string()),
    };
    let api = Api::open(&args.access, context)?;
    // A token that could not be kept would be lost: first it is seen that it can be.
    if let Some(path) = args.out.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(Failure::new(format!(
            "{} is there already, and nothing is written over it",
            path.display()
        ))
        .next("name another file by --out, or remove that one; no token was made"));
    }
    let out = args.out.as_deref().map(Output::file).transpose()?;
    let told = api.ask(&Request::post(&["tokens"]).json(&body))?;
    let MadeToken { made: Token { id, .. }, token } = told.read()?;
    if let Some(mut out) = out {
        out.write(format!("{HEADER}{token}\n"))?;
        out.end()?;
        let path = args.out.as_deref().unwrap_or(Path::new("")).display();
        say(if json {
            let mut made = told.json()?;
            if let Value::Object(members) = &mut made {
                members.remove("token");
            }
            serde_json::to_string_pretty(&made)?
        } else {
            format!(
                "made token {id}; it is in {path}, which only you can read: --token-file {path}, or curl --header @{path}"
            )
        });
        return Ok(());
    }
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    tell(format!("made token {id}, which is shown this once:"));
    say(token);
    tell(
        "\nkeep it as a password is kept; `token new --out FILE` puts one into a file that only you can read. To ask with \
         it: --token-file FILE, or POSTLEDGER_TOKEN in the environment",
    );
    Ok(())
}

fn list(paging: &Paging, access: &Access, context: &Context, form: Form) -> Result<(), Failure> {
    let api = Api::open(access, context)?;
    let (request, part) = (Request::get(&["tokens"]), Part::of(paging, PAGE));
    let row = |token: &Token| {
        let servers = token.servers.as_ref().map_or_else(
            || "all".to_owned(),
            |servers| servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        );
        let ends = match (token.revoked_at, token.expires_at) {
            (Some(revoked), _) => format!("revoked {}", time(revoked)),
            (None, expires) => expires.map(time).unwrap_or_default(),
        };
        let sees = match (token.reveal_addresses, token.read_content) {
            (true, true) => ", content of mails",
            (true, false) => "",
            (false, _) => ", addresses masked",
        };
        let role = format!("{}{sees}", token.role);
        let used = token.last_used_on.clone().unwrap_or_default();
        [token.id.clone(), token.name.clone(), role, servers, time(token.created_at), ends, used]
    };
    let head = ["id", "name", "role", "servers", "made", "ends", "last used"];
    let none = "There is no token: `postledger token new` makes one.";
    let shown = Shown { head, spare: &["made", "last used"], none, columns: TOKEN };
    pages::print(&api, request, part, form, shown, row)
}
