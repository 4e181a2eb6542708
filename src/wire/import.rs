//! The document of `POST /v2/images/{id}/import`.

use crate::image::{Elsewhere, Import, ImportMethod, Targets};
use crate::wire::{WireError, check};
use serde_json::Value;

/// Most stores that one request names.
const MOST_STORES: usize = 1000;

/// Longest name of a region, bytes.
const LONGEST_NAME: usize = 255;

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
    let elsewhere = (found == ImportMethod::GlanceDownload).then(|| elsewhere(method));
    Ok((Import { method: found, uri, elsewhere, targets, all_must_succeed }, document))
}

/// The image of another region; Glance looks at this after much else.
fn elsewhere(method: &Value) -> Result<Elsewhere, String> {
    let needed = |name: &str| format!("'{name}' needs to be set for glance-download import method");
    let region = method.get("glance_region").ok_or_else(|| needed("glance_region"))?;
    let image = method.get("glance_image_id").ok_or_else(|| needed("glance_image_id"))?;
    let shown = || image.as_str().map_or_else(|| image.to_string(), str::to_owned).chars().take(80).collect::<String>();
    // In any of the spellings that there are of a UUID.
    let id = image.as_str().and_then(|it| it.parse::<uuid::Uuid>().ok()).and_then(|it| it.to_string().parse().ok());
    let image = id.ok_or_else(|| format!("Remote image id does not look like a UUID: {}", shown()))?;
    let text = |value: &Value, name: &str| {
        let text = value.as_str().filter(|it| !it.is_empty() && it.len() <= LONGEST_NAME);
        text.map(str::to_owned).ok_or_else(|| format!("'{name}' must be a name"))
    };
    let interface = method.get("glance_service_interface").map(|it| text(it, "glance_service_interface"));
    let interface = interface.unwrap_or_else(|| Ok("public".to_owned()))?;
    Ok(Elsewhere { region: text(region, "glance_region")?, interface, image })
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
        let direct = Import {
            method: ImportMethod::GlanceDirect,
            uri: None,
            elsewhere: None,
            targets: Targets::Default,
            all_must_succeed: true,
        };
        let body = json!({"method": {"name": "glance-direct"}});
        assert_eq!(parse(&body, None), Ok(direct.clone()));
        let one = Targets::These(vec!["fast".to_owned()]);
        assert_eq!(parse(&body, Some("fast")), Ok(Import { targets: one.clone(), ..direct.clone() }));
        let body = json!({"method": {"name": "web-download", "uri": "http://x/"}, "stores": ["fast", "fast"],
            "all_stores_must_succeed": false});
        let import = Import {
            method: ImportMethod::WebDownload,
            uri: Some("http://x/".to_owned()),
            elsewhere: None,
            targets: one,
            all_must_succeed: false,
        };
        assert_eq!(parse(&body, None), Ok(import));
        let body = json!({"method": {"name": "glance-direct"}, "all_stores": true});
        assert_eq!(parse(&body, None), Ok(Import { targets: Targets::All, ..direct }));
    }

    #[test]
    fn an_image_of_another_region() {
        let parse = |method: Value| {
            let body = json!({"method": method}).to_string();
            let parsed = parse_import(body.as_bytes(), &[ImportMethod::GlanceDownload], None).unwrap();
            parsed.0.elsewhere.unwrap()
        };
        let id = "5b1fc6c4-2d7d-4f3f-9f39-1d5a0a0f8f51";
        let whole = json!({"name": "glance-download", "glance_region": "West", "glance_image_id": id});
        let found = parse(whole.clone()).unwrap();
        assert_eq!((found.region.as_str(), found.interface.as_str(), found.image.as_str()), ("West", "public", id));
        let with = |name: &str, value: Value| {
            let mut method = whole.clone();
            method[name] = value;
            parse(method)
        };
        assert_eq!(with("glance_service_interface", json!("internal")).unwrap().interface, "internal");
        assert_eq!(with("glance_image_id", json!(id.replace('-', ""))).unwrap(), found);
        for (name, value, words) in [
            ("glance_image_id", json!("../etc"), "does not look like a UUID: ../etc"),
            ("glance_image_id", json!(5), "does not look like a UUID: 5"),
            ("glance_region", json!(null), "'glance_region' must be a name"),
            ("glance_service_interface", json!({}), "'glance_service_interface' must be a name"),
        ] {
            assert!(with(name, value).unwrap_err().contains(words), "{name}");
        }
        assert!(parse(json!({"name": "glance-download"})).unwrap_err().contains("'glance_region' needs to be set"));
        let nameless = json!({"name": "glance-download", "glance_region": "West"});
        assert!(parse(nameless).unwrap_err().contains("'glance_image_id' needs to be set"));
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
