//! `glance-download`: images of a real Glance in a region of a real Keystone.

use super::{Answer, Server, behind_with};
use crate::{
    identity::admin::Cloud,
    support::{disks, files, rig, signed::Signed, wait_until},
};
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, time::Duration};

const DATA: &str = "application/octet-stream";
const OPTIONS: &str = "enabled_import_methods = [glance-download]\nprocess_lease = 2\n[image_import_opts]\nimage_import_plugins = \
                       [image_decompression]\n[image_introspection]\nuploads = false\n";

/// One of the two servers, as somebody.
struct Side<'a> {
    address: SocketAddr,
    token: &'a str,
}

impl Side<'_> {
    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let headers = [("X-Auth-Token", self.token), ("Content-Type", kind)];
        super::exchange(self.address, method, path, &headers, body)
    }

    fn create(&self, fields: &Value) -> String {
        let made = self.ask("POST", "/v2/images", "application/json", fields.to_string().as_bytes());
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["id"].as_str().unwrap().to_owned()
    }

    fn show(&self, id: &str) -> Value {
        self.ask("GET", &format!("/v2/images/{id}"), "", b"").json()
    }

    fn import(&self, id: &str, method: &Value) -> Answer {
        let body = json!({"method": method}).to_string();
        self.ask("POST", &format!("/v2/images/{id}/import"), "application/json", body.as_bytes())
    }

    /// The image and the messages of its tasks, once none works on it.
    fn settled(&self, id: &str) -> (Value, String) {
        let mut image = Value::Null;
        wait_until("the import ends", Duration::from_secs(120), || {
            image = self.show(id);
            image["status"] != "importing" && image["os_glance_import_task"].is_null()
        });
        let tasks = self.ask("GET", &format!("/v2/images/{id}/tasks"), "", b"").json();
        let words = tasks["tasks"].as_array().unwrap().iter().filter_map(|it| it["message"].as_str());
        let words = words.collect::<Vec<_>>().join("\n");
        (image, words)
    }
}

fn method(image: &str, more: Value) -> Value {
    let mut method = json!({"name": "glance-download", "glance_region": "regionone", "glance_image_id": image});
    method.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    method
}

fn queued(here: &Side<'_>) -> String {
    here.create(
        &json!({"name": "copy", "disk_format": "qcow2", "container_format": "ovf", "hw_disk_bus": "ide", "mine": "x"}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn images_come_from_the_glance_of_another_region() {
    let (Some(keystone), Some(glance)) = (rig::keystone(), rig::glance()) else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let (demo, alt) = (cloud.project("demo", "demo").await, cloud.project("alt_demo", "alt_demo").await);
    let work = move || {
        let server = behind_with(keystone, OPTIONS);
        let address: SocketAddr = glance.url.trim_start_matches("http://").parse().unwrap();
        let there = Side { address, token: &demo.token };
        let here = Side { address: server.address, token: &demo.token };
        let file = server.dir.path().join("disk");
        disks::noise(&file, 5 << 20, 9);
        let data = fs::read(&file).unwrap();
        let properties = json!({"name": "far", "disk_format": "raw", "container_format": "bare", "hw_disk_bus": "scsi",
            "os_distro": "debian", "os_version": "12", "trait:X": "required", "unrelated": "x"});
        let far = there.create(&properties);
        // Not active yet.
        let id = queued(&here);
        assert_eq!(here.import(&id, &method(&far, json!({}))).status, 202);
        let (image, words) = here.settled(&id);
        assert_eq!((image["status"].as_str(), image["hw_disk_bus"].as_str()), (Some("queued"), Some("ide")));
        assert!(words.contains("Source image status should be active instead of queued"), "{words}");
        assert_eq!(there.ask("PUT", &format!("/v2/images/{far}/file"), DATA, &data).status, 204);
        // Refusals.
        let wrong = [
            (json!({"glance_region": null}), 400, "must be a name"),
            (json!({"glance_image_id": "nonsense"}), 400, "Remote image id does not look like a UUID: nonsense"),
        ];
        for (more, status, words) in wrong {
            here.import(&id, &method(&far, more)).refuses(status, words);
        }
        here.import(&id, &json!({"name": "glance-download"})).refuses(400, "'glance_region' needs to be set");
        for (more, words) in [
            (json!({"glance_region": "Nowhere"}), "There is no public address of the image service in region Nowhere"),
            (json!({"glance_service_interface": "secret"}), "There is no secret address"),
            (
                json!({"glance_image_id": "11111111-2222-4333-8444-555555555555"}),
                "11111111-2222-4333-8444-555555555555",
            ),
        ] {
            assert_eq!(here.import(&id, &method(&far, more)).status, 202);
            let (image, told) = here.settled(&id);
            assert!(image["status"] == "queued" && told.contains(words), "{told}");
            assert!(!told.contains(&demo.token), "{told}");
        }
        // What the caller may not see there, the caller does not get.
        let other = Side { token: &alt.token, ..here };
        let theirs = queued(&other);
        assert_eq!(other.import(&theirs, &method(&far, json!({}))).status, 202);
        assert_eq!(other.settled(&theirs).0["status"], "queued");
        assert!(files(&server.images()).is_empty());
        // The image.
        assert_eq!(here.import(&id, &method(&far, json!({"glance_service_interface": "internal"}))).status, 202);
        let (image, words) = here.settled(&id);
        let remote = there.show(&far);
        assert_eq!(image["status"], "active", "{words}");
        for name in [
            "disk_format",
            "container_format",
            "size",
            "checksum",
            "os_hash_value",
            "hw_disk_bus",
            "os_distro",
            "trait:X",
        ] {
            assert_eq!(image[name], remote[name], "{name}");
        }
        assert_eq!((&image["mine"], &image["name"]), (&json!("x"), &json!("copy")));
        for name in ["unrelated", "os_version"] {
            assert_eq!(image[name], Value::Null, "{name}");
        }
        assert!(fs::read(server.images().join(&id)).unwrap() == data);
        here.import(&id, &method(&far, json!({}))).refuses(409, "cannot be target for import");
        there_is_no_token(&server, &[&demo.token, &alt.token]);
        // Damaged where it is.
        let mut damaged = data.clone();
        damaged[1_000_000] ^= 1;
        fs::write(glance.images.join(&far), &damaged).unwrap();
        let id = queued(&here);
        assert_eq!(here.import(&id, &method(&far, json!({}))).status, 202);
        let (image, words) = here.settled(&id);
        assert!(image["status"] == "queued" && words.contains("not that of the image: its sha512 is"), "{words}");
        assert_eq!(files(&server.images()).len(), 1);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

/// In no file of the server: not in its database, and not in its log.
fn there_is_no_token(server: &Server, tokens: &[&str]) {
    for name in files(server.dir.path()) {
        let bytes = fs::read(server.dir.path().join(&name)).unwrap();
        for token in tokens {
            assert!(!bytes.windows(token.len()).any(|it| it == token.as_bytes()), "{name}");
        }
    }
}

/// An import that waits when its process is killed fails at the next start: its token is gone.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_the_image_is_queued_again() {
    let (Some(keystone), Some(_)) = (rig::keystone(), rig::glance()) else { return };
    let demo = Cloud::new(&keystone.auth_url).project("demo", "demo").await;
    let work = move || {
        let mut server = behind_with(keystone, OPTIONS);
        let id = queued(&Side { address: server.address, token: &demo.token });
        // As a process leaves it that is killed.
        let task = "21111111-2222-4333-8444-555555555555";
        let order = json!({"method": "glance-download", "uri": null, "stores": null, "all_must_succeed": true, "roles": ["member"],
            "elsewhere": {"region": "RegionOne", "interface": "public", "image": id}});
        server.daemon.kill();
        let raw = rusqlite::Connection::open(server.dir.path().join("catalogue.sqlite")).unwrap();
        for statement in [
            format!("UPDATE images SET status = 'importing' WHERE id = '{id}'"),
            "INSERT INTO larder_processes (id, host, pid, pid_started, beat_at) VALUES ('dead', 'elsewhere', 1, 1, '2026-01-01 00:00:00.000000')".to_owned(),
            format!("INSERT INTO larder_imports (image_id, task_id, staging_id, attempts, order_json, created_at) \
                     VALUES ('{id}', '{task}', 'dead', 0, '{order}', '2026-01-01 00:00:00.000000')"),
            format!("INSERT INTO tasks (id, type, status, owner, image_id, created_at, updated_at, deleted) \
                     VALUES ('{task}', 'api_image_import', 'pending', '{0}', '{id}', '2026-01-01 00:00:00', '2026-01-01 00:00:00', 0)",
                    demo.body["token"]["project"]["id"].as_str().unwrap()),
            format!("INSERT INTO task_info (task_id) VALUES ('{task}')"),
        ] {
            raw.execute(&statement, []).unwrap();
        }
        server.again();
        let here = Side { address: server.address, token: &demo.token };
        assert_eq!(here.settled(&id).0["status"], "queued");
        let words = raw.query_row(&format!("SELECT message FROM task_info WHERE task_id = '{task}'"), [], |it| {
            it.get::<_, String>(0)
        });
        let words = words.unwrap();
        assert!(words.contains("The caller's token is not here"), "{words}");
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

/// The signature is the image's own, or comes along with the data.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_another_region_must_be_signed_as_it_says() {
    let (Some(keystone), Some(glance), Some(signed)) = (rig::keystone(), rig::glance(), Signed::get()) else { return };
    let demo = Cloud::new(&keystone.auth_url).project("demo", "demo").await;
    let work = move || {
        let folder = tempfile::tempdir().unwrap();
        let certificate = "00000000-0000-4000-8000-000000000001";
        fs::copy(signed.certificate("DSA"), folder.path().join(format!("{certificate}.pem"))).unwrap();
        let address: SocketAddr = glance.url.trim_start_matches("http://").parse().unwrap();
        let there = Side { address, token: &demo.token };
        let (fields, data) = (signed.fields("DSA", "SHA-256", certificate), signed.data());
        let mut bad = data.clone();
        bad[0] ^= 1;
        for brings in [false, true] {
            let properties =
                if brings { "[glance_download_properties]\nextra_properties = [img_signature]\n" } else { "" };
            let folder = folder.path().display();
            let server = behind_with(keystone, &format!("certificate_directory = {folder}\n{OPTIONS}{properties}"));
            let here = Side { address: server.address, token: &demo.token };
            for (data, becomes) in [(&data, "active"), (&bad, "queued")] {
                let far = there.create(&json!({"name": "far", "disk_format": "raw", "container_format": "bare"}));
                assert_eq!(there.ask("PUT", &format!("/v2/images/{far}/file"), DATA, data).status, 204);
                let id = if brings {
                    // Glance would ask Barbican before.
                    let adds =
                        fields.map(|(name, value)| json!({"op": "add", "path": format!("/{name}"), "value": value}));
                    let kind = "application/openstack-images-v2.1-json-patch";
                    let patched =
                        there.ask("PATCH", &format!("/v2/images/{far}"), kind, json!(adds).to_string().as_bytes());
                    assert_eq!(patched.status, 200, "{}", patched.text());
                    queued(&here)
                } else {
                    here.create(&signed.image("DSA", "SHA-256", certificate))
                };
                assert_eq!(here.import(&id, &method(&far, json!({}))).status, 202);
                let (image, words) = here.settled(&id);
                assert_eq!(image["status"], becomes, "{brings} {words}");
                assert!(becomes == "active" || words.contains("its signature does not verify"), "{words}");
                let left = files(&server.images()).iter().any(|it| it.contains(&id));
                assert_eq!(left, becomes == "active");
            }
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}
