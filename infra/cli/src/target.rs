//! Where the commands ask: an embedded Postledger, or a stack on AWS.

use crate::args::{OnAws, PORT, Server, Target};
use crate::config::{Config, Reached};
use crate::{Failure, USAGE};
use crate::{aws, keys};
use ledger::ServerId;
use serde::Deserialize;
use std::path::PathBuf;

/// Which of the two is meant.
pub enum Deployment {
    /// The embedded Postledger at a base URL.
    Url(String),
    /// A stack on AWS.
    Aws(OnAws),
}

impl Deployment {
    /// What is given counts before what the environment and the settings file say, which are not read with the
    /// arguments, so that they never stand against one that is given.
    ///
    /// # Errors
    /// Where the environment names both and nothing is given, or the local stack is meant and is not up.
    pub fn of(url: Option<&str>, aws: &OnAws, context: &Context) -> Result<Deployment, Failure> {
        if aws.local {
            return Ok(Deployment::Aws(context.local()?));
        }
        if let Some(url) = url {
            return Ok(Deployment::Url(url.to_owned()));
        }
        if aws.profile.is_some() || aws.endpoint.is_some() {
            return Ok(Deployment::Aws(aws.clone()));
        }
        if aws.region.is_some() {
            return Ok(Deployment::Aws(OnAws { endpoint: Config::endpoint(), ..aws.clone() }));
        }
        Ok(match context.config.reached()? {
            Some(Reached::Endpoint(endpoint)) => {
                Deployment::Aws(OnAws { endpoint: Some(endpoint), ..OnAws::default() })
            }
            Some(Reached::Url(url)) => Deployment::Url(url),
            None => Deployment::Url(format!("http://127.0.0.1:{PORT}")),
        })
    }
}

/// Whose keys and which stack are meant, whatever the command.
#[derive(Clone)]
pub struct Context {
    /// Where keys are kept, if that was said.
    pub home: Option<PathBuf>,
    /// The stack.
    pub stack: String,
    /// What the environment and a file say where no argument does.
    pub config: Config,
}

impl Server {
    /// The server that is meant.
    ///
    /// # Errors
    /// Where nothing names one.
    pub fn id(&self, context: &Context) -> Result<ServerId, Failure> {
        context.server(self.given)
    }
}

/// Where `make local` says that its stack is: in the folder of the keys, so that it is found from anywhere.
pub const LOCAL: &str = "local.json";

/// What `make local` says of its stack.
#[derive(Debug, Deserialize)]
struct Local {
    endpoint: String,
    region: String,
}

impl Context {
    /// The server that is meant.
    ///
    /// # Errors
    /// Where nothing names one.
    pub fn server(&self, given: Option<ServerId>) -> Result<ServerId, Failure> {
        let named = match given {
            Some(server) => Some(server),
            None => self.config.server()?,
        };
        named.ok_or_else(|| {
            Failure::new("no server is named")
                .next(
                    "give Postmark's numeric ServerID by --server, by POSTLEDGER_SERVER, or as `server` in \
                     postledger.toml; `postledger server list` shows those that are registered",
                )
                .status(USAGE)
        })
    }

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

/// Where Postmark reaches the doors: what is given, or what a stack on AWS tells of itself.
///
/// # Errors
/// Where there is no such stack, or no answer.
pub fn doors(target: &Target, context: &Context) -> Result<String, Failure> {
    match Deployment::of(target.url.as_deref(), &target.aws, context)? {
        Deployment::Url(base) => Ok(base),
        Deployment::Aws(args) => aws::doors(&args, &context.stack),
    }
}
