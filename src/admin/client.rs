//! The operator's side of the admin socket.

use crate::admin::{CachedImage, Pass, Plan, Priority, Pruned, Scrubbed, Status, Why};
use crate::image::ImageId;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{net::UnixStream, time::timeout};

/// Asks a running agent; each call is a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    quick: Duration,
}

/// The agent was not asked, or did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No process listens.
    #[error(
        "no agent listens at {}: start it (systemctl start larder-agent, or larder agent), or name its socket (--socket, admin_socket)",
        socket.display()
    )]
    NoAgent {
        /// The socket's path.
        socket: PathBuf,
        /// Why connecting failed.
        source: io::Error,
    },
    /// The socket's mode keeps this user out.
    #[error(
        "this user may not talk to the agent at {}: be root, the agent's user, or a member of its admin_group",
        socket.display()
    )]
    Denied {
        /// The socket's path.
        socket: PathBuf,
        /// Why connecting failed.
        source: io::Error,
    },
    /// Connecting failed for another reason.
    #[error("cannot connect to the agent at {}", socket.display())]
    Connect {
        /// The socket's path.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No answer in time.
    #[error("the agent at {} did not answer {what} within {} s", socket.display(), waited.as_secs())]
    TimedOut {
        /// The socket's path.
        socket: PathBuf,
        /// The request.
        what: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The connection broke, or the answer is none of an agent's.
    #[error("the agent at {} did not answer {what} as an agent does", socket.display())]
    Broken {
        /// The socket's path.
        socket: PathBuf,
        /// The request.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The agent refused or could not do it; the message is its own.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What the agent said.
        message: String,
    },
}

#[derive(Deserialize)]
struct CacheList {
    cached_images: Vec<CachedImage>,
    queued_images: Vec<ImageId>,
}

#[derive(Deserialize)]
struct Deleted {
    num_deleted: u64,
}

#[derive(Deserialize)]
struct Failure {
    error: String,
}

/// The longest answer that is read: a status of some ten thousand files.
const LONGEST_ANSWER: usize = 64 << 20;

// === impl Client ===

impl Client {
    /// For the socket at this path; connects at each call.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), quick: Duration::from_secs(30) }
    }

    /// What the agent is doing now.
    ///
    /// # Errors
    /// [`ClientError`], as all calls.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.json(Method::GET, "/status", Some(self.quick)).await
    }

    /// Everything known about one image on this node.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn why(&self, id: &ImageId) -> Result<Why, ClientError> {
        self.json(Method::GET, &format!("/why/{id}"), Some(self.quick)).await
    }

    /// What the agent would fetch and remove now; changes nothing.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn plan(&self) -> Result<Plan, ClientError> {
        self.json(Method::GET, "/plan", None).await
    }

    /// A prefetch pass over everything queued, now; answers when it is over, however long that takes.
    ///
    /// # Errors
    /// [`ClientError`]; images that failed are in the result.
    pub async fn prefetch(&self) -> Result<Pass, ClientError> {
        self.json(Method::POST, "/prefetch", None).await
    }

    /// A prune pass, now; `dry_run` removes nothing and says what would go.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn prune(&self, dry_run: bool) -> Result<Pruned, ClientError> {
        self.json(Method::POST, &format!("/prune?dry_run={dry_run}"), None).await
    }

    /// A scrub pass over all bases, now; answers when it is over, however long that takes.
    ///
    /// # Errors
    /// [`ClientError`]; damage is in the result.
    pub async fn scrub(&self) -> Result<Scrubbed, ClientError> {
        self.json(Method::POST, "/scrub", None).await
    }

    /// Queues an image for fetching; it being queued or there already is no error.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn queue(&self, id: &ImageId) -> Result<(), ClientError> {
        self.call(Method::PUT, &format!("/v2/queued_images/{id}"), Some(self.quick)).await.map(drop)
    }

    /// Likewise, with a priority; one that is queued already gets it.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn queue_with(&self, id: &ImageId, priority: Priority) -> Result<(), ClientError> {
        self.call(Method::PUT, &format!("/queue/{id}?priority={priority}"), Some(self.quick)).await.map(drop)
    }

    /// Keeps an image on the node: it is fetched when it is not there, and never pruned.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn pin(&self, id: &ImageId) -> Result<(), ClientError> {
        self.call(Method::PUT, &format!("/pins/{id}"), Some(self.quick)).await.map(drop)
    }

    /// Ends that; 404 when it is not pinned.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn unpin(&self, id: &ImageId) -> Result<(), ClientError> {
        self.call(Method::DELETE, &format!("/pins/{id}"), Some(self.quick)).await.map(drop)
    }

    /// Says that the catalogue is right about an image that it has no more, though it misses too many at once to be
    /// believed; 404 when it is not doubted.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn confirm_gone(&self, id: &ImageId) -> Result<(), ClientError> {
        self.call(Method::PUT, &format!("/gone/{id}"), Some(self.quick)).await.map(drop)
    }

    /// The images whose bases are there.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn cached(&self) -> Result<Vec<CachedImage>, ClientError> {
        let list: CacheList = self.json(Method::GET, "/v2/cache", Some(self.quick)).await?;
        Ok(list.cached_images)
    }

    /// The queue, in its order.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn queued(&self) -> Result<Vec<ImageId>, ClientError> {
        let list: CacheList = self.json(Method::GET, "/v2/cache", Some(self.quick)).await?;
        Ok(list.queued_images)
    }

    /// Removes one image's base, unless it is in use (409) or not there (404).
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_cached(&self, id: &ImageId) -> Result<(), ClientError> {
        self.call(Method::DELETE, &format!("/v2/cached_images/{id}"), Some(self.quick)).await.map(drop)
    }

    /// Removes all bases of images that are not in use; how many went.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_all_cached(&self) -> Result<u64, ClientError> {
        let deleted: Deleted = self.json(Method::DELETE, "/v2/cached_images", None).await?;
        Ok(deleted.num_deleted)
    }

    /// Takes one image out of the queue; its fetch, if it is under way, is stopped. 404 when it is not queued.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_queued(&self, id: &ImageId) -> Result<(), ClientError> {
        self.call(Method::DELETE, &format!("/v2/queued_images/{id}"), Some(self.quick)).await.map(drop)
    }

    /// Empties the queue; how many were in it.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_all_queued(&self) -> Result<u64, ClientError> {
        let deleted: Deleted = self.json(Method::DELETE, "/v2/queued_images", Some(self.quick)).await?;
        Ok(deleted.num_deleted)
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        within: Option<Duration>,
    ) -> Result<T, ClientError> {
        let what = format!("{method} {path}");
        let body = self.call(method, path, within).await?;
        serde_json::from_slice(&body).map_err(|source| self.broken(&what, source.into()))
    }

    async fn call(&self, method: Method, path: &str, within: Option<Duration>) -> Result<Bytes, ClientError> {
        let what = format!("{method} {path}");
        // Connecting is quick or hopeless, even when the answer may take hours.
        let stream = timeout(self.quick, self.connect()).await.map_err(|_| self.late(&what, self.quick))??;
        let exchange = self.exchange(stream, method, path, &what);
        let (status, body) = match within {
            Some(within) => timeout(within, exchange).await.map_err(|_| self.late(&what, within))??,
            None => exchange.await?,
        };
        if status.is_success() {
            return Ok(body);
        }
        let message = serde_json::from_slice::<Failure>(&body).map_or_else(
            |_| format!("the agent at {} answered {what} with {status}", self.socket.display()),
            |failure| failure.error,
        );
        Err(ClientError::Refused { status, message })
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(&self.socket).await.map_err(|source| {
            let socket = self.socket.clone();
            match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoAgent { socket, source },
                io::ErrorKind::PermissionDenied => ClientError::Denied { socket, source },
                _ => ClientError::Connect { socket, source },
            }
        })
    }

    async fn exchange(
        &self,
        stream: UnixStream,
        method: Method,
        path: &str,
        what: &str,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "larder-agent")
            .body(Full::new(Bytes::new()))
            .map_err(|source| self.broken(what, source.into()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| self.broken(what, source.into()))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await?;
            Ok((status, body.to_bytes()))
        };
        // The connection is driven here, not in a task: it ends with the call.
        tokio::pin!(exchange, connection);
        let mut connected = true;
        loop {
            tokio::select! {
                done = &mut exchange => return done.map_err(|source| self.broken(what, source)),
                _ = &mut connection, if connected => connected = false,
            }
        }
    }

    fn late(&self, what: &str, waited: Duration) -> ClientError {
        ClientError::TimedOut { socket: self.socket.clone(), what: what.to_owned(), waited }
    }

    fn broken(&self, what: &str, source: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
        ClientError::Broken { socket: self.socket.clone(), what: what.to_owned(), source }
    }
}
