//! `larder catalogue db` and `metadefs`.

use crate::support::{files, larder, output, text};
use std::{fs, path::Path};

/// The exit code and what was printed.
fn manage(dir: &Path, args: &[&str]) -> (i32, String) {
    let all = [&["catalogue", "--config-file", "catalogue.conf"], args].concat();
    let out = output(larder(&all).current_dir(dir));
    (out.status.code().unwrap(), text(&out.stdout) + &text(&out.stderr))
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let config = format!(
        "[DEFAULT]\nmetadata_source_path = {at}/metadefs\n[database]\nconnection = sqlite:///{at}/catalogue.sqlite\n"
    );
    fs::write(dir.path().join("catalogue.conf"), config).unwrap();
    dir
}

#[test]
fn the_schema_is_made_and_checked_with_glances_exit_codes() {
    let dir = folder();
    let check = |args: &[&str], code: i32, words: &str| {
        let (found, said) = manage(dir.path(), args);
        assert!(found == code && said.contains(words), "{args:?}: {found} {said}");
    };
    check(&["db", "check"], 3, "larder catalogue db expand");
    check(&["db", "version"], 0, "no schema yet");
    check(&["db", "migrate"], 1, "before database expansion");
    assert!(!dir.path().join("catalogue.sqlite").exists());
    check(&["db", "sync"], 0, "Database is synced successfully.");
    check(&["db", "sync"], 0, "Database is up to date. No migrations needed.");
    check(&["db", "check"], 0, "Database is up to date. No upgrades needed.");
    check(&["db", "version"], 0, "2024_1_contract01");
    check(&["db"], 2, "Usage");
    let raw = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    raw.execute("UPDATE alembic_version SET version_num = '2024_1_expand01'", []).unwrap();
    check(&["db", "check"], 5, "larder catalogue db contract");
    check(&["db", "contract"], 0, "2024_1_contract01");
    raw.execute("UPDATE alembic_version SET version_num = 'rocky_contract02'", []).unwrap();
    check(&["db", "check"], 3, "glance-manage db expand");
    check(&["db", "sync"], 1, "glance-manage db sync");
    check(&["db", "version_control", "--version", "2024_1_contract01"], 0, "Placed database under migration control");
    check(&["db", "upgrade", "heads"], 0, "2024_1_contract01");
}

#[test]
fn definitions_are_loaded_exported_and_unloaded() {
    let dir = folder();
    let metadefs = dir.path().join("metadefs");
    let check = |args: &[&str], code: i32, words: &str| {
        let (found, said) = manage(dir.path(), &[&["metadefs"], args].concat());
        assert!(found == code && said.contains(words), "{args:?}: {found} {said}");
    };
    check(&["load"], 0, "Loading the standard definitions, as there are no *.json files in");
    check(&["load"], 0, "Skipping namespace OS::Compute::Libvirt. It already exists in the database.");
    check(&["unload"], 0, "");
    fs::create_dir(&metadefs).unwrap();
    check(&["load", "--path", metadefs.to_str().unwrap()], 1, "there are no *.json files");
    check(&["load", "--path", "missing"], 1, "cannot read missing");
    fs::write(metadefs.join("n.json"), r#"{"namespace": "N", "display_name": "My N", "tags": [{"name": "t"}]}"#)
        .unwrap();
    check(&["load"], 0, "metadefs/n.json loaded to database.");
    check(&["load"], 0, "0 namespaces loaded, 1 skipped");
    check(&["load", "--merge", "--prefer_new"], 0, "1 namespaces loaded");
    check(&["load", "--overwrite"], 2, "--merge");
    check(&["load", "--merge", "--prefer-new", "--overwrite"], 2, "cannot be used with");
    fs::write(metadefs.join("wrong.json"), "{").unwrap();
    check(&["load", "--merge", "--overwrite"], 1, "Overwriting namespace N");
    check(&["load"], 1, "wrong.json");
    let out = dir.path().join("out").display().to_string();
    check(&["export", "--path", &out], 0, "MyN.json");
    assert_eq!(files(&dir.path().join("out")), ["MyN.json"]);
    check(&["unload"], 0, "");
    check(&["load", "--path", &format!("{out}/MyN.json")], 0, "1 namespaces loaded");
}
