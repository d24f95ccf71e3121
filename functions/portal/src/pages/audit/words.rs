//! Changes in words: what was done to what, what was before, and what came of it.

use super::joined::{Change, State};
use crate::pages::people::{Names, role_words, sight_words};
use crate::pages::shared::{link, number};
use crate::texts::Texts;
use crate::visit::{AtServer, segment};
use answers::{Role, Word};
use ledger::event::WHOLE_SERVER;
use ledger::{RecipientId, ServerId};
use serde_json::{Map, Value};

/// The kinds of changes at a server.
pub(super) const KINDS: [&str; 34] = [
    "suppress",
    "reactivate",
    "import",
    "erase",
    "export",
    "message.content",
    "token.new",
    "token.revoke",
    "user.invite",
    "user.access",
    "user.remove",
    "user.sign_out",
    "portal.link",
    "server.add",
    "server.set",
    "server.remove",
    "server.forget_stream",
    "server.postmark_token",
    "server.postmark_settings",
    "server.policy",
    "smtp.keep",
    "smtp.check",
    "smtp.test",
    "smtp.remove",
    "server.test_mail",
    "quarantine.replay",
    "revoke",
    "revoke.undo",
    "rebuild.repair",
    "connect",
    "connect.job",
    "connect.remove",
    "webhooks.password",
    "rotate",
];
/// How many characters of a value that has no words of its own are shown.
const SHOWN: usize = 200;

/// What a change was done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// In words.
    pub words: String,
    /// Its page, if it has one.
    pub href: Option<String>,
}

/// What is told of a change beside its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    /// In words, line by line.
    pub lines: Vec<String>,
    /// The recipients that are named, where there are several.
    pub recipients: Vec<Target>,
}

impl Details {
    /// The same on one line.
    pub(super) fn text(&self) -> String {
        self.lines.join("; ")
    }
}

/// A kind of change, in words.
pub(super) fn what(t: Texts, what: &str) -> String {
    match what {
        "suppress" => t.audit_what_suppress(),
        "reactivate" => t.audit_what_reactivate(),
        "import" => t.audit_what_import(),
        "erase" => t.audit_what_erase(),
        "export" => t.audit_what_export(),
        "message.content" => t.audit_what_message_content(),
        "token.new" => t.audit_what_token_new(),
        "token.revoke" => t.audit_what_token_revoke(),
        "user.invite" => t.audit_what_user_invite(),
        "user.access" => t.audit_what_user_access(),
        "user.remove" => t.audit_what_user_remove(),
        "user.sign_out" => t.audit_what_user_sign_out(),
        "portal.link" => t.audit_what_portal_link(),
        "server.add" => t.audit_what_server_add(),
        "server.set" => t.audit_what_server_set(),
        "server.remove" => t.audit_what_server_remove(),
        "server.forget_stream" => t.audit_what_server_forget_stream(),
        "server.postmark_token" => t.audit_what_server_postmark_token(),
        "server.postmark_settings" => t.audit_what_server_postmark_settings(),
        "server.policy" => t.audit_what_server_policy(),
        "smtp.keep" => t.audit_what_smtp_keep(),
        "smtp.check" => t.audit_what_smtp_check(),
        "smtp.test" => t.audit_what_smtp_test(),
        "smtp.remove" => t.audit_what_smtp_remove(),
        "server.test_mail" => t.audit_what_server_test_mail(),
        "quarantine.replay" => t.audit_what_quarantine_replay(),
        "revoke" => t.audit_what_revoke(),
        "revoke.undo" => t.audit_what_revoke_undo(),
        "connect" => t.audit_what_connect(),
        "connect.job" => t.audit_what_connect_job(),
        "connect.remove" => t.audit_what_connect_remove(),
        "webhooks.password" => t.audit_what_webhooks_password(),
        "rotate" => t.audit_what_rotate(),
        "rebuild.repair" => t.audit_what_rebuild_repair(),
        other => other.to_owned(),
    }
}

/// What a change was done to: a recipient and somebody whom the viewer manages by their pages.
pub(super) fn target(at: &AtServer<'_>, change: &Change, names: &Names) -> Option<Target> {
    let t = at.visit.t();
    let target = change.target.as_deref()?;
    let plain = |words: String| Some(Target { words, href: None });
    match change.what.as_str() {
        "suppress" | "reactivate" | "erase" | "export" => Some(recipient(at, target)),
        "user.invite" | "user.access" | "user.remove" | "user.sign_out" => match names.address(target) {
            Some(address) => {
                let href = link(&at.path("people"), &[("user", Some(target.to_owned()))]);
                Some(Target { words: address.to_owned(), href: Some(href) })
            }
            None => plain(t.audit_user_gone(target)),
        },
        "token.new" | "token.revoke" | "portal.link" => plain(t.audit_token(target)),
        "message.content" => {
            let href = Some(at.path(&format!("messages/{}", segment(target))));
            Some(Target { words: t.audit_message(target), href })
        }
        "import" | "server.forget_stream" | "smtp.keep" | "smtp.check" | "smtp.test" | "smtp.remove" => {
            plain(stream(t, target))
        }
        _ => plain(target.to_owned()),
    }
}

fn recipient(at: &AtServer<'_>, id: &str) -> Target {
    // Whatever stands there, no path but a recipient's is made of it.
    let is_id = id.parse::<RecipientId>().is_ok();
    let href = is_id.then(|| at.path(&format!("recipients/{id}")));
    Target { words: id.to_owned(), href }
}

fn stream(t: Texts, name: &str) -> String {
    if name == WHOLE_SERVER { t.every_stream() } else { t.audit_stream(name) }
}

/// What is told of a change beside its kind and target.
pub(super) fn details(at: &AtServer<'_>, change: &Change) -> Details {
    let named = change.asked.get("recipients").and_then(Value::as_array).into_iter().flatten();
    let named: Vec<&str> = named.filter_map(Value::as_str).collect();
    let several = named.len() > 1;
    Details {
        lines: lines(at.visit.t(), at.server, change),
        recipients: named.into_iter().filter(|_| several).map(|id| recipient(at, id)).collect(),
    }
}

fn lines(t: Texts, server: ServerId, change: &Change) -> Vec<String> {
    let (before, asked, result) = (&change.before, &change.asked, &change.result);
    let mut lines = match change.what.as_str() {
        "suppress" => suppressed(t, asked, result),
        "reactivate" => reactivated(t, before, asked, result),
        "import" => imported(t, asked, result),
        "erase" | "export" => count(result, "events").map(|n| t.audit_events(n)).into_iter().collect(),
        "token.new" => token(t, asked),
        "token.revoke" => token(t, before),
        "server.test_mail" => {
            let message = text(result, "message_id").map(|id| t.audit_message(id));
            on(t, asked).into_iter().chain(message).collect()
        }
        "user.invite" | "user.access" | "user.remove" | "portal.link" => access(t, server, before, asked),
        "server.postmark_settings" => at_postmark(t, before, asked, result),
        // That tells of a problem too.
        _ => return [before, asked, result].into_iter().flat_map(|value| others(t, value)).collect(),
    };
    if change.state == State::Failed
        && let Some(problem) = text(result, "problem")
    {
        lines.push(t.audit_problem(problem));
    }
    lines
}

fn count(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_u64().map(number)
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// Whether a member says no.
fn is_off(value: &Value, name: &str) -> bool {
    value.get(name) == Some(&Value::Bool(false))
}

fn reason(t: Texts, asked: &Value) -> Option<String> {
    let why = match text(asked, "reason")? {
        "request" => t.audit_why_request(),
        "complaint" => t.audit_why_complaint(),
        "bounce" => t.audit_why_bounce(),
        "legal" => t.audit_why_legal(),
        "mistake" => t.audit_why_mistake(),
        // No choice was made: that tells nothing.
        "other" => return None,
        other => other.to_owned(),
    };
    Some(t.audit_reason(why))
}

fn on(t: Texts, asked: &Value) -> Option<String> {
    text(asked, "stream").map(|name| match name {
        WHOLE_SERVER => t.audit_on(t.every_stream()),
        name => t.audit_on(name),
    })
}

fn suppressed(t: Texts, asked: &Value, result: &Value) -> Vec<String> {
    let mut lines: Vec<String> = [on(t, asked), reason(t, asked)].into_iter().flatten().collect();
    lines.extend(is_off(asked, "postmark").then(|| t.audit_not_at_postmark()));
    match (count(result, "done"), count(result, "recipients")) {
        (Some(done), Some(all)) => lines.push(t.audit_done_of(done, all)),
        _ => lines.extend(count(asked, "addresses").map(|n| t.audit_recipients_many(n))),
    }
    let codes = result.get("postmark").and_then(Value::as_object);
    let codes: Vec<String> = codes
        .into_iter()
        .flatten()
        .filter_map(|(code, n)| Some(t.audit_code_count(code, number(n.as_u64()?))))
        .collect();
    lines.extend((!codes.is_empty()).then(|| t.audit_at_postmark(codes.join(", "))));
    lines
}

fn reactivated(t: Texts, before: &Value, asked: &Value, result: &Value) -> Vec<String> {
    let mut lines: Vec<String> = [on(t, asked), reason(t, asked)].into_iter().flatten().collect();
    lines.extend((asked.get("consent") == Some(&Value::Bool(true))).then(|| t.audit_consent()));
    lines.extend(is_off(asked, "postmark").then(|| t.audit_not_at_postmark()));
    let name = |name: &str| if name == WHOLE_SERVER { t.every_stream() } else { name.to_owned() };
    for (stream, causes) in before.as_object().into_iter().flatten() {
        let causes: Vec<&str> = causes.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        lines.push(t.audit_held(name(stream), causes.join(", ")));
    }
    for one in result.get("results").and_then(Value::as_array).into_iter().flatten() {
        let came = match text(one, "refused") {
            Some(code) => t.audit_result_refused(code),
            None if one.get("done") == Some(&Value::Bool(true)) => t.audit_done(),
            None => t.audit_failed(),
        };
        lines.push(t.audit_result(name(text(one, "stream").unwrap_or_default()), came));
    }
    lines
}

fn imported(t: Texts, asked: &Value, result: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(rows), Some(format)) = (count(asked, "rows"), text(asked, "format")) {
        lines.push(t.audit_import_rows(rows, format));
    }
    let counts = asked.get("counts").unwrap_or(&Value::Null);
    let of = |name| count(counts, name);
    if let (Some(new), Some(already), Some(ignored), Some(invalid)) =
        (of("new"), of("already"), of("ignored"), of("invalid"))
    {
        lines.push(t.audit_import_counts(new, already, ignored, invalid));
    }
    lines.extend(count(result, "queued").map(|n| t.audit_queued(n)));
    lines
}

/// What a token opens.
fn token(t: Texts, value: &Value) -> Vec<String> {
    let Some(standing) = standing(t, value) else { return Vec::new() };
    let expires = match text(value, "expires_at") {
        Some(at) => t.audit_expires(at.split_once('.').map_or(at.to_owned(), |(at, _)| format!("{at}Z"))),
        None => t.audit_never_expires(),
    };
    vec![standing, expires]
}

/// A role, and whether addresses are whole and the content of mails is seen, in words.
fn standing(t: Texts, value: &Value) -> Option<String> {
    let role: Word<Role> = serde_json::from_value(value.get("role")?.clone()).ok()?;
    let [whole, content] =
        ["reveal_addresses", "read_content"].map(|name| value.get(name) == Some(&Value::Bool(true)));
    Some(t.people_role_and(role_words(t, &role), sight_words(t, whole, content)))
}

/// What somebody's access was and is at this server. Of others nothing is told, whatever stands in the entry.
fn access(t: Texts, server: ServerId, before: &Value, asked: &Value) -> Vec<String> {
    let told = |value: &Value| {
        if value.is_null() {
            return None;
        }
        if text(value, "role") == Some(Role::Operator.name()) {
            return Some(t.audit_operator_access());
        }
        let all = value.get("standings").and_then(Value::as_array).into_iter().flatten();
        let here = all.filter(|one| one.get("server").and_then(Value::as_i64) == Some(server.get()));
        Some(here.filter_map(|one| standing(t, one)).next().unwrap_or_else(|| t.audit_no_access()))
    };
    match (told(before), told(asked)) {
        (Some(before), Some(asked)) => vec![t.audit_was_is(before, asked)],
        (Some(before), None) => vec![t.audit_was(before)],
        (None, Some(asked)) => vec![t.audit_is(asked)],
        (None, None) => Vec::new(),
    }
}

/// Settings of a server at Postmark: what each was, was to be, and is, where that is another thing.
fn at_postmark(t: Texts, before: &Value, asked: &Value, result: &Value) -> Vec<String> {
    let told = |value: Option<&Value>| match value {
        Some(Value::Bool(on)) if *on => t.keeps_on(),
        Some(Value::Bool(_)) => t.keeps_off(),
        Some(Value::String(text)) => text.chars().take(SHOWN).collect(),
        _ => t.keeps_untold(),
    };
    let mut lines = Vec::new();
    for (name, wanted) in asked.as_object().into_iter().flatten() {
        lines.push(t.audit_other(name, t.audit_was_is(told(before.get(name)), told(Some(wanted)))));
        let now = result.get(name);
        if now.is_some_and(|now| now != wanted) {
            lines.push(t.audit_postmark_now(name, told(now)));
        }
    }
    lines
}

/// What has no words of its own, member by member.
fn others(t: Texts, value: &Value) -> Vec<String> {
    let none = Map::new();
    let members = value.as_object().unwrap_or(&none).iter().filter(|(_, member)| !member.is_null());
    let told = |(name, member): (&String, &Value)| {
        let member = match member {
            Value::String(text) => text.clone(),
            Value::Number(n) => n.as_u64().map_or_else(|| n.to_string(), number),
            other => other.to_string(),
        };
        t.audit_other(name.replace('_', " "), member.chars().take(SHOWN).collect::<String>())
    };
    members.map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use answers::Actor;
    use ledger::Time;
    use serde_json::json;

    fn change(what: &str, before: Value, asked: Value, result: Value) -> Vec<String> {
        let change = Change::known(
            what,
            Actor { kind: "user".to_owned(), name: "x".to_owned() },
            Time::EARLIEST.into(),
            [before, asked, result],
        );
        lines(Texts::default(), ServerId::new(7).unwrap(), &change)
    }

    #[test]
    fn of_an_access_only_what_it_is_at_this_server_is_told() {
        let standings = json!({ "standings": [
            { "server": 8, "role": "admin", "reveal_addresses": true },
            { "server": 7, "role": "viewer", "reveal_addresses": false },
        ] });
        let elsewhere = json!({ "standings": [{ "server": 8, "role": "admin", "reveal_addresses": true }] });
        let none = Value::Null;
        assert_eq!(
            change("user.invite", none.clone(), standings.clone(), none.clone()),
            ["Now: viewer, sees masked addresses"]
        );
        assert_eq!(
            change("user.access", standings.clone(), elsewhere, none.clone()),
            ["viewer, sees masked addresses → no access"]
        );
        assert_eq!(
            change("user.remove", standings.clone(), none.clone(), none.clone()),
            ["It was: viewer, sees masked addresses"]
        );
        let operator = json!({ "role": "operator", "reveal_addresses": true });
        assert_eq!(
            change("user.access", standings, operator, none),
            ["viewer, sees masked addresses → operator at every server"]
        );
    }

    #[test]
    fn decisions_are_told_with_their_reason_and_what_came_of_them() {
        let asked = json!({ "stream": "*", "addresses": 1200, "postmark": false, "reason": "legal" });
        let result =
            json!({ "recipients": 1200, "decided": 1200, "done": 1199, "postmark": { "failed": 1 } });
        assert_eq!(
            change("suppress", Value::Null, asked, result),
            [
                "On every stream",
                "Reason: a law or a contract requires it",
                "Only here, not at Postmark",
                "1,199 of 1,200 done",
                "At Postmark: failed 1"
            ]
        );
        let before = json!({ "outbound": ["hard_bounce"], "news": ["manual", "import"] });
        let asked = json!({ "stream": "*", "reason": "other", "consent": true, "postmark": true });
        let result = json!({ "results": [
            { "stream": "outbound", "done": true }, { "stream": "news", "done": false, "refused": "too_often" },
        ] });
        assert_eq!(
            change("reactivate", before, asked, result),
            [
                "On every stream",
                "With the person’s consent",
                "news was barred: manual, import",
                "outbound was barred: hard_bounce",
                "outbound: done",
                "news: refused (too_often)"
            ]
        );
    }

    #[test]
    fn what_a_later_release_notes_is_told_as_it_is_and_not_at_any_length() {
        let asked = json!({ "dry_run": true, "views": 12_000, "none": null, "text": "x".repeat(10_000) });
        let told = change("server.polish", Value::Null, asked, json!("done"));
        assert_eq!(told.len(), 3);
        assert_eq!((told[0].as_str(), told[2].as_str()), ("dry run: true", "views: 12,000"));
        assert_eq!(told[1].chars().count(), SHOWN + "text: ".len());
        let odd =
            [json!([]), json!("x"), json!({ "standings": 7, "role": [], "counts": "x", "results": {} })];
        for what in KINDS {
            for value in &odd {
                change(what, value.clone(), value.clone(), value.clone());
            }
        }
    }

    #[test]
    fn whatever_failed_is_told_with_its_reason_once() {
        let problem = json!({ "problem": "postmark-unavailable" });
        for what in KINDS {
            let mut change = Change::known(
                what,
                Actor { kind: "user".to_owned(), name: "x".to_owned() },
                Time::EARLIEST.into(),
                [Value::Null, Value::Null, problem.clone()],
            );
            change.state = State::Failed;
            let told = lines(Texts::default(), ServerId::new(7).unwrap(), &change);
            let reasons = told.iter().filter(|line| line.contains("postmark-unavailable")).count();
            assert_eq!(reasons, 1, "{what}: {told:?}");
        }
    }

    #[test]
    fn every_kind_has_words() {
        let t = Texts::default();
        assert!(KINDS.iter().all(|kind| what(t, kind) != **kind));
        assert_eq!(what(t, "server.polish"), "server.polish");
    }
}
