//! A server that an operator adds by its token alone: Postmark says which one it is. No answer, audit entry or log line has
//! the token.

use crate::call::{Answer, Call};
use crate::postmark_token::{PATIENCE, refused};
use crate::problem::Problem;
use crate::scope::Adding;
use account::adding::About;
use account::connect::ConnectError;
use answers::{AddedServer, NewServer};
use http::StatusCode;
use ledger::ServerId;
use postmark_api::Token;

/// How many characters a name has.
const NAME_MAX: usize = 100;

/// Adds it; of one that is registered already nothing is changed, unless no token of it is kept.
///
/// # Errors
/// A conflict where Postmark does not accept the token, or that Postmark or the ledger does not answer; then nothing is
/// changed.
pub(crate) async fn add(adding: &Adding<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let asked: NewServer = call.json()?;
    let token = Token::new(&asked.token).map_err(|error| Problem::bad_request(format!("token: {error}")))?;
    let about = About {
        client: named("client", asked.client.as_deref())?,
        label: named("label", asked.label.as_deref())?,
        ..About::default()
    };
    let told = tokio::time::timeout(PATIENCE, adding.told(&token)).await;
    let info = told.map_err(|_| Problem::postmark_unavailable())?;
    let info = info.map_err(|error| refused(ConnectError::Api(error)))?;
    let server: ServerId = info.id.to_string().parse().map_err(|_| Problem::postmark_unavailable())?;
    let known = adding.known(server).await?;
    let was_registered = known.is_some();
    let had_token = was_registered && adding.has_token(server).await?;
    let entry = match known {
        Some(known) if had_token => known,
        // As after a restored backup: it keeps its names.
        Some(_) => adding.add((server, &info.name), &token, &About::default()).await?,
        None => adding.add((server, &info.name), &token, &about).await?,
    };
    let status = if was_registered { StatusCode::OK } else { StatusCode::CREATED };
    let added = AddedServer {
        server,
        name: info.name,
        client: entry.client,
        label: entry.label,
        streams: entry.streams.into_iter().map(|(id, stream)| (id, stream.kind.into())).collect(),
        was_registered,
        had_token,
    };
    Ok(Answer::with_status(status, &added))
}

/// A name as it is kept.
fn named(field: &str, text: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(text) = text.map(str::trim) else { return Ok(None) };
    if !(1..=NAME_MAX).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        let words = format!("{field}: expected 1 to {NAME_MAX} characters, without control characters");
        return Err(Problem::bad_request(words));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER, owner};
    use crate::token::Role;
    use account::{Registry, Vault as _};
    use http::Method;
    use ledger::ServerId;
    use serde_json::{Value, json};
    use store::prelude::*;
    use store::{Collection, Memory};

    const PATH: &str = "/v1/servers";

    async fn add(bench: &Bench, by: &str, body: &Value) -> (u16, Value) {
        let told = bench.ask(by, Method::POST, PATH, body.to_string().as_bytes()).await;
        assert!(!told.text().contains("s3cret"), "{}", told.text());
        (told.status(), told.json())
    }

    async fn kept(bench: &Bench) -> Option<String> {
        let token = bench.vault.token(ServerId::new(SERVER).unwrap()).await.unwrap();
        token.map(|token| token.reveal().to_owned())
    }

    #[tokio::test]
    async fn a_server_is_added_by_its_token_which_is_kept_and_stands_in_no_answer_and_in_no_audit() {
        let bench = Bench::beside(Memory::default(), owner());
        let by = bench.token(Role::Operator, None, true).await;
        let body = json!({ "token": " good-s3cret\n", "client": " Acme " });
        let (status, told) = add(&bench, &by, &body).await;
        let streams = json!({ "outbound": "transactional", "news": "broadcast" });
        let expected = json!({
            "server": SERVER, "name": "Shop", "client": "Acme", "label": "Shop", "streams": streams,
            "was_registered": false, "had_token": false,
        });
        assert_eq!((status, told), (201, expected));
        assert_eq!(kept(&bench).await.as_deref(), Some("good-s3cret"));
        let servers = bench.ask(&by, Method::GET, PATH, b"").await.json();
        let expected = json!({
            "server": SERVER, "client": "Acme", "label": "Shop", "streams": streams, "has_events": false,
        });
        assert_eq!(servers["items"], json!([expected]));
        let noted = bench.store.documents(&Collection::Audit(ServerId::new(SERVER).unwrap())).await.unwrap();
        assert_eq!(noted.iter().filter(|(_, one)| one.text.contains("server.add")).count(), 2);
        assert!(!format!("{noted:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn of_a_server_that_is_registered_nothing_is_changed() {
        let bench = Bench::beside(Memory::default(), owner());
        let by = bench.token(Role::Operator, None, true).await;
        add(&bench, &by, &json!({ "token": "first-s3cret" })).await;
        let (status, told) = add(&bench, &by, &json!({ "token": "next-s3cret", "label": "Other" })).await;
        assert_eq!((status, &told["was_registered"], &told["label"]), (200, &json!(true), &json!("Shop")));
        assert_eq!(kept(&bench).await.as_deref(), Some("first-s3cret"));
    }

    #[tokio::test]
    async fn of_a_server_without_a_token_the_token_is_kept_and_the_names_stay() {
        let bench = Bench::beside(Memory::default(), owner());
        let by = bench.token(Role::Operator, None, true).await;
        add(&bench, &by, &json!({ "token": "first-s3cret", "label": "Shop" })).await;
        bench.vault.remove(ServerId::new(SERVER).unwrap()).await.unwrap();
        let (status, told) = add(&bench, &by, &json!({ "token": "next-s3cret", "label": "Other" })).await;
        assert_eq!((status, &told["was_registered"], &told["had_token"]), (200, &json!(true), &json!(false)));
        assert_eq!((kept(&bench).await.as_deref(), &told["label"]), (Some("next-s3cret"), &json!("Shop")));
    }

    #[tokio::test]
    async fn what_is_no_token_of_a_server_adds_none() {
        let bench = Bench::beside(Memory::default(), owner());
        let by = bench.token(Role::Operator, None, true).await;
        let long = "x".repeat(101);
        for (body, status, code) in [
            (json!({ "token": "refused-s3cret" }), 409, "token-not-accepted"),
            (json!({ "token": "silent-s3cret" }), 503, "postmark-unavailable"),
            (json!({ "token": "odd-s3cret" }), 503, "postmark-unavailable"),
            (json!({ "token": "two s3cret" }), 400, "bad-request"),
            (json!({ "token": "good-s3cret", "client": " " }), 400, "bad-request"),
            (json!({ "token": "good-s3cret", "label": "a\nb" }), 400, "bad-request"),
            (json!({ "token": "good-s3cret", "label": long }), 400, "bad-request"),
            (json!({ "client": "Acme" }), 400, "bad-request"),
        ] {
            let (told, problem) = add(&bench, &by, &body).await;
            assert_eq!((told, &problem["type"]), (status, &json!(format!("urn:postledger:problem:{code}"))));
        }
        assert_eq!(Registry(&*bench.store).list().await.unwrap(), []);
        assert_eq!(kept(&bench).await, None);
    }

    #[tokio::test]
    async fn nobody_below_an_operator_of_all_servers_adds_one() {
        let bench = Bench::beside(Memory::default(), owner());
        for (role, servers) in
            [(Role::Viewer, None), (Role::Admin, None), (Role::Operator, Some(&[SERVER][..]))]
        {
            let by = bench.token(role, servers, true).await;
            assert_eq!(add(&bench, &by, &json!({ "token": "good-s3cret" })).await.0, 403, "{role:?}");
        }
        assert_eq!(kept(&bench).await, None);
    }
}
