//! Somebody who is signed in and looks at a page: who it is, as of when they look, and how their page asks the ledger.

use crate::brand::Shown;
use crate::moment::{Moment, Zone};
pub(crate) use crate::request::segment;
use crate::request::{Fields, Request};
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::{Elsewhere, Portal};
use answers::Problem;
use api::Caller;
use api::call::Call;
use api::route::Route;
use api::scope::{NO_SERVER, SignedIn};
use askama::Template;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ledger::{ServerId, Time};
use people::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use store::StoreError;

/// The cookie of a session.
pub(crate) const SESSION: &str = "pl";

/// Why there is no page, or not this one.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The status.
    pub status: StatusCode,
    /// What kind of failure it is; from the API, its code.
    pub why: Why,
    /// What stands around a page of whoever is signed in: from there they go on.
    pub(crate) frame: Option<Box<Frame>>,
}

/// What kind of failure it is.
#[derive(Clone, Debug)]
pub enum Why {
    /// The API says so.
    Problem(Box<Problem>),
    /// There is no such page, or it is not theirs to know.
    NotFound,
    /// Nobody is signed in, and nothing that was sent is lost: these fields of the form are shown again.
    SignedOut,
    /// As of when it is to be looked at cannot be read.
    NoTime,
    /// The API does not answer.
    Silent,
    /// Another site sent it.
    OtherSite,
    /// A page cannot be made, by a fault of ours.
    Fault(&'static str),
}

impl Failed {
    pub(crate) fn new(status: StatusCode, why: Why) -> Failed {
        Failed { status, why, frame: None }
    }

    /// There is no such page.
    pub fn not_found() -> Failed {
        Failed::new(StatusCode::NOT_FOUND, Why::NotFound)
    }

    /// Nobody is signed in.
    pub fn signed_out() -> Failed {
        Failed::new(StatusCode::UNAUTHORIZED, Why::SignedOut)
    }

    /// Another site sent it.
    pub fn other_site() -> Failed {
        Failed::new(StatusCode::FORBIDDEN, Why::OtherSite)
    }

    /// A fault of ours.
    pub fn fault(what: &'static str) -> Failed {
        tracing::error!(what, "a page cannot be made");
        Failed::new(StatusCode::INTERNAL_SERVER_ERROR, Why::Fault(what))
    }

    /// The API, which is asked elsewhere, does not answer: what was asked for may have been done.
    fn silent(error: &impl Display) -> Failed {
        tracing::error!(error = %error, "the API does not answer");
        Failed::new(StatusCode::SERVICE_UNAVAILABLE, Why::Silent)
    }

    /// What is said of it: a title, what is the matter, and what to do.
    pub fn words(&self, t: Texts) -> [String; 3] {
        match &self.why {
            Why::Problem(problem) if self.status != StatusCode::NOT_FOUND => {
                [problem.title.clone(), problem.detail.clone(), problem.next.clone()]
            }
            Why::Problem(_) | Why::NotFound => {
                [t.not_found_title(), t.not_found_detail(), t.not_found_next()]
            }
            Why::SignedOut => [t.signed_out_title(), t.signed_out_detail(), t.signed_out_next()],
            Why::NoTime => [t.no_time_title(), t.no_time_detail(), t.no_time_next()],
            Why::Silent => [t.elsewhere_title(), t.elsewhere_silent(), t.elsewhere_next()],
            Why::OtherSite => [t.other_site_title(), t.other_site_detail(), t.other_site_next()],
            Why::Fault(_) => [t.fault_title(), t.fault_detail(), t.fault_next()],
        }
    }

    /// What is the matter and what to do, as sentences.
    pub(crate) fn sentences(&self, t: Texts) -> String {
        let [_, detail, next] = self.words(t);
        [detail, next].map(|words| sentence(&words)).join(" ")
    }

    /// The page that says so.
    pub(crate) fn page(&self, portal: &Portal, request: &Request<'_>) -> Answer {
        let t = portal.texts();
        let frame = self.frame.as_deref().cloned().unwrap_or_else(|| Frame::outside(portal));
        let [title, detail, next] = self.words(t);
        let kept = match self.why {
            // What was typed is not gone: it is shown, to be sent again. What another site sent is not for a page of ours.
            Why::SignedOut if request.is_unsafe() => typed(request),
            Why::OtherSite if request.is_unsafe() && request.tells_no_site() => typed(request),
            _ => Vec::new(),
        };
        let signs_in = matches!(self.why, Why::SignedOut);
        let page = ErrorPage { t, frame, title, detail, next, kept, signs_in };
        respond::page(self.status, &page).unwrap_or_else(|_| {
            respond::with(self.status, "text/plain; charset=utf-8", b"a page cannot be written".to_vec())
        })
    }
}

/// Words of the API, which begin small and have no full stop, as a sentence.
fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if words.ends_with(['.', '!', '?']) || words.is_empty() { "" } else { "." };
    format!("{first}{}{end}", rest.as_str())
}

/// What a query chooses beside the time: not the page of a list, which is another one then, nor a file.
fn chosen(query: &str) -> Vec<[String; 2]> {
    const NOT_KEPT: [&str; 5] = ["at", "known_at", "cursor", "as", "reveal"];
    form_urlencoded::parse(query.as_bytes())
        .filter(|(name, value)| !value.is_empty() && !NOT_KEPT.contains(&&**name))
        .map(|(name, value)| [name.into_owned(), value.into_owned()])
        .collect()
}

/// What somebody typed into a form, field by field; nothing that is secret.
fn typed(request: &Request<'_>) -> Vec<[String; 2]> {
    // A file is chosen again, and not copied from a page.
    const NOT_SHOWN: [&str; 6] = ["code", "link", "token", "upload", "access_key", "secret_key"];
    let mut typed = request.typed();
    typed.retain(|[name, value]| !value.is_empty() && !NOT_SHOWN.contains(&name.as_str()));
    typed
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        let call = platform::counted(&error);
        tracing::error!(call.kind = call.kind, call.code = call.code, error = %error, "the ledger does not answer");
        Failed::new(StatusCode::SERVICE_UNAVAILABLE, Why::Fault("the ledger does not answer"))
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    t: Texts,
    frame: Frame,
    title: String,
    detail: String,
    next: String,
    kept: Vec<[String; 2]>,
    signs_in: bool,
}

/// What stands around every page.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// What the portal is called and looks like.
    pub brand: Shown,
    /// Where its style is.
    pub style: &'static str,
    /// Where its script is.
    pub script: &'static str,
    /// Who is signed in, as they are called on their pages; nothing where nobody is.
    pub who: Option<String>,
    /// Whether they are an operator.
    pub is_operator: bool,
    /// The server that the page is about.
    pub server: Option<FrameServer>,
    /// The zone that times are in.
    pub zone: String,
}

/// The server that a page is about.
#[derive(Clone, Debug)]
pub(crate) struct FrameServer {
    /// Its number.
    pub id: ServerId,
    /// What it is called.
    pub label: String,
    /// Whether its number is not its name.
    pub shows_id: bool,
    /// Whether the viewer is an admin there.
    pub is_admin: bool,
    /// Which of its pages this is, by the last part of its path.
    pub here: &'static str,
    /// As of when it is looked at.
    pub as_of: AsOf,
    /// As they stand in the fields of the form.
    pub fields: [String; 2],
    /// What else was chosen on the page, which looking at another time keeps.
    pub chosen: Vec<[String; 2]>,
}

impl FrameServer {
    /// What leads to the same, as it is now.
    pub(crate) fn now(&self) -> String {
        let pairs = self.chosen.iter().map(|[name, value]| (name, value));
        format!("?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    }
}

impl Frame {
    /// Around a page that anybody may see.
    pub(crate) fn outside(portal: &Portal) -> Frame {
        Frame {
            brand: portal.shown(),
            style: crate::statics::STYLE.path(),
            script: crate::statics::SCRIPT.path(),
            who: None,
            is_operator: false,
            server: None,
            zone: Zone::default().name().to_owned(),
        }
    }

    /// The path of a page of its server, with what says as of when.
    pub(crate) fn of_server(&self, tail: &str) -> String {
        let Some(server) = &self.server else { return "/".to_owned() };
        let id = server.id;
        let slash = if tail.is_empty() { "" } else { "/" };
        server.as_of.on(&format!("/servers/{id}{slash}{tail}"))
    }
}

/// As of when somebody looks: what had happened by an instant, and what was known by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AsOf {
    /// What had happened by then.
    pub at: Option<Time>,
    /// What had come in by then.
    pub known_at: Option<Time>,
}

impl AsOf {
    /// As a query says it.
    ///
    /// # Errors
    /// Where it cannot be read: what is now would be taken for what was.
    pub(crate) fn read(asked: &Fields, zone: &Zone) -> Result<AsOf, Failed> {
        let no_time = || Failed::new(StatusCode::BAD_REQUEST, Why::NoTime);
        let time = |name| asked.text(name).map(|text| zone.read(text).ok_or_else(no_time)).transpose();
        Ok(AsOf { at: time("at")?, known_at: time("known_at")? })
    }

    /// Whether it is now.
    pub(crate) fn is_now(&self) -> bool {
        *self == AsOf::default()
    }

    /// A path, looked at as of the same.
    pub(crate) fn on(&self, path: &str) -> String {
        let pairs = [("at", self.at), ("known_at", self.known_at)];
        let mut path = path.to_owned();
        for (name, at) in pairs.into_iter().filter_map(|(name, at)| Some((name, at?))) {
            let sign = if path.contains('?') { '&' } else { '?' };
            path += &format!("{sign}{name}={at}");
        }
        path
    }
}

/// Somebody who is signed in.
pub(crate) struct Visit<'a> {
    /// The portal.
    pub portal: &'a Portal,
    /// What they ask.
    pub request: &'a Request<'a>,
    /// Who it is.
    pub who: SignedIn,
    /// What their cookie holds.
    pub secret: Secret,
    /// The zone that they see times in.
    pub zone: Zone,
    /// What time it is.
    pub now: Time,
}

impl<'a> Visit<'a> {
    /// Whoever a request's cookie lets in.
    ///
    /// # Errors
    /// [`Failed::signed_out`], or the ledger's own.
    pub(crate) async fn of(portal: &'a Portal, request: &'a Request<'a>) -> Result<Visit<'a>, Failed> {
        let name = portal.settings.cookie(SESSION);
        let secret = request.cookie(&name).and_then(Secret::read).ok_or_else(Failed::signed_out)?;
        let now = (portal.clock)();
        let who = SignedIn::find(&*portal.store, &secret, now).await?.ok_or_else(Failed::signed_out)?;
        let zone = Zone::named(who.user.as_ref().and_then(|user| user.zone.as_deref()));
        Ok(Visit { portal, request, who, secret, zone, now })
    }

    /// The texts.
    pub(crate) fn t(&self) -> Texts {
        self.portal.texts()
    }

    /// What a server is called: its label, its client, or its number.
    pub(crate) fn called(&self, server: &answers::Server) -> String {
        let named = server.label.clone().or_else(|| server.client.clone());
        named.unwrap_or_else(|| self.unnamed(server.server))
    }

    /// What a server is called that has no name.
    pub(crate) fn unnamed(&self, server: ServerId) -> String {
        match self.portal.settings.sample {
            Some(sample) if sample == server => self.t().server_sample(),
            _ => self.t().server_numbered(server),
        }
    }

    /// Whether they are an operator.
    pub(crate) fn is_operator(&self) -> bool {
        self.who.access.is_operator()
    }

    /// What stands around a page of theirs.
    pub(crate) fn frame(&self) -> Frame {
        let who = match &self.who.user {
            Some(user) => user.address.clone(),
            None => self.t().by_link(),
        };
        Frame {
            who: Some(who),
            is_operator: self.is_operator(),
            zone: self.zone.name().to_owned(),
            ..Frame::outside(self.portal)
        }
    }

    /// An instant, to be shown.
    pub(crate) fn show(&self, at: impl Into<answers::Timestamp>) -> Moment {
        self.zone.show(at)
    }

    /// Asks the API as somebody.
    ///
    /// # Errors
    /// The API's own.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, caller: Caller, ask: Ask) -> Result<T, Failed> {
        let text = self.ask_text(caller, ask).await?;
        serde_json::from_slice(&text).map_err(|_| Failed::fault("the API's answer is not understood"))
    }

    /// Asks the API as somebody, for whatever it answers.
    ///
    /// # Errors
    /// The API's own.
    pub(crate) async fn ask_text(&self, caller: Caller, ask: Ask) -> Result<Vec<u8>, Failed> {
        let call = Call {
            method: &ask.method,
            path: &ask.path,
            query: &ask.query,
            headers: &ask.headers,
            body: &ask.body,
        };
        let elsewhere = self.elsewhere(&caller, &call);
        let answer = match &elsewhere {
            Some((elsewhere, server)) => {
                let answer = elsewhere.answer((&self.secret, server), &call).await;
                answer.map_err(|error| Failed::silent(&error))?
            }
            None => self.portal.api.answer_to_page(caller, &call).await,
        };
        let (status, body) = (answer.status(), answer.into_body());
        if status.is_success() {
            return Ok(body);
        }
        match (serde_json::from_slice::<Problem>(&body), elsewhere) {
            // The session ended between this portal's look at it and the API's.
            (Ok(_), Some(_)) if status == StatusCode::UNAUTHORIZED => Err(Failed::signed_out()),
            (Ok(problem), _) => Err(Failed::new(status, Why::Problem(Box::new(problem)))),
            // A gateway before the API, or its runtime, says so in words of its own: whether it was done is not known.
            (Err(_), Some(_)) => Err(Failed::silent(&format!("a gateway answers {status}"))),
            (Err(_), None) => Err(Failed::fault("the API's problem is not understood")),
        }
    }

    /// Where the API is asked, and as somebody at which server, for what may not be done here.
    fn elsewhere(&self, caller: &Caller, call: &Call<'_>) -> Option<(&Elsewhere, String)> {
        let elsewhere = self.portal.elsewhere.as_ref()?;
        let (route, _) = Route::of(call.method, call.path).ok()?;
        let mut servers = caller.grant().servers.iter().flatten();
        let server = match (servers.next(), servers.next()) {
            (Some(server), None) => server.to_string(),
            (None, None) if route.names_no_server() => NO_SERVER.to_owned(),
            _ => return None,
        };
        route.takes_sessions().then_some((elsewhere, server))
    }

    /// The server of a path, if they may see it.
    ///
    /// # Errors
    /// [`Failed::not_found`] where they may not, or there is none; the API's own.
    pub(crate) async fn server(&'a self, id: &str, here: &'static str) -> Result<AtServer<'a>, Failed> {
        let server: ServerId = id.parse().map_err(|_| Failed::not_found())?;
        let caller = match self.who.at(server) {
            Some(caller) => caller,
            None if self.who.is_signed_out_at(server) => return Err(Failed::signed_out()),
            None => return Err(Failed::not_found()),
        };
        if let Some(user) = &self.who.user {
            user.seen_at(&*self.portal.store, server, self.now).await?;
        }
        let servers: answers::Servers = self.ask(caller.clone(), Ask::get("/v1/servers")).await?;
        let found = servers.items.into_iter().find(|one| one.server == server);
        let known = found.ok_or_else(Failed::not_found)?;
        // An operator may see every server, so a number that nothing is known of is a slip.
        let is_known = known.client.is_some() || known.label.is_some() || !known.streams.is_empty();
        if self.is_operator() && !is_known {
            return Err(Failed::not_found());
        }
        let as_of = AsOf::read(&self.request.asked(), &self.zone)?;
        Ok(AtServer { visit: self, server, caller, known, as_of, here })
    }
}

/// A question to the API.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Ask {
    /// What is at a path, as the API takes it: decoded.
    pub(crate) fn get(path: impl Into<String>) -> Ask {
        Ask::of(Method::GET, path)
    }

    /// Something that is done at a path.
    pub(crate) fn of(method: Method, path: impl Into<String>) -> Ask {
        Ask { method, path: path.into(), query: String::new(), headers: HeaderMap::new(), body: Vec::new() }
    }

    /// With a parameter, where there is a value.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: Option<impl ToString>) -> Ask {
        if let Some(value) = value {
            let sign = if self.query.is_empty() { "" } else { "&" };
            let value = value.to_string();
            self.query += &format!("{sign}{name}={}", segment(&value));
        }
        self
    }

    /// With a body that is a text.
    #[must_use]
    pub(crate) fn text(mut self, body: &[u8]) -> Ask {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        self.body = body.to_vec();
        self
    }

    /// With a body.
    #[must_use]
    pub(crate) fn json(mut self, body: &impl Serialize) -> Ask {
        self.body = serde_json::to_vec(body).unwrap_or_else(|_| unreachable!("a request is plain JSON"));
        self
    }
}

/// Whether somebody who is signed in may do now what is dangerous; else the way to show who they are.
pub(crate) fn must_confirm(who: &SignedIn, now: Time, back: &str) -> Option<Answer> {
    // Whom an agency's system lets in, that system knows; what such a session may do, the API bounds.
    if who.user.is_none() || who.session.is_confirmed(now) {
        return None;
    }
    Some(respond::see(&format!("/confirm?back={}", segment(back))))
}

/// Somebody who looks at a server.
pub(crate) struct AtServer<'a> {
    /// Who looks.
    pub visit: &'a Visit<'a>,
    /// The server.
    pub server: ServerId,
    /// Who asks the API about it.
    pub caller: Caller,
    /// What the API tells of it.
    pub known: answers::Server,
    /// As of when.
    pub as_of: AsOf,
    here: &'static str,
}

impl AtServer<'_> {
    /// Whether they are an admin there.
    pub(crate) fn is_admin(&self) -> bool {
        self.caller.role() >= answers::Role::Admin
    }

    /// What the server is called: its label, its client, or its number.
    pub(crate) fn label(&self) -> String {
        self.visit.called(&self.known)
    }

    /// What stands around a page of it.
    pub(crate) fn frame(&self) -> Frame {
        let field = |at: Option<Time>| at.map(|at| self.visit.zone.field(at)).unwrap_or_default();
        Frame {
            server: Some(FrameServer {
                id: self.server,
                label: self.label(),
                shows_id: self.known.label.is_some() || self.known.client.is_some(),
                is_admin: self.is_admin(),
                here: self.here,
                as_of: self.as_of,
                fields: [field(self.as_of.at), field(self.as_of.known_at)],
                chosen: chosen(self.visit.request.query),
            }),
            ..self.visit.frame()
        }
    }

    /// A question about this server: the tail of its path in the API.
    pub(crate) fn get(&self, tail: &str) -> Ask {
        Ask::get(format!("/v1/servers/{}/{tail}", self.server))
    }

    /// Asks it.
    ///
    /// # Errors
    /// The API's own.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Failed> {
        self.visit.ask(self.caller.clone(), ask).await
    }

    /// A path of a page of this server, looked at as of the same.
    pub(crate) fn path(&self, tail: &str) -> String {
        let slash = if tail.is_empty() { "" } else { "/" };
        self.as_of.on(&format!("/servers/{}{slash}{tail}", self.server))
    }
}
