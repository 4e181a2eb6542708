//! kill -9 in the middle of an upload: at the next start nothing of it is left.

use super::{
    bucket, servers,
    site::{block_on, noise, options},
};
use crate::{api::Server, support::wait_until};
use serde_json::json;
use std::{io::Write, net::TcpStream, time::Duration};

#[test]
fn an_upload_that_is_killed_leaves_no_parts() {
    let Some(servers) = servers() else { return };
    let data = noise(24 << 20, 11);
    for (name, s3) in servers {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::with(&options(&s3, "killed", folder.path(), ""));
        let other = server.upload(b"untouched");
        let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
        let mut client = TcpStream::connect(server.address).unwrap();
        let head = format!(
            "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            data.len()
        );
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&data[..20 << 20]).unwrap();
        wait_until("parts are on their way", Duration::from_secs(120), || {
            block_on(bucket::uploads(&s3, "killed")) == 1
        });
        server.daemon.kill();
        assert_eq!(block_on(bucket::uploads(&s3, "killed")), 1, "{name}");
        server.again();
        wait_until("nothing of it is left", Duration::from_secs(120), || {
            block_on(bucket::uploads(&s3, "killed")) == 0
                && server.get(&format!("/v2/images/{id}")).json()["status"] == "queued"
        });
        assert_eq!(server.put_file(&id, &[], &data).status, 204, "{name}");
        assert!(server.get(&format!("/v2/images/{id}/file")).body == data, "{name}");
        assert_eq!(server.get(&format!("/v2/images/{other}/file")).body, b"untouched");
        for id in [id, other] {
            assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
        }
        block_on(bucket::soon_empty(&s3, "killed"));
    }
}

#[test]
fn a_catalogue_starts_without_its_server_and_says_so() {
    let Some([(_, s3), _]) = servers() else { return };
    let folder = tempfile::tempdir().unwrap();
    let nobody =
        crate::support::rig::S3 { url: format!("http://127.0.0.1:{}", crate::support::free_port()), ..s3.clone() };
    let mut server = Server::with(&options(&nobody, "nobody", folder.path(), ""));
    server.daemon.wait_for_log("the S3 store cannot be used as it is");
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    let answer = server.put_file(&id, &[], b"data");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(server.get(&format!("/v2/images/{id}")).json()["status"], "queued");
    let log = server.daemon.log();
    assert!(log.contains(&nobody.url) && !log.contains(s3.secret), "{log}");
}
