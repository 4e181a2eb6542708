//! Beside Glance's own driver (glance_store): each reads and deletes what the other has written.

use super::{direct_url, disk, images, options, raw, rbd, section};
use crate::{
    api::Server,
    support::{
        rig::{self, Ceph, ceph},
        run, skip,
    },
};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Where Debian has Ceph's modules for Python.
const MODULES: &str = "/usr/lib/python3/dist-packages";

/// Glance's driver, on its own.
struct Driver {
    folder: TempDir,
    python: PathBuf,
}

impl Driver {
    fn new(ceph: &Ceph) -> Option<Self> {
        let python = rig::venv()?.join("bin/python");
        let folder = tempfile::tempdir().unwrap();
        // Only these two: the virtual environment has its own of all others.
        for name in ["rados", "rbd"] {
            let module = fs::read_dir(MODULES).ok()?.flatten().find(|it| {
                let file = it.file_name();
                file.to_str().is_some_and(|it| it.starts_with(&format!("{name}.cpython-")))
            });
            let Some(module) = module else {
                skip(&format!("no Python module {name}"));
                return None;
            };
            std::os::unix::fs::symlink(module.path(), folder.path().join(module.file_name())).unwrap();
        }
        let conf = format!("[glance_store]\nstores = rbd\ndefault_store = rbd\n{}", section(ceph));
        fs::write(folder.path().join("glance.conf"), conf).unwrap();
        Some(Self { folder, python })
    }

    fn run(&self, args: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/stores/rbd/driver.py");
        let mut command = Command::new("timeout");
        command
            .arg("90")
            .arg(&self.python)
            .arg("-W")
            .arg("ignore")
            .arg(script)
            .arg(self.path("glance.conf"))
            .args(args);
        run(command.env("PYTHONPATH", self.folder.path()))
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[test]
fn what_glance_wrote_is_read_and_deleted() {
    let Some(ceph) = ceph() else { return };
    let Some(driver) = Driver::new(ceph) else { return };
    let server = Server::with(&format!("show_multiple_locations = true\n{}", options(ceph, "")));
    let data = disk((21 << 20) + 77, 21);
    fs::write(driver.path("disk"), &data).unwrap();

    let id = raw(&server);
    let url = driver.run(&["write", &id, &driver.path("disk")]).trim().to_owned();
    // The row as Glance has it.
    place(&server, &id, &url);
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    let answer = server.ask("GET", &format!("/v2/images/{id}/file"), &[("Range", "bytes=8388600-8388700")], b"");
    assert!(answer.status == 206 && answer.body == data[8_388_600..=8_388_700]);
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    assert_eq!(images(ceph, &id), [""; 0]);

    // The form of the first years: no cluster, no pool, no snapshot.
    let id = raw(&server);
    rbd(ceph, &["import", "--no-progress", &driver.path("disk"), &id]);
    place(&server, &id, &format!("rbd://{id}"));
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    assert_eq!(images(ceph, &id), [""; 0]);
}

/// Notes where the data of an image is.
fn place(server: &Server, id: &str, url: &str) {
    let change = json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}]);
    let answer = server.patch(id, &change);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["status"], "active");
}

#[test]
fn glance_reads_and_deletes_what_was_written_here() {
    let Some(ceph) = ceph() else { return };
    let Some(driver) = Driver::new(ceph) else { return };
    let server = Server::with(&options(ceph, "rbd_thin_provisioning = true\n"));
    let (id, data) = (raw(&server), disk((22 << 20) + 5, 22));
    assert_eq!(server.put_file(&id, &[], &data).status, 204, "{}", server.daemon.log());
    let url = direct_url(&server, &id);
    driver.run(&["read", &url, &driver.path("copy")]);
    assert!(fs::read(driver.path("copy")).unwrap() == data);
    driver.run(&["delete", &url]);
    assert_eq!(images(ceph, &id), [""; 0]);
    // Nothing is left to do for us.
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
}
