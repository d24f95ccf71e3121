//! What mail an agency's clients send, to whom, and what becomes of it.

use fastrand::Rng;
use postmark_simulator::{After, BounceType, End, Outcome, Sent};
use serde_json::{Value, json};

/// How many events a message has, about, less what is not sent since the recipient is suppressed.
pub(crate) const EVENTS_PER_MESSAGE: f64 = 1.6;
/// Of a hundred messages, how many are part of a campaign.
pub(crate) const CAMPAIGN_PERCENT: u64 = 45;
/// How many messages a recipient gets, about.
pub(crate) const MESSAGES_PER_RECIPIENT: u64 = 9;

/// The names of a client's streams: two for single mails, one for campaigns; the third is of either kind.
pub(crate) const STREAMS: [&str; 3] = ["outbound", "broadcast", "notices"];

/// Whether the third stream of a client is for campaigns too.
pub(crate) const fn notices_are_broadcast(client: usize) -> bool {
    client % 3 == 1
}

/// How busy an hour of the day is (UTC), in parts of a thousand of the average.
pub(crate) fn busy(hour: i64) -> u64 {
    match hour {
        0..=6 => 300,
        7..=11 => 900,
        12..=20 => 1_700,
        _ => 700,
    }
}

/// The address of a recipient by number. Some have a plus tag, or are written in large letters now and then.
pub(crate) fn address(client: usize, number: u64, rng: &mut Rng) -> String {
    let domain = ["mail.example", "firm.example", "post.example"][(number % 3) as usize];
    let tag = if number % 7 == 3 { "+news" } else { "" };
    let name = if rng.u8(..50) == 0 { "Person" } else { "person" };
    format!("{name}{number}{tag}@c{client}.{domain}")
}

/// A message for a batch.
pub(crate) fn message(client: usize, stream: &str, to: &str, rng: &mut Rng) -> Value {
    let campaign = stream == "broadcast";
    let html = if campaign {
        "<p>News</p><a href=\"https://shop.example/a\">A</a> <a href=\"https://shop.example/b\">B</a>"
    } else {
        "<p>Thank you</p><a href=\"https://shop.example/order\">Your order</a>"
    };
    let mut message = json!({
        "From": format!("hello@client{client}.example"),
        "To": to,
        "Subject": if campaign { "News of the week" } else { "Your order" },
        "HtmlBody": html,
        "TextBody": "See https://shop.example/text",
        "MessageStream": stream,
        "TrackOpens": rng.u8(..10) > 0,
        "TrackLinks": "HtmlAndText",
    });
    if rng.bool() {
        message["Tag"] = json!(["welcome", "receipt", "weekly"][rng.usize(..3)]);
    }
    if rng.u8(..4) == 0 {
        message["Metadata"] = json!({ "order": rng.u32(..100_000).to_string() });
    }
    message
}

/// What becomes of a mail.
pub(crate) fn outcome(sent: &Sent<'_>, rng: &mut Rng) -> Outcome {
    let bounced = |kind| Outcome { end: End::Bounced { kind, deactivates: false }, ..Outcome::DELIVERED };
    // Some mailboxes are full most of the time.
    let full =
        sent.recipient.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte | 32)) % 83 == 0;
    if full && rng.u8(..10) < 7 {
        return bounced(BounceType::SoftBounce);
    }
    let mut outcome = match rng.u32(..10_000) {
        0..60 => return bounced(BounceType::HardBounce),
        60..190 => return bounced(BounceType::SoftBounce),
        190..230 => return bounced(BounceType::Blocked),
        230..250 => return bounced(BounceType::DnsError),
        250..256 => return bounced(BounceType::BadEmailAddress),
        256..262 => return bounced(BounceType::SpamNotification),
        262..266 => return bounced(BounceType::DMARCPolicy),
        266..269 => return bounced(BounceType::VirusNotification),
        269..272 => return bounced(BounceType::ManuallyDeactivated),
        272..275 => return bounced(BounceType::ChallengeVerification),
        275..278 => return bounced(BounceType::AddressChange),
        278..281 => return bounced(BounceType::Unknown),
        281..295 => {
            let end = End::Bounced { kind: BounceType::SoftBounce, deactivates: true };
            return Outcome { end, ..Outcome::DELIVERED };
        }
        295..310 => return Outcome { end: End::Lost, ..Outcome::DELIVERED },
        310..430 => Outcome { end: End::Delayed, ..Outcome::DELIVERED },
        _ => Outcome::DELIVERED,
    };
    outcome.opens = if rng.u8(..100) < 30 { rng.u8(1..=3) } else { 0 };
    outcome.machine_opens = u8::from(rng.u8(..100) < 15);
    outcome.clicks = if rng.u8(..100) < 7 { rng.u8(1..=3) } else { 0 };
    outcome.after = match rng.u32(..10_000) {
        0..12 => After::Complains,
        12..50 => After::Unsubscribes,
        50..75 => After::BouncesLater,
        75..120 => After::Replies,
        120..135 => After::AsksByMail,
        _ => After::Nothing,
    };
    outcome
}
