//! The read API over HTTP: who may ask what, of which server, and what is told to whoever may not; addresses as they
//! come in paths; cursors that somebody has altered.

use crate::house;
use ::api::route::Route;
use ::api::token::{Role, Token};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use ledger::policy::StreamKind;
use postledger_tests::bodies::set_aside;
use postledger_tests::postmark::OWNERS_TOKEN;
use postledger_tests::{SERVER, World, now};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const FOREIGN: i64 = 7_654_321;
/// A server that nothing is known of.
const NOWHERE: i64 = 9_999_999;
const ADDRESS: &str = "ida.moreau@customer.example";
const MESSAGE: &str = "883953f4-6105-42a2-a16a-77a8eac79483";

fn bounce(server: i64, address: &str, message: &str) -> Value {
    json!({ "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": server, "ID": server + 1,
        "Type": "HardBounce", "MessageID": message, "Email": address, "BouncedAt": "2026-09-20T08:00:00Z",
        "Inactive": true, "Subject": format!("subject of {server}"), "Tag": format!("tag-of-{server}"),
        "Description": "There is no such mailbox.", "Details": format!("smtp;550 5.1.1 at {server}") })
}

fn delivery(server: i64, address: &str, message: &str) -> Value {
    json!({ "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": server, "MessageID": message,
        "Recipient": address, "DeliveredAt": "2026-09-19T08:00:00Z", "Tag": format!("tag-of-{server}"),
        "Details": "" })
}

fn suppressed(server: i64, address: &str) -> Value {
    json!({ "RecordType": "SubscriptionChange", "MessageStream": "outbound", "ServerID": server, "MessageID": null,
        "Recipient": address, "ChangedAt": "2026-09-21T08:00:00Z", "Origin": "Customer", "SuppressSending": true,
        "SuppressionReason": "ManualSuppression" })
}

/// Two servers, of which the same is told in other words.
pub(crate) fn world() -> World {
    let world = World::default();
    for server in [SERVER, FOREIGN] {
        world.register(
            server,
            &format!("client of {server}"),
            &[("outbound", StreamKind::Transactional), ("broadcast", StreamKind::Broadcast)],
        );
        world.tell(server, bounce(server, ADDRESS, MESSAGE).to_string());
        world.tell(server, delivery(server, ADDRESS, MESSAGE).to_string());
        for n in 0..3 {
            let address = format!("r{n}@customer.example");
            world.tell(server, delivery(server, &address, &format!("m{n}")).to_string());
            world.tell(server, suppressed(server, &address).to_string());
        }
        // What nobody can read, so that something is set aside.
        for n in 0..3 {
            world.tell(server, format!("{{\"RecordType\":\"Delivery\",\"n\":{n}}}"));
        }
    }
    world.drain();
    world
}

/// Percent-encoded, all but letters and digits.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

/// A request that a route answers well at a server: its path and body. `cell` makes what is changed differ.
fn request(world: &World, route: Route, server: i64, cell: usize) -> (String, String) {
    let (address, body) = match route {
        Route::Check => (ADDRESS, json!({ "stream": "outbound", "addresses": [ADDRESS] }).to_string()),
        Route::Suppress => {
            let addresses = [format!("c{cell}@customer.example")];
            let body =
                json!({ "addresses": addresses, "stream": "outbound", "reason": "asked", "postmark": false });
            (ADDRESS, body.to_string())
        }
        Route::Reactivate => {
            ("nobody@customer.example", json!({ "stream": "outbound", "reason": "asked" }).to_string())
        }
        Route::Import => (ADDRESS, format!("email\r\ni{cell}@customer.example\r\n")),
        Route::Erase => ("gone@customer.example", "{}".to_owned()),
        Route::NewToken => {
            (ADDRESS, json!({ "name": "new", "role": "viewer", "servers": [server] }).to_string())
        }
        Route::InviteUsers => {
            let addresses = [format!("u{cell}@client.example")];
            let servers = [json!({ "server": server, "role": "viewer" })];
            (ADDRESS, json!({ "addresses": addresses, "servers": servers }).to_string())
        }
        Route::ChangeUser | Route::NewPortalLink => {
            let servers = [json!({ "server": server, "role": "viewer" })];
            (ADDRESS, json!({ "servers": servers }).to_string())
        }
        Route::PostmarkToken | Route::NewServer => (ADDRESS, json!({ "token": OWNERS_TOKEN }).to_string()),
        Route::ChangePostmarkSettings => {
            (ADDRESS, json!({ "set": { "TrackOpens": true }, "dry_run": true }).to_string())
        }
        Route::TestMail => {
            let mail = json!({ "stream": "outbound", "from": "shop@client.example", "to": ADDRESS });
            (ADDRESS, mail.to_string())
        }
        Route::KeepSmtp => (ADDRESS, json!({ "access_key": "key", "secret_key": "secret" }).to_string()),
        Route::TestSmtp => (ADDRESS, json!({ "from": ADDRESS, "to": ADDRESS }).to_string()),
        Route::ChangePolicy => {
            let policy =
                json!({ "count": 5, "messages": 3, "span_days": 7, "window_days": 30, "pause_days": 14 });
            (ADDRESS, json!({ "kind": "broadcast", "policy": policy, "dry_run": true }).to_string())
        }
        Route::SetBranding => (ADDRESS, "{}".to_owned()),
        Route::ConnectWebhooks => (ADDRESS, "{}".to_owned()),
        _ => (ADDRESS, String::new()),
    };
    let id = match (route, server) {
        (Route::ChangeUser | Route::RemoveUser | Route::SignOutUser, NOWHERE) => "A".repeat(22),
        (Route::ChangeUser | Route::RemoveUser | Route::SignOutUser, server) => {
            world.user(&format!("m{cell}@client.example"), server)
        }
        (Route::RevokeToken, NOWHERE) => "AAAAAAAAAAAA".to_owned(),
        (Route::RevokeToken, server) => world.token_until(Role::Viewer, Some(&[server]), false, None).0.id,
        _ => String::new(),
    };
    let key = match (route, server) {
        (Route::Replay, NOWHERE) => "1.none".to_owned(),
        (Route::Replay, server) => world.block(set_aside(&*world.store, server, cell)),
        _ => String::new(),
    };
    let mut path = route
        .pattern()
        .replace("{server}", &server.to_string())
        .replace("{address}", &encoded(address))
        .replace("{message_id}", MESSAGE)
        .replace("{stream}", "outbound")
        .replace("{key}", &key)
        .replace("{id}", &id);
    if route == Route::Import {
        path.push_str("?stream=outbound&cause=manual");
    }
    (path, body)
}

/// Who asks: how a table names it, its token, and what is in its scope.
struct Bearer {
    name: String,
    token: Option<String>,
    may: Option<(Role, Option<i64>)>,
}

fn bearers(world: &World) -> Vec<Bearer> {
    let lost = |name: &str, token: Option<String>| Bearer { name: name.to_owned(), token, may: None };
    let expired = world.token_until(Role::Operator, None, true, Some(now())).1;
    let (revoked, text) = world.token_until(Role::Operator, None, true, None);
    let store = &*world.store;
    world.block(Token::revoke(store, &revoked.id, false, now())).unwrap();
    let mut bearers = vec![
        lost("no token", None),
        lost("garbage", Some("plt_AAAAAAAAAAAA_garbage".to_owned())),
        lost("expired", Some(expired)),
        lost("revoked", Some(text)),
    ];
    for role in Role::ALL {
        for (scope, name) in [(Some(SERVER), "own"), (Some(FOREIGN), "other"), (None, "all")] {
            let servers = scope.map(|server| [server]);
            let token = world.token(role, servers.as_ref().map(|servers| &servers[..]), true);
            let name = format!("{} {name}", role.name());
            bearers.push(Bearer { name, token: Some(token), may: Some((role, scope)) });
        }
    }
    bearers
}

/// What must be answered, by the rules alone.
fn expected(route: Route, bearer: &Bearer, server: i64) -> u16 {
    let well = match route {
        Route::NewToken | Route::InviteUsers | Route::NewPortalLink => 201,
        Route::RemoveUser | Route::SignOutUser => 204,
        // Here nothing sets up webhooks, and no token is shown their password.
        Route::ConnectWebhooks | Route::RotateWebhooks => 409,
        Route::WebhookPassword => 403,
        _ => 200,
    };
    let Some(needed) = route.role() else { return well };
    let Some((role, scope)) = bearer.may else { return 401 };
    let inside = scope.is_none_or(|scope| scope == server);
    match route {
        Route::Servers
        | Route::Tokens
        | Route::NewToken
        | Route::RevokeToken
        | Route::Users
        | Route::InviteUsers
        | Route::ChangeUser
        | Route::RemoveUser
        | Route::SignOutUser
            if role < needed =>
        {
            403
        }
        Route::Servers | Route::Tokens | Route::Users => well,
        // A token may be made, and somebody invited, for a server that is yet to come.
        Route::NewToken | Route::InviteUsers | Route::NewPortalLink => {
            if inside {
                well
            } else {
                404
            }
        }
        // Whoever is limited to servers has no say in what all of them see.
        Route::Branding | Route::SetBranding | Route::NewServer if role < needed || scope.is_some() => 403,
        // The token is that of a server that is registered.
        Route::Branding | Route::SetBranding | Route::NewServer => well,
        _ if !inside || server == NOWHERE => 404,
        _ if role < needed => 403,
        // Postmark says that it is the other one's, so that there is none for this one.
        Route::PostmarkToken | Route::PostmarkSettings | Route::ChangePostmarkSettings
            if server == FOREIGN =>
        {
            409
        }
        // Of these tokens only operators' were given the right to it.
        Route::Content if role < Role::Operator => 403,
        // No token of it is kept; the other one's is by then.
        Route::TestMail | Route::Sent | Route::SentMessage | Route::Content | Route::Inbound
            if server == FOREIGN =>
        {
            409
        }
        _ => well,
    }
}

/// An answer without what differs from one instant to another.
fn whole(answer: &Response<String>) -> (u16, BTreeMap<String, Vec<u8>>, String) {
    let headers = answer.headers().iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    (answer.status().as_u16(), headers, answer.body().clone())
}

fn assert_problem(answer: &Response<String>, place: &str) {
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{place}");
    assert_eq!(answer.headers()["cache-control"], "no-store", "{place}");
    let told: Value = serde_json::from_str(answer.body()).unwrap();
    assert_eq!(told["status"], answer.status().as_u16(), "{place}");
    assert!(told["type"].as_str().unwrap().starts_with("urn:postledger:problem:"), "{place}");
    for name in ["title", "detail", "next"] {
        assert!(told[name].as_str().is_some_and(|words| !words.is_empty()), "{place}: {name}: {told}");
    }
    assert_eq!(answer.status() == 401, answer.headers().contains_key("www-authenticate"), "{place}");
}

/// What was answered, as a table: a row for a route, a column for a bearer.
fn table(bearers: &[Bearer], rows: &[(Route, Vec<[u16; 3]>)]) -> String {
    let mut table = String::from(
        "# Who may ask what\n\nA test generates this table. Each cell has the status that a route answers to a token: for a server \
         of the token's own, for\nanother server, and for one that does not exist. If all three are equal, the cell has one status. \
         `own`, `other` and `all` say\nwhich servers the token is for. A server out of a token's scope is answered, byte for byte, \
         as one that does not exist.\nOnly operators' tokens have the right to the content of mails here.\n\n| route |",
    );
    let mut rule = String::from("\n| --- |");
    for bearer in bearers {
        write!(table, " {} |", bearer.name).unwrap();
        rule.push_str(" --- |");
    }
    table.push_str(&rule);
    for (route, cells) in rows {
        write!(table, "\n| {} {} |", route.method(), route.pattern()).unwrap();
        for [own, foreign, nowhere] in cells {
            if own == foreign && own == nowhere {
                write!(table, " {own} |").unwrap();
            } else {
                write!(table, " {own} {foreign} {nowhere} |").unwrap();
            }
        }
    }
    table.push('\n');
    table
}

#[test]
fn each_role_reaches_its_own_routes_of_its_own_servers_and_other_servers_are_as_none() {
    let world = world();
    world.consume();
    let bearers = bearers(&world);
    let (mut rows, mut cell, mut wrong) = (Vec::new(), 0, Vec::new());
    for route in Route::ALL {
        let mut cells = Vec::new();
        for bearer in &bearers {
            let mut statuses = [0; 3];
            let mut hidden = Vec::new();
            for (place, server) in [SERVER, FOREIGN, NOWHERE].into_iter().enumerate() {
                cell += 1;
                let (path, body) = request(&world, route, server, cell);
                let answer = world.ask(bearer.token.as_deref(), route.method().as_str(), &path, &body);
                statuses[place] = answer.status().as_u16();
                let at = format!("{} {path} as {}", route.method(), bearer.name);
                let expected = expected(route, bearer, server);
                if statuses[place] != expected {
                    wrong.push(format!("{at}: {} for {expected}: {}", statuses[place], answer.body()));
                }
                if statuses[place] >= 400 {
                    assert_problem(&answer, &at);
                }
                if statuses[place] == 404 {
                    hidden.push(whole(&answer));
                }
            }
            assert!(hidden.windows(2).all(|pair| pair[0] == pair[1]), "{route:?} as {}", bearer.name);
            cells.push(statuses);
        }
        rows.push((route, cells));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let table = table(&bearers, &rows);
    assert_eq!(table, house::read("tests/api/matrix.md"), "tests/api/matrix.md must read:\n{table}");
}

#[test]
fn a_method_that_a_path_does_not_take_is_told_which_there_are() {
    let world = World::default();
    for route in Route::ALL {
        let (path, _) = request(&world, route, SERVER, 0);
        let taken: Vec<String> = Route::ALL
            .into_iter()
            .filter(|other| other.pattern() == route.pattern())
            .map(|route| route.method().to_string())
            .collect();
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            if taken.iter().any(|taken| taken == method) {
                continue;
            }
            let answer = world.ask(None, method, &path, "");
            assert_eq!(answer.status(), 405, "{method} {path}");
            assert_eq!(answer.headers()["allow"], taken.join(", "), "{method} {path}");
            if method != "HEAD" {
                assert_problem(&answer, &path);
            }
        }
    }
    for path in ["/v1/servers/", "/v1/servers/7", "/v1/tokens/a/b", "/v1/servers/7/recipients/"] {
        let answer = world.ask(None, "GET", path, "");
        assert_eq!(answer.status(), 404, "{path}");
        assert_problem(&answer, path);
    }
    let answer = world.ask(None, "GET", "/v1/servers/7/recipients/%ff", "");
    assert_eq!(answer.status(), 400);
    assert_problem(&answer, "a path that is not UTF-8");
}

#[test]
fn a_token_tells_when_it_was_used_and_opens_nothing_from_the_moment_it_is_revoked() {
    let world = world();
    let operator = world.token(Role::Operator, None, true);
    let body = json!({ "name": "dashboard", "role": "viewer", "servers": [SERVER] }).to_string();
    let made: Value = json_of(&world.ask(Some(&operator), "POST", "/v1/tokens", &body));
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let listed = || {
        let tokens = json_of(&world.ask(Some(&operator), "GET", "/v1/tokens", ""));
        tokens["items"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone()
    };
    assert_eq!(listed()["last_used_on"], Value::Null);
    assert!(!listed().to_string().contains(token.rsplit_once(id).unwrap().1), "no secret is told again");
    let servers = json_of(&world.ask(Some(token), "GET", "/v1/servers", ""));
    assert_eq!(
        (servers["role"].as_str(), servers["reveal_addresses"].as_bool()),
        (Some("viewer"), Some(false))
    );
    assert_eq!(servers["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed()["last_used_on"], now().day());
    for _ in 0..2 {
        assert_eq!(world.ask(Some(&operator), "DELETE", &format!("/v1/tokens/{id}"), "").status(), 200);
        assert_eq!(world.ask(Some(token), "GET", "/v1/servers", "").status(), 401);
    }
    assert!(listed()["revoked_at"].is_string());
    let wrong = ["Basic dTpw".to_owned(), "Bearer".to_owned(), format!("Token {operator}")];
    for header in wrong {
        let request = world.request("GET", "/v1/servers").header("authorization", &header);
        assert_eq!(world.send(request.body(Vec::new()).unwrap()).status(), 401, "{header}");
    }
}

#[test]
fn an_operator_for_some_servers_makes_no_token_for_others() {
    let world = World::default();
    let few = world.token(Role::Operator, Some(&[SERVER]), true);
    let make = |servers: Value| {
        let body = json!({ "name": "new", "role": "operator", "servers": servers }).to_string();
        world.ask(Some(&few), "POST", "/v1/tokens", &body).status().as_u16()
    };
    assert_eq!(make(json!([SERVER])), 201);
    assert_eq!(make(json!([SERVER, FOREIGN])), 404);
    assert_eq!(make(json!(null)), 403);
    let whole = world.token_until(Role::Operator, None, true, None).0.id;
    assert_eq!(world.ask(Some(&few), "DELETE", &format!("/v1/tokens/{whole}"), "").status(), 404);
}

fn json_of(answer: &Response<String>) -> Value {
    serde_json::from_str(answer.body()).unwrap_or_else(|_| panic!("{}", answer.body()))
}

#[test]
fn an_address_in_a_path_is_the_one_that_was_mailed_however_it_is_encoded() {
    let world = World::default();
    let local = "l".repeat(64);
    let long =
        format!("{local}@{}.customer.example", ["d".repeat(63), "d".repeat(63), "d".repeat(44)].join("."));
    assert_eq!(long.len(), 254);
    // Each as it was mailed, and as it is asked for.
    let addresses = [
        ("ida+news@customer.example", "ida+news%40customer.example"),
        ("ida+tag@customer.example", "IDA%2Btag@CUSTOMER.example"),
        ("a/b@customer.example", "a%2Fb%40customer.example"),
        ("c/timeline@customer.example", "c%2Ftimeline@customer.example"),
        ("//@customer.example", "%2F%2F@customer.example"),
        ("50%@customer.example", "50%25@customer.example"),
        ("ren\u{e9}@customer.example", "ren%C3%A9@customer.example"),
        ("zoe\u{308}@customer.example", "zo%C3%AB@customer.example"),
        ("zo\u{eb}2@customer.example", "zoe%CC%882@customer.example"),
        ("ida@b\u{fc}cher.example", "ida@xn--bcher-kva.example"),
        ("\"a b\"@customer.example", "%22a%20b%22@customer.example"),
        ("\"a@b\"@customer.example", "%22a%40b%22%40customer.example"),
        ("a?b#c&d=e{f@customer.example", "a%3Fb%23c%26d%3De%7Bf%40customer.example"),
        ("..@customer.example", "%2E%2E@customer.example"),
        (long.as_str(), &encoded(&long)),
    ];
    // Postmark tells of these too. Nobody can mean them by an address, so they are asked for by their ids alone.
    let odd = ["no-at-all", "a%2Fb@customer.example", "a;b@customer.example", "a*@customer.example"];
    let told = addresses.iter().map(|(address, _)| *address).chain(odd);
    for (n, address) in told.enumerate() {
        let mut told = bounce(SERVER, address, &format!("message-{n}"));
        told["ID"] = json!(1_000 + n);
        world.tell(SERVER, told.to_string());
    }
    world.drain();
    world.consume();
    let admin = world.token(Role::Admin, Some(&[SERVER]), true);
    let ask = |method: &str, path: String, body: &str| {
        let answer = world.ask(Some(&admin), method, &format!("/v1/servers/{SERVER}/{path}"), body);
        assert_eq!(answer.status(), 200, "{method} {path}: {}", answer.body());
        json_of(&answer)
    };
    for (n, (address, path)) in addresses.iter().enumerate() {
        for path in [(*path).to_owned(), encoded(address)] {
            let known = ask("GET", format!("recipients/{path}"), "");
            assert_eq!(known["known"], true, "{address} as {path}");
            let id = known["recipient_id"].as_str().unwrap();
            assert_eq!(ask("GET", format!("recipients/id:{id}"), "")["address"], *address, "{path}");
            for list in ["timeline", "export"] {
                let told = ask("GET", format!("recipients/{path}/{list}"), "");
                assert_eq!(told["items"][0]["message_id"], format!("message-{n}"), "{list} of {address}");
                assert_eq!(told["items"].as_array().unwrap().len(), 1, "{list} of {address}");
            }
        }
    }
    for (n, address) in odd.into_iter().enumerate() {
        let path = format!("/v1/servers/{SERVER}/recipients/{}", encoded(address));
        assert_eq!(world.ask(Some(&admin), "GET", &path, "").status(), 400, "{address}");
        let key = ledger::recipient_key(address);
        let id = ledger::LedgerKey::for_tests().recipient_id(postledger_tests::server_id(SERVER), &key);
        assert_eq!(ask("GET", format!("recipients/id:{id}"), "")["address"], address);
        let told = ask("GET", format!("recipients/id:{id}/timeline"), "");
        assert_eq!(told["items"][0]["message_id"], format!("message-{}", addresses.len() + n));
    }
    for (address, path) in &addresses {
        let known = ask("GET", format!("recipients/{path}"), "");
        let erased = ask("POST", format!("recipients/{path}/erase"), "{}");
        assert_eq!(
            (&erased["recipient_id"], &erased["already"]),
            (&known["recipient_id"], &json!(false)),
            "{address}"
        );
    }
}

#[test]
fn an_altered_cursor_leads_to_another_place_of_the_same_list_or_nowhere() {
    let world = world();
    world.consume();
    let admin = world.token(Role::Admin, Some(&[SERVER]), true);
    for n in 0..2 {
        let body = json!({ "addresses": [format!("c{n}@customer.example")], "stream": "outbound", "reason": "asked",
            "postmark": false });
        world.ask(Some(&admin), "POST", &format!("/v1/servers/{SERVER}/suppressions"), &body.to_string());
    }
    let recipient = encoded(ADDRESS);
    let lists = [
        format!("recipients/{recipient}/timeline"),
        format!("recipients/{recipient}/export"),
        format!("messages/{MESSAGE}"),
        "activity".to_owned(),
        "streams/outbound/suppressions".to_owned(),
        "quarantine".to_owned(),
        "audit".to_owned(),
    ];
    let (mut asked, mut told) = (0, 0);
    for list in lists {
        let path = format!("/v1/servers/{SERVER}/{list}?limit=1");
        let first = world.ask(Some(&admin), "GET", &path, "");
        let first = json_of(&first);
        let cursor = first["next"].as_str().unwrap_or_else(|| panic!("{list} has a second page: {first}"));
        let plain = URL_SAFE_NO_PAD.decode(cursor).unwrap();
        let mut altered: Vec<String> = Vec::new();
        for place in 0..cursor.len() {
            let with = |other: &str| format!("{}{other}{}", &cursor[..place], &cursor[place + 1..]);
            altered.extend(["", "A", "_", "%25", "%00"].map(with));
        }
        for place in 0..plain.len() {
            for byte in [b'0', b'9', b'"', b'*', b'#', b'~', 0, 0xff, plain[place].wrapping_add(1)] {
                let mut other = plain.clone();
                other[place] = byte;
                altered.push(URL_SAFE_NO_PAD.encode(&other));
            }
        }
        for cursor in altered {
            let answer = world.ask(Some(&admin), "GET", &format!("{path}&cursor={cursor}"), "");
            let status = answer.status().as_u16();
            assert!([200, 400].contains(&status), "{list}, {cursor}: {status} {}", answer.body());
            assert!(!answer.body().contains(&FOREIGN.to_string()), "{list}, {cursor}: {}", answer.body());
            asked += 1;
            told += usize::from(status == 200);
        }
    }
    assert!(asked > 3_000 && told > 100, "{told} of {asked}");
}

fn sources(folder: &std::path::Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_kind_of_problem_is_described_and_no_other() {
    let mut source = String::new();
    sources(&house::root().join("functions/api/src"), &mut source);
    let made =
        ["Problem::new(", "Problem::conflict("].into_iter().flat_map(|make| source.split(make).skip(1));
    let codes: BTreeSet<String> = made
        .filter_map(|rest| rest.split(')').next()?.split('"').nth(1))
        .map(|code| format!("urn:postledger:problem:{code}"))
        .collect();
    let described: Value = serde_json::from_str(::api::OPENAPI).unwrap();
    let types = &described["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
    let types = types.as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned());
    assert_eq!(codes, types.collect());
}
