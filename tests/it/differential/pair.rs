//! The two servers, with the same configuration, under the same Keystone.

use super::{
    compare::Times,
    request::{Request, Who},
    stores,
};
use crate::{
    api::Answer,
    identity::admin::Cloud,
    support::{
        daemon::Daemon,
        database::{Scratch, mysql},
        free_port,
        rig::{self, Keystone, OwnGlance, PASSWORD},
        wait_until,
        web::Web,
    },
};
use http::Method;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// One of the two, in the order of all pairs.
pub(crate) const LARDER: usize = 0;
pub(crate) const GLANCE: usize = 1;

/// Tables whose rows have the times of their making and of their last change.
const TIMED: [&str; 9] = [
    "images",
    "image_members",
    "tasks",
    "metadef_namespaces",
    "metadef_objects",
    "metadef_properties",
    "metadef_tags",
    "metadef_resource_types",
    "metadef_namespace_resource_types",
];

/// What a pair is configured for, and what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Everything but imports.
    All,
    Imports,
    /// Imports, copies and locations, with several stores.
    Stores,
}

pub(crate) struct Pair {
    pub(crate) addresses: [SocketAddr; 2],
    pub(crate) dirs: [TempDir; 2],
    /// What both made for the same request: Larder's id, Glance's.
    ids: Vec<[String; 2]>,
    known: [HashMap<String, usize>; 2],
    pub(super) tokens: Tokens,
    /// What web-download and locations of the web lead to.
    pub(crate) web: Web,
    _glance: OwnGlance,
    _larder: Daemon,
    /// Dropped after the two that use them.
    databases: [Scratch; 2],
}

/// What both answered to a request.
pub(super) struct Asked {
    pub(super) answers: [Option<Answer>; 2],
    /// The number of what both made, when they did.
    pub(super) made: Option<usize>,
    /// The same when both had the same second of the clock.
    pub(super) times: Times,
}

pub(super) struct Tokens {
    tokens: HashMap<&'static str, String>,
    /// Projects demo and alt_demo.
    pub(super) projects: [String; 2],
}

// === impl Tokens ===

impl Tokens {
    pub(super) fn of(keystone: &Keystone) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Self::log_in(&Cloud::new(&keystone.auth_url)))
    }

    async fn log_in(cloud: &Cloud) -> Self {
        let project =
            |login: &crate::identity::admin::Login| login.body["token"]["project"]["id"].as_str().unwrap().to_owned();
        let (demo, other) = (cloud.project("demo", "demo").await, cloud.project("alt_demo", "alt_demo").await);
        let projects = [project(&demo), project(&other)];
        let admin = cloud.admin().await;
        let nobody = without_a_role(cloud, &admin, &projects[0]).await;
        let tokens = HashMap::from([
            ("member", demo.token),
            ("other", other.token),
            ("reader", cloud.project("reader", "demo").await.token),
            ("service", cloud.project("nova", "service").await.token),
            ("unscoped", cloud.scoped("demo", json!("unscoped")).await.token),
            ("no role", cloud.project(&nobody, "demo").await.token),
            ("admin", admin),
        ]);
        Self { tokens, projects }
    }

    pub(super) fn get(&self, who: Who) -> Option<&str> {
        let name = match who {
            Who::Admin => "admin",
            Who::Member => "member",
            Who::Reader => "reader",
            Who::Other => "other",
            Who::Service => "service",
            Who::NoRole => "no role",
            Who::Unscoped => "unscoped",
            Who::Nobody => return None,
            Who::Forger => return Some("gAAAAABforged"),
        };
        Some(&self.tokens[name])
    }
}

/// A new user whose only role in the project is one that no policy names.
async fn without_a_role(cloud: &Cloud, admin: &str, project: &str) -> String {
    let name = crate::identity::admin::unique("idle");
    let user = json!({"user": {"name": name, "password": PASSWORD, "domain_id": "default"}});
    let user = cloud.done(Method::POST, "/users", admin, Some(user)).await["user"]["id"].as_str().unwrap().to_owned();
    let role = cloud.done(Method::POST, "/roles", admin, Some(json!({"role": {"name": name}}))).await;
    let role = role["role"]["id"].as_str().unwrap().to_owned();
    cloud.done(Method::PUT, &format!("/projects/{project}/users/{user}/roles/{role}"), admin, None).await;
    name
}

/// The configuration of either: Glance's, which Larder reads too.
pub(super) fn configuration(dir: &Path, port: u16, auth_url: &str, database: &str) -> String {
    let (dir, venv) = (dir.display(), rig::venv().unwrap());
    let venv = venv.display();
    format!(
        "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\nshow_multiple_locations = true\n\
         show_image_direct_url = true\nenabled_import_methods = []\nnode_staging_uri = file://{dir}/staging\n\
         [wsgi]\ntask_pool_threads = 2\npython_interpreter = {venv}/bin/python\n\
         [glance_store]\nstores = file\ndefault_store = file\nfilesystem_store_datadir = {dir}/images\n\
         [database]\nconnection = {database}\n\
         [paste_deploy]\nflavor = keystone\nconfig_file = {venv}/etc/glance/glance-api-paste.ini\n\
         [keystone_authtoken]\nwww_authenticate_uri = {auth_url}\nauth_url = {auth_url}\nauth_type = password\nhttp_connect_timeout = 120\n\
         username = glance\npassword = {PASSWORD}\nproject_name = service\nuser_domain_id = default\n\
         project_domain_id = default\n[oslo_concurrency]\nlock_path = {dir}/lock\n"
    )
}

/// A database as Glance names it, with its drivers; the file `glance.db` in `dir` where there is no server.
pub(super) fn connection(scratch: Option<&Scratch>, dir: &Path) -> String {
    let Some(scratch) = scratch else { return format!("sqlite:///{}/glance.db", dir.display()) };
    let driver = if scratch.kind == "mysql" { "mysql+pymysql" } else { "postgresql+psycopg2" };
    format!("{driver}://{}", scratch.url.split_once("://").unwrap().1)
}

/// `larder catalogue` with the `glance-api.conf` in `dir`.
pub(super) fn start_larder(dir: &Path, port: u16) -> Daemon {
    let mut daemon = Daemon::start(dir, "catalogue", &["catalogue", "--config-file", "glance-api.conf"]);
    wait_until("the catalogue listens", Duration::from_secs(60), || {
        assert!(daemon.ended().is_none(), "{}", daemon.log());
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    daemon
}

/// Packages of Glance bring a `schema-image.json`, PyPI's does not; Larder has what stands in it built in.
pub(super) fn write_schema(larder: SocketAddr, token: Option<&str>, dir: &Path) {
    let schema = Request::new(Who::Admin, "GET", "/v2/schemas/image").send(larder, token).unwrap().json();
    let mut known = schema["properties"].as_object().unwrap().clone();
    known.retain(|_, it| it["is_base"] == false);
    for it in known.values_mut() {
        it.as_object_mut().unwrap().remove("is_base");
    }
    fs::write(dir.join("schema-image.json"), Value::Object(known).to_string()).unwrap();
}

/// The id of an image or a task that this answer says was made.
fn made_id(answer: &Answer) -> Option<String> {
    let body: Value = (answer.status == 201).then(|| serde_json::from_slice(&answer.body).ok())??;
    body["id"].as_str().map(str::to_owned)
}

// === impl Pair ===

impl Pair {
    /// Starts both on databases of their own on MariaDB: on SQLite Glance may find its file locked, answer 500, and lose
    /// what it was about to write. None where there is no rig or no such server.
    pub(crate) fn start(theme: Theme) -> Option<Self> {
        let keystone = rig::keystone()?;
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let ports = [free_port(), free_port()];
        let databases = [mysql()?, mysql()?];
        for ((dir, port), database) in dirs.iter().zip(ports).zip(&databases) {
            let database = connection(Some(database), dir.path());
            let text = configuration(dir.path(), port, &keystone.auth_url, &database);
            let direct = "enabled_import_methods = [glance-direct, web-download]";
            let text = match theme {
                Theme::All => text,
                Theme::Imports => text.replace("enabled_import_methods = []", direct),
                Theme::Stores => stores::configuration(&text, dir.path()),
            };
            fs::write(dir.path().join("glance-api.conf"), text).unwrap();
        }
        let larder = start_larder(dirs[LARDER].path(), ports[LARDER]);
        let addresses = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let tokens = Tokens::of(keystone);
        write_schema(addresses[LARDER], tokens.get(Who::Admin), dirs[GLANCE].path());
        let glance = OwnGlance::start(dirs[GLANCE].path(), ports[GLANCE], &keystone.auth_url)?;
        Some(Self {
            addresses,
            dirs,
            ids: Vec::new(),
            known: Default::default(),
            tokens,
            web: Web::start(),
            _glance: glance,
            _larder: larder,
            databases,
        })
    }

    /// The number of what has this id on Glance.
    pub(super) fn number(&self, id: &str) -> Option<usize> {
        self.known[GLANCE].get(id).copied()
    }

    /// The id that this server has for what has this number.
    pub(super) fn id(&self, side: usize, number: usize) -> &str {
        &self.ids[number][side]
    }

    /// Notes what both have made; its number.
    fn made(&mut self, ids: [String; 2]) -> usize {
        for (known, id) in self.known.iter_mut().zip(&ids) {
            known.insert(id.clone(), self.ids.len());
        }
        self.ids.push(ids);
        self.ids.len() - 1
    }

    /// Asks both at the same time; what is particular to a server (its address, its folder, its ids) is made the same.
    pub(super) fn ask(&mut self, request: &Request) -> Asked {
        let this = &*self;
        let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let begun = second();
        let answers = thread::scope(|scope| {
            [LARDER, GLANCE].map(|side| scope.spawn(move || this.ask_one(side, request))).map(|it| it.join().unwrap())
        });
        let times = if self.have_one_time(request, begun, second()) { Times::Same } else { Times::Formed };
        let ids = answers.each_ref().map(|it| made_id(it.as_ref()?));
        let made = match ids {
            [Some(larder), Some(glance)] => Some(self.made([larder, glance])),
            _ => None,
        };
        let mut side = 0;
        let answers = answers.map(|answer| {
            side += 1;
            answer.map(|it| self.neutral_answer(side - 1, it))
        });
        Asked { answers, made, times }
    }

    /// Waits until neither imports the image any more; false when one of them goes on for a minute.
    pub(super) fn wait_for_import(&self, number: usize) -> bool {
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let image = Request::new(Who::Admin, "GET", format!("/v2/images/@{number}@"));
        let tasks = Request::new(Who::Admin, "GET", format!("/v2/images/@{number}@/tasks"));
        let read = |side: usize, request: &Request| {
            let answer = self.ask_one(side, request)?;
            serde_json::from_slice::<Value>(&answer.body).ok()
        };
        // The status alone says nothing: an import by Glance whose store has failed stays `importing`.
        let is_done = |side: usize| {
            let over = |it: &Value| it["status"] == "success" || it["status"] == "failure";
            let tasks =
                read(side, &tasks).is_some_and(|it| it["tasks"].as_array().is_some_and(|it| it.iter().all(over)));
            tasks && read(side, &image).is_some_and(|it| it.get("os_glance_import_task").is_none())
        };
        for _ in 0..600 {
            if is_done(LARDER) && is_done(GLANCE) {
                // The request was taken a moment before.
                self.set_time(begun - 3);
                return true;
            }
            thread::sleep(Duration::from_millis(100));
        }
        false
    }

    /// Whether both noted the same second for a request that lasted from `begun` to `ended`. Lists are sorted by these times,
    /// so that where the clock went on meanwhile, what both have written gets the second in which they began.
    fn have_one_time(&self, request: &Request, begun: u64, ended: u64) -> bool {
        if begun == ended || request.method == "GET" {
            return true;
        }
        self.set_time(begun);
        false
    }

    /// Whatever was noted later than in this second was noted in it.
    fn set_time(&self, second: u64) {
        let earliest = |column: &str| format!("{column} = LEAST({column}, '1970-01-01' + INTERVAL {second} SECOND)");
        let (created, updated) = (earliest("created_at"), earliest("updated_at"));
        let sql: String = TIMED.iter().map(|table| format!("UPDATE {table} SET {created}, {updated};")).collect();
        for database in &self.databases {
            database.lines(&sql);
        }
    }

    /// Glance notes a change where nothing has changed: a tag that was there already, an upload that it refused. Its time is
    /// made Larder's.
    pub(super) fn untouch(&self, number: usize) {
        let [larder, glance] = &self.ids[number];
        let times =
            self.databases[LARDER].lines(&format!("SELECT CAST(updated_at AS CHAR) FROM images WHERE id = '{larder}'"));
        if let [time] = &times[..] {
            self.databases[GLANCE].lines(&format!("UPDATE images SET updated_at = '{time}' WHERE id = '{glance}'"));
        }
    }

    /// Asks one of them; what is particular to it stays in the answer.
    pub(super) fn ask_one(&self, side: usize, request: &Request) -> Option<Answer> {
        let mut request = request.clone();
        request.path = self.fill(side, &request.path);
        if let Ok(body) = std::str::from_utf8(&request.body) {
            request.body = self.fill(side, body).into_bytes();
        }
        request.send(self.addresses[side], self.tokens.get(request.who))
    }

    fn neutral_answer(&self, side: usize, mut answer: Answer) -> Answer {
        for (_, value) in &mut answer.headers {
            *value = self.neutral(side, value);
        }
        if let Ok(body) = std::str::from_utf8(&answer.body) {
            answer.body = self.neutral(side, body).into_bytes();
        }
        answer
    }

    /// `@7@` becomes this server's id, `file://DIR` its folder.
    fn fill(&self, side: usize, text: &str) -> String {
        let text = &text.replace("file://DIR/", &format!("file://{}/", self.dirs[side].path().display()));
        if !text.contains('@') {
            return text.to_owned();
        }
        let mut parts = text.split('@');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        let mut pending = false;
        for part in parts {
            match part.parse::<usize>().ok().filter(|it| !pending && *it < self.ids.len()) {
                Some(number) => {
                    filled.push_str(&self.ids[number][side]);
                    pending = true;
                }
                None if pending => {
                    filled.push_str(part);
                    pending = false;
                }
                None => {
                    filled.push('@');
                    filled.push_str(part);
                }
            }
        }
        filled
    }

    pub(super) fn neutral(&self, side: usize, text: &str) -> String {
        let text = text.replace(&self.addresses[side].to_string(), "HOST");
        let text = text.replace(&self.dirs[side].path().display().to_string(), "DIR");
        let (mut neutral, mut rest) = (String::with_capacity(text.len()), text.as_str());
        while let Some(dash) = rest.find('-') {
            // An id has its first dash after eight digits.
            let start = dash.checked_sub(8).filter(|it| rest.is_char_boundary(*it));
            let found = start.and_then(|it| Some((it, self.known[side].get(rest.get(it..it + 36)?)?)));
            match found {
                Some((start, number)) => {
                    neutral.push_str(&rest[..start]);
                    neutral.push_str(&format!("@{number}@"));
                    rest = &rest[start + 36..];
                }
                None => {
                    neutral.push_str(&rest[..=dash]);
                    rest = &rest[dash + 1..];
                }
            }
        }
        neutral + rest
    }
}
