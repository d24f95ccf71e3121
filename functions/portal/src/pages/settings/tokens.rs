//! Postledger's own API tokens for a server: listed, made, revoked.

use super::is_operator;
use crate::moment::Moment;
use crate::pages::people::{self, Names, Question, Stretch, Trouble, role_words, sees, sight_words};
use crate::pages::shared::{Choice, link, number};
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why, must_confirm};
use answers::{MadeToken, NewToken, RevokedToken, Role, TOKEN_NAME_MAX, Token, Tokens, Word};
use askama::Template;
use http::{Method, StatusCode};

/// The last parts of its path.
const TAIL: &str = "settings/tokens";
/// How many tokens the API is asked for at once: as many as it tells.
const ASKED: usize = 500;
/// For how many days a token may be made, the usual first; none: until it is revoked.
const DAYS: [Option<i64>; 4] = [Some(90), Some(30), Some(365), None];

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    t: Texts,
    frame: Frame,
    title: String,
    done: Option<String>,
    is_now: bool,
    rows: Vec<Row>,
    stretch: Option<String>,
    earlier: Option<String>,
    next: Option<String>,
    typed: Typed,
    trouble: Option<Trouble>,
    days: Vec<Choice>,
    may_make_admins: bool,
    may_reveal: bool,
    may_content: bool,
}

/// A token.
struct Row {
    name: String,
    may: String,
    made: Moment,
    by: String,
    used: Option<String>,
    state: State,
    /// The way to revoke it, where that can be done.
    revoke: Option<String>,
}

/// Whether a token opens anything.
enum State {
    Open(Option<Moment>),
    Ended(Moment),
    Revoked(Moment),
}

#[derive(Template)]
#[template(path = "made_token.html")]
struct MadePage {
    t: Texts,
    frame: Frame,
    title: String,
    token: String,
    may: String,
    ends: Option<Moment>,
    back: String,
}

/// A form to make a token, as it was sent.
#[derive(Clone, Debug, Default)]
struct Typed {
    name: String,
    admin: bool,
    reveal: bool,
    content: bool,
    days: Option<String>,
}

impl Typed {
    fn of(form: &Fields) -> Typed {
        let [reveal, content] = sees(form);
        Typed {
            name: form.text("name").unwrap_or_default().to_owned(),
            admin: form.text("role") == Some(Role::Admin.name()),
            reveal,
            content,
            days: form.text("days").map(str::to_owned),
        }
    }

    /// For how many days; what is no choice is not understood as one without end.
    fn days(&self) -> Option<i64> {
        let text = self.days.as_deref();
        let chosen = DAYS.into_iter().find(|days| text == Some(day_value(*days).as_str()));
        chosen.unwrap_or(DAYS[0])
    }
}

fn day_value(days: Option<i64>) -> String {
    days.map_or_else(|| "none".to_owned(), |days| days.to_string())
}

/// The page, or the question whether to revoke one; what a form asks for.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(in crate::pages) async fn routed(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    let (form, asked) = (at.visit.request.form(), at.visit.request.asked());
    match (posts, form.text("action").unwrap_or_default()) {
        (true, "make") => make(at, &form).await,
        (true, "revoke") => revoke(at, form.text("token").unwrap_or_default()).await,
        (true, _) => Err(Failed::not_found()),
        (false, _) => match asked.text("revoke") {
            Some(id) => revoke_page(at, find(at, id).await?, None),
            None => list_page(at, Typed::default(), None).await,
        },
    }
}

/// All tokens for this server alone.
async fn all(at: &AtServer<'_>) -> Result<Vec<Token>, Failed> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let ask = Ask::get("/v1/tokens").with("limit", Some(ASKED)).with("cursor", cursor);
        let page: Tokens = at.ask(ask).await?;
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// A token that whoever looks may revoke.
async fn find(at: &AtServer<'_>, id: &str) -> Result<Token, Failed> {
    let token = all(at).await?.into_iter().find(|token| token.id == id);
    token.filter(|token| may_revoke(at, token)).ok_or_else(Failed::not_found)
}

fn may_revoke(at: &AtServer<'_>, token: &Token) -> bool {
    let is_managed = match &token.role {
        Word::Known(role) => at.caller.grant().manages(*role),
        Word::Other(_) => is_operator(at),
    };
    is_managed && token.revoked_at.is_none()
}

fn may(t: Texts, token: &Token) -> String {
    let sight = sight_words(t, token.reveal_addresses, token.read_content);
    t.people_role_and(role_words(t, &token.role), sight)
}

fn row(at: &AtServer<'_>, token: &Token, names: &Names) -> Row {
    let (t, visit) = (at.visit.t(), at.visit);
    let state = match (token.revoked_at, token.expires_at) {
        (Some(revoked), _) => State::Revoked(visit.show(revoked)),
        (None, Some(ends)) if ends.0 <= visit.now => State::Ended(visit.show(ends)),
        (None, ends) => State::Open(ends.map(|ends| visit.show(ends))),
    };
    Row {
        name: token.name.clone(),
        may: may(t, token),
        made: visit.show(token.created_at),
        by: match &token.parent {
            Some(parent) => t.audit_token(parent),
            None => names.by(t, &token.created_by),
        },
        used: token.last_used_on.clone(),
        revoke: may_revoke(at, token).then(|| link(&at.path(TAIL), &[("revoke", Some(token.id.clone()))])),
        state,
    }
}

async fn list_page(at: &AtServer<'_>, typed: Typed, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let names = Names::of(&people::all(visit, at.caller.clone()).await?);
    let tokens = all(at).await?;
    let stretch = Stretch::of(visit.request.asked().text("from"), tokens.len());
    let rows = tokens[stretch.from..stretch.to].iter().map(|token| row(at, token, &names)).collect();
    let place = |from: usize| link(&at.path(TAIL), &[("from", Some(from.to_string()))]);
    let chosen = day_value(typed.days());
    let choice = |days: Option<i64>| {
        let words = days.map_or_else(|| t.tokens_until_revoked(), |days| t.tokens_for_days(days));
        Choice::new(day_value(days), words, Some(&chosen))
    };
    let status = Trouble::status_of(trouble.as_ref());
    let page = TokensPage {
        t,
        frame: at.frame(),
        title: t.tokens_title(at.label()),
        done: done(at),
        is_now: at.as_of.is_now(),
        rows,
        stretch: stretch.words(t),
        earlier: stretch.before().map(place),
        next: stretch.after().map(place),
        days: DAYS.into_iter().map(choice).collect(),
        typed,
        trouble,
        may_make_admins: is_operator(at),
        may_reveal: at.caller.reveals(),
        may_content: at.caller.reads_content(),
    };
    respond::page(status, &page)
}

/// What became of a form.
fn done(at: &AtServer<'_>) -> Option<String> {
    let (t, asked) = (at.visit.t(), at.visit.request.asked());
    match asked.text("done")? {
        "revoked" => match asked.text("n").and_then(|n| n.parse::<usize>().ok()) {
            None | Some(0) => Some(t.tokens_done_revoked()),
            Some(n) => Some(t.tokens_done_revoked_with(number(n))),
        },
        "confirmed" => Some(t.people_done_confirmed()),
        "again" => Some(t.people_done_again()),
        _ => None,
    }
}

async fn make(at: &AtServer<'_>, form: &Fields) -> Result<Answer, Failed> {
    let (t, visit, typed) = (at.visit.t(), at.visit, Typed::of(form));
    let length = typed.name.chars().count();
    if !(1..=TOKEN_NAME_MAX).contains(&length) || typed.name.chars().any(char::is_control) {
        return list_page(at, typed, Some(Trouble::typed(t.tokens_name_wrong(TOKEN_NAME_MAX)))).await;
    }
    if let Some(trouble) = Trouble::unconfirmed(visit, &at.path(TAIL)) {
        return list_page(at, typed, Some(trouble)).await;
    }
    let new = NewToken {
        name: typed.name.clone(),
        role: if typed.admin { Role::Admin } else { Role::Viewer },
        servers: Some(vec![at.server.get()]),
        reveal_addresses: Some(typed.reveal),
        read_content: Some(typed.content),
        // Whoever was let in for some hours lets in nobody for longer: the API knows until when.
        expires_at: match at.caller.grant().expires_at {
            Some(_) => None,
            None => typed.days().map(|days| visit.now.plus_days(days).to_string()),
        },
    };
    let made: MadeToken = match at.ask(Ask::of(Method::POST, "/v1/tokens").json(&new)).await {
        Ok(made) => made,
        Err(failed) => return list_page(at, typed, Some(trouble(t, failed)?)).await,
    };
    let page = MadePage {
        t,
        frame: at.frame(),
        title: t.tokens_made_title(&made.made.name),
        may: may(t, &made.made),
        ends: made.made.expires_at.map(|ends| visit.show(ends)),
        token: made.token,
        back: at.path(TAIL),
    };
    respond::page(StatusCode::OK, &page)
}

fn trouble(t: Texts, failed: Failed) -> Result<Trouble, Failed> {
    let is_full = matches!(&failed.why, Why::Problem(problem) if problem.code() == "too-many-tokens");
    let status = failed.status;
    match is_full {
        true => Ok(Trouble { status, ..Trouble::typed(t.tokens_full()) }),
        false => Trouble::of(t, failed),
    }
}

fn revoke_page(at: &AtServer<'_>, token: Token, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let question = Question {
        t,
        frame: at.frame(),
        title: t.tokens_revoke_question(&token.name),
        done: done(at),
        facts: vec![[t.tokens_may(), may(t, &token)]],
        what: vec![t.tokens_revoke_what(), t.tokens_revoke_children(), t.tokens_revoke_for_good()],
        trouble,
        to: at.path(TAIL),
        hidden: vec![("token", token.id)],
        action: "revoke",
        button: t.tokens_revoke_button(),
        back: at.path(TAIL),
    };
    question.page()
}

async fn revoke(at: &AtServer<'_>, id: &str) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let token = find(at, id).await?;
    let again = [("revoke", Some(token.id.clone())), ("done", Some("again".to_owned()))];
    if let Some(answer) = must_confirm(&visit.who, visit.now, &link(&at.path(TAIL), &again)) {
        return Ok(answer);
    }
    match at.ask::<RevokedToken>(Ask::of(Method::DELETE, format!("/v1/tokens/{}", token.id))).await {
        Ok(revoked) => {
            let n = revoked.children.len().to_string();
            let done = [("done", Some("revoked".to_owned())), ("n", Some(n))];
            Ok(respond::see(&link(&at.path(TAIL), &done)))
        }
        Err(failed) => revoke_page(at, token, Some(trouble(t, failed)?)),
    }
}
