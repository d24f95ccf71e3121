//! What Postledger makes of one webhook body: the command `event`.

use crate::Failure;
use ledger::counters::Measure;
use ledger::event::{Fact, What, bounce_class};
use ledger::{Class, Event, LedgerKey, ServerId, Source, Time, recipient_key};
use postmark::{Body, Context, Examined, Fields, Refusal, RefusalCode};
use schemars::JsonSchema;
use serde::Serialize;

/// What Postledger makes of one webhook body. For a probe, which is never recorded, whatever can be read.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// The kind of event: Postmark's `RecordType`, or `Observed` or `Decision`.
    pub kind: Option<String>,
    /// Which event it is: 16 bytes in base64url. Equal identities are one event.
    pub identity: Option<String>,
    /// The server it belongs to; 0 where neither `--server` nor the body names one.
    pub server: i64,
    /// The message stream.
    pub stream: Option<String>,
    /// The address, as the body spells it.
    pub recipient: Option<String>,
    /// The key that all spellings of the address share.
    pub recipient_key: Option<String>,
    /// The id that stands for the recipient in keys and logs; here under the fixed test key.
    pub recipient_id: Option<String>,
    /// The message, unless it is absent, null, empty or the all-zero UUID.
    pub message_id: Option<String>,
    /// When it happened, in microseconds since 1970.
    pub time_us: Option<i64>,
    /// When it happened, as the body writes it.
    pub time: Option<String>,
    /// How it is kept: `s` (makes state, kept for ever), `d` (delivery) or `e` (open, click).
    pub class: Option<String>,
    /// For bounces and complaints: what the type says about the recipient.
    pub bounce_class: Option<String>,
    /// What it is counted as.
    pub measure: Option<String>,
    /// What it says about the recipient.
    pub facts: Vec<ReportedFact>,
    /// Whether a machine opened or clicked, by the stated rule.
    pub machine: bool,
    /// Whether it is Postmark's verification probe or "send test": answered, never recorded.
    pub probe: bool,
    /// What the door takes out of the body, by name.
    pub dropped: Vec<String>,
}

/// A fact that an event tells.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportedFact {
    /// `suppressed`, `lifted`, `barred`, `allowed`, `bounced`, `complained` or `removal_requested`.
    pub fact: String,
    /// The stream, or `*` for the whole server.
    pub stream: String,
    /// From when it holds, in microseconds since 1970. (An observation speaks for 10 minutes before its dump.)
    pub at_us: i64,
    /// For `suppressed` and `barred`: the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// For `bounced`: the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// For `bounced`: the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

impl From<Fact> for ReportedFact {
    fn from(fact: Fact) -> ReportedFact {
        let of = |name: &str, stream, at: Time| ReportedFact {
            fact: name.to_owned(),
            stream,
            at_us: at.micros(),
            cause: None,
            class: None,
            message_id: None,
        };
        match fact {
            Fact::Suppressed { stream, cause, at } => {
                ReportedFact { cause: Some(cause.name().to_owned()), ..of("suppressed", stream, at) }
            }
            Fact::Lifted { stream, at } => of("lifted", stream, at),
            Fact::Barred { stream, cause, at } => {
                ReportedFact { cause: Some(cause.name().to_owned()), ..of("barred", stream, at) }
            }
            Fact::Allowed { stream, at } => of("allowed", stream, at),
            Fact::Bounced { stream, class, at, message_id } => {
                ReportedFact { class: Some(word(class)), message_id, ..of("bounced", stream, at) }
            }
            Fact::Complained { stream, at } => of("complained", stream, at),
            Fact::RemovalRequested { stream, at } => of("removal_requested", stream, at),
        }
    }
}

/// The name that serde gives a unit variant.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The JSON Schema of a report.
///
/// # Errors
/// None that is known.
pub fn schema() -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(&schemars::schema_for!(Report))?)
}

/// What Postledger makes of a body under a server and receipt, where deliveries, opens and clicks are kept for so many
/// days.
///
/// # Errors
/// The refusal, where the body would be set aside (but for a probe), at the door or by the consumer.
pub fn report(
    raw: &[u8],
    server: Option<ServerId>,
    received_at: Time,
    retention_days: u32,
) -> Result<Report, Refusal> {
    let body = Body::parse(raw)?;
    let probe = postmark::is_probe(&body);
    let named = body.server_id()?;
    let server = if probe { named.or(server) } else { server.or(named) }.unwrap_or(ServerId::NONE);
    // Our own kinds are told by operators; looking at one as an operator would is no use for Postmark's six.
    let own = matches!(body.text("RecordType"), Some("Observed" | "Decision"));
    let source = if probe || own { Source::Operator } else { Source::Webhook };
    let context = Context { server, received_at, source, keep_engagement_detail: false };
    match postmark::event_of_body(body, &context, &LedgerKey::for_tests()) {
        Ok((examined, event)) => {
            let kept_from = consumer::floor(retention_days, received_at);
            if !probe && examined.kind.class() != Class::State && examined.at < kept_from {
                return Err(Refusal::new(RefusalCode::TooOld, "/", consumer::TOO_OLD));
            }
            describe(&examined, &event, &context, probe)
        }
        Err(_) if probe => Ok(Report { server: server.get(), probe, ..Report::default() }),
        Err(refusal) => Err(refusal),
    }
}

fn describe(examined: &Examined, event: &Event, context: &Context, probe: bool) -> Result<Report, Refusal> {
    let fields = Fields::read(&examined.body, examined.kind, context)?;
    let class = match &event.what {
        What::Bounce { bounce_type, .. } => Some(word(bounce_class(bounce_type))),
        What::SpamComplaint { .. } => Some("complaint".to_owned()),
        _ => None,
    };
    // A probe tells nothing.
    let facts = if probe { Vec::new() } else { event.facts() };
    Ok(Report {
        kind: Some(event.kind().name().to_owned()),
        identity: Some(event.identity.to_string()),
        server: event.server.get(),
        stream: Some(event.stream.clone()),
        recipient: event.address.clone(),
        recipient_key: Some(recipient_key(fields.address)),
        recipient_id: Some(event.recipient.to_string()),
        message_id: event.message_id.clone(),
        time_us: Some(event.at.micros()),
        time: Some(fields.time.to_owned()),
        class: Some(event.class().letter().to_owned()),
        bounce_class: class,
        measure: Some(Measure::of(&event.what).name().to_owned()),
        facts: facts.into_iter().map(ReportedFact::from).collect(),
        machine: matches!(event.what, What::Open { machine: true, .. } | What::Click { machine: true }),
        probe,
        dropped: examined.dropped.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// Days enough for every fixture.
    const FOR_EVER: u32 = 36_500;

    fn now() -> Time {
        "2026-10-01T00:00:00Z".parse().unwrap()
    }

    fn server() -> Option<ServerId> {
        ServerId::new(8_123_456).ok()
    }

    /// What becomes of every fixture, one a line: a change here changes what is recorded of real mail.
    #[test]
    fn what_becomes_of_every_fixture_is_as_it_was() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/postmark/fixtures");
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        files.sort();
        let line = |path: &PathBuf| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            match report(&std::fs::read(path).unwrap(), server(), now(), FOR_EVER) {
                Ok(report) => format!("{name}: {}", serde_json::to_string(&report).unwrap()),
                Err(refusal) => format!("{name}: set aside: {refusal}"),
            }
        };
        let lines: Vec<String> = files.iter().map(line).collect();
        assert!(lines.len() > 100);
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn every_fixture_is_listed_with_its_source() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/postmark/fixtures");
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name == "README.md" || readme.contains(&format!("| `{name}` |")), "{name}");
        }
    }

    #[test]
    fn the_schema_describes_every_field_of_a_report() {
        let schema: serde_json::Value = serde_json::from_str(&schema().unwrap()).unwrap();
        let report = serde_json::to_value(Report::default()).unwrap();
        for name in report.as_object().unwrap().keys() {
            assert!(schema["properties"][name]["description"].is_string(), "{name}");
        }
    }

    #[test]
    fn an_event_whose_twin_may_have_expired_would_be_set_aside_but_never_one_with_state() {
        let days_before = |days: i64| now().plus_days(-days).to_string();
        let told = |kind: &str, time: &str, at: String| {
            let body = serde_json::json!({ "RecordType": kind, "MessageID": "m", "Recipient": "i@x.example",
                "OriginalLink": "l", "Type": "HardBounce", "ID": 7, time: at });
            report(body.to_string().as_bytes(), None, now(), 100).map_err(|refusal| refusal.refused.code())
        };
        for (kind, time) in [("Click", "ReceivedAt"), ("Open", "ReceivedAt"), ("Delivery", "DeliveredAt")] {
            assert!(told(kind, time, days_before(100)).is_ok(), "{kind}");
            assert_eq!(told(kind, time, days_before(101)).unwrap_err(), "too_old");
        }
        assert!(told("Bounce", "BouncedAt", days_before(4_000)).is_ok());
    }

    #[test]
    fn an_open_that_does_not_say_whether_it_is_the_first_is_a_repeat() {
        let of = |first: &str| {
            let body = format!(
                r#"{{"RecordType":"Open","MessageID":"m","Recipient":"i@x.example","UserAgent":"u",
                    "ReceivedAt":"2026-09-21T08:00:00Z"{first}}}"#
            );
            report(body.as_bytes(), server(), now(), FOR_EVER).unwrap()
        };
        let (unsaid, repeat, first) = (of(""), of(r#","FirstOpen":false"#), of(r#","FirstOpen":true"#));
        assert_eq!((&unsaid.measure, &unsaid.identity), (&repeat.measure, &repeat.identity));
        assert_eq!(unsaid.measure.as_deref(), Some("open_repeat"));
        assert_eq!(of(r#","FirstOpen":null"#).identity, repeat.identity);
        assert_ne!(unsaid.identity, first.identity, "the first one still comes");
    }

    #[test]
    fn the_server_is_the_one_given_else_the_bodys_own_else_none() {
        let click = br#"{"RecordType":"Click","MessageID":"m","Recipient":"i@x.example","OriginalLink":"l",
            "ReceivedAt":"2026-09-21T08:00:00Z"}"#;
        assert_eq!(report(click, None, now(), FOR_EVER).unwrap().server, 0);
        assert_eq!(report(click, server(), now(), FOR_EVER).unwrap().server, 8_123_456);
        let delivery = br#"{"RecordType":"Delivery","MessageID":"m","Recipient":"i@x.example","ServerId":7,
            "DeliveredAt":"2026-09-21T08:00:00Z"}"#;
        assert_eq!(report(delivery, None, now(), FOR_EVER).unwrap().server, 7);
        assert_eq!(
            report(delivery, server(), now(), FOR_EVER).unwrap_err().refused.code(),
            "server_mismatch"
        );
    }
}
