//! What goes wrong, and what is said then.

use super::{command, direct_url, disk, images, options, raw, rbd, server_of};
use crate::{
    api::Server,
    support::{
        larder, output,
        rig::{Ceph, ceph, own_ceph},
        text, wait_until,
    },
};
use std::{
    fs,
    io::Write,
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// What `larder catalogue` says at the start with these options of the store.
fn refused(store: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display();
    let conf = format!("[database]\nconnection = sqlite:///{path}/db\n[glance_store]\ndefault_store = rbd\n{store}\n");
    fs::write(dir.path().join("catalogue.conf"), conf).unwrap();
    let mut command = Command::new("timeout");
    let larder = larder(&[]);
    command.arg("60").arg(larder.get_program()).args(["catalogue", "--config-file", "catalogue.conf"]);
    for (key, value) in larder.get_envs() {
        command.env(key, value.unwrap_or_default());
    }
    let done = output(command.current_dir(dir.path()));
    let said = text(&done.stderr) + &text(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_store_that_cannot_be_opened_says_which_option_to_look_at() {
    let Some(ceph) = ceph() else { return };
    let folder = tempfile::tempdir().unwrap();
    let conf = ceph.conf().display().to_string();
    let nobody_there = folder.path().join("ceph.conf");
    fs::write(&nobody_there, "[global]\nmon host = v2:127.0.0.1:1\nauth client required = none\n").unwrap();
    // A key that the cluster does not know.
    let stranger = folder.path().join("stranger.conf");
    let keyring = folder.path().join("keyring");
    let other = fs::read_to_string(ceph.dir.join("ceph.client.admin.keyring")).unwrap();
    fs::write(&keyring, other.replace("client.admin", "client.glance")).unwrap();
    // A key without rights.
    let weak = ceph.dir.join("ceph.client.weak.keyring");
    admin(ceph, &["auth", "get-or-create", "client.weak", "mon", "allow r", "-o", weak.to_str().unwrap()]);
    let known = fs::read_to_string(ceph.conf()).unwrap();
    let own = format!("keyring = {}", keyring.display());
    let lines = known.lines().map(|it| if it.starts_with("keyring = ") { own.as_str() } else { it });
    fs::write(&stranger, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    for (options, words) in [
        ("rbd_store_ceph_conf = /nowhere/ceph.conf".to_owned(), "there is no /nowhere/ceph.conf: rbd_store_ceph_conf"),
        (
            format!("rbd_store_ceph_conf = {conf}\nrbd_store_user = nobody"),
            "the cluster does not let client.nobody (rbd_store_user) in",
        ),
        (
            format!("rbd_store_ceph_conf = {conf}\nrbd_store_user = glance\nrbd_store_pool = tapes"),
            "the cluster has no pool tapes (rbd_store_pool)",
        ),
        (format!("rbd_store_ceph_conf = {conf}\nrbd_store_chunk_size = 0"), "rbd_store_chunk_size takes MiB"),
        (
            format!("rbd_store_ceph_conf = {}\nrados_connect_timeout = 2", nobody_there.display()),
            "no monitor answered within 2 s",
        ),
        (
            format!("rbd_store_ceph_conf = {}\nrbd_store_user = glance\nrados_connect_timeout = 5", stranger.display()),
            "the cluster does not let client.glance (rbd_store_user) in",
        ),
    ] {
        let said = refused(&options);
        assert!(said.contains("the rbd store: ") && said.contains(words), "{options}\n{said}");
    }
    let server = Server::with(&options(ceph, "").replace("rbd_store_user = glance", "rbd_store_user = weak"));
    let id = raw(&server);
    assert_eq!(server.put_file(&id, &[], b"x").status, 503);
    let words = "client.weak (rbd_store_user) may not do that in the pool images: it needs mon 'profile rbd' and osd 'profile rbd pool=images'";
    assert!(server.daemon.log().contains(words), "{}", server.daemon.log());
}

#[test]
fn without_cephs_libraries_it_says_what_to_install() {
    let Some(ceph) = ceph() else { return };
    // Where nothing else is found than what the program itself needs.
    let dir = tempfile::tempdir().unwrap();
    let conf = format!(
        "[database]\nconnection = sqlite:///{}/db\n[glance_store]\ndefault_store = rbd\nrbd_store_ceph_conf = {}\n",
        dir.path().display(),
        ceph.conf().display()
    );
    fs::write(dir.path().join("catalogue.conf"), conf).unwrap();
    let hide =
        "mount --bind /dev/null \"$(readlink -f \"$(ldconfig -p | sed -n 's/.*librbd.so.1 .*=> //p' | head -1)\")\"";
    let mut command = Command::new("unshare");
    let larder = larder(&[]);
    let program = larder.get_program().to_str().unwrap().to_owned();
    command.args(["--mount", "sh", "-c", &format!("{hide} && exec {program} catalogue --config-file catalogue.conf")]);
    let done = output(command.current_dir(dir.path()));
    let said = text(&done.stderr) + &text(&done.stdout);
    if said.contains("unshare:") || said.contains("mount:") {
        crate::support::skip(&said);
        return;
    }
    assert!(said.contains("librbd.so.1 is not on this machine: install Ceph's librbd1"), "{said}");
}

/// A request whose body comes to this point.
fn begin_upload(server: &Server, id: &str, len: usize, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: {len}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(sent).unwrap();
    stream
}

#[test]
fn what_a_killed_process_left_goes_with_the_next_tidying() {
    let Some(ceph) = ceph() else { return };
    let mut server = Server::with(&options(ceph, ""));
    let (id, data) = (raw(&server), disk(4 << 20, 31));
    // Not ours: nothing may touch it.
    let other = format!(".larder-{id}");
    rbd(ceph, &["create", "--size", "1M", &other]);
    // A renaming that was broken off: two names lead to one image.
    let (half, object) = (raw(&server), server.dir.path().join("object").display().to_string());
    let aside = format!(".larder-{half}-0123456789abcdef.part");
    rbd(ceph, &["create", "--size", "1M", &aside]);
    rbd(ceph, &["snap", "create", "--no-progress", &format!("{aside}@snap")]);
    rbd(ceph, &["snap", "protect", &format!("{aside}@snap")]);
    rados(ceph, &["get", &format!("rbd_id.{aside}"), &object]);
    rados(ceph, &["put", &format!("rbd_id.{half}"), &object]);
    assert!(rbd(ceph, &["info", &half]).contains("1 MiB"));
    let stream = begin_upload(&server, &id, 9 << 20, &data);
    wait_until("it is being written", PATIENCE, || images(ceph, &id).iter().any(|it| it.ends_with(".part")));
    server.daemon.kill();
    drop(stream);
    let killed = Instant::now();
    assert_eq!(images(ceph, &id).len(), 2);
    // The image can be written at once by the next one.
    server.again();
    wait_until("the upload is undone", PATIENCE, || {
        server.get(&format!("/v2/images/{id}")).json()["status"] == "queued"
    });
    assert_eq!(server.put_file(&id, &[], &data).status, 204, "{}", server.daemon.log());
    // Ceph takes a client for alive for half a minute.
    std::thread::sleep(Duration::from_secs(35).saturating_sub(killed.elapsed()));
    server.daemon.stop();
    server.again();
    wait_until("the rest is gone", PATIENCE, || images(ceph, &id).len() == 2);
    let mut left = images(ceph, &id);
    left.sort();
    assert_eq!(left, [other.clone(), id.clone()]);
    wait_until("the half-renamed one is gone", PATIENCE, || images(ceph, &half).is_empty());
    assert!(!rados(ceph, &["ls"]).contains(&half), "{}", server.daemon.log());
    assert_eq!(server.put_file(&half, &[], b"new").status, 204, "{}", server.daemon.log());
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{half}"), &[], b"").status, 204);
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    rbd(ceph, &["rm", "--no-progress", &other]);
}

#[test]
fn a_removal_that_was_broken_off_goes_on() {
    let Some(ceph) = ceph() else { return };
    let server = Server::with(&options(ceph, ""));
    for steps in [&["unprotect"][..], &["unprotect", "rm"]] {
        let (id, data) = (raw(&server), disk(2 << 20, 32));
        assert_eq!(server.put_file(&id, &[], &data).status, 204, "{}", server.daemon.log());
        for step in steps {
            rbd(ceph, &["snap", step, &format!("{id}@snap")]);
        }
        assert!(!direct_url(&server, &id).is_empty());
        assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204, "{steps:?}");
        assert_eq!(images(ceph, &id), [""; 0], "{steps:?} {}", server.daemon.log());
    }
}

/// An image that lost its snapshot while it was removed makes room for an upload; one that is not known does not.
#[test]
fn only_what_was_being_removed_makes_room() {
    let Some(ceph) = ceph() else { return };
    let server = Server::with(&options(ceph, ""));
    let id = raw(&server);
    rbd(ceph, &["create", "--size", "1M", &id]);
    assert_eq!(server.put_file(&id, &[], b"new").status, 409);
    rbd(ceph, &["image-meta", "set", &id, "larder.removing", "yes"]);
    assert_eq!(server.put_file(&id, &[], b"new").status, 204, "{}", server.daemon.log());
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"new");
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
}

fn rados(ceph: &Ceph, args: &[&str]) -> String {
    command(ceph, "rados", &[&["--id", "glance", "-p", "images"], args].concat())
}

fn admin(ceph: &Ceph, args: &[&str]) -> String {
    command(ceph, "ceph", &[&["--id", "admin"], args].concat())
}

/// A Ceph of its own: what is done to it would be felt by all.
#[test]
fn a_full_pool_and_a_cluster_without_osds_are_told_in_time() {
    let Some(ceph) = own_ceph("broken-ceph") else { return };
    let conf = options(&ceph, "").replace("rados_connect_timeout = 20", "rados_connect_timeout = 5");
    let server = Server::with(&conf);
    let data = disk(3 << 20, 41);
    let there = raw(&server);
    assert_eq!(server.put_file(&there, &[], &data).status, 204, "{}", server.daemon.log());

    let stored = || {
        let told: serde_json::Value = serde_json::from_str(&admin(&ceph, &["df", "--format", "json"])).unwrap();
        let pools = told["pools"].as_array().unwrap();
        pools.iter().find(|it| it["name"] == "images").and_then(|it| it["stats"]["stored"].as_u64()).unwrap_or(0)
    };
    wait_until("Ceph has counted it", PATIENCE, || stored() > 3_000_000);
    admin(&ceph, &["osd", "pool", "set-quota", "images", "max_bytes", "4000000"]);
    // Announced, it is refused before it is sent; else when Ceph refuses it.
    let id = raw(&server);
    let answer = server.put_file(&id, &[], &data);
    assert_eq!((answer.status, answer.text().contains("no room")), (413, true), "{answer:?}");
    admin(&ceph, &["osd", "pool", "set-quota", "images", "max_bytes", "1000000"]);
    wait_until("the pool is full", PATIENCE, || admin(&ceph, &["health", "detail"]).contains("POOL_FULL"));
    let began = Instant::now();
    let body =
        [b"1\r\nx\r\n".as_slice(), &format!("{:x}\r\n", data.len()).into_bytes(), &data, b"\r\n0\r\n\r\n"].concat();
    let headers = [("Content-Type", "application/octet-stream"), ("Transfer-Encoding", "chunked")];
    let answer = crate::api::exchange(server.address, "PUT", &format!("/v2/images/{id}/file"), &headers, &body);
    assert_eq!(answer.status, 413, "{answer:?} {}", server.daemon.log());
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    admin(&ceph, &["osd", "pool", "set-quota", "images", "max_bytes", "0"]);
    wait_until("there is room", PATIENCE, || !admin(&ceph, &["health", "detail"]).contains("POOL_FULL"));
    wait_until("nothing is left", PATIENCE, || images(&ceph, &id).is_empty());
    assert_eq!(server.put_file(&id, &[], &data).status, 204, "{}", server.daemon.log());

    // The OSD stands still, as with a disk that hangs.
    let osd = server_of(&ceph, "ceph-osd");
    crate::support::daemon::signal(osd, nix::sys::signal::Signal::SIGSTOP);
    let waiting = raw(&server);
    for (method, path) in [("GET", format!("/v2/images/{id}/file")), ("PUT", format!("/v2/images/{waiting}/file"))] {
        let began = Instant::now();
        let headers = [("Content-Type", "application/octet-stream")];
        let answer = server.ask(method, &path, &headers, if method == "PUT" { &data } else { b"" });
        assert_eq!(answer.status, 503, "{method} {answer:?}");
        assert!(began.elapsed() < Duration::from_secs(40), "{method} {:?}", began.elapsed());
    }
    assert!(
        server.daemon.log().contains("gave no answer for 5 s (rados_connect_timeout): look at its OSDs"),
        "{}",
        server.daemon.log()
    );
    // The rest goes on.
    assert_eq!(server.get("/v2/images").status, 200);
    crate::support::daemon::signal(osd, nix::sys::signal::Signal::SIGCONT);
    // How soon this OSD is itself again is Ceph's matter.
    drop(server);
}
