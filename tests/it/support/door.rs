//! The door of a proxy before a server: it lets clients in, leads them on, and closes on all of them.

use std::{
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

pub(super) struct Door {
    address: SocketAddr,
    upstream: SocketAddr,
    open: Mutex<Vec<TcpStream>>,
    closed: AtomicBool,
}

impl Door {
    /// Before the server of `url` (`http://127.0.0.1:<port>…`).
    pub(super) fn before(url: &str) -> (Self, TcpListener) {
        let host = url.trim_start_matches("http://").split('/').next().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (open, closed) = (Mutex::default(), AtomicBool::new(false));
        (Self { address, upstream: host.parse().unwrap(), open, closed }, listener)
    }

    /// Serves each client on a thread of its own, until the door is closed. `meet` sees them one by one before.
    pub(super) fn serve<S, T>(
        shared: &Arc<S>,
        listener: TcpListener,
        door: fn(&S) -> &Self,
        meet: fn(&S) -> T,
        serve: fn(&S, TcpStream, T),
    ) where
        S: Send + Sync + 'static,
        T: Send + 'static,
    {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if door(&shared).is_closed() {
                    return;
                }
                let (met, shared) = (meet(&shared), Arc::clone(&shared));
                door(&shared).note(&client);
                thread::spawn(move || serve(&shared, client, met));
            }
        });
    }

    /// `http://127.0.0.1:<port>`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection to the server; none while it does not answer.
    pub(super) fn lead_on(&self) -> Option<TcpStream> {
        let server = TcpStream::connect(self.upstream).ok()?;
        self.note(&server);
        Some(server)
    }

    fn note(&self, stream: &TcpStream) {
        self.open.lock().unwrap().push(stream.try_clone().unwrap());
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Closes all connections; new ones pass.
    pub(super) fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Closes them, and lets nobody in any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}
