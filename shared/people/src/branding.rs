//! What the agency that runs the portal wants it to be called and to look like, and where its clients write for help: one
//! document for the stack. It is on every page, so whoever shows pages keeps it for a minute ([`Brand`]).

use crate::{parsed, text};
use answers::NewBranding;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ledger::Time;
use ledger::given::Address;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Collection, DocumentStore, Edit, StoreError, edit};

/// The most characters of a name.
pub const NAME_CHARS_MAX: usize = 60;
/// The most bytes of a logo.
pub const LOGO_BYTES_MAX: usize = 20 * 1024;
/// The name of the one document.
const DOCUMENT: &str = "portal";
/// For how many seconds what was read holds.
const HOLDS: i64 = 60;
/// How many seconds must pass until it is read anew for the sake of something that it does not have.
const HOLDS_LEAST: i64 = 5;

/// What the portal is called and looks like. What is not given stays as the process and the style have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branding {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The agency's logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
    /// The colour of buttons and links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accent: Option<Accent>,
    /// Where clients write for help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<Support>,
}

/// Why something cannot be part of a branding. None of it quotes what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrandingRefused {
    /// The name is empty, too long, or has characters that are not seen.
    Name,
    /// The logo has too many bytes.
    LogoSize,
    /// The logo is an SVG, which may hold script.
    LogoSvg,
    /// The logo is no picture of a kind that is taken.
    LogoKind,
    /// The accent is not written as a colour.
    Accent,
    /// The support address is none.
    Support,
}

impl BrandingRefused {
    /// What of a branding it is about.
    pub fn field(self) -> &'static str {
        match self {
            BrandingRefused::Name => "name",
            BrandingRefused::LogoSize | BrandingRefused::LogoSvg | BrandingRefused::LogoKind => "logo",
            BrandingRefused::Accent => "accent",
            BrandingRefused::Support => "support",
        }
    }
}

impl fmt::Display for BrandingRefused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BrandingRefused::Name => write!(out, "expected 1 to {NAME_CHARS_MAX} characters in one line"),
            BrandingRefused::LogoSize => write!(out, "expected at most {} KB", LOGO_BYTES_MAX / 1024),
            BrandingRefused::LogoSvg => {
                out.write_str("an SVG may hold script, so it is not taken: save it as PNG, JPEG, WebP or GIF")
            }
            BrandingRefused::LogoKind => out.write_str("expected a PNG, JPEG, WebP or GIF"),
            BrandingRefused::Accent => out.write_str("expected a colour such as #1f5f8b"),
            BrandingRefused::Support => out.write_str("expected an address such as help@agency.example"),
        }
    }
}

impl std::error::Error for BrandingRefused {}

/// A name of a portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Where clients write for help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Support(String);

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Accent(pub [u8; 3]);

macro_rules! as_text {
    ($($type:ident),+) => {$(
        impl TryFrom<String> for $type {
            type Error = BrandingRefused;

            fn try_from(text: String) -> Result<$type, BrandingRefused> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    )+};
}

as_text!(Name, Support, Accent);

impl FromStr for Name {
    type Err = BrandingRefused;

    fn from_str(text: &str) -> Result<Name, BrandingRefused> {
        let text = text.trim();
        // A mark of direction would turn the words around it.
        let is_unseen = |c: char| c.is_control() || ledger::given::is_invisible(c);
        let fits = (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.contains(is_unseen);
        fits.then(|| Name(text.to_owned())).ok_or(BrandingRefused::Name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for Support {
    type Err = BrandingRefused;

    fn from_str(text: &str) -> Result<Support, BrandingRefused> {
        let address = text.parse::<Address>().map_err(|_| BrandingRefused::Support)?;
        Ok(Support(address.text().to_owned()))
    }
}

impl fmt::Display for Support {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for Accent {
    type Err = BrandingRefused;

    fn from_str(text: &str) -> Result<Accent, BrandingRefused> {
        let digits = text.trim().strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
        let part = |from: usize| {
            let two =
                digits?.get(from..from + 2).filter(|two| two.bytes().all(|one| one.is_ascii_hexdigit()));
            u8::from_str_radix(two?, 16).ok()
        };
        match (part(0), part(2), part(4)) {
            (Some(red), Some(green), Some(blue)) => Ok(Accent([red, green, blue])),
            _ => Err(BrandingRefused::Accent),
        }
    }
}

impl fmt::Display for Accent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Accent([red, green, blue]) = self;
        write!(out, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// A logo: a picture of a kind that holds no script, known by its first bytes and not by what anybody calls it.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    bytes: Vec<u8>,
    media_type: &'static str,
    hash: String,
}

impl Logo {
    /// The logo in a file.
    ///
    /// # Errors
    /// See [`BrandingRefused`].
    pub fn read(bytes: Vec<u8>) -> Result<Logo, BrandingRefused> {
        if bytes.len() > LOGO_BYTES_MAX {
            return Err(BrandingRefused::LogoSize);
        }
        let media_type = match &bytes[..] {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            other if is_svg(other) => return Err(BrandingRefused::LogoSvg),
            _ => return Err(BrandingRefused::LogoKind),
        };
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, &bytes));
        Ok(Logo { bytes, media_type, hash })
    }

    /// The logo as it stands in JSON and in forms.
    ///
    /// # Errors
    /// See [`BrandingRefused`].
    pub fn of_base64(text: &str) -> Result<Logo, BrandingRefused> {
        // Four characters are three bytes: what is longer is too large before it is read.
        if text.len() > LOGO_BYTES_MAX.div_ceil(3) * 4 {
            return Err(BrandingRefused::LogoSize);
        }
        Logo::read(STANDARD.decode(text).map_err(|_| BrandingRefused::LogoKind)?)
    }

    /// As it stands in JSON and in forms.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// The picture.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What kind of picture it is.
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// A hash of the picture, by which it is named.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Whether bytes are meant as an SVG: text that has one's first element early on.
fn is_svg(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1_024)]).to_lowercase();
    start.contains("<svg") || start.contains("<!doctype svg")
}

impl fmt::Debug for Logo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Logo({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

impl Serialize for Logo {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.base64())
    }
}

impl<'de> Deserialize<'de> for Logo {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Logo, D::Error> {
        Logo::of_base64(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// As it is given, each part as text.
impl TryFrom<NewBranding> for Branding {
    type Error = BrandingRefused;

    fn try_from(given: NewBranding) -> Result<Branding, BrandingRefused> {
        let NewBranding { name, accent, support, logo } = given;
        Ok(Branding {
            name: name.map(Name::try_from).transpose()?,
            accent: accent.map(Accent::try_from).transpose()?,
            support: support.map(Support::try_from).transpose()?,
            logo: logo.map(|logo| Logo::of_base64(&logo)).transpose()?,
        })
    }
}

impl Branding {
    /// As it is kept; nothing of it where nobody gave any.
    ///
    /// # Errors
    /// The store's own.
    pub async fn get(store: &dyn DocumentStore) -> Result<Branding, StoreError> {
        let document = store.document(&Collection::Branding, DOCUMENT).await?;
        document.map_or_else(|| Ok(Branding::default()), |document| parsed(&document.text))
    }

    /// Keeps it in the place of what there was.
    ///
    /// # Errors
    /// The store's own.
    pub async fn keep(&self, store: &dyn DocumentStore) -> Result<(), StoreError> {
        edit(store, &Collection::Branding, DOCUMENT, |_| Ok(Edit::Write(text(self), ()))).await
    }

    /// What differs from another one, by the names of its fields.
    pub fn differs(&self, other: &Branding) -> Vec<&'static str> {
        let all = [
            ("name", self.name != other.name),
            ("logo", self.logo != other.logo),
            ("accent", self.accent != other.accent),
            ("support", self.support != other.support),
        ];
        all.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect()
    }
}

/// The branding as a process knows it: read once a minute, and anew once it was changed here.
#[derive(Clone, Debug, Default)]
pub struct Brand(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    branding: Arc<Branding>,
    read_at: Option<Time>,
    /// How often it was changed here: what was being read meanwhile is too old.
    changes: u64,
}

impl Brand {
    fn with<R>(&self, work: impl FnOnce(&mut Kept) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As it was read last.
    pub fn last(&self) -> Arc<Branding> {
        self.with(|kept| kept.branding.clone())
    }

    /// As it is now, or was a minute ago.
    ///
    /// # Errors
    /// The store's own, once a minute at most: the [`last`](Self::last) one holds until then.
    pub async fn now(&self, store: &dyn DocumentStore, now: Time) -> Result<Arc<Branding>, StoreError> {
        self.read(store, now, HOLDS).await
    }

    /// As it is now, or was some seconds ago: for something that it does not have, which another process may know of.
    ///
    /// # Errors
    /// As [`now`](Self::now).
    pub async fn anew(&self, store: &dyn DocumentStore, now: Time) -> Result<Arc<Branding>, StoreError> {
        self.read(store, now, HOLDS_LEAST).await
    }

    /// From now on it is something else.
    pub fn changed(&self, branding: Branding, now: Time) {
        self.with(|kept| {
            *kept = Kept {
                branding: Arc::new(branding),
                read_at: Some(now),
                changes: kept.changes.wrapping_add(1),
            };
        });
    }

    async fn read(
        &self,
        store: &dyn DocumentStore,
        now: Time,
        holds: i64,
    ) -> Result<Arc<Branding>, StoreError> {
        let (known, is_fresh, changes) = self.with(|kept| {
            let age = kept.read_at.map(|at| now.seconds().saturating_sub(at.seconds()));
            (kept.branding.clone(), age.is_some_and(|age| age < holds), kept.changes)
        });
        if is_fresh {
            return Ok(known);
        }
        let (branding, failed) = match Branding::get(store).await {
            Ok(branding) => (Arc::new(branding), None),
            Err(error) => (known, Some(error)),
        };
        let branding = self.with(|kept| {
            if kept.changes == changes {
                (kept.branding, kept.read_at) = (branding, Some(now));
            }
            kept.branding.clone()
        });
        failed.map_or(Ok(branding), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Memory;

    /// The smallest GIF there is.
    const GIF: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0;";

    fn at(seconds: i64) -> Time {
        Time::default().plus_seconds(seconds)
    }

    fn named(name: &str) -> Branding {
        Branding { name: Some(name.parse().unwrap()), ..Branding::default() }
    }

    #[test]
    fn a_logo_is_known_by_its_first_bytes_and_an_svg_is_told_why_it_is_not_taken() {
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (GIF, "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        ] {
            let logo = Logo::read(bytes.to_vec()).unwrap();
            assert_eq!((logo.media_type(), logo.bytes()), (kind, bytes));
            assert_eq!(Logo::of_base64(&logo.base64()), Ok(logo));
        }
        for svg in ["<svg xmlns='x'>", "<?xml version='1.0'?>\n<!-- x --><SVG>", "\u{feff}<!DOCTYPE svg>"] {
            assert_eq!(Logo::read(svg.as_bytes().to_vec()), Err(BrandingRefused::LogoSvg), "{svg}");
        }
        for none in [&b""[..], b"RIFF\0\0\0\0WAVE", b"<html>", b"GIF90a", b"\x89PNG"] {
            assert_eq!(Logo::read(none.to_vec()), Err(BrandingRefused::LogoKind));
        }
        let large = |bytes: usize| [GIF, &vec![0; bytes - GIF.len()]].concat();
        assert!(Logo::read(large(LOGO_BYTES_MAX)).is_ok());
        assert_eq!(Logo::read(large(LOGO_BYTES_MAX + 1)), Err(BrandingRefused::LogoSize));
        assert_eq!(
            Logo::of_base64(&STANDARD.encode(large(LOGO_BYTES_MAX + 1))),
            Err(BrandingRefused::LogoSize)
        );
        assert_eq!(Logo::of_base64("no base64!"), Err(BrandingRefused::LogoKind));
    }

    #[test]
    fn names_colours_and_addresses_are_taken_as_they_are_meant_or_not_at_all() {
        assert_eq!(" Acme  Mail ".parse::<Name>().unwrap().to_string(), "Acme  Mail");
        assert!("é".repeat(NAME_CHARS_MAX).parse::<Name>().is_ok());
        for wrong in ["", " ", "a\nb", "a\u{202e}b", &"x".repeat(NAME_CHARS_MAX + 1)] {
            assert_eq!(wrong.parse::<Name>(), Err(BrandingRefused::Name), "{wrong:?}");
        }
        assert_eq!("#1F5f8b".parse::<Accent>().unwrap().to_string(), "#1f5f8b");
        for wrong in ["", "1f5f8b", "#1f5f8", "#1f5f8bb", "#+1f5f8", "#1f5fé", "red", "#12345\u{0}"] {
            assert_eq!(wrong.parse::<Accent>(), Err(BrandingRefused::Accent), "{wrong:?}");
        }
        assert_eq!("help@agency.example".parse::<Support>().unwrap().to_string(), "help@agency.example");
        assert_eq!("help".parse::<Support>(), Err(BrandingRefused::Support));
    }

    #[tokio::test]
    async fn a_branding_is_kept_whole_and_what_changed_is_told_by_names() {
        let store = Memory::default();
        assert_eq!(Branding::get(&store).await.unwrap(), Branding::default());
        let all = Branding {
            logo: Some(Logo::read(GIF.to_vec()).unwrap()),
            accent: Some(Accent([1, 2, 255])),
            support: Some("help@agency.example".parse().unwrap()),
            ..named("Acme")
        };
        all.keep(&store).await.unwrap();
        assert_eq!(Branding::get(&store).await.unwrap(), all);
        assert_eq!(all.differs(&named("Acme")), ["logo", "accent", "support"]);
        named("Other").keep(&store).await.unwrap();
        assert_eq!(Branding::get(&store).await.unwrap(), named("Other"));
        assert_eq!(named("Other").differs(&named("Other")), Vec::<&str>::new());
    }

    #[tokio::test]
    async fn it_is_read_once_a_minute_and_at_once_where_it_was_changed_here() {
        let (store, brand) = (Memory::default(), Brand::default());
        named("One").keep(&store).await.unwrap();
        assert_eq!(*brand.now(&store, at(0)).await.unwrap(), named("One"));
        named("Two").keep(&store).await.unwrap();
        assert_eq!(*brand.now(&store, at(HOLDS - 1)).await.unwrap(), named("One"));
        assert_eq!(
            *brand.anew(&store, at(HOLDS_LEAST - 1)).await.unwrap(),
            named("One"),
            "asking often costs nothing"
        );
        assert_eq!(*brand.anew(&store, at(HOLDS_LEAST)).await.unwrap(), named("Two"));
        brand.changed(named("Three"), at(HOLDS_LEAST));
        assert_eq!(*brand.now(&store, at(HOLDS_LEAST + 1)).await.unwrap(), named("Three"));
        assert_eq!(
            *brand.clone().now(&store, at(2 * HOLDS)).await.unwrap(),
            named("Two"),
            "what is kept is what counts"
        );
        assert_eq!(*brand.last(), named("Two"));
    }
}
