//! Texts that a ledger of a test is filled with: those of somebody, or attacks.

/// What an attack would run, were it not shown as what it is.
pub(crate) const RUNS: &str = "pwn";

/// A text of more than anybody types, with marks that turn the direction of what follows.
const LONG_BYTES: usize = 64 * 1024;
/// More than is told of a text in a list.
const LONGER_THAN_TOLD: usize = 3_000;

/// What the texts of a ledger are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texts {
    /// Each with the name of whose it is, between marks.
    Plain(&'static str),
    /// Attacks.
    Hostile,
}

impl Texts {
    /// The `n`th text of a field.
    pub(crate) fn of(self, field: &str, n: usize) -> String {
        match self {
            Texts::Plain(whose) => format!("¤{whose} {field} {n}¤"),
            Texts::Hostile => attack(field, n),
        }
    }

    /// The `n`th address.
    pub(crate) fn address(self, n: usize) -> String {
        match self {
            Texts::Plain(whose) => format!("person{n}.{whose}@{whose}-customer.example"),
            Texts::Hostile => match n % 5 {
                0 => format!("\"<script>{RUNS}_address({n})</script>\"@customer.example"),
                1 => format!("'onmouseover='{RUNS}_address({n})'x='@customer.example"),
                4 if n == 4 => format!("=cmd|'{RUNS}'!A0@customer.example"),
                2 => format!("\u{202e}gpj.{RUNS}{n}\u{200f}@customer.example"),
                3 => format!("{{{{7*7}}}}{n}<img/src=x/onerror={RUNS}_address()>@customer.example"),
                _ => format!("person{n}@customer.example"),
            },
        }
    }

    pub(crate) fn message(self, n: usize) -> String {
        match self {
            Texts::Plain(whose) => format!("7dc0521c-a785-4c7b-{:04x}-{n:012x}", whose.len()),
            Texts::Hostile => match n % 4 {
                0 => format!("\"><img src=x onerror={RUNS}_message({n})>"),
                1 => format!("<{RUNS}{n}.old.mail.example>"),
                2 => format!("../../servers?q={n}#'{RUNS}_message()"),
                _ => format!("7dc0521c-a785-4c7b-b689-{n:012x}"),
            },
        }
    }

    pub(crate) fn type_of_bounce(self, n: usize) -> String {
        match self {
            Texts::Plain(_) => ["HardBounce", "SoftBounce", "Blocked", "SpamNotification"][n % 4].to_owned(),
            Texts::Hostile if n.is_multiple_of(2) => "HardBounce".to_owned(),
            Texts::Hostile => format!("<b onclick={RUNS}_type({n})>"),
        }
    }

    pub(crate) fn whose(self) -> &'static str {
        match self {
            Texts::Plain(whose) => whose,
            Texts::Hostile => RUNS,
        }
    }
}

/// The `n`th attack of a field.
fn attack(field: &str, n: usize) -> String {
    let run = format!("{RUNS}_{field}({n})");
    match n % 7 {
        6 => format!("=HYPERLINK(\"https://evil.example\",\"{run}\")"),
        0 => format!(
            "</title></textarea></style></script>--><script>{run}</script>\"><img src=x onerror={run}>' onmouseover='{run}"
        ),
        1 => format!("javascript:{run}//\"autofocus onfocus={run} x=\""),
        2 => format!(
            "{{{{7*7}}}} ${{7*7}} {{% {run} %}} <svg/onload={run}> &lt;script&gt;{run}&lt;/script&gt; %3Cscript%3E"
        ),
        3 => format!(
            "\u{202e}{run}\u{2066}\u{200f} \u{feff}<iframe srcdoc=\"&lt;script&gt;{run}&lt;/script&gt;\">"
        ),
        4 => {
            let one = format!("<a href=javascript:{run}>\u{202e}x\u{1f469}\u{200d}\u{1f4bb}</a>");
            let bytes = if field == "subject" { LONG_BYTES } else { LONGER_THAN_TOLD };
            one.repeat(bytes / one.len() + 1)
        }
        _ => format!(
            "data:text/html,<script>{run}</script>\u{0}\u{8}\u{1b}[31m\r\nSet-Cookie: pl=x\r\n\r\n<style>*{{color:red}}</style>"
        ),
    }
}
