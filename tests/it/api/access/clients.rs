//! OpenStack's own clients, behind a real Keystone.

use super::keystone::behind;
use crate::{
    api::Server,
    support::{output, rig, run, text},
};
use serde_json::Value;
use std::process::Command;

struct Clients<'a> {
    server: &'a Server,
    auth_url: &'a str,
    bin: std::path::PathBuf,
}

impl Clients<'_> {
    fn command(&self, program: &str, user: &str, args: &[&str]) -> Command {
        let url = format!("http://{}", self.server.address);
        let mut command = Command::new(self.bin.join(program));
        command.args(args).env("OS_AUTH_URL", self.auth_url).env("OS_USERNAME", user).env("OS_PASSWORD", rig::PASSWORD);
        command.env("OS_PROJECT_NAME", user).env("OS_USER_DOMAIN_ID", "default").env("OS_PROJECT_DOMAIN_ID", "default");
        command.env("OS_REGION_NAME", "RegionOne").env("OS_IDENTITY_API_VERSION", "3");
        command.env("OS_IMAGE_URL", &url).env("OS_IMAGE_ENDPOINT_OVERRIDE", &url).env("HOME", self.server.dir.path());
        command
    }

    fn openstack(&self, user: &str, args: &[&str]) -> String {
        run(&mut self.command("openstack", user, args))
    }

    fn json(&self, user: &str, args: &[&str]) -> Value {
        serde_json::from_str(&self.openstack(user, &[args, &["-f", "json"]].concat())).unwrap()
    }
}

#[test]
fn images_are_shared_by_the_clients() {
    let Some(keystone) = rig::keystone() else { return };
    let bin = rig::venv().unwrap().join("bin");
    let server = behind(keystone);
    let clients = Clients { server: &server, auth_url: &keystone.auth_url, bin };
    std::fs::write(server.dir.path().join("disk.raw"), [7; 4096]).unwrap();
    let file = server.dir.path().join("disk.raw").display().to_string();
    let create = ["image", "create", "shared one", "--disk-format", "raw", "--container-format", "bare", "--shared"];
    let made = clients.json("demo", &[&create[..], &["--file", &file]].concat());
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["status"], "active", "{made}");
    let friend = clients.json("alt_demo", &["token", "issue"])["project_id"].as_str().unwrap().to_owned();

    assert!(!output(&mut clients.command("openstack", "alt_demo", &["image", "show", id])).status.success());
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
    let refused = output(&mut clients.command("openstack", "alt_demo", &["image", "delete", id]));
    assert!(text(&refused.stderr).contains("403"), "{}", text(&refused.stderr));

    let glance = |user: &str, args: &[&str]| run(&mut clients.command("glance", user, args));
    assert!(glance("demo", &["member-list", "--image-id", id]).contains("accepted"));
    assert!(glance("alt_demo", &["member-update", id, &friend, "rejected"]).contains("rejected"));
    assert!(glance("demo", &["member-create", id, "another"]).contains("pending"));
    assert!(glance("demo", &["member-get", id, "another"]).contains("another"));
    glance("demo", &["member-delete", id, &friend]);
    clients.openstack("demo", &["image", "remove", "project", id, "another"]);
    assert_eq!(clients.json("demo", &["image", "member", "list", id]), Value::Array(Vec::new()));
    assert!(!output(&mut clients.command("openstack", "alt_demo", &["image", "show", id])).status.success());
    clients.openstack("demo", &["image", "delete", id]);
}
