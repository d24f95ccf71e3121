//! What Postmark keeps for a server: shown, and some of it changed, with a plan first. Afterwards it says what Postmark says.

mod words;

use crate::pages::people::Trouble;
use crate::pages::shared::Choice;
use crate::request::Fields;
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, AtServer, Failed, Frame, Why};
use answers::{
    COLORS, NewPostmarkSettings, PostmarkChange, PostmarkServer, PostmarkSetting, PostmarkSettings,
    PostmarkSettingsChanged, PostmarkSettingsRequest, SERVER_NAME_MAX, SettingValue, TRACK_LINKS, Word,
};
use askama::Template;
use http::{Method, StatusCode};
use words::{Fact, Shown, facts, label, means, shown, warning, word};

/// The last parts of its path.
const TAIL: &str = "settings/postmark-server";

#[derive(Template)]
#[template(path = "postmark_server.html")]
struct ServerPage {
    t: Texts,
    frame: Frame,
    title: String,
    is_now: bool,
    trouble: Option<Trouble>,
    /// Whether another token is what helps.
    to_token: bool,
    warnings: Vec<String>,
    facts: Vec<Fact>,
    form: Option<Form>,
}

#[derive(Template)]
#[template(path = "postmark_server_plan.html")]
struct PlanPage {
    t: Texts,
    frame: Frame,
    title: String,
    trouble: Option<Trouble>,
    is_plan: bool,
    is_done: bool,
    rows: Vec<Row>,
    hidden: Vec<(&'static str, String)>,
}

/// A setting that is changed, or would be.
struct Row {
    what: String,
    name: &'static str,
    before: Shown,
    after: Shown,
    means: String,
    /// What became of it: how it is marked, and in words.
    outcome: (&'static str, String),
    now: Shown,
}

/// The settings that can be changed, as they were sent or are first shown.
struct Form {
    name: Field,
    choices: Vec<Field>,
}

/// One of them. What it was when the form was shown goes with it, so that what somebody else changes meanwhile stays, and
/// a name that is shown masked is not sent back so.
struct Field {
    name: &'static str,
    label: String,
    hint: Option<String>,
    was: String,
    value: String,
    choices: Vec<Choice>,
    wrong: Option<String>,
}

/// What a form names of a setting, if it is something else than it was.
fn named(sent: &Fields, setting: PostmarkSetting) -> Option<String> {
    let text = |name: &str| sent.text(name).unwrap_or_default().to_owned();
    let (now, was) = (text(setting.name()), text(&format!("was-{}", setting.name())));
    // A line's field has no line ends, whatever Postmark has.
    let plain = |text: &str| text.split(char::is_control).collect::<String>();
    (plain(&now) != plain(&was)).then_some(now)
}

/// What a form asks for, and what is wrong with it, by setting.
fn read(t: Texts, sent: &Fields) -> Result<NewPostmarkSettings, Vec<(PostmarkSetting, String)>> {
    let (mut set, mut wrong) = (NewPostmarkSettings::default(), Vec::new());
    for setting in PostmarkSetting::ALL {
        let Some(value) = named(sent, setting) else { continue };
        let is_switch = |value: &str| ["on", "off"].contains(&value);
        let is_right = match setting {
            PostmarkSetting::Name => {
                (1..=SERVER_NAME_MAX).contains(&value.chars().count()) && !value.contains(char::is_control)
            }
            PostmarkSetting::Color => COLORS.contains(&value.as_str()),
            PostmarkSetting::TrackLinks => TRACK_LINKS.contains(&value.as_str()),
            PostmarkSetting::TrackOpens | PostmarkSetting::SmtpApiActivated => is_switch(&value),
        };
        match (is_right, setting) {
            (false, PostmarkSetting::Name) => wrong.push((setting, t.keeps_name_wrong(SERVER_NAME_MAX))),
            (false, _) => wrong.push((setting, t.keeps_choice_wrong())),
            (true, PostmarkSetting::Name) => set.name = Some(value),
            (true, PostmarkSetting::Color) => set.color = Some(value),
            (true, PostmarkSetting::TrackLinks) => set.track_links = Some(value),
            (true, PostmarkSetting::TrackOpens) => set.track_opens = Some(value == "on"),
            (true, PostmarkSetting::SmtpApiActivated) => set.smtp_api_activated = Some(value == "on"),
        }
    }
    if wrong.is_empty() { Ok(set) } else { Err(wrong) }
}

impl Form {
    /// As Postmark says it, with what was sent over it.
    fn of(t: Texts, kept: &PostmarkServer, sent: Option<(&Fields, &[(PostmarkSetting, String)])>) -> Form {
        let field = |setting: PostmarkSetting| {
            let was = kept.setting(setting).map(|value| word(setting, &value)).unwrap_or_default();
            let typed = sent.and_then(|(fields, _)| named(fields, setting));
            let value = typed.unwrap_or_else(|| was.clone());
            let wrong = sent.and_then(|(_, wrong)| wrong.iter().find(|(of, _)| *of == setting));
            let words: &[&str] = match setting {
                PostmarkSetting::Name => &[],
                PostmarkSetting::Color => &COLORS,
                PostmarkSetting::TrackLinks => &TRACK_LINKS,
                PostmarkSetting::TrackOpens | PostmarkSetting::SmtpApiActivated => &["on", "off"],
            };
            let choice = |value: &str, chosen: &str| {
                Choice::new(value, shown(t, setting, Some(value)).text(), Some(chosen))
            };
            let mut choices: Vec<Choice> = words.iter().map(|word| choice(word, &value)).collect();
            // What Postmark says stands among them, even where it is none of these or nothing.
            if !words.is_empty() && !words.contains(&was.as_str()) {
                let label = shown(t, setting, Some(was.as_str()).filter(|was| !was.is_empty())).text();
                choices.push(Choice::new(was.clone(), label, Some(&value)));
            }
            let hint = match setting {
                PostmarkSetting::TrackOpens | PostmarkSetting::TrackLinks => Some(t.keeps_tracking_hint()),
                PostmarkSetting::SmtpApiActivated => Some(t.keeps_smtp_hint()),
                _ => None,
            };
            let wrong = wrong.map(|(_, words)| words.clone());
            Field { name: setting.name(), label: label(t, setting), hint, was, value, choices, wrong }
        };
        let [name, rest @ ..] = PostmarkSetting::ALL;
        Form { name: field(name), choices: rest.map(field).into() }
    }
}

/// The page, a plan, or a change.
///
/// # Errors
/// [`Failed::not_found`], or the API's own.
pub(in crate::pages) async fn routed(at: &AtServer<'_>, posts: bool) -> Result<Answer, Failed> {
    let (t, sent) = (at.visit.t(), at.visit.request.form());
    if !posts {
        return page(at, None, None).await;
    }
    let action = sent.text("action").unwrap_or_default();
    if !["plan", "carry-out"].contains(&action) {
        return Err(Failed::not_found());
    }
    let set = match read(t, &sent) {
        Ok(set) if set == NewPostmarkSettings::default() => {
            return page(at, Some((&sent, &[])), Some(Trouble::typed(t.keeps_same()))).await;
        }
        Ok(set) => set,
        Err(wrong) => return page(at, Some((&sent, &wrong)), None).await,
    };
    let plans = action == "plan";
    let unconfirmed = || Trouble::unconfirmed(at.visit, &at.path(TAIL));
    if !plans
        && set.smtp_api_activated.is_some()
        && let Some(trouble) = unconfirmed()
    {
        return match ask(at, &set, true).await {
            Ok(told) => changed(at, &set, &told, Some(trouble)),
            Err(failed) => refused(at, &sent, failed).await,
        };
    }
    match ask(at, &set, plans).await {
        Ok(told) => changed(at, &set, &told, None),
        Err(failed) => refused(at, &sent, failed).await,
    }
}

async fn ask(
    at: &AtServer<'_>,
    set: &NewPostmarkSettings,
    dry_run: bool,
) -> Result<PostmarkSettingsChanged, Failed> {
    let path = format!("/v1/servers/{}/postmark-settings", at.server);
    let request = PostmarkSettingsRequest { set: set.clone(), dry_run };
    at.ask(Ask::of(Method::PUT, path).json(&request)).await
}

/// The form again, with why nothing was done.
async fn refused(at: &AtServer<'_>, sent: &Fields, failed: Failed) -> Result<Answer, Failed> {
    let (trouble, _) = trouble(at.visit.t(), failed)?;
    page(at, Some((sent, &[])), Some(trouble)).await
}

async fn page(
    at: &AtServer<'_>,
    sent: Option<(&Fields, &[(PostmarkSetting, String)])>,
    trouble_of_form: Option<Trouble>,
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let told: Result<PostmarkSettings, Failed> = at.ask(at.get("postmark-settings")).await;
    let is_wrong = sent.is_some_and(|(_, wrong)| !wrong.is_empty());
    let mut page = ServerPage {
        t,
        frame: at.frame(),
        title: t.keeps_title(at.label()),
        is_now: at.as_of.is_now(),
        trouble: trouble_of_form,
        to_token: false,
        warnings: Vec::new(),
        facts: Vec::new(),
        form: None,
    };
    match told {
        Ok(told) => {
            page.warnings = told.warnings.iter().map(|one| warning(t, &one.code, &one.setting)).collect();
            page.form = Some(Form::of(t, &told.settings, sent));
            page.facts = facts(t, told.settings);
        }
        Err(failed) => {
            let (trouble, to_token) = trouble(t, failed)?;
            page.trouble = Some(page.trouble.unwrap_or(trouble));
            page.to_token = to_token;
        }
    }
    let status = match (&page.trouble, is_wrong) {
        (Some(trouble), _) => trouble.status,
        (None, true) => StatusCode::BAD_REQUEST,
        (None, false) => StatusCode::OK,
    };
    respond::page(status, &page)
}

/// The plan, or what became of it.
fn changed(
    at: &AtServer<'_>,
    set: &NewPostmarkSettings,
    told: &PostmarkSettingsChanged,
    trouble: Option<Trouble>,
) -> Result<Answer, Failed> {
    let t = at.visit.t();
    let is_done = told.changes.iter().all(|change| change.status == "done");
    let row = |change: &PostmarkChange| {
        let Word::Known(setting) = change.setting else { return None };
        let show = |value: Option<&SettingValue>| {
            shown(t, setting, value.map(|value| word(setting, value)).as_deref())
        };
        let outcome = match change.status.as_str() {
            "done" => ("send", t.keeps_status_done()),
            "not_done" => ("stop", t.keeps_status_not_done()),
            _ => ("risky", t.keeps_status_unknown()),
        };
        let now = told.settings.as_ref().and_then(|settings| settings.setting(setting));
        Some(Row {
            what: label(t, setting),
            name: setting.name(),
            before: show(change.before.as_ref()),
            after: show(Some(&change.after)),
            means: means(t, setting, &change.after),
            outcome,
            now: show(now.as_ref()),
        })
    };
    // As it was sent: what is told may be masked, and would be written to Postmark with its stars.
    let sent = set.named().into_iter();
    let sent = sent.filter(|(setting, _)| told.changes.iter().any(|change| change.setting == *setting));
    let hidden = sent.map(|(setting, value)| (setting.name(), value.to_string()));
    let title = match (told.dry_run, is_done) {
        (true, _) => t.keeps_plan_title(at.label()),
        (false, true) => t.keeps_done_title(at.label()),
        (false, false) => t.keeps_not_done_title(at.label()),
    };
    let status = Trouble::status_of(trouble.as_ref());
    let page = PlanPage {
        t,
        frame: at.frame(),
        title,
        trouble,
        is_plan: told.dry_run,
        is_done,
        rows: told.changes.iter().filter_map(row).collect(),
        hidden: hidden.collect(),
    };
    respond::page(status, &page)
}

/// Why Postmark was not asked or did not do it, in words; and whether another token is what helps.
///
/// # Errors
/// What no form can mend.
fn trouble(t: Texts, failed: Failed) -> Result<(Trouble, bool), Failed> {
    let Why::Problem(problem) = &failed.why else { return Err(failed) };
    let (words, to_token) = match problem.code() {
        "no-postmark-token" => {
            // That there is none yet is no failure.
            let trouble = Trouble { status: StatusCode::OK, ..Trouble::typed(t.keeps_no_token()) };
            return Ok((trouble, true));
        }
        "token-of-another-server" => (t.keeps_other_server(), true),
        "token-not-accepted" => (t.keeps_not_accepted(), true),
        "postmark-unavailable" => (t.keeps_unavailable(), false),
        "refused-by-postmark" => (t.keeps_refused(), false),
        "unconfirmed" => (t.keeps_confirm(), false),
        _ => return Ok((Trouble::of(t, failed)?, false)),
    };
    Ok((Trouble::from_postmark(failed.status, words), to_token))
}
