//! The API, where this portal may not do itself what is asked of it: a function that browsers talk to holds no server's
//! Postmark token and writes no event. The API is asked over HTTPS, as whoever is signed in, by their session.

use crate::request::segment;
use api::call::Call;
use api::scope::SESSION;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response};
use people::Secret;
use postmark_api::{Transport, TransportError};
use std::sync::Arc;
use std::time::Duration;

/// How many bytes of an answer are read.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long the API is waited for: a gateway before it and one before this portal give up after 29 seconds.
const PATIENCE: Duration = Duration::from_secs(27);

/// Where the API is, and how it is reached.
#[derive(Clone)]
pub struct Elsewhere {
    transport: Arc<dyn Transport>,
    url: String,
}

impl Elsewhere {
    /// The API at a base URL.
    pub fn new(transport: Arc<dyn Transport>, url: &str) -> Elsewhere {
        Elsewhere { transport, url: url.trim_end_matches('/').to_owned() }
    }

    /// What the API answers to whoever has a session, as what they are at a server, or everywhere. It is asked once: what was cut off may
    /// have been done.
    pub(crate) async fn answer(
        &self,
        who: (&Secret, &str),
        call: &Call<'_>,
    ) -> Result<Response<Vec<u8>>, TransportError> {
        tokio::time::timeout(PATIENCE, self.asked(who, call)).await.unwrap_or(Err(TransportError::TooSlow))
    }

    async fn asked(
        &self,
        (secret, server): (&Secret, &str),
        call: &Call<'_>,
    ) -> Result<Response<Vec<u8>>, TransportError> {
        let not_sent = |_| TransportError::NotConnected("the API cannot be asked so".to_owned());
        let path: Vec<String> = call.path.split('/').map(segment).collect();
        let sign = if call.query.is_empty() { "" } else { "?" };
        let mut session = HeaderValue::try_from(format!("{SESSION} {} {server}", secret.text()))
            .map_err(|_| not_sent(()))?;
        session.set_sensitive(true);
        let mut request = Request::new(Bytes::copy_from_slice(call.body));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = format!("{}{}{sign}{}", self.url, path.join("/"), call.query)
            .parse()
            .map_err(|_| not_sent(()))?;
        request.headers_mut().insert(AUTHORIZATION, session);
        if let Some(kind) = call.headers.get(CONTENT_TYPE) {
            request.headers_mut().insert(CONTENT_TYPE, kind.clone());
        }
        let (parts, mut chunks) = self.transport.call(request).await?.into_parts();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.try_next().await? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(TransportError::Broken("the answer has no end".to_owned()));
            }
        }
        Ok(Response::from_parts(parts, body))
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::{ADMIN, Bench, FOREIGN, OPERATOR, OWN, Setup, VIEWER, server};
    use crate::texts::Texts;
    use api::Api;
    use api::call::Call;
    use async_trait::async_trait;
    use bytes::Bytes;
    use http::header::AUTHORIZATION;
    use http::{Method, Request, Response};
    use postmark_api::{Chunks, Transport, TransportError};
    use serde_json::json;
    use std::sync::{Arc, Mutex, OnceLock};
    use store::prelude::*;

    /// The API behind a gateway, which hands paths on decoded.
    #[derive(Default)]
    struct Gateway {
        api: OnceLock<Api>,
        /// What it answers itself.
        itself: Mutex<Option<(u16, &'static str)>>,
        asked: Mutex<Vec<(String, String)>>,
    }

    #[async_trait]
    impl Transport for Gateway {
        async fn call(&self, request: Request<Bytes>) -> Result<Response<Chunks>, TransportError> {
            if let Some((status, body)) = *self.itself.lock().unwrap() {
                let body: Chunks = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body))]));
                return Ok(Response::builder().status(status).body(body).unwrap());
            }
            let Some(api) = self.api.get() else { return Err(TransportError::TooSlow) };
            let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8().unwrap();
            let session = request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
            self.asked.lock().unwrap().push((format!("{} {path}", request.method()), session));
            let call = Call {
                method: request.method(),
                path: &path,
                query: request.uri().query().unwrap_or_default(),
                headers: request.headers(),
                body: request.body(),
            };
            let answer = api.answer(&call).await;
            Ok(answer.map(|body| -> Chunks { Box::pin(futures_util::stream::iter([Ok(Bytes::from(body))])) }))
        }
    }

    async fn bench() -> (Bench, Arc<Gateway>) {
        let gateway = Arc::new(Gateway::default());
        let elsewhere = super::Elsewhere::new(gateway.clone(), "https://api.example/");
        let bench = Bench::new(Setup { elsewhere: Some(elsewhere), ..Setup::default() });
        bench.invite_all().await;
        bench.store.note_stream(server(OWN), "outbound").await.unwrap();
        (bench, gateway)
    }

    const TYPED: [(&str, &str); 3] =
        [("stream", "outbound"), ("addresses", "ida@x.example"), ("reason", "r")];

    #[tokio::test]
    async fn what_changes_something_is_asked_of_the_api_by_the_session_alone() {
        let (bench, gateway) = bench().await;
        gateway.api.set(bench.portal.api.clone()).ok().unwrap();
        let mut browser = bench.signed_in(ADMIN).await;
        let t = Texts::default();
        let target = format!("/servers/{OWN}/suppress");
        let plan = browser.post(&target, &[&TYPED[..], &[("action", "plan")]].concat()).await;
        assert!(plan.text().contains(&t.suppress_plan_title_one("outbound")), "{}", plan.text());
        let done = browser.post(&target, &[&TYPED[..], &[("action", "carry-out")]].concat()).await;
        assert!(done.text().contains(&t.suppress_done_title_one("outbound")), "{}", done.text());
        assert_eq!(bench.decided().await[0]["Actor"], bench.id_of(ADMIN), "the API knows who it is");
        let asked = gateway.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].0, format!("POST /v1/servers/{OWN}/suppressions"));
        let cookie = browser.cookie("pl").unwrap();
        assert_eq!(asked[0].1, format!("Session {cookie} {OWN}"));
    }

    #[tokio::test]
    async fn the_api_lets_a_session_do_what_its_owner_may_and_nothing_else() {
        let (bench, _) = bench().await;
        let mut admin = bench.signed_in(ADMIN).await;
        let of_admin = admin.cookie("pl").unwrap();
        let of_viewer = bench.signed_in(VIEWER).await.cookie("pl").unwrap();
        let body =
            json!({ "stream": "outbound", "addresses": ["ida@x.example"], "reason": "r", "postmark": false });
        let own = format!("/v1/servers/{OWN}");
        let suppress = |server: &str| format!("{server}/suppressions");
        bench.pass(301);
        for (session, path, status) in [
            (of_admin.as_str(), suppress(&own), 200),
            (&of_viewer, suppress(&own), 403),
            (&of_admin, suppress("/v1/servers/8200001"), 404),
            (&of_admin, suppress("/v1/servers/x"), 404),
            ("", suppress(&own), 401),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", suppress(&own), 401),
            // What pages show is no business of a session here, nor is what gives rights.
            (&of_admin, format!("{own}/check"), 401),
            (&of_admin, "/v1/users".to_owned(), 401),
            // It takes a code that was given just now.
            (&of_admin, "/v1/tokens".to_owned(), 403),
            (&of_admin, format!("{own}/recipients/ida@x.example/erase"), 403),
        ] {
            let (told, _) =
                bench.by_header(&format!("Session {session} {OWN}"), Method::POST, &path, body.clone()).await;
            assert_eq!(told, status, "{path}");
        }
        admin.post("/sign-out", &[]).await;
        let (told, _) =
            bench.by_header(&format!("Session {of_admin} {OWN}"), Method::POST, &suppress(&own), body).await;
        assert_eq!(told, 401, "signed out, it is over here too");
    }

    #[tokio::test]
    async fn an_api_that_does_not_answer_is_told_with_what_was_typed() {
        let (bench, _) = bench().await;
        let mut browser = bench.signed_in(ADMIN).await;
        let target = format!("/servers/{OWN}/suppress");
        let seen = browser.post(&target, &[&TYPED[..], &[("action", "carry-out")]].concat()).await;
        assert_eq!(seen.status, 503);
        let t = Texts::default();
        assert!(seen.text().contains(&t.elsewhere_silent()), "{}", seen.text());
        assert!(seen.text().contains("ida@x.example"), "{}", seen.text());
        assert!(seen.text().contains(&t.change_uncertain_title()), "{}", seen.text());
        assert!(!seen.text().contains(&t.change_problem_title()), "it may have been done: {}", seen.text());
    }

    #[tokio::test]
    async fn what_a_gateway_says_itself_is_no_answer_of_the_api() {
        let (bench, gateway) = bench().await;
        let mut browser = bench.signed_in(ADMIN).await;
        let (t, target) = (Texts::default(), format!("/servers/{OWN}/suppress"));
        let typed = [&TYPED[..], &[("action", "carry-out")]].concat();
        for (status, body) in [
            (502, r#"{"message":"Internal server error"}"#),
            (503, r#"{"message":"Service Unavailable"}"#),
            (504, ""),
            (403, "<html>"),
        ] {
            *gateway.itself.lock().unwrap() = Some((status, body));
            let seen = browser.post(&target, &typed).await;
            assert_eq!(seen.status, 503, "{status}");
            assert!(seen.text().contains(&t.elsewhere_silent()), "{status}: {}", seen.text());
        }
        let over = r#"{"type":"urn:postledger:problem:unauthorized","status":401,"title":"t","detail":"d","next":"n"}"#;
        *gateway.itself.lock().unwrap() = Some((401, over));
        let seen = browser.post(&target, &typed).await;
        assert_eq!(seen.status, 401);
        assert!(
            seen.text().contains(&t.signed_out_title()) && seen.text().contains("ida@x.example"),
            "{}",
            seen.text()
        );
    }

    #[tokio::test]
    async fn a_server_that_is_yet_to_come_is_added_by_the_session_of_an_operator_and_of_nobody_else() {
        let (bench, gateway) = bench().await;
        gateway.api.set(bench.portal.api.clone()).ok().unwrap();
        let mut operator = bench.signed_in(OPERATOR).await;
        let added = operator.post("/servers/new", &[("token", "other-t0ken")]).await;
        assert_eq!(added.location(), Some(format!("/servers/{FOREIGN}/set-up?done=added").as_str()));
        let of_operator = operator.cookie("pl").unwrap();
        let asked = gateway.asked.lock().unwrap().clone();
        assert_eq!(asked, [("POST /v1/servers".to_owned(), format!("Session {of_operator} *"))]);
        let of_admin = bench.signed_in(ADMIN).await.cookie("pl").unwrap();
        let body = json!({ "token": "own-t0ken" });
        for (session, path, status) in [
            (format!("{of_admin} *"), "/v1/servers".to_owned(), 404),
            (format!("{of_admin} {OWN}"), "/v1/servers".to_owned(), 403),
            // Whoever is everywhere names the server where there is one.
            (format!("{of_operator} *"), format!("/v1/servers/{OWN}/suppressions"), 404),
            (format!("{of_operator} *"), "/v1/tokens".to_owned(), 404),
        ] {
            let (told, _) =
                bench.by_header(&format!("Session {session}"), Method::POST, &path, body.clone()).await;
            assert_eq!(told, status, "{path}");
        }
        bench.pass(301);
        let header = format!("Session {of_operator} *");
        assert_eq!(bench.by_header(&header, Method::POST, "/v1/servers", body).await.0, 403, "no fresh code");
    }
}
