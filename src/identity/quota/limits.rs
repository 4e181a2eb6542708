//! Keystone's unified limits, as oslo.limit applies them (the flat model).

use crate::base::chain;
use crate::identity::keystone::{
    Connection, KeystoneError,
    client::{Client, Question},
};
use http::HeaderMap;
use moka::future::Cache;
use serde::Deserialize;
use std::{fmt, sync::Arc, time::Duration};
use tracing::error;

/// Most projects whose limits are remembered.
const MAX_PROJECTS: u64 = 10_000;

/// `[oslo_limit]`, with `use_keystone_limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The login that may read limits: most often `system_scope = all` with the role reader.
    pub connection: Connection,
    /// `endpoint_id`: the image service's endpoint, which tells service and region.
    pub endpoint_id: Option<String>,
    /// `endpoint_service_type`, where no id is given.
    pub endpoint_service_type: Option<String>,
    /// `endpoint_service_name`
    pub endpoint_service_name: Option<String>,
    /// `endpoint_region_name`
    pub endpoint_region_name: Option<String>,
    /// `endpoint_interface`
    pub endpoint_interface: String,
    /// How long limits count before Keystone is asked again.
    pub cache_time: Duration,
}

/// What Glance registers limits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// MiB of data, size times locations.
    ImageSizeTotal,
    /// MiB in staging.
    ImageStageTotal,
    /// Images that are not deleted.
    ImageCountTotal,
    /// Images that are being uploaded, imported or copied.
    ImageCountUploading,
}

/// What a project has of a resource, and is about to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Of what.
    pub resource: Resource,
    /// In the resource's unit, rounded down.
    pub current: u64,
    /// In the resource's unit.
    pub delta: u64,
}

/// One limit that would be passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverLimit {
    /// What the project has and asks for.
    pub usage: Usage,
    /// What it may have.
    pub limit: i64,
}

/// Why something may not be added.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// It is too much; in oslo.limit's words, for the client.
    #[error("Project {project} is over a limit for [{}]", exceeded.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Over {
        /// The project's id.
        project: String,
        /// Every limit that would be passed.
        exceeded: Vec<OverLimit>,
    },
    /// Keystone does not have the endpoint, or several; for the operator.
    #[error("the image service's endpoint cannot be found in Keystone: {0}")]
    Endpoint(&'static str),
    /// Keystone cannot be asked; for the operator. Logged already.
    #[error("the limits cannot be asked for")]
    Keystone(#[source] Arc<KeystoneError>),
}

/// Asks Keystone for limits.
pub struct Limits {
    settings: Settings,
    client: Client,
    endpoint: tokio::sync::OnceCell<Endpoint>,
    projects: Cache<String, Arc<[Option<i64>; 4]>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Endpoint {
    service_id: String,
    region_id: Option<String>,
}

#[derive(Deserialize)]
struct OneEndpoint {
    endpoint: Endpoint,
}

#[derive(Deserialize)]
struct Endpoints {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Services {
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    id: String,
}

#[derive(Deserialize)]
struct ProjectLimits {
    limits: Vec<ProjectLimit>,
}

#[derive(Deserialize)]
struct ProjectLimit {
    resource_name: String,
    resource_limit: i64,
}

#[derive(Deserialize)]
struct RegisteredLimits {
    registered_limits: Vec<RegisteredLimit>,
}

#[derive(Deserialize)]
struct RegisteredLimit {
    resource_name: String,
    default_limit: i64,
}

// === impl Settings, Resource, OverLimit ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            connection: Connection { interfaces: vec!["public".to_owned()], ..Connection::default() },
            endpoint_id: None,
            endpoint_service_type: None,
            endpoint_service_name: None,
            endpoint_region_name: None,
            endpoint_interface: "public".to_owned(),
            cache_time: Duration::from_secs(10),
        }
    }
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ImageSizeTotal, Self::ImageStageTotal, Self::ImageCountTotal, Self::ImageCountUploading];

    /// As it is registered in Keystone.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImageSizeTotal => "image_size_total",
            Self::ImageStageTotal => "image_stage_total",
            Self::ImageCountTotal => "image_count_total",
            Self::ImageCountUploading => "image_count_uploading",
        }
    }
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage { resource, current, delta } = self.usage;
        let limit = self.limit;
        write!(
            f,
            "Resource {} is over limit of {limit} due to current usage {current} and delta {delta}",
            resource.as_str()
        )
    }
}

/// Which of these would pass their limits. A negative limit is none; what has no limit at all may not be used.
pub fn over(usages: &[Usage], limit: impl Fn(Resource) -> Option<i64>) -> Vec<OverLimit> {
    let mut over = Vec::new();
    for usage in usages {
        let limit = limit(usage.resource).unwrap_or(0);
        if let Ok(most) = u64::try_from(limit)
            && usage.current.saturating_add(usage.delta) > most
        {
            over.push(OverLimit { usage: *usage, limit });
        }
    }
    over.sort_by_key(|it| it.usage.resource.as_str());
    over
}

// === impl Limits ===

impl Limits {
    /// Asks nothing yet. Reads the certificates; blocks for it.
    pub fn new(settings: Settings) -> Result<Self, KeystoneError> {
        let client = Client::new(&settings.connection)?;
        let projects = Cache::builder().max_capacity(MAX_PROJECTS).time_to_live(settings.cache_time).build();
        Ok(Self { settings, client, endpoint: tokio::sync::OnceCell::new(), projects })
    }

    /// An error when the project may not add all of these. As with Glance, what others add at the same time is not seen.
    pub async fn enforce(&self, project: &str, usages: &[Usage]) -> Result<(), LimitError> {
        let limits = self.of(project).await?;
        let exceeded = over(usages, |it| limits.iter().find(|(resource, _)| *resource == it).and_then(|(_, it)| *it));
        if exceeded.is_empty() { Ok(()) } else { Err(LimitError::Over { project: project.to_owned(), exceeded }) }
    }

    /// The limits of a project; none where Keystone has none.
    pub async fn of(&self, project: &str) -> Result<[(Resource, Option<i64>); 4], LimitError> {
        let endpoint = self.endpoint.get_or_try_init(|| self.find_endpoint()).await?;
        let found = self.projects.try_get_with_by_ref(project, self.ask(project, endpoint)).await;
        let found = found.map_err(|e| {
            error!("limits cannot be asked for: {}", chain(&*e));
            LimitError::Keystone(e)
        })?;
        Ok(std::array::from_fn(|at| (Resource::ALL[at], found[at])))
    }

    /// The project's own limits, over those that hold for all projects.
    async fn ask(&self, project: &str, endpoint: &Endpoint) -> Result<Arc<[Option<i64>; 4]>, KeystoneError> {
        let mut query = vec![("service_id", endpoint.service_id.as_str())];
        query.extend(endpoint.region_id.as_deref().map(|it| ("region_id", it)));
        let mut own = query.clone();
        own.push(("project_id", project));
        let (own, all) = futures_util::try_join!(
            self.get::<ProjectLimits>("limits", &own),
            self.get::<RegisteredLimits>("registered_limits", &query),
        )?;
        let own = own.map_or_else(Vec::new, |it| it.limits);
        let all = all.map_or_else(Vec::new, |it| it.registered_limits);
        Ok(Arc::new(Resource::ALL.map(|resource| {
            let name = resource.as_str();
            let own = own.iter().find(|it| it.resource_name == name).map(|it| it.resource_limit);
            own.or_else(|| all.iter().find(|it| it.resource_name == name).map(|it| it.default_limit))
        })))
    }

    async fn find_endpoint(&self) -> Result<Endpoint, LimitError> {
        let failed = |e: KeystoneError| {
            error!("the image service's endpoint cannot be asked for: {}", chain(&e));
            LimitError::Keystone(Arc::new(e))
        };
        let it = &self.settings;
        if let Some(id) = &it.endpoint_id {
            let path =
                format!("endpoints/{}", percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC));
            let found = self.get::<OneEndpoint>(&path, &[]).await.map_err(failed)?;
            return found.map(|it| it.endpoint).ok_or(LimitError::Endpoint("there is none with endpoint_id"));
        }
        let mut query = Vec::new();
        query.extend(it.endpoint_service_type.as_deref().map(|it| ("type", it)));
        query.extend(it.endpoint_service_name.as_deref().map(|it| ("name", it)));
        if query.is_empty() {
            return Err(LimitError::Endpoint(
                "neither endpoint_id nor endpoint_service_type nor endpoint_service_name is set",
            ));
        }
        let services = self.get::<Services>("services", &query).await.map_err(failed)?;
        let mut services = services.map_or_else(Vec::new, |it| it.services);
        let (Some(service), true) = (services.pop(), services.is_empty()) else {
            return Err(LimitError::Endpoint("not exactly one service has this type and name"));
        };
        let mut query =
            vec![("service_id", service.id.as_str()), ("interface", it.endpoint_interface.trim_end_matches("URL"))];
        query.extend(it.endpoint_region_name.as_deref().map(|it| ("region_id", it)));
        let endpoints = self.get::<Endpoints>("endpoints", &query).await.map_err(failed)?;
        let mut endpoints = endpoints.map_or_else(Vec::new, |it| it.endpoints);
        match (endpoints.pop(), endpoints.is_empty()) {
            (Some(endpoint), true) => Ok(endpoint),
            _ => Err(LimitError::Endpoint("the service has not exactly one endpoint of this interface and region")),
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, KeystoneError> {
        self.client.get(&Question { doing: "asking for limits", path, query, headers: HeaderMap::new() }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_said_as_oslo_limit_says_it() {
        let usage = |resource, current, delta| Usage { resource, current, delta };
        let limit = |it| match it {
            Resource::ImageSizeTotal => Some(1000),
            Resource::ImageCountTotal => Some(-1),
            _ => None,
        };
        let within = [usage(Resource::ImageSizeTotal, 900, 100), usage(Resource::ImageCountTotal, u64::MAX, 1)];
        assert!(over(&within, limit).is_empty() && over(&[usage(Resource::ImageStageTotal, 0, 0)], limit).is_empty());
        let exceeded =
            over(&[usage(Resource::ImageStageTotal, 0, 1), usage(Resource::ImageSizeTotal, 900, 101)], limit);
        let error = LimitError::Over { project: "p".to_owned(), exceeded };
        assert_eq!(
            error.to_string(),
            "Project p is over a limit for [Resource image_size_total is over limit of 1000 due to current usage 900 and \
             delta 101, Resource image_stage_total is over limit of 0 due to current usage 0 and delta 1]"
        );
    }
}
