//! Lambda: takes Postmark `Open` webhooks.

use postmark::RecordType;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    ingest::run(RecordType::Open).await
}
