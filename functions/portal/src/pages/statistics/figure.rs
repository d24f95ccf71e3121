//! The charts of the page, each with its table.

use super::rate_words;
use crate::pages::chart::{Chart, Point, Series, Shape, Svg};
use crate::pages::counted::Slot;
use crate::pages::rates::{BOUNCES, COMPLAINTS, Figures, Limit, interval};
use crate::pages::shared::number;
use crate::pages::summary::Span;
use crate::texts::Texts;
use crate::visit::AtServer;
use answers::Rate;

/// How many rows a table has at most: what there is more stands in the file.
const ROWS: usize = 100;

/// A chart, what is to be known of it, and its table.
pub(in crate::pages) struct Figure {
    /// What its parts are called on the page.
    pub id: &'static str,
    /// Its name.
    pub title: String,
    /// The chart.
    pub chart: Svg,
    /// What is to be known of it.
    pub notes: Vec<String>,
    /// The columns of its table, but for the first.
    pub columns: Vec<String>,
    /// Its rows, the latest first.
    pub rows: Vec<Row>,
    /// Whether there are more rows than the table has.
    pub cut: Option<String>,
}

/// A slot, as a row of a table.
pub(in crate::pages) struct Row {
    /// What it is called.
    pub name: String,
    /// Whether it is not over yet.
    pub so_far: bool,
    /// Its events.
    pub path: Option<String>,
    /// The cells.
    pub cells: Vec<String>,
}

/// Takes a point of a series out of the figures of a span.
type Read = fn(&Figures) -> Point;

/// One of the charts.
struct Plan {
    id: &'static str,
    title: String,
    shape: Shape,
    description: String,
    notes: Vec<String>,
    limits: &'static [Limit],
    series: Vec<(String, Read)>,
    columns: Vec<String>,
    cells: fn(Texts, &Figures) -> Vec<String>,
    sorts: &'static [&'static str],
}

/// All charts; `words` are those of the span.
pub(in crate::pages) fn figures(
    at: &AtServer<'_>,
    span: &Span<'_>,
    words: &str,
    slots: &[Slot],
    all: &Figures,
) -> Vec<Figure> {
    let t = at.visit.t();
    let of: Vec<Figures> = slots.iter().map(|slot| Figures::of(&slot.counts)).collect();
    let about = |rate: fn(&Figures) -> &Rate| about(t, words, rate(all), &of, rate);
    let plans = [
        volume(t, t.stats_volume_about(words, number(all.delivered), number(all.bounces.events))),
        bounces(t, about(|figures| &figures.bounces)),
        complaints(t, about(|figures| &figures.complaints)),
        opens(t, about(|figures| &figures.opens)),
    ];
    plans.into_iter().map(|plan| figure(at, span, slots, &of, plan)).collect()
}

fn volume(t: Texts, description: String) -> Plan {
    Plan {
        id: "volume",
        title: t.stats_volume(),
        shape: Shape::Bars,
        description,
        notes: Vec::new(),
        limits: &[],
        series: vec![
            (t.sort_delivered(), |figures| count(figures.delivered)),
            (t.stats_bounced(), |figures| count(figures.bounces.events)),
        ],
        columns: vec![t.sort_delivered(), t.stats_bounced(), t.sort_complaints()],
        cells: |_, figures| {
            [figures.delivered, figures.bounces.events, figures.complaints.events].map(number).into()
        },
        sorts: &[],
    }
}

fn bounces(t: Texts, description: String) -> Plan {
    Plan {
        id: "bounces",
        title: t.stats_bounce_rate(),
        shape: Shape::Lines,
        description,
        notes: vec![t.stats_bounce_note(), t.stats_whiskers()],
        limits: &BOUNCES,
        series: vec![(t.stats_bounce_rate(), |figures| point(&figures.bounces))],
        columns: vec![t.stats_bounced(), t.stats_of(), t.stats_rate(), t.stats_interval()],
        cells: |t, figures| cells(t, &figures.bounces),
        sorts: &["hard", "soft"],
    }
}

fn complaints(t: Texts, description: String) -> Plan {
    Plan {
        id: "complaints",
        title: t.stats_complaint_rate(),
        shape: Shape::Lines,
        description,
        notes: vec![t.stats_complaint_note()],
        limits: &COMPLAINTS,
        series: vec![(t.stats_complaint_rate(), |figures| point(&figures.complaints))],
        columns: vec![t.sort_complaints(), t.stats_of(), t.stats_rate(), t.stats_interval()],
        cells: |t, figures| cells(t, &figures.complaints),
        sorts: &["complaints"],
    }
}

fn opens(t: Texts, description: String) -> Plan {
    Plan {
        id: "opens",
        title: t.stats_open_rate(),
        shape: Shape::Lines,
        description,
        notes: vec![t.stats_open_note()],
        limits: &[],
        series: vec![
            (t.stats_people(), |figures| point(&figures.opens)),
            (t.stats_programs(), |figures| point(&figures.machine_opens)),
        ],
        columns: vec![
            t.sort_delivered(),
            t.stats_people(),
            t.stats_people_rate(),
            t.stats_programs(),
            t.stats_programs_rate(),
        ],
        cells: |t, figures| {
            let [people, programs] = [&figures.opens, &figures.machine_opens]
                .map(|rate| [number(rate.events), rate_words(t, rate)]);
            std::iter::once(number(figures.delivered)).chain(people).chain(programs).collect()
        },
        sorts: &["opens", "opens-by-programs"],
    }
}

fn figure(at: &AtServer<'_>, span: &Span<'_>, slots: &[Slot], of: &[Figures], plan: Plan) -> Figure {
    let t = at.visit.t();
    let is_there = |figures: &Figures| figures.bounces.volume > 0 || figures.opens.events > 0;
    let points = |value: fn(&Figures) -> Point| {
        let shown = |figures: &Figures| Some(value(figures)).filter(|point| !point.value.is_nan());
        of.iter().map(|figures| shown(figures).filter(|_| is_there(figures))).collect()
    };
    let series = plan.series.into_iter().map(|(name, value)| Series { name, points: points(value) });
    let chart = Chart {
        id: plan.id,
        title: plan.title.clone(),
        description: plan.description,
        nothing: t.stats_nothing(),
        shape: plan.shape,
        slots: slots.iter().map(Slot::short).collect(),
        series: series.collect(),
        limits: plan.limits.iter().map(|limit| (limit.share, (limit.name)(t))).collect(),
    };
    let unnamed = chart.unnamed_limits().join("; ");
    let unnamed = (!unnamed.is_empty()).then(|| t.stats_limits_unnamed(&unnamed));
    let cut = chart.is_cut().then(|| t.stats_beyond());
    let rows = slots.iter().zip(of).rev().take(ROWS).map(|(slot, figures)| Row {
        name: slot.long(),
        so_far: slot.to > at.visit.now,
        path: Span { from: slot.from, to: slot.to, stream: span.stream }
            .events(at, plan.sorts)
            .filter(|_| is_there(figures)),
        cells: (plan.cells)(t, figures),
    });
    Figure {
        id: plan.id,
        title: plan.title,
        notes: plan.notes.into_iter().chain(cut).chain(unnamed).collect(),
        chart: chart.draw(),
        columns: plan.columns,
        rows: rows.collect(),
        cut: (slots.len() > ROWS).then(|| t.stats_table_cut(number(ROWS))),
    }
}

fn count(count: i64) -> Point {
    Point { value: count as f64, interval: None, weight: 0.0 }
}

/// A rate as a point; none where there is no rate.
fn point(rate: &Rate) -> Point {
    let interval = rate.low.zip(rate.high).map(|(low, high)| [low, high]);
    Point { value: rate.value.unwrap_or(f64::NAN), interval, weight: rate.volume as f64 }
}

fn cells(t: Texts, rate: &Rate) -> Vec<String> {
    let interval = interval(t, rate).unwrap_or_default();
    vec![number(rate.events), number(rate.volume), rate_words(t, rate), interval]
}

/// What a chart of rates shows, in a sentence.
fn about(t: Texts, span: &str, all: &Rate, of: &[Figures], rate: fn(&Figures) -> &Rate) -> String {
    let rates = of.iter().filter_map(|figures| rate(figures).value);
    let ends = rates.fold(None, |ends: Option<[f64; 2]>, value| {
        Some(ends.map_or([value; 2], |[low, high]| [low.min(value), high.max(value)]))
    });
    match (all.value, ends) {
        (Some(_), Some([low, high])) => {
            let percent = crate::pages::rates::percent;
            t.stats_rate_about(span, rate_words(t, all), percent(low), percent(high))
        }
        _ => t.stats_rate_none(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::Rate;

    #[test]
    fn a_chart_of_rates_is_told_in_a_sentence() {
        let t = Texts::default();
        let of = |delivered, complaints| {
            let counts = [("delivered".to_owned(), delivered), ("complaint".to_owned(), complaints)];
            Figures::of(&counts.into())
        };
        let told = about(t, "May", &Rate::of(3, 2_000), &[of(1_000, 1), of(1_000, 2), of(0, 0)], |figures| {
            &figures.complaints
        });
        assert_eq!(told, t.stats_rate_about("May", "0.15%", "0.1%", "0.2%"));
        let none = about(t, "May", &Rate::of(0, 0), &[], |figures| &figures.complaints);
        assert_eq!(none, t.stats_rate_none("May"));
    }

    #[test]
    fn where_there_is_no_rate_there_is_no_point() {
        assert!(point(&Rate::of(3, 0)).value.is_nan());
        assert_eq!(point(&Rate::of(3, 2)), Point { value: 1.5, interval: None, weight: 2.0 });
        assert!(point(&Rate::of(0, 10)).interval.is_some());
    }
}
