//! What a receiving server's answer means, in words. The answer itself is always shown beside them.

use crate::texts::Texts;

/// What says it, in the language of a page.
type Words = fn(Texts) -> String;

/// What the subject and detail of an enhanced status code (RFC 3463 and its registry) say, whatever its class.
const CODES: [(&str, Words); 26] = [
    ("1.0", |t| t.smtp_address()),
    ("1.1", |t| t.smtp_no_mailbox()),
    ("1.2", |t| t.smtp_no_domain()),
    ("1.3", |t| t.smtp_address()),
    ("1.6", |t| t.smtp_moved()),
    ("1.10", |t| t.smtp_null_mx()),
    ("2.0", |t| t.smtp_mailbox()),
    ("2.1", |t| t.smtp_disabled()),
    ("2.2", |t| t.smtp_full()),
    ("2.3", |t| t.smtp_too_large()),
    ("3.1", |t| t.smtp_system_full()),
    ("3.2", |t| t.smtp_not_now()),
    ("3.4", |t| t.smtp_too_large()),
    ("4.1", |t| t.smtp_no_answer()),
    ("4.2", |t| t.smtp_connection()),
    ("4.3", |t| t.smtp_no_route()),
    ("4.4", |t| t.smtp_no_route()),
    ("4.6", |t| t.smtp_loop()),
    ("4.7", |t| t.smtp_expired()),
    ("7.0", |t| t.smtp_policy()),
    ("7.1", |t| t.smtp_policy()),
    ("7.20", |t| t.smtp_authentication()),
    ("7.21", |t| t.smtp_authentication()),
    ("7.23", |t| t.smtp_authentication()),
    ("7.25", |t| t.smtp_reverse()),
    ("7.26", |t| t.smtp_authentication()),
];

/// What an answer means, where it has a code that says so.
pub(super) fn words(t: Texts, said: &str) -> Option<String> {
    let tokens = said.split(|one: char| !one.is_ascii_digit() && one != '.');
    let tokens = || tokens.clone().map(|token| token.trim_end_matches('.'));
    let basic = tokens().find(|token| is_basic(token));
    let Some(code) = tokens().find(|token| is_enhanced(token)) else {
        let code = basic?;
        return Some(t.smtp_code(of_class(t, &code[..1])?, code));
    };
    let (class, rest) = code.split_once('.')?;
    let known = CODES.iter().find(|(known, _)| *known == rest && class != "2");
    // What may pass is final all the same where the reply is.
    let may_pass = class == "4" && basic.is_none_or(|basic| !basic.starts_with('5'));
    let words = match known {
        Some((_, words)) if may_pass => t.smtp_for_now(words(t)),
        Some((_, words)) => words(t),
        None => of_class(t, class)?,
    };
    Some(t.smtp_code(words, code))
}

fn of_class(t: Texts, class: &str) -> Option<String> {
    match class {
        "2" => Some(t.smtp_accepted()),
        "4" => Some(t.smtp_refused_now()),
        "5" => Some(t.smtp_refused()),
        _ => None,
    }
}

/// Whether a text is an enhanced status code (`5.1.1`), and no part of an address of the network.
fn is_enhanced(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let [class, subject, detail] = parts[..] else { return false };
    ["2", "4", "5"].contains(&class)
        && subject.parse::<u8>().is_ok_and(|subject| subject <= 7)
        && (1..=3).contains(&detail.len())
}

/// Whether a text is a reply code (`550`).
fn is_basic(text: &str) -> bool {
    let digits = text.as_bytes();
    digits.len() == 3
        && b"245".contains(&digits[0])
        && (b'0'..=b'5').contains(&digits[1])
        && digits[2] != b'.'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        words(Texts::default(), text)
    }

    #[test]
    fn an_answer_is_told_by_its_code() {
        let t = Texts::default();
        for (text, meant, code) in [
            (
                "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
                t.smtp_no_mailbox(),
                "5.1.1",
            ),
            ("550-5.1.1 unknown\n550 5.1.1 user", t.smtp_no_mailbox(), "5.1.1"),
            ("smtp;550 4.4.7 QUEUE.Expired; message expired", t.smtp_expired(), "4.4.7"),
            ("452 4.2.2 <ida@customer.example> is full", t.smtp_for_now(t.smtp_full()), "4.2.2"),
            ("553 sorry, no such mailbox here (#5.1.1)", t.smtp_no_mailbox(), "5.1.1"),
            ("550 refused", t.smtp_refused(), "550"),
            ("421 Service not available", t.smtp_refused_now(), "421"),
            ("smtp;250 2.0.0 OK 1700000000 x", t.smtp_accepted(), "2.0.0"),
            ("554 5.7.99 no", t.smtp_refused(), "5.7.99"),
            ("[5.2.3.4] 550 blocked", t.smtp_refused(), "550"),
        ] {
            assert_eq!(said(text), Some(t.smtp_code(meant, code)), "{text}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_left_as_it_is() {
        for text in
            ["", "no", "Test server message", "5.5", "5..1", "999 x", "5501", "é 5.x.1", "4.96.1", "2.5.6.7"]
        {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
