//! The command `revoke`: revokes a password of a server, takes that back, and lists what is revoked. And what other
//! commands know of it: which password to use instead.

use crate::api::{Api, Request};
use crate::args::{self, Target};
use crate::format::{self, Columns, Form};
use crate::prompt::must_agree;
use crate::target::{Context, Deployment};
use crate::{Failure, registry, say, show, tell};
use account::Registry;
use answers::Timestamp;
use consumer::REVOKED_DAYS;
use http::Method;
use ledger::{ServerId, Time};
use operator::Revoked as Revoke;
use serde::Serialize;
use serde_json::{Value, json};

/// What is revoked in a ledger.
struct Revoked(Vec<Revoke>);

impl Revoked {
    fn of(ledger: &Api) -> Result<Revoked, Failure> {
        Ok(Revoked(ledger.read(&Request::operator(Method::GET, &["revocations"]))?))
    }

    /// From when a password is revoked, if it is.
    fn from(&self, server: ServerId, generation: u32) -> Option<Time> {
        let revoked = self.0.iter().find(|one| (one.server, one.generation) == (server, generation));
        revoked.map(|one| one.from.0)
    }

    /// The first password from one on that is not revoked.
    fn usable(&self, server: ServerId, from: u32) -> u32 {
        (from..=u32::MAX).find(|generation| self.from(server, *generation).is_none()).unwrap_or(u32::MAX)
    }

    /// What the template's parameter `Denied` is to be, so that the doors refuse all of them, and one more.
    fn denied(&self, more: Option<(ServerId, u32)>) -> String {
        let mut users: Vec<(ServerId, u32)> =
            self.0.iter().map(|one| (one.server, one.generation)).chain(more).collect();
        users.sort_unstable();
        users.dedup();
        users
            .iter()
            .map(|(server, generation)| format!("{server}.{generation}"))
            .collect::<Vec<_>>()
            .join(",")
    }
}

/// The command.
///
/// # Errors
/// Where it is not done, or there is nobody to ask.
pub fn run(args: &args::Revoke, context: &Context, form: Form) -> Result<(), Failure> {
    let ledger = Api::operated(&args.target, context)?;
    let (Some(server), Some(generation), false) = (args.server, args.generation, args.list) else {
        return list(&ledger, args.server, form);
    };
    let json = form.json()?;
    if args.undo {
        undo(&ledger, server, generation, args, json)
    } else {
        revoke(&ledger, server, generation, args, json)
    }
}

fn list(ledger: &Api, server: Option<ServerId>, form: Form) -> Result<(), Failure> {
    let all = Revoked::of(ledger)?;
    let wanted = all.0.iter().filter(|one| server.is_none_or(|server| one.server == server));
    let told = wanted.map(|one| Listed {
        server: one.server,
        generation: one.generation,
        from: one.from,
        next_generation: all.usable(one.server, one.generation),
    });
    let columns: Columns = &["server", "generation", "from", "next_generation"];
    format::print(form, &told.collect::<Vec<_>>(), columns, |told| {
        let rows = told.iter().map(|one| {
            let from = show::time(one.from.0);
            [one.server.to_string(), one.generation.to_string(), from, one.next_generation.to_string()]
        });
        if told.is_empty() {
            return "no password is revoked".to_owned();
        }
        let table = show::table(["server", "generation", "revoked from", "use instead"], rows);
        match ledger.aws() {
            Some(_) => {
                format!("{table}\n\nto have the doors refuse them, deploy with Denied={}", all.denied(None))
            }
            None => table,
        }
    })
}

/// A revoked password, as it is listed.
#[derive(Serialize)]
struct Listed {
    server: ServerId,
    generation: u32,
    from: Timestamp,
    next_generation: u32,
}

fn revoke(
    ledger: &Api,
    server: ServerId,
    generation: u32,
    args: &args::Revoke,
    json: bool,
) -> Result<(), Failure> {
    let from = args.from.unwrap_or_else(platform::now);
    let revoked = Revoked::of(ledger)?;
    let registered = registered(ledger, server)?;
    let on_aws = ledger.aws().is_some();
    let plan = Plan { server, generation, from, registered, revoked: &revoked, on_aws };
    if !json {
        say(plan.words());
    }
    if !plan.is_new() {
        if json {
            say(serde_json::to_string_pretty(&plan.told())?);
        }
        return Ok(());
    }
    must_agree(args.yes, &format!("revoke the password of generation {generation}?"))?;
    let (next, takes_next) = (plan.next(), plan.is_registered());
    let request = Request::operator(Method::POST, &["revocations"]);
    ledger.read::<Revoke>(&request.json(&Revoke { server, generation, from: from.into() }))?;
    let words = || {
        let connect = if takes_next {
            format!("`postledger connect --server {server}` gives Postmark the next one")
        } else {
            format!("put `postledger url --server {server} --generation {next}` into Postmark")
        };
        format!("{server}.{generation} is revoked from {}; {connect}", show::time(from))
    };
    say(if json { serde_json::to_string_pretty(&plan.told())? } else { words() });
    Ok(())
}

fn undo(
    ledger: &Api,
    server: ServerId,
    generation: u32,
    args: &args::Revoke,
    json: bool,
) -> Result<(), Failure> {
    let from = Revoked::of(ledger)?.from(server, generation).ok_or_else(|| {
        Failure::new(format!("the password of generation {generation} of server {server} is not revoked"))
            .next("`postledger revoke --list` shows those that are")
    })?;
    let question = format!("take back that {server}.{generation} is revoked from {}?", show::time(from));
    must_agree(args.yes, &question)?;
    let password = ["revocations", &server.to_string(), &generation.to_string()];
    ledger.read::<Revoke>(&Request::operator(Method::DELETE, &password))?;
    let denied = if ledger.aws().is_some() { "; take it out of `Denied` where it stands there" } else { "" };
    let words = format!(
        "{server}.{generation} is good again; what came in with it since is kept for {REVOKED_DAYS} days: see it by \
         `postledger quarantine list --days {REVOKED_DAYS}`, and record it by `postledger quarantine replay KEY`{denied}"
    );
    let told = json!({ "server": server, "generation": generation, "was": from.to_string() });
    say(if json { serde_json::to_string_pretty(&told)? } else { words });
    Ok(())
}

/// Which of a server's passwords the registry says is in use, where it has the server.
fn registered(ledger: &Api, server: ServerId) -> Result<Option<u32>, Failure> {
    let entry = registry::on(ledger, async |store| Registry(store).get(server).await)?;
    Ok(entry.map(|entry| entry.generation))
}

/// What revoking a password does.
struct Plan<'a> {
    server: ServerId,
    generation: u32,
    from: Time,
    registered: Option<u32>,
    revoked: &'a Revoked,
    /// Whether the doors can be deployed with a list of what they refuse.
    on_aws: bool,
}

impl Plan<'_> {
    /// Whether it changes anything: of several instants the earliest counts.
    fn is_new(&self) -> bool {
        self.revoked.from(self.server, self.generation).is_none_or(|known| self.from < known)
    }

    fn is_registered(&self) -> bool {
        self.registered == Some(self.generation)
    }

    /// The password to use from now on: the one in use, where that is another and good.
    fn next(&self) -> u32 {
        let from =
            self.registered.filter(|_| !self.is_registered()).unwrap_or(self.generation.saturating_add(1));
        let usable = self.revoked.usable(self.server, from);
        if usable == self.generation {
            self.revoked.usable(self.server, usable.saturating_add(1))
        } else {
            usable
        }
    }

    fn told(&self) -> Value {
        let known = self.revoked.from(self.server, self.generation);
        let denied = self.revoked.denied(Some((self.server, self.generation)));
        json!({ "server": self.server, "generation": self.generation,
            "from": known.map_or(self.from, |known| known.min(self.from)).to_string(), "new": self.is_new(),
            "next_generation": self.next(), "denied": denied })
    }

    fn words(&self) -> String {
        let Plan { server, generation, from, .. } = *self;
        let next = self.next();
        if let Some(known) = self.revoked.from(server, generation).filter(|_| !self.is_new()) {
            return format!(
                "{server}.{generation} is revoked from {} already, and the earliest instant counts; the password to use \
                 is generation {next}\n`postledger revoke --server {server} --generation {generation} --undo` takes it back",
                show::time(known)
            );
        }
        let in_use = match self.registered {
            Some(_) if self.is_registered() => format!(
                "it is the one in use: the registry goes on to generation {next}, which the next `postledger connect \
                 --server {server}` gives to Postmark"
            ),
            Some(registered) => format!("the registry says that generation {registered} is in use"),
            None => format!(
                "the registry does not know the server; put `postledger url --server {server} --generation {next}` into \
                 Postmark"
            ),
        };
        let at_the_door = if self.on_aws {
            format!(
                "- to end it at the door as well, once Postmark has the next one: deploy with the template's parameter \
                 Denied={} (a refused webhook is offered again for about an hour)\n",
                self.revoked.denied(Some((server, generation)))
            )
        } else {
            String::new()
        };
        format!(
            "revoking {server}.{generation} from {}:\n- what comes in with it later is not recorded; Postmark is told that \
             it was taken in, and it is kept in quarantine for {REVOKED_DAYS} days, then forgotten\n- {in_use}\n- until \
             {REVOKED_DAYS} days have passed, `--undo` takes it back without loss\n{at_the_door}",
            show::time(from)
        )
    }
}

/// Which of a server's passwords to use: the one that is given, else the one in use that is not revoked. `revoked`: what
/// is to be said where the given one is.
///
/// # Errors
/// Where the given one is revoked and `strictly` nothing else will do.
pub fn generation(
    target: &Target,
    context: &Context,
    server: ServerId,
    given: Option<u32>,
    strictly: bool,
) -> Result<u32, Failure> {
    let place = Deployment::of(target.url.as_deref(), &target.aws, context)?;
    // An address that Postmark reaches is none at which a ledger is asked.
    if matches!(&place, Deployment::Url(base) if !is_this_machine(base)) {
        return Ok(given.unwrap_or(1));
    }
    let known = || {
        let ledger = Api::operated(target, context)?;
        Ok::<_, Failure>((Revoked::of(&ledger)?, registered(&ledger, server)?))
    };
    let (revoked, registered) = match known() {
        Ok(known) => known,
        Err(_) => {
            if strictly {
                tell("the ledger gives no answer: whether this password is revoked is not known");
            }
            return Ok(given.unwrap_or(1));
        }
    };
    let Some(given) = given else { return Ok(revoked.usable(server, registered.unwrap_or(1))) };
    if let Some(from) = revoked.from(server, given) {
        let next = revoked.usable(server, registered.unwrap_or(1));
        let words = format!("{server}.{given} is revoked from {}", show::time(from));
        if strictly {
            return Err(
                Failure::new(words).next(format!("use --generation {next}, or `postledger revoke --undo`"))
            );
        }
        tell(format!("{words}: what is posted is set aside; use --generation {next}"));
    }
    Ok(given)
}

fn is_this_machine(base: &str) -> bool {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
        rest.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> ServerId {
        ServerId::new(8_123_456).unwrap()
    }

    fn at(seconds: i64) -> Time {
        Time::default().plus_seconds(seconds)
    }

    fn revoked(generations: &[(u32, i64)]) -> Revoked {
        let one = |(generation, from): &(u32, i64)| Revoke {
            server: server(),
            generation: *generation,
            from: at(*from).into(),
        };
        Revoked(generations.iter().map(one).collect())
    }

    fn plan(revoked: &Revoked, generation: u32, registered: Option<u32>) -> Plan<'_> {
        Plan { server: server(), generation, from: at(50), registered, revoked, on_aws: true }
    }

    #[test]
    fn the_next_password_is_one_that_is_not_revoked() {
        for (known, generation, registered, expected) in [
            (vec![], 1, None, 2),
            (vec![], 1, Some(1), 2),
            (vec![(2, 9)], 1, Some(1), 3),
            (vec![(1, 9)], 2, Some(2), 3),
            (vec![], 1, Some(4), 4),
            (vec![(4, 9)], 1, Some(4), 5),
            (vec![(4, 9)], 5, Some(4), 6),
        ] {
            assert_eq!(
                plan(&revoked(&known), generation, registered).next(),
                expected,
                "{known:?} {generation}"
            );
        }
    }

    #[test]
    fn the_plan_says_what_is_set_aside_and_what_ends_it_at_the_door() {
        let known = revoked(&[(1, 9), (7, 9)]);
        let words = plan(&known, 2, Some(2)).words();
        for part in ["8123456.2", "30 days", "--undo", "Denied=8123456.1,8123456.2,8123456.7", "generation 3"]
        {
            assert!(words.contains(part), "{part}: {words}");
        }
        let here = Plan { on_aws: false, ..plan(&known, 2, Some(2)) }.words();
        assert!(here.contains("--undo") && !here.contains("Denied") && !here.contains("deploy"), "{here}");
        let words = plan(&known, 1, Some(2)).words();
        assert!(
            words.contains("already") && words.contains("generation 2") && words.contains("--undo"),
            "{words}"
        );
        assert!(!plan(&known, 1, None).is_new() && plan(&revoked(&[(1, 90)]), 1, None).is_new());
    }

    #[test]
    fn a_ledger_is_asked_on_this_machine_only() {
        for base in ["http://127.0.0.1:8630", "http://localhost/x", "http://[::1]:1"] {
            assert!(is_this_machine(base), "{base}");
        }
        for base in ["https://hooks.example.com", "http://127.0.0.1.example", "http://localhost.example:80"] {
            assert!(!is_this_machine(base), "{base}");
        }
    }
}
