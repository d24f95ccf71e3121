//! What holds of a user at one server, apart from all others.

use super::{invited, kept, later, now, server};
use crate::*;
use answers::Role;
use std::collections::BTreeMap;
use store::{Collection, Memory};

fn standing(role: Role, reveal_addresses: bool) -> Standing {
    Standing { role, reveal_addresses, read_content: false }
}

/// A viewer at two servers: at the second one since a minute later.
async fn at_two(store: &Memory) -> User {
    let user = invited(store).await;
    let both: Standings =
        [(server(7), standing(Role::Viewer, false)), (server(8), standing(Role::Viewer, false))].into();
    User::change(store, &user.id, |user| user.give(Access::Servers(both.clone()), "other", later(60)))
        .await
        .unwrap()
}

#[tokio::test]
async fn who_let_somebody_in_is_kept_for_each_server_and_goes_with_it() {
    let store = Memory::default();
    let user = at_two(&store).await;
    let told =
        |user: &User, id| user.here.get(&server(id)).map(|here| (here.invited_at, here.invited_by.clone()));
    assert_eq!(told(&user, 7), Some((now(), "test".to_owned())));
    assert_eq!(told(&user, 8), Some((later(60), "other".to_owned())));
    let mut changed = user.clone();
    let admin = Access::Servers([(server(7), standing(Role::Admin, true))].into());
    changed.give(admin.clone(), "third", later(120));
    assert_eq!((told(&changed, 7), told(&changed, 8)), (told(&user, 7), None));
    // What was there once is not known again by coming back.
    changed.give(user.access.clone(), "fourth", later(180));
    assert_eq!(told(&changed, 8), Some((later(180), "fourth".to_owned())));
}

#[tokio::test]
async fn who_is_signed_out_at_a_server_is_so_there_alone_until_they_sign_in_anew() {
    let store = Memory::default();
    let user = at_two(&store).await;
    let (before, secret) = Session::of_user(&store, &user, later(100)).await.unwrap();
    let out = User::sign_out_at(&store, &user.id, &[server(7), server(9)].into(), later(200)).await.unwrap();
    assert!(before.is_of(&out), "the session goes on");
    assert!(Session::find(&store, &secret, later(201)).await.unwrap().is_some());
    for (id, began, is_in) in
        [(7, 100, false), (7, 200, false), (7, 201, true), (8, 100, true), (9, 100, true)]
    {
        assert_eq!(out.is_in(server(id), later(began)), is_in, "server {id}, since {began} s");
    }
    assert!(!out.here.contains_key(&server(9)), "nothing is kept of a server that is not theirs");
    // Signed out earlier, another change of access does not let them in again.
    let mut changed = out.clone();
    changed.give(Access::Servers([(server(7), standing(Role::Admin, true))].into()), "test", later(300));
    assert!(!changed.is_in(server(7), later(100)));
    let unknown = User::sign_out_at(&store, "x", &[server(7)].into(), now()).await;
    assert_eq!(unknown, Err(UserError::Unknown));
}

#[tokio::test]
async fn a_client_signs_out_nobody_of_the_agency() {
    let store = Memory::default();
    let user = invited(&store).await;
    let operator = Access::operator(true, false).with_given(user.access.given().clone());
    User::change(&store, &user.id, |user| user.access = operator.clone()).await.unwrap();
    let out = User::sign_out_at(&store, &user.id, &[server(7)].into(), later(10)).await.unwrap();
    assert!(out.is_in(server(7), now()));
}

#[tokio::test]
async fn that_somebody_is_at_a_server_is_written_once_an_hour_and_for_that_server_alone() {
    let store = Memory::default();
    let user = at_two(&store).await;
    let version = async || kept(&store, Collection::Users).await[0].1.version;
    let first = version().await;
    for (seconds, writes) in [(100, 1), (101, 1), (3_699, 1), (3_700, 2)] {
        let known = User::get(&store, &user.id).await.unwrap().unwrap();
        known.seen_at(&store, server(7), later(seconds)).await.unwrap();
        // Of a server that is not theirs nothing is written.
        known.seen_at(&store, server(9), later(seconds)).await.unwrap();
        assert_eq!(version().await, first + writes, "after {seconds} s");
    }
    let known = User::get(&store, &user.id).await.unwrap().unwrap();
    let seen = |id| {
        let here = &known.here[&server(id)];
        (here.first_seen_at, here.last_seen_at)
    };
    assert_eq!(seen(7), (Some(later(100)), Some(later(3_700))));
    assert_eq!(seen(8), (None, None));
    assert_eq!(known.last_seen_at, None, "elsewhere it is noted by itself");
    User::remove(&store, &user.id).await.unwrap();
    known.seen_at(&store, server(7), later(99_999)).await.unwrap();
    assert!(kept(&store, Collection::Users).await.is_empty());
}

#[tokio::test]
async fn somebody_is_removed_only_as_they_were_meant() {
    let store = Memory::default();
    let user = at_two(&store).await;
    let access = user.access.clone();
    assert!(!User::remove_if(&store, &user.id, |user| user.access.given().len() == 1).await.unwrap());
    assert_eq!(User::get(&store, &user.id).await.unwrap(), Some(user.clone()));
    assert!(User::remove_if(&store, &user.id, |user| user.access == access).await.unwrap());
    assert!(User::remove_if(&store, &user.id, |_| false).await.unwrap(), "who is gone is gone");
}

#[test]
fn of_two_standings_the_more_counts_in_each_respect() {
    let (viewer, admin) = (standing(Role::Viewer, true), standing(Role::Admin, false));
    assert_eq!(viewer.or(admin), standing(Role::Admin, true));
    assert_eq!(admin.or(viewer), standing(Role::Admin, true));
    assert_eq!(viewer.or(viewer), viewer);
}

#[test]
fn what_clients_gave_somebody_of_the_agency_is_kept_and_opens_no_more_and_no_less() {
    let given: Standings = [(server(7), standing(Role::Viewer, true))].into();
    let operator = Access::operator(false, false).with_given(given.clone());
    assert_eq!((operator.given(), operator.servers()), (&given, None));
    assert_eq!(operator.at(server(7)), Some(standing(Role::Operator, false)));
    assert_eq!(operator.at(server(8)), Some(standing(Role::Operator, false)));
    let limited = Access::Servers(BTreeMap::new()).with_given(given.clone());
    assert_eq!((limited.given(), limited.servers()), (&given, Some(&given)));
    assert_eq!(Access::nothing().at(server(7)), None);
    // As an older release wrote it.
    let old: Access = serde_json::from_str(r#"{"operator":{"reveal_addresses":true}}"#).unwrap();
    assert_eq!(old, Access::operator(true, false));
}
