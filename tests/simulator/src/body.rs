//! The bodies of webhooks, and what they have in common with rows of the API.

use crate::happen::question;
use crate::json::Json;
use crate::model::{Event, Kind, MessageId, NONE, falls, mix, uuid};
use crate::texts::Text;
use crate::{Blank, BounceType, Digits, NoMessage, Record, Simulator, Time};

/// A client, company, family; or a system.
type Program = (&'static str, &'static str, &'static str);

/// What a recipient reads mail with.
pub(crate) struct Reader {
    pub(crate) platform: &'static str,
    pub(crate) family: &'static str,
    client: Program,
    os: Program,
    user_agent: &'static str,
}

#[rustfmt::skip]
static READERS: [Reader; 6] = [
    Reader { platform: "WebMail", family: "Chrome", client: ("Chrome 140.0.7339.80", "Google", "Chrome"), os: ("macOS 26", "Apple Computer, Inc.", "macOS"), user_agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.7339.80 Safari/537.36" },
    Reader { platform: "Desktop", family: "Firefox", client: ("Firefox 143.0", "Mozilla Foundation", "Firefox"), os: ("Linux", "Canonical Ltd.", "Linux"), user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0" },
    Reader { platform: "Desktop", family: "Outlook", client: ("Outlook 2021", "Microsoft Corporation", "Outlook"), os: ("Windows 11", "Microsoft Corporation", "Windows"), user_agent: "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; Microsoft Outlook 16.0.17126; ms-office)" },
    Reader { platform: "Mobile", family: "Mobile Safari", client: ("Mobile Safari 19.0", "Apple Inc.", "Mobile Safari"), os: ("iOS 19 (iPhone)", "Apple Computer, Inc.", "iOS"), user_agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148" },
    Reader { platform: "WebMail", family: "Gmail", client: ("Gmail", "Google", "Gmail"), os: ("Windows XP", "Microsoft Corporation", "Windows"), user_agent: "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)" },
    Reader { platform: "Unknown", family: "", client: ("", "", ""), os: ("", "", ""), user_agent: "" },
];

/// Apple's Mail Privacy Protection: it says nothing of itself.
static MACHINE: Reader = Reader {
    platform: "Desktop",
    family: "Apple Mail",
    client: ("Apple Mail", "Apple Inc.", "Apple Mail"),
    os: ("macOS", "Apple Computer, Inc.", "macOS"),
    user_agent: "Mozilla/5.0",
};

/// Country code, country, region code, region, city, zip, coordinates, the first bytes of the IP.
type Place = [&'static str; 8];

#[rustfmt::skip]
static PLACES: [Place; 5] = [
    ["NL", "Netherlands", "UT", "Utrecht", "Utrecht", "3511", "52.0907,5.1214", "203.0.113"],
    ["US", "United States", "PA", "Pennsylvania", "Philadelphia", "19103", "39.9526,-75.1652", "198.51.100"],
    ["DE", "Germany", "", "", "", "", "51.2993,9.491", "192.0.2"],
    ["BR", "Brazil", "SP", "São Paulo", "São Paulo", "01000", "-23.5475,-46.6361", "203.0.113"],
    ["JP", "Japan", "", "", "", "", "", "2001:db8:0:1:"],
];

/// The keys of `Geo`.
const GEO: [&str; 8] =
    ["CountryISOCode", "Country", "RegionISOCode", "Region", "City", "Zip", "Coords", "IP"];

/// Through which door a fact is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Webhook,
    Api,
}

/// Seconds that an open lasted.
pub(crate) fn read_seconds(seed: u64, event: u32) -> u64 {
    mix(seed ^ 77, u64::from(event)) % 24
}

impl Simulator {
    /// What the recipient of an event reads with.
    pub(crate) fn reader(&self, event: u32) -> &'static Reader {
        let of = &self.events[event as usize];
        if matches!(of.kind, Kind::Open { machine: true, .. }) {
            return &MACHINE;
        }
        let hash = self.texts.get(of.recipient).bytes().fold(7_u64, |hash, byte| mix(hash, u64::from(byte)));
        &READERS[(hash % READERS.len() as u64) as usize]
    }

    /// A time with the digits and the rounding of a door.
    pub(crate) fn write_time(
        &self,
        json: &mut Json,
        key: &str,
        event: u32,
        at: Time,
        door: Door,
        eastern: bool,
    ) {
        let quirks = &self.config.quirks;
        let (digits, rounds) = match door {
            Door::Webhook => (quirks.webhook_digits, quirks.webhook_rounds),
            Door::Api => (quirks.api_digits, quirks.api_rounds),
        };
        let (at, digits) = match digits {
            Digits::Exactly(digits) => (at.to_digits(digits, rounds), digits),
            Digits::Trimmed(most) => {
                let at = at.to_digits(most, rounds);
                (at, at.digits_needed())
            }
            Digits::Varies => {
                let digits = (self.bits(event, question::DIGITS) % 8) as u8;
                (at.to_digits(digits, rounds), digits)
            }
        };
        let offset = if eastern { self.eastern.offset(at) } else { 0 };
        json.time(key, at, digits, offset);
    }

    fn blank(&self, event: u32, blank: Blank, salt: u64) -> Blank {
        if blank != Blank::Varies {
            return blank;
        }
        match mix(self.bits(event, question::BLANK), salt) % 3 {
            0 => Blank::Absent,
            1 => Blank::Null,
            _ => Blank::Empty,
        }
    }

    fn tag(&self, json: &mut Json, event: u32, tag: Text) {
        if !tag.is_empty() {
            json.text("Tag", self.texts.get(tag));
            return;
        }
        match self.blank(event, self.config.quirks.no_tag, 1) {
            Blank::Absent => {}
            Blank::Null => json.raw("Tag", b"null"),
            Blank::Empty | Blank::Varies => json.text("Tag", ""),
        }
    }

    fn metadata(&self, json: &mut Json, event: u32, metadata: Text) {
        if !metadata.is_empty() {
            let text = self.texts.get(metadata);
            if self.config.quirks.metadata_numbers {
                json.raw("Metadata", numbered(text).as_bytes());
            } else {
                json.raw("Metadata", text.as_bytes());
            }
            return;
        }
        match self.blank(event, self.config.quirks.no_metadata, 2) {
            Blank::Absent => {}
            Blank::Null => json.raw("Metadata", b"null"),
            Blank::Empty | Blank::Varies => json.raw("Metadata", b"{}"),
        }
    }

    fn server_key(&self) -> &'static str {
        if self.config.quirks.server_id_in_camel_case { "ServerId" } else { "ServerID" }
    }

    pub(crate) fn message_id(&self, message: u32) -> String {
        MessageId::of(self.config.seed, message).to_string()
    }

    /// Tag and metadata of an event's message.
    pub(crate) fn labels(&self, event: &Event) -> (Text, Text) {
        let message = self.messages.get(event.message as usize);
        message.map_or((Text::EMPTY, Text::EMPTY), |message| (message.tag, message.metadata))
    }

    /// A webhook's body. `content` is whether it asks for the bounced message.
    pub(crate) fn webhook_body(&self, event: u32, content: bool) -> Vec<u8> {
        let of = &self.events[event as usize];
        let stream = self.stream(of.stream);
        let server = self.servers[usize::from(stream.server)].id;
        let (tag, metadata) = self.labels(of);
        let mut json = Json::object();
        json.text("RecordType", of.kind.record().map_or("", Record::name));
        match of.kind {
            Kind::Delivery | Kind::Delay => {
                json.text("MessageStream", &stream.id);
                json.number(self.server_key(), server);
                json.text("MessageID", &self.message_id(of.message));
                json.text("Recipient", self.texts.get(of.recipient));
                self.tag(&mut json, event, tag);
                self.write_time(&mut json, "DeliveredAt", event, of.at, Door::Webhook, false);
                json.text("Details", &self.delivery_details(event));
                self.metadata(&mut json, event, metadata);
            }
            Kind::Bounce { kind, .. } => {
                let share = self.config.quirks.partial_unsubscribe_share;
                if kind == BounceType::Unsubscribe && falls(self.bits(event, question::PARTIAL), share) {
                    json.text("Description", kind.description());
                    json.number("ID", self.bounce_id(event));
                    json.text("MessageID", &self.message_id(of.message));
                    json.text("MessageStream", &stream.id);
                    json.text("Name", kind.label());
                    json.number(self.server_key(), server);
                    json.text("Tag", self.texts.get(tag));
                    json.text("Type", kind.name());
                    json.number("TypeCode", u64::from(kind.code()));
                    return json.end();
                }
                json.text("MessageStream", &stream.id);
                self.bounce_fields(&mut json, event, Door::Webhook);
                if content {
                    json.text("Content", &self.bounce_dump(event));
                }
            }
            Kind::Complaint { .. } => {
                json.text("MessageStream", &stream.id);
                self.bounce_fields(&mut json, event, Door::Webhook);
                if content {
                    json.text("Content", &self.bounce_dump(event));
                }
            }
            Kind::Open { first, .. } => {
                json.text("MessageStream", &stream.id);
                json.truth("FirstOpen", first);
                self.reading(&mut json, event, Door::Webhook);
                if self.config.quirks.read_seconds {
                    json.number("ReadSeconds", read_seconds(self.config.seed, event));
                }
                self.engagement(&mut json, event, (tag, metadata));
            }
            Kind::Click { link, in_text } => {
                json.text("MessageStream", &stream.id);
                json.text("ClickLocation", if in_text { "Text" } else { "HTML" });
                self.reading(&mut json, event, Door::Webhook);
                json.text("OriginalLink", self.link(of.message, link));
                self.engagement(&mut json, event, (tag, metadata));
            }
            Kind::Change { suppress, reason, origin, caused } => {
                if caused {
                    json.text("MessageID", &self.message_id(of.message));
                } else {
                    self.no_message(&mut json, event);
                }
                json.number("ServerID", server);
                json.text("MessageStream", &stream.id);
                self.write_time(&mut json, "ChangedAt", event, of.at, Door::Webhook, false);
                json.text("Recipient", self.texts.get(of.recipient));
                json.text("Origin", origin.name());
                json.truth("SuppressSending", suppress);
                if suppress {
                    json.text("SuppressionReason", reason.name());
                } else {
                    json.raw("SuppressionReason", b"null");
                }
                if tag.is_empty() {
                    json.raw("Tag", b"null");
                } else {
                    json.text("Tag", self.texts.get(tag));
                }
                self.metadata(&mut json, event, metadata);
            }
        }
        json.end()
    }

    fn no_message(&self, json: &mut Json, event: u32) {
        let choice = match self.config.quirks.no_message {
            NoMessage::Varies => match self.bits(event, question::BLANK) % 3 {
                0 => NoMessage::Null,
                1 => NoMessage::Zero,
                _ => NoMessage::Absent,
            },
            choice => choice,
        };
        match choice {
            NoMessage::Null => json.raw("MessageID", b"null"),
            NoMessage::Absent => {}
            NoMessage::Zero | NoMessage::Varies => {
                json.text("MessageID", &String::from_utf8_lossy(&uuid(0)));
            }
        }
    }

    fn engagement(&self, json: &mut Json, event: u32, (tag, metadata): (Text, Text)) {
        let of = &self.events[event as usize];
        json.text("MessageID", &self.message_id(of.message));
        self.metadata(json, event, metadata);
        self.write_time(json, "ReceivedAt", event, of.at, Door::Webhook, false);
        self.tag(json, event, tag);
        json.text("Recipient", self.texts.get(of.recipient));
    }

    /// Client, OS, Platform, UserAgent and Geo, each of which may be missing.
    pub(crate) fn reading(&self, json: &mut Json, event: u32, door: Door) {
        let reader = self.reader(event);
        let quirks = &self.config.quirks;
        let bits = self.bits(event, question::BLANK);
        let unknown = |salt, nothing: bool| {
            let unknown = nothing && door == Door::Api || falls(mix(bits, salt), quirks.unknown_share);
            // The API has it null or not at all; only webhooks have been seen with `{}`.
            unknown.then(|| match (self.blank(event, quirks.unknown, salt), door) {
                (Blank::Empty | Blank::Varies, Door::Api) => Blank::Null,
                (blank, _) => blank,
            })
        };
        let mut part = |key, salt, nothing, fill: &dyn Fn(&mut Json)| match unknown(salt, nothing) {
            None => json.nested(key, |json| fill(json)),
            Some(Blank::Absent) => {}
            Some(Blank::Null) => json.raw(key, b"null"),
            Some(Blank::Empty | Blank::Varies) => json.raw(key, b"{}"),
        };
        let program = |json: &mut Json, (name, company, family): Program| {
            if !name.is_empty() {
                json.text("Name", name);
                json.text("Company", company);
                if bits % 16 != 3 {
                    json.text("Family", family);
                }
            }
        };
        part("Client", 11, reader.client.0.is_empty(), &|json| program(json, reader.client));
        part("OS", 12, reader.os.0.is_empty(), &|json| program(json, reader.os));
        let place = &PLACES[(bits >> 8) as usize % PLACES.len()];
        part("Geo", 13, false, &|json| {
            for (key, value) in GEO.iter().zip(place).filter(|(_, value)| !value.is_empty()) {
                if *key == "IP" {
                    let separator = if value.ends_with(':') { ':' } else { '.' };
                    json.text(key, &format!("{value}{separator}{}", bits >> 16 & 0xFF));
                } else {
                    json.text(key, value);
                }
            }
        });
        json.text("Platform", reader.platform);
        json.text("UserAgent", reader.user_agent);
    }

    pub(crate) fn user_agent(&self, event: u32) -> &'static str {
        self.reader(event).user_agent
    }

    /// The country code of an event, for the API's filters.
    pub(crate) fn place(&self, event: u32) -> &'static Place {
        &PLACES[(self.bits(event, question::BLANK) >> 8) as usize % PLACES.len()]
    }

    /// Client, OS and platform of an event, for the API's filters.
    pub(crate) fn programs(&self, event: u32) -> (Program, Program, &'static str) {
        let reader = self.reader(event);
        (reader.client, reader.os, reader.platform)
    }

    /// A link of a message, without the letter that says where it stands.
    pub(crate) fn link(&self, message: u32, link: u16) -> &str {
        self.links(message).nth(usize::from(link)).and_then(|link| link.get(2..)).unwrap_or("")
    }

    pub(crate) fn delivery_details(&self, event: u32) -> String {
        let bits = self.bits(event, question::DETAILS);
        if bits.is_multiple_of(32) {
            return String::new();
        }
        let prefix = if bits.is_multiple_of(2) { "smtp;" } else { "" };
        let seconds = self.events[event as usize].at.seconds();
        format!(
            "{prefix}250 2.0.0 OK  {seconds} {:013x}-{:012x}si.{} - gsmtp",
            bits >> 12,
            bits & 0xFFFF_FFFF_FFFF,
            bits % 100
        )
    }

    /// The id of a bounce or complaint.
    pub(crate) fn bounce_id(&self, event: u32) -> u64 {
        let number = match self.events[event as usize].kind {
            Kind::Bounce { number, .. } | Kind::Complaint { number } => number,
            _ => return 0,
        };
        let base = if self.config.quirks.large_bounce_ids { 9_007_199_254_740_993 } else { 692_560_173 };
        base + u64::from(number) * 7 + mix(self.config.seed ^ question::BOUNCE_ID, u64::from(number)) % 7
    }

    /// The event of a bounce by its id.
    pub(crate) fn bounce_by_id(&self, id: u64) -> Option<u32> {
        let base = if self.config.quirks.large_bounce_ids { 9_007_199_254_740_993 } else { 692_560_173 };
        let number = id.checked_sub(base)? / 7;
        let event = *self.bounces.get(usize::try_from(number).ok()?)?;
        (self.bounce_id(event) == id).then_some(event)
    }

    /// Whether a bounced or complaining address is deactivated: that day, or today.
    pub(crate) fn inactive(&self, event: u32, today: bool) -> bool {
        let of = &self.events[event as usize];
        if today {
            let list = &self.stream(of.stream).list;
            let key = self.texts.find(&self.texts.get(of.recipient).to_lowercase());
            return key.is_some_and(|key| list.get(key).is_some());
        }
        matches!(of.kind, Kind::Bounce { inactive: true, .. } | Kind::Complaint { .. })
    }

    /// What a bounce's webhook and its row of the API have in common.
    pub(crate) fn bounce_fields(&self, json: &mut Json, event: u32, door: Door) {
        let today = door == Door::Api && self.config.quirks.api_inactive_is_todays;
        self.bounce_row(json, event, door, self.inactive(event, today));
    }

    /// The same with an `Inactive` of its own.
    pub(crate) fn bounce_row(&self, json: &mut Json, event: u32, door: Door, inactive: bool) {
        let of = &self.events[event as usize];
        let quirks = &self.config.quirks;
        let (kind, can_activate) = match of.kind {
            Kind::Bounce { kind, can_activate, .. } => (kind, can_activate),
            _ => (BounceType::SpamComplaint, false),
        };
        let complaint = kind == BounceType::SpamComplaint;
        let message = self.messages.get(of.message as usize);
        let (tag, metadata) = self.labels(of);
        json.number("ID", self.bounce_id(event));
        json.text("Type", kind.name());
        let code = if complaint { quirks.complaint_type_code } else { kind.code() };
        json.number("TypeCode", u64::from(code));
        json.text("Name", kind.label());
        match door {
            Door::Webhook => self.tag(json, event, tag),
            Door::Api => json.text("Tag", self.texts.get(tag)),
        }
        json.text("MessageID", &self.message_id(of.message));
        if door == Door::Webhook {
            self.metadata(json, event, metadata);
            json.number(self.server_key(), self.server_of(of.stream).id);
        } else {
            json.number("ServerID", self.server_of(of.stream).id);
            json.text("MessageStream", &self.stream(of.stream).id);
        }
        let silent = complaint && !quirks.complaint_description;
        json.text("Description", if silent { "" } else { kind.description() });
        json.text("Details", kind.diagnostic());
        json.text("Email", self.texts.get(of.recipient));
        if door == Door::Webhook || !complaint {
            json.text("From", message.map_or("", |message| self.texts.get(message.from)));
        }
        let eastern = match door {
            Door::Webhook => quirks.webhook_bounces_eastern,
            Door::Api => quirks.api_bounces_eastern,
        };
        self.write_time(json, "BouncedAt", event, of.at, door, eastern);
        json.truth("DumpAvailable", self.dump_available(event));
        json.truth("Inactive", inactive);
        if !falls(mix(self.bits(event, question::STUCK), 5), quirks.no_can_activate_share) {
            json.truth("CanActivate", can_activate);
        }
        json.text("Subject", message.map_or("", |message| self.texts.get(message.subject)));
    }

    /// The raw source of a bounce is kept for 30 days.
    pub(crate) fn dump_available(&self, event: u32) -> bool {
        self.now.millis_since(self.events[event as usize].at) < 30 * 86_400_000
    }

    /// The raw source of a bounce.
    pub(crate) fn bounce_dump(&self, event: u32) -> String {
        let of = &self.events[event as usize];
        let detail = match of.kind {
            Kind::Bounce { kind, .. } => kind.diagnostic(),
            _ => "",
        };
        let subject =
            self.messages.get(of.message as usize).map_or("", |message| self.texts.get(message.subject));
        let id = if of.message == NONE { String::new() } else { self.message_id(of.message) };
        let address = self.texts.get(of.recipient);
        format!(
            "Return-Path: <>\r\nReceived: from mx.receiver.example\r\nX-PM-Message-Id: {id}\r\nFinal-Recipient: \
             rfc822;{address}\r\nDiagnostic-Code: {detail}\r\nSubject: {subject}\r\n\r\n"
        )
    }
}

/// Metadata whose values that look like numbers are numbers.
fn numbered(text: &str) -> String {
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    for value in fields.values_mut() {
        if let Some(number) = value.as_str().and_then(|text| text.parse::<i64>().ok()) {
            *value = number.into();
        }
    }
    serde_json::Value::Object(fields).to_string()
}
