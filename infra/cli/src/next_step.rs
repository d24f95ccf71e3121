//! What to do where a call of AWS failed: one sentence for each kind, whichever command made the call.

use platform::{CallFailed, FailureKind};

/// The code of a send that was not made, since the stack does not name whoever would make it.
pub const NOT_AMONG_OPERATORS: &str = "NotAmongOperators";

/// The next step.
pub fn of(failed: &CallFailed) -> String {
    if failed.code() == Some(NOT_AMONG_OPERATORS) {
        return "deploy with the unique id of this access among the stack's Operators: `make deploy` adds whoever \
                deploys, and `aws sts get-caller-identity` tells it (UserId, up to the colon)"
            .to_owned();
    }
    match (failed.kind(), failed.action()) {
        (FailureKind::AccessDenied, Some(action)) => format!(
            "give this access the permission {action} (who you are: `aws sts get-caller-identity`), or name another \
             profile by --profile"
        ),
        (kind, _) => of_kind(kind).to_owned(),
    }
}

const fn of_kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Throttled => "wait a moment and try again, with less at a time",
        FailureKind::AccessDenied => {
            "check who you are (`aws sts get-caller-identity`) and give this access the permission, or name \
             another profile by --profile"
        }
        FailureKind::Credentials => {
            "log in again (`aws sso login`), or name another profile by --profile; who you are is told by \
             `aws sts get-caller-identity`"
        }
        FailureKind::ClockSkew => {
            "set the clock of this machine (`timedatectl set-ntp true`), then try again"
        }
        FailureKind::Tls => {
            "check the endpoint, and whether a proxy on the way puts its own certificate in place of AWS's"
        }
        FailureKind::Connection => "check region, endpoint, name service and network, then try again",
        FailureKind::Timeout => "check region and network, then try again",
        FailureKind::NotFound => {
            "name another stack by --stack, or another region or account by --region and --profile"
        }
        FailureKind::Conflict => "try again",
        FailureKind::Invalid => "this is a bug in Postledger: look for a newer version, or report the code",
        FailureKind::Fault => "wait and try again; https://health.aws.amazon.com says more",
        FailureKind::DiskFull => {
            "make room on the disk that holds the database: what was answered is kept, and the rest is sent again"
        }
        FailureKind::DiskReadOnly => {
            "give the user that runs Postledger write access to the folder, or mount its disk for writing"
        }
        FailureKind::DiskDamaged => {
            "stop Postledger, keep a copy of the folder, and restore the latest backup: `postledger restore FILE --data DIR`"
        }
        FailureKind::Disk => "look for the disk's errors in the system's log (`journalctl -k`)",
        FailureKind::Other => "look the code up in AWS's documentation; if it stays, report it",
    }
}
