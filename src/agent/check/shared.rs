//! One instances_path of several hosts: nova's registry, and whether locks reach the others.

use super::NovaSays;
use crate::admin::Finding;
use crate::agent::{
    Settings,
    seat::{Folder, Mount, Seen, Standing, seen_at, standing},
};
use chrono::Utc;
use std::{collections::BTreeMap, fs, path::Path, time::SystemTime};

/// Nova counts hosts that were seen within a day (nova.virt.storage_users).
const DAY: f64 = 86_400.0;
/// The registry of a thousand hosts has 40 kB.
const LARGEST: u64 = 1 << 20;

const TOPIC: &str = "sharing";

pub(super) fn check(settings: &Settings, nova: &NovaSays) -> Vec<Finding> {
    let instances = &settings.base_dir.instances_path;
    let mut found = by_nova(instances, nova);
    let base_dir = instances.join(&settings.base_dir.subdirectory_name);
    let folder = Folder::of(&base_dir, None);
    match seen_at(&folder, SystemTime::now()) {
        Ok(seen) => found.extend(seen.iter().map(|it| agent(it, settings))),
        Err(error) => found.push(Finding::error(
            TOPIC,
            format!(
                "cannot read {}, so nobody knows which agents share the directory: {error}",
                folder.path().display()
            ),
            "let the agent's user read and write it",
        )),
    }
    found
}

/// One agent of those that share the directory.
fn agent(it: &Seen, settings: &Settings) -> Finding {
    let us = if it.host == settings.base_dir.host { " (this one)" } else { "" };
    let host = format!("{}{us}", it.host);
    match standing(it, settings.base_dir.shared_answer_timeout) {
        Standing::Live => Finding::ok(TOPIC, format!("the agent of host {host} takes part in the directory")),
        Standing::Nobody => {
            Finding::ok(TOPIC, format!("host {host} had an agent here once, and has nothing to say now"))
        }
        Standing::Away(entry) => Finding::ok(
            TOPIC,
            format!("the agent of host {host} is away; what it has pinned stays: {}", entry.pins.len()),
        ),
        Standing::Unclear(why) => Finding::warning(
            TOPIC,
            format!("host {host}: {why}; nothing is removed while that is so"),
            "start that host's agent again; remove its entry if the host is gone for good",
        ),
    }
}

fn by_nova(instances: &Path, nova: &NovaSays) -> Vec<Finding> {
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
    let mount = Mount::now(instances);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let now = Utc::now().timestamp() as f64;
    judge(&registry, now, mount.as_ref(), nova)
}

/// `{"host": seconds since the epoch}`.
pub(super) fn parse(text: &[u8]) -> Result<BTreeMap<String, f64>, String> {
    serde_json::from_slice(text).map_err(|it| it.to_string())
}

pub(super) fn judge(
    registry: &BTreeMap<String, f64>,
    now: f64,
    mount: Option<&Mount>,
    nova: &NovaSays,
) -> Vec<Finding> {
    let hosts: Vec<&str> = registry.iter().filter(|it| now - it.1 < DAY).map(|it| it.0.as_str()).collect();
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
    if let Some(mount) = mount.filter(|it| it.has_no_locks()) {
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
