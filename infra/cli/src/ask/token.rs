//! The commands `token new`, `list` and `revoke`.

use super::output::Output;
use super::pages::{self, Part};
use super::{text, time};
use crate::api::{Api, HEADER, Request};
use crate::args::api::{Access, Paging, TokenNew, Tokens};
use crate::target::Whose;
use crate::{Failure, say, show, tell};
use api::token::Role;
use serde_json::{Value, json};
use std::path::Path;

/// The most tokens in a page.
const PAGE: u64 = 500;

/// Runs one of them.
///
/// # Errors
/// Where the API cannot be asked, or refuses.
pub(super) fn run(command: Tokens, whose: &Whose, json: bool) -> Result<(), Failure> {
    match command {
        Tokens::New(args) => new(&args, whose, json),
        Tokens::List { paging, access } => list(&paging, &access, whose, json),
        Tokens::Revoke { id, keep_children, access } => revoke(&id, keep_children, &access, whose, json),
    }
}

fn revoke(id: &str, keep_children: bool, access: &Access, whose: &Whose, json: bool) -> Result<(), Failure> {
    let request = Request::delete(&["tokens", id]).with("children", keep_children.then_some("keep"));
    let api = Api::open(access, whose)?;
    let told = api.answer(&request)?;
    if told.is_problem("not-found") {
        return Err(no_such(&api, id)?);
    }
    if !told.status.is_success() {
        return Err(api.refused(&told));
    }
    let revoked = told.json()?;
    if json {
        say(serde_json::to_string_pretty(&revoked)?);
        return Ok(());
    }
    say(format!("token {id} is revoked"));
    let children = revoked["children"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !children.is_empty() {
        say(match keep_children {
            true => "those that were made with it go on:",
            false => "and with it those that were made with it:",
        });
        say(show::table(
            ["id", "name"],
            children.iter().map(|child| [text(&child["id"]), text(&child["name"])]),
        ));
    }
    Ok(())
}

/// Why there is no token of an id; of a token's name, which its id is.
fn no_such(api: &Api, id: &str) -> Result<Failure, Failure> {
    let told = api.ask(&Request::get(&["tokens"]).with("limit", Some(PAGE)))?.json()?;
    let named = told["items"].as_array().into_iter().flatten().filter(|item| item["name"] == id);
    let ids: Vec<String> = named.map(|item| text(&item["id"])).collect();
    let failure = Failure::new("no token has this id");
    Ok(match &*ids {
        [] => failure.next("`postledger token list` shows the tokens, each with its id"),
        [one] => failure.next(format!("it is a token's name; its id is {one}")),
        more => failure.next(format!("{} tokens have this name, of the ids {}", more.len(), more.join(", "))),
    })
}

fn new(args: &TokenNew, whose: &Whose, json: bool) -> Result<(), Failure> {
    let servers =
        (!args.all_servers).then(|| args.servers.iter().map(|server| server.get()).collect::<Vec<_>>());
    let mut body = json!({ "name": args.name, "role": Role::from(args.role), "servers": servers });
    // Left out, it is as the role has it.
    if args.reveal {
        body["reveal_addresses"] = true.into();
    }
    if let Some(expires) = args.expires {
        body["expires_at"] = expires.to_string().into();
    }
    let api = Api::open(&args.access, whose)?;
    // A token that could not be kept would be lost: first it is seen that it can be.
    if let Some(path) = args.out.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(Failure::new(format!(
            "{} is there already, and nothing is written over it",
            path.display()
        ))
        .next("name another file by --out, or remove that one; no token was made"));
    }
    let out = args.out.as_deref().map(Output::file).transpose()?;
    let mut made = api.ask(&Request::post(&["tokens"]).json(&body))?.json()?;
    if let Some(mut out) = out {
        out.write(format!("{HEADER}{}\n", text(&made["token"])))?;
        out.end()?;
        if let Value::Object(members) = &mut made {
            members.remove("token");
        }
        let path = args.out.as_deref().unwrap_or(Path::new("")).display();
        say(if json {
            serde_json::to_string_pretty(&made)?
        } else {
            let id = text(&made["id"]);
            format!(
                "made token {id}; it is in {path}, which only you can read: --token-file {path}, or curl --header @{path}"
            )
        });
        return Ok(());
    }
    if json {
        say(serde_json::to_string_pretty(&made)?);
        return Ok(());
    }
    tell(format!("made token {}, which is shown this once:", text(&made["id"])));
    say(text(&made["token"]));
    tell(
        "\nkeep it as a password is kept; `token new --out FILE` puts one into a file that only you can read. To ask with \
         it: --token-file FILE, or POSTLEDGER_TOKEN in the environment",
    );
    Ok(())
}

fn list(paging: &Paging, access: &Access, whose: &Whose, json: bool) -> Result<(), Failure> {
    let api = Api::open(access, whose)?;
    let (request, part) = (Request::get(&["tokens"]), Part::of(paging, PAGE));
    if json {
        return pages::json(&api, request, part, Output::stdout());
    }
    let row = |item: &Value| {
        let servers = match &item["servers"] {
            Value::Null => "all".to_owned(),
            servers => super::words(servers),
        };
        let ends = match (time(&item["revoked_at"]), time(&item["expires_at"])) {
            (revoked, _) if !revoked.is_empty() => format!("revoked {revoked}"),
            (_, expires) => expires,
        };
        let role = match (text(&item["role"]), &item["reveal_addresses"]) {
            (role, Value::Bool(true)) => role,
            (role, _) => format!("{role}, addresses masked"),
        };
        let used = text(&item["last_used_on"]);
        [text(&item["id"]), text(&item["name"]), role, servers, time(&item["created_at"]), ends, used]
    };
    let head = ["id", "name", "role", "servers", "made", "ends", "last used"];
    let none = "There is no token: `postledger token new` makes one.";
    pages::table(&api, request, part, head, row, none)
}
