//! What Postmark keeps for a server, in words: its settings, what they are, what a change means, and what to beware of.

use crate::texts::Texts;
use answers::{COLORS, PostmarkServer, PostmarkSetting, SettingValue};

/// Something that Postmark keeps.
pub(super) struct Fact {
    pub(super) what: String,
    /// Postmark's own name of it.
    pub(super) name: &'static str,
    pub(super) is: Shown,
}

/// What something is: in words of ours, or as Postmark says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Words(String),
    Told(String),
}

impl Shown {
    /// It, where both are told alike.
    pub(super) fn text(self) -> String {
        match self {
            Shown::Words(text) | Shown::Told(text) => text,
        }
    }
}

/// A setting as it is called.
pub(super) fn label(t: Texts, setting: PostmarkSetting) -> String {
    match setting {
        PostmarkSetting::Name => t.keeps_name(),
        PostmarkSetting::Color => t.keeps_color(),
        PostmarkSetting::TrackOpens => t.keeps_opens(),
        PostmarkSetting::TrackLinks => t.keeps_links(),
        PostmarkSetting::SmtpApiActivated => t.keeps_smtp(),
    }
}

/// What a setting is, as a form sends it. Postmark writes colours in upper or lower case.
pub(super) fn word(setting: PostmarkSetting, value: &SettingValue) -> String {
    let text = value.to_string();
    let color = COLORS.into_iter().find(|color| color.eq_ignore_ascii_case(&text));
    match color.filter(|_| setting == PostmarkSetting::Color) {
        Some(color) => color.to_owned(),
        None => text,
    }
}

/// What a setting is, from how a form sends it; nothing where Postmark does not say.
pub(super) fn shown(t: Texts, setting: PostmarkSetting, word: Option<&str>) -> Shown {
    let Some(word) = word else { return Shown::Words(t.keeps_untold()) };
    let words = match (setting, word) {
        (PostmarkSetting::Color, color) => colour(t, color),
        (PostmarkSetting::TrackLinks, "None") => Some(t.keeps_links_none()),
        (PostmarkSetting::TrackLinks, "HtmlAndText") => Some(t.keeps_links_both()),
        (PostmarkSetting::TrackLinks, "HtmlOnly") => Some(t.keeps_links_html()),
        (PostmarkSetting::TrackLinks, "TextOnly") => Some(t.keeps_links_text()),
        (PostmarkSetting::TrackOpens | PostmarkSetting::SmtpApiActivated, _) => Some(switch(t, word == "on")),
        _ => None,
    };
    words.map_or_else(|| Shown::Told(word.to_owned()), Shown::Words)
}

fn colour(t: Texts, word: &str) -> Option<String> {
    Some(match word {
        "purple" => t.keeps_purple(),
        "blue" => t.keeps_blue(),
        "turquoise" => t.keeps_turquoise(),
        "green" => t.keeps_green(),
        "red" => t.keeps_red(),
        "yellow" => t.keeps_yellow(),
        "grey" => t.keeps_grey(),
        "orange" => t.keeps_orange(),
        _ => return None,
    })
}

fn switch(t: Texts, on: bool) -> String {
    if on { t.keeps_on() } else { t.keeps_off() }
}

/// What a change means from now on.
pub(super) fn means(t: Texts, setting: PostmarkSetting, after: &SettingValue) -> String {
    match (setting, word(setting, after).as_str()) {
        (PostmarkSetting::Name, _) => t.keeps_means_name(),
        (PostmarkSetting::Color, _) => t.keeps_means_color(),
        (PostmarkSetting::TrackOpens, "on") => t.keeps_means_opens_on(),
        (PostmarkSetting::TrackOpens, _) => t.keeps_means_opens_off(),
        (PostmarkSetting::TrackLinks, "None") => t.keeps_means_links_none(),
        (PostmarkSetting::TrackLinks, parts) => t.keeps_means_links(shown(t, setting, Some(parts)).text()),
        (PostmarkSetting::SmtpApiActivated, "on") => t.keeps_means_smtp_on(),
        (PostmarkSetting::SmtpApiActivated, _) => t.keeps_means_smtp_off(),
    }
}

/// What works against what is recorded.
pub(super) fn warning(t: Texts, code: &str, setting: &str) -> String {
    match code {
        "legacy_hook" => t.keeps_warns_legacy(setting),
        "first_open_only" => t.keeps_warns_first_open(),
        "sandbox" => t.keeps_warns_sandbox(),
        _ => t.keeps_warns_other(setting),
    }
}

/// All that Postmark keeps.
pub(super) fn facts(t: Texts, kept: PostmarkServer) -> Vec<Fact> {
    let of = |setting: PostmarkSetting| {
        let word = kept.setting(setting).map(|value| word(setting, &value));
        Fact { what: label(t, setting), name: setting.name(), is: shown(t, setting, word.as_deref()) }
    };
    let mut facts: Vec<Fact> = PostmarkSetting::ALL.into_iter().map(of).collect();
    let delivery = match kept.delivery_type {
        None => Shown::Words(t.keeps_untold()),
        Some(kind) if kind.eq_ignore_ascii_case("Live") => Shown::Words(t.keeps_live()),
        Some(kind) if kind.eq_ignore_ascii_case("Sandbox") => Shown::Words(t.keeps_sandbox()),
        Some(other) => Shown::Told(other),
    };
    let set = |told: Option<String>| match told {
        None => Shown::Words(t.keeps_none()),
        Some(told) if told == "unreadable" => Shown::Words(t.keeps_unreadable()),
        Some(told) => Shown::Told(told),
    };
    let flag = |on: Option<bool>| Shown::Words(on.map_or_else(|| t.keeps_untold(), |on| switch(t, on)));
    let score = kept.inbound_spam_threshold.map(|score| score.to_string());
    let more = [
        (t.keeps_delivery(), "DeliveryType", delivery),
        (t.keeps_link(), "ServerLink", set(kept.server_link)),
        (t.keeps_bounce_hook(), "BounceHookUrl", set(kept.bounce_hook_url)),
        (t.keeps_open_hook(), "OpenHookUrl", set(kept.open_hook_url)),
        (t.keeps_delivery_hook(), "DeliveryHookUrl", set(kept.delivery_hook_url)),
        (t.keeps_click_hook(), "ClickHookUrl", set(kept.click_hook_url)),
        (t.keeps_first_open(), "PostFirstOpenOnly", flag(kept.post_first_open_only)),
        (t.keeps_bounce_content(), "IncludeBounceContentInHook", flag(kept.include_bounce_content_in_hook)),
        (t.keeps_smtp_errors(), "EnableSmtpApiErrorHooks", flag(kept.enable_smtp_api_error_hooks)),
        (t.keeps_inbound_hook(), "InboundHookUrl", set(kept.inbound_hook_url)),
        (t.keeps_inbound_domain(), "InboundDomain", set(kept.inbound_domain)),
        (t.keeps_spam(), "InboundSpamThreshold", set(score)),
        (t.keeps_raw(), "RawEmailEnabled", flag(kept.raw_email_enabled)),
    ];
    facts.extend(more.into_iter().map(|(what, name, is)| Fact { what, name, is }));
    facts
}
