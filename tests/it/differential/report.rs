//! What a run has found, in words.

use super::{
    compare::{Difference, differences, words},
    known::{self, Case, KNOWN},
    pair::{Asked, GLANCE, LARDER},
    request::{Request, short},
};
use crate::api::Answer;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// How often something was seen, and the first of it.
#[derive(Debug, Default)]
struct Seen {
    count: usize,
    example: String,
}

/// What runs have found.
#[derive(Debug, Default)]
pub(super) struct Report {
    requests: usize,
    /// Requests by what Glance answered.
    statuses: BTreeMap<u16, usize>,
    /// Differences that are not known, by kind.
    new: BTreeMap<String, Seen>,
    /// Known differences by name, and by kind.
    known: BTreeMap<&'static str, BTreeMap<String, Seen>>,
    /// Requests in which one was seen, by its name.
    hits: BTreeMap<&'static str, usize>,
}

// === impl Report ===

impl Report {
    pub(super) fn take(&mut self, request: &Request, asked: &Asked) {
        self.requests += 1;
        self.look(request, asked);
    }

    /// Takes what was asked only to see what a request has left behind.
    pub(super) fn look(&mut self, request: &Request, asked: &Asked) {
        let answers = &asked.answers;
        if let Some(answer) = &answers[GLANCE] {
            *self.statuses.entry(answer.status).or_default() += 1;
        }
        let mut names = BTreeSet::new();
        for difference in differences(answers, asked.times) {
            let [larder, glance] = answers.each_ref().map(Option::as_ref);
            let case = Case { request, larder, glance, difference: &difference };
            let status = answers.each_ref().map(|it| it.as_ref().map_or(0, |it| it.status));
            let (method, path, what) = (&request.method, template(&request.path), &difference.what);
            let mut kind = format!("{method} {path} {}/{} {what}", status[LARDER], status[GLANCE]);
            let kinds = match known::find(&case) {
                // The first difference tells what is the matter.
                Some(known) if !names.insert(known.name) => continue,
                Some(known) => {
                    kind = format!("{kind} {} | {}", said(&case, LARDER), said(&case, GLANCE));
                    self.known.entry(known.name).or_default()
                }
                None => &mut self.new,
            };
            let seen = kinds.entry(kind).or_default();
            seen.count += 1;
            if seen.count == 1 {
                seen.example = example(request, answers, &difference);
            }
        }
        for name in names {
            *self.hits.entry(name).or_default() += 1;
        }
    }

    pub(super) fn requests(&self) -> usize {
        self.requests
    }

    /// Without anything that is not known.
    pub(super) fn is_clean(&self) -> bool {
        self.new.is_empty()
    }

    /// The figures, what is new, and which known differences were not met.
    pub(super) fn summary(&self) -> String {
        let found: usize = self.new.values().map(|it| it.count).sum();
        let mut text = format!("{} requests, {found} differences that are not in known.rs\n", self.requests);
        writeln!(text, "Glance's statuses: {:?}", self.statuses).unwrap();
        for known in KNOWN {
            let hits = self.hits.get(known.name).copied().unwrap_or_default();
            writeln!(text, "known {hits} × {}: {}", known.name, known.reason).unwrap();
        }
        let unused: Vec<_> = KNOWN.iter().map(|it| it.name).filter(|it| !self.hits.contains_key(it)).collect();
        if !unused.is_empty() {
            writeln!(text, "not met in {} requests: {}", self.requests, unused.join(", ")).unwrap();
        }
        for (kind, seen) in &self.new {
            writeln!(text, "\n{} × {kind}\n    {}", seen.count, seen.example).unwrap();
        }
        text
    }

    /// The same with every kind of every known difference.
    pub(super) fn all(&self) -> String {
        let mut text = self.summary();
        for (name, kinds) in &self.known {
            writeln!(text, "\n=== {name}").unwrap();
            for (kind, seen) in kinds {
                writeln!(text, "{} × {kind}\n    {}", seen.count, seen.example).unwrap();
            }
        }
        text
    }
}

fn example(request: &Request, answers: &[Option<Answer>; 2], difference: &Difference) -> String {
    let words = |side: usize| answers[side].as_ref().map_or(String::new(), |it| short(&it.text()));
    format!(
        "{request}\n    {}\n    larder: {}\n    glance: {}\n    answers: {}\n         and {}",
        difference.at,
        short(&difference.larder),
        short(&difference.glance),
        words(LARDER),
        words(GLANCE)
    )
}

/// The words of a refusal, and otherwise what differs.
fn said(case: &Case<'_>, side: usize) -> String {
    let (answer, value) = [(case.larder, &case.difference.larder), (case.glance, &case.difference.glance)][side];
    general(&answer.filter(|it| it.status >= 400).map_or(value.clone(), words))
}

/// Words without what is particular to a request: what is quoted, and numbers.
fn general(words: &str) -> String {
    let words: String = words.chars().map(|it| if it.is_ascii_digit() { '9' } else { it }).take(4000).collect();
    let mut parts: Vec<_> = words.split('\'').collect();
    for part in parts.iter_mut().skip(1).step_by(2) {
        *part = "…";
    }
    short(&parts.join("'")).chars().take(200).collect()
}

/// The path without what is particular to a request, and the names of its parameters.
fn template(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parameters: Vec<_> = query.split('&').filter_map(|it| it.split('=').next()).collect();
    let definitions = path.starts_with("/v2/metadefs/");
    let mut parts: Vec<&str> = path.split('/').collect();
    if definitions || parts.get(2) == Some(&"images") {
        for (place, part) in parts.iter_mut().enumerate().skip(3) {
            if definitions && place % 2 == 0 || !definitions && (place == 3 || place == 5) {
                *part = "*";
            }
        }
    }
    let names = parameters.join("&");
    if names.is_empty() { parts.join("/") } else { format!("{}?{names}", parts.join("/")) }
}
