//! The whole stack as it is deployed: the real template, the functions' own binaries and real HTTP, in an emulator where
//! functions may do what their roles allow, and no more.

use crate::command::{Folder, command, postledger, run, text};
use crate::emulator::{Emulator, REGION, link, root, tables};
use crate::lambda::packages;
use aws::Limits;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use credential::{User, basic};
use http::{Request, Response};
use ledger::LedgerKey;
use postledger::args::OnAws;
use postledger::aws::{doors, ledger_key_parameter};
use postledger::keys::KeyRing;
use queue::{Depth, Queue as _, QueueName, Sqs};
use serde_json::Value;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use store::DynamoDb;
use tokio::runtime::Runtime;
use ureq::Agent;

/// How long anything may take that is waited for: far longer than it takes on a machine with nothing else to do.
const WAIT: Duration = Duration::from_secs(300);
/// How often it is looked for.
const POLL: Duration = Duration::from_millis(50);

/// A deployed stack.
pub struct Deployed {
    /// Its name.
    pub name: &'static str,
    /// Where its API is: another one for another life of the stack.
    api: Mutex<String>,
    /// Where its keys are kept.
    pub home: Folder,
    /// What its first deployment said.
    pub said: String,
    /// Its queues, for a test to look at and put messages on.
    pub queue: Sqs,
    /// Its tables, for a test to look at.
    pub store: DynamoDb,
    agent: Agent,
    runtime: Runtime,
}

/// A stack that several tests use, one at a time: deployed when first wanted.
pub struct Shared {
    name: &'static str,
    stack: OnceLock<Mutex<Deployed>>,
}

impl Shared {
    /// A stack of a name.
    pub const fn new(name: &'static str) -> Shared {
        Shared { name, stack: OnceLock::new() }
    }

    /// The stack, for this test alone until it lets go.
    pub fn lock(&self) -> MutexGuard<'_, Deployed> {
        let stack = self.stack.get_or_init(|| Mutex::new(Deployed::new(self.name)));
        stack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deployed {
    /// Deploys a stack of a name, with the ledger key of the tests.
    ///
    /// # Panics
    /// Where it cannot be deployed.
    pub fn new(name: &'static str) -> Deployed {
        Deployed::with(name, &[])
    }

    /// As [`Deployed::new`], with some parameters.
    ///
    /// # Panics
    /// Where it cannot be deployed.
    pub fn with(name: &'static str, parameters: &[&str]) -> Deployed {
        let emulator = Emulator::enforcing();
        let home = Folder::new(name);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads");
        let key = URL_SAFE_NO_PAD.encode(LedgerKey::BYTES_FOR_TESTS);
        let put = link(&emulator.url, Limits::COMMAND);
        runtime.block_on(put.put_parameter(&ledger_key_parameter(name), &key)).expect("a parameter");
        let said = deployed(name, &home, parameters);
        let queue = Sqs::of_stack(link(&emulator.url, Limits::COMMAND), name);
        Deployed {
            name,
            api: Mutex::new(doors(&on_aws(), name).expect("its outputs")),
            home,
            said,
            queue: runtime.block_on(queue).expect("its queues"),
            store: tables(&emulator.url, name, true),
            agent: postledger::client::agent(),
            runtime,
        }
    }

    /// Deploys it again, with some parameters, `--adopt` or `--rollback`; what was said of it.
    ///
    /// # Panics
    /// Where it cannot be deployed.
    pub fn redeploy(&self, parameters: &[&str]) -> String {
        let said = deployed(self.name, &self.home, parameters);
        *self.api.lock().unwrap_or_else(PoisonError::into_inner) =
            doors(&on_aws(), self.name).expect("its outputs");
        said
    }

    /// Runs a future.
    pub fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The `Authorization` header of a server's password, by the newest key.
    ///
    /// # Panics
    /// Where there is no key.
    pub fn authorization(&self, server: i64) -> String {
        let ring = KeyRing::open(self.home.path(), self.name).expect("keys");
        let (user, password) = ring.credential(crate::server_id(server), 1).expect("a key");
        basic(user, &password)
    }

    /// The header of a user with somebody else's password.
    ///
    /// # Panics
    /// Where there are no random numbers.
    pub fn wrong_authorization(&self, server: i64) -> String {
        let key = credential::PrivateKey::generate().expect("random numbers");
        let user = User { server: crate::server_id(server), generation: 1 };
        basic(user, &key.password(self.name, user).expect("a password"))
    }

    /// Where its API is now.
    pub fn base(&self) -> String {
        self.api.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request: status, headers and body of the answer.
    ///
    /// # Panics
    /// Where nobody answers.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: &[u8],
    ) -> Response<String> {
        let api = self.base();
        let mut request = Request::builder().method(method).uri(format!("{api}{path}"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request =
            request.header("content-type", "application/json").body(body.to_vec()).expect("a request");
        let (parts, mut body) = self.agent.run(request).expect("an answer").into_parts();
        Response::from_parts(parts, body.read_to_string().expect("a text"))
    }

    /// Posts a body to a type's URL of a server until it is answered 200, as Postmark would; how often.
    ///
    /// # Panics
    /// Where it is refused for good, or the answer is 200 too late.
    pub fn tell(&self, server: i64, segment: &str, authorization: &str, body: &[u8]) -> u32 {
        let (start, mut times) = (Instant::now(), 0);
        loop {
            times += 1;
            let path = format!("/v1/{server}/{segment}");
            match self.send("POST", &path, Some(authorization), body).status().as_u16() {
                200 => return times,
                // What Postmark retries, beside the server's own errors.
                status => {
                    assert!(status >= 500 || status == 408 || status == 429, "refused for good: {status}")
                }
            }
            assert!(start.elapsed() < WAIT, "never taken in");
            std::thread::sleep(POLL);
        }
    }

    /// What is on a queue.
    ///
    /// # Panics
    /// Where it does not say.
    pub fn depth(&self, name: QueueName) -> Depth {
        self.block(self.queue.depth(name)).expect("a depth")
    }

    /// Waits until nothing waits or is being consumed.
    ///
    /// # Panics
    /// Where that takes too long.
    pub fn settled(&self) {
        let busy = |name: &QueueName| self.depth(*name) != Depth::default();
        self.wait_until("nothing is left to consume", || !QueueName::LIVE.iter().any(busy));
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// Where that takes too long: with what is on the queues, and what the consumer printed last.
    pub fn wait_until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !so() {
            if start.elapsed() >= WAIT {
                let depths = QueueName::ALL.map(|name| (name, self.depth(name)));
                let printed = self.printed("consumer");
                let last = &printed[printed.len().saturating_sub(20)..];
                panic!("not in time: {what}\n{depths:?}\n{}", last.join("\n"));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Runs the command on this stack.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        self.ask_with(arguments, b"")
    }

    /// Runs the command on this stack, with something on its standard input.
    pub fn ask_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        run(self.command().args(arguments), input)
    }

    /// What the command tells of this stack, as JSON.
    ///
    /// # Panics
    /// Where it fails.
    pub fn told(&self, arguments: &[&str]) -> Value {
        let output = self.ask(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn command(&self) -> Command {
        let mut command = command();
        command.env("POSTLEDGER_ENDPOINT", &Emulator::enforcing().url).env("POSTLEDGER_STACK", self.name);
        command.env("POSTLEDGER_HOME", self.home.path());
        command
    }

    /// The process ids of a function of this stack.
    pub fn processes(&self, function: &str) -> Vec<String> {
        let named = format!("AWS_LAMBDA_FUNCTION_NAME={}-{function}", self.name);
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let of_function = |pid: &String| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == named.as_bytes())
        };
        all.map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            .filter(of_function)
            .collect()
    }

    /// All that a function has printed.
    ///
    /// # Panics
    /// Where the emulator does not tell.
    pub fn printed(&self, function: &str) -> Vec<String> {
        let group = format!("/aws/lambda/{}-{function}", self.name);
        let (mut lines, mut next) = (Vec::new(), Value::Null);
        loop {
            let mut input = serde_json::json!({ "logGroupName": group });
            if next.is_string() {
                input["nextToken"] = next;
            }
            let answer = aws_json("logs", "Logs_20140328.FilterLogEvents", &input);
            let events = answer["events"].as_array().cloned().unwrap_or_default();
            lines.extend(events.iter().filter_map(|event| event["message"].as_str().map(str::to_owned)));
            next = answer["nextToken"].clone();
            if !next.is_string() {
                return lines;
            }
        }
    }

    /// The sum of a metric that a function has printed.
    pub fn counted(&self, function: &str, metric: &str) -> u64 {
        let documents = self.printed(function).into_iter();
        let documents = documents.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        documents.filter_map(|document| document[metric].as_u64()).sum()
    }

    /// What a function answers to an event, and whether it failed.
    ///
    /// # Panics
    /// Where the emulator does not start it.
    pub fn invoke(&self, function: &str, event: &Value) -> Result<Value, Value> {
        let path = format!("/2015-03-31/functions/{}-{function}/invocations", self.name);
        let answer = aws_call("lambda", "POST", &path, &[], &event.to_string());
        let failed = answer.headers().contains_key("x-amz-function-error");
        assert_eq!(answer.status(), 200, "{path}: {}", answer.body());
        let told = serde_json::from_str(answer.body()).unwrap_or_default();
        if failed { Err(told) } else { Ok(told) }
    }

    /// Stops the consumers, as if they were slow: what is told from here on waits on its queue.
    ///
    /// # Panics
    /// Where the emulator does not do it.
    pub fn stop_consumers(&self) {
        for mapping in self.mappings() {
            let path = format!("{MAPPINGS}/{}", mapping["UUID"].as_str().expect("an id"));
            let answer = aws_call("lambda", "PUT", &path, &[], r#"{"Enabled":false}"#);
            assert!(answer.status().is_success(), "{path}: {}", answer.body());
        }
    }

    /// The event source mappings that lead to this stack's consumer.
    ///
    /// # Panics
    /// Where the emulator does not tell.
    pub fn mappings(&self) -> Vec<Value> {
        let answer = aws_call("lambda", "GET", &format!("{MAPPINGS}/"), &[], "");
        let told: Value = serde_json::from_str(answer.body()).expect("JSON");
        let all = told["EventSourceMappings"].as_array().expect("a list").clone();
        let function = format!(":function:{}-consumer", self.name);
        let ours = |one: &Value| one["FunctionArn"].as_str().is_some_and(|arn| arn.ends_with(&function));
        all.into_iter().filter(ours).collect()
    }

    /// The items of a table of this stack, as DynamoDB writes them.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let input = serde_json::json!({ "TableName": format!("{}-{table}", self.name) });
        let told = aws_json("dynamodb", "DynamoDB_20120810.Scan", &input);
        told["Items"].as_array().cloned().unwrap_or_default()
    }

    /// An output of the stack.
    ///
    /// # Panics
    /// Where it tells none of that name.
    pub fn output(&self, name: &str) -> String {
        let outputs = postledger::aws::outputs(&on_aws(), self.name).expect("its outputs");
        outputs.and_then(|mut outputs| outputs.remove(name)).expect("an output of that name")
    }

    /// Deletes the stack, and waits until it is gone.
    ///
    /// # Panics
    /// Where that takes too long.
    pub fn delete(&self) {
        delete_stack(self.name);
        self.wait_until("the stack is gone", || state_of(self.name).is_none());
    }

    /// The schedule that starts a function.
    ///
    /// # Panics
    /// Where there is none.
    pub fn schedule(&self, function: &str) -> Value {
        let path = format!("/schedules/{}-{function}", self.name);
        let answer = aws_call("scheduler", "GET", &path, &[], "");
        assert_eq!(answer.status(), 200, "{path}: {}", answer.body());
        serde_json::from_str(answer.body()).expect("JSON")
    }

    /// Sets an attribute of a queue.
    pub fn set_queue(&self, name: QueueName, attribute: &str, value: &str) {
        let url = self.queue.url(name).expect("a queue");
        let input = serde_json::json!({ "QueueUrl": url, "Attributes": { attribute: value } });
        aws_json("sqs", "AmazonSQS.SetQueueAttributes", &input);
    }
}

/// Where the emulator keeps event source mappings.
const MAPPINGS: &str = "/2015-03-31/event-source-mappings";

/// Asks for a stack to be deleted.
///
/// # Panics
/// Where that is refused.
pub fn delete_stack(name: &str) {
    aws_query("cloudformation", &[("Action", "DeleteStack"), ("Version", "2010-05-15"), ("StackName", name)]);
}

/// Whether CloudFormation refuses to delete a stack, because it is protected.
pub fn is_protected(name: &str) -> bool {
    let pairs = [("Action", "DeleteStack"), ("Version", "2010-05-15"), ("StackName", name)];
    let answer = aws_form("cloudformation", &pairs);
    answer.status() == 400 && answer.body().contains("TerminationProtection is enabled")
}

/// The state of a stack, as CloudFormation names it; `None` where there is none.
pub fn state_of(name: &str) -> Option<String> {
    let pairs = [("Action", "DescribeStacks"), ("Version", "2010-05-15"), ("StackName", name)];
    let answer = aws_form("cloudformation", &pairs);
    let (_, state) = answer.body().split_once("<StackStatus>")?;
    Some(state.split_once('<')?.0.to_owned())
}

fn on_aws() -> OnAws {
    OnAws {
        endpoint: Some(Emulator::enforcing().url.clone()),
        region: Some(REGION.to_owned()),
        ..OnAws::default()
    }
}

fn deployed(name: &str, home: &Folder, parameters: &[&str]) -> String {
    let output = deploy(name, home, parameters);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    said
}

/// What `infra/deploy.py` does with a stack of a name, the keys of a folder, and parameters or options.
pub fn deploy(name: &str, home: &Folder, parameters: &[&str]) -> Output {
    let mut deploy = Command::new(root().join(".tools/sam/bin/python"));
    deploy.arg(root().join("infra/deploy.py")).args(["local", "--stack", name, "--home"]).arg(home.path());
    deploy.args(["--endpoint", &Emulator::enforcing().url]).arg("--postledger").arg(postledger());
    deploy.arg("--functions").arg(packages());
    for parameter in parameters {
        match parameter.strip_prefix("--") {
            Some(_) => deploy.arg(parameter),
            None => deploy.args(["--set", parameter]),
        };
    }
    run(&mut deploy, b"")
}

/// Calls the emulator in AWS's JSON protocol, as its root.
///
/// # Panics
/// Where it refuses.
pub fn aws_json(service: &str, target: &str, input: &Value) -> Value {
    let version = if service == "logs" || service == "ssm" { "1.1" } else { "1.0" };
    let media = format!("application/x-amz-json-{version}");
    let headers = [("content-type", &*media), ("x-amz-target", target)];
    let answer = aws_call(service, "POST", "/", &headers, &input.to_string());
    assert_eq!(answer.status(), 200, "{target}: {}", answer.body());
    serde_json::from_str(answer.body()).unwrap_or_default()
}

/// The status of a call that did not come over TLS.
pub fn status_in_clear(service: &str, target: &str, input: &Value) -> u16 {
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", target),
        ("x-forwarded-proto", "http"),
    ];
    aws_call(service, "POST", "/", &headers, &input.to_string()).status().as_u16()
}

/// Calls the emulator in AWS's query protocol, as its root.
///
/// # Panics
/// Where it refuses.
pub fn aws_query(service: &str, pairs: &[(&str, &str)]) -> String {
    let answer = aws_form(service, pairs);
    assert_eq!(answer.status(), 200, "{service}: {}", answer.body());
    answer.into_body()
}

fn aws_form(service: &str, pairs: &[(&str, &str)]) -> Response<String> {
    let encoded = pairs.iter().map(|(name, value)| {
        let value = value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        format!("{name}={value}")
    });
    let form = encoded.collect::<Vec<_>>().join("&");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    aws_call(service, "POST", "/", &headers, &form)
}

fn aws_call(
    service: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<String> {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    let scope = format!("Credential=test/20260101/{REGION}/{service}/aws4_request");
    let authorization = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
    let mut request = Request::builder().method(method).uri(format!("{}{path}", Emulator::enforcing().url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("authorization", authorization).body(body.to_owned()).expect("a request");
    let (parts, mut body) =
        AGENT.get_or_init(postledger::client::agent).run(request).expect("an answer").into_parts();
    let told = body.with_config().limit(u64::MAX).read_to_string().expect("a text");
    Response::from_parts(parts, told)
}
