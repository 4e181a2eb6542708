//! Passing other callers' requests on, with their own tokens.

use crate::remote::{Catalogue, RemoteError, transport::Call};
use bytes::Bytes;
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use http::{HeaderMap, Method};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout};

/// The bytes of a body on their way through.
pub type Passing<E> = BoxStream<'static, Result<Bytes, E>>;

/// A request of somebody else.
pub struct Forward {
    /// Its method.
    pub method: Method,
    /// Its path and query, from `/` on.
    pub path: String,
    /// Its headers, without those that are for one connection only.
    pub headers: HeaderMap,
    /// Its body; none when it has none.
    pub body: Option<Passing<io::Error>>,
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers hold tokens.
        f.debug_struct("Forward").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Catalogue {
    /// Sends a request as it is, with nothing of this login, and gives back the answer as it is: every status is fine,
    /// redirects are not followed, and both bodies stream. It is given up when nothing moves for `finish_timeout`.
    ///
    /// # Errors
    /// [`RemoteError`] when there is no answer. An answer that breaks off or falls silent is an error of its body.
    pub async fn forward(&self, request: Forward) -> Result<http::Response<Passing<RemoteError>>, RemoteError> {
        let Forward { method, path, headers, body } = request;
        let client = self.session.transport.forwards(self.session.settings())?;
        let patience = self.session.transport.finish_timeout;
        let url = timeout(patience, self.session.url(&path));
        let unknown = Call { doing: format!("passing {method} on"), url: self.describe() };
        let url = url.await.unwrap_or_else(|_| Err(unknown.silence(patience)))?;
        let call = Call::new(&unknown.doing, &url);
        let last = Arc::new(Mutex::new(Instant::now()));
        let mut request = client.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.body(reqwest::Body::wrap_stream(noted(body, last.clone())));
        }
        let answer = tokio::select! {
            answer = call.send(request) => answer?,
            () = stalled(&last, patience) => return Err(call.silence(patience)),
        };
        let (parts, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        Ok(http::Response::from_parts(parts, pieces(call, body, patience)))
    }
}

/// `body`, noting when its last piece was taken.
fn noted(
    body: Passing<io::Error>,
    last: Arc<Mutex<Instant>>,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    body.inspect(move |_| *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now())
}

/// Comes back when nothing has moved for `patience`.
async fn stalled(last: &Mutex<Instant>, patience: Duration) {
    loop {
        let end = *last.lock().unwrap_or_else(PoisonError::into_inner) + patience;
        if end <= Instant::now() {
            return;
        }
        sleep_until(end).await;
    }
}

fn pieces(call: Call, body: reqwest::Body, patience: Duration) -> Passing<RemoteError> {
    let data = http_body_util::BodyDataStream::new(body);
    let next = move |state: Option<(Call, http_body_util::BodyDataStream<reqwest::Body>)>| async move {
        let (call, mut data) = state?;
        match timeout(patience, data.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some((call, data)))),
            Ok(Some(Err(error))) => Some((Err(call.transport(error)), None)),
            Err(_) => Some((Err(call.silence(patience)), None)),
        }
    };
    stream::unfold(Some((call, data)), next).boxed()
}
