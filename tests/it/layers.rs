//! Fails when a module imports one it may not know.
//!
//! `LAYERS` lists every top-level module from the bottom up. A module imports
//! from lower rows only; modules on the same row are strangers.

use std::{fs, path::Path};

const LAYERS: &[&[&str]] = &[
    &["base"],
    &["image", "diskformat", "runtime"],
    &["http", "db", "wire", "messaging"],
    &["store", "identity", "remote", "admin"],
    &["catalogue", "agent", "commands"],
    &["config"],
    &["dev", "simulator"],
];

#[test]
fn modules_import_downwards_only() {
    let mut broken = Vec::new();
    visit(Path::new("src"), None, &mut broken);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn visit(dir: &Path, top: Option<&str>, broken: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = top.unwrap_or(&stem);
        if path.is_dir() {
            visit(&path, Some(module), broken);
        } else if path.extension().is_some_and(|it| it == "rs") {
            check(&path, module, broken);
        }
    }
}

fn check(path: &Path, module: &str, broken: &mut Vec<String>) {
    let Some(from) = layer(module) else {
        if !["lib", "main"].contains(&module) {
            broken.push(format!("{}: `{module}` is on no layer", path.display()));
        }
        return;
    };
    for (index, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
        for rest in line.split("crate::").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let upward = layer(&name).is_some_and(|to| to >= from);
            if name.is_empty() || (name != module && upward) {
                broken.push(format!("{}:{}: `{module}` may not import `{name}`", path.display(), index + 1));
            }
        }
    }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}
