//! A web server with data that images' locations point at.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// The server; dropping it ends it.
pub(crate) struct Web {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    closed: AtomicBool,
    requests: AtomicUsize,
}

impl Web {
    pub(crate) fn start() -> Self {
        Self::at(Ipv4Addr::LOCALHOST)
    }

    /// At this address of the machine, or at all.
    pub(crate) fn at(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let (addr, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let state = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if state.closed.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&state);
                thread::spawn(move || {
                    state.requests.fetch_add(1, Ordering::SeqCst);
                    // A client may go away at any moment.
                    let _ = answer(&stream, addr);
                });
            }
        });
        Self { addr, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    /// How often it was asked anything.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
    }
}

/// The data at `path`: `/a`, `/b` (1000 bytes), `/c` (500), `/empty`, `/big` (3 MB; `/big-ranges` knows ranges), `/short`
/// (breaks off), `/no-head`, `/chunked` (no length).
pub(crate) fn data(path: &str) -> Option<Vec<u8>> {
    Some(match path {
        "/a" | "/no-head" => vec![b'a'; 1000],
        "/b" => vec![b'b'; 1000],
        "/c" => vec![b'c'; 500],
        "/short" | "/whole" => vec![b's'; 5000],
        "/empty" => Vec::new(),
        "/chunked" => b"hello".to_vec(),
        "/big" | "/big-ranges" => (0..3_000_000_u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
        _ => return None,
    })
}

fn answer(mut stream: &TcpStream, addr: SocketAddr) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once(": ").filter(|it| it.0.eq_ignore_ascii_case("range")) {
            let (from, to) = value.trim_start_matches("bytes=").split_once('-').unwrap();
            range = Some((from.parse::<usize>().unwrap(), to.parse::<usize>().unwrap()));
        }
    }
    let mut words = first.split(' ');
    let (is_head, path) = (words.next() == Some("HEAD"), words.next().unwrap_or_default());
    let empty = |status: &str, more: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n").into_bytes()
    };
    if let Some(status) = path.strip_prefix("/status/") {
        return stream.write_all(&empty(&format!("{status} x"), ""));
    }
    if let Some(times) = path.strip_prefix("/redirect/") {
        let times: usize = times.parse().unwrap();
        let to = if times == 0 { "/a".to_owned() } else { format!("/redirect/{}", times - 1) };
        return stream.write_all(&empty("302 x", &format!("Location: http://{addr}{to}\r\n")));
    }
    let Some(mut data) = data(path) else { return stream.write_all(&empty("404 x", "")) };
    if is_head && path == "/no-head" {
        return stream.write_all(&empty("405 x", ""));
    }
    let mut head = "HTTP/1.1 200 OK\r\nConnection: close\r\n".to_owned();
    match range.filter(|_| path == "/big-ranges") {
        Some((from, to)) => {
            head =
                format!("HTTP/1.1 206 x\r\nConnection: close\r\nContent-Range: bytes {from}-{to}/{}\r\n", data.len());
            data = data[from..=to].to_vec();
        }
        None if path == "/chunked" => {
            head.push_str("Transfer-Encoding: chunked\r\n");
            data = [format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n0\r\n\r\n"].concat();
        }
        None => {}
    }
    if path != "/chunked" {
        head.push_str(&format!("Content-Length: {}\r\n", data.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if path == "/short" {
        data.truncate(100);
    }
    if is_head { Ok(()) } else { stream.write_all(&data) }
}
