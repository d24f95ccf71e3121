//! The schemas of all that is asked and answered, for the description of the API.

use crate::problem::{CODES, URN};
use crate::{
    Activity, Audit, CheckRequest, Checked, Completeness, EraseRequest, Erased, Events, Export, Imported,
    MadeToken, NewToken, Problem, Quarantine, ReactivateRequest, Reactivated, Recipient, RevokedToken,
    Servers, Stats, SuppressRequest, Suppressed, Suppressions, Timeline, Tokens,
};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Map, Value};
use std::borrow::Cow;

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
    of!(requests: CheckRequest, SuppressRequest, ReactivateRequest, EraseRequest, NewToken);
    let mut answers = settings().for_serialize().into_generator();
    of!(
        answers: Servers, Checked, Recipient, Timeline, Events, Activity, Suppressions, Stats, Suppressed, Reactivated,
        Imported, Erased, Export, Quarantine, Completeness, Audit, Tokens, MadeToken, RevokedToken, Problem
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

/// Schemas that fields have by another type than their own.
macro_rules! named {
    ($($(#[doc = $doc:expr])+ $name:ident $schema:tt)+) => {$(
        $(#[doc = $doc])+
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!($schema);
                schema.insert("description".to_owned(), concat!($($doc),+).trim_start().into());
                schema
            }
        }
    )+};
}

named! {
    /// The number of a Postmark server.
    ServerId { "type": "integer", "format": "int64", "minimum": 1, "examples": [8_123_456] }
    /// The id of a recipient of one server: a keyed hash of server and address. Another server has another id for the
    /// same address, and an id does not reveal its address.
    RecipientId { "type": "string", "pattern": "^[A-Za-z0-9_-]{22}$", "examples": ["kZxV0n3qT5uYwB7cD9eFgA"] }
    /// The id of an event: a hash over the fields that Postmark repeats in every report of the event, so that a second
    /// report is the same event.
    EventId { "type": "string", "pattern": "^[A-Za-z0-9_-]{22}$", "examples": ["pQ2rS4tU6vW8xY0zA1bC3d"] }
    /// A message stream of the server, as Postmark spells it.
    StreamId {
        "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
        "examples": ["outbound"]
    }
    /// A message stream, as Postmark spells it, or `*` for the whole server.
    Scope {
        "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^(?:\\*|[A-Za-z0-9][A-Za-z0-9._-]*)$",
        "examples": ["outbound", "*"]
    }
    /// Send this as `cursor` to get the next page; null at the end. A page may be short, even empty, and still have
    /// a next one.
    Cursor { "type": ["string", "null"], "maxLength": 2_048 }
    /// The address without its invisible characters: zero-width characters, soft hyphens, byte order marks, marks of
    /// direction and similar ones anywhere, unusual spaces at the ends, and a spreadsheet's apostrophe. Absent if it had
    /// none.
    Cleaned { "type": "string", "examples": ["ida.moreau@customer.example"] }
    /// Other spellings of the same mailbox: with or without quotes, or with the characters that were removed. Each address
    /// is looked up in all its spellings, and the strictest answer counts. They are listed if something is recorded about
    /// them, or if the spelling of the address is unusual; otherwise absent.
    AlsoAsked {
        "type": "array", "items": { "type": "string", "examples": ["\"taro..yama\"@customer.example"] }, "minItems": 1
    }
}

/// The same for what has no name of its own in the description.
macro_rules! unnamed {
    ($($(#[doc = $doc:expr])+ $name:ident $schema:tt)+) => {$(
        $(#[doc = $doc])+
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

unnamed! {
    /// An address in any spelling.
    GivenAddress { "type": "string", "examples": ["ida.moreau@customer.example"] }
    /// The id of a token.
    TokenId { "type": "string", "pattern": "^[A-Za-z0-9_-]{12}$" }
    /// A token.
    TokenText { "type": "string", "pattern": "^plt_[A-Za-z0-9_-]{12}_[A-Za-z0-9_-]{43}$" }
}

/// Words of people: not all blank, and nothing in them that controls but line ends.
pub(crate) fn reason(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 500,
        "pattern": r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$",
    })
}

/// What is kept as it was told, whatever is in it.
pub(crate) fn kept(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["object", "null"], "additionalProperties": true })
}

/// The kinds of problems.
pub(crate) fn kind_of_problem(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": CODES.map(|(code, _)| format!("{URN}{code}")) })
}

/// What each kind of problem says.
pub(crate) fn kinds_of_problems() -> String {
    let said = CODES.map(|(code, words)| format!("\n- `{code}`: {words}"));
    format!("The kind of problem.\n{}", said.concat())
}

/// Where a token is to open something: null is every server.
pub(crate) fn servers_of_token(generator: &mut SchemaGenerator) -> Schema {
    let server = generator.subschema_for::<ServerId>();
    json_schema!({ "type": ["array", "null"], "items": server, "minItems": 1, "maxItems": 1_000 })
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
