//! A stream's suppression list: who may change it, and what its dump shows when.

use crate::agenda::Task;
use crate::model::{Kind, NONE};
use crate::texts::Text;
use crate::{Origin, Reason, Simulator, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) reason: Reason,
    pub(crate) origin: Origin,
    pub(crate) since: Time,
    /// The message that caused it, `NONE` for none.
    pub(crate) message: u32,
}

impl Row {
    /// How strict it is: a row gives way to a stricter one only.
    fn rank(&self) -> u8 {
        match (self.reason, self.origin) {
            (Reason::SpamComplaint, _) => 4,
            (_, Origin::Admin) => 3,
            (Reason::HardBounce, _) => 2,
            (Reason::ManualSuppression, Origin::Recipient) => 1,
            (Reason::ManualSuppression, _) => 0,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    now: Option<Row>,
    /// What the dump shows until `shows_at`.
    shown: Option<Row>,
    shows_at: Time,
}

/// The list of a stream, by address without case.
#[derive(Default)]
pub(crate) struct List {
    entries: BTreeMap<Text, Entry>,
    on_it: usize,
}

impl List {
    /// The row of an address, as sending knows it.
    pub(crate) fn get(&self, key: Text) -> Option<Row> {
        self.entries.get(&key)?.now
    }

    /// How many addresses are on it.
    pub(crate) fn len(&self) -> usize {
        self.on_it
    }

    fn set(&mut self, key: Text, row: Option<Row>, now: Time, shows_at: Time) {
        let entry = self.entries.entry(key).or_insert(Entry { now: None, shown: None, shows_at: now });
        if entry.shows_at <= now {
            entry.shown = entry.now;
        }
        self.on_it = self.on_it + usize::from(row.is_some()) - usize::from(entry.now.is_some());
        entry.now = row;
        entry.shows_at = shows_at;
    }

    /// The rows that are really there.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Text, Row)> {
        self.entries.iter().filter_map(|(key, entry)| Some((*key, entry.now?)))
    }

    /// The rows that the dump shows.
    pub(crate) fn shown(&self, now: Time) -> impl Iterator<Item = (Text, Row)> {
        self.entries.iter().filter_map(move |(key, entry)| {
            let row = if entry.shows_at <= now { entry.now } else { entry.shown };
            Some((*key, row?))
        })
    }
}

/// What the API says of a change that its caller may not make.
pub(crate) const NO_AUTHORITY: &str = "You do not have the required authority to change this suppression.";

impl Simulator {
    /// Puts an address on a list and tells of it, unless a row is there that is as strict.
    pub(crate) fn suppress(
        &mut self,
        stream: u16,
        address: Text,
        reason: Reason,
        origin: Origin,
        message: u32,
    ) {
        let key = self.texts.put_key(address);
        let row = Row { reason, origin, since: self.now, message };
        let old = self.stream(stream).list.get(key);
        if old.is_some_and(|old| old.rank() >= row.rank()) {
            return;
        }
        self.set_row(stream, key, Some(row));
        if old.is_none() || self.config.quirks.stricter_reason_is_told {
            let kind = Kind::Change { suppress: true, reason, origin, caused: message != NONE };
            self.happened(stream, message, address, kind);
        }
    }

    /// Takes an address off a list and tells of it. Nobody asks whether they may.
    pub(crate) fn lift(&mut self, stream: u16, address: Text, origin: Origin) {
        let key = self.texts.put_key(address);
        let Some(old) = self.stream(stream).list.get(key) else { return };
        self.set_row(stream, key, None);
        let keeps = self.config.quirks.reactivation_keeps_message;
        let message = if keeps { old.message } else { NONE };
        let kind = Kind::Change { suppress: false, reason: old.reason, origin, caused: message != NONE };
        self.happened(stream, message, address, kind);
    }

    fn set_row(&mut self, stream: u16, key: Text, row: Option<Row>) {
        let lag = u64::from(self.config.quirks.dump_lag_seconds) * 1000;
        let lag = i64::try_from(self.draw_number(lag + 1)).unwrap_or(0);
        let now = self.now;
        self.stream_mut(stream).list.set(key, row, now, now.plus_millis(lag));
    }

    /// Whether the customer may put an address on a list.
    pub(crate) fn may_suppress(&self, stream: u16, key: Text) -> bool {
        self.stream(stream).list.get(key).is_none_or(|row| row.rank() == 0)
    }

    /// Whether the customer may take an address off a list.
    pub(crate) fn may_lift(&self, stream: u16, key: Text) -> bool {
        self.stream(stream).list.get(key).is_none_or(|row| match (row.reason, row.origin) {
            (Reason::SpamComplaint, _) | (_, Origin::Admin) => false,
            (Reason::ManualSuppression, Origin::Recipient) => self.config.quirks.unsubscribes_deletable,
            _ => true,
        })
    }

    /// A change that the customer asked for takes effect in some seconds.
    pub(crate) fn ask_change(&mut self, stream: u16, address: Text, suppress: bool) {
        let most = self.config.quirks.change_delay_seconds.max(1) * 1000;
        let delay = self.wait(most / 10, most);
        self.agenda.put(self.now.plus_ticks(delay), Task::Change { stream, address, suppress });
    }

    pub(crate) fn change(&mut self, stream: u16, address: Text, suppress: bool) {
        let key = self.texts.put_key(address);
        if suppress {
            self.suppress(stream, address, Reason::ManualSuppression, Origin::Customer, NONE);
        } else if self.may_lift(stream, key) {
            self.lift(stream, address, Origin::Customer);
        }
    }

    /// Somebody suppresses an address by hand, at once: the customer in the UI, or Postmark's staff (Admin). `false`
    /// when there is no such stream.
    pub fn suppress_by_hand(&mut self, server: u64, stream: &str, address: &str, origin: Origin) -> bool {
        let Some(stream) = self.stream_of(server, stream) else { return false };
        let address = self.texts.put(address);
        self.suppress(stream, address, Reason::ManualSuppression, origin, NONE);
        true
    }

    /// Somebody takes an address off a list by hand, at once. Postmark's staff may lift what the customer may not.
    /// `false` when it is not on the list or they may not.
    pub fn reactivate_by_hand(&mut self, server: u64, stream: &str, address: &str, origin: Origin) -> bool {
        let Some(stream) = self.stream_of(server, stream) else { return false };
        let address = self.texts.put(address);
        let key = self.texts.put_key(address);
        if self.stream(stream).list.get(key).is_none() {
            return false;
        }
        if origin != Origin::Admin && !self.may_lift(stream, key) {
            return false;
        }
        self.lift(stream, address, origin);
        true
    }

    /// The rows that a stream's dump shows, by time of entry.
    pub(crate) fn dump_rows(&self, stream: u16) -> Vec<(Arc<str>, Row)> {
        let rows = self.stream(stream).list.shown(self.now);
        let mut rows: Vec<(Arc<str>, Row)> = rows.map(|(key, row)| (self.texts.share(key), row)).collect();
        rows.sort_by(|one, other| (one.1.since, &one.0).cmp(&(other.1.since, &other.0)));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quirks;
    use crate::trial::{Trial, each};
    use serde_json::{Value, json};

    fn change(trial: &mut Trial, stream: &str, call: &str, address: &str) -> Value {
        let body = json!({"Suppressions": [{"EmailAddress": address}]});
        let (status, body) =
            trial.call("POST", &format!("/message-streams/{stream}/suppressions{call}"), &body);
        assert_eq!(status, 200, "{body}");
        body["Suppressions"][0].clone()
    }

    fn dump(trial: &mut Trial, query: &str) -> Vec<Value> {
        let body = trial.get(&format!("/message-streams/outbound/suppressions/dump{query}"));
        body["Suppressions"].as_array().unwrap().clone()
    }

    #[test]
    fn every_entry_and_every_leave_is_told() {
        let mut trial = Trial::quiet();
        trial.send("a+hard@x.example");
        trial.days(1);
        assert_eq!(change(&mut trial, "outbound", "/delete", "A+Hard@x.example")["Status"], "Deleted");
        let told = trial.days(1);
        assert_eq!(told[0]["SuppressSending"], false);
        assert_eq!((&told[0]["SuppressionReason"], &told[0]["MessageID"]), (&Value::Null, &Value::Null));
        assert_eq!(told[0]["Origin"], "Customer");
        change(&mut trial, "outbound", "", "b@x.example");
        let told = trial.days(1);
        assert_eq!(
            (each(&told, "SuppressionReason"), each(&told, "Origin")),
            (vec!["ManualSuppression"], vec!["Customer"])
        );
        change(&mut trial, "outbound", "", "b@x.example");
        assert!(trial.days(1).is_empty());
    }

    #[test]
    fn only_who_has_the_authority_changes_a_row() {
        for deletable in [false, true] {
            let mut trial = Trial::with(|config| {
                config.quirks = Quirks { unsubscribes_deletable: deletable, ..config.quirks.clone() }
            });
            trial.simulator.add_webhook(
                trial.server.id,
                "broadcast",
                "https://hook.example/",
                &crate::Record::ALL,
            );
            trial.send_on("broadcast", "c+complaint@x.example");
            trial.send_on("broadcast", "h+hard@x.example");
            trial.send_on("broadcast", "u+unsubscribe@x.example");
            trial.days(5);
            trial.simulator.suppress_by_hand(trial.server.id, "broadcast", "s@x.example", Origin::Admin);
            let mut status = |call, address| change(&mut trial, "broadcast", call, address)["Status"].clone();
            assert_eq!(status("", "h+hard@x.example"), "Failed");
            assert_eq!(status("", "c+complaint@x.example"), "Failed");
            assert_eq!(status("", "u+unsubscribe@x.example"), "Failed");
            assert_eq!(status("/delete", "c+complaint@x.example"), "Failed");
            assert_eq!(status("/delete", "s@x.example"), "Failed");
            assert_eq!(
                status("/delete", "u+unsubscribe@x.example"),
                if deletable { "Deleted" } else { "Failed" }
            );
            assert_eq!(status("/delete", "h+hard@x.example"), "Deleted");
            assert_eq!(status("/delete", "nobody@x.example"), "Deleted");
            assert_eq!(status("", "no address"), "Failed");
            trial.days(1);
            let left = trial.simulator.truth().suppressed_count(trial.server.id, "broadcast");
            assert_eq!(left, if deletable { 2 } else { 3 });
        }
    }

    #[test]
    fn a_suppressed_address_gets_no_mail_on_that_stream_only() {
        let mut trial = Trial::quiet();
        trial.send("a+hard@x.example");
        trial.days(1);
        let (status, body) = trial.send_on("outbound", "A+Hard@x.example");
        assert_eq!((status, &body["ErrorCode"]), (422, &406.into()));
        assert_eq!(
            body["Message"],
            "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: A+Hard@x.example. Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression."
        );
        assert_eq!(trial.send_on("broadcast", "a+hard@x.example").0, 200);
        let (status, body) = trial.send_on("outbound", "b@x.example, a+hard@x.example");
        assert_eq!(status, 200);
        assert_eq!(
            body["Message"],
            "Message OK, but will not deliver to these inactive addresses: a+hard@x.example."
        );
    }

    #[test]
    fn a_change_takes_effect_later_and_the_dump_lags_behind_it() {
        let mut trial = Trial::with(|config| {
            config.quirks =
                Quirks { dump_lag_seconds: 60, change_delay_seconds: 60, ..config.quirks.clone() };
        });
        change(&mut trial, "outbound", "", "b@x.example");
        assert_eq!(trial.send_on("outbound", "b@x.example").0, 200);
        trial.run(60, |_| crate::Answer::status(200));
        assert_eq!(trial.send_on("outbound", "b@x.example").0, 422);
        let mut seconds = 0;
        while dump(&mut trial, "").is_empty() {
            trial.run(1, |_| crate::Answer::status(200));
            seconds += 1;
        }
        assert!((1..=60).contains(&seconds), "{seconds}");
    }

    #[test]
    fn the_dump_is_whole_filtered_and_in_eastern_time() {
        let mut trial = Trial::with(|config| config.start = Time::parse("2026-11-01T05:30:00Z").unwrap());
        for at in 0..1200 {
            trial.simulator.suppress_by_hand(
                trial.server.id,
                "outbound",
                &format!("u{at}@x.example"),
                Origin::Customer,
            );
        }
        trial.days(1);
        trial.send("h+hard@x.example");
        trial.days(1);
        let all = dump(&mut trial, "");
        assert_eq!((all.len(), &all[0]["CreatedAt"]), (1201, &"2026-11-01T01:30:00-04:00".into()));
        assert!(all[1200]["CreatedAt"].as_str().unwrap().ends_with("-05:00"));
        assert_eq!(dump(&mut trial, "?SuppressionReason=HardBounce").len(), 1);
        assert_eq!(dump(&mut trial, "?origin=Customer&todate=2026-11-01").len(), 1200);
        assert_eq!(dump(&mut trial, "?fromdate=2026-11-02").len(), 1);
        assert_eq!(dump(&mut trial, "?EmailAddress=u7@x.example").len(), 1);
        let (status, body) =
            trial.call("GET", "/message-streams/outbound/suppressions/dump?origin=Nobody", &Value::Null);
        assert_eq!((status, &body["ErrorCode"]), (422, &1405.into()));
    }

    #[test]
    fn a_bounce_is_reactivated_through_its_id_too() {
        let mut trial = Trial::quiet();
        trial.send("a+hard@x.example");
        let told = trial.days(1);
        let id = told.iter().find(|body| body["RecordType"] == "Bounce").unwrap()["ID"].as_u64().unwrap();
        assert!(id > 1 << 53);
        let (status, body) = trial.call("PUT", &format!("/bounces/{id}/activate"), &Value::Null);
        assert_eq!((status, &body["Bounce"]["Inactive"]), (200, &false.into()));
        assert_eq!(each(&trial.days(1), "RecordType"), ["SubscriptionChange"]);
        trial.send("c+complaint@x.example");
        let told = trial.days(5);
        let id = told.iter().find(|body| body["RecordType"] == "SpamComplaint").unwrap()["ID"].clone();
        let (status, body) = trial.call("PUT", &format!("/bounces/{id}/activate"), &Value::Null);
        assert_eq!((status, &body["ErrorCode"]), (422, &1003.into()));
    }
}
