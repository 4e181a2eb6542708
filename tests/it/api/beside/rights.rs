//! Who is told what by which route: the precedence of 401, 403, 404, 405 and 400.

use super::{JSON, Pair};
use crate::api::access::As;
use serde_json::json;

/// Callers of every kind; images are those of the project `p`.
pub(super) fn callers() -> Vec<As> {
    vec![
        As::admin(),
        As::member("p"),
        As::reader("p"),
        As::member("q"),
        As::reader("q"),
        As::new("p", ""),
        As::new("services", "service"),
        As::new("p", "service,member,reader"),
    ]
}

#[test]
fn every_route_says_the_same_to_everybody() {
    let Some(pair) = Pair::start() else { return };
    let admin = As::admin();
    let mut images: Vec<(&str, String)> = Vec::new();
    for visibility in ["private", "shared", "community", "public"] {
        let id = pair.image(&admin, json!({"owner": "p", "visibility": visibility}));
        pair.fill(&admin, &id);
        images.push((visibility, id));
    }
    images.push(("queued", pair.image(&admin, json!({"owner": "p"}))));
    images.push(("missing", "11111111-2222-3333-4444-555555555555".to_owned()));
    images.push(("no id", "zzz".to_owned()));
    let stream = "application/octet-stream";
    for who in callers() {
        for (kind, id) in &images {
            let image = format!("/v2/images/{id}");
            // Whoever finds an image by its visibility and may not look at it is told of its members by Glance.
            let leaks = matches!(*kind, "private" | "community" | "public")
                && format!("{who:?}").contains("roles: \"\"")
                || matches!(*kind, "community" | "public") && format!("{who:?}").contains("roles: \"service\"");
            for (method, path, body) in [
                ("GET", "", ""),
                ("PUT", "", "{}"),
                ("POST", "", "{}"),
                ("GET", "/tasks", ""),
                ("GET", "/file", ""),
                ("POST", "/import", r#"{"method": {"name": "glance-direct"}}"#),
                ("POST", "/import", "{}"),
                ("POST", "/import", r#"{"method": {}}"#),
                ("POST", "/import", ""),
                ("POST", "/import", "x"),
                ("POST", "/import", "5"),
                ("GET", "/locations", ""),
                ("POST", "/locations", "{}"),
                ("POST", "/locations", ""),
                ("POST", "/actions/fly", ""),
                ("GET", "/actions/deactivate", ""),
                ("GET", "/tags", ""),
                ("GET", "/tags/x", ""),
            ] {
                let kind = if body.is_empty() { "" } else { JSON };
                pair.ask(&who, (method, &format!("{image}{path}")), kind, body.as_bytes());
            }
            for body in [&b"data"[..], b""] {
                pair.ask(&who, ("PUT", &format!("{image}/stage")), stream, body);
            }
            pair.ask(&who, ("PUT", &format!("{image}/stage")), JSON, b"{}");
            pair.ask(&who, ("PUT", &format!("{image}/file")), "text/plain", b"data");
            if !leaks {
                pair.get(&who, &format!("{image}/members"));
                pair.get(&who, &format!("{image}/members/z"));
                pair.send(&who, "PUT", &format!("{image}/members/z"), &json!({"status": "accepted"}));
                pair.send(&who, "POST", &format!("{image}/members"), &json!({}));
            }
            pair.ask(&who, ("DELETE", &format!("/v2/stores/file/{id}")), "", b"");
        }
        for (method, path, body) in [
            ("GET", "/v2/info/import", ""),
            ("GET", "/v2/info/stores", ""),
            ("GET", "/v2/info/stores/detail", ""),
            ("GET", "/v2/info/usage", ""),
            ("GET", "/v2/info", ""),
            ("GET", "/v2/stores", ""),
            ("GET", "/v2/cached_images", ""),
            ("DELETE", "/v2/cached_images", ""),
            ("GET", "/v2/queued_images", ""),
            ("PUT", "/v2/queued_images/11111111-2222-3333-4444-555555555555", ""),
            ("GET", "/v2/cache", ""),
            ("DELETE", "/v2/cache", ""),
            ("PUT", "/v2/cache/11111111-2222-3333-4444-555555555555", ""),
            ("GET", "/v2/cache/11111111-2222-3333-4444-555555555555", ""),
            ("GET", "/v2/cache/nodes/11111111-2222-3333-4444-555555555555", ""),
            ("POST", "/v2/cache/clean", ""),
            ("POST", "/v2/cache/prune", ""),
            ("GET", "/v2/cache/prune", ""),
            ("GET", "/v2/metadefs/namespaces/none", ""),
            ("GET", "/v2/metadefs/namespaces/none/objects", ""),
            ("GET", "/v2/metadefs/resource_types", ""),
            ("POST", "/v2/metadefs/namespaces", r#"{"namespace": 5}"#),
        ] {
            let kind = if body.is_empty() { "" } else { JSON };
            pair.ask(&who, (method, path), kind, body.as_bytes());
        }
    }
    pair.end();
}
