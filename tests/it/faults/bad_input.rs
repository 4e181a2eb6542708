//! Bad input at the command line and in configuration: a clear message, an exit code, nothing lost.

use crate::support::{
    daemon::{Agent, Catalogue},
    files, larder, output, run, text, wait_until,
};
use std::{fs, path::Path, process::Command, time::Duration};

/// Runs a command that must fail with `code`; what it said.
fn fails(code: i32, command: &mut Command) -> String {
    let out = output(command);
    let said = text(&out.stderr) + &text(&out.stdout);
    assert_eq!(out.status.code(), Some(code), "{command:?}: {said}");
    assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
    said
}

fn catalogue_with(dir: &Path, conf: &str) -> String {
    fs::write(dir.join("bad.conf"), conf).unwrap();
    fails(1, larder(&["catalogue", "--config-file", "bad.conf"]).current_dir(dir))
}

#[test]
fn ids_files_and_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    let agent = Agent::start(dir.path(), &catalogue.url(), "");
    for id in ["", "x", "../../etc/passwd", "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a6", "Ω".repeat(40).as_str()] {
        let said = fails(1, &mut agent.larder(&["cache", "queue-image", "-f", id]));
        assert!(said.contains("image id") || said.contains("UUID"), "{id}: {said}");
    }
    let said = fails(1, &mut catalogue.larder(&["image", "push", "absent.qcow2", "--name", "x"]));
    assert!(said.contains("absent.qcow2"), "{said}");
    let said = fails(1, &mut catalogue.larder(&["image", "push", ".", "--name", "x"]));
    assert!(said.contains('.'), "{said}");
    let unknown = "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69";
    let said = fails(1, &mut catalogue.larder(&["image", "show", unknown]));
    assert!(said.contains(unknown), "{said}");
    let said = fails(1, larder(&["image", "list", "--endpoint", "http://127.0.0.1:1"]).current_dir(dir.path()));
    assert!(said.contains("127.0.0.1:1"), "{said}");
    let said = fails(1, larder(&["cache", "status", "--socket", "nobody.sock"]).current_dir(dir.path()));
    assert!(said.contains("nobody.sock") && said.contains("larder agent"), "{said}");
    assert_eq!(run(&mut catalogue.larder(&["image", "list", "--json"])).trim(), "[]", "a record is left");
}

#[test]
fn a_rubbish_image_is_refused_and_its_record_removed() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    // The head of a qcow2 and then nothing that is one.
    let mut rubbish = b"QFI\xfb\0\0\0\x03".to_vec();
    rubbish.extend((0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    let file = dir.path().join("rubbish.qcow2");
    fs::write(&file, &rubbish).unwrap();
    let said = fails(1, &mut catalogue.larder(&["image", "push", "rubbish.qcow2", "--name", "x"]));
    assert!(said.contains("qcow2"), "{said}");
    let said =
        fails(1, &mut catalogue.larder(&["image", "push", "rubbish.qcow2", "--name", "x", "--disk-format", "vmdk"]));
    assert!(said.contains("vmdk"), "{said}");
    assert_eq!(run(&mut catalogue.larder(&["image", "list", "--json"])).trim(), "[]");
    wait_until("nothing is left in the store", Duration::from_secs(60), || files(&catalogue.images()).is_empty());
}

#[test]
fn configuration_is_refused_with_file_section_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let said = catalogue_with(
        dir.path(),
        "[DEFAULT]\nbind_port = many\n[image_format]\nrequire_image_format_match = perhaps\n",
    );
    for word in ["bad.conf", "DEFAULT", "bind_port", "many", "image_format", "require_image_format_match", "perhaps"] {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
    let said = catalogue_with(dir.path(), "[database]\nconnection = nosuchdb://x\n");
    assert!(said.contains("nosuchdb"), "{said}");
    let said = fails(1, larder(&["catalogue", "--config-file", "absent.conf"]).current_dir(dir.path()));
    assert!(said.contains("absent.conf"), "{said}");
    fails(2, &mut larder(&["catalogue", "--no-such-option"]));
    fails(2, &mut larder(&["no-such-command"]));
    fs::write(dir.path().join("agent.conf"), "[DEFAULT]\nprefetch_schedule = every now and then\n").unwrap();
    let said = fails(1, larder(&["agent", "--config-file", "agent.conf"]).current_dir(dir.path()));
    assert!(said.contains("prefetch_schedule") && said.contains("every now and then"), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    let other = tempfile::tempdir().unwrap();
    let port = catalogue.port;
    let images = other.path().join("images");
    let said = catalogue_with(
        other.path(),
        &format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\n[paste_deploy]\nflavor =\n[database]\nconnection = sqlite:///{}/c.db\n\
             [glance_store]\nfilesystem_store_datadir = {}\n",
            other.path().display(),
            images.display()
        ),
    );
    assert!(said.contains(&port.to_string()), "{said}");
}
