//! The page of one of all people, for operators: what they may do at each server, and everywhere.

use super::super::typed::{role, sees, server};
use super::super::users::{self, Names};
use super::super::{Person, Question, Stretch, Trouble, is_self};
use super::{PATH, of};
use crate::pages::shared::{Choice, link};
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::must_confirm;
use crate::visit::{Failed, Frame, Visit};
use answers::{NewStanding, Role, Standing, User, UserAccess};
use askama::Template;
use ledger::ServerId;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "somebody.html")]
struct SomebodyPage {
    t: Texts,
    frame: Frame,
    person: Person,
    done: Option<String>,
    trouble: Option<Trouble>,
    operator: bool,
    whole: bool,
    content: bool,
    rows: Vec<Row>,
    stretch: Option<String>,
    earlier: Option<String>,
    next: Option<String>,
    /// The number of a server that was typed.
    typed: String,
    roles: Vec<Choice>,
    may_reveal: bool,
    may_content: bool,
    remove: String,
}

/// What somebody may do at a server.
struct Row {
    id: ServerId,
    label: String,
    /// Whether what it is called does not say its number already.
    shows_id: bool,
    roles: Vec<Choice>,
    whole: bool,
    may_reveal: bool,
    content: bool,
    may_content: bool,
    remove: String,
}

/// Somebody, and who else there is.
struct Found {
    user: User,
    names: Names,
}

async fn find(visit: &Visit<'_>, id: &str) -> Result<Found, Failed> {
    let users = users::all(visit, visit.who.everywhere()).await?;
    let names = Names::of(&users);
    let user = users.into_iter().find(|user| user.id == id).ok_or_else(Failed::not_found)?;
    Ok(Found { user, names })
}

fn roles(t: Texts, chosen: Role) -> Vec<Choice> {
    let chosen = Some(chosen.name());
    vec![
        Choice::new(Role::Viewer.name(), t.people_viewer(), chosen),
        Choice::new(Role::Admin.name(), t.people_admin(), chosen),
    ]
}

fn row(visit: &Visit<'_>, id: &str, one: &Standing, labels: &BTreeMap<ServerId, String>) -> Row {
    let t = visit.t();
    let chosen = if one.role == Role::Admin { Role::Admin } else { Role::Viewer };
    let place = [("remove", Some(id.to_owned())), ("server", Some(one.server.to_string()))];
    Row {
        id: one.server,
        label: labels.get(&one.server).cloned().unwrap_or_else(|| visit.unnamed(one.server)),
        shows_id: labels.get(&one.server).is_some_and(|label| *label != visit.unnamed(one.server)),
        roles: roles(t, chosen),
        whole: one.reveal_addresses,
        may_reveal: one.reveal_addresses || visit.who.everywhere().reveals(),
        content: one.read_content,
        may_content: one.read_content || visit.who.everywhere().reads_content(),
        remove: link(PATH, &place),
    }
}

/// The page of somebody.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(super) async fn page(visit: &Visit<'_>, id: &str, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let (t, asked, form) = (visit.t(), visit.request.asked(), visit.request.form());
    let Found { user, names } = find(visit, id).await?;
    let stretch = Stretch::of(asked.text("from"), user.servers.len());
    let standings = &user.servers[stretch.from..stretch.to];
    let labels = users::labels(visit, &standings.iter().map(|one| one.server).collect()).await?;
    let place = |from: usize| link(&of(id), &[("from", Some(from.to_string()))]);
    let status = Trouble::status_of(trouble.as_ref());
    let page = SomebodyPage {
        t,
        frame: visit.frame(),
        person: Person::of(visit, &user, &names),
        done: super::super::done(visit),
        trouble,
        operator: user.operator,
        whole: user.reveal_addresses,
        content: user.read_content,
        rows: standings.iter().map(|one| row(visit, id, one, &labels)).collect(),
        stretch: stretch.words(t),
        earlier: stretch.before().map(place),
        next: stretch.after().map(place),
        typed: form.text("server").unwrap_or_default().to_owned(),
        roles: roles(t, role(&form)),
        may_reveal: visit.who.everywhere().reveals(),
        may_content: visit.who.everywhere().reads_content(),
        remove: link(PATH, &[("remove", Some(user.id.clone()))]),
    };
    respond::page(status, &page)
}

/// The question whether to remove somebody, from a server or altogether.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(super) async fn remove_page(
    visit: &Visit<'_>,
    id: &str,
    from: Option<&str>,
    trouble: Option<Trouble>,
) -> Result<Answer, Failed> {
    let t = visit.t();
    let Found { user, .. } = find(visit, id).await?;
    let mut what = Vec::new();
    if is_self(visit, id) {
        what.push(t.people_removes_you());
    }
    let (title, server) = match from {
        None => {
            what.push(t.everybody_remove_what());
            (t.everybody_remove_question(&user.address), None)
        }
        Some(text) => {
            let server = server(text).filter(|server| user.servers.iter().any(|one| one.server == *server));
            let server = server.ok_or_else(Failed::not_found)?;
            let labels = users::labels(visit, &[server].into()).await?;
            let label = labels.get(&server).cloned().unwrap_or_else(|| visit.unnamed(server));
            what.push(t.people_remove_what(&label));
            what.extend((user.servers.len() == 1).then(|| t.everybody_remove_last()));
            (t.people_remove_question(&user.address, label), Some(server.to_string()))
        }
    };
    what.extend([t.people_history(), t.people_again()]);
    let hidden = [("user", Some(user.id.clone())), ("server", server)];
    let question = Question {
        t,
        frame: visit.frame(),
        title,
        done: super::super::done(visit),
        facts: Vec::new(),
        what,
        trouble,
        to: PATH.to_owned(),
        hidden: hidden.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        action: "remove",
        button: t.people_remove_button(),
        back: of(&user.id),
    };
    question.page()
}

/// What a form about somebody asks for.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(super) async fn changed(visit: &Visit<'_>, form: &Fields, action: &str) -> Result<Answer, Failed> {
    let id = form.text("user").ok_or_else(Failed::not_found)?;
    if action == "sign-out" {
        return sign_out(visit, id).await;
    }
    if !["standing", "operator", "demote", "remove"].contains(&action) {
        return Err(Failed::not_found());
    }
    if action == "remove" {
        return remove(visit, id, form.text("server")).await;
    }
    let back = link(&of(id), &[("done", Some("again".to_owned()))]);
    if let Some(answer) = must_confirm(&visit.who, visit.now, &back) {
        return Ok(answer);
    }
    let asked = match action {
        "operator" => {
            let [reveal_addresses, read_content] = sees(form);
            let servers = Vec::new();
            let access = UserAccess { operator: true, reveal_addresses, read_content, servers };
            users::change(visit, visit.who.everywhere(), id, &access).await
        }
        action => {
            let (server, standing) = match standing(visit, form).await? {
                Ok(standing) => standing,
                Err(wrong) => return page(visit, id, Some(Trouble::typed(wrong))).await,
            };
            let caller = match action {
                // Of an operator this takes everything else away; of others that must not happen by an old page.
                "demote" if find(visit, id).await?.user.operator => visit.who.everywhere(),
                _ => visit.who.at(server).ok_or_else(Failed::not_found)?,
            };
            let servers = vec![standing];
            let access =
                UserAccess { operator: false, reveal_addresses: false, read_content: false, servers };
            users::change(visit, caller, id, &access).await
        }
    };
    match asked {
        Ok(_) => Ok(respond::see(&link(&of(id), &[("done", Some("changed".to_owned()))]))),
        Err(failed) => page(visit, id, Some(Trouble::of(visit.t(), failed)?)).await,
    }
}

/// What somebody is to do at the server of a form.
async fn standing(
    visit: &Visit<'_>,
    form: &Fields,
) -> Result<Result<(ServerId, NewStanding), String>, Failed> {
    let t = visit.t();
    let text = form.text("server").unwrap_or_default();
    let Some(server) = server(text) else {
        return Ok(
            Err(t.everybody_servers_wrong(format!("“{}”", text.chars().take(60).collect::<String>()))),
        );
    };
    if let Some(unknown) = super::unknown(visit, &[server].into()).await? {
        return Ok(Err(t.everybody_servers_unknown(unknown)));
    }
    let [reveal_addresses, read_content] = sees(form);
    let standing = NewStanding { server: server.get(), role: role(form), reveal_addresses, read_content };
    Ok(Ok((server, standing)))
}

async fn sign_out(visit: &Visit<'_>, id: &str) -> Result<Answer, Failed> {
    match users::sign_out(visit, visit.who.everywhere(), id).await {
        // This session is one of those that are over.
        Ok(()) if is_self(visit, id) => Ok(respond::see("/sign-in")),
        Ok(()) => Ok(respond::see(&link(&of(id), &[("done", Some("signed-out".to_owned()))]))),
        Err(failed) => page(visit, id, Some(Trouble::of(visit.t(), failed)?)).await,
    }
}

async fn remove(visit: &Visit<'_>, id: &str, from: Option<&str>) -> Result<Answer, Failed> {
    let place = [("remove", Some(id.to_owned())), ("server", from.map(str::to_owned))];
    let back = link(&link(PATH, &place), &[("done", Some("again".to_owned()))]);
    if let Some(answer) = must_confirm(&visit.who, visit.now, &back) {
        return Ok(answer);
    }
    let (caller, is_last) = match from {
        None => (visit.who.everywhere(), true),
        Some(text) => {
            let servers = find(visit, id).await?.user.servers;
            let server = server(text).filter(|server| servers.iter().any(|one| one.server == *server));
            let caller = server.and_then(|server| visit.who.at(server)).ok_or_else(Failed::not_found)?;
            (caller, servers.len() == 1)
        }
    };
    match users::remove(visit, caller, id).await {
        Ok(()) if is_last => Ok(respond::see(&link(PATH, &[("done", Some("removed".to_owned()))]))),
        Ok(()) => Ok(respond::see(&link(&of(id), &[("done", Some("changed".to_owned()))]))),
        Err(failed) => remove_page(visit, id, from, Some(Trouble::of(visit.t(), failed)?)).await,
    }
}
