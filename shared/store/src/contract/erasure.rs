//! Who is erased, and what is left of them.

use super::{at, identity, recipient, recorded, server};
use crate::{Action, Erased, Scan};
use ledger::event::What;
use ledger::{Class, Identity, ServerId, Source};
use queue::{PART_BYTES_MAX, SetAside};
use std::collections::BTreeSet;
use std::sync::Arc;

pub async fn events_are_read_page_by_page(store: Arc<dyn Scan>) {
    let ids: BTreeSet<String> = (0..7).map(|n| identity(n).to_string()).collect();
    for n in 0..7 {
        let action = Action::Record(recorded(n, What::Delivery, 300 * 1024));
        store.commit(&[action]).await.expect("commit");
    }
    let open = recorded(9, What::Open { first: true, machine: false }, 9);
    store.commit(&[Action::Record(open)]).await.expect("commit");
    for limit in [1, 3, 7, 50] {
        let (mut found, mut after): (Vec<String>, Option<Identity>) = (Vec::new(), None);
        loop {
            let page =
                store.events(server(), recipient(), Class::Delivery, after, limit).await.expect("events");
            assert!(page.items.len() <= limit);
            after = page.items.last().map(|one| one.event.identity);
            found.extend(page.items.iter().map(|one| one.event.identity.to_string()));
            if page.next.is_none() {
                break;
            }
        }
        assert!(found.iter().eq(&ids), "in pages of {limit}, in order and nothing twice");
    }
}

pub async fn who_is_erased_is_remembered_and_told_to_the_rules(store: Arc<dyn Scan>) {
    let other = ServerId::new(9).expect("a server id");
    assert_eq!((store.rules().await.expect("rules").erasures, store.erased().await), (0, Ok(Vec::new())));
    store.mark_swept(server(), recipient(), at(1)).await.expect("mark swept");
    assert_eq!(store.erased().await, Ok(Vec::new()), "nobody is erased by being swept");
    store.revoke(server(), 1, at(5)).await.expect("revoke");
    for (of, seconds) in [(server(), 10), (other, 20), (server(), 5), (server(), 30)] {
        store.erase(of, recipient(), at(seconds)).await.expect("erase");
    }
    let rules = store.rules().await.expect("rules");
    assert_eq!((rules.erasures, rules.revoked_at(server(), 1)), (4, Some(at(5))));
    for count in 0..=5 {
        let after = store.erased_after(count).await.expect("erased after");
        let told: Vec<_> = after.iter().map(|one| (one.count, one.server, one.recipient)).collect();
        let all = [(1, server()), (2, other), (3, server()), (4, server())];
        let expected: Vec<_> = all.into_iter().filter(|(number, _)| *number > count).collect();
        assert_eq!(
            told,
            expected.iter().map(|(n, of)| (*n, *of, recipient())).collect::<Vec<_>>(),
            "{count}"
        );
    }
    let first = Erased { server: server(), recipient: recipient(), at: at(10), swept: None };
    let second = Erased { server: other, at: at(20), ..first };
    let erased = async || {
        let mut erased = store.erased().await.expect("erased");
        erased.sort_by_key(|erased| erased.at);
        erased
    };
    assert_eq!(erased().await, [first, second]);
    store.mark_swept(server(), recipient(), at(40)).await.expect("mark swept");
    assert_eq!(erased().await, [Erased { swept: Some(at(40)), ..first }, second]);
    store.erase(server(), recipient(), at(50)).await.expect("erase");
    assert_eq!(erased().await, [first, second], "it is to be swept once more");
}

fn aside(seconds: i64, body: Vec<u8>) -> SetAside {
    SetAside {
        server: server(),
        generation: 1,
        key_id: "key".to_owned(),
        received_at: at(seconds),
        source: Source::Webhook,
        reason: "not_json".to_owned(),
        detail: "line 1".to_owned(),
        record_type: None,
        dropped: Vec::new(),
        erased: None,
        body,
    }
}

pub async fn what_is_set_aside_is_read_page_by_page_from_either_end(store: Arc<dyn Scan>) {
    let mut order = Vec::new();
    for (seconds, size) in [(10, 1), (20, 7 * PART_BYTES_MAX), (30, 2), (86_400, 3)] {
        for part in aside(seconds, vec![7; size]).parts() {
            order.extend((seconds < 86_400).then_some((seconds, part.part)));
            store.quarantine(part, None).await.expect("keep");
        }
    }
    for newest_first in [false, true] {
        for limit in [1, 2, 9, 100] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = store.quarantined_page(&at(0).day(), after, limit, newest_first).await;
                let (kept, next) = page.expect("a page");
                assert!(kept.len() <= limit);
                found.extend(kept.into_iter().map(|kept| (kept.part.received_at, kept.part.part)));
                after = next;
                if after.is_none() {
                    break;
                }
            }
            if newest_first {
                found.reverse();
            }
            let expected = order.iter().map(|(seconds, part)| (at(*seconds), *part));
            assert!(found.into_iter().eq(expected), "in pages of {limit}");
        }
    }
    let none = store.quarantined_page("2009-01-01", None, 5, true).await;
    assert_eq!(none, Ok((Vec::new(), None)));
}

pub async fn a_part_is_rewritten_in_its_place(store: Arc<dyn Scan>) {
    let whole = aside(10, b"ida@customer.example".to_vec());
    let mut part = whole.parts().remove(0);
    store.rewrite_quarantined(part.clone()).await.expect("rewrite");
    assert_eq!(store.quarantined(at(10), &part.id).await, Ok(Vec::new()), "nothing is made anew");
    store.quarantine(part.clone(), Some(at(99))).await.expect("keep");
    store.mark_replayed(at(10), &part.id, at(50)).await.expect("mark replayed");
    part.body = String::new();
    store.rewrite_quarantined(part.clone()).await.expect("rewrite");
    store.quarantine(whole.parts().remove(0), None).await.expect("keep");
    let kept = store.quarantined(at(10), &part.id).await.expect("kept").remove(0);
    assert_eq!((kept.part, kept.expires_at, kept.replayed_at), (part, Some(at(99)), Some(at(50))));
}
