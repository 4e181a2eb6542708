//! Signatures, made by Python's cryptography and verified by OpenStack's cursive: what is not signed as the site asks for
//! never becomes a base.

use super::site::{Running, Site, state};
use crate::support::{
    daemon, free_port, rig, run,
    signed::{HASHES, Signed, signer},
    text, wait_until,
};
use larder::{
    admin::{ImageState, Status},
    agent::signatures::{Settings, Verify},
    image::ImageId,
    remote::certificates,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// What agents refuse is taken by the catalogue.
const UNVERIFIED: &str = "verify_signatures = off";
const ROOT: u128 = 100;
const MIDDLE: u128 = 101;

fn id(number: u128) -> String {
    ImageId::from_random(number).to_string()
}

/// A site whose certificates are in a folder.
struct World {
    site: Site,
    signed: &'static Signed,
    folder: PathBuf,
}

impl World {
    fn new() -> Option<Self> {
        let signed = Signed::get()?;
        let mut site = Site::with(UNVERIFIED);
        let folder = site.tmp.path().join("certificates");
        fs::create_dir(&folder).unwrap();
        let certificates = certificates::Settings { folder: Some(folder.clone()), ..certificates::Settings::default() };
        site.settings.signatures = Settings { certificates, ..Settings::default() };
        Some(Self { site, signed, folder })
    }

    fn put(&self, name: &str, number: u128) -> String {
        fs::copy(self.signed.certificate(name), self.folder.join(format!("{}.pem", id(number)))).unwrap();
        id(number)
    }

    fn push(&self, file: &Path, properties: &[String]) -> ImageId {
        let mut command = self.site.catalogue.larder(&["image", "push", "--name", "signed", "--disk-format", "raw"]);
        run(command.arg(file).args(properties)).trim().parse().unwrap()
    }

    /// An image that this key has signed.
    fn image(&self, by: &str, hash: &str, certificate: &str) -> ImageId {
        self.push(&self.signed.file, &self.signed.properties(by, hash, certificate))
    }
}

/// Waits until the fetch has failed with these words; when it is tried again.
async fn refused(agent: &Running, image: &ImageId, words: &str) -> chrono::TimeDelta {
    let is = |it: &Status| matches!(state(it, image), Some(ImageState::Failed { why, .. }) if why.contains(words));
    let status = agent.wait(words, is).await;
    match state(&status, image) {
        Some(ImageState::Failed { retry_at: Some(at), .. }) => *at - chrono::Utc::now(),
        other => panic!("{other:?}"),
    }
}

const LASTING: chrono::TimeDelta = chrono::TimeDelta::hours(1);

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_is_verified() {
    let Some(mut world) = World::new() else { return };
    world.site.settings.signatures.verify_glance_signatures = true;
    let kinds: Vec<String> = world.signed.made.keys().filter(|it| *it != "leaf").cloned().collect();
    assert!(kinds.len() >= 4, "{kinds:?}");
    let mut images = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        let certificate = world.put(kind, number as u128);
        images.push(world.image(kind, HASHES[number % 4], &certificate));
    }
    let unsigned = world.push(&world.signed.file, &[]);
    let agent = world.site.start().await;
    for image in images.iter().chain([&unsigned]) {
        agent.client.queue(image).await.unwrap();
    }
    for image in &images {
        agent.wait_cached(image).await;
        assert!(fs::read(world.site.base(image)).unwrap() == fs::read(&world.signed.file).unwrap());
    }
    assert!(refused(&agent, &unsigned, "it is not signed: it has no property img_signature").await > LASTING);
    assert_eq!(world.site.names().len(), images.len());
    // It was verified, so asking for it again raises no doubt; a base that was there before does.
    agent.client.queue(&images[0]).await.unwrap();
    agent.wait_cached(&images[0]).await;
    let warnings = agent.client.status().await.unwrap().warnings;
    assert!(!warnings.iter().any(|it| it.contains("signature")), "{warnings:?}");
    let before = world.image("DSA", "SHA-256", &id(0));
    fs::copy(&world.signed.file, world.site.base(&before)).unwrap();
    agent.client.queue(&before).await.unwrap();
    let doubts = |it: &Status| it.warnings.iter().any(|it| it.contains("has not verified it by the image's signature"));
    agent.wait("it is said", doubts).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_as_it_says_never_becomes_a_base() {
    let Some(mut world) = World::new() else { return };
    world.site.settings.signatures.verify_signatures = Verify::WhenPresent;
    let signed = world.signed;
    let (rsa, dsa) = (world.put("RSA-PSS", 1), world.put("DSA", 2));
    let curve = world.put("ECC_SECP384R1", 3);
    fs::write(world.folder.join(format!("{}.crt", id(4))), "nonsense").unwrap();
    let other = world.site.tmp.path().join("other.raw");
    fs::write(&other, "x".repeat(100_000)).unwrap();
    let with = |property: &str, value: &str| {
        let mut all = signed.properties("RSA-PSS", "SHA-256", &rsa);
        let at = all.iter().position(|it| it.starts_with(&format!("{property}="))).unwrap();
        all[at] = format!("{property}={value}");
        world.push(&signed.file, &all)
    };
    let lasting = [
        (world.push(&other, &signed.properties("RSA-PSS", "SHA-256", &rsa)), "the bytes are not what was signed"),
        (world.image("leaf", "SHA-256", &curve), "the signature is not of these bytes by this key"),
        (with("img_signature_hash_method", "SHA-512"), "the signature is not of these bytes by this key"),
        (world.image("RSA-PSS", "SHA-256", &dsa), "img_signature_key_type is RSA-PSS, but the certificate"),
        (world.image("RSA-PSS", "SHA-256", &id(4)), "it is no X.509 certificate in PEM or DER"),
        (with("img_signature", "AAA!"), "which is not base64"),
        (with("img_signature_certificate_uuid", "../passwd"), "which is not a UUID"),
        (world.push(&signed.file, &signed.properties("RSA-PSS", "SHA-256", &rsa)[..6]), "signature is incomplete"),
    ];
    let absent = world.image("RSA-PSS", "SHA-384", &id(9));
    let unsigned = world.push(&signed.file, &[]);
    let agent = world.site.start().await;
    let all = lasting.iter().map(|it| &it.0).chain([&absent, &unsigned]);
    for image in all {
        agent.client.queue(image).await.unwrap();
    }
    for (image, words) in &lasting {
        assert!(refused(&agent, image, words).await > LASTING, "{words}");
    }
    assert!(refused(&agent, &absent, &format!("there is no {}.pem", id(9))).await < LASTING);
    agent.wait_cached(&unsigned).await;
    assert_eq!(world.site.names(), [unsigned.base_name()], "nothing else is there, and nothing is left");
    // The certificate comes: nobody has to ask again.
    world.put("RSA-PSS", 9);
    agent.wait_cached(&absent).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signer_must_be_trusted_where_nova_says_so() {
    let Some(mut world) = World::new() else { return };
    world.put("root", ROOT);
    world.put("middle", MIDDLE);
    let good = world.image("leaf", "SHA-512", &world.put("leaf", 1));
    let expired = world.image("leaf", "SHA-256", &world.put("expired", 2));
    let stranger = world.image("ECC_SECP521R1", "SHA-256", &world.put("ECC_SECP521R1", 3));
    let trusted = [ROOT, MIDDLE].map(|it| id(it).parse().unwrap());
    world.site.settings.signatures = Settings {
        enable_certificate_validation: true,
        default_trusted_certificate_ids: trusted.to_vec(),
        ..world.site.settings.signatures.clone()
    };
    let agent = world.site.start().await;
    for image in [&good, &expired, &stranger] {
        agent.client.queue(image).await.unwrap();
    }
    agent.wait_cached(&good).await;
    assert!(
        refused(&agent, &expired, "(CN=Leaf,O=Larder) that it is signed with is refused: it was valid only until")
            .await
            > LASTING
    );
    assert!(refused(&agent, &stranger, "no chain of trusted certificates leads to it").await > LASTING);
    agent.stop().await;
}

/// As nova's user, by the options that nova.conf has anyway.
#[test]
fn certificates_come_from_barbican() {
    let Some(signed) = Signed::get() else { return };
    let (Some(keystone), Some(barbican)) = (rig::keystone(), rig::barbican()) else { return };
    let store = |kind: &str| {
        let file = signed.certificate("RSA-PSS");
        let args = ["store", &keystone.auth_url, &barbican, kind, file.to_str().unwrap()];
        signer(&args).unwrap().trim().to_owned()
    };
    let (certificate, opaque) = (store("text:certificate"), store("opaque"));
    let dir = tempfile::tempdir().unwrap();
    let catalogue = daemon::Catalogue::start(dir.path(), UNVERIFIED);
    let push = |certificate: &str| {
        let mut command = catalogue.larder(&["image", "push", "--name", "signed", "--disk-format", "raw"]);
        run(command.arg(&signed.file).args(signed.properties("RSA-PSS", "SHA-256", certificate))).trim().to_owned()
    };
    let (good, other, unknown) = (push(&certificate), push(&opaque), push(&id(5)));
    let configure = |barbican: &str| {
        let nova = format!(
            "[glance]\nverify_glance_signatures = True\n[key_manager]\nbackend = barbican\n[barbican]\nbarbican_endpoint = {barbican}\n"
        );
        fs::write(dir.path().join("nova.conf"), nova).unwrap();
    };
    let login = format!(
        "endpoint_override = {}\nauth_type = password\nauth_url = {}\nusername = nova\npassword = {}\nproject_name = service\n\
         user_domain_id = default\nproject_domain_id = default",
        catalogue.url(),
        keystone.auth_url,
        rig::PASSWORD
    );
    // Nobody is there at first: that passes, and is gone once the configuration is right.
    configure(&format!("http://127.0.0.1:{}", free_port()));
    let agent = daemon::Agent::start_with(dir.path(), &login, "retry_interval_max = 2");
    agent.queue(&good);
    agent.wait_state(&good, "failed");
    let why = |image: &str| text(&agent.larder(&["cache", "why", image]).output().unwrap().stdout);
    assert!(why(&good).contains("asking for certificate"), "{}", why(&good));
    configure(&barbican);
    daemon::signal(agent.daemon.pid(), nix::sys::signal::Signal::SIGHUP);
    agent.wait_state(&good, "cached");
    assert!(fs::read(agent.base(&good)).unwrap() == fs::read(&signed.file).unwrap());

    for (image, words) in [(&other, "a secret of type 'opaque'"), (&unknown, "does not exist")] {
        agent.queue(image);
        wait_until(words, Duration::from_secs(120), || why(image).contains(words));
        assert!(!agent.base(image).exists());
    }
    let args = ["agent", "--config-file", "agent.conf", "--nova-config-file", "nova.conf", "check", "--json"];
    let found = crate::support::larder(&args).current_dir(dir.path()).output().unwrap();
    let found: Vec<Value> = serde_json::from_slice(&found.stdout).unwrap();
    for (topic, words) in [("signatures", "every image is verified"), ("certificates", "answers")] {
        let of = found.iter().find(|it| it["topic"] == topic).unwrap_or_else(|| panic!("{found:?}"));
        assert!(of["level"] == "ok" && of["found"].as_str().unwrap().contains(words), "{of}");
    }
}
