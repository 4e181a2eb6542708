//! What rules are asked about.

use crate::identity::{
    Caller,
    policy::{Attributes, Credentials, Value},
};
use crate::image::Image;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

/// An image, under the names that Glance's rules know it by.
#[derive(Clone, Copy, Debug)]
pub struct ImageTarget<'a> {
    /// The image.
    pub image: &'a Image,
    /// The caller's project when it sees the image as one of its members.
    pub member: Option<&'a str>,
}

/// An image that does not exist yet.
#[derive(Clone, Copy, Debug)]
pub struct NewImageTarget<'a> {
    /// The project that is to own it: the one asked for, else the caller's.
    pub owner: Option<&'a str>,
    /// As asked for; `private` when nothing was (Glance's behaviour).
    pub visibility: &'a str,
}

/// A metadata namespace or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct NamespaceTarget<'a> {
    /// The project that owns it; for a question without a namespace, the caller's project.
    pub owner: Option<&'a str>,
    /// None for a question without a namespace.
    pub visibility: Option<&'a str>,
}

/// Nothing in particular: cache management, tasks, the stores.
#[derive(Clone, Copy, Debug)]
pub struct NoTarget;

/// The caller as a target, for `context_is_admin`.
pub(in crate::identity) struct CallerTarget<'a>(pub(in crate::identity) &'a Caller);

// === impl ImageTarget ===

impl<'a> ImageTarget<'a> {
    /// As `caller` meets it: through its membership when the image is another project's and shared.
    pub fn new(image: &'a Image, caller: &'a Caller) -> Self {
        let project = caller.project.as_deref();
        let shared = image.visibility == crate::image::Visibility::Shared && image.owner.as_deref() != project;
        Self { image, member: project.filter(|_| shared) }
    }
}

impl Attributes for ImageTarget<'_> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        let it = self.image;
        let size = |it: Option<u64>| Value::from(it.map(|it| it.to_string()));
        Some(match key {
            "owner" | "project_id" => it.owner.as_deref().into(),
            "visibility" => it.visibility.as_str().into(),
            "member" | "member_id" => self.member.into(),
            "id" | "image_id" => it.id.to_string().into(),
            "name" => it.name.as_deref().into(),
            "status" => it.status.as_str().into(),
            "protected" => it.protected.into(),
            "os_hidden" => it.hidden.into(),
            "min_disk" => i64::from(it.min_disk).into(),
            "min_ram" => i64::from(it.min_ram).into(),
            "disk_format" => it.disk_format.as_deref().into(),
            "container_format" => it.container_format.as_deref().into(),
            "size" => size(it.size),
            "virtual_size" => size(it.virtual_size),
            "checksum" => it.checksum.as_deref().into(),
            "os_hash_algo" => it.os_hash_algo.as_deref().into(),
            "os_hash_value" => it.os_hash_value.as_deref().into(),
            "created_at" => time(it.created_at).into(),
            "updated_at" => time(it.updated_at).into(),
            // A set in Glance, which prints it in no order.
            "tags" => it.tags.iter().cloned().collect::<Vec<_>>().join(",").into(),
            other => it.properties.get(other)?.as_deref().into(),
        })
    }

    fn all(&self) -> Json {
        let it = self.image;
        let names =
            ["owner", "project_id", "visibility", "member", "image_id", "name", "status", "protected", "os_hidden"];
        let more = ["min_disk", "min_ram", "disk_format", "container_format", "checksum", "os_hash_algo"];
        let rest = ["os_hash_value", "created_at", "updated_at"];
        let properties = it.properties.keys().map(String::as_str);
        let mut all = object(self, properties.chain(names).chain(more).chain(rest));
        all["size"] = it.size.into();
        all["virtual_size"] = it.virtual_size.into();
        all["tags"] = it.tags.iter().cloned().collect();
        all
    }
}

fn object<'a>(of: &(impl Attributes + ?Sized), names: impl IntoIterator<Item = &'a str>) -> Json {
    let found = names.into_iter().filter_map(|it| Some((it.to_owned(), of.get(it)?.json())));
    Json::Object(found.collect())
}

/// As Python prints a time with its zone.
fn time(it: DateTime<Utc>) -> String {
    it.format("%Y-%m-%d %H:%M:%S+00:00").to_string()
}

// === impl NewImageTarget, NamespaceTarget, NoTarget ===

impl Attributes for NewImageTarget<'_> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        match key {
            "owner" | "project_id" => Some(self.owner.into()),
            "visibility" => Some(self.visibility.into()),
            _ => None,
        }
    }

    fn all(&self) -> Json {
        object(self, ["owner", "project_id", "visibility"])
    }
}

impl Attributes for NamespaceTarget<'_> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        match key {
            "project_id" => Some(self.owner.into()),
            "visibility" => self.visibility.map(Into::into),
            _ => None,
        }
    }

    fn all(&self) -> Json {
        object(self, ["project_id", "visibility"])
    }
}

impl Attributes for NoTarget {
    fn get(&self, _: &str) -> Option<Value<'_>> {
        None
    }

    fn all(&self) -> Json {
        Json::Object(Map::new())
    }
}

impl Attributes for Map<String, Json> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        Map::get(self, key).map(|it| if it.is_null() { Value::None } else { Value::Json(it) })
    }

    fn all(&self) -> Json {
        Json::Object(self.clone())
    }
}

impl Credentials for Map<String, Json> {
    fn has_role(&self, role: &str) -> bool {
        let roles = Map::get(self, "roles").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        roles.iter().filter_map(Json::as_str).any(|it| it.to_lowercase() == role)
    }
}

// === impl CallerTarget, Caller ===

impl Attributes for CallerTarget<'_> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        let it = self.0;
        Some(match key {
            "user" => it.user.as_deref().into(),
            "project" => it.project.as_deref().into(),
            "domain" => it.domain.as_deref().into(),
            "user_domain" => it.user_domain.as_deref().into(),
            "project_domain" => it.project_domain.as_deref().into(),
            "read_only" => it.read_only.into(),
            "project_id" | "system_scope" | "is_admin" | "roles" | "is_admin_project" => return it.get(key),
            _ => return None,
        })
    }

    fn all(&self) -> Json {
        let own = ["user", "project", "domain", "user_domain", "project_domain", "read_only"];
        object(self, own.into_iter().chain(["project_id", "system_scope", "is_admin", "roles", "is_admin_project"]))
    }
}

impl Attributes for Caller {
    /// oslo.context's names. `is_admin` too, which Glance's own credentials lack, so that `is_admin:True` says what it means.
    fn get(&self, key: &str) -> Option<Value<'_>> {
        let service = self.service.as_deref();
        Some(match key {
            "project_id" => self.project.as_deref().into(),
            "user_id" => self.user.as_deref().into(),
            "roles" => Value::Texts(&self.roles),
            "is_admin" => self.is_admin.into(),
            "is_admin_project" => self.is_admin_project.into(),
            "user_domain_id" => self.user_domain.as_deref().into(),
            "project_domain_id" => self.project_domain.as_deref().into(),
            "domain_id" => self.domain.as_deref().into(),
            "system_scope" => self.system.as_deref().into(),
            "system" => self.system.as_deref()?.into(),
            "service_user_id" => service.and_then(|it| it.user.as_deref()).into(),
            "service_user_domain_id" => service.and_then(|it| it.user_domain.as_deref()).into(),
            "service_project_id" => service.and_then(|it| it.project.as_deref()).into(),
            "service_project_domain_id" => service.and_then(|it| it.project_domain.as_deref()).into(),
            "service_roles" => Value::Texts(self.service_roles()),
            _ => return None,
        })
    }

    fn all(&self) -> Json {
        let own = ["user_id", "user_domain_id", "system_scope", "domain_id", "project_id", "project_domain_id"];
        let more = ["roles", "is_admin", "is_admin_project", "service_user_id", "service_user_domain_id"];
        let rest = ["service_project_id", "service_project_domain_id", "service_roles", "system"];
        object(self, own.into_iter().chain(more).chain(rest))
    }
}

impl Credentials for Caller {
    fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|it| it == role)
    }
}
