//! Acceptance: what Postledger promises, over real HTTP and the real consumer, while things go wrong.

mod bad_input;
mod consumer;
mod door;
mod fixtures;
mod soak;
