//! What Keystone says of a token.

use crate::identity::Caller;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// A valid token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Whose it is; neither admin nor with a service, which requests decide.
    pub(super) caller: Caller,
    pub(super) expires_at: DateTime<Utc>,
    /// The only requests that the token is good for; none when it is good for all.
    pub(super) access_rules: Option<Vec<AccessRule>>,
    /// As Keystone writes them; the caller's are in lower case.
    pub(super) roles: Vec<String>,
    /// What it takes in memory, bytes, roughly.
    pub(super) weight: u32,
}

/// One request that an application credential allows.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AccessRule {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) service: String,
}

/// Keystone's document.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    token: Body,
}

#[derive(Debug, Deserialize)]
struct Body {
    expires_at: DateTime<Utc>,
    user: Named,
    project: Option<Named>,
    domain: Option<Named>,
    system: Option<System>,
    #[serde(default)]
    roles: Vec<Named>,
    is_admin_project: Option<bool>,
    application_credential: Option<ApplicationCredential>,
    catalog: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Named {
    id: Option<String>,
    name: Option<String>,
    domain: Option<Box<Named>>,
}

#[derive(Debug, Deserialize)]
struct System {
    #[serde(default)]
    all: bool,
}

#[derive(Debug, Deserialize)]
struct ApplicationCredential {
    access_rules: Option<Vec<AccessRule>>,
}

// === impl Document ===

impl Document {
    /// `with_catalog`: keep the service catalogue.
    pub(super) fn into_token(self, with_catalog: bool) -> Token {
        let it = self.token;
        let roles: Vec<String> = it.roles.into_iter().filter_map(|it| it.name).collect();
        let project = it.project.unwrap_or_default();
        let domain_of = |it: Option<Box<Named>>| it.and_then(|it| it.id);
        let catalog = it.catalog.filter(|_| with_catalog);
        // The document is some two or three times its text.
        let catalog_weight = catalog.as_ref().map_or(0, |it| it.to_string().len() * 3);
        let caller = Caller {
            user: it.user.id,
            user_name: it.user.name,
            user_domain: domain_of(it.user.domain),
            project: project.id,
            project_name: project.name,
            project_domain: domain_of(project.domain),
            domain: it.domain.and_then(|it| it.id),
            system: it.system.filter(|it| it.all).map(|_| "all".to_owned()),
            is_admin_project: it.is_admin_project.unwrap_or(true),
            roles: roles.iter().map(|it| it.to_lowercase()).collect(),
            catalog: catalog.map(Arc::new),
            ..Caller::default()
        };
        let rules = it.application_credential.and_then(|it| it.access_rules);
        let weight = 1000 + roles.len() * 100 + rules.as_ref().map_or(0, |it| it.len() * 300) + catalog_weight;
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        Token { caller, expires_at: it.expires_at, access_rules: rules, roles, weight }
    }
}

// === impl AccessRule ===

impl AccessRule {
    /// Whether it allows this request to a service of this type.
    pub(super) fn allows(&self, service: &str, method: &str, path: &str) -> bool {
        self.service == service && self.method == method && path_matches(path, &self.path)
    }
}

/// `{name}` and `*` stand for what holds no slash, `**` for anything (Keystone's access rules). Takes time in
/// proportion to both lengths: the pattern is a user's.
fn path_matches(path: &str, pattern: &str) -> bool {
    // Which lengths of the path the pattern so far can match.
    let path = path.as_bytes();
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    let mut rest = pattern;
    while !rest.is_empty() {
        let (step, length) = step(rest);
        rest = &rest[length..];
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            next[at] = match step {
                Step::Exactly(byte) => at > 0 && reach[at - 1] && path[at - 1] == byte,
                Step::Segment => at > 0 && (reach[at - 1] || next[at - 1]) && path[at - 1] != b'/',
                Step::Anything => reach[at] || (at > 0 && next[at - 1]),
            };
        }
        reach = next;
    }
    reach[path.len()]
}

#[derive(Clone, Copy)]
enum Step {
    Exactly(u8),
    /// At least one character, no slash.
    Segment,
    Anything,
}

/// The first step of a pattern that is not empty, and how many bytes of it say so.
fn step(pattern: &str) -> (Step, usize) {
    if pattern.starts_with("**") {
        return (Step::Anything, 2);
    }
    if pattern.starts_with('*') {
        return (Step::Segment, 1);
    }
    if pattern.starts_with('{')
        && let Some(end) = pattern.find('}')
    {
        return (Step::Segment, end + 1);
    }
    // Bytes compare as well as characters do; a pattern is cut only behind a whole one.
    match pattern.as_bytes().first() {
        Some(byte) if byte.is_ascii() => (Step::Exactly(*byte), 1),
        // Paths arrive percent-encoded, so that this matches nothing.
        _ => (Step::Exactly(0), pattern.chars().next().map_or(1, char::len_utf8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_match_as_keystone_says() {
        let cases = [
            ("/v2/images", "/v2/images", true),
            ("/v2/images/x", "/v2/images", false),
            ("/v2/images/x", "/v2/images/*", true),
            ("/v2/images/x", "/v2/images/{id}", true),
            ("/v2/images/", "/v2/images/{id}", false),
            ("/v2/images/x/file", "/v2/images/*", false),
            ("/v2/images/x/file", "/v2/images/*/file", true),
            ("/v2/images/x/file", "/v2/**", true),
            ("/v2/", "/v2/**", true),
            ("/v2/images/x/file", "**/file", true),
            ("/v2/images", "/v2/é", false),
            ("", "", true),
        ];
        for (path, pattern, matches) in cases {
            assert_eq!(path_matches(path, pattern), matches, "{path} {pattern}");
        }
        assert!(!path_matches(&"a".repeat(4000), &"*a".repeat(60).replace("aa", "a").repeat(2).replace('a', "b")));
    }

    #[test]
    fn every_scope_is_understood() {
        let token = |scope: Value| {
            let mut body = json!({"expires_at": "2030-01-01T00:00:00.000000Z", "methods": ["password"],
                "user": {"id": "u", "name": "U", "domain": {"id": "d", "name": "D"}}});
            body.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
            serde_json::from_value::<Document>(json!({"token": body})).unwrap().into_token(true)
        };
        let unscoped = token(json!({})).caller;
        assert_eq!((unscoped.user.as_deref(), unscoped.project, unscoped.roles.len()), (Some("u"), None, 0));
        let project = json!({"project": {"id": "p", "name": "P", "domain": {"id": "d"}}, "roles": [{"id": "r", "name": "Member"}],
            "catalog": [], "is_admin_project": false});
        let project = token(project);
        assert_eq!(project.caller.project.as_deref(), Some("p"));
        assert_eq!((project.caller.roles[0].as_str(), project.roles[0].as_str()), ("member", "Member"));
        assert!(!project.caller.is_admin_project && project.caller.catalog.is_some());
        assert_eq!(token(json!({"domain": {"id": "d", "name": "D"}})).caller.domain.as_deref(), Some("d"));
        assert_eq!(token(json!({"system": {"all": true}})).caller.system.as_deref(), Some("all"));
        let rules = json!({"application_credential": {"id": "a", "access_rules": [{"method": "GET", "path": "/v2/*", "service": "image"}]}});
        let rules = token(rules).access_rules.unwrap();
        assert!(rules[0].allows("image", "GET", "/v2/images") && !rules[0].allows("image", "PUT", "/v2/images"));
    }
}
