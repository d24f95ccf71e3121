//! A deployed stack, as the commands reach it: by an operator's own access to AWS, or an emulator's endpoint.

/// The name of the parameter that holds a stack's ledger key.
pub fn ledger_key_parameter(stack: &str) -> String {
    format!("/postledger/{stack}/ledger-key")
}
