//! A notification, and how it goes over the wire.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// It went as it should.
    Info,
    /// It may need a look.
    Warn,
    /// It failed.
    Error,
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// How grave it is.
    pub priority: Priority,
    /// What: `image.create` and its like.
    pub event: &'static str,
    /// To what; an object, or words.
    pub payload: Value,
}

/// A message that waits to be sent; its text is made once, so that one that is sent twice is known by its `_unique_id`.
#[cfg(feature = "notify-amqp")]
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// What the name of a topic ends in.
    pub(super) priority: Priority,
    /// The message without an envelope.
    pub(super) bare: String,
}

// === impl Priority ===

impl Priority {
    /// As a message names it.
    fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// As the name of a queue ends.
    #[cfg(feature = "notify-amqp")]
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

// === impl Note ===

impl Note {
    /// The document, without what tells messages apart.
    pub(super) fn document(&self, publisher: &str, now: DateTime<Utc>) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("message_id".to_owned(), json!(Uuid::new_v4().to_string()));
        document.insert("publisher_id".to_owned(), json!(publisher));
        document.insert("event_type".to_owned(), json!(self.event));
        document.insert("priority".to_owned(), json!(self.priority.word()));
        document.insert("payload".to_owned(), self.payload.clone());
        document.insert("timestamp".to_owned(), json!(now.format("%Y-%m-%d %H:%M:%S%.6f").to_string()));
        document
    }

    /// The message.
    #[cfg(feature = "notify-amqp")]
    pub(super) fn message(&self, publisher: &str, now: DateTime<Utc>) -> Message {
        let mut document = self.document(publisher, now);
        document.insert("_unique_id".to_owned(), json!(Uuid::new_v4().simple().to_string()));
        Message { priority: self.priority, bare: Value::Object(document).to_string() }
    }
}

// === impl Message ===

#[cfg(feature = "notify-amqp")]
impl Message {
    /// In oslo.messaging's envelope.
    pub(super) fn enveloped(&self) -> String {
        json!({"oslo.version": "2.0", "oslo.message": self.bare}).to_string()
    }
}
