//! Which headers pass.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// For one connection only (RFC 9110, section 7.6.1), with those that older clients send.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Without what is for one connection only, and what `Connection` names.
pub(super) fn passing(headers: &HeaderMap) -> HeaderMap {
    let mut passing = headers.clone();
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|it| it.to_str().ok());
    for name in named.flat_map(|it| it.split(',')) {
        passing.remove(name.trim());
    }
    for name in HOP_BY_HOP {
        passing.remove(name);
    }
    passing
}

/// Those of a request: the host is the catalogue's, and "100 Continue" is a matter of each connection; `via` says by whom
/// it came.
pub(super) fn of_request(headers: &HeaderMap, via: &HeaderValue) -> HeaderMap {
    let mut headers = passing(headers);
    headers.remove(header::HOST);
    headers.remove(header::EXPECT);
    headers.append(header::VIA, via.clone());
    headers
}

/// Whether the request came by `via` already: the catalogue's address leads back here.
pub(super) fn went_round(headers: &HeaderMap, via: &HeaderValue) -> bool {
    let entries = headers.get_all(header::VIA).iter().flat_map(|it| it.as_bytes().split(|byte| *byte == b','));
    entries.map(<[u8]>::trim_ascii).any(|it| it == via.as_bytes())
}

/// Whether it is all of the data that is asked for, whatever the caller has already.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    const PARTS: [HeaderName; 7] = [
        header::RANGE,
        // Old clients of Glance send it with a request.
        header::CONTENT_RANGE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
    ];
    !PARTS.iter().any(|it| headers.contains_key(it))
}

/// Takes out what [`is_plain`] looks for.
pub(super) fn make_plain(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_RANGE);
    for name in [header::RANGE, header::IF_MATCH, header::IF_NONE_MATCH, header::IF_RANGE] {
        headers.remove(name);
    }
    headers.remove(header::IF_MODIFIED_SINCE);
    headers.remove(header::IF_UNMODIFIED_SINCE);
}
