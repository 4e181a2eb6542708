//! `/larder/v1/changes`: the change feed, as pages or as server-sent events.

use crate::base::chain;
use crate::catalogue::{
    api::{
        extract::NoBody,
        larder::{asked::Asked, body::done, params::Params},
        render,
        state::Answer,
    },
    service::{ChangeStream, Fault},
};
use crate::wire::fleet::Change;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderValue, header};
use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// After so long without a change a comment is sent, so that nobody in between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A feed ends after this time, and its reader comes back with the login of then.
const LONGEST: Duration = Duration::from_secs(900);

/// What a reader sends that comes back.
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) async fn read(asked: Asked, params: Params, headers: HeaderMap, _: NoBody) -> Answer {
    params.only(&["since", "node", "limit"])?;
    let (since, node) = (params.get::<u64>("since")?, params.get("node")?);
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if render::quality(accept, "text", "event-stream") <= render::quality(accept, "application", "json") {
        return done(&asked.service().changes(&asked.caller, since, node, asked.limit(&params)?).await?);
    }
    let since = match headers.get(LAST_EVENT_ID) {
        Some(id) => Some(last_id(id)?),
        None => since,
    };
    let changes = asked.service().listen(&asked.caller, since, node).await?;
    let mut response = Response::new(Body::from_stream(events(changes)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn last_id(id: &HeaderValue) -> Result<u64, Fault> {
    let id = id.to_str().ok().and_then(|it| it.trim().parse().ok());
    id.ok_or_else(|| Fault::Invalid("Last-Event-ID is not the id of an event.".to_owned()))
}

/// The text of a feed. It begins with a comment, so that the header is sent.
fn events(changes: ChangeStream) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let start = stream::iter([Ok(Bytes::from_static(b": the change feed\n\n"))]);
    let end = Instant::now() + LONGEST;
    start.chain(stream::unfold(Some(changes), move |changes| async move {
        let mut changes = changes?;
        let next = timeout_at(end, timeout(KEEP_ALIVE, changes.next())).await.ok()?;
        let text = match next {
            Err(_) => ":\n\n".to_owned(),
            Ok(Some(Ok(change))) => event(&change)?,
            Ok(Some(Err(error))) => {
                tracing::warn!(error = %chain(&error), "a change feed is cut; its reader comes back");
                return None;
            }
            Ok(None) => return None,
        };
        Some((Ok(Bytes::from(text)), Some(changes)))
    }))
}

fn event(change: &Change) -> Option<String> {
    let data = serde_json::to_string(change).ok()?;
    Some(format!("id: {}\nevent: {}\ndata: {data}\n\n", change.sequence, change.event))
}
