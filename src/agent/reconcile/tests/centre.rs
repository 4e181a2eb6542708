//! A centre with raw images, over HTTP; any of them may be deleted, and come back.

use crate::base::digest::{Algorithm, Hasher};
use crate::image::ImageId;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

#[derive(Debug)]
pub(super) struct Centre {
    pub(super) port: u16,
    deleted: Arc<Mutex<BTreeSet<ImageId>>>,
}

/// The data of an image: no format that names other files begins with a zero.
pub(super) fn data(id: &ImageId) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[512..548].copy_from_slice(id.as_str().as_bytes());
    bytes
}

// === impl Centre ===

impl Centre {
    /// Serves until the process ends.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let deleted = Arc::new(Mutex::new(BTreeSet::new()));
        let known = deleted.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let known = known.clone();
                // Whoever goes away in the middle of an answer was a crash.
                thread::spawn(move || drop(serve(&socket, &known)));
            }
        });
        Self { port, deleted }
    }

    pub(super) fn delete(&self, id: &ImageId) {
        self.deleted.lock().unwrap().insert(id.clone());
    }

    pub(super) fn bring_back(&self, id: &ImageId) {
        self.deleted.lock().unwrap().remove(id);
    }

    pub(super) fn has(&self, id: &ImageId) -> bool {
        !self.deleted.lock().unwrap().contains(id)
    }
}

fn serve(socket: &TcpStream, deleted: &Mutex<BTreeSet<ImageId>>) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut lines = BufReader::new(socket).lines();
    loop {
        let Some(first) = lines.next().transpose()? else { return Ok(()) };
        while lines.next().transpose()?.is_some_and(|it| !it.is_empty()) {}
        let path = first.split(' ').nth(1).unwrap_or_default();
        let mut parts = path.trim_start_matches("/v2/images/").split('/');
        let id = parts.next().and_then(|it| it.parse::<ImageId>().ok());
        let id = id.filter(|it| !deleted.lock().unwrap().contains(it));
        let (status, body) = match (id, parts.next()) {
            (Some(id), None) => ("200 OK", record(&id)),
            (Some(id), Some("file")) => ("200 OK", data(&id)),
            _ => ("404 Not Found", b"{}".to_vec()),
        };
        let kind = if path.ends_with("/file") { "application/octet-stream" } else { "application/json" };
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut socket = socket;
        socket.write_all(&[head.as_bytes(), &body].concat())?;
    }
}

fn record(id: &ImageId) -> Vec<u8> {
    let data = data(id);
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(&data);
    let hash = hasher.finish().unwrap();
    serde_json::to_vec(&serde_json::json!({
        "id": id.as_str(), "name": "x", "status": "active", "disk_format": "raw", "container_format": "bare",
        "size": data.len(), "os_hash_algo": "sha512", "os_hash_value": hash, "visibility": "public"
    }))
    .unwrap()
}
