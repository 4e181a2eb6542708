//! TLS to the broker, as `[oslo_messaging_rabbit] ssl*` says.

use super::Rabbit;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use std::{path::Path, sync::Arc};

/// Takes certificates as oslo.messaging does: any without `ssl_ca_file`; without `ssl_enforce_hostname_verification` one
/// for any name.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    /// None takes all.
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

/// # Errors
/// Which option is wrong, and why.
pub(super) fn config(rabbit: &Rabbit) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("ssl cannot be used: {error}"))?;
    let roots = rabbit.ca_file.as_deref().map(roots).transpose()?.map(Arc::new);
    let builder = match roots {
        Some(roots) if rabbit.verify_name => builder.with_root_certificates(roots),
        roots => {
            let verifier = |roots| {
                let built = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                built.map_err(|error| format!("ssl_ca_file cannot be used: {error}"))
            };
            let authorities = roots.map(verifier).transpose()?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { provider, authorities }))
        }
    };
    match (&rabbit.cert_file, &rabbit.key_file) {
        (Some(cert), key) => {
            let key = key.as_ref().unwrap_or(cert);
            let certificates = certificates(cert, "ssl_cert_file")?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("ssl_key_file", key, &error))?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| format!("ssl_cert_file cannot be used: {error}"))
        }
        (None, Some(_)) => Err("ssl_key_file needs ssl_cert_file".to_owned()),
        (None, None) => Ok(builder.with_no_client_auth()),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, "ssl_ca_file")? {
        roots.add(certificate).map_err(|error| wrong("ssl_ca_file", path, &error))?;
    }
    Ok(roots)
}

fn certificates(path: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    match read() {
        Ok(all) if all.is_empty() => Err(format!("{option} = {} has no certificate in it", path.display())),
        Ok(all) => Ok(all),
        Err(error) => Err(wrong(option, path, &error)),
    }
}

fn wrong(option: &str, path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{option} = {} cannot be used: {error}", path.display())
}

// === impl Lenient ===

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        match authorities.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
