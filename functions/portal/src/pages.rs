//! The pages: which there are, whom each is for, and which module makes it.

mod account;
mod activity;
mod audit;
mod branding;
mod changes;
mod chart;
mod check;
mod content;
mod counted;
mod happened;
mod inbound;
mod message;
mod new_server;
mod overview;
mod people;
mod rates;
mod recipient;
mod report;
mod sent;
mod servers;
mod set_up;
mod settings;
mod shared;
mod smtp;
mod statistics;
mod summary;
mod suppressions;
mod truth;
mod webhooks;

#[cfg(test)]
pub(crate) use content::MAIL_CSP;

use crate::Portal;
use crate::request::Request;
use crate::respond::Answer;
use crate::visit::{Failed, Visit};
use answers::Role;
use http::Method;

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// The servers that somebody may see.
    Servers,
    /// Adds a server.
    NewServer,
    /// What is going on at a server.
    Overview,
    /// What happened at it.
    Activity,
    /// Finds a recipient by its address.
    Find,
    /// Whether a recipient may be mailed, and why not.
    Recipient,
    /// What happened to a message.
    Message,
    /// What is written in a message.
    Content,
    /// What Postmark says it sent.
    Sent,
    /// What Postmark says came in.
    Inbound,
    /// Whom a stream must not mail.
    Suppressions,
    /// Stops mail to addresses.
    Suppress,
    /// Allows mail to a recipient again.
    Reactivate,
    /// Takes in a suppression list from elsewhere.
    Import,
    /// Exports or erases what is recorded about a person.
    Data,
    /// Whether many addresses may be mailed.
    Check,
    /// Counts and rates.
    Statistics,
    /// The report of a month.
    Report,
    /// What is complete, what was set aside.
    Truth,
    /// Who may see a server.
    People,
    /// How its webhooks at Postmark stand, and setting them up.
    Webhooks,
    /// What of a server's set-up is proven, and what is next.
    SetUp,
    /// Who did what at a server.
    Audit,
    /// What holds at a server, and the way to change it.
    Settings,
    /// Its API tokens.
    Tokens,
    /// Its token at Postmark.
    PostmarkToken,
    /// What Postmark keeps for it.
    PostmarkServer,
    /// When soft bounces count at it.
    Policy,
    /// How its programs send by SMTP, and with which keys.
    Smtp,
    /// Everybody who may sign in.
    AllPeople,
    /// What the portal is called and looks like.
    Branding,
    /// One's own time zone and sessions.
    Account,
}

/// Whom a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Whoever is signed in.
    Anybody,
    /// Whoever has at least this role at its server.
    At(Role),
    /// Operators.
    Operator,
}

impl Page {
    /// All of them.
    pub const ALL: [Page; 32] = [
        Page::Servers,
        // Before the pages of servers: it is no number of one.
        Page::NewServer,
        Page::Overview,
        Page::Activity,
        Page::Find,
        Page::Recipient,
        Page::Message,
        Page::Content,
        Page::Sent,
        Page::Inbound,
        Page::Suppressions,
        Page::Suppress,
        Page::Reactivate,
        Page::Import,
        Page::Data,
        Page::Check,
        Page::Statistics,
        Page::Report,
        Page::Truth,
        Page::People,
        Page::Webhooks,
        Page::SetUp,
        Page::Audit,
        Page::Settings,
        Page::Tokens,
        Page::PostmarkToken,
        Page::PostmarkServer,
        Page::Policy,
        Page::Smtp,
        Page::AllPeople,
        Page::Branding,
        Page::Account,
    ];

    /// Its path, with the places that vary in braces.
    pub const fn pattern(self) -> &'static str {
        match self {
            Page::Servers => "/",
            Page::NewServer => "/servers/new",
            Page::Overview => "/servers/{server}",
            Page::Activity => "/servers/{server}/activity",
            Page::Find => "/servers/{server}/recipients",
            Page::Recipient => "/servers/{server}/recipients/{id}",
            Page::Message => "/servers/{server}/messages/{id}",
            Page::Content => "/servers/{server}/messages/{id}/content",
            Page::Sent => "/servers/{server}/sent",
            Page::Inbound => "/servers/{server}/inbound",
            Page::Suppressions => "/servers/{server}/suppressions",
            Page::Suppress => "/servers/{server}/suppress",
            Page::Reactivate => "/servers/{server}/recipients/{id}/reactivate",
            Page::Import => "/servers/{server}/import",
            Page::Data => "/servers/{server}/recipients/{id}/data",
            Page::Check => "/servers/{server}/check",
            Page::Statistics => "/servers/{server}/statistics",
            Page::Report => "/servers/{server}/report",
            Page::Truth => "/servers/{server}/truth",
            Page::People => "/servers/{server}/people",
            Page::Webhooks => "/servers/{server}/webhooks",
            Page::SetUp => "/servers/{server}/set-up",
            Page::Audit => "/servers/{server}/audit",
            Page::Settings => "/servers/{server}/settings",
            Page::Tokens => "/servers/{server}/settings/tokens",
            Page::PostmarkToken => "/servers/{server}/settings/postmark",
            Page::PostmarkServer => "/servers/{server}/settings/postmark-server",
            Page::Policy => "/servers/{server}/settings/policy",
            Page::Smtp => "/servers/{server}/settings/smtp",
            Page::AllPeople => "/people",
            Page::Branding => "/branding",
            Page::Account => "/account",
        }
    }

    /// Whom it is for.
    pub const fn standing(self) -> Standing {
        match self {
            Page::Servers | Page::Account => Standing::Anybody,
            Page::NewServer | Page::AllPeople | Page::Branding => Standing::Operator,
            Page::People
            | Page::Webhooks
            | Page::SetUp
            | Page::Audit
            | Page::Suppress
            | Page::Reactivate
            | Page::Import
            | Page::Data
            | Page::Settings
            | Page::Tokens
            | Page::PostmarkToken
            | Page::PostmarkServer
            | Page::Policy
            | Page::Smtp => Standing::At(Role::Admin),
            _ => Standing::At(Role::Viewer),
        }
    }

    /// The last part of its path, by which the list of a server's pages knows it.
    const fn here(self) -> &'static str {
        match self {
            Page::Activity => "activity",
            Page::Find | Page::Recipient | Page::Sent | Page::Reactivate | Page::Data => "recipients",
            Page::Message | Page::Content | Page::Inbound => "messages",
            Page::Suppressions | Page::Suppress | Page::Import => "suppressions",
            Page::Check => "check",
            Page::Statistics | Page::Report => "statistics",
            Page::Truth => "truth",
            Page::People => "people",
            Page::Webhooks => "webhooks",
            Page::SetUp => "set-up",
            Page::Audit => "audit",
            Page::Settings
            | Page::Tokens
            | Page::PostmarkToken
            | Page::PostmarkServer
            | Page::Policy
            | Page::Smtp => "settings",
            Page::Servers
            | Page::NewServer
            | Page::Overview
            | Page::AllPeople
            | Page::Branding
            | Page::Account => "",
        }
    }

    /// The page of a path, with what stands in its places.
    fn of(segments: &[&str]) -> Option<(Page, Vec<String>)> {
        Page::ALL.into_iter().find_map(|page| {
            let pattern: Vec<&str> = page.pattern().split('/').filter(|part| !part.is_empty()).collect();
            if pattern.len() != segments.len() {
                return None;
            }
            let mut places = Vec::new();
            for (part, segment) in pattern.into_iter().zip(segments) {
                if part.starts_with('{') {
                    places.push((*segment).to_owned());
                } else if part != *segment {
                    return None;
                }
            }
            Some((page, places))
        })
    }
}

/// The answer of a page.
///
/// # Errors
/// That nobody is signed in, that there is no such page or it is not theirs to know, or the API's own.
pub(crate) async fn routed(
    portal: &Portal,
    request: &Request<'_>,
    segments: &[&str],
) -> Result<Answer, Failed> {
    let visit = match Visit::of(portal, request).await {
        Ok(visit) => visit,
        // The first page leads to the one where one signs in.
        Err(failed) if segments.is_empty() && !request.is_unsafe() => {
            return match failed.status.as_u16() {
                401 => Ok(crate::respond::see("/sign-in")),
                _ => Err(failed),
            };
        }
        Err(failed) => return Err(failed),
    };
    let inside =
        |failed: Failed| Failed { frame: failed.frame.or_else(|| Some(Box::new(visit.frame()))), ..failed };
    // On the heap: the largest of all pages would be part of whatever asks for one.
    Box::pin(shown(&visit, segments)).await.map_err(inside)
}

async fn shown(visit: &Visit<'_>, segments: &[&str]) -> Result<Answer, Failed> {
    let request = visit.request;
    let (page, places) = Page::of(segments).ok_or_else(Failed::not_found)?;
    let posts = match *request.method {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return Err(Failed::not_found()),
    };
    let place = |nth: usize| places.get(nth).map_or("", String::as_str);
    let (server, id) = (place(0), place(1));
    match page {
        Page::Servers if !posts => return servers::page(visit).await,
        Page::Account => return account::routed(visit, posts).await,
        Page::AllPeople if visit.is_operator() => return people::everybody(visit, posts).await,
        Page::Branding if visit.is_operator() => return branding::page(visit, posts).await,
        Page::NewServer if visit.is_operator() => return new_server::page(visit, posts).await,
        Page::Servers | Page::NewServer | Page::AllPeople | Page::Branding => return Err(Failed::not_found()),
        _ => {}
    }
    let at = visit.server(server, page.here()).await?;
    if page.standing() == Standing::At(Role::Admin) && !at.is_admin() {
        return Err(Failed::not_found());
    }
    match (page, posts) {
        (Page::Overview, false) => overview::page(&at).await,
        (Page::Activity, false) => activity::page(&at).await,
        (Page::Find, true) => recipient::find(&at).await,
        (Page::Find, false) => recipient::empty(&at),
        (Page::Recipient, false) => recipient::page(&at, id).await,
        (Page::Message, false) => message::page(&at, id).await,
        (Page::Content, posts) => content::page(&at, id, posts).await,
        (Page::Sent, posts) => sent::page(&at, posts).await,
        (Page::Inbound, false) => inbound::page(&at).await,
        (Page::Suppressions, false) => suppressions::page(&at).await,
        (Page::Suppress, posts) => changes::suppress(&at, posts).await,
        (Page::Reactivate, posts) => changes::reactivate(&at, id, posts).await,
        (Page::Import, posts) => changes::import(&at, posts).await,
        (Page::Data, posts) => changes::data(&at, id, posts).await,
        (Page::Check, posts) => check::page(&at, posts).await,
        (Page::Statistics, false) => statistics::page(&at).await,
        (Page::Report, false) => report::page(&at).await,
        (Page::Truth, false) => truth::page(&at).await,
        (Page::Truth, true) => truth::posted(&at).await,
        (Page::People, posts) => people::of_server(&at, posts).await,
        (Page::Webhooks, posts) => webhooks::page(&at, posts).await,
        (Page::SetUp, posts) => set_up::page(&at, posts).await,
        (Page::Audit, false) => audit::page(&at).await,
        (Page::Settings, false) => settings::page(&at),
        (Page::Tokens, posts) => settings::tokens::routed(&at, posts).await,
        (Page::PostmarkToken, posts) => settings::postmark::routed(&at, posts).await,
        (Page::PostmarkServer, posts) => settings::server::routed(&at, posts).await,
        (Page::Policy, posts) => settings::policy::routed(&at, posts).await,
        (Page::Smtp, posts) => Box::pin(settings::smtp::routed(&at, posts)).await,
        _ => Err(Failed::not_found()),
    }
}
