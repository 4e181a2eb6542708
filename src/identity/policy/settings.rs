//! `[oslo_policy]`.

use std::path::PathBuf;

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
        }
    }
}
