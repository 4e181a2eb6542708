//! Requests per second among 100,000 images, on SQLite and on MariaDB, against the same server's `/versions`; and single
//! pages among a million.

use crate::{
    client::Client,
    engines::on_each,
    memory::{own, watch},
    report::{best, bound},
    support::{daemon::Daemon, free_port},
};
use std::{
    fmt::Write as _,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Connections that ask at the same time.
const CLIENTS: usize = 8;
const LASTS: Duration = Duration::from_secs(3);
/// Rows of one INSERT.
const ROWS: u32 = 1000;

pub(crate) fn bench(dir: &Path) {
    on_each(dir, measure);
}

fn measure(dir: &Path, engine: &str, url: &str, run: &mut dyn FnMut(&str)) {
    let (mut daemon, port) = start(dir, url);
    fill(100_000, 4, run);
    let id = id_of(50_000);
    let asked = [
        ("/versions", "/versions".to_owned()),
        ("show", format!("/v2/images/{id}")),
        ("list 25", "/v2/images?limit=25".to_owned()),
        ("list 500", "/v2/images?limit=500".to_owned()),
        ("list 25, deep", format!("/v2/images?limit=25&marker={id}")),
        ("list by name", "/v2/images?name=image-77777".to_owned()),
        ("list by tag", "/v2/images?tag=t77&limit=25".to_owned()),
        ("list by property", "/v2/images?build=77777&limit=25".to_owned()),
        ("list by owner", "/v2/images?owner=p7&limit=25".to_owned()),
    ];
    let mut versions = 0.0;
    for (what, path) in asked {
        let rate = ask(&daemon, port, &|client, _| assert_eq!(client.call("GET", &path, None).0, 200));
        versions = if what == "/versions" { rate.per_second } else { versions };
        rate.print(&format!("{engine}: {what}"), versions);
    }
    let body = r#"{"name":"new","disk_format":"raw","container_format":"bare","tags":["a"],"os_distro":"debian"}"#;
    let rate = ask(&daemon, port, &|client, _| assert_eq!(client.call("POST", "/v2/images", Some(body)).0, 201));
    rate.print(&format!("{engine}: create"), versions);
    daemon.stop();
    if engine == "SQLite" {
        let (mut daemon, port) = start(dir, url);
        more(100_000, 1_000_000, 0, run);
        let mut client = Client::connect(port);
        let peak = watch(daemon.pid(), own, || {
            for (what, path) in [
                ("first 25", "/v2/images?limit=25".to_owned()),
                ("1000 in the middle", format!("/v2/images?limit=1000&marker={}", id_of(500_000))),
                ("25 by name, sorted", "/v2/images?limit=25&sort=name:asc".to_owned()),
            ] {
                let time = best(5, || assert_eq!(client.call("GET", &path, None).0, 200));
                bound(&format!("of a million images, {what}"), time.as_secs_f64() * 1e3, 1000.0, "ms");
            }
        });
        bound("of a million images: memory", peak, 128.0, "MiB");
        daemon.stop();
    }
}

/// A catalogue on a database, and its port.
pub(crate) fn start(dir: &Path, url: &str) -> (Daemon, u16) {
    let port = free_port();
    let conf = format!(
        "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\n[paste_deploy]\nflavor =\n[database]\nconnection = {url}\n\
         [glance_store]\nfilesystem_store_datadir = {}/images\n",
        dir.display()
    );
    fs::write(dir.join("requests.conf"), conf).unwrap();
    let mut daemon = Daemon::start(dir, "requests", &["catalogue", "--config-file", "requests.conf"]);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(daemon.ended().is_none(), "{}", daemon.log());
        thread::sleep(Duration::from_millis(10));
    }
    (daemon, port)
}

fn id_of(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

fn fill(images: u32, properties: u32, run: &mut dyn FnMut(&str)) {
    more(0, images, properties, run);
}

/// Images from `from` to `to`, each with so many properties and a tag, a second apart.
fn more(from: u32, to: u32, properties: u32, run: &mut dyn FnMut(&str)) {
    const FOREVER: &str = "'2026-01-01 00:00:00', NULL, NULL, 0";
    for first in (from..to).step_by(ROWS as usize) {
        let rows = first..(first + ROWS).min(to);
        let mut images = String::new();
        let (mut names, mut tags) = (String::new(), String::new());
        for n in rows {
            let (id, day, second) = (id_of(n), 1 + n / 86_400, n % 86_400);
            let at = format!(
                "2025-{:02}-{:02} {:02}:{:02}:{:02}",
                1 + day / 28,
                1 + day % 28,
                second / 3600,
                second / 60 % 60,
                second % 60
            );
            let _ = write!(
                images,
                "('{id}','image-{n}',{n},'active','{at}','{at}',0,'raw','bare','d41d8cd98f00b204e9800998ecf8427e','p{}',\
                 0,0,0,0,'public'),",
                n % 100
            );
            for (name, value) in [("build", n), ("os_version", n % 20), ("hw_disk_bus", 1), ("os_distro", n % 5)]
                .into_iter()
                .take(properties as usize)
            {
                let _ = write!(names, "('{id}','{name}','{value}',{FOREVER}),");
            }
            let _ = write!(tags, "('{id}','t{}',{FOREVER}),", n % 100);
        }
        let insert = |table: &str, columns: &str, rows: &str| match rows.strip_suffix(',') {
            Some(rows) => format!("INSERT INTO {table} ({columns}) VALUES {rows};"),
            None => String::new(),
        };
        let common = "created_at,updated_at,deleted_at,deleted";
        run(&format!(
            "BEGIN;{}{}{}COMMIT;",
            insert(
                "images",
                "id,name,size,status,created_at,updated_at,deleted,disk_format,container_format,checksum,owner,min_disk,min_ram,\
                 protected,os_hidden,visibility",
                &images
            ),
            insert("image_properties", &format!("image_id,name,value,{common}"), &names),
            insert("image_tags", &format!("image_id,value,{common}"), &tags),
        ));
    }
}

struct Rate {
    per_second: f64,
    /// Of the server, a request.
    cpu: Duration,
    /// Of the server, its own, MiB.
    memory: f64,
}

impl Rate {
    fn print(&self, what: &str, limit: f64) {
        println!(
            "{what:<44} {:>14} {:>14} {:>8.3} {:>7.0} µs CPU, {:.0} MiB",
            format!("{:.0} /s", self.per_second),
            format!("{limit:.0} /s"),
            self.per_second / limit,
            self.cpu.as_secs_f64() * 1e6,
            self.memory
        );
    }
}

/// Asks on all connections for a while.
fn ask(daemon: &Daemon, port: u16, once: &(dyn Fn(&mut Client, usize) + Sync)) -> Rate {
    let before = cpu(daemon.pid());
    let begin = Instant::now();
    let count: usize = thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|_| {
            scope.spawn(move || {
                let mut client = Client::connect(port);
                let mut count = 0;
                while begin.elapsed() < LASTS {
                    once(&mut client, count);
                    count += 1;
                }
                count
            })
        });
        clients.collect::<Vec<_>>().into_iter().map(|it| it.join().unwrap()).sum()
    });
    let per_second = count as f64 / begin.elapsed().as_secs_f64();
    Rate { per_second, cpu: (cpu(daemon.pid()) - before) / u32::try_from(count).unwrap(), memory: own(daemon.pid()) }
}

/// Processor time that a process has had.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let ticks: u64 = after_name.split(' ').skip(11).take(2).map(|it| it.parse::<u64>().unwrap()).sum();
    // The kernel shows hundredths of a second to programs, whatever its own clock is.
    Duration::from_millis(ticks * 10)
}
