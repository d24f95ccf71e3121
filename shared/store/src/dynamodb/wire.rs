//! Items and errors as the SDK has them.

use super::Attributes;
use crate::StoreError;
use crate::item::{Item, Key, Value};
use crate::tables::{PK, SK};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::FailureKind;
use std::error::Error;

pub(super) fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::S(text) => AttributeValue::S(text),
        Value::N(number) => AttributeValue::N(number.to_string()),
        Value::B(bytes) => AttributeValue::B(Blob::new(bytes)),
        Value::Bool(flag) => AttributeValue::Bool(flag),
    }
}

fn value(attribute: AttributeValue) -> Option<Value> {
    match attribute {
        AttributeValue::S(text) => Some(Value::S(text)),
        AttributeValue::N(number) => number.parse().ok().map(Value::N),
        AttributeValue::B(bytes) => Some(Value::B(bytes.into_inner())),
        AttributeValue::Bool(flag) => Some(Value::Bool(flag)),
        _ => None,
    }
}

pub(super) fn key_of((pk, sk): &Key) -> Attributes {
    [(PK, pk), (SK, sk)]
        .into_iter()
        .map(|(name, key)| (name.to_owned(), AttributeValue::S(key.clone())))
        .collect()
}

pub(super) fn to_wire((pk, sk): Key, item: Item) -> Attributes {
    let attributes = item.into_attributes().map(|(name, value)| (name.into_owned(), attribute(value)));
    let keys = [(PK, pk), (SK, sk)].map(|(name, key)| (name.to_owned(), AttributeValue::S(key)));
    attributes.chain(keys).collect()
}

/// `None` where it has no key, or an attribute of a type that we never write.
pub(super) fn from_wire(mut attributes: Attributes) -> Option<(Key, Item)> {
    let mut key = |name| match attributes.remove(name) {
        Some(AttributeValue::S(key)) => Some(key),
        _ => None,
    };
    let key = (key(PK)?, key(SK)?);
    let mut item = Item::default();
    for (name, attribute) in attributes {
        item = item.with(name, value(attribute)?);
    }
    Some((key, item))
}

/// A failed call in the words of the port. A request that DynamoDB never takes is a fault of ours.
pub(super) fn failed<E: ProvideErrorMetadata + Error + 'static>(error: SdkError<E>) -> StoreError {
    let failed = aws::of_sdk(&error);
    match failed.kind() {
        FailureKind::Invalid => StoreError::Invalid("DynamoDB takes it for none of its own"),
        _ => failed.into(),
    }
}
