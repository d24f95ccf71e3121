//! Counts and rates over time, by hour, day or week: as charts with intervals and limits, each with its table, and as a file.

pub(super) mod figure;

use super::activity::{SORTS, Sort};
use super::counted::{Asked, Counted, Every, Slot, counted, end, hour_of, zone_of_days};
use super::rates::{Figures, percent};
use super::shared::{CSV, Choice, Table, link, mendable, number, streams};
use super::summary::{Line, Span, lines};
use super::truth;
use crate::moment::Zone;
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame};
use answers::Rate;
use askama::Template;
use figure::{Figure, figures};
use http::StatusCode;
use jiff::civil::Date;
use ledger::Time;
use ledger::counters::Measure;

#[derive(Template)]
#[template(path = "statistics.html")]
struct StatisticsPage {
    t: Texts,
    frame: Frame,
    steps: Vec<Choice>,
    streams: Vec<Choice>,
    from: String,
    to: String,
    zone: String,
    problem: Option<String>,
    notes: Vec<String>,
    span: String,
    lines: Vec<Line>,
    figures: Vec<Figure>,
    sorts: Vec<Sum>,
    csv: String,
    complete: Option<(&'static str, String)>,
}

/// How many events of a sort there are.
struct Sum {
    name: String,
    count: String,
    path: Option<String>,
}

/// What is asked for.
struct Chosen {
    every: Every,
    /// The zone that days are of: that of whoever looks, or UTC where its hours are not whole ones of UTC.
    zone: Zone,
    stream: Option<String>,
    from: Time,
    to: Time,
    /// As the fields have them.
    typed: [String; 2],
    problem: Option<String>,
}

/// How many days are shown unless somebody chooses, and at most.
const fn days(every: Every) -> [i64; 2] {
    match every {
        // The API counts 31 days by hour at once, but so many hours make no chart.
        Every::Hour => [2, 14],
        Every::Day => [30, 400],
        Every::Week => [84, 400],
    }
}

impl Chosen {
    fn read(at: &AtServer<'_>, asked: &Fields) -> Chosen {
        let t = at.visit.t();
        let every = asked.text("by").and_then(Every::named).unwrap_or(Every::Day);
        let typed = ["from", "to"].map(|name| asked.text(name).unwrap_or_default().to_owned());
        let read = [&typed[0], &typed[1]].map(|text| text.parse::<Date>().ok());
        let (end, [usual, most]) = (end(at), days(every));
        let zone = zone_of_days(at);
        let begins = |day: Date| zone.read(&format!("{day}T00:00"));
        let last = read[1].and_then(|day| day.tomorrow().ok()).and_then(begins);
        let to = last.unwrap_or(end).min(end);
        let first = read[0].and_then(begins);
        let from = hour_of(first.unwrap_or_else(|| since(&zone, every, to, usual)));
        let is_wrong = typed.iter().zip([first, last]).any(|(text, day)| !text.is_empty() && day.is_none());
        let problem = if is_wrong {
            Some(t.stats_no_day())
        } else if from >= to {
            Some(t.stats_backwards())
        } else if from < to.plus_days(-most) {
            Some(t.stats_too_long(most))
        } else {
            None
        };
        Chosen { every, zone, stream: asked.text("stream").map(str::to_owned), from, to, typed, problem }
    }

    fn pairs(&self) -> Vec<(&'static str, Option<String>)> {
        let typed = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        vec![
            ("by", Some(self.every.name().to_owned())),
            ("stream", self.stream.clone()),
            ("from", typed(&self.typed[0])),
            ("to", typed(&self.typed[1])),
        ]
    }
}

/// When what is shown begins: with a day, or with a week, unless hours are shown.
fn since(zone: &Zone, every: Every, to: Time, days: i64) -> Time {
    let back = to.plus_days(-days);
    if every == Every::Hour {
        return back;
    }
    let day = zone.field(back).split('T').next().and_then(|day| day.parse::<Date>().ok());
    let day = day.and_then(|day| match every {
        Every::Week => {
            let behind = day.weekday().to_monday_zero_offset();
            day.checked_sub(jiff::Span::new().days(i64::from(behind))).ok()
        }
        _ => day.tomorrow().ok(),
    });
    day.and_then(|day| zone.read(&format!("{day}T00:00"))).unwrap_or(back)
}

/// The page, or the file.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let (t, asked) = (at.visit.t(), at.visit.request.asked());
    let chosen = Chosen::read(at, &asked);
    let here = link(&at.path("statistics"), &chosen.pairs());
    let mut page = StatisticsPage {
        t,
        frame: at.frame(),
        steps: steps(t, chosen.every),
        streams: all_streams(at, chosen.stream.as_deref()),
        from: chosen.typed[0].clone(),
        to: chosen.typed[1].clone(),
        zone: chosen.zone.name().to_owned(),
        problem: chosen.problem.clone(),
        notes: Vec::new(),
        span: String::new(),
        lines: Vec::new(),
        figures: Vec::new(),
        sorts: Vec::new(),
        csv: link(&here, &[("csv", Some("1".to_owned()))]),
        complete: None,
    };
    if page.problem.is_some() {
        return respond::page(StatusCode::BAD_REQUEST, &page);
    }
    let stream = chosen.stream.as_deref();
    let ask = |from, to| counted(at, Asked { every: chosen.every, from, to, stream });
    let now = match ask(chosen.from, chosen.to).await {
        Ok(now) => now,
        Err(failed) => {
            page.problem = mendable(t, stream, &failed);
            return if page.problem.is_some() {
                respond::page(StatusCode::BAD_REQUEST, &page)
            } else {
                Err(failed)
            };
        }
    };
    let slots = now.slots(chosen.every);
    if asked.is_set("csv") {
        return Ok(file(at, chosen.every, &slots));
    }
    let long = chosen.to.seconds() - chosen.from.seconds();
    let before = ask(chosen.from.plus_seconds(-long), chosen.from).await?;
    let span = Span { from: chosen.from, to: chosen.to, stream };
    page.lines = lines(at, span, &Figures::of(&now.total), &Figures::of(&before.total));
    page.span = t.stats_span(chosen.zone.show(now.from).text(), chosen.zone.show(now.to).text());
    page.figures = figures(at, &span, &page.span, &slots, &Figures::of(&now.total));
    page.sorts = SORTS.iter().map(|sort| sum(at, &span, &now, sort)).collect();
    page.notes = notes(at, &now);
    page.complete = match truth::in_short(at).await {
        Ok(complete) => Some(complete),
        Err(failed) if failed.status == StatusCode::FORBIDDEN => None,
        Err(failed) => return Err(failed),
    };
    respond::page(StatusCode::OK, &page)
}

fn sum(at: &AtServer<'_>, span: &Span<'_>, now: &Counted, sort: &Sort) -> Sum {
    let count = sort.count(&now.total);
    Sum {
        name: (sort.label)(at.visit.t()),
        count: number(count),
        path: span.events(at, &[sort.name]).filter(|_| count > 0),
    }
}

/// What else is to be known of what is counted.
pub(super) fn notes(at: &AtServer<'_>, now: &Counted) -> Vec<String> {
    let t = at.visit.t();
    let zone = now.is_other_zone.then(|| t.stats_other_zone(at.visit.zone.name(), now.zone.name()));
    let hours = at.as_of.at.map(|_| t.stats_whole_hours(at.visit.show(now.to).text()));
    let known = at.as_of.known_at.map(|_| t.stats_known_hint());
    zone.into_iter().chain(hours).chain(known).collect()
}

fn steps(t: Texts, chosen: Every) -> Vec<Choice> {
    let words = |every| match every {
        Every::Hour => t.stats_by_hour(),
        Every::Day => t.stats_by_day(),
        Every::Week => t.stats_by_week(),
    };
    Every::ALL.map(|every| Choice::new(every.name(), words(every), Some(chosen.name()))).into()
}

fn all_streams(at: &AtServer<'_>, chosen: Option<&str>) -> Vec<Choice> {
    let all = Choice::new("", at.visit.t().every_stream(), chosen);
    std::iter::once(all).chain(streams(at, chosen)).collect()
}

/// All counts and rates, slot by slot.
fn file(at: &AtServer<'_>, every: Every, slots: &[Slot]) -> Answer {
    let name = format!("statistics-{}-{}.csv", at.server, every.name());
    respond::file(CSV, &name, table(slots).into_bytes())
}

fn table(slots: &[Slot]) -> Table {
    const RATES: [&str; 4] = ["bounce_rate", "complaint_rate", "open_rate", "open_machine_rate"];
    let names = |name: &&str| ["", "_low", "_high"].map(|end| format!("{name}{end}"));
    let rates: Vec<String> = RATES.iter().flat_map(names).collect();
    let measures: Vec<&str> = Measure::all().map(Measure::name).collect();
    let mut columns = vec!["label", "from", "to"];
    columns.extend(&measures);
    columns.extend(rates.iter().map(String::as_str));
    let mut table = Table::new(&columns);
    for slot in slots {
        let figures = Figures::of(&slot.counts);
        let mut cells = vec![slot.label.clone(), slot.from.to_string(), slot.to.to_string()];
        cells.extend(
            measures.iter().map(|name| slot.counts.get(*name).copied().unwrap_or_default().to_string()),
        );
        for rate in [&figures.bounces, &figures.complaints, &figures.opens, &figures.machine_opens] {
            let cell = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            cells.extend([rate.value, rate.low, rate.high].map(cell));
        }
        table.row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    table
}

/// A rate in words, or that there is none.
fn rate_words(t: Texts, rate: &Rate) -> String {
    rate.value.map_or_else(|| t.stats_no_rate(), percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_every_measure_and_rate_of_each_slot() {
        let from: Time = "2026-11-21T00:00:00Z".parse().unwrap();
        let counts = [("delivered".to_owned(), 90), ("bounce_hard".to_owned(), 10)].into();
        let slot = Slot { from, to: from.plus_days(1), label: "2026-11-21".to_owned(), counts };
        let text = String::from_utf8(table(&[slot]).into_bytes()).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].len(), 3 + Measure::all().count() + 12);
        let cell = |name: &str| rows[1][rows[0].iter().position(|column| *column == name).unwrap()];
        assert_eq!((cell("delivered"), cell("bounce_hard"), cell("complaint")), ("90", "10", "0"));
        assert_eq!(
            (cell("bounce_rate"), cell("complaint_rate"), cell("bounce_rate_low")),
            ("0.1", "0", "0.055229")
        );
        assert_eq!(cell("label"), "2026-11-21");
    }
}
