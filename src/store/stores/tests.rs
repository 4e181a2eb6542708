//! Which store a place is in.

use super::Stores;
use crate::image::Location;
use crate::store::{Backend, ImportFiltering, S3Settings, Settings};
use serde_json::{Value, json};

const ID: &str = "7c1d4a0e-3d4c-4b0e-9c58-000000000001";

fn s3(host: &str) -> S3Settings {
    S3Settings {
        host: host.to_owned(),
        access_key: "access".into(),
        secret_key: "secret".into(),
        bucket: "images".to_owned(),
        ..S3Settings::default()
    }
}

/// Two folders, two servers of S3, and a reader of web servers.
fn stores(dir: &std::path::Path) -> Stores {
    let backend = |id: &str, kind: &str, weight| {
        let host = format!("https://{id}.example.org");
        let settings = Settings {
            default_store: kind.to_owned(),
            filesystem_store_datadir: dir.join(id),
            s3: s3(&host),
            ..Settings::default()
        };
        Backend { id: id.to_owned(), description: String::new(), weight, settings }
    };
    let backends = vec![
        backend("hdd", "file", 0),
        backend("ssd", "file", 0),
        backend("east", "s3", 0),
        backend("west", "s3", 5),
        backend("web", "http", 0),
    ];
    Stores::open(
        &Settings { backends, default_backend: "ssd".to_owned(), ..Settings::default() },
        ImportFiltering::default(),
    )
    .unwrap()
}

fn place(url: &str, noted: Value) -> Location {
    Location { url: url.to_owned(), metadata: noted.as_object().unwrap().clone() }
}

#[test]
fn data_is_where_its_place_says_if_that_store_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let stores = stores(dir.path());
    let in_folder = |name: &str| format!("file://{}/{ID}", dir.path().join(name).display());
    let former = format!("s3://former.example.org/images/{ID}");
    let of_east = format!("s3+https://east.example.org/images/{ID}");
    for (url, noted, store) in [
        // By nothing but its URL, whose server is known or is not.
        (of_east.as_str(), json!({}), "east"),
        (&former, json!({}), "east"),
        (&in_folder("hdd"), json!({}), "hdd"),
        ("http://192.0.2.1/x", json!({}), "web"),
        // By what is noted, of today and of Glance's first releases with several stores.
        (&former, json!({"store": "west"}), "west"),
        (&former, json!({"backend": "west"}), "west"),
        (&former, json!({"store": "west", "backend": "east"}), "west"),
        (&of_east, json!({"store": "west"}), "west"),
        (&in_folder("ssd"), json!({"store": "ssd"}), "ssd"),
        // What is noted makes no sense: no such store, none for this scheme, and another folder.
        (&of_east, json!({"store": "north"}), "east"),
        (&former, json!({"store": "north", "backend": "west"}), "west"),
        (&former, json!({"store": "ssd"}), "east"),
        (&of_east, json!({"store": ["west"]}), "east"),
        (&in_folder("hdd"), json!({"store": "ssd"}), "hdd"),
        ("http://192.0.2.1/x", json!({"store": "east"}), "web"),
    ] {
        assert_eq!(stores.of(&place(url, noted.clone())).unwrap().name(), store, "{url} {noted}");
    }
    assert!(stores.of(&place("rbd://fsid/pool/image/snap", json!({"store": "east"}))).is_err());
}

#[test]
fn answers_tell_the_store_that_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let stores = stores(dir.path());
    let former = format!("s3://former.example.org/images/{ID}");
    let mut places = [
        place(&former, json!({})),
        place(&former, json!({"backend": "west"})),
        place(&former, json!({"store": "gone"})),
        place(&former, json!({"store": "west", "more": "x"})),
    ];
    stores.arrange(&mut places);
    // The heaviest first.
    let told: Vec<_> = places.iter().map(|it| Value::Object(it.metadata.clone())).collect();
    assert_eq!(
        told,
        [
            json!({"backend": "west", "store": "west"}),
            json!({"store": "west", "more": "x"}),
            json!({"store": "east"}),
            json!({"store": "east"}),
        ]
    );
    for it in &places {
        assert_eq!(Some(stores.of(it).unwrap().name()), it.store());
    }
    let west = stores.by_id("west").unwrap();
    let written = stores.written(&**west, former.clone());
    assert_eq!(written, place(&former, json!({"store": "west"})));
}

#[tokio::test]
async fn what_has_no_image_is_removed_wherever_its_url_may_be_of() {
    let dir = tempfile::tempdir().unwrap();
    let stores = stores(dir.path());
    let file = dir.path().join("hdd").join(ID);
    std::fs::write(&file, b"left").unwrap();
    let url = format!("file://{}", file.display());
    stores.discard(&url).await.unwrap();
    assert!(!file.exists());
    // It is gone already, and elsewhere.
    stores.discard(&url).await.unwrap();
    assert!(stores.discard("file:///elsewhere/x").await.is_err());
}
