//! Answers as they go: pages, packed and guarded by headers; redirects; files.

use crate::{Failed, Settings};
use askama::Template;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::io::Write as _;

/// What pages may load and do: their own style, script and forms, and nothing of anybody else. None has a frame, but for the one
/// that [`may_frame`] is for.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// Below this many bytes packing saves nothing.
const PACKED_FROM: usize = 512;

/// An answer.
pub type Answer = Response<Vec<u8>>;

/// A page.
///
/// # Errors
/// Where its template cannot be filled in, which no page's can.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Result<Answer, Failed> {
    let text = template.render().map_err(|_| Failed::fault("a page cannot be written"))?;
    Ok(with(status, "text/html; charset=utf-8", text.into_bytes()))
}

/// Lets a page show another answer of ours in a frame: one that says of itself that it may be shown so.
pub(crate) fn may_frame(answer: &mut Answer) {
    if let Ok(value) = HeaderValue::from_str(&format!("{CSP}; frame-src 'self'")) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, value);
    }
}

/// A body of a kind.
pub(crate) fn with(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A table to keep, as a file of a name.
pub(crate) fn file(kind: &'static str, name: &str, body: Vec<u8>) -> Answer {
    let mut answer = with(StatusCode::OK, kind, body);
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"")) {
        answer.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    answer
}

/// What never changes under its name.
pub(crate) fn fixed(kind: &'static str, body: &[u8]) -> Answer {
    let mut answer = with(StatusCode::OK, kind, body.to_vec());
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    answer.headers_mut().insert(CACHE_CONTROL, forever);
    answer
}

/// On to another page of ours, by GET.
pub(crate) fn see(path: &str) -> Answer {
    let mut answer = with(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Vec::new());
    let to = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    answer.headers_mut().insert(LOCATION, to);
    answer
}

/// A cookie that is set, or taken away where it lasts no time.
pub(crate) fn cookie(answer: &mut Answer, settings: &Settings, name: &str, value: &str, seconds: i64) {
    let name = settings.cookie(name);
    let secure = if settings.is_secure() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        answer.headers_mut().append(SET_COOKIE, value);
    }
}

/// Whether one of the encodings that a browser names is ours, and not one that it refuses (`gzip;q=0`).
fn is_gzip(one: &str) -> bool {
    let (name, quality) = one.split_once(';').unwrap_or((one, ""));
    let weight = quality.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
    name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
}

/// The same answer with what guards it, packed where the browser takes that.
pub(crate) fn guarded(mut answer: Answer, settings: &Settings, asked: &HeaderMap) -> Answer {
    let takes = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|header| header.to_str().ok());
    let takes_gzip = takes.flat_map(|header| header.split(',')).any(is_gzip);
    if takes_gzip && answer.body().len() >= PACKED_FROM {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        if packer.write_all(answer.body()).is_ok()
            && let Ok(packed) = packer.finish()
        {
            *answer.body_mut() = packed;
            answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    let headers = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Names of links are looked up when they are clicked: what is shown of a mail can ask for more, but not against this.
    headers.insert(HeaderName::from_static("x-dns-prefetch-control"), HeaderValue::from_static("off"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    );
    if settings.is_secure() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    answer
}
