//! The arguments of `postledger branding`.

use super::api::Access;
use clap::Args;
use std::path::PathBuf;

/// `branding`.
#[derive(Debug, Args)]
pub struct Branding {
    /// The name of the portal: 1 to 60 characters. It also stands in mails with codes and invitations.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The logo: a PNG, JPEG, WebP or GIF of at most 20 KB. An SVG is refused, because it may hold script.
    #[arg(long, value_name = "FILE")]
    pub logo: Option<PathBuf>,
    /// The colour of buttons and links, such as '#1f5f8b'. Links become darker or lighter where they could not be read.
    #[arg(long, value_name = "#RRGGBB")]
    pub accent: Option<String>,
    /// The address to which your clients write for help. It stands at the foot of every page.
    #[arg(long, value_name = "ADDRESS")]
    pub support: Option<String>,
    /// Take away what there is: what is not given beside this is as it was set up.
    #[arg(long)]
    pub clear: bool,
    /// Where the API is asked.
    #[command(flatten)]
    pub access: Access,
}
