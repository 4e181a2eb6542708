//! Whose signature an image has.

use super::{AnchorsError, Kept, Settings, anchors};
use crate::base::{
    certificate::{Anchor, Certificate, ChainError, check_chain},
    chain,
};
use crate::catalogue::service::{Fault, Service};
use crate::identity::Caller;
use crate::image::{
    Image, ImageId,
    signature::{CertificateId, PROPERTIES, Signature, SignatureError, Signatures, Signer},
};
use crate::remote::certificates::{CertificateError, User, UserCertificates};
use crate::store::Ingested;
use chrono::Utc;

/// What is asked of signatures, and who gives certificates and vouches for them.
#[derive(Debug)]
pub(in crate::catalogue::service) struct Signers {
    demand: Signatures,
    certificates: UserCertificates,
    /// None: any certificate will do.
    anchors: Option<Vec<Anchor>>,
}

/// How the certificate of a signature may be had.
#[derive(Clone, Copy)]
pub(in crate::catalogue::service) struct Named<'a> {
    /// One that was had before.
    pub(in crate::catalogue::service) kept: Option<&'a Kept>,
    /// Whose image it is for, while the token is here.
    pub(in crate::catalogue::service) caller: Option<&'a Caller>,
}

// === impl Signers ===

impl Signers {
    /// Reads the certificates that are trusted. Blocks.
    ///
    /// # Errors
    /// [`AnchorsError`]
    pub(in crate::catalogue::service) fn open(settings: &Settings) -> Result<Self, AnchorsError> {
        let anchors = match &settings.trust_anchors {
            Some(path) if settings.demand != Signatures::Off => Some(anchors::read(path)?),
            _ => None,
        };
        let certificates = UserCertificates::new(settings.certificates.clone());
        Ok(Self { demand: settings.demand, certificates, anchors })
    }

    /// Data that nobody reads cannot be verified.
    ///
    /// # Errors
    /// `Invalid`: all must be signed here.
    pub(in crate::catalogue::service) fn refuse_unread(&self, image: &ImageId) -> Result<(), Fault> {
        if self.demand != Signatures::Required {
            return Ok(());
        }
        Err(Fault::Invalid(format!(
            "No location can be added to image {image} in this way: only data whose signature is verified is taken here \
             (verify_signatures = required). Upload or import it."
        )))
    }

    /// The signature that is to be verified of an image; none when none is.
    ///
    /// # Errors
    /// `Invalid`: it has a part of one, a wrong one, or none where one is needed.
    pub(in crate::catalogue::service) fn signature(&self, image: &Image) -> Result<Option<Signature>, Fault> {
        let property = |name: &str| image.properties.get(name).and_then(Option::as_deref);
        self.demand.find(property).map_err(|error| match error {
            SignatureError::Unsigned => Fault::Invalid(format!(
                "Image {} is not signed, and only signed images are taken here: set its properties {} before it gets data.",
                image.id,
                PROPERTIES.join(", ")
            )),
            other => failed(&image.id, &other.to_string()),
        })
    }

    /// That the certificate may sign images here, now.
    fn vouch(&self, image: &ImageId, id: &CertificateId, certificate: &Certificate) -> Result<(), Fault> {
        let Some(anchors) = &self.anchors else { return Ok(()) };
        check_chain(certificate, anchors, Utc::now()).map_err(|error| {
            // The files that are trusted are told to nobody but the operator.
            tracing::warn!(image.id = %image, certificate.id = %id, error = %error, "a signer is not trusted");
            let why = match error {
                ChainError::Untrusted { issuer, .. } => {
                    format!("no chain of trusted certificates leads to it; its issuer is {issuer}")
                }
                other => other.to_string(),
            };
            failed(image, &format!("the certificate {id} ({}) is not trusted here: {why}", certificate.subject()))
        })
    }
}

// === impl Service ===

impl Service {
    /// Who must have signed the data of an image, by what its properties say; none when nobody must.
    ///
    /// # Errors
    /// `Invalid`: the signature or its certificate is not one that counts here, or not to be had; `Unavailable`: the key
    /// manager does not answer now.
    pub(in crate::catalogue::service) async fn signer(
        &self,
        image: &Image,
        named: Named<'_>,
    ) -> Result<Option<Signer>, Fault> {
        let signers = self.signers();
        let Some(signature) = signers.signature(image)? else { return Ok(None) };
        let id = signature.certificate().clone();
        let certificate = match named.kept.and_then(|it| it.get(&id)) {
            Some(certificate) => certificate,
            None => self.certificate(&signers, (&image.id, &id), named.caller).await?,
        };
        signers.vouch(&image.id, &id, &certificate)?;
        let signer = Signer::new(signature, certificate).map_err(|error| failed(&image.id, &chain(&error).to_string()));
        if signer.is_err() {
            count("refused");
        }
        signer.map(Some)
    }

    async fn certificate(
        &self,
        signers: &Signers,
        (image, id): (&ImageId, &CertificateId),
        caller: Option<&Caller>,
    ) -> Result<Certificate, Fault> {
        let (asks, needs_catalog) = signers.certificates.wants_user();
        let token = caller.and_then(|it| it.token.clone()).filter(|_| asks);
        let user = match (caller, token) {
            (Some(caller), Some(token)) => {
                let catalog = match needs_catalog {
                    true => self.authenticator().catalog(caller).await.map_err(|error| {
                        tracing::error!(image.id = %image, error = %chain(&error), "Keystone does not tell a user's catalogue");
                        away(id)
                    })?,
                    false => None,
                };
                Some(User { token, catalog })
            }
            _ => None,
        };
        signers.certificates.get(user.as_ref(), id).await.map_err(|error| {
            count("no_certificate");
            tracing::warn!(image.id = %image, certificate.id = %id, error = %chain(&error), "the certificate of a signature is not to be had");
            if error.is_passing() { away(id) } else { failed(image, &told(&error, id)) }
        })
    }
}

/// Judges data by its hash of the signature's kind.
///
/// # Errors
/// `Invalid`: it is not what was signed.
pub(in crate::catalogue::service) fn check(image: &ImageId, signer: &Signer, facts: &Ingested) -> Result<(), Fault> {
    let judged = signer.verify(facts.also.as_deref().unwrap_or_default());
    count(if judged.is_ok() { "verified" } else { "refused" });
    let subject = signer.certificate().subject();
    match judged {
        Ok(()) => {
            tracing::info!(image.id = %image, certificate.id = %signer.signature().certificate(), subject, "signature verified");
            Ok(())
        }
        Err(error) => Err(failed(image, &chain(&error).to_string())),
    }
}

/// An error of a key manager in words for the client: nothing of the server's addresses and folders.
fn told(error: &CertificateError, id: &CertificateId) -> String {
    match error {
        _ if error.is_missing() => format!("there is no certificate {id} that you may read"),
        CertificateError::Remote(error) if error.is_denied() => {
            format!("the key manager does not let you read the certificate {id}")
        }
        CertificateError::OtherKind { kind, .. } => {
            format!("the secret {id} is of type '{kind}', not 'certificate': store it with --secret-type certificate")
        }
        CertificateError::Malformed { source, .. } => format!("{id} is no certificate: {source}"),
        CertificateError::Nobody => {
            format!("the certificate {id} is at a key manager, which gives it to users with a token of Keystone only")
        }
        _ => format!("the certificate {id} is not to be had here"),
    }
}

/// Begins as Glance's words do.
fn failed(image: &ImageId, why: &str) -> Fault {
    Fault::Invalid(format!("Signature verification failed for image {image}: {why}"))
}

fn away(id: &CertificateId) -> Fault {
    Fault::Unavailable(format!("The certificate {id} of the image's signature cannot be asked for now; try again."))
}

fn count(outcome: &'static str) {
    metrics::counter!("larder_catalogue_signatures_total", "outcome" => outcome).increment(1);
}
