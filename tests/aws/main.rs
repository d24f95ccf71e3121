//! The same promises where AWS's real APIs are spoken: queues and tables over the emulator, faults on the wire, the
//! consumer's own binary, and the commands.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod commands;
mod consumer;
mod contracts;
mod ingest;
mod pages;
mod soak;
