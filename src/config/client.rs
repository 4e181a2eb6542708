//! Where the commands find a catalogue and an agent: the command line, then the environment, then `./larder-dev`.

use super::login::{Login, LoginError};
use crate::admin;
use crate::commands::{LoginArgs, cache::Connection};
use crate::remote;
use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
};
use url::Url;

/// Where `larder dev` keeps its things unless told otherwise.
pub const DEV_DIR: &str = "larder-dev";
/// The file in that folder that names the catalogue's address.
pub const DEV_ADDRESS: &str = "address";
/// The agent's socket in that folder.
pub const DEV_SOCKET: &str = "agent.sock";

/// Where Larder's own catalogue listens.
const LOCAL: &str = "http://127.0.0.1:9292";

/// The catalogue can't be found by what was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientConfigError {
    /// An address is none.
    #[error("{whence} '{text}' is not an address such as http://127.0.0.1:9292")]
    Address {
        /// The option or variable.
        whence: &'static str,
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// The login lacks something.
    #[error("the login of the command line and the OS_ variables cannot be used")]
    Login(#[from] LoginError),
}

/// The variables of the environment that OpenStack's commands read.
#[derive(Clone, Debug, Default)]
pub struct Environment(HashMap<String, String>);

// === impl Environment ===

impl Environment {
    /// Of this process.
    pub fn of_process() -> Self {
        Self::of(env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))))
    }

    /// Of these variables; empty ones count as not set.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|name| Some((*name, self.0.get(*name)?.as_str())))
    }

    fn get(&self, names: &[&'static str]) -> Option<String> {
        self.first(names).map(|(_, value)| value.to_owned())
    }

    fn login(&self, args: &LoginArgs) -> Login {
        let pick = |arg: &Option<String>, names: &[&'static str]| arg.clone().or_else(|| self.get(names));
        let domain = pick(&args.os_domain_id, &["OS_DOMAIN_ID"]);
        let user_domain_name = self.get(&["OS_USER_DOMAIN_NAME"]);
        let project_domain_name = self.get(&["OS_PROJECT_DOMAIN_NAME"]);
        let or_domain =
            |id: Option<String>, name: &Option<String>| id.or_else(|| domain.clone().filter(|_| name.is_none()));
        Login {
            auth_type: self.get(&["OS_AUTH_TYPE"]),
            auth_url: pick(&args.os_auth_url, &["OS_AUTH_URL"]),
            username: pick(&args.os_username, &["OS_USERNAME"]),
            user_id: self.get(&["OS_USER_ID"]),
            password: pick(&args.os_password, &["OS_PASSWORD"]),
            user_domain_id: or_domain(pick(&args.os_user_domain_id, &["OS_USER_DOMAIN_ID"]), &user_domain_name),
            user_domain_name,
            project_name: pick(&args.os_project_name, &["OS_PROJECT_NAME", "OS_TENANT_NAME"]),
            project_id: pick(&args.os_project_id, &["OS_PROJECT_ID", "OS_TENANT_ID"]),
            project_domain_id: or_domain(
                pick(&args.os_project_domain_id, &["OS_PROJECT_DOMAIN_ID"]),
                &project_domain_name,
            ),
            project_domain_name,
            application_credential_id: self.get(&["OS_APPLICATION_CREDENTIAL_ID"]),
            application_credential_name: self.get(&["OS_APPLICATION_CREDENTIAL_NAME"]),
            application_credential_secret: self.get(&["OS_APPLICATION_CREDENTIAL_SECRET"]),
            token: pick(&args.os_auth_token, &["OS_TOKEN", "OS_AUTH_TOKEN"]),
            region_name: pick(&args.os_region_name, &["OS_REGION_NAME"]),
            cafile: pick(&args.os_cacert, &["OS_CACERT"]).map(PathBuf::from),
            insecure: args.insecure
                || self.get(&["OS_INSECURE"]).is_some_and(|it| it.eq_ignore_ascii_case("true") || it == "1"),
        }
    }

    fn base(&self, args: &LoginArgs) -> Result<remote::Settings, ClientConfigError> {
        let mut settings = remote::Settings::default();
        self.login(args).apply(&mut settings)?;
        if let Some(interface) = self.get(&["OS_INTERFACE", "OS_ENDPOINT_TYPE"]) {
            interface.trim_end_matches("URL").clone_into(&mut settings.interface);
        }
        Ok(settings)
    }

    /// The catalogue for `larder image`.
    ///
    /// # Errors
    /// [`ClientConfigError`]
    pub fn catalogue(&self, endpoint: Option<&str>, login: &LoginArgs) -> Result<remote::Settings, ClientConfigError> {
        const ENDPOINTS: [&str; 4] =
            ["LARDER_ENDPOINT", "OS_IMAGE_ENDPOINT_OVERRIDE", "OS_IMAGE_ENDPOINT", "OS_IMAGE_URL"];
        let mut settings = self.base(login)?;
        let given = endpoint.map(|text| ("--endpoint", text)).or_else(|| self.first(&ENDPOINTS));
        settings.endpoint = match given {
            Some((whence, text)) => Some(address(whence, text)?),
            None if settings.auth != remote::Auth::None => None,
            None => Some(dev_address(Path::new(DEV_DIR)).map_or_else(|| address("", LOCAL), Ok)?),
        };
        Ok(settings)
    }

    /// The cache API of the host that glance-cache-manage's options name; none when they name none.
    ///
    /// # Errors
    /// [`ClientConfigError`]
    pub fn cache_host(&self, args: &Connection) -> Result<Option<(String, remote::Settings)>, ClientConfigError> {
        if args.host.is_none() && args.port.is_none() {
            return Ok(None);
        }
        let host = args.host.clone().unwrap_or_else(|| "0.0.0.0".to_owned());
        let strategy = args.os_auth_strategy.clone().or_else(|| self.get(&["OS_AUTH_STRATEGY"]));
        let mut settings = match strategy.as_deref() {
            Some("noauth") => remote::Settings { insecure: args.login.insecure, ..remote::Settings::default() },
            _ => self.base(&args.login)?,
        };
        settings.endpoint = Some(address("--host", &host_url(&host, args.port.unwrap_or(9292)))?);
        Ok(Some((host, settings)))
    }

    /// The admin socket of this node's agent.
    pub fn socket(&self, given: Option<&Path>) -> PathBuf {
        let dev = Path::new(DEV_DIR).join(DEV_SOCKET);
        given
            .map(Path::to_owned)
            .or_else(|| self.get(&["LARDER_SOCKET"]).map(PathBuf::from))
            .or_else(|| dev_socket(Path::new(DEV_DIR)).or_else(|| dev.exists().then_some(dev)))
            .unwrap_or_else(|| PathBuf::from(admin::DEFAULT_SOCKET))
    }
}

/// The address that `larder dev` has written into its folder.
fn dev_address(dir: &Path) -> Option<Url> {
    Url::parse(fs::read_to_string(dir.join(DEV_ADDRESS)).ok()?.lines().next()?.trim()).ok()
}

/// The socket that `larder dev` uses when the path in its folder is too long for one.
fn dev_socket(dir: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(dir.join(DEV_ADDRESS)).ok()?;
    text.lines().nth(1).map(|line| PathBuf::from(line.trim())).filter(|path| path.exists())
}

/// A URL for a host; glance-cache-manage takes addresses, but one with a scheme is taken as it is.
fn host_url(host: &str, port: u16) -> String {
    match host {
        url if url.contains("://") => url.to_owned(),
        v6 if v6.contains(':') && !v6.starts_with('[') => format!("http://[{v6}]:{port}"),
        host => format!("http://{host}:{port}"),
    }
}

fn address(whence: &'static str, text: &str) -> Result<Url, ClientConfigError> {
    Url::parse(text).map_err(|source| ClientConfigError::Address { whence, text: text.to_owned(), source })
}
