//! Lists as JSON, as the interfaces of services answer: a page with an array of entries, an array by itself, one entry a
//! line, or several of these one behind the other. What an entry calls its values are its columns.

use crate::file::SheetError;
use crate::header::is_address;
use crate::scan::{Cell, Record, line_ends};
use crate::words::plain;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What names the next page of a list, in one word: Amazon's, and ours.
const NEXT: [&str; 2] = ["nexttoken", "nextcursor"];
/// The names of the member that counts the entries on all pages: Postmark's, Brevo's.
const TOTAL: [&str; 2] = ["totalcount", "count"];

const NO_ENTRY: &str = "the entry is neither an object nor a text";
const TWICE: &str = "the entry has two values of one name";

/// A list that was read.
pub(crate) struct Entries<'a> {
    /// What the columns are called; none where the entries are bare texts.
    pub(crate) names: Vec<String>,
    /// The entries, each with a cell for each column.
    pub(crate) records: Vec<Record<'a>>,
    /// It says that there is more than stands in it.
    pub(crate) goes_on: bool,
}

/// Whether a text is JSON, by how it begins.
pub(crate) fn is_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Reads a list.
///
/// # Errors
/// It is no JSON, or has no array of entries.
pub(crate) fn entries(text: &[u8]) -> Result<Entries<'_>, SheetError> {
    let text = std::str::from_utf8(text).map_err(|_| SheetError::Json { line: 1 })?;
    let place = |raw: &RawValue| {
        let begin = raw.get().as_ptr() as usize - text.as_ptr() as usize;
        begin..begin + raw.get().len()
    };
    let mut found = Found::default();
    for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let document = document.map_err(|error| SheetError::Json { line: error.line() as u64 })?;
        found.document(document).ok_or_else(|| SheetError::Entries {
            line: line_ends(&text.as_bytes()[..place(document).start]) + 1,
        })?;
    }
    let mut names: Vec<String> = Vec::new();
    for (name, _) in found.entries.iter().filter_map(|entry| entry.cells.as_ref().ok()).flatten() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let (mut line, mut counted) = (1, 0);
    let records = found.entries.into_iter().map(|entry| {
        let span = place(entry.raw);
        line += line_ends(&text.as_bytes()[counted..span.start]);
        counted = span.start;
        let cells = entry.cells.map(|cells| in_columns(&names, cells));
        Record { line, span, cells }
    });
    let records: Vec<Record<'_>> = records.collect();
    let goes_on = found.next || found.total.is_some_and(|total| total > records.len() as u64);
    let names = if names == [""] { Vec::new() } else { names };
    Ok(Entries { names, records, goes_on })
}

fn in_columns<'a>(names: &[String], mut cells: Vec<(String, String)>) -> Vec<Cell<'a>> {
    let mut cell = |name: &String| {
        let at = cells.iter().position(|(other, _)| other == name);
        Cow::Owned(at.map(|at| cells.swap_remove(at).1.into_bytes()).unwrap_or_default())
    };
    names.iter().map(&mut cell).collect()
}

/// An entry: its text, and its values by their names.
struct Entry<'a> {
    raw: &'a RawValue,
    cells: Result<Vec<(String, String)>, &'static str>,
}

/// What several documents have, all together.
#[derive(Default)]
struct Found<'a> {
    entries: Vec<Entry<'a>>,
    next: bool,
    total: Option<u64>,
}

impl<'a> Found<'a> {
    /// Takes a document; `None` if it is not a list.
    fn document(&mut self, raw: &'a RawValue) -> Option<()> {
        if let Some(entries) = array(raw) {
            self.entries.extend(entries.into_iter().map(entry));
            return Some(());
        }
        let members: Members<'_> = serde_json::from_str(raw.get()).ok()?;
        if members.0.iter().any(|(name, value)| is_address(&plain(name)) && text(value).is_some()) {
            self.entries.push(entry(raw));
            return Some(());
        }
        let mut arrays = members.0.iter().filter_map(|(_, value)| array(value));
        let (entries, None) = (arrays.next()?, arrays.next()) else { return None };
        self.entries.extend(entries.into_iter().map(entry));
        let named = |known: &[&str]| members.0.iter().find(|(name, _)| known.contains(&&*plain(name)));
        // A page that stands behind another one is its next one.
        self.next = named(&NEXT).is_some_and(|(_, value)| text(value).is_some_and(|text| !text.is_empty()));
        self.total =
            named(&TOTAL).and_then(|(_, value)| value.get().trim_matches('"').parse().ok()).or(self.total);
        Some(())
    }
}

fn array(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn entry(raw: &RawValue) -> Entry<'_> {
    let cells = match (text(raw), serde_json::from_str::<Members<'_>>(raw.get())) {
        (Some(text), _) => Ok(vec![(String::new(), text)]),
        (None, Ok(members)) => cells(members),
        (None, Err(_)) => Err(NO_ENTRY),
    };
    Entry { raw, cells }
}

/// The values of an entry; those of an object in it have the names of both.
fn cells(members: Members<'_>) -> Result<Vec<(String, String)>, &'static str> {
    let mut cells: Vec<(String, String)> = Vec::new();
    for (name, value) in members.0 {
        match serde_json::from_str::<Members<'_>>(value.get()) {
            Ok(within) => {
                cells
                    .extend(within.0.into_iter().map(|(own, value)| (format!("{name}.{own}"), shown(value))));
            }
            Err(_) => cells.push((name, shown(value))),
        }
    }
    let mut names: Vec<&str> = cells.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) { Err(TWICE) } else { Ok(cells) }
}

/// A value as a cell: texts as they are, several with spaces between them, anything else as it is written.
fn shown(raw: &RawValue) -> String {
    let texts = || serde_json::from_str::<Vec<String>>(raw.get()).ok().map(|texts| texts.join(" "));
    let other = || if raw.get() == "null" { String::new() } else { raw.get().to_owned() };
    text(raw).or_else(texts).unwrap_or_else(other)
}

/// The members of an object in their order, each as often as it is there.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Members<'de>, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (u64, Result<Vec<String>, &'static str>);

    fn read(text: &str) -> (Vec<String>, Vec<Case>, bool) {
        let Entries { names, records, goes_on } = entries(text.as_bytes()).unwrap();
        let cell = |cell: &Cell<'_>| String::from_utf8(cell.to_vec()).unwrap();
        let rows = records
            .into_iter()
            .map(|record| (record.line, record.cells.map(|cells| cells.iter().map(cell).collect())));
        (names, rows.collect(), goes_on)
    }

    fn ok(line: u64, cells: &[&str]) -> Case {
        (line, Ok(cells.iter().map(|cell| (*cell).to_owned()).collect()))
    }

    #[test]
    fn a_page_an_array_and_entries_by_themselves_are_one_list() {
        let rows = [ok(1, &["a@x", "1.5"]), ok(2, &["b@x", ""])];
        for text in [
            "{\"List\":[{\"Email\":\"a@x\",\"at\":1.5},\n{\"Email\":\"b@x\",\"at\":null}]}",
            "[{\"Email\":\"a@x\",\"at\":1.5},\n{\"Email\":\"b@x\"}]",
            "{\"Email\":\"a@x\",\"at\":1.5}\n{\"at\":\"\",\"Email\":\"b@x\"}\n",
            "{\"List\":[{\"Email\":\"a@x\",\"at\":1.5}],\"NextToken\":\"t\"}\n{\"List\":[{\"Email\":\"b@x\"}]}",
        ] {
            assert_eq!(
                read(text),
                (vec!["Email".to_owned(), "at".to_owned()], rows.to_vec(), false),
                "{text}"
            );
        }
        assert_eq!(read("[\"a@x\",\n\"b@x\"]"), (vec![], vec![ok(1, &["a@x"]), ok(2, &["b@x"])], false));
        assert_eq!(read("{\"List\":[]}"), (vec![], vec![], false));
    }

    #[test]
    fn objects_within_and_lists_of_words_are_cells() {
        let text = "[{\"email\":\"a@x\",\"reason\":{\"code\":\"c\",\"of\":{\"x\":1}},\"causes\":[\"a\",\"b\"],\"ok\":true}]";
        let names = ["email", "reason.code", "reason.of", "causes", "ok"].map(str::to_owned).to_vec();
        assert_eq!(read(text), (names, vec![ok(1, &["a@x", "c", "{\"x\":1}", "a b", "true"])], false));
    }

    #[test]
    fn a_list_says_that_it_goes_on() {
        for (rest, goes_on) in [
            ("\"NextToken\":\"x\"", true),
            ("\"next_cursor\":\"x\"", true),
            ("\"NextToken\":\"\"", false),
            ("\"NextToken\":null", false),
            ("\"TotalCount\":2", true),
            ("\"TotalCount\":\"2\"", true),
            ("\"count\":1", false),
        ] {
            assert_eq!(read(&format!("{{\"List\":[{{\"Email\":\"a@x\"}}],{rest}}}")).2, goes_on, "{rest}");
        }
    }

    #[test]
    fn what_is_no_entry_is_told_and_what_is_no_list_refused() {
        let (_, rows, _) = read("[{\"email\":\"a@x\"},\n1,\n{\"email\":\"b@x\",\"email\":\"c@x\"}]");
        assert_eq!(rows, [ok(1, &["a@x"]), (2, Err(NO_ENTRY)), (3, Err(TWICE))]);
        let refused = |text: &str| entries(text.as_bytes()).err();
        for (text, line) in [("[{\"email\":\"a@x\"},\n{\"email\":", 2), ("[1]\n[", 2), ("{\"a\":1}}", 1)] {
            assert!(
                matches!(refused(text), Some(SheetError::Json { line: at } | SheetError::Entries { line: at }) if at == line),
                "{text}"
            );
        }
        for text in ["{\"a\":1}", "{\"a\":[],\"b\":[]}", "\n{}"] {
            assert!(matches!(refused(text), Some(SheetError::Entries { .. })), "{text}");
        }
    }
}
