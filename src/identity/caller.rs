//! Who asks.

use crate::base::Secret;
use crate::identity::policy::Answers;
use serde_json::Value;
use std::sync::Arc;

/// The user behind a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's id, if there was a login.
    pub user: Option<String>,
    /// The id of the project that the request is for: it owns what the request makes.
    pub project: Option<String>,
    /// In lower case.
    pub roles: Vec<String>,
    /// Sees and changes the images of every project.
    pub is_admin: bool,
    /// May look, and change nothing: nobody has logged in.
    pub read_only: bool,
    /// The user's name, for logs.
    pub user_name: Option<String>,
    /// The project's name, for logs.
    pub project_name: Option<String>,
    /// The id of the user's domain.
    pub user_domain: Option<String>,
    /// The id of the project's domain.
    pub project_domain: Option<String>,
    /// The id of the domain that the token is for, in place of a project.
    pub domain: Option<String>,
    /// `all` when the token is for the whole system, in place of a project.
    pub system: Option<String>,
    /// What Keystone says of the project; true when it says nothing.
    pub is_admin_project: bool,
    /// The service that passes the user's request on, when it showed who it is.
    pub service: Option<Box<ServiceCaller>>,
    /// The user's token, to ask other services in the user's name.
    pub token: Option<Secret>,
    /// Keystone's service catalogue for this user, where it is asked for.
    pub catalog: Option<Arc<Value>>,
    /// What other servers have said of this request (the policy's remote checks).
    pub answers: Answers,
}

/// The service behind an `X-Service-Token`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceCaller {
    /// The service user's id.
    pub user: Option<String>,
    /// The id of its domain.
    pub user_domain: Option<String>,
    /// The id of the service user's project.
    pub project: Option<String>,
    /// The id of that project's domain.
    pub project_domain: Option<String>,
    /// As Keystone writes them.
    pub roles: Vec<String>,
}

// === impl Caller ===

impl Default for Caller {
    fn default() -> Self {
        Self {
            user: None,
            project: None,
            roles: Vec::new(),
            is_admin: false,
            read_only: false,
            user_name: None,
            project_name: None,
            user_domain: None,
            project_domain: None,
            domain: None,
            system: None,
            is_admin_project: true,
            service: None,
            token: None,
            catalog: None,
            answers: Answers::default(),
        }
    }
}

impl Caller {
    /// The caller of a server without authentication: an admin without user and project (Glance's empty flavor).
    pub fn admin() -> Self {
        Self { is_admin: true, roles: vec!["admin".to_owned()], ..Self::default() }
    }

    /// Somebody who has not logged in, where that is allowed (`allow_anonymous_access`).
    pub fn anonymous() -> Self {
        Self { read_only: true, ..Self::default() }
    }

    /// Whether this caller may change what `owner` owns; what nobody owns is the admins'.
    pub fn owns(&self, owner: Option<&str>) -> bool {
        self.is_admin || (owner.is_some() && self.project.as_deref() == owner)
    }

    /// The roles of the service that passes the request on.
    pub fn service_roles(&self) -> &[String] {
        self.service.as_ref().map_or(&[], |it| &it.roles)
    }
}
