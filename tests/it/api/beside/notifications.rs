//! The same steps on Larder and on Glance: oslo.messaging's listener hears the same of both.
//!
//! Left out of what is compared: ids, times, an `image.update` that says what the one before said (Glance saves an image
//! several times), `task.run` of a task that failed (Glance does not always say it), and the lock of an import among the properties, which Glance's last notification still has.

use super::{Both, JSON, PATCH, Pair, SHOWING, TRUSTING, address};
use crate::{
    api::{Server, access::As},
    support::{
        rig::{self, Listener},
        wait_until,
        web::{Web, data},
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path, time::Duration};

const DATA: &str = "application/octet-stream";

/// Both servers, and what is heard of each.
struct Heard {
    pair: Pair,
    glance: Listener,
    larder: Listener,
}

fn config(folder: &Path, broker: u16, topic: &str) -> (String, String) {
    let notes = format!(
        "default_publisher_id = image.test\n[oslo_messaging_notifications]\ndriver = messagingv2\n\
         transport_url = rabbit://guest:guest@127.0.0.1:{broker}/\n"
    );
    let folder = folder.display();
    let larder = format!(
        "{SHOWING}enabled_backends = slow:file, fast:file, web:http\n{notes}topics = {topic}-larder\n\
         [glance_store]\ndefault_backend = fast\n\
         [fast]\nfilesystem_store_datadir = {folder}/fast\n[slow]\nfilesystem_store_datadir = {folder}/slow\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n\
         {TRUSTING}[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []"
    );
    (format!("{notes}topics = {topic}-glance\n"), larder)
}

impl Heard {
    fn start(folder: &Path, topic: &str) -> Option<Self> {
        let broker = rig::rabbit()?;
        let (glance, larder) = config(folder, broker, topic);
        let url = format!("rabbit://guest:guest@127.0.0.1:{broker}/");
        let listen = |name: &str| Listener::start(&url, ("glance", &format!("{topic}-{name}")), false);
        let (heard_glance, heard_larder) = (listen("glance")?, listen("larder")?);
        let glance = address(&rig::trusting_glance_with(topic, &glance)?);
        Some(Self { pair: Pair::of(Server::with(&larder), glance), glance: heard_glance, larder: heard_larder })
    }

    /// An import, waited for on both servers. False when Glance has lost its task, which happens.
    fn import(&self, who: &As, id: &str, body: &Value) -> bool {
        self.work(who, id, ("import", body))
    }

    /// Work behind the answer to a POST, likewise.
    fn work(&self, who: &As, id: &str, (verb, body): (&str, &Value)) -> bool {
        let asked = self.pair.send(who, "POST", &format!("/v2/images/{id}/{verb}"), body);
        assert_eq!(asked.larder.status, 202, "{}", asked.print());
        // The task ends last.
        let done = |it: &Listener| {
            let heard = it.heard();
            let count = |event: &str| heard.iter().filter(|it| kind(it) == event).count();
            // Of one that has failed Glance does not always say that it ran.
            count("task.success") + count("task.failure") == count("task.create")
                && count("task.run") >= count("task.success")
        };
        wait_until("Larder's import is told of", Duration::from_secs(60), || done(&self.larder));
        let is_done = self.pair.glance_is_done(|| done(&self.glance));
        if !is_done {
            let heard = self.glance.heard();
            eprintln!("{body}: {:?}", heard.iter().map(kind).collect::<Vec<_>>());
        }
        is_done
    }

    /// That the same was heard of both, but for how a task changed the image on its way to what it is in the end, and for the
    /// `image.send` with which Glance tells of its own reading for a hash as of a download. Larder has seen then what the data is.
    fn end_of_tasks(self) {
        self.compare(true);
    }

    /// That the same was heard of both.
    fn end(self) {
        self.compare(false);
    }

    fn compare(self, only_last: bool) {
        let last = self.pair.image(&As::admin(), json!({"name": "the last"}));
        let is_last = |it: &Value| it["id"] == last.as_str();
        for listener in [&self.larder, &self.glance] {
            listener.wait("image.create", is_last);
        }
        let (larder, glance) = (streams(&self.larder.heard(), only_last), streams(&self.glance.heard(), only_last));
        for (name, wanted) in &glance {
            let said = larder.get(name).cloned().unwrap_or_default();
            for (at, (larder, glance)) in said.iter().zip(wanted).enumerate() {
                let kinds = |it: &[Value]| it.iter().map(|it| kind(it).to_owned()).collect::<Vec<_>>();
                assert_eq!(larder, glance, "{name}: number {at} of {:?} and {:?}", kinds(&said), kinds(wanted));
            }
            assert_eq!(said.len(), wanted.len(), "{name}\nLarder {said:#?}\nGlance {wanted:#?}");
        }
        assert_eq!(larder.len(), glance.len());
    }
}

fn kind(note: &Value) -> &str {
    note["event_type"].as_str().unwrap()
}

/// What was said of each image, of all tasks (in no order: Glance says when it comes to it that one runs), and of
/// definitions. Of several changes in a row only the last, if so wanted.
fn streams(heard: &[Value], only_last: bool) -> BTreeMap<String, Vec<Value>> {
    let mut streams = BTreeMap::<String, Vec<Value>>::new();
    // Each priority has its own queue.
    let mut heard = heard.to_vec();
    heard.sort_by_key(|it| it["metadata"]["timestamp"].as_str().unwrap().to_owned());
    let failed: Vec<Value> =
        heard.iter().filter(|it| kind(it) == "task.failure").map(|it| it["payload"]["id"].clone()).collect();
    for note in heard.iter().filter(|it| kind(it) != "task.run" || !failed.contains(&it["payload"]["id"])) {
        let group = kind(note).split(['.', '_']).next().unwrap();
        let words = note["payload"].as_str().map(|it| it.split_whitespace().collect::<Vec<_>>());
        let in_words = words.and_then(|it| it.into_iter().find(|it| it.len() == 36).map(str::to_owned));
        let of = note["payload"]["id"].as_str().or(note["payload"]["image_id"].as_str()).map(str::to_owned);
        let name = if group == "image" { of.or(in_words).unwrap_or_default() } else { group.to_owned() };
        let mut said = plain(note);
        if only_last && kind(note) == "image.send" {
            continue;
        }
        if only_last && kind(note) == "image.update" {
            said["payload"]["virtual_size"].take();
        }
        let stream = streams.entry(name).or_default();
        if only_last && kind(note) == "image.update" && stream.last().is_some_and(|it| kind(it) == "image.update") {
            stream.pop();
        }
        if kind(note) != "image.update" || stream.last() != Some(&said) {
            stream.push(said);
        }
    }
    for stream in streams.values_mut() {
        if stream.iter().any(|it| kind(it).starts_with("task")) {
            stream.sort_by_key(ToString::to_string);
        }
    }
    streams
}

/// Without what is each server's own; that these are there, and of their form, is looked at.
fn plain(note: &Value) -> Value {
    let mut note = note.clone();
    let metadata = note["metadata"].take();
    assert_eq!(metadata["message_id"].as_str().unwrap().len(), 36, "{note}");
    let time = metadata["timestamp"].as_str().unwrap();
    assert!(chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S%.f").is_ok(), "{time}");
    assert_eq!(metadata.as_object().unwrap().len(), 2, "{metadata}");
    let is_task = kind(&note).starts_with("task");
    match &mut note["payload"] {
        // The reasons are in each server's words.
        Value::String(words) => *words = words.split(": ").next().unwrap().to_owned(),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if name.ends_with("_at") && value.is_string() {
                    assert!(chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).is_ok(), "{name} {value}");
                    *value = json!("a time");
                }
                if name == "id" && is_task {
                    *value = json!("an id");
                }
                if let Some(tags) = value.as_array_mut().filter(|_| name == "tags") {
                    tags.sort_by_key(ToString::to_string);
                }
            }
            if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
                properties.remove("os_glance_import_task");
                properties.sort_keys();
            }
            fields.sort_keys();
        }
        _ => {}
    }
    note
}

fn put(heard: &Heard, who: &As, id: &str, data: &[u8]) -> Both {
    heard.pair.ask(who, ("PUT", &format!("/v2/images/{id}/file")), DATA, data)
}

#[test]
fn images_and_members_are_told_of_as_by_glance() {
    let folder = tempfile::tempdir().unwrap();
    let Some(heard) = Heard::start(folder.path(), "images") else { return };
    let (pair, owner, other, admin) = (&heard.pair, As::member("p"), As::member("q"), As::admin());
    let fields = json!({"tags": ["b", "a"], "kept": "v", "min_disk": 2, "min_ram": 3, "visibility": "shared"});
    let id = pair.image(&owner, fields);
    let path = format!("/v2/images/{id}");
    let change = |body: Value| pair.patch(&owner, &id, &body);
    change(json!([{"op": "add", "path": "/more", "value": "1"}, {"op": "replace", "path": "/name", "value": "new"}]));
    change(json!([]));
    change(json!([{"op": "add", "path": "/owner", "value": "thief"}]));
    pair.ask(&owner, ("PUT", &format!("{path}/tags/word")), "", b"");
    pair.ask(&owner, ("DELETE", &format!("{path}/tags/word")), "", b"");
    pair.get(&owner, &format!("{path}/file"));
    put(&heard, &owner, &id, b"some data");
    put(&heard, &owner, &id, b"again");
    pair.get(&owner, &format!("{path}/file"));
    pair.ask_with(&owner, ("GET", &format!("{path}/file")), ("", b""), &[("Range", "bytes=2-4")]);
    for action in ["deactivate", "deactivate", "reactivate", "reactivate"] {
        pair.ask(&admin, ("POST", &format!("{path}/actions/{action}")), "", b"");
    }
    pair.send(&owner, "POST", &format!("{path}/members"), &json!({"member": "q"}));
    for status in ["accepted", "rejected"] {
        pair.send(&other, "PUT", &format!("{path}/members/q"), &json!({"status": status}));
    }
    pair.get(&other, &format!("{path}/file"));
    pair.ask(&owner, ("DELETE", &format!("{path}/members/q")), "", b"");
    change(json!([{"op": "replace", "path": "/protected", "value": true}]));
    pair.ask(&owner, ("DELETE", &path), "", b"");
    change(json!([{"op": "replace", "path": "/protected", "value": false}]));
    pair.ask(&owner, ("DELETE", &path), "", b"");
    heard.end();
}

#[test]
fn uploads_that_fail_are_told_of_as_by_glance() {
    let folder = tempfile::tempdir().unwrap();
    let Some(heard) = Heard::start(folder.path(), "failures") else { return };
    let (pair, owner) = (&heard.pair, As::member("p"));
    let id = pair.image(&owner, json!({}));
    let (path, size) = (format!("/v2/images/{id}/file"), ("x-openstack-image-size", "5"));
    pair.ask_with(&owner, ("PUT", &path), (DATA, b"some data"), &[size]);
    put(&heard, &owner, &id, b"some data");
    // An image without formats takes nothing, which nobody is told of.
    let id = pair.image(&owner, json!({"disk_format": null, "container_format": null}));
    put(&heard, &owner, &id, b"some data");
    heard.end();
}

#[test]
fn imports_are_told_of_as_by_glance() {
    let folder = tempfile::tempdir().unwrap();
    let Some(heard) = Heard::start(folder.path(), "imports") else { return };
    let (web, pair, owner, admin) = (Web::start(), &heard.pair, As::member("p"), As::admin());
    let id = pair.image(&owner, json!({}));
    pair.ask(&owner, ("PUT", &format!("/v2/images/{id}/stage")), DATA, b"some data");
    if !heard.import(&owner, &id, &json!({"method": {"name": "glance-direct"}})) {
        return;
    }
    if !heard.import(&admin, &id, &json!({"method": {"name": "copy-image"}, "stores": ["slow"]})) {
        return;
    }
    pair.ask(&admin, ("DELETE", &format!("/v2/stores/slow/{id}")), "", b"");
    let download = |path: &str| json!({"method": {"name": "web-download", "uri": web.url(path)}});
    let id = pair.image(&owner, json!({}));
    if !heard.import(&owner, &id, &download("/status/404")) {
        return;
    }
    if !heard.import(&owner, &id, &download("/a")) {
        return;
    }
    let id = pair.image(&owner, json!({}));
    let add = json!([{"op": "add", "path": "/locations/-", "value": {"url": web.url("/c"), "metadata": {}}}]);
    pair.ask_freely(&owner, ("PATCH", &format!("/v2/images/{id}")), PATCH, add.to_string().as_bytes());
    heard.end();
}

#[test]
fn locations_are_told_of_as_by_glance() {
    let folder = tempfile::tempdir().unwrap();
    let Some(heard) = Heard::start(folder.path(), "locations") else { return };
    let (web, pair, owner, admin) = (Web::start(), &heard.pair, As::member("p"), As::admin());
    let place = |path: &str, metadata: Value| json!({"url": web.url(path), "metadata": metadata});
    // Glance's own answer has the new place where it is not from then on.
    let patch = |who: &As, id: &str, op: &str, at: &str, value: Value| {
        let body = json!([{"op": op, "path": format!("/locations{at}"), "value": value}]).to_string();
        let both = pair.ask_freely(who, ("PATCH", &format!("/v2/images/{id}")), PATCH, body.as_bytes());
        assert_eq!(both.glance.status, both.larder.status, "{body} {}", both.print());
        both.larder.status
    };
    let id = pair.image(&owner, json!({}));
    assert_eq!(patch(&owner, &id, "add", "/-", place("/a", json!({}))), 200);
    assert_eq!(patch(&owner, &id, "add", "/-", place("/b", json!({"k": "v"}))), 200);
    assert_eq!(patch(&owner, &id, "add", "/-", place("/b", json!({"k": "v"}))), 400);
    let both = json!([place("/a", json!({"k": "w"})), place("/b", json!({"k": "v"}))]);
    patch(&owner, &id, "replace", "", both);
    assert_eq!(patch(&owner, &id, "remove", "/0", json!(null)), 403);
    assert_eq!(patch(&admin, &id, "remove", "/0", json!(null)), 200);
    assert_eq!(patch(&admin, &id, "remove", "/0", json!(null)), 403);
    let id = pair.image(&owner, json!({}));
    assert_eq!(patch(&owner, &id, "replace", "", json!([place("/a", json!({})), place("/c", json!({}))])), 200);
    let id = pair.image(&owner, json!({}));
    assert_eq!(patch(&owner, &id, "add", "/-", place("/none", json!({}))), 400);
    let sum = |hash: String| json!({"os_hash_algo": "sha256", "os_hash_value": hash});
    let right: String = Sha256::digest(data("/c").unwrap()).iter().map(|it| format!("{it:02x}")).collect();
    // Of one with another hash Glance keeps the location, and says so.
    for validation in [json!({}), sum(right)] {
        let id = pair.image(&owner, json!({}));
        let body = json!({"url": web.url("/c"), "validation_data": validation});
        if !heard.work(&owner, &id, ("locations", &body)) {
            return;
        }
    }
    heard.end_of_tasks();
}

#[test]
fn definitions_are_told_of_as_by_glance() {
    let folder = tempfile::tempdir().unwrap();
    let Some(heard) = Heard::start(folder.path(), "definitions") else { return };
    let (pair, admin, all) = (&heard.pair, As::admin(), "/v2/metadefs/namespaces");
    let send = |method: &str, path: &str, body: &Value| {
        let both = pair.ask_freely(&admin, (method, &format!("{all}{path}")), JSON, body.to_string().as_bytes());
        assert_eq!(both.glance.status, both.larder.status, "{method} {path} {}", both.print());
    };
    let remove = |path: &str| drop(pair.ask(&admin, ("DELETE", &format!("{all}{path}")), "", b""));
    // Not `items`: Glance fails to notify of an object with a property that has them.
    let properties = json!({"a": {"type": "integer", "title": "A", "minimum": 0, "maximum": 9, "default": 3},
        "b": {"type": "array", "title": "B", "uniqueItems": true, "minItems": 1}});
    let whole = json!({"namespace": "ns", "display_name": "D", "description": "d", "visibility": "public",
        "resource_type_associations": [{"name": "OS::T", "prefix": "t_"}],
        "properties": {"p": {"type": "string", "title": "P", "enum": ["x"], "description": "d", "minLength": 1}},
        "objects": [{"name": "o", "required": ["a"], "properties": properties}],
        "tags": [{"name": "t1"}, {"name": "t2"}]});
    send("POST", "", &whole);
    send("POST", "", &whole);
    send("PUT", "/ns", &json!({"namespace": "ns", "display_name": "E", "visibility": "public"}));
    send("PUT", "/ns", &json!({"namespace": "other", "description": "x"}));
    send("POST", "/other/objects", &json!({"name": "o2", "description": "d", "properties": properties}));
    send("PUT", "/other/objects/o2", &json!({"name": "o3"}));
    send("PUT", "/other/objects/o3", &json!({"name": "o3", "required": ["z"]}));
    remove("/other/objects/o3");
    send(
        "POST",
        "/other/properties",
        &json!({"name": "q", "type": "integer", "title": "Q", "minimum": 0, "default": 0}),
    );
    send("PUT", "/other/properties/q", &json!({"name": "r", "type": "string", "title": "R", "pattern": "^a"}));
    remove("/other/properties/r");
    send("POST", "/other/tags/t9", &json!({}));
    send("PUT", "/other/tags/t9", &json!({"name": "t8"}));
    remove("/other/tags/t8");
    send("POST", "/other/tags", &json!({"tags": [{"name": "u1"}, {"name": "u2"}]}));
    send("POST", "/other/resource_types", &json!({"name": "OS::U", "prefix": "u_", "properties_target": "image"}));
    remove("/other/resource_types/OS::U");
    for content in ["objects", "properties", "tags", "nothing"] {
        remove(&format!("/other/{content}"));
    }
    send("PUT", "/other", &json!({"namespace": "other", "protected": true}));
    remove("/other");
    send("PUT", "/other", &json!({"namespace": "other", "protected": false}));
    remove("/other");
    heard.end();
}
