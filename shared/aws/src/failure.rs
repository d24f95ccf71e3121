//! What a call that failed tells of why: an answer of AWS's, or no answer.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use platform::{CallFailed, FailureKind};
use std::error::Error;
use std::io;

/// A call that an SDK made.
pub fn of_sdk<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, HttpResponse>) -> CallFailed {
    match error {
        SdkError::ServiceError(told) => {
            let (code, message) = (told.err().code(), told.err().message());
            of_answer(told.raw().status().as_u16(), code.unwrap_or_default(), message.unwrap_or_default())
        }
        SdkError::ResponseError(told) => of_answer(told.raw().status().as_u16(), "", ""),
        SdkError::TimeoutError(_) => FailureKind::Timeout.into(),
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .map_or_else(|| FailureKind::Connection.into(), |error| of_no_answer(error)),
        SdkError::ConstructionFailure(_) => FailureKind::Invalid.into(),
        _ => FailureKind::Other.into(),
    }
}

/// An answer other than 200: its status, AWS's code (with its namespace, or what stands behind it, or none at all), and
/// its message, which is looked at and not kept.
pub(crate) fn of_answer(status: u16, code: &str, message: &str) -> CallFailed {
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default();
    let failed = CallFailed::new(kind(status, code, message));
    let failed = if code.is_empty() { failed.with_code(&status.to_string()) } else { failed.with_code(code) };
    match message.split_once("not authorized to perform: ") {
        Some((_, rest)) if failed.kind() == FailureKind::AccessDenied => {
            let end = rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len());
            failed.with_action(&rest[..end])
        }
        _ => failed,
    }
}

fn kind(status: u16, code: &str, message: &str) -> FailureKind {
    let has = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
    let clock = ["Signature expired", "Signature not yet current", "Signature is not yet current"];
    match (status, code) {
        _ if has(&["RequestExpired", "TimeTooSkewed", "RequestInTheFuture"]) => FailureKind::ClockSkew,
        _ if clock.iter().any(|words| message.contains(words)) => FailureKind::ClockSkew,
        _ if has(&[
            "Throttl",
            "ThroughputExceeded",
            "RequestLimitExceeded",
            "TooManyRequests",
            "SlowDown",
            "OverLimit",
        ]) =>
        {
            FailureKind::Throttled
        }
        _ if has(&[
            "AccessDenied",
            "NotAuthorized",
            "Unauthorized",
            "AuthorizationError",
            "OptInRequired",
        ]) =>
        {
            FailureKind::AccessDenied
        }
        _ if has(&[
            "ExpiredToken",
            "TokenExpired",
            "InvalidToken",
            "UnrecognizedClient",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "AuthFailure",
            "MissingAuthentication",
            "IncompleteSignature",
            "InvalidSignature",
            "SignatureDoesNotMatch",
        ]) =>
        {
            FailureKind::Credentials
        }
        _ if has(&["NotFound", "DoesNotExist", "NonExistent"]) => FailureKind::NotFound,
        _ if has(&["Conflict", "InProgress", "AlreadyExists", "ResourceInUse"]) => FailureKind::Conflict,
        (408, _) => FailureKind::Timeout,
        _ if has(&["RequestTimeout"]) => FailureKind::Timeout,
        (500.., _) => FailureKind::Fault,
        _ if has(&["InternalError", "InternalFailure", "InternalServer", "ServiceUnavailable"]) => {
            FailureKind::Fault
        }
        _ if has(&[
            "Validation",
            "Invalid",
            "Malformed",
            "Serialization",
            "Unsupported",
            "UnknownOperation",
        ]) =>
        {
            FailureKind::Invalid
        }
        (429, _) => FailureKind::Throttled,
        (401 | 403, "") => FailureKind::AccessDenied,
        (404, "") => FailureKind::NotFound,
        _ => FailureKind::Other,
    }
}

/// No answer, or not all of it.
pub(crate) fn of_no_answer(error: &(dyn Error + 'static)) -> CallFailed {
    let mut kind = FailureKind::Connection;
    let mut code = None;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return CallFailed::new(FailureKind::Tls).with_code(&tls_code(error));
        }
        if error.is::<CredentialsError>() {
            kind = FailureKind::Credentials;
        }
        if error.downcast_ref::<ConnectorError>().is_some_and(ConnectorError::is_timeout) {
            return FailureKind::Timeout.into();
        }
        // The one error without a type of its own: the resolver's.
        if error.to_string().starts_with("dns error") {
            return CallFailed::new(kind).with_code("HostNotFound");
        }
        next = match error.downcast_ref::<io::Error>() {
            Some(error) => {
                code = Some(format!("{:?}", error.kind()));
                if error.kind() == io::ErrorKind::TimedOut {
                    kind = FailureKind::Timeout;
                }
                // What an I/O error was made of is not its source.
                error.get_ref().map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
            }
            None => error.source(),
        };
    }
    CallFailed::new(kind).with_code(&code.unwrap_or_default())
}

/// The name of what is wrong: `UnknownIssuer`. What stands beside it may hold names.
fn tls_code(error: &rustls::Error) -> String {
    let told = match error {
        rustls::Error::InvalidCertificate(wrong) => format!("{wrong:?}"),
        other => format!("{other:?}"),
    };
    told.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_codes_have_their_kinds_whatever_stands_around_them() {
        for (status, code, kind) in [
            (
                400,
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                FailureKind::Throttled,
            ),
            (400, "ThrottlingException", FailureKind::Throttled),
            (400, "com.amazon.coral.availability#ThrottlingException", FailureKind::Throttled),
            (403, "RequestThrottled", FailureKind::Throttled),
            (400, "KmsThrottled", FailureKind::Throttled),
            (429, "", FailureKind::Throttled),
            (503, "SlowDown", FailureKind::Throttled),
            (400, "com.amazon.coral.service#AccessDeniedException", FailureKind::AccessDenied),
            (403, "AccessDenied", FailureKind::AccessDenied),
            (403, "AccessDeniedException:http://internal.amazon.com/coral/", FailureKind::AccessDenied),
            (400, "KmsAccessDenied", FailureKind::AccessDenied),
            (403, "", FailureKind::AccessDenied),
            (400, "UnrecognizedClientException", FailureKind::Credentials),
            (400, "ExpiredTokenException", FailureKind::Credentials),
            (403, "InvalidClientTokenId", FailureKind::Credentials),
            (403, "SignatureDoesNotMatch", FailureKind::Credentials),
            (400, "RequestExpired", FailureKind::ClockSkew),
            (403, "RequestTimeTooSkewed", FailureKind::ClockSkew),
            (400, "AWS.SimpleQueueService.NonExistentQueue", FailureKind::NotFound),
            (400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", FailureKind::NotFound),
            (400, "TransactionConflictException", FailureKind::Conflict),
            (400, "ParameterAlreadyExists", FailureKind::Conflict),
            (400, "RequestTimeout", FailureKind::Timeout),
            (500, "InternalServerError", FailureKind::Fault),
            (502, "", FailureKind::Fault),
            (400, "com.amazon.coral.validate#ValidationException", FailureKind::Invalid),
            (400, "InvalidMessageContents", FailureKind::Invalid),
            (400, "NobodyKnowsException", FailureKind::Other),
            (302, "", FailureKind::Other),
        ] {
            let failed = of_answer(status, code, "");
            assert_eq!(failed.kind(), kind, "{status} {code}");
            assert!(
                failed.code().is_some_and(|kept| code.is_empty() || code.contains(kept)),
                "{status} {code}"
            );
        }
    }

    #[test]
    fn a_signature_that_has_expired_is_a_clock_that_is_wrong() {
        for message in [
            "Signature expired: 20260921T101010Z is now earlier than 20260921T102010Z (20260921T102510Z - 5 min.)",
            "Signature not yet current: 20260921T104010Z is still later than 20260921T103010Z",
        ] {
            for code in ["InvalidSignatureException", "SignatureDoesNotMatch"] {
                assert_eq!(of_answer(403, code, message).kind(), FailureKind::ClockSkew, "{code}");
            }
        }
        let other = "The request signature we calculated does not match the signature you provided.";
        assert_eq!(of_answer(400, "InvalidSignatureException", other).kind(), FailureKind::Credentials);
    }

    #[test]
    fn of_a_message_only_the_missing_action_is_kept() {
        let message = "User: arn:aws:sts::123456789012:assumed-role/us-prod-api/us-prod-api is not authorized to perform: \
                       dynamodb:PutItem on resource: arn:aws:dynamodb:us-east-1:123456789012:table/us-prod-registry";
        let failed = of_answer(400, "com.amazon.coral.service#AccessDeniedException", message);
        assert_eq!(
            (failed.code(), failed.action()),
            (Some("AccessDeniedException"), Some("dynamodb:PutItem"))
        );
        assert_eq!(failed.to_string(), "a permission is missing (AccessDeniedException: dynamodb:PutItem)");
        let odd = of_answer(400, "AccessDeniedException", "not authorized to perform: ida@customer.example");
        assert_eq!(odd.action(), None);
        assert_eq!(of_answer(400, "ida@customer.example", "").code(), None);
    }

    #[test]
    fn what_went_wrong_on_the_way_is_found_inside_what_wraps_it() {
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let tls = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, unknown));
        let failed = of_no_answer(&ConnectorError::io(Box::new(tls)));
        assert_eq!((failed.kind(), failed.code()), (FailureKind::Tls, Some("UnknownIssuer")));
        let refused = ConnectorError::io(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)));
        let failed = of_no_answer(&refused);
        assert_eq!((failed.kind(), failed.code()), (FailureKind::Connection, Some("ConnectionRefused")));
        let slow = ConnectorError::timeout("connect timeout".into());
        assert_eq!(of_no_answer(&slow), FailureKind::Timeout.into());
        let expired = CredentialsError::provider_error("ida's session has expired");
        let failed = of_no_answer(&ConnectorError::other(Box::new(expired), None));
        assert_eq!((failed.kind(), failed.code()), (FailureKind::Credentials, None));
    }
}
