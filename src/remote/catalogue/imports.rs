//! Imports: data that the catalogue takes in by itself.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError};
use serde::Deserialize;
use serde_json::Value;

/// What a client reads of a task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RemoteTask {
    /// `pending`, `processing`, `success` or `failure`.
    pub status: String,
    /// How far it is, or why it failed.
    #[serde(default)]
    pub message: Option<String>,
}

#[derive(Deserialize)]
struct Tasks {
    tasks: Vec<RemoteTask>,
}

impl Catalogue {
    /// Asks for an import; `request` is the body of Glance's `POST /v2/images/{id}/import`.
    pub async fn import(&self, id: &ImageId, request: &Value) -> Result<(), RemoteError> {
        let (doing, path) = (format!("importing image {id}"), format!("/v2/images/{id}/import"));
        let (call, response) = self.session.call(&doing, &path, |client, url| client.post(url).json(request)).await?;
        call.check(response).await.map(drop)
    }

    /// The last task of an image, if it has one.
    pub async fn last_task(&self, id: &ImageId) -> Result<Option<RemoteTask>, RemoteError> {
        let doing = format!("asking for the tasks of image {id}");
        let mut found: Tasks = self.get(&doing, &format!("/v2/images/{id}/tasks")).await?;
        Ok(found.tasks.pop())
    }
}
