//! How a server's programs send by SMTP: with which keys, whether these work, and where a test mail arrives. Secret keys are
//! pasted here and never shown.

use super::confirm_for;
use crate::moment::Moment;
use crate::pages::people::{self, Names, Trouble};
use crate::pages::shared::link;
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why, must_confirm};
use answers::{
    Activity, SmtpCheck, SmtpPairRequest, SmtpRemoved, SmtpResult, SmtpStream, SmtpStreams, SmtpTestRequest,
    SmtpTested, Word,
};
use askama::Template;
use http::{Method, StatusCode};
use ledger::Kind;

/// The last parts of its path.
const TAIL: &str = "settings/smtp";
/// Within how many seconds of a test mail its delivery is looked for, and how many before: clocks differ.
const LOOKED_FOR: [i64; 2] = [3_600, 60];
/// After how many seconds it is not looked for any more: each look reads what came in meanwhile.
const LOOKED_UNTIL: i64 = 6 * 3_600;
/// How many deliveries are looked at for it: so many pages of so many.
const LOOKED_AT: [usize; 2] = [4, 500];

#[derive(Template)]
#[template(path = "smtp.html")]
struct StreamsPage {
    t: Texts,
    frame: Frame,
    title: String,
    done: Option<String>,
    is_now: bool,
    rows: Vec<Row>,
}

/// A stream in the list.
struct Row {
    stream: String,
    href: String,
    kept: Option<(Moment, Moment, String)>,
}

#[derive(Template)]
#[template(path = "smtp_stream.html")]
struct StreamPage {
    t: Texts,
    frame: Frame,
    title: String,
    done: Option<String>,
    stream: SmtpStream,
    user: Option<String>,
    is_token: bool,
    kept: Option<Kept>,
    wrong: Option<Wrong>,
    typed: [String; 2],
    /// Where to confirm that it is oneself, before keys are pasted that would be lost.
    confirm: Option<String>,
    remove: String,
    back: String,
}

/// What is kept for a stream, in words.
struct Kept {
    since: Moment,
    by: String,
    checked: (Moment, String),
    /// What is told of the pair before, line by line.
    old: Vec<String>,
    /// When a test mail was sent, and what came of it.
    tested: Option<(Moment, Arrived)>,
}

/// What the ledger knows of a test mail.
enum Arrived {
    /// It was delivered on this stream.
    Here,
    /// It was delivered on another one.
    Elsewhere(String),
    /// Nothing came in.
    NotYet,
    /// There are more deliveries than were looked at.
    NotAll,
    /// It is too long ago to be looked for.
    Past,
    /// It cannot be looked up.
    Unseen,
}

#[derive(Template)]
#[template(path = "smtp_remove.html")]
struct RemovePage {
    t: Texts,
    frame: Frame,
    title: String,
    done: Option<String>,
    trouble: Option<Trouble>,
    to: String,
    stream: String,
    back: String,
}

/// What went wrong with a form.
struct Wrong {
    form: Form,
    /// The field of the test mail that it is about, where it is one.
    field: Option<&'static str>,
    trouble: Trouble,
}

/// Which of the forms went wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Check,
    Keep,
    Test,
}

impl StreamPage {
    /// What is wrong with a form.
    fn trouble_of(&self, form: Form) -> Option<&Trouble> {
        self.wrong.as_ref().filter(|wrong| wrong.form == form).map(|wrong| &wrong.trouble)
    }

    /// Whether a field of the test mail is wrong.
    fn is_wrong(&self, field: &str) -> bool {
        self.wrong.as_ref().is_some_and(|wrong| wrong.field == Some(field))
    }
}

/// The page, or what a form asks for.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(in crate::pages) async fn routed(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    let (form, asked) = (at.visit.request.form(), at.visit.request.asked());
    if !posts {
        return match (asked.text("stream"), asked.text("remove")) {
            (Some(stream), _) => stream_page(at, find(at, stream).await?, None, &Fields::default()).await,
            (None, Some(stream)) => remove_page(at, &find(at, stream).await?, None),
            (None, None) => streams_page(at).await,
        };
    }
    let stream = find(at, form.text("stream").unwrap_or_default()).await?;
    match form.text("action").unwrap_or_default() {
        "keep" => keep(at, stream, &form).await,
        "check" => check(at, stream).await,
        "test" => test(at, stream, &form).await,
        "remove" => remove(at, stream).await,
        _ => Err(Failed::not_found()),
    }
}

/// The page of a stream.
fn place(at: &AtServer<'_>, stream: &str) -> String {
    link(&at.path(TAIL), &[("stream", Some(stream.to_owned()))])
}

/// The path of a stream in the API.
fn path(at: &AtServer<'_>, stream: &SmtpStream, tail: &str) -> String {
    format!("/v1/servers/{}/smtp/{}{tail}", at.server, stream.stream)
}

async fn find(at: &AtServer<'_>, name: &str) -> Result<SmtpStream, Failed> {
    let all: SmtpStreams = at.ask(at.get("smtp")).await?;
    all.streams.into_iter().find(|stream| stream.stream == name).ok_or_else(Failed::not_found)
}

async fn streams_page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let all: SmtpStreams = at.ask(at.get("smtp")).await?;
    let row = |stream: SmtpStream| Row {
        href: place(at, &stream.stream),
        kept: stream.pair.map(|pair| {
            (visit.show(pair.since), visit.show(pair.checked.at), result_words(t, &pair.checked))
        }),
        stream: stream.stream,
    };
    let page = StreamsPage {
        t,
        frame: at.frame(),
        title: t.keys_title(at.label()),
        done: done(at),
        is_now: at.as_of.is_now(),
        rows: all.streams.into_iter().map(row).collect(),
    };
    respond::page(StatusCode::OK, &page)
}

/// What became of a form.
fn done(at: &AtServer<'_>) -> Option<String> {
    let t = at.visit.t();
    match at.visit.request.asked().text("done")? {
        "kept" => Some(t.keys_done()),
        "checked" => Some(t.keys_done_checked()),
        "removed" => Some(t.keys_done_removed()),
        "again" => Some(t.people_done_again()),
        _ => None,
    }
}

async fn stream_page(
    at: &AtServer<'_>,
    stream: SmtpStream,
    wrong: Option<Wrong>,
    typed: &Fields,
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let own = place(at, &stream.stream);
    let typed = ["sender", "recipient"].map(|name| typed.text(name).unwrap_or_default().to_owned());
    let page = StreamPage {
        t,
        frame: at.frame(),
        title: t.keys_of(&stream.stream),
        done: done(at),
        user: stream.pair.as_ref().and_then(|pair| pair.user.clone()),
        is_token: stream.pair.as_ref().is_some_and(|pair| pair.user.is_none()),
        kept: kept(at, &stream).await?,
        confirm: confirm_for(at, &own),
        remove: link(&at.path(TAIL), &[("remove", Some(stream.stream.clone()))]),
        back: at.path(TAIL),
        stream,
        wrong,
        typed,
    };
    let status = page.wrong.as_ref().map_or(StatusCode::OK, |wrong| wrong.trouble.status);
    respond::page(status, &page)
}

async fn kept(at: &AtServer<'_>, stream: &SmtpStream) -> Result<Option<Kept>, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let Some(pair) = &stream.pair else { return Ok(None) };
    let names = Names::of(&people::all(visit, at.caller.clone()).await?);
    let old = match pair.before.as_ref().map(|check| (check, &check.result)) {
        None => Vec::new(),
        Some((_, Word::Known(SmtpResult::Accepted))) => vec![t.keys_old_works()],
        Some((_, Word::Known(SmtpResult::WrongPair))) => vec![t.keys_old_fails_too()],
        Some((check, _)) => vec![t.keys_old_unclear(), t.keys_old_unclear_why(result_words(t, check))],
    };
    let tested = match (pair.tested_at, &pair.test_tag) {
        (Some(tested), Some(tag)) => Some((visit.show(tested), arrived(at, stream, tag, tested.0).await?)),
        _ => None,
    };
    Ok(Some(Kept {
        since: visit.show(pair.since),
        by: names.by(t, &pair.by.name),
        checked: (visit.show(pair.checked.at), result_words(t, &pair.checked)),
        old,
        tested,
    }))
}

/// Whether a test mail was delivered, and on which stream: by its tag, which no other mail has, among the deliveries after it.
async fn arrived(
    at: &AtServer<'_>,
    stream: &SmtpStream,
    tag: &str,
    tested: ledger::Time,
) -> Result<Arrived, Failed> {
    if at.visit.now > tested.plus_seconds(LOOKED_UNTIL) {
        return Ok(Arrived::Past);
    }
    let until = tested.plus_seconds(LOOKED_FOR[0]).min(at.visit.now);
    let mut cursor = None;
    for _ in 0..LOOKED_AT[0] {
        let ask = at
            .get("activity")
            .with("type", Some(Kind::Delivery.name()))
            .with("from", Some(tested.plus_seconds(-LOOKED_FOR[1])))
            .with("to", Some(until))
            .with("limit", Some(LOOKED_AT[1]))
            .with("cursor", cursor);
        let page: Activity = match at.ask(ask).await {
            Ok(page) => page,
            Err(failed) => return unseen(failed),
        };
        if let Some(found) =
            page.items.into_iter().find(|found| found.entry.details.tag.as_deref() == Some(tag))
        {
            let on = found.entry.stream;
            return Ok(if on == stream.stream { Arrived::Here } else { Arrived::Elsewhere(on) });
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(Arrived::NotYet);
        }
    }
    Ok(Arrived::NotAll)
}

/// What it means that the deliveries cannot be had.
fn unseen(failed: Failed) -> Result<Arrived, Failed> {
    let Why::Problem(problem) = &failed.why else { return Err(failed) };
    match problem.code() {
        "activity-off" => Ok(Arrived::Unseen),
        "too-many-streams" => Ok(Arrived::NotAll),
        _ => Err(failed),
    }
}

fn result_words(t: Texts, check: &SmtpCheck) -> String {
    match (&check.result, check.code) {
        (Word::Known(SmtpResult::Accepted), _) => t.keys_accepted(),
        (Word::Known(SmtpResult::WrongPair), _) => t.keys_wrong_pair(),
        (Word::Known(SmtpResult::SwitchedOff), _) => t.keys_switched_off(),
        (Word::Known(SmtpResult::TlsRefused), _) => t.keys_tls_refused(),
        (Word::Known(SmtpResult::Unreachable), _) => t.keys_unreachable(),
        (Word::Known(SmtpResult::TimedOut), _) => t.keys_timed_out(),
        (Word::Known(SmtpResult::Other), Some(code)) => t.keys_other_code(code),
        (Word::Known(SmtpResult::Other) | Word::Other(_), _) => t.keys_other(),
    }
}

async fn keep(at: &AtServer<'_>, stream: SmtpStream, form: &Fields) -> Result<Answer, Failed> {
    let (visit, own) = (at.visit, place(at, &stream.stream));
    let back = link(&own, &[("done", Some("again".to_owned()))]);
    if let Some(answer) = must_confirm(&visit.who, visit.now, &back) {
        return Ok(answer);
    }
    let key = |name: &str| form.text(name).unwrap_or_default().to_owned();
    let pair = SmtpPairRequest { access_key: key("access_key"), secret_key: key("secret_key") };
    let ask = Ask::of(Method::PUT, path(at, &stream, "")).json(&pair);
    finished::<SmtpStream>(at, stream, ask, (Form::Keep, "kept"), form).await
}

async fn check(at: &AtServer<'_>, stream: SmtpStream) -> Result<Answer, Failed> {
    let ask = Ask::of(Method::POST, path(at, &stream, "/check"));
    finished::<SmtpStream>(at, stream, ask, (Form::Check, "checked"), &Fields::default()).await
}

async fn test(at: &AtServer<'_>, stream: SmtpStream, form: &Fields) -> Result<Answer, Failed> {
    let address = |name: &str| form.text(name).unwrap_or_default().to_owned();
    let mail = SmtpTestRequest { from: address("sender"), to: address("recipient") };
    let ask = Ask::of(Method::POST, path(at, &stream, "/test")).json(&mail);
    finished::<SmtpTested>(at, stream, ask, (Form::Test, "tested"), form).await
}

/// Has it done, and shows the stream: anew, or with what is wrong beside its form.
async fn finished<T: serde::de::DeserializeOwned>(
    at: &AtServer<'_>,
    stream: SmtpStream,
    ask: Ask,
    (form, done): (Form, &str),
    typed: &Fields,
) -> Result<Answer, Failed> {
    match at.ask::<T>(ask).await {
        Ok(_) => {
            let done = [("done", Some(done.to_owned()))];
            Ok(respond::see(&link(&place(at, &stream.stream), &done)))
        }
        Err(failed) => {
            let wrong = wrong(at.visit.t(), form, failed)?;
            // What is known of it may have changed nevertheless.
            stream_page(at, find(at, &stream.stream).await?, Some(wrong), typed).await
        }
    }
}

/// Why something is not done, in words.
fn wrong(t: Texts, form: Form, failed: Failed) -> Result<Wrong, Failed> {
    let Why::Problem(problem) = &failed.why else { return Err(failed) };
    let field = match problem.code() {
        "bad-request" if form == Form::Test && problem.detail.starts_with("from:") => Some("sender"),
        "bad-request" if form == Form::Test && problem.detail.starts_with("to:") => Some("recipient"),
        _ => None,
    };
    // That Postmark is silent is no fault of this page's.
    let status = if problem.code() == "uncertain" { StatusCode::CONFLICT } else { failed.status };
    let why = |result: SmtpResult| {
        let check = SmtpCheck { at: ledger::Time::EARLIEST.into(), result: result.into(), code: None };
        t.keys_problem(result_words(t, &check))
    };
    let words = match problem.code() {
        "bad-request" if form == Form::Test => t.keys_address_wrong(),
        "bad-request" => t.keys_not_understood(),
        "smtp-old-pair" => t.keys_old_first(),
        "no-smtp-pair" => t.keys_no_pair(),
        "smtp-wrong-pair" => why(SmtpResult::WrongPair),
        "smtp-switched-off" => why(SmtpResult::SwitchedOff),
        "smtp-tls-refused" => why(SmtpResult::TlsRefused),
        "smtp-unreachable" => why(SmtpResult::Unreachable),
        "smtp-timed-out" => why(SmtpResult::TimedOut),
        "uncertain" => t.test_mail_uncertain(),
        _ => return Ok(Wrong { form, field, trouble: Trouble::of(t, failed)? }),
    };
    Ok(Wrong { form, field, trouble: Trouble { status, ..Trouble::typed(words) } })
}

fn remove_page(at: &AtServer<'_>, stream: &SmtpStream, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let t = at.visit.t();
    if stream.pair.is_none() {
        return Err(Failed::not_found());
    }
    let status = trouble.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = RemovePage {
        t,
        frame: at.frame(),
        title: t.keys_remove_question(&stream.stream),
        done: done(at),
        trouble,
        to: at.path(TAIL),
        stream: stream.stream.clone(),
        back: place(at, &stream.stream),
    };
    respond::page(status, &page)
}

async fn remove(at: &AtServer<'_>, stream: SmtpStream) -> Result<Answer, Failed> {
    let visit = at.visit;
    let again = [("remove", Some(stream.stream.clone())), ("done", Some("again".to_owned()))];
    if let Some(answer) = must_confirm(&visit.who, visit.now, &link(&at.path(TAIL), &again)) {
        return Ok(answer);
    }
    match at.ask::<SmtpRemoved>(Ask::of(Method::DELETE, path(at, &stream, ""))).await {
        Ok(_) => Ok(respond::see(&link(&place(at, &stream.stream), &[("done", Some("removed".to_owned()))]))),
        Err(failed) => remove_page(at, &stream, Some(Trouble::of(visit.t(), failed)?)),
    }
}
