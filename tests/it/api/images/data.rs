//! `/v2/images/{id}/file`

use crate::api::{Server, requests::raw};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const DATA: &[u8] = b"0123456789";
const MD5: &str = "781e5e245d69b566979b86e28d23f2c7";

fn queued(server: &Server) -> String {
    server.create(json!({"disk_format": "raw", "container_format": "bare"}))
}

/// That the image waits for data, and nothing of an upload is left.
fn is_untouched(server: &Server, id: &str) {
    let image = server.get(&format!("/v2/images/{id}")).json();
    assert_eq!((&image["status"], &image["size"], &image["checksum"]), (&json!("queued"), &json!(null), &json!(null)));
    // A thread that still writes lets go of its file after the answer.
    crate::support::wait_until("the store to be empty", Duration::from_secs(60), || {
        crate::support::files(&server.images()).is_empty()
    });
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).status, 204);
}

#[test]
pub(crate) fn what_goes_in_comes_out() {
    let server = Server::start();
    let id = queued(&server);
    let none = server.get(&format!("/v2/images/{id}/file"));
    assert_eq!((none.status, none.body.len()), (204, 0));
    let answer = server.put_file(&id, &[], DATA);
    assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
    let image = server.get(&format!("/v2/images/{id}")).json();
    assert_eq!((&image["status"], &image["size"], &image["checksum"]), (&json!("active"), &json!(10), &json!(MD5)));
    assert_eq!((&image["os_hash_algo"], &image["virtual_size"]), (&json!("sha512"), &json!(10)));
    let answer = server.get(&format!("/v2/images/{id}/file"));
    assert_eq!((answer.status, &answer.body[..]), (200, DATA));
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!((answer.header("content-md5"), answer.header("content-length")), (Some(MD5), Some("10")));
    server.put_file(&id, &[], DATA).refuses(409, "from active to saving is not allowed");
}

#[test]
pub(crate) fn parts_are_served() {
    let server = Server::start();
    let id = server.upload(DATA);
    let part = |name: &str, value: &str| server.ask("GET", &format!("/v2/images/{id}/file"), &[(name, value)], b"");
    for (value, data, range) in [
        ("bytes=2-4", &b"234"[..], "bytes 2-4/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
    ] {
        let answer = part("Range", value);
        assert_eq!((answer.status, &answer.body[..]), (206, data), "{value}");
        assert_eq!((answer.header("content-range"), answer.header("content-md5")), (Some(range), Some(MD5)));
    }
    assert_eq!(part("Content-Range", "bytes 2-4/10").body, b"234");
    server.ask("GET", &format!("/v2/images/{id}/file"), &[], b"x").refuses(400, "A body is not expected");
    let places = server.get(&format!("/v2/images/{id}/locations")).json();
    assert!(places[0]["url"].as_str().unwrap().starts_with("file:///"), "{places}");
    let empty = server.create(serde_json::json!({"name": "no data"}));
    for (range, status) in [("bytes=-0", 204), ("bytes=5-", 204), ("nonsense", 416)] {
        assert_eq!(server.ask("GET", &format!("/v2/images/{empty}/file"), &[("Range", range)], b"").status, status);
    }
    part("Range", "bytes=10-").refuses(416, "Invalid start position");
    part("Range", "bytes=5-2").refuses(416, "Invalid Range header");
    part("Range", "nonsense").refuses(416, "Invalid Range header");
    part("Range", "bytes=0-1,3-4").refuses(400, "multiple ranges");
}

#[test]
pub(crate) fn chunked_and_empty_uploads_work() {
    let server = Server::start();
    let id = queued(&server);
    let chunked = [("Transfer-Encoding", "chunked")];
    let answer = server.put_file(&id, &chunked, b"4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n");
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, DATA);
    let id = queued(&server);
    assert_eq!(server.put_file(&id, &[], b"").status, 204);
    let image = server.get(&format!("/v2/images/{id}")).json();
    assert_eq!((&image["status"], &image["size"]), (&json!("active"), &json!(0)));
    let answer = server.get(&format!("/v2/images/{id}/file"));
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("0")));
}

#[test]
pub(crate) fn uploads_are_refused_with_nothing_left() {
    let server = Server::start();
    let id = queued(&server);
    let path = format!("/v2/images/{id}/file");
    server.ask("PUT", &path, &[("Content-Type", "text/plain")], DATA).refuses(415, "text/plain is not supported");
    server.ask("PUT", &path, &[], DATA).refuses(415, "is not supported");
    server.put_file(&id, &[("x-openstack-image-size", "z")], DATA).refuses(400, "Invalid or missing image size");
    server.put_file(&id, &[("x-openstack-image-size", "11")], DATA).refuses(400, "11");
    server.put_file(&id, &[("x-openstack-image-size", "9")], DATA).refuses(400, "9");
    is_untouched(&server, &id);
    let missing = "11111111-2222-3333-4444-555555555555";
    server.put_file(missing, &[], DATA).refuses(404, "No image found");
    let bare = server.create(json!({}));
    server.put_file(&bare, &[], DATA).refuses(400, "must be set prior to saving data");
    let wrong = server.create(json!({"disk_format": "qcow2", "container_format": "bare"}));
    assert_eq!(server.put_file(&wrong, &[], DATA).status, 415);
    is_untouched(&server, &wrong);
    assert_eq!(server.put_file(&id, &[], DATA).status, 204);
}

#[test]
pub(crate) fn broken_uploads_leave_nothing() {
    let server = Server::start();
    let id = queued(&server);
    let head = |framing: &str| {
        format!(
            "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n{framing}\r\n\r\n"
        )
    };
    for (framing, part) in
        [("Content-Length: 1000000", &DATA.repeat(1000)[..]), ("Transfer-Encoding: chunked", b"5\r\n01234\r\n")]
    {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(head(framing).as_bytes()).unwrap();
        stream.write_all(part).unwrap();
        let becomes = |status: &str| {
            crate::support::wait_until(status, Duration::from_secs(60), || {
                server.get(&format!("/v2/images/{id}")).json()["status"] == status
            });
        };
        becomes("saving");
        drop(stream);
        becomes("queued");
        crate::support::wait_until("the store to be empty", Duration::from_secs(60), || {
            crate::support::files(&server.images()).is_empty()
        });
    }
    let bad = raw(server.address, format!("{}zz\r\n", head("Transfer-Encoding: chunked")).as_bytes());
    assert_eq!(bad.status, 400, "{bad:?}");
    is_untouched(&server, &id);
    assert_eq!(server.put_file(&id, &[], DATA).status, 204);
}

#[test]
pub(crate) fn an_upload_can_wait_for_leave() {
    let server = Server::start();
    let id = queued(&server);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\
         Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).unwrap();
    assert_eq!(&leave[..], b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(DATA).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

#[test]
pub(crate) fn a_refused_upload_is_not_asked_for_its_data() {
    let server = Server::start();
    let id = server.upload(DATA);
    let head = format!(
        "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    );
    assert_eq!(raw(server.address, head.as_bytes()).status, 409);
}
