//! What a plan warns of: what a person must know or do, since it is not ours to change.

use super::{ROWS_MAX, host, place, reaches_us};
use crate::finding::Finding;
use ledger::ServerId;
use postmark_api::{ServerInfo, Webhook};

/// Hooks of the server itself, from before there were webhooks by stream.
pub(super) fn legacy(server: ServerId, base: &str, info: &ServerInfo) -> Vec<Finding> {
    let hooks = info.legacy_hooks.iter().filter(|(_, url)| reaches_us(url, base));
    hooks
        .map(|(name, _)| Finding {
            server,
            stream: None,
            code: "legacy_hook",
            words: format!("the server's own {name} leads to our doors too: its events come in twice"),
            next: format!(
                "empty {name} in the server's settings at Postmark; what came in twice counts once"
            ),
        })
        .collect()
}

/// Whether a row that is not ours brings our doors what our rows bring, or what another Postledger's do.
pub(super) fn doubling(server: ServerId, base: &str, webhook: &Webhook) -> Option<Finding> {
    let path = place(&webhook.url);
    let other = format!("{path}/").contains(&format!("/v1/{server}/"));
    let (code, words, next) = if reaches_us(&webhook.url, base) {
        (
            "foreign_row_reaches_us",
            "leads to our doors, but not to this server's part of them",
            "remove it at Postmark, unless you know what it is for: its events come in twice, or in vain",
        )
    } else if other {
        (
            "other_postledger",
            "leads to a Postledger at another address",
            "if that is this stack's former address, remove it there by `postledger connect --remove --doors URL`",
        )
    } else {
        return None;
    };
    Some(Finding {
        server,
        stream: Some(webhook.stream.clone()),
        code,
        words: format!("webhook {} ({}) {words}", webhook.id, host(&webhook.url)),
        next: next.to_owned(),
    })
}

/// Others leave too little room for one of ours for each type.
pub(super) fn crowded(server: ServerId, stream: &str, free: usize) -> Finding {
    Finding {
        server,
        stream: Some(stream.to_owned()),
        code: "stream_crowded",
        words: format!(
            "others leave {free} of the stream's {ROWS_MAX} webhooks: ours is one for all event types"
        ),
        next: "remove webhooks that nobody needs at Postmark, then connect again for one for each type"
            .to_owned(),
    }
}

/// Others leave no room.
pub(super) fn full(server: ServerId, stream: &str) -> Finding {
    Finding {
        server,
        stream: Some(stream.to_owned()),
        code: "stream_full",
        words: format!("others have all {ROWS_MAX} webhooks of the stream: there is no room for ours"),
        next: "remove one that nobody needs at Postmark, then connect again".to_owned(),
    }
}
