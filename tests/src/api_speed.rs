//! The read API's own binary between a Runtime API, which asks it what a gateway would, and a stub of AWS that makes up
//! every item as it is asked for and answers at once: how long an answer takes, what it costs and how much it holds.

use crate::lambda::{Function, Lambda, queue_settings, table_settings};
use crate::meter::{Meter, size};
use crate::process::{cpu_ns, resident_kb};
use crate::reconcile_memory::{PAGE_BYTES, STREAM, address, index_page, listing, view, wire};
use crate::wire::{Wire, at_once};
use crate::{SERVER, STACK, server_id};
use account::tokens_prefix;
use api::token::{New, Role, Token};
use ledger::policy::SoftBouncePolicy;
use ledger::{LedgerKey, RecipientId, recipient_key};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};
use store::Collection;
use store::item::{self, Item};

/// Of how many addresses one has state: a list that was never cleaned.
const STATE_OF: u64 = 10;

/// What some answers took.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// From each request to its answer, the Runtime API's part and the stub's included.
    pub elapsed: Vec<Duration>,
    /// For how long the function had the CPU, for each.
    pub cpu: Vec<Duration>,
    /// The most memory that it had resident, in kilobytes, from its start on.
    pub resident_kb: u64,
    /// Its calls of AWS by operation, all together.
    pub aws: BTreeMap<String, u64>,
    /// How many addresses or rows it answered about.
    pub told: u64,
}

/// A running function, and what it talks to.
pub struct ApiBench {
    lambda: Lambda,
    aws: Wire,
    function: Function,
    token: String,
}

impl ApiBench {
    /// Starts the function over a stack whose list has so many rows.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start(binary: &Path, rows: u64) -> ApiBench {
        let new = New {
            name: "measured".to_owned(),
            role: Role::Admin,
            servers: Some([server_id(SERVER)].into()),
            reveal_addresses: true,
            read_content: false,
            expires_at: None,
            created_by: "measured".to_owned(),
            parent: None,
        };
        let (token, text) = Token::make(new, platform::now()).expect("random numbers");
        let kept = serde_json::to_string(&token).expect("plain JSON");
        let aws = Wire::stub_after(Duration::ZERO, answers(rows, token.id, kept)).await;
        let mut lambda = Lambda::start().await;
        let mut settings = table_settings(STACK);
        settings.extend(queue_settings(&aws.url, STACK));
        settings.push(("POSTLEDGER_TOKENS_PREFIX".to_owned(), tokens_prefix(STACK)));
        settings.push(("POSTLEDGER_SOFT_BOUNCE_POLICY".to_owned(), SoftBouncePolicy::default().to_string()));
        let function = Function::start(binary.to_owned(), &lambda.address, &aws.url, &settings);
        lambda.asked().await;
        ApiBench { lambda, aws, function, token: text }
    }

    fn pid(&self) -> u32 {
        self.function.child.id().expect("a running process")
    }

    /// Asks what a gateway would hand on: the body of the answer, which went well, and what it took.
    async fn ask(&mut self, method: &str, path: &str, query: &str, body: &str, into: &mut Measured) -> Value {
        let mut event = gateway_request(method, path, query, body);
        event["headers"]["authorization"] = format!("Bearer {}", self.token).into();
        let (begun, before) = (Instant::now(), cpu_ns(self.pid()));
        let answer = self.lambda.invoke(event).await;
        into.elapsed.push(begun.elapsed());
        into.cpu.push(Duration::from_nanos(cpu_ns(self.pid()) - before));
        assert_eq!(answer["statusCode"], 200, "{answer}");
        serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
    }

    /// Checks so many addresses in one request, so often.
    ///
    /// # Panics
    /// Where an answer is not what the stub's items say.
    pub async fn check(&mut self, addresses: u64, times: usize) -> Measured {
        let all: Vec<String> = (0..addresses).map(address).collect();
        let body = json!({ "stream": STREAM, "addresses": all }).to_string();
        let path = format!("/v1/servers/{SERVER}/check");
        self.aws.metered();
        let mut measured = Measured { told: addresses * times as u64, ..Measured::default() };
        for _ in 0..times {
            let told = self.ask("POST", &path, "", &body, &mut measured).await;
            let listed = addresses.div_ceil(STATE_OF);
            let counts =
                json!({ "send": addresses - listed, "risky": 0, "do_not_send": listed, "invalid": 0 });
            assert_eq!(told["counts"], counts);
        }
        self.close(measured)
    }

    /// Reads the whole list of suppressions, page by page.
    ///
    /// # Panics
    /// Where it is not whole.
    pub async fn list(&mut self, rows: u64, limit: u64) -> Measured {
        let path = format!("/v1/servers/{SERVER}/streams/{STREAM}/suppressions");
        let mut measured = Measured::default();
        let mut query = format!("limit={limit}");
        self.aws.metered();
        loop {
            let told = self.ask("GET", &path, &query, "", &mut measured).await;
            let items = told["items"].as_array().expect("items");
            if let Some(first) = items.first() {
                assert_eq!(first["address"], address(measured.told), "in order, none left out");
            }
            measured.told += items.len() as u64;
            match told["next"].as_str() {
                Some(next) => query = format!("limit={limit}&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(measured.told, rows);
        self.close(measured)
    }

    fn close(&self, measured: Measured) -> Measured {
        let Meter { calls, .. } = self.aws.metered();
        Measured { resident_kb: resident_kb(self.pid()), aws: calls, ..measured }
    }
}

/// A request as an HTTP API hands it to a function, in payload format 2.0.
pub(crate) fn gateway_request(method: &str, path: &str, query: &str, body: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "content-type": "application/json",
            "host": "a1b2c3.execute-api.us-east-1.amazonaws.com",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3",
            "domainName": "a1b2c3.execute-api.us-east-1.amazonaws.com",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": platform::now().micros() / 1_000,
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// What AWS answers where a list has so many rows, and of the addresses that are checked one in ten is on it.
fn answers(rows: u64, id: String, token: String) -> impl Fn(&str, &Value) -> Value + Send + Sync {
    let key = LedgerKey::for_tests();
    let server = server_id(SERVER);
    let each = size(&listing(&key, 0));
    let page = PAGE_BYTES / each.max(1);
    // The largest check.
    let with_state: HashSet<RecipientId> = (0..api::check::ADDRESSES_MAX as u64)
        .step_by(STATE_OF as usize)
        .map(|row| key.recipient_id(server, &recipient_key(&address(row))))
        .collect();
    move |operation, input| match operation {
        "GetItem" if input["Key"]["pk"]["S"] == Collection::Tokens.pk() => {
            let item = Item::default()
                .with("document", item::Value::S(token.clone()))
                .with("version", item::Value::N(1));
            json!({ "Item": wire((Collection::Tokens.pk(), id.clone()), item) })
        }
        "GetQueueAttributes" => json!({ "Attributes": {
            "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0",
        } }),
        "Query" if input["IndexName"] == "suppressed" => index_page(&key, input, page, rows),
        // The streams of the server: of the registry nothing else is queried.
        "Query" if input["TableName"].as_str().is_some_and(|table| table.ends_with("registry")) => {
            json!({ "Items": [wire(item::stream_key(server, STREAM), Item::default())], "Count": 1 })
        }
        "BatchGetItem" => {
            let mut responses = json!({});
            for (table, ask) in input["RequestItems"].as_object().into_iter().flatten() {
                let keys = ask["Keys"].as_array().into_iter().flatten();
                let ids = keys.filter_map(|key| key["pk"]["S"].as_str()?.split_once('#')?.1.parse().ok());
                responses[table] = ids.filter(|id| with_state.contains(id)).map(view).collect();
            }
            json!({ "Responses": responses, "UnprocessedKeys": {} })
        }
        _ => at_once(operation, input),
    }
}
