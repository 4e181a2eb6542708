//! A broker that is away, stalls or comes back slows nobody down, and is told what it missed.

use super::{listen, telling, url};
use crate::{
    api::Server,
    support::{
        chaos::{Chaos, Fault},
        free_port,
        rig::{self, OwnRabbit},
        wait_until,
    },
};
use serde_json::json;
use std::time::{Duration, Instant};

/// More than any of these requests takes, and less than anything that waits for a broker.
const QUICK: Duration = Duration::from_secs(5);

/// Makes an image, uploads to it and deletes it; the longest time that one request took.
fn work(server: &Server) -> (String, Duration) {
    let mut longest = Duration::ZERO;
    let mut timed = |request: &dyn Fn() -> String| {
        let start = Instant::now();
        let said = request();
        longest = longest.max(start.elapsed());
        said
    };
    let id = timed(&|| server.create(json!({"name": "x", "disk_format": "raw", "container_format": "bare"})));
    timed(&|| {
        assert_eq!(server.put_file(&id, &[], b"some data").status, 204);
        String::new()
    });
    timed(&|| {
        assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
        String::new()
    });
    (id, longest)
}

#[test]
fn a_broker_that_is_away_is_not_waited_for() {
    let mut server = telling(&url(free_port()), "away", "backlog = 4");
    for _ in 0..5 {
        let (_, longest) = work(&server);
        assert!(longest < QUICK, "{longest:?}");
    }
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("larder_notifications_dropped_total"), "{metrics}");
    let log = server.daemon.log();
    assert_eq!(log.matches("notifications are lost: the queue is full").count(), 1, "{log}");
    assert!(!log.contains("guest"), "{log}");
    let start = Instant::now();
    server.daemon.stop();
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(server.daemon.log().contains("did not take them before the end"), "{}", server.daemon.log());
}

/// It accepts connections and never answers; then it does.
#[test]
fn a_broker_that_stalls_is_not_waited_for() {
    let Some(port) = rig::rabbit() else { return };
    let proxy = Chaos::before(&format!("http://127.0.0.1:{port}"));
    proxy.always(Fault::StallAfter(0));
    let through = proxy.url().replace("http://", "rabbit://guest:guest@");
    let server = telling(&through, "stalled", "");
    let (first, longest) = work(&server);
    assert!(longest < QUICK, "{longest:?}");
    let heard = listen(&url(port), "stalled");
    proxy.always(Fault::None);
    heard.wait("image.delete", |it| it["id"] == first.as_str());
    // It stalls while it is connected.
    proxy.always(Fault::StallAfter(600));
    let (second, longest) = work(&server);
    assert!(longest < QUICK, "{longest:?}");
    proxy.always(Fault::None);
    heard.wait("image.delete", |it| it["id"] == second.as_str());
}

/// Each event arrives, in its order, whatever happens to the broker in between.
#[test]
fn a_broker_that_comes_back_is_told_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut broker) = OwnRabbit::start(folder.path(), &[]) else { return };
    let server = telling(&url(broker.port), "back", "");
    let mut ids = vec![work(&server).0];
    let heard = listen(&url(broker.port), "back");
    heard.wait("image.delete", |it| it["id"] == ids[0].as_str());
    broker.kill();
    for _ in 0..3 {
        let (id, longest) = work(&server);
        assert!(longest < QUICK, "{longest:?}");
        ids.push(id);
    }
    broker.again();
    for id in &ids {
        heard.wait("image.delete", |it| it["id"] == id.as_str());
        let events: Vec<_> = heard.heard().into_iter().filter(|it| it["payload"]["id"] == id.as_str()).collect();
        let names: Vec<_> = events.iter().map(|it| it["event_type"].as_str().unwrap().to_owned()).collect();
        let wanted = "image.create image.update image.prepare image.upload image.activate image.update image.delete";
        assert_eq!(names.join(" "), wanted);
    }
    wait_until("it is said that it is back", QUICK, || server.daemon.log().contains("notifications go out again"));
}

/// What is still waiting at the end is sent before it.
#[test]
fn the_last_events_are_sent_before_the_end() {
    let Some(port) = rig::rabbit() else { return };
    let heard = listen(&url(port), "end");
    let mut server = telling(&url(port), "end", "");
    let ids: Vec<String> = (0..20).map(|_| server.create(json!({"name": "x"}))).collect();
    server.daemon.stop();
    for id in ids {
        heard.wait("image.create", |it| it["id"] == id.as_str());
    }
    assert!(!server.daemon.log().contains("did not take"), "{}", server.daemon.log());
}
