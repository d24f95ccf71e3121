//! Webhook requests: when they are due, what they look like, and what follows from an answer.

use crate::account::StreamKind;
use crate::agenda::Task;
use crate::happen::question;
use crate::hook::Requests;
use crate::model::{Kind, falls};
use crate::request::FollowUp;
use crate::rules::Class;
use crate::truth::Dropped;
use crate::{EventId, Record, Simulator, Time, TwoEvents};
use http::Request;
use std::sync::Arc;

/// A delivery of one event to one webhook, over all of its attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub(crate) u32);

impl DeliveryId {
    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// A webhook request that is due now.
#[derive(Debug)]
pub struct Due {
    /// What its answer is brought under.
    pub id: DeliveryId,
    /// The event that it tells.
    pub event: EventId,
    /// The server's number.
    pub server: u64,
    /// The stream's id.
    pub stream: Arc<str>,
    /// The webhook's id.
    pub webhook: u64,
    /// What it tells of.
    pub record: Record,
    /// 1 for the first attempt.
    pub attempt: u8,
    /// When it is sent.
    pub at: Time,
    /// With the whole URL (without credentials), headers and body.
    pub request: Request<Vec<u8>>,
}

/// What came of a request to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A response.
    Status {
        /// Its status.
        code: u16,
        /// How long it took.
        millis: u32,
        /// Its `Location`.
        location: Option<String>,
        /// It has `WWW-Authenticate: Basic`.
        challenge: bool,
    },
    /// None in time.
    Timeout,
    /// No connection, or it broke.
    ConnectFailed,
}

impl Answer {
    /// A response with a status, after 50 ms.
    pub fn status(code: u16) -> Answer {
        Answer::Status { code, millis: 50, location: None, challenge: false }
    }

    /// A response as an HTTP client has it.
    pub fn of(response: &http::response::Parts, millis: u32) -> Answer {
        let text = |name| response.headers.get(name).and_then(|value| value.to_str().ok());
        let challenge = text(http::header::WWW_AUTHENTICATE)
            .is_some_and(|scheme| scheme.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic")));
        let location = text(http::header::LOCATION).map(str::to_owned);
        Answer::Status { code: response.status.as_u16(), millis, location, challenge }
    }

    pub(crate) fn code(&self) -> u16 {
        match self {
            Answer::Status { code, .. } => *code,
            Answer::Timeout | Answer::ConnectFailed => 0,
        }
    }
}

/// What a delivery is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Flying,
    Accepted,
    Dropped(Dropped),
}

/// A delivery of an event to a webhook.
pub(crate) struct Delivery {
    pub(crate) event: u32,
    pub(crate) hook: u32,
    pub(crate) attempts: u8,
    pub(crate) hops: u8,
    /// Credentials are sent in this attempt.
    pub(crate) authenticated: bool,
    /// The event was answered well before.
    pub(crate) duplicate: bool,
    /// The attempt goes on: it follows a redirect or a challenge.
    pub(crate) follows: bool,
    pub(crate) state: State,
    pub(crate) sent: Time,
}

impl Simulator {
    /// Puts an event down for every webhook that asks for it.
    pub(crate) fn offer(&mut self, event: u32) {
        let of = &self.events[event as usize];
        let (Some(record), kind, stream) = (of.kind.record(), of.kind, of.stream) else { return };
        let bounce = matches!(record, Record::Bounce | Record::SpamComplaint);
        let broadcast = self.stream(stream).kind == StreamKind::Broadcasts;
        if bounce && broadcast && !self.config.quirks.broadcasts_tell_bounces {
            return;
        }
        for at in 0..self.stream(stream).hooks.len() {
            let number = self.stream(stream).hooks[at];
            let hook = &self.hooks[number as usize];
            let trigger = hook.trigger(record);
            let repeated = matches!(kind, Kind::Open { first: false, .. });
            let unwanted = record == Record::Open && trigger.option && repeated;
            if !trigger.enabled || unwanted {
                continue;
            }
            let fate = &mut self.events[event as usize].fate;
            fate.webhooks += 1;
            if hook.verified[record as usize] {
                let latency = self.latency(event, kind);
                self.put_delivery(event, number, false, latency);
            } else {
                fate.dropped = Some(Dropped::Paused);
            }
        }
    }

    fn put_delivery(&mut self, event: u32, hook: u32, duplicate: bool, ticks: i64) {
        let delivery = u32::try_from(self.deliveries.len()).unwrap_or(u32::MAX);
        let sent = self.now;
        self.deliveries.push(Delivery {
            event,
            hook,
            attempts: 0,
            hops: 0,
            authenticated: false,
            duplicate,
            follows: false,
            state: State::Waiting,
            sent,
        });
        self.events[event as usize].fate.waiting += 1;
        self.agenda.put(self.now.plus_ticks(ticks), Task::Attempt { delivery });
    }

    /// Ticks from an event to its first attempt.
    fn latency(&mut self, event: u32, kind: Kind) -> i64 {
        let quirks = &self.config.quirks;
        if falls(self.bits(event, question::LATE), quirks.late_share) {
            let most = quirks.late_hours.max(1) * 3_600_000;
            return self.wait(1_800_000, most.max(1_800_001));
        }
        let change_last = match quirks.two_events {
            TwoEvents::BounceFirst => true,
            TwoEvents::ChangeFirst => false,
            // One answer for both: they share the message.
            TwoEvents::Either => self.bits(self.events[event as usize].message, question::ORDER) & 1 == 0,
        };
        match kind {
            // The list follows the bounce within two seconds; these keep apart, each on its side.
            Kind::Bounce { inactive: true, .. } | Kind::Complaint { .. } if !change_last => {
                self.wait(8_000, 20_000)
            }
            Kind::Bounce { inactive: true, .. } | Kind::Complaint { .. } => self.wait(50, 2_500),
            Kind::Change { suppress: true, caused: true, .. } if change_last => self.wait(3_000, 20_000),
            Kind::Change { suppress: true, caused: true, .. } => self.wait(50, 5_000),
            _ => self.wait(50, 10_000),
        }
    }

    /// Makes the request of a delivery, unless it must not be sent any more.
    pub(crate) fn attempt(&mut self, number: u32) -> Option<Due> {
        let delivery = &self.deliveries[number as usize];
        if delivery.state != State::Waiting {
            return None;
        }
        let (event, attempts, follows) = (delivery.event, delivery.attempts, delivery.follows);
        let hook = &self.hooks[delivery.hook as usize];
        let record = self.events[event as usize].kind.record()?;
        let off = !hook.trigger(record).enabled;
        let paused = !hook.verified[record as usize];
        if hook.deleted || off {
            self.settle(number, State::Dropped(Dropped::WebhookGone));
            return None;
        }
        if paused && !follows && (attempts == 0 || self.config.quirks.pause_drops_waiting) {
            self.settle(number, State::Dropped(Dropped::Paused));
            return None;
        }
        let delivery = &mut self.deliveries[number as usize];
        delivery.state = State::Flying;
        delivery.sent = self.now;
        delivery.follows = false;
        if !follows {
            delivery.attempts += 1;
            delivery.hops = 0;
            delivery.authenticated = !self.config.quirks.basic_after_challenge;
            self.events[event as usize].fate.attempts += 1;
        }
        let delivery = &self.deliveries[number as usize];
        let hook = &self.hooks[delivery.hook as usize];
        let uri = self.followed.get(&number).unwrap_or(&hook.target.uri).clone();
        let body = self.webhook_body(event, hook.trigger(record).option);
        let mut request = self.request(hook, uri, body, delivery.authenticated);
        if self.config.rules.relaunched() {
            self.sign(request.headers_mut(), number);
        }
        let stream = self.stream(hook.stream);
        Some(Due {
            id: DeliveryId(number),
            event: EventId(event),
            server: self.servers[usize::from(stream.server)].id,
            stream: Arc::clone(&stream.id),
            webhook: hook.id,
            record,
            attempt: delivery.attempts,
            at: self.now,
            request,
        })
    }

    /// Says what came of a request that was due. An answer to one that is not out is passed over.
    pub fn answered(&mut self, id: DeliveryId, answer: Answer) {
        let number = id.0;
        let Some(delivery) = self.deliveries.get(number as usize).filter(|of| of.state == State::Flying)
        else {
            return;
        };
        let (event, hook, attempts) = (delivery.event, delivery.hook, delivery.attempts);
        let (authenticated, hops, duplicate) = (delivery.authenticated, delivery.hops, delivery.duplicate);
        let Some(record) = self.events[event as usize].kind.record() else { return };
        let millis = match answer {
            Answer::Status { millis, .. } => millis,
            Answer::Timeout => self.config.quirks.timeout_seconds * 1000,
            Answer::ConnectFailed => 0,
        };
        let over = self.now.max(delivery.sent.plus_millis(i64::from(millis)));
        let of = &self.hooks[hook as usize];
        let from = self.followed.get(&number).unwrap_or(&of.target.uri);
        if let Some((to, follow_up)) = self.follow_up(of, from, &answer, authenticated, hops) {
            let delivery = &mut self.deliveries[number as usize];
            delivery.state = State::Waiting;
            delivery.follows = true;
            match follow_up {
                FollowUp::Challenge => delivery.authenticated = true,
                FollowUp::Redirect => {
                    delivery.hops += 1;
                    self.followed.insert(number, to);
                }
            }
            self.agenda.put(over, Task::Attempt { delivery: number });
            return;
        }
        self.followed.remove(&number);
        let class = match answer.code() {
            0 => Class::Retried,
            code => self.config.rules.class(code, &self.config.quirks),
        };
        let wait =
            self.config.rules.ladder(record, &self.config.quirks).get(usize::from(attempts) - 1).copied();
        let state = match class {
            Class::Accepted => Some(State::Accepted),
            Class::Refused => Some(State::Dropped(Dropped::Refused)),
            Class::Retried | Class::Redirected if wait.is_none() => Some(State::Dropped(Dropped::Exhausted)),
            Class::Retried | Class::Redirected => None,
        };
        self.count_request(hook, record, attempts, millis, state);
        match (state, wait) {
            (Some(state), _) => self.settle(number, state),
            (None, wait) => {
                self.deliveries[number as usize].state = State::Waiting;
                let minutes = i64::from(wait.unwrap_or(0));
                self.agenda.put(over.plus_seconds(60 * minutes), Task::Attempt { delivery: number });
            }
        }
        if state == Some(State::Accepted) {
            let fate = &mut self.events[event as usize].fate;
            fate.accepted += 1;
            fate.accepted_at.get_or_insert(over);
            if !duplicate && self.draw_share(self.config.quirks.duplicate_share) {
                let later = self.wait(1_000, 7_200_000);
                self.put_delivery(event, hook, true, later);
            }
        }
    }

    fn count_request(&mut self, hook: u32, record: Record, attempts: u8, millis: u32, state: Option<State>) {
        let slow = self.config.quirks.slow_millis;
        let (now, relaunched) = (self.now, self.config.rules.relaunched());
        let hook = &mut self.hooks[hook as usize];
        let succeeded = state == Some(State::Accepted);
        let millis_once = |yes: bool| if yes { (u64::from(millis), 1) } else { (0, 0) };
        let requests = Requests {
            total: 1,
            succeeded: u64::from(succeeded),
            failed: u64::from(!succeeded),
            retried: u64::from(attempts > 1),
            slow: u64::from(millis > slow),
            very_slow: u64::from(millis > slow.saturating_mul(5)),
            terminal: millis_once(state.is_some()),
            retry: millis_once(attempts > 1),
        };
        hook.count(now, record, &requests);
        let failures = &mut hook.failures[record as usize];
        match state {
            Some(State::Accepted) => *failures = 0,
            Some(State::Dropped(Dropped::Exhausted)) => {
                *failures += 1;
                if relaunched && !hook.legacy && *failures >= self.config.quirks.pause_after {
                    hook.verified[record as usize] = false;
                    *failures = 0;
                }
            }
            _ => {}
        }
    }

    fn settle(&mut self, number: u32, state: State) {
        let delivery = &mut self.deliveries[number as usize];
        delivery.state = state;
        self.followed.remove(&number);
        let (event, duplicate) = (delivery.event, delivery.duplicate);
        let fate = &mut self.events[event as usize].fate;
        fate.waiting -= 1;
        if let State::Dropped(why) = state
            && !duplicate
        {
            fate.dropped = Some(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;
    use crate::{Quirks, Rules};

    fn attempts(rules: Rules, to: &str, answer: &Answer) -> Vec<(Record, Vec<i64>)> {
        let mut trial = Trial::with(|config| config.rules = rules);
        trial.send(to);
        let all = trial.run(3 * 86_400, |_| answer.clone());
        let mut by_record: Vec<(Record, Vec<i64>)> = Vec::new();
        for record in Record::ALL {
            let times: Vec<Time> = all.iter().filter(|due| due.record == record).map(|due| due.at).collect();
            if !times.is_empty() {
                let gaps = times.windows(2).map(|pair| (pair[1].millis_since(pair[0]) + 30_000) / 60_000);
                by_record.push((record, gaps.collect()));
            }
        }
        by_record
    }

    #[test]
    fn failing_requests_are_tried_again_on_the_ladder_of_their_generation() {
        let bounce = |rules| attempts(rules, "ida+soft@x.example", &Answer::status(500)).remove(0).1;
        assert_eq!(bounce(Rules::Old), [1, 5, 10, 10, 10, 15, 30, 60, 120, 360]);
        assert_eq!(bounce(Rules::February2026), [1, 5, 10, 10, 10, 15, 30, 60, 120, 360]);
        assert_eq!(bounce(Rules::August2026 { retries: 6 }), [1, 5, 10, 10, 10, 15]);
        assert_eq!(bounce(Rules::August2026 { retries: 9 }), [1, 5, 15, 1, 5, 10, 10, 10, 15]);
        let delivery = attempts(Rules::Old, "ida+delivered@x.example", &Answer::Timeout).remove(0);
        assert_eq!(delivery, (Record::Delivery, vec![1, 5, 15]));
    }

    #[test]
    fn a_final_status_drops_the_event_at_once() {
        let first =
            |rules, code| attempts(rules, "ida+soft@x.example", &Answer::status(code)).remove(0).1.len();
        assert_eq!(first(Rules::Old, 403), 0);
        assert_eq!(first(Rules::Old, 404), 10);
        assert_eq!(first(Rules::August2026 { retries: 6 }, 404), 0);
        assert_eq!(first(Rules::August2026 { retries: 6 }, 429), 6);
        assert_eq!(first(Rules::August2026 { retries: 6 }, 204), 0);
        assert_eq!(first(Rules::Old, 204), 3 + 7);
    }

    #[test]
    fn what_became_of_an_event_is_told() {
        let mut trial = Trial::quiet();
        for (to, code) in [("a+soft@x.example", 500), ("b+soft@x.example", 404), ("c+soft@x.example", 200)] {
            trial.send(to);
            trial.run(86_400, |_| Answer::status(code));
        }
        let fates: Vec<_> = trial.simulator.truth().events().map(|event| event.fate).collect();
        assert_eq!((fates[0].attempts, fates[0].dropped), (7, Some(Dropped::Exhausted)));
        assert_eq!((fates[1].attempts, fates[1].dropped), (1, Some(Dropped::Refused)));
        assert_eq!((fates[2].accepted, fates[2].dropped, fates[2].waiting), (1, None, 0));
    }

    #[test]
    fn a_request_bears_postmarks_headers_and_the_webhooks_own() {
        let mut trial = Trial::quiet();
        trial.simulator.change_webhook_url(trial.webhook, "https://us:pw@hook.example/v2?k=1");
        let hook = trial.simulator.hook_index(trial.webhook).unwrap();
        trial.simulator.hooks[hook].spec.headers =
            vec![("X-Api-Key".into(), "abc".into()), ("User-Agent".into(), "Mine".into())];
        trial.send("ida+soft@x.example");
        let all = trial.run(86_400, |due| Answer::status(if due.attempt < 3 { 500 } else { 200 }));
        let header = |due: &Due, name: &str| due.request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(all[0].request.uri(), "https://hook.example/v2?k=1");
        assert_eq!(header(&all[0], "authorization"), "Basic dXM6cHc=");
        assert_eq!(
            (header(&all[0], "x-api-key"), header(&all[0], "user-agent")),
            ("abc".into(), "Mine".into())
        );
        let left: Vec<String> = all.iter().map(|due| header(due, "x-pm-retries-remaining")).collect();
        assert_eq!(left, ["6", "5", "4"]);
        let traces: Vec<String> = all.iter().map(|due| header(due, "x-pm-webhook-trace-id")).collect();
        assert!(traces.iter().all(|trace| *trace == traces[0]));
        assert!(all.iter().all(|due| due.request.body() == all[0].request.body()));
    }

    #[test]
    fn credentials_may_wait_for_a_challenge_within_the_same_attempt() {
        let mut trial = Trial::with(|config| config.quirks.basic_after_challenge = true);
        trial.simulator.change_webhook_url(trial.webhook, "https://us:pw@hook.example/");
        trial.send("ida+soft@x.example");
        let all = trial.run(86_400, |due| match due.request.headers().get("authorization") {
            Some(_) => Answer::status(200),
            None => Answer::Status { code: 401, millis: 5, location: None, challenge: true },
        });
        assert_eq!(all.iter().map(|due| due.attempt).collect::<Vec<_>>(), [1, 1]);
        let fate = trial.simulator.truth().events().next().unwrap().fate;
        assert_eq!((fate.attempts, fate.accepted), (1, 1));
    }

    #[test]
    fn redirects_are_followed_ten_times_and_then_the_event_is_tried_again() {
        let mut trial = Trial::quiet();
        trial.send("ida+soft@x.example");
        let location = Some("/elsewhere".to_owned());
        let redirect = Answer::Status { code: 307, millis: 1, location, challenge: false };
        let all = trial.run(86_400, |_| redirect.clone());
        assert_eq!(all.len(), 7 * 11);
        assert_eq!(all[1].request.uri(), "https://hook.example/elsewhere");
        assert_eq!(all[11].request.uri(), "https://hook.example/v1");
    }

    #[test]
    fn an_event_may_come_again_although_it_was_answered_well() {
        let mut trial = Trial::with(|config| config.quirks.duplicate_share = 1.0);
        trial.send("ida+soft@x.example");
        let all = trial.run(86_400, |_| Answer::status(200));
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].request.body(), all[1].request.body());
        assert!(trial.simulator.truth().deliveries().any(|delivery| delivery.duplicate));
    }

    #[test]
    fn the_two_events_of_a_hard_bounce_come_in_either_order() {
        for (quirk, first) in
            [(TwoEvents::BounceFirst, Record::Bounce), (TwoEvents::ChangeFirst, Record::SubscriptionChange)]
        {
            let mut trial = Trial::with(|config| config.quirks.two_events = quirk);
            for at in 0..50 {
                trial.send(&format!("u{at}+hard@x.example"));
                let all = trial.run(86_400, |_| Answer::status(200));
                let records: Vec<Record> = all.iter().map(|due| due.record).collect();
                assert_eq!((records[0], records.len()), (first, 2));
            }
        }
    }

    #[test]
    fn persistent_failure_pauses_the_trigger_and_what_happens_then_is_lost() {
        let mut trial = Trial::with(|config| {
            config.quirks = Quirks { pause_after: 3, ..config.quirks.clone() };
        });
        for at in 0..3 {
            trial.send(&format!("u{at}+soft@x.example"));
            trial.run(86_400, |_| Answer::status(500));
        }
        trial.send("late+soft@x.example");
        trial.send("fine+delivered@x.example");
        let all = trial.run(86_400, |_| Answer::status(200));
        assert_eq!(all.iter().map(|due| due.record).collect::<Vec<_>>(), [Record::Delivery]);
        let statuses = trial.get(&format!("/webhooks/{}/statistics", trial.webhook))["Statuses"].clone();
        assert_eq!((&statuses["Bounce"], &statuses["Delivery"]), (&"unverified".into(), &"verified".into()));
        assert_eq!(trial.get(&format!("/webhooks/{}", trial.webhook))["Status"], "unverified");
        let events: Vec<_> = trial.simulator.truth().events().collect();
        let lost = events.iter().find(|event| event.recipient == "late+soft@x.example").unwrap();
        assert_eq!((lost.fate.attempts, lost.fate.dropped), (0, Some(Dropped::Paused)));
    }

    #[test]
    fn several_requests_may_be_out_and_answered_in_any_order() {
        let mut trial = Trial::quiet();
        for at in 0..20 {
            trial.send(&format!("u{at}@x.example"));
        }
        let until = trial.simulator.now().plus_seconds(3600);
        let mut out = Vec::new();
        while let Some(due) = trial.simulator.advance(until) {
            out.push(due.id);
        }
        assert_eq!(out.len(), 20);
        for id in out.into_iter().rev() {
            trial.simulator.answered(id, Answer::status(200));
            trial.simulator.answered(id, Answer::status(500));
        }
        assert!(trial.simulator.truth().events().all(|event| event.fate.accepted == 1));
    }
}
