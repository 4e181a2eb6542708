use super::{How, State, check, export_metadefs, load_metadefs, sync, unload_metadefs, versions};
use crate::db::Settings;
use serde_json::{Value, json};
use std::{fs, path::Path};

fn settings(dir: &Path) -> Settings {
    Settings::sqlite(&dir.join("catalogue.sqlite"))
}

fn definitions(title: &str) -> Value {
    json!({
        "namespace": "N",
        "display_name": "The N, first",
        "visibility": "public",
        "protected": true,
        "resource_type_associations": [{"name": "OS::A", "prefix": "a_", "properties_target": null}],
        "properties": {"p": {"title": title, "type": "string"}},
        "objects": [{"name": "o", "description": null, "properties": {"q": {"title": title, "type": "string"}}}],
        "tags": [{"name": "t"}],
    })
}

/// The title of `p`, the names of the tags.
async fn shown(settings: &Settings, dir: &Path) -> (String, String) {
    let files = export_metadefs(settings, &dir.join("seen")).await.unwrap();
    let seen: Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
    (seen["properties"]["p"]["title"].to_string(), seen["tags"].to_string())
}

#[tokio::test]
async fn a_schema_is_made_and_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    assert_eq!(check(&settings).await.unwrap(), State::ToExpand);
    assert!(!dir.path().join("catalogue.sqlite").exists());
    assert!(sync(&settings).await.unwrap());
    assert!(!sync(&settings).await.unwrap());
    assert_eq!(check(&settings).await.unwrap(), State::Current);
    assert_eq!(versions(&settings).await.unwrap(), ["2024_1_contract01"]);
    let raw = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    for (version, state) in [("2024_1_expand01", State::ToContract), ("2023_1_expand01", State::ToExpand)] {
        raw.execute("UPDATE alembic_version SET version_num = ?", [version]).unwrap();
        assert_eq!(check(&settings).await.unwrap(), state);
        assert!(sync(&settings).await.is_err());
    }
}

#[tokio::test]
async fn definitions_go_in_and_out() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, folder) = (settings(dir.path()), dir.path().join("in"));
    fs::create_dir(&folder).unwrap();
    assert!(load_metadefs(&settings, &folder, How::Skip).await.is_err(), "no files");
    fs::write(folder.join("n.json"), definitions("one").to_string()).unwrap();
    fs::write(folder.join("broken.json"), "{").unwrap();
    fs::write(folder.join("other.txt"), "{").unwrap();
    let done = load_metadefs(&settings, &folder, How::Skip).await.unwrap();
    assert_eq!((done.loaded, done.failed.len()), (vec!["N".to_owned()], 1));

    let out = export_metadefs(&settings, &dir.path().join("out")).await.unwrap();
    assert_eq!(out, [dir.path().join("out/TheNfirst.json")]);
    let mut written: Value = serde_json::from_slice(&fs::read(&out[0]).unwrap()).unwrap();
    assert_eq!(written["description"].take(), Value::Null);
    written.as_object_mut().unwrap().shift_remove("description");
    assert_eq!(written, definitions("one"));

    unload_metadefs(&settings).await.unwrap();
    assert!(export_metadefs(&settings, &dir.path().join("out")).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_there_already_stays_is_merged_or_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, file) = (settings(dir.path()), dir.path().join("n.json"));
    fs::write(&file, definitions("one").to_string()).unwrap();
    load_metadefs(&settings, &file, How::Skip).await.unwrap();
    let mut second = definitions("two");
    second["tags"] = json!([{"name": "T"}, {"name": "new"}]);
    fs::write(&file, second.to_string()).unwrap();
    let (old, both) = (r#"[{"name":"t"}]"#, r#"[{"name":"t"},{"name":"new"}]"#);
    for (how, title, tags) in [
        (How::Skip, "\"one\"", old),
        (How::Merge, "\"one\"", both),
        (How::PreferNew, "\"two\"", both),
        (How::Overwrite, "\"two\"", r#"[{"name":"T"},{"name":"new"}]"#),
    ] {
        let done = load_metadefs(&settings, &file, how).await.unwrap();
        assert_eq!(done.skipped.len(), usize::from(how == How::Skip), "{how:?}");
        assert_eq!(shown(&settings, dir.path()).await, (title.to_owned(), tags.to_owned()), "{how:?}");
    }
}
