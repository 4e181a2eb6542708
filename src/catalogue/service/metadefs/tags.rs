//! The tags of a namespace. Their names differ by more than the case of letters, on every database: MySQL's collation
//! makes it so for Glance.

use crate::catalogue::{
    service::{
        Fault,
        metadefs::{Metadefs, Missing, seen, taken, unprotected},
        notes::Event,
    },
    tables::metadefs::{Content, clear, remove, tags},
};
use crate::db::Tx;
use crate::image::metadef::{Listing, SortKey, Tag, Times};
use std::collections::HashSet;

impl Metadefs<'_> {
    /// A part of a namespace's tags.
    ///
    /// # Errors
    /// `NotFound`: the namespace, or the marker.
    pub async fn tags(&self, namespace: &str, listing: &Listing) -> Result<Vec<Tag>, Fault> {
        let (rights, namespace, listing) = (self.rights.clone(), namespace.to_owned(), listing.clone());
        self.read(move |tx| {
            let found = seen(tx, &rights, "get_metadef_tags", &namespace, Missing::Namespace)?;
            part(tags::all(tx, found.id)?, &listing)
        })
        .await
    }

    /// One tag.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn tag(&self, namespace: &str, name: &str) -> Result<Tag, Fault> {
        let (rights, namespace, name) = (self.rights.clone(), namespace.to_owned(), name.to_owned());
        self.read(move |tx| {
            let found = seen(tx, &rights, "get_metadef_tag", &namespace, Missing::Namespace)?;
            Ok(find(&tags::all(tx, found.id)?, &name)?.1)
        })
        .await
    }

    /// Adds a tag.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`.
    pub async fn create_tag(&self, namespace: &str, name: &str) -> Result<Tag, Fault> {
        let (rights, namespace, names) = (self.rights.clone(), namespace.to_owned(), vec![name.to_owned()]);
        let (now, told) = (self.service.now(), namespace.clone());
        self.write(move |tx| {
            let found = seen(tx, &rights, "add_metadef_tag", &namespace, Missing::Namespace)?;
            insert(tx, found.id, &namespace, &names, Times { created: now, updated: Some(now) })
        })
        .await?;
        let tag = Tag { name: name.to_owned(), times: Times { created: now, updated: Some(now) } };
        self.service.notes().tag(Event::Created, &told, &tag);
        Ok(tag)
    }

    /// Adds tags to those of a namespace, or puts them in the place of all; none change nothing (Glance's behaviour).
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`: a name is taken, or there twice.
    pub async fn create_tags(&self, namespace: &str, names: Vec<String>, append: bool) -> Result<(), Fault> {
        let (rights, namespace, now) = (self.rights.clone(), namespace.to_owned(), self.service.now());
        let told = (namespace.clone(), names.clone());
        let made = self.write(move |tx| {
            let found = seen(tx, &rights, "add_metadef_tags", &namespace, Missing::Namespace)?;
            if names.is_empty() {
                return Ok(());
            }
            if !append {
                clear(tx, Content::Tags, found.id)?;
            }
            insert(tx, found.id, &namespace, &names, Times { created: now, updated: Some(now) })
        });
        made.await?;
        for name in told.1 {
            let tag = Tag { name, times: Times { created: now, updated: Some(now) } };
            self.service.notes().tag(Event::Created, &told.0, &tag);
        }
        Ok(())
    }

    /// Renames a tag.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`.
    pub async fn update_tag(&self, namespace: &str, name: &str, new: &str) -> Result<Tag, Fault> {
        let (rights, namespace) = (self.rights.clone(), namespace.to_owned());
        let (name, new, now) = (name.to_owned(), new.to_owned(), self.service.now());
        let told = (namespace.clone(), name.clone());
        let renamed = self.write(move |tx| {
            let found = seen(tx, &rights, "modify_metadef_tag", &namespace, Missing::Namespace)?;
            let all = tags::all(tx, found.id)?;
            let (id, tag) = find(&all, &name)?;
            if all.iter().any(|it| it.0 != id && folded(&it.1.name) == folded(&new)) {
                return Err(Fault::Conflict(duplicate_words(&namespace, &new)));
            }
            tags::update(tx, id, &new, now).map_err(taken(|| duplicate_words(&namespace, &new)))?;
            Ok(Tag { name: new.clone(), times: Times { created: tag.times.created, updated: Some(now) } })
        });
        let renamed = renamed.await?;
        self.service.notes().tag(Event::Updated(&told.1), &told.0, &renamed);
        Ok(renamed)
    }

    /// Deletes a tag.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`: the namespace is protected.
    pub async fn delete_tag(&self, namespace: &str, name: &str) -> Result<(), Fault> {
        let (rights, namespace, name) = (self.rights.clone(), namespace.to_owned(), name.to_owned());
        let told = namespace.clone();
        let removed = self.write(move |tx| {
            let found = seen(tx, &rights, "delete_metadef_tag", &namespace, Missing::Namespace)?;
            let (id, tag) = find(&tags::all(tx, found.id)?, &name)?;
            unprotected(&found, || format!("Metadata definition tag {name} is protected and cannot be deleted."))?;
            remove(tx, Content::Tags, id)?;
            Ok(tag)
        });
        self.service.notes().tag(Event::Deleted(self.service.now()), &told, &removed.await?);
        Ok(())
    }
}

/// Adds tags whose names must all be new.
pub(super) fn insert(tx: &Tx<'_>, id: i64, namespace: &str, names: &[String], at: Times) -> Result<(), Fault> {
    let mut known: HashSet<String> = tags::all(tx, id)?.iter().map(|it| folded(&it.1.name)).collect();
    if let Some(name) = names.iter().find(|it| !known.insert(folded(it))) {
        return Err(Fault::Conflict(duplicate_words(namespace, name)));
    }
    tags::insert(tx, id, names, at).map_err(taken(|| duplicate_words(namespace, &names.join(", "))))
}

fn duplicate_words(namespace: &str, name: &str) -> String {
    format!(
        "A metadata tag with name={name} already exists in namespace={namespace}. (Please note that metadata tag names \
         are case insensitive)."
    )
}

/// The tag of this very name, or else of one that differs in case.
fn find(all: &[(i64, Tag)], name: &str) -> Result<(i64, Tag), Fault> {
    let wanted = folded(name);
    let exact = all.iter().find(|it| it.1.name == name);
    let found = exact.or_else(|| all.iter().find(|it| folded(&it.1.name) == wanted));
    found.cloned().ok_or_else(|| Fault::NotFound(format!("Could not find metadata tag {name}")))
}

fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn part(mut all: Vec<(i64, Tag)>, listing: &Listing) -> Result<Vec<Tag>, Fault> {
    all.sort_by(|(a_id, a), (b_id, b)| {
        let by_key = match listing.sort {
            SortKey::Name => a.name.cmp(&b.name),
            SortKey::Updated => a.times.updated.cmp(&b.times.updated),
            _ => std::cmp::Ordering::Equal,
        };
        let order = by_key.then(a.times.created.cmp(&b.times.created)).then(a_id.cmp(b_id));
        if listing.descending { order.reverse() } else { order }
    });
    let mut from = 0;
    if let Some(marker) = &listing.marker {
        let (id, _) = find(&all, marker)?;
        from = all.iter().position(|it| it.0 == id).map_or(0, |it| it + 1);
    }
    Ok(all.into_iter().skip(from).take(listing.limit.unwrap_or(usize::MAX)).map(|it| it.1).collect())
}
