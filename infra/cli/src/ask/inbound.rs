//! The command `inbound`: what Postmark says came in, and whether it was taken.

use crate::api::{Api, Request};
use crate::args::api::Inbound;
use crate::format::{self, Columns, Form, Format};
use crate::target::Context;
use crate::terminal::visible;
use crate::{Failure, say, show, tell};
use answers::{InboundMessage, InboundMessages};

/// What a CSV has of a message.
const MESSAGE: Columns = &["message_id", "date", "from", "to", "subject", "status", "reason"];

/// The command.
///
/// # Errors
/// Where the API refuses, or Postmark does not answer.
pub(super) fn run(args: &Inbound, context: &Context, form: Form) -> Result<(), Failure> {
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    let request = Request::get(&["servers", &server, "inbound"]);
    let told = api.ask(&request.with("status", args.status.clone()))?;
    if form.of_list() == Format::Json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    let InboundMessages { items, truncated, .. } = told.read()?;
    format::print(form, &items, MESSAGE, list)?;
    if truncated {
        tell("Postmark has more than these, which are the latest");
    }
    Ok(())
}

fn list(items: &[InboundMessage]) -> String {
    if items.is_empty() {
        return "Postmark knows of no mail that came in so; it forgets what came in after 45 days, mostly."
            .to_owned();
    }
    show::table(["date", "from", "to", "subject", "status", "why not"], items.iter().map(row))
}

fn row(message: &InboundMessage) -> [String; 6] {
    let text = |text: &Option<String>| text.as_deref().map(visible).unwrap_or_default().into_owned();
    [
        text(&message.date),
        visible(&message.from).into_owned(),
        visible(&message.to).into_owned(),
        text(&message.subject),
        visible(&message.status).into_owned(),
        text(&message.reason),
    ]
}
