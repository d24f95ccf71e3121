//! Postmark's lists by page: bounces, messages, opens, clicks; and its statistics by day.

use crate::endpoint::Call;
use crate::error::ApiError;
use crate::lenient::number;
use crate::server::ServerApi;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

/// The most rows of one page.
pub const PAGE_MAX: u32 = 500;

/// A list is walked no further than this many rows (`count` + `offset`): what lies beyond needs a shorter time.
pub const WINDOW_MAX: u32 = 10_000;

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<T> {
    /// How many rows there are on all pages.
    pub total: u64,
    /// The rows of this page.
    pub rows: Vec<T>,
}

/// Which bounces. Times as [`eastern::window`](crate::eastern::window) writes them, or days, both inclusive.
#[derive(Clone, Copy, Default)]
pub struct BounceQuery<'a> {
    /// The message stream; Postmark takes none for `outbound`, so it is always said.
    pub stream: &'a str,
    /// From this Eastern time on.
    pub from: Option<&'a str>,
    /// Up to and including this Eastern time.
    pub to: Option<&'a str>,
    /// Rows to give, up to [`PAGE_MAX`].
    pub count: u32,
    /// Rows to leave out; with `count` up to [`WINDOW_MAX`].
    pub offset: u32,
    /// Only of this type, such as `HardBounce`.
    pub type_: Option<&'a str>,
    /// Only those whose address is inactive today, or only others.
    pub inactive: Option<bool>,
    /// Only of this message.
    pub message_id: Option<&'a str>,
    /// Only of addresses that contain this.
    pub email: Option<&'a str>,
    /// Only with this tag.
    pub tag: Option<&'a str>,
}

/// Which messages. Times as [`eastern::window`](crate::eastern::window) writes them, or days, both inclusive.
#[derive(Clone, Copy, Default)]
pub struct MessageQuery<'a> {
    /// The message stream.
    pub stream: &'a str,
    /// From this Eastern time on.
    pub from: Option<&'a str>,
    /// Up to and including this Eastern time.
    pub to: Option<&'a str>,
    /// Rows to give, up to [`PAGE_MAX`].
    pub count: u32,
    /// Rows to leave out; with `count` up to [`WINDOW_MAX`].
    pub offset: u32,
    /// Only to this address.
    pub recipient: Option<&'a str>,
    /// `queued`, `sent` or `processed`.
    pub status: Option<&'a str>,
    /// Only with this tag.
    pub tag: Option<&'a str>,
}

/// Which mail that came in.
#[derive(Clone, Copy, Default)]
pub struct InboundQuery<'a> {
    /// Rows to give, up to [`PAGE_MAX`].
    pub count: u32,
    /// Rows to leave out; with `count` up to [`WINDOW_MAX`].
    pub offset: u32,
    /// `blocked`, `processed`, `queued`, `failed` or `scheduled`.
    pub status: Option<&'a str>,
}

/// Which opens or clicks. Postmark filters them by no time.
#[derive(Clone, Copy, Default)]
pub struct EngagementQuery<'a> {
    /// The message stream.
    pub stream: &'a str,
    /// Rows to give, up to [`PAGE_MAX`].
    pub count: u32,
    /// Rows to leave out; with `count` up to [`WINDOW_MAX`].
    pub offset: u32,
    /// Only of this address.
    pub recipient: Option<&'a str>,
    /// Only with this tag.
    pub tag: Option<&'a str>,
}

/// Which opens.
pub type OpenQuery<'a> = EngagementQuery<'a>;

/// Which statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stats {
    /// Everything in sums.
    Overview,
    /// Sent, by day.
    Sends,
    /// Bounces, by day and type.
    Bounces,
    /// Complaints, by day.
    Spam,
    /// Sent with open tracking, by day.
    Tracked,
    /// Opens and unique opens, by day.
    Opens,
    /// Clicks and unique clicks, by day.
    Clicks,
}

impl Stats {
    fn path(self) -> &'static str {
        match self {
            Stats::Overview => "/stats/outbound",
            Stats::Sends => "/stats/outbound/sends",
            Stats::Bounces => "/stats/outbound/bounces",
            Stats::Spam => "/stats/outbound/spam",
            Stats::Tracked => "/stats/outbound/tracked",
            Stats::Opens => "/stats/outbound/opens",
            Stats::Clicks => "/stats/outbound/clicks",
        }
    }
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "TotalCount", deserialize_with = "number")]
    total: u64,
    #[serde(
        alias = "Bounces",
        alias = "Messages",
        alias = "InboundMessages",
        alias = "Opens",
        alias = "Clicks",
        rename = "Rows"
    )]
    rows: Vec<Value>,
}

impl ServerApi {
    /// How many addresses are inactive, and bounces by type.
    pub async fn delivery_stats(&self) -> Result<Value, ApiError> {
        self.session.ask(Call::get("/deliverystats", &[])).await
    }

    /// A page of bounces, newest first.
    pub async fn bounces(&self, query: &BounceQuery<'_>) -> Result<Page<Value>, ApiError> {
        let call = paged("/bounces", &[], query.count, query.offset)
            .with("messagestream", query.stream)
            .with_some("fromdate", query.from)
            .with_some("todate", query.to)
            .with_some("type", query.type_)
            .with_some("inactive", query.inactive.map(|inactive| inactive.to_string()))
            .with_some("messageID", query.message_id)
            .with_some("emailFilter", query.email)
            .with_some("tag", query.tag);
        self.page(call).await
    }

    /// Takes a bounced address off the stream's suppression list. The bounce as it is then.
    ///
    /// # Errors
    /// See [`ApiError`]; code 1003 if Postmark does not allow it.
    pub async fn activate_bounce(&self, id: i64) -> Result<Value, ApiError> {
        #[derive(Deserialize)]
        struct Activated {
            #[serde(rename = "Bounce")]
            bounce: Value,
        }
        let call = Call::new(Method::PUT, "/bounces/{}/activate", &[&id.to_string()]);
        self.session.ask::<Activated>(call).await.map(|activated| activated.bounce)
    }

    /// A page of sent messages, newest first.
    pub async fn messages(&self, query: &MessageQuery<'_>) -> Result<Page<Value>, ApiError> {
        let call = paged("/messages/outbound", &[], query.count, query.offset)
            .with("messagestream", query.stream)
            .with_some("fromdate", query.from)
            .with_some("todate", query.to)
            .with_some("recipient", query.recipient)
            .with_some("status", query.status)
            .with_some("tag", query.tag);
        self.page(call).await
    }

    /// A message with its body and its events.
    ///
    /// # Errors
    /// See [`ApiError`]; code 701 if Postmark does not have it (any more).
    pub async fn message_details(&self, id: &str) -> Result<Value, ApiError> {
        self.session.ask(Call::get("/messages/outbound/{}/details", &[id])).await
    }

    /// A page of mail that came in, newest first.
    pub async fn inbound(&self, query: &InboundQuery<'_>) -> Result<Page<Value>, ApiError> {
        let call = paged("/messages/inbound", &[], query.count, query.offset);
        self.page(call.with_some("status", query.status)).await
    }

    /// A mail that came in, with its body, and with the reason why it was blocked.
    ///
    /// # Errors
    /// See [`ApiError`]; code 701 if Postmark does not have it (any more).
    pub async fn inbound_details(&self, id: &str) -> Result<Value, ApiError> {
        self.session.ask(Call::get("/messages/inbound/{}/details", &[id])).await
    }

    /// A page of opens: the first of each message and recipient.
    pub async fn opens(&self, query: &OpenQuery<'_>) -> Result<Page<Value>, ApiError> {
        self.page(engagement("/messages/outbound/opens", query)).await
    }

    /// A page of a message's opens.
    pub async fn message_opens(&self, id: &str, count: u32, offset: u32) -> Result<Page<Value>, ApiError> {
        self.page(paged("/messages/outbound/opens/{}", &[id], count, offset)).await
    }

    /// A page of clicks.
    pub async fn clicks(&self, query: &EngagementQuery<'_>) -> Result<Page<Value>, ApiError> {
        self.page(engagement("/messages/outbound/clicks", query)).await
    }

    /// A page of a message's clicks.
    pub async fn message_clicks(&self, id: &str, count: u32, offset: u32) -> Result<Page<Value>, ApiError> {
        self.page(paged("/messages/outbound/clicks/{}", &[id], count, offset)).await
    }

    /// Statistics of a stream, or of all, over Eastern days (`2026-11-22`), both inclusive. Days and keys without
    /// data are absent.
    ///
    /// # Errors
    /// See [`ApiError`]; code 1500 if the first day is more than a year ago.
    pub async fn stats(
        &self,
        which: Stats,
        stream: Option<&str>,
        from_day: &str,
        to_day: &str,
    ) -> Result<Value, ApiError> {
        let call = Call::get(which.path(), &[])
            .with("fromdate", from_day)
            .with("todate", to_day)
            .with_some("messagestream", stream);
        self.session.ask(call).await
    }

    async fn page(&self, call: Call) -> Result<Page<Value>, ApiError> {
        let listed: Listed = self.session.ask(call).await?;
        Ok(Page { total: listed.total, rows: listed.rows })
    }
}

fn paged(name: &'static str, parts: &[&str], count: u32, offset: u32) -> Call {
    Call::get(name, parts).with("count", count.to_string()).with("offset", offset.to_string())
}

fn engagement(name: &'static str, query: &EngagementQuery<'_>) -> Call {
    paged(name, &[], query.count, query.offset)
        .with("messagestream", query.stream)
        .with_some("recipient", query.recipient)
        .with_some("tag", query.tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{server, told};
    use serde_json::json;

    #[tokio::test]
    async fn a_page_has_its_rows_as_postmark_tells_them_and_its_total_as_number_or_text() {
        for (total, name) in [
            ("7", "Bounces"),
            (r#""7""#, "Messages"),
            ("7", "Opens"),
            (r#"" 7 ""#, "Clicks"),
            ("7", "InboundMessages"),
        ] {
            let (api, _) =
                server([told(200, format!(r#"{{"TotalCount":{total},"{name}":[{{"New":[1]}}]}}"#))]);
            let page = api.bounces(&BounceQuery::default()).await.unwrap();
            assert_eq!(page, Page { total: 7, rows: vec![json!({"New": [1]})] });
        }
        for body in
            [r#"{"Bounces":[]}"#, r#"{"TotalCount":0}"#, r#"{"TotalCount":"many","Bounces":[]}"#, "[]"]
        {
            let (api, _) = server([told(200, body)]);
            let error = api.bounces(&BounceQuery::default()).await.unwrap_err();
            assert!(matches!(error, ApiError::NotUnderstood(_)), "{body}: an empty page is not made up");
        }
    }

    #[tokio::test]
    async fn queries_name_what_they_ask_for_and_nothing_else() {
        let page = || told(200, r#"{"TotalCount":0,"Rows":[]}"#);
        let (api, script) = server((0..9).map(|_| page()));
        let bounces = BounceQuery {
            stream: "outbound",
            from: Some("2026-11-01T00:59:59"),
            to: Some("2026-11-01T02:00:00"),
            count: 500,
            offset: 9_500,
            type_: Some("HardBounce"),
            inactive: Some(true),
            ..BounceQuery::default()
        };
        api.bounces(&bounces).await.unwrap();
        api.messages(&MessageQuery {
            stream: "bulk",
            count: 1,
            recipient: Some("a+b@x.example"),
            ..MessageQuery::default()
        })
        .await
        .unwrap();
        let engagement =
            EngagementQuery { stream: "bulk", count: 2, offset: 3, ..EngagementQuery::default() };
        api.opens(&engagement).await.unwrap();
        api.clicks(&engagement).await.unwrap();
        api.message_opens("m-1", 1, 0).await.unwrap();
        api.message_clicks("m-1", 1, 0).await.unwrap();
        api.stats(Stats::Bounces, Some("bulk"), "2026-11-01", "2026-11-02").await.unwrap();
        let failed = InboundQuery { count: 50, offset: 0, status: Some("failed") };
        api.inbound(&failed).await.unwrap();
        api.inbound_details("m-1").await.unwrap();
        assert_eq!(
            script.lines(),
            [
                "GET /bounces?count=500&offset=9500&messagestream=outbound&fromdate=2026-11-01T00%3A59%3A59\
             &todate=2026-11-01T02%3A00%3A00&type=HardBounce&inactive=true",
                "GET /messages/outbound?count=1&offset=0&messagestream=bulk&recipient=a%2Bb%40x.example",
                "GET /messages/outbound/opens?count=2&offset=3&messagestream=bulk",
                "GET /messages/outbound/clicks?count=2&offset=3&messagestream=bulk",
                "GET /messages/outbound/opens/m-1?count=1&offset=0",
                "GET /messages/outbound/clicks/m-1?count=1&offset=0",
                "GET /stats/outbound/bounces?fromdate=2026-11-01&todate=2026-11-02&messagestream=bulk",
                "GET /messages/inbound?count=50&offset=0&status=failed",
                "GET /messages/inbound/m-1/details",
            ]
        );
    }

    #[tokio::test]
    async fn single_rows_stay_as_they_are() {
        let bounce = r#"{"ID":692560173,"Inactive":false}"#;
        let (api, script) = server([
            told(200, format!(r#"{{"Message":"OK","Bounce":{bounce}}}"#)),
            told(200, r#"{"MessageEvents":[]}"#),
            told(200, r#"{"InactiveMails":1,"Bounces":[]}"#),
        ]);
        assert_eq!(api.activate_bounce(692_560_173).await.unwrap()["Inactive"], false);
        api.message_details("m-1").await.unwrap();
        api.delivery_stats().await.unwrap();
        assert_eq!(
            script.lines(),
            ["PUT /bounces/692560173/activate", "GET /messages/outbound/m-1/details", "GET /deliverystats",]
        );
    }
}
