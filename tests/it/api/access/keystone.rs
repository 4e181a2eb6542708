//! Behind a real Keystone.

use crate::{
    api::Server,
    identity::admin::{Cloud, Login},
    support::rig::{self, Keystone, PASSWORD},
};
use serde_json::json;

/// A catalogue that asks this Keystone.
pub(crate) fn behind(keystone: &Keystone) -> Server {
    behind_with(keystone, "")
}

/// Likewise, with options of `[DEFAULT]`, a line each.
pub(crate) fn behind_with(keystone: &Keystone, options: &str) -> Server {
    Server::with(&format!(
        "{options}[paste_deploy]\nflavor = keystone+cachemanagement\n[keystone_authtoken]\nauth_url = {}\nauth_type = password\n\
         username = glance\npassword = {PASSWORD}\nproject_name = service\nuser_domain_id = default\n\
         project_domain_id = default\nhttp_connect_timeout = 120\n",
        keystone.auth_url
    ))
}

fn project(login: &Login) -> String {
    login.body["token"]["project"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_open_what_their_projects_have() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let demo = cloud.project("demo", "demo").await;
    let alt = cloud.project("alt_demo", "alt_demo").await;
    let reader = cloud.project("reader", "demo").await;
    let nova = cloud.project("nova", "service").await;
    let admin = cloud.admin().await;
    tokio::task::spawn_blocking(move || {
        let server = behind(keystone);
        let ask = |token: &str, method: &str, path: &str, body: &[u8]| {
            let kind = if path.ends_with("/file") { "application/octet-stream" } else { "application/json" };
            server.ask(method, path, &[("X-Auth-Token", token), ("Content-Type", kind)], body)
        };
        for token in ["", "garbage"] {
            let answer = ask(token, "GET", "/v2/images", b"");
            answer.refuses(401, "could not verify that you are authorized");
            let challenge = format!("Keystone uri=\"{}\"", keystone.auth_url);
            assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
        }
        // Identity headers of the request itself are nobody's word.
        let forged = [("X-Identity-Status", "Confirmed"), ("X-Roles", "admin"), ("X-Project-Id", "p")];
        assert_eq!(server.ask("GET", "/v2/images", &forged, b"").status, 401);

        let fields = json!({"name": "x", "disk_format": "raw", "container_format": "bare"}).to_string();
        let made = ask(&demo.token, "POST", "/v2/images", fields.as_bytes());
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.json()["owner"], project(&demo));
        let image = format!("/v2/images/{}", made.json()["id"].as_str().unwrap());
        let file = format!("{image}/file");
        assert_eq!(ask(&reader.token, "PUT", &file, b"data").status, 403);
        assert_eq!(ask(&alt.token, "PUT", &file, b"data").status, 404);
        assert_eq!(ask(&demo.token, "PUT", &file, b"data").status, 204);
        assert_eq!(ask(&demo.token, "GET", &file, b"").body, b"data");
        assert_eq!(ask(&reader.token, "GET", &image, b"").status, 200);
        assert_eq!(ask(&reader.token, "GET", &file, b"").status, 403);
        assert_eq!(ask(&alt.token, "GET", &image, b"").status, 404);
        let share = json!({"member": project(&alt)}).to_string();
        assert_eq!(ask(&demo.token, "POST", &format!("{image}/members"), share.as_bytes()).status, 200);
        assert_eq!(ask(&alt.token, "GET", &file, b"").body, b"data");
        assert_eq!(ask(&alt.token, "DELETE", &image, b"").status, 403);
        // Where its data is, is for services and admins.
        let locations = format!("{image}/locations");
        assert_eq!(ask(&demo.token, "GET", &locations, b"").status, 403);
        assert_eq!(ask(&nova.token, "GET", &locations, b"").status, 200);
        assert_eq!(ask(&admin, "GET", &locations, b"").status, 200);
        assert_eq!(ask(&admin, "DELETE", &image, b"").status, 204);
        assert_eq!(ask(&demo.token, "GET", &image, b"").status, 404);
    })
    .await
    .unwrap();
}

#[test]
fn a_keystone_that_is_away_is_no_refusal() {
    let dead = crate::support::free_port();
    let server = Server::with(&format!(
        "[keystone_authtoken]\nauth_url = http://127.0.0.1:{dead}/v3\nusername = glance\npassword = x\n\
         project_name = service\nhttp_request_max_retries = 0\n"
    ));
    let answer = server.ask("GET", "/v2/images", &[("X-Auth-Token", "some")], b"");
    answer.refuses(503, "The Keystone service is temporarily unavailable.");
    assert_eq!(server.get("/v2/images").status, 401);
    assert_eq!(server.get("/healthcheck").status, 200);
}
