//! The command `postledger`: reads its arguments, asks, prints, and says by its exit status how it went:
//! 0 done, 1 it could not be done, 2 wrong usage, a body that would be set aside, or a check that could not be made.

use clap::FromArgMatches as _;
use ledger::{LedgerKey, ServerId};
use postledger::api::Api;
use postledger::args::OnAws;
use postledger::args::{self, Cli, Command};
use postledger::config::Config;
use postledger::fold::Fold;
use postledger::format::{self, Form, Format};
use postledger::keys::{KeyRing, webhooks};
use postledger::progress::progress;
use postledger::sample::SERVER;
use postledger::target::{self, Context, Deployment};
use postledger::{
    Failure, USAGE, ask, aws, backup, bearer, connect, doctor, help, index, is_unwritten, operate, post,
    rebuild, reconcile, report, revoke, rotate, run, say, server, show, store_key, tell, terminal, trial,
    watch,
};
use serde::Serialize;
use std::io::{Read, stdin};
use std::process::ExitCode;

/// What a body that would be set aside exits with.
const SET_ASIDE: u8 = 2;

fn main() -> ExitCode {
    let parsed = help::command().try_get_matches().and_then(|given| Cli::from_arg_matches(&given));
    let cli = match parsed {
        Ok(cli) => cli,
        // Help and version; what is wrong with an argument repeats it, and it may be somebody else's text.
        Err(told) if !told.use_stderr() => told.exit(),
        Err(wrong) => {
            tell(wrong.render().to_string().trim_end());
            return ExitCode::from(USAGE);
        }
    };
    match command(cli) {
        Ok(_) if is_unwritten() => {
            tell("postledger: what was to be printed could not be written; what was changed is changed");
            ExitCode::FAILURE
        }
        Ok(code) => code,
        Err(failure) => {
            #[expect(clippy::print_stderr, reason = "this is where a failure is told")]
            {
                eprintln!("postledger: {failure}");
            }
            ExitCode::from(failure.code())
        }
    }
}

fn command(cli: Cli) -> Result<ExitCode, Failure> {
    let form = cli.form();
    if cli.wide {
        terminal::show_wide();
    }
    let config = match bearer::asks(&cli.command) {
        true => Config::read(cli.config.as_deref())?,
        false => Config::default(),
    };
    bearer::allows(&cli.command, &config)?;
    let context = Context { home: cli.home, stack: cli.stack, config };
    let status = |good: bool| if good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let ring = || KeyRing::open(&context.home()?, &context.stack);
    match cli.command {
        Command::Run(args) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run::run(&args, &context.home()?, &context.stack))?;
        }
        Command::Backup(args) => backup::backup(&args, &context, form.json()?)?,
        Command::Restore(args) => backup::restore(&args, &context, form.json()?)?,
        Command::Keys(args::Keys::Prepare(target)) => prepare(target, &context, form.json()?)?,
        Command::Keys(args::Keys::Rotate(args)) => {
            return rotate::run(&args, &context, form.json()?).map(status);
        }
        Command::Keys(args::Keys::Store(args)) => store_key::run(&args, &context, form.json()?)?,
        Command::Keys(command) => key_command(command, ring()?, &context, form)?,
        Command::Url(args) => url(&args, &context, form.json()?)?,
        Command::Server(command) => server::run(command, &context, form)?,
        Command::Connect(args) => return connect::run(&args, &context, form.json()?),
        Command::Watch(args) => return watch::run(&args, &context, form.json()?).map(status),
        Command::Reconcile(args) => return reconcile::run(&args, &context, form.json()?),
        Command::Completeness(args) => reconcile::completeness(&args, &context, form)?,
        Command::Backfill(args) => return reconcile::backfill(&args, &context, form.json()?),
        Command::Doctor(args) => return doctor::run(&args, &context, form.json()?).map(status),
        Command::Event(args) => return event(&args),
        Command::Fold(args) => fold(&args)?,
        Command::Ask(command) => return ask::run(command, &context, form),
        Command::Post(args) => return post::run(&args, &ring()?, &context, form.json()?).map(status),
        Command::Sample(target) => sample(&target, &context)?,
        Command::Queues(args::Queues { command: Some(args::OfQueues::Redrive(args)), .. }) => {
            operate::redrive(&args, &context, form.json()?)?;
        }
        Command::Queues(args::Queues { command: None, target }) => {
            let queues = operate::queues(&Api::operated(&target, &context)?)?;
            format::print(form, &queues, operate::ON_QUEUE, show::queues)?;
        }
        Command::Quarantine(command) => operate::of_quarantine(command, &context, form)?,
        Command::Revoke(args) => revoke::run(&args, &context, form)?,
        Command::Rebuild(args) => return rebuild::run(&args, &context, form.json()?).map(status),
        Command::Index(command) => index::run(&command, &context, form.json()?)?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut help::command(), "postledger", &mut script);
            say(String::from_utf8_lossy(&script).trim_end());
        }
        Command::Man { folder } => man(&folder)?,
        Command::Tables(args::Tables::Create { endpoint, region, by_time }) => {
            let endpoint = endpoint.or_else(Config::endpoint).ok_or_else(|| {
                Failure::new(
                    "tables are made here for emulators and tests only; on AWS the deployment makes them",
                )
                .next("name an emulator by --endpoint URL or POSTLEDGER_ENDPOINT")
            })?;
            let json = form.json()?;
            let made = aws::create(&endpoint, &region, &context.stack, by_time)?;
            say(if json { serde_json::to_string_pretty(&made)? } else { made.text() });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn key_command(command: args::Keys, mut ring: KeyRing, context: &Context, form: Form) -> Result<(), Failure> {
    let stack = &context.stack;
    let tell = |done: String, ring: &KeyRing| {
        let taken_up = operate::hand_out(ring, context)?;
        if form.of_list() == Format::Table {
            say(format!("{done}\n{taken_up}\n"));
        }
        Ok::<_, Failure>(())
    };
    match command {
        args::Keys::New => {
            let public = ring.add()?;
            let (id, path) = (public.id(), ring.path().display());
            tell(format!("made key {id} of stack {stack}; its private half is in {path}"), &ring)?;
        }
        args::Keys::Retire { key_id, target } => {
            operate::retire(&mut ring, &key_id, &target, context)?;
            tell(format!("retired key {key_id} of stack {stack}"), &ring)?;
        }
        args::Keys::List | args::Keys::Prepare(_) | args::Keys::Rotate(_) | args::Keys::Store(_) => {}
    }
    let public = ring.public();
    let keys = public.iter().map(|key| Key { key_id: key.id().to_owned(), public_key: key.to_string() });
    let keys: Vec<Key> = keys.collect();
    format::print(form, &keys, &["key_id", "public_key"], |keys| {
        let rows = keys.iter().map(|key| [key.key_id.clone(), key.public_key.clone()]);
        let public: Vec<&str> = keys.iter().map(|key| &*key.public_key).collect();
        let functions = format!("for the functions: POSTLEDGER_PUBLIC_KEYS={}", public.join(","));
        format!("{}\n\n{functions}", show::table(["key", "public key"], rows))
    })
}

/// A key, as it is listed.
#[derive(Serialize)]
struct Key {
    key_id: String,
    public_key: String,
}

/// What `make deploy` asks for: keys that are there from now on, and how the template is told of them.
fn prepare(target: OnAws, context: &Context, json: bool) -> Result<(), Failure> {
    let Deployment::Aws(on_aws) = Deployment::of(None, &target, context)? else {
        return Err(Failure::new("no stack on AWS is named").next("name its region by --region or --profile"));
    };
    // Before a key is made: one that the doors do not know would be taken for the stack's from then on.
    let ring = KeyRing::open(&context.home()?, &context.stack)?;
    if let Some(known) = aws::public_keys(&on_aws, &context.stack)? {
        ring.must_have_one_of(&known)?;
    }
    let ring = KeyRing::open_or_make(&context.home()?, &context.stack)?;
    let (parameter, made) = aws::prepare(&on_aws, &context.stack)?;
    let public: Vec<String> = ring.public().iter().map(ToString::to_string).collect();
    let parameters = Prepared { public_keys: public.join(","), ledger_key_parameter: parameter };
    if json {
        say(serde_json::to_string_pretty(&parameters)?);
        return Ok(());
    }
    let state = if made { "made now" } else { "was there" };
    say(format!("private keys: {}\nledger key: {state}", ring.path().display()));
    say(format!(
        "PublicKeys={}\nLedgerKeyParameter={}",
        parameters.public_keys, parameters.ledger_key_parameter
    ));
    Ok(())
}

/// Writes the manual, a page for each command.
fn man(folder: &std::path::Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(help::command(), folder).map_err(failed)?;
    say(format!("the manual is in {0}: `man -l {0}/postledger.1`", folder.display()));
    Ok(())
}

/// The template's parameters that no file names.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Prepared {
    public_keys: String,
    ledger_key_parameter: String,
}

fn sample(target: &args::Target, context: &Context) -> Result<(), Failure> {
    if let Deployment::Aws(OnAws { endpoint: None, .. }) =
        Deployment::of(target.url.as_deref(), &target.aws, context)?
    {
        return Err(Failure::new("the sample is not for a ledger on AWS, which would keep it for ever")
            .next("post it to `make local` by --local, or to `postledger run`"));
    }
    let (ledger, doors) = (Api::operated(target, context)?, target::doors(target, context)?);
    let ring = KeyRing::open(&context.home()?, &context.stack)?;
    let (user, password) = ring.credential(ServerId::new(SERVER)?, 1)?;
    trial::run(&ledger, &doors, user, &password)?;
    // As this command was told which ledger.
    let told: Vec<String> = std::env::args().skip_while(|word| word != "sample").skip(1).collect();
    let told = told.iter().map(|word| format!(" {word}")).collect::<String>();
    trial::tell_what_next(&doors, user, &password, &told);
    Ok(())
}

fn url(args: &args::Url, context: &Context, json: bool) -> Result<(), Failure> {
    let ring = KeyRing::open(&context.home()?, &context.stack)?;
    let server = args.server.id(context)?;
    let generation = revoke::generation(&args.target, context, server, args.generation, true)?;
    let (user, password) = ring.credential(server, generation)?;
    let webhooks = webhooks(&target::doors(&args.target, context)?, user, &password, &args.kind);
    if json {
        say(serde_json::to_string_pretty(&webhooks)?);
        return Ok(());
    }
    for webhook in webhooks {
        say(format!("{:<20} {}", webhook.kind, webhook.url_with_credential));
    }
    say(format!(
        "\nor apart, with the URLs less what stands before the @:\nuser      {user}\npassword  {password}"
    ));
    Ok(())
}

fn event(args: &args::Event) -> Result<ExitCode, Failure> {
    if args.schema {
        say(report::schema()?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut raw = Vec::new();
    stdin().lock().read_to_end(&mut raw)?;
    let received_at = args.circumstances.received_at.unwrap_or_else(platform::now);
    match report::report(&raw, args.circumstances.server, received_at, args.retention_days) {
        Ok(report) => {
            say(serde_json::to_string_pretty(&report)?);
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            #[expect(clippy::print_stderr, reason = "the reason is told beside the output, which is empty")]
            {
                eprintln!("set aside: {refusal}");
            }
            Ok(ExitCode::from(SET_ASIDE))
        }
    }
}

fn fold(args: &args::Fold) -> Result<(), Failure> {
    let key = match &args.ledger_key {
        Some(path) => {
            let text = platform::private::read(path).map_err(|error| Failure::new(error.to_string()))?;
            text.parse().map_err(|error| Failure::new(format!("{}: {error}", path.display())))?
        }
        None => LedgerKey::for_tests(),
    };
    let bar = progress(None, "folding");
    let args = &args.circumstances;
    let received_at = args.received_at.unwrap_or_else(platform::now);
    let fold = Fold::read(stdin().lock(), args.server, received_at, &key, |bodies| bar.set_position(bodies))?;
    bar.finish_and_clear();
    fold.lines().for_each(say);
    Ok(())
}
