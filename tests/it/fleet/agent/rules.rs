//! Prefetch rules: from the centre or from a node's own file to its bases.

use super::site::{Fleet, LONG, Site, bases, connected, exists, wait};
use crate::support::{daemon::Agent, disks, have, output, run, text, wait_until};
use serde_json::{Value, json};
use std::{fs, process::Command};

/// What nothing wants may go at once.
const NO_AGE: &str = "[image_cache]\nremove_unused_original_minimum_age_seconds = 0";
/// Nothing but the node itself; it asks every second.
const ALONE: &str = "cache_prefetcher_interval = 1";
/// A window that is shut but for a minute in four years, and one that is always open.
const SHUT: &str = "window_opens = 0 0 29 2 *\nwindow_lasts = 60";
const OPEN: &str = "window_opens = * * * * *\nwindow_lasts = 604800";

/// An image of this many MiB with a tag and, perhaps, a distribution.
fn push(site: &Site, name: &str, mib: u64, tag: &str, distro: &str) -> String {
    let path = site.tmp.path().join(format!("{name}.raw"));
    disks::noise(&path, mib << 20, name.bytes().map(u64::from).sum());
    let mut command = site.catalogue.larder(&["image", "push", "--name", name, "--tag", tag]);
    if !distro.is_empty() {
        command.args(["--property", &format!("os_distro={distro}")]);
    }
    run(command.arg(path)).trim().to_owned()
}

/// Images that are made from now on are newer than all before.
fn another_second() {
    let before = chrono::Utc::now().timestamp();
    wait_until("the next second", LONG, || chrono::Utc::now().timestamp() > before);
}

/// What the status says of an image.
fn image(agent: &Agent, id: &str) -> Value {
    let status = agent.status();
    status["images"].as_array().unwrap().iter().find(|it| it["id"] == id).cloned().unwrap_or(Value::Null)
}

fn plan(agent: &Agent) -> Value {
    serde_json::from_str(&run(&mut agent.larder(&["cache", "plan", "--json"]))).unwrap()
}

/// Waits until a rule wants so many images, and they are here.
fn wait_rule(agent: &Agent, name: &str, wanted: u64, here: u64) -> Value {
    let is_so = |it: &Value| it["name"] == name && it["wanted"] == wanted && it["here"] == here;
    let what = format!("{here} of {wanted} images of {name} are here");
    wait(agent, &what, |it| it["rules"]["rules"].as_array().unwrap().iter().any(is_so))
}

fn refused(agent: &Agent, args: &[&str], words: &str) {
    let out = output(&mut agent.larder(args));
    let said = text(&out.stderr);
    assert!(out.status.code() == Some(1) && said.contains(words), "{args:?}: {said}");
}

#[test]
fn a_rule_of_the_centre_brings_images_to_its_nodes_and_its_end_lets_them_go() {
    let site = Site::new();
    let (first, other) = (push(&site, "first", 1, "golden", ""), push(&site, "other", 1, "plain", ""));
    let a = site.node("a", "gone_image_minimum_age = 0", &format!("labels = site:x\n{NO_AGE}"));
    let b = site.node("b", "", "labels = site:y");
    [&a, &b].into_iter().for_each(connected);
    let fleet = Fleet::of(&site);
    let golden = json!({"match": {"tags": ["golden"]}, "nodes": "site=x", "priority": 20, "pin": true});
    let version = fleet.put_rule("golden", golden);
    a.wait_state(&first, "cached");
    // An image that comes later comes by the feed.
    let second = push(&site, "second", 1, "golden", "");
    a.wait_state(&second, "cached");
    wait_rule(&a, "golden", 2, 2);

    let it = image(&a, &first);
    assert_eq!(
        (&it["rules"], &it["pinned"], &it["pinned_by_rule"]),
        (&json!(["golden"]), &json!(false), &json!(true)),
        "{it}"
    );
    let shown = run(&mut a.larder(&["cache", "status"]));
    assert!(shown.contains("cached, pinned by rule golden") && shown.contains("golden (centre): 2 of 2"), "{shown}");
    let why = run(&mut a.larder(&["cache", "why", &first]));
    assert!(why.contains("Rule golden of the centre wants it, with priority 20, and pins it"), "{why}");
    refused(&a, &["cache", "unpin", &first], "rule golden holds it");
    refused(&a, &["cache", "delete-cached-image", "-f", &first], "wanted by rule golden");
    run(&mut a.larder(&["cache", "pin", &first]));
    let unpinned = run(&mut a.larder(&["cache", "unpin", &first]));
    assert!(unpinned.contains("rule golden holds it still"), "{unpinned}");
    run(&mut a.larder(&["cache", "prune"]));
    assert_eq!((bases(&a).len(), bases(&b).len()), (2, 0));
    assert!(!exists(&a.base(&other)));

    // What the catalogue has no more goes, whatever rules say.
    site.delete(&second);
    wait_until("its base goes", LONG, || !exists(&a.base(&second)));
    // The rule's end removes nothing by itself.
    run(&mut site.catalogue.larder(&["node", "rules", "delete", "golden"]));
    wait(&a, "no rule is left", |it| it["rules"]["rules"] == json!([]) && it["fleet"]["rules_version"] != version);
    assert!(exists(&a.base(&first)));
    assert_eq!(plan(&a)["remove"][0]["id"], json!(first));
    run(&mut a.larder(&["cache", "prune"]));
    assert!(!exists(&a.base(&first)));
}

#[test]
fn rules_survive_kills_and_a_centre_that_is_away() {
    let mut site = Site::new();
    let first = push(&site, "first", 1, "golden", "");
    let slow = "prefetch_bandwidth = 300kB";
    let mut a = site.node("a", "", NO_AGE);
    connected(&a);
    let fleet = Fleet::of(&site);
    fleet.put_rule("golden", json!({"match": {"tags": ["golden"]}, "pin": true}));
    wait_rule(&a, "golden", 1, 1);
    site.catalogue.daemon.kill();
    a.daemon.kill();
    a.again();
    // It goes on with what it knows: the base stays, and is missed when somebody removes it.
    wait_rule(&a, "golden", 1, 1);
    run(&mut a.larder(&["cache", "prune"]));
    assert!(exists(&a.base(&first)));
    fs::remove_file(a.base(&first)).unwrap();
    wait(&a, "it is wanted again", |it| it["images"][0]["id"] == json!(first) && it["images"][0]["state"] != "cached");
    let listed = |it: &Value| it["rules"]["why"].as_str().is_some_and(|it| it.contains("did not list its images"));
    wait(&a, "it says that nobody lists images", listed);

    // Killed in the middle of a fetch.
    a.daemon.stop();
    drop(a);
    let mut a = site.node("a", slow, NO_AGE);
    site.catalogue.again();
    let second = push(&site, "second", 4, "golden", "");
    a.wait_state(&second, "fetching");
    a.daemon.kill();
    drop(a);
    let a = site.node("a", "", NO_AGE);
    wait_rule(&a, "golden", 2, 2);
    assert!(exists(&a.base(&first)) && exists(&a.base(&second)));
}

#[test]
fn a_rule_of_the_file_stands_in_place_of_the_centres_and_keeps_to_its_window() {
    let site = Site::new();
    let (golden, night) = (push(&site, "golden", 1, "golden", ""), push(&site, "night", 1, "night", ""));
    let own = "[rule:golden]\ntags = golden\nnodes = site=elsewhere\n[rule:night]\ntags = night\npriority = 7\n";
    let mut a = site.node("a", "cache_prefetcher_interval = 1", &format!("labels = site:x\n{own}{SHUT}"));
    connected(&a);
    let fleet = Fleet::of(&site);
    let version = fleet.put_rule("golden", json!({"match": {"tags": ["golden"]}, "nodes": "site=x"}));
    wait(&a, "it has the centre's rule", |it| it["fleet"]["rules_version"] == version);
    let status = wait_rule(&a, "night", 1, 0);
    assert_eq!(status["rules"]["rules"].as_array().unwrap().len(), 1, "{}", status["rules"]);
    a.wait_state(&night, "held");
    let waits = "it waits for the window of rule night";
    let it = image(&a, &night);
    assert!(it["why"].as_str().unwrap().starts_with(waits) && it["priority"] == 7, "{it}");
    let passed = run(&mut a.larder(&["cache", "prefetch"]));
    assert!(passed.contains("Nothing was queued"), "{passed}");
    let told = plan(&a);
    assert_eq!(
        (&told["fetch"][0]["reason"], &told["fetch_bytes"]),
        (&json!("wanted by rule night"), &json!(0)),
        "{told}"
    );
    assert!(told["fetch"][0]["waits"].as_str().unwrap().starts_with(waits), "{told}");
    // Nor does it begin after a crash.
    a.daemon.kill();
    a.again();
    a.wait_state(&night, "held");
    assert_eq!(bases(&a), Vec::<String>::new());

    // The configuration is read again, and the window is open.
    let open = format!(
        "[fleet]\nnode_name = a\nlabels = site:x\n[rule:golden]\ntags = golden\nname = golden\n{SHUT}\n[rule:night]\ntags = night\n{OPEN}"
    );
    Agent::configure(&site.folder("a"), &site.catalogue.url(), &open);
    a.wait_state(&night, "cached");
    // An operator waits for no window.
    a.wait_state(&golden, "held");
    let replaces = |it: &Value| it["name"] == "golden" && it["origin"] == "file" && it["replaces"] == true;
    wait(&a, "it says so", |it| it["rules"]["rules"].as_array().unwrap().iter().any(replaces));
    a.queue(&golden);
    a.wait_state(&golden, "cached");
}

#[test]
fn the_newest_within_a_budget_and_nothing_in_turns() {
    let site = Site::new();
    let old = push(&site, "old", 1, "lts", "debian");
    let rules = "[rule:newest]\ntags = lts\nnewest = 1\nbudget = 3MiB\npin = true\n\
                 [rule:rest]\ntags = lts\nname = o*\npriority = -10\n";
    let extra = format!("cache_max_size = 10MiB\ncache_low_watermark = 50\n{ALONE}");
    let a = site.node("a", &extra, &format!("fleet = false\n{NO_AGE}\n{rules}"));
    wait_rule(&a, "newest", 1, 1);
    wait_rule(&a, "rest", 1, 1);
    another_second();
    let large = push(&site, "large", 4, "lts", "suse");
    let new = push(&site, "new", 1, "lts", "debian");
    // Debian's old one is the business of the other rule alone now, and the large one does not fit the budget.
    a.wait_state(&new, "cached");
    let status = wait_rule(&a, "newest", 1, 1);
    assert_eq!(status["rules"]["rules"][0]["left_out"], 1, "{}", status["rules"]);
    let told = plan(&a);
    assert_eq!(told["left_out"][0]["id"], json!(large), "{told}");
    assert!(
        told["left_out"][0]["why"].as_str().unwrap().contains("of the rule's budget of 3.0 MiB are left"),
        "{told}"
    );
    let why = run(&mut a.larder(&["cache", "why", &large]));
    assert!(why.contains("Rule newest finds it and leaves it out"), "{why}");
    let it = image(&a, &old);
    assert_eq!((&it["rules"], &it["pinned_by_rule"]), (&json!(["rest"]), &json!(false)), "{it}");
    run(&mut a.larder(&["cache", "prune"]));
    assert_eq!(bases(&a).len(), 2);

    // Without a pin an image is fetched only below the low mark, and displaces nothing.
    let others = push(&site, "others", 4, "lts", "");
    a.wait_state(&others, "held");
    let it = image(&a, &others);
    assert!(it["why"].as_str().unwrap().contains("cache_low_watermark"), "{it}");
    let told = plan(&a);
    assert_eq!((&told["fetch"][0]["id"], &told["remove"]), (&json!(others), &json!([])), "{told}");
    let shown = run(&mut a.larder(&["cache", "plan"]));
    assert!(shown.contains("Left out: 1 image") && shown.contains("Nothing is to be removed"), "{shown}");
    assert_eq!(bases(&a).len(), 2);
    // What an operator wants does displace it, and it stays away while there is no room.
    let urgent = push(&site, "urgent", 8, "plain", "");
    a.queue(&urgent);
    a.wait_state(&urgent, "cached");
    a.wait_state(&old, "held");
    assert_eq!(bases(&a).len(), 2);
}

#[test]
fn the_most_used_images_are_those_that_instances_start_from() {
    if !have(&["qemu-img"]) {
        return;
    }
    let site = Site::new();
    let (used, unused) = (push(&site, "used", 1, "x", ""), push(&site, "unused", 1, "x", ""));
    let rules = format!("fleet = false\n{NO_AGE}\n[rule:mine]\ntags = x\nmost_used = 1\n");
    let mut a = site.node("a", ALONE, &rules);
    a.queue(&used);
    a.queue(&unused);
    a.wait_state(&used, "cached");
    a.wait_state(&unused, "cached");
    let instance = site.folder("a/instances/7c1d1f2e-6a0f-4d0c-9a51-3f4c2b1a0d9e");
    let mut create = Command::new("qemu-img");
    create.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(a.base(&used)).arg(instance.join("disk"));
    run(&mut create);
    let mine = |a: &Agent| wait(a, "it is chosen", |it| it["rules"]["rules"][0]["wanted"] == 1);
    mine(&a);
    assert_eq!((&image(&a, &used)["rules"], &image(&a, &unused)["rules"]), (&json!(["mine"]), &Value::Null));
    // The instance goes, and the agent dies: what was used is known still.
    fs::remove_dir_all(&instance).unwrap();
    a.daemon.kill();
    a.again();
    mine(&a);
    fs::remove_file(a.base(&used)).unwrap();
    a.wait_state(&used, "cached");
    wait_until("it is back", LONG, || exists(&a.base(&used)));
    run(&mut a.larder(&["cache", "prune"]));
    assert!(exists(&a.base(&used)) && !exists(&a.base(&unused)));
}

#[test]
fn one_pass_without_a_daemon_follows_the_rules_of_the_file() {
    let site = Site::new();
    let (own, other) = (push(&site, "own", 1, "own", ""), push(&site, "other", 1, "other", ""));
    let mut a = site.node("a", ALONE, "fleet = false");
    a.daemon.stop();
    let rules = format!("[rule:own]\ntags = own\n[rule:later]\ntags = other\n{SHUT}");
    Agent::configure(&site.folder("a"), &site.catalogue.url(), &rules);
    let mut pass = crate::support::larder(&[
        "agent",
        "--config-file",
        "agent.conf",
        "--nova-config-file",
        "nova.conf",
        "prefetch",
    ]);
    let said = run(pass.current_dir(site.folder("a")));
    assert!(said.contains(&own) && !said.contains(&other), "{said}");
    assert!(exists(&a.base(&own)) && !exists(&a.base(&other)));
}
