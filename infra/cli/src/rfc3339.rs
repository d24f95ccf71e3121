//! What is stored as microseconds, told as RFC 3339: for what has no type of its own in `answers`.

use ledger::Time;
use serde::Serialize;
use serde_json::Value;

/// What is stored, as people and scripts read it: pretty JSON in which the members of these names are RFC 3339, whether
/// each is an instant or a map of instants.
///
/// # Errors
/// Where it is no JSON.
pub fn pretty(stored: &impl Serialize, names: &[&str]) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(stored)?;
    tell(&mut value, names);
    serde_json::to_string_pretty(&value)
}

fn tell(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if names.contains(&name.as_str()) { instants(value) } else { tell(value, names) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tell(item, names)),
        _ => {}
    }
}

fn instants(value: &mut Value) {
    if let Some(micros) = value.as_i64() {
        *value = Time::from_micros(micros).to_string().into();
    } else if let Value::Object(members) = value {
        members.values_mut().for_each(instants);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_members_that_are_named_are_told_as_rfc_3339_and_no_other_number_is_touched() {
        let stored = json!({ "at": 1_795_248_000_500_000_i64, "n": 7, "none": null, "of": [{ "at": null, "keys": { "a": 0 } }] });
        let told: Value = serde_json::from_str(&pretty(&stored, &["at", "keys"]).unwrap()).unwrap();
        let at = "2026-11-21T08:00:00.500000Z";
        let keys = json!({ "a": "1970-01-01T00:00:00.000000Z" });
        assert_eq!(told, json!({ "at": at, "n": 7, "none": null, "of": [{ "at": null, "keys": keys }] }));
    }
}
