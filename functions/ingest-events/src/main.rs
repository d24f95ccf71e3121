//! Lambda: takes Postmark webhooks of every record type, at one URL.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    ingest::run(None).await
}
