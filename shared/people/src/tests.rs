//! What holds of users, sessions, codes and links, whatever pages are made over them.

mod at_servers;

use crate::*;
use answers::Role;
use ledger::{LedgerKey, ServerId, Time};
use std::collections::BTreeSet;
use store::prelude::*;
use store::{Collection, Document, Memory};

const ADDRESS: &str = "Ida.Moreau@client.example";

fn now() -> Time {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Time {
    now().plus_seconds(seconds)
}

fn server(id: i64) -> ServerId {
    ServerId::new(id).unwrap()
}

fn viewer() -> Access {
    Access::Servers(
        [(server(7), Standing { role: Role::Viewer, reveal_addresses: false, read_content: false })].into(),
    )
}

async fn invited(store: &Memory) -> User {
    let user = User::invited(&LedgerKey::for_tests(), ADDRESS, viewer(), "test", now()).unwrap();
    assert!(user.keep(store).await.unwrap());
    user
}

async fn kept(store: &Memory, collection: Collection) -> Vec<(String, Document)> {
    store.documents(&collection).await.unwrap()
}

/// Everything that is kept of people, as one text.
async fn all_texts(store: &Memory) -> String {
    let mut all = String::new();
    for collection in
        [Collection::Users, Collection::Sessions, Collection::SignIns, Collection::Links, Collection::Limits]
    {
        for (name, document) in kept(store, collection).await {
            all += &format!("{name} {}\n", document.text);
        }
    }
    all
}

// Users.

#[tokio::test]
async fn a_users_id_is_the_same_in_any_spelling_of_the_address_and_tells_nothing_of_it() {
    let key = LedgerKey::for_tests();
    let id = user_id(&key, ADDRESS);
    for spelled in ["ida.moreau@CLIENT.example", " Ida.Moreau@client.example ", "IDA.MOREAU@client.example"] {
        assert_eq!(user_id(&key, spelled), id, "{spelled}");
    }
    assert_ne!(user_id(&key, "ida.moreau@other.example"), id);
    assert_ne!(user_id(&LedgerKey::new(b"another"), ADDRESS), id);
    assert!(!id.to_lowercase().contains("ida") && !id.contains('@'), "{id}");
    let recipient = key.recipient_id(server(7), &ledger::recipient_key(ADDRESS)).to_string();
    assert_ne!(id, recipient, "a user and a recipient of one address have nothing in common");
}

#[tokio::test]
async fn somebody_who_is_there_is_not_written_over() {
    let store = Memory::default();
    let first = invited(&store).await;
    let again = User::invited(&LedgerKey::for_tests(), ADDRESS, viewer(), "other", later(9)).unwrap();
    assert!(!again.keep(&store).await.unwrap());
    assert_eq!(User::get(&store, &first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(User::all(&store).await.unwrap(), [first]);
}

#[tokio::test]
async fn nobody_has_an_id_that_is_none() {
    let store = Memory::default();
    invited(&store).await;
    for id in ["", "x", &"x".repeat(65), &"x".repeat(5_000)] {
        assert_eq!(User::get(&store, id).await.unwrap(), None);
    }
    let unknown = User::change(&store, "x", |user| user.zone = None).await;
    assert_eq!(unknown, Err(UserError::Unknown));
}

#[tokio::test]
async fn that_somebody_is_here_is_written_once_an_hour() {
    let store = Memory::default();
    let user = invited(&store).await;
    let version = async || kept(&store, Collection::Users).await[0].1.version;
    for (seconds, writes) in [(0, 1), (1, 1), (3_599, 1), (3_600, 2), (3_601, 2)] {
        let known = User::get(&store, &user.id).await.unwrap().unwrap();
        known.seen(&store, later(seconds)).await.unwrap();
        assert_eq!(version().await, 1 + writes, "after {seconds} s");
    }
    let known = User::get(&store, &user.id).await.unwrap().unwrap();
    assert_eq!((known.joined_at, known.last_seen_at), (Some(now()), Some(later(3_600))));
    User::remove(&store, &user.id).await.unwrap();
    known.seen(&store, later(99_999)).await.unwrap();
    assert!(
        kept(&store, Collection::Users).await.is_empty(),
        "who is removed does not come back by being here"
    );
}

#[tokio::test]
async fn access_is_what_is_named_and_nothing_at_any_other_server() {
    let access = viewer();
    assert_eq!(
        access.at(server(7)),
        Some(Standing { role: Role::Viewer, reveal_addresses: false, read_content: false })
    );
    assert_eq!(access.at(server(8)), None);
    assert!(!access.is_operator() && access.servers().is_some());
    let operator = Access::operator(false, false);
    let everywhere = Some(Standing { role: Role::Operator, reveal_addresses: false, read_content: false });
    assert_eq!(operator.at(server(8)), everywhere, "an operator too sees addresses only where that is said");
    assert!(operator.is_operator() && operator.servers().is_none());
}

// Sessions.

#[tokio::test]
async fn a_session_lasts_while_it_is_used_and_fourteen_days_at_most() {
    let store = Memory::default();
    let user = invited(&store).await;
    let (_, secret) = Session::of_user(&store, &user, now()).await.unwrap();
    let mut at = now();
    let mut found = 0;
    // Every eleven hours.
    loop {
        at = at.plus_seconds(IDLE - 3_600);
        match Session::find(&store, &secret, at).await.unwrap() {
            Some(session) => assert!(session.is_of(&user)),
            None => break,
        }
        found += 1;
    }
    assert_eq!(found, ABSOLUTE / (IDLE - 3_600));
    assert!(at >= later(ABSOLUTE));
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_after_twelve_hours() {
    let store = Memory::default();
    let user = invited(&store).await;
    for (unused, lives) in [(IDLE - 1, true), (IDLE, false), (IDLE + 1, false)] {
        let (_, secret) = Session::of_user(&store, &user, now()).await.unwrap();
        let found = Session::find(&store, &secret, later(unused)).await.unwrap();
        assert_eq!(found.is_some(), lives, "after {unused} s");
    }
}

#[tokio::test]
async fn that_a_session_is_used_is_written_every_ten_minutes_and_no_more_often() {
    let store = Memory::default();
    let user = invited(&store).await;
    let (_, secret) = Session::of_user(&store, &user, now()).await.unwrap();
    for (seconds, version) in [(0, 1), (599, 1), (600, 2), (601, 2), (1_200, 3)] {
        Session::find(&store, &secret, later(seconds)).await.unwrap().unwrap();
        assert_eq!(kept(&store, Collection::Sessions).await[0].1.version, version, "after {seconds} s");
    }
}

#[tokio::test]
async fn a_session_of_a_link_is_no_users_and_lasts_eight_hours_though_it_is_used() {
    let store = Memory::default();
    let user = invited(&store).await;
    let (session, secret) = Session::of_token(&store, "mXw3kq0ZtT4b", viewer(), now()).await.unwrap();
    assert!(!session.is_of(&user) && !session.is_confirmed(now()));
    for hours in 1..8 {
        assert!(Session::find(&store, &secret, later(hours * 3_600)).await.unwrap().is_some(), "{hours} h");
    }
    assert!(Session::find(&store, &secret, later(LINK_SESSION)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_code_that_was_given_again_counts_for_five_minutes() {
    let store = Memory::default();
    let user = invited(&store).await;
    let (session, secret) = Session::of_user(&store, &user, now()).await.unwrap();
    assert!(session.is_confirmed(later(CONFIRMED_FOR - 1)) && !session.is_confirmed(later(CONFIRMED_FOR)));
    Session::confirm(&store, &secret, later(1_000)).await.unwrap();
    let session = Session::find(&store, &secret, later(1_001)).await.unwrap().unwrap();
    assert!(session.is_confirmed(later(1_299)) && !session.is_confirmed(later(1_300)));
}

#[tokio::test]
async fn a_session_that_was_ended_is_gone_and_confirming_it_brings_it_not_back() {
    let store = Memory::default();
    let user = invited(&store).await;
    let (_, secret) = Session::of_user(&store, &user, now()).await.unwrap();
    let (_, other) = Session::of_user(&store, &user, now()).await.unwrap();
    Session::end(&store, &secret).await.unwrap();
    Session::end(&store, &secret).await.unwrap();
    Session::confirm(&store, &secret, now()).await.unwrap();
    assert!(Session::find(&store, &secret, now()).await.unwrap().is_none());
    assert!(Session::find(&store, &other, now()).await.unwrap().is_some(), "another browser's goes on");
}

#[tokio::test]
async fn sessions_end_with_a_removal_and_with_signing_out_everywhere_even_if_the_user_comes_back() {
    let store = Memory::default();
    let user = invited(&store).await;
    let (before, _) = Session::of_user(&store, &user, now()).await.unwrap();
    let signed_out = User::sign_out(&store, &user.id).await.unwrap();
    assert!(!before.is_of(&signed_out));
    let (between, _) = Session::of_user(&store, &signed_out, now()).await.unwrap();
    assert!(between.is_of(&signed_out));
    User::remove(&store, &user.id).await.unwrap();
    User::remove(&store, &user.id).await.unwrap();
    let again = invited(&store).await;
    assert_eq!(again.id, user.id);
    assert!(!before.is_of(&again) && !between.is_of(&again));
}

// Codes.

#[tokio::test]
async fn a_code_has_eight_digits_and_opens_once_in_the_browser_that_asked() {
    let store = Memory::default();
    let asked = SignIn::ask(&store, "u", Purpose::SignIn, now()).await.unwrap();
    assert!(asked.code.len() == 8 && asked.code.bytes().all(|digit| digit.is_ascii_digit()));
    let other = SignIn::ask(&store, "v", Purpose::SignIn, now()).await.unwrap();
    let by = async |browser: &Secret| {
        SignIn::by_code(&store, browser, Purpose::SignIn, &asked.code, later(1)).await.unwrap()
    };
    assert_eq!(by(&other.browser).await, Err(CodeRefused::Wrong));
    assert_eq!(by(&Secret::make().unwrap()).await, Err(CodeRefused::Over));
    assert_eq!(by(&asked.browser).await, Ok("u".to_owned()));
    assert_eq!(by(&asked.browser).await, Err(CodeRefused::Over));
    assert_eq!(SignIn::of(&store, &asked.browser, later(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_code_is_read_as_people_copy_it() {
    let store = Memory::default();
    for copied in
        ["{1234} {5678}", " {1234}{5678}\n", "{1234}-{5678}", "{1234}\u{a0}{5678}", "code: {1234} {5678}"]
    {
        let asked = SignIn::ask(&store, "u", Purpose::SignIn, now()).await.unwrap();
        let text = copied.replace("{1234}", &asked.code[..4]).replace("{5678}", &asked.code[4..]);
        let given = SignIn::by_code(&store, &asked.browser, Purpose::SignIn, &text, now()).await.unwrap();
        assert_eq!(given, Ok("u".to_owned()), "{copied}");
    }
}

#[tokio::test]
async fn five_wrong_codes_end_it_and_then_the_right_one_opens_nothing() {
    let store = Memory::default();
    let asked = SignIn::ask(&store, "u", Purpose::SignIn, now()).await.unwrap();
    let wrong = format!("{:08}", (asked.code.parse::<u64>().unwrap() + 1) % 100_000_000);
    let by = async |code: &str| {
        SignIn::by_code(&store, &asked.browser, Purpose::SignIn, code, now()).await.unwrap()
    };
    for _ in 1..TRIES_MAX {
        assert_eq!(by(&wrong).await, Err(CodeRefused::Wrong));
    }
    assert_eq!(by(&wrong).await, Err(CodeRefused::TooMany));
    assert_eq!(by(&asked.code).await, Err(CodeRefused::TooMany));
    let link = SignIn::by_link(&store, &asked.browser, &asked.link, now()).await.unwrap();
    assert_eq!(link, Err(CodeRefused::TooMany), "nor does the link");
}

#[tokio::test]
async fn four_wrong_codes_leave_the_right_one_open() {
    let store = Memory::default();
    let asked = SignIn::ask(&store, "u", Purpose::SignIn, now()).await.unwrap();
    for wrong in ["", "1", "not a code", &asked.code[1..]] {
        let given = SignIn::by_code(&store, &asked.browser, Purpose::SignIn, wrong, now()).await.unwrap();
        assert_eq!(given, Err(CodeRefused::Wrong), "{wrong}");
    }
    let given = SignIn::by_code(&store, &asked.browser, Purpose::SignIn, &asked.code, now()).await.unwrap();
    assert_eq!(given, Ok("u".to_owned()));
}

#[tokio::test]
async fn wrong_codes_that_are_given_at_once_are_each_counted() {
    let store = Memory::default();
    let asked = SignIn::ask(&store, "u", Purpose::SignIn, now()).await.unwrap();
    let by = || SignIn::by_code(&store, &asked.browser, Purpose::SignIn, "x", now());
    let (a, b, c, d, e, f) = tokio::join!(by(), by(), by(), by(), by(), by());
    let wrong = [a, b, c, d, e, f].into_iter().filter(|one| *one == Ok(Err(CodeRefused::Wrong))).count();
    assert!(wrong < TRIES_MAX as usize, "{wrong}");
}

#[tokio::test]
async fn a_code_ends_after_ten_minutes() {
    let store = Memory::default();
    for (seconds, opens) in [(CODE_LASTS - 1, true), (CODE_LASTS, false), (CODE_LASTS + 1, false)] {
        let asked = SignIn::ask(&store, "u", Purpose::SignIn, now()).await.unwrap();
        let at = later(seconds);
        assert_eq!(SignIn::of(&store, &asked.browser, at).await.unwrap().is_some(), opens);
        let given = SignIn::by_code(&store, &asked.browser, Purpose::SignIn, &asked.code, at).await.unwrap();
        assert_eq!(given.is_ok(), opens, "after {seconds} s");
    }
}

#[tokio::test]
async fn a_code_is_for_what_it_was_asked_for() {
    let store = Memory::default();
    for (purpose, other) in [(Purpose::SignIn, Purpose::Confirm), (Purpose::Confirm, Purpose::SignIn)] {
        let asked = SignIn::ask(&store, "u", purpose, now()).await.unwrap();
        let by = async |purpose| {
            SignIn::by_code(&store, &asked.browser, purpose, &asked.code, now()).await.unwrap()
        };
        assert_eq!(by(other).await, Err(CodeRefused::Over));
        assert_eq!(by(purpose).await, Ok("u".to_owned()));
    }
    let asked = SignIn::ask(&store, "u", Purpose::Confirm, now()).await.unwrap();
    let by_link = SignIn::by_link(&store, &asked.browser, &asked.link, now()).await.unwrap();
    assert_eq!(by_link, Err(CodeRefused::Over), "no link confirms anything");
}

#[tokio::test]
async fn a_mailed_link_opens_once_in_the_browser_that_asked() {
    let store = Memory::default();
    let asked = SignIn::ask(&store, "u", Purpose::SignIn, now()).await.unwrap();
    let other = SignIn::ask(&store, "v", Purpose::SignIn, now()).await.unwrap();
    let by = async |browser: &Secret| SignIn::by_link(&store, browser, &asked.link, now()).await.unwrap();
    assert_eq!(by(&other.browser).await, Err(CodeRefused::Wrong));
    assert_eq!(by(&asked.browser).await, Ok("u".to_owned()));
    assert_eq!(by(&asked.browser).await, Err(CodeRefused::Over));
    let by_code = SignIn::by_code(&store, &asked.browser, Purpose::SignIn, &asked.code, now()).await.unwrap();
    assert_eq!(by_code, Err(CodeRefused::Over), "code and link are one");
}

// Links.

#[tokio::test]
async fn a_link_opens_once_within_ten_minutes_and_looking_at_it_spends_nothing() {
    let store = Memory::default();
    let who = LinkFor::User { id: "u".to_owned() };
    let (secret, ends_at) = Link::make(&store, who.clone(), now()).await.unwrap();
    assert_eq!(ends_at, later(LINK_LASTS));
    let before = all_texts(&store).await;
    for _ in 0..9 {
        assert!(Link::is_open(&store, &secret, later(LINK_LASTS - 1)).await.unwrap());
    }
    assert_eq!(all_texts(&store).await, before);
    assert!(!Link::is_open(&store, &secret, ends_at).await.unwrap());
    assert_eq!(Link::spend(&store, &secret, ends_at).await.unwrap(), None);
    assert_eq!(Link::spend(&store, &secret, later(1)).await.unwrap(), Some(who));
    assert_eq!(Link::spend(&store, &secret, later(1)).await.unwrap(), None);
    assert!(!Link::is_open(&store, &secret, later(1)).await.unwrap());
    assert_eq!(Link::spend(&store, &Secret::make().unwrap(), now()).await.unwrap(), None);
}

#[tokio::test]
async fn a_link_that_two_open_at_once_lets_one_of_them_in() {
    let store = Memory::default();
    for _ in 0..20 {
        let who = LinkFor::User { id: "u".to_owned() };
        let (secret, _) = Link::make(&store, who, now()).await.unwrap();
        let spend = || Link::spend(&store, &secret, now());
        let (one, other) = tokio::join!(spend(), spend());
        assert!(one.unwrap().is_some() != other.unwrap().is_some());
    }
}

// How often.

#[tokio::test]
async fn somebody_may_ask_so_often_within_any_hour_and_again_when_the_first_is_an_hour_ago() {
    let store = Memory::default();
    let ask = async |seconds| asked(&store, "u", ASKED_AN_HOUR, later(seconds)).await.unwrap();
    for seconds in [0, 10, 20] {
        assert_eq!(ask(seconds).await, Limited::No);
    }
    for seconds in [20, 30, 3_599] {
        assert_eq!(
            ask(seconds).await,
            Limited::Until(later(3_600)),
            "who is refused does not wait longer by asking"
        );
    }
    assert_eq!(ask(3_600).await, Limited::No);
    assert_eq!(ask(3_601).await, Limited::Until(later(3_610)));
    let other = asked(&store, "v", ASKED_AN_HOUR, later(30)).await.unwrap();
    assert_eq!(other, Limited::No, "each is counted alone");
}

// What is kept.

#[tokio::test]
async fn no_secret_is_kept_and_no_address_but_a_users_own() {
    let store = Memory::default();
    let user = invited(&store).await;
    let (_, session) = Session::of_user(&store, &user, now()).await.unwrap();
    let (_, of_token) = Session::of_token(&store, "mXw3kq0ZtT4b", viewer(), now()).await.unwrap();
    let sign_in = SignIn::ask(&store, &user.id, Purpose::SignIn, now()).await.unwrap();
    let (link, _) = Link::make(&store, LinkFor::User { id: user.id.clone() }, now()).await.unwrap();
    asked(&store, &user.id, ASKED_AN_HOUR, now()).await.unwrap();
    let all = all_texts(&store).await;
    for secret in [&session, &of_token, &sign_in.browser, &sign_in.link, &link] {
        assert!(!all.contains(secret.text()));
    }
    assert!(!all.contains(&sign_in.code));
    assert_eq!(all.matches("client.example").count(), 1, "{all}");
    User::remove(&store, &user.id).await.unwrap();
    let left = all_texts(&store).await.to_lowercase();
    assert!(!left.contains("moreau") && !left.contains('@'), "{left}");
}

#[tokio::test]
async fn what_is_mailed_is_never_shown_by_a_log() {
    let code = Mail::Code {
        to: Some(ADDRESS.to_owned()),
        code: "12345678".to_owned(),
        link: Some("https://portal.example/sign-in/secret".to_owned()),
        portal: None,
    };
    let invitation = Mail::Invitation {
        to: ADDRESS.to_owned(),
        of: "Acme".to_owned(),
        link: "https://portal.example".to_owned(),
        portal: None,
    };
    for mail in [code, invitation] {
        let shown = format!("{mail:?}");
        assert!(!["client.example", "1234", "secret"].iter().any(|word| shown.contains(word)), "{shown}");
    }
    let asked = SignIn::ask(&Memory::default(), "u", Purpose::SignIn, now()).await.unwrap();
    let shown = format!("{:?}", asked.browser);
    assert!(!shown.contains(asked.browser.text()));
}

#[tokio::test]
async fn what_is_over_is_taken_away_after_an_hour_and_nothing_else_is() {
    let store = Memory::default();
    let user = invited(&store).await;
    let (_, used) = Session::of_user(&store, &user, now()).await.unwrap();
    Session::of_user(&store, &user, now()).await.unwrap();
    SignIn::ask(&store, &user.id, Purpose::SignIn, now()).await.unwrap();
    Link::make(&store, LinkFor::User { id: user.id.clone() }, now()).await.unwrap();
    asked(&store, "u", 1, now()).await.unwrap();
    // Used once more, the first session lives on.
    Session::find(&store, &used, later(IDLE - 1)).await.unwrap().unwrap();
    for (seconds, gone) in [
        (0, 0),
        (CODE_LASTS + 3_599, 0),
        (CODE_LASTS + 3_600, 2),
        (7_199, 0),
        (7_200, 1),
        (IDLE + 3_599, 0),
        (IDLE + 3_600, 1),
    ] {
        assert_eq!(sweep(&store, later(seconds)).await.unwrap(), gone, "after {seconds} s");
    }
    let left: BTreeSet<String> =
        kept(&store, Collection::Sessions).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, [used.hash()].into());
    assert_eq!(User::all(&store).await.unwrap().len(), 1);
}
