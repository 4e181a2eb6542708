//! Database servers of a test's own, in a folder of its own: of MariaDB one or a Galera cluster, and of PostgreSQL.

use super::{daemon::Daemon, database::answer, evidence::tail, free_port, output, run, skip, wait_until};
use std::{
    fs,
    net::SocketAddr,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// A server is there when it answers; machines are busy.
const START: Duration = Duration::from_secs(300);

/// A server; dropped, it is killed, as a power cut would.
pub(crate) struct OwnServer {
    pub(crate) daemon: Daemon,
    pub(crate) port: u16,
}

// === impl OwnServer ===

impl OwnServer {
    /// MariaDB on this data, with these options.
    pub(crate) fn mariadb(program: &Path, data: &Path, options: &[String]) -> Self {
        Self::try_mariadb(program, data, options).unwrap_or_else(|log| panic!("MariaDB does not start:\n{log}"))
    }

    /// Likewise; its log when it ends instead.
    fn try_mariadb(program: &Path, data: &Path, options: &[String]) -> Result<Self, String> {
        let port = free_port();
        let mut command = Command::new(program);
        command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
        command.arg(format!("--socket={}/socket", data.display()));
        command.arg(format!("--pid-file={}/pid", data.display())).arg(format!("--port={port}"));
        command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--performance-schema=OFF"]);
        // What a crash of the machine would lose is test data.
        command.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--max-connections=200"]);
        command.args(["--innodb-log-file-size=16M"]).arg(format!("--tmpdir={}", data.display())).args(options);
        as_user(&mut command, "mysql");
        let daemon = Daemon::spawn(data.parent().unwrap(), &name_of(data), &mut command);
        Self { daemon, port }.ready(&format!("mysql://root@127.0.0.1:{port}/mysql"))
    }

    /// PostgreSQL on this data, with these settings (`name=value`).
    pub(crate) fn postgres(programs: &Path, data: &Path, settings: &[String]) -> Self {
        let port = free_port();
        let mut command = Command::new(programs.join("postgres"));
        command.arg("-D").arg(data).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"]).arg(data);
        for setting in settings.iter().map(String::as_str).chain(["fsync=off", "shared_buffers=16MB"]) {
            command.args(["-c", setting]);
        }
        as_user(&mut command, "postgres");
        let daemon = Daemon::spawn(data.parent().unwrap(), &name_of(data), &mut command);
        let started = Self { daemon, port }.ready(&format!("postgresql://postgres@127.0.0.1:{port}/postgres"));
        started.unwrap_or_else(|log| panic!("PostgreSQL does not start:\n{log}"))
    }

    fn ready(mut self, url: &str) -> Result<Self, String> {
        let mut ended = None;
        wait_until("the database server answers", START, || {
            ended = self.daemon.ended();
            ended.is_some() || answer(url, "SELECT '1'").is_ok()
        });
        ended.map_or(Ok(()), |status| Err(format!("{status}\n{}", tail(&self.daemon.log(), 60))))?;
        Ok(self)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

/// MariaDB's server and the program that makes its tables; on a machine without them the test is skipped.
pub(crate) fn mariadb_programs() -> Option<(PathBuf, PathBuf)> {
    let found = super::which("mariadbd").zip(super::which("mariadb-install-db"));
    if found.is_none() {
        skip("MariaDB's server is not installed");
    }
    found
}

/// The folder of PostgreSQL's newest programs; on a machine without them the test is skipped.
pub(crate) fn postgres_programs() -> Option<PathBuf> {
    let mut all: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|it| (it.file_name().to_string_lossy().parse().unwrap_or(0), it.path().join("bin")))
        .filter(|it| it.1.join("initdb").is_file())
        .collect();
    all.sort();
    if all.is_empty() {
        skip("PostgreSQL's server is not installed");
    }
    all.pop().map(|it| it.1)
}

/// A folder that the servers' users can reach.
pub(crate) fn open_folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Makes MariaDB's own tables; root has no password.
pub(crate) fn make_mariadb(install: &Path, data: &Path) {
    let mut command = Command::new(install);
    command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    command.arg(format!("--datadir={}", data.display())).arg(format!("--tmpdir={}", data.display()));
    own_folder(data, "mysql");
    if nix::unistd::geteuid().is_root() {
        command.arg("--user=mysql");
    }
    run(&mut command);
}

/// Makes PostgreSQL's own tables; nobody has a password.
pub(crate) fn make_postgres(programs: &Path, data: &Path) {
    own_folder(data, "postgres");
    fs::set_permissions(data, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(programs.join("initdb"));
    command.arg("-D").arg(data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    command.current_dir(data.parent().unwrap());
    run(as_user(&mut command, "postgres"));
}

fn own_folder(data: &Path, user: &str) {
    fs::create_dir(data).unwrap();
    own(data, user);
}

/// Gives a file or a folder to a user, where there are users to give to.
pub(crate) fn own(path: &Path, user: &str) {
    if let Some(user) = other_user(user) {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

/// A server does not run as root.
fn as_user<'a>(command: &'a mut Command, user: &str) -> &'a mut Command {
    if let Some(user) = other_user(user) {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn other_user(name: &str) -> Option<nix::unistd::User> {
    let is_root = nix::unistd::geteuid().is_root();
    is_root.then(|| nix::unistd::User::from_name(name).unwrap().unwrap_or_else(|| panic!("there is no user {name}")))
}

fn name_of(data: &Path) -> String {
    data.file_name().unwrap().to_string_lossy().into_owned()
}

/// A Galera cluster of two nodes. The first one counts twice, so that it goes on when the second is gone.
pub(crate) struct Cluster {
    pub(crate) nodes: [OwnServer; 2],
    _dir: TempDir,
}

// === impl Cluster ===

impl Cluster {
    /// None where MariaDB and Galera are not installed.
    pub(crate) fn start() -> Option<Self> {
        let (server, install) = mariadb_programs()?;
        let known = ["/usr/lib/galera", "/usr/lib/galera-4", "/usr/lib64/galera-4", "/usr/lib64/galera", "/usr/lib"];
        let library = known.iter().map(|it| Path::new(it).join("libgalera_smm.so")).find(|it| it.is_file());
        let Some(library) = library else {
            skip("Galera is not installed (Debian: galera-4)");
            return None;
        };
        // Programs that MariaDB runs for it have a part in how a node joins; what they do is not what is tested.
        let tries = (0..3).map(|_| Self::try_start(&server, &install, &library));
        let mut failed = Vec::new();
        let made = tries.map(|it| it.map_err(|log| failed.push(log))).find_map(Result::ok);
        Some(made.unwrap_or_else(|| panic!("no cluster:\n{}", failed.join("\n"))))
    }

    fn try_start(server: &Path, install: &Path, library: &Path) -> Result<Self, String> {
        let dir = open_folder();
        let data = [1, 2].map(|n| dir.path().join(format!("node{n}")));
        make_mariadb(install, &data[0]);
        let options = options(library);
        let first = |more: &[&str]| {
            let all: Vec<String> = options[0].iter().cloned().chain(more.iter().map(|it| (*it).to_owned())).collect();
            OwnServer::try_mariadb(server, &data[0], &all)
        };
        // A node that stopped in good order and its copy are nearly at the same place: neither sends the other all.
        let mut made = first(&["--wsrep-new-cluster"])?;
        super::daemon::signal(made.daemon.pid(), nix::sys::signal::Signal::SIGTERM);
        wait_until("the end of the first node", START, || made.daemon.ended().is_some());
        run(Command::new("cp").arg("-a").args(&data));
        let first = first(&["--wsrep-new-cluster"])?;
        let second = OwnServer::try_mariadb(server, &data[1], &options[1])?;
        let cluster = Self { nodes: [first, second], _dir: dir };
        for node in 0..2 {
            wait_until("two nodes", START, || cluster.status(node, "wsrep_cluster_size") == 2);
            wait_until("a node that is ready", START, || cluster.is_ready(node));
        }
        Ok(cluster)
    }

    fn is_ready(&self, node: usize) -> bool {
        // "Synced".
        self.status(node, "wsrep_local_state") == 4
    }

    /// Kills the second node. The first one goes on after some seconds: it need not wait for a slow one any more.
    pub(crate) fn kill_second(&mut self) {
        self.run(0, "SET GLOBAL wsrep_provider_options = 'evs.suspect_timeout=PT5S;evs.inactive_timeout=PT10S'");
        self.nodes[1].daemon.kill();
    }

    /// The connection strings of the nodes, without a database.
    pub(crate) fn urls(&self) -> [String; 2] {
        self.nodes.each_ref().map(|node| format!("mysql://root@{}", node.address()))
    }

    /// Runs SQL on a node.
    pub(crate) fn run(&self, node: usize, sql: &str) -> Vec<String> {
        answer(&format!("{}/mysql", self.urls()[node]), sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// A number of a node's status.
    pub(crate) fn status(&self, node: usize, name: &str) -> u64 {
        let sql = format!("SELECT variable_value FROM information_schema.global_status WHERE variable_name = '{name}'");
        self.run(node, &sql)[0].parse().unwrap()
    }

    /// How many transactions the nodes broke off since others had changed the same.
    pub(crate) fn conflicts(&self) -> u64 {
        let names = ["wsrep_local_cert_failures", "wsrep_local_bf_aborts"];
        (0..2).flat_map(|node| names.map(|name| self.status(node, name))).sum()
    }
}

fn options(library: &Path) -> [Vec<String>; 2] {
    let group: [u16; 2] = [free_port(), free_port()];
    let name = uuid::Uuid::new_v4().simple().to_string();
    [0, 1].map(|n| {
        // A busy machine keeps a node waiting, or stands still itself: it is not taken for gone before long.
        let provider = format!(
            "gmcast.listen_addr=tcp://127.0.0.1:{};ist.recv_addr=127.0.0.1:{};gcache.size=16M;pc.weight={};\
             evs.suspect_timeout=PT120S;evs.inactive_timeout=PT180S;pc.wait_prim_timeout=PT240S",
            group[n],
            free_port(),
            2 - n
        );
        [
            "--wsrep-on=ON".to_owned(),
            format!("--wsrep-provider={}", library.display()),
            format!("--wsrep-cluster-name={name}"),
            format!("--wsrep-cluster-address=gcomm://127.0.0.1:{},127.0.0.1:{}", group[0], group[1]),
            format!("--wsrep-node-name=node{n}"),
            "--wsrep-node-address=127.0.0.1".to_owned(),
            // What gets the state of the group would listen at 4444 otherwise, whoever else does.
            format!("--wsrep-sst-receive-address=127.0.0.1:{}", free_port()),
            format!("--wsrep-provider-options={provider}"),
            "--binlog-format=ROW".to_owned(),
            "--innodb-autoinc-lock-mode=2".to_owned(),
        ]
        .into()
    })
}

/// Files of an authority, made with the `openssl` command.
pub(crate) struct Authority {
    dir: PathBuf,
    name: &'static str,
}

// === impl Authority ===

impl Authority {
    /// One in this folder; none where there is no `openssl`.
    pub(crate) fn new(dir: &Path, name: &'static str) -> Option<Self> {
        super::have(&["openssl"]).then(|| {
            let it = Self { dir: dir.to_owned(), name };
            let subject = format!("/CN=The authority {name}");
            it.openssl(&format!("req -x509 {NEW_KEY} -keyout {name}.key -out {name}.pem -days 2 -subj"), &subject);
            it
        })
    }

    /// Its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.join(format!("{}.pem", self.name))
    }

    /// A certificate for these names (`DNS:x,IP:y`), and its key; `user` owns the key.
    pub(crate) fn sign(&self, name: &str, names: &str, user: Option<&str>) -> [PathBuf; 2] {
        let authority = self.name;
        self.openssl(&format!("req {NEW_KEY} -keyout {name}.key -out {name}.csr -subj"), &format!("/CN={name}"));
        fs::write(self.dir.join(format!("{name}.ext")), format!("subjectAltName={names}\n")).unwrap();
        let sign =
            format!("x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 2");
        self.openssl(&format!("{sign} -out {name}.pem -extfile"), &format!("{name}.ext"));
        let files = [format!("{name}.pem"), format!("{name}.key")].map(|it| self.dir.join(it));
        fs::set_permissions(&files[1], fs::Permissions::from_mode(0o600)).unwrap();
        if let Some(user) = user {
            own(&files[1], user);
        }
        files
    }

    fn openssl(&self, words: &str, last: &str) {
        let mut command = Command::new("openssl");
        let out = output(command.args(words.split(' ')).arg(last).current_dir(&self.dir));
        assert!(out.status.success(), "{command:?}: {}", super::text(&out.stderr));
    }
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
