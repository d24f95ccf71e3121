//! What requests cost, counted from the requests themselves by AWS's published rules: a write unit for each
//! kilobyte of an item begun, twice that in a transaction, whether it is committed or cancelled; a read unit for
//! each four kilobytes of a consistent read begun, and half of it for one of an index, which cannot be consistent;
//! for an index a write unit for each kilobyte of what it holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Sizes of items, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// How many.
    pub items: u64,
    /// All together.
    pub bytes: u64,
    /// The largest.
    pub largest: u64,
}

/// What has been counted.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// Calls by operation.
    pub calls: BTreeMap<String, u64>,
    /// Write units by table, indexes apart.
    pub writes: BTreeMap<String, u64>,
    /// Write units by index.
    pub index_writes: BTreeMap<String, u64>,
    /// Read units by table.
    pub reads: BTreeMap<String, u64>,
    /// Sizes of the items of committed events by kind, and of views.
    pub items: BTreeMap<String, Sizes>,
    /// Halves of read units by index.
    pub index_half_reads: BTreeMap<String, u64>,
    /// Reads of tables that did not ask for consistency.
    pub inconsistent: u64,
    /// Transactions that were cancelled.
    pub cancelled: u64,
    /// Units that whoever answered said it bills, of all sorts together; cancelled transactions tell none.
    pub told: f64,
}

impl Meter {
    /// Counts a call; `output` where it was done.
    pub fn count(&mut self, operation: &str, input: &Value, output: Option<&Value>) {
        *self.calls.entry(operation.to_owned()).or_default() += 1;
        let told = output.map(|output| &output["ConsumedCapacity"]);
        let tables =
            told.into_iter().flat_map(|told| told.as_array().map_or(vec![told], |all| all.iter().collect()));
        self.told += tables.filter_map(|table| table["CapacityUnits"].as_f64()).sum::<f64>();
        match operation {
            "TransactWriteItems" => {
                for action in input["TransactItems"].as_array().into_iter().flatten() {
                    for (verb, write) in action.as_object().into_iter().flatten() {
                        self.write(verb, write, 2, output.is_some());
                    }
                }
            }
            "PutItem" => self.write("Put", input, 1, output.is_some()),
            "UpdateItem" => self.write("Update", input, 1, output.is_some()),
            "DeleteItem" => self.write("Delete", input, 1, output.is_some()),
            "GetItem" => {
                self.inconsistent += u64::from(input["ConsistentRead"] != true);
                let bytes = output.map_or(0, |output| size(&output["Item"]));
                self.read(&input["TableName"], bytes);
            }
            "Query" | "Scan" => {
                let items = output.and_then(|output| output["Items"].as_array());
                let bytes = items.into_iter().flatten().map(size).sum();
                if let Some(index) = input["IndexName"].as_str() {
                    *self.index_half_reads.entry(index.to_owned()).or_default() += units(bytes, 4_096);
                    return;
                }
                self.inconsistent += u64::from(input["ConsistentRead"] != true);
                self.read(&input["TableName"], bytes);
            }
            "BatchGetItem" => {
                for (table, ask) in input["RequestItems"].as_object().into_iter().flatten() {
                    self.inconsistent += u64::from(ask["ConsistentRead"] != true);
                    let found = output.and_then(|output| output["Responses"][table].as_array());
                    let asked = ask["Keys"].as_array().map_or(0, Vec::len);
                    let missing = asked.saturating_sub(found.map_or(0, Vec::len));
                    for bytes in found.into_iter().flatten().map(size).chain(vec![0; missing]) {
                        self.read(&Value::from(table.as_str()), bytes);
                    }
                }
            }
            _ => {}
        }
    }

    fn write(&mut self, verb: &str, write: &Value, times: u64, done: bool) {
        let table = short(&write["TableName"]);
        // An item that is updated or deleted is not in the request: ours (counters, rules, rows, documents that
        // come and go) are below a kilobyte.
        let bytes = if verb == "Put" { size(&write["Item"]) } else { 0 };
        *self.writes.entry(table.clone()).or_default() += times * units(bytes, 1_024);
        if verb != "Put" || !done {
            return;
        }
        let item = &write["Item"];
        let kind = item["kind"]["S"].as_str();
        if item["message"].is_object() {
            *self.index_writes.entry("by_message".to_owned()).or_default() += 1;
        }
        if item["slot"].is_object() {
            *self.index_writes.entry("by_time".to_owned()).or_default() += units(bytes, 1_024);
        }
        if item["suppressed"].is_object() {
            *self.index_writes.entry("suppressed".to_owned()).or_default() += units(bytes, 1_024);
        }
        let kind = kind.or_else(|| item["view"].is_object().then_some("(view)"));
        if let Some(kind) = kind {
            let sizes = self.items.entry(kind.to_owned()).or_default();
            sizes.items += 1;
            sizes.bytes += bytes;
            sizes.largest = sizes.largest.max(bytes);
        }
    }

    fn read(&mut self, table: &Value, bytes: u64) {
        *self.reads.entry(short(table)).or_default() += units(bytes, 4_096);
    }

    /// All read units of indexes.
    pub fn all_index_reads(&self) -> f64 {
        self.index_half_reads.values().sum::<u64>() as f64 / 2.0
    }

    /// All calls.
    pub fn all_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// All write units, without those of indexes.
    pub fn all_writes(&self) -> u64 {
        self.writes.values().sum()
    }

    /// All units of indexes.
    pub fn all_index_writes(&self) -> u64 {
        self.index_writes.values().sum()
    }

    /// All read units.
    pub fn all_reads(&self) -> u64 {
        self.reads.values().sum()
    }
}

/// Units begun; nothing costs one too.
fn units(bytes: u64, each: u64) -> u64 {
    bytes.div_ceil(each).max(1)
}

/// A table's name without its stack's.
fn short(table: &Value) -> String {
    let name = table.as_str().unwrap_or_default();
    name.rsplit('-').next().unwrap_or_default().to_owned()
}

/// The bytes that DynamoDB counts for an item.
pub fn size(item: &Value) -> u64 {
    let none = Map::new();
    let attributes = item.as_object().unwrap_or(&none);
    attributes.iter().map(|(name, value)| name.len() as u64 + value_size(value)).sum()
}

fn value_size(value: &Value) -> u64 {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else {
        return 0;
    };
    let text = value.as_str().unwrap_or_default();
    match kind.as_str() {
        "N" => {
            let digits = text.trim_start_matches(['-', '0']).trim_end_matches('0').len() as u64;
            digits.div_ceil(2) + 1
        }
        "B" => STANDARD.decode(text).map_or(0, |bytes| bytes.len() as u64),
        "BOOL" => 1,
        _ => text.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_transaction_is_billed_twice_and_in_full_even_where_it_is_cancelled() {
        let put = |bytes: usize| {
            json!({ "Put": { "TableName": "x-events",
                "Item": { "pk": { "S": "p" }, "body": { "B": STANDARD.encode(vec![1; bytes]) } } } })
        };
        let input =
            json!({ "TransactItems": [put(1_000), put(1_100), { "Update": { "TableName": "x-counters" } }] });
        let mut meter = Meter::default();
        meter.count("TransactWriteItems", &input, Some(&json!({})));
        meter.count("TransactWriteItems", &input, None);
        assert_eq!((meter.writes["events"], meter.writes["counters"]), (2 * 6, 2 * 2));
    }

    #[test]
    fn a_read_is_billed_by_four_kilobytes_and_noticed_where_it_is_not_consistent() {
        let mut meter = Meter::default();
        let items = json!({ "Items": [{ "pk": { "S": "x".repeat(5_000) } }] });
        meter.count("Query", &json!({ "TableName": "x-events", "ConsistentRead": true }), Some(&items));
        meter.count("GetItem", &json!({ "TableName": "x-registry" }), Some(&json!({})));
        assert_eq!((meter.reads["events"], meter.reads["registry"], meter.inconsistent), (2, 1, 1));
    }

    #[test]
    fn a_read_of_an_index_is_billed_by_half_and_cannot_be_consistent() {
        let mut meter = Meter::default();
        let items = json!({ "Items": [{ "pk": { "S": "x".repeat(5_000) } }] });
        let ask = json!({ "TableName": "x-recipients", "IndexName": "suppressed" });
        meter.count("Query", &ask, Some(&items));
        meter.count("Query", &ask, Some(&json!({ "Items": [] })));
        assert_eq!((meter.all_index_reads(), meter.all_reads(), meter.inconsistent), (1.5, 0, 0));
    }
}
