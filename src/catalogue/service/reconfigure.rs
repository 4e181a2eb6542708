//! Other settings, while it runs.

use crate::catalogue::{
    Settings,
    service::{OpenError, Service, open::Live},
};
use crate::identity::{self, policy};
use std::sync::Arc;

impl Service {
    /// Takes over what may change while it runs: requests from now on find it, and files that the settings name are
    /// read again. The rest stays as it was; its options are named in the result.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing has changed.
    pub async fn reconfigure(&self, wanted: Settings) -> Result<Vec<&'static str>, OpenError> {
        let before = self.live().clone();
        let (settings, staying) = keep_fixed(wanted, &before.settings);
        let filtering = settings.import_filtering.clone();
        let renewed = tokio::task::spawn_blocking(move || before.renewed(Arc::new(settings)));
        self.set_live(renewed.await.unwrap_or(Err(OpenError::BrokeOff))?);
        self.stores().filter(filtering);
        Ok(staying)
    }
}

/// The wanted settings with what is fixed once it runs, and the options of that which differ.
fn keep_fixed(mut wanted: Settings, now: &Settings) -> (Settings, Vec<&'static str>) {
    let mut staying = Vec::new();
    macro_rules! fixed {
        ($($option:literal $($field:ident).+,)*) => {$(
            if wanted.$($field).+ != now.$($field).+ {
                wanted.$($field).+ = now.$($field).+.clone();
                staying.push($option);
            }
        )*};
    }
    fixed! {
        "bind_host" bind_host,
        "bind_port" bind_port,
        "backlog" backlog,
        "max_connections" server.max_connections,
        "process_lease" lease,
        "metrics" metrics,
        "metadata_encryption_key" metadata_encryption_key,
        "[database]" database,
        "[glance_store]" store,
        "node_staging_uri, [os_glance_staging_store]" staging_folder,
        "[wsgi] task_pool_threads" import_limit,
        "[oslo_messaging_notifications], [oslo_messaging_rabbit] and what belongs to them" notifications,
        "[image_conversion] max_conversions" plugins.conversion.max_conversions,
        "image_cache_* (and whether the flavor is one with caching)" cache,
        "worker_self_reference_url" worker_self_reference_url,
    }
    (wanted, staying)
}

// === impl Live ===

impl Live {
    /// What holds with other settings. Blocks. Tokens that were validated stay so while nothing about it changes.
    ///
    /// # Errors
    /// Those of [`Self::open`]; a rule of the policy that makes no sense, too, since the rules before it are better.
    fn renewed(self, settings: Arc<Settings>) -> Result<Self, OpenError> {
        let same_door = settings.identity == self.settings.identity;
        let same_limits = settings.limits == self.settings.limits;
        policy::check_files(&settings.identity.policy).map_err(identity::OpenError::Policy)?;
        let opened = Self::open(settings)?;
        if same_door {
            self.authenticator.enforcer().look();
        }
        Ok(Self {
            authenticator: if same_door { self.authenticator } else { opened.authenticator },
            limits: if same_limits { self.limits } else { opened.limits },
            ..opened
        })
    }
}
