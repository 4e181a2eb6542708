//! Calls the router for each request of a connection, in a task of its own.

use crate::http::{
    Peer,
    body::Received,
    server::stall::{Busy, Turns},
};
use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// What the requests of one connection have in common.
#[derive(Clone)]
pub(super) struct Handler {
    pub(super) router: Router,
    pub(super) peer: Peer,
    pub(super) turns: Turns,
    pub(super) body_timeout: Duration,
    pub(super) tasks: TaskTracker,
    pub(super) permit: Arc<OwnedSemaphorePermit>,
    pub(super) permits: Arc<Semaphore>,
}

/// A body that keeps its connection marked as busy until all of it is sent.
struct Answer {
    body: Body,
    _busy: Busy,
}

// === impl Handler ===

impl hyper::service::Service<Request<Incoming>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let busy = self.turns.busy();
        let expects = request.headers().contains_key(header::EXPECT);
        let timeout = self.body_timeout;
        let mut request = request.map(|body| Body::new(Received::new(body, expects, timeout)));
        request.extensions_mut().insert(self.peer);
        let permit = self.permit.clone();
        let answer = self.router.clone().oneshot(request);
        let task = self.tasks.spawn(async move {
            let answer = answer.await;
            drop(permit);
            answer
        });
        let permits = self.permits.clone();
        Box::pin(async move {
            let mut answer = match task.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(never)) => match never {},
                Err(error) => {
                    tracing::error!(%error, "a request handler panicked; its client gets a 500");
                    internal_error()
                }
            };
            if permits.available_permits() == 0 {
                // Others wait: nobody keeps a connection for later.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer.map(|body| Body::new(Answer { body, _busy: busy })))
        })
    }
}

fn internal_error() -> Response<Body> {
    let mut answer = Response::new(Body::from(
        "500 Internal Server Error\n\nThe server has either erred or is incapable of performing the requested operation.\n\n   ",
    ));
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    answer
}

// === impl Answer ===

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
