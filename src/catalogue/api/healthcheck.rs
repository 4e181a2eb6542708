//! `/healthcheck`, outside the pipeline: for load balancers (oslo.middleware's `healthcheck`).

use super::{refusal::Refusal, render};
use crate::catalogue::{Backend, Healthcheck};
use crate::http::Peer;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde::Serialize;
use std::{fmt::Write, path::Path};

/// Headers of which one says that a proxy passed the request on.
const PROXIED: [&str; 5] =
    ["x-forwarded", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-for", "x-forwarded-prefix"];

/// What one backend says.
struct Finding {
    available: bool,
    reason: &'static str,
    details: String,
}

/// Whether this path is the healthcheck's.
pub(super) fn is_asked(path: &str) -> bool {
    path.strip_prefix("/healthcheck").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// 200 `OK` (204 to a HEAD), or 503 while a backend says that this server is out of service. `port` is ours.
pub(super) async fn answer(settings: &Healthcheck, port: u16, request: &Parts) -> Response {
    let accept = request.headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    if !is_answered(settings, request) {
        return render::render(Refusal::no_resource().into_response(), accept);
    }
    let mut findings = Vec::new();
    for backend in &settings.backends {
        findings.push(look(settings, *backend, port).await);
    }
    let healthy = findings.iter().all(|it| it.available);
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if request.method == Method::HEAD {
        if healthy {
            return StatusCode::NO_CONTENT.into_response();
        }
        return reply(status, "text/plain; charset=UTF-8", String::new());
    }
    match form(accept.unwrap_or_default()) {
        render::Form::Plain => {
            let reasons: Vec<&str> = findings.iter().map(|it| it.reason).collect();
            reply(status, "text/plain; charset=UTF-8", reasons.join("\n"))
        }
        render::Form::Html => reply(status, "text/html; charset=UTF-8", html(settings, &findings)),
        render::Form::Json => reply(status, "application/json", json(settings, &findings)),
    }
}

fn is_answered(settings: &Healthcheck, request: &Parts) -> bool {
    let ranges = &settings.allowed_source_ranges;
    let known = match request.extensions.get::<Peer>() {
        // A dual-stack socket shows IPv4 clients as ::ffff:a.b.c.d.
        Some(Peer::Tcp(address)) => ranges.iter().any(|it| it.contains(&address.ip().to_canonical())),
        _ => false,
    };
    let proxied = |headers: &HeaderMap| PROXIED.iter().any(|it| headers.get(*it).is_some_and(|it| !it.is_empty()));
    (ranges.is_empty() || known) && !(settings.ignore_proxied_requests && proxied(&request.headers))
}

async fn look(settings: &Healthcheck, backend: Backend, port: u16) -> Finding {
    match backend {
        Backend::DisableByFile => disabled_by(settings.disable_by_file_path.as_deref()).await,
        Backend::DisableByFilesPorts => {
            let mut files = settings.disable_by_file_paths.iter();
            let file = files.find(|it| it.0 == port).map(|it| it.1.as_path());
            Finding { details: String::new(), ..disabled_by(file).await }
        }
        Backend::EnableByFiles => {
            for path in &settings.enable_by_file_paths {
                if !is_there(path).await {
                    let details = format!("File path {} is missing", path.display());
                    return Finding { available: false, reason: "FILE PATH MISSING", details };
                }
            }
            Finding { available: true, reason: "OK", details: "Specified file paths are available".to_owned() }
        }
    }
}

async fn disabled_by(file: Option<&Path>) -> Finding {
    let Some(path) = file else {
        let details = "No 'disable_by_file_path' configuration value specified".to_owned();
        return Finding { available: true, reason: "OK", details };
    };
    let found = is_there(path).await;
    let details = format!("Path '{}' was {}", path.display(), if found { "found" } else { "not found" });
    Finding { available: !found, reason: if found { "DISABLED BY FILE" } else { "OK" }, details }
}

async fn is_there(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(false)
}

/// What the client likes best; plain text when it does not mind, or likes none of them.
fn form(accept: &str) -> render::Form {
    let kinds = [
        (render::Form::Plain, "text", "plain"),
        (render::Form::Html, "text", "html"),
        (render::Form::Json, "application", "json"),
    ];
    let mut best = (render::Form::Plain, 0.0);
    for (form, kind, part) in kinds {
        let liked = render::quality(accept, kind, part);
        if liked > best.1 {
            best = (form, liked);
        }
    }
    best.0
}

fn reply(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// As Python prints it: keys in their order, four spaces.
fn json(settings: &Healthcheck, findings: &[Finding]) -> String {
    let reasons: Vec<&str> = findings.iter().map(|it| it.reason).collect();
    let document = if settings.detailed {
        let reason = |it: &Finding| serde_json::json!({"class": "HealthcheckResult", "details": it.details, "reason": it.reason});
        let reasons: Vec<_> = findings.iter().map(reason).collect();
        let (now, platform) = (now(), platform());
        serde_json::json!({"detailed": true, "now": now, "platform": platform, "reasons": reasons})
    } else {
        serde_json::json!({"detailed": false, "reasons": reasons})
    };
    let mut text = Vec::new();
    let spaced = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    // Memory takes all of it.
    let _ = document.serialize(&mut serde_json::Serializer::with_formatter(&mut text, spaced));
    String::from_utf8(text).unwrap_or_default()
}

fn html(settings: &Healthcheck, findings: &[Finding]) -> String {
    let mut text = String::from("<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n");
    let cell = |tag: &str, words: &str| format!("<{tag}>{}</{tag}>\n", render::escape(words));
    if settings.detailed {
        let _ = write!(text, "<H1>Server status</H1>\n<B>Server hostname:</B>{}", cell("PRE", &host()));
        let _ = writeln!(
            text,
            "<B>Current time:</B>{}<B>Platform:</B>{}<HR></HR>",
            cell("PRE", &now()),
            cell("PRE", &platform())
        );
    }
    let _ = write!(
        text,
        "<H2>Result of {} checks:</H2>\n<TABLE bgcolor=\"#ffffff\" border=\"1\">\n<TBODY>\n",
        findings.len()
    );
    let columns: &[&str] = if settings.detailed { &["Kind", "Reason", "Details"] } else { &["Reason"] };
    let heads: String = columns.iter().map(|it| cell("TH", it)).collect();
    let _ = write!(text, "<TR>\n{heads}</TR>\n");
    for it in findings {
        let all = [cell("TD", "HealthcheckResult"), cell("TD", it.reason), cell("TD", &it.details)];
        let cells = if settings.detailed { all.concat() } else { cell("TD", it.reason) };
        let _ = write!(text, "<TR>\n{cells}</TR>\n");
    }
    text + "</TBODY>\n</TABLE>\n<HR></HR>\n</BODY>\n</HTML>"
}

fn now() -> String {
    chrono::Utc::now().format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

fn platform() -> String {
    let Ok(known) = nix::sys::utsname::uname() else { return String::new() };
    let words = [known.sysname(), known.release(), known.machine()].map(|it| it.to_string_lossy().into_owned());
    format!("{}, larder {}", words.join("-"), env!("CARGO_PKG_VERSION"))
}

fn host() -> String {
    nix::sys::utsname::uname().map(|it| it.nodename().to_string_lossy().into_owned()).unwrap_or_default()
}
