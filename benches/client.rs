//! A client that costs little: plain HTTP/1.1 over one socket.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// One keep-alive connection.
pub(crate) struct Client(BufReader<TcpStream>);

/// Status, and the length of the body that follows.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) length: u64,
    pub(crate) chunked: bool,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::with_capacity(1 << 20, stream))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub(crate) fn send_head(&mut self, method: &str, path: &str, headers: &str) {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        self.socket().write_all(head.as_bytes()).unwrap();
    }

    pub(crate) fn read_head(&mut self) -> Head {
        let mut head = Head { status: 0, length: 0, chunked: false };
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        head.status = line.split(' ').nth(1).unwrap().parse().unwrap();
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(':') else { return head };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = value.trim().parse().unwrap(),
                "transfer-encoding" => head.chunked = true,
                _ => {}
            }
        }
    }

    /// A request with a small body; the answer's body.
    pub(crate) fn call(&mut self, method: &str, path: &str, json: Option<&str>) -> (u16, Vec<u8>) {
        let body = json.unwrap_or("");
        let kind = if json.is_some() {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
        } else {
            String::new()
        };
        self.send_head(method, path, &kind);
        self.socket().write_all(body.as_bytes()).unwrap();
        let head = self.read_head();
        assert!(!head.chunked, "{method} {path} answered in chunks");
        let mut body = vec![0; usize::try_from(head.length).unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (head.status, body)
    }

    /// Reads `length` bytes of a body away; how many there were.
    pub(crate) fn drain(&mut self, length: u64) -> u64 {
        let mut left = length;
        while left > 0 {
            let got = self.0.fill_buf().unwrap().len() as u64;
            assert!(got > 0, "body cut {left} bytes before its end");
            let got = got.min(left);
            self.0.consume(usize::try_from(got).unwrap());
            left -= got;
        }
        length
    }
}

/// Registers a raw image; its id.
pub(crate) fn create(client: &mut Client, name: &str) -> String {
    let body = format!(r#"{{"name":"{name}","disk_format":"raw","container_format":"bare"}}"#);
    let (status, body) = client.call("POST", "/v2/images", Some(&body));
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice::<serde_json::Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Uploads `blocks`, in order.
pub(crate) fn upload(client: &mut Client, id: &str, blocks: impl Iterator<Item = impl AsRef<[u8]>>, length: u64) {
    put(client, &format!("/v2/images/{id}/file"), blocks, length);
}

/// Sends `blocks` to a path that takes data.
pub(crate) fn put(client: &mut Client, path: &str, blocks: impl Iterator<Item = impl AsRef<[u8]>>, length: u64) {
    let headers = format!("Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n");
    client.send_head("PUT", path, &headers);
    for block in blocks {
        client.socket().write_all(block.as_ref()).unwrap();
    }
    let head = client.read_head();
    assert_eq!(head.status, 204);
}
