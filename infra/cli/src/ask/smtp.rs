//! The command `smtp`: with which keys the programs of a server send by SMTP, and whether these work.

use super::time;
use crate::api::{Api, Request};
use crate::args::smtp::{Smtp, SmtpOf, SmtpSet, SmtpTest};
use crate::prompt::{must_agree, secret};
use crate::target::Context;
use crate::terminal::visible;
use crate::{Failure, say, show, tell};
use answers::{
    SmtpCheck, SmtpPairRequest, SmtpRemoved, SmtpResult, SmtpStream, SmtpStreams, SmtpTestRequest,
    SmtpTested, Word,
};
use platform::private;
use postmark_api::Token;
use std::path::Path;

/// Runs it; whether all is well.
///
/// # Errors
/// Where the API refuses, or nobody agrees.
pub(super) fn run(command: Smtp, context: &Context, json: bool) -> Result<bool, Failure> {
    match command {
        Smtp::List { server, access } => {
            let server = server.id(context)?.to_string();
            let told = Api::open(&access, context)?.ask(&Request::get(&["servers", &server, "smtp"]))?;
            say(if json { serde_json::to_string_pretty(&told.json()?)? } else { listed(&told.read()?) });
            Ok(true)
        }
        Smtp::Set(args) => set(&args, context, json),
        Smtp::Check(of) => {
            let (api, path) = open(&of, context)?;
            let told = api.ask(&Request::post(&segments(&path, &["check"])).again())?;
            checked(&told.read()?, json.then(|| told.json()).transpose()?)
        }
        Smtp::Test(args) => test(&args, context, json),
        Smtp::Remove { of, yes } => {
            let question = format!("forget the keys of the stream {}?", visible(&of.stream));
            must_agree(yes, &question)?;
            let (api, path) = open(&of, context)?;
            let told = api.ask(&Request::delete(&segments(&path, &[])))?;
            say(match json {
                true => serde_json::to_string_pretty(&told.json()?)?,
                false => removed(&told.read()?),
            });
            Ok(true)
        }
    }
}

/// The API, and where it has a stream.
fn open(of: &SmtpOf, context: &Context) -> Result<(Api, [String; 4]), Failure> {
    let server = of.server.id(context)?.to_string();
    let path = ["servers".to_owned(), server, "smtp".to_owned(), of.stream.clone()];
    Ok((Api::open(&of.access, context)?, path))
}

fn segments<'a>(path: &'a [String; 4], more: &[&'a str]) -> Vec<&'a str> {
    path.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

fn set(args: &SmtpSet, context: &Context, json: bool) -> Result<bool, Failure> {
    let (api, path) = open(&args.of, context)?;
    let key = match &args.secret_file {
        Some(file) => read(file)?,
        None => secret(
            "the secret key",
            "under SMTP in the stream's settings at Postmark, once, when its token is made",
        )?,
    };
    let secret_key = key.reveal().to_owned();
    let access_key = args.access_key.clone().unwrap_or_else(|| secret_key.clone());
    let pair = SmtpPairRequest { access_key, secret_key };
    let told = api.ask(&Request::put(&segments(&path, &[])).json(&pair))?;
    // It is stored: that the old pair works still is told, and is no failure of this.
    checked(&told.read()?, json.then(|| told.json()).transpose()?).map(|_| true)
}

/// A secret key in a file that only its owner reads.
fn read(file: &Path) -> Result<Token, Failure> {
    let text = private::read(file).map_err(|error| Failure::new(error.to_string()))?;
    Token::new(&text).map_err(|_| {
        Failure::new(format!("{} does not hold a secret key", file.display()))
            .next("put the key into it as Postmark shows it, and nothing else")
    })
}

/// What is stored, and whether it works and no old pair does.
fn checked(stream: &SmtpStream, json: Option<serde_json::Value>) -> Result<bool, Failure> {
    let Some(pair) = &stream.pair else {
        return Err(Failure::new("no keys are stored for this stream"));
    };
    match json {
        Some(json) => say(serde_json::to_string_pretty(&json)?),
        None => {
            say(format!("{}: {}", visible(&stream.stream), result(&pair.checked)));
            if let Some(old) = &pair.before {
                tell(match old.result {
                    Word::Known(SmtpResult::Accepted) => {
                        "the old pair still works: revoke it at Postmark, then check again".to_owned()
                    }
                    Word::Known(SmtpResult::WrongPair) => {
                        "the old pair fails too, which shows nothing until the new one logs in: check again then"
                            .to_owned()
                    }
                    _ => format!("the old pair could not be tried, so check again: {}", result(old)),
                });
            }
        }
    }
    Ok(pair.checked.result == SmtpResult::Accepted && pair.before.is_none())
}

fn test(args: &SmtpTest, context: &Context, json: bool) -> Result<bool, Failure> {
    let (api, path) = open(&args.of, context)?;
    let mail = SmtpTestRequest { from: args.from.clone(), to: args.to.clone() };
    let told = api.ask(&Request::post(&segments(&path, &["test"])).json(&mail))?;
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(true);
    }
    let sent: SmtpTested = told.read()?;
    say(format!("Postmark took the test mail at {}", time(sent.sent_at)));
    tell(format!(
        "whether it is delivered, and on which stream: `postledger activity --server {} --type Delivery` shows a \
         Delivery with the tag {} within a minute; it must be on the stream {}",
        sent.server,
        visible(&sent.tag),
        visible(&sent.stream)
    ));
    Ok(true)
}

fn removed(told: &SmtpRemoved) -> String {
    let stream = visible(&told.stream);
    match told.removed {
        true => format!(
            "{stream}: no keys are stored any more; at Postmark they work until you revoke them there"
        ),
        false => format!("{stream}: no keys were stored, so there was nothing to remove"),
    }
}

/// What came of a check, in words.
fn result(check: &SmtpCheck) -> String {
    let words = match &check.result {
        Word::Known(SmtpResult::Accepted) => "the keys log in",
        Word::Known(SmtpResult::WrongPair) => "the keys are wrong, or were revoked",
        Word::Known(SmtpResult::SwitchedOff) => "SMTP is switched off for the server at Postmark",
        Word::Known(SmtpResult::TlsRefused) => "there was no TLS with a good certificate, so no key was sent",
        Word::Known(SmtpResult::Unreachable) => "nothing answered; a port may be blocked",
        Word::Known(SmtpResult::TimedOut) => "the answer took too long",
        Word::Known(SmtpResult::Other) | Word::Other(_) => "Postmark gave another answer",
    };
    check.code.map_or_else(|| words.to_owned(), |code| format!("{words}: {code}"))
}

fn listed(told: &SmtpStreams) -> String {
    let rows = told.streams.iter().map(|stream| {
        let kept = stream.pair.as_ref();
        let of = |text: Option<String>| text.unwrap_or_default();
        [
            visible(&stream.stream).to_string(),
            stream.host.clone(),
            stream.port.to_string(),
            match kept {
                Some(pair) => pair.user.clone().unwrap_or_else(|| "the server's API token".to_owned()),
                None => "no keys are stored".to_owned(),
            },
            of(kept.map(|pair| time(pair.since))),
            of(kept.map(|pair| format!("{} ({})", result(&pair.checked), time(pair.checked.at)))),
            of(kept.and_then(|pair| pair.before.as_ref()).map(result)),
        ]
    });
    let header = told.streams.first().map(|stream| stream.stream_header.as_str()).unwrap_or_default();
    let table = show::table(["stream", "host", "port", "user", "since", "last check", "old pair"], rows);
    match header {
        "" => table,
        header => format!("{table}\neach mail names its stream in the header {header}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn stream(checked: &str, before: Option<&str>) -> SmtpStream {
        let check = |result: &str| json!({ "at": "2026-11-25T12:00:00Z", "result": result });
        let mut told = json!({
            "stream": "outbound", "kind": "transactional", "host": "smtp.postmarkapp.com", "port": 587,
            "stream_header": "X-PM-Message-Stream",
            "pair": {
                "since": "2026-11-25T12:00:00Z", "by": { "kind": "operator", "name": "" },
                "checked": check(checked),
            },
        });
        told["pair"]["before"] = before.map_or(Value::Null, check);
        serde_json::from_value(told).unwrap()
    }

    #[test]
    fn a_check_is_well_if_the_keys_log_in_and_no_old_pair_is_left() {
        for (checked_as, before, is_well) in [
            ("accepted", None, true),
            ("accepted", Some("accepted"), false),
            ("accepted", Some("timed_out"), false),
            ("wrong_pair", None, false),
        ] {
            assert_eq!(
                checked(&stream(checked_as, before), None).unwrap(),
                is_well,
                "{checked_as} {before:?}"
            );
        }
    }

    #[test]
    fn what_was_not_stored_is_not_called_removed() {
        let told = |removed| {
            super::removed(&SmtpRemoved {
                server: ledger::ServerId::new(7).unwrap(),
                stream: "outbound".to_owned(),
                removed,
            })
        };
        assert!(told(true).contains("no keys are stored any more"), "{}", told(true));
        assert!(told(false).contains("nothing to remove"), "{}", told(false));
    }
}
