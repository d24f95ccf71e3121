//! The commands `suppressions list`, `export` and `import`.

use super::output::Output;
use super::pages::{self, Part, whom};
use super::{text, time, words};
use crate::api::{Api, Request};
use crate::args::api::{Import, Listed, Suppressions};
use crate::target::Whose;
use crate::{Failure, post, say, show, tell};
use ledger::event::Cause;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{Read as _, stdin};
use std::path::Path;
use table::{About, Hints, NO_ROW, Split};

/// The most rows of a page.
const PAGE: u64 = 1_000;
/// How many rows with a problem are told one by one.
const INVALID_TOLD: usize = 20;

/// Runs one of them. Whether all rows could be used.
///
/// # Errors
/// Where the API cannot be asked, or refuses, or a file cannot be read or written.
pub(super) fn run(command: Suppressions, whose: &Whose, json: bool) -> Result<bool, Failure> {
    match command {
        Suppressions::List { listed, paging } => list(&listed, Part::of(&paging, PAGE), whose, json)?,
        Suppressions::Export { file, listed } => {
            let out = match file.as_deref().filter(|path| *path != Path::new("-")) {
                Some(path) => Output::file(path)?,
                None => Output::stdout(),
            };
            let api = Api::open(&listed.access, whose)?;
            if json {
                pages::json(&api, request(&listed), Part::whole(PAGE), out)?;
            } else {
                export(&api, &request(&listed), out)?;
            }
        }
        Suppressions::Import(args) => return import(&args, whose, json),
    }
    Ok(true)
}

fn request(listed: &Listed) -> Request {
    let server = listed.server.server.to_string();
    Request::get(&["servers", &server, "streams", &listed.stream, "suppressions"])
        .unknown(listed.unknown)
        .with("cause", listed.cause.map(|cause| cause.name()))
        .with("origin", listed.origin.map(|origin| origin.name()))
        .with("from", listed.from)
        .with("to", listed.to)
}

fn list(listed: &Listed, part: Part, whose: &Whose, json: bool) -> Result<(), Failure> {
    let api = Api::open(&listed.access, whose)?;
    if json {
        return pages::json(&api, request(listed), part, Output::stdout());
    }
    let head = ["address", "since", "why", "put there by"];
    let row =
        |item: &Value| [whom(item), time(&item["since"]), words(&item["causes"]), text(&item["origin"])];
    pages::table(&api, request(listed), part, head, row, "Nobody is on the list.")
}

/// Writes the list page by page, with one header.
fn export(api: &Api, request: &Request, mut out: Output) -> Result<(), Failure> {
    let request = request.clone().with("format", Some("csv")).with("limit", Some(PAGE));
    let bar = post::progress(None, "exporting: rows");
    let mut cursor: Option<String> = None;
    loop {
        let told = api.ask(&request.clone().with("cursor", cursor.as_deref()))?;
        let rows = match (&cursor, told.body.iter().position(|byte| *byte == b'\n')) {
            // The header stands on each page.
            (Some(_), Some(end)) => &told.body[end + 1..],
            _ => &told.body[..],
        };
        out.write(rows)?;
        bar.inc(rows.iter().filter(|byte| **byte == b'\n').count() as u64);
        if !out.flush()? || told.next.is_none() {
            break;
        }
        if told.next == cursor {
            return Err(Failure::new("the list does not go on where it says that it does"));
        }
        cursor = told.next;
    }
    bar.finish_and_clear();
    out.end()
}

/// The command `import`.
fn import(args: &Import, whose: &Whose, json: bool) -> Result<bool, Failure> {
    let api = Api::open(&args.access, whose)?;
    let name = args.file.display();
    let failed = |error: std::io::Error| Failure::new(format!("{name}: {error}"));
    let mut text = Vec::new();
    if args.file == Path::new("-") {
        stdin().lock().read_to_end(&mut text).map_err(failed)?;
    } else {
        File::open(&args.file).map_err(failed)?.read_to_end(&mut text).map_err(failed)?;
    }
    let cause = args.cause.map(Cause::from);
    let split = table::split(&text, Hints { cause });
    let Split { parts, about } =
        split.map_err(|error| Failure::new(format!("{name}: {error}")).next("nothing was sent"))?;
    drop(text);
    let request = Request::post(&["servers", &args.server.server.to_string(), "import"])
        .with("stream", Some(&args.stream))
        .unknown(args.unknown)
        .with("cause", cause.map(Cause::name))
        .with("dry_run", args.dry_run.then_some(true))
        .again();
    let rows: usize = parts.iter().map(|part| part.rows).sum();
    let bar = post::progress(Some(rows as u64), if args.dry_run { "looking at rows" } else { "importing" });
    let mut all = Imported { about, ..Imported::default() };
    for part in parts {
        let kind = if part.is_json { "application/json" } else { "text/csv" };
        let told = api.ask(&request.clone().list(kind, part.text.clone())).map_err(|failure| {
            if args.dry_run || all.rows == 0 {
                return failure;
            }
            failure.also(format!(
                "{} of {rows} rows were taken in before; do it again: what is there is not put there twice",
                all.rows
            ))
        })?;
        all.take(told.json()?, |line| part.line(line));
        bar.inc(part.rows as u64);
    }
    bar.finish_and_clear();
    all.tell(args.dry_run, json)?;
    if all.rows == all.no_rows() {
        return Err(Failure::new(format!("{name}: there is no row in it")).next("nobody was put on the list"));
    }
    // A list that goes on is not taken in whole.
    Ok(all.count("invalid") == 0 && !all.about.goes_on)
}

/// What became of a list, all parts together.
#[derive(Default)]
struct Imported {
    format: Value,
    rows: u64,
    counts: Map<String, Value>,
    by_cause: Map<String, Value>,
    ignored_why: Map<String, Value>,
    /// Those that are told one by one.
    invalid: Vec<Value>,
    /// What is told of others one by one.
    warnings: Vec<Value>,
    /// How many warnings are not told one by one.
    warnings_more: u64,
    /// What is to be known of the list beside its rows.
    about: About,
    queued: u64,
}

impl Imported {
    fn take(&mut self, mut told: Value, line: impl Fn(u64) -> u64) {
        self.format = told["format"].take();
        self.rows += told["rows"].as_u64().unwrap_or_default();
        self.queued += told["queued"].as_u64().unwrap_or_default();
        let sums = [
            (&mut self.counts, "counts"),
            (&mut self.by_cause, "by_cause"),
            (&mut self.ignored_why, "ignored_why"),
        ];
        for (sums, name) in sums {
            for (name, count) in told[name].as_object().into_iter().flatten() {
                let sum = sums.get(name).and_then(Value::as_u64).unwrap_or_default();
                sums.insert(name.clone(), (sum + count.as_u64().unwrap_or_default()).into());
            }
        }
        self.warnings_more += told["warnings_more"].as_u64().unwrap_or_default();
        for (all, name) in [(&mut self.invalid, "invalid"), (&mut self.warnings, "warnings")] {
            for mut one in told[name].take().as_array_mut().map(std::mem::take).unwrap_or_default() {
                if let Some(at) = one["line"].as_u64() {
                    one["line"] = line(at).into();
                }
                all.push(one);
            }
        }
    }

    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// How many rows say nothing about anybody.
    fn no_rows(&self) -> u64 {
        NO_ROW.iter().filter_map(|why| self.ignored_why.get(*why)?.as_u64()).sum()
    }

    fn tell(&self, dry_run: bool, json: bool) -> Result<(), Failure> {
        let Imported {
            format, rows, counts, by_cause, ignored_why, invalid, warnings, about, queued, ..
        } = self;
        let About { address_column, columns_not_read, goes_on } = about;
        if json {
            let mut told = json!({
                "format": format, "dry_run": dry_run, "rows": rows, "counts": counts, "by_cause": by_cause,
                "ignored_why": ignored_why, "invalid": invalid, "warnings": warnings,
                "address_column": address_column, "columns_not_read": columns_not_read, "goes_on": goes_on,
                "queued": queued,
            });
            let more = self.count("invalid").saturating_sub(invalid.len() as u64);
            for (name, more) in [("invalid_more", more), ("warnings_more", self.warnings_more)] {
                if more > 0 {
                    told[name] = more.into();
                }
            }
            say(serde_json::to_string_pretty(&told)?);
            return Ok(());
        }
        let rows = |of: &Map<String, Value>| {
            of.iter().map(|(name, count)| [name.clone(), count.to_string()]).collect::<Vec<_>>()
        };
        say(show::table([&*format!("rows of {}", text(format)), "how many"], rows(counts)));
        if !by_cause.is_empty() {
            say(show::table(["cause", "how many"], rows(by_cause)));
        }
        if !ignored_why.is_empty() {
            say(show::table(["ignored", "how many"], rows(ignored_why)));
        }
        let more = |all: u64| all.saturating_sub(INVALID_TOLD as u64);
        for one in invalid.iter().take(INVALID_TOLD) {
            tell(format!("line {}: not used: {}", one["line"], text(&one["problem"])));
        }
        let unused = more(self.count("invalid"));
        if unused > 0 {
            tell(format!("and {unused} more rows that could not be used; --json tells of 100 a part"));
        }
        for one in warnings.iter().take(INVALID_TOLD) {
            tell(format!("line {}: used, but {}", one["line"], text(&one["problem"])));
        }
        let warned = more(warnings.len() as u64 + self.warnings_more);
        if warned > 0 {
            tell(format!("and {warned} more warnings; --json tells of 100 a part"));
        }
        if let Some(column) = address_column {
            tell(format!("the addresses were read from the column {column}"));
        }
        if !columns_not_read.is_empty() {
            tell(format!("not read: {}", columns_not_read.join(", ")));
        }
        if *goes_on {
            tell("CAUTION: the list says that it goes on: this is not the whole of it");
        }
        say(match (dry_run, queued) {
            (true, _) => "nothing was put on the list: leave out --dry-run to do so".to_owned(),
            (false, queued) => format!("{queued} are on their way into the ledger"),
        });
        Ok(())
    }
}
