//! Ledgers that pages are tried over: one as it may be on any day, and one in which every text that somebody else may write is
//! an attack.

pub(crate) use crate::bench::texts::{RUNS, Texts};
use crate::bench::{Bench, FOREIGN, OWN, at, now, server};
use account::audit::{Entry, Phase, Who, WhoKind};
use account::completeness::{Line, OfStream};
use account::connecting::{Job, JobState, JobStep};
use account::watch::{Found, FoundFinding, FoundWebhook, Requests, TriggerState};
use account::{Registry, ServerEntry, Vault as _};
use answers::Role;
use api::postmark_kept::settings;
use http::Method;
use ledger::event::{Bar, Cause, Ruling};
use ledger::identity::IdentityParts;
use ledger::policy::StreamKind;
use ledger::{Identity, LedgerKey, Source};
use people::{Accent, Branding, Logo};
use postmark::{Context, Decision, Observed};
use postmark_api::Token;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::Collection;
use store::prelude::*;
use store::webhook_activity::WebhookActivity;

/// A logo.
pub(crate) const GIF: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0;";
/// Where an agency's clients write for help.
pub(crate) const HELP: &str = "help@agency.example";

/// What a ledger was filled with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    /// Addresses, and the ids that they have there.
    pub(crate) recipients: Vec<(String, String)>,
    pub(crate) messages: Vec<String>,
    pub(crate) streams: Vec<String>,
}

/// Fills a server: its entry in the registry, events of all kinds, what is suppressed, what was set aside, what is complete,
/// what was changed, and who may see it.
pub(crate) async fn fill(bench: &Bench, id: i64, texts: Texts) -> Filled {
    let mut filled = Filled::default();
    registered(bench, id, texts, &mut filled).await;
    for n in 0..20 {
        recipient(bench, id, texts, n, &mut filled).await;
    }
    busy_recipient(bench, id, texts, &mut filled).await;
    if texts == Texts::Hostile {
        of_an_early_release(bench, id, &mut filled).await;
    }
    completeness(bench, id, texts).await;
    set_aside(bench, id, texts).await;
    changes(bench, id, texts, &filled).await;
    test_mail(bench, id, &filled).await;
    webhooks(bench, id, texts).await;
    people(bench, id, texts).await;
    tokens(bench, id, texts).await;
    smtp(bench, id).await;
    at_postmark(bench, id, texts).await;
    filled.recipients.dedup();
    filled
}

/// Gives the portal a branding: one for all, whosever servers there are.
pub(crate) async fn brand(bench: &Bench, texts: Texts) {
    let (name, support) = match texts {
        Texts::Plain(_) => ("¤The agency¤".to_owned(), HELP.to_owned()),
        Texts::Hostile => (
            format!("\"><img src=x onerror={RUNS}_brand()>'{{{{7*7}}}}"),
            format!("\"<script>{RUNS}_support()</script>?cc=x&\"@agency.example"),
        ),
    };
    let branding = Branding {
        name: Some(name.parse().unwrap()),
        logo: Some(Logo::read(GIF.to_vec()).unwrap()),
        accent: Some(Accent([0xff, 0xcc, 0])),
        support: Some(support.parse().unwrap()),
    };
    branding.keep(&*bench.store).await.unwrap();
}

async fn registered(bench: &Bench, id: i64, texts: Texts, filled: &mut Filled) {
    let (client, label) = match texts {
        Texts::Plain(whose) => (format!("¤{whose}¤"), format!("¤Shop of {whose}¤")),
        Texts::Hostile => (Texts::Hostile.of("client", 0), Texts::Hostile.of("label", 0)),
    };
    let mut entry = ServerEntry::new(server(id), &client, &label, now().plus_days(-90));
    let long = format!("longest-{}", "x".repeat(120));
    let own = format!("{}-news", texts.whose());
    for (stream, kind) in [
        ("outbound", StreamKind::Transactional),
        ("javascript.alert", StreamKind::Broadcast),
        (own.as_str(), StreamKind::Broadcast),
        (long.as_str(), StreamKind::Broadcast),
    ] {
        entry.streams.insert(stream.to_owned(), kind.into());
        filled.streams.push(stream.to_owned());
    }
    entry.doors = Some("https://hooks.example.com".to_owned());
    Registry(&*bench.store).put(&entry).await.unwrap();
}

/// What came of mail to one recipient.
async fn recipient(bench: &Bench, id: i64, texts: Texts, n: usize, filled: &mut Filled) {
    let (address, message) = (texts.address(n), texts.message(n));
    let stream = filled.streams[n % filled.streams.len()].clone();
    let time = |minutes: i64| bench.now().plus_seconds(-(n as i64) * 7_200 - minutes * 60).to_string();
    let body = |kind: &str, clock: &str, minutes: i64, more: Value| {
        let mut body = json!({
            "RecordType": kind, "MessageStream": stream, "ServerID": id, "MessageID": message,
            "Tag": texts.of("tag", n), clock: time(minutes), "Recipient": address, "Email": address,
            "Metadata": { "order": texts.of("metadata", n), texts.whose(): "x" },
            "Geo": { "Country": texts.of("country", n), "Region": texts.of("region", n) },
            "Client": { "Name": texts.of("client_name", n), "Family": texts.of("family", n), "Company": "x" },
            "OS": { "Name": texts.of("os", n), "Family": texts.of("os_family", n) },
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let said = |more: Value| {
        let mut said = json!({
            "Subject": texts.of("subject", n), "Description": texts.of("description", n),
            "Details": texts.of("details", n), "Name": texts.of("name", n), "From": texts.of("from", n),
        });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        said
    };
    let mut bodies = vec![
        (body("Delivery", "DeliveredAt", 50, said(json!({}))), Source::Webhook),
        (
            body(
                "Open",
                "ReceivedAt",
                40,
                json!({ "FirstOpen": true, "UserAgent": texts.of("user_agent", n) }),
            ),
            Source::Webhook,
        ),
        (
            body(
                "Click",
                "ReceivedAt",
                30,
                json!({ "OriginalLink": texts.of("link", n), "UserAgent": texts.of("user_agent", n + 1) }),
            ),
            Source::Webhook,
        ),
    ];
    if n.is_multiple_of(2) {
        let bounce =
            json!({ "ID": 1_000 + n, "Type": texts.type_of_bounce(n / 2), "Inactive": n.is_multiple_of(4) });
        bodies.push((body("Bounce", "BouncedAt", 20, said(bounce)), Source::Webhook));
    }
    if n.is_multiple_of(3) {
        let reason = ["HardBounce", "SpamComplaint", "ManualSuppression"][n / 3 % 3];
        let origin = ["Recipient", "Customer", "Admin"][n / 3 % 3];
        let change = json!({ "SuppressSending": true, "SuppressionReason": reason, "Origin": origin });
        bodies.push((body("SubscriptionChange", "ChangedAt", 19, change), Source::Webhook));
    }
    if n.is_multiple_of(5) {
        let complaint = json!({ "ID": 9_000 + n, "Type": "SpamComplaint", "Inactive": true });
        bodies.push((body("SpamComplaint", "BouncedAt", 18, said(complaint)), Source::Webhook));
    }
    if n % 7 == 1 {
        let seen = Observed {
            stream: &stream,
            address: &address,
            cause: Some(Cause::Manual),
            at: bench.now().plus_seconds(-60),
        };
        bodies.push((seen.body(), Source::Reconcile));
    }
    if n % 4 == 1 {
        let decision = Decision {
            id: &Identity::of(
                server(id),
                recipient_id(id, &address),
                now(),
                &IdentityParts::Decision { id: &n.to_string() },
            )
            .to_string(),
            stream: if n.is_multiple_of(5) { "*" } else { &stream },
            address: &address,
            ruling: Ruling::Suppress(Bar::Decision),
            reason: &texts.of("reason", n),
            actor: &texts.of("actor", n),
            at: bench.now().plus_seconds(-30),
        };
        bodies.push((decision.body(), Source::Operator));
    }
    for (body, source) in bodies {
        record(bench, id, body, source).await;
    }
    filled.recipients.push((address.clone(), recipient_id(id, &address).to_string()));
    filled.messages.push(message);
}

/// One to whom more happened than a page shows at once.
async fn busy_recipient(bench: &Bench, id: i64, texts: Texts, filled: &mut Filled) {
    let address = texts.address(4);
    for n in 0..130 {
        let at = bench.now().plus_seconds(-900 - 600 * n);
        let n = usize::try_from(n).unwrap();
        let body = json!({
            "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": id, "MessageID": format!("busy-{n}"),
            "ID": 50_000 + n, "Type": "SoftBounce", "Inactive": false, "Email": address, "BouncedAt": at.to_string(),
            "Tag": texts.of("tag", n), "Subject": texts.of("subject", n), "Description": texts.of("description", n),
            "Details": texts.of("details", n),
        });
        record(bench, id, body, Source::Webhook).await;
    }
    filled.recipients.push((address.clone(), recipient_id(id, &address).to_string()));
}

/// An early release took any text for a stream's name.
async fn of_an_early_release(bench: &Bench, id: i64, filled: &mut Filled) {
    let stream = format!("\"><img src=x onerror={RUNS}_stream()>&amp;#?/%2f");
    let body = json!({
        "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": id, "MessageID": "early", "ID": 77_777,
        "Type": "HardBounce", "Inactive": true, "Email": "early@customer.example",
        "BouncedAt": bench.now().plus_seconds(-600).to_string(),
    });
    record_on(bench, id, body, Source::Webhook, Some(&stream)).await;
    filled.streams.push(stream);
    let id_of = recipient_id(id, "early@customer.example").to_string();
    filled.recipients.push(("early@customer.example".to_owned(), id_of));
}

async fn completeness(bench: &Bench, id: i64, texts: Texts) {
    for day in 1..5 {
        let line =
            Line { expected: 1_234, received: 1_200, recovered: 30, unrecoverable: 3, unexplained: day };
        let of = OfStream {
            as_of: now(),
            lines: [("Delivery".to_owned(), line), ("Bounce".to_owned(), line)].into(),
        };
        let mut streams: BTreeMap<String, OfStream> = [("outbound".to_owned(), of.clone())].into();
        if texts == Texts::Hostile {
            let of = OfStream { lines: [(Texts::Hostile.of("record_type", 0), line)].into(), ..of };
            streams.insert(Texts::Hostile.of("complete_stream", 2), of);
        }
        let name = now().plus_days(-(day as i64)).day();
        let text = serde_json::to_string(&streams).unwrap();
        assert!(
            bench
                .store
                .put_document(&Collection::Completeness(server(id)), &name, &text, None)
                .await
                .unwrap()
        );
    }
}

async fn set_aside(bench: &Bench, id: i64, texts: Texts) {
    for n in 0..4 {
        let at = bench.now().plus_seconds(-3_600 * (1 + n));
        let n = n as usize;
        let reason = ["not_json", "bad_field", "probe", "missing_field"][n];
        let aside = queue::SetAside {
            detail: texts.of("detail", n),
            record_type: (n == 1).then_some(ledger::Kind::Bounce),
            ..queue::SetAside::example(server(id), at, reason, texts.of("body", n))
        };
        for part in aside.parts() {
            bench.store.quarantine(part, None).await.unwrap();
        }
    }
}

async fn changes(bench: &Bench, id: i64, texts: Texts, filled: &Filled) {
    let whos = [
        Who { kind: WhoKind::Local, name: texts.of("who", 0) },
        Who { kind: WhoKind::User, name: bench.id_of(crate::bench::ADMIN) },
        Who { kind: WhoKind::Aws, name: texts.of("who", 2) },
    ];
    let whats = [
        "suppress",
        "reactivate",
        "import",
        "erase",
        "user.invite",
        "user.access",
        "portal.link",
        "token.new",
    ];
    for (n, what) in whats.into_iter().enumerate() {
        let at = bench.now().plus_seconds(-500 * (1 + n as i64));
        let begun = Entry::begun(whos[n % 3].clone(), what, at).unwrap();
        let begun = Entry {
            target: Some(filled.recipients[n].1.clone()),
            before: json!({ "role": "viewer", "stream": texts.of("before", n) }),
            after: json!({ "addresses": n, "stream": texts.of("after", n), "list": [texts.of("list", n)] }),
            ..begun
        };
        let phase = if n == 3 { Phase::Failed } else { Phase::Done };
        let after = json!({ "done": 1, "problem": texts.of("problem", n) });
        for entry in [begun.clone(), begun.now(phase, after, at.plus_seconds(1))] {
            entry.note(&*bench.store, server(id)).await.unwrap();
        }
    }
}

/// A test mail, which became one of the messages.
async fn test_mail(bench: &Bench, id: i64, filled: &Filled) {
    let who = Who { kind: WhoKind::User, name: bench.id_of(crate::bench::ADMIN) };
    let begun = Entry::begun(who, "server.test_mail", now().plus_seconds(-100)).unwrap();
    let begun = Entry { after: json!({ "stream": "outbound" }), ..begun };
    let after = json!({ "message_id": filled.messages[0], "sent_at": now().plus_seconds(-99).to_string() });
    for entry in [begun.clone(), begun.now(Phase::Done, after, now().plus_seconds(-98))] {
        entry.note(&*bench.store, server(id)).await.unwrap();
    }
}

/// What was last found of the webhooks, and what became of the last set-up.
async fn webhooks(bench: &Bench, id: i64, texts: Texts) {
    bench.connects.texts.lock().unwrap().insert(server(id), texts);
    let of = |field: &str, n: usize| texts.of(field, n).chars().take(400).collect::<String>();
    let webhook = |n: usize| FoundWebhook {
        id: n as i64,
        stream: of("webhook_stream", n),
        url: if n < 3 { format!("https://hooks.example.com/v1/{id}/bounce") } else { of("webhook_url", n) },
        ours: n < 3,
        triggers: [
            (
                "Bounce".to_owned(),
                [TriggerState::Verified, TriggerState::Unverified, TriggerState::Unknown][n % 3],
            ),
            (of("webhook_trigger", n), TriggerState::Unknown),
        ]
        .into(),
        requests: Some(Requests { total: 1_234, failed: 5, retried: 6 }),
    };
    let finding = |n: usize| FoundFinding {
        stream: Some(of("webhook_stream", n)),
        code: "trigger_unverified".to_owned(),
        words: of("webhook_words", n),
        next: of("webhook_next", n),
    };
    let found = Found {
        at: now(),
        doors: Some("https://hooks.example.com".to_owned()),
        webhooks: (0..7).map(webhook).collect(),
        plan: Vec::new(),
        findings: (0..7).map(finding).collect(),
        heard: [("Bounce".to_owned(), now())].into(),
    };
    let text = serde_json::to_string(&found).unwrap();
    let name = format!("found#{id}");
    assert!(bench.store.put_document(&Collection::Watch, &name, &text, None).await.unwrap());
    let entry = ServerEntry::new(server(id), "", "", now());
    let step = |n: usize| JobStep {
        what: of("webhook_what", n),
        stream: of("webhook_stream", n),
        url: of("webhook_url", n),
        failed: Some(of("webhook_failed", n)),
        next: Some(of("webhook_next", n)),
    };
    let job = Job {
        state: JobState::Failed,
        steps: (0..7).map(step).collect(),
        refused: vec![(of("webhook_stream", 1), of("webhook_trigger", 1))],
        problem: Some((of("webhook_problem", 2), of("webhook_next", 3))),
        verified: (1, 2),
        id: "job".to_owned(),
        ..Job::begun(&entry, now()).unwrap()
    };
    job.keep(&*bench.store, server(id)).await.unwrap();
    let key: String = of("webhook_key", 1).chars().take(40).collect();
    let activity = WebhookActivity {
        keys: [(key, now())].into(),
        low: [(now().hour(), 1)].into(),
        ..WebhookActivity::default()
    };
    WebhookActivity::note(&*bench.store, server(id), &activity).await.unwrap();
}

async fn people(bench: &Bench, id: i64, texts: Texts) {
    for n in 0..6_usize {
        let address = match texts {
            Texts::Plain(whose) => format!("user{n}@{whose}-office.example"),
            Texts::Hostile => format!("\"><b onclick={RUNS}_user({n})>\u{202e}\"@office.example"),
        };
        let role = if n.is_multiple_of(2) { Role::Viewer } else { Role::Admin };
        bench.invite(&address, at(id, role, n < 3)).await;
    }
}

/// Tokens of the API, one of them for a short time, one revoked.
async fn tokens(bench: &Bench, id: i64, texts: Texts) {
    for n in 0..4_usize {
        let name = match texts {
            Texts::Plain(_) => texts.of("token_name", n),
            // The API takes no token's name that is longer, or has line ends in it.
            Texts::Hostile => format!("<b onclick={RUNS}_token_name({n})>\u{202e}\""),
        };
        let mut new = json!({ "name": name, "role": "viewer", "servers": [id], "reveal_addresses": n == 1 });
        if n == 2 {
            new["expires_at"] = bench.now().plus_days(1).to_string().into();
        }
        let (status, made) = bench.api(Method::POST, "/v1/tokens", new).await;
        assert_eq!(status, 201, "{made}");
        if n == 3 {
            let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
            assert_eq!(bench.api(Method::DELETE, &path, Value::Null).await.0, 200);
        }
    }
}

/// Keys for SMTP: on one stream a pair with an older one beside it, and a test mail that was sent.
async fn smtp(bench: &Bench, id: i64) {
    let path = format!("/v1/servers/{id}/smtp/outbound");
    for key in ["first", "second"] {
        let (status, told) =
            bench.api(Method::PUT, &path, json!({ "access_key": key, "secret_key": "good" })).await;
        assert_eq!(status, 200, "{told}");
    }
    let mail = json!({ "from": "shop@client.example", "to": "somebody@client.example" });
    let (status, told) = bench.api(Method::POST, &format!("{path}/test"), mail).await;
    assert_eq!(status, 200, "{told}");
}

/// What Postmark keeps for the server, and the token that opens it.
async fn at_postmark(bench: &Bench, id: i64, texts: Texts) {
    let token = match id {
        OWN => "own",
        FOREIGN => "other",
        _ => return,
    };
    let mut kept = settings(id, &texts.of("server_name", 0));
    kept["InboundDomain"] = texts.of("inbound_domain", 0).into();
    kept["BounceHookUrl"] = "https://user:p4ss@old.example/hook?p4ss".into();
    kept["PostFirstOpenOnly"] = true.into();
    if texts == Texts::Hostile {
        kept["Color"] = texts.of("color", 1).into();
        kept["TrackLinks"] = texts.of("track_links", 2).into();
        kept["DeliveryType"] = texts.of("delivery_type", 3).into();
        kept["ServerLink"] = texts.of("server_link", 1).into();
        kept["InboundHookUrl"] = texts.of("inbound_hook", 0).into();
    }
    bench.postmark.kept.keep(token, kept);
    bench.vault.put(server(id), &Token::new(&format!("{token}-s3cret")).unwrap()).await.unwrap();
}

fn recipient_id(id: i64, address: &str) -> ledger::RecipientId {
    LedgerKey::for_tests().recipient_id(server(id), &ledger::recipient_key(address))
}

/// Records a body as if it had come in, and folds the view anew.
pub(crate) async fn record(bench: &Bench, id: i64, body: Value, source: Source) {
    record_on(bench, id, body, source, None).await;
}

async fn record_on(bench: &Bench, id: i64, body: Value, source: Source, stream: Option<&str>) {
    let context =
        Context { server: server(id), received_at: bench.now(), source, keep_engagement_detail: false };
    api::recording::record(&*bench.store, &context, &body, stream).await;
}
