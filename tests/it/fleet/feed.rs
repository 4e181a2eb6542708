//! The change feed over HTTP.

use super::{PATIENCE, client};
use crate::api::Server;
use futures_util::StreamExt;
use larder::{
    remote::Changes,
    wire::fleet::{Change, Event},
};
use serde_json::json;
use std::io::{Read, Write};
use tokio::time::timeout;

async fn next(changes: &mut Changes) -> Change {
    timeout(PATIENCE, changes.next()).await.expect("nothing came").expect("the feed ended").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_they_happen_and_a_reader_goes_on_where_it_was() {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let catalogue = client(&server);
    let fields = json!({"name": "x", "disk_format": "raw", "container_format": "bare"});
    let mut live = catalogue.listen(None, None).await.unwrap();
    let first = catalogue.create(&fields).await.unwrap();
    let told = next(&mut live).await;
    assert_eq!((told.event, told.image.unwrap().as_str()), (Event::ImageCreated, first.id.as_str()));
    drop(live);
    let second = catalogue.create(&fields).await.unwrap();
    catalogue.delete(&first.id.parse().unwrap()).await.unwrap();
    let mut live = catalogue.listen(Some(told.sequence), None).await.unwrap();
    let missed = [next(&mut live).await, next(&mut live).await];
    assert_eq!(missed.each_ref().map(|it| it.event), [Event::ImageCreated, Event::ImageDeleted]);
    assert_eq!(missed[0].image.as_ref().unwrap().as_str(), second.id);
    // A stranger to this database, who has been elsewhere.
    let mut lost = catalogue.listen(Some(1_000_000), None).await.unwrap();
    let reset = next(&mut lost).await;
    assert_eq!((reset.event, reset.sequence), (Event::Reset, missed[1].sequence));

    // The server ends while somebody listens.
    let (mut server, mut live) = tokio::task::spawn_blocking(move || {
        let mut server = server;
        server.daemon.stop();
        (server, live)
    })
    .await
    .unwrap();
    let rest = timeout(PATIENCE, async { while let Some(Ok(_)) = live.next().await {} }).await;
    assert!(rest.is_ok() && server.daemon.ended().is_some());
}

#[test]
fn a_quiet_feed_says_that_it_lives() {
    let server = Server::start();
    let mut connection = std::net::TcpStream::connect(server.address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET /larder/v1/changes HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    // The first comment is that of the beginning; the next ones come by themselves.
    while !text.contains("\n:\n\n") {
        let got = connection.read(&mut piece).unwrap();
        assert!(got > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..got]));
    }
    assert!(text.contains(": the change feed\n\n") && !text.contains("data:"), "{text}");
}

#[test]
fn the_text_is_that_of_server_sent_events() {
    let server = Server::start();
    let id = server.create(json!({"name": "x", "disk_format": "raw", "container_format": "bare"}));
    let mut connection = std::net::TcpStream::connect(server.address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET /larder/v1/changes HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nLast-Event-ID: 0\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains("data: ") || !text.ends_with("\n\n\r\n") {
        let got = connection.read(&mut piece).unwrap();
        assert!(got > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..got]));
    }
    let lower = text.to_lowercase();
    assert!(lower.starts_with("http/1.1 200") && lower.contains("content-type: text/event-stream"), "{text}");
    assert!(text.contains("id: 1\nevent: image_created\ndata: {") && text.contains(&id), "{text}");

    for (path, headers, words) in [
        ("/larder/v1/changes?since=x", &[][..], "since"),
        ("/larder/v1/changes?node=a%20b", &[][..], "not a node's name"),
        ("/larder/v1/changes", &[("Accept", "text/event-stream"), ("Last-Event-ID", "x")][..], "Last-Event-ID"),
        ("/larder/v1/changes?from=1", &[][..], "since, node, limit"),
    ] {
        server.ask("GET", path, headers, b"").refuses(400, words);
    }
    let page = server.get("/larder/v1/changes?since=0&limit=5").json();
    assert_eq!((&page["changes"][0]["image"], &page["next"]), (&json!(id), &json!(1)));
}
