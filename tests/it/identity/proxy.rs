//! A line to Keystone that can be cut, and that counts what passes.

use crate::support::free_port;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Relays one port to another until it is dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: u16,
    stop: AtomicBool,
    cut: AtomicBool,
    silent: AtomicBool,
    turned_away: AtomicUsize,
    logins: AtomicUsize,
    validations: AtomicUsize,
}

// === impl Proxy ===

impl Proxy {
    pub(crate) fn start(to: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let shared = Arc::new(Shared {
            to,
            stop: false.into(),
            cut: false.into(),
            silent: false.into(),
            turned_away: 0.into(),
            logins: 0.into(),
            validations: 0.into(),
        });
        let this = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &this));
        Self { port, shared }
    }

    /// While true, connections are closed as soon as they are made.
    pub(crate) fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::SeqCst);
    }

    /// While true, nothing is answered.
    pub(crate) fn silence(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// Connections that found it cut.
    pub(crate) fn turned_away(&self) -> usize {
        self.shared.turned_away.load(Ordering::SeqCst)
    }

    /// Logins and validations so far.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.shared.logins.load(Ordering::SeqCst), self.shared.validations.load(Ordering::SeqCst))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        if shared.cut.load(Ordering::SeqCst) {
            shared.turned_away.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || relay(client, &shared));
    }
}

fn relay(mut client: TcpStream, shared: &Shared) {
    let mut server: Option<TcpStream> = None;
    let mut block = [0; 16 << 10];
    while let Ok(length @ 1..) = client.read(&mut block) {
        while shared.silent.load(Ordering::SeqCst) && !shared.stop.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        // The head of a request comes in one piece.
        let text = String::from_utf8_lossy(&block[..length]);
        if text.starts_with("POST ") {
            shared.logins.fetch_add(1, Ordering::SeqCst);
        } else if text.starts_with("GET /v3/auth/tokens") {
            shared.validations.fetch_add(1, Ordering::SeqCst);
        }
        if server.is_none() {
            server = connect(shared.to, &client);
        }
        if server.as_mut().is_none_or(|it| it.write_all(&block[..length]).is_err()) {
            break;
        }
    }
    if let Some(server) = server {
        let _ = server.shutdown(Shutdown::Both);
    }
}

/// A connection whose answers go to the client.
fn connect(port: u16, client: &TcpStream) -> Option<TcpStream> {
    let server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    Some(server)
}
