//! A first look: posts the sample to a ledger's doors over HTTP, waits until it is consumed, and shows the ledger that
//! it made. The same for the embedded mode and a stack in an emulator.

use crate::api::{Api, Request};
use crate::args::Unknown;
use crate::client::agent;
use crate::sample::{LEDGER, SERVER, Sent, sample};
use crate::{Failure, operate, post, say, show};
use answers::{CheckRequest, Checked, MadeToken, NewToken, Recipient, Role, Timeline, UnknownStream};
use credential::{User, basic};
use std::time::{Duration, Instant};

/// How long the sample may take to be consumed: a function's first start, and the bulk queue's window.
const SETTLED_WAIT: Duration = Duration::from_secs(120);
/// How often it is asked whether it is.
const SETTLED_POLL: Duration = Duration::from_millis(50);
/// How often in a row the queues must be empty: SQS tells their length approximately.
const EMPTY_TIMES: u32 = 3;

/// Runs it, under a credential of the sample's server.
///
/// # Errors
/// Where nobody answers, or the sample is not consumed in time.
pub fn run(ledger: &Api, doors: &str, user: User, password: &str) -> Result<(), Failure> {
    let authorization = basic(user, password);
    let agent = agent();
    let post = |sent: &Sent| {
        let url = format!("{doors}/v1/{SERVER}/{}", sent.segment);
        let answer = post::one(&agent, &url, &authorization, &sent.body)
            .map_err(|error| Failure::new(format!("the sample could not be posted: {error}")))?;
        Ok([sent.segment.to_owned(), sent.what.to_owned(), answer])
    };
    let rows: Result<Vec<[String; 3]>, Failure> = sample(SERVER, platform::now()).iter().map(post).collect();
    let rows = rows?;
    let (all, refused) =
        (rows.len(), rows.iter().filter(|[_, _, answer]| !answer.starts_with("200")).count());
    say("\nThe sample, posted over HTTP:\n");
    say(show::table(["to", "what", "answer"], rows));
    if refused > 0 {
        return Err(Failure::new(format!("{refused} of the {all} bodies of the sample were refused")).next(
            "the doors do not take this key or password: name the folder and stack that they run with by --home and \
             --stack; a stack on AWS learns a new key by `make deploy`",
        ));
    }
    wait_until_settled(ledger)?;
    show_ledger(ledger)
}

/// Returns once nothing waits or is being consumed.
fn wait_until_settled(ledger: &Api) -> Result<(), Failure> {
    let start = Instant::now();
    let mut empty = 0;
    while empty < EMPTY_TIMES {
        let busy = operate::queues(ledger)?.iter().any(|on| on.waiting + on.in_flight > 0);
        empty = if busy { 0 } else { empty + 1 };
        if start.elapsed() > SETTLED_WAIT {
            return Err(Failure::new("the sample was taken in, but is not consumed yet")
                .next("see what waits by `postledger queues`, and the consumer's log"));
        }
        std::thread::sleep(SETTLED_POLL);
    }
    Ok(())
}

fn show_ledger(ledger: &Api) -> Result<(), Failure> {
    let server = SERVER.to_string();
    let mut rows = Vec::new();
    let mut events = 0;
    for (address, stream) in LEDGER {
        let at = ["servers", &*server, "recipients", address];
        let unknown = Unknown { allowed: true };
        let told: Recipient =
            ledger.read(&Request::get(&at).with("stream", Some(stream)).unknown(unknown))?;
        rows.extend(told.streams.iter().map(|(stream, answer)| show::row(address, stream, answer)));
        let timeline: Timeline = ledger.read(&Request::get(&[&at[..], &["timeline"]].concat()))?;
        events += timeline.items.iter().filter(|entry| entry.stream == stream).count();
    }
    let aside = operate::quarantine(ledger, 1)?.len();
    let dead: usize = operate::queues(ledger)?.iter().map(|on| on.dead).sum();
    say("\nThe ledger:\n");
    say(show::table(show::ROW, rows));
    say(format!("\n{events} events recorded, each once; {aside} bodies set aside; {dead} dead letters."));
    Ok(())
}

/// Asks the read API two things over HTTP, as a sender would, with a token that is made for it.
///
/// # Errors
/// Where it does not answer.
pub fn ask(base: &str, ledger: &Api) -> Result<(), Failure> {
    let server = SERVER.to_string();
    let new = NewToken {
        name: "a first look".to_owned(),
        role: Role::Viewer,
        servers: Some(vec![SERVER]),
        reveal_addresses: None,
        read_content: None,
        expires_at: None,
    };
    let made: MadeToken = ledger.read(&Request::post(&["tokens"]).json(&new))?;
    let api = Api::of_bearer(base, &made.token)?;
    say("\nThe read API, asked over HTTP with a viewer's token:\n");

    let asked = CheckRequest {
        stream: "broadcast".to_owned(),
        addresses: vec![LEDGER[0].0.to_owned(), LEDGER[2].0.to_owned()],
        unknown_stream: UnknownStream::default(),
    };
    let words = serde_json::to_string(&asked)?;
    say(format!(
        "  {CURL} -H 'content-type: application/json' \\\n    {base}/v1/servers/{SERVER}/check -d '{words}'"
    ));
    let told: Checked = api.read(&Request::post(&["servers", &server, "check"]).json(&asked))?;
    let rows = told.results.into_iter().map(|result| {
        let why = result.reasons.first().map(|reason| reason.words.clone()).unwrap_or_default();
        [result.address, show::verdict(&result.verdict), why]
    });
    say(show::table(["address", "verdict", "why"], rows));

    let (address, stream) = LEDGER[7];
    let request = Request::get(&["servers", &server, "recipients", address]).with("stream", Some(stream));
    say(format!("\n  {CURL} '{base}{request}'"));
    let told: Recipient = api.read(&request)?;
    let rows = told.streams.into_values().map(|answer| {
        let why = answer.reasons.first().map(|reason| reason.finding.words.clone()).unwrap_or_default();
        [show::verdict(&answer.verdict), why, answer.decision]
    });
    say(format!("{}\n", show::table(["verdict", "why", "what decided"], rows)));
    Ok(())
}

/// How a token is sent that `token new --out token` has put into a file.
const CURL: &str = "curl -H @token";

/// Says what to try next; `target` is what makes the commands ask this ledger.
pub fn tell_what_next(doors: &str, user: User, password: &str, target: &str) {
    let now = platform::now();
    // The sample has an address suppressed by hand 90 hours ago and reactivated 60 hours ago.
    let between = now.plus_seconds(-75 * 3_600).to_string();
    let (between, now) = (format!("{}Z", &between[..19]), format!("{}Z", &now.to_string()[..19]));
    let me = std::env::args().next().unwrap_or_else(|| "postledger".to_owned());
    say(format!(
        "\nTry next, in another terminal:\n
  {me} recipient --server {SERVER} no.such.user@customer.example{target}
  {me} recipient --server {SERVER} back.again@customer.example --at {between}{target}
  {me} stats --server {SERVER} --by day{target}
  {me} quarantine list{target}
  {me} suppress --server {SERVER} --stream outbound --no-postmark --reason 'asked by phone' ida.moreau@customer.example{target}
  {me} check --server {SERVER} --stream broadcast --address annoyed@customer.example{target}
  {me} token new --name me --role viewer --servers {SERVER}{target} --out token
  curl -H @token -H 'content-type: application/json' {doors}/v1/servers/{SERVER}/check \\
    -d '{{\"stream\":\"broadcast\",\"addresses\":[\"ida.moreau@customer.example\",\"annoyed@customer.example\"]}}'
  curl -u {user}:{password} -H 'content-type: application/json' {doors}/v1/{SERVER}/events \\
    -d '{{\"RecordType\":\"Delivery\",\"MessageID\":\"m-1\",\"Recipient\":\"you@customer.example\",\"DeliveredAt\":\"{now}\"}}'"
    ));
}
