//! Notifications, as oslo.messaging's own listener hears them from a real RabbitMQ.

mod delivery;
mod outage;

use super::Server;
use crate::support::rig::Listener;

/// A catalogue that notifies this broker of everything, in an exchange of this name and queues that begin with it.
fn telling(broker: &str, topic: &str, more: &str) -> Server {
    Server::with(&format!(
        "control_exchange = {topic}\ndefault_publisher_id = image.{topic}\n[oslo_messaging_notifications]\n\
         driver = messagingv2\ntransport_url = {broker}\ntopics = {topic}\n{more}"
    ))
}

fn listen(broker: &str, topic: &str) -> Listener {
    Listener::start(broker, (topic, topic), false).unwrap()
}

fn url(port: u16) -> String {
    format!("rabbit://guest:guest@127.0.0.1:{port}/")
}
