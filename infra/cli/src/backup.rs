//! The commands `backup` and `restore`: a ledger in a folder as one file, and back.

use crate::args::Backup;
use crate::config::passphrase;
use crate::keys::KeyRing;
use crate::progress::busy;
use crate::target::Context;
use crate::{Failure, prompt, say, tell};
use ::api::token::Token;
use account::FileVault;
use embedded::journal::{self, What};
use embedded::{FINGERPRINT, Folder, KEY, RESTORING, SEALED, STACK, seal};
use erasure::sweep::Sweep;
use ledger::{LedgerKey, Time};
use people::{Access, User, UserError};
use platform::private::{self, PrivateError};
use queue::{Settings, Sqlite as SqliteQueue};
use serde::{Deserialize, Serialize};
use sqlite::{Checked, FILE, about_file};
use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use store::prelude::*;
use store::{DocumentStore, Store};

/// The name under which a copy says when it was made.
const BACKED_UP_AT: &str = "backed_up_at";

/// What is sealed: the texts of the files.
#[derive(Serialize, Deserialize)]
struct Secrets {
    ledger_key: String,
    /// The keys that sign webhooks' passwords.
    keys: Option<String>,
    /// The servers' Postmark tokens.
    tokens: Option<String>,
}

impl Secrets {
    fn text(&self) -> String {
        let of = |text: &Option<String>, what: &str| match text {
            Some(_) => what.to_owned(),
            None => format!("no {what}"),
        };
        let (keys, tokens) = (of(&self.keys, "signing keys"), of(&self.tokens, "Postmark tokens"));
        format!("the ledger key, {keys} and {tokens}")
    }
}

/// What a backup is told as.
#[derive(Serialize)]
struct Made<'a> {
    file: &'a Path,
    at: String,
    #[serde(flatten)]
    holds: Holds,
}

#[derive(Serialize)]
struct Holds {
    events: u64,
    recipients: u64,
    quarantined: u64,
    messages: u64,
}

impl From<Checked> for Holds {
    fn from(checked: Checked) -> Holds {
        let Checked { events, recipients, quarantined, messages } = checked;
        Holds { events, recipients, quarantined, messages }
    }
}

impl Holds {
    fn text(&self) -> String {
        format!(
            "events: {}, recipients: {}, parts in quarantine: {}, messages on the queues: {}",
            self.events, self.recipients, self.quarantined, self.messages
        )
    }
}

macro_rules! failures {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::new(error.to_string())
            }
        }
    )*};
}
failures!(sqlite::OpenError, sqlite::BackupError, seal::SealError, erasure::sweep::SweepError);

/// The text of a private file; nothing where there is none.
fn kept(path: &Path) -> Result<Option<String>, Failure> {
    match private::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(PrivateError::Missing(_)) => Ok(None),
        Err(error) => Err(Failure::new(error.to_string())),
    }
}

/// Whether a file would be in a folder, however both are named.
fn is_within(file: &Path, folder: &Path) -> bool {
    let of = file.parent().filter(|of| !of.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (of.canonicalize(), folder.canonicalize()) {
        (Ok(of), Ok(folder)) => of.starts_with(folder),
        _ => false,
    }
}

/// Copies the ledger of a folder into a file, running or not.
///
/// # Errors
/// Where there is no ledger, the file is there or would be in the ledger's own folder, or the copy is not whole.
pub fn backup(args: &Backup, context: &Context, json: bool) -> Result<(), Failure> {
    let database = args.data.join(FILE);
    if !database.exists() {
        return Err(Failure::new(format!("there is no ledger in {}", args.data.display()))
            .next("give the folder that `postledger run --data` was given"));
    }
    if is_within(&args.file, &args.data) {
        let what = format!(
            "{} is in the folder of the ledger: what is lost with that is no backup",
            args.file.display()
        );
        return Err(Failure::new(what).next("choose a file in another folder, best on another disk"));
    }
    let stack = about_file(&database, STACK)?.unwrap_or_else(|| context.stack.clone());
    let key = args.data.join(KEY);
    let ledger_key = kept(&key)?.ok_or_else(|| {
        Failure::new(format!(
            "the ledger key {} is missing: a backup without it could not be used",
            key.display()
        ))
    })?;
    let home = context.home()?;
    let secrets = Secrets {
        ledger_key,
        keys: kept(&KeyRing::path_in(&home, &stack))?,
        tokens: kept(&FileVault::path_in(&home, &stack))?,
    };
    if secrets.keys.is_none() && !args.without_keys {
        let failure =
            Failure::new(format!("the keys that sign webhooks' passwords are not in {}", home.display()));
        return Err(failure.next(
            "give --home as `postledger run` has it; or --without-keys, if every webhook may get a new password then",
        ));
    }
    let passphrase = match passphrase(args.passphrase_file.as_deref())? {
        Some(passphrase) => passphrase,
        None => prompt::new_passphrase()?,
    };
    let sealed = seal::seal(&passphrase, &serde_json::to_string(&secrets)?)?;
    let bar = busy("copying the ledger");
    let at = platform::now().to_string();
    let says = [(SEALED, Some(sealed.as_str())), (BACKED_UP_AT, Some(at.as_str()))];
    let checked = sqlite::copy(&database, &args.file, &says)?;
    bar.finish_and_clear();
    let made = Made { file: &args.file, at, holds: checked.into() };
    say(match json {
        true => serde_json::to_string_pretty(&made)?,
        false => format!(
            "{} is whole: {}.\nSealed by the passphrase, it has {}.\nIt keeps everybody who is erased after now: delete it \
             when its time is over.",
            args.file.display(),
            made.holds.text(),
            secrets.text()
        ),
    });
    Ok(())
}

/// What a restore is told as.
#[derive(Serialize)]
struct Restored<'a> {
    data: &'a Path,
    backed_up_at: Option<String>,
    #[serde(flatten)]
    holds: Holds,
    /// How many were erased again.
    erased: usize,
    /// How many generations of credentials are revoked now.
    revoked: usize,
    /// When the journal says anything for the last time.
    journal_until: Option<String>,
    /// Lines of the journal that cannot be read.
    journal_lines_unread: Vec<usize>,
    /// Which secrets the backup had.
    has: String,
}

/// Puts a backup into an empty folder.
///
/// # Errors
/// Where the folder is not empty, the file is no backup or not whole, or the passphrase is another one.
pub fn restore(args: &Backup, context: &Context, json: bool) -> Result<(), Failure> {
    let is_none = || {
        Failure::new(format!("{} is not a backup of Postledger", args.file.display()))
            .next("give a file that `postledger backup` made")
    };
    if !args.file.is_file() {
        return Err(Failure::new(format!("{}: there is no such file", args.file.display())));
    }
    let checked = sqlite::check(&args.file).map_err(|_| {
        Failure::new(format!("{} is not a whole backup of Postledger", args.file.display()))
            .next("use another one: what was cut off while it was made, or was damaged, cannot be restored")
    })?;
    let sealed = about_file(&args.file, SEALED)?.ok_or_else(is_none)?;
    let stack = about_file(&args.file, STACK)?.ok_or_else(is_none)?;
    let backed_up_at = about_file(&args.file, BACKED_UP_AT)?;
    must_be_empty(&args.data, &stack)?;
    // From now on the folder is no place for a new ledger, whatever happens here.
    let restoring = args.data.join(RESTORING);
    let unwritten = |path: &Path, error: std::io::Error| {
        Failure::new(format!("{} cannot be written: {error}", path.display()))
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&restoring)
        .map_err(|error| unwritten(&restoring, error))?;
    let said = journal::read(&args.data).map_err(|error| {
        Failure::new(format!("{} cannot be read: {error}", args.data.join(journal::FILE).display()))
    })?;
    let of = about_file(&args.file, FINGERPRINT)?;
    if said.exists && said.ledger_key != of {
        let failure =
            Failure::new(format!("the {} in {} is another ledger's", journal::FILE, args.data.display()));
        return Err(failure.next("put the journal there that was beside the ledger of this backup, or none"));
    }
    let passphrase = match passphrase(args.passphrase_file.as_deref())? {
        Some(passphrase) => passphrase,
        None => prompt::passphrase("the passphrase of the backup")?,
    };
    let opened = seal::open(&passphrase, &sealed).map_err(|error| {
        Failure::from(error).next("try again with the passphrase that `postledger backup` was given")
    })?;
    let secrets: Secrets = serde_json::from_str(&opened)?;
    let key: LedgerKey = secrets.ledger_key.parse().map_err(|_| is_none())?;
    if of.as_deref() != Some(&key.fingerprint()) {
        return Err(Failure::new(
            "the ledger key in the backup is not the one that its ledger was made with",
        ));
    }
    let home = context.home()?;
    let files = [
        (KeyRing::path_in(&home, &stack), &secrets.keys),
        (FileVault::path_in(&home, &stack), &secrets.tokens),
    ];
    for (path, text) in &files {
        let there = kept(path)?;
        if there.is_some() && there != **text {
            return Err(Failure::new(format!(
                "{} is there already, and holds other keys or tokens",
                path.display()
            ))
            .next("choose another folder by --home DIR, or move that file away"));
        }
    }
    let bar = busy("restoring the ledger");
    // In a folder of its own, until nobody who was erased is in it: what is cut off before that is not taken for a ledger.
    for name in [FILE, KEY, journal::FILE] {
        for name in [name.to_owned(), format!("{name}-wal"), format!("{name}-shm"), format!("{name}.partial")]
        {
            match std::fs::remove_file(restoring.join(&name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(unwritten(&restoring, error));
                }
                _ => {}
            }
        }
    }
    private::write(&restoring.join(KEY), secrets.ledger_key.as_bytes())
        .map_err(|error| unwritten(&restoring, error))?;
    sqlite::copy(&args.file, &restoring.join(FILE), &[(SEALED, None), (BACKED_UP_AT, None)])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (erased, revoked) =
        runtime.block_on(catch_up(&restoring, &stack, &said.lines, backed_up_at.as_deref()))?;
    drop(runtime);
    if restoring.join(format!("{FILE}-wal")).exists() {
        return Err(Failure::new("the restored ledger could not be closed").next("restore it again"));
    }
    for (path, text) in &files {
        if let Some(text) = text {
            private::write(path, text.as_bytes()).map_err(|error| unwritten(path, error))?;
        }
    }
    for name in [KEY, FILE] {
        let path = args.data.join(name);
        private::rename(&restoring.join(name), &path).map_err(|error| unwritten(&path, error))?;
    }
    std::fs::remove_dir_all(&restoring).map_err(|error| unwritten(&restoring, error))?;
    bar.finish_and_clear();
    let restored = Restored {
        data: &args.data,
        backed_up_at,
        holds: checked.into(),
        erased,
        revoked,
        journal_until: said
            .exists
            .then(|| said.lines.last().map_or_else(|| "its beginning".to_owned(), |line| line.at.clone())),
        journal_lines_unread: said.unread.clone(),
        has: secrets.text(),
    };
    if !restored.journal_lines_unread.is_empty() {
        tell(format!(
            "lines {:?} of {} cannot be read. Pieces that a crash has left were never answered; if somebody has edited the \
             file, what was erased or revoked there is not known",
            restored.journal_lines_unread,
            journal::FILE
        ));
    }
    say(if json { serde_json::to_string_pretty(&restored)? } else { restored.text() });
    Ok(())
}

/// That there is nothing in a folder but a journal, and what a restore leaves there that was cut off.
fn must_be_empty(folder: &Path, stack: &str) -> Result<(), Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::new(format!("{}: {error}", folder.display()))),
    };
    let restoring = folder.join(RESTORING).exists();
    // The folder of the keys may be the same one. What is in these is compared before it is written.
    let [keys, tokens] = [KeyRing::path_in(folder, stack), FileVault::path_in(folder, stack)];
    let of_restore = [folder.join(RESTORING), folder.join(KEY), keys, tokens];
    for entry in entries {
        let path = entry?.path();
        let expected = path == folder.join(journal::FILE) || (restoring && of_restore.contains(&path));
        if !expected {
            return Err(Failure::new(format!("{} is not empty", folder.display())).next(format!(
                "choose a folder in which there is nothing, or only the {} of the ledger that is lost",
                journal::FILE
            )));
        }
    }
    Ok(())
}

/// Erases and revokes what the journal says was erased and revoked. How many recipients, and how many generations are revoked.
async fn catch_up(
    folder: &Path,
    stack: &str,
    lines: &[journal::Line],
    backed_up_at: Option<&str>,
) -> Result<(usize, usize), Failure> {
    let clock = platform::clock();
    let Folder { database, store, ledger_key, .. } = Folder::open(folder, stack, clock.clone()).await?;
    let known: Vec<_> =
        store.erased().await?.iter().map(|erased| (erased.server, erased.recipient)).collect();
    let time = |text: &str| -> Result<Time, Failure> {
        text.parse().map_err(|_| Failure::new("a line of the journal has no time"))
    };
    let mut erased = BTreeSet::new();
    for line in lines {
        match &line.what {
            What::Erased { server, recipient } if !known.contains(&(*server, *recipient)) => {
                store.erase(*server, *recipient, time(&line.at)?).await?;
                erased.insert((*server, *recipient));
            }
            What::TokenRevoked { id, children_kept } => {
                Token::revoke(&*store, id, *children_kept, time(&line.at)?).await?;
            }
            // What the backup has is newer where the line is older.
            What::UserAccess { id, access } if backed_up_at.is_none_or(|at| *at < *line.at) => {
                restrict(&*store, id, access.as_ref()).await?;
            }
            What::Erased { .. } | What::UserAccess { .. } | What::Revoked(_) | What::Ledger { .. } => {}
        }
    }
    // Who was signed in then is not by that signed in now.
    people::end_all(&*store).await?;
    let last = lines.iter().rev().find_map(|line| match &line.what {
        What::Revoked(revoked) => Some((line, revoked)),
        _ => None,
    });
    if let Some((line, revoked)) = last {
        for revoked in revoked {
            store.revoke(revoked.server, revoked.generation, time(&revoked.from)?).await?;
        }
        // It says all that was revoked then. What the backup has beside it was taken back since, where it is the older one.
        let is_older = backed_up_at.and_then(|at| at.parse::<Time>().ok()) < time(&line.at).ok();
        for (server, generation, _) in store.rules().await?.revocations() {
            let stands = revoked.iter().any(|one| (one.server, one.generation) == (server, generation));
            if is_older && !stands {
                store.unrevoke(server, generation).await?;
            }
        }
    }
    let revoked = store.rules().await?.revocations().len();
    let queue = Arc::new(SqliteQueue::new(database, Settings::default(), clock.clone()));
    let sweep = Sweep { store: store as Arc<dyn Store>, queue, ledger_key, clock };
    while !erased.is_empty() && !sweep.run(None).await?.finished {}
    Ok((erased.len(), revoked))
}

/// Gives a user what it may do since the backup, or removes it.
async fn restrict(
    store: &dyn DocumentStore,
    id: &str,
    access: Option<&serde_json::Value>,
) -> Result<(), Failure> {
    let Some(access) = access else { return Ok(User::remove(store, id).await?) };
    // What cannot be read gives nobody anything.
    let access: Access = serde_json::from_value(access.clone()).unwrap_or_else(|_| Access::nothing());
    match User::change(store, id, |user| user.access = access.clone()).await {
        // Invited since: the journal has no addresses.
        Ok(_) | Err(UserError::Unknown) => Ok(()),
        Err(UserError::Store(error)) => Err(error.into()),
    }
}

impl Restored<'_> {
    fn text(&self) -> String {
        let since = self.backed_up_at.as_deref().unwrap_or("a time that it does not tell");
        let known = match &self.journal_until {
            Some(until) => format!(
                "Erased again: {}, by the journal that ends at {until}. Whoever was erased after that is not known.",
                self.erased
            ),
            None => format!(
                "There was no {} beside it: whoever was erased after {since} is in the ledger again. Erase them once more.",
                journal::FILE
            ),
        };
        format!(
            "{} holds what the backup of {since} has: {}.\nIt had {}.\n{known}\nRevoked passwords: {}.\nNot in it: events that came \
             after {since}. Start it, then fetch what Postmark still has by `postledger backfill`; opens and clicks after \
             the first, and lists' changes that were undone meanwhile, cannot be fetched.",
            self.data.display(),
            self.holds.text(),
            self.has,
            self.revoked
        )
    }
}
