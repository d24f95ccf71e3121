//! What admins and operators may do about users, and what a token's link opens.

use crate::bench::{Answered, Bench, SERVER, now};
use crate::token::Role;
use http::Method;
use people::{Mail, User};
use serde_json::{Value, json};

const OTHER: i64 = SERVER + 1;

fn at(server: i64, role: &str) -> Value {
    json!({ "server": server, "role": role, "reveal_addresses": false, "read_content": false })
}

async fn ask(bench: &Bench, by: &str, method: Method, path: &str, body: &Value) -> Answered {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    bench.ask(by, method, path, body.as_bytes()).await
}

async fn invite(bench: &Bench, by: &str, address: &str, servers: Value) -> Answered {
    let body = json!({ "addresses": [address], "servers": servers });
    ask(bench, by, Method::POST, "/v1/users", &body).await
}

async fn id(bench: &Bench, by: &str, address: &str, servers: Value) -> String {
    let told = invite(bench, by, address, servers).await;
    assert_eq!(told.status(), 201, "{}", told.text());
    told.json()["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn listed(bench: &Bench, by: &str) -> Vec<Value> {
    let told = ask(bench, by, Method::GET, "/v1/users", &Value::Null).await;
    assert_eq!(told.status(), 200, "{}", told.text());
    told.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_admin_invites_viewers_of_its_own_servers_and_nobody_else() {
    let bench = Bench::default();
    let admin = bench.token(Role::Admin, Some(&[SERVER]), false).await;
    for (servers, status) in [
        (json!([at(SERVER, "viewer")]), 201),
        (json!([at(SERVER, "admin")]), 403),
        (json!([at(SERVER, "operator")]), 400),
        (json!([at(OTHER, "viewer")]), 404),
        (json!([at(SERVER, "viewer"), at(OTHER, "viewer")]), 404),
        (json!([{ "server": SERVER, "role": "viewer", "reveal_addresses": true }]), 403),
        (json!([]), 400),
        (json!([at(SERVER, "viewer"), at(SERVER, "viewer")]), 201),
    ] {
        let told = invite(&bench, &admin, "new@client.example", servers.clone()).await;
        assert_eq!(told.status(), status, "{servers}: {}", told.text());
    }
    let operator = json!({ "addresses": ["new@client.example"], "operator": true });
    assert_eq!(ask(&bench, &admin, Method::POST, "/v1/users", &operator).await.status(), 403);
    let viewer = bench.token(Role::Viewer, Some(&[SERVER]), true).await;
    assert_eq!(
        invite(&bench, &viewer, "x@client.example", json!([at(SERVER, "viewer")])).await.status(),
        403
    );
    assert_eq!(ask(&bench, &viewer, Method::GET, "/v1/users", &Value::Null).await.status(), 403);
}

#[tokio::test]
async fn each_client_sees_and_changes_its_own_part_of_somebody_who_works_for_two() {
    let bench = Bench::default();
    let one = bench.token(Role::Admin, Some(&[SERVER]), true).await;
    let other = bench.token(Role::Admin, Some(&[OTHER]), true).await;
    let shared = id(&bench, &one, "free@lance.example", json!([at(SERVER, "viewer")])).await;
    assert!(listed(&bench, &other).await.is_empty());
    assert_eq!(id(&bench, &other, "Free@lance.example", json!([at(OTHER, "viewer")])).await, shared);
    for (by, server) in [(&one, SERVER), (&other, OTHER)] {
        let seen = listed(&bench, by).await;
        assert_eq!(seen[0]["servers"], json!([at(server, "viewer")]));
        assert_eq!(seen[0]["address"], "free@lance.example", "an admin knows whom it manages");
    }
    // What one of them sets, it sets for itself alone.
    let change = json!({ "servers": [{ "server": SERVER, "role": "viewer", "reveal_addresses": true }] });
    let told = ask(&bench, &one, Method::PUT, &format!("/v1/users/{shared}"), &change).await;
    assert_eq!(told.status(), 200, "{}", told.text());
    assert_eq!(listed(&bench, &other).await[0]["servers"], json!([at(OTHER, "viewer")]));
    let removed = ask(&bench, &one, Method::DELETE, &format!("/v1/users/{shared}"), &Value::Null).await;
    assert_eq!(removed.status(), 204, "{}", removed.text());
    assert!(listed(&bench, &one).await.is_empty());
    assert_eq!(listed(&bench, &other).await.len(), 1);
    let again = ask(&bench, &one, Method::DELETE, &format!("/v1/users/{shared}"), &Value::Null).await;
    assert_eq!(again.status(), 404, "as one that there is not");
    ask(&bench, &other, Method::DELETE, &format!("/v1/users/{shared}"), &Value::Null).await;
    assert_eq!(User::get(&*bench.store, &shared).await.unwrap(), None, "the last server was its last");
}

#[tokio::test]
async fn an_admin_learns_nothing_of_operators_and_changes_no_admin() {
    let bench = Bench::default();
    let agency = bench.token(Role::Operator, None, true).await;
    let admin = bench.token(Role::Admin, Some(&[SERVER]), true).await;
    let all = json!({ "addresses": ["boss@agency.example"], "operator": true, "reveal_addresses": true });
    let told = ask(&bench, &agency, Method::POST, "/v1/users", &all).await;
    let boss = told.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let other = id(&bench, &agency, "ida@client.example", json!([at(SERVER, "admin")])).await;
    let seen: Vec<String> =
        listed(&bench, &admin).await.iter().map(|one| one["address"].as_str().unwrap().to_owned()).collect();
    assert_eq!(seen, ["ida@client.example"]);
    for (method, path) in [
        (Method::DELETE, format!("/v1/users/{boss}")),
        (Method::DELETE, format!("/v1/users/{boss}/sessions")),
        (Method::PUT, format!("/v1/users/{boss}")),
    ] {
        let body =
            if method == Method::PUT { json!({ "servers": [at(SERVER, "viewer")] }) } else { Value::Null };
        assert_eq!(ask(&bench, &admin, method, &path, &body).await.status(), 404, "{path}");
    }
    for (method, path) in [
        (Method::DELETE, format!("/v1/users/{other}")),
        (Method::DELETE, format!("/v1/users/{other}/sessions")),
        (Method::PUT, format!("/v1/users/{other}")),
    ] {
        let body =
            if method == Method::PUT { json!({ "servers": [at(SERVER, "viewer")] }) } else { Value::Null };
        assert_eq!(ask(&bench, &admin, method, &path, &body).await.status(), 403, "{path}");
    }
    // Inviting an operator tells nothing of that: they are a viewer there like any other.
    let told = invite(&bench, &admin, "boss@agency.example", json!([at(SERVER, "viewer")])).await;
    assert_eq!(told.status(), 201);
    assert_eq!(told.json()["items"][0]["operator"], false);
    assert_eq!(listed(&bench, &admin).await.len(), 2);
    let path = format!("/v1/users/{boss}");
    assert_eq!(ask(&bench, &admin, Method::DELETE, &path, &Value::Null).await.status(), 204);
    assert!(User::get(&*bench.store, &boss).await.unwrap().unwrap().access.is_operator());
}

#[tokio::test]
async fn an_invitation_is_mailed_until_somebody_has_come_and_seldom() {
    let bench = Bench::default();
    let agency = bench.token(Role::Operator, None, true).await;
    let told = invite(&bench, &agency, "ida@client.example", json!([at(SERVER, "viewer")])).await;
    assert_eq!(told.json()["mailed"], true);
    let mails = bench.outbox.take();
    let [Mail::Invitation { to, link, .. }] = &*mails else { panic!("{mails:?}") };
    assert_eq!((to.as_str(), link.as_str()), ("ida@client.example", "https://portal.example"));
    for (nth, mails) in [1, 0].into_iter().enumerate() {
        let told = invite(&bench, &agency, "ida@client.example", json!([at(SERVER, "admin")])).await;
        assert_eq!((bench.outbox.take().len(), told.json()["mailed"] == true), (mails, nth == 0));
    }
    bench.pass(3_700);
    let ida = id(&bench, &agency, "ida@client.example", json!([at(SERVER, "viewer")])).await;
    assert_eq!(bench.outbox.take().len(), 1, "she has never come, so it may have been lost");
    let seen = User::get(&*bench.store, &ida).await.unwrap().unwrap();
    assert_eq!(seen.access.given().values().next().unwrap().role, Role::Admin, "no invitation takes away");
    seen.seen(&*bench.store, now()).await.unwrap();
    bench.pass(3_700);
    invite(&bench, &agency, "ida@client.example", json!([at(SERVER, "viewer")])).await;
    assert!(bench.outbox.take().is_empty(), "she knows already");
}

#[tokio::test]
async fn a_portal_link_opens_no_more_than_the_token_that_made_it() {
    let bench = Bench::default();
    let viewer = bench.token(Role::Viewer, Some(&[SERVER]), false).await;
    let link = |servers: Value| json!({ "servers": servers });
    for (servers, status) in [
        (json!([at(SERVER, "viewer")]), 201),
        (json!([at(SERVER, "admin")]), 403),
        (json!([at(OTHER, "viewer")]), 404),
        (json!([{ "server": SERVER, "role": "viewer", "reveal_addresses": true }]), 403),
        (json!([]), 400),
    ] {
        let told = ask(&bench, &viewer, Method::POST, "/v1/portal-links", &link(servers.clone())).await;
        assert_eq!(told.status(), status, "{servers}: {}", told.text());
        if status == 201 {
            let url = told.json()["url"].as_str().unwrap().to_owned();
            assert!(url.starts_with("https://portal.example/link/"), "{url}");
        }
    }
}

#[tokio::test]
async fn nobody_learns_by_an_invitation_what_somebody_does_elsewhere_or_ends_it() {
    let bench = Bench::default();
    let one = bench.token(Role::Admin, Some(&[SERVER]), true).await;
    let other = bench.token(Role::Admin, Some(&[OTHER]), true).await;
    let agency = bench.token(Role::Operator, None, true).await;
    let boss = id(&bench, &agency, "ceo@other.example", json!([at(OTHER, "admin")])).await;
    User::get(&*bench.store, &boss).await.unwrap().unwrap().seen(&*bench.store, now()).await.unwrap();
    bench.pass(60);
    assert_eq!(id(&bench, &one, "ceo@other.example", json!([at(SERVER, "viewer")])).await, boss);
    let new = id(&bench, &one, "new@client.example", json!([at(SERVER, "viewer")])).await;
    let told = |all: &[Value], id: &str| {
        let mut found = all.iter().find(|user| user["id"] == id).unwrap().clone();
        for name in ["id", "address"] {
            found.as_object_mut().unwrap().remove(name);
        }
        found
    };
    let all = listed(&bench, &one).await;
    assert_eq!(told(&all, &boss), told(&all, &new), "known or not, they look the same");
    // What is noted there tells of that server alone, and as of somebody new.
    let audit = ask(&bench, &one, Method::GET, &format!("/v1/servers/{SERVER}/audit"), &Value::Null).await;
    assert!(!audit.text().contains(&OTHER.to_string()), "{}", audit.text());
    let steps = audit.json()["items"].as_array().unwrap().clone();
    let begun: Vec<&Value> = steps.iter().filter(|step| step["phase"] == "begun").collect();
    assert!(
        begun.iter().all(|step| step["what"] == "user.invite" && step.get("before").is_none()),
        "{begun:?}"
    );
    let mark = User::get(&*bench.store, &boss).await.unwrap().unwrap();
    let path = format!("/v1/users/{boss}/sessions");
    assert_eq!(ask(&bench, &one, Method::DELETE, &path, &Value::Null).await.status(), 204);
    let after = User::get(&*bench.store, &boss).await.unwrap().unwrap();
    let server = |id| ledger::ServerId::new(id).unwrap();
    assert!(!after.is_in(server(SERVER), now()) && after.is_in(server(OTHER), now()));
    assert!(mark.is_in(server(SERVER), now()));
    assert_eq!(
        ask(&bench, &other, Method::GET, "/v1/users", &Value::Null).await.json()["items"][0]["servers"],
        json!([at(OTHER, "admin")])
    );
}

#[tokio::test]
async fn what_ends_by_itself_lets_nobody_in_for_good_and_a_limited_operator_sees_its_servers_alone() {
    let bench = Bench::default();
    let agency = bench.token(Role::Operator, None, true).await;
    let short = json!({ "name": "short", "role": "admin", "servers": [SERVER],
        "expires_at": now().plus_days(5).to_string() });
    let made = bench.ask(&agency, Method::POST, "/v1/tokens", short.to_string().as_bytes()).await.json();
    let short = made["token"].as_str().unwrap();
    let told = invite(&bench, short, "new@client.example", json!([at(SERVER, "viewer")])).await;
    assert_eq!((told.status(), &told.json()["type"]), (403, &json!("urn:postledger:problem:beyond-own")));
    let here =
        id(&bench, &agency, "here@client.example", json!([at(SERVER, "admin"), at(OTHER, "admin")])).await;
    id(&bench, &agency, "there@client.example", json!([at(OTHER, "admin")])).await;
    let limited = bench.token(Role::Operator, Some(&[SERVER]), true).await;
    let seen = listed(&bench, &limited).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["servers"], json!([at(SERVER, "admin")]));
    let path = format!("/v1/users/{here}");
    assert_eq!(ask(&bench, &limited, Method::DELETE, &path, &Value::Null).await.status(), 204);
    assert_eq!(listed(&bench, &agency).await.len(), 2, "they are still at the other server");
}
