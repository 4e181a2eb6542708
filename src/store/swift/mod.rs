//! The Swift store: an image is the object of its id in `swift_store_container`, as glance_store's swift driver has it.
//!
//! ```text
//! write ─→ segments of 200 MB, one after another ─→ commit: the manifest is put, so the object is there
//!   │            └─→ drop: removed, also after kill -9 (clear(), tidy())
//!   └────→ data of a few MiB: held, one object at the commit
//! read  ─→ a range request, and on from where it breaks off
//! ```
//!
//! Keys stand in the options or their file, and in location URLs, as Glance writes these: `swift+https://user:key@…`. No
//! message shows them. Data at such a URL is read and removed with the key that the URL has.

mod access;
mod accounts;
mod address;
mod fault;
mod leftovers;
mod login;
mod objects;
mod read;
mod segment;
mod settings;
mod wire;
mod write;

pub use settings::SwiftSettings;

use crate::image::ImageId;
use crate::store::{Blocks, OpenError, Room, Store, StoreError, Writing, settling::Settling};
use accounts::{Account, Credentials};
use address::{Place, Whose};
use chrono::{TimeDelta, Utc};
use fault::{Fault, remote};
use futures_util::{FutureExt, future::BoxFuture};
use login::Endpoints;
use read::Source;
use reqwest::Client;
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use wire::Session;
use write::{SwiftWriting, Target};

/// For how long nothing came to an upload that counts as dead.
const DEAD: TimeDelta = TimeDelta::days(1);

/// Ways in that location URLs carry, of which the tokens are kept.
const FOREIGN_SESSIONS: usize = 32;

/// The Swift store.
pub(super) struct SwiftStore {
    name: String,
    settings: SwiftSettings,
    client: Client,
    endpoints: Arc<Endpoints>,
    /// By their references.
    sessions: BTreeMap<String, Arc<Session>>,
    /// The one that data is written with.
    main: Arc<Session>,
    /// Of accounts that only location URLs have.
    foreign: Mutex<Vec<Arc<Session>>>,
    /// What location URLs of new data begin with, up to the container.
    prefix: String,
    settling: Settling,
}

// === impl SwiftStore ===

impl SwiftStore {
    /// Looks at the options. The server is asked in the background, and the log says when it cannot be used: Glance starts
    /// without it, too. Blocking.
    pub(super) fn open(name: &str, settings: &SwiftSettings) -> Result<Self, OpenError> {
        let refused = |what: String| OpenError::Options { kind: "swift", what, source: None };
        if settings.multi_tenant {
            let what =
                "swift_store_multi_tenant is not part of this build of Larder; it keeps all images in one account";
            return Err(refused(what.to_owned()));
        }
        let name_of_container = settings.container.trim();
        if name_of_container.is_empty() || name_of_container.contains('/') || name_of_container.len() > 220 {
            return Err(refused("swift_store_container is no name of a container".to_owned()));
        }
        if settings.multiple_containers_seed > 32 {
            return Err(refused("swift_store_multiple_containers_seed is more than 32".to_owned()));
        }
        if settings.large_object_chunk_size == 0 || settings.large_object_chunk_size > 5000 {
            return Err(refused("swift_store_large_object_chunk_size is not from 1 to 5000".to_owned()));
        }
        let endpoints = Arc::new(Endpoints::new(settings).map_err(refused)?);
        let accounts = accounts::load(settings).map_err(refused)?;
        let client = wire::client(settings)?;
        let margin = Duration::from_secs(settings.expire_soon_interval);
        let new = |it: &Account| Arc::new(Session::new(it.clone(), client.clone(), Arc::clone(&endpoints), margin));
        let sessions: BTreeMap<_, _> = accounts.iter().map(|(name, it)| (name.clone(), new(it))).collect();
        let main = sessions.get(&settings.default_reference).cloned();
        let main = main.ok_or_else(|| refused("default_swift_reference names no account".to_owned()))?;
        let prefix = address::prefix(settings, &main.account.address, main.account.login());
        let settings = settings.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(warn(name.to_owned(), Arc::clone(&main), settings.clone()));
        }
        let (name, foreign, settling) = (name.to_owned(), Mutex::default(), Settling::default());
        Ok(Self { name, settings, client, endpoints, sessions, main, foreign, prefix, settling })
    }

    /// Who is asked for the data of a location URL; none when the options do not say.
    fn session(&self, whose: &Whose<'_>) -> Option<Arc<Session>> {
        match whose {
            Whose::Reference(name) => self.sessions.get(*name).cloned(),
            // Written with an application credential, or shown to somebody: the options have what it lacks.
            Whose::Auth { address, login: None } => {
                self.sessions.values().find(|it| it.account.address == *address).cloned()
            }
            Whose::Auth { address, login: Some((user, key)) } => {
                let login = (user.as_str(), key);
                let known = |it: &&Arc<Session>| it.account.address == *address && it.account.login() == Some(login);
                if let Some(known) = self.sessions.values().find(known) {
                    return Some(Arc::clone(known));
                }
                // A URL tells no domains: Glance takes those of the account that it writes to.
                let Account { version, domains, .. } = self.main.account.clone();
                let credentials = Credentials::Password { user: user.clone(), key: key.clone() };
                Some(self.session_of(Account { address: address.clone(), version, credentials, domains }))
            }
        }
    }

    fn session_of(&self, account: Account) -> Arc<Session> {
        let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        let known = foreign.iter().find(|it| it.account == account);
        if let Some(known) = known {
            return Arc::clone(known);
        }
        if foreign.len() >= FOREIGN_SESSIONS {
            foreign.remove(0);
        }
        let margin = Duration::from_secs(self.settings.expire_soon_interval);
        let new = Arc::new(Session::new(account, self.client.clone(), Arc::clone(&self.endpoints), margin));
        foreign.push(Arc::clone(&new));
        new
    }

    /// Where the data of a location URL is.
    fn locate(&self, url: &str) -> Result<Source, StoreError> {
        let foreign = |why| address::foreign(url, &self.name, why);
        let place = Place::parse(url).map_err(foreign)?;
        let session = self.session(&place.whose);
        Ok(Source {
            session: session.ok_or_else(|| foreign("it has no user and key, and the options have none for it"))?,
            container: place.container.to_owned(),
            object: place.object.to_owned(),
            url: url.to_owned(),
            store: self.name.clone(),
            retries: self.settings.retry_get_count,
        })
    }

    /// The container is there, or is made.
    async fn ready(&self, target: &Target) -> Result<(), StoreError> {
        let (container, failed) = (&target.container, |fault: Fault| target.failed(fault));
        if target.session.has(container).await.map_err(failed)? {
            return Ok(());
        }
        if !self.settings.create_container_on_put {
            let what =
                format!("there is no container {container}; make it, or set swift_store_create_container_on_put");
            return Err(remote("written", &target.url, &what));
        }
        target.session.create(container).await.map_err(failed)?;
        tracing::info!(store = self.name, container, "made the container");
        Ok(())
    }

    async fn tidy_all(&self) -> Result<usize, Fault> {
        let mut containers = vec![self.settings.container.clone()];
        if self.settings.multiple_containers_seed > 0 {
            containers.extend(self.main.containers(&format!("{}_", self.settings.container)).await?);
        }
        let mut removed = 0;
        for container in containers {
            removed += self.main.remove_leftovers(&container, "", Some(Utc::now() - DEAD)).await?;
        }
        Ok(removed)
    }
}

/// Says in the log what is wrong with the server, if anything is.
async fn warn(store: String, session: Arc<Session>, settings: SwiftSettings) {
    let anywhere = settings.create_container_on_put || settings.multiple_containers_seed > 0;
    let error = match session.has(&settings.container).await {
        Ok(is_there) if is_there || anywhere => return,
        Ok(_) => "there is no such container".to_owned(),
        Err(fault) => fault.words().to_owned(),
    };
    let (auth, container) = (&session.account.address, &settings.container);
    tracing::warn!(store, auth, container, error, "the Swift store cannot be used as it is");
}

impl Store for SwiftStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn schemes(&self) -> &'static [&'static str] {
        &address::SCHEMES
    }

    fn owns(&self, url: &str) -> bool {
        let Ok(place) = Place::parse(url) else { return false };
        let rest = place.container.strip_prefix(self.settings.container.as_str());
        let container = match self.settings.multiple_containers_seed {
            0 => rest == Some(""),
            _ => rest.is_some_and(|it| it.starts_with('_')),
        };
        let main = &self.main.account;
        container
            && match &place.whose {
                Whose::Reference(name) => *name == self.settings.default_reference,
                Whose::Auth { address, login: None } => *address == main.address,
                Whose::Auth { address, login: Some((user, _)) } => {
                    *address == main.address && main.login().is_some_and(|it| it.0 == user)
                }
            }
    }

    fn url(&self, id: &ImageId) -> String {
        format!("{}/{}/{id}", self.prefix, address::container(&self.settings, id))
    }

    fn read<'a>(&'a self, url: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Blocks, StoreError>> {
        async move { read::read(self.locate(url)?, range).await }.boxed()
    }

    fn write<'a>(
        &'a self,
        id: &'a ImageId,
        _expected: Option<u64>,
    ) -> BoxFuture<'a, Result<Box<dyn Writing>, StoreError>> {
        async move {
            let target = Target {
                session: Arc::clone(&self.main),
                container: address::container(&self.settings, id),
                object: id.to_string(),
                url: self.url(id),
                store: self.name.clone(),
                settling: self.settling.clone(),
                mark: format!("{:016x}", rand::random::<u64>()),
            };
            self.ready(&target).await?;
            self.settling.settled(&target.object).await;
            // Said now, before the client has sent it all; the commit finds out for sure.
            let there = target.session.head(&target.container, &target.object).await;
            if there.map_err(|fault| target.failed(fault))?.is_some() {
                return Err(target.duplicate());
            }
            Ok(Box::new(SwiftWriting::new(target, self.part())) as Box<dyn Writing>)
        }
        .boxed()
    }

    fn size<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        async move { read::size(&self.locate(url)?).await }.boxed()
    }

    fn remove<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let Source { session, container, object, .. } = self.locate(url)?;
            let removed = session.remove(&container, &object).await;
            match removed.map_err(|fault| fault.into_error("removed", url, &self.name))? {
                true => Ok(()),
                false => Err(StoreError::NotFound { url: address::shown(url) }),
            }
        }
        .boxed()
    }

    fn clear<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let container = address::container(&self.settings, id);
            let removed = self.main.remove_leftovers(&container, id.as_str(), None).await;
            let failed = |it: Fault| it.into_error("cleared of unfinished uploads", &self.url(id), &self.name);
            if removed.map_err(failed)? > 0 {
                tracing::info!(store = self.name, image.id = %id, "removed what an interrupted upload left");
            }
            Ok(())
        }
        .boxed()
    }

    fn tidy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let url = format!("{}/{}", self.prefix, self.settings.container);
            let failed = |it: Fault| it.into_error("cleared of unfinished uploads", &url, &self.name);
            let segments = self.tidy_all().await.map_err(failed)?;
            if segments > 0 {
                tracing::info!(store = self.name, segments, "removed what interrupted uploads left");
            }
            Ok(())
        }
        .boxed()
    }

    fn part(&self) -> u64 {
        self.settings.large_object_chunk_size * SwiftSettings::MB
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StoreError>> {
        std::future::ready(Ok(None)).boxed()
    }
}
