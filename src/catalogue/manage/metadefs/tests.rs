use super::{
    How, Outcome, Source, database, definition::Definition, export_metadefs, load_metadefs, opened, standard,
    unload_metadefs,
};
use crate::db::{DbError, Settings, Tx, scratch};
use chrono::Utc;
use serde_json::{Value, json};
use std::{collections::HashSet, fs, path::Path};

fn settings(dir: &Path) -> Settings {
    Settings::sqlite(&dir.join("catalogue.sqlite"))
}

async fn load(settings: &Settings, path: &Path, how: How) -> Vec<Outcome> {
    let done = load_metadefs(settings, &Source::Path(path.to_owned()), how).await.unwrap();
    done.files.into_iter().map(|it| it.1).collect()
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
async fn definitions_go_in_and_out() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, folder) = (settings(dir.path()), dir.path().join("in"));
    fs::create_dir(&folder).unwrap();
    assert!(load_metadefs(&settings, &Source::Path(folder.clone()), How::Skip).await.is_err(), "no files");
    fs::write(folder.join("n.json"), definitions("one").to_string()).unwrap();
    fs::write(folder.join("broken.json"), "{").unwrap();
    fs::write(folder.join("other.txt"), "{").unwrap();
    let done = load(&settings, &folder, How::Skip).await;
    assert!(matches!(&done[..], [Outcome::Failed(_), Outcome::Loaded(name)] if name == "N"), "{done:?}");

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
    load(&settings, &file, How::Skip).await;
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
        let done = load(&settings, &file, how).await;
        let wanted = match how {
            How::Skip => Outcome::Skipped("N".to_owned()),
            How::Overwrite => Outcome::Overwritten("N".to_owned()),
            _ => Outcome::Loaded("N".to_owned()),
        };
        assert_eq!(done, [wanted], "{how:?}");
        assert_eq!(shown(&settings, dir.path()).await, (title.to_owned(), tags.to_owned()), "{how:?}");
    }
}

#[test]
fn the_configured_folder_counts_when_there_are_files_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("metadefs");
    let standard = Source::Standard { instead_of: Some(folder.clone()) };
    assert_eq!(Source::choose(None, &folder).unwrap(), standard);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("README"), "").unwrap();
    assert_eq!(Source::choose(None, &folder).unwrap(), standard);
    fs::write(folder.join("n.json"), "").unwrap();
    assert_eq!(Source::choose(None, &folder).unwrap(), Source::Path(folder.clone()));
    assert_eq!(Source::choose(Some(dir.path()), &folder).unwrap(), Source::Path(dir.path().to_owned()));
    assert!(Source::choose(None, &folder.join("README/x")).is_err());
}

#[test]
fn the_standard_definitions_are_those_of_the_folder_and_fit_the_api() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/metadefs");
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, standard::FILES.map(|it| it.0));
    let mut namespaces = HashSet::new();
    for (name, text) in standard::FILES {
        let it = Definition::parse(text.as_bytes()).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(it.description.is_some_and(|it| it.chars().count() <= 500), "{name}");
        assert!(namespaces.insert(it.namespace), "{name}");
    }
}

/// The files of an export, after everything was loaded in every way.
async fn round(settings: &Settings, out: &Path) -> Vec<(String, String)> {
    let standard = Source::Standard { instead_of: None };
    let done = load_metadefs(settings, &standard, How::Skip).await.unwrap();
    assert!(done.files.iter().all(|it| matches!(it.1, Outcome::Loaded(_))), "{done:?}");
    let exported = export_metadefs(settings, out).await.unwrap();
    assert_eq!(exported.len(), standard::FILES.len());
    let before: Vec<Vec<u8>> = exported.iter().map(|it| fs::read(it).unwrap()).collect();
    unload_metadefs(settings).await.unwrap();
    load(settings, out, How::Skip).await;
    for how in [How::PreferNew, How::Overwrite] {
        load(settings, out, how).await;
        assert_eq!(export_metadefs(settings, out).await.unwrap(), exported);
        assert!(exported.iter().zip(&before).all(|(file, text)| fs::read(file).unwrap() == *text), "{how:?}");
    }
    let name = |it: &Path| it.file_name().unwrap().to_str().unwrap().to_owned();
    exported.iter().map(|it| (name(it), fs::read_to_string(it).unwrap())).collect()
}

#[tokio::test]
async fn the_standard_definitions_come_out_of_every_database_as_they_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let expected = round(&settings(dir.path()), &dir.path().join("sqlite")).await;
    for scratch in scratch::servers() {
        let settings = Settings { connection: scratch.url.clone(), ..Settings::default() };
        database::sync(&settings, None).await.unwrap();
        let found = round(&settings, &dir.path().join(scratch.kind)).await;
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{}", scratch.kind);
        }
    }
}

#[tokio::test]
async fn a_load_takes_few_statements_whatever_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let db = opened(&settings(dir.path())).await.unwrap();
    for how in [How::Skip, How::Merge, How::PreferNew, How::Overwrite] {
        for (name, text) in standard::FILES {
            let it = Definition::parse(text.as_bytes()).unwrap();
            let store = move |tx: &Tx<'_>| {
                super::load::store(tx, &it, how, Utc::now())?;
                Ok::<_, DbError>(tx.statements())
            };
            let statements = db.write(store).await.unwrap();
            assert!(statements <= 18, "{name} {how:?}: {statements}");
        }
    }
    let read = |tx: &Tx<'_>| {
        super::export::read_all(tx)?;
        Ok::<_, DbError>(tx.statements())
    };
    assert_eq!(db.read(read).await.unwrap(), 5);
}
