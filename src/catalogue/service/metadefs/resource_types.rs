//! Resource types, and what namespaces are associated with.

use crate::catalogue::{
    service::{
        Fault,
        metadefs::{Metadefs, Missing, seen, taken, unprotected},
        notes::Event,
    },
    tables::metadefs::associations,
};
use crate::image::metadef::{Association, ResourceType, Times};

impl Metadefs<'_> {
    /// All resource types.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn resource_types(&self) -> Result<Vec<ResourceType>, Fault> {
        self.rights.demand("list_metadef_resource_types", None)?;
        self.service.db().read(|tx| Ok(associations::types(tx)?)).await
    }

    /// What a namespace is associated with.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn associations(&self, namespace: &str) -> Result<Vec<Association>, Fault> {
        let (rights, name) = (self.rights.clone(), namespace.to_owned());
        self.read(move |tx| {
            let found = seen(tx, &rights, "list_metadef_resource_types", &name, Missing::Namespace)?;
            Ok(associations::of(tx, &[found.id])?.remove(&found.id).unwrap_or_default())
        })
        .await
    }

    /// Associates a namespace with a resource type, which is made if it is not there.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict`: they are associated already.
    pub async fn associate(&self, namespace: &str, new: Association) -> Result<Association, Fault> {
        let (rights, name, now) = (self.rights.clone(), namespace.to_owned(), self.service.now());
        let told = name.clone();
        let made = self.write(move |tx| {
            let rule = "add_metadef_resource_type_association";
            let found = seen(tx, &rights, rule, &name, Missing::Namespace)?;
            let at = Times { created: now, updated: Some(now) };
            let ids = associations::ensure_types(tx, &[&new.name], false, at)?;
            let rows: Vec<_> = ids.get(&new.name).map(|id| (*id, &new)).into_iter().collect();
            associations::insert(tx, found.id, &rows, at).map_err(taken(|| duplicate_words(&name, &new.name)))?;
            Ok(Association { times: Some(at), ..new.clone() })
        });
        let made = made.await?;
        self.service.notes().association(Event::Created, &told, &made);
        Ok(made)
    }

    /// Ends an association. The resource type stays.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`: the namespace is protected.
    pub async fn dissociate(&self, namespace: &str, resource_type: &str) -> Result<(), Fault> {
        let (rights, name, of) = (self.rights.clone(), namespace.to_owned(), resource_type.to_owned());
        let told = name.clone();
        let removed = self.write(move |tx| {
            let rule = "remove_metadef_resource_type_association";
            let found = seen(tx, &rights, rule, &name, Missing::Namespace)?;
            let all = associations::of(tx, &[found.id])?.remove(&found.id).unwrap_or_default();
            if !associations::remove(tx, found.id, &of)? {
                return Err(Fault::NotFound(format!("Failed to find resource type {of} to delete")));
            }
            // The error takes the deletion back.
            unprotected(&found, || {
                format!("Metadata definition resource-type-association {of} is protected and cannot be deleted.")
            })?;
            Ok(all.into_iter().find(|it| it.name == of))
        });
        if let Some(association) = removed.await? {
            self.service.notes().association(Event::Deleted(self.service.now()), &told, &association);
        }
        Ok(())
    }
}

/// They are associated already.
pub(super) fn duplicate(namespace: &str, name: &str) -> Fault {
    Fault::Conflict(duplicate_words(namespace, name))
}

pub(super) fn duplicate_words(namespace: &str, name: &str) -> String {
    format!(
        "The metadata definition resource-type association of resource-type={name} to namespace={namespace} already exists."
    )
}
