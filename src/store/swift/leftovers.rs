//! Segments that no manifest names: of writers that were killed, ours and Glance's.

use super::{
    fault::Fault,
    objects::{Entry, Head},
    wire::Session,
};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Segments with one prefix.
#[derive(Debug, Default)]
struct Upload {
    names: Vec<String>,
    newest: Option<DateTime<Utc>>,
}

// === impl Session ===

impl Session {
    /// Removes segments of images without a manifest that names them, in a container, of objects whose names begin so; with
    /// `before`, those to whose upload nothing came since then. How many there were.
    pub(super) async fn remove_leftovers(
        &self,
        container: &str,
        prefix: &str,
        before: Option<DateTime<Utc>>,
    ) -> Result<usize, Fault> {
        let mut removed = 0;
        for ((id, prefix), upload) in uploads(self.list(container, prefix).await?) {
            if before.is_some_and(|it| upload.newest.is_none_or(|newest| newest > it)) {
                continue;
            }
            let head = self.head(container, &id).await?.unwrap_or_default();
            if !is_named(&head, container, &prefix) {
                self.delete_all(container, &upload.names).await?;
                removed += upload.names.len();
            }
        }
        Ok(removed)
    }
}

/// Whether the image's object needs the segments with this prefix.
fn is_named(head: &Head, container: &str, prefix: &str) -> bool {
    // What a static one names is not told without reading it.
    head.is_static || head.manifest.as_ref().is_some_and(|(there, its)| there == container && prefix.starts_with(its))
}

/// By the image and the prefix.
fn uploads(entries: Vec<Entry>) -> BTreeMap<(String, String), Upload> {
    let mut found: BTreeMap<_, Upload> = BTreeMap::new();
    for entry in entries {
        let Some((id, prefix)) = segment_of(&entry.name) else { continue };
        let upload = found.entry((id.to_owned(), prefix.to_owned())).or_default();
        upload.newest = upload.newest.max(entry.last_modified.map(|it| it.and_utc()));
        upload.names.push(entry.name);
    }
    found
}

/// Image and prefix of a segment: Glance's `<id>-00001`, ours `<id>_<mark>-00001`. What has another name is somebody else's.
fn segment_of(name: &str) -> Option<(&str, &str)> {
    let (head, number) = name.rsplit_once('-')?;
    let id = head.get(..36).filter(|it| it.parse::<ImageId>().is_ok())?;
    let rest = &head[36..];
    let mark = rest.strip_prefix('_').is_some_and(|it| it.len() == 16 && it.bytes().all(|it| it.is_ascii_hexdigit()));
    let numbered = number.len() >= 5 && number.bytes().all(|it| it.is_ascii_digit());
    (numbered && (rest.is_empty() || mark)).then(|| (id, &name[..=head.len()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

    #[test]
    fn segments_are_told_from_what_others_keep() {
        assert_eq!(segment_of(&format!("{ID}-00001")), Some((ID, format!("{ID}-").as_str())));
        let ours = format!("{ID}_0123456789abcdef-00012");
        assert_eq!(segment_of(&ours), Some((ID, format!("{ID}_0123456789abcdef-").as_str())));
        for name in
            ["", ID, "x-00001", &format!("{ID}-1"), &format!("{ID}-backup"), &format!("{ID}.x-00001"), "é-00001"]
        {
            assert_eq!(segment_of(name), None, "{name}");
        }
    }

    #[test]
    fn uploads_are_as_old_as_their_newest_segment() {
        let ours = format!("{ID}_0123456789abcdef-00012");
        let entry = |name: &str, at: &str| {
            let value = serde_json::json!({"name": name, "bytes": 5, "last_modified": at, "hash": ""});
            serde_json::from_value(value).unwrap()
        };
        let found = uploads(vec![
            entry(&format!("{ID}-00001"), "2026-11-22T04:26:23.123456"),
            entry(&format!("{ID}-00002"), "2026-11-22T05:26:23"),
            entry(ID, "2026-11-22T05:26:23"),
            entry(&ours, "2026-11-21T05:26:23.000010"),
        ]);
        assert_eq!(found.len(), 2);
        let glance = &found[&(ID.to_owned(), format!("{ID}-"))];
        assert_eq!(glance.names.len(), 2);
        assert_eq!(glance.newest.unwrap().to_rfc3339(), "2026-11-22T05:26:23+00:00");
    }

    #[test]
    fn what_a_manifest_names_stays() {
        let named = |manifest: Option<(&str, &str)>, prefix: &str| {
            let manifest = manifest.map(|it| (it.0.to_owned(), it.1.to_owned()));
            is_named(&Head { manifest, ..Head::default() }, "glance", prefix)
        };
        assert!(named(Some(("glance", "id-")), "id-"));
        assert!(!named(Some(("glance", "id-")), "id_0123456789abcdef-"));
        assert!(!named(Some(("other", "id-")), "id-"));
        assert!(!named(None, "id-"));
        assert!(is_named(&Head { is_static: true, ..Head::default() }, "glance", "id-"));
    }
}
