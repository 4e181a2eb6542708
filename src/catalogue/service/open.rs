//! The service and what it stands on.

use crate::catalogue::{
    Settings,
    service::{
        Fault,
        access::Access,
        cache::{Cache, CacheError},
        fleet::Feed,
        imports::{Desk, Staging},
        notes::Notes,
        schema_file::{self, SchemaFileError},
        signatures::{AnchorsError, Signers},
        verify,
    },
    tables::{self, LocationCipher, SchemaError, WrongKey, opened_cipher, processes::Process},
};
use crate::db::{Db, DbError};
use crate::identity::{
    self, Authenticator, Caller,
    keystone::KeystoneError,
    protection::{ProtectionError, Protections},
    quota::Limits,
};
use crate::image::ImageId;
use crate::messaging::{self, Notifier};
use crate::store::{self, Stores};
use crate::wire::schemas::SiteProperties;
use chrono::{DateTime, SubsecRound, Utc};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::task::TaskTracker;

/// The catalogue's verbs; clones share everything.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    /// What may change while it runs.
    live: RwLock<Live>,
    db: Db,
    stores: Stores,
    /// How the URLs of locations stand in the database.
    cipher: LocationCipher,
    process: Process,
    cache: Option<Arc<Cache>>,
    feed: Arc<Feed>,
    /// Where data waits for its import.
    staging: Staging,
    /// The imports of this process.
    desk: Desk,
    /// Room for reading copies of images.
    verifying: Arc<Semaphore>,
    /// Images that this process is writing.
    uploading: Mutex<HashSet<ImageId>>,
    /// Who is told what happens.
    notes: Notes,
    /// Work that outlives the request that began it.
    tasks: TaskTracker,
}

/// The settings, and what was read as they say; see [`super::reconfigure`].
#[derive(Clone)]
pub(super) struct Live {
    pub(super) settings: Arc<Settings>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) protections: Arc<Protections>,
    pub(super) limits: Option<Arc<Limits>>,
    pub(super) site_properties: Arc<SiteProperties>,
    pub(super) signers: Arc<Signers>,
}

/// The catalogue cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error("cannot open the catalogue's database")]
    Db(#[from] DbError),
    /// What is in the database.
    #[error("cannot work on the catalogue's database")]
    Schema(#[from] SchemaError),
    /// The store.
    #[error("cannot open the image store")]
    Store(#[from] store::OpenError),
    /// Who asks, and what they may.
    #[error("cannot judge who asks")]
    Identity(#[from] identity::OpenError),
    /// `metadata_encryption_key`
    #[error(transparent)]
    Key(#[from] WrongKey),
    /// `image_cache_dir`
    #[error("cannot open the image cache")]
    Cache(#[from] CacheError),
    /// The file of protected properties.
    #[error("cannot protect properties")]
    Protections(#[from] ProtectionError),
    /// `[oslo_limit]`
    #[error("cannot ask for limits with the options of [oslo_limit]")]
    Limits(#[source] KeystoneError),
    /// The schema of custom properties.
    #[error(transparent)]
    SchemaFile(#[from] SchemaFileError),
    /// `[oslo_messaging_notifications]`
    #[error("cannot send notifications")]
    Notifications(#[from] messaging::OpenError),
    /// `signature_trust_anchors`
    #[error("cannot verify signatures")]
    Anchors(#[from] AnchorsError),
    /// The thread that opened them.
    #[error("opening the catalogue broke off")]
    BrokeOff,
}

// === impl Live ===

impl Live {
    /// Reads policy, protections and certificates. Blocks.
    pub(super) fn open(settings: Arc<Settings>) -> Result<Self, OpenError> {
        let limits = settings.limits.clone().map(Limits::new).transpose().map_err(OpenError::Limits)?;
        let authenticator = Authenticator::open(settings.identity.clone())?;
        let protections = Protections::open(&settings.protection)?;
        for rule in protections.unknown_rules(authenticator.enforcer()) {
            tracing::warn!(
                rule,
                "property_protection_file names a rule that the policy does not have: its default rule holds"
            );
        }
        Ok(Self {
            authenticator: Arc::new(authenticator),
            protections: Arc::new(protections),
            limits: limits.map(Arc::new),
            site_properties: Arc::new(schema_file::read(&settings.identity.policy.directories)?),
            signers: Arc::new(Signers::open(&settings.signatures)?),
            settings,
        })
    }
}

// === impl Service ===

impl Service {
    /// Opens the database and the store, and reads policy, protections and certificates.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(settings: Settings) -> Result<Self, OpenError> {
        let settings = Arc::new(settings);
        let open = move || {
            let live = Live::open(Arc::clone(&settings))?;
            Ok::<_, OpenError>((
                live,
                Db::open(&settings.database)?,
                Stores::open(&settings.store, settings.import_filtering.clone())?,
            ))
        };
        let (live, db, stores) = tokio::task::spawn_blocking(open).await.unwrap_or(Err(OpenError::BrokeOff))?;
        tables::ensure(&db).await?;
        let settings = &live.settings;
        let cipher = opened_cipher(&db, settings.metadata_encryption_key.clone()).await?;
        let url = settings.worker_self_reference_url.as_deref();
        let cache = Cache::open(&db, &settings.cache, url).await?.map(Arc::new);
        let staging = Staging::new(settings.staging_folder.clone());
        let desk = Desk::new(settings.import_limit, settings.plugins.conversion.max_conversions);
        let notes = Notes::new(Notifier::open(&settings.notifications)?);
        let shared = Shared {
            live: RwLock::new(live),
            db,
            stores,
            cipher,
            process: Process::this(),
            cache,
            feed: Arc::default(),
            staging,
            desk,
            verifying: Arc::new(Semaphore::new(verify::AT_ONCE)),
            uploading: Mutex::default(),
            notes,
            tasks: TaskTracker::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Those of the moment.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.live().settings)
    }

    /// Custom properties that the site describes.
    pub fn site_properties(&self) -> Arc<SiteProperties> {
        Arc::clone(&self.live().site_properties)
    }

    /// Who finds the callers of requests.
    pub fn authenticator(&self) -> Arc<Authenticator> {
        Arc::clone(&self.live().authenticator)
    }

    /// Whose signatures count.
    pub(super) fn signers(&self) -> Arc<Signers> {
        Arc::clone(&self.live().signers)
    }

    /// What holds now; not to be kept across a wait.
    pub(super) fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.shared.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests from now on find this.
    pub(super) fn set_live(&self, live: Live) {
        *self.shared.live.write().unwrap_or_else(PoisonError::into_inner) = live;
    }

    /// What this caller may do, by the rules of the moment.
    pub(super) fn access(&self, caller: &Caller) -> Access {
        let live = self.live();
        Access {
            caller: caller.clone(),
            enforcer: live.authenticator.enforcer().clone(),
            protections: Arc::clone(&live.protections),
            cipher: self.shared.cipher.clone(),
            stores: self.shared.stores.clone(),
        }
    }

    /// Keystone's limits, where they are used (`use_keystone_limits`).
    pub(super) fn limits(&self) -> Option<Arc<Limits>> {
        self.live().limits.clone()
    }

    pub(crate) fn db(&self) -> &Db {
        &self.shared.db
    }

    /// All stores.
    pub(crate) fn stores(&self) -> &Stores {
        &self.shared.stores
    }

    /// How the URLs of locations stand in the database.
    pub(crate) fn cipher(&self) -> &LocationCipher {
        &self.shared.cipher
    }

    /// This process, as the table of processes names it.
    pub(crate) fn process(&self) -> &Process {
        &self.shared.process
    }

    /// The images that this process is writing.
    pub(crate) fn uploading(&self) -> MutexGuard<'_, HashSet<ImageId>> {
        self.shared.uploading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This node's image cache, where there is one.
    pub(super) fn cache(&self) -> Option<Arc<Cache>> {
        self.shared.cache.clone()
    }

    /// The change feed, as this process follows it.
    pub(super) fn feed(&self) -> &Arc<Feed> {
        &self.shared.feed
    }

    /// Where data waits for its import.
    pub(super) fn staging_folder(&self) -> &Staging {
        &self.shared.staging
    }

    /// The imports of this process.
    pub(super) fn desk(&self) -> &Desk {
        &self.shared.desk
    }

    /// Who is told what happens.
    pub(super) fn notes(&self) -> &Notes {
        &self.shared.notes
    }

    /// Room for reading copies of images.
    pub(super) fn verifying(&self) -> &Arc<Semaphore> {
        &self.shared.verifying
    }

    /// Whether there is a cache to look after.
    pub(crate) fn has_cache(&self) -> bool {
        self.shared.cache.is_some()
    }

    /// Runs work that nobody needs to wait for, but the end of the program for a while.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.shared.tasks.spawn(work)
    }

    /// Runs work to its end, whether or not the caller goes on waiting for it.
    pub(super) async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        self.shared.tasks.spawn(work).await.unwrap_or_else(|error| Err(Fault::internal(error)))
    }

    /// Waits for work that requests began and left behind. For the end of the program.
    pub async fn settle(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Waits until the broker has what was said, for at most so long. For the end of the program.
    pub async fn end_notes(&self, patience: Duration) {
        self.notes().notifier().close(patience).await;
    }

    /// The time, as fine as the database keeps it.
    #[expect(clippy::unused_self, reason = "a clock of the service's own may come")]
    pub(crate) fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
