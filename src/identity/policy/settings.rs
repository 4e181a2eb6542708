//! `[oslo_policy]`.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// Where rules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `policy_file`: YAML or JSON, rule name to rule. Without the file, the defaults hold.
    pub policy_file: PathBuf,
    /// `policy_dirs`: folders of more such files; each is read in the order of names, over what came before.
    pub policy_dirs: Vec<PathBuf>,
    /// Where relative names are looked for, the first hit counts: the folders of the configuration files.
    pub directories: Vec<PathBuf>,
    /// `policy_default_rule`: stands for rules that are missing.
    pub policy_default_rule: String,
    /// `enforce_new_defaults`: false adds the defaults from before roles were told apart to those that no file overrides.
    pub enforce_new_defaults: bool,
    /// `enforce_scope`: tokens for the system or a domain may not use the Image API, whatever their roles.
    pub enforce_scope: bool,
    /// `remote_…`: how other servers are asked.
    pub remote: RemoteSettings,
}

/// How the servers of remote checks (`http:`, `https:`) are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// `remote_content_type`
    pub content_type: ContentType,
    /// `remote_ssl_verify_server_crt`: trust no certificate that no authority vouches for.
    pub verify_server: bool,
    /// `remote_ssl_ca_crt_file`: PEM file of the authorities in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// `remote_ssl_client_crt_file`: PEM file of our own certificate.
    pub client_cert_file: Option<PathBuf>,
    /// `remote_ssl_client_key_file`: its key, where that is not in the same file.
    pub client_key_file: Option<PathBuf>,
    /// `remote_timeout`: the longest time for an answer.
    pub timeout: Duration,
}

/// What a question to another server is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentType {
    /// `application/x-www-form-urlencoded`: fields that hold JSON.
    #[default]
    Form,
    /// `application/json`
    Json,
}

/// No such content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither application/x-www-form-urlencoded nor application/json")]
pub struct UnknownContentType;

// === impl ContentType ===

impl ContentType {
    /// As headers name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "application/x-www-form-urlencoded",
            Self::Json => "application/json",
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ContentType {
    type Err = UnknownContentType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Form, Self::Json].into_iter().find(|it| it.as_str() == text).ok_or(UnknownContentType)
    }
}

// === impl RemoteSettings ===

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            content_type: ContentType::default(),
            verify_server: false,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            timeout: Duration::from_secs(60),
        }
    }
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy_file: "policy.yaml".into(),
            policy_dirs: vec!["policy.d".into()],
            directories: vec!["/etc/glance".into()],
            policy_default_rule: "default".to_owned(),
            enforce_new_defaults: true,
            enforce_scope: true,
            remote: RemoteSettings::default(),
        }
    }
}
