//! How fast it is: a million events of 40 servers with three streams, every request answered, and its memory.

use postmark_simulator::{Answer, Config, Handled, Record, Scenario, Simulator, StreamKind};
use serde_json::json;
use std::io::Write;
use std::time::Instant;

const SERVERS: usize = 40;
const EVENTS: usize = 1_000_000;
const BATCH: usize = 500;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut simulator = Simulator::new(Config::new(7));
    let weights = r#"[{"weights": {"delivered": 50, "delivered.open1": 20, "delivered.mopen1.open2.click1": 20,
        "hard": 4, "soft": 3, "transient": 2, "delivered.complaint": 1}}]"#;
    simulator.set_scenario(Scenario::parse(weights)?);
    let mut streams = Vec::new();
    for number in 0..SERVERS {
        let server = simulator.add_server(&format!("Client {number}"));
        simulator.add_stream(server.id, "receipts", StreamKind::Transactional);
        for stream in ["outbound", "broadcast", "receipts"] {
            simulator.add_webhook(server.id, stream, "https://hook.example/v1/events", &Record::ALL);
            streams.push((server.token.clone(), stream));
        }
    }
    let started = Instant::now();
    let (mut requests, mut bytes, mut sent) = (0_usize, 0_usize, 0_usize);
    while requests < EVENTS {
        let (token, stream) = &streams[sent % streams.len()];
        let batch: Vec<_> = (0..BATCH).map(|at| mail(sent * BATCH + at, stream)).collect();
        sent += 1;
        let request = http::Request::post("/email/batch")
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .header("X-Postmark-Server-Token", token)
            .body(serde_json::to_vec(&batch)?)?;
        let Handled::Answer(answer) = simulator.api(request) else {
            return Err("a send verifies nothing".into());
        };
        answer.into_body().for_each(drop);
        let until = simulator.now().plus_seconds(600);
        while let Some(due) = simulator.advance(until) {
            requests += 1;
            bytes += due.request.body().len();
            let failed = requests.is_multiple_of(50);
            simulator.answered(due.id, Answer::status(if failed { 503 } else { 200 }));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let events = simulator.truth().events().count();
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = memory.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
    let rate = requests as f64 / seconds;
    writeln!(
        std::io::stdout(),
        "{requests} requests of {events} events, {} messages, {} MB in {seconds:.1} s: {rate:.0} a second; {memory}",
        simulator.truth().messages(),
        bytes >> 20
    )?;
    Ok(())
}

fn mail(number: usize, stream: &str) -> serde_json::Value {
    json!({
        "From": "news@sender.example", "To": format!("person{}@customer{}.example", number % 300_000, number % 97),
        "Subject": "Your week in review", "Tag": "weekly", "MessageStream": stream, "TrackOpens": true,
        "TrackLinks": "HtmlAndText", "Metadata": {"order": number.to_string()},
        "HtmlBody": "<a href=\"https://app.sender.example/1\">1</a> <a href=\"https://app.sender.example/2\">2</a>",
    })
}
