//! For tests: a transport that plays scripted answers and keeps what it was asked.

use crate::endpoint::{Endpoint, Retries};
use crate::server::ServerApi;
use crate::token::Token;
use crate::transport::{Chunks, Transport, TransportError};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const TOKEN: &str = "5ecret-t0ken";

/// One answer: what it is, and in what pieces its body comes, perhaps with an error at its end.
pub(crate) type Played =
    Result<(http::response::Builder, Vec<Result<Bytes, TransportError>>), TransportError>;

/// Plays answers in order; when they are used up, nobody is there any more.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Played>>,
    asked: Mutex<Vec<http::Request<Bytes>>>,
}

impl Script {
    pub(crate) fn of(answers: impl IntoIterator<Item = Played>) -> Arc<Script> {
        Arc::new(Script { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() })
    }

    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Method, and path with query, of each request.
    pub(crate) fn lines(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .map(|request| format!("{} {}", request.method(), request.uri().path_and_query().unwrap()))
            .collect()
    }

    /// The body of a request.
    pub(crate) fn body(&self, index: usize) -> Value {
        serde_json::from_slice(self.asked.lock().unwrap()[index].body()).unwrap()
    }

    /// A header of a request.
    pub(crate) fn header(&self, index: usize, name: &str) -> Option<String> {
        let asked = self.asked.lock().unwrap();
        asked[index].headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

#[async_trait]
impl Transport for Script {
    async fn call(&self, request: http::Request<Bytes>) -> Result<http::Response<Chunks>, TransportError> {
        self.asked.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        let (head, chunks) =
            answer.unwrap_or_else(|| Err(TransportError::NotConnected("the script is over".to_owned())))?;
        let body: Chunks = Box::pin(stream::iter(chunks));
        Ok(head.body(body).unwrap())
    }
}

/// An answer with a status and a body in one piece.
pub(crate) fn told(status: u16, body: impl ToString) -> Played {
    Ok((http::Response::builder().status(status), vec![Ok(Bytes::from(body.to_string()))]))
}

pub(crate) fn broken() -> TransportError {
    TransportError::Broken("reset".to_owned())
}

pub(crate) fn not_connected() -> TransportError {
    TransportError::NotConnected("refused".to_owned())
}

/// Retries without pauses.
pub(crate) const AT_ONCE: Retries =
    Retries { attempts: 5, first_pause: Duration::ZERO, most_pause: Duration::ZERO };

pub(crate) fn endpoint(transport: Arc<dyn Transport>) -> Endpoint {
    Endpoint::new(transport).with_retries(AT_ONCE)
}

/// A server's API over a script, and the script.
pub(crate) fn server(answers: impl IntoIterator<Item = Played>) -> (ServerApi, Arc<Script>) {
    let script = Script::of(answers);
    (endpoint(script.clone()).server(Token::new(TOKEN).unwrap()), script)
}
