//! Who calls, and where.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use platform::env::{EnvError, required, text};
#[cfg(feature = "operator")]
use platform::{CallFailed, FailureKind};

/// A service of AWS that we call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// SQS.
    Sqs,
    /// The Systems Manager's parameters.
    Ssm,
    /// CloudFormation.
    CloudFormation,
    /// The Security Token Service.
    Sts,
}

impl Service {
    const ALL: [Service; 5] =
        [Service::DynamoDb, Service::Sqs, Service::Ssm, Service::CloudFormation, Service::Sts];

    /// Its name in hosts and signatures.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Service::DynamoDb => "dynamodb",
            Service::Sqs => "sqs",
            Service::Ssm => "ssm",
            Service::CloudFormation => "cloudformation",
            Service::Sts => "sts",
        }
    }

    /// The variable that names another endpoint for it, as all of AWS's tools read it.
    const fn variable(self) -> &'static str {
        match self {
            Service::DynamoDb => "AWS_ENDPOINT_URL_DYNAMODB",
            Service::Sqs => "AWS_ENDPOINT_URL_SQS",
            Service::Ssm => "AWS_ENDPOINT_URL_SSM",
            Service::CloudFormation => "AWS_ENDPOINT_URL_CLOUDFORMATION",
            Service::Sts => "AWS_ENDPOINT_URL_STS",
        }
    }
}

/// Where AWS is, and who calls. It is not `Debug`: it may hold a secret.
#[derive(Clone)]
pub struct Access {
    /// The region.
    pub region: String,
    /// Where to call instead of the region's own endpoints, by service.
    endpoints: [Option<String>; Service::ALL.len()],
    /// Who calls.
    pub(crate) credentials: SharedCredentialsProvider,
}

/// What an emulator takes as an operator's credentials: anything, or this where it enforces permissions.
const EMULATED: &str = "test";

impl Access {
    /// As Lambda tells a function in its environment. Lambda replaces the function before they expire.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn of_function() -> Result<Access, EnvError> {
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID", "the id of the function's access key")?,
            required("AWS_SECRET_ACCESS_KEY", "the function's access key")?,
            text("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        Ok(Access {
            region: required("AWS_REGION", "the region")?,
            endpoints: endpoints(),
            credentials: SharedCredentialsProvider::new(credentials),
        })
    }

    /// An emulator at an endpoint, which takes any credentials.
    pub fn of_emulator(endpoint: &str, region: &str) -> Access {
        let credentials = Credentials::new(EMULATED, EMULATED, None, None, "emulator");
        Access {
            region: region.to_owned(),
            endpoints: Service::ALL.map(|_| Some(endpoint.trim_end_matches('/').to_owned())),
            credentials: SharedCredentialsProvider::new(credentials),
        }
    }

    /// As an operator has it: a profile, or whatever AWS's own tools would find.
    ///
    /// # Errors
    /// Where no credentials or no region are found.
    #[cfg(feature = "operator")]
    pub async fn of_operator(profile: Option<&str>, region: Option<&str>) -> Result<Access, AccessError> {
        use aws_config::BehaviorVersion;
        use aws_credential_types::provider::ProvideCredentials as _;
        let connector = aws_smithy_http_client::Builder::new()
            .tls_provider(crate::Provider::Rustls(crate::CryptoMode::Ring))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(connector);
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(aws_types::region::Region::new(region.to_owned()));
        }
        let config = loader.load().await;
        let region = config.region().ok_or(AccessError::NoRegion)?.to_string();
        let none = || AccessError::Credentials(FailureKind::Credentials.into());
        let credentials = config.credentials_provider().ok_or_else(none)?;
        let provided = credentials.provide_credentials().await;
        provided.map_err(|error| AccessError::Credentials(crate::failure::of_no_answer(&error)))?;
        Ok(Access { region, endpoints: endpoints(), credentials })
    }

    /// Where a service is called instead of the region's own endpoint.
    pub(crate) fn endpoint(&self, service: Service) -> Option<&str> {
        self.endpoints[service as usize].as_deref()
    }
}

fn endpoints() -> [Option<String>; Service::ALL.len()] {
    Service::ALL.map(|service| text(service.variable()).or_else(|| text("AWS_ENDPOINT_URL")))
}

/// Why an operator has no access.
#[cfg(feature = "operator")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// No credentials were found, or they could not be renewed.
    #[error("no AWS credentials are available: {0}")]
    Credentials(#[source] CallFailed),
    /// No region.
    #[error("no AWS region is known")]
    NoRegion,
}
