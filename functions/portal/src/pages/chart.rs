//! Charts, drawn on the server as SVG: bars of counts, and lines of rates with their intervals as whiskers and limits drawn
//! in. Nothing in them is styled but by attributes and classes, so that the strictest policy for styles lets them be.
//!
//! Each has a name and a description for those who do not see it; the page puts its table beside it.

use super::rates::percent;
use super::shared::number;
use askama::filters::HtmlSafe;
use std::fmt::{self, Write as _};

/// How wide a chart is, in its own units.
const WIDTH: f64 = 720.0;
/// How high its plot is, and what stands above and below it.
const PLOT: f64 = 180.0;
const ABOVE: f64 = 28.0;
const BELOW: f64 = 24.0;
/// How wide a letter of a label is, about.
const LETTER: f64 = 7.5;
/// How many labels stand below at most.
const LABELS: usize = 7;
/// Of more slots each point has no mark of its own, and whiskers have no ends.
const MARKED: usize = 120;
/// The highest value that is drawn as it is: sums of any number of them are numbers still.
const MOST: f64 = 1e30;
/// How far apart the names of limits stand at least.
const APART: f64 = 14.0;
/// How much further up than values and limits whiskers may stretch the scale.
const WHISKERS: f64 = 1.5;
/// Which part of all mail may lie beyond the top.
const BEYOND: f64 = 0.02;

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As bars upon each other: counts.
    Bars,
    /// As a line of points, each with its interval: rates.
    Lines,
}

/// A value of a slot, and the interval that it lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    /// The value.
    pub value: f64,
    /// The ends of its interval, where it has one.
    pub interval: Option<[f64; 2]>,
    /// Of how much mail it is: what is of hardly any does not stretch the scale.
    pub weight: f64,
}

/// Values of one kind, slot by slot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// What they are.
    pub name: String,
    /// The values; where there is none, there is a gap.
    pub points: Vec<Option<Point>>,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chart {
    /// What its parts are called on the page: letters, digits, hyphens.
    pub id: &'static str,
    /// Its name.
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// What is said where there is nothing to show.
    pub nothing: String,
    /// How it is drawn.
    pub shape: Shape,
    /// What the slots are called, in order.
    pub slots: Vec<String>,
    /// The values.
    pub series: Vec<Series>,
    /// Limits and their names.
    pub limits: Vec<(f64, String)>,
}

/// A chart, drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Svg(String);

// Every text in it is escaped where it is put in.
impl HtmlSafe for Svg {}

impl fmt::Display for Svg {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Where the name of a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Where things stand.
struct Scale {
    left: f64,
    /// How wide a slot is.
    slot: f64,
    /// What the top of the plot stands for.
    top: f64,
}

impl Scale {
    fn x(&self, slot: usize) -> f64 {
        self.left + (slot as f64 + 0.5) * self.slot
    }

    fn y(&self, value: f64) -> f64 {
        ABOVE + PLOT * (1.0 - (value / self.top).clamp(0.0, 1.0))
    }
}

impl Chart {
    /// Draws it.
    pub(super) fn draw(&self) -> Svg {
        let (id, height) = (self.id, ABOVE + PLOT + BELOW);
        let mut svg = format!(
            "<svg class=\"chart\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {WIDTH} {height}\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            escaped(&self.title),
            escaped(&self.description)
        );
        if self.is_empty() {
            let (x, y) = (WIDTH / 2.0, ABOVE + PLOT / 2.0);
            svg += &text(x, y, "middle", "axis", &self.nothing);
        } else {
            self.plot(&mut svg);
        }
        svg += "</svg>";
        Svg(svg)
    }

    /// The limits that have no name in it: they are further up than it reaches, or too close to others.
    pub(super) fn unnamed_limits(&self) -> Vec<&str> {
        let top = if self.is_empty() { 0.0 } else { ticks(self.top(), self.shape).1 };
        self.placed(top)
            .into_iter()
            .filter(|(_, side)| side.is_none())
            .map(|(limit, _)| limit.1.as_str())
            .collect()
    }

    /// Whether some of its values are further up than it reaches.
    pub(super) fn is_cut(&self) -> bool {
        let top = ticks(self.top(), self.shape).1;
        self.series.iter().flat_map(|series| self.points(series)).any(|(_, point)| point.value > top)
    }

    /// The limits, and at which side their names stand where there is room for them, from the highest on.
    fn placed(&self, top: f64) -> Vec<(&(f64, String), Option<Side>)> {
        let y = |at: f64| PLOT * (1.0 - at / top);
        let (mut left, mut right) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        let mut limits: Vec<&(f64, String)> = self.limits.iter().filter(|(at, _)| *at > 0.0).collect();
        limits.sort_by(|one, other| other.0.total_cmp(&one.0));
        let place = |limit: &(f64, String)| {
            let here = y(limit.0);
            if limit.0 > top {
                None
            } else if here - right >= APART {
                right = here;
                Some(Side::Right)
            } else if here - left >= APART {
                left = here;
                Some(Side::Left)
            } else {
                None
            }
        };
        let sides: Vec<Option<Side>> = limits.iter().copied().map(place).collect();
        limits.into_iter().zip(sides).collect()
    }

    /// What there is in each slot: no number that is none, and none below nothing.
    fn points<'a>(&self, series: &'a Series) -> impl Iterator<Item = (usize, Point)> + 'a {
        let slots = self.slots.len();
        series.points.iter().take(slots).enumerate().filter_map(|(slot, point)| {
            let point = (*point)?;
            let interval = point.interval.filter(|ends| ends.iter().all(|end| end.is_finite()));
            let (value, weight) = (point.value.clamp(0.0, MOST), point.weight.clamp(0.0, MOST));
            point.value.is_finite().then_some((slot, Point { value, interval, weight }))
        })
    }

    fn is_empty(&self) -> bool {
        self.series.iter().all(|series| self.points(series).next().is_none())
    }

    /// The points that the scale is made for: those of more than hardly any mail.
    fn telling(&self) -> Vec<Point> {
        let all = self.series.iter().flat_map(|series| self.points(series));
        let mut points: Vec<Point> = all.map(|(_, point)| point).collect();
        points.sort_by(|one, other| other.value.total_cmp(&one.value));
        let most = points.iter().map(|point| point.weight).sum::<f64>() * BEYOND;
        let mut beyond = 0.0;
        let beyond = points.iter().take_while(|point| {
            beyond += point.weight;
            beyond <= most && most > 0.0
        });
        points.split_off(beyond.count())
    }

    /// The highest of bars that stand upon each other.
    fn highest_bar(&self) -> f64 {
        let mut sums = vec![0.0_f64; self.slots.len()];
        for (slot, point) in self.series.iter().flat_map(|series| self.points(series)) {
            sums[slot] += point.value;
        }
        sums.into_iter().fold(0.0, f64::max)
    }

    /// What the top stands for: the highest value and the limit above it, with as much of the whiskers as leaves the
    /// values to be seen.
    fn top(&self) -> f64 {
        let telling = self.telling();
        let highest = match self.shape {
            Shape::Bars => self.highest_bar(),
            Shape::Lines => telling.first().map_or(0.0, |point| point.value),
        };
        let next = self.limits.iter().map(|(at, _)| *at).filter(|at| *at > highest).reduce(f64::min);
        let top = next.unwrap_or(highest).max(highest);
        let whiskers = telling.iter().filter_map(|point| Some(point.interval?[1]));
        let whisker = whiskers.fold(0.0, f64::max);
        let top = top.max(whisker.min(top * WHISKERS));
        match self.shape {
            _ if top > 0.0 => top,
            // A rate that was nothing everywhere is drawn as nothing of something.
            Shape::Lines if whisker > 0.0 => whisker,
            Shape::Lines => 0.01,
            Shape::Bars => 1.0,
        }
    }

    fn plot(&self, svg: &mut String) {
        let (ticks, top) = ticks(self.top(), self.shape);
        let labels: Vec<String> = ticks.iter().map(|tick| self.label(*tick)).collect();
        let letters = labels.iter().map(|label| label.chars().count()).max().unwrap_or_default();
        let left = letters as f64 * LETTER + 14.0;
        let slot = (WIDTH - left - 8.0) / self.slots.len().max(1) as f64;
        let scale = Scale { left, slot, top };
        for (tick, label) in ticks.iter().zip(&labels) {
            let y = scale.y(*tick);
            let _ = write!(svg, "<path class=\"grid\" d=\"M{left:.0} {y:.1}H{WIDTH}\"/>");
            *svg += &text(left - 6.0, y + 4.0, "end", "axis", label);
        }
        self.below(svg, &scale);
        self.limits(svg, &scale);
        match self.shape {
            Shape::Bars => self.bars(svg, &scale),
            Shape::Lines => self.lines(svg, &scale),
        }
        if self.series.len() > 1 {
            self.legend(svg, left);
        }
    }

    fn label(&self, value: f64) -> String {
        match self.shape {
            Shape::Bars => number(value as i128),
            Shape::Lines => percent(value),
        }
    }

    /// The names of slots, as many as there is room for.
    fn below(&self, svg: &mut String, scale: &Scale) {
        let letters = self.slots.iter().map(|slot| slot.chars().count()).max().unwrap_or_default();
        let room = (WIDTH - scale.left) / (letters as f64 * LETTER + 12.0);
        let step = self.slots.len().div_ceil((room as usize).clamp(1, LABELS));
        for (slot, name) in self.slots.iter().enumerate().step_by(step.max(1)) {
            let half = name.chars().count() as f64 * LETTER / 2.0;
            // None leaves the chart.
            let x = scale.x(slot).min(WIDTH - half).max(half);
            *svg += &text(x, ABOVE + PLOT + 17.0, "middle", "axis", name);
        }
    }

    fn bars(&self, svg: &mut String, scale: &Scale) {
        let mut sums = vec![0.0_f64; self.slots.len()];
        let width = (scale.slot * 0.75).min(48.0);
        for (nth, series) in self.series.iter().enumerate() {
            let mut path = String::new();
            for (slot, point) in self.points(series).filter(|(_, point)| point.value > 0.0) {
                let from = scale.y(sums[slot]);
                sums[slot] += point.value;
                // What is there is seen, be it ever so little.
                let to = scale.y(sums[slot]).min(from - 1.0);
                let _ = write!(path, "M{:.1} {from:.1}V{to:.1}", scale.x(slot));
            }
            let _ = write!(svg, "<path class=\"bar s{nth}\" stroke-width=\"{width:.1}\" d=\"{path}\"/>");
        }
    }

    fn lines(&self, svg: &mut String, scale: &Scale) {
        let is_marked = self.slots.len() <= MARKED;
        for (nth, series) in self.series.iter().enumerate() {
            // Of several, each stands a little aside, so that no whisker hides another.
            let aside = (nth as f64 * 4.0).min(scale.slot * 0.3);
            let (mut line, mut marks, mut whiskers, mut last) =
                (String::new(), String::new(), String::new(), None);
            for (slot, point) in self.points(series) {
                let (x, y) = (scale.x(slot) + aside, scale.y(point.value));
                let joined = last.is_some_and(|last: usize| last + 1 == slot);
                let _ = write!(line, "{}{x:.0} {y:.1}", if joined { "L" } else { "M" });
                if point.value > scale.top {
                    let _ = write!(marks, "M{:.0} {:.1}l3 -6l3 6", x - 3.0, y + 6.0);
                } else if is_marked || !joined {
                    let _ = write!(marks, "M{x:.0} {y:.1}h0");
                }
                if let Some(ends) = point.interval {
                    whisker(&mut whiskers, scale, x, ends, is_marked);
                }
                last = Some(slot);
            }
            let _ = write!(
                svg,
                "<g class=\"s{nth}\"><path class=\"whisker\" d=\"{whiskers}\"/>\
                 <path class=\"line\" d=\"{line}\"/><path class=\"mark\" d=\"{marks}\"/></g>"
            );
        }
    }

    fn limits(&self, svg: &mut String, scale: &Scale) {
        for ((at, name), side) in self.placed(scale.top) {
            if *at > scale.top {
                continue;
            }
            let y = scale.y(*at);
            let _ = write!(svg, "<path class=\"limit\" d=\"M{:.0} {y:.1}H{WIDTH}\"/>", scale.left);
            *svg += &match side {
                Some(Side::Right) => text(WIDTH - 2.0, y - 4.0, "end", "limit-name", name),
                Some(Side::Left) => text(scale.left + 4.0, y - 4.0, "start", "limit-name", name),
                None => String::new(),
            };
        }
    }

    fn legend(&self, svg: &mut String, left: f64) {
        let mut x = left;
        for (nth, series) in self.series.iter().enumerate() {
            let (kind, width) = match self.shape {
                Shape::Bars => ("bar", " stroke-width=\"10\""),
                Shape::Lines => ("line", ""),
            };
            let _ = write!(svg, "<path class=\"{kind} s{nth}\"{width} d=\"M{x:.0} 10h22\"/>");
            *svg += &text(x + 28.0, 14.0, "start", "axis", &series.name);
            x += 44.0 + series.name.chars().count() as f64 * LETTER;
        }
    }
}

/// A whisker: cut off at the top of the plot, where it has no end then.
fn whisker(path: &mut String, scale: &Scale, x: f64, [low, high]: [f64; 2], has_ends: bool) {
    let (from, to) = (scale.y(low), scale.y(high));
    let _ = write!(path, "M{x:.0} {from:.1}V{to:.1}");
    if has_ends {
        let _ = write!(path, "M{:.0} {from:.1}h6", x - 3.0);
        if high <= scale.top {
            let _ = write!(path, "M{:.0} {to:.1}h6", x - 3.0);
        }
    }
}

/// The values at the side, from nothing on in round steps, and the one at the top.
fn ticks(top: f64, shape: Shape) -> (Vec<f64>, f64) {
    let rough = top / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|by| by * power).find(|step| *step >= rough * 0.999_999);
    let mut step = step.unwrap_or(rough);
    if shape == Shape::Bars {
        step = step.max(1.0);
    }
    let steps = (top / step - 1e-9).ceil().max(1.0);
    ((0..=steps as usize).map(|nth| nth as f64 * step).collect(), steps * step)
}

fn text(x: f64, y: f64, anchor: &str, class: &str, words: &str) -> String {
    let words = escaped(words);
    format!("<text class=\"{class}\" x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{words}</text>")
}

/// A text that ends no element and begins none.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            one if one.is_control() => out.push(' '),
            one => out.push(one),
        }
    }
    out
}

#[cfg(test)]
mod tests;
