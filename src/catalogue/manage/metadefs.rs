//! Metadata definitions out of files and into files, in `glance-manage`'s format: one namespace a file.

use crate::base::{atomic_file, chain};
use crate::catalogue::manage::{ManageError, database};
use crate::catalogue::tables;
use crate::catalogue::tables::metadefs::{self as rows, associations, namespaces, objects, properties, tags};
use crate::db::{Db, DbError, Settings, Tx};
use crate::image::metadef::{Association, Namespace, Object, Properties, Times};
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// Bytes of a file of definitions; the greatest known one has 30 thousand.
const MAX_FILE: u64 = 16 << 20;

/// Characters of a name: what the columns hold.
const MAX_NAME: usize = 80;

/// What becomes of a namespace that is in the database already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// It stays as it is.
    #[default]
    Skip,
    /// It gets what it lacks.
    Merge,
    /// It gets what it lacks, and what differs is taken from the file.
    PreferNew,
    /// It is deleted first.
    Overwrite,
}

/// What a load did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Namespaces out of files.
    pub loaded: Vec<String>,
    /// Namespaces that were there already.
    pub skipped: Vec<String>,
    /// Files that could not be taken, and why.
    pub failed: Vec<(PathBuf, String)>,
}

/// A file of definitions.
#[derive(Debug, Deserialize, Serialize)]
struct Definitions {
    namespace: String,
    display_name: Option<String>,
    description: Option<String>,
    visibility: Option<String>,
    protected: Option<bool>,
    /// Files that are written do not say it: it is a project of one cloud.
    #[serde(skip_serializing)]
    owner: Option<String>,
    resource_type_associations: Option<Vec<OfType>>,
    properties: Option<Properties>,
    objects: Option<Vec<OfObject>>,
    tags: Option<Vec<OfTag>>,
}

#[derive(Debug, Deserialize, Serialize)]
struct OfType {
    name: String,
    prefix: Option<String>,
    properties_target: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct OfObject {
    name: String,
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    required: Vec<String>,
    properties: Option<Properties>,
}

#[derive(Debug, Deserialize, Serialize)]
struct OfTag {
    name: String,
}

/// Loads a file, or all `*.json` files of a folder in the order of their names; each is taken whole or not at all.
///
/// # Errors
/// [`ManageError`]: the folder, or the database. What is wrong with one file is in [`Loaded`].
pub async fn load_metadefs(settings: &Settings, path: &Path, how: How) -> Result<Loaded, ManageError> {
    let db = opened(settings).await?;
    let path = path.to_owned();
    let files = blocking(move || list(&path)).await?;
    let mut done = Loaded::default();
    for file in files {
        let read = file.clone();
        let definitions = match blocking(move || Ok(parse(&read))).await? {
            Ok(definitions) => definitions,
            Err(why) => {
                done.failed.push((file, why));
                continue;
            }
        };
        let name = definitions.namespace.clone();
        let now = Utc::now().trunc_subsecs(6);
        match db.write::<_, DbError, _>(move |tx| store(tx, &definitions, how, now)).await {
            Ok(true) => done.loaded.push(name),
            Ok(false) => done.skipped.push(name),
            Err(DbError::Duplicate) => done.failed.push((file, "it names something twice".to_owned())),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(done)
}

/// Empties all tables of metadata definitions.
///
/// # Errors
/// [`ManageError`].
pub async fn unload_metadefs(settings: &Settings) -> Result<(), ManageError> {
    Ok(opened(settings).await?.write::<_, DbError, _>(rows::clear_all).await?)
}

/// Writes each namespace to a file of its own in a folder, which is made if it is not there; the files.
///
/// # Errors
/// [`ManageError`].
pub async fn export_metadefs(settings: &Settings, folder: &Path) -> Result<Vec<PathBuf>, ManageError> {
    let all = opened(settings).await?.read::<_, DbError, _>(read_all).await?;
    let folder = folder.to_owned();
    blocking(move || {
        let failed = |step, path: &Path| {
            let path = path.to_owned();
            move |source| ManageError::File { step, path, source }
        };
        fs::create_dir_all(&folder).map_err(failed("make", &folder))?;
        let mut files = Vec::new();
        for definitions in all {
            let file = folder.join(file_name(&definitions, &files));
            let text = serde_json::to_vec_pretty(&definitions).unwrap_or_default();
            atomic_file::write(&file, &text).map_err(failed("write", &file))?;
            files.push(file);
        }
        Ok(files)
    })
    .await
}

async fn opened(settings: &Settings) -> Result<Db, ManageError> {
    let db = database::open(settings).await?;
    tables::ensure(&db).await?;
    Ok(db)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ManageError> + Send + 'static,
) -> Result<T, ManageError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ManageError::BrokeOff))
}

fn list(path: &Path) -> Result<Vec<PathBuf>, ManageError> {
    let failed = |source| ManageError::File { step: "read", path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|it| it == "json") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() { Err(ManageError::Empty(path.to_owned())) } else { Ok(files) }
}

fn parse(path: &Path) -> Result<Definitions, String> {
    let size = fs::metadata(path).map_err(|it| it.to_string())?.len();
    if size > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    let bytes = fs::read(path).map_err(|it| it.to_string())?;
    let found: Definitions = serde_json::from_slice(&bytes).map_err(|it| chain(&it).to_string())?;
    if let Some(long) = names(&found).into_iter().find(|it| it.chars().count() > MAX_NAME) {
        let start: String = long.chars().take(40).collect();
        return Err(format!("the name '{start}...' has more than {MAX_NAME} characters"));
    }
    Ok(found)
}

/// All that goes into columns of a name's length.
fn names(it: &Definitions) -> Vec<&String> {
    let mut names = vec![&it.namespace];
    names.extend(&it.display_name);
    for one in it.resource_type_associations.iter().flatten() {
        names.push(&one.name);
        names.extend(one.prefix.iter().chain(&one.properties_target));
    }
    names.extend(it.objects.iter().flatten().map(|it| &it.name));
    names.extend(it.tags.iter().flatten().map(|it| &it.name));
    names.extend(it.properties.iter().flatten().map(|it| it.0));
    names
}

/// Whether the namespace was taken, or is there already.
fn store(tx: &Tx<'_>, it: &Definitions, how: How, now: DateTime<Utc>) -> Result<bool, DbError> {
    let mut found = namespaces::find(tx, &it.namespace)?;
    if let (Some(old), How::Overwrite) = (&found, how) {
        namespaces::remove(tx, old.id)?;
        found = None;
    }
    let created = found.as_ref().map_or(now, |it| it.namespace.times.created);
    let namespace = Namespace {
        name: it.namespace.clone(),
        display_name: it.display_name.clone(),
        description: it.description.clone(),
        is_public: it.visibility.as_deref() == Some("public"),
        protected: it.protected.unwrap_or_default(),
        owner: it.owner.clone().unwrap_or_else(|| "admin".to_owned()),
        times: Times { created, updated: Some(now) },
    };
    let id = match (found, how) {
        (None, _) => namespaces::insert(tx, &namespace)?,
        (Some(_), How::Skip | How::Overwrite) => return Ok(false),
        (Some(old), How::Merge) => old.id,
        (Some(old), How::PreferNew) => {
            namespaces::update(tx, old.id, &namespace)?;
            old.id
        }
    };
    let renew = how == How::PreferNew;
    store_associations(tx, id, it.resource_type_associations.as_deref().unwrap_or_default(), renew, now)?;
    store_properties(tx, id, it.properties.as_ref(), renew, now)?;
    store_objects(tx, id, it.objects.as_deref().unwrap_or_default(), renew, now)?;
    let known = tags::all(tx, id)?;
    let mut known: HashSet<String> = known.into_iter().map(|it| it.1.name.to_lowercase()).collect();
    let names = it.tags.iter().flatten().map(|it| it.name.clone());
    let new: Vec<String> = names.filter(|it| known.insert(it.to_lowercase())).collect();
    tags::insert(tx, id, &new, now)?;
    Ok(true)
}

fn store_associations(tx: &Tx<'_>, id: i64, all: &[OfType], renew: bool, now: DateTime<Utc>) -> Result<(), DbError> {
    let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
    let types = associations::ensure_types(tx, &names, true, now)?;
    let known = associations::of(tx, &[id])?.remove(&id).unwrap_or_default();
    let association = |it: &OfType| Association {
        name: it.name.clone(),
        prefix: it.prefix.clone(),
        properties_target: it.properties_target.clone(),
        times: None,
    };
    let mut new = Vec::new();
    for it in all {
        let Some(resource_type) = types.get(&it.name).copied() else { continue };
        if known.iter().all(|old| old.name != it.name) {
            new.push((resource_type, association(it)));
        } else if renew {
            associations::update(tx, id, resource_type, &association(it), now)?;
        }
    }
    let new: Vec<(i64, &Association)> = new.iter().map(|it| (it.0, &it.1)).collect();
    associations::insert(tx, id, &new, now)
}

fn store_properties(
    tx: &Tx<'_>,
    id: i64,
    all: Option<&Properties>,
    renew: bool,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let known = properties::all(tx, id)?;
    let mut new = Properties::new();
    for (name, schema) in all.into_iter().flatten() {
        if !known.contains_key(name) {
            new.insert(name.clone(), schema.clone());
        } else if let (true, Some((row, _))) = (renew, properties::find(tx, id, name)?) {
            properties::update(tx, row, name, schema, now)?;
        }
    }
    properties::insert(tx, id, &new, now)
}

fn store_objects(tx: &Tx<'_>, id: i64, all: &[OfObject], renew: bool, now: DateTime<Utc>) -> Result<(), DbError> {
    let known = objects::all(tx, id)?;
    let mut new = Vec::new();
    for it in all {
        let object = Object {
            name: it.name.clone(),
            required: Some(it.required.clone()),
            description: it.description.clone(),
            properties: it.properties.clone(),
            times: None,
        };
        if known.iter().all(|old| old.name != it.name) {
            new.push(object);
        } else if let (true, Some((row, _))) = (renew, objects::find(tx, id, &it.name)?) {
            objects::update(tx, row, &object, now)?;
        }
    }
    objects::insert(tx, id, &new, now)
}

fn read_all(tx: &Tx<'_>) -> Result<Vec<Definitions>, DbError> {
    let all = namespaces::all(tx)?;
    let ids: Vec<i64> = all.iter().map(|it| it.id).collect();
    let mut types = associations::of(tx, &ids)?;
    let one = |it: namespaces::Found| {
        let types = types.remove(&it.id).unwrap_or_default().into_iter();
        let types =
            types.map(|it| OfType { name: it.name, prefix: it.prefix, properties_target: it.properties_target });
        let objects = objects::all(tx, it.id)?.into_iter().map(|it| OfObject {
            name: it.name,
            description: it.description,
            required: it.required.unwrap_or_default(),
            properties: it.properties,
        });
        Ok(Definitions {
            namespace: it.namespace.name,
            display_name: it.namespace.display_name,
            description: it.namespace.description,
            visibility: Some(if it.namespace.is_public { "public" } else { "private" }.to_owned()),
            protected: Some(it.namespace.protected),
            owner: None,
            resource_type_associations: Some(types.collect()),
            properties: Some(properties::all(tx, it.id)?),
            objects: Some(objects.collect()),
            tags: Some(tags::all(tx, it.id)?.into_iter().rev().map(|it| OfTag { name: it.1.name }).collect()),
        })
    };
    all.into_iter().map(one).collect()
}

/// The letters and digits of the name for people, as `glance-manage` has it; of the namespace where that is taken.
fn file_name(it: &Definitions, taken: &[PathBuf]) -> String {
    let letters = |text: &str| text.chars().filter(|it| it.is_alphanumeric()).collect::<String>();
    let is_taken = |name: &str| taken.iter().any(|it| it.file_stem().is_some_and(|stem| stem == name));
    let wanted = letters(it.display_name.as_deref().unwrap_or_default());
    if !wanted.is_empty() && !is_taken(&wanted) {
        return format!("{wanted}.json");
    }
    let base = letters(&it.namespace);
    let mut name = base.clone();
    let mut count = 1;
    while name.is_empty() || is_taken(&name) {
        count += 1;
        name = format!("{base}{count}");
    }
    format!("{name}.json")
}
