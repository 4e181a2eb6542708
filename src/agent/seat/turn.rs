//! One of those that share the directory removes at a time, and only what all others can do without.

use super::{Claims, Seat};
use std::{collections::BTreeSet, sync::Arc};
use tokio_util::sync::CancellationToken;

/// What the others keep of what is to go.
#[derive(Debug, Default)]
pub struct Turn {
    claims: Claims,
}

// === impl Turn ===

impl Turn {
    /// For those who only look: nobody is asked.
    pub async fn without(seat: &Arc<Seat>) -> Self {
        Self { claims: claims_of(seat).await }
    }

    /// Before `bases` go. While agents of other hosts are there, nothing does.
    pub async fn take(seat: &Arc<Seat>, bases: BTreeSet<String>, _cancel: &CancellationToken) -> Self {
        let mut claims = claims_of(seat).await;
        if let Some(host) = claims.ask.first().filter(|_| !bases.is_empty()) {
            claims.everything.get_or_insert(format!("host {host} shares the directory, and its agent is there"));
        }
        Self { claims }
    }

    /// Why this base stays, if it does.
    pub fn keeps(&self, base: &str) -> Option<&str> {
        self.claims.keeps(base)
    }
}

async fn claims_of(seat: &Arc<Seat>) -> Claims {
    let at = Arc::clone(seat);
    match tokio::task::spawn_blocking(move || at.claims()).await {
        Ok(claims) => claims,
        Err(died) => {
            let why = format!("looking for those who share the directory ended early: {died}");
            Claims { everything: Some(why), ..Claims::default() }
        }
    }
}
