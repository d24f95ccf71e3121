//! What is asked on the terminal.

use crate::Failure;
use embedded::seal::PASSPHRASE_MIN;
use postmark_api::Token;
use std::io::{IsTerminal as _, Write as _, stderr, stdin};

/// Asks on the terminal.
///
/// # Errors
/// Where there is no terminal, and nobody to ask.
pub fn agreed(question: &str) -> Result<bool, Failure> {
    let answer = asked(&format!("{question} [y/N] "), "--yes")?;
    Ok(matches!(&*answer.to_lowercase(), "y" | "yes"))
}

/// What is answered on the terminal.
///
/// # Errors
/// Where there is no terminal, and nobody to ask.
pub fn asked(question: &str, instead: &str) -> Result<String, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::new("there is no terminal to ask on")
            .next(format!("give {instead} to go on without being asked")));
    }
    write!(stderr(), "{question}")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// A token: from the terminal without showing it, else a line of standard input.
///
/// # Errors
/// Where it is none.
pub fn secret(what: &str) -> Result<Token, Failure> {
    let text = if stdin().is_terminal() {
        rpassword::prompt_password(format!("{what} (it is not shown): "))?
    } else {
        let mut line = String::new();
        stdin().read_line(&mut line)?;
        line
    };
    Token::new(&text).map_err(|error| {
        Failure::new(format!("{what}: {error}"))
            .next("it stands under API Tokens at Postmark; give it on standard input, never as an argument")
    })
}

/// A passphrase: from the terminal without showing it.
///
/// # Errors
/// Where there is no terminal, and nobody to ask.
pub fn passphrase(what: &str) -> Result<String, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::new("there is no terminal to ask for the passphrase on")
            .next("give it by --passphrase-file FILE or POSTLEDGER_PASSPHRASE"));
    }
    Ok(rpassword::prompt_password(format!("{what} (it is not shown): "))?)
}

/// A passphrase for a new backup, asked for twice.
///
/// # Errors
/// Where there is nobody to ask, or the two differ.
pub fn new_passphrase() -> Result<String, Failure> {
    let first = passphrase(&format!("a passphrase for the backup, of at least {PASSPHRASE_MIN} characters"))?;
    if passphrase("the same once more")? != first {
        return Err(Failure::new("the two differ").next("try again"));
    }
    Ok(first)
}
