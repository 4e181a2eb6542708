//! A user's way with OpenStack's own client: the certificate goes to Barbican, the signed image to the catalogue.

use super::drive::{Driver, environment};
use crate::{
    api::{access::signatures::register, behind_with},
    identity::admin::Cloud,
    support::{files, rig, signed::Signed},
};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn it_signs_and_uploads() {
    let (Some(keystone), Some(barbican), Some(signed)) = (rig::keystone(), rig::barbican(), Signed::get()) else {
        return;
    };
    let region = register(&Cloud::new(&keystone.auth_url), &barbican).await;
    let work = move || {
        let server = behind_with(keystone, &format!("[barbican]\nbarbican_region_name = {region}\n"));
        let folder = tempfile::tempdir().unwrap();
        let mut environment = environment(&keystone.auth_url, &format!("http://{}", server.address), "demo");
        environment.insert("OS_REGION_NAME", region);
        let mut openstack = Driver::with("openstack", folder.path(), environment);
        fs::copy(signed.certificate("RSA-PSS"), folder.path().join("signer.pem")).unwrap();
        fs::copy(signed.folder.join("RSA-PSS.key"), folder.path().join("signer.key")).unwrap();
        fs::copy(&signed.file, folder.path().join("disk")).unwrap();
        fs::write(folder.path().join("other"), b"something else").unwrap();
        let kept = openstack.run(&[
            "secret",
            "store",
            "--secret-type",
            "certificate",
            "--file",
            "signer.pem",
            "-f",
            "value",
            "-c",
            "Secret href",
        ]);
        assert_eq!(kept.code, 0, "{kept:?}");
        let certificate = kept.out.trim().rsplit('/').next().unwrap().to_owned();
        let create =
            ["image", "create", "--disk-format", "raw", "--container-format", "bare", "-f", "value", "-c", "status"];
        let properties = signed.properties("RSA-PSS", "SHA-256", &certificate);
        for (file, code) in [("disk", 0), ("other", 1)] {
            let mut args: Vec<&str> = create.to_vec();
            args.extend(properties.iter().map(String::as_str));
            args.extend(["--file", file, file]);
            let ended = openstack.run(&args);
            assert_eq!(ended.code, code, "{ended:?}");
            if code == 0 {
                assert_eq!(ended.out.trim(), "active");
            } else {
                assert!(
                    ended.err.contains("400") && server.daemon.log().contains("its signature does not verify"),
                    "{ended:?}"
                );
            }
        }
        assert_eq!(files(&server.images()).len(), 1);
        // Some of its releases write the signature in Python's notation, b'…', which no server can verify.
        let signs = ["--sign-key-path", "signer.key", "--sign-cert-id", &certificate, "--file", "disk", "by-client"];
        let ended = openstack.run(&[&create[..], &signs].concat());
        let active = ended.code == 0 && ended.out.trim() == "active";
        assert!(active || server.daemon.log().contains("its property img_signature is 'b'"), "{ended:?}");
        assert_eq!(files(&server.images()).len(), 1 + usize::from(active));
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}
