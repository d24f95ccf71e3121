//! A stream's suppression list: its dump, row by row, and its changes.

use crate::endpoint::Call;
use crate::error::ApiError;
use crate::rows::Rows;
use crate::server::ServerApi;
use crate::transport::Chunks;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Method;
use ledger::Time;
use serde::Deserialize;
use serde_json::json;
use std::fmt;

/// As many addresses as Postmark takes in one change; more are sent in several.
pub const CHANGES_MAX: usize = 50;

/// Which rows of a suppression list; by default all.
#[derive(Clone, Copy, Default)]
pub struct SuppressionFilter<'a> {
    /// `HardBounce`, `SpamComplaint` or `ManualSuppression`.
    pub reason: Option<&'a str>,
    /// `Recipient`, `Customer` or `Admin`.
    pub origin: Option<&'a str>,
    /// From this Eastern day on.
    pub from_day: Option<&'a str>,
    /// Up to and including this Eastern day.
    pub to_day: Option<&'a str>,
    /// Only of this address (whether as a whole or in part is not documented: look at the rows).
    pub address: Option<&'a str>,
}

/// A row of a suppression list.
#[derive(Clone, PartialEq, Eq)]
pub struct Suppression {
    /// The address, as Postmark writes it.
    pub address: String,
    /// `HardBounce`, `SpamComplaint`, `ManualSuppression`, or a word that is new.
    pub reason: Option<String>,
    /// `Recipient`, `Customer`, `Admin`, or a word that is new.
    pub origin: Option<String>,
    /// Since when it is on the list; none where the text is absent or no instant.
    pub created_at: Option<Time>,
    /// The same as Postmark writes it; empty where it is absent.
    pub created_at_text: String,
}

/// Without the address.
impl fmt::Debug for Suppression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Suppression")
            .field("reason", &self.reason)
            .field("origin", &self.origin)
            .field("created_at", &self.created_at_text)
            .finish_non_exhaustive()
    }
}

/// What became of one address in a change of a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Changed {
    /// The address, as Postmark writes it.
    pub address: String,
    /// `Suppressed`, `Deleted` or `Failed`.
    pub status: String,
    /// Why it failed.
    pub message: Option<String>,
}

impl Changed {
    /// Whether Postmark refuses this one, which is normal: a complaint cannot be deleted, nor a stricter row replaced.
    pub fn failed(&self) -> bool {
        self.status.eq_ignore_ascii_case("Failed")
    }
}

/// Without the address.
impl fmt::Debug for Changed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Changed").field("status", &self.status).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    email_address: String,
    #[serde(default)]
    suppression_reason: Option<String>,
    #[serde(default)]
    origin: Option<String>,
    #[serde(default)]
    created_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangedRows {
    suppressions: Vec<ChangedRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangedRow {
    email_address: String,
    status: String,
    #[serde(default)]
    message: Option<String>,
}

/// A suppression list as it comes in, a row at a time. It takes the memory of one chunk and one row, however long the
/// list is. Nothing is tried again once it has begun: whoever reads it starts anew after an error.
pub struct SuppressionDump {
    call: Call,
    chunks: Chunks,
    chunk: Bytes,
    rows: Rows,
    row: Vec<u8>,
    /// How it ended, so that nobody who asks again takes an error for an end.
    ended: Option<Result<(), ApiError>>,
}

impl SuppressionDump {
    /// The next row; none after the last one, which is said only when the whole list has come.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] if the connection breaks; [`ApiError::NotUnderstood`] if a row is not understood or the
    /// body ends before the list does. Then every later call gives the same error.
    pub async fn next(&mut self) -> Result<Option<Suppression>, ApiError> {
        if let Some(ended) = &self.ended {
            return ended.clone().map(|()| None);
        }
        match self.read().await {
            Ok(Some(row)) => Ok(Some(row)),
            done => {
                self.ended = Some(done.clone().map(|_| ()));
                done
            }
        }
    }

    /// How many rows have come so far.
    pub fn rows(&self) -> u64 {
        self.rows.cut
    }

    async fn read(&mut self) -> Result<Option<Suppression>, ApiError> {
        loop {
            let found = self.rows.next(&mut self.chunk, &mut self.row);
            if found.map_err(|words| self.call.not_understood(&words))? {
                return self.parsed().map(Some);
            }
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => return Err(ApiError::Unavailable(error.into())),
                None => {
                    return self.rows.end().map(|()| None).map_err(|words| self.call.not_understood(&words));
                }
            }
        }
    }

    fn parsed(&self) -> Result<Suppression, ApiError> {
        let row: Row = serde_json::from_slice(&self.row)
            .map_err(|_| self.call.not_understood(&format!("row {} is no suppression", self.rows.cut)))?;
        Ok(Suppression {
            address: row.email_address,
            reason: row.suppression_reason,
            origin: row.origin,
            created_at: row.created_at.as_ref().and_then(|text| text.parse().ok()),
            created_at_text: row.created_at.unwrap_or_default(),
        })
    }
}

impl ServerApi {
    /// A stream's suppression list, streamed: Postmark gives it in one answer, however long it is.
    ///
    /// # Errors
    /// See [`ApiError`]; code 1226 if there is no such stream.
    pub async fn suppressions(
        &self,
        stream: &str,
        filter: SuppressionFilter<'_>,
    ) -> Result<SuppressionDump, ApiError> {
        let call = Call::get("/message-streams/{}/suppressions/dump", &[stream])
            .with_some("SuppressionReason", filter.reason)
            .with_some("Origin", filter.origin)
            .with_some("fromdate", filter.from_day)
            .with_some("todate", filter.to_day)
            .with_some("EmailAddress", filter.address);
        let chunks = self.session.stream(&call).await?;
        let (chunk, row) = (Bytes::new(), Vec::new());
        Ok(SuppressionDump { call, chunks, chunk, rows: Rows::new("Suppressions"), row, ended: None })
    }

    /// Puts addresses on a stream's list, as `ManualSuppression` by `Customer`. What became of each is in the answer:
    /// some may fail ([`Changed::failed`]).
    ///
    /// # Errors
    /// See [`ApiError`]. With more than [`CHANGES_MAX`] addresses a part may have been done; it may be repeated.
    pub async fn suppress(&self, stream: &str, addresses: &[&str]) -> Result<Vec<Changed>, ApiError> {
        self.change("/message-streams/{}/suppressions", stream, addresses).await
    }

    /// Takes addresses off a stream's list; one that is not on it counts as `Deleted`. As [`suppress`](Self::suppress).
    ///
    /// # Errors
    /// See [`suppress`](Self::suppress).
    pub async fn unsuppress(&self, stream: &str, addresses: &[&str]) -> Result<Vec<Changed>, ApiError> {
        self.change("/message-streams/{}/suppressions/delete", stream, addresses).await
    }

    async fn change(
        &self,
        name: &'static str,
        stream: &str,
        addresses: &[&str],
    ) -> Result<Vec<Changed>, ApiError> {
        let mut changed = Vec::with_capacity(addresses.len());
        for some in addresses.chunks(CHANGES_MAX) {
            let rows: Vec<_> = some.iter().map(|address| json!({"EmailAddress": address})).collect();
            let call = Call::new(Method::POST, name, &[stream]).body(&json!({"Suppressions": rows}));
            let answer: ChangedRows = self.session.ask(call).await?;
            changed.extend(answer.suppressions.into_iter().map(|row| Changed {
                address: row.email_address,
                status: row.status,
                message: row.message,
            }));
        }
        Ok(changed)
    }
}
