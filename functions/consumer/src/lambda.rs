//! The consumer as a Lambda function behind event source mappings: configuration, start-up, and what a batch of
//! SQS is to the consumer.

use crate::{Consumer, Incoming, RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MIN, Settings};
use aws::{Access, Link, Opened, batch};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::config::{
    BY_TIME, COUNTERS_TABLE, EVENTS_TABLE, LEDGER_KEY_PARAMETER, QUARANTINE_TABLE, RECIPIENTS_TABLE,
    REGISTRY_TABLE, RETENTION_DAYS, STAGE, TRUSTED_SENDERS,
};
use platform::env::EnvError;
use platform::{Config, Variable};
use queue::{QueueName, Trusted};
use std::sync::Arc;
use store::DynamoDb;
use store::dynamodb::{LIMITS, Tables, ledger_key};
use tokio::time::Instant;

/// What it is told.
const VARIABLES: &[Variable] = &[
    BY_TIME,
    COUNTERS_TABLE,
    EVENTS_TABLE,
    LEDGER_KEY_PARAMETER,
    QUARANTINE_TABLE,
    RECIPIENTS_TABLE,
    REGISTRY_TABLE,
    RETENTION_DAYS,
    STAGE,
    TRUSTED_SENDERS,
];

/// Runs the consumer.
///
/// # Errors
/// A variable that is missing or unusable, a ledger key that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let function = &start(&config).await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let deadline = aws::deadline(event.context.deadline);
        let response = answer(function, event.payload, deadline).await;
        platform::metrics::flush(std::io::stdout().lock());
        response
    }))
    .await
}

/// The consumer, and whom it believes.
struct Function {
    consumer: Consumer,
    trusted: Trusted,
}

async fn start(config: &Config) -> Result<Function, Error> {
    let trusted = Trusted::list(config.required(TRUSTED_SENDERS)?);
    let (tables, retention_days) = (Tables::configured(config)?, retention_days(config)?);
    let link = Link::new(Access::of_function()?, LIMITS);
    let store = DynamoDb::new(link.clone(), tables);
    // Both connections open at once.
    let (key, warmed) = tokio::join!(ledger_key(&link, config), store.warm());
    Opened::tell("tables", warmed);
    let settings = Settings { retention_days, ..Settings::new(key?, platform::clock()) };
    Ok(Function { consumer: Consumer::new(Arc::new(store), settings), trusted })
}

/// Consumes a batch. Messages of several queues, which no mapping mixes, are still told apart.
///
/// # Errors
/// Where a message has no id, or is of no queue of ours: then all come again, and the mapping is to be mended.
async fn answer(function: &Function, event: SqsEvent, deadline: Instant) -> Result<SqsBatchResponse, Error> {
    let mut failed = Vec::new();
    for from in QueueName::ALL {
        let of_queue = |message: &&SqsMessage| queue_of(message) == Some(from);
        let incoming = |message| incoming(message, &function.trusted);
        let incoming: Option<Vec<Incoming>> = event.records.iter().filter(of_queue).map(incoming).collect();
        let incoming = incoming.ok_or(batch::NO_ID)?;
        if !incoming.is_empty() {
            failed.extend(function.consumer.handle(from, &incoming, deadline).await);
        }
    }
    if event.records.iter().any(|message| queue_of(message).is_none()) {
        return Err("a message from a queue that is not ours: an event source mapping must not lead \
            here"
            .into());
    }
    Ok(batch::response(failed))
}

fn queue_of(message: &SqsMessage) -> Option<QueueName> {
    QueueName::at_the_end_of(message.event_source_arn.as_deref()?)
}

fn incoming(message: &SqsMessage, trusted: &Trusted) -> Option<Incoming> {
    let trusted = trusted.sent(batch::sender(message));
    Some(Incoming { id: batch::id(message)?, body: message.body.clone().unwrap_or_default(), trusted })
}

fn retention_days(config: &Config) -> Result<u32, EnvError> {
    let days = config.parsed(RETENTION_DAYS, RETENTION_DAYS_DEFAULT)?;
    if days < RETENTION_DAYS_MIN { Err(RETENTION_DAYS.unusable()) } else { Ok(days) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::event::What;
    use ledger::{LedgerKey, Source};
    use queue::Envelope;
    use std::time::Duration;
    use store::Memory;
    use store::prelude::*;

    fn consumer(store: &Arc<Memory>) -> Function {
        let clock: platform::Clock = Arc::new(|| "2026-10-01T00:00:00Z".parse().unwrap());
        let consumer = Consumer::new(store.clone(), Settings::new(LedgerKey::for_tests(), clock));
        Function { consumer, trusted: Trusted::list("AROAAPI,AROAOPERATOR") }
    }

    /// As Lambda hands a message on, sent by somebody.
    fn sent_by(sender: Option<&str>, queue: &str, body: &str) -> SqsEvent {
        let mut event = event(&[("one", queue, body)]);
        if let Some(sender) = sender {
            event.records[0].attributes.insert("SenderId".to_owned(), sender.to_owned());
        }
        event
    }

    fn decision() -> Envelope {
        let decision = postmark::Decision {
            id: "AAAAAAAAAAAAAAAAAAAAAA",
            stream: "outbound",
            address: "ida@customer.example",
            ruling: ledger::event::Ruling::Allow,
            reason: "",
            actor: "",
            at: "2026-09-30T00:00:00Z".parse().unwrap(),
        };
        let server = ledger::ServerId::new(8_123_456).unwrap();
        let (what, body) = (What::Decision { ruling: decision.ruling }, decision.body().to_string());
        Envelope::told(server, &what, decision.at, Source::Operator, body, Vec::new()).unwrap()
    }

    /// Why it was set aside, if it was.
    async fn aside(sender: Option<&str>, queue: &str, body: &str) -> Option<String> {
        let store = Arc::new(Memory::default());
        let far = Instant::now() + Duration::from_secs(30);
        let response = answer(&consumer(&store), sent_by(sender, queue, body), far).await.unwrap();
        assert!(response.batch_item_failures.is_empty(), "it is in the ledger or in quarantine");
        let days = ["2026-09-30", "2026-10-01"];
        let mut kept = Vec::new();
        for day in days {
            kept.extend(store.quarantined_on(day).await.unwrap());
        }
        assert_eq!(store.all_events().unwrap().len() + kept.len(), 1, "never lost");
        kept.pop().map(|kept| kept.part.reason)
    }

    #[tokio::test]
    async fn what_no_webhook_tells_is_believed_of_trusted_senders_only_and_else_set_aside() {
        let door = Some("AROADOOR:us-prod-ingest-bounce");
        let told = decision().encode();
        for sender in [Some("AROAAPI:us-prod-api"), Some("AROAOPERATOR:ida"), Some("AROAOPERATOR")] {
            assert_eq!(aside(sender, "us-critical", &told).await, None, "{sender:?}");
        }
        let disguised = Envelope { source: Source::Webhook, ..decision() };
        let named = Envelope { record_type: ledger::Kind::Bounce, ..disguised.clone() };
        let delivery = r#"{"RecordType":"Delivery","MessageStream":"outbound","ServerID":8123456,"MessageID":"m1",
            "Recipient":"ida@customer.example","DeliveredAt":"2026-09-30T00:00:00Z","Details":""}"#;
        let webhook = Envelope {
            source: Source::Webhook,
            record_type: ledger::Kind::Delivery,
            body: Envelope::raw(delivery.replace('\n', "")).unwrap(),
            ..decision()
        };
        let replayed = Envelope { overridden: true, ..webhook.clone() };
        let reconciled = Envelope { source: Source::Reconcile, ..webhook.clone() };
        for sender in [door, None, Some("AROADOOR:AROAAPI"), Some("123456789012")] {
            for forged in [&decision(), &disguised, &replayed, &reconciled] {
                let reason = aside(sender, "us-critical", &forged.encode()).await;
                assert_eq!(reason.as_deref(), Some(crate::intake::SENDER), "{sender:?}");
            }
            let read_as_webhooks = aside(sender, "us-critical", &named.encode()).await;
            assert_eq!(
                read_as_webhooks.as_deref(),
                Some("unknown_record_type"),
                "whatever its envelope says"
            );
            assert_eq!(aside(sender, "us-bulk", &webhook.encode()).await, None, "a webhook is anybody's");
        }
    }

    #[tokio::test]
    async fn a_part_that_a_door_says_an_operator_told_is_kept_as_its_senders() {
        let part = |source| {
            let aside = queue::SetAside {
                server: ledger::ServerId::new(8_123_456).unwrap(),
                generation: 1,
                key_id: String::new(),
                received_at: "2026-10-01T00:00:00Z".parse().unwrap(),
                source,
                reason: "not_json".to_owned(),
                detail: String::new(),
                record_type: None,
                dropped: Vec::new(),
                erased: None,
                body: b"x".to_vec(),
            };
            aside.parts().remove(0).encode()
        };
        let door = Some("AROADOOR:us-prod-ingest-bounce");
        assert_eq!(aside(door, "us-quarantine", &part(Source::Webhook)).await.as_deref(), Some("not_json"));
        assert_eq!(aside(door, "us-quarantine", &part(Source::Operator)).await.as_deref(), Some("sender"));
        let operator = Some("AROAOPERATOR:ida");
        assert_eq!(
            aside(operator, "us-quarantine", &part(Source::Operator)).await.as_deref(),
            Some("not_json")
        );
    }

    fn event(messages: &[(&str, &str, &str)]) -> SqsEvent {
        let records: Vec<_> = messages
            .iter()
            .map(|(id, queue, body)| {
                serde_json::json!({ "messageId": id, "body": body, "receiptHandle": "r",
                    "eventSourceARN": format!("arn:aws:sqs:eu-west-1:123456789012:{queue}") })
            })
            .collect();
        serde_json::from_value(serde_json::json!({ "Records": records })).unwrap()
    }

    #[tokio::test]
    async fn what_must_come_again_is_named_and_the_rest_is_done() {
        let store = Arc::new(Memory::default());
        let event =
            event(&[("one", "eu-critical", "poison"), ("two", "eu-critical", r#"{"v":99,"server":1}"#)]);
        let far = Instant::now() + Duration::from_secs(30);
        let response = answer(&consumer(&store), event, far).await.unwrap();
        let named: Vec<String> =
            response.batch_item_failures.into_iter().map(|one| one.item_identifier).collect();
        assert_eq!(named, ["two"], "only the next release can read it");
        assert_eq!(store.quarantined_on("2026-10-01").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_named_or_is_not_ours_brings_all_back() {
        let store = Arc::new(Memory::default());
        let far = Instant::now() + Duration::from_secs(30);
        for event in [event(&[("", "eu-bulk", "x")]), event(&[("one", "somebody-elses", "x")])] {
            assert!(answer(&consumer(&store), event, far).await.is_err());
        }
    }
}
