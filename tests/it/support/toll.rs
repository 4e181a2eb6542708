//! A TCP proxy that counts requests and can hold answers back for as long as a test needs.

use super::door::Door;
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

/// The proxy; dropping it closes it and all its connections.
pub(crate) struct Toll {
    shared: Arc<Shared>,
}

struct Shared {
    door: Door,
    /// Method, path and range of each request that was seen.
    requests: Mutex<Vec<String>>,
    /// Bytes of answers that pass on each connection, and how often that was set: they are counted from then on.
    most: Mutex<(u64, u64)>,
    changed: Condvar,
}

impl Toll {
    /// A proxy before the server of `url` (`http://127.0.0.1:<port>…`); everything passes.
    pub(crate) fn before(url: &str) -> Self {
        let (door, listener) = Door::before(url);
        let most = Mutex::new((u64::MAX, 0));
        let shared = Arc::new(Shared { door, requests: Mutex::default(), most, changed: Condvar::new() });
        Door::serve(&shared, listener, |it| &it.door, |_| (), |it, client, ()| it.serve(&client));
        Self { shared }
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        self.shared.door.url()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.door.address()
    }

    /// No more than so many bytes of answers pass on each connection from now on, until [`Toll::release`].
    pub(crate) fn hold(&self, after: u64) {
        let mut most = self.shared.most.lock().unwrap();
        *most = (after, most.1 + 1);
    }

    pub(crate) fn release(&self) {
        self.shared.most.lock().unwrap().0 = u64::MAX;
        self.shared.changed.notify_all();
    }

    /// Closes all connections; new ones pass.
    pub(crate) fn cut(&self) {
        self.shared.door.cut();
        self.release();
    }

    /// How often all of an image's data was asked for.
    pub(crate) fn downloads(&self, id: &str) -> usize {
        let wanted = format!("GET /v2/images/{id}/file");
        self.shared.requests.lock().unwrap().iter().filter(|it| **it == wanted).count()
    }
}

impl Drop for Toll {
    fn drop(&mut self) {
        self.shared.door.close();
        self.release();
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) {
        let Some(server) = self.door.lead_on() else {
            // The door has a handle of it too.
            let _ = client.shutdown(Shutdown::Both);
            return;
        };
        thread::scope(|scope| {
            scope.spawn(|| self.up(client, &server));
            self.down(&server, client);
        });
    }

    fn up(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = vec![0; 65536];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            // The clients used here send a head in one piece.
            self.requests.lock().unwrap().extend(request(&buffer[..n]));
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    fn down(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let (mut buffer, mut passed, mut since) = (vec![0; 65536], 0_u64, 0);
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let mut most = self.most.lock().unwrap();
            if most.1 != since {
                (passed, since) = (0, most.1);
            }
            while passed + n as u64 > most.0 && !self.door.is_closed() {
                most = self.changed.wait_timeout(most, Duration::from_millis(100)).unwrap().0;
            }
            drop(most);
            passed += n as u64;
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
    }
}

fn request(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(16384))?).into_owned();
    let head = text.split("\r\n\r\n").next()?;
    let (method, rest) = head.split_once(' ')?;
    ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"].contains(&method).then_some(())?;
    let range = head.lines().find_map(|it| it.to_lowercase().strip_prefix("range: ").map(str::to_owned));
    let range = range.map_or_else(String::new, |it| format!(" {it}"));
    Some(format!("{method} {}{range}", rest.split(' ').next()?))
}
