//! Several stores: how the two are configured for them, what stands in their folders, and what a request has left behind.

use super::{
    compare::{Times, differences},
    generate::Generator,
    model::State,
    pair::{Asked, GLANCE, LARDER, Pair},
    report::Report,
    request::{Request, Who},
};
use crate::{api::Answer, support::files};
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Stores that are folders. There is a fourth one, `web`, which can only be read.
pub(super) const FOLDERS: [&str; 3] = ["fast", "slow", "spare"];

/// How long what is done behind an answer (files removed after a task) may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// `text`, of a site with one store, with four of them.
pub(super) fn configuration(text: &str, dir: &Path) -> String {
    let dir = dir.display();
    for folder in FOLDERS {
        fs::create_dir_all(format!("{dir}/{folder}")).unwrap();
    }
    let one = format!("stores = file\ndefault_store = file\nfilesystem_store_datadir = {dir}/images\n");
    let four = format!(
        "default_backend = fast\n\
         [fast]\nfilesystem_store_datadir = {dir}/fast\nstore_description = SSD\nweight = 10\n\
         [slow]\nfilesystem_store_datadir = {dir}/slow\n\
         [spare]\nfilesystem_store_datadir = {dir}/spare\nweight = 5\nfilesystem_thin_provisioning = true\n\
         [web]\nweight = 20\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {dir}/staging\n\
         [os_glance_tasks_store]\nfilesystem_store_datadir = {dir}/tasks\n\
         [import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n"
    );
    assert!(text.contains(&one), "{text}");
    let methods = "enabled_import_methods = [glance-direct, web-download, copy-image]\n\
                   enabled_backends = fast:file, slow:file, spare:file, web:http\nimage_location_quota = 5";
    text.replace("enabled_import_methods = []", methods).replace(&one, &four)
}

/// Compares what the two have now of this image, or of all when it is gone: its record, its places, its tasks, and the
/// files of all stores. True when there is nothing that differs; the model knows then how the image is.
pub(super) fn look(pair: &mut Pair, report: &mut Report, generator: &mut Generator, number: usize) -> bool {
    let mut same = true;
    if generator.model.images.iter().any(|it| it.number == number) {
        let path = format!("/v2/images/@{number}@");
        let image = Request::new(Who::Admin, "GET", path.clone());
        let tasks = Request::new(Who::Admin, "GET", format!("{path}/tasks"));
        let locations = Request::new(Who::Service, "GET", format!("{path}/locations"));
        for request in [&image, &locations, &tasks] {
            let asked = pair.ask(request);
            report.look(request, &asked);
            same &= differences(&asked.answers, asked.times).is_empty();
            if let Some(found) = asked.answers[LARDER].as_ref().filter(|it| it.status == 200 && request.path == path) {
                generator.model.learn(number, state(&found.json()));
            }
        }
    }
    for (path, asked) in [("/stores", stored(pair)), ("/records", recorded(pair, generator, number))] {
        report.look(&Request::new(Who::Admin, "LS", path), &asked);
        same &= differences(&asked.answers, asked.times).is_empty();
    }
    same
}

/// In which folders Larder has the image, beside those that its record tells.
fn recorded(pair: &Pair, generator: &Generator, number: usize) -> Asked {
    let image = generator.model.images.iter().find(|it| it.number == number);
    let told = image.map(|it| it.state.stores.clone()).unwrap_or_default();
    let path = |folder: &str| pair.dirs[LARDER].path().join(folder).join(pair.id(LARDER, number));
    let has = |which: &dyn Fn(&str) -> bool| json!(FOLDERS.into_iter().filter(|it| which(it)).collect::<Vec<_>>());
    as_answers([has(&|it| path(it).exists()), has(&|it| told.iter().any(|told| told == it))])
}

fn state(image: &Value) -> State {
    let text = |name: &str| image[name].as_str().unwrap_or_default().to_owned();
    State {
        status: text("status"),
        size: image["size"].as_u64(),
        stores: text("stores").split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect(),
        locations: image["locations"].as_array().cloned().unwrap_or_default(),
    }
}

/// The files of the stores and of staging on both sides, as if each had answered with them.
fn stored(pair: &Pair) -> Asked {
    let begun = Instant::now();
    loop {
        let found = [LARDER, GLANCE].map(|side| listing(pair, side));
        if found[LARDER] == found[GLANCE] || begun.elapsed() > PATIENCE {
            let answers =
                found.map(|it| Some(Answer { status: 200, headers: Vec::new(), body: it.to_string().into() }));
            return Asked { answers, made: None, times: Times::Same };
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Takes away what is still in the folders of an image that is gone; [`look`] has told of it.
pub(super) fn sweep(pair: &Pair, number: usize) {
    for side in [LARDER, GLANCE] {
        let id = pair.id(side, number);
        for folder in FOLDERS.into_iter().chain(["staging"]) {
            // Most often there is none.
            let _ = fs::remove_file(pair.dirs[side].path().join(folder).join(id));
        }
    }
}

fn as_answers(found: [Value; 2]) -> Asked {
    let answers = found.map(|it| Some(Answer { status: 200, headers: Vec::new(), body: it.to_string().into() }));
    Asked { answers, made: None, times: Times::Same }
}

fn listing(pair: &Pair, side: usize) -> Value {
    let folder = |name: &str| {
        let path = pair.dirs[side].path().join(name);
        let size = |file: &String| fs::metadata(path.join(file)).map_or(json!("gone"), |it| json!(it.len()));
        // Larder's own marks are no data.
        let files = files(&path).into_iter().filter(|it| !it.starts_with(".larder-"));
        let files: Map<_, _> = files.map(|it| (pair.neutral(side, &it), size(&it))).collect();
        (name.to_owned(), Value::Object(files))
    };
    Value::Object(FOLDERS.into_iter().chain(["staging"]).map(folder).collect())
}
