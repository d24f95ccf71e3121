//! In place of `aws`, where the command is built without it: for a first look at the embedded mode, which is built
//! in a third of the time. Whoever means AWS is told how to get it.

use crate::Failure;
use crate::args::OnAws;
use crate::desk::{Desk, DeskError};
use crate::target::Made;
use account::Vault;
use api::call::Call;
use http::Response;
use std::collections::BTreeMap;
use std::convert::Infallible;

/// No stack on AWS is ever open.
pub struct Aws {
    never: Infallible,
    /// Where it would be asked and told.
    pub desk: Desk,
}

impl Aws {
    /// Opens nothing.
    ///
    /// # Errors
    /// Always.
    pub fn open(_: &OnAws, _: &str) -> Result<Aws, Failure> {
        Err(without())
    }

    /// Is never called.
    pub fn caller(&self) -> String {
        match self.never {}
    }

    /// Is never called: there is no stack to work on.
    pub fn block<T>(&self, _: impl Future<Output = T>) -> T {
        match self.never {}
    }

    /// Is never called.
    ///
    /// # Errors
    /// None: there is no stack to wait for.
    pub fn wait<T>(&self, _: impl Future<Output = Result<T, DeskError>>) -> Result<T, Failure> {
        match self.never {}
    }
}

/// The read API over no stack.
pub struct Direct {
    never: Infallible,
}

impl Direct {
    /// Opens nothing.
    ///
    /// # Errors
    /// Always.
    pub fn open(_: &OnAws, _: &str) -> Result<Direct, Failure> {
        Err(without())
    }

    /// Is never called.
    ///
    /// # Errors
    /// None: there is no stack to ask.
    pub fn answer(&self, _: &Call<'_>) -> Result<Response<Vec<u8>>, Failure> {
        match self.never {}
    }
}

/// Finds none.
///
/// # Errors
/// Always.
pub fn vault(_: &OnAws, _: &str) -> Result<Box<dyn Vault>, Failure> {
    Err(without())
}

/// Makes nothing.
///
/// # Errors
/// Always.
pub fn create(_: &str, _: &str, _: &str, _: bool) -> Result<Made, Failure> {
    Err(without())
}

/// Finds none.
///
/// # Errors
/// Always.
pub fn doors(_: &OnAws, _: &str) -> Result<String, Failure> {
    Err(without())
}

/// Finds none.
///
/// # Errors
/// Always.
pub fn outputs(_: &OnAws, _: &str) -> Result<Option<BTreeMap<String, String>>, Failure> {
    Err(without())
}

/// Knows none.
///
/// # Errors
/// Always.
pub fn public_keys(_: &OnAws, _: &str) -> Result<Option<String>, Failure> {
    Err(without())
}

/// Makes none.
///
/// # Errors
/// Always.
pub fn prepare(_: &OnAws, _: &str) -> Result<(String, bool), Failure> {
    Err(without())
}

fn without() -> Failure {
    Failure::new("this `postledger` was built for the embedded mode alone, without AWS")
        .next("build the whole one by `make build`, then do this again")
}
