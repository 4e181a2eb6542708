//! What the agent does for those who ask.

use crate::admin::{CachedImage, Pass, Plan, Priority, Pruned, Scrubbed, Status, Why};
use crate::image::ImageId;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// The agent, as the admin socket sees it.
pub trait Handler: Send + Sync + 'static {
    /// The status of this moment.
    fn status(&self) -> Arc<Status>;

    /// Everything known about one image.
    fn why<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<Why, Fault>>;

    /// What would be fetched and removed now; changes nothing.
    fn plan(&self) -> BoxFuture<'_, Result<Plan, Fault>>;

    /// A prefetch pass; ready when it is over.
    fn prefetch(&self) -> BoxFuture<'_, Result<Pass, Fault>>;

    /// A prune pass; ready when it is over.
    fn prune(&self, dry_run: bool) -> BoxFuture<'_, Result<Pruned, Fault>>;

    /// A scrub pass; ready when it is over.
    fn scrub(&self) -> BoxFuture<'_, Result<Scrubbed, Fault>>;

    /// Queues an image; one that is queued already gets the priority, if there is one.
    fn queue<'a>(&'a self, id: &'a ImageId, priority: Option<Priority>) -> BoxFuture<'a, Result<(), Fault>>;

    /// Keeps an image on this node: it is fetched when it is not there, and never pruned.
    fn pin<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>>;

    /// Ends that.
    fn unpin<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>>;

    /// Takes an image for gone that the catalogue misses among too many at once to be believed.
    fn confirm_gone<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>>;

    /// The images whose bases are there.
    fn cached(&self) -> BoxFuture<'_, Result<Vec<CachedImage>, Fault>>;

    /// The queue, in its order.
    fn queued(&self) -> BoxFuture<'_, Result<Vec<ImageId>, Fault>>;

    /// Removes one base that is not in use.
    fn delete_cached<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>>;

    /// Removes all bases of images that are not in use; how many went.
    fn delete_all_cached(&self) -> BoxFuture<'_, Result<u64, Fault>>;

    /// Takes an image out of the queue.
    fn delete_queued<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>>;

    /// Empties the queue; how many were in it.
    fn delete_all_queued(&self) -> BoxFuture<'_, Result<u64, Fault>>;
}

/// Why something was not done, in words for the one who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no such thing here.
    #[error("{0}")]
    NotFound(String),
    /// Something is in the way, such as an instance that uses the base.
    #[error("{0}")]
    Conflict(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Not now.
    #[error("{0}")]
    Unavailable(String),
    /// It went wrong here; the words name the step and its object.
    #[error("{0}")]
    Internal(String),
}
