//! What a proxy in front says of the request that it passed on, read as oslo.middleware's `http_proxy_to_wsgi` does it.
//!
//! Beyond it, quotes are taken off, only the nearest client's entry of a list counts, and what would not be fit for a
//! link or a log is passed over.

use http::{HeaderMap, HeaderName, header};

/// The request as it was before the proxy; none where the proxy says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// `http` or `https`.
    pub scheme: Option<&'static str>,
    /// With its port, if it has one.
    pub host: Option<String>,
    /// The client's address, for logs only: whoever reaches this server can write anything here.
    pub client: Option<String>,
    /// What the proxy took off the path, such as `/image`; empty for nothing.
    pub prefix: String,
}

/// Longest value that is taken over, in bytes.
const LONGEST: usize = 255;

// === impl Forwarded ===

impl Forwarded {
    /// From `Forwarded` (RFC 7239), or else `X-Forwarded-Proto`, `-Host` and `-For`; `X-Forwarded-Prefix` in any case.
    pub fn of(headers: &HeaderMap) -> Self {
        let prefix = first(headers, "x-forwarded-prefix").map(|it| it.trim_end_matches('/'));
        let prefix = prefix.filter(|it| it.starts_with('/') && is_path(it)).unwrap_or_default().to_owned();
        let (scheme, host, client) = match headers.get(header::FORWARDED).filter(|it| !it.is_empty()) {
            Some(value) => {
                let entry = value.to_str().unwrap_or_default().split(',').next().unwrap_or_default();
                let part = |name: &str| {
                    let mut pairs = entry.split(';').filter_map(|it| it.split_once('='));
                    pairs.find(|it| it.0.trim().eq_ignore_ascii_case(name)).map(|it| it.1.trim().trim_matches('"'))
                };
                (part("proto"), part("host"), part("for"))
            }
            None => (
                first(headers, "x-forwarded-proto"),
                first(headers, "x-forwarded-host"),
                first(headers, "x-forwarded-for"),
            ),
        };
        Self {
            scheme: scheme.and_then(|it| ["http", "https"].into_iter().find(|known| known.eq_ignore_ascii_case(it))),
            host: host.filter(|it| is_host(it)).map(str::to_owned),
            client: client.filter(|it| is_host(it)).map(str::to_owned),
            prefix,
        }
    }
}

/// Whether a link may name this host: letters, digits, and what ports and IPv6 addresses need.
pub fn is_host(text: &str) -> bool {
    let fit = |it: u8| it.is_ascii_alphanumeric() || b".:[]_-".contains(&it);
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fit)
}

fn is_path(text: &str) -> bool {
    let fit = |it: u8| it.is_ascii_alphanumeric() || b"/._~-%".contains(&it);
    text.len() <= LONGEST && !text.starts_with("//") && text.bytes().all(fit)
}

/// The first entry of a list.
fn first<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    let value = headers.get(HeaderName::from_static(name))?.to_str().ok()?;
    value.split(',').next().map(str::trim).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Forwarded {
        let pair = |it: &(&'static str, &str)| (HeaderName::from_static(it.0), it.1.parse().unwrap());
        Forwarded::of(&lines.iter().map(pair).collect())
    }

    #[test]
    fn the_standard_goes_before_the_custom() {
        let it = read(&[
            ("forwarded", "for=\"[2001:db8::1]:47\";PROTO=https;host=\"a.example:444\", for=10.0.0.1;host=b"),
            ("x-forwarded-host", "c"),
            ("x-forwarded-prefix", "/image/"),
        ]);
        assert_eq!((it.scheme, it.host.as_deref()), (Some("https"), Some("a.example:444")));
        assert_eq!((it.client.as_deref(), it.prefix.as_str()), (Some("[2001:db8::1]:47"), "/image"));
        let it =
            read(&[("x-forwarded-proto", "https, http"), ("x-forwarded-host", "a"), ("x-forwarded-for", "1.2.3.4")]);
        assert_eq!((it.scheme, it.host.as_deref(), it.client.as_deref()), (Some("https"), Some("a"), Some("1.2.3.4")));
    }

    #[test]
    fn what_no_link_may_hold_is_passed_over() {
        let long = "a".repeat(300);
        for lines in [
            [("x-forwarded-proto", "javascript"), ("x-forwarded-host", "a/b"), ("x-forwarded-prefix", "image")],
            [("x-forwarded-proto", ""), ("x-forwarded-host", "a\"b"), ("x-forwarded-prefix", "//evil.example")],
            [("forwarded", "nonsense"), ("x-forwarded-host", &long), ("x-forwarded-prefix", "/<script>")],
        ] {
            assert_eq!(read(&lines), Forwarded::default(), "{lines:?}");
        }
    }
}
