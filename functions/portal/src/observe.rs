//! What the portal counts of its answers. Why a call of AWS failed is logged and counted where it is handled.

use http::StatusCode;

/// Counts an answer that is our fault, not that of whoever asks.
pub(crate) fn answered(status: StatusCode) {
    if status.is_server_error() {
        metrics::counter!("PortalErrors5xx").increment(1);
    }
}
