//! The commands `suppressions list`, `export` and `import`.

use super::pages::{self, Part, Shown, whom};
use super::time;
use crate::api::{Api, Request};
use crate::args::api::{Import, Listed, Suppressions};
use crate::format::{Form, Format};
use crate::output::Output;
use crate::progress::progress;
use crate::target::Context;
use crate::{Failure, USAGE, say, show, tell};
use answers::{Imported, ImportedCounts, ImportedLine, Suppression};
use ledger::event::Cause;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, stdin};
use std::path::Path;
use suppression_lists::{About, Hints, NO_ROW, Split};

/// The most rows of a page.
const PAGE: u64 = 1_000;
/// How many rows with a problem are told one by one.
const INVALID_TOLD: usize = 20;

/// Runs one of them. Whether all rows could be used.
pub(super) fn run(command: Suppressions, context: &Context, form: Form) -> Result<bool, Failure> {
    match command {
        Suppressions::List { listed, paging } => list(&listed, Part::of(&paging, PAGE), context, form)?,
        Suppressions::Export { file, listed } => {
            let out = match file.as_deref().filter(|path| *path != Path::new("-")) {
                Some(path) => Output::file(path)?,
                None => Output::stdout(),
            };
            let request = request(&listed, context)?;
            let api = Api::open(&listed.access, context)?;
            match form.0.unwrap_or(Format::Csv) {
                Format::Csv => export(&api, &request, out)?,
                Format::Json => pages::json(&api, request, Part::whole(PAGE), out)?,
                Format::Table => {
                    return Err(Failure::new("what is exported is for programs: CSV, or JSON")
                        .next("`postledger suppressions list --all` shows it as a table")
                        .status(USAGE));
                }
            }
        }
        Suppressions::Import(args) => return import(&args, context, form.json()?),
    }
    Ok(true)
}

fn request(listed: &Listed, context: &Context) -> Result<Request, Failure> {
    let server = listed.server.id(context)?.to_string();
    Ok(Request::get(&["servers", &server, "streams", &listed.stream, "suppressions"])
        .unknown(listed.unknown)
        .with("cause", listed.cause.map(|cause| cause.name()))
        .with("origin", listed.origin.map(|origin| origin.name()))
        .with("from", listed.from)
        .with("to", listed.to))
}

fn list(listed: &Listed, part: Part, context: &Context, form: Form) -> Result<(), Failure> {
    let request = request(listed, context)?;
    let api = Api::open(&listed.access, context)?;
    let head = ["address", "since", "why", "put there by"];
    let row = |row: &Suppression| {
        let whom = whom(row.address.as_deref(), row.recipient_id);
        [whom, time(row.since), row.causes.join(" "), row.origin.clone().unwrap_or_default()]
    };
    let shown =
        Shown { head, spare: &[], none: "Nobody is on the list.", columns: &suppression_lists::COLUMNS };
    pages::print(&api, request, part, form, shown, row)
}

/// Writes the list page by page, with one header.
fn export(api: &Api, request: &Request, mut out: Output) -> Result<(), Failure> {
    let request = request.clone().with("format", Some("csv")).with("limit", Some(PAGE));
    let bar = progress(None, "exporting: rows");
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
fn import(args: &Import, context: &Context, json: bool) -> Result<bool, Failure> {
    let server = args.server.id(context)?.to_string();
    let api = Api::open(&args.access, context)?;
    let name = args.file.display();
    let failed = |error: std::io::Error| Failure::new(format!("{name}: {error}"));
    let mut text = Vec::new();
    if args.file == Path::new("-") {
        stdin().lock().read_to_end(&mut text).map_err(failed)?;
    } else {
        File::open(&args.file).map_err(failed)?.read_to_end(&mut text).map_err(failed)?;
    }
    let cause = args.cause.map(Cause::from);
    let split = suppression_lists::split(&text, Hints { cause });
    let Split { parts, about } =
        split.map_err(|error| Failure::new(format!("{name}: {error}")).next("nothing was sent"))?;
    drop(text);
    let request = Request::post(&["servers", &server, "import"])
        .with("stream", Some(&args.stream))
        .unknown(args.unknown)
        .with("cause", cause.map(Cause::name))
        .with("dry_run", args.dry_run.then_some(true))
        .again();
    let rows: usize = parts.iter().map(|part| part.rows).sum();
    let bar = progress(Some(rows as u64), if args.dry_run { "looking at rows" } else { "importing" });
    let About { address_column, columns_not_read, goes_on } = about;
    let mut all =
        Imported { dry_run: args.dry_run, address_column, columns_not_read, goes_on, ..Imported::default() };
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
        add(&mut all, told.read()?, |line| part.line(line));
        bar.inc(part.rows as u64);
    }
    bar.finish_and_clear();
    tell_of(&all, json)?;
    if all.rows == no_rows(&all) {
        return Err(Failure::new(format!("{name}: there is no row in it")).next("nobody was put on the list"));
    }
    // A list that goes on is not taken in whole.
    Ok(all.counts.invalid == 0 && !all.goes_on)
}

/// Adds what became of a part of a list to what became of the others; `line` is where one of its lines stands in all.
fn add(all: &mut Imported, part: Imported, line: impl Fn(u64) -> u64) {
    all.format = part.format;
    all.rows += part.rows;
    all.queued += part.queued;
    let ImportedCounts { new, already, duplicate, ignored, invalid } = part.counts;
    all.counts.new += new;
    all.counts.already += already;
    all.counts.duplicate += duplicate;
    all.counts.ignored += ignored;
    all.counts.invalid += invalid;
    for (sums, counts) in [(&mut all.by_cause, part.by_cause), (&mut all.ignored_why, part.ignored_why)] {
        for (name, count) in counts {
            *sums.entry(name).or_default() += count;
        }
    }
    let more = [(&mut all.invalid_more, part.invalid_more), (&mut all.warnings_more, part.warnings_more)];
    for (sum, more) in more {
        if let Some(more) = more {
            *sum = Some(sum.unwrap_or_default() + more);
        }
    }
    for (lines, part) in [(&mut all.invalid, part.invalid), (&mut all.warnings, part.warnings)] {
        lines.extend(part.into_iter().map(|one| ImportedLine { line: line(one.line), ..one }));
    }
}

/// How many rows say nothing about anybody.
fn no_rows(all: &Imported) -> usize {
    NO_ROW.iter().filter_map(|why| all.ignored_why.get(*why)).sum()
}

/// Says what became of a list.
fn tell_of(all: &Imported, json: bool) -> Result<(), Failure> {
    if json {
        say(serde_json::to_string_pretty(all)?);
        return Ok(());
    }
    let rows = |of: &BTreeMap<String, usize>| {
        of.iter().map(|(name, count)| [name.clone(), count.to_string()]).collect::<Vec<_>>()
    };
    let ImportedCounts { new, already, duplicate, ignored, invalid } = all.counts;
    let counts = [
        ("already", already),
        ("duplicate", duplicate),
        ("ignored", ignored),
        ("invalid", invalid),
        ("new", new),
    ];
    let counts = counts.map(|(name, count)| [name.to_owned(), count.to_string()]);
    say(show::table([&*format!("rows of {}", all.format), "how many"], counts));
    if !all.by_cause.is_empty() {
        say(show::table(["cause", "how many"], rows(&all.by_cause)));
    }
    if !all.ignored_why.is_empty() {
        say(show::table(["ignored", "how many"], rows(&all.ignored_why)));
    }
    let more = |all: usize| all.saturating_sub(INVALID_TOLD);
    for one in all.invalid.iter().take(INVALID_TOLD) {
        tell(format!("line {}: not used: {}", one.line, one.problem));
    }
    let unused = more(invalid);
    if unused > 0 {
        tell(format!("and {unused} more rows that could not be used; --json tells of 100 a part"));
    }
    for one in all.warnings.iter().take(INVALID_TOLD) {
        tell(format!("line {}: used, but {}", one.line, one.problem));
    }
    let warned = more(all.warnings.len() + all.warnings_more.unwrap_or_default());
    if warned > 0 {
        tell(format!("and {warned} more warnings; --json tells of 100 a part"));
    }
    if let Some(column) = &all.address_column {
        tell(format!("the addresses were read from the column {column}"));
    }
    if !all.columns_not_read.is_empty() {
        tell(format!("not read: {}", all.columns_not_read.join(", ")));
    }
    if all.goes_on {
        tell("CAUTION: the list says that it goes on: this is not the whole of it");
    }
    say(match (all.dry_run, all.queued) {
        (true, _) => "nothing was put on the list: leave out --dry-run to do so".to_owned(),
        (false, queued) => format!("{queued} are on their way into the ledger"),
    });
    Ok(())
}
