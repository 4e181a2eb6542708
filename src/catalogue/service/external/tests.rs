//! Where this server goes, and what it makes of what it finds there.

use super::{
    address::is_inside,
    fetch::{FetchError, open},
    filter::addresses_of,
    may_ask,
};
use crate::catalogue::ImportFiltering;
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, TcpListener},
    thread,
};
use url::Url;

fn rules(hosts: &[&str], ports: &[u16]) -> ImportFiltering {
    let allowed_hosts = hosts.iter().map(|it| (*it).to_owned()).collect();
    ImportFiltering { allowed_hosts, allowed_ports: ports.to_vec(), ..ImportFiltering::default() }
}

#[tokio::test]
async fn addresses_inside_the_machine_are_let_by_name_only() {
    let open = rules(&[], &[]);
    for url in ["http://10.0.0.1/x", "https://192.0.2.1:8443/x", "http://u:p@192.0.2.1/", "http://[2001:db8::1]:80/"] {
        assert!(may_ask(&open, url).await, "{url}");
    }
    for url in [
        "http://127.0.0.1/x",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://[fe80::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://127.0.0.01/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fd00:ec2::254]/latest",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http:///x",
        "http://",
        "",
        "x",
        "ftp://192.0.2.1/",
    ] {
        assert!(!may_ask(&open, url).await, "{url}");
    }
    let local = rules(&["127.0.0.1"], &[]);
    assert!(may_ask(&local, "http://127.0.0.1:8080/x").await);
    assert!(!may_ask(&local, "http://10.0.0.1/x").await);
    assert!(!may_ask(&local, "http://localhost/x").await);
}

#[tokio::test]
async fn an_allow_list_stands_alone() {
    let ports = ImportFiltering { disallowed_ports: vec![80], ..rules(&[], &[80, 443]) };
    assert!(may_ask(&ports, "http://192.0.2.1:80/").await && may_ask(&ports, "http://192.0.2.1/").await);
    assert!(!may_ask(&ports, "http://192.0.2.1:8080/").await);
    let refused = ImportFiltering { disallowed_hosts: vec!["192.0.2.1".to_owned()], ..rules(&[], &[]) };
    assert!(!may_ask(&refused, "http://192.0.2.1/").await && may_ask(&refused, "http://192.0.2.2/").await);
}

#[test]
fn an_address_inside_is_one_however_it_is_wrapped() {
    let is = |text: &str| is_inside(text.parse::<IpAddr>().unwrap());
    for inside in [
        "127.0.0.1",
        "127.255.0.9",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ] {
        assert!(is(inside), "{inside}");
    }
    for outside in ["10.0.0.1", "192.0.2.1", "2001:db8::1", "64:ff9b::a00:1", "2002:a00:1::1", "fd00::1"] {
        assert!(!is(outside), "{outside}");
    }
}

#[tokio::test]
async fn only_judged_addresses_are_connected_to() {
    let of = async |rules: &ImportFiltering, url: &str| {
        addresses_of(rules, &Url::parse(url).unwrap()).await.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let open = rules(&[], &[]);
    assert_eq!(of(&open, "http://192.0.2.1/x").await, ["192.0.2.1:80"]);
    assert_eq!(of(&open, "https://192.0.2.1/x").await, ["192.0.2.1:443"]);
    assert_eq!(of(&open, "http://[2001:db8::1]:8080/x").await, ["[2001:db8::1]:8080"]);
    // The client reads these as addresses of this machine, whatever they look like.
    for url in ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0/", "http://localhost/"] {
        assert_eq!(of(&open, url).await, Vec::<String>::new(), "{url}");
    }
    assert_eq!(of(&rules(&["127.0.0.1"], &[]), "http://127.1/").await, ["127.0.0.1:80"]);
}

/// A web server that sends what `answer` makes of the number of a request and of its head, and then hangs up.
fn server(answer: impl Fn(usize, &str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (at, stream) in listener.incoming().flatten().enumerate() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|it| !it.is_empty());
            let head = lines.collect::<Vec<_>>().join("\n").to_lowercase();
            // The client may not want all of it.
            let _ = (&stream).write_all(&answer(at, &head));
        }
    });
    url
}

async fn fetch(url: &str, cap: u64) -> Result<Vec<u8>, FetchError> {
    let opened = open(&rules(&["127.0.0.1"], &[]), url, cap).await?;
    let pieces: Vec<Bytes> = opened.read().try_collect().await?;
    Ok(pieces.concat())
}

/// A part of 300 bytes, of which `sent` come.
fn part(from: usize, sent: usize, more: &str) -> Vec<u8> {
    let data: Vec<u8> = (0..300).map(|it| (it % 251) as u8).collect();
    let (status, range) = match from {
        0 => ("200 OK", String::new()),
        _ => ("206 Partial", format!("Content-Range: bytes {from}-299/300\r\n")),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{range}{more}\r\n", 300 - from);
    [head.as_bytes(), &data[from..from + sent]].concat()
}

#[tokio::test]
async fn what_breaks_off_is_taken_up_again() {
    let url = server(|at, head| match at {
        0 => part(0, 100, "ETag: \"one\"\r\n"),
        1 => {
            assert!(head.contains("range: bytes=100-") && head.contains("if-range: \"one\""), "{head}");
            part(100, 50, "")
        }
        _ => part(150, 150, ""),
    });
    let whole: Vec<u8> = (0..300).map(|it| (it % 251) as u8).collect();
    assert_eq!(fetch(&url, 300).await.unwrap(), whole);
}

#[tokio::test]
async fn what_cannot_be_taken_up_again_is_no_data() {
    // Nobody can tell whether it would be the same data.
    let nameless = server(|_, _| part(0, 100, ""));
    assert!(matches!(fetch(&nameless, 300).await, Err(FetchError::Broken { .. })));
    let changed = server(|at, _| part(0, if at == 0 { 100 } else { 300 }, "ETag: \"one\"\r\n"));
    assert!(matches!(fetch(&changed, 300).await, Err(FetchError::NoRest { at: 100, .. })));
    let other = server(|at, _| if at == 0 { part(0, 100, "ETag: \"one\"\r\n") } else { part(90, 210, "") });
    assert!(matches!(fetch(&other, 300).await, Err(FetchError::NoRest { at: 100, .. })));
}

#[tokio::test]
async fn redirects_are_judged_and_bounded() {
    let redirect = |to: &str| format!("HTTP/1.1 302 x\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    for to in ["http://127.0.0.2/x", "http://[::1]/x", "http://2130706434/x", "//0.0.0.0/x", "file:///etc/passwd"] {
        let url = server(move |_, _| redirect(to));
        assert!(matches!(fetch(&url, 300).await, Err(FetchError::NotAllowed(_))), "{to}");
    }
    let url = server(move |_, _| redirect("/again"));
    assert!(matches!(fetch(&url, 300).await, Err(FetchError::Circle(_))));
    let url = server(move |at, _| if at == 0 { redirect("/there?x=1") } else { part(0, 300, "") });
    assert_eq!(fetch(&url, 300).await.unwrap().len(), 300);
}

#[tokio::test]
async fn other_answers_are_no_data() {
    let url = server(|_, _| b"HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n".to_vec());
    assert!(matches!(fetch(&url, 300).await, Err(FetchError::Status { status: 403, .. })));
    let url = server(|_, _| part(0, 300, ""));
    assert!(matches!(fetch(&url, 299).await, Err(FetchError::TooLarge { size: 300, cap: 299, .. })));
    assert!(matches!(fetch("nonsense", 1).await, Err(FetchError::NoAddress(_))));
    let secret = fetch("http://user:secret@127.0.0.3/x?key=secret", 1).await.unwrap_err();
    assert!(!secret.to_string().contains("secret"));
}
