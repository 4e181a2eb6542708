//! `larder agent check` on a host that is as it should be, and on one that is not.

use crate::support::{
    daemon::{Catalogue, signal},
    larder, text,
};
use nix::sys::signal::Signal;
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

fn check(dir: &Path, args: &[&str]) -> Output {
    let mut command = larder(&["agent", "--config-file", "agent.conf", "--nova-config-file", "nova.conf", "check"]);
    command.args(args).current_dir(dir).output().unwrap()
}

fn configure(dir: &Path, nova: &str, agent: &str) {
    let d = dir.display();
    fs::write(dir.join("nova.conf"), format!("[DEFAULT]\ninstances_path = {d}/instances\n{nova}")).unwrap();
    fs::write(dir.join("agent.conf"), format!("[DEFAULT]\nstate_path = {d}/state\ncache_min_free = 1MiB\n{agent}"))
        .unwrap();
}

#[test]
fn a_host_as_it_should_be_has_no_errors() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("instances")).unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    let nova = "[image_cache]\nremove_unused_base_images = False\n[workarounds]\nreserve_disk_resource_for_image_cache = True\n";
    let agent = "[image_cache]\nremove_unused_base_images = True\n";
    configure(dir.path(), nova, &format!("{agent}[glance]\nendpoint_override = {}\n", catalogue.url()));
    let output = check(dir.path(), &["--json"]);
    assert!(output.status.success(), "{output:?}");
    let found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of = |topic: &str| {
        let it = found.iter().find(|it| it["topic"] == topic).unwrap_or_else(|| panic!("no {topic}: {found:?}"));
        (it["level"].as_str().unwrap(), it["remedy"].is_null())
    };
    for topic in [
        "nova.conf",
        "pruning",
        "last use",
        "images_type",
        "locks",
        "signatures",
        "disk space",
        "free space",
        "catalogue",
        "clock",
    ] {
        assert_eq!(of(topic), ("ok", true), "{topic}: {found:?}");
    }
    assert!(!dir.path().join("instances/_base").exists() && !dir.path().join("state").exists(), "it changed something");
}

#[test]
fn a_stop_ends_it_though_the_catalogue_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("instances")).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    configure(dir.path(), "", &format!("[glance]\nendpoint_override = http://{}\n", silent.local_addr().unwrap()));
    for stop in [Signal::SIGINT, Signal::SIGTERM] {
        let args = ["agent", "--config-file", "agent.conf", "--nova-config-file", "nova.conf", "check"];
        let mut command = larder(&args);
        command.current_dir(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // It has asked, and hears nothing.
        let _asked = silent.accept().unwrap();
        let stopped = Instant::now();
        signal(child.id(), stop);
        let output = child.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("stopped before all was looked at"), "{output:?}");
        // The catalogue would be waited for far longer.
        assert!(stopped.elapsed() < Duration::from_secs(20), "{:?}", stopped.elapsed());
    }
}

#[test]
fn each_error_has_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    configure(
        dir.path(),
        "[oslo_concurrency]\ndisable_process_locking = True\n",
        "[glance]\nendpoint_override = http://127.0.0.1:1\n",
    );
    let output = check(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stdout);
    for words in [
        "error    locks",
        "→ set [oslo_concurrency] disable_process_locking = False in nova.conf",
        "error    instances_path",
        "→ install nova-compute or mount the file system",
        "error    catalogue",
        "http://127.0.0.1:1/",
        "warning  pruning",
    ] {
        assert!(said.contains(words), "'{words}' is missing in:\n{said}");
    }
    assert!(said.trim_end().ends_with(" errors"), "{said}");
}

#[test]
fn nova_may_ask_the_agent_but_the_agent_not_itself() {
    let dir = tempfile::tempdir().unwrap();
    let here = "[glance]\nendpoint_override = http://localhost:9292/v2\n";
    let found = |nova: &str, agent: &str| {
        configure(dir.path(), nova, &format!("read_through_bind = 127.0.0.1:9292\n{agent}"));
        let said = text(&check(dir.path(), &[]).stdout);
        said.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
    };
    let agent = "[glance]\nendpoint_override = http://127.0.0.1:1\n";
    let said = found(here, agent);
    assert!(said.contains("ok read-through nova-compute asks the agent at 127.0.0.1:9292"), "{said}");
    assert!(said.contains("error catalogue") && said.contains("http://127.0.0.1:1/"), "{said}");
    let said = found("[glance]\nendpoint_override = http://controller:9292\n", agent);
    assert!(said.contains("warning read-through nova-compute asks another address"), "{said}");
    assert!(said.contains("set [glance] endpoint_override = http://127.0.0.1:9292 in nova.conf"), "{said}");
    // What nova.conf says of the catalogue is the agent itself: it has none.
    let said = found(here, "");
    assert!(said.contains("error catalogue the settings for the catalogue are not usable"), "{said}");
    let said = found(here, "read_through_bind = 0.0.0.0:9292\n");
    assert!(said.contains("error read-through read_through_bind = 0.0.0.0:9292 is not a loopback address"), "{said}");
}
