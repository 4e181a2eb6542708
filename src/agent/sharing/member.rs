//! The task: signs of life, what is said of us, who else is there.

use super::{Kept, registry};
use crate::admin::{Sharer, SharerState, Sharing};
use crate::agent::{
    base_dir::BaseDir,
    seat::{Seat, Seen, Standing, standing},
};
use crate::base::chain;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// What the task works with.
#[derive(Debug)]
pub(in crate::agent) struct Parts {
    pub(in crate::agent) dir: Arc<BaseDir>,
    /// From the loop.
    pub(in crate::agent) kept: watch::Receiver<Kept>,
    /// For the status.
    pub(in crate::agent) view: watch::Sender<Sharing>,
}

/// So often nova's registry is written, as nova-compute does (`manager_interval`).
const REGISTER: Duration = Duration::from_secs(2400);
/// A file server that is away keeps the task waiting, but not the program from ending.
const LAST: Duration = Duration::from_secs(5);

// === impl Parts ===

impl Parts {
    /// Works until `shutdown`.
    pub(in crate::agent) async fn run(mut self, shutdown: CancellationToken) {
        let every = (self.dir.seat().patience() / 6).clamp(Duration::from_millis(100), Duration::from_secs(10));
        let mut registered: Option<Instant> = None;
        loop {
            if registered.is_none_or(|at| at.elapsed() >= REGISTER) {
                self.register(&shutdown).await;
                registered = Some(Instant::now());
            }
            let kept = self.kept.borrow_and_update().clone();
            let seat = Arc::clone(self.dir.seat());
            let round = tokio::task::spawn_blocking(move || look(&seat, kept, Utc::now()));
            let looked = tokio::select! {
                looked = round => looked,
                () = async { shutdown.cancelled().await; sleep(LAST).await } => return,
            };
            if let Ok(sharing) = looked {
                self.tell(sharing);
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                Ok(()) = self.kept.changed() => {}
                () = sleep(every) => {}
            }
        }
    }

    /// Nova-computes of other hosts, too, are to know that this one uses the directory.
    async fn register(&self, shutdown: &CancellationToken) {
        let hosts = [self.dir.seat().host().to_string()];
        let entered = timeout(LAST * 4, registry::enter(&self.dir, &hosts, Utc::now(), shutdown)).await;
        match entered {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("{}", chain(&error)),
            Err(_) => tracing::warn!("nova's registry of hosts could not be written in time"),
        }
    }

    fn tell(&self, new: Sharing) {
        self.view.send_if_modified(|old| {
            if new.trouble != old.trouble
                && let Some(why) = &new.trouble
            {
                tracing::warn!("those who share the base directory do not see this agent: {why}");
            }
            for it in new.others.iter().filter(|it| !old.others.contains(it)) {
                let why = it.why.as_deref().unwrap_or_default();
                tracing::info!(host = %it.host, state = ?it.state, pins = it.pins, "shares the base directory {why}");
            }
            let changed = *old != new;
            *old = new;
            changed
        });
    }
}

/// One round: a sign of life, and who else is there.
fn look(seat: &Seat, kept: Kept, now: DateTime<Utc>) -> Sharing {
    let mut sharing =
        Sharing { host: seat.host().to_string(), alone: seat.alone().map(str::to_owned), ..Sharing::default() };
    if seat.alone().is_some() {
        return sharing;
    }
    let beat = seat.beat(|entry| (entry.left, entry.pins) = (false, kept.pins));
    let others = seat.others();
    sharing.trouble = match (beat, &others) {
        _ if !seat.is_ours() => {
            Some(format!("somebody has removed {}: start this agent again", seat.folder().lock(seat.host()).display()))
        }
        (Err(error), _) => Some(format!("cannot write {}: {error}", seat.folder().entry(seat.host()).display())),
        (Ok(_), Err(error)) => Some(format!("cannot read {}: {error}", seat.folder().path().display())),
        (Ok(_), Ok(_)) => None,
    };
    sharing.others = others.unwrap_or_default().iter().filter_map(|it| sharer(it, seat.patience(), now)).collect();
    sharing
}

fn sharer(it: &Seen, patience: Duration, now: DateTime<Utc>) -> Option<Sharer> {
    let host = it.host.to_string();
    let pins = it.entry.as_ref().ok().and_then(Option::as_ref).map_or(0, |it| it.pins.len() as u64);
    let sharer = |state, why| Sharer { host, state, pins, last_seen: None, why };
    match standing(it, patience) {
        Standing::Nobody => None,
        Standing::Live => Some(sharer(SharerState::Live, None)),
        Standing::Unclear(why) => Some(sharer(SharerState::Unclear, Some(why.to_owned()))),
        Standing::Away(_) => {
            // To the minute: it is the same at each look.
            let ago = it.silent.and_then(|it| TimeDelta::from_std(it).ok());
            let at = ago.and_then(|it| now.checked_sub_signed(it));
            let last_seen = at.and_then(|it| DateTime::from_timestamp(it.timestamp().div_euclid(60) * 60, 0));
            Some(Sharer { last_seen, ..sharer(SharerState::Away, None) })
        }
    }
}
