//! What the deployed stack promises, over real HTTP: the template, the release binaries and their permissions.

mod door;
mod failures;
mod ledger;
mod life;
