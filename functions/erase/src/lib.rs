//! Sweeping what is left of erased recipients, as a Lambda function. The sweep itself is [`erasure::sweep`].

#[cfg(feature = "lambda")]
mod lambda;

#[cfg(feature = "lambda")]
pub use lambda::run;
