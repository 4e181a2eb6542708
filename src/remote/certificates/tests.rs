use super::{CertificateError, Certificates, Settings, User, UserCertificates};
use crate::image::signature::CertificateId;
use crate::remote::{self, RemoteError};
use serde_json::json;
use std::{fs, sync::Arc};

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

#[tokio::test]
async fn a_key_manager_is_asked_in_somebodys_name_only() {
    let user = |catalog| User { token: "token".into(), catalog };
    let of = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        UserCertificates::new(settings)
    };
    let barbican = of(|_| {});
    assert_eq!(barbican.wants_user(), (true, true));
    assert!(matches!(barbican.get(None, &id()).await, Err(CertificateError::Nobody)));
    let unknown = barbican.get(Some(&user(None)), &id()).await.unwrap_err();
    assert!(matches!(&unknown, CertificateError::Nowhere { why } if why.contains("no service catalogue")), "{unknown}");
    let catalog = json!([{"type": "image", "endpoints": []}]);
    let absent = barbican.get(Some(&user(Some(Arc::new(catalog)))), &id()).await.unwrap_err();
    let missing = matches!(absent, CertificateError::Remote(RemoteError::NoEndpoint { .. }));
    assert!(missing && !absent.is_passing(), "{absent}");
    let nonsense = barbican.get(Some(&user(Some(Arc::new(json!({"a": 1}))))), &id()).await.unwrap_err();
    assert!(matches!(nonsense, CertificateError::Remote(RemoteError::Settings { .. })), "{nonsense}");
    // Nobody listens there: that passes.
    let away = of(|it| it.barbican.endpoint = Some("http://127.0.0.1:9".parse().unwrap()));
    assert_eq!(away.wants_user(), (true, false));
    let away = away.get(Some(&user(None)), &id()).await.unwrap_err();
    assert!(away.is_passing(), "{away}");
    let vault = of(|it| it.backend = "vault".to_owned());
    assert_eq!(vault.wants_user(), (false, false));
    assert!(matches!(vault.get(None, &id()).await, Err(CertificateError::Nowhere { .. })));
    let folder = of(|it| it.folder = Some("/nowhere".into()));
    assert_eq!(folder.wants_user(), (false, false));
    let unread = folder.get(None, &id()).await.unwrap_err();
    assert!(matches!(unread, CertificateError::Read { .. }) && unread.is_passing(), "{unread}");
}
