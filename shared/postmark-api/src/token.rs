//! Tokens of Postmark's API: secrets that cannot be printed by accident.

/// The longest text that is taken for a token, in bytes; Postmark's have 36.
pub const TOKEN_BYTES_MAX: usize = 200;

/// A server's or an account's API token.
///
/// It has no `Debug`, no `Display` and no serde: whoever keeps it says so by [`reveal`](Self::reveal).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a text is no token. It does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an API token: expected one word of letters, digits and punctuation, such as Postmark shows under API Tokens"
)]
pub struct TokenError;

impl Token {
    /// Takes a text as it was typed or pasted, without white space around it.
    ///
    /// # Errors
    /// If it is empty, longer than [`TOKEN_BYTES_MAX`], or has other than visible ASCII characters.
    pub fn new(text: &str) -> Result<Token, TokenError> {
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= TOKEN_BYTES_MAX;
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Token(text.to_owned()))
        } else {
            Err(TokenError)
        }
    }

    /// The secret itself: for a vault and for a request's header, nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_token_is_trimmed_and_what_cannot_be_one_is_refused() {
        assert!(Token::new("  0f4e-1a\n").is_ok_and(|token| token.reveal() == "0f4e-1a"));
        for text in ["", " \t", "two words", "a\u{7}b", "a\nb", "grün", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
            assert!(Token::new(text).is_err(), "{text:?}");
        }
    }
}
