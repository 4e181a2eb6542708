//! Namespaces, and emptying them.

use crate::catalogue::{
    service::{
        Fault,
        metadefs::{Metadefs, Missing, seen, taken, unprotected},
        notes::Event,
    },
    tables::metadefs::{Content, associations, clear, namespaces, objects, properties, tags},
};
use crate::db::Tx;
use crate::image::metadef::{Association, Details, Listing, Namespace, NewNamespace, Object, Tag, Times};
use chrono::{DateTime, Utc};
use std::collections::HashSet;

/// A page of namespaces, each with its associations.
pub(super) type NamespacePage = (Vec<(Namespace, Vec<Association>)>, bool);

impl Metadefs<'_> {
    /// A page of namespaces with their associations, and whether there may be another one.
    ///
    /// # Errors
    /// `NotFound`: the marker.
    pub async fn namespaces(&self, listing: &Listing) -> Result<NamespacePage, Fault> {
        let (rights, listing) = (self.rights.clone(), listing.clone());
        rights.demand("get_metadef_namespaces", None)?;
        rights.demand("list_metadef_resource_types", None)?;
        self.read(move |tx| {
            let missing = Missing::Definition;
            let marker = listing.marker.as_deref();
            let marker = marker.map(|it| seen(tx, &rights, "get_metadef_namespace", it, missing)).transpose()?;
            let rows = namespaces::page(tx, &rights.sight(), &listing, marker.as_ref())?;
            let more = !rows.is_empty() && listing.limit == Some(rows.len());
            let ids: Vec<i64> = rows.iter().map(|it| it.id).collect();
            let mut of = associations::of(tx, &ids)?;
            let shown = rows.into_iter().filter(|it| rights.sees(&it.namespace));
            let page = shown.map(|it| (it.namespace, of.remove(&it.id).unwrap_or_default()));
            Ok((page.collect(), more))
        })
        .await
    }

    /// Makes a namespace with all that is in it.
    ///
    /// # Errors
    /// `Conflict`: a name is taken, or twice in the description; `Forbidden`.
    pub async fn create_namespace(&self, new: NewNamespace) -> Result<(Namespace, Details), Fault> {
        let rights = self.rights.clone();
        rights.demand("add_metadef_namespace", None)?;
        let details = &new.details;
        for (is_asked, rule) in [
            (details.associations.is_some(), "add_metadef_resource_type_association"),
            (details.objects.is_some(), "add_metadef_object"),
            (details.properties.is_some(), "add_metadef_property"),
            (details.tags.is_some(), "add_metadef_tag"),
        ] {
            if is_asked {
                rights.demand(rule, None)?;
            }
        }
        let now = self.service.now();
        let owner = new.owner.clone().unwrap_or_else(|| rights.owner());
        let namespace = described(&new, owner, Times { created: now, updated: Some(now) });
        let (row, details) = (namespace.clone(), new.details.clone());
        self.service.db().write(move |tx| insert(tx, &row, &details, now)).await?;
        self.tell_created(&namespace, &new.details);
        Ok((namespace, new.details))
    }

    /// A namespace with all that is in it; with a resource type, under the names that its properties have there.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn namespace(&self, name: &str, resource_type: Option<&str>) -> Result<(Namespace, Details), Fault> {
        let (rights, name, resource_type) = (self.rights.clone(), name.to_owned(), resource_type.map(str::to_owned));
        self.read(move |tx| {
            let found = seen(tx, &rights, "get_metadef_namespace", &name, Missing::Definition)?;
            for rule in
                ["list_metadef_resource_types", "get_metadef_objects", "get_metadef_properties", "get_metadef_tags"]
            {
                rights.demand(rule, Some(&found.namespace))?;
            }
            let properties = properties::all(tx, found.id)?;
            let tags: Vec<String> = tags::all(tx, found.id)?.into_iter().map(|(_, it)| it.name).collect();
            let mut details = Details {
                associations: associations::of(tx, &[found.id])?.remove(&found.id),
                properties: (!properties.is_empty()).then_some(properties),
                objects: Some(objects::all(tx, found.id)?).filter(|it| !it.is_empty()),
                tags: (!tags.is_empty()).then_some(tags),
            };
            if let Some(resource_type) = &resource_type {
                details.prefix_for(resource_type);
            }
            Ok((found.namespace, details))
        })
        .await
    }

    /// Writes the fields of a namespace anew; what is in it stays.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`: the new name is taken.
    pub async fn update_namespace(&self, name: &str, new: NewNamespace) -> Result<Namespace, Fault> {
        let (rights, name, now) = (self.rights.clone(), name.to_owned(), self.service.now());
        let old = name.clone();
        let changed = self.write(move |tx| {
            let found = seen(tx, &rights, "modify_metadef_namespace", &name, Missing::Namespace)?;
            let owner = new.owner.clone().unwrap_or_else(|| rights.owner());
            let times = Times { created: found.namespace.times.created, updated: Some(now) };
            let changed = described(&new, owner, times);
            let words = || {
                let name = &new.name;
                format!(
                    "Invalid update. It would result in a duplicate metadata definition namespace with the same name of \
                     {name}"
                )
            };
            namespaces::update(tx, found.id, &changed).map_err(taken(words))?;
            Ok(changed)
        });
        let changed = changed.await?;
        self.service.notes().namespace(Event::Updated(&old), &changed);
        Ok(changed)
    }

    /// Deletes a namespace with all that is in it.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`: it is protected.
    pub async fn delete_namespace(&self, name: &str) -> Result<(), Fault> {
        let (rights, name) = (self.rights.clone(), name.to_owned());
        let removed = self.write(move |tx| {
            let found = seen(tx, &rights, "delete_metadef_namespace", &name, Missing::Namespace)?;
            unprotected(&found, || protected_words(&name))?;
            namespaces::remove(tx, found.id)?;
            Ok(found.namespace)
        });
        self.service.notes().namespace(Event::Deleted(self.service.now()), &removed.await?);
        Ok(())
    }

    /// Deletes all properties, all objects or all tags of a namespace.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`: the namespace is protected.
    pub(crate) async fn clear(&self, name: &str, content: Content) -> Result<(), Fault> {
        let (rights, name) = (self.rights.clone(), name.to_owned());
        let cleared = self.write(move |tx| {
            let found = seen(tx, &rights, "delete_metadef_namespace", &name, Missing::Namespace)?;
            if content == Content::Tags {
                rights.demand("delete_metadef_tags", Some(&found.namespace))?;
            }
            unprotected(&found, || protected_words(&name))?;
            clear(tx, content, found.id)?;
            Ok(found.namespace)
        });
        let event = match content {
            Content::Objects => "metadef_namespace.delete_objects",
            Content::Properties => "metadef_namespace.delete_properties",
            Content::Tags => "metadef_namespace.delete_tags",
        };
        self.service.notes().namespace_cleared(event, &cleared.await?);
        Ok(())
    }

    /// A namespace with all that is in it, in Glance's order.
    fn tell_created(&self, namespace: &Namespace, details: &Details) {
        let (notes, name, at) = (self.service.notes(), &namespace.name, namespace.times);
        notes.namespace(Event::Created, namespace);
        for it in details.associations.iter().flatten() {
            notes.association(Event::Created, name, &Association { times: Some(at), ..it.clone() });
        }
        for it in details.objects.iter().flatten() {
            notes.object(Event::Created, name, &Object { times: Some(at), ..it.clone() });
        }
        for it in details.tags.iter().flatten() {
            notes.tag(Event::Created, name, &Tag { name: it.clone(), times: at });
        }
        for (property, schema) in details.properties.iter().flatten() {
            let schema = schema.as_object().cloned().unwrap_or_default();
            notes.property(Event::Created, name, (property, &schema));
        }
    }
}

fn protected_words(name: &str) -> String {
    format!("Metadata definition namespace {name} is protected and cannot be deleted.")
}

fn described(new: &NewNamespace, owner: String, times: Times) -> Namespace {
    Namespace {
        name: new.name.clone(),
        display_name: new.display_name.clone(),
        description: new.description.clone(),
        is_public: new.is_public,
        protected: new.protected,
        owner,
        times,
    }
}

fn insert(tx: &Tx<'_>, it: &Namespace, details: &Details, now: DateTime<Utc>) -> Result<(), Fault> {
    let name = &it.name;
    let words = || format!("The metadata definition namespace={name} already exists.");
    let id = namespaces::insert(tx, it).map_err(taken(words))?;
    let at = Times { created: now, updated: Some(now) };
    if let Some(all) = &details.associations {
        if let Some(twice) = twice(all.iter().map(|it| it.name.clone())) {
            return Err(super::resource_types::duplicate(name, &twice));
        }
        let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        let ids = associations::ensure_types(tx, &names, false, at)?;
        let rows: Vec<(i64, &Association)> = all.iter().filter_map(|it| Some((*ids.get(&it.name)?, it))).collect();
        let words = || super::resource_types::duplicate_words(name, &alike(all.iter().map(|it| &it.name)));
        associations::insert(tx, id, &rows, at).map_err(taken(words))?;
    }
    if let Some(all) = &details.objects {
        if let Some(twice) = twice(all.iter().map(|it: &Object| it.name.clone())) {
            return Err(super::objects::duplicate(name, &twice));
        }
        let words = || super::objects::duplicate_words(name, &alike(all.iter().map(|it| &it.name)));
        objects::insert(tx, id, all, at).map_err(taken(words))?;
    }
    if let Some(all) = &details.tags {
        super::tags::insert(tx, id, name, all, at)?;
    }
    if let Some(all) = &details.properties {
        let words = || super::properties::duplicate_words(name, &alike(all.keys()));
        properties::insert(tx, id, all, at).map_err(taken(words))?;
    }
    Ok(())
}

/// The first that another differs from in case alone, where the database has taken two for one; all when it has other
/// reasons.
fn alike<'a>(names: impl Iterator<Item = &'a String> + Clone) -> String {
    let mut known = HashSet::new();
    let first = names.clone().find(|it| !known.insert(it.to_lowercase()));
    first.cloned().unwrap_or_else(|| names.map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// The first that is there twice.
fn twice(names: impl Iterator<Item = String>) -> Option<String> {
    let mut known = HashSet::new();
    names.into_iter().find(|it| !known.insert(it.clone()))
}
