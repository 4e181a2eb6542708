//! `larder image show`.

use super::{args::ShowArgs, parse_id};
use crate::commands::output::{Align, fitted, print};
use crate::remote::{Catalogue, RemoteImage};
use anyhow::Context;
use serde_json::Value;

pub(super) async fn run(catalogue: &Catalogue, args: &ShowArgs) -> anyhow::Result<bool> {
    let mut all = true;
    for text in &args.ids {
        let image = match parse_id(text) {
            Ok(id) => catalogue.image(&id).await.map_err(anyhow::Error::from),
            Err(error) => Err(error),
        };
        match image {
            Ok(image) if args.json => print(&serde_json::to_string(&image).context("the image cannot be shown")?)?,
            Ok(image) => print(&as_table(&image)?)?,
            Err(error) => {
                eprintln!("larder: {error:#}");
                all = false;
            }
        }
    }
    Ok(all)
}

fn as_table(image: &RemoteImage) -> anyhow::Result<String> {
    let value = serde_json::to_value(image).context("the image cannot be shown")?;
    let Value::Object(fields) = value else { return Ok(String::new()) };
    let rows: Vec<Vec<String>> = fields.iter().map(|(key, value)| vec![key.clone(), shown(value)]).collect();
    Ok(fitted(&[("Field", Align::Left), ("Value", Align::Left)], &rows))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace(char::is_control, " "),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
