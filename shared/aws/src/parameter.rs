//! Two calls of the Systems Manager: reading a parameter and writing one. Signed and sent by hand, since the service's
//! own SDK has a hundred and fifty operations and takes as long to build as all the rest.

use crate::{FIRST_PAUSE, Link, Service};
use serde_json::{Value, json};

/// Why a parameter cannot be had. It never quotes the parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is none of this name.
    #[error("there is no parameter {0}")]
    Missing(String),
    /// AWS refuses, by its own code.
    #[error("the parameter {0} cannot be read: {1}")]
    Refused(String, String),
    /// Nobody answered in time, or nobody that can be understood.
    #[error("the parameter {0} cannot be read: nobody answered in time")]
    Unavailable(String),
}

impl Link {
    /// The value of a parameter, decrypted.
    ///
    /// # Errors
    /// See [`ParameterError`].
    pub async fn parameter(&self, name: &str) -> Result<String, ParameterError> {
        let answer = self.ssm(name, "GetParameter", &json!({ "Name": name, "WithDecryption": true })).await?;
        let value = answer["Parameter"]["Value"].as_str();
        value.map(str::to_owned).ok_or_else(|| ParameterError::Unavailable(name.to_owned()))
    }

    /// Writes an encrypted parameter that is not there yet. Whether it was written; else there is one already.
    ///
    /// # Errors
    /// See [`ParameterError`].
    pub async fn put_parameter(&self, name: &str, value: &str) -> Result<bool, ParameterError> {
        let parameter = json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": false });
        match self.ssm(name, "PutParameter", &parameter).await {
            Ok(_) => Ok(true),
            Err(ParameterError::Refused(_, code)) if code == "ParameterAlreadyExists" => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn ssm(&self, name: &str, operation: &str, input: &Value) -> Result<Value, ParameterError> {
        let unavailable = || ParameterError::Unavailable(name.to_owned());
        let mut last = unavailable();
        for attempt in 0..self.limits.attempts_max {
            if attempt > 0 {
                tokio::time::sleep(FIRST_PAUSE * attempt).await;
            }
            let target = format!("AmazonSSM.{operation}");
            let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &*target)];
            let request =
                self.signed(Service::Ssm, &headers, input.to_string()).await.ok_or_else(unavailable)?;
            let Ok((status, body)) = self.call(request).await else {
                continue;
            };
            let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
            if status == 200 {
                return Ok(answer);
            }
            let code = answer["__type"].as_str().unwrap_or_default();
            let code = code.rsplit('#').next().unwrap_or_default().to_owned();
            last = match &*code {
                "ParameterNotFound" => return Err(ParameterError::Missing(name.to_owned())),
                "ThrottlingException" | "InternalServerError" | "" => unavailable(),
                _ => return Err(ParameterError::Refused(name.to_owned(), code)),
            };
        }
        Err(last)
    }
}
