//! The commands that ask the read API, and that change a ledger through it. One file is a theme.

mod check;
mod events;
mod output;
mod pages;
mod person;
pub(crate) mod recipient;
mod ruling;
mod stats;
mod suppressions;
mod token;

use crate::args::Ask;
use crate::target::Whose;
use crate::{Failure, tell};
use ledger::Time;
use ledger::given::{NotARecipient, Recipient};
use serde_json::Value;
use std::process::ExitCode;

/// Runs one of them.
///
/// # Errors
/// Where the API cannot be asked, or refuses.
pub fn run(command: Ask, whose: &Whose, json: bool) -> Result<ExitCode, Failure> {
    let status = |good: bool| if good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    match command {
        Ask::Recipient(args) => recipient::run(&args, whose, json)?,
        Ask::Check(args) => return check::run(&args, whose, json),
        Ask::Suppressions(command) => return suppressions::run(command, whose, json).map(status),
        Ask::Suppress(args) => return ruling::suppress(&args, whose, json).map(status),
        Ask::Reactivate(args) => return ruling::reactivate(&args, whose, json).map(status),
        Ask::Erase(args) => person::erase(&args, whose, json)?,
        Ask::Export(args) => person::export(&args, whose)?,
        Ask::Stats(args) => stats::run(&args, whose, json)?,
        Ask::Timeline(args) => events::timeline(&args, whose, json)?,
        Ask::Message(args) => events::message(&args, whose, json)?,
        Ask::Activity(args) => events::activity(&args, whose, json)?,
        Ask::Audit(args) => events::audit(&args, whose, json)?,
        Ask::Token(command) => token::run(command, whose, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// An argument that names a recipient, as it was given: whoever is asked reads it once more, and asks for it so too.
///
/// # Errors
/// What is wrong with it.
pub fn whom(given: &str) -> Result<String, NotARecipient> {
    given.parse::<Recipient>().map(|_| given.to_owned())
}

/// Says so where an address was given with characters that are not to be seen.
pub fn tell_cleaned(given: &str) {
    if let Ok(Recipient::Address(address)) = given.parse()
        && address.cleaned()
    {
        tell(format!(
            "characters that are not to be seen were taken out of the address: this is about {}",
            address.text()
        ));
    }
}

/// A text of an answer; empty where there is none.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Words of an answer, in a row.
fn words(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(" ")
}

/// A time of an answer, as people read it.
fn time(value: &Value) -> String {
    let time = value.as_str().and_then(|text| text.parse::<Time>().ok());
    time.map(crate::show::time).unwrap_or_default()
}
