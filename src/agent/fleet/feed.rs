//! Follows the change feed, and finds back to it.

use super::patience::Patience;
use crate::base::chain;
use crate::remote::Catalogue;
use crate::wire::fleet::{Change, NodeName};
use chrono::Utc;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// Connecting takes no longer than this. That the feed is dead the connection says by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The feed is open; `anew`, and nobody knows what happened before.
    Open { anew: bool },
    /// It is cut.
    Cut,
    /// Something happened.
    Change(Change),
}

/// Follows until the receiver is gone or the task is aborted.
pub(super) async fn follow(catalogue: Catalogue, node: NodeName, out: mpsc::Sender<Heard>) {
    let mut last = None;
    let mut patience = Patience::default();
    loop {
        match timeout(PATIENCE, catalogue.listen(last, Some(&node))).await {
            Ok(Ok(mut changes)) => {
                patience.worked(Utc::now());
                if out.send(Heard::Open { anew: last.is_none() }).await.is_err() {
                    return;
                }
                while let Some(next) = changes.next().await {
                    let change = match next {
                        Ok(change) => change,
                        Err(error) => {
                            tracing::debug!(error = %chain(&error), "the change feed is cut");
                            break;
                        }
                    };
                    last = Some(change.sequence);
                    if out.send(Heard::Change(change)).await.is_err() {
                        return;
                    }
                }
            }
            Ok(Err(error)) => tracing::debug!(error = %chain(&error), "the change feed cannot be followed"),
            Err(_) => tracing::debug!("the change feed was not opened in time"),
        }
        if out.send(Heard::Cut).await.is_err() {
            return;
        }
        sleep(patience.failed(Utc::now(), rand::random()).0).await;
    }
}
