//! The versions document, which clients probe for what a server can do.

use serde_json::{Value, json};

/// What makes versions appear in the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Several stores (`enabled_backends`).
    pub stores: bool,
    /// The cache API (`image_cache_dir`).
    pub cache: bool,
}

/// The answer of `/` and `/versions`; `base` is what links begin with, without a slash at its end.
pub fn document(base: &str, abilities: Abilities) -> Value {
    let versions: Vec<Value> = list(abilities)
        .into_iter()
        .map(|(id, status)| {
            json!({"id": id, "status": status, "links": [{"rel": "self", "href": format!("{base}/v2/")}]})
        })
        .collect();
    json!({"versions": versions})
}

/// Whether `prefix` (`v2`, `v2.9`…) begins paths of the API; all of them mean the same code.
pub fn is_served(prefix: &str, abilities: Abilities) -> bool {
    match prefix {
        "v2" | "v2.0" | "v2.1" | "v2.2" | "v2.3" | "v2.4" | "v2.5" | "v2.6" | "v2.7" | "v2.9" | "v2.15" | "v2.17" => {
            true
        }
        "v2.8" | "v2.10" | "v2.11" | "v2.12" | "v2.13" => abilities.stores,
        "v2.14" | "v2.16" | "v2.18" => abilities.cache,
        _ => false,
    }
}

fn list(abilities: Abilities) -> Vec<(&'static str, &'static str)> {
    let mut versions = Vec::with_capacity(16);
    let mut supported = |ids: &[&'static str]| versions.extend(ids.iter().map(|id| (*id, "SUPPORTED")));
    if abilities.cache {
        supported(&["v2.18", "v2.17", "v2.16", "v2.15", "v2.14"]);
    } else {
        supported(&["v2.15"]);
    }
    if abilities.stores {
        supported(&["v2.13", "v2.12", "v2.11", "v2.10", "v2.9", "v2.8"]);
    } else {
        supported(&["v2.9"]);
    }
    if !abilities.cache {
        supported(&["v2.17"]);
    }
    supported(&["v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0"]);
    let current = if abilities.cache { "v2.18" } else { "v2.17" };
    for (id, status) in &mut versions {
        if *id == current {
            *status = "CURRENT";
        }
    }
    versions
}
