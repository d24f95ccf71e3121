//! Lists, page by page: as one JSON document or as tables, whatever their length, and only a page in memory.

use crate::api::{Api, Request};
use crate::args::api::Paging;
use crate::format::{self, Columns, Form, Format};
use crate::output::Output;
use crate::{Failure, say, show, tell};
use ledger::RecipientId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Which part of a list is asked for.
pub(super) struct Part {
    /// How many items at most; `None`: all.
    most: Option<u64>,
    /// How many the API gives at once.
    page: u64,
    cursor: Option<String>,
}

impl Part {
    /// As the arguments say, of a list whose pages have so many items at most.
    pub(super) fn of(paging: &Paging, page: u64) -> Part {
        let most = (!paging.all).then_some(paging.limit);
        Part { most, page, cursor: paging.cursor.clone() }
    }

    /// The whole list.
    pub(super) fn whole(page: u64) -> Part {
        Part { most: None, page, cursor: None }
    }
}

/// What is told beside the items.
pub(super) struct Rest {
    /// Where the list goes on.
    pub(super) next: Option<String>,
    /// The other members of the answer.
    pub(super) more: Map<String, Value>,
}

/// A page of any list.
#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// Goes through a list, until it ends, as many are there as were asked for, or `each` has enough.
///
/// # Errors
/// Where a page cannot be had, or `each`'s own.
pub(super) fn walk<T: DeserializeOwned>(
    api: &Api,
    request: Request,
    part: Part,
    mut each: impl FnMut(Vec<T>) -> Result<bool, Failure>,
) -> Result<Rest, Failure> {
    let Part { most, page, mut cursor } = part;
    let mut left = most.unwrap_or(u64::MAX);
    let mut more = Map::new();
    loop {
        let request = request.clone().with("limit", Some(left.min(page))).with("cursor", cursor.as_deref());
        let Page { items, next, more: beside } = api.ask(&request)?.read()?;
        for (name, value) in beside {
            // What was left out of one page is missing in the whole, whatever the next page says.
            if more.get(&name) != Some(&Value::Bool(true)) {
                more.insert(name, value);
            }
        }
        left = left.saturating_sub(items.len() as u64);
        let wanted = each(items)?;
        if next.is_none() || left == 0 || !wanted {
            return Ok(Rest { next, more });
        }
        if next == cursor {
            return Err(Failure::new("the list does not go on where it says that it does"));
        }
        cursor = next;
    }
}

/// Prints a list as the API's JSON: one document.
pub(super) fn json(api: &Api, request: Request, part: Part, mut out: Output) -> Result<(), Failure> {
    let mut between = "\n  ";
    let mut begun = false;
    let rest = walk(api, request, part, |items: Vec<Value>| {
        if !begun {
            out.write("{\"items\": [")?;
            begun = true;
        }
        for item in items {
            out.json(&format!("{between}{item}"))?;
            between = ",\n  ";
        }
        out.flush()
    })?;
    let mut members = rest.more;
    members.insert("next".to_owned(), rest.next.into());
    let members = members.into_iter().map(|(name, value)| format!(",\n\"{name}\": {value}"));
    out.json(&format!("\n]{}}}\n", members.collect::<String>()))?;
    out.end()
}

/// Prints a list as CSV, with one header.
fn csv(api: &Api, request: Request, part: Part, columns: Columns) -> Result<(), Failure> {
    let mut out = Output::stdout();
    format::write_cells(&mut out, columns)?;
    let rest = walk(api, request, part, |items: Vec<Value>| {
        format::write_csv(&mut out, columns, &items)?;
        out.flush()
    })?;
    out.end()?;
    tell_rest(rest);
    Ok(())
}

/// How a list is shown to people, and what of it a CSV has.
pub(super) struct Shown<'a, const N: usize> {
    /// The heads of the columns.
    pub(super) head: [&'a str; N],
    /// Which of them a narrow terminal goes without, the first one first.
    pub(super) spare: &'a [&'a str],
    /// What is said where there is nothing.
    pub(super) none: &'a str,
    /// The columns of a CSV.
    pub(super) columns: Columns,
}

/// Prints a list in the form that is asked for: for people a table for each page, and how it goes on.
pub(super) fn print<T: DeserializeOwned, const N: usize>(
    api: &Api,
    request: Request,
    part: Part,
    form: Form,
    shown: Shown<'_, N>,
    row: impl Fn(&T) -> [String; N],
) -> Result<(), Failure> {
    match form.of_list() {
        Format::Json => return json(api, request, part, Output::stdout()),
        Format::Csv => return csv(api, request, part, shown.columns),
        Format::Table => {}
    }
    let mut found = false;
    let rest = walk(api, request, part, |items: Vec<T>| {
        if !items.is_empty() {
            say(show::fitting(shown.head, items.iter().map(&row), shown.spare));
            found = true;
        }
        Ok(true)
    })?;
    if !found {
        say(shown.none);
    }
    tell_rest(rest);
    Ok(())
}

/// Says what of a list is not there.
fn tell_rest(rest: Rest) {
    if rest.more.get("truncated") == Some(&Value::Bool(true)) {
        tell("more happened than can be listed: some of it is left out");
    }
    if let Some(from) = rest.more.get("whole_from").and_then(Value::as_str) {
        tell(format!(
            "the list is whole from {from} on: older events may be missing, until whoever runs the ledger has filled them in \
             by `postledger index fill`"
        ));
    }
    if let Some(next) = rest.next {
        tell(format!("\nthere may be more: --all shows all, --cursor {next} goes on here"));
    }
}

/// Whom an item is about: the address as far as it is shown, else the id.
pub(super) fn whom(address: Option<&str>, id: RecipientId) -> String {
    address.map_or_else(|| format!("id:{id}"), str::to_owned)
}
