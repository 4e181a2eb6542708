//! Everything that can be read.

use super::super::{request::Request, values::encoded};
use super::{CALLERS, Site, Who};
use crate::api::Answer;
use serde_json::Value;
use std::collections::HashMap;

/// What was answered to whom for which path.
pub(super) type Walked = HashMap<(Who, String), Answer>;

/// Where all begins: versions, schemas, lists in several orders and by several filters.
const ROOTS: &[&str] = &[
    "/",
    "/versions",
    "/v2/schemas/image",
    "/v2/schemas/images",
    "/v2/schemas/member",
    "/v2/schemas/members",
    "/v2/schemas/task",
    "/v2/schemas/tasks",
    "/v2/schemas/metadefs/namespace",
    "/v2/schemas/metadefs/namespaces",
    "/v2/schemas/metadefs/resource_type",
    "/v2/schemas/metadefs/resource_types",
    "/v2/schemas/metadefs/object",
    "/v2/schemas/metadefs/objects",
    "/v2/schemas/metadefs/property",
    "/v2/schemas/metadefs/properties",
    "/v2/schemas/metadefs/tag",
    "/v2/schemas/metadefs/tags",
    "/v2/info/import",
    "/v2/info/stores",
    "/v2/info/usage",
    "/v2/images",
    "/v2/images?limit=3",
    "/v2/images?limit=4&sort=name:asc&status=active",
    // Without nulls: each database has them elsewhere under Glance, which goes round in circles at a marker that has one.
    "/v2/images?limit=4&sort=size:desc,name:asc&status=active",
    "/v2/images?limit=5&sort_key=status&sort_key=visibility&sort_dir=asc",
    "/v2/images?sort=updated_at:asc&limit=7",
    "/v2/images?visibility=all",
    "/v2/images?visibility=public",
    "/v2/images?visibility=community",
    "/v2/images?visibility=shared",
    "/v2/images?visibility=shared&member_status=all",
    "/v2/images?member_status=all",
    "/v2/images?member_status=pending",
    "/v2/images?member_status=rejected",
    "/v2/images?os_hidden=true",
    "/v2/images?os_hidden=true&visibility=all",
    "/v2/images?protected=true",
    "/v2/images?status=queued",
    "/v2/images?status=in:active,deactivated",
    "/v2/images?size_min=1&size_max=2000",
    "/v2/images?tag=first",
    "/v2/images?tag=first&tag=%C3%BCn%C3%AFc%C3%B6d%C3%A9",
    "/v2/images?name=in:%22glance-plain%22,larder-plain",
    "/v2/images?container_format=bare&disk_format=in:raw,qcow2",
    "/v2/images?os_distro=linux",
    "/v2/images?words=",
    "/v2/images?created_at=gt:2020-01-01T00:00:00Z",
    "/v2/images?updated_at=lt:2020-01-01T00:00:00Z",
    "/v2/tasks",
    "/v2/tasks?limit=1",
    "/v2/tasks?status=failure",
    "/v2/metadefs/namespaces",
    "/v2/metadefs/namespaces?limit=2",
    "/v2/metadefs/namespaces?sort_key=namespace&sort_dir=asc&limit=2",
    "/v2/metadefs/namespaces?visibility=private",
    "/v2/metadefs/namespaces?resource_types=OS::Glance::Image",
    "/v2/metadefs/resource_types",
];

/// Asks for all that there is, as callers of several kinds, and what each answer leads to.
pub(super) fn walk(site: &Site) -> Walked {
    let mut walked = Walked::new();
    for who in CALLERS {
        let mut paths: Vec<String> = ROOTS.iter().map(|&it| it.to_owned()).collect();
        while let Some(path) = paths.pop() {
            if walked.contains_key(&(who, path.clone())) {
                continue;
            }
            let answer = ask(site, who, &path);
            if let (200, Ok(body)) = (answer.status, serde_json::from_slice(&answer.body)) {
                lead(&path, &body, &mut paths);
            }
            walked.insert((who, path), answer);
        }
    }
    // What a caller's lists do not have is asked for all the same.
    let admins: Vec<String> = walked.keys().filter(|it| it.0 == Who::Admin).map(|it| it.1.clone()).collect();
    for who in CALLERS {
        for path in admins.iter().filter(|it| !it.contains('?')) {
            walked.entry((who, path.clone())).or_insert_with(|| ask(site, who, path));
        }
    }
    walked
}

/// Members come from Glance in the order that the database has them in: on PostgreSQL, one that was changed is the last.
fn ask(site: &Site, who: Who, path: &str) -> Answer {
    let mut answer = site.ask(&Request::new(who, "GET", path.to_owned()));
    if site.on_postgres && path.starts_with("/v2/images/") && path.ends_with("/members") && answer.status == 200 {
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
        body["members"].as_array_mut().unwrap().sort_by_key(|it| it["member_id"].to_string());
        answer.body = body.to_string().into_bytes();
    }
    answer
}

/// The paths that an answer leads to.
fn lead(path: &str, body: &Value, to: &mut Vec<String>) {
    to.extend(body["next"].as_str().map(str::to_owned));
    let base = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = base.split('/').skip(2).collect();
    let items = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let texts = |name: &str, field: &str| -> Vec<String> {
        items(name).iter().filter_map(|it| it[field].as_str().map(encoded)).collect()
    };
    match parts[..] {
        ["images"] => {
            for id in texts("images", "id") {
                let image = format!("/v2/images/{id}");
                to.extend(["/file", "/members", "/tasks", "/locations"].map(|it| format!("{image}{it}")));
                to.push(image);
            }
        }
        ["images", _, "members"] => {
            to.extend(texts("members", "member_id").iter().map(|it| format!("{base}/{it}")));
        }
        ["tasks"] => to.extend(texts("tasks", "id").iter().map(|it| format!("/v2/tasks/{it}"))),
        ["metadefs", "namespaces"] => {
            for name in texts("namespaces", "namespace") {
                let space = format!("{base}/{name}");
                to.extend(["/resource_types", "/properties", "/objects", "/tags"].map(|it| format!("{space}{it}")));
                to.extend(["?resource_type=OS::Glance::Image", "/tags?limit=2"].map(|it| format!("{space}{it}")));
                to.push(space);
            }
        }
        ["metadefs", "namespaces", _, "properties"] => {
            let names = body["properties"].as_object().cloned().unwrap_or_default();
            to.extend(names.keys().map(|it| format!("{base}/{}", encoded(it))));
        }
        ["metadefs", "namespaces", _, kind @ ("objects" | "tags")] => {
            to.extend(texts(kind, "name").iter().map(|it| format!("{base}/{it}")));
        }
        _ => {}
    }
}
