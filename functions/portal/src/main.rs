//! Lambda: the pages on which an agency's clients see their own mail.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    portal::run().await
}
