//! When the catalogue is asked, and what the loop hears of it.

use super::{Bell, Settings, list, list::ListError};
use crate::admin::Status;
use crate::agent::{
    desired::rules::{Followed, Found},
    index::{Fact, Index},
    reconcile::Command,
};
use crate::base::chain;
use crate::remote::Catalogue;
use crate::wire::fleet::RuleSet;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// What follows rules.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Follower {
    pub(in crate::agent) settings: watch::Receiver<Settings>,
    /// The rules of the centre, as they were read last.
    pub(in crate::agent) centre: watch::Receiver<RuleSet>,
    pub(in crate::agent) catalogue: watch::Receiver<Catalogue>,
    pub(in crate::agent) bell: Arc<Bell>,
    pub(in crate::agent) commands: mpsc::Sender<Command>,
    pub(in crate::agent) index: Index,
}

/// What the loop is told.
#[derive(Debug)]
pub(in crate::agent) struct News {
    /// The rules that hold from now on.
    pub(in crate::agent) rules: Vec<Followed>,
    /// What was found for them; none when nobody asked, and an error when that is not known.
    pub(in crate::agent) found: Option<Result<Found, String>>,
    /// A pass waits for it.
    pub(in crate::agent) pass: bool,
}

/// Changes come in bursts, and nodes that hear of them together do not ask together.
const BURST: Duration = Duration::from_millis(500);
const SPREAD: Duration = Duration::from_secs(2);
/// After a listing the next one waits so many times as long as it took, within these bounds.
const RATIO: u32 = 5;
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The longest wait for a look at the disk.
const LOOK: Duration = Duration::from_secs(60);
/// The waits after failures.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);

/// The rules and images that the index has from before; what cannot be read is as good as not there.
pub(in crate::agent) async fn known(index: &Index) -> (RuleSet, Found) {
    let rules = index.fact(Fact::Rules).await.ok().flatten();
    let found = index.fact(Fact::Found).await.ok().flatten();
    let rules = rules.and_then(|text| serde_json::from_str(&text).ok());
    (rules.unwrap_or_default(), found.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Follows until `shutdown`.
pub(in crate::agent) async fn follow(mut it: Follower, shutdown: CancellationToken) {
    let mut listing = JoinSet::new();
    let mut rules = it.rules();
    let jitter = it.settings.borrow().jitter.mul_f64(rand::random());
    let mut due = Some(Instant::now() + jitter).filter(|_| !rules.is_empty());
    let (mut rested, mut failures, mut pass, mut found_some) = (Instant::now(), 0_u32, false, true);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Ok(()) = it.settings.changed() => {}
            Ok(()) = it.centre.changed() => {}
            Ok(()) = it.catalogue.changed() => due = sooner(due, rested),
            () = it.bell.heard() => {
                pass |= it.bell.take_pass();
                due = sooner(due, rested);
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && listing.is_empty() => {
                due = None;
                it.begin(&mut listing, rules.clone(), found_some);
            }
            Some(ended) = listing.join_next(), if !listing.is_empty() => {
                let Ok((took, result)) = ended else { continue };
                rested = Instant::now() + (took * RATIO).clamp(REST.0, REST.1);
                failures = if result.is_ok() { 0 } else { failures.saturating_add(1) };
                if failures > 0 {
                    let wait = FIRST.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST);
                    due = Some(Instant::now() + wait.mul_f64(0.8 + 0.4 * rand::random::<f64>()));
                }
                found_some = result.as_ref().map_or(found_some, |it| !it.images.is_empty());
                let found = Some(result.map_err(|error| chain(&error).to_string()));
                it.tell(News { rules: rules.clone(), found, pass: std::mem::take(&mut pass) }).await;
            }
        }
        let now = it.rules();
        if now != rules {
            // What holds, holds at once; what a listing for other rules finds is of no use.
            listing.abort_all();
            while listing.join_next().await.is_some() {}
            (rules, failures) = (now, 0);
            due = sooner(None, rested);
            it.tell(News { rules: rules.clone(), found: None, pass: false }).await;
        }
        if rules.is_empty() {
            (due, pass) = (None, false);
        }
    }
}

/// The next listing: soon, but not before the catalogue had its rest.
fn sooner(due: Option<Instant>, rested: Instant) -> Option<Instant> {
    let soon = (Instant::now() + BURST + SPREAD.mul_f64(rand::random())).max(rested);
    Some(due.map_or(soon, |it| it.min(soon)))
}

// === impl Follower ===

impl Follower {
    fn rules(&self) -> Vec<Followed> {
        self.settings.borrow().follow(&self.centre.borrow())
    }

    /// One listing for one pass, without following; the loop hears of it once it has looked at the disk.
    pub(in crate::agent) async fn once(&self, status: &mut watch::Receiver<Arc<Status>>) {
        let rules = self.rules();
        if rules.is_empty() {
            return;
        }
        let found = self.list(&rules, true).await.map_err(|error| chain(&error).to_string());
        // Without a look nobody knows what is there; the pass says then what is the matter.
        let _ = timeout(LOOK, status.wait_for(|it| it.room.total > 0)).await;
        self.tell(News { rules, found: Some(found), pass: false }).await;
    }

    fn begin(&self, listing: &mut JoinSet<(Duration, Result<Found, ListError>)>, rules: Vec<Followed>, doubt: bool) {
        let it = self.clone();
        listing.spawn(async move {
            let start = Instant::now();
            let result = it.list(&rules, doubt).await;
            (start.elapsed(), result)
        });
    }

    async fn list(&self, rules: &[Followed], doubt: bool) -> Result<Found, ListError> {
        let (catalogue, force_raw) = (self.catalogue.borrow().clone(), self.settings.borrow().force_raw);
        let used: BTreeSet<String> = match self.index.uses().await {
            Ok(uses) => uses.bases.into_keys().collect(),
            Err(_) => BTreeSet::new(),
        };
        let result = list(&catalogue, rules, &used, force_raw, doubt).await;
        let label = if result.is_ok() { "listed" } else { "failed" };
        metrics::counter!("larder_rule_listings_total", "result" => label).increment(1);
        result
    }

    async fn tell(&self, news: News) {
        let _ = self.commands.send(Command::Rules(Box::new(news))).await;
    }
}
