//! What is written in a mail: Postmark is asked when somebody says that they want to see it, and the API notes each look.
//!
//! Invariants:
//! - To open the page shows nothing and asks nothing: a look is noted, and no link that a browser follows by itself is one.
//! - HTML of a mail is somebody else's. It is an answer of its own, in which nothing may run, be sent or be loaded, and which no
//!   page shows but in a frame that lets nothing out.

use super::sent::{TAIL, refused};
use super::shared::link;
use crate::moment::Moment;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{AtServer, Failed, Frame, Why, segment};
use answers::MessageContent;
use askama::Template;
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, StatusCode};

/// What HTML of a mail may do: be styled by itself, and show pictures that are in it.
pub(crate) const MAIL_CSP: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; \
    base-uri 'none'; frame-ancestors 'self'; sandbox";
/// How many bytes of a text are shown on the page; escaped, they are a few times as many.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// What a document has something fetched by, or connected to, that no policy of its own stops; and what stands there instead.
/// A `srcdoc` is a document in an attribute, where any character may be written in many ways.
const FETCHES: [(&str, &str); 2] = [("<link", "<x-link"), ("srcdoc", "x-srcdoc")];

#[derive(Template)]
#[template(path = "content.html")]
struct ContentPage {
    t: Texts,
    frame: Frame,
    is_now: bool,
    id: String,
    /// Whether they were given the right to it.
    may: bool,
    problem: Option<String>,
    /// What Postmark has, once it was asked.
    seen: Option<Seen>,
    here: String,
    back: String,
}

/// What Postmark has of a mail.
struct Seen {
    asked_at: Moment,
    subject: Option<String>,
    text: Option<String>,
    is_cut: bool,
    has_html: bool,
    attachments: Vec<String>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage {
    t: Texts,
    words: String,
}

/// The page; what a form on it asks for.
///
/// # Errors
/// The API's own.
pub(super) async fn page(at: &AtServer<'_>, id: &str, posts: bool) -> Result<Answer, Failed> {
    if !is_plain(id) {
        return Err(Failed::not_found());
    }
    let form = at.visit.request.form();
    match (posts, form.text("action").unwrap_or_default()) {
        (false, _) => shown(at, id, None, None),
        (true, "show") => match content(at, id).await? {
            Ok(content) => shown(at, id, None, Some(content)),
            Err(problem) => shown(at, id, Some(problem), None),
        },
        (true, "html") => html(at, id).await,
        (true, _) => Err(Failed::not_found()),
    }
}

/// Whether a text can be Postmark's id of a message: an address, above all, is none.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn path(at: &AtServer<'_>, id: &str) -> String {
    at.path(&format!("messages/{}/content", segment(id)))
}

/// Where it stands for a message, for whoever may see it.
pub(super) fn of_message(at: &AtServer<'_>, id: &str) -> Option<String> {
    (at.caller.reads_content() && is_plain(id)).then(|| path(at, id))
}

/// What Postmark has; or why not, with the status of the page that says so.
async fn content(
    at: &AtServer<'_>,
    id: &str,
) -> Result<Result<MessageContent, (StatusCode, String)>, Failed> {
    let t = at.visit.t();
    let failed = match at.ask(at.get(&format!("messages/{id}/content"))).await {
        Ok(content) => return Ok(Ok(content)),
        Err(failed) => failed,
    };
    let words = match &failed.why {
        Why::Problem(problem) => match problem.code() {
            "no-such-message" => Some((StatusCode::OK, t.sent_no_message())),
            "content-right" => Some((StatusCode::FORBIDDEN, t.content_not_yours())),
            _ => None,
        },
        _ => None,
    };
    words.map_or_else(|| refused(at, failed), Ok).map(Err)
}

fn shown(
    at: &AtServer<'_>,
    id: &str,
    problem: Option<(StatusCode, String)>,
    content: Option<MessageContent>,
) -> Result<Answer, Failed> {
    let (status, problem) = problem.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    let seen = content.map(|content| seen(at, content));
    let frames = seen.as_ref().is_some_and(|seen| seen.has_html);
    let page = ContentPage {
        t: at.visit.t(),
        frame: at.frame(),
        is_now: at.as_of.is_now(),
        id: id.to_owned(),
        may: at.caller.reads_content(),
        problem,
        seen,
        here: path(at, id),
        back: link(&at.path(TAIL), &[("message", Some(id.to_owned()))]),
    };
    let mut answer = respond::page(status, &page)?;
    if frames {
        // This page alone has a frame, of its own.
        respond::may_frame(&mut answer);
    }
    Ok(answer)
}

fn seen(at: &AtServer<'_>, content: MessageContent) -> Seen {
    let MessageContent { asked_at, subject, text, html, attachments, truncated, .. } = content;
    let cut = |mut text: String| {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text
    };
    let is_long = text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX);
    Seen {
        asked_at: at.visit.show(asked_at),
        subject,
        text: text.map(cut),
        is_cut: truncated || is_long,
        has_html: html.is_some(),
        attachments,
    }
}

/// The HTML of a mail, for the frame; or why there is none, in words that a frame may show.
async fn html(at: &AtServer<'_>, id: &str) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let (status, body) = match content(at, id).await? {
        Ok(MessageContent { html: Some(html), .. }) => (StatusCode::OK, harmless(&html)),
        Ok(_) => (StatusCode::OK, words(t, t.content_no_html())?),
        Err((status, why)) => (status, words(t, why)?),
    };
    let mut answer = respond::with(status, "text/html; charset=utf-8", body.into_bytes());
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_CSP));
    Ok(answer)
}

fn words(t: Texts, words: String) -> Result<String, Failed> {
    MailPage { t, words }.render().map_err(|_| Failed::fault("a page cannot be written"))
}

/// HTML without `<link>`: the policy that it is shown under stops everything else that would be loaded, but browsers look names
/// up, and connect, for a `<link rel=preconnect>` whatever a policy says. Whoever wrote the mail would learn who looks at it.
/// That names of other links are not looked up either says a header of every answer.
fn harmless(html: &str) -> String {
    FETCHES.iter().fold(html.to_owned(), |html, (fetches, instead)| {
        let lower = html.to_ascii_lowercase();
        let mut all = String::with_capacity(html.len());
        let mut from = 0;
        for (place, found) in lower.match_indices(fetches) {
            all.push_str(&html[from..place]);
            all.push_str(instead);
            from = place + found.len();
        }
        all.push_str(&html[from..]);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_element_is_left_for_which_a_browser_connects_elsewhere() {
        for html in [
            "<link rel=preconnect href=https://tracker.example>",
            "<LINK\nrel=dns-prefetch href=//tracker.example>",
            "<p>ü</p><lInK/rel=preload>",
            "<<link>",
            "<lin<link>k rel=preconnect>",
            "<iframe srcdoc=\"&lt;link rel=preconnect href=//tracker.example&gt;\">",
            "<iframe\nSrcDoc='&#60;link rel=dns-prefetch href=//tracker.example>'>",
        ] {
            let told = harmless(html).to_ascii_lowercase();
            assert!(!told.contains("<link") && !told.replace("x-srcdoc", "").contains("srcdoc"), "{told}");
        }
        assert_eq!(harmless("<p>A <b>link</b> &lt;link</p>"), "<p>A <b>link</b> &lt;link</p>");
        assert_eq!(harmless("ä<Link>ß"), "ä<x-link>ß");
    }
}
