//! Lambda: folds events from the queues into the ledger.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    consumer::run().await
}
