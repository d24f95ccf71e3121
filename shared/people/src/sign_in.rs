//! Codes: what a browser that asked for one has to give. One document each in [`SignIns`](Collection::SignIns), under the
//! hash of a secret that only that browser has, so that a code or link that is stolen opens nothing elsewhere.

use crate::secret::{Secret, hash, random};
use crate::{parsed, read, text};
use ledger::Time;
use serde::{Deserialize, Serialize};
use store::{Collection, DocumentStore, Edit, StoreError, edit};

/// How long a code opens something, in seconds.
pub const CODE_LASTS: i64 = 600;
/// How many wrong codes are taken for one that was asked for.
pub const TRIES_MAX: u32 = 5;
/// One more than the largest code: eight digits.
const CODES: u64 = 100_000_000;

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To sign in.
    SignIn,
    /// To show once more who one is, before something dangerous.
    Confirm,
}

/// Why a code opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRefused {
    /// This browser has not asked, or too long ago, or it has been used.
    Over,
    /// It is another one.
    Wrong,
    /// Too many others were given before.
    TooMany,
}

/// A code that a browser has asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Whose it would be. There need be no such user.
    pub user: String,
    /// What for.
    pub purpose: Purpose,
    /// When it ends.
    pub ends_at: Time,
    /// How many wrong ones were given.
    tries: u32,
    /// Whether it has been used.
    used: bool,
    /// A hash of the code, with the browser's secret in it: there are too few codes for one of the code alone.
    code: String,
    /// A hash of what the link in the mail bears.
    link: String,
}

/// What is given to the browser that asks, and to whoever reads the mail.
#[derive(Debug)]
pub struct Asked {
    /// For the browser's cookie.
    pub browser: Secret,
    /// For the mail: eight digits.
    pub code: String,
    /// For the mail's link.
    pub link: Secret,
}

impl SignIn {
    /// Asks for a code.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn ask(
        store: &dyn DocumentStore,
        user: &str,
        purpose: Purpose,
        now: Time,
    ) -> Result<Asked, StoreError> {
        let (browser, link) = (Secret::make()?, Secret::make()?);
        // The remainder favours no code by more than one in 10^11.
        let code = format!("{:08}", u64::from_be_bytes(random()?) % CODES);
        let kept = SignIn {
            user: user.to_owned(),
            purpose,
            ends_at: now.plus_seconds(CODE_LASTS),
            tries: 0,
            used: false,
            code: hash(&[browser.text(), &code]),
            link: link.hash(),
        };
        store.put_document(&Collection::SignIns, &browser.hash(), &text(&kept), None).await?;
        Ok(Asked { browser, code, link })
    }

    /// What a browser has asked for, if it still can be had.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn of(
        store: &dyn DocumentStore,
        browser: &Secret,
        now: Time,
    ) -> Result<Option<SignIn>, StoreError> {
        let found = read::<SignIn>(store, &Collection::SignIns, &browser.hash()).await?;
        Ok(found.map(|(asked, _)| asked).filter(|asked| !asked.is_over(now)))
    }

    fn is_over(&self, now: Time) -> bool {
        self.used || now >= self.ends_at
    }

    /// Spends it by the code. The user whose it is.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn by_code(
        store: &dyn DocumentStore,
        browser: &Secret,
        purpose: Purpose,
        code: &str,
        now: Time,
    ) -> Result<Result<String, CodeRefused>, StoreError> {
        // As people copy them: with a space in the middle, or around.
        let digits: String = code.chars().filter(|character| character.is_ascii_digit()).collect();
        let given = hash(&[browser.text(), &digits]);
        SignIn::spend(store, browser, purpose, now, |asked| asked.code == given).await
    }

    /// Spends it by the link of the mail. The user whose it is.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn by_link(
        store: &dyn DocumentStore,
        browser: &Secret,
        link: &Secret,
        now: Time,
    ) -> Result<Result<String, CodeRefused>, StoreError> {
        SignIn::spend(store, browser, Purpose::SignIn, now, |asked| asked.link == link.hash()).await
    }

    async fn spend(
        store: &dyn DocumentStore,
        browser: &Secret,
        purpose: Purpose,
        now: Time,
        is_right: impl Fn(&SignIn) -> bool + Send + Sync,
    ) -> Result<Result<String, CodeRefused>, StoreError> {
        edit(store, &Collection::SignIns, &browser.hash(), |document| {
            let asked: Option<SignIn> = document.map(parsed).transpose()?;
            let Some(asked) = asked.filter(|asked| !asked.is_over(now) && asked.purpose == purpose) else {
                return Ok(Edit::Keep(Err(CodeRefused::Over)));
            };
            if asked.tries >= TRIES_MAX {
                return Ok(Edit::Keep(Err(CodeRefused::TooMany)));
            }
            if is_right(&asked) {
                let user = asked.user.clone();
                return Ok(Edit::Write(text(&SignIn { used: true, ..asked }), Ok(user)));
            }
            let tries = asked.tries + 1;
            let refused = if tries < TRIES_MAX { CodeRefused::Wrong } else { CodeRefused::TooMany };
            Ok::<_, StoreError>(Edit::Write(text(&SignIn { tries, ..asked }), Err(refused)))
        })
        .await
    }
}
