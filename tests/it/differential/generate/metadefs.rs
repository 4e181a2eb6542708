//! `/v2/metadefs` and all below it.

use super::{Generator, Step};
use crate::differential::{
    model::Effect,
    request::{Request, Who},
    values::{anything, encoded, mostly, percent, pick, text},
};
use rand::{Rng, rngs::StdRng};
use serde_json::{Map, Value, json};

// Names that Glance cannot find by their path are not among these.
const NAMESPACES: [&str; 4] = ["N1", "N2", "N 3", "N::4"];
const NAMES: [&str; 5] = ["one", "two", "Two", "three four", "OS::Glance::Image"];
const TYPES: [&str; 4] = ["OS::Glance::Image", "OS::Nova::Server", "T1", "T.2"];

fn name(random: &mut StdRng, of: &[&str]) -> String {
    match random.random_range(0..25) {
        0 => text(random),
        1 => "nonsense".to_owned(),
        _ => of[random.random_range(0..of.len())].to_owned(),
    }
}

/// A property's definition.
fn definition(random: &mut StdRng, named: bool) -> Value {
    let mut fields = Map::new();
    if named {
        fields.insert("name".to_owned(), json!(name(random, &NAMES)));
    }
    fields.insert("title".to_owned(), json!(text(random)));
    fields.insert(
        "type".to_owned(),
        json!(pick(random, &["string", "integer", "boolean", "array", "number", "object", "x"])),
    );
    for _ in 0..random.random_range(0..4) {
        let (name, value) = match random.random_range(0..16) {
            0 => ("description", json!(text(random))),
            1 => ("operators", json!(["<in>", "<all-in>"])),
            2 => ("minimum", json!(random.random_range(-5..5))),
            3 => ("maximum", json!(1.5)),
            4 => ("minLength", json!(random.random_range(-1..5))),
            5 => ("maxLength", json!(random.random_range(0..5))),
            6 => ("pattern", json!(pick(random, &["^a", "[", ""]))),
            7 => ("enum", json!(["a", "b"])),
            8 => ("readonly", json!(percent(random, 50))),
            9 => ("default", anything(random)),
            10 => ("items", json!({"type": "string", "enum": ["a"]})),
            11 => ("minItems", json!(1)),
            12 => ("maxItems", json!(2)),
            13 => ("uniqueItems", json!(true)),
            14 => ("additionalItems", json!(true)),
            _ => ("more", json!("x")),
        };
        fields.insert(name.to_owned(), mostly(random, value));
    }
    if percent(random, 5) {
        fields.remove("title");
    }
    Value::Object(fields)
}

fn definitions(random: &mut StdRng) -> Value {
    let count = random.random_range(0..3);
    (0..count).map(|_| (name(random, &NAMES), definition(random, false))).collect::<Map<_, _>>().into()
}

fn object(random: &mut StdRng) -> Value {
    let mut fields = json!({"name": name(random, &NAMES)});
    if percent(random, 50) {
        fields["description"] = mostly(random, json!("words"));
    }
    if percent(random, 60) {
        let definitions = definitions(random);
        fields["properties"] = mostly(random, definitions);
    }
    if percent(random, 30) {
        fields["required"] = mostly(random, json!(["one"]));
    }
    if percent(random, 4) {
        fields["more"] = json!("x");
    }
    fields
}

fn association(random: &mut StdRng) -> Value {
    // What only one of them takes could not be taken away again.
    let name: String = name(random, &TYPES).chars().take(80).collect();
    let mut fields = json!({"name": name});
    if percent(random, 50) {
        fields["prefix"] = mostly(random, json!("hw_"));
    }
    if percent(random, 30) {
        fields["properties_target"] = mostly(random, json!("image"));
    }
    if percent(random, 4) {
        fields["more"] = json!("x");
    }
    fields
}

fn tags(random: &mut StdRng) -> Value {
    let count = random.random_range(0..4);
    (0..count).map(|_| json!({"name": name(random, &NAMES)})).collect()
}

fn namespace(random: &mut StdRng, projects: &[String; 2], nested: bool) -> Value {
    let mut fields = json!({"namespace": name(random, &NAMESPACES)});
    for _ in 0..random.random_range(0..5) {
        let (name, value) = match random.random_range(0..12) {
            0 => ("display_name", json!(text(random))),
            1 => ("description", json!(text(random))),
            2 | 3 => ("visibility", json!(pick(random, &["public", "private"]))),
            4 => ("protected", json!(percent(random, 30))),
            5 => ("owner", json!(projects[usize::from(percent(random, 50))])),
            6 if nested => ("properties", definitions(random)),
            7 if nested => ("objects", json!([object(random)])),
            8 if nested => ("tags", tags(random)),
            9 if nested => ("resource_type_associations", json!([association(random)])),
            10 => ("self", json!("x")),
            _ => ("more", json!("x")),
        };
        if ["more", "self"].contains(&name) && percent(random, 70) {
            continue;
        }
        fields[name] = mostly(random, value);
    }
    fields
}

impl Generator {
    pub(super) fn metadefs(&mut self) -> Step {
        let who = if percent(&mut self.random, 65) { Who::Admin } else { self.who() };
        let projects = self.projects.clone();
        let random = &mut self.random;
        let space = name(random, &NAMESPACES);
        let space: String = space.chars().take(300).collect();
        let at = format!("/v2/metadefs/namespaces/{}", encoded(&space));
        let effect = Effect::Namespace(space);
        let (kind, child) =
            *[("properties", "p"), ("objects", "o"), ("tags", "t")].get(random.random_range(0..3)).unwrap();
        let leaf_name: String = name(random, &NAMES).chars().take(300).collect();
        let leaf = format!("{at}/{kind}/{}", encoded(&leaf_name));
        let request = match random.random_range(0..50) {
            0..7 => {
                let body = namespace(random, &projects, true);
                let made = body["namespace"].as_str().unwrap_or_default().to_owned();
                let request = Request::new(who, "POST", "/v2/metadefs/namespaces").json(body);
                return (request, Effect::Namespace(made));
            }
            7..9 => Request::new(who, "PUT", at).json(namespace(random, &projects, false)),
            9..11 => Request::new(who, "DELETE", at),
            11..14 => {
                let query =
                    pick(random, &["", "", "?resource_type=OS%3A%3AGlance%3A%3AImage", "?resource_type=x", "?x=y"]);
                Request::new(who, "GET", format!("{at}{query}"))
            }
            14..18 => Request::new(who, "GET", format!("/v2/metadefs/namespaces{}", listing(random))),
            18..22 => Request::new(who, "POST", format!("{at}/resource_types")).json(association(random)),
            22 => Request::new(who, "GET", "/v2/metadefs/resource_types"),
            23..25 => Request::new(who, "GET", format!("{at}/resource_types")),
            25 => Request::new(who, "DELETE", format!("{at}/resource_types/{}", encoded(&name(random, &TYPES)))),
            26..34 => {
                let body = match child {
                    "p" => definition(random, true),
                    "o" => object(random),
                    _ => json!({"tags": tags(random)}),
                };
                let mut request = Request::new(who, "POST", format!("{at}/{kind}")).json(mostly(random, body));
                if child == "t" && percent(random, 40) {
                    request = request.header("X-Openstack-Append", pick(random, &["True", "true", "False", "x"]));
                }
                request
            }
            34..38 => {
                let body = match child {
                    "p" => definition(random, true),
                    "o" => object(random),
                    _ => json!({"name": name(random, &NAMES)}),
                };
                Request::new(who, "PUT", leaf).json(mostly(random, body))
            }
            38..41 => {
                let query =
                    if child == "p" && percent(random, 40) { "?resource_type=OS%3A%3AGlance%3A%3AImage" } else { "" };
                Request::new(who, "GET", format!("{leaf}{query}"))
            }
            41..43 => Request::new(who, "DELETE", leaf),
            43..46 => Request::new(who, "GET", format!("{at}/{kind}{}", listing(random))),
            46 => Request::new(who, "DELETE", format!("{at}/{kind}")),
            47 => Request::new(who, "POST", leaf),
            48 => Request::new(who, pick(random, &["PATCH", "PUT", "BREW"]), format!("{at}/{kind}")).json("{}"),
            _ => Request::new(who, "POST", "/v2/metadefs/namespaces").json(anything(random)),
        };
        let effect = if request.method == "GET" { Effect::Reads } else { effect };
        (request, effect)
    }
}

fn listing(random: &mut StdRng) -> &'static str {
    const QUERIES: [&str; 22] = [
        "",
        "",
        "",
        "?limit=2",
        "?limit=1",
        "?limit=0",
        "?limit=x",
        "?limit=-1",
        "?marker=N1",
        "?marker=nonsense",
        "?sort_key=namespace",
        "?sort_key=name",
        "?sort_key=name&sort_dir=asc",
        "?sort_key=x",
        "?sort_dir=asc",
        "?sort_dir=x",
        "?visibility=public",
        "?visibility=private",
        "?visibility=x",
        "?resource_types=OS::Glance::Image,T1",
        "?resource_types=x",
        "?x=y",
    ];
    QUERIES[random.random_range(0..QUERIES.len())]
}
