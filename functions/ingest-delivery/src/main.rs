//! Lambda: takes Postmark `Delivery` webhooks.

use postmark::RecordType;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    ingest::run(RecordType::Delivery).await
}
