//! Metadata definitions as JSON, with the fields in Glance's order. What is not set is left out.

use crate::image::metadef::{Association, Details, Namespace, Object, Properties, ResourceType, Schema, Tag, Times};
use crate::wire::format_time;
use crate::wire::metadefs::property;
use serde_json::{Map, Value, json};

const NAMESPACES: &str = "/v2/metadefs/namespaces";

/// A namespace with what is in it.
pub fn namespace_to_json(it: &Namespace, details: &Details) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "namespace", Some(it.name.as_str()));
    put(&mut fields, "display_name", it.display_name.as_deref());
    put(&mut fields, "description", it.description.as_deref());
    put(&mut fields, "visibility", Some(if it.is_public { "public" } else { "private" }));
    put(&mut fields, "protected", Some(it.protected));
    put(&mut fields, "owner", Some(it.owner.as_str()));
    put_times(&mut fields, Some(it.times));
    let associations = details.associations.as_ref().map(|all| all.iter().map(association_to_json).collect::<Value>());
    put(&mut fields, "resource_type_associations", associations);
    put(&mut fields, "properties", details.properties.as_ref().map(property::lenient_all));
    let objects =
        details.objects.as_ref().map(|all| all.iter().map(|one| object_to_json(&it.name, one)).collect::<Value>());
    put(&mut fields, "objects", objects);
    let tags = details.tags.as_ref().map(|all| all.iter().map(|one| json!({"name": one})).collect::<Value>());
    put(&mut fields, "tags", tags);
    put(&mut fields, "self", Some(format!("{NAMESPACES}/{}", it.name)));
    put(&mut fields, "schema", Some("/v2/schemas/metadefs/namespace"));
    fields.into()
}

/// A page of namespaces that answers the parameters `params`; `more` adds the link to the next one.
pub fn namespaces_to_json(page: &[(Namespace, Vec<Association>)], more: bool, params: &[(String, String)]) -> Value {
    let mut fields = Map::new();
    let all = page.iter().map(|(it, associations)| {
        let associations = (!associations.is_empty()).then(|| associations.clone());
        namespace_to_json(it, &Details { associations, ..Details::default() })
    });
    fields.insert("namespaces".to_owned(), all.collect());
    let query = |marker: Option<&str>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(params.iter().filter(|it| it.0 != "marker"));
        query.extend_pairs(marker.map(|it| ("marker", it)));
        let query = query.finish();
        if query.is_empty() { NAMESPACES.to_owned() } else { format!("{NAMESPACES}?{query}") }
    };
    if let (true, Some((last, _))) = (more, page.last()) {
        fields.insert("next".to_owned(), query(Some(&last.name)).into());
    }
    fields.insert("schema".to_owned(), "/v2/schemas/metadefs/namespaces".into());
    fields.insert("first".to_owned(), query(None).into());
    fields.into()
}

/// An association of a namespace.
pub fn association_to_json(it: &Association) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "name", Some(it.name.as_str()));
    put(&mut fields, "prefix", it.prefix.as_deref());
    put(&mut fields, "properties_target", it.properties_target.as_deref());
    put_times(&mut fields, it.times);
    fields.into()
}

/// All resource types.
pub fn resource_types_to_json(all: &[ResourceType]) -> Value {
    let types = all.iter().map(|it| {
        let mut fields = Map::new();
        put(&mut fields, "name", Some(it.name.as_str()));
        put_times(&mut fields, Some(it.times));
        Value::Object(fields)
    });
    json!({"resource_types": types.collect::<Value>()})
}

/// All properties of a namespace.
pub fn properties_to_json(all: &Properties) -> Value {
    json!({"properties": property::lenient_all(all)})
}

/// A property with its name.
pub fn property_to_json(name: &str, schema: &Schema) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), name.into());
    let rest = property::lenient(&Value::Object(schema.clone()));
    fields.extend(rest.into_iter().filter(|it| it.0 != "name"));
    fields.into()
}

/// An object; without links and times when it stands in an answer to the making of its namespace (Glance's behaviour).
pub fn object_to_json(namespace: &str, it: &Object) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "name", Some(it.name.as_str()));
    put(&mut fields, "required", it.required.clone());
    put(&mut fields, "description", it.description.as_deref());
    put(&mut fields, "properties", it.properties.as_ref().map(property::lenient_all));
    put_times(&mut fields, it.times);
    if it.times.is_some() {
        put(&mut fields, "self", Some(format!("{NAMESPACES}/{namespace}/objects/{}", it.name)));
        put(&mut fields, "schema", Some("/v2/schemas/metadefs/object"));
    }
    fields.into()
}

/// All objects of a namespace.
pub fn objects_to_json(namespace: &str, all: &[Object]) -> Value {
    let objects: Value = all.iter().map(|it| object_to_json(namespace, it)).collect();
    // The slash at the start is missing in Glance, too.
    json!({"objects": objects, "schema": "v2/schemas/metadefs/objects"})
}

/// A tag.
pub fn tag_to_json(it: &Tag) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "name", Some(it.name.as_str()));
    put_times(&mut fields, Some(it.times));
    fields.into()
}

fn put<T: Into<Value>>(fields: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}

fn put_times(fields: &mut Map<String, Value>, times: Option<Times>) {
    put(fields, "created_at", times.map(|it| format_time(it.created)));
    put(fields, "updated_at", times.and_then(|it| it.updated).map(format_time));
}
