//! Location URLs, and where the server is.
//!
//! Glance writes `s3+https://host/bucket/id`, or `s3://…` for a server without TLS; its releases up to 2024 wrote the keys
//! into it, as `s3+https://access:secret@host/bucket/id`, where a secret may have slashes in it. Of all these it takes the
//! last two words for the bucket and the object, and asks the server of its configuration (glance_store 5.7,
//! `StoreLocation.parse_uri`), so that URLs under a former name of the server go on working.

use super::settings::{BucketUrlFormat, S3Settings};
use crate::store::StoreError;

/// Glance's three schemes.
pub(super) const SCHEMES: [&str; 3] = ["s3://", "s3+http://", "s3+https://"];

/// The longest name of an object (S3's limit), bytes.
const LONGEST_KEY: usize = 1024;

/// Where data is, of a location URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The server that it names, without keys.
    pub(super) host: &'a str,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
}

impl<'a> Place<'a> {
    /// # Errors
    /// What is wrong with the URL.
    pub(super) fn parse(url: &'a str) -> Result<Self, &'static str> {
        let rest = SCHEMES.iter().find_map(|it| url.strip_prefix(it)).ok_or("it is no s3:// URL")?;
        if rest.contains("://") {
            return Err("it has a second scheme");
        }
        let (rest, key) = rest.rsplit_once('/').ok_or("it names no object")?;
        let (host, bucket) = rest.rsplit_once('/').ok_or("it names no bucket")?;
        let host = host.rsplit('@').next().unwrap_or(host);
        if host.is_empty() {
            return Err("it names no server");
        }
        if key.is_empty() || key.len() > LONGEST_KEY || key.contains(char::is_control) || matches!(key, "." | "..") {
            return Err("its last word is no name of an object");
        }
        if !is_bucket(bucket) {
            return Err("its last word but one is no name of a bucket");
        }
        Ok(Self { host, bucket, key })
    }
}

/// The letters that names of buckets have, whoever made them.
pub(super) fn is_bucket(name: &str) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b'_');
    (1..=255).contains(&name.len()) && name.bytes().all(letter) && !matches!(name, "." | "..")
}

/// The URL as messages show it: without keys, and not too long.
pub(super) fn shown(url: &str) -> String {
    let scheme = SCHEMES.iter().find(|it| url.starts_with(**it)).map_or("", |it| *it);
    let rest = url.get(scheme.len()..).unwrap_or_default();
    // A secret may have slashes, but what stands behind the last `@` has none.
    let rest = rest.rsplit('@').next().unwrap_or(rest);
    format!("{scheme}{rest}").chars().map(|it| if it.is_control() { ' ' } else { it }).take(300).collect()
}

/// The server, as the options name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// `http://` or `https://`, and the host, without a slash at its end.
    pub(super) endpoint: String,
    /// What location URLs begin with.
    pub(super) scheme: &'static str,
    /// The host as it stands in location URLs.
    pub(super) host: String,
    pub(super) region: String,
    /// The bucket stands in the host name.
    pub(super) is_virtual: bool,
}

impl Server {
    /// # Errors
    /// Which option is wrong, and why.
    pub(super) fn new(settings: &S3Settings) -> Result<Self, String> {
        let written = settings.host.trim();
        let (tls, host) = match (written.strip_prefix("https://"), written.strip_prefix("http://")) {
            (Some(host), _) => (true, host),
            (_, Some(host)) => (false, host),
            (None, None) => (false, written),
        };
        let host = host.trim_matches('/').to_owned();
        let endpoint = format!("{}://{host}", if tls { "https" } else { "http" });
        let parsed = url::Url::parse(&endpoint).ok().filter(|it| it.username().is_empty() && it.password().is_none());
        let Some(name) = parsed.as_ref().and_then(|it| it.host_str()).filter(|_| !host.contains("://")) else {
            return Err("s3_store_host is no address of a server, such as https://s3.example.org".to_owned());
        };
        let at_amazon = name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn");
        let in_name = is_bucket(&settings.bucket) && !settings.bucket.contains(['.', '_']);
        let is_virtual = match settings.bucket_url_format {
            BucketUrlFormat::Virtual if !in_name => {
                return Err(format!(
                    "s3_store_bucket_url_format is virtual, and the bucket {} cannot stand in a host name",
                    settings.bucket
                ));
            }
            BucketUrlFormat::Virtual => true,
            BucketUrlFormat::Auto => at_amazon && in_name,
            BucketUrlFormat::Path => false,
        };
        let region = match settings.region_name.trim() {
            "" => amazon_region(name).unwrap_or("us-east-1").to_owned(),
            region => region.to_owned(),
        };
        Ok(Self { endpoint, scheme: if tls { "s3+https" } else { "s3" }, host, region, is_virtual })
    }

    /// The location URL of an object.
    pub(super) fn url(&self, bucket: &str, key: &str) -> String {
        format!("{}://{}/{bucket}/{key}", self.scheme, self.host)
    }

    /// What requests about the bucket itself are sent to.
    pub(super) fn bucket_url(&self, bucket: &str) -> String {
        match self.endpoint.split_once("://") {
            Some((scheme, host)) if self.is_virtual => format!("{scheme}://{bucket}.{host}"),
            _ => format!("{}/{bucket}", self.endpoint),
        }
    }
}

/// The region in a name of Amazon's: `s3.eu-west-1.amazonaws.com`, `s3-eu-west-1.amazonaws.com`.
fn amazon_region(host: &str) -> Option<&str> {
    let rest = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let region = rest.strip_prefix("s3.dualstack.").or_else(|| rest.strip_prefix("s3."));
    region.or_else(|| rest.strip_prefix("s3-")).filter(|it| !it.is_empty())
}

/// A URL that is not of the store.
pub(super) fn foreign(url: &str, store: &str, why: &'static str) -> StoreError {
    StoreError::Foreign { url: shown(url), store: store.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_of_all_releases_are_understood_and_keys_are_never_shown() {
        let place = Place { host: "s3.example.org:8080", bucket: "glance", key: "id" };
        for url in [
            "s3://s3.example.org:8080/glance/id",
            "s3+http://s3.example.org:8080/glance/id",
            "s3+https://ACCESS:SECRET@s3.example.org:8080/glance/id",
            "s3+https://ACCESS:SEC/RET/+==@s3.example.org:8080/glance/id",
            "s3+https://ACCESS:SEC@RET@s3.example.org:8080/glance/id",
        ] {
            assert_eq!(Place::parse(url), Ok(place.clone()), "{url}");
            let said = shown(url);
            assert!(!said.contains("SEC") && !said.contains("ACCESS"), "{said}");
            assert!(said.ends_with("://s3.example.org:8080/glance/id"), "{said}");
        }
        for url in [
            "s3://",
            "s3:///",
            "s3://h/b",
            "s3://h/b/",
            "s3://h//k",
            "s3:///b/k",
            "s3://https://h/b/k",
            "s3://h/b/..",
            "s3://h/b?x/k",
            "http://h/b/k",
            "s3://h/b/a\nb",
            "",
        ] {
            assert!(Place::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn servers_are_addressed_as_boto_does() {
        let server = |host: &str, region: &str, format, bucket: &str| {
            Server::new(&S3Settings {
                host: host.to_owned(),
                region_name: region.to_owned(),
                bucket_url_format: format,
                bucket: bucket.to_owned(),
                ..S3Settings::default()
            })
        };
        let own = server("http://127.0.0.1:7480/", "", BucketUrlFormat::Auto, "glance").unwrap();
        assert_eq!((own.region.as_str(), own.is_virtual), ("us-east-1", false));
        assert_eq!(own.url("glance", "id"), "s3://127.0.0.1:7480/glance/id");
        assert_eq!(own.bucket_url("glance"), "http://127.0.0.1:7480/glance");
        let amazon = server("https://s3.eu-west-1.amazonaws.com", "", BucketUrlFormat::Auto, "glance").unwrap();
        assert_eq!((amazon.region.as_str(), amazon.is_virtual), ("eu-west-1", true));
        assert_eq!(amazon.url("glance", "id"), "s3+https://s3.eu-west-1.amazonaws.com/glance/id");
        assert_eq!(amazon.bucket_url("glance"), "https://glance.s3.eu-west-1.amazonaws.com");
        assert!(!server("https://s3.amazonaws.com", "", BucketUrlFormat::Auto, "with.dot").unwrap().is_virtual);
        assert_eq!(
            server("s3.example.org", "here", BucketUrlFormat::Path, "b").unwrap().endpoint,
            "http://s3.example.org"
        );
        assert!(server("https://s3.example.org", "", BucketUrlFormat::Virtual, "b").unwrap().is_virtual);
        assert!(server("https://s3.example.org", "", BucketUrlFormat::Virtual, "with.dot").is_err());
        for host in ["", "https://", "ftp://x", "https://user:key@s3.example.org"] {
            assert!(server(host, "", BucketUrlFormat::Auto, "b").is_err(), "{host}");
        }
    }

    proptest! {
        #[test]
        fn no_url_panics(url in "(s3|s3.https)?(://)?[a-z@:/.\\PC]{0,60}") {
            let _ = (Place::parse(&url), shown(&url));
        }
    }
}
