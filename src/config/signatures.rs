//! Signatures of images, and where their certificates come from: Nova's options, and castellan's.

#[cfg(feature = "agent")]
use super::value::{Kind, Refused};
use super::{
    options::Options,
    value::{parsed, parsed_or_unset},
};
#[cfg(feature = "agent")]
use crate::agent::{self, signatures::Settings};
#[cfg(feature = "agent")]
use crate::image::signature::{CertificateId, InvalidCertificateId};
use crate::remote::{self, certificates};
use std::path::PathBuf;
use url::Url;

/// Where the key manager is, as castellan writes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeyManager {
    endpoint: Option<Url>,
    interface: String,
    region: Option<String>,
    verify_ssl: bool,
    verify_ssl_path: Option<PathBuf>,
}

#[cfg(feature = "agent")]
const IDS: Kind<Vec<CertificateId>> = Kind {
    takes: "ids of certificates (UUIDs), separated by commas",
    read: |text| {
        let ids = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        ids.map(|it| it.parse().map_err(|error: InvalidCertificateId| Refused(Some(error.to_string())))).collect()
    },
    write: |ids| Some(ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
};

/// `[DEFAULT]` of the catalogue.
#[cfg(feature = "catalogue")]
pub(super) fn of_catalogue(options: &mut Options<'_>, it: &mut crate::catalogue::service::SignatureSettings) {
    options.bind_as(
        "verify_signatures",
        &mut it.demand,
        parsed("off, when_present or required"),
        "Of which images the signature (img_signature and its like) is verified while their data comes in: when_present, of \
         those that are signed (as Glance does; an image with a part of the four properties gets no data); required, of all, \
         and an image that is not signed gets no data, snapshots included; off.",
    );
    folder(options, &mut it.certificates);
    options.bind(
        "signature_trust_anchors",
        &mut it.trust_anchors,
        "PEM file, or folder of such files (*.pem, *.crt), with the certificates that are trusted to vouch for signers: the roots, \
         and whatever stands between them and the signers'. The certificate of a signature must then be valid at the time, and be \
         vouched for by these. Not set: any certificate that the user names will do, as for Glance.",
    );
}

fn folder(options: &mut Options<'_>, it: &mut certificates::Settings) {
    options.bind(
        "certificate_directory",
        &mut it.folder,
        "Folder with certificates of signers, <id>.pem, <id>.crt or <id>.der. Not set: they come from the key manager.",
    );
}

/// `[DEFAULT]`: the agent's own.
#[cfg(feature = "agent")]
pub(super) fn own(options: &mut Options<'_>, it: &mut Settings) {
    options.bind_as(
        "verify_signatures",
        &mut it.verify_signatures,
        parsed("nova, off, when_present or required"),
        "Of which images the signature (img_signature and its like) is verified before they become bases: nova, of all, if \
         nova-compute verifies what it downloads (verify_glance_signatures, default_trusted_certificate_ids), and otherwise of \
         none; when_present, of those that are signed; required, of all, and what is not signed is refused; off.",
    );
    folder(options, &mut it.certificates);
}

/// `[glance]` of nova.conf.
#[cfg(feature = "agent")]
pub(super) fn of_nova(options: &mut Options<'_>, it: &mut Settings) {
    options.bind(
        "verify_glance_signatures",
        &mut it.verify_glance_signatures,
        "Every image must be signed, for nova-compute and so for the agent.",
    );
    options.bind(
        "enable_certificate_validation",
        &mut it.enable_certificate_validation,
        "The certificate of a signature must be valid at this time, and a trusted one must vouch for it.",
    );
    options.bind_as(
        "default_trusted_certificate_ids",
        &mut it.default_trusted_certificate_ids,
        IDS,
        "Ids of the trusted certificates: the roots, and whatever stands between them and the signers'.",
    );
}

/// `[key_manager]` and `[barbican]`; `login` says where the key manager is and who is logged in there.
pub(super) fn key_manager(
    options: &mut Options<'_>,
    it: &mut certificates::Settings,
    place: &mut KeyManager,
    login: &'static str,
) {
    options.section("key_manager");
    options.bind_renamed(
        "backend",
        &["api_class"],
        &mut it.backend,
        "The key manager that has the certificates: barbican.",
    );
    options.section("barbican");
    options.bind_as(
        "barbican_endpoint",
        &mut place.endpoint,
        parsed_or_unset("a URL such as http://controller:9311"),
        login,
    );
    options.bind(
        "barbican_endpoint_type",
        &mut place.interface,
        "Which of the addresses in Keystone's service catalogue: public, internal or admin.",
    );
    options.bind("barbican_region_name", &mut place.region, "The region whose Barbican is used.");
    options.bind("verify_ssl", &mut place.verify_ssl, "Off: trust any certificate of Barbican's server.");
    options.bind(
        "verify_ssl_path",
        &mut place.verify_ssl_path,
        "A PEM file of the authorities to trust for Barbican's server, instead of those for the other services or the system's.",
    );
}

// === impl KeyManager ===

impl Default for KeyManager {
    fn default() -> Self {
        Self { endpoint: None, interface: "public".to_owned(), region: None, verify_ssl: true, verify_ssl_path: None }
    }
}

impl KeyManager {
    /// The settings of the key manager, where these hold for the other services.
    pub(super) fn settings(&self, others: remote::Settings) -> remote::Settings {
        remote::Settings {
            endpoint: self.endpoint.clone(),
            interface: self.interface.clone(),
            region: self.region.clone().or_else(|| others.region.clone()),
            service_type: "key-manager".to_owned(),
            cafile: self.verify_ssl_path.clone().or_else(|| others.cafile.clone()),
            insecure: !self.verify_ssl || others.insecure,
            ..others
        }
    }

    /// Puts it into the settings, with the login at the catalogue.
    #[cfg(feature = "agent")]
    pub(super) fn apply(&self, settings: &mut agent::Settings) {
        settings.signatures.certificates.barbican = self.settings(settings.catalogue.clone());
    }
}

/// The help of `barbican_endpoint` for the agent.
#[cfg(feature = "agent")]
pub(super) const AGENTS: &str =
    "Barbican's address. Not set: the one in Keystone's service catalogue. The login is that of [glance].";

/// Likewise, for the catalogue.
#[cfg(feature = "catalogue")]
pub(super) const USERS: &str = "Barbican's address. Not set: the one in Keystone's service catalogue. A certificate is asked for \
     with the token of the user whose image it is for.";
