//! The three forms of an error, as `WebOb` prints them: clients of Glance read them out of these.

use super::refusal::Refusal;
use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Html,
    Json,
}

/// Renders what a handler refused; other responses pass.
pub(super) fn render(mut response: Response<Body>, accept: Option<&str>) -> Response<Body> {
    let Some(refusal) = response.extensions_mut().remove::<Refusal>() else { return response };
    let (body, kind) = body(&refusal, form(accept.unwrap_or_default()));
    *response.body_mut() = Body::from(body);
    // The router has measured the empty body that the refusal had until now.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn body(refusal: &Refusal, form: Form) -> (String, &'static str) {
    let (code, title) = (refusal.status.as_u16(), title(refusal.status));
    let words = &refusal.message;
    // WebOb has a shorter template for a method that a resource, or the server, does not know.
    let (end, html_end) = match refusal.status {
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => (" \n\n ", " <br /><br />\n"),
        _ => ("\n\n   ", "<br /><br />\n\n\n"),
    };
    match form {
        Form::Plain => (format!("{code} {title}\n\n{words}{end}"), "text/plain; charset=UTF-8"),
        Form::Html => {
            let words = escape(words);
            let text = format!(
                "<html>\n <head>\n  <title>{code} {title}</title>\n </head>\n <body>\n  <h1>{code} {title}</h1>\n  \
                 {words}{html_end}\n </body>\n</html>"
            );
            (text, "text/html; charset=UTF-8")
        }
        Form::Json => {
            let message = format!("{words}{html_end}");
            let json = serde_json::json!({"message": message, "code": format!("{code} {title}"), "title": title});
            (json.to_string(), "application/json")
        }
    }
}

/// What the client likes best; HTML before JSON, and plain text when it names neither.
pub(super) fn form(accept: &str) -> Form {
    // A header that makes no sense counts as none to WebOb, which then prefers HTML.
    if accept.split(',').any(|it| !it.trim().is_empty() && !it.contains('/')) {
        return Form::Html;
    }
    let (html, json) = (quality(accept, "text", "html"), quality(accept, "application", "json"));
    if html > 0.0 && html >= json {
        Form::Html
    } else if json > 0.0 {
        Form::Json
    } else {
        Form::Plain
    }
}

/// How much `accept` wants `kind/part`, from 0 to 1: by its most specific entry.
pub(super) fn quality(accept: &str, kind: &str, part: &str) -> f32 {
    let mut best = (0, 0.0);
    for entry in accept.split(',').take(64) {
        let mut fields = entry.split(';').map(str::trim);
        let range = fields.next().unwrap_or_default();
        let weight = fields.filter_map(|it| it.strip_prefix("q=")).next().map_or(Ok(1.0), str::parse).unwrap_or(0.0);
        let specific = match range.split_once('/') {
            Some((a, b)) if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(part) => 3,
            Some((a, "*")) if a.eq_ignore_ascii_case(kind) => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        if specific > best.0 {
            best = (specific, weight);
        }
    }
    best.1
}

/// The reason phrase; WebOb's where it differs.
fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        StatusCode::RANGE_NOT_SATISFIABLE => "Request Range Not Satisfiable",
        other => other.canonical_reason().unwrap_or("Error"),
    }
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            other => escaped.push(other),
        }
    }
    escaped
}
