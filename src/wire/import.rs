//! The document of `POST /v2/images/{id}/import`.

use crate::image::{Import, ImportMethod, Targets};
use crate::wire::{WireError, check};
use serde_json::Value;

/// Most stores that one request names.
const MOST_STORES: usize = 1000;

/// What the document asks for, and the document itself; `header` is the store of `X-Image-Meta-Store`, which may stand in place of `stores`.
///
/// # Errors
/// [`WireError`], in Glance's words: no method, one that is not among those `enabled`, flags that are none.
pub fn parse_import(body: &[u8], enabled: &[ImportMethod], header: Option<&str>) -> Result<(Import, Value), WireError> {
    let refused = |words: String| WireError::Invalid(words);
    let document = check::document(body)?;
    let missing = |what: &str| refused(format!("Import request requires a '{what}' field."));
    let method = document.get("method").ok_or_else(|| missing("method"))?;
    let name = method.get("name").ok_or_else(|| missing("name"))?;
    let shown = || name.as_str().map_or_else(|| name.to_string(), str::to_owned).chars().take(80).collect::<String>();
    let found = name.as_str().and_then(|it| it.parse().ok()).filter(|it| enabled.contains(it));
    let found = found.ok_or_else(|| refused(format!("Unknown import method name '{}'.", shown())))?;
    let flag = |name: &str, default: bool| match document.get(name) {
        None => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(refused(format!("'{name}' must be boolean value only"))),
    };
    let all_must_succeed = flag("all_stores_must_succeed", true)?;
    let targets = targets(flag("all_stores", false)?, document.get("stores"), header)?;
    let uri = method.get("uri").and_then(Value::as_str).map(str::to_owned);
    Ok((Import { method: found, uri, targets, all_must_succeed }, document))
}

fn targets(all: bool, stores: Option<&Value>, header: Option<&str>) -> Result<Targets, WireError> {
    let refused = |words: &str| Err(WireError::Invalid(words.to_owned()));
    match (all, stores, header) {
        (true, None, None) => Ok(Targets::All),
        (true, ..) => refused("All_stores parameter can't be used with x-image-meta-store header or stores parameter"),
        (false, Some(_), Some(_)) => refused("Stores parameter and x-image-meta-store header can't be both specified"),
        (false, Some(stores), None) => names(stores).map(Targets::These),
        (false, None, Some(one)) => Ok(Targets::These(vec![one.to_owned()])),
        (false, None, None) => Ok(Targets::Default),
    }
}

/// Each name once.
fn names(stores: &Value) -> Result<Vec<String>, WireError> {
    let refused = || WireError::Invalid("'stores' must be a list of ids of stores".to_owned());
    let list = stores.as_array().filter(|it| (1..=MOST_STORES).contains(&it.len())).ok_or_else(refused)?;
    let mut names: Vec<String> = Vec::new();
    for name in list {
        let name = name.as_str().ok_or_else(refused)?;
        if !names.iter().any(|it| it == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: &Value, header: Option<&str>) -> Result<Import, String> {
        let enabled = [ImportMethod::GlanceDirect, ImportMethod::WebDownload];
        let parsed = parse_import(body.to_string().as_bytes(), &enabled, header);
        parsed.map(|it| it.0).map_err(|it| it.to_string())
    }

    #[test]
    fn what_is_asked_for() {
        let direct =
            Import { method: ImportMethod::GlanceDirect, uri: None, targets: Targets::Default, all_must_succeed: true };
        let body = json!({"method": {"name": "glance-direct"}});
        assert_eq!(parse(&body, None), Ok(direct.clone()));
        let one = Targets::These(vec!["fast".to_owned()]);
        assert_eq!(parse(&body, Some("fast")), Ok(Import { targets: one.clone(), ..direct.clone() }));
        let body = json!({"method": {"name": "web-download", "uri": "http://x/"}, "stores": ["fast", "fast"],
            "all_stores_must_succeed": false});
        let import = Import {
            method: ImportMethod::WebDownload,
            uri: Some("http://x/".to_owned()),
            targets: one,
            all_must_succeed: false,
        };
        assert_eq!(parse(&body, None), Ok(import));
        let body = json!({"method": {"name": "glance-direct"}, "all_stores": true});
        assert_eq!(parse(&body, None), Ok(Import { targets: Targets::All, ..direct }));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let direct = json!({"name": "glance-direct"});
        for (body, header, words) in [
            (json!({}), None, "requires a 'method' field"),
            (json!({"method": {}}), None, "requires a 'name' field"),
            (json!({"method": 5}), None, "requires a 'name' field"),
            (json!({"method": {"name": "copy-image"}}), None, "Unknown import method name 'copy-image'."),
            (json!({"method": {"name": 5}}), None, "Unknown import method name '5'."),
            (json!({"method": direct, "all_stores": 1}), None, "'all_stores' must be boolean value only"),
            (json!({"method": direct, "all_stores_must_succeed": "x"}), None, "must be boolean value only"),
            (json!({"method": direct, "all_stores": true, "stores": []}), None, "can't be used with"),
            (json!({"method": direct, "all_stores": true}), Some("fast"), "can't be used with"),
            (json!({"method": direct, "stores": ["slow"]}), Some("fast"), "can't be both specified"),
            (json!({"method": direct, "stores": "slow"}), None, "must be a list"),
            (json!({"method": direct, "stores": []}), None, "must be a list"),
            (json!({"method": direct, "stores": [1]}), None, "must be a list"),
        ] {
            let refused = parse(&body, header).unwrap_err();
            assert!(refused.contains(words), "{body}: {refused}");
        }
    }
}
