//! Whether a machine opened or clicked, by a stated rule.
//!
//! The rule looks at `UserAgent`, `Client` and `Platform`, in this order; the first that matches names itself:
//!
//! 1. `apple_privacy`: the user agent is exactly `Mozilla/5.0`, which is what Apple's Mail Privacy Protection
//!    sends when it fetches pictures ahead of any reader; or the client's name speaks of privacy protection.
//! 2. `image_proxy`: the user agent names an image proxy of a mail provider (`GoogleImageProxy`,
//!    `YahooMailProxy`, ...). A person may be behind it, but it proves no device, place or repeat.
//! 3. `scanner`: the user agent or client names a link scanner, bot (a Cubot is a telephone) or crawler.
//! 4. `script`: the user agent is that of an HTTP library or a headless browser.
//!
//! Everything else, an empty user agent included, is a person's. Both rates are kept, so a reader may choose.

use serde::Serialize;

/// Which part of the rule matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// Apple's Mail Privacy Protection.
    ApplePrivacy,
    /// A mail provider's image proxy.
    ImageProxy,
    /// A link scanner, bot or crawler.
    Scanner,
    /// An HTTP library or a headless browser.
    Script,
}

const IMAGE_PROXIES: &[&str] =
    &["googleimageproxy", "yahoomailproxy", "yahoocachesystem", "duckduckgo-privacy"];
const SCANNERS: &[&str] = &[
    "barracuda",
    "bitdefender",
    "bot",
    "cloudmark",
    "crawler",
    "fireeye",
    "forcepoint",
    "mimecast",
    "ms office existence discovery",
    "microsoft office existence discovery",
    "proofpoint",
    "safelinks",
    "scanner",
    "spider",
    "trendmicro",
    "urldefense",
    "zscaler",
];
const SCRIPTS: &[&str] = &[
    "apache-httpclient",
    "curl/",
    "go-http-client",
    "headlesschrome",
    "java/",
    "libwww-perl",
    "node-fetch",
    "okhttp",
    "phantomjs",
    "python-requests",
    "python-urllib",
    "ruby",
    "wget/",
];

/// Which part of the rule says that a machine did it, if any. `client` is Postmark's `Client.Name`,
/// `family` its `Client.Family`, `platform` its `Platform`.
pub fn machine(user_agent: &str, client: &str, family: &str, platform: &str) -> Option<Machine> {
    let agent = user_agent.trim().to_ascii_lowercase().replace("cubot", "");
    let client = format!("{client} {family}").to_ascii_lowercase();
    let named = |list: &[&str]| list.iter().any(|word| agent.contains(word) || client.contains(word));
    if agent == "mozilla/5.0" || client.contains("privacy protection") {
        Some(Machine::ApplePrivacy)
    } else if named(IMAGE_PROXIES) {
        Some(Machine::ImageProxy)
    } else if named(SCANNERS) || platform.eq_ignore_ascii_case("bot") {
        Some(Machine::Scanner)
    } else if named(SCRIPTS) {
        Some(Machine::Script)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/140.0.7339.80 Safari/537.36";

    #[test]
    fn apples_privacy_protection_is_a_machine() {
        assert_eq!(machine("Mozilla/5.0", "", "", "Unknown"), Some(Machine::ApplePrivacy));
        assert_eq!(machine("", "Apple Mail Privacy Protection", "", ""), Some(Machine::ApplePrivacy));
    }

    #[test]
    fn proxies_scanners_and_scripts_are_machines() {
        let google =
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)";
        assert_eq!(machine(google, "Gmail", "Gmail", "WebMail"), Some(Machine::ImageProxy));
        assert_eq!(machine("Barracuda Sentinel (EE)", "", "", ""), Some(Machine::Scanner));
        assert_eq!(machine(CHROME, "", "", "Bot"), Some(Machine::Scanner));
        assert_eq!(machine("python-requests/2.32", "", "", ""), Some(Machine::Script));
    }

    #[test]
    fn a_browser_and_an_unknown_agent_are_people() {
        assert_eq!(machine(CHROME, "Chrome 140.0.7339.80", "Chrome", "WebMail"), None);
        assert_eq!(machine("", "", "", "Unknown"), None);
        assert_eq!(machine("Mozilla/5.0 (Linux; Android 9; CUBOT_X19) Chrome/140.0", "", "", "Mobile"), None);
    }
}
