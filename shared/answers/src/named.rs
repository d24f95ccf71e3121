//! Schemas of members that say more than their Rust types do: ids, streams, cursors, addresses.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

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
    /// What somebody may be at one server.
    StandingRole { "type": "string", "enum": ["viewer", "admin"] }
    /// An address in any spelling.
    GivenAddress { "type": "string", "examples": ["ida.moreau@customer.example"] }
    /// The id of a user: a keyed hash of the address.
    UserId { "type": "string", "pattern": "^[A-Za-z0-9_-]{22}$", "examples": ["kZxV0n3qT5uYwB7cD9eFgA"] }
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

/// Where a token is to open something: null is every server.
pub(crate) fn servers_of_token(generator: &mut SchemaGenerator) -> Schema {
    let server = generator.subschema_for::<ServerId>();
    json_schema!({ "type": ["array", "null"], "items": server, "minItems": 1, "maxItems": 1_000 })
}
