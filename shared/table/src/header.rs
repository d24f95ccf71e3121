//! Which service's list a file is, by its header.
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
//! | Amazon SES account list | `EmailAddress,Reason,LastUpdateTime` | the API's fields; no export of Amazon's own is known |
//! | the same | `Email Address,Reason,Last Update Time` | a tool that writes it so |
//! | Amazon SES bulk list | address and `BOUNCE` or `COMPLAINT`, no header | documented, for import |
//! | Mailgun bounces | `address,code,error,created_at` | documented, for import |
//! | Mailgun complaints | `address,created_at` | documented, for import |
//! | Mailgun unsubscribes | `address,tags,created_at` | documented, for import |
//! | listmonk subscribers | `uuid,email,name,attributes,status,created_at,updated_at` | listmonk's source |
//! | Postmark | `EmailAddress,SuppressionReason,Origin,CreatedAt` | documented, as the JSON of a dump |
//!
//! Order never matters, nor do case, spaces, `_` and `-`. Columns beside these are looked past in a service's own list,
//! and refused in a plain one, where they could say that a row is none.

use crate::read::{Hints, SheetError};
use crate::words::plain;
use crate::write::COLUMNS;
use ledger::event::Cause;

/// Whose list a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Our own export.
    Postledger,
    /// Postmark's suppression dump as a table.
    Postmark,
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
    /// Addresses, with or without cause and date, with or without a header.
    Plain,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 12] = [
        Format::Postledger,
        Format::Postmark,
        Format::Ses,
        Format::SendgridBounces,
        Format::SendgridInvalid,
        Format::SendgridSpam,
        Format::SendgridUnsubscribes,
        Format::MailgunBounces,
        Format::MailgunComplaints,
        Format::MailgunUnsubscribes,
        Format::Listmonk,
        Format::Plain,
    ];

    /// The name that answers use.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Postledger => "postledger",
            Format::Postmark => "postmark",
            Format::Ses => "ses",
            Format::SendgridBounces => "sendgrid-bounces",
            Format::SendgridInvalid => "sendgrid-invalid-emails",
            Format::SendgridSpam => "sendgrid-spam-reports",
            Format::SendgridUnsubscribes => "sendgrid-unsubscribes",
            Format::MailgunBounces => "mailgun-bounces",
            Format::MailgunComplaints => "mailgun-complaints",
            Format::MailgunUnsubscribes => "mailgun-unsubscribes",
            Format::Listmonk => "listmonk",
            Format::Plain => "plain",
        }
    }
}

/// How the rows of a file tell why the address is on the list. Numbers are columns, from 0.
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
    /// listmonk's status of the subscriber, and of the subscription where it is told.
    Listmonk { status: usize, subscription: Option<usize> },
}

/// Where in its rows a file tells what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) address: usize,
    pub(crate) at: Option<usize>,
    pub(crate) telling: Telling,
}

/// What a plain list calls its columns, in one word.
const ADDRESSES: [&str; 5] = ["email", "emailaddress", "address", "recipient", "destination"];
const CAUSES: [&str; 4] = ["cause", "reason", "status", "type"];
const DATES: [&str; 8] = ["date", "created", "createdat", "since", "at", "timestamp", "time", "suppressedat"];
/// What Amazon's `LastUpdateTime` is called.
const UPDATED: [&str; 3] = ["lastupdatetime", "lastupdated", "lastupdatedtime"];

/// The layout that a header tells; `None` where the record is no header that is known.
///
/// # Errors
/// The header is known, but tells too little or too much.
pub(crate) fn layout(header: &csv::StringRecord, hints: Hints) -> Result<Option<Layout>, SheetError> {
    let mut names: Vec<String> = header.iter().map(plain).collect();
    // Spreadsheets leave delimiters of columns that were emptied.
    names.truncate(names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1));
    let find = |name: &str| names.iter().position(|column| column == name);
    let any = |known: &[&str]| known.iter().find_map(|name| find(name));
    let all = |known: &[&str]| known.iter().all(|name| find(name).is_some());
    let Some(address) = any(&ADDRESSES) else {
        return Ok(None);
    };
    let known = |format, at, telling| Ok(Some(Layout { format, address, at, telling }));

    if COLUMNS.iter().all(|name| find(&plain(name)).is_some())
        && let Some(causes) = find("causes")
    {
        return known(Format::Postledger, find("since"), Telling::Words(causes));
    }
    if let Some(reason) = find("suppressionreason") {
        let telling = Telling::Postmark { reason, origin: find("origin") };
        return known(Format::Postmark, find("createdat"), telling);
    }
    if all(&["uuid", "email"])
        && let Some(status) = find("status")
    {
        let telling = Telling::Listmonk { status, subscription: find("subscriptionstatus") };
        return known(Format::Listmonk, find("updatedat"), telling);
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
    plain_list(&names, hints).map(Some)
}

/// A plain list with a header: each of its columns is known, and none is there twice.
fn plain_list(names: &[String], hints: Hints) -> Result<Layout, SheetError> {
    let (mut address, mut cause, mut at) = (None, None, None);
    for (column, name) in names.iter().enumerate() {
        let known = |words: &[&str]| words.contains(&name.as_str());
        let place = if known(&ADDRESSES) {
            &mut address
        } else if known(&CAUSES) {
            &mut cause
        } else if known(&DATES) || known(&UPDATED) {
            &mut at
        } else {
            return Err(SheetError::Column { column: column + 1 });
        };
        if place.replace(column).is_some() {
            return Err(SheetError::Twice { column: column + 1 });
        }
    }
    let address = address.ok_or(SheetError::NoHeader)?;
    plain_layout(address, cause, at, hints)
}

/// A plain list without a header: addresses, and behind each a word, a date, or both.
pub(crate) fn bare(first: &csv::StringRecord, hints: Hints) -> Result<Layout, SheetError> {
    // No word for a cause has a digit.
    let second_is_date = first.get(1).is_some_and(|cell| cell.contains(|c: char| c.is_ascii_digit()));
    match first.len() {
        1 => plain_layout(0, None, None, hints),
        2 if second_is_date => plain_layout(0, None, Some(1), hints),
        2 => plain_layout(0, Some(1), None, hints),
        3 => plain_layout(0, Some(1), Some(2), hints),
        _ => Err(SheetError::NoHeader),
    }
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

    fn told(header: &str, cause: Option<Cause>) -> Result<Option<(Format, Telling)>, SheetError> {
        let header: csv::StringRecord = header.split(',').collect();
        layout(&header, Hints { cause }).map(|layout| layout.map(|layout| (layout.format, layout.telling)))
    }

    #[test]
    fn a_list_is_known_by_its_columns_in_any_order_case_and_spelling() {
        for (header, format) in [
            ("address,recipient_id,since,causes,origin", Format::Postledger),
            ("EmailAddress,SuppressionReason,Origin,CreatedAt", Format::Postmark),
            ("Email Address,Suppression Reason,Origin,Created At", Format::Postmark),
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
            ("email,cause,date", Format::Plain),
            ("E-Mail,Status", Format::Plain),
        ] {
            assert_eq!(told(header, None).unwrap().unwrap().0, format, "{header}");
        }
    }

    #[test]
    fn what_is_said_beside_a_list_counts_where_its_header_does_not_tell() {
        let hint = Some(Cause::HardBounce);
        let all = |cause| Some(Telling::All(cause));
        let telling = |header, cause| told(header, cause).unwrap().map(|told| told.1);
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
    fn a_header_that_is_not_understood_whole_is_refused() {
        let hint = Some(Cause::Manual);
        // Mandrill's; an allow list of Mailgun's; a list of customers.
        let mandrill = "email,reason,detail,created_at,expires_at,last_event_at,subaccount";
        assert_eq!(told(mandrill, hint), Err(SheetError::Column { column: 3 }));
        assert_eq!(told("value,type,reason,createdAt", hint), Ok(None));
        assert_eq!(told("email,name", hint), Err(SheetError::Column { column: 2 }));
        assert_eq!(told("email,reason,status", hint), Err(SheetError::Twice { column: 3 }));
        assert_eq!(told("email,address", hint), Err(SheetError::Twice { column: 2 }));
        assert_eq!(told("ida@customer.example,BOUNCE", hint), Ok(None));
    }

    #[test]
    fn names_of_formats_are_apart() {
        let names: std::collections::BTreeSet<&str> =
            Format::ALL.iter().map(|format| format.name()).collect();
        assert_eq!(names.len(), Format::ALL.len());
    }
}
