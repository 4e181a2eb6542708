//! `POST /v2/images/{id}/import`

use super::data::STORE;
use crate::catalogue::{
    api::{
        extract::{Document, LateId},
        pipeline::RequestId,
        reply,
        state::{Answer, Api},
    },
    service::NewImport,
};
use crate::identity::Caller;
use crate::wire::parse_import;
use axum::{Extension, extract::State};
use http::{StatusCode, request::Parts};
use std::sync::Arc;

/// What becomes of it is seen in the image and in its tasks.
pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: LateId,
    Parts { headers, extensions, .. }: Parts,
    Document(body): Document,
) -> Answer {
    let settings = api.settings();
    // With a single store the choice has no meaning, and is not looked at (Glance's behaviour).
    let store = headers.get(STORE).filter(|_| api.abilities.stores);
    let store = store.map(|it| String::from_utf8_lossy(it.as_bytes()).trim().to_owned());
    let request = extensions.get::<RequestId>().map(|it| it.0.clone()).unwrap_or_default();
    let (import, document) = parse_import(&body, &settings.import_methods, store.as_deref())?;
    api.service.import(&caller, &id.get()?, NewImport { import, document, request }).await?;
    Ok(reply::empty(StatusCode::ACCEPTED))
}
