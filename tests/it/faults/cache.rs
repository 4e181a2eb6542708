//! The catalogue's image cache, when it is killed, when its disk is full, and when clients go away.

use super::disk_full::{Small, can_mount};
use crate::{
    api::{Server, exchange},
    support::{daemon::Daemon, files, wait_until},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

fn caching(dir: tempfile::TempDir) -> Server {
    let options = format!(
        "image_cache_dir = {}/cache\nworker_self_reference_url = http://node.example\n[paste_deploy]\nflavor = caching",
        dir.path().display()
    );
    let (database, images) = (dir.path().join("catalogue.sqlite"), dir.path().join("images"));
    Server::over(dir, &database, &images, &options)
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut data = vec![0; length];
    StdRng::seed_from_u64(seed).fill(&mut data[..]);
    data
}

/// Asks for a file, and reads no more than so many bytes of the answer.
fn read_some(address: SocketAddr, id: &str, bytes: u64) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let head = format!("GET /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    if stream.write_all(head.as_bytes()).is_ok() {
        let _ = stream.take(bytes).read_to_end(&mut Vec::new());
    }
}

fn cached(server: &Server) -> usize {
    server.get("/v2/cache").json()["cached_images"].as_array().unwrap().len()
}

fn wait_cached(server: &Server) {
    wait_until("the image is cached", Duration::from_secs(120), || cached(server) == 1);
}

#[test]
fn killed_while_it_fills_it_has_the_whole_image_or_nothing() {
    let mut server = caching(tempfile::tempdir().unwrap());
    let data = noise(12 << 20, 1);
    let id = server.upload(&data);
    let cache = server.dir.path().join("cache");
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let (mut whole, mut nothing) = (0, 0);
    for round in 0..20 {
        let (address, name) = (server.address, id.clone());
        let client = thread::spawn(move || read_some(address, &name, u64::MAX));
        thread::sleep(Duration::from_micros(dice.random_range(0..100_000)));
        server.daemon.kill();
        client.join().unwrap();
        let there = cache.join(&id).exists();
        if there {
            assert!(fs::read(cache.join(&id)).unwrap() == data, "round {round}: a bad file");
        }
        server.daemon =
            Daemon::start(server.dir.path(), "catalogue", &["catalogue", "--config-file", "catalogue.conf"]);
        wait_until("the catalogue listens", Duration::from_secs(120), || TcpStream::connect(server.address).is_ok());
        assert_eq!(files(&cache.join("incomplete")), Vec::<String>::new(), "round {round}");
        if there {
            // Perhaps it was killed before it could record the file: then the file is adopted.
            wait_cached(&server);
        }
        assert!(server.get(&format!("/v2/images/{id}/file")).body == data, "round {round}: a bad answer");
        *(if there { &mut whole } else { &mut nothing }) += 1;
        wait_cached(&server);
        assert_eq!(server.ask("DELETE", "/v2/cache", &[], b"").status, 204);
    }
    eprintln!("{whole} whole, {nothing} nothing");
}

#[test]
fn a_full_disk_fails_no_download() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let small = Small::mount(dir.path().join("cache"), 4);
    let server = caching(dir);
    let data = noise(12 << 20, 2);
    let id = server.upload(&data);
    let file = format!("/v2/images/{id}/file");
    assert!(server.get(&file).body == data);
    // The queue keeps what cannot be fetched yet.
    assert_eq!(server.ask("PUT", &format!("/v2/cache/{id}"), &[], b"").status, 202);
    assert!(server.get(&file).body == data);
    let state = server.get("/v2/cache").json();
    assert_eq!((cached(&server), state["queued_images"][0].as_str()), (0, Some(id.as_str())), "{state}");
    small.grow(64);
    assert_eq!(server.ask("PUT", &format!("/v2/cache/{id}"), &[], b"").status, 202);
    wait_cached(&server);
    assert!(fs::read(server.dir.path().join("cache").join(&id)).unwrap() == data);
    wait_until("the queue is empty", Duration::from_secs(120), || {
        server.get("/v2/cache").json()["queued_images"].as_array().unwrap().is_empty()
    });
}

/// There was room when the filling began; somebody else takes it in the middle.
#[test]
fn a_disk_that_fills_up_meanwhile_fails_no_download() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let _small = Small::mount(dir.path().join("cache"), 64);
    let server = caching(dir);
    let data = noise(48 << 20, 4);
    let id = server.upload(&data);
    let (cache, file) = (server.dir.path().join("cache"), format!("/v2/images/{id}/file"));
    let unfinished = cache.join("incomplete");
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    write!(stream, "GET {file} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    // No socket holds all of it: the client stops reading, and so the download stands still.
    let mut answer = vec![0; 1024];
    stream.read_exact(&mut answer).unwrap();
    wait_until("the cache is being filled", Duration::from_secs(120), || {
        files(&unfinished).iter().any(|it| fs::metadata(unfinished.join(it)).is_ok_and(|it| it.len() > 0))
    });
    let mut filler = fs::File::create(cache.join("filler")).unwrap();
    let full = std::iter::repeat_with(|| filler.write_all(&[1; 4096])).find_map(Result::err).unwrap();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    assert_eq!(files(&unfinished).len(), 1, "in the middle");

    stream.read_to_end(&mut answer).unwrap();
    let answer = crate::api::parse(&answer);
    assert!(answer.status == 200 && answer.body == data, "{} bytes of {}", answer.body.len(), data.len());
    let words = "a download could not be cached";
    wait_until("the log says so", Duration::from_secs(120), || server.daemon.log().contains(words));
    let log = server.daemon.log();
    let line = log.lines().find(|it| it.contains(words)).unwrap();
    assert!(line.contains(&id) && line.contains("is full") && line.contains("cache"), "{line}");
    wait_until("nothing unfinished is left", Duration::from_secs(120), || files(&unfinished).is_empty());
    assert!(!cache.join(&id).exists() && cached(&server) == 0);
    // With room again, a download fills it.
    fs::remove_file(cache.join("filler")).unwrap();
    drop(filler);
    wait_until("the image is cached", Duration::from_secs(120), || {
        server.get(&file).body == data && cached(&server) == 1
    });
    assert!(fs::read(cache.join(&id)).unwrap() == data);
}

#[test]
fn clients_that_go_away_spoil_nothing() {
    let server = caching(tempfile::tempdir().unwrap());
    let data = noise(24 << 20, 3);
    let id = server.upload(&data);
    let file = format!("/v2/images/{id}/file");
    let cached_file = server.dir.path().join("cache").join(&id);
    for round in 0..5 {
        thread::scope(|scope| {
            for client in 0..8_u64 {
                let (server, id, file, data) = (&server, &id, &file, &data);
                if client % 3 == round % 3 {
                    scope.spawn(move || read_some(server.address, id, 1 + client * (3 << 20)));
                } else {
                    scope.spawn(move || {
                        assert!(exchange(server.address, "GET", file, &[], b"").body == *data, "a bad answer");
                    });
                }
            }
        });
        if let Ok(content) = fs::read(&cached_file) {
            assert!(content == data, "round {round}: a bad file");
        }
        assert!(server.get(&file).body == data);
        assert_eq!(server.ask("DELETE", "/v2/cache", &[], b"").status, 204);
    }
    wait_until("the image is cached after all", Duration::from_secs(120), || {
        server.get(&file).body == data && cached(&server) == 1
    });
    assert!(fs::read(&cached_file).unwrap() == data);
}
