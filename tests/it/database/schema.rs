//! The schema that the catalogue makes is the one that `glance-manage db sync` makes, and each takes the other's.

use crate::support::{
    database::{Scratch, mysql, postgres},
    larder, output, rig, run, skip, text,
};
use std::{fs, path::Path, process::Command};

/// Everything that makes up a schema, without what is ours: one line a thing.
const MYSQL: [&str; 5] = [
    "SELECT CONCAT_WS('|', table_name, engine, table_collation) FROM information_schema.tables WHERE table_schema = DATABASE()",
    "SELECT CONCAT_WS('|', table_name, ordinal_position, column_name, IFNULL(column_default, 'none'), is_nullable, column_type,
     collation_name, column_key, extra) FROM information_schema.columns WHERE table_schema = DATABASE()",
    "SELECT CONCAT_WS('|', table_name, index_name, non_unique, seq_in_index, column_name) FROM information_schema.statistics
     WHERE table_schema = DATABASE()",
    "SELECT CONCAT_WS('|', table_name, constraint_name, column_name, ordinal_position, referenced_table_name, referenced_column_name)
     FROM information_schema.key_column_usage WHERE table_schema = DATABASE()",
    "SELECT CONCAT_WS('|', c.table_name, c.constraint_name, k.check_clause) FROM information_schema.table_constraints c
     JOIN information_schema.check_constraints k ON k.constraint_schema = c.constraint_schema AND k.constraint_name = c.constraint_name
     WHERE c.table_schema = DATABASE() AND c.constraint_type = 'CHECK'",
];

// A column that Glance's migrations dropped left a gap in its numbers.
const POSTGRES: [&str; 4] = [
    "SELECT concat_ws('|', table_name, row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position), column_name, column_default, is_nullable, data_type, udt_name,
     character_maximum_length) FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT concat_ws('|', tablename, indexname, indexdef) FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT concat_ws('|', conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid)) FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace",
    "SELECT concat_ws('|', t.typname, e.enumsortorder, e.enumlabel) FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid",
];

fn described(scratch: &Scratch) -> Vec<String> {
    let queries = if scratch.kind == "mysql" { &MYSQL[..] } else { &POSTGRES[..] };
    let mut all: Vec<String> = queries.iter().flat_map(|it| scratch.lines(it)).collect();
    all.retain(|it| !it.starts_with("larder_"));
    all.sort();
    all
}

/// Says what differs, not all there is.
fn assert_same(found: &[String], expected: &[String]) {
    let without = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|it| !those.contains(it)).cloned().collect()
    };
    let (more, less) = (without(found, expected), without(expected, found));
    assert!(more.is_empty() && less.is_empty(), "only here: {more:#?}\nmissing: {less:#?}");
    assert_eq!(found.len(), expected.len());
}

/// `glance-manage`, where it is and has the drivers.
pub(crate) fn glance_manage() -> Option<std::path::PathBuf> {
    let python = rig::program("python")?;
    let drivers = output(Command::new(python).args(["-c", "import pymysql, psycopg2"]));
    if !drivers.status.success() {
        skip("tests/setup made the rig without PyMySQL and psycopg2");
        return None;
    }
    rig::program("glance-manage")
}

fn configured(dir: &Path, scratch: &Scratch) -> std::path::PathBuf {
    let driver = if scratch.kind == "mysql" { "mysql+pymysql://" } else { "postgresql+psycopg2://" };
    let (_, rest) = scratch.url.split_once("://").unwrap();
    let file = dir.join(format!("{}.conf", fs::read_dir(dir).unwrap().count()));
    fs::write(&file, format!("[database]\nconnection = {driver}{rest}\n")).unwrap();
    file
}

fn ours(config: &Path, verb: &str) -> (Option<i32>, String) {
    let out = output(larder(&["catalogue", "--config-file"]).arg(config).args(["db", verb]));
    (out.status.code(), text(&out.stdout) + &text(&out.stderr))
}

fn is_the_same(make: fn() -> Option<Scratch>) {
    let Some(program) = glance_manage() else { return };
    let (Some(theirs), Some(mine)) = (make(), make()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (their_config, my_config) = (configured(dir.path(), &theirs), configured(dir.path(), &mine));
    let manage =
        |config: &Path, verb: &str| run(Command::new(&program).arg("--config-file").arg(config).args(["db", verb]));
    manage(&their_config, "sync");
    assert_eq!(ours(&my_config, "check").0, Some(3));
    assert_eq!(ours(&my_config, "sync"), (Some(0), "Database is synced successfully.\n".to_owned()));
    let expected = described(&theirs);
    assert!(expected.len() > 100);
    assert_same(&described(&mine), &expected);
    // Each is at home in the other's.
    assert!(manage(&my_config, "version").contains("2024_1_contract01"));
    assert!(manage(&my_config, "sync").contains("up to date"));
    assert_eq!(ours(&their_config, "version"), (Some(0), "2024_1_contract01\n".to_owned()));
    assert_eq!(ours(&their_config, "check").0, Some(0));
    assert!(ours(&their_config, "sync").1.contains("up to date"));
    assert_same(&described(&theirs), &expected);
    // In phases, too.
    let Some(third) = make() else { return };
    let config = configured(dir.path(), &third);
    for (verb, words) in
        [("expand", "2024_1_expand01"), ("migrate", "No migration needed"), ("contract", "2024_1_contract01")]
    {
        let (code, said) = ours(&config, verb);
        assert!(code == Some(0) && said.contains(words), "{verb}: {said}");
    }
    assert_same(&described(&third), &expected);
}

#[test]
fn it_is_glances_on_mariadb() {
    is_the_same(mysql);
}

#[test]
fn it_is_glances_on_postgresql() {
    is_the_same(postgres);
}

/// What a making leaves that was killed: MySQL takes no table back.
#[test]
fn a_making_that_broke_off_is_taken_up() {
    let Some(scratch) = mysql() else { return };
    let dir = tempfile::tempdir().unwrap();
    scratch.lines("CREATE TABLE larder_version (version INTEGER NOT NULL)");
    scratch.lines("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, PRIMARY KEY (version_num))");
    let config = configured(dir.path(), &scratch);
    assert_eq!(ours(&config, "sync").0, Some(0));
    assert_eq!(ours(&config, "check").0, Some(0));
    assert_eq!(scratch.lines("SELECT CAST(COUNT(*) AS CHAR) FROM images"), ["0"]);
}

#[test]
fn what_is_not_glances_is_left_alone() {
    for scratch in [mysql(), postgres()].into_iter().flatten() {
        let dir = tempfile::tempdir().unwrap();
        scratch.lines("CREATE TABLE foreign_table (x INTEGER)");
        let (code, said) = ours(&configured(dir.path(), &scratch), "sync");
        assert!(code == Some(1) && said.contains("not Glance's"), "{said}");
        scratch.lines("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)");
        scratch.lines("INSERT INTO alembic_version VALUES ('rocky_contract02')");
        let (code, said) = ours(&configured(dir.path(), &scratch), "sync");
        assert!(
            code == Some(1) && said.contains("rocky_contract02") && said.contains("glance-manage db sync"),
            "{said}"
        );
    }
}
