//! The command `run`: the whole ledger in one process, with a sample, until Ctrl-C.

use crate::args::Run;
use crate::client::agent;
use crate::embedded::{Parts, Stack, server};
use crate::keys::{KeyRing, webhooks};
use crate::sample::{LEDGER, Sent, sample};
use crate::{Failure, post, say, show};
use ingest::Verifier;
use ingest::credential::{User, basic};
use ledger::{LedgerKey, ServerId, Time};
use queue::{Memory as MemoryQueue, QueueName, Settings};
use std::sync::Arc;
use std::time::Duration;
use store::Memory as MemoryStore;
use store::ask::{self, Ask};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long a clean shutdown may take.
const SHUTDOWN: Duration = Duration::from_secs(20);
/// How often metrics are printed, where logs are asked for.
const METRICS_EVERY: Duration = Duration::from_secs(1);
/// The sample's server.
const SERVER: i64 = 8_123_456;

/// Runs it.
///
/// # Errors
/// Where keys or port cannot be had, or the sample cannot be posted.
pub async fn run(args: &Run, keys: &KeyRing, stack: &str) -> Result<(), Failure> {
    if let Some(level) = &args.logs {
        // The collector keeps 100 values of a histogram and would complain of each further one.
        platform::logs::init(&format!("{level},metrics_cloudwatch_embedded=off"), std::io::stderr);
        platform::metrics::init(stack);
    }
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await.map_err(|error| {
        let failure = Failure::new(format!("port {} on 127.0.0.1 cannot be had: {error}", args.port));
        failure.next(
            "stop what listens there, or choose another: `postledger run --port N` (0: any that is free)",
        )
    })?;
    let base = format!("http://{}", listener.local_addr()?);
    let verifier = Arc::new(Verifier::new(stack, keys.public(), [])?);
    let stack = Arc::new(Stack::new(Parts {
        name: stack.to_owned(),
        verifier,
        queue: Arc::new(MemoryQueue::new(Settings {
            visibility: Duration::from_secs(60),
            ..Settings::default()
        })),
        store: Arc::new(MemoryStore::default()),
        ledger_key: LedgerKey::for_tests(),
        clock: platform::clock(),
    }));
    let (close, closed) = watch::channel(false);
    let (stop, stopped) = watch::channel(false);
    let mut pumps = stack.consume(&stopped);
    let serving = tokio::spawn(server::serve(stack.clone(), listener, until(closed)));
    if args.logs.is_some() {
        tokio::spawn(print_metrics());
    }

    say(format!(
        "Postledger is up at {base}, for this machine only. What it takes in, it forgets when it stops."
    ));
    let server = ServerId::new(SERVER)?;
    let (user, password) = keys.credential(server, 1)?;
    say(format!("\nWebhook URLs of the sample server {SERVER}, to put into Postmark:\n"));
    for webhook in webhooks(&base, user, &password, "all") {
        say(format!("  {}", webhook.url_with_credential));
    }
    say(format!("\n  or apart: user {user}, password {password}"));

    if !args.no_sample {
        post_sample(&base, user, &password, &stack).await?;
        show_ledger(&stack, server).await?;
    }
    if !args.once {
        tell_what_next(&base, user, &password, (stack.desk.clock)());
        wait_for_the_end().await;
        say("\nStopping: finishing what has come in.");
    }

    let finished = tokio::time::timeout(SHUTDOWN, async {
        // First nobody is let in any more, then what came in is consumed, then the consumers may go.
        let _ = close.send(true);
        let served = serving.await;
        stack.drained().await?;
        let _ = stop.send(true);
        while pumps.join_next().await.is_some() {}
        served.map_err(|_| Failure::new("the server stopped by a fault of its own"))?.map_err(Failure::from)
    });
    match finished.await {
        Ok(finished) => finished?,
        Err(_) => {
            return Err(Failure::new(
                "not everything could be finished in time; what was left is lost with it",
            ));
        }
    }
    match dead_letters(&stack).await? {
        0 => say("All that came in is in the ledger or in quarantine."),
        dead => say(format!(
            "{dead} messages could not be consumed and are lost with this process; see the logs."
        )),
    }
    if args.logs.is_some() {
        platform::metrics::flush(std::io::stderr());
    }
    Ok(())
}

async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn print_metrics() {
    loop {
        tokio::time::sleep(METRICS_EVERY).await;
        platform::metrics::flush(std::io::stderr());
    }
}

/// Ctrl-C, or a polite request to end.
async fn wait_for_the_end() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

async fn post_sample(base: &str, user: User, password: &str, stack: &Stack) -> Result<(), Failure> {
    let all = sample(SERVER, (stack.desk.clock)());
    let (base, authorization) = (base.to_owned(), basic(user, password));
    let rows = tokio::task::spawn_blocking(move || {
        all.iter().map(|sent| post_sent(&base, &authorization, sent)).collect()
    });
    let rows: Result<Vec<[String; 3]>, Failure> =
        rows.await.map_err(|_| Failure::new("the sample could not be posted"))?;
    say("\nThe sample, posted over HTTP:\n");
    say(show::table(["to", "what", "answer"], rows?));
    stack.drained().await?;
    Ok(())
}

fn post_sent(base: &str, authorization: &str, sent: &Sent) -> Result<[String; 3], Failure> {
    let url = format!("{base}/v1/{SERVER}/{}", sent.segment);
    let answer = post::one(&agent(), &url, authorization, &sent.body)
        .map_err(|error| Failure::new(format!("the sample could not be posted: {error}")))?;
    Ok([sent.segment.to_owned(), sent.what.to_owned(), answer])
}

async fn show_ledger(stack: &Stack, server: ServerId) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut events = 0;
    for (address, stream) in LEDGER {
        let ask = Ask {
            server,
            address: address.to_owned(),
            stream: Some(stream.to_owned()),
            at: None,
            known_at: None,
        };
        let told =
            ask::recipient(&*stack.desk.store, &stack.desk.ledger_key, ask, (stack.desk.clock)()).await?;
        events += told.timeline.iter().filter(|entry| entry.stream == stream).count();
        rows.extend(told.streams.get(stream).map(|answer| show::row(address, stream, answer)));
    }
    let day = (stack.desk.clock)().day();
    let aside = stack.desk.store.kept_on(&day).await?.len();
    let dead = dead_letters(stack).await?;
    say("\nThe ledger:\n");
    say(show::table(["address", "stream", "verdict", "why", "since (UTC)"], rows));
    say(format!("\n{events} events recorded, each once; {aside} bodies set aside; {dead} dead letters."));
    Ok(())
}

/// How many messages could not be consumed, on all queues.
async fn dead_letters(stack: &Stack) -> Result<usize, Failure> {
    let mut dead = 0;
    for name in QueueName::LIVE.into_iter().filter_map(QueueName::dead) {
        dead += stack.desk.queue.depth(name).await?.visible;
    }
    Ok(dead)
}

fn tell_what_next(base: &str, user: User, password: &str, now: Time) {
    // The sample has an address suppressed by hand 90 hours ago and reactivated 60 hours ago.
    let between = now.plus_seconds(-75 * 3_600).to_string();
    let (between, now) = (format!("{}Z", &between[..19]), format!("{}Z", &now.to_string()[..19]));
    let me = std::env::args().next().unwrap_or_else(|| "postledger".to_owned());
    let target = if base.ends_with(&format!(":{}", crate::args::PORT)) {
        String::new()
    } else {
        format!(" --url {base}")
    };
    say(format!(
        "\nTry next, in another terminal:\n
  {me} recipient --server {SERVER} no.such.user@customer.example{target}
  {me} recipient --server {SERVER} back.again@customer.example --at {between}{target}
  {me} counts --server {SERVER}{target}
  {me} quarantine list{target}
  {me} decide --server {SERVER} --stream outbound ida.moreau@customer.example suppress --reason 'asked by phone'{target}
  curl -u {user}:{password} -H 'content-type: application/json' {base}/v1/{SERVER}/events \\
    -d '{{\"RecordType\":\"Delivery\",\"MessageID\":\"m-1\",\"Recipient\":\"you@customer.example\",\"DeliveredAt\":\"{now}\"}}'
\nCtrl-C stops it."
    ));
}
