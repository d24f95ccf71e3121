//! The description of the API, as it is put together: what people wrote of its routes (`openapi/base.json`), and the
//! schemas of the types that are asked and answered. What is served is `openapi.json`, which is checked in.

use serde_json::Value;

/// What people wrote.
const BASE: &str = include_str!("../openapi/base.json");
/// Where the schemas go.
const PLACE: &str = "\"schemas\": {}";
/// How deep they stand there, in spaces.
const INDENT: &str = "    ";

/// The description.
fn description() -> String {
    let schemas = serde_json::to_string_pretty(&Value::Object(answers::schemas())).unwrap_or_default();
    let schemas = schemas.replace('\n', &format!("\n{INDENT}"));
    assert_eq!(BASE.matches(PLACE).count(), 1, "openapi/base.json has one place for the schemas: {PLACE}");
    BASE.replace(PLACE, &format!("\"schemas\": {schemas}"))
}

#[test]
fn what_is_served_as_the_description_is_made_from_the_types_that_are_answered() {
    let made = description();
    if platform::env::is_set("POSTLEDGER_WRITE_OPENAPI") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        std::fs::write(path, &made).unwrap();
    } else {
        let differs = made.lines().zip(crate::OPENAPI.lines()).position(|(made, served)| made != served);
        assert!(
            made == crate::OPENAPI,
            "functions/api/openapi.json is not what openapi/base.json and the types of shared/answers make (line {}): \
             run `make openapi`, and look at what it changes",
            differs.map_or_else(|| "at its end".to_owned(), |line| (line + 1).to_string())
        );
    }
}

/// The names that a part of the description refers to.
fn referred<'a>(value: &'a Value, names: &mut std::collections::BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get("$ref") {
                names.extend(to.strip_prefix("#/components/schemas/"));
            }
            members.values().for_each(|member| referred(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, names)),
        _ => {}
    }
}

#[test]
fn every_schema_that_is_referred_to_is_there_and_each_that_is_there_is_referred_to() {
    let described: Value = serde_json::from_str(&description()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    referred(&described, &mut names);
    let there = described["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, there);
}

#[test]
fn every_list_that_is_understood_is_described() {
    let described: Value = serde_json::from_str(crate::OPENAPI).unwrap();
    let formats = &described["components"]["schemas"]["Imported"]["properties"]["format"]["enum"];
    assert_eq!(
        *formats,
        serde_json::json!(suppression_lists::Format::ALL.map(suppression_lists::Format::name))
    );
}
