//! How the catalogue speaks HTTP: options of Glance's server, and of oslo.middleware.

use super::{
    options::Options,
    value::{Kind, Refused, parsed},
};
use crate::catalogue::{Backend, Healthcheck, Settings};
use crate::http::{cors, server};
use std::{fmt::Display, path::PathBuf};

/// `[DEFAULT]`
pub(super) fn default_section(options: &mut Options<'_>, settings: &mut Settings) {
    options.bind("backlog", &mut settings.backlog, "Connections that the kernel keeps until they are accepted.");
    limits(options, &mut settings.server);
}

fn limits(options: &mut Options<'_>, server: &mut server::Settings) {
    options.bind("header_timeout", &mut server.header_timeout, "A request's header must come within this time.");
    options.bind(
        "client_socket_timeout",
        &mut server.keep_alive_timeout,
        "A connection without a request is closed after this time, 0 for never; after a second when others wait for its place.",
    );
    options.bind(
        "body_timeout",
        &mut server.body_timeout,
        "A client that sends nothing of a body, or takes nothing of an answer, for this long is cut off.",
    );
    options.bind("http_keepalive", &mut server.keep_alive, "False closes each connection after its first request.");
    options.bind(
        "tcp_keepidle",
        &mut server.tcp_keepidle,
        "The kernel asks a client whether it still lives after this silence; 0 for never.",
    );
    options.bind("max_connections", &mut server.max_connections, "Connections served at the same time; more wait.");
    options.bind_as(
        "max_header_bytes",
        &mut server.max_header_bytes,
        parsed("bytes, 8192 or more"),
        "Bytes of a request's header; more is answered with 431.",
    );
    options.bind_as(
        "max_header_line",
        &mut server.max_header_line,
        parsed("bytes"),
        "Bytes of one field of a request's header, more is answered with 431, and of its path with the query, more is answered with 414.",
    );
    options.bind("max_headers", &mut server.max_headers, "Fields of a request's header; more is answered with 431.");
    options.bind(
        "drain_timeout",
        &mut server.drain_timeout,
        "How long requests may take to end when the catalogue stops.",
    );
}

/// `[oslo_middleware]`, `[cors]`, `[healthcheck]`
pub(super) fn sections(options: &mut Options<'_>, settings: &mut Settings) {
    options.section("oslo_middleware");
    options.bind(
        "enable_proxy_headers_parsing",
        &mut settings.enable_proxy_headers_parsing,
        "Believe what a proxy in front says of the client and of the address that it asked for: Forwarded, or \
         X-Forwarded-Proto, -Host and -For, and X-Forwarded-Prefix. Links and the log then show that. Set it only where \
         every request comes through such a proxy.",
    );
    options.bind_as(
        "max_request_body_size",
        &mut settings.max_request_body_size,
        parsed("bytes"),
        "Bytes of a JSON document; more is answered with 413. The data of images has other limits.",
    );
    options.section("cors");
    cors(options, &mut settings.cors);
    options.section("healthcheck");
    healthcheck(options, &mut settings.healthcheck);
}

fn cors(options: &mut Options<'_>, it: &mut cors::Settings) {
    options.bind(
        "allowed_origin",
        &mut it.allowed_origin,
        "Pages whose scripts may use this API, such as https://horizon.example.org (no slash at the end), or *.",
    );
    options.bind("allow_credentials", &mut it.allow_credentials, "Let them send cookies and logins.");
    options.bind("expose_headers", &mut it.expose_headers, "Headers of answers that they may read.");
    options.bind("max_age", &mut it.max_age, "Seconds that a browser need not ask again.");
    options.bind("allow_methods", &mut it.allow_methods, "Methods that they may use.");
    options.bind(
        "allow_headers",
        &mut it.allow_headers,
        "Headers that they may send, beside the simple ones; Horizon's direct upload needs X-Requested-With, too.",
    );
}

fn healthcheck(options: &mut Options<'_>, it: &mut Healthcheck) {
    options.bind_as("backends", &mut it.backends, BACKENDS, "What /healthcheck looks at, in this order.");
    options.bind(
        "disable_by_file_path",
        &mut it.disable_by_file_path,
        "While this file exists, /healthcheck answers 503, so that a load balancer takes this process out.",
    );
    options.bind_as(
        "disable_by_file_paths",
        &mut it.disable_by_file_paths,
        PORT_FILES,
        "The same for several processes: a file for each bind_port.",
    );
    options.bind_as(
        "enable_by_file_paths",
        &mut it.enable_by_file_paths,
        FILES,
        "While one of these files is missing, such as a marker on a mounted store, /healthcheck answers 503.",
    );
    options.bind(
        "detailed",
        &mut it.detailed,
        "Let it say more, such as the names of those files and of the operating system.",
    );
    options.bind_as(
        "allowed_source_ranges",
        &mut it.allowed_source_ranges,
        NETWORKS,
        "Who may ask; everybody when it is empty. Others get 404.",
    );
    options.bind(
        "ignore_proxied_requests",
        &mut it.ignore_proxied_requests,
        "Answer 404 to whoever asks through a proxy.",
    );
}

fn refused<E: Display>(error: E) -> Refused {
    Refused(Some(error.to_string()))
}

fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, Refused>) -> Result<Vec<T>, Refused> {
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(read).collect()
}

fn joined<T>(values: &[T], write: impl Fn(&T) -> String) -> Option<String> {
    Some(values.iter().map(write).collect::<Vec<_>>().join(","))
}

const NAMES: [(Backend, &str); 3] = [
    (Backend::DisableByFile, "disable_by_file"),
    (Backend::DisableByFilesPorts, "disable_by_files_ports"),
    (Backend::EnableByFiles, "enable_by_files"),
];

const BACKENDS: Kind<Vec<Backend>> = Kind {
    takes: "disable_by_file, disable_by_files_ports, enable_by_files, separated by commas; the first and the last exclude each other",
    read: |text| {
        let known = |name: &str| NAMES.iter().find(|it| it.1 == name).map(|it| it.0).ok_or_else(Refused::default);
        let found = list(text, known)?;
        let both = found.contains(&Backend::DisableByFile) && found.contains(&Backend::EnableByFiles);
        if both { Err(Refused::default()) } else { Ok(found) }
    },
    write: |value| joined(value, |it| NAMES.iter().find(|known| known.0 == *it).map_or("", |it| it.1).to_owned()),
};

const PORT_FILES: Kind<Vec<(u16, PathBuf)>> = Kind {
    takes: "port:path pairs, separated by commas",
    read: |text| {
        list(text, |pair| {
            let (port, path) = pair.split_once(':').ok_or_else(Refused::default)?;
            Ok((port.parse().map_err(refused)?, PathBuf::from(path)))
        })
    },
    write: |value| joined(value, |(port, path)| format!("{port}:{}", path.display())),
};

const FILES: Kind<Vec<PathBuf>> = Kind {
    takes: "paths, separated by commas",
    read: |text| list(text, |path| Ok(PathBuf::from(path))),
    write: |value| joined(value, |path| path.display().to_string()),
};

const NETWORKS: Kind<Vec<ipnet::IpNet>> = Kind {
    takes: "addresses or networks such as 192.0.2.0/24, separated by commas",
    read: |text| {
        list(text, |it| {
            let one = |_| it.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
            it.parse().or_else(one).map_err(refused)
        })
    },
    write: |value| joined(value, ToString::to_string),
};
