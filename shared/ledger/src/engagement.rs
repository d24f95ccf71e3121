//! Whether a machine opened or clicked, by a stated rule.
//!
//! The rule looks at `UserAgent`, then at the name and family of Postmark's `Client`, then at its `Platform`. The first
//! part that matches names itself:
//!
//! 1. `apple_privacy`: the user agent is exactly `Mozilla/5.0`, which is what Apple's Mail Privacy Protection sends when
//!    it fetches pictures ahead of any reader; or the client's name speaks of privacy protection.
//! 2. `image_proxy`: a mail provider's own machine fetches. A word ends in `proxy` (`GoogleImageProxy`,
//!    `YahooMailProxy`), or a second `Mozilla/5.0` stands at the end, as Gmail's does. A person may be behind it, but it
//!    proves no device, place or repeat.
//! 3. `crawler`: a text of the list [`crawlers`](self#the-list) is in it; or a word ends in `bot`, `crawler` or
//!    `spider`; or it links to a page about its operator (`+http`).
//! 4. `scanner`: it names a product that looks at links and attachments before a reader does; or it is no browser's,
//!    and a word ends in `checker`, `fetcher`, `monitor`, `scanner`, `scraper` or `validator`.
//! 5. `script`: it names a browser without a window; or it is no browser's, and its first word is the name of an HTTP
//!    library or `http` stands in it. A browser's begins with `Mozilla/` or `Opera/`.
//!
//! What a user agent says of the device is not looked at: comments that speak of Android or a build hold names of
//! telephones (Cubot, *ruby*) and numbers. Everything else, an empty user agent included, is a person's. A machine that
//! sends what a plain browser sends cannot be distinguished from one. Both rates are kept, so a reader may choose.
//!
//! # The list
//!
//! `crawlers/crawlers.txt` is taken from crawler-user-agents, a project that many keep, by `crawlers/update.py`.
//! It is compared as it is written, capitals and all.
//!
//! # What is recorded
//!
//! The answer is recorded with an event. It is no part of what an event or a copy is, so that a better list changes
//! nothing that is recorded and no counter, and a rebuild makes of it what it was.

use serde::Serialize;
use std::sync::LazyLock;

/// Which part of the rule matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// Apple's Mail Privacy Protection.
    ApplePrivacy,
    /// A mail provider's image proxy.
    ImageProxy,
    /// A crawler, preview, monitor or feed reader.
    Crawler,
    /// A scanner of links.
    Scanner,
    /// An HTTP library or a browser without a window.
    Script,
}

/// Image proxies whose names do not end in `proxy`.
const IMAGE_PROXIES: &[&str] = &["duckduckgo-privacy", "yahoocachesystem"];
/// Products that look at links and attachments before a reader does.
const SCANNERS: &[&str] = &[
    "barracuda",
    "bitdefender",
    "cloudmark",
    "fireeye",
    "forcepoint",
    "mimecast",
    "office existence discovery",
    "proofpoint",
    "safelinks",
    "trendmicro",
    "urldefense",
    "zscaler",
];
/// Browsers without a window, and what drives them.
const WINDOWLESS: &[&str] =
    &["cypress", "headlesschrome", "phantomjs", "playwright", "puppeteer", "selenium", "windowspowershell"];
/// Ends of words that no browser's user agent has, beside those of [`CRAWLING`].
const CHECKING: &[&str] = &["checker", "fetcher", "monitor", "scanner", "scraper", "validator"];
/// Ends of words by which crawlers name themselves.
const CRAWLING: &[&str] = &["bot", "bots", "crawler", "spider"];
/// The first words of HTTP libraries that do not say `http`. In order.
const LIBRARIES: &[&str] = &[
    "ahc",
    "apachebench",
    "aria2",
    "attohttpc",
    "axios",
    "bruno-runtime",
    "bun",
    "buzz",
    "colly",
    "curl",
    "dart",
    "deno",
    "dio",
    "drupal",
    "excon",
    "faraday",
    "fetch",
    "finch",
    "flurl",
    "gatling",
    "go",
    "go-resty",
    "got",
    "guzzle",
    "hackney",
    "hoppscotch",
    "hyper",
    "insomnia",
    "isahc",
    "jakarta",
    "java",
    "jersey",
    "jetty",
    "jmeter",
    "k6",
    "ky",
    "libcurl",
    "libwww-perl",
    "locust",
    "luasocket",
    "lwp",
    "lwp-trivial",
    "lwp::simple",
    "mechanize",
    "mint",
    "mojolicious",
    "needle",
    "netty",
    "node",
    "node-fetch",
    "node-superagent",
    "node.js",
    "pear",
    "perl",
    "php",
    "postmanruntime",
    "powershell",
    "pycurl",
    "python",
    "python-requests",
    "python-urllib",
    "python-urllib3",
    "reactor-netty",
    "reactornetty",
    "req",
    "request",
    "requests",
    "reqwest",
    "rest-client",
    "restsharp",
    "ruby",
    "scrapy",
    "siege",
    "snoopy",
    "spray-can",
    "sttp",
    "superagent",
    "symfony",
    "tesla",
    "typhoeus",
    "undici",
    "unirest-java",
    "ureq",
    "urllib3",
    "vegeta",
    "vert.x-webclient",
    "wget",
    "wget2",
    "wordpress",
    "wrk",
];

/// Which part of the rule says that a machine did it, if any. `client` is Postmark's `Client.Name`, `family` its
/// `Client.Family`, `platform` its `Platform`.
pub fn machine(user_agent: &str, client: &str, family: &str, platform: &str) -> Option<Machine> {
    let agent = user_agent.trim();
    let private = |name: &str| name.to_ascii_lowercase().contains("privacy protection");
    if agent == "Mozilla/5.0" || private(client) || private(family) {
        return Some(Machine::ApplePrivacy);
    }
    if agent.ends_with(" Mozilla/5.0") {
        return Some(Machine::ImageProxy);
    }
    let is_browser = agent.starts_with("Mozilla/") || agent.starts_with("Opera/");
    let named = [agent, client, family].into_iter().find_map(|text| named(text, is_browser));
    named.or(platform.eq_ignore_ascii_case("bot").then_some(Machine::Crawler))
}

/// What a user agent, or the name of a client, says of itself; and whether the user agent is a browser's.
fn named(text: &str, is_browser: bool) -> Option<Machine> {
    let told = without_devices(text);
    let lower = told.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let words = || lower.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.ends_with("cubot"));
    let ends = |ends: &[&str]| words().any(|word| ends.iter().any(|end| word.ends_with(end)));
    let first = lower.split(['/', ' ', ';', ',', '(']).next().unwrap_or_default();
    let unversioned = first.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '_');
    let is_library = || {
        let known = |word: &str| LIBRARIES.binary_search(&word).is_ok();
        known(first) || known(unversioned) || lower.contains("http")
    };
    if ends(&["proxy"]) || has(IMAGE_PROXIES) {
        Some(Machine::ImageProxy)
    } else if has(SCANNERS) || !is_browser && ends(CHECKING) {
        Some(Machine::Scanner)
    } else if has(WINDOWLESS) || !is_browser && is_library() {
        Some(Machine::Script)
    } else if CRAWLERS.have(&told) || ends(CRAWLING) || lower.contains("+http") {
        Some(Machine::Crawler)
    } else {
        None
    }
}

/// A user agent without what it says of the device: comments that speak of Android or a build.
fn without_devices(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once('(') {
        told.push_str(before);
        let mut open = 1_usize;
        let end = comment.find(|c| {
            open = match c {
                '(' => open + 1,
                ')' => open - 1,
                _ => open,
            };
            open == 0
        });
        let (inside, after) = comment.split_at(end.unwrap_or(comment.len()));
        let device = inside.contains("Android") || inside.contains(" Build/") || before.ends_with("Android ");
        if !device || inside.contains("compatible") {
            told.push('(');
            told.push_str(inside);
        }
        rest = after;
    }
    told.push_str(rest);
    told
}

/// The list of crawlers.
struct Crawlers {
    /// Texts that may stand anywhere, in order. In none of them stands another.
    anywhere: Vec<&'static str>,
    /// Which two bytes one of them begins with, a bit for each: most places of a text are passed over by it.
    begun: Vec<u64>,
    /// Texts at the start.
    start: Vec<&'static str>,
    /// Texts at the end.
    end: Vec<&'static str>,
}

static CRAWLERS: LazyLock<Crawlers> =
    LazyLock::new(|| Crawlers::read(include_str!("../crawlers/crawlers.txt")));

impl Crawlers {
    /// Reads the list: `^` at the start of a line stands for the start of a user agent, `$` at its end for the end.
    fn read(list: &'static str) -> Crawlers {
        let begun = vec![0; 1 << 10];
        let mut crawlers = Crawlers { anywhere: Vec::new(), begun, start: Vec::new(), end: Vec::new() };
        for line in list.lines().filter(|line| !line.starts_with("# ")) {
            match (line.strip_prefix('^'), line.strip_suffix('$')) {
                (Some(text), _) => crawlers.start.push(text),
                (None, Some(text)) => crawlers.end.push(text),
                (None, None) => crawlers.anywhere.push(line),
            }
        }
        crawlers.anywhere.sort_unstable();
        for text in &crawlers.anywhere {
            if let [one, two, ..] = *text.as_bytes() {
                let (word, bit) = place(one, two);
                crawlers.begun[word] |= bit;
            }
        }
        crawlers
    }

    /// Whether one of them stands in a text.
    fn have(&self, text: &str) -> bool {
        // Of texts of which none begins with another, the one that a rest begins with is the last up to it.
        let begins = |rest: &[u8]| {
            let after = self.anywhere.partition_point(|known| known.as_bytes() <= rest);
            after > 0 && rest.starts_with(self.anywhere[after - 1].as_bytes())
        };
        let bytes = text.as_bytes();
        let stands = |(at, pair): (usize, &[u8])| {
            let (word, bit) = place(pair[0], pair[1]);
            self.begun[word] & bit != 0 && begins(&bytes[at..])
        };
        self.start.iter().any(|known| text.starts_with(known))
            || self.end.iter().any(|known| text.ends_with(known))
            || bytes.windows(2).enumerate().any(stands)
    }
}

/// Where the bit of two bytes stands.
const fn place(one: u8, two: u8) -> (usize, u64) {
    let pair = u16::from_be_bytes([one, two]);
    ((pair >> 6) as usize, 1 << (pair & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURED_ON: &str = include_str!("../crawlers/user-agents.tsv");

    /// What is right, and what the rule says, of every user agent of the table.
    fn measured() -> impl Iterator<Item = (bool, Option<Machine>, &'static str)> {
        let lines = MEASURED_ON.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| {
            let mut cells = line.split('\t');
            let right = cells.next();
            let [agent, client, family, platform] = [(); 4].map(|()| cells.next().unwrap_or_default());
            assert!(matches!(right, Some("person" | "machine")) && cells.next().is_none(), "{line}");
            (right == Some("machine"), machine(agent, client, family, platform), line)
        })
    }

    #[test]
    fn every_user_agent_of_the_table_is_told_right() {
        let of = |is_machine: bool| measured().filter(move |(right, ..)| *right == is_machine);
        let wrong = |is_machine| of(is_machine).filter(move |(_, told, _)| told.is_some() != is_machine);
        let [people, machines] =
            [false, true].map(|is_machine| (wrong(is_machine).count(), of(is_machine).count()));
        println!("people taken for machines: {} of {}", people.0, people.1);
        println!("machines taken for people: {} of {}", machines.0, machines.1);
        let wrong: Vec<_> = wrong(false).chain(wrong(true)).map(|(_, told, line)| (told, line)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(people.1 + machines.1 >= 200 && people.1.min(machines.1) >= 80);
    }

    #[test]
    fn libraries_are_found_by_their_first_word_with_or_without_a_version() {
        assert!(LIBRARIES.is_sorted());
        for name in LIBRARIES {
            for agent in [format!("{name}/1.0"), name.to_uppercase(), format!("{name} 2.7 (x)")] {
                assert!(machine(&agent, "", "", "").is_some(), "{agent}");
            }
        }
        assert_eq!(machine("Java1.6.0_26", "", "", ""), Some(Machine::Script));
        assert_eq!(machine("Mozilla/5.0 (X11) Gecko/1 Firefox/1 Ruby/1", "", "", ""), None, "a browser's");
    }

    #[test]
    fn each_part_of_the_rule_names_itself() {
        let of = |agent: &str| machine(agent, "", "", "");
        assert_eq!(of("Mozilla/5.0"), Some(Machine::ApplePrivacy));
        assert_eq!(of("YahooMailProxy; https://help.yahoo.com"), Some(Machine::ImageProxy));
        assert_eq!(of("Mozilla/5.0 (compatible; AhrefsBot/7.0)"), Some(Machine::Crawler));
        assert_eq!(of("Barracuda Sentinel (EE)"), Some(Machine::Scanner));
        assert_eq!(of("axios/1.7.7"), Some(Machine::Script));
    }

    #[test]
    fn no_telephone_is_a_machine_for_its_name() {
        let names = CRAWLERS.anywhere.iter().chain(&CRAWLERS.start).chain(&CRAWLERS.end).chain(LIBRARIES);
        let names = names.filter(|name| !name.contains(['(', ')']) && !name.contains("compatible"));
        for name in names.chain(&["Barracuda", "HeadlessChrome", "iBot", "Spider", "proxy", "scanner (2nd)"])
        {
            for agent in [
                format!(
                    "Mozilla/5.0 (Linux; Android 14; {name}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
                ),
                format!("Mozilla/5.0 (Linux; U; en-us; {name} Build/1) AppleWebKit/537.36 Silk/3.68"),
                format!("Dalvik/2.1.0 (Linux; U; Android 13; {name} Build/TP1A.220624.014)"),
                format!(
                    "Mozilla/5.0 (Linux; wv; Android 14) Chrome/124.0 Instagram 333.0 Android (34/14; {name}; mt6877)"
                ),
            ] {
                assert_eq!(machine(&agent, "", "", "Mobile"), None, "{agent}");
            }
        }
    }

    #[test]
    fn every_text_of_the_list_is_found_where_it_may_stand() {
        let browser = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/143.0";
        assert!(!CRAWLERS.have(browser));
        for known in &CRAWLERS.anywhere {
            assert!(CRAWLERS.have(&format!("{browser} \u{e9}{known}/1.0 x")), "{known}");
        }
        for known in &CRAWLERS.start {
            assert!(CRAWLERS.have(&format!("{known} x")) && !CRAWLERS.have(&format!("x{known}x")), "{known}");
        }
        for known in &CRAWLERS.end {
            assert!(CRAWLERS.have(&format!("x {known}")) && !CRAWLERS.have(&format!("{known} x")), "{known}");
        }
        let clear = |one: &&str| CRAWLERS.anywhere.iter().all(|other| other == one || !one.contains(other));
        assert!(CRAWLERS.anywhere.len() > 1_000 && CRAWLERS.anywhere.iter().all(clear));
    }

    #[test]
    fn whatever_a_user_agent_holds_an_answer_comes() {
        for agent in [
            "(",
            ")",
            "((",
            "Mozilla/5.0 (Android",
            "Android (",
            "a)b(c(d)e",
            "\u{e9}(\u{1f600}",
            "\0",
            "()()",
        ] {
            assert_eq!(machine(agent, agent, agent, agent), None, "{agent}");
        }
    }
}
