//! A store whose server takes connections and answers nothing: what needs it waits for a while, and nothing else does.

use super::s3::{
    bucket, servers,
    site::{block_on, noise},
};
use crate::{
    api::{Answer, Server, parse},
    support::{
        chaos::{Chaos, Fault},
        daemon::signal,
        rig::S3,
        wait_until,
    },
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Far less than anybody waits for a server, and far more than a busy machine takes.
const AT_ONCE: Duration = Duration::from_secs(15);

/// Six beats of this, and others take a process for dead.
const LEASE: u64 = 3;

/// A folder, which is the one that uploads go to, and a bucket.
fn options(s3: &S3, folder: &Path) -> String {
    let (S3 { url, access, secret }, folder) = (s3, folder.display());
    format!(
        "enabled_backends = local:file, objects:s3\nprocess_lease = {LEASE}\n[paste_deploy]\nflavor =\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n\
         [local]\nfilesystem_store_datadir = {folder}/local\n\
         [objects]\ns3_store_host = {url}\ns3_store_access_key = {access}\ns3_store_secret_key = {secret}\n\
         s3_store_bucket = hanging\ns3_store_create_bucket_on_put = true\ns3_store_large_object_chunk_size = 5\n\
         [glance_store]\ndefault_backend = local\n"
    )
}

fn queued(server: &Server) -> String {
    server.create(json!({"disk_format": "raw", "container_format": "bare"}))
}

/// An upload that is on its way.
struct Uploading(TcpStream);

impl Uploading {
    fn begin(server: &Server, id: &str, len: usize, store: &str) -> Self {
        let mut client = TcpStream::connect(server.address).unwrap();
        let head = format!(
            "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/octet-stream\r\n\
             X-Image-Meta-Store: {store}\r\nContent-Length: {len}\r\n\r\n"
        );
        client.write_all(head.as_bytes()).unwrap();
        Self(client)
    }

    fn send(&mut self, data: &[u8]) {
        self.0.write_all(data).unwrap();
    }

    fn end(mut self) -> Answer {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).unwrap();
        parse(&answer)
    }
}

/// Says that the process which takes this image in runs on another machine, so that nobody can ask for it: its signs of
/// life are all that others have.
fn move_away(server: &Server, id: &str) {
    let raw = rusqlite::Connection::open(server.connection.trim_start_matches("sqlite:///")).unwrap();
    raw.busy_timeout(Duration::from_secs(60)).unwrap();
    let sql = "UPDATE larder_processes SET host = 'elsewhere' WHERE id = (SELECT process_id FROM larder_uploads WHERE image_id = ?)";
    wait_until("the upload is entered", Duration::from_secs(60), || raw.execute(sql, [id]).unwrap() == 1);
}

#[track_caller]
fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    assert!(began.elapsed() < AT_ONCE, "{what} took {:?}", began.elapsed());
    done
}

/// All that has nothing to do with the bucket.
fn works(server: &Server) {
    let id = soon("an upload", || server.upload(b"in the folder"));
    assert_eq!(soon("a list", || server.get("/v2/images")).status, 200);
    assert_eq!(soon("a download", || server.get(&format!("/v2/images/{id}/file"))).body, b"in the folder");
    let other = queued(server);
    let short = soon("a refusal", || server.put_file(&other, &[("x-openstack-image-size", "9")], b"short"));
    short.refuses(400, "expected 9 bytes");
    assert_eq!(soon("the next one", || server.put_file(&other, &[], b"data")).status, 204);
    for id in [id, other] {
        let deleted = soon("a deletion", || server.ask("DELETE", &format!("/v2/images/{id}"), &[], b""));
        assert_eq!(deleted.status, 204);
    }
}

#[test]
fn nothing_else_waits_and_leftovers_go_when_it_answers_again() {
    let Some([(_, direct), _]) = servers() else { return };
    let chaos = Chaos::before(&direct.url);
    let folder = tempfile::tempdir().unwrap();
    let through = options(&S3 { url: chaos.url(), ..direct.clone() }, folder.path());
    let mut server = Server::with(&through);
    let (database, data) = (server.dir.path().join("catalogue.sqlite"), noise(24 << 20, 41));
    let beside =
        |options: &str| Server::over(tempfile::tempdir().unwrap(), &database, &folder.path().join("not-used"), options);
    let [kept, gone] = [(); 2].map(|()| {
        let id = queued(&server);
        assert_eq!(server.put_file(&id, &[("X-Image-Meta-Store", "objects")], b"in the bucket").status, 204);
        id
    });

    chaos.always(Fault::StallAfter(0));
    // The image goes at once; its data does not, and is not waited for to the end.
    let began = Instant::now();
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{gone}"), &[], b"").status, 204);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(server.get(&format!("/v2/images/{gone}")).status, 404);
    // A process that still reaches the server dies in an upload.
    let mut dying = beside(&options(&direct, folder.path()));
    let broken = queued(&server);
    let mut upload = Uploading::begin(&dying, &broken, data.len(), "objects");
    upload.send(&data[..20 << 20]);
    wait_until("parts are on their way", Duration::from_secs(120), || {
        block_on(bucket::uploads(&direct, "hanging")) == 1
    });
    dying.daemon.kill();
    drop(upload);

    // Nothing of this keeps it from ending, nor from starting, with a sweep and an upload to undo.
    assert!(soon("the end", || server.daemon.stop()).success(), "{}", server.daemon.log());
    let before = chaos.connections();
    soon("the start", || server.again());
    let second = beside(&through);
    wait_until("the sweep is at the store", Duration::from_secs(60), || chaos.connections() > before);
    works(&server);

    // An upload goes on for far more than a lease, by a process of which others know the signs of life alone.
    let slow = queued(&server);
    let mut upload = Uploading::begin(&server, &slow, 5, "local");
    move_away(&server, &slow);
    for byte in b"slow" {
        upload.send(&[*byte]);
        thread::sleep(Duration::from_secs(LEASE));
        works(&second);
    }
    upload.send(b"!");
    assert_eq!(upload.end().status, 204, "{} {}", server.daemon.log(), second.daemon.log());
    assert_eq!(second.get(&format!("/v2/images/{slow}/file")).body, b"slow!");

    // Likewise when it is told to end, and lets its requests end first.
    let last = queued(&server);
    let mut upload = Uploading::begin(&server, &last, 5, "local");
    move_away(&server, &last);
    signal(server.daemon.pid(), Signal::SIGTERM);
    for byte in b"last" {
        upload.send(&[*byte]);
        thread::sleep(Duration::from_secs(LEASE));
    }
    upload.send(b"!");
    assert_eq!(upload.end().status, 204, "{} {}", server.daemon.log(), second.daemon.log());
    assert!(soon("the end", || server.daemon.wait()).success());
    assert_eq!(second.get(&format!("/v2/images/{last}/file")).body, b"last!");
    // The image of the dead process can be written anew, if not there.
    wait_until("the broken upload is undone", Duration::from_secs(120), || {
        second.get(&format!("/v2/images/{broken}")).json()["status"] == "queued"
    });

    // Whoever waits goes on as soon as there is an answer.
    chaos.always(Fault::None);
    server.again();
    wait_until("the data of the deleted image is gone", Duration::from_secs(300), || {
        block_on(bucket::objects(&direct, "hanging")) == [kept.as_str()]
    });
    assert_eq!(server.put_file(&broken, &[("X-Image-Meta-Store", "objects")], &data).status, 204);
    assert_eq!(block_on(bucket::uploads(&direct, "hanging")), 0, "what the dead process left is in nobody's way");
    assert!(second.get(&format!("/v2/images/{broken}/file")).body == data);
    for id in [kept, broken] {
        assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    }
    block_on(bucket::soon_empty(&direct, "hanging"));
}

#[test]
fn a_copy_elsewhere_is_read_and_the_store_that_hangs_is_asked_last() {
    let Some([(_, direct), _]) = servers() else { return };
    let (chaos, folder) = (Chaos::before(&direct.url), tempfile::tempdir().unwrap());
    // Data is read from the bucket while that works.
    let options = options(&S3 { url: chaos.url(), ..direct.clone() }, folder.path())
        .replace("[objects]\n", "[objects]\nweight = 9\n")
        .replace("hanging", "heavy");
    let server = Server::with(&options);
    let (data, id) = (noise(3 << 20, 43), queued(&server));
    assert_eq!(server.put_file(&id, &[("X-Image-Meta-Store", "objects")], &data).status, 204);
    let copy = json!({"method": {"name": "copy-image"}, "stores": ["local"]});
    assert_eq!(server.post(&format!("/v2/images/{id}/import"), &copy).status, 202);
    let path = format!("/v2/images/{id}");
    wait_until("it is in both", Duration::from_secs(120), || server.get(&path).json()["stores"] == "objects,local");

    let file = format!("{path}/file");
    let before = chaos.sent();
    assert!(server.get(&file).body == data);
    assert!(chaos.sent() - before > data.len() as u64, "it comes from the bucket");

    chaos.always(Fault::StallAfter(0));
    assert!(server.get(&file).body == data, "the copy is read, a little later");
    let before = chaos.connections();
    for _ in 0..3 {
        assert!(server.get(&file).body == data);
    }
    assert_eq!(chaos.connections(), before, "it is not asked again at once");
    // What is only there is asked for there.
    fs::remove_file(folder.path().join("local").join(&id)).unwrap();
    chaos.always(Fault::None);
    assert!(server.get(&file).body == data);
    assert_eq!(server.ask("DELETE", &path, &[], b"").status, 204);
    block_on(bucket::soon_empty(&direct, "heavy"));
}
