//! Definitions into files.

use crate::base::atomic_file;
use crate::catalogue::{
    manage::{
        ManageError,
        metadefs::{
            blocking,
            definition::{Definition, OfObject, OfTag, OfType},
            opened,
        },
    },
    tables::metadefs::{associations, namespaces, objects, properties, tags},
};
use crate::db::{DbError, Settings, Tx};
use std::{
    fs,
    path::{Path, PathBuf},
};

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
        for definition in all {
            let file = folder.join(file_name(&definition, &files));
            let text = serde_json::to_vec_pretty(&definition).unwrap_or_default();
            atomic_file::write(&file, &text).map_err(failed("write", &file))?;
            files.push(file);
        }
        Ok(files)
    })
    .await
}

/// In five statements, however many there are (five hundred in each).
pub(super) fn read_all(tx: &Tx<'_>) -> Result<Vec<Definition>, DbError> {
    let all = namespaces::all(tx)?;
    let ids: Vec<i64> = all.iter().map(|it| it.id).collect();
    let mut types = associations::of(tx, &ids)?;
    let mut properties = properties::of(tx, &ids)?;
    let mut objects = objects::of(tx, &ids)?;
    let mut tags = tags::of(tx, &ids)?;
    let one = |it: namespaces::Found| {
        let types = types.remove(&it.id).unwrap_or_default().into_iter();
        let types =
            types.map(|it| OfType { name: it.name, prefix: it.prefix, properties_target: it.properties_target });
        let objects = objects.remove(&it.id).unwrap_or_default().into_iter().map(|it| OfObject {
            name: it.name,
            description: it.description,
            required: it.required.unwrap_or_default(),
            properties: it.properties,
        });
        let tags = tags.remove(&it.id).unwrap_or_default().into_iter().rev();
        Definition {
            namespace: it.namespace.name,
            display_name: it.namespace.display_name,
            description: it.namespace.description,
            visibility: Some(if it.namespace.is_public { "public" } else { "private" }.to_owned()),
            protected: Some(it.namespace.protected),
            owner: None,
            resource_type_associations: Some(types.collect()),
            properties: Some(properties.remove(&it.id).unwrap_or_default()),
            objects: Some(objects.collect()),
            tags: Some(tags.map(|it| OfTag { name: it.1.name }).collect()),
        }
    };
    Ok(all.into_iter().map(one).collect())
}

/// The letters and digits of the name for people, as `glance-manage` has it; of the namespace where that is taken.
fn file_name(it: &Definition, taken: &[PathBuf]) -> String {
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
