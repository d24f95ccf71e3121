//! What is asked on the terminal.

use crate::Failure;
use embedded::seal::{self, PASSPHRASE_MIN};
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

/// Asks on the terminal whether to go on, unless `--yes` was given.
///
/// # Errors
/// Where there is nobody to ask, or the answer is no.
pub fn must_agree(yes: bool, question: &str) -> Result<(), Failure> {
    if yes || agreed(question)? {
        return Ok(());
    }
    Err(Failure::new("nothing was changed").next("say y, or give --yes to go on without being asked"))
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

/// A token: from the terminal without showing it, else a line of standard input. It is told where at Postmark it stands.
///
/// # Errors
/// Where it is none.
pub fn secret(what: &str, place: &str) -> Result<Token, Failure> {
    let text = if stdin().is_terminal() {
        rpassword::prompt_password(format!("{what} (it is not shown): "))?
    } else {
        let mut line = String::new();
        stdin().read_line(&mut line)?;
        line
    };
    Token::new(&text).map_err(|error| {
        Failure::new(format!("{what}: {error}"))
            .next(format!("it stands {place}; give it on standard input, never as an argument"))
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
/// Where there is nobody to ask, it is blank or too short, or the two differ.
pub fn new_passphrase() -> Result<String, Failure> {
    chosen(passphrase)
}

fn chosen(mut ask: impl FnMut(&str) -> Result<String, Failure>) -> Result<String, Failure> {
    let first = ask(&format!("a passphrase for the backup, of at least {PASSPHRASE_MIN} characters"))?;
    seal::check(&first)
        .map_err(|error| Failure::from(error).next("try again; blanks around it do not count"))?;
    if ask("the same once more")? != first {
        return Err(Failure::new("the two differ").next("try again"));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_passphrase_is_long_enough_and_given_twice_alike() {
        let answers = |first: &'static str, second: &'static str| {
            let mut left = vec![second, first];
            let chosen = chosen(|_| Ok(left.pop().unwrap().to_owned()));
            (chosen.map_err(|failure| failure.to_string()), left.len())
        };
        assert_eq!(answers("correct horse", "correct horse"), (Ok("correct horse".to_owned()), 0));
        assert!(answers("correct horse", "correct house").0.unwrap_err().contains("differ"));
        for short in ["", "            ", "correct", "  correct h  ", "\t12345678901\u{a0}"] {
            let (told, left) = answers(short, short);
            assert!(told.unwrap_err().contains("fewer than 12 characters"), "{short:?}");
            assert_eq!(left, 1, "it is not asked for once more: {short:?}");
        }
        assert!(answers("pâté de foie", "pâté de foie").0.is_ok(), "characters, not bytes");
    }
}
