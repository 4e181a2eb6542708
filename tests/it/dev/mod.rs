//! `larder dev`: everything on one machine, found again after a stop.

use crate::api::exchange;
use crate::support::{daemon::Daemon, disks, larder, output, run, text};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
};

fn start(dir: &Path) -> Daemon {
    let mut dev = Daemon::start(dir, "dev", &["dev", "--port", "0"]);
    dev.wait_for_log("cache status");
    dev
}

#[test]
fn the_other_commands_find_it_and_a_second_start_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = start(dir.path());
    disks::noise(&dir.path().join("disk.raw"), 1 << 20, 3);
    let id = run(larder(&["image", "push", "disk.raw", "--name", "x", "--quiet"]).current_dir(dir.path()));
    assert!(run(larder(&["image", "list"]).current_dir(dir.path())).contains(id.trim()));
    let address = fs::read_to_string(dir.path().join("larder-dev/address")).unwrap();
    let address: SocketAddr = address.lines().next().unwrap().trim_start_matches("http://").parse().unwrap();
    let metadefs = exchange(address, "GET", "/v2/metadefs/namespaces/OS::Compute::Watchdog", &[], b"");
    assert_eq!(metadefs.status, 200, "{}", metadefs.text());
    let greeting = dev.log();
    for words in
        ["catalogue       http://127.0.0.1:", "larder-dev/agent.sock", "larder-dev/instances/_base", "image push"]
    {
        assert!(greeting.contains(words), "{greeting}");
    }
    assert!(dev.stop().success());
    let address = fs::read_to_string(dir.path().join("larder-dev/address")).unwrap();

    let mut dev = Daemon::start(dir.path(), "again", &["dev"]);
    dev.wait_for_log("cache status");
    assert_eq!(fs::read_to_string(dir.path().join("larder-dev/address")).unwrap(), address);
    assert!(run(larder(&["image", "list"]).current_dir(dir.path())).contains(id.trim()));
    assert!(dev.stop().success());
}

#[test]
fn a_second_one_on_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dev = start(dir.path());
    let second = output(larder(&["dev"]).current_dir(dir.path()));
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains("larder-dev cannot be used") && said.contains(&dev.pid().to_string()), "{said}");
}

#[test]
fn a_port_that_is_taken_is_an_error_when_it_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let out = output(larder(&["dev", "--port", &port]).current_dir(dir.path()));
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains(&format!("port {port} of 127.0.0.1 cannot be used")), "{}", text(&out.stderr));
}
