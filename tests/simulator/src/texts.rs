//! Every text once: addresses, tags, bodies are kept by number, and a million messages in little memory.

use std::collections::HashMap;
use std::sync::Arc;

/// A text by number. 0 is the empty text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(u32);

/// All texts of an account.
pub(crate) struct Texts {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Text {
    pub(crate) const EMPTY: Text = Text(0);

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Texts {
    pub(crate) fn new() -> Texts {
        let empty: Arc<str> = Arc::from("");
        Texts { texts: vec![Arc::clone(&empty)], numbers: HashMap::from([(empty, 0)]) }
    }

    pub(crate) fn put(&mut self, text: &str) -> Text {
        if let Some(number) = self.numbers.get(text) {
            return Text(*number);
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(0);
        let text: Arc<str> = Arc::from(text);
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        Text(number)
    }

    /// An address as suppression lists know it: without case.
    pub(crate) fn put_key(&mut self, text: Text) -> Text {
        if self.get(text).bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
            let lower = self.get(text).to_lowercase();
            return self.put(&lower);
        }
        text
    }

    pub(crate) fn find(&self, text: &str) -> Option<Text> {
        self.numbers.get(text).copied().map(Text)
    }

    pub(crate) fn get(&self, text: Text) -> &str {
        self.texts.get(text.0 as usize).map_or("", |text| text)
    }

    pub(crate) fn share(&self, text: Text) -> Arc<str> {
        self.texts.get(text.0 as usize).cloned().unwrap_or_else(|| Arc::from(""))
    }
}
