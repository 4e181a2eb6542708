//! The same commands at two servers.

use super::drive::{Driver, Ended};
use crate::{
    api::{Server, behind_with},
    differential::{self, GLANCE, LARDER, Theme},
    identity::admin::Cloud,
    support::{rig, wait_until},
};
use fancy_regex::Regex;
use serde_json::Value;
use std::{collections::BTreeMap, sync::LazyLock, time::Duration};
use tempfile::TempDir;

/// It does what it is for, and prints the same.
pub(super) const DONE: &str = "";
/// It does what it is for; what it prints depends on the site.
pub(super) const DIFFERS: &str = "~";

/// Begins a row that shows an image, again and again until its import is over.
const SETTLED: &str = "settled:";

/// Who, the command, how it ends, what its id is called.
pub(super) type Row = (&'static str, &'static str, &'static str, &'static str);

/// One server's end of the pair.
struct Side {
    program: &'static str,
    /// By user.
    drivers: BTreeMap<&'static str, Driver>,
    folder: TempDir,
    auth_url: String,
    endpoint: String,
    /// What rows call what, here.
    names: BTreeMap<String, String>,
}

/// A catalogue and a Glance.
pub(super) struct Pair {
    /// Kept running.
    _servers: Servers,
    sides: [Side; 2],
}

#[allow(dead_code, reason = "they are dropped")]
enum Servers {
    Plain(Box<Server>),
    Stores(Box<differential::Pair>),
}

// === impl Pair ===

impl Pair {
    /// None where there is no rig.
    pub(super) fn start(program: &'static str) -> Option<Self> {
        let (keystone, glance) = (rig::keystone()?, rig::plain_glance(program)?);
        let server = behind_with(keystone, "enabled_import_methods = []\n");
        let endpoints = [format!("http://{}", server.address), glance.url];
        Some(Self { sides: Self::sides(program, keystone, endpoints), _servers: Servers::Plain(Box::new(server)) })
    }

    /// Likewise, of two with the stores `fast`, `slow`, `spare` and `web`, and with imports. Rows have the addresses `{web}` of a
    /// web server and `{dir}` of the folders of stores.
    pub(super) fn with_stores(program: &'static str) -> Option<Self> {
        let (keystone, servers) = (rig::keystone()?, differential::Pair::start(Theme::Stores)?);
        let endpoints = [LARDER, GLANCE].map(|side| format!("http://{}", servers.addresses[side]));
        let mut sides = Self::sides(program, keystone, endpoints);
        for (side, at) in sides.iter_mut().zip([LARDER, GLANCE]) {
            side.names.insert("dir".to_owned(), servers.dirs[at].path().display().to_string());
            side.names.insert("web".to_owned(), servers.web.url(""));
        }
        Some(Self { sides, _servers: Servers::Stores(Box::new(servers)) })
    }

    fn sides(program: &'static str, keystone: &rig::Keystone, endpoints: [String; 2]) -> [Side; 2] {
        endpoints.map(|endpoint| Side {
            program,
            drivers: BTreeMap::new(),
            folder: tempfile::tempdir().unwrap(),
            auth_url: keystone.auth_url.clone(),
            endpoint,
            names: BTreeMap::new(),
        })
    }

    /// Has `name` stand for the same text at both.
    pub(super) fn name(&mut self, name: &str, text: &str) {
        for side in &mut self.sides {
            side.names.insert(name.to_owned(), text.to_owned());
        }
    }

    /// Leaves a file that commands find by its name.
    pub(super) fn leave(&self, name: &str, data: &[u8]) {
        for side in &self.sides {
            std::fs::write(side.folder.path().join(name), data).unwrap();
        }
    }

    /// A file that commands left, at both.
    pub(super) fn left(&self, name: &str) -> [Vec<u8>; 2] {
        [0, 1].map(|at| std::fs::read(self.sides[at].folder.path().join(name)).unwrap())
    }

    /// Runs the rows at both; all that is wrong is said at the end.
    pub(super) fn run(&mut self, tables: &[&[Row]]) {
        let rows = &tables.concat()[..];
        let outcomes = std::thread::scope(|scope| {
            let [ours, theirs] = self.sides.each_mut().map(|side| scope.spawn(move || side.run_all(rows)));
            [ours.join().unwrap(), theirs.join().unwrap()]
        });
        let [ours, theirs] = outcomes;
        let wrong: Vec<String> = rows
            .iter()
            .zip(ours.iter().zip(&theirs))
            .filter_map(|(row, (ours, theirs))| judge(row, ours, theirs))
            .collect();
        assert!(wrong.is_empty(), "{} of {} commands:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    }
}

// === impl Side ===

impl Side {
    fn run_all(&mut self, rows: &[Row]) -> Vec<Ended> {
        rows.iter().map(|row| self.run(row)).collect()
    }

    fn run(&mut self, (user, line, _, name): &Row) -> Ended {
        let args: Vec<String> = words(line).into_iter().map(|it| self.filled(it)).collect();
        let (folder, servers) = (self.folder.path(), (self.auth_url.as_str(), self.endpoint.as_str()));
        let driver = self.drivers.entry(user).or_insert_with(|| Driver::start(self.program, user, folder, servers));
        let mut ended = match args.split_first() {
            Some((word, shown)) if word == SETTLED => settle(driver, shown),
            _ => driver.run(&args),
        };
        if !name.is_empty()
            && let Some(id) = id_of(&ended.out)
        {
            self.names.insert((*name).to_owned(), id);
        }
        ended.out = self.plain(&ended.out);
        ended.err = self.plain(&ended.err);
        ended
    }

    fn filled(&self, mut word: String) -> String {
        for (name, text) in &self.names {
            word = word.replace(&format!("{{{name}}}"), text);
        }
        word
    }

    /// Without what depends on the server, the time and chance.
    fn plain(&self, text: &str) -> String {
        let mut text = unwrapped(text).replace(&self.endpoint, "<endpoint>");
        for (name, value) in &self.names {
            text = text.replace(value, &format!("<{name}>"));
        }
        for (pattern, word) in &*PATTERNS {
            text = pattern.replace_all(&text, *word).into_owned();
        }
        text
    }
}

/// Shows an image until no import works on it any more.
fn settle(driver: &mut Driver, shown: &[String]) -> Ended {
    let mut ended = None;
    wait_until("the import ends", Duration::from_secs(120), || {
        let shown = ended.insert(driver.run(shown));
        shown.code != 0 || !shown.out.contains("os_glance_import_task")
    });
    ended.unwrap()
}

/// What of a row went wrong.
fn judge(row: &Row, ours: &Ended, theirs: &Ended) -> Option<String> {
    let (user, line, expected, _) = row;
    let done = [DONE, DIFFERS].contains(expected);
    let as_expected = |it: &Ended| match done {
        true => it.code == 0,
        false => it.code != 0 && (it.out.contains(expected) || it.err.contains(expected)),
    };
    let same = *expected != DONE || comparable(&ours.out) == comparable(&theirs.out);
    if as_expected(ours) && as_expected(theirs) && same {
        return None;
    }
    let show = |it: &Ended| format!("{} {}{}", it.code, it.out, it.err);
    let expected = if done { "success" } else { expected };
    Some(format!("== {user}: {line}: expected {expected}\n-- Larder: {}\n-- Glance: {}", show(ours), show(theirs)))
}

/// The id of a project.
pub(super) fn project(name: &str) -> String {
    let cloud = Cloud::new(&rig::keystone().unwrap().auth_url);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(cloud.id("projects", name))
}

/// A table in which each value has one line: where the clients break it depends on hyphens in ids and lengths of paths.
fn unwrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let rest = line.strip_prefix('|').and_then(|it| it.trim_start().strip_prefix('|'));
        match (rest, lines.last_mut()) {
            (Some(rest), Some(above)) if above.starts_with('|') => {
                above.truncate(above.trim_end_matches(['|', ' ']).len());
                above.push_str(rest.trim_start());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

/// JSON as a value, text as it is, but for the order of tags, which says nothing.
fn comparable(text: &str) -> Value {
    let sorted = |line: &str| {
        let mut words: Vec<_> = line.split([' ', ',', '[', ']']).collect();
        words.sort_unstable();
        words.join(" ")
    };
    let is_tags = |line: &str| line.starts_with("| tags ") || line.contains("| ['");
    let line = |it: &str| match it {
        _ if is_tags(it) => sorted(it),
        // Where a value was wrapped, a space may be gone.
        _ if it.starts_with('|') => it.replace(' ', ""),
        _ => it.to_owned(),
    };
    let plain = || Value::String(text.trim().lines().map(line).collect::<Vec<_>>().join("\n"));
    let mut value = serde_json::from_str(text).unwrap_or_else(|_| plain());
    let sort = |it: &mut Value| {
        for name in ["tags", "Tags"] {
            if let Some(tags) = it.get_mut(name).and_then(Value::as_array_mut) {
                tags.sort_by_key(ToString::to_string);
            }
        }
    };
    match &mut value {
        Value::Array(rows) => rows.iter_mut().for_each(sort),
        other => sort(other),
    }
    value
}

/// The id in JSON, or in a table of one thing.
fn id_of(text: &str) -> Option<String> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return value["id"].as_str().map(ToOwned::to_owned);
    }
    let row = text.lines().find_map(|it| it.strip_prefix("| id "))?;
    Some(row.trim_matches(['|', ' ']).to_owned())
}

/// Divides at spaces; single quotes keep what is between them together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"req-[0-9a-f-]{36}", "<request>"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "<time>"),
        (r"-{2,}", "-"),
        (r"[ \t]{2,}", " "),
    ]
    .map(|(pattern, word)| (Regex::new(pattern).unwrap(), word))
    .into()
});
