//! What agent and nova-compute must agree on. Pure.

use super::{NovaSays, signatures};
use crate::admin::Finding;
use crate::agent::{Settings, settings::ImagesType};

pub(super) fn check(settings: &Settings, nova: &NovaSays) -> Vec<Finding> {
    vec![
        files(nova),
        pruning(settings, nova),
        last_use(nova),
        images_type(settings),
        locks(nova),
        signatures::agreed(settings, nova),
        disk_space(nova),
    ]
}

fn files(nova: &NovaSays) -> Finding {
    if nova.files.is_empty() {
        return Finding::warning(
            "nova.conf",
            "no configuration of nova was read: Nova's defaults are assumed",
            "run this on the compute node as a user who may read /etc/nova/nova.conf, or name it by --nova-config-file",
        );
    }
    let names: Vec<String> = nova.files.iter().map(|it| it.display().to_string()).collect();
    Finding::ok("nova.conf", format!("read {}", names.join(", ")))
}

/// Nova's manager protects less than the agent: not the bases of rescue disks, of unconfirmed resizes, of directories that
/// its database does not list (facts of `nova.virt.libvirt.imagecache`); and it knows no queue and no pins.
fn pruning(settings: &Settings, nova: &NovaSays) -> Finding {
    let ours = settings.prune.remove_unused_base_images && (settings.prunes_by_itself());
    let hours = nova.remove_unused_original_minimum_age_seconds / 3600;
    match (nova.prunes(), ours) {
        (false, true) => Finding::ok("pruning", "the agent removes unused bases, nova-compute does not"),
        (true, true) => Finding::warning(
            "pruning",
            format!(
                "nova-compute removes unused bases too: images that were fetched ahead and not pinned go after {hours} h; bases \
                 of rescue disks and unconfirmed resizes stay only as long as the agent runs and may touch them"
            ),
            "set [image_cache] remove_unused_base_images = False in nova.conf and True in agent.conf, and restart nova-compute",
        ),
        (true, false) => Finding::warning(
            "pruning",
            format!(
                "only nova-compute removes bases: images that were fetched ahead and not pinned go after {hours} h without \
                 an instance"
            ),
            "set [image_cache] remove_unused_base_images = False in nova.conf and True in agent.conf, and restart nova-compute",
        ),
        (false, false) => Finding::warning(
            "pruning",
            "nobody removes unused bases: the disk fills",
            "set [image_cache] remove_unused_base_images = True in agent.conf, and prune_interval above 0 or a prune_schedule \
             (or enable larder-prune.timer)",
        ),
    }
}

fn last_use(nova: &NovaSays) -> Finding {
    if nova.passes() {
        let seconds = if nova.manager_interval == 0 { 60 } else { nova.manager_interval };
        return Finding::ok(
            "last use",
            format!("nova-compute notes every {seconds} s which bases its instances use (their mtime)"),
        );
    }
    Finding::warning(
        "last use",
        "nova's image cache manager is off: the mtime of a base is its last start of an instance, so that bases look \
         unused the moment their last instance goes",
        "set [image_cache] manager_interval = 2400 (and remove_unused_base_images = False) in nova.conf",
    )
}

fn images_type(settings: &Settings) -> Finding {
    let kind = settings.images_type;
    match kind {
        ImagesType::Rbd if !settings.force_raw_images => Finding::error(
            "images_type",
            "nova-compute does not start with images_type = rbd and force_raw_images = False",
            "set force_raw_images = True in nova.conf",
        ),
        ImagesType::Rbd => Finding::warning(
            "images_type",
            "images_type is rbd: the agent caches nothing here, a base would turn clones in Ceph into full copies",
            "leave the agent out on this node",
        ),
        _ => Finding::ok("images_type", format!("{kind}: instances start from files in the base directory")),
    }
}

fn locks(nova: &NovaSays) -> Finding {
    if nova.disable_process_locking {
        return Finding::error(
            "locks",
            "nova-compute takes no lock files: agent and nova could write one base at the same time",
            "set [oslo_concurrency] disable_process_locking = False in nova.conf",
        );
    }
    Finding::ok("locks", "nova-compute takes lock files, which the agent heeds and takes too")
}

fn disk_space(nova: &NovaSays) -> Finding {
    let full =
        if nova.preallocate_images == "space" { "; disks of instances take their full size at once" } else { "" };
    if nova.reserve_disk_resource_for_image_cache {
        return Finding::ok("disk space", format!("nova counts the base directory as used disk{full}"));
    }
    Finding::warning(
        "disk space",
        format!("nova's scheduler takes the space of the base directory for free{full}"),
        "set [workarounds] reserve_disk_resource_for_image_cache = True in nova.conf when instances and bases share a file system",
    )
}
