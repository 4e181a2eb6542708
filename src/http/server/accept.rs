//! The accept loop and its end.

use crate::http::{
    Peer,
    server::{
        Live,
        connection::{self, Ends},
        crowd::Crowd,
        handler::Handler,
        listener::{Listener, Stream},
        stall::Turns,
    },
};
use axum::Router;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long handlers may clean up after their connection was cut.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// How long accepting rests after an error such as "too many open files".
const REST: Duration = Duration::from_millis(200);

/// Serves `router` on all `listeners` until `shutdown`, then drains: nobody new is accepted, idle connections are
/// closed, requests under way get `drain_timeout` to end.
pub async fn serve(listeners: Vec<Listener>, router: Router, settings: impl Into<Live>, shutdown: CancellationToken) {
    let settings = settings.into();
    let server = Server {
        router,
        ends: Ends {
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
            crowd: Crowd::new(settings.now().max_connections),
        },
        settings,
        connections: TaskTracker::new(),
        handlers: TaskTracker::new(),
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
    settings: Live,
    ends: Ends,
    connections: TaskTracker,
    handlers: TaskTracker,
}

// === impl Server ===

impl Server {
    async fn accept_until(&self, listener: &Listener, shutdown: &CancellationToken) {
        loop {
            let next = async {
                let permit = self.ends.crowd.place().await;
                (permit, listener.accept().await)
            };
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                accepted = next => accepted,
            };
            match accepted {
                (Some(permit), Ok((stream, peer))) => self.start(stream, peer, Arc::new(permit)),
                // Never closed, so it cannot happen; there would be nobody to serve.
                (None, _) => return,
                (_, Err(error)) if of_the_client(&error) => {}
                (_, Err(error)) => {
                    tracing::error!(%error, "cannot accept connections on {listener}; trying on");
                    sleep(REST).await;
                }
            }
        }
    }

    fn start(&self, stream: Stream, peer: Peer, permit: Arc<OwnedSemaphorePermit>) {
        let settings = self.settings.now();
        stream.ask_when_silent(settings.tcp_keepidle);
        let handler = Handler {
            router: self.router.clone(),
            peer,
            turns: Turns::default(),
            body_timeout: settings.body_timeout,
            max_header_line: settings.max_header_line,
            tasks: self.handlers.clone(),
            permit,
            crowd: self.ends.crowd.clone(),
        };
        self.connections.spawn(connection::run(stream, handler, settings, self.ends.clone()));
    }

    async fn drain(self) {
        let Self { ends, connections, handlers, settings, .. } = self;
        let open = connections.len();
        if open > 0 {
            tracing::info!(connections = open, "draining");
        }
        connections.close();
        handlers.close();
        ends.drain.cancel();
        if timeout(settings.now().drain_timeout, connections.wait()).await.is_err() {
            ends.cut.cancel();
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
