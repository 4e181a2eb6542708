//! Imports: staged data and data from a web server, against md5 ∥ sha512 ∥ write; three stores against one; memory; and the
//! inspection of formats that need only the head.

use crate::{
    client::{Client, create, put},
    limits::{BLOCK, blocks, hashes_and_write, length},
    memory::{resident, watch},
    report::{best, bound, rate},
    support::daemon::Catalogue,
};
use larder::diskformat::Inspector;
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 16;

pub(crate) fn bench(dir: &Path) {
    inspection();
    let blocks = blocks(64);
    let bytes = length(&blocks, ROUNDS);
    let plain = dir.join("plain");
    // Blocks are allocated once: the first touch of a thin disk is its own story.
    hashes_and_write(&plain, &blocks, ROUNDS);
    fs::remove_file(&plain).unwrap();
    // Stores that share no disk are those in memory.
    let memory = tempfile::Builder::new().prefix("larder-bench-").tempdir_in("/dev/shm").unwrap();
    let catalogue = Catalogue::start(dir, &stores(dir, memory.path()));
    let mut client = Client::connect(catalogue.port);
    let (mut limit, mut staged, mut fetched) = (Duration::MAX, Duration::MAX, Duration::MAX);
    let mut peak = 0.0_f64;
    let web = web(&blocks);
    for round in 0..3 {
        limit = limit.min(best(1, || hashes_and_write(&plain, &blocks, ROUNDS)));
        fs::remove_file(&plain).unwrap();
        let direct = json!({"method": {"name": "glance-direct"}});
        let id = stage(&mut client, &format!("staged-{round}"), &blocks, bytes);
        staged = staged.min(import(&mut client, &id, &direct));
        drop_image(&mut client, &id);
        let id = create(&mut client, &format!("fetched-{round}"));
        let from = json!({"method": {"name": "web-download", "uri": web}});
        peak = peak.max(watch(catalogue.daemon.pid(), resident, || {
            fetched = fetched.min(import(&mut client, &id, &from));
        }));
        drop_image(&mut client, &id);
    }
    rate("import of 1 GiB that is staged", bytes, staged, limit, 0.85);
    rate("import of 1 GiB from a web server", bytes, fetched, limit, 0.85);
    bound("catalogue: memory during an import", peak, 128.0, "MiB");
    let mut to = |stores: &[&str]| {
        let times = (0..3).map(|round| {
            let id = stage(&mut client, &format!("{}-{round}", stores.len()), &blocks, bytes);
            let time = import(&mut client, &id, &json!({"method": {"name": "glance-direct"}, "stores": stores}));
            drop_image(&mut client, &id);
            time
        });
        times.min().unwrap().as_secs_f64()
    };
    let (one, three) = (to(&["a"]), to(&["a", "b", "c"]));
    bound("import into three stores, times that into one", three / one, 1.3, "");
}

fn stores(dir: &Path, memory: &Path) -> String {
    let (dir, memory) = (dir.display(), memory.display());
    let sections: String =
        ["a", "b", "c"].map(|it| format!("[{it}]\nfilesystem_store_datadir = {memory}/{it}\n")).concat();
    format!(
        "enabled_backends = disk:file, a:file, b:file, c:file\n[disk]\nfilesystem_store_datadir = {dir}/disk\n{sections}\
         [os_glance_staging_store]\nfilesystem_store_datadir = {memory}/staging\n\
         [glance_store]\ndefault_backend = disk\n[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n"
    )
}

/// A qcow2's head says all; the rest goes by.
fn inspection() {
    let mut head = vec![0; BLOCK];
    head[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    head[20..24].copy_from_slice(&16_u32.to_be_bytes());
    head[24..32].copy_from_slice(&(1_u64 << 30).to_be_bytes());
    head[100..104].copy_from_slice(&104_u32.to_be_bytes());
    let block = vec![7; BLOCK];
    let time = best(3, || {
        let mut inspector = Inspector::new();
        inspector.feed(&head);
        for _ in 1..1024 {
            if !inspector.settled() {
                inspector.feed(&block);
            }
        }
        inspector.finish_at(1 << 30);
    });
    bound("inspection of 1 GiB of qcow2 (5 GB/s)", time.as_secs_f64() * 1e3, 1073.7 / 5.0, "ms");
}

fn stage(client: &mut Client, name: &str, blocks: &[Vec<u8>], bytes: u64) -> String {
    let id = create(client, name);
    put(client, &format!("/v2/images/{id}/stage"), blocks.iter().cycle().take(blocks.len() * ROUNDS), bytes);
    id
}

/// From the request to the image's being active.
fn import(client: &mut Client, id: &str, request: &Value) -> Duration {
    let start = Instant::now();
    let (status, body) = client.call("POST", &format!("/v2/images/{id}/import"), Some(&request.to_string()));
    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
    loop {
        let (_, body) = client.call("GET", &format!("/v2/images/{id}"), None);
        let image: Value = serde_json::from_slice(&body).unwrap();
        match image["status"].as_str().unwrap() {
            "active" => return start.elapsed(),
            "importing" => thread::sleep(Duration::from_millis(5)),
            other => panic!("{other}: {image}"),
        }
    }
}

fn drop_image(client: &mut Client, id: &str) {
    assert_eq!(client.call("DELETE", &format!("/v2/images/{id}"), None).0, 204);
}

/// A web server with all of the blocks at its address.
fn web(blocks: &[Vec<u8>]) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/disk", listener.local_addr().unwrap());
    let blocks = blocks.to_vec();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let is_head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|it| !it.is_empty());
            let is_head = is_head.collect::<Vec<_>>()[0].starts_with("HEAD");
            let bytes = length(&blocks, ROUNDS);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n");
            let mut sent = stream.write_all(head.as_bytes());
            for block in blocks.iter().cycle().take(blocks.len() * ROUNDS).take_while(|_| !is_head) {
                sent = sent.and_then(|()| stream.write_all(block));
            }
        }
    });
    url
}
