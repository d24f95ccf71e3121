//! Webhook rows: what they ask for, whether their triggers are verified, and their statistics.

use crate::account::StreamKind;
use crate::{LegacyScope, Record, Simulator, Time};
use http::Uri;
use std::collections::VecDeque;

/// What a trigger is set to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trigger {
    pub(crate) enabled: bool,
    /// `PostFirstOpenOnly` of opens, `IncludeContent` of bounces and complaints.
    pub(crate) option: bool,
}

/// What a customer can say of a webhook.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    pub(crate) url: String,
    pub(crate) auth: Option<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) triggers: [Trigger; 6],
}

/// Where requests go, taken apart once.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) uri: Uri,
    /// From the URL.
    pub(crate) auth: Option<(String, String)>,
}

impl Target {
    /// Takes a URL apart: http or https, with a host, credentials split off.
    pub(crate) fn parse(url: &str) -> Option<Target> {
        let (scheme, rest) = url.trim().split_once("://")?;
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let path = path.split('#').next().unwrap_or("");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let uri = format!("{}://{host}{slash}{path}", scheme.to_ascii_lowercase()).parse::<Uri>().ok()?;
        uri.host().filter(|host| !host.is_empty())?;
        let auth = userinfo.map(|userinfo| {
            let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
            (percent_decoded(user), percent_decoded(password))
        });
        Some(Target { uri, auth })
    }

    /// Where a `Location` leads from here.
    pub(crate) fn follow(from: &Uri, location: &str) -> Option<Uri> {
        if location.contains("://") {
            return Target::parse(location).map(|target| target.uri);
        }
        let (scheme, authority) = (from.scheme_str()?, from.authority()?);
        if location.starts_with("//") {
            return Target::parse(&format!("{scheme}:{location}")).map(|target| target.uri);
        }
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let path =
            if location.starts_with('/') { location.to_owned() } else { format!("{folder}/{location}") };
        format!("{scheme}://{authority}{path}").parse().ok()
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Counted requests of a trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) total: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) retried: u64,
    pub(crate) slow: u64,
    pub(crate) very_slow: u64,
    /// Milliseconds and number of requests that settled an event.
    pub(crate) terminal: (u64, u64),
    /// Milliseconds and number of retries.
    pub(crate) retry: (u64, u64),
}

impl Requests {
    pub(crate) fn add(&mut self, other: &Requests) {
        self.total += other.total;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.retried += other.retried;
        self.slow += other.slow;
        self.very_slow += other.very_slow;
        self.terminal = (self.terminal.0 + other.terminal.0, self.terminal.1 + other.terminal.1);
        self.retry = (self.retry.0 + other.retry.0, self.retry.1 + other.retry.1);
    }
}

/// Seconds of a bucket of the rolling statistics.
const BUCKET_SECONDS: i64 = 60;
/// Seconds that the statistics look back.
pub(crate) const STATISTICS_SECONDS: i64 = 86_400;

/// A webhook row.
pub(crate) struct Hook {
    pub(crate) id: u64,
    pub(crate) stream: u16,
    pub(crate) spec: Spec,
    pub(crate) target: Target,
    /// By trigger. Events of one that is not verified are not sent, and lost.
    pub(crate) verified: [bool; 6],
    /// Events dropped in a row after their last retry.
    pub(crate) failures: [u32; 6],
    /// A hook URL of the server: not among the webhooks of the API.
    pub(crate) legacy: bool,
    pub(crate) deleted: bool,
    requests: VecDeque<(i64, Record, Requests)>,
}

impl Hook {
    /// A row that is not saved yet.
    pub(crate) fn draft(spec: Spec, target: Target) -> Hook {
        Hook {
            id: 0,
            stream: 0,
            spec,
            target,
            verified: [false; 6],
            failures: [0; 6],
            legacy: false,
            deleted: false,
            requests: VecDeque::new(),
        }
    }

    /// Counts a request, by the minute.
    pub(crate) fn count(&mut self, at: Time, record: Record, requests: &Requests) {
        let bucket = at.seconds() / BUCKET_SECONDS;
        let oldest = (at.seconds() - STATISTICS_SECONDS) / BUCKET_SECONDS;
        while self.requests.front().is_some_and(|front| front.0 < oldest) {
            self.requests.pop_front();
        }
        let of_minute = self.requests.iter_mut().rev().take_while(|entry| entry.0 >= bucket);
        match of_minute.into_iter().find(|entry| entry.1 == record) {
            Some(entry) => entry.2.add(requests),
            None => self.requests.push_back((bucket, record, *requests)),
        }
    }

    /// The last 24 hours, by trigger.
    pub(crate) fn statistics(&self, now: Time) -> [Requests; 6] {
        let oldest = (now.seconds() - STATISTICS_SECONDS) / BUCKET_SECONDS;
        let mut sums = [Requests::default(); 6];
        for (_, record, requests) in self.requests.iter().filter(|entry| entry.0 > oldest) {
            sums[*record as usize].add(requests);
        }
        sums
    }

    pub(crate) fn trigger(&self, record: Record) -> Trigger {
        self.spec.triggers[record as usize]
    }

    /// The row's own `Status`.
    pub(crate) fn row_verified(&self, one_unverifies: bool) -> bool {
        let mut enabled = Record::ALL.into_iter().filter(|record| self.trigger(*record).enabled).peekable();
        if enabled.peek().is_none() {
            return true;
        }
        if one_unverifies {
            enabled.all(|record| self.verified[record as usize])
        } else {
            enabled.any(|record| self.verified[record as usize])
        }
    }
}

/// The hook URLs of a server, by the record that they are for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legacy {
    pub(crate) bounce: String,
    pub(crate) open: String,
    pub(crate) delivery: String,
    pub(crate) click: String,
}

impl Legacy {
    fn of(&self) -> [(Record, &str); 4] {
        [
            (Record::Bounce, &self.bounce),
            (Record::Open, &self.open),
            (Record::Delivery, &self.delivery),
            (Record::Click, &self.click),
        ]
    }
}

impl Simulator {
    /// Makes a verified webhook without a probe, as if its endpoint had answered well. `None` when there is no such
    /// stream or the URL is none.
    pub fn add_webhook(&mut self, server: u64, stream: &str, url: &str, records: &[Record]) -> Option<u64> {
        let stream = self.stream_of(server, stream)?;
        let mut spec = Spec { url: url.to_owned(), ..Spec::default() };
        for record in records {
            spec.triggers[*record as usize].enabled = true;
        }
        let target = Target::parse(url)?;
        Some(self.push_hook(stream, spec, target, [true; 6], false))
    }

    /// Somebody deletes a webhook in the UI. `false` when there is none.
    pub fn delete_webhook(&mut self, id: u64) -> bool {
        let Some(index) = self.hook_index(id) else { return false };
        self.hooks[index].deleted = true;
        let stream = self.hooks[index].stream;
        self.stream_mut(stream).hooks.retain(|hook| *hook as usize != index);
        true
    }

    /// Somebody changes a webhook's URL in the UI; it stays verified. `false` when there is none or the URL is none.
    pub fn change_webhook_url(&mut self, id: u64, url: &str) -> bool {
        let (Some(index), Some(target)) = (self.hook_index(id), Target::parse(url)) else { return false };
        self.hooks[index].target = target;
        self.hooks[index].spec.url = url.to_owned();
        true
    }

    /// Switches a trigger of a webhook on or off in the UI. `false` when there is none.
    pub fn enable_trigger(&mut self, id: u64, record: Record, enabled: bool) -> bool {
        self.at_hook(id, |hook| {
            hook.spec.triggers[record as usize].enabled = enabled;
            hook.verified[record as usize] |= enabled;
        })
    }

    /// Pauses a trigger, as Postmark does after persistent failure. `false` when there is no such webhook.
    pub fn pause_trigger(&mut self, id: u64, record: Record) -> bool {
        self.at_hook(id, |hook| hook.verified[record as usize] = false)
    }

    /// Ends the pause of a trigger. `false` when there is no such webhook.
    pub fn resume_trigger(&mut self, id: u64, record: Record) -> bool {
        self.at_hook(id, |hook| {
            hook.verified[record as usize] = true;
            hook.failures[record as usize] = 0;
        })
    }

    fn at_hook(&mut self, id: u64, change: impl FnOnce(&mut Hook)) -> bool {
        let Some(index) = self.hook_index(id) else { return false };
        change(&mut self.hooks[index]);
        true
    }

    pub(crate) fn hook_index(&self, id: u64) -> Option<usize> {
        let index = usize::try_from(id.checked_sub(FIRST_HOOK)?).ok()?;
        self.hooks.get(index).filter(|hook| !hook.deleted).map(|_| index)
    }

    pub(crate) fn push_hook(
        &mut self,
        stream: u16,
        spec: Spec,
        target: Target,
        verified: [bool; 6],
        legacy: bool,
    ) -> u64 {
        let index = u32::try_from(self.hooks.len()).unwrap_or(u32::MAX);
        let id = FIRST_HOOK + u64::from(index);
        self.hooks.push(Hook { id, stream, verified, legacy, ..Hook::draft(spec, target) });
        self.stream_mut(stream).hooks.push(index);
        id
    }

    /// Makes the rows behind a server's hook URLs what the server says.
    pub(crate) fn spread_legacy_hooks(&mut self, server: usize) {
        let of = &self.servers[server];
        let (first_only, content) = (of.first_open_only, of.include_content);
        let wanted = of.legacy.clone();
        for stream in of.streams.clone() {
            let of = self.stream(stream);
            let covered = match self.config.quirks.legacy_scope {
                LegacyScope::DefaultStream => &*of.id == "outbound",
                LegacyScope::EveryStream => of.kind != StreamKind::Inbound,
            };
            if !covered {
                continue;
            }
            let rows: Vec<usize> = of.hooks.iter().map(|hook| *hook as usize).collect();
            for (record, url) in wanted.of() {
                let option = match record {
                    Record::Open => first_only,
                    Record::Bounce => content,
                    _ => false,
                };
                let row = rows.iter().copied().find(|row| {
                    self.hooks[*row].legacy && self.hooks[*row].spec.triggers[record as usize].enabled
                });
                if let Some(row) = row.filter(|row| self.hooks[*row].spec.url == url) {
                    self.hooks[row].spec.triggers[record as usize].option = option;
                    continue;
                }
                if let Some(row) = row {
                    let id = self.hooks[row].id;
                    self.delete_webhook(id);
                }
                if let Some(target) = Target::parse(url) {
                    let mut spec = Spec { url: url.to_owned(), ..Spec::default() };
                    spec.triggers[record as usize] = Trigger { enabled: true, option };
                    self.push_hook(stream, spec, target, [true; 6], true);
                }
            }
        }
    }
}

/// The id of the first webhook.
const FIRST_HOOK: u64 = 1_234_001;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_into_target_and_credentials() {
        let target = Target::parse("https://us%40er:p%3Aw@host.example:8443?x=1").unwrap();
        assert_eq!(target.uri.to_string(), "https://host.example:8443/?x=1");
        assert_eq!(target.auth, Some(("us@er".to_owned(), "p:w".to_owned())));
        for bad in ["", "host.example", "ftp://host.example/", "https:///path"] {
            assert!(Target::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_location_may_be_absolute_or_relative() {
        let from: Uri = "https://a.example/v1/hook".parse().unwrap();
        let follow = |location| Target::follow(&from, location).unwrap().to_string();
        assert_eq!(follow("http://b.example/x"), "http://b.example/x");
        assert_eq!(follow("/x"), "https://a.example/x");
        assert_eq!(follow("x"), "https://a.example/v1/x");
        assert_eq!(follow("//b.example/x"), "https://b.example/x");
    }
}
