//! The modules of a crate use one another in one direction: none is needed by what it needs itself.
//!
//! The simulator is left out: its modules are the parts of one type.

use super::house::{read, tracked};
use std::collections::{BTreeMap, BTreeSet};

/// The first word of each path behind `crate::`: `{a::B, c::D}` has two, `a::B` one.
fn first_words(paths: &str) -> Vec<&str> {
    let word = |text: &'_ str| -> usize {
        text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
    };
    let Some(tree) = paths.strip_prefix('{') else { return vec![&paths[..word(paths)]] };
    let (mut words, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                words.push(&tree[at..at + word(&tree[at..])]);
                begins = false;
            }
            _ => {}
        }
    }
    words
}

/// The code of a file: without its comments, and without its tests, which stand at its end.
fn code(path: &str) -> String {
    let text = read(path);
    let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code = code.split("\n#[cfg(test)]\npub(crate) mod tests").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split_once("//").map_or(line, |(before, _)| before));
    lines.collect::<Vec<_>>().join("\n")
}

/// Which module of a crate uses which, by the files below its `src`.
fn uses(src: &str) -> BTreeMap<String, BTreeSet<String>> {
    let files: Vec<String> = tracked()
        .into_iter()
        .filter(|path| {
            path.ends_with(".rs") && path.strip_prefix(src).is_some_and(|rest| rest.starts_with('/'))
        })
        .collect();
    let module = |path: &str| {
        let name = path[src.len() + 1..].split('/').next().unwrap_or_default();
        name.trim_end_matches(".rs").to_owned()
    };
    let modules: BTreeSet<String> = files.iter().map(|path| module(path)).collect();
    // What the crate's root hands on is its module's.
    let root = code(&format!("{src}/lib.rs"));
    let mut of = BTreeMap::new();
    for handed_on in root.split("pub use ").skip(1) {
        let Some((from, names)) = handed_on.split(';').next().and_then(|tree| tree.split_once("::")) else {
            continue;
        };
        of.extend(first_words(names).into_iter().map(|name| (name.to_owned(), from.to_owned())));
    }
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files.iter().filter(|path| module(path) != "lib") {
        let own = module(path);
        let text = code(path);
        let named = text.split("crate::").skip(1).flat_map(first_words);
        let of_module = named.filter_map(|name| modules.get(name).or_else(|| of.get(name)));
        uses.entry(own.clone()).or_default().extend(of_module.filter(|used| **used != own).cloned());
    }
    uses
}

/// A way from a module back to itself, if there is one.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    uses.keys().find_map(|start| {
        let mut ways = vec![vec![start.clone()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            for next in uses.get(&way[way.len() - 1]).into_iter().flatten() {
                let longer = [&way[..], std::slice::from_ref(next)].concat();
                if next == start {
                    return Some(longer);
                }
                if seen.insert(next.clone()) {
                    ways.push(longer);
                }
            }
        }
        None
    })
}

#[test]
fn the_modules_of_no_crate_go_in_a_circle() {
    let roots = tracked().into_iter().filter_map(|path| Some(path.strip_suffix("/lib.rs")?.to_owned()));
    let crates: Vec<String> = roots.filter(|src| !src.starts_with("tests/simulator/")).collect();
    assert!(crates.len() > 20 && crates.iter().any(|src| src == "shared/ledger/src"), "{crates:?}");
    for src in &crates {
        assert_eq!(circle(&uses(src)), None, "{src}: what both sides need goes into a module below them");
    }
    let ledger = uses("shared/ledger/src");
    assert!(ledger["fold"].contains("event") && ledger["identity"].contains("server"), "{ledger:?}");
}

#[test]
fn a_circle_is_found_however_a_module_is_named() {
    assert_eq!(first_words("{a::B, c::{D, E}, f};"), ["a", "c", "f"]);
    assert_eq!(first_words("a::B;"), ["a"]);
    let uses = |edges: &[(&str, &str)]| {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        uses
    };
    assert_eq!(circle(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&uses(&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")])).unwrap();
    assert_eq!((found.len(), &found[0]), (4, &found[3]));
}
