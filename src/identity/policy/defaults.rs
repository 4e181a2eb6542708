//! Glance's rules where the operator says nothing (Glance 33; `glance.policies`), and three of our own for the fleet,
//! `larder_…`.

const ANYBODY: &str = "";
const DEFAULT: &str = "rule:default";
const ADMIN: &str = "rule:context_is_admin";
const SERVICE: &str = "rule:service_api";
const METADEF_ANYBODY: &str = "rule:metadef_default";
const METADEF_ADMIN: &str = "rule:metadef_admin";
const MEMBER: &str = "rule:context_is_admin or (role:member and project_id:%(project_id)s)";
const READER: &str = "rule:context_is_admin or (role:reader and project_id:%(project_id)s)";
const CREATOR: &str = "rule:context_is_admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)";
const SEES: &str = "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s \
     or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))";
const DOWNLOADS: &str = "rule:context_is_admin or (role:member and (project_id:%(project_id)s \
     or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))";
const SEES_MEMBERS: &str =
    "rule:context_is_admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)";
const SEES_METADEF: &str =
    "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))";

/// A rule of Glance.
#[derive(Debug)]
pub struct RuleDefault {
    /// As policy files name it.
    pub name: &'static str,
    /// In the policy language.
    pub rule: &'static str,
    /// What it was before roles were told apart: it counts too where `enforce_new_defaults` is false.
    pub old: Option<&'static str>,
    /// Only for tokens of a project; one for the system or a domain is denied.
    pub project_only: bool,
}

const fn base(name: &'static str, rule: &'static str) -> RuleDefault {
    RuleDefault { name, rule, old: None, project_only: false }
}

const fn new(name: &'static str, rule: &'static str) -> RuleDefault {
    RuleDefault { name, rule, old: None, project_only: true }
}

const fn was(name: &'static str, rule: &'static str, old: &'static str) -> RuleDefault {
    RuleDefault { name, rule, old: Some(old), project_only: true }
}

/// Every rule.
pub const DEFAULTS: &[RuleDefault] = &[
    RuleDefault { name: "default", rule: ANYBODY, old: Some(ADMIN), project_only: false },
    base("context_is_admin", "role:admin"),
    base("service_api", "role:service or role:admin"),
    was("add_image", CREATOR, DEFAULT),
    was("delete_image", MEMBER, DEFAULT),
    was("get_image", SEES, DEFAULT),
    was("get_images", READER, DEFAULT),
    was("modify_image", MEMBER, DEFAULT),
    new("publicize_image", ADMIN),
    was("communitize_image", MEMBER, DEFAULT),
    was("download_image", DOWNLOADS, DEFAULT),
    new("download_from_store", DOWNLOADS),
    was("upload_image", MEMBER, DEFAULT),
    was("delete_image_location", ADMIN, DEFAULT),
    was("get_image_location", READER, DEFAULT),
    was("set_image_location", MEMBER, DEFAULT),
    new(
        "add_image_location",
        "rule:service_api or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
    ),
    new("fetch_image_location", SERVICE),
    was("add_member", MEMBER, DEFAULT),
    was("delete_member", MEMBER, DEFAULT),
    was("get_member", SEES_MEMBERS, DEFAULT),
    was("get_members", SEES_MEMBERS, DEFAULT),
    was("modify_member", "rule:context_is_admin or (role:member and project_id:%(member_id)s)", DEFAULT),
    new("manage_image_cache", ADMIN),
    was("deactivate", MEMBER, DEFAULT),
    was("reactivate", MEMBER, DEFAULT),
    new("copy_image", ADMIN),
    new("list_cached_nodes", ADMIN),
    new("get_task", DEFAULT),
    new("get_tasks", DEFAULT),
    new("add_task", DEFAULT),
    new("modify_task", DEFAULT),
    new("tasks_api_access", ADMIN),
    base("metadef_default", ANYBODY),
    base("metadef_admin", ADMIN),
    was("get_metadef_namespace", SEES_METADEF, METADEF_ANYBODY),
    was("get_metadef_namespaces", READER, METADEF_ANYBODY),
    new("modify_metadef_namespace", METADEF_ADMIN),
    new("add_metadef_namespace", METADEF_ADMIN),
    new("delete_metadef_namespace", METADEF_ADMIN),
    was("get_metadef_object", SEES_METADEF, METADEF_ANYBODY),
    was("get_metadef_objects", SEES_METADEF, METADEF_ANYBODY),
    new("modify_metadef_object", METADEF_ADMIN),
    new("add_metadef_object", METADEF_ADMIN),
    new("delete_metadef_object", METADEF_ADMIN),
    was("list_metadef_resource_types", SEES_METADEF, METADEF_ANYBODY),
    was("get_metadef_resource_type", SEES_METADEF, METADEF_ANYBODY),
    new("add_metadef_resource_type_association", METADEF_ADMIN),
    new("remove_metadef_resource_type_association", METADEF_ADMIN),
    was("get_metadef_property", SEES_METADEF, METADEF_ANYBODY),
    was("get_metadef_properties", SEES_METADEF, METADEF_ANYBODY),
    new("modify_metadef_property", METADEF_ADMIN),
    new("add_metadef_property", METADEF_ADMIN),
    new("remove_metadef_property", METADEF_ADMIN),
    was("get_metadef_tag", SEES_METADEF, METADEF_ANYBODY),
    was("get_metadef_tags", SEES_METADEF, METADEF_ANYBODY),
    new("modify_metadef_tag", METADEF_ADMIN),
    new("add_metadef_tag", METADEF_ADMIN),
    new("add_metadef_tags", METADEF_ADMIN),
    new("delete_metadef_tag", METADEF_ADMIN),
    new("delete_metadef_tags", METADEF_ADMIN),
    was("cache_image", ADMIN, "rule:manage_image_cache"),
    was("cache_list", ADMIN, "rule:manage_image_cache"),
    was("cache_delete", ADMIN, "rule:manage_image_cache"),
    new("cache_clean", ADMIN),
    new("cache_prune", ADMIN),
    was("stores_info_detail", "rule:context_is_admin or rule:service_api", ADMIN),
    // Nodes' agents: register any node, beat for it, read rules, the feed, and who has an image.
    base("larder_agent", SERVICE),
    // Look at nodes, what they hold, jobs, rules and the feed.
    base("larder_fleet_read", ADMIN),
    // Ask nodes to fetch, pin or remove images, make rules, forget nodes.
    base("larder_fleet_write", ADMIN),
];
