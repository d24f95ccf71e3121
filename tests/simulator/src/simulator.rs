//! The account as a whole: its clock, its agenda, its randomness.

use crate::account::{Server, Stream};
use crate::agenda::{Agenda, Task};
use crate::deliver::{Delivery, Due};
use crate::hook::Hook;
use crate::model::{Event, Message, MessageId, mix, uuid};
use crate::outcome::Outcome;
use crate::probe::Verifying;
use crate::scenario::{Scenario, Sent};
use crate::stats::{Counts, Key};
use crate::texts::{Text, Texts};
use crate::time::Eastern;
use crate::{Config, Faults, Quirks, Time};
use fastrand::Rng;
use http::Uri;
use std::collections::{BTreeMap, HashMap};

/// Decides what becomes of a mail; `None` leaves it to the scenario.
pub(crate) type Chooser = Box<dyn FnMut(&Sent<'_>, &mut Rng) -> Option<Outcome> + Send>;

/// One Postmark account.
pub struct Simulator {
    pub(crate) config: Config,
    pub(crate) eastern: Eastern,
    pub(crate) now: Time,
    pub(crate) agenda: Agenda,
    pub(crate) texts: Texts,
    pub(crate) servers: Vec<Server>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) messages: Vec<Message>,
    /// Recipients of all messages, each message's together.
    pub(crate) recipients: Vec<Text>,
    pub(crate) events: Vec<Event>,
    /// Events of bounces and complaints, by number.
    pub(crate) bounces: Vec<u32>,
    pub(crate) deliveries: Vec<Delivery>,
    /// Where redirects lead, of deliveries that follow one.
    pub(crate) followed: HashMap<u32, Uri>,
    pub(crate) verifying: HashMap<u64, Verifying>,
    /// Links of pairs of bodies that were read before.
    pub(crate) links_known: HashMap<(Text, Text, u8), Text>,
    pub(crate) counts: BTreeMap<Key, Counts>,
    pub(crate) tokens: HashMap<String, usize>,
    pub(crate) account_token: String,
    /// The second of the clock, and how many requests came in it.
    pub(crate) request_rate: (i64, u32),
    pub(crate) next_id: u64,
    rng: Rng,
    scenario: Scenario,
    chooser: Option<Chooser>,
}

impl Simulator {
    /// An account without servers.
    pub fn new(config: Config) -> Simulator {
        let mut simulator = Simulator {
            eastern: Eastern::new(),
            now: config.start,
            agenda: Agenda::default(),
            texts: Texts::new(),
            servers: Vec::new(),
            streams: Vec::new(),
            hooks: Vec::new(),
            messages: Vec::new(),
            recipients: Vec::new(),
            events: Vec::new(),
            bounces: Vec::new(),
            deliveries: Vec::new(),
            followed: HashMap::new(),
            verifying: HashMap::new(),
            links_known: HashMap::new(),
            counts: BTreeMap::new(),
            tokens: HashMap::new(),
            account_token: String::new(),
            request_rate: (0, 0),
            next_id: 1,
            rng: Rng::with_seed(config.seed),
            scenario: Scenario::default(),
            chooser: None,
            config,
        };
        simulator.account_token = simulator.draw_uuid();
        simulator
    }

    /// The virtual clock.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The values of the open facts in this run.
    pub fn quirks(&self) -> &Quirks {
        &self.config.quirks
    }

    /// What it was started with, but for faults that were set since.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The account token, of the header `X-Postmark-Account-Token`.
    pub fn account_token(&self) -> &str {
        &self.account_token
    }

    /// From now on this decides what becomes of mail whose address says nothing; `None` leaves it to the scenario.
    pub fn set_chooser(
        &mut self,
        chooser: impl FnMut(&Sent<'_>, &mut Rng) -> Option<Outcome> + Send + 'static,
    ) {
        self.chooser = Some(Box::new(chooser));
    }

    /// From now on this scenario decides, after address and chooser.
    pub fn set_scenario(&mut self, scenario: Scenario) {
        self.scenario = scenario;
    }

    /// From now on the API does this wrong.
    pub fn set_faults(&mut self, faults: Faults) {
        self.config.faults = faults;
    }

    /// When the next thing is going to happen or to be due, `None` when nothing is.
    pub fn next_at(&self) -> Option<Time> {
        self.agenda.next_at()
    }

    /// How many things are still going to happen or to be due.
    pub fn ahead(&self) -> usize {
        self.agenda.len()
    }

    /// Lets happen what happens until an instant. Stops at each webhook request that is due, with the clock at its
    /// time; `None` when the instant is reached. An instant that is past leaves the clock where it is.
    pub fn advance(&mut self, until: Time) -> Option<Due> {
        while let Some((at, task)) = self.agenda.take(until) {
            self.now = self.now.max(at);
            match task {
                Task::Step { message, recipient, step } => self.step(message, recipient, step),
                Task::Change { stream, address, suppress } => self.change(stream, address, suppress),
                Task::Enter { stream, address, reason, origin, message } => {
                    self.suppress(stream, address, reason, origin, message);
                }
                Task::Attempt { delivery } => {
                    if let Some(due) = self.attempt(delivery) {
                        return Some(due);
                    }
                }
            }
        }
        self.now = self.now.max(until);
        None
    }

    /// What becomes of a mail.
    pub(crate) fn choose(&mut self, stream: u16, message: u32, recipient: Text) -> Outcome {
        let address = self.texts.get(recipient);
        if let Some(outcome) = Outcome::of_address(address) {
            return outcome;
        }
        let of = &self.streams[usize::from(stream)];
        let server = &self.servers[usize::from(of.server)];
        let tag = self.texts.get(self.messages[message as usize].tag);
        let sent = Sent {
            server: server.id,
            server_name: &server.name,
            stream: &of.id,
            recipient: address,
            tag,
            message: MessageId::of(self.config.seed, message),
            at: self.now,
        };
        let chosen = self.chooser.as_mut().and_then(|choose| choose(&sent, &mut self.rng));
        chosen.or_else(|| self.scenario.choose(&sent, &mut self.rng)).unwrap_or(Outcome::DELIVERED)
    }

    /// A number below another, 0 below 0.
    pub(crate) fn draw_number(&mut self, below: u64) -> u64 {
        if below == 0 { 0 } else { self.rng.u64(..below) }
    }

    pub(crate) fn draw_share(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.f64() < share
    }

    pub(crate) fn draw_uuid(&mut self) -> String {
        let bits = self.rng.u128(..) & !(0xF << 76) & !(0x3 << 62) | 4 << 76 | 2 << 62;
        String::from_utf8_lossy(&uuid(bits)).into_owned()
    }

    /// Ticks between two numbers of milliseconds, as often from either half of their ratio, lengthened as configured.
    pub(crate) fn wait(&mut self, least: u32, most: u32) -> i64 {
        let (least, most) = (f64::from(least.max(1)), f64::from(most.max(1)));
        (least * (most / least).powf(self.rng.f64()) * 10_000.0 * self.config.delays) as i64
    }

    /// Bits that belong to an event and a question about it, the same at every call.
    pub(crate) fn bits(&self, event: u32, question: u64) -> u64 {
        mix(self.config.seed ^ question << 48, u64::from(event))
    }

    /// Another number for a row.
    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The oldest instant that can be read back.
    pub(crate) fn horizon(&self) -> Time {
        self.now.plus_seconds(-86_400 * i64::from(self.config.retention_days))
    }

    pub(crate) fn links(&self, message: u32) -> impl Iterator<Item = &str> {
        self.texts.get(self.messages[message as usize].links).lines()
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::Trial;
    use crate::{Answer, Config, Digits, End, Outcome, Quirks};
    use serde_json::json;

    /// All that a run says: API answers, webhook requests, the truth.
    fn said(seed: u64) -> Vec<u8> {
        let mut trial = Trial::new(Config::new(seed));
        let mut out = Vec::new();
        let words =
            ["hard", "delivered.open2.click2", "complaint", "transient.mopen1", "soft", "lost", "asksbymail"];
        for round in 0..40 {
            let batch: Vec<_> = (0..20).map(|at| {
                let word = words[(round + at) % words.len()];
                json!({"From": "a@x.example", "To": format!("u{at}.{round}+{word}@x.example"), "HtmlBody": "<a href='https://x.example'>x</a>",
                    "TrackOpens": true, "TrackLinks": "HtmlOnly", "Metadata": {"n": at}})
            }).collect();
            out.extend_from_slice(trial.call("POST", "/email/batch", &json!(batch)).1.to_string().as_bytes());
            let mut count = 0;
            for due in trial.run(7200, |_| {
                count += 1;
                Answer::status(if count % 5 == 0 { 500 } else { 200 })
            }) {
                out.extend_from_slice(
                    format!("{:?} {} {:?}", due.at, due.request.uri(), due.request.headers()).as_bytes(),
                );
                out.extend_from_slice(due.request.body());
            }
        }
        for event in trial.simulator.truth().events() {
            out.extend_from_slice(&event.to_json());
        }
        out
    }

    #[test]
    fn the_same_seed_says_the_same_bytes() {
        let one = said(11);
        assert!(one.len() > 100_000);
        assert!(one == said(11));
        assert!(one != said(12));
    }

    #[test]
    fn address_then_chooser_then_scenario_decide() {
        let mut trial = Trial::quiet();
        trial.simulator.set_scenario(crate::Scenario::parse(r#"[{"weights": {"soft": 1}}]"#).unwrap());
        trial.simulator.set_chooser(|sent, _| {
            let lost = Outcome { end: End::Lost, ..Outcome::DELIVERED };
            (sent.recipient == "lost@x.example").then_some(lost)
        });
        for to in ["a+hard@x.example", "lost@x.example", "other@x.example"] {
            trial.send(to);
        }
        let told = trial.days(1);
        let mut seen: Vec<String> = told
            .iter()
            .filter(|body| body["RecordType"] == "Bounce")
            .map(|body| format!("{} {}", body["Email"], body["Type"]))
            .collect();
        seen.sort();
        assert_eq!(seen, [r#""a+hard@x.example" "HardBounce""#, r#""other@x.example" "SoftBounce""#]);
    }

    #[test]
    fn a_message_to_several_is_one_message_with_an_event_for_each() {
        let mut trial = Trial::quiet();
        let mail = json!({"From": "a@x.example", "To": "A One <a@x.example>, \"B, two\" <b@x.example>", "Cc": "c@x.example", "TextBody": "x"});
        let (_, body) = trial.call("POST", "/email", &mail);
        let told = trial.days(1);
        assert_eq!(told.len(), 3);
        assert!(
            told.iter()
                .all(|told| told["MessageID"] == body["MessageID"] && told["RecordType"] == "Delivery")
        );
    }

    #[test]
    fn the_asked_for_opens_and_clicks_come_when_they_are_tracked() {
        let mut trial = Trial::quiet();
        trial.send("ida+delivered.mopen1.open2.click3@x.example");
        let told = trial.days(10);
        let count = |record: &str| told.iter().filter(|told| told["RecordType"] == record).count();
        // Two links: the third click is of the first again.
        assert_eq!((count("Delivery"), count("Open"), count("Click")), (1, 3, 2));
        assert_eq!(told.iter().filter(|told| told["FirstOpen"] == true).count(), 1);
        trial.call("POST", "/email", &json!({"From": "a@x.example", "To": "b+open1.click1@x.example", "HtmlBody": "<a href='https://x.example'>x</a>"}));
        assert_eq!(trial.days(10).len(), 1);
    }

    #[test]
    fn postmarks_own_testing_addresses_work() {
        let mut trial = Trial::quiet();
        trial.send("SoftBounce@bounce-testing.postmarkapp.com");
        trial.send("spam_complaint@bounce-testing.postmarkapp.com");
        trial.send("test@blackhole.postmarkapp.com");
        let told = trial.days(3);
        let mut kinds: Vec<_> = told.iter().filter_map(|told| told["Type"].as_str()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["HardBounce", "SoftBounce"]);
    }

    #[test]
    fn a_bounce_by_mail_may_lack_address_and_time() {
        let mut trial = Trial::with(|config| config.quirks.partial_unsubscribe_share = 1.0);
        trial.send("ida+asksbymail@x.example");
        let told = trial.days(3);
        let bounce = told.iter().find(|told| told["RecordType"] == "Bounce").unwrap().as_object().unwrap();
        assert_eq!((&bounce["Type"], &bounce["TypeCode"]), (&"Unsubscribe".into(), &16.into()));
        assert!(["Email", "BouncedAt", "Inactive", "Metadata"].iter().all(|key| !bounce.contains_key(*key)));
    }

    #[test]
    fn every_quirk_of_a_body_still_tells_the_event() {
        for seed in 0..40 {
            let quirks = Quirks {
                webhook_digits: Digits::Varies,
                partial_unsubscribe_share: 0.0,
                ..Quirks::draw(seed)
            };
            let mut trial = Trial::new(Config { quirks, ..Config::new(seed) });
            for word in ["delivered.open2.click2", "hard", "complaint", "transient", "asksbymail"] {
                trial.send(&format!("ida+{word}@x.example"));
            }
            for told in trial.days(20) {
                let who = told.get("Recipient").or(told.get("Email")).unwrap().as_str().unwrap();
                let when = ["DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt"]
                    .iter()
                    .find_map(|key| told.get(*key));
                assert!(who.starts_with("ida+"), "{told}");
                assert!(crate::Time::parse(when.unwrap().as_str().unwrap()).is_some(), "{told}");
            }
        }
    }
}
