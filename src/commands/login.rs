//! How to reach a catalogue: the options of OpenStack's own commands.

use clap::Args;

/// Which catalogue, and who asks. What is not given is taken from the environment's `OS_…` variables.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Catalogue and login")]
pub struct LoginArgs {
    /// Keystone's token, if there is one already [env: OS_TOKEN, OS_AUTH_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", aliases = ["os_auth_token", "auth_token", "os-token"], short_alias = 'A')]
    pub os_auth_token: Option<String>,
    /// [env: OS_USERNAME]
    #[arg(long, global = true, value_name = "NAME", alias = "os_username", short_alias = 'I')]
    pub os_username: Option<String>,
    /// [env: OS_PASSWORD]
    #[arg(long, global = true, value_name = "PASSWORD", alias = "os_password", short_alias = 'K')]
    pub os_password: Option<String>,
    /// [env: OS_REGION_NAME]
    #[arg(long, global = true, value_name = "REGION", alias = "os_region_name", short_alias = 'R')]
    pub os_region_name: Option<String>,
    /// [env: OS_PROJECT_ID]
    #[arg(long, global = true, value_name = "ID", alias = "os_project_id")]
    pub os_project_id: Option<String>,
    /// [env: OS_PROJECT_NAME]
    #[arg(long, global = true, value_name = "NAME", alias = "os_project_name", short_alias = 'T')]
    pub os_project_name: Option<String>,
    /// [env: OS_USER_DOMAIN_ID, OS_USER_DOMAIN_NAME]
    #[arg(long, global = true, value_name = "ID", alias = "os_user_domain_id")]
    pub os_user_domain_id: Option<String>,
    /// [env: OS_PROJECT_DOMAIN_ID, OS_PROJECT_DOMAIN_NAME]
    #[arg(long, global = true, value_name = "ID", alias = "os_project_domain_id")]
    pub os_project_domain_id: Option<String>,
    /// Domain of user and project where those are not given [env: OS_DOMAIN_ID] [default: default]
    #[arg(long, global = true, value_name = "ID", alias = "os_domain_id")]
    pub os_domain_id: Option<String>,
    /// Keystone's address [env: OS_AUTH_URL]
    #[arg(long, global = true, value_name = "URL", alias = "os_auth_url", short_alias = 'N')]
    pub os_auth_url: Option<String>,
    /// A file of certificates to trust instead of the system's [env: OS_CACERT]
    #[arg(long, global = true, value_name = "FILE", alias = "os_cacert")]
    pub os_cacert: Option<String>,
    /// Do not verify the server's certificate; use with caution
    #[arg(short = 'k', long, global = true)]
    pub insecure: bool,
}
