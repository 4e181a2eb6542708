//! Metadata definitions: what properties images, volumes, flavors… may have, for clients to offer and explain.
//!
//! ```text
//! Namespace ─┬─ Association ─→ resource type (OS::Glance::Image…), with a prefix for the names of properties
//!            ├─ property: a name and its schema
//!            ├─ Object: properties that belong together
//!            └─ Tag
//! ```

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// A property's schema: `type`, `title`, `description`, `enum`…
pub type Schema = Map<String, Value>;

/// Properties by name; each value is a [`Schema`].
pub type Properties = Map<String, Value>;

/// When a row was made and last changed; rows that `glance-manage` loaded lack the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// `created_at`
    pub created: DateTime<Utc>,
    /// `updated_at`
    pub updated: Option<DateTime<Utc>>,
}

/// A set of definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Unique.
    pub name: String,
    /// For people.
    pub display_name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Whether other projects see it.
    pub is_public: bool,
    /// Whether it, and what is in it, may not be deleted.
    pub protected: bool,
    /// A project's id.
    pub owner: String,
    /// When.
    pub times: Times,
}

/// A namespace as a client describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewNamespace {
    /// Unique.
    pub name: String,
    /// For people.
    pub display_name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Whether other projects see it.
    pub is_public: bool,
    /// Whether it, and what is in it, may not be deleted.
    pub protected: bool,
    /// A project's id; none for the caller's.
    pub owner: Option<String>,
    /// What is in it.
    pub details: Details,
}

/// What is in a namespace; none is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Where its properties apply.
    pub associations: Option<Vec<Association>>,
    /// Its properties.
    pub properties: Option<Properties>,
    /// Its objects.
    pub objects: Option<Vec<Object>>,
    /// The names of its tags.
    pub tags: Option<Vec<String>>,
}

/// That a namespace applies to a resource type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Association {
    /// The resource type's name.
    pub name: String,
    /// What the names of properties begin with on this type.
    pub prefix: Option<String>,
    /// Which of several sets of properties is meant, such as `image` on a volume.
    pub properties_target: Option<String>,
    /// None while a client describes it.
    pub times: Option<Times>,
}

/// A resource type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// Unique.
    pub name: String,
    /// When.
    pub times: Times,
}

/// Properties that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Unique in its namespace.
    pub name: String,
    /// The names of properties that must be set.
    pub required: Option<Vec<String>>,
    /// For people.
    pub description: Option<String>,
    /// Its properties.
    pub properties: Option<Properties>,
    /// None while a client describes it.
    pub times: Option<Times>,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Unique in its namespace, whatever the case of its letters.
    pub name: String,
    /// When.
    pub times: Times,
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// `created_at`
    #[default]
    Created,
    /// `updated_at`
    Updated,
    /// `namespace` of namespaces, `name` of tags
    Name,
    /// `display_name`
    DisplayName,
    /// `description`
    Description,
    /// `visibility`
    Visibility,
    /// `protected`
    Protected,
    /// `owner`
    Owner,
}

/// Which part of a list, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Most entries; none for all.
    pub limit: Option<usize>,
    /// The name of the entry before the first.
    pub marker: Option<String>,
    /// Ties are broken by age.
    pub sort: SortKey,
    /// The greatest first.
    pub descending: bool,
    /// Only public (true) or private (false) namespaces.
    pub is_public: Option<bool>,
    /// Only namespaces of one of these resource types.
    pub resource_types: Option<Vec<String>>,
}

// === impl Details ===

impl Details {
    /// Puts the prefix of the association with `resource_type` before the names of all properties, if it has one.
    pub fn prefix_for(&mut self, resource_type: &str) {
        let association = self.associations.iter().flatten().find(|it| it.name == resource_type);
        let Some(prefix) = association.and_then(|it| it.prefix.clone()).filter(|it| !it.is_empty()) else { return };
        let prefixed = |properties: Properties| -> Properties {
            properties.into_iter().map(|(name, schema)| (format!("{prefix}{name}"), schema)).collect()
        };
        self.properties = self.properties.take().map(prefixed);
        for object in self.objects.iter_mut().flatten() {
            object.properties = object.properties.take().map(prefixed);
            for name in object.required.iter_mut().flatten() {
                name.insert_str(0, &prefix);
            }
        }
    }
}
