//! `larder image import` and `larder image copy` against a real catalogue.

use crate::support::{
    daemon::Catalogue,
    disks, output, run, text,
    web::{Web, data},
};
use std::{fs, path::Path};

pub(super) fn with_stores(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "enabled_backends = fast:file, slow:file\n[os_glance_staging_store]\nfilesystem_store_datadir = {dir}/staging\n\
         [fast]\nfilesystem_store_datadir = {dir}/fast\n[slow]\nfilesystem_store_datadir = {dir}/slow\n\
         [glance_store]\ndefault_backend = fast\n[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n"
    )
}

#[test]
fn an_image_is_imported_from_a_file_and_copied() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), &with_stores(dir.path()));
    disks::noise(&dir.path().join("disk.raw"), 3 << 20, 5);
    let disk = fs::read(dir.path().join("disk.raw")).unwrap();
    let imported = output(&mut catalogue.larder(&["image", "import", "disk.raw", "--name", "one"]));
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let id = text(&imported.stdout).trim().to_owned();
    assert!(fs::read(dir.path().join("fast").join(&id)).unwrap() == disk);
    assert_eq!(run(&mut catalogue.larder(&["image", "copy", &id, "--all-stores"])).trim(), "fast,slow");
    assert!(fs::read(dir.path().join("slow").join(&id)).unwrap() == disk);
    let again = output(&mut catalogue.larder(&["image", "copy", &id, "--stores", "slow"]));
    assert!(text(&again.stderr).contains("already present at store 'slow'"), "{}", text(&again.stderr));
    let both = run(&mut catalogue.larder(&["image", "import", "disk.raw", "--stores", "fast,slow", "--quiet"]));
    for store in ["fast", "slow"] {
        assert!(fs::read(dir.path().join(store).join(both.trim())).unwrap() == disk);
    }
}

#[test]
fn an_image_is_imported_from_a_web_server() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), &with_stores(dir.path()));
    let web = Web::start();
    let blind = output(&mut catalogue.larder(&["image", "import", &web.url("/big")]));
    assert!(text(&blind.stderr).contains("give --disk-format"), "{}", text(&blind.stderr));
    let args = ["image", "import", &web.url("/big"), "--disk-format", "raw", "--all-stores"];
    let id = run(&mut catalogue.larder(&args));
    for store in ["fast", "slow"] {
        assert!(fs::read(dir.path().join(store).join(id.trim())).unwrap() == data("/big").unwrap());
    }
    let gone = output(&mut catalogue.larder(&["image", "import", &web.url("/status/404"), "--disk-format", "raw"]));
    let words = text(&gone.stderr);
    assert!(!gone.status.success() && words.contains("answers 404") && words.contains("removed again"), "{words}");
    assert_eq!(run(&mut catalogue.larder(&["image", "list", "--json"])).matches("\"id\"").count(), 1);
}
