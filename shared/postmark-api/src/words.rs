//! Postmark's error codes and HTTP's statuses as sentences with a next step.

/// What is wrong, and what to do about it.
type Sentence = (&'static str, Option<&'static str>);

/// The longest text of Postmark's that an error repeats, in characters.
const REPEATED_CHARS_MAX: usize = 300;

/// What a code of Postmark's means, where we can say more than Postmark does.
fn of_code(code: i64) -> Option<Sentence> {
    Some(match code {
        10 => (
            "the token is missing, wrong, or of the other kind (a server's, an account's)",
            Some("copy it again: a server's from its API Tokens tab, an account's from Account, API Tokens"),
        ),
        100 => ("Postmark is down for maintenance", Some("try again later")),
        101 => ("Postmark has an internal error", Some("try again later")),
        300 => ("the message is not valid", Some("correct the field that is named")),
        402 => {
            ("Postmark cannot read the JSON that was sent", Some("report it: this is a bug in Postledger"))
        }
        403 => ("a field has a value that Postmark does not take", Some("correct the field that is named")),
        406 => (
            "a recipient is on the stream's suppression list",
            Some("ask for the recipient's verdict, and reactivate it only with a reason"),
        ),
        410 => ("more than 500 messages in one batch", Some("send fewer at a time")),
        411 => ("an attachment is of a type that Postmark forbids", Some("leave it out")),
        412 => (
            "the account awaits approval, so it may mail its own domain only",
            Some("mail an address of the sender's domain, or have the account approved"),
        ),
        413 => ("the account is not approved to send", Some("have it approved by Postmark's support")),
        422 => ("the server or the account is not valid", Some("look at the server in Postmark")),
        603 => ("this server cannot be deleted through the API", Some("delete it in Postmark's own pages")),
        604 => (
            "the account may not delete servers through the API",
            Some("delete it in Postmark's own pages, or ask Postmark's support to allow it"),
        ),
        605 => {
            ("the server is not there, or its webhook settings are not valid", Some("look at it in Postmark"))
        }
        606 => (
            "a hook URL of the server is not valid",
            Some("correct it: an absolute https URL, or an empty text for none"),
        ),
        607..=612 | 615 => {
            ("a setting of the server is not valid", Some("correct the setting that is named"))
        }
        613 => (
            "a server's delivery type is fixed when it is created",
            Some("create another server with the delivery type that you need"),
        ),
        614 => ("a date is not valid", Some("report it: this is a bug in Postledger")),
        700 => (
            "the query for messages is not valid, or reaches past the first 10,000 rows",
            Some("ask for a shorter time"),
        ),
        701 => (
            "Postmark does not have this message (any more)",
            Some("nothing, if it is older than the server's retention, 45 days unless more was bought"),
        ),
        1000 => (
            "the query for bounces is not valid, or reaches past the first 10,000 rows",
            Some("ask for a shorter time"),
        ),
        1001 => (
            "Postmark does not have this bounce, or not its dump (any more)",
            Some("nothing: dumps are kept for 30 days"),
        ),
        1002 => ("a parameter is missing or not valid", Some("report it: this is a bug in Postledger")),
        1003 => (
            "this bounce cannot be reactivated",
            Some("nothing, if it was a complaint; otherwise ask Postmark's support"),
        ),
        1226 | 1235 => (
            "the server has no such message stream",
            Some("compare the stream's name with the server's streams in Postmark"),
        ),
        1236 => ("messages cannot be sent through a stream of this type", Some("name another stream")),
        1350 => ("the message stream is archived", Some("unarchive it in Postmark, or leave it out")),
        1351 => ("an inbound stream has no such webhooks", Some("leave the stream out")),
        1352 => ("the webhook is gone", Some("run connect again: it creates what is missing")),
        1353 => ("the stream does not have this trigger", Some("leave the trigger out for this stream")),
        1354 => ("the webhook's URL is missing or not valid", Some("give an absolute https URL")),
        1355 | 1356 | 1361 | 1362 | 1363 => (
            "Postmark does not accept the webhook as it was sent",
            Some("report it with the code: this is a bug in Postledger"),
        ),
        1357 => (
            "a webhook's stream cannot be changed",
            Some("remove the webhook and create it at the other stream"),
        ),
        1358 => ("the name of a header is not valid", Some("correct the webhook's headers")),
        1359 => (
            "the stream has as many webhooks as it may",
            Some("remove one that is no longer needed, or connect with --one-url"),
        ),
        1360 => (
            "the webhook belongs to an integration and cannot be changed here",
            Some("change it where the integration was set up"),
        ),
        1364 => (
            "the webhook's endpoint did not pass Postmark's verification",
            Some("deploy first: each probe must be answered with exactly 200"),
        ),
        1404 | 1405 => (
            "a filter of the suppression list is not valid",
            Some("report it with the code: this is a bug in Postledger"),
        ),
        1400..=1403 | 1406..=1409 | 1411 => (
            "Postmark does not accept the change of the suppression list",
            Some(
                "compare the stream's name with the server's streams in Postmark, and look at the addresses",
            ),
        ),
        1410 => ("more than 50 addresses in one change", Some("change fewer at a time")),
        1480 => ("calls from this IP address are not allowed", Some("look at the token's allowed addresses")),
        1500 => (
            "Postmark has no statistics for days more than a year ago",
            Some("ask for days of the last year"),
        ),
        1501 | 1502 => (
            "the days of the statistics are not valid",
            Some("give a first day that is not after the last, and a last day that is not in the future"),
        ),
        _ => return None,
    })
}

/// What a status of HTTP's means where Postmark gives no code that is known.
fn of_status(status: u16) -> Sentence {
    match status {
        300..=399 => (
            "a redirect, which is not followed, so that the token is not sent elsewhere",
            Some("check the base URL"),
        ),
        401 | 403 => ("the token is not accepted", Some("check that it is this server's, and not revoked")),
        404 => ("Postmark does not have this", Some("check in Postmark whether it was removed")),
        413 => ("the request is too large", Some("send less at a time")),
        415 => (
            "a header is missing, perhaps removed by a proxy",
            Some("let Accept, Content-Type and the token's header pass"),
        ),
        429 => ("too many calls", Some("wait some minutes, and ask less at a time")),
        _ => ("the request is not accepted", None),
    }
}

/// The sentence for a refusal, with Postmark's own words where they may be repeated.
pub(crate) fn refusal(status: u16, code: i64, told: &str, token: &str) -> (String, Option<&'static str>) {
    let known = of_code(code);
    let (sentence, next) = known.unwrap_or_else(|| of_status(status));
    let told = if code == 406 { None } else { repeatable(told, token) };
    match told {
        Some(told) => (format!("{sentence}; in Postmark's words: {told}"), next),
        None => (sentence.to_owned(), next),
    }
}

/// A text of Postmark's as far as it may be printed: none that names addresses or the token, and no control characters.
pub(crate) fn repeatable(told: &str, token: &str) -> Option<String> {
    let lower = told.to_lowercase();
    let names_someone = ["@", "＠", "﹫", "%40", "&#64;", "&#x40;"].iter().any(|at| lower.contains(at));
    let names_token = !token.is_empty() && lower.contains(&token.to_lowercase());
    let shown: String = told
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(REPEATED_CHARS_MAX)
        .collect();
    let shown = shown.trim();
    (!names_someone && !names_token && !shown.is_empty()).then(|| shown.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_matters_has_a_sentence_and_a_next_step() {
        let ranges = [603..=615, 1000..=1003, 1350..=1364, 1400..=1411, 1500..=1502];
        let single =
            [10, 100, 101, 300, 402, 403, 406, 410, 411, 412, 413, 422, 700, 701, 1226, 1235, 1236, 1480];
        for code in ranges.into_iter().flatten().chain(single) {
            let (words, next) = refusal(422, code, "", "");
            assert!(words.len() > 15 && next.is_some(), "{code}");
        }
        for status in [302, 401, 404, 413, 415, 429] {
            assert!(refusal(status, 0, "", "").1.is_some(), "{status}");
        }
    }

    #[test]
    fn postmarks_own_words_are_repeated_unless_they_name_somebody_or_the_token() {
        let (words, _) = refusal(422, 1361, "The 'Url' is\nwrong.", "t0ken");
        assert!(words.ends_with("in Postmark's words: The 'Url' is wrong."), "{words}");
        for told in
            ["Found inactive addresses: A@x.example.", "user%40x.example", "x＠y", "Token T0KEN is bad"]
        {
            let (words, _) = refusal(422, 1361, told, "t0ken");
            assert!(!words.contains("Postmark's words"), "{words}");
        }
        let (words, next) = refusal(422, 406, "You tried to send to inactive recipients.", "");
        assert_eq!(words, "a recipient is on the stream's suppression list");
        assert!(next.is_some());
        assert!(refusal(422, 9999, &"x".repeat(5000), "").0.len() < 400);
    }
}
