//! Everybody who may sign in, for operators: listed and looked for, and invited. The page of one of them is in [`one`].

mod one;

use super::typed::Typed;
use super::users::{self, Names};
use super::{Person, Stretch, Trouble, role_words};
use crate::pages::shared::{Choice, link, number};
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Failed, Frame, Visit};
use answers::{InviteRequest, NewStanding, User};
use askama::Template;
use ledger::ServerId;
use std::collections::{BTreeMap, BTreeSet};

/// The path of this page.
const PATH: &str = "/people";
/// How many servers of somebody the list names.
const NAMED: usize = 3;

#[derive(Template)]
#[template(path = "everybody.html")]
struct EverybodyPage {
    t: Texts,
    frame: Frame,
    done: Option<String>,
    rows: Vec<Row>,
    stretch: Option<String>,
    earlier: Option<usize>,
    next: Option<usize>,
    show: Vec<Choice>,
    /// What is shown of all, as it stands in the query.
    shown: String,
    looked_for: String,
    typed: Typed,
    trouble: Option<Trouble>,
    may_reveal: bool,
    may_content: bool,
    sends: bool,
}

/// Somebody, in the list.
struct Row {
    person: Person,
    link: String,
    operator: bool,
    servers: Vec<String>,
    more: Option<String>,
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LookedFor {
    text: String,
    show: String,
    from: Option<String>,
}

impl LookedFor {
    /// From a query, which has no text in it: that may be an address; or from the form that has one.
    fn of(asked: &Fields, form: Option<&Fields>) -> LookedFor {
        let said = form.unwrap_or(asked);
        let text = form.and_then(|form| form.text("text")).unwrap_or_default().to_owned();
        let show = said.text("show").unwrap_or_default().to_owned();
        LookedFor { text, show, from: said.text("from").map(str::to_owned) }
    }

    /// Whether somebody is among those who are looked for.
    fn has(&self, user: &User) -> bool {
        let shown = match self.show.as_str() {
            "operators" => user.operator,
            "pending" => user.joined_at.is_none(),
            _ => true,
        };
        let text = self.text.to_lowercase();
        let at = |user: &User| user.servers.iter().any(|one| one.server.to_string() == text);
        shown && (user.address.to_lowercase().contains(&text) || at(user))
    }
}

fn of(id: &str) -> String {
    link(PATH, &[("user", Some(id.to_owned()))])
}

/// The list, or the page of somebody, or the question whether to remove them.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(super) async fn shown(visit: &Visit<'_>) -> Result<Answer, Failed> {
    let asked = visit.request.asked();
    if let Some(id) = asked.text("remove") {
        return one::remove_page(visit, id, asked.text("server"), None).await;
    }
    if let Some(id) = asked.text("user") {
        return one::page(visit, id, None).await;
    }
    list_page(visit, LookedFor::of(&asked, None), Typed::default(), None).await
}

/// What a form asks for.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(super) async fn posted(visit: &Visit<'_>) -> Result<Answer, Failed> {
    let form = visit.request.form();
    match form.text("action").unwrap_or_default() {
        "find" => {
            let looked_for = LookedFor::of(&visit.request.asked(), Some(&form));
            list_page(visit, looked_for, Typed::default(), None).await
        }
        "invite" => invite(visit, &form).await,
        action => one::changed(visit, &form, action).await,
    }
}

async fn list_page(
    visit: &Visit<'_>,
    looked_for: LookedFor,
    typed: Typed,
    trouble: Option<Trouble>,
) -> Result<Answer, Failed> {
    let t = visit.t();
    let users = users::all(visit, visit.who.everywhere()).await?;
    let names = Names::of(&users);
    let found: Vec<&User> = users.iter().filter(|user| looked_for.has(user)).collect();
    let stretch = Stretch::of(looked_for.from.as_deref(), found.len());
    let found = &found[stretch.from..stretch.to];
    let named = found.iter().flat_map(|user| user.servers.iter().take(NAMED)).map(|one| one.server);
    let labels = users::labels(visit, &named.collect()).await?;
    let chosen = Some(looked_for.show.as_str());
    let status = Trouble::status_of(trouble.as_ref());
    let page = EverybodyPage {
        t,
        frame: visit.frame(),
        done: super::done(visit),
        rows: found.iter().map(|user| row(visit, user, &names, &labels)).collect(),
        stretch: stretch.words(t),
        earlier: stretch.before(),
        next: stretch.after(),
        show: vec![
            Choice::new("", t.everybody_show_all(), chosen),
            Choice::new("operators", t.everybody_show_operators(), chosen),
            Choice::new("pending", t.everybody_show_pending(), chosen),
        ],
        shown: looked_for.show,
        looked_for: looked_for.text,
        typed,
        trouble,
        may_reveal: visit.who.everywhere().reveals(),
        may_content: visit.who.everywhere().reads_content(),
        sends: visit.portal.settings.known.outbox.sends(),
    };
    respond::page(status, &page)
}

fn row(visit: &Visit<'_>, user: &User, names: &Names, labels: &BTreeMap<ServerId, String>) -> Row {
    let t = visit.t();
    let servers = user.servers.iter().take(NAMED).map(|one| {
        let label = labels.get(&one.server).cloned();
        let label = label.unwrap_or_else(|| visit.unnamed(one.server));
        t.everybody_at(label, role_words(t, &one.role))
    });
    let more = user.servers.len().checked_sub(NAMED).filter(|more| *more > 0);
    Row {
        person: Person::of(visit, user, names),
        link: of(&user.id),
        operator: user.operator,
        servers: servers.collect(),
        more: more.map(|more| t.everybody_more(number(more))),
    }
}

/// What an invitation is to.
///
/// # Errors
/// What is wrong with it, in words.
async fn invited_to(visit: &Visit<'_>, typed: &Typed) -> Result<Result<Vec<NewStanding>, String>, Failed> {
    let t = visit.t();
    let servers = match typed.read_servers(t) {
        Ok(servers) => servers,
        Err(wrong) => return Ok(Err(wrong)),
    };
    match (typed.operator, servers.is_empty()) {
        (true, true) => return Ok(Ok(Vec::new())),
        (true, false) => return Ok(Err(t.everybody_servers_unneeded())),
        (false, true) => return Ok(Err(t.everybody_servers_needed())),
        (false, false) => {}
    }
    if let Some(unknown) = unknown(visit, &servers).await? {
        return Ok(Err(t.everybody_servers_unknown(unknown)));
    }
    let standing = |server: ServerId| NewStanding {
        server: server.get(),
        role: typed.role(),
        reveal_addresses: typed.reveal,
        read_content: typed.content,
    };
    Ok(Ok(servers.into_iter().map(standing).collect()))
}

/// Those of some servers of which nothing is known here: most likely a slip, which would let people see the server of
/// somebody else once it is known.
async fn unknown(visit: &Visit<'_>, servers: &BTreeSet<ServerId>) -> Result<Option<String>, Failed> {
    let labels = users::labels(visit, servers).await?;
    let unknown = servers.iter().filter(|server| !labels.contains_key(server));
    let unknown: Vec<String> = unknown.map(ServerId::to_string).collect();
    Ok((!unknown.is_empty()).then(|| unknown.join(", ")))
}

async fn invite(visit: &Visit<'_>, form: &Fields) -> Result<Answer, Failed> {
    let (t, typed) = (visit.t(), Typed::of(form));
    let again = async |typed, trouble| list_page(visit, LookedFor::default(), typed, Some(trouble)).await;
    let addresses = match typed.read_addresses(t) {
        Ok(addresses) => addresses,
        Err(wrong) => return again(typed, Trouble::typed(wrong)).await,
    };
    let servers = match invited_to(visit, &typed).await? {
        Ok(servers) => servers,
        Err(wrong) => return again(typed, Trouble::typed(wrong)).await,
    };
    if (typed.operator || typed.admin || typed.reveal)
        && let Some(trouble) = Trouble::unconfirmed(visit, PATH)
    {
        return again(typed, trouble).await;
    }
    let request = InviteRequest {
        addresses,
        operator: typed.operator,
        reveal_addresses: typed.operator && typed.reveal,
        read_content: typed.operator && typed.content,
        servers,
    };
    match users::invite(visit, visit.who.everywhere(), &request).await {
        Ok(invited) => {
            let done = if invited.mailed { "invited" } else { "unmailed" };
            let n = invited.items.len().to_string();
            Ok(respond::see(&link(PATH, &[("done", Some(done.to_owned())), ("n", Some(n))])))
        }
        Err(failed) => again(typed, Trouble::of(t, failed)?).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::{Role, Standing};

    fn user(address: &str, servers: &[i64]) -> User {
        let standing = |id: &i64| Standing {
            server: ServerId::new(*id).unwrap(),
            role: Role::Viewer.into(),
            reveal_addresses: false,
            read_content: false,
        };
        User {
            id: "x".to_owned(),
            address: address.to_owned(),
            operator: servers.is_empty(),
            reveal_addresses: false,
            read_content: false,
            servers: servers.iter().map(standing).collect(),
            invited_at: ledger::Time::EARLIEST.into(),
            invited_by: "ida".to_owned(),
            joined_at: None,
            last_seen_at: None,
        }
    }

    #[test]
    fn people_are_found_by_parts_of_their_address_and_by_whole_numbers_of_servers() {
        let found = |text: &str, show: &str| {
            let looked_for = LookedFor { text: text.to_owned(), show: show.to_owned(), from: None };
            let all = [user("Ida@x.example", &[81, 8]), user("bea@agency.example", &[])];
            all.iter().map(|user| looked_for.has(user)).collect::<Vec<_>>()
        };
        assert_eq!(found("", ""), [true, true]);
        assert_eq!(found("IDA@", ""), [true, false]);
        assert_eq!(found("8", ""), [true, false]);
        assert_eq!(found("1", ""), [false, false]);
        assert_eq!(found("", "operators"), [false, true]);
        assert_eq!(found("x.example", "operators"), [false, false]);
        assert_eq!(found("", "pending"), [true, true]);
        assert_eq!(found("", "<script>"), [true, true]);
    }

    #[test]
    fn an_address_that_is_looked_for_is_taken_from_the_form_alone() {
        let asked = Fields::read(b"text=ida%40x.example&show=pending&from=50");
        let form = Fields::read(b"text=bea&from=100");
        assert_eq!(LookedFor::of(&asked, None).text, "");
        let told = LookedFor::of(&asked, Some(&form));
        assert_eq!((told.text.as_str(), told.show.as_str(), told.from.as_deref()), ("bea", "", Some("100")));
    }
}
