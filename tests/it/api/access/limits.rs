//! Keystone's unified limits, from outside.

use crate::{
    api::{Answer, Server},
    identity::admin::{Cloud, Login, unique},
    support::{
        rig::{self, PASSWORD},
        wait_until,
    },
};
use http::Method;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(120);
const MIB: usize = 1 << 20;

/// A catalogue whose limits are those of a service of its own, so that no other test's are in the way.
struct Site {
    cloud: Cloud,
    server: Server,
    service: String,
    system: String,
}

// === impl Site ===

impl Site {
    async fn start(keystone: &rig::Keystone) -> Self {
        let cloud = Cloud::new(&keystone.auth_url);
        let system = cloud.scoped("admin", json!({"system": {"all": true}})).await.token;
        let kind = unique("image");
        let service = json!({"service": {"type": kind, "name": kind}});
        let service = cloud.done(Method::POST, "/services", &system, Some(service)).await;
        let service = service["service"]["id"].as_str().unwrap().to_owned();
        for interface in ["public", "internal"] {
            let endpoint = json!({"endpoint": {"service_id": service, "interface": interface, "region_id": "RegionOne",
                "url": "http://127.0.0.1:9"}});
            cloud.done(Method::POST, "/endpoints", &system, Some(endpoint)).await;
        }
        let (user, id) = cloud.service_user(&["admin", "service"]).await;
        let reader = cloud.id("roles", "reader").await;
        cloud.done(Method::PUT, &format!("/system/users/{id}/roles/{reader}"), &system, None).await;
        let server = Server::with(&format!(
            "use_keystone_limits = true\n[keystone_authtoken]\nauth_section = login\ninterface = public\n\
             [login]\nauth_type = password\nauth_url = {url}\nusername = {user}\npassword = {PASSWORD}\n\
             project_name = service\ndefault_domain_id = default\n\
             [oslo_limit]\nauth_type = password\nauth_url = {url}\nusername = {user}\npassword = {PASSWORD}\n\
             system_scope = all\nuser_domain_id = default\nendpoint_service_type = {kind}\nendpoint_region_name = RegionOne\n\
             endpoint_interface = internalURL\nvalid_interfaces = public\nlimits_cache_time = 1\n",
            url = keystone.auth_url
        ));
        Self { cloud, server, service, system }
    }

    /// Registers what holds for every project.
    async fn register(&self, limits: &[(&str, i64)]) {
        let one = |(name, limit): &(&str, i64)| json!({"service_id": self.service, "region_id": "RegionOne", "resource_name": name, "default_limit": limit});
        let all = json!({"registered_limits": limits.iter().map(one).collect::<Vec<_>>()});
        self.cloud.done(Method::POST, "/registered_limits", &self.system, Some(all)).await;
    }

    /// What holds for one project.
    async fn limit(&self, project: &str, name: &str, limit: i64) {
        let one = json!({"service_id": self.service, "region_id": "RegionOne", "project_id": project,
            "resource_name": name, "resource_limit": limit});
        self.cloud.done(Method::POST, "/limits", &self.system, Some(json!({"limits": [one]}))).await;
    }

    fn ask(&self, who: &Login, (method, path): (&str, &str), kind: &str, body: &[u8]) -> Answer {
        self.server.ask(method, path, &[("X-Auth-Token", &who.token), ("Content-Type", kind)], body)
    }

    fn create(&self, who: &Login) -> Answer {
        let fields = json!({"name": "x", "disk_format": "raw", "container_format": "bare"}).to_string();
        self.ask(who, ("POST", "/v2/images"), "application/json", fields.as_bytes())
    }

    fn upload(&self, who: &Login, image: &str, size: usize) -> Answer {
        self.ask(who, ("PUT", &format!("{image}/file")), "application/octet-stream", &vec![7; size])
    }

    fn usage(&self, who: &Login) -> Value {
        let answer = self.server.ask("GET", "/v2/info/usage", &[("X-Auth-Token", &who.token)], b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["usage"].clone()
    }
}

fn project(login: &Login) -> String {
    login.body["token"]["project"]["id"].as_str().unwrap().to_owned()
}

fn image(made: &Answer) -> String {
    assert_eq!(made.status, 201, "{}", made.text());
    format!("/v2/images/{}", made.json()["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_held_to_their_limits() {
    let Some(keystone) = rig::keystone() else { return };
    let site = Site::start(keystone).await;
    let demo = site.cloud.project("demo", "demo").await;
    let alt = site.cloud.project("alt_demo", "alt_demo").await;
    // What has no limit may not be used at all.
    site.create(&demo).refuses(413, "Resource image_count_total is over limit of 0 due to current usage 0 and delta 1");
    site.register(&[
        ("image_size_total", 2),
        ("image_stage_total", 1),
        ("image_count_total", 3),
        ("image_count_uploading", 1),
    ])
    .await;
    wait_until("the new limits hold", LIMIT, || site.usage(&demo)["image_count_total"]["limit"] == 3);
    let all = |size: u64, count: u64, uploading: u64| {
        json!({"image_size_total": {"limit": 2, "usage": size}, "image_stage_total": {"limit": 1, "usage": 0},
            "image_count_total": {"limit": 3, "usage": count}, "image_count_uploading": {"limit": 1, "usage": uploading}})
    };
    assert_eq!(site.usage(&demo), all(0, 0, 0));

    let images = [image(&site.create(&demo)), image(&site.create(&demo)), image(&site.create(&demo))];
    let refused = site.create(&demo);
    refused.refuses(413, &format!("Project {} is over a limit for [Resource image_count_total", project(&demo)));
    image(&site.create(&alt));

    // The size that is announced counts; data that is there counts for what comes after.
    site.upload(&demo, &images[0], 3 * MIB)
        .refuses(413, "image_size_total is over limit of 2 due to current usage 0 and delta 3");
    assert_eq!(site.upload(&demo, &images[0], MIB).status, 204);
    assert_eq!(site.usage(&demo), all(1, 3, 0));
    site.upload(&demo, &images[1], 2 * MIB).refuses(413, "due to current usage 1 and delta 2");

    one_at_a_time(&site, &demo, &images);
    assert_eq!(site.usage(&demo), all(1, 3, 0));

    // A project's own limit comes before the common one, upwards and downwards.
    site.limit(&project(&demo), "image_size_total", 9).await;
    site.limit(&project(&alt), "image_count_total", 1).await;
    wait_until("the project's own limits hold", LIMIT, || {
        site.usage(&demo)["image_size_total"]["limit"] == 9 && site.usage(&alt)["image_count_total"]["limit"] == 1
    });
    assert_eq!(site.upload(&demo, &images[2], 2 * MIB).status, 204);
    assert_eq!(site.usage(&demo)["image_size_total"], json!({"limit": 9, "usage": 3}));
    site.create(&alt).refuses(413, "image_count_total is over limit of 1");
    // What is deleted no longer counts.
    let deleted = site.server.ask("DELETE", &images[0], &[("X-Auth-Token", &demo.token)], b"");
    assert_eq!(deleted.status, 204);
    assert_eq!(site.usage(&demo)["image_size_total"]["usage"], 2);
    assert_eq!(site.usage(&demo)["image_count_total"]["usage"], 2);
}

/// While one image is being uploaded, another may not be.
fn one_at_a_time(site: &Site, demo: &Login, images: &[String]) {
    let mut slow = TcpStream::connect(site.server.address).unwrap();
    slow.set_read_timeout(Some(LIMIT)).unwrap();
    let head = format!(
        "PUT {}/file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {}\r\n\
         Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n",
        images[1], demo.token
    );
    slow.write_all(head.as_bytes()).unwrap();
    wait_until("the upload has begun", LIMIT, || site.usage(demo)["image_count_uploading"]["usage"] == 1);
    site.upload(demo, &images[2], 4).refuses(413, "image_count_uploading is over limit of 1");
    slow.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_limits_there_is_no_usage() {
    let Some(keystone) = rig::keystone() else { return };
    let demo = Cloud::new(&keystone.auth_url).project("demo", "demo").await;
    let server = super::keystone::behind(keystone);
    let answer = server.ask("GET", "/v2/info/usage", &[("X-Auth-Token", &demo.token)], b"");
    assert_eq!((answer.status, answer.json()), (200, json!({"usage": {}})));
}
