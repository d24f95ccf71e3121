//! Lambda: sweeps what is left of erased recipients.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    erase::run().await
}
