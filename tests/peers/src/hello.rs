//! A function that says hello: what Lambda's runtime for Rust costs by itself. One thread, as ours.

use lambda_http::{Error, service_fn, tracing};
use std::convert::Infallible;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    lambda_http::run(service_fn(|_| async { Ok::<_, Infallible>("hello, world") })).await
}
