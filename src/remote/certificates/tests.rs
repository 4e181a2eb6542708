use super::{CertificateError, Certificates, Settings};
use crate::image::signature::CertificateId;
use crate::remote;
use std::fs;

fn id() -> CertificateId {
    "00000000-0000-4000-8000-00000000000A".parse().unwrap()
}

fn of(folder: &std::path::Path) -> Certificates {
    Certificates::new(&Settings { folder: Some(folder.to_owned()), ..Settings::default() }).unwrap()
}

#[tokio::test]
async fn a_folder_has_them_by_id() {
    let dir = tempfile::tempdir().unwrap();
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../base/certificate/vectors.json")).unwrap();
    let pem = vectors["authority"]["leaf"].as_str().unwrap();
    let missing = of(dir.path()).get(&id()).await.unwrap_err();
    assert!(missing.is_missing() && !missing.is_lasting(), "{missing}");
    for ending in ["der", "crt", "pem"] {
        let path = dir.path().join(format!("00000000-0000-4000-8000-00000000000a.{ending}"));
        fs::write(&path, pem).unwrap();
        assert_eq!(of(dir.path()).get(&id()).await.unwrap().subject(), "CN=Leaf,O=Larder");
        fs::remove_file(path).unwrap();
    }
    assert!(of(dir.path()).probe().await.is_ok());
    let gone = dir.path().join("gone");
    let unread = of(&gone).get(&id()).await.unwrap_err();
    assert!(matches!(unread, CertificateError::Read { .. }) && !unread.is_missing(), "{unread}");
    assert!(of(&gone).probe().await.is_err());
}

#[tokio::test]
async fn what_is_not_configured_is_said_when_it_is_needed() {
    let settings = |backend: &str, endpoint: Option<&str>| Settings {
        backend: backend.to_owned(),
        barbican: remote::Settings { endpoint: endpoint.map(|it| it.parse().unwrap()), ..Settings::default().barbican },
        ..Settings::default()
    };
    for (settings, says) in [
        (settings("vault", Some("http://127.0.0.1:9")), "backend is vault"),
        (settings("barbican", None), "barbican_endpoint is not set"),
    ] {
        let nowhere = Certificates::new(&settings).unwrap().get(&id()).await.unwrap_err();
        assert!(nowhere.to_string().contains(says) && !nowhere.is_lasting(), "{nowhere}");
    }
    let class = "castellan.key_manager.barbican_key_manager.BarbicanKeyManager";
    let there = Certificates::new(&settings(class, Some("http://127.0.0.1:9/v1"))).unwrap();
    assert_eq!(there.describe(), "http://127.0.0.1:9/v1");
}
