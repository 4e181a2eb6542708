//! `larder node rules`.

use super::{args::RulesVerb, line};
use crate::base::ByteSize;
use crate::commands::output::{Align, fitted, print, print_json};
use crate::remote::Catalogue;
use crate::wire::fleet::{Rule, RuleName};
use anyhow::Context;
use std::{io::Read, path::Path};

/// Bytes of a rule's document at the most.
const MOST: u64 = 1 << 20;

pub(super) async fn run(catalogue: &Catalogue, verb: &RulesVerb) -> anyhow::Result<()> {
    match verb {
        RulesVerb::List { node, json } => {
            let node = node.as_ref().map(|it| it.parse().context("--node")).transpose()?;
            let set = catalogue.rules(node.as_ref()).await?;
            if *json { print_json(&set) } else { print(&as_table(&set.rules)?) }
        }
        RulesVerb::Put { name, file } => {
            let name: RuleName = name.parse().context("no such rule")?;
            let text = read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let rule: Rule = serde_json::from_str(&text).with_context(|| format!("{} is no rule", file.display()))?;
            rule.check().with_context(|| format!("{} is no rule", file.display()))?;
            catalogue.put_rule(&name, &rule).await?;
            Ok(())
        }
        RulesVerb::Delete { names } => {
            let names = names.iter().map(|it| it.parse().context("no such rule"));
            for name in names.collect::<Result<Vec<RuleName>, _>>()? {
                catalogue.delete_rule(&name).await?;
            }
            Ok(())
        }
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().take(MOST).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(file)?.take(MOST).read_to_string(&mut text)?;
    }
    Ok(text)
}

fn as_table(rules: &[Rule]) -> anyhow::Result<String> {
    let mut rows = Vec::with_capacity(rules.len());
    for it in rules {
        let conditions = serde_json::to_string(&it.images).context("the rule cannot be shown")?;
        rows.push(vec![
            it.name.as_ref().map_or_else(String::new, ToString::to_string),
            line(&conditions),
            if it.nodes.is_empty() { "all".to_owned() } else { it.nodes.to_string() },
            it.window.as_ref().map_or_else(|| "always".to_owned(), |it| format!("{} for {} s", it.opens, it.lasts)),
            it.budget.map_or_else(String::new, |it| ByteSize(it).to_string()),
            it.priority.to_string(),
            if it.pin { "yes" } else { "" }.to_owned(),
        ]);
    }
    let columns = [
        ("rule", Align::Left),
        ("match", Align::Left),
        ("nodes", Align::Left),
        ("window", Align::Left),
        ("budget", Align::Right),
        ("priority", Align::Right),
        ("pin", Align::Left),
    ];
    Ok(fitted(&columns, &rows))
}
