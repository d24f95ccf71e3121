//! Which streams of a server are known: by their events, by what Postmark lists, and by what every server has.

use crate::ServerSettings;
use ledger::event::WHOLE_SERVER;
use std::collections::BTreeSet;

/// The streams that Postmark itself makes for every new server, but for the one of inbound mail: at a server that is
/// known they are known before their first mail.
pub const DEFAULT_STREAMS: [&str; 2] = ["outbound", "broadcast"];

/// Whether a server is known by what it has: `noted` are the streams of its events.
pub fn knows_server(noted: &BTreeSet<String>, settings: &ServerSettings) -> bool {
    noted.iter().any(|stream| stream != WHOLE_SERVER) || !settings.kinds.is_empty()
}

/// Whether a server has a stream: `noted` are the streams of its events, and its settings have those that Postmark lists.
pub fn knows_stream(noted: &BTreeSet<String>, settings: &ServerSettings, stream: &str) -> bool {
    let by_default = || DEFAULT_STREAMS.contains(&stream) && knows_server(noted, settings);
    stream != WHOLE_SERVER && (noted.contains(stream) || settings.kinds.contains_key(stream) || by_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::policy::StreamKind;

    #[test]
    fn streams_are_known_by_their_events_by_postmarks_list_and_by_default_at_a_server_that_is_known() {
        let noted = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let none = ServerSettings::default();
        let listed = ServerSettings {
            kinds: [("news".to_owned(), StreamKind::Broadcast)].into(),
            ..ServerSettings::default()
        };
        for (noted, settings, stream, known) in [
            (noted(&[]), &none, "outbound", false),
            (noted(&["*"]), &none, "outbound", false),
            (noted(&["*"]), &none, "*", false),
            (noted(&["*", "receipts"]), &none, "outbound", true),
            (noted(&["receipts"]), &none, "broadcast", true),
            (noted(&["receipts"]), &none, "receipts", true),
            (noted(&["receipts"]), &none, "Receipts", false),
            (noted(&["receipts"]), &none, "inbound", false),
            (noted(&[]), &listed, "news", true),
            (noted(&[]), &listed, "outbound", true),
            (noted(&[]), &listed, "outbuond", false),
        ] {
            assert_eq!(knows_stream(&noted, settings, stream), known, "{stream} by {noted:?}");
        }
    }
}
