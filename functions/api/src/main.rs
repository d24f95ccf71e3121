//! Lambda: answers what senders and clients ask of the ledger.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    api::run().await
}
