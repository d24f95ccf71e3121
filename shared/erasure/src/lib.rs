//! The erased: who they are, which bodies tell of them wherever a body lies (on its way, in quarantine, among the dead
//! letters), what is taken out of what is recorded ([`strip()`]), and the [`sweep`] of what arrives later.
//!
//! Invariant: a body that tells an event of somebody erased becomes that event without its person, and can still be
//! recorded as what it is. Of a body that nobody understands nothing is left where it names somebody erased, in any of
//! the encodings that are known here, or where it holds more than can be searched: rather too much goes than too
//! little. What tells of nobody erased is not touched.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod decode;
mod known;
mod observe;
mod report;
mod strip;
pub mod sweep;
mod traces;

pub use known::Known;
pub use report::Swept;
pub use strip::{SWEPT_DAYS, Stripped, strip};

use ledger::{Event, LedgerKey, RecipientId, ServerId, Source, Time, recipient_key};
use postmark::{Body, Context};
use queue::{Envelope, EnvelopeError, Erased, Part, SetAside};
use std::collections::{BTreeSet, HashSet};
use traces::{TooMuch, Traces};

/// Who is erased.
#[derive(Clone, Debug, Default)]
pub struct Erasures {
    recipients: HashSet<(ServerId, RecipientId)>,
    servers: BTreeSet<ServerId>,
}

/// What a body tells of the erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// It tells an event of one of them: this is left of it.
    Event(Box<Erased>),
    /// It is not understood, and names one of them, or cannot be searched to its end.
    Address,
}

impl Found {
    /// What is left of the event, where something is to be taken out at all.
    fn left(self) -> Option<Option<Box<Erased>>> {
        match self {
            Found::Nothing => None,
            Found::Event(erased) => Some(Some(erased)),
            Found::Address => Some(None),
        }
    }
}

/// Where a body came from, as far as it says how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The server of its credential.
    pub server: ServerId,
    /// When it came in.
    pub received_at: Time,
    /// Who told it.
    pub source: Source,
}

impl From<&SetAside> for Origin {
    fn from(aside: &SetAside) -> Origin {
        Origin { server: aside.server, received_at: aside.received_at, source: aside.source }
    }
}

impl FromIterator<store::Erased> for Erasures {
    fn from_iter<I: IntoIterator<Item = store::Erased>>(erased: I) -> Erasures {
        let recipients: HashSet<_> = erased.into_iter().map(|one| (one.server, one.recipient)).collect();
        let servers = recipients.iter().map(|(server, _)| *server).collect();
        Erasures { recipients, servers }
    }
}

impl Extend<(ServerId, RecipientId)> for Erasures {
    fn extend<I: IntoIterator<Item = (ServerId, RecipientId)>>(&mut self, erased: I) {
        for (server, recipient) in erased {
            self.recipients.insert((server, recipient));
            self.servers.insert(server);
        }
    }
}

impl Erasures {
    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.recipients.is_empty()
    }

    /// Whether anybody of a server is, or of any server where nothing tells which.
    pub fn anybody_at(&self, server: ServerId) -> bool {
        if server == ServerId::NONE { !self.is_empty() } else { self.servers.contains(&server) }
    }

    /// Whether the recipient of an event is.
    pub fn of(&self, event: &Event) -> bool {
        self.recipients.contains(&(event.server, event.recipient))
    }

    /// What a body tells of them. `reduced`: a door has reduced it already.
    pub fn found(&self, key: &LedgerKey, body: &[u8], origin: Origin, reduced: bool) -> Found {
        if self.is_empty() {
            return Found::Nothing;
        }
        let Origin { server, received_at, source } = origin;
        let context = Context { server, received_at, source, keep_engagement_detail: reduced };
        let event = postmark::event(body, &context, key).map(|(_, event)| event);
        match event {
            Ok(event) if self.of(&event) => Found::Event(Box::new(Erased::of(&event))),
            Ok(_) => Found::Nothing,
            Err(_) if self.stand_in(key, body, server) => Found::Address,
            Err(_) => Found::Nothing,
        }
    }

    /// Whether a body that is not understood names one of them, or cannot be searched to its end. Where it bears no
    /// credential any server may have sent it; else its own, or one whose id stands in it.
    fn stand_in(&self, key: &LedgerKey, body: &[u8], server: ServerId) -> bool {
        if self.is_empty() {
            return false;
        }
        let is_erased = |server: ServerId, recipient: &str| {
            self.recipients.contains(&(server, key.recipient_id(server, recipient)))
        };
        let search = || {
            let traces = Traces::of(body)?;
            let servers = traces.meant(&self.servers, server);
            // An address may be one in name only: it is told by its place.
            let parsed = (!servers.is_empty()).then(|| Body::parse(body).ok()).flatten();
            let placed = |name| parsed.as_ref()?.text(name).map(recipient_key);
            let mut placed = ["Recipient", "Email"].into_iter().filter_map(placed);
            if placed.any(|recipient| servers.iter().any(|server| is_erased(*server, &recipient))) {
                return Ok(true);
            }
            traces.name(&servers, is_erased)
        };
        // Where nobody was ever erased at its server, nothing is lost.
        search().unwrap_or_else(|TooMuch| self.anybody_at(server))
    }

    /// The message of an envelope or a part without its person; `None` where it tells of nobody erased, or where a
    /// later release wrote it.
    pub fn strip_message(&self, key: &LedgerKey, message: &str) -> Option<String> {
        match (Envelope::decode(message), Part::decode(message)) {
            (Err(EnvelopeError::LaterVersion), _) | (_, Err(EnvelopeError::LaterVersion)) => None,
            (Ok(envelope), _) => {
                let (server, received_at) = (envelope.server, envelope.received_at);
                let origin = Origin { server, received_at, source: envelope.source };
                let left = self.found(key, envelope.body.get().as_bytes(), origin, true).left()?;
                Some(envelope.stripped(left.map(|erased| *erased)).encode())
            }
            (Err(_), Ok(part)) => Some(self.strip_parts(key, vec![part])?.first()?.encode()),
            (Err(_), Err(_)) => {
                self.stand_in(key, message.as_bytes(), ServerId::NONE).then(|| ERASED_MESSAGE.to_owned())
            }
        }
    }

    /// The parts of one body as they may be kept.
    pub fn without(&self, key: &LedgerKey, parts: Vec<Part>) -> Vec<Part> {
        if self.is_empty() {
            return parts;
        }
        self.strip_parts(key, parts.clone()).unwrap_or(parts)
    }

    /// The parts of one body that are to be put in the place of what there is, the first one first; `None` where
    /// there is nothing to do. Where one part was stripped before, the others follow.
    pub fn strip_parts(&self, key: &LedgerKey, parts: Vec<Part>) -> Option<Vec<Part>> {
        if self.is_empty() {
            return None;
        }
        let (stripped, mut left): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(Part::is_stripped);
        left.sort_by_key(|part| part.part);
        let first = left.first()?;
        let erased = if !stripped.is_empty() {
            None
        } else if let Some(whole) = SetAside::whole(left.clone()) {
            self.found(key, &whole.body, Origin::from(&whole), false).left()?
        } else {
            // One that is missing comes, or has expired.
            let server = first.server;
            left.iter().any(|part| self.stand_in(key, &part.bytes(), server)).then_some(None)?
        };
        Some(left.into_iter().map(|part| part.stripped(erased.clone())).collect())
    }
}

/// What is left of a message that no door has sent.
const ERASED_MESSAGE: &str = "erased";

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use ledger::event::What;
    use proptest::prelude::*;
    use queue::PART_BYTES_MAX;
    use serde_json::{Value, json};
    use unicode_normalization::UnicodeNormalization;

    const SERVER: i64 = 8_123_456;

    fn server(id: i64) -> ServerId {
        ServerId::new(id).unwrap()
    }

    fn key() -> LedgerKey {
        LedgerKey::for_tests()
    }

    fn erased(addresses: &[&str]) -> Erasures {
        let one = |address: &&str| store::Erased {
            server: server(SERVER),
            recipient: key().recipient_id(server(SERVER), &recipient_key(address)),
            at: Time::EARLIEST,
            swept: None,
        };
        addresses.iter().map(one).collect()
    }

    fn origin(id: i64) -> Origin {
        Origin {
            server: server(id),
            received_at: "2026-10-01T00:00:00Z".parse().unwrap(),
            source: Source::Webhook,
        }
    }

    fn bounce(address: &str) -> Value {
        json!({ "RecordType": "Bounce", "ID": 7, "Type": "HardBounce", "MessageID": "m1", "Email": address,
            "BouncedAt": "2026-09-20T08:00:00Z", "Inactive": true, "Subject": "Your order" })
    }

    fn found(of: &Erasures, body: &Value, id: i64) -> Found {
        of.found(&key(), body.to_string().as_bytes(), origin(id), true)
    }

    #[test]
    fn what_is_left_of_an_event_is_the_event_without_its_person() {
        let of = erased(&["ida@customer.example"]);
        let body = bounce("\"Ida\" <Ida@Customer.Example>");
        let Found::Event(left) = found(&of, &body, SERVER) else { panic!("it is hers") };
        let Origin { server, received_at, source } = origin(SERVER);
        let context = Context { server, received_at, source, keep_engagement_detail: true };
        let (_, whole) = postmark::event(body.to_string().as_bytes(), &context, &key()).unwrap();
        assert_eq!(left.event(server, received_at, source), Event { address: None, ..whole });
    }

    #[test]
    fn others_and_the_same_address_at_another_server_are_left_alone() {
        let of = erased(&["ida@customer.example"]);
        assert_eq!(found(&of, &bounce("max@customer.example"), SERVER), Found::Nothing);
        assert_eq!(found(&of, &bounce("ida@customer.example"), 9), Found::Nothing);
        let mut cut = bounce("ida@customer.example");
        cut["BouncedAt"] = Value::Null;
        assert_eq!(found(&of, &cut, 9), Found::Nothing);
        assert_eq!(found(&of, &cut, SERVER), Found::Address);
        assert_eq!(found(&of, &cut, 0), Found::Address, "it may be from anywhere");
        cut["ServerID"] = json!(SERVER);
        assert_eq!(found(&of, &cut, 9), Found::Address, "it names her server");
    }

    #[test]
    fn an_address_is_found_in_what_is_no_json_and_where_it_is_no_address() {
        let of = erased(&["ida@customer.example", "not an address"]);
        let text = |text: &str| of.found(&key(), text.as_bytes(), origin(SERVER), true);
        assert_eq!(text(r#"{"Email":"ida\u0040customer.example","#), Found::Address);
        assert_eq!(text("To: Ida <IDA@customer.example.>, and others"), Found::Address);
        assert_eq!(text("ida at customer.example"), Found::Address, "its two halves");
        assert_eq!(text("ada at customer.example"), Found::Nothing);
        assert_eq!(text(r#"{"Email":" Not an address"}"#), Found::Address);
    }

    #[test]
    fn parts_are_stripped_together_and_a_stripped_one_takes_the_others_along() {
        let of = erased(&["ida@customer.example"]);
        let Origin { server, received_at, source } = origin(SERVER);
        let mut body = vec![b'x'; PART_BYTES_MAX - 4];
        body.extend(b" ida@customer.example ");
        body.extend(vec![b'x'; PART_BYTES_MAX]);
        let aside = SetAside {
            server,
            generation: 1,
            key_id: String::new(),
            received_at,
            source,
            reason: "not_json".to_owned(),
            detail: String::new(),
            record_type: None,
            dropped: Vec::new(),
            erased: None,
            body,
        };
        let parts = aside.parts();
        let stripped = of.strip_parts(&key(), parts.clone()).unwrap();
        assert!(stripped.len() == 3 && stripped.iter().all(|part| part.is_stripped()));
        assert_eq!(of.strip_parts(&key(), stripped.clone()), None, "there is nothing left to do");
        // Killed after the first: the address is in none of the others.
        let half = vec![stripped[0].clone(), parts[1].clone(), parts[2].clone()];
        assert_eq!(of.strip_parts(&key(), half).unwrap(), stripped[1..]);
        assert_eq!(of.strip_parts(&key(), parts[2..].to_vec()), None);
    }

    #[test]
    fn a_message_is_stripped_as_what_it_is() {
        let of = erased(&["ida@customer.example"]);
        let Origin { server, received_at, source } = origin(SERVER);
        let told = |body: &Value| {
            let what = What::Bounce { bounce_type: "HardBounce".to_owned(), inactive: true };
            Envelope::told(server, &what, received_at, source, body.to_string(), Vec::new()).unwrap().encode()
        };
        let stripped = |message: &str| of.strip_message(&key(), message);
        let event = stripped(&told(&bounce("ida@customer.example"))).unwrap();
        assert!(Envelope::decode(&event).unwrap().erased.is_some() && !event.contains("customer"));
        assert_eq!(stripped(&event), None, "twice is as once");
        assert_eq!(stripped(&told(&bounce("max@customer.example"))), None);
        let broken = stripped(&told(&json!({ "Email": "ida@customer.example" }))).unwrap();
        assert!(Envelope::decode(&broken).unwrap().erased.is_none() && !broken.contains("customer"));
        assert_eq!(stripped("poison: ida@customer.example").as_deref(), Some(ERASED_MESSAGE));
        assert_eq!(stripped("poison: max@customer.example"), None);
        assert_eq!(stripped(r#"{"v":99,"Email":"ida@customer.example"}"#), None, "a later release reads it");
    }

    type Encoder = (&'static str, fn(&[u8]) -> Vec<u8>);

    fn each(bytes: &[u8], write: impl Fn(u8) -> String) -> Vec<u8> {
        bytes.iter().map(|byte| write(*byte)).collect::<String>().into_bytes()
    }

    fn each_char(bytes: &[u8], write: impl Fn(char) -> String) -> Vec<u8> {
        String::from_utf8_lossy(bytes).chars().map(write).collect::<String>().into_bytes()
    }

    fn wide(bytes: &[u8], mark: &[u8], unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let units = String::from_utf8_lossy(bytes).encode_utf16().flat_map(unit).collect::<Vec<_>>();
        [mark, &*units].concat()
    }

    fn lines(encoded: String, end: &str) -> Vec<u8> {
        encoded.as_bytes().chunks(19).collect::<Vec<_>>().join(end.as_bytes())
    }

    /// Every encoding that is undone, as senders write it.
    const ENCODERS: &[Encoder] = &[
        ("percent", |bytes| each(bytes, |byte| format!("%{byte:02X}"))),
        ("percent, signs only", |bytes| {
            each(bytes, |byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
                _ => format!("%{byte:02x}"),
            })
        }),
        ("entities", |bytes| each_char(bytes, |c| format!("&#{};", u32::from(c)))),
        ("entities, hexadecimal", |bytes| each_char(bytes, |c| format!("&#x{:x};", u32::from(c)))),
        ("entities, by name", |bytes| {
            each_char(bytes, |c| match c {
                '@' => "&commat;".to_owned(),
                '.' => "&period;".to_owned(),
                '&' => "&amp;".to_owned(),
                '<' => "&lt;".to_owned(),
                '"' => "&quot;".to_owned(),
                c => c.to_string(),
            })
        }),
        ("escapes", |bytes| {
            let text = String::from_utf8_lossy(bytes);
            text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<String>().into_bytes()
        }),
        ("a string of JSON", |bytes| {
            json!({ "text": String::from_utf8_lossy(bytes) }).to_string().into_bytes()
        }),
        ("quoted-printable", |bytes| each(bytes, |byte| format!("={byte:02X}"))),
        ("quoted-printable, in lines", |bytes| {
            each(bytes, |byte| match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => format!("{}=\r\n", char::from(byte)),
                byte => format!("={byte:02X}"),
            })
        }),
        ("base64", |bytes| STANDARD.encode(bytes).into_bytes()),
        ("base64 of URLs", |bytes| URL_SAFE_NO_PAD.encode(bytes).into_bytes()),
        ("base64 in lines", |bytes| lines(STANDARD.encode(bytes), "\r\n")),
        ("base64 in a string", |bytes| json!({ "raw": STANDARD.encode(bytes) }).to_string().into_bytes()),
        ("UTF-16", |bytes| wide(bytes, b"", u16::to_le_bytes)),
        ("UTF-16 with a mark", |bytes| wide(bytes, b"\xff\xfe", u16::to_le_bytes)),
        ("UTF-16, high byte first", |bytes| wide(bytes, b"", u16::to_be_bytes)),
        ("UTF-16, high byte first, with a mark", |bytes| wide(bytes, b"\xfe\xff", u16::to_be_bytes)),
        ("upper case", |bytes| String::from_utf8_lossy(bytes).to_uppercase().into_bytes()),
        ("characters taken apart", |bytes| {
            String::from_utf8_lossy(bytes).nfd().collect::<String>().into_bytes()
        }),
        ("characters that are not seen", |bytes| each_char(bytes, |c| format!("{c}\u{200b}"))),
    ];

    /// Whether one encoding can be laid over what another wrote: none in upper case, and only bytes over what is no text.
    fn fit(written: &[u8], over: &str) -> bool {
        let takes_bytes = ["percent", "quoted-printable", "base64"].iter().any(|name| over.starts_with(name));
        over != "upper case" && (takes_bytes || str::from_utf8(written).is_ok())
    }

    /// What becomes of a set-aside body.
    fn left(of: &Erasures, body: Vec<u8>) -> Option<Vec<Part>> {
        let Origin { server, received_at, source } = origin(SERVER);
        let aside = SetAside {
            server,
            generation: 1,
            key_id: String::new(),
            received_at,
            source,
            reason: "not_json".to_owned(),
            detail: String::new(),
            record_type: None,
            dropped: Vec::new(),
            erased: None,
            body,
        };
        of.strip_parts(&key(), aside.parts())
    }

    #[test]
    fn no_two_encodings_one_over_the_other_hide_the_person() {
        let of = erased(&["ida.moreau+news@b\u{fc}cher.example"]);
        for written in ["ida.moreau+news@b\u{fc}cher.example", "Ida.Moreau+News@xn--bcher-kva.example"] {
            for around in [["", ""], ["To: <", "> and others\r\n"], ["{\"a\":[1,{\"b\":\"", "\"}]}"]] {
                for (one, inner) in ENCODERS {
                    for (other, outer) in ENCODERS {
                        if !fit(&inner(written.as_bytes()), other) {
                            continue;
                        }
                        let [before, after] = around.map(str::as_bytes);
                        let part = [before, &*outer(&inner(written.as_bytes())), after].concat();
                        let whole = outer(&inner(&[before, written.as_bytes(), after].concat()));
                        for body in [part, whole] {
                            let left =
                                left(&of, body).unwrap_or_else(|| panic!("{one} in {other}: {around:?}"));
                            assert!(left.iter().all(|part| part.is_stripped() && part.body.is_empty()));
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn whoever_is_erased_is_found_whatever_the_address_and_others_are_not(
            local in "[a-z0-9][a-z0-9._+-]{0,12}[a-z0-9]", domain in "[a-z]{2,8}(-[a-z]{1,4})?\\.(example|test)",
            inner in 0..ENCODERS.len(), outer in 0..ENCODERS.len(), noise in "[ -~]{0,40}", more in "[ -~]{0,40}",
        ) {
            prop_assume!(fit(&ENCODERS[inner].1(b"x"), ENCODERS[outer].0));
            let encoded = |text: String| ENCODERS[outer].1(&ENCODERS[inner].1(text.as_bytes()));
            let of = erased(&[&format!("{local}@{domain}")]);
            let body = encoded(format!("{noise} <{local}@{domain}> {more}"));
            prop_assert!(left(&of, body).is_some());
            // A name as short as an encoding's own signs (`3c` of `%3c`) may be found where nobody bears it.
            let local = format!("{local}.person");
            let of = erased(&[&format!("{local}@{domain}")]);
            let body = encoded(format!("<other{local}other@{domain}>"));
            prop_assert!(left(&of, body).is_none());
        }
    }
}
