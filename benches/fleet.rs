//! Heartbeats of a thousand nodes, and who has an image among ten thousand nodes of a hundred images, on SQLite and on
//! MariaDB.

use crate::{
    client::Client,
    engines::on_each,
    report::{best, bound},
    requests::{cpu, start},
};
use std::{fmt::Write as _, path::Path};

/// Nodes that beat.
const BEATING: usize = 1000;
/// Beats that are measured, of all of them.
const BEATS: u64 = 5;
/// Seconds from beat to beat (`heartbeat_interval`).
const INTERVAL: f64 = 30.0;
/// Nodes that hold images.
const HOLDING: u32 = 10_000;
/// Images on each.
const IMAGES: u32 = 100;
/// Rows of one INSERT.
const ROWS: usize = 1000;

pub(crate) fn bench(dir: &Path) {
    on_each(dir, measure);
}

fn measure(dir: &Path, engine: &str, url: &str, run: &mut dyn FnMut(&str)) {
    let (mut daemon, port) = start(dir, url);
    let mut client = Client::connect(port);
    let mut ask = |method: &str, path: &str, body: Option<&str>| {
        let (status, answer) = client.call(method, path, body);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        answer
    };
    let sessions: Vec<String> = (0..BEATING)
        .map(|node| {
            let about = r#"{"version":"1","boot_id":"b","labels":{"site":"x"}}"#;
            let answer = ask("PUT", &format!("/larder/v1/nodes/beating-{node}"), Some(about));
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            answer["session"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut beat = |sequence: u64| {
        for (node, session) in sessions.iter().enumerate() {
            let full = sequence == 1;
            let beat = format!(
                r#"{{"session":"{session}","sequence":{sequence},"full":{full},"summary":{{"held":100,"free":{sequence}}}}}"#
            );
            let answer = ask("POST", &format!("/larder/v1/nodes/beating-{node}/heartbeat"), Some(&beat));
            assert!(!String::from_utf8_lossy(&answer).contains(r#""resync":true"#));
        }
    };
    // The first is the whole inventory, the second ends the notice that registering gave.
    beat(1);
    beat(2);
    let before = cpu(daemon.pid());
    (3..3 + BEATS).for_each(&mut beat);
    let each = (cpu(daemon.pid()) - before).as_secs_f64() / (BEATS as f64 * BEATING as f64);
    let share = each * BEATING as f64 / INTERVAL * 100.0;
    bound(&format!("{engine}: a core for 1,000 nodes' beats"), share, 5.0, "%");

    hold(run);
    let image = id_of(IMAGES / 2);
    for (what, query) in [
        ("the first 1,000", "?limit=1000".to_owned()),
        ("1,000 in the middle", format!("?limit=1000&marker={}", node(HOLDING / 2))),
    ] {
        let path = format!("/larder/v1/images/{image}/nodes{query}");
        let mut count = 0;
        let time = best(20, || {
            let answer: serde_json::Value = serde_json::from_slice(&ask("GET", &path, None)).unwrap();
            count = answer["nodes"].as_array().unwrap().len();
        });
        assert_eq!(count, 1000);
        bound(&format!("{engine}: who has it, {what}"), time.as_secs_f64() * 1e3, 50.0, "ms");
    }
    let nobody = format!("/larder/v1/images/{}/nodes", id_of(IMAGES));
    let time = best(20, || drop(ask("GET", &nobody, None)));
    bound(&format!("{engine}: who has it, nobody"), time.as_secs_f64() * 1e3, 50.0, "ms");
    daemon.stop();
}

fn id_of(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

fn node(n: u32) -> String {
    format!("holding-{n:05}")
}

/// What a row of `larder_nodes` has here.
const NODE: &str = "name, session_hash, beat, ready, notice, beat_at, registered_at, labels, address, version, boot_id, \
    rules_version, used_bytes, free_bytes, total_bytes, disk_growth_bytes, held_count, queued_count, fetching_count, \
    failed_count, pinned_count";
/// And one of `larder_node_images`.
const HELD: &str = "image_id, node, state, size_bytes, done_bytes, pinned, digest, why, changed_at";

/// Every node holds every image.
fn hold(run: &mut dyn FnMut(&str)) {
    let nodes: Vec<String> = (0..HOLDING)
        .map(|it| {
            format!("('{}','x',1,true,false,1,1,'{{}}','http://10.0.0.1:9393','1','b',0,0,0,0,0,0,0,0,0,0)", node(it))
        })
        .collect();
    for part in nodes.chunks(ROWS) {
        run(&format!("INSERT INTO larder_nodes ({NODE}) VALUES {};", part.join(",")));
    }
    for image in 0..IMAGES {
        let image = id_of(image);
        let mut rows = String::new();
        for it in 0..HOLDING {
            let _ = write!(rows, "('{image}','{}','cached',2361393152,NULL,false,NULL,NULL,1),", node(it));
        }
        run(&format!("INSERT INTO larder_node_images ({HELD}) VALUES {};", rows.trim_end_matches(',')));
    }
}
