//! The command `check`: may these addresses be mailed on a stream.

use crate::api::{Api, Request};
use crate::args::Unknown;
use crate::args::api::Check;
use crate::format::{self, Form, Format};
use crate::output::Output;
use crate::progress::progress;
use crate::target::Context;
use crate::{Failure, say, show, tell};
use answers::{CheckRequest, Checked, CheckedAddress};
use indicatif::ProgressBar;
use ledger::ServerId;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, stdin};
use std::path::Path;
use std::process::ExitCode;
use suppression_lists::Found;

/// How many addresses are asked about at once.
const CHUNK: usize = 10_000;
/// How many bytes of addresses, which have to fit into a request.
const CHUNK_BYTES_MAX: usize = 3 * 1024 * 1024;
/// The columns.
const COLUMNS: [&str; 4] = ["address", "verdict", "reasons", "since"];
/// What is told of what is no address.
const INVALID: &str = "invalid";
/// How many of these are told one by one.
const INVALID_TOLD: usize = 20;
/// What it exits with where it could not be asked, so that this is not taken for an answer.
const NOT_ASKED: u8 = 2;

/// The command.
pub(super) fn run(args: &Check, context: &Context, form: Form) -> Result<ExitCode, Failure> {
    checked(args, context, form.0.unwrap_or(Format::Csv)).map_err(|failure| failure.status(NOT_ASKED))
}

fn checked(args: &Check, context: &Context, format: Format) -> Result<ExitCode, Failure> {
    let (server, stream) = (args.server.id(context)?, args.stream.as_str());
    let api = Api::open(&args.access, context)?;
    let mut checking = Checking::new(&api, server, stream, args.unknown, format);
    let mut whole = true;
    if args.addresses.is_empty() {
        let named = args.file.as_deref().filter(|path| *path != Path::new("-"));
        let name = named.map_or("the standard input".to_owned(), |path| path.display().to_string());
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{name}: {error}"));
        let mut text = Vec::new();
        let read = match named {
            Some(path) => File::open(path).and_then(|mut file| file.read_to_end(&mut text)),
            None => stdin().lock().read_to_end(&mut text),
        };
        read.map_err(|error| failed(&error))?;
        let list = suppression_lists::addresses(&text).map_err(|error| failed(&error))?;
        drop(text);
        if let Some(column) = list.guessed {
            tell(format!(
                "{name}: the first line is taken for a header, and its column {column} for the addresses"
            ));
        }
        whole = list.others.is_empty() && !list.goes_on;
        if !list.others.is_empty() {
            tell(format!(
                "CAUTION: {name} has addresses in other columns too, which are not asked about: {}",
                list.others.join(", ")
            ));
        }
        if list.goes_on {
            tell(format!("CAUTION: {name} says that it goes on: this is not the whole list"));
        }
        if list.found.is_empty() {
            return Err(failed(&"there is no address in it"));
        }
        checking.bar = progress(Some(list.found.len() as u64), "checking");
        for found in list.found {
            if !checking.take(found)? {
                return Err(Failure::new(
                    "nobody reads the answers any more: not all of the list was checked",
                ));
            }
        }
    } else {
        for (address, line) in args.addresses.iter().zip(1..) {
            checking.take(Found { line, address: address.clone(), problem: None })?;
        }
    }
    // Who was not asked about may be anybody.
    let good = checking.end(args.strict)? && whole;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn not_an_answer() -> Failure {
    Failure::new("the answer is not about all that was asked, and nothing else")
        .next("see whether a proxy stands between; --url or POSTLEDGER_URL names the API")
}

/// A list that is being checked.
struct Checking<'a> {
    api: &'a Api,
    server: ServerId,
    request: Request,
    stream: &'a str,
    unknown: Unknown,
    format: Format,
    /// What a table has, until it is shown.
    rows: Vec<[String; 4]>,
    out: Output,
    bar: ProgressBar,
    chunk: Vec<Found>,
    bytes: usize,
    counts: BTreeMap<String, u64>,
    /// The first of those that are no addresses, as they are told.
    invalid: Vec<String>,
    /// How many had invisible characters, and the first of them, as they are told.
    cleaned: usize,
    cleaned_told: Vec<String>,
    /// The last answer, but for its results.
    last: Option<Checked>,
    begun: bool,
}

impl<'a> Checking<'a> {
    fn new(
        api: &'a Api,
        server: ServerId,
        stream: &'a str,
        unknown: Unknown,
        format: Format,
    ) -> Checking<'a> {
        Checking {
            api,
            server,
            // It is asked by POST, and changes nothing.
            request: Request::post(&["servers", &server.to_string(), "check"]).again(),
            stream,
            unknown,
            format,
            rows: Vec::new(),
            out: Output::stdout(),
            bar: ProgressBar::hidden(),
            chunk: Vec::new(),
            bytes: 0,
            counts: BTreeMap::new(),
            invalid: Vec::new(),
            cleaned: 0,
            cleaned_told: Vec::new(),
            last: None,
            begun: false,
        }
    }

    /// Takes an address. Whether somebody still reads the answers.
    fn take(&mut self, found: Found) -> Result<bool, Failure> {
        self.bytes += found.address.len();
        self.chunk.push(found);
        if self.chunk.len() == CHUNK || self.bytes >= CHUNK_BYTES_MAX { self.ask() } else { Ok(true) }
    }

    fn ask(&mut self) -> Result<bool, Failure> {
        self.bytes = 0;
        let chunk = std::mem::take(&mut self.chunk);
        let asked = chunk.iter().filter(|found| found.problem.is_none()).map(|found| found.address.clone());
        let addresses: Vec<String> = asked.collect();
        let asked = addresses.len();
        let (mut results, mut problems) = (Vec::new(), BTreeMap::new());
        if asked > 0 {
            let (stream, unknown_stream) = (self.stream.to_owned(), self.unknown.meant());
            let body = CheckRequest { stream, addresses, unknown_stream };
            let mut told: Checked = self.api.ask(&self.request.clone().json(&body))?.read()?;
            self.is_about_what_was_asked(&told)?;
            results = std::mem::take(&mut told.results);
            problems =
                std::mem::take(&mut told.invalid).into_iter().map(|one| (one.index, one.problem)).collect();
            self.last = Some(told);
        }
        if results.len() + problems.len() != asked {
            return Err(not_an_answer());
        }
        let mut results = results.into_iter();
        if !std::mem::replace(&mut self.begun, true) && self.format == Format::Csv {
            self.row(COLUMNS.map(str::to_owned))?;
        }
        let mut place = 0;
        for found in &chunk {
            let problem = match found.problem {
                Some(problem) => Some(problem.to_owned()),
                None => {
                    place += 1;
                    problems.remove(&(place - 1))
                }
            };
            if let Some(problem) = problem {
                self.invalid(found, &problem)?;
                continue;
            }
            // In the order of the question, and about nobody else.
            let result = results.next().filter(|result| result.address == found.address);
            self.result(found.line, &result.ok_or_else(not_an_answer)?)?;
        }
        if results.next().is_some() || !problems.is_empty() {
            return Err(not_an_answer());
        }
        self.bar.inc(chunk.len() as u64);
        self.out.flush()
    }

    /// That an answer is one to this question: whoever stands between may answer too, and have another stream in mind.
    fn is_about_what_was_asked(&self, told: &Checked) -> Result<(), Failure> {
        if told.server != self.server || told.stream != self.stream {
            return Err(not_an_answer());
        }
        if told.stream_known || self.unknown.allowed {
            return Ok(());
        }
        Err(Failure::new("the stream is not known at this server, so this is no leave to mail on it")
            .next("correct its name, or accept it with --unknown-stream"))
    }

    fn result(&mut self, line: u64, result: &CheckedAddress) -> Result<(), Failure> {
        if let Some(meant) = &result.cleaned {
            self.cleaned += 1;
            if self.cleaned <= INVALID_TOLD {
                self.cleaned_told
                    .push(format!("line {line}: without its invisible characters it is {meant}"));
            }
        }
        let verdict = result.verdict.to_string();
        *self.counts.entry(verdict.clone()).or_default() += 1;
        // The first is the strictest.
        let first = result.reasons.first();
        let address = result.address.clone();
        match self.format {
            Format::Json => self.out.json(&format!("{}\n", serde_json::to_value(result)?)),
            Format::Csv => {
                let codes: Vec<String> =
                    result.reasons.iter().map(|reason| reason.code.to_string()).collect();
                let since = first.map(|reason| reason.since.to_string()).unwrap_or_default();
                self.row([address, verdict, codes.join(" "), since])
            }
            Format::Table => {
                let since = first.map(|reason| super::time(reason.since)).unwrap_or_default();
                let why = first.map(|reason| reason.words.clone()).unwrap_or_default();
                self.row([address, show::verdict(&result.verdict), why, since])
            }
        }
    }

    fn invalid(&mut self, found: &Found, problem: &str) -> Result<(), Failure> {
        *self.counts.entry(INVALID.to_owned()).or_default() += 1;
        if self.invalid.len() < INVALID_TOLD {
            self.invalid.push(format!("line {}: {problem}", found.line));
        }
        if self.format == Format::Json {
            let Found { line, address, .. } = found;
            let told = json!({ "address": address, "verdict": INVALID, "line": line, "problem": problem });
            return self.out.json(&format!("{told}\n"));
        }
        self.row([found.address.clone(), INVALID.to_owned(), problem.to_owned(), String::new()])
    }

    fn row(&mut self, cells: [String; 4]) -> Result<(), Failure> {
        if self.format == Format::Table {
            self.rows.push(cells);
            return Ok(());
        }
        format::write_cells(&mut self.out, &cells)
    }

    /// Asks about the rest, and says how it was. Whether all may be mailed.
    fn end(mut self, strict: bool) -> Result<bool, Failure> {
        if !self.chunk.is_empty() {
            self.ask()?;
        }
        self.bar.finish_and_clear();
        if !self.rows.is_empty() {
            say(show::table(["address", "verdict", "why", "since"], self.rows.drain(..)));
        }
        self.out.end()?;
        let answered: u64 = self.counts.values().sum();
        if answered == 0 {
            return Err(Failure::new("there is no address in the list: nothing was checked")
                .next("give addresses one a line, or in the first column of a CSV, or by --address"));
        }
        let count = |verdict: &str| self.counts.get(verdict).copied().unwrap_or_default();
        let [send, risky, do_not_send, invalid] = ["send", "risky", "do_not_send", INVALID].map(count);
        if self.last.as_ref().is_some_and(|last| !last.stream_known) {
            tell(format!("CAUTION: nobody knows a stream {} here; is it a slip?", self.stream));
        }
        tell(format!("{send} send, {risky} risky, {do_not_send} do not send, {invalid} {INVALID}"));
        let waiting = self.last.as_ref().and_then(|last| last.as_of.critical_queue.waiting);
        if let Some(waiting) = waiting.filter(|waiting| *waiting > 0) {
            tell(format!("{waiting} events were on their way into the ledger"));
        }
        for one in self.invalid.iter().chain(&self.cleaned_told) {
            tell(one);
        }
        if self.cleaned > self.cleaned_told.len() {
            tell(format!("and {} more had invisible characters", self.cleaned - self.cleaned_told.len()));
        }
        if invalid > self.invalid.len() as u64 {
            tell(format!(
                "and {} more; in the output they are `{INVALID}`",
                invalid - self.invalid.len() as u64
            ));
        }
        // A verdict that this version does not know is none to mail by.
        Ok(send + risky == answered && !(strict && risky > 0))
    }
}
