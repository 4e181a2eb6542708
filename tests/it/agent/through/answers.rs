//! What callers hear, compared with what the catalogue itself answers.

use super::{Node, Site, file, noise, url};
use crate::{
    api::{Answer, exchange},
    support::{
        chaos::{Chaos, Fault},
        daemon::Daemon,
        free_port,
        toll::Toll,
    },
};
use serde_json::json;
use std::{net::SocketAddr, time::Duration};

/// Status, headers and body.
type Heard = (u16, Vec<(String, String)>, Vec<u8>);

/// An answer without what each one has of its own.
fn comparable(answer: Answer) -> Heard {
    let own = ["date", "x-openstack-request-id"];
    let mut headers: Vec<_> = answer.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    headers.retain(|(name, _)| !own.contains(&name.as_str()));
    headers.sort();
    (answer.status, headers, answer.body)
}

type Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);

fn both(site: &Site, (method, path, headers, body): Request<'_>) -> [Heard; 2] {
    // All clients send it; without, it would be added on the way, and mean the same.
    let headers = [&[("Accept", "*/*")], headers].concat();
    // The catalogue writes links with the host that it is asked by.
    [site.toll.address(), site.node.address].map(|to| comparable(exchange(to, method, path, &headers, body)))
}

#[test]
fn everything_is_as_the_catalogue_says_it() {
    let site = Site::new("");
    let (id, _) = site.image(1);
    let (image, data) = (format!("/v2/images/{id}"), file(&id));
    let etag = exchange(site.toll.address(), "GET", &data, &[], b"").header("etag").map(str::to_owned).unwrap();
    let none = "/v2/images/00000000-0000-0000-0000-000000000000";
    let kind = [("Content-Type", "application/openstack-images-v2.1-json-patch")];
    let known = [("If-None-Match", etag.as_str())];
    let same = [("If-Range", etag.as_str()), ("Range", "bytes=10-19")];
    let other = [("If-Range", "\"other\""), ("Range", "bytes=10-19")];
    let requests: [Request<'_>; 34] = [
        ("GET", &data, &[], b""),
        ("GET", &data, &[("Range", "bytes=0-0")], b""),
        ("GET", &data, &[("Range", "bytes=1000-1999")], b""),
        ("GET", &data, &[("Range", "bytes=1048000-")], b""),
        ("GET", &data, &[("Range", "bytes=-5")], b""),
        ("GET", &data, &[("Range", "bytes=1048570-99999999")], b""),
        ("GET", &data, &[("Range", "bytes=1048576-")], b""),
        ("GET", &data, &[("Range", "bytes=5-3")], b""),
        ("GET", &data, &[("Range", "bytes=0-1,5-6")], b""),
        ("GET", &data, &[("Range", "lines=1-2")], b""),
        ("GET", &data, &[("Content-Range", "bytes 0-9/1048576")], b""),
        ("GET", &data, &known, b""),
        ("GET", &data, &[("If-None-Match", "\"other\"")], b""),
        ("GET", &data, &[("If-Match", "\"other\"")], b""),
        ("GET", &data, &same, b""),
        ("GET", &data, &other, b""),
        ("HEAD", &data, &[], b""),
        ("GET", &format!("{data}?prefer=fast"), &[], b""),
        ("GET", &format!("{none}/file"), &[], b""),
        ("GET", "/v2/images/none/file", &[], b""),
        ("GET", &image, &[], b""),
        ("GET", &image, &[("Accept-Encoding", "gzip")], b""),
        ("GET", "/v2/images?limit=1&name=data", &[], b""),
        ("GET", "/v2/images?visibility=wrong", &[], b""),
        ("GET", "/v2/schemas/image", &[], b""),
        ("GET", "/", &[], b""),
        ("GET", "/versions", &[], b""),
        ("GET", "/v2", &[], b""),
        ("GET", "/healthcheck", &[], b""),
        ("GET", "/nothing%2Fhere?a=%20b&c", &[], b""),
        ("OPTIONS", "/v2/images", &[("Origin", "http://somewhere")], b""),
        ("PATCH", &image, &kind, b"[{\"op\": \"replace\", \"path\": \"/id\", \"value\": \"x\"}]"),
        ("POST", "/v2/images", &[("Content-Type", "application/json")], b"{\"nothing"),
        ("DELETE", none, &[], b""),
    ];
    // First while nothing is kept, then from the node.
    for round in ["passed", "kept"] {
        for request in requests {
            let [direct, through] = both(&site, request);
            assert_eq!(direct.0, through.0, "{round}: {:?}", (request.0, request.1, request.2));
            assert_eq!(direct.1, through.1, "{round}: {:?}", (request.0, request.1, request.2));
            assert!(direct.2 == through.2, "{round}: {:?}", (request.0, request.1, request.2));
        }
        site.node.wait("it is kept", |it| it["originals"] == 1);
    }
    let answer = site.node.get(&image);
    assert!(answer.header("x-openstack-request-id").is_some_and(|it| it.starts_with("req-")), "{answer:?}");
    assert!(site.node.counts()[0] > 5, "{:?}", site.node.status());
}

#[test]
fn images_are_made_and_filled_through_it() {
    let site = Site::new("");
    let to = site.node.address;
    let fields = json!({"name": "snapshot", "disk_format": "raw", "container_format": "bare"}).to_string();
    let made = exchange(to, "POST", "/v2/images", &[("Content-Type", "application/json")], fields.as_bytes());
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    // As the catalogue writes it: where it is itself.
    assert_eq!(made.header("location").unwrap(), format!("{}/v2/images/{id}", site.toll.url()));
    let data = noise(9 << 20);
    let mut chunked = Vec::new();
    for piece in data.chunks(100_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let headers =
        [("Content-Type", "application/octet-stream"), ("Transfer-Encoding", "chunked"), ("Expect", "100-continue")];
    let put = exchange(to, "PUT", &file(&id), &headers, &chunked);
    assert!([100, 204].contains(&put.status), "{put:?}");
    site.node.wait("it is active", |_| site.server.get(&format!("/v2/images/{id}")).json()["status"] == "active");
    assert!(site.server.get(&file(&id)).body == data);
    assert_eq!(exchange(to, "PUT", &file(&id), &headers[..1], b"again").status, 409);
    assert!(site.node.data(&id) == data);
    assert_eq!(exchange(to, "DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    // Gone is gone, whatever is kept.
    assert_eq!(site.node.get(&file(&id)).status, 404);
    assert_eq!(site.node.get(&format!("/v2/images/{id}")).status, 404);
}

#[test]
fn a_server_without_ranges_is_asked_for_all_and_not_read() {
    let site = Site::new("");
    let (id, data) = site.image(2);
    let chaos = Chaos::before(&url(&site.server));
    chaos.always(Fault::Strip("range"));
    let node = Node::over(&chaos.url(), "");
    assert!(node.data(&id) == data);
    node.wait("it is kept", |it| it["originals"] == 1);
    assert!(node.data(&id) == data);
    assert_eq!(node.counts(), [1, 0, 1, 0]);
}

#[test]
fn a_catalogue_that_is_away_is_said() {
    let site = Site::new("");
    let (id, _) = site.image(1);
    let mut site = site;
    site.server.daemon.kill();
    for path in ["/v2/images", &file(&id)] {
        let answer = site.node.get(path);
        answer.refuses(503, "This node's agent cannot reach the catalogue");
    }
    let put = exchange(site.node.address, "PUT", &file(&id), &[("Content-Type", "application/octet-stream")], b"data");
    put.refuses(503, "This node's agent cannot reach the catalogue");
}

#[test]
fn a_catalogue_that_leads_back_here_is_said() {
    let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
    let back = Toll::before(&format!("http://127.0.0.1:{port}"));
    let extra = format!("read_through_bind = 127.0.0.1:{port}");
    let glance = format!("endpoint_override = {}\n[fleet]\nfleet = false", back.url());
    let _agent = crate::support::daemon::Agent::start_with(dir.path(), &glance, &extra);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let answer = exchange(address, "GET", "/v2/images", &[], b"");
    answer.refuses(508, "leads back to this node's agent");
}

#[test]
fn other_machines_reach_it_only_when_that_is_said() {
    let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
    let start = |extra: &str| {
        let extra = format!("read_through_bind = 0.0.0.0:{port}\n{extra}");
        crate::support::daemon::Agent::configure(dir.path(), "http://127.0.0.1:1", &extra);
        crate::support::daemon::Agent::spawn(dir.path())
    };
    let mut refused: Daemon = start("");
    assert!(!refused.wait().success());
    assert!(refused.log().contains("is not a loopback address"), "{}", refused.log());
    let mut allowed = start("read_through_allow_remote = true");
    allowed.wait_for_log("tokens come to it over the network without encryption");
    crate::support::wait_until("it answers", Duration::from_secs(120), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
}
