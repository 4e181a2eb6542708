//! The body of a request, as the server hands it to a handler.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// How long an unwanted body is read on.
const LINGER: Duration = Duration::from_secs(5);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Times each piece; and a body that its handler did not want to the end is read on for a while, since a client that
/// is still sending would get a reset connection in place of the answer that says why.
pub(in crate::http) struct Received {
    body: Option<Incoming>,
    /// The client waits for "100 Continue", which the first poll sends.
    waits_for_continue: bool,
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

// === impl Received ===

impl Received {
    pub(in crate::http) fn new(body: Incoming, waits_for_continue: bool, limit: Duration) -> Self {
        Self { body: Some(body), waits_for_continue, limit, sleep: None }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        this.waits_for_continue = false;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.sleep = None;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.body = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.body = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let limit = this.limit;
                let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.body = None;
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the client stopped sending").into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|it| !it.is_end_stream() && !self.waits_for_continue) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(timeout(LINGER, read_to_end(body)));
        }
    }
}

async fn read_to_end(mut body: Incoming) {
    use http_body_util::BodyExt;
    while let Some(Ok(_)) = body.frame().await {}
}
