//! Certificates of a folder, uploads and imports, on a real database and a real file store.

use super::{AnchorsError, Settings};
use crate::catalogue::{
    self,
    service::{
        Addition, Fault, OpenError, Service,
        imports::{direct, staging_files, work},
        tests::{Fixture, raw, read_all, settings, upload},
    },
};
use crate::identity::Caller;
use crate::image::{
    Change, ImageId, Location, NewImage, NewLocation, Place, Status,
    signature::{CERTIFICATE, HASH_METHOD, KEY_TYPE, SIGNATURE, Signatures},
};
use serde_json::Value;
use std::{fs, path::Path};

const ID: &str = "00000000-0000-4000-8000-000000000001";
const OTHER: &str = "00000000-0000-4000-8000-000000000002";

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../base/certificate/vectors.json")).unwrap()
}

fn data() -> Vec<u8> {
    vectors()["data"].as_str().unwrap().as_bytes().to_vec()
}

fn put(folder: &Path, id: &str, group: &str, name: &str) {
    fs::write(folder.join(format!("{id}.pem")), vectors()[group][name].as_str().unwrap()).unwrap();
}

/// A service whose certificates are in the folder `certificates`.
async fn service(change: impl FnOnce(&Path, &mut catalogue::Settings)) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("certificates");
    fs::create_dir(&folder).unwrap();
    let mut settings = settings(dir.path());
    settings.signatures.certificates.folder = Some(folder.clone());
    change(&folder, &mut settings);
    let service = Service::open(settings).await.unwrap();
    Fixture { dir, service }
}

/// The properties of one of the signatures.
fn signed(at: usize, certificate: &str) -> [(&'static str, String); 4] {
    let all = vectors();
    let text = |column: usize| all["signatures"][at][column].as_str().unwrap().to_owned();
    [(KEY_TYPE, text(0)), (HASH_METHOD, text(1)), (SIGNATURE, text(2)), (CERTIFICATE, certificate.to_owned())]
}

async fn queued(fixture: &Fixture, properties: &[(&str, String)]) -> ImageId {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect();
    fixture.service.create(&Caller::admin(), NewImage { properties, ..raw() }).await.unwrap().id
}

/// That it is queued, without data, and that nothing of it is anywhere.
async fn assert_empty(fixture: &Fixture, id: &ImageId) {
    let image = fixture.show(id).await;
    assert_eq!((image.status, image.size, image.checksum, image.locations.len()), (Status::Queued, None, None, 0));
    fixture.assert_no_bytes().await;
    assert_eq!(fixture.count("SELECT count(*) FROM larder_uploads"), 0);
}

fn invalid(outcome: Result<(), Fault>, words: &str) {
    assert!(matches!(&outcome, Err(Fault::Invalid(it)) if it.contains(words)), "{words}: {outcome:?}");
}

#[tokio::test]
async fn every_key_type_and_hash_lets_its_image_in_and_no_other() {
    let fixture = service(|_, _| {}).await;
    let folder = fixture.dir.path().join("certificates");
    let count = vectors()["signatures"].as_array().unwrap().len();
    let mut taken = 0;
    for at in 0..count {
        let kind = vectors()["signatures"][at][0].as_str().unwrap().to_owned();
        put(&folder, ID, "certificates", &kind);
        let properties = signed(at, ID);
        let bad = queued(&fixture, &properties).await;
        let refused = fixture.put(&bad, b"the bytes of an imagf").await;
        if matches!(&refused, Err(Fault::Invalid(it)) if kind.starts_with("ECC_SECT") && it.contains("need OpenSSL")) {
            eprintln!("skipped: {refused:?}");
            continue;
        }
        invalid(refused, &format!("Signature verification failed for image {bad}: its signature does not verify"));
        assert_empty(&fixture, &bad).await;
        let good = queued(&fixture, &properties).await;
        fixture.put(&good, &data()).await.unwrap();
        assert_eq!(fixture.show(&good).await.status, Status::Active);
        fixture.service.delete(&Caller::admin(), &good).await.unwrap();
        // What was refused may come right.
        fixture.put(&bad, &data()).await.unwrap();
        fixture.service.delete(&Caller::admin(), &bad).await.unwrap();
        taken += 1;
    }
    assert!(taken >= 16, "{taken}");
}

#[tokio::test]
async fn what_is_wrong_with_a_signature_is_said_before_the_data_comes() {
    let fixture = service(|_, _| {}).await;
    let folder = fixture.dir.path().join("certificates");
    put(&folder, ID, "certificates", "DSA");
    fs::write(folder.join(format!("{OTHER}.crt")), "nonsense").unwrap();
    let with = |at: usize, value: &str| {
        let mut all = signed(0, ID);
        value.clone_into(&mut all[at].1);
        all
    };
    for (properties, words) in [
        (signed(0, ID).to_vec(), "img_signature_key_type is RSA-PSS, but the certificate"),
        (signed(0, ID)[..3].to_vec(), "it has no property img_signature_certificate_uuid"),
        (signed(0, ID)[1..].to_vec(), "it has no property img_signature_key_type"),
        (with(1, "MD5").to_vec(), "which is not one of SHA-224"),
        (with(2, "no base64!").to_vec(), "which is not base64"),
        (signed(0, "../../etc/passwd").to_vec(), "which is not a UUID"),
        (signed(0, OTHER).to_vec(), "is no certificate: it is no X.509 certificate"),
        (signed(0, &ID.replace('1', "9")).to_vec(), "that you may read"),
    ] {
        let id = queued(&fixture, &properties).await;
        let outcome = fixture.put(&id, &data()).await;
        assert!(!format!("{outcome:?}").contains(folder.to_str().unwrap()), "{outcome:?}");
        invalid(outcome, words);
        assert_empty(&fixture, &id).await;
        // An import is not entered.
        fixture.service.stage(&Caller::admin(), &id, upload(&data())).await.unwrap();
        invalid(fixture.service.import(&Caller::admin(), &id, direct()).await, words);
        assert_eq!(fixture.show(&id).await.status, Status::Uploading);
        assert_eq!(fixture.count("SELECT count(*) FROM larder_imports"), 0);
    }
}

#[tokio::test]
async fn the_site_says_of_which_images() {
    let with = |demand| service(move |_, settings| settings.signatures.demand = demand);
    let (off, required) = (with(Signatures::Off).await, with(Signatures::Required).await);
    for properties in [&signed(0, ID)[..], &signed(0, ID)[..2]] {
        let id = queued(&off, properties).await;
        off.put(&id, b"anything").await.unwrap();
    }
    let unsigned = queued(&required, &[]).await;
    let words = format!("Image {unsigned} is not signed, and only signed images are taken here");
    invalid(required.put(&unsigned, b"anything").await, &words);
    assert_empty(&required, &unsigned).await;
    required.service.stage(&Caller::admin(), &unsigned, upload(b"anything")).await.unwrap();
    invalid(required.service.import(&Caller::admin(), &unsigned, direct()).await, &words);
    put(&required.dir.path().join("certificates"), ID, "certificates", "RSA-PSS");
    let id = queued(&required, &signed(3, ID)).await;
    required.put(&id, &data()).await.unwrap();
    assert_eq!(read_all(&required.service, &Caller::admin(), &id).await.unwrap(), data());
}

#[tokio::test]
async fn an_import_goes_by_the_certificate_that_there_was_when_it_was_asked_for() {
    let fixture = service(|_, _| {}).await;
    let folder = fixture.dir.path().join("certificates");
    for (bytes, active) in [(data(), true), (b"something else".to_vec(), false)] {
        put(&folder, ID, "certificates", "RSA-PSS");
        let id = queued(&fixture, &signed(0, ID)).await;
        fixture.service.stage(&Caller::admin(), &id, upload(&bytes)).await.unwrap();
        fixture.service.import(&Caller::admin(), &id, direct()).await.unwrap();
        fs::remove_file(folder.join(format!("{ID}.pem"))).unwrap();
        work(&fixture, &fixture.service).await;
        let image = fixture.show(&id).await;
        if active {
            assert_eq!((image.status, image.size), (Status::Active, Some(bytes.len() as u64)));
            fixture.service.delete(&Caller::admin(), &id).await.unwrap();
        } else {
            assert_empty(&fixture, &id).await;
            let task = fixture.service.tasks_of(&Caller::admin(), &id).await.unwrap().pop().unwrap();
            let why = task.message.unwrap();
            assert!(why.starts_with(&format!("Signature verification failed for image {id}: its signature")), "{why}");
        }
    }
    assert_eq!(staging_files(&fixture), Vec::<String>::new());
}

#[tokio::test]
async fn an_import_of_another_certificate_than_was_asked_for_fails() {
    let fixture = service(|_, _| {}).await;
    put(&fixture.dir.path().join("certificates"), ID, "certificates", "RSA-PSS");
    let id = queued(&fixture, &signed(0, ID)).await;
    fixture.service.stage(&Caller::admin(), &id, upload(&data())).await.unwrap();
    fixture.service.import(&Caller::admin(), &id, direct()).await.unwrap();
    fixture.sql(&format!("UPDATE image_properties SET value = '{OTHER}' WHERE value = '{ID}'"));
    work(&fixture, &fixture.service).await;
    assert_empty(&fixture, &id).await;
}

#[tokio::test]
async fn a_signer_must_be_vouched_for_where_anchors_are_set() {
    let anchors = |names: &'static [&'static str], settings: &mut catalogue::Settings, folder: &Path| {
        let anchors = folder.with_file_name("anchors");
        fs::create_dir_all(&anchors).unwrap();
        for name in names {
            fs::write(anchors.join(format!("{name}.pem")), vectors()["authority"][name].as_str().unwrap()).unwrap();
        }
        settings.signatures.trust_anchors = Some(anchors);
    };
    // A root that signs itself is vouched for when it is one of them.
    let fixture = service(|folder, settings| anchors(&["root", "middle"], settings, folder)).await;
    let folder = fixture.dir.path().join("certificates");
    for (group, name, words) in [
        ("authority", "expired", "(CN=Leaf,O=Larder) is not trusted here: it was valid only until"),
        ("certificates", "ECC_SECP384R1", "is not trusted here: no chain of trusted certificates leads to it"),
    ] {
        put(&folder, ID, group, name);
        let id = queued(&fixture, &signed(8, ID)).await;
        let outcome = fixture.put(&id, &data()).await;
        assert!(!format!("{outcome:?}").contains("anchors"), "{outcome:?}");
        invalid(outcome, words);
        assert_empty(&fixture, &id).await;
    }
    // It is trusted, and has signed something else.
    put(&folder, ID, "authority", "leaf");
    let id = queued(&fixture, &signed(8, ID)).await;
    invalid(fixture.put(&id, &data()).await, "its signature does not verify");
}

#[tokio::test]
async fn anchors_that_are_none_are_no_anchors() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &Path| {
        let mut settings = settings(dir.path());
        settings.signatures = Settings { trust_anchors: Some(path.to_owned()), ..Settings::default() };
        Service::open(settings)
    };
    let refused = async |path: &Path| match open(path).await {
        Err(OpenError::Anchors(error)) => error,
        other => panic!("{:?}", other.map(drop)),
    };
    let folder = dir.path().join("anchors");
    assert!(matches!(refused(&folder).await, AnchorsError::Read { .. }));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("README"), "whatever else is there").unwrap();
    assert!(matches!(refused(&folder).await, AnchorsError::None { .. }));
    let file = folder.join("a.pem");
    fs::write(&file, "nonsense").unwrap();
    assert!(matches!(refused(&folder).await, AnchorsError::Malformed { .. }));
    let authority = &vectors()["authority"];
    let both = format!("{}{}", authority["root"].as_str().unwrap(), authority["middle"].as_str().unwrap());
    fs::write(&file, format!("{both}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).unwrap();
    assert!(matches!(refused(&file).await, AnchorsError::Malformed { .. }));
    fs::write(&file, vec![b' '; 2 << 20]).unwrap();
    assert!(matches!(refused(&file).await, AnchorsError::TooLong { .. }));
    fs::write(&file, both).unwrap();
    assert_eq!(super::anchors::read(&file).unwrap().len(), 2);
    open(&folder).await.unwrap();
}

/// A location whose data stands in the store already.
async fn add(fixture: &Fixture, id: &ImageId, bytes: &[u8]) -> Result<(), Fault> {
    let file = fixture.file(id);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, bytes).unwrap();
    let url = format!("file://{}", file.display());
    let service = Caller { roles: vec!["admin".to_owned(), "service".to_owned()], ..Caller::admin() };
    fixture.service.add_location(&service, id, Addition { url, hash: None, request: String::new() }).await
}

#[tokio::test]
async fn locations_are_no_way_around_it() {
    let fixture = service(|_, settings| {
        settings.signatures.demand = Signatures::Required;
        settings.show_multiple_locations = true;
    })
    .await;
    put(&fixture.dir.path().join("certificates"), ID, "certificates", "RSA-PSS");
    let unsigned = queued(&fixture, &[]).await;
    invalid(add(&fixture, &unsigned, &data()).await, "is not signed");
    fs::remove_file(fixture.file(&unsigned)).unwrap();
    let location = || NewLocation {
        location: Location { url: "http://127.0.0.1/x".to_owned(), metadata: serde_json::Map::new() },
        validation: None,
    };
    let add_one = Change::AddLocation { at: Place::Last, location: location() };
    for change in [Change::ReplaceLocations(vec![location()]), add_one] {
        let changed = fixture.service.change(&Caller::admin(), &unsigned, vec![change]).await.map(drop);
        invalid(changed, "only data whose signature is verified is taken here");
    }
    let unread = service(|_, settings| {
        settings.signatures.demand = Signatures::Required;
        settings.do_secure_hash = false;
    })
    .await;
    let id = queued(&unread, &signed(0, ID)).await;
    invalid(add(&unread, &id, &data()).await, "only data whose signature is verified is taken here");
}
