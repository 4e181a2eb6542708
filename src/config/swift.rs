//! The options of the Swift store.

use super::options::Options;
use crate::store::SwiftSettings;

pub(super) fn visit(options: &mut Options<'_>, it: &mut SwiftSettings) {
    ways_in(options, it);
    options.bind("swift_store_region", &mut it.region, "Region of the account. Empty: the first that Keystone names.");
    options.bind(
        "swift_store_endpoint",
        &mut it.endpoint,
        "URL of the account, such as https://swift.example.org/v1/AUTH_x, in place of the one that Keystone names.",
    );
    options.bind(
        "swift_store_endpoint_type",
        &mut it.endpoint_type,
        "Which of Keystone's URLs to use: publicURL, internalURL or adminURL.",
    );
    options.bind("swift_store_service_type", &mut it.service_type, "Type of the service in Keystone's catalogue.");
    options.bind(
        "swift_store_container",
        &mut it.container,
        "The container; an image's data is the object of its id in it.",
    );
    options.bind(
        "swift_store_create_container_on_put",
        &mut it.create_container_on_put,
        "Make the container when an image is written and there is none.",
    );
    options.bind(
        "swift_store_multiple_containers_seed",
        &mut it.multiple_containers_seed,
        "Digits of the image's id, 0 to 32, that are added to the container's name, so that there are many: glance_3a1.",
    );
    options.bind(
        "swift_store_large_object_size",
        &mut it.large_object_size,
        "MB from which on Glance writes in segments. It is shown by /v2/info/stores/detail; here all that is longer than 8 MiB \
         is written in segments.",
    );
    options.bind(
        "swift_store_large_object_chunk_size",
        &mut it.large_object_chunk_size,
        "Length of the segments in MB, 1 to 5000. An image has 9999 of them at the most.",
    );
    options.bind(
        "swift_store_retry_get_count",
        &mut it.retry_get_count,
        "How often in a row a read that breaks off is taken up; 6 times anyway.",
    );
    options.bind(
        "swift_store_expire_soon_interval",
        &mut it.expire_soon_interval,
        "Seconds before its end from which on a token is renewed; at least 10 s, and at most half of its life.",
    );
    options.bind(
        "swift_store_cacert",
        &mut it.cacert,
        "PEM file of the authorities that Keystone and Swift are trusted by. Not set: the system's.",
    );
    options.bind("swift_store_auth_insecure", &mut it.auth_insecure, "Trust every server, whoever has signed for it.");
    options.bind(
        "swift_store_multi_tenant",
        &mut it.multi_tenant,
        "Glance then keeps images in their owners' accounts; here this is refused.",
    );
}

fn ways_in(options: &mut Options<'_>, it: &mut SwiftSettings) {
    options.bind(
        "swift_store_config_file",
        &mut it.config_file,
        "Swift store: file of accounts, [ref1] with user, key, auth_address and more, so that no key stands in the database. \
         Locations are then swift+config://ref1/container/id.",
    );
    options.bind(
        "default_swift_reference",
        &mut it.default_reference,
        "The account of that file that data is written to.",
    );
    options.bind(
        "swift_store_auth_address",
        &mut it.auth_address,
        "Without such a file: Keystone, such as https://keystone.example.org:5000/v3.",
    );
    options.bind("swift_store_auth_version", &mut it.auth_version, "3 for Keystone, 1 for Swift's own tempauth.");
    options.bind("swift_store_user", &mut it.user, "project:user.");
    options.bind(
        "swift_store_key",
        &mut it.key,
        "The user's password. As with Glance it is part of the locations in the database, and of no answer, log or error.",
    );
    options.bind(
        "swift_store_application_credential_id",
        &mut it.application_credential_id,
        "An application credential in place of user and password.",
    );
    options.bind("swift_store_application_credential_secret", &mut it.application_credential_secret, "Its secret.");
}
