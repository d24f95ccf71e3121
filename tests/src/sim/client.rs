//! What an agency's clients do: they send, and now and then change their suppression lists.

use super::Sim;
use super::traffic::{self, EVENTS_PER_MESSAGE, MESSAGES_PER_RECIPIENT, STREAMS, notices_are_broadcast};
use super::world::World;
use fastrand::Rng;
use ledger::Time;
use postmark_api::{BounceQuery, PAGE_MAX};
use postmark_simulator::Origin;
use serde_json::Value;

/// How many messages go out in one call.
const BATCH: usize = 500;
/// Seconds between two looks at what is to be sent.
pub(crate) const TICK_SECONDS: i64 = 600;
/// At what hour of the day (UTC) campaigns begin, and over how many seconds.
const CAMPAIGN_HOUR: i64 = 14;
const CAMPAIGN_SECONDS: i64 = 3 * 3_600;

/// A mailing to a part of a client's recipients.
#[derive(Clone, Debug)]
pub(crate) struct Mailing {
    pub(crate) at: Time,
    pub(crate) client: usize,
    pub(crate) stream: &'static str,
    /// The recipients' numbers.
    pub(crate) to: Vec<u64>,
}

/// The mail of a month.
pub(crate) struct Post {
    rng: Rng,
    /// How many recipients a client has.
    pool: u64,
    /// Single mails for each tick of average business, in thousandths.
    per_tick: u64,
    left: u64,
}

impl Post {
    /// The plan of single mails, and all campaigns.
    pub(crate) fn new(sim: &Sim, start: Time) -> (Post, Vec<Mailing>) {
        let mut rng = Rng::with_seed(sim.seed ^ 0xBEEF);
        let messages = (sim.events as f64 / EVENTS_PER_MESSAGE) as u64;
        let clients = sim.servers as u64;
        let pool = (messages / clients / MESSAGES_PER_RECIPIENT).max(12);
        let in_campaigns = messages * traffic::CAMPAIGN_PERCENT / 100;
        let singles = messages - in_campaigns;
        let ticks = (sim.days * 86_400 / TICK_SECONDS).cast_unsigned();
        let per_tick = singles * 1_000 / ticks.max(1);
        let mut campaigns = Vec::new();
        let midnight = start.micros().div_euclid(86_400_000_000);
        for client in 0..sim.servers {
            let streams: &[&str] = if notices_are_broadcast(client) { &STREAMS[1..] } else { &STREAMS[1..2] };
            let mut left = in_campaigns / clients;
            // Every client has a campaign on some days, each to about two thirds of its recipients.
            let times = (left / (pool * 2 / 3).max(1)).max(1);
            for nth in 0..times {
                let day = 1 + (nth.cast_signed() * (sim.days - 1) + rng.i64(0..2)) / times.cast_signed();
                let at = Time::from_micros((midnight + day) * 86_400_000_000);
                let mut at = at.plus_seconds(CAMPAIGN_HOUR * 3_600 + rng.i64(0..CAMPAIGN_SECONDS));
                let stream = streams[(nth as usize) % streams.len()];
                let size = if nth + 1 == times { left.min(pool) } else { left.min(pool * 2 / 3) };
                left -= size;
                let first = rng.u64(..pool);
                let to: Vec<u64> = (0..size).map(|at| (first + at) % pool).collect();
                for batch in to.chunks(BATCH) {
                    campaigns.push(Mailing { at, client, stream, to: batch.to_vec() });
                    at = at.plus_seconds(rng.i64(20..200));
                }
            }
        }
        (Post { rng, pool, per_tick, left: 0 }, campaigns)
    }

    /// The single mails of a tick: one batch for each client and stream that has any.
    pub(crate) fn tick(&mut self, at: Time, clients: usize) -> Vec<Mailing> {
        let hour = at.micros().div_euclid(3_600_000_000).rem_euclid(24);
        self.left += self.per_tick * traffic::busy(hour) / 1_000;
        let count = self.left / 1_000;
        self.left %= 1_000;
        let mut mailings: Vec<Mailing> = Vec::new();
        let mut drawn: Vec<(usize, usize, u64)> = (0..count)
            .map(|_| {
                let client = self.rng.usize(..clients);
                let stream = if self.rng.u8(..3) == 0 && !notices_are_broadcast(client) { 2 } else { 0 };
                (client, stream, self.rng.u64(..self.pool))
            })
            .collect();
        drawn.sort_unstable();
        for (client, stream, to) in drawn {
            let stream = STREAMS[stream];
            match mailings.last_mut() {
                Some(last) if (last.client, last.stream) == (client, stream) => last.to.push(to),
                _ => mailings.push(Mailing { at, client, stream, to: vec![to] }),
            }
        }
        mailings
    }

    /// Sends a mailing. Whether Postmark took it; if not, it is sent later.
    pub(crate) async fn send(&mut self, world: &World, mailing: &Mailing) -> bool {
        let mut write = |number: &u64| {
            let to = traffic::address(mailing.client, *number, &mut self.rng);
            traffic::message(mailing.client, mailing.stream, &to, &mut self.rng)
        };
        let messages: Vec<Value> = mailing.to.iter().map(&mut write).collect();
        world.clients[mailing.client].own.send_batch(&messages).await.is_ok()
    }

    /// A client changes its lists: it suppresses somebody, deletes rows, or activates bounces. Postmark's staff do it
    /// now and then, too. What Postmark refuses is no matter.
    pub(crate) async fn change_list(&mut self, world: &World, client: usize) {
        let (of, stream) = (&world.clients[client], STREAMS[self.rng.usize(..3)]);
        let server = of.server.get().cast_unsigned();
        let listed: Vec<String> = {
            let simulator = world.lock();
            simulator.truth().suppressions(server, stream).map(|row| row.address.to_owned()).collect()
        };
        let pick = |rng: &mut Rng| listed.get(rng.usize(..listed.len().max(1))).cloned();
        match self.rng.u8(..10) {
            0..3 => {
                let count = self.rng.usize(1..4);
                let address = |rng: &mut Rng| traffic::address(client, rng.u64(..self.pool), rng);
                let mut rng = self.rng.fork();
                let addresses: Vec<String> = (0..count).map(|_| address(&mut rng)).collect();
                let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
                let _ = of.own.suppress(stream, &addresses).await;
            }
            3..7 => {
                let count = self.rng.usize(1..4);
                let addresses: Vec<String> = (0..count).filter_map(|_| pick(&mut self.rng)).collect();
                let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
                if !addresses.is_empty() {
                    let _ = of.own.unsuppress(stream, &addresses).await;
                }
            }
            7..9 => {
                let query =
                    BounceQuery { stream, count: PAGE_MAX, inactive: Some(true), ..BounceQuery::default() };
                if let Ok(page) = of.own.bounces(&query).await
                    && !page.rows.is_empty()
                    && let Some(id) = page.rows[self.rng.usize(..page.rows.len())]["ID"].as_i64()
                {
                    let _ = of.own.activate_bounce(id).await;
                }
            }
            _ => {
                if let Some(address) = pick(&mut self.rng) {
                    world.lock().reactivate_by_hand(server, stream, &address, Origin::Admin);
                } else {
                    let address = traffic::address(client, self.rng.u64(..self.pool), &mut self.rng.fork());
                    world.lock().suppress_by_hand(server, stream, &address, Origin::Admin);
                }
            }
        }
    }
}
