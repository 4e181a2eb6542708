//! The properties of a namespace.

use crate::catalogue::{
    service::{
        Fault,
        metadefs::{Metadefs, Missing, seen, taken, unprotected},
        notes::Event,
    },
    tables::metadefs::{Content, associations, namespaces::Found, properties, remove},
};
use crate::db::Tx;
use crate::image::metadef::{Properties, Schema, Times};
use serde_json::Value;

impl Metadefs<'_> {
    /// All properties of a namespace.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn properties(&self, namespace: &str) -> Result<Properties, Fault> {
        let (rights, namespace) = (self.rights.clone(), namespace.to_owned());
        self.read(move |tx| {
            let found = seen(tx, &rights, "get_metadef_properties", &namespace, Missing::Namespace)?;
            Ok(properties::all(tx, found.id)?)
        })
        .await
    }

    /// One property, and its name; with a resource type, `name` is the one that it has there.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn property(
        &self,
        namespace: &str,
        name: &str,
        resource_type: Option<&str>,
    ) -> Result<(String, Schema), Fault> {
        let (rights, namespace, name) = (self.rights.clone(), namespace.to_owned(), name.to_owned());
        let resource_type = resource_type.map(str::to_owned);
        self.read(move |tx| {
            let found = seen(tx, &rights, "get_metadef_property", &namespace, Missing::Namespace)?;
            let mut name = name.as_str();
            if let Some(resource_type) = resource_type.as_deref() {
                rights.demand("get_metadef_resource_type", Some(&found.namespace))?;
                name = without_prefix(tx, &found, name, resource_type)?;
            }
            match properties::find(tx, found.id, name)? {
                Some((_, schema)) => Ok((name.to_owned(), schema)),
                None => Err(missing(name)),
            }
        })
        .await
    }

    /// Adds a property.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`.
    pub async fn create_property(&self, namespace: &str, name: &str, schema: &Schema) -> Result<(), Fault> {
        let (rights, namespace, name) = (self.rights.clone(), namespace.to_owned(), name.to_owned());
        let (now, told) = (self.service.now(), (namespace.clone(), name.clone(), schema));
        let schema = Value::Object(schema.clone());
        let made = self.write(move |tx| {
            let found = seen(tx, &rights, "add_metadef_property", &namespace, Missing::Namespace)?;
            let new: Properties = [(name.clone(), schema.clone())].into_iter().collect();
            let at = Times { created: now, updated: Some(now) };
            properties::insert(tx, found.id, &new, at).map_err(taken(|| duplicate_words(&namespace, &name)))
        });
        made.await?;
        self.service.notes().property(Event::Created, &told.0, (&told.1, told.2));
        Ok(())
    }

    /// Replaces a property, under the same or another name.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`: the new name is taken.
    pub async fn update_property(&self, namespace: &str, old: &str, new: &str, schema: &Schema) -> Result<(), Fault> {
        let (rights, namespace) = (self.rights.clone(), namespace.to_owned());
        let (old, new) = (old.to_owned(), new.to_owned());
        let (now, told) = (self.service.now(), (namespace.clone(), old.clone(), new.clone(), schema));
        let schema = Value::Object(schema.clone());
        let changed = self.write(move |tx| {
            let found = seen(tx, &rights, "modify_metadef_property", &namespace, Missing::Namespace)?;
            let (id, _) = properties::find(tx, found.id, &old)?.ok_or_else(|| missing(&old))?;
            let words = || {
                format!(
                    "Invalid update. It would result in a duplicate metadata definition property with the same \
                     name={new} in namespace={namespace}."
                )
            };
            properties::update(tx, id, &new, &schema, now).map_err(taken(words))
        });
        changed.await?;
        self.service.notes().property(Event::Updated(&told.1), &told.0, (&told.2, told.3));
        Ok(())
    }

    /// Deletes a property.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`: the namespace is protected.
    pub async fn delete_property(&self, namespace: &str, name: &str) -> Result<(), Fault> {
        let (rights, namespace, name) = (self.rights.clone(), namespace.to_owned(), name.to_owned());
        let told = (namespace.clone(), name.clone());
        let removed = self.write(move |tx| {
            let found = seen(tx, &rights, "remove_metadef_property", &namespace, Missing::Namespace)?;
            let (id, schema) = properties::find(tx, found.id, &name)?.ok_or_else(|| missing(&name))?;
            unprotected(&found, || format!("Metadata definition property {name} is protected and cannot be deleted."))?;
            remove(tx, Content::Properties, id)?;
            Ok(schema)
        });
        let schema = removed.await?;
        self.service.notes().property(Event::Deleted(self.service.now()), &told.0, (&told.1, &schema));
        Ok(())
    }
}

pub(super) fn duplicate_words(namespace: &str, name: &str) -> String {
    format!("A metadata definition property with name={name} already exists in namespace={namespace}.")
}

fn missing(name: &str) -> Fault {
    Fault::NotFound(format!("Could not find property {name}"))
}

/// The name of a property in its namespace.
fn without_prefix<'a>(tx: &Tx<'_>, found: &Found, name: &'a str, resource_type: &str) -> Result<&'a str, Fault> {
    let all = associations::of(tx, &[found.id])?.remove(&found.id).unwrap_or_default();
    let Some(association) = all.into_iter().find(|it| it.name == resource_type) else {
        let namespace = &found.namespace.name;
        return Err(Fault::NotFound(if associations::is_type(tx, resource_type)? {
            format!(
                "The metadata definition resource-type association of resource-type={resource_type} to \
                 namespace={namespace}, was not found."
            )
        } else {
            format!("The metadata definition resource-type with name={resource_type}, was not found.")
        }));
    };
    let prefix = association.prefix.filter(|it| !it.is_empty());
    prefix.as_deref().and_then(|it| name.strip_prefix(it)).ok_or_else(|| {
        let prefix = prefix.as_deref().unwrap_or("None");
        Fault::NotFound(format!(
            "Property {name} does not start with the expected resource type association prefix of '{prefix}'."
        ))
    })
}
