//! Who logs in where: the account of the options, those of `swift_store_config_file`, and those that location URLs carry.

use super::settings::SwiftSettings;
use crate::base::Secret;
use crate::http::keystone;
use std::{collections::BTreeMap, fs, path::Path};

/// The longest configuration file, bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// `http://` or `https://` and the rest, without a slash at its end.
    pub(super) address: String,
    pub(super) version: Version,
    pub(super) credentials: Credentials,
    pub(super) domains: Domains,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Swift's own.
    V1,
    /// Keystone's.
    V3,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Password {
        /// `project:user`
        user: String,
        key: Secret,
    },
    Application {
        id: String,
        secret: Secret,
    },
}

/// Of the user and of the project; where neither name nor id is set it is the one with the id `default`, and an id goes
/// before a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Domains {
    pub(super) user_name: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) project_name: Option<String>,
    pub(super) project_id: Option<String>,
}

// === impl Account ===

impl Account {
    /// The user and the key, where it has these.
    pub(super) fn login(&self) -> Option<(&str, &Secret)> {
        match &self.credentials {
            Credentials::Password { user, key } => Some((user, key)),
            Credentials::Application { .. } => None,
        }
    }

    /// As Keystone is asked for a token; none for a user that is not written as `project:user`.
    pub(super) fn at_keystone(&self) -> Option<keystone::Credentials> {
        let auth_url = self.address.clone();
        match &self.credentials {
            Credentials::Application { id, secret } => Some(keystone::Credentials {
                auth_url,
                application_credential_id: Some(id.clone()),
                application_credential_secret: secret.clone(),
                ..keystone::Credentials::default()
            }),
            Credentials::Password { user, key } => {
                let ((project, user), domains) = (user.split_once(':')?, self.domains.clone());
                Some(keystone::Credentials {
                    auth_url,
                    username: Some(user.to_owned()),
                    password: key.clone(),
                    user_domain_name: domains.user_name,
                    user_domain_id: domains.user_id,
                    project_name: Some(project.to_owned()),
                    project_domain_name: domains.project_name,
                    project_domain_id: domains.project_id,
                    ..keystone::Credentials::default()
                })
            }
        }
    }

    fn check(self) -> Result<Self, String> {
        let url = url::Url::parse(&self.address).ok().filter(|it| matches!(it.scheme(), "http" | "https"));
        if url.is_none_or(|it| !it.has_host() || !it.username().is_empty()) {
            return Err("the auth address is none, such as https://keystone.example.org:5000/v3".to_owned());
        }
        let (v3, user) = (self.version == Version::V3, self.login().map(|it| it.0));
        if v3 && user.is_some_and(|it| it.split(':').count() != 2) {
            return Err("the user is not written as project:user".to_owned());
        }
        Ok(self)
    }
}

/// An address as options write it; without a scheme it is `https://`, as with Glance.
pub(super) fn address(written: &str) -> String {
    let written = written.trim();
    let (scheme, rest) = match (written.strip_prefix("http://"), written.strip_prefix("https://")) {
        (Some(rest), _) => ("http", rest),
        (None, rest) => ("https", rest.unwrap_or(written)),
    };
    format!("{scheme}://{}", rest.trim_matches('/'))
}

/// All accounts of the options by their references. Reads the configuration file. Blocking.
///
/// # Errors
/// Which option is wrong, and why; no secret.
pub(super) fn load(settings: &SwiftSettings) -> Result<BTreeMap<String, Account>, String> {
    let version = match settings.auth_version.trim() {
        "" | "3" => Version::V3,
        "1" | "1.0" => Version::V1,
        other => return Err(format!("swift_store_auth_version is {other}: there are 3 (Keystone) and 1 (tempauth)")),
    };
    let found = match &settings.config_file {
        Some(path) => {
            let name = path.display();
            let text = read(path).map_err(|why| format!("swift_store_config_file {name}: {why}"))?;
            references(&text, version).map_err(|why| format!("swift_store_config_file {name}: {why}"))?
        }
        None => {
            let account = of_options(settings, version)?;
            BTreeMap::from([(settings.default_reference.clone(), account)])
        }
    };
    if !found.contains_key(&settings.default_reference) {
        let known = found.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let name = &settings.default_reference;
        return Err(format!("default_swift_reference is {name}, and swift_store_config_file has: {known}"));
    }
    Ok(found)
}

fn of_options(settings: &SwiftSettings, version: Version) -> Result<Account, String> {
    if settings.auth_address.trim().is_empty() {
        return Err("swift_store_auth_address is not set (nor swift_store_config_file)".to_owned());
    }
    let (id, secret) = (settings.application_credential_id.trim(), &settings.application_credential_secret);
    let credentials = if !id.is_empty() && !secret.is_empty() {
        Credentials::Application { id: id.to_owned(), secret: secret.clone() }
    } else if settings.user.trim().is_empty() || settings.key.is_empty() {
        return Err("swift_store_user and swift_store_key are not set (nor an application credential, nor \
                    swift_store_config_file)"
            .to_owned());
    } else {
        Credentials::Password { user: settings.user.trim().to_owned(), key: settings.key.clone() }
    };
    let address = address(&settings.auth_address);
    let account = Account { address, version, credentials, domains: Domains::default() };
    account.check().map_err(|why| format!("swift_store_auth_address, swift_store_user: {why}"))
}

fn read(path: &Path) -> Result<String, String> {
    let len = fs::metadata(path).map_err(|e| format!("it cannot be read: {e}"))?.len();
    if len > LONGEST_FILE {
        return Err("it is longer than 1 MiB".to_owned());
    }
    fs::read_to_string(path).map_err(|e| format!("it cannot be read: {e}"))
}

/// What the file says, as Python's configparser reads it: `[reference]`, `name = value` or `name: value`, lines of comment.
fn references(text: &str, version: Version) -> Result<BTreeMap<String, Account>, String> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            sections.entry(name.to_owned()).or_default();
            section = Some(name.to_owned());
            continue;
        }
        let split = line.split_once(['=', ':']);
        let (Some((name, value)), Some(section)) = (split, &section) else {
            return Err(format!("line {} is neither [reference] nor name = value", at + 1));
        };
        let value = unquoted(value.trim()).ok_or_else(|| format!("line {} has a quote that is not closed", at + 1))?;
        sections.entry(section.clone()).or_default().insert(name.trim().to_lowercase(), value);
    }
    let defaults = sections.remove("DEFAULT").unwrap_or_default();
    let mut found = BTreeMap::new();
    for (name, own) in sections {
        let mut values = defaults.clone();
        values.extend(own);
        let account = account(&values, version).and_then(Account::check);
        found.insert(name.clone(), account.map_err(|why| format!("[{name}]: {why}"))?);
    }
    Ok(found)
}

fn unquoted(value: &str) -> Option<String> {
    let inner = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value.get(1..)?.strip_suffix(quote)?,
        _ => value,
    };
    // configparser's own escape.
    Some(inner.replace("%%", "%"))
}

fn account(values: &BTreeMap<String, String>, version: Version) -> Result<Account, String> {
    let get = |name: &str| values.get(name).filter(|it| !it.is_empty());
    let need = |name: &str| get(name).cloned().ok_or_else(|| format!("{name} is missing"));
    let credentials = match (get("application_credential_id"), get("application_credential_secret")) {
        (Some(id), Some(secret)) => Credentials::Application { id: id.clone(), secret: secret.as_str().into() },
        (None, None) => Credentials::Password { user: need("user")?, key: need("key")?.into() },
        _ => return Err("an application credential takes both application_credential_id and _secret".to_owned()),
    };
    let domains = Domains {
        user_name: get("user_domain_name").cloned(),
        user_id: get("user_domain_id").cloned(),
        project_name: get("project_domain_name").cloned(),
        project_id: get("project_domain_id").cloned(),
    };
    Ok(Account { address: address(&need("auth_address")?), version, credentials, domains })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn glances_file_is_read() {
        let text = "# accounts\n[DEFAULT]\nproject_domain_name = Default\n\n[ref1]\nuser = tenant:user1\nkey = \"k ey%%\"\n\
                    auth_address = http://k:5000/v3/\n[ref2]\napplication_credential_id: abc\n\
                    application_credential_secret: SECRET\nauth_address: k.example.org/v3\nuser_domain_id=here\n";
        let found = references(text, Version::V3).unwrap();
        let one = &found["ref1"];
        assert_eq!(one.login(), Some(("tenant:user1", &Secret::from("k ey%"))));
        assert_eq!(one.address, "http://k:5000/v3");
        let login = one.at_keystone().unwrap().request().unwrap();
        assert_eq!(
            login["auth"],
            json!({
                "identity": {"methods": ["password"], "password": {
                    "user": {"name": "user1", "domain": {"id": "default"}, "password": "k ey%"},
                }},
                "scope": {"project": {"name": "tenant", "domain": {"name": "Default"}}},
            })
        );
        let two = &found["ref2"];
        assert_eq!((two.address.as_str(), two.login()), ("https://k.example.org/v3", None));
        assert_eq!(two.domains.user_id.as_deref(), Some("here"));
        let login = two.at_keystone().unwrap().request().unwrap();
        assert_eq!(
            (&login["auth"]["scope"], &login["auth"]["identity"]["methods"][0]),
            (&json!(null), &json!("application_credential"))
        );
        assert!(!format!("{found:?}").contains("SECRET"));
        for (text, why) in [
            ("user = x", "line 1"),
            ("[a]\nuser = p:u\nauth_address = http://k", "[a]: key is missing"),
            ("[a]\nuser = u\nkey = K\nauth_address = http://k", "project:user"),
            ("[a]\nuser = p:u\nkey = K\nauth_address = http://", "auth address"),
            ("[a]\nkey = \"K", "quote"),
        ] {
            let said = references(text, Version::V3).unwrap_err();
            assert!(said.contains(why) && !said.contains('K'), "{said}");
        }
    }

    #[test]
    fn options_that_are_missing_are_named() {
        let with = |change: fn(&mut SwiftSettings)| {
            let mut it = SwiftSettings {
                auth_address: "http://k/v3".to_owned(),
                user: "p:u".to_owned(),
                key: "k".into(),
                ..SwiftSettings::default()
            };
            change(&mut it);
            load(&it).map(|it| it.len())
        };
        assert_eq!(with(|_| ()), Ok(1));
        assert!(with(|it| it.auth_version = "2".to_owned()).unwrap_err().contains("swift_store_auth_version is 2"));
        assert!(with(|it| it.auth_address.clear()).unwrap_err().contains("swift_store_auth_address"));
        assert!(with(|it| it.user = "u".to_owned()).unwrap_err().contains("project:user"));
        assert!(with(|it| it.key = Secret::default()).unwrap_err().contains("swift_store_key"));
        assert!(with(|it| it.config_file = Some("/nowhere".into())).unwrap_err().contains("/nowhere"));
    }
}
