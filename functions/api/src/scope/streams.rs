//! Streams that are asked about: one that nobody knows may be a slip, and no slip may read as "nothing speaks against it".

use super::Reader;
use crate::call::Query;
use crate::problem::Problem;
use account::StreamError;
use answers::{UNKNOWN_STREAM, UnknownStream};
use ledger::policy::StreamKind;
use std::collections::BTreeSet;
use store::ServerSettings;

/// What a query says that a stream means that nobody knows.
pub fn unknown_stream(query: &Query) -> Result<UnknownStream, Problem> {
    let read = |text: &str| match text {
        "refuse" => Some(UnknownStream::Refuse),
        "allow" => Some(UnknownStream::Allow),
        _ => None,
    };
    Ok(query.read(UNKNOWN_STREAM, "refuse or allow", read)?.unwrap_or_default())
}

/// A stream that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What it is for.
    pub kind: StreamKind,
    /// Whether it is known, or the caller's word alone.
    pub known: bool,
}

impl Reader<'_> {
    /// A stream that is asked about; of the whole server (`*`) only that the server is known.
    ///
    /// # Errors
    /// [`Problem::unknown`] where nobody knows it and the caller does not say to go on, or the ledger's own.
    pub async fn stream(&self, stream: &str, unknown: UnknownStream) -> Result<Stream, Problem> {
        let (noted, settings) = tokio::join!(self.streams(), self.settings());
        self.stream_of(stream, unknown, &noted?, &settings?).await
    }

    /// The same by what was read of the server: the streams of its events, and its settings.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn stream_of(
        &self,
        stream: &str,
        unknown: UnknownStream,
        noted: &BTreeSet<String>,
        settings: &ServerSettings,
    ) -> Result<Stream, Problem> {
        let streams = &self.gate.parts.streams;
        match streams.find(self.store(), self.server, stream, (noted, settings), self.now()).await {
            Ok(kind) => Ok(Stream { kind, known: true }),
            Err(StreamError::Unknown(_)) if unknown == UnknownStream::Allow => {
                Ok(Stream { kind: settings.kind(stream), known: false })
            }
            Err(StreamError::Unknown(unknown)) => Err(Problem::unknown(&unknown, self.server)),
            Err(StreamError::Registry(error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::{Answered, Bench, SERVER};
    use crate::token::Role;
    use account::{Registry, ServerEntry, Vault as _};
    use http::Method;
    use http::header::CONTENT_TYPE;
    use ledger::{ServerId, Time};
    use postmark_api::Token;
    use serde_json::{Value, json};
    use store::Collection;
    use store::prelude::*;

    fn server() -> ServerId {
        ServerId::new(SERVER).unwrap()
    }

    async fn check(bench: &Bench, stream: &str, more: Value) -> Answered {
        let mut body = json!({ "stream": stream, "addresses": ["bob@customer.example"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bench.post("check", body).await
    }

    /// Every question and ruling that names a stream: what it says of one that nobody knows.
    async fn all(bench: &Bench, stream: &str, unknown: &str) -> Vec<(&'static str, Answered)> {
        let words = json!({ "stream": stream, "reason": "r", "unknown_stream": unknown });
        let with = |name: &str, value: Value| {
            let mut body = words.clone();
            body[name] = value;
            body
        };
        let asked = json!({ "stream": stream, "addresses": ["bob@x.example"], "unknown_stream": unknown });
        let mut suppress = with("addresses", json!(["bob@x.example"]));
        suppress["postmark"] = false.into();
        let query = format!("stream={stream}&unknown_stream={unknown}");
        let csv = [(CONTENT_TYPE, "text/csv")];
        let import = format!("import?{query}&cause=manual");
        let import = bench.call_with(Method::POST, &import, &csv, b"email\nbob@x.example\n");
        vec![
            ("check", bench.post("check", asked).await),
            ("recipient", bench.get(&format!("recipients/bob@x.example?{query}")).await),
            (
                "suppressions",
                bench.get(&format!("streams/{stream}/suppressions?unknown_stream={unknown}")).await,
            ),
            ("stats", bench.get(&format!("stats?{query}")).await),
            ("activity", bench.get(&format!("activity?{query}")).await),
            ("reactivate", bench.post("recipients/bob@x.example/reactivate", words.clone()).await),
            ("import", import.await),
            ("suppress", bench.post("suppressions", suppress).await),
        ]
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_nobody_knows_is_an_error_with_near_names_whatever_is_asked_or_ruled() {
        let bench = Bench::default();
        bench.store.note_stream(server(), "outbound").await.unwrap();
        for (what, told) in all(&bench, "outbuond", "refuse").await {
            let problem = told.json();
            assert_eq!(told.status(), 404, "{what}: {problem}");
            assert_eq!(problem["type"], "urn:postledger:problem:unknown-stream", "{what}");
            assert_eq!(problem["did_you_mean"], json!(["outbound"]), "{what}");
            assert!(problem["next"].as_str().unwrap().contains("did you mean outbound?"), "{what}");
            assert!(problem["detail"].as_str().unwrap().contains("no token of the server is kept"), "{what}");
        }
        assert!(bench.decided().await.is_empty(), "nothing was ruled");
        let noted = bench.store.documents(&Collection::Audit(server())).await.unwrap();
        assert_eq!(noted.len(), 0, "and so there is nothing to note");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_so_goes_on_with_a_stream_that_nobody_knows_and_makes_it_known_to_nobody() {
        let bench = Bench::default();
        bench.store.note_stream(server(), "outbound").await.unwrap();
        for (what, told) in all(&bench, "newsletter", "allow").await {
            assert!(matches!((what, told.status()), ("activity", 409) | (_, 200)), "{what}: {}", told.text());
            match what {
                "check" => assert_eq!(told.json()["stream_known"], false),
                "recipient" => assert_eq!(told.json()["streams"]["newsletter"]["stream_known"], false),
                _ => {}
            }
        }
        assert_eq!(check(&bench, "newsletter", json!({})).await.status(), 404, "it is as unknown as before");
        for wrong in [json!({ "unknown_stream": "yes" }), json!({ "unknown_stream": true })] {
            assert_eq!(check(&bench, "newsletter", wrong).await.status(), 400);
        }
        assert_eq!(bench.get("stats?unknown_stream=yes").await.status(), 400);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_postmark_lists_is_known_before_its_first_mail_and_postmark_is_asked_now_and_then_only()
     {
        let (bench, lists) = Bench::with_lists().await;
        bench.store.note_stream(server(), "outbound").await.unwrap();
        let many = (0..20).map(|_| check(&bench, "digests", json!({})));
        for told in futures_util::future::join_all(many).await {
            let told = told.json();
            assert_eq!((&told["stream_known"], &told["kind"]), (&json!(true), &json!("broadcast")), "{told}");
        }
        assert_eq!(lists.asked().len(), 1, "once, however many ask at a time");
        let told = bench.get("recipients/bob@customer.example?stream=digests").await.json();
        let digests = &told["streams"]["digests"];
        assert_eq!((&digests["stream_known"], &digests["kind"]), (&json!(true), &json!("broadcast")));
        for name in ["digest", "inbound", "digest"] {
            let told = check(&bench, name, json!({})).await;
            assert_eq!(told.status(), 404, "{name}");
            assert!(told.json()["detail"].as_str().unwrap().contains("Postmark lists none"), "{name}");
        }
        assert_eq!(check(&bench, "digest", json!({})).await.json()["did_you_mean"], json!(["digests"]));
        assert_eq!(lists.asked().len(), 1, "a slip that is repeated is not looked up again and again");
        bench.pass(60);
        assert_eq!(check(&bench, "digest", json!({})).await.status(), 404);
        assert_eq!(lists.asked().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn where_postmark_gives_no_answer_the_error_says_so() {
        let bench = Bench::default();
        bench.store.note_stream(server(), "outbound").await.unwrap();
        bench.vault.put(server(), &Token::new("5ecret-t0ken").unwrap()).await.unwrap();
        let told = check(&bench, "digests", json!({})).await;
        assert_eq!(told.status(), 404);
        assert!(told.json()["detail"].as_str().unwrap().contains("gave no answer"), "{}", told.text());
    }

    #[tokio::test]
    async fn a_server_that_nobody_knows_is_an_error_for_its_own_token_too_and_near_ones_are_named_to_who_sees_all()
     {
        let bench = Bench::default();
        let token = bench.token(Role::Admin, Some(&[SERVER]), false).await;
        let path = format!("/v1/servers/{SERVER}/check");
        for (body, status) in [
            (json!({ "stream": "outbound", "addresses": ["bob@x.example"] }), 404),
            (json!({ "stream": "outbound", "addresses": ["bob@x.example"], "unknown_stream": "allow" }), 200),
        ] {
            let told = bench.ask(&token, Method::POST, &path, body.to_string().as_bytes()).await;
            assert_eq!(told.status(), status, "{}", told.text());
            match status {
                200 => assert_eq!(told.json()["stream_known"], false),
                _ => assert_eq!(told.json()["type"], "urn:postledger:problem:unknown-server"),
            }
        }
        let near = ServerEntry::new(ServerId::new(8_123_465).unwrap(), "acme", "Acme", Time::from_micros(1));
        Registry(&*bench.store).put(&near).await.unwrap();
        let told = check(&bench, "outbound", json!({})).await;
        assert_eq!((told.status(), &told.json()["did_you_mean"]), (404, &json!(["8123465"])));
        // A ruling about the whole server makes it no more known.
        bench.store.note_stream(server(), "*").await.unwrap();
        assert_eq!(check(&bench, "outbound", json!({})).await.status(), 404);
    }

    #[tokio::test]
    async fn the_streams_that_postmark_makes_for_every_server_are_known_at_one_that_is_registered() {
        let bench = Bench::default();
        let entry = ServerEntry::new(server(), "acme", "Acme", Time::from_micros(1));
        Registry(&*bench.store).put(&entry).await.unwrap();
        for (stream, known) in [("outbound", true), ("broadcast", true), ("inbound", false), ("news", false)]
        {
            let told = check(&bench, stream, json!({})).await;
            assert_eq!(told.status() == 200, known, "{stream}: {}", told.text());
        }
        assert_eq!(
            bench.get("streams/*/suppressions").await.status(),
            200,
            "the whole server has no name to slip in"
        );
    }
}
