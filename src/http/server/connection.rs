//! One connection, from accept to close.

use crate::http::server::{
    Settings,
    handler::Handler,
    listener::Stream,
    stall::{Limits, StallGuard},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::Watcher,
};
use std::error::Error;
use tokio_util::sync::CancellationToken;

/// Bytes that one read takes at the most. Each one costs a change of tasks, and on a busy machine each of those a wait.
const READ_BYTES: usize = 1 << 20;

/// Serves `stream` until its client leaves, a limit is passed, or `cut`.
pub(super) async fn run(
    stream: Stream,
    handler: Handler,
    settings: Settings,
    graceful: Watcher,
    cut: CancellationToken,
) {
    let limits =
        Limits { idle: settings.keep_alive_timeout, head: settings.header_timeout, write: settings.body_timeout };
    let peer = handler.peer;
    let stream = StallGuard::new(stream, handler.turns.clone(), limits);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The guard is stricter; this one needs no bytes to arrive, so both have to fail for a connection to stay.
        .header_read_timeout(settings.keep_alive_timeout + settings.header_timeout)
        .max_headers(settings.max_headers)
        .max_header_size(settings.max_header_bytes)
        .max_buf_size(READ_BYTES)
        .serve_connection(TokioIo::new(stream), handler);
    tokio::select! {
        ended = graceful.watch(connection) => {
            if let Err(error) = ended {
                // Clients leave in many ways, none of which is a matter for an operator.
                tracing::debug!(error = %crate::base::chain(&error as &(dyn Error + 'static)), %peer, "a connection ended early");
            }
        }
        () = cut.cancelled() => tracing::warn!(%peer, "a connection is cut: it did not end before the drain deadline"),
    }
}
