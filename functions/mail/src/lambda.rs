//! Sending mail as a Lambda function behind an event source mapping: configuration and start-up, and what a batch of SQS is to
//! it.

use crate::{Incoming, KeepsToken, NoToken, Post};
use async_trait::async_trait;
use aws::{Access, Limits, Link, batch};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::Time;
use platform::config::{MAIL_FROM, MAIL_STREAM, MAIL_TOKEN_PARAMETER, POSTMARK, STAGE};
use platform::{Config, Variable};
use portal::mail::Sender;
use postmark_api::{Endpoint, Retries, Token};
use std::time::Duration;

/// What it is told.
const VARIABLES: &[Variable] = &[MAIL_FROM, MAIL_STREAM, MAIL_TOKEN_PARAMETER, POSTMARK, STAGE];

/// How long before its deadline what is not sent yet is left for the next time.
const RESERVE: Duration = Duration::from_secs(2);

/// How long a call of AWS may take: below the function's timeout.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(6),
    attempts_max: 3,
};

/// How often Postmark is asked in one run; a message comes again by itself.
const RETRIES: Retries =
    Retries { attempts: 2, first_pause: Duration::from_millis(200), most_pause: Duration::from_secs(1) };

/// Runs the function.
///
/// # Errors
/// A variable that is missing, a token that cannot be had, or a runtime that cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::of_function(VARIABLES);
    let post = &start(&config).await.inspect_err(|error| platform::logs::cannot_start(&**error))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let until = aws::deadline(event.context.deadline) - RESERVE;
        let response = answer(post, event.payload, until).await;
        platform::metrics::flush(std::io::stdout().lock());
        response
    }))
    .await
}

async fn start(config: &Config) -> Result<Post, Error> {
    let sender = Sender {
        from: config.required(MAIL_FROM)?.to_owned(),
        stream: config.required(MAIL_STREAM)?.to_owned(),
    };
    let parameter = config.required(MAIL_TOKEN_PARAMETER)?.to_owned();
    let keeper = Parameter { link: Link::new(Access::of_function()?, LIMITS), name: parameter };
    let postmark = Endpoint::configured(config)?.with_retries(RETRIES);
    let post = Post::new(Box::new(keeper), postmark, sender, platform::clock());
    // Missing, it is told by whoever deploys, and not only by the first person who waits for a code.
    post.server().await?;
    Ok(post)
}

/// The token as an encrypted parameter.
struct Parameter {
    link: Link,
    name: String,
}

#[async_trait]
impl KeepsToken for Parameter {
    async fn token(&self) -> Result<Token, NoToken> {
        let text = self.link.parameter(&self.name).await.map_err(|error| NoToken(error.into()))?;
        Token::new(&text).map_err(|error| NoToken(format!("the parameter {} is {error}", self.name).into()))
    }
}

/// Sends a batch.
///
/// # Errors
/// Where a message has no id: then all come again.
async fn answer(
    post: &Post,
    event: SqsEvent,
    until: tokio::time::Instant,
) -> Result<SqsBatchResponse, Error> {
    let messages: Option<Vec<Incoming>> = event.records.iter().map(incoming).collect();
    let messages = messages.ok_or(batch::NO_ID)?;
    Ok(batch::response(post.handle(&messages, until).await))
}

fn incoming(message: &SqsMessage) -> Option<Incoming> {
    let sent_at = message.attributes.get("SentTimestamp").and_then(|at| at.parse::<i64>().ok());
    let sent_at = sent_at.and_then(|millis| Some(Time::from_micros(millis.checked_mul(1_000)?)));
    Some(Incoming { id: batch::id(message)?, body: message.body.clone().unwrap_or_default(), sent_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postmark_api::Nowhere;
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// Where no token is kept.
    struct NoParameter;

    #[async_trait]
    impl KeepsToken for NoParameter {
        async fn token(&self) -> Result<Token, NoToken> {
            Err(NoToken("there is no parameter /postledger/us/mail".into()))
        }
    }

    fn post() -> Post {
        let sender = Sender { from: "a@agency.example".to_owned(), stream: "outbound".to_owned() };
        let clock: platform::Clock = Arc::new(|| "2026-11-25T12:00:00Z".parse().unwrap());
        Post::new(Box::new(NoParameter), Endpoint::new(Arc::new(Nowhere)), sender, clock)
    }

    fn event(records: Value) -> SqsEvent {
        serde_json::from_value(json!({ "Records": records })).unwrap()
    }

    #[tokio::test]
    async fn what_must_come_again_is_named_and_a_message_that_cannot_be_named_brings_all_back() {
        let soon = tokio::time::Instant::now() + Duration::from_secs(5);
        let empty = answer(&post(), event(json!([])), soon).await.unwrap();
        assert_eq!(serde_json::to_value(empty).unwrap(), json!({ "batchItemFailures": [] }));
        let code = r#"{"code":{"to":"ida@client.example","code":"12345678","link":null}}"#;
        let record =
            json!({ "messageId": "one", "body": code, "attributes": { "SentTimestamp": "1795607990000" } });
        let named = answer(&post(), event(json!([record])), soon).await.unwrap();
        assert_eq!(
            serde_json::to_value(named).unwrap(),
            json!({ "batchItemFailures": [{ "itemIdentifier": "one" }] })
        );
        assert!(answer(&post(), event(json!([{ "messageId": "", "body": "x" }])), soon).await.is_err());
    }

    #[test]
    fn when_a_message_was_put_down_is_as_sqs_tells_it() {
        let message = |attributes| {
            let record = json!({ "messageId": "one", "body": "x", "attributes": attributes });
            incoming(&event(json!([record])).records[0]).unwrap().sent_at
        };
        let at = message(json!({ "SentTimestamp": "1795607990000" })).unwrap();
        assert_eq!(at.to_string(), "2026-11-25T11:59:50.000000Z");
        assert_eq!(message(json!({})), None);
    }
}
