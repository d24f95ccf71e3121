//! Drives a month: Postmark's clock, webhooks to the doors with their answers in any order, and everybody's work.

use super::Sim;
use super::client::{Mailing, Post, TICK_SECONDS};
use super::faults::{Fault, Spell, spells};
use super::proof::{self, End, Facts, Offered, Outcome};
use super::world::World;
use fastrand::Rng;
use ledger::Time;
use postmark::Context;
use postmark_simulator::{Answer, DeliveryId, Due, Record};
use reconcile::Period;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How many messages may wait until consumers have their turn, and for how many seconds.
const DRAIN_AT: u64 = 200;
const DRAIN_SECONDS: i64 = 40;
/// Every how many seconds what failed or was killed may come again.
const REDRIVE_SECONDS: i64 = 300;
const WATCH_SECONDS: i64 = 2 * 3_600;
const ROTATE_SECONDS: i64 = 2 * 3_600;
/// After how many seconds the operator has read what watch found.
const READ_SECONDS: i64 = 5_400;
/// How many days go on after the last mail: for deferred deliveries, late webhooks, and the last look at a day.
const QUIET_DAYS: i64 = 6;
/// How often reconcile runs at the end, hour by hour, until it finds nothing.
const ROUNDS_MAX: usize = 60;

/// Something that somebody does at an instant.
enum Act {
    Tick,
    Send(Mailing),
    ChangeList(usize),
    Begin(Spell),
    End(Spell),
    Answer(DeliveryId, Answer),
    Drain,
    Redrive,
    Reconcile(usize),
    Watch(usize),
    Connect(usize),
    Rotate,
}

impl Act {
    /// What it is, for the account of where the time went.
    const fn name(&self) -> &'static str {
        match self {
            Act::Tick | Act::Send(_) => "sending",
            Act::Answer(..) => "answers",
            Act::Drain | Act::Redrive => "consumers",
            Act::Reconcile(_) => "reconcile",
            Act::Watch(_) => "watch",
            Act::ChangeList(_) | Act::Begin(_) | Act::End(_) | Act::Connect(_) | Act::Rotate => "other acts",
        }
    }
}

struct Month<'a> {
    sim: &'a Sim,
    world: World,
    post: Post,
    agenda: BTreeMap<(Time, u64), Act>,
    put: u64,
    rng: Rng,
    facts: Facts,
    waiting: u64,
    drain_is_due: bool,
    /// No mail is sent any more.
    quiet_from: Time,
    end: Time,
    rotated: bool,
    verified: u64,
    connected: u64,
    times: BTreeMap<&'static str, Duration>,
    /// Reconcile came to rest; if not, what a run reported last that found something.
    settled: bool,
    unsettled: String,
}

/// Runs it.
pub(super) async fn drive(sim: &Sim, mut progress: impl FnMut(u64)) -> Outcome {
    let start = sim.start();
    let world = World::new(sim, start);
    let mut rng = Rng::with_seed(sim.seed ^ 0xD01);
    let spells = spells(sim.faults, start, sim.days, &mut rng);
    let (post, campaigns) = Post::new(sim, start);
    let quiet_from = start.plus_days(sim.days);
    let mut month = Month {
        sim,
        world,
        post,
        agenda: BTreeMap::new(),
        put: 0,
        rng,
        facts: Facts::default(),
        waiting: 0,
        drain_is_due: false,
        quiet_from,
        end: quiet_from.plus_days(QUIET_DAYS),
        rotated: false,
        verified: 0,
        connected: 0,
        times: BTreeMap::new(),
        settled: true,
        unsettled: String::new(),
    };
    for client in 0..sim.servers {
        assert!(month.world.connect(client).await, "client {client} cannot be connected, seed {}", sim.seed);
    }
    month.world.drain().await;
    for spell in spells {
        month.at(spell.from, Act::Begin(spell));
    }
    for mailing in campaigns {
        month.at(mailing.at, Act::Send(mailing));
    }
    month.at(start, Act::Tick);
    month.at(start, Act::Redrive);
    for client in 0..sim.servers {
        // Everybody's work begins at another minute.
        let minutes = month.rng.i64(1..60);
        let soon = start.plus_seconds(minutes * 60);
        month.at(soon, Act::Reconcile(client));
        month.at(soon.plus_seconds(1_200), Act::Watch(client));
        month.at(soon.plus_seconds(7_000), Act::ChangeList(client));
    }
    month.run(&mut progress).await;
    let rounds = month.settle(start).await;
    progress(month.world.lock().truth().events().count() as u64);
    let end = End {
        rounds,
        depths: month.world.depths().await,
        rotating: sim.faults.has(Fault::Rotation) && !month.rotated,
        verified: month.verified,
        connected: month.connected,
    };
    let begun = Instant::now();
    let mut outcome = proof::compare(sim, &month.world, &month.facts, end);
    month.spent("compared", begun);
    if !month.settled {
        outcome.differ(|| format!("reconcile does not come to rest: {}", month.unsettled));
    }
    outcome.times = month.times;
    outcome
}

impl Month<'_> {
    fn at(&mut self, at: Time, act: Act) {
        self.put += 1;
        self.agenda.insert((at, self.put), act);
    }

    fn after(&mut self, seconds: i64, act: Act) {
        self.at(self.world.clock.now().plus_seconds(seconds), act);
    }

    fn spent(&mut self, on: &'static str, since: Instant) {
        *self.times.entry(on).or_default() += since.elapsed();
    }

    /// Everything up to the end, in order of time.
    async fn run(&mut self, progress: &mut impl FnMut(u64)) {
        let mut shown = 0_u64;
        loop {
            let next = self.agenda.first_key_value().map_or(self.end, |((at, _), _)| (*at).min(self.end));
            let until = postmark_simulator::Time::from_micros(next.micros());
            let begun = Instant::now();
            let (due, now) = {
                let mut simulator = self.world.lock();
                let due = simulator.advance(until);
                (due, simulator.now())
            };
            self.world.set_clock(now);
            self.spent("Postmark's clock", begun);
            if let Some(due) = due {
                let begun = Instant::now();
                self.deliver(due).await;
                self.spent("doors", begun);
                shown += 1;
                if shown.is_multiple_of(10_000) {
                    progress(shown);
                }
                continue;
            }
            match self.agenda.first_entry() {
                Some(entry) if entry.key().0 <= self.end => {
                    let act = entry.remove();
                    let (on, begun) = (act.name(), Instant::now());
                    self.act(act).await;
                    self.spent(on, begun);
                }
                _ if next >= self.end => return,
                _ => {}
            }
        }
    }

    /// A webhook: to the doors now; its answer comes back later, and others may overtake it.
    async fn deliver(&mut self, due: Due) {
        let took = self.world.front.take(&due.request).await;
        let number = due.event.number();
        let facts = self.facts.of(number);
        facts.hit |= took.hit;
        let taken = matches!(took.door, Some(ingest::Answer::Accepted | ingest::Answer::SetAside(_)));
        // A queue may have taken in what the door has put off since the queue's answer was lost.
        let perhaps = taken || took.door == Some(ingest::Answer::TryAgain);
        if perhaps {
            if facts.offered.is_none() && !facts.taken {
                let server = crate::server_id(due.server.cast_signed());
                let source = ledger::Source::Webhook;
                let received_at = self.world.clock.now();
                let context = Context { server, received_at, source, keep_engagement_detail: false };
                let event = ::postmark::event(due.request.body(), &context, &self.world.ledger_key);
                facts.offered = event.ok().map(|(_, event)| Offered::of(&event));
            }
            facts.taken |= taken;
            self.waiting += 1;
            if self.waiting >= DRAIN_AT {
                self.drain().await;
            } else if !self.drain_is_due {
                self.drain_is_due = true;
                self.after(DRAIN_SECONDS, Act::Drain);
            }
        }
        let millis = match &took.answer {
            Answer::Status { millis, .. } => i64::from(*millis),
            Answer::Timeout => 1_000 * i64::from(self.world.lock().quirks().timeout_seconds),
            Answer::ConnectFailed => 5,
        };
        let at = Time::from_micros(self.world.clock.now().micros() + 1_000 * millis);
        self.at(at, Act::Answer(due.id, took.answer));
    }

    async fn drain(&mut self) {
        (self.waiting, self.drain_is_due) = (0, false);
        self.world.drain().await;
    }

    async fn act(&mut self, act: Act) {
        let now = self.world.clock.now();
        let sends = now < self.quiet_from;
        match act {
            Act::Answer(id, answer) => self.world.lock().answered(id, answer),
            Act::Tick => {
                for mailing in self.post.tick(now, self.sim.servers) {
                    self.send(mailing).await;
                }
                if sends {
                    self.after(TICK_SECONDS, Act::Tick);
                }
            }
            Act::Send(mailing) => self.send(mailing).await,
            Act::ChangeList(client) => {
                self.post.change_list(&self.world, client).await;
                if sends {
                    let pause = self.rng.i64(1_800..40_000);
                    self.after(pause, Act::ChangeList(client));
                }
            }
            Act::Drain => self.drain().await,
            Act::Redrive => {
                self.drain().await;
                self.after(REDRIVE_SECONDS, Act::Redrive);
            }
            Act::Reconcile(client) => {
                let hours = self.sim.reconcile_hours;
                if let Some(report) = self.world.reconcile(client, Period::Due).await
                    && report.told() > 0
                {
                    self.drain().await;
                }
                self.after(hours * 3_600, Act::Reconcile(client));
            }
            Act::Watch(client) => {
                let look = self.world.watch(client).await;
                if look.drift {
                    self.after(READ_SECONDS, Act::Connect(client));
                }
                self.verified += u64::from(look.reverified);
                self.after(WATCH_SECONDS, Act::Watch(client));
            }
            Act::Connect(client) => match self.world.connect(client).await {
                true => self.connected += 1,
                false => self.after(READ_SECONDS, Act::Connect(client)),
            },
            Act::Rotate => {
                self.rotated = self.world.rotate().await;
                if !self.rotated {
                    self.after(ROTATE_SECONDS, Act::Rotate);
                }
            }
            Act::Begin(spell) => self.begin(spell).await,
            Act::End(spell) => self.world.set_fault(spell.fault, false),
        }
    }

    async fn send(&mut self, mailing: Mailing) {
        if !self.post.send(&self.world, &mailing).await {
            self.after(TICK_SECONDS, Act::Send(mailing));
        }
    }

    async fn begin(&mut self, spell: Spell) {
        self.facts.fault(self.world.clock.now(), spell.to);
        match spell.fault {
            Fault::Rotation => self.after(0, Act::Rotate),
            Fault::Paused | Fault::Deleted | Fault::Elsewhere | Fault::SwitchedOff | Fault::SecondRow => {
                self.by_hand(spell.fault).await;
            }
            fault => {
                self.world.set_fault(fault, true);
                self.at(spell.to, Act::End(spell));
            }
        }
    }

    /// Somebody does something to the webhooks of every third client or so.
    async fn by_hand(&mut self, fault: Fault) {
        let relaunched = self.sim.rules.relaunched();
        for client in 0..self.sim.servers {
            if client % 3 != 0 && self.rng.u8(..3) > 0 {
                continue;
            }
            let of = &self.world.clients[client];
            let (server, auth) = (of.server.get().cast_unsigned(), self.world.keys.auth_of(of.server));
            let rows = of.own.webhooks(None).await.unwrap_or_default();
            for _ in 0..4.min(rows.len()) {
                let row = &rows[self.rng.usize(..rows.len())];
                let id = row.id.cast_unsigned();
                let trigger = row.triggers.enabled().next();
                let Some(record) = trigger.and_then(|trigger| Record::named(trigger.name())) else {
                    continue;
                };
                let mut simulator = self.world.lock();
                match fault {
                    Fault::Paused if relaunched => drop(simulator.pause_trigger(id, record)),
                    Fault::Deleted => drop(simulator.delete_webhook(id)),
                    Fault::Elsewhere => drop(simulator.change_webhook_url(id, "https://crm.example/hook")),
                    Fault::SwitchedOff => drop(simulator.enable_trigger(id, record, false)),
                    Fault::SecondRow => {
                        let (user, password) = (&auth.username, &auth.password);
                        let url =
                            format!("https://{user}:{password}@hooks.agency.example/v1/{server}/events");
                        simulator.add_webhook(server, &row.stream, &url, &[record]);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Hour by hour, until reconcile finds nothing more; then the whole time once more. How many rounds it took.
    async fn settle(&mut self, start: Time) -> usize {
        for fault in Fault::ALL {
            self.world.set_fault(fault, false);
        }
        let mut whole = false;
        for round in 0..ROUNDS_MAX {
            self.end = self.end.plus_seconds(3_600);
            self.agenda.retain(|_, act| matches!(act, Act::Answer(..) | Act::Rotate));
            self.run(&mut |_| {}).await;
            let mut left = 0;
            for client in 0..self.sim.servers {
                let span = if whole { self.world.whole(start.plus_days(-1)) } else { Period::Due };
                let begun = Instant::now();
                let report = self.world.reconcile(client, span).await.expect("nothing fails any more");
                self.spent(if whole { "reconcile, the whole" } else { "reconcile" }, begun);
                let lists = report.lists();
                let of_client = report.told() + lists.waiting + lists.held_back + u64::from(!report.finished);
                if of_client > 0 {
                    self.unsettled = format!("{report:?}");
                }
                left += of_client;
            }
            self.drain().await;
            if left == 0 && whole {
                return round;
            }
            whole = left == 0;
        }
        self.settled = false;
        ROUNDS_MAX
    }
}
