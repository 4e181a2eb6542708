//! All stores of a catalogue: data is written to one of them, and read from each by its URL.

use crate::store::{OpenError, Settings, Store, StoreError, open};
use std::sync::Arc;

/// The stores; clones share them.
#[derive(Clone)]
pub struct Stores {
    main: Arc<dyn Store>,
    others: Vec<Arc<dyn Store>>,
}

// === impl Stores ===

impl Stores {
    /// Opens the one that is written to, and those of `stores` that this build has; of the others it says so in the log.
    /// Blocking.
    ///
    /// # Errors
    /// [`OpenError`] of a store.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let main = open(settings)?;
        let mut others: Vec<Arc<dyn Store>> = Vec::new();
        for kind in &settings.stores {
            let has = |it: &Arc<dyn Store>| it.name() == kind || it.schemes().contains(&format!("{kind}://").as_str());
            if has(&main) || others.iter().any(has) {
                continue;
            }
            match open(&Settings { default_store: kind.clone(), ..settings.clone() }) {
                Ok(store) => others.push(store),
                Err(OpenError::NotBuilt { kind }) => {
                    tracing::warn!(store = kind, "images that have their data in this kind of store cannot be read");
                }
                Err(other) => return Err(other),
            }
        }
        Ok(Self { main, others })
    }

    /// The one that uploads go to.
    pub fn main(&self) -> &Arc<dyn Store> {
        &self.main
    }

    /// The one that this URL is of.
    ///
    /// # Errors
    /// [`StoreError::Foreign`]: it is of none.
    pub fn of(&self, url: &str) -> Result<&Arc<dyn Store>, StoreError> {
        let here = |it: &&Arc<dyn Store>| it.schemes().iter().any(|scheme| url.starts_with(scheme));
        std::iter::once(&self.main).chain(&self.others).find(here).ok_or_else(|| StoreError::Foreign {
            url: url.chars().take(300).collect(),
            store: "list of stores".to_owned(),
            why: "there is none for its scheme",
        })
    }

    /// Length of the data, bytes.
    ///
    /// # Errors
    /// That of the store, or of [`Stores::of`].
    pub async fn size(&self, url: &str) -> Result<u64, StoreError> {
        self.of(url)?.size(url).await
    }

    /// Removes the data for good.
    ///
    /// # Errors
    /// That of the store, or of [`Stores::of`].
    pub async fn remove(&self, url: &str) -> Result<(), StoreError> {
        self.of(url)?.remove(url).await
    }
}
