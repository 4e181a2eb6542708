//! What Larder does differently on purpose, each with its reason. What is not here is a fault of Larder's.

use super::{compare::Difference, request::Request};
use crate::api::Answer;

/// A difference that stays.
pub(super) struct Known {
    /// A name, for the report.
    pub(super) name: &'static str,
    /// Why it stays.
    pub(super) reason: &'static str,
    /// Whether a difference is this one.
    pub(super) is: fn(&Case<'_>) -> bool,
}

/// One difference, and where it was seen.
pub(super) struct Case<'a> {
    pub(super) request: &'a Request,
    pub(super) larder: Option<&'a Answer>,
    pub(super) glance: Option<&'a Answer>,
    pub(super) difference: &'a Difference,
}

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "no-answer",
        reason: "Glance's Python server fails on the request without any answer (bytes that are no UTF-8, spaces in a range).",
        is: |case| case.glance.is_none() && case.larder.is_some_and(|it| it.status < 500),
    },
    Known {
        name: "unicode-in-paths",
        reason: "Glance takes the bytes of a path for Latin-1, so that names with other letters cannot be found, and tags are garbled. Larder takes UTF-8.",
        is: |case| {
            has_wide_path(&case.request.path)
                && (case.both_refuse()
                    || case.path_has_names()
                        && (case.only_larder_grants() || case.statuses(400, &[200, 201, 204]) || case.both_grant()))
        },
    },
    Known {
        name: "no-content-no-length",
        reason: "An answer with 204 has no Content-Length (RFC 9110, 8.6); Glance sends 'Content-Length: 0'.",
        is: |case| case.difference.what == "content-length" && case.larder.is_some_and(|it| it.status == 204),
    },
    Known {
        name: "glance-500",
        reason: "Glance fails with 500: a bug that nobody relies on. Larder says what is wrong.",
        is: |case| case.glance.is_some_and(|it| it.status == 500) && case.larder.is_some_and(|it| it.status < 500),
    },
    Known {
        name: "schema-words",
        reason: "What follows 'Provided object does not match schema' is a dump of Python's jsonschema; Larder's words are one line.",
        is: |case| both(case, 400) && case.words(|it| it.contains("does not match schema")),
    },
    Known {
        name: "general-sentence",
        reason: "Glance has a sentence of its web framework before the reason ('Access was denied to this resource.').",
        is: |case| {
            case.difference.what == "words" && without_general(&case.difference.glance) == case.difference.larder
        },
    },
    Known {
        name: "slashes-in-names",
        reason: "Glance takes an encoded slash for one, so that tags, members and definitions with a slash in their names can be made and not be reached. Larder reaches them.",
        is: |case| case.path_has("%2f") && case.glance.is_some_and(|it| it.status == 404),
    },
    Known {
        name: "bad-percent",
        reason: "A percent sign without two digits is no URL; what becomes of it is up to the server that Glance runs in.",
        is: |case| has_bad_percent(&case.request.path) && case.both_refuse(),
    },
    Known {
        name: "method-first",
        reason: "For a method that a path does not know Larder says so (405), whatever the body and the id are; Glance may look at these first.",
        is: |case| case.statuses(405, &[400, 404, 415, 501]),
    },
    Known {
        name: "repeated-parameters",
        reason: "Of a parameter given twice Glance reads the first and takes the second for a custom property's name, and loses repeated ones in its links. Larder takes the last, and keeps all in links.",
        is: |case| {
            case.request.method == "GET"
                && repeats(&case.request.path)
                && (case.statuses(200, &[200, 400]) || case.statuses(400, &[200, 400, 403]))
        },
    },
    Known {
        name: "invisible-marker",
        reason: "For a marker that is another project's image or namespace Larder says that there is none (400, 404); Glance tells that there is one (403).",
        is: |case| case.request.path.contains("marker=") && (case.statuses(400, &[403]) || case.statuses(404, &[403])),
    },
    Known {
        name: "column-width",
        reason: "Names of more than 255 characters (80 for a resource type's prefix and target) and values of more than 65535 bytes do not fit into the columns of MariaDB, where Glance fails with 500; on SQLite it takes them. Larder refuses them on every database.",
        is: |case| {
            case.larder_says("greater than 255 characters")
                || case.larder_says("too long (in 'member'")
                || case.larder_says("is too long for a resource type association")
                || case.larder_says("longer than 65535 bytes")
        },
    },
    Known {
        name: "media-type-case",
        reason: "Media types are compared without regard to case (RFC 9110, 8.3.1); Glance regards it.",
        is: |case| case.header("content-type").is_some_and(|it| it.chars().any(char::is_uppercase)),
    },
    Known {
        name: "fuller-words",
        reason: "Where Glance gives no reason, or a bare 'could not be found', Larder says what is wrong.",
        is: |case| {
            FULLER.iter().any(|(larder, glance)| {
                case.difference.what == "words"
                    && case.difference.larder.contains(larder)
                    && case.difference.glance.contains(glance)
            })
        },
    },
    Known {
        name: "long-names",
        reason: "Larder shortens what a client sent in its words; Glance repeats any length of it.",
        is: |case| case.difference.what == "words" && case.difference.glance.split(' ').any(|it| it.len() > 80),
    },
    Known {
        name: "body-first",
        reason: "Larder refuses a body where none is taken before it looks for what the path names; Glance does it after, and wants it to be JSON even where it does not read it.",
        is: |case| {
            case.request.method == "GET" && !case.request.body.is_empty() && case.both_refuse()
                || case.statuses(400, &[400, 404]) && case.larder_says("A body is not expected")
        },
    },
    Known {
        name: "several-faults",
        reason: "Of several faults in one request Larder may tell another one first: what is wrong with places in lists of locations, with numbers and with filters is told before what the caller may not.",
        is: |case| {
            let early = [
                "Invalid position for",
                "value out of range",
                "Cannot be a negative value",
                "is read-only",
                "is reserved",
                "Invalid or missing image size",
                "Unable to filter",
                "query filter format",
                "4 byte unicode",
                "is too long for",
                "complete modify_image",
                "Invalid sort key",
                "takes ASCII characters only",
            ];
            case.difference.what != "answer"
                && early.iter().any(|it| case.larder_says(it))
                && (case.both_refuse() || case.request.path.contains("limit=0"))
        },
    },
    Known {
        name: "hidden-first",
        reason: "For a patch of an image that the policy hides Larder says 404 before anything else; Glance asks the policy late, and with an empty patch not at all.",
        is: |case| {
            case.request.method == "PATCH"
                && case.statuses(404, &[200, 400, 403, 409])
                && case.larder_says("The resource could not be found.")
        },
    },
    Known {
        name: "owner-by-add",
        reason: "Who is no admin may not set an image's owner; with 'add' in place of 'replace' Glance lets it.",
        is: |case| case.larder_says("Owner can't be updated by non admin."),
    },
    Known {
        name: "content-range",
        reason: "A Content-Range in a request (which old clients send for Range) must name the image's size or '*'; Glance does not look at it.",
        is: |case| case.header("content-range").is_some() && case.statuses(416, &[206, 200]),
    },
    Known {
        name: "stores-are-read-only",
        reason: "'stores' is a field of the server's; Glance lets a patch make a custom property of this name, which then hides the field.",
        is: |case| case.larder_says("'stores' is read-only"),
    },
    Known {
        name: "accept-ranges",
        reason: "Larder says that data can be had in parts (Accept-Ranges: bytes).",
        is: |case| case.difference.what == "accept-ranges",
    },
    Known {
        name: "nul-in-paths",
        reason: "A NUL in a path names nothing on any database; Larder says so before it looks further.",
        is: |case| case.path_has("%00") && case.larder.is_some_and(|it| it.status == 404) && case.both_refuse(),
    },
    Known {
        name: "limit-zero",
        reason: "With 'limit=0' Larder lists nothing and looks nothing up; Glance looks at the marker first.",
        is: |case| case.request.path.contains("limit=0") && case.statuses(200, &[400, 403]),
    },
    Known {
        name: "no-range",
        reason: "'bytes=-0' asks for no byte, which is no range (RFC 9110, 14.1.2: 416); Glance sends everything as a part.",
        is: |case| case.header("range") == Some("bytes=-0"),
    },
    Known {
        name: "content-range-of-416",
        reason: "With 416 Larder says how long the data is (RFC 9110, 15.5.17).",
        is: |case| case.difference.what == "content-range" && case.statuses(416, &[416]),
    },
    Known {
        name: "whole-floats",
        reason: "1.0 for a whole number is printed as 1; Glance prints what was sent until it has read it from the database.",
        is: |case| {
            case.difference.glance.ends_with(".0") && format!("{}.0", case.difference.larder) == case.difference.glance
        },
    },
    Known {
        name: "redirect-length",
        reason: "A redirect without a body says so (Content-Length: 0); Glance leaves the length open, so that its connection ends.",
        is: |case| case.difference.what == "content-length" && both(case, 302) && case.difference.larder == "0",
    },
    Known {
        name: "locations-allow",
        reason: "An image's locations can be read and added to, so 'Allow' has both methods; Glance leaves GET out.",
        is: |case| {
            case.difference.what == "allow"
                && both(case, 405)
                && case.path_has("/locations")
                && case.difference.larder == "GET, POST"
        },
    },
    Known {
        name: "huge-numbers",
        reason: "Bounds in metadata definitions are whole numbers of 64 bits; Glance stores any number of digits.",
        is: |case| {
            case.path_has("/v2/metadefs/")
                && String::from_utf8_lossy(&case.request.body).contains("e+300")
                && case.statuses(400, &[200, 201])
                && case.larder_says("Invalid value for attribute '")
        },
    },
    Known {
        name: "python-json",
        reason: "NaN, lone surrogates and such are no JSON (RFC 8259); Python's parser takes them.",
        is: |case| case.larder_says("Malformed JSON in request body."),
    },
    Known {
        name: "tag-case",
        reason: "Metadata tags that differ in case only are one, as on MariaDB, on every database; Glance on SQLite keeps them apart.",
        is: |case| {
            let tags = case.path_has("/v2/metadefs/") && case.path_has("/tags");
            case.larder_says("tag names are case insensitive")
                || tags
                    && (case.statuses(200, &[404]) || case.statuses(204, &[404]) || case.difference.what == "body.name")
        },
    },
    Known {
        name: "member-types",
        reason: "A member is a text; Glance takes other JSON too, and fails or stores what it becomes.",
        is: |case| case.larder_says("Expected a member in the form"),
    },
];

/// What Larder says, and what Glance says in its place.
const FULLER: &[(&str, &str)] = &[
    ("Only shared images have members.", "Not allowed to"),
    ("Invalid Range header.", "Invalid Content-Range header."),
    ("Invalid Range header.", "Invalid stop position in Content-Range header."),
    ("Multi backend is not supported", "The resource could not be found."),
    ("Namespace ", "The resource could not be found."),
    ("does not start with", "does not start with"),
    ("bytes were announced", "Size mismatch"),
    ("bytes were announced", "Size exceeds"),
    ("Invalid content type None", "${CONTENT_TYPE}"),
    ("Invalid start position in Range header", "Invalid start position in Range header"),
    ("Only shared images have members.", "Only shared images have members."),
    ("Metadata definition namespace=", "The resource could not be found."),
    ("Metadata definition namespace=", "not found"),
    ("Invalid operation", "Invalid operation"),
    ("Image content is not accepted", "does not match stream data"),
    ("complete download_image action", "has been deactivated"),
    ("Original locations is not empty", "Original locations is not empty"),
    ("Invalid location: an import needs one.", "Invalid location: None"),
    ("has no tag", "The resource could not be found."),
    ("Requests with multiple ranges are not supported.", "not supported in Glance"),
    ("Image content is not accepted", "Image failed safety checks"),
    ("takes ASCII characters only", "could not be decoded by Glance"),
];

/// The known difference that this one is. That Larder itself fails is never known.
pub(super) fn find(case: &Case<'_>) -> Option<&'static Known> {
    if !case.larder.is_some_and(|it| it.status < 500 || it.status == 501) {
        return None;
    }
    KNOWN.iter().find(|it| (it.is)(case))
}

// === impl Case ===

impl Case<'_> {
    fn statuses(&self, larder: u16, glance: &[u16]) -> bool {
        self.larder.is_some_and(|it| it.status == larder) && self.glance.is_some_and(|it| glance.contains(&it.status))
    }

    fn both_refuse(&self) -> bool {
        [self.larder, self.glance]
            .iter()
            .all(|it| it.is_some_and(|it| (400..500).contains(&it.status) || it.status == 501))
    }

    fn both_grant(&self) -> bool {
        [self.larder, self.glance].iter().all(|it| it.is_some_and(|it| it.status < 300))
    }

    fn only_larder_grants(&self) -> bool {
        self.larder.is_some_and(|it| it.status < 300) && self.glance.is_some_and(|it| matches!(it.status, 400 | 404))
    }

    /// Whether the path ends in a name that clients choose.
    fn path_has_names(&self) -> bool {
        ["/tags/", "/members/", "/v2/metadefs/"].iter().any(|it| self.path_has(it))
    }

    fn words(&self, are: impl Fn(&str) -> bool) -> bool {
        self.difference.what == "words" && are(&self.difference.larder) && are(&self.difference.glance)
    }

    fn larder_says(&self, text: &str) -> bool {
        self.larder.is_some_and(|it| it.text().contains(text))
    }

    fn path_has(&self, text: &str) -> bool {
        self.request.path.split('?').next().unwrap_or_default().to_ascii_lowercase().contains(text)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.iter().find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.as_str())
    }
}

fn both(case: &Case<'_>, status: u16) -> bool {
    case.statuses(status, &[status])
}

/// What Glance says, without the sentence of its framework.
fn without_general(words: &str) -> String {
    let (start, rest) = match words.split_once(" is not supported by this server. ") {
        Some((start, rest)) if start.contains("The request media type ") => (start, rest),
        _ => ("", words),
    };
    let start = start.split("The request media type ").next().unwrap_or_default();
    let mut text = format!("{start}{rest}");
    for general in [
        "Access was denied to this resource. ",
        "There was a conflict when trying to complete your request. ",
        "The Range requested is not available. ",
        "The server could not comply with the request since it is either malformed or otherwise incorrect. ",
    ] {
        text = text.replacen(general, "", 1);
    }
    text
}

fn has_bad_percent(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.split('%').skip(1).any(|it| !it.as_bytes().get(..2).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit)))
}

fn repeats(path: &str) -> bool {
    let names: Vec<_> =
        path.split_once('?').map_or("", |it| it.1).split('&').filter_map(|it| it.split('=').next()).collect();
    names.iter().enumerate().any(|(place, name)| names[..place].contains(name))
}

/// Whether bytes beyond ASCII are in the path, as they are or encoded.
pub(super) fn has_wide_path(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    percent_encoding::percent_decode_str(path).any(|it| !it.is_ascii())
}
