//! What the tests share: a server with a webhook, sends in one line, and a driver that answers as it is told.

use crate::{Answer, Config, Due, Handled, NewServer, Quirks, Record, Simulator};
use http::Request;
use serde_json::{Value, json};

/// A simulator with one server and one webhook for everything on `outbound`.
pub(crate) struct Trial {
    pub(crate) simulator: Simulator,
    pub(crate) server: NewServer,
    pub(crate) webhook: u64,
}

impl Trial {
    pub(crate) fn new(config: Config) -> Trial {
        let mut simulator = Simulator::new(config);
        let server = simulator.add_server("Client");
        let webhook =
            simulator.add_webhook(server.id, "outbound", "https://hook.example/v1", &Record::ALL).unwrap();
        Trial { simulator, server, webhook }
    }

    /// Usual quirks, without duplicates and late arrivals.
    pub(crate) fn quiet() -> Trial {
        Trial::with(|_| {})
    }

    /// The same, with something changed.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Trial {
        let mut config = Config::usual(1);
        config.quirks =
            Quirks { duplicate_share: 0.0, late_share: 0.0, unknown_share: 0.0, ..Quirks::usual() };
        change(&mut config);
        Trial::new(config)
    }

    pub(crate) fn handle(&mut self, method: &str, path: &str, body: &Value) -> Handled {
        let mut request = Request::builder().method(method).uri(path).header("Accept", "application/json");
        request = if path.starts_with("/servers") || path.starts_with("/templates/push") {
            request.header("X-Postmark-Account-Token", self.simulator.account_token())
        } else {
            request.header("X-Postmark-Server-Token", &self.server.token)
        };
        let mut bytes = Vec::new();
        if !body.is_null() {
            request = request.header("Content-Type", "application/json");
            bytes = serde_json::to_vec(body).unwrap();
        }
        self.simulator.api(request.body(bytes).unwrap())
    }

    /// Status and body of a call that verifies nothing.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        told(self.handle(method, path, body))
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Sends a plain mail on a stream.
    pub(crate) fn send_on(&mut self, stream: &str, to: &str) -> (u16, Value) {
        let mail = json!({
            "From": "a@sender.example", "To": to, "Subject": "Hello", "MessageStream": stream, "TrackOpens": true,
            "TrackLinks": "HtmlAndText", "HtmlBody": "<a href=\"https://x.example/1\">1</a>", "TextBody": "https://x.example/2",
        });
        self.call("POST", "/email", &mail)
    }

    pub(crate) fn send(&mut self, to: &str) -> String {
        let (status, body) = self.send_on("outbound", to);
        assert_eq!(status, 200, "{body}");
        body["MessageID"].as_str().unwrap().to_owned()
    }

    /// Advances by seconds, answering every request.
    pub(crate) fn run(&mut self, seconds: i64, mut answer: impl FnMut(&Due) -> Answer) -> Vec<Due> {
        let until = self.simulator.now().plus_seconds(seconds);
        let mut all = Vec::new();
        while let Some(due) = self.simulator.advance(until) {
            let answer = answer(&due);
            self.simulator.answered(due.id, answer);
            all.push(due);
        }
        all
    }

    /// Advances by days, answering every request 200: the bodies.
    pub(crate) fn days(&mut self, days: i64) -> Vec<Value> {
        let all = self.run(days * 86_400, |_| Answer::status(200));
        all.iter().map(|due| serde_json::from_slice(due.request.body()).unwrap()).collect()
    }

    /// Answers every probe of a call alike, until it is settled.
    pub(crate) fn probe(&mut self, mut handled: Handled, answer: &Answer) -> (u16, Value, usize) {
        let mut probes = 0;
        while let Handled::Probing(round) = handled {
            probes += round.probes.len();
            let answers = vec![answer.clone(); round.probes.len()];
            handled = self.simulator.probed(round, answers);
        }
        let (status, body) = told(handled);
        (status, body, probes)
    }
}

fn told(handled: Handled) -> (u16, Value) {
    let answer = handled.answer().unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().into_vec();
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8(body).unwrap().into()))
}

/// Values of a key, in order.
pub(crate) fn each<'a>(bodies: &'a [Value], key: &str) -> Vec<&'a str> {
    bodies.iter().map(|body| body[key].as_str().unwrap_or("")).collect()
}
