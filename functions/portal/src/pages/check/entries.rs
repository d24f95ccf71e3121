//! The entries of a pasted list: one a line, or between commas, semicolons and tabs, as people copy them from mails and
//! spreadsheets. Whether an entry is an address is not judged here, and none is left out: one that cannot be understood is
//! told of as such.

/// The entries, without those that are blank.
pub(in crate::pages) fn entries(text: &str) -> Vec<String> {
    text.split(['\n', '\r']).flat_map(of_line).map(bare).filter(|entry| !entry.is_empty()).collect()
}

/// What stands between the delimiters of a line. Those between quotes are part of a name or an address
/// (`"Moreau, Ida" <ida@…>`, `"a,b"@…`). A quote that is not closed on its line is a character like others.
fn of_line(line: &str) -> Vec<&str> {
    let (mut found, mut begin, mut is_quoted) = (Vec::new(), 0, false);
    let mut chars = line.char_indices();
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => is_quoted = !is_quoted && line[place + 1..].contains('"'),
            // What follows stands for itself, a quote too.
            '\\' if is_quoted => drop(chars.next()),
            ',' | ';' | '\t' if !is_quoted => {
                found.push(&line[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
    }
    found.push(&line[begin..]);
    found
}

/// An entry without the quotes that a table has around a cell. Around an address they are no part of it: there would be
/// nothing behind them.
fn bare(entry: &str) -> String {
    let entry = entry.trim();
    let inner = entry.strip_prefix('"').and_then(|entry| entry.strip_suffix('"'));
    match inner.filter(|inner| inner.contains('@')) {
        Some(inner) => inner.replace("\"\"", "\"").trim().to_owned(),
        None => entry.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stand_on_lines_or_between_delimiters() {
        let both = ["ida@x.example", "bob@x.example"];
        for list in [
            "ida@x.example\r\nbob@x.example",
            "ida@x.example\nbob@x.example\n\n",
            " ida@x.example , bob@x.example ",
            "ida@x.example;bob@x.example;",
            "ida@x.example\tbob@x.example",
            "\n,;ida@x.example,\r\r;bob@x.example\t",
            "\"ida@x.example\",\"bob@x.example\"",
        ] {
            assert_eq!(entries(list), both, "{list:?}");
        }
        for list in ["", " \r\n\t", ",;,"] {
            assert!(entries(list).is_empty(), "{list:?}");
        }
    }

    #[test]
    fn what_stands_between_quotes_is_one_entry() {
        for list in [
            "\"Moreau, Ida\" <ida@x.example>",
            "\"a,b\"@x.example",
            "\"a\\\",b\"@x.example",
            "\"a;b\"@x.example",
        ] {
            assert_eq!(entries(list), [list]);
            assert_eq!(entries(&format!("{list}, bob@x.example")), [list, "bob@x.example"]);
        }
        assert_eq!(entries("\"\"\"a b\"\"@x.example\",1"), ["\"a b\"@x.example", "1"]);
        assert_eq!(
            entries("\"Ida\";ida@x.example"),
            ["\"Ida\"", "ida@x.example"],
            "a name stays, to be told of"
        );
    }

    #[test]
    fn a_quote_that_is_not_closed_swallows_nothing() {
        assert_eq!(entries("\"ida@x.example, bob@x.example"), ["\"ida@x.example", "bob@x.example"]);
        assert_eq!(
            entries("\"ida@x.example\nbob@x.example, \"c"),
            ["\"ida@x.example", "bob@x.example", "\"c"]
        );
        assert_eq!(entries("a\"b,c"), ["a\"b", "c"]);
        assert_eq!(entries("é\",ü"), ["é\"", "ü"], "whatever letters stand around it");
    }

    #[test]
    fn nothing_else_is_changed_or_left_out() {
        let odd = "<script>alert(1)</script>\n\u{202e}moc.elpmaxe@adi\n=1+1@x.example\nid:kZxV0n3qT5uYwB7cD9eFgA\n\u{200b}";
        assert_eq!(entries(odd), odd.split('\n').collect::<Vec<_>>());
        assert_eq!(entries(&"x\n".repeat(12_000)).len(), 12_000);
        assert_eq!(entries(&"\"".repeat(4_000)), ["\"".repeat(4_000)]);
    }
}
