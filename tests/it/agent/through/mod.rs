//! The read-through endpoint: a real agent between callers and a real catalogue.

mod access;
mod answers;
mod bases;
mod clients;
mod kept;
mod shared;

use crate::{
    api::{Answer, Server, exchange},
    support::{daemon::Agent, free_port, toll::Toll, wait_until},
};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::Duration,
};
use tempfile::TempDir;

/// Everything is on one machine, which may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// An agent with the endpoint.
struct Node {
    agent: Agent,
    address: SocketAddr,
    dir: TempDir,
}

impl Node {
    /// Over the catalogue at this address, with more lines for `[DEFAULT]`.
    fn over(url: &str, extra: &str) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let extra = format!("read_through_bind = 127.0.0.1:{port}\n{extra}");
        let extra = extra.replace("{dir}", &dir.path().display().to_string());
        let glance = format!("endpoint_override = {url}\n[fleet]\nfleet = false");
        let agent = Agent::start_with(dir.path(), &glance, &extra);
        Self { agent, address: SocketAddr::from(([127, 0, 0, 1], port)), dir }
    }

    fn get(&self, path: &str) -> Answer {
        exchange(self.address, "GET", path, &[], b"")
    }

    fn data(&self, id: &str) -> Vec<u8> {
        let answer = self.get(&file(id));
        assert_eq!(answer.status, 200, "{:?} {}", answer.headers, answer.text().chars().take(300).collect::<String>());
        answer.body
    }

    fn status(&self) -> Value {
        self.agent.status()["read_through"].clone()
    }

    /// Hits, joined, misses, passed.
    fn counts(&self) -> [u64; 4] {
        let status = self.status();
        ["hits", "joined", "misses", "passed"].map(|it| status[it].as_u64().unwrap())
    }

    fn wait(&self, what: &str, so: impl Fn(&Value) -> bool) {
        let mut last = Value::Null;
        let done = || {
            last = self.status();
            so(&last)
        };
        wait_until(what, PATIENCE, done);
    }

    fn wait_for_readers(&self, count: u64) {
        self.wait(&format!("{count} callers read along"), |it| it["downloads"][0]["readers"] == count);
    }

    /// Names of what is kept.
    fn originals(&self) -> Vec<String> {
        crate::support::files(&self.dir.path().join("state/originals"))
    }

    fn original(&self, id: &str) -> PathBuf {
        self.dir.path().join(format!("state/originals/{id}.original"))
    }
}

/// A catalogue that lets everybody do everything, a counter before it, and a node.
struct Site {
    server: Server,
    toll: Toll,
    node: Node,
}

impl Site {
    fn new(extra: &str) -> Self {
        let server = Server::start();
        let toll = Toll::before(&url(&server));
        let node = Node::over(&toll.url(), extra);
        Self { server, toll, node }
    }

    /// A new raw image of some MiB; its id and data.
    fn image(&self, mib: usize) -> (String, Vec<u8>) {
        let data = noise(mib << 20);
        (self.server.upload(&data), data)
    }
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

fn file(id: &str) -> String {
    format!("/v2/images/{id}/file")
}

/// What a caller of `path` gets, however it ends: the announced length, and the bytes.
fn broken(address: SocketAddr, path: &str) -> (usize, Vec<u8>) {
    rest_of(begin(address, path))
}

/// Sends a request and reads nothing.
fn begin(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

fn rest_of(mut stream: TcpStream) -> (usize, Vec<u8>) {
    let mut bytes = Vec::new();
    // A reset is one way to break off.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = head.lines().find_map(|it| it.strip_prefix("content-length: ")).expect("a length").parse().unwrap();
    (length, bytes.split_off(end + 4))
}

/// Bytes that do not repeat and are no disk image.
fn noise(len: usize) -> Vec<u8> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
    let mut data = vec![0; len];
    for word in data[1024.min(len)..].chunks_exact_mut(8) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        word.copy_from_slice(&seed.to_le_bytes());
    }
    data
}

/// Changes one byte of a file where it is.
fn flip(path: &std::path::Path, at: usize) {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
}
