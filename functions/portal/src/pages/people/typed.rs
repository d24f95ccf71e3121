//! What somebody types to invite people: addresses, one a line, and numbers of servers.

use crate::request::Fields;
use crate::texts::Texts;
use answers::Role;
use ledger::ServerId;
use ledger::given::Address;
use std::collections::BTreeSet;

/// The most people that are invited at once, as the API has it.
const INVITED_MAX: usize = 100;
/// How many texts that cannot be understood are repeated, and how many characters of each.
const REPEATED: [usize; 2] = [5, 60];

/// A form to invite people, as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    /// The addresses.
    pub addresses: String,
    /// Whether operators are invited.
    pub operator: bool,
    /// The numbers of servers.
    pub servers: String,
    /// Whether admins are invited.
    pub admin: bool,
    /// Whether they may see whole addresses.
    pub reveal: bool,
    /// Whether they may see the content of mails.
    pub content: bool,
}

impl Typed {
    pub(super) fn of(form: &Fields) -> Typed {
        let [reveal, content] = sees(form);
        Typed {
            addresses: form.text("addresses").unwrap_or_default().to_owned(),
            operator: form.text("kind") == Some("operator"),
            servers: form.text("servers").unwrap_or_default().to_owned(),
            admin: role(form) == Role::Admin,
            reveal,
            content,
        }
    }

    /// The role that it means at servers.
    pub(super) fn role(&self) -> Role {
        if self.admin { Role::Admin } else { Role::Viewer }
    }

    /// The addresses in it.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub(super) fn read_addresses(&self, t: Texts) -> Result<Vec<String>, String> {
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        for line in lines(&self.addresses) {
            match parts(line) {
                Some(addresses) => found.extend(addresses),
                None => wrong.push(line),
            }
        }
        match (found.len(), wrong.len()) {
            (0, 0) => Err(t.invite_none()),
            (count, 0) if count > INVITED_MAX => Err(t.invite_too_many(count)),
            (_, 0) => Ok(found),
            (_, count) => Err(match count.checked_sub(REPEATED[0]).filter(|more| *more > 0) {
                Some(more) => t.invite_wrong_more(repeated(&wrong), more),
                None => t.invite_wrong(repeated(&wrong)),
            }),
        }
    }

    /// The servers in it.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub(super) fn read_servers(&self, t: Texts) -> Result<BTreeSet<ServerId>, String> {
        let texts = || self.servers.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
        let texts = || texts().filter(|text| !text.is_empty());
        let wrong: Vec<&str> = texts().filter(|text| server(text).is_none()).collect();
        if wrong.is_empty() {
            return Ok(texts().filter_map(server).collect());
        }
        Err(t.everybody_servers_wrong(repeated(&wrong)))
    }
}

/// The role that a form says, at a server.
pub(super) fn role(form: &Fields) -> Role {
    if form.text("role") == Some("admin") { Role::Admin } else { Role::Viewer }
}

/// Whether a form lets somebody see whole addresses, and the content of mails. A mail has addresses in it, so that whoever
/// chooses that chooses both, as it says there.
pub(in crate::pages) fn sees(form: &Fields) -> [bool; 2] {
    let content = form.is_set("content");
    [form.is_set("reveal") || content, content]
}

/// The number of a server.
pub(super) fn server(text: &str) -> Option<ServerId> {
    text.parse().ok().filter(|server| *server != ServerId::NONE)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// The addresses of a line: one, or several between commas or semicolons, as mail programs copy them.
fn parts(line: &str) -> Option<Vec<String>> {
    let address = |text: &str| Some(text.trim().parse::<Address>().ok()?.text().to_owned());
    if let Some(one) = address(line) {
        return Some(vec![one]);
    }
    let parts = line.split([',', ';']).filter(|part| !part.trim().is_empty());
    let parts: Vec<String> = parts.map(address).collect::<Option<_>>()?;
    (!parts.is_empty()).then_some(parts)
}

/// Texts as they are repeated: the first few, and of each as much as tells which it is.
fn repeated(texts: &[&str]) -> String {
    let short = |text: &&str| match text.char_indices().nth(REPEATED[1]) {
        Some((end, _)) => format!("“{}…”", &text[..end]),
        None => format!("“{text}”"),
    };
    texts.iter().take(REPEATED[0]).map(short).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Result<Vec<String>, String> {
        let typed = Typed { addresses: text.to_owned(), ..Typed::default() };
        typed.read_addresses(Texts::default())
    }

    #[test]
    fn addresses_are_read_line_by_line_and_as_mail_programs_copy_them() {
        let found = addresses(" ida@x.example\r\n\r\nBea <bea@x.example>, cyd@x.example;\n").unwrap();
        assert_eq!(found, ["ida@x.example", "bea@x.example", "cyd@x.example"]);
        assert_eq!(addresses(" \n ,"), Err(Texts::default().invite_wrong("“,”")));
        assert_eq!(addresses("\n"), Err(Texts::default().invite_none()));
    }

    #[test]
    fn what_is_no_address_is_repeated_as_far_as_it_tells_which_it_is() {
        let told = addresses("ida@x.example\nnobody\n").unwrap_err();
        assert_eq!(told, Texts::default().invite_wrong("“nobody”"));
        let long = "ü".repeat(100);
        let told = addresses(&format!("{long}\n1\n2\n3\n4\n5\n6")).unwrap_err();
        assert!(told.contains(&format!("“{}…”", "ü".repeat(60))) && told.ends_with("and 2 more."), "{told}");
    }

    #[test]
    fn no_more_are_invited_at_once_than_the_api_takes() {
        let many = |count: usize| (0..count).map(|n| format!("a{n}@x.example\n")).collect::<String>();
        assert_eq!(addresses(&many(100)).unwrap().len(), 100);
        assert_eq!(addresses(&many(101)), Err(Texts::default().invite_too_many(101)));
    }

    #[test]
    fn servers_are_numbers_between_anything_that_separates_them() {
        let servers = |text: &str| {
            let typed = Typed { servers: text.to_owned(), ..Typed::default() };
            typed.read_servers(Texts::default())
        };
        let ids = |ids: &[i64]| ids.iter().map(|id| ServerId::new(*id).unwrap()).collect::<BTreeSet<_>>();
        assert_eq!(servers("8123456\n7, 7;9"), Ok(ids(&[7, 9, 8_123_456])));
        assert_eq!(servers(" \n"), Ok(ids(&[])));
        for wrong in ["7 acme", "0", "-1", "7.5", "99999999999999999999"] {
            assert!(servers(wrong).is_err(), "{wrong}");
        }
    }
}
