use super::{
    Place, PlaceError,
    programs::{agent_settings, catalogue_settings},
};
use std::{fs, net::TcpListener};

#[test]
fn a_place_remembers_its_port() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path(), Some(0)).unwrap();
    let port = place.port();
    assert_ne!(port, 0);
    place.announce(port).unwrap();
    drop(place);
    let again = Place::open(dir.path(), None).unwrap();
    assert_eq!(again.port(), port);
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    drop(again);
    let elsewhere = Place::open(dir.path(), None).unwrap();
    assert_ne!(elsewhere.port(), port);
    drop(elsewhere);
    let error = Place::open(dir.path(), Some(port)).unwrap_err();
    assert!(matches!(error, PlaceError::Port { .. }), "{error}");
    drop(taken);
}

#[test]
fn a_place_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Place::open(dir.path(), Some(0)).unwrap();
    assert!(matches!(Place::open(dir.path(), Some(0)), Err(PlaceError::Lock { .. })));
}

#[test]
fn a_deep_place_has_a_socket_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(120));
    let place = Place::open(&deep, Some(0)).unwrap();
    assert!(place.socket().as_os_str().len() < 108, "{}", place.socket().display());
    assert!(!place.socket().starts_with(dir.path()));
    fs::remove_dir_all(place.socket().parent().unwrap()).unwrap();
}

#[test]
fn everything_is_in_the_folder_and_on_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path(), Some(0)).unwrap();
    let catalogue = catalogue_settings(&place);
    assert_eq!(catalogue.bind_host, "127.0.0.1");
    let root = dir.path().canonicalize().unwrap();
    assert!(catalogue.store.filesystem_store_datadir.starts_with(&root));
    assert!(catalogue.database.connection.contains(root.to_str().unwrap()));
    let agent = agent_settings(&place, "http://127.0.0.1:1".parse().unwrap());
    assert!([&agent.state_path, &agent.base_dir.instances_path].iter().all(|path| path.starts_with(&root)));
}
