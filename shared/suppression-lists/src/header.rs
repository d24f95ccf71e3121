//! Which service's list a file is, by its header, and which column has the addresses.
//!
//! Where the column names come from:
//!
//! | list | columns | known from |
//! | --- | --- | --- |
//! | SendGrid bounces, blocks | `status,reason,email,created` | tools that read exports; the API's fields |
//! | SendGrid invalid addresses | `reason,email,created` | a guide to exports; the API's fields |
//! | SendGrid spam reports | `ip,email,created` | a guide to exports; the API's fields |
//! | SendGrid global unsubscribes | `email,created` | tools that read exports |
//! | SendGrid group unsubscribes | `email`, `group_id`, `group_name`, `created_at` | the API's fields; no file was seen |
//! | Amazon SES account list | `EmailAddress,Reason,LastUpdateTime` | the API's fields, and its JSON as the command line prints it |
//! | the same | `Email Address,Reason,Last Update Time` | a tool that writes it so |
//! | Amazon SES bulk list | address and `BOUNCE` or `COMPLAINT`, no header | documented, for import |
//! | Mailgun bounces | `address,code,error,created_at` | documented, for import |
//! | Mailgun complaints | `address,created_at` | documented, for import |
//! | Mailgun unsubscribes | `address,tags,created_at` | documented, for import |
//! | listmonk subscribers | `uuid,email,name,attributes,status,created_at,updated_at` | listmonk's source |
//! | Mailchimp, unsubscribed | `Email Address`, `MEMBER_RATING`, `OPTIN_TIME`, `UNSUB_TIME`, `UNSUB_REASON`, `LEID`, `EUID`, … | several tools that read exports |
//! | Mailchimp, cleaned | the same with `CLEAN_TIME`, `CLEAN_CAMPAIGN_TITLE` | several tools that read exports |
//! | Brevo, blocked for transactional mail | `email`, `senderEmail`, `reason.code`, `reason.message`, `blockedAt` | the API's reference and clients |
//! | Brevo, contacts | `EMAIL`, `EMAIL_BLACKLISTED` or `BLACKLISTED`, `MODIFIED_TIME` | a tool that reads exports; Brevo documents no more than `EMAIL`, `ADDED_TIME` and `MODIFIED_TIME` |
//! | Mandrill rejections | `email,reason,detail,created_at,expires_at,last_event_at` | the API's reference; read as a plain list |
//! | Postmark, suppressions | `EmailAddress,SuppressionReason,Origin,CreatedAt` | documented, as the JSON of a dump |
//! | Postmark, bounces | `Type`, `Email`, `BouncedAt`, `Inactive`, … | documented, as JSON |
//!
//! Order never matters, nor do case, spaces, `_` and `-`. Columns that are not read are named in the answer.
//!
//! **Which column has the addresses**: the one that is called so and has some (`Address` may be a street); one called
//! email in any case; otherwise the only column with mostly addresses, whatever its name. **Not a header**: a first row with an
//! `@`.

use crate::content::Content;
use crate::file::{Hints, SheetError};
use crate::words::{plain, word};
use crate::write::COLUMNS;
use ledger::event::Cause;

/// Whose list a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Our own export.
    Postledger,
    /// Postmark's suppression dump.
    Postmark,
    /// Postmark's bounces.
    PostmarkBounces,
    /// Amazon SES, account-level suppression list.
    Ses,
    /// SendGrid, bounces or blocks.
    SendgridBounces,
    /// SendGrid, invalid addresses.
    SendgridInvalid,
    /// SendGrid, spam reports.
    SendgridSpam,
    /// SendGrid, global or group unsubscribes.
    SendgridUnsubscribes,
    /// Mailgun, bounces.
    MailgunBounces,
    /// Mailgun, complaints.
    MailgunComplaints,
    /// Mailgun, unsubscribes.
    MailgunUnsubscribes,
    /// listmonk, subscribers.
    Listmonk,
    /// Mailchimp, unsubscribed members.
    MailchimpUnsubscribed,
    /// Mailchimp, cleaned members: their addresses bounced for good, or again and again.
    MailchimpCleaned,
    /// Brevo, contacts that are blocked for transactional mail.
    BrevoBlocked,
    /// Brevo, contacts.
    BrevoContacts,
    /// Addresses, with or without cause and date, with or without a header.
    Plain,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 17] = [
        Format::Postledger,
        Format::Postmark,
        Format::PostmarkBounces,
        Format::Ses,
        Format::SendgridBounces,
        Format::SendgridInvalid,
        Format::SendgridSpam,
        Format::SendgridUnsubscribes,
        Format::MailgunBounces,
        Format::MailgunComplaints,
        Format::MailgunUnsubscribes,
        Format::Listmonk,
        Format::MailchimpUnsubscribed,
        Format::MailchimpCleaned,
        Format::BrevoBlocked,
        Format::BrevoContacts,
        Format::Plain,
    ];

    /// The name that answers use.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Postledger => "postledger",
            Format::Postmark => "postmark",
            Format::PostmarkBounces => "postmark-bounces",
            Format::Ses => "ses",
            Format::SendgridBounces => "sendgrid-bounces",
            Format::SendgridInvalid => "sendgrid-invalid-emails",
            Format::SendgridSpam => "sendgrid-spam-reports",
            Format::SendgridUnsubscribes => "sendgrid-unsubscribes",
            Format::MailgunBounces => "mailgun-bounces",
            Format::MailgunComplaints => "mailgun-complaints",
            Format::MailgunUnsubscribes => "mailgun-unsubscribes",
            Format::Listmonk => "listmonk",
            Format::MailchimpUnsubscribed => "mailchimp-unsubscribed",
            Format::MailchimpCleaned => "mailchimp-cleaned",
            Format::BrevoBlocked => "brevo-blocked",
            Format::BrevoContacts => "brevo-contacts",
            Format::Plain => "plain",
        }
    }
}

/// How the rows of a file say why the address is on the list. Numbers are columns, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// All for one cause.
    All(Cause),
    /// A word in a column.
    Word(usize),
    /// Several words of ours in a column.
    Words(usize),
    /// SendGrid's status and reason: hard, or a block.
    Bounce { status: usize, reason: usize },
    /// A known word, or a text about an address that is invalid.
    Invalid { reason: usize },
    /// Postmark's reason and origin.
    Postmark { reason: usize, origin: Option<usize> },
    /// Postmark's type of a bounce, and whether it deactivated the address.
    PostmarkBounce { kind: usize, inactive: Option<usize> },
    /// Whether the address is on the list, as yes or no.
    Flag(usize),
    /// listmonk's status of the subscriber, and of the subscription if the row has it.
    Listmonk { status: usize, subscription: Option<usize> },
}

/// Which column of a file has which meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) address: usize,
    pub(crate) at: Option<usize>,
    pub(crate) telling: Telling,
}

impl Layout {
    /// Whether a column is read.
    pub(crate) fn reads(&self, column: usize) -> bool {
        let telling = match self.telling {
            Telling::All(_) => [None, None],
            Telling::Word(one) | Telling::Words(one) | Telling::Flag(one) => [Some(one), None],
            Telling::Invalid { reason } => [Some(reason), None],
            Telling::Bounce { status, reason } => [Some(status), Some(reason)],
            Telling::Postmark { reason, origin } => [Some(reason), origin],
            Telling::PostmarkBounce { kind, inactive } => [Some(kind), inactive],
            Telling::Listmonk { status, subscription } => [Some(status), subscription],
        };
        column == self.address || Some(column) == self.at || telling.contains(&Some(column))
    }
}

/// What the column of addresses is called, in one word; what is more surely an address first.
const ADDRESSES: [&str; 11] = [
    "email",
    "emailaddress",
    "mail",
    "emailid",
    "recipientemail",
    "subscriberemail",
    "contactemail",
    "recipient",
    "destination",
    "address",
    "to",
];
/// How many of these are called so for nothing else.
const SURE: usize = 7;
/// What a plain list calls the column of causes, in one word.
const CAUSES: [&str; 9] = [
    "cause",
    "reason",
    "reasoncode",
    "suppressionreason",
    "status",
    "emailstatus",
    "subscriptionstatus",
    "emailmarketing",
    "type",
];
/// What a plain list calls the column of dates, in one word; what is more surely about the suppression first.
const DATES: [&str; 20] = [
    "suppressedat",
    "unsubscribedat",
    "unsubscribedate",
    "unsubscribeddate",
    "optoutdate",
    "bouncedat",
    "complainedat",
    "blockedat",
    "blocklistedat",
    "since",
    "date",
    "at",
    "timestamp",
    "time",
    "lastupdatetime",
    "lastupdated",
    "lastupdatedtime",
    "created",
    "createdat",
    "dateadded",
];
/// What Amazon's `LastUpdateTime` is called.
const UPDATED: [&str; 3] = ["lastupdatetime", "lastupdated", "lastupdatedtime"];
/// What Brevo's mark of a contact that must not be mailed is called.
const BLOCKLISTED: [&str; 4] = ["emailblacklisted", "blacklisted", "emailblocklisted", "blocklisted"];
/// The longest name of a column, in characters: longer ones are content.
const NAME_CHARS_MAX: usize = 60;

/// Whether a column of this name, in one word, has addresses.
pub(crate) fn is_address(name: &str) -> bool {
    ADDRESSES.contains(&name)
}

/// Where the addresses of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The column.
    pub(crate) column: usize,
    /// The first record is a header.
    pub(crate) header: bool,
}

/// Finds the addresses by the first record, which is a header for certain or may be one, and by what the rows hold.
///
/// # Errors
/// No column has addresses, or it is unclear which one counts.
pub(crate) fn place(first: &[String], certain: bool, content: &Content) -> Result<Place, SheetError> {
    // Rows may have more cells than the first one; each such row is reported.
    let holding =
        || content.addresses().into_iter().filter(|column| *column < first.len()).collect::<Vec<_>>();
    let one = |columns: &[usize]| match columns {
        [] => Ok(None),
        [column] => Ok(Some(*column)),
        [_, second, ..] => Err(SheetError::Addresses { column: second + 1 }),
    };
    if !certain && first.iter().any(|cell| cell.contains('@')) {
        let has: Vec<usize> = (0..first.len()).filter(|column| content.has_addresses(*column)).collect();
        let column = if has.len() == 1 { Some(has[0]) } else { one(&holding())? };
        let column = column.or((first.len() == 1).then_some(0)).ok_or(SheetError::NoHeader)?;
        return Ok(Place { column, header: false });
    }
    let names: Vec<String> = first.iter().map(|name| plain(name)).collect();
    let named: Vec<usize> = called(&names, &ADDRESSES).collect();
    let filled: Vec<usize> = named.iter().copied().filter(|column| content.has_addresses(*column)).collect();
    if let Some(column) = one(&filled)? {
        return Ok(Place { column, header: true });
    }
    if let Some(column) = called(&names, &ADDRESSES[..SURE]).next() {
        return Ok(Place { column, header: true });
    }
    if let Some(column) = one(&holding())? {
        let header = certain || !named.is_empty() || first.iter().all(|name| is_name(name));
        return Ok(Place { column, header });
    }
    match named.first() {
        Some(column) => Ok(Place { column: *column, header: true }),
        None if first.len() == 1 => Ok(Place { column: 0, header: certain }),
        None => Err(SheetError::NoHeader),
    }
}

/// The columns that are called so, in the order of the known names.
fn called<'a>(names: &'a [String], known: &'a [&'a str]) -> impl Iterator<Item = usize> + 'a {
    known.iter().flat_map(move |known| (0..names.len()).filter(move |column| names[*column] == *known))
}

/// Whether a cell may be the name of a column, rather than a value.
fn is_name(cell: &str) -> bool {
    cell.chars().count() <= NAME_CHARS_MAX
        && !cell.contains(['@', '.'])
        && word(cell).is_none()
        && (cell.is_empty() || cell.contains(char::is_alphabetic))
}

/// The layout of a list by its first record.
///
/// # Errors
/// The list says too little, or too much.
pub(crate) fn layout(
    first: &[String],
    place: Place,
    content: &Content,
    hints: Hints,
) -> Result<Layout, SheetError> {
    if !place.header {
        return bare(place.column, content, hints);
    }
    let mut names: Vec<String> = first.iter().map(|name| plain(name)).collect();
    // Spreadsheets leave delimiters of columns that were emptied.
    names.truncate(names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1));
    match service(&names, place.column, hints)? {
        Some(layout) => Ok(layout),
        None => plain_list(&names, place.column, hints),
    }
}

/// The layout of a service's list.
fn service(names: &[String], address: usize, hints: Hints) -> Result<Option<Layout>, SheetError> {
    let find = |name: &str| names.iter().position(|column| column == name);
    let any = |known: &[&str]| known.iter().find_map(|name| find(name));
    let all = |known: &[&str]| known.iter().all(|name| find(name).is_some());
    let known = |format, at, telling| Ok(Some(Layout { format, address, at, telling }));

    let own = |name: &&str| find(&plain(name)).is_some();
    if COLUMNS.iter().all(own)
        && let Some(causes) = find("causes")
    {
        return known(Format::Postledger, find("since"), Telling::Words(causes));
    }
    if let Some(reason) = find("suppressionreason") {
        let telling = Telling::Postmark { reason, origin: find("origin") };
        return known(Format::Postmark, find("createdat"), telling);
    }
    if let (Some(kind), Some(at), Some(_)) = (find("type"), find("bouncedat"), find("email")) {
        let telling = Telling::PostmarkBounce { kind, inactive: find("inactive") };
        return known(Format::PostmarkBounces, Some(at), telling);
    }
    if all(&["uuid", "email"])
        && let Some(status) = find("status")
    {
        let telling = Telling::Listmonk { status, subscription: find("subscriptionstatus") };
        return known(Format::Listmonk, find("updatedat"), telling);
    }
    if find("memberrating").is_some() || all(&["leid", "euid"]) {
        return match (find("unsubtime"), find("cleantime")) {
            (Some(at), _) => known(Format::MailchimpUnsubscribed, Some(at), Telling::All(Cause::Unsubscribe)),
            (None, Some(at)) => known(Format::MailchimpCleaned, Some(at), Telling::All(Cause::HardBounce)),
            (None, None) => Err(SheetError::Members),
        };
    }
    if let (Some(at), Some(reason)) = (find("blockedat"), any(&["reasoncode", "reason"])) {
        return known(Format::BrevoBlocked, Some(at), Telling::Word(reason));
    }
    if let Some(flag) = any(&BLOCKLISTED) {
        return known(Format::BrevoContacts, find("modifiedtime"), Telling::Flag(flag));
    }
    if let (Some(reason), Some(at)) = (find("reason"), any(&UPDATED)) {
        return known(Format::Ses, Some(at), Telling::Word(reason));
    }
    if all(&["email", "created"]) {
        let at = find("created");
        match (find("status"), find("reason"), find("ip")) {
            (Some(status), Some(reason), _) => {
                return known(Format::SendgridBounces, at, Telling::Bounce { status, reason });
            }
            (None, Some(reason), None) => {
                return known(Format::SendgridInvalid, at, Telling::Invalid { reason });
            }
            (None, None, Some(_)) => return known(Format::SendgridSpam, at, Telling::All(Cause::Complaint)),
            // Its own cause is not written in it: what is said beside it counts.
            (None, None, None) if names.len() == 2 => {
                let cause = hints.cause.unwrap_or(Cause::Unsubscribe);
                return known(Format::SendgridUnsubscribes, at, Telling::All(cause));
            }
            _ => {}
        }
    }
    if find("email").is_some() && any(&["groupid", "groupname"]).is_some() {
        let at = any(&["created", "createdat"]);
        return known(Format::SendgridUnsubscribes, at, Telling::All(Cause::Unsubscribe));
    }
    if find("address").is_some() {
        let at = find("createdat");
        if all(&["code", "error"]) {
            return known(Format::MailgunBounces, at, Telling::All(Cause::HardBounce));
        }
        // Also one of a single tag: which stream that is, is said by who imports it.
        if find("tags").is_some() {
            return known(Format::MailgunUnsubscribes, at, Telling::All(Cause::Unsubscribe));
        }
        if at.is_some() && names.len() == 2 {
            let cause = hints.cause.unwrap_or(Cause::Complaint);
            return known(Format::MailgunComplaints, at, Telling::All(cause));
        }
    }
    Ok(None)
}

/// A plain list with a header. Two columns that tell causes could contradict each other; of dates the one counts that is
/// more surely about the suppression.
fn plain_list(names: &[String], address: usize, hints: Hints) -> Result<Layout, SheetError> {
    let causes: Vec<usize> = called(names, &CAUSES).filter(|column| *column != address).collect();
    if let [_, second, ..] = causes[..] {
        return Err(SheetError::Twice { column: second + 1 });
    }
    let at = called(names, &DATES).find(|column| *column != address);
    plain_layout(address, causes.first().copied(), at, hints)
}

/// A plain list without a header: what its columns are is seen in them.
fn bare(address: usize, content: &Content, hints: Hints) -> Result<Layout, SheetError> {
    let first = |columns: Vec<usize>| columns.into_iter().find(|column| *column != address);
    plain_layout(address, first(content.words()), first(content.dates()), hints)
}

fn plain_layout(
    address: usize,
    cause: Option<usize>,
    at: Option<usize>,
    hints: Hints,
) -> Result<Layout, SheetError> {
    let telling = match (cause, hints.cause) {
        (Some(column), _) => Telling::Word(column),
        (None, Some(cause)) => Telling::All(cause),
        (None, None) => return Err(SheetError::NoCause),
    };
    Ok(Layout { format: Format::Plain, address, at, telling })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Records;

    /// The format and how it tells causes, of a header with nothing below it.
    fn told(header: &str, cause: Option<Cause>) -> Result<(Format, Telling), SheetError> {
        let first: Vec<String> = header.split(',').map(str::to_owned).collect();
        let place = place(&first, false, &Content::default())?;
        let layout = layout(&first, place, &Content::default(), Hints { cause })?;
        Ok((layout.format, layout.telling))
    }

    #[test]
    fn a_list_is_known_by_its_columns_in_any_order_case_and_spelling() {
        for (header, format) in [
            ("address,recipient_id,since,causes,origin", Format::Postledger),
            ("EmailAddress,SuppressionReason,Origin,CreatedAt", Format::Postmark),
            ("Email Address,Suppression Reason,Origin,Created At", Format::Postmark),
            ("ID,Type,TypeCode,Email,From,BouncedAt,Inactive", Format::PostmarkBounces),
            ("EmailAddress,Reason,LastUpdateTime", Format::Ses),
            ("LASTUPDATETIME,REASON,EMAILADDRESS", Format::Ses),
            ("Email Address,Reason,Last Update Time", Format::Ses),
            ("Destination,Reason,LastUpdateTime", Format::Ses),
            ("status,reason,email,created", Format::SendgridBounces),
            ("email,reason,status,created", Format::SendgridBounces),
            ("reason,email,created", Format::SendgridInvalid),
            ("ip,email,created", Format::SendgridSpam),
            ("email,created", Format::SendgridUnsubscribes),
            ("email,group_id,group_name,created_at", Format::SendgridUnsubscribes),
            ("address,code,error,created_at", Format::MailgunBounces),
            ("address,created_at", Format::MailgunComplaints),
            ("address,tags,created_at", Format::MailgunUnsubscribes),
            ("uuid,email,name,attributes,status,created_at,updated_at", Format::Listmonk),
            ("Email Address,Address,MEMBER_RATING,UNSUB_TIME,UNSUB_REASON", Format::MailchimpUnsubscribed),
            ("Email Address,CLEAN_TIME,LEID,EUID", Format::MailchimpCleaned),
            ("email,senderEmail,reason.code,reason.message,blockedAt", Format::BrevoBlocked),
            ("EMAIL,FIRSTNAME,SMS,EMAIL_BLACKLISTED,ADDED_TIME,MODIFIED_TIME", Format::BrevoContacts),
            ("email,cause,date", Format::Plain),
            ("E-Mail,Status", Format::Plain),
            ("email,reason,detail,created_at,expires_at,last_event_at,subaccount", Format::Plain),
        ] {
            assert_eq!(told(header, None).unwrap().0, format, "{header}");
        }
    }

    #[test]
    fn what_is_said_beside_a_list_counts_where_its_header_does_not_tell() {
        let hint = Some(Cause::HardBounce);
        let all = Telling::All;
        let telling = |header, cause| told(header, cause).unwrap().1;
        assert_eq!(telling("email,created", None), all(Cause::Unsubscribe));
        assert_eq!(telling("email,created", hint), all(Cause::HardBounce));
        assert_eq!(telling("address,created_at", None), all(Cause::Complaint));
        assert_eq!(telling("address,created_at", hint), all(Cause::HardBounce));
        assert_eq!(telling("ip,email,created", hint), all(Cause::Complaint), "spam reports are spam reports");
        assert_eq!(telling("email", hint), all(Cause::HardBounce));
        assert_eq!(told("email", None), Err(SheetError::NoCause));
        assert_eq!(told("email,date", None), Err(SheetError::NoCause));
    }

    #[test]
    fn a_header_that_could_be_read_in_two_ways_is_refused() {
        let hint = Some(Cause::Manual);
        assert_eq!(told("email,reason,status", hint), Err(SheetError::Twice { column: 3 }));
        assert_eq!(told("value,type,reason,createdAt", hint), Err(SheetError::NoHeader));
        // Those who may be mailed.
        let members = "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,LAST_CHANGED,LEID,EUID";
        assert_eq!(told(members, hint), Err(SheetError::Members));
    }

    #[test]
    fn addresses_are_found_by_the_name_of_their_column_and_by_what_it_holds() {
        let found = |text: &str| {
            let mut records = Records::of(text.as_bytes());
            let rows = records.clone();
            let first: Vec<String> = records
                .next()
                .unwrap()
                .cells
                .unwrap()
                .iter()
                .map(|cell| String::from_utf8_lossy(cell).into_owned())
                .collect();
            let header = !first.iter().any(|cell| cell.contains('@'));
            place(&first, false, &Content::of(rows.skip(usize::from(header))))
                .map(|place| (place.column, place.header))
        };
        for (text, expected) in [
            ("First Name,Email\nIda,ida@x.example\n", (1, true)),
            ("E-mail Address\nida@x.example\n", (0, true)),
            ("Recipient;Note\nida@x.example;a\n", (0, true)),
            ("Kunde,Kontakt\nIda,ida@x.example\nBob,\n", (1, true)),
            ("Kontakt,\nida@x.example,\n", (0, true)),
            ("Email Address,Address\nida@x.example,1 High Street\n", (0, true)),
            ("Address,Contact\nnone,ida@x.example\n", (1, true)),
            ("Email,Contact\nnone,ida@x.example\n", (0, true)),
            ("Email,Sales Rep\nida@x.example,rep@y.example\n", (0, true)),
            ("email,name\nida,Ida\n", (0, true)),
            ("Ida,ida@x.example\nBob,bob@x.example\n", (1, false)),
            ("ida@x.example,ask @bob\nbob@x.example,\n", (0, false)),
            ("ida@x.example\n", (0, false)),
            ("ida\n", (0, false)),
            ("ida.x.example\nbob@x.example\n", (0, false)),
            ("ida,bounce\nbob@x.example,bounce\n", (0, false)),
        ] {
            assert_eq!(found(text), Ok(expected), "{text}");
        }
        for (text, column) in [
            ("email,address\nida@x.example,ida@y.example\n", 2),
            ("Customer,Agent\nida@x.example,rep@y.example\n", 2),
            ("ida@x.example,rep@y.example\n", 2),
        ] {
            assert_eq!(found(text), Err(SheetError::Addresses { column }), "{text}");
        }
        for none in ["name,phone\nIda,1\n", "name,phone\nIda,1,ida@x.example\n"] {
            assert_eq!(found(none), Err(SheetError::NoHeader), "{none}");
        }
    }

    #[test]
    fn names_of_formats_are_apart() {
        let names: std::collections::BTreeSet<&str> =
            Format::ALL.iter().map(|format| format.name()).collect();
        assert_eq!(names.len(), Format::ALL.len());
    }
}
