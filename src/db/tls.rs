//! Encrypted connections: the files that they need, and why there is none.

use crate::db::{Address, DbError};
use rustls::{
    AlertDescription, CertificateError, Error as TlsError,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// How a connection string calls what TLS needs.
pub(super) struct Words {
    /// The option that asks for TLS, with its value; none when nothing does.
    pub(super) asked: Option<String>,
    /// The name of the file of authorities, and its value.
    pub(super) authority: (&'static str, Option<String>),
    /// The names of the client's certificate and key.
    pub(super) client: [&'static str; 2],
    /// What lets a certificate of another name pass.
    pub(super) any_name: &'static str,
}

// === impl Words ===

impl Words {
    /// Reads the files once, so that one that cannot be used is named before anybody waits for a connection.
    ///
    /// # Errors
    /// What is wrong, for [`DbError::Connection`].
    pub(super) fn check_files(&self, address: &Address) -> Result<(), String> {
        let wrong = |name: &str, file: &str, why: String| format!("its {name} = {file} cannot be used: {why}");
        if let (name, Some(file)) = &self.authority {
            let certificates = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
            match certificates() {
                Ok(all) if all.is_empty() => return Err(wrong(name, file, "there is no certificate in it".to_owned())),
                Ok(_) => {}
                Err(error) => return Err(wrong(name, file, error.to_string())),
            }
        }
        let [cert, key] = self.client;
        match (address.option(cert), address.option(key)) {
            (Some(cert_file), Some(key_file)) => {
                CertificateDer::from_pem_file(cert_file).map_err(|error| wrong(cert, cert_file, error.to_string()))?;
                PrivateKeyDer::from_pem_file(key_file).map_err(|error| wrong(key, key_file, error.to_string()))?;
                Ok(())
            }
            (None, None) => Ok(()),
            _ => Err(format!("{cert} and {key} go together")),
        }
    }

    /// The failure, if it is one of TLS; the error itself otherwise.
    pub(super) fn judge(&self, at: &str, error: sqlx::Error) -> Result<DbError, sqlx::Error> {
        let why = match &error {
            sqlx::Error::Tls(source) => match source.downcast_ref::<TlsError>() {
                Some(error) => self.why(error),
                None if source.to_string().contains("does not support") => self.asked.as_deref().map_or_else(
                    || "the server has none".to_owned(),
                    |asked| format!("the server has none, and [database] connection asks for it with {asked}"),
                ),
                None => format!("look at {} in [database] connection", self.authority.0),
            },
            sqlx::Error::Io(source) => match source.get_ref().and_then(|it| it.downcast_ref::<TlsError>()) {
                Some(error) => self.why(error),
                None => return Err(error),
            },
            _ => return Err(error),
        };
        Ok(DbError::Tls { at: at.to_owned(), why, source: error.into() })
    }

    fn why(&self, error: &TlsError) -> String {
        let (authority, file) = (self.authority.0, self.authority.1.as_deref());
        match error {
            TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => format!(
                "the server's certificate is not for the name that [database] connection has; {} lets any name pass",
                self.any_name
            ),
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                match file {
                    Some(file) => {
                        format!("the server's certificate was signed by nobody in {authority} = {file}")
                    }
                    None => format!(
                        "{authority} in [database] connection has to name the file of the authority that signed the \
                         server's certificate"
                    ),
                }
            }
            TlsError::InvalidCertificate(_) => {
                format!("the server's certificate is not accepted ({authority} has the authorities)")
            }
            TlsError::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::HandshakeFailure
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::UnsupportedCertificate,
            ) => format!("the server does not accept {} and {}", self.client[0], self.client[1]),
            _ => "the two do not agree on how to encrypt".to_owned(),
        }
    }
}

/// Says which options have no effect, and refuses those that the connection would be less safe without.
///
/// # Errors
/// What is wrong, for [`DbError::Connection`].
pub(super) fn check_names(address: &Address, known: &[&str]) -> Result<(), String> {
    let others = address.others(known);
    if let Some(name) = others.iter().find(|it| it.starts_with("ssl")) {
        let all: Vec<&str> = known.iter().copied().filter(|it| it.starts_with("ssl")).collect();
        return Err(format!("its option {name} is not known here, and is of TLS: there are {}", all.join(", ")));
    }
    if !others.is_empty() {
        tracing::warn!("[database] connection has options that are not used: {}", others.join(", "));
    }
    Ok(())
}
