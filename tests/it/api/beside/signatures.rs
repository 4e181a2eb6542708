//! Signed images, whose certificates are at a real Barbican, at Larder and at Glance: who uploads and imports what gets the
//! same answer, and the image is the same afterwards, but for what the tables name.

use super::{
    JSON, Pair,
    imports::{import, show, stage_data},
    stores::start_beside,
};
use crate::{
    api::{Answer, access::As},
    identity::admin::{Cloud, Login},
    support::{
        files, rig,
        signed::{Signed, signer},
        wait_until,
        web::Web,
    },
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

const DATA: &str = "application/octet-stream";
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000009";

/// Both servers, which believe identity headers; Barbican, which asks Keystone whose the token is.
struct World {
    pair: Pair,
    owner: As,
    token: String,
    signed: &'static Signed,
    /// A certificate of the owner's project, something else of it, and a certificate of another project.
    certificate: String,
    opaque: String,
    alien: String,
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

fn project(login: &Login) -> String {
    login.body["token"]["project"]["id"].as_str().unwrap().to_owned()
}

impl World {
    fn new(name: &str, folder: &Path) -> Option<Self> {
        let (keystone, barbican, signed) = (rig::keystone()?, rig::barbican()?, Signed::get()?);
        let login = block_on(async { Cloud::new(&keystone.auth_url).project("demo", "demo").await });
        let store = |kind: &str, who: &str| {
            let file = signed.certificate("RSA-PSS");
            let args = ["store", &keystone.auth_url, &barbican, kind, file.to_str().unwrap(), who, who];
            signer(&args).unwrap().trim().to_owned()
        };
        let place = format!("[barbican]\nauth_endpoint = {}\nbarbican_endpoint = {barbican}\n", keystone.auth_url);
        let pair = start_beside(folder, &rig::trusting_glance_with(name, &place)?, &place);
        Some(Self {
            pair,
            owner: As::member(&project(&login)),
            token: login.token,
            signed,
            certificate: store("certificate", "demo"),
            opaque: store("opaque", "demo"),
            alien: store("certificate", "alt_demo"),
        })
    }

    /// A new image at both, with these fields changed; none takes one away.
    fn image(&self, certificate: &str, changes: &[(&str, Option<&str>)]) -> String {
        let mut fields = self.signed.image("RSA-PSS", "SHA-256", certificate);
        for (name, value) in changes {
            match value {
                Some(value) => fields[*name] = json!(value),
                None => drop(fields.as_object_mut().unwrap().remove(*name)),
            }
        }
        self.pair.image(&self.owner, fields)
    }

    /// What Glance and Larder say to a request with the user's token.
    fn ask(&self, request: (&str, &str), kind: &str, body: &[u8]) -> (Answer, Answer) {
        let both = self.pair.exchange(&self.owner, request, (kind, body), &[("X-Auth-Token", &self.token)]);
        (both.glance, both.larder)
    }

    fn upload(&self, id: &str, data: &[u8]) -> (Answer, Answer) {
        self.ask(("PUT", &format!("/v2/images/{id}/file")), DATA, data)
    }

    fn import(&self, id: &str, body: &Value) -> (Answer, Answer) {
        self.ask(("POST", &format!("/v2/images/{id}/import")), JSON, body.to_string().as_bytes())
    }

    /// That the image and its data are the same at both.
    fn same(&self, id: &str) {
        for path in ["", "/file"] {
            self.pair.get(&self.owner, &format!("/v2/images/{id}{path}"));
        }
    }
}

fn damaged(data: &[u8]) -> Vec<u8> {
    let mut bad = data.to_vec();
    bad[100] ^= 1;
    bad
}

/// Certificate, what is changed of the image, the data, Glance's answer, Larder's.
type Case<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)], &'a [u8], u16, u16);

#[test]
fn uploads_are_answered_as_by_glance() {
    let folder = tempfile::tempdir().unwrap();
    let Some(world) = World::new("signed-uploads", folder.path()) else { return };
    let (good, bad) = (world.signed.data(), damaged(&world.signed.data()));
    let mine = world.certificate.as_str();
    let cases: &[Case<'_>] = &[
        (mine, &[], &good, 204, 204),
        (mine, &[], &bad, 400, 400),
        (mine, &[], b"", 400, 400),
        (mine, &[("img_signature_hash_method", Some("SHA-512"))], &good, 400, 400),
        (mine, &[("img_signature_hash_method", Some("MD5"))], &good, 400, 400),
        (mine, &[("img_signature_key_type", Some("DSA"))], &good, 400, 400),
        (mine, &[("img_signature_key_type", Some("RSA"))], &good, 400, 400),
        (mine, &[("img_signature", Some("QUJD"))], &good, 400, 400),
        (mine, &[("img_signature", Some("A"))], &good, 400, 400),
        (UNKNOWN, &[], &good, 400, 400),
        (&world.alien, &[], &good, 400, 400),
        (&world.opaque, &[], &good, 400, 400),
        // Glance takes a part of a signature for none.
        (mine, &[("img_signature", None)], &bad, 204, 400),
        (mine, &[("img_signature_key_type", None)], &bad, 204, 400),
        (mine, &[("img_signature_hash_method", None)], &bad, 204, 400),
        (mine, &[("img_signature_certificate_uuid", None)], &bad, 204, 400),
        // The format is judged after it by both.
        (mine, &[("disk_format", Some("qcow2"))], &bad, 400, 400),
        (mine, &[("disk_format", Some("qcow2"))], &good, 415, 415),
    ];
    for (certificate, changes, data, glance, larder) in cases {
        let id = world.image(certificate, changes);
        let (theirs, ours) = world.upload(&id, data);
        let what = format!("{certificate} {changes:?}: Glance {} Larder {}", theirs.text(), ours.text());
        assert_eq!((theirs.status, ours.status), (*glance, *larder), "{what}");
        if *larder == 400 {
            let begins = format!("Signature verification failed for image {id}: ");
            assert!(ours.text().contains(&begins), "{what}");
            assert!(theirs.status != 400 || theirs.text().contains(&begins), "{what}");
        }
        // What Glance refuses by the format stays attached there.
        if glance == larder && *glance != 415 {
            world.same(&id);
        }
        let left = || files(&folder.path().join("fast")).into_iter().filter(|it| it.contains(&id)).count();
        let stays = usize::from(*larder == 204);
        wait_until("nothing of refused data stays", Duration::from_secs(60), || left() == stays);
    }
    world.pair.end();
}

#[test]
fn without_a_token_there_is_no_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let Some(world) = World::new("signed-tokens", folder.path()) else { return };
    let id = world.image(&world.certificate, &[]);
    let path = format!("/v2/images/{id}/file");
    for token in [None, Some("nonsense")] {
        let more: Vec<(&str, &str)> = token.iter().map(|it| ("X-Auth-Token", *it)).collect();
        let both = world.pair.exchange(&world.owner, ("PUT", &path), (DATA, &world.signed.data()), &more);
        assert_eq!(both.larder.status, 400, "{}", both.print());
        assert!(both.glance.status >= 400, "{}", both.print());
    }
    world.same(&id);
    world.pair.end();
}

/// Waits for the end of the image's import at both; the images, and what the tasks say. None when Glance has lost it.
fn settled(world: &World, id: &str) -> Option<[(Value, Value); 2]> {
    let free = |it: &Answer| it.status == 200 && it.json().get("os_glance_import_task").is_none();
    let both = || show(&world.pair, &world.owner, id);
    wait_until("the import ends", Duration::from_secs(120), || free(&both().larder));
    if !world.pair.glance_is_done(|| free(&both().glance)) {
        return None;
    }
    let (images, path) = (both(), format!("/v2/images/{id}/tasks"));
    let tasks = world.pair.ask_freely(&world.owner, ("GET", &path), "", b"");
    let task = |it: &Answer| it.json()["tasks"].as_array().unwrap().last().cloned().unwrap_or_default();
    Some([(images.glance.json(), task(&tasks.glance)), (images.larder.json(), task(&tasks.larder))])
}

#[test]
fn imports_end_as_at_glance() {
    let folder = tempfile::tempdir().unwrap();
    let Some(world) = World::new("signed-imports", folder.path()) else { return };
    let web = Web::start();
    let (good, bad) = (world.signed.data(), damaged(&world.signed.data()));
    let download = |path: &str, stores: &[&str], all: bool| json!({"method": {"name": "web-download", "uri": web.url(path)}, "stores": stores, "all_stores_must_succeed": all});
    for (stores, both) in [(&["fast"][..], &[true][..]), (&["slow", "fast"], &[true, false])] {
        for all in both {
            let (active, refused) = (world.image(&world.certificate, &[]), world.image(&world.certificate, &[]));
            for (id, path) in [(&active, Signed::ON_THE_WEB), (&refused, "/a")] {
                let (theirs, ours) = world.import(id, &download(path, stores, *all));
                assert_eq!((theirs.status, ours.status), (202, 202), "{} {}", theirs.text(), ours.text());
            }
            let Some([(theirs, _), (ours, _)]) = settled(&world, &active) else { return };
            assert_eq!((&theirs["status"], &ours["status"]), (&json!("active"), &json!("active")));
            world.same(&active);
            let Some([(theirs, their_task), (ours, our_task)]) = settled(&world, &refused) else { return };
            assert_eq!((&theirs["status"], &ours["status"]), (&json!("queued"), &json!("queued")), "{theirs} {ours}");
            assert_eq!((&their_task["status"], &our_task["status"]), (&json!("failure"), &json!("failure")));
            for name in ["checksum", "os_hash_value", "stores"] {
                assert!(ours[name].is_null(), "{name}: {ours}");
            }
            let mut failed: Vec<&str> = ours["os_glance_failed_import"].as_str().unwrap().split(',').collect();
            failed.sort_unstable();
            let mut wanted = stores.to_vec();
            wanted.sort_unstable();
            assert_eq!((failed, &ours["os_glance_importing_to_stores"]), (wanted, &json!("")));
            if stores.len() == 1 {
                for name in ["os_glance_failed_import", "os_glance_importing_to_stores"] {
                    assert_eq!(theirs[name], ours[name], "{name}: {theirs} {ours}");
                }
            }
            for place in ["fast", "slow", "staging"] {
                assert!(!files(&folder.path().join(place)).iter().any(|it| it.contains(&refused)), "{place}");
            }
        }
    }
    // Staged data.
    for (data, active) in [(&good, true), (&bad, false)] {
        let id = world.image(&world.certificate, &[]);
        stage_data(&world.pair, &world.owner, &id, data);
        let (theirs, ours) = world.import(&id, &json!({"method": {"name": "glance-direct"}}));
        assert_eq!((theirs.status, ours.status), (202, 202), "{} {}", theirs.text(), ours.text());
        let Some([(theirs, _), (ours, our_task)]) = settled(&world, &id) else { return };
        if active {
            assert_eq!((&theirs["status"], &ours["status"]), (&json!("active"), &json!("active")));
            world.same(&id);
        } else {
            // For ever, at Glance.
            assert_eq!((&theirs["status"], &ours["status"]), (&json!("importing"), &json!("queued")));
            let words = format!("Signature verification failed for image {id}: ");
            assert!(our_task["message"].as_str().unwrap().starts_with(&words), "{our_task}");
        }
    }
    world.pair.end();
}

#[test]
fn an_import_without_its_certificate_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(world) = World::new("signed-refusals", folder.path()) else { return };
    let web = Web::start();
    let body = json!({"method": {"name": "web-download", "uri": web.url("/a")}});
    for certificate in [UNKNOWN, &world.alien] {
        let id = world.image(certificate, &[]);
        let (theirs, ours) = world.import(&id, &body);
        // Glance says so in the task, after it has fetched the data.
        assert_eq!((theirs.status, ours.status), (202, 400), "{}", ours.text());
        let Some([(theirs, their_task), (ours, our_task)]) = settled(&world, &id) else { return };
        assert_eq!((&theirs["status"], &ours["status"]), (&json!("queued"), &json!("queued")));
        assert_eq!((&their_task["status"], our_task), (&json!("failure"), Value::Null));
    }
    // Where nothing is signed, both say the same.
    let id = world.pair.image(&world.owner, json!({}));
    assert_eq!(import(&world.pair, &world.owner, &id, &body).larder.status, 202);
    assert!(settled(&world, &id).is_some());
    world.pair.end();
}
