//! The environment: read once, at start.

use std::str::FromStr;

/// What is wrong with a variable. It never quotes the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// It is not set.
    #[error("{name} is not set: {what}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it should hold.
        what: &'static str,
    },
    /// It does not hold what it should.
    #[error("{name} cannot be used: {what}")]
    Unusable {
        /// The variable.
        name: &'static str,
        /// What it should hold.
        what: &'static str,
    },
}

/// A variable that may be absent; an empty one is absent.
pub fn text(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a variable is there at all, though it may be empty, or no text.
pub fn is_set(name: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    std::env::var_os(name).is_some()
}

/// A variable that must be there; `what` says what it should hold.
pub fn required(name: &'static str, what: &'static str) -> Result<String, EnvError> {
    text(name).ok_or(EnvError::Missing { name, what })
}

/// A variable of a type, or its default where absent.
pub fn parsed<T: FromStr>(name: &'static str, what: &'static str, default: T) -> Result<T, EnvError> {
    match text(name) {
        None => Ok(default),
        Some(value) => value.parse().map_err(|_| EnvError::Unusable { name, what }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_names_itself_and_says_what_it_should_hold() {
        let error = required("POSTLEDGER_NO_SUCH", "the name of the stack").unwrap_err();
        assert_eq!(error.to_string(), "POSTLEDGER_NO_SUCH is not set: the name of the stack");
        assert_eq!(parsed("POSTLEDGER_NO_SUCH", "a number", 7), Ok(7));
    }

    #[test]
    fn an_unusable_variable_is_not_quoted() {
        let error = parsed::<u8>("PATH", "a small number", 0).unwrap_err();
        assert_eq!(error.to_string(), "PATH cannot be used: a small number");
    }
}
