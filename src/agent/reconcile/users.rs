//! Which instances stand on which bases, by the evidence of a look.

use super::look::Look;
use crate::agent::{base_dir::Kind, desired::rules::User, in_use::Evidence};
use std::{
    collections::BTreeSet,
    path::{Component, Path},
};

/// Each instance's folder with the base of the image that a disk in it stands on; a resized copy counts as its base.
pub(super) fn users(look: &Look, instances: &Path) -> BTreeSet<User> {
    let mut users = BTreeSet::new();
    for file in &look.bases {
        let base = match &file.kind {
            Kind::Original => &file.name,
            Kind::Resized { of } => of,
            _ => continue,
        };
        for it in look.in_use.evidence(&file.name) {
            if let Evidence::Backing { disk, .. } | Evidence::Same { disk } = it
                && let Some(name) = folder(disk, instances)
            {
                users.insert((base.clone(), name));
            }
        }
    }
    users
}

/// An instance that is resized or deleted is the same one.
fn folder(disk: &Path, instances: &Path) -> Option<String> {
    let mut parts = disk.strip_prefix(instances).ok()?.components();
    let Some(Component::Normal(name)) = parts.next() else { return None };
    // A disk that lies in no folder is no instance's.
    parts.next()?;
    let name = name.to_string_lossy();
    let name = name.strip_suffix("_resize").or(name.strip_suffix("_del")).unwrap_or(&name);
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_its_folder() {
        let of = |disk: &str| folder(Path::new(disk), Path::new("/i"));
        for disk in ["/i/7c1d/disk", "/i/7c1d/disk.rescue", "/i/7c1d_resize/disk", "/i/7c1d_del/disk", "/i/7c1d/a/b"] {
            assert_eq!(of(disk).as_deref(), Some("7c1d"), "{disk}");
        }
        assert_eq!(of("/i/disk"), None);
        assert_eq!(of("/elsewhere/x/disk"), None);
    }
}
