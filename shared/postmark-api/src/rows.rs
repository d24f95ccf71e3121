//! The rows of one list in a JSON object, cut out of chunks: `{"Suppressions":[{..},{..}]}` at the memory of one row.
//!
//! Only the outline is looked at here (objects, lists, strings, escapes), so that each row can be cut out whole and
//! given to a real parser. What stands beside the list is passed over without a look into it.

use bytes::{Buf as _, Bytes};

/// The largest row that is taken, in bytes. One of a suppression list has some 150.
pub const ROW_BYTES_MAX: usize = 64 * 1024;

/// Cuts rows out of chunks.
pub(crate) struct Rows {
    /// The name of the list.
    list: &'static str,
    state: State,
    /// The row, or the name of a member, as far as it has come.
    held: Vec<u8>,
    /// Rows that were cut out.
    pub(crate) cut: u64,
    /// The list was there.
    seen: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The outer object.
    Start,
    /// A member, or the end of the object if it has none yet.
    Member { first: bool },
    /// The rest of a member's name.
    Name { escaped: bool },
    /// The colon after it.
    Colon,
    /// A member's value.
    Value,
    /// The rest of a value that is passed over.
    Passed(Nest),
    /// A comma, or the end of the outer object.
    AfterValue,
    /// A row, or the end of the list if it has none yet.
    Element { first: bool },
    /// The rest of a row.
    Row(Nest),
    /// A comma, or the end of the list.
    AfterRow,
    /// Nothing but white space.
    Done,
}

/// Where inside a value one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Nest {
    depth: u32,
    string: bool,
    escaped: bool,
}

impl Nest {
    /// Takes a byte of the value; whether it was the last of an object, a list or a string.
    fn ends(&mut self, byte: u8) -> bool {
        if self.string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.string = false,
                _ => {}
            }
            return !self.string && self.depth == 0;
        }
        match byte {
            b'"' => self.string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

impl Rows {
    pub(crate) fn new(list: &'static str) -> Rows {
        Rows { list, state: State::Start, held: Vec::new(), cut: 0, seen: false }
    }

    /// Takes from a chunk up to the end of the next row, and puts the row into `row`; `false` if the chunk is used up
    /// before.
    ///
    /// # Errors
    /// If it is not the JSON that is expected, in words that quote nothing.
    pub(crate) fn next(&mut self, chunk: &mut Bytes, row: &mut Vec<u8>) -> Result<bool, String> {
        let mut used = 0;
        while used < chunk.len() {
            let byte = chunk[used];
            used += 1;
            if self.take(byte)? {
                std::mem::swap(row, &mut self.held);
                self.held.clear();
                self.cut += 1;
                chunk.advance(used);
                return Ok(true);
            }
        }
        chunk.advance(used);
        Ok(false)
    }

    /// The bytes that it has taken for what it holds.
    #[cfg(test)]
    pub(crate) fn holds(&self) -> usize {
        self.held.capacity()
    }

    /// What is to be said at the end of the body: whether it was one.
    pub(crate) fn end(&self) -> Result<(), String> {
        match self.state {
            State::Done if self.seen => Ok(()),
            State::Done => Err(format!("it has no list {}", self.list)),
            _ => Err(format!("it was cut off after {} rows", self.cut)),
        }
    }

    /// Takes a byte; whether a row ends with it.
    fn take(&mut self, byte: u8) -> Result<bool, String> {
        match &mut self.state {
            State::Row(nest) => {
                let ends = nest.ends(byte);
                self.hold(byte)?;
                if ends {
                    self.state = State::AfterRow;
                }
                return Ok(ends);
            }
            State::Name { escaped } => {
                match byte {
                    _ if *escaped => *escaped = false,
                    b'\\' => *escaped = true,
                    b'"' => {
                        self.state = State::Colon;
                        return Ok(false);
                    }
                    _ => {}
                }
                self.hold(byte)?;
            }
            State::Passed(nest) => {
                if nest.depth == 0
                    && !nest.string
                    && matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n')
                {
                    // A number or a word ends where something else begins.
                    self.state = State::AfterValue;
                    return self.take(byte);
                }
                if nest.ends(byte) {
                    self.state = State::AfterValue;
                }
            }
            _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => {}
            state => {
                self.state = match (*state, byte) {
                    (State::Start, b'{') => State::Member { first: true },
                    (State::Member { .. }, b'"') => State::Name { escaped: false },
                    (State::Member { first: true } | State::AfterValue, b'}') => State::Done,
                    (State::Colon, b':') => State::Value,
                    (State::Value, b'[') if self.names_list() => {
                        if std::mem::replace(&mut self.seen, true) {
                            return Err(format!("it has the list {} twice", self.list));
                        }
                        self.held.clear();
                        State::Element { first: true }
                    }
                    (State::Value, _) if self.names_list() => {
                        return Err(format!("its {} is no list", self.list));
                    }
                    (State::Value, b',' | b'}' | b']' | b':') => return Err(self.outline()),
                    (State::Value, _) => {
                        self.held.clear();
                        let mut nest = Nest::default();
                        nest.ends(byte);
                        State::Passed(nest)
                    }
                    (State::AfterValue, b',') => State::Member { first: false },
                    (State::Element { .. }, b'{') => {
                        self.held.push(byte);
                        State::Row(Nest { depth: 1, ..Nest::default() })
                    }
                    (State::Element { first: true } | State::AfterRow, b']') => State::AfterValue,
                    (State::AfterRow, b',') => State::Element { first: false },
                    (State::Element { .. }, _) => {
                        return Err(format!("row {} of {} is no object", self.cut + 1, self.list));
                    }
                    _ => return Err(self.outline()),
                };
            }
        }
        Ok(false)
    }

    /// Whether the member's name that is held is the list's, however it is escaped.
    fn names_list(&self) -> bool {
        if !self.held.contains(&b'\\') {
            return self.held == self.list.as_bytes();
        }
        let quoted = [b"\"", self.held.as_slice(), b"\""].concat();
        serde_json::from_slice::<String>(&quoted).is_ok_and(|name| name == self.list)
    }

    fn hold(&mut self, byte: u8) -> Result<(), String> {
        if self.held.len() >= ROW_BYTES_MAX {
            return Err(format!("what comes after row {} is larger than {ROW_BYTES_MAX} bytes", self.cut));
        }
        self.held.push(byte);
        Ok(())
    }

    fn outline(&self) -> String {
        format!("it is not the JSON object that is expected, after {} rows", self.cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn cut(pieces: &[&[u8]]) -> Result<Vec<Value>, String> {
        let (mut rows, mut found, mut row) = (Rows::new("Rows"), Vec::new(), Vec::new());
        for piece in pieces {
            let mut chunk = Bytes::copy_from_slice(piece);
            while rows.next(&mut chunk, &mut row)? {
                found.push(serde_json::from_slice(&row).map_err(|error| error.to_string())?);
            }
            assert!(chunk.is_empty());
        }
        rows.end()?;
        Ok(found)
    }

    #[test]
    fn rows_are_cut_out_whatever_stands_beside_them() {
        for (text, expected) in [
            (r#"{"Rows":[]}"#, vec![]),
            (
                " {\r\n\"Rows\" : [ { } ,\t{\"a\":[1,{\"b\":null}]} ] }\n",
                vec![json!({}), json!({"a": [1, {"b": null}]})],
            ),
            (
                r#"{"Total":2,"Rows":[{"a":"}]\"{"}],"More":{"Rows":[{"x":1}]},"n":null}"#,
                vec![json!({"a": "}]\"{"})],
            ),
            (
                r#"{"a":"Rows","b":[[],"]"],"c":-1.5e3 ,"d":true,"Rows":[{"a":"\\"}]}"#,
                vec![json!({"a": "\\"})],
            ),
            (r#"{"\u0052ows":[{"a":"ä☂"}],"\"":""}"#, vec![json!({"a": "ä☂"})]),
        ] {
            assert_eq!(cut(&[text.as_bytes()]), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_anywhere_is_an_error_and_never_an_end() {
        let text = r#"{"Total":2,"Rows":[{"a":"x"},{"b":[1]}],"n":12}"#;
        for end in 0..text.len() {
            assert!(cut(&[&text.as_bytes()[..end]]).is_err(), "{}", &text[..end]);
        }
        assert!(cut(&[text.as_bytes()]).is_ok());
    }

    #[test]
    fn what_is_not_such_a_list_is_refused_and_says_where() {
        for (text, words) in [
            ("", "cut off after 0 rows"),
            ("<html>", "not the JSON object"),
            ("[]", "not the JSON object"),
            ("{}", "no list Rows"),
            (r#"{"Message":"OK"}"#, "no list Rows"),
            (r#"{"Rows":null}"#, "is no list"),
            (r#"{"Rows":{}}"#, "is no list"),
            (r#"{"Rows":[{},1]}"#, "row 2 of Rows is no object"),
            (r#"{"Rows":[{},]}"#, "row 2 of Rows is no object"),
            (r#"{"Rows":[{}{}]}"#, "after 1 rows"),
            (r#"{"Rows":[],"Rows":[{}]}"#, "twice"),
            (r#"{"Rows":[]}{"#, "not the JSON object"),
            (r#"{"Rows":[],}"#, "not the JSON object"),
            (r#"{"a":,"Rows":[]}"#, "not the JSON object"),
            (r#"{"a":1 2,"Rows":[]}"#, "not the JSON object"),
        ] {
            let error = cut(&[text.as_bytes()]).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_row_without_end_takes_no_more_memory_than_its_limit() {
        let mut text = br#"{"Rows":[{"a":1},{"a":""#.to_vec();
        text.extend(std::iter::repeat_n(b'x', 10 * ROW_BYTES_MAX));
        let error = cut(&[&text]).unwrap_err();
        assert!(error.contains("after row 1 is larger"), "{error}");
        let passed = [&br#"{"n":""#[..], &text[30..], br#"","Rows":[{}]}"#].concat();
        assert_eq!(cut(&[&passed]), Ok(vec![json!({})]));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            r#"[ -~äß☂𝄞"\\{}\[\],:\n]{0,12}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zR\"\\\\]{0,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_rows(
            rows in prop::collection::vec(prop::collection::btree_map("[a-z\"]{0,5}", value(), 0..4), 0..6),
            before in prop::collection::btree_map("[a-z]{0,6}", value(), 0..3),
            after in prop::collection::btree_map("[a-z]{0,6}", value(), 0..3),
            splits in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            pretty in any::<bool>(),
        ) {
            let rows: Vec<Value> =
                rows.into_iter().map(|members| Value::Object(members.into_iter().collect())).collect();
            let text = |value: &Value| {
                if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap()
            };
            let mut members: Vec<String> =
                before.iter().map(|(name, value)| format!("{}:{}", json!(name), text(value))).collect();
            members.push(format!("\"Rows\":{}", text(&json!(rows))));
            members.extend(after.iter().map(|(name, value)| format!("{} : {}", json!(name), text(value))));
            let body = format!("{{{}}}", members.join(","));
            let mut at: Vec<usize> = splits.iter().map(|index| index.index(body.len() + 1)).collect();
            at.sort_unstable();
            let bounds = [vec![0], at, vec![body.len()]].concat();
            let pieces: Vec<&[u8]> = bounds.windows(2).map(|pair| &body.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(cut(&pieces), Ok(rows.clone()));
            let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            prop_assert_eq!(cut(&bytes), Ok(rows));
        }

        #[test]
        fn no_bytes_whatever_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = cut(&[&bytes]);
            let _ = cut(&[br#"{"Rows":[{"a":"#, &bytes]);
        }
    }
}
