//! Texts of what is written in a mail.

use super::Texts;

texts! {
    content_title() "What is written in this mail";
    content_intro() "Postmark is asked for it when you press the button, and nothing of it is stored here. Each look is listed under “Changes”: who looked, when, and at which message.";
    content_button() "Show the mail";
    content_not_yours() "You may not see the content of mails. Whoever may see it can give you that right on the page People; operators can, if they have it.";
    content_none() "Postmark keeps no content of this mail: it is not kept for that long, or not kept at all for this server.";
    content_cut() "A body of this mail is longer than what is shown of it.";
    content_attachments() "Attachments";
    content_attachments_hint() "Postmark does not keep the attachments themselves.";
    content_text() "As plain text";
    content_html() "As HTML";
    content_html_what() "It is shown in a frame in which nothing runs and nothing is loaded from elsewhere, so that pictures may be missing. This look is listed, too.";
    content_html_button() "Show the HTML below";
    content_no_html() "This mail has no HTML.";
}
