//! One pass, for timers: by the running agent, or in this process when there is none.

use super::daemon::{AgentError, build};
use crate::admin::{Client, ClientError, Pass, Pruned, Scrubbed, server::Fault};
use crate::agent::Settings;
use tokio_util::sync::CancellationToken;

/// There was no pass.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnceError {
    /// The running agent did not do it.
    #[error("the running agent did not do it")]
    Agent(#[source] ClientError),
    /// No agent answers, and this process cannot do it either.
    #[error("no agent answers on its socket, and the pass cannot run in this process")]
    Start(#[source] AgentError),
    /// It was stopped, or failed as a whole.
    #[error("the pass did not end")]
    Pass(#[source] Fault),
}

/// One prefetch pass over everything that is queued. Images that failed are in the result.
///
/// # Errors
/// [`OnceError`] when there was no pass at all.
pub async fn prefetch_once(settings: Settings, shutdown: &CancellationToken) -> Result<Pass, OnceError> {
    match Client::new(&settings.admin.socket).prefetch().await {
        Err(ClientError::NoAgent { .. }) => {
            let agent = build(settings).await.map_err(OnceError::Start)?;
            agent.prefetch_once(shutdown.clone()).await.map_err(OnceError::Pass)
        }
        answer => answer.map_err(OnceError::Agent),
    }
}

/// One prune pass; `dry_run` removes nothing and says what would go.
///
/// # Errors
/// [`OnceError`] when there was no pass at all.
pub async fn prune_once(settings: Settings, dry_run: bool, shutdown: &CancellationToken) -> Result<Pruned, OnceError> {
    match Client::new(&settings.admin.socket).prune(dry_run).await {
        Err(ClientError::NoAgent { .. }) => {
            let agent = build(settings).await.map_err(OnceError::Start)?;
            agent.prune_once(dry_run, shutdown.clone()).await.map_err(OnceError::Pass)
        }
        answer => answer.map_err(OnceError::Agent),
    }
}

/// One scrub pass over all bases; damage is in the result.
///
/// # Errors
/// [`OnceError`] when there was no pass at all.
pub async fn scrub_once(settings: Settings, shutdown: &CancellationToken) -> Result<Scrubbed, OnceError> {
    match Client::new(&settings.admin.socket).scrub().await {
        Err(ClientError::NoAgent { .. }) => {
            let agent = build(settings).await.map_err(OnceError::Start)?;
            agent.scrub_once(shutdown.clone()).await.map_err(OnceError::Pass)
        }
        answer => answer.map_err(OnceError::Agent),
    }
}
