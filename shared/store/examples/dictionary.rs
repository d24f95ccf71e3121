//! Trains the dictionary that items are packed with: `make dictionary`. The samples are Postmark's bodies as the
//! fixtures have them, each many times, with all that is peculiar to one mail replaced by random text of the same
//! shape, and the views folded from them. What it prints can be a new dictionary's number only: `pack` reads what
//! older ones packed for as long as it is stored.

use fastrand::Rng;
use ledger::fold::EventSet;
use ledger::{LedgerKey, ServerId, Source, Time};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

/// How large the dictionary is, in bytes.
const BYTES: usize = 16 * 1024;
/// How many samples there are of each kind of event.
const SAMPLES: usize = 1_500;

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("where is the dictionary to be written?")?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut kinds: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for entry in std::fs::read_dir(here.join("../postmark/fixtures"))? {
        let path = entry?.path();
        let Ok(body) = serde_json::from_slice::<Value>(&std::fs::read(&path)?) else { continue };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // What is at a limit on purpose would crowd out what is common.
        if !["at-limits", "1000-characters", "odd-characters"].iter().any(|rare| name.contains(rare))
            && let Some(kind) = kind(&body)
        {
            kinds.entry(kind).or_default().push(body);
        }
    }
    let mut rng = Rng::with_seed(1);
    let mut samples = Vec::new();
    for bodies in kinds.values() {
        for n in 0..SAMPLES {
            let mut body = bodies[n % bodies.len()].clone();
            vary(&mut body, "", &mut rng);
            samples.extend(packed_of(&body));
        }
    }
    rng.shuffle(&mut samples);
    let dictionary = zstd::dict::from_samples(&samples, BYTES)?;
    std::fs::write(out, dictionary)?;
    Ok(())
}

fn kind(body: &Value) -> Option<&'static str> {
    ["Delivery", "Bounce", "SpamComplaint", "Open", "Click", "SubscriptionChange"]
        .into_iter()
        .find(|kind| body["RecordType"] == *kind)
}

/// What would be packed of an event: its body, and the view of one to which it alone happened.
fn packed_of(body: &Value) -> Vec<String> {
    let context = postmark::Context {
        server: ServerId::new(body["ServerID"].as_i64().unwrap_or(1)).unwrap_or(ServerId::NONE),
        received_at: "2027-01-01T00:00:00Z".parse::<Time>().unwrap_or_default(),
        source: Source::Webhook,
        keep_engagement_detail: false,
    };
    let read = postmark::event(body.to_string().as_bytes(), &context, &LedgerKey::for_tests());
    let Ok((examined, event)) = read else {
        return Vec::new();
    };
    let set: EventSet = [event].into_iter().collect();
    let view = set.view().and_then(|view| serde_json::to_string(&view).ok());
    [Some(examined.canonical), view].into_iter().flatten().collect()
}

/// Replaces what is peculiar to one mail, keeping its shape.
fn vary(value: &mut Value, key: &str, rng: &mut Rng) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| {
            // A mail's own metadata: any names, any values.
            let name = if key == "Metadata" { "Metadata" } else { name };
            vary(value, name, rng);
        }),
        Value::Array(values) => values.iter_mut().for_each(|value| vary(value, key, rng)),
        Value::Number(number) if ["ID", "ServerID"].contains(&key) => {
            let digits = number.to_string().len().min(12) as u32;
            *value = rng.i64(10_i64.pow(digits - 1)..10_i64.pow(digits)).into();
        }
        Value::String(text) => match key {
            "MessageID" => *text = scrambled(text, rng, |c| c.is_ascii_hexdigit()),
            "BouncedAt" | "DeliveredAt" | "ReceivedAt" | "ChangedAt" => {
                // The year stays, the month and day stay possible.
                let (head, tail) = text.split_at(text.find('T').unwrap_or(text.len()));
                let head = head.get(..7).unwrap_or(head).to_owned();
                let (clock, zone) = tail.split_at(tail.len().min(9));
                let day = rng.u8(1..29);
                let hour = rng.u8(0..24);
                let (minute, second) = (rng.u8(0..60), rng.u8(0..60));
                if clock.len() == 9 {
                    let zone = match zone.strip_prefix('.') {
                        Some(_) => scrambled_until(zone, rng),
                        None => zone.to_owned(),
                    };
                    *text = format!("{head}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}");
                }
            }
            "Recipient" | "Email" | "From" => {
                let domains = ["gmail.com", "outlook.com", "yahoo.com", "icloud.com", "example.com"];
                let domain = match rng.u8(..10) {
                    n @ 0..5 => domains[usize::from(n)].to_owned(),
                    _ => format!("{}.com", scrambled("customer", rng, |c| c.is_ascii_lowercase())),
                };
                if text.is_ascii() && text.contains('@') && !text.contains(' ') {
                    *text = format!("{}@{domain}", scrambled("ada.abbott", rng, |c| c != '.'));
                }
            }
            "Tag" | "Metadata" | "Subject" => *text = scrambled(text, rng, |c| c.is_ascii_alphanumeric()),
            "OriginalLink" => {
                let (head, tail) = text.split_at(text.find("//").map_or(0, |at| at + 2));
                *text = format!("{head}{}", scrambled(tail, rng, |c| c.is_ascii_alphanumeric()));
            }
            // In sentences only the words that have a digit or an address in them.
            "Details" | "Description" => {
                *text = text
                    .split_inclusive(' ')
                    .map(|word| {
                        let code = word.trim().chars().all(|c| c.is_ascii_digit() || c == '.');
                        let peculiar = word.contains(|c: char| c.is_ascii_digit() || c == '@') && !code;
                        if peculiar && !word.starts_with("smtp;") {
                            scrambled(word, rng, |c| c.is_ascii_alphanumeric())
                        } else {
                            word.to_owned()
                        }
                    })
                    .collect();
            }
            _ => {}
        },
        _ => {}
    }
}

/// Another character of the same sort for each that `which` says.
fn scrambled(text: &str, rng: &mut Rng, which: impl Fn(char) -> bool) -> String {
    let hex = text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
    text.chars()
        .map(|c| match c {
            c if !which(c) => c,
            '0'..='9' | 'a'..='f' if hex => char::from(b"0123456789abcdef"[rng.usize(..16)]),
            '0'..='9' => rng.digit(10),
            'a'..='z' => rng.lowercase(),
            'A'..='Z' => rng.uppercase(),
            c => c,
        })
        .collect()
}

/// Another fraction of a second.
fn scrambled_until(zone: &str, rng: &mut Rng) -> String {
    let end = zone.find(['Z', '+', '-']).unwrap_or(zone.len());
    format!("{}{}", scrambled(&zone[..end], rng, |c| c.is_ascii_digit()), &zone[end..])
}
