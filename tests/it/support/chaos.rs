//! A TCP proxy that breaks things on request.

use super::door::Door;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What happens to a connection. Bytes are those of the server's answers, heads included, from the connection's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Everything passes.
    None,
    /// The connection is closed after so many bytes.
    CutAfter(u64),
    /// Nothing passes any more after so many bytes.
    StallAfter(u64),
    /// The byte at this offset is changed.
    Corrupt(u64),
    /// The connection is closed at once.
    Refuse,
    /// This is the whole answer, whatever is asked.
    Answer(String),
    /// Requests lose this header (in lower case), so that the server does not see it.
    Strip(&'static str),
    /// Not a byte of the request's body is read after so many bytes.
    StallUpload(u64),
    /// So many bytes a second pass.
    Throttle(u64),
}

/// The proxy; dropping it closes it and all its connections.
pub(crate) struct Chaos {
    shared: Arc<Shared>,
}

struct Shared {
    door: Door,
    /// For the connections to come, one each; `always` when there are none.
    next: Mutex<Vec<Fault>>,
    always: Mutex<Fault>,
    connections: AtomicUsize,
    sent: AtomicU64,
}

impl Chaos {
    /// A proxy before the server of `url` (`http://127.0.0.1:<port>…`), as yet without faults.
    pub(crate) fn before(url: &str) -> Self {
        let (door, listener) = Door::before(url);
        let shared = Arc::new(Shared {
            door,
            next: Mutex::default(),
            always: Mutex::new(Fault::None),
            connections: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
        });
        Door::serve(&shared, listener, |it| &it.door, Shared::meet, |it, client, fault| it.serve(client, &fault));
        Self { shared }
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        self.shared.door.url()
    }

    /// What happens to each connection from now on; those that are open are closed.
    pub(crate) fn always(&self, fault: Fault) {
        self.next(Vec::new());
        *self.shared.always.lock().unwrap() = fault;
    }

    /// What happens to the connections to come, one fault each, then what `always` said; open ones are closed.
    pub(crate) fn next(&self, mut faults: Vec<Fault>) {
        faults.reverse();
        *self.shared.next.lock().unwrap() = faults;
        self.shared.door.cut();
    }

    /// Bytes of answers that were handed to clients so far, heads included.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.shared.door.close();
    }
}

impl Shared {
    /// What becomes of the next connection.
    fn meet(&self) -> Fault {
        self.connections.fetch_add(1, Ordering::SeqCst);
        self.next.lock().unwrap().pop().unwrap_or_else(|| self.always.lock().unwrap().clone())
    }

    fn serve(&self, mut client: TcpStream, fault: &Fault) {
        if *fault == Fault::Refuse {
            // The door has a handle, too: dropping this one closes nothing.
            let _ = client.shutdown(Shutdown::Both);
            return;
        }
        if let Fault::Answer(text) = fault {
            let _ = client.read(&mut [0; 65536]);
            let _ = client.write_all(text.as_bytes());
            let _ = client.shutdown(Shutdown::Write);
            // What else is sent is read, so that the answer is not lost with a reset.
            let _ = client.set_read_timeout(Some(Duration::from_secs(5)));
            while client.read(&mut [0; 65536]).is_ok_and(|n| n > 0) {}
            return;
        }
        let Some(server) = self.door.lead_on() else { return };
        let (from, to, up) = (client.try_clone().unwrap(), server.try_clone().unwrap(), fault.clone());
        let upward = thread::spawn(move || pump_up(from, to, &up));
        pump_down(&server, &client, fault, &self.sent);
        let _ = upward.join();
    }
}

fn pump_up(mut from: TcpStream, mut to: TcpStream, fault: &Fault) {
    let mut buffer = vec![0; 65536];
    let mut passed = 0;
    while let Some(n) = read_some(&mut from, &mut buffer) {
        let mut data = buffer[..n].to_vec();
        if let Fault::Strip(header) = fault {
            data = without_header(&data, header);
        }
        if to.write_all(&data).is_err() {
            break;
        }
        passed += n as u64;
        if matches!(fault, Fault::StallUpload(limit) if passed >= *limit) {
            wait_for_end(&to);
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn pump_down(mut from: &TcpStream, mut to: &TcpStream, fault: &Fault, sent: &AtomicU64) {
    let mut buffer = vec![0; 65536];
    let (mut passed, start) = (0_u64, Instant::now());
    while let Some(n) = read_some(&mut from, &mut buffer) {
        let data = &mut buffer[..n];
        let here = |offset: u64| usize::try_from(offset.saturating_sub(passed)).unwrap();
        match fault {
            Fault::CutAfter(at) | Fault::StallAfter(at) if passed + n as u64 >= *at => {
                let _ = to.write_all(&data[..here(*at)]);
                if matches!(fault, Fault::StallAfter(_)) {
                    wait_for_end(to);
                }
                break;
            }
            Fault::Corrupt(at) if (passed..passed + n as u64).contains(at) => data[here(*at)] ^= 1,
            _ => {}
        }
        if let Fault::Throttle(rate) = fault {
            let due = Duration::from_secs_f64(passed as f64 / *rate as f64);
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
        if to.write_all(data).is_err() {
            break;
        }
        passed += n as u64;
        sent.fetch_add(n as u64, Ordering::SeqCst);
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

/// The next bytes; none at the end. (A read timeout is the socket's, so the one of `wait_for_end` is met here too.)
fn read_some(from: &mut impl Read, buffer: &mut [u8]) -> Option<usize> {
    loop {
        match from.read(buffer) {
            Ok(n) => return (n > 0).then_some(n),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return None,
        }
    }
}

/// Until the other end, or the proxy, has closed the connection.
fn wait_for_end(stream: &TcpStream) {
    let gone = |e: &std::io::Error| !matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
    while !matches!(stream.peek(&mut [0]), Ok(0)) && !stream.peek(&mut [0]).is_err_and(|e| gone(&e)) {
        thread::sleep(Duration::from_millis(20));
    }
}

/// The head of a request (it comes in one piece from the clients used here) without one header.
fn without_header(data: &[u8], header: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(data) else { return data.to_vec() };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return data.to_vec() };
    let kept: Vec<_> = head.split("\r\n").filter(|it| !it.to_lowercase().starts_with(&format!("{header}:"))).collect();
    format!("{}\r\n\r\n{body}", kept.join("\r\n")).into_bytes()
}
