//! A function's configuration: its variables, each with its one name and what it should hold, read once at start.

use crate::env::{EnvError, text};
use std::collections::BTreeMap;
use std::str::FromStr;

/// A variable of a function's environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it should hold.
    pub what: &'static str,
}

impl Variable {
    /// That it does not hold what it should.
    pub const fn unusable(self) -> EnvError {
        EnvError::Unusable { name: self.name, what: self.what }
    }
}

/// Each constant is the variable `POSTLEDGER_` and its name.
macro_rules! variables {
    ($($name:ident: $what:literal,)*) => {
        $(
            #[doc = $what]
            pub const $name: Variable =
                Variable { name: concat!("POSTLEDGER_", stringify!($name)), what: $what };
        )*
    };
}

variables! {
    API_URL: "the base URL of the read API",
    BASE: "the URL that webhooks of servers lead to which `connect` did not connect",
    BULK_DLQ_URL: "the URL of the bulk queue's dead letters",
    BULK_QUEUE_URL: "the URL of the bulk queue",
    BY_TIME: "true or false: whether the index by_time is written",
    CONNECT_QUEUE_URL: "the URL of the queue of webhooks to be set up",
    COUNTERS_TABLE: "the name of the table of counters",
    CRITICAL_DLQ_URL: "the URL of the critical queue's dead letters",
    CRITICAL_QUEUE_URL: "the URL of the critical queue",
    DENIED: "user names such as 8123456.1, commas between",
    ENGAGEMENT_DETAIL: "true or false: whether opens and clicks keep where and with what they happened",
    EVENTS_TABLE: "the name of the table of events",
    LEDGER_KEY_PARAMETER: "the name of the parameter that holds the ledger key, 43 characters of base64url",
    MAIL_FROM: "the address that mail to people of the portal comes from",
    MAIL_QUEUE_URL: "the URL of the queue of mails to people of the portal",
    MAIL_STREAM: "the stream of the operator's own Postmark server that such mail goes out on",
    MAIL_TOKEN_PARAMETER: "the name of the parameter that holds the token of the operator's own Postmark server",
    PORTAL_NAME: "what the portal is called",
    PORTAL_URL: "the base URL at which people reach the portal",
    POSTMARK: "the URL of Postmark's API",
    PUBLIC_KEYS: "one or two public keys, comma between, each of 43 characters",
    QUARANTINE_DLQ_URL: "the URL of the quarantine queue's dead letters",
    QUARANTINE_QUEUE_URL: "the URL of the quarantine queue",
    QUARANTINE_TABLE: "the name of the quarantine table",
    RECIPIENTS_TABLE: "the name of the table of recipients",
    REGISTRY_TABLE: "the name of the registry table",
    RETENTION_DAYS: "how long deliveries, opens and clicks are kept, in days, at least 90",
    SIGNING_KEY_PARAMETER: "the name of the parameter that holds the key which signs webhooks' passwords",
    SOFT_BOUNCE_POLICY: "the soft-bounce policy, as the template says it",
    STACK: "the stack's name, 1 to 32 of a-z, 0-9 and -",
    STAGE: "the stage, a dimension of the metrics",
    TOKENS_PREFIX: "what the names of the parameters with the servers' tokens begin with",
    TRUSTED_SENDERS: "unique ids of those who may tell more than webhooks do, commas between",
    WATCH_REPAIR: "true or false: whether paused triggers are verified",
}

/// What the variables of a function hold; those that it declares and no others.
#[derive(Clone, Debug)]
pub struct Config(BTreeMap<&'static str, Option<String>>);

impl Config {
    /// Begins a function: logs, metrics, and what its variables hold. A test holds the declared ones to the template.
    pub fn of_function(declared: &[Variable]) -> Config {
        crate::logs::init(crate::logs::of_function(), std::io::stdout);
        let config = Config::read(declared);
        crate::metrics::init(config.text(STAGE).unwrap_or("local"));
        config
    }

    fn read(declared: &[Variable]) -> Config {
        Config(declared.iter().map(|variable| (variable.name, text(variable.name))).collect())
    }

    /// Whether a function declares a variable.
    pub fn declares(&self, variable: Variable) -> bool {
        self.0.contains_key(variable.name)
    }

    /// A variable that may be absent.
    pub fn text(&self, variable: Variable) -> Option<&str> {
        assert!(self.declares(variable), "{} is not declared", variable.name);
        self.0.get(variable.name)?.as_deref()
    }

    /// A variable that must be there.
    pub fn required(&self, variable: Variable) -> Result<&str, EnvError> {
        self.text(variable).ok_or(EnvError::Missing { name: variable.name, what: variable.what })
    }

    /// A variable of a type, or its default where absent.
    pub fn parsed<T: FromStr>(&self, variable: Variable, default: T) -> Result<T, EnvError> {
        self.text(variable).map_or(Ok(default), |value| value.parse().map_err(|_| variable.unusable()))
    }

    /// What stands between the commas of a variable; absent, it is an empty list.
    pub fn list<T: FromStr>(&self, variable: Variable) -> Result<Vec<T>, EnvError> {
        let parts = self.text(variable).unwrap_or_default().split(',').map(str::trim);
        let read = |part: &str| part.parse().map_err(|_| variable.unusable());
        parts.filter(|part| !part.is_empty()).map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(of: &[(Variable, &str)]) -> Config {
        Config(of.iter().map(|(variable, value)| (variable.name, Some((*value).to_owned()))).collect())
    }

    #[test]
    fn a_missing_variable_names_itself_and_says_what_it_should_hold() {
        let error = Config::read(&[STACK]).required(STACK).unwrap_err();
        assert_eq!(
            error.to_string(),
            "POSTLEDGER_STACK is not set: the stack's name, 1 to 32 of a-z, 0-9 and -"
        );
    }

    #[test]
    fn an_unusable_variable_is_not_quoted() {
        let days = config(&[(RETENTION_DAYS, "secret")]);
        let error = days.parsed(RETENTION_DAYS, 90_u32).unwrap_err().to_string();
        assert!(
            error.starts_with("POSTLEDGER_RETENTION_DAYS cannot be used") && !error.contains("secret"),
            "{error}"
        );
        assert_eq!(config(&[(RETENTION_DAYS, "91")]).parsed(RETENTION_DAYS, 90_u32), Ok(91));
    }

    #[test]
    fn a_list_has_commas_between_and_is_empty_where_nothing_is_set() {
        assert_eq!(config(&[(DENIED, " 7, 8 ,")]).list::<u8>(DENIED), Ok(vec![7, 8]));
        assert_eq!(Config::read(&[DENIED]).list::<u8>(DENIED), Ok(vec![]));
        assert_eq!(config(&[(DENIED, "7,x")]).list::<u8>(DENIED), Err(DENIED.unusable()));
    }
}
