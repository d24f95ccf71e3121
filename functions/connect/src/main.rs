//! Lambda: sets up webhooks that somebody asked for in the portal.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    connect::run().await
}
