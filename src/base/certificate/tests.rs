//! `vectors.json`: made by `tests/it/support/rig/signer.py`, and verified by cursive where Python still knows the curve.

use super::{Anchor, Certificate, ChainError, KeyKind, Scheme, VerifyError, check_chain, key};
use crate::base::digest::Algorithm;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn certificate(group: &str, name: &str) -> Certificate {
    Certificate::read(vectors()[group][name].as_str().unwrap().as_bytes()).unwrap()
}

fn anchor(name: &str) -> Anchor {
    Anchor { id: name.to_owned(), certificate: certificate("authority", name) }
}

/// When the certificates were made.
fn now() -> DateTime<Utc> {
    certificate("authority", "leaf").not_before() + TimeDelta::days(2)
}

/// The name of the key type, its scheme, the hash, the digest of the data, the signature.
type Vector = (String, Scheme, Algorithm, Vec<u8>, Vec<u8>);

/// All of them.
fn signatures() -> Vec<Vector> {
    let all = vectors();
    let data = all["data"].as_str().unwrap().as_bytes().to_vec();
    let each = all["signatures"].as_array().unwrap().iter().map(|it| {
        let [kind, hash, signature] = [0, 1, 2].map(|at| it[at].as_str().unwrap().to_owned());
        let scheme = match kind.as_str() {
            "RSA-PSS" => Scheme::RsaPssLongestSalt,
            "DSA" => Scheme::Dsa,
            _ => Scheme::Ecdsa,
        };
        let hash: Algorithm = hash.replace('-', "").parse().unwrap();
        (kind, scheme, hash, key::digest(hash, &data), STANDARD.decode(signature).unwrap())
    });
    each.collect()
}

#[test]
fn every_key_type_and_hash_is_verified() {
    let mut verified = 0;
    for (kind, scheme, hash, digest, signature) in signatures() {
        let certificate = certificate("certificates", &kind);
        let outcome = certificate.verify(scheme, hash, &digest, &signature);
        if kind.starts_with("ECC_SECT") && matches!(outcome, Err(VerifyError::Unsupported { .. })) {
            eprintln!("skipped: {kind}, {}", outcome.unwrap_err());
            continue;
        }
        assert_eq!(outcome, Ok(()), "{kind} {hash}");
        let mut other = digest.clone();
        other[0] ^= 1;
        assert_eq!(certificate.verify(scheme, hash, &other, &signature), Err(VerifyError::Mismatch), "{kind} {hash}");
        assert_eq!(certificate.verify(scheme, hash, &digest[1..], &signature), Err(VerifyError::Mismatch));
        for wrong in [&signature[1..], &[], &[0x30, 0x06, 2, 1, 0, 2, 1, 0]] {
            assert_eq!(certificate.verify(scheme, hash, &digest, wrong), Err(VerifyError::Mismatch), "{kind} {hash}");
        }
        verified += 1;
    }
    assert!(verified >= 16, "RSA, DSA, P-384 and P-521 need nothing but this program: {verified}");
}

#[test]
fn both_engines_agree() {
    for (kind, _, hash, digest, signature) in signatures() {
        let certificate = certificate("certificates", &kind);
        let key = certificate.parsed_key();
        if !matches!(kind.as_str(), "DSA" | "ECC_SECP384R1" | "ECC_SECP521R1") {
            continue;
        }
        let by_system = key::by_system(key, &digest, &signature);
        if matches!(by_system, Err(VerifyError::Unsupported { there: false, .. })) {
            eprintln!("skipped: there is no libcrypto");
            return;
        }
        assert_eq!(by_system, Ok(()), "{kind} {hash}");
        assert_eq!(key::by_system(key, &digest, &signature[..9]), Err(VerifyError::Mismatch));
    }
}

#[test]
fn a_key_signs_by_its_own_scheme_only() {
    let (_, _, hash, digest, signature) = signatures().remove(0);
    let rsa = certificate("certificates", "RSA-PSS");
    assert_eq!(rsa.key(), KeyKind::Rsa);
    for scheme in [Scheme::Dsa, Scheme::Ecdsa] {
        assert_eq!(rsa.verify(scheme, hash, &digest, &signature), Err(VerifyError::Key(KeyKind::Rsa)));
    }
    assert_eq!(rsa.verify(Scheme::RsaPkcs1, hash, &digest, &signature), Err(VerifyError::Mismatch));
    let curve = certificate("certificates", "ECC_SECP521R1");
    assert_eq!(curve.key(), KeyKind::Ec("secp521r1".to_owned()));
    assert!(curve.verify(Scheme::RsaPssLongestSalt, hash, &digest, &signature).is_err());
}

#[test]
fn certificates_are_read_as_people_have_them() {
    let text = vectors()["authority"]["leaf"].as_str().unwrap().to_owned();
    let leaf = certificate("authority", "leaf");
    assert_eq!((leaf.subject(), leaf.issuer()), ("CN=Leaf,O=Larder".to_owned(), "CN=Middle,O=Larder".to_owned()));
    for other in [format!("Certificate:\n    Data:\n{text}"), text.replace('\n', "\r\n"), format!("{text}{text}")] {
        assert_eq!(Certificate::read(other.as_bytes()).as_ref(), Ok(&leaf));
    }
    let der: String = text.lines().filter(|it| !it.starts_with('-')).collect();
    let der = STANDARD.decode(der).unwrap();
    assert_eq!(Certificate::read(&der).as_ref(), Ok(&leaf));
    let half = text[..200].to_owned();
    for bad in [&der[..50], b"", b"-----BEGIN CERTIFICATE-----\n?", half.as_bytes(), &vec![0; 70 << 10]] {
        assert!(Certificate::read(bad).is_err());
    }
}

#[test]
fn a_chain_leads_to_a_root_that_is_trusted() {
    let leaf = certificate("authority", "leaf");
    let check =
        |anchors: &[&str], now| check_chain(&leaf, &anchors.iter().map(|it| anchor(it)).collect::<Vec<_>>(), now);
    assert_eq!(check(&["root", "middle"], now()), Ok(()));
    assert_eq!(check(&["stranger", "middle", "root"], now()), Ok(()), "whatever else is trusted");
    for anchors in [&["middle"][..], &["root"], &["stranger", "middle"], &["leaf", "root"], &[]] {
        assert!(matches!(check(anchors, now()), Err(ChainError::Untrusted { .. })), "{anchors:?}");
    }
    let said = check(&["leaf", "root"], now()).unwrap_err().to_string();
    assert!(said.contains("CN=Middle") && said.contains("leaf (not marked as an authority"), "{said}");
    assert!(matches!(
        check(&["root", "middle"], leaf.not_after() + TimeDelta::seconds(1)),
        Err(ChainError::Expired { .. })
    ));
    assert!(matches!(
        check(&["root", "middle"], leaf.not_before() - TimeDelta::seconds(1)),
        Err(ChainError::Early { .. })
    ));
    let expired = check_chain(&certificate("authority", "expired"), &[anchor("root"), anchor("middle")], now());
    assert!(matches!(expired, Err(ChainError::Expired { .. })), "{expired:?}");
    // A root is trusted when it is one of the trusted ones.
    let root = certificate("authority", "root");
    assert_eq!(check_chain(&root, &[anchor("root")], now()), Ok(()));
    assert!(check_chain(&root, &[anchor("stranger"), anchor("middle")], now()).is_err());
    // The middle one may have no other authority below it, and is no root.
    let middle = certificate("authority", "middle");
    assert_eq!((middle.longest_path(), middle.is_self_issued()), (Some(0), false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn damaged_certificates_never_panic(at in 0_usize..2000, with in any::<u8>(), cut in 0_usize..2000) {
        let (kind, scheme, hash, digest, signature) = signatures().swap_remove(at % 16);
        let mut der = certificate("certificates", &kind).der().to_vec();
        let end = der.len();
        der[at % end] ^= with;
        der.truncate(cut.max(1).min(end));
        if let Ok(certificate) = Certificate::read(&der) {
            let _ = certificate.verify(scheme, hash, &digest, &signature);
            let _ = check_chain(&certificate, &[Anchor { id: String::new(), certificate: certificate.clone() }], now());
        }
    }
}
