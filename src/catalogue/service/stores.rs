//! Several stores (`enabled_backends`).

use crate::catalogue::service::{Fault, Service, access::Access, delete::IN_USE};
use crate::identity::Caller;
use crate::image::{Image, ImageId, Status};
use crate::store::Backend;

impl Service {
    /// The stores of `enabled_backends`, and the id of the one that uploads go to; none without.
    pub fn backends(&self) -> Option<(Vec<Backend>, String)> {
        let store = &self.settings().store;
        (!store.backends.is_empty()).then(|| (store.backends.clone(), store.default_backend.clone()))
    }

    /// The cluster that a store of `enabled_backends` is in, if it is in one.
    pub fn cluster_of(&self, store: &str) -> Option<String> {
        self.stores().by_id(store).and_then(|it| it.cluster()).map(str::to_owned)
    }

    /// Whether the caller may know how the stores are set up.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn may_see_stores(&self, caller: &Caller) -> Result<(), Fault> {
        self.access(caller).may_at_all("stores_info_detail")
    }

    /// Removes the data of an image from one of several stores that have it. The row goes first, as when an image is
    /// deleted.
    ///
    /// # Errors
    /// `Conflict`: no such store, the image is not active, or its data there is in use; `NotFound`: no such image, or it is not in that store;
    /// `Forbidden`: also when no other store has it.
    pub async fn delete_from_store(&self, caller: &Caller, store: &str, id: &ImageId) -> Result<(), Fault> {
        if self.settings().store.backend(store).is_none() {
            let store: String = store.chars().take(80).collect();
            return Err(Fault::Conflict(format!("The selected store {store} is not available on this node.")));
        }
        let (service, caller, store, id) = (self.clone(), caller.clone(), store.to_owned(), id.clone());
        self.see_through(async move {
            let wanted = store.clone();
            let image = service.find(&caller, &id).await?;
            let in_use = match image.locations.iter().find(|it| it.store() == Some(&store)) {
                Some(location) => service.data_in_use(&id, location).await,
                None => false,
            };
            let edited = service.edit(&caller, &id, move |access, before, after| {
                let taken = take_out(access, before, after, &wanted)?;
                if in_use {
                    let id = &before.id;
                    let words = format!("The data for Image {id} could not be deleted because it is in use: {IN_USE}");
                    return Err(Fault::Conflict(words));
                }
                Ok(taken)
            });
            edited.await?;
            tracing::info!(image.id = %id, store, "image deleted from a store");
            service.remove_data(&id).await;
            Ok(())
        })
        .await
    }
}

fn take_out(access: &Access, before: &Image, after: &mut Image, store: &str) -> Result<bool, Fault> {
    access.may("get_image_location", before)?;
    access.may_change("delete_image_location", before)?;
    if before.status != Status::Active {
        let words = "It's not allowed to remove image data from store if image status is not 'active'";
        return Err(Fault::Conflict(words.to_owned()));
    }
    if before.locations.len() == 1 {
        let words = "Cannot delete image data from the only store containing it. Consider deleting the image instead.";
        return Err(Fault::Forbidden(words.to_owned()));
    }
    let Some(at) = before.locations.iter().position(|it| it.store() == Some(store)) else {
        return Err(Fault::NotFound(format!("Image {} is not stored in store {store}.", before.id)));
    };
    after.locations.remove(at);
    Ok(true)
}
