//! The accept loop and its end.

use crate::http::{
    Peer,
    server::{
        Settings, connection,
        handler::Handler,
        listener::{Listener, Stream},
        stall::Turns,
    },
};
use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long handlers may clean up after their connection was cut.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// How long accepting rests after an error such as "too many open files".
const REST: Duration = Duration::from_millis(200);

/// Serves `router` on all `listeners` until `shutdown`, then drains: nobody new is accepted, idle connections are
/// closed, requests under way get `settings.drain_timeout` to end.
pub async fn serve(listeners: Vec<Listener>, router: Router, settings: Settings, shutdown: CancellationToken) {
    let server = Server {
        router,
        permits: Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
        settings,
        graceful: GracefulShutdown::new(),
        connections: TaskTracker::new(),
        handlers: TaskTracker::new(),
        cut: CancellationToken::new(),
    };
    {
        let server = &server;
        let loops = listeners.iter().map(|it| server.accept_until(it, &shutdown));
        futures_util::future::join_all(loops).await;
    }
    drop(listeners);
    server.drain().await;
}

struct Server {
    router: Router,
    settings: Settings,
    permits: Arc<Semaphore>,
    graceful: GracefulShutdown,
    connections: TaskTracker,
    handlers: TaskTracker,
    cut: CancellationToken,
}

// === impl Server ===

impl Server {
    async fn accept_until(&self, listener: &Listener, shutdown: &CancellationToken) {
        loop {
            let next = async {
                let permit = self.permits.clone().acquire_owned().await;
                (permit, listener.accept().await)
            };
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                accepted = next => accepted,
            };
            match accepted {
                (Ok(permit), Ok((stream, peer))) => self.start(stream, peer, Arc::new(permit)),
                // Never closed, so it cannot happen; there would be nobody to serve.
                (Err(_), _) => return,
                (_, Err(error)) if of_the_client(&error) => {}
                (_, Err(error)) => {
                    tracing::error!(%error, "cannot accept connections on {listener}; trying on");
                    sleep(REST).await;
                }
            }
        }
    }

    fn start(&self, stream: Stream, peer: Peer, permit: Arc<tokio::sync::OwnedSemaphorePermit>) {
        let handler = Handler {
            router: self.router.clone(),
            peer,
            turns: Turns::default(),
            body_timeout: self.settings.body_timeout,
            tasks: self.handlers.clone(),
            permit,
            permits: self.permits.clone(),
        };
        let (settings, graceful, cut) = (self.settings.clone(), self.graceful.watcher(), self.cut.clone());
        self.connections.spawn(connection::run(stream, handler, settings, graceful, cut));
    }

    async fn drain(self) {
        let Self { graceful, connections, handlers, cut, settings, .. } = self;
        let open = connections.len();
        if open > 0 {
            tracing::info!(connections = open, "draining");
        }
        connections.close();
        handlers.close();
        if timeout(settings.drain_timeout, graceful.shutdown()).await.is_err() {
            cut.cancel();
        }
        connections.wait().await;
        // A handler outlives a client that went away.
        if timeout(CLEAN_UP, handlers.wait()).await.is_err() {
            tracing::warn!(handlers = handlers.len(), "requests without a client are abandoned");
        }
    }
}

fn of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
