//! When the catalogue is asked, and what the loop hears of it.

use super::{
    ask::{Answer, ask},
    believe::{Suspects, Verdict, believe},
};
use crate::admin::{Check, ImageState, Status};
use crate::agent::{
    fleet::{Settings, hints::Hints},
    index::{Fact, Index},
    reconcile::{Command, Presence},
};
use crate::base::chain;
use crate::image::ImageId;
use crate::remote::Catalogue;
use chrono::{TimeDelta, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// What the watch is made of.
#[derive(Debug)]
pub(in crate::agent::fleet) struct Watch {
    pub(in crate::agent::fleet) settings: watch::Receiver<Settings>,
    pub(in crate::agent::fleet) status: watch::Receiver<Arc<Status>>,
    pub(in crate::agent::fleet) catalogue: watch::Receiver<Catalogue>,
    pub(in crate::agent::fleet) commands: mpsc::Sender<Command>,
    pub(in crate::agent::fleet) index: Index,
    pub(in crate::agent::fleet) hints: Arc<Hints>,
}

/// The first pass begins up to this much after the start; nodes do not all start at once, but some do.
const FIRST: Duration = Duration::from_secs(60);
/// Changes come in bursts.
const BURST: Duration = Duration::from_millis(300);
/// Nodes that lost the feed together do not ask together.
const SPREAD: Duration = Duration::from_secs(3);
/// Never asked more often, by the clock.
const SHORTEST: Duration = Duration::from_secs(1);

struct Passes {
    it: Watch,
    suspects: Option<Suspects>,
    /// The feed named them, and they were gone.
    told: BTreeSet<ImageId>,
    /// The catalogue did not answer the last time.
    is_away: bool,
}

/// Asks until `shutdown`.
pub(in crate::agent::fleet) async fn watch(it: Watch, shutdown: CancellationToken) {
    let kept = it.index.fact(Fact::Suspects).await.ok().flatten();
    let suspects = kept.and_then(|text| serde_json::from_str(&text).ok());
    let mut passes = Passes { it, suspects, told: BTreeSet::new(), is_away: false };
    let mut settings = passes.it.settings.clone();
    let first = settings.borrow().catalogue_check_interval.min(FIRST).mul_f64(rand::random());
    let mut next = Instant::now() + first;
    loop {
        let interval = settings.borrow().catalogue_check_interval;
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = passes.it.hints.rung() => {
                sleep(BURST).await;
                let waiting = passes.it.hints.take();
                if waiting.all {
                    next = Instant::now() + SPREAD.mul_f64(rand::random());
                    // The clock of passes may be off, and this one is due all the same.
                    if interval.is_zero() {
                        sleep_until(next).await;
                        passes.all().await;
                    }
                } else {
                    passes.named(waiting.images).await;
                }
            }
            () = sleep_until(next), if !interval.is_zero() => {
                passes.all().await;
                next = Instant::now() + interval.max(SHORTEST).mul_f64(0.9 + 0.2 * rand::random::<f64>());
            }
            Ok(()) = settings.changed() => {}
        }
    }
}

// === impl Passes ===

impl Passes {
    /// Images whose bases are here.
    fn held(&self) -> BTreeSet<ImageId> {
        let status = self.it.status.borrow();
        let cached = status.images.iter().filter(|it| it.state == ImageState::Cached);
        cached.filter_map(|it| it.id.clone()).collect()
    }

    async fn ask(&mut self, images: &BTreeSet<ImageId>) -> Result<Answer, String> {
        let catalogue = self.it.catalogue.borrow().clone();
        let answer = ask(&catalogue, images).await;
        let result = if answer.is_ok() { "answered" } else { "unknown" };
        metrics::counter!("larder_catalogue_checks_total", "result" => result).increment(1);
        if answer.is_err() {
            self.is_away = true;
        } else if std::mem::take(&mut self.is_away) {
            self.it.hints.back.notify_one();
        }
        answer.map_err(|error| chain(&error).to_string())
    }

    /// The feed said that something happened to these.
    async fn named(&mut self, images: BTreeSet<ImageId>) {
        let held = self.held();
        let images: BTreeSet<ImageId> = images.into_iter().filter(|it| held.contains(it)).collect();
        if images.is_empty() {
            return;
        }
        match self.ask(&images).await {
            Ok(answer) => {
                self.told.extend(answer.gone.keys().cloned());
                self.tell(answer.gone, answer.there, None).await;
            }
            // The next pass asks about all.
            Err(why) => tracing::debug!("cannot tell whether the catalogue has {} images: {why}", images.len()),
        }
    }

    async fn all(&mut self) {
        let held = self.held();
        self.told.retain(|it| held.contains(it));
        if held.is_empty() {
            return;
        }
        let check = Check { at: Utc::now(), there: 0, gone: 0, doubted: 0, why: None };
        let Answer { there, mut gone } = match self.ask(&held).await {
            Ok(answer) => answer,
            Err(why) => {
                let check = Check { why: Some(why), ..check };
                return self.tell(BTreeMap::new(), BTreeSet::new(), Some(check)).await;
            }
        };
        self.told.retain(|it| !there.contains(it));
        let untold: BTreeSet<ImageId> = gone.keys().filter(|it| !self.told.contains(*it)).cloned().collect();
        let wait = TimeDelta::from_std(self.it.settings.borrow().mass_removal_wait).unwrap_or(TimeDelta::MAX);
        let (count, of) = (untold.len(), held.len().saturating_sub(self.told.len()));
        match believe(of, untold, self.suspects.clone(), Utc::now(), wait) {
            Verdict::Gone(believed) => {
                gone.retain(|it, _| believed.contains(it) || self.told.contains(it));
                if believed.len() == count {
                    self.suspect(None).await;
                }
            }
            Verdict::Held(suspects) => {
                self.say_held(&suspects, count, of).await;
                self.suspect(Some(suspects)).await;
                gone.retain(|it, _| self.told.contains(it));
            }
        }
        let (there_now, gone_now) = (there.len() as u64, gone.len() as u64);
        let doubted = held.len() as u64 - there_now - gone_now;
        let check = Check { there: there_now, gone: gone_now, doubted, ..check };
        self.tell(gone, there, Some(check)).await;
    }

    async fn say_held(&self, suspects: &Suspects, count: usize, of: usize) {
        let known = self.suspects.as_ref().is_some_and(|it| it.since == suspects.since);
        if known {
            return;
        }
        let until = TimeDelta::from_std(self.it.settings.borrow().mass_removal_wait)
            .ok()
            .and_then(|wait| suspects.since.checked_add_signed(wait))
            .map_or_else(|| "never by itself".to_owned(), |at| at.format("after %Y-%m-%d %H:%M UTC").to_string());
        let text = format!(
            "the catalogue has {count} of {of} cached images no more, all at once: their bases stay, in case it is another \
             catalogue or a lost database; if that is so still, they go {until} (mass_removal_wait), or remove them by \
             `larder cache delete-cached-image`"
        );
        let _ = self.it.commands.send(Command::Warn(text)).await;
    }

    async fn suspect(&mut self, suspects: Option<Suspects>) {
        if suspects == self.suspects {
            return;
        }
        let text = suspects.as_ref().and_then(|it| serde_json::to_string(it).ok());
        if let Err(error) = self.it.index.set_fact(Fact::Suspects, text).await {
            tracing::warn!(error = %chain(&error), "cannot note which images are missed");
        }
        self.suspects = suspects;
    }

    async fn tell(&self, gone: BTreeMap<ImageId, String>, there: BTreeSet<ImageId>, check: Option<Check>) {
        let _ = self.it.commands.send(Command::Presence(Presence { gone, there, check })).await;
    }
}
