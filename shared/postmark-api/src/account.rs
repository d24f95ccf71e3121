//! [`AccountApi`]: what an account's token opens.

use crate::endpoint::{Call, Endpoint, Session};
use crate::error::ApiError;
use crate::lenient::number;
use crate::lists::PAGE_MAX;
use crate::token::Token;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

/// What an account's token opens: its servers, with their tokens.
#[derive(Clone)]
pub struct AccountApi {
    session: Session,
}

/// A server of an account. It has no `Debug`, since it has its tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountServer {
    /// Postmark's number of the server.
    pub id: i64,
    /// Its name, as its owner chose it.
    pub name: String,
    /// `Live` or `Sandbox`; empty where Postmark does not tell.
    pub delivery_type: String,
    /// Its API tokens.
    pub tokens: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Servers {
    #[serde(deserialize_with = "number")]
    total_count: u64,
    servers: Vec<ServerRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServerRow {
    #[serde(rename = "ID")]
    id: i64,
    name: String,
    delivery_type: Option<String>,
    api_tokens: Option<Vec<String>>,
}

impl Endpoint {
    /// What an account's token opens.
    pub fn account(&self, token: Token) -> AccountApi {
        AccountApi { session: self.session("X-Postmark-Account-Token", token) }
    }
}

impl AccountApi {
    /// All servers of the account, through all pages.
    pub async fn servers(&self) -> Result<Vec<AccountServer>, ApiError> {
        let mut servers = Vec::new();
        loop {
            let call = Call::get("/servers", &[])
                .with("count", PAGE_MAX.to_string())
                .with("offset", servers.len().to_string());
            let page: Servers = self.session.ask(call).await?;
            let empty = page.servers.is_empty();
            servers.extend(page.servers.into_iter().map(|row| AccountServer {
                id: row.id,
                name: row.name,
                delivery_type: row.delivery_type.unwrap_or_default(),
                tokens: row.api_tokens.iter().flatten().filter_map(|text| Token::new(text).ok()).collect(),
            }));
            if empty || servers.len() as u64 >= page.total_count {
                return Ok(servers);
            }
        }
    }

    /// Changes a server; what is not named stays. What Postmark answers has the server's tokens in it and is dropped.
    pub async fn edit_server(&self, id: i64, change: &Value) -> Result<(), ApiError> {
        let call = Call::new(Method::PUT, "/servers/{}", &[&id.to_string()]).body(change);
        self.session.ask::<serde::de::IgnoredAny>(call).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, endpoint, told};
    use serde_json::json;

    #[tokio::test]
    async fn an_accounts_servers_come_from_all_pages() {
        let page = |ids: std::ops::Range<u32>, total: &str| {
            let rows: Vec<_> = ids
                .map(|id| json!({"ID": id, "Name": "n", "ApiTokens": ["5ecret"], "DeliveryType": "Live"}))
                .collect();
            told(200, format!(r#"{{"TotalCount":{total},"Servers":{}}}"#, json!(rows)))
        };
        for (last, total) in [(page(500..501, "501"), r#""501""#), (page(0..0, "502"), "502")] {
            let script = Script::of([page(0..500, total), last]);
            let account = endpoint(script.clone()).account(Token::new("acc0unt").unwrap());
            let servers = account.servers().await.unwrap();
            assert!(servers.len() >= 500 && servers[499].id == 499);
            assert!(servers[0].tokens[0].reveal() == "5ecret" && servers[0].delivery_type == "Live");
            assert_eq!(
                script.lines(),
                ["GET /servers?count=500&offset=0", "GET /servers?count=500&offset=500"]
            );
        }
    }

    #[tokio::test]
    async fn a_server_of_an_account_is_changed_by_its_number() {
        let script = Script::of([told(200, r#"{"ID":7,"ApiTokens":["5ecret"]}"#)]);
        let account = endpoint(script.clone()).account(Token::new("acc0unt").unwrap());
        assert_eq!(account.edit_server(7, &json!({"OpenHookUrl": ""})).await, Ok(()));
        assert_eq!(script.lines(), ["PUT /servers/7"]);
    }
}
