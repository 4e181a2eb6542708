//! Calls the router for each request of a connection, in a task of its own.

use crate::http::{
    Peer,
    body::Received,
    server::{
        crowd::Crowd,
        stall::{Busy, Turns},
    },
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
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// What the requests of one connection have in common.
#[derive(Clone)]
pub(super) struct Handler {
    pub(super) router: Router,
    pub(super) peer: Peer,
    pub(super) turns: Turns,
    pub(super) body_timeout: Duration,
    pub(super) max_header_line: usize,
    pub(super) tasks: TaskTracker,
    pub(super) permit: Arc<OwnedSemaphorePermit>,
    pub(super) crowd: Crowd,
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
        if let Some(refused) = too_long(&request, self.max_header_line) {
            return Box::pin(async move { Ok(refused.map(|body| Body::new(Answer { body, _busy: busy }))) });
        }
        request.extensions_mut().insert(self.peer);
        let permit = self.permit.clone();
        let answer = self.router.clone().oneshot(request);
        let task = self.tasks.spawn(async move {
            let answer = answer.await;
            drop(permit);
            answer
        });
        let crowd = self.crowd.clone();
        Box::pin(async move {
            let mut answer = match task.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(never)) => match never {},
                Err(error) => {
                    tracing::error!(%error, "a request handler panicked; its client gets a 500");
                    internal_error()
                }
            };
            if crowd.is_full() {
                // Others wait: nobody keeps a connection for later.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer.map(|body| Body::new(Answer { body, _busy: busy })))
        })
    }
}

/// The answer to a path or a header field of more than `most` bytes.
fn too_long<T>(request: &Request<T>, most: usize) -> Option<Response<Body>> {
    let path = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    if path > most {
        let why = format!("The path and query are longer than {most} bytes.");
        return Some(plain(StatusCode::URI_TOO_LONG, &why));
    }
    let (name, _) = request.headers().iter().find(|(name, value)| name.as_str().len() + value.len() > most)?;
    let name: String = name.as_str().chars().take(80).collect();
    let why = format!("The header field {name} is longer than {most} bytes.");
    Some(plain(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &why))
}

fn internal_error() -> Response<Body> {
    let why = "The server has either erred or is incapable of performing the requested operation.";
    plain(StatusCode::INTERNAL_SERVER_ERROR, why)
}

/// A refusal that comes before the router, in the form that clients of Glance read.
fn plain(status: StatusCode, why: &str) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or_default();
    let mut answer = Response::new(Body::from(format!("{} {title}\n\n{why}\n\n   ", status.as_u16())));
    *answer.status_mut() = status;
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
