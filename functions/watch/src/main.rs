//! Lambda: looks after webhooks and figures at Postmark.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    watch::run().await
}
