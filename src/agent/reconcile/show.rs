//! What the loop knows, in the words of the admin socket.

use super::{
    names::Names,
    state::{Full, State},
};
use crate::admin::{self, CachedImage, ImageState, ImageStatus, Priority, Room, Status, Verdict, Why};
use crate::agent::{
    base_dir::own_bytes,
    desired::rules::Wanted,
    index::{How, Known, Origin, Queued, Verified},
    plan::prune::Decision,
};
use crate::base::byte_size::ByteSize;
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::collections::{HashMap, HashSet};

/// Doubts and notes of the last look that the status shows; more are counted.
const DOUBTS: usize = 20;

// === impl State ===

impl State {
    pub(super) fn status(&self) -> Status {
        let queued = self.queue.iter().map(|it| self.queued_status(it));
        let waiting: HashSet<String> = self.queue.iter().map(|it| it.id.base_name()).collect();
        let names = self.names();
        let there = self.known.values().filter(|it| !waiting.contains(&it.base));
        let there = there.map(|it| self.cached_status(it, &names));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            base_directory: self.base_directory.clone(),
            catalogue: self.catalogue.clone(),
            idle_because: self.idle_because.clone(),
            started_at: Some(self.started_at),
            images: queued.chain(there).collect(),
            bases: self.decisions.iter().map(|it| self.verdict(it, &names)).collect(),
            room: self.room(),
            next_prefetch: self.next_prefetch,
            next_prune: self.next_prune,
            next_scrub: self.next_scrub,
            scrubbing: self.scrub.to_message(),
            last_prefetch: self.last_prefetch.clone(),
            last_prune: self.last_prune.clone(),
            last_scrub: self.scrub.last.clone(),
            pace: self.pace.clone(),
            fleet: self.member.borrow().clone(),
            sharing: self.sharing.others.borrow().clone(),
            rules: self.rules(),
            last_check: self.gone.check(),
            read_through: None,
            warnings: self.all_warnings(),
        }
    }

    fn queued_status(&self, it: &Queued) -> ImageStatus {
        let working = self.board.images().remove(&it.id);
        let put_off = self.put_off.get(&it.id);
        let locked = put_off.is_some_and(|it| it.locked_since.is_some());
        let held = put_off.and_then(|it| it.held.as_ref()).map(|it| self.held(it));
        let window = self.ruled.waits(it);
        let base = it.id.base_name();
        let known = self.known.get(&base).and_then(|it| it.name.clone());
        let (name, state) = match (working, &it.last_error) {
            (Some(working), _) => (working.name.or(known), working.state),
            (None, _) if locked => (known, ImageState::WaitingForLock),
            (None, _) if window.is_some() => (known, ImageState::Held { why: window.unwrap_or_default() }),
            (None, _) if held.is_some() => (known, ImageState::Held { why: held.unwrap_or_default() }),
            (None, Some(why)) => {
                let retry_at = it.retry_at.filter(|_| self.idle_because.is_none());
                (known, ImageState::Failed { why: why.clone(), attempts: it.attempts, retry_at })
            }
            (None, None) => (known, ImageState::Queued { since: it.since }),
        };
        let (pinned, waited_for) = (self.is_pinned(&it.id), self.waited_for.contains(&it.id));
        let (name, rules, pinned_by_rule) = self.of_rules(&it.id, name);
        let id = Some(it.id.clone());
        ImageStatus { id, base, name, state, priority: it.priority, pinned, rules, pinned_by_rule, waited_for }
    }

    fn cached_status(&self, it: &Known, names: &Names<'_>) -> ImageStatus {
        let id = names.of(&it.base);
        let pinned = id.as_ref().is_some_and(|id| self.is_pinned(id));
        let (name, rules, pinned_by_rule) =
            id.map_or_else(|| (it.name.clone(), Vec::new(), false), |id| self.of_rules(&id, it.name.clone()));
        ImageStatus {
            id: it.id.clone(),
            base: it.base.clone(),
            name,
            state: ImageState::Cached,
            priority: Priority::default(),
            pinned,
            rules,
            pinned_by_rule,
            waited_for: false,
        }
    }

    fn held(&self, it: &Full) -> String {
        match self.evictable {
            Some(able) if it.missing.bytes > able => format!(
                "{}; it lacks {}, and removing all that may go would free {}",
                it.why,
                ByteSize(it.missing.bytes),
                ByteSize(able)
            ),
            _ => it.why.clone(),
        }
    }

    fn verdict(&self, it: &Decision, names: &Names<'_>) -> Verdict {
        let id = names.of(it.name());
        let pinned = id.as_ref().is_some_and(|id| self.is_pinned(id));
        let verified = self.known.get(it.name()).and_then(|it| it.verified.as_ref()).map(Verified::to_message);
        let rules = id.as_ref().and_then(|id| self.ruled.wanted(id)).map(Wanted::rules).unwrap_or_default();
        let mut verdict = admin::Verdict { pinned, rules, verified, ..it.to_message(id) };
        self.say_if_gone(&mut verdict);
        verdict
    }

    /// A base whose image the catalogue has no more says so.
    pub(super) fn say_if_gone(&self, it: &mut Verdict) {
        let Some(at) = self.known.get(&it.base).and_then(|it| it.gone_at) else { return };
        it.gone = true;
        it.why.push_str(&format!(
            "; the catalogue has its image no more (seen at {}): it cannot be fetched again",
            moment(at)
        ));
    }

    /// Those that instances use, in one warning.
    fn irreplaceable(&self) -> Option<String> {
        let gone = |it: &&Decision| it.in_use && self.known.get(it.name()).is_some_and(|it| it.gone_at.is_some());
        let names: Vec<&str> = self.decisions.iter().filter(gone).map(Decision::name).collect();
        (!names.is_empty()).then(|| {
            format!(
                "{} in use whose images the catalogue has no more: {}; they are kept, and cannot be fetched again",
                if names.len() == 1 {
                    "there is a base".to_owned()
                } else {
                    format!("there are {} bases", names.len())
                },
                names[..names.len().min(DOUBTS)].join(", ")
            )
        })
    }

    fn room(&self) -> Room {
        let Some(look) = &self.look else { return Room::default() };
        Room {
            used: own_bytes(&look.bases),
            free: look.space.free,
            total: look.space.total,
            limit: self.bounds.max_size,
            promised: self.ledger.promised(),
            disk_growth: look.in_use.disk_growth,
            counted_by_nova: self.counted_by_nova,
        }
    }

    fn all_warnings(&self) -> Vec<String> {
        let mut all = self.warnings.all();
        all.extend(self.irreplaceable());
        if let Some(look) = &self.look {
            let doubts = look.in_use.doubts.iter().map(|it| &it.why);
            all.extend(doubts.chain(&look.in_use.notes).take(DOUBTS).cloned());
            let more = (look.in_use.doubts.len() + look.in_use.notes.len()).saturating_sub(DOUBTS);
            if more > 0 {
                all.push(format!("and {more} more doubts and notes about the instances, see the log"));
            }
        }
        all
    }

    /// The images that are there, by base.
    pub(super) fn cached(&self) -> Vec<CachedImage> {
        let files: HashMap<&str, _> =
            self.look.iter().flat_map(|it| &it.bases).map(|it| (it.name.as_str(), it)).collect();
        let cached = self.known.values().map(|it| {
            let file = files.get(it.base.as_str());
            CachedImage {
                image_id: it.id.as_ref().map_or_else(|| it.base.clone(), ImageId::to_string),
                last_accessed: it.last_used.map_or(0.0, seconds),
                last_modified: file.map_or_else(|| seconds(it.since), |it| seconds(it.mtime)),
                size: file.map_or(0, |it| it.size),
                hits: it.hits,
                checksum: it.checksum.clone(),
            }
        });
        cached.collect()
    }

    /// All that is known about one image, as sentences too.
    pub(super) fn why(&self, id: &ImageId) -> Why {
        let (base, names) = (id.base_name(), self.names());
        let (queued, known) = (self.queued(id), self.known.get(&base));
        let status = queued.map(|it| self.queued_status(it)).or_else(|| known.map(|it| self.cached_status(it, &names)));
        let verdict = self.decisions.iter().find(|it| it.name() == base).map(|it| self.verdict(it, &names));
        let evidence: Vec<String> =
            self.look.iter().flat_map(|it| it.in_use.evidence(&base)).map(ToString::to_string).collect();
        let mut story = Vec::new();
        if let Some(known) = known {
            story.push(history(known));
            story.extend(known.verified.as_ref().map(comparison));
        }
        if let Some(queued) = queued {
            story.extend(waiting(queued, self.idle_because.as_deref()));
        }
        if let Some(why) = self.gone.images.get(id) {
            story.push(format!("The catalogue has it no more: {why}. Its base goes when nothing uses it."));
        } else if let Some(at) = known.and_then(|it| it.gone_at) {
            story.push(format!("The catalogue had it no more at {}.", moment(at)));
        }
        if self.is_pinned(id) {
            story.push("It is pinned: never pruned, and fetched again when it is gone.".to_owned());
        }
        story.extend(self.told_by_rules(id));
        if self.waited_for.contains(id) {
            story.push(
                "Another process waits for its lock, such as nova-compute that starts an instance: it goes first."
                    .to_owned(),
            );
        }
        if let Some(status) = &status {
            story.push(format!("Now: {}.", words(&status.state)));
        }
        match &verdict {
            Some(verdict) => {
                story.push(format!("Its base {base} takes {} bytes on disk; {}.", verdict.allocated, verdict.why))
            }
            None if known.is_none() => story.push(format!("There is no base {base} in {}.", self.base_directory)),
            None => {}
        }
        story.extend(evidence.iter().map(|it| format!("In use: {it}.")));
        if queued.is_none() && known.is_none() {
            story.push("It is not queued; `larder cache queue-image` asks for it.".to_owned());
        }
        Why { id: id.clone(), base, status, verdict, evidence, story }
    }
}

fn history(it: &Known) -> String {
    let since = moment(it.since);
    match (it.origin, &it.hash_algorithm) {
        (Origin::Fetched, Some(algorithm)) => {
            format!(
                "This agent fetched it at {since} and verified its {algorithm}; found in use {} times since.",
                it.hits
            )
        }
        (Origin::Fetched, None) => format!("This agent fetched it at {since}, unverified: it has no hash."),
        (Origin::Adopted, _) => {
            let compared = it.verified.is_some();
            let end = if compared { "." } else { "; it was not verified here." };
            format!("The base was there at {since}, fetched by nova or before the index{end}")
        }
    }
}

fn comparison(it: &Verified) -> String {
    let at = moment(it.at);
    if let Some(damage) = &it.damage {
        return format!("DAMAGED, found at {at}: {damage}.");
    }
    match it.how {
        How::Fetched => format!("The BLAKE3 of its pieces was noted when it was fetched, at {at}."),
        How::Catalogue => format!("All of it was read at {at}: it has the image's hash, and its pieces were noted."),
        How::FirstSeen => format!("All of it was read for the first time at {at}, and its pieces were noted."),
        How::Scrubbed => format!("All of it was read at {at}, and its pieces are what they were."),
    }
}

fn waiting(it: &Queued, idle_because: Option<&str>) -> Vec<String> {
    let priority = if it.priority.is_normal() { String::new() } else { format!(" with priority {}", it.priority) };
    let mut story = vec![format!("It is queued since {}{priority}.", moment(it.since))];
    if let Some(why) = &it.last_error {
        let times = if it.attempts == 1 { "once".to_owned() } else { format!("{} times", it.attempts) };
        story.push(format!("Fetching it has failed {times}, the last time because: {why}."));
    }
    if let Some(why) = idle_because {
        story.push(format!("Nothing is fetched on this node: {why}."));
    } else if let Some(at) = it.retry_at {
        story.push(format!("It is tried again at {}.", moment(at)));
    }
    story
}

fn words(state: &ImageState) -> String {
    match state {
        ImageState::Queued { .. } => "waits for its turn".to_owned(),
        ImageState::WaitingForLock => "waits for nova, which holds the lock of its base".to_owned(),
        ImageState::Held { why } => format!("held: {why}"),
        ImageState::Fetching { done, total: Some(total), .. } => format!("being fetched, {done} of {total} bytes"),
        ImageState::Fetching { done, total: None, .. } => format!("being fetched, {done} bytes"),
        ImageState::Verifying => "being verified".to_owned(),
        ImageState::Converting { done, total } => format!("being made raw, {done} of {total} bytes"),
        ImageState::Cached => "cached".to_owned(),
        ImageState::Failed { .. } => "failed".to_owned(),
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

// === impl Verified ===

impl Verified {
    fn to_message(&self) -> admin::Verified {
        let (damage, blake3) = (self.damage.clone(), self.blake3.clone());
        admin::Verified { at: self.at, how: self.how.as_str().to_owned(), damage, blake3 }
    }
}
