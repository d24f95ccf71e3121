//! Tenants apart: whoever may see one server learns nothing of another one, not even that it is there. Two servers, with
//! events at random that overlap in addresses, streams and MessageIDs; and the same ledger in which one of them never
//! was, which must answer the other one byte for byte the same. Tokens for both of them are made, and revoked.

use api::call::Call;
use api::token::{Role, Token};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response};
use ledger::policy::StreamKind;
use postledger_tests::World;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The tenant who asks, and the one who is asked about.
const ASKS: Tenant = Tenant { server: 7_100_001, mark: "badger" };
const OTHER: Tenant = Tenant { server: 7_100_002, mark: "aardwolf" };
/// A server that nothing is known of: what a token may name as well.
const NOBODY: i64 = 7_100_003;
/// How many kinds of events are made.
const KINDS: u8 = 7;
/// How many cases are tried, unless a variable says otherwise.
const CASES: u32 = 24;

#[derive(Clone, Copy)]
struct Tenant {
    server: i64,
    mark: &'static str,
}

/// An event at random.
#[derive(Clone, Debug)]
struct Drawn {
    other: bool,
    kind: u8,
    address: u8,
    stream: u8,
    message: u8,
    minute: u32,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (any::<bool>(), 0..KINDS, 0..6_u8, 0..3_u8, 0..4_u8, 0..20_000_u32).prop_map(
        |(other, kind, address, stream, message, minute)| Drawn {
            other,
            kind,
            address,
            stream,
            message,
            minute,
        },
    )
}

impl Tenant {
    /// Half of the addresses are both tenants'; likewise below.
    fn address(self, n: u8) -> String {
        if n < 3 {
            format!("shared{n}@customer.example")
        } else {
            format!("{}{n}@customer.example", self.mark)
        }
    }

    fn stream(self, n: u8) -> String {
        match n {
            0 => "outbound".to_owned(),
            1 => "broadcast".to_owned(),
            _ => format!("{}-news", self.mark),
        }
    }

    fn message(self, n: u8) -> String {
        if n < 2 {
            format!("60b0c5df-590e-459b-b059-5494e19650d{n}")
        } else {
            format!("{}-message-{n}", self.mark)
        }
    }

    fn body(self, n: usize, drawn: &Drawn) -> Value {
        let at =
            postledger_tests::now().plus_days(-20).plus_seconds(i64::from(drawn.minute) * 60).to_string();
        let mark = self.mark;
        let mut body = json!({
            "ServerID": self.server, "MessageStream": self.stream(drawn.stream),
            "MessageID": self.message(drawn.message), "Tag": format!("{mark} tag"),
            "Metadata": { "tenant": format!("{mark} metadata") },
        });
        let address = self.address(drawn.address);
        let more = match drawn.kind {
            0 => json!({ "RecordType": "Delivery", "Recipient": address, "DeliveredAt": at,
                "Details": format!("smtp;250 {mark}") }),
            1 | 2 => {
                json!({ "RecordType": "Bounce", "Email": address, "BouncedAt": at, "Subject": format!("{mark} subject"),
                "ID": self.server * 1_000 + n as i64, "Type": if drawn.kind == 1 { "HardBounce" } else { "SoftBounce" },
                "Inactive": drawn.kind == 1, "Description": format!("{mark} description"),
                "Details": format!("smtp;550 {mark}") })
            }
            3 => json!({ "RecordType": "Open", "FirstOpen": true, "Recipient": address, "ReceivedAt": at,
                "UserAgent": format!("{mark} reader") }),
            4 => json!({ "RecordType": "Click", "Recipient": address, "ReceivedAt": at,
                "OriginalLink": format!("https://{mark}.example/{n}"), "UserAgent": format!("{mark} reader") }),
            5 => {
                json!({ "RecordType": "SubscriptionChange", "Recipient": address, "ChangedAt": at, "Origin": "Customer",
                "SuppressSending": true, "SuppressionReason": "ManualSuppression" })
            }
            // Nothing that can be read: it is set aside.
            _ => json!({ "RecordType": "Delivery", "DeliveredAt": mark }),
        };
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }
}

/// The tokens of a tenant: of somebody who sees addresses masked, of one who does not, and of an admin.
struct Tokens(Vec<(Token, String)>);

impl Tokens {
    fn of(tenant: Tenant, world: &World) -> Tokens {
        let token = |role, reveal| world.token_until(role, Some(&[tenant.server]), reveal, None);
        Tokens(vec![token(Role::Viewer, false), token(Role::Viewer, true), token(Role::Admin, true)])
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, text)| text.as_str())
    }

    fn admin(&self) -> &str {
        &self.0[2].1
    }
}

fn fill(world: &World, tenants: &[Tenant], events: &[Drawn]) {
    for tenant in tenants {
        let streams = [("outbound", StreamKind::Transactional), ("broadcast", StreamKind::Broadcast)];
        world.register(tenant.server, tenant.mark, &streams);
    }
    for (n, drawn) in events.iter().enumerate() {
        let tenant = if drawn.other { OTHER } else { ASKS };
        if tenants.iter().any(|one| one.server == tenant.server) {
            world.tell(tenant.server, tenant.body(n, drawn).to_string());
        }
    }
    world.drain();
}

/// A request: its method, its decoded path, its query and body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ask {
    method: &'static str,
    path: String,
    query: String,
    body: String,
}

fn get(path: String, query: &str) -> Ask {
    Ask { method: "GET", path, query: query.to_owned(), body: String::new() }
}

fn post(path: String, body: impl ToString) -> Ask {
    Ask { method: "POST", path, query: String::new(), body: body.to_string() }
}

fn ask(world: &World, token: &str, ask: &Ask) -> Response<Vec<u8>> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    let list = ask.path.ends_with("/import");
    headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(if list { "text/csv" } else { "application/json" }));
    let method: Method = ask.method.parse().unwrap();
    let call = Call {
        method: &method,
        path: &ask.path,
        query: &ask.query,
        headers: &headers,
        body: ask.body.as_bytes(),
    };
    world.block(world.stack.operator.api.answer(&call))
}

/// The lists of a server that have pages.
fn lists(server: i64, named: Tenant) -> Vec<String> {
    let below = |tail: String| format!("/v1/servers/{server}/{tail}");
    let mut lists = vec![below("activity".to_owned()), below("quarantine".to_owned())];
    lists.extend((0..6).flat_map(|n| {
        ["timeline", "export"].map(|list| below(format!("recipients/{}/{list}", named.address(n))))
    }));
    lists.extend((0..4).map(|n| below(format!("messages/{}", named.message(n)))));
    lists.extend((0..3).map(|n| below(format!("streams/{}/suppressions", named.stream(n)))));
    lists.push(below("streams/*/suppressions".to_owned()));
    lists
}

/// The places that a tenant's pages go on from.
fn cursors(world: &World, tenant: Tenant, token: &str) -> Vec<String> {
    let audit = format!("/v1/servers/{}/audit", tenant.server);
    let lists = lists(tenant.server, tenant).into_iter().chain([audit]);
    let told = lists.map(|list| ask(world, token, &get(list, "limit=1")));
    let next = |told: Response<Vec<u8>>| {
        let told: Value = serde_json::from_slice(told.body()).ok()?;
        told["next"].as_str().map(str::to_owned)
    };
    told.filter_map(next).collect::<BTreeSet<_>>().into_iter().collect()
}

/// All that can be read of a server, by the names that some tenant has for things.
fn questions(server: i64, named: Tenant, cursors: &[String]) -> Vec<Ask> {
    let below = |tail: &str| format!("/v1/servers/{server}/{tail}");
    let mut all: Vec<Ask> = Vec::new();
    for list in lists(server, named) {
        for query in ["", "limit=1", "limit=2"] {
            all.push(get(list.clone(), query));
        }
        all.extend(cursors.iter().map(|cursor| get(list.clone(), &format!("limit=2&cursor={cursor}"))));
    }
    for n in 0..6 {
        let recipient = below(&format!("recipients/{}", named.address(n)));
        all.push(get(recipient.clone(), ""));
        all.push(get(recipient.clone(), "at=2026-09-15T00:00:00Z"));
        all.push(get(recipient, &format!("stream={}", named.stream(2))));
    }
    for n in 0..3 {
        let (stream, addresses) = (named.stream(n), (0..6).map(|n| named.address(n)).collect::<Vec<_>>());
        all.push(post(below("check"), json!({ "stream": stream, "addresses": addresses })));
        all.push(get(below("activity"), &format!("stream={stream}")));
        all.push(get(below("stats"), &format!("stream={stream}&from=2026-09-10T00:00:00Z")));
        all.push(get(below(&format!("streams/{stream}/suppressions")), "format=csv"));
    }
    all.push(get(below("stats"), "from=2026-09-10T00:00:00Z&by=day"));
    all.push(get(below("activity"), "type=Bounce&class=hard"));
    all.push(get(below("completeness"), ""));
    all.push(get(below("audit"), "limit=500"));
    all.extend(cursors.iter().map(|cursor| get(below("audit"), &format!("cursor={cursor}"))));
    all.extend(["/v1/servers", "/v1/tokens"].map(|path| get(path.to_owned(), "")));
    all
}

/// All that can be changed at a server, by the names that some tenant has for things.
fn changes(server: i64, named: Tenant) -> Vec<Ask> {
    let below = |tail: &str| format!("/v1/servers/{server}/{tail}");
    let all: Vec<String> = (0..6).map(|n| named.address(n)).collect();
    let mut changes = vec![
        post(
            below("suppressions"),
            json!({ "addresses": &all[..4], "stream": named.stream(2), "reason": "asked", "postmark": false }),
        ),
        post(
            below(&format!("recipients/{}/reactivate", all[3])),
            json!({ "stream": named.stream(2), "reason": "asked" }),
        ),
        post(below(&format!("recipients/{}/erase", all[1])), "{}"),
        post(below(&format!("recipients/{}/erase", all[4])), "{}"),
        post(below("import"), format!("email\r\n{}\r\n{}\r\n", all[2], all[5])),
    ];
    changes[4].query = "stream=outbound&cause=manual".to_owned();
    changes
}

/// Whether an answer tells what the request does not: something that only the other tenant's events say.
fn tells(told: &Response<Vec<u8>>, ask: &Ask) -> bool {
    let headers = told.headers().values().map(HeaderValue::as_bytes);
    let mut whole: Vec<u8> = headers.flatten().copied().collect();
    whole.extend_from_slice(told.body());
    let mut text = String::from_utf8_lossy(&whole).into_owned();
    // What was typed may be repeated: an address, a stream.
    let typed = (0..6).map(|n| OTHER.address(n)).chain([OTHER.stream(2)]);
    for typed in typed.filter(|typed| format!("{ask:?}").contains(typed)) {
        text = text.replace(&typed, "");
    }
    text.contains(OTHER.mark) || text.contains(&OTHER.server.to_string())
}

/// An answer without what is made at random: ids of changes and of decisions, hashes over those, and the order that
/// follows from them.
fn settled(told: &Response<Vec<u8>>) -> (u16, Value) {
    fn without(value: Value) -> Value {
        let id = |text: &str| {
            [12, 16, 22, 32].contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        match value {
            Value::String(text) if id(&text) => Value::Null,
            Value::Array(items) => {
                let mut items: Vec<Value> = items.into_iter().map(without).collect();
                items.sort_by_key(Value::to_string);
                items.into()
            }
            Value::Object(members) => members
                .into_iter()
                .filter(|(name, _)| name != "next")
                .map(|(name, value)| (name, without(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            value => value,
        }
    }
    let body = serde_json::from_slice(told.body()).map(without);
    (told.status().as_u16(), body.unwrap_or(Value::Null))
}

/// What everything reads for a tenant: whole, since what is made at random has no order, and but for what reading itself
/// adds to the audit.
fn read(world: &World, tenant: Tenant, token: &str) -> Vec<(Ask, (u16, Value))> {
    let questions = questions(tenant.server, tenant, &[]).into_iter();
    let whole =
        questions.filter(|question| !question.query.contains("limit=") && !question.path.ends_with("/audit"));
    whole
        .map(|question| {
            let told = settled(&ask(world, token, &question));
            (question, told)
        })
        .collect()
}

fn apart(events: &[Drawn]) -> Result<usize, TestCaseError> {
    // One event that is told with two times has the newest of those that were counted, and which was counted is a matter of
    // which came first: two ledgers need not agree.
    let mut seen = BTreeSet::new();
    let once = events.iter().filter(|drawn| {
        let Drawn { other, kind, address, stream, message, .. } = **drawn;
        seen.insert((other, kind, address, stream, message))
    });
    let events: &[Drawn] = &once.cloned().collect::<Vec<_>>();
    let (both, alone) = (World::default(), World::default());
    fill(&both, &[ASKS, OTHER], events);
    fill(&alone, &[ASKS], events);
    let (tokens, others) = (Tokens::of(ASKS, &both), Tokens::of(OTHER, &both));
    for (token, _) in &tokens.0 {
        alone.block(token.keep(&*alone.store)).unwrap();
    }
    both.consume();
    alone.consume();
    // Tokens of several servers are made and revoked, and one that makes another one.
    for (world, servers, name) in [
        (&both, json!([ASKS.server, OTHER.server]), format!("{} and {}", ASKS.mark, OTHER.mark)),
        (&alone, json!([ASKS.server, NOBODY]), ASKS.mark.to_owned()),
    ] {
        let make = |by: &str, role: &str| {
            let body = json!({ "name": name, "role": role, "servers": servers });
            let made: Value =
                serde_json::from_slice(ask(world, by, &post("/v1/tokens".to_owned(), body)).body()).unwrap();
            ["id", "token"].map(|name| made[name].as_str().unwrap().to_owned())
        };
        let agency = world.token(Role::Operator, None, true);
        let [id, token] = make(&agency, "admin");
        make(&token, "viewer");
        let revoke = Ask { method: "DELETE", ..get(format!("/v1/tokens/{id}"), "") };
        prop_assert_eq!(ask(world, &agency, &revoke).status(), 200);
    }
    // The other one has done things too.
    ask(&both, others.admin(), &changes(OTHER.server, OTHER)[0]);
    let mut places = cursors(&both, OTHER, others.admin());
    let own = cursors(&both, ASKS, tokens.admin());
    // What is exported is noted, here as there.
    prop_assert_eq!(own.len(), cursors(&alone, ASKS, tokens.admin()).len());
    places.extend(own);
    let mut all = questions(ASKS.server, ASKS, &places);
    all.extend(questions(ASKS.server, OTHER, &places));
    all.extend(questions(OTHER.server, OTHER, &[]));
    all.extend(changes(OTHER.server, OTHER));
    all.extend(changes(OTHER.server, ASKS));
    let body = json!({ "name": "x", "role": "viewer", "servers": [OTHER.server] });
    all.push(post("/v1/tokens".to_owned(), body));
    let foreign = format!("/v1/tokens/{}", others.0[0].0.id);
    all.push(Ask { method: "DELETE", ..get(foreign, "") });
    all.sort();
    all.dedup();
    let mut asked = 0;
    for token in tokens.texts() {
        for question in &all {
            let (told, without) = (ask(&both, token, question), ask(&alone, token, question));
            prop_assert!(!tells(&told, question), "{:?}: {}", question, String::from_utf8_lossy(told.body()));
            prop_assert!(told.status().as_u16() < 500, "{:?}", question);
            let whole =
                |told: &Response<Vec<u8>>| (told.status(), told.headers().clone(), told.body().clone());
            if !question.path.ends_with("/audit") {
                prop_assert_eq!(whole(&told), whole(&without), "{:?}", question);
            } else if question.query.starts_with("cursor=") {
                // The ids of steps are made at random, and so is what lies behind a place among them.
                prop_assert_eq!(told.status(), without.status(), "{:?}", question);
            } else {
                prop_assert_eq!(settled(&told), settled(&without), "{:?}", question);
            }
            asked += 1;
        }
    }
    // Changes by the other one's names reach nothing of the other one's.
    let before = read(&both, OTHER, others.admin());
    for change in changes(ASKS.server, OTHER).into_iter().chain(changes(ASKS.server, ASKS)) {
        let (told, without) = (ask(&both, tokens.admin(), &change), ask(&alone, tokens.admin(), &change));
        prop_assert!(!tells(&told, &change), "{:?}: {}", change, String::from_utf8_lossy(told.body()));
        prop_assert_eq!(settled(&told), settled(&without), "{:?}", change);
        both.block(both.stack.drained()).unwrap();
        alone.block(alone.stack.drained()).unwrap();
        asked += 1;
    }
    prop_assert_eq!(before, read(&both, OTHER, others.admin()));
    let (beside, without) = (read(&both, ASKS, tokens.admin()), read(&alone, ASKS, tokens.admin()));
    for (beside, without) in beside.into_iter().zip(without) {
        prop_assert_eq!(beside, without);
    }
    Ok(asked)
}

#[test]
fn a_tenant_is_told_nothing_of_another_one_and_the_same_as_if_that_never_was() {
    let cases = platform::env::parsed("POSTLEDGER_TENANT_CASES", "a number of cases", CASES).unwrap();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let asked = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&prop::collection::vec(drawn(), 10..60), |events| {
        asked.set(asked.get() + apart(&events)?);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    println!("{cases} cases, {} requests, each asked of two ledgers", asked.get());
}
