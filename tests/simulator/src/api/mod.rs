//! Postmark's API: who may call what, and how it refuses.

mod bounces;
mod messages;
mod opens;
mod send;
mod servers;
mod stats;
mod streams;
mod suppressions;
mod templates;
mod webhooks;

use crate::probe::ProbeRound;
use crate::{Simulator, Time};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Map, Value};

/// An answer's body, in chunks: a dump of a million rows is never whole in memory.
pub struct ApiBody {
    chunks: Box<dyn Iterator<Item = Bytes> + Send>,
}

impl ApiBody {
    pub(crate) fn whole(body: Vec<u8>) -> ApiBody {
        ApiBody::chunks(std::iter::once(Bytes::from(body)))
    }

    pub(crate) fn chunks(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> ApiBody {
        ApiBody { chunks: Box::new(chunks) }
    }

    pub(crate) fn json(body: Vec<u8>) -> Response<ApiBody> {
        json_response(200, ApiBody::whole(body))
    }

    /// The whole of it.
    pub fn into_vec(self) -> Vec<u8> {
        self.flatten().collect()
    }
}

impl Iterator for ApiBody {
    type Item = Bytes;
    fn next(&mut self) -> Option<Bytes> {
        self.chunks.next()
    }
}

impl std::fmt::Debug for ApiBody {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ApiBody")
    }
}

/// What came of a request to the API.
#[derive(Debug)]
pub enum Handled {
    /// Its answer.
    Answer(Response<ApiBody>),
    /// Its answer depends on an endpoint: post the probes, then call [`Simulator::probed`].
    Probing(ProbeRound),
}

impl Handled {
    /// The answer, when none of its probes is due.
    pub fn answer(self) -> Option<Response<ApiBody>> {
        match self {
            Handled::Answer(answer) => Some(answer),
            Handled::Probing(_) => None,
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: u16,
    code: u32,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into() }
    }

    /// What most refusals are: 422.
    pub(crate) fn business(code: u32, message: impl Into<String>) -> Refusal {
        Refusal::new(422, code, message)
    }

    pub(crate) fn reply(&self) -> Response<ApiBody> {
        coded(self.status, self.code, error_json(self.code, &self.message))
    }
}

/// `{"ErrorCode", "Message"}`.
pub(crate) fn error_json(code: u32, message: &str) -> Vec<u8> {
    let mut json = crate::json::Json::object();
    json.number("ErrorCode", u64::from(code));
    json.text("Message", message);
    json.end()
}

pub(crate) fn coded(status: u16, code: u32, body: Vec<u8>) -> Response<ApiBody> {
    let mut response = json_response(status, ApiBody::whole(body));
    response.headers_mut().insert("x-pm-apierrorcode", HeaderValue::from(code));
    response
}

fn json_response(status: u16, body: ApiBody) -> Response<ApiBody> {
    typed(status, "application/json", body)
}

fn typed(status: u16, kind: &'static str, body: ApiBody) -> Response<ApiBody> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// What is not in JSON: pages of what stands before the API.
fn page(status: u16, title: &str) -> Response<ApiBody> {
    let html = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
    typed(status, "text/html", ApiBody::whole(html.into_bytes()))
}

/// A handler's answer.
pub(crate) type Reply = Result<Response<ApiBody>, Refusal>;

/// A request, taken apart.
pub(crate) struct Call {
    method: Method,
    /// Of the path, decoded.
    segments: Vec<String>,
    /// Keys in lower case.
    query: Vec<(String, String)>,
    body: Vec<u8>,
    /// The server that the token names. 0 for the account's own calls.
    server: usize,
}

impl Call {
    /// A parameter of the query; an empty one is none.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter().filter(|(key, value)| key == name && !value.is_empty());
        all.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.parameter(name).map(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The body as an object.
    pub(crate) fn object(&self, code: u32) -> Result<Map<String, Value>, Refusal> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(fields)) => Ok(fields),
            _ => Err(Refusal::business(code, "Received invalid JSON input.")),
        }
    }

    /// `count` and `offset` of a list, within Postmark's limits.
    pub(crate) fn page(&self, code: u32) -> Result<(usize, usize), Refusal> {
        let number = |name: &str| {
            let given = self.parameter(name).and_then(|text| text.parse::<usize>().ok());
            given.ok_or_else(|| {
                Refusal::business(code, format!("Parameter '{name}' is required and must be a number."))
            })
        };
        let (count, offset) = (number("count")?, number("offset")?);
        if count == 0 || count > 500 {
            return Err(Refusal::business(code, "Parameter 'count' must be between 1 and 500."));
        }
        if count + offset > 10_000 {
            let message = "The sum of 'count' and 'offset' must not be more than 10000.";
            return Err(Refusal::business(code, message));
        }
        Ok((count, offset))
    }
}

/// A field of an object, whatever the case of its key.
pub(crate) fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = object
        .get(name)
        .or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// A text field, empty when there is none.
pub(crate) fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    field(object, name).and_then(Value::as_str).unwrap_or("")
}

pub(crate) fn flag_of(object: &Map<String, Value>, name: &str) -> Option<bool> {
    match field(object, name)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => Some(text.eq_ignore_ascii_case("true")),
        _ => None,
    }
}

fn decoded(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if plus && bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Who calls.
enum Caller {
    Account,
    Server(usize),
    Test,
}

impl Simulator {
    /// Answers a request to Postmark's API, at the present instant. Only path, query, headers and body count.
    pub fn api(&mut self, request: Request<Vec<u8>>) -> Handled {
        if let Some(fault) = self.fault() {
            return Handled::Answer(fault);
        }
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key, true).to_ascii_lowercase(), decoded(value, true))
        });
        let segments = parts.uri.path().split('/').filter(|part| !part.is_empty());
        let mut call = Call {
            method: parts.method,
            segments: segments.map(|part| decoded(part, false)).collect(),
            query: query.collect(),
            body,
            server: 0,
        };
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let typed = header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
        if header("accept").is_none() || !call.body.is_empty() && !typed {
            return Handled::Answer(page(415, "415 Unsupported Media Type"));
        }
        let first = call.segments.first().map(|part| part.to_ascii_lowercase()).unwrap_or_default();
        let push = first == "templates"
            && call.segments.get(1).is_some_and(|part| part.eq_ignore_ascii_case("push"));
        let caller = if matches!(first.as_str(), "servers" | "domains" | "senders" | "data-removals") || push
        {
            let token = header("x-postmark-account-token").unwrap_or("");
            token.eq_ignore_ascii_case(&self.account_token).then_some(Caller::Account)
        } else {
            self.server_by_token(header("x-postmark-server-token").unwrap_or(""))
        };
        match caller {
            None => {
                let message = "No Account or Server API tokens were supplied in the HTTP headers. Please add a header for either X-Postmark-Server-Token or X-Postmark-Account-Token.";
                let wrong = |whose| {
                    format!(
                        "The {whose} Token you provided in the X-Postmark-{whose}-Token request header was invalid. Please verify that you are using a valid token."
                    )
                };
                let given = ["Server", "Account"]
                    .into_iter()
                    .find(|whose| header(&format!("x-postmark-{whose}-token")).is_some());
                let refusal = Refusal::new(401, 10, given.map_or(message.to_owned(), wrong));
                return Handled::Answer(refusal.reply());
            }
            Some(Caller::Account) => {}
            Some(Caller::Server(server)) => call.server = server,
            Some(Caller::Test) => return Handled::Answer(self.test_call(&call, &first)),
        }
        self.route(&call, &first)
    }

    fn server_by_token(&self, token: &str) -> Option<Caller> {
        if token.eq_ignore_ascii_case("POSTMARK_API_TEST") {
            return Some(Caller::Test);
        }
        let server = *self.tokens.get(&token.to_ascii_lowercase())?;
        (!self.servers[server].deleted).then_some(Caller::Server(server))
    }

    fn fault(&mut self) -> Option<Response<ApiBody>> {
        let second = self.now.seconds();
        if self.request_rate.0 != second {
            self.request_rate = (second, 0);
        }
        self.request_rate.1 += 1;
        let faults = self.config.faults.clone();
        if faults.maintenance {
            let refusal = Refusal::new(503, 100, "The Postmark API is offline for maintenance.");
            return Some(refusal.reply());
        }
        if faults.requests_per_second_max.is_some_and(|most| self.request_rate.1 > most) {
            return Some(page(429, "429 Too Many Requests"));
        }
        if self.draw_share(faults.internal_share) {
            return Some(page(500, "500 Internal Server Error"));
        }
        self.draw_share(faults.unavailable_share).then(|| page(503, "503 Service Temporarily Unavailable"))
    }

    fn test_call(&mut self, call: &Call, first: &str) -> Response<ApiBody> {
        if first == "email" {
            return self.test_send(call).unwrap_or_else(|refusal| refusal.reply());
        }
        if self.config.quirks.test_token_only_sends {
            return Refusal::new(401, 10, "This token can be used to send test messages only.").reply();
        }
        ApiBody::json(br#"{"TotalCount":0}"#.to_vec())
    }

    fn route(&mut self, call: &Call, first: &str) -> Handled {
        let rest: Vec<String> = call.segments.iter().skip(1).map(|part| part.to_ascii_lowercase()).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let (get, post, put) =
            (call.method == Method::GET, call.method == Method::POST, call.method == Method::PUT);
        let patch = call.method == Method::PATCH;
        let delete = call.method == Method::DELETE;
        // The path as it was written, where an id is read from it.
        let written = |at: usize| call.segments.get(at).map_or("", String::as_str);
        let reply = match (first, rest.as_slice()) {
            ("email", []) if post => self.send_one(call, false),
            ("email", ["batch"]) if post => self.send_batch(call, false),
            ("email", ["withtemplate"]) if post => self.send_one(call, true),
            ("email", ["batchwithtemplates"]) if post => self.send_batch(call, true),
            ("deliverystats", []) if get => self.delivery_stats(call),
            ("bounces", []) if get => self.list_bounces(call),
            ("bounces", [id]) if get => self.get_bounce(call, id),
            ("bounces", [id, "dump"]) if get => self.get_bounce_dump(call, id),
            ("bounces", [id, "activate"]) if put => self.activate_bounce(call, id),
            ("messages", ["outbound"]) if get => self.list_messages(call),
            ("messages", ["outbound", kind @ ("opens" | "clicks")]) if get => {
                self.list_engagement(call, None, *kind == "opens")
            }
            ("messages", ["outbound", kind @ ("opens" | "clicks"), id]) if get => {
                self.list_engagement(call, Some(id), *kind == "opens")
            }
            ("messages", ["outbound", id, "details"]) if get => self.message_details(call, id),
            ("messages", ["outbound", id, "dump"]) if get => self.message_dump(call, id),
            ("messages", ["inbound"]) if get => {
                Ok(ApiBody::json(br#"{"TotalCount":0,"InboundMessages":[]}"#.to_vec()))
            }
            ("stats", ["outbound", kind @ ..]) if get => self.statistics(call, kind),
            ("message-streams", []) if get => self.list_streams(call),
            ("message-streams", []) if post => self.create_stream(call),
            ("message-streams", [id]) if get => self.get_stream(call, id),
            ("message-streams", [id]) if patch => self.edit_stream(call, id),
            ("message-streams", [id, "archive"]) if post => self.archive_stream(call, id),
            ("message-streams", [id, "unarchive"]) if post => self.unarchive_stream(call, id),
            ("message-streams", [id, "suppressions"]) if post => self.change_suppressions(call, id, true),
            ("message-streams", [id, "suppressions", "delete"]) if post => {
                self.change_suppressions(call, id, false)
            }
            ("message-streams", [id, "suppressions", "dump"]) if get => self.dump_suppressions(call, id),
            ("webhooks", _) => return self.webhooks(call, &rest),
            ("server", []) if get => Ok(self.get_server(call.server)),
            ("server", []) if put => self.edit_server(call, call.server),
            ("servers", []) if get => self.list_servers(call),
            ("servers", []) if post => self.create_server(call),
            ("servers", [id]) if get => self.server_by_id(id).map(|server| self.get_server(server)),
            ("servers", [id]) if put => {
                self.server_by_id(id).and_then(|server| self.edit_server(call, server))
            }
            ("servers", [id]) if delete => self.delete_server(id),
            ("templates", []) if get => self.list_templates(call),
            ("templates", []) if post => self.create_template(call),
            ("templates", ["validate"]) if post => self.validate_template(call),
            ("templates", ["push"]) if put => self.push_templates(call),
            ("templates", [_]) if get => self.get_template(call, written(1)),
            ("templates", [_]) if put => self.edit_template(call, written(1)),
            ("templates", [_]) if delete => self.delete_template(call, written(1)),
            _ => Ok(page(404, "404 Not Found")),
        };
        Handled::Answer(reply.unwrap_or_else(|refusal| refusal.reply()))
    }

    /// The stream that a list is asked for; `outbound` when none is named.
    pub(crate) fn listed_stream(&self, call: &Call, code: u32) -> Result<u16, Refusal> {
        let id = call.parameter("messagestream").unwrap_or("outbound");
        self.stream_index(call.server, id)
            .ok_or_else(|| Refusal::business(code, format!("The message stream '{id}' was not found.")))
    }

    /// The instants of `fromdate` and `todate`, cut to retention: from, and the first that is past.
    pub(crate) fn window(&self, call: &Call, code: u32) -> Result<(Time, Time), Refusal> {
        let read = |name: &str| match call.parameter(name) {
            None => Ok(None),
            Some(text) => match self.eastern.filter(text) {
                Some(range) => Ok(Some((range, text.len() > 10))),
                None => Err(Refusal::business(code, format!("Parameter '{name}' is not a valid date."))),
            },
        };
        let from = read("fromdate")?.map_or(self.horizon(), |((from, _), _)| from.max(self.horizon()));
        let quirks = &self.config.quirks;
        let after = match read("todate")? {
            None => Time::from_ticks(i64::MAX),
            Some(((at, after), timed)) => {
                let whole =
                    if timed { quirks.todate_takes_whole_second } else { quirks.todate_takes_whole_day };
                if whole { after } else { at.plus_ticks(1) }
            }
        };
        Ok((from, after))
    }

    /// A time as rows of the API print it: with the Eastern offset.
    pub(crate) fn api_time(&self, json: &mut crate::json::Json, key: &str, at: Time) {
        json.time(key, at, 0, self.eastern.offset(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, each};
    use crate::{Faults, Quirks};
    use serde_json::json;

    #[test]
    fn a_wrong_token_a_missing_header_and_a_wrong_path_are_refused() {
        let mut trial = Trial::quiet();
        let mut ask = |path: &str, headers: &[(&str, &str)]| {
            let mut request = Request::get(path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = trial.simulator.api(request.body(Vec::new()).unwrap()).answer().unwrap();
            let code =
                answer.headers().get("x-pm-apierrorcode").map(|code| code.to_str().unwrap().to_owned());
            (answer.status().as_u16(), code)
        };
        let json = ("Accept", "application/json");
        let token = trial.server.token.to_uppercase();
        assert_eq!(ask("/bounces", &[json]), (401, Some("10".to_owned())));
        assert_eq!(
            ask("/bounces", &[json, ("X-Postmark-Server-Token", "wrong")]),
            (401, Some("10".to_owned()))
        );
        assert_eq!(ask("/servers?count=1&offset=0", &[json, ("X-Postmark-Server-Token", &token)]).0, 401);
        assert_eq!(ask("/server", &[("X-Postmark-Server-Token", &token)]).0, 415);
        assert_eq!(ask("/nothing", &[json, ("X-Postmark-Server-Token", &token)]), (404, None));
        assert_eq!(ask("/SERVER", &[json, ("X-Postmark-Server-Token", &token)]), (200, None));
    }

    #[test]
    fn sends_are_checked_and_a_batch_answers_item_by_item() {
        let mut trial = Trial::quiet();
        let good = json!({"From": "a@x.example", "To": "b@x.example", "TextBody": "x"});
        let with = |key: &str, value: Value| {
            let mut mail = good.clone();
            mail[key] = value;
            mail
        };
        let many = (0..51).map(|at| format!("u{at}@x.example")).collect::<Vec<_>>().join(",");
        for (mail, code) in [
            (with("From", "nobody".into()), 300),
            (with("To", "".into()), 300),
            (with("To", "nobody".into()), 300),
            (with("To", many.into()), 300),
            (with("TextBody", "".into()), 300),
            (with("Metadata", json!({"k": "v".repeat(81)})), 300),
            (with("TrackLinks", "Some".into()), 403),
            (with("MessageStream", "nothing".into()), 1235),
            (with("MessageStream", "inbound".into()), 1236),
        ] {
            let (status, body) = trial.call("POST", "/email", &mail);
            assert_eq!((status, &body["ErrorCode"]), (422, &code.into()), "{mail}");
        }
        let (status, body) = trial.call("POST", "/email/batch", &json!([good, with("To", "nobody".into())]));
        let codes: Vec<_> =
            body.as_array().unwrap().iter().map(|item| item["ErrorCode"].as_u64().unwrap()).collect();
        assert_eq!((status, codes), (200, vec![0, 300]));
        let (status, body) = trial.call("POST", "/email/batch", &json!(vec![good; 501]));
        assert_eq!((status, &body["ErrorCode"]), (422, &410.into()));
        assert_eq!(trial.simulator.truth().messages(), 1);
    }

    #[test]
    fn the_test_token_checks_and_sends_nothing() {
        let mut trial = Trial::quiet();
        trial.server.token = "POSTMARK_API_TEST".to_owned();
        let (status, body) = trial.send_on("outbound", "b@x.example");
        assert_eq!(
            (status, &body["ErrorCode"], &body["Message"]),
            (200, &0.into(), &"Test job accepted".into())
        );
        assert_eq!(trial.send_on("outbound", "nobody").0, 422);
        assert_eq!(trial.simulator.truth().messages(), 0);
    }

    #[test]
    fn the_api_fails_as_it_is_told() {
        let mut trial = Trial::quiet();
        let mut with = |faults: Faults| {
            trial.simulator.set_faults(faults);
            trial.call("GET", "/server", &Value::Null)
        };
        assert_eq!(with(Faults { internal_share: 1.0, ..Faults::default() }).0, 500);
        assert_eq!(with(Faults { unavailable_share: 1.0, ..Faults::default() }).0, 503);
        assert_eq!(with(Faults { maintenance: true, ..Faults::default() }).1["ErrorCode"], 100);
        let (status, body) = with(Faults { requests_per_second_max: Some(1), ..Faults::default() });
        assert_eq!((status, body.is_string()), (429, true));
    }

    #[test]
    fn rows_of_bounces_know_what_is_today_or_what_was_that_day() {
        for todays in [false, true] {
            let mut trial = Trial::with(|config| {
                config.quirks = Quirks { api_inactive_is_todays: todays, ..config.quirks.clone() };
            });
            trial.send("a+hard@x.example");
            trial.send("b+soft@x.example");
            trial.days(1);
            let id = trial.get("/bounces?count=5&offset=0&type=HardBounce")["Bounces"][0]["ID"].clone();
            trial.call("PUT", &format!("/bounces/{id}/activate"), &Value::Null);
            trial.days(1);
            let row = trial.get(&format!("/bounces/{id}"));
            assert_eq!(row["Inactive"], !todays);
            assert!(row.get("Metadata").is_none());
            let all = trial.get("/bounces?count=5&offset=0&emailFilter=X.EXAMPLE");
            assert_eq!(all["TotalCount"], 2);
            let stats = trial.get("/deliverystats");
            assert_eq!(
                each(stats["Bounces"].as_array().unwrap(), "Name"),
                ["All", "Hard bounce", "Soft bounce"]
            );
            assert_eq!(stats["InactiveMails"], 0);
        }
    }

    #[test]
    fn servers_streams_and_templates_are_made_through_the_api() {
        let mut trial = Trial::quiet();
        let (status, made) = trial.call("POST", "/servers", &json!({"Name": "Second", "TrackOpens": true}));
        assert_eq!((status, &made["TrackOpens"]), (200, &true.into()));
        assert_eq!(trial.call("POST", "/servers", &json!({"Name": "second"})).1["ErrorCode"], 603);
        assert_eq!(trial.get("/servers?count=10&offset=0&name=sec")["TotalCount"], 1);
        assert_eq!(
            trial.call("DELETE", &format!("/servers/{}", made["ID"]), &Value::Null).1["ErrorCode"],
            604
        );
        trial.server.token = made["ApiTokens"][0].as_str().unwrap().to_owned();
        let stream = json!({"ID": "news", "Name": "News", "MessageStreamType": "Broadcasts"});
        let (status, stream_made) = trial.call("POST", "/message-streams", &stream);
        assert_eq!(
            (status, &stream_made["SubscriptionManagementConfiguration"]["UnsubscribeHandlingType"]),
            (200, &"Postmark".into())
        );
        assert_eq!(trial.call("POST", "/message-streams", &stream).1["ErrorCode"], 1225);
        assert_eq!(trial.call("POST", "/message-streams/news/archive", &Value::Null).0, 200);
        assert_eq!(trial.get("/message-streams")["TotalCount"], 3);
        assert_eq!(trial.send_on("news", "b@x.example").1["ErrorCode"], 1236);
        trial.call("POST", "/message-streams/news/unarchive", &Value::Null);
        assert_eq!(trial.send_on("news", "b@x.example").0, 200);
        trial.call(
            "POST",
            "/templates",
            &json!({"Name": "T", "Alias": "welcome", "Subject": "S", "TextBody": "B"}),
        );
        let mail = json!({"From": "a@x.example", "To": "b@x.example", "TemplateAlias": "welcome", "TemplateModel": {}});
        assert_eq!(trial.call("POST", "/email/withTemplate", &mail).0, 200);
        assert_eq!(trial.get("/templates?count=10&offset=0")["TotalCount"], 1);
    }
}
