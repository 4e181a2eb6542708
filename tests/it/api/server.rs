//! The real `larder catalogue` in a folder of its own.

use super::{Answer, exchange};
use crate::support::{
    balancer::Balancer, daemon::Daemon, database::Scratch, free_port, larder, own_server::Cluster, wait_until,
};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Dropped, it is killed, and its folder goes.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) daemon: Daemon,
    pub(crate) dir: TempDir,
    /// The database's connection string.
    pub(crate) connection: String,
    /// What shares its work.
    _beside: Option<Box<Beside>>,
    /// The database, when it is on a server; it goes after the daemon.
    _scratch: Option<Scratch>,
}

/// A second process on another node of the database, and what gives each of them every other connection.
struct Beside {
    _server: Server,
    _balancer: Balancer,
}

/// How it is started in its folder.
const START: [&str; 3] = ["catalogue", "--config-file", "catalogue.conf"];

/// Makes databases.
type Engine = fn() -> Option<Scratch>;

thread_local! {
    static ENGINE: Cell<Option<Engine>> = const { Cell::new(None) };
    /// The nodes of a cluster.
    static NODES: RefCell<Option<[String; 2]>> = const { RefCell::new(None) };
}

/// Runs tests with another kind of database, where there is one.
pub(crate) fn on_engine(engine: Engine, tests: &[fn()]) {
    if engine().is_none() {
        return;
    }
    ENGINE.set(Some(engine));
    tests.iter().for_each(|test| test());
    ENGINE.set(None);
}

/// Runs tests on a cluster: what they take for one server are two processes on two nodes, of which every other request
/// meets the other one.
pub(crate) fn on_cluster(cluster: &Cluster, tests: &[fn()]) {
    NODES.set(Some(cluster.urls()));
    tests.iter().for_each(|test| test());
    NODES.set(None);
}

/// Whether this test runs with another kind of database just now.
pub(crate) fn is_on_engine() -> bool {
    ENGINE.get().is_some()
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With options of `[DEFAULT]`, a line each.
    pub(crate) fn with(options: &str) -> Self {
        Self::at(free_port(), options)
    }

    /// At this port, with options of `[DEFAULT]`, a line each.
    pub(crate) fn at(port: u16, options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (database, images) = (dir.path().join("catalogue.sqlite"), dir.path().join("images"));
        if let Some(nodes) = NODES.with_borrow(Clone::clone) {
            return Self::on_nodes(&nodes, port, dir, options);
        }
        let scratch = ENGINE.get().and_then(|make| make());
        let connection =
            scratch.as_ref().map_or_else(|| format!("sqlite:///{}", database.display()), |it| it.url.clone());
        Self { _scratch: scratch, ..Self::start_at(port, dir, &connection, &images, options) }
    }

    /// Two processes on an empty database, which start at the same time, behind a balancer at this port.
    fn on_nodes(nodes: &[String; 2], port: u16, dir: TempDir, options: &str) -> Self {
        let scratch = Scratch::on_nodes(nodes);
        let images = dir.path().join("images");
        let (first, second) = std::thread::scope(|scope| {
            let (url, images) = (scratch.url_on(&nodes[1]), &images);
            let second = scope.spawn(move || Self::beside_with(&url, images, options));
            let first = Self::start_at(free_port(), dir, &scratch.url, images, options);
            (first, second.join().unwrap())
        });
        let balancer = Balancer::at(port, &[first.address, second.address]);
        let address = balancer.address;
        let beside = Beside { _server: second, _balancer: balancer };
        Self { address, _beside: Some(Box::new(beside)), _scratch: Some(scratch), ..first }
    }

    /// A further process on a database and a folder of images.
    pub(crate) fn beside(connection: &str, images: &Path) -> Self {
        Self::beside_with(connection, images, "")
    }

    /// Likewise, with options of `[DEFAULT]`, a line each.
    pub(crate) fn beside_with(connection: &str, images: &Path, options: &str) -> Self {
        Self::start_at(free_port(), tempfile::tempdir().unwrap(), connection, images, options)
    }

    /// On this SQLite database and this folder of images, which may be another server's; `dir` is for what is its own.
    pub(crate) fn over(dir: TempDir, database: &Path, images: &Path, options: &str) -> Self {
        Self::start_at(free_port(), dir, &format!("sqlite:///{}", database.display()), images, options)
    }

    fn start_at(port: u16, dir: TempDir, connection: &str, images: &Path, options: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let config = format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {}\nnode_staging_uri = file://{dir}/staging\n{options}\n[database]\nconnection = {connection}\nmax_pool_size = 2\nmax_overflow = 6\n\
             [glance_store]\nfilesystem_store_datadir = {images}\n[healthcheck]\ndisable_by_file_path = {dir}/out-of-service\n",
            address.port(),
            images = images.display(),
            dir = dir.path().display(),
        );
        std::fs::write(dir.path().join("catalogue.conf"), config).unwrap();
        let daemon = Daemon::start(dir.path(), "catalogue", &START);
        let mut server =
            Self { address, daemon, dir, connection: connection.to_owned(), _beside: None, _scratch: None };
        server.listens();
        server
    }

    /// Starts it again after its end, where it was.
    pub(crate) fn again(&mut self) {
        self.daemon = Daemon::start(self.dir.path(), "catalogue", &START);
        self.listens();
    }

    /// Ends it and starts it where `/etc/hosts` is the file `hosts` in its folder, which may be written anew in place. For root.
    pub(crate) fn again_with_hosts(&mut self, hosts: &str) {
        self.daemon.stop();
        std::fs::write(self.dir.path().join("hosts"), hosts).unwrap();
        let (larder, mut command) = (larder(&START), Command::new("unshare"));
        command.args(["--mount", "sh", "-c", "mount --bind hosts /etc/hosts && exec \"$0\" \"$@\""]);
        command.arg(larder.get_program()).args(larder.get_args());
        for (key, value) in larder.get_envs() {
            command.env(key, value.unwrap_or_default());
        }
        self.daemon = Daemon::spawn(self.dir.path(), "catalogue", command.current_dir(self.dir.path()));
        self.listens();
    }

    fn listens(&mut self) {
        let (daemon, address) = (&mut self.daemon, self.address);
        wait_until("the catalogue listens", Duration::from_secs(300), || {
            assert!(daemon.ended().is_none(), "{}", daemon.log());
            TcpStream::connect(address).is_ok()
        });
    }

    /// Where the file store keeps its images.
    pub(crate) fn images(&self) -> PathBuf {
        self.dir.path().join("images")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        exchange(self.address, method, path, headers, body)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// A patch in the newer dialect.
    pub(crate) fn patch(&self, id: &str, body: &Value) -> Answer {
        let kind = ("Content-Type", "application/openstack-images-v2.1-json-patch");
        self.ask("PATCH", &format!("/v2/images/{id}"), &[kind], body.to_string().as_bytes())
    }

    pub(crate) fn put_file(&self, id: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut all = vec![("Content-Type", "application/octet-stream")];
        all.extend_from_slice(headers);
        self.ask("PUT", &format!("/v2/images/{id}/file"), &all, body)
    }

    /// The id of a new image with these fields.
    pub(crate) fn create(&self, fields: Value) -> String {
        let answer = self.post("/v2/images", &fields);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The id of a new active image.
    pub(crate) fn upload(&self, data: &[u8]) -> String {
        let id = self.create(json!({"name": "data", "disk_format": "raw", "container_format": "bare"}));
        let answer = self.put_file(&id, &[], data);
        assert_eq!(answer.status, 204, "{answer:?}");
        id
    }
}
