//! Servers and their message streams.

use crate::hook::Legacy;
use crate::model::TrackLinks;
use crate::suppress::List;
use crate::{Simulator, Time};
use serde_json::Value;
use std::sync::Arc;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "Postmark's own names")]
pub enum StreamKind {
    Transactional,
    Broadcasts,
    Inbound,
}

impl StreamKind {
    /// As in `MessageStreamType`.
    pub fn name(self) -> &'static str {
        match self {
            StreamKind::Transactional => "Transactional",
            StreamKind::Broadcasts => "Broadcasts",
            StreamKind::Inbound => "Inbound",
        }
    }

    pub(crate) fn named(name: &str) -> Option<StreamKind> {
        [StreamKind::Transactional, StreamKind::Broadcasts, StreamKind::Inbound]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// Who takes unsubscribes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    None,
    Postmark,
    Custom,
}

impl Handling {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Handling::None => "None",
            Handling::Postmark => "Postmark",
            Handling::Custom => "Custom",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Handling> {
        [Handling::None, Handling::Postmark, Handling::Custom]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// A server that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewServer {
    /// Postmark's number of it.
    pub id: u64,
    /// Its server token.
    pub token: String,
}

pub(crate) struct Server {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) tokens: Vec<String>,
    pub(crate) color: String,
    pub(crate) sandbox: bool,
    pub(crate) track_opens: bool,
    pub(crate) track_links: TrackLinks,
    pub(crate) first_open_only: bool,
    pub(crate) include_content: bool,
    pub(crate) smtp_api_activated: bool,
    pub(crate) smtp_api_errors: bool,
    pub(crate) raw_email: bool,
    pub(crate) inbound_hook_url: String,
    pub(crate) inbound_domain: String,
    pub(crate) inbound_spam_threshold: u64,
    pub(crate) legacy: Legacy,
    pub(crate) streams: Vec<u16>,
    pub(crate) templates: Vec<Template>,
    pub(crate) deleted: bool,
}

/// A template. It is kept and listed; nothing is rendered.
pub(crate) struct Template {
    pub(crate) id: u64,
    pub(crate) active: bool,
    /// What was posted: Name, Subject, HtmlBody and so on.
    pub(crate) fields: serde_json::Map<String, Value>,
}

impl Template {
    pub(crate) fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }
}

pub(crate) struct Stream {
    pub(crate) server: u16,
    pub(crate) id: Arc<str>,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) kind: StreamKind,
    pub(crate) handling: Handling,
    pub(crate) created: Time,
    pub(crate) updated: Option<Time>,
    pub(crate) archived: Option<Time>,
    pub(crate) list: List,
    pub(crate) hooks: Vec<u32>,
    /// In the order of time, as all that follows: messages, and events of bounces, first opens and clicks.
    pub(crate) messages: Vec<u32>,
    pub(crate) bounces: Vec<u32>,
    pub(crate) opens: Vec<u32>,
    pub(crate) clicks: Vec<u32>,
}

impl Simulator {
    /// Makes a server with the streams `outbound`, `inbound` and `broadcast`.
    pub fn add_server(&mut self, name: &str) -> NewServer {
        let id = 8_000_000 + self.draw_number(1_000) + self.servers.len() as u64 * 1_000;
        let token = self.draw_uuid();
        let index = self.servers.len();
        self.servers.push(Server {
            id,
            name: name.to_owned(),
            tokens: vec![token.clone()],
            color: "purple".to_owned(),
            sandbox: false,
            track_opens: false,
            track_links: TrackLinks::None,
            first_open_only: false,
            include_content: false,
            smtp_api_activated: true,
            smtp_api_errors: false,
            raw_email: false,
            inbound_hook_url: String::new(),
            inbound_domain: String::new(),
            inbound_spam_threshold: 0,
            legacy: Legacy::default(),
            streams: Vec::new(),
            templates: Vec::new(),
            deleted: false,
        });
        self.tokens.insert(token.to_ascii_lowercase(), index);
        self.push_stream(index, "outbound", "Default Transactional Stream", StreamKind::Transactional);
        self.push_stream(index, "inbound", "Default Inbound Stream", StreamKind::Inbound);
        self.push_stream(index, "broadcast", "Default Broadcast Stream", StreamKind::Broadcasts);
        NewServer { id, token }
    }

    /// Makes a stream of a server, whatever Postmark's API would say to its id. `false` when there is no such server.
    pub fn add_stream(&mut self, server: u64, id: &str, kind: StreamKind) -> bool {
        let Some(server) = self.server_index(server) else { return false };
        self.push_stream(server, id, id, kind);
        true
    }

    pub(crate) fn push_stream(&mut self, server: usize, id: &str, name: &str, kind: StreamKind) -> u16 {
        let index = u16::try_from(self.streams.len()).unwrap_or(u16::MAX);
        self.streams.push(Stream {
            server: u16::try_from(server).unwrap_or(u16::MAX),
            id: Arc::from(id),
            name: name.to_owned(),
            description: String::new(),
            kind,
            handling: if kind == StreamKind::Broadcasts { Handling::Postmark } else { Handling::None },
            created: self.now,
            updated: None,
            archived: None,
            list: List::default(),
            hooks: Vec::new(),
            messages: Vec::new(),
            bounces: Vec::new(),
            opens: Vec::new(),
            clicks: Vec::new(),
        });
        self.servers[server].streams.push(index);
        self.spread_legacy_hooks(server);
        index
    }

    /// Servers that are there: id, name, first token.
    pub fn servers(&self) -> impl Iterator<Item = (u64, &str, &str)> {
        self.servers
            .iter()
            .filter(|server| !server.deleted)
            .map(|server| (server.id, server.name.as_str(), server.tokens.first().map_or("", String::as_str)))
    }

    pub(crate) fn server_index(&self, id: u64) -> Option<usize> {
        self.servers.iter().position(|server| server.id == id && !server.deleted)
    }

    pub(crate) fn stream_index(&self, server: usize, id: &str) -> Option<u16> {
        let of = &self.servers[server].streams;
        of.iter().copied().find(|stream| self.stream(*stream).id.eq_ignore_ascii_case(id))
    }

    /// A stream by its server's number and its id.
    pub(crate) fn stream_of(&self, server: u64, id: &str) -> Option<u16> {
        self.stream_index(self.server_index(server)?, id)
    }

    pub(crate) fn stream(&self, index: u16) -> &Stream {
        &self.streams[usize::from(index)]
    }

    pub(crate) fn stream_mut(&mut self, index: u16) -> &mut Stream {
        &mut self.streams[usize::from(index)]
    }

    pub(crate) fn server_of(&self, stream: u16) -> &Server {
        &self.servers[usize::from(self.stream(stream).server)]
    }
}
