//! The command `run`: the whole ledger in one process until Ctrl-C: in memory with a sample, or in a folder so that it lasts.

use crate::api::Api;
use crate::args::{PORT, Run};
use crate::keys::{KeyRing, webhooks};
use crate::listen::bind;
use crate::sample::SERVER;
use crate::terminal::Visible;
use crate::{Failure, connect, endpoint, portal, say, trial};
use account::rotate::Keys;
use account::{FileVault, Vault};
use api::scope::Portal as Known;
use credential::Verifier;
use embedded::{
    Folder, FolderError, Front, Limits, Parts, Ring, Signing, Socket, Stack, Timers, server, socket, tls,
};
use ledger::{LedgerKey, ServerId};
use people::{Brand, NoMail, Outbox};
use platform::metrics::Exposition;
use queue::{Memory as MemoryQueue, Queue, Settings, Sqlite as SqliteQueue};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Memory as MemoryStore;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a clean shutdown may take.
const SHUTDOWN: Duration = Duration::from_secs(20);
/// How long what has come in may still be consumed at the end, where it would be kept anyway.
const LAST_BATCHES: Duration = Duration::from_secs(5);
/// What is said at the end of a ledger in memory, however it comes.
const GONE: &str = "It was kept in memory only, and is gone now.";
/// How often metrics are printed, where logs are asked for.
const METRICS_EVERY: Duration = Duration::from_secs(1);
/// How often those that are served are tidied.
const TIDY_EVERY: Duration = Duration::from_secs(5);
/// How long a received message stays invisible here: no consumer takes longer.
const SETTINGS: Settings = Settings {
    visibility: Duration::from_secs(60),
    receives_max: queue::RECEIVES_MAX,
    duplicate_one_in: 0,
    shuffle: None,
};

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Failure {
        Failure::new(error.to_string())
    }
}

impl From<tls::TlsError> for Failure {
    fn from(error: tls::TlsError) -> Failure {
        Failure::new(error.to_string())
    }
}

/// Where it listens, and what for.
struct Listening {
    doors: TcpListener,
    address: SocketAddr,
    /// Where this machine reaches the doors.
    base: String,
    front: Front,
    metrics: Option<(TcpListener, Exposition)>,
}

impl Listening {
    /// What is spoken.
    fn scheme(&self) -> &'static str {
        if self.front.tls.is_some() { "https" } else { "http" }
    }

    async fn start(args: &Run, home: &Path, stack: &str) -> Result<Listening, Failure> {
        let asked = args.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, args.port).into());
        let instead = "`postledger run --port N` (0: any that is free)";
        let doors = bind(asked, instead).await?;
        let address = doors.local_addr()?;
        // Before anything is made: where its commands could not reach it, it is not started.
        socket::path(home, address.port())?;
        let tls = match (&args.tls_cert, &args.tls_key) {
            (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
            _ => None,
        };
        let here = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let metrics = match args.metrics {
            None => None,
            Some(address) => {
                let exposition = Exposition::start(stack)
                    .ok_or_else(|| Failure::new("this process collects its metrics already"))?;
                Some((bind(address, "`--metrics 127.0.0.1:0`").await?, exposition))
            }
        };
        Ok(Listening {
            base: format!("{scheme}://{}", SocketAddr::from((here, address.port()))),
            doors,
            address,
            front: Front { limits: Limits::default(), tls, proxies: args.trusted_proxies.clone().into() },
            metrics,
        })
    }
}

/// A ledger: in memory, or in a folder.
struct Ledger {
    stack: Arc<Stack>,
    /// What signs webhooks' passwords.
    keys: KeyRing,
    /// What is left undone where nobody starts it from outside.
    timers: Option<Timers>,
    /// What sends the portal's mail, where there is any.
    mail: Option<portal::Work>,
    /// Whether it was made just now.
    is_new: bool,
}

impl Ledger {
    async fn open(
        args: &Run,
        home: &Path,
        name: &str,
        here: &str,
        portal: Option<&portal::Listening>,
    ) -> Result<Ledger, Failure> {
        let clock = platform::clock();
        credential::checked_stack(name)?;
        let folder = match &args.data {
            Some(path) => Some(Folder::open(path, name, clock.clone()).await?),
            None => None,
        };
        // Made where there are none, once nothing stands in the way of the ledger, and for a new one alone: webhooks have
        // passwords by those that a ledger had before.
        let is_known = folder.as_ref().is_some_and(|folder| !folder.is_new);
        let keys = if is_known { KeyRing::open(home, name)? } else { KeyRing::open_or_make(home, name)? };
        if keys.public().is_empty() {
            let failure =
                Failure::new(format!("the keys that sign webhooks' passwords are not in {}", home.display()));
            return Err(failure.next(
                "give --home as before; or make new ones by `postledger keys new`, and give the webhooks new passwords by \
                 `postledger connect` afterwards",
            ));
        }
        let vault: Arc<dyn Vault> = Arc::new(FileVault::new(home, name));
        let postmark = endpoint::endpoint(&args.postmark.base)?;
        let (outbox, mail) = match portal {
            Some(_) => portal::outbox(&args.portal, &postmark)?,
            None => (Arc::new(NoMail) as Arc<dyn Outbox>, None),
        };
        let signing = signing(args, home, name, here)?;
        let base = Some(signing.first_base().to_owned());
        let parts = Parts {
            name: name.to_owned(),
            verifier: Arc::new(Verifier::new(name, keys.public(), [])?),
            queue: Arc::new(MemoryQueue::new(SETTINGS)),
            store: Arc::new(MemoryStore::default()),
            ledger_key: LedgerKey::for_tests(),
            vault: vault.clone(),
            postmark: postmark.clone(),
            clock: clock.clone(),
            portal: portal.map(|portal| Known { url: portal.url.clone(), outbox, brand: Brand::default() }),
            signing: Some(signing),
        };
        let Some(Folder { database, store, ledger_key, is_new }) = folder else {
            return Ok(Ledger { stack: Arc::new(Stack::new(parts)), keys, timers: None, mail, is_new: true });
        };
        let queue: Arc<dyn Queue> = Arc::new(SqliteQueue::new(database, SETTINGS, clock.clone()));
        let stack = Arc::new(Stack::new(Parts {
            queue: queue.clone(),
            store: store.clone(),
            ledger_key: ledger_key.clone(),
            ..parts
        }));
        let of = stack.clone();
        let timers = Timers {
            store,
            queue,
            vault,
            postmark,
            verifier: Arc::new(move || of.verifier()),
            base,
            ledger_key,
            clock,
        };
        Ok(Ledger { stack, keys, timers: Some(timers), mail, is_new })
    }
}

/// What webhooks are set up by for whoever asks for it in the portal. The keys are opened each time: a rotation by a command
/// changes them.
fn signing(args: &Run, home: &Path, stack: &str, here: &str) -> Result<Signing, Failure> {
    let base = args.doors.as_deref().map(|url| portal::checked(url, "--doors")).transpose()?;
    let (home, stack) = (home.to_owned(), stack.to_owned());
    let ring = move || {
        let ring = KeyRing::open(&home, &stack).map_err(|failure| failure.to_string())?;
        Ok(Ring { public: ring.public(), keys: Box::new(ring) as Box<dyn Keys> })
    };
    Ok(Signing { ring: Arc::new(ring), doors: connect::doors()?, base, here: here.to_owned() })
}

/// Runs it.
///
/// # Errors
/// Where keys, folder or port cannot be had, or the sample cannot be posted.
pub async fn run(args: &Run, home: &Path, stack: &str) -> Result<(), Failure> {
    let lasts = args.data.is_some();
    let logs = args.logs.as_deref().or(lasts.then_some("info"));
    if let Some(level) = logs {
        // The collector keeps 100 values of a histogram and would complain of each further one.
        platform::logs::init(&format!("{level},metrics_cloudwatch_embedded=off"), || {
            Visible(std::io::stderr())
        });
    }
    let prints_metrics = args.logs.is_some() && args.metrics.is_none();
    if prints_metrics {
        platform::metrics::init(stack);
    }
    let listening = Listening::start(args, home, stack).await?;
    // From here on nobody ends it without being told what that means.
    let mut stopping = Stopping::new()?;
    let on_portal = portal::Listening::start(args, listening.scheme()).await?;
    let mut ledger = Ledger::open(args, home, stack, &listening.base, on_portal.as_ref()).await?;
    let Listening { doors, address, base, front, metrics } = listening;
    // Its commands find it from now on, as long as it runs.
    let socket = Socket::bind(home, address.port())?;
    let path = socket.path().to_owned();
    let stack = ledger.stack.clone();
    let (close, closed) = watch::channel(false);
    let (stop, stopped) = watch::channel(false);
    let pumps = stack.consume(&stopped);
    let mut timers = ledger.timers.as_ref().map(Timers::start).unwrap_or_default();
    let mut serving = JoinSet::new();
    let server = ServerId::new(SERVER)?;
    let limits = front.limits;
    let shows_sample = if lasts { args.sample && ledger.is_new } else { !args.no_sample };
    let lets_in =
        (args.sample || !lasts && !args.no_sample) && on_portal.as_ref().is_some_and(|one| one.is_here);
    let at_portal = match on_portal {
        None => None,
        Some(on) => {
            let operator = &stack.operator;
            if shows_sample && lets_in {
                let now = (operator.clock)();
                portal::sample_people(&*operator.store, &operator.ledger_key, now).await?;
            }
            if let Some(mail) = ledger.mail.take() {
                timers.spawn(mail);
            }
            timers.spawn(embedded::portal::sweep(operator.store.clone(), operator.clock.clone()));
            let made = Arc::new(portal::portal(&args.portal, &stack, lets_in.then_some(server)));
            let (told, listener) = on.told(made.settings.known.outbox.sends());
            let front = Front { limits, tls: front.tls.clone(), proxies: front.proxies.clone() };
            serving.spawn(embedded::portal::serve_portal(made, listener, front, until(closed.clone())));
            Some(told)
        }
    };
    serving.spawn(server::serve(stack.clone(), doors, front, until(closed.clone())));
    serving.spawn(server::serve_admin(stack.clone(), socket, limits, until(closed.clone())));
    if let Some((listener, exposition)) = metrics {
        say(format!("Metrics are at http://{}/metrics.", listener.local_addr()?));
        timers.spawn(tidy(exposition.clone()));
        serving.spawn(server::serve_metrics(listener, move || exposition.text(), until(closed)));
    }
    if prints_metrics {
        timers.spawn(print_metrics());
    }
    say(opening(args, &base, address));
    if ledger.is_new && lasts {
        say("The ledger is new: nothing was there before.");
    }
    if args.sample && !ledger.is_new {
        say("The sample is not posted: the ledger is not new.");
    }
    if !address.ip().is_loopback() && args.tls_cert.is_none() {
        say(
            "It speaks plain HTTP to whoever reaches it: put a proxy with TLS before it, or give --tls-cert and --tls-key.",
        );
    }

    let (user, password) = ledger.keys.credential(server, 1)?;
    if !lasts || shows_sample {
        say(format!("\nWebhook URLs of the sample server {SERVER}, to put into Postmark:\n"));
        for webhook in webhooks(&base, user, &password, "all") {
            say(format!("  {}", webhook.url_with_credential));
        }
        say(format!("\n  or apart: user {user}, password {password}"));
    }

    let mut cut_short = false;
    if shows_sample {
        let (base, password, once) = (base.clone(), password.clone(), args.once);
        let trial = tokio::task::spawn_blocking(move || {
            let ledger = Api::of_operator(&base, &path);
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
        if shows_sample || !lasts {
            trial::tell_what_next(&base, user, &password, &target);
        }
        if let Some(told) = at_portal {
            say(told.words(lets_in));
        }
        let then = if lasts { "" } else { "; what it holds is gone then" };
        say(format!("\nCtrl-C stops it{then}."));
        stopping.asked().await;
    }
    if !args.once || cut_short {
        say("\nStopping: finishing what has come in. Ctrl-C again does not wait for that.");
    }
    timers.shutdown().await;
    let _ = close.send(true);
    let ended = tokio::time::timeout(SHUTDOWN, end(&stack, serving, pumps, stop, lasts));
    let ended = tokio::select! {
        ended = ended => Some(ended),
        () = stopping.asked() => None,
    };
    let kept =
        args.data.as_deref().map(|folder| format!("What was answered is kept in {}.", folder.display()));
    let kept = kept.as_deref().unwrap_or(GONE);
    match ended {
        Some(Ok(ended)) => ended?,
        Some(Err(_)) => {
            return Err(Failure::new(format!("not everything could be finished in time. {kept}")));
        }
        None => return Err(Failure::new(format!("stopped before all was finished. {kept}"))),
    }
    let queues = stack.operator.queues().await.map_err(|error| Failure::new(error.to_string()))?;
    let waiting = queues.iter().map(|on| on.waiting + on.in_flight).sum::<usize>();
    let dead = queues.iter().map(|on| on.dead).sum::<usize>();
    match (waiting, dead) {
        (0, 0) => say("All that came in is in the ledger or in quarantine."),
        (waiting, dead) if lasts => {
            say(format!(
                "{waiting} messages wait for the next start, {dead} dead letters for `postledger queues redrive`."
            ));
        }
        (_, dead) => say(format!(
            "{dead} messages could not be consumed and are lost with this process; see the logs."
        )),
    }
    say(kept);
    if prints_metrics {
        platform::metrics::flush(Visible(std::io::stderr()));
    }
    if args.once && cut_short {
        return Err(Failure::new("it was stopped before the sample was shown").next("run it again"));
    }
    Ok(())
}

/// What is said once it is up.
fn opening(args: &Run, base: &str, address: SocketAddr) -> String {
    let whom =
        if address.ip().is_loopback() { "for this machine only" } else { "for whoever reaches this machine" };
    match &args.data {
        None => format!("Postledger is up at {base}, {whom}. What it takes in, it forgets when it stops."),
        Some(folder) => format!(
            "Postledger is up at {base}, {whom}. It keeps its ledger in {}.\nAdd a server by `postledger server add`, and \
             connect its webhooks by `postledger connect`.",
            folder.display()
        ),
    }
}

/// Ends in order: first nobody is let in any more, then what came in is consumed (a part of it, where the rest is kept), then
/// the consumers go.
async fn end(
    stack: &Stack,
    mut serving: JoinSet<()>,
    mut pumps: JoinSet<()>,
    stop: watch::Sender<bool>,
    lasts: bool,
) -> Result<(), Failure> {
    while let Some(served) = serving.join_next().await {
        served.map_err(|_| Failure::new("a server stopped by a fault of its own"))?;
    }
    if lasts {
        if let Ok(drained) = tokio::time::timeout(LAST_BATCHES, stack.drained()).await {
            drained?;
        }
        pumps.shutdown().await;
        return Ok(());
    }
    stack.drained().await?;
    let _ = stop.send(true);
    while pumps.join_next().await.is_some() {}
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

/// Nobody may ask for days: what was measured meanwhile is summed all the same.
async fn tidy(exposition: Exposition) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        exposition.tidy();
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
