use super::{Settings, SignerError, Signers, Verify};
use crate::base::digest::Hasher;
use crate::image::signature::{CERTIFICATE, HASH_METHOD, KEY_TYPE, SIGNATURE, Signature, Signatures};
use crate::remote::certificates::{self, CertificateError};
use serde_json::Value;
use std::{collections::HashMap, fs, path::Path};

const IDS: [&str; 4] = [
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
    "00000000-0000-4000-8000-000000000003",
    "00000000-0000-4000-8000-000000000004",
];

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../base/certificate/vectors.json")).unwrap()
}

/// The first RSA-PSS signature of the vectors, by this certificate.
fn signature(id: &str) -> Signature {
    let all = vectors();
    let text = |column: usize| all["signatures"][0][column].as_str().unwrap().to_owned();
    let of = [(KEY_TYPE, text(0)), (HASH_METHOD, text(1)), (SIGNATURE, text(2)), (CERTIFICATE, id.to_owned())];
    let of = HashMap::from(of);
    Signature::of(|name| of.get(name).map(String::as_str)).unwrap().unwrap()
}

fn put(folder: &Path, id: &str, group: &str, name: &str) {
    fs::write(folder.join(format!("{id}.pem")), vectors()[group][name].as_str().unwrap()).unwrap();
}

fn settings(folder: &Path) -> Settings {
    let certificates = certificates::Settings { folder: Some(folder.to_owned()), ..certificates::Settings::default() };
    Settings { certificates, ..Settings::default() }
}

#[test]
fn nova_s_options_decide_unless_told_otherwise() {
    let trusting = || Settings {
        enable_certificate_validation: true,
        default_trusted_certificate_ids: vec![IDS[0].parse().unwrap()],
        ..Settings::default()
    };
    let off = Settings::default();
    assert_eq!((off.policy(), off.trusted()), (Signatures::Off, None));
    assert_eq!(Settings { verify_glance_signatures: true, ..off.clone() }.policy(), Signatures::Required);
    assert_eq!(trusting().policy(), Signatures::Required);
    assert_eq!(trusting().trusted().unwrap().len(), 1);
    // As in Nova, ids without the option are not used, and the option without ids asks for no signature by itself.
    assert_eq!(Settings { enable_certificate_validation: false, ..trusting() }.policy(), Signatures::Off);
    assert_eq!(Settings { default_trusted_certificate_ids: Vec::new(), ..trusting() }.policy(), Signatures::Off);
    assert_eq!(Settings { verify_signatures: Verify::Off, ..trusting() }.policy(), Signatures::Off);
    assert_eq!(Settings { verify_signatures: Verify::WhenPresent, ..off }.policy(), Signatures::WhenPresent);
}

#[tokio::test]
async fn a_certificate_is_found_and_judged_before_the_data_comes() {
    let dir = tempfile::tempdir().unwrap();
    let signers = Signers::new(&settings(dir.path())).unwrap();
    let missing = signers.find(&signature(IDS[0])).await.unwrap_err();
    assert!(matches!(&missing, SignerError::Certificate { .. }) && !missing.is_lasting(), "{missing}");
    put(dir.path(), IDS[0], "certificates", "RSA-PSS");
    put(dir.path(), IDS[1], "certificates", "DSA");
    fs::write(dir.path().join(format!("{}.crt", IDS[2])), "nonsense").unwrap();
    let signer = signers.find(&signature(IDS[0])).await.unwrap();
    let mut hasher = Hasher::new(signer.signature().hash());
    hasher.update(vectors()["data"].as_str().unwrap().as_bytes());
    signer.verify(&hasher.finish().unwrap()).unwrap();
    let other = signers.find(&signature(IDS[1])).await.unwrap_err();
    assert!(matches!(&other, SignerError::Unfit(_)) && other.is_lasting(), "{other}");
    let nonsense = signers.find(&signature(IDS[2])).await.unwrap_err();
    let malformed = matches!(&nonsense, SignerError::Certificate { source, .. } if matches!(**source, CertificateError::Malformed { .. }));
    assert!(malformed && nonsense.is_lasting(), "{nonsense}");
}

#[tokio::test]
async fn a_signer_must_be_vouched_for_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), IDS[0], "certificates", "RSA-PSS");
    put(dir.path(), IDS[1], "authority", "root");
    let trusting = |ids: &[&str]| {
        let ids = ids.iter().map(|it| it.parse().unwrap()).collect();
        let settings = Settings {
            enable_certificate_validation: true,
            default_trusted_certificate_ids: ids,
            ..settings(dir.path())
        };
        Signers::new(&settings).unwrap()
    };
    let nobody = trusting(&[]).find(&signature(IDS[0])).await.unwrap_err();
    assert!(matches!(nobody, SignerError::NobodyTrusted), "{nobody}");
    // The last one is not there: it vouches for nobody, and keeps nobody else from it.
    let stranger = trusting(&[IDS[1], IDS[3]]).find(&signature(IDS[0])).await.unwrap_err();
    assert!(matches!(&stranger, SignerError::Refused { .. }) && stranger.is_lasting(), "{stranger}");
}
