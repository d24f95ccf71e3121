//! One plain mail by a server's own token, so that what Postmark reports of it shows whether reports come in. Neither address
//! is in an audit entry, answer or log line.

use crate::call::{Answer, Call};
use crate::postmark_token::PATIENCE;
use crate::problem::Problem;
use crate::ruling::no_postmark_token;
use crate::scope::{Admin, UnknownStream};
use account::test_mail::{self, TestMailError};
use answers::{TestMail, TestMailRequest};
use ledger::event::WHOLE_SERVER;
use ledger::given::Address;
use postmark_api::ApiError;
use serde_json::json;

/// Sends it.
///
/// # Errors
/// A conflict where no token is kept or Postmark does not take the mail, or that Postmark or the ledger does not answer.
pub(crate) async fn send(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let TestMailRequest { stream, from, to } = call.json()?;
    let (from, to) = (address("from", &from)?, address("to", &to)?);
    if stream == WHOLE_SERVER {
        return Err(Problem::bad_request("stream: a mail is sent on one stream"));
    }
    admin.stream(&stream, UnknownStream::Refuse).await?;
    let otherwise = "an admin can replace it on the page Settings of the portal, too";
    let api = admin.postmark().await?.ok_or_else(|| no_postmark_token(admin, otherwise))?;
    let change = async {
        let sent = test_mail::send(&api, &stream, from.text(), to.text());
        let taken = tokio::time::timeout(PATIENCE, sent).await.map_err(|_| uncertain())?.map_err(not_sent)?;
        let sent_at = taken.at.unwrap_or_else(|| admin.now()).into();
        let told = TestMail { server: admin.server(), message_id: taken.message_id, sent_at };
        let noted = json!({ "message_id": told.message_id, "sent_at": told.sent_at });
        Ok((told, noted))
    };
    let told = admin.change("server.test_mail", None, json!({ "stream": stream }), change).await?;
    Ok(Answer::json(&told))
}

/// An address in a field of a request.
pub(crate) fn address(field: &str, text: &str) -> Result<Address, Problem> {
    text.parse::<Address>()
        .map_err(|error| Problem::bad_request(format!("{field}: expected one address: {}", error.reason())))
}

fn not_sent(error: TestMailError) -> Problem {
    let not_taken =
        |words: String| Problem::conflict("mail-not-taken", "Postmark does not take the mail", words);
    match error {
        TestMailError::NotTaken(_) => {
            not_taken(error.to_string()).next("look at the server's activity at Postmark, which says more")
        }
        // An answer that is not understood is one: the mail is on its way, as far as anybody knows.
        TestMailError::Api(error @ (ApiError::Uncertain(_) | ApiError::NotUnderstood(_))) => {
            tracing::warn!(error = %error, "nobody knows whether Postmark took a test mail");
            uncertain()
        }
        TestMailError::Api(error @ (ApiError::Refused { .. } | ApiError::NotSent(_))) => {
            not_taken(error.to_string())
                .next(error.next().unwrap_or("correct what is named, and send it again"))
        }
        TestMailError::Api(error) => {
            tracing::warn!(error = %error, "Postmark does not take a test mail");
            Problem::postmark_unavailable()
        }
    }
}

/// Nobody knows whether it was sent.
pub(crate) fn uncertain() -> Problem {
    Problem::uncertain("Postmark gave no usable answer, so it is not known whether the mail was sent")
        .next("look at the server's activity at Postmark before you send another one")
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER, owner};
    use crate::token::Role;
    use account::Vault as _;
    use http::Method;
    use ledger::ServerId;
    use postmark_api::Token;
    use serde_json::{Value, json};
    use store::prelude::*;
    use store::{Collection, Memory};

    const FROM: &str = "shop@client.example";
    const TO: &str = "ida@customer.example";

    async fn bench(token: &str) -> Bench {
        let bench = Bench::beside(Memory::default(), owner());
        let server = ServerId::new(SERVER).unwrap();
        bench.store.note_stream(server, "outbound").await.unwrap();
        if !token.is_empty() {
            bench.vault.put(server, &Token::new(token).unwrap()).await.unwrap();
        }
        bench
    }

    async fn noted(bench: &Bench) -> String {
        let server = ServerId::new(SERVER).unwrap();
        let noted = bench.store.documents(&Collection::Audit(server)).await.unwrap();
        noted.into_iter().map(|(_, one)| one.text).filter(|text| text.contains("server.test_mail")).collect()
    }

    async fn send(bench: &Bench, body: Value) -> (u16, Value) {
        let told = bench.post("test-mail", body).await;
        (told.status(), told.json())
    }

    #[tokio::test]
    async fn a_mail_is_sent_and_its_id_is_noted_without_an_address() {
        let bench = bench("good-s3cret").await;
        let (status, told) = send(&bench, json!({ "stream": "outbound", "from": FROM, "to": TO })).await;
        let expected = json!({
            "server": SERVER, "message_id": "7dc0521c-a785-4c7b-b689-000000000001",
            "sent_at": "2026-11-25T11:59:00.500000Z",
        });
        assert_eq!((status, told), (200, expected));
        let noted = noted(&bench).await;
        assert!(noted.contains("7dc0521c") && noted.contains("outbound"), "{noted}");
        assert!(!noted.contains('@') && !noted.contains("s3cret"), "{noted}");
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_told_with_its_place_and_nothing_is_sent_or_noted() {
        let bench = bench("good-s3cret").await;
        for (stream, from, to, place) in [
            ("outbound", "Ida <ida@x.example>, b@x.example", TO, "from"),
            ("outbound", "", TO, "from"),
            ("outbound", FROM, "a@x.example,b@x.example", "to"),
            ("outbound", FROM, "nobody", "to"),
            ("*", FROM, TO, "stream"),
        ] {
            let (status, told) = send(&bench, json!({ "stream": stream, "from": from, "to": to })).await;
            let detail = told["detail"].as_str().unwrap();
            assert!(status == 400 && detail.starts_with(place) && !detail.contains("example"), "{told}");
        }
        let (status, told) = send(&bench, json!({ "stream": "outbuond", "from": FROM, "to": TO })).await;
        assert_eq!((status, &told["did_you_mean"]), (404, &json!(["outbound"])));
        assert_eq!(noted(&bench).await, "");
    }

    #[tokio::test]
    async fn what_postmark_says_against_it_is_told() {
        let body = || json!({ "stream": "outbound", "from": FROM, "to": TO });
        for (token, status, code) in [
            ("", 409, "no-postmark-token"),
            ("refused-s3cret", 409, "mail-not-taken"),
            ("inactive-s3cret", 409, "mail-not-taken"),
            ("silent-s3cret", 503, "postmark-unavailable"),
            ("broken-s3cret", 503, "uncertain"),
            ("odd-s3cret", 503, "uncertain"),
            ("taken-s3cret", 503, "uncertain"),
        ] {
            let (told, problem) = send(&bench(token).await, body()).await;
            let kind = format!("urn:postledger:problem:{code}");
            assert_eq!((told, problem["type"].as_str()), (status, Some(kind.as_str())), "{problem}");
            assert!(!problem.to_string().contains('@'), "{problem}");
        }
    }

    #[tokio::test]
    async fn only_an_admin_of_the_server_sends_one() {
        let bench = bench("good-s3cret").await;
        let body = json!({ "stream": "outbound", "from": FROM, "to": TO }).to_string();
        let viewer = bench.token(Role::Viewer, Some(&[SERVER]), true).await;
        let other = bench.token(Role::Admin, Some(&[SERVER + 1]), true).await;
        let admin = bench.token(Role::Admin, Some(&[SERVER]), false).await;
        let path = format!("/v1/servers/{SERVER}/test-mail");
        for (token, status) in [(&viewer, 403), (&other, 404), (&admin, 200)] {
            assert_eq!(bench.ask(token, Method::POST, &path, body.as_bytes()).await.status(), status);
        }
    }
}
