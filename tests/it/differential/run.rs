//! The runs.

use super::{
    compare::{Difference, differences},
    generate::Generator,
    known,
    model::{Effect, Image, State},
    pair::{Asked, GLANCE, LARDER, Pair, Theme},
    report::Report,
    request::{Request, Who},
    stores,
    values::encoded,
};
use serde_json::{Value, json};
use std::{env, fs, fs::File, io::Write};

/// So many requests from this seed; nothing where there is no rig.
fn run(report: &mut Report, seed: u64, requests: usize, theme: Theme) {
    let Some(mut pair) = Pair::start(theme) else { return };
    eprintln!("seed {seed}, {requests} requests");
    let mut generator = Generator::new(seed, pair.tokens.projects.clone(), pair.web.url(""));
    let mut trace = env::var_os("LARDER_DIFFERENTIAL_TRACE").map(|it| File::create(it).unwrap());
    for _ in 0..requests {
        let (request, effect) = match theme {
            Theme::All => generator.step(),
            Theme::Imports => generator.step_of_imports(),
            Theme::Stores => generator.step_of_stores(),
        };
        let asked = pair.ask(&request);
        if let Some(trace) = &mut trace {
            let status = |side: usize| asked.answers[side].as_ref().map_or(0, |it| it.status);
            writeln!(trace, "{}/{} {request}", status(LARDER), status(GLANCE)).unwrap();
        }
        report.take(&request, &asked);
        if let Effect::Changes(number) = effect
            && request.path.ends_with("/stage")
            && asked.answers.iter().flatten().all(|it| it.status == 204)
        {
            let staged = generator.model.images.iter().find(|it| it.number == number).cloned();
            generator.model.staged.extend(staged);
        }
        if let Effect::Imports(number) = effect
            && asked.answers.iter().flatten().any(|it| it.status == 202)
        {
            // What only one of them took, or has not done, is taken away from both.
            if asked.answers.iter().flatten().any(|it| it.status != 202) || !pair.wait_for_import(number) {
                remove(&pair, &mut generator, number);
                continue;
            }
        }
        learn(&pair, &mut generator, (&request, &asked, &effect), theme);
        let touched = match effect {
            Effect::Changes(number) | Effect::Imports(number) | Effect::Deletes(number) => Some(number),
            Effect::MakesImage => asked.made,
            Effect::Reads | Effect::Namespace(_) => None,
        };
        if let Some(number) = touched.filter(|_| theme == Theme::Stores)
            && !stores::look(&mut pair, report, &mut generator, number)
        {
            remove(&pair, &mut generator, number);
        }
    }
}

/// Says what was found; what is not known is a failure.
fn judge(report: &Report, seeds: &[u64]) {
    if let Some(path) = env::var_os("LARDER_DIFFERENTIAL_REPORT") {
        fs::write(path, report.all()).unwrap();
    }
    let text = report.summary();
    assert!(report.is_clean(), "seeds {seeds:?}: {text}");
    eprintln!("{text}");
}

/// Differences between two answers that say nothing of what is stored.
const LEAVES_NOTHING: [&str; 2] = ["content-length", "body.updated_at"];

/// Brings the model up to date; what differs now on the two servers is taken away from both.
fn learn(pair: &Pair, generator: &mut Generator, (request, asked, effect): (&Request, &Asked, &Effect), theme: Theme) {
    let (answers, made) = (&asked.answers, asked.made);
    let done = answers.each_ref().map(|it| it.as_ref().is_some_and(|it| it.status < 300));
    // What both refuse changes nothing.
    let mut found = differences(answers, asked.times).into_iter();
    // Glance keeps data that it refuses, the image is another one then (facts: a bug), and a protected namespace when
    // it refuses what was to be in it.
    let glance = |statuses: &[u16]| answers[GLANCE].as_ref().is_some_and(|it| statuses.contains(&it.status));
    let rejected = request.path.ends_with("/file") && glance(&[415])
        || request.method == "POST" && request.path == "/v2/metadefs/namespaces" && glance(&[400, 409, 500]);
    // With several stores all that is left behind is looked at, so that what answers say is only that.
    let leaves_nothing = |it: &Difference| theme == Theme::Stores || LEAVES_NOTHING.contains(&it.what.as_str());
    let same = !rejected
        && !known::has_wide_path(&request.path)
        && (done == [false; 2] || done == [true; 2] && found.all(|it| leaves_nothing(&it)));
    if let Effect::Changes(number) = effect
        && request.method == "PUT"
        && (request.path.contains("/tags/") && done == [true; 2]
            || request.path.ends_with("/file") && done == [false; 2])
    {
        pair.untouch(*number);
    }
    match effect {
        Effect::Reads => {}
        Effect::MakesImage => match made {
            Some(number) => {
                generator.model.images.push(Image { number, maker: request.who, state: State::default() });
                let chosen = serde_json::from_slice(&request.body).is_ok_and(|it: Value| it["id"].is_string());
                if !same || !chosen {
                    remove(pair, generator, number);
                }
            }
            None => {
                let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                // Glance may have made it before it refused its tags.
                if let Some(id) = asked["id"].as_str().filter(|it| it.len() == 36 && glance(&[400, 500]))
                    && !generator.model.images.iter().any(|it| pair.number(id) == Some(it.number))
                {
                    clear_image(pair, GLANCE, id);
                }
                for (side, answer) in answers.iter().enumerate() {
                    let body: Value =
                        answer.as_ref().and_then(|it| serde_json::from_slice(&it.body).ok()).unwrap_or_default();
                    if let (true, Some(id)) = (done[side], body["id"].as_str()) {
                        clear_image(pair, side, id);
                    }
                }
            }
        },
        Effect::Changes(number) | Effect::Imports(number) if !same => remove(pair, generator, *number),
        Effect::Deletes(number) if done[0] != done[1] => remove(pair, generator, *number),
        Effect::Deletes(number) if done[0] => generator.model.forget(*number),
        Effect::Namespace(name) if !same => {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            for side in [LARDER, GLANCE] {
                clear_namespace(pair, side, name);
                if let Some(name) = body["namespace"].as_str() {
                    clear_namespace(pair, side, name);
                }
                make_types(pair, side, &request.path, &body);
            }
        }
        Effect::Changes(_) | Effect::Imports(_) | Effect::Deletes(_) | Effect::Namespace(_) => {}
    }
}

fn remove(pair: &Pair, generator: &mut Generator, number: usize) {
    for side in [LARDER, GLANCE] {
        clear_image(pair, side, &format!("@{number}@"));
    }
    stores::sweep(pair, number);
    generator.model.forget(number);
}

fn clear_image(pair: &Pair, side: usize, id: &str) {
    let path = format!("/v2/images/{id}");
    let patch = json!([{"op": "replace", "path": "/protected", "value": false}]).to_string();
    let kind = "application/openstack-images-v2.1-json-patch";
    pair.ask_one(side, &Request::new(Who::Admin, "PATCH", path.clone()).body(kind, patch.into_bytes()));
    gone(pair, side, path);
}

fn clear_namespace(pair: &Pair, side: usize, name: &str) {
    let path = format!("/v2/metadefs/namespaces/{}", encoded(name));
    let body = json!({"namespace": name, "protected": false});
    pair.ask_one(side, &Request::new(Who::Admin, "PUT", path.clone()).json(body));
    gone(pair, side, path);
}

/// Deletes it. What stayed on one of the two would be in all lists from then on.
fn gone(pair: &Pair, side: usize, path: String) {
    let answer = pair.ask_one(side, &Request::new(Who::Admin, "DELETE", path.clone()));
    let status = answer.as_ref().map_or(0, |it| it.status);
    // Glance does not find, nor make, names that are no ASCII or have a slash in them.
    let done = [204, 404].contains(&status) || side == GLANCE && status == 0;
    assert!(done, "server {side} does not delete {path}: {status} {}", answer.map_or(String::new(), |it| it.text()));
}

/// Resource types stay when their namespace goes: those that one of the two may have made are made on both.
fn make_types(pair: &Pair, side: usize, path: &str, body: &Value) {
    let associations = body["resource_type_associations"].as_array().into_iter().flatten();
    let one = path.contains("/resource_types").then_some(body);
    for name in associations.chain(one).filter_map(|it| it["name"].as_str()) {
        let namespace = json!({"namespace": "types", "resource_type_associations": [{"name": name}]});
        pair.ask_one(side, &Request::new(Who::Admin, "POST", "/v2/metadefs/namespaces").json(namespace));
        clear_namespace(pair, side, "types");
    }
}

/// The same requests in each run of the tests.
#[test]
fn the_same_requests_are_answered_the_same() {
    let mut report = Report::default();
    run(&mut report, 1, 400, Theme::All);
    judge(&report, &[1]);
}

#[test]
fn the_same_imports_are_answered_the_same() {
    let mut report = Report::default();
    run(&mut report, 2, 150, Theme::Imports);
    judge(&report, &[2]);
}

#[test]
fn the_same_requests_to_several_stores_are_answered_the_same() {
    let mut report = Report::default();
    run(&mut report, 3, 120, Theme::Stores);
    judge(&report, &[3]);
}

/// As many others as are asked for, from each seed; none by default, since what chance finds is to be looked at and not to fail a build.
#[test]
fn other_requests_are_answered_the_same() {
    let Ok(requests) = env::var("LARDER_DIFFERENTIAL") else { return };
    let requests: usize = requests.parse().unwrap();
    let seeds = env::var("LARDER_DIFFERENTIAL_SEED").unwrap_or_else(|_| rand::random::<u32>().to_string());
    let seeds: Vec<u64> = seeds.split(',').map(|it| it.parse().unwrap()).collect();
    let asked = |name: &str| env::var_os(name).is_some();
    let theme = match () {
        () if asked("LARDER_DIFFERENTIAL_STORES") => Theme::Stores,
        () if asked("LARDER_DIFFERENTIAL_IMPORTS") => Theme::Imports,
        () => Theme::All,
    };
    let mut report = Report::default();
    for seed in &seeds {
        run(&mut report, *seed, requests, theme);
    }
    judge(&report, &seeds);
    assert_eq!(report.requests(), seeds.len() * requests, "there is no rig, or no MariaDB");
}
