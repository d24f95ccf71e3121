//! The arguments of `server postmark-settings`.

use super::Server;
use super::api::Access;
use answers::{COLORS, NewPostmarkSettings, TRACK_LINKS};
use clap::Args;
use std::str::FromStr;

/// `server postmark-settings`.
#[derive(Debug, Args)]
pub struct ServerPostmarkSettings {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// What to change, once for each setting: `name=TEXT`, `color=purple` (or blue, turquoise, green, red, yellow, grey,
    /// orange), `track-opens=on|off`, `track-links=none|both|html|text`, `smtp=on|off`.
    #[arg(long, value_name = "SETTING=VALUE")]
    pub set: Vec<Set>,
    /// Only show what each change would mean.
    #[arg(long, requires = "set")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}

/// A setting, and what it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// What the server is called.
    Name(String),
    /// The colour.
    Color(&'static str),
    /// Whether opens are tracked.
    TrackOpens(bool),
    /// Where links are tracked, in Postmark's word.
    TrackLinks(&'static str),
    /// Whether it takes mail by SMTP.
    Smtp(bool),
}

impl FromStr for Set {
    type Err = String;

    fn from_str(text: &str) -> Result<Set, String> {
        let (name, value) = text.split_once('=').ok_or("expected SETTING=VALUE, such as track-opens=on")?;
        let switch = || match value {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(format!("{name}: expected on or off")),
        };
        match name {
            "name" => Ok(Set::Name(value.to_owned())),
            "color" => {
                let color = COLORS.into_iter().find(|color| color.eq_ignore_ascii_case(value));
                color.map(Set::Color).ok_or_else(|| format!("color: expected one of {}", COLORS.join(", ")))
            }
            "track-opens" => switch().map(Set::TrackOpens),
            "track-links" => {
                let place = ["none", "both", "html", "text"].iter().position(|word| *word == value);
                let word = place.map(|place| Set::TrackLinks(TRACK_LINKS[place]));
                word.ok_or_else(|| "track-links: expected none, both, html or text".to_owned())
            }
            "smtp" => switch().map(Set::Smtp),
            _ => Err("expected name, color, track-opens, track-links or smtp before the =".to_owned()),
        }
    }
}

/// All of them as the API takes them; of two for one setting the last counts.
pub fn together(all: &[Set]) -> NewPostmarkSettings {
    let mut set = NewPostmarkSettings::default();
    for one in all {
        match one {
            Set::Name(name) => set.name = Some(name.clone()),
            Set::Color(color) => set.color = Some((*color).to_owned()),
            Set::TrackOpens(on) => set.track_opens = Some(*on),
            Set::TrackLinks(parts) => set.track_links = Some((*parts).to_owned()),
            Set::Smtp(on) => set.smtp_api_activated = Some(*on),
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_by_their_short_names_and_sent_in_postmarks_words() {
        let read = |all: &[&str]| -> Result<NewPostmarkSettings, String> {
            Ok(together(&all.iter().map(|one| one.parse()).collect::<Result<Vec<Set>, _>>()?))
        };
        let set =
            read(&["name=Bo = Co", "color=Red", "track-opens=off", "track-links=both", "smtp=on"]).unwrap();
        let sent = serde_json::json!({
            "Name": "Bo = Co", "Color": "red", "TrackOpens": false, "TrackLinks": "HtmlAndText", "SmtpApiActivated": true,
        });
        assert_eq!(serde_json::to_value(set).unwrap(), sent);
        for (word, of_postmark) in [("none", "None"), ("html", "HtmlOnly"), ("text", "TextOnly")] {
            let set = read(&[&format!("track-links={word}")]).unwrap();
            assert_eq!(set.track_links.as_deref(), Some(of_postmark));
        }
        for wrong in
            ["", "smtp", "smtp=", "smtp=yes", "color=pink", "track-links=all", "OpenHookUrl=x", "=on"]
        {
            assert!(read(&[wrong]).is_err(), "{wrong}");
        }
    }
}
