//! A deployed stack, as the commands reach it: by an operator's own access to AWS, or an emulator's endpoint.

mod queues;

use self::queues::AsOperator;
use crate::args::{EMULATED_REGION, OnAws};
use crate::endpoint::endpoint;
use crate::made::Made;
use crate::{Failure, next_step};
use account::audit::{Who, WhoKind};
use account::{ParameterVault, Vault, tokens_prefix};
use api::scope::Portal;
use aws::{Access, AccessError, Limits, Link, Outputs, OutputsError, ParameterError};
use axum::Router;
use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use ledger::LedgerKey;
use ledger::address::LEDGER_KEY_BYTES;
use ledger::policy::SoftBouncePolicy;
use operator::routes::routes;
use operator::{Operator, Parts, Step};
use people::{Brand, NoMail, Outbox, QueuedMail};
use platform::{CallFailed, FailureKind};
use queue::sqs::Urls;
use queue::{Queue, QueueError, QueueName, Sqs, Trusted};
use ring::rand::SystemRandom;
use std::fmt;
use std::sync::Arc;
use store::dynamodb::Tables;
use store::tables::Table;
use store::{DynamoDb, Store, StoreError};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// The name of the parameter that holds a stack's ledger key.
pub fn ledger_key_parameter(stack: &str) -> String {
    format!("/postledger/{stack}/ledger-key")
}

/// Which stack is meant, and where: what failures speak of.
#[derive(Clone, Debug)]
struct Meant {
    stack: String,
    region: String,
    endpoint: Option<String>,
}

impl fmt::Display for Meant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => write!(out, "stack {} in {} at {endpoint}", self.stack, self.region),
            None => write!(out, "stack {} in {}", self.stack, self.region),
        }
    }
}

impl Meant {
    /// Part of the stack is not there.
    fn missing(&self, what: &str) -> Failure {
        let failure = Failure::new(format!("{self} has no {what}"));
        failure.next(match &self.endpoint {
            Some(endpoint) => format!(
                "make it by `postledger --stack {} tables create --endpoint {endpoint} --region {}`, or name another \
                 by --stack and --region",
                self.stack, self.region
            ),
            None => "name another stack by --stack, or another region or account by --region and --profile".to_owned(),
        })
    }

    /// A call of AWS failed.
    fn failed(&self, what: &str, failed: &CallFailed) -> Failure {
        match &self.endpoint {
            Some(endpoint) if !told_by_aws(failed) => {
                Failure::new(format!("nothing at {endpoint} answers as AWS's {what} would: {failed}"))
                    .next("start an emulator there, or name another by --endpoint or POSTLEDGER_ENDPOINT")
            }
            _ => Failure::new(format!("the {what} of {self} cannot be used: {failed}"))
                .next(next_step::of(failed)),
        }
    }

    /// A call of AWS failed, for tables or queues.
    fn call(&self, failed: &CallFailed) -> Failure {
        match failed.kind() {
            FailureKind::NotFound => self.missing("tables"),
            _ => self.failed("ledger", failed),
        }
    }

    fn parameter(&self, error: &ParameterError) -> Failure {
        match error {
            ParameterError::Missing(name) => self.missing(&format!("ledger key (parameter {name})")),
            ParameterError::Failed(_, failed) => self.failed("ledger key", failed),
        }
    }

    fn outputs(&self, error: &OutputsError) -> Failure {
        match error {
            OutputsError::Missing(_) => Failure::new(format!("there is no {self}"))
                .next("name another by --stack, --region or --profile, or make it by `make deploy`"),
            OutputsError::Failed(_, failed) => self.failed("description", failed),
        }
    }

    /// The stack was deployed by another template than this one's.
    fn untold(&self, output: &str) -> Failure {
        Failure::new(format!("{self} does not tell its {output}, or not as this version understands it"))
            .next("deploy it anew by the same version: `make deploy`")
    }

    fn store(&self, error: &StoreError) -> Failure {
        match error {
            StoreError::Failed(failed) if failed.kind() == FailureKind::NotFound => self.missing("tables"),
            StoreError::Failed(failed) => self.failed("tables", failed),
            StoreError::Remote(_) | StoreError::NoRandom => Failure::new(error.to_string()),
            StoreError::Invalid(_) | StoreError::Damaged(_) => Failure::new(format!("{self}: {error}")).next(
                "this is a bug in Postledger, or a newer version wrote the tables: look for a newer version",
            ),
        }
    }

    fn queue(&self, error: &QueueError) -> Failure {
        match error {
            QueueError::NoSuchQueue(name) => self.missing(&format!("{} queue", name.name())),
            QueueError::Failed(failed) => self.failed("queues", failed),
            QueueError::TooLarge | QueueError::BadCharacter => Failure::new(error.to_string()),
        }
    }
}

/// Whether it was AWS, or what stands in for it, that answered so.
fn told_by_aws(failed: &CallFailed) -> bool {
    !matches!(
        failed.kind(),
        FailureKind::Connection | FailureKind::Timeout | FailureKind::Tls | FailureKind::Fault
    )
}

/// An open stack on AWS: the operator's routes and the read API over its tables and queues, in this process, by an
/// operator's own access.
pub struct Aws {
    runtime: Runtime,
    meant: Meant,
    operator: Arc<Operator>,
    routes: Router,
    who: Who,
}

impl Aws {
    /// Finds a stack's ledger key and queues.
    pub fn open(args: &OnAws, stack: &str) -> Result<Aws, Failure> {
        let runtime = runtime()?;
        let (meant, who, operator) = runtime.block_on(async {
            let (access, meant) = meant(args, stack).await?;
            let link = Link::new(access.clone(), Limits::COMMAND);
            let who = Who { kind: WhoKind::Aws, name: caller(&link).await };
            let operator = operator(access, link, &meant, stack).await?;
            Ok::<_, Failure>((meant, who, Arc::new(operator)))
        })?;
        Ok(Aws { runtime, meant, routes: routes(operator.clone()), operator, who })
    }

    /// Who asks, as AWS knows them.
    pub fn who(&self) -> Who {
        self.who.clone()
    }

    /// The region that it is in.
    pub fn region(&self) -> &str {
        &self.meant.region
    }

    /// Its tables.
    pub fn store(&self) -> &dyn Store {
        &*self.operator.store
    }

    /// Its queues.
    pub fn queue(&self) -> Arc<dyn Queue> {
        self.operator.queue.clone()
    }

    /// From now on this is told how far long pieces of work are.
    pub fn watched(&self, watcher: impl Fn(Step) + Send + 'static) {
        self.operator.watched.by(watcher);
    }

    /// Waits for some work on this stack.
    pub fn block<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Answers.
    ///
    /// # Errors
    /// Where a call of AWS failed: why, in words about this stack.
    pub fn answer(&self, request: http::Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure> {
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(self.who.clone());
        self.block(async {
            let response = self.routes.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
            if let Some(failed) = response.extensions().get::<CallFailed>() {
                return Err(self.meant.call(failed));
            }
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await;
            let body = body.map_err(|_| Failure::new("the answer ended before it was whole"))?;
            Ok(Response::from_parts(parts, body.into()))
        })
    }
}

/// Who asks AWS, as it knows them; where it does not tell, by their access key's id.
async fn caller(link: &Link) -> String {
    match link.caller_arn().await {
        Ok(arn) => arn,
        Err(_) => link.access_key_id().await.unwrap_or_else(|| "unknown".to_owned()),
    }
}

fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

async fn meant(args: &OnAws, stack: &str) -> Result<(Access, Meant), Failure> {
    let access = access(args).await?;
    let endpoint = args.endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    let meant = Meant { stack: stack.to_owned(), region: access.region.clone(), endpoint };
    Ok((access, meant))
}

async fn access(args: &OnAws) -> Result<Access, Failure> {
    if let Some(endpoint) = &args.endpoint {
        return Ok(Access::of_emulator(endpoint, args.region.as_deref().unwrap_or(EMULATED_REGION)));
    }
    let access = Access::of_operator(args.profile.as_deref(), args.region.as_deref()).await;
    access.map_err(|error| {
        Failure::new(error.to_string()).next(match &error {
            AccessError::Credentials(failed) => next_step::of(failed),
            AccessError::NoRegion => "name it by --region or AWS_REGION".to_owned(),
        })
    })
}

/// What a stack consists of.
struct Deployed {
    tables: Tables,
    urls: Urls,
    ledger_key_parameter: String,
    trusted: Trusted,
    policy: SoftBouncePolicy,
    postmark: Option<String>,
    /// Where people reach the portal, if there is one.
    portal: Option<String>,
    /// The queue of mails to them, if they get any.
    mail: Option<String>,
}

impl Deployed {
    /// As the stack's outputs tell.
    fn told(outputs: &Outputs, meant: &Meant) -> Result<Deployed, Failure> {
        let output = |name: String| outputs.get(&name).cloned().ok_or_else(|| meant.untold(&name));
        let tables = Table::ALL.map(|table| Ok((table, output(table_output(table))?)));
        let urls = QueueName::ALL.map(|queue| Ok((queue, output(queue_output(queue))?)));
        let policy = "SoftBouncePolicy";
        Ok(Deployed {
            tables: Tables::named(
                tables.into_iter().collect::<Result<_, Failure>>()?,
                outputs.get("ByTime").is_some_and(|by_time| by_time == "true"),
            ),
            urls: urls.into_iter().collect::<Result<_, Failure>>()?,
            ledger_key_parameter: output("LedgerKeyParameter".to_owned())?,
            // A release that did not tell it believed whoever sent.
            trusted: outputs.get("TrustedSenders").map_or(Trusted::All, |ids| Trusted::list(ids)),
            policy: output(policy.to_owned())?.parse().map_err(|_| meant.untold(policy))?,
            postmark: outputs.get("PostmarkUrl").cloned(),
            portal: portal_url(outputs, meant.endpoint.as_deref()),
            mail: outputs.get("MailQueueUrl").cloned(),
        })
    }

    /// As `tables create` made it: by name.
    async fn by_name(access: &Access, meant: &Meant) -> Result<Deployed, Failure> {
        let link = Link::new(access.clone(), Limits::COMMAND);
        let urls = Sqs::urls_of_stack(&link, &meant.stack).await.map_err(|error| meant.queue(&error))?;
        let tables = |by_time| Tables::of_stack(&meant.stack, by_time);
        // Where there are no tables, whoever reads them says so.
        let by_time = DynamoDb::new(link, tables(false)).has_by_time().await.unwrap_or(false);
        Ok(Deployed {
            tables: tables(by_time),
            urls,
            ledger_key_parameter: ledger_key_parameter(&meant.stack),
            trusted: Trusted::All,
            policy: SoftBouncePolicy::default(),
            postmark: None,
            portal: None,
            mail: None,
        })
    }
}

/// Where people reach the portal of a stack.
fn portal_url(outputs: &Outputs, endpoint: Option<&str>) -> Option<String> {
    let Some(endpoint) = endpoint else { return outputs.get("PortalUrl").cloned() };
    // An emulator has APIs at hosts of their own too, which browsers find on this machine: pages link to each other by paths.
    let (id, endpoint): (_, http::Uri) = (outputs.get("PortalApiId")?, endpoint.parse().ok()?);
    let port = endpoint.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("http://{id}.execute-api.localhost{port}"))
}

/// The template's name for a table: `EventsTable`.
pub fn table_output(table: Table) -> String {
    format!("{}Table", capitalised(table.name()))
}

/// The template's name for a queue's URL: `CriticalQueueUrl`, `CriticalDlqUrl`.
pub fn queue_output(queue: QueueName) -> String {
    match queue.name().split_once('-') {
        Some((live, dead)) => format!("{}{}Url", capitalised(live), capitalised(dead)),
        None => format!("{}QueueUrl", capitalised(queue.name())),
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

async fn operator(access: Access, link: Link, meant: &Meant, stack: &str) -> Result<Operator, Failure> {
    let deployed = match link.outputs(&meant.stack).await {
        Ok(outputs) => Deployed::told(&outputs, meant)?,
        // In an emulator a stack may have been made without the template.
        Err(OutputsError::Missing(_)) if meant.endpoint.is_some() => {
            Deployed::by_name(&access, meant).await?
        }
        Err(error) => return Err(meant.outputs(&error)),
    };
    let parameter = deployed.ledger_key_parameter;
    let key = link.parameter(&parameter).await;
    let key: LedgerKey = key.map_err(|error| meant.parameter(&error))?.parse().map_err(|error| {
        Failure::new(format!("the parameter {parameter} of {meant} is {error}"))
            .next("put back the key that the stack was made with: every recipient's id is made with it")
    })?;
    let queues = Sqs::new(Link::new(access, Limits::COMMAND), deployed.urls);
    let outbox: Arc<dyn Outbox> = match deployed.mail {
        Some(url) => Arc::new(QueuedMail::new(link.clone(), url)),
        None => Arc::new(NoMail),
    };
    // An emulator's messages are all sent by its one account.
    let known = if meant.endpoint.is_some() { Trusted::All } else { deployed.trusted.clone() };
    let queue = Arc::new(AsOperator::new(queues, link.clone(), known));
    let vault: Arc<dyn Vault> = Arc::new(ParameterVault::new(link.clone(), &tokens_prefix(stack)));
    let told = platform::env::text("POSTLEDGER_POSTMARK").or(deployed.postmark);
    let base = told.unwrap_or_else(|| postmark_api::POSTMARK.to_owned());
    let postmark = endpoint(&base)?;
    Ok(Operator::new(Parts {
        store: Arc::new(DynamoDb::new(link, deployed.tables)),
        queue,
        vault,
        postmark,
        ledger_key: key,
        policy: deployed.policy,
        trusted: deployed.trusted,
        clock: platform::clock(),
        portal: deployed.portal.map(|url| Portal { url, outbox, brand: Brand::default() }),
        connecting: None,
    }))
}

/// Where the Postmark tokens of a stack's servers are kept.
///
/// # Errors
/// Where there is no access.
pub fn vault(args: &OnAws, stack: &str) -> Result<Box<dyn Vault>, Failure> {
    let access = runtime()?.block_on(access(args))?;
    let link = Link::new(access, Limits::COMMAND);
    Ok(Box::new(ParameterVault::new(link, &tokens_prefix(stack))))
}

/// Where Postmark reaches a stack's doors.
pub fn doors(args: &OnAws, stack: &str) -> Result<String, Failure> {
    runtime()?.block_on(async {
        let (access, meant) = meant(args, stack).await?;
        let outputs = Link::new(access, Limits::COMMAND).outputs(stack).await;
        let outputs = outputs.map_err(|error| meant.outputs(&error))?;
        let output = |name: &str| outputs.get(name).ok_or_else(|| meant.untold(name));
        Ok(match &meant.endpoint {
            // An emulator has no host names; `%24default` is the stage, and needs no quotes in a shell.
            Some(endpoint) => format!("{endpoint}/_aws/execute-api/{}/%24default", output("ApiId")?),
            None => output("ApiUrl")?.clone(),
        })
    })
}

/// What a stack tells of itself; `None` where it was made in an emulator without the template.
pub fn outputs(args: &OnAws, stack: &str) -> Result<Option<Outputs>, Failure> {
    runtime()?.block_on(async {
        let (access, meant) = meant(args, stack).await?;
        match Link::new(access, Limits::COMMAND).outputs(stack).await {
            Ok(outputs) => Ok(Some(outputs)),
            Err(OutputsError::Missing(_)) if meant.endpoint.is_some() => Ok(None),
            Err(error) => Err(meant.outputs(&error)),
        }
    })
}

/// What a deployed stack verifies passwords by; `None` where there is no stack, or one that has no doors yet.
pub fn public_keys(args: &OnAws, stack: &str) -> Result<Option<String>, Failure> {
    runtime()?.block_on(async {
        let (access, meant) = meant(args, stack).await?;
        match Link::new(access, Limits::COMMAND).outputs(stack).await {
            Ok(mut outputs) => Ok(outputs.remove("PublicKeys")),
            Err(OutputsError::Missing(_)) => Ok(None),
            Err(error) => Err(meant.outputs(&error)),
        }
    })
}

/// Makes the ledger key of a stack, unless there is one. The name of its parameter, and whether it was made.
pub fn prepare(args: &OnAws, stack: &str) -> Result<(String, bool), Failure> {
    runtime()?.block_on(async {
        let (access, meant) = meant(args, stack).await?;
        put_ledger_key(&Link::new(access, Limits::COMMAND), &meant).await
    })
}

/// Where the key of the function that sets up webhooks is kept.
pub fn signing_key_parameter(stack: &str) -> String {
    format!("/postledger/{stack}/signing-key")
}

/// Stores that key over the one that may be there, or removes it. Whether there is another state now.
///
/// # Errors
/// Where there is no access, or it is refused.
pub fn store_signing_key(args: &OnAws, stack: &str, key: Option<&str>) -> Result<bool, Failure> {
    runtime()?.block_on(async {
        let (access, meant) = meant(args, stack).await?;
        let (link, name) = (Link::new(access, Limits::COMMAND), signing_key_parameter(stack));
        // A parameter that is written over keeps what it held before in its history.
        let removed = match link.delete_parameter(&name).await {
            Err(ParameterError::Missing(_)) => Ok(false),
            removed => removed.map(|()| true),
        };
        let stored = match (removed, key) {
            // Over one that was stored meanwhile, too.
            (Ok(_), Some(key)) => link.replace_parameter(&name, key).await.map(|()| true),
            (removed, _) => removed,
        };
        stored.map_err(|error| match error {
            ParameterError::Failed(_, failed) => meant.failed("signing key", &failed),
            ParameterError::Missing(_) => meant.missing("signing key"),
        })
    })
}

async fn put_ledger_key(link: &Link, meant: &Meant) -> Result<(String, bool), Failure> {
    let key: [u8; LEDGER_KEY_BYTES] = ring::rand::generate(&SystemRandom::new())
        .map_err(|_| Failure::new("the system has no random numbers to give"))?
        .expose();
    let parameter = ledger_key_parameter(&meant.stack);
    let put = link.put_parameter(&parameter, &URL_SAFE_NO_PAD.encode(key)).await;
    let made = put.map_err(|error| meant.parameter(&error))?;
    Ok((parameter, made))
}

/// Makes in an emulator what a stack lacks: tables, queues, and a random ledger key.
///
/// # Errors
/// Where nobody answers there, or refuses.
pub fn create(endpoint: &str, region: &str, stack: &str, by_time: bool) -> Result<Made, Failure> {
    let meant =
        Meant { stack: stack.to_owned(), region: region.to_owned(), endpoint: Some(endpoint.to_owned()) };
    let link = Link::new(Access::of_emulator(endpoint, region), Limits::COMMAND);
    let mut done = Made::default();
    runtime()?.block_on(async {
        let tables = Tables::of_stack(stack, by_time);
        let made = DynamoDb::new(link.clone(), tables.clone()).create().await;
        done.take("table", tables.names(), &made.map_err(|error| meant.store(&error))?);
        let made = Sqs::create(&link, stack, queue::VISIBILITY, queue::RECEIVES_MAX).await;
        let queues = queue::QueueName::ALL.map(|name| name.in_stack(stack)).into();
        done.take("queue", queues, &made.map_err(|error| meant.queue(&error))?);
        let (parameter, made) = put_ledger_key(&link, &meant).await?;
        let which = if made { &mut done.made } else { &mut done.there };
        which.push(format!("parameter {parameter}"));
        Ok(done)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::QueueName;

    fn deployed() -> Meant {
        Meant { stack: "eu-prod".to_owned(), region: "eu-west-1".to_owned(), endpoint: None }
    }

    #[test]
    fn a_link_to_the_portal_leads_to_its_own_host_on_aws_and_in_an_emulator() {
        let pairs = [("PortalUrl", "https://mail.agency.example"), ("PortalApiId", "a1b2c3d4")];
        let outputs: Outputs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(portal_url(&outputs, None).as_deref(), Some("https://mail.agency.example"));
        let emulated = portal_url(&outputs, Some("http://127.0.0.1:4566"));
        assert_eq!(emulated.as_deref(), Some("http://a1b2c3d4.execute-api.localhost:4566"));
        assert_eq!(portal_url(&Outputs::new(), Some("http://127.0.0.1:4566")), None);
    }

    #[test]
    fn what_a_deployed_stack_lacks_is_named_with_stack_and_region_and_is_not_to_be_made_by_hand() {
        let store = CallFailed::new(FailureKind::NotFound).with_code("ResourceNotFoundException").into();
        let queue = QueueError::NoSuchQueue(QueueName::BulkDead);
        let gone = CallFailed::new(FailureKind::NotFound).with_code("ResourceNotFoundException");
        for told in [deployed().store(&store), deployed().queue(&queue), deployed().call(&gone)] {
            let told = told.to_string();
            assert!(told.starts_with("stack eu-prod in eu-west-1 has no "), "{told}");
            assert!(told.contains("next: ") && !told.contains("tables create"), "{told}");
        }
    }

    #[test]
    fn a_failed_call_is_told_by_awss_own_code_with_what_to_do_about_its_kind() {
        let told = |failed: CallFailed| {
            let parameter = ParameterError::Failed(ledger_key_parameter("eu-prod"), failed.clone());
            let ways = [
                deployed().store(&failed.clone().into()),
                deployed().parameter(&parameter),
                deployed().queue(&failed.into()),
            ];
            ways.map(|way| way.to_string())
        };
        let denied = CallFailed::new(FailureKind::AccessDenied).with_code("AccessDeniedException");
        for (failed, words) in [
            (denied.clone(), ["AccessDeniedException", "--profile"]),
            (
                denied.with_action("dynamodb:Query"),
                ["AccessDeniedException", "give this access the permission dynamodb:Query"],
            ),
            (
                CallFailed::new(FailureKind::ClockSkew).with_code("RequestExpired"),
                ["differ by minutes", "set the clock"],
            ),
            (CallFailed::new(FailureKind::Tls).with_code("UnknownIssuer"), ["TLS failed", "proxy"]),
            (
                CallFailed::new(FailureKind::Throttled).with_code("ThrottlingException"),
                ["no more calls", "wait"],
            ),
        ] {
            for told in told(failed) {
                assert!(words.iter().all(|word| told.contains(word)), "{told}");
            }
        }
    }
}
