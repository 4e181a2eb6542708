//! What becomes of deleted images: delayed deletion, the scrubber, the purge; and encrypted locations, since whoever
//! removes data must read them right.

mod delayed;
mod encryption;
mod purge;
mod scrub;

use crate::api::Server;
use crate::support::{files, larder, output, text};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Images that wait for a scrubber.
const PENDING: &str = "SELECT count(*) FROM images WHERE status = 'pending_delete' AND deleted";

/// That an image and its data are gone, and noted as gone.
fn gone(id: &str) -> String {
    format!(
        "SELECT count(*) FROM images i JOIN image_locations l ON l.image_id = i.id
         WHERE i.id = '{id}' AND i.status = 'deleted' AND i.deleted AND l.status = 'deleted' AND l.deleted"
    )
}

fn count(database: &Path, query: &str) -> i64 {
    rusqlite::Connection::open(database).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
}

/// A catalogue, and the scrubber beside it.
struct Site {
    server: Server,
    database: PathBuf,
}

impl Site {
    fn start(options: &str) -> Self {
        let server = Server::with(options);
        let database = server.dir.path().join("catalogue.sqlite");
        Self { server, database }
    }

    fn dir(&self) -> &Path {
        self.server.dir.path()
    }

    fn delete(&self, id: &str) {
        assert_eq!(self.server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    }

    /// `larder catalogue scrub ARGS…` with more lines of [DEFAULT], which win.
    fn command(&self, args: &[&str], extra: &str) -> Command {
        let busy = "[database]\nbusy_timeout = 60";
        self.command_with(args, |conf| conf.replace("[database]", &format!("{extra}\n{busy}")))
    }

    fn command_with(&self, args: &[&str], change: impl Fn(&str) -> String) -> Command {
        let conf = fs::read_to_string(self.dir().join("catalogue.conf")).unwrap();
        let file = tempfile::Builder::new().suffix(".conf").tempfile_in(self.dir()).unwrap();
        fs::write(file.path(), change(&conf)).unwrap();
        let (_, path) = file.keep().unwrap();
        larder(&[&["catalogue", "--config-file", path.to_str().unwrap(), "scrub"], args].concat())
    }

    /// The exit code, and all that was printed.
    fn scrub(&self, args: &[&str], extra: &str) -> (i32, String) {
        let out = output(&mut self.command(args, extra));
        (out.status.code().unwrap(), text(&out.stdout) + &text(&out.stderr))
    }

    fn scrub_json(&self, args: &[&str], extra: &str) -> (i32, Value) {
        let out = output(&mut self.command(args, extra));
        (out.status.code().unwrap(), serde_json::from_slice(&out.stdout).unwrap())
    }

    /// Images in `pending_delete`, with their ids as data, without asking for each; their ids.
    fn fill(&self, count: u32) -> Vec<String> {
        let mut raw = rusqlite::Connection::open(&self.database).unwrap();
        let all = raw.transaction().unwrap();
        let ids: Vec<String> = (0..count).map(|n| format!("{n:08x}-5f0e-4a4e-8f0a-2f1d3c4b5a69")).collect();
        for id in &ids {
            fs::write(self.server.images().join(id), id).unwrap();
            all.execute(
                "INSERT INTO images (id, size, status, visibility, min_disk, min_ram, disk_format, container_format,
                                     created_at, updated_at, deleted_at, deleted)
                 VALUES (?, ?, 'pending_delete', 'shared', 0, 0, 'raw', 'bare', '2026-01-02 03:04:05.000000',
                         '2026-01-02 03:04:05.000000', '2026-01-02 03:04:05.000000', 1)",
                [id, &id.len().to_string()],
            )
            .unwrap();
            all.execute(
                "INSERT INTO image_locations (image_id, value, meta_data, status, created_at, deleted_at, deleted)
                 VALUES (?, ?, '{}', 'pending_delete', '2026-01-02 03:04:05.000000', '2026-01-02 03:04:05.000000', 1)",
                [id, &format!("file://{}/{id}", self.server.images().display())],
            )
            .unwrap();
        }
        all.commit().unwrap();
        ids
    }

    fn all_gone(&self, ids: &[String]) {
        assert_eq!(files(&self.server.images()), Vec::<String>::new());
        for id in ids {
            assert_eq!(count(&self.database, &gone(id)), 1, "{id}");
        }
    }
}
