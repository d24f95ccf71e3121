//! In place of `aws`, where the command is built without it: for a first look at the embedded mode, which is built
//! in a third of the time. Whoever means AWS is told how to get it.

use crate::Failure;
use crate::args::OnAws;
use crate::made::Made;
use account::Vault;
use account::audit::Who;
use http::{Request, Response};
use operator::Step;
use queue::Queue;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use store::Store;

/// No stack on AWS is ever open: none of what could be asked of one is ever called.
pub struct Aws(Infallible);

impl Aws {
    /// Opens nothing.
    pub fn open(_: &OnAws, _: &str) -> Result<Aws, Failure> {
        Err(without())
    }

    /// Who would ask.
    pub fn who(&self) -> Who {
        match self.0 {}
    }

    /// The region that it would be in.
    pub fn region(&self) -> &str {
        match self.0 {}
    }

    /// Its tables.
    pub fn store(&self) -> &dyn Store {
        match self.0 {}
    }

    /// Its queues.
    pub fn queue(&self) -> Arc<dyn Queue> {
        match self.0 {}
    }

    /// Who would be told.
    pub fn watched(&self, _: impl Fn(Step) + Send + 'static) {
        match self.0 {}
    }

    /// Work that would be waited for.
    pub fn block<T>(&self, _: impl Future<Output = T>) -> T {
        match self.0 {}
    }

    /// What would be answered.
    ///
    /// # Errors
    /// None.
    pub fn answer(&self, _: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure> {
        match self.0 {}
    }
}

/// Finds none.
pub fn vault(_: &OnAws, _: &str) -> Result<Box<dyn Vault>, Failure> {
    Err(without())
}

/// Makes nothing.
pub fn create(_: &str, _: &str, _: &str, _: bool) -> Result<Made, Failure> {
    Err(without())
}

/// Finds none.
pub fn doors(_: &OnAws, _: &str) -> Result<String, Failure> {
    Err(without())
}

/// Finds none.
pub fn outputs(_: &OnAws, _: &str) -> Result<Option<BTreeMap<String, String>>, Failure> {
    Err(without())
}

/// Knows none.
pub fn public_keys(_: &OnAws, _: &str) -> Result<Option<String>, Failure> {
    Err(without())
}

/// Makes none.
pub fn prepare(_: &OnAws, _: &str) -> Result<(String, bool), Failure> {
    Err(without())
}

/// Nowhere.
pub fn signing_key_parameter(_: &str) -> String {
    String::new()
}

/// Stores none.
pub fn store_signing_key(_: &OnAws, _: &str, _: Option<&str>) -> Result<bool, Failure> {
    Err(without())
}

fn without() -> Failure {
    Failure::new("this `postledger` was built for the embedded mode alone, without AWS")
        .next("build the whole one by `make build`, then do this again")
}
