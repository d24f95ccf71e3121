//! What Postmark keeps for a server: told under Postmark's own names, and some of it changed.
//!
//! Invariants:
//! - Only what is safe can be changed: what reaches webhooks, inbound mail or tokens is told, and stays.
//! - A change is read back. It is called done only where Postmark says so.
//! - No secret is told: neither tokens nor the hash of the inbound address, and of a hook's URL only scheme and host.
//!
//! Switching SMTP takes a code that was given just now, where somebody is signed in: off, it stops every program that sends
//! that way at once, and on, it opens a second way in. Nothing else here stops mail.

use crate::call::{Answer, Call};
use crate::mask;
use crate::problem::Problem;
use crate::ruling::no_postmark_token;
use crate::scope::Admin;
use account::audit::Phase;
use account::connect::{self, ConnectError};
use account::webhooks::reaches_us;
use answers::{
    COLORS, PostmarkChange, PostmarkServer, PostmarkSetting, PostmarkSettings, PostmarkSettingsChanged,
    PostmarkSettingsRequest, PostmarkWarning, SERVER_NAME_MAX, SettingValue, TRACK_LINKS, Word,
};
use http::Uri;
use postmark_api::{ApiError, ServerApi, ServerInfo};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long Postmark is waited for with each call. A change takes three: a gateway gives up after 29 seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// What is told of a hook whose URL is none.
const UNREADABLE: &str = "unreadable";

/// What Postmark keeps.
pub(crate) async fn settings(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let info = look(admin, &postmark(admin).await?).await?;
    let entry = admin.entry().await?;
    let doors = entry.as_ref().and_then(|entry| entry.doors.as_deref());
    let warnings = warnings(&info, doors);
    Ok(Answer::json(&PostmarkSettings { server: admin.server(), settings: told(info), warnings }))
}

/// Changes some of it, or says what that would mean.
///
/// # Errors
/// [`Problem::bad_request`] for what no setting can be; a conflict where Postmark refuses, where the token that is kept is
/// not the server's, or none is; [`Problem::unconfirmed`].
pub(crate) async fn change(admin: &Admin<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    let asked: PostmarkSettingsRequest = call.json()?;
    let (dry_run, wanted) = (asked.dry_run, wanted(&asked)?);
    let api = postmark(admin).await?;
    let before = told(look(admin, &api).await?);
    let mut changes = changes(&before, wanted);
    let server = admin.server();
    if dry_run || changes.is_empty() {
        return Ok(Answer::json(&PostmarkSettingsChanged {
            server,
            changes,
            settings: Some(before),
            dry_run,
        }));
    }
    let switches_smtp = changes.iter().any(|change| change.setting == PostmarkSetting::SmtpApiActivated);
    if switches_smtp && !admin.caller().is_confirmed(admin.now()) {
        return Err(Problem::unconfirmed());
    }
    let body = named(&changes, |change| Some(&change.after), false);
    let was = named(&changes, |change| change.before.as_ref(), true);
    let is_to_be = named(&changes, |change| Some(&change.after), true);
    let change = async {
        let sent = tokio::time::timeout(PATIENCE, api.edit_server(&body)).await;
        if let Ok(Err(error @ (ApiError::Refused { .. } | ApiError::NotSent(_)))) = sent {
            let problem = refused_change(&error);
            return (Phase::Failed, json!({ "problem": problem.code() }), Err(problem));
        }
        // Without an answer it may have been done: what Postmark says now counts, and nothing else.
        let now = look(admin, &api).await.ok().map(told);
        for change in &mut changes {
            change.status = became(change, now.as_ref()).to_owned();
        }
        let is_done = changes.iter().all(|change| change.status == "done");
        let phase = if is_done { Phase::Done } else { Phase::Failed };
        let noted = changes.iter().map(|change| {
            let value = now.as_ref().zip(known(&change.setting)).and_then(|(now, name)| now.setting(name));
            (change.setting.to_string(), value.as_ref().map_or(Value::Null, noted))
        });
        let noted = Value::Object(noted.collect());
        (phase, noted, Ok(PostmarkSettingsChanged { server, changes, settings: now, dry_run }))
    };
    let done = admin.change_as_it_went("server.postmark_settings", None, was, is_to_be, change).await?;
    Ok(Answer::json(&done))
}

/// Postmark, by the server's own token.
async fn postmark(admin: &Admin<'_>) -> Result<ServerApi, Problem> {
    let none = || no_postmark_token(admin, "so does `PUT …/postmark-token`");
    admin.postmark().await?.ok_or_else(none)
}

/// What Postmark says of the server, if it is this one.
async fn look(admin: &Admin<'_>, api: &ServerApi) -> Result<ServerInfo, Problem> {
    let told = tokio::time::timeout(PATIENCE, connect::info(admin.server(), api)).await;
    told.map_err(|_| Problem::postmark_unavailable())?.map_err(|error| match error {
        ConnectError::WrongServer(..) => {
            let words = "the Postmark token that is kept for this server is another server's";
            Problem::conflict("token-of-another-server", "The token is another server's", words).next(AGAIN)
        }
        ConnectError::Api(ApiError::Refused { .. } | ApiError::NotSent(_)) => not_accepted(),
        other => {
            tracing::warn!(error = %other, "Postmark does not say what it keeps for a server");
            Problem::postmark_unavailable()
        }
    })
}

/// What to do about a token that opens nothing, or not this.
const AGAIN: &str = "copy the token that stands under API Tokens of this very server at Postmark, and send it to \
    `PUT …/postmark-token`";

pub(crate) fn not_accepted() -> Problem {
    let words = "Postmark does not accept the token that is kept for this server";
    Problem::conflict("token-not-accepted", "Postmark does not accept the token", words).next(AGAIN)
}

/// That Postmark refuses a change. Its words may quote what was sent: they are not repeated.
fn refused_change(error: &ApiError) -> Problem {
    let words = match error {
        ApiError::Refused { status: 401, .. } => return not_accepted(),
        ApiError::Refused { status, code, .. } => {
            format!("Postmark refuses the change ({status}, code {code}), so nothing was changed")
        }
        _ => "the change cannot be sent to Postmark, so nothing was changed".to_owned(),
    };
    Problem::conflict("refused-by-postmark", "Postmark refuses the change", words)
        .next("change one setting at a time; two servers of an account cannot have the same name")
}

/// What Postmark says, as it may be told.
fn told(info: ServerInfo) -> PostmarkServer {
    let set = |text: String| Some(text).filter(|text| !text.is_empty());
    let legacy = |name: &str| info.legacy_hooks.get(name).map(|url| origin(url));
    PostmarkServer {
        bounce_hook_url: legacy("BounceHookUrl"),
        open_hook_url: legacy("OpenHookUrl"),
        delivery_hook_url: legacy("DeliveryHookUrl"),
        click_hook_url: legacy("ClickHookUrl"),
        inbound_hook_url: info.inbound_hook_url.as_deref().map(origin),
        name: set(info.name),
        color: info.color,
        delivery_type: set(info.delivery_type),
        server_link: info.server_link,
        smtp_api_activated: info.smtp_api_activated,
        track_opens: info.track_opens,
        track_links: info.track_links,
        post_first_open_only: info.post_first_open_only,
        include_bounce_content_in_hook: info.include_bounce_content_in_hook,
        enable_smtp_api_error_hooks: info.enable_smtp_api_error_hooks,
        inbound_domain: info.inbound_domain,
        inbound_spam_threshold: info.inbound_spam_threshold,
        raw_email_enabled: info.raw_email_enabled,
    }
}

/// Scheme and host of a URL: passwords stand in paths and queries too.
fn origin(url: &str) -> String {
    let read: Option<Uri> = url.trim().parse().ok();
    let parts = read.as_ref().and_then(|url| Some((url.scheme_str()?, url.host()?)));
    parts.map_or_else(|| UNREADABLE.to_owned(), |(scheme, host)| format!("{scheme}://{host}"))
}

/// What works against what is recorded here; `doors` is where the server's webhooks lead, where that is known.
fn warnings(info: &ServerInfo, doors: Option<&str>) -> Vec<PostmarkWarning> {
    let warning = |code: &str, setting: &str, detail: &str, next: &str| PostmarkWarning {
        code: code.to_owned(),
        setting: setting.to_owned(),
        detail: detail.to_owned(),
        next: next.to_owned(),
    };
    let ours = |url: &str| doors.is_none_or(|doors| reaches_us(url, doors));
    let legacy = info.legacy_hooks.iter().filter(|(_, url)| ours(url)).map(|(name, _)| {
        let detail = "Postmark calls this old-style hook beside the webhooks: where it leads to Postledger, each event comes \
            in twice";
        warning("legacy_hook", name, detail, "empty it in Postmark; what came in twice counts once")
    });
    let mut all: Vec<PostmarkWarning> = legacy.collect();
    if info.post_first_open_only == Some(true) {
        let detail = "Postmark tells the old-style hook of a recipient's first open only: later opens that would come in \
            by it are missing. Webhooks have a switch of their own";
        all.push(warning("first_open_only", "PostFirstOpenOnly", detail, "switch it off in Postmark"));
    }
    if info.delivery_type.eq_ignore_ascii_case("Sandbox") {
        let detail = "this is a sandbox server: no mail of it reaches anybody, and what is recorded is made up by Postmark";
        let next =
            "create a server with the delivery type Live in Postmark: a server keeps its type for good";
        all.push(warning("sandbox", "DeliveryType", detail, next));
    }
    all
}

/// What the settings that a request names are to be.
fn wanted(asked: &PostmarkSettingsRequest) -> Result<Vec<(PostmarkSetting, SettingValue)>, Problem> {
    let wrong = |setting: &str, words: &str| Problem::bad_request(format!("{setting}: expected {words}"));
    let mut wanted = asked.set.named();
    if wanted.is_empty() {
        return Err(wrong("set", "one setting at least"));
    }
    for (setting, value) in &mut wanted {
        let SettingValue::Text(text) = value else { continue };
        let among = |words: &[&str]| match words.contains(&text.as_str()) {
            true => Ok(()),
            false => Err(wrong(setting.name(), &words.join(", "))),
        };
        match setting {
            PostmarkSetting::Color => among(&COLORS)?,
            PostmarkSetting::TrackLinks => among(&TRACK_LINKS)?,
            _ => {
                let name = text.trim();
                let fits = !name.is_empty()
                    && name.chars().count() <= SERVER_NAME_MAX
                    && !text.chars().any(char::is_control);
                if !fits {
                    let words =
                        format!("1 to {SERVER_NAME_MAX} characters that are not all blank, in one line");
                    return Err(wrong(setting.name(), &words));
                }
                *text = name.to_owned();
            }
        }
    }
    Ok(wanted)
}

/// Those of the settings that are something else, as a plan.
fn changes(before: &PostmarkServer, wanted: Vec<(PostmarkSetting, SettingValue)>) -> Vec<PostmarkChange> {
    let change = |(setting, after): (PostmarkSetting, SettingValue)| {
        let before = before.setting(setting);
        let is_so = before.as_ref().is_some_and(|before| before.is_same(&after, setting));
        let means = means(setting, &after).to_owned();
        let status = "planned".to_owned();
        (!is_so).then(|| PostmarkChange { setting: setting.into(), before, after, means, status })
    };
    wanted.into_iter().filter_map(change).collect()
}

/// What a setting means from now on.
fn means(setting: PostmarkSetting, value: &SettingValue) -> &'static str {
    let is_on = *value == SettingValue::Switch(true);
    match (setting, value) {
        (PostmarkSetting::Name, _) => {
            "Postmark's pages call the server so; what it is called in Postledger stays as it is"
        }
        (PostmarkSetting::Color, _) => {
            "Postmark's own pages show the server in this colour; nothing else changes"
        }
        (PostmarkSetting::TrackOpens, _) if is_on => {
            "Postmark puts an invisible picture into HTML mail that is sent from now on, and reports opens, unless a message \
             says otherwise"
        }
        (PostmarkSetting::TrackOpens, _) => {
            "no opens are reported of mail that is sent from now on, unless a message asks for it"
        }
        (PostmarkSetting::TrackLinks, SettingValue::Text(parts)) => match parts.as_str() {
            "None" => "no clicks are reported of mail that is sent from now on, unless a message asks for it",
            "HtmlOnly" => {
                "Postmark replaces the links in the HTML part of mail that is sent from now on, and reports clicks on them"
            }
            "TextOnly" => {
                "Postmark replaces the links in the text part of mail that is sent from now on, and reports clicks on them"
            }
            _ => {
                "Postmark replaces the links in both parts of mail that is sent from now on, and reports clicks on them"
            }
        },
        (PostmarkSetting::SmtpApiActivated, _) if is_on => {
            "programs that have a token of the server can send by SMTP as well as by Postmark's API"
        }
        (_, _) => {
            "programs that send by SMTP can send nothing from now on; those that use Postmark's API can"
        }
    }
}

fn known(setting: &Word<PostmarkSetting>) -> Option<PostmarkSetting> {
    match setting {
        Word::Known(setting) => Some(*setting),
        Word::Other(_) => None,
    }
}

/// What became of a change, by what Postmark says now.
fn became(change: &PostmarkChange, now: Option<&PostmarkServer>) -> &'static str {
    let Some((now, setting)) = now.zip(known(&change.setting)) else { return "unknown" };
    match now.setting(setting) {
        Some(is) if is.is_same(&change.after, setting) => "done",
        Some(_) => "not_done",
        None => "unknown",
    }
}

/// A value of each change, by the setting's name; as they may be noted, or as they are.
fn named<'c>(
    changes: &'c [PostmarkChange],
    value: impl Fn(&'c PostmarkChange) -> Option<&'c SettingValue>,
    is_note: bool,
) -> Value {
    let shown = |value: &SettingValue| if is_note { noted(value) } else { json!(value) };
    let one =
        |change: &'c PostmarkChange| (change.setting.to_string(), value(change).map_or(Value::Null, shown));
    Value::Object(changes.iter().map(one).collect::<Map<_, _>>())
}

/// A value as it is noted: somebody may have put an address into a name.
fn noted(value: &SettingValue) -> Value {
    match value {
        SettingValue::Text(text) => json!(mask::text(text).unwrap_or_else(|| text.clone())),
        SettingValue::Switch(_) => json!(value),
    }
}

#[cfg(test)]
mod tests;
