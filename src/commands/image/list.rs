//! `larder image list`.

use super::{args::ListArgs, key_value};
use crate::base::ByteSize;
use crate::commands::output::{Align, fitted, print, print_json};
use crate::remote::{Catalogue, RemoteImage};
use anyhow::Context;
use serde_json::Value;

/// The longest page that Glance gives.
const PAGE: usize = 1000;

pub(super) async fn run(catalogue: &Catalogue, args: &ListArgs) -> anyhow::Result<()> {
    let mut query: Vec<(&str, &str)> = Vec::new();
    let filters =
        [("name", &args.name), ("status", &args.status), ("visibility", &args.visibility), ("sort", &args.sort)];
    query.extend(filters.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?))));
    query.extend(args.tag.iter().map(|tag| ("tag", tag.as_str())));
    for filter in &args.filter {
        query.push(key_value(filter)?);
    }
    let limit = args.limit.unwrap_or(usize::MAX);
    let page = limit.min(PAGE).to_string();
    query.push(("limit", &page));
    let images = if limit == 0 { Vec::new() } else { catalogue.images_up_to(&query, limit).await? };
    if args.json { print_json(&images) } else { print(&as_table(&images, &args.columns)?) }
}

fn as_table(images: &[RemoteImage], columns: &[String]) -> anyhow::Result<String> {
    let headings: Vec<(&str, Align)> = columns
        .iter()
        .map(|name| {
            let number = ["size", "virtual_size", "min_disk", "min_ram"].contains(&name.as_str());
            (name.as_str(), if number { Align::Right } else { Align::Left })
        })
        .collect();
    let mut rows = Vec::with_capacity(images.len());
    for image in images {
        let image = serde_json::to_value(image).context("the image cannot be shown")?;
        rows.push(columns.iter().map(|name| cell(name, &image[name.as_str()])).collect());
    }
    Ok(fitted(&headings, &rows))
}

/// A value for people: sizes with units, lists with commas.
fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Number(number) if name.ends_with("size") => {
            number.as_u64().map_or_else(|| number.to_string(), |size| ByteSize(size).to_string())
        }
        Value::Array(list) => list.iter().map(|it| cell("", it)).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.replace(char::is_control, " "),
        other => other.to_string(),
    }
}
