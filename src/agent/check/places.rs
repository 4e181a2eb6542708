//! instances_path, the base directory, the locks and state_path: owners, modes, file systems, room.

use crate::admin::Finding;
use crate::agent::{Settings, base_dir::Kind, seat::Mount};
use crate::base::{byte_size::ByteSize, space};
use nix::unistd::{AccessFlags, Uid, access};
use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Names that one finding shows.
const SHOWN: usize = 3;
/// Others may read; qemu and nova both need it once libvirt has taken a base over.
const OTHERS_READ: u32 = 0o004;

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let instances = &settings.base_dir.instances_path;
    let meta = match fs::metadata(instances) {
        Ok(meta) if meta.is_dir() => meta,
        answer => {
            let why = answer.err().unwrap_or_else(|| io::ErrorKind::NotADirectory.into());
            return vec![Finding::error(
                "instances_path",
                format!("{}: {why}", instances.display()),
                "install nova-compute or mount the file system; another place is set by instances_path in nova.conf",
            )];
        }
    };
    let mut found = vec![Finding::ok("instances_path", instances.display().to_string())];
    let base = instances.join(&settings.base_dir.subdirectory_name);
    found.push(folder("base directory", &base, &meta));
    found.extend(bases(&base, meta.uid()));
    found.push(folder("lock path", &instances.join("locks"), &meta));
    found.extend(lock_files(&instances.join("locks"), meta.uid()));
    found.push(room(settings, instances, &base));
    found.push(state(settings));
    found
}

/// A folder that nova and the agent share.
fn folder(topic: &'static str, path: &Path, instances: &Metadata) -> Finding {
    let place = path.display();
    let meta = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::ok(topic, format!("{place} is not there yet; the agent makes it as nova would"));
        }
        Err(error) => return Finding::error(topic, format!("{place}: {error}"), "let nova's user read it"),
        Ok(meta) => meta,
    };
    let owner = format!("{}:{}", instances.uid(), instances.gid());
    if !meta.is_dir() {
        return Finding::error(
            topic,
            format!("{place} is no directory"),
            "move it away; the agent makes the directory",
        );
    }
    if meta.uid() != instances.uid() {
        return Finding::error(
            topic,
            format!(
                "{place} belongs to user {}, instances_path to user {}: nova-compute fails there",
                meta.uid(),
                instances.uid()
            ),
            format!("chown {owner} {place}"),
        );
    }
    match access(path, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) => Finding::ok(topic, place.to_string()),
        Err(errno) if Uid::effective().is_root() || meta.uid() == Uid::effective().as_raw() => Finding::error(
            topic,
            format!("{place} cannot be written to: {}", errno.desc()),
            format!("chmod u+rwx {place}, or mount its file system writable"),
        ),
        Err(_) => Finding::warning(
            topic,
            format!("{place} cannot be looked at as this user"),
            "run this as nova's user or as root",
        ),
    }
}

/// Bases that instances could not read, or would write into.
fn bases(base: &Path, owner: u32) -> Vec<Finding> {
    const TOPIC: &str = "bases";
    let (mut closed, mut links, mut count) = (Vec::new(), Vec::new(), 0_usize);
    for (path, name) in entries(base) {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if Kind::of(&name) != Kind::Original {
            continue;
        }
        count += 1;
        if meta.is_symlink() {
            links.push(name);
        } else if meta.uid() != owner && meta.mode() & OTHERS_READ == 0 {
            closed.push(name);
        }
    }
    let mut found = Vec::new();
    if !closed.is_empty() {
        found.push(Finding::error(
            TOPIC,
            format!(
                "libvirt owns {}, and nova-compute may not read {}: starts from it fail",
                some(&closed),
                it(&closed)
            ),
            format!("chmod o+r {}/NAME", base.display()),
        ));
    }
    if !links.is_empty() {
        found.push(Finding::error(
            TOPIC,
            format!(
                "{} a symbolic link: with images_type raw or flat guests write into the base itself",
                some_are(&links)
            ),
            "put a regular file in its place while no instance uses it",
        ));
    }
    if found.is_empty() {
        found.push(Finding::ok(TOPIC, format!("{count} in {}", base.display())));
    }
    found
}

/// A lock file that root made stops every start of its image (nova opens it for writing).
fn lock_files(locks: &Path, owner: u32) -> Option<Finding> {
    let foreign: Vec<String> = entries(locks)
        .filter(|(_, name)| name.starts_with("nova-"))
        .filter(|(path, _)| fs::symlink_metadata(path).is_ok_and(|it| it.uid() != owner && it.mode() & 0o002 == 0))
        .map(|(_, name)| name)
        .collect();
    (!foreign.is_empty()).then(|| {
        Finding::error(
            "lock path",
            format!("{} not nova's: every start of that image fails", some_are(&foreign)),
            format!("chown {owner} {}/nova-*", locks.display()),
        )
    })
}

fn room(settings: &Settings, instances: &Path, base: &Path) -> Finding {
    const TOPIC: &str = "free space";
    let place = if base.exists() { base } else { instances };
    let space = match space::free(place) {
        Ok(space) => space,
        Err(error) => return Finding::warning(TOPIC, format!("{}: {error}", place.display()), "look with df"),
    };
    let (free, total) = (ByteSize(space.free), ByteSize(space.total));
    let floor = ByteSize(settings.cache_min_free);
    if space.free <= settings.cache_min_free {
        return Finding::error(
            TOPIC,
            format!(
                "{free} of {total} are free at {}, and {floor} must stay free: nothing is fetched",
                place.display()
            ),
            "make room, or lower cache_min_free",
        );
    }
    Finding::ok(TOPIC, format!("{free} of {total} are free at {}, {floor} of it stay so", place.display()))
}

/// The index is SQLite in WAL mode, which shares memory between processes: not over a network.
fn state(settings: &Settings) -> Finding {
    const TOPIC: &str = "state_path";
    let path = &settings.state_path;
    let place = path.display();
    let Ok(meta) = fs::metadata(path) else {
        return Finding::ok(TOPIC, format!("{place} is not there yet; the agent makes it if it may"));
    };
    let kind = Mount::now(path).map(|it| it.kind).unwrap_or_default();
    if ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.glusterfs"].contains(&kind.as_str()) {
        return Finding::error(
            TOPIC,
            format!("{place} is on {kind}: the index must be on a file system of this host"),
            "set state_path to a local folder",
        );
    }
    Finding::ok(TOPIC, format!("{place} ({}, user {})", if kind.is_empty() { "unknown" } else { &kind }, meta.uid()))
}

fn entries(folder: &Path) -> impl Iterator<Item = (PathBuf, String)> {
    let entries = fs::read_dir(folder).ok().into_iter().flatten().flatten();
    entries.filter_map(|it| Some((it.path(), it.file_name().into_string().ok()?)))
}

/// `a, b, c and 4 more`.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn some_are(names: &[String]) -> String {
    format!("{} {}", some(names), if names.len() == 1 { "is" } else { "are" })
}

fn it(names: &[String]) -> &'static str {
    if names.len() == 1 { "it" } else { "them" }
}
