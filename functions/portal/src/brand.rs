//! The agency's branding as pages have it: what the portal is called, where its logo and the style sheet of its colour are,
//! and where clients write for help. Each file is under a name that changes with it, so that browsers may keep it for ever.

use crate::respond::{Answer, fixed};
use crate::{Portal, colour, statics};
use people::{Branding, Logo};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;
use store::StoreError;

/// What is kept as it is in the address of a link that writes a mail.
const MAILTO: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@');

/// What a page shows of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// What the portal is called.
    pub name: String,
    /// Where the style sheet of the accent is.
    pub style: Option<String>,
    /// Where the logo is.
    pub logo: Option<String>,
    /// What writes to whoever helps, and to which address.
    pub support: Option<[String; 2]>,
}

impl Portal {
    /// The branding as pages show it: as it was read last.
    pub(crate) fn shown(&self) -> Shown {
        let branding = self.settings.known.brand.last();
        let support = branding.support.as_ref().map(|support| {
            let address = support.to_string();
            [format!("mailto:{}", utf8_percent_encode(&address, MAILTO)), address]
        });
        Shown {
            name: branding.name.as_ref().map_or_else(|| self.settings.name.clone(), ToString::to_string),
            style: sheet(&branding).map(|sheet| sheet_path(&sheet)),
            logo: branding.logo.as_ref().map(logo_path),
            support,
        }
    }

    /// What the agency calls it, if it does: so it is called in mails.
    pub(crate) fn given_name(&self) -> Option<String> {
        self.settings.known.brand.last().name.as_ref().map(ToString::to_string)
    }

    /// Reads the branding once a minute, and answers for its file at a path, if one is there. Another process may show one
    /// already that this one does not know of.
    pub(crate) async fn branded(&self, path: &str) -> Option<Answer> {
        let (brand, now) = (&self.settings.known.brand, (self.clock)());
        let known = self.read(brand.now(&*self.store, now).await);
        if !path.starts_with(statics::FOLDER) {
            return None;
        }
        match file(&known, path) {
            Some(file) => Some(file),
            None => file(&self.read(brand.anew(&*self.store, now).await), path),
        }
    }

    /// Where it cannot be read, the last one: a page without its colours is better than none.
    fn read(&self, read: Result<Arc<Branding>, StoreError>) -> Arc<Branding> {
        read.unwrap_or_else(|error| {
            let call = platform::counted(&error);
            tracing::error!(call.kind = call.kind, call.code = call.code, error = %error, "the branding cannot be read");
            self.settings.known.brand.last()
        })
    }
}

fn sheet(branding: &Branding) -> Option<String> {
    branding.accent.map(colour::sheet)
}

fn sheet_path(sheet: &str) -> String {
    statics::path("brand", "css", &statics::hash(sheet.as_bytes()))
}

fn logo_path(logo: &Logo) -> String {
    let end = logo.media_type().trim_start_matches("image/");
    statics::path("logo", end, logo.hash())
}

fn file(branding: &Branding, path: &str) -> Option<Answer> {
    if let Some(sheet) = sheet(branding).filter(|sheet| sheet_path(sheet) == path) {
        return Some(fixed(statics::STYLE_TYPE, sheet.as_bytes()));
    }
    let logo = branding.logo.as_ref().filter(|logo| logo_path(logo) == path)?;
    Some(fixed(logo.media_type(), logo.bytes()))
}
