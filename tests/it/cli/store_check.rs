//! `larder catalogue store-check`.

use crate::support::{files, larder, output, text};
use serde_json::Value;
use std::{fs, path::Path};

fn check(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let all = [&["catalogue", "--config-file", "catalogue.conf", "store-check"], args].concat();
    let out = output(larder(&all).current_dir(dir));
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn a_store_is_tried_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let config = format!(
        "[DEFAULT]\nenabled_backends = fast:file, web:http\n[glance_store]\ndefault_backend = fast\n\
         [fast]\nfilesystem_store_datadir = {at}/images\n"
    );
    fs::write(dir.path().join("catalogue.conf"), config).unwrap();
    let (code, said, wrong) = check(dir.path(), &["--largest", "4"]);
    assert_eq!(code, 0, "{said}{wrong}");
    assert!(said.contains("ok     ranges") && said.contains("The store fast: 19 points hold, 0 do not."), "{said}");
    let (code, said, _) = check(dir.path(), &["--store", "fast", "--largest", "4", "--json"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, told["points"].as_array().unwrap().len(), &told["store"]), (0, 19, &"fast".into()), "{told}");
    assert!(told["points"].as_array().unwrap().iter().all(|it| it["holds"] == true), "{told}");
    assert!(files(&dir.path().join("images")).is_empty());

    let (code, said, _) = check(dir.path(), &["--store", "web"]);
    assert_eq!((code, said.trim()), (0, "The store web only gives data and takes none: there is nothing to try."));
    let (code, _, wrong) = check(dir.path(), &["--store", "nix"]);
    assert!(code == 1 && wrong.contains("there is no store 'nix'; there is: fast, web"), "{wrong}");
    // Where data cannot be written, that is what is wrong.
    fs::remove_dir(dir.path().join("images")).unwrap();
    fs::write(dir.path().join("images"), b"").unwrap();
    let (code, _, wrong) = check(dir.path(), &[]);
    assert!(code == 1 && wrong.contains("cannot be made"), "{wrong}");
}
