//! Data on web servers, read through the catalogue.

use super::{Answer, Server};
use crate::support::{
    have_root, skip,
    web::{Web, data},
};
use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

const HERE: &str = "show_multiple_locations = true\n\
                    [import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n";

/// An image whose data is at these places.
fn image(server: &Server, urls: &[&str]) -> String {
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    for url in urls {
        let answer =
            server.patch(&id, &json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}]));
        assert_eq!(answer.status, 200, "{url} {}", answer.text());
    }
    id
}

fn part(server: &Server, id: &str, range: &str) -> Answer {
    server.ask("GET", &format!("/v2/images/{id}/file"), &[("Range", range)], b"")
}

#[test]
fn ranges_are_cut_wherever_the_data_is() {
    let (server, web) = (Server::with(HERE), Web::start());
    let wanted = data("/big").unwrap();
    // One web server knows ranges, the other one sends everything.
    for path in ["/big-ranges", "/big"] {
        let id = image(&server, &[&web.url(path)]);
        assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, wanted);
        for (range, from, to) in [
            ("bytes=0-0", 0, 1),
            ("bytes=10-1999999", 10, 2_000_000),
            ("bytes=2999999-", 2_999_999, 3_000_000),
            ("bytes=-5", 2_999_995, 3_000_000),
            ("bytes=2999990-9999999", 2_999_990, 3_000_000),
        ] {
            let answer = part(&server, &id, range);
            assert_eq!(answer.status, 206, "{path} {range} {}", answer.text());
            assert!(answer.body == wanted[from..to], "{path} {range}: {} bytes", answer.body.len());
            let said = format!("bytes {from}-{}/3000000", to - 1);
            assert_eq!(answer.header("content-range"), Some(said.as_str()), "{path} {range}");
        }
        assert_eq!(part(&server, &id, "bytes=3000000-").status, 416, "{path}");
    }
}

#[test]
fn the_next_place_is_read_when_one_is_gone() {
    let (server, first, second) = (Server::with(HERE), Web::start(), Web::start());
    let id = image(&server, &[&first.url("/a"), &second.url("/a")]);
    let path = format!("/v2/images/{id}/file");
    assert_eq!(server.get(&path).body, data("/a").unwrap());
    assert_eq!(second.requests(), 1, "asked for the size only");
    drop(first);
    let answer = server.get(&path);
    assert_eq!((answer.status, answer.body), (200, data("/a").unwrap()));
    let answer = part(&server, &id, "bytes=990-");
    assert_eq!((answer.status, answer.body.len()), (206, 10));
    drop(second);
    assert_eq!(server.get(&path).status, 503);
}

#[test]
fn what_breaks_off_goes_on_from_the_next_place() {
    // It announces 5000 bytes and sends fewer; the other one has them all.
    let (server, broken, whole) = (Server::with(HERE), Web::start(), Web::start());
    let id = image(&server, &[&broken.url("/short"), &whole.url("/whole")]);
    let path = format!("/v2/images/{id}/file");
    assert_eq!(server.get(&path).body, data("/whole").unwrap());
    for (range, len) in [("bytes=10-", 4990), ("bytes=0-4998", 4999), ("bytes=4990-4999", 10)] {
        let answer = part(&server, &id, range);
        assert_eq!((answer.status, answer.body.len()), (206, len), "{range}");
        assert!(answer.body.iter().all(|it| *it == b's'));
    }
    assert!(whole.requests() > 4, "it was asked for what the other one lacks");
}

#[test]
fn what_breaks_off_is_never_a_whole_answer() {
    let (server, web) = (Server::with(HERE), Web::start());
    let id = image(&server, &[&web.url("/short")]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    write!(stream, "GET /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The connection may be reset, which is as good as its end.
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).to_lowercase();
    let body = text.split_once("\r\n\r\n").map_or(0, |it| it.1.len());
    assert!(text.contains("content-length: 5000") && body < 5000, "{body} bytes after {text:.300}");
}

/// An address of this machine that is not loopback; none, and it is said why, where it has none.
fn outside() -> Option<Ipv4Addr> {
    let all = nix::ifaddrs::getifaddrs().unwrap().filter_map(|it| Some(it.address?.as_sockaddr_in()?.ip()));
    let found = all.into_iter().find(|it| !it.is_loopback() && !it.is_link_local());
    if found.is_none() {
        skip("this machine has no address but loopback");
    }
    found
}

/// Whoever has a name may let it stand for another address as soon as it was judged (DNS rebinding).
#[test]
fn a_name_that_comes_to_stand_for_this_machine_gives_no_data() {
    let Some(outside) = outside().filter(|_| have_root()) else { return };
    let mut server = Server::with(
        "show_multiple_locations = true\n[import_filtering_opts]\nallowed_ports = []\nallowed_hosts = []\n",
    );
    let web = Web::at(Ipv4Addr::UNSPECIFIED);
    let hosts = server.dir.path().join("hosts");
    // In place: another file would not be the one that is mounted.
    let line = |it: Ipv4Addr| format!("{it} images.test images.test.\n");
    let stands_for = |it| fs::write(&hosts, line(it)).unwrap();
    server.again_with_hosts(&line(outside));

    let id = image(&server, &[&format!("http://images.test:{}/a", web.port())]);
    let path = format!("/v2/images/{id}/file");
    assert_eq!(server.get(&path).body, data("/a").unwrap());
    let asked = web.requests();
    for inside in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(0, 0, 0, 0), Ipv4Addr::new(127, 0, 1, 1)] {
        stands_for(inside);
        let answer = server.get(&path);
        assert_eq!((answer.status, web.requests()), (503, asked), "{inside} {answer:?}");
        assert!(server.daemon.log().contains("images.test stands for addresses of this machine"));
        assert_eq!(part(&server, &id, "bytes=10-19").status, 503);
    }
    stands_for(outside);
    assert_eq!(server.get(&path).body, data("/a").unwrap());
}

/// A web server with TLS, under an authority of its own; killed when it is dropped.
struct Tls(Child, String);

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(dir: &Path, args: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(args.split(' ')).current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

/// None, and it is said why, where openssl or python3 is missing.
fn tls(dir: &Path) -> Option<Tls> {
    let key = "-newkey rsa:2048 -nodes";
    let made = openssl(dir, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 3650 -subj /CN=ca"))
        && openssl(dir, &format!("req {key} -keyout key.pem -out request.pem -subj /CN=web"))
        && {
            std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
            let sign = "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 3650 -extfile names";
            openssl(dir, sign)
        };
    if !made {
        skip("openssl makes no certificate");
        return None;
    }
    std::fs::create_dir(dir.join("www")).unwrap();
    std::fs::write(dir.join("www/data"), data("/b").unwrap()).unwrap();
    let program = "import functools, http.server, ssl\n\
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory='www')\n\
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)\n\
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
        context.load_cert_chain('cert.pem', 'key.pem')\n\
        server.socket = context.wrap_socket(server.socket, server_side=True)\n\
        print(server.server_port, flush=True)\n\
        server.serve_forever()\n";
    let mut command = Command::new("python3");
    command.args(["-c", program]).current_dir(dir).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        skip("there is no python3");
        return None;
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Some(Tls(child, format!("https://127.0.0.1:{}/data", line.trim())))
}

#[test]
fn a_private_authority_is_trusted_when_it_is_configured() {
    let dir = tempfile::tempdir().unwrap();
    let Some(web) = tls(dir.path()) else { return };
    let trusting =
        format!("{HERE}[glance_store]\nhttps_ca_certificates_file = {}\n", dir.path().join("ca.pem").display());
    let server = Server::with(&trusting);
    let id = image(&server, &[&web.1]);
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, data("/b").unwrap());
    // Without it the certificate is not believed, where certificates count.
    let server = Server::with(&format!("{HERE}[glance_store]\nhttps_insecure = false\n"));
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    let add = json!([{"op": "add", "path": "/locations/-", "value": {"url": web.1, "metadata": {}}}]);
    let answer = server.patch(&id, &add);
    assert!(answer.status >= 400, "{answer:?}");
    assert_eq!(server.get(&format!("/v2/images/{id}")).json()["status"], "queued");
}
