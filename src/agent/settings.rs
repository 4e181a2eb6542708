//! What an operator sets for the agent as a whole; its parts have settings of their own, held here.

use crate::admin;
use crate::agent::{
    base_dir,
    execute::fetch::Limits,
    fleet,
    plan::{
        evict::Marks,
        fetch::{Bounds, Terms},
        pace::Windows,
        prune,
    },
    rules, signatures, through,
};
use crate::diskformat::{self, convert};
use crate::remote;
use crate::runtime::schedule::Schedule;
use crate::wire::fleet::Rule;
use chrono::{DateTime, Local, Utc};
use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// The agent's settings, with their defaults. Option names are Nova's and Glance's where the meaning is the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where images come from.
    pub catalogue: remote::Settings,
    /// Where nova keeps its things.
    pub base_dir: base_dir::Settings,
    /// The ages of Nova's `[image_cache]`.
    pub prune: prune::Settings,
    /// How images are made raw, and by what program.
    pub convert: convert::Settings,
    /// Which images are taken; `vmdk_allowed_types` is Nova's too.
    pub rules: diskformat::Rules,
    /// The admin socket.
    pub admin: admin::server::Settings,
    /// The node's place in the fleet, and images that the catalogue loses.
    pub fleet: fleet::Settings,
    /// The read-through endpoint.
    pub through: through::Settings,
    /// `state_path`: the folder of the index (`index.db`) and of the piece lists (`pieces`); must be on a local file system.
    pub state_path: PathBuf,
    /// `force_raw_images` (Nova's): what is not raw is converted.
    pub force_raw_images: bool,
    /// `[libvirt] images_type` (Nova's): with `rbd` nothing is published.
    pub images_type: ImagesType,
    /// `[workarounds] reserve_disk_resource_for_image_cache` (Nova's): nova counts the base directory's blocks as used disk.
    pub counted_by_nova: bool,
    /// Nova's own manager removes bases without an instance that were last used so many seconds ago; none, where it does not.
    pub nova_removes_after: Option<u64>,

    /// `cache_prefetcher_interval` (Glance's), seconds between passes; 0 and -1 switch periodic passes off.
    pub cache_prefetcher_interval: i64,
    /// `prefetch_schedule`: a cron expression; set, it stands in place of the interval.
    pub prefetch_schedule: Option<Schedule>,
    /// `prefetch_on_queue`: what is queued is fetched at once; off, it waits for the next pass.
    pub prefetch_on_queue: bool,
    /// `prefetch_jitter`: a periodic pass begins up to this much later, so that nodes do not all ask at once.
    pub prefetch_jitter: Duration,
    /// `max_concurrent_fetches`: images in work at the same time, 1 to 64.
    pub max_concurrent_fetches: usize,
    /// `allow_unverified`: take images that have neither `os_hash_value` nor `checksum`.
    pub allow_unverified: bool,
    /// Which images must be signed, and whose certificates count.
    pub signatures: signatures::Settings,
    /// `cache_max_size`: bytes on disk that the files of the base directory may take; 0 for no limit.
    pub cache_max_size: u64,
    /// `cache_min_free`: bytes that must stay free at the base directory.
    pub cache_min_free: u64,
    /// When bases go for their room, and how far.
    pub evict: Marks,
    /// `full_disk_wait`: how long a fetch stands still for want of room before it gives back what it has.
    pub full_disk_wait: Duration,
    /// `prefetch_bandwidth`: bytes a second for all fetches together; 0 for no limit.
    pub prefetch_bandwidth: u64,
    /// `prefetch_bandwidth_schedule`: other limits for parts of the day.
    pub prefetch_bandwidth_schedule: Windows,
    /// `io_pressure_limit`: per cent of the time in which tasks wait for disks above which fetches slow down; 0 for never.
    pub io_pressure_limit: u32,
    /// `prefetch_idle_io`: disk accesses of fetches give way to all others.
    pub prefetch_idle_io: bool,
    /// `fetch_idle_timeout`: a server that sends nothing for this long is given up.
    pub fetch_idle_timeout: Duration,
    /// `fetch_cuts`: how often a transfer is picked up again without a byte of progress in between.
    pub fetch_cuts: u32,
    /// `retry_interval`: the wait after the first failure; it doubles with each one.
    pub retry_interval: Duration,
    /// `retry_interval_max`: the longest such wait.
    pub retry_interval_max: Duration,
    /// `refused_retry_interval`: the wait after a failure that time alone does not mend (not found, refused content).
    pub refused_retry_interval: Duration,
    /// `lock_wait`: how long nova may hold the lock of a base before that counts as a failure.
    pub lock_wait: Duration,
    /// `lock_hold`: how long the agent itself holds it, so long as spawns of this image wait for the agent.
    pub lock_hold: Duration,

    /// `[rule:NAME]`: prefetch rules of this node's own, each with its name.
    pub prefetch_rules: Vec<Rule>,

    /// `prune_interval`: seconds between prune passes (Nova's `manager_interval`); 0 and -1 switch them off.
    pub prune_interval: i64,
    /// `prune_schedule`: a cron expression; set, it stands in place of the interval.
    pub prune_schedule: Option<Schedule>,
    /// `scrub_schedule`: a cron expression; all bases are read and compared then. Not set, only when somebody asks.
    pub scrub_schedule: Option<Schedule>,
    /// `scrub_rate`: bytes a second that reading bases takes from the disk; 0 for no limit.
    pub scrub_rate: u64,
    /// `scrub_adopted`: bases without a piece list, such as those that nova fetched, are read once in the background.
    pub scrub_adopted: bool,
    /// `scrub_replace`: a damaged base that nothing uses is removed and fetched again.
    pub scrub_replace: bool,
    /// `schedule_local_time`: cron expressions are in the machine's time zone; otherwise in UTC.
    pub schedule_local_time: bool,
    /// `scan_interval`: the base directory and the instances are looked at at least this often.
    pub scan_interval: Duration,
}

/// Nova's `[libvirt] images_type`: how instance disks are made from a base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImagesType {
    /// By `use_cow_images`.
    #[default]
    Default,
    /// Copies, raw.
    Raw,
    /// The same as `raw`.
    Flat,
    /// Overlays.
    Qcow2,
    /// Logical volumes, filled from the base.
    Lvm,
    /// Clones in Ceph: a base would be imported in full, so there must be none.
    Rbd,
    /// Parallels.
    Ploop,
}

/// Nova has no such `images_type`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an images_type: one of default, raw, flat, qcow2, lvm, rbd, ploop")]
pub struct UnknownImagesType(pub String);

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            catalogue: remote::Settings::default(),
            counted_by_nova: false,
            nova_removes_after: None,
            base_dir: base_dir::Settings::default(),
            prune: prune::Settings::default(),
            convert: convert::Settings::default(),
            rules: diskformat::Rules::default(),
            admin: admin::server::Settings::default(),
            fleet: fleet::Settings::default(),
            through: through::Settings::default(),
            state_path: PathBuf::from("/var/lib/larder"),
            force_raw_images: true,
            images_type: ImagesType::Default,
            cache_prefetcher_interval: 300,
            prefetch_schedule: None,
            prefetch_on_queue: true,
            prefetch_jitter: Duration::from_secs(10),
            max_concurrent_fetches: 2,
            allow_unverified: false,
            signatures: signatures::Settings::default(),
            cache_max_size: 0,
            cache_min_free: 1 << 30,
            evict: Marks::default(),
            full_disk_wait: Duration::from_secs(600),
            prefetch_bandwidth: 0,
            prefetch_bandwidth_schedule: Windows::default(),
            io_pressure_limit: 60,
            prefetch_idle_io: true,
            fetch_idle_timeout: Duration::from_secs(60),
            fetch_cuts: 5,
            retry_interval: Duration::from_secs(30),
            retry_interval_max: Duration::from_secs(3600),
            refused_retry_interval: Duration::from_secs(6 * 3600),
            lock_wait: Duration::from_secs(1800),
            lock_hold: Duration::from_secs(1800),
            prefetch_rules: Vec::new(),
            prune_interval: 2400,
            prune_schedule: None,
            scrub_schedule: None,
            scrub_rate: 100 << 20,
            scrub_adopted: true,
            scrub_replace: true,
            schedule_local_time: false,
            scan_interval: Duration::from_secs(120),
        }
    }
}

impl Settings {
    /// The file of the index.
    pub fn index_path(&self) -> PathBuf {
        self.state_path.join("index.db")
    }

    /// Whether the daemon makes prune passes without being asked.
    pub fn prunes_by_itself(&self) -> bool {
        self.prune_schedule.is_some() || self.prune_interval > 0
    }

    /// The folder of the piece lists.
    pub fn pieces_path(&self) -> PathBuf {
        self.state_path.join("pieces")
    }

    /// What follows rules is told.
    pub(super) fn for_rules(&self) -> rules::Settings {
        rules::Settings {
            rules: self.prefetch_rules.clone(),
            labels: self.fleet.labels.clone(),
            joins: self.fleet.fleet != fleet::Membership::Off,
            force_raw: self.force_raw_images,
            jitter: self.prefetch_jitter,
        }
    }

    /// Why this node gets no bases, if so.
    pub fn idle_because(&self) -> Option<String> {
        (self.images_type == ImagesType::Rbd).then(|| {
            "images_type is rbd: Nova clones disks inside Ceph, and a base here would make it import the whole image \
             for each of them instead"
                .to_owned()
        })
    }

    /// What fetches are held to.
    pub(super) fn limits(&self) -> Limits {
        let convert =
            convert::Settings { keep_free: self.convert.keep_free.max(self.cache_min_free), ..self.convert.clone() };
        Limits {
            terms: Terms {
                allow_unverified: self.allow_unverified,
                force_raw: self.force_raw_images,
                signatures: self.signatures.policy(),
            },
            rules: self.rules.clone(),
            convert,
            bounds: self.bounds(),
            hold_full: self.full_disk_wait,
            idle_io: self.prefetch_idle_io,
            patience: self.fetch_idle_timeout,
            cuts: self.fetch_cuts,
            hold: self.lock_hold,
        }
    }

    /// How much the read-through endpoint keeps, and for how long: unused originals go when unused bases do.
    pub(super) fn originals(&self) -> through::Rules {
        let age = Duration::from_secs(self.prune.remove_unused_original_minimum_age_seconds);
        through::Rules {
            limit: self.through.cache_size,
            min_free: self.cache_min_free,
            until_free: self.evict.until_free,
            max_age: self.prune.remove_unused_base_images.then_some(age),
        }
    }

    /// How much room there may be taken.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { max_size: Some(self.cache_max_size).filter(|it| *it > 0), min_free: self.cache_min_free }
    }

    /// Bytes a second that fetches may take at this time; none for no limit.
    pub(super) fn bandwidth(&self, now: DateTime<Utc>) -> Option<u64> {
        let time = if self.schedule_local_time { now.with_timezone(&Local).time() } else { now.time() };
        self.prefetch_bandwidth_schedule.at(time, self.prefetch_bandwidth)
    }

    /// Names of what differs in `new` and cannot change while the agent runs.
    pub(super) fn fixed(&self, new: &Self) -> Vec<&'static str> {
        let changed = [
            (
                self.base_dir != new.base_dir,
                "the base directory (instances_path, subdirectory_name, libvirt_directories)",
            ),
            (self.state_path != new.state_path, "state_path"),
            (self.admin != new.admin, "the admin socket"),
            (self.through != new.through, "the read-through endpoint (read_through_*)"),
        ];
        changed.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what).collect()
    }

    /// These, but what cannot change as in `old`.
    pub(super) fn with_fixed_of(self, old: &Self) -> Self {
        Self {
            base_dir: old.base_dir.clone(),
            state_path: old.state_path.clone(),
            admin: old.admin.clone(),
            through: old.through.clone(),
            ..self
        }
    }
}

// === impl ImagesType ===

impl ImagesType {
    /// Nova's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Raw => "raw",
            Self::Flat => "flat",
            Self::Qcow2 => "qcow2",
            Self::Lvm => "lvm",
            Self::Rbd => "rbd",
            Self::Ploop => "ploop",
        }
    }
}

impl fmt::Display for ImagesType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ImagesType {
    type Err = UnknownImagesType;

    fn from_str(text: &str) -> Result<Self, UnknownImagesType> {
        [Self::Default, Self::Raw, Self::Flat, Self::Qcow2, Self::Lvm, Self::Rbd, Self::Ploop]
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| UnknownImagesType(text.chars().take(80).collect()))
    }
}
