//! A page as a browser reads it: its elements, their attributes, and its texts, with a tokenizer that follows the standard.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Error, Token, Tokenizer};
use std::collections::BTreeMap;

/// Elements that have no end tag.
const VOID: [&str; 6] = ["br", "hr", "img", "input", "link", "meta"];
/// Elements of drawings may end at once.
const DRAWN: [&str; 9] = ["circle", "line", "path", "polyline", "polygon", "rect", "stop", "use", "ellipse"];

/// What is wrong with a text that somebody else wrote, and does no harm.
const HARMLESS: [Error; 3] =
    [Error::UnexpectedNullCharacter, Error::ControlCharacterInInputStream, Error::NoncharacterInInputStream];

/// An element.
#[derive(Clone, Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// The texts in it, with those of what is in it.
    pub(crate) text: String,
    /// In which elements it stands, the outermost first, by their places in [`Html::elements`].
    pub(crate) within: Vec<usize>,
}

impl Element {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// A page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Html {
    pub(crate) elements: Vec<Element>,
    /// Each text, and the elements that it stands in.
    pub(crate) texts: Vec<(String, Vec<usize>)>,
    /// What is wrong with it as HTML.
    pub(crate) faults: Vec<String>,
}

impl Html {
    /// Reads a page.
    pub(crate) fn read(text: &str) -> Html {
        let mut emitter = DefaultEmitter::<()>::default();
        emitter.naively_switch_states(true);
        let mut html = Html::default();
        let mut open: Vec<usize> = Vec::new();
        for Ok(token) in Tokenizer::new_with_emitter(text, emitter) {
            match token {
                Token::StartTag(tag) => {
                    let name = String::from_utf8_lossy(&tag.name).into_owned();
                    let attributes = tag.attributes.iter().map(|(name, value)| {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        (text(name), text(&value.value))
                    });
                    let element = Element {
                        name: name.clone(),
                        attributes: attributes.collect(),
                        text: String::new(),
                        within: open.clone(),
                    };
                    html.elements.push(element);
                    let ends = VOID.contains(&&*name) || (tag.self_closing && DRAWN.contains(&&*name));
                    if !ends {
                        open.push(html.elements.len() - 1);
                    }
                }
                Token::EndTag(tag) => {
                    let name = String::from_utf8_lossy(&tag.name).into_owned();
                    match open.pop() {
                        Some(place) if html.elements[place].name == name => {}
                        Some(place) => {
                            let other = html.elements[place].name.clone();
                            html.faults.push(format!("<{other}> is ended by </{name}>"));
                        }
                        None => html.faults.push(format!("</{name}> ends nothing")),
                    }
                }
                Token::String(text) => {
                    let text = String::from_utf8_lossy(&text).into_owned();
                    for place in &open {
                        html.elements[*place].text += &text;
                    }
                    html.texts.push((text, open.clone()));
                }
                Token::Comment(_) => html.faults.push("a comment".to_owned()),
                Token::Doctype(doctype) if doctype.force_quirks => html.faults.push("quirks".to_owned()),
                Token::Doctype(_) => {}
                // Browsers show such characters as a sign, or not at all.
                Token::Error(error) if HARMLESS.contains(&error.value) => {}
                Token::Error(error) => html.faults.push(format!("{:?}", error.value)),
            }
        }
        let left = open.iter().map(|place| format!("<{}> has no end", html.elements[*place].name));
        html.faults.extend(left.collect::<Vec<_>>());
        html
    }

    /// The elements of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// Every URL of it, with its element's name and the attribute's.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        const URLS: [&str; 12] = [
            "action",
            "background",
            "cite",
            "data",
            "formaction",
            "href",
            "manifest",
            "ping",
            "poster",
            "src",
            "srcset",
            "xlink:href",
        ];
        self.elements.iter().flat_map(|element| {
            let all = element.attributes.iter().filter(|(name, _)| URLS.contains(&name.as_str()));
            all.map(|(name, url)| (element.name.as_str(), name.as_str(), url.as_str()))
        })
    }

    /// Whether a text stands in an element of a name.
    pub(crate) fn is_within(&self, within: &[usize], name: &str) -> bool {
        within.iter().any(|place| self.elements[*place].name == name)
    }

    /// What is in a form, by the form's place.
    fn within(&self, form: usize) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(move |element| element.within.contains(&form))
    }

    /// The fields of a form: names and what they hold.
    pub(crate) fn fields(&self, form: usize) -> Vec<(String, String)> {
        let named = self.within(form).filter_map(|element| Some((element, element.get("name")?.to_owned())));
        let holds = |(element, name): (&Element, String)| Some((name, self.holds(element)?));
        named.filter_map(holds).collect()
    }

    /// What a field holds that is sent.
    fn holds(&self, field: &Element) -> Option<String> {
        let value = field.get("value").map(str::to_owned);
        match (field.name.as_str(), field.get("type").unwrap_or_default()) {
            ("button", _) | ("input", "submit" | "button" | "reset") => None,
            ("textarea", _) => Some(field.text.clone()),
            ("select", _) => {
                let place = self.elements.iter().position(|one| std::ptr::eq(one, field))?;
                let options = || self.within(place).filter(|one| one.name == "option");
                let chosen = options().find(|one| one.get("selected").is_some()).or(options().next())?;
                Some(chosen.get("value").unwrap_or(&chosen.text).to_owned())
            }
            ("input", "checkbox" | "radio") => {
                field.get("checked").map(|_| value.unwrap_or_else(|| "on".to_owned()))
            }
            _ => Some(value.unwrap_or_default()),
        }
    }

    /// What the buttons of a form send beside its fields; each sends it.
    pub(crate) fn buttons(&self, form: usize) -> Vec<Vec<(String, String)>> {
        let all = self.within(form).filter(|one| one.name == "button" || one.get("type") == Some("submit"));
        let sends = all.map(|button| {
            let named = button
                .get("name")
                .map(|name| (name.to_owned(), button.get("value").unwrap_or_default().to_owned()));
            named.into_iter().collect()
        });
        sends.collect()
    }

    /// Whether a browser would send a form as it is: no field is empty that must not be.
    pub(crate) fn is_filled_in(&self, form: usize) -> bool {
        let mut must = self.within(form).filter(|one| one.get("required").is_some());
        must.all(|field| self.holds(field).is_some_and(|holds| !holds.is_empty()))
    }
}

#[test]
fn a_page_is_read_as_a_browser_reads_it() {
    let html = Html::read(
        "<!DOCTYPE html><title>a &amp; <b></title><p class=\"x\">one<br><a href=\"/y?a=1&amp;b=2\">two</a></p>",
    );
    assert!(html.faults.is_empty(), "{:?}", html.faults);
    assert_eq!(html.urls().collect::<Vec<_>>(), [("a", "href", "/y?a=1&b=2")]);
    assert_eq!(html.all("title").next().unwrap().text, "a & <b>", "no element is in a title");
    assert_eq!(html.all("p").next().unwrap().text, "onetwo");
    for odd in
        ["<p>", "</p>", "<p><b></p></b>", "<!-- x -->", "<p a=1 a=2></p>", "<p \"></p>", "<svg/onload=x>"]
    {
        let html = Html::read(&format!("<!DOCTYPE html>{odd}"));
        assert!(!html.faults.is_empty(), "{odd}");
    }
}

#[test]
fn an_attack_is_seen() {
    let html =
        Html::read("<!DOCTYPE html><p title=\"\"><img src=x onerror=pwn(1)></p><script>pwn(2)</script>");
    assert_eq!(html.all("img").next().unwrap().get("onerror"), Some("pwn(1)"));
    assert_eq!(html.all("script").next().unwrap().text, "pwn(2)");
}
