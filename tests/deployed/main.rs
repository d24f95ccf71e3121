//! What the deployed stack promises, over real HTTP: the template, the release binaries and their permissions.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod api;
mod door;
mod failures;
mod first;
mod ledger;
mod life;
mod local;
mod month;
mod portal;
mod release;
mod scheduled;
mod steps;
