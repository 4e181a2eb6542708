//! `config/*.conf` say what the code does: every option, commented out, at its default.

use crate::support::{larder, output, text};
use larder::config::{self, Sources};
use std::{fs, path::Path};

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)).unwrap()
}

/// The same file with every option set: `#key = value` becomes `key = value`.
fn uncommented(text: &str) -> String {
    let set = |line: &str| line.starts_with('#') && !line.starts_with("# ") && !line.ends_with("= <not set>");
    let lines = text.lines().map(|line| if set(line) { &line[1..] } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

fn sources(text: &str) -> (tempfile::TempDir, Sources) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.conf");
    fs::write(&file, text).unwrap();
    let sources = Sources { files: vec![file], ..Sources::default() };
    (dir, sources)
}

#[test]
fn the_shipped_files_are_what_the_programs_print() {
    for (program, file) in [("catalogue", "catalogue.conf"), ("agent", "agent.conf")] {
        let printed = output(&mut larder(&[program, "--print-config"]));
        if printed.status.code() == Some(1) {
            continue; // Built without this half.
        }
        let renew = format!("config/{file} is out of date: larder {program} --print-config > config/{file}");
        assert_eq!(text(&printed.stdout), shipped(file), "{renew}");
    }
}

#[cfg(feature = "catalogue")]
#[test]
fn catalogue_conf_set_in_full_changes_nothing() {
    let (_dir, sources) = sources(&uncommented(&shipped("catalogue.conf")));
    let loaded = config::catalogue(&sources).unwrap();
    assert_eq!(loaded.notes, []);
    let mut expected = larder::catalogue::Settings::default();
    expected.identity.policy.directories.insert(0, sources.files[0].parent().unwrap().to_owned());
    assert_eq!(loaded.settings.settings, expected);
}

#[cfg(feature = "agent")]
#[test]
fn agent_conf_set_in_full_changes_nothing() {
    let (_dir, sources) = sources(&uncommented(&shipped("agent.conf")));
    let loaded = config::agent(&sources, &[]).unwrap();
    assert_eq!(loaded.notes, []);
    let mut expected = larder::agent::Settings::default();
    // The host's.
    expected.fleet.node_name = loaded.settings.settings.fleet.node_name.clone();
    expected.base_dir.host = loaded.settings.settings.base_dir.host.clone();
    assert!(expected.fleet.node_name.is_some());
    assert_eq!(loaded.settings.settings, expected);
}

#[cfg(feature = "catalogue")]
#[test]
fn a_glance_api_conf_is_read_as_it_is() {
    let glance = "\
[DEFAULT]
bind_port = 9393
workers = 4
transport_url = rabbit://openstack:pw@controller
enabled_backends = fast:file, slow:rbd
image_size_cap = 5368709120
show_multiple_locations = True
log_file = /var/log/glance/glance-api.log
[database]
connection = sqlite:////var/lib/glance/glance.sqlite
max_retries = -1
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = /srv/fast
filesystem_store_file_perm = 0640
[slow]
rbd_store_pool = images
[keystone_authtoken]
www_authenticate_uri = http://controller:5000
auth_url = http://controller:5000
password = pa$$word
[paste_deploy]
flavor = keystone+cachemanagement
[oslo_policy]
enforce_new_defaults = true
[image_format]
disk_formats = raw,qcow2
";
    let (_dir, sources) = sources(glance);
    let loaded = config::catalogue(&sources).unwrap();
    let settings = &loaded.settings.settings;
    assert_eq!((settings.bind_port, settings.image_size_cap), (9393, 5 << 30));
    assert!(settings.show_multiple_locations);
    let fast = settings.store.backend("fast").unwrap();
    assert_eq!(fast.settings.filesystem_store_datadir, Path::new("/srv/fast"));
    assert_eq!(
        (settings.store.default_backend.as_str(), settings.store.backend("slow").unwrap().kind()),
        ("fast", "rbd")
    );
    assert_eq!(settings.database.connection, "sqlite:////var/lib/glance/glance.sqlite");
    assert_eq!(settings.disk_formats, ["raw", "qcow2"]);
    let keystone = &settings.identity.keystone;
    assert_eq!(settings.identity.flavour, larder::identity::Flavour::Keystone);
    assert_eq!(keystone.www_authenticate_uri.as_deref(), Some("http://controller:5000"));
    assert_eq!(keystone.connection.credentials.auth_url, "http://controller:5000");
    assert_eq!(keystone.connection.credentials.password.expose(), "pa$word");
    assert_eq!(settings.identity.policy.directories[0], sources.files[0].parent().unwrap());
    let warnings: Vec<String> = loaded.notes.iter().filter(|it| it.is_warning()).map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("[DEFAULT] log_file is not used by this version: the log goes"), "{warnings:?}");
    let others: Vec<String> = loaded.notes.iter().filter(|it| !it.is_warning()).map(ToString::to_string).collect();
    assert_eq!(others.len(), 1, "{others:?}");
    assert!(others[0].contains("[DEFAULT] workers") && !others[0].contains("filesystem_store"), "{others:?}");
}

#[cfg(feature = "catalogue")]
#[test]
fn what_other_tools_write_is_read() {
    let text = "[DEFAULT]\nuser_storage_quota = 10GB\nenabled_backends = a:file, b:file, c:http\n\
        [database]\ndb_max_retries = -1\n[glance_store]\ndefault_backend = a\n\
        [a]\nfilesystem_store_datadirs = /srv/a:200\nfilesystem_store_datadirs = /srv/b\nfilesystem_store_chunk_size = 4096\n[b]\nstore_description = cheap\nweight = 7\n[c]\nhttps_insecure = false\nweight = -1\n\
        [oslo_messaging_notifications]\ndriver = messagingv2\n[oslo_messaging_rabbit]\nheartbeat_in_pthread = false\n\
        [image_import_opts]\nimage_import_plugins = [no_op]\n";
    let (_dir, sources) = sources(text);
    let loaded = config::catalogue(&sources).unwrap();
    let settings = &loaded.settings.settings;
    assert_eq!(settings.user_storage_quota.bytes(), Some(10 << 30));
    assert_eq!(settings.database.db_max_retries, 120);
    let stores: Vec<_> = settings
        .store
        .backends
        .iter()
        .map(|it| (it.id.as_str(), it.kind(), it.weight, it.settings.filesystem_store_datadir.to_str().unwrap()))
        .collect();
    let expected = [
        ("a", "file", 0, "/var/lib/glance/a"),
        ("b", "file", 7, "/var/lib/glance/b"),
        ("c", "http", -1, "/var/lib/glance/c"),
    ];
    assert_eq!(stores, expected);
    assert_eq!(settings.store.backends[0].settings.filesystem_store_chunk_size, 4096);
    let folders = settings.store.backends[0].settings.datadirs();
    let folders: Vec<_> = folders.iter().map(|it| (it.path.to_str().unwrap(), it.priority)).collect();
    assert_eq!(folders, [("/srv/a", 200), ("/srv/b", 0)]);
    assert_eq!(settings.store.backends[1].description, "cheap");
    assert!(!settings.store.backends[2].settings.https_insecure);
    let notes: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
    let says = |words: &str| notes.iter().any(|it| it.contains(words));
    assert_eq!(settings.notifications.drivers, [larder::messaging::Driver::MessagingV2]);
    assert!(says("1 options of Glance are set that Larder does not use: [oslo_messaging_rabbit]"), "{notes:?}");
    assert!(!says("there is no option") && !says("plugins is not used"), "{notes:?}");
}

#[cfg(feature = "catalogue")]
#[test]
fn glances_file_of_imports_is_read_beside_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(
        at("glance-image-import.conf"),
        "[DEFAULT]\nimage_tag_quota = 1\n[inject_metadata_properties]\ninject = a:b\n",
    )
    .unwrap();
    for (name, tags, injected) in [("glance-api.conf", 2, 1), ("other.conf", 2, 0)] {
        fs::write(at(name), "[DEFAULT]\nimage_tag_quota = 2\n").unwrap();
        let sources = config::Sources::new(&[at(name)], &[], Path::new("/nonexistent/catalogue.conf"));
        let settings = config::catalogue(&sources).unwrap().settings.settings;
        assert_eq!((settings.image_tag_quota, settings.plugins.inject.properties.len()), (Some(tags), injected));
    }
}

#[cfg(feature = "catalogue")]
#[test]
fn plugins_are_known_by_name() {
    use larder::catalogue::service::Plugin;
    for (value, expected) in [
        ("[]", vec![]),
        ("[no_op]", vec![Plugin::NoOp]),
        (
            "['inject_image_metadata','image_decompression']",
            vec![Plugin::InjectImageMetadata, Plugin::ImageDecompression],
        ),
    ] {
        let (_dir, sources) = sources(&format!("[image_import_opts]\nimage_import_plugins = {value}\n"));
        assert_eq!(config::catalogue(&sources).unwrap().settings.settings.plugins.order, expected);
    }
    let (_dir, sources) = sources("[image_import_opts]\nimage_import_plugins = [image_decompression, virus_scan]\n");
    let error = config::catalogue(&sources).unwrap_err().to_string();
    assert!(error.contains("image_import_plugins") && error.contains("'virus_scan' is no import plugin"), "{error}");
    assert!(error.contains("it has no_op, inject_image_metadata, image_decompression, image_conversion"), "{error}");
}

#[cfg(feature = "catalogue")]
#[test]
fn brokers_are_read_when_they_are_used() {
    let read = |text: &str| {
        let (_dir, sources) = sources(text);
        config::catalogue(&sources).map(|it| it.settings.settings.notifications)
    };
    let general = "[DEFAULT]\ntransport_url = rabbit://a:p%40ss@one:1/x?rabbit_quorum_queue=yes\n";
    let on = "[oslo_messaging_notifications]\ndriver = messagingv2\nretry = 3\ntopics = a, b\n";
    let settings = read(&format!("{general}{on}")).unwrap();
    assert_eq!((settings.transport.hosts[0].name.as_str(), settings.transport.virtual_host.as_str()), ("one", "x"));
    assert_eq!(settings.transport.hosts[0].password.expose(), "p@ss");
    assert!(settings.rabbit.quorum);
    assert_eq!((settings.retry, settings.topics.as_slice()), (Some(3), &["a".to_owned(), "b".to_owned()][..]));
    let own = read(&format!("{general}{on}transport_url = kombu://b:q@two/\n")).unwrap();
    assert_eq!(own.transport.hosts[0].name, "two");
    // Where nothing is sent, the broker of other services is nobody's business.
    assert!(!read("[DEFAULT]\ntransport_url = kafka://b:q@two\n").unwrap().is_on());
    for (text, words) in [
        (format!("[DEFAULT]\ntransport_url = kafka://b:secret@two\n{on}"), "there is no messaging over kafka"),
        (format!("{on}transport_url = rabbit://b:secret@two:x\n"), "[oslo_messaging_notifications] transport_url"),
        (format!("{on}transport_url = rabbit://b:secret@two?ssl=perhaps\n"), "its option ssl"),
        ("[oslo_messaging_notifications]\ndriver = routing\n".to_owned(), "no notification driver 'routing'"),
        ("[oslo_messaging_rabbit]\nrabbit_login_method = NTLM\n".to_owned(), "rabbit_login_method"),
    ] {
        let error = read(&text).unwrap_err();
        let said = larder::base::chain(&error).to_string();
        assert!(said.contains(words) && !said.contains("secret"), "{said}");
    }
}

#[cfg(feature = "catalogue")]
#[test]
fn folders_without_a_path_or_with_a_wrong_priority_are_refused() {
    for (folders, words) in
        [("/a:2\nfilesystem_store_datadirs = /b:first", "'first' is no priority"), (":7", "no path")]
    {
        let (_dir, sources) = sources(&format!("[glance_store]\nfilesystem_store_datadirs = {folders}\n"));
        let error = config::catalogue(&sources).unwrap_err().to_string();
        assert!(error.contains("filesystem_store_datadirs") && error.contains(words), "{error}");
    }
}

#[cfg(feature = "catalogue")]
#[test]
fn a_store_that_is_not_there_is_refused_by_name() {
    for (text, words) in [
        ("enabled_backends = a:file,b:file", "default_backend"),
        ("enabled_backends = a:http", "the store is of type http; this version writes to stores of type file, rbd, s3"),
        ("enabled_backends = a:file,b:tape\n[glance_store]\ndefault_backend = a", "store b is of type tape"),
        ("enabled_backends = os_glance_a:file", "no id of a store begins with os_glance_"),
        ("enabled_backends = a:file\n[glance_store]\ndefault_backend = b", "no such store"),
    ] {
        let (_dir, sources) = sources(&format!("[DEFAULT]\n{text}\n"));
        let error = config::catalogue(&sources).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn the_readme_names_options_and_defaults_as_they_are() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let both = [shipped("catalogue.conf"), shipped("agent.conf")];
    let mut rows = 0;
    for line in readme.lines().filter(|line| line.starts_with("| `[")) {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let (section, key) = cells[1].split_once(' ').unwrap();
        let line = match cells[2] {
            "not set" => format!("#{key} = <not set>"),
            "empty" => format!("#{key} ="),
            default => format!("#{key} = {default}"),
        };
        let said = |text: &String| {
            let of_section = text.split(&format!("\n{section}\n")).nth(1).and_then(|rest| rest.split("\n[").next());
            of_section.is_some_and(|options| options.lines().any(|it| it == line))
        };
        assert!(both.iter().any(said), "{section} has no '{line}'");
        rows += 1;
    }
    assert!(rows > 20, "the table of options is gone");
}
