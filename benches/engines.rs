//! The same on SQLite and, where it is, on MariaDB.

use crate::support::database;
use std::path::Path;

/// Given the folder, the engine's name, its URL, and what executes SQL there.
pub(crate) type Measure = fn(&Path, &str, &str, &mut dyn FnMut(&str));

pub(crate) fn on_each(dir: &Path, measure: Measure) {
    let embedded = format!("sqlite:///{}/catalogue.db", dir.display());
    {
        let mut rows =
            |sql: &str| rusqlite::Connection::open(dir.join("catalogue.db")).unwrap().execute_batch(sql).unwrap();
        measure(dir, "SQLite", &embedded, &mut rows);
    }
    if let Some(server) = database::mysql() {
        measure(dir, "MariaDB", &server.url, &mut |sql| drop(server.lines(sql)));
    }
}
