//! Images that the catalogue has no more.

use super::site::{Fleet, LONG, Site, bases, cache, exists, wait, wait_check};
use crate::support::{
    daemon::{Agent, signal},
    have, output, run, text, wait_until,
};
use nix::sys::signal::Signal;
use std::{fs, process::Command};

/// Checks every second, by itself and without the fleet.
const BY_ITSELF: &str = "catalogue_check_interval = 1\ngone_image_minimum_age = 0";
const ALONE: &str = "fleet = false";

fn gone(agent: &Agent, id: &str) {
    wait_until("its base goes", LONG, || !exists(&agent.base(id)));
}

#[test]
fn bases_of_deleted_and_deactivated_images_go_and_the_others_stay() {
    let site = Site::new();
    let ids: Vec<String> = (0..5).map(|it| site.push(&format!("i{it}"), 1)).collect();
    let agent = site.node("n", BY_ITSELF, ALONE);
    cache(&agent, &ids.iter().collect::<Vec<_>>());
    wait_check(&agent, "all are there", |it| it["there"] == 5 && it["gone"] == 0);
    // No listing has it, and it is there.
    Fleet::of(&site).hide(&ids[4]);
    site.delete(&ids[0]);
    gone(&agent, &ids[0]);
    assert_eq!(site.call("POST", &format!("/v2/images/{}/actions/deactivate", ids[1])), 204);
    gone(&agent, &ids[1]);
    wait_check(&agent, "three are left", |it| it["there"] == 3 && it["gone"] == 0 && it["doubted"] == 0);
    assert_eq!(bases(&agent).len(), 3);
    assert_eq!(agent.state(&ids[0]), None);
    // What is wanted again comes again.
    assert_eq!(site.call("POST", &format!("/v2/images/{}/actions/reactivate", ids[1])), 204);
    cache(&agent, &[&ids[1]]);
    wait_check(&agent, "it is there", |it| it["there"] == 4);
    assert!(exists(&agent.base(&ids[1])));
}

#[test]
fn no_answer_and_an_empty_catalogue_remove_nothing() {
    let mut site = Site::new();
    let ids: Vec<String> = (0..2).map(|it| site.push(&format!("i{it}"), 1)).collect();
    let agent = site.node("n", BY_ITSELF, ALONE);
    cache(&agent, &ids.iter().collect::<Vec<_>>());
    wait_check(&agent, "both are there", |it| it["there"] == 2);
    site.catalogue.daemon.kill();
    wait_check(&agent, "nothing is known", |it| it["why"].as_str().is_some_and(|it| it.contains("did not answer")));
    // Another one in its place.
    for name in ["catalogue.db", "catalogue.db-wal", "catalogue.db-shm"] {
        let _ = fs::rename(site.tmp.path().join("centre").join(name), site.tmp.path().join(name));
    }
    site.catalogue.again();
    wait_check(&agent, "it is empty", |it| it["why"].as_str().is_some_and(|it| it.contains("lists no image at all")));
    assert_eq!(bases(&agent).len(), 2);
    // One with an image, and none of ours.
    site.push("other", 1);
    wait_check(&agent, "they are missed and kept", |it| it["doubted"] == 2 && it["gone"] == 0);
    assert_eq!(bases(&agent).len(), 2);
    site.catalogue.daemon.stop();
    for name in ["catalogue.db", "catalogue.db-wal", "catalogue.db-shm"] {
        let centre = site.tmp.path().join("centre").join(name);
        let _ = fs::remove_file(&centre);
        let _ = fs::rename(site.tmp.path().join(name), centre);
    }
    site.catalogue.again();
    wait_check(&agent, "it is the old one again", |it| it["there"] == 2 && it["doubted"] == 0);
    assert_eq!(bases(&agent).len(), 2);
}

#[test]
fn most_images_gone_at_once_stay_until_that_has_lasted() {
    let site = Site::new();
    let ids: Vec<String> = (0..5).map(|it| site.push(&format!("i{it}"), 1)).collect();
    let mut agent = site.node("n", BY_ITSELF, ALONE);
    cache(&agent, &ids.iter().collect::<Vec<_>>());
    agent.daemon.stop();
    ids[..3].iter().for_each(|id| site.delete(id));
    agent.again();
    wait_check(&agent, "they are missed", |it| it["doubted"] == 3 && it["gone"] == 0);
    let status = wait_check(&agent, "they still are", |it| it["doubted"] == 3 && it["there"] == 2);
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains("3 of 5 cached images no more, all at once"), "{warnings}");
    assert_eq!(warnings.matches("all at once").count(), 1, "{warnings}");
    assert_eq!(bases(&agent).len(), 5);
    drop(agent);
    // An operator who knows.
    let agent = site.node("n", &format!("{BY_ITSELF}\nmass_removal_wait = 0"), ALONE);
    ids[..3].iter().for_each(|id| gone(&agent, id));
    wait_check(&agent, "two are left", |it| it["there"] == 2 && it["doubted"] == 0);
    assert_eq!(bases(&agent).len(), 2);
}

#[test]
fn an_operator_confirms_that_most_are_gone() {
    let site = Site::new();
    let ids: Vec<String> = (0..4).map(|it| site.push(&format!("i{it}"), 1)).collect();
    let agent = site.node("n", BY_ITSELF, ALONE);
    cache(&agent, &ids.iter().collect::<Vec<_>>());
    wait_check(&agent, "all are there", |it| it["there"] == 4);
    let confirm = |args: &[&str]| {
        let out = output(agent.larder(&["cache", "confirm-gone"]).args(args));
        (out.status.code(), text(&out.stdout) + &text(&out.stderr))
    };
    let (code, said) = confirm(&["-f"]);
    assert!(code == Some(0) && said.contains("There is nothing to confirm"), "{code:?} {said}");
    let (code, said) = confirm(&["-f", &ids[0]]);
    assert!(code == Some(1) && said.contains("is none of those that the catalogue seems to have lost"), "{said}");
    // They go one by one, and the feed tells nobody: as if it were another catalogue from one check to the next.
    signal(agent.daemon.pid(), Signal::SIGSTOP);
    ids[..3].iter().for_each(|id| site.delete(id));
    signal(agent.daemon.pid(), Signal::SIGCONT);
    wait_check(&agent, "they are missed", |it| {
        it["doubted"] == 3 && it["held"].as_array().is_some_and(|it| it.len() == 3)
    });
    let said = run(&mut agent.larder(&["cache", "status"]));
    assert!(said.contains("3 missing and kept") && said.contains("larder cache confirm-gone"), "{said}");
    // Whoever does not say yes has said no; one alone may be confirmed.
    let (code, said) = confirm(&[]);
    assert!(code == Some(0) && said.contains(&ids[1]) && said.contains("Are they really gone?"), "{said}");
    let (code, said) = confirm(&["-f", &ids[0]]);
    assert!(code == Some(0) && said.contains(&format!("Confirmed that image {} is gone", ids[0])), "{said}");
    gone(&agent, &ids[0]);
    wait_check(&agent, "two are still doubted", |it| it["doubted"] == 2);
    assert_eq!(bases(&agent).len(), 3);
    let (code, said) = confirm(&["-f", "--json"]);
    assert!(
        code == Some(0) && said.contains("confirmed") && said.contains(&ids[1]) && said.contains(&ids[2]),
        "{said}"
    );
    ids[..3].iter().for_each(|id| gone(&agent, id));
    wait_check(&agent, "one is left", |it| it["there"] == 1 && it["doubted"] == 0 && it["gone"] == 0);
    assert!(exists(&agent.base(&ids[3])));
    // Now it lists nothing at all, and that may be right, too.
    signal(agent.daemon.pid(), Signal::SIGSTOP);
    site.delete(&ids[3]);
    signal(agent.daemon.pid(), Signal::SIGCONT);
    wait_check(&agent, "it is doubted", |it| it["why"].as_str().is_some_and(|it| it.contains("lists no image at all")));
    assert!(exists(&agent.base(&ids[3])));
    let (code, said) = confirm(&["-f"]);
    assert!(code == Some(0) && said.contains(&ids[3]), "{said}");
    gone(&agent, &ids[3]);
}

#[test]
fn a_base_in_use_stays_and_is_reported() {
    if !have(&["qemu-img"]) {
        return;
    }
    let site = Site::new();
    let (lost, other) = (site.push("lost", 1), site.push("other", 1));
    let agent = site.node("n", BY_ITSELF, ALONE);
    cache(&agent, &[&lost, &other]);
    let instance = site.tmp.path().join("n/instances/6a1c5a3e-2f0b-4a63-9d7e-0e4b6f2f7f11");
    fs::create_dir(&instance).unwrap();
    let mut create = Command::new("qemu-img");
    create.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(agent.base(&lost));
    run(create.arg(instance.join("disk")));
    site.delete(&lost);
    let told = |it: &serde_json::Value| it["warnings"].to_string().contains("cannot be fetched again");
    let status = wait(&agent, "it is said", told);
    assert!(status["warnings"].to_string().contains(&lost), "{status}");
    wait_check(&agent, "it is known to be gone", |it| it["gone"] == 1);
    assert!(exists(&agent.base(&lost)));
    let why = run(&mut agent.larder(&["cache", "why", &lost]));
    assert!(why.contains("The catalogue has it no more"), "{why}");
    fs::remove_dir_all(&instance).unwrap();
    gone(&agent, &lost);
    assert!(exists(&agent.base(&other)));
}
