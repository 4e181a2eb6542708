//! `GET /v2/images/{id}/file`: the data of an image.

use super::{
    flight::{Flight, Run},
    flights::{Seat, Stage, Turn, settled},
    headers::{is_plain, of_request},
    open::Through,
    original::{Original, Place},
    pass::{away, back, path_of},
    permit::{Head, Permit},
    shelf::{NoPlace, Shelf},
    wanted::Wanted,
};
use crate::base::chain;
use crate::http::body;
use crate::image::ImageId;
use crate::remote::{Passing, RemoteError};
use crate::wire::image::RemoteImage;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{StatusCode, request::Parts};
use std::{io, sync::Arc, time::Duration};
use tokio::task::spawn_blocking;

/// Longest record of an image that is read, bytes.
const MAX_RECORD: usize = 4 << 20;
/// For each piece of it.
const RECORD_PATIENCE: Duration = Duration::from_secs(60);
/// How often a caller waits for a download of others that then comes to nothing, before the catalogue's stream is its own.
const ROUNDS: usize = 8;

// === impl Through ===

impl Through {
    /// The answer to a request for an image's data.
    pub(super) async fn data(self: &Arc<Self>, id: &ImageId, parts: &Parts) -> Response {
        match self.try_data(id, parts).await {
            Ok(answer) => answer,
            Err(error) => away(&error),
        }
    }

    async fn try_data(self: &Arc<Self>, id: &ImageId, parts: &Parts) -> Result<Response, RemoteError> {
        let Some(wanted) = self.wanted(id, parts).await? else { return self.stream(parts).await };
        for _ in 0..ROUNDS {
            if let Some(original) = self.find(id, &wanted).await {
                match self.from_node(original, parts, &wanted).await? {
                    Some(answer) => return Ok(answer),
                    None => continue,
                }
            }
            let Some(shelf) = self.shelf.as_ref().filter(|_| is_plain(&parts.headers)) else { break };
            match self.flights.turn(id, &wanted) {
                Turn::Other => break,
                Turn::Lead(seat) => {
                    // It may have come in between.
                    if self.find(id, &wanted).await.is_none() {
                        return self.lead((id, seat), shelf, parts, &wanted).await;
                    }
                }
                Turn::Follow(stage) => match settled(stage).await {
                    Stage::Flying(flight) => match self.join(&flight, parts, &wanted).await? {
                        Some(answer) => return Ok(answer),
                        None => continue,
                    },
                    Stage::Alone => break,
                    Stage::Asking | Stage::Over => {}
                },
            }
        }
        self.stream(parts).await
    }

    /// What the data must be, by the record as this caller sees it; none when that does not say.
    async fn wanted(&self, id: &ImageId, parts: &Parts) -> Result<Option<Wanted>, RemoteError> {
        let answer = self.record(parts, format!("/v2/images/{id}")).await?;
        if answer.status() != StatusCode::OK {
            return Ok(None);
        }
        let record = body::collect(Body::from_stream(answer.into_body()), MAX_RECORD, RECORD_PATIENCE).await.ok();
        let image = record.and_then(|it| serde_json::from_slice::<RemoteImage>(&it).ok());
        Ok(image.filter(|it| it.id == id.as_str()).and_then(|it| Wanted::of(&it)))
    }

    /// This data on this node.
    async fn find(&self, id: &ImageId, wanted: &Wanted) -> Option<Original> {
        if let Some(shelf) = self.shelf.clone() {
            let (step, id_, wanted_) = (shelf.clone(), id.clone(), wanted.clone());
            let kept = spawn_blocking(move || step.take(&id_, &wanted_)).await.ok().flatten();
            if let Some(kept) = kept {
                let place = Place::Shelf(shelf, id.clone());
                return Some(Original { file: Arc::new(kept.file), pieces: kept.pieces, place });
            }
        }
        let found = self.bases.find(id, wanted).await?;
        let place = Place::Base(self.bases.clone(), found.base, found.id);
        Some(Original { file: Arc::new(found.file), pieces: Arc::new(found.pieces), place })
    }

    /// Bytes of this node under the catalogue's head; none when they turn out to be damaged.
    async fn from_node(
        self: &Arc<Self>,
        original: Original,
        parts: &Parts,
        wanted: &Wanted,
    ) -> Result<Option<Response>, RemoteError> {
        let head = match self.permit(parts, wanted).await? {
            Permit::Yes(head) => head,
            Permit::Answer(answer) => return Ok(Some(back(answer))),
        };
        if !original.is_good_at(head.range.start).await {
            return Ok(None);
        }
        self.counts.hit();
        let range = head.range.clone();
        Ok(Some(self.answer(head, original.read(range))))
    }

    /// Bytes of a download that others have begun; none when that has come to nothing meanwhile.
    async fn join(
        self: &Arc<Self>,
        flight: &Arc<Flight>,
        parts: &Parts,
        wanted: &Wanted,
    ) -> Result<Option<Response>, RemoteError> {
        // Held from now on, so that the download has a reader.
        let bytes = flight.read();
        match self.permit(parts, wanted).await? {
            Permit::Answer(answer) => Ok(Some(back(answer))),
            Permit::Yes(_) if flight.has_failed() => Ok(None),
            Permit::Yes(head) => {
                self.counts.join();
                Ok(Some(self.answer(head, bytes)))
            }
        }
    }

    /// The caller's own request, which is the download for all who ask until it is over.
    async fn lead(
        self: &Arc<Self>,
        (id, seat): (&ImageId, Seat),
        shelf: &Arc<Shelf>,
        parts: &Parts,
        wanted: &Wanted,
    ) -> Result<Response, RemoteError> {
        let answer = self.ask(parts, path_of(parts), of_request(&parts.headers, &self.via)).await?;
        let Some(head) = Head::of(&answer, wanted).filter(|it| it.status == StatusCode::OK) else {
            return Ok(self.passed(answer));
        };
        let (step, id_, size) = (shelf.clone(), id.clone(), wanted.size);
        let draft = spawn_blocking(move || step.begin(&id_, size)).await;
        let draft = match draft.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic())) {
            Ok(draft) => draft,
            Err(error) => {
                self.tell(id, &error);
                seat.leave_alone();
                return Ok(self.passed(answer));
            }
        };
        let flight = Arc::new(Flight::new(&draft, wanted.size));
        let bytes = flight.read();
        self.counts.miss();
        seat.fly(flight.clone());
        let run = Run {
            body: answer.into_body(),
            draft,
            wanted: wanted.clone(),
            patience: self.patience,
            cancel: self.cancel.clone(),
            counts: self.counts.clone(),
        };
        let id = id.clone();
        self.tasks.spawn(async move {
            match flight.run(run).await {
                Ok(()) => tracing::info!(image.id = %id, "an image was read through"),
                Err(error) => {
                    metrics::counter!("larder_read_through_failures_total").increment(1);
                    tracing::warn!(image.id = %id, error = %chain(&error), "reading an image through has failed");
                }
            }
            drop(seat);
        });
        Ok(self.answer(head, bytes))
    }

    /// The catalogue's own stream.
    async fn stream(&self, parts: &Parts) -> Result<Response, RemoteError> {
        let answer = self.ask(parts, path_of(parts), of_request(&parts.headers, &self.via)).await?;
        Ok(self.passed(answer))
    }

    fn passed(&self, answer: http::Response<Passing<RemoteError>>) -> Response {
        if answer.status().is_success() {
            self.counts.pass();
        }
        back(answer)
    }

    fn tell(&self, id: &ImageId, error: &NoPlace) {
        tracing::info!(image.id = %id, why = %chain(error), "an image is streamed to each who asks: there is no room to keep it");
    }

    fn answer(
        self: &Arc<Self>,
        head: Head,
        bytes: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
    ) -> Response {
        let counts = self.counts.clone();
        let bytes = bytes.inspect(move |it| {
            if let Ok(bytes) = it {
                counts.serve(bytes.len() as u64);
            }
        });
        let mut response = Response::new(body::measured(bytes, head.range.end - head.range.start));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
