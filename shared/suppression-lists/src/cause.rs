//! Why a row's address is on its list, or that it is not.

use crate::file::Hints;
use crate::header::Telling;
use crate::list::{Cells, cell, text};
use crate::words::{MAILABLE, SOFT, Word, gravest, word};
use ledger::event::{Bar, Cause};

const NO_FLAG: &str = "the row says neither yes nor no about whether the address is on the list";

/// Why a row's address is on the list, or why it is not.
pub(crate) fn cause(record: &Cells<'_>, telling: Telling, hints: Hints) -> Result<Word, &'static str> {
    const UNKNOWN: &str =
        "the cause is not known: expected hard_bounce, complaint, unsubscribe, manual or unknown";
    let hinted = || hints.cause.map(Word::Suppressed).ok_or("the row has no cause");
    match telling {
        Telling::All(cause) => Ok(Word::Suppressed(cause)),
        Telling::Word(column) => match text(record, column)? {
            "" => hinted(),
            cell => word(cell).ok_or(UNKNOWN),
        },
        Telling::Words(column) => {
            let cell = text(record, column)?;
            let words =
                cell.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
            let mut words: Vec<&str> = words.collect();
            // That it was imported says nothing more where its cause stands beside it.
            if words.len() > 1 {
                words.retain(|word| *word != Bar::Import(None).name());
            }
            let words: Vec<Word> = words.into_iter().map(word).collect::<Option<_>>().ok_or(UNKNOWN)?;
            let causes = words.iter().filter_map(|word| match word {
                Word::Suppressed(cause) => Some(*cause),
                Word::Not(_) => None,
            });
            match gravest(causes) {
                Some(cause) => Ok(Word::Suppressed(cause)),
                None => words.first().copied().map_or_else(hinted, Ok),
            }
        }
        // Texts of other mail servers are in any encoding; their codes are ASCII.
        Telling::Bounce { status, reason } => {
            let status = String::from_utf8_lossy(cell(record, status));
            let reason = String::from_utf8_lossy(cell(record, reason));
            Ok(word(&status).unwrap_or_else(|| bounce(&status, &reason, hints)))
        }
        Telling::Invalid { reason } => {
            let reason = String::from_utf8_lossy(cell(record, reason));
            Ok(word(&reason).unwrap_or(Word::Suppressed(Cause::HardBounce)))
        }
        Telling::Postmark { reason, origin } => {
            let some = |cell: &'_ str| (!cell.is_empty()).then(|| cell.to_owned());
            let reason = some(text(record, reason)?);
            let origin = origin.map_or(Ok(None), |column| text(record, column).map(some))?;
            Ok(Word::Suppressed(match Cause::told(reason.as_deref(), origin.as_deref()) {
                Cause::Unknown => hints.cause.unwrap_or(Cause::Unknown),
                cause => cause,
            }))
        }
        Telling::PostmarkBounce { kind, inactive } => {
            let kind = text(record, kind)?;
            let cause = Cause::of_bounce(kind);
            let listed = match inactive.map_or(Ok(""), |column| text(record, column))? {
                "" => matches!(kind, "HardBounce" | "BadEmailAddress") || cause != Cause::HardBounce,
                // A bounce that was lifted stays what it was to the one who complained or unsubscribed.
                cell => flag(cell).ok_or(NO_FLAG)? || matches!(cause, Cause::Complaint | Cause::Unsubscribe),
            };
            let soft = if kind == "HardBounce" { MAILABLE } else { SOFT };
            Ok(if listed { Word::Suppressed(cause) } else { Word::Not(soft) })
        }
        Telling::Flag(column) => match flag(text(record, column)?) {
            Some(true) => Ok(Word::Suppressed(hints.cause.unwrap_or(Cause::Unknown))),
            Some(false) => Ok(Word::Not(MAILABLE)),
            None => Err(NO_FLAG),
        },
        Telling::Listmonk { status, subscription } => {
            let unsubscribed = match subscription {
                Some(column) => text(record, column)?.eq_ignore_ascii_case("unsubscribed"),
                None => false,
            };
            // It was an act of the customer, unless more is known. Older versions call it blacklisted.
            let cause = if unsubscribed { Cause::Unsubscribe } else { hints.cause.unwrap_or(Cause::Manual) };
            match text(record, status)?.to_ascii_lowercase().as_str() {
                "blocklisted" | "blacklisted" => Ok(Word::Suppressed(cause)),
                "enabled" | "disabled" if unsubscribed => Ok(Word::Suppressed(cause)),
                "enabled" => Ok(Word::Not(MAILABLE)),
                "disabled" => Ok(Word::Not("the subscriber is disabled, not blocklisted")),
                _ => Err("the status is not one of listmonk's"),
            }
        }
    }
}

/// A row of SendGrid's bounces or blocks: both lists have one header, and only the first one suppresses. A code of 4 is
/// temporary; one of 5.7 is a refusal by policy, which is what blocks are, unless the list is said to be of bounces.
fn bounce(status: &str, reason: &str, hints: Hints) -> Word {
    let code =
        enhanced(status).or_else(|| enhanced(reason)).or_else(|| basic(status)).or_else(|| basic(reason));
    match code {
        Some((b'4', _)) => Word::Not(SOFT),
        Some((_, Some(b'7'))) if hints.cause != Some(Cause::HardBounce) => Word::Not(
            "a refusal by policy, such as SendGrid's blocks: give `cause` as hard_bounce if it is a bounce",
        ),
        _ => Word::Suppressed(Cause::HardBounce),
    }
}

/// Class and subject of `5.1.1`, first or behind a basic code.
fn enhanced(text: &str) -> Option<(u8, Option<u8>)> {
    text.split_whitespace().take(2).find_map(|part| match part.as_bytes() {
        [class @ b'2'..=b'5', b'.', subject @ b'0'..=b'9', b'.', b'0'..=b'9', ..] => {
            Some((*class, Some(*subject)))
        }
        _ => None,
    })
}

/// Class of `550`.
fn basic(text: &str) -> Option<(u8, Option<u8>)> {
    match text.trim_start().as_bytes() {
        [class @ b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', rest @ ..]
            if !rest.first().is_some_and(u8::is_ascii_digit) =>
        {
            Some((*class, None))
        }
        _ => None,
    }
}

/// Yes or no.
fn flag(cell: &str) -> Option<bool> {
    match cell.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "y" => Some(true),
        "false" | "no" | "0" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::SheetError;
    use crate::read::tests::{sheet, told};

    #[test]
    fn sendgrids_bounces_suppress_and_its_blocks_do_not() {
        let csv = "status,reason,email,created\n\
            5.1.1,\"550 5.1.1 The email account does not exist,\nsorry \"\"Ida\"\"\",ida@customer.example,1443651141\n\
            4.0.0,error dialing remote address: no route to host,bob@customer.example,1443651142\n\
            ,421 4.7.0 try again,eve@customer.example,1443651143\n\
            5.7.1,550 5.7.1 blocked,joe@customer.example,1443651144\n\
            550,550 5.7.1 blocked,amy@customer.example,1443651144\n\
            554,554 no such user,max@customer.example,1443651145\n\
            ,bounced,tom@customer.example,1443651146\n";
        let policy = "ignored: a refusal by policy, such as SendGrid's blocks: give `cause` as hard_bounce \
            if it is a bounce";
        assert_eq!(
            told(csv, None),
            format!(
                "sendgrid-bounces\n\
                2 ida@customer.example hard_bounce 2015-09-30T22:12:21.000000Z\n\
                4 ignored: {SOFT}\n\
                5 ignored: {SOFT}\n\
                6 {policy}\n\
                7 {policy}\n\
                8 max@customer.example hard_bounce 2015-09-30T22:12:25.000000Z\n\
                9 tom@customer.example hard_bounce 2015-09-30T22:12:26.000000Z\n"
            )
        );
        let bounces = sheet(csv, Some(Cause::HardBounce)).unwrap();
        assert_eq!((bounces.rows.len(), bounces.ignored.len()), (5, 2), "said to be bounces");
    }

    #[test]
    fn sendgrids_other_lists_are_read() {
        assert_eq!(
            told(
                "reason,email,created\nMail domain is unknown,ida@customer.example,1443651141\n\
                 resubscribed,bob@customer.example,1443651141\nno @,bob,1443651141\n",
                None
            ),
            format!(
                "sendgrid-invalid-emails\n\
                2 ida@customer.example hard_bounce 2015-09-30T22:12:21.000000Z\n\
                3 ignored: {MAILABLE}\n\
                4 invalid: the address has no @\n"
            )
        );
        assert_eq!(
            told("ip,email,created\n192.0.2.1,ida@customer.example,2015-09-30 22:12:21\n", None),
            "sendgrid-spam-reports\n2 ida@customer.example complaint 2015-09-30T22:12:21.000000Z\n"
        );
        assert_eq!(
            told("email,created\r\nida@customer.example,1443651141\r\n", None),
            "sendgrid-unsubscribes\n2 ida@customer.example unsubscribe 2015-09-30T22:12:21.000000Z\n"
        );
    }

    #[test]
    fn amazons_list_is_read_with_and_without_a_header() {
        assert_eq!(
            told(
                "EmailAddress,Reason,LastUpdateTime\n\
                 ida@customer.example,BOUNCE,2020-04-10T21:03:05.077000+00:00\n\
                 bob@customer.example,COMPLAINT,1586552585.077\n\
                 eve@customer.example,,1586552585\n",
                None
            ),
            "ses\n\
            2 ida@customer.example hard_bounce 2020-04-10T21:03:05.077000Z\n\
            3 bob@customer.example complaint 2020-04-10T21:03:05.000000Z\n\
            4 invalid: the row has no cause\n"
        );
        assert_eq!(
            told("ida@customer.example,BOUNCE\nbob@customer.example, COMPLAINT\n", None),
            "plain\n1 ida@customer.example hard_bounce -\n2 bob@customer.example complaint -\n"
        );
    }

    #[test]
    fn mailguns_lists_are_read() {
        assert_eq!(
            told(
                "address,code,error,created_at\n\
                 ida@customer.example,550,\"No such mailbox, sorry\",\"Fri, 21 Oct 2011 11:02:55 GMT\"\n\
                 bob@customer.example,,,\n",
                None
            ),
            "mailgun-bounces\n\
            2 ida@customer.example hard_bounce 2011-10-21T11:02:55.000000Z\n\
            3 bob@customer.example hard_bounce -\n"
        );
        assert_eq!(
            told("address,created_at\nida@customer.example,\"Fri, 21 Oct 2011 11:02:55 UTC\"\n", None),
            "mailgun-complaints\n2 ida@customer.example complaint 2011-10-21T11:02:55.000000Z\n"
        );
        assert_eq!(
            told("address,tags,created_at\nida@customer.example,*,\nbob@customer.example,news,\n", None),
            "mailgun-unsubscribes\n\
            2 ida@customer.example unsubscribe -\n\
            3 bob@customer.example unsubscribe -\n"
        );
    }

    #[test]
    fn of_listmonks_subscribers_only_the_blocklisted_count() {
        let head = "uuid,email,name,attributes,status,created_at,updated_at";
        let tail = "2023-01-01 10:00:00 +0000 UTC,2024-05-01 10:00:00.123456 +0000 UTC";
        let csv = format!(
            "{head}\n\
            u1,ida@customer.example,Ida,\"{{\"\"city\"\": \"\"Graz\"\"}}\",blocklisted,{tail}\n\
            u2,bob@customer.example,Bob,{{}},enabled,{tail}\n\
            u3,eve@customer.example,Eve,{{}},disabled,{tail}\n\
            u4,joe@customer.example,Joe,{{}},,{tail}\n"
        );
        let told_with = |cause: Cause| {
            format!(
                "listmonk\n\
                2 ida@customer.example {} 2024-05-01T10:00:00.123456Z\n\
                3 ignored: {MAILABLE}\n\
                4 ignored: the subscriber is disabled, not blocklisted\n\
                5 invalid: the status is not one of listmonk's\n",
                cause.name()
            )
        };
        assert_eq!(told(&csv, None), told_with(Cause::Manual));
        assert_eq!(told(&csv, Some(Cause::HardBounce)), told_with(Cause::HardBounce));
        assert_eq!(
            told(
                "uuid,email,status,subscription_status\nu1,ida@customer.example,enabled,unsubscribed\n",
                None
            ),
            "listmonk\n2 ida@customer.example unsubscribe -\n"
        );
    }

    #[test]
    fn postmarks_dump_is_read() {
        assert_eq!(
            told(
                "EmailAddress,SuppressionReason,Origin,CreatedAt\n\
                 ida@customer.example,HardBounce,Recipient,2019-12-17T08:58:33-05:00\n\
                 bob@customer.example,SpamComplaint,Recipient,2019-12-17T08:58:33-05:00\n\
                 eve@customer.example,ManualSuppression,Recipient,2019-12-17T08:58:33-05:00\n\
                 joe@customer.example,ManualSuppression,Admin,2019-12-17T08:58:33-05:00\n\
                 amy@customer.example,PolicyViolation,Admin,2019-12-17T08:58:33-05:00\n",
                None
            ),
            "postmark\n\
            2 ida@customer.example hard_bounce 2019-12-17T13:58:33.000000Z\n\
            3 bob@customer.example complaint 2019-12-17T13:58:33.000000Z\n\
            4 eve@customer.example unsubscribe 2019-12-17T13:58:33.000000Z\n\
            5 joe@customer.example manual 2019-12-17T13:58:33.000000Z\n\
            6 amy@customer.example unknown 2019-12-17T13:58:33.000000Z\n"
        );
    }

    #[test]
    fn mailchimps_exports_are_read() {
        let head = "Email Address,First Name,Address,MEMBER_RATING,OPTIN_TIME,OPTIN_IP";
        let row = "ann@customer.example,Ann,\"1 High Street\",2,2023-01-01 09:00:00,192.0.2.1";
        assert_eq!(
            told(
                format!(
                    "{head},UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON,LEID,EUID\n{row},2024-02-03 10:00:00,News,NORMAL,1,a\n"
                ),
                None
            ),
            "mailchimp-unsubscribed\n2 ann@customer.example unsubscribe 2024-02-03T10:00:00.000000Z\n"
        );
        let cleaned =
            format!("{head},CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,LEID,EUID\n{row},2024-02-03 10:00:00,News,1,a\n");
        assert_eq!(
            told(&cleaned, None),
            "mailchimp-cleaned\n2 ann@customer.example hard_bounce 2024-02-03T10:00:00.000000Z\n"
        );
        let about = sheet(&cleaned, None).unwrap().about;
        assert_eq!(about.address_column.as_deref(), Some("Email Address"));
        assert_eq!(about.columns_not_read[..3], ["First Name", "Address", "MEMBER_RATING"]);
        assert_eq!(
            sheet(format!("{head},LAST_CHANGED,LEID,EUID\n{row},,1,a\n"), Some(Cause::Manual)),
            Err(SheetError::Members)
        );
    }

    #[test]
    fn brevos_lists_are_read() {
        assert_eq!(
            told(
                r#"{"count":6,"contacts":[
{"email":"a@x.example","senderEmail":"s@y.example","reason":{"code":"hardBounce","message":"Hard bounce"},"blockedAt":"2024-05-01T12:30:00.000Z"},
{"email":"b@x.example","senderEmail":"s@y.example","reason":{"code":"contactFlaggedAsSpam","message":"m"},"blockedAt":"2024-05-01T12:30:00.000+02:00"},
{"email":"c@x.example","senderEmail":"","reason":{"code":"unsubscribedViaMA","message":"m"},"blockedAt":"2024-05-01T12:30:00Z"},
{"email":"d@x.example","senderEmail":"","reason":{"code":"adminBlocked","message":"m"},"blockedAt":"2024-05-01T12:30:00Z"},
{"email":"e@x.example","senderEmail":"","reason":{"code":"weather","message":"m"},"blockedAt":"2024-05-01T12:30:00Z"}]}"#,
                None
            ),
            "brevo-blocked\n\
            2 a@x.example hard_bounce 2024-05-01T12:30:00.000000Z\n\
            3 b@x.example complaint 2024-05-01T10:30:00.000000Z\n\
            4 c@x.example unsubscribe 2024-05-01T12:30:00.000000Z\n\
            5 d@x.example manual 2024-05-01T12:30:00.000000Z\n\
            6 invalid: the cause is not known: expected hard_bounce, complaint, unsubscribe, manual or unknown\n"
        );
        assert_eq!(
            told(
                "EMAIL;FIRSTNAME;EMAIL_BLACKLISTED;MODIFIED_TIME\na@x.example;A;1;2024-05-01 12:30:00\nb@x.example;B;no;\nc@x.example;C;;\n",
                Some(Cause::Unsubscribe)
            ),
            format!(
                "brevo-contacts\n\
                2 a@x.example unsubscribe 2024-05-01T12:30:00.000000Z\n\
                3 ignored: {MAILABLE}\n\
                4 invalid: the row says neither yes nor no about whether the address is on the list\n"
            )
        );
    }

    #[test]
    fn amazons_list_is_read_as_its_command_line_prints_it() {
        let page = r#"{
    "SuppressedDestinationSummaries": [
        {
            "EmailAddress": "ann@customer.example",
            "Reason": "BOUNCE",
            "LastUpdateTime": "2020-04-10T21:03:05.077000+00:00"
        },
        { "EmailAddress": "bea@customer.example", "Reason": "COMPLAINT", "LastUpdateTime": 1586552585.077 }
    ],
    "NextToken": "AAAA"
}"#;
        assert_eq!(
            told(page, None),
            "ses\n\
            3 ann@customer.example hard_bounce 2020-04-10T21:03:05.077000Z\n\
            8 bea@customer.example complaint 2020-04-10T21:03:05.000000Z\n"
        );
        assert!(sheet(page, None).unwrap().about.goes_on);
        assert!(!sheet(page.replace("AAAA", ""), None).unwrap().about.goes_on);
    }

    #[test]
    fn postmarks_answers_are_read_as_they_are() {
        assert_eq!(
            told(
                r#"{"Suppressions":[{"EmailAddress":"ann@customer.example","SuppressionReason":"ManualSuppression",
                    "Origin":"Recipient","CreatedAt":"2019-12-17T08:58:33-05:00"}]}"#,
                None
            ),
            "postmark\n1 ann@customer.example unsubscribe 2019-12-17T13:58:33.000000Z\n"
        );
        let bounce = |kind: &str, email: &str, inactive: bool| {
            format!(
                r#"{{"ID":1,"Type":"{kind}","TypeCode":1,"Name":"n","Tag":null,"Email":"{email}@x.example","From":"us@y.example",
                "BouncedAt":"2024-05-01T10:00:00Z","DumpAvailable":true,"Inactive":{inactive},"CanActivate":true}}"#
            ).replace('\n', "")
        };
        let bounces = [
            bounce("HardBounce", "a", true),
            bounce("HardBounce", "b", false),
            bounce("SoftBounce", "c", false),
            bounce("SoftBounce", "d", true),
            bounce("SpamComplaint", "e", true),
            bounce("SpamComplaint", "f", false),
            bounce("Unsubscribe", "g", true),
            bounce("ManuallyDeactivated", "h", true),
        ];
        let at = "2024-05-01T10:00:00.000000Z";
        assert_eq!(
            told(format!("{{\"TotalCount\":8,\"Bounces\":[{}]}}", bounces.join(",\n")), None),
            format!(
                "postmark-bounces\n\
                1 a@x.example hard_bounce {at}\n\
                2 ignored: {MAILABLE}\n\
                3 ignored: {SOFT}\n\
                4 d@x.example hard_bounce {at}\n\
                5 e@x.example complaint {at}\n\
                6 f@x.example complaint {at}\n\
                7 g@x.example unsubscribe {at}\n\
                8 h@x.example manual {at}\n"
            )
        );
    }
}
