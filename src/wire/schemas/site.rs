//! The custom properties that a site describes in `schema-image.json`.

use crate::image::ImageId;
use crate::wire::schemas::{ID_PATTERN, image};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Whether a text has a pattern in it.
pub type Pattern = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What the file says; by default what Glance's own file of that name does.
#[derive(Clone)]
pub struct SiteProperties {
    properties: Map<String, Value>,
    required: Vec<String>,
    patterns: BTreeMap<String, Pattern>,
}

/// Keywords of a JSON schema that say what a text may be, and are not known here.
const UNCHECKED: [&str; 7] = ["const", "anyOf", "allOf", "oneOf", "not", "if", "$ref"];

/// What is not as the schema of a property has it, in jsonschema's words.
pub(in crate::wire) type Wrong = String;

// === impl SiteProperties ===

impl SiteProperties {
    /// Reads the file: `{"name": {…}}` or `{"properties": {"name": {…}}, "required": […]}`. `compile` makes a pattern of
    /// a regular expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, compile: impl Fn(&str) -> Result<Pattern, String>) -> Result<Self, String> {
        let file: Value = serde_json::from_str(text).map_err(|e| format!("it is no JSON: {e}"))?;
        let Value::Object(mut file) = file else { return Err("it is no JSON object".to_owned()) };
        let (properties, required) = match file.remove("properties") {
            Some(Value::Object(properties)) => (properties, names(file.remove("required"))?),
            Some(_) => return Err("its \"properties\" are no object".to_owned()),
            None => (file, Vec::new()),
        };
        let mut site = Self { properties: Map::new(), required, patterns: BTreeMap::new() };
        for (name, schema) in properties {
            let Value::Object(mut schema) = schema else { return Err(format!("property {name} is no object")) };
            if image::is_base(&name) {
                return Err(format!("property {name} is one that every image has"));
            }
            if let Some(pattern) = schema.get("pattern") {
                let pattern = pattern.as_str().ok_or_else(|| format!("the pattern of property {name} is no text"))?;
                let made =
                    compile(pattern).map_err(|e| format!("the pattern of property {name} makes no sense: {e}"))?;
                site.patterns.insert(name.clone(), made);
            }
            check(&schema).map_err(|what| format!("property {name}: {what}"))?;
            schema.insert("is_base".to_owned(), false.into());
            site.properties.insert(name, schema.into());
        }
        Ok(site)
    }

    pub(super) fn properties(&self) -> &Map<String, Value> {
        &self.properties
    }

    /// Whether the site describes the custom property `name`.
    pub fn describes(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }

    /// What the file says and is not checked: the property, the keyword.
    pub fn unchecked(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.properties.iter().flat_map(|property| UNCHECKED.map(|keyword| (property, keyword)));
        all.filter(|((_, schema), keyword)| schema.get(keyword).is_some()).map(|((name, _), it)| (name.as_str(), it))
    }

    /// Names that a new image must have.
    pub fn required(&self) -> &[String] {
        &self.required
    }

    /// Whether the custom property `name` may have this value; one that is not described is text.
    pub(in crate::wire) fn check(&self, name: &str, value: &Value) -> Result<(), Wrong> {
        let shown = crate::wire::check::show(value);
        let Some(Value::Object(schema)) = self.properties.get(name) else {
            let why = || format!("{shown} is not of type 'string' (in '{name}')");
            return value.is_string().then_some(()).ok_or_else(why);
        };
        let types = types(schema)?;
        let is = |kind: &str| match kind {
            "null" => value.is_null(),
            "string" => value.is_string(),
            _ => false,
        };
        if !types.is_empty() && !types.iter().any(|it| is(it)) {
            let types: Vec<String> = types.iter().map(|it| format!("'{it}'")).collect();
            return Err(format!("{shown} is not of type {} (in '{name}')", types.join(", ")));
        }
        if let Some(Value::Array(known)) = schema.get("enum")
            && !known.contains(value)
        {
            let known: Vec<String> = known.iter().map(crate::wire::check::show).collect();
            return Err(format!("{shown} is not one of [{}] (in '{name}')", known.join(", ")));
        }
        let Value::String(text) = value else { return Ok(()) };
        let length = text.chars().count() as u64;
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        if bound("maxLength").is_some_and(|it| length > it) {
            return Err(format!("{shown} is too long (in '{name}')"));
        }
        if bound("minLength").is_some_and(|it| length < it) {
            return Err(format!("{shown} is too short (in '{name}')"));
        }
        match self.patterns.get(name) {
            Some(pattern) if !pattern(text) => {
                let pattern = schema.get("pattern").and_then(Value::as_str).unwrap_or_default();
                Err(format!("{shown} does not match '{pattern}' (in '{name}')"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for SiteProperties {
    fn default() -> Self {
        let is_id: Pattern = Arc::new(|text| text.parse::<ImageId>().is_ok());
        let properties = image::known_properties().as_object().cloned().unwrap_or_default();
        let of_id = properties.iter().filter(|it| it.1["pattern"] == ID_PATTERN).map(|it| it.0.clone());
        let patterns = of_id.map(|name| (name, Arc::clone(&is_id))).collect();
        Self { properties, required: Vec::new(), patterns }
    }
}

impl fmt::Debug for SiteProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteProperties").field("properties", &self.properties).finish_non_exhaustive()
    }
}

/// That what is checked of a schema has the form that the check knows.
fn check(schema: &Map<String, Value>) -> Result<(), String> {
    types(schema)?;
    if schema.get("enum").is_some_and(|it| !it.is_array()) {
        return Err("its \"enum\" is no list".to_owned());
    }
    match ["minLength", "maxLength"].into_iter().find(|it| schema.get(*it).is_some_and(|it| !it.is_u64())) {
        Some(bound) => Err(format!("its \"{bound}\" is no number of characters")),
        None => Ok(()),
    }
}

/// The types that a schema takes; none for any. Only text and null can be kept.
fn types(schema: &Map<String, Value>) -> Result<Vec<&str>, String> {
    let all = match schema.get("type") {
        None => Vec::new(),
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
    };
    const KINDS: [&str; 7] = ["null", "string", "integer", "number", "boolean", "array", "object"];
    let known = |it: &Value| KINDS.into_iter().find(|kind| it == *kind).ok_or_else(|| format!("{it} is no type"));
    all.into_iter().map(known).collect()
}

fn names(value: Option<Value>) -> Result<Vec<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(other) => serde_json::from_value(other).map_err(|_| "its \"required\" is no list of names".to_owned()),
    }
}
