//! Sending the data of an image.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError, transport::Call};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use http::header;
use reqwest::{Body, Response};
use std::{
    error::Error,
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::time::Instant;

type BoxError = Box<dyn Error + Send + Sync>;

/// What the sender and its watchdog share.
struct Progress {
    /// When the last piece was taken, and whether it was the last of all.
    last: Mutex<(Instant, bool)>,
    /// Why the data could not be read.
    failure: Mutex<Option<BoxError>>,
}

impl Catalogue {
    /// Sends the data of a queued image; `progress` is told the bytes handed to the connection so far.
    ///
    /// `len` is the length of `body` when it is known (sent as Content-Length, and checked); it is sent in chunks
    /// otherwise. There is no limit on how long it takes, but on how long nothing moves.
    pub async fn upload<S, E>(
        &self,
        id: &ImageId,
        body: S,
        len: Option<u64>,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<(), RemoteError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let body = |shared| Body::wrap_stream(watched(body, len, shared, progress));
        self.send(id, ("file", "uploading"), len, body).await
    }

    /// Likewise, to where data waits for its import.
    pub async fn stage(
        &self,
        id: &ImageId,
        body: BoxStream<'static, io::Result<Bytes>>,
        len: Option<u64>,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<(), RemoteError> {
        let body = |shared| Body::wrap_stream(watched(body, len, shared, progress));
        self.send(id, ("stage", "staging"), len, body).await
    }

    async fn send(
        &self,
        id: &ImageId,
        (place, verb): (&str, &str),
        len: Option<u64>,
        body: impl FnOnce(Arc<Progress>) -> Body,
    ) -> Result<(), RemoteError> {
        let doing = format!("{verb} image {id}");
        // The data can be sent once only, so the token and the image's status are tried out first.
        let image = self.image(id).await?;
        let access = self.session.access(None).await?;
        let path = format!("/v2/images/{id}/{place}");
        let shared = Arc::new(Progress { last: Mutex::new((Instant::now(), false)), failure: Mutex::new(None) });
        let body = body(shared.clone());
        let (call, request) = self.session.prepare(&access, &doing, &path, |url| {
            let request = self.session.transport.uploads.put(url);
            let request = request.header(header::CONTENT_TYPE, "application/octet-stream").body(body);
            if let Some(len) = len { request.header(header::CONTENT_LENGTH, len) } else { request }
        })?;
        if image.status != "queued" {
            let status = http::StatusCode::CONFLICT;
            let message = format!("the image is {}; only a queued one takes data", image.status);
            return Err(RemoteError::Refused { doing, url: call.url, status, message, retry_after: None });
        }
        let answer = tokio::select! {
            answer = call.send(request) => answer,
            stall = self.stalled(&shared, &call) => Err(stall),
        };
        if let Some(source) = lock(&shared.failure).take() {
            return Err(RemoteError::Source { doing, source });
        }
        let response: Response = answer?;
        tokio::time::timeout(self.session.transport.read_timeout, call.check(response))
            .await
            .unwrap_or_else(|_| Err(call.silence(self.session.transport.read_timeout)))
            .map(drop)
    }

    /// Comes back when nothing has moved for too long.
    async fn stalled(&self, shared: &Progress, call: &Call) -> RemoteError {
        loop {
            let (last, complete) = *lock(&shared.last);
            let transport = &self.session.transport;
            let patience = if complete { transport.finish_timeout } else { transport.read_timeout };
            let end = last + patience;
            if end <= Instant::now() {
                return call.silence(patience);
            }
            tokio::time::sleep_until(end).await;
        }
    }
}

/// The data, counted and checked against `len`; a failure breaks the request, so that no server takes half an image.
fn watched<S, E>(
    body: S,
    len: Option<u64>,
    shared: Arc<Progress>,
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    async_stream::stream! {
        let mut body = pin!(body);
        let mut sent = 0_u64;
        let wrong: Option<BoxError> = loop {
            let chunk = match body.next().await {
                Some(Ok(chunk)) => chunk,
                Some(Err(e)) => break Some(e.into()),
                None => break len.filter(|it| *it != sent).map(|it| length_error(it, sent)),
            };
            sent += chunk.len() as u64;
            if let Some(len) = len.filter(|it| sent > *it) {
                break Some(length_error(len, sent));
            }
            // Nobody asks for more once the announced length is reached, so the end is looked for before that.
            if len == Some(sent) && body.next().await.is_some() {
                break Some(length_error(sent, sent + 1));
            }
            *lock(&shared.last) = (Instant::now(), len == Some(sent));
            progress(sent);
            yield Ok(chunk);
        };
        *lock(&shared.last) = (Instant::now(), true);
        if let Some(error) = wrong {
            *lock(&shared.failure) = Some(error);
            yield Err(io::Error::other("the data to send failed"));
        }
    }
}

fn length_error(expected: u64, got: u64) -> BoxError {
    format!("it should have {expected} bytes and has {got}{}", if got > expected { " or more" } else { "" }).into()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
