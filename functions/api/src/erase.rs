//! Takes a person's data out of the ledger: address, tag, metadata, subject, diagnostic and body go from events, view and
//! lists at once, and what comes later is recorded without them. The ban, identities and counters stay. Quarantine and
//! dead letters are swept by a schedule, until everything that was on its way has arrived.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::recipient::Named;
use crate::scope::Admin;
use answers::{EraseRequest, Erased};
use erasure::SWEPT_DAYS;
use ledger::given::Address;
use serde_json::json;

/// Erases; again, if that was done before.
///
/// # Errors
/// The ledger's own; a part may be done then.
pub(crate) async fn erase(admin: &Admin<'_>, call: &Call<'_>, name: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    if !call.body.is_empty() {
        call.json::<EraseRequest>()?;
    }
    let named = Named::of(admin.reader(), name).await?;
    admin.count_erasure().await?;
    let now = admin.now();
    let change = async {
        // Whoever spells the address in another way means the same person. Of a usual address the quoted spelling is in
        // use nowhere: it is remembered only where something is recorded of it.
        let (mut erased, mut events) = admin.erase(named.id()).await?;
        let usual = named.recipient.address().is_some_and(Address::is_usual);
        for id in &named.ids[1..] {
            if usual && !admin.knows(*id).await? {
                continue;
            }
            let (other, stripped) = admin.erase(*id).await?;
            events += stripped;
            if other.at > erased.at {
                erased = other;
            }
        }
        let told = Erased {
            recipient_id: named.id(),
            already: erased.at < now,
            events,
            erased_at: erased.at.into(),
            quarantine: if erased.swept.is_some() { "swept" } else { "pending" }.to_owned(),
            swept_until: erased.at.plus_days(SWEPT_DAYS).into(),
        };
        Ok((told, json!({ "events": events })))
    };
    // By its id, which does not tell who it was.
    let told = admin.change("erase", Some(named.id().to_string()), json!({}), change).await?;
    Ok(Answer::json(&told))
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER};
    use crate::token::{ERASURES_A_DAY, Role};
    use ledger::Source;
    use serde_json::json;
    use store::prelude::*;

    #[tokio::test]
    async fn an_erased_person_is_nowhere_and_may_still_not_be_mailed() {
        let bench = Bench::default();
        let body = json!({
            "RecordType": "SubscriptionChange", "MessageStream": "outbound", "ServerID": SERVER,
            "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Recipient": "ida@customer.example",
            "ChangedAt": "2026-11-01T10:53:34Z", "Origin": "Recipient", "SuppressSending": true,
            "SuppressionReason": "HardBounce", "Tag": "spring", "Metadata": { "name": "Ida" },
        });
        bench.record(SERVER, body, Source::Webhook).await;
        let erase = async || bench.post("recipients/ida@customer.example/erase", json!({})).await;
        let told = erase().await;
        assert_eq!(told.status(), 200, "{}", told.text());
        let (told, again) = (told.json(), erase().await.json());
        assert_eq!((&told["already"], &told["events"]), (&json!(false), &json!(1)));
        assert_eq!((&again["events"], &again["swept_until"]), (&json!(0), &told["swept_until"]));
        let checked =
            bench.post("check", json!({ "stream": "outbound", "addresses": ["ida@customer.example"] }));
        assert_eq!(checked.await.json()["results"][0]["verdict"], "do_not_send");
        let all = format!("{:?}", *bench.store);
        assert!(!all.contains("ida@") && !all.contains("spring") && !all.contains("Ida"));
        let audit = bench.get("audit").await;
        assert_eq!(audit.json()["items"].as_array().unwrap().len(), 4);
        assert!(!audit.text().contains("ida@"));
    }

    #[tokio::test]
    async fn every_spelling_of_the_address_is_erased_and_stays_barred() {
        let bench = Bench::default();
        let spellings = ["gone@customer.example", "\"gone\"@customer.example"];
        let tell = async |address: &str, at: &str| {
            let body = json!({
                "RecordType": "SubscriptionChange", "MessageStream": "outbound", "ServerID": SERVER,
                "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Recipient": address,
                "ChangedAt": at, "Origin": "Recipient", "SuppressSending": true,
                "SuppressionReason": "HardBounce",
            });
            bench.record(SERVER, body, Source::Webhook).await;
        };
        for address in spellings {
            tell(address, "2026-11-01T10:53:34Z").await;
        }
        let told = bench.post("recipients/go\u{200b}ne@customer.example/erase", json!({})).await.json();
        assert_eq!((&told["events"], &told["already"]), (&json!(2), &json!(false)), "{told}");
        assert!(!format!("{:?}", *bench.store).contains("gone"));
        let told = bench.post("check", json!({ "stream": "outbound", "addresses": spellings })).await.json();
        assert_eq!(told["counts"]["do_not_send"], 2);
    }

    #[tokio::test]
    async fn a_token_may_have_so_many_erased_in_a_day_and_others_are_not_kept_from_it() {
        let bench = Bench::default();
        let server = ledger::ServerId::new(SERVER).unwrap();
        bench.store.note_stream(server, "outbound").await.unwrap();
        let (one, other) = (
            bench.token(Role::Admin, Some(&[SERVER]), true).await,
            bench.token(Role::Admin, Some(&[SERVER]), true).await,
        );
        let path = format!("/v1/servers/{SERVER}/recipients/ida@customer.example/erase");
        let erase = async |token: &str| bench.ask(token, http::Method::POST, &path, b"").await;
        for n in 0..ERASURES_A_DAY {
            assert_eq!(erase(&one).await.status(), 200, "{n}");
        }
        let told = erase(&one).await;
        assert_eq!((told.status(), &told.json()["type"]), (429, &json!("urn:postledger:problem:too-many")));
        assert!(told.json()["next"].as_str().unwrap().contains("Retry-After"));
        assert_eq!(erase(&other).await.status(), 200);
    }

    #[tokio::test]
    async fn a_body_with_anything_in_it_is_refused() {
        let bench = Bench::default();
        let server = ledger::ServerId::new(SERVER).unwrap();
        bench.store.note_stream(server, "outbound").await.unwrap();
        let told = bench.post("recipients/ida@customer.example/erase", json!({ "reason": "x" })).await;
        assert_eq!(told.status(), 400, "a reason could tell who it was");
    }
}
