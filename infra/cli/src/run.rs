//! The command `run`: the whole ledger in one process, with a sample, until Ctrl-C.

use crate::api::Api;
use crate::args::{PORT, Run};
use crate::keys::{KeyRing, webhooks};
use crate::sample::SERVER;
use crate::terminal::Visible;
use crate::{Failure, say, trial};
use account::FileVault;
use credential::Verifier;
use embedded::{Limits, Parts, Pass, Stack, server};
use ledger::{LedgerKey, ServerId};
use queue::{Memory as MemoryQueue, Settings};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Memory as MemoryStore;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How long a clean shutdown may take.
const SHUTDOWN: Duration = Duration::from_secs(20);
/// What is said at the end, however it comes.
const GONE: &str = "It was kept in memory only, and is gone now.";
/// How often metrics are printed, where logs are asked for.
const METRICS_EVERY: Duration = Duration::from_secs(1);

/// Runs it.
///
/// # Errors
/// Where keys or port cannot be had, or the sample cannot be posted.
pub async fn run(args: &Run, keys: &KeyRing, home: &Path, stack: &str) -> Result<(), Failure> {
    if let Some(level) = &args.logs {
        // The collector keeps 100 values of a histogram and would complain of each further one.
        platform::logs::init(&format!("{level},metrics_cloudwatch_embedded=off"), || {
            Visible(std::io::stderr())
        });
        platform::metrics::init(stack);
    }
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await.map_err(|error| {
        let failure = Failure::new(format!("port {} on 127.0.0.1 cannot be had: {error}", args.port));
        failure.next(
            "stop what listens there, or choose another: `postledger run --port N` (0: any that is free)",
        )
    })?;
    // From here on nobody ends it without being told what that means.
    let mut stopping = Stopping::new()?;
    let doors = listener.local_addr()?;
    let base = format!("http://{doors}");
    let admin = TcpListener::bind(("127.0.0.1", 0)).await?;
    let pass = Pass::new(stack, &format!("http://{}", admin.local_addr()?))?;
    let verifier = Arc::new(Verifier::new(stack, keys.public(), [])?);
    let name = stack.to_owned();
    let stack = Arc::new(Stack::new(Parts {
        name: name.clone(),
        verifier,
        queue: Arc::new(MemoryQueue::new(Settings {
            visibility: Duration::from_secs(60),
            ..Settings::default()
        })),
        store: Arc::new(MemoryStore::default()),
        ledger_key: LedgerKey::for_tests(),
        vault: Arc::new(FileVault::new(home, &name)),
        postmark: crate::endpoint::endpoint(&args.postmark.base)?,
        clock: platform::clock(),
    }));
    let (close, closed) = watch::channel(false);
    let (stop, stopped) = watch::channel(false);
    let mut pumps = stack.consume(&stopped);
    let limits = Limits::default();
    let serving = tokio::spawn(server::serve(stack.clone(), listener, limits, until(closed.clone())));
    let operating =
        tokio::spawn(server::serve_admin(stack.clone(), admin, limits, pass.clone(), until(closed)));
    // Its commands find it from now on, as long as it runs.
    let _kept = pass.keep(home, doors.port())?;
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

    let mut cut_short = false;
    if !args.no_sample {
        let (base, password, once, pass) = (base.clone(), password.clone(), args.once, pass);
        let trial = tokio::task::spawn_blocking(move || {
            let ledger = Api::of_operator(&base, &pass);
            trial::run(&ledger, &base, user, &password)?;
            if once { trial::ask(&base, &ledger) } else { Ok(()) }
        });
        tokio::select! {
            done = trial => done.map_err(|_| Failure::new("the sample could not be posted"))??,
            () = stopping.asked() => cut_short = true,
        }
    }
    if !args.once && !cut_short {
        let usual = base.ends_with(&format!(":{PORT}"));
        let target = if usual { String::new() } else { format!(" --url {base}") };
        trial::tell_what_next(&base, user, &password, &target);
        say("\nCtrl-C stops it; what it holds is gone then.");
        stopping.asked().await;
    }
    if !args.once || cut_short {
        say("\nStopping: finishing what has come in. Ctrl-C again does not wait for that.");
    }

    let finished = tokio::time::timeout(SHUTDOWN, async {
        // First nobody is let in any more, then what came in is consumed, then the consumers may go.
        let _ = close.send(true);
        let served = serving.await;
        stack.drained().await?;
        let _ = stop.send(true);
        while pumps.join_next().await.is_some() {}
        served.and(operating.await).map_err(|_| Failure::new("a server stopped by a fault of its own"))
    });
    let finished = tokio::select! {
        finished = finished => finished,
        () = stopping.asked() => {
            return Err(Failure::new(format!("stopped before all was finished. {GONE}")));
        }
    };
    match finished {
        Ok(finished) => finished?,
        Err(_) => {
            return Err(Failure::new(format!("not everything could be finished in time. {GONE}")));
        }
    }
    let queues = stack.operator.queues().await.map_err(|error| Failure::new(error.to_string()))?;
    match queues.iter().map(|on| on.dead).sum::<usize>() {
        0 => say("All that came in is in the ledger or in quarantine."),
        dead => say(format!(
            "{dead} messages could not be consumed and are lost with this process; see the logs."
        )),
    }
    say(GONE);
    if args.logs.is_some() {
        platform::metrics::flush(Visible(std::io::stderr()));
    }
    if args.once && cut_short {
        return Err(Failure::new("it was stopped before the sample was shown").next("run it again"));
    }
    Ok(())
}

async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn print_metrics() {
    loop {
        tokio::time::sleep(METRICS_EVERY).await;
        platform::metrics::flush(Visible(std::io::stderr()));
    }
}

/// Ctrl-C, or a polite request to end.
struct Stopping {
    interrupt: Signal,
    terminate: Signal,
}

impl Stopping {
    /// From now on they are noticed, and end nothing by themselves.
    fn new() -> Result<Stopping, Failure> {
        Ok(Stopping {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns once somebody asks for the end.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
