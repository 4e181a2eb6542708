//! Certificates of signed images from a real Barbican, found by a real Keystone's service catalogue, in the user's name.

use super::behind_with;
use crate::{
    api::{Answer, Server},
    identity::admin::Cloud,
    support::{
        files, free_port,
        rig::{self, Keystone},
        signed::{Signed, signer},
        wait_until,
    },
};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// One server, as somebody.
struct Side<'a> {
    server: &'a Server,
    token: &'a str,
    signed: &'static Signed,
}

impl Side<'_> {
    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        self.server.ask(method, path, &[("X-Auth-Token", self.token), ("Content-Type", kind)], body)
    }

    fn image(&self, certificate: &str) -> String {
        let fields = self.signed.image("RSA-PSS", "SHA-256", certificate).to_string();
        let made = self.ask("POST", "/v2/images", "application/json", fields.as_bytes());
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["id"].as_str().unwrap().to_owned()
    }

    fn put(&self, id: &str, place: &str, data: &[u8]) -> Answer {
        self.ask("PUT", &format!("/v2/images/{id}/{place}"), "application/octet-stream", data)
    }

    fn upload(&self, certificate: &str) -> Answer {
        self.put(&self.image(certificate), "file", &self.signed.data())
    }

    fn import(&self, id: &str) -> Answer {
        let body = json!({"method": {"name": "glance-direct"}}).to_string();
        self.ask("POST", &format!("/v2/images/{id}/import"), "application/json", body.as_bytes())
    }

    fn status(&self, id: &str) -> Value {
        self.ask("GET", &format!("/v2/images/{id}"), "", b"").json()["status"].clone()
    }
}

/// A certificate at Barbican, of this user's project.
fn kept(keystone: &Keystone, barbican: &str, kind: &str, (user, project): (&str, &str)) -> String {
    let signed = Signed::get().unwrap();
    let file = signed.certificate("RSA-PSS");
    let args = ["store", &keystone.auth_url, barbican, kind, file.to_str().unwrap(), user, project];
    signer(&args).unwrap().trim().to_owned()
}

/// Tells Keystone where Barbican is; a name of the region's own keeps it from all who do not ask for it.
pub(crate) async fn register(cloud: &Cloud, barbican: &str) -> String {
    let (admin, region) = (cloud.admin().await, crate::identity::admin::unique("region"));
    cloud.done(Method::POST, "/regions", &admin, Some(json!({"region": {"id": region}}))).await;
    let service = json!({"service": {"type": "key-manager", "name": "barbican"}});
    let service = cloud.done(Method::POST, "/services", &admin, Some(service)).await;
    let endpoint = json!({"endpoint": {"service_id": service["service"]["id"], "interface": "public",
        "region_id": region, "url": barbican}});
    cloud.done(Method::POST, "/endpoints", &admin, Some(endpoint)).await;
    region
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_asked_for_in_the_users_name() {
    let (Some(keystone), Some(barbican), Some(signed)) = (rig::keystone(), rig::barbican(), Signed::get()) else {
        return;
    };
    let cloud = Cloud::new(&keystone.auth_url);
    let region = register(&cloud, &barbican).await;
    let (demo, passing) = (cloud.project("demo", "demo").await, cloud.project("demo", "demo").await);
    let runtime = tokio::runtime::Handle::current();
    let work = move || {
        let store = |whose| kept(keystone, &barbican, "certificate", whose);
        let (mine, alien) = (store(("demo", "demo")), store(("alt_demo", "alt_demo")));
        let as_text = kept(keystone, &barbican, "text:certificate", ("demo", "demo"));
        // The catalogue's own user is an admin there.
        let of_services = store(("nova", "service"));
        let server = behind_with(keystone, &format!("[barbican]\nbarbican_region_name = {region}\n"));
        let side = Side { server: &server, token: &demo.token, signed };
        for certificate in [&mine, &as_text] {
            assert_eq!(side.upload(certificate).status, 204);
        }
        for certificate in [&alien, &of_services, &"00000000-0000-4000-8000-000000000009".to_owned()] {
            let answer = side.upload(certificate);
            answer.refuses(400, certificate);
            let said = answer.text();
            let told = ["there is no certificate", "does not let you read"].iter().any(|it| said.contains(it));
            assert!(told && !said.contains(&barbican) && !said.contains(&demo.token), "{said}");
        }
        // The token is not needed once an import is asked for.
        let brief = Side { token: &passing.token, ..side };
        let (good, bad) = (signed.data(), vec![7; 100_000]);
        let ids: Vec<String> = [&good, &bad]
            .iter()
            .map(|data| {
                let id = brief.image(&mine);
                assert_eq!(brief.put(&id, "stage", data).status, 204);
                let asked = brief.import(&id);
                assert_eq!(asked.status, 202, "{}", asked.text());
                id
            })
            .collect();
        runtime.block_on(cloud.revoke(&passing.token));
        for (id, becomes) in ids.iter().zip(["active", "queued"]) {
            wait_until("the import ends", Duration::from_secs(120), || side.status(id) != "importing");
            assert_eq!(side.status(id), becomes);
        }
        let left = files(&server.images());
        assert!(!left.iter().any(|it| it.contains(&ids[1])), "{left:?}");
        // Nobody is there, or nobody knows where.
        for (options, status, words) in [
            (
                format!("[barbican]\nbarbican_endpoint = http://127.0.0.1:{}\n", free_port()),
                503,
                "cannot be asked for now",
            ),
            ("[barbican]\nbarbican_region_name = Nowhere\n".to_owned(), 400, "is not to be had here"),
            ("[key_manager]\nbackend = vault\n".to_owned(), 400, "is not to be had here"),
        ] {
            let server = behind_with(keystone, &options);
            let side = Side { server: &server, token: &demo.token, signed };
            let id = side.image(&mine);
            side.put(&id, "file", &good).refuses(status, words);
            assert_eq!((side.status(&id), files(&server.images()).len()), (json!("queued"), 0));
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}
