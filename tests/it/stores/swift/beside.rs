//! Beside a real Glance, on the same Swift under Keystone.

use super::{
    keystone::{accounts, ways_in},
    look::{KEEPER, Look, NORTHERN, Person},
};
use crate::{
    stores::{
        in_turns::{Both, in_turns},
        s3::site::block_on,
    },
    support::rig,
};
use larder::store::SwiftSettings;

/// The key, as it stands in locations.
const LOGIN: &str = "pictures%3Akeeper:se%2Bcr%40t%25@";

/// Three segments: of data of another length Glance announces a whole last segment, and the server waits for it in vain
/// (glance_store 5.7, `add`: `content_length = chunk_size`).
const LARGE: u64 = 3 * 4 * SwiftSettings::MB;

/// `options`: the ways in, and further ones.
fn on(container: &str, who: Person<'_>, several: bool, hidden: &str, options: &str) {
    let (Some(site), Some(library)) = (rig::swift_under_keystone(), rig::swiftclient()) else { return };
    let options = format!(
        "{options}swift_store_region = RegionOne\nswift_store_container = {container}\nswift_store_create_container_on_put = true\n\
         swift_store_large_object_size = 4\nswift_store_large_object_chunk_size = 4\n"
    );
    let look = Look::of(site, who);
    let objects = || {
        block_on(async {
            let mut found = Vec::new();
            for it in look.objects("").await {
                if it.strip_prefix(container).is_some_and(|it| it.is_empty() || it.starts_with('_')) {
                    found.extend(look.objects(&it).await);
                }
            }
            found
        })
    };
    in_turns(&Both { kind: "swift", options, several, library, large: LARGE, hidden, objects: &objects });
}

#[test]
fn with_keys_in_the_options() {
    let Some(site) = rig::swift_under_keystone() else { return };
    on("both", KEEPER, true, LOGIN, &ways_in(site));
}

#[test]
fn with_one_store_and_many_containers() {
    let Some(site) = rig::swift_under_keystone() else { return };
    on("both-many", KEEPER, false, LOGIN, &format!("{}swift_store_multiple_containers_seed = 1\n", ways_in(site)));
}

#[test]
fn with_a_file_of_accounts() {
    let Some(site) = rig::swift_under_keystone() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("glance-swift.conf");
    block_on(accounts(site, &file));
    let options = format!("swift_store_config_file = {}\ndefault_swift_reference = north\n", file.display());
    on("both-file", NORTHERN, true, "", &options);
    on("both-file-one", NORTHERN, false, "", &options);
}
