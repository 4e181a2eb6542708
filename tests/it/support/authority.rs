//! An authority that certificates are made by, as `openssl` makes them.

use super::skip;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

/// An authority, with its files in a folder.
pub(crate) struct Authority {
    dir: PathBuf,
    name: &'static str,
}

// === impl Authority ===

impl Authority {
    /// None, and it is said why, where there is no openssl.
    pub(crate) fn make(dir: &Path, name: &'static str) -> Option<Self> {
        let subject = format!("/CN={name}");
        let made = openssl(
            dir,
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -days 3650 -subj {subject} \
                 -addext keyUsage=critical,keyCertSign,cRLSign"
            ),
        );
        if !made {
            skip("openssl makes no certificate");
        }
        made.then(|| Self { dir: dir.to_owned(), name })
    }

    /// Its certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.join(format!("{}.pem", self.name))
    }

    /// The files of a new certificate for 127.0.0.1, and of its key.
    pub(crate) fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let request = format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.request -subj /CN={name}");
        std::fs::write(self.dir.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
        let sign = format!(
            "x509 -req -in {name}.request -CA {0}.pem -CAkey {0}.key -CAcreateserial -out {name}.pem -days 3650 -extfile names",
            self.name
        );
        assert!(openssl(&self.dir, &request) && openssl(&self.dir, &sign), "{name}");
        (self.dir.join(format!("{name}.pem")), self.dir.join(format!("{name}.key")))
    }

    /// A server with a new certificate; with `clients`, it wants one of those from its clients.
    pub(crate) fn server(&self, name: &str, clients: Option<&Self>) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(name);
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = match clients {
            None => builder.unwrap().with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(authority.file()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.unwrap().with_client_cert_verifier(verifier)
            }
        };
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

fn openssl(dir: &Path, args: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(args.split_whitespace()).current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}
