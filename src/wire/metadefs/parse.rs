//! Documents that clients send.

use crate::image::metadef::{Association, Details, NewNamespace, Object, Schema};
use crate::wire::metadefs::{property, schema};
use crate::wire::{WireError, check, schemas};
use serde_json::{Map, Value};

/// Characters of a name or a prefix: what the columns hold.
const MAX_NAME: usize = 80;

/// Bytes of a text or a schema: what a TEXT column of MySQL holds.
const MAX_TEXT: usize = 65_535;

/// What answers say of parts of a namespace: clients send it back with the rest, and it has no effect.
const SHOWN: [&str; 4] = ["created_at", "updated_at", "self", "schema"];

/// A namespace, to be made or to replace another one, whose content then stays.
///
/// # Errors
/// [`WireError`].
pub fn parse_namespace(body: &[u8], is_new: bool) -> Result<NewNamespace, WireError> {
    let fields =
        document(body, "namespace", &schemas::metadef::namespace(), &["self", "schema", "created_at", "updated_at"])?;
    let verb = if is_new { "create" } else { "update" };
    for name in ["namespace", "display_name", "description", "owner"] {
        if let Some(text) = fields.get(name).and_then(Value::as_str) {
            narrow(&titled(name), text).map_err(|it| invalid(format!("Couldn't {verb} metadata namespace: {it}")))?;
        }
    }
    let list = |name: &str| fields.get(name).and_then(Value::as_array);
    let each = |name: &'static str| list(name).map(|it| it.iter().filter_map(Value::as_object));
    let details = Details {
        associations: each("resource_type_associations").map(|it| it.map(association).collect()).transpose()?,
        properties: fields.get("properties").map(properties).transpose()?,
        objects: each("objects").map(|it| it.map(one_object).collect()).transpose()?,
        tags: each("tags").map(|it| it.map(one_tag).collect()).transpose()?,
    };
    Ok(NewNamespace {
        name: text(&fields, "namespace").unwrap_or_default(),
        display_name: text(&fields, "display_name"),
        description: text(&fields, "description"),
        is_public: fields.get("visibility").is_some_and(|it| it == "public"),
        protected: fields.get("protected").is_some_and(|it| it == true),
        owner: text(&fields, "owner"),
        details,
    })
}

/// A property with its name.
///
/// # Errors
/// [`WireError`].
pub fn parse_property(body: &[u8]) -> Result<(String, Schema), WireError> {
    let fields = document(body, "property", &schemas::metadef::property(), &["created_at", "updated_at"])?;
    let name = text(&fields, "name").unwrap_or_default();
    check_name("a property", &name)?;
    let found = property::strict(&fields).map_err(invalid)?;
    check_size("property", &Value::Object(found.clone()))?;
    Ok((name, found))
}

/// An object; a new one's properties are checked more strictly than those of one that is replaced (Glance's
/// behaviour).
///
/// # Errors
/// [`WireError`].
pub fn parse_object(body: &[u8], is_new: bool) -> Result<Object, WireError> {
    let fields =
        document(body, "object", &schemas::metadef::object(), &["self", "schema", "created_at", "updated_at"])?;
    if is_new {
        let rule = schemas::metadef::property_without_name();
        let properties = fields.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (_, one) in properties {
            if let Some(reason) = schema::problem(&rule, one) {
                return Err(WireError::Schema { schema: "property", reason });
            }
        }
    }
    one_object(&fields)
}

/// A resource type to associate with.
///
/// # Errors
/// [`WireError`].
pub fn parse_resource_type(body: &[u8]) -> Result<Association, WireError> {
    let rule = schemas::metadef::resource_type();
    association(&document(body, "resource_type_association", &rule, &["created_at", "updated_at"])?)
}

/// The new name of a tag.
///
/// # Errors
/// [`WireError`].
pub fn parse_tag(body: &[u8]) -> Result<String, WireError> {
    one_tag(&document(body, "tag", &schemas::metadef::tag(), &["created_at", "updated_at"])?)
}

/// The names of tags to be made.
///
/// # Errors
/// [`WireError`].
pub fn parse_new_tags(body: &[u8]) -> Result<Vec<String>, WireError> {
    let fields = document(body, "tags", &schemas::metadef::new_tags(), &["created_at", "updated_at"])?;
    let tags = fields.get("tags").and_then(Value::as_array);
    tags.into_iter().flatten().filter_map(Value::as_object).map(one_tag).collect()
}

/// Whether a tag may have this name.
///
/// # Errors
/// [`WireError`].
pub fn check_tag_name(name: &str) -> Result<(), WireError> {
    if name.chars().count() > MAX_NAME {
        let start: String = name.chars().take(40).collect();
        return Err(WireError::Schema { schema: "tag", reason: format!("'{start}...' is too long (in 'name')") });
    }
    narrow("Name", name).map_err(invalid)
}

/// The fields of a document that is as its schema says.
fn document(
    body: &[u8],
    schema: &'static str,
    rule: &Value,
    read_only: &[&str],
) -> Result<Map<String, Value>, WireError> {
    let Value::Object(fields) = check::document(body)? else { return Err(WireError::NotDocument) };
    if let Some(name) = read_only.iter().find(|it| fields.contains_key(**it)) {
        return Err(WireError::ReadOnly((*name).to_owned()));
    }
    let value = Value::Object(fields);
    if let Some(reason) = schema::problem(rule, &value) {
        return Err(WireError::Schema { schema, reason });
    }
    let Value::Object(fields) = value else { return Err(WireError::NotDocument) };
    Ok(fields)
}

fn association(fields: &Map<String, Value>) -> Result<Association, WireError> {
    known(fields, "a resource type association", &["name", "prefix", "properties_target"])?;
    let found = Association {
        name: text(fields, "name").ok_or_else(|| missing("a resource type association"))?,
        prefix: text(fields, "prefix"),
        properties_target: text(fields, "properties_target"),
        times: None,
    };
    for value in [Some(&found.name), found.prefix.as_ref(), found.properties_target.as_ref()].into_iter().flatten() {
        check_name("a resource type association", value)?;
    }
    Ok(found)
}

fn one_object(fields: &Map<String, Value>) -> Result<Object, WireError> {
    known(fields, "an object", &["name", "description", "required", "properties"])?;
    let name = text(fields, "name").ok_or_else(|| missing("an object"))?;
    check_name("an object", &name)?;
    let required = fields.get("required").and_then(Value::as_array);
    let names = required.map(|it| it.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>());
    if names.iter().flatten().any(|it| it.contains(',')) {
        // Glance keeps them in one column, with commas between them.
        return Err(invalid("The names in 'required' of an object take no commas.".to_owned()));
    }
    let description = text(fields, "description");
    narrow("Description", description.as_deref().unwrap_or_default()).map_err(invalid)?;
    check_size("object", &Value::Array(vec![description.clone().into(), required.cloned().into()]))?;
    let properties = fields.get("properties").map(properties).transpose()?;
    Ok(Object { name, required: names, description, properties, times: None })
}

fn one_tag(fields: &Map<String, Value>) -> Result<String, WireError> {
    known(fields, "a tag", &["name"])?;
    let name = text(fields, "name").ok_or_else(|| missing("a tag"))?;
    check_tag_name(&name)?;
    Ok(name)
}

fn properties(value: &Value) -> Result<Map<String, Value>, WireError> {
    let found = property::strict_all(value).map_err(invalid)?;
    for name in found.keys() {
        check_name("a property", name)?;
    }
    check_size("namespace's or object's properties", &Value::Object(found.clone()))?;
    Ok(found)
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn invalid(words: String) -> WireError {
    WireError::Invalid(words)
}

fn missing(what: &str) -> WireError {
    invalid(format!("Mandatory attribute 'name' of {what} is missing."))
}

fn known(fields: &Map<String, Value>, what: &str, names: &[&str]) -> Result<(), WireError> {
    let is_known = |it: &str| names.contains(&it) || SHOWN.contains(&it);
    let Some(name) = fields.keys().find(|it| !is_known(it)) else { return Ok(()) };
    let name: String = name.chars().take(80).collect();
    Err(invalid(format!("Unknown attribute '{name}' of {what}.")))
}

fn check_name(what: &str, name: &str) -> Result<(), WireError> {
    if name.chars().count() > MAX_NAME {
        let start: String = name.chars().take(40).collect();
        return Err(invalid(format!("'{start}...' is too long for {what}: more than {MAX_NAME} characters.")));
    }
    narrow("Name", name).map_err(invalid)
}

fn check_size(what: &str, value: &Value) -> Result<(), WireError> {
    // Escaped as Glance writes it: six bytes for what is not ASCII.
    let size: usize = value.to_string().chars().map(|it| if it.is_ascii() { 1 } else { 6 * it.len_utf16() }).sum();
    if size > MAX_TEXT {
        return Err(invalid(format!("The {what} are longer than {MAX_TEXT} bytes.")));
    }
    Ok(())
}

/// Glance's databases hold characters of the basic plane only.
fn narrow(name: &str, text: &str) -> Result<(), String> {
    if text.chars().any(|it| it.len_utf8() > 3) {
        return Err(format!("{name} can't contain 4 byte unicode characters."));
    }
    Ok(())
}

/// `display_name` as Python's `title` has it: `Display_Name`.
fn titled(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    });
    words.collect::<Vec<_>>().join("_")
}
