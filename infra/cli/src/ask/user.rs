//! The commands `user invite`, `list`, `set`, `remove`, `sign-out` and `link`: who may sign in to the portal.

use super::pages::{self, Part, Shown};
use super::time;
use crate::api::{Api, Request};
use crate::args::api::Access;
use crate::args::user::{UserAccessArgs, UserInvite, UserSet, Users};
use crate::format::{Columns, Form};
use crate::target::Context;
use crate::{Failure, say, show, tell};
use answers::{InviteRequest, Invited, NewStanding, PortalLink, Role, User, UserAccess};
use http::Method;

/// The most users in a page.
const PAGE: u64 = 500;

/// What a CSV has of a user.
const USER: Columns = &["id", "address", "operator", "servers", "invited_at", "joined_at", "last_seen_at"];

/// Runs one of them.
pub(super) fn run(command: Users, context: &Context, form: Form) -> Result<(), Failure> {
    match command {
        Users::Invite(args) => invite(&args, context, form.json()?),
        Users::List { paging, access } => list(&paging, &access, context, form),
        Users::Set(args) => set(&args, context, form.json()?),
        Users::Remove { user, access } => {
            let api = Api::open(&access, context)?;
            let id = id_of(&api, &user)?;
            api.ask(&Request::delete(&["users", &id]))?;
            tell("removed: they are signed out, and cannot sign in again at these servers");
            Ok(())
        }
        Users::SignOut { user, access } => {
            let api = Api::open(&access, context)?;
            let id = id_of(&api, &user)?;
            api.ask(&Request::delete(&["users", &id, "sessions"]))?;
            tell("signed out everywhere; they can sign in again");
            Ok(())
        }
        Users::Link { user, access } => link(&user, &access, context, form.json()?),
    }
}

fn standings(args: &UserAccessArgs) -> Vec<NewStanding> {
    let one = |server: &ledger::ServerId, role: Role| NewStanding {
        server: server.get(),
        role,
        reveal_addresses: args.reveal,
        read_content: args.content,
    };
    let viewers = args.viewer_of.iter().map(|server| one(server, Role::Viewer));
    viewers.chain(args.admin_of.iter().map(|server| one(server, Role::Admin))).collect()
}

fn invite(args: &UserInvite, context: &Context, json: bool) -> Result<(), Failure> {
    let body = InviteRequest {
        addresses: args.addresses.clone(),
        operator: args.access_of.operator,
        reveal_addresses: args.access_of.operator && args.access_of.reveal,
        read_content: args.access_of.operator && args.access_of.content,
        servers: standings(&args.access_of),
    };
    let api = Api::open(&args.access, context)?;
    let told = api.ask(&Request::post(&["users"]).json(&body))?;
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    let Invited { items, mailed } = told.read()?;
    say(show::table(["address", "may"], items.iter().map(|user| [user.address.clone(), may(user)])));
    tell(match mailed {
        true => "they are told by mail where to sign in",
        false => {
            "no mail was sent: tell them where the portal is, or make each a link by `postledger user link ADDRESS`"
        }
    });
    Ok(())
}

fn set(args: &UserSet, context: &Context, json: bool) -> Result<(), Failure> {
    let body = UserAccess {
        operator: args.access_of.operator,
        reveal_addresses: args.access_of.operator && args.access_of.reveal,
        read_content: args.access_of.operator && args.access_of.content,
        servers: standings(&args.access_of),
    };
    let api = Api::open(&args.access, context)?;
    let id = id_of(&api, &args.user)?;
    let told = api.ask(&Request::put(&["users", &id]).json(&body))?;
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    let user: User = told.read()?;
    say(format!("{} may now: {}", user.address, may(&user)));
    Ok(())
}

fn link(user: &str, access: &Access, context: &Context, json: bool) -> Result<(), Failure> {
    let api = Api::open(access, context)?;
    let id = id_of(&api, user)?;
    let told = api.ask(&Request::operator(Method::POST, &["users", &id, "link"]))?;
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    let PortalLink { url, expires_at } = told.read()?;
    tell(format!("whoever opens this first, by {}, is signed in as this user:", time(expires_at)));
    say(url);
    Ok(())
}

/// What somebody may do, in words.
fn may(user: &User) -> String {
    let sees = |whole: bool, content: bool| match (whole, content) {
        (true, true) => ", content of mails",
        (true, false) => "",
        (false, _) => ", addresses masked",
    };
    if user.operator {
        let sees = sees(user.reveal_addresses, user.read_content);
        return format!("everything, at every server{sees}");
    }
    let one = |standing: &answers::Standing| {
        let sees = sees(standing.reveal_addresses, standing.read_content);
        format!("{} of {}{sees}", standing.role, standing.server)
    };
    user.servers.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The id of a user who is named by it or by the address.
fn id_of(api: &Api, user: &str) -> Result<String, Failure> {
    if !user.contains('@') {
        return Ok(user.to_owned());
    }
    let mut cursor = None;
    loop {
        let ask = Request::get(&["users"]).with("limit", Some(PAGE)).with("cursor", cursor);
        let users: answers::Users = api.ask(&ask)?.read()?;
        if let Some(found) = users.items.iter().find(|one| one.address.eq_ignore_ascii_case(user)) {
            return Ok(found.id.clone());
        }
        cursor = users.next;
        if cursor.is_none() {
            return Err(Failure::new("nobody is invited with this address").next(
                "`postledger user invite ADDRESS --operator` invites somebody of the agency; see its --help for clients",
            ));
        }
    }
}

fn list(
    paging: &crate::args::api::Paging,
    access: &Access,
    context: &Context,
    form: Form,
) -> Result<(), Failure> {
    let api = Api::open(access, context)?;
    let (request, part) = (Request::get(&["users"]), Part::of(paging, PAGE));
    let row = |user: &User| {
        let seen = user.last_seen_at.map_or_else(|| "never".to_owned(), time);
        [user.id.clone(), user.address.clone(), may(user), time(user.invited_at), seen]
    };
    let head = ["id", "address", "may", "invited", "last here"];
    let none = "Nobody may sign in: `postledger user invite` lets somebody.";
    let shown = Shown { head, spare: &["invited", "id"], none, columns: USER };
    pages::print(&api, request, part, form, shown, row)
}
