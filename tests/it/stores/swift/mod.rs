//! The Swift store, on a real Swift, by Swift's own logins and under a real Keystone.

mod beside;
mod conforms;
mod full;
mod keystone;
mod look;
mod network;
mod site;
mod tokens;

use crate::support::rig::{self, SwiftSite};
use larder::store::{Settings, SwiftSettings};
use look::Look;

const KEY: &str = "testing";

/// A store in a container of its own, by Swift's own logins. `url` is the server's, or that of a proxy before it.
fn settings(url: &str, container: &str) -> Settings {
    let swift = SwiftSettings {
        auth_version: "1".to_owned(),
        auth_address: format!("{url}/auth/v1.0"),
        user: "test:tester".to_owned(),
        key: KEY.into(),
        container: container.to_owned(),
        create_container_on_put: true,
        large_object_size: 4,
        large_object_chunk_size: 4,
        ..SwiftSettings::default()
    };
    Settings { default_store: "swift".to_owned(), swift, ..Settings::default() }
}

/// The server, started by whoever is first.
async fn server() -> Option<&'static str> {
    tokio::task::spawn_blocking(rig::swift).await.unwrap()
}

/// A look past the store: what the account answers to a request, such as `GET container?format=json`.
async fn ask(server: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    Look::Own(server).ask(method, path, headers, body).await
}

/// The names of the objects in a container.
async fn objects(server: &str, container: &str) -> Vec<String> {
    Look::Own(server).objects(container).await
}

/// Nothing is left, as soon as what was dropped is cleared away.
async fn soon_empty(server: &str, container: &str) {
    Look::Own(server).soon_empty(container).await;
}

/// Under Keystone, started by whoever is first.
async fn site() -> Option<&'static SwiftSite> {
    tokio::task::spawn_blocking(rig::swift_under_keystone).await.unwrap()
}

/// A store in a container of the keeper's, found in Keystone's catalogue.
fn keepers(site: &SwiftSite, container: &str) -> Settings {
    let mut settings = settings("", container);
    settings.swift.auth_version = "3".to_owned();
    settings.swift.auth_address.clone_from(&site.auth_url);
    settings.swift.user = "pictures:keeper".to_owned();
    settings.swift.key = SwiftSite::KEY.into();
    settings.swift.region = "RegionOne".to_owned();
    settings
}
