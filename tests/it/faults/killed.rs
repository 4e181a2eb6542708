//! SIGKILL at random moments of upload, fetch, convert, publish and prune, hundreds of times.
//!
//! `LARDER_KILL_ROUNDS` sets the number of rounds of each loop, `LARDER_KILL_SEED` repeats a run.

use crate::support::{
    daemon::{Agent, Catalogue},
    disks, files, have, run, wait_until,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

pub(super) fn rounds(default: usize) -> usize {
    std::env::var("LARDER_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The run's random numbers; the seed is printed with a failing test.
pub(super) fn dice(name: &str) -> StdRng {
    let given = std::env::var("LARDER_KILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| rand::rng().random());
    eprintln!("{name}: LARDER_KILL_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn status(catalogue: &Catalogue, id: &str) -> serde_json::Value {
    serde_json::from_str(&run(&mut catalogue.larder(&["image", "show", id, "--json"]))).unwrap()
}

#[test]
fn an_upload_killed_anywhere_is_whole_or_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = dice("upload");
    let disk = dir.path().join("disk.img");
    disks::noise(&disk, 12 << 20, 1);
    let content = fs::read(&disk).unwrap();
    let mut catalogue = Catalogue::start(dir.path(), "");
    let (mut whole, mut gone) = (0, 0);
    for round in 0..rounds(150) {
        let id = format!("00000000-0000-4000-8000-{round:012}");
        let mut push =
            catalogue.larder(&["image", "push", "--quiet", "--keep", "--id", &id, "--name", "x", "disk.img"]);
        let mut push = push.stderr(std::process::Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_micros(dice.random_range(0..120_000)));
        catalogue.daemon.kill();
        push.wait().unwrap();
        catalogue.again();
        let listed = run(&mut catalogue.larder(&["image", "list", "--json"]));
        let stored = files(&catalogue.images());
        if !listed.contains(&id) {
            assert!(!stored.contains(&id), "round {round}: bytes of an image that is not there");
            continue;
        }
        // The recovery may come just after the start; an image never stays half made.
        wait_until("the image is active or queued", Duration::from_secs(120), || {
            ["active", "queued"].contains(&status(&catalogue, &id)["status"].as_str().unwrap())
        });
        let image = status(&catalogue, &id);
        if image["status"] == "active" {
            assert_eq!(fs::read(catalogue.images().join(&id)).unwrap(), content, "round {round}");
            whole += 1;
        } else {
            assert!(image["size"].is_null() && image["checksum"].is_null(), "round {round}: {image}");
            wait_until("nothing is left", Duration::from_secs(120), || {
                files(&catalogue.images()).iter().all(|f| !f.contains(&id))
            });
            // And it can be sent again.
            gone += 1;
        }
        run(&mut catalogue.larder(&["image", "delete", &id]));
    }
    assert_eq!(files(&catalogue.images()), Vec::<String>::new());
    eprintln!("upload: {whole} whole, {gone} gone");
}

/// The images of the agent's loop, and what their bases must hold.
struct Images {
    raw: HashMap<String, PathBuf>,
}

impl Images {
    fn push(catalogue: &Catalogue, dir: &Path) -> Self {
        let mut raw = HashMap::new();
        for (name, compress) in [("plain", None), ("thin", Some(false)), ("zlib", Some(true))] {
            let disk = disks::partitioned(dir, name, 16);
            let file = compress.map_or_else(|| disk.clone(), |c| disks::qcow2(&disk, c));
            let push = ["image", "push", "--name", name, file.to_str().unwrap()];
            raw.insert(run(&mut catalogue.larder(&push)).trim().to_owned(), disk);
        }
        Self { raw }
    }

    /// Every base that stands under nova's name has the right content; says how many there are.
    fn check(&self, agent: &Agent, round: usize) -> usize {
        let mut there = 0;
        for (id, raw) in &self.raw {
            let base = agent.base(id);
            if base.exists() {
                assert_eq!(fs::read(&base).unwrap(), fs::read(raw).unwrap(), "round {round}: {id} is wrong in _base");
                there += 1;
            }
        }
        there
    }
}

#[test]
fn an_agent_killed_anywhere_loses_nothing_and_lies_never() {
    if !have(&disks::TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut dice = dice("agent");
    let catalogue = Catalogue::start(dir.path(), "");
    let images = Images::push(&catalogue, dir.path());
    let mut agent = Agent::start(dir.path(), &catalogue.url(), "");
    let ids: Vec<_> = images.raw.keys().cloned().collect();
    for round in 0..rounds(150) {
        let id = &ids[dice.random_range(0..ids.len())];
        let prune = agent.base(id).exists();
        let mut work = if prune {
            // Old and unused: the pass removes it, or is killed on the way.
            let then = SystemTime::now() - Duration::from_secs(200_000);
            let file = fs::File::options().append(true).open(agent.base(id)).unwrap();
            file.set_times(fs::FileTimes::new().set_modified(then)).unwrap();
            Some(
                agent
                    .larder(&["cache", "prune"])
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .unwrap(),
            )
        } else {
            agent.queue(id);
            None
        };
        thread::sleep(Duration::from_micros(dice.random_range(0..150_000)));
        agent.daemon.kill();
        if let Some(work) = &mut work {
            work.wait().unwrap();
        }
        images.check(&agent, round);
        agent.again();
        images.check(&agent, round);
        if !prune {
            wait_until("what was queued is cached", Duration::from_secs(120), || {
                agent.state(id).as_deref() == Some("cached")
            });
            assert!(agent.base(id).exists());
        }
    }
    for id in &ids {
        agent.queue(id);
        agent.wait_state(id, "cached");
    }
    assert_eq!(images.check(&agent, usize::MAX), ids.len());
    assert_eq!(
        files(&agent.base_dir()).iter().filter(|name| name.len() != 40 && !name.ends_with("lock")).count(),
        0,
        "{:?}",
        files(&agent.base_dir())
    );
}
