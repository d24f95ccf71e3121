//! The command `server postmark-settings`: what Postmark keeps for a server, and what is changed of it.

use crate::api::{Api, Request};
use crate::args::postmark_settings::{ServerPostmarkSettings, together};
use crate::prompt::must_agree;
use crate::target::Context;
use crate::terminal::visible;
use crate::{Failure, say, show, tell};
use answers::{
    PostmarkChange, PostmarkSettings, PostmarkSettingsChanged, PostmarkSettingsRequest, SettingValue,
};
use serde_json::Value;

/// Runs it.
///
/// # Errors
/// Where the API or Postmark refuses, nobody agrees, or Postmark does not say that all of it is done.
pub(crate) fn run(args: &ServerPostmarkSettings, context: &Context, json: bool) -> Result<(), Failure> {
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    let path = ["servers", &server, "postmark-settings"];
    if args.set.is_empty() {
        let told = api.ask(&Request::get(&path))?;
        say(if json { serde_json::to_string_pretty(&told.json()?)? } else { shown(&told.read()?)? });
        return Ok(());
    }
    let request = PostmarkSettingsRequest { set: together(&args.set), dry_run: true };
    let plan = api.ask(&Request::put(&path).json(&request))?;
    let planned: PostmarkSettingsChanged = plan.read()?;
    if json && (args.dry_run || planned.changes.is_empty()) {
        say(serde_json::to_string_pretty(&plan.json()?)?);
    }
    if planned.changes.is_empty() {
        if !json {
            say("all of this is so at Postmark already");
        }
        return Ok(());
    }
    if !json {
        say(of_plan(&planned.changes));
    }
    if args.dry_run {
        return Ok(());
    }
    must_agree(args.yes, "change it at Postmark?")?;
    let told = api.ask(&Request::put(&path).json(&PostmarkSettingsRequest { dry_run: false, ..request }))?;
    let done: PostmarkSettingsChanged = told.read()?;
    say(if json { serde_json::to_string_pretty(&told.json()?)? } else { outcome(&done) });
    match done.changes.iter().all(|change| change.status == "done") {
        true => Ok(()),
        false => Err(Failure::new("Postmark does not say that all of it is done")
            .next("look at what it says now: `postledger server postmark-settings`")),
    }
}

fn shown(told: &PostmarkSettings) -> Result<String, Failure> {
    for warning in &told.warnings {
        tell(format!("{}: {}; {}", visible(&warning.setting), warning.detail, warning.next));
    }
    let Value::Object(settings) = serde_json::to_value(&told.settings)? else { return Ok(String::new()) };
    let rows = settings.into_iter().map(|(name, value)| {
        let value = match serde_json::from_value::<SettingValue>(value.clone()) {
            Ok(value) => value.to_string(),
            Err(_) => value.to_string(),
        };
        [name, value]
    });
    Ok(show::table(["setting", "now"], rows))
}

/// A value as it was, is to be, or is.
fn value(value: Option<&SettingValue>) -> String {
    value.map_or_else(|| "not told".to_owned(), ToString::to_string)
}

fn of_plan(changes: &[PostmarkChange]) -> String {
    let rows = changes.iter().map(|change| {
        let PostmarkChange { setting, before, after, means, .. } = change;
        [setting.to_string(), value(before.as_ref()), value(Some(after)), means.clone()]
    });
    show::table(["setting", "now", "then", "what that means"], rows)
}

fn outcome(done: &PostmarkSettingsChanged) -> String {
    let now = done.settings.as_ref().and_then(|settings| serde_json::to_value(settings).ok());
    let rows = done.changes.iter().map(|change| {
        let name = change.setting.to_string();
        let now = now.as_ref().and_then(|now| serde_json::from_value(now.get(&name)?.clone()).ok());
        [name, value(Some(&change.after)), change.status.replace('_', " "), value(now.as_ref())]
    });
    show::table(["setting", "wanted", "outcome", "Postmark says now"], rows)
}
