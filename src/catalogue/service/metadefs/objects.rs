//! The objects of a namespace.

use crate::catalogue::{
    service::{
        Fault,
        metadefs::{Metadefs, Missing, seen, taken, unprotected},
        notes::Event,
    },
    tables::metadefs::{Content, objects, remove},
};
use crate::image::metadef::{Object, Times};

impl Metadefs<'_> {
    /// All objects of a namespace.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn objects(&self, namespace: &str) -> Result<Vec<Object>, Fault> {
        let (rights, namespace) = (self.rights.clone(), namespace.to_owned());
        self.read(move |tx| {
            let found = seen(tx, &rights, "get_metadef_objects", &namespace, Missing::Definition)?;
            Ok(objects::all(tx, found.id)?)
        })
        .await
    }

    /// One object.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn object(&self, namespace: &str, name: &str) -> Result<Object, Fault> {
        let (rights, namespace, name) = (self.rights.clone(), namespace.to_owned(), name.to_owned());
        self.read(move |tx| {
            let found = seen(tx, &rights, "get_metadef_object", &namespace, Missing::Definition)?;
            objects::find(tx, found.id, &name)?.map(|it| it.1).ok_or_else(|| missing(&name))
        })
        .await
    }

    /// Adds an object.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`.
    pub async fn create_object(&self, namespace: &str, new: Object) -> Result<Object, Fault> {
        let (rights, namespace, now) = (self.rights.clone(), namespace.to_owned(), self.service.now());
        let told = namespace.clone();
        let made = self.write(move |tx| {
            let found = seen(tx, &rights, "add_metadef_object", &namespace, Missing::Definition)?;
            let words = || duplicate_words(&namespace, &new.name);
            let at = Times { created: now, updated: Some(now) };
            objects::insert(tx, found.id, std::slice::from_ref(&new), at).map_err(taken(words))?;
            Ok(Object { times: Some(at), ..new.clone() })
        });
        let made = made.await?;
        self.service.notes().object(Event::Created, &told, &made);
        Ok(made)
    }

    /// Replaces an object, under the same or another name.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`: the new name is taken.
    pub async fn update_object(&self, namespace: &str, name: &str, new: Object) -> Result<Object, Fault> {
        let (rights, namespace, name) = (self.rights.clone(), namespace.to_owned(), name.to_owned());
        let now = self.service.now();
        let (told, old_name) = (namespace.clone(), name.clone());
        let changed = self.write(move |tx| {
            let found = seen(tx, &rights, "modify_metadef_object", &namespace, Missing::Definition)?;
            let (id, old) = objects::find(tx, found.id, &name)?.ok_or_else(|| missing(&name))?;
            let words = || {
                let name = &new.name;
                format!(
                    "Invalid update. It would result in a duplicate metadata definition object with the same name={name} \
                     in namespace={namespace}."
                )
            };
            objects::update(tx, id, &new, now).map_err(taken(words))?;
            let created = old.times.map_or(now, |it| it.created);
            Ok(Object { times: Some(Times { created, updated: Some(now) }), ..new.clone() })
        });
        let changed = changed.await?;
        self.service.notes().object(Event::Updated(&old_name), &told, &changed);
        Ok(changed)
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`: the namespace is protected.
    pub async fn delete_object(&self, namespace: &str, name: &str) -> Result<(), Fault> {
        let (rights, namespace, name) = (self.rights.clone(), namespace.to_owned(), name.to_owned());
        let told = namespace.clone();
        let removed = self.write(move |tx| {
            let found = seen(tx, &rights, "delete_metadef_object", &namespace, Missing::Definition)?;
            let (id, object) = objects::find(tx, found.id, &name)?.ok_or_else(|| missing(&name))?;
            unprotected(&found, || format!("Metadata definition object {name} is protected and cannot be deleted."))?;
            remove(tx, Content::Objects, id)?;
            Ok(object)
        });
        self.service.notes().object(Event::Deleted(self.service.now()), &told, &removed.await?);
        Ok(())
    }
}

/// There is such an object already.
pub(super) fn duplicate(namespace: &str, name: &str) -> Fault {
    Fault::Conflict(duplicate_words(namespace, name))
}

pub(super) fn duplicate_words(namespace: &str, name: &str) -> String {
    format!("A metadata definition object with name={name} already exists in namespace={namespace}.")
}

fn missing(name: &str) -> Fault {
    Fault::NotFound(format!("Could not find metadata object {name}"))
}
