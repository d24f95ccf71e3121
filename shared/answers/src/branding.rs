//! What the portal is called and looks like.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the portal is called and looks like. What is absent is as it was set up, or as the portal's own style has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Branding {
    /// Where the portal is. It is set where the portal is set up, and not here.
    pub url: String,
    /// The name of the portal: on every page, and in its mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The colour of buttons and links. Where it could not be read, links are darker or lighter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accent: Option<String>,
    /// The address to which clients write for help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<String>,
    /// The logo: the bytes of the picture, as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// What kind of picture the logo is: `image/png`, `image/jpeg`, `image/webp` or `image/gif`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_type: Option<String>,
}

/// What the portal is to be called and to look like: all of it, so that what is left out is as it was set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBranding {
    /// The name of the portal: 1 to 60 characters in one line.
    #[schemars(length(min = 1, max = 60))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The colour of buttons and links.
    #[schemars(regex(pattern = "^#[0-9A-Fa-f]{6}$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accent: Option<String>,
    /// The address to which clients write for help.
    #[schemars(length(min = 3, max = 1024))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<String>,
    /// The logo: a PNG, JPEG, WebP or GIF of at most 20 KB, as base64. An SVG is refused, because it may hold script.
    #[schemars(length(min = 4, max = 27_308))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
}
