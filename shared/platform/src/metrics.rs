//! Metrics: counted through the `metrics` facade, printed as CloudWatch's embedded metric format, one document
//! an invocation and set of dimensions. Dimensions never name a server, stream or recipient: each would be a
//! billed series for every client.

use ::metrics::Unit;
use metrics_cloudwatch_embedded::{Builder, Collector};
use std::io::Write;
use std::sync::OnceLock;

/// CloudWatch's namespace.
pub const NAMESPACE: &str = "Postledger";

/// Every metric there is: name, unit, the dimension it has beside `Stage`, what it counts.
pub const METRICS: &[(&str, Unit, Option<&str>, &str)] = &[
    ("EventsAccepted", Unit::Count, Some("RecordType"), "events that were enqueued"),
    ("EventBytes", Unit::Bytes, None, "bytes of the bodies of enqueued events"),
    ("EventsRejected", Unit::Count, Some("Reason"), "requests that were not taken in: auth, method"),
    (
        "CredentialMismatch",
        Unit::Count,
        Some("Marked"),
        "wrong credentials; Marked: the request looks like Postmark's",
    ),
    ("Misrouted", Unit::Count, None, "events at another type's URL; taken in all the same"),
    ("Quarantined", Unit::Count, Some("Reason"), "bodies set aside, probes among them"),
    ("SetAside", Unit::Count, None, "bodies set aside, but for probes: what the alarm counts"),
    ("EnqueueFailed", Unit::Count, None, "sends that the queue refused; answered 503"),
    ("AuthSlotUsed", Unit::Count, Some("Slot"), "which of the two public keys verified"),
    ("SourceLag", Unit::Seconds, None, "from the event to its receipt"),
    ("RetriesRemainingMin", Unit::Count, None, "how many retries Postmark has left"),
    ("ClientErrors4xx", Unit::Count, None, "every 4xx that was answered"),
    ("EventsProcessed", Unit::Count, Some("RecordType"), "events recorded for the first time"),
    ("EventsDuplicate", Unit::Count, Some("RecordType"), "copies of recorded events, dropped"),
    ("EventsReplaced", Unit::Count, None, "recorded copies replaced by better ones"),
    ("UnknownType", Unit::Count, None, "bounces of a type that is not known"),
    ("CommitRetried", Unit::Count, Some("Reason"), "transactions tried again: cancelled, drift"),
    (
        "CallsFailed",
        Unit::Count,
        Some("Kind"),
        "calls of AWS, or of the database on one machine, that failed, by why",
    ),
    (
        "CallsRefused",
        Unit::Count,
        None,
        "those of them that trying again does not mend: what the alarm counts",
    ),
    (
        "EndToEndLatency",
        Unit::Seconds,
        Some("Queue"),
        "from the receipt of a batch's first event to its commit",
    ),
    ("Delivered", Unit::Count, None, "first-seen deliveries"),
    ("HardBounced", Unit::Count, None, "first-seen hard bounces and invalid addresses"),
    ("SoftBounced", Unit::Count, None, "first-seen soft bounces"),
    ("Blocked", Unit::Count, None, "first-seen blocks"),
    ("Complained", Unit::Count, None, "first-seen complaints"),
    ("Unsubscribed", Unit::Count, None, "first-seen unsubscribes"),
    ("Reactivated", Unit::Count, None, "first-seen reactivations"),
    ("ReconcileRun", Unit::Count, None, "runs of reconcile that ended in order: its heartbeat"),
    ("DriftMissing", Unit::Count, None, "recipients on Postmark's suppression lists that the ledger lacked"),
    ("DriftExtra", Unit::Count, None, "recipients suppressed in the ledger and not on Postmark's lists"),
    ("DriftRepaired", Unit::Count, None, "facts sent to the queues to mend either"),
    (
        "Unexplained",
        Unit::Count,
        None,
        "events that Postmark counts and that are neither here nor to be had nor lost by nature",
    ),
    ("PostmarkSent", Unit::Count, None, "messages that Postmark sent since the last run, by its statistics"),
    (
        "Coverage",
        Unit::Percent,
        None,
        "of what Postmark tells of in the days gone through, what is recorded or on its way",
    ),
    ("PostmarkApiErrors", Unit::Count, None, "calls to Postmark's API that failed after all retries"),
    ("WatchRun", Unit::Count, None, "runs of watch that ended in order: its heartbeat"),
    (
        "WebhookConfigDrift",
        Unit::Count,
        None,
        "webhooks that are missing in Postmark, or are not what they were set up to be",
    ),
    (
        "WebhookTypeUnverified",
        Unit::Count,
        None,
        "triggers that Postmark has paused or could not verify; log and `postledger watch` name them",
    ),
    (
        "SweepUnread",
        Unit::Count,
        None,
        "bodies in quarantine that sweeping the erased died at, passed over unread",
    ),
    ("ServersSilent", Unit::Count, None, "connected servers that send, while nothing of theirs arrives"),
    (
        "ApiErrors5xx",
        Unit::Count,
        None,
        "answers 5xx of the read API: what its alarm counts, and the doors' does not",
    ),
    ("PortalErrors5xx", Unit::Count, None, "answers 5xx of the portal"),
];

static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// Collects metrics from here on, under a stage. The first call counts; without one, nothing is collected.
pub fn init(stage: &str) {
    COLLECTOR.get_or_init(|| {
        let builder =
            Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("Stage", stage.to_owned());
        let collector = match builder.init() {
            Ok(collector) => collector,
            Err(error) => unreachable!("nothing else installs a recorder: {error}"),
        };
        for (name, unit, _, what) in METRICS {
            ::metrics::describe_counter!(*name, *unit, *what);
            ::metrics::describe_histogram!(*name, *unit, *what);
        }
        collector
    });
}

/// Metrics of this process, as text of OpenMetrics: Prometheus takes it, and so does what else reads that standard.
#[cfg(feature = "prometheus")]
#[derive(Clone)]
pub struct Exposition(metrics_exporter_prometheus::PrometheusHandle);

#[cfg(feature = "prometheus")]
impl Exposition {
    /// Collects metrics from here on, under a stack's name, in place of [`init`]; nothing where something else collects them.
    pub fn start(stack: &str) -> Option<Exposition> {
        let builder = metrics_exporter_prometheus::PrometheusBuilder::new().add_global_label("stack", stack);
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        ::metrics::set_global_recorder(recorder).ok()?;
        for (name, unit, _, what) in METRICS {
            ::metrics::describe_counter!(*name, *unit, *what);
            ::metrics::describe_histogram!(*name, *unit, *what);
        }
        Some(Exposition(handle))
    }

    /// Sums what was measured since: to be done now and then, whether or not anybody asks.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }

    /// All of them, as they are now: OpenMetrics 1.0.
    pub fn text(&self) -> String {
        self.tidy();
        open_metrics(&self.0.render())
    }
}

/// OpenMetrics 1.0 from Prometheus's older text format, of which the exporter writes no other. They differ so: what a counter
/// has counted is a sample of its name with `_total`, a sum is not negative (an event may be from the future), no line is
/// empty, and the text says where it ends.
#[cfg(feature = "prometheus")]
fn open_metrics(text: &str) -> String {
    let (mut counter, mut out) = ("", String::with_capacity(text.len() + 1024));
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            counter = family.strip_suffix(" counter").unwrap_or_default();
        }
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap_or(line.len()));
        let is_negative = rest.rsplit(' ').next().is_some_and(|value| value.starts_with('-'));
        if name.ends_with("_sum") && is_negative {
            continue;
        }
        out.push_str(name);
        if name == counter {
            out.push_str("_total");
        }
        out.push_str(rest);
        out.push('\n');
    }
    out + "# EOF\n"
}

/// Prints what has been counted since the last time, each document as a line of its own, all in one write.
pub fn flush(mut out: impl Write) {
    let mut lines = Vec::new();
    if let Some(collector) = COLLECTOR.get()
        && let Err(error) = collector.flush(&mut lines).and_then(|()| out.write_all(&lines))
    {
        tracing::warn!(error = %error, "metrics could not be printed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_printed_as_valid_emf_under_the_stage() {
        init("test");
        ::metrics::counter!("EventsAccepted", "RecordType" => "Bounce").increment(2);
        ::metrics::histogram!("SourceLag").record(1.5);
        let mut out = Vec::new();
        flush(&mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "one document for each set of dimensions");
        for line in &lines {
            assert!(line["_aws"]["Timestamp"].as_u64().unwrap() > 1_600_000_000_000);
            assert_eq!(
                (&line["_aws"]["CloudWatchMetrics"][0]["Namespace"], &line["Stage"]),
                (&"Postledger".into(), &"test".into())
            );
        }
        let accepted = lines.iter().find(|line| line.get("EventsAccepted").is_some()).unwrap();
        assert_eq!((&accepted["EventsAccepted"], &accepted["RecordType"]), (&2.into(), &"Bounce".into()));
        let unit = &accepted["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"];
        assert_eq!(unit, "Count");
    }

    #[cfg(feature = "prometheus")]
    #[test]
    fn openmetrics_differs_from_the_older_text_where_the_standard_does() {
        let older = "# HELP Delivered first-seen deliveries\n# TYPE Delivered counter\nDelivered{stack=\"a b\"} 3\n\n\
             # TYPE SourceLag summary\nSourceLag{quantile=\"0.5\"} -1.5\nSourceLag_sum -2.5\nSourceLag_count 2\n\n";
        let text = "# HELP Delivered first-seen deliveries\n# TYPE Delivered counter\nDelivered_total{stack=\"a b\"} 3\n\
             # TYPE SourceLag summary\nSourceLag{quantile=\"0.5\"} -1.5\nSourceLag_count 2\n# EOF\n";
        assert_eq!(open_metrics(older), text);
        assert_eq!(open_metrics(""), "# EOF\n");
        for (name, _, _, what) in METRICS {
            let fits = |text: &str| !text.contains(['"', '\\', '\n']);
            assert!(fits(what), "{name}: in OpenMetrics this would have to be escaped");
        }
    }

    #[test]
    fn no_dimension_names_a_tenant() {
        for (name, _, dimension, _) in METRICS {
            let allowed = ["RecordType", "Reason", "Marked", "Slot", "Queue", "Kind"];
            assert!(dimension.is_none_or(|dimension| allowed.contains(&dimension)), "{name}");
        }
    }
}
