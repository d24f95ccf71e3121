//! Logs: one JSON object a line, a readable message plus fields.
//!
//! Nothing that logs here ever has an address, a body, a header or a credential among its fields; the
//! acceptance test `privacy` reads everything that is printed and fails on any of them.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

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

/// Logs everything from here on, at a level, to a writer. The first call counts.
pub fn init<W>(filter: &str, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let _ = tracing::subscriber::set_global_default(subscriber(filter, writer));
}

/// The level that Lambda was told (`ApplicationLogLevel`), else `RUST_LOG`, else `info`.
pub fn level() -> String {
    ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .into_iter()
        .find_map(crate::env::text)
        .unwrap_or_else(|| "info".to_owned())
}

/// What a function logs: its own level, and of others warnings only. At a finer level the runtime and the SDK
/// would print events and requests.
pub fn of_function() -> String {
    const OTHERS: &str = "aws=warn,h2=warn,hyper=warn,lambda=warn,rustls=warn,tower=warn";
    format!("{},{OTHERS}", level())
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

/// Tells why a run of what runs by a schedule ended before its end; the runtime tells whoever started it.
pub fn run_failed(error: &(dyn std::error::Error + 'static)) {
    let call = crate::counted(error);
    tracing::error!(
        call.kind = call.kind,
        call.code = call.code,
        call.action = call.action,
        error = %error,
        "the run ended early; the next one goes on"
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_json_object_without_spans() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        tracing::subscriber::with_default(subscriber("info", move || writer.clone()), || {
            let _span = tracing::info_span!("invocation").entered();
            tracing::info!(event.server = 7, "an event was set aside");
            tracing::debug!("not logged");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        let lines: Vec<&[u8]> = bytes.trim_ascii().split(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), 1);
        let line: serde_json::Value = serde_json::from_slice(lines[0]).unwrap();
        assert_eq!((&line["level"], &line["fields"]["event.server"]), (&"INFO".into(), &7.into()));
        assert!(line.get("span").is_none() && line.get("spans").is_none());
    }
}
