//! The tokens: listed, made, revoked.

use crate::call::{Answer, Call, rfc3339};
use crate::cursor;
use crate::problem::Problem;
use crate::scope::{Place, Tokens};
use crate::token::{Grant, New, Role, Token};
use account::audit::{Entry, Phase, Who};
use answers::{MadeToken, NewToken, RevokedChild, RevokedToken, TOKEN_NAME_MAX};
use http::StatusCode;
use ledger::{ServerId, Time};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The most servers that a token names.
const SERVERS_MAX: usize = 1_000;
/// How many tokens a page has, unless more are asked for, and at most.
const LIMITS: [usize; 2] = [100, 500];

/// A token as it is told of: without anything of its secret. `created_by` is who made it as the caller may know that.
fn told(token: &Token, created_by: &str) -> answers::Token {
    answers::Token {
        id: token.id.clone(),
        name: token.name.clone(),
        role: token.role.into(),
        servers: token.servers.clone(),
        reveal_addresses: token.reveal_addresses,
        read_content: token.read_content,
        created_at: token.created_at.into(),
        created_by: created_by.to_owned(),
        // A token that the caller may know of, and no other one.
        parent: token.parent.clone().filter(|parent| parent == created_by),
        expires_at: token.expires_at.map(Into::into),
        last_used_on: token.last_used_on.clone(),
        revoked_at: token.revoked_at.map(Into::into),
    }
}

/// What is noted of a token: its id is the change's target, and what people call it is not for the audit.
fn noted(token: &Token) -> Value {
    let mut noted = json!({
        "role": token.role,
        "servers": token.servers,
        "reveal_addresses": token.reveal_addresses,
        "read_content": token.read_content,
    });
    if let Some(at) = token.expires_at {
        noted["expires_at"] = rfc3339(at).into();
    }
    noted
}

/// Lists those in scope.
pub(crate) async fn list(tokens: &Tokens<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = query.limit(LIMITS[0], LIMITS[1])?;
    let after: Option<Place> = cursor::read(query.text("cursor"))?;
    let (found, next) = tokens.page(after, limit).await?;
    let mut known: BTreeMap<String, Who> = BTreeMap::new();
    let mut items = Vec::new();
    for token in &found {
        let maker = Who::by_name(&token.created_by);
        let maker = tokens.gate().known_as(maker, &mut known).await?;
        items.push(told(token, &maker.name));
    }
    Ok(Answer::json(&answers::Tokens { items, next: next.map(|place| cursor::write(&place)) }))
}

/// Makes one.
///
/// # Errors
/// As [`Tokens::may_make`] and [`Tokens::room`].
pub(crate) async fn make(tokens: &Tokens<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let given: Value = call.json()?;
    if given.get("servers").is_none() {
        return Err(Problem::bad_request("servers: name them, or give null for every server"));
    }
    let asked: NewToken = call.json()?;
    if !(1..=TOKEN_NAME_MAX).contains(&asked.name.chars().count()) || asked.name.chars().any(char::is_control)
    {
        let words = format!("name: expected 1 to {TOKEN_NAME_MAX} characters, without control characters");
        return Err(Problem::bad_request(words));
    }
    let now = tokens.now();
    let own = tokens.caller().grant();
    let grant = Grant {
        role: asked.role,
        servers: asked.servers.map(scope).transpose()?,
        // What is left out is as the role has it, and never more than the caller has itself.
        reveal_addresses: asked.reveal_addresses.unwrap_or(asked.role > Role::Viewer && own.reveal_addresses),
        read_content: asked.read_content.unwrap_or(false),
        expires_at: asked.expires_at.as_deref().map(|text| ends(text, now)).transpose()?.or(own.expires_at),
    };
    if grant.read_content && !grant.reveal_addresses {
        return Err(Problem::content_without_addresses());
    }
    tokens.may_make(&grant)?;
    let who = tokens.caller().who().clone();
    let Grant { role, servers, reveal_addresses, read_content, expires_at } = grant;
    let parent = tokens.caller().token().map(str::to_owned);
    let created_by = who.name.clone();
    let name = asked.name;
    let new = New { name, role, servers, reveal_addresses, read_content, expires_at, created_by, parent };
    let (token, text) = Token::make(new, now)?;
    tokens.room(&token).await?;
    let begun = Entry::begun(who.clone(), "token.new", now)?;
    let begun = Entry { target: Some(token.id.clone()), after: noted(&token), ..begun };
    tokens.note(&begun, &token).await?;
    if let Err(problem) = tokens.keep(&token).await {
        // The change's own failure is what matters.
        let failed = begun.now(Phase::Failed, json!({ "problem": problem.code() }), tokens.now());
        let _ = tokens.note(&failed, &token).await;
        return Err(problem);
    }
    tokens.note(&begun.now(Phase::Done, Value::Null, tokens.now()), &token).await?;
    let made = told(&token, &who.name);
    Ok(Answer::with_status(StatusCode::CREATED, &MadeToken { made, token: text }))
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
        Problem::bad_request("expires_at: expected a time in the future, such as 2027-01-01T00:00:00Z")
    })
}

/// Revokes one, and those that were made with it, unless they are to be kept.
///
/// # Errors
/// [`Problem::not_found`], [`Problem::role`], or the ledger's own; then a part may be done.
pub(crate) async fn revoke(tokens: &Tokens<'_>, call: &Call<'_>, id: &str) -> Result<Answer, Problem> {
    let query = call.query(&["children"])?;
    let keep = |text: &str| match text {
        "keep" => Some(true),
        "revoke" => Some(false),
        _ => None,
    };
    let keeps = query.read("children", "keep or revoke", keep)?.unwrap_or(false);
    let token = tokens.get(id).await?;
    tokens.may_revoke(&token)?;
    let children = tokens.descendants(&token).await?;
    let children: Vec<&Token> = children.iter().filter(|child| child.revoked_at.is_none()).collect();
    // The first one closes all of them, whatever is killed in between.
    let all = [&token].into_iter().chain(children.iter().copied().filter(|_| !keeps));
    for one in all {
        let begun = Entry::begun(tokens.caller().who().clone(), "token.revoke", tokens.now())?;
        let begun = Entry { target: Some(one.id.clone()), before: noted(one), ..begun };
        tokens.note(&begun, one).await?;
        tokens.revoke(one, keeps).await?;
        tokens.note(&begun.now(Phase::Done, Value::Null, tokens.now()), one).await?;
    }
    let named = |child: &&Token| RevokedChild { id: child.id.clone(), name: child.name.clone() };
    let children = children.iter().map(named).collect();
    Ok(Answer::json(&RevokedToken { id: token.id, children, children_kept: keeps }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Answered, Bench, SERVER, now};
    use crate::token::index::TOKENS_OF_ONE_MAX;
    use http::Method;
    use store::Collection;
    use store::prelude::*;

    const OTHER: i64 = SERVER + 1;

    async fn make(bench: &Bench, by: &str, body: Value) -> Answered {
        bench.ask(by, Method::POST, "/v1/tokens", body.to_string().as_bytes()).await
    }

    fn viewer(name: &str) -> Value {
        json!({ "name": name, "role": "viewer", "servers": [SERVER] })
    }

    /// The id and the text of a token that is made.
    async fn made(bench: &Bench, by: &str, body: Value) -> (String, String) {
        let told = make(bench, by, body).await;
        assert_eq!(told.status(), 201, "{}", told.text());
        let told = told.json();
        let [id, token] = ["id", "token"].map(|name| told[name].as_str().unwrap().to_owned());
        (id, token)
    }

    async fn revoke(bench: &Bench, by: &str, id: &str, query: &str) -> Value {
        let told = bench.ask(by, Method::DELETE, &format!("/v1/tokens/{id}{query}"), &[]).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        told.json()
    }

    async fn opens(bench: &Bench, token: &str) -> bool {
        let told = bench.ask(token, Method::GET, "/v1/servers", &[]).await;
        assert!([200, 401].contains(&told.status()), "{}", told.text());
        told.status() == 200
    }

    fn names(told: &Value) -> Vec<&str> {
        told.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn nobody_grants_what_it_has_not() {
        let bench = Bench::default();
        let admin = bench.token(Role::Admin, Some(&[SERVER]), false).await;
        let with = |name: &str, value: Value| {
            let mut body = viewer("new");
            body[name] = value;
            body
        };
        let refused = make(&bench, &admin, with("reveal_addresses", json!(true))).await;
        assert_eq!(
            (refused.status(), &refused.json()["type"]),
            (403, &json!("urn:postledger:problem:beyond-own"))
        );
        let masked = make(&bench, &admin, viewer("new")).await.json();
        assert_eq!((&masked["reveal_addresses"], masked.get("expires_at")), (&json!(false), None));

        let operator = bench.token(Role::Operator, None, false).await;
        let short = json!({ "name": "short", "role": "admin", "servers": [SERVER],
            "expires_at": now().plus_days(5).to_string() });
        let told = make(&bench, &operator, short).await.json();
        assert_eq!(told["reveal_addresses"], false, "what is left out is no more than its maker has");
        let short = told["token"].as_str().unwrap();
        for (days, status) in [(4, 201), (5, 201), (6, 403)] {
            let told =
                make(&bench, short, with("expires_at", json!(now().plus_days(days).to_string()))).await;
            assert_eq!(told.status(), status, "{days} days: {}", told.text());
        }
        let inherits = make(&bench, short, viewer("new")).await.json();
        assert_eq!(inherits["expires_at"], told["expires_at"]);
        assert_eq!(inherits["parent"], told["id"]);
        assert_eq!(make(&bench, short, with("servers", json!([OTHER]))).await.status(), 404);
        assert_eq!(make(&bench, short, with("servers", Value::Null)).await.status(), 403);
        assert_eq!(make(&bench, short, with("role", json!("admin"))).await.status(), 403);
    }

    #[tokio::test]
    async fn whoever_revokes_a_token_revokes_all_that_came_of_it_unless_it_keeps_them() {
        let bench = Bench::default();
        let agency = bench.token(Role::Operator, None, true).await;
        let of = |name: &str, role: &str| json!({ "name": name, "role": role, "servers": [SERVER] });
        for (query, kept) in [("", false), ("?children=revoke", false), ("?children=keep", true)] {
            let (first, parent) = made(&bench, &agency, of("first", "operator")).await;
            let (second, child) = made(&bench, &parent, of("second", "admin")).await;
            let (_, third) = made(&bench, &child, of("third", "viewer")).await;
            let told = revoke(&bench, &agency, &first, query).await;
            assert_eq!(
                (names(&told["children"]), &told["children_kept"]),
                (vec!["second", "third"], &json!(kept))
            );
            assert!(!opens(&bench, &parent).await);
            assert_eq!([opens(&bench, &child).await, opens(&bench, &third).await], [kept, kept], "{query}");
            if kept {
                assert!(!opens(&bench, &parent).await);
                revoke(&bench, &agency, &second, "").await;
                assert!(!opens(&bench, &third).await, "what was kept still descends from the others");
            }
            let again = revoke(&bench, &agency, &first, "").await;
            assert_eq!((names(&again["children"]), &again["children_kept"]), (vec![], &json!(false)));
        }
        let (first, parent) = made(&bench, &agency, of("first", "operator")).await;
        let (_, child) = made(&bench, &parent, of("second", "admin")).await;
        revoke(&bench, &agency, &first, "?children=keep").await;
        assert!(opens(&bench, &child).await);
        assert_eq!(names(&revoke(&bench, &agency, &first, "").await["children"]), ["second"]);
        assert!(!opens(&bench, &child).await, "whoever asks again without keeping them revokes them");
        let told = bench.ask(&agency, Method::DELETE, &format!("/v1/tokens/{first}?children=x"), &[]).await;
        assert_eq!(told.status(), 400);
    }

    /// A token as an older release kept it: nothing but its document.
    async fn old(bench: &Bench, name: &str, created_by: &str, days: Option<i64>) -> (String, String) {
        let new = New {
            name: name.to_owned(),
            role: Role::Admin,
            servers: Some([ServerId::new(SERVER).unwrap()].into()),
            reveal_addresses: true,
            read_content: false,
            expires_at: days.map(|days| now().plus_days(days)),
            created_by: created_by.to_owned(),
            parent: None,
        };
        let (token, text) = Token::make(new, now()).unwrap();
        let document = serde_json::to_string(&token).unwrap();
        bench.store.put_document(&Collection::Tokens, &token.id, &document, None).await.unwrap();
        (token.id, text)
    }

    #[tokio::test]
    async fn a_token_of_an_older_release_ends_with_the_one_that_made_it() {
        let bench = Bench::default();
        let (parent, _) = old(&bench, "parent", "arn:aws:iam::123456789012:user/ida", Some(1)).await;
        let (_, child) = old(&bench, "child", &parent, None).await;
        let (_, other) = old(&bench, "other", "ida.moreau12", None).await;
        let agency = bench.token(Role::Operator, None, true).await;
        assert!(opens(&bench, &child).await && opens(&bench, &other).await);
        bench.pass(86_400);
        assert!(!opens(&bench, &child).await, "its maker has ended");
        assert!(opens(&bench, &other).await, "a user's name is no token");
        let told = revoke(&bench, &agency, &parent, "?children=keep").await;
        assert_eq!(names(&told["children"]), ["child"]);
        assert!(opens(&bench, &child).await, "an operator may say that it goes on");
    }

    #[tokio::test]
    async fn a_server_has_so_many_tokens_and_a_revoked_one_makes_room() {
        let bench = Bench::default();
        let admin = bench.token(Role::Admin, Some(&[SERVER]), true).await;
        let other = bench.token(Role::Admin, Some(&[OTHER]), true).await;
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        // The admin's own token has a place too.
        let mut last = String::new();
        for n in 1..TOKENS_OF_ONE_MAX {
            last = made(&bench, &admin, viewer(&n.to_string())).await.0;
        }
        for _ in 0..2 {
            let full = make(&bench, &admin, viewer("more")).await;
            assert_eq!(
                (full.status(), &full.json()["type"]),
                (409, &json!("urn:postledger:problem:too-many-tokens"))
            );
            assert!(full.json()["next"].as_str().unwrap().contains("revoke"), "{}", full.text());
        }
        let audit = bench.get("audit?limit=500").await.json();
        let noted = audit["items"].as_array().unwrap().len();
        assert_eq!(noted, 2 * (TOKENS_OF_ONE_MAX - 1), "what is refused for want of room is not begun");
        let elsewhere = json!({ "name": "x", "role": "viewer", "servers": [OTHER] });
        assert_eq!(make(&bench, &other, elsewhere).await.status(), 201, "another server has its own room");
        revoke(&bench, &admin, &last, "").await;
        made(&bench, &admin, viewer("more")).await;
        assert_eq!(make(&bench, &admin, viewer("again")).await.status(), 409);
    }

    /// All pages of the list.
    async fn pages(bench: &Bench, token: &str, limit: usize) -> Vec<String> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let told = bench.ask(token, Method::GET, &format!("/v1/tokens?limit={limit}{cursor}"), &[]).await;
            assert_eq!(told.status(), 200, "{}", told.text());
            let told = told.json();
            let items = told["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            all.extend(items.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
            match told["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    #[tokio::test]
    async fn pages_of_tokens_together_are_all_in_scope_each_once_whatever_others_have() {
        let bench = Bench::default();
        for n in 0..30 {
            old(&bench, &n.to_string(), "test", None).await;
        }
        for _ in 0..30 {
            bench.token(Role::Viewer, Some(&[OTHER]), false).await;
            bench.token(Role::Viewer, Some(&[SERVER, OTHER]), false).await;
            bench.token(Role::Viewer, None, false).await;
        }
        let own = bench.token(Role::Admin, Some(&[SERVER]), true).await;
        let two = bench.token(Role::Operator, Some(&[SERVER, OTHER]), true).await;
        let all = bench.token(Role::Operator, None, true).await;
        for (token, expected) in [(&own, 31), (&two, 92), (&all, 123)] {
            let whole = pages(&bench, token, 500).await;
            assert_eq!(whole.len(), expected);
            assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), expected);
            for limit in [1, 7, 31] {
                assert_eq!(pages(&bench, token, limit).await, whole, "{limit} a page");
            }
        }
        // A cursor of one kind of list is none of another.
        let next = bench.ask(&all, Method::GET, "/v1/tokens?limit=1", &[]).await.json();
        let next = next["next"].as_str().unwrap();
        let told = bench.ask(&own, Method::GET, &format!("/v1/tokens?cursor={next}"), &[]).await;
        assert_eq!(told.status(), 400);
    }

    #[tokio::test]
    async fn a_client_knows_whoever_is_of_the_agency_as_operator_and_nothing_more() {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        old(&bench, "by hand", "arn:aws:iam::123456789012:user/ida", None).await;
        let (agency, admin) = (
            bench.token(Role::Operator, None, true).await,
            bench.token(Role::Admin, Some(&[SERVER]), true).await,
        );
        made(&bench, &agency, viewer("by the agency")).await;
        let (own, _) = made(&bench, &admin, viewer("by the admin")).await;
        bench.post("recipients/ida@customer.example/erase", json!({})).await;
        let ask = async |token: &str, path: &str| bench.ask(token, Method::GET, path, &[]).await.json();
        let listed = ask(&admin, "/v1/tokens").await;
        let maker = |name: &str| {
            let items = listed["items"].as_array().unwrap().iter();
            items.filter(|one| one["name"] == name).map(|one| one["created_by"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(maker("by the agency"), ["operator"]);
        assert_eq!(maker("by hand"), ["operator"]);
        let by = maker("by the admin").remove(0);
        let audit = ask(&admin, &format!("/v1/servers/{SERVER}/audit")).await;
        let items = audit["items"].as_array().unwrap();
        assert_eq!(items.len(), 6);
        for item in items {
            let expected = match item["target"] == own {
                true => json!({ "kind": "token", "name": by }),
                false => json!({ "kind": "operator", "name": "operator" }),
            };
            assert_eq!(item["who"], expected, "{item}");
        }
        assert!(!audit.to_string().contains("by the"), "what people call a token is not in the audit");
        let whole = ask(&agency, &format!("/v1/servers/{SERVER}/audit")).await;
        let local = json!({ "kind": "local", "name": "test" });
        assert_eq!(whole["items"].as_array().unwrap().iter().filter(|item| item["who"] == local).count(), 2);
    }
}
