//! Parameters of the Systems Manager. Its own SDK has a hundred and fifty operations and takes as long to build as
//! all the rest.

use crate::{Link, Service};
use platform::{CallFailed, FailureKind};
use serde_json::{Value, json};

/// Why a parameter cannot be had. It never quotes the parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is none of this name.
    #[error("there is no parameter {0}")]
    Missing(String),
    /// The call failed.
    #[error("the parameter {0} cannot be used: {1}")]
    Failed(String, #[source] CallFailed),
}

impl Link {
    /// The value of a parameter, decrypted.
    pub async fn parameter(&self, name: &str) -> Result<String, ParameterError> {
        let answer = self.ssm(name, "GetParameter", &json!({ "Name": name, "WithDecryption": true })).await?;
        let value = answer["Parameter"]["Value"].as_str();
        value
            .map(str::to_owned)
            .ok_or_else(|| ParameterError::Failed(name.to_owned(), FailureKind::Fault.into()))
    }

    /// Writes an encrypted parameter that is not there yet. Whether it was written; else there is one already.
    pub async fn put_parameter(&self, name: &str, value: &str) -> Result<bool, ParameterError> {
        let parameter = json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": false });
        match self.ssm(name, "PutParameter", &parameter).await {
            Ok(_) => Ok(true),
            Err(ParameterError::Failed(_, failed)) if failed.code() == Some("ParameterAlreadyExists") => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes an encrypted parameter, over the one that may be there.
    pub async fn replace_parameter(&self, name: &str, value: &str) -> Result<(), ParameterError> {
        let parameter = json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": true });
        self.ssm(name, "PutParameter", &parameter).await.map(drop)
    }

    /// Deletes a parameter.
    ///
    /// # Errors
    /// See [`ParameterError`]; [`Missing`](ParameterError::Missing) where there is none.
    pub async fn delete_parameter(&self, name: &str) -> Result<(), ParameterError> {
        self.ssm(name, "DeleteParameter", &json!({ "Name": name })).await.map(drop)
    }

    async fn ssm(&self, name: &str, operation: &str, input: &Value) -> Result<Value, ParameterError> {
        let called =
            self.json(Service::Ssm, &format!("AmazonSSM.{operation}"), input.to_string().into_bytes()).await;
        let output = called.map_err(|failed| match failed.code() {
            Some("ParameterNotFound") => ParameterError::Missing(name.to_owned()),
            _ => ParameterError::Failed(name.to_owned(), failed),
        })?;
        Ok(serde_json::from_slice(&output).unwrap_or_default())
    }
}
