//! Definitions into the tables.

use crate::catalogue::{
    manage::{
        ManageError,
        metadefs::{
            Source, blocking,
            definition::{Definition, OfObject, OfTag, OfType},
            opened,
        },
    },
    tables::metadefs::{self as rows, associations, namespaces, objects, properties, tags},
};
use crate::db::{DbError, Settings, Tx};
use crate::image::metadef::{Association, Namespace, Object, Properties, Times};
use chrono::{DateTime, SubsecRound, Utc};
use std::collections::HashMap;

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

/// What a load did, file by file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The file, and what became of it.
    pub files: Vec<(String, Outcome)>,
}

/// What became of one file; the names are the namespace's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the database.
    Loaded(String),
    /// It is in the database in the place of what was there.
    Overwritten(String),
    /// It was there already.
    Skipped(String),
    /// It could not be taken, and why.
    Failed(String),
}

/// Loads each file, whole or not at all.
///
/// # Errors
/// [`ManageError`]: the folder, or the database. What is wrong with one file is in [`Loaded`].
pub async fn load_metadefs(settings: &Settings, source: &Source, how: How) -> Result<Loaded, ManageError> {
    let source = source.clone();
    let files = blocking(move || source.files()).await?;
    let db = opened(settings).await?;
    let mut done = Loaded::default();
    for file in files {
        let shown = file.to_string();
        let outcome = match blocking(move || Ok(file.read())).await? {
            Err(why) => Outcome::Failed(why),
            Ok(definition) => {
                let now = Utc::now().trunc_subsecs(6);
                match db.write::<_, DbError, _>(move |tx| store(tx, &definition, how, now)).await {
                    Ok(outcome) => outcome,
                    Err(DbError::Duplicate) => Outcome::Failed("it names something twice".to_owned()),
                    Err(other) => return Err(other.into()),
                }
            }
        };
        done.files.push((shown, outcome));
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

/// The namespace whose content is being written.
#[derive(Clone, Copy)]
struct Target<'a> {
    tx: &'a Tx<'a>,
    id: i64,
    /// There is nothing in it yet.
    is_new: bool,
    /// What differs is taken from the file.
    renew: bool,
    now: DateTime<Utc>,
}

/// In at most 18 statements, whatever is in it (five hundred of a kind in each).
pub(super) fn store(tx: &Tx<'_>, it: &Definition, how: How, now: DateTime<Utc>) -> Result<Outcome, DbError> {
    let name = it.namespace.clone();
    let mut found = namespaces::find(tx, &name)?;
    let mut overwritten = false;
    if let (Some(old), How::Overwrite) = (&found, how) {
        namespaces::remove(tx, old.id)?;
        found = None;
        overwritten = true;
    }
    let renew = how == How::PreferNew;
    let namespace = |times| Namespace {
        name: it.namespace.clone(),
        display_name: it.display_name.clone(),
        description: it.description.clone(),
        is_public: it.visibility.as_deref() == Some("public"),
        protected: it.protected.unwrap_or_default(),
        owner: it.owner.clone().unwrap_or_else(|| "admin".to_owned()),
        times,
    };
    let (id, is_new) = match found {
        None => (namespaces::insert(tx, &namespace(first_time(now)))?, true),
        Some(_) if matches!(how, How::Skip | How::Overwrite) => return Ok(Outcome::Skipped(name)),
        Some(old) => {
            if renew {
                let created = old.namespace.times.created;
                namespaces::update(tx, old.id, &namespace(Times { created, updated: Some(now) }))?;
            }
            (old.id, false)
        }
    };
    let target = Target { tx, id, is_new, renew, now };
    target.associations(it.resource_type_associations.as_deref().unwrap_or_default())?;
    target.properties(it.properties.as_ref())?;
    target.objects(it.objects.as_deref().unwrap_or_default())?;
    target.tags(it.tags.as_deref().unwrap_or_default())?;
    Ok(if overwritten { Outcome::Overwritten(name) } else { Outcome::Loaded(name) })
}

/// What a load makes has not been changed yet, as `glance-manage` has it.
fn first_time(now: DateTime<Utc>) -> Times {
    Times { created: now, updated: None }
}

// === impl Target ===

impl Target<'_> {
    fn associations(self, all: &[OfType]) -> Result<(), DbError> {
        let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        let types = associations::ensure_types(self.tx, &names, true, first_time(self.now))?;
        let known = if self.is_new { HashMap::new() } else { associations::of(self.tx, &[self.id])? };
        let known = known.get(&self.id).map(Vec::as_slice).unwrap_or_default();
        let all: Vec<(i64, Association)> = all
            .iter()
            .filter_map(|it| {
                let (prefix, properties_target) = (it.prefix.clone(), it.properties_target.clone());
                let association = Association { name: it.name.clone(), prefix, properties_target, times: None };
                Some((*types.get(&it.name)?, association))
            })
            .collect();
        let all = all.iter().map(|it| (it.0, &it.1));
        let (old, new): (Vec<_>, Vec<_>) = all.partition(|(_, it)| known.iter().any(|old| old.name == it.name));
        if self.renew {
            associations::renew(self.tx, self.id, &old, self.now)?;
        }
        associations::insert(self.tx, self.id, &new, first_time(self.now))
    }

    fn properties(self, all: Option<&Properties>) -> Result<(), DbError> {
        let known = if self.is_new { Properties::new() } else { properties::all(self.tx, self.id)? };
        let all = all.into_iter().flatten().map(|(name, schema)| (name.clone(), schema.clone()));
        let (old, new): (Properties, Properties) = all.partition(|it| known.contains_key(&it.0));
        if self.renew {
            properties::renew(self.tx, self.id, &old, self.now)?;
        }
        properties::insert(self.tx, self.id, &new, first_time(self.now))
    }

    fn objects(self, all: &[OfObject]) -> Result<(), DbError> {
        let known = if self.is_new { Vec::new() } else { objects::all(self.tx, self.id)? };
        let all = all.iter().map(|it| Object {
            name: it.name.clone(),
            required: Some(it.required.clone()),
            description: it.description.clone(),
            properties: it.properties.clone(),
            times: None,
        });
        let (old, new): (Vec<_>, Vec<_>) = all.partition(|it| known.iter().any(|old| old.name == it.name));
        if self.renew {
            objects::renew(self.tx, self.id, &old, self.now)?;
        }
        objects::insert(self.tx, self.id, &new, first_time(self.now))
    }

    /// Names that differ in case only are the same.
    fn tags(self, all: &[OfTag]) -> Result<(), DbError> {
        let known = if self.is_new { Vec::new() } else { tags::all(self.tx, self.id)? };
        let mut known: HashMap<String, Option<i64>> =
            known.into_iter().map(|(id, it)| (it.name.to_lowercase(), Some(id))).collect();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for it in all {
            match known.get(&it.name.to_lowercase()) {
                Some(id) => old.extend(*id),
                None => {
                    known.insert(it.name.to_lowercase(), None);
                    new.push(it.name.clone());
                }
            }
        }
        if self.renew {
            tags::touch(self.tx, &old, self.now)?;
        }
        tags::insert(self.tx, self.id, &new, first_time(self.now))
    }
}
