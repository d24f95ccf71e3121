//! Style, script and icon: compiled in, under names that change with them, so that browsers may keep them for ever.

use crate::respond::{Answer, fixed};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use ring::digest::{SHA256, digest};
use std::sync::LazyLock;

/// A file.
pub(crate) struct File {
    kind: &'static str,
    body: &'static [u8],
    path: LazyLock<String>,
}

impl File {
    /// Where it is: with a hash of what it holds.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

/// Where files are.
pub(crate) const FOLDER: &str = "/static/";
/// What a style sheet is.
pub(crate) const STYLE_TYPE: &str = "text/css; charset=utf-8";

/// A hash of a file.
pub(crate) fn hash(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, body))
}

/// Where a file of a hash is.
pub(crate) fn path(name: &str, end: &str, hash: &str) -> String {
    format!("{FOLDER}{name}-{}.{end}", &hash[..10])
}

const STYLE_TEXT: &[u8] = include_bytes!("../static/portal.css");
const SCRIPT_TEXT: &[u8] = include_bytes!("../static/portal.js");
const ICON_TEXT: &[u8] = include_bytes!("../static/icon.svg");

/// The style.
pub(crate) static STYLE: File = File {
    kind: STYLE_TYPE,
    body: STYLE_TEXT,
    path: LazyLock::new(|| path("portal", "css", &hash(STYLE_TEXT))),
};

/// The script: what no page needs.
pub(crate) static SCRIPT: File = File {
    kind: "text/javascript; charset=utf-8",
    body: SCRIPT_TEXT,
    path: LazyLock::new(|| path("portal", "js", &hash(SCRIPT_TEXT))),
};

/// The icon that browsers show beside a title.
static ICON: File =
    File { kind: "image/svg+xml", body: ICON_TEXT, path: LazyLock::new(|| "/favicon.ico".to_owned()) };

/// The file at a path, if one is there.
pub(crate) fn found(path: &str) -> Option<Answer> {
    let found = [&STYLE, &SCRIPT, &ICON].into_iter().find(|file| file.path() == path)?;
    let mut answer = fixed(found.kind, found.body);
    if path == ICON.path() {
        // Browsers ask for it by this name, whatever it holds.
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    }
    Some(answer)
}
