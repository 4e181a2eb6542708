//! Clients that are slow, silent, or leave in the middle.

use super::{connect, is_well, resident, rest, sockets};
use crate::{api::Server, support::wait_until};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

const LONG: Duration = Duration::from_secs(90);

/// Whether the server has closed the connection; reads what comes until then.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn a_header_that_comes_byte_by_byte_is_given_up() {
    let server = Server::with("header_timeout = 1");
    let mut slow = connect(&server);
    let mut bytes = b"GET /v2/images HTTP/1.1\r\nX-Long: ".iter().chain(std::iter::repeat(&b'a'));
    wait_until("the slow header's end", LONG, || {
        let _ = slow.write_all(&[*bytes.next().unwrap()]);
        assert_eq!(server.get("/v2/images").status, 200);
        is_closed(&mut slow)
    });
    is_well(&server);
}

#[test]
fn a_body_may_come_byte_by_byte_but_not_stop() {
    let server = Server::with("body_timeout = 2");
    let body = br#"{"name": "slowly"}"#;
    let head =
        format!("POST /v2/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut slow = connect(&server);
    slow.write_all(head.as_bytes()).unwrap();
    for byte in body {
        slow.write_all(&[*byte]).unwrap();
    }
    assert_eq!(rest(&mut slow).unwrap().status, 201);
    let mut stopped = connect(&server);
    stopped.write_all(head.as_bytes()).unwrap();
    stopped.write_all(&body[..5]).unwrap();
    let answer = rest(&mut stopped).unwrap();
    assert_eq!(answer.status, 408, "{answer:?}");
    is_well(&server);
}

#[test]
fn a_silent_client_does_not_keep_others_waiting() {
    let server = Server::start();
    let mut halves: Vec<_> = (0..200).map(|_| connect(&server)).collect();
    for (number, stream) in halves.iter_mut().enumerate() {
        let half: &[u8] = match number % 4 {
            0 => b"",
            1 => b"GET /v2/ima",
            2 => b"GET /v2/images HTTP/1.1\r\nHost: x\r\n",
            _ => b"POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
        };
        stream.write_all(half).unwrap();
    }
    assert_eq!(server.get("/v2/images").status, 200);
    drop(halves);
    is_well(&server);
}

#[test]
fn readers_that_do_not_read_cost_little_and_are_cut() {
    const READERS: usize = 24;
    const SIZE: usize = 48 << 20;
    let server = Server::with("body_timeout = 3");
    let id = server.upload(&vec![7; SIZE]);
    let (before, open) = (resident(&server), sockets(&server));
    let request = format!("GET /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut readers: Vec<_> = (0..READERS).map(|_| connect(&server)).collect();
    readers.iter_mut().for_each(|it| it.write_all(request.as_bytes()).unwrap());
    wait_until("all requests to be taken", LONG, || server.daemon.log().matches("/file status=200").count() >= READERS);
    let mut most = 0;
    wait_until("the cut of all readers", LONG, || {
        most = most.max(resident(&server));
        assert_eq!(server.get("/v2/images").status, 200);
        sockets(&server) <= open
    });
    assert!(most < before + 12 * READERS as u64, "{before} MiB before, {most} MiB with readers");
    for reader in &mut readers {
        // The kernel has taken some of it; the rest never comes.
        let mut got = Vec::new();
        let _ = reader.read_to_end(&mut got);
        assert!(got.len() < SIZE, "{}", got.len());
    }
    is_well(&server);
}

#[test]
fn clients_that_leave_at_once_leave_nothing() {
    let server = Server::start();
    let id = server.upload(&vec![7; 4 << 20]);
    let request = format!("GET /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\n\r\n");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut stream = connect(&server);
                    let _ = stream.write_all(request.as_bytes());
                }
            });
        }
    });
    wait_until("all sockets to be closed", LONG, || sockets(&server) < 20);
    is_well(&server);
}
