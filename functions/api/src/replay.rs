//! A body that was set aside, put back on its queue as it was received then: for admins of its server, and for operators
//! with a mended body or against a rule that holds it back.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Admin;
use answers::Replayed;
use http::StatusCode;
use ledger::{Identity, LedgerKey, Time};
use postmark::Context;
use queue::{Envelope, Queue, QueueName, REVOKED, SetAside};
use serde_json::json;
use store::{Quarantined, Store};

/// How a body is replayed.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Records it although its credential was revoked, its sender may not tell it, or it is too old.
    pub overridden: bool,
    /// A completed or corrected body.
    pub body: Option<Vec<u8>>,
}

/// What was set aside under a key.
#[derive(Debug)]
pub struct Kept {
    /// As its first part is kept.
    pub listed: Quarantined,
    /// All of it.
    pub aside: SetAside,
}

/// That nothing of a key was set aside.
pub(crate) fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "missing", "It is not there", "nothing of that key is in quarantine")
        .next("`postledger quarantine list` shows the keys")
}

/// That something cannot be done, and could not be the next time.
fn unusable(why: impl ToString) -> Problem {
    Problem::conflict("unusable", "It cannot be done", why.to_string())
        .next("see to that, then do this again")
}

impl Kept {
    /// What was set aside under a key, as lists show it.
    ///
    /// # Errors
    /// Where nothing is there, a part of it is missing, or the store's own.
    pub async fn find(store: &dyn Store, key: &str) -> Result<Kept, Problem> {
        let (received_at, id) = key.split_once('.').ok_or_else(unknown)?;
        let received_at = Time::from_micros(received_at.parse().map_err(|_| unknown())?);
        let kept = store.quarantined(received_at, id).await?;
        let listed = kept.first().ok_or_else(unknown)?.clone();
        let incomplete = || unusable("a part of this body is missing; its sender was told to come again");
        let parts = kept.into_iter().map(|kept| kept.part).collect();
        Ok(Kept { listed, aside: SetAside::whole(parts).ok_or_else(incomplete)? })
    }

    /// Puts it back on its queue: which event it is, and which queue.
    ///
    /// # Errors
    /// Where it would be set aside again, where only an operator may have it recorded, or the ports' own.
    pub async fn replay(
        &self,
        (store, queue): (&dyn Store, &dyn Queue),
        key: &LedgerKey,
        how: &Replay,
        now: Time,
    ) -> Result<(Identity, QueueName), Problem> {
        let (identity, envelope) = self.again(key, how)?;
        if !how.overridden {
            self.may_be_replayed(store).await?;
        }
        let name = QueueName::of(envelope.record_type);
        queue.send(name, &envelope.encode()).await?;
        let part = &self.listed.part;
        store.mark_replayed(part.received_at, &part.id, now).await?;
        Ok((identity, name))
    }

    async fn may_be_replayed(&self, store: &dyn Store) -> Result<(), Problem> {
        let aside = &self.aside;
        if let Some(at) = self.listed.replayed_at {
            return Err(unusable(format!(
                "it was replayed at {at} already; only --override replays it again"
            )));
        }
        let still = match &*aside.reason {
            // It may have been taken back since.
            REVOKED => {
                let rules = store.rules().await?;
                rules.revoked_at(aside.server, aside.generation).is_some_and(|from| aside.received_at > from)
            }
            reason => matches!(reason, "sender" | "too_old"),
        };
        if still {
            let why = format!("it was set aside as {}; only --override records it", aside.reason);
            return Err(unusable(why));
        }
        Ok(())
    }

    /// It as its sender told it, and which event it is. Of somebody erased nothing but the event is left, unless a completed
    /// body is given.
    fn again(&self, key: &LedgerKey, how: &Replay) -> Result<(Identity, Envelope), Problem> {
        let aside = &self.aside;
        let SetAside { server, received_at, source, .. } = *aside;
        let (generation, key_id) = (aside.generation, aside.key_id.clone());
        let whose =
            |envelope: Envelope| Envelope { generation, key_id, overridden: how.overridden, ..envelope };
        let body = match (&how.body, &aside.erased) {
            (Some(body), _) => body,
            (None, Some(erased)) => {
                let dropped = aside.dropped.clone();
                let told =
                    Envelope::told(server, &erased.what, received_at, source, "{}".to_owned(), dropped);
                let left = told.map_err(unusable)?.stripped(Some((**erased).clone()));
                return Ok((erased.identity, whose(left)));
            }
            (None, None) => &aside.body,
        };
        let context = Context { server, received_at, source, keep_engagement_detail: false };
        let refused = |refusal: postmark::Refusal| {
            unusable(refusal).next("give a mended body by `postledger quarantine replay KEY --body FILE`")
        };
        let (examined, event) = postmark::event(body, &context, key).map_err(refused)?;
        let dropped = [aside.dropped.clone(), examined.dropped].concat();
        let told = Envelope::told(server, &event.what, received_at, source, examined.canonical, dropped);
        Ok((event.identity, whose(told.map_err(unusable)?)))
    }
}

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
    use ledger::{ServerId, Source};
    use queue::SetAside;
    use serde_json::json;
    use store::prelude::*;

    const BOUNCE: &str = r#"{"RecordType":"Bounce","MessageStream":"outbound","ID":1,"Type":"HardBounce","ServerID":8123456,
        "MessageID":"883953f4-6105-42a2-a16a-77a8eac79483","Email":"ida@customer.example","BouncedAt":"2026-11-20T08:00:00Z",
        "Inactive":true}"#;

    /// Sets a body aside for a reason; its key.
    async fn aside(bench: &Bench, server: i64, reason: &str, body: &str) -> String {
        let at = crate::bench::now().plus_seconds(-60);
        let whole = SetAside {
            server: ServerId::new(server).unwrap(),
            generation: 1,
            key_id: String::new(),
            received_at: at,
            source: Source::Webhook,
            reason: reason.to_owned(),
            detail: "d".to_owned(),
            record_type: None,
            dropped: Vec::new(),
            erased: None,
            body: body.as_bytes().to_vec(),
        };
        let mut key = String::new();
        for part in whole.parts() {
            key = format!("{}.{}", part.received_at.key(), part.id);
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
        assert_eq!((again.status(), &again.json()["type"]), (409, &json!("urn:postledger:problem:unusable")));
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
        for (reason, body) in
            [("sender", BOUNCE), ("too_old", BOUNCE), ("not_json", "{"), ("missing_field", "{}")]
        {
            let key = aside(&bench, SERVER, reason, body).await;
            let told = replay(&bench, &key).await;
            assert_eq!(told.status(), 409, "{reason}: {}", told.text());
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
