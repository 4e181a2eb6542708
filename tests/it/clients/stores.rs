//! `glance` and `openstack` at sites with several stores: stages, imports, copies and locations, at both servers.

use super::pair::{DIFFERS, DONE, Pair, Row};
use sha2::{Digest, Sha512};

const GLANCE: &[Row] = &[
    ("demo", "import-info", DONE, ""),
    ("demo", "stores-info", DONE, ""),
    ("admin", "stores-info --detail", DONE, ""),
    ("demo", "stores-info --detail", "403", ""),
    ("demo", "image-create --name one --disk-format raw --container-format bare", DONE, "one"),
    ("demo", "image-stage {one} --file data --size 4096", DONE, ""),
    ("demo", "image-stage {one} --file data", "409", ""),
    ("demo", "image-show {one}", DONE, ""),
    ("demo", "image-import {one} --import-method glance-direct --stores slow,nowhere", "nowhere", ""),
    ("demo", "image-import {one} --import-method glance-direct --stores slow --all-stores True", "Only one of", ""),
    ("demo", "image-import {one} --import-method web-download --uri {web}/a", "queued", ""),
    ("demo", "image-import {one} --import-method copy-image --stores slow", "active", ""),
    ("demo", "image-import {one} --import-method nothing", "not valid", ""),
    ("demo", "image-import {one} --import-method glance-direct --stores fast,slow --allow-failure False", DIFFERS, ""),
    ("demo", "settled: image-show {one}", DONE, ""),
    ("demo", "image-tasks {one}", DIFFERS, ""),
    ("demo", "image-import {one} --import-method glance-direct", "uploading", ""),
    ("demo", "image-import {one} --import-method copy-image --stores spare", "403", ""),
    ("admin", "image-import {one} --import-method copy-image --stores spare", DIFFERS, ""),
    ("admin", "settled: image-show {one}", DONE, ""),
    ("admin", "image-import {one} --import-method copy-image --stores spare", "400", ""),
    ("admin", "image-import {one} --import-method copy-image --all-stores True", DIFFERS, ""),
    ("admin", "settled: image-show {one}", DONE, ""),
    ("demo", "image-list --include-stores", DONE, ""),
    ("demo", "stores-delete {one} --store spare", "403", ""),
    ("admin", "stores-delete {one} --store nowhere", "409", ""),
    ("admin", "stores-delete {one} --store spare", DONE, ""),
    ("admin", "stores-delete {one} --store spare", "Image/store not found", ""),
    ("admin", "stores-delete {one} --store slow", DONE, ""),
    ("admin", "stores-delete {one} --store fast", "403", ""),
    ("admin", "stores-delete {own} --store fast", "Image/store not found", ""),
    ("demo", "image-show {one}", DONE, ""),
    ("demo", "image-download {one} --file one.raw --prefer spare,fast", DONE, ""),
    ("demo", "image-download {one} --file nothing.raw --prefer nowhere", "400", ""),
    ("demo", "image-create --name two --disk-format raw --container-format bare", DONE, "two"),
    ("demo", "image-import {two} --import-method web-download", "Provide URI", ""),
    ("demo", "image-import {two} --import-method web-download --uri ftp://h/x", "400", ""),
    ("demo", "image-import {two} --import-method web-download --uri {web}/a --store slow", DIFFERS, ""),
    ("demo", "settled: image-show {two}", DONE, ""),
    (
        "demo",
        "image-create --name three --disk-format raw --container-format bare --file data --store slow",
        DONE,
        "three",
    ),
    ("demo", "image-create --name four --disk-format raw --container-format bare", DONE, "four"),
    ("demo", "image-upload {four} --file data --store web", "410", ""),
    ("demo", "image-upload {four} --file data --store nowhere", "nowhere", ""),
    ("demo", "image-upload {four} --file data --store spare --size 4096", DONE, ""),
    ("demo", "image-show {four}", DONE, ""),
    (
        "demo",
        "image-create-via-import --name five --disk-format raw --container-format bare --file data --all-stores True \
         --allow-failure True",
        DIFFERS,
        "five",
    ),
    ("demo", "settled: image-show {five}", DONE, ""),
    (
        "demo",
        "image-create-via-import --name six --disk-format raw --container-format bare --import-method web-download \
         --uri {web}/c --stores slow,spare",
        DIFFERS,
        "six",
    ),
    ("demo", "settled: image-show {six}", DONE, ""),
    (
        "demo",
        "image-create-via-import --name seven --disk-format raw --container-format bare --import-method glance-download \
         --remote-region RegionOne --remote-image-id {own} --remote-service-interface public",
        "not valid",
        "",
    ),
    ("demo", "image-create --name eight --disk-format raw --container-format bare", DONE, "eight"),
    (
        "demo",
        "location-add {eight} --url {web}/a --metadata '{\"k\": \"v\"}' --hash-algo sha512 --hash-value {sum}",
        DIFFERS,
        "",
    ),
    ("demo", "image-show {eight}", DONE, ""),
    ("demo", "location-add {eight} --url {web}/c", DIFFERS, ""),
    ("demo", "location-add {eight} --url {web}/none", "400", ""),
    ("demo", "location-update {eight} --url {web}/c --metadata '{\"k\": \"w\"}'", DIFFERS, ""),
    ("demo", "location-update {eight} --url {web}/b", "Unknown URL", ""),
    ("demo", "image-show {eight}", DONE, ""),
    ("demo", "location-delete {eight} --url {web}/c", "403", ""),
    ("admin", "location-delete {eight} --url {web}/c", DONE, ""),
    ("admin", "location-delete {eight} --url {web}/a", "403", ""),
    ("demo", "image-show {eight}", DONE, ""),
    ("demo", "image-create --name nine --disk-format raw --container-format bare", DONE, "nine"),
    (
        "demo",
        "add-location {nine} --url {web}/a --validation-data '{\"os_hash_algo\": \"sha512\", \"os_hash_value\": \"{sum}\"}'",
        DIFFERS,
        "",
    ),
    // Larder knows the size that a guest sees.
    ("demo", "settled: image-show {nine}", DIFFERS, ""),
    ("demo", "add-location {nine} --url {web}/a", "409", ""),
    ("demo", "image-download {nine} --file nine.raw", DONE, ""),
    ("demo", "usage", DONE, ""),
    ("demo", "image-delete {one} {two} {three} {four} {five} {six} {eight} {nine}", DONE, ""),
];

const OPENSTACK: &[Row] = &[
    ("demo", "image import info -f json", DONE, ""),
    ("demo", "image stores list -f json", DONE, ""),
    ("admin", "image stores list --detail -f json", DONE, ""),
    ("demo", "image stores list --detail -f json", "403", ""),
    ("demo", "image create one -f json", DONE, "one"),
    ("demo", "image stage {one} --file data --size 4096", DONE, ""),
    ("demo", "image stage {one} --file data", "queued state", ""),
    // This client takes no notice of a refused import.
    ("demo", "image import {one} --method glance-direct --store slow nowhere -f json", DIFFERS, ""),
    ("demo", "image import {one} --method web-download --uri {web}/a -f json", "queued", ""),
    ("demo", "image import {one} --method glance-direct --store slow fast --disallow-failure -f json", DIFFERS, ""),
    ("demo", "settled: image show {one} -f json", DONE, ""),
    ("demo", "image import {one} --method copy-image --store spare -f json", DIFFERS, ""),
    ("demo", "image import {one} --method copy-image -f json", "store", ""),
    ("admin", "image import {one} --method copy-image --all-stores --allow-failure -f json", DIFFERS, ""),
    ("admin", "settled: image show {one} -f json", DONE, ""),
    ("demo", "image delete {one} --store spare", "403", ""),
    ("admin", "image delete {one} --store nowhere", "409", ""),
    ("admin", "image delete {one} --store spare", DONE, ""),
    ("admin", "image delete {one} --store slow", DONE, ""),
    ("admin", "image delete {one} --store fast", "403", ""),
    ("demo", "image show {one} -f json", DONE, ""),
    ("demo", "image save {one} --file one.raw", DONE, ""),
    ("demo", "image create two -f json", DONE, "two"),
    ("demo", "image import {two} --method web-download -f json", "uri", ""),
    ("demo", "image import {two} --method web-download --uri {web}/a --store spare --wait -f json", DIFFERS, ""),
    ("demo", "settled: image show {two} -f json", DONE, ""),
    ("demo", "image create three --import --file data -f json", DIFFERS, "three"),
    ("demo", "settled: image show {three} -f json", DONE, ""),
    (
        "demo",
        "image import {two} --method glance-download --remote-image {own} --remote-region RegionOne -f json",
        "not supported",
        "",
    ),
    ("demo", "image delete {one} {two} {three}", DONE, ""),
];

fn start(program: &'static str) -> Option<Pair> {
    let mut pair = Pair::with_stores(program)?;
    let page = crate::support::web::data("/a").unwrap();
    let sum: String = Sha512::digest(page).iter().map(|it| format!("{it:02x}")).collect();
    pair.name("sum", &sum);
    pair.name("own", &uuid::Uuid::new_v4().to_string());
    pair.leave("data", &[7; 4096]);
    Some(pair)
}

#[test]
fn glance_is_answered_as_at_a_glance() {
    let Some(mut pair) = start("glance") else { return };
    pair.run(&[GLANCE]);
    assert!(pair.left("one.raw").iter().all(|it| *it == [7; 4096]));
    assert!(pair.left("nine.raw").iter().all(|it| *it == [b'a'; 1000]));
}

#[test]
fn openstack_is_answered_as_at_a_glance() {
    let Some(mut pair) = start("openstack") else { return };
    pair.run(&[OPENSTACK]);
    assert!(pair.left("one.raw").iter().all(|it| *it == [7; 4096]));
}
