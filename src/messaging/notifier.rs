//! Where the program says what has happened.

use super::{Driver, Note, Priority, Settings};
#[cfg(feature = "notify-amqp")]
use super::{publisher::Publisher, queue::Queue};
use chrono::Utc;
use std::{sync::Arc, time::Duration};

/// Sends notifications; clones share everything.
#[derive(Clone, Debug)]
pub struct Notifier {
    /// None when nothing is sent at all.
    shared: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    /// Where a broker is used.
    #[cfg(feature = "notify-amqp")]
    queue: Option<Arc<Queue>>,
}

/// Notifications cannot be sent as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The program was built without a client for brokers.
    #[error("[oslo_messaging_notifications] driver = {0} needs a build with the feature notify-amqp")]
    NotBuilt(Driver),
    /// A file of `[oslo_messaging_rabbit]`, or what contradicts itself there.
    #[error("[oslo_messaging_rabbit] {0}")]
    Rabbit(String),
}

// === impl Notifier ===

impl Notifier {
    /// Begins to look for the broker, if one is used. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]; that no broker is there is none.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        if !settings.is_on() {
            return Ok(Self { shared: None });
        }
        #[cfg(not(feature = "notify-amqp"))]
        if let Some(broker) = settings.drivers.iter().find(|it| it.uses_broker()) {
            return Err(OpenError::NotBuilt(*broker));
        }
        let shared = Shared {
            settings: settings.clone(),
            #[cfg(feature = "notify-amqp")]
            queue: settings.uses_broker().then(|| publish(settings)).transpose()?,
        };
        Ok(Self { shared: Some(Arc::new(shared)) })
    }

    /// Whether events of this type go anywhere: what they tell need not be gathered otherwise.
    pub fn wants(&self, event: &str) -> bool {
        self.shared.as_ref().is_some_and(|it| it.settings.wants(event))
    }

    /// Whether events of any type go anywhere.
    pub fn is_on(&self) -> bool {
        self.shared.is_some()
    }

    /// Says that something has happened. It never waits.
    pub fn send(&self, note: &Note) {
        let Some(shared) = self.shared.as_ref().filter(|it| it.settings.wants(note.event)) else { return };
        let (now, publisher) = (Utc::now(), &shared.settings.publisher_id);
        if shared.settings.drivers.contains(&Driver::Log) {
            log(note, &serde_json::Value::Object(note.document(publisher, now)).to_string());
        }
        #[cfg(feature = "notify-amqp")]
        if let Some(queue) = &shared.queue {
            queue.push(note.message(publisher, now));
        }
    }

    /// Waits until the broker has taken what was said, for at most so long. For the end of the program.
    #[cfg(feature = "notify-amqp")]
    pub async fn close(&self, patience: Duration) {
        let Some(queue) = self.shared.as_ref().and_then(|it| it.queue.as_ref()) else { return };
        if queue.close() == 0 {
            return;
        }
        let done = async {
            while queue.left() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(patience, done).await.is_err() {
            tracing::warn!(lost = queue.left(), "notifications are lost: the broker did not take them before the end");
        }
    }

    /// There is no broker to wait for.
    #[cfg(not(feature = "notify-amqp"))]
    pub async fn close(&self, _: Duration) {}
}

#[cfg(feature = "notify-amqp")]
fn publish(settings: &Settings) -> Result<Arc<Queue>, OpenError> {
    let queue = Arc::new(Queue::new(settings.backlog));
    let publisher = Publisher::new(settings, Arc::clone(&queue))?;
    tokio::spawn(publisher.run());
    Ok(queue)
}

/// The driver `log`.
fn log(note: &Note, document: &str) {
    match note.priority {
        Priority::Info => tracing::info!(event_type = note.event, "notification: {document}"),
        Priority::Warn => tracing::warn!(event_type = note.event, "notification: {document}"),
        Priority::Error => tracing::error!(event_type = note.event, "notification: {document}"),
    }
}
