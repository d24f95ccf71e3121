//! The commands `export` and `erase`: what is recorded about a person, for the person.

use super::pages::{self, Part};
use super::time;
use crate::api::{Api, Request};
use crate::args::api::{Erase, Export};
use crate::output::Output;
use crate::prompt::asked;
use crate::target::Context;
use crate::{Failure, say, show};
use answers::Erased;
use http::Method;
use ledger::ServerId;
use ledger::given::Recipient;

/// The most events in a page of an export.
const PAGE: u64 = 100;

/// The command `export`.
pub(super) fn export(args: &Export, context: &Context) -> Result<(), Failure> {
    super::tell_cleaned(&args.address);
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    let request = Request::get(&["servers", &server, "recipients", &args.address, "export"]);
    pages::json(&api, request, Part::whole(PAGE), Output::stdout())
}

/// The command `erase`.
///
/// # Errors
/// Where the API cannot be asked, or it is not agreed to.
pub(super) fn erase(args: &Erase, context: &Context, json: bool) -> Result<(), Failure> {
    if let (Some(server), Some(address)) = (args.server, &args.address) {
        person(args, server, address, context, json)?;
    }
    if args.sweep {
        let ledger = Api::operated(&args.access.target, context)?;
        let swept = ledger.read(&Request::operator(Method::POST, &["sweep"]))?;
        say(if json { serde_json::to_string_pretty(&swept)? } else { show::swept(&swept) });
    }
    Ok(())
}

/// Whether two texts name one recipient in the same spelling, but for invisible characters.
fn same(one: &str, other: &str) -> bool {
    match (one.parse(), other.parse()) {
        (Ok(Recipient::Address(one)), Ok(Recipient::Address(other))) => one.text() == other.text(),
        (Ok(Recipient::Id(one)), Ok(Recipient::Id(other))) => one == other,
        _ => false,
    }
}

fn person(
    args: &Erase,
    server: ServerId,
    address: &str,
    context: &Context,
    json: bool,
) -> Result<(), Failure> {
    super::tell_cleaned(address);
    let api = Api::open(&args.access, context)?;
    if !args.yes {
        let question = "this takes the person's data out of the ledger for good; type the address again: ";
        if !same(&asked(question, "--yes")?, address) {
            return Err(Failure::new("that is not the same address: nothing was erased"));
        }
    }
    let request = Request::post(&["servers", &server.to_string(), "recipients", address, "erase"]);
    let told = api.ask(&request.again())?;
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    let Erased { recipient_id, already, events, swept_until, .. } = told.read()?;
    let already = if already { "was erased already" } else { "is erased" };
    say(format!("recipient {recipient_id} {already}: {events} events were stripped"));
    say(format!(
        "what is still on its way, and what was set aside, is stripped as it turns up, until {}",
        time(swept_until)
    ));
    say(
        "what stays: that something happened, when, on which stream and message, without the person; counts; and \
         that whoever must not be mailed is not.\nbackups keep what was in them: those of tables on AWS for up to 35 \
         days, files made by `postledger backup` until you delete them. Postmark has its own records",
    );
    Ok(())
}
