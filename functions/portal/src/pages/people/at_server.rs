//! The people of one server, for its admins.

use super::typed::{self, Typed};
use super::users::{self, Names};
use super::{Person, Question, Stretch, Trouble, role_words, sight_words};
use crate::pages::shared::{Choice, link};
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::must_confirm;
use crate::visit::{AtServer, Failed, Frame};
use answers::{InviteRequest, NewStanding, Role, Standing, User, UserAccess};
use askama::Template;

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
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
    may_invite_admins: bool,
    may_reveal: bool,
    may_content: bool,
    sends: bool,
}

/// Somebody with a standing at the server.
struct Row {
    person: Person,
    link: String,
    role: String,
    whole: bool,
    content: bool,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    t: Texts,
    frame: Frame,
    person: Person,
    done: Option<String>,
    trouble: Option<Trouble>,
    standing: String,
    may_change: bool,
    may_sign_out: bool,
    /// The roles to choose from, where there is a choice.
    roles: Vec<Choice>,
    chosen: Chosen,
    may_reveal: bool,
    may_content: bool,
    remove: String,
    back: String,
}

/// What a form about somebody has chosen.
#[derive(Clone, Copy)]
struct Chosen {
    admin: bool,
    reveal: bool,
    content: bool,
}

impl Chosen {
    /// What holds.
    fn of(standing: &Standing) -> Chosen {
        let Standing { reveal_addresses: reveal, read_content: content, .. } = *standing;
        Chosen { admin: standing.role == Role::Admin, reveal, content }
    }

    /// What a form says.
    fn typed(form: &Fields) -> Chosen {
        let [reveal, content] = typed::sees(form);
        Chosen { admin: typed::role(form) == Role::Admin, reveal, content }
    }

    fn role(self) -> Role {
        if self.admin { Role::Admin } else { Role::Viewer }
    }
}

/// Somebody of this server, and who else is there.
struct Found {
    user: User,
    standing: Standing,
    names: Names,
}

/// The path of this page, with what is chosen on it.
fn path(at: &AtServer<'_>, chosen: &[(&str, Option<String>)]) -> String {
    link(&at.path("people"), chosen)
}

fn of(at: &AtServer<'_>, id: &str) -> String {
    path(at, &[("user", Some(id.to_owned()))])
}

/// What somebody may do at this server.
fn here<'u>(at: &AtServer<'_>, user: &'u User) -> Option<&'u Standing> {
    user.servers.iter().find(|standing| standing.server == at.server)
}

/// Whether whoever looks may change somebody of a role: operators anybody, admins viewers.
fn may_change(at: &AtServer<'_>, standing: &Standing) -> bool {
    at.caller.role() == Role::Operator || standing.role == Role::Viewer
}

/// The list, or the page of somebody, or the question whether to remove them.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(super) async fn shown(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let asked = at.visit.request.asked();
    if let Some(id) = asked.text("remove") {
        return remove_page(at, find(at, id).await?, None);
    }
    if let Some(id) = asked.text("user") {
        let found = find(at, id).await?;
        // What was chosen before the session was confirmed is chosen still.
        let chosen = match asked.is_set("role") {
            true => Chosen::typed(&asked),
            false => Chosen::of(&found.standing),
        };
        return person_page(at, found, chosen, None);
    }
    list_page(at, Typed::default(), None).await
}

/// What a form asks for.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(super) async fn posted(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let form = at.visit.request.form();
    let id = form.text("user").unwrap_or_default();
    match form.text("action").unwrap_or_default() {
        "invite" => invite(at, &form).await,
        "change" => change(at, &form, id).await,
        "sign-out" => sign_out(at, id).await,
        "remove" => remove(at, id).await,
        _ => Err(Failed::not_found()),
    }
}

async fn list_page(at: &AtServer<'_>, typed: Typed, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let users = users::all(visit, at.caller.clone()).await?;
    let names = Names::of(&users);
    // An operator is told of everybody: who has no standing here is not of this page.
    let of_here: Vec<(&User, &Standing)> =
        users.iter().filter_map(|user| here(at, user).map(|standing| (user, standing))).collect();
    let stretch = Stretch::of(visit.request.asked().text("from"), of_here.len());
    let rows = of_here[stretch.from..stretch.to].iter().map(|(user, standing)| Row {
        person: Person::of(visit, user, &names),
        link: of(at, &user.id),
        role: role_words(t, &standing.role),
        whole: standing.reveal_addresses,
        content: standing.read_content,
    });
    let place = |from: usize| path(at, &[("from", Some(from.to_string()))]);
    let status = Trouble::status_of(trouble.as_ref());
    let page = PeoplePage {
        t,
        frame: at.frame(),
        title: t.people_title(at.label()),
        done: super::done(visit),
        is_now: at.as_of.is_now(),
        rows: rows.collect(),
        stretch: stretch.words(t),
        earlier: stretch.before().map(place),
        next: stretch.after().map(place),
        typed,
        trouble,
        may_invite_admins: at.caller.role() == Role::Operator,
        may_reveal: at.caller.reveals(),
        may_content: at.caller.reads_content(),
        sends: visit.portal.settings.known.outbox.sends(),
    };
    respond::page(status, &page)
}

async fn find(at: &AtServer<'_>, id: &str) -> Result<Found, Failed> {
    let users = users::all(at.visit, at.caller.clone()).await?;
    let names = Names::of(&users);
    let user = users.into_iter().find(|user| user.id == id).ok_or_else(Failed::not_found)?;
    let standing = here(at, &user).cloned().ok_or_else(Failed::not_found)?;
    Ok(Found { user, standing, names })
}

/// The page of somebody.
fn person_page(
    at: &AtServer<'_>,
    found: Found,
    chosen: Chosen,
    trouble: Option<Trouble>,
) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let Found { user, standing, names } = found;
    let person = Person::of(visit, &user, &names);
    let may_change = may_change(at, &standing);
    let role = chosen.role().name();
    let roles = match at.caller.role() {
        Role::Operator => vec![
            Choice::new(Role::Viewer.name(), t.people_role_viewer(), Some(role)),
            Choice::new(Role::Admin.name(), t.people_role_admin(), Some(role)),
        ],
        _ => Vec::new(),
    };
    let status = Trouble::status_of(trouble.as_ref());
    let page = PersonPage {
        t,
        frame: at.frame(),
        done: super::done(visit),
        trouble,
        standing: t.people_role_and(
            role_words(t, &standing.role),
            sight_words(t, standing.reveal_addresses, standing.read_content),
        ),
        may_change,
        may_sign_out: may_change || person.is_self,
        roles,
        chosen,
        // Whoever has it keeps it, unless it is taken away.
        may_reveal: at.caller.reveals() || standing.reveal_addresses,
        may_content: at.caller.reads_content() || standing.read_content,
        remove: path(at, &[("remove", Some(user.id.clone()))]),
        back: at.path("people"),
        person,
    };
    respond::page(status, &page)
}

fn remove_page(at: &AtServer<'_>, found: Found, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let t = at.visit.t();
    if !may_change(at, &found.standing) {
        return Err(Failed::not_found());
    }
    let mut what = vec![t.people_remove_what(at.label()), t.people_remove_last()];
    what.extend([t.people_may_see_elsewhere(), t.people_history(), t.people_again()]);
    if super::is_self(at.visit, &found.user.id) {
        what.insert(0, t.people_removes_you());
    }
    let question = Question {
        t,
        frame: at.frame(),
        title: t.people_remove_question(&found.user.address, at.label()),
        done: super::done(at.visit),
        facts: Vec::new(),
        what,
        trouble,
        to: at.path("people"),
        back: of(at, &found.user.id),
        hidden: vec![("user", found.user.id)],
        action: "remove",
        button: t.people_remove_button(),
    };
    question.page()
}

async fn invite(at: &AtServer<'_>, form: &Fields) -> Result<Answer, Failed> {
    let (t, visit, typed) = (at.visit.t(), at.visit, Typed::of(form));
    let addresses = match typed.read_addresses(t) {
        Ok(addresses) => addresses,
        Err(wrong) => return list_page(at, typed, Some(Trouble::typed(wrong))).await,
    };
    // Whoever took over a session would let themselves in for good.
    if (typed.admin || typed.reveal)
        && let Some(trouble) = Trouble::unconfirmed(visit, &at.path("people"))
    {
        return list_page(at, typed, Some(trouble)).await;
    }
    let standing = NewStanding {
        server: at.server.get(),
        role: typed.role(),
        reveal_addresses: typed.reveal,
        read_content: typed.content,
    };
    let servers = vec![standing];
    let request =
        InviteRequest { addresses, operator: false, reveal_addresses: false, read_content: false, servers };
    match users::invite(visit, at.caller.clone(), &request).await {
        Ok(invited) => {
            let done = if invited.mailed { "invited" } else { "unmailed" };
            let n = invited.items.len().to_string();
            Ok(respond::see(&path(at, &[("done", Some(done.to_owned())), ("n", Some(n))])))
        }
        Err(failed) => list_page(at, typed, Some(Trouble::of(t, failed)?)).await,
    }
}

async fn change(at: &AtServer<'_>, form: &Fields, id: &str) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let found = find(at, id).await?;
    let chosen = Chosen::typed(form);
    let on = |chosen: bool| chosen.then(|| "on".to_owned());
    let again = [
        ("role", Some(chosen.role().name().to_owned())),
        ("reveal", on(chosen.reveal)),
        ("content", on(chosen.content)),
        ("done", Some("again".to_owned())),
    ];
    if let Some(answer) = must_confirm(&visit.who, visit.now, &link(&of(at, id), &again)) {
        return Ok(answer);
    }
    let standing = NewStanding {
        server: at.server.get(),
        role: chosen.role(),
        reveal_addresses: chosen.reveal,
        read_content: chosen.content,
    };
    let servers = vec![standing];
    let access = UserAccess { operator: false, reveal_addresses: false, read_content: false, servers };
    match users::change(visit, at.caller.clone(), id, &access).await {
        Ok(_) => Ok(respond::see(&link(&of(at, id), &[("done", Some("changed".to_owned()))]))),
        Err(failed) => person_page(at, found, chosen, Some(Trouble::of(t, failed)?)),
    }
}

async fn sign_out(at: &AtServer<'_>, id: &str) -> Result<Answer, Failed> {
    let visit = at.visit;
    let found = find(at, id).await?;
    match users::sign_out(visit, at.caller.clone(), id).await {
        // This session is one of those that are over.
        Ok(()) if super::is_self(visit, id) => Ok(respond::see("/sign-in")),
        Ok(()) => Ok(respond::see(&link(&of(at, id), &[("done", Some("signed-out".to_owned()))]))),
        Err(failed) => {
            let chosen = Chosen::of(&found.standing);
            person_page(at, found, chosen, Some(Trouble::of(visit.t(), failed)?))
        }
    }
}

async fn remove(at: &AtServer<'_>, id: &str) -> Result<Answer, Failed> {
    let visit = at.visit;
    let found = find(at, id).await?;
    let back = path(at, &[("remove", Some(id.to_owned())), ("done", Some("again".to_owned()))]);
    if let Some(answer) = must_confirm(&visit.who, visit.now, &back) {
        return Ok(answer);
    }
    match users::remove(visit, at.caller.clone(), id).await {
        Ok(()) => Ok(respond::see(&path(at, &[("done", Some("removed".to_owned()))]))),
        Err(failed) => remove_page(at, found, Some(Trouble::of(visit.t(), failed)?)),
    }
}
