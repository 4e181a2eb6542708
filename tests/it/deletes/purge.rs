//! `larder catalogue db purge` and `purge_images_table` beside `glance-manage`, on copies of one database.

use super::count;
use crate::support::{larder, output, rig, run, text};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const TABLES: [&str; 7] =
    ["task_info", "image_properties", "image_tags", "image_locations", "image_members", "tasks", "images"];

/// A folder with a database in it.
struct Site(tempfile::TempDir);

impl Site {
    /// Images and tasks that were deleted so many days ago, and one of each that was not.
    fn filled(ages: &[u32]) -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        run(&mut site.larder(&["db", "sync"]));
        let mut raw = rusqlite::Connection::open(site.database()).unwrap();
        let all = raw.transaction().unwrap();
        for (n, age) in ages.iter().map(Some).chain([None]).enumerate() {
            let id = format!("{n:08x}-5f0e-4a4e-8f0a-2f1d3c4b5a69");
            let (deleted, at) = match age {
                // Each at a time of its own, so that the order is the same for everybody.
                Some(age) => {
                    (1, format!("strftime('%Y-%m-%d %H:%M:%f', 'now', '-{age} days', '-{n} minutes') || '000'"))
                }
                None => (0, "NULL".to_owned()),
            };
            let times = format!("'2020-01-02 03:04:05.000000', {at}, {deleted}");
            let common = "created_at, deleted_at, deleted";
            let status = if age.is_some() { "deleted" } else { "active" };
            all.execute_batch(&format!(
                "INSERT INTO images (id, status, visibility, min_disk, min_ram, {common})
                     VALUES ('{id}', '{status}', 'shared', 0, 0, {times});
                 INSERT INTO image_locations (image_id, value, meta_data, status, {common})
                     VALUES ('{id}', 'file:///x', '{{}}', '{status}', {times});
                 INSERT INTO image_properties (image_id, name, value, {common}) VALUES ('{id}', 'a', '1', {times});
                 INSERT INTO image_properties (image_id, name, value, {common}) VALUES ('{id}', 'b', '1', {times});
                 INSERT INTO image_tags (image_id, value, {common}) VALUES ('{id}', 't', {times});
                 INSERT INTO image_members (image_id, member, can_share, status, {common})
                     VALUES ('{id}', 'm', 0, 'pending', {times});
                 INSERT INTO tasks (id, type, status, owner, {common}) VALUES ('{id}', 'import', 'success', 'p', {times});
                 INSERT INTO task_info (task_id, input) VALUES ('{id}', '{{}}');"
            ))
            .unwrap();
        }
        all.commit().unwrap();
        site
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("glance.db")
    }

    fn sql(&self, statement: &str) {
        rusqlite::Connection::open(self.database()).unwrap().execute_batch(statement).unwrap();
    }

    fn rows(&self, table: &str) -> i64 {
        count(&self.database(), &format!("SELECT count(*) FROM {table}"))
    }

    fn larder(&self, args: &[&str]) -> Command {
        larder(&[&["catalogue", "--config-file", &conf(self.0.path())], args].concat())
    }

    /// The exit code and what was printed.
    fn purge(&self, args: &[&str]) -> (i32, String) {
        let out = output(&mut self.larder(&[&["db"], args].concat()));
        (out.status.code().unwrap(), text(&out.stdout) + &text(&out.stderr))
    }
}

fn conf(dir: &Path) -> String {
    let file = dir.join("glance.conf");
    fs::write(&file, format!("[database]\nconnection = sqlite:///{}/glance.db\n", dir.display())).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The lines that tell what went, without what a log puts before them.
fn told(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| line.find("Deleted ").map(|at| line[at..].to_owned())).collect()
}

/// All rows of all tables.
fn content(database: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let raw = rusqlite::Connection::open(database).unwrap();
    let rows = |table: &str| {
        let mut query = raw.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
        let columns = query.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let cells: Vec<String> = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            Ok(cells.join(" "))
        };
        query.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    TABLES.into_iter().map(|table| (table, rows(table))).collect()
}

#[test]
fn it_takes_what_glance_manage_takes() {
    let Some(glance_manage) = rig::program("glance-manage") else { return };
    let ages = [1, 29, 31, 40, 200, 365, 2, 100, 181];
    for steps in [
        &[&["purge"][..], &["purge_images_table"]][..],
        &[&["purge", "--age_in_days", "0", "--max_rows", "-1"], &["purge_images_table", "--age_in_days", "100"]],
        &[&["purge", "--max_rows", "3"], &["purge", "--age_in_days", "150", "--max_rows", "0"]],
        &[&["purge", "--age_in_days", "-1"]],
        &[&["purge", "--max_rows", "-2"]],
        &[&["purge_images_table", "--age_in_days", "99999"]],
        &[&["purge", "--max_rows", "2147483648"]],
        &[&["purge", "--age_in_days", "many"]],
        &[&["purge", "30", "100"], &["purge_images_table", "100", "--max_rows", "2"]],
        &[&["purge", "150"], &["purge", "x"], &["purge", "30", "x"], &["purge", "--", "-1"]],
    ] {
        let ours = Site::filled(&ages);
        let theirs = tempfile::tempdir().unwrap();
        fs::copy(ours.database(), theirs.path().join("glance.db")).unwrap();
        for args in steps {
            let out =
                output(Command::new(&glance_manage).args(["--config-file", &conf(theirs.path()), "db"]).args(*args));
            let its = text(&out.stdout) + &text(&out.stderr);
            let (code, said) = ours.purge(args);
            assert_eq!(Some(code), out.status.code(), "{args:?}\n{said}\n{its}");
            assert_eq!(told(&said), told(&its), "{args:?}\n{its}");
            assert_eq!(content(&ours.database()), content(&theirs.path().join("glance.db")), "{args:?}");
            if code == 1 {
                let words = said.trim().trim_start_matches("larder: ");
                assert!(its.contains(words), "{words}\n{its}");
            }
        }
    }
}

#[test]
fn a_number_is_there_once() {
    let site = Site::filled(&[31]);
    for args in [&["purge", "30", "--age_in_days", "30"][..], &["purge", "1", "2", "3"]] {
        let (code, said) = site.purge(args);
        assert!(code == 1 && (said.contains("is there twice") || said.contains("no further one: 3")), "{said}");
        assert_eq!(site.rows("tasks"), 2);
    }
    // By the name that the rest of the command line would give it.
    assert!(site.purge(&["purge-images", "--dry-run", "30"]).1.contains("from table images"));
}

#[test]
fn a_rehearsal_says_what_goes_and_takes_nothing() {
    let site = Site::filled(&[31, 40, 200, 1]);
    for args in [&["purge"][..], &["purge", "--max-rows", "2"], &["purge", "--age-in-days", "100", "--max_rows", "-1"]]
    {
        let before = content(&site.database());
        let (code, said) = site.purge(&[args, &["--dry-run"]].concat());
        assert!(code == 0 && said.contains("Would delete"), "{said}");
        assert_eq!(content(&site.database()), before);
        let copy = Site(tempfile::tempdir().unwrap());
        fs::copy(site.database(), copy.database()).unwrap();
        assert_eq!(copy.purge(args).1, said.replace("Would delete", "Deleted"), "{args:?}");
    }
}

#[test]
fn what_is_still_needed_stays() {
    let site = Site::filled(&[400, 300, 200]);
    // Data that the scrubber could not remove yet: nothing else says where it is. Glance's purge forgets it.
    site.sql("UPDATE image_locations SET status = 'pending_delete' WHERE image_id LIKE '00000000%'");
    // An image that glance-scrubber restored is alive, but has a time of deletion. Glance's purge takes it.
    site.sql("UPDATE images SET status = 'active', deleted = 0 WHERE id LIKE '00000001%'");
    let (code, said) = site.purge(&["purge_images_table", "--max_rows", "-1"]);
    assert!(code == 1 && said.contains("Deleted 0 row(s) from table images"), "{said}");
    assert!(said.contains("2 row(s) of table images stay") && said.contains("db purge` first"), "{said}");

    let (code, said) = site.purge(&["purge", "--max_rows", "-1"]);
    assert!(code == 0 && said.contains("1 row(s) of table image_locations stay"), "{said}");
    let left: Vec<i64> = TABLES.iter().map(|table| site.rows(table)).collect();
    // Besides the image and the task that nobody deleted: the location, and the images.
    assert_eq!(left, [1, 2, 1, 2, 1, 1, 4]);
    let (code, said) = site.purge(&["purge_images_table"]);
    assert!(code == 1 && said.contains("Deleted 1 row(s) from table images"), "{said}");
    assert_eq!(site.rows("images"), 3);
    let broken = "SELECT count(*) FROM image_locations WHERE image_id NOT IN (SELECT id FROM images)";
    assert_eq!(count(&site.database(), broken), 0);
    // Once the data is gone, so is the rest.
    site.sql("UPDATE image_locations SET status = 'deleted' WHERE status = 'pending_delete'");
    assert_eq!(site.purge(&["purge"]).0, 0);
    let (code, said) = site.purge(&["purge-images-table"]);
    assert!(code == 0 && said.contains("Deleted 1 row(s) from table images"), "{said}");
}

#[test]
fn many_rows_go_in_short_steps() {
    let site = Site::filled(&[100; 1300]);
    let (code, said) = site.purge(&["purge", "--max_rows", "1100"]);
    assert!(code == 0 && said.contains("Deleted 1100 row(s) from table image_properties"), "{said}");
    assert_eq!((site.rows("image_properties"), site.rows("tasks")), (2602 - 1100, 201));
    let (code, said) = site.purge(&["purge", "--max_rows", "-1"]);
    assert!(code == 0 && said.contains("Deleted 1500 row(s) from table image_properties"), "{said}");
    assert_eq!(site.purge(&["purge_images_table", "--age_in_days", "99", "--max_rows", "-1"]).0, 0);
    assert_eq!(TABLES.map(|table| site.rows(table)), [1, 2, 1, 1, 1, 1, 1]);
}
