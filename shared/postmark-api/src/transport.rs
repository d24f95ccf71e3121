//! The port that requests go out through.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use std::pin::Pin;

/// An answer's body as it comes in. After an error, or after its end, it is not asked again.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Carries a request to Postmark, or to what stands in for it, and brings the answer, whatever its status.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request once; it follows no redirect and tries nothing again.
    async fn call(&self, request: http::Request<Bytes>) -> Result<http::Response<Chunks>, TransportError>;
}

/// Why there is no answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Not one byte of the request was sent: it has not been done.
    #[error("no connection could be opened: {0}")]
    NotConnected(String),
    /// The request may have been done.
    #[error("no answer in time")]
    TooSlow,
    /// The connection broke before the answer was whole: the request may have been done.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// No way to Postmark: for what never asks it.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

#[async_trait]
impl Transport for Nowhere {
    async fn call(&self, _: http::Request<Bytes>) -> Result<http::Response<Chunks>, TransportError> {
        Err(TransportError::NotConnected("Postmark is not asked from here".to_owned()))
    }
}
