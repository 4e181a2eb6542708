//! `image.send`: data that went out.

use super::Notes;
use crate::catalogue::service::BoxError;
use crate::identity::Caller;
use crate::image::Image;
use crate::messaging::Priority;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Who gets data, for the notification at its end.
#[derive(Clone, Debug)]
pub(in crate::catalogue::service) struct Receiver {
    notes: Notes,
    payload: Value,
    /// Told of what comes from the cache (Glance's behaviour).
    pub(in crate::catalogue::service) address: Option<IpAddr>,
}

/// Counts what goes out; dropped, it says how much that was. The last block may be all that is ever asked for: whoever
/// sends a known number of bytes does not look for more.
struct Sending {
    receiver: Receiver,
    sent: u64,
    wanted: u64,
}

// === impl Receiver ===

impl Receiver {
    /// None when nobody is told.
    pub(in crate::catalogue::service) fn new(notes: &Notes, caller: &Caller, image: &Image) -> Option<Self> {
        let payload = json!({
            "bytes_sent": 0,
            "image_id": image.id,
            "owner_id": image.owner,
            "receiver_tenant_id": caller.project,
            "receiver_user_id": caller.user,
        });
        notes.0.wants("image.send").then(|| Self { notes: notes.clone(), payload, address: None })
    }

    /// Counts these bytes, of which there should be `wanted`.
    pub(in crate::catalogue::service) fn count(
        mut self,
        bytes: BoxStream<'static, Result<Bytes, BoxError>>,
        (wanted, is_cached): (u64, bool),
    ) -> BoxStream<'static, Result<Bytes, BoxError>> {
        if !is_cached {
            self.address = None;
        }
        let mut sending = Sending { receiver: self, sent: 0, wanted };
        bytes.inspect_ok(move |block| sending.add(block)).boxed()
    }
}

// === impl Sending ===

impl Sending {
    fn add(&mut self, block: &Bytes) {
        self.sent += block.len() as u64;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let priority = if self.sent == self.wanted { Priority::Info } else { Priority::Error };
        let Receiver { notes, payload, address } = &mut self.receiver;
        notes.say(priority, "image.send", || {
            payload["bytes_sent"] = json!(self.sent);
            if let Some(address) = address {
                payload["destination_ip"] = json!(address);
            }
            payload.take()
        });
    }
}
