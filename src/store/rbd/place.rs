//! Glance's URLs: `rbd://<fsid>/<pool>/<image>/<snapshot>`, each part percent-encoded, and the older `rbd://<image>`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub(super) const SCHEME: &str = "rbd://";

/// The snapshot that Glance makes.
pub(super) const SNAP: &str = "snap";

/// What Python's `quote(text, safe='')` leaves as it is.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// None: in the pool that new images go to, as in the older form.
    pub(super) home: Option<Home>,
    pub(super) image: String,
    /// None: the image itself.
    pub(super) snap: Option<String>,
}

/// A pool of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) fsid: String,
    pub(super) pool: String,
}

// === impl Place ===

impl Place {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let rest = url.strip_prefix(SCHEME).ok_or("it is no rbd:// URL")?;
        let pieces: Vec<&str> = rest.split('/').collect();
        if pieces.iter().any(|it| it.is_empty()) {
            return Err("a part of it is empty");
        }
        match pieces[..] {
            // As it is: Glance quotes nothing in this form.
            [image] if !image.contains('\0') => Ok(Self { home: None, image: image.to_owned(), snap: None }),
            [fsid, pool, image, snap] => {
                let part = |text: &str| {
                    let text = percent_decode_str(text).decode_utf8().map_err(|_| "a part of it is not UTF-8")?;
                    if text.contains('\0') { Err("it holds a NUL") } else { Ok(text.into_owned()) }
                };
                let home = Home { fsid: part(fsid)?, pool: part(pool)? };
                Ok(Self { home: Some(home), image: part(image)?, snap: Some(part(snap)?) })
            }
            _ => Err("it has neither one part nor four"),
        }
    }

    /// The URL of an image that was written here.
    pub(super) fn url(fsid: &str, pool: &str, image: &str) -> String {
        let quote = |text| utf8_percent_encode(text, QUOTED);
        format!("{SCHEME}{}/{}/{}/{SNAP}", quote(fsid), quote(pool), quote(image))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_those_of_glance() {
        let url = Place::url("6a6d-1", "ssd/images é", "a~b-1_.");
        // urllib.parse.quote(…, '') of Python 3.11.
        assert_eq!(url, "rbd://6a6d-1/ssd%2Fimages%20%C3%A9/a~b-1_./snap");
        let home = Home { fsid: "6a6d-1".into(), pool: "ssd/images é".into() };
        let place = Place { home: Some(home), image: "a~b-1_.".into(), snap: Some("snap".into()) };
        assert_eq!(Place::parse(&url), Ok(place));
        let old = Place { home: None, image: "a%20b".into(), snap: None };
        assert_eq!(Place::parse("rbd://a%20b"), Ok(old));
        for bad in [
            "rbd:/x",
            "rbd://",
            "rbd:///x",
            "rbd://a/b",
            "rbd://a/b/c",
            "rbd://a/b/c/",
            "rbd://a/b/c/d/e",
            "file:///x",
            "rbd://a/b/c/%00",
            "rbd://a/b/%ff/d",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_name_comes_back(fsid in "[^\0]{1,9}", pool in "[^\0]{1,9}", image in "[^\0]{1,9}") {
            let place = Place::parse(&Place::url(&fsid, &pool, &image)).unwrap();
            prop_assert_eq!(place, Place { home: Some(Home { fsid, pool }), image, snap: Some("snap".into()) });
        }

        #[test]
        fn nothing_panics(url in "(rbd)?(://)?.{0,40}") {
            let _ = Place::parse(&url);
        }
    }
}
