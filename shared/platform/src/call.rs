//! Why a call of AWS, or of the database on this machine, failed: its kind, its own code, and nothing of what was sent.
//! Messages are read for this and never kept: they may hold names, keys and addresses.

use std::error::Error;
use std::fmt;

/// The longest code that is kept, in characters.
const CODE_MAX: usize = 64;

/// Why a call failed, as far as it matters for what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// AWS takes no more calls for now.
    Throttled,
    /// Whoever calls may not do this.
    AccessDenied,
    /// The credentials are missing or have ended, or do not sign as they should.
    Credentials,
    /// The clock here and the one at AWS differ by minutes.
    ClockSkew,
    /// TLS: whoever answers is not to be trusted, or does not understand it.
    Tls,
    /// No connection could be opened (its host may have no address), or it broke.
    Connection,
    /// Nobody answered in time.
    Timeout,
    /// What is called does not exist.
    NotFound,
    /// Others write the same at once.
    Conflict,
    /// The request is one that AWS never takes.
    Invalid,
    /// AWS has a fault.
    Fault,
    /// The disk of this machine is full.
    DiskFull,
    /// The disk of this machine, or the database's folder, cannot be written to.
    DiskReadOnly,
    /// The database on this machine is damaged.
    DiskDamaged,
    /// The disk of this machine fails in another way.
    Disk,
    /// A code that this release does not know.
    Other,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [FailureKind; 16] = [
        FailureKind::Throttled,
        FailureKind::AccessDenied,
        FailureKind::Credentials,
        FailureKind::ClockSkew,
        FailureKind::Tls,
        FailureKind::Connection,
        FailureKind::Timeout,
        FailureKind::NotFound,
        FailureKind::Conflict,
        FailureKind::Invalid,
        FailureKind::Fault,
        FailureKind::DiskFull,
        FailureKind::DiskReadOnly,
        FailureKind::DiskDamaged,
        FailureKind::Disk,
        FailureKind::Other,
    ];

    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            FailureKind::Throttled => "throttled",
            FailureKind::AccessDenied => "access_denied",
            FailureKind::Credentials => "credentials",
            FailureKind::ClockSkew => "clock_skew",
            FailureKind::Tls => "tls",
            FailureKind::Connection => "connection",
            FailureKind::Timeout => "timeout",
            FailureKind::NotFound => "not_found",
            FailureKind::Conflict => "conflict",
            FailureKind::Invalid => "invalid",
            FailureKind::Fault => "fault",
            FailureKind::DiskFull => "disk_full",
            FailureKind::DiskReadOnly => "disk_read_only",
            FailureKind::DiskDamaged => "disk_damaged",
            FailureKind::Disk => "disk",
            FailureKind::Other => "other",
        }
    }

    /// What happened, in words.
    pub const fn words(self) -> &'static str {
        match self {
            FailureKind::Throttled => "AWS takes no more calls for now",
            FailureKind::AccessDenied => "a permission is missing",
            FailureKind::Credentials => "the AWS credentials are not valid, or have expired",
            FailureKind::ClockSkew => "the clock here and the clock at AWS differ by minutes",
            FailureKind::Tls => "TLS failed: the certificate there is not trusted, or no TLS is spoken",
            FailureKind::Connection => "no connection could be opened, or it broke",
            FailureKind::Timeout => "nobody answered in time",
            FailureKind::NotFound => "what is called does not exist",
            FailureKind::Conflict => "others are writing the same",
            FailureKind::Invalid => "AWS does not take the request",
            FailureKind::Fault => "AWS has a fault",
            FailureKind::DiskFull => "the disk is full",
            FailureKind::DiskReadOnly => "the database's folder cannot be written to",
            FailureKind::DiskDamaged => "the database is damaged",
            FailureKind::Disk => "the disk fails",
            FailureKind::Other => "AWS refuses, for a reason that this version does not know",
        }
    }

    /// Whether it is the disk of this machine that fails, which no function on AWS has.
    pub const fn is_of_disk(self) -> bool {
        matches!(
            self,
            FailureKind::DiskFull | FailureKind::DiskReadOnly | FailureKind::DiskDamaged | FailureKind::Disk
        )
    }

    /// Whether trying again may help, with nothing changed here. A disk may be mended at any time: what waits for it is kept.
    pub const fn passes(self) -> bool {
        match self {
            FailureKind::Throttled
            | FailureKind::Connection
            | FailureKind::Timeout
            | FailureKind::Conflict
            | FailureKind::Fault
            | FailureKind::DiskFull
            | FailureKind::DiskReadOnly
            | FailureKind::DiskDamaged
            | FailureKind::Disk => true,
            FailureKind::AccessDenied
            | FailureKind::Credentials
            | FailureKind::ClockSkew
            | FailureKind::Tls
            | FailureKind::NotFound
            | FailureKind::Invalid
            | FailureKind::Other => false,
        }
    }
}

/// A call that failed. It never quotes what was sent, nor the message that came back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallFailed {
    kind: FailureKind,
    code: Option<String>,
    action: Option<String>,
}

impl CallFailed {
    /// A failure of a kind, without a code.
    pub const fn new(kind: FailureKind) -> CallFailed {
        CallFailed { kind, code: None, action: None }
    }

    /// With its own code, such as `AccessDeniedException` or `SqliteFull`; left out where it is not 1 to 64 letters, digits and dots.
    #[must_use]
    pub fn with_code(self, code: &str) -> CallFailed {
        CallFailed { code: word(code, "."), ..self }
    }

    /// With the action that is not permitted, such as `dynamodb:PutItem`; left out where it does not look so.
    #[must_use]
    pub fn with_action(self, action: &str) -> CallFailed {
        let action = word(action, ":-").filter(|action| action.matches(':').count() == 1);
        CallFailed { action, ..self }
    }

    /// Its kind.
    pub const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// AWS's own code, where there is one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The action that is not permitted, where AWS tells.
    pub fn action(&self) -> Option<&str> {
        self.action.as_deref()
    }

    /// Whether trying again may help, with nothing changed.
    pub const fn passes(&self) -> bool {
        self.kind.passes()
    }

    /// The failed call that an error comes from, if it comes from one.
    pub fn behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CallFailed> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

impl From<FailureKind> for CallFailed {
    fn from(kind: FailureKind) -> CallFailed {
        CallFailed::new(kind)
    }
}

impl Error for CallFailed {}

impl fmt::Display for CallFailed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.kind.words())?;
        match (&self.code, &self.action) {
            (Some(code), Some(action)) => write!(out, " ({code}: {action})"),
            (Some(word), None) | (None, Some(word)) => write!(out, " ({word})"),
            (None, None) => Ok(()),
        }
    }
}

/// A text that is a word of AWS's own: letters, digits and few marks. Whatever else it is may be somebody's input.
fn word(text: &str, marks: &str) -> Option<String> {
    let taken = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    let is_word = (1..=CODE_MAX).contains(&text.len()) && text.chars().all(taken);
    is_word.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the lease could not be had: {0}")]
    struct Lease(#[from] CallFailed);

    #[test]
    fn only_a_word_of_aws_is_kept_as_a_code() {
        let code = |text: &str| CallFailed::new(FailureKind::Other).with_code(text).code().map(str::to_owned);
        for taken in
            ["AccessDeniedException", "AWS.SimpleQueueService.NonExistentQueue", "503", &"x".repeat(64)]
        {
            assert_eq!(code(taken).as_deref(), Some(taken));
        }
        let long = "x".repeat(65);
        for left_out in
            ["", "ida@customer.example", "arn:aws:sqs", "two words", "line\nbreak", "\u{1b}[2J", "ü", &long]
        {
            assert_eq!(code(left_out), None, "{left_out:?}");
        }
        let action =
            |text: &str| CallFailed::new(FailureKind::AccessDenied).with_action(text).action().is_some();
        assert!(action("dynamodb:PutItem") && action("execute-api:Invoke"));
        assert!(!action("arn:aws:dynamodb:eu-west-1") && !action("PutItem") && !action("sqs:*"));
    }

    #[test]
    fn a_failed_call_is_found_behind_whatever_error_it_became() {
        let failed = CallFailed::new(FailureKind::Throttled).with_code("ThrottlingException");
        let lease = Lease::from(failed.clone());
        assert_eq!(CallFailed::behind(&lease), Some(&failed));
        assert_eq!(
            lease.to_string(),
            "the lease could not be had: AWS takes no more calls for now (ThrottlingException)"
        );
        assert_eq!(CallFailed::behind(&fmt::Error), None);
    }

    #[test]
    fn every_kind_has_its_own_name_and_words() {
        let all = FailureKind::ALL;
        let different = |told: fn(FailureKind) -> &'static str| {
            all.iter().map(|kind| told(*kind)).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!((different(FailureKind::name), different(FailureKind::words)), (all.len(), all.len()));
    }
}
