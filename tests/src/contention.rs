//! What DynamoDB does where requests touch the same item at once, and an emulator that does one after the other never
//! shows. AWS's developer guide (*Amazon DynamoDB Transactions: How it works*, transaction conflict handling): an item of
//! a `TransactWriteItems` that is part of another one under way cancels the later, with `TransactionConflict` as the
//! reason of each such item; a single write of such an item is refused with `TransactionConflictException`. A transaction
//! that comes again under its own token while it is under way is told `TransactionInProgressException`.

use serde_json::Value;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// An item: its table, and its key as it stands in the request.
type Item = (String, String);

/// Which transactions are under way, and for how long each is.
pub struct Contention {
    takes: Range<Duration>,
    under_way: Mutex<HashMap<Item, String>>,
}

/// Why a write is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A transaction is cancelled: which of its actions touch an item of another one.
    Cancelled(Vec<bool>),
    /// A single write touches an item of a transaction.
    Conflict,
    /// The same transaction is under way already.
    InProgress,
}

/// Holds the items of a transaction until it is dropped: when the transaction is answered, or its caller has gone.
pub struct Held<'a> {
    contention: &'a Contention,
    items: Vec<Item>,
}

impl Contention {
    /// Where every write takes some time within a range.
    pub fn new(takes: Range<Duration>) -> Contention {
        Contention { takes, under_way: Mutex::default() }
    }

    /// How long a write takes.
    pub fn time(&self) -> Duration {
        self.takes.start + (self.takes.end - self.takes.start).mul_f64(fastrand::f64())
    }

    /// Begins a write; whatever else is asked touches nothing.
    ///
    /// # Errors
    /// Where a transaction that is under way touches the same item.
    pub fn begin(&self, operation: &str, input: &Value) -> Result<Held<'_>, Rejection> {
        let transaction = operation == "TransactWriteItems";
        let mut under_way = self.lock();
        if !transaction {
            let touched = single(operation, input);
            return match touched.is_some_and(|item| under_way.contains_key(&item)) {
                true => Err(Rejection::Conflict),
                false => Ok(Held { contention: self, items: Vec::new() }),
            };
        }
        let token = input["ClientRequestToken"].as_str().unwrap_or_default();
        let items: Vec<Item> =
            input["TransactItems"].as_array().into_iter().flatten().filter_map(of_action).collect();
        let met: Vec<Option<&String>> = items.iter().map(|item| under_way.get(item)).collect();
        if met.iter().flatten().any(|other| !token.is_empty() && *other == token) {
            return Err(Rejection::InProgress);
        }
        if met.iter().any(Option::is_some) {
            return Err(Rejection::Cancelled(met.iter().map(Option::is_some).collect()));
        }
        under_way.extend(items.iter().map(|item| (item.clone(), token.to_owned())));
        Ok(Held { contention: self, items })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Item, String>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut under_way = self.contention.lock();
        for item in &self.items {
            under_way.remove(item);
        }
    }
}

/// What an action of a transaction touches.
fn of_action(action: &Value) -> Option<Item> {
    let (verb, action) = action.as_object()?.iter().next()?;
    let key = if verb == "Put" { &action["Item"] } else { &action["Key"] };
    Some(item(action, key))
}

/// What a single write touches.
fn single(operation: &str, input: &Value) -> Option<Item> {
    match operation {
        "PutItem" => Some(item(input, &input["Item"])),
        "UpdateItem" | "DeleteItem" => Some(item(input, &input["Key"])),
        _ => None,
    }
}

fn item(request: &Value, key: &Value) -> Item {
    let table = request["TableName"].as_str().unwrap_or_default().to_owned();
    (table, format!("{} {}", key["pk"]["S"], key["sk"]["S"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn contention() -> Contention {
        Contention::new(Duration::from_millis(5)..Duration::from_millis(10))
    }

    fn key(sk: &str) -> Value {
        json!({ "pk": { "S": "p" }, "sk": { "S": sk } })
    }

    /// A transaction that puts an item and adds to another.
    fn transaction(token: &str, put: &str, added: &str) -> Value {
        json!({ "ClientRequestToken": token, "TransactItems": [
            { "Put": { "TableName": "events", "Item": key(put) } },
            { "Update": { "TableName": "counters", "Key": key(added) } },
        ] })
    }

    fn begin<'a>(contention: &'a Contention, transaction: &Value) -> Result<Held<'a>, Rejection> {
        contention.begin("TransactWriteItems", transaction)
    }

    #[test]
    fn of_two_transactions_under_way_that_touch_an_item_the_later_is_cancelled_by_it() {
        let contention = contention();
        let first = begin(&contention, &transaction("a", "1", "hour"));
        let second = begin(&contention, &transaction("b", "2", "hour")).err();
        assert_eq!(second, Some(Rejection::Cancelled(vec![false, true])));
        assert!(begin(&contention, &transaction("b", "2", "other")).is_ok(), "others touch nothing of it");
        drop(first);
        assert!(begin(&contention, &transaction("b", "2", "hour")).is_ok(), "once the first is answered");
    }

    #[test]
    fn whoever_was_cancelled_holds_nothing() {
        let contention = contention();
        let _first = begin(&contention, &transaction("a", "1", "hour"));
        assert!(begin(&contention, &transaction("b", "2", "hour")).is_err());
        assert!(begin(&contention, &transaction("c", "2", "other")).is_ok());
    }

    #[test]
    fn a_transaction_that_comes_again_while_it_is_under_way_is_told_so() {
        let contention = contention();
        let _first = begin(&contention, &transaction("a", "1", "hour"));
        assert_eq!(begin(&contention, &transaction("a", "1", "hour")).err(), Some(Rejection::InProgress));
    }

    #[test]
    fn a_single_write_of_an_item_in_a_transaction_is_refused_and_cancels_none() {
        let contention = contention();
        let write = json!({ "TableName": "counters", "Key": key("hour") });
        let held = contention.begin("UpdateItem", &write);
        let first = begin(&contention, &transaction("a", "1", "hour"));
        assert!(held.is_ok() && first.is_ok());
        assert_eq!(contention.begin("UpdateItem", &write).err(), Some(Rejection::Conflict));
        let put = json!({ "TableName": "events", "Item": key("1") });
        assert_eq!(contention.begin("PutItem", &put).err(), Some(Rejection::Conflict));
        assert!(contention.begin("GetItem", &write).is_ok(), "who reads does not conflict");
    }
}
