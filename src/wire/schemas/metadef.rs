//! The schemas of metadata definitions. What clients send is checked against them.

use serde_json::{Map, Value, json};

/// A namespace with all that may be in it.
pub fn namespace() -> Value {
    item("namespace", namespace_fields(), &["namespace"], Some(definitions(true)))
}

/// A property of its own; inside of a namespace, the name is its key.
pub fn property() -> Value {
    item("property", property_fields(), &["type", "title", "name"], Some(definitions(false)))
}

/// A property of an object.
pub fn property_without_name() -> Value {
    item("property", property_fields(), &["type", "title"], Some(definitions(false)))
}

/// An object.
pub fn object() -> Value {
    let fields = json!({
        "name": {"type": "string", "maxLength": 80},
        "description": {"type": "string"},
        "required": {"$ref": "#/definitions/stringArray"},
        "properties": {"$ref": "#/definitions/property"},
        "schema": {"readOnly": true, "type": "string"},
        "self": {"readOnly": true, "type": "string"},
        "created_at": moment("Date and time of object creation"),
        "updated_at": moment("Date and time of the last object modification"),
    });
    item("object", fields, &["name"], Some(definitions(true)))
}

/// A tag.
pub fn tag() -> Value {
    let fields = json!({
        "name": {"type": "string", "maxLength": 80},
        "created_at": moment("Date and time of tag creation"),
        "updated_at": moment("Date and time of the last tag modification"),
    });
    item("tag", fields, &["name"], None)
}

/// Tags as they are made several at once. Not served.
pub fn new_tags() -> Value {
    let tag = json!({
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 80}},
        "required": ["name"],
        "additionalProperties": false,
    });
    item("tags", json!({"tags": {"type": "array", "items": tag}}), &["tags"], None)
}

/// That a namespace applies to a resource type.
pub fn resource_type() -> Value {
    let fields = json!({
        "name": {
            "type": "string",
            "description": "Resource type names should be aligned with Heat resource types whenever possible: \
                https://docs.openstack.org/heat/latest/template_guide/openstack.html",
            "maxLength": 80,
        },
        "prefix": {
            "type": "string",
            "description": "Specifies the prefix to use for the given resource type. Any properties in the namespace \
                should be prefixed with this prefix when being applied to the specified resource type. Must include \
                prefix separator (e.g. a colon :).",
            "maxLength": 80,
        },
        "properties_target": {
            "type": "string",
            "description": "Some resource types allow more than one key / value pair per instance.  For example, \
                Cinder allows user and image metadata on volumes. Only the image properties metadata is evaluated by \
                Nova (scheduling or drivers). This property allows a namespace target to remove the ambiguity.",
            "maxLength": 80,
        },
        "created_at": moment("Date and time of resource type association"),
        "updated_at": moment("Date and time of the last resource type association modification"),
    });
    item("resource_type_association", fields, &["name"], None)
}

/// A list of namespaces.
pub fn namespaces() -> Value {
    list("namespaces", namespace())
}

/// All properties of a namespace: an object, whose keys are the names.
pub fn properties() -> Value {
    let mut all = list("properties", property_without_name());
    if let Some(field) = all.pointer_mut("/properties/properties") {
        let property = field["items"].take();
        *field = json!({"type": "object", "additionalProperties": property});
    }
    all
}

/// A list of objects.
pub fn objects() -> Value {
    list("objects", object())
}

/// A list of tags.
pub fn tags() -> Value {
    list("tags", tag())
}

/// A list of associations.
pub fn resource_types() -> Value {
    list("resource_type_associations", resource_type())
}

fn item(name: &str, fields: Value, required: &[&str], definitions: Option<Value>) -> Value {
    let mut schema = Map::new();
    schema.insert("name".to_owned(), name.into());
    schema.insert("properties".to_owned(), fields);
    schema.insert("additionalProperties".to_owned(), false.into());
    if let Some(definitions) = definitions {
        schema.insert("definitions".to_owned(), definitions);
    }
    schema.insert("required".to_owned(), required.to_vec().into());
    schema.into()
}

/// A list; what its items refer to moves to the top.
fn list(name: &str, mut item: Value) -> Value {
    let definitions = item.as_object_mut().and_then(|it| it.shift_remove("definitions"));
    let mut list = json!({
        "name": name,
        "properties": {
            name: {"type": "array", "items": item},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    });
    if let Some(definitions) = definitions {
        list["definitions"] = definitions;
    }
    list
}

fn moment(description: &str) -> Value {
    json!({"type": "string", "readOnly": true, "description": description, "format": "date-time"})
}

fn namespace_fields() -> Value {
    json!({
        "namespace": {"type": "string", "description": "The unique namespace text.", "maxLength": 80},
        "display_name": {
            "type": "string",
            "description": "The user friendly name for the namespace. Used by UI if available.",
            "maxLength": 80,
        },
        "description": {
            "type": "string",
            "description": "Provides a user friendly description of the namespace.",
            "maxLength": 500,
        },
        "visibility": {
            "type": "string",
            "description": "Scope of namespace accessibility.",
            "enum": ["public", "private"],
        },
        "protected": {"type": "boolean", "description": "If true, namespace will not be deletable."},
        "owner": {"type": "string", "description": "Owner of the namespace.", "maxLength": 255},
        "created_at": moment("Date and time of namespace creation"),
        "updated_at": moment("Date and time of the last namespace modification"),
        "schema": {"readOnly": true, "type": "string"},
        "self": {"readOnly": true, "type": "string"},
        "resource_type_associations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "prefix": {"type": "string"},
                    "properties_target": {"type": "string"},
                },
            },
        },
        "properties": {"$ref": "#/definitions/property"},
        "objects": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "description": {"type": "string"},
                    "required": {"$ref": "#/definitions/stringArray"},
                    "properties": {"$ref": "#/definitions/property"},
                },
            },
        },
        "tags": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    })
}

fn definitions(with_property: bool) -> Value {
    let mut all = json!({
        "positiveInteger": {"type": "integer", "minimum": 0},
        "positiveIntegerDefault0": {"allOf": [{"$ref": "#/definitions/positiveInteger"}, {"default": 0}]},
        "stringArray": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
    });
    if with_property {
        all["property"] = json!({
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["title", "type"],
                "properties": property_fields(),
            },
        });
    } else {
        all["stringArray"] = json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true});
    }
    all
}

fn property_fields() -> Value {
    let kinds = json!(["array", "boolean", "integer", "number", "object", "string", null]);
    json!({
        "name": {"type": "string", "maxLength": 80},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "operators": {"type": "array", "items": {"type": "string"}},
        "type": {"type": "string", "enum": kinds},
        "required": {"$ref": "#/definitions/stringArray"},
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "maxLength": {"$ref": "#/definitions/positiveInteger"},
        "minLength": {"$ref": "#/definitions/positiveIntegerDefault0"},
        "pattern": {"type": "string", "format": "regex"},
        "enum": {"type": "array"},
        "readonly": {"type": "boolean"},
        "default": {},
        "items": {"type": "object", "properties": {"type": {"type": "string", "enum": kinds}, "enum": {"type": "array"}}},
        "maxItems": {"$ref": "#/definitions/positiveInteger"},
        "minItems": {"$ref": "#/definitions/positiveIntegerDefault0"},
        "uniqueItems": {"type": "boolean", "default": false},
        "additionalItems": {"type": "boolean"},
    })
}
