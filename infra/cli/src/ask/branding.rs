//! The command `branding`: what the portal is called and looks like, shown or changed.

use crate::api::{Api, Request};
use crate::args::branding::Branding as Args;
use crate::target::Context;
use crate::{Failure, USAGE, say, show, tell};
use answers::{Branding, NewBranding};
use people::{BrandingRefused, LOGO_BYTES_MAX, Logo};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Where the API has it.
const BRANDING: &[&str] = &["branding"];

/// Runs it.
pub(super) fn run(args: &Args, context: &Context, json: bool) -> Result<(), Failure> {
    let Args { name, logo, accent, support, clear, access } = args;
    let logo = logo.as_deref().map(read).transpose()?;
    let changes = *clear || logo.is_some() || [name, accent, support].into_iter().any(Option::is_some);
    let api = Api::open(access, context)?;
    let mut told = api.ask(&Request::get(BRANDING))?;
    if changes {
        let now: Branding = if *clear { Branding::default() } else { told.read()? };
        let new = NewBranding {
            name: name.clone().or(now.name),
            accent: accent.clone().or(now.accent),
            support: support.clone().or(now.support),
            logo: logo.or(now.logo),
        };
        told = api.ask(&Request::put(BRANDING).json(&new))?;
    }
    if json {
        say(serde_json::to_string_pretty(&told.json()?)?);
        return Ok(());
    }
    let Branding { url, name, accent, support, logo, logo_type } = told.read()?;
    let logo = logo.zip(logo_type).and_then(|(logo, kind)| {
        let bytes = Logo::of_base64(&logo).ok()?.bytes().len();
        Some(format!("{kind}, {bytes} bytes"))
    });
    let rows = [("name", name), ("logo", logo), ("accent", accent), ("support", support)];
    let row = |(what, value): (&str, Option<String>)| {
        [what.to_owned(), value.unwrap_or_else(|| "as set up".to_owned())]
    };
    say(show::table(["what", "is"], rows.into_iter().map(row)));
    tell(match changes {
        true => format!("changed: within a minute it is on every page of {url}"),
        false => format!("on every page of {url}; see --help for how to change it"),
    });
    Ok(())
}

/// A logo as the API takes it.
fn read(file: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // No more than it takes to see that it is too large.
    let most = u64::try_from(LOGO_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let opened = File::open(file).and_then(|opened| opened.take(most).read_to_end(&mut bytes));
    opened.map_err(|error| {
        Failure::new(format!("the logo {} cannot be read: {error}", file.display())).status(USAGE)
    })?;
    let wrong = |refused: BrandingRefused| Failure::new(format!("--logo: {refused}")).status(USAGE);
    Ok(Logo::read(bytes).map_err(wrong)?.base64())
}
