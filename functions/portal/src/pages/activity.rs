//! What happened at a server, latest first, by stream, sort and time.

mod reading;
mod table;

pub(super) use reading::{Filter, Most, Place, SORTS, Sort, read};

use super::counted::{Asked, Every, counted, hour_after, hour_of};
use super::happened::{Detail, Row, row};
use super::shared::{Choice, link, mendable, number, streams};
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame, Why};
use askama::Template;
use http::StatusCode;
use ledger::Time;

/// How many events a page has.
const A_PAGE: usize = 50;
/// How many pages of the API are read for one at most.
const API_PAGES: usize = 10;
/// How many days back it reaches, unless asked otherwise, and at most.
const DAYS: [i64; 2] = [7, 31];

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    t: Texts,
    frame: Frame,
    form: Form,
    problem: Option<String>,
    /// Why there is no list, and what to do instead.
    off: Option<[String; 2]>,
    count: Option<String>,
    too_many: Option<String>,
    rows: Vec<Row>,
    truncated: bool,
    /// From when on it has all events, where older ones may be missing.
    whole_from: Option<String>,
    is_cut: bool,
    known_at: bool,
    next: Option<String>,
    first: Option<String>,
    csv: String,
    /// How many rows a file has at most.
    most: String,
}

/// The form, as it was sent.
struct Form {
    streams: Vec<Choice>,
    sorts: Vec<Choice>,
    from: String,
    to: String,
    /// Links to times that are often asked about.
    presets: Vec<[String; 2]>,
}

/// The page.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let asked = at.visit.request.asked();
    let (filter, problem) = filter(at, &asked);
    let mut page = empty(at, &asked, &filter);
    if let Some(problem) = problem {
        page.problem = Some(problem);
        return respond::page(StatusCode::BAD_REQUEST, &page);
    }
    let answered = if asked.is_set("csv") {
        table::file(at, &filter).await.map(Some)
    } else {
        list(at, &asked, &filter, &mut page).await.map(|()| None)
    };
    match answered {
        Ok(Some(file)) => return Ok(file),
        Ok(None) => {}
        Err(failed) => {
            page.off = off(at, &failed);
            page.problem = mendable(at.visit.t(), filter.stream.as_deref(), &failed);
            if page.problem.is_some() {
                return respond::page(StatusCode::BAD_REQUEST, &page);
            }
            if page.off.is_none() {
                return Err(failed);
            }
        }
    }
    respond::page(StatusCode::OK, &page)
}

/// What a field of day and time has.
const MINUTE: &str = "2026-11-21T08:00";

/// Why nothing can be listed, and what to do instead, where that leaves the form of use.
fn off(at: &AtServer<'_>, failed: &Failed) -> Option<[String; 2]> {
    let (t, Why::Problem(problem)) = (at.visit.t(), &failed.why) else { return None };
    match problem.code() {
        "activity-off" => Some([t.activity_off(), t.activity_off_next()]),
        "too-many-streams" => Some([t.activity_too_many_streams(), t.activity_too_many_streams_next()]),
        _ => None,
    }
}

/// The page, but for its events.
fn empty(at: &AtServer<'_>, asked: &Fields, filter: &Filter) -> ActivityPage {
    ActivityPage {
        t: at.visit.t(),
        frame: at.frame(),
        form: form(at, asked, filter),
        problem: None,
        off: None,
        count: None,
        too_many: None,
        rows: Vec::new(),
        truncated: false,
        whole_from: None,
        is_cut: false,
        known_at: at.as_of.known_at.is_some(),
        next: None,
        first: None,
        csv: table::path(&path(at, filter)),
        most: number(table::ROWS_MAX),
    }
}

/// Reads the events of a page.
async fn list(
    at: &AtServer<'_>,
    asked: &Fields,
    filter: &Filter,
    page: &mut ActivityPage,
) -> Result<(), Failed> {
    let text = |name| asked.text(name).map(str::to_owned);
    let place = Place { cursor: text("cursor"), after: text("after") };
    let is_first = place == Place::default();
    let read = read(at, filter, place, Most { rows: A_PAGE, pages: API_PAGES }).await?;
    let here = path(at, filter);
    page.next = read.next.map(|place| link(&here, &[("cursor", place.cursor), ("after", place.after)]));
    page.first = (!is_first).then_some(here);
    (page.truncated, page.is_cut) = (read.truncated, read.is_cut);
    page.whole_from = read.whole_from.map(|from| at.visit.show(from).text());
    page.rows = read.items.iter().map(|item| row(at, item, Detail::Short)).collect();
    // What was known by another time is not counted.
    if is_first && page.next.is_some() && at.as_of.known_at.is_none() {
        let t = at.visit.t();
        let count = count(at, filter).await?;
        page.count = Some(t.activity_count(number(count)));
        page.too_many = usize::try_from(count)
            .is_ok_and(|count| count > table::ROWS_MAX)
            .then(|| t.activity_too_many_rows(page.most.as_str()));
    }
    Ok(())
}

/// How many events there are, in the whole hours around the time that is asked about.
async fn count(at: &AtServer<'_>, filter: &Filter) -> Result<i64, Failed> {
    let behind = Time::from_micros(filter.to.micros().saturating_add(1));
    let (from, to) = (hour_of(filter.from), hour_after(behind));
    let counted =
        counted(at, Asked { every: Every::Day, from, to, stream: filter.stream.as_deref() }).await?;
    let listed = counted.total.iter().filter(|(measure, _)| filter.has(measure));
    Ok(listed.fold(0, |sum: i64, (_, count)| sum.saturating_add(*count)))
}

/// The list with what was chosen, as a link that can be kept: its times are fixed.
pub(super) fn path(at: &AtServer<'_>, filter: &Filter) -> String {
    let mut pairs = vec![("stream", filter.stream.clone())];
    pairs.extend(filter.sorts.iter().map(|sort| ("show", Some(sort.name.to_owned()))));
    pairs.push(("from", Some(filter.from.to_string())));
    pairs.push(("to", Some(filter.to.to_string())));
    link(&at.path("activity"), &pairs)
}

/// What is asked for, and what is wrong about it.
fn filter(at: &AtServer<'_>, asked: &Fields) -> (Filter, Option<String>) {
    let (t, now) = (at.visit.t(), at.visit.now);
    let time = |name| asked.text(name).map(|text| at.visit.zone.read(text).ok_or_else(|| text.to_owned()));
    let (day, from, to) = (asked.text("day").map(|day| of_day(at, day)), time("from"), time("to"));
    let (day_from, day_to) = day.flatten().unzip();
    let unread = [&from, &to].into_iter().any(|time| matches!(time, Some(Err(_))));
    let read = |time: Option<Result<Time, String>>| time.and_then(Result::ok);
    let latest = at.as_of.at.unwrap_or(now).min(now);
    // A minute is meant to its end.
    let minute = asked.text("to").is_some_and(|text| text.len() == MINUTE.len());
    let to = read(to)
        .map(|to| if minute { Time::from_micros(to.micros().saturating_add(59_999_999)) } else { to });
    let to = to.or(day_to).unwrap_or(latest).min(latest);
    let from = read(from).or(day_from).unwrap_or_else(|| to.plus_days(-DAYS[0]));
    let problem = if unread {
        Some(t.activity_no_time())
    } else if from > to {
        Some(t.activity_backwards())
    } else if from < to.plus_days(-DAYS[1]) {
        Some(t.activity_too_long(DAYS[1]))
    } else {
        None
    };
    let sorts = SORTS.into_iter().filter(|sort| asked.all("show").any(|name| name == sort.name)).collect();
    (Filter { stream: asked.text("stream").map(str::to_owned), sorts, from, to }, problem)
}

/// A day of the zone, from its beginning to its end.
fn of_day(at: &AtServer<'_>, day: &str) -> Option<(Time, Time)> {
    let begins = |day: jiff::civil::Date| at.visit.zone.read(&format!("{day}T00:00"));
    let day: jiff::civil::Date = day.parse().ok()?;
    let end = begins(day.tomorrow().ok()?)?;
    Some((begins(day)?, Time::from_micros(end.micros().saturating_sub(1))))
}

fn form(at: &AtServer<'_>, asked: &Fields, filter: &Filter) -> Form {
    let t = at.visit.t();
    let chosen = filter.stream.as_deref();
    let all = std::iter::once(Choice::new("", t.every_stream(), chosen));
    let sorts = SORTS.into_iter().map(|sort| {
        let is_chosen = filter.sorts.iter().any(|one| one.name == sort.name);
        Choice::new(sort.name, (sort.label)(t), is_chosen.then_some(sort.name))
    });
    let field = |name, read: Time| match asked.text(name) {
        // What was typed and cannot be read is shown again.
        Some(text) if at.visit.zone.read(text).is_none() => text.to_owned(),
        None if !asked.is_set("day") => String::new(),
        _ => at.visit.zone.field(read),
    };
    let day = |back: i64| {
        let field = at.visit.zone.field(at.visit.now.plus_days(-back));
        field.split('T').next().unwrap_or_default().to_owned()
    };
    let preset = |words: String, day: Option<String>, back: Option<i64>| {
        let from = back.map(|back| at.visit.now.plus_days(-back).to_string());
        let mut pairs = vec![("stream", filter.stream.clone())];
        pairs.extend(filter.sorts.iter().map(|sort| ("show", Some(sort.name.to_owned()))));
        pairs.extend([("day", day), ("from", from)]);
        [link(&at.path("activity"), &pairs), words]
    };
    Form {
        streams: all.chain(streams(at, chosen)).collect(),
        sorts: sorts.collect(),
        from: field("from", filter.from),
        to: field("to", filter.to),
        presets: vec![
            preset(t.activity_today(), Some(day(0)), None),
            preset(t.activity_yesterday(), Some(day(1)), None),
            preset(t.activity_days(DAYS[0]), None, None),
            preset(t.activity_days(DAYS[1]), None, Some(DAYS[1])),
        ],
    }
}
