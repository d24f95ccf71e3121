//! The report of a month: which month, which numbers, and what a client is sent.

use super::fixture::{Texts, brand, fill, record};
use super::html::Html;
use crate::bench::{Bench, OWN, Seen, VIEWER};
use crate::texts;
use http::Method;
use ledger::Source;
use serde_json::{Value, json};

const PATH: &str = "/servers/8123456/report";

async fn bench() -> Bench {
    let bench = Bench::default();
    bench.invite_all().await;
    fill(&bench, OWN, Texts::Plain("acme")).await;
    brand(&bench, Texts::Plain("agency")).await;
    bench
}

fn heading(seen: &Seen) -> String {
    Html::read(seen.text()).all("h1").next().unwrap().text.clone()
}

/// The sentence that sums a month up.
fn sum(seen: &Seen) -> String {
    let html = Html::read(seen.text());
    let is_sum =
        |one: &&super::html::Element| one.get("class").is_some_and(|class| class.starts_with("verdict"));
    html.all("p").find(is_sum).map(|one| one.text.clone()).unwrap_or_default()
}

async fn delivered(bench: &Bench, at: &str, n: i64) {
    let body = json!({
        "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": OWN, "MessageID": format!("edge-{n}"),
        "Recipient": "edge@customer.example", "DeliveredAt": at,
    });
    record(bench, OWN, body, Source::Webhook).await;
}

#[tokio::test]
async fn it_is_about_the_last_month_that_is_over_unless_another_is_chosen() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let seen = browser.get(PATH).await;
    assert_eq!((seen.status, heading(&seen)), (200, "¤Shop of acme¤: mail in October 2026".to_owned()));
    let targets: Vec<String> = ["2026-09", "2026-11"].map(|month| format!("{PATH}?month={month}")).into();
    let html = Html::read(seen.text());
    let links: Vec<&str> = html.all("a").filter_map(|link| link.get("href")).collect();
    assert!(targets.iter().all(|target| links.contains(&target.as_str())), "{links:?}");
    let seen = browser.get(&targets[1]).await;
    assert_eq!(heading(&seen), "¤Shop of acme¤: mail in November 2026");
    assert!(seen.text().contains("The month is not over") && !seen.text().contains("2026-12"));
    assert!(seen.text().contains("¤The agency¤"), "at its head");
}

#[tokio::test]
async fn its_numbers_are_those_that_the_api_counts_and_the_file_has_the_same() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let (from, to) = ("2026-11-01T00:00:00Z", "2026-11-25T12:00:00Z");
    let ask = format!("/v1/servers/{OWN}/stats?by=day&from={from}&to={to}");
    let (_, stats) = bench.api(Method::GET, &ask, Value::Null).await;
    let counts = &stats["total"]["counts"];
    let of = |name: &str| counts[name].as_i64().unwrap_or_default();
    assert!(of("delivered") > 0 && of("suppressed_hard_bounce") > 0, "{counts}");
    let seen = browser.get(&format!("{PATH}?month=2026-11")).await;
    assert!(
        sum(&seen).starts_with(&format!("November 2026: {} delivered", of("delivered"))),
        "{}",
        sum(&seen)
    );
    let file = browser.get(&format!("{PATH}?month=2026-11&csv=1")).await;
    let row = |what: &str| -> Vec<String> {
        let line = file.text().lines().find(|line| line.split(',').next() == Some(what)).unwrap();
        line.split(',').map(str::to_owned).collect()
    };
    assert_eq!(row("delivered")[1], of("delivered").to_string());
    assert_eq!(row("bounced")[1], stats["total"]["bounce_rate"]["events"].to_string());
    assert_eq!(row("suppressed_hard_bounce")[1], of("suppressed_hard_bounce").to_string());
    let name = file.header("content-disposition").unwrap();
    assert!(name.contains("report-8123456-2026-11.csv"), "{name}");
}

#[tokio::test]
async fn a_month_is_one_of_the_zone_of_whoever_looks() {
    let bench = Bench::default();
    bench.invite_all().await;
    // Half an hour into November in Berlin, and still October in UTC.
    delivered(&bench, "2026-10-31T23:30:00Z", 1).await;
    delivered(&bench, "2026-10-15T12:00:00Z", 2).await;
    delivered(&bench, "2026-10-16T12:00:00Z", 3).await;
    let mut browser = bench.signed_in(VIEWER).await;
    assert!(sum(&browser.get(PATH).await).starts_with("October 2026: 3 delivered"));
    let chosen = browser.post("/account", &[("action", "zone"), ("zone", "Europe/Berlin")]).await;
    assert_eq!(chosen.status, 303, "{}", chosen.text());
    assert!(sum(&browser.get(PATH).await).starts_with("October 2026: 2 delivered"));
    let november = browser.get(&format!("{PATH}?month=2026-11")).await;
    assert!(sum(&november).starts_with("November 2026: 1 delivered"), "{}", sum(&november));
}

#[tokio::test]
async fn what_is_no_month_or_has_not_begun_is_told_beside_the_field() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let t = texts::Texts::default();
    for (month, words) in [
        ("october", t.report_no_month()),
        ("2026-13", t.report_no_month()),
        ("2026-12", t.report_not_begun()),
    ] {
        let seen = browser.get(&format!("{PATH}?month={month}")).await;
        assert_eq!(seen.status, 400, "{month}");
        let html = Html::read(seen.text());
        let told = html.elements.iter().find(|one| one.get("id") == Some("month-problem")).unwrap();
        assert_eq!((told.text.as_str(), sum(&seen).as_str()), (words.as_str(), ""), "{month}");
    }
}

#[tokio::test]
async fn looked_at_as_of_another_time_it_is_about_the_month_before_that() {
    let bench = bench().await;
    let mut browser = bench.signed_in(VIEWER).await;
    let seen = browser.get(&format!("{PATH}?at=2026-08-10T08:00")).await;
    assert_eq!(heading(&seen), "¤Shop of acme¤: mail in July 2026");
    let seen = browser.get(&format!("{PATH}?month=2026-09&at=2026-08-10T08:00")).await;
    assert_eq!(seen.status, 400, "it had not begun");
}

#[test]
fn on_paper_there_is_neither_navigation_nor_a_form_nor_a_dark_ground() {
    let style = include_str!("../../static/portal.css");
    let (screen, print) = style.split_once("@media print {").unwrap();
    let hidden = print.lines().find(|line| line.contains("display: none")).unwrap();
    for part in [".account", ".tabs", ".skip", ".screen", "form", ".as-of"] {
        assert!(hidden.contains(part), "{part}");
    }
    assert!(screen.contains("size: A4") && print.contains("break-inside: avoid"));
    assert_eq!(screen.matches("prefers-color-scheme: dark").count(), 1);
    assert!(screen.contains("@media screen and (prefers-color-scheme: dark)"), "paper has the light scheme");
}
