//! Location URLs.
//!
//! Glance writes `swift+https://project%3Auser:key@auth/container/object` (or `swift+http://`), where `auth` is the address of
//! Keystone; with `swift_store_config_file` it writes `swift+config://reference/container/object`. `swift://` is
//! `swift+https://` (glance_store 5.7, `StoreLocation`).

use super::settings::SwiftSettings;
use crate::base::Secret;
use crate::image::{ImageId, shown_url};
use crate::store::StoreError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Glance's four schemes.
pub(super) const SCHEMES: [&str; 4] = ["swift+https://", "swift+http://", "swift+config://", "swift://"];

/// The longest name of an object, and of a container (Swift's limits), bytes.
const LONGEST_OBJECT: usize = 1024;
const LONGEST_CONTAINER: usize = 256;

/// What Python's `quote` encodes, as Glance calls it.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What stands in a path as one word.
const WORD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who is asked, of a location URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// An account of the configuration file, or the one of the options under its name.
    Reference(&'a str),
    /// `http://` or `https://` and the rest of the address, and the user and key that the URL has.
    Auth { address: String, login: Option<(String, Secret)> },
}

/// Where data is, of a location URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) whose: Whose<'a>,
    pub(super) container: &'a str,
    pub(super) object: &'a str,
}

impl<'a> Place<'a> {
    /// # Errors
    /// What is wrong with the URL.
    pub(super) fn parse(url: &'a str) -> Result<Self, &'static str> {
        let scheme = SCHEMES.iter().find(|it| url.starts_with(**it)).ok_or("it is no swift:// URL")?;
        let rest = &url[scheme.len()..];
        if rest.contains("://") {
            return Err("it has a second scheme");
        }
        if rest.contains(char::is_control) {
            return Err("it has control characters");
        }
        let (rest, object) = rest.rsplit_once('/').ok_or("it names no object")?;
        let (rest, container) = rest.rsplit_once('/').ok_or("it names no container")?;
        if object.is_empty() || object.len() > LONGEST_OBJECT || matches!(object, "." | "..") {
            return Err("its last word is no name of an object");
        }
        if container.is_empty() || container.len() > LONGEST_CONTAINER || matches!(container, "." | "..") {
            return Err("its last word but one is no name of a container");
        }
        let whose = if *scheme == "swift+config://" {
            if rest.is_empty() || rest.contains('/') {
                return Err("it names no reference to an account");
            }
            Whose::Reference(rest)
        } else {
            // A key may have slashes in it, where a site wrote the URL by itself; the address has no `@`.
            let (login, address) = rest.rsplit_once('@').map_or((None, rest), |it| (Some(it.0), it.1));
            if address.split('/').any(|it| matches!(it, "" | "." | "..")) {
                return Err("it names no address of Keystone");
            }
            let tls = if *scheme == "swift+http://" { "http" } else { "https" };
            let login = login.map(|it| login_of(it).ok_or("it has no user and key before the @")).transpose()?;
            Whose::Auth { address: format!("{tls}://{address}"), login }
        };
        Ok(Self { whose, container, object })
    }
}

/// `project%3Auser:key`, or `project:user:key`.
fn login_of(text: &str) -> Option<(String, Secret)> {
    // Glance decodes first, and takes a key with a colon in it for a part of the user then.
    let decoded = |it: &str| Some(percent_decode_str(it).decode_utf8().ok()?.into_owned());
    let (user, key) = text.rsplit_once(':')?;
    let (user, key) = (decoded(user)?, decoded(key)?);
    (!user.is_empty()).then(|| (user, key.into()))
}

/// What all location URLs of new data begin with, up to the container.
pub(super) fn prefix(settings: &SwiftSettings, address: &str, login: Option<(&str, &Secret)>) -> String {
    if settings.config_file.is_some() {
        return format!("swift+config://{}", settings.default_reference);
    }
    let (scheme, rest) = match address.strip_prefix("http://") {
        Some(rest) => ("swift+http", rest),
        None => ("swift+https", address.strip_prefix("https://").unwrap_or(address)),
    };
    let login = login.map(|(user, key)| format!("{}:{}@", quoted(user), quoted(key.expose()))).unwrap_or_default();
    format!("{scheme}://{login}{}", rest.trim_matches('/'))
}

fn quoted(text: &str) -> String {
    utf8_percent_encode(text, QUOTED).to_string()
}

/// A word of a path, or of a query.
pub(super) fn word(text: &str) -> String {
    utf8_percent_encode(text, WORD).to_string()
}

/// The container of an image: with a seed, digits of its id are added to its name, as Glance does.
pub(super) fn container(settings: &SwiftSettings, id: &ImageId) -> String {
    let digits = settings.multiple_containers_seed;
    if digits == 0 {
        return settings.container.clone();
    }
    let id = id.as_str().to_lowercase();
    let dashes = id.chars().take(digits).filter(|it| *it == '-').count();
    let suffix: String = id.chars().take(digits + dashes).collect();
    format!("{}_{suffix}", settings.container)
}

/// A URL that is not of the store.
pub(super) fn foreign(url: &str, store: &str, why: &'static str) -> StoreError {
    StoreError::Foreign { url: shown(url), store: store.to_owned(), why }
}

/// The URL as messages show it: without user and key, and not too long.
pub(super) fn shown(url: &str) -> String {
    shown_url(url).chars().map(|it| if it.is_control() { ' ' } else { it }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_urls_of_glance_are_understood_and_keys_are_never_shown() {
        let auth = |address: &str, key: &str| Whose::Auth {
            address: address.to_owned(),
            login: Some(("proj:user".to_owned(), key.into())),
        };
        for (url, whose) in [
            ("swift+https://proj%3Auser:KEY@k.example.org:5000/v3/c/id", auth("https://k.example.org:5000/v3", "KEY")),
            ("swift+http://proj:user:KEY@k.example.org/v3/c/id", auth("http://k.example.org/v3", "KEY")),
            ("swift://proj:user:KEY%40%2F%3A@k/c/id", auth("https://k", "KEY@/:")),
            ("swift+https://proj%3Auser:KEY/@k/c/id", auth("https://k", "KEY/")),
            ("swift+config://ref1/c/id", Whose::Reference("ref1")),
        ] {
            let place = Place::parse(url).unwrap();
            assert_eq!((place.container, place.object), ("c", "id"), "{url}");
            assert_eq!(place.whose, whose, "{url}");
            let said = format!("{} {place:?}", shown(url));
            assert!(!said.contains("KEY"), "{said}");
        }
        let Whose::Auth { login, address } = Place::parse("swift+http://k:5000/v3/c/id").unwrap().whose else {
            panic!()
        };
        assert_eq!((login, address.as_str()), (None, "http://k:5000/v3"));
        for url in [
            "",
            "swift://",
            "swift:///",
            "swift://h/c",
            "swift://h/c/",
            "swift://h//o",
            "swift:///c/o",
            "swift+config://c/o",
            "swift+config://r/x/c/o",
            "swift://u:p@https://h/c/o",
            "swift://u@h/c/o",
            "swift://h/c/..",
            "swift://h/../c/o",
            "swift://h/c/a\nb",
            "s3://h/c/o",
        ] {
            assert!(Place::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn urls_are_written_as_glance_writes_them() {
        let mut settings = SwiftSettings::default();
        let key = Secret::from("a@b:c%/é");
        let login = Some(("proj:user", &key));
        let url = prefix(&settings, "http://k:5000/v3/", login);
        assert_eq!(url, "swift+http://proj%3Auser:a%40b%3Ac%25/%C3%A9@k:5000/v3");
        assert_eq!(prefix(&settings, "k/v3", None), "swift+https://k/v3");
        settings.config_file = Some("/etc/glance/glance-swift.conf".into());
        assert_eq!(prefix(&settings, "http://k", login), "swift+config://ref1");
        let id: ImageId = "3A1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9".parse().unwrap();
        assert_eq!(container(&settings, &id), "glance");
        for (seed, name) in [(3, "glance_3a1"), (8, "glance_3a1b2c3d"), (9, "glance_3a1b2c3d-4")] {
            settings.multiple_containers_seed = seed;
            assert_eq!(container(&settings, &id), name);
        }
    }

    proptest! {
        #[test]
        fn no_url_panics(url in "(swift|swift.config|swift.https)?(://)?[a-z@:/.%\\PC]{0,60}") {
            let _ = (Place::parse(&url).is_ok(), shown(&url));
        }
    }
}
