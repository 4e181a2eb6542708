//! Whether locks reach other hosts, by the mount.

use std::path::Path;

/// What holds a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The file system.
    pub kind: String,
    /// Its options.
    pub options: String,
}

// === impl Mount ===

impl Mount {
    /// The line of mountinfo (proc(5)) whose mount point is the longest that leads to `path`.
    pub fn of(mountinfo: &str, path: &Path) -> Option<Self> {
        let lines = mountinfo.lines().filter_map(|line| {
            let (place, rest) = line.split_once(" - ")?;
            let point = place.split(' ').nth(4)?.replace("\\040", " ");
            let mut rest = rest.split(' ');
            let kind = rest.next()?.to_owned();
            let options = rest.nth(1)?.to_owned();
            path.starts_with(&point).then_some((point.len(), Self { kind, options }))
        });
        // Of two mounts on one point the later one is seen.
        lines.max_by_key(|it| it.0).map(|it| it.1)
    }

    /// The mount of a path now.
    pub fn now(path: &Path) -> Option<Self> {
        Self::of(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(), path)
    }

    /// Whether hosts share it, but not their locks.
    pub fn has_no_locks(&self) -> bool {
        const NETWORK: [&str; 7] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.glusterfs"];
        const WITHOUT: [&str; 4] = ["nolock", "local_lock=all", "local_lock=posix", "nobrl"];
        NETWORK.contains(&self.kind.as_str()) && self.options.split(',').any(|it| WITHOUT.contains(&it))
    }
}
