//! The Webhooks API: rows, their verification and their statistics.

use super::{ApiBody, Call, Handled, Refusal, Reply, field, flag_of, text_of};
use crate::account::StreamKind;
use crate::hook::{Hook, Requests, STATISTICS_SECONDS, Spec, Target, Trigger};
use crate::json::Json;
use crate::probe::Purpose;
use crate::{Record, Simulator};
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};

/// Webhooks of a stream.
const HOOKS_MAX: usize = 10;
/// Custom headers of a webhook.
const HEADERS_MAX: usize = 30;

/// What a call comes to, once it passed the checks.
enum Checked {
    /// Probes for these triggers.
    Probes(Purpose, Box<(Spec, Target)>, Vec<Record>),
    /// It is done without any; the row.
    Saved(usize),
}

impl Simulator {
    pub(super) fn webhooks(&mut self, call: &Call, rest: &[&str]) -> Handled {
        let new = self.config.rules.relaunched();
        let reply = match rest {
            [] if call.method == Method::GET => self.list_hooks(call),
            [] if call.method == Method::POST => {
                let checked = self.wanted_hook(call);
                return self.saved_or_probed(checked);
            }
            [id] if call.method == Method::GET => {
                self.hook_of(call, id).map(|hook| ApiBody::json(self.hook_json(hook)))
            }
            [id] if call.method == Method::PUT => {
                let checked = self.edited_hook(call, id);
                return self.saved_or_probed(checked);
            }
            [id] if call.method == Method::DELETE => self.hook_of(call, id).map(|hook| {
                let id = self.hooks[hook].id;
                self.delete_webhook(id);
                ApiBody::json(super::error_json(0, &format!("Webhook {id} removed.")))
            }),
            [id, "verify"] if call.method == Method::POST && new => {
                return match self.hook_of(call, id) {
                    Ok(hook) => {
                        let of = &self.hooks[hook];
                        let (spec, target) = (of.spec.clone(), of.target.clone());
                        let records = enabled(&spec);
                        self.verify(Purpose::Verify { hook }, spec, target, &records)
                    }
                    Err(refusal) => Handled::Answer(refusal.reply()),
                };
            }
            [id, "statistics"] if call.method == Method::GET && new => {
                self.hook_of(call, id).map(|hook| ApiBody::json(self.hook_statistics(hook)))
            }
            _ => Ok(super::page(404, "404 Not Found")),
        };
        Handled::Answer(reply.unwrap_or_else(|refusal| refusal.reply()))
    }

    fn saved_or_probed(&mut self, checked: Result<Checked, Refusal>) -> Handled {
        match checked {
            Ok(Checked::Probes(purpose, row, records)) => {
                let (spec, target) = *row;
                self.verify(purpose, spec, target, &records)
            }
            Ok(Checked::Saved(hook)) => Handled::Answer(ApiBody::json(self.hook_json(hook))),
            Err(refusal) => Handled::Answer(refusal.reply()),
        }
    }

    /// A webhook of the calling server; those behind its hook URLs are not shown.
    fn hook_of(&self, call: &Call, id: &str) -> Result<usize, Refusal> {
        let hook = id.parse().ok().and_then(|id| self.hook_index(id)).filter(|hook| {
            let of = &self.hooks[*hook];
            !of.legacy && usize::from(self.stream(of.stream).server) == call.server
        });
        hook.ok_or_else(|| Refusal::business(1352, "The webhook was not found."))
    }

    fn list_hooks(&self, call: &Call) -> Reply {
        let wanted = match call.parameter("messagestream") {
            Some(id) => Some(self.stream_named(call, id)?),
            None => None,
        };
        let status = match call.parameter("status").map(str::to_ascii_lowercase).as_deref() {
            None => None,
            Some("verified") => Some(true),
            Some("unverified") => Some(false),
            Some(_) => {
                return Err(Refusal::business(
                    1362,
                    "Parameter 'Status' is not one of verified, unverified.",
                ));
            }
        };
        let one = self.config.quirks.one_trigger_unverifies_row;
        let rows = self.hooks.iter().enumerate().filter(|(_, hook)| {
            !hook.deleted
                && !hook.legacy
                && usize::from(self.stream(hook.stream).server) == call.server
                && wanted.is_none_or(|stream| hook.stream == stream)
                && status.is_none_or(|status| hook.row_verified(one) == status)
        });
        let mut json = Json::object();
        json.objects("Webhooks", rows, |json, (_, hook)| self.hook_fields(json, hook));
        Ok(ApiBody::json(json.end()))
    }

    pub(crate) fn hook_json(&self, hook: usize) -> Vec<u8> {
        let mut json = Json::object();
        self.hook_fields(&mut json, &self.hooks[hook]);
        json.end()
    }

    fn hook_fields(&self, json: &mut Json, hook: &Hook) {
        json.number("ID", hook.id);
        json.text("Url", &hook.spec.url);
        json.text("MessageStream", &self.stream(hook.stream).id);
        if self.config.rules.relaunched() {
            let verified = hook.row_verified(self.config.quirks.one_trigger_unverifies_row);
            json.text("Status", if verified { "verified" } else { "unverified" });
        }
        match &hook.spec.auth {
            Some((user, password)) => json.nested("HttpAuth", |json| {
                json.text("Username", user);
                json.text("Password", password);
            }),
            None => match hook.id % 3 {
                0 => json.raw("HttpAuth", b"null"),
                1 => json.raw("HttpAuth", br#"{"Username":null,"Password":null}"#),
                _ => {}
            },
        }
        json.objects("HttpHeaders", hook.spec.headers.iter(), |json, (name, value)| {
            json.text("Name", name);
            json.text("Value", value);
        });
        json.nested("Triggers", |json| {
            for record in [
                Record::Open,
                Record::Click,
                Record::Delivery,
                Record::Bounce,
                Record::SpamComplaint,
                Record::SubscriptionChange,
            ] {
                let trigger = hook.trigger(record);
                json.nested(record.name(), |json| {
                    json.truth("Enabled", trigger.enabled);
                    if let Some(option) = option_of(record) {
                        json.truth(option, trigger.option);
                    }
                });
            }
        });
    }

    fn wanted_hook(&mut self, call: &Call) -> Result<Checked, Refusal> {
        let body = hook_body(call)?;
        if field(&body, "ID").is_some() {
            return Err(Refusal::business(1356, "A new webhook has no 'ID'."));
        }
        let id = match text_of(&body, "MessageStream") {
            "" => "outbound",
            id => id,
        };
        let stream = self.stream_named(call, id)?;
        let of = self.stream(stream);
        if of.archived.is_some() {
            return Err(Refusal::business(1350, "The message stream is archived."));
        }
        if of.kind == StreamKind::Inbound {
            return Err(Refusal::business(1351, "Inbound streams have no webhooks."));
        }
        let rows = of.hooks.iter().filter(|hook| !self.hooks[**hook as usize].legacy).count();
        if rows >= HOOKS_MAX {
            return Err(Refusal::business(
                1359,
                format!("A message stream has at most {HOOKS_MAX} webhooks."),
            ));
        }
        let mut spec = Spec::default();
        let target = self.fill(&mut spec, &body, stream)?;
        let records = enabled(&spec);
        if self.wants_verification(call, &body) {
            return Ok(Checked::Probes(Purpose::Create { stream }, Box::new((spec, target)), records));
        }
        let id = self.push_hook(stream, spec, target, [!self.config.rules.relaunched(); 6], false);
        Ok(Checked::Saved(self.hook_index(id).unwrap_or(0)))
    }

    fn edited_hook(&mut self, call: &Call, id: &str) -> Result<Checked, Refusal> {
        let hook = self.hook_of(call, id)?;
        let body = hook_body(call)?;
        let of = &self.hooks[hook];
        let same_id = field(&body, "ID").is_none_or(|id| id.as_u64() == Some(of.id));
        let stream = text_of(&body, "MessageStream");
        if !same_id || !stream.is_empty() && !stream.eq_ignore_ascii_case(&self.stream(of.stream).id) {
            let message = "A webhook's 'ID' and 'MessageStream' cannot be changed.";
            return Err(Refusal::business(1357, message));
        }
        let (before, stream) = (of.spec.clone(), of.stream);
        let mut spec = before.clone();
        let target = self.fill(&mut spec, &body, stream)?;
        let moved = spec.url != before.url;
        let all = moved || self.config.quirks.edit_verifies_all;
        let mut records = enabled(&spec);
        records.retain(|record| all || !before.triggers[*record as usize].enabled);
        if self.wants_verification(call, &body) {
            return Ok(Checked::Probes(Purpose::Edit { hook }, Box::new((spec, target)), records));
        }
        let of = &mut self.hooks[hook];
        of.spec = spec;
        of.target = target;
        if self.config.rules.relaunched() {
            for record in records {
                of.verified[record as usize] = false;
            }
        }
        Ok(Checked::Saved(hook))
    }

    fn wants_verification(&self, call: &Call, body: &Map<String, Value>) -> bool {
        let query = call.flag("verify").filter(|_| self.config.quirks.verify_in_query);
        self.config.rules.relaunched() && query.or(flag_of(body, "Verify")).unwrap_or(true)
    }

    /// Fills in what a body says. What it does not say stays.
    fn fill(&self, spec: &mut Spec, body: &Map<String, Value>, stream: u16) -> Result<Target, Refusal> {
        if let Some(url) = field(body, "Url") {
            url.as_str().unwrap_or("").trim().clone_into(&mut spec.url);
        }
        let target = Target::parse(&spec.url)
            .ok_or_else(|| Refusal::business(1354, "The webhook's 'Url' is missing or not valid."))?;
        if let Some(Value::Object(auth)) = field(body, "HttpAuth") {
            let user = text_of(auth, "Username");
            let own = || (user.to_owned(), text_of(auth, "Password").to_owned());
            spec.auth = (!user.is_empty()).then(own);
        } else if body.get("HttpAuth") == Some(&Value::Null) {
            spec.auth = None;
        }
        if let Some(headers) = field(body, "HttpHeaders") {
            let headers = headers.as_array().map_or(&[][..], Vec::as_slice);
            if headers.len() > HEADERS_MAX {
                return Err(Refusal::business(1361, format!("A webhook has at most {HEADERS_MAX} headers.")));
            }
            spec.headers.clear();
            for header in headers.iter().filter_map(Value::as_object) {
                let (name, value) = (text_of(header, "Name"), text_of(header, "Value"));
                if name.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err() {
                    return Err(Refusal::business(1358, format!("The header '{name}' is not valid.")));
                }
                spec.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        let Some(triggers) = field(body, "Triggers") else { return Ok(target) };
        let triggers = triggers
            .as_object()
            .ok_or_else(|| Refusal::business(1361, "The value of 'Triggers' is not an object."))?;
        let broadcast = self.stream(stream).kind == StreamKind::Broadcasts;
        for record in Record::ALL {
            let Some(given) = field(triggers, record.name()).and_then(Value::as_object) else { continue };
            let trigger: &mut Trigger = &mut spec.triggers[record as usize];
            trigger.enabled = flag_of(given, "Enabled").unwrap_or(trigger.enabled);
            if let Some(option) = option_of(record) {
                trigger.option = flag_of(given, option).unwrap_or(trigger.option);
            }
            let refused = matches!(record, Record::Bounce | Record::SpamComplaint)
                && broadcast
                && !self.config.quirks.broadcasts_tell_bounces;
            if trigger.enabled && refused {
                let name = record.name();
                return Err(Refusal::business(
                    1353,
                    format!("The trigger '{name}' is not supported on this message stream."),
                ));
            }
        }
        Ok(target)
    }

    fn hook_statistics(&self, hook: usize) -> Vec<u8> {
        let hook = &self.hooks[hook];
        let of = hook.statistics(self.now);
        let mut sum = Requests::default();
        of.iter().for_each(|requests| sum.add(requests));
        let on = || Record::ALL.into_iter().filter(|record| hook.trigger(*record).enabled);
        let mut json = Json::object();
        json.number("WebhookId", hook.id);
        json.number("ServerId", self.server_of(hook.stream).id);
        json.text("MessageStreamId", &self.stream(hook.stream).id);
        json.text("Url", &hook.spec.url);
        json.nested("Statuses", |json| {
            for record in on() {
                json.text(
                    record.name(),
                    if hook.verified[record as usize] { "verified" } else { "unverified" },
                );
            }
        });
        json.nested("TimeRange", |json| {
            json.time("StartTime", self.now.plus_seconds(-STATISTICS_SECONDS), 0, 0);
            json.time("EndTime", self.now, 0, 0);
            json.number("Hours", 24);
        });
        json.nested("Metrics", |json| metrics(json, &sum));
        json.nested("MetricsByTrigger", |json| {
            for record in on() {
                json.nested(record.name(), |json| metrics(json, &of[record as usize]));
            }
        });
        json.end()
    }
}

fn metrics(json: &mut Json, of: &Requests) {
    let average = |(millis, count): (u64, u64)| {
        if count == 0 { "null".to_owned() } else { format!("{:.1}", millis as f64 / count as f64) }
    };
    let rate = if of.total == 0 { 0.0 } else { of.succeeded as f64 * 100.0 / of.total as f64 };
    json.number("TotalRequests", of.total);
    json.number("SuccessCount", of.succeeded);
    json.number("FailureCount", of.failed);
    json.number("RetryCount", of.retried);
    json.raw("SuccessRate", format!("{rate:.2}").as_bytes());
    json.number("SlowCount", of.slow);
    json.number("VerySlowCount", of.very_slow);
    json.raw("AverageTerminalResponseTimeMs", average(of.terminal).as_bytes());
    json.raw("AverageRetryResponseTimeMs", average(of.retry).as_bytes());
}

fn option_of(record: Record) -> Option<&'static str> {
    match record {
        Record::Open => Some("PostFirstOpenOnly"),
        Record::Bounce | Record::SpamComplaint => Some("IncludeContent"),
        _ => None,
    }
}

fn enabled(spec: &Spec) -> Vec<Record> {
    Record::ALL.into_iter().filter(|record| spec.triggers[*record as usize].enabled).collect()
}

fn hook_body(call: &Call) -> Result<Map<String, Value>, Refusal> {
    if call.body.is_empty() {
        return Err(Refusal::business(1355, "The body is empty."));
    }
    let body = call.object(1355)?;
    if field(&body, "Status").is_some() {
        return Err(Refusal::business(1363, "A webhook's 'Status' cannot be set."));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use crate::trial::Trial;
    use crate::{Answer, Handled, Quirks, Record, Rules};
    use serde_json::{Value, json};

    fn webhook(url: &str) -> Value {
        json!({"Url": url, "Triggers": {"Bounce": {"Enabled": true, "IncludeContent": true}, "Open": {"Enabled": true, "PostFirstOpenOnly": true}}})
    }

    #[test]
    fn a_webhook_is_saved_when_every_probe_is_answered_exactly_200() {
        let mut trial = Trial::quiet();
        for (code, status) in [(204, 422), (202, 422), (403, 422), (200, 200)] {
            let handled = trial.handle("POST", "/webhooks", &webhook("https://new.example/"));
            let (answered, body, probes) = trial.probe(handled, &Answer::status(code));
            assert_eq!((answered, probes), (status, 2), "{body}");
            if code != 200 {
                assert_eq!(body["Message"], "0/2 triggers verified successfully");
                assert_eq!(body["Results"][0]["StatusCode"], code);
            } else {
                assert_eq!(
                    (&body["Status"], &body["Triggers"]["Bounce"]["IncludeContent"]),
                    (&"verified".into(), &true.into())
                );
            }
        }
        assert_eq!(trial.get("/webhooks?MessageStream=outbound")["Webhooks"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_unverified_webhook_gets_no_events_until_it_is_verified() {
        let mut trial = Trial::quiet();
        trial.simulator.delete_webhook(trial.webhook);
        let mut body = webhook("https://new.example/");
        body["Verify"] = false.into();
        let (_, row) = trial.call("POST", "/webhooks", &body);
        assert_eq!(row["Status"], "unverified");
        trial.send("a+soft@x.example");
        assert!(trial.days(1).is_empty());
        let verify = format!("/webhooks/{}/verify", row["ID"]);
        let handled = trial.handle("POST", &verify, &Value::Null);
        let (status, told, _) = trial.probe(handled, &Answer::ConnectFailed);
        assert_eq!((status, &told["Success"]), (200, &false.into()));
        let handled = trial.handle("POST", &verify, &Value::Null);
        assert_eq!(trial.probe(handled, &Answer::status(200)).1["Success"], true);
        trial.send("b+soft@x.example");
        assert_eq!(trial.days(1).len(), 1);
    }

    #[test]
    fn a_put_changes_what_it_names_only() {
        let mut trial = Trial::quiet();
        let path = format!("/webhooks/{}", trial.webhook);
        let handled = trial.handle("PUT", &path, &json!({"Triggers": {"Open": {"Enabled": false}}, "HttpAuth": {"Username": "u", "Password": "p"}}));
        let (status, row, probes) = trial.probe(handled, &Answer::status(200));
        assert_eq!((status, probes), (200, 5));
        assert_eq!(
            (&row["Triggers"]["Open"]["Enabled"], &row["Triggers"]["Click"]["Enabled"]),
            (&false.into(), &true.into())
        );
        assert_eq!(
            (&row["HttpAuth"]["Password"], &row["Url"]),
            (&"p".into(), &"https://hook.example/v1".into())
        );
        let (status, body) = trial.call("PUT", &path, &json!({"MessageStream": "broadcast"}));
        assert_eq!((status, &body["ErrorCode"]), (422, &1357.into()));
    }

    #[test]
    fn an_edit_may_verify_newly_enabled_triggers_only() {
        let mut trial = Trial::with(|config| config.quirks.edit_verifies_all = false);
        trial.simulator.enable_trigger(trial.webhook, Record::Open, false);
        let path = format!("/webhooks/{}", trial.webhook);
        let handled = trial.handle("PUT", &path, &json!({"Triggers": {"Open": {"Enabled": true}}}));
        assert_eq!(trial.probe(handled, &Answer::status(200)).2, 1);
        let handled = trial.handle("PUT", &path, &json!({"Url": "https://moved.example/"}));
        assert_eq!(trial.probe(handled, &Answer::status(200)).2, 6);
    }

    #[test]
    fn probes_take_up_a_challenge() {
        let mut trial = Trial::with(|config| config.quirks.basic_after_challenge = true);
        let handled = trial.handle("POST", "/webhooks", &webhook("https://u:p@new.example/"));
        let Handled::Probing(round) = handled else { panic!("no probes") };
        assert!(round.probes.iter().all(|probe| !probe.request.headers().contains_key("authorization")));
        let challenge = Answer::Status { code: 401, millis: 1, location: None, challenge: true };
        let Handled::Probing(round) = trial.simulator.probed(round, vec![challenge.clone(), challenge])
        else {
            panic!("not taken up")
        };
        assert!(round.probes.iter().all(|probe| probe.request.headers()["authorization"] == "Basic dTpw"));
        let (status, _, _) = trial.probe(Handled::Probing(round), &Answer::status(200));
        assert_eq!(status, 200);
    }

    #[test]
    fn every_refusal_has_its_code() {
        let mut trial = Trial::with(|config| {
            config.quirks = Quirks { broadcasts_tell_bounces: false, ..config.quirks.clone() };
        });
        trial.call("POST", "/message-streams/broadcast/archive", &Value::Null);
        trial.simulator.add_stream(trial.server.id, "news", crate::StreamKind::Broadcasts);
        let bounce = json!({"Bounce": {"Enabled": true}});
        for (body, code) in [
            (json!({"Url": "https://a.example", "MessageStream": "broadcast"}), 1350),
            (json!({"Url": "https://a.example", "MessageStream": "inbound"}), 1351),
            (json!({"Url": "https://a.example", "MessageStream": "news", "Triggers": bounce}), 1353),
            (json!({"Url": "nowhere"}), 1354),
            (json!({"Url": "https://a.example", "ID": 1}), 1356),
            (
                json!({"Url": "https://a.example", "HttpHeaders": [{"Name": "not a name", "Value": "x"}]}),
                1358,
            ),
            (json!({"Url": "https://a.example", "Triggers": 7}), 1361),
            (json!({"Url": "https://a.example", "Status": "verified"}), 1363),
        ] {
            let (status, told) = trial.call("POST", "/webhooks", &body);
            assert_eq!((status, &told["ErrorCode"]), (422, &code.into()), "{body}");
        }
        assert_eq!(trial.call("GET", "/webhooks/1", &Value::Null).1["ErrorCode"], 1352);
        assert_eq!(trial.call("POST", "/webhooks", &Value::Null).1["ErrorCode"], 1355);
        assert_eq!(trial.call("GET", "/webhooks?Status=maybe", &Value::Null).1["ErrorCode"], 1362);
        for _ in 0..9 {
            assert_eq!(trial.call("POST", "/webhooks", &json!({"Url": "https://a.example"})).0, 200);
        }
        assert_eq!(
            trial.call("POST", "/webhooks", &json!({"Url": "https://a.example"})).1["ErrorCode"],
            1359
        );
    }

    #[test]
    fn before_the_relaunch_nothing_is_verified() {
        let mut trial = Trial::with(|config| config.rules = Rules::Old);
        let (status, row) = trial.call("POST", "/webhooks", &webhook("https://new.example/"));
        assert_eq!((status, row.get("Status")), (200, None));
        assert_eq!(trial.call("POST", &format!("/webhooks/{}/verify", row["ID"]), &Value::Null).0, 404);
    }

    #[test]
    fn statistics_count_the_last_24_hours() {
        let mut trial = Trial::quiet();
        let path = format!("/webhooks/{}/statistics", trial.webhook);
        trial.send("a+soft@x.example");
        trial.run(3600, |due| Answer::status(if due.attempt < 3 { 500 } else { 200 }));
        let told = trial.get(&path);
        let metrics = &told["MetricsByTrigger"]["Bounce"];
        assert_eq!(
            (&metrics["TotalRequests"], &metrics["SuccessCount"], &metrics["RetryCount"]),
            (&3.into(), &1.into(), &2.into())
        );
        assert_eq!(told["Metrics"]["FailureCount"], 2);
        trial.days(1);
        assert_eq!(trial.get(&path)["Metrics"]["TotalRequests"], 0);
    }

    #[test]
    fn hook_urls_of_the_server_deliver_too() {
        let mut trial = Trial::quiet();
        let (status, told) = trial.call("PUT", "/server", &json!({"BounceHookUrl": "nowhere"}));
        assert_eq!((status, &told["ErrorCode"]), (422, &606.into()));
        trial.call("PUT", "/server", &json!({"BounceHookUrl": "https://u:p@old.example/b"}));
        trial.send("a+soft@x.example");
        let all = trial.run(86_400, |_| Answer::status(200));
        let mut hosts: Vec<_> = all.iter().map(|due| due.request.uri().host().unwrap()).collect();
        hosts.sort_unstable();
        assert_eq!(hosts, ["hook.example", "old.example"]);
        assert_eq!(trial.get("/webhooks")["Webhooks"].as_array().unwrap().len(), 1);
        trial.call("PUT", "/server", &json!({"BounceHookUrl": ""}));
        trial.send("b+soft@x.example");
        assert_eq!(trial.days(1).len(), 1);
    }
}
