//! A catalogue that lies about its images: sizes, hashes, data without an end, data that it does not have.

use crate::support::{daemon::Agent, files, run, wait_until};
use larder::base::digest::{Algorithm, Hasher};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

const SIZE: usize = 1 << 20;

/// What is wrong with each image, by the last digit of its id; the first one is right.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    None,
    /// The record has another size than the data, whose hash is right.
    Smaller,
    Larger,
    Hash,
    /// The data is right, and never ends: what was promised is taken, and no more.
    Endless,
    /// It is listed, and its data is not there.
    NoData,
    /// It is listed, and nowhere else.
    NoImage,
}

const LIES: [Lie; 7] = [Lie::None, Lie::Smaller, Lie::Larger, Lie::Hash, Lie::Endless, Lie::NoData, Lie::NoImage];

fn id(at: usize) -> String {
    format!("00000000-0000-4000-8000-00000000000{at}")
}

fn data(at: usize) -> Vec<u8> {
    (0..SIZE).map(|it| u8::try_from((it * 7 + it / 255 + at) % 251).unwrap()).collect()
}

fn record(at: usize) -> Value {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(&data(if LIES[at] == Lie::Hash { at + 1 } else { at }));
    let size = match LIES[at] {
        Lie::Smaller => SIZE / 2,
        Lie::Larger => SIZE * 2,
        _ => SIZE,
    };
    json!({
        "id": id(at), "name": format!("{:?}", LIES[at]), "status": "active", "disk_format": "raw", "size": size,
        "container_format": "bare", "os_hash_algo": "sha512", "os_hash_value": hasher.finish().unwrap(),
    })
}

/// Until the test ends.
fn liar() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever is lied to may go away at any moment.
            thread::spawn(move || drop(answer(&stream)));
        }
    });
    url
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    while lines.next().transpose()?.is_some_and(|it| !it.is_empty()) {}
    let path = first.split(' ').nth(1).unwrap_or_default();
    let at = (0..LIES.len()).find(|at| path.contains(&id(*at)));
    let (status, body) = match at {
        None if path.starts_with("/v2/images") => {
            let all: Vec<Value> = (0..LIES.len()).map(record).collect();
            ("200 OK", json!({ "images": all }).to_string().into_bytes())
        }
        Some(at) if path.ends_with("/file") && LIES[at] == Lie::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&data(at))?;
            }
        }
        Some(at) if path.ends_with("/file") && LIES[at] == Lie::NoData => ("204 No Content", Vec::new()),
        Some(at) if path.ends_with("/file") => ("200 OK", data(at)),
        Some(at) if LIES[at] != Lie::NoImage => ("200 OK", record(at).to_string().into_bytes()),
        _ => ("404 Not Found", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.into_bytes(), body].concat())
}

#[test]
fn nothing_that_it_lies_about_becomes_visible_and_the_rest_does() {
    let tmp = tempfile::tempdir().unwrap();
    let rules = "[fleet]\nfleet = false\n[rule:all]\nname = *";
    let agent = Agent::start(tmp.path(), &liar(), rules);
    let is_right = |lie: &Lie| matches!(lie, Lie::None | Lie::Endless);
    let all: Vec<(usize, &Lie)> = LIES.iter().enumerate().collect();
    for (at, _) in all.iter().filter(|it| is_right(it.1)) {
        agent.wait_state(&id(*at), "cached");
        assert!(std::fs::read(agent.base(&id(*at))).unwrap() == data(*at));
    }
    for (at, lie) in all.into_iter().filter(|it| !is_right(it.1)) {
        wait_until(&format!("{lie:?} has failed"), Duration::from_secs(120), || {
            agent.state(&id(at)).as_deref() == Some("failed")
        });
        let why = run(&mut agent.larder(&["cache", "why", &id(at)]));
        assert!(why.contains("failed"), "{lie:?}: {why}");
        assert!(!agent.base(&id(at)).exists(), "{lie:?} is visible");
    }
    let bases: Vec<String> = files(&agent.base_dir()).into_iter().filter(|it| it.len() == 40).collect();
    assert_eq!(bases.len(), 2, "{bases:?}");
}
