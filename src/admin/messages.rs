//! What goes over the admin socket.

use super::{Check, Member, Priority, ReadThrough, Rules, Sharing};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What the agent is doing now; the one status that socket, metrics and log show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// Where the bases are, such as `/var/lib/nova/instances/_base`.
    pub base_directory: String,
    /// The catalogue that images come from.
    pub catalogue: String,
    /// Why nothing is published here (`images_type = rbd`), if so.
    pub idle_because: Option<String>,
    /// When the process started.
    pub started_at: Option<DateTime<Utc>>,
    /// Queued, in work, failed and cached images, in the order of the queue, then by name of the base.
    pub images: Vec<ImageStatus>,
    /// Every file of the base directory with its verdict.
    pub bases: Vec<Verdict>,
    /// Space at the base directory.
    pub room: Room,
    /// When the next prefetch pass begins.
    pub next_prefetch: Option<DateTime<Utc>>,
    /// When the next prune pass begins.
    pub next_prune: Option<DateTime<Utc>>,
    /// When the next scrub pass begins.
    #[serde(default)]
    pub next_scrub: Option<DateTime<Utc>>,
    /// What is being read and compared now.
    #[serde(default)]
    pub scrubbing: Option<Scrubbing>,
    /// The newest passes' results.
    pub last_prefetch: Option<Pass>,
    /// Likewise.
    pub last_prune: Option<Pruned>,
    /// Likewise; only the bases that are not good are named.
    #[serde(default)]
    pub last_scrub: Option<Scrubbed>,
    /// What slows fetches down now, if anything: a limit on the bandwidth, or the pressure on the disks.
    #[serde(default)]
    pub pace: Option<String>,
    /// The node's place in the fleet that the catalogue keeps.
    #[serde(default)]
    pub fleet: Member,
    /// Who shares the base directory.
    #[serde(default)]
    pub sharing: Sharing,
    /// The prefetch rules that hold here.
    #[serde(default)]
    pub rules: Rules,
    /// The newest answer to the question which cached images the catalogue has.
    #[serde(default)]
    pub last_check: Option<Check>,
    /// The read-through endpoint; none when it is off.
    #[serde(default)]
    pub read_through: Option<ReadThrough>,
    /// Things an operator should know: adopted files, unreadable disks, what could not be done.
    pub warnings: Vec<String>,
}

/// One image on this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageStatus {
    /// The image's id; none for a base whose image is not known (nova fetched it, or the index was lost).
    pub id: Option<ImageId>,
    /// The file in the base directory: 40 hex digits.
    pub base: String,
    /// The image's name at the centre, when known.
    pub name: Option<String>,
    /// How urgent it is, while it is queued.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// Pinned by an operator: never pruned, and fetched again when it is gone.
    #[serde(default)]
    pub pinned: bool,
    /// The prefetch rules that want it, the most urgent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// One of them pins it: never pruned while the rule finds it.
    #[serde(default)]
    pub pinned_by_rule: bool,
    /// Another process waits for the lock of its base, such as nova-compute that starts an instance.
    #[serde(default)]
    pub waited_for: bool,
    /// What is done with it now.
    #[serde(flatten)]
    pub state: ImageState,
}

/// The states of an image on a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ImageState {
    /// Waits for a free place.
    Queued {
        /// When it was asked for.
        since: DateTime<Utc>,
    },
    /// Another process (nova) holds the lock of this base.
    WaitingForLock,
    /// It stands still, and goes on by itself: there is no room, or a more urgent one goes first.
    Held {
        /// What it waits for.
        why: String,
    },
    /// Bytes are coming in, hashed on the way.
    Fetching {
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: Option<u64>,
        /// Bytes a second, over the last seconds.
        rate: u64,
    },
    /// The hash is being compared and the content inspected.
    Verifying,
    /// Being made raw.
    Converting {
        /// Bytes of the result so far.
        done: u64,
        /// Its length.
        total: u64,
    },
    /// There and verified.
    Cached,
    /// It did not work; it is tried again.
    Failed {
        /// What happened, to which image, and what to do.
        why: String,
        /// How often it has failed since it was queued.
        attempts: u32,
        /// When it is tried again; none when it is of no use before something changes.
        retry_at: Option<DateTime<Utc>>,
    },
}

/// Why a file of the base directory stays or goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The file's name.
    pub base: String,
    /// The image it is the base of, when known.
    pub id: Option<ImageId>,
    /// Its length, bytes.
    pub size: u64,
    /// What it takes on disk, bytes.
    pub allocated: u64,
    /// Its mtime: the last known use.
    pub last_used: DateTime<Utc>,
    /// Whether an instance, a descriptor or a lock holds it.
    pub in_use: bool,
    /// Whether the catalogue has its image no more, so that it cannot be fetched again.
    #[serde(default)]
    pub gone: bool,
    /// Whether an operator has pinned its image.
    #[serde(default)]
    pub pinned: bool,
    /// The prefetch rules that want its image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// The verdict in words: `in use by 7c1d…/disk`, `used 2 h ago, may go after 24 h`…
    pub why: String,
    /// When it may go, if nothing uses it until then; none while it is in use or pruning is off.
    pub may_go_at: Option<DateTime<Utc>>,
    /// When its bytes were last compared; none before the first time, and for files that are no images' bases.
    #[serde(default)]
    pub verified: Option<Verified>,
}

/// The bytes of a base were read and compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// When.
    pub at: DateTime<Utc>,
    /// With what: `fetched` and `catalogue` (the image's hash), `first_seen` (nothing: they were noted), `scrubbed` (what was
    /// noted before).
    pub how: String,
    /// What is wrong with them, if anything.
    pub damage: Option<String>,
    /// Their BLAKE3, in hex, when they are good and it was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

/// Space at the base directory, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Room {
    /// Blocks taken by files of the base directory.
    pub used: u64,
    /// Free on the file system, for this user.
    pub free: u64,
    /// Size of the file system.
    pub total: u64,
    /// What the files of the base directory may take (`cache_max_size`); none for no limit.
    #[serde(default)]
    pub limit: Option<u64>,
    /// What fetches in work may still write.
    #[serde(default)]
    pub promised: u64,
    /// What the instances' disks on that file system may still take; with nova's `preallocate_images = space`, they
    /// have it already.
    #[serde(default)]
    pub disk_growth: u64,
    /// Nova counts the blocks of the base directory as used disk (`reserve_disk_resource_for_image_cache`); without, its
    /// scheduler takes them for free.
    #[serde(default)]
    pub counted_by_nova: bool,
}

/// The outcome of one prefetch pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What became of each image that was queued.
    pub images: Vec<PassResult>,
}

/// What became of one image in a pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassResult {
    /// The image.
    pub id: ImageId,
    /// Its state at the end of the pass.
    #[serde(flatten)]
    pub state: ImageState,
}

/// The outcome of one prune pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pruned {
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// True: nothing was removed, `removed` says what would have been.
    pub dry_run: bool,
    /// Files that went.
    pub removed: Vec<Verdict>,
    /// Files that stayed, each with the reason.
    pub kept: Vec<Verdict>,
    /// Bytes on disk that were freed.
    pub freed: u64,
}

/// A base that is being read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scrubbing {
    /// The file.
    pub base: String,
    /// Bytes of it so far.
    pub done: u64,
    /// Its length.
    pub total: u64,
    /// Bases that the pass has read.
    pub bases_done: u64,
    /// All bases of the pass.
    pub bases: u64,
    /// False: no pass, but the first reading of one base.
    pub pass: bool,
}

/// The outcome of one scrub pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How many bases are good.
    pub good: u64,
    /// What reading each base has shown.
    pub bases: Vec<ScrubbedBase>,
}

/// What reading one base has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScrubbedBase {
    /// The file.
    pub base: String,
    /// The image it is the base of, when known.
    pub id: Option<ImageId>,
    /// The image's name at the centre, when known.
    pub name: Option<String>,
    /// Its length, bytes.
    pub size: u64,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: ScrubOutcome,
}

/// What reading one base has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ScrubOutcome {
    /// Its bytes are right.
    Good {
        /// As in [`Verified::how`].
        how: String,
    },
    /// That could not be told.
    Unclear {
        /// Why.
        why: String,
    },
    /// They are not.
    Damaged {
        /// Which, and how that shows.
        damage: String,
        /// Whether the base was removed.
        removed: bool,
        /// What was done, or why nothing was.
        then: String,
    },
}

/// Everything known about one image on this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// The image.
    pub id: ImageId,
    /// Its base's name.
    pub base: String,
    /// What is done with it; none when it is neither queued nor cached.
    pub status: Option<ImageStatus>,
    /// Its base's verdict, when the file is there.
    pub verdict: Option<Verdict>,
    /// Each piece of evidence that it is in use: `/var/lib/nova/instances/7c1d…/disk names it as backing file`.
    pub evidence: Vec<String>,
    /// The same as sentences, in the order in which they were found out.
    pub story: Vec<String>,
}

/// One cached image, in the words of Glance's cache API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CachedImage {
    /// The image's id; the base's name when the image is not known.
    pub image_id: String,
    /// Seconds since the epoch; 0 for never.
    pub last_accessed: f64,
    /// Seconds since the epoch.
    pub last_modified: f64,
    /// Bytes.
    pub size: u64,
    /// How often it was found in use anew.
    pub hits: u64,
    /// The image's checksum (md5), when known.
    pub checksum: Option<String>,
}
