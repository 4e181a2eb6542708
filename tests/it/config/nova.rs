//! What the agent reads of nova.conf.

use larder::{
    agent::ImagesType,
    config::{self, Sources},
    image::signature::{CertificateId, Signatures},
    remote::Auth,
};
use std::{fs, path::Path};

fn load(nova: &[&str], own: &str) -> Result<config::Loaded<config::Agent>, String> {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..nova.len()).map(|at| dir.path().join(format!("nova-{at}.conf"))).collect();
    for (file, text) in files.iter().zip(nova) {
        fs::write(file, text).unwrap();
    }
    let agent = dir.path().join("agent.conf");
    fs::write(&agent, own).unwrap();
    let sources = Sources { files: vec![agent], ..Sources::default() };
    config::agent(&sources, &files).map_err(|error| larder::base::chain(&error).to_string())
}

#[test]
fn what_both_must_agree_on_comes_from_nova_conf() {
    let nova = "\
[DEFAULT]
state_path = /srv/nova
my_ip = 10.0.0.7
force_raw_images = False
some_option_of_nova = whatever
[image_cache]
manager_interval = -1
subdirectory_name = _base_$my_ip
remove_unused_original_minimum_age_seconds = 7200
[libvirt]
images_type = qcow2
cpu_mode = host-passthrough
[compute]
vmdk_allowed_types =
[glance]
api_servers = http://a:9292, http://b:9292
[keystone_authtoken]
auth_type = password
auth_url = http://controller:5000/v3
username = nova
password = secret
project_name = service
project_domain_name = Default
user_domain_name = Default
";
    let loaded = load(&[nova], "").unwrap();
    let settings = &loaded.settings.settings;
    assert_eq!(loaded.notes, [], "nova's other options are no business of ours");
    assert_eq!(settings.base_dir.instances_path, Path::new("/srv/nova/instances"));
    assert_eq!(settings.base_dir.subdirectory_name, "_base_10.0.0.7");
    assert!(!settings.force_raw_images);
    assert_eq!(settings.images_type, ImagesType::Qcow2);
    assert_eq!(settings.prune.remove_unused_original_minimum_age_seconds, 7200);
    assert!(settings.rules.vmdk_allowed_types.is_empty());
    // Switching nova's own cache manager off is how the agent takes over: it must not switch the agent's off.
    assert_eq!(settings.prune_interval, larder::agent::Settings::default().prune_interval);
    assert_eq!(settings.catalogue.endpoint.as_ref().map(url::Url::as_str), Some("http://a:9292/"));
    let Auth::Password(login) = &settings.catalogue.auth else { panic!("{:?}", settings.catalogue.auth) };
    assert_eq!((login.username.as_deref(), login.password.expose()), (Some("nova"), "secret"));
}

#[test]
fn whether_nova_removes_bases_is_known() {
    let after = |nova: &str, own: &str| load(&[nova], own).unwrap().settings.settings.nova_removes_after;
    assert_eq!(after("", ""), Some(86_400), "Nova's default");
    let age = "[image_cache]\nremove_unused_original_minimum_age_seconds = 600\n";
    assert_eq!(after(age, ""), Some(600));
    let ours = "[image_cache]\nremove_unused_base_images = True\n";
    assert_eq!(after("[image_cache]\nremove_unused_base_images = False\n", ours), None);
    assert_eq!(after("[image_cache]\nmanager_interval = -1\n", ""), None);
}

#[test]
fn the_agents_own_file_wins() {
    let nova = "[DEFAULT]\ninstances_path = /a\n[libvirt]\nimages_type = rbd\n[keystone_authtoken]\nauth_url = http://k\nusername = nova\npassword = x\n";
    let own = "[DEFAULT]\ninstances_path = /b\n[libvirt]\nimages_type = raw\n[glance]\nendpoint_override = http://c:1\nauth_type = none\n";
    let settings = load(&[nova], own).unwrap().settings.settings;
    assert_eq!(settings.base_dir.instances_path, Path::new("/b"));
    assert_eq!(settings.images_type, ImagesType::Raw);
    assert_eq!(settings.catalogue.auth, Auth::None);
}

#[test]
fn signatures_are_asked_for_as_nova_does() {
    let (one, two) = ("3f0e8d1c-7f3b-4a55-9d36-0a3b5b0a2f11", "3f0e8d1c-7f3b-4a55-9d36-0a3b5b0a2f12");
    let nova = format!(
        "[glance]\nenable_certificate_validation = True\ndefault_trusted_certificate_ids = {one}, {two}\nregion_name = north\n\
         cafile = /ca\n[keystone_authtoken]\nauth_url = http://k\nusername = nova\npassword = x\n\
         [key_manager]\nbackend = vault\n[barbican]\nbarbican_endpoint_type = internal\nverify_ssl_path = /other\n"
    );
    let loaded =
        load(&[&nova], "[key_manager]\nbackend = barbican\n[DEFAULT]\ncertificate_directory = /certificates\n");
    let agent = loaded.unwrap().settings;
    assert!(agent.nova.verifies_signatures);
    let it = agent.settings.signatures;
    assert_eq!(it.policy(), Signatures::Required);
    assert_eq!(it.trusted().unwrap().iter().map(CertificateId::as_str).collect::<Vec<_>>(), [one, two]);
    assert_eq!(
        (it.certificates.folder.as_deref(), it.certificates.backend.as_str()),
        (Some(Path::new("/certificates")), "barbican")
    );
    let barbican = it.certificates.barbican;
    assert_eq!((barbican.service_type.as_str(), barbican.interface.as_str()), ("key-manager", "internal"));
    assert_eq!((barbican.region.as_deref(), barbican.cafile.as_deref()), (Some("north"), Some(Path::new("/other"))));
    assert_eq!((barbican.auth, barbican.endpoint), (agent.settings.catalogue.auth, None), "the agent's own login");

    let off = load(&[&nova], "[DEFAULT]\nverify_signatures = off\n").unwrap().settings;
    assert!(off.settings.signatures.policy() == Signatures::Off && off.nova.verifies_signatures);
    let wrong = load(&["[glance]\ndefault_trusted_certificate_ids = root\n"], "").unwrap_err();
    assert!(wrong.contains("'root' is not the id of a certificate, which is a UUID"), "{wrong}");
}

#[test]
fn an_application_credential_is_taken() {
    let own = "[glance]\nauth_type = v3applicationcredential\nauth_url = http://k/v3\napplication_credential_id = abc\n\
               application_credential_secret = s$$1\nregion_name = north\nvalid_interfaces = internal,public\n";
    let settings = load(&[], own).unwrap().settings.settings;
    let Auth::ApplicationCredential(it) = &settings.catalogue.auth else { panic!("{:?}", settings.catalogue.auth) };
    assert_eq!((it.id.as_deref(), it.secret.expose()), (Some("abc"), "s$1"));
    assert_eq!(
        (settings.catalogue.region.as_deref(), settings.catalogue.interface.as_str()),
        (Some("north"), "internal")
    );
}

#[test]
fn a_login_that_lacks_something_names_it() {
    let error = load(&[], "[glance]\nauth_type = password\nauth_url = http://k\nusername = me\n").unwrap_err();
    assert_eq!(error, "section [glance] is no login: a login of auth_type password needs password");
    let error = load(&[], "[keystone_authtoken]\nauth_type = v3kerberos\n").unwrap_err();
    assert!(error.contains("auth_type 'v3kerberos' is not supported"), "{error}");
}

#[test]
fn older_names_are_understood() {
    let nova = "[DEFAULT]\nremove_unused_base_images = false\nimage_cache_subdirectory_name = cache\n";
    let settings = load(&[nova], "").unwrap().settings.settings;
    assert!(!settings.prune.remove_unused_base_images);
    assert_eq!(settings.base_dir.subdirectory_name, "cache");
}

#[test]
fn a_later_nova_file_wins_and_an_absent_one_is_fine() {
    let settings =
        load(&["[DEFAULT]\ninstances_path=/a\n", "[DEFAULT]\ninstances_path=/b\n"], "").unwrap().settings.settings;
    assert_eq!(settings.base_dir.instances_path, Path::new("/b"));
    let absent = [Path::new("/nonexistent/nova.conf").to_owned()];
    assert!(config::agent(&Sources::default(), &absent).is_ok());
}
