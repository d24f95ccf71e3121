//! The portal of `postledger run`: where it listens, who brings its mail, and the people of the sample.

use crate::Failure;
use crate::args::{PortalArgs, Run};
use crate::listen::bind;
use crate::sample::SERVER;
use account::audit::{Who, WhoKind};
use answers::Role;
use embedded::Stack;
use embedded::portal::{Carrier, mailbox};
use ledger::{LedgerKey, ServerId};
use people::{Access, NoMail, Outbox, Standing, User};
use platform::private;
use portal::mail::Sender;
use portal::texts::{Language, Texts};
use portal::{Kept, KeptBy, Portal, Settings};
use postmark_api::{Endpoint, Token};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use store::DocumentStore;
use tokio::net::TcpListener;

/// What brings the mail, for as long as it is run.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A portal that listens, and is not served yet.
pub struct Listening {
    /// Where.
    pub listener: TcpListener,
    /// Its base URL.
    pub url: String,
    /// Whether only this machine reaches it.
    pub is_here: bool,
}

impl Listening {
    /// Listens, unless no portal is wanted. `scheme` is what is spoken there.
    pub async fn start(args: &Run, scheme: &str) -> Result<Option<Listening>, Failure> {
        let PortalArgs { portal: listen, no_portal, portal_url: url, .. } = &args.portal;
        if *no_portal || args.once {
            return Ok(None);
        }
        let doors = args.listen.map_or(args.port, |listen| listen.port());
        let any = if doors == 0 { 0 } else { doors.checked_add(2).unwrap_or(0) };
        let asked = listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, any).into());
        let listener = bind(asked, "`--portal 127.0.0.1:0` (any that is free), or `--no-portal`").await?;
        let address = listener.local_addr()?;
        let here = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
        let url = match url {
            Some(url) => checked(url, "--portal-url")?,
            None => format!("{scheme}://{}", SocketAddr::from((here, address.port()))),
        };
        Ok(Some(Listening { listener, url, is_here: address.ip().is_loopback() }))
    }
}

/// A base URL that somebody gave by an argument, without a slash at its end.
///
/// # Errors
/// Where it is none.
pub fn checked(url: &str, argument: &str) -> Result<String, Failure> {
    let base = url.trim_end_matches('/');
    let parsed: Option<http::Uri> = base.parse().ok();
    let is_base = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.path() == "/"
    });
    if is_base && !base.contains(['?', '#', '@']) {
        return Ok(base.to_owned());
    }
    Err(Failure::new(format!("{argument} is not the base of a URL"))
        .next("give scheme and host only, such as https://mail.agency.example")
        .status(crate::USAGE))
}

/// The way that mail takes, and what has to be run for it.
pub fn outbox(args: &PortalArgs, postmark: &Endpoint) -> Result<(Arc<dyn Outbox>, Option<Work>), Failure> {
    let carrier = match (&args.mail_from, &args.mail_token_file, &args.mail_folder) {
        (Some(from), Some(file), _) => {
            let text = private::read(file).map_err(|error| Failure::new(error.to_string()))?;
            let token = Token::new(text.trim()).map_err(|error| Failure::new(error.to_string()))?;
            let sender = Sender { from: from.clone(), stream: args.mail_stream.clone() };
            Carrier::Postmark { server: postmark.server(token), sender }
        }
        (_, _, Some(folder)) => {
            std::fs::create_dir_all(folder)?;
            Carrier::Folder(folder.clone())
        }
        _ => return Ok((Arc::new(NoMail), None)),
    };
    let (mailbox, work) = mailbox(carrier, Texts::default());
    Ok((mailbox, Some(Box::pin(work))))
}

/// The portal of a stack.
pub fn portal(args: &PortalArgs, stack: &Stack, sample: Option<ServerId>) -> Portal {
    let operator = &stack.operator;
    let Some(known) = operator.portal.clone() else { unreachable!("a stack with a portal knows of it") };
    let kept = Kept {
        days: consumer::RETENTION_DAYS_DEFAULT,
        engagement_detail: embedded::KEEPS_ENGAGEMENT_DETAIL,
        by: KeptBy::Program,
    };
    let (name, language) = (args.portal_name.clone(), Language::default());
    let settings = Settings { known, name, sample, language, kept };
    Portal::over(
        operator.api.clone(),
        operator.store.clone(),
        operator.ledger_key.clone(),
        operator.clock.clone(),
        settings,
    )
}

/// Lets somebody of each role look at the sample; the addresses are nobody's.
pub async fn sample_people(
    store: &dyn DocumentStore,
    key: &LedgerKey,
    now: ledger::Time,
) -> Result<(), Failure> {
    let server = ServerId::new(SERVER)?;
    let one = |role, reveal_addresses| {
        Access::Servers([(server, Standing { role, reveal_addresses, read_content: false })].into())
    };
    let all = [
        ("viewer", one(Role::Viewer, false)),
        ("admin", one(Role::Admin, true)),
        ("operator", Access::operator(true, true)),
    ];
    let who = Who { kind: WhoKind::Local, name: "sample".to_owned() };
    for (role, access) in all {
        let user = User::invited(key, &format!("{role}@sample.example"), access, &who.name, now)?;
        user.keep(store).await?;
    }
    Ok(())
}

/// Where the portal is, to be told once all is up.
pub struct Told {
    url: String,
    sends: bool,
}

impl Listening {
    /// What is told of it, and its listener.
    pub fn told(self, sends: bool) -> (Told, TcpListener) {
        (Told { url: self.url, sends }, self.listener)
    }
}

impl Told {
    /// Where it is, and how somebody gets in.
    pub fn words(&self, lets_in: bool) -> String {
        let (url, name) = (&self.url, "postledger");
        let how = if lets_in || self.sends {
            String::new()
        } else {
            format!(
                "\nIt has no mail server to send codes from (--mail-from). Let yourself in by\n  {name} user invite ADDRESS \
                 --operator\n  {name} user link ADDRESS"
            )
        };
        format!("\nOpen the portal in a browser:\n\n  {url}{how}")
    }
}
