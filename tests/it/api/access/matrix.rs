//! One table of who may do what to which image, filled by a catalogue and by a real Glance, and compared cell by cell.

use crate::{
    api::{Answer, Server, exchange},
    support::rig,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// A name, the visibility, what the friend has answered (if it was offered to it), and in which state it is otherwise.
type Kind = (&'static str, &'static str, Option<&'static str>, &'static str);

/// All are `owner`'s.
const KINDS: [Kind; 13] = [
    ("private", "private", None, ""),
    ("shared with nobody", "shared", None, ""),
    ("offered", "shared", Some("pending"), ""),
    ("accepted", "shared", Some("accepted"), ""),
    ("rejected", "shared", Some("rejected"), ""),
    ("once shared", "private", Some("accepted"), ""),
    ("community", "community", None, ""),
    ("public", "public", None, ""),
    ("hidden", "public", None, "hidden"),
    ("protected", "shared", Some("accepted"), "protected"),
    ("deactivated", "shared", Some("accepted"), "deactivated"),
    ("deactivated for all", "public", None, "deactivated"),
    ("queued", "shared", Some("accepted"), "queued"),
];

/// A name, the project, the roles.
const CALLERS: [(&str, &str, &str); 9] = [
    ("owner", "owner", "member,reader"),
    ("owner's reader", "owner", "reader"),
    ("owner's nobody", "owner", ""),
    ("friend", "friend", "member,reader"),
    ("friend's reader", "friend", "reader"),
    ("stranger", "stranger", "member,reader"),
    ("stranger's reader", "stranger", "reader"),
    ("service", "services", "service"),
    ("admin", "admins", "admin,member,reader"),
];

const JSON: &str = "application/json";
const PATCH: &str = "application/openstack-images-v2.1-json-patch";
const DATA: &str = "application/octet-stream";

/// A name, the method, the path below the image's, the media type, the body.
const VERBS: [(&str, &str, &str, &str, &str); 25] = [
    ("show", "GET", "", "", ""),
    ("download", "GET", "/file", "", ""),
    ("members", "GET", "/members", "", ""),
    ("member", "GET", "/members/{friend}", "", ""),
    ("its tasks", "GET", "/tasks", "", ""),
    ("locations", "GET", "/locations", "", ""),
    ("rename", "PATCH", "", PATCH, r#"[{"op": "replace", "path": "/name", "value": "x"}]"#),
    ("change nothing", "PATCH", "", PATCH, "[]"),
    ("publish", "PATCH", "", PATCH, r#"[{"op": "replace", "path": "/visibility", "value": "public"}]"#),
    ("open", "PATCH", "", PATCH, r#"[{"op": "replace", "path": "/visibility", "value": "community"}]"#),
    ("hide", "PATCH", "", PATCH, r#"[{"op": "replace", "path": "/os_hidden", "value": true}]"#),
    ("give away", "PATCH", "", PATCH, r#"[{"op": "replace", "path": "/owner", "value": "another"}]"#),
    ("tag", "PUT", "/tags/mine", "", ""),
    ("untag", "DELETE", "/tags/theirs", "", ""),
    ("share", "POST", "/members", JSON, r#"{"member": "another"}"#),
    ("share with friend", "POST", "/members", JSON, r#"{"member": "{friend}"}"#),
    ("answer", "PUT", "/members/{project}", JSON, r#"{"status": "rejected"}"#),
    ("answer for friend", "PUT", "/members/{friend}", JSON, r#"{"status": "accepted"}"#),
    ("unshare", "DELETE", "/members/{friend}", "", ""),
    ("deactivate", "POST", "/actions/deactivate", "", ""),
    ("reactivate", "POST", "/actions/reactivate", "", ""),
    ("stage", "PUT", "/stage", DATA, "mine"),
    ("import", "POST", "/import", JSON, r#"{"method": {"name": "glance-direct"}}"#),
    ("upload", "PUT", "/file", DATA, "mine"),
    ("delete", "DELETE", "", "", ""),
];

/// After these, the image is still the same kind of image.
const HARMLESS: [&str; 5] = ["rename", "change nothing", "tag", "untag", "share"];

/// Questions that name no image of the table.
const LISTS: [&str; 12] = [
    "/v2/images?limit=1000",
    "/v2/images?limit=1000&visibility=all",
    "/v2/images?limit=1000&visibility=public",
    "/v2/images?limit=1000&visibility=private",
    "/v2/images?limit=1000&visibility=shared",
    "/v2/images?limit=1000&visibility=community",
    "/v2/images?limit=1000&visibility=shared&member_status=all",
    "/v2/images?limit=1000&member_status=rejected",
    "/v2/images?limit=1000&owner={owner}",
    "/v2/images?limit=1000&os_hidden=true",
    "/v2/tasks",
    "/v2/tasks/00000000-0000-4000-8000-000000000000",
];

/// One server, under projects that no other test has.
struct Side {
    at: SocketAddr,
    run: String,
    ids: BTreeMap<&'static str, String>,
}

/// Cells by what they are of.
type Table = BTreeMap<String, String>;

// === impl Side ===

impl Side {
    fn new(at: SocketAddr) -> Self {
        Self { at, run: format!("{:x}", rand::random::<u64>()), ids: BTreeMap::new() }
    }

    /// The name of a project, here.
    fn project(&self, name: &str) -> String {
        format!("{name}-{}", self.run)
    }

    fn filled(&self, text: &str, project: &str) -> String {
        let text = text.replace("{project}", &self.project(project)).replace("{friend}", &self.project("friend"));
        text.replace("{owner}", &self.project("owner"))
    }

    fn ask(&self, (project, roles): (&str, &str), (method, path): (&str, &str), kind: &str, body: &str) -> Answer {
        let project = self.project(project);
        let mut headers = vec![
            ("X-Identity-Status", "Confirmed"),
            ("X-User-Id", "somebody"),
            ("X-Project-Id", project.as_str()),
            ("X-Roles", roles),
        ];
        if !kind.is_empty() {
            headers.push(("Content-Type", kind));
        }
        exchange(self.at, method, path, &headers, body.as_bytes())
    }

    /// As the owner or an admin, and it must work.
    fn done(&self, who: (&str, &str), what: (&str, &str), kind: &str, body: &Value) -> Answer {
        let text = if kind == DATA { "data".to_owned() } else { body.to_string() };
        let answer = self.ask(who, what, kind, if body.is_null() && kind != DATA { "" } else { &text });
        assert!(answer.status < 300, "{what:?}: {}", answer.text());
        answer
    }

    /// Makes the image of a kind anew.
    fn make(&mut self, (name, visibility, friend, state): Kind) {
        let (owner, admin) = (("owner", "member,reader"), ("admins", "admin,member,reader"));
        let fields = json!({"name": name, "disk_format": "raw", "container_format": "bare", "tags": ["theirs"]});
        let made = self.done(owner, ("POST", "/v2/images"), JSON, &fields).json();
        let id = made["id"].as_str().unwrap().to_owned();
        let image = format!("/v2/images/{id}");
        if state != "queued" {
            self.done(owner, ("PUT", &format!("{image}/file")), DATA, &Value::Null);
        }
        if let Some(answer) = friend {
            let member = self.project("friend");
            self.done(owner, ("POST", &format!("{image}/members")), JSON, &json!({"member": member}));
            let path = format!("{image}/members/{member}");
            self.done(("friend", "member,reader"), ("PUT", &path), JSON, &json!({"status": answer}));
        }
        let set = |path: &str, value: Value| json!([{"op": "replace", "path": path, "value": value}]);
        if visibility != "shared" {
            self.done(admin, ("PATCH", &image), PATCH, &set("/visibility", json!(visibility)));
        }
        match state {
            "hidden" => drop(self.done(owner, ("PATCH", &image), PATCH, &set("/os_hidden", json!(true)))),
            "protected" => drop(self.done(owner, ("PATCH", &image), PATCH, &set("/protected", json!(true)))),
            "deactivated" => {
                drop(self.done(admin, ("POST", &format!("{image}/actions/deactivate")), "", &Value::Null));
            }
            _ => {}
        }
        self.ids.insert(name, id);
    }

    /// The table, as this server answers.
    fn fill(&mut self) -> Table {
        for kind in KINDS {
            self.make(kind);
        }
        let mut table = Table::new();
        self.fill_lists(&mut table);
        for kind in KINDS {
            for (caller, project, roles) in CALLERS {
                for (verb, method, path, media, body) in VERBS {
                    let path = format!("/v2/images/{}{}", self.ids[kind.0], self.filled(path, project));
                    let body = self.filled(body, project);
                    let status = self.ask((project, roles), (method, &path), media, &body).status;
                    table.insert(format!("{} / {caller} / {verb}", kind.0), status.to_string());
                    if status < 300 && method != "GET" && !HARMLESS.contains(&verb) {
                        self.make(kind);
                    }
                }
            }
        }
        table
    }

    fn fill_lists(&self, table: &mut Table) {
        for (caller, project, roles) in CALLERS {
            for path in LISTS {
                let answer = self.ask((project, roles), ("GET", &self.filled(path, project)), "", "");
                let cell = match answer.status {
                    200 if path.starts_with("/v2/images") => self.listed(&answer.json()),
                    status => status.to_string(),
                };
                table.insert(format!("{path} / {caller}"), cell);
            }
        }
    }

    /// Which of the images are in a listing; those of other tests are not.
    fn listed(&self, page: &Value) -> String {
        let found: BTreeSet<_> =
            page["images"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
        let names = self.ids.iter().filter(|(_, id)| found.contains(id.as_str())).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn every_cell_is_as_glance_has_it() {
    let Some(glance) = rig::trusting_glance_without_schema() else { return };
    let server =
        Server::with("enabled_import_methods = []\n[paste_deploy]\nflavor = trusted-auth\ntrusted_peers = 127.0.0.1\n");
    let theirs = glance.url.trim_start_matches("http://").parse().unwrap();
    let [ours, theirs] = std::thread::scope(|scope| {
        [server.address, theirs].map(|at| scope.spawn(move || Side::new(at).fill())).map(|it| it.join().unwrap())
    });
    assert_eq!(ours.len(), KINDS.len() * CALLERS.len() * VERBS.len() + CALLERS.len() * LISTS.len());
    // Who may not look at an image hears of it nothing but 404 here, whatever it asks. Glance says 403 to some questions,
    // and shows the image to a PATCH that changes nothing.
    let hidden = |cell: &str, found: &str| {
        let cannot_look = CALLERS
            .iter()
            .any(|(caller, _, roles)| !roles.contains("reader") && cell.contains(&format!("/ {caller} /")));
        cannot_look && found == "404" && (theirs[cell] == "403" || cell.ends_with("/ change nothing"))
    };
    let differs = ours.iter().filter(|(cell, found)| theirs[*cell] != **found && !hidden(cell, found));
    let lines: Vec<_> = differs.map(|(cell, found)| format!("{cell}: {found}, Glance {}", theirs[cell])).collect();
    assert!(lines.is_empty(), "{} of {} cells:\n{}", lines.len(), ours.len(), lines.join("\n"));
}
