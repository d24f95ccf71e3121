//! No dependency has a known vulnerability, by a dated copy of RustSec's advisories. `cargo deny check advisories` asks for the latest.

use super::house::{read, root};
use semver::{Version, VersionReq};
use std::collections::BTreeSet;
use std::process::Command;

/// Advisories that are no vulnerability and are put up with, and why.
const KNOWN: &[(&str, &str)] = &[];

/// An advisory: which versions of which crate it does not concern.
struct Advisory {
    package: String,
    id: String,
    safe: Vec<VersionReq>,
    title: String,
}

fn advisories() -> Vec<Advisory> {
    let text = read("tests/advisories/advisories.tsv");
    let rows = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [package, id, patched, unaffected, kind, title] = cells[..] else { panic!("{line}") };
        let ranges = [patched, unaffected].into_iter().flat_map(|ranges| ranges.split(" || "));
        let safe = ranges.filter(|range| !range.is_empty()).map(|range| range.parse().expect(line)).collect();
        let title = format!("{title}{}{kind}", if kind.is_empty() { "" } else { ": " });
        Advisory { package: package.to_owned(), id: id.to_owned(), safe, title }
    });
    rows.collect()
}

/// Those that concern a crate of a version.
fn about<'a>(advisories: &'a [Advisory], name: &str, version: &str) -> Vec<&'a Advisory> {
    let version: Version = version.parse().unwrap();
    let concerns = |advisory: &&Advisory| {
        advisory.package == name && !advisory.safe.iter().any(|range| range.matches(&version))
    };
    advisories.iter().filter(concerns).collect()
}

/// Names and versions of all that is compiled, tests included: a lock also names what no feature asks for.
fn compiled(manifest: &str) -> BTreeSet<(String, String)> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args([
        "tree",
        "--locked",
        "--workspace",
        "--prefix=none",
        "--format={p}",
        "--manifest-path",
        manifest,
    ]);
    let output = tree.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let one = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    lines.lines().filter_map(one).collect()
}

#[test]
fn no_dependency_has_an_advisory_that_was_known_when_they_were_copied() {
    let advisories = advisories();
    assert!(advisories.len() > 1_000);
    for manifest in ["Cargo.toml", "tests/simulator/Cargo.toml"] {
        let compiled = compiled(manifest);
        assert!(compiled.len() > 50, "{compiled:?}");
        for (name, version) in &compiled {
            for found in about(&advisories, name, version) {
                let known = KNOWN.iter().any(|(id, _)| *id == found.id);
                assert!(known, "{manifest}: {name} {version}: {}: {}", found.id, found.title);
            }
        }
    }
}

#[test]
fn an_advisory_concerns_the_versions_that_are_neither_patched_nor_unaffected() {
    let advisories = advisories();
    let ids = |name: &str, version: &str| -> Vec<String> {
        about(&advisories, name, version).iter().map(|advisory| advisory.id.clone()).collect()
    };
    assert!(ids("time", "0.1.43").contains(&"RUSTSEC-2020-0071".to_owned()));
    assert!(!ids("time", "0.2.23").contains(&"RUSTSEC-2020-0071".to_owned()), "patched");
    assert!(!ids("time", "0.2.0").contains(&"RUSTSEC-2020-0071".to_owned()), "unaffected");
}
