//! SIGKILL at random moments of the import of a signed image: another process ends it as the signature says.

use super::killed::{dice, rounds};
use crate::{
    api::Server,
    support::{files, signed::Signed, wait_until},
};
use rand::Rng;
use serde_json::{Value, json};
use std::{fs, path::Path, thread, time::Duration};

const PATIENCE: Duration = Duration::from_secs(120);
const CERTIFICATE: &str = "00000000-0000-4000-8000-000000000001";

/// A server with no login, two stores and a folder of certificates in `folder`.
fn options(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "process_lease = 2\ncertificate_directory = {folder}/certificates\nenabled_backends = fast:file, slow:file\n\
         [paste_deploy]\nflavor =\n[os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n\
         [fast]\nfilesystem_store_datadir = {folder}/fast\n[slow]\nfilesystem_store_datadir = {folder}/slow\n\
         [glance_store]\ndefault_backend = fast\n"
    )
}

/// The image once nothing works on it, and what its task says.
fn settled(server: &Server, id: &str) -> (Value, Value) {
    let mut image = Value::Null;
    wait_until("the import ends", PATIENCE, || {
        image = server.get(&format!("/v2/images/{id}")).json();
        image["status"] != "importing" && image["os_glance_import_task"].is_null()
    });
    (image, server.get(&format!("/v2/images/{id}/tasks")).json()["tasks"][0].clone())
}

#[test]
fn a_signed_import_killed_anywhere_ends_as_its_signature_says() {
    let Some(signed) = Signed::get() else { return };
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("certificates").join(format!("{CERTIFICATE}.pem"));
    fs::create_dir(certificate.parent().unwrap()).unwrap();
    let mut dice = dice("signed-import");
    let good = signed.data();
    let mut bad = good.clone();
    bad[1_500_000] ^= 1;
    let mut one = Server::with(&options(folder.path()));
    let mut other = Server::beside_with(&one.connection, &one.images(), &options(folder.path()));
    for round in 0..rounds(16) {
        let (data, sound) = if round % 2 == 0 { (&good, true) } else { (&bad, false) };
        fs::copy(signed.certificate("RSA-PSS"), &certificate).unwrap();
        let id = one.create(signed.image("RSA-PSS", "SHA-256", CERTIFICATE));
        let kind = [("Content-Type", "application/octet-stream")];
        assert_eq!(one.ask("PUT", &format!("/v2/images/{id}/stage"), &kind, data).status, 204);
        let body = json!({"method": {"name": "glance-direct"}, "all_stores": true});
        assert_eq!(one.post(&format!("/v2/images/{id}/import"), &body).status, 202);
        // Whoever goes on has it from the import.
        fs::remove_file(&certificate).unwrap();
        thread::sleep(Duration::from_micros(dice.random_range(0..150_000)));
        one.daemon.kill();
        let (image, task) = settled(&other, &id);
        let stored = |store: &str| fs::read(folder.path().join(store).join(&id)).ok();
        if sound {
            assert_eq!((&image["status"], &task["status"]), (&json!("active"), &json!("success")), "{image} {task}");
            assert!(["fast", "slow"].iter().all(|it| stored(it).as_ref() == Some(data)));
        } else {
            assert_eq!((&image["status"], &task["status"]), (&json!("queued"), &json!("failure")), "{image} {task}");
            // Killed right after the verdict, it has removed what was staged and not yet said why.
            let why = task["message"].as_str().unwrap();
            let said = ["its signature does not verify", "The staged data of the image is not there any more"];
            assert!(said.iter().any(|it| why.contains(it)), "{task}");
            assert!(
                image["checksum"].is_null() && image["size"].is_null() && image["os_hash_value"].is_null(),
                "{image}"
            );
        }
        assert_eq!(other.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
        one.again();
        std::mem::swap(&mut one, &mut other);
        for place in ["fast", "slow", "staging"] {
            wait_until("nothing is left", PATIENCE, || {
                files(&folder.path().join(place)).iter().all(|it| it.starts_with(".larder"))
            });
        }
    }
}
