//! One request at the door. The order: method and size, credential, JSON, probe, record type, fields.

use crate::answer::Answer;
use crate::observe::Happened;
use crate::question::is_question;
use crate::request::WebhookRequest;
use credential::{Credential, Presented, Verifier};
use http::Method;
use http::header::AUTHORIZATION;
use ledger::{Kind, ServerId, Source};
use platform::Clock;
use postmark::{Body, CANONICAL_BYTES_MAX, Context, RecordType, Refusal, RefusalCode};
use queue::{ENVELOPE_VERSION, Envelope, MESSAGE_BYTES_MAX, QueueError, QueueName, Sender, SetAside};
use std::sync::Arc;

/// The longest trace id that is kept, in bytes.
const TRACE_ID_BYTES_MAX: usize = 128;
/// What an envelope adds to a body, at most, in bytes: its fields, the trace id and the names of what was dropped.
const ENVELOPE_BYTES_MAX: usize = 2_048;
const _: () = assert!(CANONICAL_BYTES_MAX + ENVELOPE_BYTES_MAX <= MESSAGE_BYTES_MAX);

/// The handler of an ingest function.
pub struct Handler {
    /// The record type that it is for; `None` for the URL that takes all.
    pub route: Option<RecordType>,
    /// What verifies credentials.
    pub verifier: Arc<Verifier>,
    /// Where events go.
    pub queue: Arc<dyn Sender>,
    /// Whether IP, coordinates, city and zip of opens and clicks stay.
    pub keep_engagement_detail: bool,
    /// What time it is.
    pub clock: Clock,
}

impl Handler {
    /// Answers a request. Nothing foreseeable is an error: all of it has a status.
    pub async fn answer(&self, request: WebhookRequest<'_>) -> Answer {
        match self.admit(&request) {
            Ok(credential) => self.take_in(request, credential).await,
            Err(answer) => answer,
        }
    }

    /// Finds out whose a request is, from its head alone. Only after this may its body be read.
    ///
    /// # Errors
    /// The answer, where it is not to be taken in.
    pub fn admit(&self, request: &WebhookRequest<'_>) -> Result<Credential, Answer> {
        let reading = request.method == Method::GET || request.method == Method::HEAD;
        if reading && request.path.trim_end_matches('/') == "/health" {
            return Err(Answer::Healthy);
        }
        if is_question(request) {
            Happened::Question.emit();
            return Err(Answer::NoSuchRoute);
        }
        let bears_credential = request.headers.get(AUTHORIZATION).is_some_and(|header| !header.is_empty());
        if request.method != Method::POST && bears_credential {
            Happened::WrongMethod.emit();
            return Err(Answer::WrongMethod);
        }
        match self.verifier.verify(request.headers) {
            Presented::Valid(credential) => Ok(credential),
            Presented::Wrong => {
                Happened::WrongCredential { marked: request.is_marked() }.emit();
                Err(Answer::WrongCredential)
            }
            Presented::Nothing => {
                Happened::NoCredential.emit();
                Err(Answer::NoCredential)
            }
        }
    }

    /// Takes in what was admitted.
    pub async fn take_in(&self, request: WebhookRequest<'_>, credential: Credential) -> Answer {
        let received_at = (self.clock)();
        let context = Context {
            server: credential.user().server,
            received_at,
            source: Source::Webhook,
            keep_engagement_detail: self.keep_engagement_detail,
        };
        match self.message(&request, &credential, &context) {
            Ok((kind, message, accepted)) => match self.queue.send(QueueName::of(kind), &message).await {
                Ok(()) => {
                    accepted.emit();
                    Answer::Accepted
                }
                Err(error) => enqueue_failed(QueueName::of(kind), error),
            },
            Err(refusal) => self.set_aside(request.body, &credential, &context, refusal).await,
        }
    }

    /// The message of an event that is understood, and what to log once it is enqueued.
    fn message(
        &self,
        request: &WebhookRequest<'_>,
        credential: &Credential,
        context: &Context,
    ) -> Result<(Kind, String, Happened), Refusal> {
        let examined = postmark::examine(request.body, context)?;
        if server_in_path(request.path).is_some_and(|named| named != context.server) {
            let words = "the URL names another server than the credential";
            return Err(Refusal::new(RefusalCode::ServerMismatch, "the path", words));
        }
        if self.route.is_some_and(|route| route.kind() != examined.kind) {
            Happened::Misrouted.emit();
        }
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
        let envelope = Envelope {
            v: ENVELOPE_VERSION,
            server: context.server,
            generation: credential.user().generation,
            key_id: credential.key_id().to_owned(),
            record_type: examined.kind,
            received_at: context.received_at,
            trace_id: header("x-pm-webhook-trace-id")
                .filter(|id| !id.is_empty() && id.len() <= TRACE_ID_BYTES_MAX)
                .map(str::to_owned),
            retries_remaining: header("x-pm-retries-remaining").and_then(|left| left.trim().parse().ok()),
            source: Source::Webhook,
            overridden: false,
            dropped: examined.dropped,
            erased: None,
            body: Envelope::raw(examined.canonical)
                .map_err(|error| Refusal::new(RefusalCode::NotJson, "/", error.to_string()))?,
        };
        let message = envelope.encode();
        let accepted = Happened::Accepted {
            kind: examined.kind,
            bytes: request.body.len(),
            lag_seconds: (context.received_at.micros() - examined.at.micros()) as f64 / 1e6,
            slot: credential.slot(),
            retries_remaining: envelope.retries_remaining,
        };
        Ok((examined.kind, message, accepted))
    }

    async fn set_aside(
        &self,
        body: &[u8],
        credential: &Credential,
        context: &Context,
        refusal: Refusal,
    ) -> Answer {
        // The kind decides how long it is kept, and only the body itself names it.
        let record_type = Body::parse(body).ok().and_then(|body| Kind::named(body.text("RecordType")?));
        let aside = SetAside {
            server: context.server,
            generation: credential.user().generation,
            key_id: credential.key_id().to_owned(),
            received_at: context.received_at,
            source: context.source,
            reason: refusal.refused.code().to_owned(),
            detail: format!("{} (at {})", refusal.words, refusal.place),
            record_type,
            dropped: Vec::new(),
            erased: None,
            body: body.to_vec(),
        };
        let parts = aside.parts();
        for part in &parts {
            if let Err(error) = self.queue.send(QueueName::Quarantine, &part.encode()).await {
                return enqueue_failed(QueueName::Quarantine, error);
            }
        }
        let (server, refused) = (context.server.get(), refusal.refused);
        Happened::SetAside { server, refused, place: refusal.place, parts: parts.len() }.emit();
        Answer::SetAside(refused)
    }
}

fn enqueue_failed(queue: QueueName, error: QueueError) -> Answer {
    Happened::EnqueueFailed { queue, error }.emit();
    Answer::TryAgain
}

/// The server that a webhook's path names: `/v1/{server}/…`. Any other path names none.
fn server_in_path(path: &str) -> Option<ServerId> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    (segments.next() == Some("v1")).then(|| segments.next()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_webhooks_path_names_a_server() {
        let server = |id| ServerId::new(id).ok();
        assert_eq!(server_in_path("/v1/8123456/bounce"), server(8_123_456));
        assert_eq!(server_in_path("//v1/8123456/bouncee"), server(8_123_456));
        for path in
            ["/", "/v1", "/v1/", "/v1/abc/bounce", "/v1/08123456/bounce", "/v2/8123456/bounce", "/8123456"]
        {
            assert_eq!(server_in_path(path), None, "{path}");
        }
    }
}
