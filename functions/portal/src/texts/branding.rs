//! Texts of what the portal is called and looks like.

use super::Texts;
use std::fmt::Display;

texts! {
    branding() "Branding";
    support_at() "Do you need help? Write to";
    branding_intro() "All people who use the portal see this on every page, before they sign in too. Whatever you leave empty stays as it was set up.";
    branding_where() "The portal is at";
    branding_where_hint() "It is set where the portal is set up (--portal-url, or PortalDomainName on AWS), and cannot be changed here.";
    branding_name() "Name";
    branding_name_hint(name) "1 to 60 characters. Without one, the portal is called {name}. The name also stands in mails with codes and invitations.";
    branding_accent() "Accent colour";
    branding_accent_hint() "Such as #1f5f8b. Buttons get this colour, with black or white text, whichever reads better. Links become darker or lighter where they could not be read.";
    branding_support() "Support address";
    branding_support_hint() "Where your clients write for help. It stands at the foot of every page.";
    branding_logo() "Logo";
    branding_logo_hint() "A PNG, JPEG, WebP or GIF of at most 20 KB. It stands beside the name, 2 lines high.";
    branding_logo_pending() "The logo that you chose is kept for the preview. Choose a file only if you want another one.";
    branding_logo_remove() "Show no logo";
    branding_logo_now() "The logo now";
    branding_preview_button() "Preview";
    branding_preview() "Preview";
    branding_preview_intro() "Nothing has changed yet. This would change:";
    branding_nothing() "Nothing would change.";
    branding_what() "What";
    branding_before() "Now";
    branding_after() "Then";
    branding_none() "as set up";
    branding_logo_none() "none";
    branding_logo_one(kind, size) "{kind}, {size} bytes";
    branding_light() "In the light scheme";
    branding_dark() "In the dark scheme";
    branding_sample_text() "Text of a page, with";
    branding_sample_link() "a link";
    branding_sample_button() "A button";
    branding_save() "Save";
    branding_saved() "Saved. It is on every page from now on; where the portal runs in several processes, within a minute.";
    branding_problem_name() "Give 1 to 60 characters in one line, or nothing.";
    branding_problem_accent() "This is not a colour. Write it as #1f5f8b: a hash sign and six digits or letters from a to f.";
    branding_problem_support() "This is not an address. Check it for typing errors.";
    branding_problem_logo_size() "This file is larger than 20 KB. Save the logo smaller: 64 pixels high are enough.";
    branding_problem_logo_svg() "An SVG may hold script, so it is not taken. Save the logo as PNG, JPEG, WebP or GIF.";
    branding_problem_logo_kind() "This file is no picture of a kind that can be used. Save the logo as PNG, JPEG, WebP or GIF.";
}
