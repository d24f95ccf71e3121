//! A function that puts each body on a queue, as every tutorial writes it: the SDK's own defaults, loaded and made
//! into a client at the start.

use aws_config::BehaviorVersion;
use lambda_http::{Error, Request, service_fn, tracing};

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = &aws_sdk_sqs::Client::new(&config);
    let url = &std::env::var("POSTLEDGER_CRITICAL_QUEUE_URL")?;
    lambda_http::run(service_fn(|request: Request| async move {
        let body = std::str::from_utf8(request.body())?;
        client.send_message().queue_url(url).message_body(body).send().await?;
        Ok::<_, Error>("accepted")
    }))
    .await
}
