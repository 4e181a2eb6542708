//! One connection, from accept to close.

use crate::http::server::{
    Settings,
    crowd::Crowd,
    handler::Handler,
    listener::Stream,
    stall::{Limits, StallGuard},
};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{error::Error, pin::pin, time::Duration};
use tokio_util::sync::CancellationToken;

/// Bytes that one read takes at the most. Each one costs a change of tasks, and on a busy machine each of those a wait.
const READ_BYTES: usize = 1 << 20;

/// In place of no limit at all: what timers can count.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What ends a connection from our side.
#[derive(Clone)]
pub(super) struct Ends {
    /// The server drains: after the request under way, at once without one.
    pub(super) drain: CancellationToken,
    /// The drain's deadline has passed.
    pub(super) cut: CancellationToken,
    /// Others wait for its place.
    pub(super) crowd: Crowd,
}

/// Serves `stream` until its client leaves, a limit is passed, or one of `ends` comes.
pub(super) async fn run(stream: Stream, handler: Handler, settings: Settings, ends: Ends) {
    let idle = Some(settings.keep_alive_timeout).filter(|it| !it.is_zero()).unwrap_or(FOR_EVER).min(FOR_EVER);
    let limits = Limits { idle, head: settings.header_timeout, write: settings.body_timeout };
    let (peer, turns) = (handler.peer, handler.turns.clone());
    let stream = StallGuard::new(stream, turns.clone(), limits);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(settings.keep_alive)
        // The guard is stricter; this one needs no bytes to arrive, so both have to fail for a connection to stay.
        .header_read_timeout(idle.saturating_add(settings.header_timeout))
        .max_headers(settings.max_headers)
        .max_header_size(settings.max_header_bytes)
        .max_buf_size(READ_BYTES)
        .serve_connection(TokioIo::new(stream), handler);
    let mut connection = pin!(connection);
    let Ends { drain, cut, crowd } = ends;
    let mut leave = pin!(async {
        tokio::select! {
            () = drain.cancelled() => {}
            () = crowd.wants_place_of(&turns) => tracing::debug!(%peer, "an idle connection is closed: others wait"),
        }
    });
    let mut leaving = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    // Clients leave in many ways, none of which is a matter for an operator.
                    let error = crate::base::chain(&error as &(dyn Error + 'static));
                    tracing::debug!(%error, %peer, "a connection ended early");
                }
                return;
            }
            () = &mut leave, if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            () = cut.cancelled() => {
                tracing::warn!(%peer, "a connection is cut: it did not end before the drain deadline");
                return;
            }
        }
    }
}
