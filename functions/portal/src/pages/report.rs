//! The report of a calendar month: what an agency prints, or saves as a PDF, and sends to its client.

mod month;

use super::counted::{Asked, Counted, Every, counted, end, zone_of_days};
use super::rates::{BOUNCES, COMPLAINTS, Figures, Level};
use super::shared::{CSV, Table, link, number};
use super::statistics::figure::{Figure, figures};
use super::statistics::notes;
use super::summary::{Line, Span, levels, limit, lines};
use super::truth;
use crate::moment::{Moment, Zone};
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame};
use answers::Rate;
use askama::Template;
use http::StatusCode;
use month::Month;

/// The charts of statistics that are in it.
const CHARTS: [&str; 3] = ["volume", "bounces", "complaints"];

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    t: Texts,
    frame: Frame,
    title: String,
    typed: String,
    problem: Option<String>,
    before: Option<[String; 2]>,
    after: Option<[String; 2]>,
    made: Moment,
    zone: String,
    told: Option<Told>,
}

/// What is told of a month.
struct Told {
    kind: &'static str,
    sentence: String,
    notes: Vec<String>,
    names: [String; 2],
    lines: Vec<Line>,
    causes: Vec<Cause>,
    figures: Vec<Figure>,
    complete: Option<(&'static str, String)>,
    csv: [String; 2],
}

/// How many addresses came on suppression lists for a reason, in the month and in the one before.
struct Cause {
    measure: &'static str,
    name: String,
    counts: [i64; 2],
}

impl Cause {
    fn shown(&self) -> [String; 2] {
        self.counts.map(number)
    }
}

/// The page, or the file.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>) -> Result<Answer, Failed> {
    let (t, asked, zone) = (at.visit.t(), at.visit.request.asked(), zone_of_days(at));
    let looked_at = at.as_of.at.map_or(at.visit.now, |by| by.min(at.visit.now));
    let typed = asked.text("month").unwrap_or_default();
    let month = match typed {
        "" => Month::over(looked_at, &zone),
        typed => Month::read(typed, &zone),
    };
    let problem = match &month {
        None => Some(t.report_no_month()),
        Some(month) if month.from >= end(at) => Some(t.report_not_begun()),
        Some(_) => None,
    };
    let way = |month: Month| {
        let path = link(&at.path("report"), &[("month", Some(month.key()))]);
        [path, month.words()]
    };
    let mut page = ReportPage {
        t,
        frame: at.frame(),
        title: t.report_title(),
        typed: month.as_ref().map_or_else(|| typed.to_owned(), Month::key),
        problem,
        before: month.as_ref().and_then(|month| month.before(&zone)).map(way),
        after: month
            .as_ref()
            .and_then(|month| month.after(&zone))
            .filter(|after| after.from < end(at))
            .map(way),
        made: at.visit.show(at.visit.now),
        zone: zone.name().to_owned(),
        told: None,
    };
    let Some(month) = month.filter(|_| page.problem.is_none()) else {
        return respond::page(StatusCode::BAD_REQUEST, &page);
    };
    let before = month.before(&zone);
    let ask = |from, to| counted(at, Asked { every: Every::Day, from, to, stream: None });
    let now = ask(month.from, month.to.min(end(at))).await?;
    let was = match &before {
        Some(before) => ask(before.from, before.to).await?,
        None => Counted { total: Default::default(), streams: Default::default(), ..now.clone() },
    };
    if asked.is_set("csv") {
        let name = format!("report-{}-{}.csv", at.server, month.key());
        return Ok(respond::file(CSV, &name, table(t, &now, &was).into_bytes()));
    }
    page.title = t.report_title_of(at.label(), month.words());
    page.told = Some(told(at, &zone, &month, before.as_ref(), &now, &was).await?);
    respond::page(StatusCode::OK, &page)
}

async fn told(
    at: &AtServer<'_>,
    zone: &Zone,
    month: &Month,
    before: Option<&Month>,
    now: &Counted,
    was: &Counted,
) -> Result<Told, Failed> {
    let t = at.visit.t();
    let (figures_now, figures_was) = (Figures::of(&now.total), Figures::of(&was.total));
    let span = Span { from: now.from, to: now.to, stream: None };
    let (kind, sentence) = sentence(t, &month.words(), &figures_now);
    let so_far = (month.to > now.to).then(|| t.report_so_far(zone.show(now.to).text()));
    let charts = figures(at, &span, &month.words(), &now.slots(Every::Day), &figures_now);
    let here = link(&at.path("report"), &[("month", Some(month.key()))]);
    let days =
        [("from", month.first()), ("to", month.last())].map(|(name, day)| (name, Some(day.to_string())));
    let csv = |path: &str| link(path, &[("csv", Some("1".to_owned()))]);
    Ok(Told {
        kind,
        sentence,
        notes: so_far.into_iter().chain(notes(at, now)).collect(),
        names: [Some(month), before]
            .map(|month| month.map_or_else(String::new, |month| t.report_column(month.words()))),
        lines: lines(at, span, &figures_now, &figures_was),
        causes: causes(t, now, was).into_iter().filter(|cause| cause.counts != [0, 0]).collect(),
        figures: charts.into_iter().filter(|figure| CHARTS.contains(&figure.id)).collect(),
        complete: complete(at, month).await?,
        csv: [csv(&here), csv(&link(&at.path("statistics"), &days))],
    })
}

async fn complete(at: &AtServer<'_>, month: &Month) -> Result<Option<(&'static str, String)>, Failed> {
    match truth::in_days(at, month.first(), month.last()).await {
        Ok(complete) => Ok(Some(complete)),
        Err(failed) if failed.status == StatusCode::FORBIDDEN => Ok(None),
        Err(failed) => Err(failed),
    }
}

/// The month in a sentence, and how it stands by the style's name.
fn sentence(t: Texts, month: &str, figures: &Figures) -> (&'static str, String) {
    let Figures { delivered, bounces, complaints, .. } = figures;
    if *delivered == 0 && bounces.events == 0 && complaints.events == 0 {
        return ("risky", t.report_nothing(month));
    }
    let part = |rate: &Rate| match rate.value {
        Some(value) => t.report_part(number(rate.events), super::rates::percent(value)),
        None => number(rate.events),
    };
    let sum = t.report_sum(month, number(delivered), part(bounces), part(complaints));
    let [of_bounces, of_complaints] = levels(figures);
    let kind = match of_bounces.max(of_complaints) {
        Level::Fine => "send",
        Level::Warn => "risky",
        Level::Bad => "stop",
    };
    let [bounced, _] = limit(t, bounces, of_bounces, &BOUNCES);
    let [complained, _] = limit(t, complaints, of_complaints, &COMPLAINTS);
    let words = match (bounced.as_str(), complained.as_str()) {
        ("", _) | (_, "") => sum,
        (one, other) if one == other => t.report_both(sum, one),
        (one, other) => t.report_each(sum, one, other),
    };
    (kind, words)
}

/// Why addresses came on suppression lists: the most frequent reason first.
fn causes(t: Texts, now: &Counted, was: &Counted) -> Vec<Cause> {
    let of = |measure: &'static str, name: String| {
        let count = |counted: &Counted| counted.total.get(measure).copied().unwrap_or_default().max(0);
        Cause { measure, name, counts: [count(now), count(was)] }
    };
    let mut causes = vec![
        of("suppressed_hard_bounce", t.cause_hard_bounce()),
        of("suppressed_complaint", t.cause_complaint()),
        of("suppressed_unsubscribe", t.cause_unsubscribe()),
        of("suppressed_manual", t.cause_manual()),
        of("suppressed_unknown", t.cause_unknown()),
        of("decision_suppress", t.cause_decision()),
    ];
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.counts));
    causes
}

/// The tables of the page as one to keep.
fn table(t: Texts, now: &Counted, was: &Counted) -> Table {
    let mut table = Table::new(&[
        "what",
        "count",
        "share",
        "share_low",
        "share_high",
        "before",
        "before_share",
        "before_share_low",
        "before_share_high",
    ]);
    let both = [Figures::of(&now.total), Figures::of(&was.total)];
    let rate_of = |what: &str, rate: fn(&Figures) -> &Rate| {
        let part = |figures| {
            let Rate { events, value, low, high, .. } = rate(figures);
            let cell = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            [events.to_string(), cell(*value), cell(*low), cell(*high)]
        };
        std::iter::once(what.to_owned()).chain(both.iter().flat_map(part)).collect::<Vec<_>>()
    };
    let counts_of = |what: &str, counts: [i64; 2]| {
        let part = |count: i64| [count.to_string(), String::new(), String::new(), String::new()];
        std::iter::once(what.to_owned()).chain(counts.into_iter().flat_map(part)).collect::<Vec<_>>()
    };
    let of_both = |count: fn(&Figures) -> i64| [count(&both[0]), count(&both[1])];
    let mut rows = vec![
        counts_of("delivered", of_both(|figures| figures.delivered)),
        rate_of("bounced", |figures| &figures.bounces),
        rate_of("complaints", |figures| &figures.complaints),
        rate_of("opens", |figures| &figures.opens),
        rate_of("opens_machine", |figures| &figures.machine_opens),
        counts_of("clicks", of_both(|figures| figures.clicks)),
    ];
    rows.extend(causes(t, now, was).iter().map(|cause| counts_of(cause.measure, cause.counts)));
    for row in rows {
        table.row(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::rates::Counts;
    use ledger::Time;

    fn counted(counts: &[(&str, i64)]) -> Counted {
        Counted {
            zone: Zone::default(),
            is_other_zone: false,
            from: Time::default(),
            to: Time::default(),
            total: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Counts>(),
            streams: Default::default(),
        }
    }

    #[test]
    fn a_month_is_summed_up_in_a_sentence_and_by_its_worst_rate() {
        let t = Texts::default();
        let told = |counts: &[(&str, i64)]| sentence(t, "May 2026", &Figures::of(&counted(counts).total));
        assert_eq!(told(&[]), ("risky", t.report_nothing("May 2026")));
        let (kind, words) = told(&[("delivered", 9_990), ("bounce_hard", 10)]);
        assert_eq!(kind, "send");
        assert_eq!(
            words,
            "May 2026: 9,990 delivered, 10 (0.1%) bounced, 0 (0%) reported as spam; bounces and complaints are below all limits."
        );
        let (kind, words) = told(&[("delivered", 9_000), ("bounce_hard", 10), ("complaint", 90)]);
        assert_eq!(kind, "stop", "{words}");
        assert!(words.contains("below all limits") && words.contains("0.3%"), "{words}");
        let (kind, words) = told(&[("bounce_hard", 3)]);
        assert_eq!(kind, "stop", "{words}");
        assert!(words.contains("3 (100%)"), "{words}");
    }

    #[test]
    fn reasons_stand_by_how_many_there_are_and_the_file_has_all_of_them() {
        let t = Texts::default();
        let now = counted(&[("suppressed_manual", 2), ("suppressed_unsubscribe", 5), ("delivered", 100)]);
        let was = counted(&[("suppressed_manual", 9), ("delivered", 50), ("bounce_soft", 50)]);
        let names: Vec<&str> = causes(t, &now, &was).iter().map(|cause| cause.measure).take(2).collect();
        assert_eq!(names, ["suppressed_unsubscribe", "suppressed_manual"]);
        let text = String::from_utf8(table(t, &now, &was).into_bytes()).unwrap();
        let row = |what: &str| text.lines().find(|line| line.starts_with(what)).unwrap().to_owned();
        assert_eq!(text.lines().count(), 1 + 6 + 6);
        assert_eq!(row("delivered"), "delivered,100,,,,50,,,");
        assert_eq!(row("suppressed_manual"), "suppressed_manual,2,,,,9,,,");
        assert!(row("bounced").starts_with("bounced,0,0,0,"), "{}", row("bounced"));
        assert!(row("bounced").contains(",50,0.5,"), "{}", row("bounced"));
    }
}
