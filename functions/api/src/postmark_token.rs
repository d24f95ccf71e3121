//! A server's token at Postmark: checked with Postmark, and then kept in place of the one before. No answer, audit entry or
//! log line has it.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Admin;
use account::connect::ConnectError;
use answers::{PostmarkTokenKept, PostmarkTokenRequest};
use postmark_api::{ApiError, Token};
use serde_json::Value;
use std::time::Duration;

/// How long Postmark is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Replaces it.
///
/// # Errors
/// A conflict where Postmark does not accept it or it is another server's, or that Postmark or the vault does not answer;
/// then the one before is kept.
pub(crate) async fn replace(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let asked: PostmarkTokenRequest = call.json()?;
    let token = Token::new(&asked.token).map_err(|error| Problem::bad_request(format!("token: {error}")))?;
    let change = async {
        let told = tokio::time::timeout(PATIENCE, admin.owns(token.clone())).await;
        let info = told.map_err(|_| Problem::postmark_unavailable())?.map_err(refused)?;
        admin.keep_postmark_token(&token).await?;
        Ok((info.name, Value::Null))
    };
    let name = admin.change("server.postmark_token", None, Value::Null, change).await?;
    Ok(Answer::json(&PostmarkTokenKept { server: admin.server(), name }))
}

/// That a token is not the one that is looked for.
pub(crate) fn refused(error: ConnectError) -> Problem {
    let again =
        "copy the token that stands under API Tokens of this very server at Postmark, and send it again";
    match error {
        ConnectError::WrongServer(..) => {
            let words = "the token is another server's, so nothing was changed";
            Problem::conflict("token-of-another-server", "The token is another server's", words).next(again)
        }
        ConnectError::Api(ApiError::Refused { .. } | ApiError::NotSent(_)) => {
            let words = "Postmark does not accept the token, so nothing was changed";
            Problem::conflict("token-not-accepted", "Postmark does not accept the token", words).next(again)
        }
        other => {
            tracing::warn!(error = %other, "Postmark does not say whose a token is");
            Problem::postmark_unavailable()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER, owner};
    use crate::token::Role;
    use account::Vault as _;
    use http::Method;
    use ledger::ServerId;
    use postmark_api::Token;
    use serde_json::json;
    use store::Memory;
    use store::prelude::*;

    const GOOD: &str = "0f4e-good";

    async fn bench() -> Bench {
        let bench = Bench::beside(Memory::default(), owner());
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        bench.vault.put(ServerId::new(SERVER).unwrap(), &Token::new("before").unwrap()).await.unwrap();
        bench
    }

    async fn kept(bench: &Bench) -> String {
        let token = bench.vault.token(ServerId::new(SERVER).unwrap()).await.unwrap().unwrap();
        token.reveal().to_owned()
    }

    #[tokio::test]
    async fn a_token_is_kept_only_where_postmark_says_that_it_is_this_servers_and_the_audit_does_not_have_it()
    {
        let bench = bench().await;
        let path = format!("/v1/servers/{SERVER}/postmark-token");
        let admin = bench.token(Role::Admin, Some(&[SERVER]), true).await;
        for (token, status, code) in [
            ("other-s3cret", 409, "token-of-another-server"),
            ("refused-s3cret", 409, "token-not-accepted"),
            ("silent-s3cret", 503, "postmark-unavailable"),
            ("odd-s3cret", 503, "postmark-unavailable"),
            ("two s3cret", 400, "bad-request"),
            ("", 400, "bad-request"),
        ] {
            let told =
                bench.ask(&admin, Method::PUT, &path, json!({ "token": token }).to_string().as_bytes()).await;
            assert_eq!(told.status(), status, "{token}: {}", told.text());
            assert_eq!(told.json()["type"], format!("urn:postledger:problem:{code}"), "{token}");
            assert!(!told.text().contains("s3cret"), "{}", told.text());
            assert_eq!(kept(&bench).await, "before", "{token}");
        }
        let body = json!({ "token": format!(" {GOOD}\n") }).to_string();
        let told = bench.ask(&admin, Method::PUT, &path, body.as_bytes()).await;
        assert_eq!((told.status(), told.json()), (200, json!({ "server": SERVER, "name": "Shop" })));
        assert_eq!(kept(&bench).await, GOOD);
        let audit = bench.get("audit").await;
        let steps = audit.json()["items"].as_array().unwrap().clone();
        let of = |phase: &str| {
            steps
                .iter()
                .filter(|step| step["what"] == "server.postmark_token" && step["phase"] == phase)
                .count()
        };
        assert_eq!([of("begun"), of("failed"), of("done")], [5, 4, 1], "{}", audit.text());
        assert!(!audit.text().contains("s3cret") && !audit.text().contains(GOOD), "{}", audit.text());
    }

    #[tokio::test]
    async fn only_an_admin_of_the_server_replaces_its_token() {
        let bench = bench().await;
        let body = json!({ "token": GOOD }).to_string();
        let viewer = bench.token(Role::Viewer, Some(&[SERVER]), true).await;
        let other = bench.token(Role::Admin, Some(&[SERVER + 1]), true).await;
        for (token, status) in [(&viewer, 403), (&other, 404)] {
            let path = format!("/v1/servers/{SERVER}/postmark-token");
            assert_eq!(bench.ask(token, Method::PUT, &path, body.as_bytes()).await.status(), status);
            assert_eq!(kept(&bench).await, "before");
        }
    }
}
