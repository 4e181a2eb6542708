//! Entity tags of images and of their data, which Glance does not have (RFC 9110, sections 8.8 and 13).

use super::refusal::Refusal;
use crate::catalogue::service::Expected;
use crate::http::conditional::{self, Tags};
use crate::image::Image;
use crate::wire::image::Shown;
use axum::{body::Body, response::Response};
use http::{HeaderMap, StatusCode, header};

/// Ends the revision in a tag; what follows says how much of the image is shown.
const END: char = '-';

/// The tag of an image as it is shown.
pub(super) fn of_image(image: &Image, shown: &Shown) -> String {
    let Shown { locations, places, direct_url, stores, .. } = shown;
    let view = u8::from(*locations) + 2 * u8::from(*direct_url) + 4 * u8::from(*stores) + 8 * u8::from(*places);
    format!("{}{END}{view}", image.revision())
}

/// The tag of an image's data; none when there is no hash of it.
pub(super) fn of_data(image: &Image) -> Option<String> {
    match (&image.os_hash_algo, &image.os_hash_value, &image.checksum) {
        (Some(algorithm), Some(value), _) => Some(format!("{algorithm}{END}{value}")),
        (_, _, Some(md5)) => Some(format!("md5{END}{md5}")),
        _ => None,
    }
}

/// Puts the tag on an answer.
pub(super) fn put(mut response: Response, tag: Option<&str>) -> Response {
    if let Some(value) = tag.and_then(conditional::etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// What a GET is answered in place of the state of this tag: 304 when the client has it, 412 when it wants another.
pub(super) fn instead(headers: &HeaderMap, tag: Option<&str>) -> Result<Option<Response>, Refusal> {
    // A state without a tag is only ever met by `*`.
    let tag_or_none = tag.unwrap_or_default();
    if conditional::is_other(headers, tag_or_none) {
        return Err(stale());
    }
    if !conditional::is_known(headers, tag_or_none) {
        return Ok(None);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    Ok(Some(put(response, tag)))
}

/// What the headers expect of the image that is to be changed.
pub(super) fn expected(headers: &HeaderMap) -> Expected {
    let revision = |text: &str| text.split_once(END).map_or(text, |it| it.0).to_owned();
    let mut expected = Expected::default();
    if let Some(Tags::These(tags)) = Tags::of(headers, &header::IF_MATCH) {
        expected.one_of = Some(tags.iter().filter(|it| !it.weak).map(|it| revision(&it.text)).collect());
    }
    match Tags::of(headers, &header::IF_NONE_MATCH) {
        Some(Tags::These(tags)) => expected.none_of = tags.iter().map(|it| revision(&it.text)).collect(),
        Some(Tags::Any) => expected.absent = true,
        None => {}
    }
    expected
}

/// The state is not the one that the request wants.
pub(super) fn stale() -> Refusal {
    Refusal::new(StatusCode::PRECONDITION_FAILED, "The state is another than the request's If-Match names.")
}
