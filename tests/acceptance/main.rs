//! Acceptance: what Postledger promises, over real HTTP and the real consumer, while things go wrong.

mod soak;
