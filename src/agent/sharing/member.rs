//! The task: signs of life, what is said of us, who else is there.

use super::{Kept, answer::answer, registry};
use crate::admin::{Sharer, SharerState, Sharing};
use crate::agent::{
    base_dir::BaseDir,
    plan::fetch::Ledger,
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
    /// Room that fetches have been promised.
    pub(in crate::agent) ledger: Ledger,
    /// From the loop.
    pub(in crate::agent) kept: watch::Receiver<Kept>,
    /// For the status.
    pub(in crate::agent) view: watch::Sender<Sharing>,
}

/// So often nova's registry is written, as nova-compute does (`manager_interval`).
const REGISTER: Duration = Duration::from_secs(2400);
/// So often it is looked whether somebody asks, while there are others.
const LISTEN: Duration = Duration::from_millis(500);
/// A file server that is away keeps the task waiting, but not the program from ending.
const LAST: Duration = Duration::from_secs(5);

// === impl Parts ===

impl Parts {
    /// Works until `shutdown`.
    pub(in crate::agent) async fn run(mut self, shutdown: CancellationToken) {
        let every = (self.dir.seat().patience() / 6).clamp(Duration::from_millis(100), Duration::from_secs(10));
        let mut registered: Option<Instant> = None;
        let mut answered = String::new();
        loop {
            if registered.is_none_or(|at| at.elapsed() >= REGISTER) {
                self.register(&shutdown).await;
                registered = Some(Instant::now());
            }
            let kept = self.kept.borrow_and_update().clone();
            let seat = Arc::clone(self.dir.seat());
            let ledger = self.ledger.clone();
            let round = tokio::task::spawn_blocking(move || look(&seat, kept, &ledger, Utc::now()));
            let looked = tokio::select! {
                looked = round => looked,
                () = async { shutdown.cancelled().await; sleep(LAST).await } => return,
            };
            let others = looked.is_ok_and(|sharing| self.tell(sharing));
            let next = Instant::now() + every;
            while Instant::now() < next {
                let listen = every.min(if others { LISTEN } else { every });
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    Ok(()) = self.kept.changed() => break,
                    () = sleep(listen) => {}
                }
                if others && let Some(id) = self.listen(&answered).await {
                    answered = id;
                }
            }
        }
    }

    /// Nova-computes of other hosts, too, are to know that this one uses the directory, and that those do which are away:
    /// their instances' disks are there.
    async fn register(&self, shutdown: &CancellationToken) {
        let seat = Arc::clone(self.dir.seat());
        let away = tokio::task::spawn_blocking(move || away(&seat)).await.unwrap_or_default();
        let hosts: Vec<String> = std::iter::once(self.dir.seat().host().to_string()).chain(away).collect();
        let entered = timeout(LAST * 4, registry::enter(&self.dir, &hosts, Utc::now(), shutdown)).await;
        match entered {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("{}", chain(&error)),
            Err(_) => tracing::warn!("nova's registry of hosts could not be written in time"),
        }
    }

    /// Answers what is asked, but for the question that was answered last; which one it was.
    async fn listen(&self, last: &str) -> Option<String> {
        let (dir, kept, last) = (Arc::clone(&self.dir), self.kept.borrow().clone(), last.to_owned());
        let step = move || {
            let question = dir.seat().asked(&last)?;
            let answer = answer(&dir, &question, &kept, Utc::now());
            if let Err(error) = dir.seat().answer(&answer) {
                tracing::warn!(host = %question.host, %error, "cannot answer what may be removed: nothing is");
                return None;
            }
            tracing::debug!(host = %question.host, keeps = answer.keeps.len(), "answered what may be removed");
            Some(question.id)
        };
        tokio::task::spawn_blocking(step).await.ok().flatten()
    }

    /// Whether there are others.
    fn tell(&self, new: Sharing) -> bool {
        let others = !new.others.is_empty();
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
        others
    }
}

/// One round: a sign of life, and who else is there.
fn look(seat: &Seat, kept: Kept, ledger: &Ledger, now: DateTime<Utc>) -> Sharing {
    let mut sharing =
        Sharing { host: seat.host().to_string(), alone: seat.alone().map(str::to_owned), ..Sharing::default() };
    if seat.alone().is_some() {
        return sharing;
    }
    seat.spare();
    let beat = seat.beat(|entry| (entry.left, entry.pins, entry.promised) = (false, kept.pins, ledger.promised()));
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

fn away(seat: &Seat) -> Vec<String> {
    let others = seat.others().unwrap_or_default();
    let away = others.iter().filter(|it| matches!(standing(it, seat.patience()), Standing::Away(_)));
    away.map(|it| it.host.to_string()).collect()
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
