//! The routes: every path and method that is answered, and which role it takes.

use crate::token::Role;
use http::Method;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// The description of all this.
    OpenApi,
    /// The servers in scope.
    Servers,
    /// Adds a server.
    NewServer,
    /// The verdicts of many addresses.
    Check,
    /// What is known of a recipient.
    Recipient,
    /// What happened to a recipient.
    Timeline,
    /// What Postmark says it sent to a recipient.
    Sent,
    /// What happened to a message.
    Message,
    /// What Postmark says of a message.
    SentMessage,
    /// What is written in a message, as Postmark has it.
    Content,
    /// What Postmark says came in.
    Inbound,
    /// What happened at a server.
    Activity,
    /// Whom a stream must not mail.
    Suppressions,
    /// Counts and rates.
    Stats,
    /// Puts addresses on the list.
    Suppress,
    /// Takes a recipient off the list.
    Reactivate,
    /// Takes in a list from elsewhere.
    Import,
    /// Takes a person's data out of the ledger.
    Erase,
    /// A person's data.
    Export,
    /// What was set aside.
    Quarantine,
    /// Puts back what was set aside.
    Replay,
    /// What reconcile found.
    Completeness,
    /// Who did what.
    Audit,
    /// Replaces the server's token at Postmark.
    PostmarkToken,
    /// What Postmark keeps for the server.
    PostmarkSettings,
    /// Changes some of that.
    ChangePostmarkSettings,
    /// When soft bounces count.
    Policies,
    /// Says when soft bounces count from an instant on.
    ChangePolicy,
    /// Which pairs of keys for SMTP are kept.
    Smtp,
    /// Keeps one for a stream.
    KeepSmtp,
    /// Logs in with what is kept for it.
    CheckSmtp,
    /// Sends a test mail by it.
    TestSmtp,
    /// Forgets what is kept for it.
    RemoveSmtp,
    /// The server's webhooks at Postmark.
    Webhooks,
    /// Sets them up.
    ConnectWebhooks,
    /// Their password, for somebody who sets them up by hand.
    WebhookPassword,
    /// Moves them to a new signing key.
    RotateWebhooks,
    /// Sends one mail, to see whether its events come in.
    TestMail,
    /// The tokens.
    Tokens,
    /// Makes a token.
    NewToken,
    /// Revokes a token.
    RevokeToken,
    /// The users of the portal.
    Users,
    /// Invites users.
    InviteUsers,
    /// Changes what a user may do and see.
    ChangeUser,
    /// Removes a user.
    RemoveUser,
    /// Ends a user's sessions.
    SignOutUser,
    /// Makes a link to the portal.
    NewPortalLink,
    /// What the portal looks like.
    Branding,
    /// Says what it is to look like.
    SetBranding,
}

impl Route {
    /// All routes.
    pub const ALL: [Route; 49] = [
        Route::OpenApi,
        Route::Servers,
        Route::NewServer,
        Route::Check,
        Route::Recipient,
        Route::Timeline,
        Route::Sent,
        Route::Message,
        Route::SentMessage,
        Route::Content,
        Route::Inbound,
        Route::Activity,
        Route::Suppressions,
        Route::Stats,
        Route::Suppress,
        Route::Reactivate,
        Route::Import,
        Route::Erase,
        Route::Export,
        Route::Quarantine,
        Route::Replay,
        Route::Completeness,
        Route::Audit,
        Route::PostmarkToken,
        Route::PostmarkSettings,
        Route::ChangePostmarkSettings,
        Route::Policies,
        Route::ChangePolicy,
        Route::Smtp,
        Route::KeepSmtp,
        Route::CheckSmtp,
        Route::TestSmtp,
        Route::RemoveSmtp,
        Route::Webhooks,
        Route::ConnectWebhooks,
        Route::WebhookPassword,
        Route::RotateWebhooks,
        Route::TestMail,
        Route::Tokens,
        Route::NewToken,
        Route::RevokeToken,
        Route::Users,
        Route::InviteUsers,
        Route::ChangeUser,
        Route::RemoveUser,
        Route::SignOutUser,
        Route::NewPortalLink,
        Route::Branding,
        Route::SetBranding,
    ];

    /// Its path, with the places that vary in braces.
    pub const fn pattern(self) -> &'static str {
        match self {
            Route::OpenApi => "/v1/openapi.json",
            Route::Servers | Route::NewServer => "/v1/servers",
            Route::Check => "/v1/servers/{server}/check",
            Route::Recipient => "/v1/servers/{server}/recipients/{address}",
            Route::Timeline => "/v1/servers/{server}/recipients/{address}/timeline",
            Route::Sent => "/v1/servers/{server}/recipients/{address}/sent",
            Route::Message => "/v1/servers/{server}/messages/{message_id}",
            Route::SentMessage => "/v1/servers/{server}/messages/{message_id}/postmark",
            Route::Content => "/v1/servers/{server}/messages/{message_id}/content",
            Route::Inbound => "/v1/servers/{server}/inbound",
            Route::Activity => "/v1/servers/{server}/activity",
            Route::Suppressions => "/v1/servers/{server}/streams/{stream}/suppressions",
            Route::Stats => "/v1/servers/{server}/stats",
            Route::Suppress => "/v1/servers/{server}/suppressions",
            Route::Reactivate => "/v1/servers/{server}/recipients/{address}/reactivate",
            Route::Import => "/v1/servers/{server}/import",
            Route::Erase => "/v1/servers/{server}/recipients/{address}/erase",
            Route::Export => "/v1/servers/{server}/recipients/{address}/export",
            Route::Quarantine => "/v1/servers/{server}/quarantine",
            Route::Replay => "/v1/servers/{server}/quarantine/{key}/replay",
            Route::Completeness => "/v1/servers/{server}/completeness",
            Route::Audit => "/v1/servers/{server}/audit",
            Route::PostmarkToken => "/v1/servers/{server}/postmark-token",
            Route::PostmarkSettings | Route::ChangePostmarkSettings => {
                "/v1/servers/{server}/postmark-settings"
            }
            Route::Policies | Route::ChangePolicy => "/v1/servers/{server}/policy",
            Route::Smtp => "/v1/servers/{server}/smtp",
            Route::KeepSmtp | Route::RemoveSmtp => "/v1/servers/{server}/smtp/{stream}",
            Route::CheckSmtp => "/v1/servers/{server}/smtp/{stream}/check",
            Route::TestSmtp => "/v1/servers/{server}/smtp/{stream}/test",
            Route::Webhooks | Route::ConnectWebhooks => "/v1/servers/{server}/webhooks",
            Route::WebhookPassword => "/v1/servers/{server}/webhooks/password",
            Route::RotateWebhooks => "/v1/servers/{server}/webhooks/rotation",
            Route::TestMail => "/v1/servers/{server}/test-mail",
            Route::Tokens | Route::NewToken => "/v1/tokens",
            Route::RevokeToken => "/v1/tokens/{id}",
            Route::Users | Route::InviteUsers => "/v1/users",
            Route::ChangeUser | Route::RemoveUser => "/v1/users/{id}",
            Route::SignOutUser => "/v1/users/{id}/sessions",
            Route::NewPortalLink => "/v1/portal-links",
            Route::Branding | Route::SetBranding => "/v1/branding",
        }
    }

    /// Its method.
    pub const fn method(self) -> Method {
        match self {
            Route::Check
            | Route::Suppress
            | Route::Reactivate
            | Route::Import
            | Route::Erase
            | Route::Replay
            | Route::CheckSmtp
            | Route::TestSmtp
            | Route::ConnectWebhooks
            | Route::WebhookPassword
            | Route::RotateWebhooks
            | Route::NewServer
            | Route::TestMail
            | Route::NewToken
            | Route::InviteUsers
            | Route::NewPortalLink => Method::POST,
            Route::ChangeUser
            | Route::PostmarkToken
            | Route::ChangePostmarkSettings
            | Route::ChangePolicy
            | Route::KeepSmtp
            | Route::SetBranding => Method::PUT,
            Route::RevokeToken | Route::RemoveUser | Route::SignOutUser | Route::RemoveSmtp => Method::DELETE,
            _ => Method::GET,
        }
    }

    /// Whether it changes something about a server, or asks Postmark: what the portal's own function may not. Whoever is
    /// signed in to the portal asks for it here, by their session.
    pub const fn takes_sessions(self) -> bool {
        matches!(
            self,
            Route::Suppress
                | Route::Reactivate
                | Route::Import
                | Route::Erase
                | Route::Replay
                | Route::PostmarkToken
                | Route::PostmarkSettings
                | Route::ChangePostmarkSettings
                | Route::ChangePolicy
                | Route::KeepSmtp
                | Route::CheckSmtp
                | Route::TestSmtp
                | Route::RemoveSmtp
                | Route::NewToken
                | Route::RevokeToken
                | Route::ConnectWebhooks
                | Route::WebhookPassword
                | Route::RotateWebhooks
                | Route::NewServer
                | Route::TestMail
                | Route::Sent
                | Route::SentMessage
                | Route::Content
                | Route::Inbound
        )
    }

    /// Whether a session must have been confirmed just now for it, whatever is asked. Of what Postmark keeps, the switch of
    /// SMTP alone takes that, and that route looks itself.
    pub const fn takes_fresh_code(self) -> bool {
        matches!(
            self,
            Route::Erase
                | Route::NewServer
                | Route::PostmarkToken
                | Route::KeepSmtp
                | Route::RemoveSmtp
                | Route::NewToken
                | Route::RevokeToken
                | Route::WebhookPassword
                | Route::RotateWebhooks
        )
    }

    /// Whether it is about a server that is yet to come, so that an operator's session names none.
    pub const fn names_no_server(self) -> bool {
        matches!(self, Route::NewServer)
    }

    /// Whether it is about the portal: those who sign in to it, and whom they ask for help.
    pub const fn is_of_portal(self) -> bool {
        matches!(
            self,
            Route::Users | Route::InviteUsers | Route::ChangeUser | Route::Branding | Route::SetBranding
        )
    }

    /// The least role that it takes; `None`: anybody may ask. [`Content`](Route::Content) takes a right of its own besides.
    pub const fn role(self) -> Option<Role> {
        match self {
            Route::OpenApi => None,
            Route::Servers
            | Route::Check
            | Route::Recipient
            | Route::Timeline
            | Route::Sent
            | Route::Message
            | Route::SentMessage
            | Route::Content
            | Route::Inbound
            | Route::Activity
            | Route::Suppressions
            | Route::Stats
            | Route::Completeness
            | Route::NewPortalLink => Some(Role::Viewer),
            Route::Suppress
            | Route::Reactivate
            | Route::Import
            | Route::Erase
            | Route::Export
            | Route::Quarantine
            | Route::Replay
            | Route::Audit
            | Route::PostmarkToken
            | Route::PostmarkSettings
            | Route::ChangePostmarkSettings
            | Route::Policies
            | Route::ChangePolicy
            | Route::Smtp
            | Route::KeepSmtp
            | Route::CheckSmtp
            | Route::TestSmtp
            | Route::RemoveSmtp
            | Route::Webhooks
            | Route::ConnectWebhooks
            | Route::WebhookPassword
            | Route::TestMail
            | Route::Tokens
            | Route::NewToken
            | Route::RevokeToken
            | Route::Users
            | Route::InviteUsers
            | Route::ChangeUser
            | Route::RemoveUser
            | Route::SignOutUser => Some(Role::Admin),
            Route::NewServer | Route::Branding | Route::SetBranding => Some(Role::Operator),
            // The key is that of all servers.
            Route::RotateWebhooks => Some(Role::Operator),
        }
    }

    /// The route of a decoded path and a method, with what stands in its places.
    ///
    /// A gateway hands paths on decoded, so an address may have slashes in it: it reaches from `recipients/` to the
    /// end, or to a last segment that is a route's own.
    ///
    /// # Errors
    /// The methods that the path takes, where it is known; none where it is not.
    pub fn of(method: &Method, path: &str) -> Result<(Route, Places), Vec<Method>> {
        let here: Vec<(Route, Places)> =
            Route::ALL.into_iter().filter_map(|route| Some((route, route.places(path)?))).collect();
        // The longest pattern is the one that is meant: `…/timeline` is no part of an address.
        let longest = here.iter().map(|(route, _)| route.pattern().len()).max().unwrap_or_default();
        let mut methods = Vec::new();
        for (route, places) in here.into_iter().filter(|(route, _)| route.pattern().len() == longest) {
            if route.method() == *method {
                return Ok((route, places));
            }
            methods.push(route.method());
        }
        Err(methods)
    }

    /// What stands in the places of its pattern, if a path fits it.
    fn places(self, path: &str) -> Option<Places> {
        let mut places = Places::default();
        let mut pattern = self.pattern().split('/').skip(1).peekable();
        let mut rest = path.strip_prefix('/')?;
        while let Some(segment) = pattern.next() {
            let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
                rest = rest.strip_prefix(segment)?;
                rest = match pattern.peek() {
                    Some(_) => rest.strip_prefix('/')?,
                    None => rest,
                };
                continue;
            };
            let last = pattern.peek();
            let (value, after) = match (name, last) {
                // It may have slashes in it.
                ("address", None) => (rest, ""),
                ("address", Some(last)) => (rest.strip_suffix(last)?.strip_suffix('/')?, *last),
                (_, None) => (rest, ""),
                (_, Some(_)) => rest.split_once('/')?,
            };
            if value.is_empty() || (name != "address" && value.contains('/')) {
                return None;
            }
            match name {
                "server" => places.server = Some(value.to_owned()),
                _ => places.name = Some(value.to_owned()),
            }
            rest = after;
        }
        rest.is_empty().then_some(places)
    }
}

/// What a path has where a recipient stands, with what follows it.
pub(crate) fn recipient_in(path: &str) -> Option<&str> {
    let of_server = path.strip_prefix("/v1/servers/")?.split_once('/')?.1;
    of_server.strip_prefix("recipients/")
}

/// What stands in the places of a route's pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// In `{server}`.
    pub server: Option<String>,
    /// In the other one.
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, path: &str) -> Result<(Route, String), Vec<Method>> {
        Route::of(&method, path).map(|(route, places)| (route, places.name.unwrap_or_default()))
    }

    #[test]
    fn every_route_is_found_by_its_own_pattern_and_method() {
        for route in Route::ALL {
            let path = route.pattern().replace(['{', '}'], "");
            let (found, places) = Route::of(&route.method(), &path).unwrap();
            assert_eq!(found, route);
            assert_eq!(places.server.is_some(), route.pattern().contains("{server}"));
        }
    }

    #[test]
    fn an_address_may_have_slashes_in_it() {
        let path = |tail: &str| format!("/v1/servers/7/recipients/{tail}");
        assert_eq!(of(Method::GET, &path("a/b@x")), Ok((Route::Recipient, "a/b@x".to_owned())));
        assert_eq!(of(Method::GET, &path("a/b@x/timeline")), Ok((Route::Timeline, "a/b@x".to_owned())));
        assert_eq!(of(Method::POST, &path("/@x/erase")), Ok((Route::Erase, "/@x".to_owned())));
        assert_eq!(of(Method::GET, &path("timeline")), Ok((Route::Recipient, "timeline".to_owned())));
    }

    #[test]
    fn a_recipient_is_what_follows_its_server_and_nothing_of_another_path() {
        assert_eq!(recipient_in("/v1/servers/7/recipients/a/b@x/erase"), Some("a/b@x/erase"));
        assert_eq!(recipient_in("/v1/servers/7/recipients/"), Some(""));
        assert_eq!(recipient_in("/v1/servers/7/messages/recipients/a"), None);
        assert_eq!(recipient_in("/v1/servers/recipients/a"), None);
    }

    #[test]
    fn another_method_is_told_which_there_are_and_another_path_nothing() {
        assert_eq!(of(Method::PUT, "/v1/tokens"), Err(vec![Method::GET, Method::POST]));
        assert_eq!(of(Method::GET, "/v1/servers/7/check"), Err(vec![Method::POST]));
        for path in [
            "",
            "/",
            "/v1",
            "/v1/",
            "/v1/servers/",
            "/v1/servers/7",
            "/v1/servers/7/",
            "/v1/tokens/",
            "/v1/tokens/a/b",
            "/v1/servers//check",
            "/v1/servers/7/streams/a/b/suppressions",
            "/v1/servers/7/recipients/",
            "/v1/serversx",
        ] {
            assert_eq!(of(Method::GET, path), Err(vec![]), "{path}");
        }
    }
    #[test]
    fn every_route_is_described_with_the_role_that_it_takes_and_nothing_else_is() {
        let described: serde_json::Value = serde_json::from_str(crate::OPENAPI).unwrap();
        let mut operations = std::collections::BTreeMap::new();
        for (path, methods) in described["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let secured = operation["security"].as_array().is_none_or(|any| !any.is_empty());
                let role = operation["x-role"].as_str().map(str::to_owned);
                assert_eq!(role.is_some(), secured, "{method} {path}");
                operations.insert((path.clone(), method.to_uppercase()), role);
            }
        }
        let routes = Route::ALL.map(|route| {
            let place = (route.pattern().to_owned(), route.method().to_string());
            (place, route.role().map(|role| role.name().to_owned()))
        });
        assert_eq!(operations, routes.into());
    }
}
