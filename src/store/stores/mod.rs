//! All stores of a catalogue: data is written to one of them, and read from the one that is noted with its place, or else
//! from the one that its URL is of.

mod health;
#[cfg(test)]
mod tests;

use crate::base::chain;
use crate::image::{ImageId, Location, shown_url};
use crate::store::{Backend, ImportFiltering, OpenError, Settings, Store, StoreError, http::Filtering, open::open_as};
use futures_util::future::join_all;
use health::Health;
use std::{cmp::Reverse, fmt::Display, sync::Arc, time::Duration};

/// The longest that a store is waited for to clear up after an upload.
const CLEARING: Duration = Duration::from_secs(30);

/// The longest that a store is waited for to look through what dead writers left.
const TIDYING: Duration = Duration::from_secs(120);

/// The name of a store in what is noted of a location (Glance's).
const STORE: &str = "store";

/// Likewise in rows of Glance's first releases with several stores.
const BACKEND: &str = "backend";

/// The stores; clones share them.
#[derive(Clone)]
pub struct Stores {
    all: Arc<[Opened]>,
    main: usize,
    filtering: Filtering,
}

struct Opened {
    /// Of one of `enabled_backends`.
    id: Option<String>,
    weight: i64,
    store: Arc<dyn Store>,
    health: Health,
}

// === impl Stores ===

impl Stores {
    /// Opens those of `enabled_backends`, or, where there are none, the one that is written to and those of `stores`. Those
    /// that this build does not have are told in the log. Web servers are asked as `rules` let. Blocking.
    ///
    /// # Errors
    /// [`OpenError`] of a store, and of any kind that is written to.
    pub fn open(settings: &Settings, rules: ImportFiltering) -> Result<Self, OpenError> {
        let filtering = Filtering::new(rules);
        let open = if settings.backends.is_empty() { Self::open_kinds } else { Self::open_backends };
        let (all, main) = open(settings, &filtering)?;
        Ok(Self { all: all.into(), main, filtering })
    }

    /// Web servers are asked as these rules let from now on.
    pub fn filter(&self, rules: ImportFiltering) {
        self.filtering.set(rules);
    }

    fn open_kinds(settings: &Settings, rules: &Filtering) -> Result<(Vec<Opened>, usize), OpenError> {
        let opened = |store| Opened { id: None, weight: 0, store, health: Health::default() };
        let mut all = vec![opened(open_as(None, settings, rules)?)];
        for kind in &settings.stores {
            let has =
                |it: &Opened| it.store.name() == kind || it.store.schemes().contains(&format!("{kind}://").as_str());
            if all.iter().any(has) {
                continue;
            }
            let found = open_as(None, &Settings { default_store: kind.clone(), ..settings.clone() }, rules);
            all.extend(built(found, kind)?.map(opened));
        }
        Ok((all, 0))
    }

    fn open_backends(settings: &Settings, rules: &Filtering) -> Result<(Vec<Opened>, usize), OpenError> {
        let mut all = Vec::new();
        for Backend { id, weight, settings: own, .. } in &settings.backends {
            let found = open_as(Some(id), own, rules);
            let found = if *id == settings.default_backend { Some(found?) } else { built(found, id)? };
            let (id, weight) = (Some(id.clone()), *weight);
            all.extend(found.map(|store| Opened { id, weight, store, health: Health::default() }));
        }
        let is_main = |it: &Opened| it.id.as_ref() == Some(&settings.default_backend);
        let unknown = || OpenError::Unknown {
            kind: settings.default_backend.clone(),
            known: settings.backends.iter().map(|it| it.id.as_str()).collect::<Vec<_>>().join(", "),
        };
        let main = all.iter().position(is_main).ok_or_else(unknown)?;
        Ok((all, main))
    }

    /// The one that uploads go to.
    pub fn main(&self) -> &Arc<dyn Store> {
        &self.all[self.main].store
    }

    /// The one of `enabled_backends` with this id, if it is there.
    pub fn by_id(&self, id: &str) -> Option<&Arc<dyn Store>> {
        self.opened(id).map(|it| &it.store)
    }

    /// The one that has the data of a place: the one that is noted there, if it can read such a URL, and else the one that
    /// the URL is of. Servers get other names, and two stores may look alike, so that the URL alone does not tell.
    ///
    /// # Errors
    /// [`StoreError::Foreign`]: it is in none.
    pub fn of(&self, location: &Location) -> Result<&Arc<dyn Store>, StoreError> {
        self.opened_at(location).map(|it| &it.store)
    }

    /// The one that this URL is of.
    ///
    /// # Errors
    /// [`StoreError::Foreign`]: it is of none.
    pub fn of_url(&self, url: &str) -> Result<&Arc<dyn Store>, StoreError> {
        self.opened_of(url).map(|it| &it.store)
    }

    fn opened_at(&self, location: &Location) -> Result<&Opened, StoreError> {
        let noted = [STORE, BACKEND].iter().filter_map(|it| location.metadata.get(*it)?.as_str());
        let found = noted.filter_map(|id| self.opened(id)).find(|it| it.store.reads(&location.url));
        found.map_or_else(|| self.opened_of(&location.url), Ok)
    }

    fn opened(&self, id: &str) -> Option<&Opened> {
        self.all.iter().find(|it| it.id.as_deref() == Some(id))
    }

    fn opened_of(&self, url: &str) -> Result<&Opened, StoreError> {
        let here = |it: &&Opened| it.store.schemes().iter().any(|scheme| url.starts_with(scheme));
        // Where none owns it, the first one of its scheme says why.
        let owner = self.all.iter().find(|it| it.store.owns(url)).or_else(|| self.all.iter().find(here));
        owner.ok_or_else(|| StoreError::Foreign {
            url: shown_url(url).chars().take(300).collect(),
            store: "list of stores".to_owned(),
            why: "there is none for its scheme",
        })
    }

    /// A place of data with this URL, and with the id that `enabled_backends` gives its store, which Glance notes too: its
    /// scrubber and its answers look for it there.
    pub fn located(&self, url: String) -> Location {
        let id = self.opened_of(&url).ok().and_then(|it| it.id.clone());
        Location { metadata: id.map(|id| (STORE.to_owned(), id.into())).into_iter().collect(), url }
    }

    /// Likewise of data that was written to this store, with what the store notes of it.
    pub fn written(&self, store: &dyn Store, url: String) -> Location {
        let mut metadata = store.metadata(&url);
        if let Some(id) = self.opened(store.name()).and_then(|it| it.id.clone()) {
            metadata.insert(STORE.to_owned(), id.into());
        }
        Location { metadata, url }
    }

    /// Notes in which store of `enabled_backends` a place is, whatever a client says of it.
    pub fn note_store(&self, location: &mut Location) {
        if let Some(id) = self.opened_of(&location.url).ok().and_then(|it| it.id.clone()) {
            location.metadata.insert(STORE.to_owned(), id.into());
        }
    }

    /// With `enabled_backends`: notes the store of each place where none, or one that there is no more, is noted, and brings
    /// those in the heaviest stores to the front (Glance does both when it reads an image). Else nothing.
    pub fn arrange(&self, locations: &mut [Location]) {
        if self.all[self.main].id.is_none() {
            return;
        }
        let noted = |it: &Location| it.store().and_then(|id| self.opened(id));
        for location in locations.iter_mut() {
            if noted(location).is_none()
                && let Some(id) = self.opened_at(location).ok().and_then(|it| it.id.clone())
            {
                location.metadata.insert(STORE.to_owned(), id.into());
            }
        }
        locations.sort_by_key(|it| Reverse(noted(it).map_or(0, |it| it.weight)));
    }

    /// Removes what writers of this image left half-written, whose process is dead or has given it up: in these stores, or,
    /// where nobody knows which it was, in all. What fails, or takes long, is logged.
    pub async fn clear(&self, id: &ImageId, written: Option<&[&dyn Store]>) {
        let one = async |store: &dyn Store| {
            let (name, words) = (store.name(), "what an interrupted upload left is not removed yet");
            match tokio::time::timeout(CLEARING, store.clear(id)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(store = name, image.id = %id, error = %chain(&error), "{words}"),
                Err(_) => tracing::warn!(store = name, image.id = %id, "{words}: the store does not answer in time"),
            }
        };
        match written {
            Some(stores) => drop(join_all(stores.iter().map(|it| one(*it))).await),
            None => drop(join_all(self.all.iter().map(|it| one(&*it.store))).await),
        }
    }

    /// Removes what dead writers left half-written. What fails, or takes long, is logged.
    pub async fn tidy(&self) {
        let one = async |store: &Arc<dyn Store>| {
            let (name, words) = (store.name(), "what dead writers left is not removed yet");
            match tokio::time::timeout(TIDYING, store.tidy()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(store = name, error = %chain(&error), "{words}"),
                Err(_) => tracing::warn!(store = name, "{words}: the store does not answer in time"),
            }
        };
        join_all(self.all.iter().map(|it| one(&it.store))).await;
    }

    /// Length of the data, bytes. What comes of it is noted as the store's health.
    ///
    /// # Errors
    /// That of the store, or of [`Stores::of`].
    pub async fn size(&self, location: &Location) -> Result<u64, StoreError> {
        let opened = self.opened_at(location)?;
        let size = opened.store.size(&location.url).await;
        match &size {
            Ok(_) => opened.health.recover(),
            Err(error) => self.failed(location, error),
        }
        size
    }

    /// Brings the places in stores that failed lately to the end.
    pub fn by_health(&self, locations: &mut [Location]) {
        locations.sort_by_key(|it| self.opened_at(it).is_ok_and(|it| it.health.is_ill()));
    }

    /// Notes that data could not be read at this place. An error that is not the store's says nothing of its health.
    pub fn failed(&self, location: &Location, error: &StoreError) {
        if health::is_of_store(error) {
            self.is_ill(location, &chain(error));
        }
    }

    /// Notes that the store of this place does not answer in time.
    pub fn is_slow(&self, location: &Location) {
        self.is_ill(location, &"it does not answer in time");
    }

    fn is_ill(&self, location: &Location, why: &dyn Display) {
        if let Ok(opened) = self.opened_at(location)
            && opened.health.fall_ill()
        {
            tracing::warn!(store = opened.store.name(), %why, "other stores are asked before this one for a while");
        }
    }

    /// Looks whether something needs the data, so that it cannot be removed.
    ///
    /// # Errors
    /// That of the store, or of [`Stores::of`].
    pub async fn in_use(&self, location: &Location) -> Result<(), StoreError> {
        self.of(location)?.in_use(&location.url).await
    }

    /// Removes the data for good.
    ///
    /// # Errors
    /// That of the store, or of [`Stores::of`].
    pub async fn remove(&self, location: &Location) -> Result<(), StoreError> {
        self.of(location)?.remove(&location.url).await
    }

    /// Removes data of which only the URL is known, and which no image has: from each store that the URL may be of. None
    /// needs to be there.
    ///
    /// # Errors
    /// That of a store, or of [`Stores::of_url`].
    pub async fn discard(&self, url: &str) -> Result<(), StoreError> {
        let mut owners: Vec<_> = self.all.iter().filter(|it| it.store.owns(url)).map(|it| &it.store).collect();
        if owners.is_empty() {
            owners.push(self.of_url(url)?);
        }
        let mut outcome = Ok(());
        for store in owners {
            match store.remove(url).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }
}

/// None, and the log says so, of a kind that this build does not have.
fn built(found: Result<Arc<dyn Store>, OpenError>, name: &str) -> Result<Option<Arc<dyn Store>>, OpenError> {
    match found {
        Ok(store) => Ok(Some(store)),
        Err(OpenError::NotBuilt { kind }) => {
            tracing::warn!(store = name, kind, "images that have their data in this store cannot be read");
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
