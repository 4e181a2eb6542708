//! Keystone's limits on what a project may have (`use_keystone_limits`).
//!
//! They are looked at before the work, so that several requests at once can pass a limit by what they add together
//! (Glance's behaviour).

use crate::base::chain;
use crate::catalogue::{
    service::{Fault, Service},
    tables::images,
};
use crate::db::DbError;
use crate::identity::{
    Caller,
    quota::{LimitError, Resource, Usage},
};

/// What a project has of a resource, and may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Of what.
    pub resource: Resource,
    /// In the resource's unit; -1 for no limit.
    pub limit: i64,
    /// In the resource's unit.
    pub usage: u64,
}

impl Service {
    /// An error when the caller's project may not add these; each with what is added.
    ///
    /// # Errors
    /// `TooLarge`; `Unavailable` when Keystone cannot be asked.
    pub(super) async fn enforce(&self, caller: &Caller, wanted: &[(Resource, u64)]) -> Result<(), Fault> {
        let (Some(limits), Some(project)) = (self.limits(), caller.project.as_deref()) else { return Ok(()) };
        let used = self.used(project).await?;
        let usages: Vec<_> =
            wanted.iter().map(|&(resource, delta)| Usage { resource, current: of(&used, resource), delta }).collect();
        Ok(limits.enforce(project, &usages).await?)
    }

    /// What the caller's project has of everything that is limited, and may have; nothing where nothing is.
    ///
    /// # Errors
    /// `Unavailable` when Keystone cannot be asked.
    pub async fn usage(&self, caller: &Caller) -> Result<Vec<Limited>, Fault> {
        let (Some(limits), Some(project)) = (self.limits(), caller.project.as_deref()) else { return Ok(Vec::new()) };
        let used = self.used(project).await?;
        let found = limits.of(project).await?;
        let limited = |(resource, limit): (_, Option<_>)| Limited {
            resource,
            limit: limit.unwrap_or(0),
            usage: of(&used, resource),
        };
        Ok(found.into_iter().map(limited).collect())
    }

    async fn used(&self, project: &str) -> Result<images::Used, Fault> {
        let project = project.to_owned();
        Ok(self.db().read::<_, DbError, _>(move |tx| images::used(tx, &project)).await?)
    }
}

fn of(used: &images::Used, resource: Resource) -> u64 {
    match resource {
        Resource::ImageSizeTotal => used.bytes >> 20,
        Resource::ImageStageTotal => used.staged >> 20,
        Resource::ImageCountTotal => used.count,
        Resource::ImageCountUploading => used.uploading,
    }
}

impl From<LimitError> for Fault {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Over { .. } => Self::TooLarge(error.to_string()),
            LimitError::Endpoint(_) | LimitError::Keystone(_) => {
                tracing::error!(error = %chain(&error), "a request is refused, as its project's limits are not known");
                Self::Unavailable("The limits of the project cannot be asked for now.".to_owned())
            }
        }
    }
}
