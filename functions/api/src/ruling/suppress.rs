//! Puts addresses on Postmark's list, and bars them by decisions, whatever Postmark says: that is the safe side.

use super::{
    AT_ONCE, LEDGER, PATIENCE, POSTMARK, Said, decide, in_time, no_postmark_token, scope_named, spelled,
    worded,
};
use crate::call::{Answer, Call};
use crate::check;
use crate::decision::WAIT;
use crate::problem::Problem;
use crate::scope::Admin;
use answers::{AtPostmark, Invalid, SuppressRequest, Suppressed, SuppressedAddress, SuppressedAtPostmark};
use futures_util::stream::{self, StreamExt as _};
use ledger::event::{Bar, Ruling, WHOLE_SERVER};
use ledger::fold::View;
use ledger::given::Recipient;
use ledger::{Event, RecipientId};
use postmark_api::{CHANGES_MAX, ServerApi};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// The most addresses in one request.
const ADDRESSES_MAX: usize = 500;
/// The most recipients that the audit names.
const AUDITED_MAX: usize = 50;
/// Our word for that Postmark has done it; Postmark's begins with a capital.
const DONE: &str = "suppressed";

/// What became of one recipient.
struct Ruled {
    /// What was decided, if that went on its queue, and whether it is recorded.
    decision: Option<(Event, bool)>,
    /// What Postmark says, by stream.
    postmark: BTreeMap<String, Said>,
}

impl Ruled {
    fn done(&self) -> bool {
        self.decision.is_some() && self.postmark.values().all(listed)
    }
}

/// Whether Postmark's list holds it now. A stricter row than ours is refused for want of authority, and holds it too.
fn listed(said: &Said) -> bool {
    match said {
        Said::Done => true,
        Said::Failed(Some(message)) => message.to_lowercase().contains("authority"),
        Said::Failed(None) | Said::Unavailable(_) => false,
    }
}

/// An address that is none is told of beside the others.
///
/// # Errors
/// A conflict where Postmark is to be told and no token is kept; the ledger's own where nothing could be decided.
pub(crate) async fn suppress(admin: &Admin<'_>, call: &Call<'_>, _name: &str) -> Result<Answer, Problem> {
    call.query(&[])?;
    let asked: SuppressRequest = call.json()?;
    scope_named(&asked.stream)?;
    worded("reason", &asked.reason)?;
    if asked.addresses.is_empty() {
        return Err(Problem::bad_request("addresses is empty"));
    }
    if asked.addresses.len() > ADDRESSES_MAX {
        return Err(Problem::too_large(format!("addresses has more than {ADDRESSES_MAX}")));
    }
    admin.stream(&asked.stream, asked.unknown_stream).await?;
    let (valid, invalid) = read(admin, &asked.addresses).await?;
    // Of several spellings of one recipient the first is taken.
    let mut recipients: Vec<(RecipientId, String)> = Vec::new();
    let mut places: BTreeMap<RecipientId, usize> = BTreeMap::new();
    for whom in &valid {
        places.entry(whom.id).or_insert_with(|| {
            recipients.push((whom.id, spelled(&whom.address)));
            recipients.len() - 1
        });
    }
    if recipients.is_empty() {
        return Ok(Answer::json(&Suppressed { results: Vec::new(), invalid, dry_run: asked.dry_run }));
    }
    let api = if asked.postmark {
        let api = admin.postmark().await?;
        Some(
            api.ok_or_else(|| no_postmark_token(admin, "or send `\"postmark\": false` to bar it here only"))?,
        )
    } else {
        None
    };
    if asked.dry_run {
        let would = [asked.postmark.then_some(POSTMARK), Some(LEDGER)];
        let would: Vec<String> = would.into_iter().flatten().map(str::to_owned).collect();
        let nothing = Ruled { decision: None, postmark: BTreeMap::new() };
        let planned = valid
            .iter()
            .map(|whom| SuppressedAddress { would: would.clone(), ..told(whom, &nothing, false) });
        return Ok(Answer::json(&Suppressed { results: planned.collect(), invalid, dry_run: true }));
    }
    let target = Some(recipients[0].0.to_string()).filter(|_| recipients.len() == 1);
    let named: Vec<RecipientId> = recipients.iter().take(AUDITED_MAX).map(|(id, _)| *id).collect();
    let noted = json!({
        "stream": asked.stream,
        "addresses": asked.addresses.len(),
        "postmark": asked.postmark,
        "reason": asked.why,
        "recipients": named,
    });
    let change = async {
        let ruled = rule(admin, api.as_ref(), &asked, &recipients).await?;
        let told = noted_after(&ruled);
        Ok((ruled, told))
    };
    let ruled = admin.change("suppress", target, noted, change).await?;
    let reveals = admin.caller().reveals();
    let results = valid.iter().map(|whom| told(whom, &ruled[places[&whom.id]], reveals)).collect();
    Ok(Answer::json(&Suppressed { results, invalid, dry_run: false }))
}

/// One who is to be suppressed.
struct Whom<'a> {
    given: &'a str,
    id: RecipientId,
    address: String,
    cleaned: bool,
    by_id: bool,
}

/// Those who are to be suppressed, and what cannot be understood. A decision bears an address: who is named by an id is
/// known by one.
async fn read<'a>(admin: &Admin<'_>, given: &'a [String]) -> Result<(Vec<Whom<'a>>, Vec<Invalid>), Problem> {
    let (mut valid, mut invalid) = (Vec::new(), Vec::new());
    for (index, given) in given.iter().enumerate() {
        let problem = match given.parse::<Recipient>() {
            Ok(Recipient::Address(address)) => {
                let id = admin.recipient(address.text());
                let (address, cleaned) = (address.text().to_owned(), address.cleaned());
                valid.push(Whom { given, id, address, cleaned, by_id: false });
                continue;
            }
            Ok(Recipient::Id(id)) => match admin.views(&[id]).await?.pop().flatten() {
                Some(View { address: Some(address), .. }) => {
                    valid.push(Whom { given, id, address, cleaned: false, by_id: true });
                    continue;
                }
                _ => "no address is known here for this id",
            },
            Err(error) => error.reason(),
        };
        invalid.push(check::invalid(index, given, problem));
    }
    Ok((valid, invalid))
}

async fn rule(
    admin: &Admin<'_>,
    api: Option<&ServerApi>,
    asked: &SuppressRequest,
    recipients: &[(RecipientId, String)],
) -> Result<Vec<Ruled>, Problem> {
    let streams = match api {
        None => Vec::new(),
        Some(_) if asked.stream != WHOLE_SERVER => vec![asked.stream.clone()],
        Some(_) => every_stream(admin).await?,
    };
    let mut said: Vec<BTreeMap<String, Said>> = vec![BTreeMap::new(); recipients.len()];
    if let Some(api) = api {
        for (stream, place, word) in push(api, &streams, recipients).await {
            said[place].insert(stream, word);
        }
    }
    let ruling = Ruling::Suppress(Bar::Decision);
    let decided = recipients
        .iter()
        .map(|(_, address)| decide(admin, &asked.stream, address, ruling, &asked.reason))
        .collect::<Vec<_>>();
    let decided: Vec<Result<Event, Problem>> = stream::iter(decided).buffered(AT_ONCE).collect().await;
    if decided.iter().all(Result::is_err) {
        // Nothing of ours is done, and what Postmark has done may be repeated.
        return Err(decided.into_iter().find_map(Result::err).unwrap_or_else(Problem::unavailable));
    }
    let until = Instant::now() + WAIT;
    let looked = decided.into_iter().map(|decided| async move {
        let event = decided.ok()?;
        let recorded = tokio::time::timeout_at(until, admin.recorded(&event)).await.unwrap_or(false);
        Some((event, recorded))
    });
    let looked = stream::iter(looked.collect::<Vec<_>>()).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let ruled = looked.into_iter().zip(said);
    Ok(ruled.map(|(decision, postmark)| Ruled { decision, postmark }).collect())
}

/// The streams that there are: as the registry has them from Postmark, else those that events came from.
async fn every_stream(admin: &Admin<'_>) -> Result<Vec<String>, Problem> {
    Ok(match admin.entry().await? {
        Some(entry) => entry.streams.into_keys().collect(),
        None => admin.streams().await?.into_iter().filter(|stream| stream != WHOLE_SERVER).collect(),
    })
}

/// What Postmark says, by stream and place in `recipients`: one call for each fifty, so that it is known which failed.
async fn push(
    api: &ServerApi,
    streams: &[String],
    recipients: &[(RecipientId, String)],
) -> Vec<(String, usize, Said)> {
    let until = Instant::now() + PATIENCE;
    let chunks = streams.iter().flat_map(|stream| {
        let chunks = recipients.chunks(CHANGES_MAX).enumerate();
        chunks.map(move |(number, chunk)| (stream, number * CHANGES_MAX, chunk))
    });
    let calls = chunks.map(|(stream, first, chunk)| async move {
        let addresses: Vec<&str> = chunk.iter().map(|(_, address)| address.as_str()).collect();
        let answer = in_time(until, api.suppress(stream, &addresses)).await;
        let said = addresses.iter().map(|address| Said::of(&answer, address, DONE)).zip(first..);
        said.map(|(said, place)| (stream.clone(), place, said)).collect::<Vec<_>>()
    });
    let said: Vec<_> = stream::iter(calls.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
    said.into_iter().flatten().collect()
}

fn told(whom: &Whom<'_>, ruled: &Ruled, reveals: bool) -> SuppressedAddress {
    // Whoever named somebody by an address has it.
    let quotes = reveals || !whom.by_id;
    let postmark = ruled.postmark.iter().map(|(stream, said)| {
        let AtPostmark { status, message } = said.told(DONE, quotes);
        SuppressedAtPostmark { stream: stream.clone(), status, message }
    });
    let decision = ruled.decision.as_ref();
    SuppressedAddress {
        address: whom.given.to_owned(),
        cleaned: whom.cleaned.then(|| whom.address.clone()),
        done: ruled.done(),
        would: Vec::new(),
        decision: decision
            .map(|(event, recorded)| answers::Decision { event: event.identity, recorded: *recorded }),
        postmark: postmark.collect(),
    }
}

/// What the audit says of it: counts alone.
fn noted_after(ruled: &[Ruled]) -> Value {
    let mut postmark: BTreeMap<&str, usize> = BTreeMap::new();
    for said in ruled.iter().flat_map(|ruled| ruled.postmark.values()) {
        *postmark.entry(said.code(DONE)).or_default() += 1;
    }
    let done = ruled.iter().filter(|ruled| ruled.done()).count();
    let decided = ruled.iter().filter(|ruled| ruled.decision.is_some()).count();
    json!({ "recipients": ruled.len(), "decided": decided, "done": done, "postmark": postmark })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Bench, SERVER};
    use ledger::ServerId;
    use store::prelude::*;

    fn body(addresses: &[&str], stream: &str) -> Value {
        json!({ "addresses": addresses, "stream": stream, "reason": "asked by ida@customer.example" })
    }

    fn result<'a>(told: &'a Value, address: &str) -> &'a Value {
        let results = told["results"].as_array().unwrap();
        results.iter().find(|one| one["address"] == address).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_barred_is_who_was_meant_and_what_is_no_address_bars_nobody() {
        let (bench, lists) = Bench::with_lists().await;
        let known = json!({
            "RecordType": "Bounce", "MessageStream": "outbound", "ServerID": SERVER, "ID": 1, "Type": "SoftBounce",
            "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Email": "Ida@customer.example",
            "BouncedAt": "2026-11-20T08:00:00Z", "Inactive": false,
        });
        let ida = bench.record(SERVER, known, ledger::Source::Webhook).await.recipient;
        let by_id = format!("id:{ida}");
        let asked = [
            "bea\u{200b}@customer.example",
            &by_id,
            "not-an-address",
            "*@customer.example",
            "cyd%40customer.example",
            "id:AAAAAAAAAAAAAAAAAAAAAA",
        ];
        let told = bench.post("suppressions", body(&asked, "outbound")).await.json();
        assert_eq!(result(&told, asked[0])["cleaned"], "bea@customer.example");
        assert!(result(&told, &by_id).get("cleaned").is_none());
        let invalid = told["invalid"].as_array().unwrap().iter().map(|one| one["index"].as_u64().unwrap());
        assert!(invalid.eq(2..6), "{told}");
        let decided = bench.settle().await;
        let mut barred: Vec<_> = decided.iter().map(|one| one["Recipient"].as_str().unwrap()).collect();
        barred.sort_unstable();
        assert_eq!(barred, ["Ida@customer.example", "bea@customer.example"]);
        let (_, at_postmark) = &lists.asked()[0];
        assert!(at_postmark.iter().all(|address| barred.contains(&&**address)), "{at_postmark:?}");
    }

    /// Tells, while the decisions are recorded as they come.
    async fn pumped(bench: &Bench, body: Value) -> (Value, Vec<Value>) {
        let pump = async {
            loop {
                let decided = bench.settle().await;
                if !decided.is_empty() {
                    return decided;
                }
                tokio::task::yield_now().await;
            }
        };
        let (told, decided) = tokio::join!(bench.post("suppressions", body), pump);
        assert_eq!(told.status(), 200, "{}", told.text());
        (told.json(), decided)
    }

    async fn known(bench: &Bench, streams: &[&str]) {
        for stream in streams {
            bench.store.note_stream(ServerId::new(SERVER).unwrap(), stream).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn postmark_comes_first_then_a_decision_and_each_address_has_its_result() {
        let (bench, lists) = Bench::with_lists().await;
        known(&bench, &["outbound"]).await;
        let addresses =
            ["Ida@Customer.example", "no address", "<ida@customer.example>", "bob@customer.example"];
        let (told, decided) = pumped(&bench, body(&addresses, "outbound")).await;
        assert_eq!(
            told["invalid"],
            json!([{ "index": 1, "address": "no address", "problem": "the address has no @" }])
        );
        let results = told["results"].as_array().unwrap();
        assert_eq!(results.len(), 3);
        for result in results {
            assert_eq!((&result["done"], &result["decision"]["recorded"]), (&json!(true), &json!(true)));
            assert_eq!(result["postmark"], json!([{ "stream": "outbound", "status": "suppressed" }]));
        }
        assert_eq!(results[0]["decision"], results[1]["decision"], "two spellings are one recipient");
        let pushed = vec!["Ida@Customer.example".to_owned(), "bob@customer.example".to_owned()];
        assert_eq!(lists.asked(), [("/message-streams/outbound/suppressions".to_owned(), pushed)]);
        let mut ruled: Vec<_> = decided.iter().map(|body| body["Recipient"].as_str().unwrap()).collect();
        ruled.sort_unstable();
        assert_eq!(ruled, ["Ida@Customer.example", "bob@customer.example"]);
        assert_eq!((&decided[0]["Ruling"], &decided[0]["Cause"]), (&json!("suppress"), &json!("decision")));
        assert_eq!(
            (&decided[0]["Actor"], &decided[0]["MessageStream"]),
            (&json!("test"), &json!("outbound"))
        );
        let checked = json!({ "stream": "outbound", "addresses": ["ida@customer.example"] });
        assert_eq!(bench.post("check", checked).await.json()["results"][0]["verdict"], "do_not_send");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dry_run_says_what_would_be_changed_and_changes_nothing() {
        let (bench, lists) = Bench::with_lists().await;
        known(&bench, &["outbound"]).await;
        let mut body = body(&["ida@customer.example", "no address"], "outbound");
        body["dry_run"] = true.into();
        let told = bench.post("suppressions", body.clone()).await.json();
        assert_eq!(told["dry_run"], true);
        assert_eq!(told["results"][0]["would"], json!(["postmark", "ledger"]));
        assert_eq!(
            (&told["results"][0]["done"], &told["results"][0]["decision"]),
            (&json!(false), &Value::Null)
        );
        assert_eq!(told["invalid"][0]["index"], 1);
        body["postmark"] = false.into();
        let told = bench.post("suppressions", body).await.json();
        assert_eq!(told["results"][0]["would"], json!(["ledger"]));
        assert!(lists.asked().is_empty() && bench.decided().await.is_empty());
        assert_eq!(bench.get("audit").await.json()["items"], json!([]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_postmark_refuses_or_leaves_out_is_told_and_barred_all_the_same() {
        let (bench, _) = Bench::with_lists().await;
        known(&bench, &["outbound"]).await;
        let addresses = ["stricter@x.example", "bad@x.example", "forgotten@x.example", "ok@x.example"];
        let (told, decided) = pumped(&bench, body(&addresses, "outbound")).await;
        assert_eq!(decided.len(), 4, "suppressing is the safe side");
        for (address, done, status) in [
            ("stricter@x.example", true, "failed"),
            ("bad@x.example", false, "failed"),
            ("forgotten@x.example", false, "unavailable"),
            ("ok@x.example", true, "suppressed"),
        ] {
            let one = result(&told, address);
            assert_eq!(
                (&one["done"], &one["postmark"][0]["status"]),
                (&json!(done), &json!(status)),
                "{address}"
            );
            assert_eq!(one["postmark"][0].get("message").is_some(), status != "suppressed");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_fails_takes_only_its_own_addresses_along() {
        let (bench, lists) = Bench::with_lists().await;
        known(&bench, &["outbound"]).await;
        let addresses: Vec<String> = (0..120)
            .map(|n| if n == 70 { "down@x.example".to_owned() } else { format!("a{n}@x.example") })
            .collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let told = bench.post("suppressions", body(&addresses, "outbound")).await;
        assert_eq!(told.status(), 200);
        let told = told.json();
        let done: Vec<bool> =
            told["results"].as_array().unwrap().iter().map(|one| one["done"].as_bool().unwrap()).collect();
        let expected: Vec<bool> = (0..120).map(|n| !(50..100).contains(&n)).collect();
        assert_eq!(done, expected);
        assert_eq!(told["results"][60]["postmark"][0]["status"], "unavailable");
        assert_eq!(told["results"][0]["decision"]["recorded"], false, "nobody records here");
        let mut sizes: Vec<usize> = lists.asked().iter().map(|(_, addresses)| addresses.len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [20, 50, 50]);
        assert_eq!(bench.decided().await.len(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn a_postmark_that_never_answers_does_not_keep_the_decision() {
        let (bench, _) = Bench::with_lists().await;
        known(&bench, &["outbound"]).await;
        let told = bench.post("suppressions", body(&["slow@x.example"], "outbound")).await.json();
        assert_eq!((&told["results"][0]["done"], bench.decided().await.len()), (&json!(false), 1));
        assert_eq!(told["results"][0]["postmark"][0]["status"], "unavailable");
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_server_is_every_stream_of_it_and_one_decision() {
        let (bench, lists) = Bench::with_lists().await;
        known(&bench, &["outbound", "news", "*"]).await;
        let (told, decided) = pumped(&bench, body(&["ida@x.example"], "*")).await;
        let streams: Vec<_> =
            told["results"][0]["postmark"].as_array().unwrap().iter().map(|one| &one["stream"]).collect();
        assert_eq!(streams, ["news", "outbound"]);
        assert_eq!((lists.asked().len(), decided.len(), &decided[0]["MessageStream"]), (2, 1, &json!("*")));

        let (server, store) = (ServerId::new(SERVER).unwrap(), &*bench.store);
        let mut entry = account::ServerEntry::new(server, "acme", "Acme", crate::bench::now());
        entry.streams.insert("bulk".to_owned(), ledger::policy::StreamKind::Broadcast.into());
        account::Registry(store).put(&entry).await.unwrap();
        let (told, _) = pumped(&bench, body(&["bob@x.example"], "*")).await;
        assert_eq!(told["results"][0]["postmark"], json!([{ "stream": "bulk", "status": "suppressed" }]));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_token_postmark_is_left_out_only_where_that_is_asked_for() {
        let bench = Bench::default();
        known(&bench, &["outbound"]).await;
        let mut body = body(&["ida@x.example"], "outbound");
        let told = bench.post("suppressions", body.clone()).await;
        assert_eq!(
            (told.status(), &told.json()["type"]),
            (409, &json!("urn:postledger:problem:no-postmark-token"))
        );
        assert!(told.text().contains("postledger server add"), "{}", told.text());
        assert!(bench.decided().await.is_empty());
        body["postmark"] = false.into();
        let (told, _) = pumped(&bench, body).await;
        assert_eq!(
            (&told["results"][0]["done"], &told["results"][0]["postmark"]),
            (&json!(true), &json!([]))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_audit_has_counts_ids_and_a_choice_of_reasons_but_no_words_and_no_address() {
        let (bench, _) = Bench::with_lists().await;
        known(&bench, &["outbound"]).await;
        pumped(&bench, body(&["ida@customer.example", "bad@customer.example"], "outbound")).await;
        pumped(&bench, body(&["ida@customer.example"], "outbound")).await;
        let audit = bench.get("audit").await;
        assert!(!audit.text().contains("customer.example"));
        let items = audit.json()["items"].clone();
        let steps: Vec<_> = items.as_array().unwrap().iter().map(|one| one["phase"].clone()).collect();
        assert_eq!(steps.len(), 4);
        let both = |phase: &str| {
            let of = |one: &&Value| one["phase"] == phase && one.get("target").is_none();
            items.as_array().unwrap().iter().find(of).unwrap()["after"].clone()
        };
        assert_eq!(both("begun")["recipients"].as_array().unwrap().len(), 2);
        assert_eq!(both("begun")["addresses"], 2);
        assert_eq!(both("begun")["reason"], "other");
        assert!(!audit.text().contains("asked by"), "words stand in the decision, which erasure reaches");
        assert_eq!(
            both("done"),
            json!({ "recipients": 2, "decided": 2, "done": 1, "postmark": { "suppressed": 1, "failed": 1 } })
        );
        let id = ledger::LedgerKey::for_tests()
            .recipient_id(ServerId::new(SERVER).unwrap(), "ida@customer.example");
        assert!(items.as_array().unwrap().iter().any(|one| one["target"] == id.to_string()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_none_is_refused_whole_and_needs_an_admin() {
        let (bench, lists) = Bench::with_lists().await;
        known(&bench, &["outbound"]).await;
        for wrong in [
            json!({ "addresses": [], "stream": "outbound", "reason": "r" }),
            json!({ "addresses": ["a@b.example"], "stream": "*x", "reason": "r" }),
            json!({ "addresses": ["a@b.example"], "stream": "outbound", "reason": " " }),
            json!({ "addresses": ["a@b.example"], "stream": "outbound", "reason": "r".repeat(501) }),
            json!({ "addresses": ["a@b.example"], "stream": "outbound" }),
            json!({ "addresses": ["a@b.example"], "stream": "outbound", "reason": "r", "x": 1 }),
            json!({ "addresses": ["a@b.example"], "stream": "outbound", "reason": "r", "why": "ida" }),
        ] {
            assert_eq!(bench.post("suppressions", wrong.clone()).await.status(), 400, "{wrong}");
        }
        let many = vec!["a@b.example"; ADDRESSES_MAX + 1];
        assert_eq!(bench.post("suppressions", body(&many, "outbound")).await.status(), 413);
        let none = bench.post("suppressions", body(&["none"], "outbound")).await;
        assert_eq!((none.status(), &none.json()["results"]), (200, &json!([])));
        let viewer = bench.token(crate::token::Role::Viewer, Some(&[SERVER]), true).await;
        let path = format!("/v1/servers/{SERVER}/suppressions");
        let text = body(&["a@b.example"], "outbound").to_string();
        let told = bench.ask(&viewer, http::Method::POST, &path, text.as_bytes()).await;
        assert_eq!(told.status(), 403);
        assert!(lists.asked().is_empty() && bench.decided().await.is_empty());
        assert_eq!(bench.get("audit").await.json()["items"], json!([]));
    }
}
