//! In which form an answer is printed: a table for people, JSON, or CSV.

use crate::output::Output;
use crate::{Failure, USAGE, say};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use suppression_lists::write_row;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables and sentences, for people.
    Table,
    /// JSON.
    Json,
    /// CSV with a header, of lists alone.
    Csv,
}

/// The form that is asked for, if one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form(pub Option<Format>);

impl Form {
    /// Of a list: tables, unless asked otherwise.
    pub fn of_list(self) -> Format {
        self.0.unwrap_or(Format::Table)
    }

    /// Whether JSON is asked for, of what is no list.
    ///
    /// # Errors
    /// Where CSV is asked for.
    pub fn json(self) -> Result<bool, Failure> {
        match self.0 {
            Some(Format::Csv) => Err(Failure::new("this is no list, so there is no CSV of it")
                .next("ask for --format json, or leave --format out")
                .status(USAGE)),
            form => Ok(form == Some(Format::Json)),
        }
    }
}

/// The columns of a CSV: each is named as the JSON names what stands in it, with a dot for each step down.
pub type Columns = &'static [&'static str];

/// A row of CSV.
fn row(columns: Columns, item: &Value) -> Vec<String> {
    let cell = |column: &&str| {
        let value = column.split('.').fold(item, |value, name| &value[name]);
        match value {
            Value::Array(values) if values.iter().all(|value| !value.is_array() && !value.is_object()) => {
                values.iter().map(word).collect::<Vec<_>>().join(" ")
            }
            value => word(value),
        }
    };
    columns.iter().map(cell).collect()
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Writes items as rows of CSV.
///
/// # Errors
/// Where they cannot be written.
pub(crate) fn write_csv<T: Serialize>(
    out: &mut Output,
    columns: Columns,
    items: &[T],
) -> Result<(), Failure> {
    for item in items {
        write_cells(out, &row(columns, &serde_json::to_value(item)?))?;
    }
    Ok(())
}

/// Writes a row of CSV, as RFC 4180 has it and without a cell that a spreadsheet would run.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write_cells<S: AsRef<str>>(out: &mut Output, cells: &[S]) -> Result<(), Failure> {
    let mut text = Vec::new();
    write_row(&mut text, &cells.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
    out.write(text)
}

/// Prints a list that is there as a whole; `shown` is what people read.
///
/// # Errors
/// Where it cannot be printed.
pub fn print<T: Serialize>(
    form: Form,
    items: &[T],
    columns: Columns,
    shown: impl FnOnce(&[T]) -> String,
) -> Result<(), Failure> {
    match form.of_list() {
        Format::Table => say(shown(items)),
        Format::Json => say(serde_json::to_string_pretty(items)?),
        Format::Csv => {
            let mut out = Output::stdout();
            write_cells(&mut out, columns)?;
            write_csv(&mut out, columns, items)?;
            out.end()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_found_by_its_path_and_a_list_of_words_is_one_cell() {
        let item =
            json!({ "a": 1, "of": { "whom": "x@x.example" }, "causes": ["manual", "import"], "none": null });
        assert_eq!(
            row(&["a", "of.whom", "causes", "none", "of.nobody", "of"], &item),
            ["1", "x@x.example", "manual import", "", "", r#"{"whom":"x@x.example"}"#]
        );
    }

    #[test]
    fn what_is_no_list_is_never_csv() {
        assert!(Form(Some(Format::Csv)).json().is_err());
        assert_eq!((Form(Some(Format::Json)).json(), Form(None).json()), (Ok(true), Ok(false)));
    }
}
