//! Two catalogue processes, each on a node of a real Galera cluster.

use super::api::{IMAGES, OTHERS};
use crate::{
    api::{Answer, Server, on_cluster},
    support::{balancer::Balancer, database::Scratch, free_port, own_server::Cluster, wait_until},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What a broken node may delay a request by.
const PATIENCE: Duration = Duration::from_secs(300);

/// On a machine that does much else a transaction may meet others more often, and wait for longer.
const PATIENT: &str = "[database]\ndb_max_retries = 100\npool_timeout = 120";

/// Two processes with one database and one store.
struct Site {
    servers: [Server; 2],
    _images: TempDir,
    scratch: Scratch,
}

// === impl Site ===

impl Site {
    fn new(cluster: &Cluster, options: &str) -> Self {
        let scratch = Scratch::on_nodes(&cluster.urls());
        let images = tempfile::tempdir().unwrap();
        let servers = starts([&scratch.url, &scratch.url_on(&cluster.urls()[1])], images.path(), options);
        Self { servers, _images: images, scratch }
    }

    /// What both answer to one request that both get at the same time.
    fn both(&self, ask: impl Fn(&Server) -> Answer + Sync) -> [Answer; 2] {
        thread::scope(|scope| {
            let asked = self.servers.each_ref().map(|server| scope.spawn(|| ask(server)));
            asked.map(|it| it.join().unwrap())
        })
    }

    /// What `count` requests are answered that are under way at the same time, on both.
    fn many(&self, count: usize, ask: impl Fn(&Server, usize) -> Answer + Sync) -> Vec<Answer> {
        thread::scope(|scope| {
            let ask = &ask;
            let asked: Vec<_> = (0..count).map(|n| scope.spawn(move || ask(&self.servers[n % 2], n))).collect();
            asked.into_iter().map(|it| it.join().unwrap()).collect()
        })
    }
}

/// Two processes that start at the same time.
fn starts(urls: [&str; 2], images: &Path, options: &str) -> [Server; 2] {
    thread::scope(|scope| {
        urls.map(|url| scope.spawn(move || Server::beside_with(url, images, options))).map(|it| it.join().unwrap())
    })
}

/// How often each status was answered; all others are a failure.
fn counts<const N: usize>(answers: &[Answer], statuses: [u16; N]) -> [usize; N] {
    for answer in answers {
        assert!(statuses.contains(&answer.status), "{answer:?} {}", answer.text());
    }
    statuses.map(|status| answers.iter().filter(|it| it.status == status).count())
}

fn add(name: &str, value: &str) -> Value {
    json!([{"op": "add", "path": format!("/{name}"), "value": value}])
}

/// One cluster for all, since it takes a while to make.
#[test]
fn the_nodes_of_a_galera_cluster_are_one_catalogue() {
    let Some(mut cluster) = Cluster::start() else { return };
    on_cluster(&cluster, &IMAGES);
    on_cluster(&cluster, &OTHERS[..3]);
    let before = cluster.conflicts();
    let site = Site::new(&cluster, &format!("image_member_quota = 5\nimage_tag_quota = 4\n{PATIENT}"));
    changes_at_the_same_time_lose_nothing(&site);
    of_changes_to_one_state_one_is_made(&site);
    quotas_are_kept(&site);
    one_of_two_wins(&site);
    // Nothing makes them meet, but that they are many.
    wait_until("changes that meet", PATIENCE, || {
        let met = cluster.conflicts() > before;
        if !met {
            changes_at_the_same_time_lose_nothing(&site);
        }
        met
    });
    eprintln!("the nodes broke off {} transactions, and clients saw none of it", cluster.conflicts() - before);
    a_node_that_is_not_ready_is_waited_for(&cluster, &site);
    drop(site);
    a_node_that_is_gone_takes_nothing_along(&mut cluster);
}

fn changes_at_the_same_time_lose_nothing(site: &Site) {
    let id = site.servers[0].create(json!({"name": "a"}));
    let answers = site.many(32, |server, n| {
        let mut last = server.patch(&id, &add("same", &n.to_string()));
        for round in 0..3 {
            assert_eq!(last.status, 200, "{}", last.text());
            last = server.patch(&id, &add(&format!("p{n}_{round}"), "x"));
        }
        last
    });
    assert_eq!(counts(&answers, [200]), [32]);
    let shown = site.servers.each_ref().map(|it| it.get(&format!("/v2/images/{id}")).json());
    assert_eq!(shown[0], shown[1]);
    let names: BTreeSet<String> =
        shown[0].as_object().unwrap().keys().filter(|it| it.starts_with('p') && it.contains('_')).cloned().collect();
    let all: BTreeSet<String> = (0..32).flat_map(|n| (0..3).map(move |round| format!("p{n}_{round}"))).collect();
    assert_eq!(names, all);
}

fn of_changes_to_one_state_one_is_made(site: &Site) {
    let id = site.servers[0].create(json!({"name": "a"}));
    let path = format!("/v2/images/{id}");
    for round in 0..10 {
        let tags = site.servers.each_ref().map(|it| it.get(&path).header("etag").unwrap().to_owned());
        assert_eq!(tags[0], tags[1], "the node has not caught up");
        let kind = ("Content-Type", "application/openstack-images-v2.1-json-patch");
        let answers = site.many(8, |server, n| {
            let change = add("who", &format!("{round} {n}")).to_string();
            server.ask("PATCH", &path, &[kind, ("If-Match", &tags[0])], change.as_bytes())
        });
        assert_eq!(counts(&answers, [200, 412]), [1, 7]);
    }
}

fn quotas_are_kept(site: &Site) {
    for round in 0..4 {
        let id = site.servers[0].create(json!({"visibility": "shared"}));
        let members = format!("/v2/images/{id}/members");
        let answers = site.many(12, |server, n| server.post(&members, &json!({"member": format!("project {n}")})));
        assert_eq!(counts(&answers, [200, 413]), [5, 7], "round {round}");
        let answers = site.many(12, |server, n| server.ask("PUT", &format!("/v2/images/{id}/tags/t{n}"), &[], b""));
        assert_eq!(counts(&answers, [204, 413]), [4, 8], "round {round}");
    }
}

fn one_of_two_wins(site: &Site) {
    for n in 0..40 {
        let id = format!("00000000-0000-4000-8000-{n:012}");
        let new = json!({"id": id, "disk_format": "raw", "container_format": "bare", "visibility": "shared"});
        assert_eq!(counts(&site.both(|it| it.post("/v2/images", &new)), [201, 409]), [1, 1]);
        let members = format!("/v2/images/{id}/members");
        let added = site.both(|it| it.post(&members, &json!({"member": "guest"})));
        assert_eq!(counts(&added, [200, 409]), [1, 1]);
        let stored = site.both(|it| it.put_file(&id, &[], format!("data by {}", it.address).as_bytes()));
        assert_eq!(counts(&stored, [204, 409]), [1, 1]);
        let winner = &site.servers[usize::from(stored[1].status == 204)];
        for server in &site.servers {
            assert_eq!(
                server.get(&format!("/v2/images/{id}/file")).body,
                format!("data by {}", winner.address).as_bytes()
            );
        }
        assert_eq!(
            counts(&site.both(|it| it.ask("DELETE", &format!("/v2/images/{id}"), &[], b"")), [204, 404]),
            [1, 1]
        );
    }
    let rows = "SELECT CAST(COUNT(*) AS CHAR) FROM image_members WHERE member = 'guest'";
    assert_eq!(site.scratch.lines(rows), ["40"]);
}

/// The node says 1047 to all that is asked, as one does that is cut off from the others or joins them.
fn a_node_that_is_not_ready_is_waited_for(cluster: &Cluster, site: &Site) {
    let id = site.servers[0].create(json!({"name": "a"}));
    cluster.run(1, "SET GLOBAL wsrep_reject_queries = ALL");
    thread::scope(|scope| {
        let asked = scope.spawn(|| site.servers[1].patch(&id, &add("p", "x")));
        // The other one goes on meanwhile.
        assert_eq!(site.servers[0].patch(&id, &add("q", "x")).status, 200);
        thread::sleep(Duration::from_secs(1));
        cluster.run(1, "SET GLOBAL wsrep_reject_queries = NONE");
        let answer = asked.join().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    });
    let shown = site.servers[1].get(&format!("/v2/images/{id}")).json();
    assert_eq!((&shown["p"], &shown["q"]), (&json!("x"), &json!("x")));
}

/// The second process reaches its node by a balancer, which turns to the first one when the second is killed.
fn a_node_that_is_gone_takes_nothing_along(cluster: &mut Cluster) {
    const WRITERS: usize = 6;
    const AFTERWARDS: usize = 5;
    let scratch = Scratch::on_nodes(&cluster.urls());
    let nodes = cluster.nodes.each_ref().map(|it| it.address());
    let balancer = Balancer::at(free_port(), &nodes[1..]);
    let images = tempfile::tempdir().unwrap();
    let second = scratch.url_on(&format!("mysql://root@{}", balancer.address));
    let servers = starts([&scratch.url, &second], images.path(), "");
    let id = servers[0].create(json!({"name": "a"}));
    let (made, gone) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let waited_for = thread::scope(|scope| {
        let write = |writer: usize| {
            let (server, id, made, gone) = (&servers[writer % 2], &id, &made, &gone);
            move || {
                let (mut own, mut refused, mut left) = (0, 0, AFTERWARDS);
                while left > 0 {
                    refused += insist(server, id, &format!("p{writer}_{own}"));
                    own += 1;
                    left -= usize::from(made.fetch_add(1, Ordering::SeqCst) >= gone.load(Ordering::SeqCst));
                }
                (own, refused)
            }
        };
        let writers: Vec<_> = (0..WRITERS).map(|it| scope.spawn(write(it))).collect();
        wait_until("changes on both nodes", PATIENCE, || made.load(Ordering::SeqCst) >= 3 * WRITERS);
        cluster.kill_second();
        balancer.turn_to(&nodes[..1]);
        gone.store(made.load(Ordering::SeqCst), Ordering::SeqCst);
        writers.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
    });
    let refused: usize = waited_for.iter().map(|it| it.1).sum();
    let shown = servers[1].get(&format!("/v2/images/{id}")).json();
    for (writer, (own, _)) in waited_for.iter().enumerate() {
        for n in 0..*own {
            assert_eq!(shown[format!("p{writer}_{n}")], "x", "p{writer}_{n} is lost");
        }
    }
    assert_eq!(servers[0].get(&format!("/v2/images/{id}")).json(), shown);
    eprintln!("{} changes with a node killed amid them, {refused} answers were 503", made.load(Ordering::SeqCst));
}

/// Asks until it is done; how often the answer was 503, since nothing else may be.
fn insist(server: &Server, id: &str, name: &str) -> usize {
    let start = Instant::now();
    let mut refused = 0;
    loop {
        let answer = server.patch(id, &add(name, "x"));
        if answer.status == 200 {
            return refused;
        }
        assert_eq!(answer.status, 503, "{answer:?} {}", answer.text());
        assert!(start.elapsed() < PATIENCE, "{}", answer.text());
        refused += 1;
    }
}
