use super::{Driver, Host, InvalidTransport, Note, Notifier, Priority, Settings, Transport};
use serde_json::json;

fn host(name: &str, port: u16, user: &str, password: &str) -> Host {
    Host { name: name.to_owned(), port, user: user.to_owned(), password: password.into() }
}

#[test]
fn transport_urls_are_oslos() {
    let parse = |text: &str| text.parse::<Transport>().unwrap();
    assert_eq!(parse("rabbit://"), Transport::default());
    assert_eq!(parse("rabbit:///").virtual_host, "/");
    let one = parse("rabbit://glance:p%40ss%2Fw%3Aord@10.0.0.1:5671/images?ssl=true&ssl_ca_file=/a%20b");
    assert_eq!(one.hosts, [host("10.0.0.1", 5671, "glance", "p@ss/w:ord")]);
    assert_eq!((one.virtual_host.as_str(), one.tls), ("images", false));
    assert_eq!(one.options, [("ssl".to_owned(), "true".to_owned()), ("ssl_ca_file".to_owned(), "/a b".to_owned())]);
    let several = parse("kombu+amqps://u:p@a:1,u@x:q@[::1]:2,u:p@fe80::1,,b/%2Fmine");
    let wanted =
        [host("a", 1, "u", "p"), host("::1", 2, "u@x", "q"), host("fe80::1", 5672, "u", "p"), host("b", 5672, "", "")];
    assert_eq!(several.hosts, wanted);
    assert_eq!((several.virtual_host.as_str(), several.tls), ("/mine", true));
    for scheme in ["rabbit", "kombu", "RABBIT", "kombu+amqp"] {
        assert_eq!(parse(&format!("{scheme}://u:p@h/")).hosts, [host("h", 5672, "u", "p")], "{scheme}");
    }
}

#[test]
fn wrong_urls_are_told_without_their_secrets() {
    for (text, why) in [
        ("localhost", InvalidTransport::NoUrl),
        ("kafka://u:secret@h", InvalidTransport::Scheme("kafka".to_owned())),
        ("kombu+memory://", InvalidTransport::Scheme("kombu+memory".to_owned())),
        ("rabbit://u:secret@h:99999", InvalidTransport::Host { number: 1, why: "its port is no number up to 65535" }),
        ("rabbit://u:secret@[::1:5", InvalidTransport::Host { number: 1, why: "its address in brackets has no end" }),
        ("rabbit://u:%ffsecret@h", InvalidTransport::Encoding),
    ] {
        let error = text.parse::<Transport>().unwrap_err();
        assert_eq!(error, why, "{text}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let shown = format!("{:?}", "rabbit://u:secret@h".parse::<Transport>().unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn drivers_of_others_are_refused() {
    for name in ["noop", "log", "messaging", "messagingv2"] {
        assert_eq!(name.parse::<Driver>().unwrap().to_string(), name);
    }
    for name in ["routing", "test", "rabbit", ""] {
        assert!(
            name.parse::<Driver>().unwrap_err().to_string().contains("there are noop, log, messaging and messagingv2")
        );
    }
}

#[test]
fn groups_and_types_are_disabled() {
    let mut settings = Settings { drivers: vec![Driver::Log], ..Settings::default() };
    settings.disabled = vec!["task".to_owned(), "image.send".to_owned(), "image.member".to_owned()];
    for (event, wanted) in [
        ("image.create", true),
        ("image.send", false),
        ("task.run", false),
        // What stands before the first dot is the group (Glance's behaviour).
        ("image.member.create", true),
    ] {
        assert_eq!(settings.wants(event), wanted, "{event}");
    }
    settings.drivers = vec![Driver::Noop];
    assert!(!settings.wants("image.create"));
    assert!(!Notifier::open(&settings).unwrap().is_on());
}

#[test]
fn documents_are_those_of_oslo() {
    let note = Note { priority: Priority::Error, event: "image.upload", payload: json!("why") };
    let now = "2026-11-22T03:04:05.000006Z".parse().unwrap();
    let mut document = note.document("image.here", now);
    let id = document.remove("message_id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 36, "{id}");
    assert_eq!(
        serde_json::Value::Object(document),
        json!({"publisher_id": "image.here", "event_type": "image.upload", "priority": "ERROR", "payload": "why",
            "timestamp": "2026-11-22 03:04:05.000006"})
    );
}

#[cfg(feature = "notify-amqp")]
mod broker {
    use super::super::{Note, Priority, Settings, message::Message, queue::Queue};
    use serde_json::{Value, json};
    use std::{sync::Arc, time::Duration};

    fn message(event: &'static str) -> Message {
        Note { priority: Priority::Info, event, payload: json!({}) }.message("me", chrono::Utc::now())
    }

    fn event(message: &Message) -> String {
        let document: Value = serde_json::from_str(&message.bare).unwrap();
        document["event_type"].as_str().unwrap().to_owned()
    }

    #[test]
    fn envelopes_hold_the_message_as_text() {
        let message = message("image.create");
        let envelope: Value = serde_json::from_str(&message.enveloped()).unwrap();
        assert_eq!(envelope["oslo.version"], "2.0");
        let inner: Value = serde_json::from_str(envelope["oslo.message"].as_str().unwrap()).unwrap();
        assert_eq!(inner["_unique_id"].as_str().unwrap().len(), 32);
        assert_eq!(inner["event_type"], "image.create");
        assert_eq!(inner.to_string(), message.bare);
    }

    #[tokio::test]
    async fn the_oldest_make_room() {
        let queue = Queue::new(3);
        for name in ["a", "b", "c", "d"] {
            queue.push(message(name));
        }
        let taken = queue.take(2).await.unwrap();
        assert_eq!(taken.iter().map(event).collect::<Vec<_>>(), ["b", "c"]);
        // What is on its way counts, and is not taken back.
        queue.push(message("e"));
        assert_eq!(queue.left(), 3);
        queue.settle(0);
        queue.push(message("f"));
        queue.push(message("g"));
        let taken = queue.take(9).await.unwrap();
        assert_eq!(taken.iter().map(event).collect::<Vec<_>>(), ["e", "f", "g"]);
    }

    #[tokio::test]
    async fn bytes_are_bounded_too() {
        let queue = Queue::new(1000);
        for _ in 0..70 {
            let payload = json!("x".repeat(1 << 20));
            let note = Note { priority: Priority::Info, event: "image.update", payload };
            queue.push(note.message("me", chrono::Utc::now()));
        }
        assert!((50..65).contains(&queue.left()), "{}", queue.left());
    }

    #[tokio::test]
    async fn who_takes_ends_when_it_is_closed_and_empty() {
        let queue = Arc::new(Queue::new(3));
        let waiting = {
            tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.take(1).await.is_none() }
            })
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(queue.close(), 0);
        assert!(waiting.await.unwrap());
        queue.push(message("late"));
        assert_eq!(queue.take(1).await.unwrap().len(), 1);
    }

    /// Nobody listens at that port: what is said is kept, and nothing waits.
    #[tokio::test]
    async fn nobody_waits_for_a_broker_that_is_away() {
        let transport = "rabbit://u:p@127.0.0.1:1/".parse().unwrap();
        let drivers = vec![super::Driver::MessagingV2];
        let settings = Settings { drivers, transport, backlog: 5, ..Settings::default() };
        let notifier = super::Notifier::open(&settings).unwrap();
        let start = std::time::Instant::now();
        for _ in 0..1000 {
            notifier.send(&Note { priority: Priority::Info, event: "image.create", payload: json!({}) });
        }
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        let start = std::time::Instant::now();
        notifier.close(Duration::from_millis(200)).await;
        assert!((Duration::from_millis(200)..Duration::from_secs(2)).contains(&start.elapsed()));
    }
}
