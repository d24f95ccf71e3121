//! The commands that ask the read API, and that change a ledger through it. One file is a theme.

mod branding;
mod check;
mod events;
mod inbound;
mod pages;
mod person;
pub(crate) mod policy;
pub(crate) mod postmark_settings;
pub(crate) mod recipient;
mod ruling;
mod sent;
mod smtp;
mod stats;
mod suppressions;
mod token;
mod user;

use crate::args::Ask;
use crate::format::Form;
use crate::target::Context;
use crate::{Failure, tell};
use answers::Timestamp;
use ledger::given::Recipient;
use std::process::ExitCode;

/// Runs one of them.
pub fn run(command: Ask, context: &Context, form: Form) -> Result<ExitCode, Failure> {
    let status = |good: bool| if good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    match command {
        Ask::Recipient(args) => return recipient::run(&args, context, form),
        Ask::Check(args) => return check::run(&args, context, form),
        Ask::Suppressions(command) => return suppressions::run(command, context, form).map(status),
        Ask::Suppress(args) => return ruling::suppress(&args, context, form.json()?).map(status),
        Ask::Reactivate(args) => return ruling::reactivate(&args, context, form.json()?).map(status),
        Ask::Erase(args) => person::erase(&args, context, form.json()?)?,
        Ask::Export(args) => person::export(&args, context)?,
        Ask::Stats(args) => return stats::run(&args, context, form),
        Ask::Timeline(args) => events::timeline(&args, context, form)?,
        Ask::Message(args) => events::message(&args, context, form)?,
        Ask::Sent(args) => sent::run(&args, context, form)?,
        Ask::Inbound(args) => inbound::run(&args, context, form)?,
        Ask::Activity(args) => events::activity(&args, context, form)?,
        Ask::Audit(args) => events::audit(&args, context, form)?,
        Ask::Token(command) => token::run(command, context, form)?,
        Ask::User(command) => user::run(command, context, form)?,
        Ask::Smtp(command) => return smtp::run(command, context, form.json()?).map(status),
        Ask::Branding(args) => branding::run(&args, context, form.json()?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Says so where an address was given with invisible characters.
pub fn tell_cleaned(given: &str) {
    if let Ok(Recipient::Address(address)) = given.parse()
        && address.cleaned()
    {
        tell(format!("invisible characters were removed from the address: this is about {}", address.text()));
    }
}

/// A time of an answer, as people read it.
fn time(at: Timestamp) -> String {
    crate::show::time(at.0)
}
