//! Lambda: reads what Postmark knows, and puts what is missing on the queues.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    reconcile::run().await
}
