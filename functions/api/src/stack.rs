//! What is asked of the stack as a whole: which servers there are for the caller, and its tokens.

use crate::call::{Answer, Call, rfc3339};
use crate::problem::Problem;
use crate::route::Route;
use crate::scope::{Gate, Tokens};
use crate::token::{New, Role, Token};
use account::audit::{Entry, Phase};
use http::StatusCode;
use ledger::{ServerId, Time};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The longest name of a token, in characters.
const NAME_MAX: usize = 100;
/// The most servers that a token names.
const SERVERS_MAX: usize = 1_000;

/// Answers.
///
/// # Errors
/// As each of its routes.
pub(crate) async fn answer(
    gate: &Gate<'_>,
    route: Route,
    call: &Call<'_>,
    name: &str,
) -> Result<Answer, Problem> {
    match route {
        Route::Servers => servers(gate, call).await,
        Route::Tokens => list(&gate.tokens()?, call).await,
        Route::NewToken => make(&gate.tokens()?, call).await,
        Route::RevokeToken => revoke(&gate.tokens()?, call, name).await,
        _ => Err(Problem::not_found()),
    }
}

async fn servers(gate: &Gate<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let mut items = Vec::new();
    for (server, entry, known) in gate.servers().await? {
        let mut streams: Map<String, Value> = known
            .into_iter()
            .filter(|stream| stream != ledger::event::WHOLE_SERVER)
            .map(|stream| {
                let kind = json!(ledger::policy::StreamKind::presumed(&stream));
                (stream, kind)
            })
            .collect();
        let mut item = json!({ "server": server.get() });
        if let Some(entry) = entry {
            item["client"] = entry.client.into();
            item["label"] = entry.label.into();
            streams.extend(entry.streams.into_iter().map(|(id, stream)| (id, json!(stream.kind))));
        }
        item["streams"] = streams.into();
        items.push(item);
    }
    let caller = gate.caller();
    let told = json!({
        "items": items,
        "next": null,
        "role": caller.role(),
        "reveal_addresses": caller.reveals(),
    });
    Ok(Answer::json(&told))
}

/// A token as it is told of: without anything of its secret.
fn told(token: &Token) -> Value {
    let mut told = json!({
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "servers": token.servers,
        "reveal_addresses": token.reveal_addresses,
        "created_at": rfc3339(token.created_at),
        "created_by": token.created_by,
    });
    for (name, at) in [("expires_at", token.expires_at), ("revoked_at", token.revoked_at)] {
        if let Some(at) = at {
            told[name] = rfc3339(at).into();
        }
    }
    if let Some(day) = &token.last_used_on {
        told["last_used_on"] = day.clone().into();
    }
    told
}

async fn list(tokens: &Tokens<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let items: Vec<Value> = tokens.list().await?.iter().map(told).collect();
    Ok(Answer::json(&json!({ "items": items, "next": null })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    role: Role,
    // Left out is not the same as null: every server is said aloud.
    servers: Option<Vec<i64>>,
    #[serde(default)]
    reveal_addresses: Option<bool>,
    #[serde(default)]
    expires_at: Option<String>,
}

async fn make(tokens: &Tokens<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let given: Value = call.json()?;
    if given.get("servers").is_none() {
        return Err(Problem::bad_request("servers: say which, or null for every server"));
    }
    let asked: Asked = call.json()?;
    if !(1..=NAME_MAX).contains(&asked.name.chars().count()) || asked.name.chars().any(char::is_control) {
        let words = format!("name: expected 1 to {NAME_MAX} characters, and none that controls");
        return Err(Problem::bad_request(words));
    }
    let servers = asked.servers.map(scope).transpose()?;
    let now = tokens.now();
    let expires_at = asked.expires_at.as_deref().map(|text| ends(text, now)).transpose()?;
    if !tokens.manages(asked.role, servers.as_ref()) {
        // As what is not there: which servers there are is not told.
        let own = servers.is_none() || tokens.caller().covers(servers.as_ref());
        return Err(if own { Problem::role("operator") } else { Problem::not_found() });
    }
    let who = tokens.caller().who().clone();
    let (token, text) = Token::make(
        New {
            name: asked.name,
            role: asked.role,
            servers,
            reveal_addresses: asked.reveal_addresses.unwrap_or(asked.role > Role::Viewer),
            expires_at,
            created_by: who.name.clone(),
        },
        now,
    )?;
    let begun =
        Entry { target: Some(token.id.clone()), after: told(&token), ..Entry::begun(who, "token.new", now)? };
    tokens.note(&begun, &token).await?;
    tokens.keep(&token).await?;
    tokens.note(&begun.now(Phase::Done, Value::Null, tokens.now()), &token).await?;
    let mut made = told(&token);
    made["token"] = text.into();
    Ok(Answer::with_status(StatusCode::CREATED, &made))
}

fn scope(servers: Vec<i64>) -> Result<BTreeSet<ServerId>, Problem> {
    let wrong = || {
        Problem::bad_request(format!(
            "servers: expected 1 to {SERVERS_MAX} of Postmark's server ids, or null"
        ))
    };
    let server =
        |id: i64| ServerId::new(id).ok().filter(|server| *server != ServerId::NONE).ok_or_else(wrong);
    if servers.is_empty() || servers.len() > SERVERS_MAX {
        return Err(wrong());
    }
    servers.into_iter().map(server).collect()
}

fn ends(text: &str, now: Time) -> Result<Time, Problem> {
    let at = text.parse().ok().filter(|at| *at > now);
    at.ok_or_else(|| {
        Problem::bad_request("expires_at: expected an instant to come, such as 2027-01-01T00:00:00Z")
    })
}

async fn revoke(tokens: &Tokens<'_>, call: &Call<'_>, id: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let token = tokens.get(id).await?;
    if !tokens.manages(token.role, token.servers.as_ref()) {
        return Err(Problem::role("operator"));
    }
    let now = tokens.now();
    let begun = Entry::begun(tokens.caller().who().clone(), "token.revoke", now)?;
    let begun = Entry { target: Some(token.id.clone()), before: told(&token), ..begun };
    tokens.note(&begun, &token).await?;
    tokens.revoke(&token).await?;
    tokens.note(&begun.now(Phase::Done, Value::Null, tokens.now()), &token).await?;
    Ok(Answer::done())
}
