//! The agent's options. Names and meanings are Nova's and Glance's where the meaning is the same.

use super::{
    login::{self, First, Login, LoginError},
    logs,
    options::Options,
    signatures,
    value::{BYTES, FOLDERS, Kind, PER_CENT, Refused, parsed, parsed_or_unset},
};
use crate::agent::{
    self,
    seat::{HostName, InvalidHost},
};
use crate::runtime::logging;
use crate::wire::fleet::{InvalidLabel, Labels};

/// Everything that `larder agent` is told.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// The agent itself.
    pub settings: agent::Settings,
    /// What nova.conf says to nova-compute itself, for `larder agent check`.
    pub nova: agent::check::NovaSays,
    /// Its log.
    pub logging: logging::Settings,
    pub(super) logins: Logins,
}

/// Where the catalogue is, and who the agent is there; `[glance]` counts before `[keystone_authtoken]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Logins {
    endpoint: Option<url::Url>,
    api_server: Option<String>,
    interface: Option<String>,
    glance: Login,
    authtoken: Login,
    pub(super) key_manager: signatures::KeyManager,
}

pub(super) const INTRO: &str = "Larder's node agent. Every option stands here, commented out, at its default.\n\
    What the agent and nova-compute must agree on is read from /etc/nova/nova.conf first (instances_path, force_raw_images, \
    [image_cache], [libvirt] images_type); what is set here wins.";

/// oslo's dict of labels; what stands after `=` is taken too, as the commands write it.
const LABELS: Kind<Labels> = Kind {
    takes: "name:value pairs, separated by commas",
    read: |text| {
        let pair = |it: &str| if it.contains('=') { it.to_owned() } else { it.replacen(':', "=", 1) };
        let pairs: Vec<String> = text.split(',').map(pair).collect();
        pairs.join(",").parse().map_err(|error: InvalidLabel| Refused(Some(error.to_string())))
    },
    write: |labels| Some(labels.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join(",")),
};

const HOST: Kind<HostName> = Kind {
    takes: "a host's name",
    read: |text| text.parse().map_err(|error: InvalidHost| Refused(Some(error.to_string()))),
    write: |host| (*host != HostName::default()).then(|| host.to_string()),
};

/// Nova's words for `images_type`, for messages.
const IMAGES_TYPES: &str = "default, raw, flat, qcow2, lvm, rbd or ploop";
/// What a schedule looks like, for messages.
const SCHEDULE: &str = "five fields as in crontab, such as 30 2 * * 1-5, or @hourly and its like; empty for none";

pub(super) fn visit(options: &mut Options<'_>, it: &mut Agent) {
    let settings = &mut it.settings;
    options.section("DEFAULT");
    logs::visit(options, &mut it.logging);
    options.bind(
        "state_path",
        &mut settings.state_path,
        "Folder of the agent's index (index.db). It must be on a local file system.",
    );
    options.bind("admin_socket", &mut settings.admin.socket, "Where the agent answers larder cache and Prometheus.");
    options.bind(
        "admin_group",
        &mut settings.admin.group,
        "A group whose members may use the admin socket too; root and the agent's own user always may.",
    );
    options.bind(
        "instances_path",
        &mut settings.base_dir.instances_path,
        "Where nova-compute keeps instances, locks and the base directory.",
    );
    options.bind_as(
        "host",
        &mut settings.base_dir.host,
        HOST,
        "This host's name among those that share instances_path. Not set: host of nova.conf, or the machine's name.",
    );
    options.bind(
        "shared_answer_timeout",
        &mut settings.base_dir.shared_answer_timeout,
        "How long the other agents of a shared base directory are waited for before something is removed there; no answer keeps it.",
    );
    options.bind_as(
        "libvirt_directories",
        &mut settings.base_dir.libvirt_directories,
        FOLDERS,
        "Folders with libvirt's domain definitions; the disks that they name are in use too. Absent ones do not matter.",
    );
    shared_with_nova(options, settings);
    prefetcher(options, settings);
    fetching(options, settings);
    read_through(options, &mut settings.through);
    pruner(options, settings);
    conversion(options, settings);
    catalogue_checks(options, settings);
    options.section("fleet");
    fleet(options, &mut settings.fleet);
    options.section("image_cache");
    image_cache(options, settings);
    options.section("libvirt");
    images_type(options, settings);
    options.section("compute");
    compute(options, settings);
    transfers(options, it);
    signatures::of_nova(options, &mut it.settings.signatures);
    logins(options, &mut it.logins);
    let certificates = &mut it.settings.signatures.certificates;
    signatures::key_manager(options, certificates, &mut it.logins.key_manager, signatures::AGENTS);
}

/// `[DEFAULT]` of nova.conf.
pub(super) fn shared_with_nova(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind(
        "force_raw_images",
        &mut settings.force_raw_images,
        "Convert images that are not raw to raw, as nova-compute does.",
    );
}

/// `[libvirt]` of nova.conf.
pub(super) fn images_type(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind_as(
        "images_type",
        &mut settings.images_type,
        parsed(IMAGES_TYPES),
        "How nova-compute makes disks of instances. With rbd nothing is cached: a base would make nova copy the whole image into Ceph.",
    );
}

fn prefetcher(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind(
        "cache_prefetcher_interval",
        &mut settings.cache_prefetcher_interval,
        "Seconds between prefetch passes; 0 or -1 for no periodic passes.",
    );
    options.bind_as(
        "prefetch_schedule",
        &mut settings.prefetch_schedule,
        parsed_or_unset(SCHEDULE),
        "When prefetch passes begin, in place of the interval.",
    );
    options.bind(
        "prefetch_on_queue",
        &mut settings.prefetch_on_queue,
        "Fetch an image as soon as it is queued, instead of at the next pass.",
    );
    options.bind(
        "prefetch_jitter",
        &mut settings.prefetch_jitter,
        "Begin a periodic pass up to this much later, so that nodes do not all ask at once.",
    );
    options.bind(
        "max_concurrent_fetches",
        &mut settings.max_concurrent_fetches,
        "Images that are fetched at the same time, 1 to 64.",
    );
    options.bind(
        "allow_unverified",
        &mut settings.allow_unverified,
        "Take images that have neither os_hash_value nor checksum.",
    );
    signatures::own(options, &mut settings.signatures);
    pace(options, settings);
    room(options, settings);
}

fn pace(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind_as(
        "prefetch_bandwidth",
        &mut settings.prefetch_bandwidth,
        BYTES,
        "Bytes a second for all fetches together; 0 for no limit. A base that the start of an instance waits for has none.",
    );
    options.bind_as(
        "prefetch_bandwidth_schedule",
        &mut settings.prefetch_bandwidth_schedule,
        parsed("parts of the day with their limits, such as 08:00-18:00=20MiB,22:00-06:00=0; empty for none"),
        "Other limits for parts of the day; the first one that fits counts. In UTC, or in local time with schedule_local_time.",
    );
    options.bind(
        "io_pressure_limit",
        &mut settings.io_pressure_limit,
        "Slow fetches down while tasks of this machine wait for disks for more than so many per cent of the time (the kernel's pressure stall information); 0 for never.",
    );
    options.bind(
        "prefetch_idle_io",
        &mut settings.prefetch_idle_io,
        "Write what is fetched in the idle I/O class, unless the start of an instance waits for it.",
    );
}

fn room(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind_as(
        "cache_max_size",
        &mut settings.cache_max_size,
        BYTES,
        "What the files of the base directory may take on disk; 0 for no limit. No fetch begins that could pass it.",
    );
    options.bind_as(
        "cache_min_free",
        &mut settings.cache_min_free,
        BYTES,
        "What must stay free on the file system of the base directory. No fetch begins that could take it, and fetches stand still while others take it.",
    );
    let evict = &mut settings.evict;
    options.bind_as(
        "cache_high_watermark",
        &mut evict.high,
        PER_CENT,
        "Per cent of cache_max_size above which unused bases go for their room, the least recently used first.",
    );
    options.bind_as(
        "cache_low_watermark",
        &mut evict.low,
        PER_CENT,
        "Per cent of cache_max_size down to which they go; no more than the high one.",
    );
    options.bind_as(
        "cache_evict_until_free",
        &mut evict.until_free,
        BYTES,
        "Once less than cache_min_free is free, unused bases go until so much is.",
    );
    options.bind(
        "cache_evict_min_age",
        &mut evict.min_age,
        "A base stays for this many seconds after its last use, however much room is needed.",
    );
    options.bind(
        "prune_pinned_when_full",
        &mut evict.pinned_too,
        "Pinned bases may go for their room too, after all others.",
    );
    options.bind(
        "full_disk_wait",
        &mut settings.full_disk_wait,
        "How long a fetch stands still for want of room before it gives back what it has, and waits in the queue.",
    );
}

fn fetching(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind(
        "fetch_idle_timeout",
        &mut settings.fetch_idle_timeout,
        "Give up a server that sends nothing for this long.",
    );
    options.bind(
        "fetch_cuts",
        &mut settings.fetch_cuts,
        "How often a cut transfer is picked up again without a byte of progress in between.",
    );
    options.bind(
        "retry_interval",
        &mut settings.retry_interval,
        "The wait after a first failure; it doubles with each one.",
    );
    options.bind("retry_interval_max", &mut settings.retry_interval_max, "The longest such wait.");
    options.bind(
        "refused_retry_interval",
        &mut settings.refused_retry_interval,
        "The wait after a failure that time alone does not mend, such as an image that is not found or whose content is refused.",
    );
    options.bind(
        "lock_wait",
        &mut settings.lock_wait,
        "How long nova-compute may hold the lock of a base before that counts as a failure.",
    );
    options.bind(
        "lock_hold",
        &mut settings.lock_hold,
        "How long the agent itself holds such a lock; starts of that image wait meanwhile.",
    );
}

fn read_through(options: &mut Options<'_>, it: &mut agent::through::Settings) {
    options.bind_as(
        "read_through_bind",
        &mut it.bind,
        parsed_or_unset("an address with a port, such as 127.0.0.1:9292"),
        "Answer nova-compute here in the catalogue's place: [glance] endpoint_override of nova.conf may be this address, while \
         that of this file is the catalogue's own. Everything passes through with the caller's token; data of images comes \
         from this node once the catalogue has allowed it to that caller. Not set: no such endpoint.",
    );
    options.bind(
        "read_through_allow_remote",
        &mut it.allow_remote,
        "Let read_through_bind be an address that other machines reach. Tokens come to it without encryption then, and \
         whoever reaches it can fill read_through_cache_size with what the catalogue lets them read.",
    );
    options.bind_as(
        "read_through_cache_size",
        &mut it.cache_size,
        BYTES,
        "What images that were read through may take as they are at the catalogue, beside the bases; the least recently used \
         go. A download that several wait for takes room here too: an image that does not fit is streamed to each. 0 for none.",
    );
    options.bind(
        "read_through_path",
        &mut it.path,
        "Where they are kept. Not set: the folder originals in state_path.",
    );
}

fn pruner(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind(
        "prune_interval",
        &mut settings.prune_interval,
        "Seconds between prune passes; 0 or -1 for no periodic passes.",
    );
    options.bind_as(
        "prune_schedule",
        &mut settings.prune_schedule,
        parsed_or_unset(SCHEDULE),
        "When prune passes begin, in place of the interval.",
    );
    scrubber(options, settings);
    options.bind(
        "schedule_local_time",
        &mut settings.schedule_local_time,
        "Schedules are in the machine's time zone, not in UTC.",
    );
    options.bind(
        "scan_interval",
        &mut settings.scan_interval,
        "The base directory and the instances are looked at at least this often.",
    );
}

fn scrubber(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind_as(
        "scrub_schedule",
        &mut settings.scrub_schedule,
        parsed_or_unset(SCHEDULE),
        "When all bases are read and compared with what they were. Not set: only when larder agent scrub asks for it.",
    );
    options.bind_as(
        "scrub_rate",
        &mut settings.scrub_rate,
        BYTES,
        "Bytes a second that reading bases takes from the disk at most, at idle priority; 0 for no limit.",
    );
    options.bind(
        "scrub_adopted",
        &mut settings.scrub_adopted,
        "Read bases that nova-compute fetched once in the background, to note what they are.",
    );
    options.bind(
        "scrub_replace",
        &mut settings.scrub_replace,
        "Remove a damaged base that nothing uses, and fetch its image again. Off, damage is only reported.",
    );
}

/// Images that the catalogue has no more.
fn catalogue_checks(options: &mut Options<'_>, settings: &mut agent::Settings) {
    let fleet = &mut settings.fleet;
    options.bind(
        "catalogue_check_interval",
        &mut fleet.catalogue_check_interval,
        "How often the catalogue is asked whether it still has the cached images; 0 for never. What its change feed tells is \
         looked at within seconds in any case.",
    );
    options.bind(
        "gone_image_minimum_age",
        &mut fleet.gone_image_minimum_age,
        "When the catalogue has deleted or deactivated an image, or hides it, its unused base stays for this many seconds \
         after its last use.",
    );
    options.bind(
        "mass_removal_wait",
        &mut fleet.mass_removal_wait,
        "When more than half of the cached images (at least 3), or all, are gone at the catalogue at once, their bases stay \
         for this long, and go then if that is so still.",
    );
}

fn fleet(options: &mut Options<'_>, it: &mut agent::fleet::Settings) {
    options.bind_as(
        "fleet",
        &mut it.fleet,
        parsed("auto, true or false"),
        "Whether this node joins the fleet that the catalogue keeps: auto, if it keeps one; true, and it is said when it does \
         not; false, never.",
    );
    options.bind(
        "node_name",
        &mut it.node_name,
        "The node's name in the fleet. Not set: host of nova.conf, or the host's name.",
    );
    options.bind_as(
        "labels",
        &mut it.labels,
        LABELS,
        "What the node is selected by, such as site:berlin,rack:r7,aggregate:gpu.",
    );
    options.bind_as(
        "address",
        &mut it.address,
        parsed_or_unset("text"),
        "Where other nodes reach this one, such as http://10.0.0.7:9393, if they can.",
    );
}

/// `[image_cache]` of nova.conf, as far as the agent does what nova-compute would.
pub(super) fn image_cache(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind_renamed(
        "subdirectory_name",
        &["DEFAULT/image_cache_subdirectory_name", "DEFAULT/base_dir_name"],
        &mut settings.base_dir.subdirectory_name,
        "Name of the base directory in instances_path.",
    );
    let prune = &mut settings.prune;
    options.bind_renamed(
        "remove_unused_base_images",
        &["DEFAULT/remove_unused_base_images"],
        &mut prune.remove_unused_base_images,
        "Remove bases that nothing uses.",
    );
    options.bind_renamed(
        "remove_unused_original_minimum_age_seconds",
        &["DEFAULT/remove_unused_original_minimum_age_seconds"],
        &mut prune.remove_unused_original_minimum_age_seconds,
        "Unused bases stay for this many seconds after their last use.",
    );
    options.bind_renamed(
        "remove_unused_resized_minimum_age_seconds",
        &["libvirt/remove_unused_resized_minimum_age_seconds", "DEFAULT/remove_unused_resized_minimum_age_seconds"],
        &mut prune.remove_unused_resized_minimum_age_seconds,
        "Unused resized copies of bases stay for this many seconds after their last use.",
    );
}

/// `[compute]` of nova.conf.
pub(super) fn compute(options: &mut Options<'_>, settings: &mut agent::Settings) {
    options.bind_renamed(
        "vmdk_allowed_types",
        &["image_format/vmdk_allowed_types"],
        &mut settings.rules.vmdk_allowed_types,
        "createType of VMDK images that are taken; an empty list takes none.",
    );
}

fn conversion(options: &mut Options<'_>, settings: &mut agent::Settings) {
    let convert = &mut settings.convert;
    options.bind(
        "qemu_img",
        &mut convert.qemu_img,
        "The qemu-img for formats that are not converted natively. Not set: the one on the path.",
    );
    options.bind("convert_threads", &mut convert.threads, "Threads of a conversion; 0 for one per core, 8 at most.");
    options.bind_as(
        "convert_memory_limit",
        &mut convert.memory_limit,
        BYTES,
        "Address space that a conversion may use; qemu-img needs 512MiB.",
    );
    options.bind("convert_cpu_limit", &mut convert.cpu_limit, "CPU time that a conversion may use.");
    options.bind(
        "convert_stall_timeout",
        &mut convert.stall_timeout,
        "Give up a conversion that makes no progress for this long.",
    );
    options.bind_as(
        "convert_size_limit",
        &mut convert.virtual_size_limit,
        BYTES,
        "The largest disk that is converted.",
    );
    options.bind(
        "convert_idle",
        &mut convert.idle,
        "Let conversions give way to everything else on the node (nice 19, idle I/O class).",
    );
}

/// How bytes come from the catalogue.
fn transfers(options: &mut Options<'_>, it: &mut Agent) {
    options.section("glance");
    let remote = &mut it.settings.catalogue;
    options.bind("connect_timeout", &mut remote.connect_timeout, "Longest wait for a connection to the catalogue.");
    options.bind("read_timeout", &mut remote.read_timeout, "Longest silence of the catalogue in an answer.");
    options.bind_as(
        "proxy",
        &mut remote.proxy,
        parsed_or_unset("a URL"),
        "Proxy for all requests. Not set: as http_proxy, https_proxy and no_proxy in the environment say.",
    );
}

/// `[glance]` and `[keystone_authtoken]`, in nova.conf and in the agent's own file.
pub(super) fn logins(options: &mut Options<'_>, it: &mut Logins) {
    options.section("glance");
    options.bind_as(
        "endpoint_override",
        &mut it.endpoint,
        parsed_or_unset("a URL such as http://controller:9292"),
        "The catalogue's address. Not set: the one in Keystone's service catalogue.",
    );
    options.bind("api_servers", &mut First(&mut it.api_server), "The same, as older releases of Nova write it.");
    options.bind(
        "valid_interfaces",
        &mut First(&mut it.interface),
        "Which of the addresses in Keystone's service catalogue: internal, public or admin.",
    );
    login::visit(options, &mut it.glance);
    options.section("keystone_authtoken");
    login::visit(options, &mut it.authtoken);
}

// === impl Logins ===

impl Logins {
    /// Where the image service is, as configured.
    pub(super) fn endpoint(&self) -> Option<String> {
        self.endpoint.as_ref().map(ToString::to_string).or_else(|| self.api_server.clone())
    }
}

// === impl Agent ===

impl Agent {
    /// Puts together what stands in several options.
    pub(super) fn finish(mut self) -> Result<Self, (&'static str, LoginError)> {
        let remote = &mut self.settings.catalogue;
        let it = &self.logins;
        let server = it.api_server.as_deref().and_then(|text| url::Url::parse(text).ok());
        // What nova.conf says may be this agent's own endpoint, behind which there would be nobody.
        let through = &self.settings.through;
        let [endpoint, server] = [it.endpoint.clone(), server].map(|it| it.filter(|it| !through.is_here(it)));
        remote.endpoint = endpoint.or(server).or_else(|| remote.endpoint.take());
        if let Some(interface) = &it.interface {
            interface.clone_into(&mut remote.interface);
        }
        remote.region = it.glance.region_name.clone();
        remote.cafile = it.glance.cafile.clone();
        remote.insecure = it.glance.insecure;
        let (section, login) =
            if it.glance.is_set() { ("glance", &it.glance) } else { ("keystone_authtoken", &it.authtoken) };
        if login.is_set() {
            login.apply(remote).map_err(|error| (section, error))?;
        }
        self.logins.key_manager.apply(&mut self.settings);
        Ok(self)
    }
}
