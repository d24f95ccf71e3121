//! What the portal is called and looks like, for operators: given, looked at before it counts, and then kept.

use super::shared::number;
use crate::colour::{self, DARK, LIGHT, Scheme};
use crate::respond::{self, Answer};
use crate::texts::Texts;
use crate::visit::{Ask, Failed, Frame, Visit};
use answers::NewBranding;
use askama::Template;
use http::{Method, StatusCode};
use people::{Branding, BrandingRefused, Logo};
use std::str::FromStr;

/// The path of this page.
const PATH: &str = "/branding";
/// What buttons and links are where no accent is given, as `portal.css` has them: in the light scheme, and in the dark.
const USUAL: [[colour::Rgb; 2]; 2] =
    [[[0x1f, 0x5f, 0x8b], [0x1a, 0x5a, 0x8a]], [[0x2f, 0x77, 0xa9], [0x7f, 0xb9, 0xe6]]];

#[derive(Template)]
#[template(path = "branding.html")]
struct BrandingPage {
    t: Texts,
    frame: Frame,
    url: String,
    usual_name: String,
    saved: bool,
    typed: Typed,
    /// The logo that was chosen and is not kept yet.
    upload: Option<String>,
    problems: Problems,
    preview: Option<Preview>,
}

/// What stands in the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Typed {
    name: String,
    accent: String,
    support: String,
    no_logo: bool,
}

/// What is wrong with the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Problems {
    name: Option<String>,
    accent: Option<String>,
    support: Option<String>,
    logo: Option<String>,
}

impl Problems {
    fn add(&mut self, t: Texts, refused: BrandingRefused) {
        let (place, words) = match refused {
            BrandingRefused::Name => (&mut self.name, t.branding_problem_name()),
            BrandingRefused::Accent => (&mut self.accent, t.branding_problem_accent()),
            BrandingRefused::Support => (&mut self.support, t.branding_problem_support()),
            BrandingRefused::LogoSize => (&mut self.logo, t.branding_problem_logo_size()),
            BrandingRefused::LogoSvg => (&mut self.logo, t.branding_problem_logo_svg()),
            BrandingRefused::LogoKind => (&mut self.logo, t.branding_problem_logo_kind()),
        };
        *place = Some(words);
    }
}

/// What a branding would change.
struct Preview {
    name: String,
    /// What, as it is now, and as it would be.
    rows: Vec<[String; 3]>,
    looks: [Look; 2],
    logo: Option<String>,
}

/// How pages would look in a colour scheme.
struct Look {
    id: &'static str,
    title: String,
    ground: String,
    text: String,
    accent: String,
    on: String,
    link: String,
}

/// The page.
///
/// # Errors
/// The API's own.
pub(super) async fn page(visit: &Visit<'_>, posts: bool) -> Result<Answer, Failed> {
    let told: answers::Branding = visit.ask(visit.who.everywhere(), Ask::get("/v1/branding")).await?;
    let now = kept(&told)?;
    let mut page = BrandingPage {
        t: visit.t(),
        frame: visit.frame(),
        url: told.url,
        usual_name: visit.portal.settings.name.clone(),
        saved: !posts && visit.request.asked().text("done") == Some("saved"),
        typed: Typed {
            name: told.name.unwrap_or_default(),
            accent: told.accent.unwrap_or_default(),
            support: told.support.unwrap_or_default(),
            no_logo: false,
        },
        upload: None,
        problems: Problems::default(),
        preview: None,
    };
    if !posts {
        return respond::page(StatusCode::OK, &page);
    }
    let wanted = read(visit, &now, &mut page);
    if page.problems != Problems::default() {
        return respond::page(StatusCode::BAD_REQUEST, &page);
    }
    if visit.request.form().text("action") == Some("save") {
        let new = NewBranding {
            name: wanted.name.as_ref().map(ToString::to_string),
            accent: wanted.accent.as_ref().map(ToString::to_string),
            support: wanted.support.as_ref().map(ToString::to_string),
            logo: wanted.logo.as_ref().map(Logo::base64),
        };
        let ask = Ask::of(Method::PUT, "/v1/branding").json(&new);
        let _: answers::Branding = visit.ask(visit.who.everywhere(), ask).await?;
        return Ok(respond::see(&format!("{PATH}?done=saved")));
    }
    page.preview = Some(preview(page.t, &page.usual_name, &now, &wanted));
    respond::page(StatusCode::OK, &page)
}

/// What is kept, as the API tells it.
fn kept(told: &answers::Branding) -> Result<Branding, Failed> {
    let answers::Branding { name, accent, support, logo, .. } = told.clone();
    let kept = NewBranding { name, accent, support, logo };
    kept.try_into().map_err(|_: BrandingRefused| Failed::fault("the branding that is kept is not understood"))
}

/// What a form wants in the place of what there is, shown on the page again as it was typed.
fn read(visit: &Visit<'_>, now: &Branding, page: &mut BrandingPage) -> Branding {
    let (t, form) = (page.t, visit.request.form());
    let text = |name| form.text(name).unwrap_or_default().to_owned();
    page.typed = Typed {
        name: text("name"),
        accent: text("accent"),
        support: text("support"),
        no_logo: form.is_set("no-logo"),
    };
    let file = visit.request.file("logo").map(|file| Logo::read(file.to_vec()));
    let upload = file.or_else(|| form.text("upload").map(Logo::of_base64)).transpose();
    let upload = upload.unwrap_or_else(|refused| {
        page.problems.add(t, refused);
        None
    });
    page.upload = upload.as_ref().map(Logo::base64);
    let logo = if page.typed.no_logo { None } else { upload.or_else(|| now.logo.clone()) };
    let problems = &mut page.problems;
    let name = given(t, &page.typed.name, problems);
    let accent = given(t, &page.typed.accent, problems);
    Branding { name, logo, accent, support: given(t, &page.typed.support, problems) }
}

fn given<T: FromStr<Err = BrandingRefused>>(t: Texts, typed: &str, problems: &mut Problems) -> Option<T> {
    if typed.is_empty() {
        return None;
    }
    typed.parse().map_err(|refused| problems.add(t, refused)).ok()
}

fn preview(t: Texts, usual_name: &str, now: &Branding, wanted: &Branding) -> Preview {
    let named = |text: Option<String>| text.unwrap_or_else(|| t.branding_none());
    let of = |branding: &Branding, field: &str| match field {
        "name" => named(branding.name.as_ref().map(ToString::to_string)),
        "accent" => named(branding.accent.as_ref().map(ToString::to_string)),
        "support" => named(branding.support.as_ref().map(ToString::to_string)),
        _ => branding.logo.as_ref().map_or_else(
            || t.branding_logo_none(),
            |logo| {
                let kind = logo.media_type().trim_start_matches("image/").to_uppercase();
                t.branding_logo_one(kind, number(logo.bytes().len()))
            },
        ),
    };
    let label = |field: &str| match field {
        "name" => t.branding_name(),
        "accent" => t.branding_accent(),
        "support" => t.branding_support(),
        _ => t.branding_logo(),
    };
    let rows = wanted.differs(now).into_iter().map(|field| [label(field), of(now, field), of(wanted, field)]);
    Preview {
        name: wanted.name.as_ref().map_or_else(|| usual_name.to_owned(), ToString::to_string),
        rows: rows.collect(),
        looks: [
            look("look-light", t.branding_light(), wanted, &LIGHT, USUAL[0]),
            look("look-dark", t.branding_dark(), wanted, &DARK, USUAL[1]),
        ],
        logo: wanted.logo.as_ref().map(|logo| format!("data:{};base64,{}", logo.media_type(), logo.base64())),
    }
}

fn look(
    id: &'static str,
    title: String,
    wanted: &Branding,
    scheme: &Scheme,
    [button, link]: [colour::Rgb; 2],
) -> Look {
    let accent = wanted.accent.map(|accent| accent.0);
    Look {
        id,
        title,
        ground: colour::hex(scheme.grounds[0]),
        text: colour::hex(scheme.text),
        accent: colour::hex(accent.unwrap_or(button)),
        on: colour::hex(colour::on(accent.unwrap_or(button))),
        link: colour::hex(accent.map_or(link, |accent| colour::link(accent, scheme))),
    }
}
