//! Whether anything is wrong at a server and what needs doing, in one look: the answer first, then the numbers behind it.

use super::activity::{Filter, Most, Place, SORTS, read};
use super::chart::{Chart, Point, Series, Shape, Svg};
use super::counted::{Asked, Counted, Every, Slot, counted, end};
use super::happened::{Detail, Row, row};
use super::rates::{BOUNCES, COMPLAINTS, Figures, Level, Limit, percent};
use super::shared::number;
use super::summary::{Line, Span, levels, lines};
use super::{set_up, truth, webhooks};
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame, Why};
use answers::{EntryWithRecipient, Quarantine, Rate, Webhooks};
use askama::Template;
use http::StatusCode;
use ledger::Time;
use std::collections::BTreeMap;

/// How many days are summed up, and how many the chart shows.
const WEEK: i64 = 7;
const MONTH: i64 = 30;
/// How many complaints are shown, and in how many hours they are looked for.
const COMPLAINTS_SHOWN: usize = 5;
/// How much is read for the complaints of an hour.
const OF_AN_HOUR: Most = Most { rows: COMPLAINTS_SHOWN, pages: 4 };
/// How many bodies that were set aside are counted.
const ASIDE_MAX: usize = 500;
/// Why a body is set aside that nobody has to do anything about: Postmark's probe of a webhook.
const PROBE: &str = "probe";

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    t: Texts,
    frame: Frame,
    kind: &'static str,
    sentence: String,
    todo: Vec<Todo>,
    /// The way to the set-up, while a step of it is open.
    set_up: Option<String>,
    complete: Option<(&'static str, String)>,
    lines: Vec<Line>,
    chart: Svg,
    other_zone: Option<String>,
    complaints: Complaints,
}

/// Something that needs doing.
struct Todo {
    kind: &'static str,
    words: String,
    path: Option<[String; 2]>,
}

/// The last complaints.
struct Complaints {
    rows: Vec<Row>,
    /// What is said in their place, or beside them.
    words: Option<String>,
    path: Option<String>,
}

/// The page.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let to = end(at);
    let span = Span { from: to.plus_days(-WEEK), to, stream: None };
    let ask = |every, from: Time, to| counted(at, Asked { every, from, to, stream: None });
    // By the hour, since that tells where complaints are to be looked for.
    let week = ask(Every::Hour, span.from, to).await?;
    let before = ask(Every::Day, span.from.plus_days(-WEEK), span.from).await?;
    let month = ask(Every::Day, to.plus_days(-MONTH), to).await?;
    let (now, was) = (Figures::of(&week.total), Figures::of(&before.total));
    let days = month.slots(Every::Day);
    let complete = complete(at).await?;
    // How they stand is told as of now, and to admins.
    let hooks = match at.is_admin() && at.as_of.is_now() {
        true => Some(webhooks::told(at).await?),
        false => None,
    };
    let todo = todo(at, &span, &now, &days, complete.as_ref(), hooks.as_ref()).await?;
    let is_open = match &hooks {
        Some(hooks) => set_up::is_open(at, hooks).await?,
        None => false,
    };
    let (kind, sentence) = sentence(t, &todo, &month);
    let page = OverviewPage {
        t,
        frame: at.frame(),
        kind,
        sentence,
        todo,
        set_up: is_open.then(|| at.path(set_up::TAIL)),
        complete,
        lines: lines(at, span, &now, &was),
        chart: chart(t, &days, &Figures::of(&month.total)).draw(),
        other_zone: month.is_other_zone.then(|| t.stats_other_zone(at.visit.zone.name(), month.zone.name())),
        complaints: complaints(at, &span, &week, now.complaints.events).await?,
    };
    respond::page(StatusCode::OK, &page)
}

/// What is known to be complete, where whoever looks may know that.
async fn complete(at: &AtServer<'_>) -> Result<Option<(&'static str, String)>, Failed> {
    match truth::in_short(at).await {
        Ok(found) => Ok(Some(found)),
        Err(failed) if failed.status == StatusCode::FORBIDDEN => Ok(None),
        Err(failed) => Err(failed),
    }
}

/// The answer, in one sentence.
fn sentence(t: Texts, todo: &[Todo], month: &Counted) -> (&'static str, String) {
    let count = |kind| todo.iter().filter(|one| one.kind == kind).count();
    match (count("stop"), count("risky")) {
        (0, 0) if month.total.values().all(|count| *count <= 0) => ("risky", t.overview_quiet()),
        (0, 0) => ("send", t.overview_fine()),
        (0, 1) => ("risky", t.overview_look()),
        (0, many) => ("risky", t.overview_look_many(many)),
        (1, _) => ("stop", t.overview_bad()),
        (many, _) => ("stop", t.overview_bad_many(many)),
    }
}

/// What needs doing, the gravest first.
async fn todo(
    at: &AtServer<'_>,
    week: &Span<'_>,
    now: &Figures,
    days: &[Slot],
    complete: Option<&(&'static str, String)>,
    hooks: Option<&Webhooks>,
) -> Result<Vec<Todo>, Failed> {
    let t = at.visit.t();
    let mut todo = Vec::new();
    let [bounces, complaints] = levels(now);
    if let Some((kind, limit)) = above(t, bounces, &now.bounces, &BOUNCES) {
        let path = week.events(at, &["hard", "soft"]).map(|path| [path, t.overview_bounces_link()]);
        todo.push(Todo { kind, words: t.overview_bounces(rate(&now.bounces), limit), path });
    }
    if let Some((kind, limit)) = above(t, complaints, &now.complaints, &COMPLAINTS) {
        let path = week.events(at, &["complaints"]).map(|path| [path, t.overview_complaints_link()]);
        todo.push(Todo { kind, words: t.overview_complaints(rate(&now.complaints), limit), path });
    }
    let truth = |words| Some([at.path("truth"), words]);
    if let Some(("stop", words)) = complete {
        todo.push(Todo { kind: "stop", words: words.clone(), path: truth(t.overview_missing_link()) });
    }
    if is_silent(days) {
        todo.push(Todo { kind: "risky", words: t.overview_silent(), path: truth(t.overview_silent_link()) });
    }
    if let Some(kind) = hooks.and_then(webhooks::in_short) {
        let path = Some([at.path("webhooks"), t.overview_webhooks_link()]);
        todo.push(Todo { kind, words: t.overview_webhooks(), path });
    }
    if at.is_admin()
        && let Some(count) = aside(at).await?
    {
        let path = Some([format!("{}#aside", at.path("truth")), t.overview_aside_link()]);
        todo.push(Todo { kind: "risky", words: t.overview_aside(count), path });
    }
    todo.sort_by_key(|one| one.kind != "stop");
    Ok(todo)
}

fn rate(rate: &Rate) -> String {
    percent(rate.value.unwrap_or_default())
}

/// The highest limit that a rate is above, and how grave that is, where it is no chance.
fn above(t: Texts, level: Level, rate: &Rate, limits: &[Limit]) -> Option<(&'static str, String)> {
    let kind = match level {
        Level::Fine => return None,
        Level::Warn => "risky",
        Level::Bad => "stop",
    };
    let value = rate.value?;
    let limit = limits.iter().rev().find(|limit| value >= limit.share)?;
    Some((kind, (limit.name)(t)))
}

/// Whether mail went out on each of seven days, and then on neither of two.
fn is_silent(days: &[Slot]) -> bool {
    let sent = |slot: &Slot| {
        let figures = Figures::of(&slot.counts);
        figures.bounces.volume > 0
    };
    let Some((before, last)) = days.split_at_checked(days.len().saturating_sub(2)) else { return false };
    let week = before.iter().rev().take(7);
    week.len() == 7 && last.len() == 2 && !last.iter().any(sent) && week.clone().all(sent)
}

/// How many bodies wait to be looked at that were set aside.
async fn aside(at: &AtServer<'_>) -> Result<Option<String>, Failed> {
    let told: Quarantine = at.ask(at.get("quarantine").with("limit", Some(ASIDE_MAX))).await?;
    let waits = told.items.iter().filter(|one| one.replayed_at.is_none() && one.reason != PROBE).count();
    let more = if told.next.is_some() { "+" } else { "" };
    Ok((waits > 0).then(|| format!("{}{more}", number(waits))))
}

/// The chart of the month.
fn chart(t: Texts, days: &[Slot], all: &Figures) -> Chart {
    let of = |value: &dyn Fn(&Figures) -> i64| {
        let point = |slot: &Slot| Point {
            value: value(&Figures::of(&slot.counts)) as f64,
            interval: None,
            weight: 0.0,
        };
        days.iter().map(|slot| Some(point(slot))).collect()
    };
    let none = all.bounces.volume == 0;
    Chart {
        id: "month",
        title: t.overview_month(),
        description: t.overview_month_about(number(all.delivered), number(all.bounces.events)),
        nothing: t.stats_nothing(),
        shape: Shape::Bars,
        slots: days.iter().map(Slot::short).collect(),
        series: match none {
            true => Vec::new(),
            false => vec![
                Series { name: t.sort_delivered(), points: of(&|figures| figures.delivered) },
                Series { name: t.stats_bounced(), points: of(&|figures| figures.bounces.events) },
            ],
        },
        limits: Vec::new(),
    }
}

/// The last complaints of a week: looked for only in the hours in which there were some, since on a busy server they stand
/// among many thousands of deliveries.
async fn complaints(
    at: &AtServer<'_>,
    week: &Span<'_>,
    counted: &Counted,
    count: i64,
) -> Result<Complaints, Failed> {
    let t = at.visit.t();
    if count == 0 {
        return Ok(Complaints { rows: Vec::new(), words: Some(t.overview_no_complaints()), path: None });
    }
    let path = week.events(at, &["complaints"]);
    let words = Some(t.overview_complaints_counted(number(count)));
    let mut found: Vec<EntryWithRecipient> = Vec::new();
    for ((from, stream), to) in hours(counted).into_iter().rev().take(COMPLAINTS_SHOWN) {
        let sorts = SORTS.into_iter().filter(|sort| sort.name == "complaints").collect();
        let until = at.as_of.at.map_or(to, |by| by.min(to));
        let filter = Filter { stream: Some(stream), sorts, from, to: until };
        match read(at, &filter, Place::default(), OF_AN_HOUR).await {
            Ok(read) => found.extend(read.items),
            Err(Failed { why: Why::Problem(problem), .. }) if problem.code() == "activity-off" => {
                let words = Some(t.overview_complaints_off());
                return Ok(Complaints { rows: Vec::new(), words, path: None });
            }
            Err(failed) => return Err(failed),
        }
        if found.len() >= COMPLAINTS_SHOWN {
            break;
        }
    }
    found.sort_by_key(|item| std::cmp::Reverse(item.entry.time));
    let rows = found.iter().take(COMPLAINTS_SHOWN).map(|item| row(at, item, Detail::Short));
    Ok(Complaints { rows: rows.collect(), words, path })
}

/// The hours in which somebody complained, and on which stream; with the end of each.
fn hours(counted: &Counted) -> BTreeMap<(Time, String), Time> {
    let complained = |counts: &BTreeMap<String, i64>| counts.get("complaint").is_some_and(|count| *count > 0);
    let all = counted.streams.iter().flat_map(|(stream, buckets)| {
        buckets.iter().filter(|bucket| complained(&bucket.block.counts)).map(move |bucket| {
            ((bucket.from.0, stream.clone()), Time::from_micros(bucket.to.0.micros().saturating_sub(1)))
        })
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::Rate;

    fn days(counts: &[i64]) -> Vec<Slot> {
        let day = |(nth, count): (usize, &i64)| {
            let from = Time::default().plus_days(nth as i64);
            let counts = [("delivered".to_owned(), *count)].into();
            Slot { from, to: from.plus_days(1), label: format!("2026-11-{:02}", nth + 1), counts }
        };
        counts.iter().enumerate().map(day).collect()
    }

    #[test]
    fn silence_is_two_days_without_mail_after_a_week_with_some_each_day() {
        for (counts, silent) in [
            (&[1, 1, 1, 1, 1, 1, 1, 0, 0][..], true),
            (&[0, 1, 1, 1, 1, 1, 1, 1, 0, 0], true),
            (&[1, 1, 1, 1, 1, 0, 1, 0, 0], false),
            (&[1, 1, 1, 1, 1, 1, 1, 0, 1], false),
            (&[1, 1, 1, 1, 1, 1, 0, 0], false),
            (&[0, 0], false),
            (&[], false),
        ] {
            assert_eq!(is_silent(&days(counts)), silent, "{counts:?}");
        }
    }

    #[test]
    fn what_is_above_a_limit_is_told_by_the_highest_one() {
        let t = Texts::default();
        let of = |level, events, volume| above(t, level, &Rate::of(events, volume), &BOUNCES);
        assert_eq!(of(Level::Fine, 50, 100), None);
        assert_eq!(of(Level::Warn, 3, 100), Some(("risky", t.limit_bounce_warn())));
        assert_eq!(of(Level::Bad, 50, 100), Some(("stop", t.limit_bounce_account())));
    }

    #[test]
    fn the_chart_of_a_quiet_month_says_so() {
        let t = Texts::default();
        let quiet = chart(t, &days(&[0, 0]), &Figures::of(&BTreeMap::new())).draw().to_string();
        assert!(quiet.contains(&t.stats_nothing()));
        let figures = Figures::of(&[("delivered".to_owned(), 3)].into());
        let drawn = chart(t, &days(&[1, 2]), &figures).draw().to_string();
        assert!(drawn.contains("class=\"bar s0\"") && !drawn.contains(&t.stats_nothing()));
    }
}
