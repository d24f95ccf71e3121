//! The schemas of all that is asked and answered, for the description of the API.

use crate::{
    Activity, AddedServer, Audit, Branding, CheckRequest, Checked, Completeness, ConnectRequest, Connected,
    EraseRequest, Erased, Events, Export, Imported, InboundMessages, InviteRequest, Invited, MadeToken,
    MessageContent, NewBranding, NewServer, NewToken, Policies, PolicyChanged, PolicyRequest, PortalLink,
    PortalLinkRequest, PostmarkMessage, PostmarkSettings, PostmarkSettingsChanged, PostmarkSettingsRequest,
    PostmarkTokenKept, PostmarkTokenRequest, Problem, Quarantine, ReactivateRequest, Reactivated, Recipient,
    Replayed, RevokedToken, SentMessages, Servers, SmtpPairRequest, SmtpRemoved, SmtpStream, SmtpStreams,
    SmtpTestRequest, SmtpTested, Stats, SuppressRequest, Suppressed, Suppressions, TestMail, TestMailRequest,
    Timeline, Tokens, User, UserAccess, Users, WebhookPassword, WebhookRotation, Webhooks,
};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// Where the description keeps them.
const PLACE: &str = "/components/schemas";

/// The schemas of all requests and answers, and of what they are made of, by name.
pub fn schemas() -> Map<String, Value> {
    let settings =
        || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = PLACE.into());
    let mut requests = settings().for_deserialize().into_generator();
    macro_rules! of {
        ($generator:ident: $($type:ty),+) => {
            $($generator.subschema_for::<$type>();)+
        };
    }
    of!(
        requests: CheckRequest, SuppressRequest, ReactivateRequest, EraseRequest, NewToken, InviteRequest, UserAccess,
        PortalLinkRequest, PostmarkTokenRequest, PolicyRequest, NewBranding, ConnectRequest,
        PostmarkSettingsRequest, NewServer, TestMailRequest, SmtpPairRequest, SmtpTestRequest
    );
    let mut answers = settings().for_serialize().into_generator();
    of!(
        answers: Servers, Checked, Recipient, Timeline, Events, Activity, Suppressions, Stats, Suppressed, Reactivated,
        Imported, Erased, Export, Quarantine, Replayed, Completeness, Audit, Tokens, MadeToken, RevokedToken, Users, Invited, User,
        PortalLink, PostmarkTokenKept, Policies, PolicyChanged, Branding, Webhooks, Connected, WebhookPassword,
        WebhookRotation, AddedServer, TestMail, SmtpStreams, SmtpStream, SmtpTested, SmtpRemoved, SentMessages, PostmarkMessage, MessageContent, InboundMessages, Problem, PostmarkSettings, PostmarkSettingsChanged
    );
    let mut all = Map::new();
    for (definitions, tidy) in [
        (requests.take_definitions(false), tidy_request as fn(&mut Value)),
        (answers.take_definitions(false), tidy_answer),
    ] {
        for (name, mut schema) in definitions {
            tidy(&mut schema);
            all.insert(name, schema);
        }
    }
    all
}

fn tidy_request(schema: &mut Value) {
    if let Value::Object(members) = schema {
        // What is left out is not told by null.
        members.retain(|name, value| !(name == "default" && value.is_null()));
        tidy_members(members, tidy_request);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(tidy_request);
    }
}

/// An answer is closed in the description, which is of this very version; what may be left out of it is never null.
fn tidy_answer(schema: &mut Value) {
    if let Value::Object(members) = schema {
        let required: Vec<String> = members
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        if let Some(Value::Object(properties)) = members.get_mut("properties") {
            for (_, property) in properties.iter_mut().filter(|(name, _)| !required.contains(name)) {
                not_null(property);
            }
            members.entry("additionalProperties").or_insert(false.into());
        }
        // Which defaults are read does not matter to whoever is told.
        members.remove("default");
        tidy_members(members, tidy_answer);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(tidy_answer);
    }
}

fn tidy_members(members: &mut Map<String, Value>, tidy: fn(&mut Value)) {
    // How wide a number of ours is says nothing of what it may be.
    let width = |format: &Value| {
        format.as_str().is_some_and(|format| format.starts_with("uint") || format == "double")
    };
    members.retain(|name, value| !(name == "format" && width(value)));
    if let Some(Value::String(text)) = members.get_mut("description") {
        *text = unwrapped(text);
    }
    for (name, value) in members.iter_mut() {
        match (name.as_str(), value) {
            // Named by people, whatever the names are.
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(tidy),
            ("examples" | "enum" | "default" | "const", _) => {}
            (_, value) => tidy(value),
        }
    }
}

/// A schema without null among what it allows.
fn not_null(schema: &mut Value) {
    let null = Value::from("null");
    let Value::Object(members) = schema else { return };
    // Of what is kept as it was told, null says that there is none.
    if members.get("additionalProperties") == Some(&Value::Bool(true)) {
        return;
    }
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [one] = &types[..] {
            let one = one.clone();
            members.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(words)) = members.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(mut choices)) = members.remove("anyOf") {
        choices.retain(|choice| choice["type"] != null);
        match &mut choices[..] {
            [Value::Object(one)] => members.append(one),
            _ => drop(members.insert("anyOf".to_owned(), choices.into())),
        }
    }
}

/// A text as it reads where lines are not cut: those of one paragraph in one.
fn unwrapped(text: &str) -> String {
    let mut told = String::new();
    for line in text.lines() {
        let begins = line.is_empty() || line.starts_with("- ") || told.is_empty() || told.ends_with('\n');
        told.push_str(if told.is_empty() {
            ""
        } else if begins {
            "\n"
        } else {
            " "
        });
        told.push_str(line);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_closed_and_only_requests_have_defaults() {
        let all = schemas();
        let (finding, request) = (&all["Finding"], &all["CheckRequest"]);
        assert_eq!(finding["additionalProperties"], false);
        assert_eq!(finding["properties"]["until"]["$ref"], "#/components/schemas/Time", "it is never null");
        assert!(!finding["required"].as_array().unwrap().contains(&"until".into()));
        assert_eq!(all["Problem"]["properties"]["next"].get("default"), None);
        assert_eq!(request["properties"]["unknown_stream"]["default"], "refuse");
        assert_eq!(request["required"], serde_json::json!(["stream", "addresses"]));
        assert_eq!(all["NewToken"]["required"], serde_json::json!(["name", "role", "servers"]));
        assert_eq!(all["Export"]["properties"]["view"]["type"], serde_json::json!(["object", "null"]));
    }

    #[test]
    fn a_text_of_several_lines_reads_as_one_but_for_its_paragraphs_and_points() {
        assert_eq!(unwrapped("one\ntwo\n\n- three\nfour\n- five"), "one two\n\n- three four\n- five");
    }
}
