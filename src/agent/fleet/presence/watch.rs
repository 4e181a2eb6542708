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

const EMPTY: &str = "it lists no image at all: it may be another catalogue, or its database is lost";

struct Passes {
    it: Watch,
    suspects: Option<Suspects>,
    /// The feed named them, and they were gone.
    told: BTreeSet<ImageId>,
    /// The catalogue did not answer the last time, or has lost everything.
    is_away: bool,
    /// The latter, and it was said.
    says_empty: bool,
}

/// Asks until `shutdown`.
pub(in crate::agent::fleet) async fn watch(it: Watch, shutdown: CancellationToken) {
    let kept = it.index.fact(Fact::Suspects).await.ok().flatten();
    let suspects = kept.and_then(|text| serde_json::from_str(&text).ok());
    let mut passes = Passes { it, suspects, told: BTreeSet::new(), is_away: false, says_empty: false };
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
        let result = if answer.as_ref().is_ok_and(|it| !it.is_empty) { "answered" } else { "unknown" };
        metrics::counter!("larder_catalogue_checks_total", "result" => result).increment(1);
        if answer.as_ref().map_or(true, |it| it.is_empty) {
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
            Ok(answer) if answer.is_empty => tracing::debug!("the catalogue lists no image at all"),
            Ok(answer) => {
                self.told.extend(answer.gone.keys().cloned());
                self.tell(Presence { gone: answer.gone, there: answer.there, held: None, check: None }).await;
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
        let check = Check { at: Utc::now(), there: 0, gone: 0, doubted: 0, why: None, held: Vec::new() };
        let Answer { there, mut gone, is_empty } = match self.ask(&held).await {
            Ok(answer) => answer,
            Err(why) => {
                let check = Some(Check { why: Some(why), ..check });
                let (gone, there) = (BTreeMap::new(), BTreeSet::new());
                return self.tell(Presence { gone, there, held: None, check }).await;
            }
        };
        self.told.retain(|it| !there.contains(it));
        let known = self.known_gone();
        let is_sure = |it: &ImageId| self.told.contains(it) || known.contains(it);
        let untold: BTreeSet<ImageId> = gone.keys().filter(|it| !is_sure(it)).cloned().collect();
        let of = held.iter().filter(|it| !is_sure(it)).count();
        let believed = if is_empty { BTreeSet::new() } else { self.believe(of, untold.clone()).await };
        let doubted: BTreeMap<ImageId, String> = untold
            .iter()
            .filter(|it| !believed.contains(*it))
            .filter_map(|it| Some((it.clone(), gone.remove(it)?)))
            .collect();
        let why = is_empty.then(|| EMPTY.to_owned());
        if is_empty && !doubted.is_empty() {
            self.say_empty(doubted.len()).await;
        }
        self.says_empty = is_empty;
        let check = Check { there: there.len() as u64, gone: gone.len() as u64, why, ..check };
        self.tell(Presence { gone, there, held: Some(doubted), check: Some(check) }).await;
    }

    /// Images that were believed to be gone before, and whose bases are here still.
    fn known_gone(&self) -> BTreeSet<ImageId> {
        let status = self.it.status.borrow();
        status.bases.iter().filter(|it| it.gone).filter_map(|it| it.id.clone()).collect()
    }

    /// Which of the missed images, of so many, are believed to be gone.
    async fn believe(&mut self, of: usize, missed: BTreeSet<ImageId>) -> BTreeSet<ImageId> {
        let wait = TimeDelta::from_std(self.it.settings.borrow().mass_removal_wait).unwrap_or(TimeDelta::MAX);
        let count = missed.len();
        match believe(of, missed, self.suspects.clone(), Utc::now(), wait) {
            Verdict::Gone(believed) => {
                if believed.len() == count {
                    self.suspect(None).await;
                }
                believed
            }
            Verdict::Held(suspects) => {
                self.say_held(&suspects, count, of).await;
                self.suspect(Some(suspects)).await;
                BTreeSet::new()
            }
        }
    }

    /// Once, as long as it stays so.
    async fn say_empty(&self, count: usize) {
        if !self.says_empty {
            let text = format!(
                "the catalogue has none of {count} cached images, and no other: their bases stay, in case it is another catalogue \
                 or a lost database; if it is right, say so by `larder cache confirm-gone`"
            );
            let _ = self.it.commands.send(Command::Warn(text)).await;
        }
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
             catalogue or a lost database; if that is so still, they go {until} (mass_removal_wait), or when you say so by \
             `larder cache confirm-gone`"
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

    async fn tell(&self, presence: Presence) {
        let _ = self.it.commands.send(Command::Presence(presence)).await;
    }
}
