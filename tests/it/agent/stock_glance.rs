//! The agent over a stock Glance: real processes, a login in a real Keystone, the real `openstack` client.

use crate::support::{
    daemon::Agent,
    disks, have, larder,
    rig::{self, Keystone, PASSWORD},
    run, wait_until,
};
use serde_json::Value;
use std::{path::Path, process::Command, time::Duration};

/// `openstack ARGS…` as the user demo; its JSON.
fn openstack(keystone: &Keystone, args: &[&str]) -> Option<Value> {
    let mut command = Command::new(rig::program("openstack")?);
    command.args(args).args(["-f", "json"]).env("PYTHONWARNINGS", "ignore");
    for (name, value) in [
        ("OS_AUTH_URL", keystone.auth_url.as_str()),
        ("OS_USERNAME", "demo"),
        ("OS_PASSWORD", PASSWORD),
        ("OS_PROJECT_NAME", "demo"),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_PROJECT_DOMAIN_ID", "default"),
        ("OS_IDENTITY_API_VERSION", "3"),
        ("OS_REGION_NAME", "RegionOne"),
    ] {
        command.env(name, value);
    }
    Some(serde_json::from_str(&run(&mut command)).unwrap())
}

/// Caches the image through an agent with this login; its base is the raw disk.
fn caches(dir: &Path, login: &str, id: &str, raw: &Path) {
    let agent = Agent::start_with(dir, login, "");
    agent.queue(id);
    agent.wait_state(id, "cached");
    wait_until("it is known that there is no fleet", Duration::from_secs(60), || {
        agent.status()["fleet"]["state"] == "absent"
    });
    assert!(disks::same((raw, "raw"), (&agent.base(id), "raw")));
    run(&mut agent.larder(&["cache", "delete-cached-image", "-f", id]));
}

#[test]
fn with_a_password_and_with_an_application_credential() {
    let (Some(keystone), Some(_)) = (rig::keystone(), rig::glance()) else { return };
    if !have(&disks::TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = disks::partitioned(dir.path(), "disk", 24);
    let qcow2 = disks::qcow2(&raw, true);
    let create = ["image", "create", "--disk-format", "qcow2", "--file", qcow2.to_str().unwrap(), "stock"];
    let Some(image) = openstack(keystone, &create) else { return };
    let id = image["id"].as_str().unwrap();

    let auth_url = &keystone.auth_url;
    let password = format!(
        "auth_type = password\nauth_url = {auth_url}\nusername = demo\npassword = {PASSWORD}\nproject_name = demo\n\
         user_domain_id = default\nproject_domain_id = default\nregion_name = RegionOne"
    );
    caches(dir.path(), &password, id, &raw);

    let name = format!("agent-{}", std::process::id());
    let create = ["application", "credential", "create", "--role", "member", "--secret", "of the node", &name];
    let credential = openstack(keystone, &create).unwrap();
    let field =
        |long: &str, short: &str| credential.get(long).or(credential.get(short)).unwrap().as_str().unwrap().to_owned();
    let credential = format!(
        "auth_type = v3applicationcredential\nauth_url = {auth_url}\napplication_credential_id = {}\n\
         application_credential_secret = of the node\nregion_name = RegionOne",
        field("id", "ID")
    );
    caches(dir.path(), &credential, id, &raw);

    // A wrong password is told, and nothing is lost: the image stays queued.
    let wrong = password.replace(&format!("password = {PASSWORD}\n"), "password = guess\n");
    let agent = Agent::start_with(dir.path(), &wrong, "");
    agent.queue(id);
    agent.wait_state(id, "failed");
    let status = agent.status().to_string();
    assert!(status.contains("Keystone") || status.contains("401"), "{status}");
    assert!(!status.contains("guess"), "{status}");
    assert!(run(&mut agent.larder(&["cache", "list-queued"])).contains(id));
}

#[test]
fn a_rule_of_the_file_works_beside_a_stock_glance() {
    let Some(glance) = rig::open_glance() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (tag, raw) = (format!("rule-{}", std::process::id()), dir.path().join("disk.raw"));
    disks::noise(&raw, 1 << 20, 7);
    let push = |tags: &[&str]| {
        let mut command =
            larder(&["image", "push", "--endpoint", &glance.url, "--name", "ruled", "--property", "os_distro=d"]);
        command.args(tags.iter().flat_map(|it| ["--tag", it]));
        run(command.arg(&raw)).trim().to_owned()
    };
    let (own, other) = (push(&[&tag, "b"]), push(&["b"]));
    let rule = format!(
        "cache_prefetcher_interval = 1\n[rule:own]\ntags = {tag},b\nproperties = os_distro:d\nname = rul*\nnewest = 5\npin = true"
    );
    let agent = Agent::start(dir.path(), &glance.url, &rule);
    agent.wait_state(&own, "cached");
    wait_until("it is known that there is no fleet", Duration::from_secs(60), || {
        agent.status()["fleet"]["state"] == "absent"
    });
    let another = push(&["b", &tag]);
    agent.wait_state(&another, "cached");
    assert_eq!(agent.state(&other), None);
    let delete = |id: &String| run(larder(&["image", "delete", "--endpoint", &glance.url]).arg(id));
    delete(&own);
    delete(&another);
    // Neither does the rule want them, nor does anything else.
    wait_until("no image is wanted", Duration::from_secs(120), || agent.status()["rules"]["rules"][0]["wanted"] == 0);
    // The last one: a catalogue without any image would not be believed.
    delete(&other);
}
