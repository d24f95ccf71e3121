//! What charts are held to: that nothing in them breaks out, and that they say what is there.

use super::*;

fn point(value: f64, interval: Option<[f64; 2]>) -> Option<Point> {
    Some(Point { value, interval, weight: 1.0 })
}

fn chart(shape: Shape, values: &[Option<Point>]) -> Chart {
    Chart {
        id: "x",
        title: "Bounce rate".to_owned(),
        description: "By day.".to_owned(),
        nothing: "nothing".to_owned(),
        shape,
        slots: (1..=values.len()).map(|day| format!("{day} Nov")).collect(),
        series: vec![Series { name: "rate".to_owned(), points: values.to_vec() }],
        limits: Vec::new(),
    }
}

fn drawn(chart: &Chart) -> String {
    let svg = chart.draw().to_string();
    for broken in ["NaN", "inf", "style=", "<script"] {
        assert!(!svg.contains(broken), "{broken}: {svg}");
    }
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    svg
}

/// What a class of path draws.
fn path<'a>(svg: &'a str, class: &str) -> &'a str {
    let from = svg.find(&format!("class=\"{class}")).map(|at| &svg[at..]);
    let from = from.unwrap_or_else(|| panic!("no {class} in {svg}"));
    from.split("d=\"").nth(1).unwrap().split('"').next().unwrap()
}

#[test]
fn it_has_a_name_and_a_description_and_is_an_image() {
    let svg = drawn(&chart(Shape::Lines, &[point(0.5, None)]));
    assert!(svg.starts_with("<svg class=\"chart\" role=\"img\" aria-labelledby=\"x-t x-d\""));
    assert!(svg.contains("<title id=\"x-t\">Bounce rate</title><desc id=\"x-d\">By day.</desc>"));
}

#[test]
fn no_text_breaks_out() {
    let mut hostile = chart(Shape::Bars, &[point(1.0, None)]);
    let text = "</title><script>alert('&\"')</script>\u{0}\n";
    (hostile.title, hostile.description) = (text.to_owned(), text.to_owned());
    (hostile.slots[0], hostile.series[0].name) = (text.to_owned(), text.to_owned());
    hostile.series.push(hostile.series[0].clone());
    hostile.limits = vec![(0.5, text.to_owned())];
    let svg = drawn(&hostile);
    let escaped = "&lt;/title&gt;&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;  ";
    assert_eq!(svg.matches(escaped).count(), 6);
    hostile.series.clear();
    hostile.nothing = text.to_owned();
    assert!(drawn(&hostile).contains(escaped));
}

#[test]
fn of_nothing_it_says_so() {
    for empty in [chart(Shape::Bars, &[]), chart(Shape::Lines, &[None, None])] {
        let svg = drawn(&empty);
        assert!(svg.contains(">nothing</text>") && !svg.contains("<path"), "{svg}");
    }
    let none = chart(Shape::Lines, &[point(f64::NAN, None), point(f64::INFINITY, None)]);
    assert!(drawn(&none).contains(">nothing</text>"));
}

#[test]
fn one_point_is_a_mark_and_one_bar_is_no_wall() {
    let svg = drawn(&chart(Shape::Lines, &[point(0.01, Some([0.005, 0.015]))]));
    assert_eq!(path(&svg, "mark").matches("h0").count(), 1);
    let svg = drawn(&chart(Shape::Bars, &[point(7.0, None)]));
    assert!(svg.contains("stroke-width=\"48.0\""));
}

#[test]
fn whiskers_reach_from_end_to_end_around_the_value() {
    let svg = drawn(&chart(Shape::Lines, &[point(0.02, Some([0.01, 0.03])), point(0.01, None)]));
    // The top is 3 %: 180 units are 3 %.
    let whisker = path(&svg, "whisker");
    assert!(whisker.contains(" 148.0V28.0"), "{whisker}");
    assert_eq!(whisker.matches("h6").count(), 2, "an end at both");
    assert_eq!(path(&svg, "line").matches('L').count(), 1);
}

#[test]
fn a_whisker_beyond_the_top_is_cut_off_and_does_not_flatten_the_rest() {
    let svg =
        drawn(&chart(Shape::Lines, &[point(0.01, Some([0.0, 0.9])), point(0.01, Some([0.009, 0.011]))]));
    assert!(svg.contains(">1.5%</text>") && !svg.contains(">90%</text>"), "{svg}");
    assert_eq!(path(&svg, "whisker").matches("h6").count(), 3, "three of four ends are there");
}

#[test]
fn what_is_of_hardly_any_mail_does_not_flatten_the_rest() {
    let of = |value, weight| Some(Point { value, interval: None, weight });
    let mut rates = chart(Shape::Lines, &[of(0.01, 990.0), of(1.0, 1.0), of(0.02, 1_000.0)]);
    let svg = drawn(&rates);
    assert!(svg.contains(">2%</text>") && !svg.contains(">100%</text>"), "{svg}");
    assert!(path(&svg, "mark").contains("l3 -6l3 6") && rates.is_cut());
    rates.series[0].points[1] = of(1.0, 100.0);
    assert!(drawn(&rates).contains(">100%</text>") && !rates.is_cut());
    let unweighted = chart(Shape::Lines, &[of(0.01, 0.0), of(1.0, 0.0)]);
    assert!(!unweighted.is_cut());
}

#[test]
fn a_gap_is_a_gap() {
    let svg = drawn(&chart(Shape::Lines, &[point(0.1, None), None, point(0.1, None), point(0.2, None)]));
    let line = path(&svg, "line");
    assert_eq!((line.matches('M').count(), line.matches('L').count()), (2, 1));
}

#[test]
fn limits_are_drawn_up_to_the_first_above_the_values() {
    let mut limited = chart(Shape::Lines, &[point(0.01, None)]);
    limited.limits = vec![(0.02, "warn".to_owned()), (0.04, "bad".to_owned()), (0.1, "trouble".to_owned())];
    let svg = drawn(&limited);
    assert!(svg.contains(">warn</text>") && !svg.contains(">bad</text>"));
    limited.series[0].points = vec![point(0.05, None)];
    let svg = drawn(&limited);
    for name in ["warn", "bad", "trouble"] {
        assert!(svg.contains(&format!(">{name}</text>")), "{name}");
    }
    assert_eq!(svg.matches("class=\"limit\"").count(), 3);
    // Names of limits that stand close together stand apart, and one without room is told elsewhere.
    limited.limits = [(0.04, "one"), (0.041, "two"), (0.042, "three"), (0.9, "far")]
        .map(|(at, name)| (at, name.to_owned()))
        .into();
    limited.series[0].points = vec![point(0.05, None), point(0.1, None)];
    limited.slots.push("2 Nov".to_owned());
    limited.limits.push((0.2, "next".to_owned()));
    let svg = drawn(&limited);
    assert!(svg.contains("\"end\">three<") && svg.contains("\"start\">two<"), "{svg}");
    assert_eq!(limited.unnamed_limits(), ["far", "one"]);
}

#[test]
fn bars_stand_upon_each_other_and_the_least_is_seen() {
    let mut stacked = chart(Shape::Bars, &[point(1_000_000.0, None)]);
    stacked.series.push(Series { name: "bounced".to_owned(), points: vec![point(1.0, None)] });
    let svg = drawn(&stacked);
    let ends = |class: &str| -> Vec<f64> {
        let path = path(&svg, class);
        let (_, ends) = path.split_once(' ').unwrap();
        ends.split('V').map(|end| end.parse().unwrap()).collect()
    };
    let (below, above) = (ends("bar s0"), ends("bar s1"));
    assert_eq!(below[1], above[0]);
    assert!(above[0] - above[1] >= 1.0);
    assert!(svg.contains(">rate</text>") && svg.contains(">bounced</text>"), "each is named");
}

#[test]
fn huge_values_and_nothing_at_all_have_a_scale() {
    let svg = drawn(&chart(Shape::Bars, &[point(i64::MAX as f64, None), point(-5.0, None)]));
    assert!(svg.contains(">5,000,000,000,000,000,000</text>"), "{svg}");
    let svg = drawn(&chart(Shape::Bars, &[point(f64::MAX, None)]));
    assert!(svg.contains("<path"));
    let svg = drawn(&chart(Shape::Bars, &[point(0.0, None)]));
    assert!(svg.contains(">1</text>"));
    let svg = drawn(&chart(Shape::Lines, &[point(0.0, Some([0.0, 0.000_2]))]));
    assert!(svg.contains(">0.02%</text>"), "{svg}");
    let svg = drawn(&chart(Shape::Lines, &[point(0.0, None)]));
    assert!(svg.contains(">1%</text>"), "{svg}");
}

#[test]
fn a_year_of_days_stays_small() {
    let days: Vec<Option<Point>> =
        (0..400).map(|day| point(f64::from(day) / 10_000.0, Some([0.0, 0.05]))).collect();
    let svg = drawn(&chart(Shape::Lines, &days));
    assert!(svg.len() < 20_000, "{}", svg.len());
    assert!(svg.matches("text-anchor=\"middle\"").count() <= LABELS);
}

#[test]
fn steps_are_round() {
    for (top, step, ends) in [(1.0, 0.5, 1.0), (7.0, 2.0, 8.0), (10.0, 5.0, 10.0), (0.004, 0.001, 0.004)] {
        let (ticks, end) = ticks(top, Shape::Lines);
        assert!((ticks[1] - step).abs() < 1e-12 && (end - ends).abs() < 1e-12, "{top}: {ticks:?}");
    }
    assert_eq!(ticks(1.0, Shape::Bars), (vec![0.0, 1.0], 1.0));
}
