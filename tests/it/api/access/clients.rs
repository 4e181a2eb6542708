//! OpenStack's own clients, behind a real Keystone.

use super::keystone::behind;
use crate::{
    api::Server,
    clients::drive::{Driver, Ended},
    support::rig,
};
use serde_json::Value;
use std::collections::BTreeMap;

struct Clients<'a> {
    server: &'a Server,
    auth_url: &'a str,
    /// By program and user.
    drivers: BTreeMap<(&'static str, &'static str), Driver>,
}

impl Clients<'_> {
    fn run(&mut self, program: &'static str, user: &'static str, args: &[&str]) -> Ended {
        let driver = self.drivers.entry((program, user)).or_insert_with(|| {
            let url = format!("http://{}", self.server.address);
            Driver::start(program, user, self.server.dir.path(), (self.auth_url, &url))
        });
        driver.run(args)
    }

    fn done(&mut self, program: &'static str, user: &'static str, args: &[&str]) -> String {
        let ended = self.run(program, user, args);
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.out
    }

    fn openstack(&mut self, user: &'static str, args: &[&str]) -> String {
        self.done("openstack", user, args)
    }

    fn glance(&mut self, user: &'static str, args: &[&str]) -> String {
        self.done("glance", user, args)
    }

    fn json(&mut self, user: &'static str, args: &[&str]) -> Value {
        serde_json::from_str(&self.openstack(user, &[args, &["-f", "json"]].concat())).unwrap()
    }
}

#[test]
fn images_are_shared_by_the_clients() {
    let Some(keystone) = rig::keystone() else { return };
    let server = behind(keystone);
    let mut clients = Clients { server: &server, auth_url: &keystone.auth_url, drivers: BTreeMap::new() };
    std::fs::write(server.dir.path().join("disk.raw"), [7; 4096]).unwrap();
    let file = server.dir.path().join("disk.raw").display().to_string();
    let create = ["image", "create", "shared one", "--disk-format", "raw", "--container-format", "bare", "--shared"];
    let made = clients.json("demo", &[&create[..], &["--file", &file]].concat());
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["status"], "active", "{made}");
    let friend = clients.json("alt_demo", &["token", "issue"])["project_id"].as_str().unwrap().to_owned();

    assert_ne!(clients.run("openstack", "alt_demo", &["image", "show", id]).code, 0);
    let member = clients.json("demo", &["image", "add", "project", id, &friend]);
    assert_eq!((member["member_id"].as_str(), member["status"].as_str()), (Some(friend.as_str()), Some("pending")));
    let members = clients.json("demo", &["image", "member", "list", id]);
    assert_eq!(members.as_array().unwrap().len(), 1, "{members}");
    assert_eq!(clients.json("alt_demo", &["image", "list", "--shared"]), Value::Array(Vec::new()));
    clients.openstack("alt_demo", &["image", "set", "--accept", id]);
    assert_eq!(clients.json("alt_demo", &["image", "list", "--shared"])[0]["ID"], id);
    let copy = server.dir.path().join("copy.raw").display().to_string();
    clients.openstack("alt_demo", &["image", "save", "--file", &copy, id]);
    assert_eq!(std::fs::read(copy).unwrap(), [7; 4096]);
    let refused = clients.run("openstack", "alt_demo", &["image", "delete", id]);
    assert!(refused.code != 0 && refused.err.contains("403"), "{refused:?}");

    assert!(clients.glance("demo", &["member-list", "--image-id", id]).contains("accepted"));
    assert!(clients.glance("alt_demo", &["member-update", id, &friend, "rejected"]).contains("rejected"));
    assert!(clients.glance("demo", &["member-create", id, "another"]).contains("pending"));
    assert!(clients.glance("demo", &["member-get", id, "another"]).contains("another"));
    clients.glance("demo", &["member-delete", id, &friend]);
    clients.openstack("demo", &["image", "remove", "project", id, "another"]);
    assert_eq!(clients.json("demo", &["image", "member", "list", id]), Value::Array(Vec::new()));
    assert_ne!(clients.run("openstack", "alt_demo", &["image", "show", id]).code, 0);
    clients.openstack("demo", &["image", "delete", id]);
}
