//! The standard definitions beside those that Glance ships, in files and in answers.

use crate::api::{Answer, Server, exchange};
use crate::support::{larder, rig, run};
use serde_json::Value;
use std::{collections::HashSet, fs, net::SocketAddr, path::Path, process::Command};

const METADEFS: &str = "/v2/metadefs";

fn read(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
}

/// Takes the descriptions out.
fn descriptions(value: &mut Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get("description") {
                found.push(text.clone());
                fields.shift_remove("description");
            }
            fields.values_mut().for_each(|it| descriptions(it, found));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| descriptions(it, found)),
        _ => {}
    }
}

#[test]
fn they_are_glances_but_for_the_descriptions() {
    let Some(program) = rig::program("glance-manage") else { return };
    let theirs = program.ancestors().nth(2).unwrap().join("etc/glance/metadefs");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/metadefs");
    let mut texts = [Vec::new(), Vec::new()];
    for name in crate::support::files(&theirs).into_iter().filter(|it| it.ends_with(".json")) {
        let [mut their, mut our] = [read(&theirs, &name), read(&ours, &name)];
        descriptions(&mut their, &mut texts[0]);
        descriptions(&mut our, &mut texts[1]);
        assert_eq!(our, their, "{name}");
    }
    assert_eq!(texts[0].len(), texts[1].len());
    let theirs: HashSet<&String> = texts[0].iter().collect();
    let same: Vec<&String> = texts[1].iter().filter(|it| theirs.contains(it)).collect();
    assert!(same.is_empty(), "{same:?}");
}

/// The two servers, each with its own standard definitions.
struct Both {
    ours: Server,
    theirs: SocketAddr,
}

impl Both {
    fn start() -> Option<Self> {
        let program = rig::program("glance-manage")?;
        let glance = rig::glance_on_sqlite("metadefs", "")?;
        let files = program.ancestors().nth(2).unwrap().join("etc/glance/metadefs");
        let mut load = Command::new(program);
        load.current_dir(glance.images.parent().unwrap()).env("PYTHONWARNINGS", "ignore");
        run(load.args(["--config-file", "glance-api.conf", "db", "load_metadefs", "--path"]).arg(files));
        let ours = Server::start();
        let load = ["catalogue", "--config-file", "catalogue.conf", "metadefs", "load", "--path"];
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/metadefs");
        run(larder(&load).arg(files).current_dir(ours.dir.path()));
        Some(Self { ours, theirs: glance.url.trim_start_matches("http://").parse().unwrap() })
    }

    /// Our answer, after it was compared with Glance's.
    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let path = format!("{METADEFS}/{path}");
        let headers = [("Accept", "application/json")];
        let our = exchange(self.ours.address, "GET", &path, &headers, b"");
        let their = exchange(self.theirs, "GET", &path, &headers, b"");
        assert_eq!(our.status, their.status, "{path}: {} {}", our.text(), their.text());
        assert_eq!(our.header("content-type"), their.header("content-type"), "{path}");
        assert_eq!(comparable(&our), comparable(&their), "{path}");
        our.json()
    }
}

/// What must be the same: not descriptions and times, nor the order of what was made at about the same time.
fn comparable(answer: &Answer) -> Value {
    let mut value = answer.json();
    strip(&mut value);
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_text = |it: &Value| it.is_string();
            for name in ["description", "created_at", "updated_at"] {
                if fields.get(name).is_some_and(is_text) {
                    // That it is there is compared.
                    fields[name] = Value::Null;
                }
            }
            for name in ["resource_type_associations", "resource_types", "objects", "tags"] {
                if let Some(Value::Array(items)) = fields.get_mut(name) {
                    items.sort_by_key(|it| it["name"].to_string());
                }
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_answer_about_them_is_glances() {
    let Some(both) = Both::start() else { return };
    let types = names(&both.get("resource_types")["resource_types"], "name");
    let all = both.get("namespaces?limit=100&sort_key=namespace&sort_dir=asc");
    let namespaces = names(&all["namespaces"], "namespace");
    assert_eq!((types.len(), namespaces.len()), (6, 32));
    lists(&both, &types);
    for namespace in &namespaces {
        one(&both, namespace, &types);
    }
    for path in [
        "namespaces/none",
        "namespaces/none/objects",
        "namespaces/none/properties",
        "namespaces/none/tags",
        "namespaces/none/resource_types",
        "namespaces/OS::Compute::Libvirt/objects/none",
        "namespaces/OS::Compute::Libvirt/properties/none",
        "namespaces/OS::Compute::Libvirt/tags/none",
        "namespaces/OS::Compute::Libvirt/properties/boot_menu?resource_type=OS::Glance::Image",
        "namespaces/OS::Compute::Libvirt/properties/hw_boot_menu?resource_type=OS::Trove::Instance",
        "namespaces/OS::Compute::Libvirt/properties/hw_boot_menu?resource_type=none",
    ] {
        both.get(path);
    }
}

fn lists(both: &Both, types: &[String]) {
    let by_name = "sort_key=namespace&sort_dir";
    for kind in types.iter().map(String::as_str).chain(["none", "OS::Nova::Flavor,OS::Nova::Server", ""]) {
        both.get(&format!("namespaces?{by_name}=asc&limit=100&resource_types={kind}"));
    }
    for part in ["visibility=public", "visibility=shared", "limit=0", "limit=-1", "owner=x"] {
        both.get(&format!("namespaces?{by_name}=desc&{part}"));
    }
    for part in ["sort_key=display_name&limit=100", "marker=none", "sort_dir=up"] {
        both.get(&format!("namespaces?{part}"));
    }
    // Glance misses those without a visibility, although it shows them as private.
    let private = both.ours.get("/v2/metadefs/namespaces?visibility=private").json();
    assert_eq!(private["namespaces"].as_array().unwrap().len(), 2);
    let mut path = format!("namespaces?{by_name}=desc&limit=7&resource_types=OS::Nova::Flavor");
    for _ in 0..10 {
        let page = both.get(&path);
        let Some(next) = page.get("next") else { break };
        path = next.as_str().unwrap().trim_start_matches(METADEFS).trim_start_matches('/').to_owned();
    }
}

fn one(both: &Both, namespace: &str, types: &[String]) {
    let at = format!("namespaces/{namespace}");
    let found = both.get(&at);
    both.get(&format!("{at}/resource_types"));
    both.get(&format!("{at}/tags"));
    both.get(&format!("{at}/objects"));
    let properties = both.get(&format!("{at}/properties"));
    for kind in types {
        both.get(&format!("{at}?resource_type={kind}"));
    }
    for name in properties["properties"].as_object().unwrap().keys() {
        both.get(&format!("{at}/properties/{name}"));
    }
    let first = properties["properties"].as_object().unwrap().keys().next();
    if let (Some(name), Some(Value::Array(associations))) = (first, found.get("resource_type_associations")) {
        for it in associations {
            let (kind, prefix) = (it["name"].as_str().unwrap(), it["prefix"].as_str().unwrap_or_default());
            both.get(&format!("{at}/properties/{prefix}{name}?resource_type={kind}"));
        }
    }
    for it in found.get("objects").and_then(Value::as_array).into_iter().flatten() {
        both.get(&format!("{at}/objects/{}", it["name"].as_str().unwrap().replace(' ', "%20")));
    }
}
