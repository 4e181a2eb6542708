//! The README's table of refusals says of each one what happened and what to do.

use http::StatusCode;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            all.push(path);
        }
    }
}

/// The names of status codes, as the code writes them.
fn named() -> Vec<(String, u16)> {
    let name = |code: u16| {
        let words = StatusCode::from_u16(code).unwrap().canonical_reason()?;
        Some((words.to_uppercase().replace([' ', '-'], "_").replace('\'', ""), code))
    };
    (300..600).filter_map(name).collect()
}

/// Every status of a refusal that the catalogue's code names.
fn used() -> BTreeSet<u16> {
    let mut files = Vec::new();
    sources(&root().join("src/catalogue/api"), &mut files);
    sources(&root().join("src/http/server"), &mut files);
    let names = named();
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for rest in text.split("StatusCode::").skip(1) {
            let word: String = rest.chars().take_while(|it| it.is_ascii_uppercase() || *it == '_').collect();
            found.extend(names.iter().filter(|it| it.0 == word && it.1 >= 400).map(|it| it.1));
        }
    }
    found
}

/// The rows of the table: status, what happened, what to do.
fn rows() -> Vec<(u16, String, String)> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("\n## What a refusal means\n").nth(1).expect("the README has no table of refusals");
    let table = table.split("\n## ").next().unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let status = cells.first()?.parse().ok()?;
        let [_, what, remedy] = cells[..] else { panic!("not three cells: {line}") };
        Some((status, what.to_owned(), remedy.to_owned()))
    };
    table.lines().filter(|it| it.starts_with('|')).filter_map(row).collect()
}

#[test]
fn every_refusal_stands_in_the_readme() {
    let rows = rows();
    let told: BTreeSet<u16> = rows.iter().map(|it| it.0).filter(|it| *it >= 400).collect();
    assert_eq!(told, used(), "the README's statuses, and those of the code");
    for (status, what, remedy) in rows {
        assert!(what.len() > 10 && remedy.len() > 10, "{status}: {what}: {remedy}");
    }
}

#[test]
fn every_kind_of_fault_has_a_status_and_words() {
    let fault = fs::read_to_string(root().join("src/catalogue/service/fault.rs")).unwrap();
    let (_, body) = fault.split_once("pub enum Fault {").unwrap();
    let body = body.split_once("\n}\n").unwrap().0;
    let kinds: Vec<&str> = body
        .lines()
        .map(str::trim)
        .filter(|it| !it.starts_with(['/', '#']))
        .filter_map(|it| Some(it.split_once('(')?.0))
        .collect();
    assert!(kinds.len() >= 10, "{kinds:?}");
    let refusal = fs::read_to_string(root().join("src/catalogue/api/refusal.rs")).unwrap();
    for kind in kinds {
        // One arm for each; only what no client can cause or mend is told without its words.
        let arm =
            refusal.lines().find(|it| it.contains(&format!("Fault::{kind}("))).unwrap_or_else(|| panic!("{kind}"));
        assert!(kind == "Internal" || ["words", "fault.to_string()"].iter().any(|it| arm.contains(it)), "{arm}");
    }
}
