//! The JSON of metadata definitions.
//!
//! A document is checked against its schema first, then read field by field; what Glance would fail on with a 500 (a
//! field that the schema lets through and its model does not know) is refused here with its name.

mod parse;
mod property;
mod query;
mod schema;
mod show;
#[cfg(test)]
mod tests;

pub use parse::{
    check_tag_name, parse_namespace, parse_new_tags, parse_object, parse_property, parse_resource_type, parse_tag,
};
pub use query::{namespaces_query, objects_query, tags_query};
pub use show::{
    association_to_json, namespace_to_json, namespaces_to_json, object_to_json, objects_to_json, properties_to_json,
    property_to_json, resource_types_to_json, tag_to_json,
};
