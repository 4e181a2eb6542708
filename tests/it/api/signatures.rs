//! Signed images at the real `larder`, whose certificates are in a folder.

use super::{Answer, Server};
use crate::support::{
    files,
    signed::{HASHES, Signed},
    wait_until,
    web::Web,
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command, time::Duration};

const PATIENCE: Duration = Duration::from_secs(120);
/// One certificate at a time.
const ID: &str = "00000000-0000-4000-8000-000000000001";

/// A server with no login, two stores, and certificates in a folder.
struct World {
    server: Server,
    folder: tempfile::TempDir,
    signed: &'static Signed,
}

impl World {
    /// With options of `[DEFAULT]`, and other sections.
    fn new(options: &str, sections: &str) -> Option<Self> {
        let signed = Signed::get()?;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("certificates")).unwrap();
        let path = folder.path().display();
        let server = Server::with(&format!(
            "certificate_directory = {path}/certificates\nenabled_backends = fast:file, slow:file, web:http\n{options}\n\
             [paste_deploy]\nflavor =\n[os_glance_staging_store]\nfilesystem_store_datadir = {path}/staging\n\
             [fast]\nfilesystem_store_datadir = {path}/fast\n[slow]\nfilesystem_store_datadir = {path}/slow\n[web]\n\
             [import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n\
             [glance_store]\ndefault_backend = fast\n{sections}"
        ));
        Some(Self { server, folder, signed })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes this the certificate.
    fn certify(&self, name: &str) {
        fs::copy(self.signed.certificate(name), self.at("certificates").join(format!("{ID}.pem"))).unwrap();
    }

    /// A new image, signed so.
    fn image(&self, by: &str, hash: &str) -> String {
        self.server.create(self.signed.image(by, hash, ID))
    }

    fn show(&self, id: &str) -> Value {
        self.server.get(&format!("/v2/images/{id}")).json()
    }

    fn stage(&self, id: &str, data: &[u8]) {
        let kind = [("Content-Type", "application/octet-stream")];
        assert_eq!(self.server.ask("PUT", &format!("/v2/images/{id}/stage"), &kind, data).status, 204);
    }

    fn import(&self, id: &str, body: &Value) -> Answer {
        self.server.post(&format!("/v2/images/{id}/import"), body)
    }

    /// The image once nothing works on it, and the message of its task.
    fn settled(&self, id: &str) -> (Value, String) {
        let mut image = Value::Null;
        wait_until("the work ends", PATIENCE, || {
            image = self.show(id);
            image["status"] != "importing" && image["os_glance_import_task"].is_null()
        });
        let tasks = self.server.get(&format!("/v2/images/{id}/tasks")).json();
        (image, tasks["tasks"][0]["message"].as_str().unwrap_or_default().to_owned())
    }

    /// That the image is queued, without anything of its data, and that there are no bytes of it.
    fn assert_empty(&self, image: &Value) {
        assert_eq!(image["status"], "queued", "{image}");
        for name in ["size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "stores"] {
            assert!(image[name].is_null() || image[name] == "", "{name}: {image}");
        }
        let id = image["id"].as_str().unwrap();
        assert_eq!(self.server.get(&format!("/v2/images/{id}/file")).status, 204);
        for place in ["fast", "slow", "staging"] {
            let left = || files(&self.at(place)).into_iter().filter(|it| it.contains(id)).count();
            wait_until("nothing is left", PATIENCE, || left() == 0);
        }
    }
}

/// Other bytes of the same length.
fn damaged(data: &[u8]) -> Vec<u8> {
    let mut bad = data.to_vec();
    *bad.last_mut().unwrap() ^= 1;
    bad
}

#[test]
fn every_key_type_and_hash_is_verified_at_upload() {
    let Some(world) = World::new("", "") else { return };
    let (good, bad) = (world.signed.data(), damaged(&world.signed.data()));
    let kinds: Vec<&String> = world.signed.made.keys().filter(|it| *it != "leaf").collect();
    assert!(kinds.len() >= 4, "{kinds:?}");
    for kind in kinds {
        world.certify(kind);
        for hash in HASHES {
            let id = world.image(kind, hash);
            let words = format!("Signature verification failed for image {id}: its signature does not verify");
            world.server.put_file(&id, &[], &bad).refuses(400, &words);
            world.assert_empty(&world.show(&id));
            // The right data may still come.
            assert_eq!(world.server.put_file(&id, &[], &good).status, 204, "{kind} {hash}");
            let image = world.show(&id);
            assert_eq!((image["status"].as_str(), image["size"].as_u64()), (Some("active"), Some(good.len() as u64)));
            assert!(world.server.get(&format!("/v2/images/{id}/file")).body == good);
            assert_eq!(world.server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
        }
    }
    let metrics = world.server.get("/metrics").text();
    for outcome in ["verified", "refused"] {
        assert!(metrics.contains(&format!("larder_catalogue_signatures_total{{outcome=\"{outcome}\"}}")), "{metrics}");
    }
}

#[test]
fn imports_are_verified_before_any_store_has_them() {
    let Some(world) = World::new("", "") else { return };
    let (good, bad) = (world.signed.data(), damaged(&world.signed.data()));
    let web = Web::start();
    world.certify("ECC_SECP521R1");
    let bodies = |method: Value| {
        [
            json!({"method": method, "stores": ["slow"]}),
            json!({"method": method, "all_stores": true}),
            json!({"method": method, "stores": ["fast", "slow"], "all_stores_must_succeed": false}),
        ]
    };
    for body in bodies(json!({"name": "glance-direct"})) {
        for data in [&good, &bad] {
            let id = world.image("ECC_SECP521R1", "SHA-384");
            world.stage(&id, data);
            assert_eq!(world.import(&id, &body).status, 202);
            judge(&world, &id, data == &good, &body);
        }
    }
    let uri = |path: &str| json!({"name": "web-download", "uri": web.url(path)});
    for (path, sound) in [(Signed::ON_THE_WEB, true), ("/a", false)] {
        for body in bodies(uri(path)) {
            let id = world.image("ECC_SECP521R1", "SHA-384");
            assert_eq!(world.import(&id, &body).status, 202);
            judge(&world, &id, sound, &body);
        }
    }
}

fn judge(world: &World, id: &str, sound: bool, body: &Value) {
    let (image, message) = world.settled(id);
    if sound {
        assert_eq!(image["status"], "active", "{body} {message}");
        return;
    }
    world.assert_empty(&image);
    assert!(message.contains("its signature does not verify with the certificate"), "{message}");
    let wanted = body["stores"].as_array().map_or_else(
        || "fast,slow".to_owned(),
        |it| it.iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join(","),
    );
    assert_eq!(
        (image["os_glance_failed_import"].as_str(), image["os_glance_importing_to_stores"].as_str()),
        (Some(&*wanted), Some(""))
    );
}

#[test]
fn what_is_stored_is_what_must_be_signed() {
    let Some(world) = World::new("", "[image_import_opts]\nimage_import_plugins = [image_decompression]\n") else {
        return;
    };
    if !crate::support::have(&["gzip"]) {
        return;
    }
    world.certify("RSA-PSS");
    let packed = Command::new("gzip").arg("-kc").arg(&world.signed.file).output().unwrap().stdout;
    let id = world.image("RSA-PSS", "SHA-512");
    world.stage(&id, &packed);
    assert_eq!(world.import(&id, &json!({"method": {"name": "glance-direct"}})).status, 202);
    let (image, message) = world.settled(&id);
    assert_eq!(image["status"], "active", "{message}");
    assert!(fs::read(world.at("fast").join(&id)).unwrap() == world.signed.data());
}

#[test]
fn what_cannot_be_verified_is_refused_before_it_comes() {
    let Some(world) = World::new("", "") else { return };
    world.certify("DSA");
    let fields = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let mut fields = world.signed.image("RSA-PSS", "SHA-256", ID);
        change(fields.as_object_mut().unwrap());
        fields
    };
    for name in
        ["img_signature", "img_signature_hash_method", "img_signature_key_type", "img_signature_certificate_uuid"]
    {
        let id = world.server.create(fields(&|it| drop(it.remove(name))));
        let words = format!("its signature is incomplete: it has no property {name}");
        world.server.put_file(&id, &[], b"x").refuses(400, &words);
        world.assert_empty(&world.show(&id));
        world.stage(&id, b"x");
        world.import(&id, &json!({"method": {"name": "glance-direct"}})).refuses(400, &words);
        // It is mended, and what is staged is imported.
        let body: Vec<Value> =
            ["img_signature", "img_signature_hash_method", "img_signature_key_type", "img_signature_certificate_uuid"]
                .iter()
                .filter(|it| **it != name)
                .map(|it| json!({"op": "remove", "path": format!("/{it}")}))
                .collect();
        assert_eq!(world.server.patch(&id, &json!(body)).status, 200);
        assert_eq!(world.import(&id, &json!({"method": {"name": "glance-direct"}})).status, 202);
        assert_eq!(world.settled(&id).0["status"], "active");
    }
    for (name, value, words) in [
        ("img_signature_key_type", "DSA", "its signature does not verify"),
        ("img_signature_key_type", "RSA", "which is not RSA-PSS, DSA or ECC_"),
        ("img_signature_hash_method", "MD5", "which is not one of SHA-224"),
        ("img_signature", "%%%", "which is not base64"),
        ("img_signature_certificate_uuid", "../certificates/x", "which is not a UUID"),
        (
            "img_signature_certificate_uuid",
            "00000000-0000-4000-8000-000000000009",
            "there is no certificate 00000000-0000-4000-8000-000000000009 that you may read",
        ),
        ("name", "whatever", "img_signature_key_type is RSA-PSS, but the certificate"),
    ] {
        let id = world.server.create(fields(&|it| drop(it.insert(name.to_owned(), value.into()))));
        let answer = world.server.put_file(&id, &[], &world.signed.data());
        answer.refuses(400, words);
        assert!(!answer.text().contains(world.folder.path().to_str().unwrap()), "{}", answer.text());
        world.assert_empty(&world.show(&id));
    }
}

#[test]
fn only_signed_images_are_taken_where_the_site_says_so() {
    let Some(world) = World::new("verify_signatures = required\nshow_multiple_locations = true\n", "") else { return };
    let web = Web::start();
    world.certify("RSA-PSS");
    let id = world.server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    world.server.put_file(&id, &[], b"x").refuses(400, "is not signed, and only signed images are taken here");
    world.assert_empty(&world.show(&id));
    let download = json!({"method": {"name": "web-download", "uri": web.url("/a")}});
    world.import(&id, &download).refuses(400, "is not signed");
    let locations = format!("/v2/images/{id}/locations");
    world.server.post(&locations, &json!({"url": web.url("/a")})).refuses(400, "is not signed");
    let add = json!([{"op": "add", "path": "/locations/-", "value": {"url": web.url("/a"), "metadata": {}}}]);
    world.server.patch(&id, &add).refuses(400, "only data whose signature is verified is taken here");
    world.assert_empty(&world.show(&id));
    let id = world.image("RSA-PSS", "SHA-224");
    assert_eq!(world.server.put_file(&id, &[], &world.signed.data()).status, 204);
    // Its copy is held against its hash.
    let copy = json!({"method": {"name": "copy-image"}, "stores": ["slow"]});
    assert_eq!(world.import(&id, &copy).status, 202);
    assert_eq!(world.settled(&id).0["stores"], "fast,slow");
}

#[test]
fn data_at_a_location_is_verified_where_it_is() {
    let Some(world) = World::new("do_secure_hash = true\n", "") else { return };
    let web = Web::start();
    world.certify("RSA-PSS");
    for (path, sound) in [(Signed::ON_THE_WEB, true), ("/a", false)] {
        let id = world.image("RSA-PSS", "SHA-256");
        let answer = world.server.post(&format!("/v2/images/{id}/locations"), &json!({"url": web.url(path)}));
        assert_eq!(answer.status, 202, "{}", answer.text());
        let (image, message) = world.settled(&id);
        if sound {
            assert_eq!((&image["status"], image["size"].as_u64()), (&json!("active"), Some(3_000_000)), "{message}");
            assert_eq!(image["os_hash_value"].as_str().unwrap().len(), 128);
        } else {
            world.assert_empty(&image);
            assert!(message.contains("its signature does not verify"), "{message}");
        }
    }
    let id = world.server.create(world.signed.image("RSA-PSS", "SHA-256", "00000000-0000-4000-8000-000000000009"));
    let answer = world.server.post(&format!("/v2/images/{id}/locations"), &json!({"url": web.url("/a")}));
    answer.refuses(400, "there is no certificate");
}

#[test]
fn the_signer_must_be_vouched_for_by_the_sites_anchors() {
    let Some(signed) = Signed::get() else { return };
    let anchors = tempfile::tempdir().unwrap();
    let path = anchors.path().display();
    let Some(world) = World::new(&format!("verify_signatures = off\nsignature_trust_anchors = {path}\n"), "") else {
        return;
    };
    // Nothing is there, and nobody asked. Now it counts, and an empty folder is no start.
    let conf = world.server.dir.path().join("catalogue.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace("verify_signatures = off\n", "")).unwrap();
    let hang_up = |world: &World, words: &str| {
        let before = world.server.daemon.log().matches(words).count();
        crate::support::daemon::signal(world.server.daemon.pid(), nix::sys::signal::Signal::SIGHUP);
        wait_until(words, PATIENCE, || world.server.daemon.log().matches(words).count() > before);
    };
    hang_up(&world, "signature_trust_anchors: there is no certificate in");
    fs::copy(signed.certificate("stranger"), anchors.path().join("stranger.pem")).unwrap();
    hang_up(&world, "the configuration is taken over");
    let upload = |world: &World, by: &str, certificate: &str| {
        world.certify(certificate);
        let id = world.image(by, "SHA-256");
        let answer = world.server.put_file(&id, &[], &world.signed.data());
        if answer.status != 204 {
            world.assert_empty(&world.show(&id));
        }
        answer
    };
    upload(&world, "leaf", "leaf")
        .refuses(400, "no chain of trusted certificates leads to it; its issuer is CN=Middle");
    for name in ["root", "middle"] {
        fs::copy(signed.certificate(name), anchors.path().join(format!("{name}.crt"))).unwrap();
    }
    hang_up(&world, "the configuration is taken over");
    assert_eq!(upload(&world, "leaf", "leaf").status, 204);
    let expired = upload(&world, "leaf", "expired");
    expired.refuses(400, "(CN=Leaf,O=Larder) is not trusted here: it was valid only until");
    upload(&world, "RSA-PSS", "RSA-PSS").refuses(400, "no chain of trusted certificates leads to it");
    // An import is refused when it is asked for.
    world.certify("expired");
    let id = world.image("leaf", "SHA-256");
    world.stage(&id, &world.signed.data());
    world.import(&id, &json!({"method": {"name": "glance-direct"}})).refuses(400, "it was valid only until");
    // A start with anchors that are none says so.
    fs::write(anchors.path().join("bad.pem"), "nonsense").unwrap();
    let World { mut server, folder: _folder, .. } = world;
    server.daemon.kill();
    let started = crate::support::larder(&["catalogue", "--config-file", "catalogue.conf"])
        .current_dir(server.dir.path())
        .output()
        .unwrap();
    let said = crate::support::text(&started.stderr);
    assert!(!started.status.success() && said.contains("bad.pem holds something else than certificates"), "{said}");
}
