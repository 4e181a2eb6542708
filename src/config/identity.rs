//! Who asks, and what they may: options of keystonemiddleware, oslo.policy and oslo.limit, and Glance's of this kind.

use super::{
    Catalogue,
    options::Options,
    value::{As, BYTES, Kind, Refused, Value, parsed},
};
use crate::http::keystone::Credentials;
use crate::identity::{
    Flavour, TrustedPeer,
    keystone::{self, Connection},
    policy,
    protection::{self, Format},
    quota,
};
use std::{fmt::Display, path::PathBuf, str::FromStr, time::Duration};

/// What these options say together becomes settings in [`finish`].
#[derive(Clone, Debug, Default)]
pub(super) struct Who {
    /// None: not set.
    flavor: Option<Flavor>,
    auth_type: String,
    use_keystone_limits: bool,
    limits: quota::Settings,
    limits_auth_type: String,
    /// Read before the options are, see [`LOGIN`].
    auth_section: Option<String>,
    limits_auth_section: Option<String>,
}

/// `[paste_deploy] flavor`
#[derive(Clone, Copy, Debug, Default)]
struct Flavor {
    who: Flavour,
    /// Downloads go through the image cache.
    caching: bool,
    /// The older paths of the cache API are there.
    managed: bool,
}

/// The sections that have a login of the catalogue's own.
pub(super) const LOGINS: [&str; 2] = ["keystone_authtoken", "oslo_limit"];

/// The options that `auth_section` takes from another section.
pub(super) const LOGIN: [&str; 28] = [
    "auth_type",
    "auth_plugin",
    "auth_url",
    "username",
    "user-name",
    "user_name",
    "user_id",
    "password",
    "user_domain_name",
    "user_domain_id",
    "project_name",
    "tenant_name",
    "tenant-name",
    "project_id",
    "tenant_id",
    "tenant-id",
    "project_domain_name",
    "project_domain_id",
    "default_domain_name",
    "default_domain_id",
    "system_scope",
    "domain_id",
    "domain_name",
    "trust_id",
    "token",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
];

/// `[DEFAULT]`
pub(super) fn default_section(options: &mut Options<'_>, it: &mut Catalogue) {
    options.bind(
        "allow_anonymous_access",
        &mut it.settings.identity.allow_anonymous_access,
        "Let requests without a valid login look at what the policy lets nobody's roles see; by the shipped policy, nothing.",
    );
    let protection::Settings { property_protection_file, property_protection_rule_format } =
        &mut it.settings.protection;
    options.bind(
        "property_protection_file",
        property_protection_file,
        "File that says who may create, read, update and delete which custom property. Not set: whoever may change the image.",
    );
    options.bind_as(
        "property_protection_rule_format",
        property_protection_rule_format,
        FORMAT,
        "What that file's values are: roles, or names of rules of the policy.",
    );
    options.bind(
        "use_keystone_limits",
        &mut it.who.use_keystone_limits,
        "Hold projects to the limits that Keystone has for them (image_size_total, image_count_total, \
         image_count_uploading); [oslo_limit] says how to ask.",
    );
}

/// `[paste_deploy]`
pub(super) fn paste_deploy(options: &mut Options<'_>, it: &mut Catalogue) {
    options.bind_as(
        "flavor",
        &mut it.who.flavor,
        FLAVOR,
        "Who says who asks. keystone, alone or with +caching or +cachemanagement: Keystone, by the request's token. trusted-auth: a proxy \
         in front, by headers; see trusted_peers. Empty: nobody, and whoever reaches the address may do everything. Not set: keystone if \
         [keystone_authtoken] auth_url is set, else nobody. With caching, downloads go through the cache of image_cache_dir; with \
         cachemanagement, the older paths of its API are there, too.",
    );
    options.bind_as(
        "trusted_peers",
        &mut it.settings.identity.trusted_peers,
        PEERS,
        "For trusted-auth: addresses or networks of the proxies whose identity headers (X-Identity-Status, X-User-Id, X-Project-Id, \
         X-Roles and their like) are believed, or unix. WARNING: whoever can send requests from there can be anybody, admin included; \
         the proxy has to remove these headers from what clients send.",
    );
}

/// `[keystone_authtoken]`
pub(super) fn keystone_authtoken(options: &mut Options<'_>, it: &mut Catalogue) {
    let settings: &mut keystone::Settings = &mut it.settings.identity.keystone;
    options.bind_renamed(
        "www_authenticate_uri",
        &["auth_uri"],
        &mut settings.www_authenticate_uri,
        "Keystone's address as clients reach it, for those that are refused. Not set: auth_url.",
    );
    options.bind(
        "auth_section",
        &mut it.who.auth_section,
        "Section that has the options of the login, from auth_type to application_credential_secret, in place of this one.",
    );
    options.bind_renamed(
        "auth_type",
        &["auth_plugin"],
        &mut As(&mut it.who.auth_type, AUTH_TYPE),
        "How the catalogue itself logs in.",
    );
    login(options, &mut settings.connection.credentials);
    connection(options, &mut settings.connection);
    options.bind(
        "interface",
        &mut settings.connection.interfaces,
        "Which of Keystone's own addresses in its catalogue is asked: internal, public or admin.",
    );
    options.bind(
        "http_connect_timeout",
        &mut settings.connection.http_connect_timeout,
        "Longest time for one answer of Keystone.",
    );
    options.bind(
        "http_request_max_retries",
        &mut settings.connection.http_request_max_retries,
        "How often to ask Keystone again when it cannot be reached.",
    );
    options.bind_as(
        "token_cache_time",
        &mut settings.token_cache_time,
        CACHE_TIME,
        "How long a validated token is not asked for again, and so how long a revoked one may still pass.",
    );
    options.bind(
        "negative_cache_time",
        &mut settings.negative_cache_time,
        "How long a token that Keystone does not know is refused without asking again.",
    );
    options.bind_as("token_cache_size", &mut settings.token_cache_size, BYTES, "Memory for validated tokens at most.");
    options.bind(
        "service_token_roles",
        &mut settings.service_token_roles,
        "One of these roles makes the token in X-Service-Token a service's.",
    );
    options.bind(
        "service_token_roles_required",
        &mut settings.service_token_roles_required,
        "Believe service tokens only with one of these roles.",
    );
    options.bind(
        "service_type",
        &mut settings.service_type,
        "The type of this service in the access rules of application credentials.",
    );
}

/// `[oslo_policy]`
pub(super) fn oslo_policy(options: &mut Options<'_>, settings: &mut policy::Settings) {
    options.bind(
        "policy_file",
        &mut settings.policy_file,
        "File of policy rules that replace the shipped ones, name by name; a relative name is looked for beside the \
         configuration files. Changes are taken up within seconds.",
    );
    options.bind(
        "policy_dirs",
        &mut Folders(&mut settings.policy_dirs),
        "Folders of more such files, read in the order of their names, over what came before.",
    );
    options.bind(
        "policy_default_rule",
        &mut settings.policy_default_rule,
        "The rule that stands for rules that are missing.",
    );
    options.bind(
        "enforce_new_defaults",
        &mut settings.enforce_new_defaults,
        "False allows, too, what the shipped rules allowed before they told roles apart.",
    );
    options.bind("enforce_scope", &mut settings.enforce_scope, "Refuse tokens that are for the system or a domain.");
    let remote = &mut settings.remote;
    options.bind(
        "remote_content_type",
        &mut As(&mut remote.content_type, parsed("application/x-www-form-urlencoded or application/json")),
        "How servers that rules name (http:, https:) are asked.",
    );
    options.bind(
        "remote_ssl_verify_server_crt",
        &mut remote.verify_server,
        "Ask no server whose certificate no authority vouches for.",
    );
    options.bind(
        "remote_ssl_ca_crt_file",
        &mut remote.ca_file,
        "A PEM file of the authorities that vouch for such servers, in place of the system's.",
    );
    options.bind(
        "remote_ssl_client_crt_file",
        &mut remote.client_cert_file,
        "A PEM file of our own certificate for them.",
    );
    options.bind("remote_ssl_client_key_file", &mut remote.client_key_file, "Its key, when it is not in that file.");
    options.bind(
        "remote_timeout",
        &mut remote.timeout,
        "Longest time for such an answer; without one, the rule denies.",
    );
}

/// `[oslo_limit]`
pub(super) fn oslo_limit(options: &mut Options<'_>, it: &mut Who) {
    let settings = &mut it.limits;
    options.bind(
        "auth_section",
        &mut it.limits_auth_section,
        "Section that has the options of the login, such as keystone_authtoken, in place of this one.",
    );
    options.bind_renamed(
        "auth_type",
        &["auth_plugin"],
        &mut As(&mut it.limits_auth_type, AUTH_TYPE),
        "How to log in to read limits.",
    );
    login(options, &mut settings.connection.credentials);
    connection(options, &mut settings.connection);
    options.bind_renamed(
        "valid_interfaces",
        &["interface"],
        &mut settings.connection.interfaces,
        "Which of Keystone's own addresses in its catalogue is asked: the first of these that is there.",
    );
    options.bind(
        "endpoint_override",
        &mut settings.connection.endpoint_override,
        "Keystone's address for questions about limits. Not set: what its catalogue says.",
    );
    options.bind("timeout", &mut settings.connection.http_connect_timeout, "Longest time for one answer of Keystone.");
    options.bind(
        "connect_retries",
        &mut settings.connection.http_request_max_retries,
        "How often to ask Keystone again when it cannot be reached.",
    );
    options.bind("endpoint_id", &mut settings.endpoint_id, "The image service's endpoint in Keystone, by id.");
    options.bind(
        "endpoint_service_type",
        &mut settings.endpoint_service_type,
        "The service's type, where no id is given.",
    );
    options.bind(
        "endpoint_service_name",
        &mut settings.endpoint_service_name,
        "The service's name, where no id is given.",
    );
    options.bind(
        "endpoint_region_name",
        &mut settings.endpoint_region_name,
        "The endpoint's region, where no id is given.",
    );
    options.bind(
        "endpoint_interface",
        &mut settings.endpoint_interface,
        "The endpoint's interface, where no id is given.",
    );
    options.bind("limits_cache_time", &mut settings.cache_time, "How long limits are not asked for again.");
}

fn login(options: &mut Options<'_>, it: &mut Credentials) {
    options.bind("auth_url", &mut it.auth_url, "Keystone's address, such as http://controller:5000.");
    options.bind_renamed("username", &["user-name", "user_name"], &mut it.username, "The user.");
    options.bind("user_id", &mut it.user_id, "The user, by id.");
    options.bind("password", &mut it.password, "The user's password.");
    options.bind("user_domain_name", &mut it.user_domain_name, "The user's domain.");
    options.bind("user_domain_id", &mut it.user_domain_id, "The user's domain, by id; default when neither is set.");
    options.bind_renamed(
        "project_name",
        &["tenant_name", "tenant-name"],
        &mut it.project_name,
        "The user's project, such as service.",
    );
    options.bind_renamed("project_id", &["tenant_id", "tenant-id"], &mut it.project_id, "The project, by id.");
    options.bind("project_domain_name", &mut it.project_domain_name, "The project's domain.");
    options.bind(
        "project_domain_id",
        &mut it.project_domain_id,
        "The project's domain, by id; default when neither is set.",
    );
    options.bind("default_domain_name", &mut it.default_domain_name, "Both domains, where they are not set.");
    options.bind("default_domain_id", &mut it.default_domain_id, "The same, by id.");
    options.bind(
        "system_scope",
        &mut it.system_scope,
        "all: log in for the system, in place of a project; to read limits, the user needs the role reader there.",
    );
    options.bind("domain_id", &mut it.domain_id, "Log in for this domain, in place of a project.");
    options.bind("domain_name", &mut it.domain_name, "The same, by name.");
    options.bind("trust_id", &mut it.trust_id, "Log in by this trust, in place of a project.");
    options.bind(
        "token",
        &mut it.token,
        "A token that somebody else got, in place of user and password; it is not renewed when it expires.",
    );
    options.bind(
        "application_credential_id",
        &mut it.application_credential_id,
        "An application credential, in place of user and project.",
    );
    options.bind(
        "application_credential_name",
        &mut it.application_credential_name,
        "The same, by name; then the user is needed too.",
    );
    options.bind(
        "application_credential_secret",
        &mut it.application_credential_secret,
        "The application credential's secret.",
    );
}

fn connection(options: &mut Options<'_>, it: &mut Connection) {
    options.bind("region_name", &mut it.region_name, "Keystone's region, where its catalogue has several.");
    options.bind("cafile", &mut it.cafile, "A PEM file of the authorities to trust in place of the system's.");
    options.bind("certfile", &mut it.certfile, "A PEM file of our own certificate, where Keystone wants one.");
    options.bind("keyfile", &mut it.keyfile, "Its key, when it is not in certfile.");
    options.bind("insecure", &mut it.insecure, "Trust any certificate.");
}

/// Puts the parts together that depend on each other. `folders` are those of the configuration files, in the order in
/// which they were read: other files are looked for in the last one first (oslo.config's order).
pub(super) fn finish(it: &mut Catalogue, folders: Vec<PathBuf>) {
    let identity = &mut it.settings.identity;
    let has_keystone = !identity.keystone.connection.credentials.auth_url.is_empty();
    let flavor = it.who.flavor.unwrap_or_default();
    let unset = if has_keystone { Flavour::Keystone } else { Flavour::None };
    identity.flavour = it.who.flavor.map_or(unset, |it| it.who);
    (it.settings.cache.caching, it.settings.cache.managed) = (flavor.caching, flavor.managed);
    for folder in folders {
        identity.policy.directories.retain(|it| *it != folder);
        identity.policy.directories.insert(0, folder);
    }
    it.settings.limits = it.who.use_keystone_limits.then(|| it.who.limits.clone());
}

fn refused<E: Display>(error: E) -> Refused {
    Refused(Some(error.to_string()))
}

const FLAVOR: Kind<Option<Flavor>> = Kind {
    takes: "keystone or trusted-auth, alone or with +caching or +cachemanagement; caching, cachemanagement or nothing",
    read: |text| {
        let who = Flavour::from_str(text).map_err(refused)?;
        let managed = text.trim().ends_with("cachemanagement");
        Ok(Some(Flavor { who, caching: managed || text.trim().ends_with("caching"), managed }))
    },
    write: |value| {
        let word = |it: &Flavour| match it {
            Flavour::None => "",
            Flavour::Keystone => "keystone",
            Flavour::TrustedHeaders => "trusted-auth",
        };
        value.as_ref().map(|it| word(&it.who).to_owned())
    },
};

const PEERS: Kind<Vec<TrustedPeer>> = Kind {
    takes: "addresses, networks such as 192.0.2.0/24, or unix, separated by commas",
    read: |text| {
        let peers = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        peers.map(|it| it.parse().map_err(refused)).collect()
    },
    write: |value| {
        let word = |it: &TrustedPeer| match it {
            TrustedPeer::Net(net) => net.to_string(),
            TrustedPeer::Unix => "unix".to_owned(),
        };
        Some(value.iter().map(word).collect::<Vec<_>>().join(","))
    },
};

const FORMAT: Kind<Format> = Kind {
    takes: "roles or policies",
    read: |text| text.parse().map_err(refused::<String>),
    write: |value| Some(if matches!(value, Format::Roles) { "roles" } else { "policies" }.to_owned()),
};

/// The kind follows from what else is set, so the name is only checked.
const AUTH_TYPE: Kind<String> = Kind {
    takes: "password, v3password, token, v3token or v3applicationcredential; empty: by what else is set",
    read: |text| match text {
        "" | "password" | "v3password" | "token" | "v3token" | "v3applicationcredential" => Ok(text.to_owned()),
        _ => Err(Refused::default()),
    },
    write: |value| Some(value.clone()),
};

const CACHE_TIME: Kind<Option<Duration>> = Kind {
    takes: "seconds, or -1 to ask Keystone every time",
    read: |text| match text.trim().parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(seconds) => u64::try_from(seconds).map(|it| Some(Duration::from_secs(it))).map_err(|_| Refused::default()),
        Err(_) => Err(Refused::default()),
    },
    write: |value| Some(value.map_or_else(|| "-1".to_owned(), |it| it.as_secs().to_string())),
};

/// Paths that are given by repeating the option.
struct Folders<'a>(&'a mut Vec<PathBuf>);

// === impl Folders ===

impl Value for Folders<'_> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self.0 = values.iter().filter(|it| !it.is_empty()).map(PathBuf::from).collect();
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        self.0.iter().map(|it| it.display().to_string()).collect()
    }

    fn takes(&self) -> String {
        "a path; may be repeated".to_owned()
    }
}
