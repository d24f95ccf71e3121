//! A scenario: which mail has which outcomes, with what weights.

use crate::{MessageId, Outcome, Time};
use fastrand::Rng;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A mail to one recipient, at the moment it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The server's number.
    pub server: u64,
    /// The server's name.
    pub server_name: &'a str,
    /// The stream's id.
    pub stream: &'a str,
    /// The address, as it was sent.
    pub recipient: &'a str,
    /// The tag, empty for none.
    pub tag: &'a str,
    /// The message's id.
    pub message: MessageId,
    /// When it is sent.
    pub at: Time,
}

/// Rules, the first that matches decides.
///
/// ```
/// let scenario = postmark_simulator::Scenario::parse(r#"[
///     {"match": {"address": "*@full.example"}, "weights": {"soft": 3, "delivered": 1}},
///     {"match": {"stream": "broadcast", "tag": "weekly*"}, "weights": {"delivered.mopen1.click1": 1}},
///     {"weights": {"delivered": 97, "hard": 2, "delivered.complaint": 1}}
/// ]"#);
/// assert!(scenario.is_ok());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    wanted: Match,
    weights: Vec<(Outcome, f64)>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Match {
    address: Option<String>,
    tag: Option<String>,
    stream: Option<String>,
    server: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "match")]
    wanted: Match,
    weights: BTreeMap<String, f64>,
}

/// Why a scenario cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the scenario is not a list of rules {{match, weights}}")]
    Json(#[from] serde_json::Error),
    #[error("rule {0} of the scenario names an outcome that does not exist")]
    Outcome(usize, #[source] crate::NoSuchOutcome),
    #[error("the weights of rule {0} of the scenario are not positive")]
    Weights(usize),
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// When it is not a list of rules, or names what does not exist.
    pub fn parse(text: &str) -> Result<Scenario, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Scenario::read(text)?)
    }

    fn read(text: &str) -> Result<Scenario, Unreadable> {
        let written: Vec<Written> = serde_json::from_str(text)?;
        let rules = written.into_iter().enumerate().map(|(at, rule)| {
            let weights = rule.weights.into_iter().map(|(words, weight)| {
                let outcome = words.parse().map_err(|error| Unreadable::Outcome(at, error))?;
                if weight >= 0.0 { Ok((outcome, weight)) } else { Err(Unreadable::Weights(at)) }
            });
            let weights: Vec<(Outcome, f64)> = weights.collect::<Result<_, _>>()?;
            if weights.iter().map(|(_, weight)| weight).sum::<f64>() > 0.0 {
                Ok(Rule { wanted: rule.wanted, weights })
            } else {
                Err(Unreadable::Weights(at))
            }
        });
        Ok(Scenario { rules: rules.collect::<Result<_, _>>()? })
    }

    /// The outcome of a mail, `None` when no rule matches.
    pub(crate) fn choose(&self, sent: &Sent<'_>, rng: &mut Rng) -> Option<Outcome> {
        let rule = self.rules.iter().find(|rule| rule.wanted.fits(sent))?;
        let sum: f64 = rule.weights.iter().map(|(_, weight)| weight).sum();
        let mut left = rng.f64() * sum;
        for (outcome, weight) in &rule.weights {
            left -= weight;
            if left < 0.0 {
                return Some(*outcome);
            }
        }
        rule.weights.last().map(|(outcome, _)| *outcome)
    }
}

impl Match {
    fn fits(&self, sent: &Sent<'_>) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| glob(pattern.as_bytes(), text.as_bytes()))
        };
        let server = match &self.server {
            None => true,
            Some(Value::Number(id)) => id.as_u64() == Some(sent.server),
            Some(Value::String(name)) => glob(name.as_bytes(), sent.server_name.as_bytes()),
            Some(_) => false,
        };
        server
            && fits(&self.address, sent.recipient)
            && fits(&self.tag, sent.tag)
            && fits(&self.stream, sent.stream)
    }
}

/// `*` for any run, `?` for one byte, without case.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while of < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(letter) if *letter == b'?' || letter.eq_ignore_ascii_case(&text[of]) => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((star_at, star_of)) => {
                    at = star_at + 1;
                    of = star_of + 1;
                    star = Some((star_at, star_of + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent<'a>(recipient: &'a str, tag: &'a str) -> Sent<'a> {
        let (stream, at, message) = ("outbound", Time::default(), MessageId::of(1, 1));
        Sent { server: 7, server_name: "Client", stream, recipient, tag, message, at }
    }

    #[test]
    fn the_first_rule_that_matches_decides_by_its_weights() {
        let scenario = Scenario::parse(
            r#"[{"match": {"address": "*@full.example", "server": 7}, "weights": {"soft": 3, "delivered": 1}},
                {"match": {"tag": "w?ekly", "server": "Cl*"}, "weights": {"lost": 1, "hard": 0}}]"#,
        )
        .unwrap();
        let mut rng = Rng::with_seed(1);
        let mut soft = 0;
        for _ in 0..1000 {
            let outcome = scenario.choose(&sent("ida@FULL.example", ""), &mut rng).unwrap();
            soft += u32::from(outcome.to_string() == "softbounce");
        }
        assert!((700..800).contains(&soft), "{soft}");
        let lost = scenario.choose(&sent("ida@x.example", "weekly"), &mut rng).unwrap();
        assert_eq!(lost.to_string(), "lost");
        assert!(scenario.choose(&sent("ida@x.example", "monthly"), &mut rng).is_none());
    }

    #[test]
    fn a_scenario_that_means_nothing_is_refused() {
        for bad in [
            r#"{}"#,
            r#"[{"weights": {"exploded": 1}}]"#,
            r#"[{"weights": {"hard": 0}}]"#,
            r#"[{"match": {"adress": "*"}, "weights": {"hard": 1}}]"#,
        ] {
            assert!(Scenario::parse(bad).is_err(), "{bad}");
        }
    }
}
