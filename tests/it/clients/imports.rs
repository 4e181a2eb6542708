//! Imports by OpenStack's own clients, at a catalogue with several stores.

use super::drive::Driver;
use crate::{
    api::behind_with,
    support::{rig, wait_until, web::Web},
};
use std::{fs, path::Path, time::Duration};

fn options(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "enabled_backends = fast:file, slow:file\n[os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n\
         [fast]\nfilesystem_store_datadir = {folder}/fast\n[slow]\nfilesystem_store_datadir = {folder}/slow\n\
         [import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n\
         [glance_store]\ndefault_backend = fast\n"
    )
}

/// What stands in the row of a table.
fn cell(table: &str, name: &str) -> String {
    let row = table.lines().find(|it| it.split('|').nth(1).is_some_and(|it| it.trim() == name));
    row.and_then(|it| it.split('|').nth(2)).map(|it| it.trim().to_owned()).unwrap_or_default()
}

#[test]
fn they_stage_import_and_copy() {
    let Some(keystone) = rig::keystone() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = behind_with(keystone, &options(folder.path()));
    let (web, endpoint) = (Web::start(), format!("http://{}", server.address));
    fs::write(folder.path().join("data"), vec![3; 5 << 20]).unwrap();
    let start = |program, user| Driver::start(program, user, folder.path(), (&keystone.auth_url, &endpoint));
    let (mut glance, mut admin) = (start("glance", "demo"), start("glance", "admin"));
    let mut openstack = start("openstack", "demo");
    let run = |driver: &mut Driver, line: &str| {
        let ended = driver.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ended.code, 0, "{line} {ended:?}");
        ended.out
    };
    let formats = "--disk-format raw --container-format bare";
    assert!(run(&mut glance, "import-info").contains("web-download"));
    assert!(run(&mut glance, "stores-info").contains("slow"));
    let settled = |glance: &mut Driver, id: &str, stores: &str| {
        let mut shown = String::new();
        wait_until("the import ends", Duration::from_secs(120), || {
            shown = run(glance, &format!("image-show {id}"));
            cell(&shown, "status") == "active" && cell(&shown, "os_glance_import_task").is_empty()
        });
        assert_eq!(cell(&shown, "stores"), stores, "{shown}");
    };
    let made = run(&mut glance, &format!("image-create-via-import --name one --file data {formats} --all-stores True"));
    settled(&mut glance, &cell(&made, "id"), "fast,slow");
    let made = run(&mut glance, &format!("image-create --name two {formats}"));
    let two = cell(&made, "id");
    run(&mut glance, &format!("image-stage {two} --file data"));
    assert_eq!(cell(&run(&mut glance, &format!("image-show {two}")), "status"), "uploading");
    run(&mut glance, &format!("image-import {two} --import-method glance-direct --stores slow"));
    settled(&mut glance, &two, "slow");
    assert!(run(&mut glance, &format!("image-tasks {two}")).contains("success"));
    run(&mut admin, &format!("image-import {two} --import-method copy-image --stores fast"));
    settled(&mut glance, &two, "slow,fast");
    let address = web.url("/big");
    let method = format!("--import-method web-download --uri {address}");
    let made = run(&mut glance, &format!("image-create-via-import --name three {formats} {method}"));
    settled(&mut glance, &cell(&made, "id"), "fast");
    let made = run(&mut openstack, &format!("image create --import --file data {formats} four"));
    settled(&mut glance, &cell(&made, "id"), "fast");
    for id in [&two, &cell(&made, "id")] {
        run(&mut glance, &format!("image-download {id} --file back"));
        assert!(fs::read(folder.path().join("back")).unwrap() == vec![3; 5 << 20]);
    }
}
