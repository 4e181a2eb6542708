//! Requests that end: each attempt has a limit that grows with what it sends, silence of the server is an error, and what
//! failed for a moment is tried again.

use crate::store::resume::jittered;
use futures_util::{Stream, StreamExt};
use http::{Method, Request, Response, StatusCode, header};
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, Result};
use opendal_http_transport_reqwest::ReqwestTransport;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep, timeout};

/// From the last byte sent to the head of the answer. Servers work for long on a POST: it puts parts together.
const ANSWER: Duration = Duration::from_secs(60);
const ANSWER_TO_POST: Duration = Duration::from_secs(600);

/// Bytes a second that are sent at the least.
const SLOWEST: u64 = 64 << 10;

/// The longest silence within an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// Attempts at a request, and the time after which there is no other.
const ATTEMPTS: u32 = 6;
const ALL_ATTEMPTS: Duration = Duration::from_secs(150);

/// The pause before the second attempt; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(150);

/// Sends requests to the server.
pub(super) struct Patient(ReqwestTransport);

// === impl Patient ===

impl Patient {
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self(ReqwestTransport::new(client))
    }

    async fn attempt(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        let answer = if request.method() == Method::POST { ANSWER_TO_POST } else { ANSWER };
        let limit = answer + Duration::from_secs(request.body().len() as u64 / SLOWEST);
        let from = first_byte(&request);
        let response = timeout(limit, self.0.fetch(request)).await.unwrap_or_else(|_| {
            let what = format!("the server does not answer within {} s", limit.as_secs());
            Err(Error::new(ErrorKind::Unexpected, what).set_temporary())
        })?;
        if from.is_some_and(|it| it > 0) && response.status() == StatusCode::OK {
            return Err(Error::new(ErrorKind::Unexpected, "the server does not know ranges"));
        }
        Ok(response.map(|body| body.map_inner(|bytes| Box::new(Watched::new(bytes)))))
    }
}

impl HttpTransport for Patient {
    async fn fetch(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        let (head, body) = request.into_parts();
        // Whoever reads a range goes on by himself.
        let attempts = if head.headers.contains_key(header::RANGE) { 1 } else { ATTEMPTS };
        let (start, mut pause) = (Instant::now(), FIRST_PAUSE);
        for attempt in 1.. {
            let answer = self.attempt(Request::from_parts(head.clone(), body.clone())).await;
            let momentary = match &answer {
                Ok(response) => is_momentary(response.status()),
                Err(error) => error.is_temporary(),
            };
            if !momentary || attempt >= attempts || start.elapsed() > ALL_ATTEMPTS {
                return answer;
            }
            sleep(jittered(pause)).await;
            pause *= 2;
        }
        Err(Error::new(ErrorKind::Unexpected, "there was no attempt"))
    }
}

/// The first byte that a request wants, when it wants a range.
fn first_byte(request: &Request<Buffer>) -> Option<u64> {
    let range = request.headers().get(header::RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
}

fn is_momentary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

type Bytes = Box<dyn Stream<Item = Result<Buffer>> + Send + Sync + Unpin>;

/// The bytes of an answer, until the server is silent for too long.
struct Watched {
    bytes: Bytes,
    silence: Pin<Box<Sleep>>,
    /// Somebody waits for the next ones; the time in which nobody asks for them is not the server's.
    asked: bool,
}

// === impl Watched ===

impl Watched {
    fn new(bytes: Bytes) -> Self {
        Self { bytes, silence: Box::pin(sleep(SILENCE)), asked: false }
    }
}

impl Stream for Watched {
    type Item = Result<Buffer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.bytes.poll_next_unpin(cx);
        if polled.is_ready() {
            self.asked = false;
            return polled;
        }
        if !self.asked {
            self.asked = true;
            self.silence.as_mut().reset(Instant::now() + SILENCE);
        }
        match self.silence.as_mut().poll(cx) {
            Poll::Ready(()) => {
                let what = format!("the server sends nothing for {} s", SILENCE.as_secs());
                Poll::Ready(Some(Err(Error::new(ErrorKind::Unexpected, what).set_temporary())))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
