//! The server: which requests are for data, and what runs beside it.

use super::{headers::went_round, open::Through, pass::refusal};
use crate::http::server::{self, Listener};
use crate::image::ImageId;
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
};
use http::{Method, StatusCode};
use http_body::Body as _;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// How often originals are looked at.
const TIDY: Duration = Duration::from_secs(5);
/// A client that neither sends nor takes anything for so long is cut off; as long as the catalogue may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(600);

pub(super) async fn serve(through: Arc<Through>, listener: Listener, shutdown: CancellationToken) {
    tracing::info!("read-through: requests to {listener} are passed on to {}", through.catalogue().describe());
    let router = Router::new().fallback(answer).with_state(through.clone());
    let settings = server::Settings { body_timeout: BODY_TIMEOUT, ..server::Settings::default() };
    tokio::join!(server::serve(vec![listener], router, settings, shutdown.clone()), tidy(&through, &shutdown));
    // Nobody reads any more.
    through.cancel.cancel();
    through.tasks.close();
    through.tasks.wait().await;
}

async fn answer(State(through): State<Arc<Through>>, request: Request) -> Response {
    if went_round(request.headers(), &through.via) {
        let why = "The catalogue's address leads back to this node's agent: set [glance] endpoint_override in agent.conf to \
                   the catalogue itself.";
        return refusal(StatusCode::LOOP_DETECTED, why);
    }
    match image_of(&request) {
        Some(id) => {
            let (parts, _) = request.into_parts();
            through.data(&id, &parts).await
        }
        None => through.pass(request).await,
    }
}

/// The image whose data is asked for.
fn image_of(request: &Request) -> Option<ImageId> {
    if request.method() != Method::GET || !request.body().is_end_stream() {
        return None;
    }
    let rest = request.uri().path().strip_prefix("/v2/images/")?;
    rest.strip_suffix("/file")?.parse().ok()
}

async fn tidy(through: &Through, shutdown: &CancellationToken) {
    let Some(shelf) = through.shelf.clone() else { return };
    let mut tick = interval(TIDY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let shelf = shelf.clone();
        let _ = tokio::task::spawn_blocking(move || {
            shelf.tidy(SystemTime::now());
            shelf.show();
        })
        .await;
    }
}
