//! Two writers of one image at the same time: one of them has it, and of the other one nothing is left.

use super::{
    conformance::{settings, store},
    disk, images, options,
};
use crate::{
    api::{Server, parse},
    stores::network::{LIMITS, get, id},
    support::{
        daemon::signal,
        rig::{Ceph, ceph},
        wait_until,
    },
};
use bytes::Bytes;
use futures_util::{future::join_all, stream};
use larder::store::{StoreError, ingest};
use nix::sys::signal::Signal;
use serde_json::json;
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Of an image: itself alone, as soon as what was dropped is cleared away.
fn soon_alone(ceph: &Ceph, id: &str) {
    wait_until("one is left", PATIENCE, || images(ceph, id) == [id]);
}

/// Each has a connection of its own to the cluster, as other processes have.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_commits_at_the_same_time_one_counts() {
    let Some(ceph) = tokio::task::spawn_blocking(ceph).await.unwrap() else { return };
    let stores = [(); 3].map(|()| store(settings(ceph)));
    for round in 0..6_u8 {
        let (id, len) = (id(), 5 << 20);
        let staged = join_all(stores.iter().zip(0_u8..).map(|(store, at)| {
            let data = Bytes::from(vec![round * 10 + at + 1; len]);
            ingest(stream::iter([Ok::<_, io::Error>(data)]), &**store, &id, LIMITS)
        }));
        let staged: Vec<_> = staged.await.into_iter().map(Result::unwrap).collect();
        let committing = staged.into_iter().map(|it| tokio::spawn(async move { it.commit().await.map(drop) }));
        let outcomes: Vec<_> = join_all(committing).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<u8> = (0..).zip(&outcomes).filter(|it| it.1.is_ok()).map(|it| it.0).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        for lost in outcomes.iter().filter_map(|it| it.as_ref().err()) {
            assert!(matches!(lost, StoreError::Duplicate { .. }), "{lost:?}");
        }
        // What could not be cleared when it was dropped goes as the catalogue has it go: at the next look.
        let (name, began) = (id.to_string(), Instant::now());
        while images(ceph, &name) != [name.as_str()] {
            assert!(began.elapsed() < PATIENCE * 2, "{:?}", images(ceph, &name));
            join_all(stores.iter().map(|it| it.clear(&id))).await;
        }
        let url = stores[0].url(&id);
        assert!(get(&*stores[0], &url, len as u64).await.unwrap() == vec![round * 10 + winners[0] + 1; len]);
        stores[2].remove(&url).await.unwrap();
    }
}

/// An upload whose last bytes wait.
struct Held(TcpStream);

impl Held {
    fn begin(server: &Server, id: &str, data: &[u8]) -> Self {
        let mut client = TcpStream::connect(server.address).unwrap();
        let head = format!(
            "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {}\r\n\r\n",
            data.len()
        );
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&data[..data.len() - 1]).unwrap();
        Self(client)
    }

    fn end(mut self, data: &[u8]) -> u16 {
        self.0.write_all(&data[data.len() - 1..]).unwrap();
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).unwrap();
        parse(&answer).status
    }
}

/// A process that stands still for longer than a lease is taken for dead; when it goes on, the image is another one's, and
/// both end at the same moment.
#[test]
fn who_was_taken_for_dead_does_not_win() {
    let Some(ceph) = ceph() else { return };
    let conf = format!("process_lease = 2\n{}", options(ceph, ""));
    let first = Server::with(&conf);
    let database = first.dir.path().join("catalogue.sqlite");
    let second = Server::over(tempfile::tempdir().unwrap(), &database, &first.images(), &conf);
    let (old, new) = (disk(6 << 20, 51), disk(6 << 20, 52));
    let id = first.create(json!({"disk_format": "raw", "container_format": "bare"}));
    let late = Held::begin(&first, &id, &old);
    wait_until("it is being written", PATIENCE, || images(ceph, &id).iter().any(|it| it.ends_with(".part")));
    // As if it ran elsewhere: on one machine the process itself is asked for.
    let raw = rusqlite::Connection::open(&database).unwrap();
    raw.busy_timeout(Duration::from_secs(60)).unwrap();
    let sql = "UPDATE larder_processes SET host = 'elsewhere' WHERE id = (SELECT process_id FROM larder_uploads)";
    assert_eq!(raw.execute(sql, []).unwrap(), 1);
    signal(first.daemon.pid(), Signal::SIGSTOP);
    wait_until("the second one has taken it over", PATIENCE, || {
        second.get(&format!("/v2/images/{id}")).json()["status"] == "queued"
    });
    let winning = Held::begin(&second, &id, &new);
    wait_until("both are written", PATIENCE, || {
        images(ceph, &id).iter().filter(|it| it.ends_with(".part")).count() == 2
    });
    signal(first.daemon.pid(), Signal::SIGCONT);
    let (won, lost) = thread::scope(|scope| {
        let lost = scope.spawn(|| late.end(&old));
        (winning.end(&new), lost.join().unwrap())
    });
    assert_eq!((won, lost), (204, 409), "{} {}", first.daemon.log(), second.daemon.log());
    soon_alone(ceph, &id);
    for server in [&first, &second] {
        assert_eq!(server.get(&format!("/v2/images/{id}")).json()["status"], "active");
        assert!(server.get(&format!("/v2/images/{id}/file")).body == new);
    }
    assert_eq!(first.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    assert_eq!(images(ceph, &id), [""; 0]);
}
