use super::{Fault, Handler, Settings, bind, serve};
use crate::admin::{CachedImage, Client, ClientError, Pass, Plan, Priority, Pruned, Scrubbed, Status, Why};
use crate::image::ImageId;
use futures_util::future::BoxFuture;
use http::StatusCode;
use std::{
    os::unix::{fs::PermissionsExt, net::UnixListener},
    sync::{Arc, Mutex},
};
use tokio_util::sync::CancellationToken;

/// A handler with a queue, and one cached image that is in use.
struct Queue(Mutex<Vec<ImageId>>);

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

fn cached() -> ImageId {
    ImageId::from_random(1)
}

impl Handler for Queue {
    fn status(&self) -> Arc<Status> {
        Arc::new(Status { version: "1.2".to_owned(), ..Status::default() })
    }

    fn why<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<Why, Fault>> {
        ready(Err(Fault::NotFound(format!("{id} is unknown here"))))
    }

    fn plan(&self) -> BoxFuture<'_, Result<Plan, Fault>> {
        ready(Ok(Plan { freed: 5, ..Plan::default() }))
    }

    fn prefetch(&self) -> BoxFuture<'_, Result<Pass, Fault>> {
        ready(Ok(Pass::default()))
    }

    fn prune(&self, dry_run: bool) -> BoxFuture<'_, Result<Pruned, Fault>> {
        ready(Ok(Pruned { dry_run, freed: 7, ..Pruned::default() }))
    }

    fn scrub(&self) -> BoxFuture<'_, Result<Scrubbed, Fault>> {
        ready(Ok(Scrubbed { good: 3, ..Scrubbed::default() }))
    }

    fn queue<'a>(&'a self, id: &'a ImageId, _: Option<Priority>) -> BoxFuture<'a, Result<(), Fault>> {
        self.0.lock().unwrap().push(id.clone());
        ready(Ok(()))
    }

    fn pin<'a>(&'a self, _: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        ready(Ok(()))
    }

    fn unpin<'a>(&'a self, _: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        ready(Err(Fault::NotFound("not pinned".into())))
    }

    fn confirm_gone<'a>(&'a self, _: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        ready(Err(Fault::NotFound("not doubted".into())))
    }

    fn cached(&self) -> BoxFuture<'_, Result<Vec<CachedImage>, Fault>> {
        let image_id = cached().to_string();
        let times = (1.5, 2.5);
        let it =
            CachedImage { image_id, last_accessed: times.0, last_modified: times.1, size: 3, hits: 4, checksum: None };
        ready(Ok(vec![it]))
    }

    fn queued(&self) -> BoxFuture<'_, Result<Vec<ImageId>, Fault>> {
        ready(Ok(self.0.lock().unwrap().clone()))
    }

    fn delete_cached<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        let fault = if *id == cached() { Fault::Conflict("in use".into()) } else { Fault::NotFound("not here".into()) };
        ready(Err(fault))
    }

    fn delete_all_cached(&self) -> BoxFuture<'_, Result<u64, Fault>> {
        ready(Ok(0))
    }

    fn delete_queued<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        let mut queue = self.0.lock().unwrap();
        let found = queue.iter().position(|it| it == id).map(|at| queue.remove(at));
        ready(found.map(drop).ok_or(Fault::NotFound("not queued".into())))
    }

    fn delete_all_queued(&self) -> BoxFuture<'_, Result<u64, Fault>> {
        ready(Ok(self.0.lock().unwrap().drain(..).count() as u64))
    }
}

fn start(settings: &Settings) -> CancellationToken {
    let shutdown = CancellationToken::new();
    let (listener, peers) = bind(settings, None).unwrap();
    let handler = Arc::new(Queue(Mutex::default()));
    tokio::spawn(serve(listener, peers, handler, shutdown.clone()));
    shutdown
}

#[tokio::test]
async fn the_client_and_the_server_understand_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { socket: folder.path().join("agent.sock"), group: None };
    let shutdown = start(&settings);
    assert_eq!(std::fs::metadata(&settings.socket).unwrap().permissions().mode() & 0o777, 0o660);
    let client = Client::new(&settings.socket);
    assert_eq!(client.status().await.unwrap().version, "1.2");
    let id = ImageId::from_random(2);
    client.queue(&id).await.unwrap();
    assert_eq!(client.queued().await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(client.cached().await.unwrap()[0].size, 3);
    assert!(client.prune(true).await.unwrap().dry_run);
    client.prefetch().await.unwrap();
    client.delete_queued(&id).await.unwrap();
    let refused = |result: Result<(), ClientError>| match result.unwrap_err() {
        ClientError::Refused { status, message } => (status.as_u16(), message),
        other => panic!("{other}"),
    };
    assert_eq!(refused(client.delete_queued(&id).await), (404, "not queued".to_owned()));
    assert_eq!(refused(client.delete_cached(&cached()).await), (409, "in use".to_owned()));
    client.queue(&id).await.unwrap();
    assert_eq!(client.delete_all_queued().await.unwrap(), 1);
    assert_eq!(client.delete_all_cached().await.unwrap(), 0);
    assert!(matches!(client.why(&id).await, Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. })));
    shutdown.cancel();
}

#[tokio::test]
async fn a_live_socket_is_refused_with_its_pid_and_a_stale_one_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { socket: folder.path().join("agent.sock"), group: None };
    drop(UnixListener::bind(&settings.socket).unwrap());
    let client = Client::new(&settings.socket);
    let error = client.status().await.unwrap_err();
    assert!(error.to_string().contains("no agent listens at"), "{error}");
    let shutdown = start(&settings);
    client.status().await.unwrap();
    let error = bind(&settings, None).unwrap_err().to_string();
    assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
    shutdown.cancel();

    let nowhere = Settings { socket: folder.path().join("none/agent.sock"), group: None };
    assert!(bind(&nowhere, None).unwrap_err().to_string().contains("make its folder"));
    let nobody = Settings { group: Some("no-such-group".to_owned()), ..settings };
    assert!(bind(&nobody, None).unwrap_err().to_string().contains("no-such-group"));
}

#[tokio::test]
async fn strangers_are_told_who_may() {
    let peers = super::Peers::new(Some("root")).unwrap();
    let stranger = crate::http::Peer::Unix { uid: 65_534, gid: 65_534, pid: None };
    let message = peers.check(&stranger).await.unwrap_err();
    assert!(
        message.contains("may not talk to this agent") && message.contains("members of the group root"),
        "{message}"
    );
    let member = crate::http::Peer::Unix { uid: 65_534, gid: 0, pid: None };
    assert_eq!(peers.check(&member).await, Ok(()));
    let root = crate::http::Peer::Unix { uid: 0, gid: 65_534, pid: None };
    assert_eq!(peers.check(&root).await, Ok(()));
    assert!(peers.check(&crate::http::Peer::Tcp("127.0.0.1:1".parse().unwrap())).await.is_err());
}
