//! The Postmark tokens of a ledger's servers: where they are kept, and one of them.

use crate::args::Target;
use crate::target::{Context, Deployment};
use crate::{Failure, aws};
use account::{FileVault, Vault};
use ledger::ServerId;
use postmark_api::Token;

/// Where the tokens of a ledger's servers are kept.
///
/// # Errors
/// Where neither a home folder nor access to AWS is known.
pub fn vault(target: &Target, context: &Context) -> Result<Box<dyn Vault>, Failure> {
    match Deployment::of(target.url.as_deref(), &target.aws, context)? {
        Deployment::Url(_) => Ok(Box::new(FileVault::new(&context.home()?, &context.stack))),
        Deployment::Aws(args) => aws::vault(&args, &context.stack),
    }
}

/// The token of a server.
///
/// # Errors
/// Where it is not kept, or cannot be read.
pub fn token(server: ServerId, target: &Target, context: &Context) -> Result<Token, Failure> {
    let vault = vault(target, context)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(kept(&*vault, server))
}

/// The token of a server that is kept in a vault.
///
/// # Errors
/// Where it is not kept, or cannot be read.
pub async fn kept(vault: &dyn Vault, server: ServerId) -> Result<Token, Failure> {
    vault.token(server).await?.ok_or_else(|| {
        Failure::new(format!("the Postmark token of server {server} is not known here"))
            .next(format!("give it by `postledger server add --server {server}`"))
    })
}
