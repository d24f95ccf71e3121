//! When soft bounces count at a server: what holds, what another policy would change, and that policy.

use crate::moment::Moment;
use crate::pages::people::Trouble;
use crate::pages::shared::{link, number};
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why};
use answers::{NewPolicy, Policies, PoliciesOfKind, PolicyChanged, PolicyRequest, SoftPolicy, Word};
use askama::Template;
use http::{Method, StatusCode};
use ledger::Time;
use ledger::policy::{PolicyPart, SOFT_COUNT_MAX, SOFT_DAYS_MAX, SoftBouncePolicy, StreamKind};

/// The last parts of its path.
const TAIL: &str = "settings/policy";
/// The kinds of streams.
const KINDS: [StreamKind; 2] = [StreamKind::Transactional, StreamKind::Broadcast];

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    t: Texts,
    frame: Frame,
    title: String,
    done: Option<String>,
    is_now: bool,
    stack: String,
    kinds: Vec<KindSection>,
}

/// What holds for a kind of stream, and the form to change it.
struct KindSection {
    name: String,
    title: String,
    now: String,
    own: Vec<(Moment, String)>,
    form: Form,
}

#[derive(Template)]
#[template(path = "policy_plan.html")]
struct PlanPage {
    t: Texts,
    frame: Frame,
    title: String,
    trouble: Option<Trouble>,
    lines: Vec<String>,
    /// Why nothing is counted.
    uncounted: Option<String>,
    rows: Vec<[String; 4]>,
    to: String,
    kind: String,
    hidden: Vec<(&'static str, String)>,
    back: String,
}

/// A form, as it was sent or is first shown.
#[derive(Clone, Debug, Default)]
struct Form {
    numbers: Vec<NumberField>,
    from: String,
    from_wrong: Option<String>,
}

/// A number of a policy.
#[derive(Clone, Debug)]
struct NumberField {
    name: &'static str,
    label: String,
    least: u32,
    most: u32,
    value: String,
    wrong: Option<String>,
}

impl Form {
    fn of(t: Texts, policy: SoftPolicy) -> Form {
        let SoftPolicy { count, messages, span_days, window_days, pause_days } = policy;
        Form::with(t, |name| {
            let number = match name {
                "count" => count,
                "messages" => messages,
                "span" => span_days,
                "window" => window_days,
                _ => pause_days,
            };
            number.to_string()
        })
    }

    fn with(t: Texts, value: impl Fn(&str) -> String) -> Form {
        let field = |name, label, least, most| NumberField {
            name,
            label,
            least,
            most,
            value: value(name),
            wrong: None,
        };
        let numbers = vec![
            field("count", t.policy_count(), 1, SOFT_COUNT_MAX),
            field("messages", t.policy_messages(), 1, SOFT_COUNT_MAX),
            field("span", t.policy_span(), 0, SOFT_DAYS_MAX),
            field("window", t.policy_window(), 1, SOFT_DAYS_MAX),
            field("pause", t.policy_pause(), 0, SOFT_DAYS_MAX - 1),
        ];
        Form { numbers, ..Form::default() }
    }

    /// What a form says: the policy and from when, or the form with what is wrong in it.
    fn read(t: Texts, at: &AtServer<'_>, sent: &Fields) -> Result<(NewPolicy, Option<Time>), Form> {
        let mut form = Form::with(t, |name| sent.text(name).unwrap_or_default().to_owned());
        let mut read = [0_u32; 5];
        for (number, field) in read.iter_mut().zip(&mut form.numbers) {
            match field.value.parse().ok().filter(|number| (field.least..=field.most).contains(number)) {
                Some(found) => *number = found,
                None => field.wrong = Some(t.policy_number(field.least, field.most)),
            }
        }
        let [count, messages, span_days, window_days, pause_days] = read;
        if form.numbers.iter().all(|field| field.wrong.is_none()) {
            let policy = SoftBouncePolicy { count, messages, span_days, window_days, pause_days };
            for part in policy.unsound() {
                let (place, words) = match part {
                    PolicyPart::Count => (0, t.policy_number(1, SOFT_COUNT_MAX)),
                    PolicyPart::Messages => (1, t.policy_messages_wrong()),
                    PolicyPart::Span => (2, t.policy_span_wrong()),
                    PolicyPart::Window => (3, t.policy_number(1, SOFT_DAYS_MAX)),
                    PolicyPart::Pause => (4, t.policy_pause_wrong(SOFT_DAYS_MAX)),
                };
                form.numbers[place].wrong = Some(words);
            }
        }
        let from = sent.text("from").map(|text| at.visit.zone.read(text));
        // A plan hands it on as an instant, which is no value of the field.
        form.from = match from {
            Some(Some(from)) => at.visit.zone.field(from),
            _ => sent.text("from").unwrap_or_default().to_owned(),
        };
        form.from_wrong = match from {
            Some(None) => Some(t.policy_from_unread()),
            Some(Some(from)) if from < at.visit.now => Some(t.policy_from_past()),
            _ => None,
        };
        let is_sound = form.from_wrong.is_none() && form.numbers.iter().all(|field| field.wrong.is_none());
        let policy = NewPolicy { count, messages, span_days, window_days, pause_days };
        if is_sound { Ok((policy, from.flatten())) } else { Err(form) }
    }
}

fn words(t: Texts, policy: SoftPolicy) -> String {
    let SoftPolicy { count, messages, span_days, window_days, pause_days } = policy;
    t.policy_words(count, messages, span_days, window_days, pause_days)
}

fn kind_name(kind: StreamKind) -> String {
    Word::from(kind).to_string()
}

fn kind_words(t: Texts, kind: StreamKind) -> String {
    match kind {
        StreamKind::Transactional => t.policy_transactional(),
        StreamKind::Broadcast => t.policy_broadcast(),
    }
}

/// The page, a plan, or a change.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(in crate::pages) async fn routed(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    if !posts {
        return page(at, None).await;
    }
    let sent = at.visit.request.form();
    let kind = KINDS.into_iter().find(|kind| sent.text("kind") == Some(&kind_name(*kind)));
    let kind = kind.ok_or_else(Failed::not_found)?;
    let (policy, from) = match Form::read(at.visit.t(), at, &sent) {
        Ok(read) => read,
        Err(form) => return page(at, Some((kind, form))).await,
    };
    let request = PolicyRequest { kind, policy, from: from.map(|from| from.to_string()), dry_run: false };
    match sent.text("action").unwrap_or_default() {
        "plan" => plan(at, request, None).await,
        "change" => change(at, request).await,
        _ => Err(Failed::not_found()),
    }
}

async fn page(at: &AtServer<'_>, sent: Option<(StreamKind, Form)>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let told: Policies = at.ask(at.get("policy")).await?;
    let section = |kind: StreamKind, of: &PoliciesOfKind| KindSection {
        name: kind_name(kind),
        title: kind_words(t, kind),
        now: words(t, of.now),
        own: of.own.iter().map(|one| (visit.show(one.from), words(t, one.policy))).collect(),
        form: match &sent {
            Some((of_kind, form)) if *of_kind == kind => form.clone(),
            _ => Form::of(t, of.now),
        },
    };
    let is_changed = visit.request.asked().text("done") == Some("changed");
    let page = PolicyPage {
        t,
        frame: at.frame(),
        title: t.policy_title(at.label()),
        done: is_changed.then(|| t.policy_done()),
        is_now: at.as_of.is_now(),
        stack: words(t, told.stack),
        kinds: vec![
            section(StreamKind::Transactional, &told.transactional),
            section(StreamKind::Broadcast, &told.broadcast),
        ],
    };
    respond::page(if sent.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }, &page)
}

async fn ask(at: &AtServer<'_>, request: &PolicyRequest) -> Result<PolicyChanged, Failed> {
    let path = format!("/v1/servers/{}/policy", at.server);
    at.ask(Ask::of(Method::PUT, path).json(request)).await
}

async fn plan(at: &AtServer<'_>, request: PolicyRequest, trouble: Option<Trouble>) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    let told = ask(at, &PolicyRequest { dry_run: true, ..request.clone() }).await?;
    let when = match request.from {
        Some(_) => t.policy_plan_from(visit.show(told.from).text()),
        None => t.policy_plan_now(),
    };
    let mut lines = vec![
        kind_words(t, request.kind),
        when,
        t.policy_plan_before(words(t, told.before)),
        t.policy_plan_after(words(t, told.after)),
    ];
    lines.extend(told.until.map(|until| t.policy_plan_until(visit.show(until).text())));
    let (mut rows, mut uncounted) = (Vec::new(), None);
    match &told.effect {
        None => uncounted = Some(t.policy_uncounted()),
        Some(effect) => {
            lines.push(match effect.complete {
                true => t.policy_counted(number(effect.recipients)),
                false => t.policy_counted_since(number(effect.recipients), visit.show(effect.since).text()),
            });
            rows.extend(effect.streams.iter().map(|(stream, of)| {
                [stream.clone(), number(of.recipients), number(of.stricter), number(of.more_lenient)]
            }));
        }
    }
    let NewPolicy { count, messages, span_days, window_days, pause_days } = request.policy;
    let numbers = [
        ("count", count),
        ("messages", messages),
        ("span", span_days),
        ("window", window_days),
        ("pause", pause_days),
    ];
    let mut hidden: Vec<(&'static str, String)> =
        numbers.into_iter().map(|(name, number)| (name, number.to_string())).collect();
    hidden.extend(request.from.map(|from| ("from", from)));
    let status = Trouble::status_of(trouble.as_ref());
    let page = PlanPage {
        t,
        frame: at.frame(),
        title: t.policy_plan_title(at.label()),
        trouble,
        lines,
        uncounted,
        rows,
        to: at.path(TAIL),
        kind: kind_name(request.kind),
        hidden,
        back: at.path(TAIL),
    };
    respond::page(status, &page)
}

async fn change(at: &AtServer<'_>, request: PolicyRequest) -> Result<Answer, Failed> {
    let (t, visit) = (at.visit.t(), at.visit);
    if let Some(trouble) = Trouble::unconfirmed(visit, &at.path(TAIL)) {
        return plan(at, request, Some(trouble)).await;
    }
    match ask(at, &request).await {
        Ok(_) => Ok(respond::see(&link(&at.path(TAIL), &[("done", Some("changed".to_owned()))]))),
        Err(failed) => {
            let is_full =
                matches!(&failed.why, Why::Problem(problem) if problem.code() == "too-many-policies");
            let trouble = match is_full {
                true => Trouble { status: failed.status, ..Trouble::typed(t.policy_too_many()) },
                false => Trouble::of(t, failed)?,
            };
            plan(at, request, Some(trouble)).await
        }
    }
}
