//! Where this server goes, and where it does not.

use super::{
    HttpStore,
    address::is_inside,
    filter::{Filtering, ImportFiltering, addresses_of, may_ask, may_follow},
};
use crate::base::chain;
use crate::store::{Settings, Store};
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::{
    collections::BTreeMap,
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
        // Python and the HTTP client see different hosts here.
        "http://127.0.0.1\\@192.0.2.1/",
        "http://192.0.2.1\\@127.0.0.1/",
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

#[test]
fn redirects_lead_where_the_lists_let_and_within_a_server() {
    let may = |rules: &ImportFiltering, from: &str, to: &str| {
        may_follow(rules, &Url::parse(from).unwrap(), &Url::parse(to).unwrap())
    };
    let open = ImportFiltering::default();
    // A server that was let with another port, by an older rule, may name its own paths.
    for to in ["http://192.0.2.1:8080/other", "http://192.0.2.9/x", "https://192.0.2.9/x", "https://example.org/x"] {
        assert!(may(&open, "http://192.0.2.1:8080/x", to), "{to}");
    }
    for to in [
        "http://192.0.2.1:9200/_search",
        "http://192.0.2.9:8080/x",
        "http://127.0.0.1/x",
        "http://2130706433/x",
        "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]/latest",
    ] {
        assert!(!may(&open, "http://192.0.2.1:8080/x", to), "{to}");
    }
    let named = rules(&["images.example.org"], &[443]);
    assert!(may(&named, "https://images.example.org/x", "https://images.example.org/y"));
    assert!(!may(&named, "https://images.example.org/x", "https://elsewhere.example.org/x"));
}

/// A web server with a few bytes at each path; at `/to/URL` it redirects there. Its port.
fn server() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lines: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|it| !it.is_empty()).collect();
            let path = lines.first().and_then(|it| it.split(' ').nth(1)).unwrap_or_default();
            let answer = match path.split_once("/to/") {
                Some((_, to)) => {
                    format!("HTTP/1.1 302 x\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                }
                None => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello".to_owned(),
            };
            // The client may have what it wants.
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    port
}

async fn read(store: &HttpStore, url: &str) -> Result<Vec<u8>, String> {
    let read = async { store.read(url, 0..5).await?.try_collect::<Vec<Bytes>>().await };
    read.await.map(|it| it.concat()).map_err(|error| chain(&error).to_string())
}

/// The names of this machine stand for what a name server makes of any name once data is added there.
#[tokio::test]
async fn what_a_name_stands_for_is_judged_at_each_connection() {
    let (port, rules_now) = (server(), Filtering::new(ImportFiltering::default()));
    let store = HttpStore::open("http", &Settings::default(), &rules_now).unwrap();
    let by_name = format!("http://localhost:{port}/x");
    let error = read(&store, &by_name).await.unwrap_err();
    assert!(error.contains("localhost stands for") && error.contains("allowed_hosts"), "{error}");
    assert!(store.size(&by_name).await.is_err());
    // An address that stands in the location itself is what it was when it was added.
    let by_address = format!("http://127.0.0.1:{port}");
    assert_eq!(read(&store, &format!("{by_address}/x")).await.unwrap(), b"hello");
    assert_eq!(read(&store, &format!("{by_address}/to/{by_address}/x")).await.unwrap(), b"hello");
    for to in [by_name.clone(), format!("http://127.0.0.2:{port}/x"), format!("http://[::1]:{port}/x")] {
        let error = read(&store, &format!("{by_address}/to/{to}")).await.unwrap_err();
        assert!(error.contains("redirects"), "{to}: {error}");
    }
    // The rules change while the store is open.
    rules_now.set(rules(&["localhost"], &[]));
    assert_eq!(read(&store, &by_name).await.unwrap(), b"hello");
    assert_eq!(read(&store, &format!("{by_address}/to/{by_name}")).await.unwrap(), b"hello");
    rules_now.set(ImportFiltering::default());
    assert!(read(&store, &by_name).await.is_err());
}

/// Who sets a proxy up wants it to be asked, and it knows what names stand for.
#[tokio::test]
async fn a_proxy_on_this_machine_is_asked() {
    let proxy = BTreeMap::from([("http".to_owned(), format!("http://localhost:{}", server()))]);
    let settings = Settings { http_proxy_information: proxy, ..Settings::default() };
    let store = HttpStore::open("http", &settings, &Filtering::default()).unwrap();
    assert_eq!(read(&store, "http://images.example.invalid/x").await.unwrap(), b"hello");
    for to in ["http://127.0.0.1/x", "http://images.example.invalid:9200/x"] {
        let error = read(&store, &format!("http://images.example.invalid/to/{to}")).await.unwrap_err();
        assert!(error.contains("redirects"), "{to}: {error}");
    }
}
