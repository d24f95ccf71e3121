//! The servers that somebody may see: the first page.

use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, Failed, Frame, Visit};
use answers::{Role, Servers};
use askama::Template;
use http::StatusCode;

/// How many servers a page has.
const A_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "servers.html")]
struct ServersPage {
    t: Texts,
    frame: Frame,
    rows: Vec<Row>,
    asked: String,
    total: usize,
    next: Option<String>,
}

/// A server.
struct Row {
    id: String,
    label: String,
    client: String,
    streams: String,
    /// Where its set-up goes on, and what that link says, while no event of it is recorded.
    set_up: Option<[String; 2]>,
}

/// The page.
///
/// # Errors
/// The API's own.
pub(super) async fn page(visit: &Visit<'_>) -> Result<Answer, Failed> {
    let t = visit.t();
    let asked = visit.request.asked();
    let (wanted, from) = (asked.text("q").unwrap_or_default().to_lowercase(), asked.text("from"));
    let mut servers: Servers = visit.ask(visit.who.everywhere(), Ask::get("/v1/servers")).await?;
    // The sample's server is in no registry.
    if visit.is_operator()
        && let Some(sample) = visit.portal.sample().await?
        && let Some(caller) = visit.who.at(sample)
    {
        servers.items.extend(visit.ask::<Servers>(caller, Ask::get("/v1/servers")).await?.items);
    }
    let set_up = |server: &answers::Server| {
        let may = visit.who.at(server.server).is_some_and(|caller| caller.role() >= Role::Admin);
        let path = format!("/servers/{}/{}", server.server, super::set_up::TAIL);
        (may && !server.has_events).then(|| [path, t.servers_set_up(visit.called(server))])
    };
    let rows = servers.items.into_iter().map(|server| Row {
        set_up: set_up(&server),
        id: server.server.to_string(),
        label: visit.called(&server),
        client: server.client.unwrap_or_default(),
        streams: server.streams.into_keys().collect::<Vec<_>>().join(", "),
    });
    let mut rows: Vec<Row> = rows
        .filter(|row| {
            [&row.id, &row.label, &row.client].into_iter().any(|text| text.to_lowercase().contains(&wanted))
        })
        .collect();
    rows.sort_by_cached_key(|row| (row.label.to_lowercase(), row.id.clone()));
    let total = rows.len();
    let first = from.and_then(|from| from.parse::<usize>().ok()).unwrap_or_default().min(total);
    let next = (first + A_PAGE < total)
        .then(|| format!("/?q={}&from={}", crate::visit::segment(&wanted), first + A_PAGE));
    let rows = rows.into_iter().skip(first).take(A_PAGE).collect();
    respond::page(StatusCode::OK, &ServersPage { t, frame: visit.frame(), rows, asked: wanted, total, next })
}
