//! Clients that mean harm, or are broken.

mod connections;
mod crowds;
mod documents;
mod framing;
mod paths;

use crate::api::{Answer, Server, requests::parse};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Sends bytes as they are, whether or not the server takes them all; what it answers before it closes, if it answers.
fn send(server: &Server, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(server);
    // A server that has heard enough closes.
    let _ = stream.write_all(bytes);
    rest(&mut stream)
}

/// Likewise, with nothing to come after.
fn send_and_end(server: &Server, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(server);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    rest(&mut stream)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    stream
}

/// The first answer on the connection, read to its end; none when there is none.
fn rest(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    (!bytes.is_empty()).then(|| parse(&bytes))
}

/// That nothing went wrong that is the server's own fault, and that it goes on.
fn is_well(server: &Server) {
    assert_eq!(server.get("/v2/images").status, 200);
    let log = server.daemon.log();
    for bad in ["status=500", "panicked", " ERROR "] {
        assert!(!log.contains(bad), "{bad} in {log}");
    }
}

/// Memory that the server has in use, in MiB.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.daemon.pid())).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1024
}

/// Sockets that the server has open.
fn sockets(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.daemon.pid())).unwrap().flatten();
    let is_socket = |it: std::path::PathBuf| it.to_string_lossy().starts_with("socket:");
    open.filter_map(|it| std::fs::read_link(it.path()).ok()).filter(|it| is_socket(it.clone())).count()
}
