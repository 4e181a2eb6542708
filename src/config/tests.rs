use super::{
    file::{Assignment, parse},
    options::{Options, read},
    substitute::substitute,
    value::{Kind, Refused, Secret, Value},
    *,
};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

#[derive(Clone, Debug, Default, PartialEq)]
struct Toy {
    name: String,
    port: u16,
    on: bool,
    wait: Duration,
    words: Vec<String>,
    pairs: BTreeMap<String, String>,
    many: Vec<String>,
    password: String,
    new: u32,
}

/// An option that is repeated, one value each time (oslo's `MultiStrOpt`).
struct Repeated<'a>(&'a mut Vec<String>);

impl Value for Repeated<'_> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self.0 = values.to_vec();
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        self.0.clone()
    }

    fn takes(&self) -> String {
        "text; may be repeated".to_owned()
    }
}

fn visit(options: &mut Options<'_>, toy: &mut Toy) {
    options.section("DEFAULT");
    options.bind("name", &mut toy.name, "");
    options.bind("port", &mut toy.port, "");
    options.bind("on", &mut toy.on, "");
    options.bind("wait", &mut toy.wait, "");
    options.section("toys");
    options.bind("words", &mut toy.words, "");
    options.bind("pairs", &mut toy.pairs, "");
    options.bind("many", &mut Repeated(&mut toy.many), "");
    options.bind_as(
        "password",
        &mut toy.password,
        Kind {
            takes: "a word",
            read: |it| if it.contains(' ') { Err(Refused::default()) } else { Ok(it.to_owned()) },
            write: |_| None,
        },
        "",
    );
    options.bind_renamed("new", &["old", "DEFAULT/older"], &mut toy.new, "");
}

fn load(texts: &[&str]) -> Result<(Toy, Vec<Note>), String> {
    let dir = tempfile::tempdir().unwrap();
    for (index, text) in texts.iter().enumerate() {
        fs::write(dir.path().join(format!("{index}.conf")), text).unwrap();
    }
    let found =
        Sources { dirs: vec![dir.path().to_owned()], ..Sources::default() }.gather().map_err(|it| it.to_string())?;
    let mut toy = Toy { port: 9292, ..Toy::default() };
    let (described, mut notes) = read(visit, &mut toy, &found).map_err(|it| it.to_string())?;
    notes.extend(notes::unknown(&found, &described, false));
    Ok((toy, notes))
}

#[test]
fn values_of_every_kind_are_read() {
    let text = "[DEFAULT]\nname = 'a b'\nport=80\non: YES\nwait = 1.5\n[TOYS]\nwords = a, b ,c,\npairs = x:1, y : 2\n\
                many = one\nmany = two\nnew = 7\n";
    let (toy, notes) = load(&[text]).unwrap();
    assert_eq!(toy.name, "a b");
    assert_eq!((toy.port, toy.on, toy.wait, toy.new), (80, true, Duration::from_millis(1500), 7));
    assert_eq!(toy.words, ["a", "b", "c"]);
    assert_eq!(toy.many, ["one", "two"]);
    assert_eq!(toy.pairs.get("x").map(String::as_str), Some("1"));
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn a_later_file_wins_and_repeated_keys_add_up() {
    let (toy, _) =
        load(&["[DEFAULT]\nport=1\nname=x\n[toys]\nmany=a", "[DEFAULT]\nport=2\n[toys]\nmany=b\nmany=c"]).unwrap();
    assert_eq!((toy.port, toy.name.as_str()), (2, "x"));
    assert_eq!(toy.many, ["a", "b", "c"]);
}

#[test]
fn values_name_other_options() {
    let (toy, _) = load(&["[DEFAULT]\nname = p$port-${toys.new}-$$x\n[toys]\nnew=3\nwords = $name,$new\n"]).unwrap();
    assert_eq!(toy.name, "p9292-3-$x");
    assert_eq!(toy.words, ["p9292-3-$x", "3"]);
    let error = load(&["[DEFAULT]\nname = $nothing\n"]).unwrap_err();
    assert!(error.contains("$nothing names no option"), "{error}");
    let error = load(&["[DEFAULT]\nname = $name\n"]).unwrap_err();
    assert!(error.contains("in a circle"), "{error}");
}

#[test]
fn the_environment_wins() {
    let environment = [("OS_DEFAULT__PORT", "81"), ("OS_TOYS__WORDS", "a,$port"), ("OS_USERNAME", "no")];
    let sources = Sources::default().with_environment(environment.map(|(name, value)| (name.into(), value.into())));
    let mut toy = Toy::default();
    read(visit, &mut toy, &sources.gather().unwrap()).unwrap();
    assert_eq!((toy.port, toy.words), (81, vec!["a".to_owned(), "81".to_owned()]));
}

#[test]
fn wrong_values_are_reported_together() {
    let error =
        load(&["[DEFAULT]\nport = 70000\non = maybe\n[toys]\npairs = x\nnew = -1\npassword = s e c\n"]).unwrap_err();
    assert!(error.starts_with("5 values are wrong:"), "{error}");
    assert!(error.contains("0.conf: [DEFAULT] port = '70000': it takes a whole number from 0 to 65535"), "{error}");
    assert!(error.contains("[DEFAULT] on = 'maybe': it takes true or false"), "{error}");
    assert!(error.contains("[toys] pairs = 'x': it takes key:value pairs"), "{error}");
}

#[test]
fn unknown_and_renamed_options_are_noted() {
    let (toy, notes) = load(&["[DEFAULT]\nprot = 1\n[toys]\nold = 4\n[elsewhere]\nname = x\nzzz = y\n"]).unwrap();
    assert_eq!(toy.new, 4);
    let lines: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert!(lines[0].contains("[toys] old is called [toys] new now"), "{lines:?}");
    assert!(lines[1].contains("no option [DEFAULT] prot; is [DEFAULT] port meant?"), "{lines:?}");
    assert!(lines[2].contains("is [DEFAULT] name meant?"), "{lines:?}");
    assert!(lines[3].ends_with("no option [elsewhere] zzz; it is passed over"), "{lines:?}");
}

#[test]
fn lines_that_are_none_of_ini_are_refused() {
    for (text, line, what) in [
        ("[DEFAULT]\nfoo\n", 2, "neither a section"),
        ("[DEFAULT]\n  foo = 1\n", 2, "continues a value"),
        ("[DEFAULT]\nx = 1\n\n  y\n", 4, "continues a value"),
        ("[DEFAULT\n", 1, "must end with ]"),
        ("[]\n", 1, "needs a name"),
        ("[DEFAULT]\n= x\n", 2, "no key"),
        ("x = 1\n", 1, "must stand in a section"),
    ] {
        let error = parse(text, Path::new("x.conf")).unwrap_err().to_string();
        assert!(error.starts_with(&format!("x.conf: line {line}: ")) && error.contains(what), "{text:?}: {error}");
    }
}

#[test]
fn odd_lines_read_as_oslo_reads_them() {
    let text = "[a]\nm =\n  one\n  # two\n  three\nt = ends\\\nu = \"a\n  b\"\nv = \"\nw = 'a' 'b'\n# c\nx = a;b#c\ny = \nz:1=2\n[b]\r\nq = 1\r\n[a]\nlast = 'x\n";
    let all: Vec<(String, String)> =
        parse(text, Path::new("x")).unwrap().into_iter().map(|Assignment { key, value, .. }| (key, value)).collect();
    let want = [
        ("m", "one\n# two\nthree"),
        ("t", "ends\\"),
        ("u", "\"a\nb\""),
        ("v", ""),
        ("w", "a' 'b"),
        ("x", "a;b#c"),
        ("y", ""),
        ("z", "1=2"),
        ("last", "'x"),
        ("q", "1"),
    ];
    for (key, value) in want {
        assert_eq!(all.iter().find(|it| it.0 == key).map(|it| it.1.as_str()), Some(value), "{key}");
    }
}

#[test]
fn substitution_follows_pythons_templates() {
    let lookup = |section: &str, key: &str| match (section, key) {
        ("g", "k") => Some("kay $b".to_owned()),
        ("g", "b") => Some("group-b".to_owned()),
        ("DEFAULT", "b") => Some("bee".to_owned()),
        _ => None,
    };
    let say = |text: &str| substitute(text, "DEFAULT", &lookup).unwrap();
    assert_eq!(say("${b}y $ {x} ${g.k} $g.k \\$b $$b $1 ${b"), "beey $ {x} kay group-b kay group-b $b $b $1 ${b");
    assert!(substitute("$b.x", "DEFAULT", &lookup).is_err());
}

#[test]
fn a_secret_is_not_shown() {
    let mut words = String::new();
    assert!(Secret(&mut words).is_secret());
}

#[test]
fn absent_files_are_errors_when_they_were_named() {
    let sources = Sources::new(&["/nonexistent/x.conf".into()], &[], Path::new("/nonexistent/default.conf"));
    assert!(matches!(sources.gather(), Err(ConfigError::Missing { .. })));
    let sources = Sources::new(&[], &[], Path::new("/nonexistent/default.conf"));
    assert!(sources.gather().unwrap().files.is_empty());
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "[\\[\\]=:#;\"'$ \t\r\n\\\\a-c{}.]{0,80}") {
        let _ = parse(&text, Path::new("x"));
        let _ = substitute(&text, "a", &|_, key| Some(key.to_owned()));
    }
}

#[cfg(feature = "catalogue")]
#[test]
fn logins_stand_in_sections_of_their_own() {
    let load = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("glance-api.conf"), text).unwrap();
        let sources = Sources { files: vec![dir.path().join("glance-api.conf")], ..Sources::default() };
        catalogue(&sources).map_err(|it| crate::base::chain(&it).to_string())
    };
    let loaded = load(
        "[DEFAULT]\nuse_keystone_limits = true\n[keystone_authtoken]\nauth_section = own\nusername = passed over\ncafile = /ca.pem\n\
         service_token_roles = service,helper\nmemcached_servers = a:1\nservice_token_roles_required = false\n\
         delay_auth_decision = true\ninclude_service_catalog = false\n\
         [own]\nauth_type = v3token\nauth_url = http://k:5000\ntoken = T\nproject_id = p\n\
         [oslo_limit]\nauth_section = keystone_authtoken\nsystem_scope = all\nendpoint_id = e\nvalid_interfaces = internal,public\n\
         endpoint_override = http://k:1/v3\ntimeout = 7\nregion_name = R\n",
    )
    .unwrap();
    let keystone = &loaded.settings.settings.identity.keystone;
    let own = &keystone.connection.credentials;
    assert_eq!((own.auth_url.as_str(), own.token.expose(), own.username.as_deref()), ("http://k:5000", "T", None));
    assert_eq!(keystone.connection.cafile.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!((keystone.service_token_roles.len(), keystone.service_token_roles_required), (2, false));
    let limits = loaded.settings.settings.limits.as_ref().unwrap();
    // Only what the named section says itself, without what it takes from elsewhere.
    assert_eq!(
        (limits.connection.credentials.username.as_deref(), limits.connection.credentials.system_scope.as_deref()),
        (Some("passed over"), None)
    );
    assert_eq!(limits.connection.interfaces, ["internal", "public"]);
    assert_eq!((limits.connection.http_connect_timeout.as_secs(), limits.endpoint_id.as_deref()), (7, Some("e")));
    assert_eq!(limits.connection.endpoint_override.as_deref(), Some("http://k:1/v3"));
    let notes: Vec<_> = loaded.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["3 options of Glance are set that Larder does not use: [keystone_authtoken] memcached_servers, \
          [keystone_authtoken] delay_auth_decision, [keystone_authtoken] include_service_catalog"]
    );

    let refused = load("[keystone_authtoken]\nauth_type = v3oidcpassword\n").unwrap_err();
    assert!(refused.contains("auth_type") && refused.contains("v3applicationcredential"), "{refused}");
}

#[cfg(feature = "agent")]
mod rules {
    use super::*;
    use crate::image::Visibility;

    fn agent(text: &str) -> Result<(Vec<crate::wire::fleet::Rule>, Vec<String>), String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent.conf");
        fs::write(&file, text).unwrap();
        let loaded = super::super::agent(&Sources { files: vec![file], ..Sources::default() }, &[]);
        let loaded = loaded.map_err(|it| it.to_string())?;
        let notes = loaded.notes.iter().map(ToString::to_string).collect();
        Ok((loaded.settings.settings.prefetch_rules, notes))
    }

    #[test]
    fn sections_are_rules() {
        let text = "[rule:golden]\ntags = a, b\nproperties = os_distro:debian\nname = deb*\nvisibility = public\nowner = p\n\
                    newest = 2\nmost_used = 3\nnodes = site:x,rack=1\nwindow_opens = 0 1 * * *\nwindow_lasts = 600\n\
                    budget = 10GiB\npriority = -5\npin = true\n[DEFAULT]\nstate_path = /s\n[RULE:Other.1]\nname = $state_path\n";
        let (rules, notes) = agent(text).unwrap();
        assert_eq!(notes, Vec::<String>::new());
        let expected = serde_json::json!({
            "name": "golden", "nodes": "rack=1,site=x", "window": {"opens": "0 1 * * *", "lasts": 600},
            "budget": 10_u64 << 30, "priority": -5, "pin": true,
            "match": {"tags": ["a", "b"], "properties": {"os_distro": "debian"}, "name": "deb*", "visibility": "public",
                      "owner": "p", "newest": 2, "most_used": 3}
        });
        assert_eq!(serde_json::to_value(&rules[0]).unwrap(), expected);
        assert_eq!(rules[0].images.visibility, Some(Visibility::Public));
        let other = &rules[1];
        assert_eq!((other.name.as_ref().unwrap().as_str(), other.images.name.as_deref()), ("Other.1", Some("/s")));
    }

    #[test]
    fn wrong_values_name_file_section_and_key() {
        let text = "[rule:a]\nnewest = many\nbudget = lots\npriority = 101\nwindow_opens = never\nwindow_lasts = 5\n\
                    nodes = x\nvisibility = open\n[rule:b c]\nname = x\n[rule:d]\npin = true\n[rule:e]\nname = x\ntgas = y\n\
                    [DEFAULT]\nprune_interval = soon\n";
        let error = agent(text).unwrap_err();
        for words in [
            "10 values are wrong:",
            "agent.conf: [DEFAULT] prune_interval = 'soon'",
            "agent.conf: [rule:a] newest = 'many': it takes a whole number from 1 to 10000",
            "[rule:a] budget = 'lots': it takes bytes",
            "[rule:a] priority = '101': it takes a whole number from -100 to 100",
            "[rule:a] window_opens = 'never'",
            "[rule:a] window_lasts = '5': it takes seconds, from 60",
            "[rule:a] nodes = 'x': 'x' is not a label",
            "[rule:a] visibility = 'open': it takes public, private, shared or community",
            "[rule:b c] name = 'x': 'b c' is not a rule's name",
            "[rule:d] pin = 'true': a rule needs at least one condition",
        ] {
            assert!(error.contains(words), "{words}\n{error}");
        }
        let (rules, notes) = agent("[rule:e]\nname = x\ntgas = y\n").unwrap();
        assert_eq!(rules.len(), 1);
        assert!(notes[0].contains("no option [rule:e] tgas; is [rule:e] tags meant?"), "{notes:?}");
    }
}

#[cfg(feature = "catalogue")]
#[test]
fn staging_and_import_methods_are_glances() {
    use crate::image::ImportMethod::{GlanceDirect, GlanceDownload, WebDownload};
    let load = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x.conf"), text).unwrap();
        let sources = Sources { files: vec![dir.path().join("x.conf")], ..Sources::default() };
        let loaded = catalogue(&sources).map_err(|it| it.to_string())?;
        let settings = loaded.settings.settings;
        Ok::<_, String>((settings.import_methods, settings.staging_folder, loaded.notes.len()))
    };
    let (methods, folder, _) = load("").unwrap();
    assert_eq!((methods.len(), folder.as_path()), (3, Path::new("/tmp/staging/")));
    let set =
        "[DEFAULT]\nnode_staging_uri = file:///var/stage\nenabled_import_methods = ['web-download', glance-direct]\n";
    let expected = (vec![WebDownload, GlanceDirect], Path::new("/var/stage").to_owned(), 0);
    assert_eq!(load(set).unwrap(), expected);
    let stores = "enabled_backends = a:file\n[os_glance_staging_store]\nfilesystem_store_datadir = /s\n";
    assert_eq!(load(&format!("{set}{stores}")).unwrap().1, Path::new("/s"));
    let default = load(&format!("{set}enabled_backends = a:file\n")).unwrap().1;
    assert_eq!(default, Path::new("/var/lib/glance/os_glance_staging_store"));
    let (methods, _, notes) = load("[DEFAULT]\nenabled_import_methods = [glance-download,web-download]\n").unwrap();
    assert_eq!((methods, notes), (vec![GlanceDownload, WebDownload], 0));
    assert_eq!(load("[DEFAULT]\nenabled_import_methods = []\n").unwrap().0, []);
    for wrong in ["enabled_import_methods = [fly]", "node_staging_uri = http://x/", "node_staging_uri = /s"] {
        assert!(load(&format!("[DEFAULT]\n{wrong}\n")).is_err(), "{wrong}");
    }
}
