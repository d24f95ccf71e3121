//! One's own account: what one may see where, the time zone, and one's sessions.
//!
//! The time zone and one's own sessions are the only things that a page changes without the API, which knows servers and
//! those who manage others.

use super::people::{labels, role_words, sight_words};
use super::shared::link;
use crate::moment::Moment;
use crate::respond::{self, Answer, cookie};
use crate::texts::Texts;
use crate::visit::SESSION;
use crate::visit::{Failed, Frame, Visit};
use ::people::{IDLE, Standing, User, UserError};
use answers::Word;
use askama::Template;
use http::StatusCode;
use ledger::ServerId;
use std::collections::{BTreeMap, BTreeSet};

/// The path of this page.
const PATH: &str = "/account";
/// How many servers the page names at once.
const A_PAGE: usize = 50;
/// The zone of whoever has chosen none.
const UTC: &str = "UTC";
/// The parts of the world by which zones are named. What the database has beside them are older names of the same.
const REGIONS: [&str; 10] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
];

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    t: Texts,
    frame: Frame,
    done: Option<String>,
    problem: Option<String>,
    address: Option<String>,
    began: Moment,
    ends: Moment,
    idle_hours: i64,
    operator: bool,
    whole: bool,
    content: bool,
    rows: Vec<Row>,
    next: Option<String>,
    zones: Vec<Region>,
    is_utc: bool,
}

/// What somebody may do and see at a server.
struct Row {
    id: ServerId,
    label: String,
    /// Whether what it is called does not say its number already.
    shows_id: bool,
    standing: String,
}

/// The zones of a part of the world.
#[derive(Debug, PartialEq, Eq)]
struct Region {
    name: String,
    zones: Vec<NamedZone>,
}

/// A zone to choose.
#[derive(Debug, PartialEq, Eq)]
struct NamedZone {
    name: String,
    label: String,
    chosen: bool,
}

/// The page.
///
/// # Errors
/// [`Failed::not_found`], or the ledger's own.
pub(super) async fn routed(visit: &Visit<'_>, posts: bool) -> Result<Answer, Failed> {
    if !posts {
        return page(visit, None).await;
    }
    let form = visit.request.form();
    // Whom another system lets in has nothing here that could be changed.
    let user = visit.who.user.as_ref().ok_or_else(Failed::not_found)?;
    match form.text("action").unwrap_or_default() {
        "zone" => {
            let Some(zone) = form.text("zone").filter(|zone| is_offered(zone)) else {
                return page(visit, Some(visit.t().account_zone_wrong())).await;
            };
            let chosen = Some(zone.to_owned());
            User::change(&*visit.portal.store, &user.id, |user| user.zone.clone_from(&chosen))
                .await
                .map_err(failed)?;
            Ok(respond::see(&link(PATH, &[("done", Some("zone".to_owned()))])))
        }
        "sign-out" => {
            User::sign_out(&*visit.portal.store, &user.id).await.map_err(failed)?;
            let mut answer = respond::see("/sign-in");
            cookie(&mut answer, &visit.portal.settings, SESSION, "", 0);
            Ok(answer)
        }
        _ => Err(Failed::not_found()),
    }
}

fn failed(error: UserError) -> Failed {
    match error {
        UserError::Unknown => Failed::signed_out(),
        UserError::Store(error) => error.into(),
    }
}

async fn page(visit: &Visit<'_>, problem: Option<String>) -> Result<Answer, Failed> {
    let (t, asked, who) = (visit.t(), visit.request.asked(), &visit.who);
    let none = BTreeMap::new();
    let standings: Vec<(&ServerId, &Standing)> = who.access.servers().unwrap_or(&none).iter().collect();
    let from = asked.text("from").and_then(|from| from.parse::<usize>().ok()).unwrap_or_default();
    let from = from.min(standings.len());
    let shown = &standings[from..standings.len().min(from + A_PAGE)];
    let next = Some(from + A_PAGE).filter(|next| *next < standings.len());
    let named: BTreeSet<ServerId> = shown.iter().map(|(server, _)| **server).collect();
    let labels = labels(visit, &named).await?;
    let rows = shown.iter().map(|(server, standing)| Row {
        id: **server,
        label: labels.get(server).cloned().unwrap_or_else(|| visit.unnamed(**server)),
        shows_id: labels.get(server).is_some_and(|label| *label != visit.unnamed(**server)),
        standing: t.people_role_and(
            role_words(t, &Word::Known(standing.role)),
            sight_words(t, standing.reveal_addresses, standing.read_content),
        ),
    });
    let is_done = asked.text("done") == Some("zone") && problem.is_none();
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let page = AccountPage {
        t,
        frame: visit.frame(),
        done: is_done.then(|| t.account_zone_done(visit.zone.name())),
        problem,
        address: who.user.as_ref().map(|user| user.address.clone()),
        began: visit.show(who.session.began_at),
        ends: visit.show(who.session.ends_at),
        idle_hours: IDLE / 3_600,
        operator: visit.is_operator(),
        whole: who.everywhere().reveals(),
        content: who.everywhere().reads_content(),
        rows: rows.collect(),
        next: next.map(|next| link(PATH, &[("from", Some(next.to_string()))])),
        zones: regions(names(), visit.zone.name()),
        is_utc: visit.zone.name() == UTC,
    };
    respond::page(status, &page)
}

/// Whether a zone can be chosen here.
fn is_offered(zone: &str) -> bool {
    let region = zone.split_once('/').map(|(region, _)| region);
    zone == UTC
        || (region.is_some_and(|region| REGIONS.contains(&region)) && names().iter().any(|name| name == zone))
}

/// The names of all zones.
fn names() -> Vec<String> {
    jiff::tz::db().available().map(|name| name.to_string()).collect()
}

/// Zones by the part of the world that they are in, and in it by name. One that was chosen before is among them, even where
/// the database names it otherwise by now.
fn regions(names: Vec<String>, chosen: &str) -> Vec<Region> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for name in names.iter().map(String::as_str).chain([chosen]) {
        if let Some((region, place)) = name.split_once('/').filter(|(region, _)| REGIONS.contains(region)) {
            all.entry(region).or_default().insert(place);
        }
    }
    let zone = |region: &str, place: &str| {
        let name = format!("{region}/{place}");
        let label = place.replace('_', " ").replace('/', ", ");
        NamedZone { chosen: name == chosen, label, name }
    };
    all.into_iter()
        .map(|(region, places)| Region {
            name: region.to_owned(),
            zones: places.into_iter().map(|place| zone(region, place)).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_those_of_the_database_by_part_of_the_world() {
        let found = regions(names(), "Europe/Berlin");
        let zones = || found.iter().flat_map(|region| &region.zones);
        assert_eq!(found.iter().map(|region| region.name.as_str()).collect::<Vec<_>>(), REGIONS);
        assert!(zones().count() > 300, "{}", zones().count());
        assert_eq!(
            zones().filter(|zone| zone.chosen).map(|zone| zone.name.as_str()).collect::<Vec<_>>(),
            ["Europe/Berlin"]
        );
        let far = zones().find(|zone| zone.name == "America/Argentina/Buenos_Aires").unwrap();
        assert_eq!(far.label, "Argentina, Buenos Aires");
        assert!(zones().all(|zone| is_offered(&zone.name)));
    }

    #[test]
    fn no_zone_is_kept_that_was_not_offered() {
        for zone in
            ["", "Europe", "Europe/", "Nowhere/Else", "posix/Europe/Berlin", "EST", "Etc/GMT+1", "<script>"]
        {
            assert!(!is_offered(zone), "{zone}");
        }
        assert!(is_offered(UTC) && is_offered("Asia/Kolkata"));
    }

    #[test]
    fn what_was_chosen_under_an_older_name_stays_a_choice() {
        let names = ["Europe/Kyiv", "UTC", "posix/Europe/Kyiv"].map(str::to_owned);
        let found = regions(names.to_vec(), "Europe/Kiev");
        let zones: Vec<(&str, bool)> = found
            .iter()
            .flat_map(|region| &region.zones)
            .map(|zone| (zone.label.as_str(), zone.chosen))
            .collect();
        assert_eq!(zones, [("Kiev", true), ("Kyiv", false)]);
        assert_eq!(regions(Vec::new(), UTC), []);
    }
}
