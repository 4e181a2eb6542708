//! How to log in at Keystone, as OpenStack's services write it (keystoneauth's options).

#[cfg(feature = "agent")]
use super::{
    options::Options,
    value::{Refused, Secret, Value},
};
use crate::remote::{self, ApplicationCredential, Auth, Password};
use std::path::PathBuf;

/// One section with a login.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Login {
    pub(super) auth_type: Option<String>,
    pub(super) auth_url: Option<String>,
    pub(super) username: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) password: Option<String>,
    pub(super) user_domain_name: Option<String>,
    pub(super) user_domain_id: Option<String>,
    pub(super) project_name: Option<String>,
    pub(super) project_id: Option<String>,
    pub(super) project_domain_name: Option<String>,
    pub(super) project_domain_id: Option<String>,
    pub(super) application_credential_id: Option<String>,
    pub(super) application_credential_name: Option<String>,
    pub(super) application_credential_secret: Option<String>,
    pub(super) token: Option<String>,
    pub(super) region_name: Option<String>,
    pub(super) cafile: Option<PathBuf>,
    pub(super) insecure: bool,
}

/// The login can't be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The kind of login is none that Larder has.
    #[error("auth_type '{0}' is not supported: it takes password, v3password, v3applicationcredential, token or none")]
    Type(String),
    /// Something that this kind of login needs is not set.
    #[error("a login of auth_type {auth_type} needs {missing}")]
    Missing {
        /// The kind.
        auth_type: &'static str,
        /// The option.
        missing: &'static str,
    },
}

/// The options of a login, in the section that is current.
#[cfg(feature = "agent")]
pub(super) fn visit(options: &mut Options<'_>, it: &mut Login) {
    options.bind(
        "auth_type",
        &mut it.auth_type,
        "How to log in: password (or v3password), v3applicationcredential, token, or none. Not set: by what else is set.",
    );
    options.bind("auth_url", &mut it.auth_url, "Keystone's address, such as http://controller:5000/v3.");
    options.bind_renamed("username", &["user-name", "user_name"], &mut it.username, "The user.");
    options.bind("user_id", &mut it.user_id, "The user, by id.");
    options.bind("password", &mut Secret(&mut it.password), "The user's password.");
    options.bind("user_domain_name", &mut it.user_domain_name, "The user's domain.");
    options.bind("user_domain_id", &mut it.user_domain_id, "The user's domain, by id; default when neither is set.");
    options.bind_renamed(
        "project_name",
        &["tenant_name", "tenant-name"],
        &mut it.project_name,
        "The project to work in.",
    );
    options.bind_renamed("project_id", &["tenant_id", "tenant-id"], &mut it.project_id, "The project, by id.");
    options.bind("project_domain_name", &mut it.project_domain_name, "The project's domain.");
    options.bind(
        "project_domain_id",
        &mut it.project_domain_id,
        "The project's domain, by id; default when neither is set.",
    );
    options.bind("application_credential_id", &mut it.application_credential_id, "The application credential.");
    options.bind(
        "application_credential_name",
        &mut it.application_credential_name,
        "The application credential, by name; then the user is needed too.",
    );
    options.bind(
        "application_credential_secret",
        &mut Secret(&mut it.application_credential_secret),
        "The application credential's secret.",
    );
    options.bind("token", &mut Secret(&mut it.token), "A token that somebody else got; it is not renewed.");
    options.bind("region_name", &mut it.region_name, "The region whose image service is used.");
    options.bind("cafile", &mut it.cafile, "A PEM file of the authorities to trust instead of the system's.");
    options.bind("insecure", &mut it.insecure, "Trust any certificate.");
}

// === impl Login ===

impl Login {
    /// Whether the section says anything about who we are.
    #[cfg(feature = "agent")]
    pub(super) fn is_set(&self) -> bool {
        self.auth_type.is_some() || self.auth_url.is_some() || self.token.is_some()
    }

    /// The login itself.
    pub(super) fn auth(&self) -> Result<Auth, LoginError> {
        let has_credential = self.application_credential_id.is_some() || self.application_credential_name.is_some();
        let kind = match self.auth_type.as_deref() {
            None | Some("") if self.token.is_some() => "token",
            None | Some("") if self.auth_url.is_some() && has_credential => "v3applicationcredential",
            None | Some("") if self.auth_url.is_some() => "password",
            None | Some("") => "none",
            Some(kind) => kind,
        };
        match kind {
            "none" | "noauth" => Ok(Auth::None),
            "token" | "v3token" | "admin_token" => Ok(Auth::Token(need(&self.token, "token", "token")?.into())),
            "password" | "v3password" => self.password().map(Auth::Password),
            "v3applicationcredential" => self.application_credential().map(Auth::ApplicationCredential),
            other => Err(LoginError::Type(other.chars().take(80).collect())),
        }
    }

    fn password(&self) -> Result<Password, LoginError> {
        const TYPE: &str = "password";
        if self.user_id.is_none() {
            need(&self.username, TYPE, "username")?;
        }
        Ok(Password {
            auth_url: need(&self.auth_url, TYPE, "auth_url")?,
            username: self.username.clone(),
            user_id: self.user_id.clone(),
            password: need(&self.password, TYPE, "password")?.into(),
            user_domain_name: self.user_domain_name.clone(),
            user_domain_id: self.user_domain_id.clone(),
            project_name: self.project_name.clone(),
            project_id: self.project_id.clone(),
            project_domain_name: self.project_domain_name.clone(),
            project_domain_id: self.project_domain_id.clone(),
        })
    }

    fn application_credential(&self) -> Result<ApplicationCredential, LoginError> {
        const TYPE: &str = "v3applicationcredential";
        if self.application_credential_id.is_none() {
            need(&self.application_credential_name, TYPE, "application_credential_id")?;
        }
        Ok(ApplicationCredential {
            auth_url: need(&self.auth_url, TYPE, "auth_url")?,
            id: self.application_credential_id.clone(),
            name: self.application_credential_name.clone(),
            secret: need(&self.application_credential_secret, TYPE, "application_credential_secret")?.into(),
            username: self.username.clone(),
            user_id: self.user_id.clone(),
            user_domain_name: self.user_domain_name.clone(),
            user_domain_id: self.user_domain_id.clone(),
        })
    }

    /// Puts the login into the settings of a catalogue's client.
    pub(super) fn apply(&self, settings: &mut remote::Settings) -> Result<(), LoginError> {
        settings.auth = self.auth()?;
        settings.region = self.region_name.clone().or_else(|| settings.region.take());
        settings.cafile = self.cafile.clone().or_else(|| settings.cafile.take());
        settings.insecure |= self.insecure;
        Ok(())
    }
}

fn need(value: &Option<String>, auth_type: &'static str, missing: &'static str) -> Result<String, LoginError> {
    value.clone().ok_or(LoginError::Missing { auth_type, missing })
}

/// A list of which only the first entry counts.
#[cfg(feature = "agent")]
pub(super) struct First<'a>(pub(super) &'a mut Option<String>);

#[cfg(feature = "agent")]
impl Value for First<'_> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        let mut list = Vec::<String>::new();
        list.read(values)?;
        *self.0 = list.into_iter().next();
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }

    fn takes(&self) -> String {
        "a list, of which the first is used".to_owned()
    }
}
