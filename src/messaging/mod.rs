//! Notifications as oslo.messaging sends them: what has happened, for whoever listens at a message broker.
//!
//! ```text
//! Notifier ── Queue ── the publisher's task ── Link ── RabbitMQ
//! (never waits) (bounded)  (retries, confirms)
//! ```
//!
//! A message waits in memory until the broker has confirmed it. So a broker that is slow, stalled or away slows nobody
//! down; when the queue is full, the oldest messages are dropped and counted, and what waits is lost when the process dies.
//! The sources of the form are oslo_messaging/notify/notifier.py and oslo_messaging/_drivers/{amqpdriver,impl_rabbit}.py.

#[cfg(feature = "notify-amqp")]
mod link;
mod message;
mod notifier;
#[cfg(feature = "notify-amqp")]
mod publisher;
#[cfg(feature = "notify-amqp")]
mod queue;
mod settings;
#[cfg(test)]
mod tests;
#[cfg(feature = "notify-amqp")]
mod tls;
mod transport;

pub use message::{Note, Priority};
pub use notifier::{Notifier, OpenError};
pub use settings::{Driver, LoginMethod, Rabbit, Settings, UnknownDriver, UnknownLogin};
pub use transport::{Host, InvalidTransport, Transport};
