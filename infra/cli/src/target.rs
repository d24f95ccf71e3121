//! Where the commands ask: the embedded Postledger over HTTP, or a stack on AWS at its desk. The same questions and
//! the same answers.

use crate::Failure;
use crate::args::{OnAws, PORT, Target};
use crate::aws::{self, Aws};
use crate::client::Client;
use crate::desk::{
    Bodied, BodiesQuery, CountsQuery, Decide, Decided, ForgetStream, Forgotten, Listed, OnQueue,
    QuarantineQuery, RebuildQuery, RecipientQuery, ReconcileAsk, Redrive, Redriven, Repair, Repaired, Replay,
    Replayed, Revoke, Unrevoke,
};
use crate::keys;
use erase::Swept;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use store::ask::{Counted, Told};
use store::rebuild::{Progress, Report};

/// Which of the two is meant.
pub enum Place {
    /// The embedded Postledger at a base URL.
    Url(String),
    /// A stack on AWS.
    Aws(OnAws),
}

impl Place {
    /// What is given counts before what the environment says; `POSTLEDGER_URL` and `POSTLEDGER_ENDPOINT` are read
    /// here and not with the arguments, so that they never stand against one that is given.
    ///
    /// # Errors
    /// Where the environment names both and nothing is given, or the local stack is meant and is not up.
    pub fn of(url: Option<&str>, aws: &OnAws, whose: &Whose) -> Result<Place, Failure> {
        let of_environment = platform::env::text;
        if aws.local {
            return Ok(Place::Aws(whose.local()?));
        }
        if let Some(url) = url {
            return Ok(Place::Url(url.to_owned()));
        }
        if aws.profile.is_some() || aws.endpoint.is_some() {
            return Ok(Place::Aws(aws.clone()));
        }
        let endpoint = of_environment("POSTLEDGER_ENDPOINT");
        if aws.region.is_some() {
            return Ok(Place::Aws(OnAws { endpoint, ..aws.clone() }));
        }
        match (of_environment("POSTLEDGER_URL"), endpoint) {
            (Some(_), Some(_)) => Err(Failure::new("POSTLEDGER_URL and POSTLEDGER_ENDPOINT are both set")
                .next("say which is meant by --url or --endpoint, or unset one")),
            (None, Some(endpoint)) => Ok(Place::Aws(OnAws { endpoint: Some(endpoint), ..OnAws::default() })),
            (url, None) => Ok(Place::Url(url.unwrap_or_else(|| format!("http://127.0.0.1:{PORT}")))),
        }
    }
}

/// Whose keys and which stack are meant, whatever the command.
#[derive(Clone, Debug)]
pub struct Whose {
    /// Where keys are kept, if that was said.
    pub home: Option<PathBuf>,
    /// The stack.
    pub stack: String,
}

/// Where `make local` says that its stack is: in the folder of the keys, so that it is found from anywhere.
pub const LOCAL: &str = "local.json";

/// What `make local` says of its stack.
#[derive(Debug, Deserialize)]
struct Local {
    endpoint: String,
    region: String,
}

impl Whose {
    /// The folder that keys are kept in.
    ///
    /// # Errors
    /// Where neither it nor a home folder is known.
    pub fn home(&self) -> Result<PathBuf, Failure> {
        keys::home(self.home.clone())
    }

    /// The stack that `make local` runs.
    fn local(&self) -> Result<OnAws, Failure> {
        let path = self.home()?.join(LOCAL);
        let down = || Failure::new("no local AWS is up").next("start one by `make local`");
        let told = std::fs::read_to_string(&path).map_err(|_| down())?;
        let local: Local = serde_json::from_str(&told).map_err(|_| down())?;
        Ok(OnAws { endpoint: Some(local.endpoint), region: Some(local.region), ..OnAws::default() })
    }
}

/// What `tables create` made, and what was there before it: each by its kind (table, queue, parameter) and name.
#[derive(Debug, Default, Serialize)]
pub struct Made {
    /// What it made.
    pub made: Vec<String>,
    /// What was there.
    pub there: Vec<String>,
}

impl Made {
    /// Sorts the names of a kind by whether they were just made.
    #[cfg(feature = "aws")]
    pub(crate) fn take(&mut self, kind: &str, all: Vec<String>, made: &[String]) {
        for name in all {
            let which = if made.contains(&name) { &mut self.made } else { &mut self.there };
            which.push(format!("{kind} {name}"));
        }
    }
}

/// Where Postmark reaches the doors: what is given, or what a stack on AWS tells of itself.
///
/// # Errors
/// Where there is no such stack, or no answer.
pub fn doors(target: &Target, whose: &Whose) -> Result<String, Failure> {
    match Place::of(target.url.as_deref(), &target.aws, whose)? {
        Place::Url(base) => Ok(base),
        Place::Aws(args) => aws::doors(&args, &whose.stack),
    }
}

/// A ledger that can be asked.
pub enum Ledger {
    /// The embedded Postledger.
    Embedded(Client),
    /// A stack on AWS.
    Aws(Box<Aws>),
}

impl Ledger {
    /// Finds the ledger that is meant.
    ///
    /// # Errors
    /// For AWS where there is no access, stack or answer; for an embedded one where this user runs none there.
    pub fn open(target: &Target, whose: &Whose) -> Result<Ledger, Failure> {
        Ok(match Place::of(target.url.as_deref(), &target.aws, whose)? {
            Place::Url(base) => Ledger::Embedded(Client::open(&base, whose)?),
            Place::Aws(args) => Ledger::Aws(Box::new(Aws::open(&args, &whose.stack)?)),
        })
    }

    /// As [`Desk::queues`](crate::desk::Desk::queues).
    ///
    /// # Errors
    /// Where it has no answer.
    pub fn queues(&self) -> Result<Vec<OnQueue>, Failure> {
        match self {
            Ledger::Embedded(client) => client.get("queues", &serde_json::Value::Null),
            Ledger::Aws(aws) => aws.wait(aws.desk.queues()),
        }
    }

    /// As [`Desk::recipient`](crate::desk::Desk::recipient).
    ///
    /// # Errors
    /// Where it has no answer.
    pub fn recipient(&self, query: RecipientQuery) -> Result<Told, Failure> {
        match self {
            Ledger::Embedded(client) => client.get("recipient", &query),
            Ledger::Aws(aws) => aws.wait(aws.desk.recipient(query)),
        }
    }

    /// As [`Desk::bodies`](crate::desk::Desk::bodies).
    ///
    /// # Errors
    /// Where it has no answer.
    pub fn bodies(&self, query: BodiesQuery) -> Result<Vec<Bodied>, Failure> {
        match self {
            Ledger::Embedded(client) => client.get("bodies", &query),
            Ledger::Aws(aws) => aws.wait(aws.desk.bodies(query)),
        }
    }

    /// As [`Desk::counts`](crate::desk::Desk::counts).
    ///
    /// # Errors
    /// Where it has no answer.
    pub fn counts(&self, query: CountsQuery) -> Result<Counted, Failure> {
        match self {
            Ledger::Embedded(client) => client.get("counts", &query),
            Ledger::Aws(aws) => aws.wait(aws.desk.counts(query)),
        }
    }

    /// As [`Desk::quarantine`](crate::desk::Desk::quarantine).
    ///
    /// # Errors
    /// Where it has no answer.
    pub fn quarantine(&self, query: QuarantineQuery) -> Result<Vec<Listed>, Failure> {
        match self {
            Ledger::Embedded(client) => client.get("quarantine", &query),
            Ledger::Aws(aws) => aws.wait(aws.desk.quarantine(query)),
        }
    }

    /// As [`Desk::set_aside`](crate::desk::Desk::set_aside).
    ///
    /// # Errors
    /// Where it has no answer.
    pub fn set_aside(&self, key: &str) -> Result<Listed, Failure> {
        match self {
            Ledger::Embedded(client) => client.get(&format!("quarantine/{key}"), &serde_json::Value::Null),
            Ledger::Aws(aws) => aws.wait(aws.desk.set_aside(key)),
        }
    }

    /// As [`Desk::replay`](crate::desk::Desk::replay).
    ///
    /// # Errors
    /// Where it is not done.
    pub fn replay(&self, key: &str, replay: Replay) -> Result<Replayed, Failure> {
        match self {
            Ledger::Embedded(client) => client.post(&format!("quarantine/{key}/replay"), &replay),
            Ledger::Aws(aws) => aws.wait(aws.desk.replay(key, replay)),
        }
    }

    /// As [`Desk::decide`](crate::desk::Desk::decide).
    ///
    /// # Errors
    /// Where it is not done.
    pub fn decide(&self, decide: Decide) -> Result<Decided, Failure> {
        match self {
            Ledger::Embedded(client) => client.post("decide", &decide),
            Ledger::Aws(aws) => aws.wait(aws.desk.decide(decide)),
        }
    }

    /// As [`Desk::forget_stream`](crate::desk::Desk::forget_stream).
    ///
    /// # Errors
    /// Where it is not done.
    pub fn forget_stream(&self, forget: ForgetStream) -> Result<Forgotten, Failure> {
        match self {
            Ledger::Embedded(client) => client.post("forget-stream", &forget),
            Ledger::Aws(aws) => aws.wait(aws.desk.forget_stream(forget)),
        }
    }

    /// As [`Desk::revoke`](crate::desk::Desk::revoke).
    ///
    /// # Errors
    /// Where it is not done.
    pub fn revoke(&self, revoke: Revoke) -> Result<Revoke, Failure> {
        match self {
            Ledger::Embedded(client) => client.post("revoke", &revoke),
            Ledger::Aws(aws) => aws.wait(aws.desk.revoke(revoke)),
        }
    }

    /// As [`Desk::unrevoke`](crate::desk::Desk::unrevoke).
    ///
    /// # Errors
    /// Where it is not done.
    pub fn unrevoke(&self, unrevoke: Unrevoke) -> Result<Unrevoke, Failure> {
        match self {
            Ledger::Embedded(client) => client.post("unrevoke", &unrevoke),
            Ledger::Aws(aws) => aws.wait(aws.desk.unrevoke(unrevoke)),
        }
    }

    /// As [`Desk::revoked`](crate::desk::Desk::revoked).
    ///
    /// # Errors
    /// Where it has no answer.
    pub fn revoked(&self) -> Result<Vec<Revoke>, Failure> {
        match self {
            Ledger::Embedded(client) => client.get("revoked", &serde_json::Value::Null),
            Ledger::Aws(aws) => aws.wait(aws.desk.revoked()),
        }
    }

    /// As [`Desk::sweep`](crate::desk::Desk::sweep).
    ///
    /// # Errors
    /// Where it is not done, or not to its end.
    pub fn sweep(&self) -> Result<Swept, Failure> {
        match self {
            Ledger::Embedded(client) => client.post("sweep", &()),
            Ledger::Aws(aws) => aws.wait(aws.desk.sweep()),
        }
    }

    /// As [`Desk::redrive`](crate::desk::Desk::redrive); an embedded one tells no progress.
    ///
    /// # Errors
    /// Where it is not done, or not to its end.
    pub fn redrive(
        &self,
        redrive: Redrive,
        progress: impl FnMut(&Redriven) + Send,
    ) -> Result<Redriven, Failure> {
        match self {
            Ledger::Embedded(client) => client.post("redrive", &redrive),
            Ledger::Aws(aws) => aws.wait(aws.desk.redrive(redrive, progress)),
        }
    }

    /// As [`Desk::reconcile`](crate::desk::Desk::reconcile); an embedded one tells no progress.
    ///
    /// # Errors
    /// Where it is not done, or not to its end.
    pub fn reconcile(
        &self,
        ask: ReconcileAsk,
        progress: reconcile::Progress<'_>,
    ) -> Result<reconcile::Report, Failure> {
        match self {
            Ledger::Embedded(client) => client.post("reconcile", &ask),
            Ledger::Aws(aws) => aws.wait(aws.desk.reconcile(ask, progress)),
        }
    }

    /// As [`Desk::verify`](crate::desk::Desk::verify); an embedded one tells no progress.
    ///
    /// # Errors
    /// Where it has no answer.
    pub fn verify(
        &self,
        query: RebuildQuery,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, Failure> {
        match self {
            Ledger::Embedded(client) => client.get("rebuild", &query),
            Ledger::Aws(aws) => aws.wait(aws.desk.verify(query.server, progress)),
        }
    }

    /// As [`Desk::repair`](crate::desk::Desk::repair).
    ///
    /// # Errors
    /// Where it is not done, or not to its end.
    pub fn repair(&self, repair: Repair) -> Result<Repaired, Failure> {
        match self {
            Ledger::Embedded(client) => client.post("rebuild/repair", &repair),
            Ledger::Aws(aws) => aws.wait(aws.desk.repair(repair)),
        }
    }
}
