//! Rows of the same refusal in other words.

use super::{Row, row};

/// Glance gives no reason, or another one.
pub(super) const FULLER: &[Row] = &[
    row("DELETE /v2/images/*/tags/*", (404, "Image * has no tag *."), (404, "The resource could not be found.")),
    row(
        "GET /v2/images/*/file",
        (400, "Requests with multiple ranges are not supported."),
        (400, "Requests with multiple ranges are not supported in Glance."),
    ),
    row(
        "GET /v2/images/*/file",
        (416, "Invalid start position in Range header: there are * bytes, counted from 0."),
        (416, "Invalid start position in Range header. Start position MUST be in the inclusive range [0, *]."),
    ),
    row(
        "GET /v2/images/*/file",
        (416, "Invalid Content-Range header."),
        (
            416,
            "Invalid stop position in Content-Range header. The stop position MUST be in the inclusive range [0, *].",
        ),
    ),
    row("PATCH /v2/images/*", (400, "Invalid operation: `*`. It must be"), (400, "Invalid operation: `*`. It must be")),
    row("PATCH /v2/images/*", (400, "Original locations is not empty."), (400, "Original locations is not empty: [*]")),
    row("PATCH /v2/images/*", (400, "Pointer `*` does not start with"), (400, "Pointer `*` does not start with")),
    row(
        "* /v2/images/*/members*",
        (403, "Not allowed to * members for image *: Only shared images have members."),
        (403, "Not allowed to * members for image *."),
    ),
    row(
        "GET /v2/images/*/members/*",
        (404, "Not allowed to show members for image *: Only shared images have members."),
        (404, "Only shared images have members."),
    ),
    row(
        "PUT /v2/images/*/file",
        (415, "Image content is not accepted as disk_format *"),
        (415, "Image disk_format * does not match stream data *"),
    ),
    row(
        "PUT /v2/images/*/file",
        (415, "Image content is not accepted as disk_format *"),
        (415, "Image failed safety checks*"),
    ),
    row(
        "PUT /v2/images/*/file",
        (415, "The request media type None is not supported by this server. Invalid content type None"),
        (415, "The request media type ${CONTENT_TYPE} is not supported by this server. Invalid content type None"),
    ),
    row(
        "* /v2/metadefs/namespaces*",
        (400, "can't contain 4 byte unicode characters."),
        (400, "Couldn't * metadata *: * can't contain 4 byte unicode characters."),
    ),
    row("PATCH /v2/images/*", (400, "Invalid location"), (400, "The Store URI was malformed.")),
    row(
        "PATCH /v2/images/*",
        (409, "New values of hashes may only be provided when image status is 'queued'"),
        (409, "New value(s) for * may only be provided when image status is 'queued'"),
    ),
    row(
        "PUT /v2/images/*/file",
        (400, "There is no store '*' that takes uploads"),
        (400, "Store for identifier* not found"),
    ),
    row("POST /v2/tasks", (400, "Invalid location: an import needs one."), (400, "Invalid location: None")),
    row(
        "GET /v2/images/*/members",
        (404, "Only shared images have members."),
        (404, "Only shared images have members."),
    ),
];

/// A namespace that the caller may not see.
pub(super) const HIDDEN: &[Row] = &[
    row(
        "* /v2/metadefs/namespaces/*",
        (404, "Metadata definition namespace=* was not found."),
        (404, "Namespace * not found"),
    ),
    row(
        "* /v2/metadefs/namespaces/*",
        (404, "Metadata definition namespace=* was not found."),
        (404, "The resource could not be found."),
    ),
    row("* /v2/metadefs/namespaces/*", (404, "Namespace * not found"), (404, "The resource could not be found.")),
];
