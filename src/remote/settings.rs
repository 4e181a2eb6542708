//! Where the catalogue is, and who we are there.

use crate::remote::{Secret, transport};
use std::{path::PathBuf, time::Duration};
use url::Url;

/// How to reach a catalogue; the defaults suit Larder's own on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The image service, such as `http://controller:9292`; none: as Keystone's service catalogue says.
    pub endpoint: Option<Url>,
    /// Who we are.
    pub auth: Auth,
    /// The region whose endpoint is taken; none: the first one.
    pub region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub interface: String,
    /// The type of the image service in Keystone's catalogue.
    pub service_type: String,
    /// PEM file of the authorities to trust instead of the system's (as `cafile` of OpenStack's clients).
    pub cafile: Option<PathBuf>,
    /// Trust any certificate.
    pub insecure: bool,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest silence of a server; there is no limit on how long an image takes.
    pub read_timeout: Duration,
    /// Longest wait, after the last byte of an upload, for the server to say that it has the image.
    pub finish_timeout: Duration,
    /// Proxy for all requests; none: as the environment says (`https_proxy`…), as OpenStack's clients do.
    pub proxy: Option<Url>,
}

/// How to say who we are.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Auth {
    /// Not at all: the server asks nobody.
    #[default]
    None,
    /// A token that somebody else got; it is not renewed.
    Token(Secret),
    /// Keystone v3, user and password.
    Password(Password),
    /// Keystone v3, an application credential.
    ApplicationCredential(ApplicationCredential),
}

/// A user with a password, in a project; either the name (with a domain) or the id of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Password {
    /// Keystone, such as `http://controller:5000/v3`; the version may be left out.
    pub auth_url: String,
    /// The user.
    pub username: Option<String>,
    /// Likewise.
    pub user_id: Option<String>,
    /// The user's password.
    pub password: Secret,
    /// The user's domain.
    pub user_domain_name: Option<String>,
    /// Likewise; `default` when neither is given.
    pub user_domain_id: Option<String>,
    /// The project to work in.
    pub project_name: Option<String>,
    /// Likewise.
    pub project_id: Option<String>,
    /// The project's domain.
    pub project_domain_name: Option<String>,
    /// Likewise; `default` when neither is given.
    pub project_domain_id: Option<String>,
}

/// An application credential; its project and roles are its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApplicationCredential {
    /// Keystone, such as `http://controller:5000/v3`; the version may be left out.
    pub auth_url: String,
    /// The credential.
    pub id: Option<String>,
    /// Likewise; then the user is needed too.
    pub name: Option<String>,
    /// The credential's secret.
    pub secret: Secret,
    /// Whose credential `name` is.
    pub username: Option<String>,
    /// Likewise.
    pub user_id: Option<String>,
    /// That user's domain.
    pub user_domain_name: Option<String>,
    /// Likewise; `default` when neither is given.
    pub user_domain_id: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: None,
            auth: Auth::None,
            region: None,
            interface: "public".to_owned(),
            service_type: "image".to_owned(),
            cafile: None,
            insecure: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            finish_timeout: Duration::from_secs(600),
            proxy: None,
        }
    }
}

impl Settings {
    /// The service, in messages.
    pub(super) fn service(&self) -> &'static str {
        if self.service_type == "image" { "the catalogue" } else { "the key manager" }
    }

    /// Whether they say where the service is, or who knows it.
    pub(super) fn is_somewhere(&self) -> bool {
        self.endpoint.is_some() || self.auth.auth_url().is_some()
    }

    /// Where the service is, for people: its endpoint, or the Keystone that knows it.
    pub(super) fn place(&self, service: &str) -> String {
        match (&self.endpoint, self.auth.auth_url()) {
            (Some(url), _) => transport::shown(url),
            (None, Some(keystone)) => {
                let keystone = Url::parse(keystone).map_or_else(|_| keystone.to_owned(), |it| transport::shown(&it));
                format!("{service} of {keystone}")
            }
            (None, None) => "nowhere".to_owned(),
        }
    }
}

impl Auth {
    /// Keystone's address; none without a login.
    pub(super) fn auth_url(&self) -> Option<&str> {
        match self {
            Self::None | Self::Token(_) => None,
            Self::Password(it) => Some(&it.auth_url),
            Self::ApplicationCredential(it) => Some(&it.auth_url),
        }
    }
}
