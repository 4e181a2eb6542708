//! Rows of requests with several faults, of which another one is told, and of those on which Glance fails.

use super::{Row, row};

/// Another fault is told first.
pub(super) const SEVERAL: &[Row] = &[
    // Numbers and four-byte characters in a document are told before all that needs the database or the policy.
    row("POST /v2/images", (400, "'min_* value out of range, must not exceed"), (400, "does not match schema 'image'")),
    row("POST /v2/images", (400, "'min_* value out of range, must not exceed"), (403, "")),
    row(
        "POST /v2/images",
        (400, "Invalid value '*' for parameter 'min_*': Cannot be a negative value"),
        (400, "does not match schema 'image'"),
    ),
    row("POST /v2/images", (400, "Invalid value '*' for parameter 'min_*': Cannot be a negative value"), (403, "")),
    row("POST /v2/images", (400, "an't contain 4 byte unicode"), (400, "does not match schema 'image'")),
    row("POST /v2/images", (400, "an't contain 4 byte unicode"), (403, "")),
    row(
        "POST /v2/images",
        (400, "an't contain 4 byte unicode"),
        (413, "The limit has been exceeded on the number of allowed image"),
    ),
    row("POST /v2/images", (403, "Attribute '*' is read-only."), (403, "You are not *")),
    row(
        "PATCH /v2/images/*",
        (400, "Invalid value '*' for parameter 'min_*': Cannot be a negative value"),
        (409, "Property * already present."),
    ),
    row("POST /v2/images/*/members", (400, "Member can't contain 4 byte unicode characters."), (403, "")),
    row("POST /v2/images/*/members", (400, "Member can't contain 4 byte unicode characters."), (404, "")),
    row(
        "* /v2/metadefs/namespaces*",
        (400, "can't contain 4 byte unicode characters."),
        (403, "You are not authorized to complete *_metadef_* action."),
    ),
    row(
        "* /v2/metadefs/namespaces/*",
        (400, "can't contain 4 byte unicode characters."),
        (404, "Namespace * not found"),
    ),
    row("* /v2/metadefs/namespaces/*", (400, "can't contain 4 byte unicode characters."), (404, "Could not find *")),
    row("* /v2/metadefs/namespaces/*", (400, "takes ASCII characters only."), (404, "Namespace * not found")),
    row("* /v2/metadefs/namespaces/*", (400, "takes ASCII characters only."), (400, "could not be decoded by Glance")),
    row("POST /v2/metadefs/namespaces/*/tags", (400, "does not match schema 'tags'"), (404, "Namespace * not found")),
    // Which stores are asked for is looked at before the image.
    row("POST /v2/images/*/import", (400, "'stores' must be a list of ids of stores"), (403, "")),
    row("POST /v2/images/*/import", (400, "'stores' must be a list of ids of stores"), (404, "")),
    row("POST /v2/images/*/import", (400, "'stores' must be a list of ids of stores"), (409, "")),
    row("PUT /v2/images/*/file", (410, ""), (403, "You are not authorized to complete upload_image action.")),
    row("POST /v2/images/*/import", (400, "All_stores parameter can't be used with"), (403, "")),
    row("POST /v2/images/*/import", (400, "All_stores parameter can't be used with"), (404, "")),
    row("POST /v2/images/*/import", (400, "All_stores parameter can't be used with"), (409, "")),
    row("POST /v2/images/*/import", (400, "can't be both specified"), (403, "")),
    row("POST /v2/images/*/import", (400, "can't be both specified"), (404, "")),
    row("POST /v2/images/*/import", (400, "can't be both specified"), (409, "")),
    // Of several stores that have it another one is named.
    row(
        "POST /v2/images/*/import",
        (400, "Image is already present at store '*'"),
        (400, "Image is already present at store '*'"),
    ),
    row("PUT /v2/images/*/file", (404, "No image found with ID *"), (400, "Store for identifier* not found")),
    // A size in a header that is below 0 or beyond 64 bits.
    row(
        "PUT /v2/images/*/file",
        (400, "Invalid or missing image size in request headers."),
        (400, "Size mismatch: expected 99999999999999999999 bytes"),
    ),
    row(
        "PUT /v2/images/*/file",
        (400, "Invalid or missing image size in request headers."),
        (400, "Size exceeds: expected -1 bytes"),
    ),
    row(
        "PUT /v2/images/*/file",
        (400, "Invalid or missing image size in request headers."),
        (400, "Properties disk_format, container_format must be set"),
    ),
    row(
        "PUT /v2/images/*/file",
        (400, "Invalid or missing image size in request headers."),
        (403, "You are not authorized to complete upload_image action."),
    ),
    row(
        "PUT /v2/images/*/file",
        (400, "Invalid or missing image size in request headers."),
        (404, "No image found with ID *"),
    ),
    row(
        "PUT /v2/images/*/file",
        (400, "Invalid or missing image size in request headers."),
        (409, "Image status transition from * to saving is not allowed"),
    ),
    // Filters are read in their order, sort keys before the database is asked.
    row(
        "GET /v2/images?*",
        (400, "Unable to filter on a range with a non-numeric value."),
        (400, "Invalid value '*' for '*' filter."),
    ),
    row(
        "GET /v2/images?*",
        (400, "Unable to filter on a range with a non-numeric value."),
        (400, "No image found with ID *"),
    ),
    row("GET /v2/metadefs/namespaces*?*sort_key=*", (400, "Invalid sort key: *"), (404, "")),
];

/// Glance fails.
pub(super) const FAILS: &[Row] = &[
    row("DELETE /v2/cache/*", (404, "Image * not found."), (500, "")),
    row("GET /v2/images?*changes%2Dsince=*", (200, ""), (500, "")),
    row("GET /v2/images?*changes%2Dsince=*", (400, ""), (500, "")),
    row("GET /v2/metadefs/namespaces/*?x=y", (200, ""), (500, "")),
    row("GET /v2/metadefs/namespaces?*", (400, "limit param must be an integer"), (500, "")),
    row("GET /v2/metadefs/namespaces?*", (400, "Invalid sort key: *"), (500, "")),
    row("* /v2/*", (400, "Unexpected body type. Expected list/dict."), (500, "")),
    row("PATCH /v2/images/*", (400, "The path of an operation must be a JSON pointer."), (500, "")),
    row("POST /v2/images", (400, "Malformed JSON in request body."), (500, "")),
    row("POST /v2/images/*/import", (400, "Import request requires a '*' field."), (500, "")),
    row("POST /v2/images/*/import", (400, "'stores' must be a list of ids of stores"), (500, "")),
    row("* /v2/metadefs/namespaces*", (400, "Unknown attribute '*' of *"), (500, "")),
    row("* /v2/metadefs/namespaces*", (400, "Invalid value for attribute '*' of *"), (500, "")),
];
