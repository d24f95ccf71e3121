//! The Servers API of the account and the Server API of a server.

use super::{ApiBody, Call, Refusal, Reply, field, flag_of, text_of};
use crate::Simulator;
use crate::hook::Target;
use crate::json::Json;
use crate::model::TrackLinks;
use http::Response;
use serde_json::{Map, Value};

const COLORS: [&str; 8] = ["purple", "blue", "turquoise", "green", "red", "yellow", "grey", "orange"];

impl Simulator {
    fn server_fields(&self, json: &mut Json, index: usize) {
        let server = &self.servers[index];
        let hash = server.tokens.first().map_or("", String::as_str).replace('-', "");
        json.number("ID", server.id);
        json.text("Name", &server.name);
        json.texts("ApiTokens", server.tokens.iter().map(String::as_str));
        json.text("Color", &server.color);
        json.truth("SmtpApiActivated", server.smtp_api_activated);
        json.truth("RawEmailEnabled", server.raw_email);
        json.text("DeliveryType", if server.sandbox { "Sandbox" } else { "Live" });
        json.text("ServerLink", &format!("https://account.postmarkapp.com/servers/{}/streams", server.id));
        json.text("InboundAddress", &format!("{hash}@inbound.postmarkapp.com"));
        json.text("InboundHookUrl", &server.inbound_hook_url);
        json.text("BounceHookUrl", &server.legacy.bounce);
        json.text("OpenHookUrl", &server.legacy.open);
        json.text("DeliveryHookUrl", &server.legacy.delivery);
        json.truth("PostFirstOpenOnly", server.first_open_only);
        json.text("InboundDomain", &server.inbound_domain);
        json.text("InboundHash", &hash);
        json.number("InboundSpamThreshold", server.inbound_spam_threshold);
        json.truth("TrackOpens", server.track_opens);
        json.text("TrackLinks", server.track_links.name());
        json.truth("IncludeBounceContentInHook", server.include_content);
        json.text("ClickHookUrl", &server.legacy.click);
        json.truth("EnableSmtpApiErrorHooks", server.smtp_api_errors);
    }

    pub(super) fn get_server(&self, index: usize) -> Response<ApiBody> {
        let mut json = Json::object();
        self.server_fields(&mut json, index);
        ApiBody::json(json.end())
    }

    pub(super) fn server_by_id(&self, id: &str) -> Result<usize, Refusal> {
        let index = id.parse().ok().and_then(|id| self.server_index(id));
        index.ok_or_else(|| Refusal::business(602, "The server was not found."))
    }

    pub(super) fn list_servers(&mut self, call: &Call) -> Reply {
        let number = |name: &str| {
            call.parameter(name).and_then(|text| text.parse::<usize>().ok()).ok_or_else(|| {
                Refusal::business(600, format!("Parameter '{name}' is required and must be a number."))
            })
        };
        let (count, offset) = (number("count")?, number("offset")?);
        if count > 500 {
            return Err(Refusal::business(600, "Parameter 'count' must be between 1 and 500."));
        }
        let part = call.parameter("name").unwrap_or("").to_lowercase();
        let found: Vec<usize> = (0..self.servers.len())
            .filter(|index| !self.servers[*index].deleted)
            .filter(|index| self.servers[*index].name.to_lowercase().contains(&part))
            .collect();
        let mut json = Json::object();
        json.number("TotalCount", found.len() as u64);
        json.objects("Servers", found.iter().skip(offset).take(count), |json, index| {
            self.server_fields(json, *index);
        });
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn create_server(&mut self, call: &Call) -> Reply {
        let body = call.object(402)?;
        let name = text_of(&body, "Name");
        if name.is_empty() {
            return Err(Refusal::business(601, "The server's 'Name' is required."));
        }
        self.check_server(&body, None)?;
        let made = self.add_server(name);
        let Some(index) = self.server_index(made.id) else {
            return Err(Refusal::new(500, 101, "The server was not made."));
        };
        self.servers[index].sandbox = text_of(&body, "DeliveryType").eq_ignore_ascii_case("Sandbox");
        self.apply_server(&body, index);
        Ok(self.get_server(index))
    }

    pub(super) fn edit_server(&mut self, call: &Call, index: usize) -> Reply {
        let body = call.object(402)?;
        self.check_server(&body, Some(index))?;
        self.apply_server(&body, index);
        Ok(self.get_server(index))
    }

    pub(super) fn delete_server(&mut self, id: &str) -> Reply {
        let index = self.server_by_id(id)?;
        if !self.config.servers_deletable {
            return Err(Refusal::business(604, "Deleting servers is not enabled for this account."));
        }
        self.servers[index].deleted = true;
        for hook in &mut self.hooks {
            if usize::from(self.streams[usize::from(hook.stream)].server) == index {
                hook.deleted = true;
            }
        }
        let name = &self.servers[index].name;
        Ok(ApiBody::json(super::error_json(0, &format!("Server {name} removed."))))
    }

    fn check_server(&self, body: &Map<String, Value>, index: Option<usize>) -> Result<(), Refusal> {
        let name = text_of(body, "Name");
        let taken = self.servers.iter().enumerate().any(|(at, server)| {
            Some(at) != index && !server.deleted && server.name.eq_ignore_ascii_case(name)
        });
        if !name.is_empty() && taken {
            return Err(Refusal::business(603, "This server's name is taken."));
        }
        if field(body, "DeliveryType").is_some() && index.is_some() {
            return Err(Refusal::business(613, "A server's 'DeliveryType' cannot be changed."));
        }
        for key in ["BounceHookUrl", "OpenHookUrl", "DeliveryHookUrl", "ClickHookUrl", "InboundHookUrl"] {
            let url = text_of(body, key);
            if !url.is_empty() && Target::parse(url).is_none() {
                return Err(Refusal::business(606, format!("The URL of '{key}' is not valid.")));
            }
        }
        let color = text_of(body, "Color");
        if !color.is_empty() && !COLORS.iter().any(|one| one.eq_ignore_ascii_case(color)) {
            return Err(Refusal::business(608, "The server's 'Color' is not valid."));
        }
        if let Some(kind) = field(body, "TrackLinks").and_then(Value::as_str)
            && TrackLinks::named(kind).is_none()
        {
            return Err(Refusal::business(611, "The server's 'TrackLinks' is not valid."));
        }
        let threshold = field(body, "InboundSpamThreshold").and_then(Value::as_u64).unwrap_or(0);
        if threshold > 30 {
            return Err(Refusal::business(610, "The 'InboundSpamThreshold' must be between 0 and 30."));
        }
        Ok(())
    }

    fn apply_server(&mut self, body: &Map<String, Value>, index: usize) {
        let server = &mut self.servers[index];
        for (key, of) in [
            ("Name", &mut server.name),
            ("Color", &mut server.color),
            ("InboundHookUrl", &mut server.inbound_hook_url),
            ("InboundDomain", &mut server.inbound_domain),
            ("BounceHookUrl", &mut server.legacy.bounce),
            ("OpenHookUrl", &mut server.legacy.open),
            ("DeliveryHookUrl", &mut server.legacy.delivery),
            ("ClickHookUrl", &mut server.legacy.click),
        ] {
            if let Some(text) = field(body, key).and_then(Value::as_str) {
                text.clone_into(of);
            }
        }
        for (key, of) in [
            ("SmtpApiActivated", &mut server.smtp_api_activated),
            ("RawEmailEnabled", &mut server.raw_email),
            ("PostFirstOpenOnly", &mut server.first_open_only),
            ("TrackOpens", &mut server.track_opens),
            ("IncludeBounceContentInHook", &mut server.include_content),
            ("EnableSmtpApiErrorHooks", &mut server.smtp_api_errors),
        ] {
            if let Some(flag) = flag_of(body, key) {
                *of = flag;
            }
        }
        if let Some(kind) = field(body, "TrackLinks").and_then(Value::as_str).and_then(TrackLinks::named) {
            server.track_links = kind;
        }
        if let Some(threshold) = field(body, "InboundSpamThreshold").and_then(Value::as_u64) {
            server.inbound_spam_threshold = threshold;
        }
        self.spread_legacy_hooks(index);
    }
}
