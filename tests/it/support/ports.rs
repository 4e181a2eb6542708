//! Ports to listen on that nobody else takes meanwhile.
//!
//! A port that the system gave and took back may be another's a moment later: that of a second test, or of any connection
//! that goes out. So ports come from below the range that the system gives, in blocks, of which a process keeps each one
//! by a name that lives as long as the process.

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt};
use std::{
    fs,
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    sync::{Mutex, PoisonError},
};

/// Ports of a block.
const BLOCK: u16 = 64;

/// Where blocks begin at the lowest.
const FIRST: u16 = 10_240;

/// The block that ports come from.
struct Block {
    next: u16,
    end: u16,
}

/// A port of 127.0.0.1 that is this process's for as long as it runs, and that nobody listens on.
pub(crate) fn free_port() -> u16 {
    static BLOCK_IN_USE: Mutex<Block> = Mutex::new(Block { next: 0, end: 0 });
    let mut block = BLOCK_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if block.next == block.end {
            *block = take_block();
        }
        let port = block.next;
        block.next += 1;
        // Others than tests may listen there.
        if is_free(port) {
            return port;
        }
    }
}

/// Never listens itself: a child that is being started at this moment would have the socket for a while, and whoever waits
/// for a server there would be connected to that.
fn is_free(port: u16) -> bool {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&socket, sockopt::ReuseAddr, &true).unwrap();
    bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port)).is_ok()
}

fn take_block() -> Block {
    let count = (end() - FIRST) / BLOCK;
    // From a random one on, so that processes seldom ask for the same.
    let start = rand::random::<u16>() % count;
    for at in 0..count {
        let first = FIRST + (start + at) % count * BLOCK;
        let name = SocketAddr::from_abstract_name(format!("larder-test-ports-{first}")).unwrap();
        if let Ok(held) = UnixListener::bind_addr(&name) {
            // The name goes with the process, however that ends.
            std::mem::forget(held);
            return Block { next: first, end: first + BLOCK };
        }
    }
    panic!("all ports from {FIRST} on are taken by tests");
}

/// The lowest port that the system gives to whoever names none; where it gives all of them, there is no way around it.
fn end() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(32_768);
    if first < FIRST + 64 * BLOCK { 60_000 } else { first }
}
