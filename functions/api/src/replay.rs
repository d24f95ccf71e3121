//! A body that was set aside, taken in again by an admin of its server.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Admin;
use answers::Replayed;
use serde_json::json;

/// Puts one of the server's own bodies back.
///
/// # Errors
/// As [`Kept::find`] and [`Kept::replay`]; that of another server is not there.
pub(crate) async fn replay(admin: &Admin<'_>, call: &Call<'_>, key: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    if !call.body.is_empty() {
        return Err(Problem::bad_request("expected no body"));
    }
    let kept = admin.kept(key).await?;
    let work = async {
        let (event, queue) = admin.replay(&kept).await?;
        let told = Replayed { event, queue: queue.name().to_owned() };
        Ok((told, json!({ "event": event })))
    };
    let target = Some(key.to_owned());
    let asked = json!({ "another_body": false, "override": false });
    Ok(Answer::json(&admin.change("quarantine.replay", target, asked, work).await?))
}

#[cfg(test)]
mod tests {
    use crate::bench::{Answered, Bench, SERVER};
    use crate::token::Role;
    use http::Method;
    use ledger::ServerId;
    use queue::SetAside;
    use serde_json::json;
    use store::prelude::*;

    const BOUNCE: &str = r#"{"RecordType":"Bounce","MessageStream":"outbound","ID":1,"Type":"HardBounce","ServerID":8123456,
        "MessageID":"883953f4-6105-42a2-a16a-77a8eac79483","Email":"ida@customer.example","BouncedAt":"2026-11-20T08:00:00Z",
        "Inactive":true}"#;

    /// Sets a body aside for a reason; its key.
    async fn aside(bench: &Bench, server: i64, reason: &str, body: &str) -> String {
        let at = crate::bench::now().plus_seconds(-60);
        let whole = SetAside::example(ServerId::new(server).unwrap(), at, reason, body);
        let mut key = String::new();
        for part in whole.parts() {
            key = part.key();
            bench.store.quarantine(part, None).await.unwrap();
        }
        key
    }

    async fn replay(bench: &Bench, key: &str) -> Answered {
        bench.call(Method::POST, &format!("quarantine/{key}/replay"), b"").await
    }

    #[tokio::test]
    async fn an_admin_puts_back_what_can_be_recorded_now_and_it_is_noted() {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        let key = aside(&bench, SERVER, "not_committable", BOUNCE).await;
        let told = replay(&bench, &key).await;
        assert_eq!(told.status(), 200, "{}", told.text());
        assert_eq!(bench.decided().await[0]["Email"], "ida@customer.example");
        let listed = bench.get("quarantine").await.json();
        assert!(listed["items"][0]["replayed_at"].is_string(), "{listed}");
        let again = replay(&bench, &key).await;
        assert_eq!(
            (again.status(), &again.json()["type"]),
            (409, &json!("urn:postledger:problem:already-replayed"))
        );
        let audit = bench.get("audit").await;
        assert!(
            audit.text().contains("quarantine.replay") && !audit.text().contains("ida@"),
            "{}",
            audit.text()
        );
    }

    #[tokio::test]
    async fn what_a_rule_holds_back_or_nobody_understands_stays_where_it_is() {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        for (reason, body, code) in [
            ("sender", BOUNCE, "held-back"),
            ("too_old", BOUNCE, "held-back"),
            ("not_json", "{", "not-understood"),
            ("missing_field", "{}", "not-understood"),
        ] {
            let key = aside(&bench, SERVER, reason, body).await;
            let told = replay(&bench, &key).await;
            assert_eq!(told.status(), 409, "{reason}: {}", told.text());
            assert_eq!(told.json()["type"], format!("urn:postledger:problem:{code}"), "{reason}");
        }
        assert!(bench.decided().await.is_empty());
    }

    #[tokio::test]
    async fn a_body_of_another_server_is_not_there_nor_is_any_for_a_viewer() {
        let bench = Bench::default();
        bench.store.note_stream(ServerId::new(SERVER).unwrap(), "outbound").await.unwrap();
        let other = aside(&bench, SERVER + 1, "not_committable", BOUNCE).await;
        let foreign = replay(&bench, &other).await;
        let none = replay(&bench, "1.x").await;
        assert_eq!((foreign.status(), foreign.text()), (404, none.text()));
        // Nor is one of which a part is missing.
        let at = crate::bench::now().plus_seconds(-61);
        let large = vec![b'x'; queue::PART_BYTES_MAX + 1];
        let whole = SetAside::example(ServerId::new(SERVER + 1).unwrap(), at, "too_large", large);
        let part = whole.parts().remove(0);
        let key = part.key();
        bench.store.quarantine(part, None).await.unwrap();
        let torn = replay(&bench, &key).await;
        assert_eq!((torn.status(), torn.text()), (404, none.text()));
        for key in ["x", "..", "1", "%00"] {
            assert_eq!(replay(&bench, key).await.status(), 404, "{key}");
        }
        let own = aside(&bench, SERVER, "not_committable", BOUNCE).await;
        let viewer = bench.token(Role::Viewer, Some(&[SERVER]), true).await;
        let path = format!("/v1/servers/{SERVER}/quarantine/{own}/replay");
        assert_eq!(bench.ask(&viewer, Method::POST, &path, b"").await.status(), 403);
        assert!(bench.decided().await.is_empty());
        assert_eq!(bench.get("audit").await.json()["items"], json!([]));
    }
}
