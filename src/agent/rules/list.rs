//! Lists images at the catalogue for rules: all pages, one at a time in memory.

use crate::agent::desired::rules::{Finder, Followed, Found};
use crate::image::Visibility;
use crate::remote::{Catalogue, RemoteError};
use chrono::Utc;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::timeout;

/// With more different filters than this, one listing without filters costs less.
const MOST_LISTINGS: usize = 4;
/// The longest time for all of it.
const PATIENCE: Duration = Duration::from_secs(1800);
/// What Glance takes for something else than the name of a property.
const RESERVED: [&str; 30] = [
    "limit",
    "marker",
    "sort",
    "sort_key",
    "sort_dir",
    "name",
    "id",
    "status",
    "visibility",
    "member_status",
    "owner",
    "tag",
    "tags",
    "protected",
    "is_public",
    "deleted",
    "changes-since",
    "os_hidden",
    "container_format",
    "disk_format",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "created_at",
    "updated_at",
    "size",
    "virtual_size",
    "min_disk",
    "min_ram",
    "locations",
];

/// Nothing is known.
#[derive(Debug, thiserror::Error)]
pub(in crate::agent) enum ListError {
    #[error("the catalogue did not list its images")]
    Remote(#[from] RemoteError),
    #[error("the catalogue did not list its images within {} s", PATIENCE.as_secs())]
    Late,
    #[error("the catalogue lists no image at all: it is another catalogue, or its database is lost")]
    Empty,
}

/// Filters of one listing, as Glance takes them.
type Query = BTreeSet<(String, String)>;

/// What these rules find; `used` are the bases of images that this node has used. With `doubt`, a catalogue without any
/// image is not believed.
pub(in crate::agent) async fn list(
    catalogue: &Catalogue,
    rules: &[Followed],
    used: &BTreeSet<String>,
    force_raw: bool,
    doubt: bool,
) -> Result<Found, ListError> {
    let work = async {
        let mut finder = Finder::new(rules, used, force_raw);
        let mut seen = false;
        for query in queries(rules) {
            let query: Vec<(&str, &str)> = query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let take = |page: Vec<crate::wire::image::RemoteImage>| {
                seen |= !page.is_empty();
                page.iter().for_each(|it| finder.see(it));
                true
            };
            catalogue.pages_of_images(&query, take).await?;
        }
        if doubt && !seen && catalogue.images_up_to(&[("limit", "1")], 1).await?.is_empty() {
            return Err(ListError::Empty);
        }
        Ok(finder.end(Utc::now()))
    };
    timeout(PATIENCE, work).await.map_err(|_| ListError::Late)?
}

/// The listings that show every image of every rule: each rule's own, or all that there is. A filter leaves out what the
/// rule would leave out anyway; the rule looks at each image again.
fn queries(rules: &[Followed]) -> BTreeSet<Query> {
    let own: BTreeSet<Query> = rules.iter().map(filters).collect();
    if own.len() <= MOST_LISTINGS {
        return own;
    }
    // Community images are listed only when asked for.
    let community = rules.iter().any(|it| it.rule.images.visibility == Some(Visibility::Community));
    let active = || pair("status", "active");
    let all = [
        Some(BTreeSet::from([active()])),
        community.then(|| BTreeSet::from([active(), pair("visibility", "community")])),
    ];
    all.into_iter().flatten().collect()
}

fn filters(it: &Followed) -> Query {
    let images = &it.rule.images;
    let is_plain = |text: &&String| !text.contains(['*', '?', ':', ',', '"', '\\']);
    let is_property = |name: &str| {
        let may_stand = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
        let column = name.strip_suffix("_min").or(name.strip_suffix("_max")).unwrap_or(name);
        name.bytes().all(may_stand) && !RESERVED.contains(&column)
    };
    let mut query: BTreeMap<String, String> = BTreeMap::from([pair("status", "active")]);
    query.extend(images.visibility.map(|it| pair("visibility", it.as_str())));
    query.extend(images.owner.as_deref().map(|it| pair("owner", it)));
    query.extend(images.name.as_ref().filter(is_plain).map(|it| pair("name", it)));
    let properties = images.properties.iter().filter(|(name, _)| is_property(name));
    query.extend(properties.map(|(name, value)| pair(name, value)));
    let tags = images.tags.iter().map(|it| pair("tag", it));
    query.into_iter().chain(tags).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::desired::rules::follow;
    use crate::wire::fleet::{Labels, Rule};

    fn rules(all: &[&str]) -> Vec<Followed> {
        let rule = |(at, text): (usize, &&str)| -> Rule {
            serde_json::from_str(&format!("{{\"name\": \"r{at}\", \"match\": {text}}}")).unwrap()
        };
        let rules: Vec<Rule> = all.iter().enumerate().map(rule).collect();
        follow(&rules, &[], &Labels::default())
    }

    fn asked(all: &[&str]) -> Vec<String> {
        let text =
            |it: Query| it.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&");
        queries(&rules(all)).into_iter().map(text).collect()
    }

    #[test]
    fn servers_leave_out_what_they_can() {
        assert_eq!(
            asked(&[
                r#"{"tags": ["a", "b"], "visibility": "public", "owner": "p", "name": "x", "properties": {"os_distro": "d"}}"#
            ]),
            ["name=x&os_distro=d&owner=p&status=active&tag=a&tag=b&visibility=public"]
        );
        // What a server would read as something else, it does not get.
        assert_eq!(
            asked(&[r#"{"name": "in:x,y", "properties": {"size": "1", "min_ram_max": "2", "Os": "3", "limit": "4"}}"#]),
            ["status=active"]
        );
        assert_eq!(asked(&[r#"{"name": "deb*"}"#, r#"{"newest": 2}"#]), ["status=active"], "one listing serves both");
        let tag = |it: u32| format!("{{\"tags\": [\"t{it}\"]}}");
        let tags: Vec<String> = (0..5).map(tag).collect();
        let mut tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        assert_eq!(asked(&tags[..4]).len(), 4);
        assert_eq!(asked(&tags), ["status=active"]);
        tags.push(r#"{"visibility": "community"}"#);
        assert_eq!(asked(&tags), ["status=active", "status=active&visibility=community"]);
        assert!(asked(&[]).is_empty());
    }
}
