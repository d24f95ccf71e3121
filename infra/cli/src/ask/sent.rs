//! The command `sent`: what Postmark says it sent, whether events of it came in or not.

use super::time;
use crate::api::{Api, Request};
use crate::args::api::Sent;
use crate::format::{self, Columns, Form, Format};
use crate::target::Context;
use crate::terminal::{visible, visible_lines};
use crate::{Failure, say, show, tell};
use answers::{MessageContent, PostmarkMessage, SentMessage, SentMessages};

/// What a CSV has of a message.
const MESSAGE: Columns = &["sent_at", "stream", "status", "message_id", "tag", "subject", "recorded"];

/// The command.
///
/// # Errors
/// Where the API refuses, or Postmark does not answer.
pub(super) fn run(args: &Sent, context: &Context, form: Form) -> Result<(), Failure> {
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    let Some(address) = &args.address else {
        let id = args.message.as_deref().unwrap_or_default();
        if args.content {
            let told = api.ask(&Request::get(&["servers", &server, "messages", id, "content"]))?;
            if form.json()? {
                say(serde_json::to_string_pretty(&told.json()?)?);
                return Ok(());
            }
            let content: MessageContent = told.read()?;
            say(if args.html { html(content)? } else { written(&content) });
            return Ok(());
        }
        let told = api.ask(&Request::get(&["servers", &server, "messages", id, "postmark"]))?;
        let json = form.json()?;
        say(if json { serde_json::to_string_pretty(&told.json()?)? } else { message(&told.read()?) });
        return Ok(());
    };
    super::tell_cleaned(address);
    let request = Request::get(&["servers", &server, "recipients", address, "sent"]);
    let told = api.ask(&request.with("stream", args.stream.clone()))?;
    if form.of_list() == Format::Json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    let SentMessages { items, truncated, .. } = told.read()?;
    let none = match &args.stream {
        Some(stream) => {
            format!("Postmark knows of no mail to this address on the stream {}", visible(stream))
        }
        None => {
            "Postmark knows of no mail to this address, on any stream that the server has there".to_owned()
        }
    };
    format::print(form, &items, MESSAGE, |items| list(items, &none))?;
    if truncated {
        tell("Postmark has more than these, which are the latest of each stream");
    }
    Ok(())
}

/// What is written in a message, for people.
fn written(content: &MessageContent) -> String {
    let mut text = format!("subject: {}\n", content.subject.as_deref().map(visible).unwrap_or_default());
    for name in &content.attachments {
        text += &format!("attachment, which Postmark does not keep: {}\n", visible(name));
    }
    text += &match (&content.text, &content.html) {
        (Some(body), _) => format!("\n{}", lines(body)),
        (None, Some(_)) => "\nIt has HTML only: --html prints that.".to_owned(),
        (None, None) => "\nPostmark keeps no content of this message.".to_owned(),
    };
    text + if content.truncated { "\n\n(cut: it is longer than this)" } else { "" }
}

fn html(content: MessageContent) -> Result<String, Failure> {
    let html = content.html.ok_or_else(|| {
        Failure::new("the message has no HTML, or Postmark does not keep it")
            .next("leave --html out to print its plain text")
    })?;
    if content.truncated {
        tell("it is longer than what is printed");
    }
    Ok(lines(&html))
}

/// A text of a stranger, line by line, as a terminal may show it.
fn lines(text: &str) -> String {
    visible_lines(&text.replace("\r\n", "\n")).into_owned()
}

fn list(items: &[SentMessage], none: &str) -> String {
    if items.is_empty() {
        return format!("{none}; it forgets what was sent after 45 days, mostly.");
    }
    show::table(["sent", "stream", "status", "message", "tag", "in the ledger"], items.iter().map(row))
}

fn row(message: &SentMessage) -> [String; 6] {
    [
        time(message.sent_at),
        visible(&message.stream).into_owned(),
        visible(&message.status).into_owned(),
        visible(&message.message_id).into_owned(),
        message.tag.as_deref().map(visible).unwrap_or_default().into_owned(),
        if message.recorded { "yes" } else { "no event yet" }.to_owned(),
    ]
}

fn message(told: &PostmarkMessage) -> String {
    let rows = told.events.iter().map(|event| {
        let said = event.said.as_deref().map(visible).unwrap_or_default();
        [
            time(event.at),
            visible(&event.kind).into_owned(),
            visible(&event.address).into_owned(),
            said.into_owned(),
        ]
    });
    let mut text = list(std::slice::from_ref(&told.message), "");
    if let Some(subject) = &told.message.subject {
        text += &format!("\nsubject: {}\n", visible(subject));
    }
    text += "\nwhat Postmark says happened to it:\n";
    text + &show::table(["when", "what", "to", "the receiving server said"], rows)
}
