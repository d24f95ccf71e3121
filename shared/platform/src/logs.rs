//! Logs: one JSON object a line, a readable message plus fields.
//!
//! Nothing that logs here ever has an address, a body, a header or a credential among its fields; the
//! acceptance test `privacy` reads everything that is printed and fails on any of them.

use std::fmt;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The variable with a function's level. Not Lambda's own `AWS_LAMBDA_LOG_LEVEL`: Lambda drops what is below that one,
/// and takes a line of metrics, which has no level, for INFO. So the template keeps Lambda's at INFO or finer.
pub const LEVEL: &str = "POSTLEDGER_LOG_LEVEL";

/// From which levels on something logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    directives: String,
    /// Whether what was set was no level, and so does not count.
    unusable: bool,
}

impl Filter {
    /// What a function logs, by what its variable holds: from that level on its own, and of others warnings only. At a
    /// finer level the runtime and the SDK would print events and requests. What is no level counts as INFO: a function
    /// that did not start for it would take nothing in.
    fn of(set: Option<&str>) -> Filter {
        const OTHERS: &str = "aws=warn,h2=warn,hyper=warn,lambda=warn,rustls=warn,tower=warn";
        let level = set.map(str::parse::<Level>);
        let unusable = matches!(level, Some(Err(_)));
        let level = level.and_then(Result::ok).unwrap_or(Level::INFO);
        Filter { directives: format!("{level},{OTHERS}"), unusable }
    }

    fn complain(&self) {
        if self.unusable {
            tracing::warn!("{LEVEL} is not TRACE, DEBUG, INFO, WARN or ERROR; INFO is taken instead");
        }
    }
}

/// A level, or a list of directives.
impl From<&str> for Filter {
    fn from(directives: &str) -> Filter {
        Filter { directives: directives.to_owned(), unusable: false }
    }
}

impl From<&String> for Filter {
    fn from(directives: &String) -> Filter {
        Filter::from(directives.as_str())
    }
}

impl From<&Filter> for Filter {
    fn from(filter: &Filter) -> Filter {
        filter.clone()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.directives)
    }
}

/// A subscriber that writes JSON lines; `filter` is a level or a list of directives. The runtime's span is not
/// repeated in every line.
pub fn subscriber<W>(filter: &str, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(writer)
        .finish()
}

/// Logs everything from here on, from a level on, to a writer. The first call counts. A level that cannot be used is said
/// once, here.
pub fn init<W>(filter: impl Into<Filter>, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter.into();
    let _ = tracing::subscriber::set_global_default(subscriber(&filter.directives, writer));
    filter.complain();
}

/// What a function logs.
pub fn of_function() -> Filter {
    Filter::of(crate::env::text(LEVEL).as_deref())
}

/// Tells that a function found no connection at its start. It goes on: calls open their own.
pub fn no_connection(to: &'static str, error: &(dyn std::error::Error + 'static)) {
    let call = crate::counted(error);
    tracing::warn!(
        connection.to = to,
        call.kind = call.kind,
        call.code = call.code,
        error = %error,
        "no connection could be opened at the start"
    );
}

/// Tells that the connection which a function opened at its start was closed by whoever answered. It goes on, but its
/// first call pays for another connection: said once for each start.
pub fn connection_closed(to: &'static str) {
    tracing::warn!(
        connection.to = to,
        connection.code = "closed_after_start",
        "the connection that was opened at the start was closed at once; the first call after each start opens another"
    );
}

/// Tells why a run of what runs by a schedule ended before its end; the runtime tells whoever started it.
pub fn run_failed(error: &(dyn std::error::Error + 'static)) {
    let call = crate::counted(error);
    tracing::error!(
        call.kind = call.kind,
        call.code = call.code,
        call.action = call.action,
        error = %error,
        "the run ended early; the next one continues"
    );
}

/// Tells that something was done, and that what is remembered of it could not be written: it stays done.
pub fn not_remembered(what: &'static str, error: &(dyn std::error::Error + 'static)) {
    let call = crate::counted(error);
    tracing::error!(
        call.kind = call.kind,
        call.code = call.code,
        call.action = call.action,
        error = %error,
        "it was done, and could not be remembered: {what}"
    );
}

/// Tells why a function cannot start, in words; the runtime prints the error only as the compiler would. It does not
/// live to count what it counts later, so that is printed too.
pub fn cannot_start(error: &(dyn std::error::Error + Send + Sync + 'static)) {
    let call = crate::counted(error);
    tracing::error!(
        call.kind = call.kind,
        call.code = call.code,
        call.action = call.action,
        error = %error,
        "the function cannot start"
    );
    crate::metrics::flush(std::io::stdout().lock());
}

#[cfg(any(test, feature = "testing"))]
pub mod testing {
    //! What a test sees of the lines that are logged.

    use std::io::Write;
    use std::sync::{Arc, LazyLock, Mutex};
    use tracing::Dispatch;
    use tracing::subscriber::{DefaultGuard, NoSubscriber};

    /// With one subscriber alone, a line that another thread is the first to come by is lost for good: `tracing` asks that
    /// thread's own subscriber, which there is not, and remembers. With several it asks all of them.
    static SECOND: LazyLock<[Dispatch; 2]> =
        LazyLock::new(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::default())));

    /// What this thread logs until this is taken apart.
    #[must_use]
    pub struct Logged(Buffer, DefaultGuard);

    impl Logged {
        /// Logs into memory from here on, under a filter.
        pub fn under(filter: impl Into<super::Filter>) -> Logged {
            LazyLock::force(&SECOND);
            let buffer = Buffer::default();
            let writer = buffer.clone();
            let subscriber = super::subscriber(&filter.into().directives, move || writer.clone());
            Logged(buffer, tracing::subscriber::set_default(subscriber))
        }

        /// What was logged: one JSON object a line.
        pub fn text(self) -> String {
            let Logged(buffer, guard) = self;
            drop(guard);
            String::from_utf8_lossy(&buffer.0.lock().expect("nobody panics over it")).into_owned()
        }
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panics over it").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that are logged under a filter.
    fn logged(filter: &Filter, what: impl FnOnce()) -> Vec<serde_json::Value> {
        let logged = testing::Logged::under(filter);
        what();
        logged.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_that_another_thread_came_by_first_is_seen_all_the_same() {
        let line = || tracing::info!("once");
        let logged = testing::Logged::under("info");
        std::thread::spawn(line).join().unwrap();
        line();
        assert_eq!(logged.text().lines().count(), 1);
    }

    #[test]
    fn a_line_is_one_json_object_without_spans() {
        let lines = logged(&"info".into(), || {
            let _span = tracing::info_span!("invocation").entered();
            tracing::info!(event.server = 7, "an event was set aside");
            tracing::debug!("not logged");
        });
        let [line] = lines.as_slice() else { panic!("one line: {lines:?}") };
        assert_eq!((&line["level"], &line["fields"]["event.server"]), (&"INFO".into(), &7.into()));
        assert!(line.get("span").is_none() && line.get("spans").is_none());
    }

    #[test]
    fn a_function_logs_from_the_level_on_that_it_was_told_and_of_others_warnings_only() {
        let all = || {
            tracing::trace!("t");
            tracing::debug!("d");
            tracing::info!("i");
            tracing::warn!("w");
            tracing::error!("e");
            tracing::info!(target: "lambda_runtime", "an event");
            tracing::warn!(target: "hyper", "a fault");
        };
        for (set, expected) in [
            (Some("ERROR"), 2),
            (Some("WARN"), 3),
            (Some("INFO"), 4),
            (None, 4),
            (Some("debug"), 5),
            (Some("TRACE"), 6),
        ] {
            let filter = Filter::of(set);
            assert!(!filter.unusable, "{set:?}");
            assert_eq!(logged(&filter, all).len(), expected, "{set:?}");
        }
    }

    #[test]
    fn what_is_no_level_counts_as_info_and_is_said_without_being_quoted() {
        for set in ["verbose", "info,aws=trace", "store=debug"] {
            let filter = Filter::of(Some(set));
            assert_eq!(filter.directives, Filter::of(None).directives, "{set}");
            let lines = logged(&filter, || filter.complain());
            let [line] = lines.as_slice() else { panic!("said once: {lines:?}") };
            let told = line["fields"]["message"].as_str().unwrap();
            assert!(told.starts_with(LEVEL) && !told.contains(set), "{told}");
        }
        assert_eq!(logged(&Filter::of(Some("ERROR")), || Filter::of(Some("ERROR")).complain()).len(), 0);
    }
}
