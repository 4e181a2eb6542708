//! A server that remote checks of a policy ask.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The server; dropping it ends it.
pub(crate) struct Judge {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    closed: AtomicBool,
    asked: Mutex<Vec<Value>>,
    /// Connections that get no answer.
    held: Mutex<Vec<TcpStream>>,
}

impl Judge {
    pub(crate) fn start() -> Self {
        Self::serve(None)
    }

    /// One that is asked by HTTPS.
    pub(crate) fn with_tls(tls: Arc<ServerConfig>) -> Self {
        Self::serve(Some(tls))
    }

    fn serve(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (addr, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let state = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if state.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (state, tls) = (Arc::clone(&state), tls.clone());
                thread::spawn(move || {
                    // A client may go away at any moment.
                    let _ = match tls {
                        None => answer(&stream, &stream, &state),
                        Some(tls) => {
                            let tls = ServerConnection::new(tls).unwrap();
                            answer(StreamOwned::new(tls, &stream), &stream, &state)
                        }
                    };
                });
            }
        });
        Self { addr, shared }
    }

    /// The host and the port.
    pub(crate) fn place(&self) -> String {
        self.addr.to_string()
    }

    /// What it was asked since the last time: the method, the path (decoded), the type, and the fields.
    pub(crate) fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap())
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.held.lock().unwrap().clear();
        let _ = TcpStream::connect(self.addr);
    }
}

/// `/say/TEXT` says it, `/refuse/TEXT` too, with the status 403; `/long` says too much, `/redirect` goes to `/say/True`,
/// `/close` breaks off, `/hang` never answers, `/reader` allows what has `reader` among the roles.
fn answer(stream: impl Read + Write, socket: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let (mut length, mut kind) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" => value.clone_into(&mut kind),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let fields: Value = if kind == "application/json" {
        serde_json::from_slice(&body).unwrap()
    } else {
        let pairs = url::form_urlencoded::parse(&body);
        let fields = pairs.map(|(name, value)| (name.into_owned(), serde_json::from_str(&value).unwrap()));
        Value::Object(fields.collect::<Map<String, Value>>())
    };
    let reads = fields["credentials"]["roles"].as_array().is_some_and(|it| it.contains(&json!("reader")));
    let said = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let asked = json!({"method": method, "path": said(&path), "type": kind, "fields": fields});
    shared.asked.lock().unwrap().push(asked);
    let (status, more, text) = match path.split('/').collect::<Vec<_>>()[..] {
        [_, "say", text, ..] => ("200 OK", String::new(), said(text)),
        [_, "refuse", text, ..] => ("403 Forbidden", String::new(), said(text)),
        [_, "long"] => ("200 OK", String::new(), "True".repeat(100_000)),
        [_, "redirect"] => ("307 x", "Location: /say/True\r\n".to_owned(), String::new()),
        [_, "reader", ..] => ("200 OK", String::new(), if reads { "True" } else { "False" }.to_owned()),
        [_, "hang"] => {
            shared.held.lock().unwrap().push(socket.try_clone()?);
            return Ok(());
        }
        _ => return Ok(()),
    };
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}Content-Length: {}\r\n\r\n", text.len());
    reader.get_mut().write_all((head + &text).as_bytes())?;
    reader.get_mut().flush()
}
