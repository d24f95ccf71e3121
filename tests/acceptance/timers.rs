//! On one machine timers do what schedules start on AWS.

use account::{MemoryVault, Registry, ServerEntry, Vault};
use credential::{PrivateKey, Verifier};
use embedded::Timers;
use ledger::event::{Cause, What};
use postledger_tests::postmark::unreached;
use postmark_api::Token;
use std::sync::Arc;
use std::time::Duration;
use store::contract::{recipient, recorded, server};
use store::prelude::*;
use store::{Action, Collection, Sqlite};

/// The clock of timers is turned on as soon as everything waits: what takes a day takes a moment.
#[tokio::test(start_paused = true)]
async fn expiry_watch_reconcile_and_the_sweep_run_by_themselves() {
    let database = sqlite::Database::temporary().unwrap();
    let store = Arc::new(Sqlite::new(database.clone()));
    let clock = platform::clock();
    let now = clock();
    let mut kept = recorded(1, What::Suppressed { cause: Cause::Complaint }, 30);
    kept.event.address = Some("ida@customer.example".to_owned());
    let mut expired = recorded(2, What::Delivery, 30);
    expired.expires_at = Some(now.plus_seconds(-1));
    let (gone, erased) = (expired.event.clone(), kept.event.clone());
    store.commit(&[Action::Record(kept), Action::Record(expired)]).await.unwrap();
    store.erase(server(), recipient(), now).await.unwrap();
    let vault = MemoryVault::default();
    vault.put(server(), &Token::new("5e1f3c2a-0000-4000-8000-000000000000").unwrap()).await.unwrap();
    Registry(&*store).put(&ServerEntry::new(server(), "a", "a", now)).await.unwrap();

    let verifier = Verifier::new("local", [PrivateKey::generate().unwrap().public()], []).unwrap();
    let verifier = Arc::new(verifier);
    let timers = Timers {
        store: store.clone(),
        queue: Arc::new(queue::Memory::default()),
        vault: Arc::new(vault),
        postmark: unreached(),
        verifier: Arc::new(move || verifier.clone()),
        base: None,
        ledger_key: ledger::LedgerKey::for_tests(),
        clock,
    };
    let running = timers.start();
    let lease = async |name: &str| store.document(&Collection::Lease, name).await.unwrap().is_some();
    let event = async |event: &ledger::Event| {
        store.event(event.server, event.recipient, event.class(), event.identity).await.unwrap()
    };
    for turn in 0.. {
        let is_expired = event(&gone).await.is_none();
        let is_swept = event(&erased).await.unwrap().is_stripped();
        let (watched, compared) = (lease("watch").await, lease(&format!("reconcile#{}", server())).await);
        if is_expired && is_swept && watched && compared {
            break;
        }
        assert!(
            turn < 2_000,
            "expired {is_expired}, swept {is_swept}, watched {watched}, compared {compared}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    drop(running);
}
