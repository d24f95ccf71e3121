//! Webhook requests: when they are due, what they look like, and what follows from an answer.

use crate::agenda::Task;
use crate::happen::question;
use crate::hook::{Hook, Requests, Target};
use crate::model::{Kind, falls, uuid};
use crate::rules::Class;
use crate::truth::Dropped;
use crate::{EventId, Record, RetriesHeader, Simulator, Time, TwoEvents};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Uri};
use std::sync::Arc;

/// Redirects followed in one attempt.
pub(crate) const HOPS_MAX: u8 = 10;

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

    /// Adds what Postmark says of a delivery since August 2026.
    fn sign(&self, headers: &mut http::HeaderMap, number: u32) {
        let delivery = &self.deliveries[number as usize];
        let quirks = &self.config.quirks;
        let record = self.events[delivery.event as usize].kind.record().unwrap_or(Record::Delivery);
        let retries = self.config.rules.ladder(record, quirks).len();
        let left = retries.saturating_sub(usize::from(delivery.attempts).saturating_sub(1));
        let left = match quirks.retries_header {
            RetriesHeader::Retries => Some(left),
            RetriesHeader::OneLess => Some(left.saturating_sub(1)),
            RetriesHeader::Absent => None,
        };
        if let Some(left) = left {
            headers.insert(HeaderName::from_static("x-pm-retries-remaining"), HeaderValue::from(left as u64));
        }
        let bits = |question| {
            u128::from(self.bits(delivery.event, question)) << 64
                | u128::from(self.bits(delivery.hook ^ delivery.event, question + 1))
        };
        let mut put = |name, bits| {
            if let Ok(value) = HeaderValue::from_bytes(&uuid(bits)) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        if falls(self.bits(delivery.event, question::TRACE), quirks.trace_share) {
            put("x-pm-webhook-trace-id", bits(20));
        }
        if quirks.event_id_header {
            put("x-pm-webhook-event-id", bits(22));
        }
    }

    /// A request to an endpoint: the webhook's own headers and, when asked, credentials.
    pub(crate) fn request(
        &self,
        hook: &Hook,
        uri: Uri,
        body: Vec<u8>,
        authenticated: bool,
    ) -> Request<Vec<u8>> {
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("Postmark"));
        let auth = self.credentials(hook).filter(|_| authenticated);
        if let Some((user, password)) = auth {
            let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            if let Ok(value) = HeaderValue::from_str(&basic) {
                headers.insert(AUTHORIZATION, value);
            }
        }
        for (name, value) in &hook.spec.headers {
            let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
                continue;
            };
            if name != USER_AGENT || self.config.quirks.user_agent_replaceable {
                headers.insert(name, value);
            }
        }
        request
    }

    fn credentials<'a>(&self, hook: &'a Hook) -> Option<&'a (String, String)> {
        let (url, own) = (hook.target.auth.as_ref(), hook.spec.auth.as_ref());
        if self.config.quirks.url_credentials_win { url.or(own) } else { own.or(url) }
    }

    /// Whether an answer is a challenge that Postmark takes up, or a redirect that it follows: then to where.
    pub(crate) fn follow_up(
        &self,
        hook: &Hook,
        from: &Uri,
        answer: &Answer,
        authenticated: bool,
        hops: u8,
    ) -> Option<(Uri, FollowUp)> {
        let Answer::Status { code, location, challenge, .. } = answer else { return None };
        if *code == 401 && *challenge && !authenticated && self.credentials(hook).is_some() {
            return Some((from.clone(), FollowUp::Challenge));
        }
        let redirected = self.config.rules.class(*code, &self.config.quirks) == Class::Redirected;
        let to = location.as_ref().filter(|_| redirected && hops < HOPS_MAX)?;
        Some((Target::follow(from, to)?, FollowUp::Redirect))
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

/// Why an attempt goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FollowUp {
    Challenge,
    Redirect,
}
