//! Bodies as streams of bytes, with limits.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use std::{io, time::Duration};
use tokio::time::timeout;

/// A request's body did not arrive whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Nothing came for so long.
    #[error("no data for {} s", .0.as_secs_f64())]
    Idle(Duration),
    /// The client went away, or sent less or other than it had announced.
    #[error("the body was cut short")]
    Cut(#[source] axum::Error),
    /// It is longer than the limit, in bytes.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
}

/// The pieces of `body`; when none comes for `limit`, [`BodyError::Idle`] and the end.
pub fn idle_limited(body: Body, limit: Duration) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    let pieces = body.into_data_stream();
    futures_util::stream::unfold(Some(pieces), move |pieces| async move {
        let mut pieces = pieces?;
        match timeout(limit, pieces.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
            Ok(Some(Err(error))) if timed_out(&error) => Some((Err(BodyError::Idle(limit)), None)),
            Ok(Some(Err(error))) => Some((Err(BodyError::Cut(error)), None)),
            Ok(None) => None,
            Err(_) => Some((Err(BodyError::Idle(limit)), None)),
        }
    })
}

/// All of `body`, when it has `limit` bytes or less.
///
/// # Errors
/// [`BodyError`]; never holds more than `limit` bytes and a piece.
pub async fn collect(body: Body, limit: usize, idle: Duration) -> Result<Bytes, BodyError> {
    let mut pieces = std::pin::pin!(idle_limited(body, idle));
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if whole.len() + piece.len() > limit {
            return Err(BodyError::TooLong(limit));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// The server's own limit came first.
fn timed_out(error: &axum::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        next = error.source();
    }
    false
}
