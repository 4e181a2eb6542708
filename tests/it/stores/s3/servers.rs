//! Servers that are reached in other ways: with TLS under a site's own authority, and with buckets as hosts.

use super::{
    bucket,
    site::{block_on, noise, options},
};
use crate::{
    api::Server,
    support::{
        have_root,
        rig::{self, S3},
        text,
    },
};
use serde_json::json;

/// Uploads, reads and deletes an image of several parts.
fn works(server: &Server, seen: &S3, bucket: &str) {
    let data = noise((11 << 20) + 9, 71);
    let id = server.upload(&data);
    assert_eq!(block_on(bucket::objects(seen, bucket)), [id.as_str()]);
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    let part = super::site::part(server, &id, "bytes=5242879-5242880");
    assert!(part.status == 206 && part.body == data[5_242_879..5_242_881]);
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    block_on(bucket::soon_empty(seen, bucket));
}

#[test]
fn a_private_authority_is_trusted_when_it_is_configured() {
    let Some(gateway) = rig::gateway() else { return };
    let folder = tempfile::tempdir().unwrap();
    let trusting = format!("s3_store_cacert = {}\n", gateway.authority.display());
    works(&Server::with(&options(&gateway.tls, "tls", folder.path(), &trusting)), &gateway.plain, "tls");
    // Without it, and with another one, there is no store, and the log says why.
    let stranger = tempfile::tempdir().unwrap();
    let other = stranger.path().join("other.pem");
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=other",
            "-keyout",
            "/dev/null",
        ])
        .arg("-out")
        .arg(&other)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    for more in [String::new(), format!("s3_store_cacert = {}\n", other.display())] {
        let mut server = Server::with(&options(&gateway.tls, "tls", folder.path(), &more));
        server.daemon.wait_for_log("the S3 store cannot be used as it is");
        let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
        assert_eq!(server.put_file(&id, &[], b"data").status, 503);
        assert!(server.daemon.log().contains("certificate"), "{}", server.daemon.log());
    }
    assert_eq!(block_on(bucket::objects(&gateway.plain, "tls")), [""; 0]);
}

#[test]
fn buckets_may_be_hosts() {
    let Some(gateway) = rig::gateway().filter(|_| have_root()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let conf = options(&gateway.by_name, "by-name", folder.path(), "s3_store_bucket_url_format = virtual\n");
    // It starts where the names are not known, and says so; then they are.
    let mut server = Server::with(&conf);
    server.daemon.wait_for_log("the S3 store cannot be used as it is");
    // The bucket's own name alone: path style finds nobody.
    server.again_with_hosts("127.0.0.1 by-name.s3.test\n");
    works(&server, &gateway.plain, "by-name");
    let id = server.upload(b"short");
    let told = server.get(&format!("/v2/images/{id}")).json();
    let host = gateway.by_name.url.trim_start_matches("http://");
    // Glance notes the host of the option, whichever way buckets are asked for.
    assert_eq!(told["direct_url"], format!("s3://{host}/by-name/{id}"));
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    block_on(bucket::soon_empty(&gateway.plain, "by-name"));
}
