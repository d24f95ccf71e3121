//! Words that answers choose from lists, and requests too.

use ledger::bounce::BounceClass;
use ledger::counters::Measure;
use ledger::event::{Bar, Cause};
use ledger::policy::StreamKind;
use ledger::verdict::{Code, Verdict};
use ledger::{Kind, Source};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::Error as Unread;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;

/// A word of a list that may get longer: one that this release does not know is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Word<T> {
    /// One that this release knows.
    Known(T),
    /// Another one.
    Other(String),
}

impl<T> From<T> for Word<T> {
    fn from(word: T) -> Word<T> {
        Word::Known(word)
    }
}

impl<T: PartialEq> PartialEq<T> for Word<T> {
    fn eq(&self, other: &T) -> bool {
        matches!(self, Word::Known(word) if word == other)
    }
}

/// As it is told.
impl<T: Serialize> fmt::Display for Word<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = serde_json::to_value(self).unwrap_or_default();
        out.write_str(told.as_str().unwrap_or_default())
    }
}

/// A list of words, as the description tells of it.
pub trait Listable {
    /// What it is called there; `None` where it stands at each place that has it.
    const NAME: Option<&'static str> = None;
    /// What the list is, in words.
    const DESCRIPTION: &'static str = "";

    /// The words.
    fn words() -> Vec<&'static str>;

    /// Its schema.
    fn schema() -> Schema {
        let mut schema = json_schema!({ "type": "string", "enum": Self::words() });
        if !Self::DESCRIPTION.is_empty() {
            schema.insert("description".to_owned(), Self::DESCRIPTION.into());
        }
        schema
    }
}

impl<T: Listable> JsonSchema for Word<T> {
    fn inline_schema() -> bool {
        T::NAME.is_none()
    }

    fn schema_name() -> Cow<'static, str> {
        T::NAME.unwrap_or(std::any::type_name::<T>()).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

/// The words of an enumeration, in order, as serde has them: none can be left out by mistake.
pub(crate) fn words_of<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    struct Variants<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Variants<'_> {
        type Error = Unread;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unread> {
            Err(Unread::custom("not an enumeration"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Unread> {
            *self.0 = variants;
            Err(Unread::custom("only its words are asked for"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut words: &'static [&'static str] = &[];
    // It is an error in any case; what it would have read are the words.
    let _ = T::deserialize(Variants(&mut words));
    words.to_vec()
}

macro_rules! listed {
    ($($list:ty, $name:expr, $description:expr;)+) => {$(
        impl Listable for $list {
            const NAME: Option<&'static str> = $name;
            const DESCRIPTION: &'static str = $description;

            fn words() -> Vec<&'static str> {
                words_of::<$list>()
            }
        }
    )+};
}

listed! {
    StreamKind, Some("StreamKind"), "What a stream is for: mail that its recipient asked for by doing something, or mail to many at once.";
    Verdict, Some("Verdict"), "Whether it may be mailed. `send`: nothing speaks against it. `risky`: nothing forbids it, but something warns against it. `do_not_send`: it must not be mailed.";
    Cause, Some("Cause"), "Why an address is on Postmark's suppression list of a stream.";
    BounceClass, Some("BounceClass"), "What a bounce means for the recipient. Only `hard`, `invalid` and (many) `soft` count against an address. `block`, `content`, `policy` and `failure` are about the sender. `delay` and `info` are not bounces of the address.";
    Kind, Some("Kind"), "The kind of event: Postmark's `RecordType`, or one of ours: `Observed` (an entry that was read in Postmark's suppression list) and `Decision` (by a person or an import).";
    Source, Some("Source"), "Who reported it: a webhook, Postmark's API, read day by day (`reconcile`) or for the time before the first webhook (`backfill`), or a person (`operator`).";
    Code, None, "";
    UnknownStream, None, "";
    Why, None, "";
}

impl Listable for Measure {
    const NAME: Option<&'static str> = Some("Measure");
    const DESCRIPTION: &'static str = "The measure that an event counts as; each event counts as exactly one. Measures with `_machine` are opens and clicks by mail filters and privacy proxies.";

    fn words() -> Vec<&'static str> {
        Measure::all().map(Measure::name).collect()
    }
}

/// Why a recipient stands on a list: on Postmark's, or by a decision or import of ours.
pub(crate) struct ListedFor;

impl Listable for ListedFor {
    fn words() -> Vec<&'static str> {
        let ours = [Bar::Decision, Bar::Import(None)].map(Bar::name);
        Cause::ALL.map(Cause::name).into_iter().chain(ours).collect()
    }
}

/// Why a recipient was suppressed or barred, each import with the cause that its list told.
pub(crate) struct SaidFor;

impl Listable for SaidFor {
    fn words() -> Vec<&'static str> {
        Cause::ALL.map(Cause::name).into_iter().chain(Bar::ALL.map(Bar::name)).collect()
    }
}

/// A list of words that stands at one place of an answer.
macro_rules! words {
    ($($(#[doc = $doc:expr])+ $name:ident [$($word:literal),+];)+) => {$(
        $(#[doc = $doc])+
        pub(crate) struct $name;

        impl Listable for $name {
            fn words() -> Vec<&'static str> {
                vec![$($word),+]
            }
        }
    )+};
}

words! {
    /// What an event may say of its recipient.
    FactName ["suppressed", "lifted", "barred", "allowed", "bounced", "complained", "removal_requested"];
    /// Texts that are left out for tokens that do not reveal addresses.
    Withheld ["subject", "diagnostic", "link", "note"];
    /// Whether Postmark put an address on its list.
    Suppressing ["suppressed", "failed", "unavailable"];
    /// Whether Postmark took an address off its list.
    Deleting ["deleted", "failed", "unavailable"];
    /// Why nothing changed.
    Refusal ["complaint", "consent", "too_often", "postmark"];
    /// What would be changed: Postmark's list, or this ledger.
    Would ["postmark", "ledger"];
    /// The event that an outcome waits for.
    Awaited ["SubscriptionChange"];
    /// Whether bodies that were set aside were swept.
    Sweep ["pending", "swept"];
    /// What became of a setting: it would be changed; Postmark says that it is so, or is not; Postmark did not say.
    BecameOf ["planned", "done", "not_done", "unknown"];
    /// What works against what is recorded: an old-style hook, of whose events each may come in twice; later opens that
    /// the old-style hook is not told of; mail that is not really sent.
    Hindrance ["legacy_hook", "first_open_only", "sandbox"];
    /// How a person or program was identified.
    ActorKind ["token", "user", "aws", "local", "operator"];
    /// How far a change is.
    Phase ["begun", "done", "failed"];
    /// What becomes of a webhook.
    FateOf ["keep", "create", "change", "verify", "remove", "leave_alone"];
    /// How far it is to set up webhooks.
    JobPhase ["begun", "done", "failed"];
    /// How far a rotation is.
    RotationStage ["idle", "doors_to_learn", "moving", "quiet", "retired"];
    /// By what webhooks can be set up.
    HowConnected ["here", "job", "command"];
    /// The formats of lists that are understood.
    Format [
        "postledger", "postmark", "postmark-bounces", "ses", "sendgrid-bounces", "sendgrid-invalid-emails",
        "sendgrid-spam-reports", "sendgrid-unsubscribes", "mailgun-bounces", "mailgun-complaints",
        "mailgun-unsubscribes", "listmonk", "mailchimp-unsubscribed", "mailchimp-cleaned", "brevo-blocked",
        "brevo-contacts", "plain"
    ];
}

/// Why a recipient was suppressed on a stream: the causes in lists, and other reasons.
pub(crate) struct Was;

impl Listable for Was {
    fn words() -> Vec<&'static str> {
        let risks = ["invalid_address", "removal_requested", "soft_bounces", "complained"];
        ListedFor::words().into_iter().chain(risks).collect()
    }
}

/// What the parameter is called that says what a stream that nobody knows means: [`UnknownStream`].
pub const UNKNOWN_STREAM: &str = "unknown_stream";

/// What to do about an unknown stream: refuse it as a typing error, or allow it because it has had no mail yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownStream {
    /// It is a typing error.
    #[default]
    Refuse,
    /// It is intended: it has had no mail yet.
    Allow,
}

/// The reason for a decision, as a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The person asked.
    Request,
    /// The person complained.
    Complaint,
    /// Mail bounces, or arrives again.
    Bounce,
    /// A law or a contract requires it.
    Legal,
    /// An earlier decision was a mistake.
    Mistake,
    /// Something else, or no choice.
    #[default]
    Other,
}

/// A choice of a request, which is closed.
pub(crate) fn choice<T: Listable>(_: &mut SchemaGenerator) -> Schema {
    T::schema()
}

/// How many of each word of a list there are.
pub(crate) fn counted<T: Listable>(generator: &mut SchemaGenerator) -> Schema {
    let names: Value = generator.subschema_for::<Word<T>>().into();
    json_schema!({ "type": "object", "propertyNames": names, "additionalProperties": json!({ "type": "integer" }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_known_is_kept_as_it_came() {
        let read = |text: &str| serde_json::from_value::<Word<Verdict>>(text.into()).unwrap();
        assert_eq!(read("do_not_send"), Verdict::DoNotSend);
        assert_eq!(read("ask_first"), Word::Other("ask_first".to_owned()));
        for word in ["do_not_send", "ask_first"] {
            assert_eq!(read(word).to_string(), word);
            assert_eq!(serde_json::to_value(read(word)).unwrap(), word);
        }
        assert!(serde_json::from_value::<Word<Verdict>>(Value::Null).is_err(), "null is no word");
    }

    #[test]
    fn a_list_is_all_that_its_type_can_be() {
        assert_eq!(words_of::<Verdict>(), ["send", "risky", "do_not_send"]);
        assert_eq!(words_of::<Cause>(), Cause::ALL.map(Cause::name));
        assert_eq!(words_of::<Kind>(), Kind::ALL.map(Kind::name));
        assert_eq!(words_of::<Code>().len(), 18);
    }
}
