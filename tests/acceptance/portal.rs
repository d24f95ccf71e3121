//! The portal of one machine, by the real program over HTTP: who is let in and who is not, and what a restore brings back.
//! What holds for every page is tested in its own crate; what people see, in a browser.

use credential::basic;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use postledger::client::agent;
use postledger_tests::command::{Folder, command, run, text};
use postledger_tests::lambda::built;
use postledger_tests::postmark::{Hooks as _, InProcess, OverHttp, serve};
use postledger_tests::soak_disk::Process;
use postmark_simulator::{Config, Simulator};
use serde_json::Value;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use ureq::Agent;

/// The link of the header that a page of ours would send.
const OWN_PAGE: [&str; 2] = ["sec-fetch-site", "same-origin"];

/// A ledger with a portal, on this machine.
struct House {
    folder: Folder,
    process: Process,
    portal: String,
    agent: Agent,
}

impl House {
    fn new(name: &str, more: &[&str]) -> House {
        let folder = Folder::new(name);
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let portal = free.local_addr().unwrap().to_string();
        drop(free);
        let args = [&["--portal", portal.as_str()], more].concat();
        let process = Process::start_with(&built().join("postledger"), folder.path(), &args);
        House { folder, process, portal: format!("http://{portal}"), agent: agent() }
    }

    fn get(&self, path: &str, cookie: &str) -> http::Response<String> {
        let asked = self.agent.get(format!("{}{path}", self.portal)).header(COOKIE.as_str(), cookie);
        let (parts, mut body) = asked.call().unwrap().into_parts();
        http::Response::from_parts(parts, body.read_to_string().unwrap())
    }

    fn post(&self, path: &str, cookie: &str, form: &[(&str, &str)]) -> http::Response<String> {
        let [name, value] = OWN_PAGE;
        let asked = self.agent.post(format!("{}{path}", self.portal)).header(name, value);
        let sent = asked.header(COOKIE.as_str(), cookie).send_form(form.iter().copied()).unwrap();
        let (parts, mut body) = sent.into_parts();
        http::Response::from_parts(parts, body.read_to_string().unwrap())
    }
}

/// The cookie of a name that an answer sets.
fn cookie(answer: &http::Response<String>, name: &str) -> String {
    let set = answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    let of = |set: &str| {
        let pair = set.split(';').next()?;
        (pair.split_once('=')?.0 == name).then(|| pair.to_owned())
    };
    set.filter_map(of).next().unwrap_or_else(|| panic!("no cookie {name} in {:?}", answer.headers()))
}

fn invite(process: &Process, args: &[&str]) -> Value {
    process.json(&[&["user", "invite"], args, &["--json"]].concat())
}

#[test]
fn a_link_of_the_command_line_lets_somebody_in_once() {
    let house = House::new("portal-link", &[]);
    invite(&house.process, &["ida@agency.example", "--operator", "--reveal"]);
    let made = house.process.json(&["user", "link", "ida@agency.example", "--json"]);
    let path = made["url"].as_str().unwrap().strip_prefix(&house.portal).unwrap();
    for _ in 0..2 {
        assert_eq!(house.get(path, "").status(), 200, "looking at it spends nothing");
    }
    let let_in = house.post(path, "", &[]);
    assert_eq!((let_in.status().as_u16(), &let_in.headers()[LOCATION]), (303, &"/".parse().unwrap()));
    let session = cookie(&let_in, "pl");
    assert_eq!(house.get("/", &session).status(), 200);
    assert_eq!(house.post(path, "", &[]).status(), 410, "it was used");
    assert_eq!(house.get("/", "").status(), 303, "without it nobody is in");
    house.process.json(&["user", "list", "--json"]);
    assert!(
        house.process.ask(&["user", "remove", "ida@agency.example"]).status.success(),
        "an operator is removed by this machine's user"
    );
    assert_eq!(house.get("/account", &session).status(), 401, "whoever is removed is out at once");
}

#[test]
fn a_code_comes_by_mail_and_signs_in_the_browser_that_asked() {
    let mails = Folder::new("portal-mails");
    let folder = mails.path().to_str().unwrap().to_owned();
    let house = House::new("portal-mail", &["--mail-folder", &folder]);
    let told = invite(&house.process, &["vera@client.example", "--viewer-of", "8123456"]);
    assert_eq!(told["mailed"], true);
    let asked = house.post("/sign-in", "", &[("address", "Vera@client.example")]);
    let browser = cookie(&asked, "pl-asked");
    let code = eventually(|| {
        let files = std::fs::read_dir(&folder).unwrap().flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.filter(|text| text.contains("X-Postledger: sign-in")).find_map(|text| {
            let subject = text.lines().find_map(|line| line.strip_prefix("Subject: Your code: "))?;
            Some(subject.to_owned())
        })
    });
    let elsewhere = house.post("/sign-in/code", "", &[("code", &code)]);
    assert_eq!(elsewhere.status(), 403, "another browser has not asked");
    let let_in = house.post("/sign-in/code", &browser, &[("code", &code)]);
    let session = cookie(&let_in, "pl");
    let page = house.get("/servers/8123456", &session);
    assert_eq!(page.status(), 200);
    assert!(!page.body().contains("/servers/8123456/people"), "a viewer manages nobody");
    assert_eq!(house.get("/servers/8123457", &session).status(), 404);
}

/// Who is let in by a link of the command line: the cookie of the session.
fn let_in(house: &House, address: &str) -> String {
    let made = house.process.json(&["user", "link", address, "--json"]);
    let path = made["url"].as_str().unwrap().strip_prefix(&house.portal).unwrap();
    cookie(&house.post(path, "", &[]), "pl")
}

#[test]
fn an_admin_sets_up_webhooks_without_a_postmark_log_in_and_by_hand_with_a_password_that_the_doors_take() {
    let mut simulator = Simulator::new(Config::usual(1));
    let client = simulator.add_server("Client");
    let simulator = Arc::new(Mutex::new(simulator));
    let postmark = serve(InProcess::new(simulator.clone(), Arc::new(OverHttp::new())));
    let house = House::new("portal-webhooks", &["--postmark", &postmark]);
    let id = client.id.to_string();
    let mut add = command();
    add.args(["server", "add", "--server", &id, "--postmark", &postmark, "--url", &house.process.url()]);
    let added = run(add.env("POSTLEDGER_HOME", house.folder.path().join("home")), client.token.as_bytes());
    assert!(added.status.success(), "{}", text(&added.stderr));
    invite(&house.process, &["max@client.example", "--admin-of", &id, "--reveal"]);
    let session = let_in(&house, "max@client.example");
    let page = format!("/servers/{id}/webhooks");

    let before = house.get(&page, &session);
    assert!(before.body().contains("Show what would be done"), "{}", before.body());
    let chosen = [("form", "per_type"), ("native", "on")];
    let plan = house.post(&page, &session, &[&chosen[..], &[("action", "plan")]].concat());
    assert_eq!(plan.status(), 200);
    assert!(plan.body().contains("(8 steps)") && plan.body().contains("own address"), "{}", plan.body());
    assert_eq!(webhooks(&simulator, &client.token).len(), 0, "it was only planned");

    let done = house.post(&page, &session, &[&chosen[..], &[("action", "connect")]].concat());
    assert_eq!(done.status(), 303, "{}", done.body());
    let told = house.get(done.headers()[LOCATION].to_str().unwrap(), &session);
    for shown in
        ["All is done", "8 of 8", "Opens and clicks are left out", "The webhooks are as they should be."]
    {
        assert!(told.body().contains(shown), "{shown}: {}", told.body());
    }
    let made = webhooks(&simulator, &client.token);
    let ours = format!("{}/v1/{id}/", house.process.url());
    assert!(made.len() == 8 && made.iter().all(|url| url.starts_with(&ours)), "{made:?}");
    assert!(!made.iter().any(|url| url.ends_with("/open") || url.ends_with("/click")), "{made:?}");

    let shown = house.post(&page, &session, &[("action", "password")]);
    let codes: Vec<&str> =
        shown.body().split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next()).collect();
    let [user, password] = codes[..] else { panic!("{}", shown.body()) };
    let post = |password: &str| {
        let agent = house.agent.post(format!("{ours}bounce"));
        let header = basic(user.parse().unwrap(), password);
        agent.header("authorization", header).send("{}").unwrap().status().as_u16()
    };
    assert_eq!((post(password), post("another")), (200, 503));
    let changes = house.get(&format!("/servers/{id}/audit"), &session);
    assert!(changes.body().contains("Set up webhooks") && changes.body().contains("Was shown the password"));
    for seen in [&told, &shown, &changes, &plan] {
        assert!(!seen.body().contains(&client.token), "a token stands on a page");
    }

    invite(&house.process, &["boss@agency.example", "--operator", "--reveal"]);
    let boss = let_in(&house, "boss@agency.example");
    let moved = house.post(&page, &boss, &[("action", "rotate")]);
    assert!(moved.body().contains("All webhooks are moved"), "{}", moved.body());
    assert_eq!(post(password), 200, "the old key is taken until nobody uses it");
    let again = house.post(&page, &session, &[&chosen[..], &[("action", "plan")]].concat());
    assert!(again.body().contains("Nothing has to be done"), "{}", again.body());
}

#[test]
fn an_operator_sets_a_server_up_from_nothing_until_a_test_mail_proves_that_its_reports_come_in() {
    let mut simulator = Simulator::new(Config::usual(1));
    let client = simulator.add_server("Client");
    let simulator = Arc::new(Mutex::new(simulator));
    let hooks = Arc::new(OverHttp::new());
    let postmark = serve(InProcess::new(simulator.clone(), hooks.clone()));
    let house = House::new("portal-set-up", &["--postmark", &postmark]);
    invite(&house.process, &["boss@agency.example", "--operator", "--reveal"]);
    let boss = let_in(&house, "boss@agency.example");
    assert!(house.get("/", &boss).body().contains("Add a server"));

    let wrong = house.post("/servers/new", &boss, &[("token", "not-a-token-of-postmark")]);
    assert_eq!(wrong.status(), 409);
    assert!(wrong.body().contains("Postmark does not accept this token"), "{}", wrong.body());
    let token = client.token.as_str();
    let added = house.post("/servers/new", &boss, &[("token", token), ("label", "Acme shop")]);
    let page = format!("/servers/{}/set-up", client.id);
    assert_eq!(added.headers()[LOCATION].to_str().unwrap(), format!("{page}?done=added"));
    let seen = house.get(&page, &boss);
    for shown in ["Set-up of Acme shop", "1 of 4 steps are done.", "No webhook reports to this ledger yet"] {
        assert!(seen.body().contains(shown), "{shown}: {}", seen.body());
    }
    let again = house.post("/servers/new", &boss, &[("token", token), ("label", "Other")]);
    let again = house.get(again.headers()[LOCATION].to_str().unwrap(), &boss);
    assert!(again.body().contains("was registered before") && again.body().contains("Acme shop"));

    let chosen = [("form", "per_type"), ("action", "connect")];
    let webhooks = house.post(&format!("/servers/{}/webhooks", client.id), &boss, &chosen);
    assert_eq!(webhooks.status(), 303, "{}", webhooks.body());
    let people = [("action", "invite"), ("addresses", "max@client.example"), ("role", "admin")];
    let invited = house.post(&format!("/servers/{}/people", client.id), &boss, &people);
    assert_eq!(invited.status(), 303, "{}", invited.body());
    let seen = house.get(&page, &boss);
    for shown in ["3 of 4 steps are done.", "has verified all", "One person of the client may sign in."] {
        assert!(seen.body().contains(shown), "{shown}: {}", seen.body());
    }

    let max = let_in(&house, "max@client.example");
    let mail =
        |to| [("action", "test-mail"), ("stream", "outbound"), ("from", "a@sender.example"), ("to", to)];
    let sent = house.post(&page, &max, &mail("ida@customer.example"));
    assert_eq!(sent.status(), 303, "{}", sent.body());
    let way = sent.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(way.starts_with(&format!("{page}?message=")) && !way.contains("ida"), "{way}");
    let waits = house.get(&way, &max);
    assert!(waits.body().contains("Its report has not come in yet."), "{}", waits.body());
    deliver_all(&simulator, &hooks);
    // As somebody whose browser was closed meanwhile, who comes back without that address.
    let proven = eventually(|| {
        Some(house.get(&page, &boss)).filter(|seen| seen.body().contains("Everything is set up."))
    });
    for shown in ["Postmark took the mail", "as Postmark reports", "The webhook with the report came in here"]
    {
        assert!(proven.body().contains(shown), "{shown}: {}", proven.body());
    }
    assert!(!house.get("/", &boss).body().contains(&page), "its events come in");

    let sent = house.post(&page, &max, &mail("ida+hard@customer.example"));
    let way = sent.headers()[LOCATION].to_str().unwrap().to_owned();
    deliver_all(&simulator, &hooks);
    let bounced =
        eventually(|| Some(house.get(&way, &max)).filter(|seen| seen.body().contains("The mail bounced.")));
    let audit = house.get(&format!("/servers/{}/audit", client.id), &boss);
    assert!(audit.body().contains("Sent a test mail") && audit.body().contains("Registered the server"));
    for seen in [&seen, &waits, &proven, &bounced, &audit] {
        assert!(!seen.body().contains(token), "a token stands on a page");
        assert!(!seen.body().contains("customer.example"), "an address stands on a page");
    }
}

/// Brings all webhooks of the simulator's next minutes to where they lead.
fn deliver_all(simulator: &Mutex<Simulator>, hooks: &OverHttp) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let until = simulator.lock().unwrap().now().plus_seconds(600);
    loop {
        let due = simulator.lock().unwrap().advance(until);
        let Some(due) = due else { return };
        let answer = runtime.block_on(hooks.answer(&due.request));
        simulator.lock().unwrap().answered(due.id, answer);
    }
}

/// The URLs of the simulator's webhooks.
fn webhooks(simulator: &Mutex<Simulator>, token: &str) -> Vec<String> {
    let request = http::Request::get("/webhooks")
        .header("Accept", "application/json")
        .header("X-Postmark-Server-Token", token)
        .body(Vec::new());
    let answer = simulator.lock().unwrap().api(request.unwrap()).answer().unwrap();
    let told: Value = serde_json::from_slice(&answer.into_body().into_vec()).unwrap();
    told["Webhooks"].as_array().unwrap().iter().map(|row| row["Url"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_branding_that_a_command_sets_is_on_the_very_next_page_and_each_option_changes_one_part() {
    let house = House::new("portal-branding", &["--portal-name", "Usual Name"]);
    assert!(house.get("/sign-in", "").body().contains("Usual Name"));
    let logo = house.folder.path().join("logo");
    std::fs::write(&logo, b"GIF89a\x01\0\x01\0\0\0\0;").unwrap();
    let set = ["branding", "--name", "Agency Mail", "--logo", logo.to_str().unwrap(), "--json"];
    let told = house.process.json(&set);
    assert_eq!((&told["name"], &told["logo_type"]), (&"Agency Mail".into(), &"image/gif".into()));
    let told = house.process.json(&[
        "branding",
        "--support",
        "help@agency.example",
        "--accent",
        "#FFCC00",
        "--json",
    ]);
    assert_eq!((&told["name"], &told["accent"]), (&"Agency Mail".into(), &"#ffcc00".into()));
    let page = house.get("/sign-in", "");
    for shown in ["Agency Mail", "mailto:help@agency.example", "/static/logo-", "/static/brand-"] {
        assert!(page.body().contains(shown), "{shown}: {}", page.body());
    }
    std::fs::write(&logo, "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
    let refused = house.process.ask(&["branding", "--logo", logo.to_str().unwrap()]);
    assert!(text(&refused.stderr).contains("may hold script"), "{}", text(&refused.stderr));
    assert!(house.process.ask(&["branding", "--clear"]).status.success());
    let page = house.get("/sign-in", "");
    assert!(page.body().contains("Usual Name") && !page.body().contains("agency"), "{}", page.body());
}

#[test]
fn over_plain_http_from_elsewhere_nobody_signs_in() {
    let house = House::new("portal-plain", &["--portal-url", "http://mail.agency.example"]);
    let page = house.get("/sign-in", "");
    assert_eq!(page.status(), 403);
    assert!(page.body().contains("https://"), "{}", page.body());
}

#[test]
fn a_restore_brings_back_no_session_and_nobody_who_was_removed_since() {
    let house = House::new("portal-backup", &[]);
    invite(&house.process, &["gone@client.example", "--viewer-of", "8123456"]);
    invite(&house.process, &["boss@agency.example", "--operator"]);
    invite(&house.process, &["stays@client.example", "--viewer-of", "8123456"]);
    let made = house.process.json(&["user", "link", "stays@client.example", "--json"]);
    let path = made["url"].as_str().unwrap().strip_prefix(&house.portal).unwrap();
    let session = cookie(&house.post(path, "", &[]), "pl");
    let (data, file) = (house.folder.path().join("data"), house.folder.path().join("copy.db"));
    let (data, file) = (data.to_str().unwrap().to_owned(), file.to_str().unwrap().to_owned());
    let ask = |folder: &Folder, args: &[&str]| -> Output {
        let mut command = command();
        command.args(args).env("POSTLEDGER_HOME", folder.path().join("home"));
        run(command.env("POSTLEDGER_PASSPHRASE", "correct horse battery"), b"")
    };
    let backup = ask(&house.folder, &["backup", &file, "--data", &data]);
    assert!(backup.status.success(), "{}", text(&backup.stderr));
    assert!(house.process.ask(&["user", "remove", "gone@client.example"]).status.success());
    let set = ["user", "set", "boss@agency.example", "--viewer-of", "8123456"];
    assert!(house.process.ask(&set).status.success());
    let House { process, folder, .. } = house;
    process.stop();
    let journal = std::fs::read_to_string(folder.path().join("data").join("erasures.log")).unwrap();
    assert!(!journal.contains('@'), "ids alone: {journal}");

    let again = Folder::new("portal-backup-again");
    let into = again.path().join("data");
    std::fs::create_dir_all(&into).unwrap();
    std::fs::write(into.join("erasures.log"), journal).unwrap();
    let done = ask(&again, &["restore", &file, "--data", into.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let portal = free.local_addr().unwrap().to_string();
    drop(free);
    let process = Process::start_with(&built().join("postledger"), again.path(), &["--portal", &portal]);
    let users = process.json(&["user", "list", "--json"]);
    let users: Vec<(&str, bool)> = users["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| (user["address"].as_str().unwrap(), user["operator"].as_bool().unwrap()))
        .collect();
    assert_eq!(users, [("boss@agency.example", false), ("stays@client.example", false)]);
    let asked = agent().get(format!("http://{portal}/account")).header(COOKIE.as_str(), &session);
    assert_eq!(asked.call().unwrap().status(), 401, "nobody is signed in after a restore");
}

fn eventually<T>(look: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}
