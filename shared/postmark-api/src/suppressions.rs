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
struct SuppressionRow {
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
/// list is. Once it has begun, nothing is retried: after an error, the reader starts again from the beginning.
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
    fn new(call: Call, chunks: Chunks) -> SuppressionDump {
        let (chunk, row) = (Bytes::new(), Vec::new());
        SuppressionDump { call, chunks, chunk, rows: Rows::new("Suppressions"), row, ended: None }
    }

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
        let row: SuppressionRow = serde_json::from_slice(&self.row)
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
        Ok(SuppressionDump::new(call, chunks))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransportError;
    use crate::testing::{Played, broken, server, told};

    const ROW: &str = r#"{"EmailAddress":"a@x.example","SuppressionReason":"HardBounce","Origin":"Recipient","CreatedAt":"2019-12-17T08:58:33-05:00"}"#;

    /// An answer whose body comes in these pieces.
    fn pieces(chunks: impl IntoIterator<Item = Result<&'static str, TransportError>>) -> Played {
        let chunks = chunks.into_iter().map(|chunk| chunk.map(|text| Bytes::from_static(text.as_bytes())));
        Ok((http::Response::builder(), chunks.collect()))
    }

    async fn rows(dump: &mut SuppressionDump) -> Result<Vec<Suppression>, ApiError> {
        let mut rows = Vec::new();
        while let Some(row) = dump.next().await? {
            rows.push(row);
        }
        Ok(rows)
    }

    #[tokio::test]
    async fn a_dump_gives_each_row_as_postmark_tells_it() {
        let odd =
            r#"{"EmailAddress":"b@x.example","SuppressionReason":null,"CreatedAt":"yesterday","New":[{}]}"#;
        let (api, script) = server([told(200, format!(r#"{{"Suppressions":[{ROW},{odd}]}}"#))]);
        let filter = SuppressionFilter { address: Some("a+b@x.example"), ..SuppressionFilter::default() };
        let mut dump = api.suppressions("out bound", filter).await.unwrap();
        let rows = rows(&mut dump).await.unwrap();
        assert_eq!(rows[0].address, "a@x.example");
        assert_eq!(
            (rows[0].reason.as_deref(), rows[0].origin.as_deref()),
            (Some("HardBounce"), Some("Recipient"))
        );
        assert_eq!(rows[0].created_at, "2019-12-17T13:58:33Z".parse().ok());
        assert_eq!((rows[1].reason.as_deref(), rows[1].created_at), (None, None));
        assert_eq!(rows[1].created_at_text, "yesterday");
        assert!(!format!("{rows:?}").contains("x.example"));
        assert_eq!(dump.rows(), 2);
        assert_eq!(
            script.lines(),
            ["GET /message-streams/out%20bound/suppressions/dump?EmailAddress=a%2Bb%40x.example"]
        );
    }

    #[tokio::test]
    async fn a_dump_that_ends_early_is_an_error_however_often_it_is_asked() {
        let whole = pieces([Ok(r#"{"Suppressions":[{"EmailAddress":"a@x.exa"#), Ok(r#"mple"},"#)]);
        let breaks = pieces([Ok(r#"{"Suppressions":[{"EmailAddress":"a@x.example"}"#), Err(broken())]);
        for (answer, words) in [(whole, "cut off after 1 rows"), (breaks, "the connection broke")] {
            let (api, script) = server([answer]);
            let mut dump = api.suppressions("outbound", SuppressionFilter::default()).await.unwrap();
            assert!(dump.next().await.unwrap().is_some());
            for _ in 0..3 {
                let error = dump.next().await.unwrap_err();
                assert!(error.to_string().contains(words), "{error}");
            }
            assert_eq!(script.calls(), 1, "a dump is not begun again behind its reader's back");
        }
    }

    #[tokio::test]
    async fn a_row_that_is_not_understood_is_an_error_that_says_which() {
        for bad in [
            r#"{"Email":"c@x.example"}"#,
            r#"{"EmailAddress":7}"#,
            r#"{"EmailAddress":"c@x.example",}"#,
            "[]",
        ] {
            let (api, _) = server([told(200, format!(r#"{{"Suppressions":[{ROW},{bad}]}}"#))]);
            let mut dump = api.suppressions("outbound", SuppressionFilter::default()).await.unwrap();
            let error = rows(&mut dump).await.unwrap_err().to_string();
            assert!(error.contains("row 2"), "{error}");
            assert!(error.contains("GET /message-streams/{}/suppressions/dump"), "{error}");
            assert!(!error.contains("x.example"), "{error}");
        }
        for other in ["<html>", r#"{"Message":"OK"}"#, r#"{"Suppressions":null}"#, ""] {
            let (api, _) = server([told(200, other)]);
            let mut dump = api.suppressions("outbound", SuppressionFilter::default()).await.unwrap();
            assert!(matches!(dump.next().await, Err(ApiError::NotUnderstood(_))), "{other}");
        }
    }

    #[tokio::test]
    async fn a_dump_is_asked_again_until_it_begins() {
        let empty = told(200, r#"{"Suppressions":[]}"#);
        let (api, script) = server([told(500, "<html>"), Err(broken()), told(429, ""), empty]);
        let mut dump = api.suppressions("outbound", SuppressionFilter::default()).await.unwrap();
        assert_eq!(dump.next().await, Ok(None));
        assert_eq!(dump.next().await, Ok(None));
        assert_eq!(script.calls(), 4);
    }

    #[tokio::test]
    async fn a_long_dump_takes_the_memory_of_one_row() {
        const ROWS: u64 = 100_000;
        let row = |number: u64| {
            let comma = if number == 0 { "{\"Suppressions\":[" } else { "," };
            Ok(Bytes::from(format!("{comma}{ROW}")))
        };
        let chunks = (0..ROWS).map(row).chain([Ok(Bytes::from_static(b"]}"))]);
        let mut dump =
            SuppressionDump::new(Call::get("/", &[]), Box::pin(futures_util::stream::iter(chunks)));
        while dump.next().await.unwrap().is_some() {}
        assert_eq!(dump.rows(), ROWS);
        assert!(dump.row.capacity() < 1024 && dump.rows.holds() < 1024);
    }

    #[tokio::test]
    async fn changes_go_out_by_fifty_and_each_address_has_its_own_outcome() {
        let answer = |count, status: &str| {
            let row = format!(
                r#"{{"EmailAddress":"a@x.example","Status":"{status}","Message":"You do not have the required authority."}}"#
            );
            told(200, format!(r#"{{"Suppressions":[{}]}}"#, vec![row; count].join(",")))
        };
        let (api, script) = server([answer(50, "Deleted"), answer(50, "Failed"), answer(1, "Deleted")]);
        let addresses: Vec<String> = (0..101).map(|number| format!("{number}@x.example")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let changed = api.unsuppress("outbound", &addresses).await.unwrap();
        assert_eq!((changed.len(), changed.iter().filter(|one| one.failed()).count()), (101, 50));
        assert_eq!(changed[50].message.as_deref(), Some("You do not have the required authority."));
        assert!(!format!("{changed:?}").contains("x.example"));
        assert_eq!(script.lines(), ["POST /message-streams/outbound/suppressions/delete"; 3]);
        assert_eq!(script.body(2), json!({"Suppressions": [{"EmailAddress": "100@x.example"}]}));
        assert_eq!(api.suppress("outbound", &[]).await, Ok(vec![]), "nothing to ask");
    }
}
