//! A cluster that does not answer when the catalogue starts.

use super::{disk, images, options, raw, server_of};
use crate::{
    api::Server,
    support::{daemon::signal, rig::own_ceph, wait_until},
};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

#[test]
fn a_catalogue_starts_without_its_cluster_says_so_and_works_when_it_is_back() {
    // Of its own: nobody else could go on.
    let Some(ceph) = own_ceph("down-ceph") else { return };
    let conf = options(&ceph, "").replace("rados_connect_timeout = 20", "rados_connect_timeout = 5");
    let mut server = Server::with(&conf);
    let (kept, data) = (raw(&server), disk(3 << 20, 61));
    assert_eq!(server.put_file(&kept, &[], &data).status, 204, "{}", server.daemon.log());
    assert!(server.daemon.stop().success());

    let monitor = server_of(&ceph, "ceph-mon");
    signal(monitor, Signal::SIGSTOP);
    let began = Instant::now();
    server.again();
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let words = "the cluster does not answer; it is tried again";
    server.daemon.wait_for_log(words);
    server.daemon.wait_for_log("no monitor answered within 5 s");
    // What needs no data goes on, and what does ends in time.
    let new = raw(&server);
    assert_eq!(server.get(&format!("/v2/images/{kept}")).json()["status"], "active");
    for (method, id) in [("GET", &kept), ("PUT", &new)] {
        let began = Instant::now();
        let headers = [("Content-Type", "application/octet-stream")];
        let body: &[u8] = if method == "PUT" { &data } else { b"" };
        let answer = server.ask(method, &format!("/v2/images/{id}/file"), &headers, body);
        assert_eq!(answer.status, 503, "{method} {answer:?}");
        assert!(began.elapsed() < Duration::from_secs(60), "{method} {:?}", began.elapsed());
    }
    assert_eq!(server.get(&format!("/v2/images/{new}")).json()["status"], "queued");

    signal(monitor, Signal::SIGCONT);
    wait_until("it is read", Duration::from_secs(300), || server.get(&format!("/v2/images/{kept}/file")).body == data);
    assert_eq!(server.put_file(&new, &[], &data).status, 204, "{}", server.daemon.log());
    assert_eq!(images(&ceph, &new), [new.as_str()]);
    for id in [kept, new] {
        assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    }
    assert!(server.daemon.stop().success(), "{}", server.daemon.log());
}
