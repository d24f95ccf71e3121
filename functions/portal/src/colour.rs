//! Colours that can be read, whatever colour an agency gives its portal: text on it, and links of about that colour on each
//! ground of both schemes.

use people::Accent;

/// A colour: red, green, blue.
pub(crate) type Rgb = [u8; 3];

/// The contrast that text needs at least (WCAG 2.2, 1.4.3).
pub(crate) const CONTRAST_LEAST: f64 = 4.5;
const BLACK: Rgb = [0; 3];
const WHITE: Rgb = [255; 3];
/// In how many steps a colour becomes black or white.
const STEPS: u32 = 64;

/// A colour scheme: what the accent stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// The page's ground first, then the boxes on which links stand: as `portal.css` has them.
    pub grounds: [Rgb; 5],
    /// Text.
    pub text: Rgb,
}

/// The names of the grounds in `portal.css`.
#[cfg(test)]
const GROUNDS: [&str; 5] = ["ground", "box", "send-box", "risky-box", "stop-box"];

/// The light scheme.
pub(crate) const LIGHT: Scheme = Scheme {
    grounds: [[255; 3], [0xf5, 0xf7, 0xf9], [0xea, 0xf5, 0xee], [0xfc, 0xf3, 0xe0], [0xfb, 0xec, 0xec]],
    text: [0x1c, 0x25, 0x30],
};
/// The dark one.
pub(crate) const DARK: Scheme = Scheme {
    grounds: [
        [0x14, 0x19, 0x1f],
        [0x1c, 0x23, 0x2b],
        [0x16, 0x28, 0x1d],
        [0x2b, 0x24, 0x13],
        [0x2e, 0x19, 0x1a],
    ],
    text: [0xe4, 0xe9, 0xee],
};

/// How bright a colour is: from 0, black, to 1, white.
fn luminance(colour: Rgb) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// How far two colours stand apart, from 1 to 21.
pub(crate) fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Black or white: what reads better on a colour. One of the two always has the contrast that text needs.
pub(crate) fn on(colour: Rgb) -> Rgb {
    if contrast(colour, WHITE) >= contrast(colour, BLACK) { WHITE } else { BLACK }
}

/// A colour as it can be read on every ground of a scheme: as it is, or as much darker or lighter as it takes.
pub(crate) fn link(colour: Rgb, scheme: &Scheme) -> Rgb {
    let least =
        |colour| scheme.grounds.map(|ground| contrast(colour, ground)).into_iter().fold(21.0, f64::min);
    let end = if least(WHITE) >= least(BLACK) { WHITE } else { BLACK };
    let toward = |step: u32| {
        let mixed = |part: u8, end: u8| (u32::from(part) * (STEPS - step) + u32::from(end) * step) / STEPS;
        let of = |place: usize| u8::try_from(mixed(colour[place], end[place])).unwrap_or(end[place]);
        [of(0), of(1), of(2)]
    };
    (0..STEPS).map(toward).find(|mixed| least(*mixed) >= CONTRAST_LEAST).unwrap_or(end)
}

/// A colour as styles and drawings have it.
pub(crate) fn hex(colour: Rgb) -> String {
    Accent(colour).to_string()
}

/// The style sheet of an accent: custom properties, which `portal.css` uses.
pub(crate) fn sheet(Accent(accent): Accent) -> String {
    let [light, dark] = [&LIGHT, &DARK].map(|scheme| hex(link(accent, scheme)));
    let (accent, on) = (hex(accent), hex(on(accent)));
    format!(
        ":root{{--accent:{accent};--button:{accent};--on-button:{on};--button-edge:{light};--link:{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{--button-edge:{dark};--link:{dark}}}}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The colours of a scheme as the style has them.
    fn in_style(part: &str) -> Vec<Rgb> {
        let colour = |name: &str| {
            let (_, rest) = part.split_once(&format!("--{name}: ")).unwrap_or_else(|| panic!("--{name}"));
            let text = rest.split(';').next().unwrap();
            let whole = if text == "#fff" { "#ffffff" } else { text };
            whole.parse::<Accent>().unwrap().0
        };
        GROUNDS.iter().chain(&["text"]).map(|name| colour(name)).collect()
    }

    #[test]
    fn the_grounds_are_those_of_the_style() {
        let style = include_str!("../static/portal.css");
        let (light, dark) = style.split_once("prefers-color-scheme: dark").unwrap();
        for (scheme, part) in [(LIGHT, light), (DARK, dark)] {
            assert_eq!([&scheme.grounds[..], &[scheme.text]].concat(), in_style(part));
        }
    }

    #[test]
    fn contrast_is_as_the_standard_has_it() {
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 1e-9);
        assert!((contrast([0x77; 3], WHITE) - 4.48).abs() < 0.01, "a known example that does not pass");
        assert!((contrast([0x76; 3], WHITE) - 4.54).abs() < 0.01, "and one that does");
    }

    #[test]
    fn a_colour_that_can_be_read_stays_and_others_change_as_little_as_they_must() {
        let blue = [0x1a, 0x5a, 0x8a];
        assert_eq!(link(blue, &LIGHT), blue);
        let yellow = [0xff, 0xcc, 0];
        assert_eq!(link(yellow, &DARK), yellow);
        let darker = link(yellow, &LIGHT);
        assert!(darker[0] > darker[2] && contrast(darker, WHITE) < 6.0, "still yellow: {darker:?}");
        assert_eq!((on(yellow), on(blue)), (BLACK, WHITE));
    }

    proptest! {
        #[test]
        fn no_accent_makes_a_page_unreadable(accent: [u8; 3]) {
            prop_assert!(contrast(accent, on(accent)) >= CONTRAST_LEAST);
            for scheme in [&LIGHT, &DARK] {
                let link = link(accent, scheme);
                for ground in scheme.grounds {
                    prop_assert!(contrast(link, ground) >= CONTRAST_LEAST, "{link:?} on {ground:?}");
                }
            }
        }
    }
}
