//! Signing in and out: by a code and a link that are mailed, usable in the browser alone that asked; by a link that an
//! operator or an agency's system makes; and a code once more before what is dangerous.
//!
//! Nothing of it tells whether somebody has an address: who has none is answered the same, after the same work.

use crate::Portal;
use crate::request::Request;
use crate::respond::{self, Answer, cookie};
use crate::texts::Texts;
use crate::visit::{Failed, Frame, SESSION, Visit};
use askama::Template;
use http::{Method, StatusCode};
use ledger::ServerId;
use ledger::given::Address;
use people::{
    ABSOLUTE, ASKED_AN_HOUR, ASKED_OF_SOURCE_AN_HOUR, CODE_LASTS, CodeRefused, LINK_SESSION, Limited, Link,
    LinkFor, Mail, Purpose, Secret, Session, SignIn, User, asked, user_id,
};
use std::net::IpAddr;

/// The cookie of a browser that has asked for a code.
const ASKED: &str = "pl-asked";

/// How often somebody who is signed in may ask in an hour for a code before what is dangerous: about each five minutes.
const CONFIRMED_AN_HOUR: usize = 12;
/// In the place of a user's id: no user has it.
const NOBODY: &str = "-";

/// Where to ask for a code.
const SIGN_IN: &str = "/sign-in";
/// Where to give it.
const CODE: &str = "/sign-in/code";

/// A page about signing in, if a path is of one.
///
/// # Errors
/// The ledger's own.
pub(crate) async fn routed(
    portal: &Portal,
    request: &Request<'_>,
    segments: &[&str],
) -> Result<Option<Answer>, Failed> {
    let posts = *request.method == Method::POST;
    if !matches!(segments, ["sign-in", ..] | ["link", _] | ["sign-out"] | ["confirm", ..] | ["sample", _]) {
        return Ok(None);
    }
    if !portal.settings.may_sign_in() && !matches!(segments, ["sign-out"]) {
        return Ok(Some(refused(portal)?));
    }
    let answer = match (segments, posts) {
        (["sign-in"], false) => ask_page(portal, request, None).await?,
        (["sign-in"], true) => ask_for_code(portal, request).await?,
        (["sign-in", "code"], false) => code_page(portal, None, StatusCode::OK)?,
        (["sign-in", "code"], true) => by_code(portal, request).await?,
        (["sign-in", link], false) => mailed_link_page(portal, request, link).await?,
        (["sign-in", link], true) => by_mailed_link(portal, request, link).await?,
        (["link", link], false) => link_page(portal, link).await?,
        (["link", link], true) => by_link(portal, link).await?,
        (["sample", role], true) if portal.sample().await?.is_some() => by_sample(portal, role).await?,
        (["sign-out"], true) => sign_out(portal, request).await?,
        (["confirm"], false) => confirm_page(portal, request, None, StatusCode::OK).await?,
        (["confirm"], true) => ask_to_confirm(portal, request).await?,
        (["confirm", "code"], true) => confirmed(portal, request).await?,
        _ => return Err(Failed::not_found()),
    };
    Ok(Some(answer))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct AskPage {
    t: Texts,
    frame: Frame,
    typed: String,
    problem: Option<String>,
    sends: bool,
    sample: bool,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    t: Texts,
    frame: Frame,
    problem: Option<String>,
    minutes: i64,
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    t: Texts,
    frame: Frame,
    to: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    t: Texts,
    frame: Frame,
    title: String,
    detail: String,
    next: String,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    t: Texts,
    frame: Frame,
    back: String,
    problem: Option<String>,
    sent: bool,
    sends: bool,
}

/// A page that says what is the matter, and what to do: title, detail, next step.
fn message(portal: &Portal, status: StatusCode, words: [String; 3]) -> Result<Answer, Failed> {
    let [title, detail, next] = words;
    let (t, frame) = (portal.texts(), Frame::outside(portal));
    respond::page(status, &MessagePage { t, frame, title, detail, next })
}

/// On plain HTTP at any other place than this machine, whoever is on the way could take the session.
fn refused(portal: &Portal) -> Result<Answer, Failed> {
    let t = portal.texts();
    let words = [t.plain_http_title(), t.plain_http_detail(), t.plain_http_next()];
    message(portal, StatusCode::FORBIDDEN, words)
}

async fn ask_page(portal: &Portal, request: &Request<'_>, problem: Option<String>) -> Result<Answer, Failed> {
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let page = AskPage {
        t: portal.texts(),
        frame: Frame::outside(portal),
        typed: request.form().text("address").unwrap_or_default().to_owned(),
        problem,
        sends: portal.settings.known.outbox.sends(),
        sample: portal.sample().await?.is_some(),
    };
    respond::page(status, &page)
}

/// Where a request comes from, as it is counted: no address of a network is kept.
fn source(portal: &Portal, from: Option<IpAddr>) -> String {
    // One of IPv4 that comes as one of IPv6 is still its own: all of them would share a network else.
    let network = match from.map(|from| from.to_canonical()) {
        Some(IpAddr::V4(four)) => four.to_string(),
        // A household has a /64.
        Some(IpAddr::V6(six)) => format!("{:?}", &six.segments()[..4]),
        None => "unknown".to_owned(),
    };
    // A keyed hash, as users have one; no address is spelled so.
    format!("source#{}", portal.ledger_key.recipient_id(ServerId::NONE, &format!("from {network}")))
}

async fn ask_for_code(portal: &Portal, request: &Request<'_>) -> Result<Answer, Failed> {
    let (t, now) = (portal.texts(), (portal.clock)());
    let form = request.form();
    let Some(address) = form.text("address").and_then(|text| text.parse::<Address>().ok()) else {
        return ask_page(portal, request, Some(t.no_address())).await;
    };
    let source = source(portal, request.source);
    if let Limited::Until(_) = asked(&*portal.store, &source, ASKED_OF_SOURCE_AN_HOUR, now).await? {
        return too_often(portal);
    }
    let id = user_id(&portal.ledger_key, address.text());
    let limited = asked(&*portal.store, &id, ASKED_AN_HOUR, now).await?;
    let user = User::get(&*portal.store, &id).await?;
    // Whoever has asked too often gets no further mail, and is not told: the page is the same for all.
    let to = user.filter(|_| limited == Limited::No).map(|user| user.address);
    let code = SignIn::ask(&*portal.store, whose(&id, limited), Purpose::SignIn, now).await?;
    let link = format!("{}{SIGN_IN}/{}", portal.settings.known.url, code.link.text());
    let name = portal.given_name();
    put(portal, Mail::Code { to, code: code.code, link: Some(link), portal: name }).await?;
    let mut answer = respond::see(CODE);
    cookie(&mut answer, &portal.settings, ASKED, code.browser.text(), CODE_LASTS);
    Ok(answer)
}

/// Whose a code is. One that is mailed to nobody is nobody's: else each asking were five more guesses at one that opens.
fn whose(id: &str, limited: Limited) -> &str {
    if limited == Limited::No { id } else { NOBODY }
}

async fn put(portal: &Portal, mail: Mail) -> Result<(), Failed> {
    portal.settings.known.outbox.put(mail).await.map_err(|error| {
        tracing::error!(error = %error.0, "a mail could not be put down");
        Failed::fault("a mail could not be put down")
    })
}

fn too_often(portal: &Portal) -> Result<Answer, Failed> {
    let t = portal.texts();
    let words = [t.too_often_title(), t.too_often_detail(), t.too_often_next()];
    message(portal, StatusCode::TOO_MANY_REQUESTS, words)
}

fn code_page(portal: &Portal, problem: Option<String>, status: StatusCode) -> Result<Answer, Failed> {
    let page =
        CodePage { t: portal.texts(), frame: Frame::outside(portal), problem, minutes: CODE_LASTS / 60 };
    respond::page(status, &page)
}

fn words(t: Texts, refused: CodeRefused) -> String {
    match refused {
        CodeRefused::Over => t.code_over(),
        CodeRefused::Wrong => t.code_wrong(),
        CodeRefused::TooMany => t.code_too_many(),
    }
}

fn browser(portal: &Portal, request: &Request<'_>) -> Option<Secret> {
    request.cookie(&portal.settings.cookie(ASKED)).and_then(Secret::read)
}

async fn by_code(portal: &Portal, request: &Request<'_>) -> Result<Answer, Failed> {
    let (t, now, form) = (portal.texts(), (portal.clock)(), request.form());
    let code = form.text("code").unwrap_or_default();
    let given = match browser(portal, request) {
        Some(browser) => SignIn::by_code(&*portal.store, &browser, Purpose::SignIn, code, now).await?,
        None => Err(CodeRefused::Over),
    };
    match given {
        Ok(user) => begin(portal, &user).await,
        Err(refused) => code_page(portal, Some(words(t, refused)), StatusCode::FORBIDDEN),
    }
}

/// Begins a session of a user who has shown who they are. Nobody has a code of one that there is not: it is mailed to nobody.
async fn begin(portal: &Portal, id: &str) -> Result<Answer, Failed> {
    let now = (portal.clock)();
    let Some(user) = User::get(&*portal.store, id).await? else {
        return code_page(portal, Some(portal.texts().code_over()), StatusCode::FORBIDDEN);
    };
    // A session always begins anew: one that a browser brings along is never taken over.
    let (_, secret) = Session::of_user(&*portal.store, &user, now).await?;
    let mut answer = respond::see("/");
    cookie(&mut answer, &portal.settings, SESSION, secret.text(), ABSOLUTE);
    cookie(&mut answer, &portal.settings, ASKED, "", 0);
    Ok(answer)
}

/// The page of a mail's link. Programs that look at links before people do spend nothing by that.
async fn mailed_link_page(portal: &Portal, request: &Request<'_>, link: &str) -> Result<Answer, Failed> {
    let now = (portal.clock)();
    let has_asked = match browser(portal, request) {
        Some(browser) => SignIn::of(&*portal.store, &browser, now).await?.is_some(),
        None => false,
    };
    let t = portal.texts();
    if Secret::read(link).is_none() || !has_asked {
        return code_page(portal, Some(t.link_elsewhere()), StatusCode::OK);
    }
    link_form(portal, format!("{SIGN_IN}/{link}"))
}

fn link_form(portal: &Portal, to: String) -> Result<Answer, Failed> {
    respond::page(StatusCode::OK, &LinkPage { t: portal.texts(), frame: Frame::outside(portal), to })
}

async fn by_mailed_link(portal: &Portal, request: &Request<'_>, link: &str) -> Result<Answer, Failed> {
    let (t, now) = (portal.texts(), (portal.clock)());
    let given = match (browser(portal, request), Secret::read(link)) {
        (Some(browser), Some(link)) => SignIn::by_link(&*portal.store, &browser, &link, now).await?,
        _ => Err(CodeRefused::Over),
    };
    match given {
        Ok(user) => begin(portal, &user).await,
        Err(_) => code_page(portal, Some(t.link_elsewhere()), StatusCode::FORBIDDEN),
    }
}

fn link_over(portal: &Portal) -> Result<Answer, Failed> {
    let t = portal.texts();
    message(portal, StatusCode::GONE, [t.link_over_title(), t.link_over_detail(), t.link_over_next()])
}

async fn link_page(portal: &Portal, link: &str) -> Result<Answer, Failed> {
    let Some(secret) = Secret::read(link) else { return link_over(portal) };
    if !Link::is_open(&*portal.store, &secret, (portal.clock)()).await? {
        return link_over(portal);
    }
    link_form(portal, format!("/link/{link}"))
}

async fn by_link(portal: &Portal, link: &str) -> Result<Answer, Failed> {
    let now = (portal.clock)();
    let Some(secret) = Secret::read(link) else { return link_over(portal) };
    match Link::spend(&*portal.store, &secret, now).await? {
        None => link_over(portal),
        Some(LinkFor::User { id }) => match User::get(&*portal.store, &id).await? {
            Some(_) => begin(portal, &id).await,
            None => link_over(portal),
        },
        Some(LinkFor::Token { id, access }) => {
            let (_, secret) = Session::of_token(&*portal.store, &id, access, now).await?;
            let mut answer = respond::see("/");
            cookie(&mut answer, &portal.settings, SESSION, secret.text(), LINK_SESSION);
            Ok(answer)
        }
    }
}

/// Lets somebody look at the sample in a role: on this machine only, and where there is nothing but the sample.
async fn by_sample(portal: &Portal, role: &str) -> Result<Answer, Failed> {
    let address = format!("{role}@sample.example");
    let id = user_id(&portal.ledger_key, &address);
    if User::get(&*portal.store, &id).await?.is_none() {
        return Err(Failed::not_found());
    }
    begin(portal, &id).await
}

async fn sign_out(portal: &Portal, request: &Request<'_>) -> Result<Answer, Failed> {
    if let Some(secret) = request.cookie(&portal.settings.cookie(SESSION)).and_then(Secret::read) {
        Session::end(&*portal.store, &secret).await?;
    }
    let mut answer = respond::see(SIGN_IN);
    cookie(&mut answer, &portal.settings, SESSION, "", 0);
    Ok(answer)
}

/// Where somebody goes back to: a path of this portal, whatever was asked.
fn back(request: &Request<'_>) -> String {
    let (asked, form) = (request.asked(), request.form());
    let back = asked.text("back").or_else(|| form.text("back")).unwrap_or("/");
    // A second slash, or a backslash as browsers read one, would lead to another host.
    let is_own =
        back.starts_with('/') && !back[1..].starts_with(['/', '\\']) && !back.contains(char::is_control);
    if is_own { back.to_owned() } else { "/".to_owned() }
}

async fn confirm_page(
    portal: &Portal,
    request: &Request<'_>,
    problem: Option<String>,
    status: StatusCode,
) -> Result<Answer, Failed> {
    let visit = Visit::of(portal, request).await?;
    let page = ConfirmPage {
        t: portal.texts(),
        frame: visit.frame(),
        back: back(request),
        problem,
        sent: browser(portal, request).is_some(),
        sends: portal.settings.known.outbox.sends(),
    };
    respond::page(status, &page)
}

async fn ask_to_confirm(portal: &Portal, request: &Request<'_>) -> Result<Answer, Failed> {
    let visit = Visit::of(portal, request).await?;
    let Some(user) = &visit.who.user else { return Err(Failed::not_found()) };
    // Whoever is signed in may know what is sent, and is counted apart from those who only know an address.
    let whose = format!("confirm#{}", user.id);
    if asked(&*portal.store, &whose, CONFIRMED_AN_HOUR, visit.now).await? != Limited::No {
        let problem = Some(portal.texts().confirm_too_often());
        return confirm_page(portal, request, problem, StatusCode::TOO_MANY_REQUESTS).await;
    }
    let code = SignIn::ask(&*portal.store, &user.id, Purpose::Confirm, visit.now).await?;
    let (to, name) = (Some(user.address.clone()), portal.given_name());
    put(portal, Mail::Code { to, code: code.code, link: None, portal: name }).await?;
    let to = format!("/confirm?back={}", crate::visit::segment(&back(request)));
    let mut answer = respond::see(&to);
    cookie(&mut answer, &portal.settings, ASKED, code.browser.text(), CODE_LASTS);
    Ok(answer)
}

async fn confirmed(portal: &Portal, request: &Request<'_>) -> Result<Answer, Failed> {
    let visit = Visit::of(portal, request).await?;
    let form = request.form();
    let code = form.text("code").unwrap_or_default();
    let given = match browser(portal, request) {
        Some(browser) => SignIn::by_code(&*portal.store, &browser, Purpose::Confirm, code, visit.now).await?,
        None => Err(CodeRefused::Over),
    };
    let is_theirs = |user: &String| visit.who.user.as_ref().is_some_and(|own| own.id == *user);
    match given {
        Ok(user) if is_theirs(&user) => {
            Session::confirm(&*portal.store, &visit.secret, visit.now).await?;
            let mut answer = respond::see(&back(request));
            cookie(&mut answer, &portal.settings, ASKED, "", 0);
            Ok(answer)
        }
        Ok(_) => Err(Failed::not_found()),
        Err(refused) => {
            let problem = Some(words(portal.texts(), refused));
            confirm_page(portal, request, problem, StatusCode::FORBIDDEN).await
        }
    }
}
