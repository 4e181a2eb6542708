//! One instances_path of several hosts: nova's registry, and whether locks reach the others.

use super::NovaSays;
use crate::admin::Finding;
use chrono::Utc;
use std::{collections::BTreeMap, fs, path::Path};

/// Nova counts hosts that were seen within a day (nova.virt.storage_users).
const DAY: f64 = 86_400.0;
/// The registry of a thousand hosts has 40 kB.
const LARGEST: u64 = 1 << 20;

pub(super) fn check(instances: &Path, nova: &NovaSays) -> Vec<Finding> {
    const TOPIC: &str = "sharing";
    let path = instances.join("compute_nodes");
    let registry = match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
        Ok(meta) if meta.len() > LARGEST => BTreeMap::new(),
        _ => match fs::read(&path).map_err(|it| it.to_string()).and_then(|text| parse(&text)) {
            Ok(registry) => registry,
            Err(why) => {
                return vec![Finding::warning(
                    TOPIC,
                    format!("nova's registry of hosts {} cannot be read: {why}", path.display()),
                    "remove it when it is damaged; nova-compute makes it anew at its next pass",
                )];
            }
        },
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = mount_of(&mounts, instances);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let now = Utc::now().timestamp() as f64;
    judge(&registry, now, mount.as_ref(), nova)
}

/// `{"host": seconds since the epoch}`.
pub(super) fn parse(text: &[u8]) -> Result<BTreeMap<String, f64>, String> {
    serde_json::from_slice(text).map_err(|it| it.to_string())
}

/// What holds a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) kind: String,
    pub(super) options: String,
}

/// The line of mountinfo (proc(5)) whose mount point is the longest that leads to `path`.
pub(super) fn mount_of(mountinfo: &str, path: &Path) -> Option<Mount> {
    let lines = mountinfo.lines().filter_map(|line| {
        let (place, rest) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?.replace("\\040", " ");
        let mut rest = rest.split(' ');
        let kind = rest.next()?.to_owned();
        let options = rest.nth(1)?.to_owned();
        path.starts_with(&point).then_some((point.len(), Mount { kind, options }))
    });
    // Of two mounts on one point the later one is seen.
    lines.max_by_key(|it| it.0).map(|it| it.1)
}

pub(super) fn judge(
    registry: &BTreeMap<String, f64>,
    now: f64,
    mount: Option<&Mount>,
    nova: &NovaSays,
) -> Vec<Finding> {
    const TOPIC: &str = "sharing";
    let hosts: Vec<&str> = registry.iter().filter(|it| now - it.1 < DAY).map(|it| it.0.as_str()).collect();
    let network = mount.is_some_and(|it| {
        ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.glusterfs"].contains(&it.kind.as_str())
    });
    let mut found = Vec::new();
    if hosts.len() > 1 {
        found.push(Finding::ok(TOPIC, format!("instances_path is shared by {}", hosts.join(", "))));
        if !nova.passes() {
            found.push(Finding::error(
                TOPIC,
                "nova's image cache manager is off, so this host leaves the registry of the shared storage after a day, and \
                 the others take its instances' bases for unused",
                "set [image_cache] manager_interval = 2400 in nova.conf",
            ));
        }
    } else {
        found.push(Finding::ok(TOPIC, "instances_path is this host's own, as far as nova's registry knows"));
    }
    if let Some(mount) = mount.filter(|_| network)
        && mount.options.split(',').any(|it| ["nolock", "local_lock=all", "local_lock=posix"].contains(&it))
    {
        found.push(Finding::error(
            TOPIC,
            format!(
                "instances_path is on {} without locks ({}): hosts do not see each other's",
                mount.kind, mount.options
            ),
            "mount it without nolock and local_lock, or give each host a base directory of its own: [image_cache] \
             subdirectory_name = _base_$my_ip",
        ));
    }
    found
}
