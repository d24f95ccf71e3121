//! The command `postmark-simulator`.
fn main() {}
