//! What the ledger holds about a person: exported as a file, or erased.

use super::super::recipient::told as told_of;
use crate::pages::shared::{link, number};
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why, must_confirm};
use answers::{Erased, Export, Recipient};
use askama::Template;
use http::{Method, StatusCode};

/// What an export is.
const JSON: &str = "application/json";
/// How many bytes an export has at most: an answer on AWS has 6 MB, in base64.
const BYTES_MAX: usize = 4_000_000;

#[derive(Template)]
#[template(path = "data.html")]
struct DataPage {
    t: Texts,
    frame: Frame,
    who: String,
    back: String,
    done: Option<String>,
    may_export: bool,
    problem: Option<String>,
    erased: Option<Vec<String>>,
}

/// The page, the file, or what was erased.
///
/// # Errors
/// The API's own.
pub(in crate::pages) async fn page(at: &AtServer<'_>, id: &str, posts: bool) -> Result<Answer, Failed> {
    // What is no id is nothing that is here: an address in a URL would stand in logs.
    if id.parse::<ledger::RecipientId>().is_err() {
        return Err(Failed::not_found());
    }
    let whom = told_of(at, &format!("id:{id}")).await?;
    if !posts {
        return shown(at, &whom, (StatusCode::OK, None), None);
    }
    let form = at.visit.request.form();
    let action = form
        .text("action")
        .filter(|action| ["export", "erase"].contains(action))
        .ok_or_else(Failed::not_found)?;
    let again = link(&at.path(&format!("recipients/{id}/data")), &[("done", Some("again".to_owned()))]);
    if let Some(answer) = must_confirm(&at.visit.who, at.visit.now, &again) {
        return Ok(answer);
    }
    match action {
        "export" => export(at, &whom).await,
        _ if form.is_set("sure") => erase(at, &whom).await,
        _ => {
            let problem = Some(at.visit.t().data_not_sure());
            shown(at, &whom, (StatusCode::BAD_REQUEST, problem), None)
        }
    }
}

fn shown(
    at: &AtServer<'_>,
    whom: &Recipient,
    (status, problem): (StatusCode, Option<String>),
    erased: Option<&Erased>,
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let again = at.visit.request.asked().text("done") == Some("again");
    let page = DataPage {
        t,
        frame: at.frame(),
        who: match erased {
            Some(_) => t.recipient_unnamed(),
            None => whom.address.clone().unwrap_or_else(|| t.recipient_unnamed()),
        },
        back: at.path(&format!("recipients/{}", whom.recipient_id)),
        done: again.then(|| t.people_done_again()),
        may_export: at.caller.reveals(),
        problem,
        erased: erased.map(|erased| erased_words(at, erased)),
    };
    respond::page(status, &page)
}

fn erased_words(at: &AtServer<'_>, erased: &Erased) -> Vec<String> {
    let t = at.visit.t();
    let events = if erased.already && erased.events == 0 {
        t.data_erased_before(at.visit.show(erased.erased_at).text())
    } else {
        t.data_erased_events(number(erased.events))
    };
    let swept = t.data_erased_swept(at.visit.show(erased.swept_until).text());
    vec![events, t.data_erased_ban(), swept]
}

async fn erase(at: &AtServer<'_>, whom: &Recipient) -> Result<Answer, Failed> {
    let path = format!("/v1/servers/{}/recipients/id:{}/erase", at.server, whom.recipient_id);
    match at.ask::<Erased>(Ask::of(Method::POST, path)).await {
        Ok(erased) => shown(at, whom, (StatusCode::OK, None), Some(&erased)),
        Err(failed) => refused(at, whom, failed),
    }
}

/// What the API refuses, beside what was asked for.
fn refused(at: &AtServer<'_>, whom: &Recipient, failed: Failed) -> Result<Answer, Failed> {
    let is_told = matches!(failed.why, Why::Problem(_)) && failed.status != StatusCode::NOT_FOUND;
    if !is_told {
        return Err(failed);
    }
    let words = failed.sentences(at.visit.t());
    shown(at, whom, (failed.status, Some(words)), None)
}

/// All that is recorded of the person as one file; too much for one answer is said to be so, and nothing is given then:
/// whoever takes a part for the whole answers somebody's question wrongly.
async fn export(at: &AtServer<'_>, whom: &Recipient) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let page = async |cursor: Option<String>| -> Result<(Export, usize), Failed> {
        let ask = at.get(&format!("recipients/id:{}/export", whom.recipient_id)).with("cursor", cursor);
        let text = at.visit.ask_text(at.caller.clone(), ask).await?;
        let read = serde_json::from_slice(&text);
        Ok((read.map_err(|_| Failed::fault("an export is not understood"))?, text.len()))
    };
    let (mut all, mut bytes) = match page(None).await {
        Ok(first) => first,
        Err(failed) => return refused(at, whom, failed),
    };
    while let Some(next) = all.next.take().filter(|_| bytes <= BYTES_MAX) {
        let (more, read) = page(Some(next)).await?;
        bytes += read;
        all.items.extend(more.items);
        all.next = more.next;
    }
    let text = serde_json::to_vec_pretty(&all).map_err(|_| Failed::fault("an export cannot be written"))?;
    if bytes > BYTES_MAX || text.len() > BYTES_MAX {
        return shown(at, whom, (StatusCode::PAYLOAD_TOO_LARGE, Some(t.data_too_much())), None);
    }
    // By its id: an address does not stand in the name of a file.
    Ok(respond::file(JSON, &format!("export-{}-{}.json", at.server, whom.recipient_id), text))
}
