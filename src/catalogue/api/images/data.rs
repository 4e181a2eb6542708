//! `PUT` and `GET /v2/images/{id}/file`: the data.

use crate::catalogue::{
    api::{
        etag,
        extract::{Id, LateId, NoBody},
        refusal::Refusal,
        reply,
        state::{Answer, Api},
    },
    service::{BoxError, Upload},
};
use crate::http::{
    Peer, body, conditional,
    range::{self, RangeError},
};
use crate::identity::Caller;
use crate::image::Status;
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use std::{sync::Arc, time::Duration};

const SIZE: HeaderName = HeaderName::from_static("x-openstack-image-size");
pub(super) const STORE: HeaderName = HeaderName::from_static("x-image-meta-store");
const MD5: HeaderName = HeaderName::from_static("content-md5");
const MEDIA_TYPE: &str = "application/octet-stream";

/// The longest silence in an upload; the server's own limit usually comes first.
pub(super) const SILENCE: Duration = Duration::from_secs(900);

pub(in crate::catalogue::api) async fn upload(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: LateId,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    check_media_type(&parts.headers)?;
    let expected = announced_size(&parts.headers)?;
    let id = id.get()?;
    if parts.headers.contains_key(header::IF_MATCH) {
        // An image that takes data has none that could match; one that has data says so below.
        let image = api.service.show(&caller, &id).await?;
        let tag = etag::of_data(&image).filter(|_| image.status != Status::Queued);
        if tag.is_none_or(|it| conditional::is_other(&parts.headers, &it)) {
            return Err(etag::stale());
        }
    }
    let body = body::idle_limited(body, SILENCE).map_err(BoxError::from);
    // With a single store the choice has no meaning, and is not looked at (Glance's behaviour).
    let store = parts.headers.get(STORE).map(|it| String::from_utf8_lossy(it.as_bytes()).trim().to_owned());
    let upload = Upload { body: Box::pin(body), expected, store };
    api.service.upload(&caller, &id, upload).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(in crate::catalogue::api) async fn download(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Id(id): Id,
    Parts { method, uri, headers, extensions, .. }: Parts,
) -> Answer {
    let preferred = preferred(uri.query().unwrap_or_default());
    let Some(data) = api.service.download_from(&caller, &id, &preferred).await? else {
        // Where a part begins says nothing of data that is not there.
        match range::parse(&headers, u64::MAX) {
            Ok(_) | Err(RangeError::BehindEnd { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        return Ok(reply::bare(StatusCode::NO_CONTENT));
    };
    let tag = etag::of_data(&data.image);
    let data = match extensions.get::<Peer>() {
        Some(Peer::Tcp(address)) => data.to(address.ip()),
        _ => data,
    };
    if let Some(answer) = etag::instead(&headers, tag.as_deref())? {
        return Ok(answer);
    }
    // A HEAD tells of the whole.
    let is_part = method == Method::GET && conditional::may_be_part(&headers, tag.as_deref());
    let part = if is_part { range::parse(&headers, data.size)? } else { None };
    let span = part.clone().unwrap_or(0..data.size);
    let length = span.end - span.start;
    let body = if method == Method::HEAD || length == 0 {
        Body::empty()
    } else {
        body::measured(data.read(span.clone()).await?, length)
    };
    let mut response = Response::new(body);
    let mut put = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, MEDIA_TYPE.to_owned());
    put(header::CONTENT_LENGTH, length.to_string());
    put(header::ACCEPT_RANGES, "bytes".to_owned());
    // In hex, and of the whole image even for a part of it (Glance's behaviour, which clients rely on).
    if let Some(checksum) = &data.image.checksum {
        put(MD5, checksum.clone());
    }
    if part.is_some() {
        put(header::CONTENT_RANGE, format!("bytes {}-{}/{}", span.start, span.end - 1, data.size));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(etag::put(response, tag.as_deref()))
}

/// The stores of `prefer=`.
fn preferred(query: &str) -> Vec<String> {
    let given = url::form_urlencoded::parse(query.as_bytes()).filter(|it| it.0 == "prefer").last();
    let stores = given.iter().flat_map(|it| it.1.split(',')).map(str::trim);
    stores.filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

pub(super) fn check_media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("None");
    let sent = sent.split(';').next().unwrap_or_default().trim();
    if sent.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Ok(());
    }
    let sent: String = sent.chars().take(80).collect();
    let words = format!("The request media type {sent} is not supported by this server. Invalid content type {sent}");
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words))
}

/// The bytes that the client says it sends; none when it says nothing (chunked).
pub(super) fn announced_size(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let wrong = || Refusal::new(StatusCode::BAD_REQUEST, "Invalid or missing image size in request headers.");
    let number = |value: &HeaderValue| value.to_str().ok()?.trim().parse::<u64>().ok();
    let announced = headers.get(SIZE).map(|it| number(it).ok_or_else(wrong)).transpose()?;
    let length = headers.get(header::CONTENT_LENGTH).map(|it| number(it).ok_or_else(wrong)).transpose()?;
    Ok(announced.or(length))
}
