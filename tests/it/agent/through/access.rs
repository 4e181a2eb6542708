//! Who may read, under a real Keystone: exactly who the catalogue lets, whatever the node has.

use super::{Node, file, noise};
use crate::{
    api::{Answer, behind, exchange},
    identity::admin::Cloud,
    support::{
        rig::{self, Keystone},
        toll::Toll,
    },
};
use serde_json::json;
use std::net::SocketAddr;

/// A catalogue, the way to it over a node, and tokens.
struct Cast {
    catalogue: SocketAddr,
    toll: Toll,
    node: Node,
    /// Of demo, alt_demo, a reader of demo, an admin, one that was revoked, and none.
    tokens: [(&'static str, String); 6],
}

impl Cast {
    fn over(url: &str, keystone: &Keystone) -> Self {
        let cloud = Cloud::new(&keystone.auth_url);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tokens = runtime.block_on(async {
            let revoked = cloud.project("demo", "demo").await.token;
            cloud.revoke(&revoked).await;
            [
                ("demo", cloud.project("demo", "demo").await.token),
                ("alt_demo", cloud.project("alt_demo", "alt_demo").await.token),
                ("reader", cloud.project("reader", "demo").await.token),
                ("admin", cloud.admin().await),
                ("revoked", revoked),
                ("nobody", String::new()),
            ]
        });
        let toll = Toll::before(url);
        let node = Node::over(&toll.url(), "");
        Self { catalogue: url.trim_start_matches("http://").parse().unwrap(), toll, node, tokens }
    }

    fn ask(&self, (who, to): (&str, SocketAddr), (method, path): (&str, &str), kind: &str, body: &[u8]) -> Answer {
        let token = &self.tokens.iter().find(|it| it.0 == who).unwrap().1;
        let mut headers = vec![("Content-Type", kind)];
        if !token.is_empty() {
            headers.push(("X-Auth-Token", token));
        }
        exchange(to, method, path, &headers, body)
    }

    /// The statuses of a download by everybody, which are the catalogue's; whoever gets data gets the image's.
    fn downloads(&self, id: &str, data: &[u8]) -> Vec<u16> {
        let all = self.tokens.iter().map(|(who, _)| {
            let get = |to| self.ask((who, to), ("GET", &file(id)), "application/octet-stream", b"");
            let (direct, through) = (get(self.catalogue), get(self.node.address));
            assert_eq!(
                direct.status,
                through.status,
                "{who}: {}",
                through.text().chars().take(500).collect::<String>()
            );
            let is_data = direct.status == 200;
            assert_eq!(is_data, through.body == data, "{who}");
            assert!(!is_data || direct.header("content-md5") == through.header("content-md5"));
            direct.status
        });
        all.collect()
    }

    fn exercise(&self) {
        let data = noise(2 << 20);
        let fields =
            json!({"name": "private", "disk_format": "raw", "container_format": "bare", "visibility": "private"});
        let through =
            |who, method, path: &str, kind, body: &[u8]| self.ask((who, self.node.address), (method, path), kind, body);
        let made = through("demo", "POST", "/v2/images", "application/json", fields.to_string().as_bytes());
        assert_eq!(made.status, 201, "{made:?} {}", made.text());
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(through("demo", "PUT", &file(&id), "application/octet-stream", &data).status, 204);

        // Nobody who may not has it fetched.
        for (who, status) in [("alt_demo", 404), ("nobody", 401), ("revoked", 401), ("reader", 403)] {
            assert_eq!(through(who, "GET", &file(&id), "text/plain", b"").status, status, "{who}");
        }
        assert_eq!(self.node.counts(), [0, 0, 0, 0]);
        assert_eq!(through("demo", "GET", &file(&id), "application/octet-stream", b"").body.len(), data.len());
        self.node.wait("it is kept", |it| it["originals"] == 1);
        let downloads = self.toll.downloads(&id);

        assert_eq!(self.downloads(&id, &data), [200, 404, 403, 200, 401, 401]);
        assert_eq!(self.node.counts()[0], 2);
        let act = |action: &str| through("admin", "POST", &format!("/v2/images/{id}/actions/{action}"), "", b"").status;
        assert_eq!(act("deactivate"), 204);
        assert_eq!(self.downloads(&id, &data), [403, 404, 403, 200, 401, 401]);
        assert_eq!(act("reactivate"), 204);
        assert_eq!(self.downloads(&id, &data), [200, 404, 403, 200, 401, 401]);
        // Each refusal was asked for as it is, and no data was fetched once more.
        let fetched = self.node.status()["fetched"].clone();
        assert_eq!(fetched, data.len(), "{downloads}");
        assert_eq!(through("demo", "DELETE", &format!("/v2/images/{id}"), "", b"").status, 204);
        assert_eq!(self.downloads(&id, &data), [404, 404, 404, 404, 401, 401]);
    }
}

#[test]
fn as_larder_says() {
    let Some(keystone) = rig::keystone() else { return };
    let server = behind(keystone);
    Cast::over(&super::url(&server), keystone).exercise();
}

#[test]
fn as_a_stock_glance_says() {
    let Some((keystone, glance)) = rig::keystone().zip(rig::plain_glance("through")) else { return };
    Cast::over(&glance.url, keystone).exercise();
}
