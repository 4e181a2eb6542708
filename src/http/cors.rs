//! Cross-origin requests, answered as oslo.middleware's `cors` does it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// Request headers that are always allowed.
const SIMPLE: [&str; 8] = [
    "Accept",
    "Accept-Language",
    "Content-Type",
    "Cache-Control",
    "Content-Language",
    "Expires",
    "Last-Modified",
    "Pragma",
];

/// `[cors]`; the defaults are those that Glance gives oslo.middleware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `allowed_origin`: `scheme://host[:port]`, compared letter by letter, or `*`. Empty allows none.
    pub allowed_origin: Vec<String>,
    /// `allow_credentials`
    pub allow_credentials: bool,
    /// `expose_headers`
    pub expose_headers: Vec<String>,
    /// `max_age`, seconds; 0 says nothing to the browser.
    pub max_age: i64,
    /// `allow_methods`
    pub allow_methods: Vec<String>,
    /// `allow_headers`, in addition to the simple ones.
    pub allow_headers: Vec<String>,
}

type Field = (HeaderName, HeaderValue);

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        Self {
            allowed_origin: Vec::new(),
            allow_credentials: true,
            expose_headers: words(
                "X-Image-Meta-Checksum X-Auth-Token X-Subject-Token X-Service-Token X-OpenStack-Request-ID",
            ),
            max_age: 3600,
            allow_methods: words("GET PUT POST DELETE PATCH"),
            allow_headers: words(
                "Content-MD5 X-Image-Meta-Checksum X-Storage-Token Accept-Encoding X-Auth-Token X-Identity-Status \
                 X-Roles X-Service-Catalog X-User-Id X-Tenant-Id X-OpenStack-Request-ID",
            ),
        }
    }
}

impl Settings {
    /// What the answer to this request gets, to be [`apply`]ed; nothing for requests of no allowed origin.
    pub fn fields(&self, method: &Method, asked: &HeaderMap) -> Vec<Field> {
        let Some(origin) = self.origin(asked) else { return Vec::new() };
        let mut fields =
            vec![(header::VARY, HeaderValue::from_static("Origin")), (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin)];
        if self.allow_credentials {
            fields.push((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")));
        }
        if method == Method::OPTIONS {
            let Some(allowed) = self.preflight(asked) else { return Vec::new() };
            fields.extend(allowed);
        } else if let Some(exposed) = joined(&self.expose_headers) {
            fields.push((header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed));
        }
        fields
    }

    /// The origin as the answer names it, when it is allowed.
    fn origin(&self, asked: &HeaderMap) -> Option<HeaderValue> {
        if self.allowed_origin.is_empty() {
            return None;
        }
        let sent = asked.get(header::ORIGIN)?;
        if self.allowed_origin.iter().any(|it| it.as_bytes() == sent.as_bytes()) {
            Some(sent.clone())
        } else if self.allowed_origin.iter().any(|it| it == "*") {
            Some(HeaderValue::from_static("*"))
        } else {
            None
        }
    }

    /// What a preflight is allowed; none when it asks for more than there is.
    fn preflight(&self, asked: &HeaderMap) -> Option<Vec<Field>> {
        let method = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        if !self.allow_methods.iter().any(|it| it.as_bytes() == method.as_bytes()) {
            return None;
        }
        let mut wanted = Vec::new();
        for line in asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            wanted.extend(line.to_str().ok()?.split(',').map(str::trim).filter(|it| !it.is_empty()));
        }
        let allowed = |name: &&str| {
            let mut known = self.allow_headers.iter().map(String::as_str).chain(SIMPLE);
            known.any(|it| it.eq_ignore_ascii_case(name))
        };
        if !wanted.iter().all(allowed) {
            return None;
        }
        let mut fields = vec![(header::ACCESS_CONTROL_ALLOW_METHODS, method.clone())];
        if self.max_age != 0 {
            fields.push((header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age)));
        }
        if let Some(names) = joined(&wanted) {
            fields.push((header::ACCESS_CONTROL_ALLOW_HEADERS, names));
        }
        Some(fields)
    }
}

/// Puts the fields on an answer, beside what it varies by already.
pub fn apply(fields: Vec<Field>, answer: &mut HeaderMap) {
    for (name, value) in fields {
        if name == header::VARY {
            answer.append(name, value);
        } else {
            answer.insert(name, value);
        }
    }
}

fn joined<T: AsRef<str>>(names: &[T]) -> Option<HeaderValue> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    HeaderValue::try_from(names.join(",")).ok().filter(|it| !it.is_empty())
}
