//! Verification of an endpoint: one probe for each enabled trigger, answered exactly 200.

use crate::api::{ApiBody, Handled, Refusal};
use crate::deliver::Answer;
use crate::happen::question;
use crate::hook::{Spec, Target};
use crate::json::Json;
use crate::model::{mix, uuid};
use crate::request::FollowUp;
use crate::{ProbeBody, Record, Simulator};
use http::{Request, Response, Uri};

/// A request that verifies an endpoint for a trigger.
#[derive(Debug)]
pub struct Probe {
    /// The trigger.
    pub record: Record,
    /// The whole request.
    pub request: Request<Vec<u8>>,
}

/// Probes to be posted before a call to the API is answered.
#[derive(Debug)]
pub struct ProbeRound {
    pub(crate) id: u64,
    /// All may be posted at once.
    pub probes: Vec<Probe>,
}

/// What is being verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Create { stream: u16 },
    Edit { hook: usize },
    Verify { hook: usize },
}

struct Flight {
    record: Record,
    uri: Uri,
    authenticated: bool,
    hops: u8,
}

/// A verification that waits for answers.
pub(crate) struct Verifying {
    purpose: Purpose,
    spec: Spec,
    target: Target,
    flights: Vec<Flight>,
    results: Vec<(Record, Answer)>,
}

impl Simulator {
    /// Sends a probe for each of these triggers; without any, it is settled at once.
    pub(crate) fn verify(
        &mut self,
        purpose: Purpose,
        spec: Spec,
        target: Target,
        records: &[Record],
    ) -> Handled {
        let authenticated = !self.config.quirks.basic_after_challenge;
        let flight =
            |record: &Record| Flight { record: *record, uri: target.uri.clone(), authenticated, hops: 0 };
        let flights: Vec<Flight> = records.iter().map(flight).collect();
        self.round(Verifying { purpose, spec, target, flights, results: Vec::new() })
    }

    fn round(&mut self, verifying: Verifying) -> Handled {
        if verifying.flights.is_empty() {
            return Handled::Answer(self.verified(verifying));
        }
        let id = self.new_id();
        let probe =
            |flight: &Flight| Probe { record: flight.record, request: self.probe(&verifying, flight, id) };
        let probes = verifying.flights.iter().map(probe).collect();
        self.verifying.insert(id, verifying);
        Handled::Probing(ProbeRound { id, probes })
    }

    /// Goes on with the call to the API that asked for these probes, with one answer for each, in their order.
    /// Another round may be needed: a challenge is taken up, a redirect followed. A missing answer is a timeout.
    pub fn probed(&mut self, round: ProbeRound, answers: Vec<Answer>) -> Handled {
        let Some(mut verifying) = self.verifying.remove(&round.id) else {
            let refusal = Refusal::new(500, 101, "The verification is over.");
            return Handled::Answer(refusal.reply());
        };
        let mut answers = answers.into_iter();
        let hook = self.draft(&verifying);
        let mut onward = Vec::new();
        for flight in std::mem::take(&mut verifying.flights) {
            let answer = answers.next().unwrap_or(Answer::Timeout);
            match self.follow_up(&hook, &flight.uri, &answer, flight.authenticated, flight.hops) {
                Some((uri, FollowUp::Challenge)) => {
                    onward.push(Flight { uri, authenticated: true, ..flight })
                }
                Some((uri, FollowUp::Redirect)) => {
                    onward.push(Flight { uri, hops: flight.hops + 1, ..flight });
                }
                None => verifying.results.push((flight.record, answer)),
            }
        }
        verifying.flights = onward;
        self.round(verifying)
    }

    fn draft(&self, verifying: &Verifying) -> crate::hook::Hook {
        crate::hook::Hook::draft(verifying.spec.clone(), verifying.target.clone())
    }

    fn verified(&mut self, mut verifying: Verifying) -> Response<ApiBody> {
        verifying.results.sort_by_key(|(record, _)| *record);
        let good = |answer: &Answer| answer.code() == 200;
        let passed = verifying.results.iter().filter(|(_, answer)| good(answer)).count();
        let success = passed == verifying.results.len();
        let id = match verifying.purpose {
            Purpose::Create { .. } => 0,
            Purpose::Edit { hook } | Purpose::Verify { hook } => self.hooks[hook].id,
        };
        if let Purpose::Verify { hook } = verifying.purpose {
            for (record, answer) in &verifying.results {
                self.hooks[hook].verified[*record as usize] = good(answer);
                self.hooks[hook].failures[*record as usize] = 0;
            }
        } else if success {
            return self.save_hook(verifying);
        }
        let mut json = Json::object();
        json.number("Id", id);
        json.text("Url", &verifying.spec.url);
        json.truth("Success", success);
        json.objects("Results", verifying.results.iter(), |json, (record, answer)| {
            json.text("TriggerType", record.name());
            json.truth("Success", good(answer));
            json.number("StatusCode", u64::from(answer.code()));
            let message = match answer {
                Answer::Timeout => "The endpoint did not answer in time.".to_owned(),
                Answer::ConnectFailed => "The endpoint could not be reached.".to_owned(),
                Answer::Status { code: 200, .. } => "OK".to_owned(),
                Answer::Status { code, .. } => format!("The endpoint answered {code} in place of 200."),
            };
            json.text("Message", &message);
        });
        json.text("Message", &format!("{passed}/{} triggers verified successfully", verifying.results.len()));
        if success || matches!(verifying.purpose, Purpose::Verify { .. }) {
            ApiBody::json(json.end())
        } else {
            crate::api::coded(422, 1364, json.end())
        }
    }

    fn save_hook(&mut self, verifying: Verifying) -> Response<ApiBody> {
        let Verifying { purpose, spec, target, results, .. } = verifying;
        let hook = match purpose {
            Purpose::Create { stream } => {
                let id = self.push_hook(stream, spec, target, [true; 6], false);
                self.hook_index(id).unwrap_or(0)
            }
            Purpose::Edit { hook } | Purpose::Verify { hook } => {
                let of = &mut self.hooks[hook];
                of.spec = spec;
                of.target = target;
                for (record, _) in results {
                    of.verified[record as usize] = true;
                    of.failures[record as usize] = 0;
                }
                hook
            }
        };
        ApiBody::json(self.hook_json(hook))
    }

    fn probe(&self, verifying: &Verifying, flight: &Flight, round: u64) -> Request<Vec<u8>> {
        let stream = match verifying.purpose {
            Purpose::Create { stream } => stream,
            Purpose::Edit { hook } | Purpose::Verify { hook } => self.hooks[hook].stream,
        };
        let body = self.probe_body(flight.record, stream);
        let hook = self.draft(verifying);
        let mut request = self.request(&hook, flight.uri.clone(), body, flight.authenticated);
        if self.config.quirks.trace_share > 0.0 {
            let half = |part: u64| u128::from(mix(self.config.seed ^ question::TRACE, round * 16 + part));
            let trace = uuid(half(flight.record as u64) << 64 | half(8 + flight.record as u64));
            if let Ok(value) = http::HeaderValue::from_bytes(&trace) {
                request.headers_mut().insert("x-pm-webhook-trace-id", value);
            }
        }
        request
    }

    /// The body of a probe: made up, and in part like a real event.
    fn probe_body(&self, record: Record, stream: u16) -> Vec<u8> {
        let quirks = &self.config.quirks;
        let of = self.stream(stream);
        let ui = quirks.probe_body != ProbeBody::Documentation;
        let (server, at) = match quirks.probe_body {
            ProbeBody::UiTest => (1234, "2019-11-05T16:33:54Z".to_owned()),
            ProbeBody::UiTestOfStream | ProbeBody::Documentation => {
                (self.server_of(stream).id, self.now.to_string())
            }
        };
        let label = if quirks.probe_names_stream_by_label { of.name.as_str() } else { &of.id };
        let address = if ui { "john@example.com" } else { "recipient@example.com" };
        let mut json = Json::object();
        json.text("RecordType", record.name());
        json.text("MessageStream", label);
        json.text("MessageID", &String::from_utf8_lossy(&uuid(0)));
        json.text("Tag", if ui { "welcome-email" } else { "Test" });
        json.nested("Metadata", |json| {
            if ui {
                json.text("example", "value");
                json.text("example_2", "value");
            }
        });
        match record {
            Record::Delivery => {
                json.number("ServerID", server);
                json.text("Recipient", address);
                json.text("DeliveredAt", &at);
                json.text("Details", "Test delivery webhook details");
            }
            Record::Bounce | Record::SpamComplaint => {
                let complaint = record == Record::SpamComplaint;
                json.number("ServerID", server);
                json.number("ID", if ui { 42 } else { 692_560_173 });
                json.text("Type", if complaint { "SpamComplaint" } else { "HardBounce" });
                json.number("TypeCode", if complaint { u64::from(quirks.complaint_type_code) } else { 1 });
                json.text("Name", if complaint { "Spam complaint" } else { "Hard bounce" });
                json.text(
                    "Description",
                    "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
                );
                json.text("Details", "Test bounce details");
                json.text("Email", address);
                json.text("From", "sender@example.com");
                json.text("BouncedAt", &at);
                json.truth("DumpAvailable", true);
                json.truth("Inactive", true);
                json.truth("CanActivate", !complaint);
                json.text("Subject", "Test subject");
            }
            Record::Open | Record::Click => {
                json.text("Recipient", address);
                json.text("ReceivedAt", &at);
                json.text("Platform", "WebMail");
                json.text("UserAgent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_8_2) AppleWebKit/537.17 (KHTML, like Gecko) Chrome/24.0.1312.57 Safari/537.17");
                json.nested("Geo", |json| json.text("IP", "188.2.95.4"));
                if record == Record::Open {
                    json.truth("FirstOpen", true);
                    json.number("ReadSeconds", 5);
                } else {
                    json.text("ClickLocation", "HTML");
                    json.text("OriginalLink", "https://example.com");
                }
            }
            Record::SubscriptionChange => {
                json.number("ServerID", server);
                json.text("ChangedAt", &at);
                json.text("Recipient", address);
                json.text("Origin", "Recipient");
                json.truth("SuppressSending", true);
                json.text("SuppressionReason", "HardBounce");
            }
        }
        json.end()
    }
}
