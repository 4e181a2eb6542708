//! The fleet's calls, `/larder/v1/…`, of agents and of the commands.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError, transport::Call};
use crate::wire::fleet::{
    Change, ChangePage, Heartbeat, HeartbeatAnswer, HeldImage, Holder, ImageNodes, Job, JobDetail, JobId, JobItem,
    JobPage, NewJob, Node, NodeImages, NodeName, NodePage, Registered, Registration, Rule, RuleName, RuleSet, Selector,
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::Method;
use serde::{Serialize, de::DeserializeOwned};
use std::{pin::Pin, time::Duration};
use tokio::time::timeout;

/// Entries on a page that is asked for.
const PAGE: usize = 1000;

/// Entries of a listing at the most; a server that never ends its pages is stopped here.
const MOST: usize = 2_000_000;

/// A change feed that is silent for so long is dead: the server writes a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(60);

/// Bytes of one event at the most.
const MAX_EVENT: usize = 64 << 10;

/// The events of a change feed, until the server ends it or the connection breaks.
pub type Changes = Pin<Box<dyn Stream<Item = Result<Change, RemoteError>> + Send>>;

impl Catalogue {
    /// Registers a node, or begins a new session with it.
    ///
    /// # Errors
    /// [`RemoteError`]; the status is 409 when another agent has the name.
    pub async fn register_node(&self, name: &NodeName, it: &Registration) -> Result<Registered, RemoteError> {
        self.ask(Method::PUT, &format!("registering node {name}"), &format!("/larder/v1/nodes/{name}"), Some(it)).await
    }

    /// Sends a beat.
    ///
    /// # Errors
    /// [`RemoteError`]; 404 and 409 say that the node is to be registered again.
    pub async fn heartbeat(&self, name: &NodeName, beat: &Heartbeat) -> Result<HeartbeatAnswer, RemoteError> {
        let path = format!("/larder/v1/nodes/{name}/heartbeat");
        self.ask(Method::POST, &format!("the heartbeat of node {name}"), &path, Some(beat)).await
    }

    /// All nodes with these labels.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn nodes(&self, selector: &Selector) -> Result<Vec<Node>, RemoteError> {
        let label = selector.to_string();
        let query: &[(&str, &str)] = if selector.is_empty() { &[] } else { &[("label", &label)] };
        self.pages("listing nodes", "/larder/v1/nodes", query, |page: NodePage| (page.nodes, page.next)).await
    }

    /// One node.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn node(&self, name: &NodeName) -> Result<Node, RemoteError> {
        self.get(&format!("asking for node {name}"), &format!("/larder/v1/nodes/{name}")).await
    }

    /// Forgets a node.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn forget_node(&self, name: &NodeName) -> Result<(), RemoteError> {
        self.delete_at(&format!("forgetting node {name}"), &format!("/larder/v1/nodes/{name}")).await
    }

    /// All that a node holds.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn node_images(&self, name: &NodeName) -> Result<Vec<HeldImage>, RemoteError> {
        let path = format!("/larder/v1/nodes/{name}/images");
        let take = |page: NodeImages| (page.images, page.next);
        self.pages(&format!("asking what node {name} holds"), &path, &[], take).await
    }

    /// All nodes that hold an image, or are about to.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn image_nodes(&self, image: &ImageId) -> Result<Vec<Holder>, RemoteError> {
        let path = format!("/larder/v1/images/{image}/nodes");
        let take = |page: ImageNodes| (page.nodes, page.next);
        self.pages(&format!("asking which nodes have image {image}"), &path, &[], take).await
    }

    /// Asks nodes to do something with images.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn make_job(&self, new: &NewJob) -> Result<Job, RemoteError> {
        self.ask(Method::POST, "asking nodes to do something", "/larder/v1/jobs", Some(new)).await
    }

    /// The newest jobs, `most` at the most.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn jobs(&self, most: usize) -> Result<Vec<Job>, RemoteError> {
        let page: JobPage = self.get("listing jobs", &format!("/larder/v1/jobs?limit={}", most.clamp(1, PAGE))).await?;
        Ok(page.jobs)
    }

    /// A job without its results.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn job(&self, id: &JobId) -> Result<Job, RemoteError> {
        let path = format!("/larder/v1/jobs/{id}?limit=1");
        Ok(self.get::<JobDetail>(&format!("asking for job {id}"), &path).await?.job)
    }

    /// All results of a job.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn job_results(&self, id: &JobId) -> Result<Vec<JobItem>, RemoteError> {
        let take = |page: JobDetail| (page.results, page.next);
        self.pages(&format!("asking for job {id}"), &format!("/larder/v1/jobs/{id}"), &[], take).await
    }

    /// Gives up what nodes have not taken over of a job.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn cancel_job(&self, id: &JobId) -> Result<Job, RemoteError> {
        let path = format!("/larder/v1/jobs/{id}");
        self.ask(Method::DELETE, &format!("cancelling job {id}"), &path, None::<&()>).await
    }

    /// All rules, or those for one node.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn rules(&self, node: Option<&NodeName>) -> Result<RuleSet, RemoteError> {
        let query = node.map_or_else(String::new, |it| format!("?node={it}"));
        self.get("reading the rules", &format!("/larder/v1/rules{query}")).await
    }

    /// Makes a rule, or replaces it.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn put_rule(&self, name: &RuleName, rule: &Rule) -> Result<Rule, RemoteError> {
        self.ask(Method::PUT, &format!("making rule {name}"), &format!("/larder/v1/rules/{name}"), Some(rule)).await
    }

    /// Deletes a rule.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn delete_rule(&self, name: &RuleName) -> Result<(), RemoteError> {
        self.delete_at(&format!("deleting rule {name}"), &format!("/larder/v1/rules/{name}")).await
    }

    /// A page of the change feed after `since`; none for its present end. With a node, work of others is left out.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn changes(&self, since: Option<u64>, node: Option<&NodeName>) -> Result<ChangePage, RemoteError> {
        self.get("reading the change feed", &feed_path(since, node)).await
    }

    /// The change feed after `since`, and on; none for from now on. A reader comes back with the last sequence that it
    /// got. Silence of the server is an error of the connection: it sends a comment every 15 s.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn listen(&self, since: Option<u64>, node: Option<&NodeName>) -> Result<Changes, RemoteError> {
        let path = feed_path(since, node);
        // The first one counts.
        let accept = (http::header::ACCEPT, "text/event-stream");
        // Silence counts by the feed's own measure, not by that of calls.
        let client = &self.session.transport.uploads;
        let make = |_: &reqwest::Client, url| client.get(url).header(accept.0.clone(), accept.1);
        let (call, response) = self.session.call("listening to the change feed", &path, make).await?;
        let response = call.check(response).await?;
        let failed = call.clone();
        let body = response.bytes_stream().map(move |it| it.map_err(|error| failed.transport(error)));
        Ok(Box::pin(events(body.boxed(), call, SILENCE)))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        doing: &str,
        path: &str,
        document: Option<&impl Serialize>,
    ) -> Result<T, RemoteError> {
        let make = |client: &reqwest::Client, url| {
            let request = client.request(method.clone(), url);
            if let Some(document) = document { request.json(document) } else { request }
        };
        let (call, response) = self.session.call(doing, path, make).await?;
        call.json(call.check(response).await?).await
    }

    async fn delete_at(&self, doing: &str, path: &str) -> Result<(), RemoteError> {
        let (call, response) = self.session.call(doing, path, |client, url| client.delete(url)).await?;
        call.check(response).await.map(drop)
    }

    /// All pages of a listing.
    async fn pages<P: DeserializeOwned, T>(
        &self,
        doing: &str,
        path: &str,
        query: &[(&str, &str)],
        take: impl Fn(P) -> (Vec<T>, Option<String>),
    ) -> Result<Vec<T>, RemoteError> {
        let (mut all, mut marker) = (Vec::new(), None::<String>);
        loop {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.append_pair("limit", &PAGE.to_string()).extend_pairs(query);
            if let Some(marker) = &marker {
                pairs.append_pair("marker", marker);
            }
            let path = format!("{path}?{}", pairs.finish());
            let (call, response) = self.session.call(doing, &path, |client, url| client.get(url)).await?;
            let (page, next) = take(call.json(call.check(response).await?).await?);
            if page.is_empty() && next.is_some() || next.is_some() && next == marker || all.len() > MOST {
                return Err(call.malformed("its pages never end"));
            }
            all.extend(page);
            marker = next;
            if marker.is_none() {
                return Ok(all);
            }
        }
    }
}

fn feed_path(since: Option<u64>, node: Option<&NodeName>) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    if let Some(since) = since {
        pairs.append_pair("since", &since.to_string());
    }
    if let Some(node) = node {
        pairs.append_pair("node", node.as_str());
    }
    format!("/larder/v1/changes?{}", pairs.finish())
}

/// The events of a feed's text, until it ends, breaks, or is silent for too long. Comments are signs of life.
fn events(
    body: impl Stream<Item = Result<Bytes, RemoteError>> + Send + Unpin,
    call: Call,
    silence: Duration,
) -> impl Stream<Item = Result<Change, RemoteError>> + Send {
    stream::unfold((body, BytesMut::new(), call, false), move |(mut body, mut text, call, ended)| async move {
        if ended {
            return None;
        }
        loop {
            match next_event(&mut text) {
                Some(Ok(change)) => return Some((Ok(change), (body, text, call, false))),
                Some(Err(what)) => return Some((Err(call.malformed(what)), (body, text, call, true))),
                None if text.len() > MAX_EVENT => {
                    let error = call.malformed(format!("an event is longer than {MAX_EVENT} bytes"));
                    return Some((Err(error), (body, text, call, true)));
                }
                None => {}
            }
            match timeout(silence, body.next()).await {
                Ok(piece) => match piece? {
                    Ok(piece) => text.extend_from_slice(&piece),
                    Err(error) => return Some((Err(error), (body, text, call, true))),
                },
                Err(_) => return Some((Err(call.silence(silence)), (body, text, call, true))),
            }
        }
    })
}

/// Takes the next whole event out of `text`; comments are passed over.
fn next_event(text: &mut BytesMut) -> Option<Result<Change, String>> {
    loop {
        let end = text.windows(2).position(|it| it == b"\n\n")?;
        let block: Bytes = text.split_to(end + 2).freeze();
        let lines = block.split(|it| *it == b'\n');
        let data: Vec<u8> = lines.filter_map(|it| it.strip_prefix(b"data:")).collect::<Vec<_>>().concat();
        if data.is_empty() {
            continue;
        }
        return Some(serde_json::from_slice(&data).map_err(|error| format!("an event is no JSON: {error}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::chain;
    use crate::wire::fleet::Event;
    use tokio::{sync::mpsc, time::Instant};

    #[tokio::test]
    async fn comments_keep_a_quiet_feed_alive_and_silence_ends_it() {
        let (server, pieces) = mpsc::channel::<Bytes>(1);
        let body = stream::unfold(pieces, |mut it| async move { it.recv().await.map(|piece| (Ok(piece), it)) });
        let call = Call::new("listening", &url::Url::parse("http://catalogue/").unwrap());
        let silence = Duration::from_secs(4);
        let mut feed = Box::pin(events(body.boxed(), call, silence));
        let writing = tokio::spawn(async move {
            for _ in 0..12 {
                tokio::time::sleep(silence / 8).await;
                server.send(Bytes::from_static(b":\n\n")).await.unwrap();
            }
            let event = "data: {\"sequence\":4,\"event\":\"rules\",\"at\":\"2026-11-21T10:00:00Z\"}\n\n";
            server.send(Bytes::from_static(event.as_bytes())).await.unwrap();
            // Neither a word more nor an end.
            std::future::pending::<()>().await;
        });
        let start = Instant::now();
        assert_eq!(feed.next().await.unwrap().unwrap().sequence, 4);
        assert!(start.elapsed() > silence);
        let error = feed.next().await.unwrap().unwrap_err();
        assert!(chain(&error).to_string().contains("nothing moved for 4 s"), "{error:?}");
        assert!(feed.next().await.is_none());
        writing.abort();
    }

    #[test]
    fn events_are_taken_out_of_pieces() {
        let whole = ": hello\n\nid: 4\nevent: rules\ndata: {\"sequence\":4,\"event\":\"rules\",\"at\":\"2026-11-21T10:00:00Z\"}\n\n:\n\nid: 5\n";
        let (mut text, mut found) = (BytesMut::new(), Vec::new());
        for byte in whole.as_bytes() {
            text.extend_from_slice(&[*byte]);
            found.extend(next_event(&mut text));
        }
        let found: Vec<(u64, Event)> =
            found.into_iter().map(|it| it.map(|it| (it.sequence, it.event)).unwrap()).collect();
        assert_eq!(found, [(4, Event::Rules)]);
        let mut broken = BytesMut::from("data: {\n\n");
        assert!(next_event(&mut broken).unwrap().is_err());
    }
}
