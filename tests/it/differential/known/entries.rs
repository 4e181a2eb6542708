//! All that stays.

use super::{
    Case,
    Is::{Rows, When},
    Known,
    case::has_wide_path,
    faults, row, words,
};
use serde_json::Value;

pub(in crate::differential) const KNOWN: &[Known] = &[
    Known {
        name: "no-answer",
        reason: "Glance's Python server fails without any answer: on paths that are no UTF-8, on a range of an image without data, on spaces in a range, on a request line of 64 KiB.",
        readme: "without an answer",
        is: When(|case| {
            let range = case.is("GET", "/v2/images/*/file")
                && ["range", "content-range"].iter().any(|it| case.header(it).is_some());
            case.glance.is_none()
                && (range && case.larder.is_some_and(|it| [204, 416].contains(&it.status))
                    || has_no_utf8(case.path()) && case.larder.is_some_and(|it| (400..500).contains(&it.status))
                    || case.request.path.len() > 65_000
                        && case.larder.is_some_and(|it| [414, 431].contains(&it.status)))
        }),
    },
    Known {
        name: "unicode-in-paths",
        reason: "Glance takes the bytes of a path for Latin-1, so that names with other letters cannot be found, and tags are garbled. Larder takes UTF-8.",
        readme: "Names in paths are UTF-8",
        is: When(|case| {
            let names = ["/tags/", "/members/", "/v2/metadefs/"].iter().any(|it| case.path_has(it));
            let only_larder = [200, 204].iter().any(|it| case.statuses(*it, &[400, 404]));
            has_wide_path(&case.request.path)
                && (case.differs_in("words") && case.both(404)
                    || names
                        && (only_larder
                            || case.both_refuse()
                            || case.statuses(400, &[200, 201, 204])
                            || case.both_grant()))
        }),
    },
    Known {
        name: "no-content-no-length",
        reason: "An answer with 204 has no Content-Length (RFC 9110, 8.6); Glance sends 'Content-Length: 0'.",
        readme: "a 204 has no `Content-Length`",
        is: When(|case| case.differs_in("content-length") && case.both(204) && case.difference.glance == "0"),
    },
    Known {
        name: "schema-words",
        reason: "What follows 'Provided object does not match schema' is a dump of Python's jsonschema; Larder's words are one line.",
        readme: "jsonschema's dump",
        is: When(|case| {
            let schema = |it: &str| {
                it.split_once("Provided object does not match schema '")
                    .map(|it| it.1.split('\'').next().unwrap().to_owned())
            };
            let [larder, glance] = [schema(&case.difference.larder), schema(&case.difference.glance)];
            case.differs_in("words") && case.both(400) && larder.is_some() && larder == glance
        }),
    },
    Known {
        name: "general-sentence",
        reason: "Glance has a sentence of its web framework before the reason ('Access was denied to this resource.').",
        readme: "general sentence",
        is: When(|case| case.differs_in("words") && without_general(&case.difference.glance) == case.difference.larder),
    },
    Known {
        name: "slashes-in-names",
        reason: "Glance takes an encoded slash for one, so that tags, members and definitions with a slash in their names can be made and not be reached. Larder reaches them.",
        readme: "an encoded slash belongs to the name",
        is: When(|case| {
            case.path_has("%2f")
                && case.glance.is_some_and(|it| it.status == 404)
                && case.glance_says("The resource could not be found.")
        }),
    },
    Known {
        name: "bad-percent",
        reason: "A percent sign without two digits is no URL; what becomes of it is up to the server that Glance runs in.",
        readme: "a bad percent sign",
        is: When(|case| has_bad_percent(case.path()) && case.both_refuse()),
    },
    Known {
        name: "nul-in-paths",
        reason: "A NUL in a path names nothing on any database; Larder says so before it looks further.",
        readme: "NUL",
        is: When(|case| {
            case.path_has("%00")
                && case.both_refuse()
                && case.statuses(404, &[400, 401, 403, 404, 405, 415])
                && case.larder_says("The resource could not be found.")
        }),
    },
    Known {
        name: "method-first",
        reason: "For a method that a path does not know Larder says so (405), whatever the body and the id are; Glance may look at these first.",
        readme: "405 before all",
        is: When(|case| case.statuses(405, &[400, 404, 501]) && case.larder_says("is not allowed for this resource.")),
    },
    Known {
        name: "body-first",
        reason: "Larder refuses a body where none is taken before it looks for what the path names; Glance does it after, and wants it to be JSON even where it does not read it.",
        readme: "a body where none is taken",
        is: When(|case| {
            !case.request.body.is_empty()
                && case.larder_says("A body is not expected")
                && case.statuses(400, &[400, 404, 500])
        }),
    },
    Known {
        name: "repeated-parameters",
        reason: "Of a parameter given twice Glance reads the first and takes the second for a custom property's name, and loses repeated ones in its links. Larder takes the last, and keeps all in links.",
        readme: "a parameter given twice",
        is: When(|case| {
            let lists = ["body.first", "body.next", "body.images"].iter().any(|it| case.differs_in(it));
            let repeated = case.is("GET", "/v2/images") && repeats(case);
            repeated
                && (lists && case.both(200) || case.statuses(200, &[400, 403]) || case.statuses(400, &[200, 400, 403]))
        }),
    },
    Known {
        name: "invisible-marker",
        reason: "For a marker that is another project's image or namespace Larder says that there is none (400, 404); Glance tells that there is one (403).",
        readme: "marker of a page",
        is: Rows(&[
            row(
                "GET /v2/images?*marker=*",
                (400, "No image found with ID *"),
                (403, "Forbidding request, image * not visible"),
            ),
            row(
                "GET /v2/metadefs/namespaces?*marker=*",
                (404, "Metadata definition namespace=* was not found."),
                (403, "Forbidding request, metadata definition namespace=* is not visible."),
            ),
        ]),
    },
    Known {
        name: "letter-case",
        reason: "Names, tags, properties and members are compared letter for letter on every database; on MariaDB Glance takes 'A' for 'a', and 'a ' for 'a'.",
        readme: "letter for letter",
        is: When(|case| {
            let alike_segment = |at: &str| {
                case.path_has(at)
                    && case.path().rsplit('/').next().unwrap().bytes().any(|it| it.is_ascii_uppercase() || it == b'%')
            };
            case.is("GET", "/v2*images")
                && case.both(200)
                && case.differs_in("body.images")
                && case
                    .more_of_glances()
                    .is_some_and(|all| all.iter().all(|it| is_meant_by_case(it, &case.parameters())))
                || case.statuses(404, &[200, 204, 403])
                    && case.larder_says("not found in the member list")
                    && alike_segment("/members/")
                || case.path_has("/v2/metadefs/namespaces/")
                    && case.statuses(404, &[200, 204])
                    && case.larder_says("Could not find")
        }),
    },
    Known {
        name: "number-filters",
        reason: "A filter by a number whose value is none finds nothing; MariaDB takes the text for the number that it begins with, or 0.",
        readme: "A filter by a number",
        is: When(|case| {
            let numbers = ["size", "virtual_size", "min_disk", "min_ram"];
            case.is("GET", "/v2/images")
                && case.both(200)
                && case.differs_in("body.images")
                && case
                    .parameters()
                    .iter()
                    .any(|(name, value)| numbers.contains(&name.as_str()) && value.parse::<i64>().is_err())
                && case.more_of_glances().is_some()
        }),
    },
    Known {
        name: "column-width",
        reason: "Names of more than 255 characters (80 for a resource type's prefix and target) and values of more than 65535 bytes do not fit into the columns of MariaDB, where Glance fails with 500. Larder refuses them at once, on every database.",
        readme: "over 65535 bytes",
        is: When(|case| {
            let wide = [
                "greater than 255 characters",
                "too long (in 'member'",
                "is too long for a resource type association",
                "longer than 65535 bytes",
            ];
            wide.iter().any(|it| case.larder_says(it)) && case.statuses(400, &[400, 403, 404, 409, 500])
        }),
    },
    Known {
        name: "media-type-case",
        reason: "Media types are compared without regard to case (RFC 9110, 8.3.1); Glance regards it.",
        readme: "Media types have no case",
        is: When(|case| {
            case.header("content-type").is_some_and(|it| it.chars().any(char::is_uppercase))
                && case.glance.is_some_and(|it| it.status == 415)
        }),
    },
    Known {
        name: "fuller-words",
        reason: "Where Glance gives no reason, a garbled one, or Python's notation of a value, Larder says what is wrong.",
        readme: "give the reason where Glance gives none",
        is: Rows(words::FULLER),
    },
    Known {
        name: "hidden-namespaces",
        reason: "For a namespace that the caller may not see Larder has the words of one that is not there; Glance has others, which tell that there is one.",
        readme: "namespaces of others",
        is: Rows(words::HIDDEN),
    },
    Known {
        name: "long-names",
        reason: "Larder shortens what a client sent in its words; Glance repeats any length of it.",
        readme: "shorten long names",
        is: When(|case| case.differs_in("words") && is_cut(&case.difference.larder, &case.difference.glance)),
    },
    Known {
        name: "several-faults",
        reason: "Of several faults in one request Larder may tell another one first: what is wrong with a document, a header or a filter is told before what the caller may not, and what is not there.",
        readme: "Of several faults",
        is: Rows(faults::SEVERAL),
    },
    Known {
        name: "hidden-first",
        reason: "For an image that the policy hides Larder says 404 before anything else; Glance asks the policy late, and for an empty patch not at all.",
        readme: "may not see the answer is 404",
        is: Rows(&[
            row("PATCH /v2/images/*", (404, "The resource could not be found."), (200, "")),
            row("PATCH /v2/images/*", (404, "The resource could not be found."), (403, "")),
            row("PATCH /v2/images/*", (404, "The resource could not be found."), (409, "")),
            row(
                "GET /v2/images/*/file",
                (404, "The resource could not be found."),
                (403, "The requested image has been deactivated."),
            ),
            row(
                "GET /v2/images/*/file",
                (403, "You are not authorized to complete download_image action."),
                (403, "The requested image has been deactivated."),
            ),
        ]),
    },
    Known {
        name: "owner-by-add",
        reason: "Who is no admin may not set an image's owner; with 'add' in place of 'replace' Glance lets it.",
        readme: "`add` of `/owner`",
        is: When(|case| {
            case.is("PATCH", "/v2/images/*")
                && case.body().contains("/owner")
                && case.larder_says("Owner can't be updated by non admin.")
                && case.statuses(403, &[200, 400, 403, 404, 409])
        }),
    },
    Known {
        name: "stores-are-read-only",
        reason: "'stores' is a field of the server's; Glance lets a patch make a custom property of this name, which then hides the field.",
        readme: "`stores` is read-only",
        is: When(|case| {
            case.is("PATCH", "/v2/images/*")
                && case.larder_says("Attribute 'stores' is read-only.")
                && case.statuses(403, &[200, 400, 403, 404, 409])
        }),
    },
    Known {
        name: "accept-ranges",
        reason: "Larder says that data can be had in parts (Accept-Ranges: bytes).",
        readme: "`Accept-Ranges`",
        is: When(|case| case.differs_in("accept-ranges") && case.is("GET", "/v2/images/*/file") && case.both_grant()),
    },
    Known {
        name: "no-range",
        reason: "'bytes=-0' asks for no byte, which is no range (RFC 9110, 14.1.2: 416); Glance sends everything as a part, and of no data a part that ends before it begins.",
        readme: "`bytes=-0`",
        is: When(|case| {
            let nothing = case.header("range") == Some("bytes=-0") || case.larder_says("there are 0 bytes");
            nothing && case.statuses(416, &[206])
        }),
    },
    Known {
        name: "content-range-of-416",
        reason: "With 416 Larder says how long the data is (RFC 9110, 15.5.17).",
        readme: "the `Content-Range` of a 416",
        is: When(|case| case.differs_in("content-range") && case.both(416)),
    },
    Known {
        name: "whole-floats",
        reason: "1.0 for a whole number is printed as 1; Glance prints what was sent until it has read it from the database.",
        readme: "1.0",
        is: When(|case| {
            case.difference.what.starts_with("body.")
                && format!("{}.0", case.difference.larder) == case.difference.glance
        }),
    },
    Known {
        name: "redirect-length",
        reason: "A redirect without a body says so (Content-Length: 0); Glance leaves the length open, so that its connection ends.",
        readme: "a redirect has 0",
        is: When(|case| case.differs_in("content-length") && case.both(302) && case.difference.larder == "0"),
    },
    Known {
        name: "locations-allow",
        reason: "An image's locations can be read and added to, so 'Allow' has both methods; Glance leaves GET out.",
        readme: "`/locations` has `GET`",
        is: When(|case| {
            case.differs_in("allow")
                && case.both(405)
                && case.path_has("/locations")
                && case.difference.larder == "GET, POST"
        }),
    },
    Known {
        name: "huge-numbers",
        reason: "Bounds in metadata definitions are whole numbers of 64 bits; Glance stores any number of digits.",
        readme: "whole numbers of 64 bits",
        is: When(|case| {
            case.path_has("/v2/metadefs/")
                && case.body().contains("e+300")
                && case.statuses(400, &[200, 201])
                && case.larder_says("Invalid value for attribute '")
        }),
    },
    Known {
        name: "python-json",
        reason: "NaN, lone surrogates and bytes that are no UTF-8 are no JSON (RFC 8259); Python's parser takes them.",
        readme: "NaN and lone surrogates",
        is: When(|case| {
            let body = case.body();
            ["NaN", "\\ud800", "\u{fffd}"].iter().any(|it| body.contains(it))
                && case.larder_says("Malformed JSON in request body.")
                && case.larder.is_some_and(|it| it.status == 400)
        }),
    },
    Known {
        name: "member-types",
        reason: "A member is a text; Glance takes other JSON too, and fails or stores what it becomes.",
        readme: "a member is a text",
        is: When(|case| {
            case.is("POST", "/v2/images/*/members")
                && case.larder_says("Expected a member in the form")
                && case.statuses(400, &[200, 400, 403, 404, 409, 500])
        }),
    },
    Known {
        name: "members-again",
        reason: "A member who was one before is a new one; Glance shows the time of the first membership.",
        readme: "comes back is a new one",
        is: When(|case| {
            case.is("POST", "/v2/images/*/members") && case.both(200) && case.differs_in("body.created_at")
        }),
    },
    Known {
        name: "time-of-update",
        reason: "The answer to a change of a namespace has the time of this change; Glance's has that of the one before, and the next answer the new one.",
        readme: "the time of this change",
        is: When(|case| {
            case.is("PUT", "/v2/metadefs/namespaces/*") && case.both(200) && case.differs_in("body.updated_at")
        }),
    },
    Known {
        name: "reserved-stores",
        reason: "Clients put nothing into the stores that Glance keeps for itself (os_glance_*), nor take anything out; Glance tells of them once it has used them, and has them deleted from.",
        readme: "names no reserved store",
        is: When(|case| {
            let ids = |text: &str| -> Vec<String> {
                text.split(',').filter(|it| !it.starts_with("os_glance_")).map(str::to_owned).collect()
            };
            case.is("DELETE", "/v2/stores/os_glance_*") && case.statuses(409, &[403, 404])
                || case.differs_in("openstack-image-store-ids")
                    && ids(&case.difference.glance) == ids(&case.difference.larder)
                    && ids(&case.difference.larder).join(",") == case.difference.larder
        }),
    },
    Known {
        name: "no-stores",
        reason: "An import into an empty list of stores, or one that is none, is refused; Glance takes it, and puts the data nowhere.",
        readme: "an empty list of stores",
        is: Rows(&[row("POST /v2/images/*/import", (400, "'stores' must be a list of ids of stores"), (202, ""))]),
    },
    Known {
        name: "ranges-of-all-stores",
        reason: "A part of an image can be had from every store; Glance has parts of what is in folders only.",
        readme: "Parts can be had from every store",
        is: When(|case| {
            case.is("GET", "/v2/images/*/file")
                && (case.statuses(206, &[400]) || case.statuses(416, &[400]))
                && case.glance_says("Getting images randomly from this store is not supported.")
        }),
    },
    Known {
        name: "size-of-locations",
        reason: "Of a location whose data is read for its hash, the size that a guest sees is known, too.",
        readme: "its `virtual_size` is known",
        is: When(|case| {
            case.is("GET", "/v2/images/*")
                && case.both(200)
                && case.differs_in("body.virtual_size")
                && case.difference.glance == "null"
                && case.documents()[0]["locations"].to_string().contains("\"http")
        }),
    },
    Known {
        name: "refused-data",
        reason: "Data that was refused, or staged for an import that failed, is not kept; Glance leaves it in its stores and in its staging, where nothing looks for it again.",
        readme: "Data that was refused is not kept",
        is: When(|case| case.is("LS", "/stores") && case.difference.larder == "(absent)"),
    },
    Known {
        name: "kept-locations",
        reason: "A location that cannot be read, or whose data has another hash than was told, or another format than the image, is none; of one on the web Glance's task fails and leaves it with the queued image, whose data it is then.",
        readme: "that cannot be read, or has a wrong hash, is none",
        is: When(|case| {
            let [larder, glance] = case.documents();
            let is_kept = |larder: &Value, glance: &Value| {
                larder.as_array().is_some_and(Vec::is_empty) && glance.as_array().is_some_and(|it| it.len() == 1)
            };
            let by_format = "Image content is not accepted as disk_format";
            case.both(200)
                && (case.is("GET", "/v2/images/*/tasks")
                    && case.larder_says(by_format)
                    && !case.glance_says("\"failure\"")
                    || case.is("GET", "/v2/images/*/locations") && is_kept(&larder, &glance)
                    || case.is("GET", "/v2/images/*")
                        && larder["status"] == "queued"
                        && is_kept(&larder["locations"], &glance["locations"]))
        }),
    },
    Known {
        name: "order-of-locations",
        reason: "The answer to a change of locations has them as every other answer has them, those in the heaviest stores first; Glance's has them as they were sent, with what else was sent of them.",
        readme: "an answer to a change of locations",
        is: When(|case| {
            let places = ["body.locations", "body.stores", "body.direct_url"];
            case.is("PATCH", "/v2/images/*")
                && case.both(200)
                && case.body().contains("/locations")
                && places.iter().any(|it| case.difference.what.starts_with(it))
        }),
    },
    Known {
        name: "importing-for-ever",
        reason: "An image whose import has failed is queued again, and can be imported again; one whose staged data Glance could not store is importing for ever.",
        readme: "queued again",
        is: When(|case| {
            let [larder, glance] = case.documents();
            let fields = ["body.status", "body.size", "body.virtual_size", "body.updated_at"];
            case.is("GET", "/v2/images/*")
                && case.both(200)
                && fields.iter().any(|it| case.differs_in(it))
                && larder["status"] == "queued"
                && glance["status"] == "importing"
                && glance.get("os_glance_import_task").is_none()
        }),
    },
    Known {
        name: "unreached-stores",
        reason: "When an import has failed, the stores that it never came to have not got the data either (os_glance_failed_import); Glance leaves them as stores that it still imports to.",
        readme: "stores that it never came to",
        is: When(|case| {
            let lists = ["body.os_glance_importing_to_stores", "body.os_glance_failed_import"];
            let list = |image: &Value, name: &str| -> Vec<String> {
                let text = image[&name["body.".len()..]].as_str().unwrap_or_default();
                text.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()
            };
            let of = |image: &Value| lists.map(|name| list(image, name));
            let stores = list(&case.documents()[0], "body.stores");
            let [[left, failed], [glances_left, glances_failed]] = case.documents().each_ref().map(of);
            case.is("GET", "/v2/images/*")
                && lists.iter().any(|it| case.differs_in(it))
                && left.is_empty()
                && !failed.iter().any(|it| stores.contains(it))
                && glances_left.iter().chain(&glances_failed).all(|it| failed.contains(it))
        }),
    },
    Known {
        name: "glance-500",
        reason: "Glance fails with 500: a bug that nobody relies on. Larder says what is wrong, or gives what was asked for.",
        readme: "fails with 500",
        is: Rows(faults::FAILS),
    },
];

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

/// Whether `cut` is `whole` without a piece of it, or with dots in its place.
fn is_cut(cut: &str, whole: &str) -> bool {
    let pieces =
        |cut: &str, end: &str| whole.len() >= cut.len() + end.len() && whole.starts_with(cut) && whole.ends_with(end);
    whole.len() > 80
        && (0..=cut.len()).filter(|it| cut.is_char_boundary(*it)).any(|at| {
            let (start, end) = cut.split_at(at);
            start.len() > 40 && (pieces(start, end) || start.strip_suffix("...").is_some_and(|it| pieces(it, end)))
        })
}

fn has_no_utf8(path: &str) -> bool {
    percent_encoding::percent_decode_str(path).decode_utf8().is_err()
}

fn has_bad_percent(path: &str) -> bool {
    path.split('%').skip(1).any(|it| !it.as_bytes().get(..2).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit)))
}

fn repeats(case: &Case<'_>) -> bool {
    let all = case.parameters();
    all.iter().enumerate().any(|(place, it)| all[..place].iter().any(|other| other.0 == it.0))
}

/// Whether a parameter names something of this image in other letters, as MariaDB compares them.
fn is_meant_by_case(image: &Value, parameters: &[(String, String)]) -> bool {
    let fold = |text: &str| text.trim_end().to_lowercase();
    parameters.iter().any(|(name, value)| {
        let value = value.strip_prefix("eq:").unwrap_or(value);
        let alike = |it: &Value| it.as_str().is_some_and(|it| it != value && fold(it) == fold(value));
        if name == "tag" {
            return image["tags"].as_array().is_some_and(|all| all.iter().any(alike));
        }
        let fields = image.as_object().unwrap().iter();
        fields
            .filter(|(field, _)| fold(field) == fold(name))
            .any(|(field, it)| alike(it) || field != name && *it == *value)
    })
}

#[test]
fn the_readme_names_all_of_it() {
    let readme = include_str!("../../../../README.md");
    let section =
        readme.split_once("### What it does differently from Glance").unwrap().1.split("\n## ").next().unwrap();
    let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
    let missing: Vec<_> = KNOWN.iter().filter(|it| !section.contains(it.readme)).map(|it| it.name).collect();
    assert!(missing.is_empty(), "the README does not tell of {missing:?}");
}
