//! Questions for the read API that came to the door because their path is mistyped. They get an answer of their own: the
//! door's usual answers say "try again" or "by POST", which would not help.
//!
//! Invariant: no webhook is treated as a question. A request that has Postmark's marks, that comes by POST with a webhook's
//! kind of password, or that goes to a webhook's own path is never one.

use crate::request::WebhookRequest;
use http::Method;
use http::header::AUTHORIZATION;
use ledger::ServerId;
use postmark::RecordType;

/// The words that only paths of the read API have in them.
const WORDS: [&str; 17] = [
    "activity",
    "audit",
    "check",
    "completeness",
    "erase",
    "export",
    "import",
    "messages",
    "openapi.json",
    "quarantine",
    "reactivate",
    "recipients",
    "servers",
    "stats",
    "streams",
    "suppressions",
    "timeline",
];
/// The other word: it counts only at the place where the routes begin, not anywhere in a path.
const TOKENS: &str = "tokens";

/// Whether a request is a question for the read API.
pub(crate) fn is_question(request: &WebhookRequest<'_>) -> bool {
    let bears = |scheme: &[u8]| {
        let begins =
            |header: &[u8]| header.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme));
        request.headers.get_all(AUTHORIZATION).iter().any(|header| begins(header.as_bytes()))
    };
    let (bearer, basic) = (bears(b"bearer "), bears(b"basic "));
    let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let post = request.method == Method::POST;
    if is_door(&segments) || request.is_marked() || (basic && post) {
        return false;
    }
    let reads = request.method == Method::GET || request.method == Method::HEAD;
    bearer || (is_versioned(&segments) && (reads || names_a_route(&segments)))
}

fn is_versioned(segments: &[&str]) -> bool {
    segments.first().is_some_and(|first| first.eq_ignore_ascii_case("v1"))
}

/// Whether a path is one that a webhook's URL has.
fn is_door(segments: &[&str]) -> bool {
    match segments {
        ["v1", server, kind] => {
            server.parse::<ServerId>().is_ok()
                && (*kind == "events" || RecordType::of_segment(kind).is_some())
        }
        _ => false,
    }
}

fn names_a_route(segments: &[&str]) -> bool {
    let named = |segment: &&str| WORDS.iter().any(|word| segment.eq_ignore_ascii_case(word));
    segments.iter().any(named) || segments.get(1).is_some_and(|word| word.eq_ignore_ascii_case(TOKENS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn asked(method: &Method, path: &str, authorization: &str, more: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        }
        for (name, value) in more {
            headers.insert(*name, value.parse().unwrap());
        }
        is_question(&WebhookRequest { method, path, headers: &headers, body: b"", source_ip: None })
    }

    #[test]
    fn a_bearers_token_a_read_and_a_read_routes_words_are_a_question() {
        for path in ["/v1/server/7/check", "/v1/7/check", "/v1", "/v1/", "/v1/7/chekc", "//V1//servers/"] {
            for method in [Method::POST, Method::GET, Method::PUT, Method::DELETE, Method::HEAD] {
                assert!(asked(&method, path, "Bearer plt_x", &[]), "{method} {path}");
                assert!(asked(&method, path, "bearer plt_x", &[]), "{method} {path}");
            }
            assert!(asked(&Method::GET, path, "", &[]) && asked(&Method::HEAD, path, "Basic eA==", &[]));
        }
        for path in ["/v1/7/check", "/v1/server/7/import", "/v1/tokens/", "/v1/7/streams/a/suppressions"] {
            assert!(asked(&Method::POST, path, "", &[]) && asked(&Method::DELETE, path, "", &[]), "{path}");
        }
        assert!(asked(&Method::POST, "/servers/7/check", "Bearer plt_x", &[]), "without the version too");
    }

    #[test]
    fn a_webhook_is_no_question_whatever_its_path() {
        for path in ["/v1/7/bounce", "/v1/7/bouncee", "/v1/7/check", "/v1/servers/", "/", "/v1/7/tokens"] {
            assert!(!asked(&Method::POST, path, "Basic eA==", &[]), "{path}");
            for mark in [("user-agent", "Postmark"), ("x-pm-retries-remaining", "3")] {
                assert!(!asked(&Method::POST, path, "Bearer abc", &[mark]), "{path}");
            }
        }
        for kind in ["bounce", "delivery", "open", "click", "spam-complaint", "subscription-change", "events"]
        {
            let path = format!("/v1/7/{kind}");
            assert!(!asked(&Method::POST, &path, "Bearer abc", &[]), "it is no mistyped path: {kind}");
            assert!(!asked(&Method::GET, &path, "", &[]), "{kind}");
        }
        assert!(!asked(&Method::POST, "/v1/7/bouncee", "", &[]) && !asked(&Method::GET, "/", "", &[]));
    }
}
