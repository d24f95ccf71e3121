//! Lambda: sends mail to the people of the portal.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    mail::run().await
}
