//! More clients than there is room for.

use super::{is_well, resident};
use crate::api::Server;
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    os::fd::AsRawFd,
    time::Duration,
};

/// As many descriptors as this process may have, `wanted` at the most.
fn descriptors(wanted: u64) -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).is_err() {
        // More than the hard limit is root's right.
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    }
    getrlimit(Resource::RLIMIT_NOFILE).unwrap().0
}

/// A connection from another address of this machine: from 127.0.0.1, so many of them would take the ports that other
/// tests are about to listen on.
fn connect(server: &Server, number: usize) -> TcpStream {
    let fd = socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    let host = u8::try_from(2 + number % 8).unwrap();
    socket::bind(fd.as_raw_fd(), &SockaddrIn::new(127, 77, 0, host, 0)).unwrap();
    socket::connect(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, server.address.port())).unwrap();
    let stream = TcpStream::from(fd);
    stream.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    stream
}

#[test]
fn ten_thousand_idle_connections_are_held() {
    let most = descriptors(24_000);
    // Of the server's and of this test's own, some are needed for other things; other tests run beside this one.
    let count = usize::try_from(most.saturating_sub(4000).min(10_000)).unwrap();
    if count < 10_000 {
        eprintln!("only {count} connections: this process may have {most} descriptors");
    }
    let server = Server::with(&format!("max_connections = {}", count + 500));
    let before = resident(&server);
    let mut idle = Vec::with_capacity(count);
    for number in 0..count {
        let mut stream = connect(&server, number);
        if number % 2 == 0 {
            // One that has asked before costs what its request has cost.
            stream.write_all(b"GET /versions HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut some = [0; 64];
            assert!(stream.read(&mut some).unwrap() > 0);
        }
        idle.push(stream);
    }
    assert_eq!(server.get("/v2/images").status, 200);
    let each = (resident(&server).saturating_sub(before) << 10) / count.max(1) as u64;
    assert!(each < 64, "{each} KiB for each idle connection");
    // They are still there.
    for stream in idle.iter_mut().step_by(997) {
        stream.write_all(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("OK"), "{answer}");
    }
    drop(idle);
    is_well(&server);
}

#[test]
fn idle_connections_give_way_when_there_is_no_room() {
    let server = Server::with("max_connections = 20\nclient_socket_timeout = 0");
    let mut idle: Vec<_> = (0..100).map(|it| connect(&server, it)).collect();
    // Each waits for its turn, none in vain.
    for _ in 0..3 {
        assert_eq!(server.get("/v2/images").status, 200);
    }
    // Half a header is no request either.
    idle.iter_mut().for_each(|it| drop(it.write_all(b"GET /v2/images HTTP/1.1\r\nX: ")));
    assert_eq!(server.get("/v2/images").status, 200);
    drop(idle);
    is_well(&server);
}

#[test]
fn more_than_there_is_room_for_is_served_in_turn() {
    let server = Server::with("max_connections = 4");
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(server.get("/v2/images").status, 200)));
        }
    });
    is_well(&server);
}
