//! That two servers served the same.

use super::super::{
    compare::{Times, differences},
    known::{self, Case},
    request::{Request, short},
};
use super::walk::Walked;
use crate::api::Answer;
use serde_json::Value;

/// Compares all answers of the two, in the order Larder, Glance; what is not known to differ is a failure.
pub(super) fn compare(what: &str, larder: &Walked, glance: &Walked) {
    // The first difference of each request.
    let mut found = Vec::new();
    for key in larder.keys().chain(glance.keys().filter(|it| !larder.contains_key(*it))) {
        let request = Request::new(key.0, "GET", key.1.clone());
        let answers = [larder.get(key).cloned(), glance.get(key).cloned()];
        for difference in differences(&answers, Times::Formed) {
            let case = Case {
                request: &request,
                larder: answers[0].as_ref(),
                glance: answers[1].as_ref(),
                difference: &difference,
            };
            // Tasks and locations are compared here, whatever the runs by chance leave out.
            if known::find(&case).is_none_or(|it| it.name == "not-yet") {
                let (larder, glance) = (short(&difference.larder), short(&difference.glance));
                found.push(format!("{request} {}\n    larder: {larder}\n    glance: {glance}", difference.what));
                break;
            }
        }
        if let [Some(larder), Some(glance)] = answers.each_ref().map(|it| it.as_ref().and_then(times))
            && larder != glance
        {
            found.push(format!("{request} times\n    larder: {larder:?}\n    glance: {glance:?}"));
        }
    }
    let texts: Vec<_> = found.iter().take(40).map(String::as_str).collect();
    assert!(found.is_empty(), "{what}: {} differences\n{}", found.len(), texts.join("\n"));
    eprintln!("{what}: {} answers are the same", larder.len());
}

/// All times in a success, to the last digit.
fn times(answer: &Answer) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200)?;
    let mut all = Vec::new();
    collect(&body, &mut all);
    all.sort();
    Some(all)
}

fn collect(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name.ends_with("_at") {
                    all.push(format!("{name} {value}"));
                }
                collect(value, all);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| collect(it, all)),
        _ => {}
    }
}
