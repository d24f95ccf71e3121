//! The catalogue: every text of pages and mails that is not data, in one place. A page that has one of its own is found by
//! a run in the pseudo-language, in which each of these is marked.

/// The language that texts are told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// English between marks: whatever stands outside of them is not from here.
    Pseudo,
}

/// Where marked texts begin and end in the pseudo-language.
pub const MARKS: [char; 2] = ['⟦', '⟧'];

/// The texts, in a language.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts(pub Language);

impl Texts {
    fn say(self, text: String) -> String {
        match self.0 {
            Language::English => text,
            Language::Pseudo => format!("{}{text}{}", MARKS[0], MARKS[1]),
        }
    }
}

macro_rules! texts {
    ($($(#[doc = $doc:expr])* $name:ident($($argument:ident),*) $text:literal;)+) => {
        #[allow(missing_docs, reason = "each says what it is by its own text")]
        impl Texts {
            $($(#[doc = $doc])* pub fn $name(self, $($argument: impl Display),*) -> String {
                self.say(format!($text, $($argument = $argument),*))
            })+
        }
    };
}

mod account;
mod activity;
mod audit;
mod branding;
mod changes;
mod check;
mod content;
mod inbound;
mod message;
mod overview;
mod pages;
mod people;
mod postmark;
mod report;
mod sent;
mod set_up;
mod settings;
mod signing_in;
mod smtp;
mod statistics;
mod suppressions;
mod truth;
mod webhooks;
