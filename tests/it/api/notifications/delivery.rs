//! That notifications arrive, in each form.

use super::{listen, telling, url};
use crate::{
    api::Server,
    support::{
        authority::Authority,
        free_port,
        rig::{self, Listener, OwnRabbit},
        wait_until,
    },
};
use serde_json::{Value, json};
use std::time::Duration;

fn of<'a>(id: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |payload| payload["id"] == id
}

/// Nobody listens yet: the queue that is made keeps what is said, as oslo.messaging's does.
#[test]
fn what_is_said_waits_for_a_listener() {
    let Some(port) = rig::rabbit() else { return };
    let server = telling(&url(port), "early", "");
    let id = server.create(json!({"name": "x"}));
    wait_until("it is sent", Duration::from_secs(60), || {
        server.get("/metrics").text().contains("notifications_sent_total 1")
    });
    let heard = listen(&url(port), "early").wait("image.create", of(&id));
    assert_eq!((&heard["priority"], &heard["publisher_id"]), (&json!("info"), &json!("image.early")));
    assert_eq!(heard["context"], json!({"client_timeout": null}));
}

#[test]
fn messages_go_without_an_envelope_and_to_several_topics() {
    let Some(port) = rig::rabbit() else { return };
    let listen = |topic| Listener::start(&url(port), ("plain", topic), false).unwrap();
    let (one, two) = (listen("plain-a"), listen("plain-b"));
    let config = format!(
        "control_exchange = plain\ndisabled_notifications = task,image.update\ntransport_url = {}\n\
         [oslo_messaging_notifications]\ndriver = messaging\ndriver = log\ntopics = plain-a,plain-b",
        url(port)
    );
    let mut server = Server::with(&config);
    let id = server.upload(b"some data");
    for listener in [&one, &two] {
        listener.wait("image.activate", of(&id));
        assert!(listener.heard().iter().all(|it| it["event_type"] != "image.update"));
    }
    server.daemon.wait_for_log("notification: {\"message_id\":");
}

/// The second of two brokers is there; the password has what URLs write otherwise.
#[test]
fn brokers_stand_for_one_another() {
    let Some(port) = rig::rabbit() else { return };
    let broker = format!("rabbit://guest:%67uest@127.0.0.1:{},guest:guest@127.0.0.1:{port}//", free_port());
    let server = telling(&broker, "second", "");
    let id = server.create(json!({"name": "x"}));
    listen(&url(port), "second").wait("image.create", of(&id));
}

/// A listener was there before, with queues of the other kind: what it declared is used as it is.
#[test]
fn queues_that_are_there_are_used_as_they_are() {
    let Some(port) = rig::rabbit() else { return };
    let heard = Listener::start(&url(port), ("lasting", "lasting"), true).unwrap();
    for (more, warns) in [("", true), ("[oslo_messaging_rabbit]\namqp_durable_queues = true", false)] {
        let server = telling(&url(port), "lasting", more);
        let id = server.create(json!({"name": "x"}));
        heard.wait("image.create", of(&id));
        let log = server.daemon.log();
        assert_eq!(log.contains("with other flags"), warns, "{log}");
        assert!(!log.contains("ERROR"), "{log}");
    }
}

/// A listener that declares them otherwise would not come to listen.
#[test]
fn quorum_queues_are_declared_as_oslo_does() {
    let Some(port) = rig::rabbit() else { return };
    let server = telling(&url(port), "quorum", "[oslo_messaging_rabbit]\nrabbit_quorum_queue = true");
    let id = server.create(json!({"name": "x"}));
    let sent = || server.get("/metrics").text().contains("notifications_sent_total 1");
    wait_until("it is sent", Duration::from_secs(60), sent);
    let of_quorums = format!("{}?rabbit_quorum_queue=true", url(port));
    listen(&of_quorums, "quorum").wait("image.create", of(&id));
}

#[test]
fn the_broker_is_reached_by_tls() {
    let folder = tempfile::tempdir().unwrap();
    let Some(authority) = Authority::make(folder.path(), "authority") else { return };
    let (certificate, key) = authority.issue("broker");
    let tls_port = free_port();
    let files = [authority.file(), certificate, key].map(|it| it.display().to_string());
    let more = [&[tls_port.to_string()][..], &files].concat();
    let Some(broker) = OwnRabbit::start(folder.path(), &more) else { return };
    let heard = listen(&url(broker.port), "sealed");
    let trusting = format!("[oslo_messaging_rabbit]\nssl = true\nssl_ca_file = {}", files[0]);
    for (url, more) in [
        (url(tls_port), trusting.as_str()),
        // Without authorities nothing is checked (oslo.messaging's rule).
        (url(tls_port), "[oslo_messaging_rabbit]\nssl = true"),
        (format!("kombu+amqps://guest:guest@127.0.0.1:{tls_port}/?ssl_ca_file={}", files[0]), ""),
    ] {
        let server = telling(&url, "sealed", more);
        let id = server.create(json!({"name": "x"}));
        heard.wait("image.create", of(&id));
    }
    let Some(stranger) = Authority::make(folder.path(), "stranger") else { return };
    let wrong = format!("[oslo_messaging_rabbit]\nssl = true\nssl_ca_file = {}", stranger.file().display());
    let mut server = telling(&url(tls_port), "sealed", &wrong);
    server.daemon.wait_for_log("notifications wait: the broker does not take them");
    assert!(server.daemon.log().contains("UnknownIssuer"), "{}", server.daemon.log());
}

/// `image.send` of a download that the client breaks off.
#[test]
fn downloads_that_break_off_are_told_as_errors() {
    let Some(port) = rig::rabbit() else { return };
    let heard = listen(&url(port), "cut");
    let server = telling(&url(port), "cut", "");
    let data = vec![7; 64 << 20];
    let id = server.upload(&data);
    let mut client = std::net::TcpStream::connect(server.address).unwrap();
    std::io::Write::write_all(&mut client, format!("GET /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .unwrap();
    let mut begin = [0; 1 << 16];
    std::io::Read::read_exact(&mut client, &mut begin).unwrap();
    drop(client);
    let told = heard.wait("image.send", |it| it["image_id"] == id.as_str());
    assert_eq!(told["priority"], "error");
    assert!((1..data.len() as u64).contains(&told["payload"]["bytes_sent"].as_u64().unwrap()), "{told}");
}
